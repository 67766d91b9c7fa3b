//! Loads a [`Workspace`] from disk: gets the members from cargo, and lists and hashes the files.
//!
//! Knows nothing about tools, tasks or configuration. Loading only reads. It starts no process except `cargo
//! metadata --no-deps`, which takes no lock, writes nothing and runs no code of the checkout.

mod base;
mod cargo;
mod content;
mod copy;
mod files;
mod generated;
mod git;
mod history;
mod index;
mod links;
mod open;
mod others;
mod outside;
mod repository;
mod seen;
mod sources;
mod walk;
mod worktree;

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::model::digest::Digest;
use crate::model::halt::{Halt, Halted, is_halt};
use crate::model::path::RelPath;
use crate::model::stamp::FileTable;
use crate::model::workspace::{PackageId, ROOT_INPUTS, Seen, Workspace};

pub use base::{Base, BaseFile};
pub use content::{now, permission_bits};
pub use copy::{CopiedKind, CopyChange, CopyError, CopyRequest, RepositoryCopy};
pub use generated::{Unreadable, generated, inputs_of};
pub use git::{
    GitError, changed_since, commit_time, is_ignored, is_merge, manifests_beyond, merge_sides, tracked,
};
pub use git::{Hooks, Uncommitted, head, hooks, origin, uncommitted};
pub use history::{CommitSummary, History, commit_of, first_parents, has_manifest, summary};
pub use links::{links_to_dirs, outside_digest};
pub use seen::{CurrentFile, changed_at, has_changed, look_at, stamp_of, still_as_seen};
pub use sources::read_sources;
pub use walk::{Ignores, everything_below};
pub use worktree::Worktree;

/// The workspace to load, in terms of cargo's flags.
#[derive(Clone, Debug)]
pub struct WorkspaceRequest {
    /// Path of the cargo to call.
    pub cargo: PathBuf,
    /// `--manifest-path`. Without it, the nearest manifest at or above `cwd` is used.
    pub manifest_path: Option<PathBuf>,
    /// The directory to start from, as an absolute path.
    pub cwd: PathBuf,
    /// `--locked`.
    pub locked: bool,
    /// `--offline`.
    pub offline: bool,
    /// `--frozen`.
    pub frozen: bool,
    /// Order in which files and packages are visited before they are sorted.
    pub listing: Listing,
    /// Files of which one makes a directory the root if there is no manifest in it or above. It then has no members, but may have
    /// other workspaces.
    pub configurations: &'static [&'static str],
}

/// Order in which directories return their entries and cargo its packages. No result may depend on it, and tests
/// change it to verify this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// The order of the system.
    #[default]
    AsFound,
    /// Reverse order.
    Reversed,
    /// Shuffled with this seed.
    Shuffled(u64),
}

impl Listing {
    /// Reorders `items`.
    fn apply<T>(self, items: &mut [T]) {
        match self {
            Self::AsFound => {}
            Self::Reversed => items.reverse(),
            Self::Shuffled(seed) => {
                for at in (1..items.len()).rev() {
                    let dice = [seed.to_le_bytes(), (at as u64).to_le_bytes()].concat();
                    items.swap(at, (Digest::of_bytes(&dice).low_u64() % (at as u64 + 1)) as usize);
                }
            }
        }
    }
}

impl std::fmt::Display for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AsFound => "as found",
            Self::Reversed => "reversed",
            Self::Shuffled(_) => "shuffled",
        })
    }
}

