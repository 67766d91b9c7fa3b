//! Whom files are believed that decide what is not run again: whoever can write to them can make a check green.
//!
//! A file is believed if only its owner can write to it, and the owner is this user, root, or whoever owns the directory
//! that it is in, if that is not this user: a cache that was restored for a container often belongs to another user, with
//! the directory. Where the file system knows no modes, there is nothing to judge by.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tempfile::NamedTempFile;

use super::atomic;
use crate::disk;

/// The content of the file at `path`, if it can be trusted.
///
/// # Errors
///
/// If it can't be read or trusted; the latter with [`io::ErrorKind::PermissionDenied`].
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = disk::open(path)?;
    check(&file, path)?;
    let len = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens the file at `path` for reading and writing, and creates it if there is none, for its owner only to write to.
/// Whether it can be trusted is for [`check`] to say.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Not in append mode, which Windows does not lock.
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, MODE);
    disk::open_with(&mut options, path)
}

/// An empty file in `dir`, as [`atomic::unfinished`] makes it, for its owner only to write to.
pub(crate) fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    let file = atomic::unfinished(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = file.as_file().metadata()?.permissions();
        let mode = permissions.mode() & MODE;
        // A file system without modes may refuse.
        let _ = file.as_file().set_permissions(std::fs::Permissions::from_mode(mode));
    }
    Ok(file)
}

/// Others may read it.
#[cfg(unix)]
const MODE: u32 = 0o644;

/// Whether the open `file` at `path` can be trusted.
///
/// # Errors
///
/// If not, with the reason.
#[cfg(unix)]
pub(crate) fn check(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata()?;
    let dir = path.parent().unwrap_or(path);
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if is_open_to_others(meta.mode()) && knows_modes(dir) {
        return refused(format!("others than its owner can write to it (mode {:o})", meta.mode() & 0o7777));
    }
    let (owner, of_dir, own) =
        (meta.uid(), std::fs::metadata(dir)?.uid(), rustix::process::geteuid().as_raw());
    if !is_trusted(owner, of_dir, own) {
        return refused(format!("another user put it there (uid {owner})"));
    }
    Ok(())
}

/// There is one's own profile, where nobody else writes.
#[cfg(not(unix))]
pub(crate) fn check(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_open_to_others(mode: u32) -> bool {
    mode & 0o022 != 0
}

/// Whether a file of `owner`, in a directory of `of_dir`, is trusted by the user `own`.
#[cfg(unix)]
fn is_trusted(owner: u32, of_dir: u32, own: u32) -> bool {
    const ROOT: u32 = 0;
    owner == own || owner == ROOT || (of_dir != own && owner == of_dir)
}

/// Whether a file in `dir` has the mode that it is given. Asked for only where one has a mode that nobody would give it.
#[cfg(unix)]
fn knows_modes(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let probe = unfinished(dir).and_then(|file| file.as_file().metadata());
    probe.map_or(true, |meta| !is_open_to_others(meta.mode()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_others_can_write_to_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        drop(open(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o022, 0);
        assert_eq!(read(&path).unwrap(), b"");
        for mode in [0o664, 0o646, 0o666] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(error.to_string(), format!("others than its owner can write to it (mode {mode:o})"));
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left of the probe");
    }

    #[test]
    fn a_file_of_somebody_else_is_believed_only_where_the_directory_is_theirs_too() {
        let (me, other, third) = (1000, 1001, 1002);
        assert!(is_trusted(me, me, me) && is_trusted(0, me, me) && is_trusted(me, 0, me));
        assert!(is_trusted(other, other, me), "restored under another user, with its directory");
        assert!(is_trusted(other, other, 0), "the same in a container, as root");
        assert!(!is_trusted(other, me, me), "put into my directory");
        assert!(!is_trusted(other, 0, me) && !is_trusted(other, third, me), "put into a shared directory");
    }
}
