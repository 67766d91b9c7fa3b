//! Parses the output of test programs with rustc's harness, and of `cargo test --doc`, which prints a report per crate.
//!
//! Tests print too. Their output goes to the same stream, may start in the middle of a line, and may come from another
//! test program. So only the end of the harness's report counts: the summary and the list of failures right above it,
//! and only if both agree with each other, with the announced number of tests, and with the exit code. Otherwise there
//! is no result. [`report`] reads reports, [`story`] extracts the details of one failed test, and [`cases`] handles
//! tests that run cases from files.
//!
//! This module does not know how the program was started.

mod cargo;
pub(super) mod cases;
mod census;
mod doc;
mod listing;
mod report;
pub(super) mod story;

use std::collections::BTreeMap;

use super::exit_code::excerpt;
use super::{Gap, Input, PANIC, Parsed, Unparsable, is_crash, whole_line};
use crate::model::finding::{Diagnostic, FLAKY, FailedTest, Level, OWN_NAMESPACE, Place, Related};
use crate::model::task::Unit;
use crate::model::test_output::TestOutputs;
use cargo::CargoFailures;
use census::Reported;
use doc::{DocTest, DocTests};
use report::{LibtestReport, LibtestReports};
use story::Story;

/// Rule of a failed test. The subject names the test.
pub(super) const FAILED: &str = "failed";

/// Parses the output of a test program, or of a cargo that ran several.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if is_crash(code) {
        return Err(input.crashed(code));
    }
    let stdout = input.text(&input.output.stdout);
    let lines = report::lines(input, &stdout);
    if let Some(other) = report::other_form(&lines) {
        return Err(Unparsable(other.to_owned()));
    }
    match input.units {
        [unit @ Unit::TargetRoot(..)] => program(input, *unit, &lines, code),
        _ => programs(input, &stdout, &lines, code),
    }
}

/// Parses the output of one program. The last thing it prints is the end of its report.
fn program(input: &Input<'_>, unit: Unit, lines: &[&str], code: i32) -> Result<Parsed, Unparsable> {
    let package = unit.package(input.workspace).map(|id| input.workspace.package(id));
    let name = package
        .zip(unit.target(input.workspace))
        .map_or_else(|| input.tool.base().to_owned(), |(package, target)| package.test_name(target));
    let Some(begin) = report::begin(lines, 0) else {
        // With a custom harness (`harness = false`), only the exit code is known to mean something.
        let output = [&input.output.stdout, &input.output.stderr].into_iter();
        let related =
            output.filter_map(|text| Some(Related { message: excerpt(input.scrub, text)?, place: None }));
        let (census, _) = census::of_program(&name, None, None);
        let story = Story { related: related.collect(), ..Story::none() };
        let mut outputs = TestOutputs::default();
        if code != 0 {
            let stderr = input.text(&input.output.stderr);
            let beside = input.text_lines(&stderr);
            outputs.add(&name, &lines.iter().copied().chain(beside).collect::<Vec<_>>());
        }
        let failed = (code != 0).then(|| failed(input, name, story));
        let (diagnostics, test_outputs) = (failed.into_iter().collect(), outputs.finish());
        return Ok(Parsed { diagnostics, census, test_outputs, ..Parsed::default() });
    };
    let report = report::ends(lines).last().and_then(|end| LibtestReport::read(lines, begin, end));
    let Some(report) = report else {
        return Err(Unparsable(format!("exited with {code} before its tests finished")));
    };
    agree(code, !report.failed.is_empty(), report.is_libtest)?;
    let stderr = input.text(&input.output.stderr);
    let beside: Vec<&str> = input.text_lines(&stderr).collect();
    let (mut diagnostics, mut failed_tests) = (Vec::new(), BTreeMap::new());
    let mut outputs = TestOutputs::default();
    for test in &report.failed {
        let (subject, output) = (format!("{name} {test}"), report.output_of(test));
        let found = cases::of_test(input, (&name, package), test, output, &beside);
        outputs.add(&subject, output.unwrap_or_default());
        if input.tool.reruns_tests() {
            failed_tests.insert((*test).to_owned(), flaky(input, subject, &found));
        }
        diagnostics.extend(found);
    }
    let counts = census::tests(lines[report.end]);
    let listed = counts
        .map(|counts| listing::read(&report, &lines[begin..=report.end], counts, input.halt))
        .transpose()?;
    let (census, times) = census::of_program(&name, counts, listed.flatten());
    let test_outputs = outputs.finish();
    let parsed = Parsed { diagnostics, failed_tests, census, times, test_outputs, ..Parsed::default() };
    let parsed = Parsed { is_whole: true, ..parsed };
    Ok(parsed.of_counted(report.failed.len()))
}

