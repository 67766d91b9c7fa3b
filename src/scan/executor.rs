//! Runs a plan: one dispatcher, a thread for each process that may run, one thread that waits for tokens.
//!
//! The [`Scheduler`] is the only one to decide. The dispatcher tells it what the other threads report, and does
//! what it says. A worker runs the step's processes and hands each output to the caller's judge before it starts
//! the next: no more outputs wait to be judged than there are workers.

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::build_dirs::BuildDirs;
use super::environment::Env;
use super::launch::Launcher;
use super::pool::{Pool, Token};
use super::process::{self, Ending};
use super::program::{Missing, Programs, says_missing};
use super::scheduler::{self, Action, Limits, Scheduler, Slot, time_cap};
use super::slow::Slow;
use super::spool::{Kept, Outputs, Truncated};
use super::stop::{Stop, StopReason};
use crate::model::event::{Event, Waiting};
use crate::model::task::{Exit, Output, Plan, Program, Step, StepId, TaskIx, Unit};
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;
use crate::plan;

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
    /// Where output goes that is too long for memory, or is to be kept.
    pub outputs: &'a Outputs<'a>,
    /// Where cargo builds.
    pub build_dirs: BuildDirs,
    /// `--locked`, `--offline`, `--frozen`: how cargo may work, no part of what is selected.
    pub cargo_flags: Vec<String>,
    /// When the run began.
    pub started: Instant,
}

/// Reads the output of a process that ended by itself: the step, the tasks that the process covered, and what
/// it left.
pub type Judge<'a, R> = dyn Fn(&Step, &[TaskIx], &Output) -> Judged<R> + Sync + 'a;

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
    /// Something that it started still held its output open: what it would have said is lost.
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

enum Message<R> {
    Token(std::io::Result<Token>),
    Finished(StepRun<R>),
    /// A worker met a bug.
    Panicked(Box<dyn Any + Send>),
}

struct Job {
    step: StepId,
    token: Token,
}

/// How often the dispatcher looks up when nothing happens.
const TICK: Duration = Duration::from_millis(100);

impl Executor<'_> {
    /// Runs the plan. `judge` reads the output of a process that ended by itself, on the thread that ran it;
    /// `progress` is told what goes on, always on the calling thread.
    ///
    /// # Errors
    ///
    /// If the system has no threads left. Then nothing was started.
    pub fn run<R: Send + 'static>(
        &self,
        judge: &Judge<'_, R>,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> std::io::Result<Runs<R>> {
        let workers = self.parallel.clamp(1, self.plan.steps().count().max(1));
        let programs: Vec<_> = self.plan.graph.tools.iter().map(|tool| self.programs.of(tool)).collect();
        let mut runs = BTreeMap::new();
        let (events, inbox) = channel();
        let (jobs, queue) = channel();
        let queue = Mutex::new(queue);
        let launcher = Launcher::new(self);
        let failed_fast = std::thread::scope(|scope| {
            let start = |slot| {
                let (events, queue, programs, launcher) = (events.clone(), &queue, &programs, &launcher);
                let work = move || self.work(slot, queue, programs, launcher, judge, &events);
                std::thread::Builder::new().spawn_scoped(scope, work)
            };
            // A system that has few threads to give gets fewer workers; it must be one.
            start(0)?;
            let parallel = 1 + (1..workers as u32).map_while(|slot| start(slot).ok()).count();
            let wish = wait_for_tokens(self.pool.clone(), events)?;
            let mut dispatcher = Dispatcher::new(self, parallel, jobs, wish);
            dispatcher.run(&inbox, progress, &mut runs);
            std::io::Result::Ok(dispatcher.scheduler.has_failed_fast())
        });
        self.stop.children().end_orphans();
        let failed_fast = failed_fast?;
        let result = |step| runs.remove(&step).unwrap_or_else(|| StepRun::never_started(step));
        Ok(Runs { steps: self.plan.steps().map(result).collect(), failed_fast })
    }

    /// A worker's life: take a job, run it, give the token back, tell.
    fn work<R>(
        &self,
        slot: u32,
        queue: &Mutex<Receiver<Job>>,
        programs: &[Result<PathBuf, Missing>],
        launcher: &Launcher<'_>,
        judge: &Judge<'_, R>,
        events: &Sender<Message<R>>,
    ) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Job { step: id, token }) = job else { return };
            // A panic must reach the dispatcher: it would wait for this step for ever.
            let message =
                catch_unwind(AssertUnwindSafe(|| self.run_step(id, slot, programs, launcher, judge)))
                    .map_or_else(Message::Panicked, Message::Finished);
            drop(token);
            if events.send(message).is_err() {
                return;
            }
        }
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
    /// The time since the run began, less that of the pauses.
    fn elapsed(&self) -> Duration {
        self.stop.now().saturating_duration_since(self.started)
    }

    fn run_step<R>(
        &self,
        id: StepId,
        slot: u32,
        programs: &[Result<PathBuf, Missing>],
        launcher: &Launcher<'_>,
        judge: &Judge<'_, R>,
    ) -> StepRun<R> {
        let step = self.plan.step(id);
        let start = self.elapsed();
        let (pieces, kept) = (Vec::new(), Kept::default());
        let mut attempt =
            Attempt { executor: self, id, step, launcher, judge, pieces, kept, attempts: 0, fails: false };
        match &programs[step.tool.0 as usize] {
            Ok(program) => attempt.run(program),
            Err(missing) => attempt.push(step.tasks.clone(), Ended::Missing(missing.clone()), None),
        }
        let Attempt { pieces, kept, attempts, fails, .. } = attempt;
        let duration = self.elapsed().saturating_sub(start);
        StepRun { step: id, pieces, kept, start, duration, slot, attempts, fails }
    }
}

