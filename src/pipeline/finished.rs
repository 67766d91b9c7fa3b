//! Judges a finished run from any machine without running anything.
//!
//! Only the results of tools are taken from the artifacts: statuses, findings, reasons for missing results, and versions.
//! Everything else follows from these, the plan of this checkout, and the baseline. genti computes it again and requires the
//! same bytes. This detects artifacts that were edited, reordered or combined from two runs, and names the first wrong field.
//! It is not a signature: consistent edits of the results of a tool are not detected.

mod listed_tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use super::against::Causing;
use super::as_of::commit_day;
use super::conditions::Conditions;
use super::judge::Undecided;
use super::ledger::Ledger;
use super::new_lints::NewLints;
use super::unseen::Unseen;
use super::{Project, exists, golden, judge, lock};
use crate::compare::ratchet;
use crate::compare::suppressions::Suppressions;
use crate::model::finding::{Diagnostic, Entry};
use crate::model::halt::Never;
use crate::model::outcome::{End, Goldens, Outcome, Strict};
use crate::model::path::RelPath;
use crate::model::ratchet::Decimal;
use crate::model::task::{Status, TaskIx};
use crate::model::text::Text;
use crate::model::tool::{Tool, ToolId};
use crate::report::finished::{Ended, Finding, Finished, Gone, ReadError, Tasks};
use crate::report::{self, Artifacts, Difference, difference};
use crate::scan::{Env, StopReason};
use crate::workspace::{self, LoadError};

/// Judgement of a finished run.
#[derive(Debug)]
pub struct JudgedRun {
    /// Outcome according to the configuration and baseline of this checkout, as `check` would determine it. `None` if the
    /// run has another plan.
    pub outcome: Option<Outcome>,
    /// Differences between its plan and the one of this checkout, and between its tools and the locked versions if these are
    /// required.
    pub drift: Vec<CheckoutDifference>,
    /// Errors in the artifacts, each with its place.
    pub violations: Vec<String>,
}

/// A difference between the run and this checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutDifference {
    /// Field of `run.json`, or description.
    pub what: String,
    /// Value in the run.
    pub there: String,
    /// Expected value.
    pub here: String,
}

