//! Finds the variants that reported a finding, and those that could have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::compare::variants::unite;
use crate::model::finding::{Finding, Place, SeenIn};
use crate::model::task::Plan;
use crate::model::text::Text;
use crate::model::tool::{Tool, Work};
use crate::model::variant::Variant;
use crate::model::workspace::{PackageId, Workspace};

/// Unites what several variants of a tool found, and records where each finding was seen. `ran` says whether a tool ran in this
/// run, which it does not on some systems.
pub(super) fn mark(
    workspace: &Workspace,
    plan: &Plan,
    findings: Vec<Finding>,
    ran: &dyn Fn(&Tool) -> bool,
) -> Vec<Finding> {
    if plan.graph.tools.iter().all(|tool| tool.variants.is_empty()) {
        return findings;
    }
    let mut findings = unite(findings);
    let mut known: BTreeMap<_, Option<Arc<SeenIn>>> = BTreeMap::new();
    for finding in &mut findings {
        let owner = match &finding.diagnostic.place {
            Place::File { path, .. } => workspace.owner_of(path),
            Place::Subject(subject) => {
                finding.diagnostic.package.or_else(|| workspace.owner_of_test(subject))
            }
        };
        let key = (finding.diagnostic.ns.clone(), Arc::clone(&finding.tools), owner);
        let seen = known.entry(key).or_insert_with(|| seen_in(plan, finding, owner, ran));
        finding.seen_in.clone_from(seen);
    }
    findings
}

/// Returns the variants in which `finding` was seen, if a tool that could report it has several.
fn seen_in(
    plan: &Plan,
    finding: &Finding,
    owner: Option<PackageId>,
    ran: &dyn Fn(&Tool) -> bool,
) -> Option<Arc<SeenIn>> {
    let ns = &finding.diagnostic.ns;
    let reports =
        |tool: &&Tool| tool.namespaces.iter().any(|own| ns == own) || finding.is_of_any(tool.base());
    let tools: Vec<_> = plan.graph.tools.iter().filter(reports).collect();
    if tools.iter().all(|tool| tool.variants.is_empty()) {
        return None;
    }
    let could = |tool: &&&Tool| ran(tool) && owner.is_none_or(|owner| plan.build_of(tool).has(owner));
    let could: BTreeSet<_> = tools.iter().filter(could).map(|tool| tool.variant_name()).collect();
    let variants: BTreeSet<_> = finding.tools.iter().map(|tool| Variant::split(tool).1).collect();
    let has_file = finding.diagnostic.place.path().is_some();
    Some(Arc::new(SeenIn {
        is_everywhere: could.is_subset(&variants),
        variants: variants.into_iter().map(Text::from).collect(),
        is_per_variant: is_per_variant(tools.iter().copied(), has_file),
    }))
}

/// Returns whether accepting a finding of `tools` in one variant says nothing about the others. Only lints are properties of the
/// code at their place, whichever build compiles it. A program that fails may fail for another reason in each build.
pub(super) fn is_per_variant<'t>(mut tools: impl Iterator<Item = &'t Tool>, has_file: bool) -> bool {
    !has_file || !tools.any(|tool| tool.parse.work() == Work::Lint)
}
