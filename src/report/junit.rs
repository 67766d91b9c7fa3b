//! JUnit XML for test reports, with a suite for each tool and for each test target.
//!
//! If a tool lists its tests, there is a case for each of them, in the suite of its target. The suite of the tool has a case for
//! each clean unit without such a list, each finding, and each unit without a result. New findings fail, accepted and suppressed
//! ones and those that the change did not cause are skipped, and a unit without a result is an error. Test targets that ran no
//! tests are left out. The census of a tool is a property of its suite. There are no UUIDs or line numbers in names, so a case
//! keeps its name from run to run.

mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use self::targets::Targets;
use super::census;
use super::excused;
use super::finished::{Finding, Finished, Tasks, Tool, ToolReport};
use super::outputs::OutputsOfTests;
use super::text::{inert, visible};
use crate::model::census::{OfTarget, TestTotals};
use crate::model::finding::{Place, State};
use crate::model::halt::{Halt, PER_FINDING, until};
use crate::model::tool::Leaky;

/// Writes `run`, with the output of failed tests. Stops adding cases once `halt` is due.
pub(super) fn write(
    run: &Finished,
    tasks: &Tasks,
    outputs: &OutputsOfTests,
    halt: &dyn Halt,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut report = Report::new("genti");
    for (tool, outcome) in run.tools() {
        let targets = Targets::of(run, tasks, outputs, tool, halt);
        report.add_test_suite(suite(run, tasks, (tool, outcome), &targets.findings, halt));
        report.add_test_suites(targets.suites);
    }
    // `serialize` wraps the error of the writer in its own type, but callers must be able to recognize a halt.
    let mut error = Ok(());
    let written = report.serialize(Keep { out, error: &mut error });
    error?;
    written.map_err(io::Error::other)
}

/// Writes to `out`, and stores its error in `error`.
struct Keep<'a> {
    out: &'a mut dyn Write,
    error: &'a mut io::Result<()>,
}

