//! Where files of the repository are written: at the place that their path names, never behind a link that leads from there
//! to somewhere else.

use std::io;
use std::path::{Path, PathBuf};

/// The directory `dir` below `root`, there or not, if no link on the way to it leads elsewhere.
///
/// # Errors
///
/// If one does, or if `root` is not there.
pub(super) fn directory(root: &Path, dir: &Path) -> io::Result<PathBuf> {
    // What is there must be where its name says; what is not there, no link can lead to.
    let place = |dir: &Path| {
        std::fs::symlink_metadata(dir).ok()?;
        let name = dir.strip_prefix(root).ok()?.to_path_buf();
        // A link that leads nowhere leads elsewhere.
        Some((name, dir.canonicalize().unwrap_or_default()))
    };
    let (name, there) = dir.ancestors().find_map(place).unwrap_or_default();
    if there == root.canonicalize()?.join(name) {
        Ok(dir.to_path_buf())
    } else {
        Err(io::Error::other("a link leads elsewhere"))
    }
}

/// [`directory`], for what is to be written there: it is made if it is not there.
///
/// # Errors
///
/// As [`directory`], or if the disk says no.
pub(super) fn make(root: &Path, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory(root, dir)?)
}
