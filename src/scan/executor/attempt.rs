//! Runs the processes of one step and evaluates how each one ended.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
#[cfg(target_os = "linux")]
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::super::copies::{Copied, InCopy};
use super::super::doing::Watcher;
use super::super::launch::Launcher;
use super::super::outputs::Kept;
use super::super::program::{Missing, read_missing, words_of};
use super::super::runner::{Ending, FinishedProcess, Invocation, Runner};
use super::super::sandbox::Observed;
use super::super::scheduler::time_cap;
use super::super::stop::StopReason;
use super::super::sys;
#[cfg(target_os = "linux")]
use super::super::wrapped_tests::{SOCKET, Server, WrappedTestCache};
#[cfg(target_os = "linux")]
use super::wrapped_tests::WrappedTestRunner;
use super::{Client, Ended, Executor, Recalled, StepPiece};
use crate::model::event::{Doing, Event};
use crate::model::halt::Halted;
use crate::model::task::{Exit, Program, Step, StepId, TaskIx, Unit};
use crate::model::tool::{Flaky, Tool, ToolId};
use crate::plan;

/// Maximum number of times a test is started when another build replaces its programs.
const MAX_STARTS: usize = 3;

/// Processes of one step.
pub(super) struct Attempt<'a, R> {
    pub(super) executor: &'a Executor<'a>,
    /// Runs the processes: that of the executor, or a worker on another machine.
    pub(super) runner: &'a dyn Runner,
    pub(super) id: StepId,
    pub(super) step: &'a Step,
    pub(super) launcher: &'a Launcher<'a>,
    /// The program of each tool in the plan.
    pub(super) programs: &'a [Result<PathBuf, Missing>],
    pub(super) client: &'a Client<'a, R>,
    pub(super) pieces: Vec<StepPiece<R>>,
    pub(super) kept: Kept,
    pub(super) attempts: u32,
    pub(super) fails: bool,
    /// True if this is the second pass.
    pub(super) is_second: bool,
    /// True if a process is run again because it failed.
    pub(super) is_retry: bool,
    /// True if its processes are observed.
    pub(super) is_observed: bool,
    /// Observation of the latest process, or of the one before it whose sandbox denied something.
    pub(super) observed: Option<Box<Observed>>,
    /// True if the results of all tests that the latest process started were cached.
    pub(super) is_recalled: bool,
    /// Tests that the latest process was running when it ended, in words.
    pub(super) unfinished: String,
    /// Callback that reports events.
    pub(super) emit: &'a dyn Fn(Event<'static>),
    /// Callback that reports what the running process is doing.
    pub(super) doing: &'a dyn Fn(&Doing),
}

/// Failed tests that are run again.
#[derive(Default)]
struct FailedTests {
    names: Vec<String>,
    /// True if the run fails if they fail.
    fails: bool,
}

impl<'a, R> Attempt<'a, R> {
    /// Runs the given tasks of the step.
    pub(super) fn run(&mut self, program: &Path, tasks: &[TaskIx]) {
        let tool = self.executor.plan.graph.tool(self.step.tool);
        let per_task = tool.task_timeout(self.executor.plan.policy.per_task_timeout);
        let limit = |tasks| time_cap(per_task, tasks);
        if self.process(tool, program, tasks, limit(tasks.len())) || tasks.len() < 2 || tool.takes_all() {
            return;
        }
        // It failed as a whole. Run each unit in a process of its own to find the cause.
        self.pieces.clear();
        self.executor.outputs.discard(&mut self.kept);
        self.fails = false;
        for task in tasks {
            self.process(tool, program, std::slice::from_ref(task), limit(1));
        }
    }

