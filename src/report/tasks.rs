//! `tasks.jsonl`: a line for each batch, followed by its tasks; then the compare tasks and the report task.
//!
//! Lines are in plan order, whatever was finished first. `timing` is the one object in which two identical runs
//! may differ.

use serde_json::{Value, json};

use super::canonical::push_line;
use crate::model::outcome::{Outcome, Timing, Verdict};
use crate::model::task::Status;
use crate::model::workspace::Workspace;

pub(super) fn render(workspace: &Workspace, outcome: &Outcome, with_timing: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let graph = &outcome.plan.graph;
    let mut line = |mut value: Value, timing: Option<&Timing>| {
        if let (Value::Object(fields), Some(timing)) = (&mut value, timing.filter(|_| with_timing)) {
            fields.insert("timing".to_owned(), self::timing(timing, outcome.parallel));
        }
        push_line(&value, &mut out);
    };
    for (rank, (batch, timing)) in (0_u32..).zip(outcome.plan.batches.iter().zip(&outcome.batches)) {
        let batch_id = batch.id.to_string();
        let tasks = || batch.steps.iter().flat_map(|step| &step.tasks);
        let worst =
            tasks().map(|task| &outcome.tasks[task.0 as usize].status).max_by_key(|status| status.severity());
        let status = worst.unwrap_or(&Status::Clean);
        let of_batch = json!({
            "batch_id": batch_id,
            "exit_status": status.exit_status(),
            "kind": "batch",
            "rank": rank,
            "status": status.as_str(),
            "task_count": tasks().count(),
        });
        line(of_batch, Some(timing));
        for &at in tasks() {
            let (task, result) = (graph.task(at), &outcome.tasks[at.0 as usize]);
            let of_task = json!({
                "batch_id": batch_id,
                "exit_status": result.status.exit_status(),
                "kind": "task",
                "reason": result.status.reason(),
                "stages": stages(&result.status),
                "status": result.status.as_str(),
                "task_id": task.id.to_string(),
                "tool": graph.tool(task.tool).name,
                "unit": task.unit.path(workspace).to_string(),
            });
            line(of_task, Some(&result.timing));
        }
    }
    for ((tool, id), result) in graph.tools.iter().zip(&graph.compares).zip(&outcome.tools) {
        let exit_status = match result.verdict {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Incomplete | Verdict::Missing => 3,
        };
        let of_compare = json!({
            "exit_status": exit_status,
            "kind": "compare",
            "status": result.verdict.as_str(),
            "task_id": id.to_string(),
            "tool": tool.name,
        });
        line(of_compare, None);
    }
    let of_report = json!({
        "exit_status": outcome.end.code(),
        "kind": "report",
        "status": outcome.end.as_str(),
        "task_id": graph.report.to_string(),
    });
    line(of_report, None);
    out
}

/// How far the two stages of a task came.
fn stages(status: &Status) -> Value {
    let (scan, normalize) = match status {
        Status::Clean | Status::Findings => ("ok", "ok"),
        Status::Skipped(_) => ("skipped", "not-run"),
        Status::Incomplete(_) => ("ok", "incomplete"),
        Status::Unparsable(_) => ("ok", "unparsable"),
        Status::InputChanged(_) => (status.as_str(), "not-run"),
        Status::Missing(_) | Status::TimedOut(_) | Status::Leaky | Status::Crashed(_) | Status::NotRun(_) => {
            (status.as_str(), "not-run")
        }
    };
    json!({ "normalize": normalize, "scan": scan })
}

/// Times in microseconds.
fn timing(timing: &Timing, parallel: usize) -> Value {
    json!({
        "attempts": timing.attempts,
        "cache": timing.cache.as_str(),
        "duration_us": timing.duration.as_micros() as u64,
        "parallel": parallel,
        "raw_exit": timing.raw_exit,
        "slot": timing.slot,
        "start_us": timing.start.as_micros() as u64,
    })
}
