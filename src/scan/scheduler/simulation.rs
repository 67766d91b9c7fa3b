//! The scheduler in virtual time, against random worlds: plans, pools, durations, failures, time-outs, clients
//! that die with tokens, interrupts.
//!
//! Knows no more of the scheduler than its events and actions. What is ready it works out for itself from the
//! plan, the slow way, and after each action it compares. A number, the seed, is all of the randomness: a failure
//! names it.

mod figures;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use self::world::{FOREVER, GRACE, Rng, World};
use super::*;

const SEEDS: u64 = 10_000;

/// A step that was started, and ended.
#[derive(Clone, Copy, Debug)]
struct Ran {
    step: StepId,
    start: Duration,
    end: Duration,
}

/// One run of a world.
struct Simulation<'a> {
    world: &'a World,
    /// Latencies, and what befalls clients.
    rng: Rng,
    scheduler: Scheduler<'a>,
    now: Duration,
    /// Tokens in the pool, and those that died with a client.
    free: usize,
    lost: usize,
    wish: PoolWish,
    is_own_slot_free: bool,
    running: BTreeMap<StepId, Running>,
    /// For each batch, how many of its steps have finished; and whether one runs.
    batches: Vec<(u32, bool)>,
    /// For each tool, its steps that have not finished.
    unfinished: Vec<usize>,
    /// For each batch, how often another started while it was ready.
    passed_over: Vec<usize>,
    /// Whether something may start, for all that the scheduler was told.
    may_start: bool,
    is_interrupted: bool,
    ran: Vec<Ran>,
}

struct Running {
    end: Duration,
    slot: Slot,
    /// Tokens that the client took beside the one that it was started on.
    taken: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PoolWish {
    None,
    Open,
    /// Taken from the pool, and told at this time.
    Coming(Duration),
    Granted,
}

/// Runs `world` to its end and gives its steps in the order of their starts.
fn simulate(world: &World) -> Vec<Ran> {
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
        wish: PoolWish::None,
        is_own_slot_free: world.limits.own_slot,
        running: BTreeMap::new(),
        batches: vec![(0, false); plan.batches.len()],
        unfinished,
        passed_over: vec![0; plan.batches.len()],
        may_start: true,
        is_interrupted: false,
        ran: Vec::new(),
    };
    simulation.scheduler.on(Duration::ZERO, Event::Tick);
    while let Action::Wait(until) = simulation.act() {
        simulation.pass(until);
    }
    simulation.check_end();
    simulation.ran
}

