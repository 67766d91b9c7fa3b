//! A runner for tests that starts nothing: a function answers each invocation, and all of them are recorded.

use std::io;
use std::sync::Mutex;

use super::super::doing::{Watch, Watcher};
use super::{Ending, FinishedProcess, Invocation, Runner};
use crate::model::task::Exit;
use crate::scan::spool::Spool;

/// Answers an invocation, given the number of those before it.
pub(crate) type Answer<'a> = dyn Fn(usize, &Invocation) -> io::Result<FinishedProcess> + Sync + 'a;

/// Runs processes by asking a function how they end.
pub(crate) struct MemoryRunner<'a> {
    answer: &'a Answer<'a>,
    invocations: Mutex<Vec<Invocation>>,
}

impl<'a> MemoryRunner<'a> {
    pub(crate) fn new(answer: &'a Answer<'a>) -> Self {
        Self { answer, invocations: Mutex::default() }
    }

    /// Returns the invocations in the order in which they were run.
    pub(crate) fn into_invocations(self) -> Vec<Invocation> {
        self.invocations.into_inner().unwrap()
    }
}

impl Runner for MemoryRunner<'_> {
    fn run(&self, invocation: &Invocation, watcher: &mut Watcher<'_>) -> io::Result<FinishedProcess> {
        let number = {
            let mut invocations = self.invocations.lock().unwrap();
            invocations.push(invocation.clone());
            invocations.len() - 1
        };
        let finished = (self.answer)(number, invocation)?;
        watcher.read(0, &finished.stdout.read(None).unwrap_or_default());
        Ok(finished)
    }
}

impl FinishedProcess {
    /// Creates a process that exited by itself with `code` and printed these texts.
    pub(crate) fn exited(code: i32, stdout: &str, stderr: &str) -> Self {
        let spool = |text: &str| {
            let mut spool = Spool::new();
            spool.push(text.as_bytes(), None);
            spool
        };
        let (stdout, stderr) = (spool(stdout), spool(stderr));
        let exit = Exit::Code(code);
        Self { stdout, stderr, exit, ending: Ending::Own, leaky: false, observed: None, in_copy: None }
    }

    /// Creates a process that was stopped for this reason.
    pub(crate) fn stopped(ending: Ending) -> Self {
        Self { ending, exit: Exit::Signal(15), ..Self::exited(0, "", "") }
    }
}
