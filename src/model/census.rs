//! The census of a tool: how many tests, files and targets it checked, as its parser reads from the output.
//! Numbers that a tool does not state are absent.
//!
//! A [`Census`] belongs to one process, or to one task in the result cache. It contains names, so that a file
//! or target which several tasks share is counted once. [`Totals`] is the sum over a tool, as written in
//! artifacts.
//!
//! Does not know how the numbers are shown or judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::named::named;
use super::path::RelPath;
use super::ratchet::{Better, Decimal};

/// The items that one process checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Test counts by the group that the harness reports; `None` for a harness that states no count.
    #[serde(with = "super::pairs")]
    pub tests: BTreeMap<Group, Option<Tests>>,
    /// Names of the tests, for each group whose tests are all listed. They [agree](Tests::agree) with the counts.
    #[serde(with = "super::pairs")]
    pub names: BTreeMap<Group, TestNames>,
    /// Cargo targets that were compiled or replayed.
    pub targets: BTreeSet<CompiledTarget>,
    /// Files whose format was checked.
    pub files: BTreeSet<RelPath>,
    /// Compilations of members, with the files of each. Not part of any artifact.
    pub units: BTreeSet<CompiledUnit>,
    /// Packages that may have further compilations, because errors of lints ended some of them. Not part of
    /// any artifact.
    pub undecided: BTreeSet<String>,
    /// Source files that were compiled or documented.
    pub compiled: BTreeSet<RelPath>,
    /// Enabled features by package.
    pub features: BTreeMap<String, BTreeSet<String>>,
    /// Number of checked crates in the dependency graph.
    pub crates: Option<u64>,
    /// Date of the advisory database, such as `2026-11-01`.
    pub database_date: Option<String>,
    /// Ratcheted numbers by name.
    pub numbers: BTreeMap<String, Decimal>,
}

/// A cargo target that was compiled or replayed, in any mode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CompiledTarget {
    /// Name of its package. For one that is not a member, the path of its manifest, which can't be such a name.
    pub package: String,
    /// Kind as cargo calls it, such as `lib`.
    pub kind: String,
    /// Name of the target.
    pub name: String,
}

/// A compilation of a member, with everything that determines which of its code is active.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CompiledUnit {
    /// Name of its package.
    pub package: String,
    /// Root source file.
    pub root: RelPath,
    /// True if it is built for tests, with `cfg(test)`.
    pub is_test: bool,
    /// True if it is documented, with `cfg(doc)`.
    pub is_doc: bool,
    /// True if it is a procedural macro.
    pub is_macro: bool,
    /// True if it runs on the build machine, whatever the target: a build script or a procedural macro.
    pub is_for_host: bool,
    /// Value of `cfg(debug_assertions)`; `None` if it is not stated.
    pub debug_assertions: Option<bool>,
    /// Enabled features.
    pub features: BTreeSet<String>,
    /// Conditions set by its build script: `name`, or `key="value"`.
    pub cfgs: BTreeSet<String>,
    /// Files it was compiled from; `None` if they are not stated, as for documentation.
    pub files: Option<BTreeSet<RelPath>>,
}

impl Group {
    /// Returns the name of the target or package.
    pub fn name(&self) -> &str {
        match self {
            Self::Target(name) | Self::Package(name) => name,
            Self::Unknown => "unknown targets",
        }
    }
}

/// The group that tests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Group {
    /// A test target, by its cargo-nextest name, such as `alpha::it`.
    Target(String),
    /// The doc tests of a package.
    Package(String),
    /// Tests whose target or package is unknown.
    Unknown,
}

/// Number of tests by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tests {
    /// Tests that ran to completion.
    pub run: u64,
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests marked `#[ignore]`.
    pub ignored: Option<u64>,
    /// Tests that a filter excluded.
    pub filtered_out: Option<u64>,
    /// Tests that were ignored or filtered out, from a runner that does not distinguish these.
    pub skipped: Option<u64>,
}

/// [`Tests`] as written in artifacts, without values that are not stated. A separate type, because the result
/// cache has a format that can't omit fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// See [`Tests::run`].
    pub run: u64,
    /// See [`Tests::passed`].
    pub passed: u64,
    /// See [`Tests::failed`].
    pub failed: u64,
    /// See [`Tests::ignored`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<u64>,
    /// See [`Tests::filtered_out`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered_out: Option<u64>,
    /// See [`Tests::skipped`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<u64>,
}

impl From<Tests> for Counts {
    fn from(tests: Tests) -> Self {
        let Tests { run, passed, failed, ignored, filtered_out, skipped } = tests;
        Self { run, passed, failed, ignored, filtered_out, skipped }
    }
}

