//! `tasks.jsonl`.

use std::borrow::Cow;

use serde::Deserialize;

use super::{ReadError, Run, content};

/// What became of each batch and each task, in plan order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasks {
    /// The batches, by rank, each with its tasks.
    pub batches: Vec<BatchLine>,
    /// What comparing came to, for each tool.
    pub compares: Vec<CompareLine>,
    /// The end.
    pub report: ReportLine,
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BatchLine {
    /// The id over its steps.
    pub batch_id: String,
    /// Its place in the order.
    pub rank: u32,
    /// That of its worst task.
    pub status: String,
    /// That of its worst task.
    pub exit_status: u8,
    /// When and how it ran; `None` where two runs must not differ.
    pub timing: Option<Timing>,
    /// Its tasks, in the order of its steps.
    #[serde(skip)]
    pub tasks: Vec<TaskLine>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TaskLine {
    /// The content-addressed id.
    pub task_id: String,
    /// The batch that it is in.
    pub batch_id: String,
    /// The tool.
    pub tool: String,
    /// What it covers, by its path relative to the workspace root; `.` is the whole selection.
    pub unit: String,
    /// `clean`, `findings`, `skipped`, `incomplete`, `missing`, `timed-out`, `leaky`, `crashed`, `unparsable` or `not-run`.
    pub status: String,
    /// As of a process that says the same.
    pub exit_status: u8,
    /// Whether it has a verdict, and left something running that held its output open.
    #[serde(default)]
    pub leaky: bool,
    /// Why there is no verdict.
    pub reason: Option<String>,
    /// How far it came.
    pub stages: Stages,
    /// When and how it ran; `None` where two runs must not differ.
    pub timing: Option<Timing>,
}

/// How far a task came.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Stages {
    /// The process: `ok`, `skipped`, or the status that kept it from an end.
    pub scan: String,
    /// Reading what it printed: `ok`, `incomplete`, `unparsable` or `not-run`.
    pub normalize: String,
}

/// What comparing the findings of a tool came to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CompareLine {
    /// The content-addressed id.
    pub task_id: String,
    /// The tool.
    pub tool: String,
    /// Its verdict.
    pub status: String,
    /// 0, 1 or 3.
    pub exit_status: u8,
}

/// The end of the run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReportLine {
    /// The content-addressed id.
    pub task_id: String,
    /// How the run ended.
    pub status: String,
    /// The exit code.
    pub exit_status: u8,
}

/// When and how something ran: the part in which identical runs may differ.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Timing {
    /// Since the run began, in microseconds.
    pub start_us: u64,
    /// In microseconds.
    pub duration_us: u64,
    /// Which of the parallel slots ran it, from 0.
    pub slot: u32,
    /// How many slots there were.
    pub parallel: usize,
    /// How many processes it took.
    pub attempts: u32,
    /// The exit code of the process or, negative, the signal that ended it.
    pub raw_exit: Option<i32>,
    /// `hit` if nothing had to run, else `miss`; `None` if the run is from before there was a cache.
    #[serde(default)]
    pub cache: Option<String>,
}

/// What kind of line it is; kinds may be added. Read on its own: serde's tagged enums collect all fields before they look
/// at the tag, which takes longer than to read a line twice.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

const FILE: &str = "tasks.jsonl";

impl Tasks {
    /// Reads the `tasks.jsonl` of `run`.
    ///
    /// # Errors
    ///
    /// If it is not what a run leaves, or is of another one.
    pub fn read(bytes: &[u8], run: &Run) -> Result<Self, ReadError> {
        let tasks = Self::parse(bytes)?;
        let ids = run.batches.iter().map(|batch| &batch.batch_id);
        match ids.eq(tasks.batches.iter().map(|line| &line.batch_id)) {
            true => Ok(tasks),
            false => Err(ReadError::Mixed { file: FILE, difference: "it has other batches" }),
        }
    }

    /// Every task, in plan order.
    pub fn all(&self) -> impl Iterator<Item = &TaskLine> {
        self.batches.iter().flat_map(|batch| &batch.tasks)
    }

    /// The tasks of the tool `name`, in plan order.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a TaskLine> {
        self.all().filter(move |task| task.tool == name)
    }

    fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
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
            let Kind { kind } = serde_json::from_slice(line).map_err(bad)?;
            match &*kind {
                "batch" => batches.push(serde_json::from_slice(line).map_err(bad)?),
                "task" => {
                    let task: TaskLine = serde_json::from_slice(line).map_err(bad)?;
                    match batches.last_mut() {
                        Some(batch) if batch.batch_id == task.batch_id => batch.tasks.push(task),
                        _ => return Err(wrong(number, "the task does not follow its batch")),
                    }
                }
                "compare" => compares.push(serde_json::from_slice(line).map_err(bad)?),
                "report" => report = Some(serde_json::from_slice(line).map_err(bad)?),
                _ => {}
            }
        }
        let report = report.ok_or_else(|| wrong(number + 1, "the line of kind `report` is missing"))?;
        Ok(Self { batches, compares, report })
    }
}
