//! Compares how long simulated runs take, and how long tools wait, with theoretical bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{Batches, Rng, Tools, World, turns};
use super::{StepTimes, on_seed, seeds, simulate};
use crate::model::testing::is_full;
use crate::model::tool::ToolId;
use crate::scan::scheduler::tests::tool;

/// Sample of values with summary statistics.
#[derive(Clone, Default)]
struct Spread(Vec<f64>);

impl Spread {
    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    fn max(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    /// Returns the percentage of values that are at most `limit`.
    fn percent_within(&self, limit: f64) -> f64 {
        100.0 * self.0.iter().filter(|value| **value <= limit).count() as f64 / self.0.len() as f64
    }
}

fn makespan(times: &[StepTimes]) -> f64 {
    times.iter().map(|times| times.end).max().unwrap_or_default().as_secs_f64()
}

fn work(world: &World) -> f64 {
    world.plan.steps().map(|step| world.duration(step)).sum::<Duration>().as_secs_f64()
}

/// Returns the length of the longest chain through batches, needs and lanes.
fn longest_chain(world: &World, times: &[StepTimes]) -> f64 {
    let plan = &world.plan;
    let mut batches = vec![Duration::ZERO; plan.batches.len()];
    let mut tools = vec![Duration::ZERO; plan.graph.tools.len()];
    let mut lanes: BTreeMap<&str, Duration> = BTreeMap::new();
    for step in times.iter().map(|times| times.step) {
        let id = plan.step(step).tool.0 as usize;
        let lane = plan.graph.tools[id].lane.as_deref();
        let needs = plan.graph.needs[id].iter().map(|need| tools[need.0 as usize]);
        let before = [batches[step.rank as usize]]
            .into_iter()
            .chain(needs)
            .chain(lane.and_then(|lane| lanes.get(lane).copied()));
        let end = before.max().unwrap_or_default() + world.duration(step);
        batches[step.rank as usize] = end;
        tools[id] = tools[id].max(end);
        lane.map(|lane| lanes.insert(lane, end));
    }
    tools.into_iter().max().unwrap_or_default().as_secs_f64()
}

/// Returns Graham's bound for list scheduling, `W/m + (1 - 1/m) * C`. A lane links its steps in the order in which
/// they started.
fn list_bound(world: &World, times: &[StepTimes]) -> f64 {
    let slots = world.limits.parallel as f64;
    work(world) / slots + (1.0 - 1.0 / slots) * longest_chain(world, times)
}

/// Returns a lower bound for all schedules: all slots busy to the end, the steps of a lane or batch one after
/// another, or each tool after the tools it needs, on all slots or, in a lane, on one.
fn lower_bound(world: &World) -> f64 {
    let plan = &world.plan;
    let slots = world.limits.parallel as f64;
    let mut lanes: BTreeMap<&str, f64> = BTreeMap::new();
    let mut batches = vec![0.0; plan.batches.len()];
    let mut totals = vec![(0.0, 0.0_f64); plan.graph.tools.len()];
    for step in plan.steps() {
        let id = plan.step(step).tool.0 as usize;
        let duration = world.duration(step).as_secs_f64();
        totals[id] = (totals[id].0 + duration, totals[id].1.max(duration));
        batches[step.rank as usize] += duration;
        if let Some(lane) = plan.graph.tools[id].lane.as_deref() {
            *lanes.entry(lane).or_default() += duration;
        }
    }
    let mut ends: Vec<f64> = Vec::new();
    for (at, (total, longest)) in totals.into_iter().enumerate() {
        let is_alone = plan.graph.tools[at].lane.is_some();
        let start = plan.graph.needs[at].iter().map(|need| ends[need.0 as usize]).fold(0.0, f64::max);
        let end = start + if is_alone { total } else { longest.max(total / slots) };
        // A tool without steps waits for nothing.
        ends.push(if total > 0.0 { end } else { 0.0 });
    }
    let parts = ends.into_iter().chain(lanes.into_values()).chain(batches);
    parts.fold(work(world) / slots, f64::max)
}

/// Returns whether a step may have to wait until nothing uses the programs of another tool. The bound of list scheduling
/// ignores such waits.
fn shares_programs(world: &World) -> bool {
    world.plan.graph.tools.iter().filter(|tool| tool.inherits() || tool.uses_executable()).count() > 1
}

#[test]
fn no_run_exceeds_the_bound_of_list_scheduling() {
    let mut spreads = vec![<[Spread; 2]>::default(); 17];
    for seed in 0..seeds() {
        let world = World::calm(seed);
        let times = on_seed(seed, || simulate(&world));
        if !times.is_empty() {
            let makespan = makespan(&times);
            let [bound, lower] = [list_bound(&world, &times), lower_bound(&world)];
            let is_bounded = makespan <= bound + 1e-6 || shares_programs(&world);
            assert!(is_bounded, "seed {seed}: {makespan} > {bound}");
            assert!(makespan >= lower - 1e-6, "seed {seed}: {makespan} < {lower}");
            let [to_bound, to_lower] = &mut spreads[world.limits.parallel];
            to_bound.0.push(makespan / bound);
            to_lower.0.push(makespan / lower);
        }
    }
    let row = |(slots, [bound, lower]): (usize, &[Spread; 2])| {
        let within = lower.percent_within(1.1);
        format!(
            "{slots:5} {:12.3} {:6.3} {:12.3} {:6.3} {within:6.1} %",
            bound.mean(),
            bound.max(),
            lower.mean(),
            lower.max()
        )
    };
    print(
        &format!("{} random plans: makespan", seeds()),
        "slots relative to the bound (mean, max) and to the lower bound (mean, max, up to 1.1)",
        spreads.iter().enumerate().skip(2).map(row),
    );
}

/// Creates a world with six tools and 240 tasks: two cargo tools in one lane, and four tools that run per file.
fn six_tools(seed: u64, slots: usize, is_fair: bool) -> World {
    let mut rng = Rng(seed);
    // Lane, number of tasks, and minimum and maximum duration in seconds.
    let mut kinds = [
        (Some("check"), 1, 60.0, 120.0),
        (Some("check"), 1, 40.0, 80.0),
        (None, 80, 0.3, 1.0),
        (None, 80, 0.5, 2.0),
        (None, 40, 1.0, 6.0),
        (None, 38, 2.0, 10.0),
    ];
    for at in (1..kinds.len()).rev() {
        kinds.swap(at, rng.below(at as u64 + 1) as usize);
    }
    let mut durations: Vec<Vec<Duration>> = kinds
        .iter()
        .map(|&(_, tasks, least, most)| {
            let unit = |rng: &mut Rng| rng.below(1 << 20) as f64 / f64::from(1 << 20);
            (0..tasks).map(|_| Duration::from_secs_f64(least + (most - least) * unit(&mut rng))).collect()
        })
        .collect();
    let tools: Tools = kinds.iter().map(|(lane, ..)| (tool(*lane), Vec::new())).collect();
    let counts: Vec<_> = kinds.iter().map(|&(_, tasks, ..)| tasks).collect();
    let order: Vec<ToolId> = match is_fair {
        true => turns(&tools, vec![counts]).into_iter().map(|(_, tool)| tool).collect(),
        false => (0..).zip(counts).flat_map(|(tool, count)| vec![ToolId(tool); count]).collect(),
    };
    let work = order.iter().map(|tool| vec![vec![durations[tool.0 as usize].pop().unwrap()]]).collect();
    let batches: Batches = order.into_iter().map(|tool| (0, vec![(tool, 1)])).collect();
    World::new(seed, slots, work, tools, batches, is_fair)
}

/// Returns the latest first start among the tools that wait only for tokens.
fn longest_first_wait(world: &World, times: &[StepTimes]) -> f64 {
    let first = |(id, _): (ToolId, _)| times.iter().find(|times| world.plan.step(times.step).tool == id);
    let tools = world.plan.graph.tools().filter(|(_, tool)| tool.lane.is_none());
    tools.filter_map(first).map(|times| times.start).max().unwrap_or_default().as_secs_f64()
}

#[test]
fn taking_turns_lets_no_tool_wait_for_all_of_another_and_keeps_the_run_short() {
    let seeds = if is_full() { 200 } else { 4 };
    let mut rows = Vec::new();
    for slots in 2..=16 {
        let mut spreads = <[[Spread; 2]; 2]>::default();
        for (is_fair, [length, wait]) in [true, false].into_iter().zip(&mut spreads) {
            for seed in 0..seeds {
                let world = six_tools(seed, slots, is_fair);
                let times = on_seed(seed, || simulate(&world));
                length.0.push(makespan(&times) / lower_bound(&world));
                wait.0.push(longest_first_wait(&world, &times));
            }
        }
        let [[length, wait], [fifo_length, fifo_wait]] = spreads;
        assert!(length.max() <= 1.1, "{slots} slots: {}", length.max());
        assert!(wait.max() <= fifo_wait.mean() / 10.0, "{slots} slots: {}", wait.max());
        rows.push(format!(
            "{slots:5} {:6.3} {:6.3} {:6.1} {:6.1}     {:6.3} {:6.3} {:6.1} {:6.1}",
            length.mean(),
            length.max(),
            wait.mean(),
            wait.max(),
            fifo_length.mean(),
            fifo_length.max(),
            fifo_wait.mean(),
            fifo_wait.max()
        ));
    }
    print(
        "six tools, 240 tasks: makespan relative to the lower bound (mean, max) and longest first wait in seconds (mean, max)",
        "slots taking turns                      one tool after another",
        rows.into_iter(),
    );
}

#[expect(clippy::print_stdout, reason = "`cargo test -- --nocapture` shows the figures")]
fn print(title: &str, head: &str, rows: impl Iterator<Item = String>) {
    let rows: Vec<_> = rows.collect();
    println!("{title}\n{head}\n{}\n", rows.join("\n"));
}
