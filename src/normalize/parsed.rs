//! The data parsed from the output of one process. Results of several processes can be merged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use super::settle::Unsettled;
use super::{libtest, place_of, rustfmt};
use crate::model::census::{Census, Group, TestTimes};
use crate::model::finding::{Diagnostic, FLAKY, Level, OWN_NAMESPACE, Place, Related};
use crate::model::generated::Generated;
use crate::model::golden::Printed;
use crate::model::path::RelPath;
use crate::model::task::{Program, Unit};
use crate::model::test_output::TestOutput;
use crate::model::tool::Tool;
use crate::model::workspace::{PackageId, Workspace};

/// Findings, gaps and side information parsed from the output of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Findings, sorted and without duplicates.
    pub diagnostics: Vec<Diagnostic>,
    /// Parts without a result, sorted and without duplicates.
    pub gaps: Vec<Gap>,
    /// The test programs that were built.
    pub programs: Vec<Program>,
    /// Programs and libraries in directories from which other processes use them. Absolute paths, never written
    /// to an artifact.
    pub outputs: Vec<PathBuf>,
    /// `OUT_DIR`s of build scripts. Absolute paths, never written to an artifact.
    pub out_dirs: Vec<(PackageId, PathBuf)>,
    /// `OUT_DIR`s of the packages that have findings in generated files, used to find the sources of these files.
    pub made_in: Vec<(PackageId, PathBuf)>,
    /// Generated files found in these directories, filled in by a later step that reads the disk.
    pub generated: Vec<Generated>,
    /// Traces of what the process read beyond the declared inputs.
    pub traces: Traces,
    /// True if gaps may be caused by errors that are only lints.
    pub hidden: bool,
    /// True if findings may come from a change of the style edition. A second process with the former edition decides.
    pub is_restyled: bool,
    /// Revision of the database that the tool used, if reported.
    pub database: Option<String>,
    /// Messages of the tool that are not findings, since there is nothing to fix in the workspace.
    pub notices: BTreeSet<String>,
    /// Work left for [`Parsed::settle`].
    pub unsettled: Unsettled,
    /// Output to compare with the golden file of the unit.
    pub printed: Option<Printed>,
    /// Counts that the process reported about its work.
    pub census: Census,
    /// Times of tests by group, as far as the runner reports them.
    pub times: BTreeMap<Group, TestTimes>,
    /// Output of each failed test, sorted by test.
    pub test_outputs: Vec<TestOutput>,
    /// Set if the output proves that it is complete: it ends with a count that matches the rest.
    pub is_whole: bool,
    /// Set if a process was left running and held the output open.
    pub is_leaky: bool,
    /// Names of the tests that left processes running, if the test runner reports them.
    pub leaks: BTreeSet<String>,
    /// Failed tests that can be run again, by the name that the test program takes, each with its finding if it then
    /// passes.
    pub failed_tests: BTreeMap<String, Diagnostic>,
}

impl Parsed {
    /// Merges in the result of a second process that treated lints as warnings. The levels of findings come from the
    /// first process, the gaps from the second.
    #[must_use]
    pub fn and(mut self, second: Self) -> Self {
        if self.is_restyled {
            self.mark_former_style(&second);
            return self;
        }
        let mut seen: BTreeMap<_, VecDeque<usize>> = BTreeMap::new();
        let key = |found: &Diagnostic| {
            (found.ns.clone(), found.rule.clone(), found.message.clone(), found.place.clone())
        };
        for (at, found) in self.diagnostics.iter().enumerate() {
            seen.entry(key(found)).or_default().push_back(at);
        }
        let (gaps, hidden) = (second.gaps.clone(), second.hidden);
        // Errors ended some compilations of the first process, which the second one finished.
        self.census.undecided.clear();
        let diagnostics = self.add(second);
        for found in diagnostics {
            match seen.get_mut(&key(&found)).and_then(VecDeque::pop_front) {
                // Only the second process says how many compilations propose the fix.
                Some(at) => self.diagnostics[at].fix = found.fix,
                None => self.diagnostics.push(found),
            }
        }
        self.diagnostics.sort();
        Self { gaps, hidden, ..self }
    }

    /// Adds everything of `other` but its findings, which are returned.
    pub(super) fn add(&mut self, other: Self) -> Vec<Diagnostic> {
        // Named one by one, so that a new field can't be forgotten.
        let Self {
            diagnostics,
            gaps,
            programs,
            outputs,
            out_dirs,
            made_in,
            generated,
            traces,
            hidden,
            is_restyled,
            database,
            notices,
            // Processes are settled one by one, before they are merged.
            unsettled: _,
            printed,
            census,
            times,
            test_outputs,
            is_whole,
            is_leaky,
            leaks,
            failed_tests,
        } = other;
        self.gaps.extend(gaps);
        self.programs.extend(programs);
        self.outputs.extend(outputs);
        self.out_dirs.extend(out_dirs);
        self.made_in.extend(made_in);
        self.generated.extend(generated);
        self.traces.extend(traces);
        self.hidden |= hidden;
        self.is_restyled |= is_restyled;
        self.database = self.database.take().max(database);
        self.notices.extend(notices);
        self.printed = self.printed.take().or(printed);
        self.census.add(census);
        for (group, times) in times {
            self.times.entry(group).or_default().extend(times);
        }
        self.test_outputs.extend(test_outputs);
        self.test_outputs.sort();
        self.is_whole &= is_whole;
        self.is_leaky |= is_leaky;
        self.leaks.extend(leaks);
        self.failed_tests.extend(failed_tests);
        diagnostics
    }

