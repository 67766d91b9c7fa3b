//! Random worlds for the simulation: a plan, a pool, durations, and failures.

use std::num::NonZeroU32;
use std::time::Duration;

use super::super::tests::{plan, tool};
use super::super::{DirClaim, Layout, Limits, claim_of, time_cap};
use crate::model::task::{Plan, StepId};
use crate::model::tool::{Arg, Counted, Environment, Parse, Piece, Tool, ToolId};

/// Duration longer than any run.
pub(super) const FOREVER: Duration = Duration::from_secs(1 << 30);
/// Maximum time between a request to stop and the end of a step.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// SplitMix64 random number generator.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number from 0 up to, but not including, `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn up_to(&mut self, max: Duration) -> Duration {
        Duration::from_millis(self.below(max.as_millis() as u64 + 1))
    }
}

/// A plan and everything that determines its run.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) plan: Plan,
    pub(super) limits: Limits,
    /// Number of tokens in the pool.
    pub(super) tokens: usize,
    /// For each batch and step, the duration of each task, or [`FOREVER`] if it hangs.
    pub(super) work: Vec<Vec<Vec<Duration>>>,
    pub(super) interrupt: Option<Duration>,
    /// True if failures and delays occur.
    pub(super) has_faults: bool,
    /// For each batch, how often it may be passed over while it is ready.
    pub(super) bounds: Vec<usize>,
    /// True if every need has a lower rank than the step that needs it.
    pub(super) is_sorted: bool,
}

impl World {
    /// Creates a world in which nothing fails and tokens arrive immediately.
    pub(super) fn calm(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let parallel = 2 + rng.below(15) as usize;
        let tools = random_tools(&mut rng);
        let by_turns = rng.chance(70);
        let batches = if by_turns { random_turns(&mut rng, &tools) } else { by_path(&mut rng, &tools) };
        let work = batches
            .iter()
            .map(|(_, steps)| steps.iter().map(|(_, tasks)| random_work(&mut rng, *tasks)).collect());
        Self::new(seed, parallel, work.collect(), tools, batches, by_turns)
    }

    /// Creates a world in which anything may fail.
    pub(super) fn with_faults(seed: u64) -> Self {
        let mut world = Self::calm(seed);
        let mut rng = Rng(seed.wrapping_mul(3) ^ 0x5eed);
        world.has_faults = true;
        world.limits.fail_fast = rng.chance(30);
        world.limits.layout = [Layout::Lanes, Layout::One, Layout::Shared][rng.below(3) as usize];
        if rng.chance(30) {
            world.limits.parallel = 1;
        }
        // An inherited pool has a random number of tokens, our own as many as may run.
        world.limits.own_slot = rng.chance(40);
        world.tokens = match world.limits.own_slot {
            true => rng.below(world.limits.parallel as u64 + 1) as usize,
            false => world.limits.parallel,
        };
        let some_time = |rng: &mut Rng, percent, seconds| {
            rng.chance(percent).then(|| rng.up_to(Duration::from_secs(seconds)) + Duration::from_millis(1))
        };
        let policy = &mut world.plan.policy;
        policy.per_task_timeout = some_time(&mut rng, 40, 10);
        policy.max_duration = some_time(&mut rng, 25, 60);
        world.interrupt = some_time(&mut rng, 20, 60);
        if policy.per_task_timeout.is_some() || policy.max_duration.is_some() || world.interrupt.is_some() {
            for task in world.work.iter_mut().flatten().flatten().filter(|_| rng.chance(3)) {
                *task = FOREVER;
            }
        }
        world
    }

    /// Creates a world with the given tools and batches and a pool of our own.
    pub(super) fn new(
        seed: u64,
        parallel: usize,
        work: Vec<Vec<Vec<Duration>>>,
        tools: Tools,
        batches: Batches,
        by_turns: bool,
    ) -> Self {
        let plan = plan(tools, batches);
        Self {
            seed,
            limits: Limits { parallel, away: 0, own_slot: false, fail_fast: false, layout: Layout::Lanes },
            tokens: parallel,
            work,
            interrupt: None,
            has_faults: false,
            bounds: bounds(&plan, by_turns),
            is_sorted: is_sorted(&plan),
            plan,
        }
    }

    /// Returns the lane of `step`.
    pub(super) fn lane(&self, step: StepId) -> Option<&str> {
        let lane = self.plan.graph.tool(self.plan.step(step).tool).lane.as_deref();
        let is_cargo_lane = matches!(lane, Some("check" | "build"));
        if is_cargo_lane && self.limits.layout != Layout::Lanes { Some("the one") } else { lane }
    }

    /// Returns the use of a build directory by `step`.
    pub(super) fn claim(&self, step: StepId) -> Option<DirClaim> {
        claim_of(&self.plan.graph, self.plan.step(step).tool, self.limits.layout)
    }

    /// Returns the duration of `step` if nothing stops it. If it exceeds its time limit, its tasks run again one
    /// by one.
    pub(super) fn duration(&self, step: StepId) -> Duration {
        let tasks = &self.work[step.rank as usize][step.at as usize];
        let policy = &self.plan.policy;
        let whole = tasks.iter().sum::<Duration>();
        match (time_cap(policy.per_task_timeout, tasks.len()), time_cap(policy.per_task_timeout, 1)) {
            (Some(cap), Some(each)) if whole > cap => {
                let alone = tasks.iter().map(|task| if *task > each { each + GRACE } else { *task });
                let repeated = if tasks.len() > 1 { alone.sum() } else { Duration::ZERO };
                cap + GRACE + repeated
            }
            _ => whole.min(FOREVER),
        }
    }

