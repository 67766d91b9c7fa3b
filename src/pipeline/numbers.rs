//! Collects numbers that may only improve, such as coverage, and compares them with the baseline.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::conditions::Alike;
use super::ledger::Ledger;
use crate::compare::ratchet::{self, Extent, Judged};
use crate::model::census::CensusNumber;
use crate::model::finding::Entry;
use crate::model::outcome::ToolOutcome;
use crate::model::ratchet::{Decimal, Number, NumberPattern};
use crate::model::task::Plan;
use crate::model::tool::{Parse, Tool, ToolId};

type Baseline = BTreeMap<String, Vec<Entry>>;

/// Baseline entries about numbers, each with its namespace.
type Lines = Vec<(String, Entry)>;

/// Splits `baseline` into the entries about numbers of tools in `plan`, and the rest.
pub(super) fn take<'a>(plan: &Plan, baseline: &'a Baseline) -> (Lines, Cow<'a, Baseline>) {
    let with_numbers: Vec<_> = plan.graph.tools.iter().filter(|tool| tool.states_numbers()).collect();
    if with_numbers.is_empty() {
        return (Vec::new(), Cow::Borrowed(baseline));
    }
    let mut rest = baseline.clone();
    let lines = ratchet::take(&mut rest, |ns| with_numbers.iter().any(|tool| tool.name == ns));
    (lines, Cow::Owned(rest))
}

/// Compares the numbers of a run with `lines` of the baseline. `stated` contains the numbers of an earlier run by tool, if that one
/// is judged.
pub(super) fn judge(
    ledger: &Ledger<'_>,
    tools: &[ToolOutcome],
    stated: Option<&BTreeMap<String, BTreeMap<String, Decimal>>>,
    lines: Lines,
) -> Judged {
    let plan = ledger.plan;
    let mut numbers = Vec::new();
    let mut judged = BTreeMap::new();
    for (id, tool) in plan.graph.tools().filter(|(_, tool)| tool.states_numbers()) {
        if plan.looks_at_all(ledger.workspace) && is_done(ledger, id) {
            let extent = match ledger.alike(id) {
                Alike::Same => Extent::Whole,
                Alike::OtherVersion => Extent::Worse,
                Alike::OtherBuild => Extent::Nothing,
            };
            judged.insert(&*tool.name, extent);
        }
        let own = stated
            .map_or_else(|| ledger.numbers_of(id), |all| all.get(&tool.name).cloned().unwrap_or_default());
        numbers.extend(of_tool(tool, &tools[id.0 as usize], own));
    }
    ratchet::judge(numbers, lines, |ns| judged.get(ns).copied().unwrap_or(Extent::Nothing))
}

/// Removes the verdict of tools that don't report a number required by `ratchet`, or one that `baseline` accepts.
pub(super) fn require(ledger: &mut Ledger<'_>, baseline: &Baseline) {
    let plan = ledger.plan;
    for (id, tool) in plan.graph.tools().filter(|(_, tool)| !tool.ratchet.is_empty()) {
        let totals = ledger.totals(id.0 as usize);
        let absent = tool.ratchet.iter().find(|number| number.of(&totals).is_none());
        if let Some(number) = absent.filter(|_| is_done(ledger, id)) {
            ledger.note_all(id, &format!("it does not report the number of {} (`ratchet`)", number.name()));
        }
    }
    for (id, tool) in plan.graph.tools() {
        let Parse::Number(pattern) = &tool.parse else { continue };
        let is_judged = plan.looks_at_all(ledger.workspace)
            && is_done(ledger, id)
            && ledger.alike(id) != Alike::OtherBuild;
        let stated = ledger.numbers_of(id);
        let accepted = baseline.get(&tool.name).into_iter().flatten().filter_map(ratchet::accepted);
        let mut absent =
            accepted.filter(|(name, ..)| !stated.contains_key(*name) && may_state(pattern, name));
        if let Some((name, _, value)) = absent.next().filter(|_| is_judged) {
            ledger.note_all(
                id,
                &format!(
                    "it no longer states the number {name}, of which {value} is accepted; if that is meant, remove its \
                     line from {}.jsonl in the baseline",
                    tool.name
                ),
            );
        }
    }
}

/// Returns whether a number of this name may come from `pattern`, as it is configured now.
fn may_state(pattern: &NumberPattern, name: &str) -> bool {
    let has_group = |name: &str| pattern.regex.contains(&format!("<{name}>"));
    let is_of_census = CensusNumber::ALL.iter().any(|number| number.name() == name);
    !is_of_census && (has_group("name") || has_group(name) || pattern.name.as_deref() == Some(name))
}

/// Returns whether `tool` has tasks, and a verdict on all of them.
fn is_done(ledger: &Ledger<'_>, tool: ToolId) -> bool {
    ledger.is_done(tool) && ledger.plan.graph.tasks.iter().any(|task| task.tool == tool)
}

fn of_tool(tool: &Tool, outcome: &ToolOutcome, own: BTreeMap<String, Decimal>) -> Vec<Number> {
    let number = |name: String, value, better| Number {
        tool: tool.name.clone(),
        ns: tool.name.clone(),
        name,
        value,
        accepted: None,
        better,
        tolerance: None,
        unit: None,
        state: None,
    };
    let census = tool.ratchet.iter().filter_map(|census| {
        let value: u64 = census.of(&outcome.census)?;
        Some(number(census.name().to_owned(), value.into(), census.better()))
    });
    let mut numbers: Vec<_> = census.collect();
    if let Parse::Number(pattern) = &tool.parse {
        let NumberPattern { better, tolerance, unit, .. } = &**pattern;
        numbers.extend(own.into_iter().map(|(name, value)| Number {
            tolerance: tolerance.clone(),
            unit: unit.clone(),
            ..number(name, value, *better)
        }));
    }
    numbers
}
