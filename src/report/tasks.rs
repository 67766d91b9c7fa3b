//! `tasks.jsonl`: a line for each batch, followed by its tasks; then the compare tasks and the report task.
//!
//! Lines are in plan order, not in the order in which tasks finished. Only the `timing` objects may differ between identical
//! runs. There may be a million lines, so they are streamed. The types below declare their fields in canonical order, which
//! is by name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::{Deref, Range};

use serde::{Serialize, Serializer};

use super::canonical::push_line;
use super::finished::Ended;
use crate::model::census::{Group, TestNames, TestTimes};
use crate::model::digest::Digest;
use crate::model::outcome::{Outcome, TaskOutcome, TaskTests, Timing, Verdict};
use crate::model::path::RelPath;
use crate::model::task::{Graph, Status, Unit};
use crate::model::tool::ToolId;
use crate::model::workspace::Workspace;

#[derive(Serialize)]
struct BatchRecord<'a> {
    batch_id: Hex,
    exit_status: u8,
    kind: &'static str,
    rank: u32,
    status: &'a str,
    task_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<TimingObject>,
}

/// Fields of a task before its id.
#[derive(Serialize)]
struct TaskHead<'a> {
    batch_id: Hex,
    exit_status: u8,
    kind: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    leaky: bool,
    reason: Option<&'a str>,
    stages: StageStatus<'a>,
    status: &'a str,
}

/// Fields of a task between its id and its unit.
#[derive(Serialize)]
struct TaskMiddle<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<TestsObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<TimingObject>,
    tool: &'a str,
}

/// Status of the two stages of a task.
#[derive(Serialize)]
struct StageStatus<'a> {
    normalize: &'a str,
    scan: &'a str,
}

#[derive(Serialize)]
struct CompareRecord<'a> {
    exit_status: u8,
    kind: &'static str,
    status: &'a str,
    task_id: Hex,
    tool: &'a str,
}

#[derive(Serialize)]
struct ReportRecord<'a> {
    exit_status: u8,
    kind: &'static str,
    status: &'a str,
    task_id: Hex,
}

/// Timing of a batch or task, in microseconds.
#[derive(Serialize)]
struct TimingObject {
    attempts: u32,
    cache: &'static str,
    duration_us: u64,
    parallel: usize,
    raw_exit: Option<i32>,
    slot: u32,
    start_us: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<TestTimesObject>,
}

/// The tests of a target or package, by outcome.
#[derive(Serialize)]
struct TestsObject<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    failed: &'a [Box<str>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ignored: &'a [Box<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    passed: &'a [Box<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
}

impl<'a> TestsObject<'a> {
    fn new((group, names): (&'a Group, &'a TestNames)) -> Self {
        let TestNames { passed, failed, ignored } = names;
        let (target, package) = match group {
            Group::Target(target) => (Some(target.as_str()), None),
            Group::Package(package) => (None, Some(package.as_str())),
            Group::Unknown => (None, None),
        };
        Self { failed, ignored, package, passed, target }
    }
}

/// Times of the tests of a target or package in microseconds, in the order of their names.
#[derive(Serialize)]
struct TestTimesObject {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_us: Vec<Option<u64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed_us: Vec<Option<u64>>,
}

impl TestTimesObject {
    fn new((group, names): (&Group, &TestNames), times: &BTreeMap<Group, TestTimes>) -> Self {
        let times = times.get(group);
        let of = |names: &[Box<str>]| {
            let time = |name: &str| Some(times?.get(name)?.as_micros() as u64);
            names.iter().map(|name| time(name)).collect()
        };
        Self { failed_us: of(&names.failed), passed_us: of(&names.passed) }
    }
}

/// A digest that is serialized as hex digits.
#[derive(Clone, Copy)]
struct Hex(Digest);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

fn hex(digest: &Digest) -> impl Deref<Target = str> {
    blake3::Hash::from_bytes(digest.0).to_hex()
}

/// Formats `path` for artifacts. Most paths need no escaping and are borrowed.
fn text(path: &RelPath) -> Cow<'_, str> {
    path.plain().map_or_else(|| path.to_string().into(), Cow::Borrowed)
}

/// Returns the name of `unit` for artifacts.
fn name<'a>(workspace: &'a Workspace, graph: &Graph, unit: Unit) -> Cow<'a, str> {
    match graph.combination(unit) {
        Some(_) => graph.name_of(workspace, unit).into(),
        None => text(unit.path(workspace)),
    }
}

/// `tasks.jsonl`, ready to be written.
#[derive(Clone, Copy, Debug)]
pub struct TasksDraft<'a> {
    workspace: &'a Workspace,
    outcome: &'a Outcome,
    with_timing: bool,
}

/// Number of tasks that are rendered together.
const CHUNK: usize = 1024;

/// Maximum number of pieces that are rendered in parallel. Twice as many may be in memory. More cores don't help, because
/// writing is sequential.
const MOST_PIECES: usize = 8;

/// A range of the tasks of a batch.
#[derive(Debug, PartialEq, Eq)]
struct BatchPart {
    rank: usize,
    tasks: Range<usize>,
}

