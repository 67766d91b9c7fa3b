//! Gives findings stable ids.
//!
//! An id covers the namespace, the rule, the path or subject, the message without its variable parts ([`Finding::msg`]) and the
//! flagged code ([`Finding::code`]). It does not cover line, column, level and toolchain, so adding lines above, `-D warnings` or
//! rustfmt do not change ids. Does not know the baseline.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::blocks::Blocks;
use super::tokens::Source;
use crate::model::digest::{ContentHash, Digest, Sink};
use crate::model::finding::{Diagnostic, Entry, FailedTest, Finding, Place, Site};
use crate::model::halt::{Halt, Halted, PER_FINDING, Pace};
use crate::model::sources::Sources;
use crate::model::text::{Interner, Text};

/// Domain of the hash. Its version changes whenever the fields of an id change.
const DOMAIN: &str = "genti-finding-1";

/// Gives each diagnostic its identity.
///
/// Each diagnostic comes with the tool that reported it. Diagnostics with the same place, namespace, rule and message become one
/// finding, even if different tools reported them. It keeps the worst level and all additional information. The result is sorted
/// by place (path or subject, line, column, end), namespace, rule, level and message. No two findings agree on all of these, so the
/// order of `diagnostics` does not matter.
///
/// # Errors
///
/// If `halt` stops it.
pub fn identify(
    diagnostics: Vec<(Text, Diagnostic)>,
    sources: &Sources,
    halt: &dyn Halt,
) -> Result<Vec<Finding>, Halted> {
    let mut pace = Pace::new(halt);
    let mut texts = Interner::default();
    let mut findings = merge(diagnostics, &mut texts, &mut pace)?;
    sort(&mut findings);
    let mut blocks = Blocks::new(sources);
    for in_file in findings.chunk_by_mut(|a, b| a.diagnostic.place.path() == b.diagnostic.place.path()) {
        let path = in_file[0].diagnostic.place.path().cloned();
        let source = LazyCell::new(|| path.and_then(|path| Some(Source::new(&path, sources.get(&path)?))));
        for finding in in_file {
            pace.spend(PER_FINDING)?;
            if let Some(FailedTest { at: Some(at), item: Some(item) }) = finding.diagnostic.test.as_deref() {
                finding.code = blocks.code(at, item).into();
            }
            if let Some(range) = finding.diagnostic.place.range()
                && let Some(source) = &*source
            {
                finding.code = texts.get(&source.code(range));
                finding.scope = texts.get(&source.scope(range));
            }
            finding.id = id_of(&finding.diagnostic.ns, &Entry::of(finding)).into();
        }
    }
    Ok(findings)
}

/// Sorts findings into the order in which they are matched and reported.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| a.diagnostic.cmp(&b.diagnostic));
}

/// Returns the id of the finding that `entry` of namespace `ns` accepts, equal to [`Finding::id`].
pub fn id_of(ns: &str, entry: &Entry) -> String {
    Digest::of(DOMAIN, &FindingIdentity { ns, entry }).short(16)
}

/// The data that an id covers.
struct FindingIdentity<'a> {
    ns: &'a str,
    entry: &'a Entry,
}

impl ContentHash for FindingIdentity<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        let Entry { site, rule, msg, code, .. } = self.entry;
        sink.field("ns", self.ns.as_bytes());
        sink.field("rule", rule.as_bytes());
        match site {
            Site::Path(path) => sink.field("path", path.as_bytes()),
            Site::Subject(_) => sink.field("subject", self.entry.site_name().as_bytes()),
        }
        sink.field("msg", msg.as_bytes());
        sink.field("code", code.as_bytes());
    }
}

/// Merges equal diagnostics into one finding each, without ids yet.
fn merge(
    mut diagnostics: Vec<(Text, Diagnostic)>,
    texts: &mut Interner,
    pace: &mut Pace<'_>,
) -> Result<Vec<Finding>, Halted> {
    fn key(d: &Diagnostic) -> (&Place, &str, &str, &str, Option<&FailedTest>) {
        (&d.place, &d.ns, &d.rule, &d.message, d.test.as_deref())
    }
    // Diagnostics with equal keys are ordered by all fields, so the result does not depend on which tool came first. The worst
    // level comes first.
    diagnostics.sort_by(|(tool_a, a), (tool_b, b)| {
        key(a).cmp(&key(b)).then_with(|| a.cmp(b)).then_with(|| tool_a.cmp(tool_b))
    });
    let mut findings: Vec<Finding> = Vec::with_capacity(diagnostics.len());
    for (tool, mut diagnostic) in diagnostics {
        [&mut diagnostic.ns, &mut diagnostic.rule, &mut diagnostic.message]
            .into_iter()
            .for_each(|text| texts.share(text));
        pace.spend(PER_FINDING + diagnostic.message.len())?;
        match findings.last_mut() {
            Some(last) if key(&last.diagnostic) == key(&diagnostic) => absorb(last, tool, diagnostic),
            _ => findings.push(Finding {
                id: Text::default(),
                msg: match diagnostic.test {
                    Some(_) => texts.get(FailedTest::MESSAGE),
                    None => stable_message(&diagnostic.message, texts),
                },
                code: Text::default(),
                scope: Text::default(),
                seen_in: None,
                tools: match findings.last() {
                    Some(Finding { tools, .. }) if **tools == [tool.clone()] => Arc::clone(tools),
                    _ => [tool].into(),
                },
                diagnostic,
            }),
        }
    }
    Ok(findings)
}

