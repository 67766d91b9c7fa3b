//! Builds tasks with content-addressed ids from tools and the workspace.
//!
//! An id covers the definition of the tool, the unit, the digests of the declared inputs and the ids of the
//! tasks it needs. It never covers a binary, a version, the environment, the clock or an absolute path.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use super::changed::ChangedPaths;
use super::globs::{Globs, is_own};
use super::select::PlanError;
use crate::model::digest::{ContentHash, Digest, Explanation, Hasher, Sink};
use crate::model::finding::Place;
use crate::model::path::RelPath;
use crate::model::policy::Selection;
use crate::model::powerset::Combination;
use crate::model::task::{Builds, Graph, Plan, Task, TaskId, TaskIx, Unit, needs_first};
use crate::model::tool::{Per, Tool, ToolId};
use crate::model::variant::Build;
use crate::model::workspace::{File, FileId, PackageId, Target, Workspace};
use crate::normalize;

/// The packages and files that a graph covers.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// What cargo builds for each tool.
    pub(super) builds: Builds<'a>,
    /// Changed files, if the run is limited to them.
    pub(super) changed: Option<&'a ChangedPaths<'a>>,
}

/// Builds the graph of `tools` (sorted by name) over `scope`.
pub(super) fn build(workspace: &Workspace, tools: Vec<Tool>, scope: Scope<'_>) -> Result<Graph, PlanError> {
    let selection = scope.builds.default.selection;
    let needs = needs(&tools);
    let inputs = Inputs::new(workspace, scope, &tools)?;
    let mut units_of = tools
        .iter()
        .map(|tool| Ok(inputs.units(tool, &Globs::new(tool)?)))
        .collect::<Result<Vec<_>, PlanError>>()?;
    // An on-demand tool has nothing to do if no tool that needs it has a task.
    for (at, tool) in tools.iter().enumerate().filter(|(_, tool)| tool.on_demand) {
        let id = ToolId(at as u32);
        let mut others = needs.iter().zip(&units_of).filter(|(needs, _)| needs.contains(&id));
        if !tool.is_one_of(&selection.tools) && others.all(|(_, units)| units.is_empty()) {
            units_of[at].clear();
        }
    }
    let mut tasks_of: Vec<Option<Vec<Task>>> = vec![None; tools.len()];
    for id in needs_first(&needs) {
        let tool = &tools[id.0 as usize];
        let needed =
            needed(needs[id.0 as usize].iter().map(|need| tasks_of[need.0 as usize].iter().flatten()));
        let units = std::mem::take(&mut units_of[id.0 as usize]);
        tasks_of[id.0 as usize] = Some(inputs.tasks(id, tool, units, needed)?);
    }
    let compares = || {
        let compare = |(tool, tasks): (&Tool, &Option<Vec<Task>>)| {
            compare_id(tool, tasks.as_deref().unwrap_or_default())
        };
        tools.iter().zip(&tasks_of).map(compare).collect::<Vec<_>>()
    };
    let hash = || {
        let mut hash = Hasher::new("genti.graph.1");
        let mut ids: Vec<_> = tasks_of.iter().flatten().flatten().map(|task| task.id).collect();
        if !scope.builds.variants.is_empty() {
            // The order of the tools depends on the names of variants, which are only labels.
            ids.sort_unstable();
        }
        ids.iter().for_each(|id| hash.field("task", &id.0.0));
        hash
    };
    let (compares, mut hash) = rayon::join(compares, hash);
    let mut sorted = compares.clone();
    if !scope.builds.variants.is_empty() {
        sorted.sort_unstable();
    }
    let report = TaskId(Digest::of("genti.report.1", &Ids(&sorted)));
    for id in sorted.iter().chain([&report]) {
        hash.field("task", &id.0.0);
    }
    let mut tasks = Vec::with_capacity(tasks_of.iter().flatten().map(Vec::len).sum());
    tasks_of.into_iter().flatten().for_each(|next| tasks.extend(next));
    let combinations = inputs.combinations;
    Ok(Graph { tools, needs, tasks, combinations, compares, report, hash: hash.finish() })
}

