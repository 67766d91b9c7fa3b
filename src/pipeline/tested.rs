//! Collects the tests that the tools of a run ran, and finds tests in the sources of targets.

use std::collections::{BTreeMap, BTreeSet};

use super::ReadSources;
use super::ledger::Ledger;
use crate::model::blind_spot::{BlindSpot, BlindSpotKind};
use crate::model::census::{Census, Group, Tests};
use crate::model::path::RelPath;
use crate::model::task::{Status, Unit};
use crate::model::tool::{Per, Targets, Tool, ToolId, Work};
use crate::model::workspace::{Package, PackageId, Target, TargetKind};
use crate::normalize::sources::{Cfg, Platform, Scanned, Truth, follow};
use crate::workspace::LoadError;

/// Rule for a test target that ran no test.
pub(super) const EMPTY: &str = "empty-test-target";

/// Access to sources and the build target.
pub(super) struct Sources<'a> {
    pub(super) read: &'a ReadSources<'a>,
    /// Target triple of the build, if known.
    pub(super) target: &'a dyn Fn() -> Option<String>,
}

/// Test targets of a tool.
pub(super) struct OfTool<'a> {
    pub(super) id: ToolId,
    pub(super) tool: &'a Tool,
    /// True if it ran any test.
    pub(super) has_run: bool,
    pub(super) targets: Vec<Looked<'a>>,
}

impl OfTool<'_> {
    /// Returns true if it must run all test targets for which it has tasks, and not only those that its command line names.
    pub(super) fn is_of_all(&self) -> bool {
        self.tool.uses_selection() || self.tool.per == Per::TestTarget
    }

    /// Returns true if it may have run a test of the target called `name`.
    pub(super) fn runs(&self, name: &str) -> bool {
        self.targets.iter().any(|one| one.name == name && one.runs() != Some(0))
    }

    /// Returns true if it ran the target called `name`, or must run it.
    pub(super) fn is_of(&self, name: &str) -> bool {
        self.runs(name) || self.is_of_all() && self.targets.iter().any(|one| one.name == name)
    }
}

pub(super) fn has_run(census: &Census) -> bool {
    census.tests.keys().any(|group| census.may_have_run(group))
}

/// Returns true if `tool` runs tests other than doc tests.
pub(super) fn runs_tests(tool: &Tool) -> bool {
    tool.parse.work() == Work::Test && tool.targets != Some(Targets::Doctest)
}

/// Returns true if only doc tests were run. A package without doc tests is normal.
pub(super) fn is_of_documentation(census: &Census) -> bool {
    !census.tests.is_empty() && census.tests.keys().all(|group| matches!(group, Group::Package(_)))
}

/// A test target, and those of its tests that a tool ran.
pub(super) struct Looked<'a> {
    pub(super) package: &'a Package,
    pub(super) target: &'a Target,
    pub(super) unit: Unit,
    pub(super) name: String,
    pub(super) ran: Ran,
}

/// Tests of a target that a tool ran.
pub(super) enum Ran {
    /// The counts, if the harness reports them.
    Tests(Option<Tests>),
    /// No tests, because the target requires features that are not enabled.
    Skipped,
}

impl<'a> Looked<'a> {
    /// Returns the test targets that `tool` had to run.
    pub(super) fn of(ledger: &Ledger<'a>, id: ToolId, tool: &Tool, census: &Census) -> Vec<Self> {
        let workspace = ledger.workspace;
        // A test of an unknown target may belong to any target.
        let is_known = tool.per == Per::TestTarget || !census.may_have_run(&Group::Unknown);
        let build = ledger.plan.build_of(tool);
        // Tests of a tool that does not build the selection are only known by what it reports.
        let is_built = |id: PackageId| !tool.takes_variants() || build.has(id);
        let packages = workspace.packages().filter(|(id, _)| is_built(*id));
        let all = packages.flat_map(|(at, package)| {
            let targets = (0..).zip(&package.targets).filter(|(_, target)| target.test);
            targets.map(move |(index, target)| (Unit::TargetRoot(at, index), package, target))
        });
        let looked = |(unit, package, target): (Unit, &'a Package, &'a Target)| {
            let name = package.test_name(target);
            let ran = census.tests.get(&Group::Target(name.clone()));
            let is_skipped = match tool.per {
                Per::TestTarget => matches!(ledger.status_of(id, unit)?, Status::Skipped(_)),
                _ => ran.is_none() && target.needs_features,
            };
            let ran = match (ran, is_skipped) {
                (_, true) => Ran::Skipped,
                (Some(tests), _) => Ran::Tests(*tests),
                (None, _) if is_known => Ran::Tests(Some(Tests::default())),
                (None, _) => return None,
            };
            Some(Self { package, target, unit, name, ran })
        };
        all.filter_map(looked).collect()
    }

    /// Returns the number of tests that ran; `None` if the harness does not report it.
    pub(super) fn runs(&self) -> Option<u64> {
        match self.ran {
            Ran::Tests(tests) => tests.map(|tests| tests.run),
            Ran::Skipped => Some(0),
        }
    }

    pub(super) fn blind(&self, reason: &str) -> BlindSpot {
        let reason = format!("`{}`: {reason}", self.name);
        BlindSpot { kind: BlindSpotKind::UntestedTarget, path: self.target.root.clone(), reason }
    }
}

/// Tests found in the sources of a target.
pub(super) enum Found {
    /// There are tests that could run. The first one has this condition.
    Tests(Option<Cfg>),
    /// There are tests, but none can run on this platform or without compiler flags.
    Off(Cfg),
    /// There may be tests generated by macros.
    OfMacros,
    /// The target has its own harness, so its tests can't be recognized.
    OwnHarness,
    /// There are no tests.
    Nothing,
}

