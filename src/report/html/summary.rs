//! The head of the page: the verdict, why, what each tool came to, and what else there is to know. Plain markup, which
//! is there without scripts, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::text::plural;
use super::schedule::Schedule;
use super::text::{duration, escape, in_fragment, number, prose};
use crate::model::finding::State;
use crate::model::outcome::{Effect, Verdict};
use crate::report::finished::{Finished, Run, Suppression, Tool, ToolReport};

/// Lines of one kind that are shown before the rest is only counted.
const MOST: usize = 10;

/// How a run or a tool ended: the class in the page, the sign and the word.
pub(super) struct Sign {
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
}

/// The sign of the run.
pub(super) fn sign(run: &Run) -> Sign {
    let (class, sign, word) = match run.end.status.as_str() {
        "passed" => ("good", "✓", "Passed"),
        "failed" => ("bad", "✕", "Failed"),
        "incomplete" => ("open", "?", "Incomplete"),
        "interrupted" => ("open", "■", "Interrupted"),
        _ => ("open", "!", "Ended early"),
    };
    Sign { class, sign, word }
}

/// Why the run ended as it did, as a sentence for the head and for the title of the window.
pub(super) fn why(run: &Finished) -> String {
    let counts = Counts::in_run(run);
    let open = |required: bool| {
        let is_open = |(tool, report): &(&Tool, &ToolReport)| {
            tool.required == required && report.verdict == Verdict::Incomplete
        };
        names(run.tools().filter(is_open).map(|(tool, _)| tool.name.as_str()))
    };
    let of_new = |count: usize| format!("{} new {}", number(count), plural(count, "finding", "findings"));
    match run.run.end.status.as_str() {
        "passed" => {
            let mut beside = Vec::new();
            if counts.new_of_optional > 0 {
                beside.push(format!("{} from optional tools", of_new(counts.new_of_optional)));
            }
            beside.extend(open(false).map(|tools| format!("no verdict from optional {tools}")));
            let missing = run.tools().filter(|(_, report)| report.verdict == Verdict::Missing);
            let missing = names(missing.map(|(tool, _)| tool.name.as_str()));
            beside.extend(missing.map(|tools| format!("not installed: {tools}")));
            let beside =
                if beside.is_empty() { String::new() } else { format!(" Beside: {}.", beside.join("; ")) };
            format!("Every required tool looked at everything and found nothing new.{beside}")
        }
        "failed" if counts.new_of_required > 0 => {
            let has_new = |(tool, report): &(&Tool, &ToolReport)| tool.required && report.new > 0;
            let tools = names(run.tools().filter(has_new).map(|(tool, _)| tool.name.as_str()));
            let tools = tools.map(|tools| format!(" from {tools}")).unwrap_or_default();
            let more = match counts.new_of_optional {
                0 => String::new(),
                more => format!(" {} more from optional tools.", number(more)),
            };
            format!("{}{tools}.{more}", of_new(counts.new_of_required))
        }
        "failed" if counts.of(State::Fixed) > 0 => {
            let count = counts.of(State::Fixed);
            let are = plural(count, "finding is", "findings are");
            format!("{} accepted {are} fixed but still in the baseline.", number(count))
        }
        "failed" => {
            let count = run.report.golden_orphans.len();
            let files = plural(count, "golden file that nothing prints", "golden files that nothing prints");
            format!("{} {files} any more.", number(count))
        }
        "incomplete" => {
            let beside = match counts.of(State::New) {
                0 => String::new(),
                new => format!(" Beside that, {}.", of_new(new)),
            };
            format!(
                "No verdict from {}: not everything was looked at.{beside}",
                open(true).unwrap_or_default()
            )
        }
        "interrupted" => {
            let signal = run.run.end.exit.saturating_sub(128);
            format!("Stopped by signal {signal} before everything was looked at.")
        }
        _ => format!("It ended with exit code {}.", run.run.end.exit),
    }
}

/// Findings by state.
struct Counts {
    states: BTreeMap<State, usize>,
    new_of_required: usize,
    new_of_optional: usize,
}

