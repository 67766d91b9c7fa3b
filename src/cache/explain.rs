//! `target/genti/explain.json`: why the tasks of the last run ran, for `cargo genti explain`. Not an artifact, since two
//! identical runs differ in it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::store::atomic;

/// Reasons why the tasks of a run ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReasons {
    /// Every tool of the run, sorted by name.
    pub tools: Vec<ToolReasons>,
    /// Address of the remote store, if the run used one.
    #[serde(default)]
    pub store: Option<String>,
}

/// Reasons why the tasks of one tool ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolReasons {
    /// Name of the tool.
    pub tool: String,
    /// Number of tasks that did not run.
    pub hits: usize,
    /// Paths of the units whose results came from the remote store.
    #[serde(default)]
    pub downloaded: Vec<String>,
    /// Changes that affect all tasks of the tool.
    pub changed: Vec<Changed>,
    /// The tasks that ran.
    pub ran: Vec<TaskReason>,
    /// The reason why a result of this run was not cached, so that the next run can't use it.
    pub not_cached: Option<String>,
}

/// Reason why one task ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReason {
    /// Path of the unit.
    pub unit: String,
    /// The reason as text; empty if `changed` says it all.
    pub why: String,
    /// Inputs of the task that changed.
    pub changed: Vec<Changed>,
    /// True if a worker of the remote store's server ran it.
    #[serde(default)]
    pub is_away: bool,
}

/// A change, with the first digits of the digests before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Name of the input.
    pub what: String,
    /// Digest before the change; `None` if the input was absent.
    pub from: Option<String>,
    /// Digest after the change; `None` if the input is gone.
    pub to: Option<String>,
}

/// The file with the reasons could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read `{path}`: {error}")]
pub struct ReasonsError {
    path: PathBuf,
    error: io::Error,
}

const NAME: &str = "genti/explain.json";

/// Writes the reasons below `target_dir`, without syncing: they may be lost in a power cut.
///
/// # Errors
///
/// If they can't be written.
pub(super) fn write_reasons(target_dir: &Path, reasons: &RunReasons) -> io::Result<()> {
    let mut file = atomic::unfinished(&target_dir.join("genti"))?;
    let mut out = io::BufWriter::new(file.as_file_mut());
    serde_json::to_writer(&mut out, reasons)?;
    out.flush()?;
    drop(out);
    file.persist(target_dir.join(NAME)).map_err(|error| error.error)?;
    Ok(())
}

/// Reads the reasons of the last run; `None` if there was no run or the file is damaged.
///
/// # Errors
///
/// If the file can't be read.
pub fn load_reasons(target_dir: &Path) -> Result<Option<RunReasons>, ReasonsError> {
    let path = target_dir.join(NAME);
    match disk::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(ReasonsError { path, error }),
    }
}
