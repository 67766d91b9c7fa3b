//! What the tools said, as diagnostics: a parser for each output format, behind [`parse`].
//!
//! A parser is handed the whole output of one process and the units it covered. It tells what was found, and
//! which parts got no verdict: a compile error or a crash never looks like a clean result. Nothing that
//! differs between two machines or two runs passes: order, absolute paths, notes that only come with the
//! first of several findings.
//!
//! Does not know sources, identities or baselines, nor how the process was started.

mod attribute;
mod audit;
mod cargo_json;
mod columns;
mod deny;
mod diff;
mod document;
mod exit_code;
mod golden;
mod libtest;
mod lines;
mod machete;
mod names;
mod nextest;
mod number;
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
pub use rules::rules;
pub use scrub::Scrub;
pub use settle::Unsettled;
pub use sieve::Sieve;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::model::census::Census;
use crate::model::finding::{Diagnostic, Level, Place, Position, Range, Related};
use crate::model::generated::Generated;
use crate::model::golden::Printed;
use crate::model::halt::{Halt, Halted, Latch, until};
use crate::model::path::RelPath;
use crate::model::task::{Exit, Output, Program, Unit};
use crate::model::text::{Interner, Text};
use crate::model::tool::{Leaky, Parse, Tool};
use crate::model::workspace::{PackageId, Workspace};

/// The output of one process, and what is needed to read it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The tool.
    pub tool: &'a Tool,
    /// The units that the process covered.
    pub units: &'a [Unit],
    /// The packages selected for the run: what cargo's own tools must have reached.
    pub packages: &'a [PackageId],
    /// What the process left.
    pub output: &'a Output,
    /// How text becomes independent of the machine.
    pub scrub: &'a Scrub,
    /// Ends the reading of long output early.
    pub halt: &'a dyn Halt,
}

/// What one process said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What was found, sorted, each once.
    pub diagnostics: Vec<Diagnostic>,
    /// What got no verdict, sorted, each once.
    pub gaps: Vec<Gap>,
    /// The test programs that were built.
    pub programs: Vec<Program>,
    /// The programs and libraries that a build put where others look for them. Absolute paths: reach no artifact.
    pub outputs: Vec<PathBuf>,
    /// Where build scripts left what they generated. Absolute paths: reach no artifact.
    pub out_dirs: Vec<(PackageId, PathBuf)>,
    /// The same for the packages in whose generated files something was found: there it stands what they were made from.
    pub made_in: Vec<(PackageId, PathBuf)>,
    /// What is there, once somebody has looked.
    pub generated: Vec<Generated>,
    /// What tells what was read beyond the declared inputs.
    pub traces: Traces,
    /// Whether errors that are only lints may be why something got no verdict.
    pub hidden: bool,
    /// Whether findings may be there because the style edition changed: a second process with the former one tells.
    pub is_restyled: bool,
    /// The revision of the database that the tool looked things up in, if it told.
    pub database: Option<String>,
    /// Messages of the tool that are no findings: nobody has to fix them in the workspace.
    pub notices: BTreeSet<String>,
    /// What [`Parsed::settle`] still has to find out.
    pub unsettled: Unsettled,
    /// What is to be compared with the golden file of the one unit.
    pub printed: Option<Printed>,
    /// What the process looked at, in numbers that it states.
    pub census: Census,
    /// Whether the output shows by itself that it is complete: it ends with a count that all of it agrees with.
    pub is_whole: bool,
    /// Whether something was left running that held the output open.
    pub is_leaky: bool,
    /// The tests that did so, where the runner says which: sorted.
    pub leaks: BTreeSet<String>,
}

impl Parsed {
    /// What is known when `second` was found by a process that took lints for warnings: how bad they are, the first one
    /// has said; what got no verdict even so, the second.
    #[must_use]
    pub fn and(mut self, second: Self) -> Self {
        if self.is_restyled {
            self.tell_style_apart(&second);
            return self;
        }
        let mut seen: BTreeMap<_, usize> = BTreeMap::new();
        let key = |found: &Diagnostic| {
            (found.ns.clone(), found.rule.clone(), found.message.clone(), found.place.clone())
        };
        for found in &self.diagnostics {
            *seen.entry(key(found)).or_default() += 1;
        }
        for found in second.diagnostics {
            match seen.get_mut(&key(&found)) {
                Some(count) if *count > 0 => *count -= 1,
                _ => self.diagnostics.push(found),
            }
        }
        self.diagnostics.sort();
        self.traces.extend(second.traces);
        self.notices.extend(second.notices);
        self.census.add(second.census);
        Self { gaps: second.gaps, hidden: second.hidden, ..self }
    }

