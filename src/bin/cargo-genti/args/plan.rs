//! Arguments of `plan`.

use clap::{Args, ValueEnum};
use genti::model::shard::ShardIndex;

use super::{OutputArgs, PolicyArgs, SelectionArgs, ShardArgs, TestNames, WorkspaceArgs};

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: PlanFormat,
    /// Show what the id of a task is computed from. TASK is `tool:unit`, such as `fmt:src/lib.rs`, or the
    /// beginning of the id
    #[arg(long, value_name = "TASK", conflicts_with = "format")]
    pub(crate) explain: Option<String>,
    /// Number of shards, for --format github-matrix
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(ShardIndex::MOST)))]
    #[arg(group = "of_shards", help_heading = "Shards")]
    pub(crate) shards: Option<u32>,
    #[command(flatten)]
    pub(crate) shard: ShardArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) tests: TestNames,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// A table of batches
    Human,
    /// All data, including task ids
    Json,
    /// The graph of batches in Graphviz format
    Dot,
    /// The shards as JSON for `strategy.matrix` of GitHub Actions
    GithubMatrix,
}
