//! Build scripts: which ones ran, their output directories, and the errors and warnings that they reported through
//! cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::place::Places;
use super::reach::{self, CargoReach};
use crate::model::finding::{Diagnostic, Level, Place, Related};
use crate::model::task::Exit;
use crate::model::workspace::{PackageId, TargetKind};
use crate::normalize::{Gap, Input, package_place};

/// Rule of an error from a script.
const ERROR: &str = "build-script";
/// Namespace and rule of a warning from a script.
const CARGO: &str = "cargo";
const WARNING: &str = "cargo::build_script_warning";

/// Build scripts collected so far.
#[derive(Default)]
pub(super) struct Scripts {
    /// `OUT_DIR`s of each package whose script ran. There are two if the package is also built for the host.
    out_dirs: BTreeMap<PackageId, BTreeSet<PathBuf>>,
}

impl Scripts {
    /// Adds the script of `package`, which ran.
    pub(super) fn add(&mut self, package: PackageId, out_dir: PathBuf) {
        self.out_dirs.entry(package).or_default().insert(out_dir);
    }

    /// Returns the packages whose scripts should have run but did not.
    pub(super) fn gaps(&self, input: &Input<'_>, reach: &CargoReach) -> Vec<Gap> {
        let has_script = |package: &PackageId| {
            let mut targets = input.workspace.package(*package).targets.iter();
            targets.any(|target| target.kind == TargetKind::BuildScript)
        };
        let packages = reach::asked_for(input).into_iter().filter(has_script);
        let not_run = packages.filter(|package| !self.out_dirs.contains_key(package));
        let gap = |package| {
            let reason = match input.output.exit {
                Exit::Code(0) => "cargo did not run its build script".to_owned(),
                _ => reach.why_not(input, package),
            };
            Gap { package: Some(package), path: None, reason }
        };
        not_run.map(gap).collect()
    }

    /// Returns the `OUT_DIR`s of the packages that were asked for.
    pub(super) fn finish(self, input: &Input<'_>) -> Vec<(PackageId, PathBuf)> {
        let asked_for: BTreeSet<_> = reach::asked_for(input).into_iter().collect();
        let own = self.out_dirs.into_iter().filter(|(package, _)| asked_for.contains(package));
        own.flat_map(|(package, dirs)| dirs.into_iter().map(move |dir| (package, dir))).collect()
    }
}

/// Returns the errors that scripts reported through cargo: `error: name@version: text`. They make the build of the
/// package fail.
pub(super) fn errors(places: &Places<'_>) -> Vec<Diagnostic> {
    let found = messages(places, "error: ");
    let error = |(package, lines): (PackageId, Vec<String>)| {
        let ScriptMessage { place, text, beside } = ScriptMessage::of(places, package, &lines);
        let place = place.unwrap_or_else(|| package_place(places.input.workspace, package));
        let error = places.input.diagnostic(place, ERROR, Level::Error, text);
        Diagnostic { package: Some(package), fatal: true, related: beside, ..error }
    };
    found.into_iter().map(error).collect()
}

/// Returns the warnings that scripts of members reported through cargo: `warning: name@version: text`. Cargo repeats
/// them in every build. Messages of genti's own build script library become notices.
pub(super) fn warnings(places: &Places<'_>) -> (Vec<Diagnostic>, BTreeSet<String>) {
    let found = messages(places, "warning: ");
    let warning = |(package, lines): (PackageId, Vec<String>)| {
        let ScriptMessage { place, text, beside } = ScriptMessage::of(places, package, &lines);
        let place = place.unwrap_or_else(|| script_of(places.input, package));
        let warning = places.input.diagnostic(place, WARNING, Level::Warning, text);
        Diagnostic { ns: CARGO.into(), package: Some(package), related: beside, ..warning }
    };
    // C compilers print a count of their warnings.
    let counts = |lines: &[String]| {
        let mut words = lines.first().map_or("", String::as_str).split(' ');
        words.next().is_some_and(|count| count.parse::<u32>().is_ok())
            && words.next().is_some_and(|what| what.starts_with("warning"))
            && words.next().is_some_and(|what| what.starts_with("generated"))
    };
    let is_ours = |lines: &[String]| lines.first().is_some_and(|line| line.starts_with("genti: "));
    let (ours, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, lines)| is_ours(lines));
    let notice = |(package, lines): (PackageId, Vec<String>)| {
        let name = &places.input.workspace.package(package).name;
        format!("{name}: {}", places.input.scrub.text(&lines.join("\n")))
    };
    let warnings = found.into_iter().filter(|(_, lines)| !counts(lines)).map(warning);
    (warnings.collect(), ours.into_iter().map(notice).collect())
}

