//! Reads the records of shards, and recorded durations, from files that the user names.

use std::io;
use std::path::{Path, PathBuf};

use super::finished::NoArtifacts;
use crate::disk;

/// Name of the record that a shard leaves beside its artifacts.
pub const SHARD: &str = "shard.jsonl";

/// Returns the records in `dir`: its own, or else those of the directories in it, sorted by path. Empty if there are none.
///
/// # Errors
///
/// If a record or the directory can't be read.
pub fn load_shards(dir: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, NoArtifacts> {
    if let Some(own) = read(&dir.join(SHARD))? {
        return Ok(vec![own]);
    }
    let failed = |error| NoArtifacts::Io { path: dir.to_path_buf(), error };
    let entries = match std::fs::read_dir(dir) {
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths =
        entries.map(|entry| Ok(entry?.path().join(SHARD))).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    paths.sort();
    paths.iter().filter_map(|path| read(path).transpose()).collect()
}

/// Reads the record at `path`; `None` if there is none.
fn read(path: &Path) -> Result<Option<(PathBuf, Vec<u8>)>, NoArtifacts> {
    match disk::read(path) {
        Ok(bytes) => Ok(Some((path.to_path_buf(), bytes))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(NoArtifacts::Io { path: path.to_path_buf(), error }),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads the `tasks.jsonl` of an earlier run at `path`.
///
/// # Errors
///
/// If it can't be read.
pub fn load_durations(path: &Path) -> Result<Vec<u8>, NoArtifacts> {
    disk::read(path).map_err(|error| NoArtifacts::Io { path: path.to_path_buf(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_a_record_or_directories_with_one() {
        let dir = tempfile::tempdir().unwrap();
        let names = || {
            let found = load_shards(dir.path()).unwrap();
            found
                .into_iter()
                .map(|(path, _)| path.strip_prefix(dir.path()).unwrap().to_path_buf())
                .collect::<Vec<_>>()
        };
        assert!(load_shards(&dir.path().join("none")).unwrap().is_empty());
        assert!(names().is_empty());
        for name in ["b", "a", "empty"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("b").join(SHARD), "b").unwrap();
        std::fs::write(dir.path().join("a").join(SHARD), "a").unwrap();
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert_eq!(names(), [Path::new("a").join(SHARD), Path::new("b").join(SHARD)]);
        std::fs::write(dir.path().join(SHARD), "own").unwrap();
        assert_eq!(names(), [Path::new(SHARD)]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_record_that_is_no_file_is_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(SHARD);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let error = load_shards(dir.path()).unwrap_err().to_string();
        assert!(error.contains("pipe"), "{error}");
    }
}
