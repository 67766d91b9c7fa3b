//! Applies the suppressions of the configuration to findings.
//!
//! Does not know the baseline or the coverage of the run.

use globset::GlobMatcher;
use jiff::civil::Date;

use crate::model::finding::{Finding, Place};
use crate::model::outcome::{Compared, Effect, Suppressing};
use crate::model::suppression::Suppression;

/// The suppressions of a configuration, evaluated on a given day.
#[derive(Default)]
pub struct Suppressions<'a> {
    all: Vec<(&'a Suppression, Option<GlobMatcher>)>,
    today: Option<Date>,
}

impl<'a> Suppressions<'a> {
    /// Creates them for the day `today`. Without a day, none expires.
    pub fn new(all: &'a [Suppression], today: Option<Date>) -> Self {
        let matcher = |one: &Suppression| one.path.as_ref().map(globset::Glob::compile_matcher);
        Self { all: all.iter().map(|one| (one, matcher(one))).collect(), today }
    }

    /// Returns the number of suppressions.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Returns the index of the first suppression that applies to `finding`. Fatal findings can't be suppressed.
    pub fn of(&self, finding: &Finding) -> Option<usize> {
        self.matching(finding).find(|at| !self.all[*at].0.is_expired(self.today))
    }

    /// Returns the effect of each suppression. `is_covered` says whether the run checked everything that a suppression can match.
    pub fn judge(
        &self,
        findings: &[Compared],
        is_covered: impl Fn(&Suppression) -> bool,
    ) -> Vec<Suppressing> {
        let mut matched = vec![0; self.all.len()];
        for compared in findings {
            self.matching(&compared.finding).for_each(|at| matched[at] += 1);
        }
        let judged = |((suppression, _), matched): (&(&Suppression, _), _)| Suppressing {
            suppression: Suppression::clone(suppression),
            matched,
            effect: if suppression.is_expired(self.today) {
                Effect::Expired
            } else if matched == 0 && is_covered(suppression) {
                Effect::Unused
            } else {
                Effect::Active
            },
        };
        self.all.iter().zip(matched).map(judged).collect()
    }

    /// Returns whether a suppression would apply to `finding` if all tools reported it.
    pub fn may_match(&self, finding: &Finding) -> bool {
        self.matching_if(finding, |_| true).any(|at| !self.all[at].0.is_expired(self.today))
    }

    fn matching(&self, finding: &Finding) -> impl Iterator<Item = usize> {
        self.matching_if(finding, |tool| finding.is_of_any(tool))
    }

