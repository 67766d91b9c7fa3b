//! Digests of files outside the workspace that affect results, such as programs and configuration above the workspace. Each file
//! is checked once per run and read only if it has changed since the last run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::model::digest::Digest;
use crate::model::halt::{Halt, Never};
use crate::model::stamp::{FileTable, KnownFile, Stamp};
use crate::workspace::{self, CurrentFile};

/// The files outside the workspace that this run has looked at.
pub(super) struct OutsideFiles<'a> {
    /// Stamp and digest by path; `None` for an absent file.
    looks: Mutex<BTreeMap<PathBuf, Option<CurrentFile>>>,
    /// Stamps and digests from the last run.
    before: BTreeMap<Vec<u8>, (Stamp, Digest)>,
    /// Latest looks at files that builds of this run may write.
    now: Mutex<BTreeMap<PathBuf, LatestLook>>,
    /// Start of the run, in nanoseconds since 1970.
    at: i64,
    halt: &'a dyn Halt,
}

/// A look at a file that a build may write.
#[derive(Clone, Copy)]
struct LatestLook {
    file: CurrentFile,
    /// True if a change since then would have changed the stamp.
    is_certain: bool,
}

/// A file exists but can't be read, or not in time, so nothing that depends on it can be cached.
pub(super) struct UnreadableFile;

impl<'a> OutsideFiles<'a> {
    pub(super) fn new(before: &FileTable, at: i64, halt: &'a dyn Halt) -> Self {
        let known = |file: KnownFile<'_>| Some((file.path.to_vec(), (file.stamp?, file.digest)));
        let before = before.iter().filter_map(known).collect();
        Self { looks: Mutex::default(), before, now: Mutex::default(), at, halt }
    }

    /// Returns the digest of the file at `path`; `None` if there is no file.
    pub(super) fn digest(&self, path: &Path) -> Result<Option<Digest>, UnreadableFile> {
        Ok(self.look(path)?.map(|look| look.digest))
    }

    /// Like [`digest`](Self::digest), but fails if the file was written during the run, because it may have been read before or
    /// after that.
    pub(super) fn settled_digest(&self, path: &Path) -> Result<Option<Digest>, UnreadableFile> {
        match self.look(path)? {
            Some(look) if look.stamp.modified.max(look.stamp.changed) >= self.at => Err(UnreadableFile),
            look => Ok(look.map(|look| look.digest)),
        }
    }

    /// Returns the current digest of the file at `path`, even if the run has looked at it before.
    pub(super) fn digest_now(&self, path: &Path) -> Result<Option<Digest>, UnreadableFile> {
        let known = self.now().get(path).filter(|look| look.is_certain).map(|look| look.file);
        if let Some(file) = known.filter(|file| self.stamp(path) == Some(file.stamp)) {
            return Ok(Some(file.digest));
        }
        let at = workspace::now();
        let look = self.look_again(path)?;
        match look {
            Some(file) => {
                let is_certain = file.stamp.is_settled(at);
                self.now().insert(path.to_path_buf(), LatestLook { file, is_certain });
            }
            None => drop(self.now().remove(path)),
        }
        Ok(look.map(|look| look.digest))
    }

    /// Returns the stamp of the file at `path`, if there is one.
    pub(super) fn stamp(&self, path: &Path) -> Option<Stamp> {
        // With a digest from the closure, `look_at` does not read the file.
        workspace::look_at(path, |_| Some(Digest([0; 32])), &Never).ok().flatten().map(|look| look.stamp)
    }

    fn look(&self, path: &Path) -> Result<Option<CurrentFile>, UnreadableFile> {
        if let Some(look) = self.lock().get(path) {
            return Ok(*look);
        }
        let look = self.look_again(path)?;
        Ok(*self.lock().entry(path.to_path_buf()).or_insert(look))
    }

    fn look_again(&self, path: &Path) -> Result<Option<CurrentFile>, UnreadableFile> {
        let known = self.before.get(path.as_os_str().as_encoded_bytes());
        let known = |stamp: &Stamp| known.filter(|(known, _)| known == stamp).map(|(_, digest)| *digest);
        workspace::look_at(path, known, self.halt).map_err(|_| UnreadableFile)
    }

    /// Returns whether the file at `path` is unchanged since the run first looked at it. True if it never did. False if `halt` is
    /// due before this is known.
    pub(super) fn is_unchanged(&self, path: &Path, halt: &dyn Halt) -> bool {
        let Some(seen) = self.lock().get(path).copied() else { return true };
        let same = |stamp: &Stamp| seen.filter(|seen| seen.stamp == *stamp).map(|seen| seen.digest);
        workspace::look_at(path, same, halt)
            .is_ok_and(|now| now.map(|look| look.digest) == seen.map(|look| look.digest))
    }

    /// Returns the table to save for the next run.
    pub(super) fn table(&self) -> FileTable {
        let mut looks = self.lock().clone();
        looks.extend(self.now().iter().map(|(path, look)| (path.clone(), Some(look.file))));
        let known = looks.iter().filter_map(|(path, look)| {
            let CurrentFile { stamp, digest } = (*look)?;
            let path = path.as_os_str().as_encoded_bytes();
            let stamp = Some(stamp).filter(|stamp| stamp.is_settled(self.at));
            Some(KnownFile { path, stamp, digest, since: 0, before: [0; 8] })
        });
        known.collect()
    }

    fn now(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, LatestLook>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Option<CurrentFile>>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