    /// Runs the processes for `tasks`. Returns false if one of them failed in a way that doesn't show which of
    /// several units is the cause.
    fn process(&mut self, tool: &Tool, program: &Path, tasks: &[TaskIx], timeout: Option<Duration>) -> bool {
        let Executor { workspace, plan, stop, outputs, .. } = self.executor;
        let units: Vec<Unit> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let (mut is_clear, mut needs_second_pass) = (true, false);
        let mut failed = FailedTests::default();
        let find = |unit: &Unit| self.launcher.program(self.step.tool, *unit);
        let (builder, built) = units.first().and_then(find).filter(|_| tool.uses_executable()).unzip();
        if tool.uses_executable() && built.is_none() {
            self.push(tasks.to_vec(), Ended::NotBuilt, None);
            return true;
        }
        self.is_recalled = false;
        if built.is_some() || tool.is_observed() {
            self.observed = None;
            match (self.client.recall)(tasks, built.as_deref()) {
                Recalled::Hit(result) => {
                    self.push(tasks.to_vec(), Ended::Judged(*result), None);
                    self.pieces.last_mut().into_iter().for_each(|piece| piece.is_recalled = true);
                    return true;
                }
                Recalled::Run => self.is_observed = false,
                Recalled::Observe => self.is_observed = true,
            }
        }
        let executable = built.as_ref().map_or(OsStr::new(""), |built| built.path.as_os_str());
        let mut argvs: VecDeque<_> =
            plan::expand(workspace, plan, tool, &units, &self.executor.cargo_flags, executable).into();
        let (mut reruns, mut failed_before) = (0, self.fails);
        while let Some(argv) = argvs.pop_front() {
            self.is_retry = reruns > 0;
            match self.is_retry {
                true => self.fails = failed_before,
                false => failed_before = self.fails,
            }
            if let Some(reason) = stop.reason() {
                self.push(tasks.to_vec(), Ended::Stopped(reason), None);
                reruns = 0;
                continue;
            }
            let finished =
                match self.start(tool, program, &argv, builder.zip(built.as_deref()), tasks, timeout) {
                    Ok(finished) => finished,
                    Err(ended) => {
                        self.push(tasks.to_vec(), ended, None);
                        reruns = 0;
                        continue;
                    }
                };
            let finished = match finished {
                Ok(mut finished) => {
                    self.observed = finished.observed.take().or_else(|| self.observed.take());
                    if self.is_observed && self.was_restricted(tool, &finished) {
                        // As if there were no cache.
                        self.is_observed = false;
                        argvs.push_front(argv);
                        continue;
                    }
                    finished
                }
                Err(error) if error.kind() == ErrorKind::ArgumentListTooLong && tasks.len() > 1 => {
                    // The system's limit is below the one used by the plan, so split the units between two
                    // processes.
                    let (left, right) = tasks.split_at(tasks.len() / 2);
                    return self.process(tool, program, left, timeout)
                        & self.process(tool, program, right, timeout);
                }
                Err(error) => {
                    // Name the program as configured, because its location depends on the machine.
                    let name = argv.first().map(|name| name.to_string_lossy()).unwrap_or_default();
                    let what = format!("could not start `{name}`: {error}");
                    self.push(tasks.to_vec(), Ended::Crashed(what), None);
                    reruns = 0;
                    continue;
                }
            };
            let (mut is_kept, mut repeat, mut is_clean) = (true, false, false);
            let ended = match (&finished.ending, finished.exit) {
                (Ending::Stopped(reason), _) => Ended::Stopped(*reason),
                // No process of a tool is ended before the run.
                (Ending::Ended, _) => self.given_up(),
                (Ending::TimedOut, _) => Ended::TimedOut(std::mem::take(&mut self.unfinished)),
                (Ending::Own, Exit::Signal(signal)) => {
                    Ended::Crashed(format!("killed by {}", sys::signal_name(signal)))
                }
                (Ending::Own, Exit::Code(code)) => {
                    if finished.is_long() {
                        (self.emit)(Event::Reading(self.id));
                    }
                    let sieves = self.client.sift.sieves(self.step, finished.exit);
                    let read = outputs.read(&finished, sieves, |output| {
                        let missing = || read_missing(&output.stderr, words_of(tool), tool.install.as_ref());
                        if let Some(missing) = (code != 0).then(missing).flatten() {
                            return Ended::Missing(missing);
                        }
                        let Ok(judged) = (self.client.judge)(self.step, tasks, output) else {
                            return self.given_up();
                        };
                        if finished.leaky && !judged.is_whole {
                            return Ended::Leaky;
                        }
                        if judged.repeat {
                            repeat = true;
                            return Ended::Judged(judged.result);
                        }
                        self.launcher.record_built(self.step.tool, judged.programs, judged.outputs);
                        needs_second_pass |= judged.again && !self.is_second;
                        // A second process that only classifies findings doesn't affect the result.
                        let affects_result = !(self.is_second && tool.tells_style_apart());
                        is_clear &= judged.is_clear || !affects_result;
                        is_clean = judged.is_clean;
                        is_kept = judged.is_kept && affects_result;
                        if tool.reruns_tests() && judged.is_clear && !judged.failed_tests.is_empty() {
                            failed = FailedTests { names: judged.failed_tests, fails: judged.fails };
                        } else {
                            self.fails |= judged.fails && affects_result;
                        }
                        Ended::Judged(judged.result)
                    });
                    read.unwrap_or_else(Ended::Truncated)
                }
            };
            if repeat {
                // This terminates because each fingerprint is removed at most once per run.
                argvs.push_front(argv);
                continue;
            }
            is_clear &= !matches!(ended, Ended::TimedOut(_) | Ended::Crashed(_) | Ended::Truncated(_));
            // Output of a missing program explains nothing more, and an interrupted run should end without delay.
            is_kept &= !matches!(ended, Ended::Missing(_) | Ended::Stopped(StopReason::Signal(_)));
            if is_kept {
                outputs.keep(&self.output_name(tool), &finished, &mut self.kept);
            }
            let has_failed = !is_clean && !matches!(ended, Ended::Missing(_) | Ended::Stopped(_));
            self.push(tasks.to_vec(), ended, Some(raw_exit(finished.exit)));
            // If it is not clear which of several units is the cause, each of them runs alone first.
            if tool.reruns() && has_failed && reruns < tool.retries && (is_clear || tasks.len() < 2) {
                reruns += 1;
                // A test that passes now may be flaky, so its result is not cached.
                self.is_observed &= !tool.starts_tests();
                argvs.push_front(argv);
            } else {
                self.fails |= reruns > 0 && tool.flaky == Flaky::Fail;
                reruns = 0;
            }
        }
        self.is_retry = false;
        if !failed.names.is_empty() {
            self.retry(tool, program, tasks, failed, (builder.zip(built.as_deref()), timeout));
        }
        if needs_second_pass {
            self.is_second = true;
            is_clear &= self.process(&tool.for_second_pass(), program, tasks, timeout);
            self.is_second = false;
        }
        is_clear
    }

