//! Runs the steps of a plan: processes under one jobserver, lanes, time caps, signals.
//!
//! Knows nothing of formats: what a process left is handed to a function of the caller's, the judge.
//!
//! # Backpressure
//!
//! A worker judges what its process left before it takes another step, and a step counts as running until then:
//! it keeps its slot, its lane and its token. So at most `--parallel` outputs wait to be judged or are being
//! judged, at no time more, however loud the tools and however slow the judge; there is no queue between the
//! two. What one output takes of memory and disk is bounded by the spool (`spool.rs`).

#![expect(clippy::disallowed_methods, reason = "this layer is where processes, threads and the clock live")]

mod build_dirs;
mod cap_lints;
mod cargo_config;
mod children;
mod environment;
mod executor;
mod fingerprints;
mod launch;
mod lint_levels;
mod output_form;
mod pool;
mod process;
mod program;
mod recursion;
mod scheduler;
mod slow;
mod spool;
mod stop;
mod sys;
mod version;

pub use build_dirs::BuildDirs;
pub use cap_lints::wrap_rustc;
pub use cargo_config::{CargoConfig, compiler_flags, default_target};
pub use environment::{Env, is_cargos_variable};
pub use executor::{
    Admit, Client, Ended, Executor, Judge, Judged, Piece, Recall, Record, Runs, Sift, StepRun,
};
pub use fingerprints::{Fingerprint, Units, forget_unit};
pub use lint_levels::Ignored;
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub(crate) use pool::descriptors;
pub use pool::{Inherited, Pool};
pub use program::{Identifier, Identity, Missing, Programs, read_text, runs_toolchain};
pub use recursion::{Recursion, is_above, own_name};
pub use spool::{Kept, Outputs, Sieve, Sieves, Truncated};
pub use stop::{Stop, StopReason};
pub use sys::stand_guard;
pub use version::{NoVersion, rules, version};
