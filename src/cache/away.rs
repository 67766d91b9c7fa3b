//! Results of workers on other machines: which of them count, and which are checked.
//!
//! A result of a worker counts like one of this machine if every part of the step has a verdict. Of a share of the steps, chosen by
//! key and day, it only says what this machine has to come to as well: these run here too. If the results differ, the tool is not
//! hermetic or a worker is not what it should be. Then nothing that workers found out for this tool counts in this run: the tasks are
//! incomplete, and nothing of them is stored. For that, results of workers are stored at the end of the run.

use std::collections::{BTreeMap, BTreeSet};

use super::{Discarded, ResultCache};
use crate::model::policy::Share;
use crate::model::task::{StepId, TaskIx};
use crate::model::tool::ToolId;
use crate::normalize::{Normalized, Parsed};
use crate::scan::{Ended, StepRun};

/// Share of the results of workers that are checked if the policy has none.
pub(crate) const CHECKED: Share = Share::percent(2);

/// State of the results of workers during a run.
#[derive(Default)]
pub(super) struct AwayState {
    /// Results of workers that this machine has to come to as well.
    expected: BTreeMap<StepId, Vec<KeptResult>>,
    /// Tasks with a result of a worker that counts.
    pub(super) tasks: BTreeSet<TaskIx>,
    /// Tools for which a worker and this machine came to different results.
    pub(super) doubted: BTreeSet<ToolId>,
    /// Tasks whose results differ.
    pub(super) differing: BTreeSet<TaskIx>,
}

impl AwayState {
    /// Returns why a result of `task` of `tool` does not count, although there is one.
    pub(super) fn doubt(&self, task: TaskIx, tool: ToolId) -> Option<Discarded> {
        let is_doubted = || self.tasks.contains(&task) && self.doubted.contains(&tool);
        let differs = self.differing.contains(&task).then_some(Discarded::Differs);
        differs.or_else(|| is_doubted().then_some(Discarded::Doubted))
    }
}

/// Result of one process of a step: its tasks, its exit code, and what it found.
type Found<'r> = (&'r [TaskIx], Option<i32>, &'r Parsed);

/// A result that is kept until the step has run here.
struct KeptResult {
    tasks: Vec<TaskIx>,
    raw_exit: Option<i32>,
    parsed: Parsed,
}

impl KeptResult {
    fn new((tasks, raw_exit, parsed): Found<'_>) -> Self {
        Self { tasks: tasks.to_vec(), raw_exit, parsed: parsed.clone() }
    }

    fn found(&self) -> Found<'_> {
        (&self.tasks, self.raw_exit, &self.parsed)
    }
}

impl ResultCache<'_> {
    /// Decides about a step that a worker has brought to an end. Returns true if it has to run on this machine: a part has no
    /// verdict, the result is to be checked, or results of its tool are in doubt.
    pub(crate) fn runs_here(&self, run: &StepRun<Normalized>) -> bool {
        let tool = self.context.plan.step(run.step).tool;
        let Some(found) = found(run) else { return true };
        let has_verdict = |(_, _, parsed): &Found<'_>| parsed.gaps.is_empty() && !parsed.is_leaky;
        if found.is_empty() || !found.iter().all(has_verdict) || self.lock().away.doubted.contains(&tool) {
            return true;
        }
        let mut tasks = found.iter().flat_map(|(tasks, ..)| tasks.iter());
        let is_checked = !tasks.all(|task| self.is_checked_here(*task) == Some(false));
        if is_checked {
            let kept = found.into_iter().map(KeptResult::new).collect();
            self.lock().away.expected.insert(run.step, kept);
        }
        is_checked
    }

    /// Returns true if the result of a worker for `task` is checked on this machine today. `None` if the task has no key.
    fn is_checked_here(&self, task: TaskIx) -> Option<bool> {
        let tool = self.context.plan.graph.task(task).tool;
        let key = self.inputs.key(self.keys[tool.0 as usize].as_ref().ok()?, task, None).ok()?;
        Some(self.context.away_look.includes(&key))
    }

    /// Returns the workers of this run: none, because this program was built without them.
    #[cfg(not(feature = "remote"))]
    pub(crate) fn workers(&self) -> Option<Box<dyn crate::scan::Workers + '_>> {
        None
    }

    /// Notes where a step ran. If a worker has a result for it too, compares both.
    pub(super) fn note_away(&self, run: &StepRun<Normalized>) {
        let tasks = run.pieces.iter().flat_map(|piece| piece.tasks.iter().copied());
        let mut state = self.lock();
        if run.is_away {
            state.away.tasks.extend(tasks);
            return;
        }
        let Some(expected) = state.away.expected.remove(&run.step) else { return };
        // A step that was stopped here says nothing.
        let has_differed = match found(run) {
            Some(found) => !found.into_iter().eq(expected.iter().map(KeptResult::found)),
            None => !run.pieces.iter().any(|piece| matches!(piece.ended, Ended::Stopped(_))),
        };
        if has_differed {
            state.away.doubted.insert(self.context.plan.step(run.step).tool);
            state.away.differing.extend(tasks);
            #[cfg(feature = "remote")]
            if let Some(workers) = self.context.remote.and_then(super::RemoteStore::workers) {
                workers.end("a worker came to another result than this machine");
            }
        }
    }
}

/// Returns the results of all processes of a step; `None` if one of them has none.
fn found(run: &StepRun<Normalized>) -> Option<Vec<Found<'_>>> {
    let each = run.pieces.iter().map(|piece| match &piece.ended {
        Ended::Judged(Ok(parsed)) => Some((&*piece.tasks, piece.raw_exit, parsed)),
        _ => None,
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_worker_has_found_does_not_count_if_its_tool_is_in_doubt() {
        let mut state = AwayState::default();
        state.tasks.extend([0, 1].map(TaskIx));
        let doubts = |state: &AwayState| {
            [0, 1, 2].map(|task| state.doubt(TaskIx(task), ToolId(u32::from(task == 1)))).map(|doubt| {
                match doubt {
                    None => "",
                    Some(Discarded::Differs) => "differs",
                    Some(Discarded::Doubted) => "doubted",
                    Some(Discarded::Changed(_) | Discarded::Unchecked) => unreachable!(),
                }
            })
        };
        assert_eq!(doubts(&state), ["", "", ""]);
        state.doubted.insert(ToolId(0));
        // The first has only a result of a worker, the second is of another tool, the last ran on this machine.
        assert_eq!(doubts(&state), ["doubted", "", ""]);
        state.differing.insert(TaskIx(2));
        assert_eq!(doubts(&state), ["doubted", "", "differs"]);
    }
}
