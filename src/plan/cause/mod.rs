//! Decides whether a change caused a finding, from the differences between the base and this checkout.
//!
//! A finding is excused only with a proof: nothing that its tool reads, and nothing that decides how the tool is asked, differs
//! between the base and this checkout. Then the same tool finds the same in the base. Without a proof, the change is the cause.
//!
//! - Some files count for every finding: configuration, `genti.lock`, toolchain files, what CI runs ([`counts_for_all`]).
//! - Where it is not completely known what a tool reads, every file counts.
//! - For cargo's tools, the files of the finding's package and of the packages it depends on count, those that the compiler read
//!   for them, all manifests, and files that no package owns, since macros and scripts may read them.
//! - For the other tools, the declared and the discovered inputs of the task count.
//!
//! This module does not know git or how the differences are determined.

mod crates;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::crates::Crates;
use super::changed::ABOVE;
use super::declared::paths;
use super::globs::{Globs, is_own};
use super::select::PlanError;
use crate::model::cause::{Cause, Caused};
use crate::model::finding::{Diagnostic, Entry, Finding, Place, Site};
use crate::model::golden;
use crate::model::path::RelPath;
use crate::model::task::{Plan, TaskId, Unit};
use crate::model::tool::{Parse, Per, Tool, ToolId};
use crate::model::workspace::{PackageId, ROOT_INPUTS, TargetKind, Workspace};
use crate::normalize;

/// Directory of the baseline files.
const BASELINE: &str = ".config/genti/baseline";

/// Differences between the base and this checkout.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    /// Reasons why every finding may be due to the change.
    pub all: Vec<String>,
    /// Files that differ, and those that git does not have.
    pub files: BTreeSet<RelPath>,
    /// Ids of the tasks in the plan of the base.
    pub tasks: BTreeSet<TaskId>,
    /// Crates in the lock files of the base and of this checkout.
    pub crates: Option<[Crates; 2]>,
    /// Baseline entries of the base and of this checkout by namespace, if they differ.
    pub entries: Option<[BTreeMap<String, Vec<Entry>>; 2]>,
}

/// Files that a task read although they are not among the files of its packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The unit of the task; `None` for what all tasks of the tool read.
    pub unit: Option<Unit>,
    /// Files.
    pub files: BTreeSet<RelPath>,
    /// Directories of which it may have read everything.
    pub dirs: BTreeSet<RelPath>,
}

/// Facts about a tool in this run.
#[derive(Clone, Debug, Default)]
pub struct ToolFacts {
    /// Inputs that it read beyond the declared ones; `None` if they are not completely known.
    pub reads: Option<Vec<Read>>,
    /// Source files that the compiler read, by name of the package; `None` if they are not stated for one of its targets.
    pub sources: BTreeMap<String, Option<BTreeSet<RelPath>>>,
    /// Its version compared with the locked one.
    pub version: Version,
    /// Rules that the locked version does not have, and whose findings don't fail yet.
    pub new_lints: BTreeSet<String>,
}

/// The version of a tool compared with the locked one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// No version is locked, or its version is not known.
    #[default]
    Unlocked,
    /// The locked version.
    Locked,
    /// Another version.
    Other,
}

/// Returns true if a difference in the file at `path` counts for every finding, whatever its tool reads: it may decide which tools
/// run, and how.
pub fn counts_for_all(path: &RelPath) -> bool {
    let mut bytes = path.as_bytes();
    // The repository may begin above the workspace.
    while let Some(below) = bytes.strip_prefix(b"../") {
        bytes = below;
    }
    let is_of_ci = match bytes.strip_prefix(b".github/") {
        Some(below) => below.starts_with(b"workflows/") || below.starts_with(b"actions/"),
        // Hidden files at the top configure git, CI services, editors and cargo.
        None => bytes.starts_with(b".") && !is_own(path) && !bytes.ends_with(b".md"),
    };
    is_of_ci || matches!(path.file_name(), b"rust-toolchain" | b"rust-toolchain.toml")
}

