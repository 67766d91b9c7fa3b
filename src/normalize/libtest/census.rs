//! Counts tests from the line `test result: …`. If cargo ran several harnesses, their counts and lists are assigned to
//! targets and packages by cargo's messages on stderr.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::doc::DocTest;
use super::listing::Listed;
use crate::model::census::{Census, Group, TestTimes, Tests};
use crate::model::workspace::{Package, TargetKind};
use crate::normalize::Input;

/// Returns the counts of a line `test result: ok. 2 passed; 0 failed; …`, ignoring its end.
pub(super) fn tests(line: &str) -> Option<Tests> {
    static COUNT: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(\d+) (passed|failed|ignored|measured|filtered out)\b"));
    let counts = line.strip_prefix("test result: ")?;
    let mut found = BTreeMap::new();
    for count in COUNT.captures_iter(counts) {
        let (_, [number, word]) = count.extract();
        found.entry(word).or_insert(number.parse::<u64>().ok()?);
    }
    let [passed, failed] = ["passed", "failed"].map(|word| found.get(word).copied());
    let (passed, failed) = (passed?, failed?);
    let measured = found.get("measured").copied().unwrap_or_default();
    Some(Tests {
        run: passed.checked_add(failed)?.checked_add(measured)?,
        passed,
        failed,
        ignored: found.get("ignored").copied(),
        filtered_out: found.get("filtered out").copied(),
        skipped: None,
    })
}

/// Returns the census of one test program, and the times of its tests. `tests` is `None` for a harness that prints no
/// count.
pub(super) fn of_program(
    target: &str,
    tests: Option<Tests>,
    listed: Option<Listed>,
) -> (Census, BTreeMap<Group, TestTimes>) {
    let (mut census, mut times) = (Census::default(), BTreeMap::new());
    add(Group::Target(target.to_owned()), tests, listed, (&mut census, &mut times));
    (census, times)
}

/// Adds the tests of one report.
fn add(
    group: Group,
    tests: Option<Tests>,
    listed: Option<Listed>,
    (census, times): (&mut Census, &mut BTreeMap<Group, TestTimes>),
) {
    let mut names = BTreeMap::new();
    if let Some(Listed { names: of_group, times: more }) = listed {
        names.insert(group.clone(), of_group);
        if !more.is_empty() {
            times.entry(group.clone()).or_default().extend(more);
        }
    }
    census.add(Census { tests: BTreeMap::from([(group, tests)]), names, ..Census::default() });
}

/// Report of a harness: its counts, its lines, and the tests that it lists.
pub(super) struct Reported<'a> {
    pub(super) tests: Tests,
    pub(super) lines: &'a [&'a str],
    pub(super) listed: Option<Listed>,
}

/// Returns the census of a cargo that printed `reports` and, on stderr, the programs it started. Also returns the times
/// of the tests.
pub(super) fn of_cargo(
    input: &Input<'_>,
    reports: Vec<Reported<'_>>,
    stderr: &str,
) -> (Census, BTreeMap<Group, TestTimes>) {
    let started: Vec<_> = input.text_lines(stderr).filter_map(Started::read).collect();
    let known = in_order(input, &reports, &started).or_else(|| by_path(input, &reports, &started));
    let unknown = || Assigned { empty: Vec::new(), of_reports: vec![Some(Group::Unknown); reports.len()] };
    let Assigned { empty, of_reports } = known.unwrap_or_else(unknown);
    let (mut census, mut times) = (Census::default(), BTreeMap::new());
    for group in empty {
        add(group, Some(ZERO), Some(Listed::default()), (&mut census, &mut times));
    }
    for (group, report) in of_reports.into_iter().zip(reports) {
        if let Some(group) = group {
            add(group, Some(report.tests), report.listed, (&mut census, &mut times));
        }
    }
    (census, times)
}

/// Counts of a report without tests.
const ZERO: Tests =
    Tests { run: 0, passed: 0, failed: 0, ignored: Some(0), filtered_out: Some(0), skipped: None };

/// Groups of reports.
struct Assigned {
    /// Groups that exist even if no report belongs to them.
    empty: Vec<Group>,
    /// Group of each report; `None` for a report without tests.
    of_reports: Vec<Option<Group>>,
}

/// Assigns reports to groups in order, if cargo started as many harnesses as there are reports.
fn in_order(input: &Input<'_>, reports: &[Reported<'_>], started: &[Started<'_>]) -> Option<Assigned> {
    if started.len() != reports.len() {
        return None;
    }
    let of_reports = started.iter().map(|one| one.group(input).map(Some)).collect::<Option<_>>()?;
    Some(Assigned { empty: Vec::new(), of_reports })
}

