//! Arguments of the `baseline` commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ListArgs, OutputArgs, RunArgs};

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    pub(crate) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Run all checks and accept all current findings in .config/genti/baseline/
    Init(Box<RunArgs>),
    /// Run all checks, and remove entries whose finding is gone. Entries follow code that moved. Accepts nothing
    Update(Box<RunArgs>),
    /// Run all checks, and accept new findings with a reason
    Accept(Box<AcceptArgs>),
    /// List accepted findings
    List(ListArgs),
    /// Compare the findings of two runs, or the entries of two baselines
    Diff(DiffArgs),
    /// Resolve merge conflicts in baseline files
    Resolve(ListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// Reason, which is stored in the entries
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Accept only findings of this rule. May be repeated
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Vec<String>,
    /// Accept only findings in this file or directory, relative to the workspace root. May be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Vec<String>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Artifacts of a run (target/genti/artifacts, or a copy), or a baseline directory
    #[arg(value_name = "A")]
    pub(crate) old: PathBuf,
    /// Artifacts or baseline directory to compare with
    #[arg(value_name = "B")]
    pub(crate) new: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
