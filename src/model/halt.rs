//! Early termination of work in layers that know neither clock nor signals: the caller passes a [`Halt`], and
//! loops query it at regular intervals.
//!
//! Halted work has seen only part of its input. Its result must not be used, so every function that takes a
//! [`Halt`] returns [`Halted`] instead of a result.

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells when work must stop. Once due, an implementation should stay due: see [`Latch`].
pub trait Halt: fmt::Debug + Sync {
    /// Returns true if work must stop now.
    fn is_due(&self) -> bool;
}

/// The error of work that stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped before it finished")]
pub struct Halted;

impl From<Halted> for io::Error {
    fn from(halted: Halted) -> Self {
        Self::other(halted)
    }
}

/// Returns whether `error` means that reading or writing was halted.
pub fn is_halt(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Halted>())
}

/// A [`Halt`] for work that is short or must be completed.
#[derive(Clone, Copy, Debug)]
pub struct Never;

impl Halt for Never {
    fn is_due(&self) -> bool {
        false
    }
}

/// A [`Halt`] that stays due, so that the caller can detect that some work was skipped.
#[derive(Debug)]
pub struct Latch<'a> {
    halt: &'a dyn Halt,
    is_tripped: AtomicBool,
}

impl<'a> Latch<'a> {
    /// Creates a latch that trips once it is queried while `halt` is due.
    pub fn new(halt: &'a dyn Halt) -> Self {
        Self { halt, is_tripped: AtomicBool::new(false) }
    }

    /// Checks that the latch has not tripped.
    ///
    /// # Errors
    ///
    /// If the latch has tripped, so some work may be missing.
    pub fn check(&self) -> Result<(), Halted> {
        if self.is_tripped.load(Ordering::Relaxed) { Err(Halted) } else { Ok(()) }
    }
}

impl Halt for Latch<'_> {
    fn is_due(&self) -> bool {
        if !self.is_tripped.load(Ordering::Relaxed) && self.halt.is_due() {
            self.is_tripped.store(true, Ordering::Relaxed);
        }
        self.is_tripped.load(Ordering::Relaxed)
    }
}

/// Amount of work between two queries: bytes that are read or written, or work that takes about as long. This
/// takes a few milliseconds, even if all of the bytes become findings.
pub const STRIDE: usize = 64 << 10;

/// Amount of work that a finding counts for when it is compared, sorted or rendered.
pub const PER_FINDING: usize = 256;

/// Counts work, and queries a [`Halt`] after each [`STRIDE`].
#[derive(Clone, Debug)]
pub struct Pace<'a> {
    halt: &'a dyn Halt,
    left: usize,
}

impl<'a> Pace<'a> {
    /// Creates a counter that queries `halt` on the first call of [`Self::spend`].
    pub fn new(halt: &'a dyn Halt) -> Self {
        Self { halt, left: 0 }
    }

    /// Counts `work` that is about to start.
    ///
    /// # Errors
    ///
    /// If work must stop now.
    pub fn spend(&mut self, work: usize) -> Result<(), Halted> {
        match self.left.checked_sub(work) {
            Some(left) => self.left = left,
            None if self.halt.is_due() => return Err(Halted),
            None => self.left = STRIDE,
        }
        Ok(())
    }
}

/// An iterator that ends early when work must stop.
#[derive(Clone, Debug)]
pub struct Until<'a, I, W> {
    items: I,
    work_of: W,
    pace: Pace<'a>,
    is_over: bool,
}

/// Iterates over `items` until `halt` is due. `work_of` returns the amount of work per item.
pub fn until<'a, I: IntoIterator, W: Fn(&I::Item) -> usize>(
    halt: &'a dyn Halt,
    items: I,
    work_of: W,
) -> Until<'a, I::IntoIter, W> {
    Until { items: items.into_iter(), work_of, pace: Pace::new(halt), is_over: false }
}

impl<I: Iterator, W: Fn(&I::Item) -> usize> Iterator for Until<'_, I, W> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if self.is_over {
            return None;
        }
        let item = self.items.next();
        let work = item.as_ref().map_or(1, &self.work_of);
        self.is_over = item.is_none() || self.pace.spend(work).is_err();
        item.filter(|_| !self.is_over)
    }
}

impl<I: Iterator, W: Fn(&I::Item) -> usize> FusedIterator for Until<'_, I, W> {}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A [`Halt`] that becomes due after a number of queries, and counts them.
    #[derive(Debug)]
    pub(crate) struct After {
        left: AtomicUsize,
        asked: AtomicUsize,
    }

    impl After {
        pub(crate) fn new(left: usize) -> Self {
            Self { left: AtomicUsize::new(left), asked: AtomicUsize::new(0) }
        }

        pub(crate) fn asked(&self) -> usize {
            self.asked.load(Ordering::Relaxed)
        }
    }

    impl Halt for After {
        fn is_due(&self) -> bool {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let less = |left: usize| left.checked_sub(1);
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::After;
    use super::*;

    #[test]
    fn work_stops_within_a_stride_after_it_is_due() {
        let halt = After::new(3);
        let mut pace = Pace::new(&halt);
        let done = (0..).take_while(|_| pace.spend(1000).is_ok()).count();
        let most = 3 * (STRIDE / 1000 + 1);
        assert!((most - 3..=most).contains(&done), "{done}");
        assert_eq!(halt.asked(), 4);
    }

    #[test]
    fn a_single_large_amount_of_work_queries_the_halt() {
        let halt = After::new(2);
        let mut pace = Pace::new(&halt);
        assert_eq!((0..).take_while(|_| pace.spend(10 * STRIDE).is_ok()).count(), 2);
    }

    #[test]
    fn items_end_when_the_halt_is_due() {
        let all: Vec<_> = until(&Never, 0..10, |_| STRIDE).collect();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        let halt = After::new(4);
        let latch = Latch::new(&halt);
        assert_eq!(until(&latch, 0..10, |_| 2 * STRIDE).count(), 4);
        assert_eq!(latch.check(), Err(Halted));
        assert_eq!(until(&latch, 0..10, |_| 1).count(), 0, "the latch stays due");
        assert_eq!(halt.asked(), 5, "and the halt is not queried again");
    }

    #[test]
    fn an_error_tells_whether_work_was_halted() {
        assert!(is_halt(&Halted.into()));
        assert!(!is_halt(&io::Error::other("something else")));
    }

    #[test]
    fn a_latch_that_has_not_tripped_is_ok() {
        let latch = Latch::new(&Never);
        assert_eq!(until(&latch, 0..10, |_| STRIDE).count(), 10);
        assert_eq!(latch.check(), Ok(()));
    }
}
