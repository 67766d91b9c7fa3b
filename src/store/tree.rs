//! Removes directories in which other programs have worked.

use std::fs;
use std::io;
use std::path::Path;

/// Removes the directory `dir`, even if it contains directories that may not be changed, as some programs make them. If it does not
/// exist, there is nothing to do.
///
/// # Errors
///
/// If something can't be removed.
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(_) if !dir.exists() => Ok(()),
        Err(_) => make_writable(dir).and_then(|()| fs::remove_dir_all(dir)),
        removed => removed,
    }
}

/// Lets everything in `dir` be removed.
#[cfg(unix)]
fn make_writable(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut left = vec![dir.to_path_buf()];
    while let Some(dir) = left.pop() {
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            left.extend(entry.file_type()?.is_dir().then(|| entry.path()));
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_writable(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_removed_with_everything_in_it_or_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/file"), "x").unwrap();
        #[cfg(unix)]
        for name in ["a/b", "a"] {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(tree.join(name), fs::Permissions::from_mode(0o500)).unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        remove_tree(&tree).unwrap();
    }
}
