//! The types of `run.json`.

use std::fmt;

use serde::Deserialize;

use super::Ended;

/// Content of `run.json`: policy, selection, tools and batches of a run, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunSummary {
    /// Exit code and status of the run.
    pub end: Ended,
    /// Digest of all tasks and their dependencies.
    pub graph_hash: String,
    /// Id of the sequence of batches.
    pub batch_id: String,
    /// Policy that ordered the tasks.
    pub order_policy: String,
    /// Policy that cut the tasks into batches.
    pub batch_policy: String,
    /// Seed that shuffled the order; 0 for path order.
    pub seed: u64,
    /// Timeout of each task, in milliseconds.
    pub per_task_timeout_ms: Option<u64>,
    /// Maximum duration of the run, in milliseconds.
    pub max_duration_ms: Option<u64>,
    /// Packages, tools and features that were checked.
    pub selection: RunSelection,
    /// Tools, sorted by name.
    pub tools: Vec<Tool>,
    /// Batches, sorted by rank.
    pub batches: Vec<RunBatch>,
    /// The shard that was run; `None` for everything.
    pub shard: Option<RunShard>,
}

/// A shard of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RunShard {
    /// Number of the shard, from 1.
    pub index: u32,
    /// Number of shards.
    pub count: u32,
    /// Number of its tasks.
    pub tasks: usize,
}

impl fmt::Display for RunShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Packages, tools and features that a run covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RunSelection {
    /// Names of the packages.
    pub packages: Vec<String>,
    /// True for a whole run, false for a partial one.
    pub whole: bool,
    /// Features to enable.
    pub features: Vec<String>,
    /// True if `--all-features` was passed.
    pub all_features: bool,
    /// True if `--no-default-features` was passed.
    pub no_default_features: bool,
    /// Target triple, if one was given.
    pub target: Option<String>,
    /// Cargo profile, if one was given.
    pub cargo_profile: Option<String>,
    /// Tools passed with `--tool`.
    pub tools: Vec<String>,
    /// Tools passed with `--skip-tool`.
    pub skip_tools: Vec<String>,
    /// Variants passed with `--variant`.
    #[serde(default)]
    pub variants: Vec<String>,
    /// Commit passed with `--since`.
    pub since: Option<String>,
    /// Names of tests passed after `--`.
    #[serde(default)]
    pub filters: Vec<String>,
}

/// A tool of the run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tool {
    /// Name of the tool.
    pub name: String,
    /// Tools that it depends on, directly or indirectly, sorted.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Variant in which it ran; `None` for the default build.
    #[serde(default)]
    pub variant: Option<String>,
    /// True if its verdict affects the exit code.
    pub required: bool,
    /// True if it is named in the configuration or on the command line.
    pub configured: bool,
    /// True if it runs only when another tool needs it.
    pub on_demand: bool,
    /// Kind of unit that a task covers: `workspace`, `package`, `target-root`, `test-target` or `file`.
    pub per: String,
    /// Parser of its output, as in the configuration.
    #[serde(default)]
    pub parse: String,
    /// Namespaces of the findings that it reports.
    pub namespaces: Vec<String>,
    /// First line of its version output, if known.
    pub version: Option<String>,
    /// Revision of its database, if it reported one.
    #[serde(default)]
    pub database: Option<String>,
    /// Command that applies its suggested fixes, if known.
    #[serde(default)]
    pub fix: Option<Vec<String>>,
}

/// A batch: steps that run one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunBatch {
    /// Id of the batch, which depends on its steps.
    pub batch_id: String,
    /// Position in the plan.
    pub rank: u32,
    /// Class under the order policy.
    pub class: u32,
    /// Highest risk of its tasks, under `risk-first`.
    pub risk: Option<u64>,
    /// Steps, in the order in which they run.
    pub steps: Vec<RunStep>,
}

/// One process of a tool, over some of its units.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunStep {
    /// Name of the tool.
    pub tool: String,
    /// Lane of the tool, if it has one.
    pub lane: Option<String>,
    /// Number of tasks that the process covers.
    pub task_count: usize,
}
