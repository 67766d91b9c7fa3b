//! A file is wholly old or wholly new: written beside its place, synced, renamed, and the directory synced.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::within;

/// How the names of unfinished files begin.
pub(crate) const UNFINISHED: &str = ".genti-unfinished-";

/// Why [`write_all`] did not.
pub(crate) struct Failed {
    /// Which of the files.
    pub(crate) name: String,
    /// How many are in place already: each of them whole.
    pub(crate) done: usize,
    pub(crate) error: io::Error,
}

/// What is to be written: bytes, or what makes them as they are written.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// These.
    Bytes(&'a [u8]),
    /// What this writes.
    Made(&'a dyn Fn(&mut dyn Write) -> io::Result<()>),
}

impl<'a> From<&'a [u8]> for Content<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const LEN: usize> From<&'a [u8; LEN]> for Content<'a> {
    fn from(bytes: &'a [u8; LEN]) -> Self {
        Self::Bytes(bytes)
    }
}

impl Content<'_> {
    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => out.write_all(bytes),
            Self::Made(write) => write(out),
        }
    }
}

/// Writes `files`, each a name and a content, to `dir`. None is touched before all of them are on the disk; then they
/// are put in place in the order given.
pub(crate) fn write_all<'a>(
    dir: &Path,
    files: &[(&str, impl Into<Content<'a>> + Copy)],
) -> Result<(), Failed> {
    let failed = |name: &str, done, error| Failed { name: name.to_owned(), done, error };
    let mut staged = Vec::new();
    for (name, content) in files {
        staged.push((name, stage(dir, (*content).into()).map_err(|error| failed(name, 0, error))?));
    }
    for (done, (name, file)) in staged.into_iter().enumerate() {
        file.persist(dir.join(name)).map_err(|error| failed(name, done, error.error))?;
    }
    // All are in place; at worst, a power cut now brings the old ones back.
    let _ = sync(dir);
    Ok(())
}

/// Writes a new file below `root`, whole or not at all, with the directories above it. Never in place of anything.
///
/// # Errors
///
/// If there is something at `path`, which is left as it is, a link leads out of `root`, or the disk says no.
pub fn create_file(root: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    within::make(root, dir)?;
    stage(dir, Content::Bytes(bytes))?.persist_noclobber(path).map_err(|error| error.error)?;
    let _ = sync(dir);
    Ok(())
}

/// Writes `content` to a file of its own in `dir` and syncs it: all that is left to do is to rename it. Dropped,
/// it is gone.
fn stage(dir: &Path, content: Content<'_>) -> io::Result<NamedTempFile> {
    let mut file = unfinished(dir)?;
    // Not through the wrapper, which would name the unfinished file in its errors.
    content.write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// An empty file in `dir` that is removed when it is dropped, or swept up if even that did not happen.
pub(crate) fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Less the umask, as any other file.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(dir)
}

/// Makes renames in `dir` last. Where a directory can't be opened, that is the system's own business.
fn sync(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { std::fs::File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Removes what a killed run left unfinished in `dir`. Only while no other run can be writing there.
pub(crate) fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            // Left for the next time if it can't be removed.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_takes_the_place_of_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.toml");
        create_file(dir.path(), &path, b"one").unwrap();
        assert_eq!(create_file(dir.path(), &path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        #[cfg(unix)]
        {
            let link = dir.path().join("link.toml");
            std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
            assert_eq!(
                create_file(dir.path(), &link, b"two").unwrap_err().kind(),
                io::ErrorKind::AlreadyExists
            );
            assert!(!dir.path().join("nowhere").exists());
        }
        let left = std::fs::read_dir(dir.path().join("a")).unwrap().count();
        assert_eq!(left, 1, "nothing unfinished is left");
    }
}
