//! Reads what cargo or a test runner is doing from its output, while it runs.
//!
//! Only for display: no verdict depends on it, and output in an unknown form is ignored. Cargo draws a progress bar on standard
//! error, which is the only place where it counts its units. The bar is removed from the output, as a terminal would overwrite it.

use std::borrow::Cow;

use super::end::End;
use super::unfinished::Unfinished;
use crate::model::event::{Activity, Doing};
use crate::model::tool::{Printer, Tool};

/// Maximum length of a line that is read. The rest of a longer line is ignored.
const LINE: usize = 1024;
/// Maximum length of a line on standard error that is held back to see how it ends.
const HELD: usize = 64 << 10;

/// Reads the output of a process while it runs.
pub(super) trait Watch {
    /// Reads `bytes` of standard output (0) or standard error (1). Returns those that belong to the output.
    fn read<'b>(&mut self, stream: usize, bytes: &'b [u8]) -> Cow<'b, [u8]>;

    /// Returns the rest of standard error.
    fn finish(&mut self) -> Vec<u8>;
}

/// Reads the output of one process of a tool.
pub struct Watcher<'a> {
    form: Printer,
    report: &'a dyn Fn(&Doing),
    doing: Doing,
    /// The beginnings of the current lines of both streams.
    lines: [Vec<u8>; 2],
    bar: Bar,
    unfinished: Unfinished,
    end: Option<&'a End>,
}

impl<'a> Watcher<'a> {
    /// Creates a watcher for a process of `tool`, which passes each change to `report`.
    pub fn new(tool: &Tool, report: &'a dyn Fn(&Doing)) -> Self {
        Self {
            form: tool.parse.printer(),
            report,
            doing: Doing::default(),
            lines: Default::default(),
            bar: Bar::default(),
            unfinished: Unfinished::default(),
            end: None,
        }
    }

    /// Creates a watcher that ignores everything.
    pub fn none() -> Self {
        let (doing, lines, bar, unfinished) = Default::default();
        Self { form: Printer::Other, report: &|_| {}, doing, lines, bar, unfinished, end: None }
    }

    /// Creates a watcher that ignores the output, and ends the process on request.
    #[cfg(target_os = "linux")]
    pub(super) fn until(end: &'a End) -> Self {
        Self { end: Some(end), ..Self::none() }
    }

    /// Returns the request to end the process, if there can be one.
    pub(super) fn end(&self) -> Option<&'a End> {
        self.end
    }

    /// Describes which tests were running, as the end of a message about the time limit. Empty if it is not known.
    pub(super) fn describe_unfinished(&self) -> String {
        self.unfinished.describe()
    }
}

impl Watch for Watcher<'_> {
    fn read<'b>(&mut self, stream: usize, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.form == Printer::Other {
            return bytes.into();
        }
        let before = self.doing.clone();
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let line = &mut self.lines[stream];
            let is_whole = part.ends_with(b"\n") || part.ends_with(b"\r");
            let text = &part[..part.len() - usize::from(is_whole)];
            line.extend_from_slice(&text[..text.len().min(LINE - line.len())]);
            let text = String::from_utf8_lossy(line);
            self.doing.read(&text, is_whole);
            self.unfinished.read(&text, is_whole);
            if is_whole {
                line.clear();
            }
        }
        if self.doing != before {
            (self.report)(&self.doing);
        }
        match (self.form, stream) {
            (Printer::Cargo, 1) => self.bar.remove(bytes).into(),
            _ => bytes.into(),
        }
    }

    fn finish(&mut self) -> Vec<u8> {
        self.bar.finish()
    }
}

impl Doing {
    /// Updates it for a line, or for the beginning of one.
    fn read(&mut self, line: &str, is_whole: bool) {
        // Messages in JSON say nothing about progress.
        if line.starts_with('{') {
            return;
        }
        let line = line.trim();
        if let Some(name) = line.strip_prefix("test ") {
            return self.read_test(name, is_whole);
        }
        if !is_whole {
            return;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "Building" => {
                let Some((_, rest)) = rest.split_once("] ") else { return };
                let (count, names) = rest.split_once(": ").unwrap_or((rest, ""));
                let numbers =
                    count.split_once('/').map(|(done, total)| (done.trim().parse(), total.trim().parse()));
                if let Some((Ok(done), Ok(total))) = numbers {
                    (self.done, self.total) = (done, Some(total));
                }
                let name = names.split(", ").next().unwrap_or_default();
                let name = name.split('(').next().unwrap_or_default().trim();
                self.now = (!name.is_empty()).then(|| Activity::Build(name.to_owned()));
            }
            "Compiling" | "Checking" | "Documenting" if self.total.is_none() => {
                let name = rest.split(' ').next().unwrap_or_default();
                self.now = Some(Activity::Build(name.to_owned()));
            }
            "running" => {
                let count = rest.strip_suffix(" tests").or(rest.strip_suffix(" test"));
                if let Some(count) = count.and_then(|count| count.parse::<u32>().ok()) {
                    self.total = Some(self.total.unwrap_or_default().saturating_add(count));
                    self.now = None;
                }
            }
            "Starting" => {
                let count = rest.split_once(" test").and_then(|(count, _)| count.parse().ok());
                (self.total, self.now) = (count.or(self.total), None);
            }
            "PASS" | "FAIL" | "LEAK" | "TIMEOUT" | "ABORT" if rest.starts_with('[') => self.done += 1,
            "SLOW" => {
                self.now = rest.rsplit(' ').next().map(|name| Activity::Test(name.to_owned()));
            }
            _ => {}
        }
    }

