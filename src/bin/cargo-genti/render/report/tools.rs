//! The table of the tools: verdicts and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anstyle::Style;
use genti::model::outcome::Verdict;
use genti::model::tool::Leaky;
use genti::report::finished::{Finished, Incomplete, Tasks, Tool, ToolReport};
use genti::report::text::number;
use genti::report::{census, unexplained};

use super::super::{plural, text, visible_line};
use super::{BAD, DIM, GOOD, MOST, Page, View, WARN};

/// Columns of counts. A column is only shown if some tool has a count for it.
const COLUMNS: [&str; 5] = ["new", "accepted", "suppressed", "fixed", "unseen"];

pub(super) fn show(view: &View<'_>, page: &mut Page) {
    let rows: Vec<_> = (0..)
        .zip(view.run.tools())
        .filter_map(|(at, (tool, report))| Row::of(at, tool, report, view))
        .collect();
    let has = |column: usize| rows.iter().any(|row| row.counts[column] > 0);
    let columns: Vec<_> = (0..COLUMNS.len()).filter(|&column| has(column)).collect();
    let width = |column: usize| {
        let counts = rows.iter().map(|row| number(row.counts[column] as u64).len());
        counts.chain([COLUMNS[column].len()]).max().unwrap_or_default()
    };
    let names = rows.iter().map(|row| row.tool.name.len()).chain([4]).max().unwrap_or_default();
    if !columns.is_empty() {
        let head = |&column: &usize| format!("  {:>1$}", COLUMNS[column], width(column));
        let heads: String = columns.iter().map(head).collect();
        page.push(format_args!("{DIM}{:>12} {:names$}{heads}{DIM:#}\n", "", "tool"));
    }
    let mut seen = BTreeSet::new();
    for row in &rows {
        let mut line = format!("{:names$}", row.tool.name);
        for &column in &columns {
            let width = width(column);
            let (style, count) = match row.counts[column] {
                0 => (DIM, "-".to_owned()),
                count if column == 0 => (row.style(), number(count as u64)),
                count => (Style::new(), number(count as u64)),
            };
            line.push_str(&format!("  {style}{count:>width$}{style:#}"));
        }
        if !row.facts.is_empty() {
            line.push_str(&format!("  {DIM}{}{DIM:#}", row.facts.join(", ")));
        }
        page.status(row.style(), row.word(), line.trim_end());
        // A compile error stops several tools, and stands beside the verdict.
        let open = match view.verbose {
            true => row.report.incomplete.iter().collect(),
            false => unexplained(view.run, row.tool, row.report),
        };
        gaps(&open, page);
        notices(row.report, &mut seen, page);
        leaks(row.report, page);
        if !open.is_empty() || row.report.incomplete.is_empty() {
            view.kept.get(row.at).into_iter().flatten().for_each(|line| page.below(line));
        }
    }
}

/// A row of the table.
struct Row<'a> {
    /// Index of the tool.
    at: usize,
    tool: &'a Tool,
    report: &'a ToolReport,
    counts: [usize; COLUMNS.len()],
    facts: Vec<String>,
}

impl<'a> Row<'a> {
    fn of(at: usize, tool: &'a Tool, report: &'a ToolReport, view: &View<'_>) -> Option<Self> {
        if view.run.is_aside(tool) && report.verdict == Verdict::Passed && !view.verbose {
            return None;
        }
        let ToolReport { new, unchanged, updated, suppressed, skipped, fixed, unknown, .. } = report;
        let mut facts = Vec::new();
        let census = census::of_tool(view.run, tool, report);
        match (view.run.task_count_of(&tool.name), tool.per.as_str()) {
            (0, _) if report.verdict == Verdict::Empty => {}
            (0, _) => facts.push("nothing to check".to_owned()),
            _ if !census.is_empty() => facts.extend(census),
            (_, "workspace") => {}
            (count, per) => facts.push(text::units(count, per)),
        }
        if tool.parse == "build-scripts" {
            let units = view.run.report.generated.iter().flat_map(|generated| &generated.units);
            match units.map(|unit| unit.files.len()).sum() {
                0 => {}
                files => facts.push(format!("{files} generated {}", plural(files, "file", "files"))),
            }
        }
        if *skipped > 0 {
            facts.push(format!("{} skipped", text::units(*skipped, &tool.per)));
        }
        if !tool.required {
            facts.push("optional".to_owned());
        }
        if view.verbose {
            facts.extend(view.tasks.and_then(|tasks| took(tasks, &tool.name)));
            facts.extend(tool.version.as_deref().map(visible_line));
        }
        Some(Self {
            at,
            tool,
            report,
            counts: [*new, unchanged + updated, *suppressed, *fixed, *unknown],
            facts,
        })
    }

