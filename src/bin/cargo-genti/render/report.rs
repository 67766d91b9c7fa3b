//! The report of a run for humans: findings in order, a line for each tool, and what to do next.

use std::collections::BTreeMap;
use std::path::PathBuf;

use genti::model::finding::State;
use genti::model::outcome::{
    Compared, Effect, End, Gone, Identical, Outcome, Suppressing, ToolOutcome, Verdict,
};
use genti::model::suppression::Suppression;
use genti::model::task::{Plan, Status};
use genti::model::tool::{Parse, Per, Tool};
use genti::path::RelPath;
use genti::plan::config::numbers;

use super::text::{self, visible_line};
use super::{BAD, GOOD, Shell, WARN, finding, plural};

/// Lines of one kind that are shown before the rest is only counted.
const MOST: usize = 10;

/// Findings that are shown unless all are asked for.
const MOST_FINDINGS: usize = 100;

/// What the report can't see from the outcome.
pub(crate) struct Hints<'a> {
    /// The sources that findings are in.
    pub(crate) sources: &'a BTreeMap<RelPath, Vec<u8>>,
    /// Whether there is no baseline, and this build is the one to take it with.
    pub(crate) may_begin_baseline: bool,
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
    other_versions(shell, outcome);
    last_words(shell, outcome, hints);
}

/// Which tools are at another version than the locked one, and what of the new findings comes of it.
fn other_versions(shell: &mut Shell, outcome: &Outcome) {
    for (tool, result) in outcome.plan.graph.tools.iter().zip(&outcome.tools) {
        let (Some(here), Some(other)) = (&result.version, &result.other_version) else { continue };
        let (mut here, mut locked) = (here.as_str(), other.locked.as_str());
        if let (Some(a), Some(b)) = (numbers(here).next(), numbers(locked).next())
            && a != b
        {
            (here, locked) = (a, b);
        }
        let of_new = match (result.new, other.by_new_rules) {
            (0, _) | (_, None) => String::new(),
            (1, Some(0)) => ": the new finding comes from no lint that it did not have".to_owned(),
            (1, Some(_)) => ": the new finding comes from a lint that it did not have".to_owned(),
            (all, Some(0)) => {
                format!(": none of the {all} new findings comes from a lint that it did not have")
            }
            (all, Some(some)) => format!(
                ": {some} of the {all} new findings {} from lints it did not have",
                plural(some, "comes", "come")
            ),
        };
        shell.note(visible_line(&format!("{} {here} here, {locked} locked{of_new}", tool.name)));
    }
}

fn findings(shell: &mut Shell, outcome: &Outcome, hints: &Hints<'_>) {
    let width =
        terminal_size::terminal_size_of(std::io::stderr()).map_or(140, |(width, _)| usize::from(width.0));
    let verbose = shell.verbose;
    let is_shown = |compared: &&Compared| compared.state == State::New || verbose;
    let shown: Vec<_> = outcome.findings.iter().filter(is_shown).collect();
    let most = if verbose { shown.len() } else { shown.len().min(MOST_FINDINGS) };
    for compared in &shown[..most] {
        let source = compared.finding.diagnostic.place.path().and_then(|path| hints.sources.get(path));
        shell.err(finding::render(compared, source.map(Vec::as_slice), width));
        if let Some(at) = compared.suppressed_by {
            let Suppression { reason, file, line, .. } = &outcome.suppressions[at].suppression;
            shell.note(format_args!("suppressed by {file}:{line}: {}", visible_line(reason)));
        }
        if let Some(Identical { new, total }) =
            compared.identical.filter(|identical| identical.new < identical.total)
        {
            shell.note(format_args!(
                "{new} of {total} identical findings here {} new",
                plural(new, "is", "are")
            ));
        }
    }
    if most < shown.len() {
        let place = hints.artifacts.as_ref().map(|dir| format!(" in {dir}/report.json")).unwrap_or_default();
        shell.note(format_args!("and {} more{place}; `--verbose` shows all of them", shown.len() - most));
    }
}

