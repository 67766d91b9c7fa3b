//! Cargo's fingerprints: by these it decides whether a unit is built again. Removing that of one unit makes cargo look at
//! this unit again, and at what depends on it.
//!
//! A unit whose fingerprint is missing is built again, but what depends on it is not if its files look up to date at the
//! start. So the list of its sources goes too, or the output of a build script: without these, cargo takes the unit for
//! changed before it builds anything.
//!
//! Does not know when that is right.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::{FileExt, TryLockError};

use super::stop::Stop;

/// How long to wait before cargo's lock is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// The fingerprint of a unit.
pub struct Fingerprint<'a> {
    /// A file that cargo made for the unit; of a build script that ran, its output.
    pub artifact: &'a Path,
    /// The name of its package.
    pub package: &'a str,
    /// What cargo calls the unit: `test-lib-alpha`.
    pub name: &'a str,
}

impl Fingerprint<'_> {
    /// Removes it, while holding cargo's lock on the directory. Whether there was one.
    ///
    /// If the artifact names the hash of the unit, only the fingerprint of this hash is removed; else those of all builds of
    /// this target.
    ///
    /// # Errors
    ///
    /// If the system says no.
    pub fn remove(&self, stop: &Stop) -> io::Result<bool> {
        let mut removed = false;
        for profile in self.profiles() {
            let _lock = lock(&profile, stop)?;
            let found = self.find(&profile);
            let exact: Vec<_> = found.iter().filter(|path| self.is_exact(path)).cloned().collect();
            for path in if exact.is_empty() { found } else { exact } {
                remove_if_there(&path.with_file_name(format!("dep-{}", self.name)))?;
                if self.name.starts_with("run-") {
                    remove_if_there(self.artifact)?;
                }
                fs::remove_file(path)?;
                removed = true;
            }
        }
        Ok(removed)
    }

    /// The directories of profiles that may hold it: that around the artifact, or for documentation those beside it.
    fn profiles(&self) -> Vec<PathBuf> {
        let has_any = |dir: &Path| dir.join(".fingerprint").is_dir();
        if let Some(dir) = self.artifact.ancestors().find(|dir| has_any(dir)) {
            return vec![dir.to_path_buf()];
        }
        // `TARGET/doc/NAME/index.html`
        let base = self.artifact.ancestors().nth(3).and_then(|base| fs::read_dir(base).ok());
        let dirs = base.into_iter().flatten().flatten().map(|entry| entry.path());
        let mut dirs: Vec<_> = dirs.filter(|dir| has_any(dir)).collect();
        dirs.sort();
        dirs
    }

    fn find(&self, profile: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(profile.join(".fingerprint")).into_iter().flatten().flatten();
        let is_of_package = |name: &str| {
            let hash = name.strip_prefix(self.package).and_then(|rest| rest.strip_prefix('-'));
            hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let own = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_of_package));
        own.map(|entry| entry.path().join(self.name)).filter(|path| path.is_file()).collect()
    }

    /// Whether the fingerprint at `path` has the hash that the artifact, or its directory, is named after.
    fn is_exact(&self, path: &Path) -> bool {
        let dir = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let hash = dir.as_deref().and_then(|dir| dir.rsplit_once('-')).map(|(_, hash)| hash);
        let names = self.artifact.iter().rev().take(2).map(|name| name.to_string_lossy());
        hash.is_some_and(|hash| names.into_iter().any(|name| name.contains(hash)))
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Cargo's lock on the directory of a profile.
fn lock(profile: &Path, stop: &Stop) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(profile.join(".cargo-lock"))?;
    loop {
        match FileExt::try_lock(&file) {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if stop.reason().is_none() => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::Interrupted.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target directory with these fingerprints.
    fn target(fingerprints: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in fingerprints {
            let path = dir.path().join("debug/.fingerprint").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    #[track_caller]
    fn check(artifact: &str, name: &str, removed: &[&str]) {
        let all = [
            "a-0123456789abcdef/lib-a",
            "a-0123456789abcdef/lib-a.json",
            "a-0123456789abcdee/lib-a",
            "a-0123456789abcded/doc-lib-a",
            "a-b-0123456789abcdef/lib-a",
        ];
        let dir = target(&all);
        let artifact = dir.path().join(artifact);
        let fingerprint = Fingerprint { artifact: &artifact, package: "a", name };
        assert_eq!(fingerprint.remove(&Stop::new().unwrap()).unwrap(), !removed.is_empty());
        for path in all {
            let is_there = dir.path().join("debug/.fingerprint").join(path).exists();
            assert_eq!(is_there, !removed.contains(&path), "{path}");
        }
    }

    #[test]
    fn only_the_fingerprint_of_the_unit_is_removed() {
        check("debug/deps/liba-0123456789abcdef.rmeta", "lib-a", &["a-0123456789abcdef/lib-a"]);
        check("doc/a/index.html", "doc-lib-a", &["a-0123456789abcded/doc-lib-a"]);
        check("debug/deps/liba-0123456789abcdef.rmeta", "test-lib-a", &[]);
    }

    #[test]
    fn without_a_hash_all_builds_of_the_target_are_forgotten() {
        check("debug/a", "lib-a", &["a-0123456789abcdef/lib-a", "a-0123456789abcdee/lib-a"]);
    }
}
