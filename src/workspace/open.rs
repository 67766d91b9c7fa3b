//! Reads open directories and the metadata of their entries, with as few system calls as possible.
//!
//! Paths are resolved relative to the open directory where the system supports it.
/// Kind of a directory entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Link,
    Dir,
    /// A pipe, socket or device.
    Other,
}

/// Entries of a directory, as paths from the workspace root. Those of directories end with `/`.
pub(super) type Entries = Vec<(Vec<u8>, EntryKind)>;

#[cfg(unix)]
pub(super) use self::unix::Open;
#[cfg(unix)]
mod unix {
    use std::io;
    use std::path::Path;

    use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
    use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

    use super::{Entries, EntryKind};
    use crate::model::stamp::Stamp;

    /// An open directory, from which the metadata of its entries is read.
    pub(in super::super) enum Open {
        Read(Dir),
        Reopened(rustix::io::Result<OwnedFd>),
    }

    impl Open {
        /// Opens the directory `place` and reads its entries. Their paths begin with `prefix`.
        pub(in super::super) fn read(place: &Path, prefix: &[u8]) -> io::Result<(Self, Entries)> {
            let mut dir = Dir::new(open(place)?)?;
            let mut entries = Vec::new();
            while let Some(entry) = dir.read() {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                let kind = match entry.file_type() {
                    // Some file systems don't report the type.
                    FileType::Unknown => match stat(dir.fd()?, name) {
                        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                        Err(rustix::io::Errno::NOENT) => continue,
                        Err(error) => return Err(error.into()),
                    },
                    kind => kind,
                };
                let (kind, end) = match kind {
                    FileType::RegularFile => (EntryKind::File, &b""[..]),
                    FileType::Symlink => (EntryKind::Link, &b""[..]),
                    FileType::Directory => (EntryKind::Dir, &b"/"[..]),
                    _ => (EntryKind::Other, &b""[..]),
                };
                entries.push(([prefix, name, end].concat(), kind));
            }
            Ok((Self::Read(dir), entries))
        }

        /// Opens the same directory again, for another thread.
        pub(in super::super) fn reopen(place: &Path) -> Self {
            Self::Reopened(open(place))
        }

        /// Returns the stamp of the file `name` in the directory.
        pub(in super::super) fn stamp(&self, name: &[u8]) -> io::Result<Stamp> {
            let stat = match self {
                Self::Read(dir) => stat(dir.fd()?, name)?,
                Self::Reopened(dir) => stat(dir.as_ref().map_err(|error| *error)?.as_fd(), name)?,
            };
            let modified = (stat.st_mtime as i64, stat.st_mtime_nsec as i64);
            let changed = (stat.st_ctime as i64, stat.st_ctime_nsec as i64);
            Ok(Stamp::of_unix(stat.st_size as u64, modified, changed, stat.st_ino as u64))
        }
    }

    fn open(place: &Path) -> rustix::io::Result<OwnedFd> {
        rustix::fs::open(place, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    }

    fn stat(dir: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Stat> {
        rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
    }
}

#[cfg(not(unix))]
pub(super) use self::other::Open;
#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "part of the shell: lists directories")]
mod other {
    use std::io;
    use std::path::{Path, PathBuf};

    use super::super::content;
    use super::{Entries, EntryKind};
    use crate::model::path::os_path;
    use crate::model::stamp::Stamp;

    /// Path of a directory.
    pub(in super::super) struct Open(PathBuf);

    impl Open {
        /// Reads the entries of the directory `place`. Their paths begin with `prefix`.
        pub(in super::super) fn read(place: &Path, prefix: &[u8]) -> io::Result<(Self, Entries)> {
            let mut entries = Vec::new();
            for entry in std::fs::read_dir(place)? {
                let entry = entry?;
                let (kind, end) = match entry.file_type() {
                    Ok(kind) if kind.is_file() => (EntryKind::File, &b""[..]),
                    Ok(kind) if kind.is_symlink() => (EntryKind::Link, &b""[..]),
                    Ok(kind) if kind.is_dir() => (EntryKind::Dir, &b"/"[..]),
                    Ok(_) => (EntryKind::Other, &b""[..]),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                entries.push(([prefix, entry.file_name().as_encoded_bytes(), end].concat(), kind));
            }
            Ok((Self(place.to_path_buf()), entries))
        }

        /// Returns the same directory, for another thread.
        pub(in super::super) fn reopen(place: &Path) -> Self {
            Self(place.to_path_buf())
        }

        /// Returns the stamp of the file `name` in the directory.
        pub(in super::super) fn stamp(&self, name: &[u8]) -> io::Result<Stamp> {
            content::stamp(&self.0.join(os_path(name)))
        }
    }
}
