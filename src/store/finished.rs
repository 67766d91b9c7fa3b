//! The artifacts of a finished run, read back: whole files, from whatever directory they lie in.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::report::Artifacts;

/// Why the artifacts of a run can't be read.
#[derive(Debug, thiserror::Error)]
pub enum NoArtifacts {
    /// No run left them there.
    #[error(
        "there is no finished run in `{dir}`: `{name}` is missing; `cargo genti run` leaves one, `--artifacts` names another directory"
    )]
    Missing {
        /// Where they should be.
        dir: PathBuf,
        /// Which is not there.
        name: &'static str,
    },
    /// The disk said no.
    #[error("could not read `{path}`: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Reads the artifacts in `dir`.
///
/// # Errors
///
/// If one of them is missing or can't be read.
pub fn load_artifacts(dir: &Path) -> Result<Artifacts, NoArtifacts> {
    let read = |name: &'static str| {
        let path = dir.join(name);
        disk::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                NoArtifacts::Missing { dir: dir.to_path_buf(), name }
            }
            _ => NoArtifacts::Io { path, error },
        })
    };
    Ok(Artifacts { run: read("run.json")?, report: read("report.json")?, tasks: read("tasks.jsonl")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let text = load_artifacts(&dir.path().join("none")).unwrap_err().to_string();
        assert!(text.contains("`run.json` is missing"), "{text}");
        let artifacts = Artifacts { run: b"1".into(), report: b"2".into(), tasks: b"3".into() };
        for (name, bytes) in artifacts.files() {
            assert!(load_artifacts(dir.path()).is_err());
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        assert_eq!(load_artifacts(dir.path()).unwrap(), artifacts);
    }
}
