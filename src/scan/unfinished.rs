//! Reads from the output of a test runner, while it runs, which of its tests have not finished. If the process times out, this says
//! which test to look at. No verdict depends on it, and output in an unknown form is ignored.
//!
//! libtest prints `test NAME ... ` when a test starts, if it runs one at a time. Otherwise, it only names a test that has been
//! running for a minute. nextest does the same with `SLOW`.

use std::collections::BTreeSet;

/// Maximum number of tests that are remembered.
const MOST: usize = 1000;
/// Maximum number of tests that are named.
const NAMED: usize = 3;

/// The tests that a process is running, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    running: BTreeSet<String>,
    finished: u64,
    total: u64,
}

impl Unfinished {
    /// Reads a line, or the beginning of one.
    pub(super) fn read(&mut self, line: &str, is_whole: bool) {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test ") {
            return self.read_libtest(rest, is_whole);
        }
        if !is_whole {
            return;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_start();
        match word {
            "running" => {
                let count = rest.strip_suffix(" tests").or(rest.strip_suffix(" test"));
                self.total += count.and_then(|count| count.parse::<u32>().ok()).map_or(0, u64::from);
            }
            "Starting" => {
                let count = rest.split_once(" test").and_then(|(count, _)| count.parse::<u32>().ok());
                self.total += count.map_or(0, u64::from);
            }
            "PASS" | "FAIL" | "LEAK" | "TIMEOUT" | "ABORT" => {
                if let Some(name) = of_nextest(rest) {
                    self.finish(name);
                }
            }
            "SLOW" => {
                if let Some(name) = of_nextest(rest) {
                    self.start(name);
                }
            }
            _ => {}
        }
    }

    fn read_libtest(&mut self, rest: &str, is_whole: bool) {
        let name = |text: &str| text.strip_suffix(" - should panic").unwrap_or(text).to_owned();
        if let Some((test, _)) = rest.split_once(" has been running for over ").filter(|_| is_whole) {
            self.start(&name(test));
        } else if let Some(test) = rest.strip_suffix(" ...") {
            // Output of the test may follow.
            self.start(&name(test));
        } else if let Some((test, result)) = rest.rsplit_once(" ... ").filter(|_| is_whole)
            && ["ok", "FAILED", "ignored", "bench:"].iter().any(|word| result.starts_with(word))
        {
            self.finish(&name(test));
        }
    }

    fn start(&mut self, name: &str) {
        if self.running.len() < MOST {
            self.running.insert(name.to_owned());
        }
    }

    fn finish(&mut self, name: &str) {
        self.finished += 1;
        self.running.remove(name);
    }

    /// Describes what was running, as the end of a message about the time limit. Empty if it is not known.
    pub(super) fn describe(&self) -> String {
        let named: Vec<_> = self.running.iter().take(NAMED).map(String::as_str).collect();
        match self.running.len() {
            0 if self.total > self.finished => {
                format!("; {} of {} tests had finished", self.finished, self.total)
            }
            0 => String::new(),
            count if count > NAMED => {
                format!(" while running {} and {} more tests", named.join(", "), count - NAMED)
            }
            _ => format!(" while running {}", named.join(", ")),
        }
    }
}

/// Returns the name in a status line of nextest, without the word: `[   0.005s] (1/2) package::target name`.
fn of_nextest(rest: &str) -> Option<&str> {
    rest.strip_prefix('[')?.split_once("] ").map(|(_, name)| name).and_then(|name| name.rsplit(' ').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(output: &str) -> String {
        let mut unfinished = Unfinished::default();
        for line in output.split_inclusive('\n') {
            // Each line arrives in pieces.
            (0..line.len()).for_each(|end| unfinished.read(&line[..end], false));
            unfinished.read(line.trim_end_matches('\n'), line.ends_with('\n'));
        }
        unfinished.describe()
    }

    #[test]
    fn a_test_that_started_and_did_not_finish_is_named() {
        let text = "\nrunning 3 tests\ntest a ... ok\ntest b - should panic ... ok\ntest it::slow ... ";
        assert_eq!(after(text), " while running it::slow");
        assert_eq!(after(&format!("{text}FAILED\n")), "");
        assert_eq!(after(&format!("{text}printed\nby the test ... ok or so")), " while running it::slow");
        assert_eq!(
            after("running 1 test\ntest src/lib.rs - f (line 3) ... "),
            " while running src/lib.rs - f (line 3)"
        );
    }

    #[test]
    fn tests_that_run_for_a_minute_are_named() {
        let slow = |name: &str| format!("test {name} has been running for over 60 seconds\n");
        let text = format!("running 9 tests\ntest x ... ok\n{}{}test b ... ok\n", slow("a"), slow("b"));
        assert_eq!(after(&text), " while running a");
        let many: String = ["a", "b", "c", "d", "e"].into_iter().map(slow).collect();
        assert_eq!(after(&many), " while running a, b, c and 2 more tests");
        let nextest = "    Starting 12 tests across 2 binaries\n        PASS [   0.005s] ( 1/12) w a\n\
            \x20       SLOW [> 60.000s] ( 1/12) w it::slow\n        SLOW [> 60.000s] w b\n\
            \x20       FAIL [  61.005s] ( 2/12) w b\n";
        assert_eq!(after(nextest), " while running it::slow");
    }

    #[test]
    fn otherwise_the_tests_that_finished_are_counted() {
        assert_eq!(
            after("running 5 tests\ntest a ... ok\ntest b ... ignored, slow\n"),
            "; 2 of 5 tests had finished"
        );
        assert_eq!(after("anything else\n"), "");
        assert_eq!(after("running 1 test\ntest a ... ok\n\ntest result: ok.\n"), "");
    }
}
