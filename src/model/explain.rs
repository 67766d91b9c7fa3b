//! Reasons why the tasks of a run ran instead of being cached, stored for `cargo genti explain`. Not an
//! artifact, since it differs between identical runs.

use serde::{Deserialize, Serialize};

/// The reasons of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Causes {
    /// Reasons per tool, by name.
    pub tools: Vec<ToolCauses>,
}

/// Reasons why tasks of a tool ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCauses {
    /// Name of the tool.
    pub tool: String,
    /// Number of cache hits.
    pub hits: usize,
    /// Changes that affect all its tasks.
    pub changed: Vec<Changed>,
    /// Tasks that ran.
    pub ran: Vec<TaskCause>,
}

/// Reason why a task ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCause {
    /// Name of its unit.
    pub unit: String,
    /// The reason as text; empty if the changes explain it.
    pub why: String,
    /// Inputs that have changed.
    pub changed: Vec<Changed>,
}

/// A change, with the beginning of the digests before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Description of what changed.
    pub what: String,
    /// Digest before; `None` if it is new.
    pub from: Option<String>,
    /// Digest after; `None` if it was removed.
    pub to: Option<String>,
}
