//! Draws a change of whole lines, as formatters propose them, as a diff with line numbers. The same form shows any such change:
//! replaced, added and removed lines, blank ones too, and a missing newline at the end of the file.

use anstyle::{AnsiColor, Effects, Style};
use genti::model::finding::{Position, Range};
use genti::report::finished::Finding;
use genti::report::text::{counted, visible_line};
use similar::{ChangeTag, TextDiff};

use super::{AROUND, byte_range, line_start};

const NUMBER: Style = AnsiColor::BrightBlue.on_default().effects(Effects::BOLD);
const REMOVED: Style = AnsiColor::BrightRed.on_default();
const ADDED: Style = AnsiColor::BrightGreen.on_default();

/// Maximum number of lines of a diff, without `--verbose`.
const MOST: usize = 40;

/// Draws the fix of `finding` with the place above it. Returns `None` unless the finding is about the changed lines as a whole.
pub(super) fn draw(finding: &Finding, path: &str, source: &[u8], verbose: bool) -> Option<String> {
    let range = finding.place.range()?;
    // Messages about other places are labels of the source.
    if finding.related.iter().any(|related| related.place.is_some()) {
        return None;
    }
    let edits = edits(finding, source, range)?;
    let first = range.start.line.saturating_sub(AROUND).max(1);
    let start = line_start(source, first)?;
    let end = line_start(source, last_line(range).saturating_add(AROUND + 1)).unwrap_or(source.len());
    let old = std::str::from_utf8(source.get(start..end)?).ok()?;
    let mut new = old.to_owned();
    for (span, text) in edits.into_iter().rev() {
        let span = span.start.checked_sub(start)?..span.end.checked_sub(start)?;
        new.get(span.clone())?;
        new.replace_range(span, text);
    }
    let lines = lines(old, &new, first as usize);
    let most = if verbose { lines.len() } else { MOST };
    let width = lines.iter().map(|line| line.number).max()?.to_string().len();
    let mut drawn = format!(
        "{:width$}{NUMBER}-->{NUMBER:#} {path}:{}:{}\n{:width$} {NUMBER}|{NUMBER:#}\n",
        "", range.start.line, range.start.column, ""
    );
    lines.iter().take(most).for_each(|line| drawn.push_str(&line.draw(width)));
    if lines.len() > most {
        let more = counted(lines.len() - most, "more line", "more lines");
        drawn
            .push_str(&format!("{NUMBER}{:width$} |{NUMBER:#} [{more}; pass `--verbose` to show all]\n", ""));
    }
    drawn.push_str(&format!("{NUMBER}{:width$} |{NUMBER:#}\n", ""));
    Some(drawn)
}

/// Returns the bytes and new texts of the edits, in order, if they change whole lines and nothing outside `range`.
fn edits<'f>(
    finding: &'f Finding,
    source: &[u8],
    range: Range,
) -> Option<Vec<(std::ops::Range<usize>, &'f str)>> {
    let path = finding.place.path()?;
    let mut edits = Vec::new();
    for (file, edited, text) in &finding.fix.as_ref()?.edits {
        let span = byte_range(source, *edited)?;
        let ends_file = span.end == source.len();
        let is_of_lines = edited.start.column == 1
            && (edited.end.column == 1 || ends_file)
            && (text.is_empty() || text.ends_with('\n') || ends_file);
        let is_within = file == path && edited.start >= range.start && edited.end <= range.end;
        if !is_of_lines || !is_within {
            return None;
        }
        edits.push((span, text.as_str()));
    }
    edits.sort_by_key(|(span, _)| (span.start, span.end));
    let covers = edits.first()?.0.start == byte_range(source, range)?.start;
    let is_disjoint = edits.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start);
    (covers && is_disjoint).then_some(edits)
}

/// Number of the last line that belongs to `range`, or of the line before it if it is empty.
fn last_line(range: Range) -> u32 {
    let Position { line, column } = range.end;
    if column == 1 { line.saturating_sub(1) } else { line }
}

/// A line of a diff.
struct Line {
    tag: ChangeTag,
    number: usize,
    text: String,
}

/// Compares two texts that begin at line `first`. Removed and unchanged lines have their number in the file, added ones the number
/// that they will have.
fn lines(old: &str, new: &str, first: usize) -> Vec<Line> {
    let diff = TextDiff::from_lines(old, new);
    let line = |change: similar::Change<&str>| {
        let index = match change.tag() {
            ChangeTag::Insert => change.new_index(),
            ChangeTag::Equal | ChangeTag::Delete => change.old_index(),
        };
        let text = match change.tag() {
            ChangeTag::Equal => change.value().trim_end_matches(['\n', '\r']).to_owned(),
            _ => with_ends(change.value(), change.missing_newline()),
        };
        Line { tag: change.tag(), number: first + index.unwrap_or_default(), text }
    };
    diff.iter_all_changes().map(line).collect()
}

/// Returns a changed line with marks for what would be invisible at its end: blanks, a carriage return, and a missing newline.
fn with_ends(line: &str, is_open: bool) -> String {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let (line, returned) = line.strip_suffix('\r').map_or((line, ""), |line| (line, "␍"));
    let text = line.trim_end_matches([' ', '\t']);
    let blanks = line[text.len()..].replace(' ', "·").replace('\t', "→");
    let end = if is_open { " (no newline at the end of the file)" } else { "" };
    format!("{text}{blanks}{returned}{end}")
}

impl Line {
    fn draw(&self, width: usize) -> String {
        let Self { tag, number, text } = self;
        let (mark, style) = match tag {
            ChangeTag::Equal => ("|", Style::new()),
            ChangeTag::Delete => ("-", REMOVED),
            ChangeTag::Insert => ("+", ADDED),
        };
        let text = visible_line(text).replace('\t', "    ");
        let text = format!("{style}{text}{style:#}");
        let head = match tag {
            ChangeTag::Equal => format!("{NUMBER}{number:>width$} |{NUMBER:#}"),
            _ => format!("{NUMBER}{number:>width$}{NUMBER:#} {style}{mark}{style:#}"),
        };
        match self.text.is_empty() {
            true => format!("{head}\n"),
            false => format!("{head} {text}\n"),
        }
    }
}
