//! The passes: applies fixes, has the tools run again, and takes back what no longer compiles.

use std::collections::{BTreeMap, BTreeSet};

use super::version::{Fitted, fit};
use super::{Proposal, Version};
use crate::model::path::RelPath;
use crate::model::text::Text;

/// Maximum number of passes. Fixes that still appear then may go on for ever.
pub const MOST_PASSES: usize = 4;

/// Results of the tools for the present files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files with proposed fixes: their analysed texts, if they exist, and the fixes in the order in which they are applied.
    pub files: BTreeMap<RelPath, (Option<Vec<u8>>, Vec<Proposal>)>,
    /// Files whose fixes can't be applied.
    pub left: BTreeSet<Left>,
    /// Files with errors that keep code from being checked.
    pub broken: BTreeSet<RelPath>,
    /// Tools and units without a result, each with a reason.
    pub incomplete: BTreeMap<(String, String), String>,
}

/// Access of the passes to files and tools.
pub trait Workbench {
    /// Reason to end early, such as a signal.
    type Early;

    /// Runs the tools.
    ///
    /// # Errors
    ///
    /// If the run has no outcome.
    fn check(&mut self) -> Result<Checked, Self::Early>;

    /// Checks that the passes may continue. Called before each change of a file.
    ///
    /// # Errors
    ///
    /// If the passes must end early.
    fn go_on(&mut self) -> Result<(), Self::Early>;

    /// Replaces the file at `path` if it is still `old`. A version that is `None` does not exist.
    ///
    /// # Errors
    ///
    /// If the file was not replaced. The error is the reason.
    fn replace(&mut self, path: &RelPath, old: Option<&Version>, new: Option<&Version>)
    -> Result<(), String>;
}

/// Fixes of a file that were not applied, or that could not be undone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// Path of the file.
    pub path: RelPath,
    /// Rules of the findings.
    pub rules: BTreeSet<Text>,
    /// True if they are still in the file although they should not be.
    pub is_written: bool,
    /// Reason why they were not applied, or not undone.
    pub why: String,
}

impl Left {
    /// Returns an entry for `proposals`.
    pub fn new<'a>(
        path: &RelPath,
        proposals: impl IntoIterator<Item = &'a Proposal>,
        why: impl Into<String>,
    ) -> Self {
        let rules = proposals.into_iter().map(|one| one.rule.clone()).collect();
        Self { path: path.clone(), rules, is_written: false, why: why.into() }
    }
}

/// Changes so far. Also valid after an early end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// Number of passes that changed files.
    pub passes: usize,
    /// Changed files, with the number of applied fixes by rule. The tools have run since the last change.
    pub files: BTreeMap<RelPath, BTreeMap<Text, usize>>,
    /// Fixes that were not applied, or that could not be undone.
    pub left: BTreeSet<Left>,
    /// Files that were changed, but whose check did not finish.
    pub unchecked: BTreeSet<RelPath>,
    /// Files with fixes that were not changed, because the passes ended early.
    pub untouched: BTreeSet<RelPath>,
    /// Number of fixes that the tools propose after the last pass.
    pub remaining: usize,
}

impl Fixed {
    /// Number of applied fixes.
    pub fn count(&self) -> usize {
        self.files.values().flat_map(BTreeMap::values).sum()
    }
}

/// A new version of a file.
struct Change {
    path: RelPath,
    old: Option<Version>,
    new: Option<Version>,
    done: Vec<Proposal>,
}

