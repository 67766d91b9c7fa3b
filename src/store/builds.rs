//! `target/genti/builds`: what each unit that cargo built had read when cargo last really built it. Belongs to the build
//! directory of one machine.
//!
//! It is written whole or not at all, and verified when it is read. What is missing counts as unknown, and is built again.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::trust;
use crate::model::digest::Digest;

/// The last real build of each unit, by its artifact or the output of its script.
pub type Builds = BTreeMap<String, Built>;

/// What is known of the last real build of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// The size in bytes of what it made.
    pub len: u64,
    /// When that was last written, in nanoseconds since 1970: with the size, it tells whether somebody else has built since.
    pub modified: i64,
    /// What it is known to have read.
    pub read: Digest,
    /// What it may have read beside that: the other files of its package and of what this depends on.
    pub presumed: Digest,
}

const NAME: &str = "genti/builds";
const MAGIC: &[u8] = b"genti-builds-1\n";

/// Reads them; none if there are none that can be read and trusted.
pub fn load_builds(target_dir: &Path) -> Builds {
    trust::read(&target_dir.join(NAME)).ok().and_then(|bytes| read(&bytes)).unwrap_or_default()
}

fn read(bytes: &[u8]) -> Option<Builds> {
    let (check, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    (Digest::of_bytes(body).0 == *check).then(|| postcard::from_bytes(body).ok()).flatten()
}

/// Writes them. They need not last through a power cut.
///
/// # Errors
///
/// If they can't be written; then those before are untouched.
pub fn save_builds(target_dir: &Path, builds: &Builds) -> io::Result<()> {
    let body = postcard::to_stdvec(builds).map_err(io::Error::other)?;
    let mut file = trust::unfinished(&target_dir.join("genti"))?;
    for bytes in [MAGIC, &Digest::of_bytes(&body).0, &body] {
        file.as_file_mut().write_all(bytes)?;
    }
    file.persist(target_dir.join(NAME)).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_that_are_damaged_anywhere_are_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("genti")).unwrap();
        assert_eq!(load_builds(dir.path()), Builds::new());
        let digest = Digest::of_bytes(b"x");
        let built = Built { len: 1, modified: 2, read: digest, presumed: digest };
        let builds = Builds::from([("debug/deps/a.rmeta".to_owned(), built)]);
        save_builds(dir.path(), &builds).unwrap();
        assert_eq!(load_builds(dir.path()), builds);
        let good = std::fs::read(dir.path().join(NAME)).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            assert_eq!(read(&bad), None, "byte {at}");
            assert_eq!(read(&good[..at]), None, "cut at {at}");
        }
    }
}