/// Returns the hashed fields of the id of `task`, by the same walk that computed it.
pub(super) fn explain(workspace: &Workspace, plan: &Plan, task: TaskIx) -> Result<Explanation, PlanError> {
    let Task { tool: id, unit, .. } = *plan.graph.task(task);
    let tool = plan.graph.tool(id);
    // Ignore changes, so that every unit is a candidate. This does not affect ids.
    let scope = Scope { builds: plan.builds(), changed: None };
    let inputs = Inputs::new(workspace, scope, &plan.graph.tools)?;
    let globs = Globs::new(tool)?;
    let units = inputs.units(tool, &globs);
    let mut weighed = units.into_iter().map(|candidate| candidate.weigh(workspace));
    let declared = weighed.find(|(own, ..)| *own == unit).map(|(.., declared)| declared);
    let needed = needed(
        plan.graph.needs[id.0 as usize]
            .iter()
            .map(|need| plan.graph.tasks.iter().filter(|task| task.tool == *need)),
    );
    let mut explanation = Explanation::default();
    if let Some(declared) = declared {
        let shared = inputs.shared(tool, &globs, needed);
        let parts = inputs.parts(tool, unit, declared, shared.digest());
        debug_assert_eq!(parts.id(), plan.graph.task(task).id);
        // The fields of the digest that all tasks of the tool share.
        shared.feed(&mut explanation);
        parts.feed(&mut explanation);
    }
    Ok(explanation)
}

/// Returns the digest of the ids of all tasks that must run before.
fn needed<'a, T: Iterator<Item = &'a Task>>(tools: impl Iterator<Item = T>) -> Digest {
    let mut needed = Hasher::new("genti.needs.1");
    for task in tools.flatten() {
        needed.field("task", &task.id.0.0);
    }
    needed.finish()
}

/// Returns, for each tool, the indices of the tools it needs, transitively, because a tool in between may
/// have no task in this run. Tools that are not part of this run (`--skip-tool`) are left out.
fn needs(tools: &[Tool]) -> Vec<Vec<ToolId>> {
    let find = |name: &String| tools.binary_search_by(|tool| tool.name.as_str().cmp(name)).ok();
    let all = |tool: &Tool| {
        let mut found = BTreeSet::new();
        let mut queue: Vec<_> = tool.needs.iter().filter_map(find).collect();
        while let Some(at) = queue.pop() {
            if found.insert(ToolId(at as u32)) {
                queue.extend(tools[at].needs.iter().filter_map(find));
            }
        }
        found.into_iter().collect()
    };
    tools.iter().map(all).collect()
}

/// Returns the id of the comparison of a tool. The baseline is not part of it, so accepting a finding changes
/// no id.
fn compare_id(tool: &Tool, tasks: &[Task]) -> TaskId {
    let mut hasher = Hasher::new("genti.compare.1");
    hasher.field("tool", tool.base().as_bytes());
    hasher.texts("namespaces", &tool.namespaces);
    hasher.count("tasks", tasks.len());
    for task in tasks {
        hasher.field("task", &task.id.0.0);
    }
    TaskId(hasher.finish())
}

/// A unit, its size in bytes, and the digest of its own files.
type Weighed = (Unit, u64, Digest);

/// A unit that a tool checks, without an id yet.
enum Candidate {
    /// A file. Its size and digest are looked up later, since there may be a million files.
    File(FileId),
    Other(Box<Weighed>),
}

fn others(weighed: impl IntoIterator<Item = Weighed>) -> Vec<Candidate> {
    weighed.into_iter().map(|weighed| Candidate::Other(Box::new(weighed))).collect()
}

impl Candidate {
    fn weigh(self, workspace: &Workspace) -> Weighed {
        match self {
            Self::File(id) => {
                let File { len, digest, .. } = *workspace.file(id);
                (Unit::File(id), len, digest)
            }
            Self::Other(weighed) => *weighed,
        }
    }
}

struct Ids<'a>(&'a [TaskId]);

impl ContentHash for Ids<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.count("tasks", self.0.len());
        for id in self.0 {
            sink.field("task", &id.0.0);
        }
    }
}

