//! An [`Outcome`] or a [`Plan`] → the bytes of an artifact. Pure, and canonical: sorted keys, stable lists, no
//! floats, `/` paths, a newline at the end. Knows nothing of where they are written.
//!
//! And the other way round: artifacts → a [`Finished`] run → a report in some [`Format`], the same bytes each time.

pub mod blind_spots;
mod canonical;
pub mod census;
mod difference;
mod dot;
mod excerpt;
mod findings;
pub mod finished;
mod github;
mod html;
mod junit;
pub mod links;
mod markdown;
mod plan;
mod run;
mod sarif;
pub mod stream;
mod strict;
mod tasks;
#[cfg(test)]
mod tests;
pub mod text;

use std::str::FromStr;

pub use self::difference::{Difference, difference};
use self::finished::{Finished, ReadError, Tasks};
pub use self::github::render as github;
pub use self::html::html;
pub use self::markdown::render as markdown;
pub use self::strict::Violation;
pub use self::tasks::TasksDraft;
use crate::model::outcome::Outcome;
use crate::model::path::RelPath;
use crate::model::sources::Sources;
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
        let Draft { run, report, tasks } = Draft::of(workspace, outcome, with_timing);
        Self { run, report, tasks: tasks.bytes() }
    }

    /// The names and bytes, in the order in which they are put in place: `run.json` last, so that where it is of
    /// this run, the others are too.
    pub fn files(&self) -> [(&'static str, &[u8]); 3] {
        [("tasks.jsonl", &self.tasks), ("report.json", &self.report), ("run.json", &self.run)]
    }
}

/// The artifacts of an outcome, but `tasks.jsonl` not made yet: of a hundred thousand tasks, it takes more memory than all
/// else.
#[derive(Debug)]
pub struct Draft<'a> {
    /// `run.json`.
    pub run: Vec<u8>,
    /// `report.json`.
    pub report: Vec<u8>,
    /// `tasks.jsonl`.
    pub tasks: TasksDraft<'a>,
}

impl<'a> Draft<'a> {
    /// Of `outcome`. `with_timing` is false where two runs must not differ in a single byte.
    pub fn of(workspace: &'a Workspace, outcome: &'a Outcome, with_timing: bool) -> Self {
        Self {
            run: run::render(workspace, outcome),
            report: findings::render(outcome),
            tasks: TasksDraft::new(workspace, outcome, with_timing),
        }
    }
}

/// A report for other programs, or for other places than the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `report.json`, as it is.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit's XML, for test reports.
    Junit,
    /// For the summary of a CI job, or a comment.
    Markdown,
    /// Annotations of GitHub Actions.
    Github,
    /// A page, complete in itself.
    Html,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Json, Self::Sarif, Self::Junit, Self::Markdown, Self::Github, Self::Html];

    /// As written on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Github => "github",
            Self::Html => "html",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = Self::ALL.map(Self::as_str).join(", ");
        let format = Self::ALL.into_iter().find(|format| format.as_str() == text);
        format.ok_or_else(|| format!("`{text}` is no format of a report; there are {names}"))
    }
}

/// What reports know beside the artifacts.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The sources that findings are in, as far as they are at hand.
    pub sources: Sources,
    /// Where the workspace lies below the top of its repository.
    pub base: RelPath,
    /// Whether it lies in a repository.
    pub in_repository: bool,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the reader of the report will not see: what was too much for its format.
    pub notes: Vec<String>,
}

impl From<Vec<u8>> for Rendered {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, notes: Vec::new() }
    }
}

/// Gives what is in `tasks.jsonl`, read when it is asked for the first time.
pub type ReadTasks<'a> = dyn Fn() -> Result<&'a Tasks, ReadError> + 'a;

/// The report of a run in this format: the same bytes for the same artifacts and surroundings. `report` is `report.json`,
/// and `tasks` reads `tasks.jsonl`, for formats that show each task.
///
/// # Errors
///
/// If that can't be read.
pub fn render(
    format: Format,
    report: &[u8],
    run: &Finished,
    tasks: &ReadTasks<'_>,
    around: &Around,
) -> Result<Rendered, ReadError> {
    Ok(match format {
        Format::Json => report.to_vec().into(),
        Format::Sarif => sarif::render(run, &around.base),
        Format::Junit => junit::render(run, tasks()?).into(),
        Format::Markdown => markdown(run, &around.sources).into(),
        Format::Github => github(run, &around.base).into(),
        Format::Html => html(run, tasks()?, &around.sources).into(),
    })
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
