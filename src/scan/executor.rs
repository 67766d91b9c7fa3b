//! Runs a plan with one dispatcher, one worker thread per parallel process, and one thread that waits for tokens.
//!
//! The scheduler makes all decisions. The dispatcher passes events from the threads to it and carries out its
//! actions. A worker runs the processes of a step and passes each output to the caller's judge before it starts
//! the next process, so at most one output per worker waits to be judged.

mod attempt;
mod dispatcher;
#[cfg(all(test, unix))]
mod tests;
#[cfg(target_os = "linux")]
mod wrapped_tests;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attempt::Attempt;
use dispatcher::{Dispatcher, StepJob};

use super::launch::Launcher;
use super::outputs::{Kept, Sieves};
use super::pool::{JobToken, Pool};
use super::program::Missing;
use super::runner::{Away, Runner, Workers};
use super::sandbox::Observed;
use super::services::Services;
use super::setup::Executor;
use super::spool::Truncated;
use super::stop::{Stop, StopReason};
use super::wrapped_tests::WrappedTestCache;
use crate::model::event::Event;
use crate::model::halt::Halted;
use crate::model::task::{Exit, Output, Program, Step, StepId, TaskIx};
use crate::model::tool::Tool;

/// Evaluates the output of a process that exited by itself, given the step and the tasks it covered. Returns
/// `Halted` if the run was cancelled meanwhile.
pub type Judge<'a, R> = dyn Fn(&Step, &[TaskIx], &Output) -> Result<Judged<R>, Halted> + Sync + 'a;

/// Says which lines of a long output the judge needs.
pub trait Sift: Sync {
    /// Returns the sieves for the output of a process of `step` that ended like this.
    fn sieves(&self, step: &Step, exit: Exit) -> Sieves<'_>;
}

/// Callbacks of the caller, called on the thread that runs the step.
pub struct Client<'a, R> {
    /// Evaluates the output of a process.
    pub judge: &'a Judge<'a, R>,
    /// Says which lines of a long output the judge needs.
    pub sift: &'a dyn Sift,
    /// Looks up the cached result of a task that runs a given program, and decides whether a process is observed.
    pub recall: &'a Recall<'a, R>,
    /// Looks up and stores the results of the doc tests of single crates; `None` if nobody does.
    pub wrapped_tests: Option<&'a dyn WrappedTestCache>,
    /// Called before each step to decide if it may run.
    pub admit: &'a Admit<'a>,
    /// Called before each task of an admitted step to decide if it may run.
    pub unmet: &'a UnmetNeed<'a>,
    /// Called after each step that a worker on another machine has brought to an end. Returns true if it has to run here as well.
    pub runs_here: &'a RunsHere<'a, R>,
    /// Called after each step that was run.
    pub record: &'a Record<'a, R>,
}

/// Returns the reason why a task can't run, if something that it needs has no result.
pub type UnmetNeed<'a> = dyn Fn(TaskIx) -> Option<String> + Sync + 'a;

/// Returns the reason why a step must not run, if there is one.
pub type Admit<'a> = dyn Fn(StepId) -> Option<String> + Sync + 'a;

/// Looks up the cached result of a task by the program it runs, which is only known after the build. For an observed tool that runs
/// no such program, it only decides whether a process over these tasks is observed.
pub type Recall<'a, R> = dyn Fn(&[TaskIx], Option<&Program>) -> Recalled<R> + Sync + 'a;

/// Answer of the cache for a process that is about to start.
#[derive(Debug)]
pub enum Recalled<R> {
    /// The result. Nothing runs.
    Hit(Box<R>),
    /// It runs.
    Run,
    /// It runs, and is observed.
    Observe,
}

/// Decides whether a step has to run on this machine although a worker has a result.
pub type RunsHere<'a, R> = dyn Fn(&StepRun<R>) -> bool + Sync + 'a;

/// Records the result of a step.
pub type Record<'a, R> = dyn Fn(&StepRun<R>) + Sync + 'a;

