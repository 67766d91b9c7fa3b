//! Settings of the user that change the form of what cargo and the runners of tests print.
//!
//! A parser reads one form: `CARGO_TERM_QUIET` leaves out the names of tests that passed, `NEXTEST_FINAL_STATUS_LEVEL` those
//! of tests that failed. Such settings are for people, and none of them changes what is found. So whatever variables and
//! configuration files say, tools whose output is read get values that keep the form. Variables outrank files.

use crate::model::tool::{Parse, Tool};

/// For cargo.
const CARGO: [(&str, &str); 3] =
    [("CARGO_TERM_PROGRESS_WHEN", "never"), ("CARGO_TERM_QUIET", "false"), ("CARGO_TERM_VERBOSE", "false")];

/// For the test harness: what a test prints is part of the report on it, and not between the lines.
const LIBTEST: [(&str, &str); 1] = [("RUST_TEST_NOCAPTURE", "0")];

/// For cargo-nextest: the user's own configuration is about the form alone.
const NEXTEST: [(&str, &str); 1] = [("NEXTEST_USER_CONFIG_FILE", "none")];

/// Variables of cargo-nextest that are about the form.
const OF_NEXTEST: [&str; 13] = [
    "NEXTEST_FAILURE_OUTPUT",
    "NEXTEST_FINAL_STATUS_LEVEL",
    "NEXTEST_HIDE_PROGRESS_BAR",
    "NEXTEST_MAX_PROGRESS_RUNNING",
    "NEXTEST_MESSAGE_FORMAT",
    "NEXTEST_MESSAGE_FORMAT_VERSION",
    "NEXTEST_NO_CAPTURE",
    "NEXTEST_NO_INPUT_HANDLER",
    "NEXTEST_NO_OUTPUT_INDENT",
    "NEXTEST_SHOW_PROGRESS",
    "NEXTEST_STATUS_LEVEL",
    "NEXTEST_SUCCESS_OUTPUT",
    "NEXTEST_VERBOSE",
];

/// The variables that a process of `tool` gets, with their values.
pub(super) fn fixed(tool: &Tool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let (cargo, libtest, nextest): (&[_], &[_], &[_]) = match &tool.parse {
        // Started without cargo.
        Parse::Libtest if tool.runs_executable() => (&[], &LIBTEST, &[]),
        Parse::Libtest => (&CARGO, &LIBTEST, &[]),
        Parse::Nextest => (&CARGO, &[], &NEXTEST),
        Parse::RustcJson | Parse::CargoBuild | Parse::BuildScripts => (&CARGO, &[], &[]),
        _ => (&[], &[], &[]),
    };
    cargo.iter().chain(libtest).chain(nextest).copied()
}

/// The variables that a process of `tool` does not get.
pub(super) fn removed(tool: &Tool) -> &'static [&'static str] {
    match &tool.parse {
        // It starts the harness itself, and asks it not to capture anything.
        Parse::Nextest => &OF_NEXTEST,
        _ => &[],
    }
}

/// Whether `name` is one of these variables of `tool`: its value decides nothing.
pub(super) fn concerns(tool: &Tool, name: &str) -> bool {
    removed(tool).contains(&name) || fixed(tool).any(|(own, _)| own == name)
}
