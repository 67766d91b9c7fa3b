//! The suites of test targets and of the doc tests of packages, with a case for each test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{legal, set_place, skipped, status};
use crate::model::census::Group;
use crate::model::finding::FailedTest;
use crate::model::halt::{Halt, PER_FINDING, until};
use crate::model::tool::Leaky;
use crate::report::finished::{Finding, Finished, TaskLine, Tasks, TestTimesOfGroup, TestsOfGroup, Tool};
use crate::report::outputs::OutputsOfTests;

/// The suites of the test targets of a tool.
pub(super) struct Targets {
    /// Sorted by name.
    pub(super) suites: Vec<TestSuite>,
    /// Indices of the findings that are cases in one of them.
    pub(super) findings: BTreeSet<usize>,
}

impl Targets {
    /// Returns the suites of `tool`, whose tests are listed in `tasks`.
    pub(super) fn of(
        run: &Finished,
        tasks: &Tasks,
        outputs: &OutputsOfTests,
        tool: &Tool,
        halt: &dyn Halt,
    ) -> Self {
        let mut failures = BTreeMap::<String, Vec<usize>>::new();
        for (at, finding) in run.report.findings.iter().enumerate().filter(|(_, it)| it.is_of(&tool.name)) {
            if let Some(test) = test_of(finding) {
                failures.entry(test).or_default().push(at);
            }
        }
        let mut builder = Builder { run, outputs, tool, failures, findings: BTreeSet::new() };
        let mut suites = BTreeMap::<String, TestSuite>::new();
        for task in tasks.of(&tool.name) {
            let no_times = TestTimesOfGroup::default();
            let times = task.timing.as_ref().map(|timing| timing.tests.as_slice()).unwrap_or_default();
            for (at, of_group) in until(halt, task.tests.iter().enumerate(), |(_, of)| size(of) * PER_FINDING)
            {
                let name = suite_name(tool, &of_group.group());
                let suite = suites.entry(name).or_insert_with_key(|name| TestSuite::new(legal(name)));
                builder.add(suite, of_group, times.get(at).unwrap_or(&no_times));
                suite.time = duration(task, suite);
                if task.leaky {
                    suite.set_system_out(Leaky::MESSAGE);
                }
            }
        }
        Self { suites: suites.into_values().collect(), findings: builder.findings }
    }
}

fn size(of: &TestsOfGroup) -> usize {
    of.passed.len() + of.failed.len() + of.ignored.len()
}

/// Returns the name of a suite, which no other suite has: names of tools contain no spaces.
fn suite_name(tool: &Tool, group: &Group) -> String {
    match group {
        Group::Target(target) => format!("{} {target}", tool.name),
        Group::Package(package) => format!("{} {package} (doc tests)", tool.name),
        Group::Unknown => format!("{} (tests)", tool.name),
    }
}

/// Returns the time of a suite: the time of the process if it ran only these tests, otherwise the sum of the known times
/// of its tests.
fn duration(task: &TaskLine, suite: &TestSuite) -> Option<Duration> {
    let timing = task.timing.as_ref().filter(|timing| timing.cache.as_deref() != Some("hit"))?;
    match task.tests.as_slice() {
        [_] => Some(Duration::from_micros(timing.duration_us)),
        _ => {
            suite.test_cases.iter().filter_map(|case| case.time).reduce(|sum, time| sum.saturating_add(time))
        }
    }
}

/// Returns the test that `finding` is about, as [`key`] does.
fn test_of(finding: &Finding) -> Option<String> {
    match &finding.test {
        Some(test) => match (&test.item, finding.shown_at().range()) {
            (Some(item), Some(range)) => {
                let path = finding.shown_at().name();
                let item = if item.is_empty() { String::new() } else { format!("{item} ") };
                Some(format!("{path} - {item}(line {})", range.start.line))
            }
            _ => Some(finding.place.name()),
        },
        // A case of a test, such as a file that it compares with.
        None => FailedTest::of_case(&finding.message).map(str::to_owned),
    }
}

/// Returns the name of a test as findings contain it.
fn key(group: &Group, name: &str) -> String {
    match group {
        Group::Target(target) => format!("{target} {name}"),
        Group::Package(_) | Group::Unknown => name.to_owned(),
    }
}

/// Returns the status of a failed test whose finding was dropped, because its tool had too many findings.
fn failure() -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type("error").set_message(FailedTest::MESSAGE);
    status
}

struct Builder<'a> {
    run: &'a Finished,
    outputs: &'a OutputsOfTests,
    tool: &'a Tool,
    /// Indices of findings by the test that they are about.
    failures: BTreeMap<String, Vec<usize>>,
    /// Indices of the findings that are cases.
    findings: BTreeSet<usize>,
}

impl Builder<'_> {
    /// Adds the tests of a group, sorted by name.
    fn add(&mut self, suite: &mut TestSuite, tests: &TestsOfGroup, times: &TestTimesOfGroup) {
        let group = tests.group();
        let class = match &group {
            Group::Unknown => self.tool.name.as_str(),
            group => group.name(),
        };
        let with_times = |names: &[Box<str>], times: &[Option<u64>]| -> Vec<_> {
            let times = times.iter().copied().chain(std::iter::repeat(None));
            names.iter().cloned().zip(times).collect()
        };
        let mut cases = Vec::with_capacity(size(tests));
        let passed = with_times(&tests.passed, &times.passed_us).into_iter();
        cases.extend(passed.map(|(name, time)| (self.case(&group, &name, TestCaseStatus::success()), time)));
        let failed = with_times(&tests.failed, &times.failed_us).into_iter();
        cases.extend(failed.map(|(name, time)| (self.case(&group, &name, failure()), time)));
        cases.extend(tests.ignored.iter().map(|name| (TestCase::new(legal(name), skipped("ignored")), None)));
        cases.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        for (mut case, time) in cases {
            case.set_classname(legal(class));
            case.time = time.map(Duration::from_micros);
            suite.add_test_case(case);
        }
    }

    /// Returns the case of a test with its findings and output, or with this status if there is no finding. A test that
    /// passed may be flaky.
    fn case(&mut self, group: &Group, name: &str, otherwise: TestCaseStatus) -> TestCase {
        let test = key(group, name);
        let indices = self.failures.get(&test).map(Vec::as_slice).unwrap_or_default();
        let findings: Vec<_> = indices.iter().map(|at| &self.run.report.findings[*at]).collect();
        self.findings.extend(indices);
        let status = if findings.is_empty() { otherwise } else { status(&findings) };
        let mut case = TestCase::new(legal(name), status);
        if let Some(first) = findings.first() {
            set_place(&mut case, first);
        }
        // The finding of a doc test has a different name.
        let of_finding = findings.iter().find_map(|finding| self.outputs.of(finding));
        if let Some(output) = of_finding.or_else(|| self.outputs.of_test(&self.tool.name, &test)) {
            case.set_system_out(legal(&output.with_note()));
        }
        case
    }
}
