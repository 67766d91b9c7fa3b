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
mod of_outcome;
mod plan;
mod run;
mod sarif;
pub mod stream;
mod strict;
mod tasks;
#[cfg(test)]
mod tests;
pub mod text;
mod until;

use std::io::{self, Write};
use std::str::FromStr;

pub use self::difference::{Difference, difference};
use self::finished::{Finished, ReadError, Report, Tasks};
pub use self::github::render as github;
pub use self::html::html;
pub use self::markdown::render as markdown;
pub use self::strict::Violation;
pub use self::tasks::TasksDraft;
pub use self::until::{Until, is_halt};
use crate::model::halt::{Halt, Latch};
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
        let mut outcome = outcome.clone();
        let Draft { run, report, tasks, .. } = Draft::of(workspace, &mut outcome, with_timing);
        Self { run, report: report.bytes(), tasks: tasks.bytes() }
    }

    /// The names and bytes, in the order in which they are put in place: `run.json` last, so that where it is of
    /// this run, the others are too.
    pub fn files(&self) -> [(&'static str, &[u8]); 3] {
        [("tasks.jsonl", &self.tasks), ("report.json", &self.report), ("run.json", &self.run)]
    }
}

/// The artifacts of an outcome, of which `report.json` and `tasks.jsonl` are written as they are made: of a hundred thousand
/// findings or tasks, they take more memory than all else.
#[derive(Debug)]
pub struct Draft<'a> {
    /// What they are of, without its findings.
    pub outcome: &'a Outcome,
    /// `run.json`.
    pub run: Vec<u8>,
    /// `report.json`.
    pub report: Report,
    /// `tasks.jsonl`.
    pub tasks: TasksDraft<'a>,
}

impl<'a> Draft<'a> {
    /// Of `outcome`, whose findings it takes. `with_timing` is false where two runs must not differ in a single byte.
    pub fn of(workspace: &'a Workspace, outcome: &'a mut Outcome, with_timing: bool) -> Self {
        let report = Report::take(outcome);
        let outcome: &'a Outcome = outcome;
        Self {
            outcome,
            run: run::render(workspace, outcome),
            report,
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

/// A report, written as it is made.
pub struct Rendered<'a>(Box<Make<'a>>);

type Make<'a> = dyn Fn(&mut dyn Write, &dyn Halt) -> io::Result<Vec<String>> + 'a;

impl<'a> Rendered<'a> {
    /// One that `write` makes, the same each time.
    pub fn new(write: impl Fn(&mut dyn Write, &dyn Halt) -> io::Result<Vec<String>> + 'a) -> Self {
        Self(Box::new(write))
    }

    /// One that fits into memory.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::new(move |out, _| out.write_all(&bytes).map(|()| Vec::new()))
    }

    /// Writes it, and returns what its reader will not see because it was too much for the format.
    ///
    /// # Errors
    ///
    /// If `out` can't be written, or `halt` is due before all of it is: see [`is_halt`].
    pub fn write(&self, out: &mut dyn Write, halt: &dyn Halt) -> io::Result<Vec<String>> {
        // What is made while it is written asks by itself only where it takes long to make the next bytes.
        let latch = Latch::new(halt);
        let notes = (self.0)(&mut Until::new(&latch, out), &latch)?;
        latch.check().map_err(io::Error::other)?;
        Ok(notes)
    }
}

/// Gives what is in `tasks.jsonl`, read when it is asked for the first time.
pub type ReadTasks<'a> = dyn Fn() -> Result<&'a Tasks, ReadError> + 'a;

/// The report of a run in this format: the same bytes for the same artifacts and surroundings. `tasks` reads `tasks.jsonl`, for
/// formats that show each task.
///
/// # Errors
///
/// If that can't be read.
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
            Rendered::new(|out, halt| junit::write(run, tasks, halt, out).map(|()| Vec::new()))
        }
        Format::Markdown => Rendered::of_bytes(markdown(run, &around.sources)),
        Format::Github => Rendered::of_bytes(github(run, &around.base)),
        Format::Html => {
            let tasks = tasks()?;
            Rendered::new(|out, halt| {
                let page = html::until(run, tasks, &around.sources, halt).map_err(io::Error::other)?;
                out.write_all(&page).map(|()| Vec::new())
            })
        }
    })
}

/// What `run.json` says of a run before it is run: policy, selection, ids.
pub fn planned(workspace: &Workspace, plan: &Plan) -> serde_json::Map<String, serde_json::Value> {
    run::planned(workspace, plan)
}

/// `plan --format json`, written as it is made.
///
/// # Errors
///
/// If `out` can't be written.
pub fn plan_json(workspace: &Workspace, plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    plan::write(workspace, plan, out)
}

/// `plan --format dot`.
pub fn plan_dot(plan: &Plan) -> String {
    dot::render(plan)
}
