//! Determines the fate of every finding from where its bytes went, and compares it with the result of `compare`.

use std::collections::BTreeMap;
use std::rc::Rc;

use genti::compare::baseline::entries_of;
use genti::compare::identity::identify;
use genti::compare::matching::{Matched, compare};
use genti::compare::reach::Reach;
use genti::compare::similar::{edits, is_near};
use genti::compare::suppressions::Suppressions;
use genti::model::finding::{Entry, Finding, State};
use genti::model::halt::Never;
use genti::model::path::RelPath;
use genti::model::sources::Sources;

use super::lints::{Found, diagnostics, lint};
use super::rust::Code;
use super::world::{FRESH, Text, World};

/// Finding in a workspace.
#[derive(Clone)]
struct Seen {
    path: String,
    found: Found,
    finding: Finding,
    /// Origin of its anchor.
    anchor: u32,
    /// Origin of its flagged code, by byte.
    flagged: Vec<u32>,
    /// Length of the flagged code. For long code, only the beginning and the length count.
    length: usize,
    /// Flagged code, independent of layout.
    code: String,
    /// Names of the enclosing items.
    around: Vec<String>,
    /// Set if it is about an item: its message names one, or it flags the head of the innermost enclosing one.
    is_about_item: bool,
}

/// Workspace with all its findings.
pub(crate) struct Before {
    pub(crate) world: World,
    seen: BTreeMap<String, Vec<Seen>>,
    baseline: BTreeMap<String, Vec<Entry>>,
}

/// Agreement between expected and reported findings, for new or for fixed ones.
#[derive(Clone, Copy, Default)]
pub(crate) struct Score {
    pub(crate) expected: usize,
    pub(crate) got: usize,
    pub(crate) right: usize,
}

/// Name of the pass that matches slightly edited findings.
const NEAR: u8 = 7;

/// A removed and an added finding with equal lint, item and message.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    /// Number of tokens that differ, and of all tokens.
    pub(crate) edits: (usize, usize),
    /// Set if they are one occurrence that was edited.
    pub(crate) is_same: bool,
}

/// Result of one change.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) findings: usize,
    /// Pairs that could be matched as updated.
    pub(crate) pairs: Vec<Pair>,
    /// Findings matched as updated because the code is nearly the same. They should be one occurrence.
    pub(crate) near: Score,
    pub(crate) new: Score,
    pub(crate) fixed: Score,
    /// Descriptions of disagreements.
    pub(crate) disagreements: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, other: Self) {
        self.expected += other.expected;
        self.got += other.got;
        self.right += other.right;
    }
}

impl Before {
    pub(crate) fn new(world: World) -> Self {
        let seen: BTreeMap<_, _> = world
            .files
            .iter()
            .map(|(path, text)| (path.clone(), look(path, text, &world.reworded)))
            .collect();
        let findings: Vec<Finding> = seen.values().flatten().map(|seen| seen.finding.clone()).collect();
        Self { world, baseline: entries_of(&findings), seen }
    }

    pub(crate) fn findings(&self) -> usize {
        self.seen.values().map(Vec::len).sum()
    }

    /// Compares the result of `compare` with the truth.
    pub(crate) fn judge(&self, world: &World) -> Verdict {
        let now: Vec<Seen> =
            world.files.iter().flat_map(|(path, text)| self.look(path, text, world)).collect();
        let (mut new, mut fixed) = self.truth(&now, world);
        let current = now.iter().map(|seen| seen.finding.clone()).collect();
        let matched = compare(current, &Suppressions::default(), &self.baseline, &Files(world), &Never)
            .expect("never halted");

        let got_new = matched.findings.iter().filter(|compared| compared.state == State::New);
        let got_new = got_new.map(|compared| describe(&Entry::of(&compared.finding)));
        let got_fixed = matched.gone.iter().map(|gone| describe(&gone.entry));
        let mut verdict = Verdict { findings: now.len(), pairs: pairs(&new, &fixed), ..Verdict::default() };
        verdict.near = take_near(&matched, &mut new, &mut fixed);
        let entry = |seen: &&Seen| describe(&Entry::of(&seen.finding));
        verdict.new = score("new", new.iter().map(entry), got_new, &mut verdict.disagreements);
        verdict.fixed = score("fixed", fixed.iter().map(entry), got_fixed, &mut verdict.disagreements);
        verdict
    }

    fn look(&self, path: &str, text: &Rc<Text>, world: &World) -> Vec<Seen> {
        match (self.world.files.get(path), self.seen.get(path)) {
            (Some(before), Some(seen))
                if Rc::ptr_eq(before, text)
                    && !seen.iter().any(|seen| world.reworded.contains(&seen.found.rule)) =>
            {
                seen.clone()
            }
            _ => look(path, text, &world.reworded),
        }
    }

