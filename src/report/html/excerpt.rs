//! Source excerpts for the page, with marks and highlighting.
//!
//! Positions come from tools, and the file may have changed since, so any position must be handled without a panic.
//! Positions outside of the file are not shown. Columns of findings count characters; the page counts UTF-16 units of the
//! text that it shows.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::super::text::visible;
use super::highlight::{self, Class};
use super::text::width;
use crate::model::finding;
use crate::model::path::RelPath;

/// Number of context lines before and after the flagged ones.
const AROUND: u32 = 2;
/// Number of lines shown at the beginning of a long excerpt.
const FIRST: u32 = 10;
/// Number of lines shown at the end of a long excerpt.
const LAST: u32 = 3;
/// Maximum length of a line, in UTF-16 units.
const LONGEST: usize = 400;

/// A file with an index of its lines.
pub(super) struct File<'a> {
    text: Cow<'a, str>,
    starts: Vec<usize>,
    classes: Vec<(Range<usize>, Class)>,
}

/// A line as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Start, length and class of each highlighted span, in UTF-16 units of `text`.
    pub(super) classes: Vec<(usize, usize, Class)>,
}

/// The lines to show for a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// Ranges of lines, starting at 1, with inclusive ends.
    pub(super) lines: Vec<(u32, u32)>,
    pub(super) mark: Mark,
}

/// The marked text: first line and start within it, last line and end within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Mark(pub(super) u32, pub(super) usize, pub(super) u32, pub(super) usize);

impl<'a> File<'a> {
    pub(super) fn new(path: &RelPath, bytes: &'a [u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let classes = if path.file_name().ends_with(b".rs") { highlight::classes(&text) } else { Vec::new() };
        Self { text, starts, classes }
    }

    /// Returns the excerpt for `range`. `None` if `range` is outside of the file.
    pub(super) fn excerpt(&self, range: finding::Range) -> Option<Excerpt> {
        let (start, mut end) = (range.start, range.end.max(range.start));
        let mark_start = self.column(start.line, start.column)?;
        if end.line > start.line && end.column <= 1 {
            // The end is exclusive, so a range up to the start of a line does not include that line.
            end = finding::Position { line: end.line - 1, column: u32::MAX };
        }
        end.line = end.line.min(self.count());
        let mut mark_end = self.column(end.line, end.column)?;
        if start.line == end.line && mark_end <= mark_start {
            mark_end = self.column(start.line, start.column.saturating_add(1))?;
        }
        let first = start.line.saturating_sub(AROUND).max(1);
        let last = end.line.saturating_add(AROUND).min(self.count());
        let lines = if last - first < FIRST + LAST {
            vec![(first, last)]
        } else {
            vec![(first, first + FIRST - 1), (last - LAST + 1, last)]
        };
        Some(Excerpt { lines, mark: Mark(start.line, mark_start, end.line, mark_end) })
    }

    /// Adds the lines of `excerpt` to `shown`.
    pub(super) fn show(&self, excerpt: &Excerpt, shown: &mut BTreeMap<u32, Line>) {
        for number in excerpt.lines.iter().flat_map(|(first, last)| *first..=*last) {
            if let Some(line) = self.line(number) {
                shown.entry(number).or_insert_with(|| self.shown(line));
            }
        }
    }

    /// Returns the lines `first..=last` with their newlines.
    pub(super) fn lines(&self, first: u32, last: u32) -> Option<&str> {
        Some(&self.text[self.line(first)?.start..self.line_end(last)?])
    }

    /// Byte offset of `position`.
    pub(super) fn offset(&self, position: finding::Position) -> Option<usize> {
        let line = self.line(position.line)?;
        let column = position.column.saturating_sub(1) as usize;
        let before = self.text[line.clone()].char_indices().nth(column);
        Some(before.map_or(line.end, |(at, _)| line.start + at))
    }

    /// Text between two byte offsets.
    pub(super) fn slice(&self, range: Range<usize>) -> Option<&str> {
        self.text.get(range)
    }

    /// Number of lines. The empty one after the last newline does not count.
    fn count(&self) -> u32 {
        let count = self.starts.len() - usize::from(self.text.is_empty() || self.text.ends_with('\n'));
        u32::try_from(count).unwrap_or(u32::MAX).max(1)
    }

    /// Byte range of line `number`, without its line ending.
    fn line(&self, number: u32) -> Option<Range<usize>> {
        let start = *self.starts.get(number.checked_sub(1)? as usize)?;
        let line = &self.text[start..self.line_end(number)?];
        let line = line.strip_suffix('\n').unwrap_or(line);
        Some(start..start + line.strip_suffix('\r').unwrap_or(line).len())
    }

    /// Byte offset of the end of line `number`, after its line ending.
    fn line_end(&self, number: u32) -> Option<usize> {
        Some(self.starts.get(number as usize).copied().unwrap_or(self.text.len()))
    }

