//! `target/genti/explain.json`: the reasons why tasks of the last run ran.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::atomic;
use crate::disk;
use crate::model::explain::Causes;

/// The error for reasons that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read `{path}`: {error}")]
pub struct NoCauses {
    path: PathBuf,
    error: io::Error,
}

const NAME: &str = "genti/explain.json";

/// Writes the reasons, without syncing to disk.
///
/// # Errors
///
/// If they can't be written.
pub fn write_causes(target_dir: &Path, causes: &Causes) -> io::Result<()> {
    let mut file = atomic::unfinished(&target_dir.join("genti"))?;
    let mut out = io::BufWriter::new(file.as_file_mut());
    serde_json::to_writer(&mut out, causes)?;
    out.flush()?;
    drop(out);
    file.persist(target_dir.join(NAME)).map_err(|error| error.error)?;
    Ok(())
}

/// Loads the reasons of the last run. Returns `None` if there are none.
///
/// # Errors
///
/// If they can't be read.
pub fn load_causes(target_dir: &Path) -> Result<Option<Causes>, NoCauses> {
    let path = target_dir.join(NAME);
    match disk::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(NoCauses { path, error }),
    }
}
