//! Events that the core emits while it works. Only the binary renders them.

use std::time::Duration;

use super::notice::Notice;
use super::task::StepId;

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
    /// A step has finished.
    Finished(StepId),
    /// Nothing has happened for a while.
    Tick,
    /// The reason why no more steps can start has changed.
    Waiting(Option<Waiting>),
    /// A step has been running unusually long. Sent repeatedly while it runs.
    Slow(StepId, Duration),
    /// All steps have finished, and findings are being compared.
    Comparing,
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