    /// Returns a random delay for the arrival of a token.
    pub(super) fn latency(&self, rng: &mut Rng) -> Duration {
        let max = match (self.has_faults, self.limits.own_slot) {
            (false, _) => 0,
            (true, false) => 5,
            // Other processes use the pool too.
            (true, true) => 10_000,
        };
        rng.up_to(Duration::from_millis(max))
    }
}

/// Tools, each with the tools it needs.
pub(super) type Tools = Vec<(Tool, Vec<ToolId>)>;
/// Batches: the class, and for each step the tool and the number of tasks.
pub(super) type Batches = Vec<(u32, Vec<(ToolId, u32)>)>;

fn random_work(rng: &mut Rng, tasks: u32) -> Vec<Duration> {
    let task = |_| Duration::from_millis((50 + rng.below(2000)) * if rng.chance(5) { 20 } else { 1 });
    (0..tasks).map(task).collect()
}

fn random_tools(rng: &mut Rng) -> Tools {
    let mut tools = Tools::new();
    for at in 0..1 + rng.below(6) as u32 {
        let mut tool =
            tool([None, None, None, Some("check"), Some("build"), Some("own")][rng.below(6) as usize]);
        tool.weight = NonZeroU32::MIN.saturating_add(rng.below(3) as u32);
        tool.jobserver = tool.lane.is_some() || rng.chance(20);
        tool.required = rng.chance(80);
        tool.parse = if rng.chance(20) { Parse::CargoBuild } else { tool.parse };
        tool.configured = true;
        tool.environment = if rng.chance(30) { Environment::Inherit(Counted::All) } else { tool.environment };
        if rng.chance(20) {
            tool.run = vec![Arg::Text(vec![Piece::Executable])];
        }
        tools.push((tool, (0..at).filter(|_| rng.chance(12)).map(ToolId).collect()));
    }
    tools
}

/// Creates a batch for each package with steps of some tools, in the order of needs.
fn by_path(rng: &mut Rng, tools: &Tools) -> Batches {
    let packages = 1 + rng.below(12);
    let batch = |_| {
        let used = (0..tools.len() as u32).filter(|_| rng.chance(70)).collect::<Vec<_>>();
        (0, used.into_iter().map(|tool| (ToolId(tool), 1 + rng.below(5) as u32)).collect())
    };
    (0..packages).map(batch).filter(|(_, steps): &(u32, Vec<_>)| !steps.is_empty()).collect()
}

fn random_turns(rng: &mut Rng, tools: &Tools) -> Batches {
    let classes = 1 + rng.below(3) as u32;
    let mut counts = vec![vec![0; tools.len()]; classes as usize];
    for (class, counts) in (0..).zip(&mut counts) {
        for ((_, needs), count) in tools.iter().zip(counts) {
            // Tools with needs come in the last class, after the tools they need.
            if needs.is_empty() || class == classes - 1 {
                *count = rng.below(8) as usize;
            }
        }
    }
    let turns = turns(tools, counts);
    turns.into_iter().map(|(class, tool)| (class, vec![(tool, 1 + rng.below(5) as u32)])).collect()
}

/// Ranks batches as `plan::batch` does: tools take turns, with their weight as the number of turns per round, and
/// a tool skips its turn until all batches of the tools it needs are placed. `counts` has the number of batches of
/// each tool in each class.
pub(super) fn turns(tools: &Tools, mut counts: Vec<Vec<usize>>) -> Vec<(u32, ToolId)> {
    let mut ranked = Vec::new();
    for class in 0..counts.len() {
        while counts[class].iter().any(|count| *count > 0) {
            for (at, (tool, needs)) in tools.iter().enumerate() {
                for _ in 0..tool.weight.get() {
                    let is_placed =
                        |need: &ToolId| counts[class..].iter().all(|counts| counts[need.0 as usize] == 0);
                    if counts[class][at] > 0 && needs.iter().all(is_placed) {
                        counts[class][at] -= 1;
                        ranked.push((class as u32, ToolId(at as u32)));
                    }
                }
            }
        }
    }
    ranked
}

/// Returns a bound for each batch on the starts of other steps while it is ready: the number of steps with lower
/// rank and, if the tools took turns, the batches that may be placed before it.
fn bounds(plan: &Plan, by_turns: bool) -> Vec<usize> {
    let batches = &plan.batches;
    let weight = |tool: ToolId| plan.graph.tool(tool).weight.get() as usize;
    let bound = |rank: usize| {
        let lower = batches[..rank].iter().map(|batch| batch.steps.len()).sum();
        let tool = batches[rank].steps[0].tool;
        if !by_turns || !plan.graph.needs[tool.0 as usize].is_empty() {
            return lower;
        }
        let class = batches[rank].class;
        let start = batches.partition_point(|batch| batch.class < class);
        let k = batches[start..=rank].iter().filter(|batch| batch.steps[0].tool == tool).count();
        let others = (0..plan.graph.tools.len() as u32).map(ToolId).filter(|other| *other != tool);
        start + k - 1 + others.map(|other| weight(other) * k.div_ceil(weight(tool))).sum::<usize>()
    };
    (0..batches.len()).map(bound).collect()
}

fn is_sorted(plan: &Plan) -> bool {
    let steps: Vec<_> = plan.steps().map(|step| plan.step(step).tool).collect();
    steps.iter().enumerate().all(|(at, tool)| {
        let needs = &plan.graph.needs[tool.0 as usize];
        !steps[at..].iter().any(|later| needs.contains(later))
    })
}
