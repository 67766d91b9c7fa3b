//! Counts tests in nextest's output: totals from the `Summary` line, and per target from the lines above it if every
//! test has one (`--status-level pass`). Ignored tests cannot be distinguished from filtered ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use crate::model::census::{Census, Group, Tests};

/// Returns the census of a run without tests.
pub(super) fn none() -> Census {
    Census { tests: BTreeMap::from([(Group::Unknown, Some(Tests::default()))]), ..Census::default() }
}

/// Returns the census from the summary and the lines above it. `failed` contains the target of each failed test.
pub(super) fn read<'a>(summary: &str, lines: &[&'a str], failed: impl Iterator<Item = &'a str>) -> Census {
    let Some(all) = all(summary) else { return Census::default() };
    let seen: BTreeSet<_> = lines.iter().filter_map(|line| ended(line)).collect();
    let mut by_target: BTreeMap<&str, Tests> = BTreeMap::new();
    for (program, _) in &seen {
        by_target.entry(program).or_default().run += 1;
    }
    for program in failed {
        by_target.entry(program).or_default().failed += 1;
    }
    let passed = |tests: &Tests| tests.run.checked_sub(tests.failed);
    let is_complete = seen.len() as u64 == all.run && by_target.values().all(|tests| passed(tests).is_some());
    let mut tests = BTreeMap::new();
    if is_complete && all.run > 0 {
        for (program, mut of_target) in by_target {
            of_target.passed = passed(&of_target).unwrap_or_default();
            tests.insert(Group::Target(program.to_owned()), Some(of_target));
        }
        // The number of skipped tests is known only for all targets together.
        let skipped = Tests { skipped: all.skipped, ..Tests::default() };
        tests.insert(Group::Unknown, Some(skipped));
    } else {
        tests.insert(Group::Unknown, Some(all));
    }
    Census { tests, ..Census::default() }
}

/// Returns the target and name of the test whose last attempt `line` reports. Only that line has a counter such as
/// `( 3/11)`.
pub(super) fn ended(line: &str) -> Option<(&str, &str)> {
    static LINE: LazyLock<Regex> =
        LazyLock::new(|| super::regex(r"^ *\S.* \[[ >]*[\d.]+s\] \( *\d+/\d+\) (\S+) +(.+)$"));
    let found = LINE.captures(line)?;
    Some((found.get(1)?.as_str(), found.get(2)?.as_str()))
}

/// Parses `Summary [   0.331s] 11 tests run: 9 passed (1 slow), 2 failed, 1 skipped`.
fn all(summary: &str) -> Option<Tests> {
    static RUN: LazyLock<Regex> = LazyLock::new(|| super::regex(r"\] (\d+)(?:/\d+)? tests? run: (.*)$"));
    static COUNT: LazyLock<Regex> = LazyLock::new(|| super::regex(r"(?:^|, )(\d+) (passed|skipped)\b"));
    let found = RUN.captures(summary)?;
    let run: u64 = found[1].parse().ok()?;
    let mut counts = BTreeMap::new();
    for count in COUNT.captures_iter(found.get(2)?.as_str()) {
        let (_, [number, word]) = count.extract();
        counts.insert(word.to_owned(), number.parse::<u64>().ok()?);
    }
    let passed = counts.get("passed").copied()?;
    Some(Tests {
        run,
        passed,
        failed: run.checked_sub(passed)?,
        skipped: counts.get("skipped").copied(),
        ..Tests::default()
    })
}
