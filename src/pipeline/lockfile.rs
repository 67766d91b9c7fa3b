//! Ensures before a run that `Cargo.lock` exists and is up to date. If the run may write it, cargo updates it.
//!
//! Only cargo knows whether it is up to date, and asking takes as long as a whole run without changes. So cargo is asked only if
//! manifests, the lock file, cargo or its configuration have changed. A digest over these is stored with the state of the last run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{Error, Request};
use crate::disk;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::event::Event;
use crate::model::notice::Notice;
use crate::model::path::RelPath;
use crate::model::workspace::Workspace;
use crate::scan::{Env, Programs};

/// Requirement of a command for `Cargo.lock`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lockfile {
    /// It is created or updated if necessary, with a notice.
    Create,
    /// It must exist and be up to date.
    Require,
    /// It must exist. The command builds nothing.
    Exist,
    /// It is not needed. The command builds nothing.
    #[default]
    Ignore,
}

/// State of an existing lock file.
pub(super) struct Settled {
    /// Digest for which it is known to be up to date; `None` if that is unknown.
    pub(super) digest: Option<Digest>,
    /// Those that cargo has updated now.
    pub(super) updated: Vec<RelPath>,
}

/// Returns the lock files that are missing.
pub(super) fn missing(workspace: &Workspace) -> Vec<RelPath> {
    let all = roots(workspace).map(|root| root.join("Cargo.lock"));
    all.filter(|path| workspace.find(path).is_none()).collect()
}

/// Creates the lock file `name`, which is missing in the workspace at `root`.
pub(super) fn make(
    request: &Request,
    programs: &Programs,
    (root, name): (&Path, &RelPath),
    events: &mut dyn FnMut(Event<'_>),
) -> Result<(), Error> {
    let path = name.to_path(root);
    let dir = path.parent().unwrap_or(root);
    if matches!(request.lockfile, Lockfile::Require | Lockfile::Exist) || is_locked(request) {
        return Err(Error::NoLockfile(path));
    }
    let output = cargo(request, programs, dir, &["generate-lockfile"])
        .map_err(|error| Error::Lockfile { path: path.clone(), message: error.to_string() })?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Lockfile { path, message });
    }
    events(Event::Notice(&Notice::LockfileCreated(name.clone())));
    Ok(())
}

/// Ensures that the lock file of `workspace` is up to date, unless its digest is the `known` one.
///
/// # Errors
///
/// If it is outdated and must not be written.
pub(super) fn settle(
    request: &Request,
    programs: &Programs,
    workspace: &Workspace,
    known: Option<Digest>,
    env: &Env,
) -> Result<Settled, Error> {
    let settled = |digest| Settled { digest, updated: Vec::new() };
    if matches!(request.lockfile, Lockfile::Exist | Lockfile::Ignore) {
        return Ok(settled(known));
    }
    let digest = inputs(programs, workspace, env);
    if known == Some(digest) {
        return Ok(settled(known));
    }
    let mut all = settled(Some(digest));
    for root in roots(workspace) {
        let State { is_known, is_updated } = settle_in(request, programs, &root.to_path(&workspace.root))?;
        all.updated.extend(is_updated.then(|| root.join("Cargo.lock")));
        all.digest = all.digest.filter(|_| is_known);
    }
    Ok(all)
}

/// Returns the roots of all workspaces that are built.
pub(super) fn roots(workspace: &Workspace) -> impl Iterator<Item = RelPath> {
    let others = workspace.others.iter().filter(|other| other.is_loaded()).map(|other| other.root.clone());
    // The root of a repository need not be a workspace.
    let own = workspace.find(&RelPath::new("Cargo.toml")).map(|_| RelPath::default());
    own.into_iter().chain(others)
}

/// State of one lock file.
struct State {
    /// True if it is known to be up to date.
    is_known: bool,
    /// True if cargo has updated it now.
    is_updated: bool,
}

