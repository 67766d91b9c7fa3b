//! Planning: turns configuration, tools and selection into an ordered, batched [`Plan`].
//!
//! The plan is a pure function of the workspace's content, the configuration, the selection and the policy.
//! It does not depend on the clock, the number of cores, directory order, the cache or earlier runs, so the
//! graph hash, batch ids and command lines are the same on every machine and at every parallelism.

mod batch;
pub mod cause;
mod changed;
mod command;
pub mod config;
mod declared;
mod drift;
mod fix;
mod globs;
mod graph;
mod order;
#[cfg(test)]
mod order_tests;
mod partition;
#[cfg(test)]
mod prop_tests;
mod risk;
mod select;
#[cfg(test)]
mod tests;

pub use command::expand;
pub use declared::{Declared, links_in_place_of_files};
pub use drift::{Drift, DriftKind, Setting};
pub use fix::fix_command;
pub use globs::OutputGlobs;
pub use partition::{Durations, Partition, partition_digest};
pub use risk::Facts;
pub use select::{PlanError, check_features};

use std::collections::BTreeMap;
use std::sync::Arc;

use changed::ChangedPaths;
use config::{BaselineConfig, PolicyConfig};

use crate::model::digest::Explanation;
use crate::model::policy::{BlindSpots, Order, Policy, Selection};
use crate::model::task::{Builds, Plan, TaskIx};
use crate::model::tool::Tool;
use crate::model::variant::{Build, Variant, VariantBuild};
use crate::model::workspace::{PackageId, Workspace};

/// Returns the hashed fields of the id of `task`, with their values.
///
/// # Errors
///
/// Never for a task of `plan`, whose globs have been compiled before.
pub fn explain(workspace: &Workspace, plan: &Plan, task: TaskIx) -> Result<Explanation, PlanError> {
    graph::explain(workspace, plan, task)
}

/// Returns the differences between the run and the configuration: in the policy (after `asked` overrides
/// `configured`) and in the selection.
pub fn drift(
    workspace: &Workspace,
    plan: &Plan,
    asked: &PolicyConfig,
    configured: &PolicyConfig,
    baseline: &BaselineConfig,
) -> Vec<Drift> {
    let mut drift = drift::of_policy(asked, configured);
    drift.extend(drift::of_selection(workspace, plan, baseline));
    drift
}

/// Plans `tools` over `workspace`.
///
/// # Errors
///
/// If the selection names a package or a tool that does not exist, or a file name or the arguments of a tool
/// exceed the command line limit.
pub fn plan(
    workspace: &Workspace,
    tools: Vec<Tool>,
    selection: Selection,
    policy: Policy,
    facts: &Facts,
) -> Result<Plan, PlanError> {
    let asked = select::packages(workspace, &selection)?;
    let select::Chosen { mut tools, unasked } = select::tools(workspace, tools, &selection)?;
    let is_of_all = selection.tools.is_empty() && selection.skip_tools.is_empty();
    if policy.blind_spots == BlindSpots::Deny && is_of_all {
        // It has no tasks: genti itself reports the findings that this tool stands for.
        tools.push(config::blind_spots());
        tools.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let changed = match &facts.changed {
        Some(files) if selection.since.is_some() => ChangedPaths::new(files, &tools)?,
        _ => None,
    };
    let packages = match &changed {
        Some(changed) => changed.of(workspace, asked.clone()),
        None => asked.clone(),
    };
    let variants = variants(workspace, &tools, &asked, changed.as_ref());
    let whole: Vec<_> = workspace.packages().map(|(id, _)| id).collect();
    let members = workspace.member_count();
    let all =
        Build { workspace: None, selection: &selection, whole: &whole, asked: &asked, packages: &packages };
    let builds = Builds::new(all, members, &variants);
    let scope = graph::Scope { builds, changed: changed.as_ref() };
    let graph = graph::build(workspace, tools, scope)?;
    let risks = match policy.order {
        Order::RiskFirst => risk::assess(workspace, &graph, facts),
        Order::Deterministic | Order::Topo | Order::RequiredFirst => Vec::new(),
    };
    let ordered = order::sort(workspace, &graph, &policy, &risks);
    let batches = batch::cut(workspace, &graph, &ordered, &risks, &policy)?;
    let batch_id = batch::id_of_all(&batches);
    let is_narrowed = changed.is_some();
    Ok(Plan {
        graph,
        policy,
        selection,
        all: whole,
        members,
        asked,
        packages,
        variants,
        is_narrowed,
        unasked,
        risks,
        batches,
        batch_id,
        shard: None,
    })
}

/// Returns true if a build of `packages` alone is another one in `variant` than without it: not if all that it sets are features
/// of other packages.
fn differs_for(workspace: &Workspace, variant: &Variant, packages: &[PackageId]) -> bool {
    let Selection { features, all_features, no_default_features, target, cargo_profile, .. } = &variant.build;
    let is_more = *all_features
        || *no_default_features
        || target.is_some()
        || cargo_profile.is_some()
        || variant.powerset.is_some()
        || variant.toolchain.is_some()
        || variant.lock.is_some()
        || variant.workspace.is_some()
        || !variant.vars.is_empty();
    let has = |name: &String| command::may_have(workspace, packages, name);
    features.is_empty() || is_more || features.iter().any(has)
}

/// Returns what cargo builds for each variant of `tools`: the packages of the variant, as far as they are `asked` for.
fn variants(
    workspace: &Workspace,
    tools: &[Tool],
    asked: &[PackageId],
    changed: Option<&ChangedPaths<'_>>,
) -> BTreeMap<String, VariantBuild> {
    let variants: BTreeMap<_, _> = tools
        .iter()
        .filter_map(|tool| tool.variant.as_ref())
        .map(|variant| (&variant.name, variant))
        .collect();
    let build = |(name, variant): (&String, &Arc<Variant>)| {
        let whole = config::packages_of(variant, workspace);
        let asked: Vec<_> = whole.iter().copied().filter(|id| asked.binary_search(id).is_ok()).collect();
        let mut packages = match changed {
            Some(changed) => changed.of(workspace, asked.clone()),
            None => asked.clone(),
        };
        if packages.len() < whole.len() && !differs_for(workspace, variant, &packages) {
            packages.clear();
        }
        let selection = Selection { packages: Vec::new(), exclude: Vec::new(), ..variant.build.clone() };
        let workspace = variant.workspace.clone();
        (name.clone(), VariantBuild { workspace, selection, whole, asked, packages })
    };
    variants.into_iter().map(build).collect()
}