/// Applies fixes in passes until the tools propose no more.
///
/// # Errors
///
/// If `bench` ends early. `fixed` says what was changed until then.
pub fn run<W: Workbench>(bench: &mut W, fixed: &mut Fixed) -> Result<(), W::Early> {
    let mut passes = Passes::new(bench, fixed);
    let mut checked = passes.check()?;
    for _ in 0..MOST_PASSES {
        let (changes, unfit) = passes.changes(&checked);
        passes.fixed.left.extend(unfit);
        if changes.is_empty() {
            break;
        }
        passes.fixed.untouched = changes.iter().map(|change| change.path.clone()).collect();
        if let Some(after) = passes.attempt(changes, &checked)? {
            passes.fixed.passes += 1;
            checked = after;
        }
        passes.fixed.untouched.clear();
    }
    if passes.is_stale {
        checked = passes.check()?;
    }
    passes.fixed.remaining = passes.changes(&checked).0.iter().map(|change| change.done.len()).sum();
    passes.fixed.left.extend(checked.left);
    Ok(())
}

struct Passes<'a, W> {
    bench: &'a mut W,
    fixed: &'a mut Fixed,
    /// Rules whose fixes broke a file.
    blocked: BTreeSet<(RelPath, Text)>,
    /// True if files were taken back since the tools ran.
    is_stale: bool,
}

impl<'a, W: Workbench> Passes<'a, W> {
    fn new(bench: &'a mut W, fixed: &'a mut Fixed) -> Self {
        Self { bench, fixed, blocked: BTreeSet::new(), is_stale: false }
    }

    fn check(&mut self) -> Result<Checked, W::Early> {
        let checked = self.bench.check()?;
        self.is_stale = false;
        Ok(checked)
    }

    /// Returns the changes that the proposed fixes make, and the fixes that don't fit their file.
    fn changes(&self, checked: &Checked) -> (Vec<Change>, Vec<Left>) {
        let (mut changes, mut unfit_ones) = (Vec::new(), Vec::new());
        for (path, (old, proposals)) in &checked.files {
            let is_blocked = |one: &Proposal| self.blocked.contains(&(path.clone(), one.rule.clone()));
            let proposals: Vec<_> = proposals.iter().filter(|one| !is_blocked(one)).cloned().collect();
            let Fitted { versions: [before, after], done, unfit } = fit(old.as_deref(), &proposals);
            if !unfit.is_empty() {
                unfit_ones.push(Left::new(path, &unfit, "the fix does not fit the file"));
            }
            if before != after {
                changes.push(Change { path: path.clone(), old: before, new: after, done });
            }
        }
        (changes, unfit_ones)
    }

    /// Makes `changes` and has them checked. Takes back what no longer compiles. Returns the present state, unless it is still the
    /// one `before`.
    fn attempt(&mut self, changes: Vec<Change>, before: &Checked) -> Result<Option<Checked>, W::Early> {
        let written = self.write(changes)?;
        if written.is_empty() { Ok(None) } else { self.settle(written, before) }
    }

    /// Has changes checked that are already written.
    fn settle(&mut self, written: Vec<Change>, before: &Checked) -> Result<Option<Checked>, W::Early> {
        let after = self.check()?;
        let Some(why) = lost(before, &after) else {
            written.iter().for_each(|change| self.keep(change));
            return Ok(Some(after));
        };
        let is_blamed =
            |change: &Change| after.broken.contains(&change.path) && !before.broken.contains(&change.path);
        let (blamed, rest): (Vec<_>, Vec<_>) = written.into_iter().partition(is_blamed);
        let (first, second) = match (blamed.is_empty(), rest.is_empty()) {
            // The errors are in these files, even without changes of others.
            (false, true) => {
                self.take_back(blamed).iter().for_each(|change| self.leave(change, why.clone()));
                return Ok(None);
            }
            (false, false) => {
                let blamed = self.take_back(blamed);
                (self.settle(rest, before)?, blamed)
            }
            // Nothing says which of the files it is.
            (true, _) => {
                let mut all = self.take_back(rest);
                if let [] | [_] = all.as_slice() {
                    all.iter().for_each(|change| self.leave(change, why.clone()));
                    return Ok(None);
                }
                let second = all.split_off(all.len() / 2);
                (self.attempt(all, before)?, second)
            }
        };
        let second = self.attempt(second, first.as_ref().unwrap_or(before))?;
        Ok(second.or(first))
    }