    fn style(&self) -> Style {
        match self.report.verdict {
            Verdict::Passed => GOOD,
            Verdict::Missing | Verdict::Empty => WARN,
            Verdict::Failed | Verdict::Incomplete => {
                if self.tool.required {
                    BAD
                } else {
                    WARN
                }
            }
        }
    }

    fn word(&self) -> &'static str {
        match self.report.verdict {
            Verdict::Passed => "Passed",
            Verdict::Failed => "Failed",
            Verdict::Incomplete => "Incomplete",
            Verdict::Missing => "Missing",
            Verdict::Empty => "Empty",
        }
    }
}

/// Returns the time from the start of the first task to the end of the last.
fn took(tasks: &Tasks, tool: &str) -> Option<String> {
    let times = || tasks.of(tool).filter_map(|task| task.timing.as_ref());
    let start = times().map(|timing| timing.start_us).min()?;
    let end = times().map(|timing| timing.start_us + timing.duration_us).max()?;
    Some(format!("{:.1}s", Duration::from_micros(end - start).as_secs_f64()))
}

/// Lists what has no result. Units with the same reason share a line.
fn gaps(open: &[&Incomplete], page: &mut Page) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for gap in open {
        reasons.entry(&gap.reason).or_default().push(&gap.unit);
    }
    for (reason, units) in reasons.iter().take(MOST) {
        let who = match units.as_slice() {
            ["."] => String::new(),
            [unit] => format!("{}: ", visible_line(unit)),
            [first, ..] => format!("{} units ({}, …): ", number(units.len() as u64), visible_line(first)),
            [] => continue,
        };
        page.below(format_args!("{who}{}", visible_line(reason)));
    }
    if reasons.len() > MOST {
        page.below(format_args!("and {} more", number((reasons.len() - MOST) as u64)));
    }
}

/// Lists messages of the tool that are not findings. Cargo repeats some messages for several tools, so each
/// is shown once.
fn notices<'a>(report: &'a ToolReport, seen: &mut BTreeSet<&'a str>, page: &mut Page) {
    let new: Vec<_> = report.notices.iter().filter(|notice| seen.insert(notice)).collect();
    for notice in new.iter().take(MOST) {
        page.below(visible_line(notice));
    }
    if new.len() > MOST {
        page.below(format_args!("and {} more", number((new.len() - MOST) as u64)));
    }
}

/// Lists units and tests that left a process running.
fn leaks(report: &ToolReport, page: &mut Page) {
    for who in report.leaky.iter().take(MOST) {
        let who = if who == "." { String::new() } else { format!("{}: ", visible_line(who)) };
        page.below(format_args!("{who}leaky: {}", Leaky::MESSAGE));
    }
    if report.leaky.len() > MOST {
        page.below(format_args!("and {} more", number((report.leaky.len() - MOST) as u64)));
    }
}

/// Returns the names of the tools that satisfy `is`.
pub(super) fn names(run: &Finished, is: impl Fn(&Tool, &ToolReport) -> bool) -> String {
    let names = run.tools().filter(|(tool, report)| is(tool, report)).map(|(tool, _)| tool.name.as_str());
    names.collect::<Vec<_>>().join(", ")
}
