//! Text from elsewhere, made fit for a page: nothing in it is markup, and nothing in it steers what is shown.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::text::{self, steers};

/// Longer texts are cut: a tool may say a megabyte.
const LONGEST: usize = 4_000;

/// What [`text::visible`] makes of `text`, as far as there is room for it.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(LONGEST) else {
        return text::visible(text);
    };
    let more = text[end..].chars().count();
    Cow::Owned(format!("{}… ({more} more characters)", text::visible(&text[..end])))
}

/// How many UTF-16 units `c` takes once it is written out: what a script counts in.
pub(super) fn width(c: char) -> usize {
    if steers(c) { c.escape_unicode().len() } else { c.len_utf16() }
}

/// `text` as the content of an element or of a quoted attribute, and nothing that a CI service would obey in a log.
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

/// The same, where what stands in backticks is code.
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

/// `json` as the content of a `script` element: neither `</script` nor `<!--` can stand in it.
pub(super) fn in_script(json: &str) -> String {
    // And nothing that a CI service would obey in a log.
    text::without_hash_commands(json, "\\u0023#")
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// `text` as a value in a link to a filter, `#tool=…`, as `URLSearchParams` reads it.
pub(super) fn in_fragment(text: &str) -> String {
    utf8_percent_encode(&visible(text), NON_ALPHANUMERIC).to_string()
}

/// The same for a count.
pub(super) fn number(count: usize) -> String {
    text::number(count as u64)
}

/// A time in microseconds, to three digits: `83 ms`, `1.06 s`, `2 min 5 s`.
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
    fn what_steers_is_written_out_and_counted_as_written() {
        let text = "a\u{1b}[31mb\u{202e}c\u{0}\r\u{feff}\u{2028}";
        let shown = text::visible(text);
        assert_eq!(shown, "a\\u{1b}[31mb\\u{202e}c\\u{0}\\u{d}\\u{feff}\\u{2028}");
        assert_eq!(text.chars().map(width).sum::<usize>(), shown.encode_utf16().count());
    }

    #[test]
    fn markup_is_text() {
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
    fn a_filter_in_a_link_has_no_character_of_its_own() {
        assert_eq!(in_fragment("a/b c&d=\"é\""), "a%2Fb%20c%26d%3D%22%C3%A9%22");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
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
