//! The git repository around a directory.

use std::path::Path;

/// Returns the top of the repository that contains `dir`.
pub(super) fn top_of(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())
}

/// Returns the directories above `dir` that belong to its repository, outermost first.
pub(super) fn above(dir: &Path) -> Vec<&Path> {
    let Some(top) = top_of(dir) else { return Vec::new() };
    let mut above: Vec<_> = dir.ancestors().skip(1).take_while(|dir| dir.starts_with(top)).collect();
    above.reverse();
    above
}
