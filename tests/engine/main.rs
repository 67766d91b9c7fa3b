//! End-to-end tests: runs the binary in small workspaces and checks exit codes and artifacts.

// The tools of these workspaces are shell scripts.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "tests start processes and read files")]

mod against;
mod baseline;
mod build_dirs;
mod cache;
mod cancel;
mod census;
mod checkout;
mod codegen;
mod contract;
mod counts;
mod detected;
mod determinism;
mod doc_threads;
mod early;
mod empty_green;
mod filters;
mod fix;
mod fresh;
mod gates;
mod goldens;
mod histories;
mod history;
mod hook;
mod hostile;
mod init;
mod inputs;
mod judging;
mod lint_levels;
mod listed_tests;
mod lockfile;
mod locks;
mod manifests;
mod messages;
mod new_lints;
mod numbers;
mod observed;
mod output;
mod outputs;
mod policies;
mod processes;
mod programs;
mod progress;
mod reports;
mod retries;
mod sandbox;
mod sandboxed_escapes;
mod sandboxed_mutations;
mod sandboxed_tests;
mod sandboxed_tools;
mod sandboxed_variables;
mod schemas;
mod searches;
mod services;
mod shards;
mod short;
mod since;
mod support;
mod suppressions;
mod test_output;
mod test_tools;
mod toolchains;
mod traps;
mod unseen;
mod untested;
mod upgrade;
mod validators;
#[cfg(unix)]
mod variables;
mod variants;
mod verdicts;
mod verify;
mod whole;
