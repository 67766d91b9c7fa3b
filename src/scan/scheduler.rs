//! Which step may start next: a pure state machine over the plan.
//!
//! Knows nothing of processes, tokens or time. It is asked for the next step when there is a token for it, and
//! told when a step has finished. The answer is always the lowest rank whose needs and lane are free: a pure
//! function of the plan and of what was told.

use std::collections::BTreeSet;

use crate::model::task::{Plan, StepId};
use crate::model::tool::ToolId;

/// The state of a run.
#[derive(Debug)]
pub(super) struct Scheduler<'a> {
    plan: &'a Plan,
    /// For each tool, its lane: an index into `lanes`. Lane 0 is none.
    lane_of: Vec<usize>,
    lanes: Vec<Lane>,
    /// Steps that wait for tools whose tasks come first.
    blocked: Vec<StepId>,
    /// For each tool, its steps that have not finished.
    unfinished: Vec<u32>,
    running: u32,
    is_stopped: bool,
}

#[derive(Debug, Default)]
struct Lane {
    /// Ready but for the lane and a token.
    ready: BTreeSet<StepId>,
    is_busy: bool,
}

impl<'a> Scheduler<'a> {
    /// Nothing has started yet.
    pub(super) fn new(plan: &'a Plan) -> Self {
        let names: BTreeSet<_> = plan.graph.tools.iter().filter_map(|tool| tool.lane.as_deref()).collect();
        let names: Vec<_> = names.into_iter().collect();
        let lane_of =
            |lane: Option<&str>| lane.and_then(|lane| names.binary_search(&lane).ok()).map_or(0, |at| at + 1);
        let mut unfinished = vec![0; plan.graph.tools.len()];
        for step in plan.batches.iter().flat_map(|batch| &batch.steps) {
            unfinished[step.tool.0 as usize] += 1;
        }
        let mut scheduler = Self {
            plan,
            lane_of: plan.graph.tools.iter().map(|tool| lane_of(tool.lane.as_deref())).collect(),
            lanes: (0..=names.len()).map(|_| Lane::default()).collect(),
            blocked: Vec::new(),
            unfinished,
            running: 0,
            is_stopped: false,
        };
        for rank in 0..plan.batches.len() as u32 {
            scheduler.admit(StepId { rank, at: 0 });
        }
        scheduler
    }

    /// Whether [`Scheduler::start`] would give a step.
    pub(super) fn has_next(&self) -> bool {
        self.next().is_some()
    }

    /// Starts the lowest-ranked step that may.
    pub(super) fn start(&mut self) -> Option<StepId> {
        let (step, lane) = self.next()?;
        self.lanes[lane].ready.remove(&step);
        // Lane 0 is no lane: any number of steps may be in it.
        self.lanes[lane].is_busy = lane != 0;
        self.running += 1;
        Some(step)
    }

    /// Takes note that `step`, which was started, has ended, one way or another.
    pub(super) fn finished(&mut self, step: StepId) {
        let tool = self.tool(step);
        self.lanes[self.lane_of[tool.0 as usize]].is_busy = false;
        self.running -= 1;
        self.unfinished[tool.0 as usize] -= 1;
        if self.unfinished[tool.0 as usize] == 0 {
            for step in std::mem::take(&mut self.blocked) {
                self.admit(step);
            }
        }
        self.admit(StepId { rank: step.rank, at: step.at + 1 });
    }

    /// Starts nothing any more.
    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Steps that were started and have not finished.
    pub(super) fn running(&self) -> u32 {
        self.running
    }

    fn next(&self) -> Option<(StepId, usize)> {
        if self.is_stopped {
            return None;
        }
        let free = self.lanes.iter().enumerate().filter(|(_, lane)| !lane.is_busy);
        free.filter_map(|(at, lane)| Some((*lane.ready.first()?, at))).min()
    }

    /// Queues `step`, if there is one.
    fn admit(&mut self, step: StepId) {
        if step.at as usize >= self.plan.batches[step.rank as usize].steps.len() {
            return;
        }
        let tool = self.tool(step);
        let waits =
            self.plan.graph.needs[tool.0 as usize].iter().any(|need| self.unfinished[need.0 as usize] > 0);
        if waits {
            self.blocked.push(step);
        } else {
            self.lanes[self.lane_of[tool.0 as usize]].ready.insert(step);
        }
    }

