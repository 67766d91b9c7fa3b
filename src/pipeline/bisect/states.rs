//! States of tested commits on disk, so that an interrupted search can go on. The file is written as a whole after each commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::CommitState;
use crate::model::digest::Digest;
use crate::store::{self, StoreError};

/// The states of the commits in one search.
#[derive(Debug)]
pub struct States {
    /// Directory that the runs use instead of the target directory; `None` to keep nothing.
    dir: Option<PathBuf>,
    name: String,
    /// States by the full name of the commit.
    known: BTreeMap<String, CommitState>,
}

impl States {
    /// Knows nothing, and keeps nothing on disk.
    pub fn none() -> Self {
        Self { dir: None, name: String::new(), known: BTreeMap::new() }
    }

    /// Loads what is known under `key`. A file that can't be read counts as empty.
    pub fn load(dir: &Path, key: Digest) -> Self {
        let name = key.short(16);
        let bytes = store::load_search(dir, &name);
        let known = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { dir: Some(dir.to_path_buf()), name, known }
    }

    /// Returns the state of a commit, if it is known.
    pub fn get(&self, commit: &str) -> Option<&CommitState> {
        self.known.get(commit)
    }

    /// Adds the state of a commit.
    ///
    /// # Errors
    ///
    /// If the file can't be written. The state is known to this value all the same.
    pub fn add(&mut self, commit: &str, state: CommitState) -> Result<(), StoreError> {
        self.known.insert(commit.to_owned(), state);
        let Some(dir) = &self.dir else { return Ok(()) };
        let bytes = serde_json::to_vec_pretty(&self.known).expect("a map of texts is JSON");
        store::save_search(dir, &self.name, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_kept_for_the_same_search_only() {
        let dir = tempfile::tempdir().unwrap();
        let [key, other] = ["a", "b"].map(|text| Digest::of_bytes(text.as_bytes()));
        let mut states = States::load(dir.path(), key);
        assert!(states.known.is_empty());
        let skipped = CommitState::Skipped("it does not build".to_owned());
        for (commit, state) in [("1", &CommitState::Found), ("2", &CommitState::Absent), ("3", &skipped)] {
            states.add(commit, state.clone()).unwrap();
        }
        let known = States::load(dir.path(), key);
        assert_eq!(
            (known.known.len(), known.get("1"), known.get("3")),
            (3, Some(&CommitState::Found), Some(&skipped))
        );
        assert!(States::load(dir.path(), other).known.is_empty());
        std::fs::write(dir.path().join("states").join(format!("{}.json", key.short(16))), "{\"comm").unwrap();
        assert!(States::load(dir.path(), key).known.is_empty());
    }
}
