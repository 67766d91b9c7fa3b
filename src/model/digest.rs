//! What is hashed, and how: named fields, length-prefixed, under a domain.
//!
//! A value that takes part in an id implements [`ContentHash`] by telling a [`Sink`] its fields. Hashing and
//! explaining are two sinks over the same walk, so that an explanation can't drift from what was hashed. No
//! serializer is involved: its formatting would become part of the contract.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A BLAKE3 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of raw bytes, for file contents.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of `value` under `domain`, which names the kind of id and its version.
    pub fn of<T: ContentHash + ?Sized>(domain: &'static str, value: &T) -> Self {
        let mut hasher = Hasher::new(domain);
        value.feed(&mut hasher);
        hasher.finish()
    }

    /// The digest of another one under this one as the key: one round of hashing, where there may be a million of them. Of a
    /// digest under no domain, this tells it apart as a domain does.
    pub fn keyed(&self, of: &Self) -> Self {
        Self(*blake3::keyed_hash(&self.0, &of.0).as_bytes())
    }

    /// The first 8 bytes, little-endian: a uniform number for shuffles and boundaries.
    pub fn low_u64(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The first `digits` hex digits (at most 64).
    pub fn short(&self, digits: usize) -> String {
        let mut hex = self.to_string();
        hex.truncate(digits);
        hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A value that takes part in an id.
pub trait ContentHash {
    /// Tells `sink` every field that counts, always in the same order.
    fn feed(&self, sink: &mut dyn Sink);
}

/// Where [`ContentHash`] values go: a [`Hasher`], or an [`Explanation`].
pub trait Sink {
    /// One named field.
    fn field(&mut self, name: &'static str, value: &[u8]);

    /// The number of the entries that follow, so that two lists can't run into one another.
    fn count(&mut self, name: &'static str, entries: usize) {
        self.field(name, &(entries as u64).to_le_bytes());
    }

    /// A list of texts.
    fn texts(&mut self, name: &'static str, values: &[String]) {
        self.count(name, values.len());
        for value in values {
            self.field(name, value.as_bytes());
        }
    }
}

/// The sink that makes a [`Digest`]: each name and value is preceded by its length (8 bytes, little-endian).
///
/// What is told is collected and hashed in one go: most ids are made of a few hundred bytes in a dozen pieces, and there may
/// be a million of them.
pub struct Hasher {
    /// What was too much to be collected.
    begun: Option<blake3::Hasher>,
    bytes: Vec<u8>,
}

/// The bytes that are collected.
const COLLECTED: usize = 16 << 10;

impl Hasher {
    /// Starts under `domain`.
    pub fn new(domain: &'static str) -> Self {
        let mut hasher = Self { begun: None, bytes: Vec::with_capacity(512) };
        hasher.prefixed(domain.as_bytes());
        hasher
    }

    /// The digest of all that was told.
    pub fn finish(&self) -> Digest {
        let hash = match &self.begun {
            None => blake3::hash(&self.bytes),
            Some(begun) => begun.clone().update(&self.bytes).finalize(),
        };
        Digest(*hash.as_bytes())
    }

    fn prefixed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= COLLECTED {
            self.begun.get_or_insert_with(blake3::Hasher::new).update(&self.bytes);
            self.bytes.clear();
        }
    }
}

impl Sink for Hasher {
    fn field(&mut self, name: &'static str, value: &[u8]) {
        self.prefixed(name.as_bytes());
        self.prefixed(value);
    }
}

/// The sink that keeps the fields as they were told, to show what a digest is made of.
#[derive(Debug, Default)]
pub struct Explanation(pub Vec<(&'static str, Vec<u8>)>);

impl Sink for Explanation {
    fn field(&mut self, name: &'static str, value: &[u8]) {
        self.0.push((name, value.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair(&'static str, &'static str);
    impl ContentHash for Pair {
        fn feed(&self, sink: &mut dyn Sink) {
            sink.field("left", self.0.as_bytes());
            sink.field("right", self.1.as_bytes());
        }
    }

    #[test]
    fn fields_do_not_run_into_one_another() {
        assert_ne!(Digest::of("t", &Pair("ab", "c")), Digest::of("t", &Pair("a", "bc")));
    }

    #[test]
    fn domains_keep_ids_apart() {
        assert_ne!(Digest::of("a", &Pair("x", "y")), Digest::of("b", &Pair("x", "y")));
    }

    #[test]
    fn what_is_too_much_to_be_collected_is_hashed_all_the_same() {
        let mut hasher = Hasher::new("t");
        let mut whole = blake3::Hasher::new();
        let mut feed = |bytes: &[u8]| {
            whole.update(&(bytes.len() as u64).to_le_bytes());
            whole.update(bytes);
        };
        feed(b"t");
        for at in 0..3000_u32 {
            hasher.field("at", &at.to_le_bytes());
            feed(b"at");
            feed(&at.to_le_bytes());
        }
        assert_eq!(hasher.finish(), Digest(*whole.finalize().as_bytes()));
    }

    #[test]
    fn an_explanation_shows_what_was_hashed() {
        let mut explanation = Explanation::default();
        Pair("x", "y").feed(&mut explanation);
        assert_eq!(explanation.0, [("left", b"x".to_vec()), ("right", b"y".to_vec())]);
    }

    #[test]
    fn the_digest_of_known_fields_never_changes() {
        // A change here changes every id that users have stored: raise the version in the domain instead.
        assert_eq!(
            Digest::of("genti.test.1", &Pair("left", "right")).to_string(),
            "64dd4670dff5d0c7abfe5fd1033dadc2f79c5a34713c0ac90cb699d1b3a6f764"
        );
    }
}