    /// Marks the findings that `second`, which formatted in the former style edition, does not have: in files that differ in
    /// more places now than they did then.
    fn tell_style_apart(&mut self, second: &Self) {
        if !second.gaps.is_empty() {
            return;
        }
        fn key(found: &Diagnostic) -> (&Place, &str) {
            (&found.place, &found.rule)
        }
        let before: BTreeSet<_> = second.diagnostics.iter().map(key).collect();
        let now: BTreeSet<_> = self.diagnostics.iter().map(key).collect();
        let mut files: BTreeMap<_, [usize; 2]> = BTreeMap::new();
        for (side, found) in [now.difference(&before), before.difference(&now)].into_iter().enumerate() {
            for (place, _) in found {
                files.entry(place.path().cloned()).or_default()[side] += 1;
            }
        }
        let is_of_former = |found: &Diagnostic| {
            let [now, former] = files.get(&found.place.path().cloned()).copied().unwrap_or_default();
            now > former && rustfmt::is_unformatted(found) && !before.contains(&key(found))
        };
        let marked: Vec<bool> = self.diagnostics.iter().map(is_of_former).collect();
        for (found, is_marked) in self.diagnostics.iter_mut().zip(marked) {
            if is_marked {
                found.related.push(Related::of_former_style());
            }
        }
        self.diagnostics.sort();
    }

    /// What is known when `next` was found by another process, in other files of the same units.
    #[must_use]
    pub fn beside(mut self, next: Self) -> Self {
        self.diagnostics.extend(next.diagnostics);
        self.diagnostics.sort();
        self.diagnostics.dedup();
        self.gaps.extend(next.gaps);
        self.traces.extend(next.traces);
        self.notices.extend(next.notices);
        self.census.add(next.census);
        Self { database: self.database.take().max(next.database), ..self }
    }
}

impl Parsed {
    /// The same, without a verdict if the tool counts more failures than can be told apart: else one that is accepted would
    /// stand for another one.
    fn of_counted(mut self, failures: usize) -> Self {
        let key = |found: &Diagnostic| {
            (
                found.place.clone(),
                found.ns.clone(),
                found.rule.clone(),
                found.message.clone(),
                found.test.clone(),
            )
        };
        let distinct = self.diagnostics.iter().map(key).collect::<BTreeSet<_>>().len();
        if distinct < failures && self.gaps.is_empty() {
            self.gaps
                .push(Gap::all(format!("{failures} tests failed, and {distinct} of them can be told apart")));
        }
        self
    }
}

/// What a process states, or leaves behind, of what it looked at beyond the declared inputs. Holds absolute paths: reaches no
/// id and no artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// What cargo compiled or documented, of all packages.
    pub units: BTreeSet<BuiltUnit>,
    /// The build scripts that cargo ran.
    pub scripts: BTreeSet<RanScript>,
    /// The files that a formatter formatted, as it names them.
    pub formatted: BTreeSet<PathBuf>,
    /// Whether some of it is replayed from an earlier process, which may have had other inputs.
    pub is_replayed: bool,
}

/// An artifact of cargo's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuiltUnit {
    /// The member that it is of.
    pub package: Option<PackageId>,
    /// The name of its package.
    pub name: String,
    /// The manifest of its package.
    pub manifest: PathBuf,
    /// What cargo calls this kind of unit in the name of its fingerprint, with the name of the target: `test-lib-alpha`.
    pub fingerprint: String,
    /// The root source file.
    pub source: PathBuf,
    /// The first file that was made.
    pub artifact: PathBuf,
    /// Where rustc's list of what it read may be: the first of these files that exists. None for documentation.
    pub dep_infos: Vec<PathBuf>,
    /// Whether it is a procedural macro.
    pub is_macro: bool,
    /// Whether it runs where it is built: a build script, a procedural macro.
    pub is_for_host: bool,
    /// Whether it is built for tests.
    pub is_test: bool,
    /// Whether it is documentation.
    pub is_doc: bool,
    /// Whether debug assertions are on, if that is stated.
    pub debug_assertions: Option<bool>,
    /// The features that are on.
    pub features: BTreeSet<String>,
    /// Whether cargo replayed it from an earlier build.
    pub fresh: bool,
}

