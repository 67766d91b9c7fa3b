//! Cuts ordered tasks into ranked batches.
//!
//! The tasks of each tool are cut separately, class by class. Within a class, the tools then take turns: in
//! each round, a tool places as many batches as its weight, so that no tool waits for all batches of another.
//! A tool skips its turn until all batches of the tools it needs are placed. The position in the resulting
//! list is the rank of a batch and never changes during a run. Therefore the k-th batch (from 1) of a tool of
//! weight w within its class is preceded by at most k - 1 of its own batches and, for every other tool of
//! weight u, by `u * ceil(k / w)` batches.
//!
//! Under `auto`, a task that reaches a cap on its own gets a step of its own. The stretches between such
//! tasks are cut where they exceed a cap, repeatedly at the task with the smallest path hash. A cut depends
//! only on the names around it, so an added file moves few of them. Under `by-tool`, each tool has one batch;
//! under `by-path`, each package has one. Both are as urgent as their most urgent task. A tool that takes all
//! of its units at once is one step under every policy.

use std::collections::{BTreeMap, VecDeque};

use rayon::prelude::*;

use super::command;
use super::order::Ordered;
use super::risk;
use super::select::PlanError;
use crate::model::digest::{ContentHash, Digest, Hasher, Sink};
use crate::model::policy::{Batch, Policy};
use crate::model::task::{Graph, PlannedBatch, Risk, Step, Task, TaskIx, Unit};
use crate::model::tool::{Per, Tool, ToolId};
use crate::model::workspace::{PackageId, Workspace};

/// Cuts `ordered` into batches and ranks them.
pub(super) fn cut(
    workspace: &Workspace,
    graph: &Graph,
    ordered: &[Ordered],
    risks: &[Risk],
    policy: &Policy,
) -> Result<Vec<PlannedBatch>, PlanError> {
    let ranked = match policy.batch {
        Batch::ByPath => by_path(workspace, graph, ordered)?,
        Batch::Auto | Batch::Count(_) | Batch::ByTool => by_turns(workspace, graph, ordered, policy.batch)?,
    };
    let planned = |Cut { class, steps }: Cut| {
        let tasks = steps.iter().flat_map(|step| step.tasks.iter().copied());
        PlannedBatch { id: id(graph, &steps), class, risk: risk::highest(risks, tasks), steps }
    };
    Ok(ranked.into_par_iter().map(planned).collect())
}

/// A batch without a rank.
struct Cut {
    class: u32,
    steps: Vec<Step>,
}

/// One batch per package, and one for the tasks that belong to no package, ordered by their most urgent task.
fn by_path(workspace: &Workspace, graph: &Graph, ordered: &[Ordered]) -> Result<Vec<Cut>, PlanError> {
    let of = |task: TaskIx| match graph.task(task).unit {
        Unit::Workspace => None,
        _ if graph.tool(graph.task(task).tool).takes_all() => None,
        unit => unit.package(workspace),
    };
    let mut packages: BTreeMap<Option<PackageId>, OfPackage> = BTreeMap::new();
    for (place, &Ordered { task, class }) in ordered.iter().enumerate() {
        let package =
            packages.entry(of(task)).or_insert_with(|| OfPackage { class, place, tasks: BTreeMap::new() });
        package.tasks.entry(graph.task(task).tool).or_default().push(task);
    }
    let mut packages: Vec<_> = packages.into_values().collect();
    packages.sort_by_key(|package| (package.class, package.place));
    let tools = graph.needs_first();
    let cut = |OfPackage { class, tasks, .. }: OfPackage| {
        let mut steps = Vec::new();
        for (tool, tasks) in tools.iter().filter_map(|tool| tasks.get_key_value(tool)) {
            steps.extend(Cutter::new(workspace, graph, *tool, tasks)?.auto());
        }
        Ok(Cut { class, steps })
    };
    packages.into_iter().map(cut).collect()
}

