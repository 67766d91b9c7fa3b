//! Generates finished runs for tests.

use std::ops::Range;

use serde_json::{Value, json};

use crate::report::Artifacts;
use crate::report::finished::{Finished, Tasks};

/// A step with one task, in a batch of its own.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) tool: &'static str,
    pub(super) lane: Option<&'static str>,
    pub(super) needs: &'static [&'static str],
    pub(super) slot: u32,
    /// Start and end in microseconds.
    pub(super) time: Range<u64>,
}

impl Step {
    pub(super) const NONE: Self = Self { tool: "", lane: None, needs: &[], slot: 0, time: 0..0 };

    pub(super) fn at(&self, slot: u32, time: Range<u64>) -> Self {
        Self { slot, time, ..self.clone() }
    }
}

/// Returns a passed run of `steps`, each in a batch of its own.
pub(super) fn run_of(steps: &[Step]) -> (Finished, Tasks) {
    let line = |(rank, step): (usize, &Step)| {
        let Range { start, end } = step.time;
        let timing = json!({
            "attempts": 1, "duration_us": end - start, "parallel": 2, "raw_exit": 0, "slot": step.slot, "start_us": start,
        });
        let batch = json!({
            "batch_id": rank.to_string(), "exit_status": 0, "kind": "batch", "rank": rank, "status": "clean", "timing": timing,
        });
        let task = json!({
            "batch_id": rank.to_string(), "exit_status": 0, "kind": "task", "reason": null, "status": "clean",
            "stages": { "normalize": "ok", "scan": "ok" }, "task_id": "t", "timing": timing, "tool": step.tool, "unit": ".",
        });
        format!("{batch}\n{task}\n")
    };
    let batch = |(rank, step): (usize, &Step)| {
        let step = json!({ "lane": step.lane, "task_count": 1, "tool": step.tool });
        json!({ "batch_id": rank.to_string(), "class": 0, "rank": rank, "risk": null, "steps": [step] })
    };
    let mut tools: Vec<_> = steps.iter().collect();
    tools.sort_by_key(|step| step.tool);
    tools.dedup_by_key(|step| step.tool);
    let tool = |step: &&Step| {
        json!({
            "configured": false, "name": step.tool, "namespaces": [step.tool], "needs": step.needs, "on_demand": false,
            "per": "file", "required": true, "version": null,
        })
    };
    let of_report = json!({ "exit_status": 0, "kind": "report", "status": "passed", "task_id": "r" });
    read(
        json!({
            "batch_id": "b", "batch_policy": "auto", "batches": steps.iter().enumerate().map(batch).collect::<Vec<_>>(),
            "end": { "exit": 0, "status": "passed" }, "graph_hash": "0123456789abcdef", "max_duration_ms": null,
            "order_policy": "deterministic", "per_task_timeout_ms": null, "schema": 1, "seed": 0,
            "selection": {
                "all_features": false, "cargo_profile": null, "features": [], "no_default_features": false,
                "packages": ["p"], "since": null, "skip_tools": [], "target": null, "tools": [], "whole": true,
            },
            "tools": tools.iter().map(tool).collect::<Vec<_>>(),
        }),
        json!({
            "as_of": null, "findings": [], "gate": { "exit": 0, "status": "passed" }, "golden_orphans": [], "gone": [],
            "schema": 1, "suppressions": [],
            "tools": tools.iter().map(|step| tool_report(step.tool)).collect::<Vec<_>>(),
        }),
        &format!("{}{of_report}\n", steps.iter().enumerate().map(line).collect::<String>()),
    )
}

fn tool_report(name: &str) -> Value {
    json!({
        "fixed": 0, "incomplete": [], "name": name, "new": 0, "required": true, "suppressed": 0, "unchanged": 0,
        "unknown": 0, "updated": 0, "verdict": "passed",
    })
}

fn read(run: Value, report: Value, tasks: &str) -> (Finished, Tasks) {
    let artifacts = Artifacts {
        run: run.to_string().into_bytes(),
        report: report.to_string().into_bytes(),
        tasks: tasks.as_bytes().to_vec(),
    };
    artifacts.read().unwrap()
}
