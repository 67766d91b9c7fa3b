//! The `CACHEDIR.TAG` file, which marks a directory as a cache and as created by genti. Nothing is removed
//! from a directory without it. See <https://bford.info/cachedir/>.

use std::io;
use std::path::Path;

use super::atomic::{self, Failed};
use super::error::StoreError;
use crate::disk;

pub(crate) const NAME: &str = "CACHEDIR.TAG";
const TEXT: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n# This directory was created by genti.\n";

/// Creator of a directory according to its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Creator {
    /// The directory was created by genti.
    Genti,
    /// The directory was created by another program.
    Other,
    /// There is no tag.
    Unknown,
}

/// Tags `dir` as genti's.
pub(crate) fn mark(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(NAME);
    match atomic::write_all(dir, &[(NAME, TEXT)]) {
        Ok(()) => Ok(()),
        // Another run may have removed the staged file. It has tagged the directory before.
        Err(_) if is_ours(dir) => Ok(()),
        Err(Failed { error, .. }) => Err(StoreError::Io { path, error }),
    }
}

/// Returns the creator of `dir`.
///
/// # Errors
///
/// If its tag can't be read.
pub(crate) fn creator(dir: &Path) -> Result<Creator, StoreError> {
    let path = dir.join(NAME);
    match disk::read(&path) {
        Ok(text) if text == TEXT => Ok(Creator::Genti),
        Ok(_) => Ok(Creator::Other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Creator::Unknown),
        Err(error) => Err(StoreError::Io { path, error }),
    }
}

/// Returns true if `dir` has the tag of genti.
pub(crate) fn is_ours(dir: &Path) -> bool {
    matches!(creator(dir), Ok(Creator::Genti))
}
