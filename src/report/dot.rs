//! `plan --format dot`: batches and their dependencies as a Graphviz graph.

use std::fmt::Write;

use crate::model::task::{Plan, PlannedBatch};
use crate::model::tool::ToolId;

pub(super) fn render(plan: &Plan) -> String {
    let graph = &plan.graph;
    let mut out =
        String::from("digraph plan {\n    rankdir=LR;\n    node [shape=box, fontname=\"monospace\"];\n");
    for (rank, batch) in plan.batches.iter().enumerate() {
        let tasks: usize = batch.steps.iter().map(|step| step.tasks.len()).sum();
        let mut tools: Vec<_> = batch.steps.iter().map(|step| graph.tool(step.tool).name.as_str()).collect();
        tools.dedup();
        let label = format!(
            "{rank}: {}\\n{tasks} tasks, class {}\\n{}",
            tools.join(", "),
            batch.class,
            batch.id.short(12)
        );
        let _ = writeln!(out, "    b{rank} [label=\"{label}\"];");
    }
    for (id, tool) in graph.tools() {
        let _ = writeln!(out, "    c{} [label=\"compare {}\", shape=ellipse];", id.0, tool.name);
        let _ = writeln!(out, "    c{} -> report;", id.0);
        for (rank, _) in batches_of(plan, id) {
            let _ = writeln!(out, "    b{rank} -> c{};", id.0);
        }
        for need in &graph.needs[id.0 as usize] {
            for (before, _) in batches_of(plan, *need) {
                for (rank, _) in batches_of(plan, id).filter(|(rank, _)| *rank != before) {
                    let _ = writeln!(out, "    b{before} -> b{rank} [style=dashed];");
                }
            }
        }
    }
    out.push_str("    report [shape=ellipse];\n}\n");
    out
}

fn batches_of(plan: &Plan, tool: ToolId) -> impl Iterator<Item = (usize, &PlannedBatch)> {
    plan.batches.iter().enumerate().filter(move |(_, batch)| batch.steps.iter().any(|step| step.tool == tool))
}
