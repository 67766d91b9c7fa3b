//! A worktree of git outside the repository, in which commits are checked out one after the other.
//!
//! The user's working tree, index, stash and branches are never touched, and no hook runs. The worktree and git's record of it are
//! removed when the value is dropped. What a killed process has left is removed before the next worktree is created in its place.

#![expect(clippy::disallowed_methods, reason = "part of the shell: fills a worktree")]

use std::path::{Path, PathBuf};

use super::git::{GitError, git_elsewhere};
use crate::{disk, store};

/// A worktree, which is removed when it is dropped.
#[derive(Debug)]
pub struct Worktree {
    /// A directory of the repository.
    repository: PathBuf,
    /// Top of the worktree.
    dir: PathBuf,
}

impl Worktree {
    /// Creates a worktree at `dir`, without files, for the repository around `repository`. Removes what is there.
    ///
    /// # Errors
    ///
    /// If git can't create it, or something there can't be removed.
    pub fn create(repository: &Path, dir: &Path) -> Result<Self, GitError> {
        let worktree = Self { repository: repository.to_path_buf(), dir: dir.to_path_buf() };
        let failed = |message: String| GitError::Failed { what: "create a worktree".to_owned(), message };
        worktree.discard().map_err(|error| failed(format!("`{}`: {error}", dir.display())))?;
        let name = dir.to_str().ok_or_else(|| failed("its path is not UTF-8".to_owned()))?;
        let add = ["worktree", "add", "--quiet", "--detach", "--no-checkout", name, "HEAD"];
        worktree.git(repository, &add).map_err(|error| error.to("create a worktree"))?;
        Ok(worktree)
    }

    /// Returns its top.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Checks out `commit`, and removes every other file.
    ///
    /// # Errors
    ///
    /// If git fails.
    pub fn check_out(&self, commit: &str) -> Result<(), GitError> {
        let what = format!("check out {commit} in `{}`", self.dir.display());
        for args in [&["clean", "-ffdxq"][..], &["reset", "--hard", "--quiet", commit, "--"]] {
            self.git(&self.dir, args).map_err(|error| error.to(&what))?;
        }
        Ok(())
    }

    /// Copies the file `from` to `path` in the worktree, unless the commit has it. If there is none, nothing is copied.
    ///
    /// # Errors
    ///
    /// If it can't be copied.
    pub fn lend(&self, from: &Path, path: &Path) -> std::io::Result<()> {
        let to = self.dir.join(path);
        if to.symlink_metadata().is_ok() {
            return Ok(());
        }
        match disk::read(from) {
            Ok(text) => std::fs::write(to, text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes it with git's record of it.
    fn discard(&self) -> std::io::Result<()> {
        let forget = || {
            let name = self.dir.to_str()?;
            // Twice, because one does not remove a locked worktree.
            self.git(&self.repository, &["worktree", "remove", "--force", "--force", name]).ok()
        };
        // Git does not remove directories that may not be changed, and fails if it does not know the worktree.
        forget();
        if self.dir.symlink_metadata().is_ok() {
            store::remove_tree(&self.dir)?;
            forget();
        }
        Ok(())
    }

    fn git(&self, dir: &Path, args: &[&str]) -> Result<Vec<u8>, GitError> {
        // There is no directory of this name, so no hook runs.
        let no_hooks = ["-c", "core.hooksPath=/dev/null"];
        git_elsewhere(dir, &[&no_hooks[..], args].concat())
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        // The next one removes what is left.
        let _ = self.discard();
    }
}
