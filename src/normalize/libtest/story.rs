//! Extracts the details of a failed test: where it failed, and the message.
//!
//! Drops everything that differs between runs: thread ids, hints about backtraces, which only the first failing test of
//! a program gets, and output printed before the panic.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::finding::{Place, Range, Related};
use crate::model::path::RelPath;
use crate::normalize::exit_code::excerpt;
use crate::normalize::{Input, range};

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

/// Details of a failed test.
pub(in crate::normalize) struct Story {
    /// First line of the message, if there is one.
    pub(super) message: Option<String>,
    /// Rest of the message, and the place of a panic outside the workspace.
    pub(super) related: Vec<Related>,
    /// Place of the failure in the workspace.
    pub(super) at: Option<Place>,
}

impl Story {
    /// Returns the details of a test without a message.
    pub(super) fn none() -> Self {
        Self { message: None, related: Vec::new(), at: None }
    }

    /// Returns all details as notes for a finding with another message.
    pub(super) fn into_related(mut self) -> Vec<Related> {
        let panicked = self.at.map(|at| Related { message: "panicked".to_owned(), place: Some(at) });
        if let Some(message) = self.message {
            match self.related.iter_mut().find(|related| related.place.is_none()) {
                Some(rest) => rest.message = format!("{message}\n{}", rest.message),
                None => self.related.push(Related { message, place: None }),
            }
        }
        panicked.into_iter().chain(self.related).collect()
    }
}

/// Returns the details of test `name`, which printed `output`. `beside` is output of its program outside the harness's
/// capture.
pub(in crate::normalize) fn of_test(
    input: &Input<'_>,
    name: &str,
    output: Option<&[&str]>,
    beside: &[&str],
) -> Story {
    // With `--nocapture` the panic is in `beside`. Its thread has the name of the test.
    let uncaptured = || Some((beside, Panic::of_thread(beside, name)?));
    let own = output.and_then(|output| Some((output, Panic::find(output, Some(name))?)));
    let Some((output, panic)) = own.or_else(uncaptured) else {
        return output.map_or_else(Story::none, |output| without_panic(input, output));
    };
    let mut lines = words(output, Some(&panic));
    let place = input.place_at(panic.path.as_bytes(), panic.range());
    let at = place.path().is_some_and(|path| is_of_member(input, path)).then(|| place.clone());
    // `should_panic` with another message: the panic itself is not the failure. The note may come before or after the
    // panic.
    let unexpected = output.iter().position(|line| line.starts_with(UNEXPECTED));
    let (first, rest) = match unexpected {
        Some(note) => {
            let details = output[note + 1..].iter().take_while(|line| line.starts_with(' ')).copied();
            let note = [output[note]].into_iter().chain(details).collect::<Vec<_>>();
            lines.retain(|line| !note.contains(line));
            (note[0].trim_start_matches("note: "), [&note[1..], lines.as_slice()].concat())
        }
        None => split(&lines),
    };
    let elsewhere = Related { message: "panicked".to_owned(), place: Some(place) };
    let related = at.is_none().then_some(elsewhere).into_iter().chain(rest_of(input, &rest)).collect();
    Story { message: line(input, first), related, at }
}

const UNEXPECTED: &str = "note: panic did not contain expected string";

/// Returns the details of a doc test. The place of its panic is ignored, because each run gives the file another name.
pub(super) fn of_doc_test(input: &Input<'_>, output: Option<&[&str]>) -> (Option<String>, Option<Related>) {
    let Some(output) = output else { return (None, None) };
    let lines = words(output, Panic::find(output, None).as_ref());
    let (first, rest) = split(&lines);
    (line(input, first), rest_of(input, &rest))
}

/// Returns the details of a test that failed without a panic: by its return value, by not panicking, or by a signal.
fn without_panic(input: &Input<'_>, output: &[&str]) -> Story {
    static AS_EXPECTED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^ *(?:note: )?\S+ did not panic as expected(?: at (.+?):(\d+):(\d+))?$"));
    let lines = words(output, None);
    // The runner's own message comes last: `(test timed out)`.
    let last = lines.iter().rposition(|line| line.starts_with("(test ") && line.ends_with(')'));
    let telling = |line: &&str| line.starts_with("Error: ") || AS_EXPECTED.is_match(line);
    let Some(first) = last.or_else(|| lines.iter().rposition(telling)) else {
        return Story { related: rest_of(input, &lines).into_iter().collect(), ..Story::none() };
    };
    let rest = [&lines[..first], &lines[first + 1..]].concat();
    let related = rest_of(input, &rest).into_iter().collect();
    if let Some(found) = AS_EXPECTED.captures(lines[first]) {
        let number = |group: usize| found.get(group)?.as_str().parse().ok();
        let range = number(2).zip(number(3)).and_then(|at| range(at, at));
        let place = found.get(1).map(|path| input.place_at(path.as_str().as_bytes(), range));
        let at = place.filter(|place| place.path().is_some_and(|path| is_of_member(input, path)));
        return Story { message: Some("test did not panic as expected".to_owned()), related, at };
    }
    let first = lines[first].trim_start_matches('(').trim_end_matches(')');
    Story { message: line(input, first), related, at: None }
}

