//! Finds the packages that a failed cargo did not check.
//!
//! A target is checked if cargo built its artifact, or if it failed only because of lints, since lints are all
//! reported. Everything else was not reached or not finished: a type error hides the crate's lints, and an error in one
//! crate hides all its dependents.

use std::collections::{BTreeMap, BTreeSet};

use super::message::{CargoArtifact, CompilerMessage};
use crate::model::task::Unit;
use crate::model::tool::{Arg, Parse, Piece, Tool};
use crate::model::workspace::{Package, PackageId, Target, TargetKind, Workspace};
use crate::normalize::{Gap, Input};

/// Progress of cargo with workspace members.
pub(super) struct CargoReach {
    /// Compilations that cargo should do.
    wanted: Wanted,
    finished: BTreeSet<(PackageId, Compilation)>,
    /// Packages that do not compile.
    fatal: BTreeSet<PackageId>,
    /// Packages that have a message.
    named: BTreeSet<PackageId>,
    /// Targets with lints that are errors.
    denied: BTreeSet<(PackageId, TargetKind, String)>,
    /// Number of errors parsed for each target, over all its compilations.
    errors: BTreeMap<(PackageId, TargetKind, String), usize>,
}

/// One way in which cargo compiles a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Compilation {
    kind: TargetKind,
    name: String,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Plain,
    Test,
    Doc,
}

impl CargoReach {
    /// Creates the state before any progress.
    pub(super) fn of(input: &Input<'_>) -> Self {
        Self {
            wanted: Wanted::of(input.tool),
            finished: BTreeSet::new(),
            fatal: BTreeSet::new(),
            named: BTreeSet::new(),
            denied: BTreeSet::new(),
            errors: BTreeMap::new(),
        }
    }

    /// Adds a message about a target of `package`.
    pub(super) fn add_message(&mut self, package: PackageId, message: &CompilerMessage<'_>) {
        self.named.insert(package);
        if message.message.is_summary() {
            return;
        }
        if message.message.level == "error" {
            let target = (package, message.target.kind(), message.target.name.clone());
            *self.errors.entry(target).or_default() += message.message.count();
        }
        // For a build, a lint that is an error is as bad as any other error.
        if message.message.is_fatal() || self.wanted.programs && message.message.is_error() {
            self.fatal.insert(package);
        } else if message.message.is_error() {
            self.denied.insert((package, message.target.kind(), message.target.name.clone()));
        }
    }

    /// Adds an artifact of a target of `package`.
    pub(super) fn add_artifact(&mut self, package: PackageId, artifact: &CargoArtifact<'_>) {
        let mode = match () {
            () if artifact.profile.test => Mode::Test,
            () if artifact.filenames.iter().any(|name| name.ends_with(".html")) => Mode::Doc,
            () => Mode::Plain,
        };
        let (kind, name) = (artifact.target.kind(), artifact.target.name.clone());
        self.finished.insert((package, Compilation { kind, name, mode }));
    }

    /// Returns whether there was something to compile for the requested packages but cargo named none of them. If it
    /// still succeeded, it compiled other packages.
    pub(super) fn is_elsewhere(&self, input: &Input<'_>) -> bool {
        let packages = asked_for(input);
        let targets = |id: &PackageId| &input.workspace.package(*id).targets;
        packages.iter().any(|id| self.wanted.compilations(targets(id)).next().is_some())
            && !self.finished.iter().any(|(package, _)| packages.contains(package))
            && !self.named.iter().any(|package| packages.contains(package))
    }

    /// Returns the requested targets that cargo finished or whose lints it reported.
    pub(super) fn looked_at(&self) -> impl Iterator<Item = (PackageId, TargetKind, &str)> {
        let is_wanted = |mode| match (self.wanted.docs, self.wanted.programs) {
            (true, _) => mode == Mode::Doc,
            (_, true) => mode == Mode::Test,
            _ => true,
        };
        let finished = self.finished.iter().filter(move |(_, compilation)| is_wanted(compilation.mode));
        let finished =
            finished.map(|(package, Compilation { kind, name, .. })| (*package, *kind, name.as_str()));
        finished.chain(self.denied.iter().map(|(package, kind, name)| (*package, *kind, name.as_str())))
    }

