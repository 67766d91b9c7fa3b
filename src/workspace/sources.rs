//! Reads source text for the layers that may not: only beneath the root, whatever path they were told.
#![expect(clippy::disallowed_methods, reason = "part of the shell: reads the workspace")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use rayon::prelude::*;

use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::workspace::Workspace;

/// What is longer than this is no source that somebody wants to be shown.
const LONGEST: u64 = 16 << 20;

/// The contents of `paths`. Absent is what is no regular file beneath `root` (by `..`, or through a link that
/// leads out), what is longer than 16 MiB, and what can't be read.
pub fn read_sources<'a>(
    root: &Path,
    paths: impl IntoIterator<Item = &'a RelPath>,
) -> BTreeMap<RelPath, Vec<u8>> {
    let Ok(root) = root.canonicalize() else {
        return BTreeMap::new();
    };
    let paths: Vec<_> = paths.into_iter().collect();
    paths.into_par_iter().filter_map(|path| Some((path.clone(), read(&root, path)?))).collect()
}

fn read(root: &Path, path: &RelPath) -> Option<Vec<u8>> {
    let below = path.as_os_path();
    if !below.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let place = root.join(below).canonicalize().ok().filter(|place| place.starts_with(root))?;
    // Asked before it is opened: to open a FIFO would wait for a writer.
    if !place.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(place).ok()?.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= LONGEST).then_some(bytes)
}

/// Whether the file at `path` holds something else by now than when `workspace` was read.
pub fn has_changed(workspace: &Workspace, path: &RelPath) -> bool {
    let before = workspace.find(path).map(|id| workspace.file(id).digest);
    let now = std::fs::read(path.to_path(&workspace.root)).ok().map(|bytes| Digest::of_bytes(&bytes));
    before != now
}
