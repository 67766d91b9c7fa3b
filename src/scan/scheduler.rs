//! Decides which step starts when, as a pure state machine over a plan. It knows no threads, clocks, processes or
//! pools.
//!
//! # Overview
//!
//! The executor reports what happened ([`Event`]: a token arrived, a step finished, the run was interrupted, or
//! time passed) together with the time since the start of the run. It then asks what to do until the answer is to
//! wait ([`Action`]). The executor turns messages of threads into events and actions into effects. A simulation
//! turns random numbers into events, in virtual time. The same plan and the same events always lead to the same
//! actions.
//!
//! # The rule
//!
//! **The step that starts is the lowest-ranked one that is ready**: the previous step of its batch is done, all
//! tasks of the tools that its tool needs are done, and its lane is free. The plan fixes the ranks, and they never
//! change during a run. Steps that are ready but not the lowest wait, and nothing else does:
//!
//! - With one token, steps start in the order of their ranks if every need has a lower rank than the step that
//!   needs it. The plan ensures that, except for `by-path`, where steps of a batch that wait for another package
//!   are passed over.
//! - A lane is a filter, not a queue: while it is busy its steps are not ready, and higher ranks pass them.
//! - The same is true for a build directory. While steps run that need the programs of one tool in it, steps that
//!   need those of another tool are not ready.
//!
//! # Order of admission
//!
//! *Lane first, token last.* A token is only requested while a step could start, and the step is chosen when the
//! token arrives, because a lower rank may have become ready meanwhile. A process that holds a token while it
//! waits for a lane would keep the token from a process that could work (rust-lang/cargo#6747). Only one request
//! is open at a time, so at most one token is ever idle, and it is returned immediately. Each running step holds
//! one token, the implicit slot of its process. If the pool is inherited, there is also a slot of our own that
//! needs no request, so the run continues whatever others do with the pool.
//!
//! A killed client returns none of its tokens. While no client runs, every token is either in the pool or held by
//! a step, so the number of lost tokens is known and the pool can be refilled. This happens before a request if
//! something has ended since the last time, and when a request stays unanswered for longer than a token takes to
//! arrive ([`PATIENCE`]), because processes left behind by a client may take tokens later.
//!
//! # Fairness
//!
//! Only lower ranks can pass a ready step, and each of them only once, so a step starts after at most as many
//! other starts as there are lower ranks. The plan bounds this number. Within a class, tools take turns, with
//! their weight as the number of turns per round. The k-th batch of a tool of weight w without needs comes after
//! at most k - 1 batches of its own and, for each other tool of weight u, `u * ceil(k / w)`. So no tool waits for
//! all batches of another, however long these take. Classes are strictly ordered by rank. A class is a priority,
//! not a barrier.
//!
//! The reason why no further step starts can be queried at any time ([`Scheduler::waiting`]) and shown to the
//! user. It has no effect on decisions.
//!
//! # Workers on other machines
//!
//! A step that they may run starts there as soon as it is ready and one of them is free, without a token. The slots of this machine
//! go on with the others, and with these as well once all workers are busy. A step that comes back without a result is queued again,
//! and then starts only here. So a worker that fails delays the steps it had, and nothing else.
//!
//! # How long a run may take
//!
//! While a slot is free no step is ready, so every step that has not started waits for a running one: the previous
//! step of its batch, a need, or the holder of its lane. Going back from the step that ends last, these form a
//! chain of length C, and all m slots are busy outside of it. If W is the sum of all durations and tokens arrive
//! immediately, every run ends within `W/m + (1 - 1/m) * C`. This is Graham's bound for list scheduling, where a
//! lane links each step to the next one in it, and a build directory links each step to the next one that needs
//! other programs in it. Starting the longest chain first would be slightly better on average. But it needs
//! durations, which differ between machines, and then the order of starts would differ too.
//!
//! # The end
//!
//! With `--fail-fast`, nothing starts after a required tool has failed, and running steps end by themselves. When
//! `max-duration` has elapsed or the run is interrupted, nothing starts and running steps are asked to stop. The
//! run is done once they have ended. The time limit of a process is defined here too ([`time_cap`]) but enforced
//! by the process layer, which waits for the process anyway. A timed out process simply finishes.
//!
//! The simulation is part of the tests. `cargo test --release --lib simulation -- --nocapture` prints its figures.

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use super::build_dirs::{DirClaim, Layout, claim_of, lane_of};
use super::stop::StopReason;
use crate::model::event::Waiting;
use crate::model::task::{Plan, StepId};
use crate::model::tool::{Tool, ToolId};

