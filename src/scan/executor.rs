//! Runs a plan: one dispatcher, a thread for each process that may run, one thread that waits for tokens.
//!
//! The scheduler is the only one to decide. The dispatcher tells it what the threads bring, and does what it
//! says. A worker runs the step's processes and hands each output to the caller's judge before it starts
//! the next: no more outputs wait to be judged than there are workers.

mod attempt;
mod dispatcher;
#[cfg(all(test, unix))]
mod tests;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use attempt::Attempt;
use dispatcher::{Dispatcher, Job};

use super::build_dirs::BuildDirs;
use super::environment::Env;
use super::launch::Launcher;
use super::pool::{Pool, Token};
use super::program::{Missing, Programs};
use super::spool::{Kept, Outputs, Sieves, Truncated};
use super::stop::{Stop, StopReason};
use crate::model::event::Event;
use crate::model::halt::Halted;
use crate::model::task::{Exit, Output, Plan, Program, Step, StepId, TaskIx};
use crate::model::workspace::Workspace;

/// Everything that a run needs to start processes.
pub struct Executor<'a> {
    /// Where they start, and what units are.
    pub workspace: &'a Workspace,
    /// What is run.
    pub plan: &'a Plan,
    /// Where programs are found.
    pub programs: &'a Programs,
    /// What children may see.
    pub env: &'a Env,
    /// The tokens.
    pub pool: &'a Pool,
    /// The switch that ends the run.
    pub stop: &'a Stop,
    /// How many processes run at once.
    pub parallel: usize,
    /// Whether nothing starts any more once a required tool has failed.
    pub fail_fast: bool,
    /// Whether one has if it is not installed and the workspace only shows that it uses it.
    pub absent_fails: bool,
    /// Whether one has, by what is known without running it.
    pub has_failed: bool,
    /// For each task, whether it is to be run: of the others the result is known.
    pub due: &'a [bool],
    /// Where output goes that is too long for memory, or is to be kept.
    pub outputs: &'a Outputs<'a>,
    /// Where cargo builds.
    pub build_dirs: BuildDirs,
    /// This program, if it can stand between cargo and rustc.
    pub own_program: Option<&'a Path>,
    /// `--locked`, `--offline`, `--frozen`: how cargo may work, no part of what is selected.
    pub cargo_flags: Vec<String>,
    /// When the run began.
    pub started: Instant,
}

/// Reads the output of a process that ended by itself: the step, the tasks that the process covered, and what
/// it left. Halted when the run gives up.
pub type Judge<'a, R> = dyn Fn(&Step, &[TaskIx], &Output) -> Result<Judged<R>, Halted> + Sync + 'a;

/// Says which lines of a long output the judge needs.
pub trait Sift: Sync {
    /// The sieves for the output of a process of `step` that ended like this.
    fn sieves(&self, step: &Step, exit: Exit) -> Sieves<'_>;
}

/// What the executor asks whom it works for, on the thread that runs the step.
pub struct Client<'a, R> {
    /// What the output of a process comes to.
    pub judge: &'a Judge<'a, R>,
    /// Which lines of a long output the judge needs.
    pub sift: &'a dyn Sift,
    /// The result of a task that runs this program, if it is known.
    pub recall: &'a Recall<'a, R>,
    /// Asked before each step whether it may run.
    pub admit: &'a Admit<'a>,
    /// Told of each step that was run.
    pub record: &'a Record<'a, R>,
}

/// Says why a step may not run, if it may not.
pub type Admit<'a> = dyn Fn(StepId) -> Option<String> + Sync + 'a;

/// Looks up the result of a task by the program that it runs, which was not there before.
pub type Recall<'a, R> = dyn Fn(TaskIx, &Program) -> Option<R> + Sync + 'a;

/// Takes down what became of a step.
pub type Record<'a, R> = dyn Fn(&StepRun<R>) + Sync + 'a;

