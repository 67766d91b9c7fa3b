//! Content hashing: digests over named, length-prefixed fields under a domain.
//!
//! A value that is part of an id implements [`ContentHash`] by passing its fields to a [`Sink`]. Hashing and
//! explaining are two sinks over the same walk, so an explanation always matches what was hashed. Serializers
//! are not used, because their formatting would become part of the contract.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A BLAKE3 digest. Its text form is 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// Serialized as text in formats for people, otherwise as bytes.
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return Deserialize::deserialize(deserializer).map(Self);
        }
        let text = Cow::<str>::deserialize(deserializer)?;
        let digest = Self::read(&text);
        digest.ok_or_else(|| serde::de::Error::custom(format_args!("invalid digest `{text}`")))
    }
}

impl Digest {
    /// Returns the digest of raw bytes, such as the content of a file.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Reads the text form, with lower-case digits only.
    pub fn read(text: &str) -> Option<Self> {
        let digest = Self(*blake3::Hash::from_hex(text).ok()?.as_bytes());
        (digest.to_string() == text).then_some(digest)
    }

    /// Returns the digest of the bytes that `write` produces.
    pub fn of_written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Self {
        let mut hasher = blake3::Hasher::new();
        // Hashing can't fail.
        let _ = write(&mut hasher);
        Self(*hasher.finalize().as_bytes())
    }

    /// Returns the digest of `value` under `domain`, which names the kind of id and its version.
    pub fn of<T: ContentHash + ?Sized>(domain: &'static str, value: &T) -> Self {
        let mut hasher = Hasher::new(domain);
        value.feed(&mut hasher);
        hasher.finish()
    }

    /// Returns the digest of another digest with this one as the key. The key separates ids as a domain would,
    /// but needs only one round of hashing, which matters because there may be a million ids.
    pub fn keyed(&self, of: &Self) -> Self {
        Self(*blake3::keyed_hash(&self.0, &of.0).as_bytes())
    }

    /// Returns the first 8 bytes, little-endian, as a uniform number for shuffles and boundaries.
    pub fn low_u64(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Returns the first `digits` hex digits (at most 64).
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

/// A value that is part of an id.
pub trait ContentHash {
    /// Passes every relevant field to `sink`, always in the same order.
    fn feed(&self, sink: &mut dyn Sink);
}

/// Receiver of the fields of [`ContentHash`] values: a [`Hasher`] or an [`Explanation`].
pub trait Sink {
    /// Adds a named field.
    fn field(&mut self, name: &'static str, value: &[u8]);

    /// Adds the number of entries of a list, so that adjacent lists can't be confused.
    fn count(&mut self, name: &'static str, entries: usize) {
        self.field(name, &(entries as u64).to_le_bytes());
    }

    /// Adds a list of texts.
    fn texts(&mut self, name: &'static str, values: &[String]) {
        self.count(name, values.len());
        for value in values {
            self.field(name, value.as_bytes());
        }
    }
}

/// The sink that computes a [`Digest`]. Each name and value is preceded by its length (8 bytes,
/// little-endian).
///
/// Fields are buffered and hashed at once, since most ids consist of a few hundred bytes in a dozen fields,
/// and there may be a million ids.
pub struct Hasher {
    /// Hash state once the buffer has overflowed.
    begun: Option<blake3::Hasher>,
    bytes: Vec<u8>,
}

/// Size of the buffer in bytes.
const COLLECTED: usize = 16 << 10;

impl Hasher {
    /// Starts a digest under `domain`.
    pub fn new(domain: &'static str) -> Self {
        let mut hasher = Self { begun: None, bytes: Vec::with_capacity(512) };
        hasher.prefixed(domain.as_bytes());
        hasher
    }

    /// Returns the digest of all fields.
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

/// The sink that collects the fields unchanged, to show what a digest covers.
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
    fn adjacent_fields_are_not_confused() {
        assert_ne!(Digest::of("t", &Pair("ab", "c")), Digest::of("t", &Pair("a", "bc")));
    }

    #[test]
    fn different_domains_give_different_digests() {
        assert_ne!(Digest::of("a", &Pair("x", "y")), Digest::of("b", &Pair("x", "y")));
    }

    #[test]
    fn fields_beyond_the_buffer_are_hashed() {
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
    fn an_explanation_contains_the_hashed_fields() {
        let mut explanation = Explanation::default();
        Pair("x", "y").feed(&mut explanation);
        assert_eq!(explanation.0, [("left", b"x".to_vec()), ("right", b"y".to_vec())]);
    }

    #[test]
    fn the_digest_of_known_fields_never_changes() {
        // A change here changes every stored id of users. Raise the version in the domain instead.
        assert_eq!(
            Digest::of("genti.test.1", &Pair("left", "right")).to_string(),
            "64dd4670dff5d0c7abfe5fd1033dadc2f79c5a34713c0ac90cb699d1b3a6f764"
        );
    }
}
