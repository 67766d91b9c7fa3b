//! `baseline init`: accept everything that is found today.

use std::collections::BTreeMap;

use genti::compare::baseline::entries_of;
use genti::model::finding::State;
use genti::model::outcome::End;
use genti::store;

use crate::args::RunArgs;
use crate::render::{Shell, plural};
use crate::run::{self, Gate, Start};
use crate::stream::Stream;

/// Nothing is written unless every required tool has a verdict: what could not be looked at can't be accepted.
pub(super) fn main(args: &RunArgs, start: Start, shell: &mut Shell) -> Result<End, End> {
    let (project, baseline) = super::prepare(args, &start, shell)?;
    if !baseline.is_empty() {
        shell.error(format_args!(
            "there is a baseline in {} already; `cargo genti baseline accept` adds to it, `update` drops what is fixed",
            store::BASELINE_DIR
        ));
        return Err(End::Usage);
    }
    // Kept to the end: it is one run at a time until the files are written.
    let run =
        run::execute(&project, &BTreeMap::new(), Gate::none(args), start, shell, &mut Stream::new(false))?;
    let outcome = &run.outcome;
    super::without_verdict(shell, outcome);
    if let End::Incomplete | End::Signal(_) = outcome.end {
        shell.error("not everything could be looked at: nothing was accepted");
        if outcome.end == End::Incomplete {
            shell.note(
                "mend what is named above, or let its tool be optional with `required = false`, and run this again",
            );
        }
        return Err(outcome.end);
    }
    let counts = outcome.findings.iter().filter(|compared| compared.state != State::Suppressed);
    let findings: Vec<_> = counts.map(|compared| compared.finding.clone()).collect();
    let entries = entries_of(&findings);
    super::save(&project, &entries, shell)?;
    match super::count(&entries) {
        0 => shell.note("nothing was found: there is nothing to accept"),
        count => shell.note(format_args!(
            "accepted {count} {}; commit the files, and new findings fail from now on",
            plural(count, "finding", "findings")
        )),
    }
    let differences = findings.iter().filter(|finding| finding.diagnostic.fatal).count();
    if differences > 0 {
        shell.note(format_args!(
            "{differences} {} not accepted: `cargo genti run --bless` does that",
            plural(differences, "difference from a golden file is", "differences from golden files are"),
        ));
    }
    super::note_part(&project, "what the rest finds stays new", shell);
    Ok(End::Passed)
}