    /// Writes `changes` and returns those that were possible.
    fn write(&mut self, changes: Vec<Change>) -> Result<Vec<Change>, W::Early> {
        let mut written = Vec::new();
        for change in changes {
            self.bench.go_on()?;
            self.fixed.untouched.remove(&change.path);
            match self.bench.replace(&change.path, change.old.as_ref(), change.new.as_ref()) {
                Ok(()) => {
                    self.fixed.unchecked.insert(change.path.clone());
                    written.push(change);
                }
                Err(why) => self.leave(&change, why),
            }
        }
        Ok(written)
    }

    /// Records that a change stays.
    fn keep(&mut self, change: &Change) {
        self.fixed.unchecked.remove(&change.path);
        let rules = self.fixed.files.entry(change.path.clone()).or_default();
        for one in &change.done {
            *rules.entry(one.rule.clone()).or_default() += 1;
        }
    }

    /// Records that a change is not possible, so that it is not tried again.
    fn leave(&mut self, change: &Change, why: String) {
        self.leave_as(Left::new(&change.path, &change.done, why), change);
    }

    fn leave_as(&mut self, left: Left, change: &Change) {
        self.blocked.extend(change.done.iter().map(|one| (change.path.clone(), one.rule.clone())));
        self.fixed.left.insert(left);
    }

    /// Restores the former versions. A file that somebody has edited since stays as it is.
    fn take_back(&mut self, written: Vec<Change>) -> Vec<Change> {
        self.is_stale = true;
        let mut restored = Vec::new();
        for change in written {
            self.fixed.unchecked.remove(&change.path);
            match self.bench.replace(&change.path, change.new.as_ref(), change.old.as_ref()) {
                Ok(()) => {
                    self.fixed.untouched.insert(change.path.clone());
                    restored.push(change);
                }
                Err(why) => {
                    let left = Left { is_written: true, ..Left::new(&change.path, &change.done, why) };
                    self.leave_as(left, &change);
                }
            }
        }
        restored
    }
}

