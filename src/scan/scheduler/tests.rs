use super::*;
use crate::model::digest::Digest;
use crate::model::policy::{Policy, Selection};
use crate::model::task::{PlannedBatch, Step, TaskIx};
use crate::model::testing;
use crate::model::tool::{Arg, Counted, Environment, Parse, Piece, ToolId};

/// Creates a tool with the given lane.
pub(super) fn tool(lane: Option<&str>) -> Tool {
    let mut tool = testing::tool("t", Parse::ExitCode, &["t"]);
    tool.lane = lane.map(str::to_owned);
    // It builds no programs.
    (tool.environment, tool.configured) = (Environment::Only(Vec::new()), false);
    tool
}

/// Creates a plan from tools with their needs, and batches with a class and the tool and number of tasks of each
/// step.
pub(super) fn plan(tools: Vec<(Tool, Vec<ToolId>)>, batches: Vec<(u32, Vec<(ToolId, u32)>)>) -> Plan {
    let id = Digest::of_bytes(b"");
    let (tools, needs) = tools.into_iter().unzip();
    let step = |(tool, tasks): (ToolId, u32)| Step { tool, tasks: (0..tasks).map(TaskIx).collect() };
    let batch = |(class, steps): (u32, Vec<_>)| PlannedBatch {
        id,
        class,
        risk: None,
        steps: steps.into_iter().map(step).collect(),
    };
    Plan {
        all: Vec::new(),
        members: 0,
        variants: std::collections::BTreeMap::new(),
        graph: testing::graph(tools, needs),
        policy: Policy::default(),
        selection: Selection::default(),
        asked: Vec::new(),
        packages: Vec::new(),
        is_narrowed: false,
        unasked: BTreeSet::new(),
        risks: Vec::new(),
        batches: batches.into_iter().map(batch).collect(),
        batch_id: id,
        shard: None,
    }
}

/// Like [`plan`], given only lanes, needs and tools.
fn small(tools: &[(Option<&str>, &[u32])], batches: &[&[u32]]) -> Plan {
    let tools = tools.iter().map(|(lane, needs)| (tool(*lane), needs.iter().copied().map(ToolId).collect()));
    let batches = batches.iter().map(|steps| (0, steps.iter().map(|tool| (ToolId(*tool), 1)).collect()));
    plan(tools.collect(), batches.collect())
}

const LIMITS: Limits =
    Limits { parallel: 3, away: 0, own_slot: false, fail_fast: false, layout: Layout::Lanes };

fn scheduler(plan: &Plan, parallel: usize) -> Scheduler<'_> {
    Scheduler::new(plan, Limits { parallel, ..LIMITS })
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn finished(step: StepId) -> Event {
    Event::Finished { step, fails: false }
}

/// Returns the steps that start while the pool answers every request immediately, and the action that follows.
fn started(scheduler: &mut Scheduler<'_>) -> (Vec<StepId>, Action) {
    let mut steps = Vec::new();
    loop {
        match scheduler.next() {
            Action::RequestToken => scheduler.on(Duration::ZERO, Event::Token),
            Action::Start(step, _) => steps.push(step),
            Action::Refill { .. } => {}
            action => return (steps, action),
        }
    }
}

fn ranks(scheduler: &mut Scheduler<'_>) -> Vec<u32> {
    started(scheduler).0.iter().map(|step| step.rank).collect()
}

const fn first(rank: u32) -> StepId {
    StepId { rank, at: 0 }
}

#[test]
fn a_busy_lane_is_passed_over_and_never_shared() {
    let plan = small(&[(None, &[]), (Some("check"), &[]), (Some("check"), &[])], &[&[1], &[2], &[0]]);
    let mut scheduler = scheduler(&plan, 3);
    assert_eq!(ranks(&mut scheduler), [0, 2], "rank 1 waits for the lane, rank 2 passes it");
    scheduler.on(seconds(1), finished(first(0)));
    assert_eq!(ranks(&mut scheduler), [1]);
}

#[test]
fn the_lanes_of_a_shared_build_directory_are_merged_and_others_are_not() {
    for (layout, is_one) in [(Layout::Lanes, false), (Layout::One, true), (Layout::Shared, true)] {
        let plan =
            small(&[(Some("check"), &[]), (Some("build"), &[]), (Some("own"), &[])], &[&[0], &[1], &[2]]);
        let limits = Limits { layout, ..LIMITS };
        assert_eq!(
            ranks(&mut Scheduler::new(&plan, limits)),
            if is_one { vec![0, 2] } else { vec![0, 1, 2] }
        );
    }
}