    /// Returns the suppressions that match `finding`, given which tools report it.
    fn matching_if(&self, finding: &Finding, is_of: impl Fn(&str) -> bool) -> impl Iterator<Item = usize> {
        let applies = move |(one, path): &(&Suppression, Option<GlobMatcher>)| {
            let diagnostic = &finding.diagnostic;
            !diagnostic.fatal
                && one.rule.as_ref().is_none_or(|rule| *rule == diagnostic.rule)
                && one.tool.as_ref().is_none_or(|tool| is_of(tool))
                && one.message.as_ref().is_none_or(|part| {
                    // `finding.msg` is the same for all failed tests, so the original message is searched as well.
                    diagnostic.message.contains(part) || finding.msg.contains(part)
                })
                && one
                    .subject
                    .as_ref()
                    .is_none_or(|subject| matches!(&diagnostic.place, Place::Subject(own) if own == subject))
                && path.as_ref().is_none_or(|glob| {
                    diagnostic.place.path().is_some_and(|path| glob.is_match(path.as_os_path()))
                })
        };
        (0..self.all.len()).filter(move |at| applies(&self.all[*at]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use globset::Glob;

    use super::super::baseline::{entries_of, shrunk};
    use super::super::matching::compare;
    use super::super::tests::{Everything, at, diagnostic, identified};
    use super::*;
    use crate::model::finding::{Diagnostic, State};
    use crate::model::halt::Never;

    /// Returns a suppression of this rule.
    fn suppression(rule: &str) -> Suppression {
        Suppression {
            rule: Some(rule.into()),
            tool: None,
            path: None,
            subject: None,
            message: None,
            reason: "it is wrong".into(),
            owner: None,
            expires: None,
            file: "genti.toml".into(),
            line: 1,
        }
    }

    fn with_message(message: &str) -> Suppression {
        Suppression { message: Some(message.into()), ..suppression("clippy::rule") }
    }

    /// Returns findings of tool and namespace `clippy` with these messages, one for each line of `a/b.rs`.
    fn found(text: &str, messages: &[&str]) -> Vec<Finding> {
        let diagnostics =
            (1..).zip(messages).map(|(line, message)| diagnostic("a/b.rs", at(line, 1), message));
        identified("a/b.rs", text, diagnostics.collect())
    }

    #[track_caller]
    fn check(suppression: Suppression, diagnostic: &Diagnostic, is_suppressed: bool) {
        let finding = identified("a/b.rs", "return x;", vec![diagnostic.clone()]).remove(0);
        let all = [suppression];
        assert_eq!(Suppressions::new(&all, None).of(&finding), is_suppressed.then_some(0), "{all:?}");
    }

    #[test]
    fn a_finding_must_match_every_given_field() {
        let found = diagnostic("a/b.rs", at(1, 1), "unneeded `return`");
        let base = || suppression("clippy::rule");
        check(base(), &found, true);
        check(suppression("clippy::other"), &found, false);
        check(Suppression { rule: None, tool: Some("clippy".into()), ..base() }, &found, true);
        check(Suppression { rule: None, tool: Some("doc".into()), ..base() }, &found, false);
        check(Suppression { tool: Some("doc".into()), ..base() }, &found, false);
        let below = |glob| Suppression { path: Some(Glob::new(glob).unwrap()), ..base() };
        check(below("a/**"), &found, true);
        check(below("b/**"), &found, false);
        check(with_message("`return`"), &found, true);
        check(with_message("`break`"), &found, false);
        let about = |subject: &str| Suppression { subject: Some(subject.into()), ..base() };
        check(about("a/b.rs"), &found, false);
        let found = Diagnostic { place: Place::Subject("alpha::it works".into()), ..found };
        check(about("alpha::it works"), &found, true);
        check(about("alpha::it"), &found, false);
        check(below("**"), &found, false);
    }

    #[test]
    fn a_compile_error_is_not_suppressed() {
        let found = Diagnostic { fatal: true, ..diagnostic("a/b.rs", at(1, 1), "m") };
        check(suppression("clippy::rule"), &found, false);
    }

    #[test]
    fn the_first_suppression_that_has_not_expired_applies() {
        let until = |day| Suppression { expires: Some(day), ..suppression("clippy::rule") };
        let all = [until(Date::constant(2027, 1, 31)), until(Date::constant(2027, 2, 28))];
        let finding = found("return x;", &["m"]).remove(0);
        let check = |today, first| assert_eq!(Suppressions::new(&all, today).of(&finding), first);
        check(None, Some(0));
        check(Some(Date::constant(2027, 1, 31)), Some(0));
        check(Some(Date::constant(2027, 2, 1)), Some(1));
        check(Some(Date::constant(2027, 3, 1)), None);
    }

    #[test]
    fn each_suppression_counts_all_of_its_matches() {
        let expired = Suppression { expires: Some(Date::MIN), ..suppression("clippy::rule") };
        let all = [suppression("clippy::rule"), with_message("two"), with_message("three"), expired];
        let suppressions = Suppressions::new(&all, Some(Date::constant(2027, 1, 31)));
        let findings = found("return x;\nreturn y;", &["one", "two"]);
        let matched = compare(findings, &suppressions, &BTreeMap::new(), &Everything, &Never).unwrap();
        let judge = |looked| {
            let judged = suppressions.judge(&matched.findings, |_| looked);
            judged.iter().map(|one| (one.matched, one.effect)).collect::<Vec<_>>()
        };
        let (two, one, two_expired) = ((2, Effect::Active), (1, Effect::Active), (2, Effect::Expired));
        assert_eq!(judge(true), [two, one, (0, Effect::Unused), two_expired]);
        assert_eq!(judge(false), [two, one, (0, Effect::Active), two_expired]);
    }

    /// Returns the states of the findings, the states of the entries that accept nothing, and the number of entries left after an
    /// update, for a baseline that accepts `known`.
    fn states(
        known: Vec<Finding>,
        current: Vec<Finding>,
        all: &[Suppression],
    ) -> (Vec<State>, Vec<State>, usize) {
        let matched =
            compare(current, &Suppressions::new(all, None), &entries_of(&known), &Everything, &Never)
                .unwrap();
        let left = shrunk(&matched.findings, &matched.gone).values().map(Vec::len).sum();
        (
            matched.findings.iter().map(|compared| compared.state).collect(),
            matched.gone.iter().map(|gone| gone.state).collect(),
            left,
        )
    }

    #[test]
    fn a_suppressed_finding_leaves_its_entry_to_another_finding() {
        // Digits matter for suppressions, but not for entries.
        let text = "return x;\nreturn x;";
        let known = found(text, &["2 lines"]);
        let current = || found(text, &["1 lines", "2 lines"]);
        let (findings, gone, left) = states(known, current(), &[with_message("1 lines")]);
        assert_eq!(findings, [State::Suppressed, State::Unchanged]);
        assert_eq!((gone, left), (vec![], 1));
    }

    #[test]
    fn the_entry_of_a_suppressed_finding_does_not_accept_a_similar_one() {
        // Without the old finding, pass 4 would pair the new one with the entry.
        let known = found("return x;", &["old words"]);
        let current = found("return x;\nreturn x;", &["old words", "new words"]);
        let (findings, gone, left) = states(known, current, &[with_message("old words")]);
        assert_eq!(findings, [State::Suppressed, State::New]);
        assert_eq!((gone, left), (vec![State::Suppressed], 0));
    }

    #[test]
    fn a_suppressed_finding_is_not_counted_among_identical_new_ones() {
        let text = "return x;\nreturn x;\nreturn x;";
        let current = found(text, &["1 lines", "2 lines", "3 lines"]);
        let all = [with_message("1 lines")];
        let matched =
            compare(current, &Suppressions::new(&all, None), &BTreeMap::new(), &Everything, &Never).unwrap();
        let identical: Vec<_> = matched.findings.iter().map(|compared| compared.identical).collect();
        assert_eq!(identical[0], None);
        assert_eq!(identical[1].map(|identical| (identical.new, identical.total)), Some((2, 3)));
    }
}
