//! Detects test targets that pass without running a test although their sources contain tests.
//!
//! The rules apply only to full runs. Sources are searched for tests, by their tokens, only for targets that ran none.

use std::collections::{BTreeMap, BTreeSet};

use super::ReadSources;
use super::ledger::Ledger;
use super::untested;
use crate::model::blind_spot::{BlindSpot, BlindSpotKind};
use crate::model::census::{Census, Group, Tests};
use crate::model::finding::{Diagnostic, Level, OWN_NAMESPACE, Place, Related};
use crate::model::path::RelPath;
use crate::model::task::{Status, Unit};
use crate::model::tool::{Parse, Per, Targets, Tool, ToolId};
use crate::model::workspace::{Package, Target, TargetKind};
use crate::normalize::sources::{Cfg, Platform, Scanned, SourceFile, Truth, scan};
use crate::workspace::LoadError;

/// Rule for a test target that ran no test.
pub(super) const EMPTY: &str = "empty-test-target";

/// Reason why it is unknown whether a target has run tests.
const NO_COUNT: &str = "its harness states no count";

/// Access to sources and the build target.
pub(super) struct Sources<'a> {
    pub(super) read: &'a ReadSources<'a>,
    /// Target triple of the build, if known.
    pub(super) target: &'a dyn Fn() -> Option<String>,
}

/// Applies the rules to all tools that run tests. Returns the blind spots.
pub(super) fn judge(ledger: &mut Ledger<'_>, sources: &Sources<'_>) -> Result<Vec<BlindSpot>, LoadError> {
    let plan = ledger.plan;
    let mut blind = BTreeSet::new();
    if !plan.is_full(ledger.workspace) {
        return Ok(Vec::new());
    }
    let tests = plan.graph.tools().filter(|(_, tool)| runs_tests(tool));
    let looked = |(id, tool)| {
        let census = ledger.complete_census(id).filter(|census| !is_of_documentation(census))?;
        let targets = Looked::of(ledger, id, tool, &census);
        Some(OfTool { id, tool, has_run: has_run(&census), targets })
    };
    let looked: Vec<_> = tests.filter_map(looked).collect();
    blind.extend(untested::find(ledger, &looked, sources)?);
    for of in &looked {
        let (empty, full): (Vec<_>, Vec<_>) = of.targets.iter().partition(|one| one.runs() == Some(0));
        let uncounted = full.iter().filter(|one| one.runs().is_none());
        blind.extend(uncounted.map(|one| one.blind(NO_COUNT)));
        let found = Found::of(&empty, sources)?;
        let own = || empty.iter().zip(&found);
        let has_tests = own().any(|(_, found)| matches!(found, Found::Tests(_)));
        let has_targets =
            own().any(|(one, found)| found.may_be_there() && one.target.kind == TargetKind::Test);
        if !of.has_run && (has_tests || has_targets) {
            let what = if has_tests { "the sources have tests" } else { "there are test targets" };
            ledger.note_all(of.id, &format!("no test ran, although {what}{}", hint(of.tool)));
            continue;
        }
        if !of.is_of_all() {
            continue;
        }
        let runs_elsewhere =
            |one: &Looked<'_>| looked.iter().any(|other| other.id != of.id && other.runs(&one.name));
        for (one, found) in own().filter(|(one, _)| !runs_elsewhere(one)) {
            let why = match found {
                Found::Tests(cfg) => {
                    ledger.enter_own(of.id, one.unit, finding(one, cfg.as_ref()));
                    continue;
                }
                Found::Off(cfg) => format!("its tests are switched off: `cfg({cfg})`"),
                Found::OwnHarness => NO_COUNT.to_owned(),
                Found::OfMacros => "a macro makes its tests, and none ran".to_owned(),
                Found::Nothing => continue,
            };
            blind.insert(one.blind(&why));
        }
    }
    Ok(blind.into_iter().collect())
}

/// What a tool ran.
pub(super) struct OfTool<'a> {
    pub(super) id: ToolId,
    tool: &'a Tool,
    /// Whether it ran a test at all.
    has_run: bool,
    targets: Vec<Looked<'a>>,
}

impl OfTool<'_> {
    /// Whether it is to run all test targets that it has tasks for, rather than those that its command line names.
    fn is_of_all(&self) -> bool {
        self.tool.uses_selection() || self.tool.per == Per::TestTarget
    }

    /// Whether it may have run a test of the target that is called `name`.
    fn runs(&self, name: &str) -> bool {
        self.targets.iter().any(|one| one.name == name && one.runs() != Some(0))
    }

    /// Whether the target that is called `name` is one that it ran, or is to run.
    pub(super) fn is_of(&self, name: &str) -> bool {
        self.runs(name) || self.is_of_all() && self.targets.iter().any(|one| one.name == name)
    }
}

fn has_run(census: &Census) -> bool {
    census.tests.values().any(|tests| tests.is_none_or(|tests| tests.run > 0))
}

/// Whether `tool` runs tests other than doc tests.
pub(super) fn runs_tests(tool: &Tool) -> bool {
    matches!(tool.parse, Parse::Libtest | Parse::Nextest) && tool.targets != Some(Targets::Doctest)
}

/// Whether only doc tests were run. It is normal that there are none.
fn is_of_documentation(census: &Census) -> bool {
    !census.tests.is_empty() && census.tests.keys().all(|group| matches!(group, Group::Package(_)))
}

/// Returns a hint at the possible cause.
fn hint(tool: &Tool) -> String {
    match tool.args.is_empty() {
        true => String::new(),
        false => format!("; look at `args` of [tools.{}]", tool.name),
    }
}

/// A test target and the tests of it that a tool ran.
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
    /// None, because the target requires features that are not enabled.
    Skipped,
}

