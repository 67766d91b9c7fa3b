//! Detects accepted code that still exists but was not checked by any tool.
//!
//! This requires evidence, since a finding may be fixed while its code remains: a new caller makes a function used. Evidence is a
//! file that is part of no compilation of the tool, or a condition around the code that is off in each of these compilations.
//! Conditions are evaluated from features, the target and flags, those of the variant that
//! the compilation belongs to. Anything unknown, such as code in the arguments of a macro, is not
//! evidence.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::ReadSources;
use super::ledger::{Ledger, Looked};
use super::results::BuiltFor;
use crate::compare::reach::Reach;
use crate::compare::standing::Standing;
use crate::model::census::{Census, CompiledUnit};
use crate::model::cfg::{Cfg, Truth};
use crate::model::digest::Digest;
use crate::model::finding::{Entry, Fix, Place, Site};
use crate::model::generated::split_out_dir;
use crate::model::path::RelPath;
use crate::model::task::Plan;
use crate::model::text::Text;
use crate::model::tool::{Tool, Work};
use crate::model::workspace::Workspace;
use crate::normalize::sources::{Platform, follow, scan};
use crate::scan::{self, Env, Programs};
use crate::workspace::LoadError;

/// Source of the reasons why accepted code was not checked.
#[derive(Clone, Copy)]
pub(super) enum Unseen<'a> {
    /// Determined from what the tools of this run compiled and formatted.
    Found(Build<'a>),
    /// Stated by an earlier run, for each namespace and entry.
    Stated(&'a BTreeMap<(Text, Entry), Vec<String>>),
}

/// Source of the properties of builds that cargo does not report.
#[derive(Clone, Copy)]
pub(super) struct Build<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) programs: &'a Programs,
    pub(super) env: &'a Env,
    /// The properties where other machines recorded them, one per tool.
    pub(super) recorded: Option<&'a [BuiltFor]>,
}

impl Build<'_> {
    /// Returns the properties of the builds of `tool` in `plan`.
    pub(super) fn of(&self, plan: &Plan, tool: &Tool) -> BuiltFor {
        let env = self.env_of(tool);
        let digest =
            |name: &str| Some((name.to_owned(), Digest::of_bytes(env.get(name)?.as_encoded_bytes())));
        let profiles = env.names("CARGO_PROFILE_").filter_map(digest).collect();
        BuiltFor { target: self.target(plan, tool), cfgs: self.cfgs(plan, tool), profiles }
    }

    fn recorded(&self, plan: &Plan, tool: &Tool) -> Option<&BuiltFor> {
        let at = plan.graph.tools.iter().position(|other| other.name == tool.name)?;
        self.recorded?.get(at)
    }

    fn env_of(&self, tool: &Tool) -> Cow<'_, Env> {
        match tool.variant {
            Some(_) => Cow::Owned(self.env.of_tool(tool)),
            None => Cow::Borrowed(self.env),
        }
    }

    /// Returns the target triple of the builds of `tool` in `plan`, if known.
    fn target(&self, plan: &Plan, tool: &Tool) -> Option<String> {
        if let Some(recorded) = self.recorded(plan, tool) {
            return recorded.target.clone();
        }
        let asked_for = plan.build_of(tool).selection.target.clone();
        let root = tool.workspace_root(&self.workspace.root);
        asked_for.or_else(|| scan::default_target(&root, self.programs, &self.env_of(tool)))
    }

    /// Returns the conditions that compiler flags enable in the builds of `tool` in `plan`, if known.
    fn cfgs(&self, plan: &Plan, tool: &Tool) -> Option<BTreeSet<String>> {
        if let Some(recorded) = self.recorded(plan, tool) {
            return recorded.cfgs.clone();
        }
        let target = self.target(plan, tool);
        let root = tool.workspace_root(&self.workspace.root);
        let flags = scan::compiler_flags(&root, self.programs, &self.env_of(tool), target.as_deref());
        flags.map(|flags| conditions_in(&flags))
    }
}

