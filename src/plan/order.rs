//! The order of tasks: keys compared left to right, ties broken by path, hash, index.

use crate::model::digest::{ContentHash, Digest, Sink};
use crate::model::path::RelPath;
use crate::model::policy::{Order, Policy};
use crate::model::task::{Graph, Task, TaskId, TaskIx};
use crate::model::workspace::Workspace;

/// All tasks of `graph` in the order of `policy`.
pub(super) fn sort(workspace: &Workspace, graph: &Graph, policy: &Policy) -> Vec<TaskIx> {
    match policy.order {
        Order::Deterministic => {}
    }
    let mut keyed: Vec<_> = (0..)
        .map(TaskIx)
        .zip(&graph.tasks)
        .map(|(at, task)| Key::new(workspace, graph, task, at, policy.seed))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|key| key.index).collect()
}

/// The fields are compared in this order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    shuffle: u64,
    path: &'a RelPath,
    hash: TaskId,
    index: TaskIx,
}

impl<'a> Key<'a> {
    fn new(workspace: &'a Workspace, graph: &Graph, task: &Task, index: TaskIx, seed: u64) -> Self {
        let path = task.unit.path(workspace);
        let shuffle = match seed {
            0 => 0,
            _ => Digest::of("genti.shuffle.1", &Shuffle { seed, tool: &graph.tool(task.tool).name, path })
                .low_u64(),
        };
        Self { shuffle, path, hash: task.id, index }
    }
}

/// What a shuffle key is made of: not the content, so that an edit moves nothing.
struct Shuffle<'a> {
    seed: u64,
    tool: &'a str,
    path: &'a RelPath,
}

impl ContentHash for Shuffle<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.field("seed", &self.seed.to_le_bytes());
        sink.field("tool", self.tool.as_bytes());
        sink.field("path", self.path.as_bytes());
    }
}
