//! Reads the members of the workspace, their targets and their path dependencies from cargo.
//!
//! Knows nothing about the files, and only uses `cargo metadata --no-deps`.
#![expect(clippy::disallowed_methods, reason = "part of the shell: looks for the manifest")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};

use super::{Listing, LoadError, WorkspaceRequest, relative};
use crate::model::workspace::{Package, Target, TargetKind};

/// A member whose dependencies are not linked yet.
pub(super) struct Member {
    /// The package, with empty lists of dependencies.
    pub(super) package: Package,
    /// Absolute directory of the package.
    pub(super) dir: PathBuf,
    /// Absolute directories of its path dependencies of every kind.
    pub(super) needs: Vec<PathBuf>,
    /// Names of its other dependencies. A `[patch]` may replace them with a path.
    pub(super) by_version: Vec<String>,
}

/// The root of the run, with what cargo says about it.
pub(super) struct Found {
    pub(super) root: PathBuf,
    pub(super) target_dir: PathBuf,
    pub(super) build_dir: PathBuf,
    /// `None` if there is no workspace in the root.
    pub(super) metadata: Option<Metadata>,
}

/// Finds the requested workspace or, without any manifest, the nearest directory with a configuration.
pub(super) fn find(request: &WorkspaceRequest) -> Result<Found, LoadError> {
    let metadata = match metadata(request) {
        Err(LoadError::NoManifest(cwd)) => {
            let is_root = |dir: &&Path| request.configurations.iter().any(|name| dir.join(name).is_file());
            let root = cwd.ancestors().find(is_root).map(Path::to_path_buf);
            let root = root.ok_or(LoadError::NoManifest(cwd))?;
            let target_dir = root.join("target");
            return Ok(Found { root, build_dir: target_dir.clone(), target_dir, metadata: None });
        }
        metadata => metadata?,
    };
    let target_dir = metadata.target_directory.clone().into_std_path_buf();
    // Older versions of cargo have no separate build directory.
    let build_dir = metadata.build_directory.clone().map_or_else(|| target_dir.clone(), Into::into);
    Ok(Found {
        root: metadata.workspace_root.clone().into(),
        target_dir,
        build_dir,
        metadata: Some(metadata),
    })
}

/// Runs `cargo metadata`.
pub(super) fn metadata(request: &WorkspaceRequest) -> Result<Metadata, LoadError> {
    let mut command = MetadataCommand::new();
    command.cargo_path(&request.cargo).current_dir(&request.cwd).no_deps();
    match &request.manifest_path {
        Some(path) if !request.cwd.join(path).exists() => {
            return Err(LoadError::NoSuchManifest(path.clone()));
        }
        Some(path) => {
            command.manifest_path(without_links(&request.cwd.join(path)));
        }
        None if !request.cwd.ancestors().any(|dir| dir.join("Cargo.toml").exists()) => {
            return Err(LoadError::NoManifest(request.cwd.clone()));
        }
        None => {}
    }
    let flags = [("--locked", request.locked), ("--offline", request.offline), ("--frozen", request.frozen)];
    let flags = flags.into_iter().filter(|(_, on)| *on).map(|(flag, _)| flag);
    // The message is shown as text, so disable colors even if the environment enables them.
    command
        .other_options(["--color", "never"].into_iter().chain(flags).map(String::from).collect::<Vec<_>>());
    command.exec().map_err(|error| match error {
        cargo_metadata::Error::CargoMetadata { stderr } => {
            let message = stderr.trim();
            LoadError::Cargo(message.strip_prefix("error: ").unwrap_or(message).to_owned())
        }
        source => LoadError::Ask { cargo: request.cargo.clone(), source },
    })
}

/// Returns the manifest path with the links in its directory resolved. Cargo names packages by the path it is
/// given, but child processes in that directory see the real path and would name them differently.
fn without_links(manifest: &Path) -> PathBuf {
    let real = manifest.parent().and_then(|dir| dir.canonicalize().ok());
    real.zip(manifest.file_name()).map_or_else(|| manifest.to_path_buf(), |(dir, name)| dir.join(name))
}

