//! What the core tells while it works. Only the binary renders it.

use std::time::Duration;

use super::task::StepId;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Something that the user should know and that changes no verdict.
    Notice(&'a str),
    /// The steps are about to run.
    Planned,
    /// A step has started.
    Started(StepId),
    /// The process of a step has ended, and its output is read, which is long.
    Reading(StepId),
    /// A step has ended.
    Finished(StepId),
    /// Nothing happened for a while.
    Tick,
    /// What keeps more steps from starting has changed.
    Waiting(Option<Waiting>),
    /// A step has run for longer than most do, for the first time or once more.
    Slow(StepId, Duration),
    /// All steps are done; findings are compared.
    Comparing,
}

/// What keeps steps from starting, though fewer run than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A token of the jobserver.
    Token {
        /// How many there are, if the pool is our own. All are with what runs; those of an inherited pool may be
        /// anywhere.
        of: Option<usize>,
    },
    /// The end of another run in this workspace.
    Run,
    /// The end of what runs: nothing starts any more.
    End,
    /// A lane: the first step that could start but for its lane, and the step that is in there.
    Lane {
        /// Which waits.
        step: StepId,
        /// For which.
        holder: StepId,
    },
}