/// What the judge makes of an output.
#[derive(Debug)]
pub struct Judged<R> {
    /// For the caller.
    pub result: R,
    /// Whether it says of every unit what became of it. If not, each of several units is run on its own.
    pub is_clear: bool,
    /// Whether it fails the run, if the tool is required.
    pub fails: bool,
    /// Whether the output is worth keeping: it has no verdict on something, and no finding tells why.
    pub is_kept: bool,
    /// The test programs that were built: steps that come later may name them.
    pub programs: Vec<Program>,
    /// All that the build put where others look for it: as long as tests run, it must stay as it is.
    pub outputs: Vec<PathBuf>,
    /// Whether the tool is to be run once more, in its second pass, for what this output does not tell.
    pub again: bool,
    /// Whether the same process is to be run once more, because it replayed what it had said of other inputs. Nothing else
    /// of this counts then.
    pub repeat: bool,
    /// Whether the output shows by itself that it is complete: it ends with a count that all of it agrees with.
    pub is_whole: bool,
}

/// How the processes of a step, or of one of its units alone, ended.
#[derive(Debug)]
pub enum Ended<R> {
    /// By themselves; what the judge made of it.
    Judged(R),
    /// After the time that they may take.
    TimedOut,
    /// By a signal, or they could not be started.
    Crashed(String),
    /// The program is not installed.
    Missing(Missing),
    /// Part of what it printed is lost.
    Truncated(Truncated),
    /// The program is one that another step builds, and it did not. Whether that is a failure, the other step says.
    NotBuilt,
    /// While it ran, another build replaced this program, which it may have started.
    Replaced(String),
    /// It was not started, for this reason.
    Withheld(String),
    /// Something that it started still held its output open, and nothing in the output shows that it is complete.
    Leaky,
    /// The run ended first.
    Stopped(StopReason),
}

/// The tasks that one process covered, and how it ended. A task may be in several pieces.
#[derive(Debug)]
pub struct Piece<R> {
    /// The tasks.
    pub tasks: Vec<TaskIx>,
    /// How it ended.
    pub ended: Ended<R>,
    /// The raw exit code or, negative, the signal; `None` if nothing ran.
    pub raw_exit: Option<i32>,
    /// Whether nothing had to be run: the result was known.
    pub is_recalled: bool,
    /// Whether it is a second pass over the tasks of the piece before.
    pub is_second: bool,
}

/// What became of a step.
#[derive(Debug)]
pub struct StepRun<R> {
    /// Which step.
    pub step: StepId,
    /// Its pieces, in the order of its tasks. Empty if it was never started.
    pub pieces: Vec<Piece<R>>,
    /// What its processes printed that left something without a verdict.
    pub kept: Kept,
    /// Since the run began.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// Which of the parallel slots ran it.
    pub slot: u32,
    /// How many processes it took, repetitions included.
    pub attempts: u32,
    /// Whether it fails the run, if the tool is required: by what was found, or for want of a verdict.
    pub fails: bool,
}

/// What became of a plan.
#[derive(Debug)]
pub struct Runs<R> {
    /// Every step, in plan order.
    pub steps: Vec<StepRun<R>>,
    /// Whether steps were not started because a required tool had failed.
    pub failed_fast: bool,
}

/// What the thread that called for the run is woken for.
enum Message {
    Token(std::io::Result<Token>),
    /// A worker has seen the end.
    Over,
    /// A worker met a bug.
    Panicked(Box<dyn Any + Send>),
}

/// What the workers share.
struct Shared<'a, R> {
    dispatcher: Mutex<Dispatcher<'a, R>>,
    /// Told when there are jobs, and at the end.
    news: Condvar,
    programs: Vec<Result<PathBuf, Missing>>,
    launcher: Launcher<'a>,
    client: &'a Client<'a, R>,
}

