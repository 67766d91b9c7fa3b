//! `plan --format json`: like `run.json` before a run, but with every task. Of a shard, only its own steps.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{SCHEMA, canonical, run};
use crate::model::task::{Plan, PlannedBatch, Step, TaskIx};
use crate::model::workspace::Workspace;

/// Streams the plan, because there may be a million tasks and as many batches.
pub(super) fn write(workspace: &Workspace, plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let graph = &plan.graph;
    let compares: Vec<_> = graph
        .tools
        .iter()
        .zip(&graph.compares)
        .map(|(tool, id)| json!({ "task_id": id.to_string(), "tool": tool.name }))
        .collect();
    let mut values = run::policy(plan);
    values.extend([
        ("batch_id".to_owned(), json!(plan.batch_id.to_string())),
        ("compare".to_owned(), json!(compares)),
        ("graph_hash".to_owned(), json!(graph.hash.to_string())),
        ("report".to_owned(), json!({ "task_id": graph.report.to_string() })),
        ("schema".to_owned(), json!(SCHEMA)),
        ("selection".to_owned(), run::selection(workspace, plan)),
    ]);
    if let Some(shard) = &plan.shard {
        values.insert("shard".to_owned(), run::shard(shard));
    }
    let batches = |list: &mut canonical::Items<'_, '_>| {
        let all =
            (0..).zip(&plan.batches).filter(|(_, batch)| batch.steps.iter().any(|step| plan.has_here(step)));
        all.into_iter().try_for_each(|(rank, batch)| self::batch(workspace, plan, rank, batch, list))
    };
    canonical::write_document(out, usize::MAX, &values, &[("batches", &batches)])
}

fn batch(
    workspace: &Workspace,
    plan: &Plan,
    rank: u32,
    batch: &PlannedBatch,
    list: &mut canonical::Items<'_, '_>,
) -> io::Result<()> {
    let values = canonical::fields([
        ("batch_id", json!(batch.id.to_string())),
        ("class", json!(batch.class)),
        ("rank", json!(rank)),
        ("risk", json!(batch.risk)),
    ]);
    let steps = |list: &mut canonical::Items<'_, '_>| {
        let mut steps = batch.steps.iter().filter(|step| plan.has_here(step));
        steps.try_for_each(|step| self::step(workspace, plan, step, list))
    };
    list.object(&values, &[("steps", &steps)])
}

fn step(
    workspace: &Workspace,
    plan: &Plan,
    step: &Step,
    list: &mut canonical::Items<'_, '_>,
) -> io::Result<()> {
    let tool = plan.graph.tool(step.tool);
    let values = canonical::fields([("lane", json!(tool.lane)), ("tool", json!(tool.name))]);
    let tasks = |list: &mut canonical::Items<'_, '_>| {
        step.tasks.iter().try_for_each(|&at| list.push(&task(workspace, plan, at)))
    };
    list.object(&values, &[("tasks", &tasks)])
}

fn task(workspace: &Workspace, plan: &Plan, at: TaskIx) -> Value {
    let task = plan.graph.task(at);
    let mut value =
        json!({ "task_id": task.id.to_string(), "unit": plan.graph.name_of(workspace, task.unit) });
    if let Some(risk) = plan.risks.get(at.0 as usize) {
        value["risk"] = json!({
            "changed": risk.changed,
            "dependents": risk.dependents,
            "findings": risk.findings,
            "value": risk.value(),
            "weight": risk.weight,
        });
    }
    value
}
