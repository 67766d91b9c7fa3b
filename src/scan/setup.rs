//! Everything that a run is started with.

use std::path::Path;
use std::time::Instant;

use super::build_dirs::BuildDirs;
use super::copies::Copies;
use super::environment::Env;
use super::outputs::Outputs;
use super::pool::Pool;
use super::program::Programs;
use super::runner::{Runner, Workers};
use super::stop::Stop;
use crate::model::notice::IgnoredLevels;
use crate::model::task::Plan;
use crate::model::workspace::Workspace;
use crate::store::LockCopies;

/// Everything a run needs to start processes.
pub struct Executor<'a> {
    /// The workspace, which provides the working directory and the units.
    pub workspace: &'a Workspace,
    /// The plan to run.
    pub plan: &'a Plan,
    /// Locations of programs.
    pub programs: &'a Programs,
    /// Environment for child processes.
    pub env: &'a Env,
    /// Runs the processes.
    pub runner: &'a dyn Runner,
    /// Run steps on other machines; `None` if there are none.
    pub workers: Option<&'a dyn Workers>,
    /// Copies the repository for processes that run in a copy; `None` if there is nobody who can.
    pub copies: Option<&'a dyn Copies>,
    /// Pool of job tokens.
    pub pool: &'a Pool,
    /// Cancels the run.
    pub stop: &'a Stop,
    /// Maximum number of processes that run at the same time.
    pub parallel: usize,
    /// True if no further steps start once a required tool has failed.
    pub fail_fast: bool,
    /// True if a tool that is only detected, not configured, fails the run if it is not installed.
    pub absent_fails: bool,
    /// True if a required tool has already failed according to cached results.
    pub has_failed: bool,
    /// For each task, whether it needs to run. The others have cached results.
    pub due: &'a [bool],
    /// Storage for output that is too long for memory or must be kept.
    pub outputs: &'a Outputs<'a>,
    /// Directories that cargo builds in.
    pub build_dirs: BuildDirs,
    /// Copies of the repository for variants with a lock file, or the reason why there can be none.
    pub lock_copies: &'a Result<LockCopies, String>,
    /// Directory of the result cache, which no sandboxed tool may change.
    pub cache_dir: Option<&'a Path>,
    /// True if an observed process gets a private network.
    pub private_network: bool,
    /// Path of this program, if it can run as a wrapper between cargo and rustc.
    pub own_program: Option<&'a Path>,
    /// Lint levels in cargo's configuration that are ignored.
    pub ignored_levels: &'a [IgnoredLevels],
    /// `--locked`, `--offline`, `--frozen`: flags of cargo that don't affect the selection.
    pub cargo_flags: Vec<String>,
    /// Start time of the run.
    pub started: Instant,
}