/// A build script that cargo ran, or whose output it replayed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RanScript {
    /// The member that it is of.
    pub package: Option<PackageId>,
    /// The name of its package.
    pub name: String,
    /// The manifest of its package; `None` if its compilation was not mentioned.
    pub manifest: Option<PathBuf>,
    /// What cargo calls it in the name of its fingerprint.
    pub fingerprint: String,
    /// The file with what it printed.
    pub output: PathBuf,
    /// The conditions that it turned on: `name`, or `key="value"`.
    pub cfgs: BTreeSet<String>,
}

impl Traces {
    fn extend(&mut self, more: Self) {
        let Self { units, scripts, formatted, is_replayed } = more;
        self.units.extend(units);
        self.scripts.extend(scripts);
        self.formatted.extend(formatted);
        self.is_replayed |= is_replayed;
    }
}

/// A part of what a process covered that got no verdict. With neither package nor path: all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The package.
    pub package: Option<PackageId>,
    /// The file.
    pub path: Option<RelPath>,
    /// Why.
    pub reason: String,
}

impl Gap {
    /// All that the process covered.
    fn all(reason: impl Into<String>) -> Self {
        Self { package: None, path: None, reason: reason.into() }
    }
}

/// Why an output can't be read: nothing that it covers has a verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unparsable(pub String);

/// Why there is nothing parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotParsed {
    /// The output can't be read.
    Unparsable(Unparsable),
    /// Nobody wants to know any more.
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
/// If it is not in that format, or reading it was halted.
pub fn parse(input: &Input<'_>) -> Result<Parsed, NotParsed> {
    // Parsers that are halted take what they have read for all that there is.
    let halt = Latch::new(input.halt);
    let parsed = parse_all(&Input { halt: &halt, ..*input });
    halt.check()?;
    Ok(parsed?)
}

