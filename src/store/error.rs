//! Errors of the directories that genti writes to.

use std::io;
use std::path::PathBuf;

/// The reason why the artifacts can't be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is something that genti did not create: a symbolic link, a file, another user's directory, or
    /// unknown files.
    #[error(
        "`{path}` was not created by genti: it is {what}; remove it, or set CARGO_TARGET_DIR to another directory"
    )]
    Foreign {
        /// Its path.
        path: PathBuf,
        /// Its kind.
        what: &'static str,
    },
    /// An I/O error. The previous files are unchanged.
    #[error("could not write `{path}`: {error}; the previous file is unchanged")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// An I/O error after some files of a set were already replaced. No file is partially written.
    #[error(
        "could not replace `{path}`: {error}; it is still from an earlier run, but other files were replaced; remove `{dir}` and run again"
    )]
    Mixed {
        /// The first file that was not replaced.
        path: PathBuf,
        /// Directory of the set.
        dir: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The run was stopped before all files were staged. The previous files are unchanged.
    #[error("stopped before the artifacts were written; those of the last run are unchanged")]
    GivenUp,
    /// The run was stopped while it waited for another one.
    #[error("stopped while waiting for another run in this workspace")]
    Stopped,
}
