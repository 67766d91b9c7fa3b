//! Selects the lines of a long output that its parser needs. All other lines are read as empty lines, which saves memory and
//! preserves the line numbers.
//!
//! A parser that reads each line on its own does not need the lines it would skip. A parser that stops at its first error
//! does not need the lines after it. A parser that needs the whole output has no sieve.
//!
//! This module does not know where the output is stored.

use regex::Regex;

use super::lines::{LONGEST, SeenLines, matches};
use super::{Scrub, machete, number};
use crate::model::halt::{Halt, Pace};
use crate::model::task::Exit;
use crate::model::tool::{Parse, Tool};

/// Decides for each line of a stream whether its parser needs it.
#[derive(Debug)]
pub struct Sieve<'a> {
    needs: Needs,
    seen: SeenLines,
    scrub: &'a Scrub,
    /// True after the first line that an error message can quote. This line is kept even if the parser does not need it.
    has_text: bool,
    pace: Pace<'a>,
    /// True if no further lines are needed.
    is_over: bool,
}

/// Rule that selects the lines a parser needs.
#[derive(Debug)]
enum Needs {
    /// Lines that match this pattern. Repeated lines are kept once.
    Matches(Regex),
    /// Non-blank lines. Repeated lines are kept once.
    Text,
    /// Lines with a number that matches this pattern. Repeated lines are kept once.
    Numbers(Regex),
    /// Lines that cargo-machete prints about dependencies.
    Machete,
    /// Lines that may be a JSON object. Cargo mixes its messages with other text.
    Objects,
    /// All lines up to the first one that can't be a JSON object. That line is included, because it is an error.
    ObjectsOnly,
    /// All lines if the output begins like a JSON document, otherwise only its first line.
    Document {
        /// True if the output begins like a JSON document. `None` until its first non-blank line.
        is_json: Option<bool>,
    },
    /// No lines.
    Nothing,
}

impl Needs {
    /// Returns the rule for the standard output of `tool`, which exited with `exit`.
    fn of_stdout(tool: &Tool, exit: Exit, scrub: &Scrub) -> Option<Self> {
        if matches!(exit, Exit::Signal(_)) {
            return Some(Self::Nothing);
        }
        // Odd names are found before the output is cut into lines. A pattern that matches an empty line would match every
        // omitted line.
        let compiled = |pattern: &str| Regex::new(pattern).ok().filter(|pattern| !pattern.is_match(""));
        match &tool.parse {
            Parse::Regex(pattern) => compiled(pattern).filter(|_| !scrub.has_odd_names()).map(Self::Matches),
            Parse::Lines => (!scrub.has_odd_names()).then_some(Self::Text),
            Parse::Number(pattern) => compiled(&pattern.regex).map(Self::Numbers),
            Parse::Machete => Some(Self::Machete),
            Parse::RustcJson | Parse::CargoBuild | Parse::BuildScripts => Some(Self::Objects),
            Parse::TyposJson => Some(Self::ObjectsOnly),
            Parse::AuditJson | Parse::Sarif => Some(Self::Document { is_json: None }),
            Parse::ExitCode => (exit == Exit::Code(0)).then_some(Self::Nothing),
            Parse::Libtest
            | Parse::Nextest
            | Parse::Rustfmt
            | Parse::DenyJson
            | Parse::Diff
            | Parse::Golden(_)
            | Parse::Generator(_) => None,
        }
    }

    /// Returns the rule for standard error. If the process failed, any of its lines may say why.
    fn of_stderr(tool: &Tool, exit: Exit, scrub: &Scrub) -> Option<Self> {
        let is_alike =
            matches!(tool.parse, Parse::Regex(_) | Parse::Lines | Parse::Number(_) | Parse::ExitCode);
        let is_read = matches!(exit, Exit::Code(code) if code != 0 || !is_alike);
        if is_read { None } else { Self::of_stdout(tool, exit, scrub) }
    }
}

impl<'a> Sieve<'a> {
    /// Returns a sieve for the standard output of `tool`, which exited with `exit`. `None` if its parser needs all lines.
    pub fn of_stdout(tool: &Tool, exit: Exit, scrub: &'a Scrub, halt: &'a dyn Halt) -> Option<Self> {
        Needs::of_stdout(tool, exit, scrub).map(|needs| Self::new(needs, scrub, halt))
    }

