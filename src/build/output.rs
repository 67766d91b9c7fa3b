//! Output of a generator, kept aside until the generator has finished.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::state::DIR;
use super::{Error, parse_depfile};
use crate::model::path::RelPath;

/// Maximum number of lines of a program's output to show.
const SHOWN: usize = 50;

/// Collects the output of a generator. Nothing appears in `OUT_DIR` before the generator returns `Ok`, and unchanged
/// files are not written again.
#[derive(Debug)]
pub struct Output<'a> {
    pub(super) root: &'a Path,
    pub(super) out: &'a Path,
    pub(super) tools: &'a [(String, PathBuf)],
    pub(super) scratch: PathBuf,
    /// Sorted by path.
    pub(super) files: Vec<(RelPath, OutputContent)>,
    pub(super) discovered: BTreeSet<String>,
    /// Lines for cargo.
    pub(super) lines: Vec<String>,
}

/// Content of an output.
#[derive(Debug)]
pub(super) enum OutputContent {
    Bytes(Vec<u8>),
    File(PathBuf),
}

#[expect(clippy::disallowed_methods, reason = "build scripts run programs and read what they write")]
impl Output<'_> {
    /// Writes the file `path` below `OUT_DIR`. Directories are created as needed.
    ///
    /// # Errors
    ///
    /// Returns an error if `path` is absolute, leaves `OUT_DIR`, or was already written by this generator.
    pub fn write(&mut self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        let path = output_path(path.as_ref())?;
        self.add(path, OutputContent::Bytes(bytes.as_ref().to_vec()))
    }

    /// Returns `OUT_DIR`, for a path in an instruction such as [`link_search`](Output::link_search). Don't write there:
    /// use [`write`](Output::write) and [`dir`](Output::dir).
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| out.rustc_env("TABLES", out.out_dir().join("tables").display()));
    /// # let _ = plan;
    /// ```
    pub fn out_dir(&self) -> &Path {
        self.out
    }

    /// Reads the file `path` and [depends on](Output::depends_on) it. Relative paths start in the package directory.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file if it cannot be read.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().inputs("logos/*.txt").each(|input, out| {
    ///     let image = out.read(input.text()?.trim())?;
    ///     out.write(input.with_extension("bin"), image)
    /// });
    /// # let _ = plan;
    /// ```
    pub fn read(&mut self, path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
        let path = path.as_ref();
        self.depends_on(path)?;
        fs::read(self.root.join(path)).map_err(|error| Error::from(error).in_file(path))
    }

    /// Reads the text file `path` and [depends on](Output::depends_on) it, like [`read`](Output::read).
    ///
    /// # Errors
    ///
    /// Returns an error that names the file if it cannot be read or is not UTF-8.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().inputs("names/*.txt").each(|input, out| {
    ///     let template = out.read_text("template.rs")?;
    ///     out.write(input.with_extension("rs"), template.replace("NAME", input.text()?))
    /// });
    /// # let _ = plan;
    /// ```
    pub fn read_text(&mut self, path: impl AsRef<Path>) -> Result<String, Error> {
        let path = path.as_ref();
        String::from_utf8(self.read(path)?).map_err(|error| Error::from(error.utf8_error()).in_file(path))
    }

    /// Returns an empty directory for programs that write files themselves. When the generator returns, its files
    /// become outputs under the same names.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be created.
    pub fn dir(&self) -> Result<&Path, Error> {
        fs::create_dir_all(&self.scratch)?;
        Ok(&self.scratch)
    }

    /// Returns a command for the tool `name` of the plan. It runs in the package directory, without standard input.
    ///
    /// # Errors
    ///
    /// Returns an error if the plan has no such tool.
    pub fn command(&self, name: &str) -> Result<Command, Error> {
        let unknown =
            || Error::new(format!("the plan has no tool `{name}`; add `.tool(Tool::find({name:?}))`"));
        let (_, program) = self.tools.iter().find(|(tool, _)| tool == name).ok_or_else(unknown)?;
        let mut command = Command::new(program);
        command.current_dir(self.root).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs `command` and returns its standard output.
    ///
    /// # Errors
    ///
    /// Returns an error if the command cannot be started, or with its standard error if it fails.
    pub fn run(&self, command: &mut Command) -> Result<Vec<u8>, Error> {
        let name =
            Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output =
            command.output().map_err(|error| Error::new(format!("failed to start `{name}`: {error}")))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let text = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        let text = String::from_utf8_lossy(text);
        let mut lines: Vec<&str> = text.trim_end().lines().collect();
        let more = lines.len().saturating_sub(SHOWN);
        lines.truncate(SHOWN);
        let rest = if more > 0 { format!("\n(and {more} more lines)") } else { String::new() };
        let text = if lines.is_empty() { "(no output)".to_owned() } else { lines.join("\n") };
        Err(Error::new(format!("`{name}` failed ({}):\n{text}{rest}", output.status)))
    }

    /// Declares that the output also depends on the file `path`, for example on an imported file found while
    /// generating. If it changes, appears or disappears, the generator runs again. Relative paths start in the package
    /// directory.
    ///
    /// A missing file should have a directory of its own, which cargo can watch. If that would be the package directory,
    /// and the target directory is inside, cargo runs the script in every build while the file is missing.
    ///
    /// # Errors
    ///
    /// Returns an error if cargo cannot watch a file with this name.
    pub fn depends_on(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let absolute = RelPath::without_dots(&self.root.join(path));
        if absolute.starts_with(&self.scratch) {
            return Ok(());
        }
        let seen = absolute.strip_prefix(self.root).map_or(absolute.clone(), Path::to_path_buf);
        let Some(text) = seen.to_str() else {
            return Err(Error::new("cargo can't watch a file whose name is not UTF-8").in_file(seen));
        };
        super::walk::check_name(text)?;
        let text = if cfg!(windows) { text.replace('\\', "/") } else { text.to_owned() };
        self.discovered.insert(text);
        Ok(())
    }

    /// Reads a makefile-style dependency file, as written by `protoc --dependency_out` or `glslc -MD`, and [depends
    /// on](Output::depends_on) each file in it. A relative `path` lies in [`Output::dir`] and does not become an
    /// output.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or parsed.
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

    /// Adds the files in the directory for programs.
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
                self.add(output_path(Path::new(name))?, OutputContent::File(path))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: RelPath, content: OutputContent) -> Result<(), Error> {
        match self.files.binary_search_by(|(other, _)| other.cmp(&path)) {
            Ok(_) => Err(Error::new(format!("the output `{path}` is written twice"))),
            Err(at) => {
                self.files.insert(at, (path, content));
                Ok(())
            }
        }
    }
}

