//! Checks before a path is written to: its kind and its owner.

use std::io;
use std::path::Path;

use super::error::StoreError;

/// Creates `dir` unless it exists.
pub(super) fn make(dir: &Path) -> Result<(), StoreError> {
    if is_there(dir, Kind::Dir)? {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(|error| StoreError::Io { path: dir.to_path_buf(), error })
}

/// Fails if `path` is a symbolic link.
pub(super) fn refuse_link(path: &Path) -> Result<(), StoreError> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => {
            Err(StoreError::Foreign { path: path.to_path_buf(), what: "a symbolic link" })
        }
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Dir,
}

/// Returns true if something exists at `path`. Fails if it has another kind or another owner.
pub(super) fn is_there(path: &Path, kind: Kind) -> Result<bool, StoreError> {
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::Io { path: path.to_path_buf(), error }),
    };
    let what = match kind {
        _ if meta.is_symlink() => "a symbolic link",
        Kind::File if meta.is_dir() => "a directory",
        Kind::File if !meta.is_file() => "not a regular file",
        Kind::Dir if !meta.is_dir() => "a file",
        Kind::Dir if !is_this_users(&meta) => "owned by another user",
        _ => return Ok(true),
    };
    Err(StoreError::Foreign { path: path.to_path_buf(), what })
}

#[cfg(unix)]
fn is_this_users(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// The target directory is in the user's own profile, where no other user writes.
#[cfg(not(unix))]
fn is_this_users(_: &std::fs::Metadata) -> bool {
    true
}
