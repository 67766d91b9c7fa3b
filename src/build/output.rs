//! What a generator writes: kept aside until it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::state::DIR;
use super::{Error, parse_depfile};
use crate::model::path::RelPath;

/// The most lines of what a program says that are shown.
const SHOWN: usize = 50;

/// Where a generator writes to. Nothing of it is seen in `OUT_DIR` before the generator returns `Ok`, and what has not
/// changed is not written again.
#[derive(Debug)]
pub struct Output<'a> {
    pub(super) root: &'a Path,
    pub(super) tools: &'a BTreeMap<String, PathBuf>,
    pub(super) scratch: PathBuf,
    pub(super) files: BTreeMap<RelPath, Content>,
    pub(super) discovered: BTreeSet<String>,
}

/// What an output is made of.
#[derive(Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

#[expect(clippy::disallowed_methods, reason = "build scripts run programs and read what they write")]
impl Output<'_> {
    /// Makes the file `path` below `OUT_DIR`. Directories come of themselves.
    ///
    /// # Errors
    ///
    /// If `path` is absolute, leaves `OUT_DIR`, or was written by this generator already.
    pub fn write(&mut self, path: impl AsRef<str>, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        let path = output_path(path.as_ref())?;
        self.add(path, Content::Bytes(bytes.as_ref().to_vec()))
    }

    /// An empty directory for programs that write files themselves. What is in it when the generator returns becomes
    /// output, under the same names.
    ///
    /// # Errors
    ///
    /// If it can't be made.
    pub fn dir(&self) -> Result<&Path, Error> {
        fs::create_dir_all(&self.scratch)?;
        Ok(&self.scratch)
    }

    /// A command for the tool `name` of the plan. It starts in the package's directory and has no standard input.
    ///
    /// # Errors
    ///
    /// If the plan has no such tool.
    pub fn command(&self, name: &str) -> Result<Command, Error> {
        let unknown =
            || Error::new(format!("the plan has no tool `{name}`: add `.tool(Tool::find({name:?}))`"));
        let mut command = Command::new(self.tools.get(name).ok_or_else(unknown)?);
        command.current_dir(self.root).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs `command` to its end, and returns what it wrote to standard output.
    ///
    /// # Errors
    ///
    /// If it can't be started, or ends otherwise than with exit code 0: then with what it wrote to standard error.
    pub fn run(&self, command: &mut Command) -> Result<Vec<u8>, Error> {
        let name =
            Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output =
            command.output().map_err(|error| Error::new(format!("failed to start `{name}`: {error}")))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        let said = String::from_utf8_lossy(said);
        let mut lines: Vec<&str> = said.trim_end().lines().collect();
        let more = lines.len().saturating_sub(SHOWN);
        lines.truncate(SHOWN);
        let rest = if more > 0 { format!("\n(and {more} more lines)") } else { String::new() };
        let said = if lines.is_empty() { "(it printed nothing)".to_owned() } else { lines.join("\n") };
        Err(Error::new(format!("`{name}` failed ({}):\n{said}{rest}", output.status)))
    }

    /// Says that what is generated depends on the file `path` as well, as an `import` does that was found on the way. If
    /// it changes, the generator runs again. Seen from the package's directory.
    ///
    /// # Errors
    ///
    /// If cargo can't be told of a file with such a name.
    pub fn depends_on(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let absolute = RelPath::without_dots(&self.root.join(path));
        if absolute.starts_with(&self.scratch) {
            return Ok(());
        }
        let seen = absolute.strip_prefix(self.root).map_or(absolute.clone(), Path::to_path_buf);
        let Some(text) = seen.to_str() else {
            let error = Error::new("cargo can't watch a file whose name is not UTF-8");
            return Err(error.in_file(seen.display().to_string()));
        };
        super::walk::check_name(text)?;
        let text = if cfg!(windows) { text.replace('\\', "/") } else { text.to_owned() };
        self.discovered.insert(text);
        Ok(())
    }

    /// Reads a dependency file in the format of make, as `protoc --dependency_out` or `glslc -MD` write it, and
    /// [depends on](Output::depends_on) each file in it. A relative `path` is one in [`Output::dir`]; there it does not
    /// become output.
    ///
    /// # Errors
    ///
    /// If it can't be read, or is none.
    pub fn depfile(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = self.scratch.join(path);
        let shown = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read(&path).map_err(|error| Error::from(error).in_file(shown()))?;
        for file in parse_depfile(&text).map_err(|error| error.in_file(shown()))? {
            self.depends_on(file)?;
        }
        if path.starts_with(&self.scratch) {
            fs::remove_file(&path)?;
        }
        Ok(())
    }

    /// Takes over what is in the directory for programs.
    pub(super) fn collect(&mut self) -> Result<(), Error> {
        let mut open = vec![self.scratch.clone()];
        while let Some(dir) = open.pop() {
            let entries = match fs::read_dir(&dir) {
                Err(_) if dir == self.scratch => return Ok(()),
                entries => entries?,
            };
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let name = RelPath::between(&self.scratch, &path).unwrap_or_default();
                let name = std::str::from_utf8(name.as_bytes())
                    .map_err(|_| Error::new(format!("the output `{name}` has a name that is not UTF-8")))?;
                self.add(output_path(name)?, Content::File(path))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: RelPath, content: Content) -> Result<(), Error> {
        let shown = path.to_string();
        match self.files.insert(path, content) {
            Some(_) => Err(Error::new(format!("the output `{shown}` is written twice"))),
            None => Ok(()),
        }
    }
}

/// The name of an output, if it can be one on every system.
pub(super) fn output_path(path: &str) -> Result<RelPath, Error> {
    let wrong = |why: &str| Error::new(format!("`{path}` can't be the name of an output: {why}"));
    if path.contains(['\\', ':', '\0', '\n', '\r']) {
        return Err(wrong("no system-wide names, backslashes or control characters"));
    }
    if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(wrong("it must be relative and stay below OUT_DIR"));
    }
    if path.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(DIR)) {
        return Err(wrong("what is in this directory is not generated"));
    }
    Ok(RelPath::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_stays_below_out_dir() {
        for path in ["a.rs", "a/b/c.rs", "größe.rs", "a b"] {
            assert!(output_path(path).is_ok(), "{path}");
        }
        for path in
            ["", "/a", "../a", "a/../b", "a//b", "./a", "a/", "C:/a", r"a\b", ".genti/x", ".GENTI/x", "a\nb"]
        {
            assert!(output_path(path).is_err(), "{path}");
        }
    }
}
