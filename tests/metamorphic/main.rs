//! Metamorphic test of the result cache: after any change, a run with the cache must give the same result as a run
//! without it.
//!
//! A *pair* is a small workspace, assembled from [`parts`], and a [`change`] to a file or variable that one of these
//! parts reads. For each pair ([`pair`]): run, change, run with the cache (*warm*), run with `--no-cache` and an empty
//! build directory (*fresh*). Exit code, results and findings of warm and fresh must be equal. If warm finds less, it
//! is a *stale pass*. A change that cannot matter must not start anything. If it does, it is counted as a *needless
//! rerun*. The change is then undone, and the result is reused in a second checkout through `GENTI_CACHE_DIR`. Both
//! must agree as well.
//!
//! `cargo test --test metamorphic` runs the named [`cases`] and a fixed sample of pairs. `GENTI_TEST=full` generates
//! 1,000 pairs from random seeds and prints the table by kind. `GENTI_SEED=N` runs the pair of one seed and prints its
//! details.

#![cfg_attr(unix, expect(clippy::disallowed_methods, reason = "tests start processes and read files"))]

#[cfg(unix)]
mod suite;

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    suite::main()
}

#[cfg(not(unix))]
#[expect(clippy::print_stdout, reason = "a test harness prints its results")]
fn main() -> ExitCode {
    println!("skipped: the workspaces have symbolic links and shell scripts");
    ExitCode::SUCCESS
}
