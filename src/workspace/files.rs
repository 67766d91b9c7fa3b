//! Which files count, and the digests of their contents.
//!
//! The rules are the same everywhere, so that a clone, a source archive and a copy list the same files:
//! - hidden files count; so does every file name, UTF-8 or not;
//! - `.gitignore`s count, nested ones and those above the start, up to the directory that has a `.git` (without
//!   any `.git`, up to the start); the user's global excludes, `.git/info/exclude` and `.ignore` don't;
//! - `.git` is out wherever it is, and otherwise changes nothing: a nested repository or submodule is a directory
//!   like any other, with the rules of the outer `.gitignore`s too;
//! - cargo's target and build directories are out, and every directory below the start that carries a
//!   `CACHEDIR.TAG`, such as the target directory of a nested workspace;
//! - symbolic links are listed and never followed; what is no file, link or directory is skipped.
//!
//! A file that goes away while it is being listed is absent; one that can't be read is an error.
#![expect(clippy::disallowed_methods, reason = "part of the shell: lists and reads the workspace")]

use std::fs::{self, File as OpenFile, FileType};
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;

use super::walk::walk;
use super::{Listing, LoadError, place, unreadable};
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::stamp::{FileTable, Stamp};
use crate::model::workspace::File;

/// What was listed.
pub(super) struct Listed {
    /// Sorted by path.
    pub(super) files: Vec<File>,
    /// How the system saw each of them.
    pub(super) stamps: Vec<Stamp>,
    /// Whether all of them were known, and none that was known is gone: nothing was read.
    pub(super) as_known: bool,
}

/// The files below the directories `starts`, and those of `always` that exist, all relative to `root`. What is `known` and
/// has not changed is not read again.
pub(super) fn list(
    root: &Path,
    starts: &[RelPath],
    always: impl Iterator<Item = RelPath>,
    build_dirs: &[&Path],
    known: &FileTable,
    listing: Listing,
) -> Result<Listed, LoadError> {
    let on_disk = starts.iter().map(|start| {
        let dir = place(root, start);
        dir.canonicalize().map_err(unreadable(&dir))
    });
    let on_disk = on_disk.collect::<Result<Vec<_>, _>>()?;
    let mut pruned = on_disk.clone();
    for dir in build_dirs {
        pruned.extend(dir.canonicalize());
        // Where a link stands in for the directory, it is the link that is met.
        if let (Ok(below), Some(root)) = (dir.strip_prefix(root), on_disk.first()) {
            pruned.push(root.join(below));
        }
    }

    let base = Base::new(root);
    let seen = Mutex::new(Vec::new());
    let see = |found: Vec<(RelPath, FileType)>| {
        let mut found: Vec<_> = found.into_iter().filter_map(|(path, kind)| Found::new(path, kind)).collect();
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        found.iter_mut().for_each(|file| file.seen = base.stamp(&file.path).map_err(Some));
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(found);
    };
    walk(starts.iter().zip(&on_disk), &pruned, &see)?;
    let kind = |path: &RelPath| Some(place(root, path).symlink_metadata().ok()?.file_type());
    see(always.filter_map(|path| kind(&path).map(|kind| (path, kind))).collect());
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    // By directories they are almost sorted, which makes the rest cheap.
    seen.sort_unstable_by(|a, b| a.first().map(|file| &file.path).cmp(&b.first().map(|file| &file.path)));
    let mut found: Vec<_> = seen.into_iter().flatten().collect();
    listing.apply(&mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    let as_known = recognize(&mut found, known);
    let unread: Vec<_> = found.iter_mut().filter(|file| file.content.is_none()).collect();
    let read = |buffer: &mut Vec<u8>, file: &mut Found| file.read(root, buffer);
    let read: Vec<_> = unread.into_par_iter().map_init(|| vec![0; BUFFER], read).collect();
    // Only here is it judged, so that of several errors always the first is told.
    read.into_iter().collect::<Result<(), _>>()?;
    let mut listed =
        Listed { files: Vec::with_capacity(found.len()), stamps: Vec::with_capacity(found.len()), as_known };
    for Found { path, is_link, seen, content } in found {
        let (Ok(stamp), Some((digest, len))) = (seen, content) else { continue };
        listed.files.push(File { path, digest, len, is_link });
        listed.stamps.push(stamp);
    }
    Ok(listed)
}

/// Takes down what is in the files of which that is `known`. Both are sorted. Whether they are the same.
fn recognize(found: &mut [Found], known: &FileTable) -> bool {
    let mut as_known = true;
    let mut known = known.iter().peekable();
    for file in found {
        let path = file.path.as_bytes();
        while known.next_if(|known| known.path < path).is_some() {
            as_known = false;
        }
        let known = known.next_if(|known| known.path == path);
        let same = known.and_then(|known| Some((known.digest, known.stamp?)));
        match (&file.seen, same) {
            (Ok(stamp), Some((digest, known))) if *stamp == known => {
                file.content = Some((digest, stamp.len));
            }
            _ => as_known = false,
        }
    }
    as_known && known.next().is_none()
}

/// The root, from which files are looked at: held open where that saves the system the way to it for each of them.
struct Base<'a> {
    root: &'a Path,
    #[cfg(unix)]
    dir: Option<OpenFile>,
}

