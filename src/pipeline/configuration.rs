//! Reads the configuration and the lock file.

use std::path::{Path, PathBuf};

use super::{Error, Request, find};
use crate::plan::config::{self, Config, ConfigFile, Lock, PolicyConfig};
use crate::scan::Env;
use crate::{disk, workspace};

/// The configuration of a run.
#[derive(Debug)]
pub struct Configuration {
    /// The configuration.
    pub config: Config,
    /// Its policy, overridden by that of the request.
    pub policy: PolicyConfig,
    /// Target directory of the workspace.
    pub target_dir: PathBuf,
}

/// Reads the configuration of a run. Reads nothing else of the workspace.
///
/// # Errors
///
/// If there is no workspace, or the configuration is invalid.
pub fn configuration(request: &Request, env: &Env) -> Result<Configuration, Error> {
    let (_, of_workspace) = find(request, env)?;
    let workspace::Directories { root, target_dir } = workspace::directories(&of_workspace)?;
    let config = read_config(request, &root)?;
    let policy = request.policy.over(&config.policy);
    Ok(Configuration { config, policy, target_dir })
}

/// Reads the file at an absolute path; `None` if it does not exist.
pub(super) type ReadText<'a> = dyn Fn(&Path) -> Result<Option<String>, Error> + 'a;

/// Reads the lock file, if there is one.
pub(super) fn read_lock(root: &Path, name: &str) -> Result<Option<Lock>, Error> {
    let Some(text) = read(&root.join(name))? else { return Ok(None) };
    let file = ConfigFile { name: name.into(), text: text.into(), place: config::Place::File };
    Ok(Some(config::lock(&file)?))
}

/// Reads the configuration of the workspace at `root`.
pub(super) fn read_config(request: &Request, root: &Path) -> Result<Config, Error> {
    read_config_with(request, root, &read)
}

/// Reads the configuration of the workspace at `root`, with `read` for its files.
pub(super) fn read_config_with(request: &Request, root: &Path, read: &ReadText<'_>) -> Result<Config, Error> {
    if let Some(config) = &request.config {
        return Ok(Config::clone(config));
    }
    let mut files = Vec::new();
    if let Some(path) = &request.config_file {
        let path = request.cwd.join(path);
        let text = read(&path)?.ok_or_else(|| Error::NoConfigFile(path.clone()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        files.push(ConfigFile { name: name.into(), text: text.into(), place: config::Place::File });
        return Ok(config::load(&files, request.profile.as_deref())?);
    }
    for name in config::LOCATIONS {
        if let Some(text) = read(&root.join(name))? {
            files.push(ConfigFile { name: name.into(), text: text.into(), place: config::Place::File });
        }
    }
    if let Some(text) = read(&root.join("Cargo.toml"))? {
        files.push(ConfigFile {
            name: "Cargo.toml".into(),
            text: text.into(),
            place: config::Place::Metadata,
        });
    }
    Ok(config::load(&files, request.profile.as_deref())?)
}

/// Reads the file at `path`. `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    match disk::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::ConfigFile { path: path.to_path_buf(), error }),
    }
}
