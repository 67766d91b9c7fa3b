//! The lints and findings that another toolchain brings, and their description. Knows nothing about how the runs are made.

use std::collections::BTreeMap;
use std::fmt::Write;

use genti::model::finding::{Finding, State, counts_for};
use genti::model::outcome::{Compared, Outcome};
use genti::model::release::Release;
use genti::model::tool::{Tool, Work};
use genti::plan::config::{Lock, Locked};
use genti::report::text::{counted, number, visible_line};

/// The findings and lints that a toolchain brings.
pub(super) struct Coming<'a> {
    tools: &'a [Tool],
    locked: &'a Lock,
    next: &'a Lock,
    /// New findings, in their order.
    new: Vec<&'a Compared>,
    /// Number of gone findings by rule.
    gone: BTreeMap<&'a str, usize>,
    /// True if only findings of new lints are known to come from the toolchain.
    only_new_lints: bool,
}

/// Origin of a new finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    NewLint,
    KnownLint,
    /// A failed test, a compile error or another difference that no lint explains.
    Other,
}

impl<'a> Coming<'a> {
    /// Returns what is new in `outcome`, a run of `tools`. `locked` has the former versions with their lints, and `next` the present
    /// ones.
    pub(super) fn of(
        tools: &'a [Tool],
        outcome: &'a Outcome,
        locked: &'a Lock,
        next: &'a Lock,
        only_new_lints: bool,
    ) -> Self {
        let new = outcome.findings.iter().filter(|compared| compared.state == State::New).collect();
        let mut gone: BTreeMap<_, usize> = BTreeMap::new();
        for gone_one in outcome.gone.iter().filter(|gone| gone.state == State::Fixed) {
            *gone.entry(&*gone_one.entry.rule).or_default() += 1;
        }
        Self { tools, locked, next, new, gone, only_new_lints }
    }

    /// Number of findings that the toolchain brings.
    pub(super) fn count(&self) -> usize {
        self.acceptable().count() + self.others().count()
    }

    /// Counts them in words.
    pub(super) fn counted(&self) -> String {
        counted(self.count(), "new finding", "new findings")
    }

    /// Returns the findings that can be accepted together with the toolchain.
    pub(super) fn acceptable(&self) -> impl Iterator<Item = &'a Compared> {
        self.new.iter().copied().filter(|compared| match self.kind(&compared.finding) {
            Kind::NewLint => true,
            Kind::KnownLint => !self.only_new_lints,
            Kind::Other => false,
        })
    }

    /// Returns the differences that must not be accepted.
    pub(super) fn others(&self) -> impl Iterator<Item = &'a Compared> {
        let is_other = |compared: &&Compared| self.kind(&compared.finding) == Kind::Other;
        self.new.iter().copied().filter(move |compared| !self.only_new_lints && is_other(compared))
    }

    /// Number of new findings that the toolchain is not known to bring.
    pub(super) fn left(&self) -> usize {
        self.new.len() - self.count()
    }

    /// Returns the tool that a finding is counted for.
    pub(super) fn tool_of(&self, finding: &Finding) -> &'a Tool {
        let all = self.tools.iter().filter(|tool| finding.is_of(&tool.name));
        counts_for(all, |tool| tool.required).unwrap_or(&self.tools[0])
    }

    fn kind(&self, finding: &Finding) -> Kind {
        let tools = || self.tools.iter().filter(|tool| finding.is_of(&tool.name));
        let is_of_tests = tools().any(|tool| matches!(tool.parse.work(), Work::Test | Work::RunScripts));
        if is_of_tests || !finding.diagnostic.can_be_accepted() {
            return Kind::Other;
        }
        let is_new = |tool: &Tool| {
            self.lints(tool).is_some_and(|(former, next)| {
                let rule = &*finding.diagnostic.rule;
                next.rules.contains(rule) && !former.rules.contains(rule)
            })
        };
        if tools().all(is_new) { Kind::NewLint } else { Kind::KnownLint }
    }

    /// Returns the former and the present version of `tool`, if the lints of both are known.
    fn lints(&self, tool: &Tool) -> Option<(&Locked, &Locked)> {
        let name = tool.version_name();
        let (former, next) = (self.locked.tools.get(&*name)?, self.next.tools.get(&*name)?);
        (!former.rules.is_empty() && !next.rules.is_empty()).then_some((former, next))
    }

    /// Describes everything.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for (name, next) in &self.next.tools {
            let Some(former) = self.locked.tools.get(name) else { continue };
            if former.version != next.version {
                let _ = writeln!(out, "{}", visible_line(&versions(name, former, next)));
            }
        }
        let of = |kind| self.new.iter().filter(move |compared| self.kind(&compared.finding) == kind);
        let known = match self.only_new_lints {
            true => "may have another reason",
            false => "of lints that exist already",
        };
        for (kind, what) in [
            (Kind::NewLint, "of new lints"),
            (Kind::KnownLint, known),
            (Kind::Other, "of failed tests and errors"),
        ] {
            let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
            of(kind).for_each(|one| *rules.entry(&one.finding.diagnostic.rule).or_default() += 1);
            section(what, &rules, &mut out);
        }
        section("gone", &self.gone, &mut out);
        out
    }
}

/// Describes the difference between two versions of the tool called `name`.
fn versions(name: &str, former: &Locked, next: &Locked) -> String {
    let short = |locked: &Locked| match Release::of(&locked.version) {
        Some(release) => release.number.into_owned(),
        None => locked.version.clone(),
    };
    let lints = match former.rules.is_empty() || next.rules.is_empty() {
        true => String::new(),
        false => {
            let (new, gone) = (next.rules.difference(&former.rules), former.rules.difference(&next.rules));
            format!(
                ": {}, {} gone",
                counted(new.count(), "new lint", "new lints"),
                number(gone.count() as u64)
            )
        }
    };
    format!("{name} {} → {}{lints}", short(former), short(next))
}

/// Adds a list of `rules` with their numbers, the most frequent ones first.
fn section(what: &str, rules: &BTreeMap<&str, usize>, out: &mut String) {
    let total: usize = rules.values().sum();
    if total == 0 {
        return;
    }
    let _ = writeln!(out, "\n{} {what}", counted(total, "finding", "findings"));
    let mut sorted: Vec<_> = rules.iter().collect();
    sorted.sort_by_key(|(rule, count)| (std::cmp::Reverse(**count), **rule));
    for (rule, count) in sorted {
        let _ = writeln!(out, "{:>8}  {}", number(*count as u64), visible_line(rule));
    }
}
