//! What searches through the history have found so far: a file for each search, below the directory in which they build.

use std::path::{Path, PathBuf};

use super::atomic::{self, Failed};
use super::error::StoreError;
use super::{trust, within};

/// Returns the directory of the files. `dir` is the directory that runs at other commits use instead of the target directory.
fn place(dir: &Path) -> PathBuf {
    dir.join("states")
}

/// Reads the file of the search called `name`. `None` if there is none that can be read and trusted.
pub fn load_search(dir: &Path, name: &str) -> Option<Vec<u8>> {
    trust::read(&place(dir).join(file_name(name))).ok()
}

/// Writes the file of the search called `name`.
///
/// # Errors
///
/// If it can't be written. An existing file is unchanged then.
pub fn save_search(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let place = place(dir);
    let name = file_name(name);
    let failed = |error| StoreError::Io { path: place.join(&name), error };
    within::make(dir, &place).map_err(failed)?;
    atomic::write_all(&place, &[(&*name, bytes)]).map_err(|Failed { error, .. }| failed(error))
}

fn file_name(name: &str) -> String {
    format!("{name}.json")
}