    /// Updates it for a line of libtest, without its first word.
    fn read_test(&mut self, line: &str, is_whole: bool) {
        if let Some((name, _)) = line.split_once(" has been running for over ").filter(|_| is_whole) {
            self.now = Some(Activity::Test(name.to_owned()));
        } else if let Some(name) = line.strip_suffix(" ...").filter(|_| !is_whole) {
            self.now = Some(Activity::Test(name.to_owned()));
        } else if let Some((name, _)) = line.rsplit_once(" ... ").filter(|_| is_whole) {
            self.done += 1;
            if matches!(&self.now, Some(Activity::Test(now)) if now == name) {
                self.now = None;
            }
        }
    }
}

/// Removes lines that end with a carriage return alone: the next one overwrites them on a terminal.
#[derive(Default)]
struct Bar {
    /// The current line, until it is known how it ends.
    held: Vec<u8>,
    /// True if the last byte was a carriage return.
    has_returned: bool,
}

impl Bar {
    fn remove(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if std::mem::take(&mut self.has_returned) {
                match byte {
                    b'\n' => self.held.push(b'\r'),
                    _ => self.held.clear(),
                }
            }
            match byte {
                b'\r' => self.has_returned = true,
                _ => self.held.push(byte),
            }
            if byte == b'\n' || self.held.len() >= HELD {
                out.append(&mut self.held);
            }
        }
        out
    }

    fn finish(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.has_returned) {
            self.held.clear();
        }
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard error of `cargo check` with a progress bar.
    const CARGO: &str = "    Updating crates.io index\n   Compiling libc v0.2.158\n\
        \x20   Building [            ] 0/55: memchr, libc(build.rs)      \r\
        \x20   Building [=>          ] 41/55: serde(build)        \r    Checking serde v1.0.210\nwarning: one\r\n\
        \x20   Building [===========>] 54/55: grep       \r";

    fn after(output: &[(usize, &str)]) -> Doing {
        let mut doing = Doing::default();
        let mut lines: [String; 2] = Default::default();
        for (stream, text) in output {
            for part in text.split_inclusive(['\n', '\r']) {
                let is_whole = part.ends_with(['\n', '\r']);
                lines[*stream].push_str(part);
                doing.read(&lines[*stream], is_whole);
                if is_whole {
                    lines[*stream].clear();
                }
            }
        }
        doing
    }

    #[test]
    fn the_bar_of_cargo_is_read_and_removed_however_it_is_cut() {
        let without = "    Updating crates.io index\n   Compiling libc v0.2.158\n    Checking serde v1.0.210\n\
            warning: one\r\n";
        for size in 1..CARGO.len() {
            let mut bar = Bar::default();
            let mut out: Vec<u8> = CARGO.as_bytes().chunks(size).flat_map(|part| bar.remove(part)).collect();
            out.extend(bar.finish());
            assert_eq!(String::from_utf8(out).unwrap(), without, "pieces of {size}");
        }
        let build =
            |done, total, name: &str| Doing { done, total, now: Some(Activity::Build(name.to_owned())) };
        assert_eq!(after(&[(1, CARGO)]), build(54, Some(55), "grep"));
        assert_eq!(after(&[(1, "   Compiling libc v0.2.158\n")]), build(0, None, "libc"));
        let (first, _) = CARGO.split_at(CARGO.find("    Checking").unwrap());
        assert_eq!(after(&[(1, first)]), build(41, Some(55), "serde"));
    }

    #[test]
    fn output_without_a_bar_is_unchanged() {
        for text in ["a\nb", "a\r\nb\r\n", "", "no end", &"x".repeat(HELD + 5)] {
            let mut bar = Bar::default();
            let mut out = bar.remove(text.as_bytes());
            out.extend(bar.finish());
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn tests_are_counted_and_the_running_one_is_named_if_it_is_known() {
        let test =
            |done, total, name: &str| Doing { done, total, now: Some(Activity::Test(name.to_owned())) };
        let text = "\nrunning 3 tests\ntest a ... ok\ntest b - should panic ... ok\ntest it::slow ... ";
        assert_eq!(after(&[(0, text)]), test(2, Some(3), "it::slow"));
        let done = Doing { done: 3, total: Some(3), now: None };
        assert_eq!(after(&[(0, text), (0, "FAILED\n")]), done);
        let text =
            "running 2 tests\ntest it::slow has been running for over 60 seconds\ntest a ... ignored\n";
        assert_eq!(after(&[(0, text)]), test(1, Some(2), "it::slow"));
        let nextest = "    Starting 12 tests across 2 binaries\n        PASS [   0.005s] w a\n\
            \x20       SLOW [> 60.000s] w it::slow\n        FAIL [   0.005s] w b\n";
        assert_eq!(after(&[(1, nextest)]), test(2, Some(12), "it::slow"));
        assert_eq!(after(&[(0, "{\"reason\":\"test a ... ok\"}\n")]), Doing::default());
    }
}
