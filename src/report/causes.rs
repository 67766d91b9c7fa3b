//! The reasons why required tools have no result, which decide exit code 3: a compile error with its place, or else what is said
//! about the process. Shared by all reports that name them.

use std::collections::{BTreeMap, BTreeSet};

use super::finished::{Finding, Finished, Incomplete, Tool, ToolReport};
use crate::model::finding::State;
use crate::model::golden;
use crate::model::outcome::Verdict;
use crate::model::task::NOT_BUILT;
use crate::model::tool::Parse;

/// A reason why a required tool has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// An error that stopped the tool.
    Error(&'a Finding),
    /// A unit of these tools without a result, which no finding explains.
    Gap(Vec<&'a str>, &'a Incomplete),
}

/// Returns the reasons why required tools of `run` have no result: errors first, in their order, then the others by tool, one per
/// reason. A reason that is the same for several tools, such as a missing toolchain, is listed once. A tool is left
/// out if it only lacks code that another tool could not build.
pub fn causes(run: &Finished) -> Vec<Cause<'_>> {
    let required = || run.tools().filter(|(tool, _)| tool.required && is_open(run, &tool.name));
    let errors =
        run.report.findings.iter().filter(|finding| required().any(|(tool, _)| stops(finding, tool)));
    let mut causes: Vec<_> = errors.map(Cause::Error).collect();
    let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (tool, report) in required() {
        let mut seen = BTreeSet::new();
        for gap in unexplained(run, tool, report).into_iter().filter(|gap| seen.insert(&gap.reason)) {
            let at = *known.entry((&gap.unit, &gap.reason)).or_insert(causes.len());
            match causes.get_mut(at) {
                Some(Cause::Gap(tools, _)) => tools.push(&tool.name),
                _ => causes.push(Cause::Gap(vec![&tool.name], gap)),
            }
        }
    }
    causes
}

/// Returns the units of `tool` without a result, except those where an error or another tool without a result is the reason, so
/// that naming them would only repeat it.
pub fn unexplained<'a>(run: &Finished, tool: &Tool, report: &'a ToolReport) -> Vec<&'a Incomplete> {
    let errors: Vec<_> = run.report.findings.iter().filter(|finding| stops(finding, tool)).collect();
    let lacks_need = tool.needs.iter().any(|need| is_open(run, need));
    let reasons: BTreeSet<_> =
        errors.iter().map(|error| format!("{}: {}", error.place.name(), error.message)).collect();
    // One process covers the whole workspace.
    let is_one = tool.per == "workspace" && (lacks_need || !errors.is_empty());
    let is_explained =
        |gap: &&Incomplete| is_one || reasons.contains(&gap.reason) || lacks_need && gap.reason == NOT_BUILT;
    report.incomplete.iter().filter(|gap| !is_explained(gap)).collect()
}

/// Returns whether the tool called `name` has no result.
fn is_open(run: &Finished, name: &str) -> bool {
    run.tools().any(|(tool, report)| tool.name == name && report.verdict == Verdict::Incomplete)
}

/// Returns whether `finding` is an error that stops `tool`. A difference of a generated file stops nothing.
fn stops(finding: &Finding, tool: &Tool) -> bool {
    is_error(finding) && finding.is_of(&tool.name) && tool.parse != Parse::GENERATOR
}

/// Returns whether this is an error that prevents a check, not a difference from a golden file.
fn is_error(finding: &Finding) -> bool {
    let is_of_golden = || finding.place.path().is_some_and(|path| golden::tool_of(path).is_some());
    finding.fatal && finding.state == State::New && !is_of_golden()
}
