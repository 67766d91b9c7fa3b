//! A metamorphic test of the result cache: after any change, a run with the cache says what a run without it says.
//!
//! A *pair* is a small workspace, made of [`parts`], and a [`change`] to what one of these parts reads. For each pair
//! ([`pair`]): run, change, run with the cache (*warm*), run with `--no-cache` and an empty build directory (*fresh*).
//! Exit code, verdicts and findings of warm and fresh must be equal. Where warm finds less, it is a *stale pass*. A
//! change that can't matter must start nothing: else it is a *needless rerun*, which is counted. The change is then
//! taken back, and the result is carried to a second checkout by `GENTI_CACHE_DIR`: both must agree as well.
//!
//! `cargo test --test metamorphic` runs the [`cases`] with names, and a fixed sample of pairs. `GENTI_TEST=full` makes
//! 1,000 pairs from random seeds and prints the table by kind; `GENTI_SEED=N` runs the pair of one seed and shows
//! what it consists of.

#![cfg_attr(unix, expect(clippy::disallowed_methods, reason = "tests start processes and read files"))]

#[cfg(unix)]
mod suite;

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    suite::main()
}

#[cfg(not(unix))]
#[expect(clippy::print_stdout, reason = "this is the harness")]
fn main() -> ExitCode {
    println!("not tried: the workspaces have symbolic links and shell scripts");
    ExitCode::SUCCESS
}
