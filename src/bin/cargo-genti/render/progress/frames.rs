//! A terminal that writes each frame at once and leaves the cursor at the beginning of the last line.
//!
//! The terminal can echo `^C` at the cursor at any time. After a full line, the echo would wrap to the next
//! line; within a frame, it would shift the rest. In both cases, a line would remain on screen after
//! clearing.

use std::io;

use indicatif::TermLike;

/// Forwards to a terminal that is buffered until it is flushed.
#[derive(Debug)]
pub(super) struct Frames<T>(T);

impl<T: TermLike> Frames<T> {
    pub(super) fn new(terminal: T) -> Self {
        Self(terminal)
    }
}

impl<T: TermLike> TermLike for Frames<T> {
    fn width(&self) -> u16 {
        self.0.width()
    }

    fn height(&self) -> u16 {
        self.0.height()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.0.write_line(s)
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.0.write_str(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.flush()
    }
}
