//! The types of `tasks.jsonl`, and its reader.

use std::borrow::Cow;

use serde::Deserialize;

use super::{ReadError, RunSummary, content};
use crate::model::census::{Group, TestNames};

/// Content of `tasks.jsonl`: the result of each batch and task, in plan order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasks {
    /// Batches with their tasks, sorted by rank.
    pub batches: Vec<BatchLine>,
    /// Compare tasks, one per tool.
    pub compares: Vec<CompareLine>,
    /// Report task, which is the last line.
    pub report: ReportLine,
}

/// Line of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BatchLine {
    /// Id of the batch, which depends on its steps.
    pub batch_id: String,
    /// Position in the plan.
    pub rank: u32,
    /// Status of its worst task.
    pub status: String,
    /// Exit status of its worst task.
    pub exit_status: u8,
    /// Timing; `None` if the artifacts were written without timing.
    pub timing: Option<TaskTiming>,
    /// Tasks, in the order of the steps.
    #[serde(skip)]
    pub tasks: Vec<TaskLine>,
}

/// Line of a task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TaskLine {
    /// Content-addressed id of the task.
    pub task_id: String,
    /// Id of its batch.
    pub batch_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Path of its unit relative to the workspace root; `.` for the whole selection.
    pub unit: String,
    /// Status: `clean`, `findings`, `skipped`, `incomplete`, `missing`, `timed-out`, `leaky`, `crashed`, `unparsable` or
    /// `not-run`.
    pub status: String,
    /// Exit status that corresponds to the status.
    pub exit_status: u8,
    /// True if it has a result, but left a process running that held its output open.
    #[serde(default)]
    pub leaky: bool,
    /// Reason for being skipped or without a result.
    pub reason: Option<String>,
    /// Status of its stages.
    pub stages: Stages,
    /// Tests that it ran, by target or package; empty if they are not listed.
    #[serde(default)]
    pub tests: Vec<TestsOfGroup>,
    /// Timing; `None` if the artifacts were written without timing.
    pub timing: Option<TaskTiming>,
}

/// The tests of a target or package, each list sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct TestsOfGroup {
    /// Name of the test target.
    pub target: Option<String>,
    /// Name of the package whose doc tests these are.
    pub package: Option<String>,
    /// Tests that passed.
    #[serde(default)]
    pub passed: Vec<Box<str>>,
    /// Tests that failed.
    #[serde(default)]
    pub failed: Vec<Box<str>>,
    /// Tests marked `#[ignore]`.
    #[serde(default)]
    pub ignored: Vec<Box<str>>,
}

impl TestsOfGroup {
    /// The target or package.
    pub fn group(&self) -> Group {
        let target = self.target.clone().map(Group::Target);
        target.or_else(|| self.package.clone().map(Group::Package)).unwrap_or(Group::Unknown)
    }

    /// The names, in order.
    pub fn names(&self) -> TestNames {
        let Self { passed, failed, ignored, .. } = self.clone();
        TestNames { passed, failed, ignored }.sorted()
    }
}

/// Times of tests in microseconds, in the order of [`TestsOfGroup`]. A time that is not known is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct TestTimesOfGroup {
    /// Times of the tests that passed.
    #[serde(default)]
    pub passed_us: Vec<Option<u64>>,
    /// Times of the tests that failed.
    #[serde(default)]
    pub failed_us: Vec<Option<u64>>,
}

/// Status of the stages of a task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Stages {
    /// Status of the process: `ok`, `skipped`, or the reason why it did not finish.
    pub scan: String,
    /// Status of parsing its output: `ok`, `incomplete`, `unparsable` or `not-run`.
    pub normalize: String,
}

/// Line of the task that compares the findings of a tool with the baseline.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CompareLine {
    /// Content-addressed id of the task.
    pub task_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Verdict of the tool.
    pub status: String,
    /// Exit status: 0, 1 or 3.
    pub exit_status: u8,
}

/// Line of the report task, with the status of the run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReportLine {
    /// Content-addressed id of the task.
    pub task_id: String,
    /// Status of the run.
    pub status: String,
    /// Exit code of the run.
    pub exit_status: u8,
}

/// Timing of a batch or task. Only this part may differ between identical runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TaskTiming {
    /// Start in microseconds since the run began.
    pub start_us: u64,
    /// Duration in microseconds.
    pub duration_us: u64,
    /// Index of the slot that ran it.
    pub slot: u32,
    /// Number of slots.
    pub parallel: usize,
    /// Number of processes that were started, including retries.
    pub attempts: u32,
    /// Exit code of the process, or the negative number of the signal that killed it.
    pub raw_exit: Option<i32>,
    /// `hit` for a cached result, else `miss`. `None` in artifacts from before the result cache existed.
    #[serde(default)]
    pub cache: Option<String>,
    /// Times of the tests of a task, in the order of [`TaskLine::tests`]; empty if none are known.
    #[serde(default)]
    pub tests: Vec<TestTimesOfGroup>,
}

/// Kind of a line. It is parsed separately, because an internally tagged enum of serde buffers all fields before it looks at
/// the tag, which takes longer than to parse a line twice.
#[derive(Deserialize)]
struct LineKind<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

const FILE: &str = "tasks.jsonl";

impl Tasks {
    /// Reads the `tasks.jsonl` of `run`.
    ///
    /// # Errors
    ///
    /// If it is invalid or belongs to another run.
    pub fn read(bytes: &[u8], run: &RunSummary) -> Result<Self, ReadError> {
        let tasks = Self::parse(bytes)?;
        let ids = run.batches.iter().map(|batch| &batch.batch_id);
        match ids.eq(tasks.batches.iter().map(|line| &line.batch_id)) {
            true => Ok(tasks),
            false => Err(ReadError::Mixed { file: FILE, difference: "different batches" }),
        }
    }

    /// All tasks, in plan order.
    pub fn all(&self) -> impl Iterator<Item = &TaskLine> {
        self.batches.iter().flat_map(|batch| &batch.tasks)
    }

    /// Tasks of the tool `name`, in plan order.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a TaskLine> {
        self.all().filter(move |task| task.tool == name)
    }

    /// Reads a `tasks.jsonl` of any run.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        let (mut batches, mut compares, mut report): (Vec<BatchLine>, _, _) = (Vec::new(), Vec::new(), None);
        let mut number = 0;
        let wrong = |line, message: &str| ReadError::Content {
            file: FILE,
            line,
            column: 0,
            message: message.to_owned(),
        };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            number += 1;
            let bad = |error| content(FILE, number, &error);
            let LineKind { kind } = serde_json::from_slice(line).map_err(bad)?;
            match &*kind {
                "batch" => batches.push(serde_json::from_slice(line).map_err(bad)?),
                "task" => {
                    let task: TaskLine = serde_json::from_slice(line).map_err(bad)?;
                    match batches.last_mut() {
                        Some(batch) if batch.batch_id == task.batch_id => batch.tasks.push(task),
                        _ => return Err(wrong(number, "task without a preceding line for its batch")),
                    }
                }
                "compare" => compares.push(serde_json::from_slice(line).map_err(bad)?),
                "report" => report = Some(serde_json::from_slice(line).map_err(bad)?),
                _ => {}
            }
        }
        let report = report.ok_or_else(|| wrong(number + 1, "missing line of kind `report`"))?;
        Ok(Self { batches, compares, report })
    }
}
