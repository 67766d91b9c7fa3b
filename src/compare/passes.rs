//! The passes that pair current findings with entries of a baseline. Each works on what the previous passes left over.
//!
//! | pass | fields that must be equal | handles |
//! | --- | --- | --- |
//! | 1 | rule, site, message, code, scope | lines moved |
//! | 2 | the same without scope | an item was renamed, or code moved within its file |
//! | 2 | rule, subject, message, scope, if the entry has no code | a doc test that was identified by its number |
//! | 3 | as 1 and 2, with the new path of a renamed file | a file was renamed |
//! | 4 | rule, site, code, scope; equally many on both sides | a lint was reworded |
//! | 5 | rule, site, message, scope; exactly one on each side | code was edited, and the finding is about an item |
//! | 6 | rule, message, code, scope except modules | an item moved to another file, or a module became a file |
//! | 7 | rule, site, message, scope, nearly all of the code | code was edited slightly |
//!
//! Positions and git are not used, so the result is the same in a shallow clone. Does not know the states of findings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::reach::Reach;
use super::similar::{edits, is_near};
use crate::model::finding::{Entry, Site};
use crate::model::halt::{Halt, Halted, PER_FINDING, Pace};
use crate::model::path::RelPath;

/// The findings and entries of one namespace that are not yet paired.
pub(super) struct Passes<'a> {
    ns: &'a str,
    reach: &'a dyn Reach,
    pace: Pace<'a>,
    /// Current findings as entries, each with its index, sorted.
    current: Vec<(usize, &'a Entry)>,
    known: Vec<KnownEntry<'a>>,
    /// Index of each paired finding, with the pass and the entry.
    matched: Vec<(usize, u8, &'a Entry)>,
}

/// An entry of the baseline.
struct KnownEntry<'a> {
    entry: &'a Entry,
    /// The entry with the present path of its file.
    now: Cow<'a, Entry>,
}

