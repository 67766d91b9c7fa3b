//! Names of the files that genti creates in `target/genti`. Anything else there belongs to others and is left
//! alone.

use std::fs::FileType;
use std::io::Read as _;
use std::path::Path;

use super::atomic::is_staged;
use super::error::StoreError;
use super::outputs;
use super::tag::{self, Creator};
use crate::disk;
use crate::report::Format;
use crate::report::outputs::TEST_OUTPUT;

/// Name of the log of cached results.
pub(crate) const RESULT_LOG: &str = "results.log";
/// Name of the file that runs lock while they write to the log.
pub(crate) const RESULT_LOG_LOCK: &str = "lock";
/// The first bytes of the log.
pub(crate) const RESULT_LOG_MAGIC: &[u8; 8] = b"gentilog";

/// Name of the directory that runs with another toolchain use instead of the target directory.
pub const UPGRADE: &str = "upgrade";
/// Name of the directory that runs at other commits use instead of the target directory.
pub const BISECT: &str = "bisect";

/// Directories that belong to genti with all their content.
pub(super) const BUILT: [&str; 4] = ["build", UPGRADE, BISECT, "verify"];

/// Names of the files of a finished run, and the default name of the report for the terminal. The other formats have theirs.
const ARTIFACTS: [&str; 4] = ["report.txt", "run.json", "tasks.jsonl", TEST_OUTPUT];

/// Meaning of a name in `target/genti`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// Never removed: the lock that other runs may wait for, and the tag.
    Fixed,
    /// Belongs to genti with all its content.
    Whole,
    /// A directory, in which files with such names belong to genti.
    Dir(fn(&str) -> bool),
}

/// Returns the meaning of `name` in `target/genti`, or `None` if genti creates nothing with this name.
pub(super) fn known(name: &str) -> Option<Known> {
    match name {
        "lock" | tag::NAME => Some(Known::Fixed),
        "artifacts" => Some(Known::Dir(is_artifact)),
        "output" => Some(Known::Dir(outputs::is_output)),
        "cache" => Some(Known::Dir(is_part_of_log)),
        "builds" | "rustc" | "rustdoc" | "state" | "explain.json" => Some(Known::Whole),
        name if BUILT.contains(&name) || is_staged(name) => Some(Known::Whole),
        _ => None,
    }
}

/// Returns true if `name` is that of a file in the directory of the log.
pub(crate) fn is_part_of_log(name: &str) -> bool {
    [RESULT_LOG, RESULT_LOG_LOCK, tag::NAME].contains(&name) || is_staged(name)
}

/// Returns true if the file at `path` is a log of cached results.
pub(super) fn is_log(path: &Path) -> bool {
    let mut begin = [0; RESULT_LOG_MAGIC.len()];
    disk::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == *RESULT_LOG_MAGIC
}

fn is_artifact(name: &str) -> bool {
    let mut reports = Format::ALL.into_iter().map(Format::file_name);
    ARTIFACTS.contains(&name) || reports.any(|report| report == name) || is_staged(name)
}

/// Tags the existing directory `base` as genti's, unless it is tagged. It may only contain entries that can
/// exist before the first run, such as a cache restored by a CI service.
///
/// # Errors
///
/// If it contains anything else, or has a tag of another program.
pub(super) fn claim(base: &Path) -> Result<(), StoreError> {
    let foreign = |what| Err(StoreError::Foreign { path: base.to_path_buf(), what });
    match tag::creator(base)? {
        Creator::Genti => return Ok(()),
        Creator::Other => return foreign("a cache directory of another program"),
        Creator::Unknown => {}
    }
    let entries = walkdir::WalkDir::new(base).min_depth(1).max_depth(1);
    for entry in entries {
        let entry =
            entry.map_err(|error| StoreError::Io { path: base.to_path_buf(), error: error.into() })?;
        let name = entry.file_name().to_str().unwrap_or_default();
        if !may_be_there(name, entry.path(), entry.file_type()) {
            return foreign("a directory with other files");
        }
    }
    tag::mark(base)
}

fn may_be_there(name: &str, path: &Path, kind: FileType) -> bool {
    match known(name) {
        // The lock and the tag are checked separately.
        Some(Known::Fixed) => true,
        // Links are checked separately.
        Some(Known::Whole) => is_staged(name) || BUILT.contains(&name) && !kind.is_file(),
        Some(Known::Dir(is_ours)) => !kind.is_dir() || holds_only(path, is_ours),
        None => false,
    }
}

/// Returns true if all names in `dir` satisfy `is_ours`.
pub(crate) fn holds_only(dir: &Path, is_ours: fn(&str) -> bool) -> bool {
    let mut entries = walkdir::WalkDir::new(dir).min_depth(1).max_depth(1).into_iter();
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(is_ours)))
}