impl Executor<'_> {
    /// Runs the tasks of the plan that are due. `client` reads the output of a process that ended by itself, on the thread
    /// that ran it; `progress` is told what goes on, always on the calling thread and up to a tenth of a second later.
    ///
    /// # Errors
    ///
    /// If the system has no threads left. Then nothing was started.
    pub fn run<R: Send>(
        &self,
        client: &Client<'_, R>,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> std::io::Result<Runs<R>> {
        if let Some(cap) = self.plan.policy.max_duration {
            self.stop.end_at(self.started + cap);
        }
        let due = self.plan.steps().filter(|step| self.is_due(*step)).count();
        if due == 0 {
            let steps = self.plan.steps().map(StepRun::never_started).collect();
            return Ok(Runs { steps, failed_fast: false });
        }
        self.build_dirs.prepare(&self.plan.graph.tools);
        self.stop.children().guard_tokens(self.pool.held());
        let workers = self.parallel.clamp(1, due);
        let (events, inbox) = channel();
        let wish = wait_for_tokens(self.pool.clone(), events.clone())?;
        let shared = Shared {
            dispatcher: Mutex::new(Dispatcher::new(self, workers, wish)),
            news: Condvar::new(),
            programs: self.plan.graph.tools.iter().map(|tool| self.programs.of(tool)).collect(),
            launcher: Launcher::new(self),
            client,
        };
        std::thread::scope(|scope| {
            let start = |slot| {
                let (shared, events) = (&shared, events.clone());
                std::thread::Builder::new().spawn_scoped(scope, move || self.work(slot, shared, &events))
            };
            // A system that has few threads to give gets fewer workers; it must be one.
            start(0)?;
            let parallel = 1 + (1..workers as u32).map_while(|slot| start(slot).ok()).count();
            shared.lock().limit(parallel);
            self.attend(&shared, &inbox, progress);
            std::io::Result::Ok(())
        })?;
        self.stop.children().end_orphans();
        self.stop.children().dismiss_guard();
        self.stop.begin_report();
        let mut dispatcher = shared.dispatcher.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = |step| dispatcher.runs.remove(&step).unwrap_or_else(|| StepRun::never_started(step));
        let steps = self.plan.steps().map(result).collect();
        Ok(Runs { steps, failed_fast: dispatcher.has_failed_fast() })
    }

    /// What the calling thread does: bring tokens and the passing of time, tell how it goes.
    fn attend<R>(
        &self,
        shared: &Shared<'_, R>,
        inbox: &Receiver<Message>,
        progress: &mut dyn FnMut(Event<'_>),
    ) {
        let _over = Over { shared, stop: self.stop };
        loop {
            let mut dispatcher = shared.lock();
            dispatcher.tick();
            let timeout = shared.act(&mut dispatcher);
            let news = std::mem::take(&mut dispatcher.news);
            drop(dispatcher);
            news.into_iter().for_each(&mut *progress);
            let Some(timeout) = timeout else { return };
            match inbox.recv_timeout(timeout) {
                // A pool that is gone must not stop the run: it goes on with what `--parallel` allows.
                Ok(Message::Token(token)) => shared.lock().grant(token.unwrap_or_else(|_| Token::none())),
                Ok(Message::Over) => {}
                Ok(Message::Panicked(payload)) => resume_unwind(payload),
                Err(_) => {
                    self.stop.children().reap_orphans();
                    progress(Event::Tick);
                }
            }
        }
    }

    /// A worker's life: take a job, run it, give the token back, tell.
    fn work<R>(&self, slot: u32, shared: &Shared<'_, R>, events: &Sender<Message>) {
        // A panic must reach the calling thread: it would wait for this step for ever.
        let worked = catch_unwind(AssertUnwindSafe(|| {
            while let Some(Job { step, token }) = shared.next() {
                let run = self.run_step(step, slot, shared);
                (shared.client.record)(&run);
                drop(token);
                let mut dispatcher = shared.lock();
                dispatcher.finish(run);
                shared.act(&mut dispatcher);
            }
        }));
        // At the end, nobody may be there to hear it.
        let _ = events.send(worked.map_or_else(Message::Panicked, |()| Message::Over));
    }
}

