//! Makes text from elsewhere safe for a terminal and a log, and formats units.

use std::borrow::Cow;
use std::time::Duration;

use anstream::adapter::strip_str;
use genti::report::text::{BROKEN, command, plural, without_hash_commands};
use unicode_width::UnicodeWidthStr;

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

/// Formats a duration in whole seconds.
pub(crate) fn time(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// Shortens `text` to at most `width` columns, between two words. The first word is never shortened.
pub(crate) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return text.into();
    }
    let ends = text.match_indices(' ').map(|(at, _)| at);
    let fits = |at: &usize| *at > 0 && text[..*at].width() + 2 <= width;
    let end = ends.clone().take_while(fits).last().or_else(|| ends.clone().find(|at| *at > 0));
    match end {
        Some(end) => format!("{} …", text[..end].trim_end()).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_shortened_between_words() {
        assert_eq!(cut("a bc", 4), "a bc");
        assert_eq!(cut("ab cd ef", 7), "ab cd …");
        assert_eq!(cut("ab cd ef", 6), "ab …");
        assert_eq!(cut("日本 語語", 6), "日本 …");
        assert_eq!(cut("abcdef gh", 3), "abcdef …");
        assert_eq!(cut("abcdef", 3), "abcdef");
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
