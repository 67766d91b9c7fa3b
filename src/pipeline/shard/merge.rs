//! Merges the shards of a plan into the outcome that one machine would have.

use std::collections::BTreeMap;
use std::time::Duration;

use super::format::{ResultLine, StepLine};
use super::of_checkout;
use super::read::{ReadShard, ShardFile, Unread};
use super::together::{self, Chosen, Machines, NotMerged, ShardDifference};
use crate::cache::Lookup;
use crate::compare::suppressions::Suppressions;
use crate::model::event::Event;
use crate::model::finding::Entry;
use crate::model::outcome::{Goldens, Outcome, Strict, Timing};
use crate::model::path::RelPath;
use crate::model::shard::ShardIndex;
use crate::model::task::{Status, TaskIx};
use crate::pipeline::against::Causing;
use crate::pipeline::conditions::Conditions;
use crate::pipeline::judge::{self, Undecided};
use crate::pipeline::new_lints::NewLints;
use crate::pipeline::results::{PieceResult, Ran, ResultPiece, StepResult};
use crate::pipeline::unseen::{Build, Unseen};
use crate::pipeline::{Project, exists, golden, lock};
use crate::scan::{Env, Stop};
use crate::workspace;

/// Merged shards.
#[derive(Debug)]
pub struct Merged {
    /// The outcome of the whole run.
    pub outcome: Outcome,
    /// Shards without a file, sorted.
    pub missing: Vec<ShardIndex>,
    /// Reasons to fail the run other than new findings: those of the command that ran the shards.
    pub strict: Strict,
}

