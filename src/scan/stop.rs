//! How a run is told to end early, once kindly, twice at once, and to pause.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Instant;

use super::children::Children;
use super::sys::Waker;

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
    children: Children,
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
        let first = self.reason.compare_exchange(RUNNING, code, Ordering::SeqCst, Ordering::SeqCst);
        self.kind.wake();
        if let (Err(before), StopReason::Signal(_)) = (first, reason) {
            if before > 0 {
                self.is_now.store(true, Ordering::SeqCst);
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
