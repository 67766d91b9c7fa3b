//! Runs tests in place of the wrappers that cargo or cargo-nextest has started for them, so that they can be observed.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::super::doing::Watcher;
use super::super::end::End;
use super::super::launch::Launcher;
use super::super::runner::{Ending, FinishedProcess};
use super::super::wrapped_tests::{
    Answer, Printed, RecalledTests, Server, WrappedId, WrappedTestCache, WrappedTests, receive, send,
    while_connected,
};
use super::Executor;
use crate::model::task::TaskIx;
use crate::model::tool::Tool;

/// Answers the wrappers of one process.
pub(super) struct WrappedTestRunner<'a> {
    pub(super) executor: &'a Executor<'a>,
    pub(super) launcher: &'a Launcher<'a>,
    pub(super) cache: &'a dyn WrappedTestCache,
    pub(super) tool: &'a Tool,
    pub(super) task: TaskIx,
    /// Time at which the process that starts the tests is ended.
    pub(super) deadline: Option<Instant>,
    /// Number of wrappers whose tests were cached.
    pub(super) hits: AtomicUsize,
    /// Number of the others.
    pub(super) runs: AtomicUsize,
}

/// Reason why observed tests have no result.
enum Unusable {
    /// They have to run again without being observed, for this reason.
    Repeat(String),
    /// Nobody waits for it any more.
    Ended,
}

impl WrappedTestRunner<'_> {
    /// Runs the process with `run`, and answers its wrappers at `server` meanwhile.
    pub(super) fn during<T>(&self, server: Server, run: impl FnOnce() -> T) -> T {
        // If an answer does not arrive, the wrapper fails.
        server.during(&|stream, tests| drop(self.answer(stream, tests)), run)
    }

    /// Returns true if there were tests, and the results of all were cached.
    pub(super) fn is_all_cached(&self) -> bool {
        self.hits.load(Ordering::SeqCst) > 0 && self.runs.load(Ordering::SeqCst) == 0
    }

    fn answer(&self, stream: &UnixStream, tests: &WrappedTests) -> std::io::Result<()> {
        let (id, recalled) = self.cache.look_up(self.task, tests);
        let count = if matches!(recalled, RecalledTests::Hit(_)) { &self.hits } else { &self.runs };
        count.fetch_add(1, Ordering::SeqCst);
        match recalled {
            RecalledTests::Hit(printed) => send(stream, &Answer::Ended(Ok(0), printed)),
            RecalledTests::Run => self.run_outside(stream, id, tests, None),
            RecalledTests::Observe => match self.observe(stream, id, tests) {
                Ok(answer) => send(stream, &answer),
                Err(Unusable::Repeat(why)) => self.run_outside(stream, id, tests, Some(&why)),
                Err(Unusable::Ended) => Ok(()),
            },
        }
    }

    /// Lets the wrapper run the tests.
    fn run_outside(
        &self,
        stream: &UnixStream,
        id: WrappedId,
        tests: &WrappedTests,
        why: Option<&str>,
    ) -> std::io::Result<()> {
        send(stream, &Answer::Run)?;
        self.cache.ran_outside(id, tests, why, receive(stream)?);
        Ok(())
    }

    /// Runs `tests` observed, and returns the answer to the wrapper at `stream`.
    fn observe(&self, stream: &UnixStream, id: WrappedId, tests: &WrappedTests) -> Result<Answer, Unusable> {
        let Self { executor, launcher, tool, task, .. } = self;
        let repeat = |why: &dyn ToString| Unusable::Repeat(why.to_string());
        let mut invocation = launcher.wrapped(tool, tests, *task).map_err(|why| repeat(&why))?;
        let now = executor.stop.now();
        invocation.timeout = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let end = End::new().map_err(|error| repeat(&error))?;
        let run = || executor.runner.run(&invocation, &mut Watcher::until(&end));
        let finished = while_connected(stream, || end.set(), run);
        let finished = finished.and_then(|finished| finished).map_err(|error| repeat(&error))?;
        if finished.ending != Ending::Own {
            return Err(Unusable::Ended);
        }
        let observed = finished.observed.clone();
        let mut observed = observed.ok_or_else(|| repeat(&"its sandbox could not be set up"))?;
        observed.mention = launcher.mention(tool, &observed);
        if let Some(why) = observed.reason_to_repeat() {
            return Err(Unusable::Repeat(why));
        }
        if finished.leaky {
            // The tool decides what that means.
            return Err(repeat(&"it leaves a process running that holds its output"));
        }
        let printed = printed(&finished).ok_or_else(|| repeat(&"it prints too much"))?;
        let passed = finished.has_succeeded().then(|| printed.clone());
        self.cache.observed(id, tests, &observed, passed);
        Ok(Answer::ended(finished.exit, printed))
    }
}

/// Returns the output of `finished`; `None` if it is too long to be kept.
fn printed(finished: &FinishedProcess) -> Option<Printed> {
    if finished.is_long() {
        return None;
    }
    let [stdout, stderr] = [&finished.stdout, &finished.stderr].map(|spool| spool.read(None).ok());
    Some(Printed { stdout: stdout?, stderr: stderr? })
}
