//! Record of a finished unit, used to decide whether the unit must run again.
//!
//! A record is written atomically after the outputs and is self-contained. An interruption (a kill, a full disk, a
//! power failure) therefore never leaves a record about missing outputs.

use std::fs;
use std::path::Path;

use super::fingerprint::Fingerprint;
use crate::model::path::RelPath;

const MAGIC: &[u8] = b"genti-unit-1\n";

/// Record of a finished unit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Fingerprint of everything that the unit depends on except for its inputs.
    pub(super) conditions: Fingerprint,
    /// Inputs with a copy of their bytes.
    pub(super) inputs: Vec<(String, Vec<u8>)>,
    /// Dependencies discovered while the unit ran, with their content.
    pub(super) discovered: Vec<Seen>,
    /// Outputs of the unit.
    pub(super) outputs: Vec<Made>,
}

/// Discovered dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) path: String,
    /// `None` if the file does not exist.
    pub(super) content: Option<Fingerprint>,
}

/// Output file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) path: RelPath,
    pub(super) len: u64,
    pub(super) content: Fingerprint,
}

impl Record {
    /// Encodes the record, with a checksum at the end.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = MAGIC.to_vec();
        to.extend_from_slice(&self.conditions.0);
        put_len(&mut to, self.inputs.len());
        for (path, bytes) in &self.inputs {
            put(&mut to, path.as_bytes());
            put(&mut to, bytes);
        }
        put_len(&mut to, self.discovered.len());
        for seen in &self.discovered {
            put(&mut to, seen.path.as_bytes());
            put(&mut to, seen.content.as_ref().map_or(&[], |content| &content.0[..]));
        }
        put_len(&mut to, self.outputs.len());
        for made in &self.outputs {
            put(&mut to, made.path.as_bytes());
            to.extend_from_slice(&made.len.to_le_bytes());
            to.extend_from_slice(&made.content.0);
        }
        let sum = Fingerprint::of(&to);
        to.extend_from_slice(&sum.0);
        to
    }

    /// Decodes the output of [`Record::encode`]. Returns `None` for anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(8)?)?;
        if Fingerprint::of(body).0 != sum {
            return None;
        }
        let mut from = Reader(body.strip_prefix(MAGIC)?);
        let conditions = from.fingerprint()?;
        let inputs = from.list(|from| Some((from.text()?, from.bytes()?.to_vec())))?;
        let discovered = from.list(|from| {
            let path = from.text()?;
            let content = match from.bytes()? {
                [] => None,
                content => Some(Fingerprint(content.try_into().ok()?)),
            };
            Some(Seen { path, content })
        })?;
        let outputs = from.list(|from| {
            let path = RelPath::new(from.bytes()?);
            Some(Made { path, len: from.number()?, content: from.fingerprint()? })
        })?;
        from.0.is_empty().then_some(Self { conditions, inputs, discovered, outputs })
    }

    /// Drops the copies of the inputs, which are needed only in the stored record.
    pub(super) fn forget_bytes(&mut self) {
        self.inputs.iter_mut().for_each(|(_, bytes)| *bytes = Vec::new());
    }

    /// Returns whether the record is up to date, with the package at `root` and the outputs below `out`. Dependencies
    /// are checked before outputs, because a changed dependency is the most common reason.
    pub(super) fn holds(&self, conditions: Fingerprint, inputs: &[String], root: &Path, out: &Path) -> bool {
        self.conditions == conditions
            && self.inputs.iter().map(|(path, _)| path).eq(inputs)
            && self.inputs.iter().all(|(path, bytes)| is_still(&root.join(path), bytes))
            && self.discovered.iter().all(|seen| seen.content == look(&root.join(&seen.path)))
            && self.outputs.iter().all(|made| look(&made.path.to_path(out)) == Some(made.content))
    }
}

/// Returns whether the file `path` contains exactly `bytes`.
#[expect(clippy::disallowed_methods, reason = "build scripts read their inputs")]
pub(super) fn is_still(path: &Path, bytes: &[u8]) -> bool {
    let has_len = || fs::metadata(path).is_ok_and(|metadata| metadata.len() == bytes.len() as u64);
    has_len() && fs::read(path).is_ok_and(|now| now == bytes)
}

/// Returns the fingerprint of the file `path`, or `None` if it cannot be read.
pub(super) fn look(path: &Path) -> Option<Fingerprint> {
    Fingerprint::of_file(path).ok()
}

fn put_len(to: &mut Vec<u8>, len: usize) {
    to.extend_from_slice(&(len as u64).to_le_bytes());
}

fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    put_len(to, bytes.len());
    to.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(usize::try_from(len).ok()?)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn fingerprint(&mut self) -> Option<Fingerprint> {
        self.take(8)?.try_into().ok().map(Fingerprint)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.number()?;
        (0..len).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let print = |text: &str| Fingerprint::of(text.as_bytes());
        Record {
            conditions: print("conditions"),
            inputs: vec![("in/a".to_owned(), b"bytes".to_vec()), ("in/b".to_owned(), Vec::new())],
            discovered: vec![
                Seen { path: "there".to_owned(), content: Some(print("there")) },
                Seen { path: "missing".to_owned(), content: None },
            ],
            outputs: vec![Made { path: RelPath::new("a.rs"), len: 3, content: print("a") }],
        }
    }

    #[test]
    fn an_encoded_record_can_be_decoded() {
        assert_eq!(Record::decode(&record().encode()), Some(record()));
    }

    #[test]
    fn a_truncated_or_damaged_record_is_rejected() {
        let bytes = record().encode();
        for end in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..end]), None, "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Record::decode(&damaged), None, "flipped at {at}");
        }
    }
}