/// Decides the causes of the findings of a run.
pub struct Causes<'a> {
    workspace: &'a Workspace,
    plan: &'a Plan,
    differences: &'a Differences,
    facts: Vec<ToolFacts>,
    globs: Vec<Globs>,
    /// Namespaces and rules of which the change removed baseline entries.
    removed: BTreeSet<(&'a str, &'a str)>,
    /// Causes that were decided before.
    known: RefCell<Known>,
    /// The cause of everything, if there are reasons why every finding may be due to the change.
    of_all: Option<Arc<Caused>>,
}

/// The cause of findings of a tool in a scope; `None` if nothing differs there.
type Known = BTreeMap<(ToolId, Scope), Option<Arc<Caused>>>;

/// Subject of a finding, as far as it decides which files count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Packages(BTreeSet<PackageId>),
    File(Option<RelPath>),
}

impl<'a> Causes<'a> {
    /// Prepares for the tools of `plan`, with the `facts` of each.
    ///
    /// # Errors
    ///
    /// Never for a plan, whose globs have been compiled before.
    pub fn new(
        workspace: &'a Workspace,
        plan: &'a Plan,
        differences: &'a Differences,
        facts: Vec<ToolFacts>,
    ) -> Result<Self, PlanError> {
        let globs = plan.graph.tools.iter().map(Globs::new).collect::<Result<_, _>>()?;
        let removed = differences.entries.as_ref().map(|[base, here]| removed(base, here));
        let (removed, known) = (removed.unwrap_or_default(), RefCell::default());
        let all = &differences.all;
        let of_all = (!all.is_empty()).then(|| Arc::new(Caused::by_change(all.iter().cloned())));
        Ok(Self { workspace, plan, differences, facts, globs, removed, known, of_all })
    }

    /// Returns the cause of a new finding.
    pub fn of_finding(&self, finding: &Finding) -> Arc<Caused> {
        let Diagnostic { ns, rule, place, package, .. } = &finding.diagnostic;
        if let Some(of_all) = &self.of_all {
            return Arc::clone(of_all);
        }
        if self.removed.contains(&(&**ns, &**rule)) {
            return baseline_of(ns);
        }
        let tools = self.plan.graph.tools().filter(|(_, tool)| finding.is_of(&tool.name));
        let mut by_change = None;
        for (id, _) in tools {
            let caused = match self.is_of_world(id, place, rule) {
                true => Arc::new(Caused::by(Cause::World)),
                false => self.by_inputs(id, place.path(), *package),
            };
            // If one tool finds it in the base as well, it is no matter whether another does.
            if !caused.is_change() {
                return caused;
            }
            by_change.get_or_insert(caused);
        }
        if self.is_of_new_lint(finding) {
            return Arc::new(Caused::by(Cause::NewLint));
        }
        by_change.unwrap_or_else(|| Arc::new(Caused::by_change([])))
    }

    /// Returns true if each tool that reports `finding` has its rule only since a version after the locked one, and the change can't
    /// have brought this version.
    fn is_of_new_lint(&self, finding: &Finding) -> bool {
        let Diagnostic { rule, fatal, .. } = &finding.diagnostic;
        let is_manifest = |path: &RelPath| matches!(path.file_name(), b"Cargo.toml" | b"Cargo.lock");
        let is_new = |id: ToolId| {
            let mut files = self.differences.files.iter().filter(|path| !is_manifest(path));
            self.facts[id.0 as usize].new_lints.contains(&**rule)
                && !files.any(|path| self.may_install(id, path))
        };
        let tools: Vec<_> = self.plan.graph.tools().filter(|(_, tool)| finding.is_of(&tool.name)).collect();
        !fatal && !tools.is_empty() && tools.into_iter().all(|(id, _)| is_new(id))
    }

    /// Returns the cause why no finding matches the baseline entry `entry` of `ns` any more.
    pub fn of_entry(&self, ns: &str, entry: &Entry) -> Arc<Caused> {
        if let Some(of_all) = &self.of_all {
            return Arc::clone(of_all);
        }
        if self.differences.entries.as_ref().is_some_and(|[base, here]| is_added(ns, entry, base, here)) {
            return baseline_of(ns);
        }
        let path = match &entry.site {
            Site::Path(path) => Some(path),
            Site::Subject(_) => None,
        };
        let tools = self.plan.graph.tools().filter(|(_, tool)| tool.namespaces.iter().any(|own| own == ns));
        // The base lacks the finding only if no tool finds it there.
        let all = tools.map(|(id, _)| self.by_inputs(id, path, None));
        all.min_by_key(|caused| caused.cause).unwrap_or_else(|| Arc::new(Caused::by_change([])))
    }

