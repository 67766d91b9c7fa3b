//! `target/genti/builds`: the inputs of each unit that cargo built, as of its last real build. Specific to
//! the build directory of one machine.
//!
//! The file is written atomically and verified when it is read. Units without an entry are built again.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::trust;
use crate::model::digest::Digest;

/// The last real build of each unit, by its artifact or the output of its build script.
pub type Builds = BTreeMap<String, Built>;

/// The last real build of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// Size of its output in bytes.
    pub len: u64,
    /// Modification time of its output in nanoseconds since 1970. With the size, it shows if the unit was
    /// built again since.
    pub modified: i64,
    /// Digest of the files it is known to have read.
    pub read: Digest,
    /// Digest of further files it may have read: the other files of its package and of the dependencies.
    pub presumed: Digest,
}

const NAME: &str = "genti/builds";
const MAGIC: &[u8] = b"genti-builds-1\n";

/// Loads the builds. Returns none if the file is missing, unreadable or not trusted.
pub fn load_builds(target_dir: &Path) -> Builds {
    trust::read(&target_dir.join(NAME)).ok().and_then(|bytes| read(&bytes)).unwrap_or_default()
}

fn read(bytes: &[u8]) -> Option<Builds> {
    let (check, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    (Digest::of_bytes(body).0 == *check).then(|| postcard::from_bytes(body).ok()).flatten()
}

/// Saves the builds, without syncing to disk.
///
/// # Errors
///
/// If they can't be written. The previous file is unchanged then.
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
    fn a_damaged_file_counts_as_empty() {
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
