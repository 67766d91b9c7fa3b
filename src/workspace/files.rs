//! Lists the files of the workspace and computes the digests of their content.
//!
//! The rules are the same everywhere, so a clone, a source archive and a copy have the same files:
//! - Hidden files are listed, with any file name, UTF-8 or not.
//! - `.gitignore` files apply, including nested ones and those above the start, up to the directory with a `.git`
//!   (without any `.git`, up to the start). The user's global excludes, `.git/info/exclude` and `.ignore` don't
//!   apply.
//! - Files tracked by git are listed even if a rule matches them, see `index.rs`. In a source archive such files
//!   exist too, but nothing marks them, so they are left out there.
//! - `.git` is left out everywhere and has no other effect. A nested repository or submodule is an ordinary
//!   directory, to which the outer `.gitignore` files apply too.
//! - Cargo's target and build directories are left out, and so is every directory below the start with a
//!   `CACHEDIR.TAG` that git does not track, such as the target directory of a nested workspace.
//! - Symbolic links are listed and identified by their target, see `links.rs`. Everything that is not a file, link
//!   or directory is skipped.
//!
//! Files left out for another reason than a rule are recorded in
//! [`Seen::left_out`](crate::model::workspace::Seen).
//!
//! A file that disappears while the files are listed is treated as missing. A file that can't be read is an error.
#![expect(clippy::disallowed_methods, reason = "part of the shell: lists and reads the workspace")]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use rayon::prelude::*;

use super::content::{BUFFER, digest, hash_file, stamp_of};
use super::links::{Expanded, LinkTarget, Links};
use super::walk::{self, ListedFile};
use super::{Listing, LoadError, place, unreadable};
use crate::disk;
use crate::model::digest::Digest;
use crate::model::halt::Halt;
use crate::model::path::RelPath;
use crate::model::stamp::{FileTable, Stamp};
use crate::model::workspace::{Beyond, File, FileId, LeftOut};

/// Result of listing the files.
pub(super) struct Listed {
    /// Files sorted by path.
    pub(super) files: Vec<File>,
    /// Stamp of each file.
    pub(super) stamps: Vec<Stamp>,
    /// True if the files are the same as the known ones and nothing had to be read.
    pub(super) as_known: bool,
    /// Links whose digest does not cover their target.
    pub(super) beyond: Vec<(FileId, Beyond)>,
    /// Existing files that are not part of the workspace.
    pub(super) left_out: Vec<LeftOut>,
}

/// Lists the files below the directories `starts`, and the files `always` that exist. All paths are relative to
/// `root`. Unchanged files in `known` are not read again. Fails once `halt` is due.
pub(super) fn list(
    root: &Path,
    starts: &[RelPath],
    always: impl Iterator<Item = RelPath>,
    build_dirs: &[&Path],
    known: &FileTable,
    listing: Listing,
    halt: &dyn Halt,
) -> Result<Listed, LoadError> {
    let on_disk = starts.iter().map(|start| {
        let dir = place(root, start);
        dir.canonicalize().map_err(unreadable(&dir))
    });
    let on_disk = on_disk.collect::<Result<Vec<_>, _>>()?;
    let mut build = Vec::new();
    for dir in build_dirs {
        build.extend(dir.canonicalize());
        // If the directory is a link, the walk finds the link.
        if let (Ok(below), Some(root)) = (dir.strip_prefix(root), on_disk.first()) {
            build.push(root.join(below));
        }
    }

    let pruned = [&on_disk[..], &build].concat();
    let (mut runs, left_out) = walk::walk(starts.iter().zip(&on_disk), &pruned, listing, halt)?;
    let is_listed = |path: &RelPath| {
        let run = runs.partition_point(|run| run.first().is_some_and(|first| first.path <= *path));
        run.checked_sub(1).is_some_and(|at| runs[at].binary_search_by(|file| file.path.cmp(path)).is_ok())
    };
    let beside: BTreeSet<_> = always.filter(|path| !is_listed(path)).collect();
    let beside: Vec<_> = beside.into_iter().filter_map(|path| find_file(root, path)).collect();
    if !beside.is_empty() {
        runs.push(beside);
        runs = vec![walk::merged(runs)];
    }
    if !runs.iter().flatten().any(|found| found.is_link) {
        return Ok(Listed { left_out, ..read(root, runs, known, None, halt)? });
    }
    let links = Links::new(root, &build, listing, halt).map_err(unreadable(root))?;
    let Expanded { leads, behind } = links.expand(runs.iter().flatten())?;
    if !behind.is_empty() {
        runs.push(behind);
        let mut all = walk::merged(runs);
        // A member whose directory is a link is also listed by its own name.
        all.dedup_by(|later, first| later.path == first.path);
        runs = vec![all];
    }
    Ok(Listed { left_out, ..read(root, runs, known, Some((&links, &leads)), halt)? })
}

