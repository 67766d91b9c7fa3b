//! The report of a run for humans: findings in order, a line for each tool, and what to do next.

use std::collections::BTreeMap;

use genti::model::finding::{Entry, State};
use genti::model::outcome::{Compared, End, Identical, Outcome, ToolOutcome, Verdict};
use genti::model::tool::{Per, Tool};
use genti::path::RelPath;
use genti::store;

use super::text::visible_line;
use super::{BAD, GOOD, Shell, WARN, finding, plural};

/// Entries and reasons that are shown of many.
const SHOWN: usize = 10;

/// What the report can't see from the outcome.
pub(crate) struct Hints<'a> {
    /// The sources that findings are in.
    pub(crate) sources: &'a BTreeMap<RelPath, Vec<u8>>,
    /// Whether there is a baseline.
    pub(crate) has_baseline: bool,
    /// Where the artifacts are, if they were written.
    pub(crate) artifacts: Option<String>,
}

/// Prints `outcome`.
pub(crate) fn outcome(shell: &mut Shell, outcome: &Outcome, hints: &Hints<'_>) {
    if !shell.quiet {
        findings(shell, outcome, hints);
        for (tool, result) in outcome.plan.graph.tools.iter().zip(&outcome.tools) {
            self::tool(shell, tool, result, outcome);
        }
    }
    last_words(shell, outcome, hints);
}

fn findings(shell: &mut Shell, outcome: &Outcome, hints: &Hints<'_>) {
    let width =
        terminal_size::terminal_size_of(std::io::stderr()).map_or(140, |(width, _)| usize::from(width.0));
    let verbose = shell.verbose;
    let is_shown = |compared: &&Compared| compared.state == State::New || verbose;
    for compared in outcome.findings.iter().filter(is_shown) {
        let source = compared.finding.diagnostic.place.path().and_then(|path| hints.sources.get(path));
        shell.err(finding::render(compared, source.map(Vec::as_slice), width));
        if let Some(Identical { new, total }) =
            compared.identical.filter(|identical| identical.new < identical.total)
        {
            shell.note(format_args!(
                "{new} of {total} identical findings here {} new",
                plural(new, "is", "are")
            ));
        }
    }
}

fn tool(shell: &mut Shell, tool: &Tool, result: &ToolOutcome, outcome: &Outcome) {
    let units = outcome
        .plan
        .graph
        .tasks
        .iter()
        .filter(|task| outcome.plan.graph.tool(task.tool).name == tool.name)
        .count();
    let mut facts = Vec::new();
    let mut fact = |count: usize, what: &str| {
        if count > 0 {
            facts.push(format!("{count} {what}"));
        }
    };
    fact(result.new, plural(result.new, "new finding", "new findings"));
    fact(result.unchanged, "accepted");
    fact(result.fixed, "fixed");
    fact(result.unknown, "accepted but not looked at");
    match (units, tool.per) {
        (0, _) => facts.push("nothing to look at".to_owned()),
        (_, Per::Workspace) => {}
        (_, per) => {
            facts.push(format!("{units} {}{}", per.as_str().replace('-', " "), plural(units, "", "s")))
        }
    }
    if !tool.required {
        facts.push("optional".to_owned());
    }
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
    let (style, word) = match result.verdict {
        Verdict::Passed => (GOOD, "Passed"),
        Verdict::Failed => (if tool.required { BAD } else { WARN }, "Failed"),
        Verdict::Incomplete => (if tool.required { BAD } else { WARN }, "Incomplete"),
    };
    shell.status(style, word, format_args!("{}{facts}", tool.name));
    for (unit, reason) in result.incomplete.iter().take(SHOWN) {
        let unit = if unit == "." { String::new() } else { format!("{}: ", visible_line(unit)) };
        shell.err(format_args!("{:>12} {unit}{}\n", "", visible_line(reason)));
    }
    and_more(shell, result.incomplete.len());
}

/// The tools without a verdict, each with the reasons.
pub(crate) fn incomplete(shell: &mut Shell, outcome: &Outcome) {
    for (tool, result) in outcome.plan.graph.tools.iter().zip(&outcome.tools) {
        if result.verdict == Verdict::Incomplete {
            self::tool(shell, tool, result, outcome);
        }
    }
}

/// An accepted finding on one line.
pub(crate) fn entry(entry: &Entry) -> String {
    let scope = if entry.scope.is_empty() { String::new() } else { format!(" in {}", entry.scope) };
    visible_line(&format!("{}{scope}: {}: {}", entry.site.name(), entry.rule, entry.msg))
}

fn and_more(shell: &mut Shell, count: usize) {
    if count > SHOWN {
        shell.err(format_args!("{:>12} and {} more\n", "", count - SHOWN));
    }
}

fn last_words(shell: &mut Shell, outcome: &Outcome, hints: &Hints<'_>) {
    let required = || outcome.plan.graph.tools.iter().zip(&outcome.tools).filter(|(tool, _)| tool.required);
    let names = |verdict: Verdict| {
        let of =
            required().filter(|(_, result)| result.verdict == verdict).map(|(tool, _)| tool.name.as_str());
        of.collect::<Vec<_>>().join(", ")
    };
    let is_new = |compared: &&Compared| compared.state == State::New;
    let new = outcome.findings.iter().filter(is_new).count();
    let can_accept =
        outcome.findings.iter().filter(is_new).any(|compared| !compared.finding.diagnostic.fatal);
    let stale: Vec<_> = outcome.gone.iter().filter(|gone| gone.state == State::Fixed).collect();
    let fixed = stale.len();
    match outcome.end {
        End::Passed => {
            let tasks = outcome.tasks.len();
            let has_passed = outcome.tools.iter().all(|result| result.verdict == Verdict::Passed);
            let of = if has_passed { "" } else { " from the required tools" };
            let what = format_args!("{tasks} {}, nothing new{of}", plural(tasks, "task", "tasks"));
            shell.status(GOOD, "Finished", what);
        }
        End::Failed if new > 0 => {
            shell.error(format_args!("{new} new {}", plural(new, "finding", "findings")));
        }
        End::Failed => shell.error(format_args!(
            "{fixed} accepted {} fixed but still in the baseline",
            plural(fixed, "finding is", "findings are")
        )),
        End::Incomplete => shell.error(format_args!("no verdict from: {}", names(Verdict::Incomplete))),
        End::Signal(signal) => shell.error(format_args!("stopped by signal {signal}")),
        End::Usage | End::NotWritten | End::Bug => {}
    }
    if outcome.end == End::Failed && can_accept && !hints.has_baseline {
        shell.note("to accept what is there today and fail on what is new: `cargo genti baseline init`");
    }
    if fixed > 0 {
        shell.note(format_args!(
            "{fixed} baseline {} stale: remove {} from {}/",
            plural(fixed, "entry is", "entries are"),
            plural(fixed, "its line", "their lines"),
            store::BASELINE_DIR,
        ));
        if !shell.quiet {
            for gone in stale.iter().take(SHOWN) {
                shell.err(format_args!("{:>12} {}.jsonl: {}\n", "", gone.ns, entry(&gone.entry)));
            }
            and_more(shell, fixed);
        }
    }
    if let Some(artifacts) = hints.artifacts.as_ref().filter(|_| shell.verbose) {
        shell.note(format_args!("artifacts are in {artifacts}"));
    }
}
