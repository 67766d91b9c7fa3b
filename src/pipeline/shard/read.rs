//! Reads `shard.jsonl`. Everything that the merge relies on is checked here, against the plan of this checkout.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::format::{EndLine, Header, ResultLine, StepLine};
use crate::model::digest::Digest;
use crate::model::shard::ShardIndex;
use crate::model::task::{Plan, Status, StepId};
use crate::model::workspace::{PackageId, Workspace};
use crate::report;

/// The content of a `shard.jsonl`.
#[derive(Clone, Debug)]
pub struct ShardFile {
    /// Name for messages, such as the path.
    pub name: String,
    /// Content of the file.
    pub bytes: Vec<u8>,
}

/// A shard that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {message}")]
pub struct Damage {
    /// Name of the file.
    pub file: String,
    /// The line, starting at 1.
    pub line: usize,
    /// Description of the error.
    pub message: String,
}

/// A shard that was read, and whose digest is right.
#[derive(Debug)]
pub(super) struct ReadShard {
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) header: Header,
    pub(super) steps: Vec<StepLine>,
}

/// Error from reading a shard.
pub(super) enum Unread {
    Damage(Damage),
    /// The schema is newer than this version supports.
    Newer(u32),
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Deserialize)]
struct Version {
    kind: String,
    schema: u32,
}

/// Returns true if a gate ran one of the shards, according to their headers.
pub fn are_gates(files: &[ShardFile]) -> bool {
    files.iter().any(|file| file.read().is_ok_and(|shard| shard.header.gate))
}

impl ShardFile {
    /// Reads the lines, and checks that the file is complete.
    pub(super) fn read(&self) -> Result<ReadShard, Unread> {
        let damage =
            |line: usize, message: String| Unread::Damage(Damage { file: self.name.clone(), line, message });
        let lines: Vec<_> = self.bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let Some((first, rest)) = lines.split_first() else { return Err(damage(1, "is empty".to_owned())) };
        // A newer schema may have entirely different fields.
        let version: Version = parsed(first).map_err(|message| damage(1, message))?;
        if version.kind != "shard" {
            return Err(damage(1, "is not the header of a shard".to_owned()));
        }
        if version.schema > report::SCHEMA {
            return Err(Unread::Newer(version.schema));
        }
        let last = lines.len();
        let Some((end, steps)) = rest.split_last() else {
            return Err(damage(last + 1, "the last line is missing, so the file is incomplete".to_owned()));
        };
        let is_end = end.ends_with(b"\n") && parsed::<Kind>(end).is_ok_and(|line| line.kind == "end");
        if !is_end {
            return Err(damage(
                last,
                "is not the last line of a shard, so the file is incomplete".to_owned(),
            ));
        }
        let digest = Digest::of_bytes(&self.bytes[..self.bytes.len() - end.len()]);
        let stated: EndLine = parsed(end).map_err(|message| damage(last, message))?;
        if stated.digest != digest {
            let message = "the digest does not match the lines before, so the file is damaged or was edited";
            return Err(damage(last, message.to_owned()));
        }
        let header: Header = parsed(first).map_err(|message| damage(1, message))?;
        let index = format!("{}/{}", header.index, header.count);
        index.parse::<ShardIndex>().map_err(|error| damage(1, error.0))?;
        let step = |(at, line): (usize, &&[u8])| {
            let Kind { kind } = parsed(line).map_err(|message| damage(at, message))?;
            match kind.as_str() {
                "step" => parsed(line).map_err(|message| damage(at, message)),
                other => Err(damage(at, format!("unknown kind of line `{other}`"))),
            }
        };
        let steps = (2..).zip(steps).map(step).collect::<Result<Vec<StepLine>, _>>()?;
        Ok(ReadShard { name: self.name.clone(), digest, header, steps })
    }
}

fn parsed<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

