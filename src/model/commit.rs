//! The commit that is checked out.

use super::path::RelPath;

/// A commit, with the state of the working tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Full name.
    pub id: String,
    /// Branch, if one is checked out.
    pub branch: Option<String>,
    /// Files with uncommitted changes, relative to the top of the repository, sorted.
    pub changed: Vec<RelPath>,
}
