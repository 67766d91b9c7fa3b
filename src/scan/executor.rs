//! Runs a plan: one dispatcher, a thread for each process that may run, one thread that waits for tokens.
//!
//! The dispatcher owns the [`Scheduler`] and is the only one to decide. Lane first, token last: a token is
//! asked for only while a step could start, and the step is chosen when the token has come. A worker runs the
//! step's processes and hands the output to the caller's judge before it takes more work: that bounds how much
//! finished output waits.

use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::environment::Env;
use super::pool::{Pool, Token};
use super::process::{self, Ending};
use super::program::{Missing, Programs, says_missing};
use super::scheduler::Scheduler;
use super::stop::{Stop, StopReason};
use crate::model::event::Event;
use crate::model::task::{Exit, Output, Plan, Step, StepId, TaskIx, Unit};
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
    /// Where cargo builds.
    pub build_dir: PathBuf,
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
    /// It printed more than is kept.
    Truncated,
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
    /// Since the run began.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// Which of the parallel slots ran it.
    pub slot: u32,
    /// How many processes it took, repetitions included.
    pub attempts: u32,
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
    /// `progress` is told what goes on, always on the calling thread. The result is in plan order and has
    /// every step.
    pub fn run<R: Send + 'static>(
        &self,
        judge: &Judge<'_, R>,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> Vec<StepRun<R>> {
        let workers = self.parallel.clamp(1, self.plan.steps().count().max(1));
        let programs: Vec<_> = self.plan.graph.tools.iter().map(|tool| self.programs.of(tool)).collect();
        let mut runs = BTreeMap::new();
        let (events, inbox) = channel();
        let (jobs, queue) = channel();
        let queue = Mutex::new(queue);
        std::thread::scope(|scope| {
            for slot in 0..workers {
                let (events, queue, programs) = (events.clone(), &queue, &programs);
                scope.spawn(move || self.work(slot as u32, queue, programs, judge, &events));
            }
            let wish = wait_for_tokens(self.pool.clone(), events);
            let mut dispatcher = Dispatcher::new(self, jobs, wish);
            dispatcher.run(&inbox, progress, &mut runs);
        });
        let result = |step| runs.remove(&step).unwrap_or_else(|| StepRun::never_started(step));
        self.plan.steps().map(result).collect()
    }

    /// A worker's life: take a job, run it, give the token back, tell.
    fn work<R>(
        &self,
        slot: u32,
        queue: &Mutex<Receiver<Job>>,
        programs: &[Result<PathBuf, Missing>],
        judge: &Judge<'_, R>,
        events: &Sender<Message<R>>,
    ) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Job { step: id, token }) = job else { return };
            // A panic must reach the dispatcher: it would wait for this step for ever.
            let message = catch_unwind(AssertUnwindSafe(|| self.run_step(id, slot, programs, judge)))
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
        let zero = Duration::ZERO;
        Self { step, pieces: Vec::new(), start: zero, duration: zero, slot: 0, attempts: 0 }
    }
}

impl Executor<'_> {
    fn run_step<R>(
        &self,
        id: StepId,
        slot: u32,
        programs: &[Result<PathBuf, Missing>],
        judge: &Judge<'_, R>,
    ) -> StepRun<R> {
        let step = self.plan.step(id);
        let start = self.started.elapsed();
        let mut attempt = Attempt { executor: self, step, judge, pieces: Vec::new(), attempts: 0 };
        match &programs[step.tool.0 as usize] {
            Ok(program) => attempt.run(program),
            Err(missing) => attempt.push(step.tasks.clone(), Ended::Missing(missing.clone()), None),
        }
        let Attempt { pieces, attempts, .. } = attempt;
        let duration = self.started.elapsed().saturating_sub(start);
        StepRun { step: id, pieces, start, duration, slot, attempts }
    }
}

/// Starts the thread that waits for tokens: one for each wish. It is left behind at the end, for an acquire
/// that nobody can serve any more must not hold up the run.
fn wait_for_tokens<R: Send + 'static>(pool: Pool, events: Sender<Message<R>>) -> Sender<()> {
    let (wish, wishes) = channel();
    std::thread::spawn(move || {
        while let Ok(()) = wishes.recv() {
            if events.send(Message::Token(pool.acquire())).is_err() {
                return;
            }
        }
    });
    wish
}

