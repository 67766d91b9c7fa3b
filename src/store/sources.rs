//! Replaces source files with fixed ones. A file changes as a whole, keeps its permissions, and only if it still has the text that
//! the fixes were made for.

use std::io;
use std::path::Path;

use super::{atomic, within};
use crate::disk;
use crate::model::path::RelPath;

/// The reason why a source file was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// Its content is not the expected one any more.
    #[error("it has changed since it was analysed")]
    Changed,
    /// It is not a regular file.
    #[error("it is a symbolic link, or not a file")]
    NotAFile,
    /// It may not be written.
    #[error("it is read-only")]
    ReadOnly,
    /// The system does not allow it.
    #[error("could not write it: {0}")]
    Io(#[from] io::Error),
}

/// Replaces the content `old` of the file at `path`, relative to `root`, with `new`. The file must be below `top`, the directory of
/// the workspace or its repository. Must not run concurrently with itself, because it removes staged files of killed runs.
///
/// # Errors
///
/// If the file has other content, is not a regular file, is read-only, or a link leads out of `top`. The file is unchanged then.
pub fn replace_source(
    top: &Path,
    root: &Path,
    path: &RelPath,
    old: &[u8],
    new: &[u8],
) -> Result<(), NotReplaced> {
    let place = match path.is_outside() {
        true => {
            RelPath::between(top, &RelPath::without_dots(&path.to_path(root))).map(|path| path.to_path(top))
        }
        false => Some(path.to_path(root)),
    };
    let (base, place) = (if path.is_outside() { top } else { root }, place.ok_or(NotReplaced::NotAFile)?);
    let dir = within::directory(base, place.parent().unwrap_or(base))?;
    let metadata = place.symlink_metadata()?;
    if !metadata.is_file() {
        return Err(NotReplaced::NotAFile);
    }
    if metadata.permissions().readonly() {
        return Err(NotReplaced::ReadOnly);
    }
    atomic::sweep(&dir);
    let staged = atomic::staged(&dir, new, metadata.permissions())?;
    // As late as possible, so that an edit made meanwhile is noticed.
    if disk::read(&place)? != old {
        return Err(NotReplaced::Changed);
    }
    Ok(atomic::put(staged, &place)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(root: &Path, path: &str, old: &str, new: &str) -> Result<(), String> {
        replace_source(root, root, &RelPath::new(path), old.as_bytes(), new.as_bytes())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_replaced_only_if_it_has_the_expected_content() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.rs");
        std::fs::write(&file, "one").unwrap();
        assert_eq!(replace(root.path(), "a.rs", "one", "two"), Ok(()));
        assert_eq!(
            replace(root.path(), "a.rs", "one", "three"),
            Err("it has changed since it was analysed".to_owned())
        );
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        assert!(replace(root.path(), "b.rs", "", "two").is_err());
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "no staged file is left");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_kept_and_respected() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.rs");
        std::fs::write(&file, "one").unwrap();
        let set = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o754);
        assert_eq!(replace(root.path(), "a.rs", "one", "two"), Ok(()));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o754);
        set(0o444);
        assert_eq!(replace(root.path(), "a.rs", "two", "three"), Err("it is read-only".to_owned()));
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link() {
        use std::os::unix::fs::symlink;
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("a.rs"), "one").unwrap();
        symlink(outside.path(), root.path().join("dir")).unwrap();
        symlink(outside.path().join("a.rs"), root.path().join("a.rs")).unwrap();
        assert!(
            replace(root.path(), "dir/a.rs", "one", "two")
                .unwrap_err()
                .contains("a symbolic link leads elsewhere")
        );
        assert!(replace(root.path(), "a.rs", "one", "two").unwrap_err().contains("it is a symbolic link"));
        assert_eq!(std::fs::read(outside.path().join("a.rs")).unwrap(), b"one");
    }

    #[test]
    fn a_file_beside_the_workspace_is_replaced_only_in_its_repository() {
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("repo/ws");
        std::fs::create_dir_all(&root).unwrap();
        for file in ["repo/beside.rs", "beyond.rs"] {
            std::fs::write(top.path().join(file), "one").unwrap();
        }
        let replace =
            |path: &str| replace_source(&top.path().join("repo"), &root, &RelPath::new(path), b"one", b"two");
        assert!(replace("../beside.rs").is_ok());
        assert!(replace("../../beyond.rs").is_err());
        assert_eq!(std::fs::read(top.path().join("beyond.rs")).unwrap(), b"one");
    }
}
