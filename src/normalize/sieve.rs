//! Which lines of a long output a parser needs. The others don't have to be in memory: they are read as empty lines, so that
//! lines keep their numbers.
//!
//! Does not know where the output is.

use regex::Regex;

use super::Scrub;
use super::lines::{LONGEST, Seen, matches};
use crate::model::halt::{Halt, Pace};
use crate::model::tool::{Parse, Tool};

/// Says of each line of a stream whether its parser needs it.
#[derive(Debug)]
pub struct Sieve<'a> {
    /// Lines that match are needed; without one, all lines that are not blank.
    pattern: Option<Regex>,
    seen: Seen,
    scrub: &'a Scrub,
    /// Whether there was a line that can be quoted: the first one is, if there is no finding.
    has_text: bool,
    pace: Pace<'a>,
    is_over: bool,
}

impl<'a> Sieve<'a> {
    /// For the output of `tool`, if its parser reads each line by itself.
    pub fn new(tool: &Tool, scrub: &'a Scrub, halt: &'a dyn Halt) -> Option<Self> {
        let pattern = match &tool.parse {
            // One that matches an empty line would find those that are left out.
            Parse::Regex(pattern) => Some(Regex::new(pattern).ok().filter(|pattern| !pattern.is_match(""))?),
            Parse::Lines => None,
            _ => return None,
        };
        // Such a name is found before the output is cut into lines.
        if scrub.has_odd_names() {
            return None;
        }
        let (seen, pace) = (Seen::default(), Pace::new(halt));
        Some(Self { pattern, seen, scrub, has_text: false, pace, is_over: false })
    }

    /// Whether `line` is needed. Of one that is longer than 1 MiB, a part is enough.
    pub fn keeps(&mut self, line: &[u8]) -> bool {
        // The parser will be halted as well.
        self.is_over |= self.pace.spend(line.len() + 1).is_err();
        if self.is_over {
            return false;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > LONGEST || line.contains(&0) {
            return true;
        }
        let is_needed = self.seen.is_new(line)
            && match &self.pattern {
                Some(pattern) => matches(pattern, line),
                None => !line.trim_ascii().is_empty(),
            };
        let is_first = !self.has_text && !self.scrub.quote(line.trim_ascii()).is_empty();
        self.has_text |= is_first;
        is_needed || is_first
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::collection::vec;
    use proptest::sample::select;
    use proptest::test_runner::Config as ProptestConfig;
    use proptest::{prop_assert_eq, proptest};

    use super::*;
    use crate::model::halt::Never;
    use crate::model::halt::testing::After;
    use crate::model::task::{Exit, Output, Unit};
    use crate::normalize::testing::{tool, with_cases};
    use crate::normalize::{Input, NotParsed, Parsed, parse};

    const PATTERN: &str = r"^(?<path>[^:]+):(?<line>\d+): (?<message>.+)$";

    fn formats() -> [Parse; 2] {
        [Parse::Regex(PATTERN.to_owned()), Parse::Lines]
    }

    fn sifted(parse: &Parse, text: &[u8]) -> Vec<u8> {
        let scrub = Scrub::new(&with_cases(), None, Path::new("/tmp"));
        let tool = tool("lint", parse.clone(), &["lint"]);
        let mut sieve = Sieve::new(&tool, &scrub, &Never).expect("it is read line by line");
        let lines = text.split(|byte| *byte == b'\n');
        lines.map(|line| if sieve.keeps(line) { line } else { b"" }).collect::<Vec<_>>().join(&b'\n')
    }

    fn parsed(format: &Parse, stdout: &[u8], code: i32) -> Result<Parsed, NotParsed> {
        let (workspace, tool) = (with_cases(), tool("lint", format.clone(), &["lint"]));
        let scrub = Scrub::new(&workspace, None, Path::new("/tmp"));
        let (stdout, exit) = (stdout.to_vec(), Exit::Code(code));
        parse(&Input {
            workspace: &workspace,
            tool: &tool,
            units: &[Unit::Workspace],
            packages: &[],
            output: &Output { stdout, stderr: Vec::new(), exit, is_leaky: false },
            scrub: &scrub,
            halt: &Never,
        })
    }

    const LINES: [&[u8]; 12] = [
        b"src/lib.rs:3: bad",
        b"src/lib.rs:3: bad\r",
        b"src/lib.rs:4: worse",
        b"\x1b[1msrc/lib.rs:5: colored\x1b[0m",
        b"src/\xff.rs:3: bad",
        b"noise",
        b"noise",
        b"",
        b"\r",
        b"  \t",
        b"\x1b[0m",
        b"a\0b",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_left_is_read_as_all_of_it(lines in vec(select(LINES.as_slice()), 0..12), code in 0_i32..3) {
            let text = lines.join(&b'\n');
            for format in formats() {
                prop_assert_eq!(parsed(&format, &sifted(&format, &text), code), parsed(&format, &text, code));
            }
        }
    }

    #[test]
    fn of_garbage_and_of_equal_lines_next_to_nothing_is_left() {
        let garbage: Vec<u8> = (0..10_000).flat_map(|at| format!("garbage {at}\n").into_bytes()).collect();
        let [by_pattern, lines] = formats();
        assert_eq!(sifted(&by_pattern, &garbage).trim_ascii(), b"garbage 0");
        let equal = b"src/lib.rs:3: bad\n".repeat(10_000);
        for format in [by_pattern, lines] {
            assert_eq!(sifted(&format, &equal).trim_ascii(), b"src/lib.rs:3: bad");
        }
    }

    #[test]
    fn a_pattern_that_matches_an_empty_line_needs_all_of_them() {
        let scrub = Scrub::new(&with_cases(), None, Path::new("/tmp"));
        for parse in [Parse::Regex("^(?<message>.*)$".to_owned()), Parse::ExitCode, Parse::RustcJson] {
            assert!(Sieve::new(&tool("lint", parse, &["lint"]), &scrub, &Never).is_none());
        }
    }

    #[test]
    fn nothing_is_looked_at_any_more_once_reading_is_to_end() {
        let scrub = Scrub::new(&with_cases(), None, Path::new("/tmp"));
        let halt = After::new(2);
        let mut sieve = Sieve::new(&tool("lint", Parse::Lines, &["lint"]), &scrub, &halt).expect("lines");
        let kept = (0..1_000_000).take_while(|at| sieve.keeps(format!("line {at}").as_bytes())).count();
        assert!(kept < 100_000, "{kept}");
        assert!(!sieve.keeps(b"one more") && halt.asked() == 3);
    }
}