/// A compilation of a tool.
#[derive(Clone, Copy)]
struct Built<'a> {
    tool: &'a Tool,
    unit: &'a CompiledUnit,
}

/// The name of a variant, and a compilation of it.
type OfVariant<'a> = (&'a str, &'a CompiledUnit);

/// The compilations that cover a file.
type Covering<'a> = Rc<Vec<Built<'a>>>;

/// Values that the conditions of a variant depend on besides the unit.
#[derive(Default)]
struct Conditions {
    platform: OnceCell<Option<Platform>>,
    /// Conditions enabled by compiler flags; `None` if unknown.
    flags: OnceCell<Option<BTreeSet<String>>>,
}

/// Coverage of a run.
pub(super) struct Look<'a> {
    ledger: &'a Ledger<'a>,
    read: &'a ReadSources<'a>,
    unseen: Unseen<'a>,
    /// By the name of the variant.
    conditions: RefCell<BTreeMap<&'a str, Rc<Conditions>>>,
    files: RefCell<BTreeMap<RelPath, Option<Rc<Standing>>>>,
    /// Compilations by namespace and path.
    covering: RefCell<BTreeMap<(String, RelPath), Covering<'a>>>,
    /// Files reached by following the modules of a documented target.
    led_to: RefCell<BTreeMap<OfVariant<'a>, Rc<BTreeSet<RelPath>>>>,
    error: RefCell<Option<LoadError>>,
}

impl<'a> Look<'a> {
    pub(super) fn new(ledger: &'a Ledger<'a>, read: &'a ReadSources<'a>, unseen: Unseen<'a>) -> Self {
        Self {
            ledger,
            read,
            unseen,
            conditions: RefCell::default(),
            files: RefCell::default(),
            covering: RefCell::default(),
            led_to: RefCell::default(),
            error: RefCell::default(),
        }
    }

    /// Returns the first error of reading sources, if any.
    pub(super) fn finish(self) -> Result<(), LoadError> {
        self.error.into_inner().map_or(Ok(()), Err)
    }

    fn text(&self, path: &RelPath) -> Option<Vec<u8>> {
        match (self.read)(&mut std::iter::once(path)) {
            Ok(mut sources) => sources.remove(path),
            Err(error) => {
                self.error.borrow_mut().get_or_insert(error);
                None
            }
        }
    }

    fn standing(&self, path: &RelPath) -> Option<Rc<Standing>> {
        if let Some(known) = self.files.borrow().get(path) {
            return known.clone();
        }
        let standing = self.text(path).map(|bytes| Rc::new(Standing::new(path, &bytes)));
        self.files.borrow_mut().insert(path.clone(), standing.clone());
        standing
    }

    /// Returns true if every compilation that includes the code at `place` proposes `fix`, the fix of a finding of `ns` there.
    pub(super) fn is_agreed(&self, ns: &str, place: &Place, fix: &Fix) -> bool {
        let Unseen::Found(build) = self.unseen else { return true };
        let Some(path) = fix.file() else { return false };
        let owner = self.ledger.workspace.owner_of(path);
        let name = owner.map(|id| &*self.ledger.workspace.package(id).name);
        if name.is_some_and(|name| self.ledger.is_undecided(ns, name) || self.ledger.lacks_results(ns, name))
        {
            return false;
        }
        let covering = self.covering(build, ns, path);
        let are_enough = |units: &[Built<'_>]| {
            let mut expected: BTreeMap<&RelPath, u32> = BTreeMap::new();
            units.iter().for_each(|built| *expected.entry(&built.unit.root).or_default() += 1);
            let reported = |root: &RelPath| {
                fix.reports.iter().find(|(known, _)| known == root).map_or(0, |(_, count)| *count)
            };
            expected.iter().all(|(root, count)| reported(root) >= *count)
        };
        if covering.is_empty() || are_enough(&covering) {
            return !covering.is_empty();
        }
        // A compilation without this code can't propose anything there.
        let position =
            place.range().or(fix.edits.first().map(|(_, range, _)| *range)).map(|range| range.start);
        let standing = self.standing(path).filter(|standing| standing.has_conditions());
        let Some((position, standing)) = position.zip(standing) else { return false };
        let cfg = Cfg::All(standing.conditions_at(position));
        let with_code = covering.iter().copied().filter(|built| self.truth(build, *built, &cfg) != Truth::No);
        let with_code: Vec<_> = with_code.collect();
        !with_code.is_empty() && are_enough(&with_code)
    }