fn absorb(finding: &mut Finding, tool: Text, other: Diagnostic) {
    if let Err(at) = finding.tools.binary_search(&tool) {
        let (before, after) = finding.tools.split_at(at);
        finding.tools = [before, &[tool], after].concat().into();
    }
    let kept = &mut finding.diagnostic;
    kept.fatal |= other.fatal;
    kept.package = kept.package.or(other.package);
    match (&mut kept.fix, other.fix) {
        (Some(kept), Some(other)) => kept.add(&other),
        (kept, other) => *kept = kept.take().or(other),
    }
    for related in other.related {
        if !kept.related.contains(&related) {
            kept.related.push(related);
        }
    }
}

/// Removes the variable parts of a message: positions `:line:column` (and `:line:column: line:column` of closure types) and
/// numbers. A run of digits outside backticks becomes `#`, so a change from 9 to 10 does not matter. Digits inside backticks belong
/// to a name or value and are kept.
fn stable_message(message: &Text, texts: &mut Interner) -> Text {
    match without_numbers(message) {
        Cow::Borrowed(_) => message.clone(),
        Cow::Owned(text) => texts.get(&text),
    }
}

fn without_numbers(message: &str) -> Cow<'_, str> {
    static POSITIONS: LazyLock<Regex> = LazyLock::new(|| regex(r":[0-9]+:[0-9]+(?:: [0-9]+:[0-9]+)?\b"));
    static NUMBERS: LazyLock<Regex> = LazyLock::new(|| regex("`[^`]*`|[0-9]+"));

    let placeless = POSITIONS.replace_all(message, "");
    let numberless = NUMBERS.replace_all(&placeless, |found: &regex::Captures<'_>| {
        if found[0].starts_with('`') { found[0].to_owned() } else { "#".to_owned() }
    });
    if numberless == message { Cow::Borrowed(message) } else { Cow::Owned(numberless.into_owned()) }
}