impl Counts {
    fn in_run(run: &Finished) -> Self {
        let mut states = BTreeMap::new();
        let report = &run.report;
        let all = report.findings.iter().map(|finding| finding.state);
        for state in all.chain(report.gone.iter().map(|gone| gone.state)) {
            *states.entry(state).or_default() += 1;
        }
        let required = |name: &String| run.run.tools.iter().any(|tool| tool.required && tool.name == *name);
        let (of_required, of_optional): (Vec<_>, Vec<_>) = report
            .findings
            .iter()
            .filter(|finding| finding.state == State::New)
            .partition(|finding| finding.tools.iter().any(required));
        Self { states, new_of_required: of_required.len(), new_of_optional: of_optional.len() }
    }

    fn of(&self, state: State) -> usize {
        self.states.get(&state).copied().unwrap_or_default()
    }
}

/// The verdict and how many findings are in which state.
pub(super) fn verdict(run: &Finished, schedule: Option<&Schedule<'_>>) -> String {
    let Sign { class, sign, word } = sign(&run.run);
    let counts = Counts::in_run(run);
    let mut html = format!(
        "<section class=\"verdict {class}\" aria-labelledby=\"verdict\">\n\
         <p class=\"sign\" aria-hidden=\"true\">{sign}</p>\n\
         <div><h1 id=\"verdict\">{word}</h1>\n<p class=\"why\">{}</p>\n",
        escape(&why(run))
    );
    let mut facts = vec![format!("exit code {}", run.run.end.exit)];
    let tasks = run.tasks.batches.iter().map(|batch| batch.tasks.len()).sum::<usize>();
    facts.push(format!("{} {}", number(tasks), plural(tasks, "task", "tasks")));
    facts.extend(schedule.map(|schedule| duration(schedule.end)));
    if !run.run.selection.whole {
        facts.push("a part of the workspace".to_owned());
    }
    let _ = write!(html, "<p class=\"facts\">{}</p></div>\n<ul class=\"counts\">\n", facts.join(" · "));
    for (state, label) in [
        (State::New, "new"),
        (State::Updated, "updated"),
        (State::Unchanged, "unchanged"),
        (State::Suppressed, "suppressed"),
        (State::Unknown, "unknown"),
        (State::Fixed, "fixed"),
    ] {
        let count = counts.of(state);
        // New is said even if there is none: it is what the gate asks.
        if count > 0 || state == State::New {
            let _ = writeln!(
                html,
                "<li class=\"state-{0}\"><a href=\"#state={0}\"><b>{1}</b> {label}</a></li>",
                state.as_str(),
                number(count)
            );
        }
    }
    html.push_str("</ul>\n");
    html.push_str(&notices(run));
    html.push_str("</section>\n");
    html
}

/// What to know beside the findings: each with what to do.
fn notices(run: &Finished) -> String {
    let mut notices = Vec::new();
    let stale = run.report.gone.iter().filter(|gone| gone.state == State::Fixed).count();
    if stale > 0 {
        notices.push(format!(
            "{} baseline {} stale, for what {} is fixed: drop {} with <code>cargo genti baseline update</code>.",
            number(stale),
            plural(stale, "entry is", "entries are"),
            plural(stale, "it accepts", "they accept"),
            plural(stale, "it", "them"),
        ));
    }
    let covered = run.report.gone.iter().filter(|gone| gone.state == State::Suppressed).count();
    if covered > 0 {
        notices.push(format!(
            "{} baseline {} suppressed: drop {} with <code>cargo genti baseline update</code>.",
            number(covered),
            plural(covered, "entry accepts what is", "entries accept what is"),
            plural(covered, "it", "them"),
        ));
    }
    notices.extend(run.report.suppressions.iter().filter_map(suppression));
    let orphans = &run.report.golden_orphans;
    for path in orphans.iter().take(MOST) {
        notices.push(format!(
            "Nothing prints the golden file <code>{}</code> any more: remove it with \
             <code>cargo genti run --bless --remove-orphans</code>.",
            escape(path)
        ));
    }
    if orphans.len() > MOST {
        notices.push(format!("And {} golden files more.", number(orphans.len() - MOST)));
    }
    if notices.is_empty() {
        return String::new();
    }
    let items: String = notices.iter().map(|notice| format!("<li>{notice}</li>\n")).collect();
    format!("<div class=\"notices\">\n<h2>To tidy up</h2>\n<ul>\n{items}</ul>\n</div>\n")
}

