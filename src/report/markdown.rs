//! Markdown for the summary of a CI job or a comment: the verdict, the tools, and the new findings.
//!
//! Text from tools is put into code spans and blocks, so it mentions nobody and is not rendered. A summary has at most
//! [`MOST_BYTES`]; findings that do not fit are counted.

use std::collections::BTreeMap;

use super::finished::{Finding, Finished, Tool, ToolReport};
use super::text::{counted, inert, number, visible, visible_line};
use super::{Cause, blind_spots, census, excerpt, excused, fixes, links, unexplained};
use crate::model::finding::State;
use crate::model::outcome::Verdict;
use crate::model::sources::Sources;
use crate::model::style::{FORMER_STYLE, Migration};
use crate::model::tool::Leaky;

/// Maximum size of a summary. GitHub rejects more than 1 MiB, and this leaves room for the summaries of other steps.
const MOST_BYTES: usize = 512 * 1024;
/// Maximum number of findings with a source excerpt.
const MOST_SHOWN: usize = 50;
/// Maximum number of rules in the table of rules.
const MOST_RULES: usize = 20;
/// Maximum number of reasons for a missing verdict above the table of tools.
const MOST_CAUSES: usize = 5;
/// Maximum number of items in other lists.
const MOST: usize = 20;

/// Renders `run`, with excerpts from `sources`.
pub fn render(run: &Finished, sources: &Sources) -> Vec<u8> {
    let new: Vec<_> = run.report.findings.iter().filter(|finding| finding.counts()).collect();
    let shard = run.run.shard.map(|shard| format!(" shard {shard}")).unwrap_or_default();
    let mut out = format!("## genti{shard}: {}\n\n", verdict(run, new.len()));
    causes(run, &mut out);
    tools(run, &mut out);
    migrations(run, &mut out);
    if let Some(advice) = fixes::sentence(run) {
        out.push_str(&format!("{}\n\n", visible_line(&advice)));
    }
    gaps(run, &mut out);
    notices(run, &mut out);
    leaks(run, &mut out);
    noted(run, &mut out);
    if new.len() > MOST_SHOWN {
        rules(&new, &mut out);
    }
    findings(&new, sources, &mut out);
    excused(run, &mut out);
    gone(run, &mut out);
    not_checked(run, &mut out);
    out.push_str(&footer(run));
    out.into_bytes()
}

/// Status, number of new findings and what is stale, for the title.
fn verdict(run: &Finished, new: usize) -> String {
    let new = match new {
        0 => "no new findings".to_owned(),
        new => counted(new, "new finding", "new findings"),
    };
    let status = code(&run.run.end.status);
    let excused = excused::count(run).map(|count| format!(", {count}")).unwrap_or_default();
    let stale = match run.report.gone.iter().filter(|gone| gone.is_stale()).count() {
        0 => String::new(),
        count => format!(", {}", counted(count, "stale baseline entry", "stale baseline entries")),
    };
    let orphans = match run.report.golden_orphans.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "orphaned golden file", "orphaned golden files")),
    };
    format!("{}, {new}{excused}{stale}{orphans}", status.trim_matches('`'))
}

/// The errors that stopped required tools, which decide the verdict.
fn causes(run: &Finished, out: &mut String) {
    let causes = super::causes(run);
    if causes.is_empty() {
        return;
    }
    let is_open =
        |(tool, report): &(&Tool, &ToolReport)| tool.required && report.verdict == Verdict::Incomplete;
    let open: Vec<_> = run.tools().filter(is_open).map(|(tool, _)| code(&tool.name)).collect();
    out.push_str(&format!("No result from {}:\n\n", open.join(", ")));
    for cause in causes.iter().take(MOST_CAUSES) {
        out.push_str(&match cause {
            Cause::Error(finding) => self::finding(finding, None),
            Cause::Gap(tools, gap) => format!("- {}\n", of_gap(tools, &[&gap.unit], &gap.reason)),
        });
    }
    more(causes.len(), MOST_CAUSES, out);
}

/// Table of tools. A column is left out if it is zero for all tools.
fn tools(run: &Finished, out: &mut String) {
    let rows: Vec<_> = run
        .tools()
        .filter(|(tool, report)| !run.is_aside(tool) || report.verdict != Verdict::Passed)
        .filter(|(tool, report)| !run.is_of_other_shards(tool, report))
        .collect();
    let counts = |report: &ToolReport| {
        let ToolReport { new, unchanged, updated, suppressed, fixed, unknown, .. } = *report;
        [new, unchanged + updated, suppressed, fixed, unknown]
    };
    let names = ["new", "accepted", "suppressed", "fixed", "unknown"];
    let has = |column: &usize| rows.iter().any(|(_, report)| counts(report)[*column] > 0);
    let columns: Vec<_> = (0..names.len()).filter(has).collect();
    let heads: String = columns.iter().map(|&column| format!(" {} |", names[column])).collect();
    let rule = " ---: |".repeat(columns.len());
    let has_census = rows.iter().any(|(tool, report)| !census::of_tool(run, tool, report).is_empty());
    let (head, line) = if has_census { (" checked |", " --- |") } else { ("", "") };
    out.push_str(&format!("| verdict | tool |{heads}{head}\n| --- | --- |{rule}{line}\n"));
    for (tool, report) in rows {
        let optional = if tool.required { "" } else { " (optional)" };
        let cell = |&column: &usize| match counts(report)[column] {
            0 => "  |".to_owned(),
            count => format!(" {} |", number(count as u64)),
        };
        let cells: String = columns.iter().map(cell).collect();
        let checked = match has_census {
            true => {
                format!(" {} |", inert(&census::of_tool(run, tool, report).join(", ")).replace('|', "\\|"))
            }
            false => String::new(),
        };
        let verdict = report.verdict.as_str();
        out.push_str(&format!("| {verdict} | {}{optional} |{cells}{checked}\n", code(&tool.name)));
    }
    out.push('\n');
}

