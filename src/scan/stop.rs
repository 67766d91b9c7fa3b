//! Cancellation: the first signal stops gracefully, the second kills; also pause and resume.
//!
//! A run has three seconds after the first signal, or after its `--max-duration`: then processes are killed, and what this
//! program does itself (parsing, comparing, rendering) is given up, because [`Stop`] is the [`Halt`] that all of it asks.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::children::Children;
use super::sys::Waker;
use crate::model::halt::Halt;

/// How long processes, and our own work, may take after they were asked to end.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// How long comparing and reporting may take if the run was stopped before.
const LAST: Duration = Duration::from_secs(1);

/// Why a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A signal came.
    Signal(i32),
    /// `--max-duration` is over.
    MaxDuration,
    /// A thread of ours panicked.
    Bug,
}

/// A switch that any thread may turn and every wait can watch. It knows the children that live.
#[derive(Debug)]
pub struct Stop {
    reason: AtomicI32,
    is_now: AtomicBool,
    kind: Waker,
    at_once: Waker,
    times: Mutex<Times>,
    children: Children,
}

/// When things are to end.
#[derive(Debug, Default)]
struct Times {
    /// The end of `--max-duration`.
    deadline: Option<Instant>,
    /// When our own work is given up. Set once there is a reason to end.
    give_up: Option<Instant>,
}

const RUNNING: i32 = 0;
const MAX_DURATION: i32 = -1;
const BUG: i32 = -2;

impl Stop {
    /// A switch that is not turned.
    ///
    /// # Errors
    ///
    /// If the system has no pipes left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            reason: AtomicI32::new(RUNNING),
            is_now: AtomicBool::new(false),
            kind: Waker::new()?,
            at_once: Waker::new()?,
            times: Mutex::default(),
            children: Children::default(),
        })
    }

    /// The same for a process that is nothing but one run: what its children start does not outlive the run,
    /// wherever it hides. A child that somebody else started here would be taken for an orphan, and killed.
    ///
    /// # Errors
    ///
    /// If the system does not let it.
    pub fn adopting_orphans() -> io::Result<Self> {
        let mut stop = Self::new()?;
        stop.children.adopt_orphans()?;
        Ok(stop)
    }

    /// Has `program`, given `argument`, stand guard: it is to call [`stand_guard`](super::stand_guard) and nothing else,
    /// and kills what runs should this process be killed.
    pub fn guard_with(&mut self, program: PathBuf, argument: &'static str) {
        self.children.guard_with(program, argument);
    }

    /// Ends the run: nothing more is started, what runs is asked to end. The first reason counts; a second
    /// signal kills what still runs.
    pub fn stop(&self, reason: StopReason) {
        let code = match reason {
            StopReason::Signal(signal) => signal,
            StopReason::MaxDuration => MAX_DURATION,
            StopReason::Bug => BUG,
        };
        let now = self.now();
        let mut times = self.times();
        let first = self.reason.compare_exchange(RUNNING, code, Ordering::SeqCst, Ordering::SeqCst);
        self.kind.wake();
        times.give_up.get_or_insert(now + GRACE);
        if let (Err(before), StopReason::Signal(_)) = (first, reason) {
            if before > 0 {
                self.is_now.store(true, Ordering::SeqCst);
                times.give_up = Some(now);
                self.at_once.wake();
            } else {
                // A signal outranks a cap: the exit code tells of it.
                self.reason.store(code, Ordering::SeqCst);
            }
        }
    }

    /// Why the run ends, if it does.
    pub fn reason(&self) -> Option<StopReason> {
        match self.reason.load(Ordering::SeqCst) {
            RUNNING => None,
            MAX_DURATION => Some(StopReason::MaxDuration),
            BUG => Some(StopReason::Bug),
            signal => Some(StopReason::Signal(signal)),
        }
    }

    /// The run is to end at this time, whatever it does then.
    pub fn end_at(&self, deadline: Instant) {
        self.times().deadline = Some(deadline);
    }

    /// All processes have ended; what is left is to compare and to report. A run that was stopped before has a moment for it,
    /// unless one more signal comes.
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

    /// Stops all that runs, and the time as well; does `sleep`, which returns when the run is to go on. Nothing
    /// is started meanwhile.
    #[cfg(unix)]
    pub fn pause(&self, sleep: impl FnOnce()) {
        self.children.pause(sleep);
    }

    /// The time, less that of the pauses: for what is to happen after a while.
    pub(super) fn now(&self) -> Instant {
        self.children.now()
    }

    /// Whether the run is to end without grace.
    pub(super) fn is_now(&self) -> bool {
        self.is_now.load(Ordering::SeqCst)
    }

    /// Wakes once the run is to end.
    pub(super) fn kind(&self) -> &Waker {
        &self.kind
    }

    /// Wakes once it is to end without grace.
    pub(super) fn at_once(&self) -> &Waker {
        &self.at_once
    }

    /// What lives.
    pub(super) fn children(&self) -> &Children {
        &self.children
    }
}

impl Halt for Stop {
    /// Whether our own work is given up: at the second signal, or a while after the first reason to end.
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
    fn our_own_work_is_given_up_at_the_second_signal() {
        let stop = Stop::new().unwrap();
        assert!(!stop.is_due());
        stop.stop(StopReason::Signal(15));
        stop.stop(StopReason::Signal(15));
        assert!(stop.is_due());
    }

    #[test]
    fn a_run_that_was_stopped_twice_has_a_moment_to_report_until_one_more_signal() {
        let stop = Stop::new().unwrap();
        (0..2).for_each(|_| stop.stop(StopReason::Signal(2)));
        stop.times().give_up = Some(stop.now() + Duration::from_secs(3600));
        stop.begin_report();
        assert!(!stop.is_due(), "what was left of the time is not taken away");
        stop.stop(StopReason::Signal(2));
        assert!(stop.is_due());
        assert_eq!(stop.reason(), Some(StopReason::Signal(2)));
    }

    #[test]
    fn work_is_given_up_some_time_after_the_deadline() {
        let stop = Stop::new().unwrap();
        stop.end_at(stop.now());
        assert!(!stop.is_due());
        assert_eq!(stop.reason(), Some(StopReason::MaxDuration));
        stop.times().give_up = Some(stop.now());
        assert!(stop.is_due());
    }

    #[test]
    fn a_run_that_nobody_stops_has_all_the_time() {
        let stop = Stop::new().unwrap();
        stop.begin_report();
        assert!(!stop.is_due() && stop.reason().is_none());
    }
}
