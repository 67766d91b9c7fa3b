//! `target/genti/state`: the files and keys of the last run in this workspace. With it, a run reads only files that have changed,
//! and `cargo genti explain` can name changes. Unlike results, it is of no use on another machine.
//!
//! The file is written atomically and verified when it is read. If it is missing or damaged, the run starts without it.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::key::Parts;
use crate::model::digest::Digest;
use crate::model::notice::Notice;
use crate::model::stamp::FileTable;
use crate::store::trust;

/// State of the last run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastRun {
    /// Number of that run, counted from 1; 0 if there was none.
    pub run: u32,
    /// Files of the workspace.
    pub files: FileTable,
    /// Files outside the workspace, by absolute path: programs and the files they read.
    pub outside: FileTable,
    /// For each tool, its last run, and the parts of its cache keys in that run.
    pub tools: BTreeMap<String, (u32, Parts)>,
    /// Digest of the inputs of `Cargo.lock`, if it was up to date.
    pub lockfile: Option<Digest>,
}

/// The part of the file before the two tables.
#[derive(Serialize, Deserialize)]
struct StateHeader {
    run: u32,
    tools: BTreeMap<String, (u32, Parts)>,
    lockfile: Option<Digest>,
    /// Size in bytes of the first table.
    files: usize,
}

const MAGIC: &[u8] = b"genti-state-3\n";

impl LastRun {
    /// Returns the path of the file.
    pub fn path(target_dir: &Path) -> PathBuf {
        target_dir.join("genti/state")
    }

    /// Reads the file. Empty if it is absent or damaged.
    ///
    /// # Errors
    ///
    /// If the file can't be read or trusted.
    pub fn load(target_dir: &Path) -> Result<Self, Notice> {
        let path = Self::path(target_dir);
        match trust::read(&path) {
            Ok(bytes) => Ok(Self::read(bytes).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Self::default())
            }
            Err(error) => Err(Notice::LastRunIgnored { path, error: error.to_string() }),
        }
    }

    /// Decodes a file that [`save`](Self::save) wrote; `None` if it is damaged.
    pub(crate) fn read(bytes: Vec<u8>) -> Option<Self> {
        let (check, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        if Digest::of_bytes(body).0 != *check {
            return None;
        }
        let (StateHeader { run, tools, lockfile, files }, tables) = postcard::take_from_bytes(body).ok()?;
        let (start, end) = (bytes.len() - tables.len(), bytes.len());
        let middle = start.checked_add(files).filter(|middle| *middle <= end)?;
        let bytes = Arc::new(bytes);
        let table = |range| FileTable::from_bytes(Arc::clone(&bytes), range);
        Some(Self { run, files: table(start..middle), outside: table(middle..end), tools, lockfile })
    }

    /// Writes the file, without syncing: it may be lost in a power cut.
    ///
    /// # Errors
    ///
    /// If it can't be written; the file from before is then untouched.
    pub fn save(&self, target_dir: &Path) -> io::Result<()> {
        let head = self.head().map_err(io::Error::other)?;
        let mut file = trust::unfinished(&target_dir.join("genti"))?;
        let check = Digest::of_written(|out| self.write_body(&head, out));
        for bytes in [MAGIC, &check.0] {
            file.as_file_mut().write_all(bytes)?;
        }
        self.write_body(&head, file.as_file_mut())?;
        file.persist(Self::path(target_dir)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Writes the part of the file that the digest covers. The tables are large, so they are not copied first.
    fn write_body(&self, head: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        [head, self.files.as_bytes(), self.outside.as_bytes()]
            .into_iter()
            .try_for_each(|part| out.write_all(part))
    }

    /// Encodes the part before the two tables.
    fn head(&self) -> postcard::Result<Vec<u8>> {
        let (tools, lockfile) = (self.tools.clone(), self.lockfile);
        postcard::to_stdvec(&StateHeader {
            run: self.run,
            tools,
            lockfile,
            files: self.files.as_bytes().len(),
        })
    }
}

/// Helpers for the tests and the fuzz target.
#[cfg(any(test, all(fuzzing, feature = "cli")))]
impl LastRun {
    /// Returns a state with a value in every field.
    pub(crate) fn sample() -> Self {
        use crate::cache::key::PartKind;
        use crate::model::stamp::{KnownFile, Stamp};
        let mut state = Self { run: 7, ..Self::default() };
        let digest = Digest::of_bytes(b"x");
        let stamp = Some(Stamp { len: 1, modified: 2, changed: 3, inode: 4 });
        let file = |path| KnownFile { path, stamp, digest, since: 2, before: [0; 8] };
        state.files = [file(b"a")].into_iter().collect();
        state.outside = [file(b"/b"), file(b"/c")].into_iter().collect();
        let mut parts = Parts::default();
        parts.add(PartKind::Variable, "A", digest);
        state.tools.insert("fmt".to_owned(), (7, parts));
        state.lockfile = Some(digest);
        state
    }

    /// Encodes the whole file.
    #[cfg(feature = "cli")]
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [MAGIC, &[0; 32]].concat();
        let _ = self.write_body(&self.head().unwrap_or_default(), &mut bytes);
        Self::with_check(bytes)
    }

    /// Corrects the digest in `bytes`, an encoded file.
    #[cfg(feature = "cli")]
    pub(crate) fn with_check(mut bytes: Vec<u8>) -> Vec<u8> {
        if let Some((check, body)) =
            bytes.get_mut(MAGIC.len()..).and_then(|rest| rest.split_first_chunk_mut::<32>())
        {
            *check = Digest::of_bytes(body).0;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_state_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("genti")).unwrap();
        assert_eq!(LastRun::load(dir.path()).unwrap(), LastRun::default());
        LastRun::sample().save(dir.path()).unwrap();
        assert_eq!(LastRun::load(dir.path()).unwrap(), LastRun::sample());
    }

    #[test]
    fn a_damaged_state_counts_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("genti")).unwrap();
        LastRun::sample().save(dir.path()).unwrap();
        let good = std::fs::read(LastRun::path(dir.path())).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert_eq!(LastRun::read(bad), None, "byte {at}");
            assert_eq!(LastRun::read(good[..at].to_vec()), None, "cut at {at}");
        }
    }
}