impl Found {
    /// Searches the sources of each of `targets`.
    pub(super) fn of(targets: &[&Looked<'_>], sources: &Sources<'_>) -> Result<Vec<Self>, LoadError> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let platform = (sources.target)().map(Platform::new);
        let mut own = BTreeMap::new();
        let found = |one: &&Looked<'_>| Self::of_root(one, sources, platform.as_ref(), &mut own);
        targets.iter().map(found).collect()
    }

    fn of_root(
        one: &Looked<'_>,
        sources: &Sources<'_>,
        platform: Option<&Platform>,
        harnesses: &mut BTreeMap<RelPath, OwnHarnesses>,
    ) -> Result<Self, LoadError> {
        let manifest = one.package.dir.join("Cargo.toml");
        if !harnesses.contains_key(&manifest) {
            let text = (sources.read)(&mut std::iter::once(&manifest))?.remove(&manifest).unwrap_or_default();
            harnesses.insert(manifest.clone(), own_harnesses(&text));
        }
        if harnesses[&manifest].contains(&(one.target.kind.as_str(), one.target.name.clone())) {
            return Ok(Self::OwnHarness);
        }
        let leaf = |name: &str, value: Option<&str>| truth(name, value, platform);
        let (mut could_run, mut off, mut of_macros) = (None, None, false);
        let files = follow(&one.target.root, sources.read, &|_| true)?;
        for (cfgs, scanned) in files.into_iter().filter_map(|file| Some((file.cfgs, file.scanned?))) {
            let Scanned { file, tests, has_macro_tests, .. } = scanned;
            of_macros |= has_macro_tests;
            for test in tests {
                let all = cfgs.iter().chain(&file).chain(&test.cfgs).cloned().collect::<Vec<_>>();
                let cfg = match <[Cfg; 1]>::try_from(all) {
                    Ok([cfg]) => cfg,
                    Err(all) => Cfg::All(all),
                };
                match cfg.truth(&leaf) {
                    Truth::No => drop(off.get_or_insert(cfg)),
                    Truth::Yes => drop(could_run.get_or_insert(None)),
                    Truth::Maybe => drop(could_run.get_or_insert(Some(cfg))),
                }
            }
        }
        Ok(match (could_run, off) {
            (Some(cfg), _) => Self::Tests(cfg),
            (None, Some(cfg)) => Self::Off(cfg),
            (None, None) if of_macros => Self::OfMacros,
            (None, None) => Self::Nothing,
        })
    }

    /// Returns true if the target may contain tests that should have run.
    pub(super) fn may_be_there(&self) -> bool {
        !matches!(self, Self::Off(_) | Self::OwnHarness)
    }
}

/// Targets with their own harness: kind and name, because a library and a benchmark may have the same name.
type OwnHarnesses = BTreeSet<(&'static str, String)>;

/// Returns the targets in a manifest that have their own harness.
fn own_harnesses(manifest: &[u8]) -> OwnHarnesses {
    let text = String::from_utf8_lossy(manifest);
    let Ok(table) = text.parse::<toml::Table>() else { return OwnHarnesses::new() };
    let kinds = [TargetKind::Lib, TargetKind::Bin, TargetKind::Example, TargetKind::Test, TargetKind::Bench];
    let sections = kinds.iter().filter_map(|kind| Some((kind.as_str(), table.get(kind.as_str())?)));
    let targets = sections.flat_map(|(kind, section)| {
        let targets = match section {
            toml::Value::Array(targets) => targets.as_slice(),
            target => std::slice::from_ref(target),
        };
        targets.iter().map(move |target| (kind, target))
    });
    let is_own = |target: &toml::Value| target.get("harness").and_then(toml::Value::as_bool) == Some(false);
    // Only a library needs no name.
    let of_package = || table.get("package")?.get("name")?.as_str().map(|name| name.replace('-', "_"));
    let name = |target: &toml::Value| match target.get("name") {
        Some(name) => name.as_str().map(str::to_owned),
        None => of_package(),
    };
    let own = targets.filter(|(_, target)| is_own(target));
    own.filter_map(|(kind, target)| Some((kind, name(target)?))).collect()
}

/// Evaluates a `cfg` flag or key-value pair for a build of tests.
fn truth(name: &str, value: Option<&str>, platform: Option<&Platform>) -> Truth {
    match (name, value) {
        ("test", None) => Truth::Yes,
        ("feature", Some(_)) | ("panic" | "debug_assertions" | "overflow_checks", _) => Truth::Maybe,
        ("unix" | "windows", None) if platform.is_none() => Truth::Maybe,
        (name, _) if platform.is_none() && name.starts_with("target_") => Truth::Maybe,
        // Flags that only `RUSTFLAGS` or a build script can enable, such as `loom` and `miri`.
        _ => platform.and_then(|platform| platform.truth(name, value)).unwrap_or(Truth::No),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_with_their_own_harness_are_found_in_the_manifest() {
        let check = |manifest: &str, expected: &[(&str, &str)]| {
            let own = own_harnesses(manifest.as_bytes());
            let own: Vec<_> = own.iter().map(|(kind, name)| (*kind, name.as_str())).collect();
            assert_eq!(own, expected);
        };
        let tests = "[package]\nname = \"a\"\n[[test]]\nname = \"own\"\nharness = false\n[[test]]\nname = \"other\"\n";
        check(&format!("{tests}[lib]\nname = \"a\"\nharness = false\n"), &[("lib", "a"), ("test", "own")]);
        check("no [toml", &[]);
        check("[package]\nname = \"a-b\"\n[lib]\nharness = false\n", &[("lib", "a_b")]);
        // The library of this name has the usual one.
        check("[package]\nname = \"a\"\n[[bench]]\nname = \"a\"\nharness = false\n", &[("bench", "a")]);
    }
}
