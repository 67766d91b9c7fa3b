//! Source texts as values, for the layers that don't read files.

use std::collections::BTreeMap;

use super::path::RelPath;

/// Source texts by path. Files that can't be read or are outside the workspace are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub BTreeMap<RelPath, Vec<u8>>);

impl Sources {
    /// Returns the content of the file at `path`.
    pub fn get(&self, path: &RelPath) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }
}