    /// Decides by the inputs of the tool `id` that count for a finding at `path` in `package`.
    fn by_inputs(&self, id: ToolId, path: Option<&RelPath>, package: Option<PackageId>) -> Arc<Caused> {
        let tool = self.plan.graph.tool(id);
        let facts = &self.facts[id.0 as usize];
        if let Some(caused) = self.by_difference(id, self.scope(tool, path, package)) {
            return caused;
        }
        if facts.reads.is_some() && !self.has_task_in_base(id, path, package) {
            let what = format!("the definition or the inputs of `{}`", tool.name);
            return Arc::new(Caused::by_change([what]));
        }
        Arc::new(Caused::by(match facts.version {
            Version::Other => Cause::Tool,
            _ if !tool.is_cached() => Cause::World,
            _ => Cause::Base,
        }))
    }

    fn scope(&self, tool: &Tool, path: Option<&RelPath>, package: Option<PackageId>) -> Scope {
        let owner = path.and_then(|path| self.workspace.owner_of(path));
        match tool.per {
            Per::File => Scope::File(path.cloned()),
            // The tool checks one file after the other.
            Per::Workspace if tool.parse == Parse::TyposJson => Scope::File(path.cloned()),
            Per::TargetRoot => Scope::Packages(owner.or(package).into_iter().collect()),
            Per::Workspace if !tool.uses_selection() => Scope::File(None),
            _ => Scope::Packages(package.into_iter().chain(owner).collect()),
        }
    }

    /// Returns the change as the cause, if a file that counts differs.
    fn by_difference(&self, id: ToolId, scope: Scope) -> Option<Arc<Caused>> {
        let key = (id, scope);
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let counts = self.counting(id, &key.1);
        let files = self.differences.files.iter().filter(|path| !is_own(path) || self.is_golden_of(id, path));
        let mut found = files.filter(|path| counts(path)).map(ToString::to_string).peekable();
        let caused = found.peek().is_some().then(|| Arc::new(Caused::by_change(found)));
        drop(counts);
        self.known.borrow_mut().insert(key, caused.clone());
        caused
    }

    /// Returns the function that decides which differing files count.
    fn counting<'s>(&'s self, id: ToolId, scope: &'s Scope) -> Box<dyn Fn(&RelPath) -> bool + 's> {
        let (tool, facts) = (self.plan.graph.tool(id), &self.facts[id.0 as usize]);
        // A tool also depends on what the tools that it needs leave behind.
        let (Some(reads), []) = (&facts.reads, &self.plan.graph.needs[id.0 as usize][..]) else {
            return Box::new(|_| true);
        };
        let globs = &self.globs[id.0 as usize];
        let is_shared = move |path: &RelPath| self.is_shared(id, path);
        let is_read = move |path: &RelPath, unit: Option<PackageId>| {
            let is_of = |read: &&Read| {
                let package = read.unit.and_then(|unit| unit.package(self.workspace));
                tool.per != Per::TargetRoot || package.is_none() || unit.is_none() || package == unit
            };
            reads
                .iter()
                .filter(is_of)
                .any(|read| read.files.contains(path) || read.dirs.iter().any(|dir| path.is_within(dir)))
        };
        match scope {
            Scope::File(Some(file)) => {
                Box::new(move |path| path == file || is_shared(path) || is_read(path, None))
            }
            Scope::File(None) => {
                Box::new(move |path| globs.takes(path) || is_shared(path) || is_read(path, None))
            }
            Scope::Packages(packages) if tool.per == Per::TargetRoot => {
                let package = packages.first().copied();
                let is_owned =
                    move |path: &RelPath| package.is_none() || self.workspace.owner_of(path) == package;
                Box::new(move |path| {
                    globs.takes(path) && is_owned(path) || is_shared(path) || is_read(path, package)
                })
            }
            Scope::Packages(packages) => {
                let closure = self.closure(packages);
                match self.sources_of(&closure, facts).filter(|_| !packages.is_empty()) {
                    None => Box::new(|_| true),
                    Some(sources) => Box::new(move |path| {
                        let owner = self.workspace.owner_of(path);
                        owner.is_some_and(|owner| closure.contains(&owner))
                            || sources.iter().any(|read| read.contains(path))
                            || is_shared(path)
                            || is_read(path, None)
                    }),
                }
            }
        }
    }

