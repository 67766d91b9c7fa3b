//! Parses the output of tools into diagnostics. There is one parser per output format, behind [`parse`].
//!
//! A parser gets the complete output of one process and the units that the process covered. It returns the diagnostics,
//! and a gap for each part without a result: a compile error or a crash must never look like a clean result. Parsers
//! drop everything that varies between machines or runs, such as order, absolute paths and notes attached only to the
//! first of several findings.
//!
//! This module does not know sources, identities or baselines, nor how the process was started.

mod attribute;
mod audit;
mod cargo_json;
mod columns;
mod deny;
mod diff;
mod document;
mod exit_code;
mod generator;
mod golden;
mod libtest;
mod lines;
mod machete;
mod names;
mod nextest;
mod number;
mod parsed;
mod patch;
pub mod reads;
mod rules;
mod rustfmt;
mod said;
mod sarif;
mod scrub;
mod settle;
mod sieve;
pub mod sources;
mod stated;
#[cfg(any(test, fuzzing))]
pub(crate) mod testing;
mod typos;

pub use attribute::attribute;
pub use parsed::{BuiltUnit, Gap, Parsed, RanScript, Traces};
pub use rules::rules;
pub use scrub::Scrub;
pub use settle::Unsettled;
pub use sieve::Sieve;

use std::collections::BTreeSet;

use crate::model::finding::{Diagnostic, Level, Place, Position, Range};
use crate::model::halt::{Halt, Halted, Latch, until};
use crate::model::task::{Exit, Output, Unit};
use crate::model::text::{Interner, Text};
use crate::model::tool::{Leaky, Parse, Tool};
use crate::model::workspace::{Package, PackageId, Workspace};

/// Output of one process, with the context needed to parse it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The tool.
    pub tool: &'a Tool,
    /// The units that the process covered.
    pub units: &'a [Unit],
    /// Packages selected for the run. Cargo's own tools must have reached all of them.
    pub packages: &'a [PackageId],
    /// Output and exit status of the process.
    pub output: &'a Output,
    /// Makes text independent of the machine.
    pub scrub: &'a Scrub,
    /// Stops parsing of long output early.
    pub halt: &'a dyn Halt,
}

/// Reason why an output cannot be parsed. Nothing that the output covers has a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unparsable(pub String);

/// Result of reading the output of one process.
pub type Normalized = Result<Parsed, Unparsable>;

/// Reason why there is no [`Parsed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotParsed {
    /// The output cannot be parsed.
    Unparsable(Unparsable),
    /// The caller no longer needs the result.
    Halted,
}

impl From<Unparsable> for NotParsed {
    fn from(unparsable: Unparsable) -> Self {
        Self::Unparsable(unparsable)
    }
}

impl From<Halted> for NotParsed {
    fn from(_: Halted) -> Self {
        Self::Halted
    }
}

/// Reads the output of a process in the format of its tool.
///
/// # Errors
///
/// Returns an error if the output is not in that format, or if parsing was halted.
pub fn parse(input: &Input<'_>) -> Result<Parsed, NotParsed> {
    // A halted parser mistakes what it has read so far for the whole output.
    let halt = Latch::new(input.halt);
    let parsed = parse_all(&Input { halt: &halt, ..*input });
    halt.check()?;
    Ok(parsed?)
}

fn parse_all(input: &Input<'_>) -> Result<Parsed, Unparsable> {
    let code = match input.output.exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => return Err(Unparsable(format!("killed by signal {signal}"))),
    };
    let stated = stated::split(input)?;
    let output = stated.as_ref().map_or(input.output, |(_, output)| output);
    let input = &Input { output, ..*input };
    let mut parsed = match &input.tool.parse {
        Parse::RustcJson | Parse::CargoBuild | Parse::BuildScripts => cargo_json::parse(input, code),
        Parse::Libtest => libtest::parse(input, code),
        Parse::Nextest => nextest::parse(input, code),
        Parse::Rustfmt => rustfmt::parse(input, code),
        Parse::DenyJson => deny::parse(input, code),
        Parse::AuditJson => audit::parse(input, code),
        Parse::TyposJson => typos::parse(input, code),
        Parse::Machete => machete::parse(input, code),
        Parse::Sarif => sarif::parse(input, code),
        Parse::Number(pattern) => number::parse(input, code, pattern),
        Parse::Diff => diff::parse(input, code),
        Parse::Regex(pattern) => lines::by_pattern(input, code, pattern),
        Parse::Lines => lines::plain(input, code),
        Parse::ExitCode => exit_code::parse(input, code),
        Parse::Golden(streams) => golden::parse(input, code, *streams),
        Parse::Generator(_) => generator::parse(input, code),
    }?;
    parsed.traces.extend(stated.as_ref().map(|(traces, _)| traces.clone()).unwrap_or_default());
    parsed.is_leaky |= input.output.is_leaky || !parsed.leaks.is_empty();
    if parsed.is_leaky && input.tool.leaky == Leaky::Fail {
        parsed.diagnostics.extend(input.leaks(&parsed.leaks));
    }
    if input.tool.copy {
        // The file may have other lines in the copy.
        parsed.diagnostics.iter_mut().for_each(|diagnostic| diagnostic.fix = None);
    }
    parsed.diagnostics.sort();
    parsed.diagnostics.dedup();
    share_texts(&mut parsed.diagnostics);
    parsed.gaps.sort();
    parsed.gaps.dedup();
    Ok(parsed)
}

