//! Writes the file with the locked versions of tools.

use std::io;
use std::path::{Path, PathBuf};

use super::atomic::{self, Failed};
use super::within;
use crate::disk;

/// The error for a lock file that could not be written. The previous file is unchanged.
#[derive(Debug, thiserror::Error)]
#[error("could not write `{path}`: {error}; the previous file is unchanged")]
pub struct LockError {
    path: PathBuf,
    error: io::Error,
}

/// Writes `text` to the file `name`, relative to `root`, if its content differs. Returns true if it was
/// written.
///
/// # Errors
///
/// If it can't be written, or a link leads out of `root`.
pub fn save_lock(root: &Path, name: &str, text: &str) -> Result<bool, LockError> {
    let path = root.join(name);
    if disk::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }
    let failed = |error| LockError { path: path.clone(), error };
    let dir = path.parent().unwrap_or(root);
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    within::make(root, dir).map_err(failed)?;
    atomic::sweep(dir);
    atomic::write_all(dir, &[(&file, text.as_bytes())]).map_err(|Failed { error, .. }| failed(error))?;
    Ok(true)
}
