//! Reads which programs failed, and how, from the stderr of `cargo test`.
//!
//! The reports on stdout don't name their program, so cargo's messages on stderr are used to identify it. For each
//! failure, cargo prints how to run that program again, even with `--quiet`, where it does not print the programs that
//! it starts. The failures are matched with the reports that contain failures, in order. If their numbers differ, tests
//! with equal names cannot be distinguished and there is no result.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::doc::DocTest;
use super::report::LibtestReport;
use crate::model::workspace::{Package, Target, TargetKind};
use crate::normalize::{Input, is_crash};

/// Failures reported by cargo on stderr.
pub(super) struct CargoFailures<'a> {
    /// Failed programs, in order.
    failures: Vec<Failure<'a>>,
    /// Number of failures that cargo counts at the end, after running everything.
    counted: Option<usize>,
    /// Number of crates whose doc tests cargo started.
    documented: usize,
}

/// Program with failed tests, or failed doc tests of a crate.
pub(super) struct Failure<'a> {
    /// Line without `error: `.
    line: &'a str,
    /// Options that select the program: `-p alpha --test it`.
    args: &'a str,
    is_doc: bool,
    /// Set unless it exited with 101, as the harness does after a failure.
    death: Option<Death>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Death {
    /// Exited with this code.
    Exit(i32),
    /// Killed by a signal, could not be started, or the like.
    Other,
}

impl Death {
    /// Parses the line after `Caused by:`.
    fn read(line: &str) -> Self {
        static STATUS: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\(exit (?:status|code): (-?\d+)\)$").expect("valid"));
        let code = STATUS.captures(line).and_then(|found| found[1].parse().ok());
        code.filter(|code| !is_crash(*code)).map_or(Self::Other, Self::Exit)
    }
}

impl<'a> CargoFailures<'a> {
    pub(super) fn read(input: &Input<'_>, stderr: &'a str) -> Self {
        static COUNT: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^error: (\d+) targets? failed:$").expect("valid"));
        let mut cargo = Self { failures: Vec::new(), counted: None, documented: 0 };
        let mut lines = input.text_lines(stderr).filter(|line| !line.is_empty()).peekable();
        while let Some(line) = lines.next() {
            if line.starts_with("   Doc-tests ") {
                cargo.documented += 1;
            } else if let Some(found) = COUNT.captures(line) {
                cargo.counted = found[1].parse().ok();
            } else if let Some(mut failure) = Failure::read(line) {
                if lines.next_if(|line| line.starts_with("Caused by:")).is_some() {
                    failure.death = Some(lines.peek().map_or(Death::Other, |line| Death::read(line)));
                }
                cargo.failures.push(failure);
            }
        }
        cargo
    }

    /// Returns whether a program did not finish.
    pub(super) fn has_dead(&self) -> bool {
        self.failures.iter().any(|failure| failure.death == Some(Death::Other))
    }

