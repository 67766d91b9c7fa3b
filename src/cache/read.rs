//! Inputs that the tools of a run read, to decide whether a change can affect their findings.

use std::sync::PoisonError;

use super::record::Discovered;
use super::{ResultCache, RunState};
use crate::model::path::RelPath;
use crate::model::task::TaskIx;
use crate::model::tool::{Tool, ToolId};
use crate::plan::cause::Read;

impl ResultCache<'_> {
    /// Notes what a task read beyond its key.
    pub(super) fn note_read(&self, task: TaskIx, discovered: &[Discovered]) {
        let plan = self.context.plan;
        // Only the causes of findings and the records of shards depend on it.
        let is_needed = plan.policy.against.is_some() || plan.shard.is_some();
        if is_needed && !discovered.is_empty() {
            self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(task, discovered.to_vec());
        }
    }

    /// Returns, for each tool, what it read beyond its declared inputs. It is completely known if each of its results could be
    /// stored. Of an observed tool it is not: only passes are stored.
    pub(super) fn reads(&self, state: &RunState) -> Vec<Option<Vec<Read>>> {
        let plan = self.context.plan;
        let root = &self.context.workspace.root;
        let read_by = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tool = |(id, tool): (ToolId, &Tool)| {
            let key = self.keys[id.0 as usize].as_ref().ok();
            let key = key
                .filter(|_| tool.is_cached() && !tool.is_observed() && !state.not_stored.contains_key(&id))?;
            let (files, outside) =
                (&key.others.files, key.others.outside.iter().chain(&key.others.arguments));
            let files = files.iter().map(|file| self.context.workspace.file(*file).path.clone());
            let mut reads = vec![Read {
                files: files.chain(outside.filter_map(|path| RelPath::between(root, path))).collect(),
                ..Read::default()
            }];
            for (task, discovered) in &*read_by {
                let task = plan.graph.task(*task);
                if task.tool == id {
                    reads.push(Read { unit: Some(task.unit), ..read(discovered) });
                }
            }
            Some(reads)
        };
        plan.graph.tools().map(of_tool).collect()
    }
}

fn read(discovered: &[Discovered]) -> Read {
    let mut read = Read::default();
    for input in discovered {
        match input {
            Discovered::File(path, _) => drop(read.files.insert(path.clone())),
            Discovered::Directory(path, _) => drop(read.dirs.insert(path.clone())),
            Discovered::Everything(_) => drop(read.dirs.insert(RelPath::default())),
            // It follows from the other inputs, or belongs to the machine.
            Discovered::Generated(..) | Discovered::Variable(..) => {}
            // Only observed tools have such inputs.
            Discovered::Seen(..)
            | Discovered::Listed(..)
            | Discovered::Content(..)
            | Discovered::Built(..)
            | Discovered::Until(_) => {}
        }
    }
    read
}