    /// Returns true if an observed process was denied something that the tool may do otherwise, or did not see a variable that it
    /// may look at. It may have failed, or passed, only because of that.
    fn was_restricted(&mut self, tool: &Tool, finished: &FinishedProcess) -> bool {
        let Some(observed) = self.observed.as_mut() else { return false };
        if matches!(finished.ending, Ending::Stopped(_)) {
            return false;
        }
        if tool.sandbox.is_some() {
            // What its own sandbox denies stays denied.
            observed.denial = None;
        }
        observed.mention = self.launcher.mention(tool, observed);
        observed.mention.is_some() || observed.denial.is_some()
    }

    /// Runs only the `failed` tests again, until all have passed or there are no more retries. An attempt without a
    /// result changes nothing: its tests count as failed again.
    fn retry(
        &mut self,
        tool: &Tool,
        program: &Path,
        tasks: &[TaskIx],
        mut failed: FailedTests,
        (built, timeout): (Option<(ToolId, &Program)>, Option<Duration>),
    ) {
        let Executor { workspace, plan, outputs, stop, cargo_flags, .. } = self.executor;
        let units: Vec<Unit> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let executable = built.map_or(OsStr::new(""), |(_, built)| built.path.as_os_str());
        for _ in 0..tool.retries {
            if failed.names.is_empty() || stop.reason().is_some() {
                break;
            }
            let again = tool.for_failed_tests(&failed.names, &plan.selection.filters);
            let argvs = plan::expand(workspace, plan, &again, &units, cargo_flags, executable);
            let Some(argv) = argvs.first() else { break };
            let Ok(Ok(finished)) = self.start(tool, program, argv, built, tasks, timeout) else { continue };
            if finished.ending != Ending::Own || !matches!(finished.exit, Exit::Code(_)) {
                continue;
            }
            let sieves = self.client.sift.sieves(self.step, finished.exit);
            let judge = |output: &_| (self.client.judge)(self.step, tasks, output);
            let Ok(Ok(judged)) = outputs.read(&finished, sieves, judge) else { continue };
            let has_run_all = judged.tests_run == failed.names.len() as u64;
            if !has_run_all || !judged.is_clear || finished.leaky && !judged.is_whole {
                continue;
            }
            failed = FailedTests { names: judged.failed_tests, fails: judged.fails };
            self.push(tasks.to_vec(), Ended::Judged(judged.result), Some(raw_exit(finished.exit)));
            self.pieces.last_mut().into_iter().for_each(|piece| piece.is_retry = true);
        }
        // A test that passed in the end fails the run only if it is configured to.
        self.fails |= failed.fails || tool.flaky == Flaky::Fail;
    }

