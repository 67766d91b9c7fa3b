//! What a workspace is made of, as plain values. Knows nothing of cargo's JSON nor of the disk.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::path::RelPath;
use super::stamp::Stamp;

/// The files of the root that cargo itself reads: inputs of all its tools, also where they are ignored.
pub const ROOT_INPUTS: [&str; 6] = [
    ".cargo/config",
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "rust-toolchain",
    "rust-toolchain.toml",
];

/// An index into [`Workspace::files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// An index into [`Workspace::packages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackageId(pub u32);

/// A workspace: its members and its files.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The absolute path of the root. Reaches no id and no artifact.
    pub root: PathBuf,
    /// The absolute path of cargo's target directory. Reaches no id and no artifact.
    pub target_dir: PathBuf,
    /// The absolute path of where cargo puts what only it needs: the target directory, unless it was told another.
    /// Reaches no id and no artifact.
    pub build_dir: PathBuf,
    /// The members, sorted by directory, then name.
    pub packages: Vec<Package>,
    /// Every file that counts, sorted by path.
    pub files: Vec<File>,
    /// The innermost member whose directory holds the file, one entry a file.
    pub owners: Vec<Option<PackageId>>,
    /// Path dependencies that are not members, sorted by name.
    pub outside: Vec<OutsidePackage>,
    /// The names of the tables in `[workspace.metadata]`, and in `[package.metadata]` of the members: what other tools
    /// keep in manifests.
    pub metadata: BTreeSet<String>,
    /// The names of the packages that the members' build scripts depend on.
    pub build_dependencies: BTreeSet<String>,
    /// The links with something behind them that their digests don't cover, sorted. Reaches no id and no artifact.
    pub beyond: Vec<(FileId, Beyond)>,
    /// How the system saw the files. Reaches no id and no artifact.
    pub seen: Seen,
}

/// How the system saw the files of a workspace: to tell later whether they are still the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// When the first of them was looked at, in nanoseconds since 1970.
    pub at: i64,
    /// One entry a file, as it was before it was read; none for a workspace that lies on no disk.
    pub stamps: Vec<Stamp>,
    /// Whether all of them were known, and none is gone: nothing was read.
    pub as_known: bool,
    /// What lies in the workspace and counts as no file, beside what git ignores and cargo builds; sorted by path.
    pub left_out: Vec<LeftOut>,
}

/// Something in the workspace that nothing looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Where it lies.
    pub path: RelPath,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why something in the workspace counts as no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyLeftOut {
    /// A directory that says with an untracked `CACHEDIR.TAG` that all in it can be made again.
    CacheDir,
    /// It is ignored, and whether git tracks something there all the same can't be told: its index can't be read.
    Untold,
    /// A pipe, a socket or a device.
    Special,
}

impl Workspace {
    /// The file with this id.
    pub fn file(&self, id: FileId) -> &File {
        &self.files[id.0 as usize]
    }

    /// The package with this id.
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }

    /// Every file with its id, in order.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &File)> {
        (0..).map(FileId).zip(&self.files)
    }

    /// Every package with its id, in order.
    pub fn packages(&self) -> impl Iterator<Item = (PackageId, &Package)> {
        (0..).map(PackageId).zip(&self.packages)
    }

    /// The file at `path`, if it counts.
    pub fn find(&self, path: &RelPath) -> Option<FileId> {
        self.files.binary_search_by(|file| file.path.cmp(path)).ok().map(|at| FileId(at as u32))
    }

    /// The target whose test program cargo-nextest calls `name`, if there is exactly one.
    pub fn test_target(&self, name: &str) -> Option<&Target> {
        let fitting = |package: &'_ Package| name.split("::").next() == Some(&*package.name);
        let targets = self.packages.iter().filter(|package| fitting(package)).flat_map(|package| {
            package.targets.iter().filter(move |target| package.test_name(target) == name)
        });
        let mut targets = targets.filter(|target| target.test);
        targets.next().filter(|_| targets.next().is_none())
    }

    /// The members that `package` depends on, directly or not; itself only if it is part of a circle.
    pub fn dependencies_of(&self, package: PackageId) -> BTreeSet<PackageId> {
        let mut found = BTreeSet::new();
        let mut queue = self.package(package).dependencies.clone();
        while let Some(id) = queue.pop() {
            if found.insert(id) {
                queue.extend(&self.package(id).dependencies);
            }
        }
        found
    }

    /// The innermost member whose directory holds `path`, whether or not there is a file.
    pub fn owner_of(&self, path: &RelPath) -> Option<PackageId> {
        let root = (!path.is_outside()).then_some(&b""[..]);
        let path = path.as_bytes();
        let ends = (0..path.len()).rev().filter(|&at| path[at] == b'/');
        let dirs = std::iter::once(path).chain(ends.map(|end| &path[..end])).chain(root);
        // From the path outwards; packages are sorted by directory.
        dirs.into_iter().find_map(|dir| {
            let after = self.packages.partition_point(|package| package.dir.as_bytes() <= dir);
            let at = after.checked_sub(1).filter(|&at| self.packages[at].dir.as_bytes() == dir)?;
            Some(PackageId(at as u32))
        })
    }
}