    /// Returns a sieve for standard error, as `of_stdout` does for standard output.
    pub fn of_stderr(tool: &Tool, exit: Exit, scrub: &'a Scrub, halt: &'a dyn Halt) -> Option<Self> {
        Needs::of_stderr(tool, exit, scrub).map(|needs| Self::new(needs, scrub, halt))
    }

    fn new(needs: Needs, scrub: &'a Scrub, halt: &'a dyn Halt) -> Self {
        let (seen, pace) = (SeenLines::default(), Pace::new(halt));
        Self { needs, seen, scrub, has_text: false, pace, is_over: false }
    }

    /// Returns true if the parser rejects lines longer than 1 MiB, so that the beginning of such a line is enough.
    pub fn cuts_lines(&self) -> bool {
        matches!(self.needs, Needs::Matches(_) | Needs::Text | Needs::Numbers(_) | Needs::Nothing)
    }

    /// Returns true if `line` is needed. For a line longer than 1 MiB, its beginning is enough to decide.
    pub fn keeps(&mut self, line: &[u8]) -> bool {
        // If the run is halted, the parser will stop as well.
        self.is_over |= self.pace.spend(line.len() + 1).is_err();
        if self.is_over {
            return false;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (seen, is_long) = (&mut self.seen, line.len() > LONGEST);
        let is_needed = match &mut self.needs {
            // The parser may report an error at the first of these lines.
            Needs::Matches(_) | Needs::Text if is_long || line.contains(&0) => return true,
            Needs::Matches(pattern) => seen.is_new(line) && matches(pattern, line),
            Needs::Text => seen.is_new(line) && !line.trim_ascii().is_empty(),
            Needs::Numbers(pattern) => {
                return is_long || seen.is_new(line) && number::is_stated(pattern, line);
            }
            Needs::Machete => return machete::is_read(line),
            Needs::Objects => return begins_json(line),
            Needs::ObjectsOnly => {
                self.is_over = !begins_json(line) && !is_blank(line);
                return true;
            }
            Needs::Document { is_json } => {
                if is_json.is_none() && is_blank(line) {
                    return true;
                }
                self.is_over = !*is_json.get_or_insert_with(|| begins_json(line));
                return true;
            }
            Needs::Nothing => return false,
        };
        let is_first = !self.has_text && !self.scrub.quote(line.trim_ascii()).is_empty();
        self.has_text |= is_first;
        is_needed || is_first
    }
}

/// Returns true if a JSON object or array may begin with `line`.
fn begins_json(line: &[u8]) -> bool {
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    matches!(line.trim_ascii_start().first(), Some(b'{' | b'['))
}

fn is_blank(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|line| line.trim().is_empty())
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
    use crate::model::ratchet::{Better, NumberPattern};
    use crate::model::task::{Output, Unit};
    use crate::normalize::testing::{tool, with_cases};
    use crate::normalize::{Input, NotParsed, Parsed, parse};

    const PATTERN: &str = r"^(?<path>[^:]+):(?<line>\d+): (?<message>.+)$";

    fn formats() -> [Parse; 2] {
        [Parse::Regex(PATTERN.to_owned()), Parse::Lines]
    }

    /// Returns all formats that have a sieve.
    fn sifted_formats() -> Vec<Parse> {
        let regex = r"(?<value>\d+)%".to_owned();
        let number = NumberPattern {
            regex,
            name: Some("coverage".to_owned()),
            better: Better::Higher,
            tolerance: None,
            unit: None,
        };
        let others = [Parse::RustcJson, Parse::CargoBuild, Parse::TyposJson, Parse::AuditJson, Parse::Sarif];
        let text = [Parse::Number(Box::new(number)), Parse::Machete];
        formats().into_iter().chain(text).chain(others).collect()
    }