impl<'a> Passes<'a> {
    pub(super) fn new(
        ns: &'a str,
        reach: &'a dyn Reach,
        current: Vec<(usize, &'a Entry)>,
        known: impl Iterator<Item = &'a Entry>,
        halt: &'a dyn Halt,
    ) -> Self {
        let mut known: Vec<_> = known.map(|entry| KnownEntry { entry, now: Cow::Borrowed(entry) }).collect();
        known.sort_by(|a, b| a.entry.cmp(b.entry));
        Self { ns, reach, pace: Pace::new(halt), current, known, matched: Vec::new() }
    }

    /// Runs all passes. Returns the paired findings with pass and entry, and the entries that are left over.
    #[expect(clippy::type_complexity, reason = "taken apart where it is called")]
    pub(super) fn run(mut self) -> Result<(Vec<(usize, u8, &'a Entry)>, Vec<&'a Entry>), Halted> {
        self.run_coverage_free()?;
        // Unchecked code may still be where it was.
        let (ns, reach) = (self.ns, self.reach);
        let is_settled = |known: &KnownEntry<'_>| {
            reach.looked_at(ns, known.entry) && reach.unseen(ns, known.entry).is_empty()
        };
        self.pair(6, is_settled, moved)?;
        self.pair(7, anywhere, near)?;
        Ok((self.matched, self.known.into_iter().map(|known| known.entry).collect()))
    }

    /// Returns the indices of the findings that are left after the passes that do not depend on the coverage of the run, and
    /// those of them that are certainly new: no entry is left that a later pass could pair with them.
    pub(super) fn run_early(mut self) -> Result<(Vec<usize>, Vec<usize>), Halted> {
        self.run_coverage_free()?;
        let known = self.known.iter().map(|known| &*known.now);
        let new = without_candidates(&self.current, known).collect();
        Ok((self.current.iter().map(|(at, _)| *at).collect(), new))
    }

    /// Runs the passes whose result does not depend on what the tools covered.
    fn run_coverage_free(&mut self) -> Result<(), Halted> {
        self.pair(1, anywhere, |pace, current, known| pair_by(pace, current, known, same))?;
        self.pair(2, anywhere, |pace, current, known| pair_by(pace, current, known, scopeless))?;
        self.pair(2, is_numbered, |pace, current, known| pair_by(pace, current, known, numbered))?;
        if self.follow_renamed_files()? {
            self.pair(3, anywhere, |pace, current, known| pair_by(pace, current, known, same))?;
            self.pair(3, anywhere, |pace, current, known| pair_by(pace, current, known, scopeless))?;
        }
        self.pair(4, anywhere, reworded)?;
        self.pair(5, anywhere, edited)
    }

    /// Runs one pass over the entries that `may` be paired, and removes the pairs from both sides.
    fn pair(
        &mut self,
        number: u8,
        may: impl Fn(&KnownEntry<'a>) -> bool,
        pass: impl Fn(&mut Pace<'_>, &[&Entry], &[&Entry]) -> Pairs,
    ) -> Result<(), Halted> {
        if self.current.is_empty() {
            return Ok(());
        }
        let at: Vec<usize> = (0..self.known.len()).filter(|&at| may(&self.known[at])).collect();
        let known: Vec<&Entry> = at.iter().map(|&at| &*self.known[at].now).collect();
        let current: Vec<&Entry> = self.current.iter().map(|(_, entry)| *entry).collect();
        let pairs = pass(&mut self.pace, &current, &known)?;
        let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
        for (one, other) in pairs {
            self.matched.push((self.current[one].0, number, self.known[at[other]].entry));
            ours.insert(one);
            theirs.insert(at[other]);
        }
        remove(&mut self.current, &ours);
        remove(&mut self.known, &theirs);
        Ok(())
    }

    /// Detects renamed files: a missing path is replaced by the file that has the most of its findings, if that is at least half of
    /// them and there is no tie. Returns whether any file was renamed.
    fn follow_renamed_files(&mut self) -> Result<bool, Halted> {
        let mut here: BTreeMap<_, BTreeMap<&RelPath, usize>> = BTreeMap::new();
        for (_, entry) in &self.current {
            self.pace.spend(PER_FINDING)?;
            if let Site::Path(path) = &entry.site {
                *here.entry(wherever(entry)).or_default().entry(path).or_default() += 1;
            }
        }
        let mut gone: BTreeMap<&RelPath, BTreeMap<_, usize>> = BTreeMap::new();
        for known in &self.known {
            self.pace.spend(PER_FINDING)?;
            match &known.entry.site {
                Site::Path(path) if !self.reach.exists(path) => {
                    *gone.entry(path).or_default().entry(wherever(known.entry)).or_default() += 1;
                }
                _ => {}
            }
        }
        let renamed: BTreeMap<RelPath, Site> = gone
            .into_iter()
            .filter_map(|(path, wanted)| {
                let mut shared: BTreeMap<&RelPath, usize> = BTreeMap::new();
                for (key, count) in &wanted {
                    for (path, there) in here.get(key).into_iter().flatten() {
                        *shared.entry(path).or_default() += count.min(there);
                    }
                }
                let total: usize = wanted.values().sum();
                shared.retain(|_, count| 2 * *count >= total);
                // If a directory was renamed, its files keep their names, while copies have other names.
                if shared.keys().any(|to| to.file_name() == path.file_name()) {
                    shared.retain(|to, _| to.file_name() == path.file_name());
                }
                let most = *shared.values().max()?;
                let mut best = shared.iter().filter(|(_, count)| **count == most).map(|(path, _)| *path);
                let (to, None) = (best.next()?, best.next()) else { return None };
                Some((path.clone(), Site::Path(to.clone())))
            })
            .collect();
        for known in &mut self.known {
            if let Site::Path(path) = &known.entry.site
                && let Some(site) = renamed.get(path)
            {
                known.now.to_mut().site = site.clone();
            }
        }
        self.known.sort_by(|a, b| a.now.cmp(&b.now));
        Ok(!renamed.is_empty())
    }
}

/// Allows a pass to pair any entry.
fn anywhere(_: &KnownEntry<'_>) -> bool {
    true
}

/// The entries that some pass could pair with a finding, whatever other findings there are: those with the same rule and code, or
/// with the same rule, scope and message.
struct Candidates<'a> {
    codes: BTreeMap<(&'a str, &'a str), usize>,
    scopes: BTreeMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> Candidates<'a> {
    fn new(known: impl Iterator<Item = &'a Entry>) -> Self {
        let (mut codes, mut scopes) = (BTreeMap::new(), BTreeMap::new());
        for Entry { rule, code, scope, msg, .. } in known {
            *codes.entry((rule.as_str(), code.as_str())).or_default() += 1;
            *scopes.entry((rule.as_str(), scope.as_str(), msg.as_str())).or_default() += 1;
        }
        Self { codes, scopes }
    }

    /// Returns at least the number of entries that `current` could be paired with.
    fn count(&self, current: &Entry) -> usize {
        let Entry { rule, code, scope, msg, .. } = current;
        let by_code = self.codes.get(&(rule.as_str(), code.as_str()));
        let by_scope = self.scopes.get(&(rule.as_str(), scope.as_str(), msg.as_str()));
        by_code.copied().unwrap_or(0) + by_scope.copied().unwrap_or(0)
    }
}

/// Returns the indices of the findings in `current` that no pass could pair with any entry in `known`, whatever other findings
/// there are. Both sides are of one namespace.
pub(super) fn without_candidates<'a>(
    current: &[(usize, &Entry)],
    known: impl Iterator<Item = &'a Entry>,
) -> impl Iterator<Item = usize> {
    let candidates = Candidates::new(known);
    current.iter().filter(move |(_, entry)| candidates.count(entry) == 0).map(|(at, _)| *at)
}

/// Returns whether one of these findings is certainly new: no pass can pair it with an entry, whatever other findings there will
/// be. Both sides are of one namespace.
pub(super) fn has_surely_new(current: &[Entry], known: &[Entry]) -> bool {
    let candidates = Candidates::new(known.iter());
    let mut identical: BTreeMap<&Entry, usize> = BTreeMap::new();
    for entry in current {
        *identical.entry(entry).or_default() += 1;
    }
    identical.into_iter().any(|(entry, wanted)| candidates.count(entry) < wanted)
}

/// Returns the site of an entry, without the number of a doc test that is identified by its code.
fn about(entry: &Entry) -> (bool, Cow<'_, str>) {
    (matches!(entry.site, Site::Path(_)), entry.site_name())
}

fn same(entry: &Entry) -> ((bool, Cow<'_, str>), &str, &str, &str, &str) {
    (about(entry), &entry.rule, &entry.msg, &entry.code, &entry.scope)
}

fn scopeless(entry: &Entry) -> ((bool, Cow<'_, str>), &str, &str, &str) {
    (about(entry), &entry.rule, &entry.msg, &entry.code)
}

/// Returns whether this entry is about a subject without code. Older baselines contain such entries for doc tests, which were
/// identified by their numbers.
fn is_numbered(known: &KnownEntry<'_>) -> bool {
    matches!(known.entry.site, Site::Subject(_)) && known.entry.code.is_empty()
}

fn numbered(entry: &Entry) -> (&Site, &str, &str, &str) {
    (&entry.site, &entry.rule, &entry.msg, &entry.scope)
}

fn codeless(entry: &Entry) -> (&Site, &str, &str, &str) {
    (&entry.site, &entry.rule, &entry.msg, &entry.scope)
}

fn wherever(entry: &Entry) -> (&str, &str, &str) {
    (&entry.rule, &entry.msg, &entry.code)
}

/// Pairs findings whose message changed. Findings without code are not paired, since nothing else connects them.
fn reworded(pace: &mut Pace<'_>, current: &[&Entry], known: &[&Entry]) -> Pairs {
    pair_groups(pace, current, known, |entry| {
        (!entry.code.is_empty()).then_some((&entry.site, &entry.rule, &entry.code, &entry.scope))
    })
}

fn edited(pace: &mut Pace<'_>, current: &[&Entry], known: &[&Entry]) -> Pairs {
    let pairs = pair_groups(pace, current, known, |entry| Some(codeless(entry)))?;
    let mut counts = BTreeMap::new();
    for (one, _) in &pairs {
        *counts.entry(codeless(current[*one])).or_insert(0) += 1;
    }
    // If there are several, it is unknown which is which.
    let is_alone = |one: usize| counts.get(&codeless(current[one])) == Some(&1);
    let is_edited =
        |&(one, other): &(usize, usize)| is_alone(one) && is_about_one_item(current[one], known[other]);
    Ok(pairs.into_iter().filter(is_edited).collect())
}

/// Pairs findings with nearly the same code, the most similar ones first.
fn near(pace: &mut Pace<'_>, current: &[&Entry], known: &[&Entry]) -> Pairs {
    let groups = groups(pace, current, known, |entry| (!entry.code.is_empty()).then(|| codeless(entry)))?;
    let mut pairs = Vec::new();
    for (ours, theirs) in groups.into_iter().filter(|(ours, theirs)| ours.len() * theirs.len() <= MOST) {
        let mut alike = Vec::new();
        for &one in &ours {
            for &other in &theirs {
                let (ours, theirs) = (&current[one].code, &known[other].code);
                pace.spend(ours.len() + theirs.len())?;
                let (edits, tokens) = edits(ours, theirs);
                if is_near((edits, tokens)) {
                    alike.push((edits * SCALE / tokens.max(1), one, other));
                }
            }
        }
        alike.sort_unstable();
        let (mut taken, mut given) = (BTreeSet::new(), BTreeSet::new());
        for (_, one, other) in alike {
            if !taken.contains(&one) && !given.contains(&other) {
                taken.insert(one);
                given.insert(other);
                pairs.push((one, other));
            }
        }
    }
    Ok(pairs)
}

/// Maximum number of pairs in a group. Larger groups are not compared, since the tool then reports something different about a
/// whole item.
const MOST: usize = 10_000;

/// Scale of the share of edited tokens, which is compared as an integer.
const SCALE: usize = 100_000;

fn moved(pace: &mut Pace<'_>, current: &[&Entry], known: &[&Entry]) -> Pairs {
    // Findings without code can't be followed.
    pair_by(pace, current, known, |entry| match &entry.site {
        Site::Path(path) if !entry.code.is_empty() => Ok((wherever(entry), home(path, &entry.scope))),
        _ => Err(entry),
    })
}

/// Returns the item that contains a finding, without its modules, because an inline module may become a file. Outside of items,
/// returns the module path, which is the same for inline modules and files.
fn home(path: &RelPath, scope: &str) -> String {
    let mut modules = path.to_string();
    let file = modules.trim_end_matches(".rs");
    modules.truncate(
        ["/mod", "/lib", "/main"].iter().fold(file, |file, root| file.trim_end_matches(root)).len(),
    );
    let mut scope = scope;
    while let Some(inner) = scope.strip_prefix("mod ") {
        let (name, items) = inner.split_once(" > ").unwrap_or((inner, ""));
        modules = format!("{modules}/{name}");
        scope = items;
    }
    if scope.is_empty() { modules } else { scope.to_owned() }
}

/// Returns whether both entries are about the same item, given that message and scope agree. This is so if the code of both is
/// the head of the item in the scope, or if the message names in backticks that item or one that the code of both defines. Names
/// such as `return`, `Copy` or a called function do not identify an item.
fn is_about_one_item(one: &Entry, other: &Entry) -> bool {
    let (kind, around) =
        one.scope.rsplit(" > ").next().and_then(|item| item.split_once(' ')).unwrap_or(("", ""));
    let is_in_both = |name: &str, is_variable| {
        has_item(&one.code, name, is_variable) && has_item(&other.code, name, is_variable)
    };
    let mut quoted = one.msg.split('`').skip(1).step_by(2);
    // There may be many `impl`s of one name, and the value of a `const` is ordinary code.
    let is_head =
        ["enum", "fn", "mod", "struct", "trait", "union"].contains(&kind) && is_in_both(around, false);
    let is_named = |name| kind != "impl" && name == around || is_in_both(name, is_variable(name));
    is_head || quoted.any(|name| !name.is_empty() && is_named(name))
}

/// Returns whether `code` defines an item called `name`. A variable only has to occur, but not as a method, function, macro or path
/// segment.
fn has_item(code: &str, name: &str, is_variable: bool) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let name = name.strip_prefix("r#").unwrap_or(name);
    let is_name = !name.is_empty() && name.chars().all(in_word);
    code.match_indices(name).take_while(|_| is_name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let before = before.strip_suffix("r#").unwrap_or(before);
        let is_whole = !before.ends_with(in_word) && !after.starts_with(in_word);
        let keyword = before.strip_suffix(' ').and_then(|before| before.rsplit(|c| !in_word(c)).next());
        let is_defined = keyword.is_some_and(|keyword| DEFINING.contains(&keyword));
        let is_used =
            before.ends_with(['.', ':']) || after.starts_with(['(', '!']) || after.starts_with("::");
        is_whole && (is_defined || (is_variable && !is_used))
    })
}

/// Returns whether `name` can be the name of a variable.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_lowercase() || c == '_') && !NO_VARIABLES.contains(&name)
}