/// Time after which tokens are suspected to be lost if a request is not answered.
const PATIENCE: Duration = Duration::from_millis(200);

/// Settings of a run that are not part of its plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Maximum number of steps that run at the same time, at least 1.
    pub(super) parallel: usize,
    /// Maximum number of steps that workers on other machines run at the same time, beyond these.
    pub(super) away: usize,
    /// True if there is a slot of our own in addition to the pool.
    pub(super) own_slot: bool,
    /// True if nothing more starts after the first failure of a required tool.
    pub(super) fail_fast: bool,
    /// Arrangement of the directories of cargo's lanes.
    pub(super) layout: Layout,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The requested token has arrived.
    Token,
    /// A running step has ended, one way or another.
    Finished {
        /// The step.
        step: StepId,
        /// True if it failed, which only matters if its tool is required.
        fails: bool,
    },
    /// A step that was away has no result, and has to run on this machine.
    CameBack(StepId),
    /// Nothing runs on other machines any more.
    WorkersGone,
    /// The run is being stopped, and running steps have been asked to stop.
    Interrupt,
    /// Time has passed.
    Tick,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start this step on this slot.
    Start(StepId, Slot),
    /// Request a token from the pool. The answer is [`Event::Token`], which may never come.
    RequestToken,
    /// Return the token that arrived, because no step can use it.
    GiveBack,
    /// Refill the pool. No client runs, and steps hold the given number of tokens.
    Refill {
        /// Number of tokens held by steps.
        held: usize,
    },
    /// Ask running steps to stop.
    Stop(StopReason),
    /// Wait for an event, at most until this time.
    Wait(Option<Duration>),
    /// Nothing runs and nothing will start.
    Done,
}

/// Slot that a step runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Our own slot, in addition to the pool.
    Own,
    /// The token that has arrived.
    Pool,
    /// A worker on another machine, which needs no token.
    Away,
}

/// Returns the time limit for a process that covers the given number of tasks, with the limit `per_task` of each.
pub(super) fn time_cap(per_task: Option<Duration>, tasks: usize) -> Option<Duration> {
    per_task.map(|timeout| timeout * tasks.clamp(1, 4) as u32)
}