    /// Returns the packages with compilations that possibly failed only because of lints. Cargo reports no artifact for
    /// these.
    pub(super) fn undecided(&self) -> impl Iterator<Item = PackageId> {
        self.denied.iter().map(|(package, ..)| *package).chain(self.fatal.iter().copied())
    }

    /// Returns whether lints that are errors may have stopped cargo.
    pub(super) fn has_denied(&self) -> bool {
        !self.denied.is_empty()
    }

    /// Returns the packages that should have been checked but were not.
    pub(super) fn gaps(&self, input: &Input<'_>) -> Vec<Gap> {
        let stderr = input.scrub.lossy(&input.output.stderr);
        let failures = Failures::read(input, &stderr);
        let mut packages = asked_for(input);
        let members = input.workspace.packages();
        let is_unreported = |package: &Package| failures.unreported.contains(package.cargo_name());
        packages.extend(members.filter(|(_, it)| is_unreported(it)).map(|(id, _)| id));
        let unread = self.unread(input.workspace, &failures);
        packages.extend(unread.keys());
        packages.sort();
        packages.dedup();
        let gaps: Vec<Gap> = packages
            .into_iter()
            .filter(|package| unread.contains_key(package) || !self.is_judged(input, *package, &failures))
            .map(|package| Gap {
                package: Some(package),
                path: None,
                reason: unread
                    .get(&package)
                    .cloned()
                    .unwrap_or_else(|| self.reason(input, package, &failures)),
            })
            .collect();
        if gaps.is_empty() && (self.denied.is_empty() || failures.has_more_than_errors(input.workspace)) {
            // All expected artifacts exist, but something failed that no finding explains.
            let reason = failures.outside(input.workspace).or_else(|| input.complaint());
            return vec![Gap::all(reason.unwrap_or_else(|| "cargo failed".to_owned()))];
        }
        gaps
    }

    /// Returns the packages for which cargo counts more errors than were parsed, each with a message.
    fn unread(&self, workspace: &Workspace, failures: &Failures<'_>) -> BTreeMap<PackageId, String> {
        let mut unread = BTreeMap::new();
        // Cargo does not tell packages of several workspaces apart that have the same name.
        let mut all: BTreeMap<(&str, TargetKind, &str), usize> = BTreeMap::new();
        for ((id, kind, name), count) in &self.errors {
            *all.entry((workspace.package(*id).cargo_name(), *kind, name)).or_default() += count;
        }
        for (id, package) in workspace.packages() {
            for target in &package.targets {
                let words = words_of(target.kind, &target.name);
                let name = package.cargo_name();
                let counted = failures.counted.get(&(name, words)).copied().unwrap_or_default();
                let read = all.get(&(name, target.kind, &target.name)).copied().unwrap_or_default();
                if counted > read {
                    unread.insert(
                        id,
                        format!(
                            "cargo counts {counted} errors in `{}`, but only {read} were parsed",
                            package.name
                        ),
                    );
                }
            }
        }
        unread
    }

    fn is_judged(&self, input: &Input<'_>, id: PackageId, failures: &Failures<'_>) -> bool {
        let package = input.workspace.package(id);
        let lints_only = |compilation: &Compilation| {
            self.denied.contains(&(id, compilation.kind, compilation.name.clone()))
                && failures.is_reported(package.cargo_name(), compilation)
        };
        !self.fatal.contains(&id)
            && !failures.unreported.contains(package.cargo_name())
            && self
                .wanted
                .compilations(&package.targets)
                .all(|compilation| lints_only(&compilation) || self.finished.contains(&(id, compilation)))
    }

    /// Returns the reason why cargo did not check `package`.
    pub(super) fn why_not(&self, input: &Input<'_>, package: PackageId) -> String {
        let stderr = input.scrub.lossy(&input.output.stderr);
        self.reason(input, package, &Failures::read(input, &stderr))
    }

