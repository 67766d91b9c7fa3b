//! Watches `Cargo.lock` and the manifests during a run, so that nothing is built from files that a tool has changed.
//!
//! A check of minimal versions, for example, rewrites `Cargo.lock` in place. Later tools would then build with another lock file
//! than the committed one, and pass. So these files are checked before and after each step that may read them. If one of them
//! changed while a tool ran that may have done it, no further step that reads them starts, and the tool has no verdict. Steps that
//! ran in parallel may have read either version and have no verdict either. Nothing is restored, because the user may have edited
//! the file.
//!
//! Cargo itself is not suspected, since it updates the lock file before planning ([`super::lockfile`]). A change while no other
//! tool runs comes from outside, and is handled by the recheck of inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Project;
use crate::model::path::RelPath;
use crate::model::stamp::Stamp;
use crate::model::task::{Status, StepId, TaskIx, Unit};
use crate::model::tool::{Per, Tool, ToolId};
use crate::model::workspace::ROOT_INPUTS;
use crate::normalize::Normalized;
use crate::scan::{self, StepRun, Stop};
use crate::workspace;

/// Watches the files and decides which steps may run.
pub(super) struct Watch<'a> {
    project: &'a Project,
    files: Vec<RelPath>,
    stop: &'a Stop,
    state: Mutex<WatchState>,
}

#[derive(Default)]
struct WatchState {
    /// Stamp of each file at the last check.
    seen: Vec<Option<Stamp>>,
    /// Running steps, each with the number of rewrites before it started.
    running: BTreeMap<StepId, usize>,
    /// Tools that may have written the files since the last check.
    suspects: BTreeSet<ToolId>,
    /// Every time that a tool wrote a file, even if the content is unchanged.
    rewrites: Vec<Rewrite>,
    /// The first rewrite that changed the content.
    change: Option<Rewrite>,
    statuses: BTreeMap<TaskIx, Status>,
}

#[derive(Clone)]
struct Rewrite {
    path: RelPath,
    by: BTreeSet<ToolId>,
}

impl<'a> Watch<'a> {
    /// Starts watching, unless nothing `is_due` in the run.
    pub(super) fn new(project: &'a Project, is_due: bool, stop: &'a Stop) -> Self {
        let manifests = project.workspace.packages.iter().map(|package| package.dir.join("Cargo.toml"));
        let others = project.workspace.others.iter();
        let others = others.flat_map(|other| ROOT_INPUTS.map(|name| other.root.join(name)));
        let own = ROOT_INPUTS.map(RelPath::new).into_iter();
        let files: BTreeSet<_> = own.chain(others).chain(manifests).collect();
        let files: Vec<_> = files.into_iter().filter(|_| is_due).collect();
        let seen = files.iter().map(|path| workspace::stamp_of(&project.workspace, path)).collect();
        Self { project, files, stop, state: Mutex::new(WatchState { seen, ..WatchState::default() }) }
    }

    /// Returns the reason why `step` must not start, if any. Otherwise records that it runs.
    pub(super) fn admit(&self, step: StepId) -> Option<String> {
        let tool = self.tool_of(step);
        let mut state = self.lock();
        if self.reads(step) {
            self.look(&mut state);
            if let Some(Rewrite { path, by }) = &state.change {
                let by = self.names(by);
                return Some(format!(
                    "{path} changed while {by} ran, so tools that build with it were not started"
                ));
            }
        }
        if may_write(self.project.plan.graph.tool(tool)) {
            state.suspects.insert(tool);
        }
        let rewrites = state.rewrites.len();
        state.running.insert(step, rewrites);
        None
    }