impl<'a> Base<'a> {
    fn new(root: &'a Path) -> Self {
        Self {
            root,
            #[cfg(unix)]
            dir: OpenFile::open(root).ok(),
        }
    }

    /// How the system sees the file at `path` now.
    fn stamp(&self, path: &RelPath) -> io::Result<Stamp> {
        #[cfg(unix)]
        if let Some(dir) = self.dir.as_ref().filter(|_| !path.is_outside()) {
            let stat = rustix::fs::statat(dir, path.as_bytes(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
            let nanos =
                |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
            return Ok(Stamp {
                len: stat.st_size as u64,
                modified: nanos(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
                changed: nanos(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
                inode: stat.st_ino as u64,
            });
        }
        stamp(&place(self.root, path))
    }
}

/// How the system sees the file at `place` now.
pub(super) fn stamp(place: &Path) -> io::Result<Stamp> {
    Ok(stamp_of(&place.symlink_metadata()?))
}

#[cfg(unix)]
fn stamp_of(meta: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Stamp {
        len: meta.size(),
        modified: nanos(meta.mtime(), meta.mtime_nsec()),
        changed: nanos(meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
    }
}

#[cfg(not(unix))]
fn stamp_of(meta: &fs::Metadata) -> Stamp {
    let modified = meta.modified().map_or(i64::MAX, nanos);
    Stamp { len: meta.len(), modified, changed: modified, inode: 0 }
}

/// Now, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    nanos(SystemTime::now())
}

/// A time in nanoseconds since 1970.
fn nanos(time: SystemTime) -> i64 {
    let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    }
}

const BUFFER: usize = 64 << 10;

/// A file that was listed and not yet read.
struct Found {
    path: RelPath,
    is_link: bool,
    /// How the system saw it; `Err(None)` if it was not looked at yet.
    seen: Result<Stamp, Option<io::Error>>,
    /// What is in it, and how many bytes that are, once that is known.
    content: Option<(Digest, u64)>,
}

impl Found {
    fn new(path: RelPath, kind: FileType) -> Option<Self> {
        (kind.is_file() || kind.is_symlink()).then(|| Self {
            path,
            is_link: kind.is_symlink(),
            seen: Err(None),
            content: None,
        })
    }

    /// Finds out what is in it, unless it has gone away.
    fn read(&mut self, root: &Path, buffer: &mut [u8]) -> Result<(), LoadError> {
        let place = place(root, &self.path);
        let seen = std::mem::replace(&mut self.seen, Err(None));
        let seen = seen.or_else(|error| error.map_or_else(|| stamp(&place), Err));
        let read = seen.and_then(|stamp| {
            self.content = Some(if self.is_link { hash_link(&place)? } else { hash_file(&place, buffer)? });
            self.seen = Ok(stamp);
            Ok(())
        });
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            read => read.map_err(unreadable(&place)),
        }
    }
}

/// The digest of what is in the file at `place`.
pub(super) fn digest(place: &Path) -> io::Result<Digest> {
    Ok(hash_file(place, &mut vec![0; BUFFER])?.0)
}

/// The digest of what the link at `place` leads to, as written.
pub(super) fn link_digest(place: &Path) -> io::Result<Digest> {
    Ok(hash_link(place)?.0)
}

fn hash_link(place: &Path) -> io::Result<(Digest, u64)> {
    let target = fs::read_link(place)?;
    let bytes = target.as_os_str().as_encoded_bytes();
    Ok((Digest::of_bytes(bytes), bytes.len() as u64))
}

/// Through a buffer that is used again: the size of a file decides neither the memory nor the number of calls.
fn hash_file(place: &Path, buffer: &mut [u8]) -> io::Result<(Digest, u64)> {
    let mut file = OpenFile::open(place)?;
    let mut hasher = blake3::Hasher::new();
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok((Digest(*hasher.finalize().as_bytes()), hasher.count())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
    }
}
