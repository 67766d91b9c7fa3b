//! The engine from outside: the binary over small workspaces, judged by its exit codes and artifacts.

#![expect(clippy::disallowed_methods, reason = "tests start processes and read files")]

mod build_dirs;
mod contract;
mod determinism;
mod policies;
mod processes;
mod progress;
mod support;
mod traps;
mod verdicts;
