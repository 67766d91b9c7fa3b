//! Fuzz targets for baseline files, including files with merge conflicts.

use super::files::render_all;
use super::random::Dice;
use super::{Target, text};
use crate::compare::baseline;
use crate::model::finding::{Entry, Site};
use crate::model::path::RelPath;

const WORDS: [&str; 12] = [
    "{\"genti_baseline\":1}\n",
    "{\"genti_baseline\":2}\n",
    "<<<<<<< ours\n",
    "||||||| base\n",
    "=======\n",
    ">>>>>>> theirs\n",
    "\"path\":",
    "\"subject\":",
    "\"nth\":2",
    "\"reason\":\"r\"",
    "%0A",
    "\\u0000",
];

fn mutate(dice: &mut Dice, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    text::mutate(dice, input, others, &WORDS)
}

/// Accepted files are written back with the same bytes, and errors can be shown.
pub(super) const BASELINE: Target = Target {
    name: "baseline",
    seeds: || (0..6).map(|seed| baseline::render(&entries(&mut Dice::new(seed), 4)).into_bytes()).collect(),
    mutate: |dice, input, others| match dice.one_in(4) {
        true => baseline::render(&entries(dice, 6)).into_bytes(),
        false => mutate(dice, input, others),
    },
    check: |input| match baseline::parse("t.jsonl", input) {
        Ok(entries) => {
            let text = baseline::render(&entries);
            assert_eq!(baseline::parse("t.jsonl", text.as_bytes()).as_ref(), Ok(&entries));
            assert_eq!(baseline::render(&entries), text);
            true
        }
        Err(problems) => {
            render_all(&problems);
            false
        }
    },
};

/// Merges the three sides of a conflict.
pub(super) const MERGE: Target = Target {
    name: "baseline_merge",
    seeds: || (0..6).map(|seed| conflict(&mut Dice::new(seed))).collect(),
    mutate: |dice, input, others| match dice.one_in(3) {
        true => mutate(dice, input, others),
        false => conflict(dice),
    },
    check: merge,
};

/// Returns base, ours and theirs if all three can be parsed.
fn sides(input: &[u8]) -> Option<[Vec<Entry>; 3]> {
    let text = String::from_utf8_lossy(input);
    let sides = baseline::sides(&text)?;
    assert!(baseline::is_conflicted(&text));
    match sides.map(|side| baseline::parse("t.jsonl", side.as_bytes())) {
        [Ok(base), Ok(ours), Ok(theirs)] => Some([base, ours, theirs]),
        _ => None,
    }
}

/// Returns whether both sides contain changes.
#[cfg(test)]
pub(super) fn has_changes_on_both_sides(input: &[u8]) -> bool {
    sides(input).is_some_and(|[base, ours, theirs]| ours != base && theirs != base && ours != theirs)
}

fn merge(input: &[u8]) -> bool {
    let Some([base, ours, theirs]) = &sides(input) else { return false };
    let bare = |entries: Vec<Entry>| -> Vec<Entry> { entries.iter().map(Entry::bare).collect() };
    let merged = baseline::merge(base, ours, theirs);
    assert_eq!(
        bare(merged.clone()),
        bare(baseline::merge(base, theirs, ours)),
        "the order of the sides does not matter"
    );
    assert_eq!(
        bare(baseline::merge(base, ours, base)),
        bare(ours.clone()),
        "a change of one side is applied"
    );
    assert_eq!(
        bare(baseline::merge(base, ours, ours)),
        bare(ours.clone()),
        "an equal change of both sides is applied once"
    );
    let text = baseline::render(&merged);
    let again = baseline::parse("t.jsonl", text.as_bytes());
    assert_eq!(again.map(bare), Ok(bare(merged)));
    true
}

/// Generates a file with merge conflict markers from three similar lists.
fn conflict(dice: &mut Dice) -> Vec<u8> {
    let base = entries(dice, 5);
    let [ours, theirs] = [(), ()].map(|()| {
        let mut side = base.clone();
        side.retain(|_| !dice.one_in(4));
        if dice.one_in(2) {
            side.extend(entries(dice, 2));
        }
        side
    });
    let lines = |entries: &[Entry]| -> Vec<String> {
        baseline::render(entries).split_inclusive('\n').map(str::to_owned).collect()
    };
    let [base, ours, theirs] = [lines(&base), lines(&ours), lines(&theirs)];
    // Lines before the first difference are shared. At least the header is.
    let alike = (0..ours.len().min(theirs.len()).min(base.len()))
        .take_while(|&at| ours[at] == theirs[at] && ours[at] == base[at])
        .count();
    let common = dice.below(alike) + 1;
    let mut text = ours[..common].concat();
    let mut part = |marker: &str, lines: &[String]| {
        text.push_str(marker);
        text.push_str(&lines.concat());
    };
    part("<<<<<<< ours\n", &ours[common..]);
    part("||||||| base\n", &base[common..]);
    part("=======\n", &theirs[common..]);
    part(">>>>>>> theirs\n", &[]);
    text.into_bytes()
}

/// Returns up to `most` entries of few kinds, so some of them are identical.
fn entries(dice: &mut Dice, most: usize) -> Vec<Entry> {
    let entry = |dice: &mut Dice| Entry {
        site: match dice.one_in(3) {
            true => Site::Subject((*dice.pick(&["serde", "a::b #2", "\u{1b}\"\n", ""])).to_owned()),
            false => Site::Path(RelPath::new(dice.pick(&[
                &b"a.rs"[..],
                b"b/c.rs",
                b"%41\xff",
                b"../d",
                b"new\nline",
            ]))),
        },
        rule: (*dice.pick(&["r", "clippy::s"])).into(),
        scope: (*dice.pick(&["", "m::f"])).into(),
        code: (*dice.pick(&["", "0123456789abcdef"])).into(),
        msg: (*dice.pick(&["bad", "`x` is \"bad\"\u{2028}"])).into(),
        in_variants: dice
            .one_in(4)
            .then(|| dice.pick(&[&["a"][..], &["a", "b"]]).iter().map(|name| (*name).into()).collect()),
        reason: dice.one_in(4).then(|| (*dice.pick(&["because", ""])).to_owned()),
    };
    let mut all: Vec<_> = (0..=dice.below(most)).map(|_| entry(dice)).collect();
    all.sort();
    all
}