    /// Returns, for each target, given by its package and root, why no compilation of it contains any of its code; `None` if one
    /// may contain it.
    pub(super) fn why_empty(&self, targets: &[(&str, &RelPath)]) -> Vec<Option<String>> {
        let Unseen::Found(build) = self.unseen else { return vec![None; targets.len()] };
        let mut units: BTreeMap<(&str, &RelPath), Vec<Built<'a>>> = BTreeMap::new();
        for built in self.ledger.units().filter(|built| !built.unit.is_doc) {
            units.entry((&built.unit.package, &built.unit.root)).or_default().push(built);
        }
        let why = |target: &(&str, &RelPath)| {
            let units = units.get(target)?;
            let cfgs = scan(&String::from_utf8_lossy(&self.text(target.1)?)).file;
            if cfgs.is_empty() { None } else { self.off(build, units, cfgs) }
        };
        targets.iter().map(why).collect()
    }

    /// Returns the number of occurrences of the code of `entry` in the file at `path`.
    fn count(&self, entry: &Entry, path: &RelPath) -> usize {
        self.standing(path).map_or(0, |file| file.places(&entry.scope, &entry.code).len())
    }

    /// Returns a reason for each occurrence of `entry` in the file at `path` that no compilation covers.
    fn not_compiled(&self, build: Build<'_>, ns: &str, entry: &Entry, path: &RelPath) -> Vec<String> {
        let owner = self.ledger.workspace.owner_of(path);
        let owner = owner.map(|id| &self.ledger.workspace.package(id).name);
        if !self.ledger.has_units(ns) || owner.is_some_and(|name| self.ledger.is_undecided(ns, name)) {
            return Vec::new();
        }
        let own = self.covering(build, ns, path);
        let Some(standing) = self.standing(path) else { return Vec::new() };
        if own.is_empty() {
            let places = standing.places(&entry.scope, &entry.code);
            return places.iter().map(|_| NOT_COMPILED.to_owned()).collect();
        }
        if !standing.has_conditions() {
            return Vec::new();
        }
        let places = standing.places(&entry.scope, &entry.code).into_iter();
        places.filter_map(|cfgs| self.off(build, &own, cfgs)).collect()
    }

    /// Returns the compilations that include the file at `path`, among those that can report findings of `ns`.
    fn covering(&self, build: Build<'_>, ns: &str, path: &RelPath) -> Covering<'a> {
        let key = (ns.to_owned(), path.clone());
        if let Some(known) = self.covering.borrow().get(&key) {
            return Rc::clone(known);
        }
        let units = self.ledger.units_of(ns);
        let own = units.iter().copied().filter(|built| self.covers(build, &units, *built, path));
        let own = Rc::new(own.collect::<Vec<_>>());
        self.covering.borrow_mut().insert(key, Rc::clone(&own));
        own
    }

    /// Returns why code under `cfgs` is in none of `units`; `None` if it may be in one.
    fn off(&self, build: Build<'_>, units: &[Built<'a>], cfgs: Vec<Cfg>) -> Option<String> {
        let is_off = |cfg: &Cfg| units.iter().all(|built| self.truth(build, *built, cfg) == Truth::No);
        // A single condition that is off everywhere is a better explanation than all together.
        let single = cfgs.iter().find(|cfg| is_off(cfg)).cloned();
        let cfg = single.or_else(|| Some(Cfg::All(cfgs)).filter(|all| is_off(all)))?;
        Some(format!("`cfg({cfg})` is off in every target that was built"))
    }

