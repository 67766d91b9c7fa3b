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
    let stderr = input.scrub.lossy(&input.output.stderr);
    // A last line that is cut might name another test.
    let lines: Vec<&str> = stderr.rsplit_once('\n').map_or("", |(whole, _)| whole).lines().collect();
    let no_summary = || Unparsable(format!("cargo nextest exited with {code} and without a summary"));
    let rule = lines.iter().rposition(|line| line.starts_with("────")).ok_or_else(no_summary)?;
    let summary = lines.get(rule + 1).and_then(|line| Summary::read(line)).ok_or_else(no_summary)?;
    if summary.is_cut_short {
        return Ok(Parsed { gaps: vec![Gap::all("not all tests were run")], ..Parsed::default() });
    }
    let failed: Vec<_> = lines[rule + 2..].iter().filter_map(|line| Test::read(line)).collect();
    if failed.len() != summary.failed || (code == FAILED) == failed.is_empty() {
        let (listed, counted) = (failed.len(), summary.failed);
        return Err(Unparsable(format!("exited with {code}: {counted} tests failed, {listed} are listed")));
    }
    let outputs = outputs(&lines[..rule]);
    let diagnostics = |test: &Test<'_>| {
        let name = test.program.split("::").next();
        let package = input.workspace.packages.iter().find(|package| Some(package.name.as_str()) == name);
        let output = outputs.get(&(test.program, test.name)).map(Vec::as_slice);
        let beside = output.unwrap_or_default();
        cases::of_test(input, (test.program, package), test.name, output, beside)
    };
    let diagnostics = failed.iter().flat_map(diagnostics);
    let diagnostics = diagnostics.map(|diagnostic| Diagnostic { ns: "test".to_owned(), ..diagnostic });
    let failed_in = failed.iter().map(|test| test.program);
    let census = census::read(lines[rule + 1], &lines[..rule], failed_in);
    Ok(Parsed { diagnostics: diagnostics.collect(), census, ..Parsed::default() })
}

/// The line `Summary [ 0.010s] 5 tests run: 4 passed, 1 failed, 0 skipped`.
struct Summary {
    /// How many tests failed, in any way.
    failed: usize,
    /// Whether there are tests that did not get their turn.
    is_cut_short: bool,
}

impl Summary {
    fn read(line: &str) -> Option<Self> {
        static LINE: LazyLock<Regex> =
            LazyLock::new(|| regex(r"^ *Summary \[ *[\d.]+s\] (\d+)(/\d+)? tests? run: (.*)$"));
        static COUNT: LazyLock<Regex> = LazyLock::new(|| regex(r"(\d+) (?:failed|exec failed|timed out)\b"));
        let found = LINE.captures(line)?;
        // What stands in parentheses is counted before them.
        let counts = found[3].split('(').map(|part| part.split_once(')').map_or(part, |(_, rest)| rest));
        let failed = counts
            .flat_map(|part| COUNT.captures_iter(part).collect::<Vec<_>>())
            .map(|count| count[1].parse::<usize>().ok())
            .sum::<Option<usize>>()?;
        Some(Self { failed, is_cut_short: found.get(2).is_some() })
    }
}

/// The line `FAIL [ 0.003s] (1/5) alpha::it name`.
struct Test<'a> {
    program: &'a str,
    name: &'a str,
}

impl<'a> Test<'a> {
    fn read(line: &'a str) -> Option<Self> {
        static LINE: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^ *(?:TRY \d+ )?(?:[A-Z][A-Z0-9-]*(?: \([^)]*\)| \+ [A-Z]+)?) \[[ >]*[\d.]+s\] (?:\( *\d+/\d+\) )?(\S+) +(.+)$",
            )
        });
        // A test that came right in the end is none that failed.
        if line.trim_start().starts_with("FLAKY ") {
            return None;
        }
        let found = LINE.captures(line)?;
        Some(Self { program: found.get(1)?.as_str(), name: found.get(2)?.as_str() })
    }

    /// Whether `line` is none that the test printed, but its harness around it.
    fn is_of_harness(&self, line: &str) -> bool {
        line == "running 1 test"
            || line == "failures:"
            || line.starts_with("test result: ")
            || line.strip_prefix("    ") == Some(self.name)
            || line.starts_with("---- ") && line.ends_with(" stdout ----")
            || line.starts_with("test ") && line.ends_with(" ... FAILED")
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
        match Test::read(line).filter(|_| lines.get(at + 1).is_some_and(is_heading)) {
            Some(test) => {
                outputs.insert((test.program, test.name), Vec::new());
                current = Some(test);
            }
            None => {
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
