//! Runs git on demand, to find the files changed since a commit and the sides of a merge. Never affects ids.

#![expect(clippy::disallowed_methods, reason = "part of the shell: asks git")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::model::commit::Commit;
use crate::model::path::{RelPath, os_path};
use crate::scan::GIT_VARIABLES;

/// Error of a git command.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Git could not be started.
    #[error("could not start `git`: {0}")]
    Start(#[from] std::io::Error),
    /// Git failed.
    #[error("could not determine the changes since `{reference}` with git: {message}")]
    Refused {
        /// The requested reference.
        reference: String,
        /// Message of git.
        message: String,
    },
    /// Git could not do something else.
    #[error("could not {what}: {message}")]
    Failed {
        /// What it should do.
        what: String,
        /// Message of git.
        message: String,
    },
}

impl GitError {
    /// Says that git should do `what`.
    pub(super) fn to(self, what: &str) -> Self {
        match self {
            Self::Refused { message, .. } => Self::Failed { what: what.to_owned(), message },
            error => error,
        }
    }

    /// Sets the message of a git command that failed without one.
    fn or_message(self, text: &str) -> Self {
        match self {
            Self::Refused { reference, message } if message.is_empty() => {
                Self::Refused { reference, message: text.to_owned() }
            }
            error => error,
        }
    }
}

/// Returns the files below `root` tracked by git. Empty without git or a repository.
pub fn tracked(root: &Path) -> BTreeSet<RelPath> {
    let listed = git(root, "HEAD", &["ls-files", "-z", "--", "."]).unwrap_or_default();
    listed.split(|&byte| byte == 0).filter(|path| !path.is_empty()).map(RelPath::new).collect()
}

/// Returns the files of the repository around `root` that differ from the commit where HEAD left `reference` (their
/// merge base), the untracked files, and the files that git was told not to check, relative to `root`. A nested
/// repository counts as one file with the path of its directory.
///
/// # Errors
///
/// If there is no git, no repository, no such commit or no merge base.
pub fn changed_since(root: &Path, reference: &str) -> Result<BTreeSet<RelPath>, GitError> {
    Ok(differing(root, reference, &branch_point(root, reference)?)?.into_keys().collect())
}

/// A file in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    /// Mode as git writes it, such as `100644`.
    pub(super) mode: String,
    /// Name of the object.
    pub(super) id: String,
}

/// A file that may differ from a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Differing {
    /// Git compared it. The file in the commit, if it has one.
    From(Option<Blob>),
    /// Git does not track it.
    Untracked,
    /// Git was told not to check it.
    Unchecked,
}

/// Returns the files of [`changed_since`] for the commit `commit`, relative to `root`.
pub(super) fn differing(
    root: &Path,
    reference: &str,
    commit: &str,
) -> Result<BTreeMap<RelPath, Differing>, GitError> {
    let changed = git(
        root,
        reference,
        &[
            "diff",
            "--no-ext-diff",
            "--no-renames",
            "--no-relative",
            "--ignore-submodules=none",
            "--raw",
            "--no-abbrev",
            "-z",
            commit,
        ],
    )?;
    // Use the rules of `files.rs`, so files excluded only by the user's own settings are included.
    let everywhere =
        ["ls-files", "--others", "--exclude-per-directory=.gitignore", "--full-name", "-z", "--", ":/"];
    let unknown = git(root, reference, &everywhere)?;
    let unchecked = git(root, reference, &["ls-files", "-v", "--cached", "--full-name", "-z", "--", ":/"])?;
    let top = git(root, reference, &["rev-parse", "--show-toplevel"])?;
    let top = os_path(top.strip_suffix(b"\n").unwrap_or(&top)).into_owned();
    let prefix = &prefix(root, reference)?[..];
    let split = |list: &'_ [u8]| {
        list.split(|&byte| byte == 0).filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let mut found = BTreeMap::new();
    for pair in split(&changed).chunks_exact(2) {
        found.insert(relative_to(prefix, &pair[1]), Differing::From(blob(&pair[0])));
    }
    for path in split(&unknown) {
        found.entry(relative_to(prefix, &path)).or_insert(Differing::Untracked);
    }
    for line in split(&unchecked) {
        if let Some(path) = self::unchecked(&line, &top) {
            found.insert(relative_to(prefix, path), Differing::Unchecked);
        }
    }
    Ok(found)
}