/// Assigns doc tests to packages by the paths in their names, because rustdoc may report one crate in several parts.
fn by_path(input: &Input<'_>, reports: &[Reported<'_>], started: &[Started<'_>]) -> Option<Assigned> {
    let is_documentation = |one: &Started<'_>| matches!(one, Started::Documentation(_));
    let groups = started.iter().map(|one| one.group(input).filter(|_| is_documentation(one)));
    let groups = groups.collect::<Option<Vec<_>>>()?;
    let mut of_reports = Vec::new();
    for report in reports {
        let mut names = report.lines.iter().filter_map(|line| DocTest::read(line.strip_prefix("test ")?));
        let group = match (groups.as_slice(), names.next()) {
            _ if report.tests == ZERO => None,
            ([only], _) => Some(only.clone()),
            (_, Some(name)) => {
                let owner = input.workspace.owner_of(&input.scrub.path(name.path.as_bytes())?)?;
                Some(Group::Package(input.workspace.package(owner).name.clone()))
            }
            (_, None) => return None,
        };
        group.as_ref().is_none_or(|group| groups.contains(group)).then(|| of_reports.push(group))?;
    }
    Some(Assigned { empty: groups, of_reports })
}

/// Harness that cargo started.
#[derive(Debug, PartialEq, Eq)]
enum Started<'a> {
    /// `Running unittests src/lib.rs (target/debug/deps/alpha-0123456789abcdef)`: the root and the program name.
    Program { root: &'a str, stem: &'a str },
    /// `Doc-tests alpha`: the crate name.
    Documentation(&'a str),
}

impl<'a> Started<'a> {
    fn read(line: &'a str) -> Option<Self> {
        static RUNNING: LazyLock<Regex> = LazyLock::new(|| {
            regex(r"^     Running (?:unittests )?(\S.*) \((?:.*[/\\])?([^/\\]+)-[0-9a-f]{16}(?:\.exe)?\)$")
        });
        if let Some(name) = line.strip_prefix("   Doc-tests ") {
            return Some(Self::Documentation(name));
        }
        let found = RUNNING.captures(line)?;
        Some(Self::Program { root: found.get(1)?.as_str(), stem: found.get(2)?.as_str() })
    }

    /// Returns the group if exactly one target matches.
    fn group(&self, input: &Input<'_>) -> Option<Group> {
        let mut fitting = input.packages.iter().flat_map(|id| {
            let package = input.workspace.package(*id);
            self.groups_in(package)
        });
        fitting.next().filter(|_| fitting.next().is_none())
    }

    fn groups_in(&self, package: &Package) -> Vec<Group> {
        let is_named = |name: &str, crate_name: &str| name.replace('-', "_") == crate_name;
        let targets = package.targets.iter();
        match self {
            Self::Program { root, stem } => targets
                .filter(|target| is_named(&target.name, stem))
                .filter(|target| {
                    let of_workspace = package.workspace.clone().unwrap_or_default().join(root);
                    package.dir.join(root) == target.root || of_workspace == target.root
                })
                .map(|target| Group::Target(package.test_name(target)))
                .collect(),
            Self::Documentation(name) => targets
                .filter(|target| target.kind == TargetKind::Lib && is_named(&target.name, name))
                .map(|_| Group::Package(package.name.clone()))
                .collect(),
        }
    }
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_even_if_a_harness_omits_some() {
        let line = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 4 measured; 5 filtered out; finished in 0.00s";
        let expected =
            Tests { run: 8, passed: 3, failed: 1, ignored: Some(2), filtered_out: Some(5), skipped: None };
        assert_eq!(tests(line), Some(expected));
        let line = "test result: ok. 2 passed; 0 failed; 0 ignored; 1 filtered out";
        let expected =
            Tests { run: 2, passed: 2, ignored: Some(0), filtered_out: Some(1), ..Tests::default() };
        assert_eq!(tests(line), Some(expected));
        for line in
            ["running 2 tests", "test result: ok.", "test result: ok. 99999999999999999999 passed; 0 failed"]
        {
            assert_eq!(tests(line), None, "{line}");
        }
    }

    #[test]
    fn programs_that_cargo_starts_are_read() {
        let program = |root, stem| Some(Started::Program { root, stem });
        for (line, expected) in [
            (
                "     Running unittests src/lib.rs (target/debug/deps/alpha-0123456789abcdef)",
                program("src/lib.rs", "alpha"),
            ),
            ("     Running tests/it.rs (/a b/deps/it_2-0123456789abcdef)", program("tests/it.rs", "it_2")),
            (
                "     Running tests\\it.rs (target\\debug\\deps\\it-0123456789abcdef.exe)",
                program("tests\\it.rs", "it"),
            ),
            ("   Doc-tests alpha", Some(Started::Documentation("alpha"))),
            ("     Running `target/debug/alpha`", None),
        ] {
            assert_eq!(Started::read(line), expected, "{line}");
        }
    }
}