/// Keywords that precede the name of an item.
const DEFINING: [&str; 10] =
    ["const", "enum", "fn", "macro_rules", "mod", "static", "struct", "trait", "type", "union"];

/// Keywords and primitive types, which look like names of variables.
const NO_VARIABLES: [&str; 53] = [
    "_", "as", "async", "await", "bool", "break", "char", "const", "continue", "crate", "dyn", "else",
    "enum", "extern", "f32", "f64", "false", "fn", "for", "i128", "i16", "i32", "i64", "i8", "if", "impl",
    "in", "isize", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "static",
    "str", "struct", "super", "trait", "true", "type", "u128", "u16", "u32", "u64", "u8", "unsafe", "use",
    "usize",
];

/// Paired indices of current findings and known entries.
type Pairs = Result<Vec<(usize, usize)>, Halted>;

/// Pairs findings and entries with the same key in order. Of identical ones, the last remain unpaired.
fn pair_by<'a, K: Ord>(
    pace: &mut Pace<'_>,
    current: &[&'a Entry],
    known: &[&'a Entry],
    key: impl Fn(&'a Entry) -> K,
) -> Pairs {
    let mut pairs = Vec::new();
    let mut waiting: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
    if current.is_empty() {
        return Ok(pairs);
    }
    for (at, entry) in known.iter().enumerate() {
        pace.spend(PER_FINDING)?;
        waiting.entry(key(entry)).or_default().push_back(at);
    }
    if waiting.is_empty() {
        return Ok(pairs);
    }
    for (at, entry) in current.iter().copied().enumerate() {
        pace.spend(PER_FINDING)?;
        let partner = waiting.get_mut(&key(entry)).and_then(VecDeque::pop_front);
        pairs.extend(partner.map(|known| (at, known)));
    }
    Ok(pairs)
}

/// Pairs findings and entries with the same key in order, for keys with equally many on both sides.
fn pair_groups<'a, K: Ord>(
    pace: &mut Pace<'_>,
    current: &[&'a Entry],
    known: &[&'a Entry],
    key: impl Fn(&'a Entry) -> Option<K>,
) -> Pairs {
    let groups = groups(pace, current, known, key)?.into_iter();
    let equal = groups.filter(|(ours, theirs)| ours.len() == theirs.len());
    Ok(equal.flat_map(|(ours, theirs)| ours.into_iter().zip(theirs)).collect())
}

/// Groups the indices of both sides by key, in order.
#[expect(clippy::type_complexity, reason = "taken apart where it is called")]
fn groups<'a, K: Ord>(
    pace: &mut Pace<'_>,
    current: &[&'a Entry],
    known: &[&'a Entry],
    key: impl Fn(&'a Entry) -> Option<K>,
) -> Result<Vec<(Vec<usize>, Vec<usize>)>, Halted> {
    if current.is_empty() || known.is_empty() {
        return Ok(Vec::new());
    }
    let mut groups: BTreeMap<K, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, entry) in current.iter().enumerate() {
        pace.spend(PER_FINDING)?;
        key(entry).into_iter().for_each(|key| groups.entry(key).or_default().0.push(at));
    }
    for (at, entry) in known.iter().enumerate() {
        pace.spend(PER_FINDING)?;
        key(entry).into_iter().for_each(|key| groups.entry(key).or_default().1.push(at));
    }
    Ok(groups.into_values().collect())
}

fn remove<T>(items: &mut Vec<T>, taken: &BTreeSet<usize>) {
    let mut at = 0..;
    items.retain(|_| at.next().is_none_or(|at| !taken.contains(&at)));
}

#[cfg(test)]
mod tests;
