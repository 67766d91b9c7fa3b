//! `target/genti/state-1`: what the last run in this workspace saw, so that nothing is read twice and a run can tell what
//! has changed. Belongs to one place on one machine, unlike results, and is worth nothing elsewhere.
//!
//! It is written whole or not at all, and verified when it is read. What is missing or damaged is as good as new.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic;
use crate::model::digest::Digest;
use crate::model::key::Parts;
use crate::model::stamp::FileTable;

/// What the last run saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The number of that run, counted from 1; 0 if there was none.
    pub run: u32,
    /// The files of the workspace.
    pub files: FileTable,
    /// Files elsewhere, by absolute path: programs and what they read.
    pub elsewhere: FileTable,
    /// For each tool, when it was last part of a run, and what decided its results then.
    pub tools: BTreeMap<String, (u32, Parts)>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    run: u32,
    #[serde(borrow)]
    files: &'a [u8],
    #[serde(borrow)]
    elsewhere: &'a [u8],
    tools: BTreeMap<String, (u32, Parts)>,
}

const HEADER: &[u8] = b"genti-state-1\n";

impl State {
    /// Where it is kept.
    pub fn path(target_dir: &Path) -> PathBuf {
        target_dir.join("genti/state-1")
    }

    /// Reads it; a new one if there is none that can be read.
    pub fn load(target_dir: &Path) -> Self {
        let bytes = std::fs::read(Self::path(target_dir)).ok();
        bytes.and_then(|bytes| Self::read(&bytes)).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (check, body) = bytes.strip_prefix(HEADER)?.split_first_chunk::<32>()?;
        if Digest::of_bytes(body).0 != *check {
            return None;
        }
        let Written { run, files, elsewhere, tools } = postcard::from_bytes(body).ok()?;
        let table = |bytes: &[u8]| FileTable::from_bytes(bytes.to_vec());
        Some(Self { run, files: table(files), elsewhere: table(elsewhere), tools })
    }

    /// Writes it. It need not last through a power cut.
    ///
    /// # Errors
    ///
    /// If it can't be written; then the one before is untouched.
    pub fn save(&self, target_dir: &Path) -> io::Result<()> {
        let written = Written {
            run: self.run,
            files: self.files.as_bytes(),
            elsewhere: self.elsewhere.as_bytes(),
            tools: self.tools.clone(),
        };
        let body = postcard::to_stdvec(&written).map_err(io::Error::other)?;
        let mut file = atomic::unfinished(&target_dir.join("genti"))?;
        for bytes in [HEADER, &Digest::of_bytes(&body).0, &body] {
            file.as_file_mut().write_all(bytes)?;
        }
        file.persist(Self::path(target_dir)).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::What;
    use crate::model::stamp::{KnownFile, Stamp};

    fn state() -> State {
        let mut state = State { run: 7, ..State::default() };
        let digest = Digest::of_bytes(b"x");
        let stamp = Some(Stamp { len: 1, modified: 2, changed: 3, inode: 4 });
        state.files.push(&KnownFile { path: b"a", stamp, digest, since: 2, before: [0; 8] });
        let mut parts = Parts::default();
        parts.add(What::Variable, "A", digest);
        state.tools.insert("fmt".to_owned(), (7, parts));
        state
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("genti")).unwrap();
        assert_eq!(State::load(dir.path()), State::default());
        state().save(dir.path()).unwrap();
        assert_eq!(State::load(dir.path()), state());
    }

    #[test]
    fn a_state_that_is_damaged_anywhere_is_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("genti")).unwrap();
        state().save(dir.path()).unwrap();
        let good = std::fs::read(State::path(dir.path())).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert_eq!(State::read(&bad), None, "byte {at}");
            assert_eq!(State::read(&good[..at]), None, "cut at {at}");
        }
    }
}
