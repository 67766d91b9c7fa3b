//! Text from elsewhere, made fit to be shown: nothing of it steers a terminal or a CI service.

use std::borrow::Cow;

/// `text` with everything shown that would steer a terminal or reorder what it shows: only this program's own
/// escapes reach it. Newlines and tabs stay.
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

/// Whether `c` steers what shows it, hides in it, or turns it around: control and bidirectional characters, ends of lines
/// of other alphabets, and what takes no room. Newlines and tabs don't.
pub(super) fn steers(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The same on one line.
pub fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

/// A number with thousands separators: `20,000`.
pub(super) fn number(count: u64) -> String {
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

/// The word for so many.
pub fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// So many of them, with the word for it.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", plural(count, one, many))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_bidi_marks_are_shown_not_obeyed() {
        assert_eq!(visible("a\u{1b}[31mb\u{202E}c"), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(visible("a\u{feff}\u{2028}\u{e0041}"), "a\\u{feff}\\u{2028}\\u{e0041}");
        assert_eq!(
            visible("plain\n\ttext, größe, שלום, 👩\u{200d}🔬"),
            "plain\n\ttext, größe, שלום, 👩\u{200d}🔬"
        );
        assert_eq!(visible_line("a\r\nb"), "a\\u{d}\\nb");
    }
}