/// Returns the file before the change in `line` of `git diff --raw`: `:MODE MODE ID ID STATUS`. `None` if there was none.
fn blob(line: &[u8]) -> Option<Blob> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.strip_prefix(':')?.split(' ');
    let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
    (mode != "000000").then(|| Blob { mode: mode.to_owned(), id: id.to_owned() })
}

/// Returns the commit where HEAD left `reference`. If there is none in a shallow clone, the error says how to fetch it.
pub(super) fn branch_point(root: &Path, reference: &str) -> Result<String, GitError> {
    merge_base(root, reference).map_err(|error| explain_shallow(root, error))
}

/// Returns the commit where HEAD left `reference`: the one from which `git diff REFERENCE...` compares.
fn merge_base(root: &Path, reference: &str) -> Result<String, GitError> {
    // Resolve the name of the commit first, so a name that begins with a dash is not taken for an option.
    let commit = format!("{reference}^{{commit}}");
    let commit = git(root, reference, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
        .map_err(|error| error.or_message("no such commit"))?;
    let commit = String::from_utf8_lossy(&commit);
    let base = git(root, reference, &["merge-base", commit.trim(), "HEAD"])
        .map_err(|error| error.or_message("it has no common ancestor with HEAD"))?;
    Ok(String::from_utf8_lossy(&base).trim().to_owned())
}

/// Returns true if the commit that is checked out around `root` is a merge.
pub fn is_merge(root: &Path) -> bool {
    git(root, "", &["rev-parse", "--verify", "--quiet", "HEAD^2"]).is_ok()
}

/// Adds to `error` how to fetch the missing commits, if the clone is shallow.
fn explain_shallow(root: &Path, error: GitError) -> GitError {
    let is_shallow =
        || git(root, "", &["rev-parse", "--is-shallow-repository"]).is_ok_and(|said| said == b"true\n");
    match error {
        GitError::Refused { reference, message } if is_shallow() => GitError::Refused {
            reference,
            message: format!(
                "{message}; this clone is shallow: run `git fetch --unshallow`, or set `fetch-depth: 0` for actions/checkout"
            ),
        },
        error => error,
    }
}

/// Changes in a working tree that no commit contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uncommitted {
    /// Files that differ from the index, or are not in it, relative to the top of the repository; sorted.
    pub dirty: Vec<RelPath>,
    /// Other files whose changes are in the index, relative to the top of the repository; sorted.
    pub staged: Vec<RelPath>,
}

/// Returns the uncommitted changes in the repository around `root`, except those below the directories `built`. `Cargo.lock` of the
/// workspace does not count: a run creates and updates it, and no fix changes it.
///
/// # Errors
///
/// If there is no git or no repository.
pub fn uncommitted(root: &Path, built: &[&Path]) -> Result<Uncommitted, GitError> {
    let status = [
        "status",
        "--porcelain=v1",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        "--ignore-submodules=none",
    ];
    let status = git(root, "HEAD", &status)?;
    let prefix = &prefix(root, "HEAD")?[..];
    let built: Vec<_> =
        built.iter().filter_map(|dir| RelPath::between(root, dir)).filter(|dir| !dir.is_root()).collect();
    let mut found = Uncommitted::default();
    for line in status.split(|&byte| byte == 0) {
        let [index, tree, b' ', path @ ..] = line else { continue };
        let of_workspace = relative_to(prefix, path);
        if built.iter().any(|dir| of_workspace.is_within(dir)) || of_workspace == RelPath::new("Cargo.lock") {
            continue;
        }
        match (index, tree) {
            (b'!', _) => {}
            (_, b' ') => found.staged.push(RelPath::new(path)),
            _ => found.dirty.push(RelPath::new(path)),
        }
    }
    found.dirty.sort();
    found.staged.sort();
    Ok(found)
}

