//! Event stream of a run for editors and other programs, with one JSON object per line.
//!
//! The field `type` is the kind of event; kinds and fields may be added. Events are written as they happen, so their order
//! and times differ between runs. The findings come at the end, in the same order and format as in `report.json`.
//! Documented in `docs/reports.md`.

use serde_json::{Value, json};

use super::finished::{Ended, Finding, FinishedReport};
use super::{canonical, findings};
use crate::model::event::{Event, Waiting};
use crate::model::task::{Plan, StepId};
use crate::model::workspace::Workspace;

/// Version of the stream format.
pub const VERSION: u32 = 1;

/// The first line, which identifies the stream.
pub fn start() -> Vec<u8> {
    line(json!({ "genti": env!("CARGO_PKG_VERSION"), "type": "start", "version": VERSION }))
}

/// A message to the user that changes no verdict. The caller words it.
pub fn notice(code: &str, text: &str) -> Vec<u8> {
    line(json!({ "code": code, "text": text, "type": "notice" }))
}

/// The line for `event`, if it has one. A notice has none until it is worded: see [`notice`].
pub fn event(event: Event<'_>, workspace: &Workspace, plan: &Plan) -> Option<Vec<u8>> {
    let value = match event {
        Event::Planned => json!({
            "batches": plan.batches.len(),
            "graph_hash": plan.graph.hash.to_string(),
            "tasks": plan.graph.tasks.len(),
            "tools": plan.graph.tools.iter().map(|tool| &tool.name).collect::<Vec<_>>(),
            "type": "planned",
        }),
        Event::Started(id) => of_step("step-started", id, workspace, plan),
        Event::Reading(id) => of_step("step-reading", id, workspace, plan),
        Event::Finished(id) => of_step("step-finished", id, workspace, plan),
        Event::Slow(id, long) => {
            let mut value = of_step("step-slow", id, workspace, plan);
            value["seconds"] = json!(long.as_secs());
            value
        }
        Event::Waiting(Some(waiting)) => {
            let value = match waiting {
                Waiting::Token { of } => json!({ "for": "token", "tokens": of }),
                Waiting::Run => json!({ "for": "run" }),
                Waiting::End => json!({ "for": "end" }),
                Waiting::Lane { step, holder } => json!({
                    "for": "lane",
                    "holder": plan.graph.tool(plan.step(holder).tool).name,
                    "lane": plan.graph.tool(plan.step(step).tool).lane,
                    "tool": plan.graph.tool(plan.step(step).tool).name,
                }),
            };
            with_type(value, "waiting")
        }
        Event::Waiting(None) => json!({ "for": null, "type": "waiting" }),
        Event::Found(found) => {
            let findings = found.findings.iter().map(|one| Finding::of(one.clone()));
            let lines = findings.map(|one| line(with_type(findings::finding(&one), "found")));
            return Some(lines.collect::<Vec<_>>().concat());
        }
        Event::Comparing => json!({ "type": "comparing" }),
        Event::Notice(_) | Event::Tick | Event::Doing(..) => return None,
    };
    Some(line(value))
}

fn of_step(kind: &str, id: StepId, workspace: &Workspace, plan: &Plan) -> Value {
    let step = plan.step(id);
    let unit = |task: &_| plan.graph.name_of(workspace, plan.graph.task(*task).unit);
    json!({
        "rank": id.rank,
        "step": id.at,
        "tool": plan.graph.tool(step.tool).name,
        "type": kind,
        "units": step.tasks.iter().map(unit).collect::<Vec<_>>(),
    })
}

/// The lines of kind `finding`, `gone`, `suppression` and `tool`, with the same fields as in `report.json`.
pub fn findings(report: &FinishedReport) -> impl Iterator<Item = Vec<u8>> {
    let found = report.findings.iter().map(|one| with_type(findings::finding(one), "finding"));
    let gone = report.gone.iter().map(|one| with_type(findings::gone(one), "gone"));
    let suppressions = report.suppressions.iter();
    let suppressions = suppressions.map(|one| with_type(findings::suppression(one), "suppression"));
    let tools = report.tools.iter().map(|one| with_type(findings::tool(one), "tool"));
    found.chain(gone).chain(suppressions).chain(tools).map(line)
}

/// The last line, which is always written: status, exit code, and the directory of the artifacts if they were written.
pub fn end(end: &Ended, artifacts: Option<&str>) -> Vec<u8> {
    let Ended { exit, status } = end;
    line(json!({ "artifacts": artifacts, "exit": exit, "status": status, "type": "end" }))
}

fn with_type(mut value: Value, kind: &str) -> Value {
    value["type"] = json!(kind);
    value
}

fn line(value: Value) -> Vec<u8> {
    let mut out = Vec::new();
    canonical::push_line(&value, &mut out);
    out
}
