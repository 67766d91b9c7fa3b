//! Makes text from elsewhere safe for a terminal and a log, and formats units.

use std::borrow::Cow;
use std::time::Duration;

use anstream::adapter::strip_str;
use genti::report::text::{BROKEN, command, plural, without_hash_commands};
use unicode_width::UnicodeWidthStr;

/// Minimum number of columns in which text is broken into lines. In fewer, it would have a word or two in each line.
const NARROWEST: usize = 30;

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

/// Breaks lines that are wider than `width` between two words, but not within code in backticks, so that a command can be
/// copied. Longer words and indented lines stay as they are, and so does all text if `width` is below [`NARROWEST`].
pub(crate) fn wrapped(text: &str, width: Option<usize>) -> Cow<'_, str> {
    let Some(width) =
        width.filter(|width| *width >= NARROWEST && text.lines().any(|line| line.width() > *width))
    else {
        return text.into();
    };
    let lines: Vec<_> = text.split('\n').map(|line| wrapped_line(line, width)).collect();
    lines.join("\n").into()
}

fn wrapped_line(line: &str, width: usize) -> Cow<'_, str> {
    if line.width() <= width || line.starts_with(' ') {
        return line.into();
    }
    let mut text = String::with_capacity(line.len() + 8);
    let (mut column, mut is_code) = (0, false);
    for word in line.split_inclusive(|c| {
        is_code ^= c == '`';
        c == ' ' && !is_code
    }) {
        let shown = word.trim_end_matches(' ').width();
        if column > 0 && column + shown > width {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            column = 0;
        }
        text.push_str(word);
        column += word.width();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_and_not_within_code() {
        let check =
            |text: &str, width: usize, expected: &str| assert_eq!(wrapped(text, Some(width)), expected);
        let text = "to accept the current findings, run `cargo genti baseline init`";
        check(text, 63, text);
        check(text, 40, "to accept the current findings, run\n`cargo genti baseline init`");
        check(
            &format!("{text}; done"),
            62,
            "to accept the current findings, run\n`cargo genti baseline init`; done",
        );
        let word = "x".repeat(50);
        check(&format!("a {word} b"), 40, &format!("a\n{word}\nb"));
        check(&format!("short\n    indented {word} line"), 40, &format!("short\n    indented {word} line"));
        check(&"漢字 ".repeat(10), 40, &format!("{}\n漢字 漢字 ", "漢字 ".repeat(8).trim_end()));
        assert_eq!(wrapped(text, None), text);
        assert_eq!(wrapped(text, Some(NARROWEST - 1)), text);
    }

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