/// Divides batches with `counts` tasks into pieces of `fit` tasks each. Only the last piece may be smaller.
fn pieces(counts: impl Iterator<Item = usize>, fit: usize) -> Vec<Vec<BatchPart>> {
    let (mut pieces, mut parts, mut room) = (Vec::new(), Vec::new(), fit);
    for (rank, count) in counts.enumerate() {
        let mut start = 0;
        loop {
            let end = count.min(start + room);
            parts.push(BatchPart { rank, tasks: start..end });
            room -= end - start;
            if room == 0 {
                pieces.push(std::mem::take(&mut parts));
                room = fit;
            }
            start = end;
            if start == count {
                break;
            }
        }
    }
    if !parts.is_empty() {
        pieces.push(parts);
    }
    pieces
}

impl<'a> TasksDraft<'a> {
    pub(super) fn new(workspace: &'a Workspace, outcome: &'a Outcome, with_timing: bool) -> Self {
        Self { workspace, outcome, with_timing }
    }

    /// Returns `tasks.jsonl` as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory can't fail.
        let _ = self.write(&mut bytes);
        bytes
    }

    /// Writes `tasks.jsonl` in pieces. While some are written, the next ones are rendered.
    ///
    /// # Errors
    ///
    /// If `out` can't be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let batches = self.outcome.plan.batches.iter();
        let counts = batches.map(|batch| batch.steps.iter().map(|step| step.tasks.len()).sum());
        let pieces = pieces(counts, CHUNK);
        let at_once = rayon::current_num_threads().min(MOST_PIECES);
        let (mut done, mut next) = (Vec::<Vec<u8>>::new(), Vec::new());
        for pieces in pieces.chunks(at_once) {
            next.resize(pieces.len(), Vec::new());
            rayon::in_place_scope(|scope| {
                for (parts, bytes) in pieces.iter().zip(&mut next) {
                    bytes.clear();
                    scope.spawn(|_| parts.iter().for_each(|part| self.part(part, bytes)));
                }
                done.iter().try_for_each(|bytes| out.write_all(bytes))
            })?;
            std::mem::swap(&mut done, &mut next);
        }
        done.push(self.end());
        done.iter().try_for_each(|bytes| out.write_all(bytes))
    }

    /// Texts that do not come from genti itself: for each task its line number, its unit, and its reason and the names of
    /// its tests if there are any.
    pub(super) fn texts(
        &self,
    ) -> impl Iterator<Item = (usize, Cow<'a, str>, impl Iterator<Item = &'a str> + 'a)> {
        let Self { workspace, outcome, .. } = *self;
        let batches = (1..).zip(&outcome.plan.batches);
        let tasks = batches.flat_map(|(rank, batch)| {
            batch.steps.iter().flat_map(|step| &step.tasks).map(move |task| (rank, *task))
        });
        // Each batch has a line before the lines of its tasks.
        (1..).zip(tasks).map(|(before, (rank, task))| {
            let unit = outcome.plan.graph.task(task).unit;
            let TaskOutcome { status, tests, .. } = &outcome.tasks[task.0 as usize];
            let groups = tests.iter().flat_map(|tests| tests.names.values());
            let names = groups.flat_map(|names| names.by_outcome()).flat_map(|(_, list)| list);
            (
                before + rank,
                name(workspace, &outcome.plan.graph, unit),
                status.reason().into_iter().chain(names.map(|name| &**name)),
            )
        })
    }

    /// Appends the lines of the tasks of `part`, after the line of the batch if the part begins it.
    fn part(&self, part: &BatchPart, out: &mut Vec<u8>) {
        let Self { workspace, outcome, .. } = *self;
        let graph = &outcome.plan.graph;
        let batch = &outcome.plan.batches[part.rank];
        let batch_id = Hex(batch.id);
        let tasks = || batch.steps.iter().flat_map(|step| &step.tasks);
        if part.tasks.start == 0 {
            let statuses = tasks().map(|task| &outcome.tasks[task.0 as usize].status);
            let status = statuses.max_by_key(|status| status.severity()).unwrap_or(&Status::Clean);
            let line = BatchRecord {
                batch_id,
                exit_status: status.exit_status(),
                kind: "batch",
                rank: part.rank as u32,
                status: status.as_str(),
                task_count: tasks().count(),
                timing: self.timing(&outcome.batches[part.rank], None),
            };
            push(&line, out);
        }
        // Tasks of the same process share most of their line, so render that part once.
        let mut last: Option<(ToolId, &TaskOutcome, [Vec<u8>; 2])> = None;
        for &at in tasks().skip(part.tasks.start).take(part.tasks.len()) {
            let (task, result) = (graph.task(at), &outcome.tasks[at.0 as usize]);
            let alike = last.take_if(|(tool, last, _)| *tool == task.tool && *last == result);
            let common = alike.unwrap_or_else(|| {
                (task.tool, result, self.common(batch_id, &graph.tool(task.tool).name, result))
            });
            let [head, middle] = &last.insert(common).2;
            let start = out.len();
            out.extend_from_slice(head);
            out.extend_from_slice(hex(&task.id.0).as_bytes());
            out.extend_from_slice(middle);
            write(&name(workspace, graph, task.unit), out);
            out.push(b'}');
            end_line(start, out);
        }
    }

    /// The text before the id of a task, and the text between its id and its unit.
    fn common(&self, batch_id: Hex, tool: &str, result: &TaskOutcome) -> [Vec<u8>; 2] {
        let TaskOutcome { status, is_leaky, tests, timing } = result;
        let (mut head, mut middle) = (Vec::new(), Vec::new());
        let fields = TaskHead {
            batch_id,
            exit_status: status.exit_status(),
            kind: "task",
            leaky: *is_leaky,
            reason: status.reason(),
            stages: stages(status),
            status: status.as_str(),
        };
        write(&fields, &mut head);
        // Join the two objects into one.
        head.truncate(head.len() - 1);
        head.extend_from_slice(b",\"task_id\":\"");
        let timing = self.timing(timing, tests.as_deref());
        let tests = tests.iter().flat_map(|tests| &tests.names).map(TestsObject::new).collect();
        write(&TaskMiddle { tests, timing, tool }, &mut middle);
        middle.splice(..1, *b"\",");
        middle.truncate(middle.len() - 1);
        middle.extend_from_slice(b",\"unit\":");
        [head, middle]
    }

    /// The lines after those of the tasks.
    fn end(&self) -> Vec<u8> {
        let outcome = self.outcome;
        let graph = &outcome.plan.graph;
        let mut out = Vec::new();
        for ((tool, id), result) in graph.tools.iter().zip(&graph.compares).zip(&outcome.tools) {
            let exit_status = match result.verdict {
                Verdict::Passed => 0,
                Verdict::Failed => 1,
                Verdict::Incomplete | Verdict::Missing | Verdict::Empty => 3,
            };
            let (status, task_id) = (result.verdict.as_str(), Hex(id.0));
            push(
                &CompareRecord { exit_status, kind: "compare", status, task_id, tool: &tool.name },
                &mut out,
            );
        }
        let Ended { exit: exit_status, status } = &Ended::of(outcome.end);
        push(
            &ReportRecord { exit_status: *exit_status, kind: "report", status, task_id: Hex(graph.report.0) },
            &mut out,
        );
        out
    }

    /// Returns the timing of a batch or task, and of the `tests` that it ran.
    fn timing(&self, timing: &Timing, tests: Option<&TaskTests>) -> Option<TimingObject> {
        let tests = tests.filter(|tests| !tests.times.is_empty());
        let times = |tests: &TaskTests| {
            tests.names.iter().map(|of| TestTimesObject::new(of, &tests.times)).collect::<Vec<_>>()
        };
        self.with_timing.then(|| TimingObject {
            attempts: timing.attempts,
            cache: timing.cache.as_str(),
            duration_us: timing.duration.as_micros() as u64,
            parallel: self.outcome.parallel,
            raw_exit: timing.raw_exit,
            slot: timing.slot,
            start_us: timing.start.as_micros() as u64,
            tests: tests.map(times).unwrap_or_default(),
        })
    }
}