fn regex(pattern: &'static str) -> Regex {
    Regex::new(pattern).expect("a constant pattern is valid")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, diagnostic, identified, sources};
    use super::*;
    use crate::model::finding::{Level, Related};
    use crate::model::halt::testing::After;
    use crate::model::halt::{Never, STRIDE};

    #[test]
    fn the_id_of_a_known_finding_never_changes() {
        // A different id orphans every baseline entry and alert of the users. If it must change, raise the version.
        let findings =
            identified("src/a.rs", "fn b() { return x; }", vec![diagnostic("src/a.rs", at(1, 10), "m")]);
        assert_eq!(findings[0].id, "4b074861bec2976e");
        assert_eq!((findings[0].code.as_str(), findings[0].scope.as_str()), ("return x", "fn b"));
    }

    #[test]
    fn variable_parts_of_a_message_are_removed() {
        let check = |message: &str, stable: &str| assert_eq!(without_numbers(message), stable);
        check("see src/a.rs:12:5", "see src/a.rs");
        check("`{closure@src/main.rs:4:13: 4:15}` is no `A`", "`{closure@src/main.rs}` is no `A`");
        check("too many lines (101/100)", "too many lines (#/#)");
        check("found 9 of `u8`, 10 of `[u8; 32]`", "found # of `u8`, # of `[u8; 32]`");
        check("an odd ` 5", "an odd ` #");
    }

    #[test]
    fn the_id_covers_everything_except_level_and_position() {
        let text = "return x;\nreturn y;\n\nreturn x;\n";
        let id = |change: &dyn Fn(&mut Diagnostic)| {
            let mut one = diagnostic("a.rs", at(1, 1), "m");
            change(&mut one);
            identified("a.rs", text, vec![one]).remove(0).id
        };
        let original = id(&|_| {});
        assert_eq!(original, id(&|d| d.level = Level::Note));
        assert_eq!(original, id(&|d| d.place = diagnostic("a.rs", at(4, 1), "").place));
        let changes: [&dyn Fn(&mut Diagnostic); 6] = [
            &|d| d.ns = "other".into(),
            &|d| d.rule = "other".into(),
            &|d| d.message = "other".into(),
            &|d| d.place = diagnostic("b.rs", at(1, 1), "").place,
            &|d| d.place = Place::Subject("a.rs".into()),
            &|d| d.place = diagnostic("a.rs", at(2, 1), "").place,
        ];
        for change in changes {
            assert_ne!(original, id(change));
        }
    }

    #[test]
    fn a_diagnostic_of_two_tools_is_one_finding() {
        let related = |message: &str| Related { message: message.into(), place: None };
        let mut worse = diagnostic("a.rs", at(1, 1), "m");
        worse.related = vec![related("one"), related("two")];
        let mut milder = worse.clone();
        milder.level = Level::Note;
        milder.related = vec![related("two"), related("three")];
        milder.fatal = true;
        let elsewhere = diagnostic("a.rs", at(2, 1), "m");

        let mut said = [("doc", milder), ("clippy", worse.clone()), ("doc", worse), ("clippy", elsewhere)];
        for _ in 0..said.len() {
            said.rotate_left(1);
            let said = said.iter().cloned().map(|(tool, diagnostic)| (tool.into(), diagnostic)).collect();
            let findings = identify(said, &Sources::default(), &Never).unwrap();
            let [one, other] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!(*one.tools, ["clippy", "doc"]);
            assert_eq!(one.diagnostic.level, Level::Warning);
            assert_eq!(one.diagnostic.related, [related("one"), related("two"), related("three")]);
            assert!(one.diagnostic.fatal);
            assert_eq!(*other.tools, ["clippy"]);
        }
    }

    #[test]
    fn findings_are_sorted_by_path_then_position_then_content() {
        let place = |path: &str, line, column| diagnostic(path, at(line, column), "m");
        let mut ruled = place("a/b.rs", 2, 1);
        ruled.rule = "z".into();
        let mut subject = place("", 1, 1);
        subject.place = Place::Subject("0".into());
        let order = vec![
            place("a.rs", 9, 9),
            place("a/b.rs", 1, 12),
            place("a/b.rs", 2, 1),
            ruled,
            place("a/b.rs", 10, 1),
            subject,
        ];
        let shuffled = order.iter().rev().map(|d| (Text::default(), d.clone())).collect();
        let sorted = identify(shuffled, &sources("a.rs", ""), &Never).unwrap();
        assert_eq!(sorted.into_iter().map(|f| f.diagnostic).collect::<Vec<_>>(), order);
    }

    #[test]
    fn findings_are_small_and_share_their_texts() {
        use std::mem::size_of;

        use crate::model::outcome::Compared;
        // There may be hundreds of thousands of them.
        assert!(size_of::<Diagnostic>() <= 152, "{}", size_of::<Diagnostic>());
        assert!(size_of::<Compared>() <= 304, "{}", size_of::<Compared>());

        let said = (1..=2).map(|line| {
            let one = diagnostic("a.rs", at(line, 1), &format!("{line} of 2"));
            (Text::from("clippy"), one)
        });
        let sources = sources("a.rs", "fn f() {}\nfn f() {}\n");
        let findings = identify(said.collect(), &sources, &Never).unwrap();
        let [one, other] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(Arc::ptr_eq(&one.tools, &other.tools));
        let texts = |finding: &Finding| {
            let Finding { diagnostic, msg, code, scope, .. } = finding.clone();
            [diagnostic.ns, diagnostic.rule, msg, code, scope]
        };
        for (one, other) in texts(one).iter().zip(&texts(other)) {
            assert_eq!(one.as_ptr(), other.as_ptr(), "{one:?} and {other:?}");
        }
        assert_eq!(one.msg, "# of #");
    }

    #[test]
    fn identifying_stops_within_bounded_work_when_halted() {
        const COUNT: usize = 2_000;
        let said: Vec<_> =
            (1..=COUNT as u32).map(|line| (Text::default(), diagnostic("a.rs", at(line, 1), "m"))).collect();
        let all = After::new(usize::MAX);
        let sources = sources("a.rs", "return x;\n".repeat(COUNT));
        assert_eq!(identify(said.clone(), &sources, &all).unwrap().len(), COUNT);
        for left in [0, all.asked() / 2, all.asked() - 1] {
            let halt = After::new(left);
            assert_eq!(identify(said.clone(), &sources, &halt), Err(Halted));
            assert_eq!(halt.asked(), left + 1);
        }
        assert!(all.asked() >= 2 * COUNT * PER_FINDING / STRIDE);
    }
}
