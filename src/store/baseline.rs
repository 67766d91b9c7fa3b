//! Baseline files: one per namespace, committed with the repository.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::atomic::{self, Failed};
use super::within;
use crate::compare::baseline;
use crate::disk;
use crate::model::error::Problems;
use crate::model::finding::Entry;

/// Directory of the baseline files, relative to the workspace root.
pub const BASELINE_DIR: &str = ".config/genti/baseline";

/// The reason why the baseline can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// A file has mistakes.
    #[error(transparent)]
    Content(#[from] Problems),
    /// A file can't be read.
    #[error("could not read `{path}`: {error}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The underlying I/O error.
        error: io::Error,
    },
    /// A file can't be written.
    #[error("could not write `{path}`: {error}; no baseline file is partially written")]
    NotWritten {
        /// Path of the file.
        path: PathBuf,
        /// The underlying I/O error.
        error: io::Error,
    },
}

/// Returns the entries by namespace. The map is empty if there is no baseline.
///
/// # Errors
///
/// If a file can't be read or is not a valid baseline file. The error lists all mistakes in all files.
pub fn load_baseline(root: &Path) -> Result<BTreeMap<String, Vec<Entry>>, BaselineError> {
    let mut entries = BTreeMap::new();
    let mut problems = Vec::new();
    for path in files(root)? {
        let bytes = disk::read(&path).map_err(|error| BaselineError::Io { path: path.clone(), error })?;
        let ns = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match baseline::parse(&format!("{BASELINE_DIR}/{ns}.jsonl"), &bytes) {
            Ok(of_ns) => {
                entries.insert(ns, of_ns);
            }
            Err(mistakes) => problems.extend(mistakes.0),
        }
    }
    if problems.is_empty() { Ok(entries) } else { Err(Problems(problems).into()) }
}

/// Writes the baseline files that changed and removes those without entries. Returns their names, relative to
/// the workspace root. Must not run concurrently with itself, because it removes staged files of killed runs.
///
/// # Errors
///
/// If a file can't be written, or a link leads out of `root`. No file is partially written.
pub fn save_baseline(
    root: &Path,
    entries: &BTreeMap<String, Vec<Entry>>,
) -> Result<Vec<PathBuf>, BaselineError> {
    let dir = root.join(BASELINE_DIR);
    let failed = |path: &Path, error| BaselineError::NotWritten { path: path.to_path_buf(), error };
    let old = files(root)?;
    let texts = entries.iter().filter(|(_, entries)| !entries.is_empty());
    let texts = texts.map(|(ns, entries)| (format!("{ns}.jsonl"), baseline::render(entries)));
    let texts: Vec<_> = texts
        .filter(|(name, text)| !disk::read(&dir.join(name)).is_ok_and(|old| old == text.as_bytes()))
        .collect();
    let set: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    if !set.is_empty() {
        within::make(root, &dir).map_err(|error| failed(&dir, error))?;
        atomic::sweep(&dir);
        atomic::write_all(&dir, &set).map_err(|Failed { name, error, .. }| failed(&dir.join(name), error))?;
    }
    let mut changed: Vec<_> = texts.iter().map(|(name, _)| Path::new(BASELINE_DIR).join(name)).collect();
    for path in old {
        let ns = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if entries.get(&ns).is_none_or(Vec::is_empty) {
            let gone = within::directory(root, &dir).and_then(|_| std::fs::remove_file(&path));
            gone.map_err(|error| failed(&path, error))?;
            changed.push(Path::new(BASELINE_DIR).join(format!("{ns}.jsonl")));
        }
    }
    changed.sort();
    Ok(changed)
}

/// Returns the baseline files that contain merge conflict markers: their names relative to the workspace
/// root, and their texts.
///
/// # Errors
///
/// If a file can't be read.
pub fn conflicted_baselines(root: &Path) -> Result<Vec<(PathBuf, String)>, BaselineError> {
    let mut conflicted = Vec::new();
    for path in files(root)? {
        let bytes = disk::read(&path).map_err(|error| BaselineError::Io { path: path.clone(), error })?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if baseline::is_conflicted(&text) {
            let name = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
            conflicted.push((name, text));
        }
    }
    Ok(conflicted)
}

/// Writes one baseline file, whose name is relative to the workspace root.
///
/// # Errors
///
/// If the file can't be written, or a link leads out of `root`. In both cases, the file is unchanged.
pub fn write_baseline(root: &Path, name: &Path, entries: &[Entry]) -> Result<(), BaselineError> {
    let path = root.join(name);
    let (dir, file) = (root.join(BASELINE_DIR), path.file_name().unwrap_or_default().to_string_lossy());
    let failed = |error| BaselineError::NotWritten { path: path.clone(), error };
    within::directory(root, &dir).map_err(failed)?;
    atomic::write_all(&dir, &[(&file, baseline::render(entries).as_bytes())])
        .map_err(|Failed { error, .. }| failed(error))
}

/// Returns the existing baseline files, sorted.
fn files(root: &Path) -> Result<Vec<PathBuf>, BaselineError> {
    let dir = root.join(BASELINE_DIR);
    let mut files = Vec::new();
    match std::fs::read_dir(&dir) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(|error| BaselineError::Io { path: dir.clone(), error })?.path();
                if path.extension().is_some_and(|extension| extension == "jsonl") {
                    files.push(path);
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(BaselineError::Io { path: dir, error }),
    }
    files.sort();
    Ok(files)
}