/// Returns the names of the `metadata` tables in the manifests, which are used by other tools.
pub(super) fn metadata_tables(metadata: &Metadata) -> BTreeSet<String> {
    let packages = metadata.packages.iter().map(|package| &package.metadata);
    let tables = packages.chain([&metadata.workspace_metadata]).filter_map(|value| value.as_object());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// Returns the names of the dependencies of build scripts.
pub(super) fn build_dependencies(metadata: &Metadata) -> BTreeSet<String> {
    let dependency = metadata.packages.iter().flat_map(|package| &package.dependencies);
    let dependency = dependency.filter(|dependency| dependency.kind == cargo_metadata::DependencyKind::Build);
    dependency.map(|dependency| dependency.name.clone()).collect()
}

/// Returns the members, sorted by directory and name.
pub(super) fn members(metadata: &Metadata, root: &Path, listing: Listing) -> Result<Vec<Member>, LoadError> {
    let packages = metadata.packages.iter();
    let mut members = packages.map(|package| member(package, root)).collect::<Result<Vec<_>, _>>()?;
    listing.apply(&mut members);
    members.sort_by(|a, b| (&a.package.dir, &a.package.name).cmp(&(&b.package.dir, &b.package.name)));
    Ok(members)
}

fn member(package: &cargo_metadata::Package, root: &Path) -> Result<Member, LoadError> {
    let manifest = package.manifest_path.as_std_path();
    let dir = manifest.parent().unwrap_or(root).to_path_buf();
    let mut targets = package.targets.iter().map(|it| target(it, root)).collect::<Result<Vec<_>, _>>()?;
    targets.sort_by(|a, b| (&a.root, a.kind, &a.name).cmp(&(&b.root, b.kind, &b.name)));
    let (by_path, by_version): (Vec<_>, Vec<_>) =
        package.dependencies.iter().partition(|dependency| dependency.path.is_some());
    let dirs = by_path.into_iter().filter_map(|dependency| dependency.path.clone());
    Ok(Member {
        needs: dirs.map(|dir| dir.into_std_path_buf()).collect(),
        by_version: by_version.into_iter().map(|dependency| dependency.name.clone()).collect(),
        package: Package {
            name: package.name.to_string(),
            workspace: None,
            version: package.version.to_string(),
            vars: vars(package),
            cargo_id: package.id.repr.clone(),
            dir: relative(root, &dir)?,
            features: package.features.clone(),
            targets,
            dependencies: Vec::new(),
            outside: Vec::new(),
        },
        dir,
    })
}

/// Returns the variables that cargo sets for the package. Fields missing in the manifest are empty.
fn vars(package: &cargo_metadata::Package) -> Vec<(&'static str, String)> {
    let version = &package.version;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let path = |path: &Option<_>| path.as_ref().map(ToString::to_string).unwrap_or_default();
    // The parsed version always has three parts, while manifests usually have two.
    let rust_version = package.rust_version.as_ref().map(|version| match version.patch {
        0 => format!("{}.{}", version.major, version.minor),
        _ => version.to_string(),
    });
    vec![
        ("CARGO_PKG_AUTHORS", package.authors.join(":")),
        ("CARGO_PKG_DESCRIPTION", text(&package.description)),
        ("CARGO_PKG_HOMEPAGE", text(&package.homepage)),
        ("CARGO_PKG_LICENSE", text(&package.license)),
        ("CARGO_PKG_LICENSE_FILE", path(&package.license_file)),
        ("CARGO_PKG_NAME", package.name.to_string()),
        ("CARGO_PKG_README", path(&package.readme)),
        ("CARGO_PKG_REPOSITORY", text(&package.repository)),
        ("CARGO_PKG_RUST_VERSION", rust_version.unwrap_or_default()),
        ("CARGO_PKG_VERSION", version.to_string()),
        ("CARGO_PKG_VERSION_MAJOR", version.major.to_string()),
        ("CARGO_PKG_VERSION_MINOR", version.minor.to_string()),
        ("CARGO_PKG_VERSION_PATCH", version.patch.to_string()),
        ("CARGO_PKG_VERSION_PRE", version.pre.to_string()),
    ]
}

fn target(target: &cargo_metadata::Target, root: &Path) -> Result<Target, LoadError> {
    Ok(Target {
        name: target.name.clone(),
        kind: kind(&target.kind),
        // Unlike paths of dependencies, this path still contains the `..` from the manifest.
        root: relative(root, target.src_path.as_std_path())?,
        edition: target.edition.to_string(),
        test: target.test,
        doc: target.doc,
        doctest: target.doctest,
        needs_features: !target.required_features.is_empty(),
    })
}

/// Returns the kind of a target. For libraries cargo lists the crate types, so all other values stand for a
/// library.
fn kind(kinds: &[cargo_metadata::TargetKind]) -> TargetKind {
    use cargo_metadata::TargetKind as Cargo;
    match kinds.first() {
        Some(Cargo::Bin) => TargetKind::Bin,
        Some(Cargo::Example) => TargetKind::Example,
        Some(Cargo::Test) => TargetKind::Test,
        Some(Cargo::Bench) => TargetKind::Bench,
        Some(Cargo::CustomBuild) => TargetKind::BuildScript,
        _ => TargetKind::Lib,
    }
}