/// State of a run.
#[derive(Debug)]
pub(super) struct Scheduler<'a> {
    queue: Queue<'a>,
    limits: Limits,
    phase: Phase,
    own_slot: OwnSlot,
    request: TokenRequest,
    running: usize,
    /// Steps that run on other machines. They are not among the running ones.
    away: BTreeSet<StepId>,
    /// Number of running steps that are clients of the jobserver.
    clients: usize,
    /// True if no step has ended since the pool was last known to be complete.
    is_pool_complete: bool,
    now: Duration,
    /// Time of the last event other than a tick, or of the last refill.
    last_event: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Ready steps may start.
    Running,
    /// A required tool failed under `--fail-fast`. Nothing starts, and running steps end by themselves.
    FailedFast,
    /// The time has elapsed. Nothing starts, and running steps have yet to be asked to stop.
    Over,
    /// Nothing starts, and running steps have been asked to stop.
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnSlot {
    /// There is none because the pool is our own.
    None,
    Free,
    Taken(StepId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenRequest {
    None,
    /// Sent to the pool and not answered.
    Open,
    /// The token has arrived and is not used yet.
    Granted,
}

impl<'a> Scheduler<'a> {
    /// Creates a scheduler in which nothing has started.
    pub(super) fn new(plan: &'a Plan, limits: Limits) -> Self {
        Self {
            queue: Queue::new(plan, limits.layout, BTreeSet::new()),
            limits,
            phase: Phase::Running,
            own_slot: if limits.own_slot { OwnSlot::Free } else { OwnSlot::None },
            request: TokenRequest::None,
            running: 0,
            away: BTreeSet::new(),
            clients: 0,
            is_pool_complete: true,
            now: Duration::ZERO,
            last_event: Duration::ZERO,
        }
    }

    /// Sets the maximum number of steps that run at the same time, here and away. Must be called before the first start.
    pub(super) fn set_parallel(&mut self, parallel: usize, away: usize) {
        (self.limits.parallel, self.limits.away) = (parallel, away);
    }

    /// Skips `steps`, whose results are cached. Nothing waits for them. Must be called before the first start.
    pub(super) fn skip(&mut self, steps: BTreeSet<StepId>) {
        self.queue = Queue::new(self.queue.plan, self.limits.layout, steps);
    }

    /// Lets workers on other machines run `steps`. Must be called after [`skip`](Self::skip) and before the first start.
    pub(super) fn send(&mut self, steps: BTreeSet<StepId>) {
        self.queue.may_be_away = steps;
    }

    /// Notes that a required tool has failed according to its cached result. Must be called before the first
    /// start.
    pub(super) fn set_failed(&mut self) {
        if self.limits.fail_fast {
            self.phase = Phase::FailedFast;
        }
    }

    /// Handles `event`. `now` is the time since the start of the run.
    pub(super) fn on(&mut self, now: Duration, event: Event) {
        self.now = now;
        if event != Event::Tick {
            self.last_event = now;
        }
        match event {
            Event::Token => self.request = TokenRequest::Granted,
            Event::Finished { step, fails } => self.finish(step, fails),
            Event::CameBack(step) => {
                self.away.remove(&step);
                self.queue.put_back(step);
            }
            Event::WorkersGone => self.queue.may_be_away.clear(),
            Event::Interrupt => self.phase = Phase::Ending,
            Event::Tick => {}
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.phase = Phase::Over;
        }
    }

    /// Returns the next action. Must be called after each event until the action is to wait or the run is done.
    pub(super) fn next(&mut self) -> Action {
        if let Some(step) = self.ready_to_leave() {
            self.away.insert(step);
            self.queue.start(step);
            return Action::Start(step, Slot::Away);
        }
        let step = self.ready();
        if let Some(step) = step
            && let Some(slot) = self.take_slot(step)
        {
            self.running += 1;
            self.clients += usize::from(self.tool(step).jobserver);
            self.queue.start(step);
            return Action::Start(step, slot);
        }
        if self.request == TokenRequest::Granted {
            self.request = TokenRequest::None;
            return Action::GiveBack;
        }
        if self.phase == Phase::Over {
            self.phase = Phase::Ending;
            return Action::Stop(StopReason::MaxDuration);
        }
        if self.running == 0 && self.away.is_empty() && step.is_none() {
            return Action::Done;
        }
        let is_request_due = self.request == TokenRequest::None && step.is_some();
        let may_lack_tokens = is_request_due && self.clients == 0 && !self.is_pool_complete;
        if may_lack_tokens || self.refill_time().is_some_and(|at| self.now >= at) {
            self.is_pool_complete = true;
            self.last_event = self.now;
            return Action::Refill { held: self.running };
        }
        if is_request_due {
            self.request = TokenRequest::Open;
            return Action::RequestToken;
        }
        Action::Wait([self.deadline(), self.refill_time()].into_iter().flatten().min())
    }

    /// Returns the reason why no further steps start. Returns `None` if as many steps run as allowed, or the other
    /// steps need the running ones.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        if self.phase != Phase::Running {
            return (self.running > 0).then_some(Waiting::End);
        }
        if self.running >= self.limits.parallel {
            return None;
        }
        match self.queue.first() {
            Some(_) => Some(Waiting::Token { of: (!self.limits.own_slot).then_some(self.limits.parallel) }),
            None => self.queue.waiting_for_lane(),
        }
    }

    /// Returns whether steps don't start because of `--fail-fast` alone.
    pub(super) fn has_failed_fast(&self) -> bool {
        self.phase == Phase::FailedFast
    }

    fn finish(&mut self, step: StepId, fails: bool) {
        let tool = self.tool(step);
        if !self.away.remove(&step) {
            self.running -= 1;
            self.clients -= usize::from(tool.jobserver);
            self.is_pool_complete = false;
        }
        if self.own_slot == OwnSlot::Taken(step) {
            self.own_slot = OwnSlot::Free;
        }
        if self.limits.fail_fast && fails && tool.required && self.phase == Phase::Running {
            self.phase = Phase::FailedFast;
        }
        self.queue.finish(step);
    }

    /// Returns the step that starts next, if any may start.
    fn ready(&self) -> Option<StepId> {
        let may_start = self.phase == Phase::Running && self.running < self.limits.parallel;
        may_start.then(|| self.queue.first()).flatten()
    }

    /// Returns the step that a worker on another machine runs next, if one may.
    fn ready_to_leave(&self) -> Option<StepId> {
        let may_start = self.phase == Phase::Running && self.away.len() < self.limits.away;
        may_start.then(|| self.queue.first_to_leave()).flatten()
    }

    /// Takes a free slot for `step`, preferably our own, which needs no token.
    fn take_slot(&mut self, step: StepId) -> Option<Slot> {
        if self.own_slot == OwnSlot::Free {
            self.own_slot = OwnSlot::Taken(step);
            return Some(Slot::Own);
        }
        (self.request == TokenRequest::Granted).then(|| {
            self.request = TokenRequest::None;
            Slot::Pool
        })
    }

    /// Returns the time at which the run must stop, unless running steps were already asked to stop.
    fn deadline(&self) -> Option<Duration> {
        let can_expire = matches!(self.phase, Phase::Running | Phase::FailedFast);
        self.queue.plan.policy.max_duration.filter(|_| can_expire)
    }

    /// Returns the time at which an open request suggests that tokens are lost, if no client is alive that may
    /// hold any.
    fn refill_time(&self) -> Option<Duration> {
        (self.request == TokenRequest::Open && self.clients == 0).then_some(self.last_event + PATIENCE)
    }

    fn tool(&self, step: StepId) -> &'a Tool {
        let plan = self.queue.plan;
        plan.graph.tool(plan.step(step).tool)
    }
}

