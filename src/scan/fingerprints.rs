//! Removes fingerprints of cargo, so cargo checks a unit and everything that depends on it again. Does not know
//! when that is needed.
//!
//! Cargo uses fingerprints to decide which units to rebuild. Without its fingerprint, a unit is rebuilt, but units
//! that depend on it are not if their files looked up to date at the start. So the list of sources is removed too,
//! or for build scripts the output. Without these, cargo considers the unit changed before it builds anything.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::{FileExt, TryLockError};

use super::stop::Stop;

/// Directory inside the directory of a profile where cargo stores fingerprints.
const FINGERPRINTS: &str = ".fingerprint";

/// Delay between attempts to acquire cargo's lock.
const PAUSE: Duration = Duration::from_millis(50);

/// Identifies the fingerprint of a unit.
pub struct UnitFingerprint<'a> {
    /// A file that cargo produced for the unit; for a build script run, its output.
    pub artifact: &'a Path,
    /// Name of the package.
    pub package: &'a str,
    /// Cargo's name for the unit, such as `test-lib-alpha`.
    pub name: &'a str,
}

impl UnitFingerprint<'_> {
    /// Removes the fingerprint while holding cargo's lock on the directory. Returns whether it existed.
    ///
    /// If the name of the artifact contains the hash of the unit, only the fingerprint with this hash is removed.
    /// Otherwise the fingerprints of all builds of this target are removed.
    ///
    /// # Errors
    ///
    /// If a file can't be removed or the lock can't be acquired.
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

    /// Returns the profile directories that may contain the fingerprint: the one around the artifact, or for
    /// documentation those next to it.
    fn profiles(&self) -> Vec<PathBuf> {
        let has_any = |dir: &Path| dir.join(FINGERPRINTS).is_dir();
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
        let entries = fs::read_dir(profile.join(FINGERPRINTS)).into_iter().flatten().flatten();
        let is_of_package = |name: &str| {
            package_and_hash(Path::new(name)).is_some_and(|(package, _)| package == self.package)
        };
        let own = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_of_package));
        own.map(|entry| entry.path().join(self.name)).filter(|path| path.is_file()).collect()
    }

    /// Returns whether the fingerprint at `path` has the hash in the name of the artifact or of its directory.
    fn is_exact(&self, path: &Path) -> bool {
        let dir = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let hash = dir.as_deref().and_then(|dir| dir.rsplit_once('-')).map(|(_, hash)| hash);
        let names = self.artifact.iter().rev().take(2).map(|name| name.to_string_lossy());
        hash.is_some_and(|hash| names.into_iter().any(|name| name.contains(hash)))
    }
}

/// Files of the units built in a directory, by any cargo, whose fingerprints still exist.
#[derive(Debug, Default)]
pub struct Units {
    /// Files in which rustc lists the sources of a unit, with the name of the package if known.
    pub lists: Vec<(PathBuf, Option<String>)>,
    /// Files with the output of build scripts.
    pub outputs: Vec<PathBuf>,
}

impl Units {
    /// Finds the units in `dir`, except in the directories `except` below it. The result is sorted.
    pub fn find(dir: &Path, except: &[PathBuf]) -> Self {
        let mut units = Self::default();
        let is_included = |dir: &PathBuf| !except.contains(dir);
        for dir in entries(dir).into_iter().filter(is_included) {
            // Profiles are at `debug` or `TARGET/debug`.
            match dir.join(FINGERPRINTS).is_dir() {
                true => units.add(&dir),
                false => entries(&dir).iter().filter(|dir| is_included(dir)).for_each(|dir| units.add(dir)),
            }
        }
        units
    }

    fn add(&mut self, profile: &Path) {
        let fingerprints = entries(&profile.join(FINGERPRINTS));
        if fingerprints.is_empty() {
            return;
        }
        let live = fingerprints.iter().filter(|dir| !fingerprint_files(dir).is_empty());
        let packages: BTreeMap<_, _> =
            live.filter_map(|dir| package_and_hash(dir)).map(|(a, b)| (b, a)).collect();
        let package = |path: &Path| Some(packages.get(hash_of(path)?)?.to_string());
        let is_live = |path: &Path| hash_of(path).is_none_or(|hash| packages.contains_key(hash));
        let scripts = entries(&profile.join("build"));
        for dir in [profile.join("deps"), profile.join("examples")].iter().chain(&scripts) {
            let lists = entries(dir).into_iter().filter(|path| path.extension() == Some("d".as_ref()));
            // Examples without a hash are links to the others.
            let is_unit = |path: &PathBuf| hash_of(path).is_some() || dir.ends_with("deps");
            let lists = lists.filter(is_unit).filter(|path| is_live(path));
            self.lists.extend(lists.map(|path| (path.clone(), package(&path))));
        }
        let outputs = scripts.iter().filter(|dir| is_live(dir)).map(|dir| dir.join("output"));
        self.outputs.extend(outputs.filter(|path| path.is_file()));
    }
}