    /// Records that a step has ended. Returns whether its result must be discarded.
    pub(super) fn ended(&self, run: &StepRun<Normalized>) -> bool {
        let mut state = self.lock();
        let Some(before) = state.running.remove(&run.step) else { return false };
        if !self.reads(run.step) {
            return false;
        }
        self.look(&mut state);
        let tool = self.tool_of(run.step);
        let by_others = |rewrite: &&Rewrite| rewrite.by.iter().any(|other| *other != tool);
        if let Some(Rewrite { path, by }) = state.rewrites[before..].iter().find(by_others).cloned() {
            let others = by.into_iter().filter(|other| *other != tool).collect();
            let others = self.names(&others);
            let why = format!(
                "{path} was written while this tool ran in parallel with {others}; put them in the same `lane`"
            );
            let tasks = &self.project.plan.step(run.step).tasks;
            tasks
                .iter()
                .for_each(|task| drop(state.statuses.insert(*task, Status::InputChanged(why.clone()))));
            return true;
        }
        state.change.as_ref().is_some_and(|change| change.by.contains(&tool))
    }

    /// Returns the tasks without a verdict; empty if no tool changed a file.
    pub(super) fn finish(self) -> BTreeMap<TaskIx, Status> {
        let mut state = self.lock();
        self.look(&mut state);
        let mut statuses = std::mem::take(&mut state.statuses);
        if let Some(Rewrite { path, by }) = &state.change {
            let why = format!(
                "{path} changed while {} ran, and other tools use this file in their builds",
                self.names(by)
            );
            let tasks = &self.project.plan.graph.tasks;
            for tool in by {
                let first = tasks.partition_point(|task| task.tool < *tool);
                statuses.insert(TaskIx(first as u32), Status::Incomplete(why.clone()));
            }
        }
        statuses
    }

    /// Checks the files for changes since the last check.
    fn look(&self, state: &mut WatchState) {
        let Project { workspace, plan, .. } = self.project;
        let suspects = std::mem::take(&mut state.suspects);
        for (path, seen) in self.files.iter().zip(&mut state.seen) {
            let now = workspace::stamp_of(workspace, path);
            if std::mem::replace(seen, now) == now || suspects.is_empty() || self.is_cargos(path) {
                continue;
            }
            let rewrite = Rewrite { path: path.clone(), by: suspects.clone() };
            if state.change.is_none() && workspace::has_changed(workspace, path, self.stop) {
                state.change = Some(rewrite.clone());
            }
            state.rewrites.push(rewrite);
        }
        // Running tools may write again.
        let running = state.running.keys().map(|step| plan.step(*step).tool);
        state.suspects = running.filter(|tool| may_write(plan.graph.tool(*tool))).collect();
    }

    /// Returns whether cargo itself may still write `path`.
    fn is_cargos(&self, path: &RelPath) -> bool {
        let Project { lockfile, cargo_flags, .. } = self.project;
        let is_locked = cargo_flags.iter().any(|flag| flag == "--locked" || flag == "--frozen");
        *path == RelPath::new("Cargo.lock") && lockfile.is_none() && !is_locked
    }

    /// Returns whether `step` may read any of the files.
    fn reads(&self, step: StepId) -> bool {
        let Project { workspace, plan, .. } = self.project;
        let planned = plan.step(step);
        let is_watched = |task: &TaskIx| match plan.graph.task(*task).unit {
            Unit::File(file) => self.files.binary_search(&workspace.file(file).path).is_ok(),
            _ => false,
        };
        match plan.graph.tool(planned.tool).per {
            Per::File => planned.tasks.iter().any(is_watched),
            Per::TargetRoot => false,
            Per::Workspace | Per::Package | Per::TestTarget => true,
        }
    }

    fn tool_of(&self, step: StepId) -> ToolId {
        self.project.plan.step(step).tool
    }

    fn names(&self, tools: &BTreeSet<ToolId>) -> String {
        let name = |tool: &ToolId| format!("`{}`", self.project.plan.graph.tool(*tool).name);
        tools.iter().map(name).collect::<Vec<_>>().join(" or ")
    }

    fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a process of `tool` may write manifests or the lock file. Cargo does not if it only builds, and
/// neither do other programs of the toolchain.
fn may_write(tool: &Tool) -> bool {
    const BUILD: [&str; 8] = ["b", "build", "c", "check", "clippy", "d", "doc", "rustdoc"];
    !scan::runs_toolchain(tool, &BUILD)
}
