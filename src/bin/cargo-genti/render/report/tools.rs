//! The table of the tools: verdicts and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anstyle::Style;
use genti::model::finding::State;
use genti::model::outcome::Verdict;
use genti::model::tool::Leaky;
use genti::model::variant::Variant;
use genti::report::finished::{Finding, Finished, Incomplete, Tasks, Tool, ToolReport};
use genti::report::text::number;
use genti::report::{census, unexplained};

use super::super::{plural, text, visible_line};
use super::{BAD, DIM, GOOD, MOST, Page, View, WARN};

/// Columns of counts. A column is only shown if some tool has a count for it.
const COLUMNS: [&str; 5] = ["new", "accepted", "suppressed", "fixed", "unseen"];

pub(super) fn show(view: &View<'_>, page: &mut Page) {
    let rows = (0..).zip(view.run.tools()).filter_map(|(at, (tool, report))| Row::of(at, tool, report, view));
    let groups = Group::of(rows.collect(), view);
    let has = |column: usize| groups.iter().any(|group| group.counts[column] > 0);
    let columns: Vec<_> = (0..COLUMNS.len()).filter(|&column| has(column)).collect();
    let width = |column: usize| {
        let counts = groups.iter().map(|group| number(group.counts[column] as u64).len());
        counts.chain([COLUMNS[column].len()]).max().unwrap_or_default()
    };
    let variants = variants(&groups);
    let cell_width = |variant: &str| {
        let cells = groups.iter().map(|group| group.cell(variant).1.len());
        cells.chain([variant.len()]).max().unwrap_or_default()
    };
    let names = groups.iter().map(|group| group.name.len()).chain([4]).max().unwrap_or_default();
    if !columns.is_empty() || !variants.is_empty() {
        let head = |&column: &usize| format!("  {:>1$}", COLUMNS[column], width(column));
        let counts = columns.iter().map(head);
        let cells = variants.iter().map(|variant| format!("  {variant:>0$}", cell_width(variant)));
        let heads: String = counts.chain(cells).collect();
        page.push(format_args!("{DIM}{:>12} {:names$}{heads}{DIM:#}\n", "", "tool"));
    }
    let (mut seen, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for group in &groups {
        let worst = group.worst();
        let mut line = format!("{:names$}", group.name);
        for &column in &columns {
            let width = width(column);
            let (style, count) = match group.counts[column] {
                0 => (DIM, "-".to_owned()),
                count if column == 0 => (worst.style(), number(count as u64)),
                count => (Style::new(), number(count as u64)),
            };
            line.push_str(&format!("  {style}{count:>width$}{style:#}"));
        }
        for variant in &variants {
            let (style, text) = group.cell(variant);
            line.push_str(&format!("  {style}{text:>0$}{style:#}", cell_width(variant)));
        }
        let facts = group.facts();
        if !facts.is_empty() {
            line.push_str(&format!("  {DIM}{}{DIM:#}", facts.join(", ")));
        }
        page.row(worst.style(), worst.word(), line.trim_end());
        for row in &group.rows {
            let with = if group.rows.len() > 1 { format!("{}: ", row.variant()) } else { String::new() };
            // A compile error stops several tools, and stands beside the verdict.
            let open = match view.verbose {
                true => row.report.incomplete.iter().collect(),
                false => unexplained(view.run, row.tool, row.report),
            };
            gaps(&open, &with, (!view.verbose).then_some(&mut shown), page);
            notices(row.report, &mut seen, page);
            leaks(row.report, &with, page);
            if !open.is_empty() || row.report.incomplete.is_empty() {
                view.kept.get(row.at).into_iter().flatten().for_each(|line| page.below(line));
            }
        }
    }
}

/// Returns the names of the variants in the table, the default build first. Empty if all tools run in the default build.
fn variants<'a>(groups: &[Group<'a>]) -> Vec<&'a str> {
    let all: BTreeSet<_> = groups.iter().flat_map(|group| &group.rows).map(Row::variant).collect();
    if all.iter().all(|name| *name == Variant::DEFAULT) {
        return Vec::new();
    }
    let (default, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|name| *name == Variant::DEFAULT);
    [default, others].concat()
}

/// A line of the table: a tool with its variants.
struct Group<'a> {
    name: &'a str,
    rows: Vec<Row<'a>>,
    counts: [usize; COLUMNS.len()],
}

