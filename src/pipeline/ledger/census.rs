//! The census of each tool, and facts derived from it.

use std::collections::{BTreeMap, BTreeSet};

use super::Ledger;
use crate::model::census::{Census, Totals};
use crate::model::finding::Diagnostic;
use crate::model::ratchet::Decimal;
use crate::model::task::{Status, TaskIx, Unit};
use crate::model::text::Text;
use crate::model::tool::{Per, ToolId};
use crate::model::workspace::PackageId;
use crate::pipeline::conditions::Alike;

/// Census of a tool, from this run or from the artifacts of a finished run.
pub(in crate::pipeline) enum Looked {
    /// Sum of the results of this run.
    At(Census),
    /// Totals from artifacts.
    Stated(Totals),
}

impl Ledger<'_> {
    /// Returns the census of the tool at this index. For a tool that runs per file, the files are counted here.
    pub(in crate::pipeline) fn totals(&self, at: usize) -> Totals {
        // An on-demand tool does not run if the results of the tools that need it are cached.
        if self.plan.graph.tools[at].on_demand {
            return Totals::default();
        }
        let mut totals = match &self.census[at] {
            Looked::At(census) => census.totals(),
            Looked::Stated(totals) => totals.clone(),
        };
        if self.plan.graph.tools[at].per == Per::File {
            let tasks = &self.tasks[self.tasks_of(ToolId(at as u32))];
            let files = tasks.iter().filter(|task| task.status.is_verdict()).count();
            totals.files = (files > 0).then_some(files as u64);
        }
        for of in totals.tests.iter_mut().flat_map(|tests| &mut tests.by_target) {
            of.path = self.workspace.test_target(&of.target).map(|target| target.root.to_string());
        }
        totals
    }

    /// Returns the census of `tool`, unless it is incomplete or has no tasks.
    pub(in crate::pipeline) fn complete_census(&self, tool: ToolId) -> Option<Census> {
        match &self.census[tool.0 as usize] {
            Looked::At(census) if !self.tasks_of(tool).is_empty() && self.is_done(tool) => {
                Some(census.clone())
            }
            _ => None,
        }
    }

    /// Returns the census of `tool`, which may be incomplete. `None` if only totals from artifacts are known.
    pub(in crate::pipeline) fn known_census(&self, tool: ToolId) -> Option<&Census> {
        match &self.census[tool.0 as usize] {
            Looked::At(census) => Some(census),
            Looked::Stated(..) => None,
        }
    }

    /// Returns the packages for which `tool` has no result; `None` if it is unknown which these are.
    pub(in crate::pipeline) fn packages_without_result(&self, tool: ToolId) -> Option<BTreeSet<PackageId>> {
        let is_open = |at: &usize| {
            let status = &self.tasks[*at].status;
            !status.is_verdict() && !matches!(status, Status::Skipped(_))
        };
        let gaps = &self.gaps[tool.0 as usize];
        let names: BTreeSet<_> = gaps.iter().map(|id| self.workspace.package(*id).name.as_str()).collect();
        let mut incomplete = self.incomplete[tool.0 as usize].iter();
        let are_of_packages = incomplete.all(|(unit, _)| names.contains(unit.as_str()));
        let mut packages = gaps.clone();
        for at in self.tasks_of(tool).filter(is_open) {
            match self.units[at] {
                Unit::Package(package) | Unit::TargetRoot(package, _) | Unit::Combination(package, _) => {
                    packages.insert(package);
                }
                Unit::Workspace | Unit::File(_) if are_of_packages && !gaps.is_empty() => {}
                Unit::Workspace | Unit::File(_) => return None,
            }
        }
        Some(packages)
    }

    /// Returns true if all tasks of `tool` have a result or were skipped. Those of another shard have none.
    pub(in crate::pipeline) fn is_done(&self, tool: ToolId) -> bool {
        let is_done = |at: usize| {
            let status = &self.tasks[at].status;
            let is_done = status.is_verdict() || matches!(status, Status::Skipped(_));
            is_done && self.plan.is_here(TaskIx(at as u32))
        };
        self.tasks_of(tool).all(is_done)
    }

    /// Returns true if the conditions of `tool` are the same as for the baseline.
    pub(in crate::pipeline) fn is_as_accepted(&self, tool: ToolId) -> bool {
        self.alike(tool) == Alike::Same
    }

    /// Returns how the conditions of `tool` compare with those under which the baseline was recorded.
    pub(in crate::pipeline) fn alike(&self, tool: ToolId) -> Alike {
        self.alike[tool.0 as usize]
    }

    /// Sets the status of the first task of the first tool in `tools`, unless its status is already worse.
    pub(in crate::pipeline) fn raise_first(&mut self, tools: &[Text], status: Status) {
        let tool =
            self.plan.graph.tools().find(|(_, tool)| tools.first().is_some_and(|first| *first == tool.name));
        if let Some(at) = tool.and_then(|(id, _)| self.tasks_of(id).next()) {
            self.raise(TaskIx(at as u32), status);
        }
    }

    /// Returns the numbers that `tool` reported in this run.
    pub(in crate::pipeline) fn numbers_of(&self, tool: ToolId) -> BTreeMap<String, Decimal> {
        match &self.census[tool.0 as usize] {
            Looked::At(census) => census.numbers.clone(),
            Looked::Stated(..) => BTreeMap::new(),
        }
    }

    /// Returns the status of the task of `tool` for `unit`.
    pub(in crate::pipeline) fn status_of(&self, tool: ToolId, unit: Unit) -> Option<&Status> {
        let at = self.tasks_of(tool).find(|at| self.units[*at] == unit)?;
        Some(&self.tasks[at].status)
    }

    /// Records that `tool` has no result for any of its units.
    pub(in crate::pipeline) fn note_all(&mut self, tool: ToolId, reason: &str) {
        self.incomplete[tool.0 as usize].insert((".".to_owned(), reason.to_owned()));
        for at in self.tasks_of(tool) {
            self.raise(TaskIx(at as u32), Status::Incomplete(reason.to_owned()));
        }
    }

    /// Records a finding of genti itself about `unit` of `tool`.
    pub(in crate::pipeline) fn enter_own(&mut self, tool: ToolId, unit: Unit, diagnostic: Diagnostic) {
        let mut tasks = self.tasks_of(tool);
        let own = tasks.clone().find(|at| self.units[*at] == unit).or(tasks.next());
        if let Some(at) = own {
            self.raise(TaskIx(at as u32), Status::Findings);
        }
        self.diagnostics.push((self.plan.graph.tool(tool).name.as_str().into(), diagnostic));
    }
}