    /// Returns true if the file at `path` affects all tasks of the tool `id`.
    fn is_shared(&self, id: ToolId, path: &RelPath) -> bool {
        let tool = self.plan.graph.tool(id);
        let name = path.file_name();
        let is_root = || ROOT_INPUTS.iter().any(|input| path.as_bytes() == input.as_bytes());
        self.configures(id, path)
            || paths(tool).any(|named| named == *path)
            || self.is_golden_of(id, path)
            || tool.per != Per::File && (is_root() || name == b"Cargo.toml")
            || tool.uses_selection() && ABOVE.contains(&name)
            || tool.uses_selection() && self.may_be_read_by_all(path)
            || self.may_install(id, path)
    }

    /// Returns true if the file at `path` may decide which version of the tool `id` is installed. What the tool itself checks does
    /// not, and neither does anything if the version is the locked one.
    fn may_install(&self, id: ToolId, path: &RelPath) -> bool {
        let globs = &self.globs[id.0 as usize];
        self.facts[id.0 as usize].version != Version::Locked
            && self.may_be_read_by_all(path)
            && !(globs.is_restricted && globs.takes(path))
    }

    /// Returns true if macros, scripts or the installation of tools may read the file at `path`: it belongs to no package, or
    /// only to the one at the root, and is neither a source of that one nor plain text.
    fn may_be_read_by_all(&self, path: &RelPath) -> bool {
        if path.as_bytes().ends_with(b".md") {
            return false;
        }
        let Some(owner) = self.workspace.owner_of(path) else { return true };
        let package = self.workspace.package(owner);
        let is_source = || {
            let mut roots = package.targets.iter().map(|target| &target.root);
            path.as_bytes().ends_with(b".rs")
                && roots.any(|root| match root.parent().filter(|dir| !dir.is_root()) {
                    Some(dir) => path.is_within(&dir),
                    None => root == path,
                })
        };
        package.dir.is_root() && !is_source()
    }

    /// Returns true if the file at `path` is a golden file, and the tool `id` compares its output with such files.
    fn is_golden_of(&self, id: ToolId, path: &RelPath) -> bool {
        self.plan.graph.tool(id).has_goldens() && path.is_within(&RelPath::new(golden::DIR))
    }

    fn closure(&self, packages: &BTreeSet<PackageId>) -> BTreeSet<PackageId> {
        let needed = packages.iter().flat_map(|package| self.workspace.dependencies_of(*package));
        needed.chain(packages.iter().copied()).collect()
    }

