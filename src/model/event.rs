//! What the core tells while it works. Only the binary renders it.

use std::time::Duration;

use super::task::{Plan, StepId};
use super::workspace::Workspace;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Something that the user should know and that changes no verdict.
    Notice(&'a str),
    /// The plan stands; its steps are about to run.
    Planned(&'a Workspace, &'a Plan),
    /// A step has started.
    Started(StepId),
    /// A step has ended.
    Finished(StepId),
    /// Nothing happened for a while.
    Tick,
    /// What keeps more steps from starting has changed.
    Waiting(Option<Waiting>),
    /// A step has run for as long as nobody expects of one, for the first time or once more.
    Slow(StepId, Duration),
    /// All steps are done; findings are compared.
    Comparing,
}

/// What keeps more steps from starting, though fewer run than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A token of the jobserver.
    Token {
        /// How many there are, if the pool is our own. All are with what runs; those of an inherited pool may be
        /// anywhere.
        of: Option<usize>,
    },
    /// A lane: the first step that could start but for its lane, and the step that is in there.
    Lane {
        /// Which waits.
        step: StepId,
        /// For which.
        holder: StepId,
    },
}