/// Returns the build script of `package` as a place.
fn script_of(input: &Input<'_>, package: PackageId) -> Place {
    let mut targets = input.workspace.package(package).targets.iter();
    match targets.find(|target| target.kind == TargetKind::BuildScript) {
        Some(script) => Place::File { path: script.root.clone(), range: None },
        None => package_place(input.workspace, package),
    }
}

/// Returns the messages with prefix `label` from scripts of the packages that were asked for, each with its lines.
/// Cargo labels every line. Lines after a line that ends with a colon form its list, indented or not. Any other
/// indented line continues the previous message.
fn messages(places: &Places<'_>, label: &str) -> Vec<(PackageId, Vec<String>)> {
    let input = places.input;
    let asked_for = reach::asked_for(input);
    let mut messages: Vec<(PackageId, Vec<String>)> = Vec::new();
    let mut is_next = false;
    for (line, _) in input.stderr_lines() {
        let said = line.strip_prefix(label.as_bytes()).filter(|said| said.contains(&b'@'));
        let said = said.map(String::from_utf8_lossy).unwrap_or_default();
        let of = |id: &PackageId| {
            let package = input.workspace.package(*id);
            let rest = said.strip_prefix(package.cargo_name())?.strip_prefix('@')?;
            rest.strip_prefix(&*package.version)?.strip_prefix(": ")
        };
        let found =
            (!said.is_empty()).then(|| asked_for.iter().find_map(|id| Some((*id, of(id)?)))).flatten();
        let Some((id, text)) = found else {
            is_next = false;
            continue;
        };
        let continues_last = |(last, lines): &(PackageId, Vec<String>)| {
            let is_set_off = |line: &str| line.starts_with([' ', '\t']) || line.is_empty();
            let has_list = lines.first().is_some_and(|line| line.ends_with(':'));
            let begins = is_placed(text) || places.named(id, text).is_some();
            let is_of_list = lines.get(1).is_none_or(|line| !is_set_off(line)) && !begins;
            *last == id && (is_set_off(text) || (has_list && is_of_list))
        };
        // C compilers print the file and the function first, then the line.
        let locates_last = |(last, lines): &(PackageId, Vec<String>)| {
            *last == id
                && is_placed(text)
                && lines.iter().all(|line| !is_placed(line))
                && lines.last().is_some_and(|line| line.ends_with(':'))
        };
        match messages.last_mut().filter(|_| is_next) {
            Some(last) if continues_last(last) => last.1.push(text.to_owned()),
            Some(last) if locates_last(last) => last.1.insert(0, text.to_owned()),
            _ => messages.push((id, vec![text.to_owned()])),
        }
        is_next = true;
    }
    messages
}

/// Returns whether `text` begins with a file, a line and a message.
fn is_placed(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(place, _)| {
        place.rsplit(':').next().is_some_and(|line| line.parse::<u32>().is_ok()) && place.contains(':')
    })
}

/// Message of a script with the place that it names.
struct ScriptMessage {
    place: Option<Place>,
    text: String,
    beside: Vec<Related>,
}

impl ScriptMessage {
    fn of(places: &Places<'_>, package: PackageId, lines: &[String]) -> Self {
        let (first, rest) = lines.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let named = places.named(package, first);
        let (place, text) = named.map_or((None, first), |(place, text)| (Some(place), text));
        let label = ["warning: ", "error: "].into_iter().find_map(|label| text.strip_prefix(label));
        let scrub = places.input.scrub;
        let below = outdented(rest).into_iter().map(|line| scrub.text(&line)).collect::<Vec<_>>().join("\n");
        let text = scrub.text(label.unwrap_or(text).trim());
        match below.is_empty() {
            true => Self { place, text, beside: Vec::new() },
            // The list is the message.
            false if text.ends_with(':') || text.is_empty() => {
                Self { place, text: format!("{text}\n{below}").trim().to_owned(), beside: Vec::new() }
            }
            false => Self { place, text, beside: vec![Related { message: below, place: None }] },
        }
    }
}

/// Removes the common indentation of `lines`.
fn outdented(lines: &[String]) -> Vec<String> {
    let indent = |line: &String| line.len() - line.trim_start().len();
    let all = lines.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or_default();
    lines.iter().map(|line| line.get(all..).unwrap_or_default().trim_end().to_owned()).collect()
}
