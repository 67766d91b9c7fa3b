//! Runs the scheduler in virtual time against random worlds with plans, pools, durations, failures, timeouts,
//! clients that die with tokens, and interrupts.
//!
//! Knows nothing about the scheduler except its events and actions. It computes the ready steps from the plan, in
//! the slow way, and compares after each action. All randomness comes from a seed, which is printed if a test
//! fails.

mod figures;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use self::world::{FOREVER, GRACE, Rng, World};
use super::*;
use crate::model::testing::is_full;

/// Returns the number of random worlds.
fn seeds() -> u64 {
    if is_full() { 10_000 } else { 2_000 }
}

/// Start and end of a step.
#[derive(Clone, Copy, Debug)]
struct StepTimes {
    step: StepId,
    start: Duration,
    end: Duration,
}

/// A run in a world.
struct Simulation<'a> {
    world: &'a World,
    /// Source of latencies and of failures of clients.
    rng: Rng,
    scheduler: Scheduler<'a>,
    now: Duration,
    /// Number of tokens in the pool. `lost` counts those that died with a client.
    free: usize,
    lost: usize,
    request: PoolRequest,
    is_own_slot_free: bool,
    running: BTreeMap<StepId, Running>,
    /// For each batch, the number of finished steps and whether one is running.
    batches: Vec<(u32, bool)>,
    /// Number of unfinished steps of each tool.
    unfinished: Vec<usize>,
    /// For each batch, how often another one started while it was ready.
    passed_over: Vec<usize>,
    /// True if steps may start, judging from the events passed to the scheduler.
    may_start: bool,
    is_interrupted: bool,
    times: Vec<StepTimes>,
}

struct Running {
    end: Duration,
    slot: Slot,
    /// Tokens taken by the client in addition to its own.
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PoolRequest {
    None,
    Open,
    /// Taken from the pool, and arrives at this time.
    Coming(Duration),
    Granted,
}

/// Runs `world` to its end and returns its steps in the order of their starts.
fn simulate(world: &World) -> Vec<StepTimes> {
    let plan = &world.plan;
    let mut unfinished = vec![0; plan.graph.tools.len()];
    plan.steps().for_each(|step| unfinished[plan.step(step).tool.0 as usize] += 1);
    let mut simulation = Simulation {
        world,
        rng: Rng(!world.seed),
        scheduler: Scheduler::new(plan, world.limits),
        now: Duration::ZERO,
        free: world.tokens,
        lost: 0,
        request: PoolRequest::None,
        is_own_slot_free: world.limits.own_slot,
        running: BTreeMap::new(),
        batches: vec![(0, false); plan.batches.len()],
        unfinished,
        passed_over: vec![0; plan.batches.len()],
        may_start: true,
        is_interrupted: false,
        times: Vec::new(),
    };
    simulation.scheduler.on(Duration::ZERO, Event::Tick);
    while let Action::Wait(until) = simulation.act() {
        simulation.pass(until);
    }
    simulation.check_end();
    simulation.times
}

impl Simulation<'_> {
    /// Carries out actions until the scheduler waits or is done.
    fn act(&mut self) -> Action {
        for _ in 0..1000 {
            match self.scheduler.next() {
                Action::Start(step, slot) => self.start(step, slot),
                Action::RequestToken => {
                    assert_eq!(self.request, PoolRequest::None, "one request at a time");
                    self.request = PoolRequest::Open;
                }
                Action::GiveBack => {
                    assert_eq!(
                        self.request,
                        PoolRequest::Granted,
                        "only a token that has arrived can be returned"
                    );
                    self.request = PoolRequest::None;
                    self.free += 1;
                }
                Action::Refill { held } => self.refill(held),
                Action::Stop(reason) => {
                    assert_eq!(reason, StopReason::MaxDuration);
                    assert!(self.world.plan.policy.max_duration.is_some_and(|cap| self.now >= cap));
                    self.end_all();
                }
                action @ Action::Wait(until) => {
                    self.check_wait(until);
                    assert!(until.is_none_or(|until| until > self.now), "it waits for a time in the past");
                    return action;
                }
                Action::Done => return Action::Done,
            }
        }
        panic!("it never waits");
    }