impl Tests {
    /// Returns the sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Self {
            run: self.run.saturating_add(other.run),
            passed: self.passed.saturating_add(other.passed),
            failed: self.failed.saturating_add(other.failed),
            ignored: both(self.ignored, other.ignored),
            filtered_out: both(self.filtered_out, other.filtered_out),
            skipped: both(self.skipped, other.skipped),
        }
    }
}

/// Names of the tests of a group by outcome, each list sorted. The same name may be there several times.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TestNames {
    /// Tests that passed, and benchmarks that ran.
    pub passed: Vec<Box<str>>,
    /// Tests that failed.
    pub failed: Vec<Box<str>>,
    /// Tests marked `#[ignore]`. Always empty for a runner that does not list them.
    pub ignored: Vec<Box<str>>,
}

/// Times of the tests of a group, by name.
pub type TestTimes = BTreeMap<Box<str>, Duration>;

impl TestNames {
    /// The lists, by name of the outcome in artifacts.
    pub fn by_outcome(&self) -> [(&'static str, &[Box<str>]); 3] {
        [("failed", &self.failed), ("ignored", &self.ignored), ("passed", &self.passed)]
    }

    /// Returns the lists with their names in order.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        [&mut self.passed, &mut self.failed, &mut self.ignored].into_iter().for_each(|list| list.sort());
        self
    }

    /// Returns whether each list is sorted.
    pub fn is_sorted(&self) -> bool {
        self.by_outcome().into_iter().all(|(_, list)| list.is_sorted())
    }

    /// Returns whether there is no test.
    pub fn is_empty(&self) -> bool {
        self.by_outcome().into_iter().all(|(_, list)| list.is_empty())
    }

    /// Returns the names of both.
    #[must_use]
    fn and(mut self, more: Self) -> Self {
        self.passed.extend(more.passed);
        self.failed.extend(more.failed);
        self.ignored.extend(more.ignored);
        self.sorted()
    }
}

impl Tests {
    /// Returns whether `names` lists as many tests of each outcome as are counted.
    pub fn agree(&self, names: &TestNames) -> bool {
        let len = |list: &[Box<str>]| list.len() as u64;
        let ran = len(&names.passed).saturating_add(len(&names.failed));
        ran == self.run
            && len(&names.failed) == self.failed
            && len(&names.ignored) == self.ignored.unwrap_or_default()
    }
}

impl Census {
    /// Returns whether a test of `group` may have run: one did, or the harness does not report how many.
    pub fn may_have_run(&self, group: &Group) -> bool {
        self.tests.get(group).is_some_and(|tests| tests.is_none_or(|tests| tests.run > 0))
    }

    /// Returns the number of tests that ran, as far as it was stated.
    pub fn tests_run(&self) -> u64 {
        self.tests.values().flatten().map(|tests| tests.run).sum()
    }

    /// Counts the failed tests `names` of a program as passed.
    pub fn pass_failed(&mut self, names: &BTreeSet<&str>) {
        for tests in self.tests.values_mut().flatten() {
            let passed = tests.failed.min(names.len() as u64);
            (tests.passed, tests.failed) = (tests.passed + passed, tests.failed - passed);
        }
        for of_group in self.names.values_mut() {
            let failed = std::mem::take(&mut of_group.failed).into_iter();
            let (passed, failed): (Vec<_>, _) = failed.partition(|name| names.contains(&**name));
            of_group.failed = failed;
            of_group.passed.extend(passed);
            of_group.passed.sort();
        }
    }

    /// Returns true if nothing was stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the census of another process. Tests are summed up; files and targets are counted once.
    pub fn add(&mut self, other: Self) {
        self.add_names(&other.tests, other.names);
        for (group, tests) in other.tests {
            let entry = self.tests.entry(group).or_insert(None);
            *entry = match (*entry, tests) {
                (Some(one), Some(other)) => Some(one.and(other)),
                (one, other) => one.or(other),
            };
        }
        self.targets.extend(other.targets);
        self.files.extend(other.files);
        self.units.extend(other.units);
        self.undecided.extend(other.undecided);
        self.compiled.extend(other.compiled);
        for (package, features) in other.features {
            self.features.entry(package).or_default().extend(features);
        }
        self.numbers.extend(other.numbers);
        self.crates = self.crates.max(other.crates);
        self.database_date = self.database_date.take().max(other.database_date);
    }

    /// Adds the names of the tests of another process, before its counts. A group that both ran has names only if both
    /// list them.
    fn add_names(&mut self, counted: &BTreeMap<Group, Option<Tests>>, mut names: BTreeMap<Group, TestNames>) {
        for group in counted.keys() {
            let before = self.names.remove(group);
            let is_first = !self.tests.contains_key(group);
            let all = match (before, names.remove(group)) {
                (Some(before), Some(more)) => Some(before.and(more)),
                (None, Some(more)) if is_first => Some(more),
                _ => None,
            };
            self.names.extend(all.map(|all| (group.clone(), all)));
        }
    }

