//! A request to end single processes, while the run goes on.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::sys::Waker;

/// Request to end processes, which several threads may wait for.
#[derive(Debug)]
pub(super) struct End {
    is_set: AtomicBool,
    waker: Waker,
}

impl End {
    /// Creates a request that is not made yet.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { is_set: AtomicBool::new(false), waker: Waker::new()? })
    }

    /// Makes the request.
    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Returns true if the request was made.
    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    /// Returns the event of the request.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }
}
