//! Which build scripts ran, where each left what it generated, and what those that failed said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::reach::{self, Reach};
use crate::model::finding::{Diagnostic, Level, Place};
use crate::model::path::RelPath;
use crate::model::task::Exit;
use crate::model::workspace::{PackageId, TargetKind};
use crate::normalize::{Gap, Input, package_place, whole_line};

/// The rule of what a script says for an error.
const RULE: &str = "build-script";

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

    /// What cargo shows of the scripts' own errors: `error: name@version: text`. A text that begins with a file of the
    /// package and a line is about that line.
    pub(super) fn errors(&self, input: &Input<'_>) -> Vec<Diagnostic> {
        let stderr = String::from_utf8_lossy(&input.output.stderr);
        let mut errors = Vec::new();
        for line in stderr.lines().filter_map(|line| line.strip_prefix("error: ")) {
            let of = |id: &PackageId| {
                let package = input.workspace.package(*id);
                line.strip_prefix(&format!("{}@{}: ", package.name, package.version))
            };
            let asked_for = reach::asked_for(input);
            let Some((id, text)) = asked_for.iter().find_map(|id| Some((*id, of(id)?))) else { continue };
            let (place, text) = place(input, id, text).unwrap_or((package_place(input.workspace, id), text));
            let message = input.scrub.text(text);
            let mut error = input.diagnostic(place, RULE.to_owned(), Level::Error, message);
            error.package = Some(id);
            error.fatal = true;
            errors.push(error);
        }
        errors
    }

    /// Where each package of the process left what it generated.
    pub(super) fn finish(self, input: &Input<'_>) -> Vec<(PackageId, PathBuf)> {
        let asked_for: BTreeSet<_> = reach::asked_for(input).into_iter().collect();
        let own = self.out_dirs.into_iter().filter(|(package, _)| asked_for.contains(package));
        own.flat_map(|(package, dirs)| dirs.into_iter().map(move |dir| (package, dir))).collect()
    }
}

/// The place before `text`, `path:line:` or `path:line:column:`, if it is one in the workspace.
fn place<'a>(input: &Input<'_>, package: PackageId, text: &'a str) -> Option<(Place, &'a str)> {
    let (place, rest) = text.split_once(": ")?;
    let mut parts = place.rsplitn(3, ':');
    let (last, before) = (parts.next()?, parts.next()?);
    let (path, line) = match (parts.next(), before.parse::<u32>()) {
        // With a column.
        (Some(path), Ok(line)) if last.parse::<u32>().is_ok() => (path.to_owned(), line),
        (Some(path), Err(_)) => (format!("{path}:{before}"), last.parse().ok()?),
        (None, _) => (before.to_owned(), last.parse().ok()?),
        _ => return None,
    };
    let dir = &input.workspace.package(package).dir;
    let path = dir.join(path);
    input.workspace.find(&path)?;
    Some((Place::File { path: RelPath::new(path.as_bytes()), range: whole_line(line) }, rest))
}
