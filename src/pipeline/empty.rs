//! Detects test targets that pass without running a test although their sources contain tests.
//!
//! The rules apply only to full runs. Sources are searched for tests, by their tokens, only for targets that ran none.

use std::collections::BTreeSet;

use super::ledger::Ledger;
use super::tested::{EMPTY, Found, Looked, OfTool, Ran, Sources, has_run, is_of_documentation, runs_tests};
use super::untested;
use crate::model::blind_spot::BlindSpot;
use crate::model::census::Tests;
use crate::model::finding::{Diagnostic, Level, OWN_NAMESPACE, Place, Related};
use crate::model::tool::Tool;
use crate::model::workspace::TargetKind;
use crate::normalize::sources::Cfg;
use crate::workspace::LoadError;

/// Reason why it is unknown whether a target has run tests.
const NO_COUNT: &str = "its harness states no count";

/// Applies the rules to all tools that run tests. Returns the blind spots.
pub(super) fn judge(ledger: &mut Ledger<'_>, sources: &Sources<'_>) -> Result<Vec<BlindSpot>, LoadError> {
    let plan = ledger.plan;
    let mut blind = BTreeSet::new();
    if !plan.is_full(ledger.workspace) {
        return Ok(Vec::new());
    }
    let tests = plan.graph.tools().filter(|(_, tool)| runs_tests(tool));
    let looked = |(id, tool)| {
        let census = ledger.complete_census(id).filter(|census| !is_of_documentation(census))?;
        let targets = Looked::of(ledger, id, tool, &census);
        Some(OfTool { id, tool, has_run: has_run(&census), targets })
    };
    let looked: Vec<_> = tests.filter_map(looked).collect();
    blind.extend(untested::find(ledger, &looked, sources)?);
    for of in &looked {
        let (empty, full): (Vec<_>, Vec<_>) = of.targets.iter().partition(|one| one.runs() == Some(0));
        let uncounted = full.iter().filter(|one| one.runs().is_none());
        blind.extend(uncounted.map(|one| one.blind(NO_COUNT)));
        let found = Found::of(&empty, sources)?;
        let own = || empty.iter().zip(&found);
        let has_tests = own().any(|(_, found)| matches!(found, Found::Tests(_)));
        let has_targets =
            own().any(|(one, found)| found.may_be_there() && one.target.kind == TargetKind::Test);
        if !of.has_run && (has_tests || has_targets) {
            let what = if has_tests { "the sources have tests" } else { "there are test targets" };
            ledger.note_all(of.id, &format!("no test ran, although {what}{}", hint(of.tool)));
            continue;
        }
        if !of.is_of_all() {
            continue;
        }
        let runs_elsewhere =
            |one: &Looked<'_>| looked.iter().any(|other| other.id != of.id && other.runs(&one.name));
        for (one, found) in own().filter(|(one, _)| !runs_elsewhere(one)) {
            let why = match found {
                Found::Tests(cfg) => {
                    ledger.enter_own(of.id, one.unit, finding(one, cfg.as_ref()));
                    continue;
                }
                Found::Off(cfg) => format!("its tests are switched off: `cfg({cfg})`"),
                Found::OwnHarness => NO_COUNT.to_owned(),
                Found::OfMacros => "a macro makes its tests, and none ran".to_owned(),
                Found::Nothing => continue,
            };
            blind.insert(one.blind(&why));
        }
    }
    Ok(blind.into_iter().collect())
}

/// Returns a hint at the possible cause.
fn hint(tool: &Tool) -> String {
    match tool.args.is_empty() {
        true => String::new(),
        false => format!("; look at `args` of [tools.{}]", tool.name),
    }
}

/// Returns the finding that no test of a target ran. Details that may change while the target stays empty are not part of the
/// message, so they don't change the id.
fn finding(one: &Looked<'_>, cfg: Option<&Cfg>) -> Diagnostic {
    let tests = |count: u64| if count == 1 { "its only test is" } else { "all of its tests are" };
    let reason = match one.ran {
        Ran::Skipped => "the target has `required-features` that are not on".to_owned(),
        Ran::Tests(tests_of) => {
            let Tests { ignored, filtered_out, .. } = tests_of.unwrap_or_default();
            match (ignored, filtered_out, cfg) {
                (Some(count @ 1..), _, _) => format!("{} marked `#[ignore]`", tests(count)),
                (_, Some(count @ 1..), _) => format!("{} left out by a filter", tests(count)),
                (_, _, Some(cfg)) => format!("they are under `cfg({cfg})`"),
                _ => "its tests are ignored, or left out by a filter".to_owned(),
            }
        }
    };
    Diagnostic {
        test: None,
        place: Place::File { path: one.target.root.clone(), range: None },
        ns: OWN_NAMESPACE.into(),
        rule: EMPTY.into(),
        level: Level::Warning,
        message: format!("no test of `{}` ran, although its sources have tests", one.name).into(),
        fatal: false,
        package: None,
        related: vec![Related { message: reason, place: None }],
        fix: None,
    }
}
