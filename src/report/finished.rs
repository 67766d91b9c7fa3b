//! A finished run, read back from its artifacts: bytes → typed values. What every report is made of, so that it can
//! be made later, elsewhere, and of nothing but these files.
//!
//! Fields that are not known are left alone, for fields may be added; a newer `schema` is an error. Does not know
//! where the bytes come from. Source text is in no artifact: who shows some is handed
//! [`Sources`](crate::model::sources::Sources), and does well without.

mod findings;
mod run;
mod tasks;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use self::findings::{
    Finding, Generated, GeneratedFile, GeneratedUnit, Gone, Incomplete, Report, Suppression, ToolReport,
};
pub use self::run::{Batch, Run, Selection, Step, Tool};
pub use self::tasks::{BatchLine, CompareLine, ReportLine, Stages, TaskLine, Tasks, Timing};
use super::{Artifacts, SCHEMA};

/// A finished run, as far as most reports need it. What became of each task is read by those that show it: [`Tasks`] may be
/// a hundred times as long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// `run.json`: what was run, in which batches, and how it ended.
    pub run: Run,
    /// `report.json`: findings, states and verdicts.
    pub report: Report,
}

/// How it ended: a word, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ended {
    /// The exit code of the run.
    pub exit: u8,
    /// `passed`, `failed`, `incomplete`, `interrupted`, ….
    pub status: String,
}

impl Ended {
    /// Whether the run let everything pass.
    pub fn is_pass(&self) -> bool {
        self.exit == 0
    }
}

/// Why the artifacts can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file holds something else than it should.
    #[error(
        "`{file}`, line {line}, column {column}: {message}; it is not as genti writes it: run `cargo genti run` again"
    )]
    Content {
        /// The artifact.
        file: &'static str,
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 where the whole line is meant.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A newer version of this program wrote it.
    #[error(
        "`{file}` has schema {found}, and this genti knows {SCHEMA}: update genti, or run `cargo genti run` again"
    )]
    Newer {
        /// The artifact.
        file: &'static str,
        /// Its version.
        found: u32,
    },
    /// The files do not belong together.
    #[error("`{file}` is not of the run that `run.json` is of: {difference}; run `cargo genti run` again")]
    Mixed {
        /// The artifact.
        file: &'static str,
        /// How that is known.
        difference: &'static str,
    },
}

impl Finished {
    /// Reads `run.json` and `report.json`.
    ///
    /// # Errors
    ///
    /// If one of them is not what a run leaves, is of a newer version, or is of another run than the other.
    pub fn read(run: &[u8], report: &[u8]) -> Result<Self, ReadError> {
        Self::of(run, Report::read(report)?)
    }

    /// Reads `run.json`, to which `report` belongs.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn of(run: &[u8], report: Report) -> Result<Self, ReadError> {
        let run: Run = json("run.json", run)?;
        let mixed = |file, difference| Err(ReadError::Mixed { file, difference });
        if !run.tools.iter().map(|tool| &tool.name).eq(report.tools.iter().map(|tool| &tool.name)) {
            return mixed("report.json", "it names other tools");
        }
        if run.end != report.gate {
            return mixed("report.json", "it ended otherwise");
        }
        Ok(Self { run, report })
    }

    /// How many tasks there are.
    pub fn task_count(&self) -> usize {
        self.steps().map(|step| step.task_count).fold(0, usize::saturating_add)
    }

    /// How many of them are of the tool `name`.
    pub fn task_count_of(&self, name: &str) -> usize {
        let of_tool = self.steps().filter(|step| step.tool == name);
        of_tool.map(|step| step.task_count).fold(0, usize::saturating_add)
    }

    /// Whether nobody asked for `tool` by name: it is not worth a line while it has nothing to say.
    pub fn is_aside(&self, tool: &Tool) -> bool {
        tool.on_demand || (self.task_count_of(&tool.name) == 0 && !tool.configured)
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        self.run.batches.iter().flat_map(|batch| &batch.steps)
    }

    /// The tools, each with what it came to.
    pub fn tools(&self) -> impl Iterator<Item = (&Tool, &ToolReport)> {
        self.run.tools.iter().zip(&self.report.tools)
    }
}

impl Artifacts {
    /// Reads all of them.
    ///
    /// # Errors
    ///
    /// If one of them is not what a run leaves, is of a newer version, or is of another run than the others.
    pub fn read(&self) -> Result<(Finished, Tasks), ReadError> {
        let finished = Finished::read(&self.run, &self.report)?;
        let tasks = Tasks::read(&self.tasks, &finished.run)?;
        Ok((finished, tasks))
    }
}

impl Report {
    /// Reads `report.json` alone.
    ///
    /// # Errors
    ///
    /// If it is not what a run leaves, or is of a newer version.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        json("report.json", bytes)
    }
}

/// The one field that is read before all others.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

fn json<T: DeserializeOwned>(file: &'static str, bytes: &[u8]) -> Result<T, ReadError> {
    // What a newer version wrote may look like anything else.
    let Version { schema } = serde_json::from_slice(bytes).map_err(|error| content(file, 1, &error))?;
    if schema > SCHEMA {
        return Err(ReadError::Newer { file, found: schema });
    }
    serde_json::from_slice(bytes).map_err(|error| content(file, 1, &error))
}

/// What serde_json says of a text that begins at line `first` of `file`.
pub(super) fn content(file: &'static str, first: usize, error: &serde_json::Error) -> ReadError {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    ReadError::Content { file, line: first + error.line().saturating_sub(1), column: error.column(), message }
}