    /// Runs `argv`. If it uses a program built by a tool, checks that the files of that build don't change during
    /// the process. If another build replaces them, they are rebuilt and the process runs again.
    fn start(
        &mut self,
        tool: &Tool,
        program: &Path,
        argv: &[OsString],
        built: Option<(ToolId, &Program)>,
        tasks: &[TaskIx],
        timeout: Option<Duration>,
    ) -> Result<io::Result<FinishedProcess>, Ended<R>> {
        let builder = built.map(|(builder, _)| builder);
        let copy = self.copy(tool)?;
        for _ in 0..MAX_STARTS {
            builder.map_or(Ok(()), |builder| self.restore(builder))?;
            self.attempts += 1;
            let built = built.map(|(_, program)| program);
            let (mut invocation, threads) = self
                .launcher
                .invocation(tool, program, argv, built, tasks, (self.is_observed, copy.as_deref()))
                .map_err(|why| self.executor.stop.reason().map_or(Ended::Crashed(why), Ended::Stopped))?;
            invocation.timeout = timeout;
            let mut watcher = Watcher::new(tool, self.doing);
            let mut finished = match tool.starts_tests() && self.is_observed {
                true => self.run_wrapping(tool, tasks, &mut invocation, &mut watcher),
                false => self.runner.run(&invocation, &mut watcher),
            };
            if let (Some(copy), Ok(finished)) = (&copy, &mut finished) {
                let has_generated = tool.generator().is_some() && finished.has_succeeded();
                finished.in_copy =
                    Some(InCopy::of(&**copy, has_generated).map_err(|why| self.unless_stopped(why))?);
            }
            self.unfinished = watcher.describe_unfinished();
            drop(threads);
            let has_ended = finished.as_ref().is_ok_and(|finished| finished.ending == Ending::Own);
            if !has_ended || builder.and_then(|builder| self.launcher.replaced(builder)).is_none() {
                return Ok(finished);
            }
        }
        let replaced = builder.and_then(|builder| self.launcher.replaced(builder)).unwrap_or_default();
        let name = replaced.file_name().unwrap_or_default().to_string_lossy();
        Err(Ended::Replaced(format!("`{name}`")))
    }

    /// Runs a process whose tests are looked up and observed one by one.
    fn run_wrapping(
        &mut self,
        tool: &Tool,
        tasks: &[TaskIx],
        invocation: &mut Invocation,
        watcher: &mut Watcher<'_>,
    ) -> io::Result<FinishedProcess> {
        let (runner, stop) = (self.runner, self.executor.stop);
        #[cfg(target_os = "linux")]
        if let (Some(cache), [task]) = (self.client.wrapped_tests, tasks)
            && let Some((server, vars)) = self.wrapper(tool, *task, cache)
        {
            invocation.vars.extend(vars);
            invocation.vars.insert(SOCKET.into(), server.path().into());
            let docs = WrappedTestRunner {
                executor: self.executor,
                launcher: self.launcher,
                cache,
                tool,
                task: *task,
                deadline: invocation.timeout.map(|timeout| stop.now() + timeout),
                hits: AtomicUsize::new(0),
                runs: AtomicUsize::new(0),
            };
            let finished = docs.during(server, || runner.run(invocation, watcher));
            self.is_recalled =
                docs.is_all_cached() && finished.as_ref().is_ok_and(FinishedProcess::has_succeeded);
            return finished;
        }
        let _ = (stop, tool, tasks);
        runner.run(invocation, watcher)
    }

    /// Returns what the wrappers of the tests that `tool` starts need: somebody to ask, and variables. `None` if there are no
    /// wrappers.
    #[cfg(target_os = "linux")]
    fn wrapper(
        &self,
        tool: &Tool,
        task: TaskIx,
        cache: &dyn WrappedTestCache,
    ) -> Option<(Server, Vec<(OsString, OsString)>)> {
        let vars = self.launcher.wrapper_vars(tool);
        let both = vars.and_then(|vars| Ok((Server::open().map_err(|error| error.to_string())?, vars)));
        both.map_err(|why| cache.not_wrapped(task, &why)).ok()
    }

