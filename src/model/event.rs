//! What the core tells while it works. Only the binary renders it.

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
    /// All steps are done; findings are compared.
    Comparing,
}
