//! `target/genti/output`: raw output of processes that left something without a result.
//!
//! These files are not artifacts: they may contain anything that a tool prints, including paths and
//! environment variables. Only people read them.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::atomic::{self, is_staged};
use super::checks::make;
use super::error::StoreError;
use crate::disk;

/// Ending of the files with the processes of services.
const SERVICE: &str = ".service";

/// Returns true if `name` is that of an output file, of a staged one, or of one with the process of a service.
pub(super) fn is_output(name: &str) -> bool {
    [".stdout", ".stderr", SERVICE].iter().any(|ending| name.ends_with(ending)) || is_staged(name)
}

/// The output directory. Protected by the lock of the run.
#[derive(Debug)]
pub struct OutputDir(PathBuf);

impl OutputDir {
    /// Opens `output` under `base` and removes the files of earlier runs.
    pub(super) fn open(base: &Path) -> Result<Self, StoreError> {
        let dir = base.join("output");
        make(&dir)?;
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |error| StoreError::Io { path, error }
        };
        for entry in std::fs::read_dir(&dir).map_err(io(&dir))? {
            let entry = entry.map_err(io(&dir))?;
            // Directories are not created by genti. Links are removed without following them.
            // Those with processes are needed to end what a killed run has left.
            let is_ours = |name: &str| is_output(name) && !name.ends_with(SERVICE);
            let is_ours = entry.file_name().to_str().is_some_and(is_ours);
            if is_ours && entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
                std::fs::remove_file(entry.path()).map_err(io(&entry.path()))?;
            }
        }
        Ok(Self(dir))
    }

    /// Creates an empty file without a name, for writing and reading. The system removes it when it is
    /// closed.
    ///
    /// # Errors
    ///
    /// If it can't be created. The error contains no path, because it may become part of an artifact.
    pub fn nameless(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.0)
    }

    /// Creates the file `name` atomically with the output of `write`, without syncing to disk.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn keep(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        let mut file = atomic::unfinished(&self.0)?;
        write(file.as_file_mut())?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }

    /// Records the process of the service `name`.
    pub(crate) fn note_service(&self, name: &str, process: &str) {
        // Only the next run needs it, and only if this one and its guard are killed.
        let _ = self.keep(&format!("{name}{SERVICE}"), |file| file.write_all(process.as_bytes()));
    }

    /// Returns the recorded process of the service `name`.
    pub(crate) fn noted_service(&self, name: &str) -> Option<String> {
        disk::read_to_string(&self.0.join(format!("{name}{SERVICE}"))).ok()
    }

    /// Removes the record of the service `name`.
    pub(crate) fn forget_service(&self, name: &str) {
        self.discard(&self.0.join(format!("{name}{SERVICE}")));
    }

    /// Removes a file again, because a more relevant output was found. Errors are ignored, since the next run
    /// removes it.
    pub fn discard(&self, path: &Path) {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_starts_with_an_empty_directory_and_leaves_no_staged_file() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("output");
        let outputs = OutputDir::open(base.path()).unwrap();
        let path = outputs.keep("t-0-0.stdout", |file| file.write_all(b"said")).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"said");
        let failed = outputs.keep("t-1-0.stdout", |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let _nameless = outputs.nameless().unwrap();
        assert_eq!(names(&dir), ["t-0-0.stdout"]);
        std::fs::write(dir.join(format!("{}x", atomic::UNFINISHED)), "of a killed run").unwrap();
        std::fs::write(dir.join("notes.txt"), "mine").unwrap();
        OutputDir::open(base.path()).unwrap();
        assert_eq!(names(&dir), ["notes.txt"]);
    }

    #[test]
    #[cfg(unix)]
    fn targets_of_links_are_left_alone() {
        let (base, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let precious = elsewhere.path().join("precious");
        std::fs::write(&precious, "mine").unwrap();
        std::fs::create_dir(base.path().join("output")).unwrap();
        std::os::unix::fs::symlink(&precious, base.path().join("output/t-0-0.stdout")).unwrap();
        OutputDir::open(base.path()).unwrap();
        assert!(precious.exists() && names(&base.path().join("output")).is_empty());

        std::fs::remove_dir(base.path().join("output")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), base.path().join("output")).unwrap();
        let refused = OutputDir::open(base.path());
        assert!(matches!(refused, Err(StoreError::Foreign { what: "a symbolic link", .. })));
        assert!(precious.exists());
    }

    #[test]
    fn an_error_for_artifacts_contains_no_path() {
        let base = tempfile::tempdir().unwrap();
        let outputs = OutputDir::open(base.path()).unwrap();
        std::fs::remove_dir(base.path().join("output")).unwrap();
        let error = outputs.nameless().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains('/'), "{error}");
    }
}
