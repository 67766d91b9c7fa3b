//! Reads the list of tests that a harness prints while they run: `test NAME ... ok`.
//!
//! Tests print into the same stream: in front of such a line, between its name and its outcome if tests run one by one,
//! or lines that look the same. The list therefore counts only if it has as many lines as tests were announced, and agrees
//! with the summary and the list of failures. If nothing but the announced number of lines looks like the list, and it
//! disagrees, the output has no result at all.

use std::collections::BTreeSet;
use std::time::Duration;

use super::report::LibtestReport;
use crate::model::census::{TestNames, TestTimes, Tests};
use crate::model::halt::{Halt, until};
use crate::normalize::Unparsable;

/// The tests of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) names: TestNames,
    /// Times of the tests, if the harness prints them (`--report-time`).
    pub(super) times: TestTimes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TestOutcome {
    Passed,
    Failed,
    Ignored,
}

/// A line of the list.
struct ListedTest<'a> {
    name: &'a str,
    outcome: TestOutcome,
    time: Option<Duration>,
}

/// Returns the tests that `report`, which consists of `lines`, lists; `None` if it does not list all of them.
pub(super) fn read<'a>(
    report: &LibtestReport<'_>,
    lines: &[&'a str],
    counts: Tests,
    halt: &dyn Halt,
) -> Result<Option<Listed>, Unparsable> {
    let failed: BTreeSet<_> = report.failed.iter().copied().collect();
    let is_end = |line: &&&str| ["failures:", "successes:"].contains(*line);
    let listed = |line: &&'a str| ListedTest::read(line, &failed);
    let mut named = report.failed.clone();
    named.sort_unstable();
    let agrees = |all: &Listed| {
        counts.agree(&all.names) && all.names.failed.iter().map(|name| &**name).eq(named.iter().copied())
    };
    let lines = || until(halt, lines, |line| line.len());
    let head: Vec<_> = lines().take_while(|line| !is_end(line)).filter_map(listed).collect();
    if head.len() == report.total {
        let all = Listed::of(head);
        if agrees(&all) {
            return Ok(Some(all));
        }
    }
    // A test may have printed a heading in the middle of the list.
    let tests: Vec<_> = lines().filter_map(listed).collect();
    if tests.len() != report.total {
        return Ok(None);
    }
    let all = Listed::of(tests);
    match agrees(&all) {
        true => Ok(Some(all)),
        // Other harnesses may list other things.
        false if !report.is_libtest => Ok(None),
        false => Err(Unparsable("the list of tests contradicts their summary".to_owned())),
    }
}

impl Listed {
    fn of(tests: Vec<ListedTest<'_>>) -> Self {
        let mut all = Self::default();
        for ListedTest { name, outcome, time } in tests {
            let list = match outcome {
                TestOutcome::Passed => &mut all.names.passed,
                TestOutcome::Failed => &mut all.names.failed,
                TestOutcome::Ignored => &mut all.names.ignored,
            };
            list.push(name.into());
            all.times.extend(time.map(|time| (name.into(), time)));
        }
        all.names = all.names.sorted();
        all
    }
}

impl<'a> ListedTest<'a> {
    fn read(line: &'a str, failed: &BTreeSet<&str>) -> Option<Self> {
        if let Some((name, rest)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) {
            let name = plain(name);
            let is_failed = || if failed.contains(name) { TestOutcome::Failed } else { TestOutcome::Passed };
            // Without an outcome, the test has printed after its name.
            let (outcome, time) = outcome(rest).unwrap_or_else(|| (is_failed(), None));
            return Some(Self { name, outcome, time });
        }
        // A process that a test started printed before it, without a newline.
        let (name, rest) = line[line.rfind("test ")? + "test ".len()..].split_once(" ... ")?;
        let name = plain(name);
        let (outcome, time) = outcome(rest).filter(|_| !name.contains(' '))?;
        Some(Self { name, outcome, time })
    }
}

/// Returns `name` without the mode of the test, which the list of failures doesn't have either.
fn plain(name: &str) -> &str {
    let modes = [" - should panic", " - compile fail", " - compile"];
    modes.iter().find_map(|mode| name.strip_suffix(mode)).unwrap_or(name)
}