/// Error from judging a finished run.
#[derive(Debug, thiserror::Error)]
pub enum NotJudged {
    /// The artifacts can't be read.
    #[error(transparent)]
    Artifacts(#[from] ReadError),
    /// A source file with findings can't be read.
    #[error(transparent)]
    Source(#[from] LoadError),
}

/// Judges the run that wrote `artifacts` by `project` and `baseline`, as a gate with the strictness `strict`.
///
/// # Errors
///
/// If the artifacts or the sources of this checkout can't be read.
pub fn judge_finished(
    project: &Project,
    env: &Env,
    artifacts: &Artifacts,
    baseline: &BTreeMap<String, Vec<Entry>>,
    strict: Strict,
) -> Result<JudgedRun, NotJudged> {
    let violations: Vec<_> = artifacts.violations().iter().map(ToString::to_string).collect();
    let (run, tasks) = match artifacts.read() {
        Ok(read) => read,
        // The violations already name the error and its place.
        Err(ReadError::Content { .. }) if !violations.is_empty() => {
            return Ok(JudgedRun { outcome: None, drift: Vec::new(), violations });
        }
        Err(error) => return Err(error.into()),
    };
    let drift = drift(project, artifacts, &run, &tasks);
    let mut judged = JudgedRun { outcome: None, drift, violations };
    if !judged.drift.is_empty() {
        return Ok(judged);
    }
    let mut outcome = match recompute(project, env, (&run, &tasks), baseline, &mut judged.violations)? {
        Some(outcome) => outcome,
        None => return Ok(judged),
    };
    // The exit status depends on whether the run was a gate, so the artifacts may have either of the two.
    let end = |strict| {
        let stopped = stopped(&run);
        judge::end(&project.plan, &outcome.tools, &outcome.goldens.orphans, stopped, strict)
    };
    let (as_check, as_run) = (end(strict), end(Strict::default()));
    outcome.end = if run.run.end.exit == Ended::of(as_run).exit { as_run } else { as_check };
    judged.violations.extend(compare(project, artifacts, &outcome));
    outcome.end = match as_check {
        // The signal stopped the finished run, not this one.
        End::Interrupted(_) => End::Incomplete,
        end => end,
    };
    judged.outcome = Some(outcome);
    Ok(judged)
}

/// Returns the differences between the plan of the run and the one of this checkout.
fn drift(project: &Project, artifacts: &Artifacts, run: &Finished, tasks: &Tasks) -> Vec<CheckoutDifference> {
    let Project { workspace, plan, .. } = project;
    let there: Value = serde_json::from_slice(&artifacts.run).unwrap_or_default();
    let here = report::planned(workspace, plan);
    let mut drift = Vec::new();
    for (key, here) in here.iter().filter(|(key, _)| !["batches", "schema"].contains(&key.as_str())) {
        if let Some(found) = difference(there.get(key).unwrap_or(&Value::Null), here) {
            let what = if found.place.is_empty() { key.clone() } else { format!("{key}.{}", found.place) };
            drift.push(CheckoutDifference { what, there: text(found.left), here: text(found.right) });
        }
    }
    if let Some(shard) = run.run.shard {
        let what = "the part of the plan that was run".to_owned();
        drift.push(CheckoutDifference {
            what,
            there: format!("shard {shard}"),
            here: "everything".to_owned(),
        });
    }
    if project.locked {
        let of = |tool: &Tool| run.run.tools.iter().find(|other| other.name == tool.name)?.version.clone();
        let versions: Vec<_> = plan.graph.tools.iter().map(of).collect();
        drift.extend(lock::drift_of(project, &versions, "run.json").into_iter().map(|drift| {
            CheckoutDifference { what: drift.what, there: drift.here.value, here: drift.configured.value }
        }));
    }
    let as_of = run.report.as_of.as_deref().and_then(|day| day.parse::<Date>().ok());
    let counted = as_of.filter(|_| project.has_deadline());
    let earlier = counted.and_then(|there| Some((there, commit_day(project)?)));
    if let Some((there, commit)) = earlier.filter(|(there, commit)| there < commit) {
        drift.push(CheckoutDifference {
            what: "date on which suppressions and the grace of new lints are judged".to_owned(),
            there: there.to_string(),
            here: format!("{commit} (date of the commit) or later"),
        });
    }
    // Also name some of the tasks that differ, because a hash alone does not help the user.
    let ids: BTreeSet<_> = plan.graph.tasks.iter().map(|task| task.id.to_string()).collect();
    let others = tasks.all().filter(|line| !ids.contains(&line.task_id)).take(3);
    if drift.iter().any(|difference| difference.what == "graph_hash") {
        drift.extend(others.map(|line| {
            let named = |at: &&crate::model::task::Task| {
                plan.graph.tool(at.tool).name == line.tool
                    && plan.graph.name_of(workspace, at.unit) == line.unit
            };
            let here = plan.graph.tasks.iter().find(named);
            CheckoutDifference {
                what: format!("id of task {}:{}", line.tool, line.unit),
                there: text(Some(line.task_id.clone().into())),
                here: here.map_or("no such task".to_owned(), |task| text(Some(task.id.to_string().into()))),
            }
        }));
    }
    drift
}

/// Computes the outcome of the run. `None` if its tasks are not those of the plan.
fn recompute(
    project: &Project,
    env: &Env,
    (run, tasks): (&Finished, &Tasks),
    baseline: &BTreeMap<String, Vec<Entry>>,
    violations: &mut Vec<String>,
) -> Result<Option<Outcome>, NotJudged> {
    let Project { workspace, plan, .. } = project;
    let graph = &plan.graph;
    if !graph.tools.iter().map(|tool| &tool.name).eq(run.run.tools.iter().map(|tool| &tool.name)) {
        violations.push("run.json: `tools` differ from the plan".to_owned());
        return Ok(None);
    }
    let versions: Vec<_> = run.run.tools.iter().map(|tool| tool.version.clone()).collect();
    let alike = Conditions::new(project, &versions, env).hold();
    let exists = |path: &RelPath| exists(&path.to_path(&workspace.root));
    let mut ledger = Ledger::new(workspace, plan, alike, String::new(), &exists);
    for ((id, (tool, result)), _) in (0..).map(ToolId).zip(run.tools()).zip(&graph.tools) {
        let incomplete = result.incomplete.iter().map(|one| (one.unit.clone(), one.reason.clone()));
        let stated = super::ledger::Stated {
            incomplete: incomplete.collect(),
            census: result.census.clone(),
            database: tool.database.clone(),
            notices: result.notices.iter().cloned().collect(),
            leaky: result.leaky.iter().cloned().collect(),
        };
        ledger.restore_tool(id, stated);
    }
    let ids: BTreeMap<_, _> =
        (0..).map(TaskIx).zip(&graph.tasks).map(|(at, task)| (task.id.to_string(), at)).collect();
    let mut seen = BTreeSet::new();
    for line in tasks.all() {
        let status = Status::read(&line.status, line.reason.as_deref());
        let Some((at, status)) = ids.get(&line.task_id).copied().zip(status) else {
            violations.push(format!(
                "tasks.jsonl: task {}:{} is not in the plan, or its status `{}` is unknown",
                line.tool, line.unit, line.status
            ));
            return Ok(None);
        };
        seen.insert(at);
        ledger.restore(at, status);
        let tests = line.tests.iter().map(|of| (of.group(), of.names())).collect();
        ledger.restore_details(at, line.leaky, tests);
    }
    if seen.len() != graph.tasks.len() {
        let missing = graph.tasks.len() - seen.len();
        violations.push(format!("tasks.jsonl: {missing} tasks of the plan are missing"));
        return Ok(None);
    }
    violations.extend(contradictions(project, run, &ledger));
    violations.extend(listed_tests::contradictions(plan, run, &ledger));
    let findings = run.report.findings.iter().filter(|finding| !is_of_number(run, finding));
    ledger.diagnostics = findings.flat_map(diagnostics).collect();
    // Use the date of the run, which decides which suppressions have expired.
    let as_of = run.report.as_of.as_deref().and_then(|day| day.parse().ok());
    let suppressions = Suppressions::new(&project.suppressions, as_of);
    let unseen = unseen(run);
    let new_lints = NewLints::stated(project, run, as_of);
    let case = judge::Case {
        workspace,
        plan,
        versions,
        suppressions: &suppressions,
        as_of: project.recorded_day(as_of),
        baseline,
        read: &|paths| workspace::read_sources(&workspace.root, paths),
        goldens: Goldens {
            accepted: BTreeMap::new(),
            orphans: golden::orphans(workspace, plan, &project.disabled),
        },
        unseen: Unseen::Stated(&unseen),
        stated: Some(stated(run)),
        blind_spots: run.report.blind_spots.clone(),
        causing: match &project.base {
            Some(base) => Causing::Stated { base, run },
            None => Causing::Nothing,
        },
        new_lints: &new_lints,
        stopped: &|| stopped(run),
        strict: Strict::default(),
        parallel: 0,
        max_findings: project.max_findings,
        halt: &Never,
    };
    match judge::conclude(case, ledger) {
        Ok(outcome) => Ok(Some(outcome)),
        Err(Undecided::Source(error)) => Err(error.into()),
        Err(Undecided::Halted(_)) => unreachable!("`Never` does not halt"),
    }
}

/// Returns the baseline entries whose code was not checked according to the artifacts, each with its reasons.
fn unseen(run: &Finished) -> BTreeMap<(Text, Entry), Vec<String>> {
    let mut all: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for gone in &run.report.gone {
        let Some(why) = &gone.unseen else { continue };
        let Gone { ns, site, rule, scope, code, message, .. } = gone.clone();
        let entry = Entry { site, rule, scope, code, msg: message, in_variants: None, reason: None };
        all.entry((ns, entry)).or_default().push(why.clone());
    }
    all
}

/// Returns the numbers in the artifacts, by tool.
fn stated(run: &Finished) -> BTreeMap<String, BTreeMap<String, Decimal>> {
    let mut stated: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for number in &run.report.numbers {
        stated.entry(number.tool.clone()).or_default().insert(number.name.clone(), number.value.clone());
    }
    stated
}

/// Returns true if `finding` is derived from a number.
fn is_of_number(run: &Finished, finding: &Finding) -> bool {
    let mut numbers = run.report.numbers.iter();
    finding.rule == ratchet::RULE
        && numbers
            .any(|number| *finding.tools == [number.tool.as_str()] && finding.place.name() == number.name)
}

/// Returns contradictions between findings and statuses.
fn contradictions(project: &Project, run: &Finished, ledger: &Ledger<'_>) -> Vec<String> {
    let graph = &project.plan.graph;
    let mut all = Vec::new();
    for (at, finding) in run.report.findings.iter().enumerate() {
        // Fixes are not computed again, so check their order here.
        if finding.fix.as_ref().is_some_and(|fix| !fix.edits.is_sorted()) {
            all.push(format!("report.json: `findings[{at}].fix.edits` is not sorted"));
        }
    }
    for ((id, tool), result) in graph.tools().zip(&run.report.tools) {
        let statuses = || {
            graph
                .tasks
                .iter()
                .zip(&ledger.tasks)
                .filter(|(task, _)| task.tool == id)
                .map(|(_, at)| &at.status)
        };
        let has_findings = run.report.findings.iter().any(|finding| finding.is_of(&tool.name));
        if has_findings && statuses().all(|status| status.severity() < Status::Findings.severity()) {
            all.push(format!("tasks.jsonl: no task of {} has findings, but report.json does", tool.name));
        }
        if !has_findings && statuses().any(|status| *status == Status::Findings) {
            all.push(format!(
                "report.json: no findings of {}, but a task in tasks.jsonl has some",
                tool.name
            ));
        }
        let has_leaks =
            || graph.tasks.iter().zip(&ledger.tasks).any(|(task, at)| task.tool == id && at.is_leaky);
        if result.leaky.is_empty() == has_leaks() {
            all.push(format!("report.json: `leaky` of {} contradicts its tasks", tool.name));
        }
        let is_open = |status: &Status| !status.is_verdict() && !matches!(status, Status::Skipped(_));
        let has_tasks = statuses().next().is_some();
        if !result.incomplete.is_empty() && has_tasks && !statuses().any(is_open) {
            all.push(format!(
                "tasks.jsonl: every task of {} has a result, but report.json says `incomplete`",
                tool.name
            ));
        }
    }
    all
}

/// Returns `finding` as the diagnostics of its tools.
fn diagnostics(finding: &Finding) -> impl Iterator<Item = (Text, Diagnostic)> {
    let Finding { place, ns, rule, level, message, fatal, related, fix, test, tools, .. } = finding;
    tools.iter().map(move |tool| {
        let diagnostic = Diagnostic {
            place: place.clone(),
            ns: ns.clone(),
            rule: rule.clone(),
            level: *level,
            message: message.clone(),
            fatal: *fatal,
            package: None,
            related: related.clone(),
            fix: fix.clone(),
            test: test.clone(),
        };
        (tool.clone(), diagnostic)
    })
}

/// Returns the signal that stopped the run, if any.
fn stopped(run: &Finished) -> Option<StopReason> {
    let signal = i32::from(run.run.end.exit) - 128;
    (run.run.end.status == "interrupted" && signal > 0).then_some(StopReason::Signal(signal))
}

/// Returns the differences between the artifacts and those of `outcome`.
fn compare(project: &Project, artifacts: &Artifacts, outcome: &Outcome) -> Vec<String> {
    let expected = Artifacts::of(&project.workspace, outcome, false);
    let mut all = Vec::new();
    for (file, (there, here)) in [
        ("run.json", (&artifacts.run, &expected.run)),
        ("report.json", (&artifacts.report, &expected.report)),
    ] {
        let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        all.extend(difference(&value(there), &value(here)).map(|found| mismatch(file, "", found)));
    }
    let lines = |bytes: &[u8]| {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let lines = lines.map(|line| {
            let mut line: Value = serde_json::from_slice(line).unwrap_or_default();
            if let Some(fields) = line.as_object_mut() {
                fields.remove("timing");
            }
            line
        });
        lines.collect::<Vec<_>>()
    };
    let (there, here) = (lines(&artifacts.tasks), lines(&expected.tasks));
    match there.iter().zip(&here).enumerate().find_map(|(at, (a, b))| Some((at, difference(a, b)?))) {
        Some((at, found)) => all.push(mismatch("tasks.jsonl", &format!("line {}, ", at + 1), found)),
        None if there.len() != here.len() => {
            all.push(format!("tasks.jsonl: {} lines, but {} are expected", there.len(), here.len()));
        }
        None => {}
    }
    all
}

fn mismatch(file: &str, before: &str, found: Difference) -> String {
    let Difference { place, left, right, is_reordered } = found;
    match is_reordered {
        true => format!("{file}: {before}`{place}` is not sorted"),
        false => {
            format!("{file}: {before}`{place}` is {}, but {} was expected", text(left), text(right))
        }
    }
}

/// Formats `value` for a message. Long values and digests are shortened.
pub(super) fn text(value: Option<Value>) -> String {
    const LONGEST: usize = 120;
    let text = match value {
        None => return "missing".to_owned(),
        Some(Value::String(text))
            if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            return text[..16].to_owned();
        }
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
