//! Events that the core emits while it works. Only the binary renders them.

use std::sync::Arc;
use std::time::Duration;

use super::notice::Notice;
use super::outcome::Compared;
use super::sources::Sources;
use super::task::StepId;
use super::test_output::TestOutput;
use super::text::Text;
use super::tool::ToolId;

/// An event of a run.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A message for the user that affects no verdict.
    Notice(&'a Notice),
    /// The steps are about to run.
    Planned,
    /// A step has started.
    Started(StepId),
    /// The process of a step has ended, and its long output is being parsed.
    Reading(StepId),
    /// The activity of a running step has changed.
    Doing(StepId, &'a Doing),
    /// A step has finished.
    Finished(StepId),
    /// Nothing has happened for a while.
    Tick,
    /// The reason why no more steps can start has changed.
    Waiting(Option<Waiting>),
    /// A step has been running unusually long. Sent once.
    Slow(StepId, Duration),
    /// A tool has finished, and some of its findings are certainly new, independent of the rest of the run.
    Found(&'a Found),
    /// All steps have finished, and findings are being compared.
    Comparing,
}

/// Progress of a running step, parsed from its output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doing {
    /// Number of finished units of cargo, or of tests.
    pub done: u32,
    /// Total number of these units, if it is known.
    pub total: Option<u32>,
    /// Current activity, if it is known.
    pub now: Option<Activity>,
}

/// An activity of a running step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Cargo builds or checks this package.
    Build(String),
    /// This test runs.
    Test(String),
}

/// New findings that are known before the end of the run.
#[derive(Clone, Debug)]
pub struct Found {
    /// The tool that reported them. It has finished.
    pub tool: ToolId,
    /// The findings, in their final order. No finding is in two of these lists.
    pub findings: Vec<Compared>,
    /// The sources that they refer to.
    pub sources: Arc<Sources>,
    /// Output of failed tests, each with its tool.
    pub test_outputs: Vec<(Text, TestOutput)>,
}

/// Reason why no step starts, although fewer than the limit are running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// No free jobserver token.
    Token {
        /// Number of tokens, if the pool is our own. Running steps hold all of them; those of an inherited
        /// pool may be held by other processes.
        of: Option<usize>,
    },
    /// Another run in this workspace has not finished.
    Run,
    /// The run is ending, so no further steps start.
    End,
    /// The lane of the next step is occupied.
    Lane {
        /// The step that waits.
        step: StepId,
        /// The step in the lane.
        holder: StepId,
    },
}
