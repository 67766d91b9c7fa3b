//! Output of failed tests, for people to read.
//!
//! It may differ between identical runs, so it is not part of any artifact and never affects a verdict.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Output of a failed test: its end, if it is long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TestOutput {
    /// The test, as the subject of its finding names it: `alpha::it tests::works`.
    pub test: String,
    /// The last lines of its output.
    pub text: String,
    /// Number of bytes before `text` that are left out.
    pub left_out: u64,
}

impl TestOutput {
    /// Number of bytes that are kept of one test.
    pub const MOST: usize = 64 << 10;
    /// Number of bytes that are kept of all tests of a process together.
    pub const MOST_OF_PROCESS: usize = 4 << 20;

    /// Returns the last `most` bytes of `lines`, without blank lines around them; `None` if there are none.
    pub fn of(test: &str, lines: &[&str], most: usize) -> Option<Self> {
        let is_blank = |line: &&str| line.trim().is_empty();
        let first = lines.iter().position(|line| !is_blank(line))?;
        let last = lines.iter().rposition(|line| !is_blank(line))?;
        let lines = &lines[first..=last];
        let (mut size, mut from) = (0, lines.len());
        while let Some(line) = from.checked_sub(1).map(|at| lines[at]).filter(|line| size + line.len() < most)
        {
            size += line.len() + 1;
            from -= 1;
        }
        let mut text = lines[from..].join("\n");
        // A single long line is cut within.
        if let Some(line) = lines[..from].last().filter(|_| text.is_empty() && from == lines.len()) {
            let start = (line.len().saturating_sub(most)..=line.len()).find(|at| line.is_char_boundary(*at));
            text.push_str(&line[start.unwrap_or(line.len())..]);
        }
        let all: usize = lines.iter().map(|line| line.len() + 1).sum();
        let left_out = all.saturating_sub(text.len() + 1) as u64;
        Some(Self { test: test.to_owned(), text, left_out })
    }

    /// Returns the text, with a first line that says how much is left out.
    pub fn with_note(&self) -> Cow<'_, str> {
        match self.left_out {
            0 => Cow::Borrowed(&self.text),
            bytes => format!("[{bytes} bytes before this are left out]\n{}", self.text).into(),
        }
    }
}

/// Collects the outputs of the failed tests of one process, within its limit.
#[derive(Debug)]
pub struct TestOutputs {
    all: Vec<TestOutput>,
    room: usize,
}

impl Default for TestOutputs {
    fn default() -> Self {
        Self { all: Vec::new(), room: TestOutput::MOST_OF_PROCESS }
    }
}

impl TestOutputs {
    /// Adds the output of `test`.
    pub fn add(&mut self, test: &str, lines: &[&str]) {
        if let Some(output) = TestOutput::of(test, lines, self.room.min(TestOutput::MOST)) {
            self.room -= output.text.len().min(self.room);
            self.all.push(output);
        }
    }

    /// Returns the outputs, sorted by test.
    pub fn finish(mut self) -> Vec<TestOutput> {
        self.all.sort();
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], most: usize, text: &str, left_out: u64) {
        let output = TestOutput::of("t", lines, most).unwrap();
        assert_eq!((output.text.as_str(), output.left_out), (text, left_out));
        assert!(output.text.len() <= most);
    }

    #[test]
    fn the_end_of_a_long_output_is_kept() {
        check(&["", "a", "", "b", " "], 100, "a\n\nb", 0);
        check(&["first", "second", "third"], 13, "second\nthird", 6);
        check(&["first", "second", "third"], 12, "third", 13);
        check(&["é".repeat(5).as_str()], 5, "éé", 6);
        check(&["text"], 0, "", 4);
        assert_eq!(TestOutput::of("t", &["", " "], 100), None);
        let cut = TestOutput::of("t", &["first", "second"], 7).unwrap();
        assert_eq!(cut.with_note(), "[6 bytes before this are left out]\nsecond");
    }

    #[test]
    fn the_outputs_of_a_process_have_a_limit_together() {
        let mut outputs = TestOutputs::default();
        let line = "x".repeat(TestOutput::MOST - 1);
        let count = TestOutput::MOST_OF_PROCESS / line.len() + 10;
        (0..count).for_each(|at| outputs.add(&at.to_string(), &[&line]));
        let all = outputs.finish();
        assert_eq!(all.len(), count);
        assert!(all.iter().map(|output| output.text.len()).sum::<usize>() <= TestOutput::MOST_OF_PROCESS);
    }
}
