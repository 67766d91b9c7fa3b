//! A test that runs the cases of trycmd, or compares with a file of snapbox or insta: where what failed stands.
//!
//! The finding is about the case then, one for each, and names the test. Only a file of the workspace is a place: else, or
//! where what is said does not add up, the test is all that there is to say. Checked with trycmd 1.2.1, snapbox 1.2.2
//! and insta 1.49.0.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::finding::{Diagnostic, FailedTest, Place, Related};
use crate::model::path::RelPath;
use crate::model::workspace::Package;
use crate::normalize::exit_code::excerpt;
use crate::normalize::{Input, whole_line};

use super::failed;
use super::story::{self, Story};

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

/// The findings for the failed test `name` of `program`, which printed `output`. `beside` is where the cases are that
/// trycmd lists: it writes past the harness.
pub(in crate::normalize) fn of_test(
    input: &Input<'_>,
    (program, package): (&str, Option<&Package>),
    name: &str,
    output: Option<&[&str]>,
    beside: &[&str],
) -> Vec<Diagnostic> {
    let subject = format!("{program} {name}");
    let files = Files { input, package };
    let lines = output.unwrap_or_default();
    let cases = of_trycmd(&files, lines, beside)
        .or_else(|| Some(vec![of_snapbox(&files, lines).or_else(|| of_insta(&files, lines))?]));
    let Some(cases) = cases else {
        return vec![failed(input, subject, story::of_test(input, name, output, beside))];
    };
    let finding = |Case { place, said }| {
        let said = said.and_then(|said| excerpt(input.scrub, said.join("\n").trim_matches('\n').as_bytes()));
        let related = match said {
            Some(message) => vec![Related { message, place: None }],
            None => story::of_test(input, name, output, &[]).told(),
        };
        let message = format!("{}: `{subject}`", FailedTest::MESSAGE);
        let story = Story { related, ..Story::none() };
        Diagnostic { place, message: message.into(), test: None, ..failed(input, String::new(), story) }
    };
    cases.into_iter().map(finding).collect()
}

/// What failed, and what is said of it, if not in the words of the panic.
struct Case<'a> {
    place: Place,
    said: Option<&'a [&'a str]>,
}

/// The files that a test may name.
struct Files<'a> {
    input: &'a Input<'a>,
    package: Option<&'a Package>,
}

impl Files<'_> {
    /// The place that a test of the package calls `name`: seen from its directory, where tests run, or from the root.
    fn place(&self, name: &str, line: Option<u32>) -> Option<Place> {
        let from_package = self.package.map(|package| package.dir.join(name));
        let mut paths = from_package.into_iter().chain([RelPath::new(name)]);
        let path = paths.find_map(|path| {
            let path = self.input.scrub.path(path.as_bytes())?;
            self.input.workspace.find(&path).map(|_| path)
        })?;
        Some(Place::File { path, range: line.and_then(whole_line) })
    }
}

/// The cases that failed, `Testing tests/cmd/a.trycmd:12 ... failed 7ms`, if they are as many as the panic says: of
/// several such tests, nothing tells whose a case is.
fn of_trycmd<'a>(files: &Files<'_>, output: &[&str], beside: &'a [&'a str]) -> Option<Vec<Case<'a>>> {
    static COUNT: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\d+) of \d+ tests failed$"));
    static CASE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^Testing (.+?)(?::(?:(\d+)|[a-z]+))? \.\.\. (?:failed|ok|ignored)\b"));
    let count: usize = output.iter().find_map(|line| COUNT.captures(line)?[1].parse().ok())?;
    let is_end = |line: &str| CASE.is_match(line) || line.starts_with("Update snapshots with `TRYCMD=");
    let mut cases = Vec::new();
    for (at, line) in beside.iter().enumerate() {
        let Some(found) = CASE.captures(line).filter(|_| line.contains(" ... failed")) else { continue };
        let said = &beside[at + 1..];
        let end = said.iter().position(|line| is_end(line)).unwrap_or(said.len());
        let line = found.get(2).and_then(|line| line.as_str().parse().ok());
        cases.push(Case { place: files.place(&found[1], line)?, said: Some(&said[..end]) });
    }
    (cases.len() == count).then_some(cases)
}

/// `---- expected: tests/data/a.txt`, and behind it a diff with the lines of that file on its left. An inline one has
/// line and column behind it, and is where the test is.
fn of_snapbox<'a>(files: &Files<'_>, output: &[&str]) -> Option<Case<'a>> {
    static GONE: LazyLock<Regex> = LazyLock::new(|| regex(r"^ *(\d+) +- "));
    let named = |line: &&str| Some(line.strip_prefix("---- expected: ")?.to_owned());
    let (at, name) = output.iter().enumerate().find_map(|(at, line)| Some((at, named(line)?)))?;
    let line = output[at..].iter().find_map(|line| GONE.captures(line)?[1].parse().ok());
    Some(Case { place: files.place(&name, line)?, said: None })
}

/// `Snapshot file: alpha/tests/snapshots/a.snap`, and a diff behind it, before the panic. An inline one has no file.
fn of_insta<'a>(files: &Files<'_>, output: &'a [&'a str]) -> Option<Case<'a>> {
    let (at, name) =
        output.iter().enumerate().find_map(|(at, line)| Some((at, line.strip_prefix("Snapshot file: ")?)))?;
    let said = &output[at..];
    let end = said.iter().position(|line| line.starts_with("Stopped on the first failure."));
    Some(Case { place: files.place(name, None)?, said: Some(&said[..end.unwrap_or(said.len())]) })
}
