//! Which step starts when: a pure state machine over a plan. It knows no thread, clock, process or pool.
//!
//! # Overview
//!
//! A run tells it what happened ([`Event`]: a token came, a step finished, the run was interrupted, or time
//! passed) with the time since the run began, and asks what to do until the answer is to wait ([`Action`]).
//! The executor turns messages of threads into events and actions into effects; a simulation turns random
//! numbers into events, in virtual time. Given the same plan and the same events, both see the same actions.
//!
//! # The rule
//!
//! **The step that starts is the lowest-ranked one that is ready**: the step before it in its batch is done,
//! all tasks of the tools that its tool needs are done, and its lane is free. The rank was laid down by the plan
//! and is never changed during a run. What is ready but not the lowest waits, and nothing else does:
//!
//! - With one token the starts follow the ranks, if each need has a lower rank than what needs it. The plan sees
//!   to that, but for `by-path`: there the steps of a batch that wait for another package are passed over.
//! - A lane is a filter, not a queue: while it is busy its steps are not ready, and higher ranks go by.
//! - So is a build directory: while steps run that need the programs of one tool in it, those of other tools are not ready.
//!
//! # Order of admission
//!
//! *Lane first, token last.* A token is wished for only while a step could start, and the step is chosen when
//! the token has come, for a lower rank may have become ready meanwhile. A process that waits for a lane while
//! it holds a token would keep the token from one that could work (rust-lang/cargo#6747). There is one wish at a
//! time, so no more than one token is ever held idle, and that one is given back at once. One token stands for
//! each step that runs, as long as it runs: it is the process's implicit slot. Where the pool is inherited there
//! is a slot of our own beside it, which needs no wish: whatever others do with the pool, the run goes on.
//!
//! A client that is killed returns none of the tokens that it took. While no client runs, all tokens are in the
//! pool or held by steps, so it can be seen how many are lost, and the pool is refilled: before a wish, if
//! something has ended since the last time; and when a wish goes unanswered for longer than a token can be on its
//! way ([`PATIENCE`]), for what a client left running may take tokens when it is gone.
//!
//! # Fairness
//!
//! A ready step is passed over by lower ranks only, and by each of these once: it starts after at most as many
//! dispatches as there are lower ranks. The plan bounds these. Within a class, tools take turns, weights as turns
//! a round: the k-th batch of a tool of weight w that needs no other has before it at most k - 1 of its own and,
//! of each other tool of weight u, `u * ceil(k / w)`. So no tool waits for all of another, whatever its batches
//! take. Classes are strictly first in rank; a class is a priority and no barrier.
//!
//! What keeps more from starting can be asked for at any time ([`Scheduler::waiting`]), for the user to be told:
//! it is a fact about the state, and decides nothing.
//!
//! # How long a run may take
//!
//! While a slot is free nothing is ready, so whatever has not started waits for something that runs: for the step
//! before it, a need, or its lane. Going back from the step that ends last, these make a chain of length C, and
//! outside of it all m slots are busy. With W the sum of all durations, and tokens that come at once, every run
//! ends within `W/m + (1 - 1/m) * C`: Graham's bound for list scheduling, a lane being a link from each step to the
//! one that has it next, and a directory from each step to the next that needs other programs in it.
//! Starting the longest chain first would be a little better in the middle and needs durations, which are not
//! the same on two machines: then the starts would not be, either.
//!
//! # The end
//!
//! Under `--fail-fast` nothing starts after a required tool has failed; what runs ends by itself. When
//! `max-duration` is over or the run is interrupted, nothing starts and what runs is told to end; nothing is done
//! once that has ended. What one process may take is said here too ([`time_cap`]), but is kept by the process
//! layer, which has to wait for the process anyway: an expired process is only one that finishes.
//!
//! The simulation runs with the tests. It prints its figures with
//! `cargo test --release --lib simulation -- --nocapture`.

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use super::build_dirs::{Layout, Programs, lane_of, programs_of};
use super::stop::StopReason;
use crate::model::event::Waiting;
use crate::model::policy::Policy;
use crate::model::task::{Plan, StepId};
use crate::model::tool::{Tool, ToolId};

