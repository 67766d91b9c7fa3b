//! From a directory on disk to the value [`Workspace`]: asks cargo for the members, lists and hashes the files.
//!
//! Knows nothing of tools, tasks or configuration. Reads, and starts nothing but `cargo metadata --no-deps`, which
//! takes no lock, writes nothing and runs no code of the checkout.

mod cargo;
mod files;
mod generated;
mod git;
mod index;
mod links;
mod open;
mod outside;
mod seen;
mod sources;
mod walk;

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::stamp::FileTable;
use crate::model::workspace::{PackageId, ROOT_INPUTS, Seen, Workspace};

pub use generated::{Unreadable, generated, inputs_of};
pub use git::{GitError, changed_since, commit_time, is_ignored, manifests_beyond, merge_sides, tracked};
pub use links::{links_to_dirs, outside_digest};
pub use seen::{Look, has_changed, look_at, stamp_of, still_as_seen};
pub use sources::read_sources;
pub use walk::{Ignores, everything_below};

/// Which workspace to load, in cargo's own words.
#[derive(Clone, Debug)]
pub struct Request {
    /// The cargo to call.
    pub cargo: PathBuf,
    /// `--manifest-path`; without it, the nearest manifest at or above `cwd`.
    pub manifest_path: Option<PathBuf>,
    /// The directory to start from, absolute.
    pub cwd: PathBuf,
    /// `--locked`.
    pub locked: bool,
    /// `--offline`.
    pub offline: bool,
    /// `--frozen`.
    pub frozen: bool,
    /// In which order what is found is met, before it is sorted.
    pub listing: Listing,
}

/// In which order a directory tells what is in it, and cargo its packages. Nothing may depend on it: so that this can be
/// tried, it can be changed where it comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// As the system has it.
    #[default]
    AsFound,
    /// The other way round.
    Reversed,
    /// Shuffled by this number.
    Shuffled(u64),
}

impl Listing {
    /// Puts `items`, as they were found, into this order.
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

/// A workspace as it was found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its members and files.
    pub workspace: Workspace,
    /// Whether the root has a `Cargo.lock`.
    pub lockfile: bool,
}

/// Why a workspace can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No manifest at or above the directory.
    #[error(
        "could not find `Cargo.toml` in `{}` or any parent directory (start in a Cargo workspace, or name its \
         manifest with `--manifest-path`)", .0.display()
    )]
    NoManifest(PathBuf),
    /// `--manifest-path` names no file.
    #[error("manifest path `{}` does not exist (it must name a `Cargo.toml`)", .0.display())]
    NoSuchManifest(PathBuf),
    /// Cargo could not be started, or its answer not be read.
    #[error("could not ask `{}` for the workspace: {source}", .cargo.display())]
    Ask {
        /// The program that was called.
        cargo: PathBuf,
        /// What went wrong.
        source: cargo_metadata::Error,
    },
    /// Cargo rejects the workspace; the message is its own.
    #[error("{0}")]
    Cargo(String),
    /// A manifest that is read here is not what cargo takes.
    #[error("could not read `{}`: {message}", .path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A file or directory can't be read.
    #[error("could not read `{}`: {source}", .path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system has no threads left.
    #[error("could not read the workspace: {0}; raise the limit on processes (`ulimit -u`)")]
    Threads(io::Error),
    /// Nothing leads from the root to the path.
    #[error("`{}` is on another drive than the workspace root `{}`", .path.display(), .root.display())]
    Elsewhere {
        /// The root.
        root: PathBuf,
        /// The path.
        path: PathBuf,
    },
}

/// Looks at what cargo and rustup will read to find the workspace around `start`, and `manifest`: they would wait for ever for
/// what is no regular file.
///
/// # Errors
///
/// If one of these files is none.
pub fn refuse_special(start: &Path, manifest: Option<&Path>) -> Result<(), LoadError> {
    let around = start.ancestors().flat_map(|dir| ROOT_INPUTS.iter().map(|name| dir.join(name)));
    for path in around.chain(manifest.map(Path::to_path_buf)) {
        disk::refuse_special(&path).map_err(unreadable(&path))?;
    }
    Ok(())
}

/// The target directory of the workspace that `request` names.
///
/// # Errors
///
/// If there is no such workspace.
pub fn target_dir(request: &Request) -> Result<PathBuf, LoadError> {
    Ok(cargo::metadata(request)?.target_directory.into_std_path_buf())
}