/// Keeps each namespace, rule and message in memory once.
fn share_texts(diagnostics: &mut Vec<Diagnostic>) {
    let mut texts = Interner::default();
    for Diagnostic { ns, rule, message, .. } in diagnostics.iter_mut() {
        [ns, rule, message].into_iter().for_each(|text| texts.share(text));
    }
    diagnostics.shrink_to_fit();
}

/// Exit code of a Rust program that panics, and of cargo for any failure.
const PANIC: i32 = 101;

/// Returns whether exit code `code` means that the process never ran or did not finish. Shells use 126 and 127 for a
/// program that is missing or not executable and 128 or more for signals. Some systems use negative codes instead of
/// signals.
fn is_crash(code: i32) -> bool {
    !(0..126).contains(&code)
}

impl Input<'_> {
    /// Returns the place of a diagnostic that names none. The place is part of the identity, so it must not depend on
    /// how many units the process was given.
    fn default_place(&self) -> Place {
        place_of(self.workspace, self.tool, self.units)
    }

    /// Converts a path printed by a tool to a place. A path outside the workspace becomes a subject.
    fn place_at(&self, path: &[u8], range: Option<Range>) -> Place {
        match self.scrub.path(path) {
            Some(path) => Place::File { path, range },
            None => Place::Subject(self.scrub.foreign(path)),
        }
    }

    /// Returns a diagnostic in the tool's own namespace with only the primary message.
    fn diagnostic(
        &self,
        place: Place,
        rule: impl Into<Text>,
        level: Level,
        message: impl Into<Text>,
    ) -> Diagnostic {
        Diagnostic {
            place,
            ns: self.tool.base().into(),
            rule: rule.into(),
            level,
            message: message.into(),
            fatal: false,
            // Packages always get a process of their own. Files do not, and batching must not change the result.
            package: match self.units {
                [Unit::Package(package) | Unit::Combination(package, _)] => Some(*package),
                _ => None,
            },
            related: Vec::new(),
            fix: None,
            test: None,
        }
    }

    /// Iterates over the packages of the workspace that the tool builds, with their ids.
    fn packages_of_workspace(&self) -> impl Iterator<Item = (PackageId, &Package)> {
        self.workspace.packages_in(self.tool.workspace())
    }

    /// Returns a diagnostic for each test that left a process running, or for the unit if the tests are not known.
    fn leaks(&self, tests: &BTreeSet<String>) -> Vec<Diagnostic> {
        let of_unit = || match self.units {
            [unit @ Unit::TargetRoot(package, _)] => {
                let package = self.workspace.package(*package);
                unit.target(self.workspace).map(|target| Place::Subject(package.test_name(target)))
            }
            _ => None,
        };
        let places: Vec<_> = match tests.is_empty() {
            true => vec![of_unit().unwrap_or_else(|| Place::Subject(self.tool.base().to_owned()))],
            false => tests.iter().cloned().map(Place::Subject).collect(),
        };
        // Same namespace as for failed tests, whichever runner is used.
        let ns = if self.tool.parse == Parse::Nextest { "test" } else { self.tool.base() };
        let found = |place| {
            let found = self.diagnostic(place, "leaky", Level::Error, Leaky::MESSAGE);
            Diagnostic { ns: ns.into(), package: None, ..found }
        };
        places.into_iter().map(found).collect()
    }

    /// Returns the error for a process that did not start or did not finish. Its output so far is not a result.
    fn crashed(&self, code: i32) -> Unparsable {
        Unparsable(match self.complaint() {
            Some(reason) => format!("exited with {code}: {reason}"),
            None => format!("exited with {code}"),
        })
    }

    /// Returns the reason if cargo failed because code does not compile. Does not quote the error: which one cargo
    /// reports first depends on timing.
    fn build_failure(&self) -> Option<String> {
        let is_compile_error = |line: &[u8]| line.starts_with(b"error: could not compile `");
        let has_failed = self.lines(&self.output.stderr).any(is_compile_error);
        has_failed.then(|| "build failed: not all code compiles".to_owned())
    }

    /// Returns the lines of `output` without line ends, until parsing is halted.
    fn lines<'o>(&self, output: &'o [u8]) -> impl Iterator<Item = &'o [u8]> {
        until(self.halt, output.split(|&byte| byte == b'\n'), |line| line.len())
    }

    /// Returns `output` as text without directories of this machine, until parsing is halted.
    fn text(&self, output: &[u8]) -> String {
        /// Size of the pieces that are converted at once. Pieces end at line ends, because no escape sequence spans
        /// lines.
        const PIECE: usize = 64 << 10;
        let mut rest = output;
        let pieces = std::iter::from_fn(move || {
            let least = rest.get(PIECE..).unwrap_or_default();
            let end = least.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| PIECE + at + 1);
            let (piece, behind) = rest.split_at(end);
            rest = behind;
            (!piece.is_empty()).then_some(piece)
        });
        let mut text = String::new();
        until(self.halt, pieces, |piece| piece.len()).for_each(|piece| text += &self.scrub.part(piece));
        scrub::without_hashes(text.into())
    }

    /// Returns the lines of `output`, which may end in `\r\n`, until parsing is halted.
    fn text_lines<'o>(&self, output: &'o str) -> impl Iterator<Item = &'o str> {
        until(self.halt, output.lines(), |line| line.len())
    }

    /// Returns the tool's own reason for a failure: an error on stderr, else the first line that is not a warning. If
    /// there are several errors, returns the smallest, since their order may depend on timing.
    fn complaint(&self) -> Option<String> {
        // Search the bytes first, because there may be millions of lines.
        let is_error = |line: &[u8]| line.windows(5).any(|word| word.eq_ignore_ascii_case(b"error"));
        let errors = self.stderr_lines().filter(|(line, _)| is_error(line)).filter_map(|(line, rest)| {
            let plain = String::from_utf8_lossy(line.trim_ascii());
            let plain = scrub::strip_escapes(&plain);
            let (_, text) = said::label(plain.as_bytes()).filter(|(name, _)| is_error(name))?;
            Some(said::quoted(self.scrub, text, rest))
        });
        let plain = |is_wanted: fn(&[u8]) -> bool| {
            let lines = self.stderr_lines().map(|(line, _)| line.trim_ascii());
            lines
                .filter(|line| is_wanted(line))
                .map(|line| self.scrub.quote(line))
                .find(|line| !line.is_empty())
        };
        fn is_no_warning(line: &[u8]) -> bool {
            said::label(line).is_none_or(|(name, _)| !name.eq_ignore_ascii_case(b"warning"))
        }
        errors.min().or_else(|| plain(is_no_warning)).or_else(|| plain(|_| true))
    }

    /// Returns the lines of stderr, each with the rest of the output after it.
    fn stderr_lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let stderr = &*self.output.stderr;
        let mut end = 0;
        self.lines(stderr).map(move |line| {
            end += line.len() + 1;
            (line, stderr.get(end..).unwrap_or_default())
        })
    }
}