/// Result of judging an output.
#[derive(Debug)]
pub struct Judged<R> {
    /// The result, for the caller.
    pub result: R,
    /// True if the outcome of every unit is known. If not, and there are several units, each one is run on its
    /// own.
    pub is_clear: bool,
    /// True if the output fails the run if the tool is required.
    pub fails: bool,
    /// True if everything has a verdict, and nothing was found.
    pub is_clean: bool,
    /// True if the output is kept, because something has no verdict and no finding explains why.
    pub is_kept: bool,
    /// Test programs that were built. Later steps may run them.
    pub programs: Vec<Program>,
    /// Files of the build that other processes use. They must not change while tests run.
    pub outputs: Vec<PathBuf>,
    /// True if the tool needs a second pass for information missing from this output.
    pub again: bool,
    /// True if the same process must run again, because it replayed output for other inputs. All other fields are
    /// then ignored.
    pub repeat: bool,
    /// True if the output is provably complete, because it ends with a count that matches its content.
    pub is_whole: bool,
    /// Names of failed tests that can be run again.
    pub failed_tests: Vec<String>,
    /// Number of tests that are known to have run.
    pub tests_run: u64,
}

/// End of the processes of a step, or of a single unit of it.
#[derive(Clone, Debug)]
pub enum Ended<R> {
    /// They exited by themselves. Holds the result of the judge.
    Judged(R),
    /// They exceeded their time limit. Holds the end of the message: which tests were running. Empty if it is not known.
    TimedOut(String),
    /// They were killed by a signal or could not be started.
    Crashed(String),
    /// The program is not installed.
    Missing(Missing),
    /// Part of the output is lost.
    Truncated(Truncated),
    /// The build step did not produce the program to run. That step determines whether this is a failure.
    NotBuilt,
    /// Another build replaced this program while the process ran and may have used it.
    Replaced(String),
    /// The step was not started, for this reason.
    Withheld(String),
    /// The step does not run on this system, for this reason.
    Elsewhere(String),
    /// A process started by it kept the output open, and nothing in the output shows that it is complete.
    Leaky,
    /// The run was cancelled first.
    Stopped(StopReason),
}

/// Tasks that one process covered, and the end of that process. A task may be in several pieces.
#[derive(Clone, Debug)]
pub struct StepPiece<R> {
    /// The tasks covered.
    pub tasks: Vec<TaskIx>,
    /// End of the process.
    pub ended: Ended<R>,
    /// Raw exit code, or the negated signal number. `None` if nothing ran.
    pub raw_exit: Option<i32>,
    /// True if the result was cached, so nothing ran.
    pub is_recalled: bool,
    /// True if this is a second pass over the tasks of the previous piece.
    pub is_second: bool,
    /// True if the tool ran again over the tasks of the previous pieces, or only their failed tests did.
    pub is_retry: bool,
    /// Observation of the process, or of one before it.
    pub observed: Option<Box<Observed>>,
    /// True if the observed process was restricted, so this is the result of a second one that was not.
    pub is_outside: bool,
}

/// Result of a step.
#[derive(Debug)]
pub struct StepRun<R> {
    /// The step.
    pub step: StepId,
    /// Pieces in the order of the tasks. Empty if the step was never started.
    pub pieces: Vec<StepPiece<R>>,
    /// Output of its processes, kept if some task has no verdict.
    pub kept: Kept,
    /// Start time, relative to the start of the run.
    pub start: Duration,
    /// Duration of the step.
    pub duration: Duration,
    /// Index of the worker that ran it.
    pub slot: u32,
    /// Number of processes started, including repetitions.
    pub attempts: u32,
    /// True if it fails the run if the tool is required, because of findings or a missing verdict.
    pub fails: bool,
    /// True if it ran on another machine.
    pub is_away: bool,
}

/// Results of a plan.
#[derive(Debug)]
pub struct Runs<R> {
    /// Results of all steps, in plan order.
    pub steps: Vec<StepRun<R>>,
    /// True if steps were not started because a required tool had failed.
    pub failed_fast: bool,
}

