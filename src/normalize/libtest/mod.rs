//! What the test programs of rustc's own harness print, and `cargo test --doc`, which prints it for each crate.
//!
//! Tests print too: whatever they start writes to the same stream, in the middle of a line, and may itself be a
//! test program. So nothing counts but what the harness says at its end: the summary and the list of failures
//! right above it, and only if both agree with each other, with the number of tests that it began with, and with
//! the exit code. What does not agree has no verdict. See [`report`] for that, [`story`] for what is told of one
//! failed test, [`cases`] for tests that run cases of files.
//!
//! Does not know how the program was started.

pub(super) mod cases;
mod census;
mod doc;
mod report;
pub(super) mod story;

use super::exit_code::excerpt;
use super::{Gap, Input, PANIC, Parsed, Unparsable, is_crash, whole_line};
use crate::model::finding::{Diagnostic, Level, Place, Related};
use crate::model::task::Unit;
use census::Reported;
use doc::{DocTest, DocTests};
use report::Report;

/// The rule of a test that failed: the subject tells which.
const RULE: &str = "failed";

/// Reads the output of a test program, or of a cargo that ran several.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if is_crash(code) {
        return Err(input.crashed(code));
    }
    let stdout = input.scrub.lossy(&input.output.stdout);
    let lines: Vec<&str> = stdout.lines().collect();
    match input.units {
        [unit @ Unit::TargetRoot(..)] => program(input, *unit, &lines, code),
        _ => cargo(input, &lines, code),
    }
}

/// One program: its harness is done when it prints nothing more.
fn program(input: &Input<'_>, unit: Unit, lines: &[&str], code: i32) -> Result<Parsed, Unparsable> {
    let package = unit.package(input.workspace).map(|id| input.workspace.package(id));
    let name = package
        .zip(unit.target(input.workspace))
        .map_or_else(|| input.tool.name.clone(), |(package, target)| package.test_name(target));
    let Some(begin) = report::begin(lines, 0) else {
        // A harness of its own (`harness = false`), of which only the exit code is known to mean something.
        let output = [&input.output.stdout, &input.output.stderr].into_iter();
        let related =
            output.filter_map(|text| Some(Related { message: excerpt(input.scrub, text)?, place: None }));
        let census = census::of_program(&name, None);
        let failed = (code != 0).then(|| failed(input, name, related.collect()));
        return Ok(Parsed { diagnostics: failed.into_iter().collect(), census, ..Parsed::default() });
    };
    let report = report::ends(lines).last().and_then(|end| Report::read(lines, begin, end));
    let Some(report) = report else {
        return Err(Unparsable(format!("exited with {code} before its tests were done")));
    };
    agree(code, !report.failed.is_empty())?;
    let stderr = input.scrub.lossy(&input.output.stderr);
    let beside: Vec<&str> = stderr.lines().collect();
    let diagnostics = report
        .failed
        .iter()
        .flat_map(|test| cases::of_test(input, (&name, package), test, report.output_of(test), &beside));
    let census = census::of_program(&name, census::tests(lines[report.end - 1]));
    Ok(Parsed { diagnostics: diagnostics.collect(), census, ..Parsed::default() })
}

/// A cargo: one program after the other, or the documentation of one crate after the other.
fn cargo(input: &Input<'_>, lines: &[&str], code: i32) -> Result<Parsed, Unparsable> {
    let doc_tests = DocTests::of(lines);
    let mut diagnostics = Vec::new();
    let mut counted = Vec::new();
    let (mut reports, mut with_failures, mut next) = (0, 0, 0);
    while let Some(begin) = report::begin(lines, next) {
        let mut ends = report::ends(lines).filter(|end| *end > begin);
        let Some(report) = ends.find_map(|end| Report::read(lines, begin, end)) else {
            return Err(Unparsable(format!("exited with {code} before its tests were done")));
        };
        next = report.end;
        let lines = &lines[begin..next];
        counted
            .extend(lines.last().and_then(|line| census::tests(line)).map(|tests| Reported { tests, lines }));
        reports += 1;
        with_failures += usize::from(!report.failed.is_empty());
        for test in &report.failed {
            diagnostics.push(one_of_many(input, &doc_tests, test, report.output_of(test)));
        }
    }
    let stderr = input.scrub.lossy(&input.output.stderr);
    let sections = stderr.lines().filter(|line| line.starts_with("   Doc-tests ")).count();
    let is_failure =
        |line: &&str| line.starts_with("error: doctest failed, ") || line.starts_with("error: test failed, ");
    let failed = stderr.lines().filter(is_failure).count();
    // Cargo says how a program ended that did not just report failures.
    let died = stderr.lines().any(|line| line.starts_with("  process didn't exit successfully: "));
    if reports == 0 && code != 0 || died || sections > reports || failed > with_failures {
        let reason = input.build_failure().or_else(|| input.complaint());
        let reason = reason.unwrap_or_else(|| format!("cargo exited with {code}"));
        return Ok(Parsed { diagnostics, gaps: vec![Gap::all(reason)], ..Parsed::default() });
    }
    agree(code, with_failures > 0)?;
    let census = census::of_cargo(input, &counted, &stderr);
    Ok(Parsed { diagnostics, census, ..Parsed::default() })
}

/// Both the harness and cargo exit like a panic if a test failed.
fn agree(code: i32, has_failures: bool) -> Result<(), Unparsable> {
    match (code, has_failures) {
        (0, false) | (PANIC, true) => Ok(()),
        (_, false) => Err(Unparsable(format!("exited with {code}, and its tests passed"))),
        (_, true) => Err(Unparsable(format!("exited with {code}, and not all of its tests passed"))),
    }
}

/// A test of which it is not known which program it is of. Of several doc tests of one item, each is told from the
/// others by its number.
fn one_of_many(input: &Input<'_>, all: &DocTests<'_>, test: &str, output: Option<&[&str]>) -> Diagnostic {
    let Some(doc) = DocTest::read(test) else {
        return failed(input, test.to_owned(), story::of_test(input, test, output));
    };
    let place = input.place_at(doc.path.as_bytes(), whole_line(doc.line));
    let item = if doc.item.is_empty() { String::new() } else { format!(" - {}", doc.item) };
    let number = match all.number(&doc) {
        1 => String::new(),
        number => format!(" #{number}"),
    };
    let subject = format!("{}{item}{number}", place.name());
    let mut related = vec![Related { message: "the code".to_owned(), place: Some(place) }];
    related.extend(story::of_doc_test(input, output));
    failed(input, subject, related)
}

/// The namespace and the words are the same whoever runs the tests: the baseline holds for all of them.
pub(super) fn failed(input: &Input<'_>, subject: String, related: Vec<Related>) -> Diagnostic {
    let place = Place::Subject(subject);
    let message = "test failed".to_owned();
    // The task is that of the process, not the first one of its package.
    Diagnostic { related, package: None, ..input.diagnostic(place, RULE.to_owned(), Level::Error, message) }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;
