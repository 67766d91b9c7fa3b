//! `run.json`: policy, selection, tools and batches of a run.
//!
//! It contains nothing that differs between identical runs: no times, host, parallelism, cache state or digests of
//! binaries.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::finished::Ended;
use super::{SCHEMA, canonical};
use crate::model::digest::Hasher;
use crate::model::digest::Sink;
use crate::model::outcome::{Outcome, ToolOutcome};
use crate::model::policy::{NewLints, Policy};
use crate::model::powerset::Powerset;
use crate::model::task::{Graph, Plan, Shard, Step};
use crate::model::tool::{Tool, ToolId};
use crate::model::variant::VariantBuild;
use crate::model::workspace::{PackageId, Workspace};

pub(super) fn render(workspace: &Workspace, outcome: &Outcome) -> Vec<u8> {
    let plan = &outcome.plan;
    let tools: Vec<_> = plan
        .graph
        .tools
        .iter()
        .zip(&plan.graph.needs)
        .zip(&outcome.tools)
        .map(|((tool, needs), outcome)| self::tool(&plan.graph, tool, needs, outcome))
        .collect();
    let mut run = planned(workspace, plan);
    let Ended { exit, status } = Ended::of(outcome.end);
    run.extend([
        ("end".to_owned(), json!({ "exit": exit, "status": status })),
        ("tools".to_owned(), json!(tools)),
    ]);
    canonical::to_bytes(&Value::Object(run))
}