/// Returns the path in `line` of `git ls-files -v` if git was told not to check the file, whose content may then
/// be anything. Files missing because of a sparse checkout are skipped.
fn unchecked<'a>(line: &'a [u8], top: &Path) -> Option<&'a [u8]> {
    let (tag, path) = line.split_first_chunk::<2>()?;
    match tag {
        b"S " | b"s " => top.join(os_path(path)).symlink_metadata().is_ok().then_some(path),
        [tag, b' '] if tag.is_ascii_lowercase() => Some(path),
        _ => None,
    }
}

/// Returns the path of `root` from the top of its repository, with a final `/`; empty at the top.
pub(super) fn prefix(root: &Path, reference: &str) -> Result<Vec<u8>, GitError> {
    let prefix = git(root, reference, &["rev-parse", "--show-prefix"])?;
    Ok(prefix.strip_suffix(b"\n").unwrap_or(&prefix).to_vec())
}

/// Converts `path`, relative to the top of the repository, to a path relative to `prefix`, which ends with `/`.
pub(super) fn relative_to(prefix: &[u8], path: &[u8]) -> RelPath {
    let both = prefix.iter().zip(path).take_while(|(own, other)| own == other).count();
    let common = prefix[..both].iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let up = prefix[common..].iter().filter(|&&byte| byte == b'/').count();
    // The path of a nested repository ends with a slash.
    let rest = path[common..].strip_suffix(b"/").unwrap_or(&path[common..]);
    RelPath::new([b"../".repeat(up).as_slice(), rest].concat())
}

/// Returns the base, our and their version of the file at `path`, relative to `root`, in an unresolved merge. A
/// side without the file is empty. Returns `None` if git reports no conflict there.
pub fn merge_sides(root: &Path, path: &Path) -> Option<[Vec<u8>; 3]> {
    let path = path.to_str()?;
    let stages = git(root, "", &["ls-files", "--unmerged", "-z", "--", path]).ok()?;
    if stages.is_empty() {
        return None;
    }
    let stage = |number: u8| git(root, "", &["show", &format!(":{number}:./{path}")]).unwrap_or_default();
    Some([stage(1), stage(2), stage(3)])
}

/// Returns the manifests tracked in the repository around `root` that are outside of `root`. Empty without git or
/// a repository, or if `root` is its top.
pub fn manifests_beyond(root: &Path) -> Vec<RelPath> {
    if root.join(".git").exists() {
        return Vec::new();
    }
    let prefix = git(root, "", &["rev-parse", "--show-prefix"]).unwrap_or_default();
    let prefix = prefix.strip_suffix(b"\n").unwrap_or(&prefix);
    if prefix.is_empty() {
        return Vec::new();
    }
    let manifests = ["ls-files", "--cached", "--full-name", "-z", "--", ":(top,glob)**/Cargo.toml"];
    let listed = git(root, "", &manifests).unwrap_or_default();
    let paths = listed.split(|&byte| byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| relative_to(prefix, path)).filter(RelPath::is_outside).collect()
}

/// Returns the time of the commit checked out around `root`, in seconds since 1970, or `None` without git or a
/// commit.
pub fn commit_time(root: &Path) -> Option<i64> {
    let time = git(root, "", &["show", "--no-patch", "--no-show-signature", "--format=%ct", "HEAD"]).ok()?;
    String::from_utf8_lossy(&time).trim().parse().ok()
}

/// Directory of git hooks.
pub struct Hooks {
    /// The directory, which may not exist.
    pub dir: PathBuf,
    /// Top of the work tree, or the directory of the repository, if the hooks are in one of them. Otherwise they belong to
    /// several repositories.
    pub owner: Option<PathBuf>,
}

/// Returns the directory from which git runs the hooks of the repository around `root`, as `core.hooksPath` and worktrees
/// decide.
///
/// # Errors
///
/// If there is no git or no repository with a work tree.
pub fn hooks(root: &Path) -> Result<Hooks, GitError> {
    let path = |dir: &Path, args: &[&str]| -> Result<PathBuf, GitError> {
        let said = git(dir, "HEAD", &[&["rev-parse", "--path-format=absolute"], args].concat())?;
        Ok(os_path(said.strip_suffix(b"\n").unwrap_or(&said)).into_owned())
    };
    let top = path(root, &["--show-toplevel"])?;
    // A relative `core.hooksPath` begins at the top.
    let dir = path(&top, &["--git-path", "hooks"])?;
    let repository = path(&top, &["--git-common-dir"])?;
    let owner = [repository, top].into_iter().find(|owner| dir.starts_with(owner));
    Ok(Hooks { dir, owner })
}

