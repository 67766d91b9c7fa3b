//! Workers: a second runner, whose processes run on other machines and take no slot of this one.
//!
//! The executor offers workers the steps that they take. A step that a worker does not bring to an undoubted end is put back and runs
//! on this machine as if it had never been away: nothing of the attempt is kept. So a worker can only save time.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(any(test, feature = "remote"))]
use super::super::doing::Watch;
use super::super::doing::Watcher;
#[cfg(any(test, feature = "remote"))]
use super::super::spool::Spool;
use super::{Ending, FinishedProcess, Invocation, Runner};
use crate::model::task::{Exit, StepId};

/// Runs processes on other machines. Each error of [`Runner::run`] means that the process has to run on this one.
pub trait Workers: Runner {
    /// Maximum number of steps that they run at once.
    fn slots(&self) -> usize;

    /// Returns true if they may run `step`, as far as known before the run.
    fn take(&self, step: StepId) -> bool;

    /// Returns true if they still run anything.
    fn are_alive(&self) -> bool;
}

/// Passes processes of one step to the workers, and remembers whether one of them has to run on this machine.
pub(in crate::scan) struct Away<'a> {
    runner: &'a dyn Workers,
    has_failed: AtomicBool,
}

impl<'a> Away<'a> {
    pub(in crate::scan) fn new(runner: &'a dyn Workers) -> Self {
        Self { runner, has_failed: AtomicBool::new(false) }
    }

    /// Returns true if a process has no result from a worker.
    pub(in crate::scan) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

impl Runner for Away<'_> {
    fn run(&self, invocation: &Invocation, watcher: &mut Watcher<'_>) -> io::Result<FinishedProcess> {
        let finished = match self.has_failed() {
            false => self.runner.run(invocation, watcher),
            true => Err(io::ErrorKind::Interrupted.into()),
        };
        if !matches!(&finished, Ok(FinishedProcess { ending: Ending::Own, exit: Exit::Code(_), .. })) {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        // The kind must not lead to a shorter command line, or to anything else that runs.
        finished.map_err(|error| io::Error::other(error.to_string()))
    }
}

#[cfg(any(test, feature = "remote"))]
impl FinishedProcess {
    /// Maximum length of each stream of a process that ran elsewhere: all of it stays in memory.
    #[cfg(feature = "remote")]
    pub(crate) const MOST_ELSEWHERE: usize = 1 << 20;

    /// Creates a process that ran elsewhere, exited by itself with `code` and printed this.
    pub(crate) fn elsewhere(code: i32, streams: [&[u8]; 2], watcher: &mut Watcher<'_>) -> Self {
        let mut spools = [Spool::new(), Spool::new()];
        for (at, (spool, bytes)) in spools.iter_mut().zip(streams).enumerate() {
            spool.push(&watcher.read(at, bytes), None);
        }
        spools[1].push(&watcher.finish(), None);
        let [stdout, stderr] = spools;
        let exit = Exit::Code(code);
        Self { stdout, stderr, exit, ending: Ending::Own, leaky: false, observed: None, in_copy: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::sync::atomic::AtomicUsize;

    use super::super::DeclaredFiles;
    use super::*;

    /// Brings the first process to an end, and no other.
    #[derive(Default)]
    struct Once(AtomicUsize);

    impl Runner for Once {
        fn run(&self, _: &Invocation, watcher: &mut Watcher<'_>) -> io::Result<FinishedProcess> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(FinishedProcess::elsewhere(1, [b"out", b"err"], watcher)),
                _ => Err(io::ErrorKind::ArgumentListTooLong.into()),
            }
        }
    }

    impl Workers for Once {
        fn slots(&self) -> usize {
            1
        }

        fn take(&self, _: StepId) -> bool {
            true
        }

        fn are_alive(&self) -> bool {
            true
        }
    }

    #[test]
    fn after_a_process_without_a_result_nothing_more_of_the_step_is_sent() {
        let invocation = Invocation {
            program: PathBuf::from("t"),
            args: Vec::new(),
            vars: BTreeMap::new(),
            dir: PathBuf::new(),
            declared: DeclaredFiles::default(),
            wall: None,
            timeout: None,
        };
        let workers = Once::default();
        let away = Away::new(&workers);
        let finished = away.run(&invocation, &mut Watcher::none()).unwrap();
        let streams = [&finished.stdout, &finished.stderr].map(|spool| spool.read(None).unwrap());
        assert_eq!(streams, [b"out", b"err"]);
        assert_eq!((finished.exit, finished.ending), (Exit::Code(1), Ending::Own));
        assert!(!away.has_failed());
        for _ in 0..2 {
            let error = away.run(&invocation, &mut Watcher::none()).unwrap_err();
            // Nothing tries again with a shorter command line.
            assert_eq!(error.kind(), io::ErrorKind::Other);
            assert!(away.has_failed());
        }
        assert_eq!(workers.0.load(Ordering::Relaxed), 2);
    }
}
