//! The head of the page: the verdict, the reason for it, and what to clean up. It also works without scripts.

use std::fmt::Write as _;

use super::super::text::plural;
use super::group::Group;
use super::schedule::Schedule;
use super::text::{duration, escape, number, prose};
use crate::model::finding::State;
use crate::model::outcome::{Effect, Verdict};
use crate::model::text::Text;
use crate::report::finished::{Finished, Gone, RunSummary, Suppression, Tool, ToolReport};
use crate::report::{excused, fixes};

/// Maximum number of golden files to list; the rest is counted.
const MOST: usize = 10;

/// Status of a run: class in the page, sign and word.
pub(super) struct Sign {
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
}

/// Returns the sign for the status of `run`.
pub(super) fn sign(run: &RunSummary) -> Sign {
    let (class, sign, word) = match run.end.status.as_str() {
        "passed" => ("good", "✓", "Passed"),
        "failed" => ("bad", "✕", "Failed"),
        "incomplete" => ("open", "?", "Incomplete"),
        "interrupted" => ("open", "■", "Interrupted"),
        _ => ("open", "!", "Ended early"),
    };
    Sign { class, sign, word }
}

/// Explains the status of the run.
pub(super) fn why(run: &Finished) -> String {
    let [new_of_required, new_of_optional] = new_by_need(run);
    let open = |required: bool| {
        let is_open = |(tool, report): &(&Tool, &ToolReport)| {
            tool.required == required && report.verdict == Verdict::Incomplete
        };
        names(run.tools().filter(is_open).map(|(tool, _)| tool.name.as_str()))
    };
    let of_new = |count: usize| format!("{} new {}", number(count), plural(count, "finding", "findings"));
    match run.run.end.status.as_str() {
        "passed" => {
            let mut also: Vec<_> = excused::count(run).into_iter().collect();
            if new_of_optional > 0 {
                also.push(format!("{} from optional tools", of_new(new_of_optional)));
            }
            also.extend(open(false).map(|tools| format!("no result from optional {tools}")));
            let missing = run.tools().filter(|(_, report)| report.verdict == Verdict::Missing);
            let missing = names(missing.map(|(tool, _)| tool.name.as_str()));
            also.extend(missing.map(|tools| format!("not installed: {tools}")));
            let empty = run.tools().filter(|(_, report)| report.verdict == Verdict::Empty);
            let empty = names(empty.map(|(tool, _)| tool.name.as_str()));
            also.extend(empty.map(|tools| format!("nothing to check: {tools}")));
            let also = if also.is_empty() { String::new() } else { format!(" Also: {}.", also.join("; ")) };
            format!("Every required tool checked everything and found nothing new.{also}")
        }
        "failed" if new_of_required > 0 => {
            let has_new = |(tool, report): &(&Tool, &ToolReport)| {
                tool.required && Group::New.count_of_tool(run, report) > 0
            };
            let tools = names(run.tools().filter(has_new).map(|(tool, _)| tool.name.as_str()));
            let tools = tools.map(|tools| format!(" from {tools}")).unwrap_or_default();
            let more = match new_of_optional {
                0 => String::new(),
                more => format!(" {} more from optional tools.", number(more)),
            };
            format!("{}{tools}.{more}", of_new(new_of_required))
        }
        "failed" if run.report.gone.iter().any(Gone::is_stale) => {
            let count = run.report.gone.iter().filter(|gone| gone.is_stale()).count();
            let are = plural(count, "entry is", "entries are");
            format!("{} baseline {are} stale.", number(count))
        }
        "failed" => {
            let count = run.report.golden_orphans.len();
            let files = plural(count, "golden file is", "golden files are");
            format!("{} {files} no longer produced by any tool.", number(count))
        }
        "incomplete" => {
            let also = match new_of_required + new_of_optional {
                0 => String::new(),
                new => format!(" Also, {}.", of_new(new)),
            };
            let is_absent = |(tool, report): &(&Tool, &ToolReport)| {
                tool.required && matches!(report.verdict, Verdict::Missing | Verdict::Empty)
            };
            let absent = || names(run.tools().filter(is_absent).map(|(tool, _)| tool.name.as_str()));
            format!(
                "No result from {}, so not everything was checked.{also}",
                open(true).or_else(absent).unwrap_or_default()
            )
        }
        "interrupted" => {
            let signal = run.run.end.exit.saturating_sub(128);
            format!("Interrupted by signal {signal} before everything was checked.")
        }
        _ => format!("The run ended with exit code {}.", run.run.end.exit),
    }
}

