//! Whether something is still what it was, in 8 bytes. Private to one build of one build script.
//!
//! The standard library's hasher may change from one Rust to the next. Then the program changes as well, which every
//! record holds the fingerprint of: no record is believed that another hasher wrote.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::path::Path;

/// What was hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) [u8; 8]);

impl Fingerprint {
    /// Of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut hash = Fingerprinter::new();
        hash.bytes(bytes);
        hash.finish()
    }

    /// The same, of what is in the file `path`.
    #[expect(clippy::disallowed_methods, reason = "build scripts read files")]
    pub(super) fn of_file(path: &Path) -> std::io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hash = Fingerprinter::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hash.finish()),
                // What is read at once depends on the system, but the hasher joins what it is given.
                len => hash.bytes(&buffer[..len]),
            }
        }
    }
}

/// Hashes field after field.
pub(super) struct Fingerprinter(DefaultHasher);

impl Fingerprinter {
    pub(super) fn new() -> Self {
        Self(DefaultHasher::new())
    }

    /// A field of its own: `ab`, `c` is something else than `a`, `bc`.
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
    fn a_file_is_what_its_bytes_are_however_it_is_read() {
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
