//! `plan --format json`: the same facts as `run.json` before a run, with every task.

use serde_json::{Value, json};

use super::{SCHEMA, canonical, run};
use crate::model::task::{Plan, TaskIx};
use crate::model::workspace::Workspace;

pub(super) fn render(workspace: &Workspace, plan: &Plan) -> Vec<u8> {
    let graph = &plan.graph;
    let batches: Vec<_> = (0..)
        .zip(&plan.batches)
        .map(|(rank, batch): (u32, _)| {
            let steps: Vec<_> = batch
                .steps
                .iter()
                .map(|step| {
                    let tasks: Vec<_> = step
                        .tasks
                        .iter()
                        .map(|&at| task(workspace, plan, at))
                        .collect();
                    let tool = graph.tool(step.tool);
                    json!({ "lane": tool.lane, "tasks": tasks, "tool": tool.name })
                })
                .collect();
            json!({ "batch_id": batch.id.to_string(), "class": batch.class, "rank": rank, "risk": batch.risk, "steps": steps })
        })
        .collect();
    let compares: Vec<_> = graph
        .tools
        .iter()
        .zip(&graph.compares)
        .map(|(tool, id)| json!({ "task_id": id.to_string(), "tool": tool.name }))
        .collect();
    let mut value = run::policy(plan);
    value.extend([
        ("batch_id".to_owned(), json!(plan.batch_id.to_string())),
        ("batches".to_owned(), json!(batches)),
        ("compare".to_owned(), json!(compares)),
        ("graph_hash".to_owned(), json!(graph.hash.to_string())),
        ("report".to_owned(), json!({ "task_id": graph.report.to_string() })),
        ("schema".to_owned(), json!(SCHEMA)),
        ("selection".to_owned(), run::selection(workspace, plan)),
    ]);
    canonical::to_bytes(&Value::Object(value))
}

fn task(workspace: &Workspace, plan: &Plan, at: TaskIx) -> Value {
    let task = plan.graph.task(at);
    let mut value = json!({ "task_id": task.id.to_string(), "unit": task.unit.path(workspace).to_string() });
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
