//! Makes text from tools safe for the page: it can't become markup or control how other text is shown.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::text::{self, steers};

/// Maximum number of characters of a text, because a message may be a megabyte long.
const LONGEST: usize = 4_000;

/// Like [`text::visible`], but cuts long text.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(LONGEST) else {
        return text::visible(text);
    };
    let more = text[end..].chars().count();
    Cow::Owned(format!("{}… ({more} more characters)", text::visible(&text[..end])))
}

/// Number of UTF-16 units of `c` in the shown text. Scripts count in these units.
pub(super) fn width(c: char) -> usize {
    if steers(c) { c.escape_unicode().len() } else { c.len_utf16() }
}

/// Escapes `text` for an element or a quoted attribute, and defuses commands of CI services.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    match text::without_hash_commands(&escaped, "&#35;#") {
        Cow::Borrowed(_) => escaped,
        Cow::Owned(inert) => inert,
    }
}

/// Like [`escape`], but renders text in backticks as code.
pub(super) fn prose(text: &str) -> String {
    let escaped = escape(text);
    let parts: Vec<_> = escaped.split('`').collect();
    if parts.len() % 2 == 0 {
        return escaped;
    }
    let part = |(at, part): (usize, &&str)| {
        if at % 2 == 0 { (*part).to_owned() } else { format!("<code>{part}</code>") }
    };
    parts.iter().enumerate().map(part).collect()
}

/// Escapes `json` for a `script` element, so that it contains neither `</script` nor `<!--`.
pub(super) fn in_script(json: &str) -> String {
    // Also defuse commands of CI services, in case the page is printed to a log.
    text::without_hash_commands(json, "\\u0023#")
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// Escapes `text` for a value in a filter link such as `#tool=…`, which is parsed by `URLSearchParams`.
pub(super) fn in_fragment(text: &str) -> String {
    utf8_percent_encode(&visible(text), NON_ALPHANUMERIC).to_string()
}

/// Like [`text::number`], for a `usize`.
pub(super) fn number(count: usize) -> String {
    text::number(count as u64)
}

/// Formats a duration in microseconds with about three digits: `83 ms`, `1.06 s`, `2 min 5 s`.
pub(super) fn duration(micros: u64) -> String {
    let millis = micros.saturating_add(500) / 1000;
    match millis {
        0 if micros > 0 => "< 1 ms".to_owned(),
        0..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{}.{:02} s", millis / 1000, millis % 1000 / 10),
        10_000..60_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_counted_as_shown() {
        let text = "a\u{1b}[31mb\u{202e}c\u{0}\r\u{feff}\u{2028}";
        let shown = text::visible(text);
        assert_eq!(shown, "a\\u{1b}[31mb\\u{202e}c\\u{0}\\u{d}\\u{feff}\\u{2028}");
        assert_eq!(text.chars().map(width).sum::<usize>(), shown.encode_utf16().count());
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(
            escape("<script>alert('1')</script> & \"x\""),
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;"
        );
        assert_eq!(prose("`<b>` and `c`, `d"), "`&lt;b&gt;` and `c`, `d");
        assert_eq!(prose("`<b>` and c"), "<code>&lt;b&gt;</code> and c");
        let json = serde_json::to_string("</script><!--\u{2028}").unwrap();
        assert_eq!(in_script(&json), r#""\u003c/script>\u003c!--\u2028""#);
        assert_eq!(serde_json::from_str::<String>(&in_script(&json)).unwrap(), "</script><!--\u{2028}");
    }

    #[test]
    fn values_in_filter_links_are_percent_encoded() {
        assert_eq!(in_fragment("a/b c&d=\"é\""), "a%2Fb%20c%26d%3D%22%C3%A9%22");
    }

    #[test]
    fn long_text_is_cut_with_a_note() {
        let shown = visible(&"é".repeat(LONGEST + 7)).into_owned();
        assert!(shown.ends_with("é… (7 more characters)"), "{shown}");
        assert_eq!(visible(&"é".repeat(LONGEST)).chars().count(), LONGEST);
    }

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!([7, 999, 1_000, 20_000, 1_234_567].map(number).join(" "), "7 999 1,000 20,000 1,234,567");
        let times = [0, 400, 83_200, 1_064_900, 61_000, 12_340_000, 125_000_000].map(duration);
        assert_eq!(times.join(", "), "0 ms, < 1 ms, 83 ms, 1.06 s, 61 ms, 12.3 s, 2 min 5 s");
    }
}
