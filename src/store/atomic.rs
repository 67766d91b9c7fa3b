//! Atomic writes: files are staged next to their destination, synced and renamed, then the directory is
//! synced.

use std::fs::Permissions;
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use super::within;

/// Prefix of the names of staged files.
pub(super) const UNFINISHED: &str = ".genti-unfinished-";

/// Returns true if `name` is that of a staged file.
pub(crate) fn is_staged(name: &str) -> bool {
    name.starts_with(UNFINISHED)
}

/// The error of [`write_all`].
pub(crate) struct Failed {
    /// Name of the file that could not be written.
    pub(crate) name: String,
    /// Number of files that were already replaced.
    pub(crate) done: usize,
    pub(crate) error: io::Error,
}

/// Content of a file: bytes, or a function that writes them.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// The bytes.
    Bytes(&'a [u8]),
    /// A function that writes the content.
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

/// Writes `files` (names and contents) to `dir`. All of them are staged on disk before the first is replaced,
/// in the given order.
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
    // The files are in place. At worst, a power failure restores the old ones.
    let _ = sync(dir);
    Ok(())
}

/// Creates a file below `root` atomically, with its parent directories. Never replaces anything.
///
/// # Errors
///
/// If something exists at `path`, a link leads out of `root`, or writing fails.
pub fn create_file(root: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    create(root, path, bytes, false)
}

/// Like [`create_file`], for a file that everyone who may read it may run.
///
/// # Errors
///
/// As for [`create_file`].
pub fn create_program(root: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    create(root, path, bytes, true)
}

fn create(root: &Path, path: &Path, bytes: &[u8], is_program: bool) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    within::make(root, dir)?;
    let file = stage(dir, Content::Bytes(bytes))?;
    #[cfg(unix)]
    if is_program {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.as_file().metadata()?.permissions().mode();
        file.as_file().set_permissions(Permissions::from_mode(mode | (mode & 0o444) >> 2))?;
    }
    #[cfg(not(unix))]
    let _ = is_program;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    let _ = sync(dir);
    Ok(())
}

/// Writes `content` to a staged file in `dir` and syncs it, ready to be renamed. The file is removed if it is
/// dropped.
fn stage(dir: &Path, content: Content<'_>) -> io::Result<NamedTempFile> {
    let mut file = unfinished(dir)?;
    // Writing through the wrapper would put the name of the staged file into errors.
    content.write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Creates an empty staged file in `dir`. It is removed when it is dropped, or by [`sweep`] if the process
/// was killed.
pub(crate) fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask applies, as for any other file.
        builder.permissions(Permissions::from_mode(0o666));
    }
    builder.tempfile_in(dir)
}

/// Stages `bytes` in `dir` for a file that has these permissions.
pub(super) fn staged(dir: &Path, bytes: &[u8], permissions: Permissions) -> io::Result<NamedTempFile> {
    let file = stage(dir, Content::Bytes(bytes))?;
    file.as_file().set_permissions(permissions)?;
    Ok(file)
}

/// Puts a staged file at `place`, replacing what is there.
pub(super) fn put(staged: NamedTempFile, place: &Path) -> io::Result<()> {
    staged.persist(place).map_err(|error| error.error)?;
    // As in `write_all`.
    let _ = place.parent().map(sync);
    Ok(())
}

/// Makes renames in `dir` durable. Does nothing on systems that can't open directories.
fn sync(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { std::fs::File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Removes staged files of killed runs in `dir`. Must not be called while another run may write there.
pub(crate) fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if is_staged(&entry.file_name().to_string_lossy()) {
            // If it can't be removed, the next run tries again.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creating_a_file_never_replaces_anything() {
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
        assert_eq!(left, 1, "no staged file is left");
    }
}
