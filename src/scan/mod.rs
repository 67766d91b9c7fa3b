//! Runs the steps of a plan as processes, with a shared jobserver, lanes, time limits and signal handling.
//!
//! Knows nothing about formats. The output of a process is passed to a function of the caller, the judge.
//!
//! # Backpressure
//!
//! A worker judges the output of a process before it takes another step. A step counts as running until then and
//! keeps its slot, its lane and its token. So at most `--parallel` outputs wait to be judged or are being judged,
//! however much the tools print and however slow the judge is, and there is no queue in between. The memory and
//! disk space of one output are bounded by the spool (`spool.rs`).

#![expect(clippy::disallowed_methods, reason = "this layer is where processes, threads and the clock live")]

mod build_dirs;
mod cap_lints;
mod cargo_config;
mod children;
mod copies;
mod doc_threads;
mod doing;
mod end;
mod environment;
mod executor;
mod file_state;
mod fingerprints;
mod helper;
mod launch;
mod lint_levels;
mod offer;
mod output_form;
mod outputs;
mod pool;
mod process;
mod program;
mod recursion;
mod runner;
mod sandbox;
mod scheduler;
mod services;
mod setup;
mod slow;
mod spool;
mod stop;
mod sys;
mod test_runner;
mod unfinished;
mod version;
mod withheld;
mod wrapped;
mod wrapped_tests;
mod wrapper;

pub use build_dirs::BuildDirs;
pub use cargo_config::{CargoConfig, compiler_flags, default_target};
pub use copies::{Copied, Copies, InCopy};
pub use doing::Watcher;
pub use environment::{Env, GIT_VARIABLES, ignored_levels, is_cargos_variable, is_set_by_cargo};
pub use executor::{
    Admit, Client, Ended, Judge, Judged, Recall, Recalled, Record, Runs, RunsHere, Sift, StepPiece, StepRun,
    UnmetNeed,
};
pub use fingerprints::{UnitFingerprint, Units, forget_unit};
pub use helper::{NoAnswer, ask_helper};
pub use offer::private_network;
pub use outputs::{Kept, Outputs, Sieves};
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub(crate) use pool::descriptors;
pub use pool::{Inherited, Pool};
pub use process::LocalRunner;
pub use program::{
    Identifier, Missing, NamedChannel, NoToolchain, ProgramIdentity, Programs, RUSTC_VARIABLES, Toolchain,
    add_named_through, has_same_toolchain_file, is_exact_toolchain, naming_text, paths_in, pinned_toolchain,
    read_missing, read_text, runs_toolchain, words_in_text,
};
pub use recursion::{Recursion, is_above, own_name};
pub use runner::{DeclaredFiles, Ending, FinishedProcess, Invocation, Runner, Workers};
pub use sandbox::{HELPER, Kernel, NoWall, Observed, Place, Sight, Wall};
pub use setup::Executor;
pub use spool::{Sieve, Spool, Truncated};
pub use stop::{Stop, StopReason};
pub use sys::{signal_name, stand_guard};
pub use version::{NoVersion, rules, version};
pub use wrapped::run_as_wrapper;
pub use wrapped_tests::{Printed, RecalledTests, WrappedId, WrappedTestCache, WrappedTests};