/// How long an unanswered wish is left alone. A token may be on its way that long.
const PATIENCE: Duration = Duration::from_millis(200);

/// What holds for a run and is no part of its plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many steps run at once, from 1 up.
    pub(super) parallel: usize,
    /// Whether there is a slot of our own beside the pool.
    pub(super) own_slot: bool,
    /// Whether the first failure of a required tool is the last.
    pub(super) fail_fast: bool,
    /// How the directories of cargo's lanes lie.
    pub(super) layout: Layout,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The token that was wished for has come.
    Token,
    /// A step that was started has ended, one way or another.
    Finished {
        /// Which.
        step: StepId,
        /// Whether that is a failure, if its tool is required.
        fails: bool,
    },
    /// The run is to end, and what runs was told.
    Interrupt,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start this step on this slot.
    Start(StepId, Slot),
    /// Ask the pool for a token. Answered by [`Event::Token`], some day or never.
    Wish,
    /// Give the token back that has come: nothing can use it any more.
    GiveBack,
    /// See that the pool is complete: no client runs, and so many tokens are held by steps.
    Refill {
        /// How many.
        held: usize,
    },
    /// Tell what runs to end.
    Stop(StopReason),
    /// Wait for an event, but no longer than to this time.
    Wait(Option<Duration>),
    /// Nothing runs and nothing will be started.
    Done,
}

/// Where a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Our own, beside the pool.
    Own,
    /// The token that has come.
    Pool,
}

/// What a process over this many tasks may take.
pub(super) fn time_cap(policy: &Policy, tasks: usize) -> Option<Duration> {
    policy.per_task_timeout.map(|timeout| timeout * tasks.clamp(1, 4) as u32)
}

