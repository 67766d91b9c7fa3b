//! Passes events to the scheduler and carries out the actions it returns.
//!
//! Events are reported on the thread where they occur: by a worker that finished a step, and by the calling thread
//! for everything else. A worker that finds another job takes it right away and no thread has to be woken. With
//! processes that take about a millisecond, waking threads cost a third of the time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::super::pool::JobToken;
use super::super::scheduler::{self, Action, Limits, Scheduler, Slot};
use super::super::slow::Slow;
use super::{Executor, StepRun};
use crate::model::event::{Doing, Event, Waiting};
use crate::model::task::StepId;

/// Interval at which the state is checked when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// A step to run, and the token for its process.
pub(super) struct StepJob {
    pub(super) step: StepId,
    pub(super) token: JobToken,
    /// True if a worker on another machine runs it.
    pub(super) is_away: bool,
}

/// State of a run.
pub(super) struct Dispatcher<'a, R> {
    executor: &'a Executor<'a>,
    scheduler: Scheduler<'a>,
    /// Sends requests to the thread that waits for tokens.
    token_requests: Sender<()>,
    /// The token that was granted and is not used yet.
    token: Option<JobToken>,
    /// Jobs not yet taken by a worker. There is an idle worker for each.
    pub(super) jobs: VecDeque<StepJob>,
    pub(super) runs: BTreeMap<StepId, StepRun<R>>,
    /// Events not yet passed to the caller of the run.
    pub(super) events: Vec<Event<'static>>,
    /// Activities of running steps that have changed.
    pub(super) doing: BTreeMap<StepId, Doing>,
    slow: Slow,
    /// Steps that came back from a worker without a result.
    came_back: BTreeSet<StepId>,
    /// The reason for waiting that was last reported.
    reported_waiting: Option<Waiting>,
    /// True if the workers should stop.
    pub(super) is_over: bool,
}

impl<'a, R> Dispatcher<'a, R> {
    pub(super) fn new(executor: &'a Executor<'a>, parallel: usize, token_requests: Sender<()>) -> Self {
        let limits = Limits {
            parallel,
            away: executor.away(),
            own_slot: executor.pool.implicit().is_some(),
            fail_fast: executor.fail_fast,
            layout: executor.build_dirs.layout(),
        };
        let mut scheduler = Scheduler::new(executor.plan, limits);
        scheduler.skip(executor.plan.steps().filter(|step| !executor.is_due(*step)).collect());
        if let Some(workers) = executor.workers {
            let steps = executor.plan.steps().filter(|step| executor.is_due(*step));
            scheduler.send(steps.filter(|step| workers.take(*step)).collect());
        }
        if executor.has_failed {
            scheduler.set_failed();
        }
        Self {
            executor,
            scheduler,
            token_requests,
            token: None,
            jobs: VecDeque::new(),
            runs: BTreeMap::new(),
            events: Vec::new(),
            doing: BTreeMap::new(),
            slow: Slow::default(),
            came_back: BTreeSet::new(),
            reported_waiting: None,
            is_over: false,
        }
    }

    /// Sets the maximum number of steps that run at the same time, here and away.
    pub(super) fn set_parallel(&mut self, parallel: usize, away: usize) {
        self.scheduler.set_parallel(parallel, away);
    }

    /// Handles the end of a step.
    pub(super) fn finish(&mut self, run: StepRun<R>) {
        self.slow.finish(run.step);
        self.doing.remove(&run.step);
        self.events.push(Event::Finished(run.step));
        let event = scheduler::Event::Finished { step: run.step, fails: run.fails };
        self.runs.insert(run.step, run);
        self.notify(event);
    }

    /// Handles the return of a step that a worker has not brought to an end.
    pub(super) fn put_back(&mut self, step: StepId) {
        self.slow.finish(step);
        self.doing.remove(&step);
        self.came_back.insert(step);
        self.notify(scheduler::Event::CameBack(step));
    }

    /// Handles the arrival of a requested token.
    pub(super) fn grant(&mut self, token: JobToken) {
        self.token = Some(token);
        self.notify(scheduler::Event::Token);
    }

    /// Handles the passing of time.
    pub(super) fn tick(&mut self) {
        self.notify(scheduler::Event::Tick);
    }

    fn notify(&mut self, event: scheduler::Event) {
        let now = self.executor.elapsed();
        self.scheduler.on(now, event);
        if self.executor.workers.is_some_and(|workers| !workers.are_alive()) {
            self.scheduler.on(now, scheduler::Event::WorkersGone);
        }
        if self.executor.stop.reason().is_some() {
            self.scheduler.on(now, scheduler::Event::Interrupt);
        }
    }

    /// Carries out actions until there is nothing to do. Returns the time to wait, or `None` at the end of the
    /// run.
    pub(super) fn act(&mut self) -> Option<Duration> {
        let Executor { pool, stop, .. } = self.executor;
        loop {
            match self.scheduler.next() {
                Action::Start(step, slot) => {
                    let token = match slot {
                        Slot::Own => pool.implicit(),
                        Slot::Pool => self.token.take(),
                        Slot::Away => None,
                    };
                    self.slow.start(step, self.executor.elapsed());
                    if !self.came_back.contains(&step) {
                        self.events.push(Event::Started(step));
                    }
                    let (token, is_away) = (token.unwrap_or_else(JobToken::none), slot == Slot::Away);
                    self.jobs.push_back(StepJob { step, token, is_away });
                }
                Action::RequestToken => match pool.try_acquire() {
                    Some(token) => self.grant(token),
                    // The thread that waits for tokens outlives the run, so sending succeeds.
                    None => drop(self.token_requests.send(())),
                },
                Action::GiveBack => self.token = None,
                Action::Refill { held } => pool.refill(held),
                Action::Stop(reason) => stop.stop(reason),
                Action::Wait(until) => {
                    let now = self.executor.elapsed();
                    let slow = self.slow.due(now).into_iter();
                    self.events.extend(slow.map(|(step, time)| Event::Slow(step, time)));
                    let reported_waiting = self.scheduler.waiting();
                    if std::mem::replace(&mut self.reported_waiting, reported_waiting) != reported_waiting {
                        self.events.push(Event::Waiting(reported_waiting));
                    }
                    let left = until.map(|until| until.saturating_sub(now));
                    return Some(left.map_or(TICK, |left| left.min(TICK)));
                }
                Action::Done => {
                    self.is_over = true;
                    return None;
                }
            }
        }
    }

    /// Returns whether steps were not started because of `--fail-fast` alone.
    pub(super) fn has_failed_fast(&self) -> bool {
        self.scheduler.has_failed_fast()
    }
}
