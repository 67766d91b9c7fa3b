//! An [`Outcome`] or a [`Plan`] → the bytes of an artifact. Pure, and canonical: sorted keys, stable lists, no
//! floats, `/` paths, a newline at the end. Knows nothing of where they are written.

mod canonical;
mod difference;
mod dot;
mod findings;
pub mod finished;
mod plan;
mod run;
mod strict;
mod tasks;

pub use self::difference::{Difference, difference};
pub use self::strict::Violation;

use crate::model::outcome::Outcome;
use crate::model::task::Plan;
use crate::model::workspace::Workspace;

/// The version of every artifact's schema. Fields are added, never changed.
pub const SCHEMA: u32 = 1;

/// The three artifacts of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifacts {
    /// `run.json`: what was run, in which batches, and how it ended.
    pub run: Vec<u8>,
    /// `report.json`: findings, states and verdicts.
    pub report: Vec<u8>,
    /// `tasks.jsonl`: one line a batch and a task, in plan order.
    pub tasks: Vec<u8>,
}

impl Artifacts {
    /// Renders `outcome`. `with_timing` is false where two runs must not differ in a single byte.
    pub fn of(workspace: &Workspace, outcome: &Outcome, with_timing: bool) -> Self {
        Self {
            run: run::render(workspace, outcome),
            report: findings::render(outcome),
            tasks: tasks::render(workspace, outcome, with_timing),
        }
    }

    /// The names and bytes, in the order in which they are put in place: `run.json` last, so that where it is of
    /// this run, the others are too.
    pub fn files(&self) -> [(&'static str, &[u8]); 3] {
        [("tasks.jsonl", &self.tasks), ("report.json", &self.report), ("run.json", &self.run)]
    }
}

/// What `run.json` says of a run before it is run: policy, selection, ids.
pub fn planned(workspace: &Workspace, plan: &Plan) -> serde_json::Map<String, serde_json::Value> {
    run::planned(workspace, plan)
}

/// `plan --format json`.
pub fn plan_json(workspace: &Workspace, plan: &Plan) -> Vec<u8> {
    plan::render(workspace, plan)
}

/// `plan --format dot`.
pub fn plan_dot(plan: &Plan) -> String {
    dot::render(plan)
}
