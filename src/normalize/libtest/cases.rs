//! Finds the place of failures in tests that run trycmd cases, or compare with a file of snapbox or insta.
//!
//! The finding is then about the case, one for each, and names the test. Only files of the workspace are places. If
//! there is none, or if the output is inconsistent, the finding is about the test. Checked with trycmd 1.2.1, snapbox
//! 1.2.2 and insta 1.49.0.

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

/// Returns the findings for the failed test `name` of `program`, which printed `output`. trycmd lists its cases in
/// `beside`, because it bypasses the harness's capture.
pub(in crate::normalize) fn of_test(
    input: &Input<'_>,
    (program, package): (&str, Option<&Package>),
    name: &str,
    output: Option<&[&str]>,
    beside: &[&str],
) -> Vec<Diagnostic> {
    let subject = format!("{program} {name}");
    let files = TestFiles { input, package };
    let lines = output.unwrap_or_default();
    let cases = of_trycmd(&files, lines, beside)
        .or_else(|| Some(vec![of_snapbox(&files, lines).or_else(|| of_insta(&files, lines))?]));
    let Some(cases) = cases else {
        return vec![failed(input, subject, story::of_test(input, name, output, beside))];
    };
    let finding = |FailedCase { place, details }| {
        let details =
            details.and_then(|lines| excerpt(input.scrub, lines.join("\n").trim_matches('\n').as_bytes()));
        let related = match details {
            Some(message) => vec![Related { message, place: None }],
            None => story::of_test(input, name, output, &[]).into_related(),
        };
        let message = FailedTest::message_of_case(&subject);
        let story = Story { related, ..Story::none() };
        Diagnostic { place, message: message.into(), test: None, ..failed(input, String::new(), story) }
    };
    cases.into_iter().map(finding).collect()
}

/// Failed case, with its output if that is not the panic message.
struct FailedCase<'a> {
    place: Place,
    details: Option<&'a [&'a str]>,
}

/// Files that a test may name.
struct TestFiles<'a> {
    input: &'a Input<'a>,
    package: Option<&'a Package>,
}

impl TestFiles<'_> {
    /// Returns the place that a test of the package calls `name`, relative to the package directory, where tests run,
    /// or to the root.
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

/// Returns the failed cases of trycmd, `Testing tests/cmd/a.trycmd:12 ... failed 7ms`, if there are as many as the
/// panic says. With several such tests, nothing says which test a case belongs to.
fn of_trycmd<'a>(
    files: &TestFiles<'_>,
    output: &[&str],
    beside: &'a [&'a str],
) -> Option<Vec<FailedCase<'a>>> {
    static COUNT: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\d+) of \d+ tests failed$"));
    static CASE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^Testing (.+?)(?::(?:(\d+)|[a-z]+))? \.\.\. (?:failed|ok|ignored)\b"));
    let count: usize = output.iter().find_map(|line| COUNT.captures(line)?[1].parse().ok())?;
    let is_end = |line: &str| CASE.is_match(line) || line.starts_with("Update snapshots with `TRYCMD=");
    let mut cases = Vec::new();
    for (at, line) in beside.iter().enumerate() {
        let Some(found) = CASE.captures(line).filter(|_| line.contains(" ... failed")) else { continue };
        let details = &beside[at + 1..];
        let end = details.iter().position(|line| is_end(line)).unwrap_or(details.len());
        let line = found.get(2).and_then(|line| line.as_str().parse().ok());
        cases.push(FailedCase { place: files.place(&found[1], line)?, details: Some(&details[..end]) });
    }
    (cases.len() == count).then_some(cases)
}

/// Reads `---- expected: tests/data/a.txt`, followed by a diff with the lines of that file on its left. For an inline
/// snapshot, line and column of the test follow.
fn of_snapbox<'a>(files: &TestFiles<'_>, output: &[&str]) -> Option<FailedCase<'a>> {
    static GONE: LazyLock<Regex> = LazyLock::new(|| regex(r"^ *(\d+) +- "));
    let named = |line: &&str| Some(line.strip_prefix("---- expected: ")?.to_owned());
    let (at, name) = output.iter().enumerate().find_map(|(at, line)| Some((at, named(line)?)))?;
    let line = output[at..].iter().find_map(|line| GONE.captures(line)?[1].parse().ok());
    Some(FailedCase { place: files.place(&name, line)?, details: None })
}

/// Reads `Snapshot file: alpha/tests/snapshots/a.snap`, followed by a diff, before the panic. Inline snapshots have no
/// file.
fn of_insta<'a>(files: &TestFiles<'_>, output: &'a [&'a str]) -> Option<FailedCase<'a>> {
    let (at, name) =
        output.iter().enumerate().find_map(|(at, line)| Some((at, line.strip_prefix("Snapshot file: ")?)))?;
    let details = &output[at..];
    let end = details.iter().position(|line| line.starts_with("Stopped on the first failure."));
    Some(FailedCase {
        place: files.place(name, None)?,
        details: Some(&details[..end.unwrap_or(details.len())]),
    })
}
