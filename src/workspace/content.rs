//! Content and metadata of single files: digests and stamps.
#![expect(clippy::disallowed_methods, reason = "part of the shell: reads files and the clock")]

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::disk;
use crate::model::digest::Digest;
use crate::model::halt::{Halt, Pace};
use crate::model::stamp::Stamp;

/// Returns the current stamp of the file at `place`.
pub(super) fn stamp(place: &Path) -> io::Result<Stamp> {
    Ok(stamp_of(&place.symlink_metadata()?))
}

#[cfg(unix)]
pub(super) fn stamp_of(meta: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let (modified, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
    Stamp::of_unix(meta.size(), modified, changed, meta.ino())
}

#[cfg(not(unix))]
pub(super) fn stamp_of(meta: &fs::Metadata) -> Stamp {
    let modified = meta.modified().map_or(i64::MAX, nanos);
    Stamp { len: meta.len(), modified, changed: modified, inode: 0 }
}

/// Returns the current time in nanoseconds since 1970.
pub fn now() -> i64 {
    nanos(SystemTime::now())
}

/// Converts a time to nanoseconds since 1970.
fn nanos(time: SystemTime) -> i64 {
    let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    }
}

/// Returns the permissions of a file as on Unix; 0 on other systems.
#[cfg(unix)]
pub fn permission_bits(meta: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o7777
}

/// Returns the permissions of a file as on Unix; 0 on other systems.
#[cfg(not(unix))]
pub fn permission_bits(_: &fs::Metadata) -> u32 {
    0
}

pub(super) fn is_executable(meta: &fs::Metadata) -> bool {
    permission_bits(meta) & 0o100 != 0
}

pub(super) const BUFFER: usize = 64 << 10;

/// Key that distinguishes the digests of executable files.
const EXECUTABLE: [u8; 32] = *b"genti: the owner may execute it.";

/// Returns the digest of the file at `place`. Fails like [`hash_file`].
pub(super) fn digest(place: &Path, halt: &dyn Halt) -> io::Result<Digest> {
    Ok(hash_file(place, &mut vec![0; BUFFER], halt)?.0)
}

/// Returns the digest of a file with this content, as [`digest`] does.
pub(super) fn digest_of(content: &[u8], is_executable: bool) -> Digest {
    let digest = Digest::of_bytes(content);
    if is_executable { digest.keyed(&Digest(EXECUTABLE)) } else { digest }
}

/// Hashes a file with a reusable buffer, so memory does not depend on its size. Like git, it includes whether the
/// owner may execute the file. Fails with [`Halted`](crate::model::halt::Halted) once `halt` is due.
pub(super) fn hash_file(place: &Path, buffer: &mut [u8], halt: &dyn Halt) -> io::Result<(Digest, u64)> {
    let mut pace = Pace::new(halt);
    let mut file = disk::open(place)?;
    let is_executable = is_executable(&file.metadata()?);
    let mut hasher = blake3::Hasher::new();
    loop {
        pace.spend(buffer.len())?;
        match file.read(buffer) {
            Ok(0) => {
                let content = Digest(*hasher.finalize().as_bytes());
                let digest = if is_executable { content.keyed(&Digest(EXECUTABLE)) } else { content };
                return Ok((digest, hasher.count()));
            }
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::halt::testing::After;
    use crate::model::halt::{Never, is_halt};

    #[test]
    fn hashing_a_large_file_stops_within_bounded_work_when_halted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // It is sparse, and reading all of it would take hours.
        file.as_file().set_len(1 << 43).unwrap();
        let halt = After::new(10);
        assert!(is_halt(&digest(file.path(), &halt).unwrap_err()));
        assert_eq!(halt.asked(), 11);
        file.as_file().set_len(1 << 20).unwrap();
        let all = After::new(usize::MAX);
        assert_eq!(digest(file.path(), &all).unwrap(), digest(file.path(), &Never).unwrap());
        assert!(all.asked() >= 8, "{}", all.asked());
    }
}