/// Returns the commit that is checked out around `root`, with its branch and the uncommitted changes except those below the
/// directories `built`. `None` without git or a commit.
pub fn head(root: &Path, built: &[&Path]) -> Option<Commit> {
    let line = |args: &[&str]| {
        let said = git(root, "HEAD", args).ok()?;
        Some(String::from_utf8_lossy(&said).trim().to_owned()).filter(|line| !line.is_empty())
    };
    let id = line(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    let branch = line(&["symbolic-ref", "--quiet", "--short", "HEAD"]);
    let Uncommitted { dirty, staged } = uncommitted(root, built).ok()?;
    let mut changed = [dirty, staged].concat();
    changed.sort();
    Some(Commit { id, branch, changed })
}

/// Returns the address of the remote repository `origin`. `None` without git or such a repository.
pub fn origin(root: &Path) -> Option<String> {
    let address = git(root, "", &["remote", "get-url", "origin"]).ok()?;
    Some(String::from_utf8_lossy(&address).trim().to_owned())
}

/// Returns whether git ignores the file at `path`, relative to `root`. False without git or a repository.
pub fn is_ignored(root: &Path, path: &str) -> bool {
    git(root, "", &["check-ignore", "--quiet", "--", path]).is_ok()
}

pub(super) fn git(root: &Path, reference: &str, args: &[&str]) -> Result<Vec<u8>, GitError> {
    run(Command::new("git").current_dir(root), reference, args)
}

/// Like [`git`], for a repository in `dir` that is not the one around which genti was started. In a hook, variables of git name
/// the files of that one.
pub(super) fn git_elsewhere(dir: &Path, args: &[&str]) -> Result<Vec<u8>, GitError> {
    let mut command = Command::new("git");
    for name in GIT_VARIABLES {
        command.env_remove(name);
    }
    run(command.current_dir(dir), "HEAD", args)
}

fn run(command: &mut Command, reference: &str, args: &[&str]) -> Result<Vec<u8>, GitError> {
    // A file system monitor is a program chosen by the checkout. Nothing may be written, not even the index.
    let output = command
        .args(["-c", "core.fsmonitor=false"])
        // Make git compare all metadata, so it notices every change that the system records.
        .args(["-c", "core.checkStat=default", "-c", "core.trustctime=true", "-c", "core.ignoreStat=false"])
        .args(args)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let message = stderr.trim();
    let message = message.strip_prefix("fatal: ").unwrap_or(message).to_owned();
    Err(GitError::Refused { reference: reference.to_owned(), message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_before_a_change_is_read() {
        let blob = |line: &str| blob(line.as_bytes()).map(|blob| format!("{} {}", blob.mode, blob.id));
        assert_eq!(blob(":100644 100755 aa bb M").as_deref(), Some("100644 aa"));
        assert_eq!(blob(":120000 000000 aa 00 D").as_deref(), Some("120000 aa"));
        assert_eq!(blob(":000000 100644 00 bb A"), None);
        assert_eq!(blob("nothing"), None);
    }

    #[test]
    fn a_path_is_made_relative_to_the_workspace() {
        let check = |prefix: &str, path: &str, expected: &str| {
            assert_eq!(relative_to(prefix.as_bytes(), path.as_bytes()), RelPath::new(expected), "{path}");
        };
        check("", "a/b.rs", "a/b.rs");
        check("s/ws/", "s/ws/a.rs", "a.rs");
        check("s/ws/", "s/c/x.rs", "../c/x.rs");
        check("s/ws/", "s/wsx/x.rs", "../wsx/x.rs");
        check("s/ws/", "top.rs", "../../top.rs");
        check("s/", "s/sub/", "sub");
    }
}
