//! What a tool looked at, in numbers that its parser has read. A number that a tool does not state is absent.
//!
//! A [`Census`] belongs to one process, or to one task of the result cache: it holds names, so that the same file or
//! target is counted once for several tasks. [`Totals`] is the sum over a tool, as artifacts have it.
//!
//! Does not know how the numbers are shown, nor what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::path::RelPath;
use super::ratchet::{Better, Decimal};

/// What one process looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Tests by the group that the harness reported them for; `None` for a harness that states no count.
    pub tests: BTreeMap<Group, Option<Tests>>,
    /// Cargo targets that were compiled or replayed.
    pub targets: BTreeSet<CompiledTarget>,
    /// Files that were formatted.
    pub files: BTreeSet<RelPath>,
    /// Compilations of members, each with the files it covers. In no artifact.
    pub units: BTreeSet<CompiledUnit>,
    /// Packages of which not every compilation is known: some ended in errors that are lints. In no artifact.
    pub undecided: BTreeSet<String>,
    /// Source files that were compiled or documented.
    pub compiled: BTreeSet<RelPath>,
    /// By package, the features that were on.
    pub features: BTreeMap<String, BTreeSet<String>>,
    /// How many crates of the dependency graph were checked.
    pub crates: Option<u64>,
    /// The day of the advisory database: `2026-11-01`.
    pub database_date: Option<String>,
    /// Numbers that may only get better, by name.
    pub numbers: BTreeMap<String, Decimal>,
}

/// A cargo target that was compiled or replayed, in whichever mode.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CompiledTarget {
    /// The name of its package.
    pub package: String,
    /// Its kind in cargo's words, such as `lib`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A compilation of a member: what decides which of its code is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CompiledUnit {
    /// The name of its package.
    pub package: String,
    /// The root source file.
    pub root: RelPath,
    /// Whether it is built for tests: `cfg(test)`.
    pub is_test: bool,
    /// Whether it is documented: `cfg(doc)`.
    pub is_doc: bool,
    /// Whether it is a procedural macro.
    pub is_macro: bool,
    /// Whether it runs on the machine that builds, whatever the target: a build script, a procedural macro.
    pub is_for_host: bool,
    /// Whether `cfg(debug_assertions)` holds; `None` if that is not stated.
    pub debug_assertions: Option<bool>,
    /// The features that were on.
    pub features: BTreeSet<String>,
    /// Conditions that its build script turned on: `name`, or `key="value"`.
    pub cfgs: BTreeSet<String>,
    /// The files it was compiled from; `None` if that is not stated, as of documentation.
    pub files: Option<BTreeSet<RelPath>>,
}

/// What tests are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Group {
    /// A test target, by the name that cargo-nextest gives it: `alpha::it`.
    Target(String),
    /// The documentation of a package.
    Package(String),
    /// Not known to which target or package the tests belong.
    Unknown,
}

/// How many tests there were, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tests {
    /// Tests that ran to their end.
    pub run: u64,
    /// Those of them that passed.
    pub passed: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Tests marked `#[ignore]`.
    pub ignored: Option<u64>,
    /// Tests that a filter left out.
    pub filtered_out: Option<u64>,
    /// Tests that are ignored or were left out by a filter, of a runner that does not tell one from the other.
    pub skipped: Option<u64>,
}

/// The same as artifacts have it: what is not stated is absent. The result cache can't leave fields out.
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
    /// The sum of both.
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

impl Census {
    /// Whether nothing was stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another process looked at: tests are summed up, all else is counted once.
    pub fn add(&mut self, other: Self) {
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

    /// Splits it over `count` tasks of one process; `task_of` says to which of them a file belongs. What belongs to none,
    /// or is not counted by file, goes to the first.
    pub fn split(self, count: usize, task_of: impl Fn(&RelPath) -> Option<usize>) -> Vec<Self> {
        let mut split = vec![Self::default(); count];
        for file in &self.files {
            let at = task_of(file).filter(|at| *at < count).unwrap_or_default();
            if let Some(one) = split.get_mut(at) {
                one.files.insert(file.clone());
            }
        }
        if let Some(first) = split.first_mut() {
            let files = std::mem::take(&mut first.files);
            *first = Self { files, ..self };
        }
        split
    }

    /// The numbers of it.
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

/// What a tool looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// How many crates of the dependency graph were checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crates: Option<u64>,
    /// The day of the advisory database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_date: Option<String>,
    /// How many files were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// How many packages were compiled or replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<u64>,
    /// How many of their targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<u64>,
    /// The tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestTotals>,
}

/// The tests that a tool ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestTotals {
    /// All of them.
    #[serde(flatten)]
    pub all: Counts,
    /// By package, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_package: Vec<OfPackage>,
    /// By test target, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_target: Vec<OfTarget>,
}

/// The doc tests of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfPackage {
    /// Its name.
    pub package: String,
    /// The tests; `None` if the harness states no count.
    #[serde(flatten)]
    pub tests: Option<Counts>,
}

/// The tests of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfTarget {
    /// Its name, as cargo-nextest calls it.
    pub target: String,
    /// Its root, where that is known.
    #[serde(default)]
    pub path: Option<String>,
    /// The tests; `None` if the harness states no count.
    #[serde(flatten)]
    pub tests: Option<Counts>,
}

/// A number of a census that may only get better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CensusNumber {
    /// Tests that ran.
    Run,
    /// Tests that passed.
    Passed,
    /// Tests that are ignored.
    Ignored,
    /// Tests that a filter left out.
    FilteredOut,
    /// Tests that are ignored or left out.
    Skipped,
    /// Files.
    Files,
    /// Packages.
    Packages,
    /// Targets, of tests or compiled ones.
    Targets,
    /// Crates.
    Crates,
}

impl CensusNumber {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Run,
        Self::Passed,
        Self::Ignored,
        Self::FilteredOut,
        Self::Skipped,
        Self::Files,
        Self::Packages,
        Self::Targets,
        Self::Crates,
    ];

    /// As written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Passed => "passed",
            Self::Ignored => "ignored",
            Self::FilteredOut => "filtered-out",
            Self::Skipped => "skipped",
            Self::Files => "files",
            Self::Packages => "packages",
            Self::Targets => "targets",
            Self::Crates => "crates",
        }
    }

    /// What it is called in reports and in the baseline.
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

    /// Which way it is better.
    pub fn better(self) -> Better {
        match self {
            Self::Ignored | Self::FilteredOut | Self::Skipped | Self::Crates => Better::Lower,
            _ => Better::Higher,
        }
    }

    /// Its value in `totals`, if that is stated.
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

    #[test]
    fn a_split_census_is_the_same_again_when_it_is_added_up() {
        let files = ["a/x.rs", "b/y.rs"].map(RelPath::new).into_iter().collect();
        let census = Census { files, crates: Some(3), ..Census::default() };
        let split = census.clone().split(2, |file| Some(usize::from(file.as_bytes()[0] == b'b')));
        assert_eq!(split[1].files.len(), 1);
        let mut again = Census::default();
        split.into_iter().for_each(|part| again.add(part));
        assert_eq!(again, census);
        assert_eq!(census.clone().split(2, |_| None)[0], census);
    }
}
