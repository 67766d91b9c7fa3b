//! Checks if files have changed since they were read, and reads files outside of the workspace.

use std::io;
use std::path::Path;

use super::{content, files, links, place};
use crate::disk;
use crate::model::digest::Digest;
use crate::model::halt::Halt;
use crate::model::path::RelPath;
use crate::model::stamp::Stamp;
use crate::model::workspace::{FileId, Workspace};

/// Current state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentFile {
    /// Stamp taken before the file was read.
    pub stamp: Stamp,
    /// Digest of the content.
    pub digest: Digest,
}

/// Reads the file at `path`, following links, unless `known` returns its digest. Returns `None` if there is no
/// file.
///
/// # Errors
///
/// If the file exists and can't be read, or `halt` is due before it is read.
pub fn look_at(
    path: &Path,
    known: impl FnOnce(&Stamp) -> Option<Digest>,
    halt: &dyn Halt,
) -> io::Result<Option<CurrentFile>> {
    let is_missing =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    let look = || {
        // Most of these files don't exist, and then this is the only system call.
        let meta = path.metadata()?;
        if !meta.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let stamp = content::stamp_of(&meta);
        let digest = match known(&stamp) {
            Some(digest) => digest,
            None => content::digest(path, halt)?,
        };
        Ok(CurrentFile { stamp, digest })
    };
    match look() {
        Ok(look) => Ok(Some(look)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the time of the last change of a file, in nanoseconds since 1970.
pub fn changed_at(meta: &std::fs::Metadata) -> i64 {
    let stamp = content::stamp_of(meta);
    stamp.modified.max(stamp.changed)
}

/// Returns whether the file `id` has the same content as when `workspace` was read. A file that was only touched does.
/// False if `halt` is due before this is known.
pub fn still_as_seen(workspace: &Workspace, id: FileId, halt: &dyn Halt) -> bool {
    let file = workspace.file(id);
    if file.is_link {
        let root = disk::real(&workspace.root);
        let listed = |real: &Path| {
            let at = FileId(files::find(&workspace.files, &root, real)? as u32);
            still_as_seen(workspace, at, halt).then(|| workspace.file(at).digest)
        };
        return links::is_unchanged(&workspace.root, file, listed, halt);
    }
    let place = place(&workspace.root, &file.path);
    let stamp = content::stamp(&place).ok();
    // A stamp that is not settled can't prove that the file is unchanged.
    let same = stamp.filter(|stamp| stamp.is_settled(workspace.seen.at));
    if same.is_some() && same.as_ref() == workspace.seen.stamps.get(id.0 as usize) {
        return true;
    }
    content::digest(&place, halt).is_ok_and(|now| now == file.digest)
}

/// Returns whether the file at `path` has changed since `workspace` was read. True if `halt` is due before this is known.
pub fn has_changed(workspace: &Workspace, path: &RelPath, halt: &dyn Halt) -> bool {
    match workspace.find(path) {
        Some(id) => !still_as_seen(workspace, id, halt),
        None => place(&workspace.root, path).symlink_metadata().is_ok(),
    }
}

/// Returns the current stamp of the file at `path`, or `None` if it can't be determined.
pub fn stamp_of(workspace: &Workspace, path: &RelPath) -> Option<Stamp> {
    content::stamp(&place(&workspace.root, path)).ok()
}