/// Messages that wake the calling thread.
enum ExecutorMessage {
    Token(std::io::Result<JobToken>),
    /// A worker has reached the end of the run.
    Over,
    /// A worker panicked.
    Panicked(Box<dyn Any + Send>),
}

/// State shared by the workers.
struct Shared<'a, R> {
    dispatcher: Mutex<Dispatcher<'a, R>>,
    /// Notified when there are new jobs, and at the end.
    wakeup: Condvar,
    programs: Vec<Result<PathBuf, Missing>>,
    launcher: Launcher<'a>,
    services: &'a Services<'a>,
    client: &'a Client<'a, R>,
}

impl Executor<'_> {
    /// Runs the due tasks of the plan. Output is judged by `client` on the thread that ran the process. `progress`
    /// is always called on the calling thread, with a delay of up to a tenth of a second.
    ///
    /// # Errors
    ///
    /// If no thread can be started. Nothing has run in that case.
    pub fn run<R: Send>(
        &self,
        client: &Client<'_, R>,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> std::io::Result<Runs<R>> {
        let due = self.plan.steps().filter(|step| self.is_due(*step)).count();
        if due == 0 {
            let steps = self.plan.steps().map(StepRun::never_started).collect();
            return Ok(Runs { steps, failed_fast: false });
        }
        self.build_dirs.prepare(&self.plan.graph.tools);
        self.stop.children().guard_tokens(self.pool.held());
        let workers = self.parallel.clamp(1, due);
        let threads = workers + self.away();
        let (events, inbox) = channel();
        let requests = wait_for_tokens(self.pool.clone(), events.clone())?;
        let services = Services::new(self)?;
        let shared = Shared {
            dispatcher: Mutex::new(Dispatcher::new(self, workers, requests)),
            wakeup: Condvar::new(),
            programs: self.plan.graph.tools.iter().map(|tool| self.programs.of(tool)).collect(),
            launcher: Launcher::new(self),
            services: &services,
            client,
        };
        std::thread::scope(|scope| {
            // However this ends, so do the services.
            let _end = EndServices(&services);
            services.start(scope);
            let start = |slot| {
                let (shared, events) = (&shared, events.clone());
                std::thread::Builder::new().spawn_scoped(scope, move || self.work(slot, shared, &events))
            };
            // Systems with a limited number of threads get fewer workers, but at least one.
            start(0)?;
            let started = 1 + (1..threads as u32).map_while(|slot| start(slot).ok()).count();
            let parallel = started.min(workers);
            shared.lock().set_parallel(parallel, started - parallel);
            self.coordinate(&shared, &inbox, progress);
            std::io::Result::Ok(())
        })?;
        self.stop.children().kill_orphans();
        self.stop.children().dismiss_guard();
        self.stop.begin_report();
        let mut dispatcher = shared.dispatcher.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = |step| dispatcher.runs.remove(&step).unwrap_or_else(|| StepRun::never_started(step));
        let mut steps: Vec<_> = self.plan.steps().map(result).collect();
        // The output of a service may explain why a tool failed.
        for run in steps.iter_mut().filter(|run| run.fails) {
            services.keep(self.plan.graph.tool(self.plan.step(run.step).tool), &mut run.kept);
        }
        Ok(Runs { steps, failed_fast: dispatcher.has_failed_fast() })
    }

    /// Loop of the calling thread: passes tokens and the time to the scheduler, and events to `progress`.
    fn coordinate<R>(
        &self,
        shared: &Shared<'_, R>,
        inbox: &Receiver<ExecutorMessage>,
        progress: &mut dyn FnMut(Event<'_>),
    ) {
        let _over = StopWorkers { shared, stop: self.stop };
        loop {
            let mut dispatcher = shared.lock();
            dispatcher.tick();
            let timeout = shared.act(&mut dispatcher);
            let events = std::mem::take(&mut dispatcher.events);
            let doing = std::mem::take(&mut dispatcher.doing);
            drop(dispatcher);
            events.into_iter().for_each(&mut *progress);
            doing.iter().for_each(|(step, doing)| progress(Event::Doing(*step, doing)));
            let Some(timeout) = timeout else { return };
            match inbox.recv_timeout(timeout) {
                // If the pool fails, the run continues with the limit of `--parallel` alone.
                Ok(ExecutorMessage::Token(token)) => {
                    shared.lock().grant(token.unwrap_or_else(|_| JobToken::none()))
                }
                Ok(ExecutorMessage::Over) => {}
                Ok(ExecutorMessage::Panicked(payload)) => resume_unwind(payload),
                Err(_) => {
                    self.stop.children().reap_orphans();
                    progress(Event::Tick);
                }
            }
        }
    }

    /// Loop of a worker: takes a job, runs it, returns the token and reports the result.
    fn work<R>(&self, slot: u32, shared: &Shared<'_, R>, events: &Sender<ExecutorMessage>) {
        // Panics must reach the calling thread, which would otherwise wait for this step forever.
        let worked = catch_unwind(AssertUnwindSafe(|| {
            while let Some(StepJob { step, token, is_away }) = shared.next() {
                let run = match is_away {
                    true => self.run_away(step, slot, shared),
                    false => Some(self.run_step(step, slot, shared, self.runner)),
                };
                run.iter().for_each(|run| (shared.client.record)(run));
                drop(token);
                let mut dispatcher = shared.lock();
                match run {
                    Some(run) => dispatcher.finish(run),
                    None => dispatcher.put_back(step),
                }
                shared.act(&mut dispatcher);
            }
        }));
        // The receiver may be gone at the end of the run.
        let _ = events.send(worked.map_or_else(ExecutorMessage::Panicked, |()| ExecutorMessage::Over));
    }
}

