//! Which packages a failed cargo did not judge.
//!
//! A target is judged when cargo made its artifact, or when it failed for nothing but lints: those are all
//! reported. Everything else was not reached, or not got through: a type error hides a crate's lints, and an
//! error in one crate hides all of its dependents.

use std::collections::{BTreeMap, BTreeSet};

use super::message::{Artifact, CompilerMessage};
use crate::model::task::Unit;
use crate::model::tool::{Arg, Parse, Piece, Tool};
use crate::model::workspace::{PackageId, Target, TargetKind, Workspace};
use crate::normalize::{Gap, Input};

/// What cargo got done, as far as members are concerned.
pub(super) struct Reach {
    /// What should be done.
    wanted: Wanted,
    made: BTreeSet<(PackageId, Compilation)>,
    /// Packages that do not compile.
    fatal: BTreeSet<PackageId>,
    /// Packages that a message was about.
    named: BTreeSet<PackageId>,
    /// Targets with lints that are errors.
    denied: BTreeSet<(PackageId, TargetKind, String)>,
    /// How many errors were read of each target, in all of its compilations.
    errors: BTreeMap<(PackageId, TargetKind, String), usize>,
}

/// One of the ways in which cargo has a target compiled.
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

impl Reach {
    /// Nothing is done yet of what `input` is about.
    pub(super) fn of(input: &Input<'_>) -> Self {
        Self {
            wanted: Wanted::of(input.tool),
            made: BTreeSet::new(),
            fatal: BTreeSet::new(),
            named: BTreeSet::new(),
            denied: BTreeSet::new(),
            errors: BTreeMap::new(),
        }
    }

    /// Takes note of a message about a target of `package`.
    pub(super) fn told(&mut self, package: PackageId, message: &CompilerMessage<'_>) {
        self.named.insert(package);
        if message.message.is_summary() {
            return;
        }
        if message.message.level == "error" {
            let target = (package, message.target.kind(), message.target.name.clone());
            *self.errors.entry(target).or_default() += message.message.count();
        }
        // For a build, a lint that is an error is as bad as any other.
        if message.message.is_fatal() || self.wanted.programs && message.message.is_error() {
            self.fatal.insert(package);
        } else if message.message.is_error() {
            self.denied.insert((package, message.target.kind(), message.target.name.clone()));
        }
    }

    /// Takes note of an artifact of a target of `package`.
    pub(super) fn made(&mut self, package: PackageId, artifact: &Artifact<'_>) {
        let mode = match () {
            () if artifact.profile.test => Mode::Test,
            () if artifact.filenames.iter().any(|name| name.ends_with(".html")) => Mode::Doc,
            () => Mode::Plain,
        };
        let (kind, name) = (artifact.target.kind(), artifact.target.name.clone());
        self.made.insert((package, Compilation { kind, name, mode }));
    }

    /// Whether there was something to do for the packages asked for, and cargo did nothing for any of them: where
    /// it succeeded, it spoke of other packages.
    pub(super) fn is_elsewhere(&self, input: &Input<'_>) -> bool {
        let packages = asked_for(input);
        let targets = |id: &PackageId| &input.workspace.package(*id).targets;
        packages.iter().any(|id| self.wanted.compilations(targets(id)).next().is_some())
            && !self.made.iter().any(|(package, _)| packages.contains(package))
            && !self.named.iter().any(|package| packages.contains(package))
    }

    /// The targets that cargo was asked for and got through, or of which it reported the lints.
    pub(super) fn looked_at(&self) -> impl Iterator<Item = (PackageId, TargetKind, &str)> {
        let is_wanted = |mode| match (self.wanted.docs, self.wanted.programs) {
            (true, _) => mode == Mode::Doc,
            (_, true) => mode == Mode::Test,
            _ => true,
        };
        let made = self.made.iter().filter(move |(_, compilation)| is_wanted(compilation.mode));
        let made = made.map(|(package, Compilation { kind, name, .. })| (*package, *kind, name.as_str()));
        made.chain(self.denied.iter().map(|(package, kind, name)| (*package, *kind, name.as_str())))
    }

