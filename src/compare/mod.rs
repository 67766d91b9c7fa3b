//! What is new, what is known, what is gone: identity of findings, and matching them with the baseline.
//! Pure: source text is handed in as [`Sources`]. Does not know how a tool is run, or where files lie.

use std::collections::BTreeMap;

use crate::model::path::RelPath;

pub mod identity;
mod layout;
mod scope;
#[cfg(test)]
mod tests;
mod tokens;

/// Source text by path. A file that could not be read, or lies outside the workspace, is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub BTreeMap<RelPath, Vec<u8>>);

impl Sources {
    /// The bytes of the file at `path`.
    pub fn get(&self, path: &RelPath) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }
}
