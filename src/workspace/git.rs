//! What git knows of the workspace, asked only when somebody wants to know it: what changed since a commit, and what
//! the sides of a merge have. Reaches no id.

#![expect(clippy::disallowed_methods, reason = "part of the shell: asks git")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::model::path::{RelPath, os_path};

/// Why git has no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started.
    #[error("could not start `git`: {0}")]
    Start(#[from] std::io::Error),
    /// It refused.
    #[error("git can't tell what changed since `{reference}`: {message}")]
    Refused {
        /// As asked for.
        reference: String,
        /// What git said.
        message: String,
    },
}

/// The files below `root` that git tracks; none if there is no git, or no repository.
pub fn tracked(root: &Path) -> BTreeSet<RelPath> {
    let listed = git(root, "HEAD", &["ls-files", "-z", "--", "."]).unwrap_or_default();
    listed.split(|&byte| byte == 0).filter(|path| !path.is_empty()).map(RelPath::new).collect()
}

/// The files of the repository around `root` that differ from those of commit `reference`, those that git does not know yet,
/// and those that it was told not to look at, as seen from `root`. A repository within counts as one file, by its directory.
///
/// # Errors
///
/// If there is no git, no repository or no such commit.
pub fn changed_since(root: &Path, reference: &str) -> Result<BTreeSet<RelPath>, GitError> {
    // The name of a commit, so that nothing that begins with a dash is taken for an option.
    let commit = format!("{reference}^{{commit}}");
    let commit = git(root, reference, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let changed = git(
        root,
        reference,
        &[
            "diff",
            "--no-ext-diff",
            "--no-renames",
            "--no-relative",
            "--ignore-submodules=none",
            "--name-only",
            "-z",
            &commit,
        ],
    )?;
    // By the rules of `files.rs`: what the user alone leaves out is looked at.
    let everywhere =
        ["ls-files", "--others", "--exclude-per-directory=.gitignore", "--full-name", "-z", "--", ":/"];
    let unknown = git(root, reference, &everywhere)?;
    let unwatched = git(root, reference, &["ls-files", "-v", "--cached", "--full-name", "-z", "--", ":/"])?;
    let top = git(root, reference, &["rev-parse", "--show-toplevel"])?;
    let top = os_path(top.strip_suffix(b"\n").unwrap_or(&top)).into_owned();
    let unwatched: Vec<_> =
        unwatched.split(|&byte| byte == 0).filter_map(|line| self::unwatched(line, &top)).collect();
    let prefix = git(root, reference, &["rev-parse", "--show-prefix"])?;
    let prefix = prefix.strip_suffix(b"\n").unwrap_or(&prefix);
    let listed = [&*changed, &*unknown].into_iter().flat_map(|list| list.split(|&byte| byte == 0));
    let paths = listed.chain(unwatched);
    Ok(paths.filter(|path| !path.is_empty()).map(|path| seen_from(prefix, path)).collect())
}

/// The file that `line` of `git ls-files -v` is about, if git was told not to look at it: what is in it may be anything. Of one
/// that a sparse checkout leaves out, there is nothing to look at.
fn unwatched<'a>(line: &'a [u8], top: &Path) -> Option<&'a [u8]> {
    let (tag, path) = line.split_first_chunk::<2>()?;
    match tag {
        b"S " | b"s " => top.join(os_path(path)).symlink_metadata().is_ok().then_some(path),
        [tag, b' '] if tag.is_ascii_lowercase() => Some(path),
        _ => None,
    }
}

/// `path`, from the top of the repository, as it is called in the directory `prefix`, which ends with `/`.
fn seen_from(prefix: &[u8], path: &[u8]) -> RelPath {
    let both = prefix.iter().zip(path).take_while(|(own, other)| own == other).count();
    let common = prefix[..both].iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let up = prefix[common..].iter().filter(|&&byte| byte == b'/').count();
    // That of a repository within ends with a slash.
    let rest = path[common..].strip_suffix(b"/").unwrap_or(&path[common..]);
    RelPath::new([b"../".repeat(up).as_slice(), rest].concat())
}

/// What the three sides of an unsettled merge have at `path`, relative to `root`: base, ours and theirs. A side
/// without the file has nothing. `None` if git knows of no conflict there.
pub fn merge_sides(root: &Path, path: &Path) -> Option<[Vec<u8>; 3]> {
    let path = path.to_str()?;
    let stages = git(root, "", &["ls-files", "--unmerged", "-z", "--", path]).ok()?;
    if stages.is_empty() {
        return None;
    }
    let stage = |number: u8| git(root, "", &["show", &format!(":{number}:./{path}")]).unwrap_or_default();
    Some([stage(1), stage(2), stage(3)])
}

/// The manifests that git has in the repository around `root`, and not below it. None where there is no git, no repository,
/// or nothing of it beyond `root`.
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
    paths.map(|path| seen_from(prefix, path)).filter(RelPath::is_outside).collect()
}

/// The time of the commit that is checked out around `root`, in seconds since 1970; `None` where there is no git or no commit.
pub fn commit_time(root: &Path) -> Option<i64> {
    let time = git(root, "", &["show", "--no-patch", "--no-show-signature", "--format=%ct", "HEAD"]).ok()?;
    String::from_utf8_lossy(&time).trim().parse().ok()
}

/// Whether git is told to leave out what is at `path`, relative to `root`. Not so where there is no git or no repository.
pub fn is_ignored(root: &Path, path: &str) -> bool {
    git(root, "", &["check-ignore", "--quiet", "--", path]).is_ok()
}

fn git(root: &Path, reference: &str, args: &[&str]) -> Result<Vec<u8>, GitError> {
    // A file system monitor is a program of the checkout's choosing, and nothing is to be written, not even the index.
    let output = Command::new("git")
        .args(["-c", "core.fsmonitor=false"])
        // Nor does git take a file for unchanged that the system tells apart.
        .args(["-c", "core.checkStat=default", "-c", "core.trustctime=true", "-c", "core.ignoreStat=false"])
        .args(args)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .current_dir(root)
        .output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = match said.trim() {
        "" => "there is no such commit",
        said => said.strip_prefix("fatal: ").unwrap_or(said),
    };
    Err(GitError::Refused { reference: reference.to_owned(), message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_the_workspace() {
        let check = |prefix: &str, path: &str, expected: &str| {
            assert_eq!(seen_from(prefix.as_bytes(), path.as_bytes()), RelPath::new(expected), "{path}");
        };
        check("", "a/b.rs", "a/b.rs");
        check("s/ws/", "s/ws/a.rs", "a.rs");
        check("s/ws/", "s/c/x.rs", "../c/x.rs");
        check("s/ws/", "s/wsx/x.rs", "../wsx/x.rs");
        check("s/ws/", "top.rs", "../../top.rs");
        check("s/", "s/sub/", "sub");
    }
}
