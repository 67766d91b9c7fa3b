//! Parses the stderr of `cargo nextest run`, starting from the summary at its end.
//!
//! Nextest indents the output of tests by at least four spaces, even where it imitates nextest's own lines. The rule
//! above the summary is therefore always nextest's own. Times and ids are ignored. Checked with 0.9.143.
//!
//! Tests get the same names as from [`libtest`], so a baseline is valid for both runners.

mod census;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::libtest::{self, cases};
use super::{Gap, Input, Parsed, Unparsable};
use crate::model::census::{Census, Group, TestTimes};
use crate::model::finding::Diagnostic;
use crate::model::test_output::TestOutputs;

/// No tests were run.
const NO_TESTS: i32 = 4;
/// Some tests failed.
const FAILED: i32 = 100;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

/// Parses the output of nextest, which exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if code == NO_TESTS {
        return Ok(Parsed { census: census::none(), ..Parsed::default() });
    }
    if code != 0 && code != FAILED {
        let reason = input.build_failure().or_else(|| input.complaint());
        let reason = reason.unwrap_or_else(|| format!("cargo nextest exited with {code}"));
        return Ok(Parsed { gaps: vec![Gap::all(reason)], ..Parsed::default() });
    }
    let stderr = input.text(&input.output.stderr);
    // A truncated last line might name another test.
    let whole = stderr.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines: Vec<&str> = input.text_lines(whole).collect();
    let no_summary = || Unparsable(format!("cargo nextest exited with {code} without printing a summary"));
    let rule = lines.iter().rposition(|line| line.starts_with("────")).ok_or_else(no_summary)?;
    let summary = lines.get(rule + 1).and_then(|line| NextestSummary::read(line)).ok_or_else(no_summary)?;
    let listed = lines[rule + 2..].iter().filter_map(|line| Test::read(line));
    let (passed, failed): (Vec<_>, Vec<_>) = listed.partition(|test| test.has_passed);
    let (listed, counted) = (failed.len(), summary.failed);
    if (code == FAILED) != (counted > 0) && !summary.is_cut_short || listed > counted {
        return Err(Unparsable(format!(
            "exited with {code}: the summary counts {counted} failed tests, but {listed} are listed"
        )));
    }
    let mut gaps = Vec::new();
    if listed < counted {
        gaps.push(Gap::all(format!("the summary counts {counted} failed tests, but {listed} are listed")));
    }
    if summary.is_cut_short {
        gaps.push(Gap::all("not all tests were run"));
    }
    let outputs = outputs(&lines[..rule]);
    let diagnostics = |test: &Test<'_>| {
        let name = test.program.split("::").next();
        let package = input.packages_of_workspace().find(|(_, package)| Some(package.cargo_name()) == name);
        let package = package.map(|(_, package)| package);
        let output = outputs.get(&(test.program, test.name)).map(Vec::as_slice);
        let beside = output.unwrap_or_default();
        let program = name_of(input, test.program);
        let mut found = cases::of_test(input, (&program, package), test.name, output, beside);
        if let ([found], true) = (found.as_mut_slice(), test.is_flaky && !test.has_passed) {
            found.message = "passed on a retry, and is configured to fail then".into();
        }
        found
    };
    let flaky = || passed.iter().filter(|test| test.is_flaky);
    let of_flaky = flaky()
        .map(|test| libtest::flaky(input, subject_of(input, test.program, test.name), &diagnostics(test)));
    let failures = failed.iter().flat_map(&diagnostics);
    let failures = failures.map(|diagnostic| Diagnostic { ns: "test".into(), ..diagnostic });
    let diagnostics = failures.chain(of_flaky).collect();
    let names = failed.iter().map(|test| (test.program, test.name));
    let (census, times) = census::read(lines[rule + 1], &lines[..rule], names);
    let (census, times) = with_names(input, census, times);
    let mut printed = TestOutputs::default();
    for test in failed.iter().chain(flaky()) {
        let output = outputs.get(&(test.program, test.name)).map_or(&[][..], Vec::as_slice);
        printed.add(&subject_of(input, test.program, test.name), output);
    }
    let (test_outputs, leaks) = (printed.finish(), leaks(input, &lines[..rule], summary.leaky));
    let (is_whole, is_leaky) = (gaps.is_empty(), summary.leaky > 0);
    let parsed = Parsed { diagnostics, gaps, census, times, test_outputs, ..Parsed::default() };
    Ok(Parsed { is_whole, is_leaky, leaks, ..parsed }.of_counted(counted + flaky().count()))
}

