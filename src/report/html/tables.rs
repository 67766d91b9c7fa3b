//! The tables of the page: results per tool, facts about the run, and the first findings for browsers without scripts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::group::Group;
use super::origin;
use super::schedule::{self, Bar, Schedule};
use super::text::{duration, escape, in_fragment, number, prose};
use crate::model::outcome::Verdict;
use crate::model::tool::Leaky;
use crate::report::finished::{Finished, RunSummary, ToolReport};
use crate::report::{Checkout, census};

/// Maximum number of lines per kind; the rest is counted.
const MOST: usize = 10;

/// Renders the results of each tool.
pub(super) fn tools(run: &Finished, schedule: Option<&Schedule<'_>>) -> String {
    let total = |group: Group| {
        run.report.tools.iter().map(|report| group.count_of_tool(run, report)).fold(0, usize::saturating_add)
    };
    // Leave out columns that are all zero, except for the first.
    let columns: Vec<_> =
        Group::ALL.into_iter().filter(|group| *group == Group::New || total(*group) > 0).collect();
    let mut html = String::from(
        "<section aria-labelledby=\"tools\">\n<h2 id=\"tools\">Tools</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Results per tool\"><table class=\"tools\">\n<thead><tr><th scope=\"col\">Tool</th><th scope=\"col\">Verdict</th>",
    );
    // Phones only have room for the first column.
    let class = |at: usize| if at == 0 { "num" } else { "num wide" };
    for (at, group) in columns.iter().enumerate() {
        let _ = write!(html, "<th scope=\"col\" class=\"{} name\">{}</th>", class(at), group.as_str());
    }
    if schedule.is_some() {
        html.push_str("<th scope=\"col\" class=\"num\">Time</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (tool, report) in run.tools() {
        if run.is_aside(tool) && report.verdict == Verdict::Passed {
            continue;
        }
        let (mood, sign, word) = match report.verdict {
            Verdict::Passed => ("good", "✓", "passed"),
            Verdict::Failed => ("bad", "✕", "failed"),
            Verdict::Incomplete => ("open", "?", "incomplete"),
            Verdict::Missing => ("none", "–", "not installed"),
            Verdict::Empty => ("none", "–", "nothing to check"),
        };
        let optional = if tool.required { "" } else { " <small>optional</small>" };
        let checked = census::of_tool(run, tool, report).join(", ");
        let checked = match checked.as_str() {
            "" => String::new(),
            checked => format!(" <small class=\"checked\">{}</small>", escape(checked)),
        };
        let _ = write!(
            html,
            "<tr><th scope=\"row\"><a href=\"#tool={}\">{}</a>{optional}{checked}</th><td class=\"mark {mood}\"><span aria-hidden=\"true\">{sign}</span> {word}</td>",
            in_fragment(&tool.name),
            escape(&tool.name)
        );
        for (at, group) in columns.iter().enumerate() {
            let count = group.count_of_tool(run, report);
            let zero = if count == 0 { " zero" } else { "" };
            let _ = write!(html, "<td class=\"{}{zero}\">{}</td>", class(at), number(count));
        }
        if let Some(schedule) = schedule {
            let bars = schedule.bars.iter().filter(|bar| bar.tool == tool.name);
            let _ =
                write!(html, "<td class=\"num\">{}</td>", duration(schedule::total(bars.map(Bar::length))));
        }
        html.push_str("</tr>\n");
        let width = columns.len() + 2 + usize::from(schedule.is_some());
        reasons(&mut html, report, width);
    }
    html.push_str("</tbody></table></div>\n");
    if Group::ALL.into_iter().any(|group| total(group) > group.count(run)) {
        html.push_str(
            "<p class=\"none\">What several tools report counts for each of them here, and once elsewhere.</p>\n",
        );
    }
    html.push_str("</section>\n");
    html
}

/// Adds rows with the reasons for missing results, grouped by reason, and with the notices of a tool.
fn reasons(html: &mut String, report: &ToolReport, width: usize) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for gap in &report.incomplete {
        reasons.entry(&gap.reason).or_default().push(&gap.unit);
    }
    let row = |html: &mut String, text: &str| {
        let _ = writeln!(html, "<tr class=\"reason\"><td colspan=\"{width}\">{text}</td></tr>");
    };
    for (reason, units) in reasons.iter().take(MOST) {
        let who = match units.as_slice() {
            ["."] | [] => String::new(),
            [unit] => format!("<code>{}</code>: ", escape(unit)),
            [first, ..] => format!("{} units (<code>{}</code>, …): ", number(units.len()), escape(first)),
        };
        row(html, &format!("{who}{}", prose(reason)));
    }
    if reasons.len() > MOST {
        row(html, &format!("and {} more", number(reasons.len() - MOST)));
    }
    for notice in report.notices.iter().take(MOST) {
        row(html, &prose(notice));
    }
    if report.notices.len() > MOST {
        row(html, &format!("and {} more", number(report.notices.len() - MOST)));
    }
    for who in report.leaky.iter().take(MOST) {
        let who = if who == "." { String::new() } else { format!("<code>{}</code>: ", escape(who)) };
        row(html, &format!("{who}leaky: {}", Leaky::MESSAGE));
    }
    if report.leaky.len() > MOST {
        row(html, &format!("and {} more", number(report.leaky.len() - MOST)));
    }
}

