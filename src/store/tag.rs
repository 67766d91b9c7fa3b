//! `CACHEDIR.TAG`, which says that all in a directory can be made again, and that this program made it: nothing without it
//! is ever removed. See <https://bford.info/cachedir/>.

use std::io;
use std::path::Path;

use super::artifacts::StoreError;
use super::atomic::{self, Failed};
use crate::disk;

pub(crate) const NAME: &str = "CACHEDIR.TAG";
const TEXT: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n# This directory was created by genti.\n";

/// What a directory says of who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// This program.
    Here,
    /// Another one.
    Elsewhere,
    /// Nothing.
    Unknown,
}

/// Marks `dir` as ours.
pub(crate) fn mark(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(NAME);
    match atomic::write_all(dir, &[(NAME, TEXT)]) {
        Ok(()) => Ok(()),
        // Another run may have swept up what was unfinished; then it has marked the directory before.
        Err(_) if is_ours(dir) => Ok(()),
        Err(Failed { error, .. }) => Err(StoreError::Io { path, error }),
    }
}

/// Who made `dir`.
///
/// # Errors
///
/// If its tag can't be read.
pub(crate) fn maker(dir: &Path) -> Result<Made, StoreError> {
    let path = dir.join(NAME);
    match disk::read(&path) {
        Ok(text) if text == TEXT => Ok(Made::Here),
        Ok(_) => Ok(Made::Elsewhere),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Made::Unknown),
        Err(error) => Err(StoreError::Io { path, error }),
    }
}

/// Whether `dir` is marked as ours.
pub(crate) fn is_ours(dir: &Path) -> bool {
    matches!(maker(dir), Ok(Made::Here))
}
