//! Matches the current findings with the baseline, and determines the state of the remaining entries.
//!
//! Matching is one to one within a namespace, in several passes (`passes.rs`). Each pass pairs findings and entries that the
//! previous ones left over, and each match records its pass. Both sides are sorted first, so their order does not matter. Does not
//! know which tool covers which files: a [`Reach`] answers that.
//!
//! Suppressed findings take part in each pass, after all others. So a suppressed finding never takes an entry that another finding
//! matches equally well, but its own entry is not left to a finding that merely resembles it. An entry matched by a suppressed
//! finding accepts nothing and is not fixed either: its state is suppressed.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::sort;
use super::passes::{self, Passes};
use super::reach::Reach;
use super::suppressions::Suppressions;
use super::variants;
use crate::model::finding::{Diagnostic, Entry, Finding, Site, State};
use crate::model::halt::{Halt, Halted, PER_FINDING, Pace};
use crate::model::outcome::{Accepted, Compared, Gone, Identical};

/// Result of comparing the current findings with the baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Every finding, in the order of [`identify`](super::identity::identify).
    pub findings: Vec<Compared>,
    /// The entries that accept nothing, by namespace, then as in the file.
    pub gone: Vec<Gone>,
}

/// Compares the current findings with the baseline, given by namespace. A fatal finding is always new.
///
/// # Errors
///
/// If `halt` stops it.
pub fn compare(
    mut findings: Vec<Finding>,
    suppressions: &Suppressions<'_>,
    baseline: &BTreeMap<String, Vec<Entry>>,
    reach: &dyn Reach,
    halt: &dyn Halt,
) -> Result<Matched, Halted> {
    let mut pace = Pace::new(halt);
    sort(&mut findings);
    let mut suppressed_by = Vec::with_capacity(findings.len());
    for finding in &findings {
        pace.spend(PER_FINDING * (1 + suppressions.count()))?;
        suppressed_by.push(suppressions.of(finding));
    }
    let entries: Vec<Entry> = findings.iter().map(Entry::of).collect();
    let mut by_ns: BTreeMap<&str, (Vec<usize>, Vec<&Entry>)> = BTreeMap::new();
    let mut order: Vec<usize> = (0..findings.len()).collect();
    order.sort_by_key(|at| suppressed_by[*at].is_some());
    for at in order.into_iter().filter(|at| findings[*at].diagnostic.can_be_accepted()) {
        by_ns.entry(&findings[at].diagnostic.ns).or_default().0.push(at);
    }
    for (ns, known) in baseline {
        by_ns.entry(ns).or_default().1.extend(known);
    }

    let mut accepted = vec![None; findings.len()];
    let mut gone = Vec::new();
    for (ns, (current, known)) in by_ns {
        let current = current.into_iter().map(|at| (at, &entries[at])).collect();
        let (matched, left) = Passes::new(ns, reach, current, known.into_iter(), halt).run()?;
        let mut lose = |entry: &Entry, (state, unseen): (State, Option<String>)| {
            let in_variants = match state {
                State::Unknown if unseen.is_none() => variants::not_looked(ns, entry, reach),
                _ => entry.in_variants.clone(),
            };
            gone.push(Gone { ns: ns.into(), entry: entry.clone(), state, unseen, in_variants, cause: None });
        };
        for (at, pass, entry) in matched {
            match suppressed_by[at] {
                Some(_) => lose(entry, (State::Suppressed, None)),
                None => {
                    let in_variants = variants::still_in(&findings[at], ns, entry, reach);
                    accepted[at] = Some(Box::new(Accepted { pass, entry: entry.clone(), in_variants }));
                }
            }
        }
        let mut judge = Left { ns, reach, unseen: BTreeMap::new() };
        left.into_iter().for_each(|entry| lose(entry, judge.state_of(entry)));
    }
    gone.sort_by(|a, b| (&a.ns, &a.entry, a.state, &a.unseen).cmp(&(&b.ns, &b.entry, b.state, &b.unseen)));
    drop(entries);
    Ok(Matched { findings: judge(findings, accepted, suppressed_by), gone })
}

