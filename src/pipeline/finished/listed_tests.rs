//! Compares the tests that `tasks.jsonl` lists with the counts in `report.json`, and with the statuses of their tasks.

use std::collections::BTreeMap;

use crate::model::census::{Counts, Group, TestNames, TestTotals};
use crate::model::outcome::TaskOutcome;
use crate::model::task::{Plan, Status};
use crate::model::tool::{Per, Tool, ToolId};
use crate::pipeline::ledger::Ledger;
use crate::report::finished::{Finished, ToolReport};

/// Returns a contradiction for each tool that has one.
pub(super) fn contradictions(plan: &Plan, run: &Finished, ledger: &Ledger<'_>) -> Vec<String> {
    let of_tool = |((id, tool), result): ((ToolId, &Tool), &ToolReport)| {
        let tasks = &ledger.tasks[ledger.tasks_of(id)];
        // Each group belongs to one task then.
        let is_exact = matches!(tool.per, Per::TestTarget | Per::Workspace);
        let found = contradiction(result.census.tests.as_ref(), tasks, is_exact)?;
        Some(format!("tasks.jsonl: {found} (tool {})", result.name))
    };
    plan.graph.tools().zip(&run.report.tools).filter_map(of_tool).collect()
}

fn contradiction(totals: Option<&TestTotals>, tasks: &[TaskOutcome], is_exact: bool) -> Option<String> {
    let mut listed = BTreeMap::<&Group, [u64; 3]>::new();
    for TaskOutcome { status, tests, .. } in tasks {
        for (group, TestNames { passed, failed, ignored }) in tests.iter().flat_map(|tests| &tests.names) {
            if let Some(name) = failed.first().filter(|_| *status == Status::Clean) {
                return Some(format!("`{name}` failed in a task without findings"));
            }
            let lists = [passed.len() + failed.len(), failed.len(), ignored.len()];
            for (sum, len) in listed.entry(group).or_default().iter_mut().zip(lists) {
                *sum += len as u64;
            }
        }
    }
    listed.into_iter().find_map(|(group, lists)| {
        let Counts { run, failed, ignored, .. } =
            totals.and_then(|totals| totals.of_group(group)).unwrap_or_default();
        let counts = [run, failed, ignored.unwrap_or_default()];
        // Otherwise, other tests of the group may be counted without being listed.
        let is_exact = is_exact && *group != Group::Unknown;
        let is_wrong = |list: u64, count: u64| if is_exact { list != count } else { list > count };
        let words = ["tests", "failed tests", "ignored tests"];
        let mut each = lists.into_iter().zip(counts).zip(words);
        let (list, count, what) =
            each.find_map(|((list, count), what)| is_wrong(list, count).then_some((list, count, what)))?;
        Some(format!("{list} {what} of {} are listed, but report.json counts {count}", group.name()))
    })
}