/// Stops the workers however the calling thread leaves. The thread scope waits for them.
struct StopWorkers<'a, 'b, R> {
    shared: &'a Shared<'b, R>,
    stop: &'a Stop,
}

impl<R> Drop for StopWorkers<'_, '_, R> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Only this stops the running processes before the panic continues.
            self.stop.stop(StopReason::Bug);
        }
        self.shared.lock().is_over = true;
        self.shared.wakeup.notify_all();
    }
}

/// Ends the services when it is dropped. The thread scope waits for their threads.
struct EndServices<'a>(&'a Services<'a>);

impl Drop for EndServices<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<'a, R> Shared<'a, R> {
    fn lock(&self) -> MutexGuard<'_, Dispatcher<'a, R>> {
        self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out all pending actions and wakes the workers that have something to do.
    fn act(&self, dispatcher: &mut Dispatcher<'_, R>) -> Option<Duration> {
        let timeout = dispatcher.act();
        match timeout {
            Some(_) => (0..dispatcher.jobs.len()).for_each(|_| self.wakeup.notify_one()),
            None => self.wakeup.notify_all(),
        }
        timeout
    }

    /// Waits for a job. Returns `None` at the end of the run.
    fn next(&self) -> Option<StepJob> {
        let is_idle = |state: &mut Dispatcher<'_, R>| state.jobs.is_empty() && !state.is_over;
        let state = self.wakeup.wait_while(self.lock(), is_idle);
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
            is_away: false,
        }
    }
}

