//! Fingerprints of 8 bytes to detect changes. Private to one build of one build script.
//!
//! The hasher of the standard library may change between Rust versions. The build script's program changes then too,
//! and its fingerprint is part of every record, so records written with another hasher are never used.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::path::Path;

/// Hash of some content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) [u8; 8]);

impl Fingerprint {
    /// Returns the fingerprint of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut hash = Fingerprinter::new();
        hash.bytes(bytes);
        hash.finish()
    }

    /// Returns the fingerprint of the file `path`, the same as for its bytes.
    #[expect(clippy::disallowed_methods, reason = "build scripts read files")]
    pub(super) fn of_file(path: &Path) -> std::io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hash = Fingerprinter::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hash.finish()),
                // The size of a read depends on the system, but the hash only depends on the bytes.
                len => hash.bytes(&buffer[..len]),
            }
        }
    }
}

/// Hashes a sequence of fields.
pub(super) struct Fingerprinter(DefaultHasher);

impl Fingerprinter {
    pub(super) fn new() -> Self {
        Self(DefaultHasher::new())
    }

    /// Adds a field with its length, so `ab`, `c` differs from `a`, `bc`.
    pub(super) fn field(&mut self, bytes: &[u8]) {
        self.bytes(&(bytes.len() as u64).to_le_bytes());
        self.bytes(bytes);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub(super) fn finish(&self) -> Fingerprint {
        Fingerprint(self.0.finish().to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_fingerprint_of_its_bytes() {
        let bytes: Vec<u8> = (0..700_001_u32).map(|n| n.to_le_bytes()[0]).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), &bytes).unwrap();
        assert_eq!(Fingerprint::of_file(file.path()).unwrap(), Fingerprint::of(&bytes));
        assert_ne!(Fingerprint::of(&bytes), Fingerprint::of(&bytes[1..]));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let of = |fields: &[&str]| {
            let mut hash = Fingerprinter::new();
            fields.iter().for_each(|field| hash.field(field.as_bytes()));
            hash.finish()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["", "a"]), of(&["a", ""]));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    }
}
