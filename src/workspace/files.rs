//! Which files count, and the digests of their contents.
//!
//! The rules are the same everywhere, so that a clone, a source archive and a copy list the same files:
//! - hidden files count; so does every file name, UTF-8 or not;
//! - `.gitignore`s count, nested ones and those above the start, up to the directory that has a `.git` (without
//!   any `.git`, up to the start); the user's global excludes, `.git/info/exclude` and `.ignore` don't;
//! - what git tracks counts though a rule matches it, see `index.rs`: a source archive has these files, but nothing says
//!   there that they are meant, so that they are left out;
//! - `.git` is out wherever it is, and otherwise changes nothing: a nested repository or submodule is a directory
//!   like any other, with the rules of the outer `.gitignore`s too;
//! - cargo's target and build directories are out, and every directory below the start that carries a `CACHEDIR.TAG`
//!   which git does not track, such as the target directory of a nested workspace;
//! - symbolic links are listed and count by what is behind them, see `links.rs`; what is no file, link or directory is
//!   skipped.
//!
//! What is left out for another reason than a rule is told in [`Seen::left_out`](crate::model::workspace::Seen).
//!
//! A file that goes away while it is being listed is absent; one that can't be read is an error.
#![expect(clippy::disallowed_methods, reason = "part of the shell: lists and reads the workspace")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rayon::prelude::*;

use super::links::{Expanded, Leads, Links};
use super::walk::{self, Found};
use super::{Listing, LoadError, place, unreadable};
use crate::disk;
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::stamp::{FileTable, Stamp};
use crate::model::workspace::{Beyond, File, FileId, LeftOut};

/// What was listed.
pub(super) struct Listed {
    /// Sorted by path.
    pub(super) files: Vec<File>,
    /// How the system saw each of them.
    pub(super) stamps: Vec<Stamp>,
    /// Whether all of them were known, and none that was known is gone: nothing was read.
    pub(super) as_known: bool,
    /// The links with something behind them that their digests don't cover.
    pub(super) beyond: Vec<(FileId, Beyond)>,
    /// What is there and no file of the workspace.
    pub(super) left_out: Vec<LeftOut>,
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
    let mut build = Vec::new();
    for dir in build_dirs {
        build.extend(dir.canonicalize());
        // Where a link stands in for the directory, it is the link that is met.
        if let (Ok(below), Some(root)) = (dir.strip_prefix(root), on_disk.first()) {
            build.push(root.join(below));
        }
    }

    let pruned = [&on_disk[..], &build].concat();
    let (mut runs, left_out) = walk::walk(starts.iter().zip(&on_disk), &pruned, listing)?;
    let is_listed = |path: &RelPath| {
        let run = runs.partition_point(|run| run.first().is_some_and(|first| first.path <= *path));
        run.checked_sub(1).is_some_and(|at| runs[at].binary_search_by(|file| file.path.cmp(path)).is_ok())
    };
    let beside: BTreeSet<_> = always.filter(|path| !is_listed(path)).collect();
    let beside: Vec<_> = beside.into_iter().filter_map(|path| look(root, path)).collect();
    if !beside.is_empty() {
        runs.push(beside);
        runs = vec![walk::merged(runs)];
    }
    if !runs.iter().flatten().any(|found| found.is_link) {
        return Ok(Listed { left_out, ..read(root, runs, known, None)? });
    }
    let links = Links::new(root, &build, listing).map_err(unreadable(root))?;
    let Expanded { leads, behind } = links.expand(runs.iter().flatten())?;
    if !behind.is_empty() {
        runs.push(behind);
        let mut all = walk::merged(runs);
        // A member whose directory is a link is listed by its own name as well.
        all.dedup_by(|later, first| later.path == first.path);
        runs = vec![all];
    }
    Ok(Listed { left_out, ..read(root, runs, known, Some((&links, &leads)))? })
}

/// The file or the link at `path`, if there is one.
fn look(root: &Path, path: RelPath) -> Option<Found> {
    let place = place(root, &path);
    let meta = place.symlink_metadata().ok()?;
    let is_link = meta.is_symlink();
    // Cargo would wait for it.
    let seen = disk::refuse_special(&place).map(|()| stamp_of(&meta));
    let is_there = is_link || meta.is_file() || seen.is_err();
    is_there.then_some(Found { path, is_link, is_behind_link: false, is_tracked: false, seen })
}

