//! Compares the output of a process with its golden file.
//!
//! A golden file contains the output verbatim. In it, `[..]` matches anything within a line, a line `...` any number of lines, and
//! `[EXE]` the suffix of executables. A nonzero exit code is given on a first line such as `? 1`, as in trycmd. Does not know where
//! the file is.

use std::ops::Range;
use std::sync::LazyLock;

use similar::algorithms::{Capture, myers};
use similar::{DiffOp, TextDiff};
use snapbox::Data;
use snapbox::filter::{NormalizeToExpected, Redactions, normalize_lines};

use crate::model::golden::Printed;

/// Difference between the output of a process and its golden file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenDifference {
    /// Kind of the difference.
    pub what: Mismatch,
    /// First line of the golden file that would change, counted from 1.
    pub line: u32,
    /// Unified diff from the golden file to [`accepted`](Self::accepted), truncated if it is long.
    pub diff: String,
    /// The golden file that would match: the output, with the redactions of lines that still match.
    pub accepted: String,
}

/// Kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// There is no golden file.
    Missing,
    /// The exit code differs from this expected one; the text may differ as well.
    Exit(i32),
    /// Only the text differs.
    Text,
}

/// Compares the output with the text of the golden file, if there is one. `None` if they match.
pub fn compare(golden: Option<&str>, printed: &Printed) -> Option<GoldenDifference> {
    let text = normalize_lines(&printed.text);
    let Some(golden) = golden.map(whole_lines) else {
        return Some(difference(Mismatch::Missing, "", with_code(printed.code, &text)));
    };
    let (code, pattern) = split_code(&golden);
    if code != printed.code {
        return Some(difference(
            Mismatch::Exit(code),
            &golden,
            with_code(printed.code, &kept(pattern, &text)),
        ));
    }
    (!matches(pattern, &text))
        .then(|| difference(Mismatch::Text, &golden, with_code(code, &kept(pattern, &text))))
}

fn difference(what: Mismatch, golden: &str, accepted: String) -> GoldenDifference {
    const AROUND: usize = 3;
    const LINES: usize = 50;
    const CHARS: usize = 200;
    let diff = TextDiff::from_lines(golden, accepted.as_str());
    let first = diff.ops().iter().find(|op| !matches!(op, DiffOp::Equal { .. }));
    let line = first.map_or(1, |op| op.old_range().start as u32 + 1);
    let diff = diff.unified_diff().context_radius(AROUND).to_string();
    // Empty context lines don't get a trailing space.
    let cut = |line: &str| if line == " " { String::new() } else { line.chars().take(CHARS).collect() };
    let mut lines: Vec<_> = diff.lines().take(LINES).map(cut).collect();
    if let Some(more @ 1..) = diff.lines().count().checked_sub(LINES) {
        lines.push(format!("[{more} more lines]"));
    }
    GoldenDifference { what, line, diff: lines.join("\n"), accepted }
}