/// Digests that declared inputs are composed of, each computed once for all tasks.
struct Inputs<'a> {
    workspace: &'a Workspace,
    scope: Scope<'a>,
    /// Files of each package.
    owned: Vec<Vec<FileId>>,
    /// For each package, the digest of its files and those of its path dependencies. Computed on first use,
    /// because it reads all files.
    closures: OnceLock<Vec<Digest>>,
    /// Digest of the files that configure cargo for a whole workspace, by its root if it is not the one of the run.
    common: BTreeMap<Option<&'a RelPath>, Digest>,
    /// Digest of the files that the `inputs` of a tool match, which all its variants share.
    further: Mutex<BTreeMap<Vec<String>, Digest>>,
    /// Combinations of features, by package for each variant that has some.
    combinations: Vec<Combination>,
    /// Range in the combinations, by the name of the variant and the package.
    ranges: BTreeMap<(String, PackageId), Range<u32>>,
}

impl<'a> Inputs<'a> {
    fn new(workspace: &'a Workspace, scope: Scope<'a>, tools: &[Tool]) -> Result<Self, PlanError> {
        let mut owned = vec![Vec::new(); workspace.packages.len()];
        for ((id, _), owner) in workspace.files().zip(&workspace.owners) {
            if let Some(owner) = owner {
                owned[owner.0 as usize].push(id);
            }
        }
        let common = |of: Option<&'a RelPath>| {
            let files = workspace.root_inputs(of).into_iter().map(|id| workspace.file(id));
            (of, files_digest(files))
        };
        let others = workspace.others.iter().map(|other| Some(&other.root));
        let common = [None].into_iter().chain(others).map(common).collect();
        let (mut combinations, mut ranges) = (Vec::new(), BTreeMap::new());
        let variants: BTreeMap<_, _> =
            tools.iter().filter_map(|tool| Some((tool.variant_name(), tool.powerset()?))).collect();
        for (variant, powerset) in variants {
            let Some(build) = scope.builds.variants.get(variant) else { continue };
            for &id in &build.packages {
                let package = workspace.package(id);
                let own = powerset.combinations(&package.features, &build.selection.features);
                let own = own.map_err(|_| {
                    let (variant, package) = (variant.to_owned(), package.name.clone());
                    PlanError::TooManyCombinations { variant, package, max: powerset.max }
                })?;
                let start = combinations.len() as u32;
                combinations.extend(own);
                ranges.insert((variant.to_owned(), id), start..combinations.len() as u32);
            }
        }
        let (closures, further) = (OnceLock::new(), Mutex::default());
        Ok(Self { workspace, scope, owned, closures, common, further, combinations, ranges })
    }

    /// Returns the units that `package` is for `tool`: itself, or one per combination of its features.
    fn units_of_package(&self, tool: &Tool, package: PackageId) -> Vec<Unit> {
        match tool.powerset() {
            None => vec![Unit::Package(package)],
            Some(_) => {
                let range = self.ranges.get(&(tool.variant_name().to_owned(), package)).cloned();
                range.into_iter().flatten().map(|at| Unit::Combination(package, at)).collect()
            }
        }
    }

    /// Returns what cargo builds for `tool`.
    fn build_of(&self, tool: &Tool) -> Build<'a> {
        self.scope.builds.of(tool)
    }

    /// Returns the digest of the files of `package` and of its path dependencies.
    fn closure(&self, package: PackageId) -> Digest {
        let Self { workspace, owned, .. } = self;
        let closures = self.closures.get_or_init(|| {
            let own = |files: &Vec<FileId>| {
                let files = files.iter().map(|id| workspace.file(*id));
                files_digest(files.filter(|file| !is_own(&file.path)))
            };
            let own: Vec<_> = owned.par_iter().map(own).collect();
            workspace.packages().map(|(id, _)| closure(workspace, &own, id)).collect()
        });
        closures[package.0 as usize]
    }

    fn tasks(
        &self,
        id: ToolId,
        tool: &Tool,
        units: Vec<Candidate>,
        needed: Digest,
    ) -> Result<Vec<Task>, PlanError> {
        let shared = self.shared(tool, &Globs::new(tool)?, needed).digest();
        let task = |candidate: Candidate| {
            let (unit, bytes, declared) = candidate.weigh(self.workspace);
            let id_of_task = self.parts(tool, unit, declared, shared).id();
            Task { id: id_of_task, tool: id, unit, bytes }
        };
        let mut tasks: Vec<_> = units.into_par_iter().map(task).collect();
        // Files are already sorted and unique.
        if tool.per != Per::File {
            tasks.sort_by(|a, b| a.place(self.workspace).cmp(&b.place(self.workspace)));
        }
        Ok(tasks)
    }

    /// Returns the part of the id that all tasks of a tool share.
    fn shared<'b>(&'b self, tool: &'b Tool, globs: &Globs, needed: Digest) -> SharedFields<'b> {
        let mut known = self.further.lock().unwrap_or_else(PoisonError::into_inner);
        let further = *known.entry(tool.inputs.clone()).or_insert_with(|| match globs.inputs.is_empty() {
            true => files_digest(std::iter::empty()),
            false => files_digest(self.workspace.files.iter().filter(|file| globs.is_input(&file.path))),
        });
        let selection = tool.uses_selection().then(|| {
            let build = self.build_of(tool);
            // Each package is built alone, so the others are not part of the ids.
            let packages = if tool.powerset().is_some() { &[][..] } else { build.packages };
            (Build { packages, ..build }, self.workspace)
        });
        let flags = self.build_of(tool).selection;
        SharedFields { tool, selection, flags, further, needed }
    }

    fn parts(&self, tool: &Tool, unit: Unit, declared: Digest, shared: Digest) -> TaskParts<'_> {
        let target = unit.target(self.workspace);
        TaskParts {
            shared,
            unit: unit.path(self.workspace),
            package: unit.package(self.workspace).map_or("", |id| &self.workspace.package(id).name),
            edition: target.map(|target| target.edition.as_str()),
            target: target.filter(|_| tool.per == Per::TestTarget),
            combination: unit.combination(&self.combinations),
            declared,
        }
    }

    /// The units of `tool`.
    fn units(&self, tool: &Tool, globs: &Globs) -> Vec<Candidate> {
        let Self { workspace, scope: Scope { changed, .. }, .. } = *self;
        let build = self.build_of(tool);
        let Build { asked, packages, .. } = build;
        let asks_all = build.asks_all(workspace);
        let is_about = |target: &Target| tool.targets.is_none_or(|targets| targets.include(target));
        let concerns = |package: &PackageId| {
            tool.targets.is_none() || workspace.package(*package).targets.iter().any(is_about)
        };
        match tool.per {
            // No package of the variant is selected. Cargo without one would build the default members.
            Per::Workspace
                if tool.uses_selection() && packages.is_empty() && !workspace.packages.is_empty() =>
            {
                Vec::new()
            }
            Per::Workspace if !asked.is_empty() && !asked.iter().any(concerns) => Vec::new(),
            Per::Workspace
                if changed.is_some() && tool.uses_selection() && !packages.iter().any(concerns) =>
            {
                Vec::new()
            }
            Per::Workspace
                if !tool.uses_selection() && changed.is_some_and(|changed| !changed.touches(globs)) =>
            {
                Vec::new()
            }
            Per::File => (0..workspace.files.len() as u32)
                .into_par_iter()
                .map(|at| (FileId(at), workspace.file(FileId(at))))
                .filter(|(id, file)| {
                    file.is_unit() && globs.looks_at(file) && (asks_all || self.is_selected(*id, build))
                })
                .filter(|(_, file)| changed.is_none_or(|changed| changed.has(&file.path)))
                .map(|(id, _)| Candidate::File(id))
                .collect(),
            Per::Workspace => {
                // A generator runs on all files, whatever is selected.
                let takes_all = tool.generator().is_some();
                let files = || {
                    workspace.files().filter(|(id, file)| {
                        globs.looks_at(file) && (takes_all || asks_all || self.is_selected(*id, build))
                    })
                };
                // Files that a generator makes may be missing.
                if globs.is_restricted && !takes_all && files().next().is_none() {
                    return Vec::new();
                }
                let bytes = files().map(|(_, file)| file.len).sum();
                let declared = if globs.is_restricted || !tool.uses_selection() {
                    files_digest(files().map(|(_, file)| file).filter(|file| !is_own(&file.path)))
                } else {
                    let mut hasher = Hasher::new("genti.packages.1");
                    for package in packages {
                        hasher.field("closure", &self.closure(*package).0);
                    }
                    hasher.finish()
                };
                others([(Unit::Workspace, bytes, self.with_common(build, declared))])
            }
            Per::Package => {
                others(packages.iter().filter(|package| concerns(package)).flat_map(|&package| {
                    let files = self.files_of(package, globs);
                    if globs.is_restricted && files.is_empty() {
                        return Vec::new();
                    }
                    let bytes = files.iter().map(|file| file.len).sum();
                    let declared = match globs.is_restricted {
                        true => files_digest(files.into_iter()),
                        false => self.closure(package),
                    };
                    let declared = self.with_common(build, declared);
                    let units = self.units_of_package(tool, package).into_iter();
                    units.map(|unit| (unit, bytes, declared)).collect()
                }))
            }
            Per::TargetRoot => others(self.target_roots(globs, packages)),
            Per::TestTarget => others(self.test_targets(globs, build, is_about)),
        }
    }

    /// Returns one unit per target that `cargo test` runs. Its inputs are all files of its package and of the
    /// dependencies; its size is that of the root file.
    fn test_targets(
        &self,
        globs: &Globs,
        build: Build<'_>,
        is_about: impl Fn(&Target) -> bool,
    ) -> Vec<Weighed> {
        let mut units = Vec::new();
        for &id in build.packages {
            let declared = self.with_common(build, self.closure(id));
            for (at, target) in (0..).zip(&self.workspace.package(id).targets) {
                if target.test && is_about(target) && globs.takes(&target.root) {
                    let root = self.workspace.find(&target.root).map(|id| self.workspace.file(id));
                    units.push((Unit::TargetRoot(id, at), root.map_or(0, |file| file.len), declared));
                }
            }
        }
        units
    }

    /// Returns one unit per root file, even if several targets share it. All files of the package count as
    /// its inputs; for its size, a file counts for the root that its findings would be attributed to.
    fn target_roots(&self, globs: &Globs, packages: &[PackageId]) -> Vec<Weighed> {
        let workspace = self.workspace;
        let mut seen = BTreeSet::new();
        let mut units = Vec::new();
        for &id in packages {
            let files = self.files_of(id, globs);
            let declared = files_digest(files.iter().copied());
            let roots: Vec<_> = (0..)
                .zip(&workspace.package(id).targets)
                .filter(|(_, target)| globs.takes(&target.root) && seen.insert(&target.root))
                .map(|(at, _)| Unit::TargetRoot(id, at))
                .collect();
            let mut bytes = vec![0; roots.len()];
            for file in files {
                let place = Place::File { path: file.path.clone(), range: None };
                if let Some(at) = normalize::attribute(workspace, &roots, &place, Some(id)) {
                    bytes[at] += file.len;
                }
            }
            units.extend(roots.into_iter().zip(bytes).map(|(unit, bytes)| (unit, bytes, declared)));
        }
        units
    }

    /// Returns the files of `package` that a tool checks.
    fn files_of(&self, package: PackageId, globs: &Globs) -> Vec<&'a File> {
        let files = self.owned[package.0 as usize].iter().map(|id| self.workspace.file(*id));
        files.filter(|file| globs.looks_at(file)).collect()
    }

    /// Returns true if `file` belongs to a selected package.
    fn is_selected(&self, file: FileId, build: Build<'_>) -> bool {
        let is_asked = |owner| build.asked.binary_search(&owner).is_ok();
        self.workspace.owners[file.0 as usize].is_some_and(is_asked)
    }

    fn with_common(&self, build: Build<'_>, declared: Digest) -> Digest {
        let mut hasher = Hasher::new("genti.declared.1");
        hasher.field("files", &declared.0);
        hasher.field("common", &self.common[&build.workspace].0);
        hasher.finish()
    }
}

