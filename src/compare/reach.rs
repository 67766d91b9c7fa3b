//! Facts about a run that matching needs: the files that still exist, and the entries that its tools covered.

use crate::model::finding::Entry;
use crate::model::path::RelPath;
use crate::model::text::Text;

/// The coverage of a run, which decides whether an unmatched entry is fixed.
pub trait Reach {
    /// Returns true if there is a file at `path`.
    fn exists(&self, path: &RelPath) -> bool;

    /// Returns true if every tool of namespace `ns` has a verdict on the tasks that cover `entry`, under the same conditions
    /// as when the baseline was recorded.
    fn looked_at(&self, ns: &str, entry: &Entry) -> bool;

    /// Returns whether the tools of namespace `ns` that run in `variant` have a verdict on the tasks that cover `entry`, under
    /// the same conditions.
    fn looked_at_in(&self, ns: &str, entry: &Entry, variant: &str) -> bool {
        let _ = (ns, entry, variant);
        false
    }

    /// Returns the names of the variants in which an entry like `entry` of namespace `ns` may hold that lists none. Empty if its
    /// finding is accepted in every variant alike.
    fn variants(&self, ns: &str, entry: &Entry) -> Vec<Text> {
        let _ = (ns, entry);
        Vec::new()
    }

    /// Returns a reason for each place where the code of `entry` still exists although no tool checked it, for example because no
    /// target compiles the file or a `cfg` is off. Empty if there is no such place or this is unknown.
    fn unseen(&self, ns: &str, entry: &Entry) -> Vec<String> {
        let _ = (ns, entry);
        Vec::new()
    }
}