/// Returns the file or link at `path` if it exists.
fn find_file(root: &Path, path: RelPath) -> Option<ListedFile> {
    let place = place(root, &path);
    let meta = place.symlink_metadata().ok()?;
    let is_link = meta.is_symlink();
    // Cargo would block on a special file.
    let seen = disk::refuse_special(&place).map(|()| stamp_of(&meta));
    let is_there = is_link || meta.is_file() || seen.is_err();
    is_there.then_some(ListedFile { path, is_link, is_behind_link: false, is_tracked: false, seen })
}

/// Determines the digests of the files in `runs` from `known` or by reading them. Both are sorted. `links` has the
/// target of each link.
fn read(
    root: &Path,
    runs: Vec<Vec<ListedFile>>,
    known: &FileTable,
    links: Option<(&Links<'_>, &[(RelPath, LinkTarget)])>,
    halt: &dyn Halt,
) -> Result<Listed, LoadError> {
    let count = runs.iter().map(Vec::len).sum();
    let (mut files, mut stamps) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut unread, mut gone) = (Vec::new(), false);
    let mut known = known.iter().peekable();
    for ListedFile { path, is_link, is_behind_link, seen, .. } in runs.into_iter().flatten() {
        debug_assert!(files.last().is_none_or(|last: &File| last.path < path), "{path} is sorted and unique");
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
            // Links are hashed below, when the digests of all files are known.
            None if file.is_link => Ok((file.digest, file.len)),
            None => hash_file(&place, buffer, halt),
        };
        match content {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((at, None)),
            content => content.map(|content| (at, Some(content))).map_err(unreadable(&place)),
        }
    };
    let contents: Vec<_> = unread.into_par_iter().map_init(|| vec![0; BUFFER], content).collect();
    let mut lost = BTreeSet::new();
    // Errors are only returned here, so the first one by path is reported.
    for content in contents {
        match content? {
            (at, Some((digest, len))) => (files[at].digest, files[at].len) = (digest, len),
            (at, None) => drop(lost.insert(at)),
        }
    }
    let mut beyond = Vec::new();
    if let Some((links, leads)) = links {
        let hashed = hash_links(root, &mut files, links, leads, &mut lost, halt)?;
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

/// Result of hashing links.
struct HashedLinks {
    /// True if the digests of all links are unchanged.
    as_known: bool,
    beyond: Vec<(RelPath, Beyond)>,
}

/// Sets the digests of the links among `files`. `leads` has the target of each link. The indices of links that
/// have disappeared are added to `lost`.
fn hash_links(
    root: &Path,
    files: &mut [File],
    links: &Links<'_>,
    leads: &[(RelPath, LinkTarget)],
    lost: &mut BTreeSet<usize>,
    halt: &dyn Halt,
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
            _ => digest(real, halt),
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

/// Returns the index in `files` of the regular file at the canonical path `real`.
pub(super) fn find(files: &[File], real_root: &Path, real: &Path) -> Option<usize> {
    let path = RelPath::between(real_root, real)?;
    files.binary_search_by(|file| file.path.cmp(&path)).ok().filter(|at| !files[*at].is_link)
}