/// Error while loading a workspace.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no manifest at or above the directory.
    #[error(
        "could not find `Cargo.toml` in `{}` or any parent directory (run it in a Cargo workspace or pass \
         `--manifest-path`)", .0.display()
    )]
    NoManifest(PathBuf),
    /// `--manifest-path` does not exist.
    #[error("manifest path `{}` does not exist (expected the path of a `Cargo.toml`)", .0.display())]
    NoSuchManifest(PathBuf),
    /// Cargo could not be started, or its output could not be parsed.
    #[error("could not run `{} metadata`: {source}", .cargo.display())]
    Ask {
        /// The cargo that was called.
        cargo: PathBuf,
        /// The underlying error.
        source: cargo_metadata::Error,
    },
    /// Cargo rejected the workspace, with this message.
    #[error("{0}")]
    Cargo(String),
    /// A manifest could not be parsed.
    #[error("could not read `{}`: {message}", .path.display())]
    Manifest {
        /// Path of the manifest.
        path: PathBuf,
        /// Description of the error.
        message: String,
    },
    /// A file or directory could not be read.
    #[error("could not read `{}`: {source}", .path.display())]
    Unreadable {
        /// Path of the file or directory.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// No more threads can be started.
    #[error("could not read the workspace: {0}; raise the limit on processes (`ulimit -u`)")]
    Threads(io::Error),
    /// Loading was halted.
    #[error(transparent)]
    Halted(#[from] Halted),
    /// There is no relative path from the root to the path.
    #[error("`{}` is on a different drive than the workspace root `{}`", .path.display(), .root.display())]
    Elsewhere {
        /// Root of the workspace.
        root: PathBuf,
        /// The unreachable path.
        path: PathBuf,
    },
}

/// Checks the files that cargo and rustup read to find the workspace around `start`, and `manifest`. They would
/// block forever on special files.
///
/// # Errors
///
/// If one of these files is not a regular file.
pub fn refuse_special(start: &Path, manifest: Option<&Path>) -> Result<(), LoadError> {
    let around = start.ancestors().flat_map(|dir| ROOT_INPUTS.iter().map(|name| dir.join(name)));
    for path in around.chain(manifest.map(Path::to_path_buf)) {
        disk::refuse_special(&path).map_err(unreadable(&path))?;
    }
    Ok(())
}

/// Directories of a workspace.
#[derive(Clone, Debug)]
pub struct Directories {
    /// Its root.
    pub root: PathBuf,
    /// Its target directory, which contains the artifacts.
    pub target_dir: PathBuf,
}

/// Returns the directories of the requested workspace without reading its files.
///
/// # Errors
///
/// If there is no such workspace, or cargo rejects it.
pub fn directories(request: &WorkspaceRequest) -> Result<Directories, LoadError> {
    let cargo::Found { root, target_dir, .. } = cargo::find(request)?;
    Ok(Directories { root, target_dir })
}

/// Loads the requested workspace, and those in the directories that `others` returns, given the root. `known` returns the files that
/// were read before, given the root and the target directory. It is called before any file is hashed.
///
/// # Errors
///
/// If cargo rejects the workspace, a file can't be read, or `halt` is due.
pub fn load(
    request: &WorkspaceRequest,
    others: impl FnOnce(&Path) -> Vec<RelPath>,
    known: impl FnOnce(&Path, &Path) -> FileTable,
    halt: &dyn Halt,
) -> Result<Workspace, LoadError> {
    start_pool()?;
    let at = now();
    let cargo::Found { root, target_dir, build_dir, metadata } = &cargo::find(request)?;
    let others = others(root);
    let mut members = match metadata {
        Some(metadata) => cargo::members(metadata, root, request.listing)?,
        None if others.is_empty() => return Err(LoadError::NoManifest(request.cwd.clone())),
        None => Vec::new(),
    };
    if metadata.is_some() {
        outside::follow_patches(root, &mut members)?;
    }
    let (others, of_others) = others::load(request, root, others)?;
    members.extend(of_others);
    let own = metadata.iter().map(|_| root.clone());
    let roots: Vec<_> = own.chain(others::loaded(&others).map(|other| other.to_path(root))).collect();
    let outside = outside::discover(root, &roots, &members, request.listing)?;
    outside::link(&mut members, &outside);

    let known = known(root, target_dir);
    let build_dirs = [target_dir.as_path(), build_dir.as_path()];
    let outside = outside
        .iter()
        .map(|package| package.digest(root, &build_dirs, request.listing, halt))
        .collect::<Result<_, _>>()?;

    let packages: Vec<_> = members.into_iter().map(|member| member.package).collect();
    let mut starts = vec![RelPath::default()];
    for package in &packages {
        // The walk of the root does not visit packages outside of it, or behind a link.
        let is_met = !package.dir.is_outside() && !links::is_behind(root, &package.dir);
        if !is_met && !starts.iter().skip(1).any(|start| package.dir.is_within(start)) {
            starts.push(package.dir.clone());
        }
    }
    let manifests = packages.iter().map(|package| package.dir.join("Cargo.toml"));
    let of_others = others::loaded(&others).flat_map(|root| ROOT_INPUTS.map(|name| root.join(name)));
    let always = ROOT_INPUTS.map(RelPath::new).into_iter().chain(of_others).chain(manifests);
    let files::Listed { files, stamps, as_known, beyond, left_out } =
        files::list(root, &starts, always, &build_dirs, &known, request.listing, halt)?;

    let mut workspace = Workspace {
        root: root.clone(),
        target_dir: target_dir.clone(),
        build_dir: build_dir.clone(),
        packages,
        others,
        files,
        owners: Vec::new(),
        outside,
        metadata: metadata.as_ref().map(cargo::metadata_tables).unwrap_or_default(),
        build_dependencies: metadata.as_ref().map(cargo::build_dependencies).unwrap_or_default(),
        beyond,
        seen: Seen { at, stamps, as_known, left_out },
    };
    workspace.owners = owners(&workspace);
    // Listed entries that are not links are regular files.
    for target in workspace.packages.iter().flat_map(|package| &package.targets) {
        if workspace.find(&target.root).is_none_or(|id| workspace.file(id).is_link) {
            let path = place(root, &target.root);
            disk::refuse_special(&path).map_err(unreadable(&path))?;
        }
    }
    Ok(workspace)
}

/// Returns the path from the top of the repository to `root`. Empty if there is no repository.
pub fn base(root: &Path) -> RelPath {
    repository::top_of(root).and_then(|top| RelPath::between(top, root)).unwrap_or_default()
}

/// Returns the top of the repository around `root`, if there is one.
pub fn repository(root: &Path) -> Option<&Path> {
    repository::top_of(root)
}

/// Starts the global thread pool. On first use, rayon would panic if no threads can be started.
fn start_pool() -> Result<(), LoadError> {
    match rayon::ThreadPoolBuilder::new().build_global() {
        // An error without a source means that the pool was already started.
        Err(error) if error.source().is_some() => Err(LoadError::Threads(io::Error::other(error))),
        _ => Ok(()),
    }
}

/// Returns the innermost member around each file, with one lookup per directory above the file.
fn owners(workspace: &Workspace) -> Vec<Option<PackageId>> {
    // Files of another workspace that are in none of its packages have no owner.
    let others = workspace.others.iter().map(|other| (other.root.as_bytes(), None));
    let packages = workspace.packages().map(|(id, package)| (package.dir.as_bytes(), Some(id)));
    let by_dir: BTreeMap<&[u8], Option<PackageId>> = others.chain(packages).collect();
    let around = |dir: &[u8]| {
        let above = dir.iter().enumerate().rev().filter(|&(_, &byte)| byte == b'/').map(|(at, _)| &dir[..at]);
        let root = (!RelPath::new(dir).is_outside()).then_some(&[][..]);
        [dir].into_iter().chain(above).chain(root).find_map(|dir| by_dir.get(dir).copied()).flatten()
    };
    // Most files are in the same directory as the previous one.
    let mut last: Option<(&[u8], Option<PackageId>)> = None;
    let owner = |dir| {
        let known = last.filter(|(last, _)| *last == dir);
        last.insert(known.unwrap_or_else(|| (dir, around(dir)))).1
    };
    workspace.files.iter().map(|file| file.path.dir()).map(owner).collect()
}

/// Returns the path of a file on disk, as cargo would resolve it.
fn place(root: &Path, path: &RelPath) -> PathBuf {
    let place = path.to_path(root);
    if path.is_outside() { RelPath::without_dots(&place) } else { place }
}

/// Returns the path of the absolute path `path` relative to `root`.
fn relative(root: &Path, path: &Path) -> Result<RelPath, LoadError> {
    RelPath::between(root, &RelPath::without_dots(path))
        .ok_or_else(|| LoadError::Elsewhere { root: root.to_path_buf(), path: path.to_path_buf() })
}

/// Returns a function that adds the path to an error.
fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> LoadError {
    |source| match is_halt(&source) {
        true => Halted.into(),
        false => LoadError::Unreadable { path: path.to_path_buf(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_reordered_without_losing_items() {
        let of = |listing: Listing| {
            let mut items: Vec<u32> = (0..50).collect();
            listing.apply(&mut items);
            items
        };
        let as_found: Vec<u32> = (0..50).collect();
        assert_eq!(of(Listing::AsFound), as_found);
        assert!(of(Listing::Reversed).into_iter().rev().eq(as_found.iter().copied()));
        let shuffled = of(Listing::Shuffled(1));
        assert!(shuffled != as_found && shuffled != of(Listing::Shuffled(2)), "{shuffled:?}");
        assert_eq!(shuffled, of(Listing::Shuffled(1)));
        let mut sorted = shuffled;
        sorted.sort_unstable();
        assert_eq!(sorted, as_found);
    }
}
