//! Numbers that may only get better: from what tools state to what is judged.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Ledger;
use crate::compare::ratchet::{self, Judged};
use crate::model::finding::Entry;
use crate::model::outcome::ToolOutcome;
use crate::model::ratchet::{Decimal, Number, NumberPattern};
use crate::model::tool::{Parse, Tool, ToolId};

/// What comes of the numbers of a run, and the baseline without their lines. `stated` is what another run has stated, by
/// tool.
pub(super) fn judge(
    ledger: &Ledger<'_>,
    tools: &[ToolOutcome],
    stated: Option<&BTreeMap<String, BTreeMap<String, Decimal>>>,
    baseline: &BTreeMap<String, Vec<Entry>>,
) -> (Judged, BTreeMap<String, Vec<Entry>>) {
    let mut rest = baseline.clone();
    let plan = ledger.plan;
    let with_numbers: Vec<_> = plan.graph.tools().filter(|(_, tool)| states_numbers(tool)).collect();
    if with_numbers.is_empty() {
        return (Judged::default(), rest);
    }
    let mut numbers = Vec::new();
    let mut judged = BTreeSet::new();
    for &(id, tool) in &with_numbers {
        let is_whole = plan.looks_at_all(ledger.workspace) && ledger.is_as_accepted(id);
        if is_whole && ledger.is_done(id) && plan.graph.tasks.iter().any(|task| task.tool == id) {
            judged.insert(namespace(tool).to_owned());
        }
        let own = stated
            .map_or_else(|| ledger.numbers_of(id), |all| all.get(&tool.name).cloned().unwrap_or_default());
        numbers.extend(of_tool(id, tool, &tools[id.0 as usize], own));
    }
    let speaks_for = |ns: &str| with_numbers.iter().any(|(_, tool)| namespace(tool) == ns);
    let lines = ratchet::take(&mut rest, speaks_for);
    (ratchet::judge(numbers, lines, |ns| judged.contains(ns)), rest)
}

/// Whether `tool` states numbers that are judged.
pub(super) fn states_numbers(tool: &Tool) -> bool {
    matches!(tool.parse, Parse::Number(_)) || !tool.ratchet.is_empty()
}

/// The namespace of the lines that accept the numbers of `tool`.
fn namespace(tool: &Tool) -> &str {
    tool.namespaces.first().unwrap_or(&tool.name)
}

fn of_tool(_: ToolId, tool: &Tool, outcome: &ToolOutcome, own: BTreeMap<String, Decimal>) -> Vec<Number> {
    let number = |name: String, value| Number {
        tool: tool.name.clone(),
        ns: namespace(tool).to_owned(),
        name,
        value,
        accepted: None,
        better: crate::model::ratchet::Better::Higher,
        tolerance: None,
        unit: None,
        state: None,
    };
    let census = tool.ratchet.iter().filter_map(|census| {
        let value = census.of(&outcome.census)?;
        Some(Number { better: census.better(), ..number(census.as_str().to_owned(), value.into()) })
    });
    let mut numbers: Vec<_> = census.collect();
    if let Parse::Number(pattern) = &tool.parse {
        let NumberPattern { better, tolerance, unit, .. } = &**pattern;
        numbers.extend(own.into_iter().map(|(name, value)| Number {
            better: *better,
            tolerance: tolerance.clone(),
            unit: unit.clone(),
            ..number(name, value)
        }));
    }
    numbers
}
