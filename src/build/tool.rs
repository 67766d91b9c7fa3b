//! Programs that generators call, located once before anything runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Error;
use super::environment::Environment;

/// Program that generators call.
///
/// ```
/// use genti::build::Tool;
///
/// let tool = Tool::find("protoc").env("PROTOC").hint("apt install protobuf-compiler");
/// # let _ = tool;
/// ```
#[derive(Clone, Debug)]
pub struct Tool {
    pub(super) name: String,
    pub(super) env: Option<String>,
    hint: Option<String>,
    pub(super) is_optional: bool,
}

impl Tool {
    /// Creates a tool for the program `name`, which is searched in `PATH`.
    pub fn find(name: impl Into<String>) -> Self {
        Self { name: name.into(), env: None, hint: None, is_optional: false }
    }

    /// Sets an environment variable that can override the program with a path or another name.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>) -> Self {
        self.env = Some(name.into());
        self
    }

    /// Sets an installation hint, shown if the program is missing.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Makes the tool optional, for use with [`Plan::checked_in`](super::Plan::checked_in). If it is missing, the
    /// checked-in files are used as they are, with a warning, and nothing is generated. Use this for crates that others
    /// build without having the tool.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// Locates the program. Relative paths start at `root`.
    pub(super) fn locate(&self, root: &Path, env: &Environment) -> Result<PathBuf, Error> {
        let named = self.env.as_ref().and_then(|name| env.get(name)).filter(|value| !value.is_empty());
        let wanted = named.map_or_else(|| Path::new(&self.name), Path::new);
        let search = env.get("PATH").unwrap_or_default();
        if let Some(found) = find(wanted, root, search) {
            return Ok(found);
        }
        let mut message = match (named, &self.env) {
            (Some(value), Some(env)) => {
                format!("`{}` was not found: {env} is set to {}", self.name, Path::new(value).display())
            }
            (_, Some(env)) => format!("`{}` was not found in PATH, and {env} is not set", self.name),
            _ => format!("`{}` was not found in PATH", self.name),
        };
        if let Some(hint) = &self.hint {
            message = format!("{message}\nto install it: {hint}");
        }
        Err(Error::new(message))
    }
}

/// Finds the program `wanted`. A bare name is searched in the directories of `search`. Relative directories are
/// skipped, because the result would depend on where the build is started.
fn find(wanted: &Path, root: &Path, search: &OsStr) -> Option<PathBuf> {
    let is_name = wanted.components().count() == 1 && wanted.file_name() == Some(wanted.as_os_str());
    if !is_name {
        return with_extensions(&root.join(wanted)).find(|path| is_program(path));
    }
    std::env::split_paths(search)
        .filter(|dir| dir.is_absolute())
        .flat_map(|dir| with_extensions(&dir.join(wanted)).collect::<Vec<_>>())
        .find(|path| is_program(path))
}

fn with_extensions(path: &Path) -> impl Iterator<Item = PathBuf> {
    let with_suffix = cfg!(windows).then(|| {
        let mut name = path.as_os_str().to_owned();
        name.push(std::env::consts::EXE_SUFFIX);
        PathBuf::from(name)
    });
    std::iter::once(path.to_path_buf()).chain(with_suffix)
}

#[expect(clippy::disallowed_methods, reason = "build scripts look for programs")]
fn is_program(path: &Path) -> bool {
    let Ok(metadata) = std::fs::metadata(path) else { return false };
    #[cfg(unix)]
    let may_run = {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o111 != 0
    };
    #[cfg(not(unix))]
    let may_run = true;
    metadata.is_file() && may_run
}
