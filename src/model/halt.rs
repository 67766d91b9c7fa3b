//! How long work ends early, in layers that know no clock and no signals: whoever starts the work passes in a [`Halt`], and
//! loops ask it each time that they have done so much.
//!
//! The result of work that was halted is of a part of its input. It must not be used, so every function that takes a
//! [`Halt`] returns [`Halted`] instead of it.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says whether work is to end now. Once it does, it should go on to: see [`Latch`].
pub trait Halt: fmt::Debug + Sync {
    /// Whether work is to end now.
    fn is_due(&self) -> bool;
}

/// The work was ended before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped before it was done")]
pub struct Halted;

/// Work that is short, or must be done.
#[derive(Clone, Copy, Debug)]
pub struct Never;

impl Halt for Never {
    fn is_due(&self) -> bool {
        false
    }
}

/// A [`Halt`] that stays due: so that whoever started the work can tell that some part of it was left out.
#[derive(Debug)]
pub struct Latch<'a> {
    halt: &'a dyn Halt,
    is_tripped: AtomicBool,
}

impl<'a> Latch<'a> {
    /// Trips when `halt` is due and somebody asks.
    pub fn new(halt: &'a dyn Halt) -> Self {
        Self { halt, is_tripped: AtomicBool::new(false) }
    }

    /// An error if somebody was told to end.
    ///
    /// # Errors
    ///
    /// See above.
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

/// How much work is done between two questions: bytes that are read or written, or what takes about as long. A few
/// milliseconds, even where all of them become findings.
pub const STRIDE: usize = 64 << 10;

/// The work to count for a finding that is compared, sorted or rendered.
pub const PER_FINDING: usize = 256;

/// Counts work, and asks a [`Halt`] after each [`STRIDE`].
#[derive(Clone, Debug)]
pub struct Pace<'a> {
    halt: &'a dyn Halt,
    left: usize,
}

impl<'a> Pace<'a> {
    /// Asks for the first time with the first work.
    pub fn new(halt: &'a dyn Halt) -> Self {
        Self { halt, left: 0 }
    }

    /// Counts `work` that is about to be done.
    ///
    /// # Errors
    ///
    /// If it is to end now.
    pub fn spend(&mut self, work: usize) -> Result<(), Halted> {
        match self.left.checked_sub(work) {
            Some(left) => self.left = left,
            None if self.halt.is_due() => return Err(Halted),
            None => self.left = STRIDE,
        }
        Ok(())
    }
}

/// The items of an iterator, until work is to end.
#[derive(Clone, Debug)]
pub struct Until<'a, I, W> {
    items: I,
    work_of: W,
    pace: Pace<'a>,
    is_over: bool,
}

/// The items of `items` until `halt` is due; `work_of` says how much work there is in each.
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

    /// Is due after it was asked so many times, and counts the questions.
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
    fn work_ends_within_a_stride_after_it_is_due() {
        let halt = After::new(3);
        let mut pace = Pace::new(&halt);
        let done = (0..).take_while(|_| pace.spend(1000).is_ok()).count();
        let most = 3 * (STRIDE / 1000 + 1);
        assert!((most - 3..=most).contains(&done), "{done}");
        assert_eq!(halt.asked(), 4);
    }

    #[test]
    fn a_single_large_piece_of_work_is_asked_for_as_well() {
        let halt = After::new(2);
        let mut pace = Pace::new(&halt);
        assert_eq!((0..).take_while(|_| pace.spend(10 * STRIDE).is_ok()).count(), 2);
    }

    #[test]
    fn items_end_when_it_is_due_and_not_before() {
        let all: Vec<_> = until(&Never, 0..10, |_| STRIDE).collect();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        let halt = After::new(4);
        let latch = Latch::new(&halt);
        assert_eq!(until(&latch, 0..10, |_| 2 * STRIDE).count(), 4);
        assert_eq!(latch.check(), Err(Halted));
        assert_eq!(until(&latch, 0..10, |_| 1).count(), 0, "it stays due");
        assert_eq!(halt.asked(), 5, "and nobody is asked again");
    }

    #[test]
    fn a_latch_that_nobody_tripped_is_clean() {
        let latch = Latch::new(&Never);
        assert_eq!(until(&latch, 0..10, |_| STRIDE).count(), 10);
        assert_eq!(latch.check(), Ok(()));
    }
}
