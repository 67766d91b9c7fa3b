//! Reads source files for layers without file access.
//!
//! Only reads files below the root, and files in the surrounding repository that are not hidden, whatever paths
//! are requested.
#![expect(clippy::disallowed_methods, reason = "part of the shell: reads the workspace")]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Component, Path};

use rayon::prelude::*;

use super::{LoadError, repository, unreadable};
use crate::disk;
use crate::model::path::RelPath;

/// Maximum length of a source file that is shown.
const MAX_LEN: u64 = 16 << 20;

/// Reads the files `paths`. Omits everything that is not a regular file inside `root` or its repository (because
/// of `..` or links), hidden files outside of the root, files longer than 16 MiB, and files without read
/// permission.
///
/// # Errors
///
/// Returns the first error of the system while reading an existing file. Without the file, the identity of
/// findings would change.
pub fn read_sources<'a>(
    root: &Path,
    paths: impl IntoIterator<Item = &'a RelPath>,
) -> Result<BTreeMap<RelPath, Vec<u8>>, LoadError> {
    let paths: Vec<_> = paths.into_iter().collect();
    // This is called after each process, usually without paths.
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let Ok(root) = root.canonicalize() else {
        return Ok(BTreeMap::new());
    };
    let top = repository::top_of(&root);
    let read: Vec<_> = paths.into_par_iter().map(|path| (path, read(&root, top, path))).collect();
    let found = read.into_iter().filter_map(|(path, read)| match read {
        Ok(bytes) => Some(Ok((path.clone(), bytes?))),
        Err(error) => Some(Err(unreadable(&path.to_path(&root))(error))),
    });
    found.collect()
}

fn read(root: &Path, top: Option<&Path>, path: &RelPath) -> io::Result<Option<Vec<u8>>> {
    let below = path.as_os_path();
    // A path may go up first and then down.
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

/// Returns whether neither `place` nor a directory between `top` and it is hidden. Excludes git's own files and keys.
fn is_shown(top: &Path, place: &Path) -> bool {
    let hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
    place.strip_prefix(top).is_ok_and(|below| !below.components().any(hidden))
}

fn read_file(place: &Path) -> io::Result<Option<Vec<u8>>> {
    if !place.metadata()?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    disk::open(place)?.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_LEN).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_beside_the_root_are_read_if_they_are_in_the_repository_and_not_hidden() {
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
