//! What several runs of one workspace do not agree in: byte by byte, and then by tool, task and field.
//!
//! Each run has another seed, so each has other batches in another order, and may have. All else must be the same. A
//! [`Witness`] is therefore what a run found out, told as under the plan of the *first* seed, which every run makes again from
//! its own listing of the files. So every byte of the artifacts is compared, those of the plan too, and nothing has to be left
//! out but times.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::finished::text;
use crate::model::outcome::{Compared, Outcome};
use crate::model::ratchet::Number;
use crate::model::task::{Plan, Unit};
use crate::model::workspace::Workspace;
use crate::normalize;
use crate::report::{Artifacts, difference};

/// A run, as it would have been told under a plan that all runs share.
#[derive(Debug)]
pub struct Witness {
    /// Its artifacts, without times.
    pub artifacts: Artifacts,
    /// What it found out.
    pub outcome: Outcome,
}

/// Something that is not the same in each run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Varies {
    /// The tool; `None` if it is of no tool.
    pub tool: Option<String>,
    /// The unit of the task; `None` if it is of no task.
    pub unit: Option<String>,
    /// The first field that differs, of a task, a finding or a file.
    pub field: String,
    /// What the first run has there.
    pub first: String,
    /// What another one has.
    pub other: String,
    /// Which that is, from 0.
    pub run: usize,
    /// How many runs differ from the first.
    pub runs: usize,
}

impl Witness {
    /// A run of the same graph as `plan`.
    pub fn new(workspace: &Workspace, outcome: Outcome, plan: &Arc<Plan>) -> Self {
        let outcome = Outcome { plan: Arc::clone(plan), ..outcome };
        Self { artifacts: Artifacts::of(workspace, &outcome, false), outcome }
    }
}

/// Where `witnesses` differ from the first of them, by tool and unit.
pub fn varies(workspace: &Workspace, witnesses: &[Witness]) -> Vec<Varies> {
    let Some((first, others)) = witnesses.split_first() else { return Vec::new() };
    let mut all: BTreeMap<Owner, Varies> = BTreeMap::new();
    for (at, other) in others.iter().enumerate() {
        for (owner, [field, left, right]) in compare(workspace, first, other) {
            let (tool, unit) = owner.clone();
            let varies = all.entry(owner).or_insert_with(|| Varies {
                tool,
                unit,
                field,
                first: left,
                other: right,
                run: at + 1,
                runs: 0,
            });
            varies.runs += 1;
        }
    }
    all.into_values().collect()
}

/// A tool and a unit, as far as known.
type Owner = (Option<String>, Option<String>);
/// A field, and both sides.
type Found = [String; 3];

fn compare(workspace: &Workspace, a: &Witness, b: &Witness) -> BTreeMap<Owner, Found> {
    let mut all = BTreeMap::new();
    if a.artifacts == b.artifacts {
        return all;
    }
    of_tasks(&a.artifacts.tasks, &b.artifacts.tasks, &mut all);
    of_findings(workspace, a, b, &mut all);
    of_numbers(&a.outcome, &b.outcome, &mut all);
    of_tools(&a.artifacts, &b.artifacts, &mut all);
    if all.is_empty() {
        for (file, (a, b)) in ["run.json", "report.json"]
            .into_iter()
            .zip([(&a.artifacts.run, &b.artifacts.run), (&a.artifacts.report, &b.artifacts.report)])
        {
            if let Some(found) = first_difference(&value(a), &value(b)) {
                all.entry((None, None)).or_insert(prefixed(&format!("{file}: "), found));
            }
        }
    }
    if all.is_empty() {
        let found = ["tasks.jsonl".to_owned(), "some bytes".to_owned(), "others".to_owned()];
        all.insert((None, None), found);
    }
    all
}

fn of_tasks(a: &[u8], b: &[u8], all: &mut BTreeMap<Owner, Found>) {
    let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(value).collect::<Vec<_>>();
    for (a, b) in lines(a).iter().zip(&lines(b)).filter(|(a, _)| a["kind"] == "task") {
        let owner = || (owned(&a["tool"]), owned(&a["unit"]));
        // What is decided is told before why.
        let status =
            difference(&a["status"], &b["status"]).map(|_| sides("status", &a["status"], &b["status"]));
        if let Some(found) = status.or_else(|| first_difference(a, b)) {
            all.entry(owner()).or_insert(found);
        }
    }
}

