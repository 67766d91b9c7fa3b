//! What matching has to know of a run: which files still exist, and which entries its tools covered.

use crate::model::finding::Entry;
use crate::model::path::RelPath;

/// The coverage of a run, which decides whether an unmatched entry is fixed.
pub trait Reach {
    /// Whether there is a file at `path`.
    fn exists(&self, path: &RelPath) -> bool;

    /// Whether every tool of namespace `ns` has a verdict on the tasks that cover `entry`, under the conditions under which the
    /// baseline was recorded.
    fn looked_at(&self, ns: &str, entry: &Entry) -> bool;

    /// Returns a reason for each place where the code of `entry` still exists although no tool checked it, for example because no
    /// target compiles the file or a `cfg` is off. Empty if there is none or this is unknown.
    fn unseen(&self, ns: &str, entry: &Entry) -> Vec<String> {
        let _ = (ns, entry);
        Vec::new()
    }
}
