//! Markdown, for the summary of a CI job or a comment: the verdict, the tools, and what is new.
//!
//! What tools say stands in code, where it is text and nothing else: it mentions nobody and renders nothing. A summary
//! has at most [`MOST_BYTES`]; what does not fit is counted.

use std::collections::BTreeMap;

use super::finished::{Finding, Finished, ToolReport};
use super::text::{counted, inert, visible, visible_line};
use super::{blind_spots, census, excerpt, links};
use crate::model::finding::State;
use crate::model::outcome::Verdict;
use crate::model::sources::Sources;
use crate::model::style::{FORMER_STYLE, Migration};
use crate::model::tool::Leaky;

/// GitHub refuses a summary of more than 1 MiB; this leaves room for those of other steps.
const MOST_BYTES: usize = 512 * 1024;
/// Findings that are shown with their source.
const MOST_SHOWN: usize = 50;
/// Rules that are counted.
const MOST_RULES: usize = 20;
/// Reasons and entries of one kind.
const MOST: usize = 20;

/// Renders `run`, with the sources that there are.
pub fn render(run: &Finished, sources: &Sources) -> Vec<u8> {
    let new: Vec<_> = run.report.findings.iter().filter(|finding| finding.state == State::New).collect();
    let mut out = format!("## genti: {}\n\n", verdict(run, new.len()));
    tools(run, &mut out);
    migrations(run, &mut out);
    gaps(run, &mut out);
    notices(run, &mut out);
    leaks(run, &mut out);
    if new.len() > MOST_SHOWN {
        rules(&new, &mut out);
    }
    findings(&new, sources, &mut out);
    gone(run, &mut out);
    not_checked(run, &mut out);
    out.push_str(&footer(run));
    out.into_bytes()
}

/// The end in a few words.
fn verdict(run: &Finished, new: usize) -> String {
    let new = match new {
        0 => "nothing new".to_owned(),
        new => counted(new, "new finding", "new findings"),
    };
    format!("{}, {new}", code(&run.run.end.status).trim_matches('`'))
}

/// The tools; a column is there if some tool has any.
fn tools(run: &Finished, out: &mut String) {
    let rows: Vec<_> = run
        .tools()
        .filter(|(tool, report)| !run.is_aside(tool) || report.verdict != Verdict::Passed)
        .collect();
    let counts = |report: &ToolReport| {
        let ToolReport { new, unchanged, updated, suppressed, fixed, unknown, .. } = *report;
        [new, unchanged + updated, suppressed, fixed, unknown]
    };
    let names = ["new", "accepted", "suppressed", "fixed", "not looked at"];
    let has = |column: &usize| rows.iter().any(|(_, report)| counts(report)[*column] > 0);
    let columns: Vec<_> = (0..names.len()).filter(has).collect();
    let heads: String = columns.iter().map(|&column| format!(" {} |", names[column])).collect();
    let rule = " ---: |".repeat(columns.len());
    let has_census = rows.iter().any(|(tool, report)| !census::of_tool(run, tool, report).is_empty());
    let (head, line) = if has_census { (" looked at |", " --- |") } else { ("", "") };
    out.push_str(&format!("| verdict | tool |{heads}{head}\n| --- | --- |{rule}{line}\n"));
    for (tool, report) in rows {
        let optional = if tool.required { "" } else { " (optional)" };
        let cell = |&column: &usize| match counts(report)[column] {
            0 => "  |".to_owned(),
            count => format!(" {count} |"),
        };
        let cells: String = columns.iter().map(cell).collect();
        let looked_at = match has_census {
            true => {
                format!(" {} |", inert(&census::of_tool(run, tool, report).join(", ")).replace('|', "\\|"))
            }
            false => String::new(),
        };
        let verdict = report.verdict.as_str();
        out.push_str(&format!("| {verdict} | {}{optional} |{cells}{looked_at}\n", code(&tool.name)));
    }
    out.push('\n');
}

/// New findings of a changed style edition.
fn migrations(run: &Finished, out: &mut String) {
    for (_, report) in run.tools() {
        let Some(Migration { files, findings }) = &report.migration else { continue };
        out.push_str(&format!(
            "Style edition changed: {findings} new findings in {files} files are formatted as style edition {FORMER_STYLE} wants.\n\n"
        ));
    }
}

