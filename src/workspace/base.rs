//! The base: the commit with which a run is compared. Reads what differs from git, and lays it over the workspace.
//!
//! Nothing is checked out, and no file of the user is touched. If a manifest or the root file of a target differs, cargo is asked
//! about a skeleton in a temporary directory: the manifests of the base, and empty files in place of the roots of its
//! targets.
#![expect(
    clippy::disallowed_methods,
    reason = "part of the shell: asks git, writes to a temporary directory"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::git::{Blob, Differing, GitError, branch_point, differing, git, prefix, relative_to};
use super::{WorkspaceRequest, content, load, owners};
use crate::model::halt::Halt;
use crate::model::path::RelPath;
use crate::model::stamp::FileTable;
use crate::model::workspace::{File, Workspace};

/// The commit with which a run is compared.
#[derive(Clone, Debug)]
pub struct Base {
    /// Name of the commit.
    pub commit: String,
    /// Files that differ from it, and files that git does not track, relative to the root of the workspace. A nested repository
    /// counts as one file.
    pub files: BTreeMap<RelPath, BaseFile>,
    /// Files that git tracks, by the index.
    tracked: BTreeSet<RelPath>,
    /// Number of directories between the top of the repository and the root of the workspace.
    depth: usize,
}

/// A differing file as it is in the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseFile {
    /// There is no such file.
    Absent,
    /// A regular file.
    Regular {
        /// Its content.
        content: Vec<u8>,
        /// True if its owner may execute it.
        is_executable: bool,
    },
    /// A symbolic link, a submodule, or a file that git was told not to check.
    Other,
}

impl Base {
    /// Compares the repository around `root` with the commit where HEAD left `reference`.
    ///
    /// # Errors
    ///
    /// If there is no git, no repository, no such commit or no merge base.
    pub fn find(root: &Path, reference: &str) -> Result<Self, GitError> {
        let commit = branch_point(root, reference)?;
        let differing = differing(root, reference, &commit)?;
        let blobs = differing.values().filter_map(|file| match file {
            Differing::From(Some(blob)) if is_regular(blob) => Some(blob.id.as_str()),
            _ => None,
        });
        let contents = contents(root, &blobs.collect())?;
        let file = |file: Differing| match file {
            Differing::From(Some(blob)) if is_regular(&blob) => match contents.get(&blob.id) {
                Some(content) => {
                    BaseFile::Regular { content: content.clone(), is_executable: blob.mode == "100755" }
                }
                None => BaseFile::Other,
            },
            Differing::From(None) | Differing::Untracked => BaseFile::Absent,
            Differing::From(Some(_)) | Differing::Unchecked => BaseFile::Other,
        };
        let files = differing.into_iter().map(|(path, differing)| (path, file(differing))).collect();
        let prefix = prefix(root, reference)?;
        let listed = git(root, reference, &["ls-files", "--cached", "--full-name", "-z", "--", ":/"])?;
        let paths = listed.split(|&byte| byte == 0).filter(|path| !path.is_empty());
        let tracked = paths.map(|path| relative_to(&prefix, path)).collect();
        let depth = prefix.iter().filter(|byte| **byte == b'/').count();
        Ok(Self { commit, files, tracked, depth })
    }

    /// Returns the files of `workspace`, and the other files of its repository, that differ from the base or that git does not
    /// have. A link counts if what it leads to differs.
    pub fn differing(&self, workspace: &Workspace) -> BTreeSet<RelPath> {
        let Workspace { root, files, beyond, .. } = workspace;
        // Git lists build output if only the global excludes of the user ignore it.
        let built = workspace.built_dirs();
        let listed = self.files.keys().filter(|path| !built.iter().any(|dir| path.is_within(dir)));
        let mut found: BTreeSet<_> = listed.cloned().collect();
        let real_root = crate::disk::real(root);
        for file in files {
            let differs = match file.is_link || file.is_behind_link {
                true => match file.path.to_path(root).canonicalize() {
                    Ok(real) => {
                        RelPath::between(&real_root, &real).is_none_or(|real| self.differs_within(&real))
                    }
                    // A broken link is tracked by its text.
                    Err(_) => self.differs(&file.path),
                },
                false => self.differs(&file.path),
            };
            if differs {
                found.insert(file.path.clone());
            }
        }
        found.extend(beyond.iter().map(|(link, _)| workspace.file(*link).path.clone()));
        found
    }