/// New findings because the style edition changed.
fn migrations(run: &Finished, out: &mut String) {
    for (_, report) in run.tools() {
        let Some(Migration { files, findings }) = &report.migration else { continue };
        out.push_str(&format!(
            "Style edition changed: {} new findings in {} files that are still formatted in style edition {FORMER_STYLE}.\n\n",
            number(*findings as u64),
            number(*files as u64)
        ));
    }
}

/// Units without a result, grouped by reason.
fn gaps(run: &Finished, out: &mut String) {
    let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (tool, report) in run.tools() {
        // Errors stand above the table.
        for gap in unexplained(run, tool, report) {
            reasons.entry((&tool.name, &gap.reason)).or_default().push(&gap.unit);
        }
    }
    if reasons.is_empty() {
        return;
    }
    out.push_str("### Incomplete\n\n");
    for ((tool, reason), units) in reasons.iter().take(MOST) {
        out.push_str(&format!("- {}\n", of_gap(&[tool], units, reason)));
    }
    more(reasons.len(), MOST, out);
}

fn of_gap(tools: &[&str], units: &[&str], reason: &str) -> String {
    let of = match units {
        ["."] => String::new(),
        [unit] => format!(" on {}", code(unit)),
        units => format!(" on {} units ({}, …)", number(units.len() as u64), code(units[0])),
    };
    let tools: Vec<_> = tools.iter().map(|tool| code(tool)).collect();
    format!("{}{of}: {}", tools.join(", "), code(reason))
}

/// Messages of tools that are not findings.
fn notices(run: &Finished, out: &mut String) {
    let of = |(tool, report): (&'_ _, &'_ ToolReport)| {
        let tool: &Tool = tool;
        let name = code(&tool.name);
        report.notices.iter().map(|notice| format!("- {name}: {}\n", code(notice))).collect::<Vec<_>>()
    };
    let lines: Vec<_> = run.tools().flat_map(of).collect();
    if lines.is_empty() {
        return;
    }
    out.push_str("### Notices\n\n");
    lines.iter().take(MOST).for_each(|line| out.push_str(line));
    more(lines.len(), MOST, out);
}

/// Units that passed but left a process running.
fn leaks(run: &Finished, out: &mut String) {
    let leaky = run.tools().flat_map(|(tool, report)| report.leaky.iter().map(|who| (&tool.name, who)));
    let leaky: Vec<_> = leaky.collect();
    if leaky.is_empty() {
        return;
    }
    out.push_str("### Leaky\n\n");
    for (tool, who) in leaky.iter().take(MOST) {
        let of = if *who == "." { String::new() } else { format!(" on {}", code(who)) };
        out.push_str(&format!("- {}{of}: {}\n", code(tool), Leaky::MESSAGE));
    }
    more(leaky.len(), MOST, out);
}

/// Findings that are only reported.
fn noted(run: &Finished, out: &mut String) {
    let noted: Vec<_> = run.report.findings.iter().filter(|finding| finding.state == State::Noted).collect();
    if noted.is_empty() {
        return;
    }
    out.push_str("### Noted\n\n");
    for finding in noted.iter().take(MOST) {
        let (rule, subject) = (code(&finding.rule), code(&finding.place.name()));
        out.push_str(&format!("- {rule} on {subject}: {}\n", code(&finding.message)));
    }
    more(noted.len(), MOST, out);
}

fn rules(new: &[&Finding], out: &mut String) {
    let mut rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in new {
        *rules.entry((&finding.ns, &finding.rule)).or_default() += 1;
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|&(key, count)| (std::cmp::Reverse(count), key));
    out.push_str("### By rule\n\n| new | rule |\n| ---: | --- |\n");
    for ((ns, rule), count) in rules.iter().take(MOST_RULES) {
        out.push_str(&format!("| {} | {} |\n", number(*count as u64), linked(ns, rule)));
    }
    out.push('\n');
    more(rules.len(), MOST_RULES, out);
}

