//! Status and message lines in the style of cargo. Lines that are wider than the terminal continue below their text.

use std::fmt::Display;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::text::wrapped;

/// Number of columns before the object of a status line.
const STATUS: usize = 13;

/// A status line: a right-aligned verb and its object.
pub(super) fn status(style: Style, word: &str, what: impl Display, columns: Option<usize>) -> String {
    format!("{style}{word:>12}{style:#} {}\n", hanging(&what.to_string(), STATUS, columns))
}

/// A line that belongs to the status line before it.
pub(super) fn below(what: impl Display, columns: Option<usize>) -> String {
    format!("{:STATUS$}{}\n", "", hanging(&what.to_string(), STATUS, columns))
}

/// A message line with a label, such as `error: message`.
pub(super) fn labelled(style: Style, label: &str, what: impl Display, columns: Option<usize>) -> String {
    format!("{style}{label}{style:#}: {}\n", hanging(&what.to_string(), label.width() + 2, columns))
}

/// Breaks the lines of `text`, which begins in column `indent`, and indents what follows a break.
fn hanging(text: &str, indent: usize, columns: Option<usize>) -> String {
    let width = columns.map(|columns| columns.saturating_sub(indent));
    let lines: Vec<_> = text.split('\n').map(|line| wrapped(line, width)).collect();
    lines.iter().map(|line| line.replace('\n', &format!("\n{:indent$}", ""))).collect::<Vec<_>>().join("\n")
}