/// Parses `ok`, `ok <0.123s>`, `FAILED`, `ignored, REASON` and `bench: 12 ns/iter (+/- 1)`.
fn outcome(text: &str) -> Option<(TestOutcome, Option<Duration>)> {
    let (word, time) = match text.strip_suffix("s>").and_then(|text| text.split_once(" <")) {
        Some((word, time)) => (word, Some(Duration::try_from_secs_f64(time.parse().ok()?).ok()?)),
        None => (text, None),
    };
    let outcome = match word {
        "ok" => TestOutcome::Passed,
        "FAILED" => TestOutcome::Failed,
        "ignored" => TestOutcome::Ignored,
        _ if text.starts_with("ignored, ") => return Some((TestOutcome::Ignored, None)),
        _ if word.starts_with("bench: ") => TestOutcome::Passed,
        _ => return None,
    };
    Some((outcome, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::halt::Never;
    use crate::normalize::libtest::{census, report};

    #[track_caller]
    fn check(text: &str, expected: Result<Option<[&[&str]; 3]>, &str>) -> Option<Listed> {
        let lines: Vec<&str> = text.lines().collect();
        let read = LibtestReport::read(&lines, report::begin(&lines, 0).unwrap(), lines.len() - 1).unwrap();
        let listed = super::read(&read, &lines, census::tests(lines[lines.len() - 1]).unwrap(), &Never);
        let names = listed.as_ref().map(|listed| {
            let list = |list: &Vec<Box<str>>| list.iter().map(|name| name.to_string()).collect::<Vec<_>>();
            listed
                .as_ref()
                .map(|Listed { names: all, .. }| [&all.passed, &all.failed, &all.ignored].map(list))
        });
        let expected = expected.map(|lists| {
            lists
                .map(|lists| lists.map(|list| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()))
        });
        assert_eq!(names.map_err(|error| error.0.as_str()), expected, "{text}");
        listed.ok().flatten()
    }

    fn end(passed: u32, failed: u32, ignored: u32) -> String {
        let word = if failed == 0 { "ok" } else { "FAILED" };
        format!(
            "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out; finished in 0.00s"
        )
    }

    #[test]
    fn the_list_has_each_test_with_its_outcome() {
        let text = format!(
            "\nrunning 5 tests\ntest b ... ok\ntest c - should panic ... FAILED\ntest a ... ignored\ntest d ... ignored, slow\n\
             test e ... ok <1.250s>\n\nfailures:\n\n---- c stdout ----\ntest x ... ok\n\nfailures:\n    c\n\n{}",
            end(2, 1, 2)
        );
        let listed = check(&text, Ok(Some([&["b", "e"], &["c"], &["a", "d"]]))).unwrap();
        assert_eq!(listed.times, TestTimes::from([("e".into(), Duration::from_millis(1250))]));
    }

    #[test]
    fn output_of_tests_within_and_in_front_of_the_lines_does_not_hide_a_test() {
        let text = format!(
            "running 4 tests\ntest a ... said\nok\nsaid: test b::x ... ok\nfailures:\ntest c ... 1 ... ok\ntest d ... ok\n\n{}",
            end(4, 0, 0)
        );
        check(&text, Ok(Some([&["a", "b::x", "c", "d"], &[], &[]])));
        let failing = format!(
            "running 1 test\ntest a ... said\nFAILED\n\nfailures:\n\nfailures:\n    a\n\n{}",
            end(0, 1, 0)
        );
        check(&failing, Ok(Some([&[], &["a"], &[]])));
    }

    #[test]
    fn a_list_of_another_length_does_not_count() {
        check(&format!("running 2 tests\n..\n{}", end(2, 0, 0)), Ok(None));
        check(&format!("running 1 test\ntest a ... ok\ntest b ... ok\n\n{}", end(1, 0, 0)), Ok(None));
        // A test printed the report of another one.
        let printed = format!(
            "running 1 test\ntest x ... FAILED\n\nfailures:\n    x\ntest a ... FAILED\n\nfailures:\n\nfailures:\n    a\n\n{}",
            end(0, 1, 0)
        );
        check(&printed, Ok(None));
    }

    #[test]
    fn a_list_that_contradicts_the_summary_has_no_result() {
        let wrong = Err("the list of tests contradicts their summary");
        check(&format!("running 2 tests\ntest a ... ok\ntest b ... ignored\n\n{}", end(2, 0, 0)), wrong);
        let other = format!(
            "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\nfailures:\n    a\n\n{}",
            end(1, 1, 0)
        );
        check(&other, wrong);
    }
}
