//! Suggested fixes as diffs.

use std::collections::BTreeMap;

use similar::{ChangeTag, TextDiff};

use super::excerpt::IndexedFile;
use super::text::visible;
use crate::model::finding::{Fix, Position, Range};
use crate::model::path::RelPath;

/// Maximum number of lines per diff.
const MOST: usize = 40;

/// The changes of a fix to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePatch {
    pub(super) path: RelPath,
    pub(super) lines: Vec<PatchLine>,
    /// Number of lines left out.
    pub(super) more: usize,
}

/// A line of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PatchLine {
    /// ` `, `-` or `+`; `>` for a line of the replacement if the source is not available.
    pub(super) sign: char,
    /// Line number in the old file, or in the new file for an added line.
    pub(super) number: u32,
    pub(super) text: String,
}

/// Returns a diff for each file that `fix` changes.
pub(super) fn patches(fix: &Fix, files: &BTreeMap<&RelPath, IndexedFile<'_>>) -> Vec<FilePatch> {
    let mut edits: BTreeMap<&RelPath, Vec<(Range, &str)>> = BTreeMap::new();
    for (path, range, text) in &fix.edits {
        edits.entry(path).or_default().push((*range, text));
    }
    let patch = |(path, edits): (&RelPath, Vec<(Range, &str)>)| {
        let mut lines =
            files.get(path).and_then(|file| diff(file, &edits)).unwrap_or_else(|| without_source(&edits));
        let more = lines.len().saturating_sub(MOST);
        lines.truncate(MOST);
        FilePatch { path: path.clone(), lines, more }
    };
    edits.into_iter().map(patch).collect()
}

/// Applies `edits` to `file`. `None` if the edits are outside of the file or overlap.
fn diff(file: &IndexedFile<'_>, edits: &[(Range, &str)]) -> Option<Vec<PatchLine>> {
    let first = edits.iter().map(|(range, _)| range.start.line).min()?;
    // The end is exclusive, so a range up to the start of a line does not include that line.
    let last = |range: &Range| range.end.line - u32::from(range.end.column <= 1 && range.end.line > first);
    let last = edits.iter().map(|(range, _)| last(range)).max()?;
    let old = file.lines(first, last)?;
    let mut at = file.offset(Position { line: first, column: 1 })?;
    let end = at + old.len();
    let mut new = String::with_capacity(old.len());
    for (range, text) in edits {
        let (start, stop) = (file.offset(range.start)?, file.offset(range.end)?);
        new.push_str(file.slice(at..start)?);
        new.push_str(text);
        at = stop;
    }
    new.push_str(file.slice(at..end)?);
    let mut lines = Vec::new();
    for change in TextDiff::from_lines(old, new.as_str()).iter_all_changes() {
        let (sign, index) = match change.tag() {
            ChangeTag::Equal => (' ', change.old_index()),
            ChangeTag::Delete => ('-', change.old_index()),
            ChangeTag::Insert => ('+', change.new_index()),
        };
        let text = change.value().trim_end_matches(['\n', '\r']);
        lines.push(PatchLine { sign, number: first + index? as u32, text: visible(text).into_owned() });
    }
    Some(lines)
}

fn without_source(edits: &[(Range, &str)]) -> Vec<PatchLine> {
    let line = |(range, text): &(Range, &str)| {
        let number = range.start.line;
        let text =
            text.lines().map(move |text| PatchLine { sign: '>', number, text: visible(text).into_owned() });
        text.collect::<Vec<_>>()
    };
    edits.iter().flat_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: Option<&str>, edits: &[(u32, u32, u32, u32, &str)]) -> Vec<String> {
        let path = RelPath::new("a.rs");
        let position = |line, column| Position { line, column };
        let edit = |(a, b, c, d, text): &(u32, u32, u32, u32, &str)| {
            (path.clone(), Range { start: position(*a, *b), end: position(*c, *d) }, (*text).to_owned())
        };
        let fix = Fix::new(String::new(), edits.iter().map(edit).collect());
        let files = text.map(|text| (&path, IndexedFile::new(&path, text.as_bytes()))).into_iter().collect();
        let patches = patches(&fix, &files);
        let line = |line: &PatchLine| format!("{}{} {}", line.sign, line.number, line.text);
        patches.iter().flat_map(|patch| patch.lines.iter().map(line)).collect()
    }

    #[test]
    fn a_diff_shows_the_changed_lines() {
        let text = "a\nreturn x;\nb\nc\n";
        assert_eq!(check(Some(text), &[(2, 1, 2, 8, ""), (2, 9, 2, 10, "")]), ["-2 return x;", "+2 x"]);
        assert_eq!(check(Some(text), &[(3, 1, 4, 1, "")]), ["-3 b"]);
        assert_eq!(check(Some(text), &[(4, 2, 4, 2, "\nd")]), [" 4 c", "+5 d"]);
    }

    #[test]
    fn only_the_replacement_is_shown_without_a_matching_source() {
        assert_eq!(check(None, &[(2, 1, 2, 8, "x\ny")]), [">2 x", ">2 y"]);
        assert_eq!(check(Some("a\n"), &[(7, 1, 7, 8, "x")]), [">7 x"]);
        let overlapping = [(1, 1, 1, 3, "x"), (1, 2, 1, 4, "y")];
        assert_eq!(check(Some("abcdef\n"), &overlapping), [">1 x", ">1 y"]);
    }

    #[test]
    fn a_long_diff_is_cut() {
        let new = "x\n".repeat(100);
        assert_eq!(check(Some("a\n"), &[(1, 1, 2, 1, &new)]).len(), MOST);
    }
}