/// Returns why something has no result any more, if so.
fn lost(before: &Checked, after: &Checked) -> Option<String> {
    let all = after.incomplete.iter().filter(|(part, _)| !before.incomplete.contains_key(part));
    // Errors of a dependency explain less than the errors themselves.
    all.min_by_key(|(_, reason)| reason.starts_with("not checked")).map(|((tool, unit), reason)| {
        match unit.as_str() {
            "." => format!("no result from {tool} afterwards: {reason}"),
            unit => format!("no result from {tool} for {unit} afterwards: {reason}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::testing::{compared, edit, fix};
    use crate::fix::{Filter, choose};

    /// Files in memory, and a tool that proposes to replace the first character of a file if it is one of `pairs`. Code with an
    /// `!` does not compile.
    #[derive(Default)]
    struct Memory {
        files: BTreeMap<RelPath, Vec<u8>>,
        pairs: Vec<(char, char)>,
        checks: usize,
        writes: usize,
        /// True if errors don't say which file they are in.
        is_vague: bool,
        /// Number of checks and writes after which the user stops it.
        most_checks: Option<usize>,
        most_writes: Option<usize>,
        /// An edit by somebody else before the check with this number.
        edit: Option<(usize, RelPath, &'static str)>,
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Stopped;

    impl Memory {
        fn new(files: &[(&str, &str)], pairs: &[(char, char)]) -> Self {
            let files = files.iter().map(|(path, text)| (RelPath::new(path), text.as_bytes().to_vec()));
            Self { files: files.collect(), pairs: pairs.to_vec(), ..Self::default() }
        }

        fn text(&self, path: &str) -> String {
            String::from_utf8_lossy(&self.files[&RelPath::new(path)]).into_owned()
        }

        fn texts(&self) -> Vec<String> {
            self.files.keys().map(|path| self.text(&path.to_string())).collect()
        }

        fn fix(&mut self) -> (Fixed, Result<(), Stopped>) {
            let mut fixed = Fixed::default();
            let end = run(self, &mut fixed);
            (fixed, end)
        }
    }

    impl Workbench for Memory {
        type Early = Stopped;

        fn check(&mut self) -> Result<Checked, Stopped> {
            self.checks += 1;
            if self.most_checks.is_some_and(|most| self.checks > most) {
                return Err(Stopped);
            }
            if let Some((_, path, text)) = self.edit.take_if(|(at, ..)| *at == self.checks) {
                self.files.insert(path, text.as_bytes().to_vec());
            }
            let mut checked = Checked::default();
            for (path, text) in &self.files {
                let name = path.to_string();
                let first = text.first().map(|byte| char::from(*byte));
                let new = self.pairs.iter().find(|(old, _)| Some(*old) == first);
                let found = new.map(|(_, new)| {
                    compared("clippy", "first", fix(&name, &[edit(1, 1, 2, &new.to_string())]))
                });
                let chosen = choose(&found.into_iter().collect::<Vec<_>>(), &Filter::default());
                let files = chosen.files.into_iter().map(|(path, all)| (path, (Some(text.clone()), all)));
                checked.files.extend(files);
                if text.contains(&b'!') {
                    checked.broken.extend((!self.is_vague).then(|| path.clone()));
                    checked.incomplete.insert(("clippy".to_owned(), name), "does not compile".to_owned());
                }
            }
            Ok(checked)
        }

        fn go_on(&mut self) -> Result<(), Stopped> {
            self.writes += 1;
            if self.most_writes.is_some_and(|most| self.writes > most) { Err(Stopped) } else { Ok(()) }
        }

        fn replace(
            &mut self,
            path: &RelPath,
            old: Option<&Version>,
            new: Option<&Version>,
        ) -> Result<(), String> {
            if self.files.get(path) != old.map(|old| &old.text) {
                return Err("it has changed".to_owned());
            }
            match new {
                Some(new) => drop(self.files.insert(path.clone(), new.text.clone())),
                None => drop(self.files.remove(path)),
            }
            Ok(())
        }
    }

    fn paths(paths: &BTreeSet<RelPath>) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn passes_go_on_until_nothing_is_proposed() {
        let mut memory = Memory::new(&[("a", "1x"), ("b", "x")], &[('1', '2'), ('2', '3')]);
        let (fixed, end) = memory.fix();
        assert_eq!((end, memory.texts()), (Ok(()), vec!["3x".to_owned(), "x".to_owned()]));
        assert_eq!((fixed.passes, fixed.count(), fixed.remaining), (2, 2, 0));
        assert_eq!(memory.checks, 3);
        // The second time, nothing changes.
        let (fixed, _) = memory.fix();
        assert_eq!(fixed, Fixed::default());
        assert_eq!(memory.checks, 4);
    }

    #[test]
    fn fixes_that_never_end_are_given_up() {
        let mut memory = Memory::new(&[("a", "1")], &[('1', '2'), ('2', '1')]);
        let (fixed, end) = memory.fix();
        assert_eq!((end, memory.text("a")), (Ok(()), "1".to_owned()));
        assert_eq!((fixed.passes, fixed.remaining), (MOST_PASSES, 1));
    }

    #[test]
    fn a_file_that_no_longer_compiles_is_taken_back_and_named() {
        let names: Vec<_> = ('a'..='h').map(String::from).collect();
        let check = |is_vague: bool, checks: usize| {
            let files = names.iter().map(|name| (name.as_str(), if name == "f" { "2" } else { "1" }));
            let mut memory = Memory::new(&files.collect::<Vec<_>>(), &[('1', '3'), ('2', '!')]);
            memory.is_vague = is_vague;
            let (fixed, end) = memory.fix();
            assert_eq!((end, memory.texts().concat()), (Ok(()), "33333233".to_owned()));
            assert_eq!((fixed.passes, fixed.count(), fixed.remaining), (1, 7, 0));
            let why = "no result from clippy for f afterwards: does not compile";
            let left = Left {
                path: RelPath::new("f"),
                rules: ["first".into()].into(),
                is_written: false,
                why: why.to_owned(),
            };
            assert_eq!(fixed.left, [left].into());
            assert_eq!(memory.checks, checks);
            assert!(fixed.unchecked.is_empty() && fixed.untouched.is_empty());
        };
        // Before, of all files, without the blamed one, of the blamed one, and after that was taken back.
        check(false, 5);
        // Halves are tried, not each file: 1 before, 1 of all, 4, 4, 2, 2, 1 and 1 files.
        check(true, 8);
    }

    #[test]
    fn what_did_not_compile_before_takes_nothing_back() {
        let mut memory = Memory::new(&[("a", "1"), ("b", "!")], &[('1', '2')]);
        let (fixed, _) = memory.fix();
        assert_eq!((memory.texts().concat(), fixed.count(), fixed.left.len()), ("2!".to_owned(), 1, 0));
    }

    #[test]
    fn an_edit_made_meanwhile_is_kept() {
        // While the changed code is checked, somebody edits one of two files, neither of which compiles then.
        let mut memory = Memory::new(&[("a", "1"), ("b", "1")], &[('1', '!')]);
        memory.is_vague = true;
        memory.edit = Some((2, RelPath::new("a"), "mine"));
        let (fixed, end) = memory.fix();
        assert_eq!((end, memory.texts().concat()), (Ok(()), "mine1".to_owned()));
        assert_eq!((fixed.count(), fixed.left.len()), (0, 2));
        assert!(fixed.left.iter().any(|left| left.is_written && left.why == "it has changed"));

        // Before the files are written.
        let mut memory = Memory::new(&[("a", "1"), ("b", "1")], &[('1', '2')]);
        let mut fixed = Fixed::default();
        let checked = memory.check().unwrap();
        memory.files.insert(RelPath::new("a"), b"mine".to_vec());
        let mut passes = Passes::new(&mut memory, &mut fixed);
        let (changes, _) = passes.changes(&checked);
        passes.attempt(changes, &checked).unwrap();
        assert_eq!((memory.texts().concat(), fixed.count(), fixed.left.len()), ("mine2".to_owned(), 1, 1));
    }

    #[test]
    fn an_early_end_says_which_files_are_new() {
        let files = [("a", "1"), ("b", "1"), ("c", "1")];
        let mut memory = Memory::new(&files, &[('1', '2')]);
        memory.most_writes = Some(2);
        let (fixed, end) = memory.fix();
        assert_eq!((end, memory.texts().concat()), (Err(Stopped), "221".to_owned()));
        assert_eq!(
            (paths(&fixed.unchecked), paths(&fixed.untouched)),
            (vec!["a".into(), "b".into()], vec!["c".into()])
        );

        let mut memory = Memory::new(&files, &[('1', '2')]);
        memory.most_checks = Some(1);
        let (fixed, end) = memory.fix();
        assert_eq!((end, memory.texts().concat()), (Err(Stopped), "222".to_owned()));
        assert_eq!((paths(&fixed.unchecked).len(), paths(&fixed.untouched).len()), (3, 0));
    }

    #[test]
    fn a_fix_that_does_not_fit_is_named() {
        let mut checked = Checked::default();
        let found = compared("clippy", "rule", fix("a", &[edit(9, 1, 1, "x")]));
        let chosen = choose(&[found], &Filter::default());
        checked
            .files
            .extend(chosen.files.into_iter().map(|(path, all)| (path, (Some(b"a\n".to_vec()), all))));
        let (mut memory, mut fixed) = (Memory::default(), Fixed::default());
        let passes = Passes::new(&mut memory, &mut fixed);
        let (changes, unfit) = passes.changes(&checked);
        assert_eq!((changes.len(), unfit[0].why.as_str()), (0, "the fix does not fit the file"));
    }
}
