//! Reads one report of the harness, from `running N tests` to `test result: …`.
//!
//! Other harnesses print similar reports: the runner of wasm-bindgen does not count measured tests, and leaves an empty
//! line above its list of failures. Counts missing in a summary are 0, as long as the totals match.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use crate::model::halt::{Pace, until};
use crate::normalize::Input;

/// Report of one program.
pub(super) struct LibtestReport<'a> {
    /// Failed tests as listed by the harness.
    pub(super) failed: Vec<&'a str>,
    /// Set if the summary has exactly the format of rustc's harness, which exits with 101 after a failure.
    pub(super) is_libtest: bool,
    /// First and last line.
    pub(super) begin: usize,
    pub(super) end: usize,
    /// Number of tests.
    pub(super) total: usize,
    /// Captured output of failed tests, if unambiguous.
    outputs: BTreeMap<&'a str, Option<&'a [&'a str]>>,
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

/// Returns the lines of `text` that are complete. The last line may be truncated unless it is a summary of rustc's
/// harness.
pub(super) fn lines<'t>(input: &Input<'_>, text: &'t str) -> Vec<&'t str> {
    let mut lines: Vec<&str> = input.text_lines(text).collect();
    if !text.ends_with('\n')
        && lines.last().and_then(|line| LibtestSummary::read(line)).is_some_and(|last| !last.is_libtest)
    {
        lines.pop();
    }
    lines
}

/// Returns an error message if rustc's harness printed something other than a report.
pub(super) fn other_form(lines: &[&str]) -> Option<&'static str> {
    static JSON: LazyLock<Regex> = LazyLock::new(|| regex(r#"^\{ ?"type": ?"suite", ?"event": ?"started""#));
    static LISTED: LazyLock<Regex> = LazyLock::new(|| regex(r"^\d+ tests?, \d+ benchmarks?$"));
    if begin(lines, 0).is_some() {
        return None;
    }
    let is_junit = |line: &&str| line.starts_with("<?xml ") && line.contains("<testsuites>");
    if lines.iter().any(|line| JSON.is_match(line)) || lines.iter().any(is_junit) {
        return Some("the tests report in another format; remove `--format`");
    }
    lines
        .last()
        .is_some_and(|line| LISTED.is_match(line))
        .then_some("the tests were listed but not run; remove `--list`")
}

/// Returns the first line from `start` on where a report begins.
pub(super) fn begin(lines: &[&str], start: usize) -> Option<usize> {
    (start..lines.len()).find(|at| announced(lines[*at]).is_some())
}

/// Returns every line that looks like the end of a report.
pub(super) fn ends(lines: &[&str]) -> impl DoubleEndedIterator<Item = usize> {
    (0..lines.len()).filter(|at| lines[*at].starts_with("test result: "))
}

/// Number of possible beginnings to try for one end. Tests that print more of them make their own report unreadable.
const MOST_NESTED: usize = 100;

/// Reports of several programs in sequence.
pub(super) struct LibtestReports<'a> {
    pub(super) all: Vec<LibtestReport<'a>>,
    /// Set if a report has begun but not ended.
    pub(super) is_torn: bool,
}

impl<'a> LibtestReports<'a> {
    /// Reads every report in `lines`. A report inside another one was printed by a test.
    pub(super) fn read(input: &Input<'_>, lines: &'a [&'a str]) -> Self {
        let mut all: Vec<LibtestReport<'a>> = Vec::new();
        // Beginnings without an end, with the announced number of tests.
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut pace = Pace::new(input.halt);
        for at in 0..lines.len() {
            if pace.spend(lines[at].len() + 1).is_err() {
                break;
            }
            if let Some(total) = announced(lines[at]) {
                open.push((at, total));
            } else if let Some(summary) = LibtestSummary::read(lines[at]) {
                // The code below iterates over all of these.
                if pace.spend(open.len() + all.len()).is_err() {
                    break;
                }
                let begins = open.iter().rev().filter(|(_, total)| *total == summary.total);
                let Some(report) = begins
                    .take(MOST_NESTED)
                    .find_map(|(at_begin, _)| LibtestReport::read(lines, *at_begin, at))
                else {
                    continue;
                };
                // A beginning inside this report was printed by a test.
                open.retain(|(begin, _)| *begin < report.begin);
                all.retain(|within| within.end < report.begin);
                all.push(report);
            }
        }
        // If a test printed the same beginning as its own program, the later one was matched.
        let is_explained = |(begin, total): &(usize, usize)| {
            all.iter().find(|report| report.begin > *begin).is_some_and(|report| report.total == *total)
        };
        let is_torn = !until(input.halt, &open, |_| all.len()).all(is_explained);
        Self { all, is_torn }
    }
}

/// Parses the number of tests that will run.
fn announced(line: &str) -> Option<usize> {
    static BEGIN: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^running (\d+) tests?(?: \(shuffle seed: \d+\))?$"));
    // Most of possibly millions of lines fail this cheap check.
    line.starts_with("running ").then(|| BEGIN.captures(line))??[1].parse().ok()
}

/// Line `test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
struct LibtestSummary {
    total: usize,
    failed: usize,
    is_libtest: bool,
}

impl LibtestSummary {
    fn read(line: &str) -> Option<Self> {
        static LINE: LazyLock<Regex> = LazyLock::new(|| regex(r"^test result: (ok|FAIL|FAILED)\. (.+)$"));
        static LIBTEST: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^(?:ok|FAILED)\. \d+ passed; \d+ failed; \d+ ignored; \d+ measured; \d+ filtered out(?:; |$)",
            )
        });
        let found = line.starts_with("test result: ").then(|| LINE.captures(line))??;
        let (mut total, mut failed, mut has_passed) = (0_usize, 0_usize, false);
        for part in found[2].split("; ") {
            let Some((count, what)) = part.split_once(' ') else { continue };
            let Ok(count) = count.parse::<usize>() else {
                // `finished in 0.01s` is not a count. A number that is too large invalidates the line.
                if count.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                continue;
            };
            match what.trim_end_matches('.') {
                "filtered out" => continue,
                "failed" => failed = failed.checked_add(count)?,
                "passed" => has_passed = true,
                _ => {}
            }
            total = total.checked_add(count)?;
        }
        let is_consistent = has_passed && (&found[1] == "ok") == (failed == 0);
        let is_libtest = LIBTEST.is_match(line.strip_prefix("test result: ")?);
        is_consistent.then_some(Self { total, failed, is_libtest })
    }
}