    fn sifted(parse: &Parse, text: &[u8], code: i32) -> Vec<u8> {
        let scrub = Scrub::new(&with_cases(), None, Path::new("/tmp"));
        let tool = tool("lint", parse.clone(), &["lint"]);
        let mut sieve =
            Sieve::of_stdout(&tool, Exit::Code(code), &scrub, &Never).expect("this format has a sieve");
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
            output: &Output { stdout, stderr: Vec::new(), exit, is_leaky: false, generated: None },
            scrub: &scrub,
            halt: &Never,
        })
    }

    const LINES: [&[u8]; 24] = [
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
        b"12%",
        b"\x1b[32m13%\x1b[0m",
        b"cargo-machete didn't find any unused dependencies in this directory. Good job!",
        b"cargo-machete found the following unused dependencies in this directory:",
        b"a -- ./a/Cargo.toml:",
        b"\tserde",
        b"If you believe cargo-machete has detected an unused dependency incorrectly,",
        br#"{"reason":"build-finished","success":true}"#,
        br#" {"type":"typo","path":"src/lib.rs","line_num":1,"byte_offset":0,"typo":"teh","corrections":["the"]}"#,
        br#"{"vulnerabilities":{"found":false,"count":0,"list":[]},"warnings":{}}"#,
        br#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[]}]}"#,
        br#"{"reason":"compiler-"#,
    ];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_left_is_read_as_all_of_it(lines in vec(select(LINES.as_slice()), 0..12), code in 0_i32..3) {
            let text = lines.join(&b'\n');
            for format in sifted_formats() {
                let (left, all) = (parsed(&format, &sifted(&format, &text, code), code), parsed(&format, &text, code));
                // SARIF must be UTF-8 throughout, so an error may be about a line that was left out.
                match (left, all) {
                    (Err(_), Err(_)) if format == Parse::Sarif => {}
                    (left, all) => prop_assert_eq!(left, all, "{:?}", format),
                }
            }
        }
    }

    #[test]
    fn of_garbage_and_of_equal_lines_next_to_nothing_is_left() {
        let garbage: Vec<u8> = (0..10_000).flat_map(|at| format!("garbage {at}\n").into_bytes()).collect();
        let [by_pattern, lines] = formats();
        assert_eq!(sifted(&by_pattern, &garbage, 0).trim_ascii(), b"garbage 0");
        for format in sifted_formats().into_iter().filter(|format| *format != lines) {
            assert!(sifted(&format, &garbage, 0).trim_ascii().len() < 20, "{format:?}");
        }
        assert_eq!(sifted(&Parse::ExitCode, &garbage, 0).trim_ascii(), b"");
        let equal = b"src/lib.rs:3: bad\n".repeat(10_000);
        for format in [by_pattern, lines] {
            assert_eq!(sifted(&format, &equal, 0).trim_ascii(), b"src/lib.rs:3: bad");
        }
    }

    #[test]
    fn a_parser_that_depends_on_every_line_gets_all_of_them() {
        let scrub = Scrub::new(&with_cases(), None, Path::new("/tmp"));
        let of = |parse: &Parse, exit| {
            let tool = tool("lint", parse.clone(), &["lint"]);
            let stdout = Sieve::of_stdout(&tool, exit, &scrub, &Never);
            [stdout.is_some(), Sieve::of_stderr(&tool, exit, &scrub, &Never).is_some()]
        };
        let matches_all = Parse::Regex("^(?<message>.*)$".to_owned());
        for parse in [&matches_all, &Parse::Libtest, &Parse::Diff, &Parse::DenyJson] {
            assert_eq!(of(parse, Exit::Code(0)), [false, false], "{parse:?}");
            assert_eq!(of(parse, Exit::Signal(9)), [true, true], "{parse:?}: its output is not read");
        }
        // Standard error may say why a process failed, and cargo warns there.
        assert_eq!(of(&Parse::Lines, Exit::Code(1)), [true, false]);
        assert_eq!(of(&Parse::RustcJson, Exit::Code(0)), [true, false]);
        assert_eq!(of(&Parse::ExitCode, Exit::Code(1)), [false, false]);
        assert_eq!(of(&Parse::ExitCode, Exit::Code(0)), [true, true]);
    }

    #[test]
    fn nothing_is_looked_at_any_more_once_reading_is_to_end() {
        let scrub = Scrub::new(&with_cases(), None, Path::new("/tmp"));
        let halt = After::new(2);
        let tool = tool("lint", Parse::Lines, &["lint"]);
        let mut sieve = Sieve::of_stdout(&tool, Exit::Code(0), &scrub, &halt).expect("lines");
        let kept = (0..1_000_000).take_while(|at| sieve.keeps(format!("line {at}").as_bytes())).count();
        assert!(kept < 100_000, "{kept}");
        assert!(!sieve.keeps(b"one more") && halt.asked() == 3);
    }
}
