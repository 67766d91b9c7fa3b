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

/// Findings, gaps and side information parsed from the output of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Findings, sorted and without duplicates.
    pub diagnostics: Vec<Diagnostic>,
    /// Parts without a result, sorted and without duplicates.
    pub gaps: Vec<Gap>,
    /// The test programs that were built.
    pub programs: Vec<Program>,
    /// Programs and libraries that a build put where others look for them. Absolute paths, never written to an
    /// artifact.
    pub outputs: Vec<PathBuf>,
    /// `OUT_DIR`s of build scripts. Absolute paths, never written to an artifact.
    pub out_dirs: Vec<(PackageId, PathBuf)>,
    /// `OUT_DIR`s of the packages that have findings in generated files, used to find the sources of these files.
    pub made_in: Vec<(PackageId, PathBuf)>,
    /// Generated files found in these directories, filled in by a later step that reads the disk.
    pub generated: Vec<Generated>,
    /// Traces of what the process read beyond the declared inputs.
    pub traces: Traces,
    /// Set if gaps may be caused by errors that are only lints.
    pub hidden: bool,
    /// Set if findings may come from a change of the style edition. A second process with the former edition decides.
    pub is_restyled: bool,
    /// Revision of the database that the tool used, if reported.
    pub database: Option<String>,
    /// Messages of the tool that are not findings, since there is nothing to fix in the workspace.
    pub notices: BTreeSet<String>,
    /// Work left for [`Parsed::settle`].
    pub unsettled: Unsettled,
    /// Output to compare with the golden file of the unit.
    pub printed: Option<Printed>,
    /// Counts that the process reported about its work.
    pub census: Census,
    /// Set if the output proves that it is complete: it ends with a count that matches the rest.
    pub is_whole: bool,
    /// Set if a process was left running and held the output open.
    pub is_leaky: bool,
    /// Names of the tests that left processes running, if the test runner reports them.
    pub leaks: BTreeSet<String>,
}

impl Parsed {
    /// Merges in the result of a second process that treated lints as warnings. The levels of findings come from the
    /// first process, the gaps from the second.
    #[must_use]
    pub fn and(mut self, second: Self) -> Self {
        if self.is_restyled {
            self.mark_former_style(&second);
            return self;
        }
        let mut seen: BTreeMap<_, usize> = BTreeMap::new();
        let key = |found: &Diagnostic| {
            (found.ns.clone(), found.rule.clone(), found.message.clone(), found.place.clone())
        };
        for found in &self.diagnostics {
            *seen.entry(key(found)).or_default() += 1;
        }
        let (gaps, hidden) = (second.gaps.clone(), second.hidden);
        let diagnostics = self.add(second);
        for found in diagnostics {
            match seen.get_mut(&key(&found)) {
                Some(count) if *count > 0 => *count -= 1,
                _ => self.diagnostics.push(found),
            }
        }
        self.diagnostics.sort();
        Self { gaps, hidden, ..self }
    }

    /// Adds everything of `other` but its findings, which are returned.
    fn add(&mut self, other: Self) -> Vec<Diagnostic> {
        // Named one by one, so that a new field can't be forgotten.
        let Self {
            diagnostics,
            gaps,
            programs,
            outputs,
            out_dirs,
            made_in,
            generated,
            traces,
            hidden,
            is_restyled,
            database,
            notices,
            // Processes are settled one by one, before they are merged.
            unsettled: _,
            printed,
            census,
            is_whole,
            is_leaky,
            leaks,
        } = other;
        self.gaps.extend(gaps);
        self.programs.extend(programs);
        self.outputs.extend(outputs);
        self.out_dirs.extend(out_dirs);
        self.made_in.extend(made_in);
        self.generated.extend(generated);
        self.traces.extend(traces);
        self.hidden |= hidden;
        self.is_restyled |= is_restyled;
        self.database = self.database.take().max(database);
        self.notices.extend(notices);
        self.printed = self.printed.take().or(printed);
        self.census.add(census);
        self.is_whole &= is_whole;
        self.is_leaky |= is_leaky;
        self.leaks.extend(leaks);
        diagnostics
    }

    /// Marks the findings that are missing in `second`, which formatted with the former style edition. Only files with
    /// more differences now than then are considered.
    fn mark_former_style(&mut self, second: &Self) {
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
        let is_new_style = |found: &Diagnostic| {
            let [now, former] = files.get(&found.place.path().cloned()).copied().unwrap_or_default();
            now > former && rustfmt::is_unformatted(found) && !before.contains(&key(found))
        };
        let marked: Vec<bool> = self.diagnostics.iter().map(is_new_style).collect();
        for (found, is_marked) in self.diagnostics.iter_mut().zip(marked) {
            if is_marked {
                found.related.push(Related::of_former_style());
            }
        }
        self.diagnostics.sort();
    }

