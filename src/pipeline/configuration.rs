//! Reads the configuration and the lock file.

use std::path::{Path, PathBuf};

use super::{Error, Request, find};
use crate::model::error::{Problem, Problems};
use crate::model::workspace::Workspace;
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

/// Returns true if the configuration is searched for, and not given.
fn searches(request: &Request) -> bool {
    request.config.is_none() && request.config_file.is_none()
}

/// Reads the configuration of the workspace at `root`.
pub(super) fn read_config(request: &Request, root: &Path) -> Result<Config, Error> {
    if searches(request) {
        let misplaced =
            config::MISPLACED.into_iter().filter(|name| root.join(name).symlink_metadata().is_ok());
        no_misplaced(misplaced.map(str::to_owned))?;
    }
    read_config_with(request, root, &read)
}

/// Returns an error if a member has a configuration of its own, because nothing reads it unless the command line names it.
pub(super) fn of_members(request: &Request, workspace: &Workspace) -> Result<(), Error> {
    if !searches(request) {
        return Ok(());
    }
    let members = workspace.packages_in(None).map(|(_, package)| &package.dir).filter(|dir| !dir.is_root());
    let files = members.flat_map(|dir| config::LOCATIONS.map(|name| dir.join(name)));
    no_misplaced(files.filter(|path| workspace.find(path).is_some()).map(|path| path.to_string()))
}

fn no_misplaced(names: impl Iterator<Item = String>) -> Result<(), Error> {
    let problems: Vec<_> = names.map(|name| config::misplaced(&name)).collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems).into()) }
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
    match disk::read(path) {
        Ok(bytes) => text(path, bytes).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::ConfigFile { path: path.to_path_buf(), error }),
    }
}

/// Returns `bytes`, the content of the file at `path`, as text.
fn text(path: &Path, bytes: Vec<u8>) -> Result<String, Error> {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let is_utf_16 = [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| error.as_bytes().starts_with(mark));
    let message = if is_utf_16 { "not UTF-8, but UTF-16" } else { "not valid UTF-8" };
    // Up to this offset, the lossy text is identical.
    let at = error.utf8_error().valid_up_to();
    let problem = Problem {
        file: path.display().to_string().into(),
        text: String::from_utf8_lossy(error.as_bytes()).into(),
        span: Some(at..at + char::REPLACEMENT_CHARACTER.len_utf8()),
        message: message.to_owned(),
        help: Some("save the file as UTF-8".to_owned()),
    };
    Err(Problems(vec![problem]).into())
}