#[test]
fn no_other_build_starts_while_the_tests_of_one_run() {
    let mut build = tool(Some("build"));
    build.parse = Parse::CargoBuild;
    let mut test = tool(None);
    test.run = vec![Arg::Text(vec![Piece::Executable])];
    let mut other = testing::tool("other", Parse::ExitCode, &["cargo", "build"]);
    (other.environment, other.lane) = (Environment::Inherit(Counted::All), Some("build".to_owned()));
    let needs = |needs: &[u32]| needs.iter().copied().map(ToolId).collect::<Vec<_>>();
    let tools = vec![(build, needs(&[])), (test, needs(&[0])), (other, needs(&[])), (tool(None), needs(&[]))];
    let batches = [0, 1, 1, 2, 3].map(|tool| (0, vec![(ToolId(tool), 1)]));
    let plan = plan(tools, batches.to_vec());
    let mut scheduler = Scheduler::new(&plan, LIMITS);
    assert_eq!(ranks(&mut scheduler), [0, 4]);
    scheduler.on(seconds(1), finished(first(0)));
    assert_eq!(ranks(&mut scheduler), [1, 2], "both tests start, and not the other build");
    scheduler.on(seconds(2), finished(first(4)));
    scheduler.on(seconds(2), finished(first(1)));
    assert!(ranks(&mut scheduler).is_empty(), "one test still runs");
    assert_eq!(scheduler.waiting(), Some(Waiting::Lane { step: first(3), holder: first(2) }));
    scheduler.on(seconds(3), finished(first(2)));
    assert_eq!(ranks(&mut scheduler), [3]);
}

#[test]
fn the_reason_for_waiting_is_reported() {
    let plan = small(&[(Some("check"), &[]), (Some("check"), &[]), (None, &[1])], &[&[0], &[1], &[2], &[2]]);
    let mut scheduler = Scheduler::new(&plan, LIMITS);
    assert_eq!(scheduler.next(), Action::RequestToken);
    assert_eq!(scheduler.waiting(), Some(Waiting::Token { of: Some(3) }));
    scheduler.on(seconds(0), Event::Token);
    assert_eq!(ranks(&mut scheduler), [0]);
    assert_eq!(scheduler.waiting(), Some(Waiting::Lane { step: first(1), holder: first(0) }));
    scheduler.on(seconds(1), finished(first(0)));
    assert_eq!(ranks(&mut scheduler), [1]);
    assert_eq!(scheduler.waiting(), None, "the other steps need the running one");
    scheduler.on(seconds(2), finished(first(1)));
    assert_eq!(ranks(&mut scheduler), [2, 3]);
    scheduler.on(seconds(3), Event::Interrupt);
    assert_eq!(scheduler.waiting(), Some(Waiting::End), "nothing starts anymore");

    let plan = small(&[(None, &[])], &[&[0], &[0], &[0]]);
    let mut scheduler = Scheduler::new(&plan, Limits { parallel: 2, own_slot: true, ..LIMITS });
    assert_eq!(scheduler.next(), Action::Start(first(0), Slot::Own));
    assert_eq!(
        scheduler.waiting(),
        Some(Waiting::Token { of: None }),
        "the holders of the tokens are unknown"
    );
    assert_eq!(ranks(&mut scheduler), [1]);
    assert_eq!(scheduler.waiting(), None, "as many steps run as allowed");
}

#[test]
fn a_step_waits_for_all_tasks_of_the_tools_it_needs() {
    let plan = small(&[(None, &[]), (None, &[0])], &[&[0], &[0], &[1]]);
    let mut scheduler = scheduler(&plan, 3);
    assert_eq!(ranks(&mut scheduler), [0, 1]);
    scheduler.on(seconds(1), finished(first(1)));
    assert_eq!(ranks(&mut scheduler), [0; 0], "one of the two is not done");
    scheduler.on(seconds(1), finished(first(0)));
    assert_eq!(ranks(&mut scheduler), [2]);
}

#[test]
fn the_steps_of_a_batch_run_one_after_the_other() {
    let plan = small(&[(None, &[])], &[&[0, 0]]);
    let mut scheduler = scheduler(&plan, 3);
    assert_eq!(started(&mut scheduler), (vec![first(0)], Action::Wait(None)));
    scheduler.on(seconds(1), finished(first(0)));
    assert_eq!(started(&mut scheduler).0, [StepId { rank: 0, at: 1 }]);
    scheduler.on(seconds(2), finished(StepId { rank: 0, at: 1 }));
    assert_eq!(started(&mut scheduler), (vec![], Action::Done));
}

#[test]
fn the_step_is_chosen_when_the_token_arrives() {
    let plan = small(&[(Some("check"), &[]), (None, &[])], &[&[0], &[0], &[1]]);
    let mut scheduler = scheduler(&plan, 2);
    assert_eq!(scheduler.next(), Action::RequestToken);
    scheduler.on(seconds(0), Event::Token);
    assert_eq!(scheduler.next(), Action::Start(first(0), Slot::Pool));
    assert_eq!(scheduler.next(), Action::RequestToken, "for rank 2, because the lane of rank 1 is busy");
    scheduler.on(seconds(1), finished(first(0)));
    scheduler.on(seconds(1), Event::Token);
    assert_eq!(scheduler.next(), Action::Start(first(1), Slot::Pool));
}

