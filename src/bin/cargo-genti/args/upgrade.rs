//! Arguments of `upgrade`.

use clap::Args;

use super::CommonArgs;

#[derive(Debug, Args)]
pub(crate) struct UpgradeArgs {
    /// Toolchain to try, by its name in rustup, such as 1.95 or beta. It must be installed
    #[arg(long = "try", value_name = "TOOLCHAIN", default_value = "stable")]
    pub(crate) toolchain: String,
    /// Write genti.lock, accept the findings that the toolchain brings, and name it in rust-toolchain.toml if there is
    /// one. Nothing is written if something fails for another reason
    #[arg(long)]
    pub(crate) accept: bool,
    #[command(flatten)]
    pub(crate) run: CommonArgs,
}