/// A member of the workspace.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What cargo tells the package's programs of it: the variables `CARGO_PKG_…`, sorted.
    pub vars: Vec<(&'static str, String)>,
    /// Cargo's id of it, as in cargo's JSON messages. Holds absolute paths: reaches no id and no artifact.
    pub cargo_id: String,
    /// Its directory.
    pub dir: RelPath,
    /// Its features, sorted: those that optional dependencies make, too.
    pub features: Vec<String>,
    /// Its targets, sorted by root, then name.
    pub targets: Vec<Target>,
    /// The members that it depends on in any way, sorted.
    pub dependencies: Vec<PackageId>,
    /// The path dependencies outside the workspace that it needs, directly or not: indices into
    /// [`Workspace::outside`], sorted.
    pub outside: Vec<u32>,
}

impl Package {
    /// What cargo-nextest calls the test program of `target`.
    pub fn test_name(&self, target: &Target) -> String {
        match target.kind {
            TargetKind::Lib => self.name.clone(),
            TargetKind::Test => format!("{}::{}", self.name, target.name),
            kind => format!("{}::{}/{}", self.name, kind.as_str(), target.name),
        }
    }
}

/// A cargo target.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TargetKind,
    /// Its root source file.
    pub root: RelPath,
    /// Its edition, as in the manifest: `2024`.
    pub edition: String,
    /// Whether `cargo test` runs it as a test.
    pub test: bool,
    /// Whether `cargo doc` documents it.
    pub doc: bool,
    /// Whether `cargo test` runs the examples in its documentation.
    pub doctest: bool,
    /// Whether it is built only with features that may be off.
    pub needs_features: bool,
}

/// What a target is. The order is the one in which a shared file is counted to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// A library of any kind, proc macros too.
    Lib,
    /// A binary.
    Bin,
    /// An example.
    Example,
    /// An integration test.
    Test,
    /// A benchmark.
    Bench,
    /// `build.rs`.
    BuildScript,
}

impl TargetKind {
    /// In cargo's words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lib => "lib",
            Self::Bin => "bin",
            Self::Example => "example",
            Self::Test => "test",
            Self::Bench => "bench",
            Self::BuildScript => "custom-build",
        }
    }
}

/// A file of the workspace.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it lies.
    pub path: RelPath,
    /// The digest of its content; for a symbolic link, of its text and of the content of the file it leads to, if that is in
    /// the repository.
    pub digest: Digest,
    /// Its size in bytes; for a symbolic link, of its text.
    pub len: u64,
    /// Whether it is a symbolic link.
    pub is_link: bool,
    /// Whether it is listed because a symbolic link leads to its directory.
    pub is_behind_link: bool,
}

impl File {
    /// Whether a tool that looks at files is given this one. Links and what is behind them count as inputs, but are no
    /// units: the file they lead to is one, or lies outside.
    pub fn is_unit(&self) -> bool {
        !self.is_link && !self.is_behind_link
    }
}

/// Why the digest of a link does not cover what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// It lies outside of the repository: its content is part of cache keys, and not of ids, which are the same on every
    /// machine.
    Outside,
    /// It is a directory with too many files: nothing that depends on it is cached.
    TooMany,
}

/// A package outside the workspace that a member depends on by path.
#[derive(Clone, Debug)]
pub struct OutsidePackage {
    /// Its name.
    pub name: String,
    /// The digest over its files: paths below its directory, and contents.
    pub digest: Digest,
    /// Its links with something behind them that the digest does not cover, as absolute paths. Reaches no id and no
    /// artifact.
    pub beyond: Vec<(PathBuf, Beyond)>,
}
