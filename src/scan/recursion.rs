//! A run that is started by a tool of a run: on another workspace it is like any other, on the same one it would wait for
//! ever for the run that it is a part of, or start itself again and again in other directories.
//!
//! A run tells its children by a variable which workspaces are being run. Who empties its environment is found all the same:
//! processes above it may have kept theirs, and the file that runs lock says which process holds it. What a system does not
//! tell of other processes, nobody finds there.

use std::path::Path;

use super::environment::Env;
use super::sys;
use crate::model::digest::Digest;

/// The variable: digests of the directories that runs use, with blanks between them.
pub(super) const VARIABLE: &str = "GENTI_RUNNING";

/// Why a run is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is part of a run of genti in the same workspace, which would wait for it for ever: do not call `cargo genti` \
     from a tool or a test of this workspace"
)]
pub struct Recursion;

impl Env {
    /// From now on, children are told that a run of the workspace at `root` is going on, which leaves its artifacts below
    /// `target_dir`.
    ///
    /// # Errors
    ///
    /// If this process is part of such a run.
    pub fn enter(&mut self, root: &Path, target_dir: &Path) -> Result<(), Recursion> {
        let names = [name_of(root), name_of(target_dir)];
        let told = self.get(VARIABLE).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
        let is_told =
            |told: &str| told.split_whitespace().any(|other| names.iter().any(|name| name == other));
        let prefix = format!("{VARIABLE}=");
        let was_told = |variable: &[u8]| {
            variable
                .strip_prefix(prefix.as_bytes())
                .is_some_and(|told| is_told(&String::from_utf8_lossy(told)))
        };
        let above = sys::ancestors();
        if is_told(&told) || above.iter().flat_map(|process| process.variables()).any(was_told) {
            return Err(Recursion);
        }
        self.set(VARIABLE, format!("{told} {}", names.join(" ")).trim_start());
        Ok(())
    }
}

/// What tells this process from all others on this machine, where the system says so: to be read by other runs.
pub fn own_name() -> Option<String> {
    sys::own_name()
}

/// Whether the process that goes by this name is above this one.
pub fn is_above(name: &str) -> bool {
    sys::ancestors().iter().any(|process| process.name() == Some(name))
}

/// The same for one directory, whatever its path is called.
fn name_of(dir: &Path) -> String {
    let place = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    Digest::of_bytes(place.as_os_str().as_encoded_bytes()).short(16).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_the_same_place_is_refused_and_one_elsewhere_is_told_of_both() {
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
    fn a_directory_is_known_by_every_name() {
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
    fn processes_above_are_known_and_this_one_is_not_above_itself() {
        let own = own_name().unwrap();
        assert!(!is_above(&own) && !is_above("") && !is_above("1 0 pid:[0]"));
        let above = sys::ancestors();
        assert!(!above.is_empty());
        assert!(above.iter().filter_map(|process| process.name()).all(is_above));
    }
}