/// Finds out what is in the files of `runs`, which come sorted: by what is `known`, which is sorted too, or by reading them.
/// `links` knows where each link leads.
fn read(
    root: &Path,
    runs: Vec<Vec<Found>>,
    known: &FileTable,
    links: Option<(&Links<'_>, &[(RelPath, Leads)])>,
) -> Result<Listed, LoadError> {
    let count = runs.iter().map(Vec::len).sum();
    let (mut files, mut stamps) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut unread, mut gone) = (Vec::new(), false);
    let mut known = known.iter().peekable();
    for Found { path, is_link, is_behind_link, seen, .. } in runs.into_iter().flatten() {
        debug_assert!(
            files.last().is_none_or(|last: &File| last.path < path),
            "{path} comes sorted, and once"
        );
        let bytes = path.as_bytes();
        while known.next_if(|known| known.path < bytes).is_some() {
            gone = true;
        }
        let known = known.next_if(|known| known.path == bytes);
        let same = known.filter(|known| known.stamp.is_some() && known.stamp.as_ref() == seen.as_ref().ok());
        let stamp = seen.as_ref().map_or(Stamp::default(), |stamp| *stamp);
        let digest = same.map_or(Digest([0; 32]), |known| known.digest);
        if same.is_none() {
            unread.push((files.len(), seen.err()));
        }
        files.push(File { path, digest, len: stamp.len, is_link, is_behind_link });
        stamps.push(stamp);
    }
    let mut as_known = unread.is_empty() && !gone && known.next().is_none();
    let content = |buffer: &mut Vec<u8>, (at, error): (usize, Option<io::Error>)| {
        let file: &File = &files[at];
        let place = place(root, &file.path);
        let content = match error {
            Some(error) => Err(error),
            // All links are hashed below, when it is known what is in the files.
            None if file.is_link => Ok((file.digest, file.len)),
            None => hash_file(&place, buffer),
        };
        match content {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((at, None)),
            content => content.map(|content| (at, Some(content))).map_err(unreadable(&place)),
        }
    };
    let contents: Vec<_> = unread.into_par_iter().map_init(|| vec![0; BUFFER], content).collect();
    let mut lost = BTreeSet::new();
    // Only here is it judged, so that of several errors always the first is told.
    for content in contents {
        match content? {
            (at, Some((digest, len))) => (files[at].digest, files[at].len) = (digest, len),
            (at, None) => drop(lost.insert(at)),
        }
    }
    let mut beyond = Vec::new();
    if let Some((links, leads)) = links {
        let hashed = hash_links(root, &mut files, links, leads, &mut lost)?;
        as_known &= hashed.as_known;
        beyond = hashed.beyond;
    }
    if !lost.is_empty() {
        let is_there = |at: &mut usize| {
            *at += 1;
            !lost.contains(&(*at - 1))
        };
        let (mut file, mut stamp) = (0, 0);
        files.retain(|_| is_there(&mut file));
        stamps.retain(|_| is_there(&mut stamp));
    }
    let id = |path: &RelPath| files.binary_search_by(|file| file.path.cmp(path)).ok();
    let beyond = beyond.into_iter().filter_map(|(path, beyond)| Some((FileId(id(&path)? as u32), beyond)));
    let beyond = beyond.collect();
    Ok(Listed { files, stamps, as_known, beyond, left_out: Vec::new() })
}

/// What came out of hashing links.
struct HashedLinks {
    /// Whether all of them have the digests that they had.
    as_known: bool,
    beyond: Vec<(RelPath, Beyond)>,
}

/// Gives each link among `files` its digest; `leads` says where each of them leads. Those that have gone are added to
/// `lost`, the places of files that have.
fn hash_links(
    root: &Path,
    files: &mut [File],
    links: &Links<'_>,
    leads: &[(RelPath, Leads)],
    lost: &mut BTreeSet<usize>,
) -> Result<HashedLinks, LoadError> {
    let real_root = root.canonicalize().map_err(unreadable(root))?;
    let mut hashed = HashedLinks { as_known: true, beyond: Vec::new() };
    for at in 0..files.len() {
        let path = &files[at].path;
        let leads = leads.binary_search_by(|(link, _)| link.cmp(path)).map(|at| &leads[at].1);
        let (true, Ok(leads)) = (files[at].is_link, leads) else { continue };
        let place = place(root, path);
        let content = |real: &Path| match find(files, &real_root, real) {
            Some(listed) if !lost.contains(&listed) => Ok(files[listed].digest),
            _ => digest(real),
        };
        match links.digest(&place, leads, content) {
            Ok((digest, len)) => {
                hashed.as_known &= files[at].digest == digest;
                hashed.beyond.extend(leads.beyond().map(|beyond| (path.clone(), beyond)));
                (files[at].digest, files[at].len) = (digest, len);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => drop(lost.insert(at)),
            Err(error) => return Err(unreadable(&place)(error)),
        }
    }
    Ok(hashed)
}

/// The place in `files` of the regular file at the canonical path `real`.
pub(super) fn find(files: &[File], real_root: &Path, real: &Path) -> Option<usize> {
    let path = RelPath::between(real_root, real)?;
    files.binary_search_by(|file| file.path.cmp(&path)).ok().filter(|at| !files[*at].is_link)
}

/// How the system sees the file at `place` now.
pub(super) fn stamp(place: &Path) -> io::Result<Stamp> {
    Ok(stamp_of(&place.symlink_metadata()?))
}

#[cfg(unix)]
pub(super) fn stamp_of(meta: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let (modified, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
    Stamp::of_unix(meta.size(), modified, changed, meta.ino())
}

#[cfg(not(unix))]
pub(super) fn stamp_of(meta: &fs::Metadata) -> Stamp {
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

#[cfg(unix)]
fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

const BUFFER: usize = 64 << 10;

/// Stands for the mode in the digest of an executable file.
const EXECUTABLE: [u8; 32] = *b"genti: the owner may execute it.";

/// The digest of what is in the file at `place`.
pub(super) fn digest(place: &Path) -> io::Result<Digest> {
    Ok(hash_file(place, &mut vec![0; BUFFER])?.0)
}

/// Through a buffer that is used again: the size of a file decides neither the memory nor the number of calls. That its
/// owner may execute it counts, as it does for git.
fn hash_file(place: &Path, buffer: &mut [u8]) -> io::Result<(Digest, u64)> {
    let mut file = disk::open(place)?;
    let is_executable = is_executable(&file.metadata()?);
    let mut hasher = blake3::Hasher::new();
    loop {
        match file.read(buffer) {
            Ok(0) => {
                let content = Digest(*hasher.finalize().as_bytes());
                let digest = if is_executable { content.keyed(&Digest(EXECUTABLE)) } else { content };
                return Ok((digest, hasher.count()));
            }
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
    }
}