/// Checks that `path` can be the name of an output on every system.
pub(super) fn output_path(path: &Path) -> Result<RelPath, Error> {
    let wrong = |why: &str| Error::new(format!("invalid output name `{}`: {why}", path.display()));
    let path = path.to_str().ok_or_else(|| wrong("it must be UTF-8"))?;
    let path = &*if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() };
    if path.contains(['\\', ':', '\0', '\n', '\r']) {
        return Err(wrong("it must not contain backslashes, colons or control characters"));
    }
    if path.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(wrong("it must be a relative path below OUT_DIR"));
    }
    if path.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(DIR)) {
        return Err(wrong("this directory is reserved"));
    }
    Ok(RelPath::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_stays_below_out_dir() {
        for path in ["a.rs", "a/b/c.rs", "größe.rs", "a b"] {
            assert!(output_path(Path::new(path)).is_ok(), "{path}");
        }
        for path in ["", "/a", "../a", "a/../b", "a//b", "./a", "a/", "C:/a", ".genti/x", ".GENTI/x", "a\nb"]
        {
            assert!(output_path(Path::new(path)).is_err(), "{path}");
        }
        // A separator on Windows, and part of the name elsewhere.
        assert_eq!(output_path(Path::new(r"a\b")).is_ok(), cfg!(windows));
    }
}
