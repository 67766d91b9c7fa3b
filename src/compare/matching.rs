//! Which of today's findings are in the baseline, and what became of the rest of it.
//!
//! Matching is one to one, within a namespace, in passes (`passes.rs`): each pairs what the ones before it have
//! left, and each match records the pass that made it. Both sides are sorted first, so the result does not depend
//! on the order they came in. Does not know which tool covers what: that is asked of a [`Reach`].

use std::collections::BTreeMap;

use super::identity::sort;
use super::passes::{self, Passes};
use crate::model::finding::{Entry, Finding, Site, State};
use crate::model::outcome::{Accepted, Compared, Gone, Identical};
use crate::model::path::RelPath;

/// What the run looked at: decides whether an entry that nothing matches is fixed.
pub trait Reach {
    /// Whether there is a file at `path`.
    fn exists(&self, path: &RelPath) -> bool;

    /// Whether every tool that speaks for namespace `ns` came to a verdict on what covers `entry`, in the way
    /// that the baseline was taken.
    fn looked_at(&self, ns: &str, entry: &Entry) -> bool;
}

/// Today's findings and the baseline, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Every finding, in the order of [`identify`](super::identity::identify).
    pub findings: Vec<Compared>,
    /// The entries that no finding matches, by namespace, then as in the file.
    pub gone: Vec<Gone>,
}

/// Compares today's findings with the baseline, given by namespace. A fatal finding is always new.
pub fn compare(
    mut findings: Vec<Finding>,
    baseline: &BTreeMap<String, Vec<Entry>>,
    reach: &dyn Reach,
) -> Matched {
    sort(&mut findings);
    let entries: Vec<Entry> = findings.iter().map(Entry::of).collect();
    let mut by_ns: BTreeMap<&str, (Vec<usize>, Vec<&Entry>)> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate().filter(|(_, finding)| !finding.diagnostic.fatal) {
        by_ns.entry(&finding.diagnostic.ns).or_default().0.push(at);
    }
    for (ns, known) in baseline {
        by_ns.entry(ns).or_default().1.extend(known);
    }

    let mut accepted = vec![None; findings.len()];
    let mut gone = Vec::new();
    for (ns, (current, known)) in by_ns {
        let current = current.into_iter().map(|at| (at, &entries[at])).collect();
        let (matched, left) = Passes::new(ns, reach, current, known.into_iter()).run();
        for (at, pass, entry) in matched {
            accepted[at] = Some(Accepted { pass, entry: entry.clone() });
        }
        gone.extend(left.into_iter().map(|entry| Gone {
            ns: ns.to_owned(),
            entry: entry.clone(),
            state: state_of_gone(ns, entry, reach),
        }));
    }
    gone.sort_by(|a, b| (&a.ns, &a.entry).cmp(&(&b.ns, &b.entry)));
    Matched { findings: judge(findings, accepted), gone }
}

/// Whether one of `findings` is new whatever else is found today.
pub fn has_surely_new(findings: &[Finding], baseline: &BTreeMap<String, Vec<Entry>>) -> bool {
    let mut by_ns: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
    for finding in findings {
        by_ns.entry(&finding.diagnostic.ns).or_default().push(Entry::of(finding));
    }
    findings.iter().any(|finding| finding.diagnostic.fatal)
        || by_ns.into_iter().any(|(ns, current)| {
            passes::has_surely_new(&current, baseline.get(ns).map_or(&[], Vec::as_slice))
        })
}

/// The pass that matches what was edited and is still the same finding.
const EDITED: u8 = 5;

fn state_of_gone(ns: &str, entry: &Entry, reach: &dyn Reach) -> State {
    let file_gone = matches!(&entry.site, Site::Path(path) if !reach.exists(path));
    if file_gone || reach.looked_at(ns, entry) { State::Fixed } else { State::Unknown }
}

fn judge(findings: Vec<Finding>, accepted: Vec<Option<Accepted>>) -> Vec<Compared> {
    let mut counts: BTreeMap<String, Identical> = BTreeMap::new();
    for (finding, accepted) in findings.iter().zip(&accepted) {
        let count = counts.entry(finding.id.clone()).or_insert(Identical { new: 0, total: 0 });
        count.total += 1;
        count.new += usize::from(accepted.is_none());
    }
    let judged = |(finding, accepted): (Finding, Option<Accepted>)| Compared {
        state: match &accepted {
            None => State::New,
            Some(Accepted { pass: EDITED, .. }) => State::Updated,
            Some(_) => State::Unchanged,
        },
        identical: counts.get(&finding.id).copied().filter(|count| accepted.is_none() && count.total > 1),
        accepted,
        finding,
    };
    findings.into_iter().zip(accepted).map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::super::baseline::entries_of;
    use super::super::tests::{Everything, at, diagnostic, identified};
    use super::*;

    /// Findings of one message at the start of each of `lines` of `text`.
    fn found(text: &str, lines: &[u32]) -> Vec<Finding> {
        identified("a.rs", text, lines.iter().map(|&line| diagnostic("a.rs", at(line, 1), "m")).collect())
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
    fn what_is_in_the_baseline_is_unchanged() {
        let baseline = entries_of(&found("return x;\nreturn y;", &[1, 2]));
        let matched = compare(found("\n\nreturn x;\n\nreturn y;", &[3, 5]), &baseline, &Everything);
        assert_eq!(states(&matched), [UNCHANGED, UNCHANGED]);
        assert_eq!(matched.gone, []);
    }

    #[test]
    fn one_swapped_for_another_is_one_new_and_one_fixed() {
        let baseline = entries_of(&found("return x;\nreturn y;", &[1, 2]));
        let matched = compare(found("return x;\nreturn z;", &[1, 2]), &baseline, &Everything);
        assert_eq!(states(&matched), [UNCHANGED, NEW]);
        assert_eq!(matched.gone.len(), 1);
        assert_eq!((matched.gone[0].entry.code.as_str(), matched.gone[0].state), ("return y", State::Fixed));
    }

    #[test]
    fn of_identical_ones_the_last_are_new() {
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
    fn a_lone_new_finding_has_no_identical_ones() {
        let matched = compare(found("return x;", &[1]), &BTreeMap::new(), &Everything);
        assert_eq!(matched.findings[0].identical, None);
    }

    #[test]
    fn scope_settles_ties_and_a_renamed_scope_is_no_change() {
        let baseline = entries_of(&found("fn a() {\nreturn x; }\nfn b() {\nreturn x; }", &[2, 4]));
        let renamed = "fn c() {\nreturn x; }\nfn b() {\nreturn x; }";
        let matched = compare(found(renamed, &[2, 4]), &baseline, &Everything);
        assert_eq!(states(&matched), [(State::Unchanged, Some(2)), UNCHANGED]);

        // With one of them accepted, it is the one in the same scope that is known.
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
    fn what_nobody_looked_at_is_unknown_unless_its_file_is_gone() {
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
}
