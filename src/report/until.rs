//! A writer that can be halted, so that writing a long report ends early.

use std::io::{self, Write};

use crate::model::halt::{Halt, Halted, Pace};

/// Writer that fails with [`Halted`] once a [`Halt`] is due.
pub struct Until<'a> {
    out: &'a mut dyn Write,
    pace: Pace<'a>,
}

impl<'a> Until<'a> {
    /// Creates a writer to `out` that fails once `halt` is due.
    pub fn new(halt: &'a dyn Halt, out: &'a mut dyn Write) -> Self {
        Self { out, pace: Pace::new(halt) }
    }
}

impl Write for Until<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pace.spend(bytes.len()).map_err(io::Error::other)?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether `error` means that writing was halted.
pub fn is_halt(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Halted>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::halt::STRIDE;
    use crate::model::halt::testing::After;

    #[test]
    fn writing_fails_within_a_stride_after_a_halt() {
        let halt = After::new(3);
        let mut written = Vec::new();
        let mut out = Until::new(&halt, &mut written);
        let error = (0..).find_map(|_| out.write_all(&[b'x'; 1000]).err()).unwrap();
        assert!(is_halt(&error));
        assert!((2 * STRIDE..=3 * STRIDE + 3000).contains(&written.len()), "{}", written.len());
        assert!(!is_halt(&io::Error::other("something else")));
    }
}
