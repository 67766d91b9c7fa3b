//! Checks inputs again after a process has ended. A result may be stored only if its inputs did not change meanwhile.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::presumed::KnownReads;
use super::{Context, ResultCache};
use crate::model::halt::Latch;
use crate::model::path::RelPath;
use crate::model::task::{Task, TaskIx, Unit};
use crate::model::tool::ToolId;
use crate::model::workspace::{FileId, PackageId};
use crate::normalize::Traces;
use crate::workspace;

/// Change of a task's inputs while it ran.
#[derive(Clone)]
pub(super) enum InputChange {
    None,
    /// Only files changed that the tool is not known to read, or that it may have written itself.
    Presumed,
    /// The run was stopped before this was known.
    Unknown,
    /// This input changed, named as users know it.
    Input(String),
}

/// Checks inputs again, each of them once.
pub(super) struct Recheck<'a, 'b> {
    cache: &'a ResultCache<'b>,
    known: KnownReads<'a>,
    /// True for each file that has changed.
    files: BTreeMap<FileId, bool>,
    /// Change of the inputs that all tasks of each tool share.
    tools: BTreeMap<ToolId, InputChange>,
    /// Changed files by tool and package, since all roots of a package have the same inputs.
    sets: BTreeMap<(ToolId, Option<PackageId>), Vec<FileId>>,
    halt: Latch<'b>,
}

impl<'a, 'b> Recheck<'a, 'b> {
    pub(super) fn new(cache: &'a ResultCache<'b>) -> Self {
        let known = KnownReads::new(&cache.inputs, &cache.build_dirs);
        Self {
            cache,
            known,
            files: BTreeMap::new(),
            tools: BTreeMap::new(),
            sets: BTreeMap::new(),
            halt: Latch::new(cache.stop),
        }
    }

    /// Returns the change that affects the result of `task`, whose process left `traces`.
    pub(super) fn changed(&mut self, task: TaskIx, traces: Option<&Traces>) -> InputChange {
        let change = self.seen_change(task, traces);
        // A file that was not read in time seems to have changed.
        if self.halt.check().is_ok() { change } else { InputChange::Unknown }
    }

    fn seen_change(&mut self, task: TaskIx, traces: Option<&Traces>) -> InputChange {
        let ResultCache { context: Context { workspace, plan, .. }, inputs, .. } = self.cache;
        let Task { tool: id, unit, .. } = *plan.graph.task(task);
        let tool = plan.graph.tool(id);
        if !self.tools.contains_key(&id) {
            let changed = self.tool_changed(id);
            self.tools.insert(id, changed);
        }
        let of_tool = self.tools.get(&id).cloned().unwrap_or(InputChange::None);
        if matches!(of_tool, InputChange::Input(_)) {
            return of_tool;
        }
        let set = (id, unit.package(workspace));
        let changed = match unit {
            Unit::File(file) => self.all_changed(vec![file]),
            _ => {
                if !self.sets.contains_key(&set) {
                    let changed = self.all_changed(inputs.declared.own(task));
                    self.sets.insert(set, changed);
                }
                self.sets.get(&set).cloned().unwrap_or_default()
            }
        };
        let reads = |id: &&FileId| self.known.reads(tool, unit, traces, &workspace.file(**id).path);
        match self.first(changed.iter().filter(reads)) {
            Some(path) => InputChange::Input(path),
            None if changed.is_empty() => of_tool,
            None => InputChange::Presumed,
        }
    }

    /// Returns the change that affects all tasks of the tool.
    fn tool_changed(&mut self, id: ToolId) -> InputChange {
        let ResultCache { context: Context { workspace, plan, .. }, inputs, keys, programs, .. } = self.cache;
        let at = id.0 as usize;
        let is_changed = |path: &Path| !inputs.outside.is_unchanged(path, &self.halt);
        let mut own = inputs.identities[at].files.iter().map(|(_, path)| path).chain(&programs[at]);
        if own.any(|path| is_changed(path)) {
            return InputChange::Input(format!("the program of {}", plan.graph.tool(id).name));
        }
        let mut files = inputs.declared.shared(id).to_vec();
        if let Ok(key) = &keys[at] {
            if let Some(path) = key.others.outside.iter().find(|path| is_changed(path)) {
                let name = RelPath::between(&workspace.root, path);
                return InputChange::Input(
                    name.map_or_else(|| path.display().to_string(), |name| name.to_string()),
                );
            }
            files.extend(&key.others.files);
        }
        let changed = self.all_changed(files);
        if let Some(path) = self.first(changed.iter()) {
            return InputChange::Input(path);
        }
        let Ok(key) = &keys[at] else { return InputChange::None };
        let mut arguments = key.others.arguments.iter();
        let has_written = arguments.any(|path| !inputs.outside.is_unchanged(path, &self.halt))
            || !self.all_changed(key.others.named.clone()).is_empty();
        if has_written { InputChange::Presumed } else { InputChange::None }
    }

    /// Returns the changed files among `files`.
    fn all_changed(&mut self, mut files: Vec<FileId>) -> Vec<FileId> {
        let new: Vec<_> = files.iter().copied().filter(|id| !self.files.contains_key(id)).collect();
        let (workspace, halt) = (self.cache.context.workspace, &self.halt);
        let has_changed = |id| (id, !workspace::still_as_seen(workspace, id, halt));
        let looked: Vec<_> = new.into_par_iter().map(has_changed).collect();
        self.files.extend(looked);
        files.retain(|id| self.files.get(id) == Some(&true));
        files
    }

    /// Returns the path of the first of `files`, for the message.
    fn first<'f>(&self, files: impl Iterator<Item = &'f FileId>) -> Option<String> {
        let paths: Vec<&RelPath> = files.map(|id| &self.cache.context.workspace.file(*id).path).collect();
        // `Cargo.lock` is only named if nothing else changed, because cargo itself updates it.
        let lockfile = RelPath::new("Cargo.lock");
        paths.iter().find(|path| ***path != lockfile).or(paths.first()).map(|path| path.to_string())
    }
}
