//! Trust in files that decide which tasks are skipped: anyone who can write to them can make a check pass.
//!
//! A file is trusted if only its owner can write to it, and the owner is the current user or root. If the
//! directory belongs to another user, that user is trusted as well: a cache restored for a container often
//! belongs to another user, including its directory. On file systems without modes, every file is trusted.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tempfile::NamedTempFile;

use super::atomic;
use crate::disk;

/// Returns the content of the file at `path`, if it is trusted.
///
/// # Errors
///
/// If it can't be read, or with [`io::ErrorKind::PermissionDenied`] if it is not trusted.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = disk::open(path)?;
    check(&file, path)?;
    let len = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens the file at `path` for reading and writing. Creates it if necessary, writable for its owner only.
/// Does not [`check`] if it is trusted.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Append mode is avoided, because Windows can't lock such files.
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, MODE);
    disk::open_with(&mut options, path)
}

/// Creates an empty staged file in `dir` like [`atomic::unfinished`], writable for its owner only.
pub(crate) fn unfinished(dir: &Path) -> io::Result<NamedTempFile> {
    let file = atomic::unfinished(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = file.as_file().metadata()?.permissions();
        let mode = permissions.mode() & MODE;
        // A file system without modes may reject this.
        let _ = file.as_file().set_permissions(std::fs::Permissions::from_mode(mode));
    }
    Ok(file)
}

/// Mode of the files: readable for others, but writable for the owner only.
#[cfg(unix)]
const MODE: u32 = 0o644;

/// Checks that the open `file` at `path` is trusted.
///
/// # Errors
///
/// If it is not, with the reason.
#[cfg(unix)]
pub(crate) fn check(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata()?;
    let dir = path.parent().unwrap_or(path);
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if is_open_to_others(meta.mode()) && knows_modes(dir) {
        return refused(format!("other users can write to it (mode {:o})", meta.mode() & 0o7777));
    }
    let (owner, of_dir, own) =
        (meta.uid(), std::fs::metadata(dir)?.uid(), rustix::process::geteuid().as_raw());
    if !is_trusted(owner, of_dir, own) {
        return refused(format!("it is owned by another user (uid {owner})"));
    }
    Ok(())
}

/// The files are in the user's own profile, where no other user writes.
#[cfg(not(unix))]
pub(crate) fn check(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_open_to_others(mode: u32) -> bool {
    mode & 0o022 != 0
}

/// Returns true if the user `own` trusts a file of `owner` in a directory of `of_dir`.
#[cfg(unix)]
fn is_trusted(owner: u32, of_dir: u32, own: u32) -> bool {
    const ROOT: u32 = 0;
    owner == own || owner == ROOT || (of_dir != own && owner == of_dir)
}

/// Returns true if the file system of `dir` supports modes. Called only for files with a mode that genti
/// would not set.
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
    fn a_file_that_other_users_can_write_to_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        drop(open(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o022, 0);
        assert_eq!(read(&path).unwrap(), b"");
        for mode in [0o664, 0o646, 0o666] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(error.to_string(), format!("other users can write to it (mode {mode:o})"));
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the probe file is removed");
    }

    #[test]
    fn a_file_of_another_user_is_trusted_only_in_their_own_directory() {
        let (me, other, third) = (1000, 1001, 1002);
        assert!(is_trusted(me, me, me) && is_trusted(0, me, me) && is_trusted(me, 0, me));
        assert!(is_trusted(other, other, me), "restored for another user, including the directory");
        assert!(is_trusted(other, other, 0), "the same in a container, as root");
        assert!(!is_trusted(other, me, me), "put into my directory");
        assert!(!is_trusted(other, 0, me) && !is_trusted(other, third, me), "put into a shared directory");
    }
}