fn tool(shell: &mut Shell, tool: &Tool, result: &ToolOutcome, outcome: &Outcome) {
    let graph = &outcome.plan.graph;
    let tasks = graph.tasks.iter().zip(&outcome.tasks);
    let own = || tasks.clone().filter(|(task, _)| graph.tool(task.tool).name == tool.name);
    let units = own().count();
    let skipped = own().filter(|(_, task)| matches!(task.status, Status::Skipped(_))).count();
    // What nobody asked for by name is not worth a line while it has nothing to say.
    let is_aside = tool.on_demand || (units == 0 && !tool.configured);
    if is_aside && result.verdict == Verdict::Passed && !shell.verbose {
        return;
    }
    let mut facts = Vec::new();
    let mut fact = |count: usize, what: &str| {
        if count > 0 {
            facts.push(format!("{count} {what}"));
        }
    };
    fact(result.new, plural(result.new, "new finding", "new findings"));
    fact(result.unchanged + result.updated, "accepted");
    fact(result.suppressed, "suppressed");
    fact(result.fixed, "fixed");
    fact(result.unknown, "accepted but not looked at");
    match (units, tool.per) {
        (0, _) => facts.push("nothing to look at".to_owned()),
        (_, Per::Workspace) => {}
        (_, per) => facts.push(text::units(units, per)),
    }
    if tool.parse == Parse::BuildScripts {
        let units = outcome.generated.iter().flat_map(|generated| &generated.units);
        match units.map(|unit| unit.files.len()).sum() {
            0 => {}
            files => facts.push(format!("{files} generated {}", plural(files, "file", "files"))),
        }
    }
    if skipped > 0 {
        facts.push(format!("{skipped} skipped"));
    }
    if !tool.required {
        facts.push("optional".to_owned());
    }
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
    let (style, word) = match result.verdict {
        Verdict::Passed => (GOOD, "Passed"),
        Verdict::Failed => (if tool.required { BAD } else { WARN }, "Failed"),
        Verdict::Incomplete => (if tool.required { BAD } else { WARN }, "Incomplete"),
        Verdict::Missing => (WARN, "Missing"),
    };
    shell.status(style, word, format_args!("{}{facts}", tool.name));
    // One reason may hold for many units: it is said once.
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (unit, reason) in &result.incomplete {
        reasons.entry(reason).or_default().push(unit);
    }
    for (reason, units) in reasons.iter().take(MOST) {
        let who = match units.as_slice() {
            ["."] => String::new(),
            [unit] => format!("{}: ", visible_line(unit)),
            [first, ..] => format!("{} units ({}, …): ", units.len(), visible_line(first)),
            [] => continue,
        };
        shell.err(format_args!("{:>12} {who}{}\n", "", visible_line(reason)));
    }
    if reasons.len() > MOST {
        shell.err(format_args!("{:>12} and {} more\n", "", reasons.len() - MOST));
    }
    for line in kept(result) {
        shell.err(format_args!("{:>12} {line}\n", ""));
    }
}

/// Where the output of a tool is that has no verdict on something; nothing if there is none.
pub(crate) fn kept(result: &ToolOutcome) -> Vec<String> {
    let shown = |path: &PathBuf| visible_line(&path.display().to_string());
    let files = match result.kept.as_slice() {
        [] => None,
        [one] => Some(shown(one)),
        [one, other] => Some(format!("{} and {}", shown(one), shown(other))),
        [first, rest @ ..] => Some(format!("{} and {} files more", shown(first), rest.len())),
    };
    let files = files.map(|files| format!("output kept in {files}"));
    let error = result.not_kept.as_ref().map(|error| format!("output not kept: {}", visible_line(error)));
    files.into_iter().chain(error).collect()
}