/// Removes the fingerprint of the unit to which `file`, one of the files in [`Units`], belongs, while holding
/// cargo's lock.
///
/// # Errors
///
/// If a file can't be removed or the lock can't be acquired.
pub fn forget_unit(file: &Path, stop: &Stop) -> io::Result<()> {
    let Some(profile) = file.ancestors().find(|dir| dir.join(FINGERPRINTS).is_dir()) else { return Ok(()) };
    let _lock = lock(profile, stop)?;
    let is_output = file.ends_with("output");
    let named = if is_output { file.parent().unwrap_or(file) } else { file };
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if is_output {
        remove_if_there(file)?;
    }
    for dir in entries(&profile.join(FINGERPRINTS)) {
        let files = fingerprint_files(&dir).into_iter().filter(|file| match hash_of(named) {
            Some(hash) => hash_of(&dir) == Some(hash),
            None => file.to_string_lossy().replace('-', "_").ends_with(&format!("_{name}")),
        });
        for file in files {
            let own = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            remove_if_there(&file.with_file_name(format!("dep-{own}")))?;
            remove_if_there(&file)?;
        }
    }
    Ok(())
}

/// Returns the files in `dir`, the directory of a fingerprint, that make cargo consider a unit built.
fn fingerprint_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = entries(dir);
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.extension().is_none() && !name.starts_with("dep-") && !name.starts_with("output-")
    });
    files
}

/// Returns the hash in the name of a unit's file or directory.
fn hash_of(path: &Path) -> Option<&str> {
    Some(package_and_hash(path)?.1)
}

/// Splits the name of a unit's directory into package and hash.
fn package_and_hash(dir: &Path) -> Option<(&str, &str)> {
    let (package, hash) = dir.file_stem()?.to_str()?.rsplit_once('-')?;
    (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some((package, hash))
}

/// Returns the entries of `dir`, sorted.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Acquires cargo's lock on the directory of a profile.
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

    /// Creates a target directory with the given fingerprints.
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
        let fingerprint = UnitFingerprint { artifact: &artifact, package: "a", name };
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
    fn units_are_found_and_removed_whichever_cargo_built_them() {
        let all = [
            ".fingerprint/x-0123456789abcdef/bin-x",
            ".fingerprint/x-0123456789abcdef/dep-bin-x",
            ".fingerprint/gone-0123456789abcdee/dep-lib-gone",
            ".fingerprint/x-0123456789abcded/run-build-script-build-script-build",
            ".fingerprint/plug-in-0123456789abcdec/lib-plug_in",
            "deps/x-0123456789abcdef.d",
            "deps/gone-0123456789abcdee.d",
            "deps/plug_in.d",
            "build/x-0123456789abcded/output",
        ];
        let dir = tempfile::tempdir().unwrap();
        let debug = dir.path().join("debug");
        for path in all.map(|path| debug.join(path)) {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let find = || {
            let Units { lists, outputs } = Units::find(dir.path(), &[]);
            let all = lists.into_iter().map(|(list, _)| list).chain(outputs);
            all.map(|path| path.strip_prefix(&debug).unwrap().to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let (unit, plugin) = ("deps/x-0123456789abcdef.d", "deps/plug_in.d");
        let output = "build/x-0123456789abcded/output";
        assert_eq!(find(), [plugin, unit, output]);
        let packages: Vec<_> = Units::find(dir.path(), &[]).lists.into_iter().map(|(_, name)| name).collect();
        assert_eq!(packages, [None, Some("x".to_owned())]);
        let stop = Stop::new().unwrap();
        forget_unit(&debug.join(unit), &stop).unwrap();
        assert_eq!(find(), [plugin, output]);
        assert!(!debug.join(all[1]).exists());
        forget_unit(&debug.join(output), &stop).unwrap();
        assert_eq!(find(), [plugin]);
        forget_unit(&debug.join(plugin), &stop).unwrap();
        assert!(!debug.join(all[4]).exists());
        assert!(Units::find(dir.path(), &[debug]).lists.is_empty());
    }

    #[test]
    fn without_a_hash_the_fingerprints_of_all_builds_are_removed() {
        check("debug/a", "lib-a", &["a-0123456789abcdef/lib-a", "a-0123456789abcdee/lib-a"]);
    }
}