impl Write for Keep<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|error| {
            let kind = error.kind();
            *self.error = Err(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Returns the suite of `tool`. It leaves out the findings at the indices `of_tests`, which are cases of test targets.
fn suite(
    run: &Finished,
    tasks: &Tasks,
    (tool, outcome): (&Tool, &ToolReport),
    of_tests: &BTreeSet<usize>,
    halt: &dyn Halt,
) -> TestSuite {
    let mut suite = TestSuite::new(legal(&tool.name));
    let facts = census::of_tool(run, tool, outcome).join(", ");
    if !facts.is_empty() {
        suite.add_property(("looked at", legal(&facts).as_str()));
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let is_own = |finding: &Finding| run.tool_of(finding) == tool.name;
    let all = run.report.findings.iter().enumerate();
    let own =
        all.filter(|(at, finding)| is_own(finding) && !of_tests.contains(at)).map(|(_, finding)| finding);
    for finding in until(halt, own, |_| PER_FINDING) {
        let mut name = name(finding);
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name.push_str(&format!(" #{count}"));
        }
        suite.add_test_case(case(finding, &name));
    }
    let empty = Empty::of(outcome);
    for task in until(halt, tasks.of(&tool.name), |_| PER_FINDING) {
        let status = match task.status.as_str() {
            "clean" if empty.has(&task.unit) || !task.tests.is_empty() => continue,
            "clean" => TestCaseStatus::success(),
            "skipped" => skipped(task.reason.as_deref().unwrap_or_default()),
            _ => continue,
        };
        let mut case = of_unit(tool, &task.unit, status);
        if task.leaky {
            case.set_system_out(Leaky::MESSAGE);
        }
        suite.add_test_case(case);
    }
    for gap in &outcome.incomplete {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("incomplete").set_message(legal(&gap.reason));
        suite.add_test_case(of_unit(tool, &gap.unit, status));
    }
    suite
}

/// Units that ran no tests. They have no case, because nothing passed there.
enum Empty<'a> {
    /// All units of the tool.
    All,
    /// Units with one of these target roots.
    Roots(BTreeSet<&'a str>),
}

impl<'a> Empty<'a> {
    fn of(outcome: &'a ToolReport) -> Self {
        let Some(TestTotals { all, by_target, .. }) = &outcome.census.tests else {
            return Self::Roots(BTreeSet::new());
        };
        if all.run == 0 && by_target.iter().all(|of| of.tests.is_some()) {
            return Self::All;
        }
        let is_empty = |of: &&OfTarget| of.tests.is_some_and(|tests| tests.run == 0);
        let (empty, full): (Vec<_>, Vec<_>) = by_target.iter().partition(is_empty);
        let roots = |of: Vec<&'a OfTarget>| of.into_iter().filter_map(|of| of.path.as_deref()).collect();
        let full: BTreeSet<_> = roots(full);
        let empty: BTreeSet<_> = roots(empty);
        Self::Roots(empty.difference(&full).copied().collect())
    }

    fn has(&self, unit: &str) -> bool {
        match self {
            Self::All => true,
            Self::Roots(roots) => roots.contains(unit),
        }
    }
}

fn of_unit(tool: &Tool, unit: &str, status: TestCaseStatus) -> TestCase {
    let unit = if unit == "." { "workspace" } else { unit };
    let mut case = TestCase::new(legal(unit), status);
    case.set_classname(legal(&tool.name));
    case
}

/// Returns the name of the case for `finding`. It does not change when lines move.
fn name(finding: &Finding) -> String {
    let scope = if finding.scope.is_empty() { String::new() } else { format!(" in {}", finding.scope) };
    format!("{}{scope} ({})", finding.rule, finding.id)
}

fn case(finding: &Finding, name: &str) -> TestCase {
    let mut case = TestCase::new(legal(name), status(&[finding]));
    case.set_classname(legal(&finding.place.name()));
    set_place(&mut case, finding);
    case
}

/// Returns the status of a case with `findings`: it fails if one of them is new.
fn status(findings: &[&Finding]) -> TestCaseStatus {
    let new: Vec<_> = findings.iter().filter(|finding| !is_settled(finding)).collect();
    let Some(worst) = new.first() else {
        return findings.first().map_or_else(TestCaseStatus::success, |finding| settled(finding));
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(worst.level.as_str()).set_message(legal(&worst.message));
    let description: Vec<_> = new.iter().map(|finding| description(finding)).collect();
    status.set_description(legal(&description.join("\n")));
    status
}

fn is_settled(finding: &Finding) -> bool {
    finding.is_excused()
        || matches!(finding.state, State::Suppressed | State::Unchanged | State::Updated | State::Noted)
}

/// Returns the status of a case with a finding that does not fail.
fn settled(finding: &Finding) -> TestCaseStatus {
    match finding.state {
        State::Suppressed => skipped(&because("suppressed", finding)),
        State::Noted => {
            let mut rerun = TestRerun::new(NonSuccessKind::Failure);
            rerun.set_type(finding.level.as_str()).set_message(legal(&finding.message));
            rerun.set_description(legal(&description(finding)));
            let mut status = TestCaseStatus::success();
            status.add_rerun(rerun);
            status
        }
        _ => match &finding.cause {
            Some(caused) => skipped(&excused::sentence(caused)),
            None => skipped(&because("accepted", finding)),
        },
    }
}

/// Sets the file and line of `finding`.
fn set_place(case: &mut TestCase, finding: &Finding) {
    if let Place::File { path, range } = finding.shown_at() {
        case.extra.insert("file".into(), legal(&path.to_string()).into());
        if let Some(range) = range {
            case.extra.insert("line".into(), range.start.line.to_string().into());
        }
    }
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    if !why.is_empty() {
        status.set_message(legal(why));
    }
    status
}

fn because(what: &str, finding: &Finding) -> String {
    let reason = finding.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let owner = finding.owner.as_ref().map(|owner| format!(" ({owner})")).unwrap_or_default();
    format!("{what}{reason}{owner}")
}

/// Returns the finding as text: place, message and related messages.
fn description(finding: &Finding) -> String {
    let place = finding.shown_at();
    let at = place.range().map(|range| format!(":{}:{}", range.start.line, range.start.column));
    let place = format!("{}{}", place.name(), at.unwrap_or_default());
    let mut text = format!("{place}: {}[{}]: {}", finding.level.as_str(), finding.rule, finding.title());
    for related in &finding.related {
        text.push_str("\n  ");
        text.push_str(&related.message.replace('\n', "\n  "));
    }
    text
}

/// Replaces characters that XML forbids even if escaped, and text that CI services would treat as a command in a log.
fn legal(text: &str) -> String {
    let text = visible(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    inert(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_becomes_legal_in_xml() {
        let all: String = (0..0x11_0000).filter_map(char::from_u32).collect();
        let is_legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(legal(&all).chars().all(is_legal));
    }
}