/// Returns whether `path` is a source of a member, and not of a dependency inside the workspace.
fn is_of_member(input: &Input<'_>, path: &RelPath) -> bool {
    let workspace = input.workspace;
    let Some(owner) = workspace.owner_of(path).map(|owner| workspace.package(owner)) else { return false };
    let is_manifest = |dir: &RelPath| workspace.find(&dir.join("Cargo.toml")).is_some();
    let mut dirs = std::iter::successors(path.parent(), RelPath::parent).take_while(|dir| *dir != owner.dir);
    if dirs.any(|dir| is_manifest(&dir)) {
        return false;
    }
    // Files ignored by git are not listed. They may be generated next to other sources.
    let is_beside = || {
        owner
            .targets
            .iter()
            .filter_map(|target| target.root.parent())
            .any(|dir| path.is_within(&dir) && dir != owner.dir)
    };
    workspace.find(path).is_some() || is_beside()
}

/// First line of a panic message.
struct Panic<'a> {
    /// Line index.
    at: usize,
    path: &'a str,
    line: u32,
    column: u32,
    /// Indentation of its lines.
    indent: &'a str,
}

impl<'a> Panic<'a> {
    /// Returns the first panic of thread `thread`, else the first panic.
    fn find(output: &[&'a str], thread: Option<&str>) -> Option<Self> {
        let panics = || (0..).zip(output).filter_map(|(at, line)| Self::read(at, line));
        let own = panics().find(|(name, _)| Some(*name) == thread);
        let first = own.or_else(|| panics().next()).map(|(_, panic)| panic);
        first.or_else(|| (0..).zip(output).find_map(|(at, line)| Self::read_indented(at, line)))
    }

    /// Returns the panic of thread `thread` if there is exactly one. Several programs may have a thread of that name.
    fn of_thread(output: &[&'a str], thread: &str) -> Option<Self> {
        let mut panics = (0..).zip(output).filter_map(|(at, line)| Self::read(at, line));
        let mut own = panics.by_ref().filter(|(name, _)| *name == thread);
        let (_, panic) = own.next()?;
        own.next().is_none().then_some(panic)
    }

    /// Parses a panic on a platform without threads, as a runner shows it within other output.
    fn read_indented(at: usize, line: &'a str) -> Option<Self> {
        static PANIC: LazyLock<Regex> = LazyLock::new(|| regex(r"^( +)panicked at (.+?):(\d+):(\d+):$"));
        let found = PANIC.captures(line)?;
        let group = |group| found.get(group).map(|text| text.as_str());
        let (line, column) = (group(3)?.parse().ok()?, group(4)?.parse().ok()?);
        Some(Self { at, path: group(2)?, line, column, indent: group(1)? })
    }

    /// Parses a panic and the name of its thread.
    fn read(at: usize, line: &'a str) -> Option<(&'a str, Self)> {
        static PANIC: LazyLock<Regex> =
            LazyLock::new(|| regex(r"^thread '(.*)'(?: \(\d+\))? panicked at (.+?):(\d+):(\d+):$"));
        let found = PANIC.captures(line)?;
        let group = |group| found.get(group).map(|text| text.as_str());
        let (line, column) = (group(3)?.parse().ok()?, group(4)?.parse().ok()?);
        Some((group(1)?, Self { at, path: group(2)?, line, column, indent: "" }))
    }

    fn range(&self) -> Option<Range> {
        range((self.line, self.column), (self.line, self.column))
    }
}

/// Returns the message of `panic` up to the next one, or the whole output without a panic. Trims blank lines.
fn words<'a>(output: &[&'a str], panic: Option<&Panic<'_>>) -> Vec<&'a str> {
    let start = panic.map_or(0, |panic| panic.at + 1);
    let indent = panic.map_or("", |panic| panic.indent);
    let mut in_backtrace = false;
    let mut lines: Vec<&str> = Vec::new();
    for line in &output[start..] {
        // Other output of a runner is indented less than the panic, or has the heading `Stack:`.
        let Some(line) = line.strip_prefix(indent).filter(|line| indent.is_empty() || *line != "Stack:")
        else {
            break;
        };
        if Panic::read(0, line).is_some() {
            break;
        }
        in_backtrace = line == "stack backtrace:" || in_backtrace && line.starts_with("  ");
        let is_hint = line.starts_with("note: run with `RUST_BACKTRACE=1` ")
            || line.starts_with("note: Some details are omitted, run with `RUST_BACKTRACE=full` ");
        if !in_backtrace && !is_hint {
            lines.push(line);
        }
    }
    let is_blank = |line: &&str| line.trim().is_empty();
    let end = lines.iter().rposition(|line| !is_blank(line)).map_or(0, |last| last + 1);
    lines.truncate(end);
    let start = lines.iter().position(|line| !is_blank(line)).unwrap_or(0);
    lines.split_off(start)
}

/// Splits off the first line, unless it is the header of a diff.
fn split<'a>(lines: &[&'a str]) -> (&'a str, Vec<&'a str>) {
    if lines.first().is_some_and(|first| first.starts_with("---- expected: ")) {
        return ("", lines.to_vec());
    }
    lines.split_first().map_or(("", Vec::new()), |(first, rest)| (*first, rest.to_vec()))
}

/// Returns one line of a message.
fn line(input: &Input<'_>, text: &str) -> Option<String> {
    Some(input.scrub.quote(text.trim().as_bytes())).filter(|text| !text.is_empty())
}

/// Returns the rest of a message.
fn rest_of(input: &Input<'_>, lines: &[&str]) -> Option<Related> {
    let message = excerpt(input.scrub, lines.join("\n").trim_matches('\n').as_bytes())?;
    Some(Related { message, place: None })
}
