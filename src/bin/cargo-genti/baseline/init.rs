//! `baseline init`: accepts all current findings.

use std::collections::BTreeMap;

use genti::compare::baseline::entries_of;
use genti::model::finding::State;
use genti::model::golden;
use genti::report::text::counted;
use genti::store;

use crate::args::RunArgs;
use crate::exit::{self, CliError, CliResult};
use crate::render::{Shell, plural};
use crate::session::{self, Gate, Startup};

/// Writes nothing unless every required tool has a result, because unchecked parts can't be accepted.
pub(super) fn main(args: &RunArgs, start: Startup, shell: &mut Shell) -> CliResult {
    let (project, baseline) = super::prepare(args, &start, shell)?;
    if !baseline.is_empty() {
        shell.error(format_args!(
            "{} already contains a baseline; use `cargo genti baseline accept` to add findings, or `update` to remove fixed ones",
            store::BASELINE_DIR
        ));
        return Err(CliError::Usage);
    }
    // Holds the lock of the run until the files are written.
    let run = session::execute(&project, &BTreeMap::new(), Gate::none(args), start, shell)?;
    let outcome = &run.outcome;
    super::report_incomplete(shell, &project, outcome);
    if let Err(error @ (CliError::Incomplete | CliError::Interrupted(_))) = exit::of_run(outcome.end) {
        shell.error("some checks have no result, so nothing was accepted");
        if error == CliError::Incomplete {
            shell.note(
                "fix the errors above, or make the tool optional with `required = false`, then run this command again",
            );
        }
        return Err(error);
    }
    let counts = outcome.findings.iter().filter(|compared| compared.state != State::Suppressed);
    let findings: Vec<_> = counts.map(|compared| compared.finding.clone()).collect();
    let entries = entries_of(&findings);
    super::save(&project, &entries, shell)?;
    match super::count(&entries) {
        0 => shell.note("no findings, so nothing to accept"),
        count => shell.note(format_args!(
            "accepted {}; commit the files, and `cargo genti check` only fails on new findings",
            counted(count, "finding", "findings")
        )),
    }
    let differences = findings.iter().filter(|finding| finding.diagnostic.fatal);
    let (goldens, generated): (Vec<_>, Vec<_>) = differences.partition(|finding| {
        finding.diagnostic.place.path().is_some_and(|path| golden::tool_of(path).is_some())
    });
    if !goldens.is_empty() {
        let count = goldens.len();
        shell.note(format_args!(
            "{count} {} not accepted; use `cargo genti run --bless` for these",
            plural(count, "difference from a golden file is", "differences from golden files are"),
        ));
    }
    if !generated.is_empty() {
        let count = generated.len();
        shell.note(format_args!(
            "{count} {} not accepted; use `cargo genti fix` for these",
            plural(count, "difference of a generated file is", "differences of generated files are"),
        ));
    }
    super::note_partial(&project, "findings outside the selection were not accepted", shell);
    Ok(())
}