impl Executor<'_> {
    /// Returns whether any task of `step` needs to run.
    fn is_due(&self, step: StepId) -> bool {
        self.plan.step(step).tasks.iter().any(|task| self.due[task.0 as usize])
    }

    /// Returns the time since the start of the run, without pauses.
    fn elapsed(&self) -> Duration {
        self.stop.now().saturating_duration_since(self.started)
    }

    /// Returns the number of steps that run on other machines at the same time.
    fn away(&self) -> usize {
        self.workers.map_or(0, Workers::slots)
    }

    /// Runs a step on another machine. `None` if its result is not beyond doubt, so that it has to run here: a process had no
    /// result from a worker, or part of the step has no verdict.
    fn run_away<R>(&self, step: StepId, slot: u32, shared: &Shared<'_, R>) -> Option<StepRun<R>> {
        let away = Away::new(self.workers?);
        let mut run = self.run_step(step, slot, shared, &away);
        let is_judged = run.pieces.iter().all(|piece| matches!(piece.ended, Ended::Judged(_)));
        run.is_away = true;
        if !is_judged || away.has_failed() || !run.kept.files.is_empty() || (shared.client.runs_here)(&run) {
            self.outputs.discard(&mut run.kept);
            return None;
        }
        Some(run)
    }

    fn run_step<'s, R>(
        &'s self,
        id: StepId,
        slot: u32,
        shared: &'s Shared<'_, R>,
        runner: &'s dyn Runner,
    ) -> StepRun<R> {
        let Shared { programs, launcher, services, client, .. } = shared;
        let step = self.plan.step(id);
        let tasks: Vec<_> = step.tasks.iter().copied().filter(|task| self.due[task.0 as usize]).collect();
        let start = self.elapsed();
        let (pieces, kept) = (Vec::new(), Kept::default());
        let mut attempt = Attempt {
            executor: self,
            runner,
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
            is_retry: false,
            is_observed: false,
            observed: None,
            is_recalled: false,
            unfinished: String::new(),
            emit: &|event| shared.lock().events.push(event),
            doing: &|doing| drop(shared.lock().doing.insert(id, doing.clone())),
        };
        let elsewhere = elsewhere(self.plan.graph.tool(step.tool));
        // A step that does not run here needs no preparation either.
        let refused = if elsewhere.is_some() { None } else { (client.admit)(id) };
        match (&programs[step.tool.0 as usize], elsewhere, refused) {
            (_, Some(why), _) => attempt.push(tasks, Ended::Elsewhere(why), None),
            (_, None, Some(why)) => attempt.push(tasks, Ended::Withheld(why), None),
            (Ok(program), None, None) => {
                let (mut ready, mut withheld) = (Vec::new(), Vec::new());
                for task in tasks {
                    match (client.unmet)(task) {
                        Some(why) => withheld.push((task, why)),
                        None => ready.push(task),
                    }
                }
                let tool = self.plan.graph.tool(step.tool);
                if !ready.is_empty() {
                    match services.need(tool) {
                        Ok(()) => {
                            attempt.run(program, &ready);
                            attempt.fail_if(services.dead(tool));
                        }
                        Err(why) => attempt.push(ready, attempt.unless_stopped(why), None),
                    }
                }
                for (task, why) in withheld {
                    attempt.push(vec![task], Ended::Withheld(why), None);
                }
            }
            (Err(missing), None, None) => attempt.push(tasks, Ended::Missing(missing.clone()), None),
        }
        let Attempt { pieces, kept, attempts, fails, .. } = attempt;
        let duration = self.elapsed().saturating_sub(start);
        StepRun { step: id, pieces, kept, start, duration, slot, attempts, fails, is_away: false }
    }
}

/// Returns the reason why `tool` does not run on this system, if it is of a variant for others.
fn elsewhere(tool: &Tool) -> Option<String> {
    let variant = tool.variant.as_ref().filter(|_| !tool.runs_on(std::env::consts::OS))?;
    Some(variant.limit())
}

/// Starts the thread that acquires a token for each request. It is not joined at the end, because it may be
/// waiting for a token that never comes.
fn wait_for_tokens(pool: Pool, events: Sender<ExecutorMessage>) -> std::io::Result<Sender<()>> {
    let (requests, inbox) = channel();
    std::thread::Builder::new().spawn(move || {
        while let Ok(()) = inbox.recv() {
            if events.send(ExecutorMessage::Token(pool.acquire())).is_err() {
                return;
            }
        }
    })?;
    Ok(requests)
}
