//! The lines that cargo writes too.

use std::fmt::Display;

use anstyle::Style;

/// What happens, right-aligned, and to what.
pub(super) fn status(style: Style, word: &str, what: impl Display) -> String {
    format!("{style}{word:>12}{style:#} {what}\n")
}

/// What kind of message it is, and the message.
pub(super) fn labelled(style: Style, label: &str, what: impl Display) -> String {
    format!("{style}{label}{style:#}: {what}\n")
}
