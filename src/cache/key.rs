//! What decides a result, as a list of named parts: one walk makes it, its digest is the key, and the difference of two
//! such lists is the explanation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::digest::{ContentHash, Digest, Sink};

/// The kind of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum What {
    /// This program, which reads what tools print.
    Genti,
    /// A field of the tool's definition.
    Definition,
    /// Cargo's flags that select what is built.
    Selection,
    /// A file that makes up the tool.
    Program,
    /// A variable that the tool sees. Its value is known by its digest alone.
    Variable,
    /// A file that the tool reads and that is no input of any task: configuration above the workspace, for one.
    File,
    /// Inputs that all tasks of the tool share.
    Inputs,
    /// What decides the results of a tool that this one needs.
    Need,
    /// What a tool says its version is, where its files alone don't tell.
    Version,
}

impl What {
    /// In words, with the name of the part behind it.
    pub fn describe(self, name: &str) -> String {
        match self {
            Self::Genti => "genti itself".to_owned(),
            Self::Definition => format!("`{name}` of the tool's definition"),
            Self::Selection => format!("the selection ({name})"),
            Self::Program => format!("the program {name}"),
            Self::Variable => format!("the variable {name}"),
            Self::File => format!("the file {name}"),
            Self::Inputs => format!("the {name}"),
            Self::Need => format!("the tool {name}, which it needs"),
            Self::Version => format!("the version that {name} reports"),
        }
    }
}

/// What decides the results of a tool, its tasks' own inputs aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts(BTreeMap<(What, String), Digest>);

impl Parts {
    /// Adds a part.
    pub fn add(&mut self, what: What, name: impl Into<String>, digest: Digest) {
        self.0.insert((what, name.into()), digest);
    }

    /// Adds what `value` is made of: a part for each name of its fields.
    pub fn add_fields(&mut self, what: What, value: &dyn ContentHash) {
        let mut fields = Fields::default();
        value.feed(&mut fields);
        for (name, values) in fields.0 {
            self.add(what, name, Digest::of("genti.part.1", &Bytes(&values)));
        }
    }

    /// What is not the same as `before`.
    pub fn changes(&self, before: &Self) -> Vec<Change> {
        let keys: std::collections::BTreeSet<_> = self.0.keys().chain(before.0.keys()).collect();
        let change = |key: &(What, String)| {
            let (from, to) = (before.0.get(key).copied(), self.0.get(key).copied());
            (from != to).then(|| Change { what: key.0.describe(&key.1), from, to })
        };
        keys.into_iter().filter_map(change).collect()
    }
}

impl ContentHash for Parts {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.count("parts", self.0.len());
        for ((what, name), digest) in &self.0 {
            sink.field("what", what.describe("").as_bytes());
            sink.field("name", name.as_bytes());
            sink.field("digest", &digest.0);
        }
    }
}

/// Something that decides a result and is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub what: String,
    /// The digest of what it was; `None` if it was not there.
    pub from: Option<Digest>,
    /// The digest of what it is; `None` if it is gone.
    pub to: Option<Digest>,
}

struct Bytes<'a>(&'a [Vec<u8>]);

impl ContentHash for Bytes<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.count("values", self.0.len());
        for value in self.0 {
            sink.field("value", value);
        }
    }
}

/// The sink that keeps the values of each field by its name. The name before a dot stands for all behind it.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, Vec<Vec<u8>>>);

impl Sink for Fields {
    fn field(&mut self, name: &'static str, value: &[u8]) {
        let group = name.split('.').next().unwrap_or(name);
        let values = self.0.entry(group).or_default();
        values.push(name.as_bytes().to_vec());
        values.push(value.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(of: &[(What, &str, &str)]) -> Parts {
        let mut parts = Parts::default();
        for (what, name, value) in of {
            parts.add(*what, *name, Digest::of_bytes(value.as_bytes()));
        }
        parts
    }

    #[test]
    fn the_key_is_another_exactly_when_something_has_changed() {
        let before = parts(&[(What::Variable, "A", "1"), (What::Variable, "B", "2")]);
        let cases = [
            (vec![(What::Variable, "A", "1"), (What::Variable, "B", "2")], vec![]),
            (vec![(What::Variable, "A", "3"), (What::Variable, "B", "2")], vec!["the variable A"]),
            (vec![(What::Variable, "B", "2")], vec!["the variable A"]),
            (vec![(What::File, "A", "1"), (What::Variable, "B", "2")], vec!["the variable A", "the file A"]),
        ];
        for (now, expected) in cases {
            let now = parts(&now);
            let changes = now.changes(&before);
            assert_eq!(changes.iter().map(|change| change.what.as_str()).collect::<Vec<_>>(), expected);
            let same = Digest::of("t", &now) == Digest::of("t", &before);
            assert_eq!(same, changes.is_empty());
        }
    }
}