/// However the calling thread leaves, the workers leave too: the scope waits for them.
struct Over<'a, 'b, R> {
    shared: &'a Shared<'b, R>,
    stop: &'a Stop,
}

impl<R> Drop for Over<'_, '_, R> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody else will: end what runs, then go down.
            self.stop.stop(StopReason::Bug);
        }
        self.shared.lock().is_over = true;
        self.shared.news.notify_all();
    }
}

impl<'a, R> Shared<'a, R> {
    fn lock(&self) -> MutexGuard<'_, Dispatcher<'a, R>> {
        self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what there is to do, and wakes who is to do the rest.
    fn act(&self, dispatcher: &mut Dispatcher<'_, R>) -> Option<Duration> {
        let timeout = dispatcher.act();
        match timeout {
            Some(_) => (0..dispatcher.jobs.len()).for_each(|_| self.news.notify_one()),
            None => self.news.notify_all(),
        }
        timeout
    }

    /// Waits for a job; `None` at the end.
    fn next(&self) -> Option<Job> {
        let is_idle = |state: &mut Dispatcher<'_, R>| state.jobs.is_empty() && !state.is_over;
        let state = self.news.wait_while(self.lock(), is_idle);
        state.unwrap_or_else(PoisonError::into_inner).jobs.pop_front()
    }
}

impl<R> StepRun<R> {
    fn never_started(step: StepId) -> Self {
        let (zero, kept) = (Duration::ZERO, Kept::default());
        Self {
            step,
            pieces: Vec::new(),
            kept,
            start: zero,
            duration: zero,
            slot: 0,
            attempts: 0,
            fails: false,
        }
    }
}

impl Executor<'_> {
    /// Whether any task of `step` is to be run.
    fn is_due(&self, step: StepId) -> bool {
        self.plan.step(step).tasks.iter().any(|task| self.due[task.0 as usize])
    }

    /// The time since the run began, less that of the pauses.
    fn elapsed(&self) -> Duration {
        self.stop.now().saturating_duration_since(self.started)
    }

    fn run_step<R>(&self, id: StepId, slot: u32, shared: &Shared<'_, R>) -> StepRun<R> {
        let Shared { programs, launcher, client, .. } = shared;
        let step = self.plan.step(id);
        let tasks: Vec<_> = step.tasks.iter().copied().filter(|task| self.due[task.0 as usize]).collect();
        let start = self.elapsed();
        let (pieces, kept) = (Vec::new(), Kept::default());
        let mut attempt = Attempt {
            executor: self,
            id,
            step,
            launcher,
            programs,
            client,
            pieces,
            kept,
            attempts: 0,
            fails: false,
            is_second: false,
            tell: &|event| shared.lock().news.push(event),
        };
        match (&programs[step.tool.0 as usize], (client.admit)(id)) {
            (_, Some(why)) => attempt.push(tasks, Ended::Withheld(why), None),
            (Ok(program), None) => attempt.run(program, &tasks),
            (Err(missing), None) => attempt.push(tasks, Ended::Missing(missing.clone()), None),
        }
        let Attempt { pieces, kept, attempts, fails, .. } = attempt;
        let duration = self.elapsed().saturating_sub(start);
        StepRun { step: id, pieces, kept, start, duration, slot, attempts, fails }
    }
}

/// Starts the thread that waits for tokens: one for each wish. It is left behind at the end, for an acquire
/// that nobody can serve any more must not hold up the run.
fn wait_for_tokens(pool: Pool, events: Sender<Message>) -> std::io::Result<Sender<()>> {
    let (wish, wishes) = channel();
    std::thread::Builder::new().spawn(move || {
        while let Ok(()) = wishes.recv() {
            if events.send(Message::Token(pool.acquire())).is_err() {
                return;
            }
        }
    })?;
    Ok(wish)
}
