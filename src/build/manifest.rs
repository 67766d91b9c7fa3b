//! Writes `.genti/manifest.json`, which lists what was generated from which inputs. Its bytes are reproducible.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::record::Record;

/// Version of the format. Fields are added but never changed.
pub(super) const SCHEMA: u32 = 1;

/// Content of a manifest.
pub(super) struct Manifest<'a> {
    /// Missing tool because of which nothing was generated and the checked-in files were not compared.
    pub(super) missing_tool: Option<&'a str>,
    /// Directory of the checked-in files, relative to the package directory.
    pub(super) checked_in: Option<&'a str>,
    /// Environment variables that the plan depends on.
    pub(super) env: &'a BTreeSet<String>,
    /// Tools that generators call.
    pub(super) tools: Vec<&'a str>,
    /// Files that every unit depends on.
    pub(super) shared: Vec<&'a str>,
    /// Units in the order of the plan.
    pub(super) units: Vec<&'a Record>,
}

impl Manifest<'_> {
    /// Returns canonical JSON: sorted keys, no whitespace, a newline at the end.
    pub(super) fn encode(&self) -> Vec<u8> {
        let optional = |text: &mut String, value: Option<&str>| match value {
            Some(value) => string(text, value),
            None => text.push_str("null"),
        };
        let mut text = String::from("{\"checked_in\":");
        optional(&mut text, self.checked_in);
        text.push_str(",\"env\":");
        list(&mut text, self.env, |text, name| string(text, name));
        text.push_str(",\"inputs\":");
        list(&mut text, &self.shared, |text, path| string(text, path));
        text.push_str(",\"missing_tool\":");
        optional(&mut text, self.missing_tool);
        let _ = write!(text, ",\"schema\":{SCHEMA},\"tools\":");
        list(&mut text, &self.tools, |text, name| string(text, name));
        text.push_str(",\"units\":");
        list(&mut text, &self.units, |text, unit| {
            text.push_str("{\"discovered\":");
            list(text, &unit.discovered, |text, seen| string(text, &seen.path));
            text.push_str(",\"inputs\":");
            list(text, &unit.inputs, |text, (path, _)| string(text, path));
            text.push_str(",\"outputs\":");
            list(text, &unit.outputs, |text, made| {
                let _ = write!(text, "{{\"bytes\":{},\"path\":", made.len);
                string(text, &made.path.to_string());
                text.push('}');
            });
            text.push('}');
        });
        text.push_str("}\n");
        text.into_bytes()
    }
}

fn list<T>(text: &mut String, items: impl IntoIterator<Item = T>, item: impl Fn(&mut String, T)) {
    text.push('[');
    for (at, value) in items.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        item(text, value);
    }
    text.push(']');
}

fn string(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c < ' ' => drop(write!(text, "\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_canonical_json() {
        let env = BTreeSet::from(["A".to_owned()]);
        let unit = Record {
            conditions: super::super::fingerprint::Fingerprint::of(b""),
            inputs: vec![("in/\"a\"\u{1}".to_owned(), Vec::new())],
            discovered: Vec::new(),
            outputs: vec![super::super::record::Made {
                path: crate::model::path::RelPath::new("a.rs"),
                len: 3,
                content: super::super::fingerprint::Fingerprint::of(b"abc"),
            }],
        };
        let manifest = Manifest {
            missing_tool: None,
            checked_in: None,
            env: &env,
            tools: vec!["cc"],
            shared: vec![],
            units: vec![&unit],
        };
        let expected = r#"{"checked_in":null,"env":["A"],"inputs":[],"missing_tool":null,"schema":1,"tools":["cc"],"units":[{"discovered":[],"inputs":["in/\"a\"\u0001"],"outputs":[{"bytes":3,"path":"a.rs"}]}]}"#;
        assert_eq!(String::from_utf8(manifest.encode()).unwrap(), format!("{expected}\n"));
    }
}
