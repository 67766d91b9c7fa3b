//! Findings and entries across build variants: what one finding is, and where its entry accepts it.
//!
//! Variants of a tool look at the same code, so what several of them report at one place is one finding. Which variants see it
//! decides what accepts it: an accepted lint holds in every variant, but anything else, such as a failed test, says nothing about
//! the variants in which it was not found. Does not know which variants there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::reach::Reach;
use crate::model::finding::{Entry, Finding, Place, Position, Related};
use crate::model::path::RelPath;
use crate::model::text::Text;
use crate::model::variant::Variant;

/// Unites findings with the same identity at the same place that different variants of a tool report, for example with another
/// number in the message. Of several findings about one subject, each variant reports its own, so their number is that of the
/// variant with the most.
pub fn unite(findings: Vec<Finding>) -> Vec<Finding> {
    type Spot = (Text, Option<(RelPath, Option<Position>)>);
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut at_spot: BTreeMap<Spot, Vec<usize>> = BTreeMap::new();
    for finding in findings {
        let place = match &finding.diagnostic.place {
            Place::File { path, range } => Some((path.clone(), range.map(|range| range.start))),
            Place::Subject(_) => None,
        };
        let spot = at_spot.entry((finding.id.clone(), place)).or_default();
        match spot.iter().find(|at| are_of_other_variants(&kept[**at], &finding)) {
            Some(at) => absorb(&mut kept[*at], finding),
            None => {
                spot.push(kept.len());
                kept.push(finding);
            }
        }
    }
    kept
}

/// Returns whether no tool reports both, and each tool of the second one is another variant of a tool of the first.
fn are_of_other_variants(one: &Finding, other: &Finding) -> bool {
    let base = |tool: &Text| Variant::split(tool).0.to_owned();
    other
        .tools
        .iter()
        .all(|tool| !one.tools.contains(tool) && one.tools.iter().any(|known| base(known) == base(tool)))
}

fn absorb(finding: &mut Finding, other: Finding) {
    let mut tools: Vec<_> = finding.tools.iter().chain(other.tools.iter()).cloned().collect();
    tools.sort();
    let variants: Vec<_> = other.tools.iter().map(|tool| format!("`{}`", Variant::split(tool).1)).collect();
    finding.tools = tools.into();
    let kept = &mut finding.diagnostic;
    kept.fatal |= other.diagnostic.fatal;
    kept.level = kept.level.min(other.diagnostic.level);
    if kept.message != other.diagnostic.message {
        let message = format!("with {}: {}", variants.join(", "), other.diagnostic.message);
        let related = Related { message, place: None };
        if !kept.related.contains(&related) {
            kept.related.push(related);
        }
    }
    if let Some(fix) = other.diagnostic.fix {
        match &mut kept.fix {
            Some(own) => own.add(&fix),
            none => *none = Some(fix),
        }
    }
}

/// Returns the names of the variants in which `finding` was found.
fn seen(finding: &Finding) -> Vec<&str> {
    match &finding.seen_in {
        Some(seen) => seen.variants.iter().map(Text::as_str).collect(),
        None => vec![Variant::DEFAULT],
    }
}

/// Returns whether accepting `finding` in one variant says nothing about the others. If its tools have no variants, what kind of
/// tools they are is not recorded, so this is decided by what the finding is about.
fn is_per_variant(finding: &Finding) -> bool {
    let diagnostic = &finding.diagnostic;
    let has_no_file = || diagnostic.test.is_some() || diagnostic.place.path().is_none();
    finding.seen_in.as_ref().map_or_else(has_no_file, |seen| seen.is_per_variant)
}

/// Returns whether `entry` accepts `finding` in every variant that found it.
pub(super) fn holds(finding: &Finding, entry: &Entry) -> bool {
    !is_per_variant(finding) || seen(finding).into_iter().all(|variant| entry.is_in(variant))
}