    /// Returns whether the names of each group agree with its counts.
    pub fn is_consistent(&self) -> bool {
        self.names.iter().all(|(group, names)| {
            let tests = self.tests.get(group).copied().flatten();
            tests.is_some_and(|tests| tests.agree(names)) && names.is_sorted()
        })
    }

    /// Splits the census over `count` tasks of one process. `tasks_of` returns the tasks of a file. Files
    /// without a task, and everything that is not counted by file, go to the first task.
    pub fn split(self, count: usize, tasks_of: impl Fn(&RelPath) -> Vec<usize>) -> Vec<Self> {
        let mut split = vec![Self::default(); count];
        for file in &self.files {
            let tasks = tasks_of(file);
            for &at in if tasks.is_empty() { &[0][..] } else { &tasks } {
                if let Some(one) = split.get_mut(at) {
                    one.files.insert(file.clone());
                }
            }
        }
        if let Some(first) = split.first_mut() {
            let files = std::mem::take(&mut first.files);
            *first = Self { files, ..self };
        }
        split
    }

    /// Returns the numbers of this census.
    pub fn totals(&self) -> Totals {
        let count = |count: usize| (count > 0).then_some(count as u64);
        let packages: BTreeSet<_> = self.targets.iter().map(|target| &target.package).collect();
        Totals {
            crates: self.crates,
            database_date: self.database_date.clone(),
            files: count(self.files.len()),
            packages: count(packages.len()),
            targets: count(self.targets.len()),
            tests: TestTotals::of(&self.tests),
        }
    }
}

/// The numbers of items that a tool checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Number of checked crates in the dependency graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crates: Option<u64>,
    /// Date of the advisory database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_date: Option<String>,
    /// Number of files that were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Number of packages that were compiled or replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<u64>,
    /// Number of targets that were compiled or replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<u64>,
    /// Test counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestTotals>,
}

/// Counts of the tests that a tool ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestTotals {
    /// Sum over all tests.
    #[serde(flatten)]
    pub all: Counts,
    /// Counts by package, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_package: Vec<OfPackage>,
    /// Counts by test target, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_target: Vec<OfTarget>,
}

/// Counts of the doc tests of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfPackage {
    /// Name of the package.
    pub package: String,
    /// The counts; `None` if the harness states none.
    #[serde(flatten)]
    pub tests: Option<Counts>,
}

/// Counts of the tests of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfTarget {
    /// Name of the target as in cargo-nextest.
    pub target: String,
    /// Root source file, if known.
    #[serde(default)]
    pub path: Option<String>,
    /// The counts; `None` if the harness states none.
    #[serde(flatten)]
    pub tests: Option<Counts>,
}

named! {
    /// A number of a census that can be ratcheted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum CensusNumber {
        /// Tests that ran.
        Run = "run",
        /// Tests that passed.
        Passed = "passed",
        /// Tests that are ignored.
        Ignored = "ignored",
        /// Tests that a filter excluded.
        FilteredOut = "filtered-out",
        /// Tests that are ignored or filtered out.
        Skipped = "skipped",
        /// Files that were checked.
        Files = "files",
        /// Packages that were compiled or replayed.
        Packages = "packages",
        /// Targets that were compiled, or whose tests ran.
        Targets = "targets",
        /// Crates of the dependency graph.
        Crates = "crates",
    }
}

impl CensusNumber {
    /// Returns the name in reports and in the baseline.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "tests run",
            Self::Passed => "tests passed",
            Self::Ignored => "tests ignored",
            Self::FilteredOut => "tests filtered out",
            Self::Skipped => "tests skipped",
            Self::Files | Self::Packages | Self::Targets | Self::Crates => self.as_str(),
        }
    }

    /// Returns the direction of improvement.
    pub fn better(self) -> Better {
        match self {
            Self::Ignored | Self::FilteredOut | Self::Skipped | Self::Crates => Better::Lower,
            _ => Better::Higher,
        }
    }

    /// Returns the value in `totals`, if it is stated.
    pub fn of(self, totals: &Totals) -> Option<u64> {
        let tests = totals.tests.as_ref();
        match self {
            Self::Run => Some(tests?.all.run),
            Self::Passed => Some(tests?.all.passed),
            Self::Ignored => tests?.all.ignored,
            Self::FilteredOut => tests?.all.filtered_out,
            Self::Skipped => tests?.all.skipped,
            Self::Files => totals.files,
            Self::Packages => totals.packages,
            Self::Targets => totals.targets.or(tests.map(|tests| tests.by_target.len() as u64)),
            Self::Crates => totals.crates,
        }
    }
}