/// Parses the output of cargo, with one program after the other, or the doc tests of one crate after the other.
fn programs(input: &Input<'_>, stdout: &str, lines: &[&str], code: i32) -> Result<Parsed, Unparsable> {
    let stderr = input.text(&input.output.stderr);
    let mut cargo = CargoFailures::read(input, &stderr);
    if cargo.is_silent() {
        // A shell may have merged both streams.
        cargo = CargoFailures::read(input, stdout);
    }
    let LibtestReports { all, is_torn } = LibtestReports::read(input, lines);
    if is_torn && !cargo.has_dead() {
        return Err(Unparsable(format!("exited with {code} before its tests finished")));
    }
    if all.is_empty() && code == 0 && cargo.is_silent() {
        return Err(Unparsable("exited with 0 without reporting any test".to_owned()));
    }
    if all.is_empty() && !cargo.has_failures() && code != 0 {
        let reason = input.build_failure().or_else(|| input.complaint());
        let reason = reason.unwrap_or_else(|| format!("cargo exited with {code}"));
        return Ok(Parsed { gaps: vec![Gap::all(reason)], ..Parsed::default() });
    }
    let with_failures: Vec<&LibtestReport<'_>> =
        all.iter().filter(|report| !report.failed.is_empty()).collect();
    let mut gaps: Vec<_> = cargo.gap(input, &with_failures, all.len()).map(Gap::all).into_iter().collect();
    let (of_docs, of_programs): (Vec<&LibtestReport<'_>>, Vec<_>) =
        with_failures.into_iter().partition(|report| cargo::is_of_docs(report));
    let doc_tests = DocTests::of(lines);
    let (mut diagnostics, mut outputs) = (Vec::new(), TestOutputs::default());
    for report in of_docs {
        for test in &report.failed {
            let output = report.output_of(test);
            let found = of_documentation(input, &doc_tests, test, output);
            outputs.add(&found.place.name(), output.unwrap_or_default());
            diagnostics.push(found);
        }
    }
    let names = match of_programs.as_slice() {
        [] => {
            let names = cargo.without_reports(input).into_iter();
            diagnostics.extend(names.map(|name| failed(input, name, Story::none())));
            Vec::new()
        }
        // A single program cannot be confused with another.
        [_] if all.len() == 1 && !cargo.has_failures() => vec![None],
        _ => match cargo.programs(input, &of_programs) {
            Ok(names) => names.into_iter().map(Some).collect(),
            Err(reason) => {
                // The failures are still reported, under names that tests of other programs may have too.
                gaps.push(Gap::all(reason));
                vec![None; of_programs.len()]
            }
        },
    };
    for (report, program) in of_programs.iter().zip(names) {
        for test in &report.failed {
            let output = report.output_of(test);
            let subject =
                program.as_ref().map_or_else(|| (*test).to_owned(), |program| format!("{program} {test}"));
            outputs.add(&subject, output.unwrap_or_default());
            diagnostics.push(failed(input, subject, story::of_test(input, test, output, &[])));
        }
    }
    if gaps.is_empty() {
        let is_libtest = !cargo.has_failures() && all.iter().all(|report| report.is_libtest);
        agree(code, !diagnostics.is_empty(), is_libtest)?;
    }
    let reported = |report: &LibtestReport<'_>| {
        let lines = &lines[report.begin..=report.end];
        let tests = census::tests(lines.last()?)?;
        Some(listing::read(report, lines, tests, input.halt).map(|listed| Reported { tests, lines, listed }))
    };
    let counted = all.iter().filter_map(reported).collect::<Result<Vec<_>, _>>()?;
    let (census, times) = census::of_cargo(input, counted, &stderr);
    let failures = all.iter().map(|report| report.failed.len()).sum();
    let is_whole = !all.is_empty() && !is_torn && gaps.is_empty();
    let test_outputs = outputs.finish();
    let parsed = Parsed { diagnostics, gaps, census, times, test_outputs, is_whole, ..Parsed::default() };
    Ok(parsed.of_counted(failures))
}

