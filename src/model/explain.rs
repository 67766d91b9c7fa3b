//! Why the tasks of a run ran, as it is kept for `cargo genti explain`. No artifact: two identical runs differ in it.

use serde::{Deserialize, Serialize};

/// Why the tasks of a run ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Causes {
    /// Each tool of the run, by name.
    pub tools: Vec<ToolCauses>,
}

/// Why the tasks of a tool ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCauses {
    /// Its name.
    pub tool: String,
    /// How many of its tasks did not have to run.
    pub hits: usize,
    /// What has changed that decides the results of all its tasks.
    pub changed: Vec<Changed>,
    /// The tasks that ran.
    pub ran: Vec<TaskCause>,
}

/// Why a task ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCause {
    /// Its unit.
    pub unit: String,
    /// Why, in words; empty if what has changed says it all.
    pub why: String,
    /// Which of its inputs have changed.
    pub changed: Vec<Changed>,
}

/// Something that has changed, with the beginnings of its digests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// What.
    pub what: String,
    /// What it was; `None` if it was not there.
    pub from: Option<String>,
    /// What it is; `None` if it is gone.
    pub to: Option<String>,
}