    /// Returns whether `unit` includes the file at `path`. Rustdoc does not report its files, so for documentation those count
    /// that rustc read for the same target, and those reached by following modules.
    fn covers(&self, build: Build<'_>, units: &[Built<'a>], built: Built<'a>, path: &RelPath) -> bool {
        let unit = built.unit;
        match &unit.files {
            Some(files) => files.contains(path),
            None => {
                let is_beside =
                    |other: &&CompiledUnit| other.root == unit.root && other.package == unit.package;
                let mut beside = units.iter().map(|other| other.unit).filter(is_beside);
                beside.any(|other| other.files.as_ref().is_some_and(|files| files.contains(path)))
                    || self.led_to(build, built).contains(path)
            }
        }
    }

    /// Returns why the test `subject` did not run although its function still exists, if no build of its target includes it.
    fn not_run(&self, build: Build<'_>, ns: &str, subject: &str) -> Vec<String> {
        let Some((target, test)) = subject.split_once(' ').filter(|_| self.ledger.tests(ns)) else {
            return Vec::new();
        };
        let packages = self.ledger.workspace.packages();
        let mut targets =
            packages.flat_map(|(_, package)| package.targets.iter().map(move |it| (package, it)));
        let Some((package, target)) = targets.find(|(package, it)| package.test_name(it) == target) else {
            return Vec::new();
        };
        let units = self.ledger.test_units(&package.name, &target.root);
        let Some(first) = units.first() else { return Vec::new() };
        let name = test.rsplit("::").next().unwrap_or(test);
        let mut reasons = BTreeSet::new();
        for path in self.follow(first.unit, &|_| true) {
            let Some(file) = self.standing(&path) else { continue };
            let functions = file.functions(name);
            let own: Vec<_> = units
                .iter()
                .copied()
                .filter(|built| built.unit.files.as_ref().is_none_or(|all| all.contains(&path)))
                .collect();
            for cfgs in functions {
                match if own.is_empty() { Some(NOT_COMPILED.to_owned()) } else { self.off(build, &own, cfgs) }
                {
                    Some(why) => reasons.insert(why),
                    // The function was built, so the test ran or was filtered out on purpose.
                    None => return Vec::new(),
                };
            }
        }
        reasons.into_iter().take(1).collect()
    }

    /// Returns the files reached by following the modules of `unit`, except those whose conditions are certainly off.
    fn led_to(&self, build: Build<'_>, built: Built<'a>) -> Rc<BTreeSet<RelPath>> {
        let key = (built.tool.variant_name(), built.unit);
        if let Some(known) = self.led_to.borrow().get(&key) {
            return Rc::clone(known);
        }
        let may_hold = |cfgs: &[Cfg]| self.truth(build, built, &Cfg::All(cfgs.to_vec())) != Truth::No;
        let seen = self.follow(built.unit, &may_hold);
        let seen = Rc::new(seen);
        self.led_to.borrow_mut().insert(key, Rc::clone(&seen));
        seen
    }

    /// Returns the files reached by following the modules of `unit` whose conditions `may_hold`.
    fn follow(&self, unit: &CompiledUnit, may_hold: &dyn Fn(&[Cfg]) -> bool) -> BTreeSet<RelPath> {
        let files = follow(&unit.root, self.read, may_hold).unwrap_or_else(|error| {
            self.error.borrow_mut().get_or_insert(error);
            Vec::new()
        });
        files.into_iter().map(|file| file.path).collect()
    }

    fn truth(&self, build: Build<'_>, built: Built<'a>, cfg: &Cfg) -> Truth {
        cfg.truth(&|name, value| self.leaf(build, built, name, value))
    }

    /// Returns what the conditions of the variant of `tool` depend on.
    fn conditions_of(&self, tool: &'a Tool) -> Rc<Conditions> {
        Rc::clone(self.conditions.borrow_mut().entry(tool.variant_name()).or_default())
    }

    /// Evaluates a `cfg` flag or key-value pair for a compilation, as the variant of its tool builds.
    fn leaf(&self, build: Build<'_>, built: Built<'a>, name: &str, value: Option<&str>) -> Truth {
        let Built { tool, unit } = built;
        match (name, value) {
            ("feature", Some(feature)) => return unit.features.contains(feature).into(),
            ("test", None) => return unit.is_test.into(),
            ("doc", None) => return unit.is_doc.into(),
            ("proc_macro", None) => return unit.is_macro.into(),
            ("debug_assertions", None) => return unit.debug_assertions.map_or(Truth::Maybe, Truth::from),
            ("panic" | "overflow_checks" | "clippy" | "relocation_model" | "ub_checks", _) => {
                return Truth::Maybe;
            }
            _ => {}
        }
        let conditions = self.conditions_of(tool);
        let platform =
            conditions.platform.get_or_init(|| build.target(self.ledger.plan, tool).map(Platform::new));
        let is_platform = name.starts_with("target_") || ["unix", "windows"].contains(&name);
        // Build scripts may be built for another target than the one that was requested.
        let is_cross = || self.ledger.plan.build_of(tool).selection.target.is_some();
        if is_platform && unit.is_for_host && is_cross() {
            return Truth::Maybe;
        }
        if let Some(truth) = platform.as_ref().and_then(|platform| platform.truth(name, value)) {
            return truth;
        }
        if is_platform {
            return Truth::Maybe;
        }
        let said = match value {
            Some(value) => format!("{name}=\"{value}\""),
            None => name.to_owned(),
        };
        let flags = conditions.flags.get_or_init(|| build.cfgs(self.ledger.plan, tool));
        match flags {
            _ if unit.cfgs.contains(&said) => Truth::Yes,
            Some(flags) => flags.contains(&said).into(),
            None => Truth::Maybe,
        }
    }
}