impl ReadShard {
    /// Checks that each step is one of `plan`, and that its results fit. Must be called after the header was compared.
    pub(super) fn check(&self, workspace: &Workspace, plan: &Plan) -> Result<(), Damage> {
        let mut before: Option<StepId> = None;
        for (line, step) in (2..).zip(&self.steps) {
            let damage = |message: String| Damage { file: self.name.clone(), line, message };
            let id = step.id();
            if before.is_some_and(|before| before >= id) {
                return Err(damage("the steps are not in the order of the plan".to_owned()));
            }
            before = Some(id);
            check_step(workspace, plan, step).map_err(damage)?;
        }
        Ok(())
    }

    pub(super) fn steps(&self) -> Vec<StepId> {
        self.steps.iter().map(StepLine::id).collect()
    }
}

impl StepLine {
    pub(super) fn id(&self) -> StepId {
        StepId { rank: self.rank, at: self.at }
    }
}

fn check_step(workspace: &Workspace, plan: &Plan, line: &StepLine) -> Result<(), String> {
    let StepLine { rank, at, tool, tasks, results, inputs, .. } = line;
    let planned = plan.batches.get(*rank as usize).and_then(|batch| batch.steps.get(*at as usize));
    let planned = planned.ok_or_else(|| format!("the plan has no step {rank}.{at}"))?;
    if plan.graph.tool(planned.tool).name != *tool {
        return Err(format!("step {rank}.{at} is not of `{tool}`"));
    }
    if !planned.tasks.iter().map(|task| plan.graph.task(*task).id.0).eq(tasks.iter().copied()) {
        return Err(format!("step {rank}.{at} has other tasks than in the plan"));
    }
    let (mut covered, mut cached) = (BTreeSet::<u32>::new(), BTreeSet::<u32>::new());
    for result in results {
        check_result(workspace, result)?;
        if result.tasks.is_empty() || !result.tasks.is_sorted_by(|a, b| a < b) {
            return Err("a result is not of a sorted list of tasks".to_owned());
        }
        if let Some(task) = result.tasks.iter().find(|task| **task as usize >= tasks.len()) {
            return Err(format!("there is no task {task} in the step"));
        }
        let is_repeated = |task: &u32| cached.contains(task) || result.cached && covered.contains(task);
        if let Some(task) = result.tasks.iter().find(|task| !result.noted && is_repeated(task)) {
            return Err(format!("task {task} has several results"));
        }
        if result.cached {
            cached.extend(&result.tasks);
        }
        covered.extend(&result.tasks);
    }
    if covered.len() < tasks.len() {
        return Err("a task has neither a result nor a reason why there is none".to_owned());
    }
    if inputs.iter().any(|(task, _)| *task as usize >= tasks.len()) {
        return Err("inputs of a task that is not in the step".to_owned());
    }
    Ok(())
}

fn check_result(workspace: &Workspace, result: &ResultLine) -> Result<(), String> {
    let of_output = ResultLine {
        tasks: result.tasks.clone(),
        cached: result.cached,
        noted: result.noted,
        not_built: result.not_built,
        status: result.status.clone(),
        reason: result.reason.clone(),
        raw_exit: result.raw_exit,
        ..ResultLine::default()
    };
    let has_output = of_output != *result;
    if let Some(name) = &result.status {
        let status = Status::read(name, result.reason.as_deref());
        if status.is_none_or(|status| status.is_verdict()) {
            return Err(format!("`{name}` is not a status without output"));
        }
    }
    let is_without = result.status.is_some();
    if is_without && result.not_built || has_output && (is_without || result.not_built) {
        return Err("a result has both a status and output".to_owned());
    }
    if result.noted && !is_without || result.cached && (is_without || result.not_built) {
        return Err("a result without output is cached".to_owned());
    }
    if result.cached && has_output && result.tasks.len() != 1 {
        return Err("a cached result with output is of several tasks".to_owned());
    }
    if !result.census.is_consistent() {
        return Err("names of tests contradict their counts".to_owned());
    }
    let packages = result.diagnostics.iter().filter_map(|found| found.package);
    let mut packages = packages.chain(result.gaps.iter().filter_map(super::format::GapLine::package));
    match packages.find(|PackageId(id)| *id as usize >= workspace.packages.len()) {
        Some(PackageId(id)) => Err(format!("there is no package {id}")),
        None => Ok(()),
    }
}