fn suppression(suppression: &Suppression) -> Option<String> {
    let Suppression { effect, matched, reason, owner, expires, line, .. } = suppression;
    let expired = expires.as_ref().map(|day| format!("expired on {}", escape(day))).unwrap_or_default();
    let what = match (effect, matched) {
        (Effect::Active, _) => return None,
        (Effect::Expired, 0) => format!("has {expired} and matches nothing: remove it"),
        (Effect::Expired, count) => {
            format!(
                "has {expired}, and {} {} again",
                number(*count),
                plural(*count, "finding counts", "findings count")
            )
        }
        (Effect::Unused, _) => "matches nothing: remove it, or correct it".to_owned(),
    };
    let owner = owner.as_ref().map(|owner| format!(" ({})", escape(owner))).unwrap_or_default();
    Some(format!(
        "The suppression in line {line} of the configuration {what}. Its reason: “{}”{owner}",
        prose(reason)
    ))
}

/// A column of the table of tools: its name, and what it counts.
type Column = (&'static str, fn(&ToolReport) -> usize);

const COLUMNS: [Column; 5] = [
    ("New", |report| report.new),
    ("Accepted", |report| report.unchanged + report.updated),
    ("Suppressed", |report| report.suppressed),
    ("Fixed", |report| report.fixed),
    ("Unknown", |report| report.unknown),
];

/// What each tool came to.
pub(super) fn tools(run: &Finished, schedule: Option<&Schedule<'_>>) -> String {
    // A column of zeros says nothing, but for the first.
    let columns: Vec<_> = COLUMNS
        .into_iter()
        .enumerate()
        .filter(|(at, (_, count))| *at == 0 || run.report.tools.iter().any(|report| count(report) > 0))
        .map(|(_, column)| column)
        .collect();
    let mut html = String::from(
        "<section aria-labelledby=\"tools\">\n<h2 id=\"tools\">Tools</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"What each tool came to\"><table class=\"tools\">\n<thead><tr><th scope=\"col\">Tool</th><th scope=\"col\">Verdict</th>",
    );
    // On a phone the first column is all there is room for.
    let class = |at: usize| if at == 0 { "num" } else { "num wide" };
    for (at, (name, _)) in columns.iter().enumerate() {
        let _ = write!(html, "<th scope=\"col\" class=\"{}\">{name}</th>", class(at));
    }
    if schedule.is_some() {
        html.push_str("<th scope=\"col\" class=\"num\">Time</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (tool, report) in run.tools() {
        // What nobody asked for by name is not worth a line while it has nothing to say.
        let is_aside = tool.on_demand || (run.tasks_of(&tool.name).next().is_none() && !tool.configured);
        if is_aside && report.verdict == Verdict::Passed {
            continue;
        }
        let (mood, sign, word) = match report.verdict {
            Verdict::Passed => ("good", "✓", "passed"),
            Verdict::Failed => ("bad", "✕", "failed"),
            Verdict::Incomplete => ("open", "?", "incomplete"),
            Verdict::Missing => ("none", "–", "not installed"),
        };
        let optional = if tool.required { "" } else { " <small>optional</small>" };
        let _ = write!(
            html,
            "<tr><th scope=\"row\"><a href=\"#tool={}\">{}</a>{optional}</th><td class=\"mark {mood}\"><span aria-hidden=\"true\">{sign}</span> {word}</td>",
            in_fragment(&tool.name),
            escape(&tool.name)
        );
        for (at, (_, count)) in columns.iter().enumerate() {
            let count = count(report);
            let zero = if count == 0 { " zero" } else { "" };
            let _ = write!(html, "<td class=\"{}{zero}\">{}</td>", class(at), number(count));
        }
        if let Some(schedule) = schedule {
            let bars = schedule.bars.iter().filter(|bar| bar.tool == tool.name);
            let _ = write!(
                html,
                "<td class=\"num\">{}</td>",
                duration(bars.map(|bar| bar.end - bar.start).sum())
            );
        }
        html.push_str("</tr>\n");
        let width = columns.len() + 2 + usize::from(schedule.is_some());
        reasons(&mut html, report, width);
    }
    html.push_str("</tbody></table></div>\n</section>\n");
    html
}

/// Why a tool has no verdict on something. One reason may hold for many units: it is said once.
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
}

/// What was run, for who wants to run it again.
pub(super) fn facts(run: &Finished) -> String {
    let Run { graph_hash, batch_id, order_policy, batch_policy, seed, selection, .. } = &run.run;
    let mut facts = vec![
        ("Order", escape(order_policy)),
        ("Batches", escape(batch_policy)),
        ("Seed", seed.to_string()),
        ("Packages", list(&selection.packages)),
    ];
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
        features.push_str(" without the default ones");
    }
    fact("Features", features);
    fact("Target", selection.target.as_deref().map(escape).unwrap_or_default());
    fact("Profile", selection.cargo_profile.as_deref().map(escape).unwrap_or_default());
    fact("Only tools", list(&selection.tools));
    fact("Without tools", list(&selection.skip_tools));
    fact("Changed since", selection.since.as_deref().map(escape).unwrap_or_default());
    let millis = |cap: Option<u64>| cap.map(|cap| duration(cap.saturating_mul(1000))).unwrap_or_default();
    fact("Time per task", millis(run.run.per_task_timeout_ms));
    fact("Time in all", millis(run.run.max_duration_ms));
    fact("Suppressions as of", run.report.as_of.as_deref().map(escape).unwrap_or_default());
    fact("Graph", format!("<code>{}</code>", escape(graph_hash)));
    fact("Batch id", format!("<code>{}</code>", escape(batch_id)));
    let versions = run.run.tools.iter().filter_map(|tool| {
        let database = tool.database.as_ref().map(|revision| format!(", database {}", escape(revision)));
        let version = format!("{}{}", escape(tool.version.as_ref()?), database.unwrap_or_default());
        Some((tool.name.as_str(), version))
    });
    format!(
        "<section aria-labelledby=\"run\">\n<h2 id=\"run\">What was run</h2>\n{}<h3>With these versions</h3>\n{}</section>\n",
        terms(facts.iter().map(|(name, text)| (*name, text.clone()))),
        terms(versions)
    )
}

