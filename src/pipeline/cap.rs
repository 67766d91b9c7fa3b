//! Limits the number of new findings that a run keeps per tool.
//!
//! A tool with more findings is incomplete, and its findings are counted by rule, because nobody reads a million findings and
//! no report can show them. The sort order of findings decides which ones are kept, not the order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::matching::Matched;
use crate::compare::reach::Reach;
use crate::model::finding::{Entry, Finding, State};
use crate::model::halt::Halted;
use crate::model::outcome::Compared;
use crate::model::path::RelPath;
use crate::model::task::Graph;
use crate::model::text::Text;
use crate::model::tool::ToolId;
use crate::report::text::number;

/// Maximum number of rules in the reason.
const MOST_RULES: usize = 10;

/// Matches findings with the baseline.
type Compare<'a> = dyn Fn(Vec<Finding>, &dyn Reach) -> Result<Matched, Halted> + 'a;

/// Compares `findings` and keeps the first `most` new ones of each tool. Returns the tools with more, each with the reason why
/// it is incomplete. Findings that such a tool no longer reports don't count as fixed, so everything is compared again with a
/// smaller `reach`.
pub(super) fn compare(
    findings: Vec<Finding>,
    most: usize,
    graph: &Graph,
    reach: &dyn Reach,
    compare: &Compare<'_>,
) -> Result<(Matched, Vec<(ToolId, String)>), Halted> {
    let mut matched = compare(findings, reach)?;
    let mut capped = BTreeSet::new();
    let over = loop {
        let over = over(graph, &matched.findings, most);
        let before = capped.len();
        capped.extend(over.keys().copied());
        if capped.len() == before {
            break over;
        }
        let namespaces = capped.iter().flat_map(|tool| &graph.tool(*tool).namespaces).map(String::as_str);
        let reach = Without { reach, namespaces: namespaces.collect() };
        matched = compare(matched.findings.into_iter().map(|one| one.finding).collect(), &reach)?;
    };
    let reasons: Vec<_> = over.into_iter().map(|(tool, rules)| (tool, reason(&rules, most))).collect();
    let names: Vec<_> = reasons.iter().map(|(tool, _)| graph.tool(*tool).name.as_str()).collect();
    cut(&mut matched.findings, &names, most);
    Ok((matched, reasons))
}

/// Returns the tools with more than `most` new findings, each with the number of findings by rule.
fn over<'f>(
    graph: &Graph,
    findings: &'f [Compared],
    most: usize,
) -> BTreeMap<ToolId, BTreeMap<&'f str, usize>> {
    if findings.len() <= most {
        return BTreeMap::new();
    }
    let rules = |name: &String| {
        let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
        let is_new = |compared: &&Compared| compared.state == State::New && compared.finding.is_of(name);
        for compared in findings.iter().filter(is_new) {
            *rules.entry(&compared.finding.diagnostic.rule).or_default() += 1;
        }
        rules
    };
    let of_tools = graph.tools().map(|(id, tool)| (id, rules(&tool.name)));
    of_tools.filter(|(_, rules)| rules.values().sum::<usize>() > most).collect()
}

/// Formats the reason why a tool with too many findings is incomplete. `rules` are the numbers of findings by rule.
fn reason(rules: &BTreeMap<&str, usize>, most: usize) -> String {
    let mut ranked: Vec<_> = rules.iter().collect();
    ranked.sort_by_key(|(rule, count)| (std::cmp::Reverse(**count), **rule));
    let number = |count: usize| number(count as u64);
    let shown = ranked.iter().take(MOST_RULES).map(|(rule, count)| format!("{} {rule}", number(**count)));
    let mut shown: Vec<_> = shown.collect();
    if let Some(more @ 1..) = ranked.len().checked_sub(MOST_RULES) {
        shown.push(format!("and {} more rules", number(more)));
    }
    format!(
        "{} new findings exceed `max-findings` ({}), and the rest was dropped: {}",
        number(rules.values().sum()),
        number(most),
        shown.join(", ")
    )
}

/// Drops all but the first `most` new findings of each of `tools`.
fn cut(findings: &mut Vec<Compared>, tools: &[&str], most: usize) {
    let mut left: BTreeMap<&str, usize> = tools.iter().map(|tool| (*tool, most)).collect();
    findings.retain(|compared| {
        let capped: Vec<_> =
            compared.finding.tools.iter().map(Text::as_str).filter(|tool| left.contains_key(tool)).collect();
        if compared.state != State::New || capped.is_empty() {
            return true;
        }
        let mut is_kept = false;
        for tool in capped {
            if let Some(left @ 1..) = left.get_mut(tool) {
                *left -= 1;
                is_kept = true;
            }
        }
        is_kept
    });
    findings.shrink_to_fit();
}

/// A [`Reach`] that excludes some namespaces: if findings were dropped, a missing finding is not fixed.
struct Without<'a> {
    reach: &'a dyn Reach,
    namespaces: BTreeSet<&'a str>,
}

impl Reach for Without<'_> {
    fn exists(&self, path: &RelPath) -> bool {
        self.reach.exists(path)
    }

    fn looked_at(&self, ns: &str, entry: &Entry) -> bool {
        !self.namespaces.contains(ns) && self.reach.looked_at(ns, entry)
    }

    fn unseen(&self, ns: &str, entry: &Entry) -> Vec<String> {
        self.reach.unseen(ns, entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::{Diagnostic, Level, Place};

    fn found(rule: &str, tools: &[&str], state: State) -> Compared {
        let diagnostic = Diagnostic {
            place: Place::Subject(rule.to_owned()),
            ns: "clippy".into(),
            rule: rule.into(),
            level: Level::Warning,
            message: "m".into(),
            fatal: false,
            package: None,
            related: Vec::new(),
            fix: None,
            test: None,
        };
        let (id, msg, code, scope) = Default::default();
        let tools = tools.iter().map(|tool| Text::from(*tool)).collect();
        let finding = Finding { id, diagnostic, msg, code, scope, tools, seen_in: None };
        Compared::new(finding, state)
    }

    #[test]
    fn the_first_new_findings_are_kept_and_others_do_not_count() {
        let mut findings = vec![
            found("a", &["clippy"], State::New),
            found("b", &["clippy"], State::Unchanged),
            found("c", &["clippy", "doc"], State::New),
            found("d", &["clippy", "doc"], State::New),
            found("e", &["clippy"], State::New),
            found("f", &["doc"], State::New),
        ];
        cut(&mut findings, &["clippy"], 2);
        let rules: Vec<_> = findings.iter().map(|found| found.finding.diagnostic.rule.as_str()).collect();
        assert_eq!(rules, ["a", "b", "c", "f"]);
    }

    #[test]
    fn the_reason_counts_findings_by_rule_with_the_most_frequent_first() {
        let rules = BTreeMap::from([("rare", 1), ("often", 1_200_000), ("also", 1)]);
        assert_eq!(
            reason(&rules, 250_000),
            "1,200,002 new findings exceed `max-findings` (250,000), and the rest was dropped: 1,200,000 \
             often, 1 also, 1 rare"
        );
        let names: Vec<_> = (10..22).map(|at| format!("r{at}")).collect();
        let rules = names.iter().map(|name| (name.as_str(), 1)).collect();
        assert!(reason(&rules, 1).ends_with("1 r18, 1 r19, and 2 more rules"));
    }
}