/// Returns the part of `run.json` that is known before the run.
pub(super) fn planned(workspace: &Workspace, plan: &Plan) -> serde_json::Map<String, Value> {
    let batches: Vec<_> = plan
        .batches
        .par_iter()
        .enumerate()
        .map(|(rank, batch)| {
            json!({
                "batch_id": batch.id.to_string(),
                "class": batch.class,
                "rank": rank,
                "risk": batch.risk,
                "steps": batch.steps.iter().map(|step| self::step(&plan.graph, step)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let mut run = policy(plan);
    run.extend([
        ("batch_id".to_owned(), json!(plan.batch_id.to_string())),
        ("batches".to_owned(), json!(batches)),
        ("graph_hash".to_owned(), json!(plan.graph.hash.to_string())),
        ("schema".to_owned(), json!(SCHEMA)),
        ("selection".to_owned(), selection(workspace, plan)),
    ]);
    if !plan.variants.is_empty() {
        run.insert("variants".to_owned(), json!(variants(workspace, plan)));
    }
    if let Some(shard) = &plan.shard {
        run.insert("shard".to_owned(), self::shard(shard));
    }
    run
}

/// The shard that a run executes.
pub(super) fn shard(shard: &Shard) -> Value {
    json!({
        "count": shard.of.count,
        "index": shard.of.index,
        "partition": shard.partition.to_string(),
        "steps": shard.steps.len(),
        "tasks": shard.tasks.iter().filter(|is_here| **is_here).count(),
    })
}

/// Builds of the variants. Variables are listed by name, without their values.
fn variants(workspace: &Workspace, plan: &Plan) -> Vec<Value> {
    let name_of = |id: &PackageId| workspace.package(*id).name.as_str();
    let tools = plan.graph.tools.iter().filter_map(|tool| tool.variant.as_deref());
    let definitions: BTreeMap<_, _> = tools.map(|variant| (&variant.name, variant)).collect();
    let variant = |(name, build): (&String, &VariantBuild)| {
        let VariantBuild { selection, packages, .. } = build;
        let definition = definitions.get(name);
        let mut object = json!({
            "all_features": selection.all_features,
            "cargo_profile": selection.cargo_profile,
            "env": definition.map(|of| of.vars.keys().collect::<Vec<_>>()).unwrap_or_default(),
            "features": selection.features,
            "name": name,
            "no_default_features": selection.no_default_features,
            "on": definition.map(|of| of.on.as_slice()).unwrap_or_default(),
            "packages": packages.iter().map(name_of).collect::<Vec<_>>(),
            "target": selection.target,
        });
        if let Some(toolchain) = definition.and_then(|of| of.toolchain.as_ref()) {
            object["toolchain"] = json!(toolchain);
        }
        if let Some(lock) = definition.and_then(|of| of.lock.as_ref()) {
            object["lock"] = json!(lock.path.to_string());
        }
        if let Some(root) = &build.workspace {
            object["workspace"] = json!(root.to_string());
        }
        if let Some(Powerset { depth, skip, .. }) = definition.and_then(|of| of.powerset.as_ref()) {
            object["powerset"] = json!({ "depth": depth, "skip": skip });
        }
        object
    };
    plan.variants.iter().map(variant).collect()
}

fn tool(graph: &Graph, tool: &Tool, needs: &[ToolId], outcome: &ToolOutcome) -> Value {
    let needs: Vec<_> = needs.iter().map(|id| graph.tool(*id).name.as_str()).collect();
    let mut object = json!({
        "configured": tool.configured,
        "name": tool.name,
        "namespaces": tool.namespaces,
        "needs": needs,
        "on_demand": tool.on_demand,
        "parse": tool.parse.as_str(),
        "per": tool.unit_word(),
        "required": tool.required,
        "version": outcome.version,
    });
    if let Some(variant) = &tool.variant {
        object["variant"] = json!(variant.name);
    }
    if let Some(command) = &outcome.fix {
        object["fix"] = json!(command);
    }
    if let Some(revision) = &outcome.database {
        object["database"] = json!(revision);
    }
    object
}

/// Returns the fields of the policy in `run.json` and in a plan. Durations are in milliseconds.
pub(super) fn policy(plan: &Plan) -> serde_json::Map<String, Value> {
    let millis = |cap: Option<std::time::Duration>| cap.map(|cap| cap.as_millis() as u64);
    let Policy { order, batch, seed, per_task_timeout, max_duration, blind_spots, against, new_lints } =
        &plan.policy;
    let against = against.iter().map(|against| ("against".to_owned(), json!(against)));
    let new_lints = Some(new_lints).filter(|new_lints| **new_lints != NewLints::Fail);
    let new_lints = new_lints.map(|new_lints| ("new_lints".to_owned(), json!(new_lints.to_string())));
    [
        ("batch_policy".to_owned(), json!(batch.to_string())),
        ("blind_spots".to_owned(), json!(blind_spots.to_string())),
        ("max_duration_ms".to_owned(), json!(millis(*max_duration))),
        ("order_policy".to_owned(), json!(order.to_string())),
        ("per_task_timeout_ms".to_owned(), json!(millis(*per_task_timeout))),
        ("seed".to_owned(), json!(seed)),
    ]
    .into_iter()
    .chain(against)
    .chain(new_lints)
    .collect()
}

pub(super) fn selection(workspace: &Workspace, plan: &Plan) -> Value {
    let selection = &plan.selection;
    let packages: Vec<_> = plan.packages.iter().map(|id| workspace.package(*id).name.as_str()).collect();
    let mut object = json!({
        "all_features": selection.all_features,
        "cargo_profile": selection.cargo_profile,
        "features": selection.features,
        "no_default_features": selection.no_default_features,
        "packages": packages,
        "since": selection.since,
        "skip_tools": selection.skip_tools,
        "target": selection.target,
        "tools": selection.tools,
        "whole": plan.looks_at_all(workspace),
    });
    if !selection.variants.is_empty() {
        object["variants"] = json!(selection.variants);
    }
    if !selection.filters.is_empty() {
        object["filters"] = json!(selection.filters);
    }
    object
}

fn step(graph: &Graph, step: &Step) -> Value {
    let tool = graph.tool(step.tool);
    let mut tasks = Hasher::new("genti.step.1");
    for task in &step.tasks {
        tasks.field("task", &graph.task(*task).id.0.0);
    }
    json!({
        "lane": tool.lane,
        "task_count": step.tasks.len(),
        "tasks": tasks.finish().to_string(),
        "tool": tool.name,
    })
}
