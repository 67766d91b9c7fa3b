//! Golden files on disk, committed with the repository. They are read and written only below the workspace
//! root.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use super::atomic::{self, Failed};
use super::within;
use crate::disk;
use crate::model::golden::DIR;
use crate::model::path::RelPath;

/// The reason why a golden file can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// The file can't be read.
    #[error("could not read the golden file `{path}`: {error}")]
    Io {
        /// Path of the file.
        path: RelPath,
        /// The error of the system.
        error: io::Error,
    },
    /// The file can't be written or removed.
    #[error("could not write `{path}`: {error}; no golden file is partially written")]
    NotWritten {
        /// Path of the file.
        path: RelPath,
        /// The error of the system.
        error: io::Error,
    },
}

/// Returns the text of the golden file at `path`, with `�` for invalid UTF-8, or `None` if it does not exist.
///
/// # Errors
///
/// If it can't be read, is not a file, or is outside `root`.
pub fn load_golden(root: &Path, path: &RelPath) -> Result<Option<String>, GoldenError> {
    match read(root, path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(GoldenError::Io { path: path.clone(), error }),
    }
}

/// Size limit in bytes, larger than any golden file that genti writes.
const MOST: u64 = 4 << 20;

fn read(root: &Path, path: &RelPath) -> io::Result<Vec<u8>> {
    let place = path.to_path(root).canonicalize()?;
    if !place.starts_with(root.canonicalize()?.join(DIR)) {
        return Err(io::Error::other("it is a symbolic link to another place"));
    }
    if place.is_dir() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    disk::open(&place)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok(bytes)
}

/// Writes golden files, in order.
///
/// # Errors
///
/// If a file can't be written, or a link leads out of `root`. No file is partially written, and the files
/// before it are replaced.
pub fn save_goldens(root: &Path, goldens: &BTreeMap<RelPath, String>) -> Result<(), GoldenError> {
    for (path, text) in goldens {
        save(root, path, text).map_err(|error| GoldenError::NotWritten { path: path.clone(), error })?;
    }
    Ok(())
}

fn save(root: &Path, path: &RelPath, text: &str) -> io::Result<()> {
    let place = path.to_path(root);
    let dir = place.parent().unwrap_or(root);
    within::make(root, dir)?;
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    atomic::sweep(dir);
    atomic::write_all(dir, &[(&name, text.as_bytes())]).map_err(|Failed { error, .. }| error)
}

/// Removes the golden file at `path`, and the directories that become empty.
///
/// # Errors
///
/// If it can't be removed, or a link leads out of `root`.
pub fn remove_golden(root: &Path, path: &RelPath) -> Result<(), GoldenError> {
    let remove = || {
        let place = path.to_path(root);
        let dir = within::directory(root, place.parent().unwrap_or(root))?;
        std::fs::remove_file(&place)?;
        let below = |dir: &&Path| dir.starts_with(root.join(DIR));
        // The first directory that is not empty ends this.
        dir.ancestors().take_while(below).try_for_each(std::fs::remove_dir).ok();
        Ok(())
    };
    remove().map_err(|error| GoldenError::NotWritten { path: path.clone(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> RelPath {
        RelPath::new(path)
    }

    #[test]
    fn a_golden_file_is_written_read_and_removed_with_its_directories() {
        let root = tempfile::tempdir().unwrap();
        let (one, other) = (path(".config/genti/golden/t/a/b.out"), path(".config/genti/golden/t.out"));
        assert_eq!(load_golden(root.path(), &one).unwrap(), None);
        let goldens = BTreeMap::from([(one.clone(), "1".to_owned()), (other.clone(), "2".to_owned())]);
        save_goldens(root.path(), &goldens).unwrap();
        save_goldens(root.path(), &goldens).unwrap();
        assert_eq!(load_golden(root.path(), &one).unwrap().as_deref(), Some("1"));
        remove_golden(root.path(), &one).unwrap();
        assert!(!root.path().join(".config/genti/golden/t").exists());
        assert_eq!(load_golden(root.path(), &other).unwrap().as_deref(), Some("2"));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link_within_the_workspace() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(DIR)).unwrap();
        std::fs::create_dir(root.path().join("docs")).unwrap();
        std::fs::write(root.path().join("docs/a.out"), "precious").unwrap();
        std::os::unix::fs::symlink("../../../docs", root.path().join(DIR).join("t")).unwrap();
        let golden = path(DIR).join("t").join("a.out");
        assert!(save_goldens(root.path(), &BTreeMap::from([(golden.clone(), String::new())])).is_err());
        assert!(remove_golden(root.path(), &golden).is_err() && load_golden(root.path(), &golden).is_err());
        assert_eq!(std::fs::read(root.path().join("docs/a.out")).unwrap(), b"precious");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_or_read_through_a_link_out_of_the_workspace() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir_all(root.path().join(".config/genti")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join(".config/genti/golden")).unwrap();
        let golden = path(".config/genti/golden/t/a.out");
        let message =
            save_goldens(root.path(), &BTreeMap::from([(golden, String::new())])).unwrap_err().to_string();
        assert!(message.contains("t/a.out`: a symbolic link leads elsewhere"), "{message}");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        std::fs::write(outside.path().join("t.out"), "secret").unwrap();
        assert!(load_golden(root.path(), &path(".config/genti/golden/t.out")).is_err());
        assert!(remove_golden(root.path(), &path(".config/genti/golden/t.out")).is_err());
    }
}