/// Loads the workspace that `request` names. `known` is asked, by the target directory, for the files that were read
/// before.
pub fn load(request: &Request, known: impl FnOnce(&Path) -> FileTable) -> Result<Loaded, LoadError> {
    start_pool()?;
    let at = files::now();
    let metadata = cargo::metadata(request)?;
    let root = metadata.workspace_root.as_std_path();
    let mut members = cargo::members(&metadata, root, request.listing)?;
    outside::follow_patches(root, &mut members)?;
    let outside = outside::discover(root, &members, request.listing)?;
    outside::link(&mut members, &outside);

    let target_dir = metadata.target_directory.as_std_path();
    // Older cargos know no other.
    let build_dir = metadata.build_directory.as_ref().map_or(target_dir, |dir| dir.as_std_path());
    let build_dirs = [target_dir, build_dir];
    let outside = outside
        .iter()
        .map(|package| package.digest(&build_dirs, request.listing))
        .collect::<Result<_, _>>()?;

    let packages: Vec<_> = members.into_iter().map(|member| member.package).collect();
    let mut starts = vec![RelPath::default()];
    for package in &packages {
        // The walk of the root does not come by what lies outside of it, or behind a link.
        let is_met = !package.dir.is_outside() && !links::is_behind(root, &package.dir);
        if !is_met && !starts.iter().skip(1).any(|start| package.dir.is_within(start)) {
            starts.push(package.dir.clone());
        }
    }
    let manifests = packages.iter().map(|package| package.dir.join("Cargo.toml"));
    let always = ROOT_INPUTS.map(RelPath::new).into_iter().chain(manifests);
    let files::Listed { files, stamps, as_known, beyond, left_out } =
        files::list(root, &starts, always, &build_dirs, &known(target_dir), request.listing)?;

    let mut workspace = Workspace {
        root: root.to_path_buf(),
        target_dir: target_dir.to_path_buf(),
        build_dir: build_dir.to_path_buf(),
        packages,
        files,
        owners: Vec::new(),
        outside,
        metadata: cargo::metadata_tables(&metadata),
        build_dependencies: cargo::build_dependencies(&metadata),
        beyond,
        seen: Seen { at, stamps, as_known, left_out },
    };
    workspace.owners = owners(&workspace);
    // One that is listed and no link is a file.
    for target in workspace.packages.iter().flat_map(|package| &package.targets) {
        if workspace.find(&target.root).is_none_or(|id| workspace.file(id).is_link) {
            let path = place(root, &target.root);
            disk::refuse_special(&path).map_err(unreadable(&path))?;
        }
    }
    let lockfile = workspace.find(&RelPath::new("Cargo.lock")).is_some();
    Ok(Loaded { workspace, lockfile })
}

/// The root and the target directory of the workspace that `request` names: nothing in it is read.
///
/// # Errors
///
/// If there is none, or cargo rejects it.
pub fn locate(request: &Request) -> Result<(PathBuf, PathBuf), LoadError> {
    let metadata = cargo::metadata(request)?;
    Ok((metadata.workspace_root.into(), metadata.target_directory.into()))
}

/// Where `root` lies below the top of its repository; at the top if there is none.
pub fn base(root: &Path) -> RelPath {
    walk::repository(root).and_then(|top| RelPath::between(top, root)).unwrap_or_default()
}

/// The top of the repository around `root`, if there is one.
pub fn repository(root: &Path) -> Option<&Path> {
    walk::repository(root)
}

/// Starts the threads that work on all files at once: started where they are first used, rayon would panic if
/// there are none.
fn start_pool() -> Result<(), LoadError> {
    match rayon::ThreadPoolBuilder::new().build_global() {
        // Without a cause, they have been started before.
        Err(error) if error.source().is_some() => Err(LoadError::Threads(io::Error::other(error))),
        _ => Ok(()),
    }
}

/// The innermost member around each file: a look-up for each directory above it, however many members there are.
fn owners(workspace: &Workspace) -> Vec<Option<PackageId>> {
    let by_dir: BTreeMap<&[u8], PackageId> =
        workspace.packages().map(|(id, package)| (package.dir.as_bytes(), id)).collect();
    let around = |dir: &[u8]| {
        let above = dir.iter().enumerate().rev().filter(|&(_, &byte)| byte == b'/').map(|(at, _)| &dir[..at]);
        let root = (!RelPath::new(dir).is_outside()).then_some(&[][..]);
        [dir].into_iter().chain(above).chain(root).find_map(|dir| by_dir.get(dir).copied())
    };
    // Most files lie in the same directory as the one before.
    let mut last: Option<(&[u8], Option<PackageId>)> = None;
    let owner = |dir| {
        let known = last.filter(|(last, _)| *last == dir);
        last.insert(known.unwrap_or_else(|| (dir, around(dir)))).1
    };
    workspace.files.iter().map(|file| file.path.dir()).map(owner).collect()
}

/// Where `path` lies on disk, as cargo would find it.
fn place(root: &Path, path: &RelPath) -> PathBuf {
    let place = path.to_path(root);
    if path.is_outside() { RelPath::without_dots(&place) } else { place }
}

/// The path from `root` to the absolute path `path`.
fn relative(root: &Path, path: &Path) -> Result<RelPath, LoadError> {
    RelPath::between(root, &RelPath::without_dots(path))
        .ok_or_else(|| LoadError::Elsewhere { root: root.to_path_buf(), path: path.to_path_buf() })
}

/// Names the path that could not be read.
fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> LoadError {
    |source| LoadError::Unreadable { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_put_into_another_order_and_loses_nothing() {
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