fn of_findings(workspace: &Workspace, a: &Witness, b: &Witness, all: &mut BTreeMap<Owner, Found>) {
    let of = |witness: &Witness| {
        let report = value(&witness.artifacts.report);
        let list = report["findings"].as_array().cloned().unwrap_or_default();
        list.into_iter().zip(witness.outcome.findings.clone()).collect::<Vec<_>>()
    };
    let (mut left, mut right) = (of(a), of(b));
    // What both have is taken off, one for one.
    left.retain(|(one, _)| match right.iter().position(|(other, _)| other == one) {
        Some(at) => {
            right.remove(at);
            false
        }
        None => true,
    });
    let about = |finding: &Value| ["ns", "rule", "path", "subject"].map(|key| finding[key].clone());
    for (one, compared) in left {
        let found = match right.iter().position(|(other, _)| about(other) == about(&one)) {
            Some(at) => {
                let (other, _) = right.remove(at);
                of_finding(&one, &other)
            }
            None => ["finding".to_owned(), named(&one), "missing".to_owned()],
        };
        all.entry(owner(workspace, &a.outcome.plan, &compared)).or_insert(found);
    }
    for (other, compared) in right {
        let found = ["finding".to_owned(), "missing".to_owned(), named(&other)];
        all.entry(owner(workspace, &b.outcome.plan, &compared)).or_insert(found);
    }
}

/// The first field that differs of two findings about the same. What follows from other fields comes last.
fn of_finding(a: &Value, b: &Value) -> Found {
    let said = |finding: &Value| {
        let mut finding = finding.clone();
        if let Some(fields) = finding.as_object_mut() {
            fields.retain(|key, _| !["id", "state", "matched_by", "reason", "owner"].contains(&key.as_str()));
        }
        finding
    };
    let message = difference(&a["message"], &b["message"]);
    message
        .map(|_| sides("message", &a["message"], &b["message"]))
        .or_else(|| first_difference(&said(a), &said(b)))
        .or_else(|| first_difference(a, b))
        .unwrap_or_default()
}

fn named(finding: &Value) -> String {
    format!("{}: {}", text(owned(&finding["rule"]).map(Value::from)), text(Some(finding["message"].clone())))
}

/// The task that a finding is of.
fn owner(workspace: &Workspace, plan: &Plan, compared: &Compared) -> Owner {
    let graph = &plan.graph;
    let finding = &compared.finding;
    let tool = graph.tools().find(|(_, tool)| finding.tools.contains(&tool.name));
    let Some((id, tool)) = tool else { return (finding.tools.first().cloned(), None) };
    let units: Vec<Unit> = graph.tasks.iter().filter(|task| task.tool == id).map(|task| task.unit).collect();
    let diagnostic = &finding.diagnostic;
    let unit = normalize::attribute(workspace, &units, &diagnostic.place, diagnostic.package)
        .map_or_else(|| diagnostic.place.name(), |at| units[at].path(workspace).to_string());
    (Some(tool.name.clone()), Some(unit))
}

/// What the tools say of themselves.
fn of_tools(a: &Artifacts, b: &Artifacts, all: &mut BTreeMap<Owner, Found>) {
    let (a, b) = (value(&a.run), value(&b.run));
    let tools = |run: &Value| run["tools"].as_array().cloned().unwrap_or_default();
    for (a, b) in tools(&a).iter().zip(&tools(&b)) {
        if let Some(found) = first_difference(a, b) {
            all.entry((owned(&a["name"]), None)).or_insert(found);
        }
    }
}

/// Numbers that tools state: what differs in a finding about one is said of the number.
fn of_numbers(a: &Outcome, b: &Outcome, all: &mut BTreeMap<Owner, Found>) {
    for number in &a.numbers {
        let is_same = |other: &&Number| other.tool == number.tool && other.name == number.name;
        let other = b.numbers.iter().find(is_same).map(|other| other.value.to_string());
        let value = number.value.to_string();
        if other.as_ref() != Some(&value) {
            let found =
                [format!("the number `{}`", number.name), value, other.unwrap_or("missing".to_owned())];
            all.insert((Some(number.tool.clone()), None), found);
        }
    }
}

fn first_difference(a: &Value, b: &Value) -> Option<Found> {
    let found = difference(a, b)?;
    Some([found.place, text(found.left), text(found.right)])
}

fn sides(field: &str, a: &Value, b: &Value) -> Found {
    [field.to_owned(), text(Some(a.clone())), text(Some(b.clone()))]
}

fn prefixed(with: &str, [field, left, right]: Found) -> Found {
    [format!("{with}{field}"), left, right]
}

fn owned(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}