impl Simulation<'_> {
    /// Does what the scheduler says, until it says to wait or that all is done.
    fn act(&mut self) -> Action {
        for _ in 0..1000 {
            match self.scheduler.next() {
                Action::Start(step, slot) => self.start(step, slot),
                Action::Wish => {
                    assert_eq!(self.wish, PoolWish::None, "one wish at a time");
                    self.wish = PoolWish::Open;
                }
                Action::GiveBack => {
                    assert_eq!(self.wish, PoolWish::Granted, "only what has come can be given back");
                    self.wish = PoolWish::None;
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
                    assert!(until.is_none_or(|until| until > self.now), "a wait that is none");
                    return action;
                }
                Action::Done => return Action::Done,
            }
        }
        panic!("it never waits");
    }

    /// Lets time go by to the next event, at the latest to `until`.
    fn pass(&mut self, until: Option<Duration>) {
        if self.wish == PoolWish::Open && self.free > 0 {
            self.free -= 1;
            self.wish = PoolWish::Coming(self.now + self.world.latency(&mut self.rng));
        }
        let coming = if let PoolWish::Coming(at) = self.wish { Some(at) } else { None };
        let interrupt = self.world.interrupt.filter(|_| !self.is_interrupted);
        let ended = self.running.iter().map(|(step, running)| (running.end, *step)).min();
        let times = [until, coming, interrupt, ended.map(|(end, _)| end)];
        let at = times.into_iter().flatten().min().unwrap_or(FOREVER);
        assert!(at < FOREVER, "nothing will ever happen again");
        if self.world.has_faults && self.rng.chance(10) {
            self.now += (at - self.now) / 2;
            return self.scheduler.on(self.now, Event::Tick);
        }
        self.now = at;
        let event = match ended {
            _ if interrupt == Some(at) => {
                self.is_interrupted = true;
                self.end_all();
                Event::Interrupt
            }
            _ if coming == Some(at) => {
                self.wish = PoolWish::Granted;
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
        assert_eq!(ready.first(), Some(&step), "the lowest rank that is ready");
        for other in &ready[1..] {
            self.passed_over[other.rank as usize] += 1;
        }
        let bound = self.world.bounds[step.rank as usize];
        assert!(self.passed_over[step.rank as usize] <= bound, "{step:?} was passed over too often");
        match slot {
            Slot::Own => assert!(std::mem::take(&mut self.is_own_slot_free)),
            Slot::Pool => {
                assert_eq!(self.wish, PoolWish::Granted, "no step without a token");
                self.wish = PoolWish::None;
            }
        }
        let takes_more = self.world.has_faults && self.is_client(step);
        let taken = if takes_more { self.rng.below(self.free as u64 + 1) as usize } else { 0 };
        self.free -= taken;
        let end = self.now + self.world.duration(step);
        self.running.insert(step, Running { end, slot, taken });
        assert!(self.running.len() <= self.world.limits.parallel);
        self.batches[step.rank as usize].1 = true;
        self.ran.push(Ran { step, start: self.now, end });
    }

    fn finish(&mut self, step: StepId) -> Event {
        let Running { end, slot, taken } = self.running.remove(&step).unwrap();
        match slot {
            Slot::Own => self.is_own_slot_free = true,
            Slot::Pool => self.free += 1,
        }
        self.free += taken;
        if self.world.has_faults && self.is_client(step) {
            // It may die with its tokens, and what it leaves running may do so with all that it can get.
            let died = [0, 0, 0, 0, 0, 0, 0, taken, taken, self.free][self.rng.below(10) as usize];
            self.free -= died;
            self.lost += died;
        }
        if let Some(ran) = self.ran.iter_mut().rev().find(|ran| ran.step == step) {
            ran.end = end;
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

    /// What runs is told to end, and takes its time.
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
        // What was inherited is never topped up.
        if !self.world.limits.own_slot {
            assert_eq!(held, self.running.len());
            assert!(matches!(self.wish, PoolWish::None | PoolWish::Open), "a token on its way is not lost");
            let missing = self.world.tokens - held - self.free;
            assert_eq!(missing, std::mem::take(&mut self.lost));
            self.free += missing;
        }
    }

    /// The steps that are ready by the plan and by what has finished, lowest rank first.
    fn ready(&self) -> impl Iterator<Item = StepId> {
        self.startable().filter(|step| self.holder(*step).is_none())
    }

    /// What is in the lane of `step`, or needs other programs in the same directory.
    fn holder(&self, step: StepId) -> Option<StepId> {
        let (lane, programs) = (self.world.lane(step), self.world.programs(step));
        let differ = |other: Programs| programs.is_some_and(|own| own.dir == other.dir && own.of != other.of);
        let holds = |other: &StepId| {
            lane.is_some() && self.world.lane(*other) == lane
                || self.world.programs(*other).is_some_and(differ)
        };
        self.running.keys().copied().find(holds)
    }

    /// The same, but for lanes.
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

    /// Nobody waits who need not.
    fn check_wait(&self, until: Option<Duration>) {
        assert_ne!(self.wish, PoolWish::Granted, "a token is used or given back");
        if self.may_start && self.running.len() < self.world.limits.parallel && self.ready().next().is_some()
        {
            assert!(!self.is_own_slot_free, "our own slot needs no waiting");
            assert_ne!(self.wish, PoolWish::None, "what is ready needs a token");
        }
        let are_clients_gone = !self.running.keys().any(|step| self.is_client(*step));
        if self.wish == PoolWish::Open && self.free == 0 && are_clients_gone {
            assert!(until.is_some_and(|until| until <= self.now + PATIENCE), "the tokens may be lost");
        }
        assert_eq!(self.scheduler.waiting(), self.waiting(), "what is waited for");
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
        assert!(!self.may_start || self.ran.len() == plan.steps().count(), "every step ran, once");
        let on_its_way = usize::from(matches!(self.wish, PoolWish::Coming(_)));
        assert_eq!(self.free + self.lost + on_its_way, self.world.tokens, "every token came back");
        for end in [plan.policy.max_duration, self.world.interrupt].into_iter().flatten() {
            assert!(self.now <= end + GRACE, "it ended long after its end");
        }
        if limits.parallel == 1 && self.world.is_sorted {
            let steps = self.ran.iter().map(|ran| ran.step);
            assert!(steps.eq(plan.steps().take(self.ran.len())), "the starts follow the ranks");
        }
    }
}

#[test]
fn every_run_ends_and_starts_what_is_ready_at_the_lowest_rank_and_on_a_token() {
    let (mut starts, mut cut_short) = (0, 0);
    for seed in 0..SEEDS {
        let world = World::with_faults(seed);
        let ran = on_seed(seed, || simulate(&world));
        starts += ran.len();
        cut_short += usize::from(ran.len() < world.plan.steps().count());
    }
    // Worlds in which nothing happens would show nothing.
    assert!(starts > 100_000 && (1000..9000).contains(&cut_short), "{starts} {cut_short}");
}

/// Names the seed if `run` fails.
fn on_seed<T>(seed: u64, run: impl FnOnce() -> T) -> T {
    struct Name(u64);
    impl Drop for Name {
        #[expect(clippy::print_stderr, reason = "a failure must name its seed")]
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("seed {}", self.0);
            }
        }
    }
    let _name = Name(seed);
    run()
}
