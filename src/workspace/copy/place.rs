//! The directory of a copy, with a lock that shows whether its process still lives.
//!
//! Copies are in directories `genti-copy-…` below that for temporary files. Each has a file `lock`, which is locked as long as
//! the copy exists, and the copy itself under the name of its original. The names depend only on the original and the purpose,
//! so that paths of files, such as those in what cargo builds, are the same each time.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use super::CopyError;
use crate::disk;
use crate::model::digest::{Hasher, Sink};
use crate::store::{self, trust};

/// Start of the names of all directories.
const PREFIX: &str = "genti-copy-";
/// Name of the file that is locked.
const LOCK: &str = "lock";
/// Maximum number of copies for one purpose at a time.
const MOST: u32 = 100;

/// A locked directory. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct CopyPlace {
    dir: PathBuf,
    top: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl CopyPlace {
    /// Creates an empty directory for a copy of `from`, and removes what killed runs have left.
    pub(super) fn find(from: &Path, purpose: &str) -> Result<Self, CopyError> {
        let base = std::env::temp_dir();
        let failed = |source| CopyError::Io { path: base.clone(), source };
        let base = base.canonicalize().map_err(failed)?;
        if base.starts_with(disk::real(from)) {
            return Err(CopyError::Inside(base));
        }
        sweep(&base);
        let mut name = Hasher::new("genti.copy.1");
        name.field("top", from.as_os_str().as_encoded_bytes());
        name.field("purpose", purpose.as_bytes());
        let name = format!("{PREFIX}{}", name.finish().short(16));
        for number in 0..MOST {
            let dir = base.join(if number == 0 { name.clone() } else { format!("{name}-{number}") });
            let failed = |source| CopyError::Io { path: dir.clone(), source };
            if let Some(lock) = take(&dir).map_err(failed)? {
                let top = dir.join(from.file_name().unwrap_or("root".as_ref()));
                empty(&dir).and_then(|()| fs::create_dir(&top)).map_err(failed)?;
                return Ok(Self { dir, top, _lock: lock });
            }
        }
        let source = io::Error::other("too many copies are in use");
        Err(CopyError::Io { path: base.join(name), source })
    }

    /// Returns the top of the copy.
    pub(super) fn top(&self) -> &Path {
        &self.top
    }
}

impl Drop for CopyPlace {
    fn drop(&mut self) {
        // What can't be removed is left to the next copy.
        let _ = empty(&self.dir).and_then(|()| fs::remove_dir_all(&self.dir));
    }
}

/// Creates or reuses the directory `dir` and locks it. Returns `None` if another process uses it, or it belongs to another user.
fn take(dir: &Path) -> io::Result<Option<File>> {
    match private().create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !is_own(dir) {
        return Ok(None);
    }
    let path = dir.join(LOCK);
    let lock = match trust::open(&path) {
        // Another process removes it at this moment.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        lock => lock?,
    };
    let is_locked = fs4::FileExt::try_lock(&lock).is_ok();
    Ok((is_locked && is_at(&lock, &path)).then_some(lock))
}

/// Creates directories that only this user can use.
#[cfg(unix)]
fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(not(unix))]
fn private() -> DirBuilder {
    DirBuilder::new()
}

/// Removes the copies that no living process has locked.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let dir = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !is_own(&dir) {
            continue;
        }
        // If something can't be removed, the next copy tries again.
        let _ = match disk::open(&dir.join(LOCK)) {
            Ok(lock) if fs4::FileExt::try_lock(&lock).is_ok() => {
                empty(&dir).and_then(|()| fs::remove_dir_all(&dir))
            }
            Ok(_) => Ok(()),
            // It was killed before it had a lock. Another process that is about to create it takes another directory.
            Err(_) => fs::remove_dir(&dir),
        };
    }
}

/// Removes everything but the lock from `dir`.
fn empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => store::remove_tree(&entry.path())?,
            false if entry.file_name() != LOCK => fs::remove_file(entry.path())?,
            false => {}
        }
    }
    Ok(())
}

/// Returns whether `dir` is a directory, and no link to one, of this user.
#[cfg(unix)]
fn is_own(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    dir.symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == own)
}

#[cfg(not(unix))]
fn is_own(dir: &Path) -> bool {
    dir.symlink_metadata().is_ok_and(|meta| meta.is_dir())
}

/// Returns whether `file` is still the one at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |meta: fs::Metadata| (meta.dev(), meta.ino());
    file.metadata().ok().map(id) == path.symlink_metadata().ok().map(id)
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
