//! Checks a share of the cached results of sandboxed tools again (`recheck`): chosen by key and day, so that every run of a day checks
//! the same ones, and every result gets its turn.
//!
//! The process runs without a sandbox and with all variables, as if there were no cache. If it does not pass, the cached result was
//! wrong, because only passes are cached: something that is not observed decided. That is a finding, and results of this target are
//! not used or stored again until its program changes.

use jiff::civil::Date;

use super::ResultCache;
use super::key::PartKind;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::finding::{Diagnostic, Level, OWN_NAMESPACE, Place, Related, STALE_RESULT};
use crate::model::policy::Share;
use crate::model::task::{Exit, TaskIx, Unit};
use crate::normalize::{Normalized, Parsed};
use crate::scan::{Ended, StepPiece, StepRun};

/// Results that are checked again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecondLook {
    pub(crate) share: Share,
    /// The day for which they are chosen.
    pub(crate) day: Date,
}

impl SecondLook {
    /// Returns true if the result under `key` is checked again.
    pub(super) fn includes(&self, key: &Digest) -> bool {
        let mut hasher = Hasher::new("genti.second-look.1");
        hasher.field("key", &key.0);
        hasher.field("day", self.day.to_string().as_bytes());
        self.share.includes(&hasher.finish())
    }
}

/// Reason why a task with a wrong cached result runs.
pub(super) const DISTRUSTED: &str = "a cached result of it was wrong (`genti::stale-result`), so its results are not cached until its program changes";
/// Reason why a task with a cached result runs.
pub(super) const CHECKED: &str = "its cached result is checked again today (`recheck`)";

impl ResultCache<'_> {
    /// Returns true if the result under `key` is checked again in this run.
    pub(super) fn is_checked_today(&self, key: &Digest) -> bool {
        self.context.second_look.is_some_and(|look| look.includes(key))
    }

    /// Returns the key under which it is remembered that a cached result of `task` was wrong. `program` is the digest of the test
    /// program that it runs, if it does.
    pub(super) fn distrust_key(&self, task: TaskIx, program: Option<Digest>) -> Digest {
        let graph = &self.context.plan.graph;
        let of = graph.task(task);
        let mut hasher = Hasher::new("genti.distrusted.1");
        hasher.field("tool", graph.tool(of.tool).name.as_bytes());
        hasher.field("unit", graph.name_of(self.context.workspace, of.unit).as_bytes());
        let own = || Some(self.keys[of.tool.0 as usize].as_ref().ok()?.parts.of_kind(PartKind::Program));
        hasher.field("program", program.or_else(own).as_ref().map_or(&[], |digest| &digest.0[..]));
        hasher.finish()
    }

    /// Adds a finding for each of `tasks` whose cached result was checked again by a process with this end, and was wrong.
    pub(crate) fn add_stale_results(&self, tasks: &[TaskIx], exit: Exit, parsed: &mut Parsed) {
        if is_pass(Some(exit), parsed) {
            return;
        }
        let graph = &self.context.plan.graph;
        let checked: Vec<_> = {
            let state = self.lock();
            tasks.iter().filter(|task| state.second_looks.contains_key(task)).copied().collect()
        };
        for task in checked {
            let of = graph.task(task);
            let place = match of.unit {
                unit @ (Unit::File(_) | Unit::TargetRoot(..)) => {
                    Place::File { path: unit.path(self.context.workspace).clone(), range: None }
                }
                _ => Place::Subject(graph.tool(of.tool).name.clone()),
            };
            let related = "something decided that is not observed, such as the time; until the program changes, results of this target \
                           are not cached";
            parsed.diagnostics.push(Diagnostic {
                test: None,
                place,
                ns: OWN_NAMESPACE.into(),
                rule: STALE_RESULT.into(),
                level: Level::Error,
                message: format!(
                    "the cached result of `{}` is a pass, and it does not pass with the same inputs",
                    graph.tool(of.tool).name
                )
                .into(),
                fatal: false,
                package: None,
                related: vec![Related { message: related.to_owned(), place: None }],
                fix: None,
            });
        }
    }

    /// Remembers the tasks of a step whose cached results were checked again and were wrong.
    pub(super) fn note_stale_results(&self, run: &StepRun<Normalized>) {
        let mut state = self.lock();
        for piece in
            run.pieces.iter().filter(|piece| !piece.is_recalled && !piece.is_retry && has_failed(piece))
        {
            for task in &piece.tasks {
                if let Some(key) = state.second_looks.get(task).copied()
                    && let Some(results) = &mut state.results
                {
                    results.put(key, b"wrong".to_vec());
                }
            }
        }
    }
}

/// Returns true if a process of the piece ended without a pass, for reasons of its own.
fn has_failed(piece: &StepPiece<Normalized>) -> bool {
    match &piece.ended {
        Ended::Judged(Ok(parsed)) => !is_pass(piece.raw_exit.map(Exit::Code), parsed),
        Ended::Judged(Err(_))
        | Ended::TimedOut(_)
        | Ended::Crashed(_)
        | Ended::Truncated(_)
        | Ended::Leaky => true,
        Ended::Missing(_)
        | Ended::NotBuilt
        | Ended::Replaced(_)
        | Ended::Withheld(_)
        | Ended::Elsewhere(_)
        | Ended::Stopped(_) => false,
    }
}

/// Returns true if this is a result that may be cached: only a pass.
pub(super) fn is_pass(exit: Option<Exit>, parsed: &Parsed) -> bool {
    exit == Some(Exit::Code(0)) && parsed.diagnostics.is_empty() && parsed.test_outputs.is_empty()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_decides_which_results_are_checked_again_and_each_gets_its_turn() {
        let keys: Vec<_> = (0..100_u32).map(|number| Digest::of_bytes(&number.to_le_bytes())).collect();
        let on = |day: Date| {
            let look = SecondLook { share: "10%".parse().unwrap(), day };
            keys.iter().map(|key| look.includes(key)).collect::<Vec<_>>()
        };
        let first = date(2026, 1, 1);
        assert_eq!(on(first), on(first));
        assert_ne!(on(first), on(first.tomorrow().unwrap()));
        let mut checked = vec![false; keys.len()];
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok()).take(200);
        days.flat_map(|day| on(day).into_iter().enumerate())
            .for_each(|(at, is_checked)| checked[at] |= is_checked);
        assert!(checked.iter().all(|is_checked| *is_checked));
    }
}
