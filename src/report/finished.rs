//! Reads the artifacts of a finished run into typed values.
//!
//! Every report is rendered from these values, so it can be made later, on another machine, and from the artifacts alone.
//! Unknown fields are ignored, because fields may be added; a newer `schema` is an error. This module does not know where
//! the bytes come from. Artifacts contain no source text: reports that show some also take
//! [`Sources`](crate::model::sources::Sources), but work without it.

mod findings;
mod run;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use self::findings::{
    Finding, FinishedReport, GeneratedFileReport, GeneratedReport, GeneratedUnitReport, Gone, Incomplete,
    NewLintsReport, Suppression, ToolReport,
};
pub use self::run::{RunBatch, RunSelection, RunShard, RunStep, RunSummary, Tool};
pub use self::tasks::{
    BatchLine, CompareLine, ReportLine, Stages, TaskLine, TaskTiming, Tasks, TestTimesOfGroup, TestsOfGroup,
};
use super::{Artifacts, SCHEMA};
use crate::model::finding::{State, counts_for};
use crate::model::outcome::{End, Verdict};

/// A finished run without its tasks. [`Tasks`] may be a hundred times as large, so it is read only by reports that show
/// individual tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// `run.json`: what was run, in which batches, and how it ended.
    pub run: RunSummary,
    /// `report.json`: findings, states and verdicts.
    pub report: FinishedReport,
}

/// Exit code and status of a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ended {
    /// The exit code of the run.
    pub exit: u8,
    /// `passed`, `failed`, `incomplete`, `interrupted`, ….
    pub status: String,
}

impl Ended {
    /// Returns the exit code and the status that artifacts record for `end`. This mapping is part of the artifact format, and
    /// the exit code of the process is the same.
    pub fn of(end: End) -> Self {
        let (exit, status) = match end {
            End::Passed => (0, "passed"),
            End::Failed => (1, "failed"),
            End::Incomplete => (3, "incomplete"),
            End::Interrupted(signal) => (128 + signal.clamp(0, 127) as u8, "interrupted"),
        };
        Self { exit, status: status.to_owned() }
    }

    /// Returns whether the exit code is 0.
    pub fn is_pass(&self) -> bool {
        self.exit == 0
    }
}

/// Error from reading artifacts.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// An artifact has invalid content.
    #[error(
        "`{file}`, line {line}, column {column}: {message}; the file is damaged or was edited, so run `cargo genti run` again"
    )]
    Content {
        /// The artifact.
        file: &'static str,
        /// The line, starting at 1.
        line: usize,
        /// The column, starting at 1; 0 for the whole line.
        column: usize,
        /// Description of the error.
        message: String,
    },
    /// The artifact was written by a newer version of genti.
    #[error(
        "`{file}` has schema {found}, which is newer than this version of genti supports ({SCHEMA}); update genti or run `cargo genti run` again"
    )]
    Newer {
        /// The artifact.
        file: &'static str,
        /// The schema version of the artifact.
        found: u32,
    },
    /// The artifacts belong to different runs.
    #[error("`{file}` and `run.json` are from different runs ({difference}); run `cargo genti run` again")]
    Mixed {
        /// The artifact.
        file: &'static str,
        /// The difference that shows it.
        difference: &'static str,
    },
}

impl Finished {
    /// Reads `run.json` and `report.json`.
    ///
    /// # Errors
    ///
    /// If an artifact is invalid, has a newer schema, or belongs to another run.
    pub fn read(run: &[u8], report: &[u8]) -> Result<Self, ReadError> {
        Self::of(run, FinishedReport::read(report)?)
    }

    /// Reads `run.json` and combines it with `report`, which must be from the same run.
    ///
    /// # Errors
    ///
    /// If `run` is invalid, has a newer schema, or belongs to another run.
    pub fn of(run: &[u8], report: FinishedReport) -> Result<Self, ReadError> {
        let run: RunSummary = json("run.json", run)?;
        let mixed = |file, difference| Err(ReadError::Mixed { file, difference });
        if !run.tools.iter().map(|tool| &tool.name).eq(report.tools.iter().map(|tool| &tool.name)) {
            return mixed("report.json", "different tools");
        }
        if run.end != report.gate {
            return mixed("report.json", "different exit status");
        }
        Ok(Self { run, report })
    }

