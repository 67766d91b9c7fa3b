//! Applies fixes to the text of a file. Everything outside of the replaced ranges keeps its bytes, whatever their encoding.

use std::collections::BTreeMap;

use super::Proposal;
use crate::model::finding::Position;

/// The changed text, and what became of each fix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The new text.
    pub text: Vec<u8>,
    /// Fixes that it contains.
    pub done: Vec<Proposal>,
    /// Number of fixes that overlap or touch an applied one.
    pub later: usize,
    /// Fixes that don't fit the text.
    pub unfit: Vec<Proposal>,
}

/// A replacement: its start and end, and the new text.
type Replacement = ((usize, usize), String);

/// Replacements by their start and end. They don't overlap.
type Taken = BTreeMap<(usize, usize), String>;

/// Applies `proposals`, which are sorted by priority, to `text`.
pub fn apply(text: &[u8], proposals: &[Proposal]) -> Applied {
    let lines = Lines::new(text);
    let mut applied = Applied::default();
    let mut taken = Taken::new();
    let (of_lines, single): (Vec<_>, Vec<_>) = proposals.iter().partition(|one| one.is_of_lines());
    for proposal in single {
        apply_together(&lines, &[proposal], &mut taken, &mut applied);
    }
    let mut by_rule: BTreeMap<_, Vec<&Proposal>> = BTreeMap::new();
    of_lines.into_iter().for_each(|one| by_rule.entry(&one.rule).or_default().push(one));
    for together in by_rule.into_values() {
        apply_together(&lines, &together, &mut taken, &mut applied);
    }
    let mut at = 0;
    for ((start, end), new) in &taken {
        applied.text.extend_from_slice(&text[at..*start]);
        applied.text.extend_from_slice(new.as_bytes());
        at = *end;
    }
    applied.text.extend_from_slice(&text[at..]);
    applied
}

/// Applies all of `proposals`, or none of them. They may touch each other.
fn apply_together(lines: &Lines<'_>, proposals: &[&Proposal], taken: &mut Taken, applied: &mut Applied) {
    let owned = || proposals.iter().map(|one| (*one).clone());
    let located: Option<Vec<_>> = proposals.iter().map(|one| lines.locate(one)).collect();
    let Some(mut edits) = located.map(|edits| edits.concat()).filter(|edits| !edits.is_empty()) else {
        return applied.unfit.extend(owned());
    };
    edits.sort();
    edits.dedup();
    match () {
        () if !edits.windows(2).all(|pair| is_apart(&pair[0], &pair[1])) => applied.unfit.extend(owned()),
        () if edits.iter().any(|edit| is_in_conflict(taken, edit)) => applied.later += proposals.len(),
        () => {
            taken.extend(edits);
            applied.done.extend(owned());
        }
    }
}

/// Returns true if two replacements, which are sorted, don't overlap.
fn is_apart((one, _): &Replacement, (next, _): &Replacement) -> bool {
    one.1 <= next.0 && one != next
}

/// Returns true if a replacement overlaps or touches another one. Two fixes may share a replacement.
fn is_in_conflict(taken: &Taken, (place, text): &Replacement) -> bool {
    let (start, end) = *place;
    let before = taken.range(..=(end, usize::MAX)).next_back();
    before.is_some_and(|((_, other_end), _)| *other_end >= start) && taken.get(place) != Some(text)
}