/// Returns those of `findings`, in order, that are new whatever else the run finds, and whatever its tools turn out to have
/// covered. `is_complete` says of which namespaces all findings are known.
///
/// In such a namespace, the passes that do not depend on coverage run as they do at the end, and a finding is returned if no entry
/// is left that could still be paired with it. In other namespaces, further findings may change who is paired with whom, so a
/// finding is returned only if no entry at all could be. A later tool may report the same finding as well, which a suppression of
/// that tool would then match, so there any suppression counts that could match if all tools reported it.
///
/// # Errors
///
/// If `halt` stops it.
pub fn surely_new(
    mut findings: Vec<Finding>,
    suppressions: &Suppressions<'_>,
    baseline: &BTreeMap<String, Vec<Entry>>,
    is_complete: &dyn Fn(&str) -> bool,
    reach: &dyn Reach,
    halt: &dyn Halt,
) -> Result<Vec<Compared>, Halted> {
    sort(&mut findings);
    let entries: Vec<Entry> = findings.iter().map(Entry::of).collect();
    let suppressed: Vec<_> = findings.iter().map(|finding| suppressions.of(finding).is_some()).collect();
    let mut by_ns: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        by_ns.entry(&finding.diagnostic.ns).or_default().push(at);
    }
    let (mut new, mut open, mut counts) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::<_, Identical>::new());
    for (ns, mut current) in by_ns {
        let can_be_accepted = |at: &usize| findings[*at].diagnostic.can_be_accepted();
        let is_always_new = |at: &usize| !can_be_accepted(at) && !findings[*at].diagnostic.is_remark();
        let known = baseline.get(ns).map_or(&[][..], Vec::as_slice);
        let is_complete = is_complete(ns);
        if is_complete {
            for at in &current {
                let count = counts.entry(findings[*at].id.clone()).or_insert(Identical { new: 0, total: 0 });
                count.total += 1;
            }
        }
        new.extend(current.iter().copied().filter(is_always_new));
        current.retain(can_be_accepted);
        if is_complete {
            current.sort_by_key(|at| suppressed[*at]);
            let current = current.into_iter().map(|at| (at, &entries[at])).collect();
            let (left, early) = Passes::new(ns, reach, current, known.iter(), halt).run_early()?;
            new.extend(early.into_iter().filter(|at| !suppressed[*at]));
            let is_open = |at: &usize| !suppressed[*at] && !new.contains(at);
            open.extend(left.into_iter().filter(is_open).map(|at| findings[at].id.clone()));
        } else {
            current.retain(|at| !suppressions.may_match(&findings[*at]));
            let current: Vec<_> = current.into_iter().map(|at| (at, &entries[at])).collect();
            new.extend(passes::without_candidates(&current, known.iter()));
        }
    }
    drop(entries);
    for at in &new {
        counts.entry(findings[*at].id.clone()).and_modify(|count| count.new += 1);
    }
    let new = (0..).zip(findings).filter(|(at, _)| new.contains(at)).map(|(_, finding)| {
        let identical = counts.get(&finding.id).copied();
        let identical = identical.filter(|count| count.total > 1 && !open.contains(&finding.id));
        Compared { identical, ..Compared::new(finding, State::New) }
    });
    Ok(new.collect())
}

/// Returns whether one of `findings` is certainly new, whatever else the run will find.
pub fn has_surely_new(findings: &[Finding], baseline: &BTreeMap<String, Vec<Entry>>) -> bool {
    let mut by_ns: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.diagnostic.can_be_accepted()) {
        by_ns.entry(&finding.diagnostic.ns).or_default().push(Entry::of(finding));
    }
    let is_new = |found: &Diagnostic| !found.can_be_accepted() && !found.is_remark();
    findings.iter().any(|finding| is_new(&finding.diagnostic))
        || by_ns.into_iter().any(|(ns, current)| {
            passes::has_surely_new(&current, baseline.get(ns).map_or(&[], Vec::as_slice))
        })
}

/// The passes that match a finding whose code was edited.
const EDITED: [u8; 2] = [5, 7];

/// Determines the states of unmatched entries.
struct Left<'a> {
    ns: &'a str,
    reach: &'a dyn Reach,
    /// Reasons for unchecked places, by entry. Each place stands for one of the identical entries.
    unseen: BTreeMap<Entry, Vec<String>>,
}

impl Left<'_> {
    /// Returns the state of `entry` and, if its code still exists unchecked, the reason.
    fn state_of(&mut self, entry: &Entry) -> (State, Option<String>) {
        let Self { ns, reach, unseen } = self;
        if matches!(&entry.site, Site::Path(path) if !reach.exists(path)) {
            return (State::Fixed, None);
        }
        if !reach.looked_at(ns, entry) {
            return (State::Unknown, None);
        }
        let key = entry.bare();
        let places = unseen.entry(key).or_insert_with(|| reach.unseen(ns, entry));
        match places.pop() {
            Some(why) => (State::Unknown, Some(why)),
            None => (State::Fixed, None),
        }
    }
}