/// Starts the thread that waits for tokens: one for each wish. It is left behind at the end, for an acquire
/// that nobody can serve any more must not hold up the run.
fn wait_for_tokens<R: Send + 'static>(pool: Pool, events: Sender<Message<R>>) -> std::io::Result<Sender<()>> {
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

/// Events in, effects out.
struct Dispatcher<'a> {
    executor: &'a Executor<'a>,
    scheduler: Scheduler<'a>,
    jobs: Sender<Job>,
    wish: Sender<()>,
    /// The token that has come.
    token: Option<Token>,
    slow: Slow,
    /// What was last told to be waited for.
    waiting: Option<Waiting>,
}

impl<'a> Dispatcher<'a> {
    fn new(executor: &'a Executor<'a>, parallel: usize, jobs: Sender<Job>, wish: Sender<()>) -> Self {
        let limits = Limits {
            parallel,
            own_slot: executor.pool.implicit().is_some(),
            fail_fast: executor.fail_fast,
            one_build_dir: executor.build_dirs.is_one(),
        };
        let scheduler = Scheduler::new(executor.plan, limits);
        Self { executor, scheduler, jobs, wish, token: None, slow: Slow::default(), waiting: None }
    }

    fn run<R>(
        &mut self,
        inbox: &Receiver<Message<R>>,
        progress: &mut dyn FnMut(Event<'_>),
        runs: &mut BTreeMap<StepId, StepRun<R>>,
    ) {
        self.tell(scheduler::Event::Tick);
        while let Some(timeout) = self.act(progress) {
            let event = match inbox.recv_timeout(timeout) {
                Ok(Message::Token(token)) => {
                    // A pool that is gone must not stop the run: it goes on with what `--parallel` allows.
                    self.token = Some(token.unwrap_or_else(|_| Token::none()));
                    scheduler::Event::Token
                }
                Ok(Message::Finished(run)) => {
                    self.slow.finish(run.step);
                    progress(Event::Finished(run.step));
                    let event = scheduler::Event::Finished { step: run.step, fails: run.fails };
                    runs.insert(run.step, run);
                    event
                }
                Ok(Message::Panicked(payload)) => {
                    // Nobody else will: end what runs, then go down with it.
                    self.executor.stop.stop(StopReason::Bug);
                    resume_unwind(payload);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.executor.stop.children().reap_orphans();
                    progress(Event::Tick);
                    scheduler::Event::Tick
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.tell(event);
        }
    }

    fn tell(&mut self, event: scheduler::Event) {
        let now = self.executor.elapsed();
        self.scheduler.on(now, event);
        if self.executor.stop.reason().is_some() {
            self.scheduler.on(now, scheduler::Event::Interrupt);
        }
    }

    /// Does what there is to do. The time until there may be more, or `None` at the end.
    fn act(&mut self, progress: &mut dyn FnMut(Event<'_>)) -> Option<Duration> {
        let Executor { pool, stop, .. } = self.executor;
        loop {
            match self.scheduler.next() {
                Action::Start(step, slot) => {
                    let token = match slot {
                        Slot::Own => pool.implicit(),
                        Slot::Pool => self.token.take(),
                    };
                    self.slow.start(step, self.executor.elapsed());
                    progress(Event::Started(step));
                    // The workers outlive the dispatcher.
                    let _ = self.jobs.send(Job { step, token: token.unwrap_or_else(Token::none) });
                }
                Action::Wish => {
                    // The thread that waits for tokens outlives the dispatcher, too.
                    let _ = self.wish.send(());
                }
                Action::GiveBack => self.token = None,
                Action::Refill { held } => pool.refill(held),
                Action::Stop(reason) => stop.stop(reason),
                Action::Wait(until) => {
                    let now = self.executor.elapsed();
                    for (step, time) in self.slow.due(now) {
                        progress(Event::Slow(step, time));
                    }
                    let waiting = self.scheduler.waiting();
                    if std::mem::replace(&mut self.waiting, waiting) != waiting {
                        progress(Event::Waiting(waiting));
                    }
                    let left = until.map(|until| until.saturating_sub(now));
                    return Some(left.map_or(TICK, |left| left.min(TICK)));
                }
                Action::Done => return None,
            }
        }
    }
}

/// The processes of one step.
struct Attempt<'a, R> {
    executor: &'a Executor<'a>,
    id: StepId,
    step: &'a Step,
    launcher: &'a Launcher<'a>,
    judge: &'a Judge<'a, R>,
    pieces: Vec<Piece<R>>,
    kept: Kept,
    attempts: u32,
    fails: bool,
}

impl<R> Attempt<'_, R> {
    fn run(&mut self, program: &Path) {
        let tasks = &self.step.tasks;
        let allowed = |tasks| time_cap(&self.executor.plan.policy, tasks);
        if self.process(program, tasks, allowed(tasks.len())) || tasks.len() < 2 {
            return;
        }
        // It failed as a whole: each unit gets a process of its own, to find out which of them it was.
        self.pieces.clear();
        self.executor.outputs.discard(&mut self.kept);
        self.fails = false;
        for task in tasks {
            self.process(program, std::slice::from_ref(task), allowed(1));
        }
    }

    /// Runs the processes for `tasks`. False if one of them failed in a way that says nothing about which of
    /// several units is to blame.
    fn process(&mut self, program: &Path, tasks: &[TaskIx], timeout: Option<Duration>) -> bool {
        let Executor { workspace, plan, stop, outputs, .. } = self.executor;
        let tool = plan.graph.tool(self.step.tool);
        let units: Vec<Unit> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let mut is_clear = true;
        let built =
            units.first().and_then(|unit| self.launcher.program(*unit)).filter(|_| tool.uses_executable());
        if tool.uses_executable() && built.is_none() {
            self.push(tasks.to_vec(), Ended::NotBuilt, None);
            return true;
        }
        let executable = built.as_ref().map_or(OsStr::new(""), |built| built.path.as_os_str());
        for argv in plan::expand(workspace, plan, tool, &units, &self.executor.cargo_flags, executable) {
            if let Some(reason) = stop.reason() {
                self.push(tasks.to_vec(), Ended::Stopped(reason), None);
                continue;
            }
            self.attempts += 1;
            let (mut command, threads) = match self.launcher.command(tool, program, &argv, built.as_deref()) {
                Ok(started) => started,
                Err(error) => {
                    self.push(tasks.to_vec(), Ended::Crashed(error), None);
                    continue;
                }
            };
            let ran = process::run(&mut command, timeout, stop, outputs.dir());
            drop(threads);
            let ran = match ran {
                Ok(ran) => ran,
                Err(error) if error.kind() == ErrorKind::ArgumentListTooLong && tasks.len() > 1 => {
                    // This system takes less than the plan's cap: quietly several processes.
                    let (left, right) = tasks.split_at(tasks.len() / 2);
                    return self.process(program, left, timeout) & self.process(program, right, timeout);
                }
                Err(error) => {
                    // As configured: where it was found is a matter of this machine.
                    let name = argv.first().map(|name| name.to_string_lossy()).unwrap_or_default();
                    let what = format!("could not start `{name}`: {error}");
                    self.push(tasks.to_vec(), Ended::Crashed(what), None);
                    continue;
                }
            };
            let mut is_kept = true;
            let ended = match (&ran.ending, ran.exit) {
                (Ending::Stopped(reason), _) => Ended::Stopped(*reason),
                (Ending::TimedOut, _) => Ended::TimedOut,
                (Ending::Own, Exit::Signal(signal)) => Ended::Crashed(format!("died by {}", name_of(signal))),
                (Ending::Own, Exit::Code(code)) => {
                    let read = outputs.read(&ran, |output| {
                        if code != 0 && says_missing(&output.stderr) {
                            return Ended::Missing(Missing::subcommand(tool));
                        }
                        if ran.leaky {
                            return Ended::Leaky;
                        }
                        let judged = (self.judge)(self.step, tasks, output);
                        self.launcher.keep(judged.programs);
                        is_clear &= judged.is_clear;
                        is_kept = judged.is_kept;
                        self.fails |= judged.fails;
                        Ended::Judged(judged.result)
                    });
                    read.unwrap_or_else(Ended::Truncated)
                }
            };
            is_clear &= !matches!(ended, Ended::TimedOut | Ended::Crashed(_) | Ended::Truncated(_));
            // What is missing has no more to say, and who interrupts a run does not wait for it to write.
            is_kept &= !matches!(ended, Ended::Missing(_) | Ended::Stopped(StopReason::Signal(_)));
            if is_kept {
                outputs.keep(&self.name(tool), &ran, &mut self.kept);
            }
            self.push(tasks.to_vec(), ended, Some(raw_exit(ran.exit)));
        }
        is_clear
    }

    /// What the files are called that the output of the latest process is kept in: the same in every run.
    fn name(&self, tool: &Tool) -> String {
        let (tool, StepId { rank, at }) = (&tool.name, self.id);
        match self.attempts {
            1 => format!("{tool}-{rank}-{at}"),
            attempt => format!("{tool}-{rank}-{at}-{attempt}"),
        }
    }

    fn push(&mut self, tasks: Vec<TaskIx>, ended: Ended<R>, raw_exit: Option<i32>) {
        // What the judge has seen, it has spoken on; what was stopped did not fail.
        self.fails |= match ended {
            Ended::Judged(_) | Ended::Stopped(_) | Ended::NotBuilt => false,
            Ended::Missing(_) => !self.executor.plan.graph.tool(self.step.tool).is_only_detected(),
            _ => true,
        };
        self.pieces.push(Piece { tasks, ended, raw_exit });
    }
}

fn raw_exit(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => -signal,
    }
}

fn name_of(signal: i32) -> String {
    let known = [
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (15, "SIGTERM"),
    ];
    known
        .iter()
        .find(|(number, _)| *number == signal)
        .map_or(format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

#[cfg(all(test, unix))]
mod tests;
