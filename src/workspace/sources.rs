//! Reads source text for the layers that may not: only beneath the root, and what is not hidden in the repository around it,
//! whatever path they were told.
#![expect(clippy::disallowed_methods, reason = "part of the shell: reads the workspace")]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path};

use rayon::prelude::*;

use super::{LoadError, unreadable, walk};
use crate::disk;
use crate::model::path::RelPath;

/// What is longer than this is no source that somebody wants to be shown.
const LONGEST: u64 = 16 << 20;

/// The contents of `paths`. Absent is what is no regular file beneath `root` or its repository (by `..`, or through a link
/// that leads out), what is hidden outside of the root, what is longer than 16 MiB, and what this user may not read.
///
/// # Errors
///
/// If the system fails to read what is there: the first of them. To go on without would make another finding of
/// one that is known.
pub fn read_sources<'a>(
    root: &Path,
    paths: impl IntoIterator<Item = &'a RelPath>,
) -> Result<BTreeMap<RelPath, Vec<u8>>, LoadError> {
    let paths: Vec<_> = paths.into_iter().collect();
    // Asked for after each process, mostly for nothing.
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let Ok(root) = root.canonicalize() else {
        return Ok(BTreeMap::new());
    };
    let top = walk::repository(&root);
    let read: Vec<_> = paths.into_par_iter().map(|path| (path, read(&root, top, path))).collect();
    let found = read.into_iter().filter_map(|(path, read)| match read {
        Ok(bytes) => Some(Ok((path.clone(), bytes?))),
        Err(error) => Some(Err(unreadable(&path.to_path(&root))(error))),
    });
    found.collect()
}

fn read(root: &Path, top: Option<&Path>, path: &RelPath) -> io::Result<Option<Vec<u8>>> {
    let below = path.as_os_path();
    // First up, then down.
    let mut parts = below.components().skip_while(|part| *part == Component::ParentDir);
    if !parts.all(|part| matches!(part, Component::Normal(_))) {
        return Ok(None);
    }
    let Ok(place) = super::place(root, path).canonicalize() else { return Ok(None) };
    if !place.starts_with(root) && !top.is_some_and(|top| is_shown(top, &place)) {
        return Ok(None);
    }
    match read_file(&place) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            Ok(None)
        }
        read => read,
    }
}

/// Whether `place` lies below `top` in no hidden directory, and is not hidden itself: git's own files, keys.
fn is_shown(top: &Path, place: &Path) -> bool {
    let hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
    place.strip_prefix(top).is_ok_and(|below| !below.components().any(hidden))
}

fn read_file(place: &Path) -> io::Result<Option<Vec<u8>>> {
    if !place.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    disk::open(place)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= LONGEST).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_lies_beside_the_root_is_read_in_its_repository_unless_it_is_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("top/ws");
        for file in ["top/ws/in.rs", "top/shared/s.rs", "top/.keys/k", "top/.git/HEAD", "beside.rs"] {
            let place = dir.path().join(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, file).unwrap();
        }
        let paths = [
            "in.rs",
            "../shared/s.rs",
            "../shared/../.keys/k",
            "../.keys/k",
            "../.git/HEAD",
            "../../beside.rs",
        ];
        let paths = paths.map(RelPath::new);
        let read = || {
            read_sources(&root, &paths).unwrap().into_keys().map(|path| path.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(read(), ["../shared/s.rs", "in.rs"]);
        fs::remove_dir_all(dir.path().join("top/.git")).unwrap();
        assert_eq!(read(), ["in.rs"]);
    }
}
