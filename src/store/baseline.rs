//! Baseline files: one for each namespace, committed with the repository.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::atomic::{self, Failed};
use crate::compare::baseline;
use crate::model::error::Problems;
use crate::model::finding::Entry;

/// Where they are, relative to the workspace root.
pub const BASELINE_DIR: &str = ".config/genti/baseline";

/// Why the baseline can't be read or written. No file was changed.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// A file holds mistakes.
    #[error(transparent)]
    Content(#[from] Problems),
    /// It can't be read.
    #[error("could not read `{path}`: {error}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It can't be written.
    #[error("could not write `{path}`: {error}; nothing was accepted")]
    NotWritten {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is a baseline already.
    #[error("there is a baseline already: `{0}`; remove it first to start over")]
    Exists(PathBuf),
}

/// The entries by namespace; empty without a baseline.
///
/// # Errors
///
/// If a file can't be read, or is not a baseline file. Every mistake in every file is reported.
pub fn load_baseline(root: &Path) -> Result<BTreeMap<String, Vec<Entry>>, BaselineError> {
    let mut entries = BTreeMap::new();
    let mut problems = Vec::new();
    for path in files(root)? {
        let bytes = std::fs::read(&path).map_err(|error| BaselineError::Io { path: path.clone(), error })?;
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

/// Writes a first baseline, all of it or nothing, and tells which files it wrote. One run at a time: what a killed
/// one left unfinished is removed.
///
/// # Errors
///
/// If there is one already, or the disk says no.
pub fn init_baseline(
    root: &Path,
    entries: &BTreeMap<String, Vec<Entry>>,
) -> Result<Vec<PathBuf>, BaselineError> {
    if let Some(existing) = files(root)?.into_iter().next() {
        return Err(BaselineError::Exists(existing));
    }
    let dir = root.join(BASELINE_DIR);
    let failed = |path: &Path, error| BaselineError::NotWritten { path: path.to_path_buf(), error };
    std::fs::create_dir_all(&dir).map_err(|error| failed(&dir, error))?;
    atomic::sweep(&dir);
    let texts = entries.iter().map(|(ns, entries)| (format!("{ns}.jsonl"), baseline::render(entries)));
    let texts: Vec<_> = texts.collect();
    let set: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    atomic::write_all(&dir, &set).map_err(|Failed { name, done, error }| {
        for (name, _) in &set[..done] {
            // At worst it is one that is whole, of findings that there are.
            let _ = std::fs::remove_file(dir.join(name));
        }
        failed(&dir.join(name), error)
    })?;
    Ok(texts.iter().map(|(name, _)| Path::new(BASELINE_DIR).join(name)).collect())
}

/// The baseline files that there are, sorted.
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
