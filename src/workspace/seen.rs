//! Whether files are still what they were when they were looked at, and what is in files that are no part of the
//! workspace.
#![expect(clippy::disallowed_methods, reason = "part of the shell: resolves links")]

use std::io;
use std::path::Path;

use super::{files, links, place};
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::stamp::Stamp;
use crate::model::workspace::{FileId, Workspace};

/// A file as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// How the system saw it before it was read.
    pub stamp: Stamp,
    /// What is in it.
    pub digest: Digest,
}

/// Reads the file at `path`, following links, unless `known` says what is in it; `None` if there is no file.
///
/// # Errors
///
/// If it is there and can't be read.
pub fn look_at(path: &Path, known: impl FnOnce(&Stamp) -> Option<Digest>) -> io::Result<Option<Look>> {
    let absent =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    let look = || {
        // Most of what is looked for is not there: this is the only call then.
        let meta = path.metadata()?;
        if !meta.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let stamp = files::stamp_of(&meta);
        let digest = match known(&stamp) {
            Some(digest) => digest,
            None => files::digest(path)?,
        };
        Ok(Look { stamp, digest })
    };
    match look() {
        Ok(look) => Ok(Some(look)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the file `id` holds what it held when `workspace` was read. A file that was only touched does.
pub fn still_as_seen(workspace: &Workspace, id: FileId) -> bool {
    let file = workspace.file(id);
    if file.is_link {
        let root = workspace.root.canonicalize().unwrap_or_else(|_| workspace.root.clone());
        let listed = |real: &Path| {
            let at = FileId(files::find(&workspace.files, &root, real)? as u32);
            still_as_seen(workspace, at).then(|| workspace.file(at).digest)
        };
        return links::still_leads_there(&workspace.root, file, listed);
    }
    let place = place(&workspace.root, &file.path);
    let stamp = files::stamp(&place).ok();
    // A stamp that is not settled proves nothing.
    let same = stamp.filter(|stamp| stamp.is_settled(workspace.seen.at));
    if same.is_some() && same.as_ref() == workspace.seen.stamps.get(id.0 as usize) {
        return true;
    }
    files::digest(&place).is_ok_and(|now| now == file.digest)
}

/// Whether the file at `path` holds something else by now than when `workspace` was read.
pub fn has_changed(workspace: &Workspace, path: &RelPath) -> bool {
    match workspace.find(path) {
        Some(id) => !still_as_seen(workspace, id),
        None => place(&workspace.root, path).symlink_metadata().is_ok(),
    }
}

/// How the system sees the file at `path` now; `None` if it can't tell.
pub fn stamp_of(workspace: &Workspace, path: &RelPath) -> Option<Stamp> {
    files::stamp(&place(&workspace.root, path)).ok()
}