#[test]
fn a_token_that_arrives_too_late_is_returned() {
    let plan = small(&[(None, &[])], &[&[0], &[0]]);
    let mut scheduler = Scheduler::new(&plan, Limits { parallel: 2, own_slot: true, ..LIMITS });
    assert_eq!(scheduler.next(), Action::Start(first(0), Slot::Own));
    assert_eq!(scheduler.next(), Action::RequestToken);
    scheduler.on(seconds(1), finished(first(0)));
    assert_eq!(scheduler.next(), Action::Start(first(1), Slot::Own), "our own slot is available immediately");
    scheduler.on(seconds(2), Event::Token);
    assert_eq!(scheduler.next(), Action::GiveBack);
    assert_eq!(scheduler.next(), Action::Wait(None));
}

#[test]
fn after_an_interrupt_nothing_starts_and_running_steps_finish() {
    let plan = small(&[(None, &[])], &[&[0], &[0]]);
    let mut scheduler = scheduler(&plan, 1);
    started(&mut scheduler);
    scheduler.on(seconds(1), Event::Interrupt);
    assert_eq!(scheduler.next(), Action::Wait(None));
    scheduler.on(seconds(2), finished(first(0)));
    assert_eq!(scheduler.next(), Action::Done);
}

#[test]
fn running_steps_are_stopped_once_when_the_time_has_elapsed() {
    let mut plan = small(&[(None, &[])], &[&[0], &[0]]);
    plan.policy.max_duration = Some(seconds(60));
    let mut scheduler = scheduler(&plan, 1);
    assert_eq!(started(&mut scheduler).1, Action::Wait(Some(seconds(60))));
    scheduler.on(seconds(60), Event::Tick);
    assert_eq!(scheduler.next(), Action::Stop(StopReason::MaxDuration));
    assert_eq!(scheduler.next(), Action::Wait(None));
    scheduler.on(seconds(61), finished(first(0)));
    assert_eq!(scheduler.next(), Action::Done);
}

#[test]
fn nothing_starts_if_the_time_has_elapsed_before_the_first_step() {
    let mut plan = small(&[(None, &[])], &[&[0]]);
    plan.policy.max_duration = Some(seconds(60));
    let mut scheduler = scheduler(&plan, 1);
    scheduler.on(seconds(61), Event::Tick);
    assert_eq!(scheduler.next(), Action::Stop(StopReason::MaxDuration));
    assert_eq!(scheduler.next(), Action::Done);
}

#[test]
fn under_fail_fast_nothing_starts_after_a_required_tool_fails() {
    for (fail_fast, required, continues) in [(true, true, false), (true, false, true), (false, true, true)] {
        let mut plan = small(&[(None, &[])], &[&[0], &[0], &[0]]);
        plan.graph.tools[0].required = required;
        let mut scheduler = Scheduler::new(&plan, Limits { parallel: 2, fail_fast, ..LIMITS });
        assert_eq!(ranks(&mut scheduler), [0, 1]);
        scheduler.on(seconds(1), Event::Finished { step: first(0), fails: true });
        assert_eq!(ranks(&mut scheduler), if continues { vec![2] } else { vec![] });
        assert_eq!(scheduler.has_failed_fast(), !continues);
        assert_ne!(scheduler.next(), Action::Done, "running steps may finish");
    }
}

#[test]
fn the_time_limit_of_the_run_also_stops_steps_after_a_failure() {
    let mut plan = small(&[(None, &[])], &[&[0], &[0], &[0]]);
    plan.policy.max_duration = Some(seconds(60));
    let mut scheduler = Scheduler::new(&plan, Limits { parallel: 2, fail_fast: true, ..LIMITS });
    started(&mut scheduler);
    scheduler.on(seconds(1), Event::Finished { step: first(0), fails: true });
    assert_eq!(scheduler.next(), Action::Wait(Some(seconds(60))));
    scheduler.on(seconds(60), Event::Tick);
    assert_eq!(scheduler.next(), Action::Stop(StopReason::MaxDuration));
}

