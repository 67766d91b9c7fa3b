//! `CACHEDIR.TAG`, which says that all in a directory can be made again, and that this program made it: nothing without it
//! is ever removed. See <https://bford.info/cachedir/>.

use std::path::Path;

use super::artifacts::StoreError;
use super::atomic::{self, Failed};

pub(super) const NAME: &str = "CACHEDIR.TAG";
const TEXT: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n# This directory was created by genti.\n";

/// Marks `dir` as ours, unless it is marked.
pub(super) fn mark(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(NAME);
    if path.exists() {
        return Ok(());
    }
    atomic::write_all(dir, &[(NAME, TEXT)]).map_err(|Failed { error, .. }| StoreError::Io { path, error })
}

/// Whether `dir` is marked as ours.
pub(super) fn is_ours(dir: &Path) -> bool {
    std::fs::read(dir.join(NAME)).is_ok_and(|text| text == TEXT)
}
