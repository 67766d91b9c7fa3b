//! What is told of a failed test beside its name: where it failed, and with which words.
//!
//! Nothing that differs from run to run: no thread ids, no hint to backtraces, which only the first test of a
//! program that panics gets, and nothing that was printed before the panic.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::finding::{Place, Range, Related};
use crate::model::path::RelPath;
use crate::normalize::exit_code::excerpt;
use crate::normalize::{Input, range};

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

/// What is said of a failed test.
pub(in crate::normalize) struct Story {
    /// The first line of what it says, if it says anything.
    pub(super) message: Option<String>,
    /// What follows that, and a panic outside of the workspace.
    pub(super) related: Vec<Related>,
    /// Where it failed, in the workspace.
    pub(super) at: Option<Place>,
}

impl Story {
    /// Of a test that says nothing.
    pub(super) fn none() -> Self {
        Self { message: None, related: Vec::new(), at: None }
    }

    /// All of it, beside another message: where it failed, and with which words.
    pub(super) fn told(mut self) -> Vec<Related> {
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

/// What is said of the test `name` that printed `output`; `beside` is what its program printed past the harness.
pub(in crate::normalize) fn of_test(
    input: &Input<'_>,
    name: &str,
    output: Option<&[&str]>,
    beside: &[&str],
) -> Story {
    // Under `--nocapture`, the panic is beside. Its thread has the name of the test.
    let uncaptured = || Some((beside, Panic::of_thread(beside, name)?));
    let own = output.and_then(|output| Some((output, Panic::find(output, Some(name))?)));
    let Some((output, panic)) = own.or_else(uncaptured) else {
        return output.map_or_else(Story::none, |output| without_panic(input, output));
    };
    let mut said = words(output, Some(&panic));
    let place = input.place_at(panic.path.as_bytes(), panic.range());
    let at = place.path().is_some_and(|path| is_of_member(input, path)).then(|| place.clone());
    // `should_panic` with another message: not that it panicked is wrong. The harness says so before or after the panic.
    let unexpected = output.iter().position(|line| line.starts_with(UNEXPECTED));
    let (first, rest) = match unexpected {
        Some(note) => {
            let details = output[note + 1..].iter().take_while(|line| line.starts_with(' ')).copied();
            let note = [output[note]].into_iter().chain(details).collect::<Vec<_>>();
            said.retain(|line| !note.contains(line));
            (note[0].trim_start_matches("note: "), [&note[1..], said.as_slice()].concat())
        }
        None => split(&said),
    };
    let elsewhere = Related { message: "panicked".to_owned(), place: Some(place) };
    let related = at.is_none().then_some(elsewhere).into_iter().chain(told(input, &rest)).collect();
    Story { message: line(input, first), related, at }
}

const UNEXPECTED: &str = "note: panic did not contain expected string";

/// What is said of a doc test: its panic is in a file that each run names anew.
pub(super) fn of_doc_test(input: &Input<'_>, output: Option<&[&str]>) -> (Option<String>, Option<Related>) {
    let Some(output) = output else { return (None, None) };
    let said = words(output, Panic::find(output, None).as_ref());
    let (first, rest) = split(&said);
    (line(input, first), told(input, &rest))
}

/// A test that failed without a panic: by what it returned, by not panicking, by a signal.
fn without_panic(input: &Input<'_>, output: &[&str]) -> Story {
    static AS_EXPECTED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^ *(?:note: )?\S+ did not panic as expected(?: at (.+?):(\d+):(\d+))?$"));
    let said = words(output, None);
    // The runner's own words come last: `(test timed out)`.
    let last = said.iter().rposition(|line| line.starts_with("(test ") && line.ends_with(')'));
    let telling = |line: &&str| line.starts_with("Error: ") || AS_EXPECTED.is_match(line);
    let Some(first) = last.or_else(|| said.iter().rposition(telling)) else {
        return Story { related: told(input, &said).into_iter().collect(), ..Story::none() };
    };
    let rest = [&said[..first], &said[first + 1..]].concat();
    let related = told(input, &rest).into_iter().collect();
    if let Some(found) = AS_EXPECTED.captures(said[first]) {
        let number = |group: usize| found.get(group)?.as_str().parse().ok();
        let range = number(2).zip(number(3)).and_then(|at| range(at, at));
        let place = found.get(1).map(|path| input.place_at(path.as_str().as_bytes(), range));
        let at = place.filter(|place| place.path().is_some_and(|path| is_of_member(input, path)));
        return Story { message: Some("test did not panic as expected".to_owned()), related, at };
    }
    let first = said[first].trim_start_matches('(').trim_end_matches(')');
    Story { message: line(input, first), related, at: None }
}

/// Whether `path` is a source of a member, and not of a dependency that lies within the workspace.
fn is_of_member(input: &Input<'_>, path: &RelPath) -> bool {
    let workspace = input.workspace;
    let Some(owner) = workspace.owner_of(path).map(|owner| workspace.package(owner)) else { return false };
    let is_manifest = |dir: &RelPath| workspace.find(&dir.join("Cargo.toml")).is_some();
    let mut dirs = std::iter::successors(path.parent(), RelPath::parent).take_while(|dir| *dir != owner.dir);
    if dirs.any(|dir| is_manifest(&dir)) {
        return false;
    }
    // What git ignores is not listed: it may be generated beside other sources.
    let is_beside = || {
        owner
            .targets
            .iter()
            .filter_map(|target| target.root.parent())
            .any(|dir| path.is_within(&dir) && dir != owner.dir)
    };
    workspace.find(path).is_some() || is_beside()
}

/// A line with which a panic begins.
struct Panic<'a> {
    /// Its index.
    at: usize,
    path: &'a str,
    line: u32,
    column: u32,
    /// What stands before each of its lines.
    indent: &'a str,
}

impl<'a> Panic<'a> {
    /// The first panic of the thread called `thread`, else the first of all.
    fn find(output: &[&'a str], thread: Option<&str>) -> Option<Self> {
        let panics = || (0..).zip(output).filter_map(|(at, line)| Self::read(at, line));
        let own = panics().find(|(name, _)| Some(*name) == thread);
        let first = own.or_else(|| panics().next()).map(|(_, panic)| panic);
        first.or_else(|| (0..).zip(output).find_map(|(at, line)| Self::read_indented(at, line)))
    }

    /// The one panic of the thread called `thread`: of several programs, each may have such a thread.
    fn of_thread(output: &[&'a str], thread: &str) -> Option<Self> {
        let mut panics = (0..).zip(output).filter_map(|(at, line)| Self::read(at, line));
        let mut own = panics.by_ref().filter(|(name, _)| *name == thread);
        let (_, panic) = own.next()?;
        own.next().is_none().then_some(panic)
    }

    /// A panic where there are no threads, as a runner shows it among other output.
    fn read_indented(at: usize, line: &'a str) -> Option<Self> {
        static PANIC: LazyLock<Regex> = LazyLock::new(|| regex(r"^( +)panicked at (.+?):(\d+):(\d+):$"));
        let found = PANIC.captures(line)?;
        let group = |group| found.get(group).map(|text| text.as_str());
        let (line, column) = (group(3)?.parse().ok()?, group(4)?.parse().ok()?);
        Some(Self { at, path: group(2)?, line, column, indent: group(1)? })
    }

    /// The panic and the name of its thread.
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

/// The words of `panic`, up to another one; without one, the output as a whole. No blank lines at the ends.
fn words<'a>(output: &[&'a str], panic: Option<&Panic<'_>>) -> Vec<&'a str> {
    let start = panic.map_or(0, |panic| panic.at + 1);
    let indent = panic.map_or("", |panic| panic.indent);
    let mut in_backtrace = false;
    let mut said: Vec<&str> = Vec::new();
    for line in &output[start..] {
        // What a runner says beside is not indented like the panic, or its heading is `Stack:`.
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
            said.push(line);
        }
    }
    let is_blank = |line: &&str| line.trim().is_empty();
    let end = said.iter().rposition(|line| !is_blank(line)).map_or(0, |last| last + 1);
    said.truncate(end);
    let start = said.iter().position(|line| !is_blank(line)).unwrap_or(0);
    said.split_off(start)
}

/// The first line, and what follows. The head of a difference says nothing by itself.
fn split<'a>(said: &[&'a str]) -> (&'a str, Vec<&'a str>) {
    if said.first().is_some_and(|first| first.starts_with("---- expected: ")) {
        return ("", said.to_vec());
    }
    said.split_first().map_or(("", Vec::new()), |(first, rest)| (*first, rest.to_vec()))
}

/// One line of what a test says.
fn line(input: &Input<'_>, text: &str) -> Option<String> {
    Some(input.scrub.quote(text.trim().as_bytes())).filter(|text| !text.is_empty())
}

/// The rest of it.
fn told(input: &Input<'_>, said: &[&str]) -> Option<Related> {
    let message = excerpt(input.scrub, said.join("\n").trim_matches('\n').as_bytes())?;
    Some(Related { message, place: None })
}