impl<'a> Group<'a> {
    /// Groups `rows` by tool. A finding of several variants counts once.
    fn of(rows: Vec<Row<'a>>, view: &View<'_>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for row in rows {
            let name = Variant::split(&row.tool.name).0;
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.rows.push(row),
                None => groups.push(Self { name, counts: row.counts, rows: vec![row] }),
            }
        }
        for group in groups.iter_mut().filter(|group| group.rows.len() > 1) {
            let is_own = |finding: &&Finding| Variant::split(view.run.tool_of(finding)).0 == group.name;
            let mut counts = [0; COLUMNS.len()];
            for finding in view.run.report.findings.iter().filter(is_own) {
                match finding.state {
                    State::New => counts[0] += usize::from(!finding.is_excused()),
                    State::Unchanged | State::Updated => counts[1] += 1,
                    State::Suppressed => counts[2] += 1,
                    _ => {}
                }
            }
            // Entries of the baseline belong to the namespace, which the variants share.
            for (column, count) in counts.iter_mut().enumerate().skip(3) {
                *count = group.rows.iter().map(|row| row.counts[column]).max().unwrap_or_default();
            }
            group.counts = counts;
        }
        groups
    }

    /// Returns the row that decides the verdict.
    fn worst(&self) -> &Row<'a> {
        let rank = |row: &&Row<'_>| match row.report.verdict {
            Verdict::Passed => 0,
            Verdict::Empty => 1,
            Verdict::Missing => 2,
            Verdict::Failed => 3,
            Verdict::Incomplete => 4,
        };
        self.rows.iter().max_by_key(rank).unwrap_or(&self.rows[0])
    }

    /// Returns the facts that all variants share.
    fn facts(&self) -> &[String] {
        let first = &self.rows[0].facts;
        if self.rows.iter().all(|row| row.facts == *first) { first } else { &[] }
    }

    /// Returns what the table says about `variant`.
    fn cell(&self, variant: &str) -> (Style, String) {
        let Some(row) = self.rows.iter().find(|row| row.variant() == variant) else {
            return (DIM, String::new());
        };
        let text = match row.report.verdict {
            Verdict::Incomplete => "incomplete".to_owned(),
            Verdict::Missing => "missing".to_owned(),
            Verdict::Empty => "empty".to_owned(),
            Verdict::Passed | Verdict::Failed if row.counts[0] > 0 => {
                format!("{} new", number(row.counts[0] as u64))
            }
            _ if row.is_skipped => return (DIM, "skipped".to_owned()),
            _ => "ok".to_owned(),
        };
        (row.style(), text)
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
    /// True if it had nothing to do at all.
    is_skipped: bool,
}

impl<'a> Row<'a> {
    fn of(at: usize, tool: &'a Tool, report: &'a ToolReport, view: &View<'_>) -> Option<Self> {
        let is_aside = view.run.is_aside(tool) && report.verdict == Verdict::Passed;
        if (is_aside || view.run.is_of_other_shards(tool, report)) && !view.verbose {
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
        let is_own = |finding: &&Finding| finding.is_excused() && view.run.tool_of(finding) == tool.name;
        let excused: Vec<_> = view.run.report.findings.iter().filter(is_own).collect();
        let of_new_lints = excused.iter().filter(|finding| finding.is_of_new_lint()).count();
        let excused = excused.len();
        if excused > of_new_lints {
            facts.push(format!("{} not caused by the change", number((excused - of_new_lints) as u64)));
        }
        if of_new_lints > 0 {
            facts.push(format!("{} of new lints", number(of_new_lints as u64)));
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
            counts: [new - excused, unchanged + updated, *suppressed, *fixed, *unknown],
            facts,
            is_skipped: *skipped > 0 && *skipped == view.run.task_count_of(&tool.name),
        })
    }

    /// Returns the name of the variant.
    fn variant(&self) -> &'a str {
        self.tool.variant.as_deref().unwrap_or(Variant::DEFAULT)
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

/// Lists what has no result, after the name of the variant. Units with the same reason share a line. A reason for everything that
/// is `shown` for another tool, such as a missing toolchain, is not repeated.
fn gaps<'a>(open: &[&'a Incomplete], with: &str, mut shown: Option<&mut BTreeSet<&'a str>>, page: &mut Page) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for gap in open {
        if gap.unit == "." && shown.as_mut().is_some_and(|shown| !shown.insert(&gap.reason)) {
            continue;
        }
        reasons.entry(&gap.reason).or_default().push(&gap.unit);
    }
    for (reason, units) in reasons.iter().take(MOST) {
        let who = match units.as_slice() {
            ["."] => String::new(),
            [unit] => format!("{}: ", visible_line(unit)),
            [first, ..] => format!("{} units ({}, …): ", number(units.len() as u64), visible_line(first)),
            [] => continue,
        };
        page.below(format_args!("{with}{who}{}", visible_line(reason)));
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
fn leaks(report: &ToolReport, with: &str, page: &mut Page) {
    for who in report.leaky.iter().take(MOST) {
        let who = if who == "." { String::new() } else { format!("{}: ", visible_line(who)) };
        page.below(format_args!("{with}{who}leaky: {}", Leaky::MESSAGE));
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
