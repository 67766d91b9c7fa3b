//! Loads the other workspaces of the repository that variants build.
//!
//! It is not an error here if one can't be loaded: the configuration names it, and reports that with the line.
#![expect(clippy::disallowed_methods, reason = "part of the shell: looks for directories and manifests")]

use std::collections::BTreeSet;
use std::path::Path;

use super::cargo::{self, Member};
use super::{LoadError, WorkspaceRequest, outside, refuse_special};
use crate::disk;
use crate::model::path::RelPath;
use crate::model::workspace::{OtherWorkspace, WorkspaceProblem};

/// Returns the workspaces in the directories `roots`, sorted, and their members. The workspace of the run is at `root`.
pub(super) fn load(
    request: &WorkspaceRequest,
    root: &Path,
    roots: Vec<RelPath>,
) -> Result<(Vec<OtherWorkspace>, Vec<Member>), LoadError> {
    let (mut others, mut all) = (Vec::new(), Vec::new());
    for dir in BTreeSet::from_iter(roots) {
        let problem = match members(request, root, &dir)? {
            Ok(members) => {
                all.extend(members);
                None
            }
            Err(problem) => Some(problem),
        };
        others.push(OtherWorkspace { root: dir, problem });
    }
    all.sort_by(|a, b| (&a.package.dir, &a.package.name).cmp(&(&b.package.dir, &b.package.name)));
    Ok((others, all))
}

/// Returns the roots of the workspaces that were loaded.
pub(super) fn loaded(others: &[OtherWorkspace]) -> impl Iterator<Item = &RelPath> {
    others.iter().filter(|other| other.is_loaded()).map(|other| &other.root)
}

/// Returns the members of the workspace in `dir`, below the `root` of the run.
fn members(
    request: &WorkspaceRequest,
    root: &Path,
    dir: &RelPath,
) -> Result<Result<Vec<Member>, WorkspaceProblem>, LoadError> {
    let place = dir.to_path(root);
    let (Ok(real), Ok(real_root)) = (place.canonicalize(), root.canonicalize()) else {
        return Ok(Err(WorkspaceProblem::NoDirectory));
    };
    if !real.is_dir() {
        return Ok(Err(WorkspaceProblem::NoDirectory));
    }
    if real != dir.to_path(&real_root) {
        return Ok(Err(WorkspaceProblem::Link));
    }
    refuse_special(&place, None)?;
    let manifest = place.join("Cargo.toml");
    if !manifest.is_file() {
        return Ok(Err(WorkspaceProblem::NoManifest));
    }
    // Cargo reads its configuration from the directory in which it starts.
    let request = WorkspaceRequest { manifest_path: Some(manifest), cwd: place, ..request.clone() };
    let metadata = match cargo::metadata(&request) {
        Ok(metadata) => metadata,
        Err(LoadError::Cargo(message)) => return Ok(Err(WorkspaceProblem::Cargo(message))),
        Err(error) => return Err(error),
    };
    let found = metadata.workspace_root.as_std_path();
    let found_real = disk::real(found);
    if found_real != real {
        let around = RelPath::between(&real_root, &found_real).filter(|path| !path.is_outside());
        return Ok(Err(around.map_or(WorkspaceProblem::PartOfOutside, WorkspaceProblem::PartOf)));
    }
    let mut members = cargo::members(&metadata, root, request.listing)?;
    if members.is_empty() {
        return Ok(Err(WorkspaceProblem::Empty));
    }
    outside::follow_patches(found, &mut members)?;
    for member in &mut members {
        member.package.name = format!("{dir}/{}", member.package.name);
        member.package.workspace = Some(dir.clone());
    }
    Ok(Ok(members))
}
