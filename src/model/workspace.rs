//! Workspaces as plain values: packages, targets and files. Does not know cargo's JSON or the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::path::RelPath;
use super::stamp::Stamp;

/// Files in the workspace root that cargo reads. They are inputs of all its tools, even if they are ignored.
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
    /// Absolute path of the root. Not part of any id or artifact.
    pub root: PathBuf,
    /// Absolute path of cargo's target directory. Not part of any id or artifact.
    pub target_dir: PathBuf,
    /// Absolute path of cargo's build directory for intermediate files, which is the target directory by
    /// default. Not part of any id or artifact.
    pub build_dir: PathBuf,
    /// Members, sorted by directory, then name. After them, those of the other workspaces of the repository that variants build, sorted
    /// in the same way.
    pub packages: Vec<Package>,
    /// The other workspaces that variants build, sorted by root.
    pub others: Vec<OtherWorkspace>,
    /// Files, sorted by path.
    pub files: Vec<File>,
    /// For each file, the package in the innermost directory around it.
    pub owners: Vec<Option<PackageId>>,
    /// Path dependencies that are not members, sorted by name.
    pub outside: Vec<OutsidePackage>,
    /// Names of the tables in `[workspace.metadata]`, and in the `[package.metadata]` of members, where other
    /// tools store their configuration.
    pub metadata: BTreeSet<String>,
    /// Names of the packages that build scripts of members depend on.
    pub build_dependencies: BTreeSet<String>,
    /// Links whose digests don't cover their targets, sorted. Not part of any id or artifact.
    pub beyond: Vec<(FileId, Beyond)>,
    /// Metadata of the files. Not part of any id or artifact.
    pub seen: Seen,
}

/// Another workspace of the repository, which a variant builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherWorkspace {
    /// Its root, as the configuration names it.
    pub root: RelPath,
    /// Reason why a variant can't build it, if there is one.
    pub problem: Option<WorkspaceProblem>,
}

impl OtherWorkspace {
    /// Returns true if its packages are known.
    pub fn is_loaded(&self) -> bool {
        matches!(self.problem, None | Some(WorkspaceProblem::OtherToolchain))
    }
}

/// Reason why another workspace can't be built by a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkspaceProblem {
    /// There is no such directory.
    NoDirectory,
    /// The directory is a symbolic link, or behind one.
    Link,
    /// The directory has no `Cargo.toml`.
    NoManifest,
    /// The directory belongs to the workspace with this root, which is not the directory itself.
    PartOf(RelPath),
    /// The directory belongs to a workspace that is not below the root.
    PartOfOutside,
    /// It has no packages.
    Empty,
    /// Rustup would read another toolchain file there. Only a variant with a `toolchain` can build it.
    OtherToolchain,
    /// Cargo rejects it, with this message.
    Cargo(String),
}

/// Metadata of the files in a workspace, used to detect later changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Time when the first file was examined, in nanoseconds since 1970.
    pub at: i64,
    /// One stamp per file, taken before it was read. Empty for a workspace that is not on disk.
    pub stamps: Vec<Stamp>,
    /// True if all files were unchanged and none was removed, so nothing was read.
    pub as_known: bool,
    /// Entries of the workspace that are not listed as files, except those that git ignores or cargo builds;
    /// sorted by path.
    pub left_out: Vec<LeftOut>,
}

/// An entry of the workspace that is not listed as a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Path of the entry.
    pub path: RelPath,
    /// Reason why it is not listed.
    pub why: WhyLeftOut,
}

/// Reason why an entry of the workspace is not listed as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyLeftOut {
    /// A cache directory, marked by an untracked `CACHEDIR.TAG`.
    CacheDir,
    /// An ignored entry that git may still track, which can't be determined because its index can't be read.
    Untold,
    /// A pipe, a socket or a device.
    Special,
}

impl Workspace {
    /// Returns the directories of build output, except for one that is the root itself.
    pub fn built_dirs(&self) -> Vec<RelPath> {
        let dirs = [&self.target_dir, &self.build_dir].into_iter();
        let dirs = dirs.filter_map(|dir| RelPath::between(&self.root, dir));
        dirs.filter(|dir| !dir.is_root()).collect()
    }

