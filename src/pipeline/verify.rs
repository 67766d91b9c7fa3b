//! Finds differences between several runs of one workspace: byte by byte first, then by tool, task and field.
//!
//! Each run has another seed, so its batches and their order may differ. Everything else must be the same. A [`Witness`] therefore
//! contains the results of a run under the plan of the *first* seed, which each run computes from its own listing of the files. So
//! every byte of the artifacts can be compared, including the plan, except for times.
//!
//! The first run may use cached results. If a cached result differs and all fresh ones agree, the cache is wrong: the key of the
//! result does not cover everything that affects it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::finished::text;
use crate::model::outcome::{Cache, Compared, Outcome};
use crate::model::ratchet::Number;
use crate::model::task::{Plan, Unit};
use crate::model::workspace::Workspace;
use crate::normalize;
use crate::report::{Artifacts, difference};

/// The results of a run, under a plan that all runs share.
#[derive(Debug)]
pub struct Witness {
    /// Artifacts without times.
    pub artifacts: Artifacts,
    /// Outcome of the run.
    pub outcome: Outcome,
}

/// A difference between runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Varies {
    /// Name of the tool; `None` if the difference is not about a tool.
    pub tool: Option<String>,
    /// Unit of the task; `None` if the difference is not about a task.
    pub unit: Option<String>,
    /// The first field that differs, of a task, a finding or a file.
    pub field: String,
    /// Value in one run.
    pub first: String,
    /// Value in another run; `missing` if there is none.
    pub other: String,
    /// Indices of these two runs.
    pub between: [usize; 2],
    /// Number of runs that differ from the first of the two.
    pub runs: usize,
    /// True if the first of the two used a cached result and all fresh runs agree, so the cached result is wrong.
    pub is_cached: bool,
}

impl Witness {
    /// Creates a witness from a run whose graph is that of `plan`.
    pub fn new(workspace: &Workspace, outcome: Outcome, plan: &Arc<Plan>) -> Self {
        let outcome = Outcome { plan: Arc::clone(plan), ..outcome };
        Self { artifacts: Artifacts::of(workspace, &outcome, false), outcome }
    }

    /// Returns the number of cached results.
    pub fn cached(&self) -> usize {
        self.outcome.tasks.iter().filter(|task| task.timing.cache == Cache::Hit).count()
    }
}

/// Returns the differences between `witnesses`, by tool and unit. Only the first witness may contain cached results.
pub fn varies(workspace: &Workspace, witnesses: &[Witness]) -> Vec<Varies> {
    let Some((first, fresh)) = witnesses.split_first() else { return Vec::new() };
    let cached = Cached::of(workspace, &first.outcome);
    if cached.tools.is_empty() {
        return among(workspace, witnesses, 0).into_values().collect();
    }
    let mut all = among(workspace, fresh, 1);
    let compared = fresh.first().map(|second| compare(workspace, first, second)).unwrap_or_default();
    for (owner, differences) in compared {
        let is_cached = cached.has(&owner);
        let varies = Varies::new(&owner, differences, is_cached, [0, 1], fresh.len());
        all.entry(owner).or_insert(varies);
    }
    all.into_values().collect()
}

/// Returns the differences of `witnesses` from the first of them, whose index among all runs is `number`.
fn among(workspace: &Workspace, witnesses: &[Witness], number: usize) -> BTreeMap<Owner, Varies> {
    let mut all: BTreeMap<Owner, Varies> = BTreeMap::new();
    let Some((first, others)) = witnesses.split_first() else { return all };
    for (at, other) in others.iter().enumerate() {
        for (owner, differences) in compare(workspace, first, other) {
            let between = [number, number + 1 + at];
            let new = || Varies::new(&owner, differences, false, between, 0);
            all.entry(owner.clone()).or_insert_with(new).runs += 1;
        }
    }
    all
}

