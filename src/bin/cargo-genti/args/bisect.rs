//! Arguments of `bisect`.

use clap::Args;

use super::{OutputArgs, PolicyArgs, WorkspaceArgs};

#[derive(Debug, Args)]
pub(crate) struct BisectArgs {
    /// A finding of the last run: its id in report.json, the beginning of the id, its place such as `src/lib.rs:9`, or the test
    #[arg(value_name = "FINDING")]
    pub(crate) id: String,
    /// A commit without the finding, such as a tag. It is checked. Without one, the search goes back until a commit lacks the
    /// finding
    #[arg(long, value_name = "REF")]
    pub(crate) good: Option<String>,
    /// Disable the result cache, and test commits again that an earlier search has tested [env: GENTI_NO_CACHE]
    #[arg(long)]
    pub(crate) no_cache: bool,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) workspace: WorkspaceArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