/// What has no verdict, and why. One reason may hold for many units.
fn gaps(run: &Finished, out: &mut String) {
    let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (tool, report) in run.tools() {
        for gap in &report.incomplete {
            reasons.entry((&tool.name, &gap.reason)).or_default().push(&gap.unit);
        }
    }
    if reasons.is_empty() {
        return;
    }
    out.push_str("### No verdict\n\n");
    for ((tool, reason), units) in reasons.iter().take(MOST) {
        let of = match units.as_slice() {
            ["."] => String::new(),
            [unit] => format!(" on {}", code(unit)),
            units => format!(" on {} units ({}, …)", units.len(), code(units[0])),
        };
        out.push_str(&format!("- {}{of}: {}\n", code(tool), code(reason)));
    }
    more(reasons.len(), MOST, out);
}

/// Messages of tools that are no findings.
fn notices(run: &Finished, out: &mut String) {
    let of = |(tool, report): (&'_ _, &'_ ToolReport)| {
        let tool: &super::finished::Tool = tool;
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

/// What passed and left something running.
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

fn rules(new: &[&Finding], out: &mut String) {
    let mut rules: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in new {
        *rules.entry((&finding.ns, &finding.rule)).or_default() += 1;
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by_key(|&(key, count)| (std::cmp::Reverse(count), key));
    out.push_str("### By rule\n\n| new | rule |\n| ---: | --- |\n");
    for ((ns, rule), count) in rules.iter().take(MOST_RULES) {
        out.push_str(&format!("| {count} | {} |\n", linked(ns, rule)));
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

/// An item of the list, with the source below it.
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
    out.push_str("### Fixed\n\n");
    for gone in stale.iter().take(MOST) {
        let scope = if gone.scope.is_empty() { String::new() } else { format!(" in {}", gone.scope) };
        let entry = format!("{}{scope}: {}: {}", gone.site.name(), gone.rule, gone.message);
        out.push_str(&format!("- still in the baseline: {}\n", code(&entry)));
    }
    more(stale.len(), MOST, out);
    for path in run.report.golden_orphans.iter().take(MOST) {
        out.push_str(&format!("- golden file that nothing prints any more: {}\n", code(path)));
    }
    more(run.report.golden_orphans.len(), MOST, out);
}

/// What no tool looked at, in a line.
fn not_checked(run: &Finished, out: &mut String) {
    let spots = run.report.blind_spots.as_deref().unwrap_or_default();
    if let Some(summary) = blind_spots::summary(spots) {
        out.push_str(&format!("Not checked: {summary}; see `cargo genti blind-spots`\n\n"));
    }
}

fn footer(run: &Finished) -> String {
    let part = if run.run.selection.whole { "" } else { "; only a part was looked at" };
    let tasks = run.task_count();
    format!(
        "{}, graph {}{part}\n",
        counted(tasks, "task", "tasks"),
        code(run.run.graph_hash.get(..16).unwrap_or(&run.run.graph_hash))
    )
}

fn more(all: usize, shown: usize, out: &mut String) {
    if all > shown {
        out.push_str(&format!("- and {} more\n", all - shown));
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

/// `text` as a span of code on one line, also in a table.
fn code(text: &str) -> String {
    let text = inert(&visible_line(text)).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&text) + 1);
    // A space keeps backticks at the ends apart from the fence, and an empty span from being none.
    let is_bare = text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ', '\\']);
    let pad = if is_bare { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// `text` as a block of code in an item of a list.
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
    fn code_is_fenced_by_more_backticks_than_it_holds() {
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(code("a `b` c"), "``a `b` c``");
        assert_eq!(code("`b`"), "`` `b` ``");
        assert_eq!(code("a|b\nc"), "`a\\|b\\nc`");
        assert_eq!(code(""), "`  `");
        let block = fenced("a\n````\nb");
        assert!(block.starts_with("\n  `````text\n  a\n  ````\n  b\n  `````\n"), "{block}");
    }
}
