//! Runs one plan on several machines: each runs a shard and records its results in `shard.jsonl`, and one merges them.
//!
//! A record holds what the second half of a run starts from: the results of processes and of the cache, before anything is
//! attributed to tasks or compared with the baseline. [`merge`] enters the results of all shards as if one machine had them, and
//! then does what a run does. So there is only one implementation of a verdict, and the artifacts are the same bytes.
//!
//! Like artifacts, records are not signed. Damage, another checkout, and results that contradict each other are detected;
//! consistent edits of the output of a tool are not.

mod balance;
mod format;
mod merge;
mod read;
mod together;

use std::collections::{BTreeMap, BTreeSet};

pub use self::balance::durations;
use self::format::{Header, ResultLine, StepLine, ToolLine};
pub use self::merge::{Merged, merge};
pub use self::read::{Damage, ShardFile, are_gates};
pub use self::together::{Conflict, NotMerged, ShardDifference};
use super::new_lints::{NewLints, Newer};
use super::results::{PieceResult, Ran, StepResult};
use super::unseen::Build;
use super::{Project, Session};
use crate::cache::{Discovered, Lookup};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::outcome::Timing;
use crate::model::task::{Plan, Shard, Status, StepId, TaskIx};
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;
use crate::normalize::Parsed;
use crate::report;

/// The origin of the results of a shard.
pub(super) struct Origin<'a> {
    /// Version that each tool reports.
    pub(super) versions: &'a [Option<String>],
    pub(super) new_lints: &'a NewLints,
    pub(super) build: Build<'a>,
    pub(super) session: &'a Session<'a>,
    /// Inputs that tasks discovered, as far as the cache determined them.
    pub(super) discovered: &'a BTreeMap<TaskIx, Vec<Discovered>>,
}

/// Returns the content of `shard.jsonl`.
pub(super) fn record(project: &Project, shard: &Shard, ran: &Ran, of: Origin<'_>) -> Vec<u8> {
    let mut lines = format::Lines::new(&header(project, shard, &of));
    let runs: BTreeMap<StepId, &StepResult> = ran.runs.iter().map(|run| (run.step, run)).collect();
    let mut noted: BTreeMap<TaskIx, Vec<&Status>> = BTreeMap::new();
    ran.noted.iter().for_each(|(task, status)| noted.entry(*task).or_default().push(status));
    for id in &shard.steps {
        lines.push(&step(&project.plan, *id, runs.get(id).copied(), &noted, ran, of.discovered));
    }
    lines.finish()
}

fn header(project: &Project, shard: &Shard, of: &Origin<'_>) -> Header {
    let plan = &project.plan;
    let Origin { versions, new_lints, build, session, .. } = of;
    let mut builds = BTreeMap::new();
    for tool in &plan.graph.tools {
        builds.entry(tool.variant_name().to_owned()).or_insert_with(|| build.of(plan, tool));
    }
    let tool = |((tool, version), newer): ((&Tool, &Option<String>), Option<&Newer>)| ToolLine {
        name: tool.name.clone(),
        version: version.clone(),
        newer: newer.cloned(),
    };
    Header {
        index: shard.of.index,
        count: shard.of.count,
        partition: shard.partition,
        balance: shard.balance,
        gate: session.strict.absent,
        parallel: session.parallel,
        builds,
        tools: plan.graph.tools.iter().zip(*versions).zip(new_lints.newer()).map(tool).collect(),
        ..of_checkout(project)
    }
}

/// Returns the header of a shard of this checkout, as far as it is known here.
fn of_checkout(project: &Project) -> Header {
    let Project { workspace, plan, .. } = project;
    let (policy, selection) = report::settings(workspace, plan);
    let tool = |tool: &Tool| ToolLine { name: tool.name.clone(), version: None, newer: None };
    Header {
        schema: report::SCHEMA,
        genti: VERSION.to_owned(),
        system: std::env::consts::OS.to_owned(),
        index: 1,
        count: 1,
        partition: plan.batch_id,
        balance: None,
        graph_hash: plan.graph.hash,
        batch_id: plan.batch_id,
        files: files(workspace),
        policy,
        selection: whole(selection),
        gate: false,
        parallel: 0,
        builds: BTreeMap::new(),
        tools: plan.graph.tools.iter().map(tool).collect(),
    }
}

