//! `target/genti/output`: what processes said that left something without a verdict, as it was.
//!
//! Not artifacts: what is in here may hold anything that a tool prints, paths and values of the environment
//! included, and nothing reads it but a human.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::artifacts::{StoreError, make};
use super::{atomic, contents};

/// Whether a file of this name in the directory is one that a run has kept, or left unfinished.
pub(super) fn is_output(name: &str) -> bool {
    name.ends_with(".stdout") || name.ends_with(".stderr") || contents::is_unfinished(name)
}

/// The directory. It lives as long as the lock of the run that it belongs to.
#[derive(Debug)]
pub struct OutputDir(PathBuf);

impl OutputDir {
    /// Opens `output` under `base`, and removes what an earlier run left in it.
    pub(super) fn open(base: &Path) -> Result<Self, StoreError> {
        let dir = base.join("output");
        make(&dir)?;
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |error| StoreError::Io { path, error }
        };
        for entry in std::fs::read_dir(&dir).map_err(io(&dir))? {
            let entry = entry.map_err(io(&dir))?;
            // A directory is none of ours; a link is, and only itself is removed.
            let is_ours = entry.file_name().to_str().is_some_and(is_output);
            if is_ours && entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
                std::fs::remove_file(entry.path()).map_err(io(&entry.path()))?;
            }
        }
        Ok(Self(dir))
    }

    /// An empty file without a name, to write and read. It is gone when it is closed, whatever ends the process.
    ///
    /// # Errors
    ///
    /// If the system says no. The error names no path: it may become part of an artifact.
    pub fn nameless(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.0)
    }

    /// Puts what `write` writes to the file `name`: all of it or nothing. It need not last through a power cut.
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

    /// Takes back what was kept, because something else was found to say more. What can't be removed is left to
    /// the next run.
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
    fn a_run_begins_without_the_output_of_earlier_ones_and_leaves_nothing_unfinished() {
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
    fn what_a_link_leads_to_is_left_alone() {
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
    fn an_error_that_may_reach_an_artifact_names_no_path() {
        let base = tempfile::tempdir().unwrap();
        let outputs = OutputDir::open(base.path()).unwrap();
        std::fs::remove_dir(base.path().join("output")).unwrap();
        let error = outputs.nameless().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains('/'), "{error}");
    }
}