/// Merges `files` into the outcome of the plan of `project`, which must not be a shard itself.
///
/// # Errors
///
/// If a shard is damaged, they don't belong together, or contradict each other.
pub fn merge(
    project: &Project,
    files: &[ShardFile],
    env: &Env,
    baseline: &BTreeMap<String, Vec<Entry>>,
    stop: &Stop,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Merged, NotMerged> {
    let Project { workspace, plan, programs, .. } = project;
    let shards = read(project, files)?;
    let missing = together::missing(plan, &shards).map_err(|damage| NotMerged::Damaged(vec![damage]))?;
    let home = home(&shards);
    let chosen = together::choose(plan, &shards, home).map_err(NotMerged::Conflict)?;
    let (Machines { versions, newer, builds }, mut differences) =
        together::machines(plan, &shards, &chosen, home);
    differences.extend(together::inputs(&shards, &chosen));
    if project.locked {
        differences.extend(lock::drift_of(project, &versions, "shards").into_iter().map(|drift| {
            let (found, expected) = (drift.here.value, drift.configured.value);
            let (file, other) = (shards[0].name.clone(), Some(project.lock_name.clone()));
            ShardDifference { file, what: drift.what, found, expected, other }
        }));
    }
    if !differences.is_empty() {
        return Err(NotMerged::Drift(differences));
    }
    let gate = shards.iter().any(|shard| shard.header.gate);
    let strict = Strict { stale: gate && !project.baseline.stale_warns, absent: gate };
    let conditions = Conditions::recorded(project, &versions, env, &builds);
    if !baseline.is_empty() {
        conditions.tell(events);
    }
    let alike = conditions.hold();
    let ran = together_as_one(project, &shards, &chosen, &missing);
    events(Event::Comparing);
    let suppressions = &Suppressions::new(&project.suppressions, project.as_of);
    let on_disk = |path: &RelPath| exists(&path.to_path(&workspace.root));
    let default = plan.graph.tools.iter().zip(&builds).find(|(tool, _)| tool.variant.is_none());
    let target = || {
        let asked_for = plan.selection.target.clone();
        asked_for.or_else(|| default.and_then(|(_, built)| built.target.clone()))
    };
    let beyond = || workspace::manifests_beyond(&workspace.root);
    let new_lints = NewLints::of(project, &versions, newer, project.as_of);
    let case = judge::Case {
        workspace,
        plan,
        versions: versions.clone(),
        suppressions,
        as_of: project.recorded_day(project.as_of),
        baseline,
        read: &|paths| workspace::read_sources(&workspace.root, paths),
        goldens: Goldens {
            accepted: BTreeMap::new(),
            orphans: golden::orphans(workspace, plan, &project.disabled),
        },
        unseen: Unseen::Found(Build { workspace, programs, env, recorded: Some(&builds) }),
        stated: None,
        blind_spots: None,
        causing: Causing::Nothing,
        new_lints: &new_lints,
        // A signal that stopped a shard did not stop this run.
        stopped: &|| None,
        strict,
        parallel: shards.iter().map(|shard| shard.header.parallel).fold(0, usize::saturating_add),
        max_findings: project.max_findings,
        halt: stop,
    };
    let facts = judge::Facts { exists: &on_disk, target: &target, beyond: &beyond };
    let outcome = judge::outcome(case, ran, alike, facts).map_err(|undecided| match undecided {
        Undecided::Source(error) => NotMerged::Source(error),
        Undecided::Halted(_) => NotMerged::Halted,
    })?;
    Ok(Merged { outcome, missing, strict })
}

/// Reads the shards in a fixed order, whatever the order of `files`.
fn read(project: &Project, files: &[ShardFile]) -> Result<Vec<ReadShard>, NotMerged> {
    let (mut shards, mut damages) = (Vec::new(), Vec::new());
    for file in files {
        match file.read() {
            Ok(shard) => shards.push(shard),
            Err(Unread::Damage(damage)) => damages.push(damage),
            Err(Unread::Newer(found)) => return Err(NotMerged::Newer { file: file.name.clone(), found }),
        }
    }
    if !damages.is_empty() {
        return Err(NotMerged::Damaged(damages));
    }
    if shards.is_empty() {
        return Err(NotMerged::None);
    }
    shards.sort_by(|a, b| (a.header.index, a.digest, &a.name).cmp(&(b.header.index, b.digest, &b.name)));
    // The same file twice says nothing new.
    shards.dedup_by(|a, b| a.digest == b.digest);
    let differences = together::compare(&of_checkout(project), &shards);
    if !differences.is_empty() {
        return Err(NotMerged::Drift(differences));
    }
    let damages = shards.iter().filter_map(|shard| shard.check(&project.workspace, &project.plan).err());
    let damages: Vec<_> = damages.collect();
    if damages.is_empty() { Ok(shards) } else { Err(NotMerged::Damaged(damages)) }
}

/// Returns the system whose results count for tools that run on all: that of all shards or, if these differ, that of this machine.
fn home(shards: &[ReadShard]) -> &str {
    let mut systems = shards.iter().map(|shard| shard.header.system.as_str());
    let first = systems.next().unwrap_or(std::env::consts::OS);
    if systems.all(|system| system == first) { first } else { std::env::consts::OS }
}

/// Returns the chosen results as those of one run.
fn together_as_one(
    project: &Project,
    shards: &[ReadShard],
    chosen: &Chosen<'_>,
    missing: &[ShardIndex],
) -> Ran {
    let plan = &project.plan;
    let why = match missing {
        [] => "no shard has a result".to_owned(),
        [one] => format!("no shard has a result; shard {one} is missing"),
        all => {
            let all: Vec<_> = all.iter().map(ToString::to_string).collect();
            format!("no shard has a result; the shards {} are missing", all.join(", "))
        }
    };
    let mut ran = Ran {
        runs: Vec::new(),
        lookups: plan.graph.tasks.iter().map(|_| Lookup::none()).collect(),
        noted: Vec::new(),
        not_run: why,
    };
    // The slots of the shards, side by side.
    let slots = shards.iter().scan(0_u32, |next, shard| {
        let first = *next;
        *next = next.saturating_add(u32::try_from(shard.header.parallel).unwrap_or(u32::MAX));
        Some(first)
    });
    let slots: Vec<_> = slots.collect();
    for (id, (at, line)) in chosen {
        let planned = &plan.step(*id).tasks;
        let tasks = |result: &ResultLine| -> Vec<TaskIx> {
            result.tasks.iter().filter_map(|task| planned.get(*task as usize).copied()).collect()
        };
        let StepLine { results, start_us, duration_us, slot, attempts, .. } = *line;
        let mut pieces = Vec::new();
        for result in results {
            let tasks = tasks(result);
            let raw_exit = result.raw_exit;
            if result.cached {
                let parsed = result.clone().into_parsed();
                for task in tasks {
                    let is_clean = parsed == crate::normalize::Parsed::default();
                    let hit = if is_clean { Lookup::Clean } else { Lookup::Hit(Box::new(parsed.clone())) };
                    ran.lookups[task.0 as usize] = hit;
                }
                continue;
            }
            let status = result.status.as_deref();
            let status = status.and_then(|name| Status::read(name, result.reason.as_deref()));
            let result = match status {
                Some(status) if result.noted => {
                    ran.noted.extend(tasks.into_iter().map(|task| (task, status.clone())));
                    continue;
                }
                Some(status) => PieceResult::Without(status),
                None if result.not_built => PieceResult::NotBuilt,
                None => PieceResult::Parsed(Box::new(result.clone().into_parsed())),
            };
            pieces.push(ResultPiece { tasks, result, raw_exit, is_recalled: false });
        }
        let timing = Timing {
            start: Duration::from_micros(*start_us),
            duration: Duration::from_micros(*duration_us),
            slot: slots[*at].saturating_add(*slot),
            attempts: *attempts,
            ..Timing::default()
        };
        ran.runs.push(StepResult { step: *id, pieces, timing });
    }
    ran
}
