//! The artifact directory: one run at a time, each file whole, nobody else's directory touched.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs4::TryLockError;

use super::atomic::{self, Content, Failed};
use super::contents;
use super::outputs::OutputDir;
use crate::disk;
use crate::model::halt::Halt;
use crate::report::{Draft, Until, is_halt};

/// The name of the run that holds the artifact directory under `target_dir`, or has held it last.
pub fn holder(target_dir: &Path) -> Option<String> {
    disk::read_to_string(&target_dir.join("genti/lock")).ok().filter(|name| !name.is_empty())
}

/// `target/genti`, locked for one run.
#[derive(Debug)]
pub struct ArtifactDir {
    artifacts: PathBuf,
    outputs: OutputDir,
    /// Released when closed, whatever ends the process.
    lock: File,
}

/// Why the artifacts can't be where they should be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something of somebody else's stands there: a symbolic link, a file, another user's directory, files that this program
    /// does not make.
    #[error("`{path}` is {what}, not what genti made; remove it or point CARGO_TARGET_DIR elsewhere")]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The disk said no. What stood there before still does.
    #[error("could not write `{path}`: {error}; what was there before is untouched")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The disk said no when some files of a set were in place already. Each of them is whole.
    #[error(
        "could not replace `{path}`: {error}; it is of an earlier run, others are of this run: remove `{dir}` and run again"
    )]
    Mixed {
        /// The first file that is not of this run.
        path: PathBuf,
        /// Where the set is.
        dir: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The run was stopped before all of them were made. What stood there before still does.
    #[error("stopped before the artifacts were written; those of the last run are untouched")]
    GivenUp,
    /// The run was stopped while it waited for another one.
    #[error("stopped while waiting for another run in this workspace")]
    Stopped,
}

/// Whether to go on waiting for another run. Told once at first and then about ten times a second.
pub type Waiting<'a> = dyn FnMut() -> bool + 'a;

impl ArtifactDir {
    /// Opens `genti` under `target_dir` and waits until no other run holds it, as long as `wait` says so.
    ///
    /// # Errors
    ///
    /// If it can't be written, isn't ours, or `wait` gave up.
    pub fn open(target_dir: &Path, wait: &mut Waiting<'_>) -> Result<Self, StoreError> {
        let base = target_dir.join("genti");
        let artifacts = base.join("artifacts");
        std::fs::create_dir_all(target_dir)
            .map_err(|error| StoreError::Io { path: target_dir.to_path_buf(), error })?;
        make(&base)?;
        contents::claim(&base)?;
        let path = base.join("lock");
        let io = |error| StoreError::Io { path: path.clone(), error };
        is_there(&path, Kind::File)?;
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

    /// Fails if what others write below this directory would go through a link to somewhere else.
    ///
    /// # Errors
    ///
    /// If there is such a link.
    pub fn refuse_links(&self) -> Result<(), StoreError> {
        contents::BUILT.iter().try_for_each(|name| refuse_link(&self.artifacts.with_file_name(name)))
    }

    /// Lets other runs that wait for this one know who it is: by a name that tells its process from others.
    pub fn set_holder(&self, name: &str) {
        // They may wait without knowing.
        let _ = self.lock.set_len(0).and_then(|()| (&self.lock).write_all(name.as_bytes()));
    }

    /// Where the artifacts are.
    pub fn path(&self) -> &Path {
        &self.artifacts
    }

    /// Where raw output is kept.
    pub fn outputs(&self) -> &OutputDir {
        &self.outputs
    }

    /// Writes `files` below `verify` instead, under the `name` of a run: to be compared by hand.
    ///
    /// # Errors
    ///
    /// If the disk says no.
    pub fn set_aside(&self, name: &str, files: &[(&str, &[u8])]) -> Result<PathBuf, StoreError> {
        let dir = self.artifacts.with_file_name("verify");
        make(&dir)?;
        let dir = dir.join(name);
        make(&dir)?;
        atomic::sweep(&dir);
        write(&dir, files)?;
        Ok(dir)
    }

    /// Writes the artifacts of a run. No file is touched before all of them are on the disk; then they are put in place:
    /// `run.json` last, so that where it is of this run, the others are too.
    ///
    /// # Errors
    ///
    /// If the disk says no: with [`StoreError::Mixed`] if that was after the first file was in place. Or if `halt` is due before
    /// all of them are made.
    pub fn write(&self, draft: &Draft<'_>, halt: &dyn Halt) -> Result<(), StoreError> {
        let Draft { run, report, tasks, .. } = draft;
        let lines = |out: &mut dyn io::Write| tasks.write(&mut Until::new(halt, out));
        let report = |out: &mut dyn io::Write| report.write(&mut Until::new(halt, out));
        let files = [
            ("tasks.jsonl", Content::Made(&lines)),
            ("report.json", Content::Made(&report)),
            ("run.json", Content::Bytes(run)),
        ];
        write(&self.artifacts, &files)
    }

    /// Opens the `report.json` that was written last.
    ///
    /// # Errors
    ///
    /// If it is not there.
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

/// Makes `dir` unless it is there.
pub(super) fn make(dir: &Path) -> Result<(), StoreError> {
    if is_there(dir, Kind::Dir)? {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(|error| StoreError::Io { path: dir.to_path_buf(), error })
}

/// Fails if `path` is a link, wherever it leads.
fn refuse_link(path: &Path) -> Result<(), StoreError> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => {
            Err(StoreError::Foreign { path: path.to_path_buf(), what: "a symbolic link" })
        }
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Dir,
}

/// Whether something is at `path`. It must be of this kind then, and this user's.
fn is_there(path: &Path, kind: Kind) -> Result<bool, StoreError> {
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::Io { path: path.to_path_buf(), error }),
    };
    let what = match kind {
        _ if meta.is_symlink() => "a symbolic link",
        Kind::File if meta.is_dir() => "a directory",
        Kind::File if !meta.is_file() => "no regular file",
        Kind::Dir if !meta.is_dir() => "a file",
        Kind::Dir if !is_this_users(&meta) => "another user's",
        _ => return Ok(true),
    };
    Err(StoreError::Foreign { path: path.to_path_buf(), what })
}

#[cfg(unix)]
fn is_this_users(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// There is one's own profile, where nobody else writes.
#[cfg(not(unix))]
fn is_this_users(_: &std::fs::Metadata) -> bool {
    true
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
    fn a_lock_file_left_behind_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        drop(never_waits(dir.path()).unwrap());
        assert!(dir.path().join("genti/lock").exists());
        assert!(never_waits(dir.path()).is_ok());
    }

    #[test]
    fn what_is_not_ours_is_refused() {
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
    fn it_is_told_whether_a_set_was_begun() {
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
        assert_eq!(unfinished.count(), 2, "nothing half-written is left");
    }

    #[test]
    fn what_a_killed_run_left_is_swept_and_the_old_file_kept() {
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