/// The tasks of one package.
struct OfPackage {
    /// Class of the first task.
    class: u32,
    /// Position of the first task in the order.
    place: usize,
    tasks: BTreeMap<ToolId, Vec<TaskIx>>,
}

/// Cuts each tool's tasks and ranks the batches in turns.
fn by_turns(
    workspace: &Workspace,
    graph: &Graph,
    ordered: &[Ordered],
    batch: Batch,
) -> Result<Vec<Cut>, PlanError> {
    let mut classes: Vec<BTreeMap<u32, Vec<TaskIx>>> = vec![BTreeMap::new(); graph.tools.len()];
    // For each class, the tools in the order of their first task.
    let mut turns: BTreeMap<u32, Vec<ToolId>> = BTreeMap::new();
    for &Ordered { task, class } in ordered {
        let tool = graph.task(task).tool;
        let tasks = classes[tool.0 as usize].entry(class).or_insert_with(|| {
            turns.entry(class).or_default().push(tool);
            Vec::new()
        });
        tasks.push(task);
    }
    let mut queues = Vec::with_capacity(graph.tools.len());
    for ((id, tool), classes) in graph.tools().zip(&classes) {
        let mut queue = VecDeque::new();
        for (&class, tasks) in classes {
            let cutter = Cutter::new(workspace, graph, id, tasks)?;
            let alone = |step| Cut { class, steps: vec![step] };
            match (batch, queue.back_mut()) {
                (Batch::Count(count), _) => {
                    queue.extend(
                        cutter.chunks(count.get() as usize).into_iter().map(|steps| Cut { class, steps }),
                    );
                }
                (Batch::ByTool, Some(Cut { steps, .. })) => steps.extend(cutter.auto()),
                (Batch::ByTool, None) => queue.push_back(Cut { class, steps: cutter.auto() }),
                _ => queue.extend(cutter.auto().into_iter().map(alone)),
            }
        }
        debug_assert!(batch != Batch::ByTool || queue.len() <= 1, "{}", tool.name);
        queues.push(queue);
    }
    Ok(take_turns(graph, &turns, queues))
}

fn take_turns(graph: &Graph, turns: &BTreeMap<u32, Vec<ToolId>>, mut queues: Vec<VecDeque<Cut>>) -> Vec<Cut> {
    let mut ranked = Vec::new();
    for (class, tools) in turns {
        loop {
            let before = ranked.len();
            for tool in tools {
                for _ in 0..graph.tool(*tool).weight.get() {
                    let waits =
                        graph.needs[tool.0 as usize].iter().any(|need| !queues[need.0 as usize].is_empty());
                    let is_next = |cut: &&Cut| !waits && cut.class == *class;
                    if queues[tool.0 as usize].front().filter(is_next).is_none() {
                        break;
                    }
                    ranked.extend(queues[tool.0 as usize].pop_front());
                }
            }
            if ranked.len() == before {
                break;
            }
        }
    }
    debug_assert!(queues.iter().all(VecDeque::is_empty), "every batch has a rank");
    ranked
}

/// Cuts the tasks of one tool into steps.
struct Cutter<'a> {
    id: ToolId,
    tool: &'a Tool,
    /// Tasks that may share a process, because the options that appear once per command line (such as the
    /// edition) are the same.
    groups: Vec<Vec<Item>>,
    /// Bytes of a command line that are available for units.
    room: usize,
}

#[derive(Clone, Copy)]
struct Item {
    task: TaskIx,
    bytes: u64,
    argv: usize,
    /// Hash of the path, which decides where to cut.
    hash: u64,
}

