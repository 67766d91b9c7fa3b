//! The artifact directory: locked by one run at a time, with each file written atomically, and only if genti
//! created it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs4::TryLockError;

use super::atomic::{self, Content, Failed};
use super::checks::{FileKind, is_there, make, refuse_link};
use super::contents;
use super::error::StoreError;
use super::outputs::OutputDir;
use super::shards::SHARD;
use crate::disk;
use crate::model::halt::{Halt, is_halt};
use crate::report::outputs::{OutputsOfTests, TEST_OUTPUT};
use crate::report::{Draft, UntilHalted};

/// Returns the name of the run that has locked the artifact directory under `target_dir`, or of the last run that did.
pub fn holder(target_dir: &Path) -> Option<String> {
    disk::read_to_string(&target_dir.join("genti/lock")).ok().filter(|name| !name.is_empty())
}

/// The directory `target/genti`, locked for one run.
#[derive(Debug)]
pub struct ArtifactDir {
    artifacts: PathBuf,
    outputs: OutputDir,
    /// The lock, which the system releases when the process ends.
    lock: File,
}

/// Callback that returns whether to continue waiting for another run. Called about ten times a second.
pub type KeepWaiting<'a> = dyn FnMut() -> bool + 'a;

impl ArtifactDir {
    /// Opens `genti` under `target_dir` and waits until no other run holds it, while `wait` returns true.
    ///
    /// # Errors
    ///
    /// If it can't be written, was not created by genti, or `wait` returned false.
    pub fn open(target_dir: &Path, wait: &mut KeepWaiting<'_>) -> Result<Self, StoreError> {
        let base = target_dir.join("genti");
        let artifacts = base.join("artifacts");
        std::fs::create_dir_all(target_dir)
            .map_err(|error| StoreError::Io { path: target_dir.to_path_buf(), error })?;
        make(&base)?;
        contents::claim(&base)?;
        let path = base.join("lock");
        let io = |error| StoreError::Io { path: path.clone(), error };
        is_there(&path, FileKind::File)?;
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        let lock = disk::open_with(&mut options, &path).map_err(io)?;
        loop {
            match fs4::FileExt::try_lock(&lock) {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if wait() => {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::Stopped),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
        }
        make(&artifacts)?;
        atomic::sweep(&artifacts);
        atomic::sweep(&base);
        let outputs = OutputDir::open(&base)?;
        Ok(Self { artifacts, outputs, lock })
    }

    /// Checks that no directory that tools write to is a symbolic link.
    ///
    /// # Errors
    ///
    /// If one of them is.
    pub fn refuse_links(&self) -> Result<(), StoreError> {
        contents::BUILT.iter().try_for_each(|name| refuse_link(&self.artifacts.with_file_name(name)))
    }

    /// Stores the name of this run, which identifies its process to other runs that wait for it.
    pub fn set_holder(&self, name: &str) {
        // The name is informational: waiting works without it.
        let _ = self.lock.set_len(0).and_then(|()| (&self.lock).write_all(name.as_bytes()));
    }

    /// Returns the path of the artifacts.
    pub fn path(&self) -> &Path {
        &self.artifacts
    }

    /// Returns the directory for raw output.
    pub fn outputs(&self) -> &OutputDir {
        &self.outputs
    }

    /// Writes `files` to `verify/NAME` instead of the artifacts, so that the user can compare them.
    ///
    /// # Errors
    ///
    /// If a file can't be written.
    pub fn set_aside(&self, name: &str, files: &[(&str, &[u8])]) -> Result<PathBuf, StoreError> {
        let dir = self.artifacts.with_file_name("verify");
        make(&dir)?;
        let dir = dir.join(name);
        make(&dir)?;
        atomic::sweep(&dir);
        write(&dir, files)?;
        Ok(dir)
    }

    /// Writes the artifacts of a run. All of them are staged on disk before any is replaced. `run.json` is
    /// replaced last, so if it is from this run, the others are too.
    ///
    /// # Errors
    ///
    /// If a file can't be written, or `halt` is due before all files are staged. The error is
    /// [`StoreError::Mixed`] if some files were already replaced.
    pub fn write(&self, draft: &Draft<'_>, halt: &dyn Halt) -> Result<(), StoreError> {
        let Draft { outcome, run, report, tasks } = draft;
        let lines = |out: &mut dyn io::Write| tasks.write(&mut UntilHalted::new(halt, out));
        let report = |out: &mut dyn io::Write| report.write(&mut UntilHalted::new(halt, out));
        let outputs = OutputsOfTests::of_outcome(outcome).bytes();
        if outputs.is_empty() {
            self.remove(TEST_OUTPUT)?;
        }
        if outcome.shard.is_none() {
            // A record of an earlier run must not pass for one of this run.
            self.remove(SHARD)?;
        }
        let shard = outcome.shard.as_ref().map(|record| (SHARD, Content::Bytes(record)));
        let of_tests = (!outputs.is_empty()).then_some((TEST_OUTPUT, Content::Bytes(&outputs)));
        let files = [
            ("tasks.jsonl", Content::Made(&lines)),
            ("report.json", Content::Made(&report)),
            ("run.json", Content::Bytes(run)),
        ];
        let files: Vec<_> = of_tests.into_iter().chain(shard).chain(files).collect();
        write(&self.artifacts, &files)
    }

    /// Removes the record of an earlier run of a shard, so that it can't pass for one of a run that is killed.
    ///
    /// # Errors
    ///
    /// If it can't be removed.
    pub fn forget_shard(&self) -> Result<(), StoreError> {
        self.remove(SHARD)
    }

    /// Removes the file `name` of an earlier run.
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.artifacts.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::Io { path, error }),
            _ => Ok(()),
        }
    }

    /// Opens the last `report.json`.
    ///
    /// # Errors
    ///
    /// If it does not exist.
    pub fn open_report(&self) -> io::Result<File> {
        disk::open(&self.artifacts.join("report.json"))
    }
}