/// The version of genti, which all shards must share.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Removes the field of a selection that says whether the run is partial, which every shard is.
fn whole(mut selection: serde_json::Value) -> serde_json::Value {
    selection.as_object_mut().map(|fields| fields.remove("whole"));
    selection
}

/// Returns the digest of all files of the workspace, whether or not a tool reads them.
fn files(workspace: &Workspace) -> Digest {
    let mut hasher = Hasher::new("genti.files.1");
    hasher.count("files", workspace.files.len());
    for file in &workspace.files {
        hasher.field("path", file.path.as_bytes());
        hasher.field("content", &file.digest.0);
        hasher.field("link", &[u8::from(file.is_link)]);
    }
    hasher.finish()
}

/// Returns the record of a step. Each task has a result, or a reason why it has none.
fn step(
    plan: &Plan,
    id: StepId,
    run: Option<&StepResult>,
    noted: &BTreeMap<TaskIx, Vec<&Status>>,
    ran: &Ran,
    discovered: &BTreeMap<TaskIx, Vec<Discovered>>,
) -> StepLine {
    let planned = plan.step(id);
    let places: BTreeMap<TaskIx, u32> = planned.tasks.iter().copied().zip(0..).collect();
    let mut results = Vec::new();
    let mut done = BTreeSet::<TaskIx>::new();
    for piece in run.iter().flat_map(|run| &run.pieces) {
        done.extend(&piece.tasks);
        let line = match &piece.result {
            PieceResult::Parsed(parsed) => ResultLine::parsed(parsed),
            PieceResult::Without(status) => ResultLine::without(status),
            PieceResult::NotBuilt => ResultLine::not_built(),
        };
        let tasks = piece.tasks.iter().filter_map(|task| places.get(task).copied()).collect();
        results.push(ResultLine { tasks, raw_exit: piece.raw_exit, cached: piece.is_recalled, ..line });
    }
    let mut clean = ResultLine { cached: true, ..ResultLine::parsed(&Parsed::default()) };
    let mut inputs = Vec::new();
    for (task, &place) in &places {
        let tasks = vec![place];
        let lookup = &ran.lookups[task.0 as usize];
        match lookup {
            Lookup::Clean => clean.tasks.push(place),
            Lookup::Hit(parsed) => {
                results.push(ResultLine { cached: true, tasks: tasks.clone(), ..ResultLine::parsed(parsed) });
            }
            Lookup::Miss(_) | Lookup::OtherShard => {}
        }
        let is_open = lookup.is_miss() && !done.contains(task) && !noted.contains_key(task);
        let not_run = is_open.then(|| Status::NotRun(ran.not_run.clone()));
        let without = noted.get(task).into_iter().flatten().copied().chain(&not_run);
        results.extend(without.map(|status| ResultLine {
            noted: true,
            tasks: tasks.clone(),
            ..ResultLine::without(status)
        }));
        inputs.extend(discovered.get(task).filter(|own| !own.is_empty()).map(|own| (place, own.clone())));
    }
    clean.tasks.sort_unstable();
    results.extend((!clean.tasks.is_empty()).then_some(clean));
    let Timing { start, duration, slot, attempts, .. } =
        run.map(|run| run.timing.clone()).unwrap_or_default();
    StepLine {
        rank: id.rank,
        at: id.at,
        tool: plan.graph.tool(planned.tool).name.clone(),
        tasks: planned.tasks.iter().map(|task| plan.graph.task(*task).id.0).collect(),
        results,
        inputs,
        start_us: format::micros(start),
        duration_us: format::micros(duration),
        slot,
        attempts,
    }
}

#[cfg(test)]
mod tests;
