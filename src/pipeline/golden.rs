//! Compares the output of processes with golden files during a run, on the thread that ran the process. Writes nothing: accepted
//! output is part of the outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::compare::golden::{self, GoldenDifference, Mismatch};
use crate::model::finding::{Diagnostic, Level, Place, Position, Range, Related};
use crate::model::golden::{Printed, path, tool_of};
use crate::model::path::RelPath;
use crate::model::task::{Plan, Unit};
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;
use crate::normalize::{Normalized, Parsed, Unparsable};
use crate::store;

/// Rule of findings about golden files.
const RULE: &str = "golden";

/// The golden files of a workspace.
pub(super) struct Goldens<'a> {
    workspace: &'a Workspace,
    /// Files to write, if the run accepts differences (`--bless`).
    accepted: Option<Mutex<BTreeMap<RelPath, String>>>,
}

impl<'a> Goldens<'a> {
    /// With `bless`, differences are accepted instead of reported.
    pub(super) fn new(workspace: &'a Workspace, bless: bool) -> Self {
        Self { workspace, accepted: bless.then(Mutex::default) }
    }

    /// Adds a difference from the golden file of `unit` to `parsed`, if the output of `tool` is compared with one.
    pub(super) fn judge(&self, tool: &Tool, unit: Unit, mut parsed: Parsed) -> Normalized {
        let Some(printed) = parsed.printed.take() else { return Ok(parsed) };
        let path = path(&tool.name, unit.path(self.workspace));
        let golden =
            store::load_golden(&self.workspace.root, &path).map_err(|error| Unparsable(error.to_string()))?;
        let Some(difference) = golden::compare(golden.as_deref(), &printed) else { return Ok(parsed) };
        match &self.accepted {
            Some(accepted) => {
                accepted.lock().unwrap_or_else(PoisonError::into_inner).insert(path, difference.accepted);
            }
            None => parsed.diagnostics.push(diagnostic(tool, unit, path, printed, difference)),
        }
        Ok(parsed)
    }

    /// Returns the files to write.
    pub(super) fn accepted(self) -> BTreeMap<RelPath, String> {
        let accepted = self.accepted.unwrap_or_default();
        accepted.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn diagnostic(
    tool: &Tool,
    unit: Unit,
    path: RelPath,
    printed: Printed,
    found: GoldenDifference,
) -> Diagnostic {
    let GoldenDifference { what, line, diff, .. } = found;
    let message = match what {
        Mismatch::Missing => "there is no golden file yet; `cargo genti run --bless` writes it".to_owned(),
        Mismatch::Exit(code) => {
            format!("exited with `{}`, but the golden file expects `{code}`", printed.code)
        }
        Mismatch::Text => "the output differs from the golden file".to_owned(),
    };
    let at = |line| Position { line, column: 1 };
    let range = Range { start: at(line), end: at(line.saturating_add(1)) };
    // The other stream may explain an unexpected exit code.
    let aside = printed.aside.filter(|_| matches!(what, Mismatch::Exit(_)) || printed.code != 0);
    let notes = [Some(diff), aside].into_iter().flatten().filter(|text| !text.is_empty());
    Diagnostic {
        place: Place::File { path, range: (what != Mismatch::Missing).then_some(range) },
        ns: tool.base().into(),
        rule: RULE.into(),
        level: Level::Error,
        message: message.into(),
        // The output is accepted with `--bless`, not in a baseline.
        fatal: true,
        package: match unit {
            Unit::Package(package) => Some(package),
            _ => None,
        },
        related: notes.map(|message| Related { message, place: None }).collect(),
        fix: None,
        test: None,
    }
}

/// Returns the golden files without a task that prints them, sorted. Empty unless this is a full run. Files of configured tools
/// that take no part in the run are ignored.
pub(super) fn orphans(workspace: &Workspace, plan: &Plan, disabled: &[String]) -> Vec<RelPath> {
    if !plan.is_full(workspace) {
        return Vec::new();
    }
    let graph = &plan.graph;
    let tasks = graph.tasks.iter().map(|task| (graph.tool(task.tool), task.unit));
    let printed: BTreeSet<_> = tasks
        .filter(|(tool, _)| tool.has_goldens())
        .map(|(tool, unit)| path(&tool.name, unit.path(workspace)))
        .collect();
    let is_aside = |tool: &str| plan.unasked.contains(tool) || disabled.iter().any(|name| name == tool);
    let files = workspace.files.iter().map(|file| &file.path);
    let orphans =
        files.filter(|path| tool_of(path).is_some_and(|tool| !is_aside(tool)) && !printed.contains(*path));
    orphans.cloned().collect()
}

/// Returns whether any of `orphans` belongs to a required tool, so that it fails a strict run.
pub(super) fn decide(plan: &Plan, orphans: &[RelPath]) -> bool {
    let is_optional = |name: &str| plan.graph.tools.iter().any(|tool| tool.name == name && !tool.required);
    orphans.iter().any(|path| !tool_of(path).is_some_and(is_optional))
}