impl Varies {
    /// Reports the first of `differences`. For a wrong cached result, a finding that only one side has is preferred.
    fn new(
        (tool, unit): &Owner,
        mut differences: Vec<FieldDifference>,
        is_cached: bool,
        between: [usize; 2],
        runs: usize,
    ) -> Self {
        let at = differences.iter().position(|[field, ..]| is_cached && field == FINDING);
        let [field, first, other] = differences.swap_remove(at.unwrap_or(0));
        let (tool, unit) = (tool.clone(), unit.clone());
        Self { tool, unit, field, first, other, between, runs, is_cached }
    }
}

/// The cached results of a run.
struct Cached<'a> {
    tools: BTreeSet<&'a str>,
    tasks: BTreeSet<Owner>,
    /// Tasks without a cached result.
    fresh: BTreeSet<Owner>,
}

impl<'a> Cached<'a> {
    fn of(workspace: &Workspace, outcome: &'a Outcome) -> Self {
        let graph = &outcome.plan.graph;
        let mut cached = Self { tools: BTreeSet::new(), tasks: BTreeSet::new(), fresh: BTreeSet::new() };
        for (task, came) in graph.tasks.iter().zip(&outcome.tasks) {
            let tool = graph.tool(task.tool).name.as_str();
            let owner = (Some(tool.to_owned()), Some(graph.name_of(workspace, task.unit)));
            if came.timing.cache == Cache::Hit {
                cached.tools.insert(tool);
                cached.tasks.insert(owner);
            } else {
                cached.fresh.insert(owner);
            }
        }
        cached
    }

    /// Returns true if the data about `owner` is from the cache. Data about a whole tool is its version, which is cached
    /// with the results. A finding that is not about a unit may belong to any task of the tool.
    fn has(&self, owner: &Owner) -> bool {
        match owner {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(tool), Some(_)) => {
                self.tasks.contains(owner)
                    || self.tools.contains(tool.as_str()) && !self.fresh.contains(owner)
            }
        }
    }
}

/// A tool and a unit, if known.
type Owner = (Option<String>, Option<String>);
/// Name of a field, and its value on either side.
type FieldDifference = [String; 3];
/// Differences by owner. Each owner has at least one.
type All = BTreeMap<Owner, Vec<FieldDifference>>;

/// Field name for a finding that only one side has.
const FINDING: &str = "finding";
const MISSING: &str = "missing";

fn compare(workspace: &Workspace, a: &Witness, b: &Witness) -> All {
    let mut all = BTreeMap::new();
    if a.artifacts == b.artifacts {
        return all;
    }
    of_numbers(workspace, &a.outcome, &b.outcome, &mut all);
    of_tasks(&a.artifacts.tasks, &b.artifacts.tasks, &mut all);
    of_findings(workspace, a, b, &mut all);
    of_tools(&a.artifacts, &b.artifacts, &mut all);
    if all.is_empty() {
        for (file, (a, b)) in ["run.json", "report.json"]
            .into_iter()
            .zip([(&a.artifacts.run, &b.artifacts.run), (&a.artifacts.report, &b.artifacts.report)])
        {
            if let Some(found) = first_difference(&value(a), &value(b)) {
                add(&mut all, (None, None), prefixed(&format!("{file}: "), found));
            }
        }
    }
    if all.is_empty() {
        let found = ["tasks.jsonl".to_owned(), "some bytes".to_owned(), "others".to_owned()];
        add(&mut all, (None, None), found);
    }
    all
}

fn add(all: &mut All, owner: Owner, found: FieldDifference) {
    all.entry(owner).or_default().push(found);
}

fn of_tasks(a: &[u8], b: &[u8], all: &mut All) {
    let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(value).collect::<Vec<_>>();
    for (a, b) in lines(a).iter().zip(&lines(b)).filter(|(a, _)| a["kind"] == "task") {
        let owner = || (owned(&a["tool"]), owned(&a["unit"]));
        // The status is reported before its reason.
        let status =
            difference(&a["status"], &b["status"]).map(|_| sides("status", &a["status"], &b["status"]));
        if let Some(found) = status.or_else(|| first_difference(a, b)) {
            add(all, owner(), found);
        }
    }
}

