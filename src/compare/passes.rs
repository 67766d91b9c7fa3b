//! The passes that pair today's findings with the entries of a baseline, each over what the ones before it left.
//!
//! | pass | what must agree | what it is for |
//! | --- | --- | --- |
//! | 1 | rule, site, message, code, scope | nothing but lines moved |
//! | 2 | the same without scope | an item was renamed, or code moved within its file |
//! | 2 | rule, subject, message, scope, where the entry has no code | a doc test that was known by its number |
//! | 3 | 1 and 2 with the path of a file that is gone put right | a file was renamed |
//! | 4 | rule, site, code, scope; as many on either side | a lint was reworded |
//! | 5 | rule, site, message, scope; one on either side | code was edited, and what is found is about an item |
//! | 6 | rule, message, code, scope but for modules | an item moved to another file, a module became one |
//! | 7 | rule, site, message, scope, nearly all of the code | code was edited a little, and is what was found before |
//!
//! Positions are never looked at, nor is git: the result is the same in a shallow clone. Knows nothing of states.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::matching::Reach;
use super::similar::{edits, is_near};
use crate::model::finding::{Entry, Site};
use crate::model::halt::{Halt, Halted, PER_FINDING, Pace};
use crate::model::path::RelPath;

/// What is left on either side, within one namespace.
pub(super) struct Passes<'a> {
    ns: &'a str,
    reach: &'a dyn Reach,
    pace: Pace<'a>,
    /// Each with its number among today's findings, sorted.
    current: Vec<(usize, &'a Entry)>,
    known: Vec<Known<'a>>,
    /// Today's findings that have an entry, with the pass that found it.
    matched: Vec<(usize, u8, &'a Entry)>,
}

/// An entry of the baseline.
struct Known<'a> {
    entry: &'a Entry,
    /// The same with the path that its file has now.
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
        let mut known: Vec<_> = known.map(|entry| Known { entry, now: Cow::Borrowed(entry) }).collect();
        known.sort_by(|a, b| a.entry.cmp(b.entry));
        Self { ns, reach, pace: Pace::new(halt), current, known, matched: Vec::new() }
    }

    /// Which of today's findings have an entry, by which pass; and the entries that are left.
    #[expect(clippy::type_complexity, reason = "taken apart where it is called")]
    pub(super) fn run(mut self) -> Result<(Vec<(usize, u8, &'a Entry)>, Vec<&'a Entry>), Halted> {
        fn anywhere(_: &Known<'_>) -> bool {
            true
        }
        self.pair(1, anywhere, |pace, current, known| pair_by(pace, current, known, same))?;
        self.pair(2, anywhere, |pace, current, known| pair_by(pace, current, known, scopeless))?;
        self.pair(2, is_numbered, |pace, current, known| pair_by(pace, current, known, numbered))?;
        if self.follow_renamed_files()? {
            self.pair(3, anywhere, |pace, current, known| pair_by(pace, current, known, same))?;
            self.pair(3, anywhere, |pace, current, known| pair_by(pace, current, known, scopeless))?;
        }
        self.pair(4, anywhere, reworded)?;
        self.pair(5, anywhere, edited)?;
        // What nobody looked at may still be where it was.
        let (ns, reach) = (self.ns, self.reach);
        let is_settled =
            |known: &Known<'_>| reach.looked_at(ns, known.entry) && reach.unseen(ns, known.entry).is_empty();
        self.pair(6, is_settled, moved)?;
        self.pair(7, anywhere, near)?;
        Ok((self.matched, self.known.into_iter().map(|known| known.entry).collect()))
    }

    /// Takes out what `pass` pairs; it is given the entries that `may` be paired.
    fn pair(
        &mut self,
        number: u8,
        may: impl Fn(&Known<'a>) -> bool,
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

    /// A path that is gone becomes that of the one file which holds at least half of what was there; a tie is no
    /// answer. Whether there was any.
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
                // Where a directory was renamed, its files keep their names, and a copy has another one.
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

/// Whether one of these findings is new whatever the others turn out to be: more of them can't give it an entry,
/// by any pass. Both sides are of one namespace.
pub(super) fn has_surely_new(current: &[Entry], known: &[Entry]) -> bool {
    let count = |entries: &'_ [Entry]| {
        let (mut codes, mut scopes) = (BTreeMap::new(), BTreeMap::new());
        for Entry { rule, code, scope, msg, .. } in entries {
            *codes.entry((rule.clone(), code.clone())).or_insert(0) += 1;
            *scopes.entry((rule.clone(), scope.clone(), msg.clone())).or_insert(0) += 1;
        }
        (codes, scopes)
    };
    let (codes, scopes) = count(known);
    let mut identical: BTreeMap<&Entry, usize> = BTreeMap::new();
    for entry in current {
        *identical.entry(entry).or_default() += 1;
    }
    identical.into_iter().any(|(Entry { rule, code, scope, msg, .. }, wanted): (_, usize)| {
        let by_code = codes.get(&(rule.clone(), code.clone())).copied().unwrap_or(0_usize);
        let by_scope = scopes.get(&(rule.clone(), scope.clone(), msg.clone())).copied().unwrap_or(0_usize);
        by_code + by_scope < wanted
    })
}

/// What an entry is about, without the number of a doc test that is known by its code.
fn about(entry: &Entry) -> (bool, Cow<'_, str>) {
    (matches!(entry.site, Site::Path(_)), entry.site_name())
}

fn same(entry: &Entry) -> ((bool, Cow<'_, str>), &str, &str, &str, &str) {
    (about(entry), &entry.rule, &entry.msg, &entry.code, &entry.scope)
}

fn scopeless(entry: &Entry) -> ((bool, Cow<'_, str>), &str, &str, &str) {
    (about(entry), &entry.rule, &entry.msg, &entry.code)
}

/// Whether this is the entry of a subject without code: of a doc test it was written when only its number told it from
/// others of its item.
fn is_numbered(known: &Known<'_>) -> bool {
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

/// Without code there is nothing that holds the two together.
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
    // Of several it can't be told which is which: one to one only.
    let is_alone = |one: usize| counts.get(&codeless(current[one])) == Some(&1);
    let is_edited =
        |&(one, other): &(usize, usize)| is_alone(one) && is_about_one_item(current[one], known[other]);
    Ok(pairs.into_iter().filter(is_edited).collect())
}

/// Pairs what is most alike first.
fn near(pace: &mut Pace<'_>, current: &[&Entry], known: &[&Entry]) -> Pairs {
    let mut groups: BTreeMap<_, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, entry) in current.iter().enumerate().filter(|(_, entry)| !entry.code.is_empty()) {
        pace.spend(PER_FINDING)?;
        groups.entry(codeless(entry)).or_default().0.push(at);
    }
    for (at, entry) in known.iter().enumerate().filter(|(_, entry)| !entry.code.is_empty()) {
        pace.spend(PER_FINDING)?;
        if let Some(group) = groups.get_mut(&codeless(entry)) {
            group.1.push(at);
        }
    }
    let mut pairs = Vec::new();
    for (ours, theirs) in groups.into_values().filter(|(ours, theirs)| ours.len() * theirs.len() <= MOST) {
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

/// Groups with more pairs than this are not compared piece by piece: a tool has changed its mind about a whole item.
const MOST: usize = 10_000;

/// Parts of edited tokens are compared as so many of the whole.
const SCALE: usize = 100_000;

fn moved(pace: &mut Pace<'_>, current: &[&Entry], known: &[&Entry]) -> Pairs {
    // What is no code has nothing that moved with it.
    pair_by(pace, current, known, |entry| match &entry.site {
        Site::Path(path) if !entry.code.is_empty() => Ok((wherever(entry), home(path, &entry.scope))),
        _ => Err(entry),
    })
}

/// What a finding moves with: the item that it is in, whatever the module, as an inline module may become a file;
/// outside of items, the module itself, which is the same inline and as a file.
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

/// Whether both are about one item, given that message and scope agree: the code of both is the head of the item
/// that is the scope, or the message names in backticks that item, or one that the code of both has to do with.
/// `return`, `Copy` or what is called say nothing of which of several is meant.
fn is_about_one_item(one: &Entry, other: &Entry) -> bool {
    let (kind, around) =
        one.scope.rsplit(" > ").next().and_then(|item| item.split_once(' ')).unwrap_or(("", ""));
    let is_in_both = |name: &str, is_variable| {
        has_item(&one.code, name, is_variable) && has_item(&other.code, name, is_variable)
    };
    let mut quoted = one.msg.split('`').skip(1).step_by(2);
    // An `impl` may be one of many, and what a `const` is set to is code like any other.
    let is_head =
        ["enum", "fn", "mod", "struct", "trait", "union"].contains(&kind) && is_in_both(around, false);
    let is_named = |name| kind != "impl" && name == around || is_in_both(name, is_variable(name));
    is_head || quoted.any(|name| !name.is_empty() && is_named(name))
}

/// Whether `code` defines what is called `name`; a variable need only be there, but not as a method, a function, a
/// macro or a part of a path.
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

/// Whether this may be the name of a variable.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_lowercase() || c == '_') && !NO_VARIABLES.contains(&name)
}

/// What a name of an item follows.
const DEFINING: [&str; 10] =
    ["const", "enum", "fn", "macro_rules", "mod", "static", "struct", "trait", "type", "union"];

/// What stands in code like the name of a variable, and is none.
const NO_VARIABLES: [&str; 53] = [
    "_", "as", "async", "await", "bool", "break", "char", "const", "continue", "crate", "dyn", "else",
    "enum", "extern", "f32", "f64", "false", "fn", "for", "i128", "i16", "i32", "i64", "i8", "if", "impl",
    "in", "isize", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self", "static",
    "str", "struct", "super", "trait", "true", "type", "u128", "u16", "u32", "u64", "u8", "unsafe", "use",
    "usize",
];

/// What belongs together, by the places on either side.
type Pairs = Result<Vec<(usize, usize)>, Halted>;

/// Pairs the first of each kind with the first: of identical ones, the last stay alone.
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

/// Pairs the kinds of which there are as many on either side, in order.
fn pair_groups<'a, K: Ord>(
    pace: &mut Pace<'_>,
    current: &[&'a Entry],
    known: &[&'a Entry],
    key: impl Fn(&'a Entry) -> Option<K>,
) -> Pairs {
    let mut groups: BTreeMap<K, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    if current.is_empty() || known.is_empty() {
        return Ok(Vec::new());
    }
    for (at, entry) in current.iter().enumerate() {
        pace.spend(PER_FINDING)?;
        key(entry).into_iter().for_each(|key| groups.entry(key).or_default().0.push(at));
    }
    for (at, entry) in known.iter().enumerate() {
        pace.spend(PER_FINDING)?;
        key(entry).into_iter().for_each(|key| groups.entry(key).or_default().1.push(at));
    }
    let equal = groups.into_values().filter(|(ours, theirs)| ours.len() == theirs.len());
    Ok(equal.flat_map(|(ours, theirs)| ours.into_iter().zip(theirs)).collect())
}

fn remove<T>(items: &mut Vec<T>, taken: &BTreeSet<usize>) {
    let mut at = 0..;
    items.retain(|_| at.next().is_none_or(|at| !taken.contains(&at)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::halt::Never;

    /// An entry: `path | rule | scope | code | message`.
    fn entry(line: &str) -> Entry {
        let fields: Vec<_> = line.split('|').map(|field| field.trim().to_owned()).collect();
        let [path, rule, scope, code, msg] = <[String; 5]>::try_from(fields).unwrap();
        Entry { site: Site::Path(RelPath::new(&path)), rule, scope, code, msg, reason: None }
    }

    /// Files whose name begins with `gone` are gone; those in `unseen/` were not looked at.
    struct World;

    impl Reach for World {
        fn exists(&self, path: &RelPath) -> bool {
            !path.as_bytes().starts_with(b"gone")
        }
        fn looked_at(&self, _: &str, entry: &Entry) -> bool {
            !matches!(&entry.site, Site::Path(path) if path.as_bytes().starts_with(b"unseen/"))
        }
    }

    /// The pass of each of `current` (0: none), for a baseline of `known`.
    fn check(known: &[&str], current: &[&str], passes: &[u8]) {
        let (known, mut current): (Vec<_>, Vec<_>) = (
            known.iter().map(|line| entry(line)).collect(),
            current.iter().map(|line| entry(line)).collect(),
        );
        let given = current.clone();
        current.sort();
        let numbered = current.iter().enumerate().collect();
        let (matched, left) = Passes::new("ns", &World, numbered, known.iter(), &Never).run().unwrap();
        assert_eq!(matched.len() + left.len(), known.len(), "one to one");
        let mut found: BTreeMap<&Entry, Vec<u8>> = BTreeMap::new();
        for (at, entry) in current.iter().enumerate() {
            let pass = matched.iter().find(|(of, ..)| *of == at).map_or(0, |(_, pass, _)| *pass);
            found.entry(entry).or_default().insert(0, pass);
        }
        let found: Vec<u8> = given.iter().map(|entry| found.get_mut(entry).unwrap().pop().unwrap()).collect();
        assert_eq!(found, passes);
    }

    #[test]
    fn a_renamed_file_keeps_its_findings() {
        let known = ["gone.rs|r|fn a|x|m", "gone.rs|r|fn b|y|m", "gone.rs|s|fn b|z|n"];
        check(&known, &["new.rs|r|fn a|x|m", "new.rs|r|fn c|y|m", "new.rs|s|fn b|z|n"], &[3, 3, 3]);
        // Half of what was there is enough, and what is left is followed too.
        let known = ["gone.rs|r|fn a|x|m", "gone.rs|r|fn b|y|is `b`"];
        check(&known, &["new.rs|r|fn a|x|m", "new.rs|r|fn b|other|is `b`"], &[3, 5]);
        // A third is not; what moved with its item is found all the same.
        let known = ["gone.rs|r|fn a|x|m", "gone.rs|r|fn b|y|m", "gone.rs|r|fn c|z|m"];
        check(&known, &["new.rs|r|fn a|x|m", "new.rs|r|fn other|y2|m"], &[6, 0]);
        // A file that has the old name is it, though a copy beside it has more.
        let known = ["gone/a.rs|r|fn a|x|m", "gone/a.rs|r|fn b|y|m", "gone/a.rs|s|fn b|z|n"];
        let both = [
            "new/a.rs|r|fn a|x|m",
            "new/a.rs|r|fn b|y|m",
            "new/b.rs|r|fn a|x|m",
            "new/b.rs|r|fn b|y|m",
            "new/b.rs|s|fn b|z|n",
        ];
        check(&known, &both, &[3, 3, 0, 0, 6]);
    }

    /// The pass of each doc test of `current` (0: none), for a baseline of `known`: each `subject | code`.
    fn check_doc_tests(known: &[&str], current: &[&str], passes: &[u8]) {
        let entry = |line: &&str| {
            let (subject, code) = line.split_once(" |").unwrap();
            let (rule, msg) = ("failed".to_owned(), "test failed".to_owned());
            let (subject, code, scope) = (subject.to_owned(), code.trim().to_owned(), String::new());
            Entry { site: Site::Subject(subject), rule, scope, code, msg, reason: None }
        };
        let (known, current): (Vec<_>, Vec<_>) =
            (known.iter().map(entry).collect(), current.iter().map(entry).collect());
        let numbered = current.iter().enumerate().collect();
        let (matched, _) = Passes::new("ns", &World, numbered, known.iter(), &Never).run().unwrap();
        let pass = |at| matched.iter().find(|(of, ..)| *of == at).map_or(0, |(_, pass, _)| *pass);
        assert_eq!((0..current.len()).map(pass).collect::<Vec<_>>(), passes);
    }

    #[test]
    fn a_doc_test_is_matched_by_its_code_whatever_its_number() {
        check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - f #3 | x"], &[1]);
        check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - f | x"], &[1]);
        check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - f #2 | y"], &[0]);
        check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - g #2 | x"], &[0]);
        check_doc_tests(&["a.rs - f | x"], &["a.rs - f | x", "a.rs - f #2 | x"], &[1, 0]);
    }

    #[test]
    fn an_old_entry_of_a_doc_test_is_matched_by_its_number() {
        check_doc_tests(&["a.rs - f #2 |"], &["a.rs - f | w", "a.rs - f #2 | x"], &[0, 2]);
        check_doc_tests(&["a.rs - f #2 |"], &["a.rs - f #3 | x"], &[0]);
        // Where the code is not known, neither is on the other side.
        check_doc_tests(&["a.rs - f #2 |"], &["a.rs - f #2 |"], &[1]);
        check_doc_tests(&["a.rs - f #2 | x"], &["a.rs - f #2 |"], &[0]);
    }

    #[test]
    fn a_tie_is_no_rename() {
        let known = ["gone.rs|r||x|m", "gone.rs|r||y|m"];
        check(&known, &["one.rs|r||x|m", "two.rs|r||y|m"], &[0, 0]);
        check(&known, &["one.rs|r||x|m", "one.rs|r||y|m", "two.rs|r||y|m"], &[3, 3, 0]);
    }

    #[test]
    fn a_file_that_is_there_was_not_renamed() {
        check(&["old.rs|r||x|m"], &["new.rs|r||x|m"], &[0]);
    }

    #[test]
    fn a_reworded_lint_is_the_same_finding() {
        check(&["a.rs|r|fn a|x|old words"], &["a.rs|r|fn a|x|new words"], &[4]);
        check(&["a.rs|r|f|x|old", "a.rs|r|f|x|old"], &["a.rs|r|f|x|new", "a.rs|r|f|x|new"], &[4, 4]);
        // Another count is another finding; without code nothing holds them together.
        check(&["a.rs|r|f|x|old"], &["a.rs|r|f|x|new", "a.rs|r|f|x|new"], &[0, 0]);
        check(&["a.rs|r|||old"], &["a.rs|r|||new"], &[0]);
        check(&["a.rs|r|f|x|old"], &["a.rs|other|f|x|new"], &[0]);
    }

    #[test]
    fn edited_code_is_followed_where_it_is_about_an_item() {
        check(&["a.rs|r|fn a|x(1)|`a` is long"], &["a.rs|r|fn a|x(2)|`a` is long"], &[5]);
        check(&["a.rs|r||pub fn b(1)|`b` is long"], &["a.rs|r||fn b(2)|`b` is long"], &[5]);
        check(&["a.rs|r|fn a|let x=1|unused `x`"], &["a.rs|r|fn a|let x=2|unused `x`"], &[5]);
        check(&["a.rs|r||struct B|`B` is"], &["a.rs|r||pub struct B|`B` is"], &[5]);
        // What is flagged may be the item itself.
        check(&["a.rs|r|impl A > fn b|pub fn b(1)|m"], &["a.rs|r|impl A > fn b|pub fn b(2)|m"], &[5]);
        check(&["a.rs|r|fn r#b|fn r#b(1)|m"], &["a.rs|r|fn r#b|fn r#b(2)|m"], &[5]);
        check(&["a.rs|r|fn r#b|fn r#b(1)|`b` is"], &["a.rs|r|fn r#b|fn r#b(2)|`b` is"], &[5]);
        check(&["a.rs|r|fn b|b(1)|m"], &["a.rs|r|fn b|b(2)|m"], &[0]);
        check(&["a.rs|r|fn a|x(1)|it is long"], &["a.rs|r|fn a|x(2)|it is long"], &[0]);
        // What is in backticks must be an item that both are about.
        check(&["a.rs|r|fn a|return x|no `return`"], &["a.rs|r|fn a|return y|no `return`"], &[0]);
        check(&["a.rs|r|fn a|x|of `Copy`"], &["a.rs|r|fn a|y|of `Copy`"], &[0]);
        check(&["a.rs|r|fn a|x.clone()|a `clone`"], &["a.rs|r|fn a|y.clone()|a `clone`"], &[0]);
        check(&["a.rs|r|fn a|x as u32|to `u32`"], &["a.rs|r|fn a|y as u32|to `u32`"], &[0]);
        check(&["a.rs|r|impl A|f(x)-> A|an `A`"], &["a.rs|r|impl A|f(y)-> A|an `A`"], &[0]);
        check(&["a.rs|r|fn a|panic!(1)|no `panic`"], &["a.rs|r|fn a|panic!(2)|no `panic`"], &[0]);
        check(&["a.rs|r|fn a|x(1)|`a` is long"], &["a.rs|r|fn b|x(2)|`a` is long"], &[0]);
        // Of two it can't be told which is which.
        let known = ["a.rs|r|f|x(1)|`a` is", "a.rs|r|f|x(2)|`a` is"];
        check(&known, &["a.rs|r|f|x(3)|`a` is", "a.rs|r|f|x(4)|`a` is"], &[0, 0]);
    }

    #[test]
    fn code_that_is_nearly_the_same_is_the_same_finding() {
        let long =
            |inner: &str| format!("if list.is_empty(){{{inner};said.push_str(name);said.push_str(half)}}");
        let entry = |path: &str, scope: &str, inner: &str, msg: &str| {
            format!("{path}|r|{scope}|{}|{msg}", long(inner))
        };
        let known = [&*entry("a.rs", "fn a", "f(x)", "m")];
        check(&known, &[&entry("a.rs", "fn a", "f(y)", "m")], &[7]);
        // Half of it is another one; so is what is elsewhere, or said in other words.
        check(&known, &[&entry("a.rs", "fn a", "let [one,two]=[3*x,4*x,5*x]", "m")], &[0]);
        check(&known, &[&entry("a.rs", "fn b", "f(y)", "m")], &[0]);
        check(&known, &[&entry("b.rs", "fn a", "f(y)", "m")], &[0]);
        check(&known, &[&entry("a.rs", "fn a", "f(y)", "n")], &[0]);
        // Of several, the nearest; one to one.
        let current = [&*entry("a.rs", "fn a", "g(y)", "m"), &*entry("a.rs", "fn a", "f(y)", "m")];
        check(&known, &current, &[0, 7]);
        // A renamed file is followed first.
        let known = [&*entry("gone.rs", "fn a", "f(x)", "m"), "gone.rs|r|fn b|y|m"];
        check(&known, &[&entry("new.rs", "fn a", "f(y)", "m"), "new.rs|r|fn b|y|m"], &[7, 3]);
    }

    #[test]
    fn an_item_may_move_to_another_file() {
        check(&["a.rs|r|impl A > fn b|x|m"], &["b.rs|r|impl A > fn b|x|m"], &[6]);
        // An inline module that becomes a file is no change either.
        check(&["a.rs|r|mod tests > fn b|x|m"], &["a/tests.rs|r|fn b|x|m"], &[6]);
        check(&["a.rs|r|mod b > mod c|x|m"], &["a/b/c/mod.rs|r||x|m"], &[6]);
        check(&["src/lib.rs|r|mod b|x|m"], &["src/b.rs|r||x|m"], &[6]);
        check(&["a.rs|r|mod b|x|m"], &["b.rs|r||x|m"], &[0]);
        check(&["a.rs|r|impl A > fn b|x|m"], &["b.rs|r|impl A > fn c|x|m"], &[0]);
        // It did not move if one is still there.
        let both = ["a.rs|r|fn b|x|m", "b.rs|r|fn b|x|m"];
        check(&both[..1], &both, &[1, 0]);
        // Where nobody looked it may be still there, too.
        check(&["unseen/a.rs|r|fn b|x|m"], &["b.rs|r|fn b|x|m"], &[0]);
    }

    #[test]
    fn what_is_surely_new_is_new_in_every_company() {
        let check = |known: &[&str], current: &[&str], is_new: bool| {
            let entries = |lines: &[&str]| lines.iter().map(|line| entry(line)).collect::<Vec<_>>();
            assert_eq!(has_surely_new(&entries(current), &entries(known)), is_new, "{current:?}");
        };
        check(&[], &["a.rs|r|f|x|m"], true);
        check(&["a.rs|r|f|x|m"], &["a.rs|r|f|x|m"], false);
        check(&["a.rs|r|f|x|m"], &["a.rs|r|f|y|n"], true);
        // Each of these may turn out to be the one that is known: moved, reworded, edited.
        for known in ["b.rs|r|f|x|m", "a.rs|r|g|x|n", "a.rs|r|f|y|m"] {
            check(&[known], &["a.rs|r|f|x|m"], false);
        }
        check(&["a.rs|r|f|x|m"], &["a.rs|r|f|x|m"; 3], true);
    }
}
