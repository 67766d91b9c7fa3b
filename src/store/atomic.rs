//! A file is wholly old or wholly new: written beside its place, synced, renamed, and the directory synced.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// How the names of unfinished files begin.
pub(super) const UNFINISHED: &str = ".genti-unfinished-";

/// Writes `bytes` to `name` in `dir`, which must exist.
pub(super) fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    stage(dir, bytes)?.persist(dir.join(name)).map_err(|error| error.error)?;
    sync(dir)
}

/// Writes `bytes` to a file of its own in `dir` and syncs it: all that is left to do is to rename it. Dropped,
/// it is gone.
pub(super) fn stage(dir: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Less the umask, as any other file.
        builder.permissions(Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(dir)?;
    // Not through the wrapper, which would name the unfinished file in its errors.
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes renames in `dir` last.
pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Removes what a killed run left unfinished in `dir`. Only while no other run can be writing there.
pub(super) fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            // Left for the next time if it can't be removed.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
