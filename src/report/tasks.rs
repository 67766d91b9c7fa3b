//! `tasks.jsonl`: a line for each batch, followed by its tasks; then the compare tasks and the report task.
//!
//! Lines are in plan order, whatever was finished first. `timing` is the one object in which two identical runs
//! may differ. There may be a million lines: they are written as they are made, and their fields stand in the types below
//! in the one order that is canonical, by name.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::canonical::push_line;
use crate::model::digest::Digest;
use crate::model::outcome::{Outcome, Timing, Verdict};
use crate::model::path::RelPath;
use crate::model::task::Status;
use crate::model::workspace::Workspace;

#[derive(Serialize)]
struct Batch<'a> {
    batch_id: Hex,
    exit_status: u8,
    kind: &'static str,
    rank: u32,
    status: &'a str,
    task_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<TimingObject>,
}

#[derive(Serialize)]
struct Task<'a> {
    batch_id: Hex,
    exit_status: u8,
    kind: &'static str,
    reason: Option<&'a str>,
    stages: Stages<'a>,
    status: &'a str,
    task_id: Hex,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<TimingObject>,
    tool: &'a str,
    unit: Unit<'a>,
}

/// How far the two stages of a task came.
#[derive(Serialize)]
struct Stages<'a> {
    normalize: &'a str,
    scan: &'a str,
}

#[derive(Serialize)]
struct Compare<'a> {
    exit_status: u8,
    kind: &'static str,
    status: &'a str,
    task_id: Hex,
    tool: &'a str,
}

#[derive(Serialize)]
struct Report<'a> {
    exit_status: u8,
    kind: &'static str,
    status: &'a str,
    task_id: Hex,
}

/// Times in microseconds.
#[derive(Serialize)]
struct TimingObject {
    attempts: u32,
    cache: &'static str,
    duration_us: u64,
    parallel: usize,
    raw_exit: Option<i32>,
    slot: u32,
    start_us: u64,
}

/// A digest in hex digits.
#[derive(Clone, Copy)]
struct Hex(Digest);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0.0).to_hex())
    }
}

/// A path as it is written.
struct Unit<'a>(&'a RelPath);

impl Serialize for Unit<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = std::str::from_utf8(self.0.as_bytes()).ok();
        // Most paths are written as they are.
        let plain = plain.filter(|text| !self.0.is_root() && !text.contains('%')).map(Cow::Borrowed);
        serializer.serialize_str(&plain.unwrap_or_else(|| self.0.to_string().into()))
    }
}

pub(super) fn render(workspace: &Workspace, outcome: &Outcome, with_timing: bool) -> Vec<u8> {
    let graph = &outcome.plan.graph;
    let mut out = Vec::with_capacity(400 * (graph.tasks.len() + outcome.plan.batches.len()));
    let timing = |timing: &Timing| with_timing.then(|| self::timing(timing, outcome.parallel));
    for (rank, (batch, of_batch)) in (0_u32..).zip(outcome.plan.batches.iter().zip(&outcome.batches)) {
        let batch_id = Hex(batch.id);
        let tasks = || batch.steps.iter().flat_map(|step| &step.tasks);
        let worst =
            tasks().map(|task| &outcome.tasks[task.0 as usize].status).max_by_key(|status| status.severity());
        let status = worst.unwrap_or(&Status::Clean);
        let line = Batch {
            batch_id,
            exit_status: status.exit_status(),
            kind: "batch",
            rank,
            status: status.as_str(),
            task_count: tasks().count(),
            timing: timing(of_batch),
        };
        push(&line, &mut out);
        for &at in tasks() {
            let (task, result) = (graph.task(at), &outcome.tasks[at.0 as usize]);
            let line = Task {
                batch_id,
                exit_status: result.status.exit_status(),
                kind: "task",
                reason: result.status.reason(),
                stages: stages(&result.status),
                status: result.status.as_str(),
                task_id: Hex(task.id.0),
                timing: timing(&result.timing),
                tool: &graph.tool(task.tool).name,
                unit: Unit(task.unit.path(workspace)),
            };
            push(&line, &mut out);
        }
    }
    for ((tool, id), result) in graph.tools.iter().zip(&graph.compares).zip(&outcome.tools) {
        let exit_status = match result.verdict {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Incomplete | Verdict::Missing => 3,
        };
        let (status, task_id) = (result.verdict.as_str(), Hex(id.0));
        push(&Compare { exit_status, kind: "compare", status, task_id, tool: &tool.name }, &mut out);
    }
    let (exit_status, status) = (outcome.end.code(), outcome.end.as_str());
    push(&Report { exit_status, kind: "report", status, task_id: Hex(graph.report.0) }, &mut out);
    out
}

fn push(line: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    // Into memory, and of types with nothing that could fail.
    let written = serde_json::to_writer(&mut *out, line);
    debug_assert!(written.is_ok() && is_canonical(&out[start..]));
    out.push(b'\n');
}

/// Whether the fields of a line stand in the order that every other JSON of ours has.
fn is_canonical(line: &[u8]) -> bool {
    let mut again = Vec::new();
    let value = serde_json::from_slice(line).ok();
    value.into_iter().for_each(|value| push_line(&value, &mut again));
    again.strip_suffix(b"\n") == Some(line)
}

fn stages(status: &Status) -> Stages<'_> {
    let (scan, normalize) = match status {
        Status::Clean | Status::Findings => ("ok", "ok"),
        Status::Skipped(_) => ("skipped", "not-run"),
        Status::Incomplete(_) => ("ok", "incomplete"),
        Status::Unparsable(_) => ("ok", "unparsable"),
        Status::Missing(_)
        | Status::TimedOut(_)
        | Status::Leaky
        | Status::Crashed(_)
        | Status::InputChanged(_)
        | Status::NotRun(_) => (status.as_str(), "not-run"),
    };
    Stages { normalize, scan }
}

fn timing(timing: &Timing, parallel: usize) -> TimingObject {
    TimingObject {
        attempts: timing.attempts,
        cache: timing.cache.as_str(),
        duration_us: timing.duration.as_micros() as u64,
        parallel,
        raw_exit: timing.raw_exit,
        slot: timing.slot,
        start_us: timing.start.as_micros() as u64,
    }
}
