//! Content and metadata of single files: digests and stamps.
#![expect(clippy::disallowed_methods, reason = "part of the shell: reads files and the clock")]

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::disk;
use crate::model::digest::Digest;
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
pub(super) fn now() -> i64 {
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

#[cfg(unix)]
fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

pub(super) const BUFFER: usize = 64 << 10;

/// Key that distinguishes the digests of executable files.
const EXECUTABLE: [u8; 32] = *b"genti: the owner may execute it.";

/// Returns the digest of the file at `place`.
pub(super) fn digest(place: &Path) -> io::Result<Digest> {
    Ok(hash_file(place, &mut vec![0; BUFFER])?.0)
}

/// Hashes a file with a reusable buffer, so memory does not depend on its size. Like git, it includes whether the
/// owner may execute the file.
pub(super) fn hash_file(place: &Path, buffer: &mut [u8]) -> io::Result<(Digest, u64)> {
    let mut file = disk::open(place)?;
    let is_executable = is_executable(&file.metadata()?);
    let mut hasher = blake3::Hasher::new();
    loop {
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