/// Renders facts about the run that are needed to reproduce it.
pub(super) fn facts(run: &Finished, checkout: Option<&Checkout>) -> String {
    let RunSummary { graph_hash, batch_id, order_policy, batch_policy, seed, selection, .. } = &run.run;
    let mut facts = origin::facts(checkout);
    facts.extend([
        ("Order", escape(order_policy)),
        ("Batches", escape(batch_policy)),
        ("Seed", seed.to_string()),
        ("Packages", list(&selection.packages)),
    ]);
    let mut fact = |name, text: String| {
        if !text.is_empty() {
            facts.push((name, text));
        }
    };
    let mut features = list(&selection.features);
    if selection.all_features {
        features = "all".to_owned();
    }
    if selection.no_default_features {
        features.push_str(" without default features");
    }
    fact("Features", features);
    fact("Target", selection.target.as_deref().map(escape).unwrap_or_default());
    fact("Profile", selection.cargo_profile.as_deref().map(escape).unwrap_or_default());
    fact("Tools", list(&selection.tools));
    fact("Skipped tools", list(&selection.skip_tools));
    fact("Variants", list(&selection.variants));
    fact("Tests", list(&selection.filters));
    fact("Changed since", selection.since.as_deref().map(escape).unwrap_or_default());
    let millis = |cap: Option<u64>| cap.map(|cap| duration(cap.saturating_mul(1000))).unwrap_or_default();
    fact("Timeout per task", millis(run.run.per_task_timeout_ms));
    fact("Maximum duration", millis(run.run.max_duration_ms));
    fact("Suppressions as of", run.report.as_of.as_deref().map(escape).unwrap_or_default());
    fact("Graph", format!("<code>{}</code>", escape(graph_hash)));
    fact("Batch id", format!("<code>{}</code>", escape(batch_id)));
    let versions = run.run.tools.iter().filter_map(|tool| {
        let database = tool.database.as_ref().map(|revision| format!(", database {}", escape(revision)));
        let version = format!("{}{}", escape(tool.version.as_ref()?), database.unwrap_or_default());
        Some((tool.name.as_str(), version))
    });
    format!(
        "<section aria-labelledby=\"run\">\n<h2 id=\"run\">Run</h2>\n{}<h3>Tool versions</h3>\n{}</section>\n",
        terms(facts.iter().map(|(name, text)| (*name, text.clone()))),
        terms(versions)
    )
}

/// Renders a list of names with their values, which are markup already.
fn terms<'a>(terms: impl Iterator<Item = (&'a str, String)>) -> String {
    let terms = terms.map(|(name, html)| format!("<div><dt>{}</dt><dd>{html}</dd></div>\n", escape(name)));
    format!("<dl class=\"run\">\n{}</dl>\n", terms.collect::<String>())
}

/// Lists the first `names` and counts the rest.
fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(3 * MOST).map(|name| escape(name)).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {} more", number(more)),
    };
    format!("{}{more}", shown.join(", "))
}

/// Renders the first findings as a table, for browsers without scripts.
pub(super) fn without_script(run: &Finished) -> String {
    let mut findings: Vec<_> = run.report.findings.iter().collect();
    findings.sort_by_key(|finding| finding.state);
    let count = findings.len();
    findings.truncate(10 * MOST);
    let mut html = String::from("<p>Enable JavaScript to search and filter the findings.</p>\n");
    if findings.is_empty() {
        html.push_str("<p>No findings.</p>\n");
        return html;
    }
    html.push_str(
        "<table><thead><tr><th scope=\"col\">State</th><th scope=\"col\">Level</th><th scope=\"col\">Place</th><th scope=\"col\">Message</th><th scope=\"col\">Rule</th></tr></thead>\n<tbody>\n",
    );
    for finding in &findings {
        let place = finding.shown_at();
        let line = place.range().map(|range| format!(":{}", range.start.line)).unwrap_or_default();
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}{line}</td><td>{}</td><td>{}</td></tr>",
            finding.state.as_str(),
            finding.level.as_str(),
            escape(&place.name()),
            escape(&finding.title()),
            escape(&finding.rule)
        );
    }
    html.push_str("</tbody></table>\n");
    if count > findings.len() {
        let _ = writeln!(html, "<p>{} more in <code>report.json</code>.</p>", number(count - findings.len()));
    }
    html
}
