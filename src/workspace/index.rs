//! Reads from git's index which files are tracked. A tracked file belongs to the repository whatever a
//! `.gitignore` says.
//!
//! The index is only read if a file was left out that git might track. It is parsed here because starting git
//! takes longer than a run without work. An index that can't be parsed (split, or of a newer version) is reported
//! as unknown.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::repository;
use crate::disk;
use crate::model::path::RelPath;

/// Files tracked in the repository around a directory, read on first use.
pub(super) struct Tracked {
    top: Option<PathBuf>,
    index: OnceLock<Option<Index>>,
}

impl Tracked {
    pub(super) fn of_repository_at(dir: &Path) -> Self {
        Self { top: repository::top_of(dir).map(Path::to_path_buf), index: OnceLock::new() }
    }

    /// Returns whether git tracks the file at the absolute path `place`.
    pub(super) fn has(&self, place: &Path) -> bool {
        let Some((index, path)) = self.index().zip(self.path(place)) else { return false };
        index.find(path.as_bytes()).is_ok()
    }

    /// Returns the tracked files at or below the absolute path `place`, relative to it, with an empty path for
    /// `place` itself. Returns `None` if the index can't be read.
    pub(super) fn below(&self, place: &Path) -> Option<Vec<&[u8]>> {
        if self.top.is_none() {
            return Some(Vec::new());
        }
        Some(self.index()?.below(self.path(place)?.as_bytes()))
    }

    fn index(&self) -> Option<&Index> {
        self.index.get_or_init(|| Index::read(self.top.as_ref()?)).as_ref()
    }

    fn path(&self, place: &Path) -> Option<RelPath> {
        RelPath::between(self.top.as_ref()?, place).filter(|path| !path.is_outside())
    }
}

/// Sorted paths of an index, stored in one buffer because there may be a hundred thousand of them.
#[derive(Default)]
struct Index {
    text: Vec<u8>,
    paths: Vec<Range<u32>>,
}

/// Lengths of SHA-1 and SHA-256 digests. The index does not say which one it uses.
const DIGESTS: [usize; 2] = [20, 32];

impl Index {
    fn read(top: &Path) -> Option<Self> {
        let git = top.join(".git");
        let dir = match disk::read(&git) {
            // This is a worktree of another repository, or a submodule.
            Ok(text) => {
                let text = text.strip_prefix(b"gitdir: ")?;
                let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
                top.join(crate::model::path::os_path(&text[..end]))
            }
            Err(_) => git,
        };
        let index = match disk::read(&dir.join("index")) {
            Ok(index) => index,
            // No file was added yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Self::default()),
            Err(_) => return None,
        };
        DIGESTS.iter().find_map(|digest| Self::parse(&index, *digest))
    }

    /// Parses an index, see <https://git-scm.com/docs/index-format>.
    fn parse(index: &[u8], digest: usize) -> Option<Self> {
        /// Length of the fields before the digest of an entry.
        const STAT: usize = 40;
        const EXTENDED: u16 = 0x4000;
        let rest = index.strip_prefix(b"DIRC")?;
        let (version, rest) = number(rest)?;
        let (count, mut rest) = number(rest)?;
        if !(2..=4).contains(&version) {
            return None;
        }
        let mut all = Self::default();
        for _ in 0..count {
            let start = rest.len();
            let flags = rest.get(STAT + digest..STAT + digest + 2)?;
            let flags = u16::from_be_bytes([flags[0], flags[1]]);
            let has_more = version >= 3 && flags & EXTENDED != 0;
            rest = rest.get(STAT + digest + if has_more { 4 } else { 2 }..)?;
            let mut shared = 0;
            if version == 4 {
                let (strip, tail) = varint(rest)?;
                shared = usize::checked_sub(all.paths.last().map_or(0, Range::len), strip)?;
                rest = tail;
            }
            let end = rest.iter().position(|byte| *byte == 0)?;
            all.push(shared, &rest[..end])?;
            rest = &rest[end..];
            // Entries are padded with at least one zero byte to a multiple of eight.
            let pad = if version == 4 { 1 } else { 8 - (start - rest.len()) % 8 };
            rest = rest.get(pad..)?;
        }
        Self::extensions(rest, digest)?;
        // During a conflict, each side has an entry.
        let text = &all.text;
        all.paths.dedup_by(|a, b| at(text, a) == at(text, b));
        all.paths.is_sorted_by(|a, b| at(text, a) < at(text, b)).then_some(all)
    }

    /// Adds a path that shares the first `shared` bytes with the previous one.
    fn push(&mut self, shared: usize, rest: &[u8]) -> Option<()> {
        let start = self.text.len();
        if shared > 0 {
            let last = self.paths.last()?.start as usize;
            self.text.extend_from_within(last..last + shared);
        }
        self.text.extend_from_slice(rest);
        self.paths.push(u32::try_from(start).ok()?..u32::try_from(self.text.len()).ok()?);
        Some(())
    }