/// The hashed fields of a task id. Kept small, because there may be a million tasks; fields that all tasks of
/// a tool share are one digest.
struct TaskParts<'a> {
    shared: Digest,
    unit: &'a RelPath,
    package: &'a str,
    /// Edition, if the unit is a target.
    edition: Option<&'a str>,
    /// The target, if targets with the same root are separate units.
    target: Option<&'a Target>,
    /// Features, if the unit is built with a combination of them.
    combination: Option<&'a Combination>,
    declared: Digest,
}

impl TaskParts<'_> {
    fn id(&self) -> TaskId {
        TaskId(Digest::of("genti.task.2", self))
    }
}

impl ContentHash for TaskParts<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.field("shared", &self.shared.0);
        sink.field("unit", self.unit.as_bytes());
        sink.field("package", self.package.as_bytes());
        if let Some(edition) = self.edition {
            sink.field("edition", edition.as_bytes());
        }
        if let Some(target) = self.target {
            sink.field("target-kind", target.kind.as_str().as_bytes());
            sink.field("target", target.name.as_bytes());
        }
        if let Some(combination) = self.combination {
            combination.feed(sink);
        }
        sink.field("inputs", &self.declared.0);
    }
}

/// The hashed fields that all tasks of a tool share: its definition, the selection if it uses that, and the
/// digests of its `inputs` and of the tasks it needs.
struct SharedFields<'a> {
    tool: &'a Tool,
    selection: Option<(Build<'a>, &'a Workspace)>,
    /// Values of the placeholders for features and target.
    flags: &'a Selection,
    further: Digest,
    needed: Digest,
}