impl<'a> Looked<'a> {
    /// Returns the test targets that `tool` had to run.
    fn of(ledger: &Ledger<'a>, id: ToolId, tool: &Tool, census: &Census) -> Vec<Self> {
        let workspace = ledger.workspace;
        // A test of an unknown target may belong to any target.
        let is_known = tool.per == Per::TestTarget
            || census
                .tests
                .iter()
                .all(|(group, tests)| *group != Group::Unknown || tests.is_some_and(|tests| tests.run == 0));
        let all = workspace.packages().flat_map(|(at, package)| {
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
    fn runs(&self) -> Option<u64> {
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
        harnesses: &mut BTreeMap<RelPath, BTreeSet<String>>,
    ) -> Result<Self, LoadError> {
        let manifest = one.package.dir.join("Cargo.toml");
        if !harnesses.contains_key(&manifest) {
            let text = (sources.read)(&mut std::iter::once(&manifest))?.remove(&manifest).unwrap_or_default();
            harnesses.insert(manifest.clone(), own_harnesses(&text));
        }
        if harnesses[&manifest].contains(&one.target.name) {
            return Ok(Self::OwnHarness);
        }
        let leaf = |name: &str, value: Option<&str>| truth(name, value, platform);
        let (mut could_run, mut off, mut of_macros) = (None, None, false);
        for (cfgs, Scanned { file, tests, has_macro_tests, .. }) in follow(&one.target.root, sources)? {
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

    /// Whether the target may contain tests that should have run.
    fn may_be_there(&self) -> bool {
        !matches!(self, Self::Off(_) | Self::OwnHarness)
    }
}

/// Returns the names of the targets in a manifest that have their own harness.
fn own_harnesses(manifest: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(manifest);
    let Ok(table) = text.parse::<toml::Table>() else { return BTreeSet::new() };
    let sections = ["lib", "bin", "example", "test", "bench"].into_iter().filter_map(|name| table.get(name));
    let targets = sections.flat_map(|section| match section {
        toml::Value::Array(targets) => targets.as_slice(),
        target => std::slice::from_ref(target),
    });
    let own = targets.filter(|target| target.get("harness").and_then(toml::Value::as_bool) == Some(false));
    // Only a library needs no name.
    let of_package = || table.get("package")?.get("name")?.as_str().map(|name| name.replace('-', "_"));
    let name = |target: &toml::Value| match target.get("name") {
        Some(name) => name.as_str().map(str::to_owned),
        None => of_package(),
    };
    own.filter_map(name).collect()
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

/// Returns the files of the crate with this root, following module declarations, each with its conditions.
fn follow(root: &RelPath, sources: &Sources<'_>) -> Result<Vec<(Vec<Cfg>, Scanned)>, LoadError> {
    let mut seen = BTreeSet::new();
    let mut level = vec![(SourceFile::root(root), Vec::new())];
    let mut found = Vec::new();
    while !level.is_empty() {
        level.retain(|(file, _)| seen.insert(file.path.clone()));
        let texts = (sources.read)(&mut level.iter().map(|(file, _)| &file.path))?;
        let mut next = Vec::new();
        for (file, cfgs) in level {
            let Some(text) = texts.get(&file.path) else { continue };
            let scanned = scan(&String::from_utf8_lossy(text));
            for module in &scanned.modules {
                let cfgs: Vec<_> = cfgs.iter().chain(&scanned.file).chain(&module.cfgs).cloned().collect();
                next.extend(file.candidates(module).into_iter().map(|file| (file, cfgs.clone())));
            }
            found.push((cfgs, scanned));
        }
        level = next;
    }
    Ok(found)
}

/// Returns the finding that no test of a target ran. Details that may change while the target stays empty are not part of the
/// message, so they don't change the id.
fn finding(one: &Looked<'_>, cfg: Option<&Cfg>) -> Diagnostic {
    let tests = |count: u64| if count == 1 { "its only test is" } else { "all of its tests are" };
    let reason = match one.ran {
        Ran::Skipped => "the target has `required-features` that are not on".to_owned(),
        Ran::Tests(tests_of) => {
            let Tests { ignored, filtered_out, .. } = tests_of.unwrap_or_default();
            match (ignored, filtered_out, cfg) {
                (Some(count @ 1..), _, _) => format!("{} marked `#[ignore]`", tests(count)),
                (_, Some(count @ 1..), _) => format!("{} left out by a filter", tests(count)),
                (_, _, Some(cfg)) => format!("they are under `cfg({cfg})`"),
                _ => "its tests are ignored, or left out by a filter".to_owned(),
            }
        }
    };
    Diagnostic {
        test: None,
        place: Place::File { path: one.target.root.clone(), range: None },
        ns: OWN_NAMESPACE.into(),
        rule: EMPTY.into(),
        level: Level::Warning,
        message: format!("no test of `{}` ran, although its sources have tests", one.name).into(),
        fatal: false,
        package: None,
        related: vec![Related { message: reason, place: None }],
        fix: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_with_their_own_harness_are_found_in_the_manifest() {
        let manifest = "[package]\nname = \"a\"\n[[test]]\nname = \"own\"\nharness = false\n[[test]]\nname = \"other\"\n\
                        [lib]\nname = \"a\"\nharness = false\n";
        assert_eq!(own_harnesses(manifest.as_bytes()), ["a", "own"].map(str::to_owned).into());
        assert_eq!(own_harnesses(b"no [toml"), BTreeSet::new());
        let unnamed = own_harnesses(b"[package]\nname = \"a-b\"\n[lib]\nharness = false\n");
        assert_eq!(unnamed, BTreeSet::from(["a_b".to_owned()]));
    }
}