/// A text with the beginnings of its lines.
struct Lines<'a> {
    text: &'a [u8],
    starts: Vec<usize>,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Self {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// Returns the replacements of `proposal`, sorted, or `None` if they don't fit the text.
    fn locate(&self, proposal: &Proposal) -> Option<Vec<Replacement>> {
        let is_of_compiler = proposal.is_of_compiler();
        // Other tools may or may not count a byte order mark.
        let is_unclear = self.text.starts_with(BYTE_ORDER_MARK) && !is_of_compiler;
        let mut edits = Vec::with_capacity(proposal.edits.len());
        for (range, text) in &proposal.edits {
            let (start, end) =
                (self.offset(range.start, is_of_compiler)?, self.offset(range.end, is_of_compiler)?);
            // In a fix, replacement characters stand for bytes that are not UTF-8, and must not replace these bytes.
            let is_text = std::str::from_utf8(self.text.get(start..end)?).is_ok();
            if !is_text || is_unclear && range.start.line == 1 {
                return None;
            }
            // A compiler reads and proposes lines that end with a line feed only.
            let text = match is_of_compiler && self.ends_with_cr(range.start.line) {
                true => text.replace("\r\n", "\n").replace('\n', "\r\n"),
                false => text.clone(),
            };
            edits.push(((start, end), text));
        }
        edits.sort();
        let is_plain = edits.windows(2).all(|pair| is_apart(&pair[0], &pair[1]));
        (!edits.is_empty() && is_plain).then_some(edits)
    }

    /// Returns the bytes of a line, with its line end.
    fn line(&self, line: u32) -> Option<(usize, &'a [u8])> {
        let at = usize::try_from(line).ok()?.checked_sub(1)?;
        let start = *self.starts.get(at)?;
        let end = self.starts.get(at + 1).copied().unwrap_or(self.text.len());
        Some((start, &self.text[start..end]))
    }

    fn ends_with_cr(&self, line: u32) -> bool {
        self.line(line).is_some_and(|(_, text)| text.ends_with(b"\r\n"))
    }

    /// Converts a position to an offset. Returns `None` if the line is too short, or not UTF-8 up to there.
    fn offset(&self, position: Position, is_of_compiler: bool) -> Option<usize> {
        let (mut start, mut line) = self.line(position.line)?;
        line = line.strip_suffix(b"\n").unwrap_or(line);
        if is_of_compiler {
            line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| position.line == 1) {
                (start, line) = (start + BYTE_ORDER_MARK.len(), rest);
            }
        }
        let column = usize::try_from(position.column).ok()?.checked_sub(1)?;
        let valid = line.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let ends = valid.char_indices().map(|(at, _)| at).chain([valid.len()]);
        Some(start + ends.into_iter().nth(column)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::{compared, edit, fix};
    use crate::fix::{Filter, choose};
    use crate::model::finding::Range;

    /// Applies fixes, each with its namespace, in their order. Returns the text, and the numbers of applied, later and unfit fixes.
    fn applied(text: &[u8], fixes: &[(&str, &[(Range, String)])]) -> (Vec<u8>, [usize; 3]) {
        let findings = fixes.iter().enumerate().map(|(at, (ns, edits))| {
            // The rule keeps equal fixes apart, and those of a formatter together.
            let rule = if *ns == "rustfmt" { (*ns).to_owned() } else { format!("rule{at}") };
            compared(ns, &rule, fix("a.rs", edits))
        });
        let chosen = choose(&findings.collect::<Vec<_>>(), &Filter::default());
        let Applied { text, done, later, unfit } = apply(text, chosen.files.values().next().unwrap());
        (text, [done.len(), later, unfit.len()])
    }

    #[track_caller]
    fn check(text: &str, fixes: &[(&str, &[(Range, String)])], expected: &str, counts: [usize; 3]) {
        let (new, counted) = applied(text.as_bytes(), fixes);
        assert_eq!((String::from_utf8_lossy(&new).as_ref(), counted), (expected, counts), "{text:?}");
    }

    fn lines(first: u32, after: u32, text: &str) -> (Range, String) {
        let at = |line| Position { line, column: 1 };
        (Range { start: at(first), end: at(after) }, text.to_owned())
    }

    #[test]
    fn ranges_are_replaced() {
        check("abc\n", &[("clippy", &[edit(1, 2, 3, "X")])], "aXc\n", [1, 0, 0]);
        check("äbc\n", &[("clippy", &[edit(1, 2, 3, "X")])], "äXc\n", [1, 0, 0]);
        check("abc", &[("clippy", &[edit(1, 4, 4, ";")])], "abc;", [1, 0, 0]);
        check("a\nb\nc\n", &[("rustfmt", &[lines(2, 3, "")])], "a\nc\n", [1, 0, 0]);
        check("a\n\n\n", &[("rustfmt", &[lines(2, 4, "")])], "a\n", [1, 0, 0]);
        check("", &[("rustfmt", &[lines(1, 1, "a\n")])], "a\n", [1, 0, 0]);
        // A fix with several edits, which may touch.
        let edits: &[_] = &[edit(1, 1, 2, "x"), edit(1, 2, 3, "y"), edit(1, 4, 4, "!")];
        check("abc\n", &[("clippy", edits)], "xyc!\n", [1, 0, 0]);
    }

    #[test]
    fn the_first_of_two_overlapping_or_touching_fixes_wins() {
        let two = |one: (Range, String), other: (Range, String)| [[one], [other]];
        let check = |[one, other]: [[(Range, String); 1]; 2], expected: &str, counts| {
            check("abcdef\n", &[("clippy", &one), ("rustfmt", &other)], expected, counts);
        };
        check(two(edit(1, 2, 4, "X"), edit(1, 3, 5, "Y")), "aXdef\n", [1, 1, 0]);
        check(two(edit(1, 2, 4, "X"), edit(1, 4, 5, "Y")), "aXdef\n", [1, 1, 0]);
        check(two(edit(1, 2, 4, "X"), edit(1, 1, 2, "Y")), "aXdef\n", [1, 1, 0]);
        check(two(edit(1, 2, 2, "X"), edit(1, 2, 2, "Y")), "aXbcdef\n", [1, 1, 0]);
        check(two(edit(1, 3, 4, "X"), lines(1, 2, "Y\n")), "abXdef\n", [1, 1, 0]);
        check(two(edit(1, 2, 3, "X"), edit(1, 4, 5, "Y")), "aXcYef\n", [2, 0, 0]);
        // The same replacement twice is no conflict.
        check(two(edit(1, 2, 3, "X"), edit(1, 2, 3, "X")), "aXcdef\n", [2, 0, 0]);
    }

    #[test]
    fn the_changes_of_a_formatter_belong_together() {
        let text = "a\nb |\nc\nd\n";
        let first: &[_] = &[lines(2, 3, "b\n")];
        let second: &[_] = &[lines(3, 4, "| c\n")];
        check(text, &[("rustfmt", first), ("rustfmt", second)], "a\nb\n| c\nd\n", [2, 0, 0]);
        // If one of them has to wait, so does the other.
        let lint: &[_] = &[edit(4, 1, 2, "e")];
        check(
            text,
            &[("clippy", lint), ("rustfmt", first), ("rustfmt", second)],
            "a\nb |\nc\ne\n",
            [1, 2, 0],
        );
        let far: &[_] = &[edit(1, 1, 2, "e")];
        check(text, &[("clippy", far), ("rustfmt", second)], "e\nb |\n| c\nd\n", [2, 0, 0]);
    }

    #[test]
    fn a_fix_is_applied_completely_or_not_at_all() {
        let first: &[_] = &[edit(1, 1, 2, "X")];
        let second: &[_] = &[edit(1, 2, 3, "Y"), edit(1, 5, 6, "Z")];
        check("abcdef\n", &[("clippy", first), ("rustfmt", second)], "Xbcdef\n", [1, 1, 0]);
        check("abcdef\n", &[("clippy", &[edit(1, 1, 2, "X"), edit(2, 9, 9, "Y")])], "abcdef\n", [0, 0, 1]);
        check("abcdef\n", &[("clippy", &[edit(1, 1, 4, "X"), edit(1, 3, 5, "Y")])], "abcdef\n", [0, 0, 1]);
    }

    #[test]
    fn line_ends_are_kept() {
        let text = "use a;\r\nuse b;\r\nf( );\r\n";
        check(text, &[("rustc", &[lines(1, 2, "")])], "use b;\r\nf( );\r\n", [1, 0, 0]);
        check(
            text,
            &[("rustc", &[edit(1, 7, 7, "\nuse c;")])],
            "use a;\r\nuse c;\r\nuse b;\r\nf( );\r\n",
            [1, 0, 0],
        );
        // The column after the last character of a line is before its end.
        check("a \r\nb\r\n", &[("rustc", &[edit(1, 2, 3, "")])], "a\r\nb\r\n", [1, 0, 0]);
        // Formatters decide about line ends themselves.
        check("a\r\n", &[("rustfmt", &[edit(1, 2, 3, "")])], "a\n", [1, 0, 0]);
        check("a\nb\r\n", &[("rustfmt", &[edit(1, 2, 2, "\r")])], "a\r\nb\r\n", [1, 0, 0]);
    }

    #[test]
    fn a_byte_order_mark_is_kept() {
        let text = "\u{feff}abc\nabc\n";
        check(text, &[("clippy", &[edit(1, 2, 3, "X")])], "\u{feff}aXc\nabc\n", [1, 0, 0]);
        check(text, &[("rustfmt", &[lines(1, 2, "x\n")])], text, [0, 0, 1]);
        check(text, &[("rustfmt", &[lines(2, 3, "x\n")])], "\u{feff}abc\nx\n", [1, 0, 0]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_kept() {
        let text = b"\xff\xfe\nteh \xe4\n\x00\n";
        let typo: &[_] = &[edit(2, 1, 4, "the")];
        assert_eq!(applied(text, &[("typos", typo)]), (b"\xff\xfe\nthe \xe4\n\x00\n".to_vec(), [1, 0, 0]));
        // Behind an invalid byte, no column is certain.
        let behind: &[_] = &[edit(1, 2, 3, "x")];
        assert_eq!(applied(text, &[("typos", behind)]), (text.to_vec(), [0, 0, 1]));
    }

    proptest::proptest! {
        /// Whatever a tool proposes, the result consists of the text outside of the replaced ranges and of the replacements.
        #[test]
        fn nothing_else_is_changed(
            text in proptest::collection::vec(proptest::sample::select(&b"a\n\r\xc3\xa4\xff"[..]), 0..40),
            edits in proptest::collection::vec((1_u32..6, 1_u32..8, 1_u32..6, 1_u32..8), 0..6),
        ) {
            let at = |line, column| Position { line, column };
            let edits = edits.iter().map(|(line, column, last, end)| {
                [(Range { start: at(*line, *column), end: at(*last, *end) }, "X".to_owned())]
            });
            let edits: Vec<_> = edits.collect();
            let fixes: Vec<(&str, &[_])> = edits.iter().map(|edit| ("typos", &edit[..])).collect();
            if !fixes.is_empty() {
                let (new, [done, later, unfit]) = applied(&text, &fixes);
                proptest::prop_assert_eq!(done + later + unfit, fixes.len());
                let mut rest = text.iter();
                // `X` is in no text.
                proptest::prop_assert!(new.iter().filter(|byte| **byte != b'X').all(|byte| rest.any(|old| old == byte)));
                proptest::prop_assert!(new.iter().filter(|byte| **byte == b'X').count() <= done);
            }
        }
    }

    #[test]
    fn positions_outside_of_the_text_change_nothing() {
        for at in [
            edit(3, 1, 1, "x"),
            edit(1, 5, 5, "x"),
            edit(0, 1, 1, "x"),
            edit(1, 0, 1, "x"),
            edit(1, 3, 2, "x"),
        ] {
            check("abc\n", &[("clippy", &[at])], "abc\n", [0, 0, 1]);
        }
    }
}
