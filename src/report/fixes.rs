//! Says how many findings can be fixed automatically, and with which command. All reports use these words.

use super::finished::{Finding, Finished};
use super::text::counted;

/// State of the working tree. Determines which flags `cargo genti fix` requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tree {
    /// Everything is committed, or unknown, as in a report that is read elsewhere.
    #[default]
    Clean,
    /// There is no repository.
    NoRepository,
    /// There are uncommitted changes.
    Changed {
        /// Some of them are not in the index.
        is_dirty: bool,
        /// Some of them are in the index.
        is_staged: bool,
    },
}

impl Tree {
    fn flags(self) -> impl Iterator<Item = &'static str> {
        let (no_vcs, is_dirty, is_staged) = match self {
            Self::Clean => (false, false, false),
            Self::NoRepository => (true, false, false),
            Self::Changed { is_dirty, is_staged } => (false, is_dirty, is_staged),
        };
        let all = [("--allow-no-vcs", no_vcs), ("--allow-dirty", is_dirty), ("--allow-staged", is_staged)];
        all.into_iter().filter(|(_, is_needed)| *is_needed).map(|(flag, _)| flag)
    }
}

/// Says how to fix the new findings of `run` that can be fixed automatically. `None` if there are none.
pub fn advice(run: &Finished, tree: Tree) -> Option<String> {
    let is_fixable = |finding: &&Finding| finding.counts() && finding.has_applicable_fix();
    let fixable = || run.report.findings.iter().filter(is_fixable);
    let mut tools = run.run.tools.iter().filter(|tool| fixable().any(|finding| finding.is_of(&tool.name)));
    // The commands of all tools are the same, except for the tool at the end.
    let (base, _) = tools.clone().find_map(|tool| tool.fix.as_deref()?.split_last_chunk::<2>())?;
    let mut words = base.to_vec();
    let selection = &run.run.selection;
    if !selection.tools.is_empty() || !selection.skip_tools.is_empty() {
        words.extend(tools.by_ref().flat_map(|tool| ["--tool".to_owned(), tool.name.clone()]));
    }
    let count = counted(fixable().count(), "new finding", "new findings");
    Some(format!("to fix {count} automatically, run `{}`", command(&words, tree)))
}

/// Returns the [`advice`] as a sentence, for a report that is read elsewhere.
pub(super) fn sentence(run: &Finished) -> Option<String> {
    let advice = advice(run, Tree::Clean)?;
    Some(format!("T{}.", advice.strip_prefix('t')?))
}

/// Formats a command that applies fixes for a shell, with the flags that it requires.
pub fn command(words: &[String], tree: Tree) -> String {
    let mut all: Vec<String> = Vec::new();
    let flags = tree.flags().map(str::to_owned);
    for word in words.iter().cloned().chain(flags) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@,+%".contains(c);
        match !word.is_empty() && word.chars().all(is_plain) {
            true => all.push(word),
            false => all.push(format!("'{}'", word.replace('\'', "'\\''"))),
        }
    }
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_the_flags_that_the_working_tree_requires() {
        let words = ["cargo", "genti", "fix", "-p", "it's"].map(str::to_owned);
        let check = |tree, expected: &str| assert_eq!(command(&words, tree), expected);
        check(Tree::Clean, r"cargo genti fix -p 'it'\''s'");
        check(Tree::NoRepository, r"cargo genti fix -p 'it'\''s' --allow-no-vcs");
        let changed = |is_dirty, is_staged| Tree::Changed { is_dirty, is_staged };
        check(changed(true, false), r"cargo genti fix -p 'it'\''s' --allow-dirty");
        check(changed(true, true), r"cargo genti fix -p 'it'\''s' --allow-dirty --allow-staged");
    }
}