impl<'a> Cutter<'a> {
    fn new(
        workspace: &'a Workspace,
        graph: &'a Graph,
        id: ToolId,
        tasks: &[TaskIx],
    ) -> Result<Self, PlanError> {
        let tool = graph.tool(id);
        let room = command::argv_room(tool)?;
        let item = |&at| {
            let Task { unit, bytes, .. } = *graph.task(at);
            let argv = command::argument_len(workspace, tool, unit);
            let hash = Digest::of_bytes(unit.path(workspace).as_bytes()).low_u64();
            Item { task: at, bytes, argv, hash }
        };
        let items: Vec<_> = tasks.par_iter().map(item).collect();
        if let Some(Item { task, argv: len, .. }) = items.iter().find(|item| item.argv > room) {
            let path = graph.task(*task).unit.path(workspace).clone();
            return Err(PlanError::ArgumentTooLong { path, tool: tool.name.clone(), len: *len, cap: room });
        }
        if tool.per != Per::TargetRoot && tool.per != Per::TestTarget {
            return Ok(Self { id, tool, groups: vec![items], room });
        }
        let mut groups: Vec<(&str, Vec<Item>)> = Vec::new();
        for item in items {
            let target = graph.task(item.task).unit.target(workspace);
            let edition = target.map_or("", |target| target.edition.as_str());
            match groups.iter_mut().find(|(name, _)| *name == edition) {
                Some((_, items)) => items.push(item),
                None => groups.push((edition, vec![item])),
            }
        }
        let groups = groups.into_iter().map(|(_, items)| items).collect();
        Ok(Self { id, tool, groups, room })
    }

    /// Cuts the tasks by the caps of the tool.
    fn auto(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.tool.takes_all() {
            return vec![self.step(&self.groups.concat())];
        }
        for group in &self.groups {
            // A task over the caps stands alone. Otherwise the cuts that isolate it would leave its
            // neighbours in small chunks.
            let may_share = |item: &Item| self.tool.takes_many() && item.bytes < self.tool.caps.bytes;
            for part in group.chunk_by(|left, right| may_share(left) && may_share(right)) {
                self.split(part, &mut steps);
            }
        }
        steps
    }

    /// Returns lists of steps with at most `count` tasks each.
    fn chunks(&self, count: usize) -> Vec<Vec<Step>> {
        if self.tool.takes_all() {
            return vec![self.auto()];
        }
        self.groups.iter().flat_map(|group| group.chunks(count)).map(|chunk| self.steps(chunk)).collect()
    }

    /// Cuts `items` at the smallest path hash until every chunk is within the caps. Does so in one pass: a
    /// task begins a chunk if and only if the stretch between its neighbours with smaller hashes (left,
    /// inclusive, and right, exclusive) exceeds the caps.
    fn split(&self, items: &[Item], steps: &mut Vec<Step>) {
        let sums: Vec<_> = std::iter::once((0, 0))
            .chain(items.iter().scan((0, 0), |(bytes, argv), item| {
                (*bytes, *argv) = (*bytes + item.bytes, *argv + item.argv);
                Some((*bytes, *argv))
            }))
            .collect();
        let fits = |start: usize, end: usize| {
            end - start <= self.tool.caps.tasks as usize
                && sums[end].0 - sums[start].0 <= self.tool.caps.bytes
                && sums[end].1 - sums[start].1 <= self.room
        };
        let mut begins = vec![false; items.len()];
        // Tasks whose stretch has no end yet, with increasing hashes. The first task begins a chunk anyway.
        let mut open: Vec<usize> = Vec::new();
        for end in 1..=items.len() {
            while let Some(at) = open.pop_if(|at| end == items.len() || items[end].hash < items[*at].hash) {
                begins[at] = !fits(open.last().copied().unwrap_or(0), end);
            }
            open.push(end);
        }
        let mut start = 0;
        for end in (1..=items.len()).filter(|&end| end == items.len() || begins[end]) {
            steps.push(self.step(&items[start..end]));
            start = end;
        }
    }

    /// Packs `items` into as few processes as the command line allows.
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

/// Returns the id of a batch: the digest of its tools and task ids.
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

/// Returns the digest of all batches in rank order.
pub(super) fn id_of_all(batches: &[PlannedBatch]) -> Digest {
    let mut hasher = Hasher::new("genti.batches.1");
    hasher.count("batches", batches.len());
    for batch in batches {
        hasher.field("batch", &batch.id.0);
    }
    hasher.finish()
}
