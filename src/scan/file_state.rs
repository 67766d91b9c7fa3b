//! Recognizes whether a file is still the same, without reading it.

use std::path::Path;
use std::time::SystemTime;

/// Metadata that identifies the content of a file. The change time is omitted because creating a hard link updates
/// it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FileState {
    len: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl FileState {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let meta = path.metadata().ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { len: meta.len(), modified: meta.modified().ok(), inode })
    }
}
