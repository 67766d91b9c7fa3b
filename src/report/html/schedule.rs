//! Reconstructs when each step ran, what it waited for, and the critical path of the run.
//!
//! The artifacts contain the start, end, slot and lane of each step, and the dependencies between tools. A step may have
//! waited for a tool that it needs, for the holder of its lane, or for the previous step in its batch or on its slot. Of
//! these, the one that ended last is taken as the reason, provided that it ended shortly before the step started; otherwise
//! the step that ended last of all. Following these reasons backwards from the step that ended last gives the critical path.
//! Shortening any other step does not shorten the run.

use std::collections::BTreeMap;

use crate::report::finished::{BatchLine, RunSummary, TaskLine, TaskTiming, Tasks};

/// Maximum time between the end of a step and the start of a step that waited for it, in microseconds.
const SOON: u64 = 100_000;

/// The steps of a run with their times.
pub(super) struct Schedule<'a> {
    /// Steps, sorted by rank and then by position in the batch.
    pub(super) bars: Vec<Bar<'a>>,
    /// Indices of the steps on the critical path, in order of time.
    pub(super) critical: Vec<usize>,
    /// End of the last step, in microseconds since the run began.
    pub(super) end: u64,
    /// Number of slots.
    pub(super) slots: u32,
}

/// A step that ran. Times are in microseconds since the run began.
pub(super) struct Bar<'a> {
    pub(super) rank: u32,
    pub(super) tool: &'a str,
    pub(super) lane: Option<&'a str>,
    pub(super) slot: u32,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) tasks: &'a [TaskLine],
    pub(super) attempts: u32,
    /// Time at which everything that its tool needs was finished.
    pub(super) ready: u64,
    /// The step that it waited for.
    pub(super) after: Option<After>,
    pub(super) is_critical: bool,
}

/// The step that another one waited for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct After {
    /// Index of the step.
    pub(super) bar: usize,
    pub(super) why: Why,
}

/// Reason why a step waited for another. If several steps ended at the same time, the first reason applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Its tool depends on the tool of the other step.
    Need,
    /// The other step held its lane.
    Lane,
    /// The other step is the previous one in the batch.
    Batch,
    /// The other step was on its slot.
    Slot,
    /// Unknown: the other step just ended before. It may have held a jobserver token.
    Other,
}

/// Adds `times` in microseconds. Saturates, because artifacts are not trusted.
pub(super) fn total(times: impl IntoIterator<Item = u64>) -> u64 {
    times.into_iter().fold(0, u64::saturating_add)
}

impl<'a> Bar<'a> {
    /// Duration in microseconds.
    pub(super) fn length(&self) -> u64 {
        self.end - self.start
    }

    /// The task with the worst status.
    pub(super) fn worst(&self) -> &'a TaskLine {
        self.tasks.iter().rev().max_by_key(|task| task.exit_status).expect("a step has tasks")
    }
}

impl<'a> Schedule<'a> {
    /// Reconstructs the schedule. `None` if the artifacts have no timing or nothing ran.
    pub(super) fn of(run: &'a RunSummary, tasks: &'a Tasks) -> Option<Self> {
        let needs: BTreeMap<_, _> =
            run.tools.iter().map(|tool| (tool.name.as_str(), tool.needs.as_slice())).collect();
        let mut slots = 0;
        let mut bars = Vec::new();
        for (batch, line) in run.batches.iter().zip(&tasks.batches) {
            let lanes = batch.steps.iter().map(|step| step.lane.as_deref());
            for (lane, tasks) in lanes.zip(steps(line, batch.steps.iter().map(|step| step.task_count))) {
                let Some(TaskTiming { start_us, duration_us, slot, parallel, .. }) =
                    tasks.first().and_then(|task| task.timing.as_ref())
                else {
                    continue;
                };
                let attempts =
                    tasks.iter().filter_map(|task| Some(task.timing.as_ref()?.attempts)).max().unwrap_or(0);
                if attempts == 0 {
                    // No process was started: the result was cached, or the run ended first.
                    continue;
                }
                slots = slots.max(u32::try_from(*parallel).unwrap_or(u32::MAX)).max(slot.saturating_add(1));
                bars.push(Bar {
                    rank: batch.rank,
                    tool: &tasks[0].tool,
                    lane,
                    slot: *slot,
                    start: *start_us,
                    end: start_us.saturating_add(*duration_us),
                    tasks,
                    attempts,
                    ready: 0,
                    after: None,
                    is_critical: false,
                });
            }
        }
        let end = bars.iter().map(|bar| bar.end).max()?;
        let ends = Ends::of(&bars);
        for at in 0..bars.len() {
            let needs = needs.get(bars[at].tool).copied().unwrap_or_default();
            (bars[at].ready, bars[at].after) = ends.before(&bars, at, needs);
        }
        let critical = critical(&bars);
        for at in &critical {
            bars[*at].is_critical = true;
        }
        Some(Self { bars, critical, end, slots })
    }
}

