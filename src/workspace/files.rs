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
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ignore::{DirEntry, WalkBuilder};
use rayon::prelude::*;

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
    let see = |mut found: Vec<Found>| {
        found.iter_mut().for_each(|file| file.seen = base.stamp(&file.path).map_err(Some));
        seen.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    };
    // While one thread lists, the others look at what it has found.
    rayon::in_place_scope(|scope| {
        for (start, dir) in starts.iter().zip(&on_disk) {
            walk(start, dir, &pruned, &mut |found| scope.spawn(|_| see(found)))?;
        }
        Ok::<_, LoadError>(())
    })?;
    see(always
        .filter_map(|path| {
            let kind = place(root, &path).symlink_metadata().ok()?.file_type();
            Found::new(path, kind)
        })
        .collect());
    let mut found = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    listing.apply(&mut found);
    found.par_sort_unstable_by(|a, b| a.path.cmp(&b.path));
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

/// How many files are looked at in one go.
const CHUNK: usize = 512;

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

/// What a `CACHEDIR.TAG` begins with, see <https://bford.info/cachedir/>.
const CACHEDIR_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

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

/// Tells the files below `dir`, their paths below `start`, in no order, some at a time.
fn walk(
    start: &RelPath,
    dir: &Path,
    pruned: &[PathBuf],
    tell: &mut dyn FnMut(Vec<Found>),
) -> Result<(), LoadError> {
    let mut builder = WalkBuilder::new(dir);
    builder.standard_filters(false).git_ignore(true).require_git(false);
    for above in repository_above(dir) {
        // What could not be read of an ignore file does not count, as below the start and as in git.
        let _ = builder.current_dir(above).add_ignore(above.join(".gitignore"));
    }

    // On one thread: where a thread of the parallel walk can't be started, the others wait for it for ever.
    let pruned = pruned.to_vec();
    builder.filter_entry(move |entry| entry.depth() == 0 || !is_out(entry, &pruned));
    let mut errors = Vec::new();
    let mut found = Vec::with_capacity(CHUNK);
    for entry in builder.build() {
        match entry {
            Ok(entry) => {
                let below = below(dir, entry.path()).map(|below| start.join(below.as_bytes()));
                if found.len() == CHUNK {
                    tell(std::mem::replace(&mut found, Vec::with_capacity(CHUNK)));
                }
                found.extend(below.zip(entry.file_type()).and_then(|(path, kind)| Found::new(path, kind)));
            }
            Err(error) => errors.push(failure(error, dir.to_path_buf())),
        }
    }
    tell(found);
    // A directory that has gone away is as good as one that never was.
    errors.retain(|(_, error)| error.kind() != io::ErrorKind::NotFound);
    errors.sort_by(|a, b| a.0.cmp(&b.0));
    errors.into_iter().next().map_or(Ok(()), |(path, error)| Err(unreadable(&path)(error)))
}

/// The path from `dir` to what was listed below it.
fn below(dir: &Path, path: &Path) -> Option<RelPath> {
    // By its bytes: as parts, it would take longer than to list it.
    let (dir_bytes, bytes) = (dir.as_os_str().as_encoded_bytes(), path.as_os_str().as_encoded_bytes());
    match bytes.strip_prefix(dir_bytes) {
        Some([b'/', below @ ..]) if cfg!(unix) => Some(RelPath::new(below)),
        _ => RelPath::between(dir, path),
    }
}

/// Whether an entry is not listed, nor anything below it.
fn is_out(entry: &DirEntry, pruned: &[PathBuf]) -> bool {
    entry.file_name() == ".git"
        || pruned.iter().any(|out| out.as_os_str() == entry.path().as_os_str())
        || entry.file_type().is_some_and(|kind| kind.is_dir()) && is_cache(entry.path())
}

fn is_cache(dir: &Path) -> bool {
    let mut begin = [0; CACHEDIR_SIGNATURE.len()];
    let tag = OpenFile::open(dir.join("CACHEDIR.TAG"));
    tag.and_then(|mut tag| tag.read_exact(&mut begin)).is_ok() && begin == CACHEDIR_SIGNATURE
}

/// The top of the repository that `dir` is in.
pub(super) fn repository(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok())
}

/// The directories above `dir` that belong to its repository, outermost first.
fn repository_above(dir: &Path) -> Vec<&Path> {
    let Some(top) = repository(dir) else { return Vec::new() };
    let mut above: Vec<_> = dir.ancestors().skip(1).take_while(|dir| dir.starts_with(top)).collect();
    above.reverse();
    above
}

/// The path that an error of the walk is about, and its cause.
fn failure(error: ignore::Error, path: PathBuf) -> (PathBuf, io::Error) {
    match error {
        ignore::Error::WithPath { path, err } => failure(*err, path),
        ignore::Error::WithDepth { err, .. } => failure(*err, path),
        error => (path, error.into_io_error().unwrap_or_else(|| io::Error::other("the walk failed"))),
    }
}
