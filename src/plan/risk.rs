//! Risk: estimates how likely a task is to fail, from pinned inputs only.
//!
//! | part | points |
//! | --- | --- |
//! | changed | 100 if a file of the unit changed since `--since` |
//! | findings | 10 for each doubling of its accepted findings (1, 2, 4, 8), 40 at the most |
//! | dependents | 10 for each doubling of the members that depend on its package, 30 at the most |
//! | weight | the tool's `weight`, less one, 20 at the most |
//!
//! The sum is the risk. From 100 it is *critical*, from 40 *high*, from 10 *medium*, else *low*. These are
//! the four classes of `risk-first`, in this order. Durations and earlier runs don't count, so the risk is
//! the same on every machine.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::finding::{Entry, Place, Site};
use crate::model::path::RelPath;
use crate::model::task::{Graph, Risk, TaskIx, Unit};
use crate::model::tool::Tool;
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize;

/// Facts from outside the workspace that selection and risk depend on.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Files that changed since the revision of `--since`; `None` without the flag.
    pub changed: Option<BTreeSet<RelPath>>,
    /// Accepted findings by namespace.
    pub accepted: BTreeMap<String, Vec<Entry>>,
}

/// Returns the risk of every task.
pub(super) fn assess(workspace: &Workspace, graph: &Graph, facts: &Facts) -> Vec<Risk> {
    let dependents = dependents(workspace);
    let changed = facts.changed.as_ref().map(|files| ChangedFiles {
        files,
        packages: files.iter().filter_map(|path| workspace.owner_of(path)).collect(),
    });
    let mut risks = Vec::with_capacity(graph.tasks.len());
    let mut start = 0;
    for (id, tool) in graph.tools() {
        let units: Vec<Unit> =
            graph.tasks[start..].iter().take_while(|task| task.tool == id).map(|task| task.unit).collect();
        start += units.len();
        let findings = findings(workspace, tool, &units, &facts.accepted);
        for (unit, findings) in units.iter().zip(findings) {
            let dependents = unit.package(workspace).map_or(0, |id| dependents[id.0 as usize]);
            risks.push(Risk {
                changed: 100
                    * u32::from(changed.as_ref().is_some_and(|changed| changed.has(workspace, *unit))),
                findings: (10 * doublings(findings)).min(40),
                dependents: (10 * doublings(dependents)).min(30),
                weight: (tool.weight.get() - 1).min(20),
            });
        }
    }
    risks
}

/// Returns 0 for none, 1 for one, 2 for up to 3, 3 for up to 7, and so on.
fn doublings(count: u32) -> u32 {
    u32::BITS - count.leading_zeros()
}

/// Files that changed since the revision of `--since`, and the packages that own them.
struct ChangedFiles<'a> {
    files: &'a BTreeSet<RelPath>,
    packages: BTreeSet<PackageId>,
}

impl ChangedFiles<'_> {
    fn has(&self, workspace: &Workspace, unit: Unit) -> bool {
        match unit {
            Unit::Workspace => !self.files.is_empty(),
            Unit::File(_) => self.files.contains(unit.path(workspace)),
            Unit::Package(package) | Unit::TargetRoot(package, _) | Unit::Combination(package, _) => {
                self.packages.contains(&package)
            }
        }
    }
}

/// Returns the number of accepted findings of `tool` in each of `units`.
fn findings(
    workspace: &Workspace,
    tool: &Tool,
    units: &[Unit],
    accepted: &BTreeMap<String, Vec<Entry>>,
) -> Vec<u32> {
    let mut counts = vec![0; units.len()];
    for entry in tool.namespaces.iter().filter_map(|ns| accepted.get(ns)).flatten() {
        let place = match &entry.site {
            Site::Path(path) => Place::File { path: path.clone(), range: None },
            Site::Subject(subject) => Place::Subject(subject.clone()),
        };
        if let Some(at) = normalize::attribute(workspace, units, &place, None) {
            counts[at] += 1;
        }
    }
    counts
}

/// Returns, for each package, the number of members that depend on it, directly or not.
fn dependents(workspace: &Workspace) -> Vec<u32> {
    let mut counts = vec![0; workspace.packages.len()];
    for (id, _) in workspace.packages() {
        for dependency in workspace.dependencies_of(id).into_iter().filter(|other| *other != id) {
            counts[dependency.0 as usize] += 1;
        }
    }
    counts
}

/// Returns the highest risk among `tasks`.
pub(super) fn highest(risks: &[Risk], tasks: impl Iterator<Item = TaskIx>) -> Option<u32> {
    tasks.filter_map(|task| risks.get(task.0 as usize)).map(Risk::value).max()
}
