//! The last lines of a report: the reason for the exit code, and what the run amounts to.
//!
//! Only findings of required tools are counted as a reason, because only these affect the exit code.

use std::collections::BTreeMap;
use std::time::Duration;

use genti::model::finding::OWN_NAMESPACE;
use genti::model::outcome::Verdict;
use genti::report::finished::{Finding, Gone};
use genti::report::text::{counted, number};
use genti::report::{Cause, causes, excused, short};
use genti::scan::signal_name;

use super::super::text::time;
use super::super::visible_line;
use super::tools::names;
use super::{BAD, GOOD, Page, View, plural};

/// Number of reasons for a missing result that are listed.
const MOST_CAUSES: usize = 5;

pub(super) fn show(view: &View<'_>, page: &mut Page) {
    let status = view.run.run.end.status.as_str();
    match status {
        "failed" => page.error(failures(view).join("; ")),
        "incomplete" => {
            let reasons: Vec<_> = std::iter::once(no_result(view)).chain(failures(view)).collect();
            page.error(reasons.join("; "));
            causes_of(view, page);
        }
        "interrupted" => {
            let signal = view.run.run.end.exit.saturating_sub(128);
            return page.error(format_args!("interrupted by {}", signal_name(signal.into())));
        }
        "passed" => {}
        _ => return,
    }
    let (style, beside) = match status {
        "passed" => (GOOD, beside(view)),
        _ => (BAD, String::new()),
    };
    if !view.quiet || status == "passed" {
        let from = if beside.is_empty() { "" } else { " from required tools" };
        let word = if status == "incomplete" { "Incomplete" } else { "Finished" };
        page.status(style, word, format_args!("{}{from}{beside}", summary(view)));
    }
}

/// Returns the new findings, and what else the exit code depends on, on one line.
pub(crate) fn outline(view: &View<'_>) -> String {
    let mut parts = vec![new_findings(view)];
    match view.run.run.end.status.as_str() {
        "passed" => parts[0].push_str(&beside(view)),
        "failed" => {
            if view.new_findings().next().is_none() {
                parts.clear();
            }
            parts.extend(stale(view));
        }
        "incomplete" => {
            let mut open = no_result(view);
            if let Some(cause @ Cause::Gap(..)) = causes(view.run).first() {
                open.push_str(&format!(" ({})", self::cause(cause)));
            }
            parts.push(open);
            parts.extend(stale(view));
        }
        _ => {}
    }
    let (flaky, leaky) = unsteady(view);
    if flaky > 0 {
        let is_of_tests = view.run.report.findings.iter().all(|one| !one.is_flaky() || one.test.is_some());
        parts.push(match is_of_tests {
            true => counted(flaky, "flaky test", "flaky tests"),
            false => counted(flaky, "flaky result", "flaky results"),
        });
    }
    if leaky > 0 {
        parts.push(format!("{} leaky", number(leaky as u64)));
    }
    parts.join("; ")
}

/// Numbers of flaky tests, and of tests and other units that are leaky.
fn unsteady(view: &View<'_>) -> (usize, usize) {
    let report = &view.run.report;
    let flaky = report.findings.iter().filter(|finding| finding.is_flaky()).count();
    (flaky, report.tools.iter().map(|tool| tool.leaky.len()).sum())
}

/// Returns the time, the numbers of tasks and tests, and the number of new findings.
fn summary(view: &View<'_>) -> String {
    let run = view.run;
    let time = view.elapsed.map(|elapsed| format!("in {}: ", self::elapsed(elapsed))).unwrap_or_default();
    let cached = match view.cached {
        None | Some(0) => String::new(),
        Some(cached) => format!(" ({} cached)", number(cached as u64)),
    };
    let tasks = counted(run.task_count(), "task", "tasks");
    let tasks = match run.run.shard {
        Some(shard) => format!("shard {shard}, {} of {tasks}", number(shard.tasks as u64)),
        None => tasks,
    };
    let ran =
        run.report.tools.iter().filter_map(|tool| tool.census.tests.as_ref()).map(|tests| tests.all.run);
    let (flaky, leaky) = unsteady(view);
    let unsteady = [(flaky, "flaky"), (leaky, "leaky")].into_iter().filter(|(count, _)| *count > 0);
    let unsteady: Vec<_> = unsteady.map(|(count, word)| format!("{} {word}", number(count as u64))).collect();
    let unsteady = if unsteady.is_empty() { String::new() } else { format!(" ({})", unsteady.join(", ")) };
    let tests = match ran.fold(0, u64::saturating_add) {
        0 => String::new(),
        tests => format!(", {}", counted(usize::try_from(tests).unwrap_or(usize::MAX), "test", "tests")),
    };
    format!("{time}{tasks}{cached}{tests}{unsteady}, {}", new_findings(view))
}

