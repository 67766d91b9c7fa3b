//! Checks that files of the repository are written at the path they name, and not behind a symbolic link to
//! another place.

use std::io;
use std::path::{Path, PathBuf};

/// Returns the directory `dir` below `root`, existing or not, if no symbolic link on the way leads elsewhere.
///
/// # Errors
///
/// If one does, or if `root` does not exist.
pub(super) fn directory(root: &Path, dir: &Path) -> io::Result<PathBuf> {
    // An existing ancestor must be where its name says. Below it, there can't be any links.
    let place = |dir: &Path| {
        std::fs::symlink_metadata(dir).ok()?;
        let name = dir.strip_prefix(root).ok()?.to_path_buf();
        // A dangling link has no canonical path, so it is rejected as well.
        Some((name, dir.canonicalize().unwrap_or_default()))
    };
    let (name, there) = dir.ancestors().find_map(place).unwrap_or_default();
    if there == root.canonicalize()?.join(name) {
        Ok(dir.to_path_buf())
    } else {
        Err(io::Error::other("a symbolic link leads elsewhere"))
    }
}

/// Returns [`directory`] after creating it if necessary.
///
/// # Errors
///
/// As for [`directory`], or if it can't be created.
pub(super) fn make(root: &Path, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory(root, dir)?)
}