struct Dispatcher<'a> {
    executor: &'a Executor<'a>,
    scheduler: Scheduler<'a>,
    jobs: Sender<Job>,
    wish: Sender<()>,
    /// Whether a token was asked for and has not come.
    has_wished: bool,
    /// How often in a row nothing happened.
    idle_ticks: u32,
    /// Clients of the jobserver that run.
    clients: u32,
}

impl<'a> Dispatcher<'a> {
    fn new(executor: &'a Executor<'a>, jobs: Sender<Job>, wish: Sender<()>) -> Self {
        let scheduler = Scheduler::new(executor.plan);
        Self { executor, scheduler, jobs, wish, has_wished: false, idle_ticks: 0, clients: 0 }
    }

    fn run<R>(
        &mut self,
        inbox: &Receiver<Message<R>>,
        progress: &mut dyn FnMut(Event<'_>),
        runs: &mut BTreeMap<StepId, StepRun<R>>,
    ) {
        loop {
            self.look_up();
            if self.scheduler.running() == 0 && !self.scheduler.has_next() {
                return;
            }
            self.start_on_implicit_slot(progress);
            self.wish_for_token();
            let message = inbox.recv_timeout(TICK);
            self.idle_ticks = if message.is_err() { self.idle_ticks + 1 } else { 0 };
            match message {
                Ok(Message::Token(token)) => {
                    self.has_wished = false;
                    // A pool that is gone must not stop the run: it goes on with what `--parallel` allows.
                    self.start(token.unwrap_or_else(|_| Token::none()), progress);
                }
                Ok(Message::Finished(run)) => {
                    let tool = self.tool(run.step);
                    self.clients -= u32::from(tool.jobserver);
                    self.scheduler.finished(run.step);
                    progress(Event::Finished(run.step));
                    runs.insert(run.step, run);
                }
                Err(RecvTimeoutError::Timeout) => {
                    // A wish that nobody serves while no client lives: the tokens died with one. (After one tick
                    // alone, a token might just be on its way.)
                    if self.idle_ticks > 1 {
                        self.refill();
                    }
                    progress(Event::Tick);
                }
                Ok(Message::Panicked(payload)) => {
                    // Nobody else will: end what runs, then go down with it.
                    self.executor.stop.stop(StopReason::Bug);
                    resume_unwind(payload);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Sees whether the run is to end.
    fn look_up(&mut self) {
        let executor = self.executor;
        let is_over = |cap: Duration| executor.started.elapsed() >= cap;
        if executor.plan.policy.max_duration.is_some_and(is_over) && executor.stop.reason().is_none() {
            executor.stop.stop(StopReason::MaxDuration);
        }
        if executor.stop.reason().is_some() {
            self.scheduler.stop();
        }
    }

    /// Starts the next step on `token`; gives it back if there is none.
    fn start(&mut self, token: Token, progress: &mut dyn FnMut(Event<'_>)) {
        if let Some(step) = self.scheduler.start() {
            self.clients += u32::from(self.tool(step).jobserver);
            progress(Event::Started(step));
            // The workers outlive the dispatcher.
            let _ = self.jobs.send(Job { step, token });
        }
    }

    /// Our own slot needs no waiting, even while a token of the pool is waited for: the pool's may be in use for
    /// as long as the build that started us likes.
    fn start_on_implicit_slot(&mut self, progress: &mut dyn FnMut(Event<'_>)) {
        if self.can_start()
            && let Some(token) = self.executor.pool.implicit()
        {
            self.start(token, progress);
        }
    }

    fn can_start(&self) -> bool {
        (self.scheduler.running() as usize) < self.executor.parallel && self.scheduler.has_next()
    }

    fn wish_for_token(&mut self) {
        if !self.has_wished && self.can_start() {
            self.refill();
            self.has_wished = self.wish.send(()).is_ok();
        }
    }

    fn refill(&self) {
        if self.clients == 0 {
            self.executor.pool.refill(self.scheduler.running() as usize);
        }
    }

    fn tool(&self, step: StepId) -> &'a Tool {
        self.executor.plan.graph.tool(self.executor.plan.step(step).tool)
    }
}

/// The processes of one step.
struct Attempt<'a, R> {
    executor: &'a Executor<'a>,
    step: &'a Step,
    judge: &'a Judge<'a, R>,
    pieces: Vec<Piece<R>>,
    attempts: u32,
}

impl<R> Attempt<'_, R> {
    fn run(&mut self, program: &Path) {
        let timeout = self.executor.plan.policy.per_task_timeout;
        let tasks = &self.step.tasks;
        let allowed = timeout.map(|timeout| timeout * (tasks.len().clamp(1, 4) as u32));
        if self.process(program, tasks, allowed) || tasks.len() < 2 {
            return;
        }
        // It failed as a whole: each unit gets a process of its own, to find out which of them it was.
        self.pieces.clear();
        for task in tasks {
            self.process(program, std::slice::from_ref(task), timeout);
        }
    }

    /// Runs the processes for `tasks`. False if one of them failed in a way that says nothing about which of
    /// several units is to blame.
    fn process(&mut self, program: &Path, tasks: &[TaskIx], timeout: Option<Duration>) -> bool {
        let Executor { workspace, plan, stop, .. } = self.executor;
        let tool = plan.graph.tool(self.step.tool);
        let units: Vec<Unit> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let mut is_clear = true;
        for argv in plan::expand(workspace, plan, tool, &units, &self.executor.cargo_flags) {
            if let Some(reason) = stop.reason() {
                self.push(tasks.to_vec(), Ended::Stopped(reason), None);
                continue;
            }
            self.attempts += 1;
            let ran = match process::run(&mut self.command(tool, program, &argv), timeout, stop) {
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
            let (raw, ended) = match (ran.ending, ran.output.exit) {
                (Ending::Stopped(reason), exit) => (raw_exit(exit), Ended::Stopped(reason)),
                (Ending::TimedOut, exit) => (raw_exit(exit), Ended::TimedOut),
                (Ending::Own, Exit::Signal(signal)) => {
                    (-signal, Ended::Crashed(format!("died by {}", name_of(signal))))
                }
                (Ending::Own, Exit::Code(code)) if code != 0 && says_missing(&ran.output.stderr) => {
                    let program =
                        tool.run.get(1).map_or_else(|| tool.name.clone(), |_| format!("cargo {}", tool.name));
                    (code, Ended::Missing(Missing { program, install: tool.install.clone() }))
                }
                (Ending::Own, Exit::Code(code)) if ran.truncated => (code, Ended::Truncated),
                (Ending::Own, Exit::Code(code)) if ran.leaky => (code, Ended::Leaky),
                (Ending::Own, Exit::Code(code)) => {
                    let judged = (self.judge)(self.step, tasks, &ran.output);
                    is_clear &= judged.is_clear;
                    (code, Ended::Judged(judged.result))
                }
            };
            is_clear &= !matches!(ended, Ended::TimedOut | Ended::Crashed(_));
            self.push(tasks.to_vec(), ended, Some(raw));
        }
        is_clear
    }

    fn command(&self, tool: &Tool, program: &Path, argv: &[OsString]) -> Command {
        let Executor { workspace, env, pool, build_dir, parallel, .. } = self.executor;
        let mut command = Command::new(program);
        command.args(argv.iter().skip(1)).current_dir(&workspace.root);
        command.env_clear().envs(env.for_tool(tool, build_dir, pool.vars(), *parallel));
        command
    }

    fn push(&mut self, tasks: Vec<TaskIx>, ended: Ended<R>, raw_exit: Option<i32>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::policy::{Policy, Selection};
    use crate::model::testing;
    use crate::model::tool::Parse;
    use crate::plan::{RiskFacts, plan};
    use crate::scan::Inherited;

    #[test]
    #[should_panic(expected = "a bug in the judge")]
    fn a_panic_of_a_worker_ends_the_run() {
        let mut workspace = testing::workspace(&[], &[]);
        workspace.root = std::env::temp_dir();
        let tools = vec![testing::tool("t", Parse::ExitCode, &["true"])];
        let plan =
            plan(&workspace, tools, Selection::default(), Policy::default(), &RiskFacts::default()).unwrap();
        let env = Env::capture();
        let executor = Executor {
            workspace: &workspace,
            plan: &plan,
            programs: &Programs::new(&env, &workspace.root),
            env: &env,
            pool: &Pool::new(Inherited::none(), &env, 1).unwrap(),
            stop: &Stop::new().unwrap(),
            parallel: 1,
            build_dir: workspace.root.clone(),
            cargo_flags: Vec::new(),
            started: Instant::now(),
        };
        executor.run::<()>(&|_, _, _| panic!("a bug in the judge"), &mut |_| {});
    }
}
