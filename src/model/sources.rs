//! Source text as a value, for the layers that read no file.

use std::collections::BTreeMap;

use super::path::RelPath;

/// Source text by path. A file that could not be read, or lies outside the workspace, is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub BTreeMap<RelPath, Vec<u8>>);

impl Sources {
    /// The bytes of the file at `path`.
    pub fn get(&self, path: &RelPath) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }
}
