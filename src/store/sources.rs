//! Replaces source files with fixed ones. A file changes as a whole, keeps its permissions, and only if it still has the text that
//! the fixes were made for.

use std::fs::Permissions;
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

/// Replaces the content of the file at `path`, relative to `root`: the first one of `contents` with the second one. A file without
/// content is absent, so this also creates and deletes files. If `is_executable` is set, it decides whether those who may read the
/// file may also execute it. The file must be below `top`, the directory of the workspace or its repository. Must not run
/// concurrently with itself, because it removes staged files of killed runs.
///
/// # Errors
///
/// If the file has other content, is not a regular file, is read-only, or a link leads out of `top`. The file is unchanged then.
pub fn replace_source(
    top: &Path,
    root: &Path,
    path: &RelPath,
    contents: [Option<Vec<u8>>; 2],
    is_executable: Option<bool>,
) -> Result<(), NotReplaced> {
    let place = match path.is_outside() {
        true => {
            RelPath::between(top, &RelPath::without_dots(&path.to_path(root))).map(|path| path.to_path(top))
        }
        false => Some(path.to_path(root)),
    };
    let (base, place) = (if path.is_outside() { top } else { root }, place.ok_or(NotReplaced::NotAFile)?);
    let dir = place.parent().unwrap_or(base);
    let (old, new) = match contents {
        [Some(old), new] => (old, new),
        [None, Some(new)] => {
            let create =
                if is_executable == Some(true) { atomic::create_program } else { atomic::create_file };
            return create(base, &place, &new).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => NotReplaced::Changed,
                _ => error.into(),
            });
        }
        [None, None] => return Ok(()),
    };
    let dir = within::directory(base, dir)?;
    let metadata = place.symlink_metadata()?;
    if !metadata.is_file() {
        return Err(NotReplaced::NotAFile);
    }
    if metadata.permissions().readonly() {
        return Err(NotReplaced::ReadOnly);
    }
    atomic::sweep(&dir);
    let permissions = with_mode(metadata.permissions(), is_executable);
    let staged = new.map(|new| atomic::staged(&dir, &new, permissions)).transpose()?;
    // As late as possible, so that an edit made meanwhile is noticed.
    if disk::read(&place)? != old {
        return Err(NotReplaced::Changed);
    }
    match staged {
        Some(staged) => Ok(atomic::put(staged, &place)?),
        None => Ok(std::fs::remove_file(&place)?),
    }
}

/// Returns `permissions` with or without the right to execute for everyone who may read.
#[cfg(unix)]
fn with_mode(permissions: Permissions, is_executable: Option<bool>) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    let mode = permissions.mode();
    match is_executable {
        Some(true) => Permissions::from_mode(mode | (mode & 0o444) >> 2),
        Some(false) => Permissions::from_mode(mode & !0o111),
        None => permissions,
    }
}

#[cfg(not(unix))]
fn with_mode(permissions: Permissions, _: Option<bool>) -> Permissions {
    permissions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replace(root: &Path, path: &str, old: &str, new: &str) -> Result<(), String> {
        let contents = [old, new].map(|text| Some(text.as_bytes().to_vec()));
        replace_source(root, root, &RelPath::new(path), contents, None).map_err(|error| error.to_string())
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
        let set = |mode| std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
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
        let contents = || ["one", "two"].map(|text| Some(text.as_bytes().to_vec()));
        let replace = |path: &str| {
            replace_source(&top.path().join("repo"), &root, &RelPath::new(path), contents(), None)
        };
        assert!(replace("../beside.rs").is_ok());
        assert!(replace("../../beyond.rs").is_err());
        assert_eq!(std::fs::read(top.path().join("beyond.rs")).unwrap(), b"one");
    }
}
