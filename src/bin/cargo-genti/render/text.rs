//! Text from elsewhere, made fit for a terminal.

use std::borrow::Cow;

use anstream::adapter::strip_str;
use genti::model::tool::Per;

/// `text` with everything shown that would steer a terminal or reorder what it shows: only this program's own
/// escapes reach it. Newlines and tabs stay.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let steers = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_bidi(c);
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// The same on one line.
pub(crate) fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

/// Whole lines as they are written, made harmless where source text is among them. CI services take some lines for
/// orders: GitHub's runner obeys `::…` where a line begins, and `##[…` anywhere in one. And terminals obey a second set
/// of control characters, beyond ASCII.
pub(crate) fn inert(text: &str) -> Cow<'_, str> {
    let steers = |c: char| matches!(c, '\u{80}'..='\u{9f}');
    // This program's own colours may be taken out later.
    let is_order =
        |line: &str| line.contains("::") && strip_str(line).to_string().trim_start().starts_with("::");
    if !text.contains("##[") && !text.contains(steers) && !text.split(['\n', '\r']).any(is_order) {
        return Cow::Borrowed(text);
    }
    let inert = |line: &str| {
        let line = line.replace("##[", "##\\[").replace(steers, "\u{fffd}");
        if is_order(&line) { line.replacen("::", "\\::", 1) } else { line }
    };
    Cow::Owned(text.split_inclusive(['\n', '\r']).map(inert).collect())
}

pub(crate) fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// So many units of this kind.
pub(crate) fn units(count: usize, per: Per) -> String {
    format!("{count} {}{}", per.as_str().replace('-', " "), plural(count, "", "s"))
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_to_ci_services_are_shown_not_obeyed() {
        assert_eq!(inert("a\n  ::error::b\n::c"), "a\n  \\::error::b\n\\::c");
        assert_eq!(inert("a ##[error]b"), "a ##\\[error]b");
        assert_eq!(inert("std::mem\n1 | ::b"), "std::mem\n1 | ::b");
    }

    #[test]
    fn escapes_and_bidi_marks_are_shown_not_obeyed() {
        assert_eq!(visible("a\u{1b}[31mb\u{202E}c"), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(visible("plain\n\ttext"), "plain\n\ttext");
        assert_eq!(visible_line("a\r\nb"), "a\\u{d}\\nb");
    }
}