/// Normalizes line endings, including a missing one at the end.
fn whole_lines(text: &str) -> String {
    let mut text = normalize_lines(text);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Splits a golden file into the expected exit code and the text.
fn split_code(golden: &str) -> (i32, &str) {
    let code = |line: &str| line.strip_prefix("? ")?.parse().ok();
    let first = golden.split_once('\n').and_then(|(first, rest)| Some((code(first)?, rest)));
    first.unwrap_or((0, golden))
}

/// Returns the golden file with this exit code and text.
fn with_code(code: i32, text: &str) -> String {
    // If the text itself begins with something that looks like an exit code line, exit code 0 is written too.
    let is_needed = code != 0 || split_code(text).1.len() < text.len();
    if is_needed { format!("? {code}\n{text}") } else { text.to_owned() }
}

const ELIDED: &str = "...\n";

/// Returns whether `text` matches `pattern`.
fn matches(pattern: &str, text: &str) -> bool {
    static REDACTIONS: LazyLock<Redactions> = LazyLock::new(|| {
        let mut redactions = Redactions::new();
        redactions.insert("[EXE]", std::env::consts::EXE_SUFFIX).expect("a valid placeholder");
        redactions
    });
    if pattern == text {
        return true;
    }
    let pattern = Data::text(pattern);
    NormalizeToExpected::new().redact_with(&REDACTIONS).normalize(Data::text(text), &pattern) == pattern
}

/// Returns a pattern that `text` matches, keeping the lines of the old one that still match.
fn kept(pattern: &str, text: &str) -> String {
    let old: Vec<_> = pattern.split_inclusive('\n').map(GoldenLine).collect();
    let new: Vec<_> = text.split_inclusive('\n').map(OutputLine).collect();
    let mut kept = String::new();
    let (mut old_at, mut new_at) = (0, 0);
    for (old_start, new_start, len) in common(&old, &new) {
        keep_between(&mut kept, &old[old_at..old_start], &new[new_at..new_start]);
        (old_at, new_at) = (old_start + len, new_start + len);
        kept.extend(old[old_start..old_at].iter().map(|line| line.0));
    }
    keep_between(&mut kept, &old[old_at..], &new[new_at..]);
    // The comparison may assign other lines to a `...`, so the result is verified.
    if matches(&kept, text) { kept } else { text.to_owned() }
}

/// Handles a stretch without matching lines: a `...` is kept, with as many lines before and after it as in the old pattern.
fn keep_between(kept: &mut String, old: &[GoldenLine<'_>], new: &[OutputLine<'_>]) {
    let is_elided = |line: &GoldenLine<'_>| line.0 == ELIDED;
    let first = old.iter().position(is_elided);
    let behind = old.iter().rev().position(is_elided);
    let (before, behind) = match (first, behind) {
        (Some(before), Some(behind)) if before + behind <= new.len() => (before, behind),
        _ => return kept.extend(new.iter().map(|line| line.0)),
    };
    kept.extend(new[..before].iter().map(|line| line.0));
    kept.push_str(ELIDED);
    kept.extend(new[new.len() - behind..].iter().map(|line| line.0));
}

/// Returns the stretches of matching lines: their starts in `old` and `new`, and their lengths.
fn common(old: &[GoldenLine<'_>], new: &[OutputLine<'_>]) -> Vec<(usize, usize, usize)> {
    /// Maximum product of the lengths. Above it, only common lines at both ends are found, since the time grows with the product.
    const MOST: usize = 1 << 20;
    let is_same = |(old, new): &(&GoldenLine<'_>, &OutputLine<'_>)| new == old;
    let start = old.iter().zip(new).take_while(is_same).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(is_same).count();
    let (of_old, of_new): (Range<_>, Range<_>) = (start..old.len() - end, start..new.len() - end);
    let mut common = vec![(0, 0, start)];
    if of_old.len().saturating_mul(of_new.len()) <= MOST {
        let mut capture = Capture::new();
        match myers::diff_deadline_raw(&mut capture, old, of_old.clone(), new, of_new.clone(), None) {
            Ok(()) => {}
            Err(never) => match never {},
        }
        common.extend(capture.ops().iter().filter_map(|op| match *op {
            DiffOp::Equal { old_index, new_index, len } => Some((old_index, new_index, len)),
            _ => None,
        }));
    }
    common.push((of_old.end, of_new.end, end));
    common
}

/// A line of a golden file.
struct GoldenLine<'a>(&'a str);

/// A line of the output.
struct OutputLine<'a>(&'a str);

