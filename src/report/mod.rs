//! Turns an [`Outcome`] or a [`Plan`] into the bytes of an artifact, and artifacts into reports.
//!
//! Artifacts are canonical: sorted keys, stable lists, no floats, `/` in paths, a newline at the end. Reading them back
//! gives a [`Finished`] run, which is rendered in any [`Format`], with the same bytes each time. Everything here is pure
//! and does not know where the bytes are written.

pub mod blind_spots;
mod canonical;
mod causes;
pub mod census;
mod checkout;
mod difference;
mod dot;
mod excerpt;
pub mod excused;
mod findings;
pub mod finished;
pub mod fixes;
mod forge;
mod format;
mod github;
mod gitlab;
mod html;
mod junit;
pub mod links;
mod markdown;
mod of_outcome;
pub mod outputs;
mod plan;
mod run;
mod sarif;
pub mod short;
pub mod stream;
mod strict;
mod tasks;
#[cfg(test)]
mod tests;
pub mod text;
mod until;

use std::collections::BTreeSet;
use std::io::{self, Write};

pub use self::causes::{Cause, causes, unexplained};
pub use self::checkout::Checkout;
pub use self::difference::{Difference, difference};
use self::finished::{Finished, FinishedReport, ReadError, Tasks};
pub use self::format::{Format, TextKind};
pub use self::github::render as github;
pub use self::html::html;
pub use self::markdown::render as markdown;
use self::outputs::OutputsOfTests;
pub use self::strict::Violation;
pub use self::tasks::TasksDraft;
pub use self::until::UntilHalted;
use crate::model::halt::{Halt, Latch};
use crate::model::outcome::Outcome;
use crate::model::path::RelPath;
use crate::model::sources::Sources;
use crate::model::task::{Plan, StepId};
use crate::model::workspace::Workspace;

/// Schema version of all artifacts. Fields may be added but never change.
pub const SCHEMA: u32 = 1;

/// The three artifacts of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifacts {
    /// `run.json`: what was run, in which batches, and how it ended.
    pub run: Vec<u8>,
    /// `report.json`: findings, states and verdicts.
    pub report: Vec<u8>,
    /// `tasks.jsonl`: one line per batch and per task, in plan order.
    pub tasks: Vec<u8>,
}

impl Artifacts {
    /// Renders `outcome`. Without timing, two identical runs give identical bytes.
    pub fn of(workspace: &Workspace, outcome: &Outcome, with_timing: bool) -> Self {
        let mut outcome = outcome.clone();
        let Draft { run, report, tasks, .. } = Draft::of(workspace, &mut outcome, with_timing);
        Self { run, report: report.bytes(), tasks: tasks.bytes() }
    }

    /// Returns names and contents in the order in which they replace those of the last run. `run.json` comes last: if it
    /// belongs to this run, so do the others.
    pub fn files(&self) -> [(&'static str, &[u8]); 3] {
        [("tasks.jsonl", &self.tasks), ("report.json", &self.report), ("run.json", &self.run)]
    }
}

/// The artifacts of an outcome, ready to be written. `report.json` and `tasks.jsonl` are streamed because with a hundred
/// thousand findings or tasks they would need more memory than everything else.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The outcome, without its findings.
    pub outcome: &'a Outcome,
    /// `run.json`.
    pub run: Vec<u8>,
    /// `report.json`.
    pub report: FinishedReport,
    /// `tasks.jsonl`.
    pub tasks: TasksDraft<'a>,
}

impl<'a> Draft<'a> {
    /// Prepares the artifacts of `outcome` and takes its findings. Without timing, two identical runs give identical
    /// bytes.
    pub fn of(workspace: &'a Workspace, outcome: &'a mut Outcome, with_timing: bool) -> Self {
        let report = FinishedReport::take(outcome);
        let outcome: &'a Outcome = outcome;
        Self {
            outcome,
            run: run::render(workspace, outcome),
            report,
            tasks: TasksDraft::new(workspace, outcome, with_timing),
        }
    }
}

/// Context of a report that is not in the artifacts.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Source files with findings, if they are available.
    pub sources: Sources,
    /// Path of the workspace below the root of its repository.
    pub base: RelPath,
    /// Output of failed tests.
    pub outputs: OutputsOfTests,
    /// State of the working tree.
    pub tree: fixes::Tree,
    /// The checkout, for reports that show it.
    pub checkout: Option<Checkout>,
}

/// A report that is rendered while it is written.
pub struct Rendered<'a>(Box<Make<'a>>);

type Make<'a> = dyn Fn(&mut dyn Write, &dyn Halt) -> io::Result<Vec<String>> + 'a;

