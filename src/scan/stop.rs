//! How a run is told to end early: once kindly, twice at once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

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

/// A switch that any thread may turn and every wait can watch: a pipe that becomes readable and stays so.
#[derive(Debug)]
pub struct Stop {
    reason: AtomicI32,
    is_now: AtomicBool,
    kind: Switch,
    now: Switch,
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
            kind: Switch::new()?,
            now: Switch::new()?,
        })
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
        self.kind.turn();
        if let (Err(before), StopReason::Signal(_)) = (first, reason) {
            if before > 0 {
                self.is_now.store(true, Ordering::SeqCst);
                self.now.turn();
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

    /// Whether the run is to end without grace.
    pub(super) fn is_now(&self) -> bool {
        self.is_now.load(Ordering::SeqCst)
    }

    /// Readable once the run is to end.
    pub(super) fn kind(&self) -> BorrowedFd<'_> {
        self.kind.read.as_fd()
    }

    /// Readable once it is to end without grace.
    pub(super) fn now(&self) -> BorrowedFd<'_> {
        self.now.read.as_fd()
    }
}

#[derive(Debug)]
struct Switch {
    read: OwnedFd,
    write: OwnedFd,
}

impl Switch {
    fn new() -> io::Result<Self> {
        let (read, write) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK)?;
        Ok(Self { read, write })
    }

    fn turn(&self) {
        // A full pipe is readable already.
        let _ = rustix::io::write(&self.write, b"!");
    }
}