impl Ledger<'_> {
    /// Returns the tools of namespace `ns` with their census.
    fn census_of(&self, ns: &str) -> impl Iterator<Item = (&Tool, &Census)> {
        let tools = self.plan.graph.tools.iter().zip(&self.census);
        tools.filter(move |(tool, _)| tool.namespaces.iter().any(|own| own == ns)).filter_map(
            |(tool, looked)| match looked {
                Looked::At(census) => Some((tool, census)),
                Looked::Stated(_) => None,
            },
        )
    }

    /// Returns whether any compilation that can report findings of `ns` is known.
    fn has_units(&self, ns: &str) -> bool {
        !self.units_of(ns).is_empty()
    }

    /// Returns the compilations that can report findings of `ns`.
    fn units_of(&self, ns: &str) -> Vec<Built<'_>> {
        let is_of_lints = |tool: &Tool| tool.parse.work() == Work::Lint && tool.reports_all(ns);
        let lints = self.census_of(ns).filter(|(tool, _)| is_of_lints(tool));
        lints.flat_map(|(tool, census)| census.units.iter().map(move |unit| Built { tool, unit })).collect()
    }

    /// Returns whether `ns` is the namespace of a tool that runs tests.
    fn tests(&self, ns: &str) -> bool {
        self.census_of(ns).any(|(tool, _)| super::tested::runs_tests(tool))
    }

    /// Returns the compilations for tests of the target with this root.
    fn test_units(&self, package: &str, root: &RelPath) -> Vec<Built<'_>> {
        let is_own = |built: &Built<'_>| {
            built.unit.is_test && built.unit.package == package && built.unit.root == *root
        };
        self.units().filter(is_own).collect()
    }

    /// Returns the compilations of all tools.
    fn units(&self) -> impl Iterator<Item = Built<'_>> {
        let tools = self.plan.graph.tools.iter().zip(&self.census);
        let all = tools.filter_map(|(tool, looked)| match looked {
            Looked::At(census) => Some(census.units.iter().map(move |unit| Built { tool, unit })),
            Looked::Stated(_) => None,
        });
        all.flatten()
    }

    /// Returns whether the coverage of any compilation of the package `name` is unknown.
    fn is_undecided(&self, ns: &str, name: &str) -> bool {
        self.census_of(ns).any(|(_, census)| census.undecided.contains(name))
    }

    /// Returns whether a tool that reports findings of `ns` has no result for the package `name`, or for everything.
    fn lacks_results(&self, ns: &str, name: &str) -> bool {
        let tools = self.plan.graph.tools().filter(|(_, tool)| tool.namespaces.iter().any(|own| own == ns));
        let mut lints = tools.filter(|(_, tool)| tool.parse.work() == Work::Lint && tool.reports_all(ns));
        lints.any(|(id, _)| self.parts_without_result(id).any(|part| part == name || part == "."))
    }

    /// Returns whether the formatters of `ns` formatted other files of the package around `path`, but not this one.
    fn is_left_unformatted(&self, ns: &str, path: &RelPath) -> bool {
        let owner = self.workspace.owner_of(path);
        let mut formatters =
            self.census_of(ns).filter(|(tool, _)| tool.parse.work() == Work::Format).peekable();
        formatters.peek().is_some()
            && formatters.all(|(_, census)| {
                let mut own = census.files.iter().filter(|path| self.workspace.owner_of(path) == owner);
                own.next().is_some() && !census.files.contains(path)
            })
    }
}