fn parse_all(input: &Input<'_>) -> Result<Parsed, Unparsable> {
    let code = match input.output.exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => return Err(Unparsable(format!("ended by signal {signal}"))),
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
    }?;
    parsed.traces.extend(stated.as_ref().map(|(traces, _)| traces.clone()).unwrap_or_default());
    parsed.is_leaky |= input.output.is_leaky || !parsed.leaks.is_empty();
    if parsed.is_leaky && input.tool.leaky == Leaky::Fail {
        parsed.diagnostics.extend(input.leaks(&parsed.leaks));
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

/// What a Rust program that panics exits with, and cargo for any failure.
const PANIC: i32 = 101;

/// Whether a process that ended with `code` did not get to run, or to its end: what a shell says for a program
/// that is missing or no program (126, 127) or was ended by a signal (128 and more), and systems in place of
/// signals (below 0).
fn is_crash(code: i32) -> bool {
    !(0..126).contains(&code)
}

impl Input<'_> {
    /// What a diagnostic is about that names no place itself. The same however many units the process was given:
    /// the place is part of the identity, and no batch policy may show there.
    fn default_place(&self) -> Place {
        match self.units {
            [unit @ (Unit::File(_) | Unit::TargetRoot(..))] if !self.tool.takes_many() => {
                Place::File { path: unit.path(self.workspace).clone(), range: None }
            }
            [Unit::Package(package)] => package_place(self.workspace, *package),
            _ => Place::Subject(self.tool.name.clone()),
        }
    }

    /// The place that a tool names by a path: one outside the workspace is a mere subject.
    fn place_at(&self, path: &[u8], range: Option<Range>) -> Place {
        match self.scrub.path(path) {
            Some(path) => Place::File { path, range },
            None => Place::Subject(self.scrub.foreign(path)),
        }
    }

    /// A diagnostic of the tool's own namespace, with nothing beside the primary message.
    fn diagnostic(
        &self,
        place: Place,
        rule: impl Into<Text>,
        level: Level,
        message: impl Into<Text>,
    ) -> Diagnostic {
        Diagnostic {
            place,
            ns: self.tool.name.as_str().into(),
            rule: rule.into(),
            level,
            message: message.into(),
            fatal: false,
            // A package is always a process of its own; files are not, and no batch policy may show here.
            package: match self.units {
                [Unit::Package(package)] => Some(*package),
                _ => None,
            },
            related: Vec::new(),
            fix: None,
            test: None,
        }
    }

    /// That each of these tests, else the unit, left something running.
    fn leaks(&self, tests: &BTreeSet<String>) -> Vec<Diagnostic> {
        let of_unit = || match self.units {
            [unit @ Unit::TargetRoot(package, _)] => {
                let package = self.workspace.package(*package);
                unit.target(self.workspace).map(|target| Place::Subject(package.test_name(target)))
            }
            _ => None,
        };
        let places: Vec<_> = match tests.is_empty() {
            true => vec![of_unit().unwrap_or_else(|| Place::Subject(self.tool.name.clone()))],
            false => tests.iter().cloned().map(Place::Subject).collect(),
        };
        // As for failed tests: the same whoever runs them.
        let ns = if self.tool.parse == Parse::Nextest { "test" } else { &self.tool.name };
        let found = |place| {
            let found = self.diagnostic(place, "leaky", Level::Error, Leaky::MESSAGE);
            Diagnostic { ns: ns.into(), package: None, ..found }
        };
        places.into_iter().map(found).collect()
    }

    /// That a process ended half way, or never began: whatever it printed until then is no verdict.
    fn crashed(&self, code: i32) -> Unparsable {
        Unparsable(match self.complaint() {
            Some(reason) => format!("exited with {code}: {reason}"),
            None => format!("exited with {code}"),
        })
    }

    /// Whether a cargo failed because something does not compile. Which of several errors it got to is a matter of time.
    fn build_failure(&self) -> Option<String> {
        let is_it = |line: &[u8]| line.starts_with(b"error: could not compile `");
        let is_there = self.lines(&self.output.stderr).any(is_it);
        is_there.then(|| "not everything that it needs compiles".to_owned())
    }

    /// The lines of `output`, without their ends, until reading is halted.
    fn lines<'o>(&self, output: &'o [u8]) -> impl Iterator<Item = &'o [u8]> {
        until(self.halt, output.split(|&byte| byte == b'\n'), |line| line.len())
    }

    /// All of `output` as text, without this machine's directories, until reading is halted.
    fn text(&self, output: &[u8]) -> String {
        /// What is made into text at once. No escape sequence is longer than a line.
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

    /// The lines of a text, which may end with `\r\n`, until reading is halted.
    fn text_lines<'o>(&self, output: &'o str) -> impl Iterator<Item = &'o str> {
        until(self.halt, output.lines(), |line| line.len())
    }

    /// Why a process failed, in its own words: an error on stderr, else its first line that is no warning. Of several
    /// errors the least, since which came first is a matter of time where several things fail at once.
    fn complaint(&self) -> Option<String> {
        // Looked for in the bytes first: there may be millions of lines.
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

    /// The lines of stderr, each with what follows it.
    fn stderr_lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let stderr = &*self.output.stderr;
        let mut end = 0;
        self.lines(stderr).map(move |line| {
            end += line.len() + 1;
            (line, stderr.get(end..).unwrap_or_default())
        })
    }
}

/// A package as the subject of a diagnostic.
fn package_place(workspace: &Workspace, package: PackageId) -> Place {
    Place::Subject(format!("package {}", workspace.package(package).name))
}

/// The stretch between two places, if they are any: lines and columns count from 1.
fn range(start: (u32, u32), end: (u32, u32)) -> Option<Range> {
    let valid = start.0 > 0 && start.1 > 0 && end.1 > 0 && start <= end;
    let position = |(line, column)| Position { line, column };
    valid.then(|| Range { start: position(start), end: position(end) })
}

/// All of a line, its end included.
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
