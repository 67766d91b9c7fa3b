//! Parses cargo's own warnings on stderr about mistakes in manifests and in cargo's configuration.
//!
//! A warning becomes a finding if it names a file of the workspace or is known to be about the manifest. Warnings about
//! the machine, the network or the progress of the build are dropped, because they differ between runs. Everything else
//! becomes a notice.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Places;
use super::reach;
use crate::model::finding::{Diagnostic, Level, Place, Related};
use crate::model::path::RelPath;
use crate::normalize::{Input, Parsed, said, whole_line};

const NS: &str = "cargo";
const MANIFEST: &str = "Cargo.toml";

/// Prefixes of warnings about the root manifest. Cargo omits the path of the manifest if there are no other members.
const OF_MANIFEST: [&str; 29] = [
    "`[",
    "`default-features` is ignored",
    "`edition` is set on ",
    "`lints.",
    "`package.",
    "`panic` setting",
    "An explicit [[",
    "Patch `",
    "The package `",
    "dependency (",
    "doc tests are not supported",
    "duplicate lint",
    "file `",
    "invalid feature",
    "library `",
    "no edition set",
    "only one of `license`",
    "output filename collision",
    "package replacement is not used",
    "patch `",
    "patch for the non root package",
    "path `",
    "profile",
    "replace for the non root package",
    "resolver for the non root package",
    "the cargo feature `",
    "unused manifest key",
    "unused workspace dependency",
    "virtual workspace defaulting to",
];

/// Prefixes of warnings that are unrelated to the workspace or differ between runs.
const PASSING: [&str; 6] = [
    "a `-j` argument was passed",
    "build failed, waiting for other jobs",
    "environment variables are expected to",
    "failed to write cache",
    "hard linking files",
    "spurious network error",
];

/// Returns the findings and the notices from cargo's output.
pub(super) fn read(places: &Places<'_>) -> (Vec<Diagnostic>, BTreeSet<String>) {
    let (mut diagnostics, mut notices) = (Vec::new(), BTreeSet::new());
    let input = places.input;
    for (line, rest) in input.stderr_lines() {
        let Some(first) = line.strip_prefix(b"warning: ") else { continue };
        let warning = Warning::of(places, &String::from_utf8_lossy(first), rest);
        if warning.is_passing(input) {
            continue;
        }
        match warning.place(places) {
            Some(WarningSubject::Ours(place)) => diagnostics.extend(warning.diagnostic(input, place)),
            // Only warnings about the workspace are the same on every machine.
            Some(WarningSubject::Elsewhere) => {}
            None => drop(notices.insert(input.scrub.text(&warning.text))),
        }
    }
    (diagnostics, notices)
}

/// Subject of a warning.
enum WarningSubject {
    Ours(Place),
    /// File outside the workspace.
    Elsewhere,
}

/// Warning with its details.
struct Warning {
    /// First line without the path before it. Includes the list if the line ends with a colon.
    text: String,
    /// Path at the beginning of the first line.
    path: Option<String>,
    /// Place stated below the first line.
    at: Option<(String, u32)>,
    /// Other lines.
    below: Vec<String>,
    notes: Vec<String>,
}

impl Warning {
    fn of(places: &Places<'_>, first: &str, rest: &[u8]) -> Self {
        let (path, text) = match first.split_once(": ") {
            Some((path, text)) if path.ends_with(MANIFEST) => (Some(path.to_owned()), text),
            _ => (None, first),
        };
        let mut warning =
            Self { text: text.trim_end().to_owned(), path, at: None, below: Vec::new(), notes: Vec::new() };
        for line in said::below(rest) {
            warning.add(&String::from_utf8_lossy(line));
        }
        let list = warning.below.iter().map(|line| places.input.scrub.text(line));
        if warning.text.ends_with(':') {
            warning.text = std::iter::once(warning.text.clone()).chain(list).collect::<Vec<_>>().join("\n");
        }
        warning
    }