    fn reason(&self, input: &Input<'_>, id: PackageId, failures: &Failures<'_>) -> String {
        let workspace = input.workspace;
        let name = |id: PackageId| &*workspace.package(id).name;
        let of_cargo = |id: PackageId| workspace.package(id).cargo_name();
        if self.fatal.contains(&id) {
            return format!("`{}` does not compile", name(id));
        }
        if let Some(error) = failures.build_scripts.get(of_cargo(id)) {
            return (*error).to_owned();
        }
        if failures.unreported.contains(of_cargo(id)) {
            return format!("compiling `{}` did not finish", name(id));
        }
        // Errors of a dependency explain more than the package's own errors, which are listed as its findings.
        let mut seen = BTreeSet::from([id]);
        let mut queue = vec![id];
        while let Some(next) = queue.pop() {
            queue.extend(workspace.package(next).dependencies.iter().filter(|dep| seen.insert(**dep)));
        }
        seen.remove(&id);
        let has_errors = |at: &PackageId| {
            self.fatal.contains(at)
                || self.denied.iter().any(|(package, ..)| package == at)
                || failures.build_scripts.contains_key(of_cargo(*at))
        };
        if let Some(culprit) = seen.into_iter().find(has_errors).or_else(|| Some(id).filter(has_errors)) {
            return format!("not checked because `{}` has errors", name(culprit));
        }
        failures
            .outside(workspace)
            .map(|error| format!("not checked: {error}"))
            .or_else(|| input.complaint())
            .unwrap_or_else(|| "not checked".to_owned())
    }
}

/// Returns the packages that the process should check.
pub(super) fn asked_for(input: &Input<'_>) -> Vec<PackageId> {
    let own: Option<Vec<PackageId>> = input
        .units
        .iter()
        .map(|unit| match unit {
            Unit::Package(package) | Unit::Combination(package, _) => Some(*package),
            _ => None,
        })
        .collect();
    own.filter(|own| !own.is_empty()).unwrap_or_else(|| input.packages.to_vec())
}

/// Kinds of targets that a command line makes cargo compile.
#[derive(Clone, Copy)]
struct Wanted {
    /// Only test programs.
    programs: bool,
    docs: bool,
    lib: bool,
    bins: bool,
    examples: bool,
    tests: bool,
    benches: bool,
}

impl Wanted {
    fn of(tool: &Tool) -> Self {
        let literals = tool.run.iter().filter_map(|arg| match arg {
            Arg::Text(pieces) => match pieces.as_slice() {
                [Piece::Literal(text)] => Some(text),
                _ => None,
            },
            _ => None,
        });
        let words: BTreeSet<&str> = literals.chain(&tool.args).map(String::as_str).collect();
        let flags = ["--lib", "--bins", "--examples", "--tests", "--benches"];
        let all = words.contains("--all-targets");
        let default = !flags.iter().any(|flag| words.contains(flag));
        let [lib, bins, examples, tests, benches] = flags.map(|flag| all || words.contains(flag));
        Self {
            programs: tool.parse == Parse::CargoBuild,
            docs: words.contains("doc"),
            lib: lib || default,
            bins: bins || default,
            examples,
            tests,
            benches,
        }
    }

    fn compilations(self, targets: &[Target]) -> impl Iterator<Item = Compilation> {
        let lib = targets.iter().find(|target| target.kind == TargetKind::Lib);
        targets.iter().filter(|target| !target.needs_features).flat_map(move |target| {
            // Cargo does not document a binary with the same name as the library.
            let shadowed = target.kind == TargetKind::Bin
                && lib.is_some_and(|lib| lib.name.replace('-', "_") == target.name.replace('-', "_"));
            let test = self.tests && target.test;
            let (plain, test, doc) = match target.kind {
                _ if self.programs => (false, target.test, false),
                TargetKind::BuildScript => (true, false, false),
                _ if self.docs => (false, false, target.doc && !shadowed),
                TargetKind::Lib => (self.lib, test, false),
                TargetKind::Bin => (self.bins, test, false),
                TargetKind::Example => (self.examples, test, false),
                TargetKind::Test => (false, test, false),
                TargetKind::Bench => (false, self.benches, false),
            };
            [(plain, Mode::Plain), (test, Mode::Test), (doc, Mode::Doc)]
                .into_iter()
                .filter(|(wanted, _)| *wanted)
                .map(|(_, mode)| Compilation { kind: target.kind, name: target.name.clone(), mode })
        })
    }
}

/// Failures that cargo reports on stderr. Only these name the compilation and not just the target.
#[derive(Default)]
struct Failures<'a> {
    /// Packages with a failed compilation.
    packages: BTreeSet<&'a str>,
    /// Packages with a compilation that failed without reporting all its errors, for example because the compiler was
    /// killed.
    unreported: BTreeSet<&'a str>,
    /// Compilations that failed with all errors reported, by package, in cargo's words.
    reported: BTreeSet<(&'a str, &'a str)>,
    /// Number of errors that cargo counts in all compilations of a target, by package.
    counted: BTreeMap<(&'a str, String), usize>,
    /// Message of cargo about a failed build script, by package.
    build_scripts: BTreeMap<&'a str, &'a str>,
}

