//! Copies of the repository for variants with a lock file: where they are, and what they can't contain.

use std::path::{Path, PathBuf};

use crate::model::path::RelPath;
use crate::model::workspace::Workspace;
use crate::scan::Env;
use crate::store::{self, LockCopies};
use crate::workspace;

/// Returns the copies of the repository around `workspace`, or the reason why there can be none.
pub(super) fn of(workspace: &Workspace, env: &Env) -> Result<LockCopies, String> {
    let Workspace { root, target_dir, build_dir, .. } = workspace;
    let home = home(target_dir, env).ok_or(NO_HOME)?;
    Ok(LockCopies::new(top(workspace), root, vec![target_dir.clone(), build_dir.clone()], home))
}

/// Reason why there can be no copy.
const NO_HOME: &str = "there is no directory for a copy of the repository; set HOME or XDG_CACHE_HOME";

/// Returns the directory with the copies of the repository whose workspace builds in `target_dir`.
pub fn home(target_dir: &Path, env: &Env) -> Option<PathBuf> {
    Some(store::copies_home(&user_cache(env)?, target_dir))
}

/// Returns the user's directory for caches.
pub(super) fn user_cache(env: &Env) -> Option<PathBuf> {
    let absolute = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let of_home = || Some(absolute("HOME")?.join(".cache"));
    absolute("XDG_CACHE_HOME").or_else(|| absolute("LOCALAPPDATA")).or_else(of_home)
}

/// Returns the directories of members and path dependencies outside the repository.
pub(super) fn beyond(workspace: &Workspace) -> Vec<RelPath> {
    let top = top(workspace);
    let members = workspace.packages.iter().map(|package| &package.dir);
    let dirs = members.chain(workspace.outside.iter().map(|package| &package.dir));
    let is_beyond = |dir: &&RelPath| {
        dir.is_outside() && !RelPath::without_dots(&dir.to_path(&workspace.root)).starts_with(top)
    };
    dirs.filter(is_beyond).cloned().collect()
}

fn top(workspace: &Workspace) -> &Path {
    workspace::repository(&workspace.root).unwrap_or(&workspace.root)
}
