//! A writer that can be halted, so that writing a long report ends early.

use std::io::{self, Write};

use crate::model::halt::{Halt, Pace};

/// Writer that fails with [`Halted`](crate::model::halt::Halted) once a [`Halt`] is due.
pub struct UntilHalted<'a> {
    out: &'a mut dyn Write,
    pace: Pace<'a>,
}

impl<'a> UntilHalted<'a> {
    /// Creates a writer to `out` that fails once `halt` is due.
    pub fn new(halt: &'a dyn Halt, out: &'a mut dyn Write) -> Self {
        Self { out, pace: Pace::new(halt) }
    }
}

impl Write for UntilHalted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pace.spend(bytes.len())?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::halt::testing::After;
    use crate::model::halt::{STRIDE, is_halt};

    #[test]
    fn writing_fails_within_a_stride_after_a_halt() {
        let halt = After::new(3);
        let mut written = Vec::new();
        let mut out = UntilHalted::new(&halt, &mut written);
        let error = (0..).find_map(|_| out.write_all(&[b'x'; 1000]).err()).unwrap();
        assert!(is_halt(&error));
        assert!((2 * STRIDE..=3 * STRIDE + 3000).contains(&written.len()), "{}", written.len());
    }
}
