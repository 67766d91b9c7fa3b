//! The first-parent history of the commit that is checked out, for a search through it. Only reads.

use std::path::Path;

use super::git::{GitError, git};

/// The commits that `git log --first-parent` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Full names, the newest first. Never empty.
    pub commits: Vec<String>,
    /// True if the last one has parents that this clone does not have.
    pub is_cut: bool,
}

/// A commit as a person knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitSummary {
    /// Full name.
    pub id: String,
    /// First digits of the name, as many as git needs to find it.
    pub short: String,
    /// Day on which it was written, such as `2026-12-24`.
    pub date: String,
    /// Name of the author.
    pub author: String,
    /// First line of its message.
    pub subject: String,
    /// True if it is a merge.
    pub is_merge: bool,
}

/// Returns the first-parent history of HEAD in the repository around `root`.
///
/// # Errors
///
/// If there is no git, no repository or no commit.
pub fn first_parents(root: &Path) -> Result<History, GitError> {
    let listed = read(root, "read the history", &["rev-list", "--first-parent", "HEAD", "--"])?;
    let commits: Vec<_> = listed.lines().map(str::to_owned).collect();
    let last = commits.last().map_or("HEAD", String::as_str);
    // The commit itself names its parents, also if the clone is shallow.
    let text = read(root, "read the history", &["cat-file", "commit", last])?;
    let is_cut = text.lines().take_while(|line| !line.is_empty()).any(|line| line.starts_with("parent "));
    Ok(History { commits, is_cut })
}

/// Returns the full name of the commit that `reference` names in the repository around `root`.
///
/// # Errors
///
/// If there is no such commit.
pub fn commit_of(root: &Path, reference: &str) -> Result<String, GitError> {
    let commit = format!("{reference}^{{commit}}");
    let find = format!("find the commit `{reference}`");
    let found = read(root, &find, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
    found.map(|line| line.trim().to_owned()).map_err(|error| match error {
        GitError::Failed { what, message } if message.is_empty() => {
            GitError::Failed { what, message: "there is no such commit".to_owned() }
        }
        error => error,
    })
}

/// Describes the commit called `id`, a full name.
///
/// # Errors
///
/// If git can't read it.
pub fn summary(root: &Path, id: &str) -> Result<CommitSummary, GitError> {
    let format = "--format=%H%n%h%n%as%n%P%n%an%n%s";
    let show = ["show", "--no-patch", "--no-show-signature", "--no-color", format, id, "--"];
    let text = read(root, &format!("read the commit {id}"), &show)?;
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let (id, short, date, parents) = (line(), line(), line(), line());
    let is_merge = parents.contains(' ');
    Ok(CommitSummary { id, short, date, is_merge, author: line(), subject: line() })
}

/// Returns whether the commit called `id` has a `Cargo.toml` in any directory. True if that is unknown.
pub fn has_manifest(root: &Path, id: &str) -> bool {
    let listed = git(root, id, &["ls-tree", "-r", "--full-tree", "--name-only", "-z", id]);
    listed.map_or(true, |paths| {
        paths
            .split(|&byte| byte == 0)
            .any(|path| path.rsplit(|&byte| byte == b'/').next() == Some(b"Cargo.toml"))
    })
}

/// Returns the output of git, which `what` describes in errors.
fn read(root: &Path, what: &str, args: &[&str]) -> Result<String, GitError> {
    let output = git(root, "HEAD", args).map_err(|error| error.to(what))?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}
