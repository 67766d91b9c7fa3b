//! Parses the output of `rustfmt --check`: diffs and files with wrong line endings on stdout, reports and warnings on
//! stderr.
//!
//! Exit code 1 means that something differs or that a file does not parse. Paths are absolute, with symbolic links
//! resolved, and may contain any byte. The diff does not show line endings, and warnings about the configuration have
//! no place. [`Open`] settles both with the sources.

mod hunk;
mod open;
mod stderr;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use super::{Gap, Input, Parsed, Unparsable, Unsettled};
use crate::model::finding::{Diagnostic, Level, Place};
use crate::model::halt::Pace;
use crate::model::path::RelPath;
use crate::model::style::FORMER_STYLE;
use crate::model::task::Unit;
use hunk::{Change, Hunk};
pub(super) use open::Open;
use stderr::Stderr;

const NS: &str = "rustfmt";
/// Minimum work per line.
const LINE: usize = 80;

/// Parses the output of rustfmt, which exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    let Found { mut diagnostics, moved } = Found::read(input, &input.output.stdout)?;
    let reports = Stderr::read(input, &moved);
    let explained = !diagnostics.is_empty() || !reports.diagnostics.is_empty();
    let gaps = if reports.unread || !matches!(code, 0 | 1) || (code == 1 && !explained) {
        vec![Gap::all(input.complaint().unwrap_or_else(|| format!("rustfmt exited with {code}")))]
    } else {
        reports.diagnostics.iter().filter(|error| error.fatal).map(|error| gap(input, error)).collect()
    };
    diagnostics.extend(reports.diagnostics);
    let open = Open::new(input, reports.mistakes);
    let is_restyled = diagnostics.iter().any(is_unformatted) && may_be_restyled(input);
    Ok(Parsed {
        is_restyled,
        diagnostics,
        gaps,
        notices: reports.notices,
        unsettled: Unsettled::Rustfmt(open),
        ..Parsed::default()
    })
}

/// Returns whether this is a layout change, which depends on the style edition.
pub(super) fn is_unformatted(found: &Diagnostic) -> bool {
    found.ns == NS && found.rule == rule("unformatted")
}

/// Returns whether the newest style edition may apply, by the edition of a target or by a configuration file.
fn may_be_restyled(input: &Input<'_>) -> bool {
    let is_new =
        |unit: &Unit| unit.target(input.workspace).is_some_and(|target| *target.edition > *FORMER_STYLE);
    let is_config = |path: &RelPath| [&b"rustfmt.toml"[..], b".rustfmt.toml"].contains(&path.file_name());
    input.units.iter().any(is_new) || input.workspace.files.iter().any(|file| is_config(&file.path))
}

/// Returns the gap for a file that does not parse. It covers the file and everything that includes it. If there are
/// several roots, rustfmt does not say which one that is.
fn gap(input: &Input<'_>, error: &Diagnostic) -> Gap {
    let path = error.place.path().filter(|_| input.units.len() > 1).cloned();
    Gap { package: None, path, reason: format!("{}: {}", error.place.name(), error.message) }
}

/// Findings from stdout.
#[derive(Default)]
struct Found {
    diagnostics: Vec<Diagnostic>,
    moved: Moved,
}