    /// Marks the findings that are missing in `second`, which formatted with the former style edition. Only files with
    /// more differences now than then are considered.
    pub(super) fn mark_former_style(&mut self, second: &Self) {
        if !second.gaps.is_empty() {
            return;
        }
        fn key(found: &Diagnostic) -> (&Place, &str) {
            (&found.place, &found.rule)
        }
        let before: BTreeSet<_> = second.diagnostics.iter().map(key).collect();
        let now: BTreeSet<_> = self.diagnostics.iter().map(key).collect();
        let mut files: BTreeMap<_, [usize; 2]> = BTreeMap::new();
        for (side, found) in [now.difference(&before), before.difference(&now)].into_iter().enumerate() {
            for (place, _) in found {
                files.entry(place.path().cloned()).or_default()[side] += 1;
            }
        }
        let is_new_style = |found: &Diagnostic| {
            let [now, former] = files.get(&found.place.path().cloned()).copied().unwrap_or_default();
            now > former && rustfmt::is_unformatted(found) && !before.contains(&key(found))
        };
        let marked: Vec<bool> = self.diagnostics.iter().map(is_new_style).collect();
        for (found, is_marked) in self.diagnostics.iter_mut().zip(marked) {
            if is_marked {
                found.related.push(Related::of_former_style());
            }
        }
        self.diagnostics.sort();
    }

    /// Merges in the result of a process that ran only the failed tests again. A test that has passed now is flaky.
    #[must_use]
    pub fn retried(mut self, next: Self) -> Self {
        let failed = std::mem::take(&mut self.failed_tests).into_iter();
        let (failed, passed): (BTreeMap<_, _>, BTreeMap<_, _>) =
            failed.partition(|(name, _)| next.failed_tests.contains_key(name));
        self.census.pass_failed(&passed.keys().map(String::as_str).collect());
        // Of a test that failed again, the last attempt counts.
        let is_repeated = |output: &TestOutput| next.test_outputs.iter().any(|new| new.test == output.test);
        self.test_outputs.retain(|output| !is_repeated(output));
        self.test_outputs.extend(next.test_outputs);
        self.test_outputs.sort();
        // The other findings are about the program, such as a leak.
        self.diagnostics.retain(|found| found.rule != libtest::FAILED);
        self.diagnostics.extend(passed.into_values());
        self.is_leaky |= next.is_leaky;
        self.leaks.extend(next.leaks);
        self.diagnostics.extend(next.diagnostics);
        self.diagnostics.sort();
        self.diagnostics.dedup();
        Self { failed_tests: failed, ..self }
    }

    /// Adds what the attempt `before` reported and this one, for which `tool` ran again over `units`, did not: it is flaky. If
    /// the attempt has no result, `before` is the reason.
    pub fn ran_again(
        &mut self,
        workspace: &Workspace,
        tool: &Tool,
        units: &[Unit],
        before: Result<Self, String>,
    ) {
        let no_result = |reason: &str| Diagnostic {
            place: place_of(workspace, tool, units),
            ns: tool.base().into(),
            rule: tool.base().into(),
            level: Level::Error,
            message: reason.into(),
            fatal: false,
            package: None,
            related: Vec::new(),
            fix: None,
            test: None,
        };
        let reported = match before {
            Ok(before) => {
                let gaps = before.gaps.iter().map(|gap| no_result(&gap.reason));
                before.diagnostics.into_iter().chain(gaps).collect()
            }
            Err(reason) => vec![no_result(&reason)],
        };
        let now: BTreeSet<_> = self.diagnostics.iter().map(Diagnostic::key).collect();
        for found in reported.into_iter().filter(|found| !now.contains(&found.key())) {
            let flaky = gone(tool, found);
            if !self.diagnostics.iter().any(|known| known.key() == flaky.key()) {
                self.diagnostics.push(flaky);
            }
        }
        self.diagnostics.sort();
    }

    /// Returns true if some of its tests are flaky.
    pub fn is_flaky(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_flaky)
    }

    /// Merges in the result of another process that checked other files of the same units.
    #[must_use]
    pub fn beside(mut self, next: Self) -> Self {
        let diagnostics = self.add(next);
        self.diagnostics.extend(diagnostics);
        self.diagnostics.sort();
        self.diagnostics.dedup();
        self
    }
}

