//! The engine from outside: the binary over small workspaces, judged by its exit codes and artifacts.

#![expect(clippy::disallowed_methods, reason = "tests start processes and read files")]

mod contract;
mod determinism;
mod history;
mod policies;
mod processes;
mod support;
mod traps;
mod verdicts;
