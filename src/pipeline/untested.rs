//! Finds tests that no tool of a run was asked to run: the manifest disables their target, the configuration excludes it, or
//! the tool that runs tests is disabled.
//!
//! Tests that a tool was asked to run, but did not, are found in [`empty`](super::empty).

use std::collections::BTreeSet;

use super::ledger::Ledger;
use super::tested::{Found, Looked, OfTool, Ran, Sources, runs_tests};
use crate::model::blind_spot::{BlindSpot, BlindSpotKind};
use crate::model::census::Group;
use crate::model::task::Unit;
use crate::model::tool::{Arg, Parse, Per, Targets, Tool, ToolId, Work};
use crate::model::workspace::{PackageId, Target, TargetKind};
use crate::workspace::LoadError;

/// Returns the targets with tests that are in none of `looked`, and the libraries whose doc tests no tool runs.
pub(super) fn find(
    ledger: &Ledger<'_>,
    looked: &[OfTool<'_>],
    sources: &Sources<'_>,
) -> Result<BTreeSet<BlindSpot>, LoadError> {
    let graph = &ledger.plan.graph;
    let mut blind = BTreeSet::new();
    // If no tool checks Rust code, the workspace uses genti for something else.
    let is_about_rust =
        |(id, tool): (ToolId, &Tool)| tool.parse.work().checks_code() && !ledger.tasks_of(id).is_empty();
    if !super::blind_spots::are_looked_for(ledger.plan)
        || !graph.tools().any(is_about_rust)
        || graph.tools().any(|(_, tool)| may_run_tests(tool))
    {
        return Ok(blind);
    }
    if !graph.tools().any(|(id, tool)| is_open(ledger, looked, id, tool)) {
        let is_due = |one: &Looked<'_>| {
            let mut of_targets = graph.tools().filter(|(_, tool)| tool.per == Per::TestTarget);
            of_targets.any(|(id, tool)| runs_tests(tool) && ledger.status_of(id, one.unit).is_some())
        };
        let targets: Vec<_> = targets(ledger)
            .into_iter()
            .filter(|one| !is_due(one) && !looked.iter().any(|of| of.is_of(&one.name)))
            .collect();
        let found = Found::of(&targets.iter().collect::<Vec<_>>(), sources)?;
        let with_tests = targets.iter().zip(found).filter(|(_, found)| matches!(found, Found::Tests(_)));
        blind.extend(with_tests.map(|(one, _)| one.blind(&reason(one.target))));
    }
    blind.extend(documentation(ledger));
    Ok(blind)
}

/// Returns true if `tool` may have run tests without reporting which.
fn is_open(ledger: &Ledger<'_>, looked: &[OfTool<'_>], id: ToolId, tool: &Tool) -> bool {
    if !runs_tests(tool) || tool.per == Per::TestTarget || ledger.tasks_of(id).is_empty() {
        return false;
    }
    // Its tests are also unknown if it has no result, or ran only doc tests.
    let Some(census) = ledger.complete_census(id) else { return true };
    census.may_have_run(&Group::Unknown) || !looked.iter().any(|of| of.id == id)
}

/// Returns true if `tool` may run tests without reporting them: its command line contains a word such as `test`.
fn may_run_tests(tool: &Tool) -> bool {
    let mut words = tool.run.iter().filter_map(Arg::literal).chain(tool.args.iter().map(String::as_str));
    let is_of_tests = |word: &str| {
        ["test", "llvm-cov", "tarpaulin", "miri", "mutants"].iter().any(|part| word.contains(part))
    };
    tool.parse.work() == Work::Unknown && words.any(is_of_tests)
}

/// Returns all targets that may have tests, except libraries and integration tests that the manifest disables.
fn targets<'a>(ledger: &Ledger<'a>) -> Vec<Looked<'a>> {
    let mut all = Vec::new();
    for (id, package) in ledger.workspace.packages() {
        for (at, target) in (0..).zip(&package.targets) {
            let is_told = matches!(target.kind, TargetKind::Lib | TargetKind::Test) && !target.test;
            if target.kind != TargetKind::BuildScript && !is_told {
                let (unit, name) = (Unit::TargetRoot(id, at), package.test_name(target));
                all.push(Looked { package, target, unit, name, ran: Ran::Skipped });
            }
        }
    }
    all
}

fn reason(target: &Target) -> String {
    match target.kind {
        _ if target.test => "no tool runs its tests".to_owned(),
        TargetKind::Example | TargetKind::Bench => {
            format!("no tool runs its tests (cargo does if the {} has `test = true`)", target.kind.as_str())
        }
        _ => "no tool runs its tests (`test = false`)".to_owned(),
    }
}

/// Returns the libraries whose doc tests no tool runs, although their manifest does not disable them.
fn documentation(ledger: &Ledger<'_>) -> Vec<BlindSpot> {
    let plan = ledger.plan;
    let may_run = |(id, tool): &(ToolId, &Tool)| {
        let has_some = |group: &Group| matches!(group, Group::Package(_) | Group::Unknown);
        tool.targets == Some(Targets::Doctest)
            || tool.per != Per::TestTarget
                && ledger.complete_census(*id).is_none_or(|census| census.tests.keys().any(has_some))
    };
    let tools = plan.graph.tools().filter(|(_, tool)| tool.parse == Parse::Libtest).filter(may_run);
    let tools: Vec<_> = tools.map(|(_, tool)| tool).collect();
    // One that does not build the selection may run those of any package.
    let is_tested =
        |id: PackageId| tools.iter().any(|tool| !tool.takes_variants() || plan.build_of(tool).has(id));
    let packages = ledger.workspace.packages().filter(|(id, _)| !is_tested(*id));
    let libraries =
        packages.flat_map(|(_, package)| package.targets.iter().map(move |target| (package, target)));
    let spot = |(package, target): (&crate::model::workspace::Package, &Target)| BlindSpot {
        kind: BlindSpotKind::UntestedTarget,
        path: target.root.clone(),
        reason: format!("`{}`: no tool runs its doc tests", package.test_name(target)),
    };
    libraries.filter(|(_, target)| target.doctest).map(spot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_with_a_word_for_it_may_run_tests() {
        let may = |parse: Parse, run: &[&str]| may_run_tests(&crate::model::testing::tool("own", parse, run));
        assert!(may(Parse::ExitCode, &["cargo", "test", "--workspace"]));
        assert!(may(Parse::Lines, &["cargo", "+nightly", "miri", "nextest", "run"]));
        assert!(may(Parse::ExitCode, &["ci/tests.sh"]));
        assert!(!may(Parse::ExitCode, &["cargo", "xtask", "codegen"]));
        assert!(!may(Parse::RustcJson, &["cargo", "clippy", "--tests"]));
        // Tools with these formats report which tests they ran.
        assert!(!may(Parse::Libtest, &["cargo", "test"]));
    }
}
