//! The one way in which JSON leaves this program.

use serde_json::Value;

/// Pretty-printed with sorted keys and a newline at the end.
pub(super) fn to_bytes(value: &Value) -> Vec<u8> {
    to_lines(value, usize::MAX)
}

/// The same, with a line for each value that lies in so many others: of large lists.
pub(super) fn to_lines(value: &Value, depth: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, Some(Indent { at: 0, most: depth }), &mut out);
    out.push(b'\n');
    out
}

/// One line with sorted keys, and its newline.
pub(super) fn push_line(value: &Value, out: &mut Vec<u8>) {
    write(value, None, out);
    out.push(b'\n');
}

/// How deep a value lies, and from where on values are not broken into lines.
#[derive(Clone, Copy)]
struct Indent {
    at: usize,
    most: usize,
}

/// Keys are sorted here, because another crate of the build may ask serde_json to keep them as inserted.
fn write(value: &Value, indent: Option<Indent>, out: &mut Vec<u8>) {
    let indent = indent.filter(|indent| indent.at < indent.most);
    let inner = indent.map(|indent| Indent { at: indent.at + 1, ..indent });
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                separate(at, inner, out);
                write(item, inner, out);
            }
            close(b']', indent, out);
        }
        Value::Object(fields) if !fields.is_empty() => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            out.push(b'{');
            for (at, (key, value)) in fields.into_iter().enumerate() {
                separate(at, inner, out);
                scalar(&Value::from(key.as_str()), out);
                out.extend_from_slice(if indent.is_some() { b": " } else { b":" });
                write(value, inner, out);
            }
            close(b'}', indent, out);
        }
        scalar_or_empty => scalar(scalar_or_empty, out),
    }
}

fn scalar(value: &Value, out: &mut Vec<u8>) {
    debug_assert!(!value.is_f64(), "no floats in artifacts");
    out.extend_from_slice(value.to_string().as_bytes());
}

fn separate(at: usize, indent: Option<Indent>, out: &mut Vec<u8>) {
    if at > 0 {
        out.push(b',');
    }
    new_line(indent, out);
}

fn close(bracket: u8, indent: Option<Indent>, out: &mut Vec<u8>) {
    new_line(indent, out);
    out.push(bracket);
}

fn new_line(indent: Option<Indent>, out: &mut Vec<u8>) {
    if let Some(indent) = indent {
        out.push(b'\n');
        out.resize(out.len() + 2 * indent.at, b' ');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_and_the_end_is_a_newline() {
        let value = json!({ "b": [1, { "z": null, "a": "x\n" }], "a": {}, "c": [] });
        let text = String::from_utf8(to_bytes(&value)).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"a\": \"x\\n\",\n      \"z\": null\n    }\n  ],\n  \"c\": []\n}\n"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn what_lies_deep_is_a_line() {
        let text =
            String::from_utf8(to_lines(&json!({ "b": [{ "d": 1, "c": [2, {}] }, 3], "a": {} }), 2)).unwrap();
        assert_eq!(text, "{\n  \"a\": {},\n  \"b\": [\n    {\"c\":[2,{}],\"d\":1},\n    3\n  ]\n}\n");
    }

    #[test]
    fn a_line_holds_no_newline_of_its_own() {
        let mut out = Vec::new();
        push_line(&json!({ "b": "x\ny", "a": [1, 2] }), &mut out);
        assert_eq!(out, b"{\"a\":[1,2],\"b\":\"x\\ny\"}\n");
    }
}