    /// Returns true if the file at `path` differs from the base, or git does not have it. Files outside of the repository count
    /// as equal: they belong to the machine.
    pub fn differs(&self, path: &RelPath) -> bool {
        if self.files.contains_key(path) {
            return true;
        }
        // A link or a submodule is tracked as one file.
        let mut around = std::iter::successors(Some(path.clone()), RelPath::parent);
        !self.tracked.contains(path)
            && !self.is_outside(path)
            && around.all(|path| !self.tracked.contains(&path) || self.files.contains_key(&path))
    }

    /// Returns true if the file at `path`, or any in the directory at `path`, differs.
    pub fn differs_within(&self, path: &RelPath) -> bool {
        self.files.keys().any(|file| file.is_within(path))
            || self.is_outside(path)
            || !self.tracked.iter().any(|file| file.is_within(path)) && self.differs(path)
    }

    fn is_outside(&self, path: &RelPath) -> bool {
        path.as_bytes().split(|byte| *byte == b'/').take_while(|part| *part == b"..").count() > self.depth
    }

    /// Returns the content of the file at `path` in the base: `Some(None)` if there is no such file, and `None` if it is the
    /// same as here.
    pub fn content(&self, path: &RelPath) -> Option<Option<&[u8]>> {
        match self.files.get(path)? {
            BaseFile::Regular { content, .. } => Some(Some(content)),
            BaseFile::Absent | BaseFile::Other => Some(None),
        }
    }

    /// Returns the workspace of the base: `workspace` with the differing files of the base laid over it. `request` has the cargo to
    /// ask if it has other packages.
    ///
    /// # Errors
    ///
    /// If the base can't be known completely, or cargo rejects its manifests.
    pub fn workspace(
        &self,
        workspace: &Workspace,
        request: &WorkspaceRequest,
        halt: &dyn Halt,
    ) -> Result<Workspace, String> {
        if let Some((path, _)) = self.files.iter().find(|(_, file)| **file == BaseFile::Other) {
            return Err(format!("`{path}` is a link, a submodule, or a file that git does not check"));
        }
        let mut base = workspace.clone();
        base.files.retain(|file| !self.files.contains_key(&file.path));
        let starts: Vec<_> = workspace.packages.iter().map(|package| &package.dir).collect();
        let is_of_workspace =
            |path: &RelPath| !path.is_outside() || starts.iter().any(|start| path.is_within(start));
        for (path, file) in self.files.iter().filter(|(path, _)| is_of_workspace(path)) {
            if let BaseFile::Regular { content, is_executable } = file {
                base.files.push(File {
                    path: path.clone(),
                    digest: content::digest_of(content, *is_executable),
                    len: content.len() as u64,
                    is_link: false,
                    is_behind_link: false,
                });
            }
        }
        base.files.sort_by(|a, b| a.path.cmp(&b.path));
        if self.has_other_packages(workspace) {
            if !workspace.outside.is_empty() {
                return Err(
                    "a manifest differs, and there are path dependencies outside of the workspace".to_owned()
                );
            }
            let asked = self.ask(&base, request, halt)?;
            base.packages = asked.packages;
            base.others = asked.others;
            base.metadata = asked.metadata;
            base.build_dependencies = asked.build_dependencies;
        }
        base.owners = owners(&base);
        Ok(base)
    }

    /// Returns true if a manifest differs, or a file appears or disappears that may be the root of a target.
    fn has_other_packages(&self, workspace: &Workspace) -> bool {
        let is_named = |path: &RelPath| {
            workspace.packages().any(|(_, package)| package.targets.iter().any(|target| target.root == *path))
        };
        self.files.iter().any(|(path, file)| {
            let is_here = workspace.find(path).is_some();
            let is_other = is_here != matches!(file, BaseFile::Regular { .. });
            path.file_name() == b"Cargo.toml" || is_other && (may_be_discovered(path) || is_named(path))
        })
    }

    /// Asks cargo about the packages of the base.
    fn ask(
        &self,
        base: &Workspace,
        request: &WorkspaceRequest,
        halt: &dyn Halt,
    ) -> Result<Workspace, String> {
        let failed =
            |error: io::Error| format!("could not write its manifests to a temporary directory: {error}");
        let dir = tempfile::tempdir().map_err(failed)?;
        // Members may be outside of the root.
        let mut root = dir.path().canonicalize().map_err(failed)?;
        (0..self.depth).for_each(|at| root.push(format!("above-{at}")));
        root.push("root");
        std::fs::create_dir_all(&root).map_err(failed)?;
        let mut manifests = Vec::new();
        for file in base.files.iter().filter(|file| is_manifest(&file.path)) {
            let content = match self.content(&file.path).flatten() {
                Some(content) => content.to_vec(),
                None => crate::disk::read(&file.path.to_path(&base.root)).map_err(failed)?,
            };
            write(&file.path.to_path(&root), &content).map_err(failed)?;
            manifests.push(content);
        }
        let named: BTreeSet<_> = manifests.iter().flat_map(|content| named_sources(content)).collect();
        for path in base.files.iter().map(|file| &file.path) {
            if may_be_discovered(path) || named.contains(path.file_name()) {
                write(&path.to_path(&root), b"").map_err(failed)?;
            }
        }
        let manifest = root.join("Cargo.toml");
        let request = WorkspaceRequest { manifest_path: Some(manifest), ..request.clone() };
        let others = |_: &Path| base.others.iter().map(|other| other.root.clone()).collect();
        let workspace = load(&request, others, |_, _| FileTable::default(), halt)
            .map_err(|error| error.to_string().replace(&root.display().to_string(), "."))?;
        if workspace.root != root {
            return Err("its manifests belong to another workspace".to_owned());
        }
        Ok(workspace)
    }
}