    /// Returns the new and the fixed findings, by the rules in the documentation of this test.
    fn truth<'a>(&'a self, now: &'a [Seen], world: &World) -> (Vec<&'a Seen>, Vec<&'a Seen>) {
        let (mut new, handed_on): (Vec<&Seen>, Vec<&Seen>) =
            now.iter().partition(|seen| seen.anchor == FRESH);
        let mut heirs: BTreeMap<_, Vec<&Seen>> = BTreeMap::new();
        for seen in handed_on {
            heirs.entry((seen.found.rule, seen.anchor)).or_default().push(seen);
        }
        let mut fixed = Vec::new();
        for before in self.seen.values().flatten() {
            let mut heirs = heirs.remove(&(before.found.rule, before.anchor)).unwrap_or_default();
            let is_intact = |heir: &Seen| before.is_intact_in(heir, self.world.text(&before.path), world);
            // One of several copies is the original, preferably one that is unchanged and was not moved.
            let best =
                (0..heirs.len()).min_by_key(|&at| (!is_intact(heirs[at]), heirs[at].path != before.path));
            let heir = best.map(|at| heirs.swap_remove(at));
            new.extend(heirs);
            match heir {
                Some(heir) if is_intact(heir) || before.is_updated_in(heir, world) => {}
                heir => {
                    fixed.push(before);
                    new.extend(heir);
                }
            }
        }
        // Findings with new anchors.
        new.extend(heirs.into_values().flatten());
        cancel(&mut new, &mut fixed);
        (new, fixed)
    }
}

impl Seen {
    /// Returns whether the code that this flagged in `text` is exactly what `heir` flags.
    fn is_intact_in(&self, heir: &Self, text: &Text, world: &World) -> bool {
        let has = |text: &Text, part: &[u32]| {
            part.is_empty() || stream(text).windows(part.len()).any(|window| window == part)
        };
        self.length == heir.length
            && (self.flagged == heir.flagged
                || (!heir.flagged.contains(&FRESH)
                    && has(world.text(&heir.path), &self.flagged)
                    && has(text, &heir.flagged)))
    }

    /// Returns whether it is about the same item although the code was edited.
    fn is_updated_in(&self, heir: &Self, world: &World) -> bool {
        let is_there = heir.path == self.path || !world.files.contains_key(&self.path);
        let is_same = heir.finding.msg == self.finding.msg && heir.around == self.around;
        self.is_about_item && heir.is_about_item && is_same && is_there
    }
}

/// Accepts matches of nearly equal code that are the same occurrence, as an alternative to one new and one fixed
/// finding. Other matches count as errors.
fn take_near(matched: &Matched, new: &mut Vec<&Seen>, fixed: &mut Vec<&Seen>) -> Score {
    let mut score = Score::default();
    for compared in &matched.findings {
        let Some(accepted) = &compared.accepted else { continue };
        // An earlier pass may have matched it by its item.
        let is_counted = accepted.pass == NEAR;
        if !is_counted && !is_near(edits(&accepted.entry.code, &compared.finding.code)) {
            continue;
        }
        score.got += usize::from(is_counted);
        let of =
            |before: &Seen| Entry::of(&before.finding) == Entry { reason: None, ..accepted.entry.clone() };
        let same = |before: &&Seen, now: &&Seen| {
            of(before) && now.finding == compared.finding && before.anchor == now.anchor
        };
        let pair = fixed
            .iter()
            .enumerate()
            .find_map(|(gone, before)| Some((gone, new.iter().position(|now| same(before, now))?)));
        if let Some((gone, come)) = pair {
            score.right += usize::from(is_counted);
            fixed.swap_remove(gone);
            new.swap_remove(come);
        }
    }
    score
}

/// Returns all pairs that one edit could have made.
fn pairs(new: &[&Seen], fixed: &[&Seen]) -> Vec<Pair> {
    let mut groups: BTreeMap<_, Vec<&Seen>> = BTreeMap::new();
    fn group(seen: &Seen) -> (&str, &str, &str, &str) {
        (&seen.path, &seen.finding.diagnostic.rule, &seen.finding.msg, &seen.finding.scope)
    }
    for before in fixed {
        groups.entry(group(before)).or_default().push(before);
    }
    let news: Vec<_> = new.iter().map(|now| (group(now), now.anchor)).collect();
    let of = |now: &&Seen| {
        let before = groups.get(&group(now)).map(Vec::as_slice).unwrap_or_default();
        // If one of them was only edited, it does not match the other.
        let is_edited = before.iter().any(|before| before.anchor == now.anchor);
        let is_fair = |before: &&&Seen| {
            before.anchor == now.anchor || !is_edited && !news.contains(&(group(before), before.anchor))
        };
        let pair = |before: &&Seen| Pair {
            edits: edits(&before.finding.code, &now.finding.code),
            is_same: before.anchor == now.anchor,
        };
        before.iter().filter(is_fair).map(pair).collect::<Vec<_>>()
    };
    new.iter().flat_map(of).collect()
}