/// Determines the next step, regardless of tokens and time.
#[derive(Debug)]
struct Queue<'a> {
    plan: &'a Plan,
    /// Index of the gate of each tool.
    gate_of: Vec<usize>,
    gates: Vec<Gate>,
    /// The running step in each lane. Lane 0 stands for no lane.
    lanes: Vec<Option<StepId>>,
    /// Running steps in each build directory that need the programs there.
    dirs: [Dir; 2],
    /// Steps whose tool needs tools that are not done.
    blocked: Vec<StepId>,
    /// Number of unfinished steps of each tool.
    unfinished: Vec<u32>,
    /// Steps that are not run.
    skipped: BTreeSet<StepId>,
    /// Steps that workers on other machines may run.
    may_be_away: BTreeSet<StepId>,
}

/// Steps that wait for the same lane and programs.
#[derive(Debug)]
struct Gate {
    lane: usize,
    claim: Option<DirClaim>,
    /// Steps that are ready except for the lane and the programs.
    ready: BTreeSet<StepId>,
}

/// Running steps that need the programs in a build directory, and the tool that builds these programs.
#[derive(Debug, Default)]
struct Dir {
    of: Option<ToolId>,
    holders: BTreeSet<StepId>,
}

impl<'a> Queue<'a> {
    fn new(plan: &'a Plan, layout: Layout, skipped: BTreeSet<StepId>) -> Self {
        let lanes = || plan.graph.tools.iter().map(|tool| lane_of(tool, layout));
        let names: BTreeSet<_> = lanes().flatten().collect();
        let names: Vec<_> = names.into_iter().collect();
        let index =
            |lane: Option<&str>| lane.and_then(|lane| names.binary_search(&lane).ok()).map_or(0, |at| at + 1);
        let mut gates: Vec<Gate> = Vec::new();
        let mut gate = |(lane, id): (usize, ToolId)| {
            let claim = claim_of(&plan.graph, id, layout);
            let known = gates.iter().position(|gate| gate.lane == lane && gate.claim == claim);
            known.unwrap_or_else(|| {
                gates.push(Gate { lane, claim, ready: BTreeSet::new() });
                gates.len() - 1
            })
        };
        let gate_of = lanes().map(index).zip((0..).map(ToolId)).map(&mut gate).collect();
        let mut unfinished = vec![0; plan.graph.tools.len()];
        for step in plan.steps().filter(|step| !skipped.contains(step)) {
            unfinished[plan.step(step).tool.0 as usize] += 1;
        }
        let mut queue = Self {
            plan,
            gate_of,
            gates,
            lanes: vec![None; names.len() + 1],
            dirs: Default::default(),
            blocked: Vec::new(),
            unfinished,
            skipped,
            may_be_away: BTreeSet::new(),
        };
        for rank in 0..plan.batches.len() as u32 {
            queue.admit(StepId { rank, at: 0 });
        }
        queue
    }