/// Returns the name of the test target that nextest calls `program`. Its package may be one of another workspace, whose name begins
/// with the root of that.
fn name_of(input: &Input<'_>, program: &str) -> String {
    input.tool.workspace().map_or_else(|| program.to_owned(), |root| format!("{root}/{program}"))
}

fn subject_of(input: &Input<'_>, program: &str, test: &str) -> String {
    format!("{} {test}", name_of(input, program))
}

/// Returns `census` and `times` with the names of test targets in place of those that nextest prints.
fn with_names(
    input: &Input<'_>,
    census: Census,
    times: BTreeMap<Group, TestTimes>,
) -> (Census, BTreeMap<Group, TestTimes>) {
    let name = |group| match group {
        Group::Target(program) => Group::Target(name_of(input, &program)),
        group => group,
    };
    let Census { tests, names, .. } = census;
    let tests = tests.into_iter().map(|(group, tests)| (name(group), tests)).collect();
    let names = names.into_iter().map(|(group, names)| (name(group), names)).collect();
    let times = times.into_iter().map(|(group, times)| (name(group), times)).collect();
    (Census { tests, names, ..Census::default() }, times)
}

/// The line `Summary [ 0.010s] 5 tests run: 4 passed, 1 failed, 0 skipped`.
struct NextestSummary {
    /// Number of tests that failed in any way.
    failed: usize,
    /// Set if some tests did not run.
    is_cut_short: bool,
    /// Number of passing tests that left processes running.
    leaky: usize,
}

impl NextestSummary {
    fn read(line: &str) -> Option<Self> {
        static LINE: LazyLock<Regex> =
            LazyLock::new(|| regex(r"^ *Summary \[ *[\d.]+s\] (\d+)(/\d+)? tests? run: (.*)$"));
        static LEAKY: LazyLock<Regex> = LazyLock::new(|| regex(r"^\d+ passed \((?:[^)]*, )?(\d+) leaky\)"));
        static ASIDE: LazyLock<Regex> = LazyLock::new(|| regex(r" \([^)]*\)"));
        let found = LINE.captures(line)?;
        // Counts in parentheses belong to the count before them.
        let counts = ASIDE.replace_all(&found[3], "");
        let (mut passed, mut failed) = (0_usize, 0_usize);
        for count in counts.split(", ") {
            let (count, what) = count.split_once(' ')?;
            let count: usize = count.parse().ok()?;
            match what {
                "passed" => passed = passed.checked_add(count)?,
                "skipped" => {}
                // `failed`, `exec failed`, `timed out`, and statuses of later versions.
                _ => failed = failed.checked_add(count)?,
            }
        }
        // If the counts disagree, use the larger one. The list then has too few failures, which is reported as a gap.
        let run: usize = found[1].parse().ok()?;
        let leaky = LEAKY.captures(&found[3]).and_then(|found| found[1].parse().ok()).unwrap_or(0);
        let failed = failed.max(run.saturating_sub(passed));
        Some(Self { failed, is_cut_short: found.get(2).is_some(), leaky })
    }
}

/// Line with the status and name of a test: `FAIL [ 0.003s] (1/5) alpha::it name`.
struct Test<'a> {
    program: &'a str,
    name: &'a str,
    /// Set if the test passed in the end.
    has_passed: bool,
    /// Set if the test failed first and passed in the end. It may count as failed.
    is_flaky: bool,
    /// Set if it left a process running.
    is_leaky: bool,
}