fn judge(
    findings: Vec<Finding>,
    accepted: Vec<Option<Box<Accepted>>>,
    suppressed_by: Vec<Option<usize>>,
) -> Vec<Compared> {
    let state =
        |found: &Diagnostic, accepted: Option<&Accepted>, suppressed_by| match (accepted, suppressed_by) {
            (_, Some::<usize>(_)) => State::Suppressed,
            (None, None) if found.is_remark() => State::Noted,
            (None, None) => State::New,
            (Some(Accepted { pass, .. }), None) if EDITED.contains(pass) => State::Updated,
            (Some(_), None) => State::Unchanged,
        };
    let mut judged = Vec::with_capacity(findings.len());
    for ((finding, mut accepted), suppressed_by) in findings.into_iter().zip(accepted).zip(suppressed_by) {
        // An entry of other variants stays as it is, and the finding is new.
        let elsewhere = accepted.take_if(|accepted| !variants::holds(&finding, &accepted.entry));
        let state = state(&finding.diagnostic, accepted.as_deref(), suppressed_by);
        judged.push(Compared { accepted, elsewhere, suppressed_by, ..Compared::new(finding, state) });
    }
    let mut counts: BTreeMap<&str, Identical> = BTreeMap::new();
    for Compared { finding, state, .. } in &judged {
        let count = counts.entry(&finding.id).or_insert(Identical { new: 0, total: 0 });
        count.total += 1;
        count.new += usize::from(*state == State::New);
    }
    let identical = |compared: &Compared| {
        let count = counts.get(compared.finding.id.as_str()).copied().filter(|count| count.total > 1);
        count.filter(|_| compared.state == State::New)
    };
    let identical: Vec<_> = judged.iter().map(identical).collect();
    judged.iter_mut().zip(identical).for_each(|(compared, identical)| compared.identical = identical);
    judged
}

#[cfg(test)]
mod tests {
    use super::super::baseline::entries_of;
    use super::super::tests::{Everything, at, diagnostic, identified};
    use super::*;
    use crate::model::halt::testing::After;
    use crate::model::halt::{Never, STRIDE};
    use crate::model::path::RelPath;

    /// Returns findings with one message at the start of each of `lines` of `text`.
    fn found(text: &str, lines: &[u32]) -> Vec<Finding> {
        identified("a.rs", text, lines.iter().map(|&line| diagnostic("a.rs", at(line, 1), "m")).collect())
    }

    fn compare(
        findings: Vec<Finding>,
        baseline: &BTreeMap<String, Vec<Entry>>,
        reach: &dyn Reach,
    ) -> Matched {
        super::compare(findings, &Suppressions::default(), baseline, reach, &Never).unwrap()
    }

    fn states(matched: &Matched) -> Vec<(State, Option<u8>)> {
        matched
            .findings
            .iter()
            .map(|judged| (judged.state, judged.accepted.as_ref().map(|accepted| accepted.pass)))
            .collect()
    }

    const UNCHANGED: (State, Option<u8>) = (State::Unchanged, Some(1));
    const NEW: (State, Option<u8>) = (State::New, None);

    #[test]
    fn a_finding_in_the_baseline_is_unchanged() {
        let baseline = entries_of(&found("return x;\nreturn y;", &[1, 2]));
        let matched = compare(found("\n\nreturn x;\n\nreturn y;", &[3, 5]), &baseline, &Everything);
        assert_eq!(states(&matched), [UNCHANGED, UNCHANGED]);
        assert_eq!(matched.gone, []);
    }

    #[test]
    fn a_replaced_finding_is_one_new_and_one_fixed() {
        let baseline = entries_of(&found("return x;\nreturn y;", &[1, 2]));
        let matched = compare(found("return x;\nreturn z;", &[1, 2]), &baseline, &Everything);
        assert_eq!(states(&matched), [UNCHANGED, NEW]);
        assert_eq!(matched.gone.len(), 1);
        assert_eq!((matched.gone[0].entry.code.as_str(), matched.gone[0].state), ("return y", State::Fixed));
    }

    #[test]
    fn of_identical_findings_the_last_are_new() {
        let text = "return x;\nreturn x;\nreturn x;";
        let baseline = entries_of(&found(text, &[1, 2]));
        let matched = compare(found(text, &[1, 2, 3]), &baseline, &Everything);
        assert_eq!(states(&matched), [UNCHANGED, UNCHANGED, NEW]);
        assert_eq!(matched.findings[2].identical, Some(Identical { new: 1, total: 3 }));
        assert_eq!(matched.findings[0].identical, None);

        let matched = compare(found(text, &[1]), &baseline, &Everything);
        assert_eq!(states(&matched), [UNCHANGED]);
        assert_eq!(matched.gone.len(), 1);
    }