    /// Replaces all results if something else has ended that they depend on, for the reason `why`.
    pub(super) fn fail_if(&mut self, why: Option<String>) {
        let Some(why) = why.filter(|_| self.executor.stop.reason().is_none()) else { return };
        for piece in &mut self.pieces {
            piece.ended = Ended::Crashed(why.clone());
        }
        self.fails = true;
    }

    /// Copies the repository, if `tool` runs in a copy.
    fn copy(&self, tool: &Tool) -> Result<Option<Box<dyn Copied + 'a>>, Ended<R>> {
        if !tool.runs_in_copy() {
            return Ok(None);
        }
        let copies =
            self.executor.copies.ok_or_else(|| Ended::Crashed("can't copy the repository".into()))?;
        let failed = |why| self.unless_stopped(format!("could not copy the repository: {why}"));
        copies.make(tool).map(Some).map_err(failed)
    }

    /// Returns how a process ended that failed, or was not started, because of `why`.
    pub(super) fn unless_stopped(&self, why: String) -> Ended<R> {
        self.executor.stop.reason().map_or(Ended::Crashed(why), Ended::Stopped)
    }

    /// Rebuilds what `builder` has built, if a file of it was replaced.
    fn restore(&mut self, builder: ToolId) -> Result<(), Ended<R>> {
        let Executor { workspace, plan, outputs, cargo_flags, .. } = self.executor;
        let runner = self.runner;
        let _one_at_a_time = self.launcher.rebuild_lock.lock().unwrap_or_else(PoisonError::into_inner);
        if self.launcher.replaced(builder).is_none() {
            return Ok(());
        }
        let tool = plan.graph.tool(builder);
        let program =
            self.programs[builder.0 as usize].as_ref().map_err(|missing| Ended::Missing(missing.clone()))?;
        for step in plan.steps().map(|id| plan.step(id)).filter(|step| step.tool == builder) {
            let units: Vec<_> = step.tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
            for argv in plan::expand(workspace, plan, tool, &units, cargo_flags, OsStr::new("")) {
                let (invocation, _threads) = self
                    .launcher
                    .invocation(tool, program, &argv, None, &step.tasks, (false, None))
                    .map_err(Ended::Crashed)?;
                let finished = runner
                    .run(&invocation, &mut Watcher::new(tool, self.doing))
                    .map_err(|error| Ended::Crashed(format!("could not rebuild the tests: {error}")))?;
                if let Ending::Stopped(reason) = finished.ending {
                    return Err(Ended::Stopped(reason));
                }
                let read = outputs.read(&finished, self.client.sift.sieves(step, finished.exit), |output| {
                    let judged = (self.client.judge)(step, &step.tasks, output)?;
                    self.launcher.record_built(builder, judged.programs, judged.outputs);
                    Ok::<_, Halted>(())
                });
                read.map_err(Ended::Truncated)?.map_err(|Halted| self.given_up())?;
            }
        }
        Ok(())
    }

    /// Returns how a process ended whose output was not judged completely.
    fn given_up(&self) -> Ended<R> {
        Ended::Stopped(self.executor.stop.reason().unwrap_or(StopReason::Bug))
    }

    /// Returns the base name of the files for the output of the latest process. It is the same in every run.
    fn output_name(&self, tool: &Tool) -> String {
        let (tool, StepId { rank, at }) = (&tool.name, self.id);
        match self.attempts {
            1 => format!("{tool}-{rank}-{at}"),
            attempt => format!("{tool}-{rank}-{at}-{attempt}"),
        }
    }

    pub(super) fn push(&mut self, tasks: Vec<TaskIx>, ended: Ended<R>, raw_exit: Option<i32>) {
        // The judge has already decided about judged output, and cancelled processes did not fail.
        self.fails |= match ended {
            Ended::Judged(_) | Ended::Stopped(_) | Ended::NotBuilt | Ended::Elsewhere(_) => false,
            Ended::Missing(_) => {
                let tool = self.executor.plan.graph.tool(self.step.tool);
                self.executor.absent_fails || !tool.is_only_detected()
            }
            _ => true,
        };
        let is_second = self.is_second;
        self.pieces.push(StepPiece {
            tasks,
            ended,
            raw_exit,
            is_recalled: self.is_recalled && raw_exit.is_some(),
            is_second,
            is_retry: self.is_retry,
            is_outside: !self.is_observed && self.observed.is_some(),
            observed: self.observed.clone(),
        });
    }
}

fn raw_exit(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => -signal,
    }
}

#[cfg(test)]
mod tests;