    /// Converts a column into UTF-16 units of the shown line, starting at 0.
    fn column(&self, line: u32, column: u32) -> Option<usize> {
        let line = &self.text[self.line(line)?];
        let before = line.chars().take(column.saturating_sub(1) as usize);
        Some(before.map(width).sum::<usize>().min(LONGEST))
    }

    fn shown(&self, line: Range<usize>) -> Line {
        let text = &self.text[line.clone()];
        let (mut units, mut end) = (0, text.len());
        // Maps byte offsets in the line to UTF-16 units of the shown text.
        let mut at = Vec::with_capacity(text.len() + 1);
        for (byte, c) in text.char_indices() {
            at.resize(byte + 1, units);
            if units + width(c) > LONGEST {
                end = byte;
                break;
            }
            units += width(c);
        }
        at.resize(text.len() + 1, units);
        let first = self.classes.partition_point(|(range, _)| range.end <= line.start);
        let classes = self.classes[first..].iter().take_while(|(range, _)| range.start < line.end);
        let in_line = |range: &Range<usize>| {
            let inside = |byte: usize| byte.clamp(line.start, line.end) - line.start;
            at[inside(range.start)]..at[inside(range.end)]
        };
        let classes = classes
            .map(|(range, class)| (in_line(range), *class))
            .filter(|(range, _)| !range.is_empty())
            .map(|(range, class)| (range.start, range.len(), class))
            .collect();
        let mut shown = visible(&text[..end]).into_owned();
        if end < text.len() {
            shown.push('…');
        }
        Line { text: shown, classes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::Position;

    fn range(start: (u32, u32), end: (u32, u32)) -> finding::Range {
        let position = |(line, column)| Position { line, column };
        finding::Range { start: position(start), end: position(end) }
    }

    fn file(text: &str) -> File<'_> {
        File::new(&RelPath::new("a.rs"), text.as_bytes())
    }

    #[test]
    fn marks_count_units_of_the_shown_text() {
        let file = file("a\n\u{202e}𝄞x\r\nb\n");
        let excerpt = file.excerpt(range((2, 2), (2, 4))).unwrap();
        assert_eq!(excerpt, Excerpt { lines: vec![(1, 3)], mark: Mark(2, 8, 2, 11) });
        let mut shown = BTreeMap::new();
        file.show(&excerpt, &mut shown);
        let texts: Vec<_> = shown.iter().map(|(number, line)| (*number, line.text.as_str())).collect();
        assert_eq!(texts, [(1, "a"), (2, "\\u{202e}𝄞x"), (3, "b")]);
    }

    #[test]
    fn a_range_up_to_the_start_of_a_line_excludes_it() {
        let excerpt = file("one\ntwo\nthree\n").excerpt(range((1, 1), (2, 1))).unwrap();
        assert_eq!(excerpt.mark, Mark(1, 0, 1, 3));
    }

    #[test]
    fn an_empty_range_marks_one_character() {
        assert_eq!(file("one\n").excerpt(range((1, 2), (1, 2))).unwrap().mark, Mark(1, 1, 1, 2));
        assert_eq!(file("one\n").excerpt(range((1, 3), (1, 1))).unwrap().mark, Mark(1, 2, 1, 3));
    }

    #[test]
    fn only_the_ends_of_a_long_range_are_shown() {
        let text = "x\n".repeat(100);
        let excerpt = file(&text).excerpt(range((10, 1), (90, 2))).unwrap();
        assert_eq!(excerpt.lines, [(8, 17), (90, 92)]);
    }

    #[test]
    fn positions_outside_of_the_file_do_not_panic() {
        for text in ["", "\n", "a", "a\r\n\u{fffd}", "\u{feff}// é"] {
            for line in [0, 1, 2, 3, u32::MAX] {
                for column in [0, 1, 2, 9, u32::MAX] {
                    let file = file(text);
                    for end in [(0, 0), (1, 1), (line, column), (u32::MAX, u32::MAX)] {
                        if let Some(excerpt) = file.excerpt(range((line, column), end)) {
                            file.show(&excerpt, &mut BTreeMap::new());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn classes_span_lines_and_long_lines_are_cut() {
        let text = format!("/* a\nb */ fn f() {{ \"{}\" }}\n", "é".repeat(1_000));
        let mut shown = BTreeMap::new();
        let file = file(&text);
        file.show(&file.excerpt(range((1, 1), (2, 5))).unwrap(), &mut shown);
        assert_eq!(shown[&1].classes, [(0, 4, Class::Comment)]);
        assert_eq!(
            shown[&2].classes,
            [(0, 4, Class::Comment), (5, 2, Class::Keyword), (14, LONGEST - 14, Class::Text)]
        );
        assert_eq!(shown[&2].text.encode_utf16().count(), LONGEST + 1);
    }
}
