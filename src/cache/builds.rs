//! `target/genti/builds`: the inputs that each unit had when cargo last really built it. Belongs to the build directory of one
//! machine.
//!
//! The file is written atomically and verified when it is read. A unit that is missing in it is built again.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::digest::Digest;
use crate::store::trust;

/// The last build of each unit that actually ran (was not replayed), by the path of its artifact or of the
/// output of its build script.
pub(super) type Builds = BTreeMap<String, LastBuild>;

/// The last real build of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastBuild {
    /// Size in bytes of the artifact.
    pub(super) len: u64,
    /// Modification time of the artifact, in nanoseconds since 1970. Together with the size it shows whether another cargo
    /// has built the unit since.
    pub(super) modified: i64,
    /// Digest over the inputs that the unit is known to read.
    pub(super) read: Digest,
    /// Digest over the inputs that it may read: the other files of its package and of its dependencies.
    pub(super) presumed: Digest,
}

const NAME: &str = "genti/builds";
const MAGIC: &[u8] = b"genti-builds-1\n";

/// Reads the file below `target_dir`. Empty if it is absent, unreadable or not to be trusted.
pub(super) fn load_builds(target_dir: &Path) -> Builds {
    trust::read(&target_dir.join(NAME)).ok().and_then(|bytes| read(&bytes)).unwrap_or_default()
}

fn read(bytes: &[u8]) -> Option<Builds> {
    let (check, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    (Digest::of_bytes(body).0 == *check).then(|| postcard::from_bytes(body).ok()).flatten()
}

/// Writes the file below `target_dir`, without syncing: it may be lost in a power cut.
///
/// # Errors
///
/// If it can't be written; the file from before is then untouched.
pub(super) fn save_builds(target_dir: &Path, builds: &Builds) -> io::Result<()> {
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
    fn a_damaged_file_has_no_builds() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("genti")).unwrap();
        assert_eq!(load_builds(dir.path()), Builds::new());
        let digest = Digest::of_bytes(b"x");
        let built = LastBuild { len: 1, modified: 2, read: digest, presumed: digest };
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
