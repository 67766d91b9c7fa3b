//! Cancellation: the first signal stops gracefully, the second kills; also pause and resume.
//!
//! After the first signal, or after `--max-duration`, a run has three seconds. Then processes are killed, and
//! parsing, comparing and rendering are aborted, because all of them check [`Stop`] as their [`Halt`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::children::Children;
use super::sandbox::{Kernel, NoWall};
use super::sys::Waker;
use crate::model::halt::Halt;

/// Time that processes and our own work have after a request to stop.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// Minimum time for comparing and reporting after a run was stopped.
const LAST: Duration = Duration::from_secs(1);

/// Reason for stopping a run early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A signal was received.
    Signal(i32),
    /// `--max-duration` has elapsed.
    MaxDuration,
    /// A thread of this process panicked.
    Bug,
}

/// Cancellation switch that any thread may trigger and every wait can watch. Owns the list of live children.
#[derive(Debug)]
pub struct Stop {
    reason: AtomicI32,
    is_killing: AtomicBool,
    on_stop: Waker,
    on_kill: Waker,
    times: Mutex<Times>,
    children: Children,
    /// The program that sets up sandboxes, or the reason why there are none.
    sandbox: Result<PathBuf, NoWall>,
}

/// Deadlines of a run.
#[derive(Debug, Default)]
struct Times {
    /// Time at which `--max-duration` ends.
    deadline: Option<Instant>,
    /// Time at which our own work is aborted. Set once the run is stopped.
    give_up: Option<Instant>,
}

const RUNNING: i32 = 0;
const MAX_DURATION: i32 = -1;
const BUG: i32 = -2;

impl Stop {
    /// Creates a switch that is not triggered.
    ///
    /// # Errors
    ///
    /// If no pipe can be created.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            reason: AtomicI32::new(RUNNING),
            is_killing: AtomicBool::new(false),
            on_stop: Waker::new()?,
            on_kill: Waker::new()?,
            times: Mutex::default(),
            children: Children::default(),
            sandbox: Err(NoWall::Helper),
        })
    }

    /// Like [`Stop::new`], for a process that does nothing but this run. Processes started by children can't
    /// outlive the run, wherever they move. Children started outside of this module would be taken for orphans and
    /// killed.
    ///
    /// # Errors
    ///
    /// If the system does not allow it.
    pub fn adopting_orphans() -> io::Result<Self> {
        let mut stop = Self::new()?;
        stop.children.adopt_orphans()?;
        Ok(stop)
    }

    /// Uses `program` with `argument` as the guard, which kills the running processes if this process is killed.
    /// The program must call [`stand_guard`](super::stand_guard) and nothing else.
    pub fn guard_with(&mut self, program: PathBuf, argument: &'static str) {
        self.children.guard_with(program, argument);
    }

    /// Uses `program` to set up sandboxes, if the kernel can enforce them. The `main` of the program must begin with a call to
    /// [`run_as_wrapper`](super::run_as_wrapper).
    pub fn sandbox_with(&mut self, program: PathBuf) {
        self.sandbox = Kernel::probe().wall().map(|()| program);
    }

    /// Returns the program that sets up sandboxes.
    ///
    /// # Errors
    ///
    /// If sandboxed tools run without a sandbox, with the reason.
    pub fn sandbox(&self) -> Result<&Path, NoWall> {
        self.sandbox.as_deref().map_err(|why| *why)
    }

    /// Returns the program that sets up sandboxes whose processes are observed.
    ///
    /// # Errors
    ///
    /// If none can be observed, with the reason.
    pub fn observer(&self) -> Result<&Path, NoWall> {
        self.sandbox().and_then(|program| Kernel::probe().observer().map(|()| program))
    }

    /// Stops the run: nothing new is started, and running processes are asked to exit. The first reason is kept. A
    /// second signal kills the processes.
    pub fn stop(&self, reason: StopReason) {
        let code = match reason {
            StopReason::Signal(signal) => signal,
            StopReason::MaxDuration => MAX_DURATION,
            StopReason::Bug => BUG,
        };
        let now = self.now();
        let mut times = self.times();
        let first = self.reason.compare_exchange(RUNNING, code, Ordering::SeqCst, Ordering::SeqCst);
        self.on_stop.wake();
        times.give_up.get_or_insert(now + GRACE);
        if let (Err(before), StopReason::Signal(_)) = (first, reason) {
            if before > 0 {
                self.is_killing.store(true, Ordering::SeqCst);
                times.give_up = Some(now);
                self.on_kill.wake();
            } else {
                // A signal takes precedence over a time limit because it determines the exit code.
                self.reason.store(code, Ordering::SeqCst);
            }
        }
    }

    /// Returns the reason for stopping, if the run is being stopped.
    pub fn reason(&self) -> Option<StopReason> {
        match self.reason.load(Ordering::SeqCst) {
            RUNNING => None,
            MAX_DURATION => Some(StopReason::MaxDuration),
            BUG => Some(StopReason::Bug),
            signal => Some(StopReason::Signal(signal)),
        }
    }

    /// Sets the time at which the run must stop.
    pub fn end_at(&self, deadline: Instant) {
        self.times().deadline = Some(deadline);
    }

    /// Notes that all processes have ended, and only comparing and reporting remain. A stopped run gets a moment
    /// for that, unless another signal arrives.
    pub fn begin_report(&self) {
        if self.reason().is_some() {
            let last = self.now() + LAST;
            let mut times = self.times();
            times.give_up = times.give_up.max(Some(last));
        }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Suspends all children and the clock, and calls `sleep`, which returns when the run should continue. Nothing
    /// is started meanwhile.
    #[cfg(unix)]
    pub fn pause(&self, sleep: impl FnOnce()) {
        self.children.pause(sleep);
    }

    /// Returns the current time without pauses, for computing timeouts.
    pub(super) fn now(&self) -> Instant {
        self.children.now()
    }

    /// Returns whether processes must be killed without grace.
    pub(super) fn is_killing(&self) -> bool {
        self.is_killing.load(Ordering::SeqCst)
    }

    /// Returns the waker for the first request to stop.
    pub(super) fn on_stop(&self) -> &Waker {
        &self.on_stop
    }

    /// Returns the waker for killing without grace.
    pub(super) fn on_kill(&self) -> &Waker {
        &self.on_kill
    }

    /// Returns the live children.
    pub(super) fn children(&self) -> &Children {
        &self.children
    }
}

