//! Declared inputs of a task: the files whose digests its id covers.

use std::collections::BTreeSet;

use super::globs::{Globs, is_own};
use super::select::PlanError;
use crate::model::path::RelPath;
use crate::model::task::{Plan, Task, TaskIx, Unit};
use crate::model::tool::{Arg, Per, Tool, ToolId};
use crate::model::workspace::{Beyond, File, FileId, PackageId, Workspace};

/// Index of the declared inputs of every task of a plan.
pub struct Declared<'a> {
    workspace: &'a Workspace,
    plan: &'a Plan,
    /// Files of each package; the last entry holds the files without a package.
    owned: Vec<Vec<FileId>>,
    globs: Vec<Globs>,
    /// For each tool, the inputs that all its tasks share.
    shared: Vec<Vec<FileId>>,
}

/// Returns the links, and files behind links, that a tool would be run on in `plan` if they were regular
/// files.
pub fn links_in_place_of_files(workspace: &Workspace, plan: &Plan) -> Vec<FileId> {
    let links: Vec<_> = workspace.files().filter(|(_, file)| !file.is_unit()).collect();
    let tools = plan.graph.tools.iter().filter(|tool| tool.per == Per::File && !links.is_empty());
    // The globs are valid, because the plan was made with them.
    let globs: Vec<_> = tools.filter_map(|tool| Globs::new(tool).ok()).collect();
    let is_fit = |file: &File| globs.iter().any(|globs| globs.looks_at(file));
    links.into_iter().filter(|(_, file)| is_fit(file)).map(|(id, _)| id).collect()
}

/// Returns the words of the command line of `tool` as paths from the workspace root, which they may be.
pub(super) fn paths(tool: &Tool) -> impl Iterator<Item = RelPath> {
    let words = tool.run.iter().filter_map(Arg::literal).chain(tool.args.iter().map(String::as_str));
    words.filter_map(|word| tool.path_of(word))
}

impl<'a> Declared<'a> {
    /// Sorts the files by package and finds the shared inputs of every tool.
    ///
    /// # Errors
    ///
    /// Never for a plan, whose globs have been compiled before.
    pub fn new(workspace: &'a Workspace, plan: &'a Plan) -> Result<Self, PlanError> {
        let mut owned = vec![Vec::new(); workspace.packages.len() + 1];
        for ((id, file), owner) in workspace.files().zip(&workspace.owners) {
            if !is_own(&file.path) {
                owned[owner.map_or(workspace.packages.len(), |owner| owner.0 as usize)].push(id);
            }
        }
        let globs = plan.graph.tools.iter().map(Globs::new).collect::<Result<Vec<_>, _>>()?;
        let mut declared = Self { workspace, plan, owned, globs, shared: Vec::new() };
        declared.shared = plan.graph.tools().map(|(id, _)| declared.find_shared(id)).collect();
        Ok(declared)
    }

    /// Files that affect all tasks of `tool`, sorted: its `inputs`, and those that its command line names.
    pub fn shared(&self, tool: ToolId) -> &[FileId] {
        &self.shared[tool.0 as usize]
    }

    /// Files of the workspace that the command line of `tool` names, sorted, such as a script for an
    /// interpreter.
    pub fn named(&self, tool: ToolId) -> BTreeSet<FileId> {
        paths(self.plan.graph.tool(tool)).filter_map(|path| self.workspace.find(&path)).collect()
    }

    fn find_shared(&self, id: ToolId) -> Vec<FileId> {
        let globs = &self.globs[id.0 as usize];
        let mut shared = self.named(id);
        if !self.plan.graph.tool(id).inputs.is_empty() {
            let inputs = self.workspace.files().filter(|(_, file)| globs.is_input(&file.path));
            shared.extend(inputs.map(|(id, _)| id));
        }
        if self.plan.graph.tool(id).per != Per::File {
            shared.extend(self.workspace.root_inputs(self.plan.graph.tool(id).workspace()));
        }
        shared.into_iter().collect()
    }

