//! `baseline update`: removes fixed entries and follows moved ones. Never accepts anything.

use genti::compare::baseline::shrunk;
use genti::compare::ratchet::tightened;
use genti::model::finding::State;
use genti::model::ratchet::{Number, NumberState};
use genti::report::text::counted;

use crate::args::RunArgs;
use crate::exit::CliResult;
use crate::render::{GOOD, Shell, visible_line};
use crate::session::Startup;

pub(super) fn main(args: &RunArgs, start: Startup, shell: &mut Shell) -> CliResult {
    let current = super::run_all(args, start, shell)?;
    if current.baseline.is_empty() {
        shell.note("there is no baseline; create one with `cargo genti baseline init`");
        return Ok(());
    }
    let outcome = &current.run.outcome;
    let mut entries = shrunk(&outcome.findings, &outcome.gone);
    for (ns, entry) in tightened(&outcome.numbers, &current.baseline) {
        entries.entry(ns).or_default().push(entry);
    }
    let is_better = |number: &&Number| number.state == Some(NumberState::Better);
    for number in outcome.numbers.iter().filter(is_better) {
        let Number { name, value, .. } = number;
        let before = number.accepted.as_ref().map(ToString::to_string).unwrap_or_default();
        shell.status(GOOD, "Tightened", visible_line(&format!("{name}: from {before} to {value}")));
    }
    super::save(&current.project, &entries, shell)?;
    let (before, after) = (super::count(&current.baseline), super::count(&entries));
    let gone = |state| current.run.outcome.gone.iter().filter(|gone| gone.state == state).count();
    let (unknown, suppressed) = (gone(State::Unknown), gone(State::Suppressed));
    let moved = current.run.outcome.findings.iter().filter_map(|compared| {
        let accepted = compared.accepted.as_ref()?;
        (accepted.pass > 1).then_some(())
    });
    let (dropped, moved) = (before - after - suppressed, moved.count());
    if dropped == 0 && moved == 0 && suppressed == 0 {
        shell.note("nothing was fixed or moved; the baseline is unchanged");
    } else {
        let changes = [
            (dropped, format!("removed {}", counted(dropped, "fixed entry", "fixed entries"))),
            (
                suppressed,
                format!("removed {}", counted(suppressed, "suppressed entry", "suppressed entries")),
            ),
            (moved, format!("updated {}", counted(moved, "moved entry", "moved entries"))),
        ];
        let changes: Vec<_> =
            changes.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
        shell.note(format_args!("{}; {} left", changes.join(", "), counted(after, "is", "are")));
    }
    if unknown > 0 {
        shell.note(format_args!("kept {} that this run did not check", counted(unknown, "entry", "entries")));
    }
    Ok(())
}