    /// Returns the lowest-ranked ready step.
    fn first(&self) -> Option<StepId> {
        let open = self.gates.iter().filter(|gate| self.holder(gate).is_none());
        open.filter_map(|gate| gate.ready.first().copied()).min()
    }

    /// Returns the lowest-ranked ready step that a worker on another machine may run.
    fn first_to_leave(&self) -> Option<StepId> {
        let is_ready = |step: &&StepId| {
            let gate = &self.gates[self.gate_of[self.plan.step(**step).tool.0 as usize]];
            gate.ready.contains(step) && self.holder(gate).is_none()
        };
        self.may_be_away.iter().find(is_ready).copied()
    }

    /// Returns the running step that keeps the steps of `gate` from starting.
    fn holder(&self, gate: &Gate) -> Option<StepId> {
        let in_lane = self.lanes[gate.lane];
        let in_dir = gate.claim.and_then(|claim| {
            let dir = &self.dirs[claim.dir];
            dir.holders.first().copied().filter(|_| dir.of != Some(claim.of))
        });
        [in_lane, in_dir].into_iter().flatten().min()
    }

    /// Returns the lowest-ranked step that only waits for its lane or directory, and the holder of it.
    fn waiting_for_lane(&self) -> Option<Waiting> {
        let behind = |gate: &Gate| Some((*gate.ready.first()?, self.holder(gate)?));
        let (step, holder) = self.gates.iter().filter_map(behind).min()?;
        Some(Waiting::Lane { step, holder })
    }

    fn start(&mut self, step: StepId) {
        // Whoever runs it now, nobody else does, and it is not sent twice.
        self.may_be_away.remove(&step);
        let gate = &mut self.gates[self.gate_of[self.plan.step(step).tool.0 as usize]];
        gate.ready.remove(&step);
        // Lane 0 is not a lane, so any number of steps may run in it.
        self.lanes[gate.lane] = (gate.lane != 0).then_some(step);
        if let Some(DirClaim { dir, of }) = gate.claim {
            self.dirs[dir].of = Some(of);
            self.dirs[dir].holders.insert(step);
        }
    }

    /// Queues a step again that has started, but has no result.
    fn put_back(&mut self, step: StepId) {
        self.leave(step);
        self.gates[self.gate_of[self.plan.step(step).tool.0 as usize]].ready.insert(step);
    }

    /// Frees the lane and the directory of `step`.
    fn leave(&mut self, step: StepId) {
        let gate = &self.gates[self.gate_of[self.plan.step(step).tool.0 as usize]];
        self.lanes[gate.lane] = None;
        if let Some(DirClaim { dir, .. }) = gate.claim {
            self.dirs[dir].holders.remove(&step);
        }
    }

    fn finish(&mut self, step: StepId) {
        self.leave(step);
        let unfinished = &mut self.unfinished[self.plan.step(step).tool.0 as usize];
        *unfinished -= 1;
        if *unfinished == 0 {
            for step in std::mem::take(&mut self.blocked) {
                self.admit(step);
            }
        }
        self.admit(StepId { rank: step.rank, at: step.at + 1 });
    }

    /// Queues `step`, or the next one of its batch that is not skipped.
    fn admit(&mut self, mut step: StepId) {
        while self.skipped.contains(&step) {
            step.at += 1;
        }
        if step.at as usize >= self.plan.batches[step.rank as usize].steps.len() {
            return;
        }
        let tool = self.plan.step(step).tool;
        let waits =
            self.plan.graph.needs[tool.0 as usize].iter().any(|need| self.unfinished[need.0 as usize] > 0);
        if waits {
            self.blocked.push(step);
        } else {
            self.gates[self.gate_of[tool.0 as usize]].ready.insert(step);
        }
    }
}