    /// Advances the time to the next event, at most to `until`.
    fn pass(&mut self, until: Option<Duration>) {
        if self.request == PoolRequest::Open && self.free > 0 {
            self.free -= 1;
            self.request = PoolRequest::Coming(self.now + self.world.latency(&mut self.rng));
        }
        let coming = if let PoolRequest::Coming(at) = self.request { Some(at) } else { None };
        let interrupt = self.world.interrupt.filter(|_| !self.is_interrupted);
        let next_end = self.running.iter().map(|(step, running)| (running.end, *step)).min();
        let times = [until, coming, interrupt, next_end.map(|(end, _)| end)];
        let at = times.into_iter().flatten().min().unwrap_or(FOREVER);
        assert!(at < FOREVER, "nothing will ever happen");
        if self.world.has_faults && self.rng.chance(10) {
            self.now += (at - self.now) / 2;
            return self.scheduler.on(self.now, Event::Tick);
        }
        self.now = at;
        let event = match next_end {
            _ if interrupt == Some(at) => {
                self.is_interrupted = true;
                self.end_all();
                Event::Interrupt
            }
            _ if coming == Some(at) => {
                self.request = PoolRequest::Granted;
                Event::Token
            }
            Some((end, step)) if end == at => self.finish(step),
            _ => Event::Tick,
        };
        self.scheduler.on(self.now, event);
    }

    fn start(&mut self, step: StepId, slot: Slot) {
        assert!(self.may_start, "nothing starts after the end");
        assert!(self.world.plan.policy.max_duration.is_none_or(|cap| self.now < cap));
        let ready: Vec<_> = self.ready().collect();
        assert_eq!(ready.first(), Some(&step), "the lowest rank that is ready starts");
        for other in &ready[1..] {
            self.passed_over[other.rank as usize] += 1;
        }
        let bound = self.world.bounds[step.rank as usize];
        assert!(self.passed_over[step.rank as usize] <= bound, "{step:?} was passed over too often");
        match slot {
            Slot::Own => assert!(std::mem::take(&mut self.is_own_slot_free)),
            Slot::Pool => {
                assert_eq!(self.request, PoolRequest::Granted, "no step without a token");
                self.request = PoolRequest::None;
            }
            Slot::Away => unreachable!("there are no workers"),
        }
        let takes_more = self.world.has_faults && self.is_client(step);
        let taken = if takes_more { self.rng.below(self.free as u64 + 1) as usize } else { 0 };
        self.free -= taken;
        let end = self.now + self.world.duration(step);
        self.running.insert(step, Running { end, slot, taken });
        assert!(self.running.len() <= self.world.limits.parallel);
        self.batches[step.rank as usize].1 = true;
        self.times.push(StepTimes { step, start: self.now, end });
    }

    fn finish(&mut self, step: StepId) -> Event {
        let Running { end, slot, taken } = self.running.remove(&step).unwrap();
        match slot {
            Slot::Own => self.is_own_slot_free = true,
            Slot::Pool => self.free += 1,
            Slot::Away => unreachable!("there are no workers"),
        }
        self.free += taken;
        if self.world.has_faults && self.is_client(step) {
            // The client may die with its tokens, and processes it leaves behind may take all others.
            let died = [0, 0, 0, 0, 0, 0, 0, taken, taken, self.free][self.rng.below(10) as usize];
            self.free -= died;
            self.lost += died;
        }
        if let Some(times) = self.times.iter_mut().rev().find(|times| times.step == step) {
            times.end = end;
        }
        let batch = &mut self.batches[step.rank as usize];
        *batch = (batch.0 + 1, false);
        let tool = self.world.plan.step(step).tool;
        self.unfinished[tool.0 as usize] -= 1;
        let fails = self.world.has_faults && self.rng.chance(5);
        let is_required = self.world.plan.graph.tool(tool).required;
        self.may_start &= !(self.world.limits.fail_fast && fails && is_required);
        Event::Finished { step, fails }
    }

    /// Asks running steps to stop, which takes some time.
    fn end_all(&mut self) {
        self.may_start = false;
        for running in self.running.values_mut() {
            running.end = running.end.min(self.now + self.rng.up_to(GRACE));
        }
    }

    fn refill(&mut self, held: usize) {
        assert!(
            !self.running.keys().any(|step| self.is_client(*step)),
            "a client holds tokens that are not lost"
        );
        // An inherited pool is never refilled.
        if !self.world.limits.own_slot {
            assert_eq!(held, self.running.len());
            assert!(
                matches!(self.request, PoolRequest::None | PoolRequest::Open),
                "a token on its way is not lost"
            );
            let missing = self.world.tokens - held - self.free;
            assert_eq!(missing, std::mem::take(&mut self.lost));
            self.free += missing;
        }
    }

    /// Returns the steps that are ready according to the plan and the finished steps, lowest rank first.
    fn ready(&self) -> impl Iterator<Item = StepId> {
        self.startable().filter(|step| self.holder(*step).is_none())
    }

