//! Canonical JSON, for values in memory and for documents that are streamed. All JSON output goes through here.

use std::io::{self, Write};

use serde_json::{Map, Value};

/// Pretty-prints `value` with sorted keys and a final newline.
pub(super) fn to_bytes(value: &Value) -> Vec<u8> {
    to_lines(value, usize::MAX)
}

/// Like [`to_bytes`], but values nested deeper than `depth` are put on one line. Keeps large lists readable.
pub(super) fn to_lines(value: &Value, depth: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, Some(Indent { at: 0, most: depth }), &mut out);
    out.push(b'\n');
    out
}

/// Formats `value` on one line with sorted keys, followed by a newline.
pub(super) fn to_line(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    push_line(value, &mut out);
    out
}

/// Appends the result of [`to_line`] to `out`.
pub(super) fn push_line(value: &Value, out: &mut Vec<u8>) {
    write(value, None, out);
    out.push(b'\n');
}

/// The lists of an object: each key with the function that writes its items.
pub(super) type Lists<'a> = [(&'a str, &'a dyn Fn(&mut Items<'_, '_>) -> io::Result<()>)];

/// Returns the values of an object for [`write_document`].
pub(super) fn fields<const LEN: usize>(fields: [(&str, Value); LEN]) -> Map<String, Value> {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Streams an object that consists of small `values` and of `lists`. Only one item of a list is in memory at a time. The
/// bytes are the same as those of [`to_lines`] for the whole object.
pub(super) fn write_document(
    out: &mut dyn Write,
    depth: usize,
    values: &Map<String, Value>,
    lists: &Lists<'_>,
) -> io::Result<()> {
    let mut stream = DocumentWriter { out, buffer: Vec::new() };
    stream.object(Some(Indent { at: 0, most: depth }), values, lists)?;
    stream.buffer.push(b'\n');
    stream.flush()
}

/// A document that is being written.
struct DocumentWriter<'w> {
    out: &'w mut dyn Write,
    buffer: Vec<u8>,
}

/// Writer for the items of one list in a [`DocumentWriter`].
pub(super) struct Items<'s, 'w> {
    stream: &'s mut DocumentWriter<'w>,
    inner: Option<Indent>,
    count: usize,
}

impl Items<'_, '_> {
    /// Writes the next item.
    pub(super) fn push(&mut self, item: &Value) -> io::Result<()> {
        self.separate();
        write(item, self.inner, &mut self.stream.buffer);
        self.stream.flush_long()
    }

    /// Writes the next item, an object that has streamed lists itself.
    pub(super) fn object(&mut self, values: &Map<String, Value>, lists: &Lists<'_>) -> io::Result<()> {
        self.separate();
        self.stream.object(self.inner, values, lists)
    }

    fn separate(&mut self) {
        separate(self.count, self.inner, &mut self.stream.buffer);
        self.count += 1;
    }
}