fn write<'a>(dir: &Path, files: &[(&str, impl Into<Content<'a>> + Copy)]) -> Result<(), StoreError> {
    atomic::write_all(dir, files).map_err(|Failed { name, done, error }| match done {
        0 if is_halt(&error) => StoreError::GivenUp,
        0 => StoreError::Io { path: dir.join(name), error },
        _ => StoreError::Mixed { path: dir.join(name), dir: dir.to_path_buf(), error },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never_waits(dir: &Path) -> Result<ArtifactDir, StoreError> {
        ArtifactDir::open(dir, &mut || false)
    }

    #[test]
    fn a_second_run_waits_for_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = never_waits(dir.path()).unwrap();
        assert!(matches!(never_waits(dir.path()), Err(StoreError::Stopped)));
        let mut asked = 0;
        let mut first = Some(first);
        let second = ArtifactDir::open(dir.path(), &mut || {
            asked += 1;
            first = None;
            true
        });
        assert!(second.is_ok() && asked == 1);
    }

    #[test]
    fn a_leftover_lock_file_blocks_no_run() {
        let dir = tempfile::tempdir().unwrap();
        drop(never_waits(dir.path()).unwrap());
        assert!(dir.path().join("genti/lock").exists());
        assert!(never_waits(dir.path()).is_ok());
    }

    #[test]
    fn files_of_others_are_refused() {
        #[cfg(unix)]
        {
            let dir = tempfile::tempdir().unwrap();
            let elsewhere = tempfile::tempdir().unwrap();
            std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("genti")).unwrap();
            let opened = never_waits(dir.path());
            assert!(matches!(opened, Err(StoreError::Foreign { what: "a symbolic link", .. })));
            assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("genti"), "mine").unwrap();
        assert!(matches!(never_waits(dir.path()), Err(StoreError::Foreign { what: "a file", .. })));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("genti/lock")).unwrap();
        assert!(matches!(never_waits(dir.path()), Err(StoreError::Foreign { what: "a directory", .. })));
    }

    #[test]
    fn the_error_tells_if_some_files_were_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let store = never_waits(dir.path()).unwrap();
        std::fs::create_dir(store.path().join("in-the-way")).unwrap();
        let write_new = |names: &[&str]| {
            let files: Vec<_> = names.iter().map(|name| (*name, b"new")).collect();
            write(store.path(), &files)
        };
        let first = write_new(&["in-the-way", "a"]);
        assert!(matches!(first, Err(StoreError::Io { path, .. }) if path.ends_with("in-the-way")));
        assert!(!store.path().join("a").exists());
        let second = write_new(&["a", "in-the-way", "b"]);
        assert!(matches!(second, Err(StoreError::Mixed { path, .. }) if path.ends_with("in-the-way")));
        assert!(store.path().join("a").exists() && !store.path().join("b").exists());
        let unfinished = std::fs::read_dir(store.path()).unwrap().flatten();
        assert_eq!(unfinished.count(), 2, "no staged file is left");
    }

    #[test]
    fn leftovers_of_a_killed_run_are_removed_and_old_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let store = never_waits(dir.path()).unwrap();
        write(store.path(), &[("run.json", b"old")]).unwrap();
        let unfinished = store.path().join(format!("{}x", atomic::UNFINISHED));
        std::fs::write(&unfinished, "half").unwrap();
        drop(store);
        let store = never_waits(dir.path()).unwrap();
        assert!(!unfinished.exists());
        assert_eq!(std::fs::read(store.path().join("run.json")).unwrap(), b"old");
    }
}