/// Returns the variants that `entry` of namespace `ns` lists once `finding` has been found: without those that looked and found
/// nothing.
pub(super) fn still_in(finding: &Finding, ns: &str, entry: &Entry, reach: &dyn Reach) -> Option<Arc<[Text]>> {
    let seen = seen(finding);
    if is_per_variant(finding) {
        return left(ns, entry, reach, &seen);
    }
    if seen.contains(&Variant::DEFAULT) {
        return None;
    }
    let mut left = left(ns, entry, reach, &seen)?.to_vec();
    left.extend(seen.into_iter().map(Text::from));
    left.sort();
    left.dedup();
    Some(left.into())
}

/// Returns the variants that `entry` of namespace `ns` lists once nothing has been found for it: without those that looked. So an
/// entry whose variants run on different systems is narrowed on each of them, and is fixed on the last.
pub(super) fn not_looked(ns: &str, entry: &Entry, reach: &dyn Reach) -> Option<Arc<[Text]>> {
    let left = left(ns, entry, reach, &[]);
    let is_narrowed = left != entry.in_variants && left.as_ref().is_some_and(|left| !left.is_empty());
    // Code that still exists and is off may be on again in a variant that looked.
    if is_narrowed && reach.unseen(ns, entry).is_empty() { left } else { entry.in_variants.clone() }
}

/// Returns the variants of `entry` that are in `seen` or did not look; `None` for all.
fn left(ns: &str, entry: &Entry, reach: &dyn Reach, seen: &[&str]) -> Option<Arc<[Text]>> {
    let own = entry.in_variants.as_ref().map_or_else(|| reach.variants(ns, entry), |own| own.to_vec());
    let is_left = |name: &&Text| seen.contains(&name.as_str()) || !reach.looked_at_in(ns, entry, name);
    let left: Vec<_> = own.iter().filter(is_left).cloned().collect();
    // An entry without a list keeps none until something is known about a variant.
    (entry.in_variants.is_some() || left.len() < own.len()).then(|| left.into())
}

/// Returns the variants in which an entry holds that was accepted in `one` and in `other`. `None` stands for all.
pub fn united(one: Option<&Arc<[Text]>>, other: Option<&Arc<[Text]>>) -> Option<Arc<[Text]>> {
    let mut all: Vec<_> = one?.iter().chain(other?.iter()).cloned().collect();
    all.sort();
    all.dedup();
    Some(all.into())
}

#[cfg(test)]
mod tests {
    use super::super::baseline::{entries_of, shrunk};
    use super::super::matching::compare;
    use super::super::suppressions::Suppressions;
    use super::super::tests::{at, diagnostic};
    use super::*;
    use crate::model::finding::{Diagnostic, Level, SeenIn, Site, State};
    use crate::model::halt::Never;
    use crate::model::outcome::Compared;
    use crate::model::sources::Sources;

    fn said(tool: &str, diagnostic: &Diagnostic) -> (Text, Diagnostic) {
        (tool.into(), diagnostic.clone())
    }

    fn identify(said: Vec<(Text, Diagnostic)>) -> Vec<Finding> {
        unite(super::super::identity::identify(said, &Sources::default(), &Never).unwrap())
    }