impl SharedFields<'_> {
    fn digest(&self) -> Digest {
        Digest::of("genti.tool.2", self)
    }
}

impl ContentHash for SharedFields<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        self.tool.feed(sink);
        if let Some((build, workspace)) = self.selection {
            build.selection.feed(sink);
            sink.count("packages", build.packages.len());
            for &package in build.packages {
                sink.field("package", workspace.package(package).name.as_bytes());
            }
        }
        let Selection { features, all_features, no_default_features, target, .. } = self.flags;
        if self.tool.uses_features() {
            sink.texts("features", features);
            sink.field("features.flags", &[u8::from(*all_features), u8::from(*no_default_features)]);
        }
        if let (true, Some(target)) = (self.tool.uses_target(), target) {
            sink.field("target", target.as_bytes());
        }
        sink.field("further-inputs", &self.further.0);
        sink.field("needs", &self.needed.0);
    }
}

/// Returns the digest of the files of a package and of its path dependencies.
fn closure(workspace: &Workspace, own: &[Digest], package: PackageId) -> Digest {
    let (mut members, mut outside) = (BTreeSet::new(), BTreeSet::<u32>::new());
    let mut queue = vec![package];
    while let Some(id) = queue.pop() {
        if members.insert(id) {
            queue.extend(&workspace.package(id).dependencies);
            outside.extend(&workspace.package(id).outside);
        }
    }
    let mut hasher = Hasher::new("genti.closure.1");
    hasher.count("members", members.len());
    for member in members {
        let package = workspace.package(member);
        hasher.field("name", package.name.as_bytes());
        hasher.field("files", &own[member.0 as usize].0);
        // The package may inherit from this manifest.
        let manifest = package.workspace.as_ref().and_then(|root| workspace.find(&root.join("Cargo.toml")));
        if let Some(manifest) = manifest {
            feed_file(&mut hasher, workspace.file(manifest));
        }
    }
    hasher.count("outside", outside.len());
    for at in outside {
        let package = &workspace.outside[at as usize];
        hasher.field("name", package.name.as_bytes());
        hasher.field("files", &package.digest.0);
    }
    hasher.finish()
}

fn files_digest<'a>(files: impl Iterator<Item = &'a File>) -> Digest {
    let mut hasher = Hasher::new("genti.files.1");
    files.for_each(|file| feed_file(&mut hasher, file));
    hasher.finish()
}

fn feed_file(hasher: &mut Hasher, file: &File) {
    hasher.field("path", file.path.as_bytes());
    hasher.field("link", &[u8::from(file.is_link)]);
    hasher.field("content", &file.digest.0);
}