/// The state of a run.
#[derive(Debug)]
pub(super) struct Scheduler<'a> {
    queue: Queue<'a>,
    limits: Limits,
    phase: Phase,
    own_slot: OwnSlot,
    wish: Wish,
    running: usize,
    /// Clients of the jobserver among them.
    clients: usize,
    /// Whether nothing has ended since the pool was known to be complete.
    is_complete: bool,
    now: Duration,
    /// When something other than time was last told, or the pool refilled.
    heard: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// What is ready may start.
    Going,
    /// A required tool failed under `--fail-fast`: nothing starts, what runs ends by itself.
    FailedFast,
    /// The time is over: nothing starts, what runs has yet to be told.
    Over,
    /// Nothing starts, and what runs has been told to end.
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnSlot {
    /// The pool is our own: all its tokens are in it.
    None,
    Free,
    Taken(StepId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    None,
    /// Told to the pool, not answered.
    Open,
    /// The token has come and is not used yet.
    Granted,
}

impl<'a> Scheduler<'a> {
    /// Nothing has started yet.
    pub(super) fn new(plan: &'a Plan, limits: Limits) -> Self {
        Self {
            queue: Queue::new(plan, limits.layout, BTreeSet::new()),
            limits,
            phase: Phase::Going,
            own_slot: if limits.own_slot { OwnSlot::Free } else { OwnSlot::None },
            wish: Wish::None,
            running: 0,
            clients: 0,
            is_complete: true,
            now: Duration::ZERO,
            heard: Duration::ZERO,
        }
    }

    /// No more than `parallel` steps run at once. To be said before anything starts.
    pub(super) fn limit(&mut self, parallel: usize) {
        self.limits.parallel = parallel;
    }

    /// Leaves out `steps`, whose results are known: nothing waits for them. To be said before anything starts.
    pub(super) fn skip(&mut self, steps: BTreeSet<StepId>) {
        self.queue = Queue::new(self.queue.plan, self.limits.layout, steps);
    }

    /// A required tool has failed by what is known of it. To be said before anything starts.
    pub(super) fn has_failed(&mut self) {
        if self.limits.fail_fast {
            self.phase = Phase::FailedFast;
        }
    }

    /// Takes note of `event`, `now` being the time since the run began.
    pub(super) fn on(&mut self, now: Duration, event: Event) {
        self.now = now;
        if event != Event::Tick {
            self.heard = now;
        }
        match event {
            Event::Token => self.wish = Wish::Granted,
            Event::Finished { step, fails } => self.finish(step, fails),
            Event::Interrupt => self.phase = Phase::Ending,
            Event::Tick => {}
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.phase = Phase::Over;
        }
    }

    /// What is to be done next. To be asked after each event, until it is to wait or all is done.
    pub(super) fn next(&mut self) -> Action {
        let step = self.ready();
        if let Some(step) = step
            && let Some(slot) = self.take_slot(step)
        {
            self.running += 1;
            self.clients += usize::from(self.tool(step).jobserver);
            self.queue.start(step);
            return Action::Start(step, slot);
        }
        if self.wish == Wish::Granted {
            self.wish = Wish::None;
            return Action::GiveBack;
        }
        if self.phase == Phase::Over {
            self.phase = Phase::Ending;
            return Action::Stop(StopReason::MaxDuration);
        }
        if self.running == 0 && step.is_none() {
            return Action::Done;
        }
        let is_wish_due = self.wish == Wish::None && step.is_some();
        let may_lack_tokens = is_wish_due && self.clients == 0 && !self.is_complete;
        if may_lack_tokens || self.impatient().is_some_and(|at| self.now >= at) {
            self.is_complete = true;
            self.heard = self.now;
            return Action::Refill { held: self.running };
        }
        if is_wish_due {
            self.wish = Wish::Open;
            return Action::Wish;
        }
        Action::Wait([self.deadline(), self.impatient()].into_iter().flatten().min())
    }

    /// What keeps more steps from starting: nothing, if as many run as may or the rest waits for what they do.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        if self.phase != Phase::Going {
            return (self.running > 0).then_some(Waiting::End);
        }
        if self.running >= self.limits.parallel {
            return None;
        }
        match self.queue.first() {
            Some(_) => Some(Waiting::Token { of: (!self.limits.own_slot).then_some(self.limits.parallel) }),
            None => self.queue.behind_a_lane(),
        }
    }

    /// Whether `--fail-fast`, and nothing else, keeps steps from starting.
    pub(super) fn has_failed_fast(&self) -> bool {
        self.phase == Phase::FailedFast
    }

    fn finish(&mut self, step: StepId, fails: bool) {
        let tool = self.tool(step);
        self.running -= 1;
        self.clients -= usize::from(tool.jobserver);
        self.is_complete = false;
        if self.own_slot == OwnSlot::Taken(step) {
            self.own_slot = OwnSlot::Free;
        }
        if self.limits.fail_fast && fails && tool.required && self.phase == Phase::Going {
            self.phase = Phase::FailedFast;
        }
        self.queue.finish(step);
    }

    /// The step that starts next, if one may.
    fn ready(&self) -> Option<StepId> {
        let may_start = self.phase == Phase::Going && self.running < self.limits.parallel;
        may_start.then(|| self.queue.first()).flatten()
    }

    /// A slot for `step`, if one is free. Our own first: it costs nobody a token.
    fn take_slot(&mut self, step: StepId) -> Option<Slot> {
        if self.own_slot == OwnSlot::Free {
            self.own_slot = OwnSlot::Taken(step);
            return Some(Slot::Own);
        }
        (self.wish == Wish::Granted).then(|| {
            self.wish = Wish::None;
            Slot::Pool
        })
    }

    /// When the run is over, unless what runs was told already.
    fn deadline(&self) -> Option<Duration> {
        let is_on = matches!(self.phase, Phase::Going | Phase::FailedFast);
        self.queue.plan.policy.max_duration.filter(|_| is_on)
    }

    /// When an open wish has waited for so long that the pool lacks tokens, for no client lives that may hold any.
    fn impatient(&self) -> Option<Duration> {
        (self.wish == Wish::Open && self.clients == 0).then_some(self.heard + PATIENCE)
    }

    fn tool(&self, step: StepId) -> &'a Tool {
        let plan = self.queue.plan;
        plan.graph.tool(plan.step(step).tool)
    }
}