impl TestTotals {
    /// Returns the counts of a group, if they are stated; for [`Group::Unknown`], those of all groups.
    pub fn of_group(&self, group: &Group) -> Option<Counts> {
        match group {
            Group::Target(name) => self.by_target.iter().find(|of| of.target == *name)?.tests,
            Group::Package(name) => self.by_package.iter().find(|of| of.package == *name)?.tests,
            Group::Unknown => Some(self.all),
        }
    }

    fn of(groups: &BTreeMap<Group, Option<Tests>>) -> Option<Self> {
        if groups.is_empty() {
            return None;
        }
        let mut totals = Self::default();
        let stated = groups.values().flatten().copied();
        totals.all = stated.fold(Tests::default(), Tests::and).into();
        for (group, tests) in groups {
            let tests = tests.map(Counts::from);
            match group.clone() {
                Group::Target(target) => totals.by_target.push(OfTarget { target, path: None, tests }),
                Group::Package(package) => totals.by_package.push(OfPackage { package, tests }),
                Group::Unknown => {}
            }
        }
        Some(totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(run: u64, ignored: u64) -> Tests {
        Tests { run, passed: run, ignored: Some(ignored), ..Tests::default() }
    }

    #[test]
    fn files_and_targets_are_counted_once_and_tests_are_summed_up() {
        let file = |path: &str| BTreeSet::from([RelPath::new(path), RelPath::new("shared.rs")]);
        let group = |name: &str| Group::Target(name.to_owned());
        let mut census = Census {
            files: file("a.rs"),
            tests: BTreeMap::from([(group("a"), Some(tests(2, 1))), (group("own"), None)]),
            ..Census::default()
        };
        census.add(Census {
            files: file("b.rs"),
            tests: BTreeMap::from([(group("a"), Some(tests(3, 0))), (group("b"), Some(tests(1, 0)))]),
            ..Census::default()
        });
        let totals = census.totals();
        assert_eq!(totals.files, Some(3));
        let of_tests = totals.tests.clone().unwrap();
        assert_eq!((of_tests.all.run, of_tests.all.ignored), (6, Some(1)));
        let runs: Vec<_> =
            of_tests.by_target.iter().map(|of| (&*of.target, of.tests.map(|it| it.run))).collect();
        assert_eq!(runs, [("a", Some(5)), ("b", Some(1)), ("own", None)]);
        let text = serde_json::to_string(&totals).unwrap();
        assert_eq!(serde_json::from_str::<Totals>(&text).unwrap(), totals, "{text}");
    }

    fn names(passed: &[&str], failed: &[&str], ignored: &[&str]) -> TestNames {
        let list = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect();
        TestNames { passed: list(passed), failed: list(failed), ignored: list(ignored) }
    }

    #[test]
    fn names_agree_with_counts_and_are_merged_only_if_all_are_listed() {
        let group = || Group::Target("a".to_owned());
        let of = |run: u64, listed: Option<TestNames>| Census {
            tests: BTreeMap::from([(group(), Some(tests(run, 0)))]),
            names: listed.map(|names| (group(), names)).into_iter().collect(),
            ..Census::default()
        };
        assert!(of(2, Some(names(&["a", "b"], &[], &[]))).is_consistent());
        assert!(!of(2, Some(names(&["b", "a"], &[], &[]))).is_consistent(), "not sorted");
        assert!(!of(2, Some(names(&["a"], &["b"], &[]))).is_consistent());
        assert!(!of(2, Some(names(&["a", "b"], &[], &["c"]))).is_consistent());
        let mut both = of(1, Some(names(&["z"], &[], &[])));
        both.add(of(2, Some(names(&["a", "z"], &[], &[]))));
        assert_eq!(both.names[&group()], names(&["a", "z", "z"], &[], &[]));
        assert!(both.is_consistent());
        both.add(of(1, None));
        both.add(of(1, Some(names(&["x"], &[], &[]))));
        assert!(both.names.is_empty() && both.is_consistent());
        let bench = Tests { run: 3, passed: 2, ..Tests::default() };
        assert!(bench.agree(&names(&["a", "b", "bench"], &[], &[])));
    }

    #[test]
    fn the_parts_of_a_split_census_add_up_to_it() {
        let files = ["a/x.rs", "b/y.rs"].map(RelPath::new).into_iter().collect();
        let census = Census { files, crates: Some(3), ..Census::default() };
        let split = census.clone().split(2, |file| vec![usize::from(file.as_bytes()[0] == b'b')]);
        assert_eq!(split[1].files.len(), 1);
        let mut again = Census::default();
        split.into_iter().for_each(|part| again.add(part));
        assert_eq!(again, census);
        assert_eq!(census.clone().split(2, |_| Vec::new())[0], census);
    }
}