/// Names, and the markup of what they stand for.
fn terms<'a>(terms: impl Iterator<Item = (&'a str, String)>) -> String {
    let terms = terms.map(|(name, html)| format!("<div><dt>{}</dt><dd>{html}</dd></div>\n", escape(name)));
    format!("<dl class=\"run\">\n{}</dl>\n", terms.collect::<String>())
}

/// The first of `names`, and how many more there are.
fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(3 * MOST).map(|name| escape(name)).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {} more", number(more)),
    };
    format!("{}{more}", shown.join(", "))
}

/// `a`, `a and b`, `a, b and c`; `None` if there are none.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<_> = names.collect();
    let (last, others) = names.split_last()?;
    Some(if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) })
}

/// The first findings as a table, for where no script runs.
pub(super) fn without_script(run: &Finished) -> String {
    let mut findings: Vec<_> = run.report.findings.iter().collect();
    findings.sort_by_key(|finding| finding.state);
    let count = findings.len();
    findings.truncate(10 * MOST);
    let mut html = String::from("<p>The findings can be searched where scripts are allowed to run.</p>\n");
    if findings.is_empty() {
        html.push_str("<p>There are none.</p>\n");
        return html;
    }
    html.push_str(
        "<table><thead><tr><th scope=\"col\">State</th><th scope=\"col\">Level</th><th scope=\"col\">Place</th><th scope=\"col\">Message</th><th scope=\"col\">Rule</th></tr></thead>\n<tbody>\n",
    );
    for finding in &findings {
        let line = finding.place.range().map(|range| format!(":{}", range.start.line)).unwrap_or_default();
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}{line}</td><td>{}</td><td>{}</td></tr>",
            finding.state.as_str(),
            finding.level.as_str(),
            escape(&finding.place.name()),
            escape(&finding.message),
            escape(&finding.rule)
        );
    }
    html.push_str("</tbody></table>\n");
    if count > findings.len() {
        let _ =
            writeln!(html, "<p>{} more are in <code>report.json</code>.</p>", number(count - findings.len()));
    }
    html
}
