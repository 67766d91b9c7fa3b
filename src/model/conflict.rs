//! Merge conflict markers in files that people merge.

/// Returns whether git writes such a line as a conflict marker, including `merge.conflictStyle = diff3`.
pub(crate) fn is_conflict_marker(line: &str) -> bool {
    ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|marker| line.starts_with(marker))
}
