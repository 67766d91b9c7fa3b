//! Chooses the fixes to apply among those of the findings.

use std::collections::BTreeMap;

use crate::model::finding::{Diagnostic, Fix, Range, State};
use crate::model::generator::FileAction;
use crate::model::outcome::Compared;
use crate::model::path::RelPath;
use crate::model::text::Text;

/// Selects the findings whose fixes are applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Also fix accepted findings, and not only new ones.
    pub with_accepted: bool,
    /// Also apply fixes that may change the meaning of the code.
    pub with_unsafe: bool,
    /// Only fix findings of these tools; all tools if empty.
    pub tools: Vec<String>,
    /// Only fix findings of these rules; all rules if empty.
    pub rules: Vec<String>,
    /// Only fix these files, and files in these directories; all files if empty.
    pub paths: Vec<RelPath>,
}

impl Filter {
    fn includes(&self, Compared { finding, state, .. }: &Compared) -> bool {
        let is_meant = match state {
            State::New => true,
            State::Unchanged | State::Updated => self.with_accepted,
            State::Noted | State::Fixed | State::Unknown | State::Suppressed => false,
        };
        is_meant
            && finding.diagnostic.takes_fixes()
            && (self.tools.is_empty() || self.tools.iter().any(|tool| finding.is_of_any(tool)))
            && (self.rules.is_empty() || self.rules.iter().any(|rule| finding.diagnostic.rule == *rule))
    }

    fn is_in(&self, path: &RelPath) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|dir| path.is_within(dir))
    }
}

/// Kinds of fixes, in the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FixKind {
    /// From a compiler, which counts lines and columns without byte order marks and carriage returns.
    Compiler,
    /// From another tool.
    Other,
    /// Replaces whole lines, as a formatter does. All such fixes of a file belong together: one may open a brace that another one
    /// closes.
    Lines,
}

/// A fix of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proposal {
    kind: FixKind,
    /// Ranges of text with their replacements, sorted.
    pub edits: Vec<(Range, String)>,
    /// Rule of the finding.
    pub rule: Text,
    /// Change of the whole file, if it takes over what a generator made.
    pub action: Option<FileAction>,
}

impl Proposal {
    /// Returns the proposal of a finding whose fix changes a single file.
    fn of(diagnostic: &Diagnostic, fix: &Fix) -> Self {
        let kind = match &*diagnostic.ns {
            "clippy" | "rustc" | "rustdoc" => FixKind::Compiler,
            "rustfmt" => FixKind::Lines,
            _ if fix.edits.iter().all(|(_, range, _)| (range.start.column, range.end.column) == (1, 1)) => {
                FixKind::Lines
            }
            _ => FixKind::Other,
        };
        let edits = fix.edits.iter().map(|(_, range, text)| (*range, text.clone()));
        Self { kind, edits: edits.collect(), rule: diagnostic.rule.clone(), action: fix.action }
    }

    /// Returns true if its positions are counted as compilers do.
    pub(super) fn is_of_compiler(&self) -> bool {
        self.kind == FixKind::Compiler
    }

    /// Returns true if it belongs together with the other fixes of its rule in the file.
    pub(super) fn is_of_lines(&self) -> bool {
        self.kind == FixKind::Lines
    }

    /// Returns true if both belong together and touch, so one can't be applied without the other.
    fn joins(&self, other: &Self) -> bool {
        let (Some((one, _)), Some((next, _))) = (self.edits.first(), other.edits.first()) else {
            return false;
        };
        self.is_of_lines() && self.rule == other.rule && one.start <= next.end && next.start <= one.end
    }
}

/// The chosen fixes, and the number of fixes that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposals {
    /// Fixes by file, each list sorted into the order in which they are applied and without duplicates.
    pub files: BTreeMap<RelPath, Vec<Proposal>>,
    /// Number of fixes left out because they may change the meaning of the code.
    pub is_unsafe: usize,
    /// Number of fixes left out because a build that compiles the same code does not propose them.
    pub is_disputed: usize,
    /// Number of fixes left out because they change several files.
    pub in_several_files: usize,
}