/// Returns the name of a target in cargo's words.
fn words_of(kind: TargetKind, name: &str) -> String {
    let named = |kind: &str| format!("{kind} \"{name}\"");
    match kind {
        TargetKind::Lib => "lib".to_owned(),
        TargetKind::Bin => named("bin"),
        TargetKind::Example => named("example"),
        TargetKind::Test => named("test"),
        TargetKind::Bench => named("bench"),
        TargetKind::BuildScript => "build script".to_owned(),
    }
}

/// Returns whether `cause` means that the compiler just exited after its errors. Cargo prints this with `--verbose`.
fn is_plain_exit(cause: &str) -> bool {
    cause.ends_with("(exit status: 1)") || cause.ends_with("(exit code: 1)")
}

impl<'a> Failures<'a> {
    fn read(input: &Input<'_>, stderr: &'a str) -> Self {
        let mut failures = Self::default();
        let mut lines = input.text_lines(stderr).filter(|line| !line.trim().is_empty()).peekable();
        while let Some(line) = lines.next() {
            let Some(error) = line.strip_prefix("error: ") else { continue };
            let quoted = |before: &str| error.strip_prefix(before)?.split_once('`');
            // Cargo states a cause if the compiler did not simply exit after its errors.
            let cause = lines.next_if(|next| next.starts_with("Caused by:")).is_some();
            let died = cause && !lines.peek().is_some_and(|cause| is_plain_exit(cause));
            if let Some((name, rest)) = quoted("could not compile `") {
                let what = rest.strip_prefix(" (").and_then(|rest| rest.split_once(") due to "));
                if let Some((what, count)) = what
                    && let Some(count) = count.split(' ').next().and_then(|count| count.parse::<usize>().ok())
                {
                    let target = what.strip_suffix(" test").unwrap_or(what).to_owned();
                    let counted = failures.counted.entry((name, target)).or_default();
                    *counted = counted.saturating_add(count);
                }
                failures.add(name, what.filter(|_| !died).map(|(what, _)| what));
            } else if let Some((name, _)) = quoted("could not document `") {
                failures.add(name, (!died).then_some("doc"));
            } else if let Some((package, _)) = quoted("failed to run custom build command for `") {
                let name = package.split(' ').next().unwrap_or(package);
                failures.build_scripts.insert(name, error);
            }
        }
        failures
    }

    /// Adds a failed compilation of `package`. `reported` names it if all its errors were reported.
    fn add(&mut self, package: &'a str, reported: Option<&'a str>) {
        self.packages.insert(package);
        match reported {
            Some(what) => self.reported.insert((package, what)),
            None => self.unreported.insert(package),
        };
    }

    /// Returns whether something failed for a reason other than errors in members, which are findings.
    fn has_more_than_errors(&self, workspace: &Workspace) -> bool {
        !self.unreported.is_empty() || !self.build_scripts.is_empty() || self.outside(workspace).is_some()
    }

    /// Returns whether cargo says that `compilation` failed with all errors reported.
    fn is_reported(&self, package: &str, compilation: &Compilation) -> bool {
        let target = words_of(compilation.kind, &compilation.name);
        let what = match (compilation.mode, compilation.kind) {
            (Mode::Doc, _) => "doc".to_owned(),
            (Mode::Test, TargetKind::Lib | TargetKind::Bin | TargetKind::Example) => format!("{target} test"),
            _ => target,
        };
        self.reported.contains(&(package, &what))
    }

    /// Returns the first failure, by name, of a package outside the workspace.
    fn outside(&self, workspace: &Workspace) -> Option<String> {
        let members: BTreeSet<&str> = workspace.packages.iter().map(Package::cargo_name).collect();
        let compile = self.packages.iter().map(|name| (*name, format!("`{name}` does not compile")));
        let scripts = self.build_scripts.iter().map(|(name, error)| (*name, (*error).to_owned()));
        compile.chain(scripts).filter(|(name, _)| !members.contains(name)).min().map(|(_, error)| error)
    }
}

#[cfg(test)]
mod tests;
