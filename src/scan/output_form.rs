//! Environment variables that keep the output of cargo and of test runners in the form that the parsers expect.
//!
//! Each parser reads one form of output. User settings can change that form: `CARGO_TERM_QUIET` omits the names of
//! passing tests, `NEXTEST_FINAL_STATUS_LEVEL` those of failing tests. These settings are meant for people and
//! never change what is found, so tools whose output is parsed get fixed values. Environment variables are used
//! because they take precedence over configuration files.

use crate::model::tool::{Printer, Tool};

/// Variables set for cargo.
const CARGO: [(&str, &str); 3] =
    [("CARGO_TERM_PROGRESS_WHEN", "never"), ("CARGO_TERM_QUIET", "false"), ("CARGO_TERM_VERBOSE", "false")];

/// Variables set for cargo if its messages are JSON. [`super::doing`] reads the progress bar.
const CARGO_JSON: [(&str, &str); 4] = [
    ("CARGO_TERM_PROGRESS_WHEN", "always"),
    ("CARGO_TERM_PROGRESS_WIDTH", "160"),
    ("CARGO_TERM_QUIET", "false"),
    ("CARGO_TERM_VERBOSE", "false"),
];

/// Variables set for the test harness. Output of a test must be part of its report, not between other lines.
const LIBTEST: [(&str, &str); 1] = [("RUST_TEST_NOCAPTURE", "0")];

/// Variables set for cargo-nextest. The user's configuration affects only the form of the output.
const NEXTEST: [(&str, &str); 1] = [("NEXTEST_USER_CONFIG_FILE", "none")];

/// Variables of cargo-nextest that change the form of its output.
const NEXTEST_REMOVED: [&str; 13] = [
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

/// Returns the variables to set for a process of `tool`, with their values.
pub(super) fn fixed(tool: &Tool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let (cargo, runner): (&[_], &[_]) = match tool.parse.printer() {
        // The test binary is started without cargo.
        Printer::Libtest if tool.runs_executable() => (&[], &LIBTEST),
        Printer::Libtest => (&CARGO, &LIBTEST),
        Printer::Nextest => (&CARGO, &NEXTEST),
        Printer::Cargo => (&CARGO_JSON, &[]),
        Printer::Other => (&[], &[]),
    };
    cargo.iter().chain(runner).copied()
}

/// Returns the variables to remove from the environment of `tool`.
pub(super) fn removed(tool: &Tool) -> &'static [&'static str] {
    match tool.parse.printer() {
        // cargo-nextest starts the test harness itself and turns capturing off.
        Printer::Nextest => &NEXTEST_REMOVED,
        Printer::Cargo | Printer::Libtest | Printer::Other => &[],
    }
}

/// Returns true if this module sets or removes `name`, so that its value in the environment never reaches `tool`.
pub(super) fn concerns(tool: &Tool, name: &str) -> bool {
    removed(tool).contains(&name) || fixed(tool).any(|(own, _)| own == name)
}