impl Parsed {
    /// Adds a gap if the tool counts more failures than can be distinguished. Otherwise an accepted failure could hide
    /// a different one.
    pub(super) fn of_counted(mut self, failures: usize) -> Self {
        let key = |found: &Diagnostic| {
            (
                found.place.clone(),
                found.ns.clone(),
                found.rule.clone(),
                found.message.clone(),
                found.test.clone(),
            )
        };
        let distinct = self.diagnostics.iter().map(key).collect::<BTreeSet<_>>().len();
        if distinct < failures && self.gaps.is_empty() {
            self.gaps.push(Gap::all(format!(
                "{failures} tests failed but only {distinct} of them can be distinguished"
            )));
        }
        self
    }
}

/// Returns the finding about `found`, which `tool` no longer reported when it ran again.
fn gone(tool: &Tool, found: Diagnostic) -> Diagnostic {
    let (message, related) = match &found.test {
        Some(_) => (
            "failed, and passed when it was run again".into(),
            vec![Related { message: found.message.to_string(), place: None }],
        ),
        None => (format!("{} (gone when `{}` ran again)", found.message, tool.base()).into(), found.related),
    };
    let (ns, rule) = (OWN_NAMESPACE.into(), FLAKY.into());
    Diagnostic { ns, rule, level: tool.flaky_level(), message, related, fatal: false, fix: None, ..found }
}

/// Traces of what a process read beyond the declared inputs. Contains absolute paths and must not reach an id or an
/// artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Units that cargo compiled or documented, in all packages.
    pub units: BTreeSet<BuiltUnit>,
    /// Build scripts that cargo ran.
    pub scripts: BTreeSet<RanScript>,
    /// Files that a formatter formatted, under the names it prints.
    pub formatted: BTreeSet<PathBuf>,
    /// Set if some of the traces are replayed from an earlier process, which may have had other inputs.
    pub is_replayed: bool,
}

/// Compilation unit for which cargo reported an artifact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuiltUnit {
    /// Workspace member that the unit belongs to.
    pub package: Option<PackageId>,
    /// Package name.
    pub name: String,
    /// Package manifest.
    pub manifest: PathBuf,
    /// Name of its target.
    pub target: String,
    /// Kind and target name as in cargo's fingerprint directory, for example `test-lib-alpha`.
    pub fingerprint: String,
    /// Root source file.
    pub source: PathBuf,
    /// Directory in which cargo started rustc, the base of relative paths.
    pub base: PathBuf,
    /// First file that was built.
    pub artifact: PathBuf,
    /// Possible paths of rustc's dep-info file. The first one that exists counts. Empty for documentation.
    pub dep_infos: Vec<PathBuf>,
    /// For documentation, dep-info files of compilations of the same target with the current sources. Filled in when
    /// replays are reviewed.
    pub read_by_rustc: Vec<PathBuf>,
    /// For documentation, set if a macro of another crate may include a file that no source names. Filled in when replays are
    /// reviewed.
    pub may_include_anything: bool,
    /// Set for procedural macros.
    pub is_macro: bool,
    /// Set for code that runs on the build machine: build scripts and procedural macros.
    pub is_for_host: bool,
    /// Set if built for tests.
    pub is_test: bool,
    /// Set for documentation.
    pub is_doc: bool,
    /// True if debug assertions are enabled, if known.
    pub debug_assertions: Option<bool>,
    /// Enabled features.
    pub features: BTreeSet<String>,
    /// Set if cargo replayed it from an earlier build.
    pub fresh: bool,
}

/// A build script that cargo ran, or whose output it replayed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RanScript {
    /// Workspace member that the script belongs to.
    pub package: Option<PackageId>,
    /// Package name.
    pub name: String,
    /// Package manifest; `None` if the output does not mention the compilation of the script.
    pub manifest: Option<PathBuf>,
    /// Name of its fingerprint in cargo's fingerprint directory.
    pub fingerprint: String,
    /// File with the output of the script.
    pub output: PathBuf,
    /// Values of `cargo::rustc-cfg`: `name` or `key="value"`.
    pub cfgs: BTreeSet<String>,
}

impl Traces {
    pub(super) fn extend(&mut self, more: Self) {
        let Self { units, scripts, formatted, is_replayed } = more;
        self.units.extend(units);
        self.scripts.extend(scripts);
        self.formatted.extend(formatted);
        self.is_replayed |= is_replayed;
    }
}

/// Part of the work of a process that has no result. Covers all of it if there is neither a package nor a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Affected package.
    pub package: Option<PackageId>,
    /// Affected file.
    pub path: Option<RelPath>,
    /// Reason, shown to the user.
    pub reason: String,
}

impl Gap {
    /// Returns a gap for everything that the process covered.
    pub(super) fn all(reason: impl Into<String>) -> Self {
        Self { package: None, path: None, reason: reason.into() }
    }
}