impl DocumentWriter<'_> {
    /// Buffer size from which on the buffer is written out.
    const LONG: usize = 64 << 10;

    fn object(
        &mut self,
        indent: Option<Indent>,
        values: &Map<String, Value>,
        lists: &Lists<'_>,
    ) -> io::Result<()> {
        enum Field<'a> {
            Value(&'a Value),
            List(&'a dyn Fn(&mut Items<'_, '_>) -> io::Result<()>),
        }
        let (indent, inner) = levels(indent);
        let values = values.iter().map(|(key, value)| (key.as_str(), Field::Value(value)));
        let mut fields: Vec<_> =
            values.chain(lists.iter().map(|(key, list)| (*key, Field::List(*list)))).collect();
        fields.sort_by_key(|(key, _)| *key);
        self.buffer.push(b'{');
        for (at, (key, field)) in fields.into_iter().enumerate() {
            separate(at, inner, &mut self.buffer);
            push_key(key, indent, &mut self.buffer);
            match field {
                Field::Value(value) => write(value, inner, &mut self.buffer),
                Field::List(list) => self.list(inner, list)?,
            }
            self.flush_long()?;
        }
        close(b'}', indent, &mut self.buffer);
        Ok(())
    }

    fn list(
        &mut self,
        indent: Option<Indent>,
        fill: &dyn Fn(&mut Items<'_, '_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let (indent, inner) = levels(indent);
        self.buffer.push(b'[');
        let mut items = Items { stream: self, inner, count: 0 };
        fill(&mut items)?;
        let indent = indent.filter(|_| items.count > 0);
        close(b']', indent, &mut self.buffer);
        Ok(())
    }

    fn flush_long(&mut self) -> io::Result<()> {
        if self.buffer.len() < Self::LONG { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Nesting depth of a value, and the depth from which on values stay on one line.
#[derive(Clone, Copy)]
struct Indent {
    at: usize,
    most: usize,
}

/// Writes `value` with sorted keys. serde_json may not sort them, because any crate in the build can enable its
/// `preserve_order` feature.
fn write(value: &Value, indent: Option<Indent>, out: &mut Vec<u8>) {
    let (indent, inner) = levels(indent);
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
                push_key(key, indent, out);
                write(value, inner, out);
            }
            close(b'}', indent, out);
        }
        scalar_or_empty => scalar(scalar_or_empty, out),
    }
}

/// The indents of a value and of its items; `None` if they stay on one line.
fn levels(indent: Option<Indent>) -> (Option<Indent>, Option<Indent>) {
    let indent = indent.filter(|indent| indent.at < indent.most);
    (indent, indent.map(|indent| Indent { at: indent.at + 1, ..indent }))
}

fn push_key(key: &str, indent: Option<Indent>, out: &mut Vec<u8>) {
    push_scalar(key, out);
    out.extend_from_slice(if indent.is_some() { b": " } else { b":" });
}

fn scalar(value: &Value, out: &mut Vec<u8>) {
    debug_assert!(!value.is_f64(), "no floats in artifacts");
    push_scalar(value, out);
}

fn push_scalar(value: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) {
    // Writing to memory can't fail.
    let _ = serde_json::to_writer(out, value);
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
    fn keys_are_sorted_and_the_last_line_ends() {
        let value = json!({ "b": [1, { "z": null, "a": "x\n" }], "a": {}, "c": [] });
        let text = String::from_utf8(to_bytes(&value)).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"a\": \"x\\n\",\n      \"z\": null\n    }\n  ],\n  \"c\": []\n}\n"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_streamed_document_has_the_same_bytes_as_one_in_memory() {
        let items = json!([{ "d": 1, "c": [2, {}] }, 3, [], {}]);
        let whole = json!({
            "b": items,
            "a": {},
            "none": [],
            "c": [{ "k": [1, [2]], "deep": items, "empty": [] }, {}],
        });
        let fill = |items: &Value, list: &mut Items<'_, '_>| {
            items.as_array().unwrap().iter().try_for_each(|item| list.push(item))
        };
        let values = |value: Value| value.as_object().unwrap().clone();
        for depth in 0..6 {
            let mut written = Vec::new();
            let of_items: &dyn Fn(&mut Items<'_, '_>) -> io::Result<()> = &|list| fill(&items, list);
            let nothing: &dyn Fn(&mut Items<'_, '_>) -> io::Result<()> = &|_| Ok(());
            let nested = values(json!({ "k": [1, [2]] }));
            let of_objects: &dyn Fn(&mut Items<'_, '_>) -> io::Result<()> = &|list| {
                list.object(&nested, &[("empty", nothing), ("deep", of_items)])?;
                list.push(&json!({}))
            };
            let lists = [("none", nothing), ("c", of_objects), ("b", of_items)];
            write_document(&mut written, depth, &values(json!({ "a": {} })), &lists).unwrap();
            assert_eq!(
                String::from_utf8(written).unwrap(),
                String::from_utf8(to_lines(&whole, depth)).unwrap()
            );
        }
    }

    #[test]
    fn a_long_list_is_written_in_pieces() {
        #[derive(Default)]
        struct Pieces(Vec<usize>);
        impl Write for Pieces {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.len());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let item = json!("x".repeat(1000));
        let mut pieces = Pieces::default();
        let lists: &Lists<'_> = &[("list", &|list| (0..1000).try_for_each(|_| list.push(&item)))];
        write_document(&mut pieces, usize::MAX, &Map::new(), lists).unwrap();
        assert!(
            pieces.0.len() > 10 && pieces.0.iter().all(|len| *len < DocumentWriter::LONG + 2000),
            "{:?}",
            pieces.0
        );
    }

    #[test]
    fn deeply_nested_values_stay_on_one_line() {
        let text =
            String::from_utf8(to_lines(&json!({ "b": [{ "d": 1, "c": [2, {}] }, 3], "a": {} }), 2)).unwrap();
        assert_eq!(text, "{\n  \"a\": {},\n  \"b\": [\n    {\"c\":[2,{}],\"d\":1},\n    3\n  ]\n}\n");
    }

    #[test]
    fn newlines_within_a_line_are_escaped() {
        let mut out = Vec::new();
        push_line(&json!({ "b": "x\ny", "a": [1, 2] }), &mut out);
        assert_eq!(out, b"{\"a\":[1,2],\"b\":\"x\\ny\"}\n");
    }
}