/// Removes pairs that are equal in every respect, even if the code was removed and added again.
fn cancel(new: &mut Vec<&Seen>, fixed: &mut Vec<&Seen>) {
    fn key(seen: &Seen) -> (&str, &str, &str, &str, usize) {
        (&seen.path, seen.found.rule, &seen.found.message, &seen.code, seen.length)
    }
    new.retain(|seen| {
        let same = fixed.iter().position(|other| key(other) == key(seen));
        same.map(|at| fixed.swap_remove(at)).is_none()
    });
}

/// All existing files were checked.
struct Files<'a>(&'a World);

impl Reach for Files<'_> {
    fn exists(&self, path: &RelPath) -> bool {
        self.0.files.contains_key(&path.to_string())
    }

    fn looked_at(&self, _: &str, _: &Entry) -> bool {
        true
    }
}

fn look(path: &str, text: &Text, reworded: &[&'static str]) -> Vec<Seen> {
    let code = Code::new(text.as_str());
    let items = code.items();
    let mut found = lint(&code);
    for found in found.iter_mut().filter(|found| reworded.contains(&found.rule)) {
        found.message.push_str(", as it is put nowadays");
    }
    let reports = diagnostics(path, text.as_str(), &found);
    let mut seen: Vec<Seen> = Vec::new();
    let sources = Sources(BTreeMap::from([(RelPath::new(path), text.as_str().as_bytes().to_vec())]));
    let mut findings: BTreeMap<_, _> = identify(reports.clone(), &sources, &Never)
        .expect("never halted")
        .into_iter()
        .map(|finding| (finding.diagnostic.clone(), finding))
        .collect();
    for ((_, diagnostic), found) in reports.into_iter().zip(found) {
        let finding = findings.remove(&diagnostic).expect("no two of the stand-in's findings are one");
        let pieces = code.flagged(&found.range);
        let is_blank = |at: &usize| text.as_str().as_bytes()[*at].is_ascii_whitespace();
        let flagged = pieces.iter().cloned().flatten().filter(|at| !is_blank(at)).map(|at| text.origin(at));
        let around: Vec<_> = items.iter().filter(|item| item.range.contains(&found.anchor)).collect();
        let is_head = around.last().is_some_and(|item| {
            let is_named = ["enum", "fn", "mod", "struct", "trait"].contains(&code.word(item.keyword));
            is_named && found.range.contains(&code.tokens[item.keyword + 1].start)
        });
        seen.push(Seen {
            path: path.to_owned(),
            anchor: text.origin(found.anchor),
            flagged: flagged.collect(),
            length: code.length(&found.range),
            around: around.into_iter().map(|item| code.name(item).to_owned()).collect(),
            is_about_item: found.names_item || is_head,
            code: pieces.into_iter().map(|piece| &text.as_str()[piece]).collect::<Vec<_>>().join(" "),
            found,
            finding,
        });
    }
    seen
}

/// Returns the origins of all code in a file, without layout.
fn stream(text: &Text) -> Vec<u32> {
    let code = Code::new(text.as_str());
    let tokens = code.tokens.iter().filter(|token| !token.is_layout());
    let bytes = tokens.flat_map(|token| token.start..token.end);
    bytes
        .filter(|at| !text.as_str().as_bytes()[*at].is_ascii_whitespace())
        .map(|at| text.origin(at))
        .collect()
}

/// Describes an entry without its scope, which is not part of the identity.
fn describe(entry: &Entry) -> String {
    format!("{} {} `{}`: {}", entry.site.name(), entry.rule, entry.code, entry.msg)
}

/// Compares as multisets, because identical findings are interchangeable.
fn score(
    what: &str,
    expected: impl Iterator<Item = String>,
    got: impl Iterator<Item = String>,
    disagreements: &mut Vec<String>,
) -> Score {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    expected.for_each(|text| counts.entry(text).or_default().0 += 1);
    got.for_each(|text| counts.entry(text).or_default().1 += 1);
    let mut score = Score::default();
    for (text, (expected, got)) in counts {
        score.add(Score { expected, got, right: expected.min(got) });
        if expected != got {
            disagreements.push(format!("expected {expected} and got {got} {what} {text}"));
        }
    }
    score
}
