//! What goes on during a run, for editors and other programs: each event as a line of JSON.
//!
//! `type` says which kind of event a line is; kinds and fields may be added. Events come as they happen, so that two
//! runs differ in their order and in times; what was found comes at the end, in the order and the words of
//! `report.json`. Documented in `docs/reports.md`.

use serde_json::{Value, json};

use super::finished::Report;
use super::{canonical, findings};
use crate::model::event::{Event, Waiting};
use crate::model::task::{Plan, StepId};
use crate::model::workspace::Workspace;

/// The version of the stream.
pub const VERSION: u32 = 1;

/// The first line.
pub fn start() -> Vec<u8> {
    line(json!({ "genti": env!("CARGO_PKG_VERSION"), "type": "start", "version": VERSION }))
}

/// Something that the user should know and that changes no verdict.
pub fn notice(text: &str) -> Vec<u8> {
    line(json!({ "text": text, "type": "notice" }))
}

/// What is said of `event`, if anything.
pub fn event(event: Event<'_>, workspace: &Workspace, plan: &Plan) -> Option<Vec<u8>> {
    let value = match event {
        Event::Notice(text) => return Some(notice(text)),
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
        Event::Comparing => json!({ "type": "comparing" }),
        Event::Tick => return None,
    };
    Some(line(value))
}

fn of_step(kind: &str, id: StepId, workspace: &Workspace, plan: &Plan) -> Value {
    let step = plan.step(id);
    let unit = |task: &_| plan.graph.task(*task).unit.path(workspace).to_string();
    json!({
        "rank": id.rank,
        "step": id.at,
        "tool": plan.graph.tool(step.tool).name,
        "type": kind,
        "units": step.tasks.iter().map(unit).collect::<Vec<_>>(),
    })
}

/// What `report.json` says, a line each: `finding`, `gone`, `suppression` and `tool`, with the fields that they have
/// there.
pub fn findings(report: &Report) -> impl Iterator<Item = Vec<u8>> {
    let found = report.findings.iter().map(|one| with_type(findings::finding(one), "finding"));
    let gone = report.gone.iter().map(|one| with_type(findings::gone(one), "gone"));
    let suppressions = report.suppressions.iter();
    let suppressions = suppressions.map(|one| with_type(findings::suppression(one), "suppression"));
    let tools = report.tools.iter().map(|one| with_type(findings::tool(one), "tool"));
    found.chain(gone).chain(suppressions).chain(tools).map(line)
}

/// The last line, whatever happened: `status` and exit code, and the directory of the artifacts if they were written.
pub fn end(status: &str, exit: u8, artifacts: Option<&str>) -> Vec<u8> {
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