    /// Number of tasks of the run.
    pub fn task_count(&self) -> usize {
        self.steps().map(|step| step.task_count).fold(0, usize::saturating_add)
    }

    /// Number of tasks of the tool `name`.
    pub fn task_count_of(&self, name: &str) -> usize {
        let of_tool = self.steps().filter(|step| step.tool == name);
        of_tool.map(|step| step.task_count).fold(0, usize::saturating_add)
    }

    /// Returns whether `tool` can be left out of summaries when it passed: it had nothing to do, or runs only for another tool.
    pub fn is_aside(&self, tool: &Tool) -> bool {
        tool.on_demand || (self.task_count_of(&tool.name) == 0 && !tool.configured)
    }

    /// Returns true if all tasks of `tool` belong to other shards than the one that was run.
    pub fn is_of_other_shards(&self, tool: &Tool, report: &ToolReport) -> bool {
        let tasks = self.task_count_of(&tool.name);
        self.run.shard.is_some() && tasks > 0 && report.skipped == tasks && report.verdict == Verdict::Passed
    }

    /// Name of the tool in whose counts `finding` appears. Several tools may report it, but it is counted once.
    pub fn tool_of<'a>(&'a self, finding: &Finding) -> &'a str {
        let all = self.run.tools.iter().filter(|tool| finding.is_of(&tool.name));
        counts_for(all, |tool| tool.required).map_or("", |tool| &tool.name)
    }

    /// Names of the tools in whose counts new findings of `tool` appear, without `tool` itself, each with their number.
    pub fn counted_elsewhere(&self, tool: &Tool) -> BTreeMap<&str, usize> {
        let mut others = BTreeMap::new();
        let is_shared = |finding: &&Finding| finding.state == State::New && finding.tools.len() > 1;
        for finding in self.report.findings.iter().filter(is_shared).filter(|one| one.is_of(&tool.name)) {
            let other = self.tool_of(finding);
            if other != tool.name {
                *others.entry(other).or_default() += 1;
            }
        }
        others
    }

    fn steps(&self) -> impl Iterator<Item = &RunStep> {
        self.run.batches.iter().flat_map(|batch| &batch.steps)
    }

    /// The tools, each with its results.
    pub fn tools(&self) -> impl Iterator<Item = (&Tool, &ToolReport)> {
        self.run.tools.iter().zip(&self.report.tools)
    }
}

impl Artifacts {
    /// Reads all three artifacts.
    ///
    /// # Errors
    ///
    /// If an artifact is invalid, has a newer schema, or belongs to another run.
    pub fn read(&self) -> Result<(Finished, Tasks), ReadError> {
        let finished = Finished::read(&self.run, &self.report)?;
        let tasks = Tasks::read(&self.tasks, &finished.run)?;
        Ok((finished, tasks))
    }
}

impl FinishedReport {
    /// Reads `report.json`.
    ///
    /// # Errors
    ///
    /// If it is invalid or has a newer schema.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        json("report.json", bytes)
    }
}

/// The schema version, which is read before the other fields.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

fn json<T: DeserializeOwned>(file: &'static str, bytes: &[u8]) -> Result<T, ReadError> {
    // A newer schema may have entirely different fields, so check the version first.
    let Version { schema } = serde_json::from_slice(bytes).map_err(|error| content(file, 1, &error))?;
    if schema > SCHEMA {
        return Err(ReadError::Newer { file, found: schema });
    }
    serde_json::from_slice(bytes).map_err(|error| content(file, 1, &error))
}

/// Converts an error of serde_json for text that begins at line `first` of `file`.
pub(super) fn content(file: &'static str, first: usize, error: &serde_json::Error) -> ReadError {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    ReadError::Content { file, line: first + error.line().saturating_sub(1), column: error.column(), message }
}