    /// Returns the sources that the compiler read for the packages of `closure`. `None` if it is not known what else decides their
    /// findings: a build script may read anything, and packages outside of the workspace are not compared.
    fn sources_of<'s>(
        &self,
        closure: &BTreeSet<PackageId>,
        facts: &'s ToolFacts,
    ) -> Option<Vec<&'s BTreeSet<RelPath>>> {
        let sources = |id: &PackageId| {
            let package = self.workspace.package(*id);
            let has_script = package.targets.iter().any(|target| target.kind == TargetKind::BuildScript);
            facts.sources.get(&package.name)?.as_ref().filter(|_| !has_script && package.outside.is_empty())
        };
        closure.iter().map(sources).collect()
    }

    /// Returns true if the base has the task that reports a finding at `path`, so its definition and its declared inputs are the
    /// same. Not decided for tasks over the whole workspace, whose ids cover more than what counts for one finding.
    fn has_task_in_base(&self, id: ToolId, path: Option<&RelPath>, package: Option<PackageId>) -> bool {
        let tool = self.plan.graph.tool(id);
        let place = match path {
            Some(path) => Place::File { path: path.clone(), range: None },
            None => return true,
        };
        if tool.per == Per::Workspace || tool.uses_selection() {
            return true;
        }
        let tasks = &self.plan.graph.tasks;
        let start = tasks.partition_point(|task| task.tool < id);
        let tasks = &tasks[start..tasks.partition_point(|task| task.tool <= id)];
        let units: Vec<_> = tasks.iter().map(|task| task.unit).collect();
        let at = normalize::attribute(self.workspace, &units, &place, package);
        at.is_none_or(|at| self.differences.tasks.contains(&tasks[at].id))
    }

    /// Returns true if the file at `path` is an input of all tasks of the tool `id`, or has the name of one that the tool searches
    /// for.
    fn configures(&self, id: ToolId, path: &RelPath) -> bool {
        let searches = &self.plan.graph.tool(id).searches;
        let is_searched =
            || searches.iter().any(|search| RelPath::new(&search.name).file_name() == path.file_name());
        self.globs[id.0 as usize].is_input(path) || is_searched()
    }

    /// Returns true if this is an advisory about a crate that the base has in the same version, and the configuration of the tool is
    /// the same.
    fn is_of_world(&self, id: ToolId, place: &Place, rule: &str) -> bool {
        let (Place::Subject(name), Some([base, here])) = (place, &self.differences.crates) else {
            return false;
        };
        let files = &self.differences.files;
        let is_manifest = |path: &RelPath| matches!(path.file_name(), b"Cargo.toml" | b"Cargo.lock");
        if files.iter().any(|path| !is_manifest(path) && self.configures(id, path)) {
            return false;
        }
        match self.plan.graph.tool(id).parse {
            Parse::AuditJson => here.has_same_as(base, name),
            Parse::DenyJson => {
                let is_advisory = crates::is_advisory(rule);
                let manifests = files.iter().filter(|path| path.file_name() == b"Cargo.toml");
                let users = || here.users(name);
                // A manifest that leads to the crate may enable it.
                let leads_there = |path: &RelPath| {
                    let owner = self.workspace.owner_of(path).map(|id| self.workspace.package(id));
                    path.parent().is_none_or(|dir| dir.is_root())
                        || owner.is_none_or(|package| users().contains(&*package.name))
                };
                is_advisory && here.is_used_as_in(base, name) && !manifests.into_iter().any(leads_there)
            }
            _ => false,
        }
    }
}

/// Returns the change of the baseline of `ns` as the cause.
fn baseline_of(ns: &str) -> Arc<Caused> {
    Arc::new(Caused::by_change([format!("{BASELINE}/{ns}.jsonl")]))
}

/// Returns the namespaces and rules of the entries that `base` has more often than `here`.
fn removed<'a>(
    base: &'a BTreeMap<String, Vec<Entry>>,
    here: &BTreeMap<String, Vec<Entry>>,
) -> BTreeSet<(&'a str, &'a str)> {
    let mut left: BTreeMap<(&str, &Entry), usize> = BTreeMap::new();
    for (ns, entries) in here {
        entries.iter().for_each(|entry| *left.entry((ns, entry)).or_default() += 1);
    }
    let mut removed = BTreeSet::new();
    for (ns, entries) in base {
        for entry in entries {
            match left.get_mut(&(ns.as_str(), entry)) {
                Some(count) if *count > 0 => *count -= 1,
                _ => drop(removed.insert((ns.as_str(), &*entry.rule))),
            }
        }
    }
    removed
}

/// Returns true if `here` has `entry` more often than `base`.
fn is_added(
    ns: &str,
    entry: &Entry,
    base: &BTreeMap<String, Vec<Entry>>,
    here: &BTreeMap<String, Vec<Entry>>,
) -> bool {
    let count = |of: &BTreeMap<String, Vec<Entry>>| {
        of.get(ns).map_or(0, |entries| entries.iter().filter(|other| other.bare() == entry.bare()).count())
    };
    count(here) > count(base)
}