    /// The packages of which a compilation may have ended in errors that are only lints: cargo names no artifact of it.
    pub(super) fn undecided(&self) -> impl Iterator<Item = PackageId> {
        self.denied.iter().map(|(package, ..)| *package).chain(self.fatal.iter().copied())
    }

    /// Whether errors that are only lints may have kept cargo from going on.
    pub(super) fn has_denied(&self) -> bool {
        !self.denied.is_empty()
    }

    /// The packages that should have been judged and were not.
    pub(super) fn gaps(&self, input: &Input<'_>) -> Vec<Gap> {
        let stderr = input.scrub.lossy(&input.output.stderr);
        let failures = Failures::read(input, &stderr);
        let mut packages = asked_for(input);
        let members = input.workspace.packages();
        packages.extend(members.filter(|(_, it)| failures.unreported.contains(&*it.name)).map(|(id, _)| id));
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
            // Everything that must be there is, and still something failed that no finding tells of.
            let reason = failures.outside(input.workspace).or_else(|| input.complaint());
            return vec![Gap::all(reason.unwrap_or_else(|| "cargo failed".to_owned()))];
        }
        gaps
    }

    /// The packages of which cargo counts more errors than were read, with these counts in words.
    fn unread(&self, workspace: &Workspace, failures: &Failures<'_>) -> BTreeMap<PackageId, String> {
        let mut unread = BTreeMap::new();
        for (id, package) in workspace.packages() {
            for target in &package.targets {
                let words = words_of(target.kind, &target.name);
                let counted = failures.counted.get(&(&*package.name, words)).copied().unwrap_or_default();
                let key = (id, target.kind, target.name.clone());
                let read = self.errors.get(&key).copied().unwrap_or_default();
                if counted > read {
                    unread.insert(
                        id,
                        format!("cargo counts {counted} errors in `{}`, and {read} were read", package.name),
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
                && failures.is_reported(&package.name, compilation)
        };
        !self.fatal.contains(&id)
            && !failures.unreported.contains(&*package.name)
            && self
                .wanted
                .compilations(&package.targets)
                .all(|compilation| lints_only(&compilation) || self.made.contains(&(id, compilation)))
    }

    /// Why cargo did not get as far as `package`.
    pub(super) fn why_not(&self, input: &Input<'_>, package: PackageId) -> String {
        let stderr = input.scrub.lossy(&input.output.stderr);
        self.reason(input, package, &Failures::read(input, &stderr))
    }

    fn reason(&self, input: &Input<'_>, id: PackageId, failures: &Failures<'_>) -> String {
        let workspace = input.workspace;
        let name = |id: PackageId| &*workspace.package(id).name;
        if self.fatal.contains(&id) {
            return format!("`{}` does not compile", name(id));
        }
        if let Some(error) = failures.build_scripts.get(name(id)) {
            return (*error).to_owned();
        }
        if failures.unreported.contains(name(id)) {
            return format!("`{}` was not compiled to the end", name(id));
        }
        // A dependency's errors explain more than the package's own, which are listed as its findings.
        let mut seen = BTreeSet::from([id]);
        let mut queue = vec![id];
        while let Some(next) = queue.pop() {
            queue.extend(workspace.package(next).dependencies.iter().filter(|dep| seen.insert(**dep)));
        }
        seen.remove(&id);
        let has_errors = |at: &PackageId| {
            self.fatal.contains(at)
                || self.denied.iter().any(|(package, ..)| package == at)
                || failures.build_scripts.contains_key(name(*at))
        };
        if let Some(culprit) = seen.into_iter().find(has_errors).or_else(|| Some(id).filter(has_errors)) {
            return format!("not reached: `{}` has errors", name(culprit));
        }
        failures
            .outside(workspace)
            .map(|error| format!("not reached: {error}"))
            .or_else(|| input.complaint())
            .unwrap_or_else(|| "not reached".to_owned())
    }
}

/// The packages that the process was to judge.
pub(super) fn asked_for(input: &Input<'_>) -> Vec<PackageId> {
    let own: Option<Vec<PackageId>> = input
        .units
        .iter()
        .map(|unit| if let Unit::Package(package) = unit { Some(*package) } else { None })
        .collect();
    own.filter(|own| !own.is_empty()).unwrap_or_else(|| input.packages.to_vec())
}

/// What a command line makes cargo compile.
#[derive(Clone, Copy)]
struct Wanted {
    /// Test programs, and nothing else.
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
            // Cargo documents no binary under the name of the library.
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

/// What cargo's stderr tells of what failed: the one place that names the compilation, not just the target.
#[derive(Default)]
struct Failures<'a> {
    /// Packages of which a compilation failed.
    packages: BTreeSet<&'a str>,
    /// Those of them of which one ended without telling all: a compiler that was killed, for one.
    unreported: BTreeSet<&'a str>,
    /// By package, the compilations that ended in errors which were all reported, in cargo's words.
    reported: BTreeSet<(&'a str, &'a str)>,
    /// How many errors cargo counts in all compilations of a target, by package.
    counted: BTreeMap<(&'a str, String), usize>,
    /// By package, what cargo says of its build script.
    build_scripts: BTreeMap<&'a str, &'a str>,
}

/// A target in cargo's words.
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

/// Whether `cause` says that a compiler just exited after its errors, which cargo tells under `--verbose`.
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
            // A compiler that did not just exit after its errors: cargo says what became of it.
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
                failures.ended(name, what.filter(|_| !died).map(|(what, _)| what));
            } else if let Some((name, _)) = quoted("could not document `") {
                failures.ended(name, (!died).then_some("doc"));
            } else if let Some((package, _)) = quoted("failed to run custom build command for `") {
                let name = package.split(' ').next().unwrap_or(package);
                failures.build_scripts.insert(name, error);
            }
        }
        failures
    }

    /// Takes note that a compilation of `package` failed; `reported` is which, where it told all that it had to.
    fn ended(&mut self, package: &'a str, reported: Option<&'a str>) {
        self.packages.insert(package);
        match reported {
            Some(what) => self.reported.insert((package, what)),
            None => self.unreported.insert(package),
        };
    }

    /// Whether something failed for another reason than errors in members, which are findings.
    fn has_more_than_errors(&self, workspace: &Workspace) -> bool {
        !self.unreported.is_empty() || !self.build_scripts.is_empty() || self.outside(workspace).is_some()
    }

    /// Whether cargo says that `compilation` ended in errors that were all reported.
    fn is_reported(&self, package: &str, compilation: &Compilation) -> bool {
        let target = words_of(compilation.kind, &compilation.name);
        let what = match (compilation.mode, compilation.kind) {
            (Mode::Doc, _) => "doc".to_owned(),
            (Mode::Test, TargetKind::Lib | TargetKind::Bin | TargetKind::Example) => format!("{target} test"),
            _ => target,
        };
        self.reported.contains(&(package, &what))
    }

    /// The first failure, by name, of a package that is no member.
    fn outside(&self, workspace: &Workspace) -> Option<String> {
        let members: BTreeSet<&str> = workspace.packages.iter().map(|package| &*package.name).collect();
        let compile = self.packages.iter().map(|name| (*name, format!("`{name}` does not compile")));
        let scripts = self.build_scripts.iter().map(|(name, error)| (*name, (*error).to_owned()));
        compile.chain(scripts).filter(|(name, _)| !members.contains(name)).min().map(|(_, error)| error)
    }
}

#[cfg(test)]
mod tests;