/// Ensures that the lock file in `root` is up to date.
fn settle_in(request: &Request, programs: &Programs, root: &Path) -> Result<State, Error> {
    // The command that resolves dependencies and prints the least.
    let ask = ["tree", "--workspace", "--depth", "0", "--quiet", "--color", "never"];
    let state = |is_known| State { is_known, is_updated: false };
    let Ok(output) = cargo(request, programs, root, &[&ask[..], &["--locked"]].concat()) else {
        return Ok(state(false));
    };
    if output.status.success() {
        return Ok(state(true));
    }
    if !says_outdated(&output.stderr) {
        // The tools will report any other error.
        return Ok(state(false));
    }
    if request.lockfile == Lockfile::Require || is_locked(request) {
        return Err(Error::OldLockfile(root.join("Cargo.lock")));
    }
    let is_updated = cargo(request, programs, root, &ask).is_ok_and(|output| output.status.success());
    Ok(State { is_known: false, is_updated })
}

/// Returns a digest over everything that affects whether the lock file of `workspace` is up to date.
pub(super) fn inputs(programs: &Programs, workspace: &Workspace, env: &Env) -> Digest {
    let mut hasher = Hasher::new("genti.lock-inputs.1");
    let names = ["Cargo.lock", "Cargo.toml", ".cargo/config.toml", ".cargo/config"];
    let others = workspace.others.iter().flat_map(|other| names.map(|name| other.root.join(name)));
    let roots = names.map(RelPath::new).into_iter().chain(others);
    let manifests = workspace.packages.iter().map(|package| package.dir.join("Cargo.toml"));
    for path in roots.chain(manifests) {
        if let Some(id) = workspace.find(&path) {
            hasher.field("path", path.as_bytes());
            hasher.field("content", &workspace.file(id).digest.0);
        }
    }
    for package in &workspace.outside {
        hasher.field("package", &package.digest.0);
    }
    let home = env.get("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(env.get("HOME")?).join(".cargo")));
    let above = workspace.root.ancestors().skip(1).map(|dir| dir.join(".cargo"));
    for dir in above.chain(home) {
        for name in ["config.toml", "config"] {
            if let Ok(text) = disk::read(&dir.join(name)) {
                hasher.field("config", &text);
            }
        }
    }
    let cargo = programs.cargo();
    hasher.field("cargo", cargo.as_os_str().as_encoded_bytes());
    if let Ok(meta) = cargo.metadata() {
        hasher.field("len", &meta.len().to_le_bytes());
        let modified = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        hasher.field("modified", &modified.unwrap_or_default().as_nanos().to_le_bytes());
    }
    hasher.finish()
}

fn is_locked(request: &Request) -> bool {
    request.cargo_flags.iter().any(|flag| flag == "--locked" || flag == "--frozen")
}

fn cargo(request: &Request, programs: &Programs, root: &Path, args: &[&str]) -> std::io::Result<Output> {
    let mut args = args.to_vec();
    args.extend(request.cargo_flags.iter().map(String::as_str));
    args.dedup();
    Command::new(programs.cargo()).args(args).current_dir(root).output()
}

/// Returns whether cargo reports that it must not write the outdated lock file.
fn says_outdated(stderr: &[u8]) -> bool {
    String::from_utf8_lossy(stderr).lines().any(|line| {
        line.starts_with("error: ")
            && line.contains("lock file")
            && line.contains(" was passed to prevent this")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_all_cargo_versions_about_an_outdated_lock_file_are_recognized() {
        for said in [
            "error: cannot update the lock file /w/Cargo.lock because --locked was passed to prevent this\nhelp: …",
            "    Updating index\nerror: the lock file /w/Cargo.lock needs to be updated but --frozen was passed to prevent this\n",
        ] {
            assert!(says_outdated(said.as_bytes()), "{said}");
        }
        for said in
            ["", "error: no such command: `tree`", "warning: the lock file was passed to prevent this"]
        {
            assert!(!says_outdated(said.as_bytes()), "{said}");
        }
    }
}
