//! Ordered tasks → ranked batches.
//!
//! Each tool's tasks are cut on their own: a batch holds steps of one tool. Then the tools take turns, one
//! batch each, so that none waits for all of another; a tool whose needs are not all placed yet sits out. The
//! place in the resulting list is the rank of a batch, and is never changed during a run.
//!
//! Under `auto` the list is cut where it exceeds a cap, at the task with the smallest hash of its path, again
//! and again. A cut depends on the names around it alone, so that an added file moves few of them.

use super::command;
use super::select::PlanError;
use crate::model::digest::{ContentHash, Digest, Hasher, Sink};
use crate::model::policy::{Batch, Policy};
use crate::model::task::{Graph, PlannedBatch, Step, TaskIx};
use crate::model::tool::{Tool, ToolId};
use crate::model::workspace::Workspace;

/// Cuts `ordered` into batches and ranks them.
pub(super) fn cut(
    workspace: &Workspace,
    graph: &Graph,
    ordered: &[TaskIx],
    policy: &Policy,
) -> Result<Vec<PlannedBatch>, PlanError> {
    let mut tasks_of = vec![Vec::new(); graph.tools.len()];
    for &task in ordered {
        tasks_of[graph.task(task).tool.0 as usize].push(task);
    }
    let batches = graph
        .tools()
        .zip(&tasks_of)
        .map(|((id, tool), tasks)| Ok(Cutter::new(workspace, graph, id, tool, tasks)?.batches(policy.batch)))
        .collect::<Result<Vec<_>, PlanError>>()?;
    Ok(interleave(graph, ordered, batches))
}

/// The tools take turns in the order of their first task.
fn interleave(graph: &Graph, ordered: &[TaskIx], batches: Vec<Vec<Vec<Step>>>) -> Vec<PlannedBatch> {
    let mut turns = Vec::new();
    for &task in ordered {
        let tool = graph.task(task).tool;
        if !turns.contains(&tool) {
            turns.push(tool);
        }
        if turns.len() == graph.tools.len() {
            break;
        }
    }
    let mut queues: Vec<_> = batches.into_iter().map(|batches| batches.into_iter().peekable()).collect();
    let mut ranked = Vec::new();
    loop {
        let before = ranked.len();
        for &tool in &turns {
            let waits =
                graph.needs[tool.0 as usize].iter().any(|need| queues[need.0 as usize].peek().is_some());
            if !waits && let Some(steps) = queues[tool.0 as usize].next() {
                ranked.push(PlannedBatch { id: id(graph, &steps), class: 0, steps });
            }
        }
        if ranked.len() == before {
            return ranked;
        }
    }
}

/// Cuts the tasks of one tool.
struct Cutter<'a> {
    graph: &'a Graph,
    id: ToolId,
    tool: &'a Tool,
    /// Runs of tasks that may share a process: alike in what the command line says once, such as the edition.
    groups: Vec<Vec<Item>>,
    room: usize,
    workspace: &'a Workspace,
}

#[derive(Clone, Copy)]
struct Item {
    task: TaskIx,
    bytes: u64,
    argv: usize,
}

impl<'a> Cutter<'a> {
    fn new(
        workspace: &'a Workspace,
        graph: &'a Graph,
        id: ToolId,
        tool: &'a Tool,
        tasks: &[TaskIx],
    ) -> Result<Self, PlanError> {
        let mut groups: Vec<(&str, Vec<Item>)> = Vec::new();
        for &at in tasks {
            let task = graph.task(at);
            let edition = task.unit.target(workspace).map_or("", |target| target.edition.as_str());
            let item = Item {
                task: at,
                bytes: task.bytes,
                argv: command::argument_len(workspace, tool, task.unit)?,
            };
            match groups.iter_mut().find(|(name, _)| *name == edition) {
                Some((_, items)) => items.push(item),
                None => groups.push((edition, vec![item])),
            }
        }
        let groups = groups.into_iter().map(|(_, items)| items).collect();
        Ok(Self { graph, id, tool, groups, room: command::argv_room(tool), workspace })
    }

    /// The batches, each a list of steps.
    fn batches(&self, policy: Batch) -> Vec<Vec<Step>> {
        let mut batches = Vec::new();
        for group in &self.groups {
            match policy {
                Batch::Auto if self.tool.takes_many() => self.split(group, &mut batches),
                Batch::Auto => batches.extend(group.iter().map(|item| vec![self.step(&[*item])])),
                Batch::Count(count) => {
                    batches.extend(group.chunks(count.get() as usize).map(|chunk| self.steps(chunk)));
                }
            }
        }
        batches
    }

    /// Cuts `items` at the smallest path hash until every part is within the caps.
    fn split(&self, items: &[Item], batches: &mut Vec<Vec<Step>>) {
        let hashes: Vec<_> = items.iter().map(|item| self.boundary(item.task)).collect();
        let mut todo = vec![(0, items.len())];
        while let Some((start, end)) = todo.pop() {
            let part = &items[start..end];
            if part.len() <= 1 || self.fits(part) {
                if !part.is_empty() {
                    batches.push(vec![self.step(part)]);
                }
                continue;
            }
            // The first task of a part can't begin another one, or nothing would be cut.
            let at = (start + 1..end).min_by_key(|&at| (hashes[at], at)).unwrap_or(end);
            todo.push((at, end));
            todo.push((start, at));
        }
    }

    fn boundary(&self, task: TaskIx) -> u64 {
        Digest::of_bytes(self.graph.task(task).unit.path(self.workspace).as_bytes()).low_u64()
    }

    fn fits(&self, items: &[Item]) -> bool {
        let caps = self.tool.caps;
        items.len() <= caps.tasks as usize
            && items.iter().map(|item| item.bytes).sum::<u64>() <= caps.bytes
            && items.iter().map(|item| item.argv).sum::<usize>() <= self.room
    }

    /// As few processes as the command line allows.
    fn steps(&self, items: &[Item]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut start = 0;
        let mut argv = 0;
        for (at, item) in items.iter().enumerate() {
            let is_full = argv + item.argv > self.room || !self.tool.takes_many();
            if at > start && is_full {
                steps.push(self.step(&items[start..at]));
                (start, argv) = (at, 0);
            }
            argv += item.argv;
        }
        steps.push(self.step(&items[start..]));
        steps
    }

    fn step(&self, items: &[Item]) -> Step {
        Step { tool: self.id, tasks: items.iter().map(|item| item.task).collect() }
    }
}

/// The id of a batch covers its steps: the tools and the ids of their tasks.
fn id(graph: &Graph, steps: &[Step]) -> Digest {
    struct Steps<'a>(&'a Graph, &'a [Step]);
    impl ContentHash for Steps<'_> {
        fn feed(&self, sink: &mut dyn Sink) {
            sink.count("steps", self.1.len());
            for step in self.1 {
                sink.field("tool", self.0.tool(step.tool).name.as_bytes());
                sink.count("tasks", step.tasks.len());
                for &task in &step.tasks {
                    sink.field("task", &self.0.task(task).id.0.0);
                }
            }
        }
    }
    Digest::of("genti.batch.1", &Steps(graph, steps))
}

/// The id over all batches in rank order.
pub(super) fn id_of_all(batches: &[PlannedBatch]) -> Digest {
    let mut hasher = Hasher::new("genti.batches.1");
    hasher.count("batches", batches.len());
    for batch in batches {
        hasher.field("batch", &batch.id.0);
    }
    hasher.finish()
}