    /// Returns the file with this id.
    pub fn file(&self, id: FileId) -> &File {
        &self.files[id.0 as usize]
    }

    /// Returns the package with this id.
    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }

    /// Iterates over the packages of the workspace with this root, or over the members without one, with their ids.
    pub fn packages_in(&self, other: Option<&RelPath>) -> impl Iterator<Item = (PackageId, &Package)> {
        self.packages().filter(move |(_, package)| package.workspace.as_ref() == other)
    }

    /// Returns the number of members. They come first among the packages.
    pub fn member_count(&self) -> usize {
        self.packages.partition_point(|package| package.workspace.is_none())
    }

    /// Returns the files that configure cargo for the whole workspace with this root, or for that of the run without one.
    pub fn root_inputs(&self, other: Option<&RelPath>) -> Vec<FileId> {
        // Cargo joins its configuration with that of the directories above, and packages may inherit from the manifest of the
        // root. The lock file of the root has no effect.
        let own = ROOT_INPUTS.iter().filter(|name| other.is_none() || **name != "Cargo.lock");
        let own = own.map(RelPath::new);
        let others = other.iter().flat_map(|root| ROOT_INPUTS.map(|name| root.join(name)));
        own.chain(others).filter_map(|path| self.find(&path)).collect()
    }

    /// Iterates over the files with their ids, in order.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &File)> {
        (0..).map(FileId).zip(&self.files)
    }

    /// Iterates over the packages with their ids, in order.
    pub fn packages(&self) -> impl Iterator<Item = (PackageId, &Package)> {
        (0..).map(PackageId).zip(&self.packages)
    }

    /// Returns the file at `path`, if it is listed.
    pub fn find(&self, path: &RelPath) -> Option<FileId> {
        self.files.binary_search_by(|file| file.path.cmp(path)).ok().map(|at| FileId(at as u32))
    }

    /// Returns the target whose test binary cargo-nextest calls `name`, if there is exactly one.
    pub fn test_target(&self, name: &str) -> Option<&Target> {
        let fitting = |package: &'_ Package| name.split("::").next() == Some(&*package.name);
        let targets = self.packages.iter().filter(|package| fitting(package)).flat_map(|package| {
            package.targets.iter().filter(move |target| package.test_name(target) == name)
        });
        let mut targets = targets.filter(|target| target.test);
        targets.next().filter(|_| targets.next().is_none())
    }

    /// Returns the package of the test `subject`, as in `alpha::it name`, or `alpha/src/lib.rs - item` for a doc test.
    pub fn owner_of_test(&self, subject: &str) -> Option<PackageId> {
        let name = subject.split(' ').next()?;
        let owner = name.split("::").next();
        let is_its = |package: &Package| {
            Some(&*package.name) == owner
                && package.targets.iter().any(|target| package.test_name(target) == name)
        };
        let found = self.packages().find(|(_, package)| is_its(package)).map(|(id, _)| id);
        let file = || self.find(&RelPath::new(name)).and_then(|file| self.owners[file.0 as usize]);
        found.or_else(file)
    }

    /// Returns the members that `package` depends on, directly or not. Contains the package itself only if it
    /// is part of a cycle.
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

    /// Returns the innermost member whose directory contains `path`, even if no such file exists.
    pub fn owner_of(&self, path: &RelPath) -> Option<PackageId> {
        let root = (!path.is_outside()).then_some(&b""[..]);
        let path = path.as_bytes();
        let ends = (0..path.len()).rev().filter(|&at| path[at] == b'/');
        let dirs = std::iter::once(path).chain(ends.map(|end| &path[..end])).chain(root);
        let (members, others) = self.packages.split_at(self.member_count());
        // Both are sorted by directory.
        let at = |packages: &[Package], dir: &[u8]| {
            let after = packages.partition_point(|package| package.dir.as_bytes() <= dir);
            after.checked_sub(1).filter(|&at| packages[at].dir.as_bytes() == dir)
        };
        let in_others = |dir| Some(members.len() + at(others, dir)?);
        let is_other = |dir| self.others.iter().any(|other| other.root.as_bytes() == dir);
        // From the path outwards. Files of another workspace that are in none of its packages have no owner.
        let found = dirs.into_iter().find_map(|dir| {
            let found = at(members, dir).or_else(|| in_others(dir));
            (found.is_some() || is_other(dir)).then_some(found)
        });
        found.flatten().map(|at| PackageId(at as u32))
    }
}

