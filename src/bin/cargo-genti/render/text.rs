//! Makes text from elsewhere safe for a terminal and a log, and formats units.

use std::borrow::Cow;

use anstream::adapter::strip_str;
use genti::report::text::{BROKEN, command, plural, without_hash_commands};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Neutralizes whole output lines that may contain source text. CI services interpret some lines as commands
/// ([`command`], [`without_hash_commands`]), and terminals interpret a second set of control characters
/// beyond ASCII.
pub(crate) fn inert(text: &str) -> Cow<'_, str> {
    let steers = |c: char| matches!(c, '\u{80}'..='\u{9f}');
    let text = without_hash_commands(text, BROKEN);
    // Our own colours may be stripped later, so they are ignored here.
    let order = |line: &str| {
        let end = |c: char| matches!(c, '\n' | '\r');
        let begins = line.contains(['\u{1b}', ':', '-', '+', '~', '^']);
        begins.then(|| command(strip_str(line).to_string().trim_end_matches(end))).flatten()
    };
    if !text.contains(steers) && text.split(['\n', '\r']).all(|line| order(line).is_none()) {
        return text;
    }
    let inert = |line: &str| {
        let line = line.replace(steers, "\u{fffd}");
        match order(&line) {
            Some(mark) => line.replacen(mark, &format!("\\{mark}"), 1),
            None => line,
        }
    };
    Cow::Owned(text.split_inclusive(['\n', '\r']).map(inert).collect())
}

/// Formats a number of units of this kind.
pub(crate) fn units(count: usize, per: &str) -> String {
    format!("{count} {}{}", per.replace('-', " "), plural(count, "", "s"))
}

/// Truncates `text` to `width` columns.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| match room.checked_sub(c.width().unwrap_or(0)) {
        Some(rest) => {
            room = rest;
            true
        }
        None => false,
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_text_is_truncated_at_its_end() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn commands_for_ci_services_are_neutralized() {
        assert_eq!(inert("a\n  ::error::b\n::c"), "a\n  \\::error::b\n\\::c");
        assert_eq!(inert("a ##[error]b"), "a ##\\[error]b");
        assert_eq!(inert("std::mem\n1 | ::b"), "std::mem\n1 | ::b");
        assert_eq!(inert("\u{1b}[1m--- a\u{1b}[0m\n"), "\u{1b}[1m\\--- a\u{1b}[0m\n");
        assert_eq!(inert("##vso[task.complete]a"), "##\\vso[task.complete]a");
        assert_eq!(inert("error: a --> b\n"), "error: a --> b\n");
    }
}