    #[test]
    fn a_single_new_finding_has_no_identical_ones() {
        let matched = compare(found("return x;", &[1]), &BTreeMap::new(), &Everything);
        assert_eq!(matched.findings[0].identical, None);
    }

    #[test]
    fn the_scope_breaks_ties_and_may_be_renamed() {
        let baseline = entries_of(&found("fn a() {\nreturn x; }\nfn b() {\nreturn x; }", &[2, 4]));
        let renamed = "fn c() {\nreturn x; }\nfn b() {\nreturn x; }";
        let matched = compare(found(renamed, &[2, 4]), &baseline, &Everything);
        assert_eq!(states(&matched), [(State::Unchanged, Some(2)), UNCHANGED]);

        // If only one is accepted, it is the one in the same scope.
        let baseline = entries_of(&found("fn a() {}\n\nfn b() {\nreturn x; }", &[4]));
        let matched = compare(found(renamed, &[2, 4]), &baseline, &Everything);
        assert_eq!(states(&matched), [NEW, UNCHANGED]);
    }

    #[test]
    fn a_fatal_finding_is_new_whatever_the_baseline_says() {
        let mut findings = found("return x;", &[1]);
        let baseline = entries_of(&findings);
        findings[0].diagnostic.fatal = true;
        let matched = compare(findings, &baseline, &Everything);
        assert_eq!(states(&matched), [NEW]);
        assert_eq!(matched.gone.len(), 1);
    }

    #[test]
    fn namespaces_do_not_mix() {
        let entries = entries_of(&found("return x;", &[1])).remove("clippy").unwrap();
        let baseline = BTreeMap::from([("other".to_owned(), entries)]);
        let matched = compare(found("return x;", &[1]), &baseline, &Everything);
        assert_eq!(states(&matched), [NEW]);
        assert_eq!(matched.gone[0].ns, "other");
    }

    #[test]
    fn of_identical_entries_one_is_unknown_for_each_unchecked_place() {
        struct Standing;
        impl Reach for Standing {
            fn exists(&self, _: &RelPath) -> bool {
                true
            }
            fn looked_at(&self, _: &str, _: &Entry) -> bool {
                true
            }
            fn unseen(&self, _: &str, entry: &Entry) -> Vec<String> {
                if entry.code == "return x" { vec!["a".to_owned(), "b".to_owned()] } else { Vec::new() }
            }
        }
        let baseline = entries_of(&found("return x;\nreturn x;\nreturn x;\nreturn y;", &[1, 2, 3, 4]));
        let gone = compare(Vec::new(), &baseline, &Standing).gone;
        let states: Vec<_> = gone.iter().map(|gone| (gone.state, gone.unseen.as_deref())).collect();
        let unknown = |why| (State::Unknown, Some(why));
        assert_eq!(states, [(State::Fixed, None), unknown("a"), unknown("b"), (State::Fixed, None)]);
    }

    #[test]
    fn an_unchecked_entry_is_unknown_unless_its_file_is_gone() {
        struct Nothing {
            exists: bool,
        }
        impl Reach for Nothing {
            fn exists(&self, _: &RelPath) -> bool {
                self.exists
            }
            fn looked_at(&self, _: &str, _: &Entry) -> bool {
                false
            }
        }
        let baseline = entries_of(&found("return x;", &[1]));
        let state = |exists| compare(Vec::new(), &baseline, &Nothing { exists }).gone[0].state;
        assert_eq!(state(true), State::Unknown);
        assert_eq!(state(false), State::Fixed);
    }

    /// A run of which everything is random: what exists, what was covered, and which code was not checked.
    struct Chance(u64);

    impl Reach for Chance {
        fn exists(&self, path: &RelPath) -> bool {
            self.0 & 1 == 0 || *path != RelPath::new("b.rs")
        }
        fn looked_at(&self, _: &str, entry: &Entry) -> bool {
            self.0 >> (1 + entry.code.len() % 4) & 1 == 0
        }
        fn unseen(&self, _: &str, entry: &Entry) -> Vec<String> {
            let is_unseen = self.0 >> (6 + entry.msg.len() % 4) & 1 == 0;
            is_unseen.then(|| "why".to_owned()).into_iter().collect()
        }
    }

