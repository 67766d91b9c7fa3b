//! Events in, effects out: what the scheduler says, done.
//!
//! Whoever has news brings it here himself: a worker that has finished a step, and the thread that called for the
//! run with everything else. So a worker that finds work leaves with it, and nobody has to be woken in between:
//! with processes that live for a millisecond, waking cost a third of the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::super::pool::Token;
use super::super::scheduler::{self, Action, Limits, Scheduler, Slot};
use super::super::slow::Slow;
use super::{Executor, StepRun};
use crate::model::event::{Event, Waiting};
use crate::model::task::StepId;

/// How often somebody looks up when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// A step that is to be run, and the token for its process.
pub(super) struct Job {
    pub(super) step: StepId,
    pub(super) token: Token,
}

/// The state of a run.
pub(super) struct Dispatcher<'a, R> {
    executor: &'a Executor<'a>,
    scheduler: Scheduler<'a>,
    /// To the thread that waits for tokens.
    wish: Sender<()>,
    /// The token that has come.
    token: Option<Token>,
    /// What no worker has taken yet. Each has a worker that waits for it.
    pub(super) jobs: VecDeque<Job>,
    pub(super) runs: BTreeMap<StepId, StepRun<R>>,
    /// What the caller of the run has not been told yet.
    pub(super) news: Vec<Event<'static>>,
    slow: Slow,
    /// What was last told to be waited for.
    waiting: Option<Waiting>,
    /// Whether the workers may go.
    pub(super) is_over: bool,
}

impl<'a, R> Dispatcher<'a, R> {
    pub(super) fn new(executor: &'a Executor<'a>, parallel: usize, wish: Sender<()>) -> Self {
        let limits = Limits {
            parallel,
            own_slot: executor.pool.implicit().is_some(),
            fail_fast: executor.fail_fast,
            layout: executor.build_dirs.layout(),
        };
        let mut scheduler = Scheduler::new(executor.plan, limits);
        scheduler.skip(executor.plan.steps().filter(|step| !executor.is_due(*step)).collect());
        if executor.has_failed {
            scheduler.has_failed();
        }
        Self {
            executor,
            scheduler,
            wish,
            token: None,
            jobs: VecDeque::new(),
            runs: BTreeMap::new(),
            news: Vec::new(),
            slow: Slow::default(),
            waiting: None,
            is_over: false,
        }
    }

    /// No more than `parallel` steps run at once.
    pub(super) fn limit(&mut self, parallel: usize) {
        self.scheduler.limit(parallel);
    }

    /// Takes what a worker has done.
    pub(super) fn finish(&mut self, run: StepRun<R>) {
        self.slow.finish(run.step);
        self.news.push(Event::Finished(run.step));
        let event = scheduler::Event::Finished { step: run.step, fails: run.fails };
        self.runs.insert(run.step, run);
        self.tell(event);
    }

    /// Takes the token that was wished for.
    pub(super) fn grant(&mut self, token: Token) {
        self.token = Some(token);
        self.tell(scheduler::Event::Token);
    }

    /// Takes note that time has passed.
    pub(super) fn tick(&mut self) {
        self.tell(scheduler::Event::Tick);
    }

    fn tell(&mut self, event: scheduler::Event) {
        let now = self.executor.elapsed();
        self.scheduler.on(now, event);
        if self.executor.stop.reason().is_some() {
            self.scheduler.on(now, scheduler::Event::Interrupt);
        }
    }

    /// Does what there is to do. The time until there may be more, or `None` at the end.
    pub(super) fn act(&mut self) -> Option<Duration> {
        let Executor { pool, stop, .. } = self.executor;
        loop {
            match self.scheduler.next() {
                Action::Start(step, slot) => {
                    let token = match slot {
                        Slot::Own => pool.implicit(),
                        Slot::Pool => self.token.take(),
                    };
                    self.slow.start(step, self.executor.elapsed());
                    self.news.push(Event::Started(step));
                    self.jobs.push_back(Job { step, token: token.unwrap_or_else(Token::none) });
                }
                Action::Wish => match pool.try_acquire() {
                    Some(token) => self.grant(token),
                    // The thread that waits for tokens outlives the run.
                    None => drop(self.wish.send(())),
                },
                Action::GiveBack => self.token = None,
                Action::Refill { held } => pool.refill(held),
                Action::Stop(reason) => stop.stop(reason),
                Action::Wait(until) => {
                    let now = self.executor.elapsed();
                    let slow = self.slow.due(now).into_iter();
                    self.news.extend(slow.map(|(step, time)| Event::Slow(step, time)));
                    let waiting = self.scheduler.waiting();
                    if std::mem::replace(&mut self.waiting, waiting) != waiting {
                        self.news.push(Event::Waiting(waiting));
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

    /// Whether `--fail-fast`, and nothing else, kept steps from starting.
    pub(super) fn has_failed_fast(&self) -> bool {
        self.scheduler.has_failed_fast()
    }
}