impl Found {
    fn read(input: &Input<'_>, stdout: &[u8]) -> Result<Self, Unparsable> {
        static HEADER: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?s-u)\ADiff in (.+?)(?: at line (\d+):|:(\d+):)\n").expect("valid")
        });
        let mut found = Self::default();
        let mut is_verbose = false;
        let mut rest = stdout;
        let mut pace = Pace::new(input.halt);
        while !rest.is_empty() {
            pace.spend(LINE).map_err(|halted| Unparsable(halted.to_string()))?;
            let unexpected = || {
                let line = input.scrub.quote(rest.split(|&b| b == b'\n').next().unwrap_or_default());
                Unparsable(format!("unexpected output of rustfmt: {line:?}"))
            };
            if let Some(header) = HEADER.captures(rest) {
                let line = header.get(2).or_else(|| header.get(3)).and_then(|line| number(line.as_bytes()));
                let body = &rest[header.get_match().end()..];
                let (hunk, len) = Hunk::read(body, line.ok_or_else(unexpected)?, is_verbose);
                // A path may contain any byte, but Rust code must be UTF-8.
                if std::str::from_utf8(&body[..len]).is_err() {
                    return Err(Unparsable("the diff from rustfmt is not UTF-8".to_owned()));
                }
                let halted = pace.spend(len);
                halted.map_err(|halted| Unparsable(halted.to_string()))?;
                found.add(input, &header[1], &hunk);
                rest = &body[len..];
                continue;
            }
            let len = entry_len(rest).ok_or_else(unexpected)?;
            let entry = &rest[..len];
            if let Some(path) = entry.strip_prefix(NEWLINES) {
                found.push(input, input.place_at(path, None), "newline_style", "incorrect newline style");
            } else if VERBOSE.iter().any(|word| entry.starts_with(word)) {
                is_verbose = true;
            } else if is_source(input, entry) {
                // With `-l`, only names are printed.
                found.push(input, input.place_at(entry, None), "unformatted", UNFORMATTED);
            } else {
                return Err(unexpected());
            }
            rest = &rest[len + 1..];
        }
        Ok(found)
    }

    fn add(&mut self, input: &Input<'_>, path: &[u8], hunk: &Hunk) {
        let name = input.place_at(path, None).name();
        let moved = self.moved.0.entry(name).or_default();
        let changes = hunk.changes();
        moved.add(&changes, hunk);
        for Change { patch, .. } in changes {
            let place = input.place_at(path, patch.range());
            let fix = place.path().and_then(|path| patch.fix(path, "format it")).map(Box::new);
            self.push(input, place, "unformatted", UNFORMATTED);
            self.diagnostics.last_mut().into_iter().for_each(|found| found.fix = fix.clone());
        }
    }

    fn push(&mut self, input: &Input<'_>, place: Place, name: &str, message: &str) {
        let diagnostic = input.diagnostic(place, rule(name), Level::Warning, message);
        self.diagnostics.push(Diagnostic { ns: NS.into(), ..diagnostic });
    }
}

const UNFORMATTED: &str = "not formatted as rustfmt would";

/// Prefix of a path where only line endings differ.
const NEWLINES: &[u8] = b"Incorrect newline style in ";

/// Lines that `--verbose` adds.
const VERBOSE: [&[u8]; 3] = [b"Formatting ", b"Spent ", b"Using rustfmt config file "];

/// Returns the length of the first line of `text`, without its end. A path in it may contain newlines, so the line ends
/// where the next entry begins.
fn entry_len(text: &[u8]) -> Option<usize> {
    let begins = |rest: &[u8]| {
        rest.is_empty()
            || rest.starts_with(b"Diff in ")
            || rest.starts_with(NEWLINES)
            || rest.starts_with(b"/")
            || VERBOSE.iter().any(|word| rest.starts_with(word))
    };
    let ends = || text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    ends().find(|at| begins(&text[at + 1..])).or_else(|| ends().next())
}

/// Returns whether `path` is a source file of the workspace.
fn is_source(input: &Input<'_>, path: &[u8]) -> bool {
    path.ends_with(b".rs") && input.scrub.path(path).is_some_and(|path| input.workspace.find(&path).is_some())
}

/// Line shifts caused by formatting, by file name. rustfmt's reports count lines of the formatted file.
#[derive(Default)]
struct Moved(BTreeMap<String, Moves>);

/// Changes of one file, in order.
#[derive(Default)]
struct Moves {
    changes: Vec<Move>,
    /// Number of lines by which the formatted file is longer, up to here.
    shift: i64,
}

/// Replacement of lines by formatting.
struct Move {
    new: i64,
    new_len: i64,
    old: i64,
    old_len: i64,
}

impl Moves {
    fn add(&mut self, changes: &[Change], hunk: &Hunk) {
        for Change { patch, new_start } in changes {
            self.changes.push(Move {
                new: i64::from(hunk.line()) + self.shift + count(*new_start),
                new_len: count(patch.new.len()),
                old: i64::from(patch.first),
                old_len: count(patch.old.len()),
            });
        }
        self.shift += hunk.growth();
    }

    fn back(&self, line: i64) -> i64 {
        let before = self.changes.partition_point(|change| change.new <= line);
        let Some(change) = before.checked_sub(1).and_then(|at| self.changes.get(at)) else { return line };
        match line - change.new - change.new_len {
            behind @ 0.. => change.old + change.old_len + behind,
            _ => change.old + (line - change.new).min((change.old_len - 1).max(0)),
        }
    }
}

impl Moved {
    /// Returns the line of file `name` that became line `line` of the formatted file.
    fn back(&self, name: &str, line: u32) -> u32 {
        let back = self.0.get(name).map(|moves| moves.back(line.into()));
        back.and_then(|line| u32::try_from(line).ok()).unwrap_or(line)
    }
}

fn count(lines: usize) -> i64 {
    i64::try_from(lines).unwrap_or(i64::MAX)
}

fn rule(name: &str) -> String {
    format!("{NS}::{name}")
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Returns the text of a group.
fn group<'a>(found: &Captures<'a>, at: usize) -> Option<&'a [u8]> {
    found.get(at).map(|group| group.as_bytes())
}