#[test]
fn a_pool_is_refilled_before_a_request_and_after_a_long_one_while_no_client_runs() {
    let mut plan = small(&[(None, &[]), (None, &[])], &[&[0], &[1], &[1]]);
    plan.graph.tools[0].jobserver = true;
    let mut scheduler = scheduler(&plan, 2);
    started(&mut scheduler);
    scheduler.on(seconds(1), finished(first(1)));
    assert_eq!(scheduler.next(), Action::RequestToken, "tokens held by the client are not lost");
    assert_eq!(scheduler.next(), Action::Wait(None));
    scheduler.on(seconds(2), finished(first(0)));
    assert_eq!(scheduler.next(), Action::Wait(Some(seconds(2) + PATIENCE)), "a token may be on its way");
    scheduler.on(seconds(2) + PATIENCE, Event::Tick);
    assert_eq!(scheduler.next(), Action::Refill { held: 0 });
    assert_eq!(scheduler.next(), Action::Wait(Some(seconds(2) + 2 * PATIENCE)), "and again");

    let mut scheduler = Scheduler::new(&plan, Limits { parallel: 1, ..LIMITS });
    started(&mut scheduler);
    scheduler.on(seconds(1), finished(first(0)));
    assert_eq!(scheduler.next(), Action::Refill { held: 0 });
    assert_eq!(scheduler.next(), Action::RequestToken);
}

#[test]
fn a_process_for_several_tasks_may_take_up_to_four_times_as_long() {
    let policy = Policy { per_task_timeout: Some(seconds(60)), ..Policy::default() };
    for (tasks, minutes) in [(0, 1), (1, 1), (3, 3), (4, 4), (5, 4), (1_000_000, 4)] {
        assert_eq!(time_cap(policy.per_task_timeout, tasks), Some(seconds(60 * minutes)), "{tasks}");
    }
    assert_eq!(time_cap(None, 1), None);
}

/// Returns the steps that start, each with whether it is away, while the pool answers nothing.
fn leaving(scheduler: &mut Scheduler<'_>) -> Vec<(u32, bool)> {
    let mut steps = Vec::new();
    loop {
        match scheduler.next() {
            Action::Start(step, slot) => steps.push((step.rank, slot == Slot::Away)),
            Action::RequestToken | Action::Refill { .. } => {}
            _ => return steps,
        }
    }
}

#[test]
fn steps_that_may_leave_take_no_slot_of_this_machine() {
    let plan = small(&[(None, &[]), (None, &[])], &[&[0], &[1], &[1], &[1], &[0]]);
    let limits = Limits { parallel: 1, away: 2, own_slot: true, ..LIMITS };
    let mut scheduler = Scheduler::new(&plan, limits);
    scheduler.send([1, 2, 3].map(first).into());
    assert_eq!(leaving(&mut scheduler), [(1, true), (2, true), (0, false)]);
    scheduler.on(seconds(1), finished(first(0)));
    assert_eq!(leaving(&mut scheduler), [(3, false)], "the workers are busy, so this machine goes on");
    scheduler.on(seconds(2), finished(first(1)));
    scheduler.on(seconds(2), finished(first(2)));
    assert_eq!(leaving(&mut scheduler), []);
    scheduler.on(seconds(3), finished(first(3)));
    assert_eq!(leaving(&mut scheduler), [(4, false)]);
    scheduler.on(seconds(4), finished(first(4)));
    assert_eq!(scheduler.next(), Action::Done);
}

#[test]
fn a_step_that_comes_back_starts_once_more_and_only_here() {
    let plan = small(&[(Some("own"), &[]), (None, &[0])], &[&[0], &[1]]);
    let limits = Limits { parallel: 1, away: 2, own_slot: true, ..LIMITS };
    let mut scheduler = Scheduler::new(&plan, limits);
    scheduler.send([0, 1].map(first).into());
    assert_eq!(leaving(&mut scheduler), [(0, true)], "the other one needs it");
    assert_ne!(scheduler.next(), Action::Done);
    scheduler.on(seconds(1), Event::CameBack(first(0)));
    assert_eq!(leaving(&mut scheduler), [(0, false)]);
    scheduler.on(seconds(2), Event::WorkersGone);
    scheduler.on(seconds(2), finished(first(0)));
    assert_eq!(leaving(&mut scheduler), [(1, false)], "nothing is sent any more");
    scheduler.on(seconds(3), finished(first(1)));
    assert_eq!(scheduler.next(), Action::Done);
}

#[test]
fn a_run_that_ends_starts_nothing_that_came_back() {
    let plan = small(&[(None, &[])], &[&[0], &[0]]);
    let mut scheduler = Scheduler::new(&plan, Limits { parallel: 1, away: 1, own_slot: false, ..LIMITS });
    scheduler.send([first(0)].into());
    assert_eq!(leaving(&mut scheduler), [(0, true)]);
    scheduler.on(seconds(1), Event::Interrupt);
    assert!(matches!(scheduler.next(), Action::Wait(_)), "it is still away");
    scheduler.on(seconds(2), Event::CameBack(first(0)));
    assert_eq!(scheduler.next(), Action::Done);
}
