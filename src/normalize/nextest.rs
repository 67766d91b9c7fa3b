//! What `cargo nextest run` prints to stderr: read from its summary on, which ends the output.
//!
//! What tests print is indented by four spaces or more, also where it imitates this program's own lines: so the rule
//! above the summary can't be anybody else's. Times and ids are not read. Checked with 0.9.143.
//!
//! Names of tests are those that [`libtest`] gives them, so that a baseline holds whoever runs the tests.

mod census;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::libtest::cases;
use super::{Gap, Input, Parsed, Unparsable};
use crate::model::finding::Diagnostic;

/// Nothing was run.
const NO_TESTS: i32 = 4;
/// Tests have failed.
const FAILED: i32 = 100;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

/// Reads the output of a nextest that ended with `code`.
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
    // A last line that is cut might name another test.
    let whole = stderr.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines: Vec<&str> = input.text_lines(whole).collect();
    let no_summary = || Unparsable(format!("cargo nextest exited with {code} and without a summary"));
    let rule = lines.iter().rposition(|line| line.starts_with("────")).ok_or_else(no_summary)?;
    let summary = lines.get(rule + 1).and_then(|line| Summary::read(line)).ok_or_else(no_summary)?;
    let listed = lines[rule + 2..].iter().filter_map(|line| Test::read(line));
    let failed: Vec<_> = listed.filter(|test| !test.has_passed).collect();
    let (listed, counted) = (failed.len(), summary.failed);
    if (code == FAILED) != (counted > 0) && !summary.is_cut_short || listed > counted {
        return Err(Unparsable(format!("exited with {code}: {counted} tests failed, {listed} are listed")));
    }
    let mut gaps = Vec::new();
    if listed < counted {
        gaps.push(Gap::all(format!("cargo nextest counts {counted} failed tests and lists {listed}")));
    }
    if summary.is_cut_short {
        gaps.push(Gap::all("not all tests were run"));
    }
    let outputs = outputs(&lines[..rule]);
    let diagnostics = |test: &Test<'_>| {
        let name = test.program.split("::").next();
        let package = input.workspace.packages.iter().find(|package| Some(package.name.as_str()) == name);
        let output = outputs.get(&(test.program, test.name)).map(Vec::as_slice);
        let beside = output.unwrap_or_default();
        let mut found = cases::of_test(input, (test.program, package), test.name, output, beside);
        if let ([found], true) = (found.as_mut_slice(), test.is_flaky) {
            found.message = "passed on a retry, and is configured to fail then".into();
        }
        found
    };
    let diagnostics = failed.iter().flat_map(diagnostics);
    let diagnostics = diagnostics.map(|diagnostic| Diagnostic { ns: "test".into(), ..diagnostic });
    let failed_in = failed.iter().map(|test| test.program);
    let census = census::read(lines[rule + 1], &lines[..rule], failed_in);
    let (diagnostics, is_whole, is_leaky) = (diagnostics.collect(), gaps.is_empty(), summary.is_leaky);
    Ok(Parsed { diagnostics, gaps, census, is_whole, is_leaky, ..Parsed::default() }.of_counted(counted))
}

/// The line `Summary [ 0.010s] 5 tests run: 4 passed, 1 failed, 0 skipped`.
struct Summary {
    /// How many tests failed, in any way.
    failed: usize,
    /// Whether there are tests that did not get their turn.
    is_cut_short: bool,
    /// Whether tests passed that left something running.
    is_leaky: bool,
}

impl Summary {
    fn read(line: &str) -> Option<Self> {
        static LINE: LazyLock<Regex> =
            LazyLock::new(|| regex(r"^ *Summary \[ *[\d.]+s\] (\d+)(/\d+)? tests? run: (.*)$"));
        static LEAKY: LazyLock<Regex> = LazyLock::new(|| regex(r"^\d+ passed \([^)]*\d+ leaky\)"));
        static ASIDE: LazyLock<Regex> = LazyLock::new(|| regex(r" \([^)]*\)"));
        let found = LINE.captures(line)?;
        // Counts in parentheses are part of the count before them.
        let counts = ASIDE.replace_all(&found[3], "");
        let (mut passed, mut failed) = (0_usize, 0_usize);
        for count in counts.split(", ") {
            let (count, what) = count.split_once(' ')?;
            let count: usize = count.parse().ok()?;
            match what {
                "passed" => passed = passed.checked_add(count)?,
                "skipped" => {}
                // `failed`, `exec failed`, `timed out`, and whatever a later version tells apart.
                _ => failed = failed.checked_add(count)?,
            }
        }
        // Where the counts do not add up, the greater one holds: too few failures are listed then.
        let run: usize = found[1].parse().ok()?;
        let is_leaky = LEAKY.is_match(&found[3]);
        let failed = failed.max(run.saturating_sub(passed));
        Some(Self { failed, is_cut_short: found.get(2).is_some(), is_leaky })
    }
}

/// A line that names a test behind its status: `FAIL [ 0.003s] (1/5) alpha::it name`.
struct Test<'a> {
    program: &'a str,
    name: &'a str,
    /// Whether the status is that of a test that passed in the end.
    has_passed: bool,
    /// Whether it passed in the end, and counts as failed.
    is_flaky: bool,
}

/// The statuses of tests that passed. Every other status is that of a failed test: they differ between versions, and
/// among them are the names of signals.
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
        // `FLAKY 2/3`: it passed on a retry, and that is no failure (`FLKY-FL 2/3` is).
        let has_passed = PASSED.contains(&status) || status.starts_with("FLAKY ");
        let is_flaky = status.starts_with("FLKY-FL ");
        Some(Self { program: text(2)?, name: text(3)?, has_passed, is_flaky })
    }

    /// Whether `line` is none that the test printed, but its harness around it.
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

/// What each test printed, without its indentation and without what its harness says; of several attempts the last.
fn outputs<'a>(lines: &[&'a str]) -> BTreeMap<(&'a str, &'a str), Vec<&'a str>> {
    // `  stdout ───`: only what nextest says itself is indented by two.
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
        // The status of a test without output ends that of the test before: output ends with a blank line.
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