fn of_findings(workspace: &Workspace, a: &Witness, b: &Witness, all: &mut All) {
    let of = |witness: &Witness| {
        let report = value(&witness.artifacts.report);
        let list = report["findings"].as_array().cloned().unwrap_or_default();
        list.into_iter().zip(witness.outcome.findings.clone()).collect::<Vec<_>>()
    };
    let (mut left, mut right) = (of(a), of(b));
    // Remove pairs of findings that both sides have.
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
            None => [FINDING.to_owned(), named(&one), MISSING.to_owned()],
        };
        add(all, owner(workspace, &a.outcome.plan, &compared), found);
    }
    for (other, compared) in right {
        let found = [FINDING.to_owned(), MISSING.to_owned(), named(&other)];
        add(all, owner(workspace, &b.outcome.plan, &compared), found);
    }
}

/// Returns the first field that differs between two findings about the same place. Derived fields come last.
fn of_finding(a: &Value, b: &Value) -> FieldDifference {
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

/// Returns the tool and unit to which a finding belongs.
fn owner(workspace: &Workspace, plan: &Plan, compared: &Compared) -> Owner {
    let graph = &plan.graph;
    let finding = &compared.finding;
    let tool = graph.tools().find(|(_, tool)| finding.is_of(&tool.name));
    let Some((id, tool)) = tool else { return (finding.tools.first().map(ToString::to_string), None) };
    let units: Vec<Unit> = graph.tasks.iter().filter(|task| task.tool == id).map(|task| task.unit).collect();
    let diagnostic = &finding.diagnostic;
    let unit = normalize::attribute(workspace, &units, &diagnostic.place, diagnostic.package)
        .map_or_else(|| diagnostic.place.name(), |at| units[at].path(workspace).to_string());
    (Some(tool.name.clone()), Some(unit))
}

/// Compares the data about tools.
fn of_tools(a: &Artifacts, b: &Artifacts, all: &mut All) {
    let (a, b) = (value(&a.run), value(&b.run));
    let tools = |run: &Value| run["tools"].as_array().cloned().unwrap_or_default();
    for (a, b) in tools(&a).iter().zip(&tools(&b)) {
        if let Some(found) = first_difference(a, b) {
            add(all, (owned(&a["name"]), None), found);
        }
    }
}

/// Compares the numbers that tools report. A difference in a finding about a number is reported for the number.
fn of_numbers(workspace: &Workspace, a: &Outcome, b: &Outcome, all: &mut All) {
    let graph = &a.plan.graph;
    for number in &a.numbers {
        let is_same = |other: &&Number| other.tool == number.tool && other.name == number.name;
        let other = b.numbers.iter().find(is_same).map(|other| other.value.to_string());
        let value = number.value.to_string();
        if other.as_ref() != Some(&value) {
            let found = [format!("the number `{}`", number.name), value, other.unwrap_or(MISSING.to_owned())];
            let mut tasks = graph.tasks.iter().filter(|task| graph.tool(task.tool).name == number.tool);
            let unit = tasks.next().map(|task| graph.name_of(workspace, task.unit));
            add(all, (Some(number.tool.clone()), unit), found);
        }
    }
}

fn first_difference(a: &Value, b: &Value) -> Option<FieldDifference> {
    let found = difference(a, b)?;
    Some([found.place, text(found.left), text(found.right)])
}

fn sides(field: &str, a: &Value, b: &Value) -> FieldDifference {
    [field.to_owned(), text(Some(a.clone())), text(Some(b.clone()))]
}

fn prefixed(with: &str, [field, left, right]: FieldDifference) -> FieldDifference {
    [format!("{with}{field}"), left, right]
}

fn owned(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}
