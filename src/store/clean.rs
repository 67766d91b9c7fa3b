//! Removes what this program has made, and nothing else.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::artifacts::{ArtifactDir, StoreError};
use super::contents::{self, Known};
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files, links included.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is still there, because this program makes nothing of that name; sorted.
    pub left: Vec<PathBuf>,
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
    let mut removed = Removed::default();
    for (path, name, is_dir) in entries(&base)? {
        match contents::known(&name) {
            // The lock stays, for others may wait for it; the tag stays with it.
            Some(Known::Fixed) => {}
            Some(Known::Whole) => removed.remove(&path, is_dir)?,
            Some(Known::Dir(is_ours)) if is_dir => {
                removed.remove_files(&path, is_ours)?;
                // One that is not empty holds what was left.
                let _ = std::fs::remove_dir(&path);
            }
            Some(Known::Dir(_)) => removed.remove(&path, false)?,
            None => removed.left.push(path),
        }
    }
    removed.left.sort();
    Ok(removed)
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
    let log = dir.join(contents::RESULT_LOG);
    if !tag::is_ours(dir) && !contents::is_log(&log) {
        return Err(CleanError::NotOurs(dir.to_path_buf()));
    }
    let mut removed = Removed::default();
    if log.symlink_metadata().is_ok() {
        removed.remove(&log, false)?;
    }
    Ok(removed)
}

/// What is in `dir`: each with its name, and whether it is a directory.
fn entries(dir: &Path) -> Result<Vec<(PathBuf, String, bool)>, CleanError> {
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| CleanError::Io { path: dir.to_path_buf(), error })?;
    let named = |entry: std::fs::DirEntry| {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (entry.path(), entry.file_name().to_string_lossy().into_owned(), is_dir)
    };
    Ok(entries.into_iter().map(named).collect())
}

impl Removed {
    /// Removes the files in `dir` whose names `is_ours` knows.
    fn remove_files(&mut self, dir: &Path, is_ours: fn(&str) -> bool) -> Result<(), CleanError> {
        for (path, name, is_dir) in entries(dir)? {
            match is_ours(&name) && !is_dir {
                true => self.remove(&path, false)?,
                false => self.left.push(path),
            }
        }
        Ok(())
    }

    /// Removes what is at `path`. Links are not followed: what they lead to is somebody else's.
    fn remove(&mut self, path: &Path, is_dir: bool) -> Result<(), CleanError> {
        for file in WalkDir::new(path).into_iter().flatten().filter(|file| !file.file_type().is_dir()) {
            self.files += 1;
            self.bytes += file.metadata().map_or(0, |meta| meta.len());
        }
        let gone = if is_dir { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        gone.map_err(|error| CleanError::Io { path: path.to_path_buf(), error })
    }
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
        // Nor is a directory taken over that somebody else has put there.
        let refused = ArtifactDir::open(dir.path(), &mut || false);
        assert!(matches!(
            refused,
            Err(StoreError::Foreign { what: "a directory with files of somebody else's", .. })
        ));
        std::fs::rename(base.join("mine"), base.join(tag::NAME)).unwrap();
        let refused = ArtifactDir::open(dir.path(), &mut || false);
        assert!(matches!(refused, Err(StoreError::Foreign { what: "a directory of another program", .. })));
        assert_eq!(std::fs::read(base.join(tag::NAME)).unwrap(), b"mine");
    }

    #[test]
    fn what_is_in_the_way_below_a_directory_of_no_name_is_not_taken_for_ours() {
        for (path, is_refused) in [
            ("artifacts/mine.txt", true),
            ("output/mine.txt", true),
            ("cache/mine.txt", true),
            ("artifacts/deep/run.json", true),
            ("state", true),
            ("artifacts/run.json", false),
            ("build/debug/mine", false),
            ("cache/results.log", false),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("genti").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "mine").unwrap();
            let opened = ArtifactDir::open(dir.path(), &mut || false);
            assert_eq!(opened.is_err(), is_refused, "{}", path.display());
            assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        }
    }

    #[test]
    fn what_was_put_between_files_of_a_run_is_left_alone_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("genti");
        drop(ArtifactDir::open(dir.path(), &mut || false).unwrap());
        for path in ["artifacts/run.json", "build/x", "state", "output/t.stdout"] {
            std::fs::create_dir_all(base.join(path).parent().unwrap()).unwrap();
            std::fs::write(base.join(path), "").unwrap();
        }
        let foreign = ["artifacts/mine.md", "mine/notes", "notes", "output/mine"];
        for path in foreign {
            std::fs::create_dir_all(base.join(path).parent().unwrap()).unwrap();
            std::fs::write(base.join(path), "mine").unwrap();
        }
        let removed = clean(dir.path()).unwrap();
        // Output of an earlier run was removed before.
        assert_eq!(removed.files, 3);
        let left = ["artifacts/mine.md", "mine", "notes", "output/mine"].map(|path| base.join(path));
        assert_eq!(removed.left, left);
        assert!(foreign.iter().all(|path| base.join(path).exists()));
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
