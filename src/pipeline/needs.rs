//! Withholds tasks whose needs are not met: a task that they need has no result, or is a program that failed.
//!
//! A package without a result does not stop the tasks of others. Builds for tests don't count as a need: the task of a program
//! that was not built says so itself.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cache::Lookup;
use crate::model::task::{Plan, TaskIx, Unit};
use crate::model::tool::{Parse, Tool, ToolId, Work};
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::{Normalized, Parsed};
use crate::scan::{Ended, StepRun};

/// The results that tasks wait for.
pub(super) struct Needs<'a> {
    workspace: &'a Workspace,
    plan: &'a Plan,
    /// For each tool that others need.
    unmet: Mutex<Vec<Unmet>>,
}

/// Results that a tool lacks.
#[derive(Clone, Default)]
struct Unmet {
    /// True if it lacks all of the workspace.
    is_all: bool,
    packages: BTreeSet<PackageId>,
    /// True if its program failed, and nothing else is known about it.
    has_failed: bool,
}

impl<'a> Needs<'a> {
    /// `lookups` are the cached results.
    pub(super) fn new(workspace: &'a Workspace, plan: &'a Plan, lookups: &[Lookup]) -> Self {
        let unmet = Mutex::new(vec![Unmet::default(); plan.graph.tools.len()]);
        let needs = Self { workspace, plan, unmet };
        for (at, lookup) in (0..).map(TaskIx).zip(lookups) {
            if let Lookup::Hit(parsed) = lookup {
                needs.judged(plan.graph.task(at).tool, &[at], parsed);
            }
        }
        needs
    }

    /// Records the results of a step.
    pub(super) fn ended(&self, run: &StepRun<Normalized>) {
        let id = self.plan.step(run.step).tool;
        for piece in &run.pieces {
            match &piece.ended {
                Ended::Judged(Ok(parsed)) => self.judged(id, &piece.tasks, parsed),
                // A tool that was only detected may be missing.
                Ended::Missing(_) if self.plan.graph.tool(id).is_only_detected() => {}
                Ended::Elsewhere(_) | Ended::Stopped(_) => {}
                _ => self.lacks(id, &piece.tasks, false),
            }
        }
    }

    /// Returns the reason why `task` can't run.
    pub(super) fn unmet(&self, task: TaskIx) -> Option<String> {
        let graph = &self.plan.graph;
        let task = graph.task(task);
        let unmet = self.lock();
        let package = task.unit.package(self.workspace);
        let needs = graph.needs[task.tool.0 as usize].iter().filter(|need| is_need(graph.tool(**need)));
        let mut blocking = needs.filter(|need| unmet[need.0 as usize].blocks(package));
        let need = *blocking.next()?;
        let why = if unmet[need.0 as usize].has_failed { "failed" } else { "has no result" };
        Some(format!("not run because `{}` {why}, which it needs", graph.tool(need).name))
    }

    fn judged(&self, id: ToolId, tasks: &[TaskIx], parsed: &Parsed) {
        let tool = self.plan.graph.tool(id);
        if tool.parse == Parse::ExitCode && !parsed.diagnostics.is_empty() {
            self.lacks(id, tasks, true);
        }
        for gap in &parsed.gaps {
            match gap.package {
                Some(package) => {
                    self.lock()[id.0 as usize].packages.insert(package);
                }
                None => self.lacks(id, tasks, false),
            }
        }
    }

    /// Records that `tasks` lack a result.
    fn lacks(&self, id: ToolId, tasks: &[TaskIx], has_failed: bool) {
        let unmet = &mut self.lock()[id.0 as usize];
        unmet.has_failed |= has_failed;
        for task in tasks {
            match self.plan.graph.task(*task).unit {
                Unit::Workspace => unmet.is_all = true,
                unit => unmet.packages.extend(unit.package(self.workspace)),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Unmet>> {
        self.unmet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unmet {
    /// Returns true if a task of `package`, or of the whole workspace, can't run without it. Other packages don't stop the task
    /// of one, and only a failure stops that of all.
    fn blocks(&self, package: Option<PackageId>) -> bool {
        self.is_all || package.map_or(self.has_failed, |package| self.packages.contains(&package))
    }
}

fn is_need(tool: &Tool) -> bool {
    tool.parse.work() != Work::Build
}
