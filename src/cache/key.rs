//! The parts of a cache key. One walk collects the named parts: their digest is the key, and the difference between two lists
//! of parts explains why a task ran again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::digest::{ContentHash, Digest, Sink};

/// Kind of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PartKind {
    /// This program, which parses the output of the tools.
    Genti,
    /// A field of the definition of the tool.
    Definition,
    /// Cargo's flags that select packages, targets and features.
    Selection,
    /// A file of the tool's program.
    Program,
    /// An environment variable that the tool sees. Only the digest of its value is stored.
    Variable,
    /// A file that the tool reads although it is not an input of any task, such as configuration above the workspace.
    File,
    /// Inputs that all tasks of the tool share.
    Inputs,
    /// The key of a tool that this one needs.
    Need,
    /// The version that the tool reports, if its files alone don't identify it.
    Version,
}

impl PartKind {
    /// Describes the part called `name`, for users. Also hashed into the key.
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

/// The parts of a key that all tasks of a tool share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts(BTreeMap<(PartKind, String), Digest>);

impl Parts {
    /// Adds a part.
    pub fn add(&mut self, kind: PartKind, name: impl Into<String>, digest: Digest) {
        self.0.insert((kind, name.into()), digest);
    }

    /// Adds a part for each field of `value`.
    pub fn add_fields(&mut self, kind: PartKind, value: &dyn ContentHash) {
        let mut fields = KeyFields::default();
        value.feed(&mut fields);
        for (name, values) in fields.0 {
            self.add(kind, name, Digest::of("genti.part.1", &Bytes(&values)));
        }
    }

    /// Returns a digest of the parts of this kind.
    pub fn of_kind(&self, kind: PartKind) -> Digest {
        let parts = self.0.iter().filter(|((own, _), _)| *own == kind);
        Digest::of("genti.kind.1", &Self(parts.map(|(key, digest)| (key.clone(), *digest)).collect()))
    }

    /// Returns the parts that differ from `before`.
    pub fn changes(&self, before: &Self) -> Vec<PartChange> {
        let keys: std::collections::BTreeSet<_> = self.0.keys().chain(before.0.keys()).collect();
        let change = |key: &(PartKind, String)| {
            let (from, to) = (before.0.get(key).copied(), self.0.get(key).copied());
            (from != to).then(|| PartChange { what: key.0.describe(&key.1), from, to })
        };
        keys.into_iter().filter_map(change).collect()
    }
}

impl ContentHash for Parts {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.count("parts", self.0.len());
        for ((kind, name), digest) in &self.0 {
            sink.field("what", kind.describe("").as_bytes());
            sink.field("name", name.as_bytes());
            sink.field("digest", &digest.0);
        }
    }
}

/// A part of a key that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartChange {
    /// Description of the part.
    pub what: String,
    /// Digest before the change; `None` if the part was absent.
    pub from: Option<Digest>,
    /// Digest after the change; `None` if the part is gone.
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

/// A sink that collects values by the name of their field. Names with a dot belong to the field before the dot.
#[derive(Default)]
struct KeyFields(BTreeMap<&'static str, Vec<Vec<u8>>>);

impl Sink for KeyFields {
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

    fn parts(of: &[(PartKind, &str, &str)]) -> Parts {
        let mut parts = Parts::default();
        for (kind, name, value) in of {
            parts.add(*kind, *name, Digest::of_bytes(value.as_bytes()));
        }
        parts
    }

    #[test]
    fn the_key_differs_exactly_when_a_part_has_changed() {
        let before = parts(&[(PartKind::Variable, "A", "1"), (PartKind::Variable, "B", "2")]);
        let cases = [
            (vec![(PartKind::Variable, "A", "1"), (PartKind::Variable, "B", "2")], vec![]),
            (vec![(PartKind::Variable, "A", "3"), (PartKind::Variable, "B", "2")], vec!["the variable A"]),
            (vec![(PartKind::Variable, "B", "2")], vec!["the variable A"]),
            (
                vec![(PartKind::File, "A", "1"), (PartKind::Variable, "B", "2")],
                vec!["the variable A", "the file A"],
            ),
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
