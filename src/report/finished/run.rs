//! `run.json`.

use serde::Deserialize;

use super::Ended;

/// What was run, in which batches, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Run {
    /// How it ended.
    pub end: Ended,
    /// The digest of all tasks and what they need.
    pub graph_hash: String,
    /// The id over all batches.
    pub batch_id: String,
    /// How tasks were ordered.
    pub order_policy: String,
    /// How they were cut into batches.
    pub batch_policy: String,
    /// What shuffled the order; 0 for path order.
    pub seed: u64,
    /// The time that one task might take, in milliseconds.
    pub per_task_timeout_ms: Option<u64>,
    /// The time that the whole run might take, in milliseconds.
    pub max_duration_ms: Option<u64>,
    /// What was looked at.
    pub selection: Selection,
    /// The tools, sorted by name.
    pub tools: Vec<Tool>,
    /// The batches, by rank.
    pub batches: Vec<Batch>,
}

/// What a run looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Selection {
    /// The packages.
    pub packages: Vec<String>,
    /// Whether nothing was left out.
    pub whole: bool,
    /// The features to activate.
    pub features: Vec<String>,
    /// `--all-features`.
    pub all_features: bool,
    /// `--no-default-features`.
    pub no_default_features: bool,
    /// The target triple, where one was given.
    pub target: Option<String>,
    /// Cargo's profile, where one was given.
    pub cargo_profile: Option<String>,
    /// The tools, where some were named.
    pub tools: Vec<String>,
    /// The tools that were left out.
    pub skip_tools: Vec<String>,
    /// The commit since which changes were looked at, where one was given.
    pub since: Option<String>,
}

/// A tool.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The tools whose scans come before its own, directly or not, sorted.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Whether its verdict decides.
    pub required: bool,
    /// Whether the configuration or the command line names it.
    pub configured: bool,
    /// Whether it took part only because another tool needs it.
    pub on_demand: bool,
    /// What a task of it covers: `workspace`, `package`, `target-root`, `test-target` or `file`.
    pub per: String,
    /// How its output is read, as in the configuration.
    #[serde(default)]
    pub parse: String,
    /// The namespaces of findings that it speaks for.
    pub namespaces: Vec<String>,
    /// The first line that it prints of its version, if it is known.
    pub version: Option<String>,
    /// The revision of the database that it looked things up in, if it told.
    #[serde(default)]
    pub database: Option<String>,
    /// The command that applies the fixes which it proposes, if it is known.
    #[serde(default)]
    pub fix: Option<Vec<String>>,
}

/// A batch: steps that run one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Batch {
    /// The id over its steps.
    pub batch_id: String,
    /// Its place in the order.
    pub rank: u32,
    /// Its class under the order policy.
    pub class: u32,
    /// The highest risk of its tasks, under `risk-first`.
    pub risk: Option<u64>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One process: a tool over some of its units.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Step {
    /// The tool.
    pub tool: String,
    /// What only one step may hold at a time, if it needs one.
    pub lane: Option<String>,
    /// How many tasks it covers.
    pub task_count: usize,
}
