//! Removes what this program has made, and nothing else.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::artifacts::{ArtifactDir, StoreError};
use super::results;
use super::tag;

/// Why not all was removed.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// The directory does not say that this program made it.
    #[error("`{}` carries no CACHEDIR.TAG of genti's: nothing in it was removed", .0.display())]
    NotOurs(PathBuf),
    /// A run is going on.
    #[error("another run in this workspace is going on; nothing was removed")]
    Busy,
    /// The directory can't be used.
    #[error(transparent)]
    Store(StoreError),
    /// The system says no.
    #[error("could not remove `{}`: {error}", .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files, links included.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes all that runs left in `genti` under `target_dir`: artifacts, results, builds, output.
///
/// # Errors
///
/// If a run is going on, the directory is not ours, or something can't be removed.
pub fn clean(target_dir: &Path) -> Result<Removed, CleanError> {
    let base = target_dir.join("genti");
    if !base.exists() {
        return Ok(Removed::default());
    }
    if !tag::is_ours(&base) {
        return Err(CleanError::NotOurs(base));
    }
    let _lock = ArtifactDir::open(target_dir, &mut || false).map_err(|error| match error {
        StoreError::Stopped => CleanError::Busy,
        error => CleanError::Store(error),
    })?;
    // The lock stays, for others may wait for it; the tag stays with it.
    remove(&base, |name| name != "lock" && name != tag::NAME)
}

/// Removes the results in `dir`, which may lie outside of any target directory.
///
/// # Errors
///
/// If the directory is not ours, or something can't be removed.
pub fn clean_results(dir: &Path) -> Result<Removed, CleanError> {
    if !dir.exists() {
        return Ok(Removed::default());
    }
    if !tag::is_ours(dir) {
        return Err(CleanError::NotOurs(dir.to_path_buf()));
    }
    remove(dir, |name| name == results::NAME)
}

fn remove(dir: &Path, is_meant: impl Fn(&str) -> bool) -> Result<Removed, CleanError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| CleanError::Io { path, error }
    };
    let mut removed = Removed::default();
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let entry = entry.map_err(failed(dir))?;
        if !entry.file_name().to_str().is_some_and(&is_meant) {
            continue;
        }
        let path = entry.path();
        // Links are not followed: what they lead to is somebody else's.
        for file in
            WalkDir::new(&path).into_iter().filter_map(Result::ok).filter(|file| !file.file_type().is_dir())
        {
            removed.files += 1;
            removed.bytes += file.metadata().map_or(0, |meta| meta.len());
        }
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let gone = if is_dir { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        gone.map_err(failed(&path))?;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_marked_as_ours_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(clean(dir.path()).unwrap(), Removed::default());
        let base = dir.path().join("genti");
        std::fs::create_dir(&base).unwrap();
        std::fs::write(base.join("mine"), "mine").unwrap();
        assert!(matches!(clean(dir.path()), Err(CleanError::NotOurs(_))));
        assert!(matches!(clean_results(&base), Err(CleanError::NotOurs(_))));
        assert!(base.join("mine").exists());
    }

    #[test]
    fn what_a_run_left_is_removed_and_nothing_beyond_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let beside = tempfile::tempdir().unwrap();
        std::fs::write(beside.path().join("precious"), "precious").unwrap();
        let store = ArtifactDir::open(dir.path(), &mut || false).unwrap();
        std::fs::write(store.path().join("run.json"), b"12345").unwrap();
        assert!(matches!(clean(dir.path()), Err(CleanError::Busy)));
        drop(store);
        #[cfg(unix)]
        std::os::unix::fs::symlink(beside.path(), dir.path().join("genti/build")).unwrap();
        let removed = clean(dir.path()).unwrap();
        assert!(removed.bytes >= 5 && !dir.path().join("genti/artifacts").exists());
        assert!(beside.path().join("precious").exists());
        assert!(ArtifactDir::open(dir.path(), &mut || false).is_ok());
    }
}
