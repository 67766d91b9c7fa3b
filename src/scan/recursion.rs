//! Detects a run that was started by a tool of another run in the same workspace.
//!
//! Such a run would wait forever for the run that started it, or, with other directories, start itself again and
//! again. A run started in a different workspace is fine.
//!
//! Each run lists the workspaces being run in an environment variable for its children. If a tool clears its
//! environment, the ancestor processes may still have the variable, and the lock file names the process that holds
//! it. On systems that don't expose other processes, such a run is not detected.

use std::path::Path;

use super::environment::{Env, RUNNING};
use super::sys;
use crate::disk;
use crate::model::digest::Digest;

/// Error for a run that is nested in a run of the same workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this run was started by a genti run in the same workspace and would deadlock with it; do not call `cargo genti` \
     from a tool or a test of this workspace"
)]
pub struct Recursion;

impl Env {
    /// Records for child processes that a run of the workspace at `root` is in progress and stores its artifacts
    /// below `target_dir`.
    ///
    /// # Errors
    ///
    /// If this process is part of such a run.
    pub fn enter(&mut self, root: &Path, target_dir: &Path) -> Result<(), Recursion> {
        let names = [name_of(root), name_of(target_dir)];
        let listed = self.get(RUNNING).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
        let is_listed =
            |listed: &str| listed.split_whitespace().any(|other| names.iter().any(|name| name == other));
        let prefix = format!("{RUNNING}=");
        let lists_us = |variable: &[u8]| {
            variable
                .strip_prefix(prefix.as_bytes())
                .is_some_and(|listed| is_listed(&String::from_utf8_lossy(listed)))
        };
        let above = sys::ancestors();
        if is_listed(&listed) || above.iter().flat_map(|process| process.variables()).any(lists_us) {
            return Err(Recursion);
        }
        self.set(RUNNING, format!("{listed} {}", names.join(" ")).trim_start());
        Ok(())
    }
}

/// Returns a name that identifies this process on this machine, for other runs to read, if the system provides
/// one.
pub fn own_name() -> Option<String> {
    sys::own_name()
}

/// Returns whether the process called `name` is an ancestor of this one.
pub fn is_above(name: &str) -> bool {
    sys::ancestors().iter().any(|process| process.name() == Some(name))
}

/// Returns the name of a directory. Different paths to the same directory have the same name.
fn name_of(dir: &Path) -> String {
    let place = disk::real(dir);
    Digest::of_bytes(place.as_os_str().as_encoded_bytes()).short(16).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_run_in_the_same_place_is_refused_and_one_elsewhere_inherits_the_list() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = one.path().join("target");
        let mut outer = Env::default();
        outer.enter(one.path(), &target).unwrap();
        let mut inner = outer.clone();
        assert_eq!(inner.enter(one.path(), other.path()), Err(Recursion), "another target directory");
        assert_eq!(inner.enter(other.path(), &target), Err(Recursion), "the same target directory");
        inner.enter(other.path(), &other.path().join("target")).unwrap();
        for (root, target) in [(one.path(), &target), (other.path(), &other.path().join("target"))] {
            assert_eq!(inner.clone().enter(root, target), Err(Recursion));
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_directory_has_one_name_whatever_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let (place, link) = (dir.path().join("place"), dir.path().join("link"));
        std::fs::create_dir(&place).unwrap();
        std::os::unix::fs::symlink(&place, &link).unwrap();
        let mut env = Env::default();
        env.enter(&place, &dir.path().join("a")).unwrap();
        assert_eq!(env.enter(&link, &dir.path().join("b")), Err(Recursion));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn ancestors_are_recognized_and_a_process_is_not_its_own_ancestor() {
        let own = own_name().unwrap();
        assert!(!is_above(&own) && !is_above("") && !is_above("1 0 pid:[0]"));
        let above = sys::ancestors();
        assert!(!above.is_empty());
        assert!(above.iter().filter_map(|process| process.name()).all(is_above));
    }
}