    /// Skips the extensions. Fails for an unknown required one, marked by a lower-case letter, since it changes
    /// the meaning of entries.
    fn extensions(mut rest: &[u8], digest: usize) -> Option<()> {
        /// Extension for directories that are not checked out. Their entries end in `/` and match no file.
        const SPARSE: &[u8] = b"sdir";
        while rest.len() > digest {
            let (name, tail) = rest.split_at_checked(4)?;
            let (len, tail) = number(tail)?;
            if !name[0].is_ascii_uppercase() && name != SPARSE {
                return None;
            }
            rest = tail.get(len as usize..)?;
        }
        (rest.len() == digest).then_some(())
    }

    fn find(&self, path: &[u8]) -> Result<usize, usize> {
        self.paths.binary_search_by(|other| at(&self.text, other).cmp(path))
    }

    fn below(&self, path: &[u8]) -> Vec<&[u8]> {
        let itself = self.find(path).ok().map(|_| &b""[..]);
        let dir = [path, b"/"].concat();
        let (Ok(start) | Err(start)) = self.find(&dir);
        let from_there = self.paths[start..].iter().map(|path| at(&self.text, path));
        let below = from_there.map_while(|path| path.strip_prefix(dir.as_slice()));
        itself.into_iter().chain(below).collect()
    }
}

fn at<'a>(text: &'a [u8], path: &Range<u32>) -> &'a [u8] {
    &text[path.start as usize..path.end as usize]
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

/// Parses a variable-length number of git's pack format: seven bits per byte, highest first, with a unique
/// encoding.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 127))?;
        if byte & 128 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
        value = value.checked_add(1)?;
    }
    None
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests start git and write files")]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(dir: &Path, args: &[&str]) -> bool {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=n", "-c", "user.email=e"])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.current_dir(dir).output().unwrap().status.success()
    }

    /// Returns the files as listed by git.
    fn listed(dir: &Path) -> Vec<Vec<u8>> {
        let output = Command::new("git").args(["ls-files", "-z"]).current_dir(dir).output().unwrap();
        output.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect()
    }

    fn repository(init: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        assert!(git(dir.path(), &[&["init", "-q"], init].concat()));
        for name in
            ["a", "a.txt", "a/../b", "deep/er/file", "deep/er/file2", "größe", "x".repeat(200).as_str()]
        {
            let path = dir.path().join(name.replace("a/../", ""));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        assert!(git(dir.path(), &["add", "-A"]));
        dir
    }

    #[test]
    fn an_index_of_every_version_is_read_like_git_does() {
        for init in [&[][..], &["--object-format=sha256"]] {
            for version in ["2", "3", "4"] {
                let dir = repository(init);
                if version == "3" {
                    assert!(git(dir.path(), &["update-index", "--skip-worktree", "a.txt"]));
                } else {
                    assert!(git(dir.path(), &["update-index", "--index-version", version]));
                }
                let index = std::fs::read(dir.path().join(".git/index")).unwrap();
                assert_eq!(index[7], version.as_bytes()[0] - b'0');
                let read = Index::read(dir.path()).unwrap();
                let paths: Vec<_> = read.paths.iter().map(|path| at(&read.text, path).to_vec()).collect();
                assert_eq!(paths, listed(dir.path()), "{init:?} {version}");
                for len in 0..index.len() {
                    assert!(
                        DIGESTS.iter().all(|digest| Index::parse(&index[..len], *digest).is_none()),
                        "{len}"
                    );
                }
            }
        }
    }

    #[test]
    fn files_below_a_directory_are_found_without_names_that_share_a_prefix() {
        let dir = repository(&[]);
        let tracked = Tracked::of_repository_at(&dir.path().join("deep"));
        let below = |path: &str| {
            let found = tracked.below(&dir.path().join(path)).unwrap();
            found.into_iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(below("deep"), ["er/file", "er/file2"]);
        assert_eq!(below("deep/er/file"), [""]);
        assert_eq!(below("a"), [""]);
        assert_eq!(below("dee"), [] as [&str; 0]);
        assert!(tracked.has(&dir.path().join("größe")) && !tracked.has(&dir.path().join("deep")));
    }

    #[test]
    fn a_worktree_has_its_own_index_and_a_split_index_is_unknown() {
        let dir = repository(&[]);
        assert!(git(dir.path(), &["commit", "-qm", "all"]));
        assert!(git(dir.path(), &["worktree", "add", "-q", "tree", "HEAD"]));
        let tree = dir.path().join("tree");
        std::fs::write(tree.join("new"), "").unwrap();
        assert!(git(&tree, &["add", "new"]));
        assert!(Tracked::of_repository_at(&tree).has(&tree.join("new")));
        assert!(git(dir.path(), &["update-index", "--split-index"]));
        assert!(Tracked::of_repository_at(dir.path()).below(dir.path()).is_none());
        // Without a repository, nothing is tracked.
        let none = tempfile::tempdir().unwrap();
        assert_eq!(Tracked::of_repository_at(none.path()).below(none.path()), Some(Vec::new()));
    }
}