    /// Merges in the result of another process that checked other files of the same units.
    #[must_use]
    pub fn beside(mut self, next: Self) -> Self {
        let diagnostics = self.add(next);
        self.diagnostics.extend(diagnostics);
        self.diagnostics.sort();
        self.diagnostics.dedup();
        self
    }
}

impl Parsed {
    /// Adds a gap if the tool counts more failures than can be distinguished. Otherwise an accepted failure could hide
    /// a different one.
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
            self.gaps.push(Gap::all(format!(
                "{failures} tests failed but only {distinct} of them can be distinguished"
            )));
        }
        self
    }
}

/// Traces of what a process read beyond the declared inputs. Contains absolute paths and must not reach an id or an
/// artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Units that cargo compiled or documented, in all packages.
    pub units: BTreeSet<BuiltUnit>,
    /// Build scripts that cargo ran.
    pub scripts: BTreeSet<RanScript>,
    /// Files that a formatter formatted, under the names it prints.
    pub formatted: BTreeSet<PathBuf>,
    /// Set if some of the traces are replayed from an earlier process, which may have had other inputs.
    pub is_replayed: bool,
}

/// Compilation unit for which cargo reported an artifact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuiltUnit {
    /// Workspace member that the unit belongs to.
    pub package: Option<PackageId>,
    /// Package name.
    pub name: String,
    /// Package manifest.
    pub manifest: PathBuf,
    /// Kind and target name as in cargo's fingerprint directory, for example `test-lib-alpha`.
    pub fingerprint: String,
    /// Root source file.
    pub source: PathBuf,
    /// First file that was built.
    pub artifact: PathBuf,
    /// Possible paths of rustc's dep-info file. The first one that exists counts. Empty for documentation.
    pub dep_infos: Vec<PathBuf>,
    /// For documentation, dep-info files of compilations of the same target with the current sources. Filled in when
    /// replays are reviewed.
    pub read_by_rustc: Vec<PathBuf>,
    /// Set for procedural macros.
    pub is_macro: bool,
    /// Set for code that runs on the build machine: build scripts and procedural macros.
    pub is_for_host: bool,
    /// Set if built for tests.
    pub is_test: bool,
    /// Set for documentation.
    pub is_doc: bool,
    /// Debug assertions, if stated.
    pub debug_assertions: Option<bool>,
    /// Enabled features.
    pub features: BTreeSet<String>,
    /// Set if cargo replayed it from an earlier build.
    pub fresh: bool,
}

/// A build script that cargo ran, or whose output it replayed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RanScript {
    /// Workspace member that the script belongs to.
    pub package: Option<PackageId>,
    /// Package name.
    pub name: String,
    /// Package manifest; `None` if the output does not mention the compilation of the script.
    pub manifest: Option<PathBuf>,
    /// Name of its fingerprint in cargo's fingerprint directory.
    pub fingerprint: String,
    /// File with the output of the script.
    pub output: PathBuf,
    /// Values of `cargo::rustc-cfg`: `name` or `key="value"`.
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

/// Part of the work of a process that has no result. Covers all of it if there is neither a package nor a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Affected package.
    pub package: Option<PackageId>,
    /// Affected file.
    pub path: Option<RelPath>,
    /// Reason, shown to the user.
    pub reason: String,
}

impl Gap {
    /// Returns a gap for everything that the process covered.
    fn all(reason: impl Into<String>) -> Self {
        Self { package: None, path: None, reason: reason.into() }
    }
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
        match self.units {
            [unit @ (Unit::File(_) | Unit::TargetRoot(..))] if !self.tool.takes_many() => {
                Place::File { path: unit.path(self.workspace).clone(), range: None }
            }
            [Unit::Package(package)] => package_place(self.workspace, *package),
            _ => Place::Subject(self.tool.name.clone()),
        }
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
            ns: self.tool.name.as_str().into(),
            rule: rule.into(),
            level,
            message: message.into(),
            fatal: false,
            // Packages always get a process of their own. Files do not, and batching must not change the result.
            package: match self.units {
                [Unit::Package(package)] => Some(*package),
                _ => None,
            },
            related: Vec::new(),
            fix: None,
            test: None,
        }
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
            true => vec![of_unit().unwrap_or_else(|| Place::Subject(self.tool.name.clone()))],
            false => tests.iter().cloned().map(Place::Subject).collect(),
        };
        // Same namespace as for failed tests, whichever runner is used.
        let ns = if self.tool.parse == Parse::Nextest { "test" } else { &self.tool.name };
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
