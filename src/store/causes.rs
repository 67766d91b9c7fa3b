//! `target/genti/explain.json`: why the tasks of the last run ran.

use std::io::{self, Write as _};
use std::path::Path;

use super::atomic;
use crate::model::explain::Causes;

const NAME: &str = "genti/explain.json";

/// Keeps them. They need not last through a power cut.
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

/// Those of the last run; `None` if there was none that kept them.
pub fn load_causes(target_dir: &Path) -> Option<Causes> {
    serde_json::from_slice(&std::fs::read(target_dir.join(NAME)).ok()?).ok()
}
