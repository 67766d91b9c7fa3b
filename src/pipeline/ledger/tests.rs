//! Runs as plain values, entered into a ledger.

use std::time::Duration;

use super::*;
use crate::cache::Discarded;
use crate::model::policy::{Policy, Selection};
use crate::model::task::StepId;
use crate::model::testing::{tool, workspace};
use crate::model::tool::Parse;
use crate::model::workspace::TargetKind;
use crate::normalize::Normalized;
use crate::normalize::testing::run;
use crate::pipeline::results::of_discarded;
use crate::plan::{self, Facts};
use crate::scan::{Ended, Kept, StepPiece, StepRun};

fn two_packages() -> Workspace {
    let (a, b) = ([(TargetKind::Lib, "a/src/lib.rs")], [(TargetKind::Lib, "b/src/lib.rs")]);
    workspace(&[("a", &a), ("b", &b)], &["a/src/lib.rs", "b/src/lib.rs"])
}

/// A plan with one tool, `lint`, that runs once for each package and prints a finding per line.
fn plan(workspace: &Workspace) -> Plan {
    let lint = Tool { per: Per::Package, ..tool("lint", Parse::Lines, &["lint", "{package}"]) };
    plan::plan(workspace, vec![lint], Selection::default(), Policy::default(), &Facts::default()).unwrap()
}

/// The result of a process of `lint` that printed `text` for the package at this index.
fn printed(workspace: &Workspace, plan: &Plan, package: u32, text: &str) -> Ended<Normalized> {
    let units = [Unit::Package(PackageId(package))];
    Ended::Judged(run(workspace, &plan.graph.tools[0], &units, text, "", 0))
}

fn step(ended: Vec<(u32, Ended<Normalized>)>) -> StepRun<Normalized> {
    let piece = |(task, ended)| StepPiece {
        tasks: vec![TaskIx(task)],
        ended,
        raw_exit: Some(0),
        is_recalled: false,
        is_second: false,
        is_retry: false,
        observed: None,
        is_outside: false,
    };
    StepRun {
        step: StepId { rank: 0, at: 0 },
        pieces: ended.into_iter().map(piece).collect(),
        kept: Kept::default(),
        start: Duration::ZERO,
        duration: Duration::ZERO,
        slot: 0,
        attempts: 1,
        fails: false,
        is_away: false,
    }
}

/// Enters `steps`. Returns the name of the status of each task, and the outcome of the tool.
fn entered(
    workspace: &Workspace,
    plan: &Plan,
    steps: Vec<StepRun<Normalized>>,
) -> (Vec<&'static str>, ToolOutcome) {
    let mut ledger = Ledger::new(workspace, plan, vec![Alike::Same], "stopped".to_owned(), &|_| true);
    let steps: Vec<_> = steps.into_iter().map(|step| StepResult::of(workspace, plan, step)).collect();
    steps.iter().for_each(|step| ledger.mark(step));
    steps.into_iter().for_each(|step| ledger.enter(step));
    let mut outcomes = ledger.tools(vec![None]);
    (ledger.tasks.iter().map(|task| task.status.as_str()).collect(), outcomes.remove(0))
}

#[test]
fn a_finding_marks_the_task_of_its_file() {
    let workspace = two_packages();
    let plan = plan(&workspace);
    let clean = printed(&workspace, &plan, 0, "");
    let found = printed(&workspace, &plan, 1, "b/src/lib.rs:1: bad\n");
    let (statuses, outcome) = entered(&workspace, &plan, vec![step(vec![(0, clean), (1, found)])]);
    assert_eq!(statuses, ["clean", "findings"]);
    assert_eq!(outcome.verdict, Verdict::Passed);
}