/// Splits the tasks of a batch by step.
fn steps(line: &BatchLine, counts: impl Iterator<Item = usize>) -> impl Iterator<Item = &[TaskLine]> {
    let mut rest = line.tasks.as_slice();
    counts.map(move |count| {
        let (step, others) = rest.split_at(count.min(rest.len()));
        rest = others;
        step
    })
}

/// Something that steps share and that can make one of them wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SharedResource<'a> {
    Tool(&'a str),
    Lane(&'a str),
    Batch(u32),
    Slot(u32),
    Run,
}

/// End times of steps, by what they share with others.
struct Ends<'a> {
    by: BTreeMap<SharedResource<'a>, Vec<(u64, usize)>>,
    /// Pairs of lanes that never ran at the same time, so probably exclude each other by sharing a directory.
    lanes: Vec<(&'a str, &'a str)>,
}

impl<'a> Ends<'a> {
    fn of(bars: &[Bar<'a>]) -> Self {
        let mut by: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, bar) in bars.iter().enumerate() {
            let lane = bar.lane.map(SharedResource::Lane);
            let shared = [
                SharedResource::Run,
                SharedResource::Tool(bar.tool),
                SharedResource::Batch(bar.rank),
                SharedResource::Slot(bar.slot),
            ];
            for shared in shared.into_iter().chain(lane) {
                by.entry(shared).or_default().push((bar.end, at));
            }
        }
        by.values_mut().for_each(|ends| ends.sort_unstable());
        let mut in_lanes: Vec<_> =
            bars.iter().filter_map(|bar| Some((bar.start, bar.end, bar.lane?))).collect();
        in_lanes.sort_unstable();
        let mut lanes: Vec<_> = in_lanes.iter().map(|(.., lane)| *lane).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let pairs = lanes.iter().flat_map(|one| lanes.iter().map(move |other| (*one, *other)));
        let lanes = pairs.filter(|pair| !overlap(&in_lanes, *pair)).collect();
        Self { by, lanes }
    }

