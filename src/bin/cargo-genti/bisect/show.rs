//! The answer of a search, for people. The commits go to standard output.

use std::fmt::Write;
use std::path::Path;

use genti::pipeline::Answer;
use genti::report::finished::Finding;
use genti::report::short;
use genti::report::text::counted;
use genti::workspace::{self, CommitSummary, History};

use super::{SHALLOW, usage};
use crate::exit::{CliError, CliResult};
use crate::render::{GOOD, Shell, visible_line};

/// Everything that an answer mentions.
pub(super) struct Shown<'a> {
    pub(super) root: &'a Path,
    /// Directories in which cargo builds.
    pub(super) built: [&'a Path; 2],
    pub(super) history: &'a History,
    pub(super) finding: &'a Finding,
    /// Number of commits whose state is known.
    pub(super) tried: usize,
    /// The first commit without a result, with the reason.
    pub(super) first_skip: Option<(String, String)>,
    /// Value of `--good`.
    pub(super) reference: &'a str,
}

impl Shown<'_> {
    /// Shows the answer, and returns the result of the command.
    pub(super) fn answer(&self, answer: &Answer, shell: &mut Shell) -> CliResult {
        let reference = visible_line(self.reference);
        match answer {
            Answer::First(at) => self.first(*at, shell),
            Answer::OneOf { commits, or_before } => self.one_of(commits, *or_before, shell),
            Answer::NotBefore(at) => {
                let CommitSummary { short, date, .. } = self.summary(*at, shell)?;
                shell.error(format_args!(
                    "the finding is not from before {short} ({date}) as far as is known: this clone ends there, and the commit has \
                     the finding; fetch more with `git fetch --deepen 100`, or everything with `git fetch --unshallow`, and run the \
                     same command again"
                ));
                Err(CliError::Incomplete)
            }
            Answer::NotInHead => self.not_in_head(shell),
            Answer::NoResult(why) => {
                shell.error(format_args!(
                    "HEAD has no result in a worktree of its own: {}",
                    visible_line(why)
                ));
                Err(CliError::Incomplete)
            }
            Answer::NotGood(at) => {
                let CommitSummary { short, .. } = self.summary(*at, shell)?;
                Err(usage(
                    shell,
                    format_args!(
                        "--good: `{reference}` ({short}) has the finding as well; name an older commit, or remove the flag"
                    ),
                ))
            }
            Answer::GoodSkipped(why) => {
                shell.error(format_args!(
                    "--good: `{reference}` has no result ({}); name another commit, or remove the flag",
                    visible_line(why)
                ));
                Err(CliError::Incomplete)
            }
        }
    }

    fn first(&self, at: usize, shell: &mut Shell) -> CliResult {
        let CommitSummary { id, short, date, author, subject, is_merge } = self.summary(at, shell)?;
        let [author, subject] = [&author, &subject].map(|text| visible_line(text));
        shell.out(&format!("commit {id}\nAuthor: {author}\nDate:   {date}\n\n    {subject}\n\n"))?;
        let tried = counted(self.tried, "commit", "commits");
        shell.status(
            GOOD,
            "Finished",
            format_args!("{short} is the first commit with {} (tested {tried})", self.name()),
        );
        match is_merge {
            true => shell.note(format_args!(
                "it is a merge: `git diff {short}^1 {short}` shows what it brought, and `git log {short}^1..{short}` from where"
            )),
            false => shell.note(format_args!("`git show {short}` shows the commit")),
        }
        if at + 1 == self.history.commits.len() {
            shell.note("it is the first commit of the history");
        }
        Ok(())
    }

    fn one_of(&self, commits: &[usize], or_before: bool, shell: &mut Shell) -> CliResult {
        let mut out = String::new();
        for at in commits {
            let CommitSummary { short, date, author, subject, .. } = self.summary(*at, shell)?;
            let _ = writeln!(out, "{short} {date} {}", visible_line(&format!("{author}: {subject}")));
        }
        shell.out(&out)?;
        if let Some((commit, why)) = &self.first_skip {
            let short = commit.get(..10).unwrap_or(commit);
            shell.note(format_args!("no result at {short}: {}", visible_line(why)));
        }
        let before = match or_before {
            true => ", or one before them",
            false => "",
        };
        let fetch = if or_before { SHALLOW } else { "" };
        shell.error(format_args!(
            "one of these {} brought {}{before}: the others have no result{fetch}",
            counted(commits.len(), "commit", "commits"),
            self.name()
        ));
        Err(CliError::Incomplete)
    }

    fn not_in_head(&self, shell: &mut Shell) -> CliResult {
        let is_dirty = workspace::uncommitted(self.root, &self.built)
            .is_ok_and(|changes| !changes.dirty.is_empty() || !changes.staged.is_empty());
        if is_dirty {
            shell.status(
                GOOD,
                "Finished",
                format_args!("HEAD lacks {}: the uncommitted changes brought it", self.name()),
            );
            return Ok(());
        }
        shell.error(format_args!(
            "{} is in the working tree, but not in a fresh checkout of HEAD: it depends on files that no commit has, or its \
             tool does not always find the same",
            self.name()
        ));
        Err(CliError::Incomplete)
    }

    /// Names the finding.
    fn name(&self) -> String {
        let line = short::line(self.finding);
        format!("`{line}`")
    }

    fn summary(&self, at: usize, shell: &mut Shell) -> CliResult<CommitSummary> {
        workspace::summary(self.root, &self.history.commits[at]).map_err(|error| usage(shell, error))
    }
}