/// Which step is next, tokens and time aside.
#[derive(Debug)]
struct Queue<'a> {
    plan: &'a Plan,
    /// For each tool, its gate.
    gate_of: Vec<usize>,
    gates: Vec<Gate>,
    /// What is in each lane. Lane 0 is none.
    lanes: Vec<Option<StepId>>,
    /// What runs in each build directory and needs the programs there.
    dirs: [Dir; 2],
    /// Steps that wait for tools whose tasks come first.
    blocked: Vec<StepId>,
    /// For each tool, its steps that have not finished.
    unfinished: Vec<u32>,
    /// Steps that are not run.
    skipped: BTreeSet<StepId>,
}

/// The steps that wait for the same.
#[derive(Debug)]
struct Gate {
    lane: usize,
    programs: Option<Programs>,
    /// Ready but for these.
    ready: BTreeSet<StepId>,
}

/// Who needs the programs in a build directory, and whose these are.
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
            let programs = programs_of(&plan.graph, id, layout);
            let known = gates.iter().position(|gate| gate.lane == lane && gate.programs == programs);
            known.unwrap_or_else(|| {
                gates.push(Gate { lane, programs, ready: BTreeSet::new() });
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
        };
        for rank in 0..plan.batches.len() as u32 {
            queue.admit(StepId { rank, at: 0 });
        }
        queue
    }

    /// The lowest-ranked step that is ready.
    fn first(&self) -> Option<StepId> {
        let open = self.gates.iter().filter(|gate| self.holder(gate).is_none());
        open.filter_map(|gate| gate.ready.first().copied()).min()
    }

    /// What keeps the steps behind `gate` from starting.
    fn holder(&self, gate: &Gate) -> Option<StepId> {
        let in_lane = self.lanes[gate.lane];
        let in_dir = gate.programs.and_then(|programs| {
            let dir = &self.dirs[programs.dir];
            dir.holders.first().copied().filter(|_| dir.of != Some(programs.of))
        });
        [in_lane, in_dir].into_iter().flatten().min()
    }

    /// The lowest-ranked step that is ready but for its lane or directory, and what is in there.
    fn behind_a_lane(&self) -> Option<Waiting> {
        let behind = |gate: &Gate| Some((*gate.ready.first()?, self.holder(gate)?));
        let (step, holder) = self.gates.iter().filter_map(behind).min()?;
        Some(Waiting::Lane { step, holder })
    }

    fn start(&mut self, step: StepId) {
        let gate = &mut self.gates[self.gate_of[self.plan.step(step).tool.0 as usize]];
        gate.ready.remove(&step);
        // Lane 0 is no lane: any number of steps may be in it.
        self.lanes[gate.lane] = (gate.lane != 0).then_some(step);
        if let Some(Programs { dir, of }) = gate.programs {
            self.dirs[dir].of = Some(of);
            self.dirs[dir].holders.insert(step);
        }
    }

    fn finish(&mut self, step: StepId) {
        let gate = &self.gates[self.gate_of[self.plan.step(step).tool.0 as usize]];
        self.lanes[gate.lane] = None;
        if let Some(Programs { dir, .. }) = gate.programs {
            self.dirs[dir].holders.remove(&step);
        }
        let unfinished = &mut self.unfinished[self.plan.step(step).tool.0 as usize];
        *unfinished -= 1;
        if *unfinished == 0 {
            for step in std::mem::take(&mut self.blocked) {
                self.admit(step);
            }
        }
        self.admit(StepId { rank: step.rank, at: step.at + 1 });
    }

    /// Queues `step`, or the next one of its batch that is run, if there is one.
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
