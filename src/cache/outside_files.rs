//! Files that are no part of the workspace and decide results all the same: programs, configuration above the workspace.
//! Each is looked at once a run, and read only if it has changed since the last one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::model::digest::Digest;
use crate::model::stamp::{FileTable, KnownFile, Stamp};
use crate::workspace::{self, Look};

/// What is known of them.
pub(super) struct OutsideFiles {
    /// By path; `None` is no file.
    looks: Mutex<BTreeMap<PathBuf, Option<Look>>>,
    before: BTreeMap<Vec<u8>, (Stamp, Digest)>,
    /// When the run began to look, in nanoseconds since 1970.
    at: i64,
}

/// A file that is there and can't be read: nothing that depends on it can be known.
pub(super) struct Unreadable;

impl OutsideFiles {
    pub(super) fn new(before: &FileTable, at: i64) -> Self {
        let known = |file: KnownFile<'_>| Some((file.path.to_vec(), (file.stamp?, file.digest)));
        Self { looks: Mutex::default(), before: before.iter().filter_map(known).collect(), at }
    }

    /// The digest of what is in the file at `path`, `None` if there is no file.
    pub(super) fn digest(&self, path: &Path) -> Result<Option<Digest>, Unreadable> {
        Ok(self.look(path)?.map(|look| look.digest))
    }

    /// The same, if the file has been as it is since before the run began: what is written meanwhile may have been
    /// read before or after.
    pub(super) fn settled_digest(&self, path: &Path) -> Result<Option<Digest>, Unreadable> {
        match self.look(path)? {
            Some(look) if look.stamp.modified.max(look.stamp.changed) >= self.at => Err(Unreadable),
            look => Ok(look.map(|look| look.digest)),
        }
    }

    /// The digest of what is in the file at `path` now, whatever was there when it was first looked at.
    pub(super) fn digest_now(&self, path: &Path) -> Result<Option<Digest>, Unreadable> {
        Ok(self.look_again(path)?.map(|look| look.digest))
    }

    /// How the system sees the file at `path`, if there is one.
    pub(super) fn stamp(&self, path: &Path) -> Option<Stamp> {
        // Nothing is read for that: what would be in the file is not asked for.
        workspace::look_at(path, |_| Some(Digest([0; 32]))).ok().flatten().map(|look| look.stamp)
    }

    fn look(&self, path: &Path) -> Result<Option<Look>, Unreadable> {
        if let Some(look) = self.lock().get(path) {
            return Ok(*look);
        }
        let look = self.look_again(path)?;
        Ok(*self.lock().entry(path.to_path_buf()).or_insert(look))
    }

    fn look_again(&self, path: &Path) -> Result<Option<Look>, Unreadable> {
        let known = self.before.get(path.as_os_str().as_encoded_bytes());
        let known = |stamp: &Stamp| known.filter(|(known, _)| known == stamp).map(|(_, digest)| *digest);
        workspace::look_at(path, known).map_err(|_| Unreadable)
    }

    /// Whether the file at `path` is what it was when it was first looked at.
    pub(super) fn is_as_seen(&self, path: &Path) -> bool {
        let Some(seen) = self.lock().get(path).copied() else { return true };
        let same = |stamp: &Stamp| seen.filter(|seen| seen.stamp == *stamp).map(|seen| seen.digest);
        workspace::look_at(path, same)
            .is_ok_and(|now| now.map(|look| look.digest) == seen.map(|look| look.digest))
    }

    /// To be known by the next run.
    pub(super) fn table(&self) -> FileTable {
        let looks = self.lock();
        let known = looks.iter().filter_map(|(path, look)| {
            let Look { stamp, digest } = (*look)?;
            let path = path.as_os_str().as_encoded_bytes();
            let stamp = Some(stamp).filter(|stamp| stamp.is_settled(self.at));
            Some(KnownFile { path, stamp, digest, since: 0, before: [0; 8] })
        });
        known.collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Option<Look>>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
