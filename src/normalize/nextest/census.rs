//! Counts tests in nextest's output: totals from the `Summary` line, and names per target from the lines above it if every
//! test has one (`--status-level pass`). Ignored tests cannot be distinguished from filtered ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use crate::model::census::{Census, Group, TestNames, TestTimes, Tests};

/// Returns the census of a run without tests.
pub(super) fn none() -> Census {
    Census { tests: BTreeMap::from([(Group::Unknown, Some(Tests::default()))]), ..Census::default() }
}

/// Returns the census from the summary and the lines above it, and the times of the tests. `failed` contains the target
/// and name of each failed test.
pub(super) fn read<'a>(
    summary: &str,
    lines: &[&'a str],
    failed: impl Iterator<Item = (&'a str, &'a str)>,
) -> (Census, BTreeMap<Group, TestTimes>) {
    let Some(all) = all(summary) else { return Default::default() };
    let seen: BTreeMap<_, _> = lines.iter().filter_map(|line| ended(line)).collect();
    let failed: BTreeSet<_> = failed.collect();
    let mut tests = BTreeMap::new();
    // A group of its own, because the number of skipped tests is known only for all targets together.
    let is_complete = seen.len() as u64 == all.run && failed.iter().all(|test| seen.contains_key(test));
    if !is_complete || all.run == 0 {
        tests.insert(Group::Unknown, Some(all));
        return (Census { tests, ..Census::default() }, BTreeMap::new());
    }
    tests.insert(Group::Unknown, Some(Tests { skipped: all.skipped, ..Tests::default() }));
    let (mut names, mut times) = (BTreeMap::<Group, TestNames>::new(), BTreeMap::<_, TestTimes>::new());
    for ((program, name), time) in seen {
        let group = Group::Target(program.to_owned());
        let is_failed = failed.contains(&(program, name));
        let of_target = names.entry(group.clone()).or_default();
        let list = if is_failed { &mut of_target.failed } else { &mut of_target.passed };
        list.push(name.into());
        if let Some(time) = time {
            times.entry(group).or_default().insert(name.into(), time);
        }
    }
    for (group, names) in &names {
        let (passed, failed) = (names.passed.len() as u64, names.failed.len() as u64);
        tests.insert(group.clone(), Some(Tests { run: passed + failed, passed, failed, ..Tests::default() }));
    }
    (Census { tests, names, ..Census::default() }, times)
}

/// Returns the target and name of the test whose last attempt `line` reports, and its time. Only that line has a counter
/// such as `( 3/11)`.
pub(super) fn ended(line: &str) -> Option<((&str, &str), Option<Duration>)> {
    static LINE: LazyLock<Regex> =
        LazyLock::new(|| super::regex(r"^ *\S.* \[[ >]*([\d.]+)s\] \( *\d+/\d+\) (\S+) +(.+)$"));
    let found = LINE.captures(line)?;
    let time = found.get(1)?.as_str().parse().ok().and_then(|time| Duration::try_from_secs_f64(time).ok());
    Some(((found.get(2)?.as_str(), found.get(3)?.as_str()), time))
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