    /// Returns a running step in the lane of `step`, or one that needs other programs in the same directory.
    fn holder(&self, step: StepId) -> Option<StepId> {
        let (lane, claim) = (self.world.lane(step), self.world.claim(step));
        let differ = |other: DirClaim| claim.is_some_and(|own| own.dir == other.dir && own.of != other.of);
        let holds = |other: &StepId| {
            lane.is_some() && self.world.lane(*other) == lane || self.world.claim(*other).is_some_and(differ)
        };
        self.running.keys().copied().find(holds)
    }

    /// Returns the steps that are ready except for lanes and directories.
    fn startable(&self) -> impl Iterator<Item = StepId> {
        let plan = &self.world.plan;
        let next = (0..).zip(&self.batches).filter(|(_, (_, runs))| !runs);
        let next = next.map(|(rank, &(at, _))| StepId { rank, at });
        next.filter(move |step| {
            let Some(planned) = plan.batches[step.rank as usize].steps.get(step.at as usize) else {
                return false;
            };
            let is_done = |need: &ToolId| self.unfinished[need.0 as usize] == 0;
            plan.graph.needs[planned.tool.0 as usize].iter().all(is_done)
        })
    }

    fn is_client(&self, step: StepId) -> bool {
        self.world.plan.graph.tool(self.world.plan.step(step).tool).jobserver
    }

    /// Checks that nothing waits without need.
    fn check_wait(&self, until: Option<Duration>) {
        assert_ne!(self.request, PoolRequest::Granted, "a token is used or returned");
        if self.may_start && self.running.len() < self.world.limits.parallel && self.ready().next().is_some()
        {
            assert!(!self.is_own_slot_free, "our own slot is available immediately");
            assert_ne!(self.request, PoolRequest::None, "a ready step needs a token");
        }
        let are_clients_gone = !self.running.keys().any(|step| self.is_client(*step));
        if self.request == PoolRequest::Open && self.free == 0 && are_clients_gone {
            assert!(until.is_some_and(|until| until <= self.now + PATIENCE), "the tokens may be lost");
        }
        assert_eq!(self.scheduler.waiting(), self.waiting(), "the reported reason for waiting");
    }

    fn waiting(&self) -> Option<Waiting> {
        let World { limits, .. } = self.world;
        if !self.may_start {
            return (!self.running.is_empty()).then_some(Waiting::End);
        }
        let step = self.startable().next().filter(|_| self.running.len() < limits.parallel)?;
        Some(match self.holder(step) {
            Some(holder) if self.ready().next().is_none() => Waiting::Lane { step, holder },
            _ => Waiting::Token { of: (!limits.own_slot).then_some(self.world.tokens) },
        })
    }

    fn check_end(&self) {
        let World { plan, limits, .. } = self.world;
        assert!(self.running.is_empty());
        assert!(!self.may_start || self.times.len() == plan.steps().count(), "every step ran, once");
        let on_its_way = usize::from(matches!(self.request, PoolRequest::Coming(_)));
        assert_eq!(self.free + self.lost + on_its_way, self.world.tokens, "every token was returned");
        for end in [plan.policy.max_duration, self.world.interrupt].into_iter().flatten() {
            assert!(self.now <= end + GRACE, "it ended long after its deadline");
        }
        if limits.parallel == 1 && self.world.is_sorted {
            let steps = self.times.iter().map(|times| times.step);
            assert!(steps.eq(plan.steps().take(self.times.len())), "the starts follow the ranks");
        }
    }
}

#[test]
fn every_run_ends_and_starts_the_lowest_ready_rank_with_a_token() {
    let (mut starts, mut cut_short) = (0, 0);
    let seeds = seeds();
    for seed in 0..seeds {
        let world = World::with_faults(seed);
        let times = on_seed(seed, || simulate(&world));
        starts += times.len();
        cut_short += u64::from(times.len() < world.plan.steps().count());
    }
    // The test would show nothing if the worlds had no events.
    let is_sample = starts as u64 > 10 * seeds && (seeds / 10..seeds / 10 * 9).contains(&cut_short);
    assert!(is_sample, "{starts} {cut_short}");
}

/// Prints the seed if `run` panics.
fn on_seed<T>(seed: u64, run: impl FnOnce() -> T) -> T {
    struct PrintSeed(u64);
    impl Drop for PrintSeed {
        #[expect(clippy::print_stderr, reason = "a failure must name its seed")]
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("seed {}", self.0);
            }
        }
    }
    let _print_seed = PrintSeed(seed);
    run()
}
