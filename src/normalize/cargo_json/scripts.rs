//! Which build scripts ran, where each left what it generated, and the errors and warnings that they told cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::place::Places;
use super::reach::{self, Reach};
use crate::model::finding::{Diagnostic, Level, Place, Related};
use crate::model::task::Exit;
use crate::model::workspace::{PackageId, TargetKind};
use crate::normalize::{Gap, Input, package_place};

/// The rule of what a script says for an error.
const ERROR: &str = "build-script";
/// The namespace and the rule of what it says for a warning.
const CARGO: &str = "cargo";
const WARNING: &str = "cargo::build_script_warning";

/// What was told so far.
#[derive(Default)]
pub(super) struct Scripts {
    /// Those that ran, each with its `OUT_DIR`; two where a package is built for the host as well.
    out_dirs: BTreeMap<PackageId, BTreeSet<PathBuf>>,
}

impl Scripts {
    /// Takes note of the script of `package`.
    pub(super) fn ran(&mut self, package: PackageId, out_dir: PathBuf) {
        self.out_dirs.entry(package).or_default().insert(out_dir);
    }

    /// The packages whose scripts should have run and did not.
    pub(super) fn gaps(&self, input: &Input<'_>, reach: &Reach) -> Vec<Gap> {
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

    /// Where each package of the process left what it generated.
    pub(super) fn finish(self, input: &Input<'_>) -> Vec<(PackageId, PathBuf)> {
        let asked_for: BTreeSet<_> = reach::asked_for(input).into_iter().collect();
        let own = self.out_dirs.into_iter().filter(|(package, _)| asked_for.contains(package));
        own.flat_map(|(package, dirs)| dirs.into_iter().map(move |dir| (package, dir))).collect()
    }
}

/// The errors that scripts told cargo: `error: name@version: text`. They keep the package from being built.
pub(super) fn errors(places: &Places<'_>) -> Vec<Diagnostic> {
    let said = messages(places, "error: ");
    let error = |(package, lines): (PackageId, Vec<String>)| {
        let Message { place, text, beside } = Message::of(places, package, &lines);
        let place = place.unwrap_or_else(|| package_place(places.input.workspace, package));
        let error = places.input.diagnostic(place, ERROR, Level::Error, text);
        Diagnostic { package: Some(package), fatal: true, related: beside, ..error }
    };
    said.into_iter().map(error).collect()
}

/// The warnings that scripts of members told cargo: `warning: name@version: text`. Cargo repeats them in every build. What
/// the library in the script says of itself is a notice.
pub(super) fn warnings(places: &Places<'_>) -> (Vec<Diagnostic>, BTreeSet<String>) {
    let said = messages(places, "warning: ");
    let warning = |(package, lines): (PackageId, Vec<String>)| {
        let Message { place, text, beside } = Message::of(places, package, &lines);
        let place = place.unwrap_or_else(|| script_of(places.input, package));
        let warning = places.input.diagnostic(place, WARNING, Level::Warning, text);
        Diagnostic { ns: CARGO.into(), package: Some(package), related: beside, ..warning }
    };
    // C compilers count what they have said.
    let counts = |lines: &[String]| {
        let mut words = lines.first().map_or("", String::as_str).split(' ');
        words.next().is_some_and(|count| count.parse::<u32>().is_ok())
            && words.next().is_some_and(|what| what.starts_with("warning"))
            && words.next().is_some_and(|what| what.starts_with("generated"))
    };
    let is_ours = |lines: &[String]| lines.first().is_some_and(|line| line.starts_with("genti: "));
    let (ours, said): (Vec<_>, Vec<_>) = said.into_iter().partition(|(_, lines)| is_ours(lines));
    let notice = |(package, lines): (PackageId, Vec<String>)| {
        let name = &places.input.workspace.package(package).name;
        format!("{name}: {}", places.input.scrub.text(&lines.join("\n")))
    };
    let warnings = said.into_iter().filter(|(_, lines)| !counts(lines)).map(warning);
    (warnings.collect(), ours.into_iter().map(notice).collect())
}

/// The build script of `package`.
fn script_of(input: &Input<'_>, package: PackageId) -> Place {
    let mut targets = input.workspace.package(package).targets.iter();
    match targets.find(|target| target.kind == TargetKind::BuildScript) {
        Some(script) => Place::File { path: script.root.clone(), range: None },
        None => package_place(input.workspace, package),
    }
}

/// The messages behind `label` of scripts of the packages that were asked for, each with its lines: cargo labels every line.
/// Below a line that ends with a colon stands its list, indented or not; any other indented line goes on with the message above.
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
            let rest = said.strip_prefix(&*package.name)?.strip_prefix('@')?;
            rest.strip_prefix(&*package.version)?.strip_prefix(": ")
        };
        let found =
            (!said.is_empty()).then(|| asked_for.iter().find_map(|id| Some((*id, of(id)?)))).flatten();
        let Some((id, text)) = found else {
            is_next = false;
            continue;
        };
        let goes_on = |(last, lines): &(PackageId, Vec<String>)| {
            let is_set_off = |line: &str| line.starts_with([' ', '\t']) || line.is_empty();
            let has_list = lines.first().is_some_and(|line| line.ends_with(':'));
            let begins = is_placed(text) || places.named(id, text).is_some();
            let is_of_list = lines.get(1).is_none_or(|line| !is_set_off(line)) && !begins;
            *last == id && (is_set_off(text) || (has_list && is_of_list))
        };
        // A C compiler names the file and the function first, then the line.
        let leads = |(last, lines): &(PackageId, Vec<String>)| {
            *last == id
                && is_placed(text)
                && lines.iter().all(|line| !is_placed(line))
                && lines.last().is_some_and(|line| line.ends_with(':'))
        };
        match messages.last_mut().filter(|_| is_next) {
            Some(last) if goes_on(last) => last.1.push(text.to_owned()),
            Some(last) if leads(last) => last.1.insert(0, text.to_owned()),
            _ => messages.push((id, vec![text.to_owned()])),
        }
        is_next = true;
    }
    messages
}

/// Whether `text` begins with a file, a line and a message.
fn is_placed(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(place, _)| {
        place.rsplit(':').next().is_some_and(|line| line.parse::<u32>().is_ok()) && place.contains(':')
    })
}

/// What a script said, with the place that it names.
struct Message {
    place: Option<Place>,
    text: String,
    beside: Vec<Related>,
}

impl Message {
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

/// `lines` without the indentation that all of them have.
fn outdented(lines: &[String]) -> Vec<String> {
    let indent = |line: &String| line.len() - line.trim_start().len();
    let all = lines.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or_default();
    lines.iter().map(|line| line.get(all..).unwrap_or_default().trim_end().to_owned()).collect()
}