/// Returns the number of new findings from required tools, and of those only from optional ones.
fn new_by_need(run: &Finished) -> [usize; 2] {
    let is_required = |name: &Text| run.run.tools.iter().any(|tool| tool.required && *name == tool.name);
    let new = run.report.findings.iter().filter(|finding| finding.counts());
    let (of_required, of_optional): (Vec<_>, Vec<_>) =
        new.partition(|finding| finding.tools.iter().any(is_required));
    [of_required.len(), of_optional.len()]
}

/// Renders the verdict and the number of findings per state.
pub(super) fn render(run: &Finished, schedule: Option<&Schedule<'_>>) -> String {
    let Sign { class, sign, word } = sign(&run.run);
    let mut html = format!(
        "<section class=\"verdict {class}\" aria-labelledby=\"verdict\">\n\
         <p class=\"sign\" aria-hidden=\"true\">{sign}</p>\n\
         <div><h1 id=\"verdict\">{word}</h1>\n<p class=\"why\">{}</p>\n",
        escape(&why(run))
    );
    let mut facts = vec![format!("exit code {}", run.run.end.exit)];
    let tasks = run.task_count();
    facts.push(format!("{} {}", number(tasks), plural(tasks, "task", "tasks")));
    facts.extend(schedule.map(|schedule| duration(schedule.end)));
    if !run.run.selection.whole {
        facts.push("partial run".to_owned());
    }
    let _ = write!(html, "<p class=\"facts\">{}</p></div>\n<ul class=\"counts\">\n", facts.join(" · "));
    for group in Group::ALL {
        let count = group.count(run);
        // The number of new findings is always shown, because it decides the verdict.
        if count > 0 || group == Group::New {
            let _ = writeln!(
                html,
                "<li class=\"state-{0}\"><a href=\"#state={0}\"><b>{1}</b> {0}</a></li>",
                group.as_str(),
                number(count)
            );
        }
    }
    html.push_str("</ul>\n");
    html.push_str(&notices(run));
    html.push_str("</section>\n");
    html
}

/// Renders notices about cleaning up, each with what to do.
fn notices(run: &Finished) -> String {
    let mut notices: Vec<_> = fixes::sentence(run).map(|advice| prose(&advice)).into_iter().collect();
    notices.extend(excused::new_lints(run).iter().map(|lints| prose(&format!("{}.", lints.summary()))));
    let stale = run.report.gone.iter().filter(|gone| gone.state == State::Fixed).count();
    if stale > 0 {
        notices.push(format!(
            "{} baseline {} stale. Run <code>cargo genti baseline update</code> to drop {}.",
            number(stale),
            plural(stale, "entry is", "entries are"),
            plural(stale, "it", "them"),
        ));
    }
    let covered = run.report.gone.iter().filter(|gone| gone.state == State::Suppressed).count();
    if covered > 0 {
        notices.push(format!(
            "{} baseline {} also covered by a suppression. Run <code>cargo genti baseline update</code> to drop {}.",
            number(covered),
            plural(covered, "entry is", "entries are"),
            plural(covered, "it", "them"),
        ));
    }
    notices.extend(run.report.suppressions.iter().filter_map(suppression));
    let orphans = &run.report.golden_orphans;
    for path in orphans.iter().take(MOST) {
        notices.push(format!(
            "No tool produces the golden file <code>{}</code> any more. Run \
                         <code>cargo genti run --bless --remove-orphans</code> to remove it.",
            escape(path)
        ));
    }
    if orphans.len() > MOST {
        notices.push(format!("And {} more golden files.", number(orphans.len() - MOST)));
    }
    if notices.is_empty() {
        return String::new();
    }
    let items: String = notices.iter().map(|notice| format!("<li>{notice}</li>\n")).collect();
    format!("<div class=\"notices\">\n<h2>Cleanup</h2>\n<ul>\n{items}</ul>\n</div>\n")
}

fn suppression(suppression: &Suppression) -> Option<String> {
    let Suppression { effect, matched, reason, owner, expires, line, .. } = suppression;
    let expired = expires.as_ref().map(|day| format!("expired on {}", escape(day))).unwrap_or_default();
    let what = match (effect, matched) {
        (Effect::Active, _) => return None,
        (Effect::Expired, 0) => format!("{expired} and matches nothing: remove it"),
        (Effect::Expired, count) => {
            format!(
                "{expired}, so {} {} again",
                number(*count),
                plural(*count, "finding counts", "findings count")
            )
        }
        (Effect::Unused, _) => "matches nothing: remove or correct it".to_owned(),
    };
    let owner = owner.as_ref().map(|owner| format!(" ({})", escape(owner))).unwrap_or_default();
    Some(format!(
        "The suppression in line {line} of the configuration {what}. Reason: “{}”{owner}",
        prose(reason)
    ))
}

/// Joins names: `a`, `a and b`, `a, b and c`. `None` if there are none.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<_> = names.collect();
    let (last, others) = names.split_last()?;
    Some(if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) })
}