impl Halt for Stop {
    /// Returns whether our own work must be aborted, after the second signal or some time after the first reason to stop.
    fn is_due(&self) -> bool {
        let Times { deadline, give_up } = *self.times();
        let now = || self.now();
        match give_up {
            Some(at) => now() >= at,
            None => {
                if deadline.is_some_and(|at| now() >= at) {
                    self.stop(StopReason::MaxDuration);
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_work_is_aborted_by_the_second_signal() {
        let stop = Stop::new().unwrap();
        assert!(!stop.is_due());
        stop.stop(StopReason::Signal(15));
        stop.stop(StopReason::Signal(15));
        assert!(stop.is_due());
    }

    #[test]
    fn a_run_stopped_twice_has_a_moment_to_report_until_another_signal() {
        let stop = Stop::new().unwrap();
        (0..2).for_each(|_| stop.stop(StopReason::Signal(2)));
        stop.times().give_up = Some(stop.now() + Duration::from_secs(3600));
        stop.begin_report();
        assert!(!stop.is_due(), "the remaining time is not shortened");
        stop.stop(StopReason::Signal(2));
        assert!(stop.is_due());
        assert_eq!(stop.reason(), Some(StopReason::Signal(2)));
    }

    #[test]
    fn work_is_aborted_some_time_after_the_deadline() {
        let stop = Stop::new().unwrap();
        stop.end_at(stop.now());
        assert!(!stop.is_due());
        assert_eq!(stop.reason(), Some(StopReason::MaxDuration));
        stop.times().give_up = Some(stop.now());
        assert!(stop.is_due());
    }

    #[test]
    fn a_run_without_a_stop_has_no_deadline() {
        let stop = Stop::new().unwrap();
        stop.begin_report();
        assert!(!stop.is_due() && stop.reason().is_none());
    }
}