fn push(line: &impl Serialize, out: &mut Vec<u8>) {
    let start = out.len();
    write(line, out);
    end_line(start, out);
}

fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    // Writing these types to memory can't fail.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}

/// Ends the line that begins at `start`.
fn end_line(start: usize, out: &mut Vec<u8>) {
    debug_assert!(is_canonical(&out[start..]), "{}", String::from_utf8_lossy(&out[start..]));
    out.push(b'\n');
}

/// Returns whether `line` is what [`canonical`](super::canonical) would write.
fn is_canonical(line: &[u8]) -> bool {
    let mut again = Vec::new();
    let value = serde_json::from_slice(line).ok();
    value.into_iter().for_each(|value| push_line(&value, &mut again));
    again.strip_suffix(b"\n") == Some(line)
}

fn stages(status: &Status) -> StageStatus<'_> {
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
    StageStatus { normalize, scan }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_full_and_leave_nothing_out() {
        for counts in [&[][..], &[0], &[4], &[9], &[0, 3, 10, 1, 0, 4, 4, 2], &[1, 1, 1, 1, 1]] {
            let pieces = pieces(counts.iter().copied(), 4);
            let sizes: Vec<usize> =
                pieces.iter().map(|parts| parts.iter().map(|part| part.tasks.len()).sum()).collect();
            assert!(sizes.iter().rev().skip(1).all(|size| *size == 4), "{pieces:?}");
            assert!(sizes.iter().all(|size| *size <= 4), "{pieces:?}");
            let mut parts = pieces.into_iter().flatten();
            for (rank, count) in counts.iter().enumerate() {
                let mut start = 0;
                while start == 0 || start < *count {
                    let part = parts.next().unwrap();
                    assert_eq!((part.rank, part.tasks.start), (rank, start));
                    start = part.tasks.end.max(usize::from(*count == 0));
                }
                assert_eq!(start, (*count).max(usize::from(*count == 0)));
            }
            assert_eq!(parts.next(), None);
        }
    }
}