impl PartialEq<GoldenLine<'_>> for OutputLine<'_> {
    fn eq(&self, pattern: &GoldenLine<'_>) -> bool {
        match pattern.0 {
            ELIDED => false,
            plain if !plain.contains('[') => plain == self.0,
            pattern => matches(pattern, self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(code: i32, text: &str) -> Printed {
        Printed { code, text: text.to_owned(), aside: None }
    }

    #[track_caller]
    fn check_matches(golden: &str, code: i32, text: &str, expected: bool) {
        let difference = compare(Some(golden), &printed(code, text));
        assert_eq!(difference.is_none(), expected, "{golden:?} {code} {text:?} {difference:?}");
    }

    #[test]
    fn redactions_match_varying_text() {
        check_matches("a\nb\n", 0, "a\nb\n", true);
        check_matches("a\nb\n", 0, "a\nc\n", false);
        check_matches("took [..] ms, [..]\n", 0, "took 12 ms, fine\n", true);
        check_matches("took [..] ms\n", 0, "took 12 ms\nmore\n", false);
        check_matches("a\n...\nz\n", 0, "a\nz\n", true);
        check_matches("a\n...\nz\n", 0, "a\nb\nc\nz\n", true);
        check_matches("a\n...\n", 0, "a\nb\n", true);
        check_matches("...\nz\n", 0, "a\nb\n", false);
        check_matches("cargo[EXE] [..]\n", 0, &format!("cargo{} x\n", std::env::consts::EXE_SUFFIX), true);
        check_matches("", 0, "", true);
        check_matches("", 0, "a\n", false);
    }

    #[test]
    fn line_endings_are_not_compared() {
        check_matches("a\r\nb", 0, "a\nb\n", true);
        check_matches("a\nb\n", 0, "a\r\nb\r\n", true);
        check_matches("a\nb\n\n", 0, "a\nb\n", false);
    }

    #[test]
    fn an_exit_code_is_given_before_the_text() {
        check_matches("? 1\na\n", 1, "a\n", true);
        check_matches("? 1\na\n", 0, "a\n", false);
        check_matches("a\n", 1, "a\n", false);
        // Redactions don't match the exit code.
        check_matches("...\n", 1, "a\n", false);
        check_matches("? [..]\na\n", 1, "a\n", false);
        check_matches("? 101\n", 101, "", true);
        check_matches("? 1", 1, "", true);
        // Output may look like an exit code.
        check_matches("? 0\n? 1\n", 0, "? 1\n", true);
        check_matches("? x\n", 0, "? x\n", true);
        let what = |golden: &str, code| compare(Some(golden), &printed(code, "a\n")).map(|found| found.what);
        assert_eq!(what("? 2\na\n", 3), Some(Mismatch::Exit(2)));
        assert_eq!(what("b\n", 0), Some(Mismatch::Text));
        assert_eq!(compare(None, &printed(0, "")).map(|found| found.what), Some(Mismatch::Missing));
    }

    #[track_caller]
    fn check_accepted(golden: &str, code: i32, text: &str, expected: &str) {
        let found = compare(Some(golden), &printed(code, text)).unwrap();
        assert_eq!(found.accepted, expected);
        assert_eq!(compare(Some(&found.accepted), &printed(code, text)), None, "the accepted file matches");
    }

    #[test]
    fn redactions_in_lines_that_still_match_are_kept() {
        // A line added above, a line changed, a line removed.
        check_accepted("[..] a\nb\n[..] c\n", 0, "new\n1 a\nb\n2 c\n", "new\n[..] a\nb\n[..] c\n");
        check_accepted("[..] a\nb\n[..] c\n", 0, "1 a\nB\n2 c\n", "[..] a\nB\n[..] c\n");
        check_accepted("[..] a\nb\n[..] c\n", 0, "1 a\n2 c\n", "[..] a\n[..] c\n");
        check_accepted("[..] a\nb\n", 0, "1 x\nb\n", "1 x\nb\n");
        check_accepted("a[EXE]\nb\n", 0, "a\nc\n", "a[EXE]\nc\n");
        check_accepted("[..] a\n", 3, "1 a\n", "? 3\n[..] a\n");
        check_accepted("? 3\n[..] a\n", 0, "1 a\n", "[..] a\n");
        check_accepted("a\n", 0, "? 1\n", "? 0\n? 1\n");
    }

    #[test]
    fn elided_lines_stay_elided() {
        check_accepted("a\n...\nz\n", 0, "b\n1\n2\nz\n", "b\n...\nz\n");
        check_accepted("a\n...\nz\n", 0, "a\n1\n2\ny\n", "a\n...\ny\n");
        check_accepted("a\n...\nm\n...\nz\n", 0, "a\n1\nm\n2\ny\n", "a\n...\nm\n...\ny\n");
        check_accepted("a\n...\n", 0, "b\n1\n2\n", "b\n...\n");
        // The same line occurs before and after the `...`, so the output is written verbatim.
        check_accepted("a\n...\nz\ny\n", 0, "a\nz\nx\nz\ny\n", "a\nz\nx\nz\ny\n");
    }

    #[test]
    fn the_diff_shows_what_would_be_accepted_and_is_bounded() {
        let found = compare(Some("[..] a\nb\nc\n"), &printed(0, "1 a\nB\nc\n")).unwrap();
        assert_eq!((found.diff.as_str(), found.line), ("@@ -1,3 +1,3 @@\n [..] a\n-b\n+B\n c", 2));
        let long: String = (0..200).map(|line| format!("{line}\n")).collect();
        let found = compare(None, &printed(0, &long)).unwrap();
        assert_eq!(found.diff.lines().count(), 51);
        assert!(found.diff.ends_with("\n+48\n[151 more lines]"), "{}", found.diff);
        let wide = format!("{}\n", "x".repeat(10_000));
        assert_eq!(compare(None, &printed(0, &wide)).unwrap().diff.len(), "@@ -0,0 +1 @@\n".len() + 200);
    }

    #[test]
    fn long_texts_without_a_common_line_are_compared_fast() {
        let lines = |word: &str| (0..50_000).map(|line| format!("{word} {line} [..]\n")).collect::<String>();
        let found = compare(Some(&lines("a")), &printed(0, &lines("b"))).unwrap();
        assert_eq!(found.accepted, lines("b"));
    }

    proptest::proptest! {
        #[test]
        fn the_accepted_file_always_matches_the_output(
            golden in "(a|b|\\.\\.\\.|\\[\\.\\.\\]|\\? 1|\r|\n){0,24}", text in "(a|b|\\.\\.\\.|\\[\\.\\.\\]|\\? 1|\n){0,24}", code in 0..2,
        ) {
            let text = whole_lines(&text);
            if let Some(found) = compare(Some(&golden), &printed(code, &text)) {
                proptest::prop_assert_eq!(compare(Some(&found.accepted), &printed(code, &text)), None);
            }
        }
    }
}