fn findings(new: &[&Finding], sources: &Sources, out: &mut String) {
    if new.is_empty() {
        return;
    }
    out.push_str("### New\n\n");
    let mut shown = 0;
    for (at, finding) in new.iter().enumerate() {
        let text = self::finding(finding, (at < MOST_SHOWN).then_some(sources));
        if out.len() + text.len() > MOST_BYTES {
            break;
        }
        out.push_str(&text);
        shown += 1;
    }
    more(new.len(), shown, out);
}

/// New findings that don't fail: by cause if the change did not cause them, and those of new lints, with what to do about them.
fn excused(run: &Finished, out: &mut String) {
    let all = excused::by_cause(run);
    if !all.is_empty() {
        out.push_str("### Not caused by this change\n\n");
    }
    for (cause, findings) in all {
        out.push_str(&format!("{}: {}.\n\n", code(cause.as_str()), excused::advice(cause)));
        findings.iter().take(MOST).for_each(|one| out.push_str(&finding(one, None)));
        more(findings.len(), MOST, out);
    }
    let new_lints = excused::new_lints(run);
    if !new_lints.is_empty() {
        out.push_str("### New lints\n\n");
    }
    for lints in new_lints {
        out.push_str(&format!("{}.\n\n", visible_line(&lints.summary())));
        lints.findings.iter().take(MOST).for_each(|one| out.push_str(&finding(one, None)));
        more(lints.findings.len(), MOST, out);
    }
}

/// List item for a finding, with a source excerpt below.
fn finding(finding: &Finding, sources: Option<&Sources>) -> String {
    let place = finding.shown_at();
    let at = place.range().map(|range| format!(":{}:{}", range.start.line, range.start.column));
    let mut text = format!(
        "- {} {} {}: {}\n",
        finding.level.as_str(),
        linked(&finding.ns, &finding.rule),
        code(&format!("{}{}", place.name(), at.unwrap_or_default())),
        code(&finding.title())
    );
    let source = place.path().zip(sources).and_then(|(path, sources)| sources.get(path));
    if let Some((range, source)) = place.range().zip(source)
        && let Some(lines) = excerpt::numbered(source, range)
    {
        text.push_str(&fenced(&lines));
    }
    text
}

fn gone(run: &Finished, out: &mut String) {
    let stale: Vec<_> = run.report.gone.iter().filter(|gone| gone.state == State::Fixed).collect();
    if stale.is_empty() && run.report.golden_orphans.is_empty() {
        return;
    }
    out.push_str("### Stale\n\n");
    for gone in stale.iter().take(MOST) {
        let scope = if gone.scope.is_empty() { String::new() } else { format!(" in {}", gone.scope) };
        let entry = format!("{}{scope}: {}: {}", gone.site.name(), gone.rule, gone.message);
        out.push_str(&format!("- baseline entry: {}\n", code(&entry)));
    }
    more(stale.len(), MOST, out);
    for path in run.report.golden_orphans.iter().take(MOST) {
        out.push_str(&format!("- golden file that no tool produces any more: {}\n", code(path)));
    }
    more(run.report.golden_orphans.len(), MOST, out);
}

/// Summary of the blind spots, on one line.
fn not_checked(run: &Finished, out: &mut String) {
    let spots = run.report.blind_spots.as_deref().unwrap_or_default();
    if let Some(summary) = blind_spots::summary(spots) {
        out.push_str(&format!("Not checked: {summary}; see `cargo genti blind-spots`\n\n"));
    }
}

fn footer(run: &Finished) -> String {
    let part = if run.run.selection.whole { "" } else { "; partial run" };
    let tasks = run.task_count();
    format!(
        "{}, graph {}{part}\n",
        counted(tasks, "task", "tasks"),
        code(run.run.graph_hash.get(..16).unwrap_or(&run.run.graph_hash))
    )
}

fn more(all: usize, shown: usize, out: &mut String) {
    if all > shown {
        out.push_str(&format!("- and {} more\n", number((all - shown) as u64)));
    }
    if !out.ends_with("\n\n") {
        out.push('\n');
    }
}

fn linked(ns: &str, rule: &str) -> String {
    match links::rule(ns, rule) {
        Some(url) => format!("[{}]({url})", code(rule)),
        None => code(rule),
    }
}

/// Formats `text` as a code span on one line that is also valid in a table.
fn code(text: &str) -> String {
    let text = inert(&visible_line(text)).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&text) + 1);
    // A space separates backticks at the ends from the fence, and makes an empty span valid.
    let is_bare = text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ', '\\']);
    let pad = if is_bare { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Formats `text` as a code block in a list item.
fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let text = inert(&visible(text)).trim_end().replace('\n', "\n  ");
    format!("\n  {fence}text\n  {text}\n  {fence}\n\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fence_has_more_backticks_than_the_code() {
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(code("a `b` c"), "``a `b` c``");
        assert_eq!(code("`b`"), "`` `b` ``");
        assert_eq!(code("a|b\nc"), "`a\\|b\\nc`");
        assert_eq!(code(""), "`  `");
        let block = fenced("a\n````\nb");
        assert!(block.starts_with("\n  `````text\n  a\n  ````\n  b\n  `````\n"), "{block}");
    }
}