/// Why it ended as it did, and what to do. Only required tools decide, so only theirs is counted as a cause.
fn last_words(shell: &mut Shell, outcome: &Outcome, hints: &Hints<'_>) {
    let plan = &outcome.plan;
    let is_required =
        |is: &dyn Fn(&Tool) -> bool| plan.graph.tools.iter().any(|tool| tool.required && is(tool));
    let names = |is: &dyn Fn(&Tool, Verdict) -> bool| {
        let tools = plan.graph.tools.iter().zip(&outcome.tools);
        let names =
            tools.filter(|(tool, result)| is(tool, result.verdict)).map(|(tool, _)| tool.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let open = |required| names(&|tool, verdict| tool.required == required && verdict == Verdict::Incomplete);
    let (new, extra): (Vec<_>, Vec<_>) = outcome
        .findings
        .iter()
        .filter(|compared| compared.state == State::New)
        .partition(|compared| is_required(&|tool| compared.finding.tools.contains(&tool.name)));
    let stale: Vec<_> = outcome.gone.iter().filter(|gone| gone.state == State::Fixed).collect();
    match outcome.end {
        End::Passed => {
            let tasks = outcome.tasks.len();
            let mut beside = String::new();
            if !extra.is_empty() {
                let findings = plural(extra.len(), "finding", "findings");
                beside.push_str(&format!("; {} new {findings} from optional ones", extra.len()));
            }
            let open = open(false);
            if !open.is_empty() {
                beside.push_str(&format!("; no verdict from optional {open}"));
            }
            let missing = names(&|_, verdict| verdict == Verdict::Missing);
            if !missing.is_empty() {
                beside.push_str(&format!("; not installed: {missing}"));
            }
            let from = if beside.is_empty() { "" } else { " from required tools" };
            let what = format!("{tasks} {}, nothing new{from}{beside}", plural(tasks, "task", "tasks"));
            shell.status(GOOD, "Finished", what);
        }
        End::Failed if !new.is_empty() => {
            let findings = plural(new.len(), "finding", "findings");
            let more = match extra.len() {
                0 => String::new(),
                more => format!("; {more} more from optional tools"),
            };
            shell.error(format_args!("{} new {findings}{more}", new.len()));
        }
        End::Failed => {
            let count =
                stale.iter().filter(|gone| is_required(&|tool| tool.namespaces.contains(&gone.ns))).count();
            if count > 0 {
                shell.error(format_args!(
                    "{count} accepted {} fixed but still in the baseline",
                    plural(count, "finding is", "findings are")
                ));
            } else {
                let count = outcome.goldens.orphans.len();
                let files =
                    plural(count, "golden file that nothing prints", "golden files that nothing prints");
                shell.error(format_args!("{count} {files} any more"));
            }
        }
        End::Incomplete => shell.error(format_args!("no verdict from: {}", open(true))),
        End::Signal(signal) => shell.error(format_args!("stopped by signal {signal}")),
        End::Usage | End::NotWritten | End::Drift | End::Bug => {}
    }
    let can_accept =
        hints.may_begin_baseline && new.iter().any(|compared| !compared.finding.diagnostic.fatal);
    if new.iter().chain(&extra).any(|compared| is_of_golden(plan, compared)) {
        shell
            .note("if what is printed now is right, `cargo genti run --bless` writes it to the golden files");
    }
    if outcome.end == End::Failed && can_accept {
        shell.note("to accept what is there today and fail on what is new: `cargo genti baseline init`");
    }
    if !stale.is_empty() && !shell.quiet {
        self::stale(shell, &stale);
    }
    if !outcome.goldens.orphans.is_empty() && !shell.quiet {
        orphans(shell, &outcome.goldens.orphans);
    }
    if !shell.quiet {
        suppressions(shell, outcome);
    }
    if let Some(artifacts) = hints.artifacts.as_ref().filter(|_| shell.verbose) {
        shell.note(format_args!("artifacts are in {artifacts}"));
    }
}

/// Which suppressions hold no more, and which are of no use.
fn suppressions(shell: &mut Shell, outcome: &Outcome) {
    for Suppressing { suppression, matched, effect } in &outcome.suppressions {
        let Suppression { reason, owner, expires, file, line, .. } = suppression;
        let said = match owner {
            None => visible_line(reason),
            Some(owner) => format!("{} ({})", visible_line(reason), visible_line(owner)),
        };
        let expired = expires.map(|date| format!("expired on {date}")).unwrap_or_default();
        match (effect, matched) {
            (Effect::Active, _) => {}
            (Effect::Expired, 0) => shell.warning(format_args!(
                "{file}:{line}: this suppression has {expired} and matches nothing; remove it: {said}"
            )),
            (Effect::Expired, matched) => shell.warning(format_args!(
                "{file}:{line}: this suppression has {expired}, and {matched} {} again: {said}",
                plural(*matched, "finding counts", "findings count")
            )),
            (Effect::Unused, _) => shell.warning(format_args!(
                "{file}:{line}: this suppression matches nothing; remove it, or correct it: {said}"
            )),
        }
    }
    let covered = outcome.gone.iter().filter(|gone| gone.state == State::Suppressed).count();
    if covered > 0 {
        shell.note(format_args!(
            "{covered} baseline {} suppressed: drop {} with `cargo genti baseline update`",
            plural(covered, "entry accepts what is", "entries accept what is"),
            plural(covered, "it", "them"),
        ));
    }
}

/// Which lines of the baseline are of no use any more.
fn stale(shell: &mut Shell, stale: &[&Gone]) {
    let count = stale.len();
    shell.note(format_args!(
        "{count} baseline {} stale: drop {} with `cargo genti baseline update`",
        plural(count, "entry is", "entries are"),
        plural(count, "its line", "their lines"),
    ));
    for gone in stale.iter().take(MOST) {
        shell.err(format_args!(
            "{:>12} {}.jsonl: {}\n",
            "",
            visible_line(&gone.ns),
            finding::entry(&gone.entry)
        ));
    }
    if count > MOST {
        shell.err(format_args!("{:>12} and {} more\n", "", count - MOST));
    }
}

/// Whether this is a difference from a golden file.
fn is_of_golden(plan: &Plan, compared: &Compared) -> bool {
    let mut tools = plan.graph.tools.iter().filter(|tool| tool.has_goldens());
    tools.any(|tool| compared.finding.tools.contains(&tool.name))
}

/// Which golden files are of no use any more.
fn orphans(shell: &mut Shell, orphans: &[RelPath]) {
    let count = orphans.len();
    shell.note(format_args!(
        "nothing prints {count} golden {} any more: remove {} with `cargo genti run --bless --remove-orphans`",
        plural(count, "file", "files"),
        plural(count, "it", "them"),
    ));
    for path in orphans.iter().take(MOST) {
        shell.err(format_args!("{:>12} {}\n", "", visible_line(&path.to_string())));
    }
    if count > MOST {
        shell.err(format_args!("{:>12} and {} more\n", "", count - MOST));
    }
}