/// Checks the exit code. rustc's harness and cargo exit with 101 if a test failed. Other test runners may not.
fn agree(code: i32, has_failures: bool, is_libtest: bool) -> Result<(), Unparsable> {
    match (code, has_failures) {
        (0, false) | (PANIC, true) => Ok(()),
        (1.., true) if !is_libtest => Ok(()),
        (_, false) => Err(Unparsable(format!("exited with {code} although its tests passed"))),
        (_, true) => Err(Unparsable(format!("exited with {code} although some of its tests failed"))),
    }
}

/// Returns the diagnostic of a failed doc test. Several doc tests of one item are distinguished by their number.
fn of_documentation(
    input: &Input<'_>,
    all: &DocTests<'_>,
    test: &str,
    output: Option<&[&str]>,
) -> Diagnostic {
    let Some(doc) = DocTest::read(test) else {
        return failed(input, test.to_owned(), story::of_test(input, test, output, &[]));
    };
    let place = input.place_at(doc.path.as_bytes(), whole_line(doc.line));
    let item = if doc.item.is_empty() { String::new() } else { format!(" - {}", doc.item) };
    let number = match all.number(&doc) {
        1 => String::new(),
        number => format!(" #{number}"),
    };
    let subject = format!("{}{item}{number}", place.name());
    let (message, related) = story::of_doc_test(input, output);
    let story = Story { message, related: related.into_iter().collect(), at: Some(place) };
    let found = failed(input, subject, story);
    let test = found.test.map(|test| Box::new(FailedTest { item: Some(doc.item.to_owned()), ..*test }));
    Diagnostic { test, ..found }
}

/// Returns the diagnostic of a failed test. Namespace and identity do not depend on the test runner, so a baseline is
/// valid for all of them.
pub(super) fn failed(input: &Input<'_>, subject: String, story: Story) -> Diagnostic {
    let Story { message, related, at } = story;
    let place = Place::Subject(subject);
    let message = message.unwrap_or_else(|| FailedTest::MESSAGE.to_owned());
    let at = at.filter(|at| at.path().is_some());
    let found = input.diagnostic(place, FAILED, Level::Error, message);
    // The finding belongs to the task of the process, not to the first task of its package.
    Diagnostic { related, package: None, test: Some(Box::new(FailedTest { at, item: None })), ..found }
}

/// Returns the diagnostic of the test `subject`, which passed when it was run again after the failure `failed`.
pub(super) fn flaky(input: &Input<'_>, subject: String, failed: &[Diagnostic]) -> Diagnostic {
    let level = input.tool.flaky_level();
    let found =
        input.diagnostic(Place::Subject(subject), FLAKY, level, "failed, and passed when it was run again");
    let messages = failed.iter().map(|failed| Related { message: failed.message.to_string(), place: None });
    // If the test has failed cases, there is no single place of the failure.
    let test = failed.iter().find_map(|failed| failed.test.clone());
    Diagnostic { ns: OWN_NAMESPACE.into(), package: None, related: messages.collect(), test, ..found }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;