    /// Adds a line below the first one. It belongs to a source excerpt with place and notes, or to the text.
    fn add(&mut self, line: &str) {
        let trimmed = line.trim();
        if let Some(place) = trimmed.strip_prefix("--> ") {
            let mut parts = place.rsplitn(3, ':');
            let (_, line, path) = (parts.next(), parts.next(), parts.next());
            let line = line.and_then(|line| line.parse().ok());
            self.at = path.map(str::to_owned).zip(line);
        } else if let Some(note) = trimmed.strip_prefix("= note: ").or(trimmed.strip_prefix("= help: ")) {
            self.notes.push(note.to_owned());
        } else if !trimmed.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|') {
            self.below.push(line.trim_end().to_owned());
        }
    }

    /// Returns whether it is unrelated to the workspace, or reported elsewhere.
    fn is_passing(&self, input: &Input<'_>) -> bool {
        let is_members =
            |name: &str| input.workspace.packages.iter().any(|package| package.cargo_name() == name);
        PASSING.iter().any(|begin| self.text.starts_with(begin))
            // `a` (lib) generated 2 warnings
            || (self.text.starts_with('`') && self.text.contains(") generated "))
            || self.script().is_some_and(is_members)
    }

    /// Returns the name of the package whose build script printed it.
    fn script(&self) -> Option<&str> {
        let (id, _) = self.text.split_once(": ").filter(|_| self.path.is_none())?;
        let (name, version) = id.split_once('@')?;
        (!name.contains(' ') && version.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
    }

    /// Returns the place that it is about.
    fn place(&self, places: &Places<'_>) -> Option<WarningSubject> {
        let input = places.input;
        let file = |path: &str| {
            let path = input.scrub.path(path.as_bytes())?;
            input.workspace.find(&path).map(|_| path)
        };
        let site = |path: Option<RelPath>, line: Option<u32>| match path {
            Some(path) => WarningSubject::Ours(Place::File { path, range: line.and_then(whole_line) }),
            None => WarningSubject::Elsewhere,
        };
        if let Some((path, line)) = &self.at {
            return Some(site(file(path), Some(*line)));
        }
        if let Some(path) = &self.path {
            return Some(site(file(path), None));
        }
        if self.script().is_some() {
            return None;
        }
        let manifest = root_of(input).join(MANIFEST);
        let lines = || std::iter::once(&self.text).chain(&self.below);
        let named = lines().find_map(|line| places.mentioned(line));
        if let Some(path) = named {
            return Some(site(Some(path), None));
        }
        let words = [".cargo/config", ".cargo\\config", "unused config key", "unused key `"];
        let is_of_configuration = words.iter().any(|word| self.text.contains(word));
        if is_of_configuration {
            return Some(WarningSubject::Elsewhere);
        }
        let is_known = OF_MANIFEST.iter().any(|begin| self.text.starts_with(begin));
        (is_known && input.workspace.find(&manifest).is_some()).then(|| site(Some(manifest), None))
    }

    /// Returns the finding at `place`, or `None` for the manifest of a package that was not asked for.
    fn diagnostic(self, input: &Input<'_>, place: Place) -> Option<Diagnostic> {
        let path = place.path()?;
        let members = input.workspace.packages();
        let member =
            members.map(|(id, package)| (id, package.dir.join(MANIFEST))).find(|(_, own)| own == path);
        let is_root = path.parent().is_some_and(|dir| dir == root_of(input));
        if member.as_ref().is_some_and(|(id, _)| !is_root && !reach::asked_for(input).contains(id)) {
            return None;
        }
        let rule = match path.file_name() {
            b"Cargo.toml" => "cargo::manifest",
            b"config.toml" | b"config" => "cargo::config",
            _ => "cargo::warning",
        };
        let text = input.scrub.text(&self.text);
        let beside = if self.text.contains('\n') { None } else { Some(self.below.join("\n")) };
        let beside = beside.filter(|text| !text.is_empty()).into_iter().chain(self.notes);
        let related = beside.map(|text| Related { message: input.scrub.text(&text), place: None }).collect();
        let diagnostic = input.diagnostic(place, rule, Level::Warning, text);
        Some(Diagnostic { ns: NS.into(), related, package: member.map(|(id, _)| id), ..diagnostic })
    }
}

/// Returns the root of the workspace that the tool builds.
fn root_of(input: &Input<'_>) -> RelPath {
    input.tool.workspace().cloned().unwrap_or_default()
}

/// Sets the lines of manifest keys that findings are about, using `sources`.
pub(in crate::normalize) fn settle(parsed: &mut Parsed, sources: &BTreeMap<RelPath, Vec<u8>>) {
    for found in parsed.diagnostics.iter_mut().filter(|found| unused_key(found).is_some()) {
        let line = unused_key(found).and_then(|key| {
            let source = sources.get(found.place.path()?)?;
            line_of(&String::from_utf8_lossy(source), key)
        });
        if let (Some(line), Place::File { range, .. }) = (line, &mut found.place) {
            *range = whole_line(line);
        }
    }
    parsed.diagnostics.sort();
}

/// Returns the files that [`settle`] needs.
pub(in crate::normalize) fn unsettled(diagnostics: &[Diagnostic]) -> impl Iterator<Item = &RelPath> {
    diagnostics.iter().filter(|found| unused_key(found).is_some()).filter_map(|found| found.place.path())
}

/// Returns the dotted key that cargo does not know.
fn unused_key(found: &Diagnostic) -> Option<&str> {
    let is_open = found.ns == NS && found.place.range().is_none();
    let key = found.message.strip_prefix("unused manifest key: ").filter(|_| is_open)?;
    key.split(' ').next()
}

/// Returns the first line of the manifest `text` that sets the dotted `key` or begins a table of that name.
fn line_of(text: &str, key: &str) -> Option<u32> {
    let plain = |name: &str| {
        name.split('.').map(|part| part.trim().trim_matches(['"', '\''])).collect::<Vec<_>>().join(".")
    };
    let mut table = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let name = if let Some(head) = line.strip_prefix('[') {
            let head = head.trim_start_matches('[').split(']').next().unwrap_or_default();
            table = plain(head);
            table.clone()
        } else if let Some((name, _)) = line.split_once('=') {
            [table.as_str(), &plain(name)]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(".")
        } else {
            continue;
        };
        // Elements of table arrays have an index that no line shows.
        let key: Vec<_> = key.split('.').filter(|part| part.parse::<u32>().is_err()).collect();
        let name: Vec<_> = name.split('.').collect();
        if name.starts_with(&key) {
            return Some(number);
        }
    }
    None
}
