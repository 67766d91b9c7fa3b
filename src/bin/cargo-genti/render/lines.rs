//! Status and message lines in the style of cargo.

use std::fmt::Display;

use anstyle::Style;

/// A status line: a right-aligned verb and its object.
pub(super) fn status(style: Style, word: &str, what: impl Display) -> String {
    format!("{style}{word:>12}{style:#} {what}\n")
}

/// A message line with a label, such as `error: message`.
pub(super) fn labelled(style: Style, label: &str, what: impl Display) -> String {
    format!("{style}{label}{style:#}: {what}\n")
}