    /// Returns a reason if cargo did not run everything, or if some of it has no result. `failed` are the reports with
    /// failures, `reports` is the number of all reports.
    pub(super) fn gap(
        &self,
        input: &Input<'_>,
        failed: &[&LibtestReport<'_>],
        reports: usize,
    ) -> Option<String> {
        // A failure in one crate does not explain a failure in another.
        let mut accounted = BTreeSet::new();
        for report in failed.iter().filter(|report| is_of_docs(report)) {
            let owner = |name: &&str| {
                input.workspace.owner_of(&input.scrub.path(DocTest::read(name)?.path.as_bytes())?)
            };
            accounted.insert(report.failed.iter().find_map(owner));
        }
        let docs: Vec<_> = self.failures.iter().filter(|failure| failure.is_doc).collect();
        let is_dead = |failure: &&&Failure<'_>| {
            let package = failure.package(input);
            let is_missing = package.is_some_and(|package| {
                !accounted.contains(&input.workspace.owner_of(&package.dir)) && !accounted.contains(&None)
            });
            failure.death.is_some() || is_missing || accounted.is_empty()
        };
        let is_broken = |failure: &&Failure<'_>| !failure.is_doc && failure.death == Some(Death::Other);
        if let Some(dead) =
            self.failures.iter().find(is_broken).or_else(|| docs.iter().find(is_dead).copied())
        {
            return Some(input.scrub.text(dead.line));
        }
        if self.documented > reports {
            let documented = self.documented;
            return Some(format!(
                "cargo ran the doc tests of {documented} crates, but only {reports} reported a result"
            ));
        }
        match self.counted {
            Some(counted) if counted != self.failures.len() => {
                Some(format!("cargo counts {counted} failed targets but names {}", self.failures.len()))
            }
            None if !self.failures.is_empty() => Some(
                "cargo stopped at the first failed target; pass `--no-fail-fast` to run all of them"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Returns the program of each report in `failed`, none of which is about doc tests. Otherwise returns the reason
    /// why the programs are not known.
    pub(super) fn programs(
        &self,
        input: &Input<'_>,
        failed: &[&LibtestReport<'_>],
    ) -> Result<Vec<String>, String> {
        let programs: Vec<_> =
            self.failures.iter().filter(|it| !it.is_doc && it.death != Some(Death::Other)).collect();
        if programs.len() != failed.len() {
            let count = |count: usize, verb: &str| match count {
                1 => format!("1 program{verb}"),
                count => format!("{count} programs{}", verb.replace("reports", "report")),
            };
            let (named, reporting) =
                (count(programs.len(), " with failed tests"), count(failed.len(), " reports failures"));
            return Err(format!("cargo names {named}, but {reporting}"));
        }
        // rustc's harness exits with 101.
        let is_odd = |(program, report): (&&Failure<'_>, &&LibtestReport<'_>)| {
            report.is_libtest && program.death.is_some()
        };
        if let Some((program, _)) =
            programs.iter().zip(failed).find(|&(program, report)| is_odd((program, report)))
        {
            return Err(input.scrub.text(program.line));
        }
        Ok(programs.into_iter().map(|program| program.name(input)).collect())
    }

    /// Returns the failed programs if none of them printed a report. Each has a custom harness.
    pub(super) fn without_reports(&self, input: &Input<'_>) -> Vec<String> {
        let own = self.failures.iter().filter(|it| !it.is_doc && it.death != Some(Death::Other));
        own.map(|program| program.name(input)).collect()
    }

    /// Returns whether cargo does not mention any program.
    pub(super) fn is_silent(&self) -> bool {
        self.failures.is_empty() && self.documented == 0
    }

    /// Returns whether cargo reports a failure.
    pub(super) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }
}

/// Returns whether the failed tests are doc tests.
pub(super) fn is_of_docs(report: &LibtestReport<'_>) -> bool {
    report.failed.iter().all(|name| DocTest::read(name).is_some())
}

impl<'a> Failure<'a> {
    /// Parses the line `error: test failed, to rerun pass `-p alpha --lib``.
    fn read(line: &'a str) -> Option<Self> {
        let line = line.strip_prefix("error: ")?;
        let (kind, args) = line.split_once(" failed, to rerun pass ")?;
        let is_doc = match kind {
            "doctest" => true,
            "test" | "bench" => false,
            _ => return None,
        };
        Some(Self { line, args: args.trim_matches('`'), is_doc, death: None })
    }

    /// Returns the word after `option`.
    fn value(&self, option: &str) -> Option<&'a str> {
        let mut words = self.args.split(' ').skip_while(|word| *word != option);
        words.nth(1)
    }

    /// Returns the package of the program. Cargo names it unless only one was selected.
    fn package<'w>(&self, input: &'w Input<'_>) -> Option<&'w Package> {
        let named = self.value("-p");
        let packages: Vec<_> = input.packages_of_workspace().map(|(_, package)| package).collect();
        match (named, packages.as_slice()) {
            (Some(name), _) => packages.into_iter().find(|package| package.cargo_name() == name),
            (None, [only]) => Some(only),
            // If several packages match, cargo means the one in the current directory.
            (None, _) => {
                let candidates: Vec<_> =
                    packages.into_iter().filter(|package| self.target(package).is_some()).collect();
                let is_here =
                    |package: &&&Package| package.dir == package.workspace.clone().unwrap_or_default();
                match candidates.as_slice() {
                    [only] => Some(only),
                    candidates => candidates.iter().find(is_here).copied(),
                }
            }
        }
    }

    fn target<'w>(&self, package: &'w Package) -> Option<&'w Target> {
        use TargetKind::{Bench, Bin, Example, Test};
        let kinds = [("--bin", Bin), ("--test", Test), ("--bench", Bench), ("--example", Example)];
        let named = kinds.iter().find_map(|(option, kind)| Some((*kind, self.value(option)?)));
        package.targets.iter().find(|target| match named {
            Some((kind, name)) => target.kind == kind && target.name == name,
            None => target.kind == TargetKind::Lib,
        })
    }

    /// Returns the name of the program, the same as if it were run alone, or else the options that select it.
    fn name(&self, input: &Input<'_>) -> String {
        let package = self.package(input);
        let target = package.and_then(|package| Some((package, self.target(package)?)));
        target.map_or_else(|| self.args.to_owned(), |(package, target)| package.test_name(target))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;