    /// Returns the time when everything that step `at` needs was finished, and the step that it waited for.
    fn before(&self, bars: &[Bar<'a>], at: usize, needs: &[String]) -> (u64, Option<After>) {
        let bar = &bars[at];
        let latest = |shared, why| {
            let ends = self.by.get(&shared)?;
            let (end, bar) = *ends[..ends.partition_point(|(end, _)| *end <= bar.start)].last()?;
            // A step without a duration ends when it starts, so it can find itself.
            (bar != at).then_some((end, why, bar))
        };
        let need = needs
            .iter()
            .filter_map(|tool| latest(SharedResource::Tool(tool), Why::Need))
            .max_by_key(|(end, ..)| *end);
        let lanes = self.lanes.iter().filter(|(own, _)| Some(*own) == bar.lane);
        let lane = lanes
            .filter_map(|(_, other)| latest(SharedResource::Lane(other), Why::Lane))
            .max_by_key(|(end, ..)| *end);
        let others = [
            lane,
            latest(SharedResource::Batch(bar.rank), Why::Batch),
            latest(SharedResource::Slot(bar.slot), Why::Slot),
        ];
        let all = need.into_iter().chain(others.into_iter().flatten());
        let is_soon = |(end, ..): &(u64, Why, usize)| bar.start - end <= SOON;
        let last = all.max_by_key(|(end, why, bar)| (*end, std::cmp::Reverse((*why, *bar))));
        let last = last.filter(is_soon).or_else(|| latest(SharedResource::Run, Why::Other));
        (need.map_or(0, |(end, ..)| end), last.map(|(_, why, bar)| After { bar, why }))
    }
}

/// Returns whether steps of both lanes ran at the same time. Within one lane, steps never do.
fn overlap(in_lanes: &[(u64, u64, &str)], (one, other): (&str, &str)) -> bool {
    let mut until = [0_u64; 2];
    one != other
        && in_lanes.iter().any(|(start, end, lane)| {
            let Some(own) = [one, other].iter().position(|name| name == lane) else { return false };
            until[own] = until[own].max(*end);
            until[1 - own] > *start
        })
}

/// Returns the chain of steps that leads to the one that ended last. It has no cycles, because each step started before the
/// next one.
fn critical(bars: &[Bar<'_>]) -> Vec<usize> {
    let mut chain = Vec::new();
    let mut next = (0..bars.len()).max_by_key(|at| (bars[*at].end, std::cmp::Reverse(*at)));
    while let Some(at) = next {
        chain.push(at);
        // Without this check, steps without a duration could wait for each other.
        next = bars[at].after.map(|after| after.bar).filter(|before| bars[*before].start < bars[at].start);
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Step, run_of};
    use super::*;

    /// Returns the steps of the critical path, each with the step that it waited for.
    fn check(steps: &[Step]) -> Vec<String> {
        let (run, tasks) = run_of(steps);
        let schedule = Schedule::of(&run.run, &tasks).unwrap();
        let step = |at: &usize| {
            let bar = &schedule.bars[*at];
            let after = bar.after.map(|after| format!(" {:?} {}", after.why, schedule.bars[after.bar].tool));
            format!("{}{}", bar.tool, after.unwrap_or_default())
        };
        schedule.critical.iter().map(step).collect()
    }

    const CLIPPY: Step = Step { tool: "clippy", lane: Some("check"), ..Step::NONE };
    const BUILD: Step = Step { tool: "test-build", lane: Some("build"), ..Step::NONE };
    const TEST: Step = Step { tool: "test", needs: &["test-build"], ..Step::NONE };
    const FMT: Step = Step { tool: "fmt", ..Step::NONE };

    #[test]
    fn the_critical_path_is_found_with_reasons() {
        let steps = [
            CLIPPY.at(0, 10..500),
            BUILD.at(0, 510..900),
            FMT.at(1, 10..80),
            // Slot 1 was idle because the test needs the build.
            TEST.at(1, 910..950),
        ];
        assert_eq!(check(&steps), ["clippy", "test-build Lane clippy", "test Need test-build"]);
    }

    #[test]
    fn lanes_that_ran_at_the_same_time_do_not_exclude_each_other() {
        let steps = [CLIPPY.at(0, 10..500), BUILD.at(1, 20..300), BUILD.at(2, 510..900)];
        assert_eq!(check(&steps), ["test-build", "test-build Lane test-build"]);
    }

    #[test]
    fn a_step_waits_for_a_busy_slot() {
        let steps = [FMT.at(0, 0..100), FMT.at(1, 0..90), FMT.at(0, 100..150), FMT.at(1, 91..140)];
        assert_eq!(check(&steps), ["fmt", "fmt Slot fmt"]);
    }

    #[test]
    fn without_a_known_reason_a_step_waited_for_what_ended_last() {
        let [slot, other] = [FMT.at(1, 0..90), CLIPPY.at(0, 0..500_000)];
        let step = Step { tool: "typos", ..FMT }.at(1, 500_100..600_000);
        assert_eq!(check(&[slot, other, step]), ["clippy", "typos Other clippy"]);
    }

    #[test]
    fn steps_without_a_duration_make_no_cycle() {
        let steps = [FMT.at(0, 5..5), FMT.at(0, 5..5), FMT.at(0, 5..5)];
        assert_eq!(check(&steps).len(), 1);
    }

    #[test]
    fn there_is_no_schedule_without_times() {
        let (run, tasks) = run_of(&[]);
        assert!(Schedule::of(&run.run, &tasks).is_none());
        let (run, mut tasks) = run_of(&[FMT.at(0, 0..100)]);
        tasks.batches[0].tasks[0].timing = None;
        assert!(Schedule::of(&run.run, &tasks).is_none());
    }
}