    fn tools(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|finding| finding.tools.join(" ")).collect()
    }

    #[test]
    fn a_finding_of_several_variants_at_one_place_is_one() {
        let one = diagnostic("a.rs", at(1, 1), "101 lines");
        let other = diagnostic("a.rs", at(1, 1), "102 lines");
        let elsewhere = diagnostic("a.rs", at(9, 1), "101 lines");
        let findings = identify(vec![
            said("clippy", &one),
            said("clippy@full", &other),
            said("clippy@full", &elsewhere),
        ]);
        assert_eq!(tools(&findings), ["clippy clippy@full", "clippy@full"]);
        assert_eq!(findings[0].diagnostic.related[0].message, "with `full`: 102 lines");
        // Other tools say something else.
        assert_eq!(tools(&identify(vec![said("clippy", &one), said("check@full", &other)])).len(), 2);
    }

    #[test]
    fn the_number_of_findings_about_a_subject_is_that_of_the_variant_with_the_most() {
        let subject = |message: &str| {
            let mut one = diagnostic("", at(1, 1), message);
            one.place = Place::Subject("a x".into());
            one
        };
        let findings = identify(vec![
            said("test", &subject("1")),
            said("test", &subject("2")),
            said("test@full", &subject("3")),
            said("test@full", &subject("4")),
            said("test@full", &subject("5")),
        ]);
        assert_eq!(tools(&findings), ["test test@full", "test test@full", "test@full"]);
    }

    /// A finding seen in `variants`, of a test or a lint.
    fn found(variants: &[&str], is_per_variant: bool) -> Finding {
        let mut finding = identify(vec![said("t", &diagnostic("a.rs", at(1, 1), "m"))]).remove(0);
        let variants = variants.iter().map(|name| Text::from(*name)).collect();
        finding.seen_in = Some(Arc::new(SeenIn { variants, is_everywhere: false, is_per_variant }));
        finding
    }

    /// A run in which some variants looked at everything.
    struct Looked(&'static [&'static str]);

    impl Reach for Looked {
        fn exists(&self, _: &RelPath) -> bool {
            true
        }
        fn looked_at(&self, _: &str, _: &Entry) -> bool {
            false
        }
        fn looked_at_in(&self, _: &str, _: &Entry, variant: &str) -> bool {
            self.0.contains(&variant)
        }
        fn variants(&self, _: &str, entry: &Entry) -> Vec<Text> {
            let is_per_variant = matches!(entry.site, Site::Subject(_));
            ["asleep", "default", "full", "small"]
                .map(Text::from)
                .into_iter()
                .filter(|_| is_per_variant)
                .collect()
        }
    }

    /// Checks the state of a finding that is `now` in these variants and was `accepted` in others, and the variants that
    /// `baseline update` leaves. All variants but `asleep` looked.
    #[track_caller]
    fn check(is_per_variant: bool, accepted: &[&str], now: &[&str], state: State, left: Option<&[&str]>) {
        let baseline = entries_of(&[found(accepted, is_per_variant)]);
        let reach = Looked(&["default", "full", "small"]);
        let findings = vec![found(now, is_per_variant)];
        let matched = compare(findings, &Suppressions::default(), &baseline, &reach, &Never).unwrap();
        let [Compared { state: actual, .. }] = matched.findings.as_slice() else { panic!("one finding") };
        assert_eq!(*actual, state, "{accepted:?} {now:?}");
        assert_eq!(matched.gone, []);
        let kept = shrunk(&matched.findings, &matched.gone).remove("clippy").unwrap();
        let [entry] = kept.as_slice() else { panic!("one entry") };
        let kept = entry.in_variants.as_ref().map(|own| own.iter().map(Text::as_str).collect::<Vec<_>>());
        assert_eq!(kept.as_deref(), left, "{accepted:?} {now:?}");
    }

    #[test]
    fn an_accepted_failure_holds_only_in_its_variants() {
        let both = ["default", "full"];
        check(true, &["default"], &["default"], State::Unchanged, Some(&["default"]));
        check(true, &["default"], &both, State::New, Some(&["default"]));
        check(true, &["default"], &["full"], State::New, Some(&["default"]));
        check(true, &both, &both, State::Unchanged, Some(&both));
        check(true, &both, &["full"], State::Unchanged, Some(&["full"]));
        check(true, &["asleep", "full"], &["full"], State::Unchanged, Some(&["asleep", "full"]));
    }

    #[test]
    fn an_accepted_lint_holds_in_every_variant() {
        check(false, &["default"], &["full"], State::Unchanged, None);
        check(false, &["full"], &["default", "full"], State::Unchanged, None);
        check(false, &["full"], &["small"], State::Unchanged, Some(&["small"]));
        check(false, &["asleep", "full"], &["full"], State::Unchanged, Some(&["asleep", "full"]));
    }

    /// Returns the list of the entry that remains of one with `list` about `site` of which nothing is found in a run in which
    /// `looked` looked.
    fn remaining(site: Site, list: Option<&[&str]>, looked: &'static [&'static str]) -> Option<Vec<String>> {
        let [rule, scope, code, msg] = ["r", "", "", "m"].map(Text::from);
        let in_variants = list.map(|names| names.iter().map(|name| Text::from(*name)).collect());
        let entry = Entry { site, rule, scope, code, msg, in_variants, reason: None };
        let baseline = BTreeMap::from([("test".to_owned(), vec![entry])]);
        let matched =
            compare(Vec::new(), &Suppressions::default(), &baseline, &Looked(looked), &Never).unwrap();
        let kept = shrunk(&matched.findings, &matched.gone).remove("test").unwrap().remove(0);
        kept.in_variants.map(|own| own.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_entry_is_left_in_the_variants_that_did_not_look() {
        let test = || Site::Subject("a t".to_owned());
        let list = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(remaining(test(), Some(&["asleep", "full"]), &["full"]), list(&["asleep"]));
        assert_eq!(remaining(test(), None, &["default", "full"]), list(&["asleep", "small"]));
        assert_eq!(remaining(test(), None, &[]), None, "nothing is known");
        // Another one keeps it from being fixed.
        assert_eq!(remaining(test(), Some(&["full"]), &["full"]), list(&["full"]));
        assert_eq!(remaining(test(), None, &["asleep", "default", "full", "small"]), None);
        let code = || Site::Path(RelPath::new("a.rs"));
        assert_eq!(remaining(code(), None, &["default", "full"]), None, "an accepted lint holds in all");
    }

    #[test]
    fn a_failure_accepted_without_a_list_is_narrowed_to_where_it_is_found_or_not_looked_for() {
        let narrowed = |looked: &'static [&'static str]| {
            let mut finding = found(&["full"], true);
            finding.diagnostic.place = Place::Subject("a t".to_owned());
            let entry = Entry { in_variants: None, ..Entry::of(&finding) };
            assert!(holds(&finding, &entry));
            let left = still_in(&finding, "test", &entry, &Looked(looked));
            left.map(|own| own.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(narrowed(&["default", "full", "small"]).as_deref(), Some("asleep full"));
        assert_eq!(narrowed(&["full"]), None);
    }

    #[test]
    fn only_a_lint_about_code_is_accepted_elsewhere_if_its_tools_have_no_variants_any_more() {
        let held = |place: Place| {
            let mut finding = found(&["full"], false);
            finding.seen_in = None;
            finding.diagnostic.place = place;
            let own = Some([Text::from("full")].into());
            holds(&finding, &Entry { in_variants: own, ..Entry::of(&finding) })
        };
        assert!(held(Place::File { path: RelPath::new("a.rs"), range: None }));
        assert!(!held(Place::Subject("failed".to_owned())));
    }

    #[test]
    fn accepting_in_two_variants_accepts_in_both_and_no_list_is_the_widest() {
        let list = |names: &[&str]| Some(names.iter().map(|name| Text::from(*name)).collect::<Arc<[_]>>());
        let check = |one: Option<Arc<[Text]>>, other: Option<Arc<[Text]>>, expected| {
            assert_eq!(united(one.as_ref(), other.as_ref()), expected);
            assert_eq!(united(other.as_ref(), one.as_ref()), expected);
        };
        check(list(&["b"]), list(&["a", "b"]), list(&["a", "b"]));
        check(list(&["b"]), None, None);
        check(None, None, None);
    }

    #[test]
    fn the_worst_level_counts() {
        let mut note = diagnostic("a.rs", at(1, 1), "1 thing");
        note.level = Level::Note;
        let findings =
            identify(vec![said("t", &note), said("t@x", &diagnostic("a.rs", at(1, 1), "2 thing"))]);
        assert_eq!(findings[0].diagnostic.level, Level::Warning);
    }
}