impl<'a> Rendered<'a> {
    /// Creates a report from a function that writes it. Each call must write the same bytes.
    pub fn new(write: impl Fn(&mut dyn Write, &dyn Halt) -> io::Result<Vec<String>> + 'a) -> Self {
        Self(Box::new(write))
    }

    /// Creates a report whose bytes are in memory.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::new(move |out, _| out.write_all(&bytes).map(|()| Vec::new()))
    }

    /// Writes the report. Returns notes about data that was left out because of limits of the format.
    ///
    /// # Errors
    ///
    /// If `out` can't be written, or `halt` is due before all of it is: see [`is_halt`](crate::model::halt::is_halt).
    pub fn write(&self, out: &mut dyn Write, halt: &dyn Halt) -> io::Result<Vec<String>> {
        // Reports query `halt` themselves only where computing the next bytes takes long, so the writer queries it too.
        let latch = Latch::new(halt);
        let notes = (self.0)(&mut UntilHalted::new(&latch, out), &latch)?;
        latch.check().map_err(io::Error::other)?;
        Ok(notes)
    }
}

/// Returns the content of `tasks.jsonl`, which is read on the first call.
pub type ReadTasks<'a> = dyn Fn() -> Result<&'a Tasks, ReadError> + 'a;

/// Renders `run` in `format`. The same artifacts and the same context give the same bytes. `tasks` is called only for
/// formats that show individual tasks.
///
/// # Errors
///
/// If `tasks` fails.
pub fn render<'a>(
    format: Format,
    run: &'a Finished,
    tasks: &ReadTasks<'a>,
    around: &'a Around,
) -> Result<Rendered<'a>, ReadError> {
    Ok(match format {
        Format::Json => Rendered::new(|out, _| run.report.write(out).map(|()| Vec::new())),
        Format::Sarif => Rendered::new(|out, _| sarif::write(run, &around.base, out)),
        Format::Junit => {
            let tasks = tasks()?;
            Rendered::new(|out, halt| {
                junit::write(run, tasks, &around.outputs, halt, out).map(|()| Vec::new())
            })
        }
        Format::Markdown => Rendered::of_bytes(markdown(run, &around.sources)),
        Format::Github => Rendered::of_bytes(github(run, &around.base)),
        Format::Gitlab => Rendered::new(|out, _| gitlab::write(run, &around.base, out).map(|()| Vec::new())),
        Format::Html => {
            let tasks = tasks()?;
            Rendered::new(|out, halt| {
                let page = html::until(run, tasks, around, halt).map_err(io::Error::other)?;
                out.write_all(&page).map(|()| Vec::new())
            })
        }
    })
}

/// Returns the part of `run.json` that is known before the run: policy, selection and ids.
pub fn planned(workspace: &Workspace, plan: &Plan) -> serde_json::Map<String, serde_json::Value> {
    run::planned(workspace, plan)
}

/// Returns policy and selection of `plan` as in `run.json`.
pub fn settings(workspace: &Workspace, plan: &Plan) -> (serde_json::Value, serde_json::Value) {
    (run::policy(plan).into(), run::selection(workspace, plan))
}

/// Appends `value` to `out` as a canonical line of JSON.
pub fn push_line(value: &serde_json::Value, out: &mut Vec<u8>) {
    canonical::push_line(value, out);
}

/// Writes the output of `plan --format json`.
///
/// # Errors
///
/// If `out` can't be written.
pub fn plan_json(workspace: &Workspace, plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    plan::write(workspace, plan, out)
}

/// Renders the output of `plan --format github-matrix`: one line with the shards that have a step.
pub fn github_matrix(plan: &Plan, shards: &[Vec<StepId>]) -> String {
    let shard = |(index, steps): (usize, &Vec<StepId>)| {
        let tools: BTreeSet<_> =
            steps.iter().map(|id| plan.graph.tool(plan.step(*id).tool).name.as_str()).collect();
        let tools: Vec<_> = tools.into_iter().collect();
        let count = shards.len();
        serde_json::json!({ "index": index, "shard": format!("{index}/{count}"), "steps": steps.len(), "tools": tools.join(", ") })
    };
    let all = (1..).zip(shards).filter(|(_, steps)| !steps.is_empty()).map(shard);
    let line = canonical::to_line(&serde_json::json!({ "include": all.collect::<Vec<_>>() }));
    String::from_utf8_lossy(&line).into_owned()
}

/// Renders the output of `plan --format dot`.
pub fn plan_dot(plan: &Plan) -> String {
    dot::render(plan)
}
