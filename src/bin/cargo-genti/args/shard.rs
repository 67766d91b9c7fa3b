//! Arguments about shards.

use std::path::PathBuf;

use clap::Args;
use genti::model::shard::ShardIndex;

use super::{OutputArgs, PolicyArgs, ReportsArgs, SelectionArgs, TestNames, WorkspaceArgs};

/// Options of commands that run or show a shard.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Shards")]
pub(crate) struct ShardArgs {
    /// Run only shard K of N, such as 2/5, and record its results in shard.jsonl beside the artifacts.
    /// `cargo genti merge` joins the shards
    #[arg(long, value_name = "K/N", group = "of_shards")]
    pub(crate) shard: Option<ShardIndex>,
    /// Balance the shards by the durations in the tasks.jsonl of an earlier run, which must be the same file for all
    /// shards (default: by the size of files and the weights of tools)
    #[arg(long, value_name = "TASKS_JSONL", requires = "of_shards")]
    pub(crate) balance: Option<PathBuf>,
}

/// Options of `merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Directories that contain the shard.jsonl of a shard, or directories with one
    #[arg(value_name = "DIR", required = true)]
    pub(crate) dirs: Vec<PathBuf>,
    /// Accept a partial run (-p, --exclude, --tool, --skip-tool, --variant, --since, -- TEST) and build flags that differ from
    /// `[baseline]`
    #[arg(long)]
    pub(crate) partial: bool,
    /// Date on which suppressions are checked for expiry, in UTC (default: the date of SOURCE_DATE_EPOCH, or else
    /// today) [env: GENTI_AS_OF]
    #[arg(long, value_name = "DATE")]
    pub(crate) as_of: Option<String>,
    #[command(flatten)]
    pub(crate) reports: ReportsArgs,
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