/// A member of the workspace, or of another one that a variant builds.
#[derive(Clone, Debug)]
pub struct Package {
    /// Name. For a package of another workspace, it begins with the root of that and `/`, so that no two packages have the same.
    pub name: String,
    /// Root of its workspace, if that is not the one of the run.
    pub workspace: Option<RelPath>,
    /// Version.
    pub version: String,
    /// The `CARGO_PKG_…` variables that cargo sets for programs of the package, sorted.
    pub vars: Vec<(&'static str, String)>,
    /// Id in cargo's JSON messages. Contains absolute paths, so it is not part of any id or artifact.
    pub cargo_id: String,
    /// Directory.
    pub dir: RelPath,
    /// Features, including those that optional dependencies define, with what each enables.
    pub features: BTreeMap<String, Vec<String>>,
    /// Targets, sorted by root, then name.
    pub targets: Vec<Target>,
    /// Other packages of the workspace that it depends on in any way, sorted.
    pub dependencies: Vec<PackageId>,
    /// Path dependencies outside the workspace, direct or not: indices into [`Workspace::outside`], sorted.
    pub outside: Vec<u32>,
}

impl Package {
    /// Returns its name as cargo knows it.
    pub fn cargo_name(&self) -> &str {
        match &self.workspace {
            Some(_) => self.name.rsplit('/').next().unwrap_or(&self.name),
            None => &self.name,
        }
    }

    /// Returns the version of Rust that the manifest requires, such as `1.85`.
    pub fn rust_version(&self) -> Option<&str> {
        let version = self.vars.iter().find(|(name, _)| *name == "CARGO_PKG_RUST_VERSION");
        version.map(|(_, version)| version.as_str()).filter(|version| !version.is_empty())
    }

    /// Returns the name of the test binary of `target` in cargo-nextest.
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
    /// Name of the target.
    pub name: String,
    /// Kind of the target.
    pub kind: TargetKind,
    /// Root source file.
    pub root: RelPath,
    /// Edition as in the manifest, such as `2024`.
    pub edition: String,
    /// True if `cargo test` runs it as a test.
    pub test: bool,
    /// True if `cargo doc` documents it.
    pub doc: bool,
    /// True if `cargo test` runs its doc tests.
    pub doctest: bool,
    /// True if it has required features, which may be disabled.
    pub needs_features: bool,
}

/// Kind of a target. A file that several targets share belongs to the first of them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// A library of any kind, including procedural macros.
    Lib,
    /// A binary.
    Bin,
    /// An example.
    Example,
    /// An integration test.
    Test,
    /// A benchmark.
    Bench,
    /// A build script.
    BuildScript,
}

impl TargetKind {
    /// Returns the name that cargo uses.
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
    /// Path of the file.
    pub path: RelPath,
    /// Digest of the content. For a symbolic link, digest of its text and of the content of its target, if
    /// that is in the repository.
    pub digest: Digest,
    /// Size in bytes. For a symbolic link, size of its text.
    pub len: u64,
    /// True if it is a symbolic link.
    pub is_link: bool,
    /// True if it is listed because a symbolic link leads to its directory.
    pub is_behind_link: bool,
}

impl File {
    /// Returns true if tools that check files are run on this one. Links and files behind them are inputs but
    /// not units, because their targets are either listed themselves or outside.
    pub fn is_unit(&self) -> bool {
        !self.is_link && !self.is_behind_link
    }
}

/// Reason why the digest of a link does not cover its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The target is outside the repository. Its content is part of cache keys, but not of ids, which are the
    /// same on every machine.
    Outside,
    /// The target is a directory with too many files. Nothing that depends on it is cached.
    TooMany,
}

/// A package outside the workspace that a member depends on by path.
#[derive(Clone, Debug)]
pub struct OutsidePackage {
    /// Name of the package.
    pub name: String,
    /// Directory. Not part of any id.
    pub dir: RelPath,
    /// Digest of its files: paths below its directory, and contents.
    pub digest: Digest,
    /// Links whose targets the digest does not cover, as absolute paths. Not part of any id or artifact.
    pub beyond: Vec<(PathBuf, Beyond)>,
}
