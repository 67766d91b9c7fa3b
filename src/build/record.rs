//! Record of a finished unit, used to decide whether the unit must run again.
//!
//! A record is written atomically after the outputs and is self-contained. An interruption (a kill, a full disk, a
//! power failure) therefore never leaves a record about missing outputs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::fingerprint::Fingerprint;
use crate::model::path::RelPath;

/// Version of the format. A record of another version is never used, so its unit runs again.
const MAGIC: &[u8] = b"genti-unit-2\n";

/// Record of a finished unit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UnitRecord {
    /// Fingerprint of everything that the unit depends on except for its inputs.
    pub(super) conditions: Fingerprint,
    /// Inputs with a copy of their bytes.
    pub(super) inputs: Vec<(String, Vec<u8>)>,
    /// Outputs of earlier generators that were inputs.
    pub(super) from: Vec<Made>,
    /// Dependencies discovered while the unit ran, with their content.
    pub(super) discovered: Vec<DiscoveredDependency>,
    /// Outputs of the unit.
    pub(super) outputs: Vec<Made>,
    /// Lines for cargo, printed in every build.
    pub(super) lines: Vec<String>,
    /// Fingerprint of the directories if there are lines, because these may contain their paths.
    pub(super) dirs: Option<Fingerprint>,
}

/// Units that write each output, as sorted indices.
pub(super) type Claims = BTreeMap<RelPath, Vec<usize>>;

/// Adds the unit `at` to the units that write `path`, and returns whether it is the only one.
pub(super) fn claim(claims: &mut Claims, path: &RelPath, at: usize) -> bool {
    let claimants = claims.entry(path.clone()).or_default();
    claimants.insert(claimants.partition_point(|&other| other < at), at);
    claimants.len() == 1
}

/// Conditions under which a record is up to date.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) conditions: Fingerprint,
    /// Names of the inputs in the package.
    pub(super) inputs: &'a [&'a str],
    /// Names of the inputs that earlier generators wrote.
    pub(super) from: &'a [&'a str],
    /// Package directory.
    pub(super) root: &'a Path,
    /// `OUT_DIR`.
    pub(super) out: &'a Path,
    /// Fingerprint of both.
    pub(super) dirs: Fingerprint,
}

/// Discovered dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiscoveredDependency {
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

impl UnitRecord {
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
            put_optional(&mut to, seen.content);
        }
        for list in [&self.from, &self.outputs] {
            put_len(&mut to, list.len());
            for made in list {
                put(&mut to, made.path.as_bytes());
                to.extend_from_slice(&made.len.to_le_bytes());
                to.extend_from_slice(&made.content.0);
            }
        }
        put_len(&mut to, self.lines.len());
        self.lines.iter().for_each(|line| put(&mut to, line.as_bytes()));
        put_optional(&mut to, self.dirs);
        let sum = Fingerprint::of(&to);
        to.extend_from_slice(&sum.0);
        to
    }

    /// Decodes the output of [`UnitRecord::encode`]. Returns `None` for anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(8)?)?;
        if Fingerprint::of(body).0 != sum {
            return None;
        }
        let mut from = RecordReader(body.strip_prefix(MAGIC)?);
        let conditions = from.fingerprint()?;
        let inputs = from.list(|from| Some((from.text()?, from.bytes()?.to_vec())))?;
        let discovered = from.list(|from| {
            let path = from.text()?;
            Some(DiscoveredDependency { path, content: from.optional_fingerprint()? })
        })?;
        let made = |from: &mut RecordReader<'_>| {
            let path = RelPath::new(from.bytes()?);
            Some(Made { path, len: from.number()?, content: from.fingerprint()? })
        };
        let (made_from, outputs) = (from.list(made)?, from.list(made)?);
        let lines = from.list(RecordReader::text)?;
        let dirs = from.optional_fingerprint()?;
        let record = Self { conditions, inputs, from: made_from, discovered, outputs, lines, dirs };
        from.0.is_empty().then_some(record)
    }

    /// Drops the copies of the inputs, which are needed only in the stored record.
    pub(super) fn forget_bytes(&mut self) {
        self.inputs.iter_mut().for_each(|(_, bytes)| *bytes = Vec::new());
    }

    /// Returns whether the record is up to date. Dependencies are checked before outputs, because a changed dependency is
    /// the most common reason.
    pub(super) fn holds(&self, now: &Expected<'_>) -> bool {
        let is_made = |made: &Made| look(&made.path.to_path(now.out)) == Some(made.content);
        self.conditions == now.conditions
            && self.dirs.is_none_or(|dirs| dirs == now.dirs)
            && self.inputs.iter().map(|(path, _)| path).eq(now.inputs)
            && self
                .from
                .iter()
                .map(|made| made.path.as_bytes())
                .eq(now.from.iter().map(|path| path.as_bytes()))
            && self.inputs.iter().all(|(path, bytes)| is_still(&now.root.join(path), bytes))
            && self.from.iter().all(is_made)
            && self.discovered.iter().all(|seen| seen.content == look(&now.root.join(&seen.path)))
            && self.outputs.iter().all(is_made)
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

fn put_optional(to: &mut Vec<u8>, content: Option<Fingerprint>) {
    put(to, content.as_ref().map_or(&[], |content| &content.0[..]));
}

struct RecordReader<'a>(&'a [u8]);

impl<'a> RecordReader<'a> {
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

    fn optional_fingerprint(&mut self) -> Option<Option<Fingerprint>> {
        match self.bytes()? {
            [] => Some(None),
            content => Some(Some(Fingerprint(content.try_into().ok()?))),
        }
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.number()?;
        (0..len).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> UnitRecord {
        let print = |text: &str| Fingerprint::of(text.as_bytes());
        UnitRecord {
            conditions: print("conditions"),
            inputs: vec![("in/a".to_owned(), b"bytes".to_vec()), ("in/b".to_owned(), Vec::new())],
            discovered: vec![
                DiscoveredDependency { path: "there".to_owned(), content: Some(print("there")) },
                DiscoveredDependency { path: "missing".to_owned(), content: None },
            ],
            from: vec![Made { path: RelPath::new("a.o"), len: 1, content: print("o") }],
            outputs: vec![Made { path: RelPath::new("a.rs"), len: 3, content: print("a") }],
            lines: vec!["cargo:rustc-cfg=a".to_owned()],
            dirs: Some(print("dirs")),
        }
    }

    #[test]
    fn an_encoded_record_can_be_decoded() {
        assert_eq!(UnitRecord::decode(&record().encode()), Some(record()));
    }

    #[test]
    fn a_truncated_or_damaged_record_is_rejected() {
        let bytes = record().encode();
        for end in 0..bytes.len() {
            assert_eq!(UnitRecord::decode(&bytes[..end]), None, "cut at {end}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(UnitRecord::decode(&damaged), None, "flipped at {at}");
        }
    }
}