    /// Returns true if the globs of `tool` match `path`, even if the workspace does not list it.
    pub fn names(&self, tool: ToolId, path: &RelPath) -> bool {
        let globs = &self.globs[tool.0 as usize];
        globs.is_input(path) || globs.is_restricted && globs.takes(path)
    }

    /// Files that affect the result of `task`, without the shared ones.
    pub fn own(&self, task: TaskIx) -> Vec<FileId> {
        let task = self.plan.graph.task(task);
        let tool = self.plan.graph.tool(task.tool);
        let globs = &self.globs[task.tool.0 as usize];
        let looked_at = |files: &[FileId]| -> Vec<FileId> {
            files.iter().copied().filter(|id| globs.looks_at(self.workspace.file(*id))).collect()
        };
        match task.unit {
            Unit::File(file) => vec![file],
            Unit::TargetRoot(package, _) if tool.per == Per::TargetRoot => {
                looked_at(&self.owned[package.0 as usize])
            }
            Unit::TargetRoot(package, _) => self.of_closure(&[package]),
            Unit::Package(package) | Unit::Combination(package, _) if globs.is_restricted => {
                looked_at(&self.owned[package.0 as usize])
            }
            Unit::Package(package) | Unit::Combination(package, _) => self.of_closure(&[package]),
            Unit::Workspace if !globs.is_restricted && tool.uses_selection() => {
                self.of_closure(self.plan.build_of(tool).packages)
            }
            Unit::Workspace => {
                let build = self.plan.build_of(tool);
                let asked = build.asked;
                let is_all = build.asks_all(self.workspace) || tool.generator().is_some();
                let lists = self
                    .owned
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| is_all || asked.binary_search(&PackageId(*at as u32)).is_ok());
                lists.flat_map(|(_, files)| looked_at(files)).collect()
            }
        }
    }

    /// Links that may affect the result of `task` and whose digests don't cover their targets. Ignores
    /// whether the globs of the tool match a file behind a link.
    pub fn beyond(&self, task: TaskIx) -> Vec<(FileId, Beyond)> {
        if self.workspace.beyond.is_empty() {
            return Vec::new();
        }
        let Task { tool, unit, .. } = *self.plan.graph.task(task);
        let of = self.plan.graph.tool(tool);
        let packages = match unit {
            Unit::File(_) => Some(BTreeSet::new()),
            Unit::TargetRoot(package, _) if of.per == Per::TargetRoot => Some(BTreeSet::from([package])),
            Unit::TargetRoot(package, _) | Unit::Package(package) | Unit::Combination(package, _) => {
                Some(self.closure(&[package]))
            }
            Unit::Workspace => None,
        };
        let counts = |id: FileId| {
            let owner = self.workspace.owners[id.0 as usize];
            let is_own =
                packages.as_ref().is_none_or(|packages| owner.is_some_and(|owner| packages.contains(&owner)));
            is_own || !of.inputs.is_empty() || self.shared(tool).binary_search(&id).is_ok()
        };
        self.workspace.beyond.iter().copied().filter(|(id, _)| counts(*id)).collect()
    }

    /// Returns `packages` and their dependencies: the packages that affect a tool which checks whole
    /// packages.
    pub fn closure(&self, packages: &[PackageId]) -> BTreeSet<PackageId> {
        let needed = packages.iter().flat_map(|package| self.workspace.dependencies_of(*package));
        needed.chain(packages.iter().copied()).collect()
    }

    /// Files that `package` owns.
    pub fn files_of(&self, package: PackageId) -> &[FileId] {
        &self.owned[package.0 as usize]
    }

    fn of_closure(&self, packages: &[PackageId]) -> Vec<FileId> {
        self.closure(packages).iter().flat_map(|package| self.files_of(*package)).copied().collect()
    }
}