#[test]
fn a_task_that_never_ran_leaves_its_tool_incomplete() {
    let workspace = two_packages();
    let plan = plan(&workspace);
    let clean = printed(&workspace, &plan, 0, "");
    let (statuses, outcome) = entered(&workspace, &plan, vec![step(vec![(0, clean)])]);
    assert_eq!(statuses, ["clean", "not-run"]);
    assert_eq!(outcome.verdict, Verdict::Incomplete);
    assert_eq!(outcome.incomplete, [("b".to_owned(), "stopped".to_owned())]);
}

#[test]
fn the_worst_of_several_processes_decides_the_status_of_a_task() {
    let workspace = two_packages();
    let plan = plan(&workspace);
    let crashed = || Ended::Crashed("ended by SIGSEGV".to_owned());
    let found = || printed(&workspace, &plan, 0, "a/src/lib.rs:1: bad\n");
    for pieces in [vec![(0, crashed()), (0, found())], vec![(0, found()), (0, crashed())]] {
        let (statuses, outcome) = entered(&workspace, &plan, vec![step(pieces)]);
        assert_eq!(statuses[0], "crashed");
        assert_eq!(outcome.verdict, Verdict::Incomplete);
    }
}

#[test]
fn a_cached_result_leaves_the_same_as_a_process() {
    let workspace = two_packages();
    let plan = plan(&workspace);
    let text = "b/src/lib.rs:1: bad\n";
    let ran = || step(vec![(0, printed(&workspace, &plan, 0, "")), (1, printed(&workspace, &plan, 1, text))]);
    let (of_run, _) = entered(&workspace, &plan, vec![ran()]);
    let Ended::Judged(Ok(parsed)) = printed(&workspace, &plan, 1, text) else { panic!("it has a verdict") };
    let mut ledger = Ledger::new(&workspace, &plan, vec![Alike::Same], String::new(), &|_| true);
    let lookups = vec![Lookup::Clean, Lookup::Hit(Box::new(parsed))];
    ledger.mark_known(&lookups);
    ledger.enter_known(lookups);
    let of_cache: Vec<_> = ledger.tasks.iter().map(|task| task.status.as_str()).collect();
    assert_eq!(of_cache, of_run);
    assert_eq!(ledger.diagnostics.len(), 1);
    assert_eq!(ledger.tools(vec![None])[0].verdict, Verdict::Passed);
}

#[test]
fn an_input_that_changed_outweighs_a_finding() {
    let workspace = two_packages();
    let plan = plan(&workspace);
    let mut ledger = Ledger::new(&workspace, &plan, vec![Alike::Same], String::new(), &|_| true);
    let run = step(vec![
        (0, printed(&workspace, &plan, 0, "a/src/lib.rs:1: bad\n")),
        (1, printed(&workspace, &plan, 1, "")),
    ]);
    let run = StepResult::of(&workspace, &plan, run);
    ledger.mark(&run);
    ledger.enter(run);
    let changed = Discarded::Changed("a/src/lib.rs".to_owned());
    ledger.enter_noted(vec![(TaskIx(0), of_discarded(changed, None))]);
    assert_eq!(ledger.tasks[0].status.as_str(), "input-changed");
    let outcome = ledger.tools(vec![None]).remove(0);
    assert_eq!(outcome.verdict, Verdict::Incomplete);
    assert!(outcome.incomplete[0].1.contains("a/src/lib.rs"), "{:?}", outcome.incomplete);
}

#[test]
fn what_another_shard_runs_has_no_verdict_and_is_no_gap() {
    let workspace = two_packages();
    let plan = plan(&workspace);
    let mut ledger = Ledger::new(&workspace, &plan, vec![Alike::Same], String::new(), &|_| true);
    ledger.mark_known(&[Lookup::Clean, Lookup::OtherShard]);
    assert_eq!(ledger.tasks[1].status, Status::Skipped(OTHER_SHARD.to_owned()));
    let outcome = ledger.tools(vec![None]).remove(0);
    assert_eq!((outcome.verdict, outcome.incomplete.len()), (Verdict::Passed, 0));
}