    fn tool(&self, step: StepId) -> ToolId {
        self.plan.step(step).tool
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Digest;
    use crate::model::policy::{Policy, Selection};
    use crate::model::task::{Graph, PlannedBatch, Step, TaskId};
    use crate::model::testing;
    use crate::model::tool::Parse;

    /// A plan of tools (lane, needs) and of batches, each a list of steps by tool.
    fn plan(tools: &[(Option<&str>, &[u32])], batches: &[&[u32]]) -> Plan {
        let id = Digest::of_bytes(b"");
        let tool = |(lane, _): &(Option<&str>, &[u32])| {
            let mut tool = testing::tool("t", Parse::ExitCode, &["t"]);
            tool.lane = lane.map(str::to_owned);
            tool
        };
        let step = |tool: &u32| Step { tool: ToolId(*tool), tasks: Vec::new() };
        let batch = |steps: &&[u32]| PlannedBatch {
            id,
            class: 0,
            risk: None,
            steps: steps.iter().map(step).collect(),
        };
        Plan {
            graph: Graph {
                tools: tools.iter().map(tool).collect(),
                needs: tools.iter().map(|(_, needs)| needs.iter().copied().map(ToolId).collect()).collect(),
                tasks: Vec::new(),
                compares: Vec::new(),
                report: TaskId(id),
                hash: id,
            },
            policy: Policy::default(),
            selection: Selection::default(),
            packages: Vec::new(),
            unasked: BTreeSet::new(),
            risks: Vec::new(),
            batches: batches.iter().map(batch).collect(),
            batch_id: id,
        }
    }

    /// The ranks that start one after the other while `tokens` may run; the lowest finishes first.
    fn starts(plan: &Plan, tokens: usize) -> Vec<u32> {
        let mut scheduler = Scheduler::new(plan);
        let (mut order, mut running) = (Vec::new(), BTreeSet::new());
        loop {
            while running.len() < tokens
                && let Some(step) = scheduler.start()
            {
                order.push(step.rank);
                running.insert(step);
            }
            match running.pop_first() {
                Some(step) => scheduler.finished(step),
                None => return order,
            }
        }
    }

    #[test]
    fn with_one_token_the_starts_follow_the_ranks() {
        let plan =
            plan(&[(None, &[]), (Some("check"), &[]), (Some("check"), &[])], &[&[1], &[0, 0], &[2], &[0]]);
        assert_eq!(starts(&plan, 1), [0, 1, 1, 2, 3]);
    }

    #[test]
    fn a_busy_lane_is_passed_over_and_never_shared() {
        let plan = plan(&[(None, &[]), (Some("check"), &[]), (Some("check"), &[])], &[&[1], &[2], &[0]]);
        let mut scheduler = Scheduler::new(&plan);
        let (first, second) = (scheduler.start().unwrap(), scheduler.start().unwrap());
        assert_eq!((first.rank, second.rank), (0, 2), "rank 1 waits for the lane, rank 2 goes by");
        assert!(!scheduler.has_next());
        scheduler.finished(first);
        assert_eq!(scheduler.start().unwrap().rank, 1);
    }

    #[test]
    fn a_step_waits_for_all_of_what_its_tool_needs() {
        let plan = plan(&[(None, &[]), (None, &[0])], &[&[0], &[0], &[1]]);
        let mut scheduler = Scheduler::new(&plan);
        let (first, second) = (scheduler.start().unwrap(), scheduler.start().unwrap());
        assert!(!scheduler.has_next());
        scheduler.finished(second);
        assert!(!scheduler.has_next(), "one of the two is not done");
        scheduler.finished(first);
        assert_eq!(scheduler.start().unwrap().rank, 2);
    }

    #[test]
    fn the_steps_of_a_batch_run_one_after_the_other() {
        let plan = plan(&[(None, &[])], &[&[0, 0, 0]]);
        let mut scheduler = Scheduler::new(&plan);
        let first = scheduler.start().unwrap();
        assert!(!scheduler.has_next());
        scheduler.finished(first);
        assert_eq!(scheduler.start().unwrap(), StepId { rank: 0, at: 1 });
    }

    #[test]
    fn after_a_stop_nothing_starts_and_what_runs_may_finish() {
        let plan = plan(&[(None, &[])], &[&[0], &[0]]);
        let mut scheduler = Scheduler::new(&plan);
        let first = scheduler.start().unwrap();
        scheduler.stop();
        assert!(!scheduler.has_next() && scheduler.start().is_none());
        assert_eq!(scheduler.running(), 1);
        scheduler.finished(first);
        assert_eq!(scheduler.running(), 0);
        assert!(!scheduler.has_next());
    }
}
