//! Makes text from tools safe to show: it can't control a terminal or a CI service.

use std::borrow::Cow;

pub(super) use crate::model::path::steers;

/// Escapes characters that control a terminal or reorder text, so only genti's own escape sequences reach the terminal.
/// Newlines and tabs are kept.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Beginnings of lines, after any indentation, that GitHub, GitLab and Travis treat as commands.
const COMMANDS: [&str; 5] = ["::", "section_start:", "section_end:", "travis_fold:", "travis_time:"];

/// Beginnings of lines that Buildkite treats as the head of a group if whitespace follows.
const GROUPS: [&str; 4] = ["---", "+++", "~~~", "^^^"];

/// Returns the beginning of `line` that a CI service would treat as a command.
pub fn command(line: &str) -> Option<&'static str> {
    let group = GROUPS.into_iter().find(|mark| {
        line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    });
    let trimmed = line.trim_start();
    group.or_else(|| COMMANDS.into_iter().find(|mark| trimmed.starts_with(mark)))
}

/// Replaces the `##` in `##[`, `##vso[`, `##teamcity[` and the like with `stand_in`. GitHub, Azure and TeamCity recognize
/// these commands anywhere in a line.
pub fn without_hash_commands<'a>(text: &'a str, stand_in: &str) -> Cow<'a, str> {
    let mut safe = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices('[') {
        let before = text[..at].trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        if let Some(before) = before.strip_suffix("##") {
            safe.push_str(&text[copied..before.len()]);
            safe.push_str(stand_in);
            copied = before.len() + 2;
        }
    }
    match copied {
        0 => Cow::Borrowed(text),
        copied => Cow::Owned(safe + &text[copied..]),
    }
}

/// Defuses everything in `text` that a CI service would treat as a command in a log. `text` must not contain escape
/// sequences.
pub(super) fn inert(text: &str) -> Cow<'_, str> {
    let text = without_hash_commands(text, BROKEN);
    if text.split('\n').all(|line| command(line).is_none()) {
        return text;
    }
    let inert = |line: &str| match command(line) {
        Some(mark) => line.replacen(mark, &format!("\\{mark}"), 1),
        None => line.to_owned(),
    };
    Cow::Owned(text.split_inclusive('\n').map(inert).collect())
}

/// Replacement for the `##` of a command in text that is shown.
pub const BROKEN: &str = "##\\";

/// Like [`visible`], but also escapes newlines.
pub fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

/// Formats a number with thousands separators: `20,000`.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut separated = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            separated.push(',');
        }
        separated.push(digit);
    }
    separated
}

/// Returns the singular or plural that fits `count`.
pub fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// Formats `count` with the noun that fits it.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count as u64), plural(count, one, many))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_ci_services_are_defused() {
        for (text, shown) in [
            ("a ##[error]b ##vso[task.complete]c", "a ##\\[error]b ##\\vso[task.complete]c"),
            ("###[x ##teamcity[y", "###\\[x ##\\teamcity[y"),
            ("a\n  ::error::b", "a\n  \\::error::b"),
            (
                "--- group\n+++ open\n~~~ quiet\n^^^ +++\n---",
                "\\--- group\n\\+++ open\n\\~~~ quiet\n\\^^^ +++\n\\---",
            ),
            ("section_start:1:a\n section_end:1:a", "\\section_start:1:a\n \\section_end:1:a"),
        ] {
            assert_eq!(inert(text), shown);
            assert_eq!(inert(shown), shown, "defusing twice changes nothing");
        }
        for harmless in
            ["## [a]", "##a-b[", "a::b", " --- a", "---a", "--> a.rs", "-- -", "a section_start:1:a"]
        {
            assert_eq!(inert(harmless), harmless);
        }
    }

    #[test]
    fn escape_sequences_and_bidi_marks_are_escaped() {
        assert_eq!(visible("a\u{1b}[31mb\u{202E}c"), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(visible("a\u{feff}\u{2028}\u{e0041}"), "a\\u{feff}\\u{2028}\\u{e0041}");
        assert_eq!(
            visible("plain\n\ttext, größe, שלום, 👩\u{200d}🔬"),
            "plain\n\ttext, größe, שלום, 👩\u{200d}🔬"
        );
        assert_eq!(visible_line("a\r\nb"), "a\\u{d}\\nb");
    }
}
