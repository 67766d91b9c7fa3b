//! The reasons why required tools have no result, which decide exit code 3: a compile error with its place, or else what is said
//! about the process. Shared by all reports that name them.

use std::collections::BTreeSet;

use super::finished::{Finding, Finished, Incomplete, Tool};
use crate::model::finding::State;
use crate::model::golden;
use crate::model::outcome::Verdict;

/// A reason why a required tool has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// An error that stopped the tool.
    Error(&'a Finding),
    /// A unit of this tool without a result, which no finding explains.
    Gap(&'a str, &'a Incomplete),
}

/// Returns the reasons why required tools of `run` have no result: errors first, in their order, then the others by tool, one per
/// reason. A tool is left out if it only lacks code that another tool could not build.
pub fn causes(run: &Finished) -> Vec<Cause<'_>> {
    let is_open = |name: &str| {
        let mut open = run.tools().filter(|(_, report)| report.verdict == Verdict::Incomplete);
        open.any(|(tool, _)| tool.name == name)
    };
    let required = || run.tools().filter(|(tool, _)| tool.required && is_open(&tool.name));
    let stops = |finding: &Finding, tool: &Tool| is_error(finding) && finding.is_of(&tool.name);
    let errors =
        run.report.findings.iter().filter(|finding| required().any(|(tool, _)| stops(finding, tool)));
    let mut causes: Vec<_> = errors.map(Cause::Error).collect();
    for (tool, report) in required() {
        let is_explained = run.report.findings.iter().any(|finding| stops(finding, tool))
            || tool.needs.iter().any(|need| is_open(need));
        let mut seen = BTreeSet::new();
        let gaps = report.incomplete.iter().filter(|gap| !is_explained && seen.insert(&gap.reason));
        causes.extend(gaps.map(|gap| Cause::Gap(&tool.name, gap)));
    }
    causes
}

/// Whether this is an error that prevents a check, not a difference from a golden file.
fn is_error(finding: &Finding) -> bool {
    let is_of_golden = || finding.place.path().is_some_and(|path| golden::tool_of(path).is_some());
    finding.fatal && finding.state == State::New && !is_of_golden()
}
