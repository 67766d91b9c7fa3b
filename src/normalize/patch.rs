//! Replacements of whole lines, as printed by formatters and diff tools.

use super::range;
use crate::model::finding::{Fix, Range};
use crate::model::path::RelPath;

/// Lines to replace, independent of the rest of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    /// Number of the first replaced line, from 1. For an insertion, number of the line to insert before.
    pub(super) first: u32,
    /// The replaced lines, without their ends.
    pub(super) old: Vec<String>,
    /// The new lines, without their ends.
    pub(super) new: Vec<String>,
    /// Set if the last replaced line ends the file without a newline.
    pub(super) old_is_open: bool,
    /// Set if the last new line must end the file without a newline.
    pub(super) new_is_open: bool,
}

impl Patch {
    /// Returns the range of the replaced text, which is empty for an insertion.
    pub(super) fn range(&self) -> Option<Range> {
        let count = u32::try_from(self.old.len()).ok()?;
        let end = match self.old.last().filter(|_| self.old_is_open) {
            Some(last) => {
                let columns = u32::try_from(last.chars().count()).ok()?;
                (self.first.checked_add(count)?.saturating_sub(1), columns.checked_add(1)?)
            }
            None => (self.first.checked_add(count)?, 1),
        };
        range((self.first, 1), end)
    }

    /// Returns the new text with a newline at the end of each line.
    fn text(&self) -> String {
        let mut text = self.new.join("\n");
        if !self.new.is_empty() && !self.new_is_open {
            text.push('\n');
        }
        text
    }

    /// Returns the replacement as a fix of the file at `path`.
    pub(super) fn fix(&self, path: &RelPath, message: &str) -> Option<Fix> {
        Some(Fix::new(message.to_owned(), vec![(path.clone(), self.range()?, self.text())]))
    }
}
