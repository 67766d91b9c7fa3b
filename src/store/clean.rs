//! Removes files that genti created, and nothing else.

use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::artifacts::ArtifactDir;
use super::contents::{self, Known};
use super::error::StoreError;
use super::tag;

/// The reason why not everything was removed.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// The directory has no tag of genti.
    #[error("`{}` has no CACHEDIR.TAG of genti; nothing was removed", .0.display())]
    NotOurs(PathBuf),
    /// Another run is active.
    #[error("another run is active in this workspace; nothing was removed")]
    Busy,
    /// The directory can't be used.
    #[error(transparent)]
    Store(StoreError),
    /// An I/O error.
    #[error("could not remove `{}`: {error}", .path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
}

/// Summary of removed files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Number of removed files, including links.
    pub files: u64,
    /// Size of the removed files in bytes.
    pub bytes: u64,
    /// Remaining entries, which genti did not create; sorted.
    pub left: Vec<PathBuf>,
}

/// Removes everything that runs left in `genti` under `target_dir`: artifacts, results, builds and output.
///
/// # Errors
///
/// If another run is active, the directory was not created by genti, or something can't be removed.
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
            // Other runs may wait for the lock, so it stays, and so does the tag.
            Some(Known::Fixed) => {}
            Some(Known::Whole) => removed.remove(&path, is_dir)?,
            Some(Known::Dir(is_ours)) if is_dir => {
                removed.remove_files(&path, is_ours)?;
                // This fails if other files are left in it.
                let _ = std::fs::remove_dir(&path);
            }
            Some(Known::Dir(_)) => removed.remove(&path, false)?,
            None => removed.left.push(path),
        }
    }
    removed.left.sort();
    Ok(removed)
}

/// Removes the results in `dir`, which may be outside of any target directory.
///
/// # Errors
///
/// If the directory was not created by genti, or something can't be removed.
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

/// Returns the entries of `dir`: path, name, and whether it is a directory.
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
    /// Removes the files in `dir` whose names satisfy `is_ours`.
    fn remove_files(&mut self, dir: &Path, is_ours: fn(&str) -> bool) -> Result<(), CleanError> {
        for (path, name, is_dir) in entries(dir)? {
            match is_ours(&name) && !is_dir {
                true => self.remove(&path, false)?,
                false => self.left.push(path),
            }
        }
        Ok(())
    }

    /// Removes the entry at `path`. Links are removed without following them.
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
    fn only_tagged_directories_are_cleaned() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(clean(dir.path()).unwrap(), Removed::default());
        let base = dir.path().join("genti");
        std::fs::create_dir(&base).unwrap();
        std::fs::write(base.join("mine"), "mine").unwrap();
        assert!(matches!(clean(dir.path()), Err(CleanError::NotOurs(_))));
        assert!(matches!(clean_results(&base), Err(CleanError::NotOurs(_))));
        assert!(base.join("mine").exists());
        // A run does not take over the directory either.
        let refused = ArtifactDir::open(dir.path(), &mut || false);
        assert!(matches!(refused, Err(StoreError::Foreign { what: "a directory with other files", .. })));
        std::fs::rename(base.join("mine"), base.join(tag::NAME)).unwrap();
        let refused = ArtifactDir::open(dir.path(), &mut || false);
        assert!(matches!(
            refused,
            Err(StoreError::Foreign { what: "a cache directory of another program", .. })
        ));
        assert_eq!(std::fs::read(base.join(tag::NAME)).unwrap(), b"mine");
    }

    #[test]
    fn an_untagged_directory_with_other_files_is_not_taken_over() {
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
    fn other_files_are_left_alone_and_reported() {
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
        // Opening the directory already removed output of the earlier run.
        assert_eq!(removed.files, 3);
        let left = ["artifacts/mine.md", "mine", "notes", "output/mine"].map(|path| base.join(path));
        assert_eq!(removed.left, left);
        assert!(foreign.iter().all(|path| base.join(path).exists()));
    }

    #[test]
    fn files_of_a_run_are_removed_without_following_links() {
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
