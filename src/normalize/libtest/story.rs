//! What is told of a failed test beside its name: where it panicked, and with which words.
//!
//! Nothing that differs from run to run: no thread ids, no hint to backtraces, which only the first test of a
//! program that panics gets, and nothing that was printed before the panic.

use std::sync::LazyLock;

use regex::Regex;

use crate::model::finding::Related;
use crate::normalize::exit_code::excerpt;
use crate::normalize::{Input, range};

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("valid")
}

/// What is said of the test `name` that printed `output`.
pub(in crate::normalize) fn of_test(input: &Input<'_>, name: &str, output: Option<&[&str]>) -> Vec<Related> {
    let Some(output) = output else { return Vec::new() };
    let panic = Panic::find(output, Some(name));
    let place = panic.as_ref().map(|panic| {
        let range = range((panic.line, panic.column), (panic.line, panic.column));
        let place = Some(input.place_at(panic.path.as_bytes(), range));
        Related { message: "panicked".to_owned(), place }
    });
    let words = words(input, output, panic.as_ref());
    place.into_iter().chain(words).collect()
}

/// What is said of a doc test: its panic is in a file that each run names anew.
pub(super) fn of_doc_test(input: &Input<'_>, output: Option<&[&str]>) -> Option<Related> {
    let output = output?;
    words(input, output, Panic::find(output, None).as_ref())
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
}

/// The words of `panic`, up to another one; without one, of the output as a whole.
fn words(input: &Input<'_>, output: &[&str], panic: Option<&Panic<'_>>) -> Option<Related> {
    let start = panic.map_or(0, |panic| panic.at + 1);
    let indent = panic.map_or("", |panic| panic.indent);
    let mut in_backtrace = false;
    let mut said = Vec::new();
    for line in &output[start..] {
        // What a runner says beside is not indented like the panic, or its heading is `Stack:`.
        let Some(line) = &line.strip_prefix(indent).filter(|line| indent.is_empty() || *line != "Stack:")
        else {
            break;
        };
        if Panic::read(0, line).is_some() {
            break;
        }
        in_backtrace = *line == "stack backtrace:" || in_backtrace && line.starts_with("  ");
        let is_hint = line.starts_with("note: run with `RUST_BACKTRACE=1` ")
            || line.starts_with("note: Some details are omitted, run with `RUST_BACKTRACE=full` ");
        if !in_backtrace && !is_hint {
            said.push(*line);
        }
    }
    let message = excerpt(input.scrub, said.join("\n").trim_matches('\n').as_bytes())?;
    Some(Related { message, place: None })
}
