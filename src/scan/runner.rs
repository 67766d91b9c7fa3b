//! The seam for where a process runs: an [`Invocation`] goes in, and a [`FinishedProcess`] or the reason why it could not be
//! started comes out.
//!
//! The attempts (`executor/attempt.rs`) and the parsers know only [`Runner`], never which one it is: `LocalRunner` (`process.rs`),
//! the [`Workers`] on other machines, in tests also one that only answers from memory. A runner decides *where* a
//! process runs and enforces its limits. It does not know what the process is for, whether it runs again, or what its output
//! means.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::copies::InCopy;
use super::doing::Watcher;
use super::sandbox::{Observed, Wall};
use super::spool::Spool;
use super::stop::StopReason;
use crate::model::task::{Exit, TaskIx};

/// Runs processes. Called from several threads at once.
pub trait Runner: Sync {
    /// Runs a process to its end, whichever that is, and passes its output to `watcher` while it arrives.
    ///
    /// # Errors
    ///
    /// If it could not be started or watched. [`io::ErrorKind::ArgumentListTooLong`] means that a shorter command line may
    /// work.
    fn run(&self, invocation: &Invocation, watcher: &mut Watcher<'_>) -> io::Result<FinishedProcess>;
}

/// Description of a process: everything that determines its behavior. Its standard input is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without the name of the program.
    pub args: Vec<OsString>,
    /// The complete environment. Nothing is inherited.
    pub vars: BTreeMap<OsString, OsString>,
    /// The working directory.
    pub dir: PathBuf,
    /// Files that it is declared to read and write.
    pub declared: DeclaredFiles,
    /// Wall around it. `None` if it may do everything that this user may.
    pub wall: Option<Wall>,
    /// Time limit, without pauses.
    pub timeout: Option<Duration>,
}

/// Files that a process is known to read and write before it runs. A tool may read more, which the cache discovers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredFiles {
    /// Tasks that the process covers. Their declared inputs are those of `plan::Declared`. Empty if the process
    /// only queries a tool, for example for its version.
    pub tasks: Vec<TaskIx>,
    /// The executable that another tool has built for it.
    pub executable: Option<PathBuf>,
    /// Directories that it writes to.
    pub writes: Vec<PathBuf>,
}

/// Reason why a process ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited by itself, or by a signal that was not ours.
    Own,
    /// It exceeded its time limit.
    TimedOut,
    /// It was no longer needed.
    Ended,
    /// The run was stopped.
    Stopped(StopReason),
}

/// Output and exit of a process.
#[derive(Debug)]
pub struct FinishedProcess {
    /// Standard output.
    pub stdout: Spool,
    /// Standard error.
    pub stderr: Spool,
    /// Exit code or signal.
    pub exit: Exit,
    /// Reason why it ended.
    pub ending: Ending,
    /// True if a process that it started still had a pipe open when it exited.
    pub leaky: bool,
    /// Observation of it, if it was observed.
    pub observed: Option<Box<Observed>>,
    /// State of the copy of the repository in which it ran. `None` if it ran in the repository itself.
    pub in_copy: Option<Box<InCopy>>,
}

impl FinishedProcess {
    /// Returns true if it exited by itself with code 0.
    pub(super) fn has_succeeded(&self) -> bool {
        self.ending == Ending::Own && self.exit == Exit::Code(0)
    }

    /// Returns true if it printed more than is held in memory.
    pub(super) fn is_long(&self) -> bool {
        self.stdout.is_on_disk() || self.stderr.is_on_disk()
    }
}

#[cfg(test)]
pub(super) mod memory;
mod workers;

pub(super) use self::workers::Away;
pub use self::workers::Workers;