const NOT_COMPILED: &str = "no target that was built compiles this file";
const NOT_FORMATTED: &str = "rustfmt can't reach this file through any module";

/// Returns the conditions that compiler `flags` enable.
fn conditions_in(flags: &[String]) -> BTreeSet<String> {
    let glued = flags.iter().filter_map(|flag| flag.strip_prefix("--cfg="));
    let next = flags.windows(2).filter(|pair| pair[0] == "--cfg").map(|pair| pair[1].as_str());
    glued.chain(next).map(|cfg| cfg.replace(" = ", "=")).collect()
}

impl Reach for Look<'_> {
    fn exists(&self, path: &RelPath) -> bool {
        self.ledger.exists(path)
    }

    fn looked_at(&self, ns: &str, entry: &Entry) -> bool {
        self.ledger.looked_at(ns, entry)
    }

    fn looked_at_in(&self, ns: &str, entry: &Entry, variant: &str) -> bool {
        self.ledger.looked_at_in(ns, entry, variant)
    }

    fn variants(&self, ns: &str, entry: &Entry) -> Vec<Text> {
        self.ledger.variants(ns, entry)
    }

    fn unseen(&self, ns: &str, entry: &Entry) -> Vec<String> {
        let is_source = |path: &RelPath| path.as_bytes().ends_with(b".rs") && split_out_dir(path).is_none();
        match (self.unseen, &entry.site) {
            // Other shards may have compiled the code.
            _ if self.ledger.plan.shard.is_some() => Vec::new(),
            (_, Site::Path(path)) if !is_source(path) => Vec::new(),
            (Unseen::Stated(stated), site) => {
                let key = (Text::from(ns), entry.bare());
                let Some(reasons) = stated.get(&key) else { return Vec::new() };
                // There can't be more unchecked places than occurrences in this checkout.
                let most = match site {
                    Site::Path(path) => self.count(entry, path),
                    Site::Subject(_) => reasons.len(),
                };
                reasons.iter().take(most).cloned().collect()
            }
            (Unseen::Found(build), Site::Subject(subject)) => self.not_run(build, ns, subject),
            (Unseen::Found(_), Site::Path(path)) if self.ledger.is_left_unformatted(ns, path) => {
                vec![NOT_FORMATTED.to_owned(); self.count(entry, path)]
            }
            (Unseen::Found(build), Site::Path(path)) => self.not_compiled(build, ns, entry, path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_flags_enable_conditions() {
        let flags = ["--cfg", "tokio_unstable", "-O", "--cfg=a = \"b\"", "--cfg"].map(str::to_owned);
        let expected = ["a=\"b\"", "tokio_unstable"].map(str::to_owned);
        assert_eq!(conditions_in(&flags), expected.into());
    }
}