/// Chooses among the fixes of `findings`.
pub fn choose(findings: &[Compared], filter: &Filter) -> Proposals {
    let mut chosen = Proposals::default();
    let mut others: BTreeMap<&RelPath, Vec<Proposal>> = BTreeMap::new();
    for compared in findings {
        let diagnostic = &compared.finding.diagnostic;
        let Some(fix) = diagnostic.fix.as_deref() else { continue };
        let Some((first, ..)) = fix.edits.first().filter(|(path, ..)| filter.is_in(path)) else { continue };
        match () {
            () if !filter.includes(compared) => {
                others.entry(first).or_default().push(Proposal::of(diagnostic, fix));
            }
            () if fix.is_disputed => chosen.is_disputed += 1,
            () if fix.is_unsafe && !filter.with_unsafe => chosen.is_unsafe += 1,
            () if fix.file().is_none() => chosen.in_several_files += 1,
            () => {
                let proposals = chosen.files.entry(first.clone()).or_default();
                proposals.push(Proposal::of(diagnostic, fix));
            }
        }
    }
    for (path, proposals) in &mut chosen.files {
        proposals.sort();
        proposals.dedup();
        // Changes of lines wait if they touch those of a finding that the filter leaves out.
        let mut others = others.remove(path).unwrap_or_default();
        while let Some(other) = others.pop() {
            others.extend(proposals.extract_if(.., |one| one.joins(&other)));
        }
    }
    chosen.files.retain(|_, proposals| !proposals.is_empty());
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::{compared, edit, fix};

    fn rules(findings: &[Compared], filter: &Filter) -> Vec<String> {
        let chosen = choose(findings, filter);
        let each = |(path, all): (&RelPath, &Vec<Proposal>)| {
            all.iter().map(|one| format!("{path} {}", one.rule)).collect::<Vec<_>>()
        };
        chosen.files.iter().flat_map(each).collect()
    }

    #[test]
    fn compilers_come_first_and_formatters_last() {
        let findings = [
            compared("rustfmt", "rustfmt::unformatted", fix("a.rs", &[edit(1, 1, 1, "")])),
            compared("typos", "typo", fix("a.rs", &[edit(1, 5, 6, "")])),
            compared("clippy", "clippy::late", fix("a.rs", &[edit(9, 1, 1, "")])),
            compared("clippy", "clippy::early", fix("a.rs", &[edit(8, 1, 1, "")])),
        ];
        let expected = ["a.rs clippy::early", "a.rs clippy::late", "a.rs typo", "a.rs rustfmt::unformatted"];
        assert_eq!(rules(&findings, &Filter::default()), expected);
        let mut reversed = findings;
        reversed.reverse();
        assert_eq!(rules(&reversed, &Filter::default()), expected);
    }

    #[test]
    fn only_new_findings_are_fixed_unless_accepted_ones_are_asked_for() {
        let states = [State::New, State::Unchanged, State::Updated, State::Suppressed];
        let findings = states.map(|state| {
            let one = compared("clippy", state.as_str(), fix("a.rs", &[edit(1, 1, 1, state.as_str())]));
            Compared { state, ..one }
        });
        assert_eq!(rules(&findings, &Filter::default()), ["a.rs new"]);
        let all = Filter { with_accepted: true, ..Filter::default() };
        assert_eq!(rules(&findings, &all), ["a.rs new", "a.rs unchanged", "a.rs updated"]);
    }

    #[test]
    fn tools_rules_and_paths_limit_the_choice() {
        let findings = [
            compared("clippy", "one", fix("src/a.rs", &[edit(1, 1, 1, "")])),
            compared("clippy", "two", fix("src/b.rs", &[edit(1, 1, 1, "")])),
            compared("typos", "one", fix("srcs/b.rs", &[edit(1, 1, 1, "")])),
        ];
        let tools = Filter { tools: vec!["typos".to_owned()], ..Filter::default() };
        assert_eq!(rules(&findings, &tools), ["srcs/b.rs one"]);
        // The name of a tool stands for all its variants.
        let of_variant = [compared("typos@full", "one", fix("srcs/b.rs", &[edit(1, 1, 1, "")]))];
        assert_eq!(rules(&of_variant, &tools), ["srcs/b.rs one"]);
        let of_rules = Filter { rules: vec!["one".to_owned()], ..Filter::default() };
        assert_eq!(rules(&findings, &of_rules), ["src/a.rs one", "srcs/b.rs one"]);
        let paths = Filter { paths: vec![RelPath::new("src")], ..Filter::default() };
        assert_eq!(rules(&findings, &paths), ["src/a.rs one", "src/b.rs two"]);
    }

    #[test]
    fn fixes_that_may_be_wrong_are_counted_and_left_out() {
        let with = |change: &dyn Fn(&mut Fix)| {
            let mut fix = fix("a.rs", &[edit(1, 1, 1, "x")]);
            change(&mut fix);
            compared("clippy", "rule", fix)
        };
        let findings = [
            with(&|fix| fix.is_unsafe = true),
            with(&|fix| fix.is_disputed = true),
            with(&|fix| fix.edits.push((RelPath::new("b.rs"), fix.edits[0].1, String::new()))),
        ];
        let chosen = choose(&findings, &Filter::default());
        assert_eq!((chosen.is_unsafe, chosen.is_disputed, chosen.in_several_files), (1, 1, 1));
        assert!(chosen.files.is_empty());
        let with_unsafe = Filter { with_unsafe: true, ..Filter::default() };
        assert_eq!(rules(&findings, &with_unsafe), ["a.rs rule"]);

        let mut fatal = with(&|_| {});
        fatal.finding.diagnostic.fatal = true;
        assert_eq!(rules(&[fatal], &Filter::default()), Vec::<String>::new());
    }

    #[test]
    fn lines_that_touch_a_change_that_is_left_out_are_left_out_too() {
        let lines = |line, state| {
            let mut edit = edit(line, 1, 1, "x\n");
            edit.0.end.line += 1;
            let one = compared("rustfmt", "rustfmt::unformatted", fix("a.rs", &[edit]));
            Compared { state, ..one }
        };
        let findings =
            [lines(1, State::Unchanged), lines(2, State::New), lines(3, State::New), lines(5, State::New)];
        assert_eq!(rules(&findings, &Filter::default()).len(), 1);
        let all = Filter { with_accepted: true, ..Filter::default() };
        assert_eq!(rules(&findings, &all).len(), 4);
    }

    #[test]
    fn the_same_fix_of_two_findings_is_applied_once() {
        let one = compared("clippy", "rule", fix("a.rs", &[edit(1, 1, 1, "x")]));
        assert_eq!(rules(&[one.clone(), one], &Filter::default()), ["a.rs rule"]);
    }
}
