//! Reads the artifacts of a finished run from any directory.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::disk;
use crate::report::Artifacts;
use crate::report::outputs::{self, OutputsOfTests};

/// The reason why the artifacts of a run can't be read.
#[derive(Debug, thiserror::Error)]
pub enum NoArtifacts {
    /// There is no finished run.
    #[error(
        "no finished run in `{dir}`: `{name}` is missing; run `cargo genti run` first, or pass another directory with `--artifacts`"
    )]
    Missing {
        /// Directory of the artifacts.
        dir: PathBuf,
        /// Name of the missing file.
        name: &'static str,
    },
    /// An I/O error.
    #[error("could not read `{path}`: {error}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system.
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

/// Reads what failed tests printed, which is beside the artifacts in `dir`. Without such a file, there is none.
pub fn load_test_outputs(dir: &Path) -> OutputsOfTests {
    let mut bytes = Vec::new();
    let read = disk::open(&dir.join(outputs::TEST_OUTPUT))
        .and_then(|file| file.take(outputs::MOST).read_to_end(&mut bytes));
    read.map(|_| OutputsOfTests::read(&bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_artifacts_are_read_and_missing_ones_named() {
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