/// Returns the place of what `tool` reports about `units` as a whole.
fn place_of(workspace: &Workspace, tool: &Tool, units: &[Unit]) -> Place {
    match units {
        [unit @ (Unit::File(_) | Unit::TargetRoot(..))] if !tool.takes_many() => {
            Place::File { path: unit.path(workspace).clone(), range: None }
        }
        [Unit::Package(package) | Unit::Combination(package, _)] => package_place(workspace, *package),
        _ => Place::Subject(tool.base().to_owned()),
    }
}

/// Returns a place with the package as its subject.
fn package_place(workspace: &Workspace, package: PackageId) -> Place {
    Place::Subject(format!("package {}", workspace.package(package).name))
}

/// Returns the range between two positions if they are valid: lines and columns start at 1.
fn range(start: (u32, u32), end: (u32, u32)) -> Option<Range> {
    let valid = start.0 > 0 && start.1 > 0 && end.1 > 0 && start <= end;
    let position = |(line, column)| Position { line, column };
    valid.then(|| Range { start: position(start), end: position(end) })
}

/// Returns the range of a whole line, including its line end.
fn whole_line(line: u32) -> Option<Range> {
    range((line, 1), (line.saturating_add(1), 1))
}

#[cfg(test)]
mod halt_tests;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod hostile_tests;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;
