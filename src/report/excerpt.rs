//! Source excerpts for text reports.

use std::fmt::Write;

use super::text::visible;
use crate::model::finding::Range;

/// Maximum number of lines per finding.
const MOST_LINES: usize = 12;
/// Maximum number of characters per line, because minified code is one long line.
const MOST_CHARS: usize = 240;

/// Returns the lines of `range`, each with its number. `None` if the source does not have these lines.
pub(super) fn numbered(source: &[u8], range: Range) -> Option<String> {
    let first = range.start.line.max(1) as usize;
    // The end of a range is exclusive.
    let last = if range.end.column <= 1 { range.end.line.saturating_sub(1) } else { range.end.line } as usize;
    let last = last.max(first);
    let lines: Vec<_> = source
        .split(|byte| *byte == b'\n')
        .skip(first - 1)
        .take((last - first + 1).min(MOST_LINES))
        .collect();
    if lines.is_empty() {
        return None;
    }
    let width = (first + lines.len() - 1).to_string().len();
    let mut out = String::new();
    for (number, line) in (first..).zip(&lines) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        let cut = line.char_indices().nth(MOST_CHARS).map_or(line, |(at, _)| &line[..at]);
        let more = if cut.len() < line.len() { " …" } else { "" };
        let _ = writeln!(out, "{number:>width$} | {}{more}", visible(cut));
    }
    let left = last - first + 1 - lines.len();
    if left > 0 && lines.len() == MOST_LINES {
        let _ = writeln!(out, "{:>width$} | … {left} more lines", "");
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::Position;

    fn lines(source: &str, from: (u32, u32), to: (u32, u32)) -> Option<String> {
        let position = |(line, column)| Position { line, column };
        numbered(source.as_bytes(), Range { start: position(from), end: position(to) })
    }

    #[test]
    fn the_end_of_a_range_is_exclusive() {
        assert_eq!(lines("a\nb\nc\n", (2, 1), (3, 1)).unwrap(), "2 | b\n");
        assert_eq!(lines("a\nb\nc\n", (2, 1), (3, 2)).unwrap(), "2 | b\n3 | c\n");
        assert_eq!(lines("a\n", (7, 1), (8, 1)), None);
    }

    #[test]
    fn a_long_excerpt_is_cut_with_a_note() {
        let text = lines(&"x\n".repeat(40), (1, 1), (40, 1)).unwrap();
        assert!(text.ends_with("12 | x\n   | … 27 more lines\n"), "{text}");
        let text = lines(&"x".repeat(1000), (1, 1), (1, 9)).unwrap();
        assert_eq!(text.chars().filter(|c| *c == 'x').count(), MOST_CHARS);
        assert!(text.ends_with(" …\n"));
    }
}