/// Returns whether cargo may discover the file at `path` as the root of a target, in whatever directory its package is.
fn may_be_discovered(path: &RelPath) -> bool {
    let dir = RelPath::new(path.dir());
    let is_in_directory_of_targets = matches!(dir.file_name(), b"bin" | b"tests" | b"examples" | b"benches")
        && path.file_name().ends_with(b".rs");
    is_in_directory_of_targets || matches!(path.file_name(), b"lib.rs" | b"main.rs" | b"build.rs")
}

fn is_manifest(path: &RelPath) -> bool {
    path.file_name() == b"Cargo.toml" || *path == RelPath::new("Cargo.lock")
}

/// Returns the names of the source files that a manifest with this `content` may name as roots of targets.
fn named_sources(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let strings = content.split(|byte| matches!(byte, b'"' | b'\'' | b'\n'));
    let names = strings.filter_map(|text| text.rsplit(|byte| matches!(byte, b'/' | b'\\')).next());
    names.filter(|name| name.ends_with(b".rs"))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, content)
}

fn is_regular(blob: &Blob) -> bool {
    matches!(&*blob.mode, "100644" | "100755")
}

/// Returns the contents of the blobs `ids`, with one call of git.
fn contents(root: &Path, ids: &BTreeSet<&str>) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut child = Command::new("git")
        .args(["cat-file", "--batch"])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let names: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let mut output = Vec::new();
    std::thread::scope(|scope| {
        // Git writes while it reads, so neither may wait for the other. If it ends early, contents are missing below.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(names.as_bytes())));
        stdout.map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut output))
    })?;
    child.wait()?;
    Ok(parse_batch(&output))
}

/// Parses the output of `git cat-file --batch`: `ID blob SIZE`, the content, and a newline for each object. Objects that are
/// missing, as in a partial clone without network, are left out.
fn parse_batch(mut output: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    while let Some(end) = output.iter().position(|byte| *byte == b'\n') {
        let head = String::from_utf8_lossy(&output[..end]).into_owned();
        output = &output[end + 1..];
        let mut words = head.split(' ');
        let (id, kind, size) = (words.next(), words.next(), words.next());
        let (Some(id), Some("blob"), Some(Ok(size))) = (id, kind, size.map(str::parse::<usize>)) else {
            continue;
        };
        let Some(content) = output.get(..size) else { break };
        contents.insert(id.to_owned(), content.to_vec());
        output = output.get(size + 1..).unwrap_or_default();
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_at_the_usual_places_are_discovered_as_targets() {
        for path in
            ["src/lib.rs", "a/src/main.rs", "src/bin/b.rs", "a/tests/t.rs", "benches/b/main.rs", "a/build.rs"]
        {
            assert!(may_be_discovered(&RelPath::new(path)), "{path}");
        }
        for path in ["src/a.rs", "tests/common/mod.rs", "examples/data.txt", "a/lib.txt"] {
            assert!(!may_be_discovered(&RelPath::new(path)), "{path}");
        }
    }

    #[test]
    fn sources_that_a_manifest_names_are_found() {
        let manifest = b"[lib]\npath = \"lib/a.rs\"\n[[bin]]\npath = 'c.rs'\n[package]\nname = 'd'\n";
        assert_eq!(named_sources(manifest).collect::<Vec<_>>(), [&b"a.rs"[..], b"c.rs"]);
    }

    #[test]
    fn contents_are_read_from_one_call_of_git() {
        let parsed = parse_batch(b"aa blob 3\na\nb\nbb missing\ncc blob 0\n\ndd blob 99\ncut");
        let expected = [("aa", &b"a\nb"[..]), ("cc", b"")];
        assert_eq!(parsed, expected.map(|(id, content)| (id.to_owned(), content.to_vec())).into());
    }
}
