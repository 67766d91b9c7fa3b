//! Orders tasks by sort keys, with ties broken by path, hash and index.
//!
//! A policy assigns each task a class (all tasks of a lower class rank first) and a level within the class.
//! The shuffle key, the path, the hash and the index follow. Dependencies between tools outrank the policy: a
//! tool is never in an earlier class than a tool it needs. Under `topo`, the dependent tool moves back, so
//! that packages keep their order. Under the other policies, the needed tool moves forward, because it is as
//! urgent as the tools that wait for it.

use std::cmp::Ordering;

use crate::model::digest::{ContentHash, Digest, Sink};
use crate::model::path::RelPath;
use crate::model::policy::{Order, Policy};
use crate::model::task::{Graph, Risk, Task, TaskIx};
use crate::model::tool::ToolId;
use crate::model::workspace::{PackageId, Workspace};

/// A task with its class, as an element of the ordered list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ordered {
    pub(super) task: TaskIx,
    /// Class of the task. All tasks of class 0 rank before those of class 1, and so on.
    pub(super) class: u32,
}

/// Returns all tasks of `graph` in the order of `policy`. `risks` has one entry per task under `risk-first`
/// and is empty otherwise.
pub(super) fn sort(workspace: &Workspace, graph: &Graph, policy: &Policy, risks: &[Risk]) -> Vec<Ordered> {
    let classes = classes(workspace, graph, policy.order, risks);
    let shuffle = |task: &Task| {
        let (tool, path) = (&graph.tool(task.tool).name, task.unit.path(workspace));
        Digest::of("genti.shuffle.1", &Shuffle { seed: policy.seed, tool, path }).low_u64()
    };
    let shuffles = if policy.seed == 0 { Vec::new() } else { graph.tasks.iter().map(shuffle).collect() };
    let keys = SortKeys { workspace, graph, classes: &classes, shuffles: &shuffles };
    let mut sorted: Vec<_> = (0..graph.tasks.len() as u32).map(TaskIx).collect();
    // The tasks of each tool are already sorted by path, which makes a merge sort fast.
    sorted.sort_by(|a, b| keys.cmp(*a, *b));
    sorted.into_iter().map(|task| Ordered { task, class: classes[task.0 as usize].0 }).collect()
}

/// The sort keys of all tasks. They are looked up for each comparison, because a million of them would need as much memory as the
/// tasks themselves.
struct SortKeys<'a> {
    workspace: &'a Workspace,
    graph: &'a Graph,
    /// Class of each task, and its level within the class.
    classes: &'a [(u32, u32)],
    /// Shuffle key of each task; empty if nothing is shuffled.
    shuffles: &'a [u64],
}

impl SortKeys<'_> {
    fn cmp(&self, a: TaskIx, b: TaskIx) -> Ordering {
        let urgency = |at: TaskIx| (self.classes[at.0 as usize], self.shuffles.get(at.0 as usize));
        urgency(a).cmp(&urgency(b)).then_with(|| {
            let (one, other) = (self.graph.task(a), self.graph.task(b));
            let place = |task: &Task| task.place(self.workspace);
            // Tasks of one tool are already sorted by place.
            if one.tool == other.tool { a.cmp(&b) } else { (place(one), a).cmp(&(place(other), b)) }
        })
    }
}

/// The hashed fields of a shuffle key. The content is not part of it, so an edit moves no task.
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

/// Returns the class of each task, and its level within the class.
fn classes(workspace: &Workspace, graph: &Graph, order: Order, risks: &[Risk]) -> Vec<(u32, u32)> {
    let mut classes: Vec<_> = match order {
        Order::Deterministic => vec![(0, 0); graph.tasks.len()],
        Order::RequiredFirst => {
            graph.tasks.iter().map(|task| (u32::from(!graph.tool(task.tool).required), 0)).collect()
        }
        Order::RiskFirst => risks.iter().map(|risk| (risk.class(), u32::MAX - risk.value())).collect(),
        Order::Topo => {
            let depths = depths(workspace);
            let depth = |task: &Task| task.unit.package(workspace).map_or(0, |id| depths[id.0 as usize]);
            graph.tasks.iter().map(|task| (depth(task), depth(task))).collect()
        }
    };
    let span = |classes: &[(u32, u32)], tool: ToolId| {
        let own =
            graph.tasks.iter().zip(classes).filter(|(task, _)| task.tool == tool).map(|(_, class)| class.0);
        own.clone().min().zip(own.max())
    };
    // A single process is as urgent as the most urgent of its tasks.
    for (tool, _) in graph.tools().filter(|(_, tool)| tool.takes_all()) {
        if let Some((earliest, _)) = span(&classes, tool) {
            limit(graph, &mut classes, tool, |_| earliest);
        }
    }
    for &tool in &graph.needs_first() {
        for &need in &graph.needs[tool.0 as usize] {
            if let (Order::Topo, Some((_, latest))) = (order, span(&classes, need)) {
                limit(graph, &mut classes, tool, |class| class.max(latest));
            }
        }
    }
    for &tool in graph.needs_first().iter().rev() {
        for &need in &graph.needs[tool.0 as usize] {
            if let (true, Some((earliest, _))) = (order != Order::Topo, span(&classes, tool)) {
                limit(graph, &mut classes, need, |class| class.min(earliest));
            }
        }
    }
    classes
}

fn limit(graph: &Graph, classes: &mut [(u32, u32)], tool: ToolId, to: impl Fn(u32) -> u32) {
    for (task, class) in graph.tasks.iter().zip(classes) {
        if task.tool == tool {
            class.0 = to(class.0);
        }
    }
}

/// Returns, for each package, the length of the longest chain of members that it depends on. Members that
/// depend on one another (through dev-dependencies) count as one.
fn depths(workspace: &Workspace) -> Vec<u32> {
    let with_itself = |id: PackageId| {
        let mut reach = workspace.dependencies_of(id);
        reach.insert(id);
        reach
    };
    let reach: Vec<_> = workspace.packages().map(|(id, _)| with_itself(id)).collect();
    let mut depths: Vec<Option<u32>> = vec![None; workspace.packages.len()];
    // Packages that reach fewer members come first. This puts every dependency first that is not in a cycle
    // with its dependent.
    let mut order: Vec<_> = (0..reach.len()).collect();
    order.sort_by_key(|&at| reach[at].len());
    for &at in &order {
        let is_below = |id: &&PackageId| !reach[id.0 as usize].contains(&PackageId(at as u32));
        let below = reach[at].iter().filter(is_below).filter_map(|id| depths[id.0 as usize]).max();
        depths[at] = Some(below.map_or(0, |depth| depth + 1));
    }
    depths.into_iter().map(Option::unwrap_or_default).collect()
}