impl<'a> LibtestReport<'a> {
    /// Reads the report between lines `begin` and `end`, if they agree with the list of failures.
    pub(super) fn read(lines: &'a [&'a str], begin: usize, end: usize) -> Option<Self> {
        let LibtestSummary { total, failed: count, is_libtest } = LibtestSummary::read(lines[end])?;
        if begin >= end || announced(lines[begin])? != total {
            return None;
        }
        if count == 0 {
            let (failed, outputs) = (Vec::new(), BTreeMap::new());
            return Some(Self { failed, is_libtest, begin, end, total, outputs });
        }
        // Above the summary: an empty line, the names, and their heading.
        let above = end.checked_sub(1).filter(|at| lines[*at].is_empty())?;
        let first = above.checked_sub(count)?;
        let is_heading = |at: &usize| *at > begin && lines[*at] == "failures:";
        let spaced = first.checked_sub(2).filter(|at| is_heading(at) && lines[at + 1].is_empty());
        let heading = first.checked_sub(1).filter(is_heading).or(spaced)?;
        let name = |line: &&'a str| line.strip_prefix("    ").filter(|name| !name.is_empty());
        let failed = lines[first..above].iter().map(name).collect::<Option<Vec<_>>>()?;
        let start = (begin..heading).find(|at| lines[*at] == "failures:").map_or(heading, |at| at + 1);
        let outputs = outputs(&lines[start..heading], &failed);
        Some(Self { failed, is_libtest, begin, end, total, outputs })
    }

    /// Returns the output of the failed test `name`. `None` if there is none, or if it is ambiguous.
    pub(super) fn output_of(&self, name: &str) -> Option<&'a [&'a str]> {
        self.outputs.get(name).copied().flatten()
    }
}

/// Returns the output of each test in `failed`, by the headings `---- NAME stdout ----`. A test may print such a line
/// itself, so a test with several headings has no unambiguous output.
fn outputs<'a>(lines: &'a [&'a str], failed: &[&'a str]) -> BTreeMap<&'a str, Option<&'a [&'a str]>> {
    let failed: BTreeSet<_> = failed.iter().copied().collect();
    let heading = |(at, line): (usize, &&'a str)| {
        let text = line.strip_prefix("---- ")?.strip_suffix(" ----")?;
        let names = [text.strip_suffix(" stdout"), text.strip_suffix(" output"), Some(text)];
        names.into_iter().flatten().find(|name| failed.contains(name)).map(|name| (at, name))
    };
    let headings: Vec<_> = lines.iter().enumerate().filter_map(heading).collect();
    let ends = headings.iter().skip(1).map(|(at, _)| *at).chain([lines.len()]);
    let mut outputs = BTreeMap::new();
    for (&(at, name), end) in headings.iter().zip(ends) {
        let output = if outputs.contains_key(name) { None } else { Some(&lines[at + 1..end]) };
        outputs.insert(name, output);
    }
    outputs
}