    #[test]
    fn a_surely_new_finding_is_new_whatever_else_is_found_and_covered() {
        let mut state = 1_u64;
        let mut pick = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        let suppression = crate::model::suppression::Suppression {
            rule: None,
            tool: Some("doc".to_owned()),
            path: None,
            subject: None,
            message: Some("mm".into()),
            reason: "r".to_owned(),
            owner: None,
            expires: None,
            file: "f".into(),
            line: 1,
        };
        let suppressions = [suppression];
        let suppressions = Suppressions::new(&suppressions, None);
        let (mut certain, mut uncertain) = (0, 0);
        for _ in 0..3_000 {
            let mut entry = || Entry {
                site: Site::Path(RelPath::new(["a.rs", "b.rs"][pick(2)])),
                rule: "r".into(),
                scope: ["fn f", "fn ff"][pick(2)].into(),
                code: ["a b c d e f g h i", "a b c d e f g h j", "let x", ""][pick(4)].into(),
                msg: ["m", "mm", "`f` mmm"][pick(3)].into(),
                in_variants: None,
                reason: None,
            };
            let known: Vec<_> = (0..4).map(|_| entry()).collect();
            let all: Vec<_> = (0..5).map(|_| entry()).collect();
            let finding = |(line, Entry { site, scope, code, msg, .. }): (u32, &Entry)| {
                let mut diagnostic = diagnostic(&site.name(), at(line, 1), msg);
                diagnostic.rule = "r".into();
                let tools = ["clippy".into()].into();
                let id = format!("{site:?}{code}{msg}").into();
                Finding {
                    id,
                    diagnostic,
                    msg: msg.clone(),
                    code: code.clone(),
                    scope: scope.clone(),
                    tools,
                    seen_in: None,
                }
            };
            let all: Vec<_> = (1..).zip(&all).map(finding).collect();
            let baseline = BTreeMap::from([("clippy".to_owned(), known)]);
            let reach = Chance(pick(1 << 12) as u64);
            let is_complete = pick(2) == 0;
            let early = if is_complete { all.clone() } else { all[..pick(6)].to_vec() };
            // The same finding by a further tool, which a suppression may match.
            let mut late = all;
            if !is_complete && pick(2) == 0 {
                late[0].tools = ["clippy".into(), "doc".into()].into();
            }
            let new = surely_new(early.clone(), &suppressions, &baseline, &|_| is_complete, &reach, &Never);
            let new = new.unwrap();
            let matched = super::compare(late, &suppressions, &baseline, &reach, &Never).unwrap();
            for one in &new {
                let place = &one.finding.diagnostic.place;
                let end = matched.findings.iter().find(|end| end.finding.diagnostic.place == *place);
                let end = end.unwrap();
                assert_eq!(end.state, State::New, "{one:#?}\n{baseline:#?}\n{early:#?}");
                assert!(one.identical.is_none() || one.identical == end.identical, "{one:#?}\n{end:#?}");
            }
            certain += new.len();
            uncertain += early.len() - new.len();
        }
        assert!(certain > 1_000 && uncertain > 1_000, "{certain} and {uncertain}: this test is blind");
    }

    #[test]
    fn in_a_complete_namespace_a_finding_that_resembles_a_matched_one_is_surely_new() {
        let text = "return x;\nreturn x;";
        let baseline = entries_of(&found(text, &[1]));
        let new = |is_complete: bool| {
            let (findings, none) = (found(text, &[1, 2]), Suppressions::default());
            surely_new(findings, &none, &baseline, &|_| is_complete, &Everything, &Never).unwrap()
        };
        let lines = |new: Vec<Compared>| {
            let line = |one: &Compared| one.finding.diagnostic.place.range().map(|range| range.start.line);
            new.iter().filter_map(line).collect::<Vec<_>>()
        };
        assert_eq!(new(true)[0].identical, Some(Identical { new: 1, total: 2 }));
        assert_eq!(lines(new(true)), [2]);
        assert_eq!(lines(new(false)), Vec::<u32>::new());
    }

    #[test]
    fn comparing_stops_within_bounded_work_when_halted() {
        const COUNT: usize = 5_000;
        let text: String = (0..COUNT).map(|at| format!("return x{at};\n")).collect();
        let findings = found(&text, &(1..=COUNT as u32).collect::<Vec<_>>());
        let mut baseline = entries_of(&findings);
        baseline.values_mut().flatten().for_each(|entry| entry.rule = format!("{}x", entry.rule).into());
        let compare = |halt: &After| {
            super::compare(findings.clone(), &Suppressions::default(), &baseline, &Everything, halt)
        };
        let all = After::new(usize::MAX);
        assert!(compare(&all).is_ok());
        let strides = COUNT * PER_FINDING / STRIDE;
        assert!(all.asked() >= 4 * strides, "in every pass: {} of {strides}", all.asked());
        for left in [0, 1, all.asked() / 2, all.asked() - 1] {
            let halt = After::new(left);
            assert_eq!(compare(&halt), Err(Halted));
            assert_eq!(halt.asked(), left + 1);
        }
    }
}
