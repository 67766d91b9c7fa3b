//! The state of following one command line to the files that it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Programs;
use crate::scan::cargo_config::CargoConfig;

/// Files that make up what a command line runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramIdentity {
    /// Files whose content determines what runs, each with a name that is the same on every machine.
    pub files: BTreeSet<(String, PathBuf)>,
    /// True if a script outside of the workspace is included. If so, only the tool itself can report its version.
    pub has_foreign_script: bool,
    /// True if cargo is included, so its configuration matters too.
    pub runs_cargo: bool,
    /// Existing files, and directories of the workspace, that the text of a script names. The script may also write them.
    pub named: BTreeSet<PathBuf>,
    /// Extensions of the files that a script of the workspace may load as modules.
    pub modules: BTreeSet<&'static str>,
    /// Reason why the files are not complete.
    pub unknown: Option<String>,
}

/// Follows one command line and collects the files involved.
pub(super) struct Tracer<'a> {
    pub(super) programs: &'a Programs,
    pub(super) config: &'a CargoConfig,
    /// Directory in which the tool starts.
    pub(super) dir: PathBuf,
    /// Root of the workspace with links resolved.
    pub(super) real_root: PathBuf,
    /// Variables that the tool sees.
    pub(super) vars: BTreeMap<OsString, OsString>,
    /// Directories in the `PATH` of the tool. Unlike genti's own search path, none are left out.
    pub(super) path: Vec<PathBuf>,
    pub(super) found: ProgramIdentity,
    /// Shell scripts that were already read.
    pub(super) scripts: BTreeSet<PathBuf>,
    /// Package directories of each Python interpreter.
    pub(super) pythons: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// Toolchains that were already added, by the directory of their programs.
    pub(super) toolchains: BTreeSet<PathBuf>,
    /// Cargo aliases that were already expanded.
    pub(super) aliases: BTreeSet<String>,
    /// True if the programs that cargo starts were already followed.
    pub(super) is_cargo_known: bool,
    pub(super) depth: u32,
}

/// Returns the last component of `path`.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
