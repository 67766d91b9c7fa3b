//! Writes `.genti/manifest.json`, which lists what was generated from which inputs. Its bytes are reproducible.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::record::{Claims, Made, UnitRecord};
use super::set_of;

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
    pub(super) units: Vec<ManifestUnit<'a>>,
}

/// Unit in a manifest.
pub(super) struct ManifestUnit<'a> {
    inputs: BTreeSet<String>,
    discovered: BTreeSet<String>,
    outputs: &'a [Made],
}

impl<'a> ManifestUnit<'a> {
    pub(super) fn of(record: &'a UnitRecord) -> Self {
        let inputs = set_of(record.inputs.iter().map(|(path, _)| path.clone()));
        let discovered = set_of(record.discovered.iter().map(|seen| seen.path.clone()));
        Self { inputs, discovered, outputs: &record.outputs }
    }
}

/// Returns the units with the inputs that they have through outputs of earlier ones. `records` are in the order in which
/// the units could start, and `claims` has the unit that wrote each output.
pub(super) fn through_outputs<'a>(records: &'a [UnitRecord], claims: &Claims) -> Vec<ManifestUnit<'a>> {
    let mut units: Vec<ManifestUnit<'a>> = Vec::new();
    for record in records {
        let mut unit = ManifestUnit::of(record);
        for &writer in record.from.iter().filter_map(|made| claims.get(&made.path)).flatten() {
            unit.inputs.extend(units[writer].inputs.iter().cloned());
            unit.discovered.extend(units[writer].discovered.iter().cloned());
        }
        units.push(unit);
    }
    units
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
            list(text, &unit.discovered, |text, path| string(text, path));
            text.push_str(",\"inputs\":");
            list(text, &unit.inputs, |text, path| string(text, path));
            text.push_str(",\"outputs\":");
            list(text, unit.outputs, |text, made| {
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
        let content = super::super::fingerprint::Fingerprint::of(b"abc");
        let unit = UnitRecord {
            inputs: vec![("in/\"a\"\u{1}".to_owned(), Vec::new())],
            outputs: vec![Made { path: crate::model::path::RelPath::new("a.rs"), len: 3, content }],
            ..UnitRecord::default()
        };
        let manifest = Manifest {
            missing_tool: None,
            checked_in: None,
            env: &env,
            tools: vec!["cc"],
            shared: vec![],
            units: vec![ManifestUnit::of(&unit)],
        };
        let expected = r#"{"checked_in":null,"env":["A"],"inputs":[],"missing_tool":null,"schema":1,"tools":["cc"],"units":[{"discovered":[],"inputs":["in/\"a\"\u0001"],"outputs":[{"bytes":3,"path":"a.rs"}]}]}"#;
        assert_eq!(String::from_utf8(manifest.encode()).unwrap(), format!("{expected}\n"));
    }
}