/// Returns the number of new findings: of all tools, or `no new findings` in a run that passed.
fn new_findings(view: &View<'_>) -> String {
    let is_counted = |finding: &&Finding| view.run.run.end.status != "passed" || view.is_required(finding);
    let mut tools: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in view.new_findings().filter(is_counted) {
        *tools.entry(view.run.tool_of(finding)).or_default() += 1;
    }
    let excused = excused::count(view.run).map(|count| format!("; {count}")).unwrap_or_default();
    match tools.values().sum() {
        0 => format!("no new findings{excused}"),
        count => {
            let tools: Vec<_> = tools
                .iter()
                .map(|(tool, count)| format!("{} {}", visible_line(tool), number(*count as u64)))
                .collect();
            format!("{} ({}){excused}", counted(count, "new finding", "new findings"), tools.join(", "))
        }
    }
}

/// Formats a duration with as much precision as is useful.
fn elapsed(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        _ => time(elapsed),
    }
}

/// Returns what else is worth knowing about a run that passed.
fn beside(view: &View<'_>) -> String {
    let run = view.run;
    let extra = view.new_findings().filter(|finding| !view.is_required(finding)).count();
    let mut beside = String::new();
    if extra > 0 {
        beside.push_str(&format!("; {} from optional tools", counted(extra, "new finding", "new findings")));
    }
    let open = names(run, |tool, report| !tool.required && report.verdict == Verdict::Incomplete);
    if !open.is_empty() {
        beside.push_str(&format!("; no result from optional {open}"));
    }
    let missing = names(run, |_, report| report.verdict == Verdict::Missing);
    if !missing.is_empty() {
        beside.push_str(&format!("; not installed: {missing}"));
    }
    let empty = names(run, |_, report| report.verdict == Verdict::Empty);
    if !empty.is_empty() {
        beside.push_str(&format!("; nothing to check: {empty}"));
    }
    beside
}

/// Returns all reasons for which a run with results of all required tools fails.
fn failures(view: &View<'_>) -> Vec<String> {
    let (new, extra): (Vec<_>, Vec<_>) = view.new_findings().partition(|finding| view.is_required(finding));
    let mut reasons = Vec::new();
    if !new.is_empty() {
        let more = match extra.len() {
            0 => String::new(),
            more => format!("; {} more from optional tools", number(more as u64)),
        };
        reasons.push(format!("{}{more}", counted(new.len(), "new finding", "new findings")));
    }
    reasons.extend(stale(view));
    reasons
}

/// Returns the reasons that are about accepted findings and golden files, if they fail the run.
fn stale(view: &View<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if !view.stale_fails {
        return reasons;
    }
    let required = || view.run.run.tools.iter().filter(|tool| tool.required);
    let is_required = |gone: &&Gone| {
        gone.ns == OWN_NAMESPACE || required().any(|tool| tool.namespaces.iter().any(|ns| gone.ns == *ns))
    };
    let stale = view.run.report.gone.iter().filter(|gone| gone.is_stale());
    match stale.filter(is_required).count() {
        0 => {}
        count => {
            let findings = plural(count, "finding is", "findings are");
            reasons.push(format!(
                "{} accepted {findings} fixed but still in the baseline",
                number(count as u64)
            ));
        }
    }
    match view.run.report.golden_orphans.len() {
        0 => {}
        count => reasons.push(counted(count, "orphaned golden file", "orphaned golden files")),
    }
    reasons
}

/// Names the tools without a result.
fn no_result(view: &View<'_>) -> String {
    let has = |verdicts: &[Verdict]| {
        names(view.run, |tool, report| tool.required && verdicts.contains(&report.verdict))
    };
    // Absent tools only matter in a gate, and only if no tool is incomplete.
    let open = match has(&[Verdict::Incomplete]) {
        open if open.is_empty() => has(&[Verdict::Missing, Verdict::Empty]),
        open => open,
    };
    format!("no result from: {open}")
}

/// Lists why required tools have no result.
fn causes_of(view: &View<'_>, page: &mut Page) {
    let causes = causes(view.run);
    causes.iter().take(MOST_CAUSES).for_each(|cause| page.below(self::cause(cause)));
    if causes.len() > MOST_CAUSES {
        page.below(format_args!("and {} more", number((causes.len() - MOST_CAUSES) as u64)));
    }
}

/// Formats a reason for a missing result on one line.
pub(crate) fn cause(cause: &Cause<'_>) -> String {
    match cause {
        Cause::Error(finding) => {
            let tools: Vec<_> = finding.tools.iter().map(|tool| visible_line(tool)).collect();
            format!("{} ({})", short::line(finding), tools.join(", "))
        }
        Cause::Gap(tools, gap) if gap.unit == "." => {
            format!("{}: {}", tools.join(", "), visible_line(&gap.reason))
        }
        Cause::Gap(tools, gap) => {
            format!("{}: {}: {}", tools.join(", "), visible_line(&gap.unit), visible_line(&gap.reason))
        }
    }
}
