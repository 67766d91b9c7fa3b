//! Dep-info files, in which rustc lists the files that it read for a unit: where they are.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::normalize::{BuiltUnit, reads};
use crate::store::LockCopies;

/// Names of clippy's configuration files.
pub(super) const CLIPPY: [&str; 2] = ["clippy.toml", ".clippy.toml"];

/// A dep-info file, in which rustc lists the files that it read for a unit.
pub(super) struct DepInfo {
    pub(super) path: PathBuf,
    /// Root of the workspace in which rustc was started, the base of relative paths. `None` if unknown.
    pub(super) base: Option<PathBuf>,
    /// Root source file of the unit; `None` if unknown.
    pub(super) source: Option<PathBuf>,
}

/// Returns the dep-info files of targets with the name of the one that `unit` documents, from all profiles in the same build
/// directory.
pub(super) fn dep_infos_beside(unit: &BuiltUnit) -> Vec<PathBuf> {
    let target = unit.target.replace('-', "_");
    // `TARGET/doc/NAME/index.html`, and profiles beside `doc`.
    let Some(base) = unit.artifact.ancestors().nth(3) else { return Vec::new() };
    let profiles = std::fs::read_dir(base).into_iter().flatten().flatten();
    let files =
        profiles.flat_map(|profile| std::fs::read_dir(profile.path().join("deps")).into_iter().flatten());
    let is_its = |name: &str| {
        name.strip_suffix(".d").and_then(|name| name.rsplit_once('-')).is_some_and(|(name, _)| name == target)
    };
    let own = files.flatten().filter(|file| file.file_name().to_str().is_some_and(is_its));
    own.map(|file| file.path()).collect()
}

/// Returns the dep-info file of the program that cargo hard-linked to `artifact`, whose name has no hash.
fn linked_dep_info(artifact: &Path) -> Option<PathBuf> {
    let seen = |path: &Path| path.metadata().and_then(|meta| Ok((meta.len(), meta.modified()?))).ok();
    let program = seen(artifact)?;
    let name = artifact.file_name()?.to_str()?;
    let stem = name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(name).replace('-', "_");
    let dir = artifact.parent()?;
    let files =
        [dir.join("deps"), dir.to_path_buf()].into_iter().filter_map(|dir| std::fs::read_dir(dir).ok());
    let mut dep_infos = files.flatten().flatten().map(|entry| entry.path()).filter(|path| {
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|_| path.extension() == Some("d".as_ref()));
        name.and_then(|name| name.rsplit_once('-')).is_some_and(|(own, _)| own.replace('-', "_") == stem)
    });
    dep_infos.find(|dep_info| {
        let built = dep_info.with_file_name(format!(
            "{}{}",
            dep_info.file_stem().unwrap_or_default().to_string_lossy(),
            std::env::consts::EXE_SUFFIX
        ));
        seen(&built) == Some(program)
    })
}

/// Returns the dep-info that rustc wrote for `unit`, which must not be documentation.
pub(crate) fn dep_info_of(unit: &BuiltUnit, copies: Option<&LockCopies>) -> Option<Vec<u8>> {
    let text = unit.dep_infos.iter().find_map(|path| read(path, copies));
    text.or_else(|| read(&linked_dep_info(&unit.artifact)?, copies))
}

/// Returns the first source that `dep_info` lists, as written there. Clippy lists its configuration before the sources.
pub(super) fn first_source(dep_info: &Path, copies: Option<&LockCopies>) -> Option<PathBuf> {
    let mut files = reads::dep_info(&read(dep_info, copies)?)?.files.into_iter().map(PathBuf::from);
    let is_source = |path: &PathBuf| !CLIPPY.iter().any(|name| path.ends_with(name));
    files.find(is_source)
}

/// Reads a file that a build has written. What was built in one of `copies` names files of the repository.
pub(super) fn read(path: &Path, copies: Option<&LockCopies>) -> Option<Vec<u8>> {
    let text = disk::read(path).ok()?;
    let original = copies.and_then(|copies| match copies.originals(&text) {
        Cow::Owned(original) => Some(original),
        Cow::Borrowed(_) => None,
    });
    Some(original.unwrap_or(text))
}