/// Statuses of tests that passed. Every other status is a failure, since they differ between versions and include names
/// of signals.
const PASSED: [&str; 8] =
    ["LEAK", "PASS", "SKIP", "SLOW", "SLOW + LEAK", "SLOW+TMPASS", "TIMEOUT-PASS", "TMPASS"];

impl<'a> Test<'a> {
    fn read(line: &'a str) -> Option<Self> {
        static LINE: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^ *(?:TRY \d+ )?([A-Z][^\[\]]*?) \[[ >]*[\d.]+s\] (?:\[ *\d+(?:/\d+)?\] )?(?:\([^)]*\) )?(\S+) +(.+)$",
            )
        });
        let found = LINE.captures(line)?;
        let text = |group| found.get(group).map(|text| text.as_str());
        let status = text(1)?;
        // `FLAKY 2/3` passed on a retry and is not a failure, unlike `FLKY-FL 2/3`.
        let has_passed = PASSED.contains(&status) || status.starts_with("FLAKY ");
        let is_flaky = ["FLAKY ", "FLKY-FL "].iter().any(|word| status.starts_with(word));
        let is_leaky = matches!(status, "LEAK" | "SLOW + LEAK");
        Some(Self { program: text(2)?, name: text(3)?, has_passed, is_flaky, is_leaky })
    }

    /// Returns whether `line` was printed by the test harness and not by the test.
    fn is_of_harness(&self, line: &str) -> bool {
        line == "running 1 test"
            || line == "failures:"
            || line.starts_with("test result: ")
            || line.strip_prefix("    ") == Some(self.name)
            || line.starts_with("---- ") && line.ends_with(" stdout ----")
            || line.starts_with("test ") && (line.ends_with(" ... FAILED") || line.ends_with(" ... ok"))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;

/// Returns the names of the passing tests that left processes running, if `lines` has all `count` of them (`--status-level
/// pass`).
fn leaks(input: &Input<'_>, lines: &[&str], count: usize) -> BTreeSet<String> {
    // The output of tests is indented further.
    let own = lines.iter().filter(|line| census::ended(line).is_some()).filter_map(|line| Test::read(line));
    let leaks = own.filter(|test| test.is_leaky).map(|test| subject_of(input, test.program, test.name));
    let leaks: BTreeSet<_> = leaks.collect();
    if leaks.len() == count { leaks } else { BTreeSet::new() }
}

/// Returns the output of each test without its indentation and harness lines. If there are several attempts, the last
/// one counts.
fn outputs<'a>(lines: &[&'a str]) -> BTreeMap<(&'a str, &'a str), Vec<&'a str>> {
    // Only nextest's own lines, such as `  stdout ───`, are indented by two.
    let is_heading = |line: &&str| {
        line.strip_prefix("  ").is_some_and(|text| text.starts_with(['s', 'o']) && text.ends_with(" ───"))
    };
    let mut outputs: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for (at, line) in lines.iter().enumerate() {
        if is_heading(line) {
            continue;
        }
        let status = Test::read(line);
        let has_output = lines.get(at + 1).is_some_and(is_heading);
        // Output ends with a blank line, and a status line after it ends the output of the previous test.
        let is_behind_output = at == 0 || lines[at - 1].is_empty();
        match status {
            Some(test) if has_output => {
                outputs.insert((test.program, test.name), Vec::new());
                current = Some(test);
            }
            Some(_) if is_behind_output => current = None,
            _ if !line.is_empty() && !line.starts_with("    ") => current = None,
            _ => {
                let Some((test, text)) = current.as_ref().zip(line.strip_prefix("    ")) else { continue };
                if let Some(output) = outputs.get_mut(&(test.program, test.name))
                    && !test.is_of_harness(text)
                {
                    output.push(text);
                }
            }
        }
    }
    outputs
}
