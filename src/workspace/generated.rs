//! Reads the manifests of generated files that a build script leaves in `OUT_DIR`, and checks them against the files.
//!
//! `genti::build` writes a manifest for each plan of the script. If a build script leaves no manifest, its generated files
//! are unknown.

#![expect(clippy::disallowed_methods, reason = "part of the shell: reads what cargo has built")]

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path};

use serde::Deserialize;

use crate::disk;
use crate::model::digest::Digest;
use crate::model::generated::{Generated, GeneratedFile, GeneratedUnit};
use crate::model::path::RelPath;
use crate::model::workspace::{PackageId, Workspace};

/// Directory in `OUT_DIR` with the state of the unnamed plan.
const STATE: &str = ".genti";

/// Subdirectory of `STATE` with the states of all other plans.
const PLANS: &str = "plans";

/// Name of the manifest in the state of a plan.
const MANIFEST: &str = "manifest.json";

/// Reason why generated files are unknown. Contains no path of this machine.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The manifest can't be read.
    #[error("could not read the manifest of generated files: {0}")]
    Manifest(String),
    /// The script used its checked-in files without comparing them with newly generated ones.
    #[error("`{dir}` was not compared with newly generated files because `{tool}` is missing")]
    NotCompared {
        /// Directory of the checked-in files, relative to the package.
        dir: String,
        /// The missing tool that generates them.
        tool: String,
    },
    /// A file in the manifest is wrong.
    #[error("the generated file `{path}` {why}")]
    File {
        /// Path of the file in `OUT_DIR`.
        path: RelPath,
        /// Description of the error.
        why: String,
    },
}

#[derive(Deserialize)]
struct GeneratedManifest {
    schema: u32,
    checked_in: Option<String>,
    missing_tool: Option<String>,
    units: Vec<ManifestUnit>,
}

#[derive(Deserialize)]
struct ManifestUnit {
    inputs: Vec<String>,
    discovered: Vec<String>,
    outputs: Vec<ManifestOutput>,
}

#[derive(Deserialize)]
struct ManifestOutput {
    path: String,
    bytes: u64,
}

/// Returns the files that the build script of `package` generated in `out_dir`, or `None` if it left no manifest.
///
/// # Errors
///
/// If the manifest can't be read or does not match the files.
pub fn generated(
    workspace: &Workspace,
    package: PackageId,
    out_dir: &Path,
) -> Result<Option<Generated>, Unreadable> {
    let manifests = manifests(out_dir)?;
    if manifests.is_empty() {
        return Ok(None);
    }
    for manifest in &manifests {
        if manifest.schema != 1 {
            let why = format!(
                "format {} is not supported (expected 1); use the same version of genti in the build script",
                manifest.schema
            );
            return Err(Unreadable::Manifest(why));
        }
        if let Some(tool) = &manifest.missing_tool {
            let dir = manifest.checked_in.clone().unwrap_or_default();
            return Err(Unreadable::NotCompared { dir, tool: tool.clone() });
        }
    }
    let within = |path: &String| in_workspace(workspace, package, path);
    let unit = |unit: &ManifestUnit| {
        let mut inputs: Vec<_> = unit.inputs.iter().chain(&unit.discovered).filter_map(within).collect();
        inputs.sort();
        let files = unit.outputs.iter().map(|output| file(out_dir, output)).collect::<Result<_, _>>()?;
        Ok(GeneratedUnit { inputs, files })
    };
    Ok(Some(Generated {
        package: workspace.package(package).name.clone(),
        checked_in: manifests.iter().filter_map(|manifest| manifest.checked_in.as_ref()).find_map(within),
        units: manifests.iter().flat_map(|manifest| &manifest.units).map(unit).collect::<Result<_, _>>()?,
    }))
}

/// Reads the manifests of all plans: first that of the unnamed plan, then the others, sorted by name.
fn manifests(out_dir: &Path) -> Result<Vec<GeneratedManifest>, Unreadable> {
    let broken = |error: &dyn std::fmt::Display| Unreadable::Manifest(error.to_string());
    let state = out_dir.join(STATE);
    let mut dirs = Vec::new();
    match fs::read_dir(state.join(PLANS)) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(broken(&error)),
        Ok(entries) => {
            for entry in entries {
                dirs.push(entry.map_err(|error| broken(&error))?.path());
            }
        }
    }
    dirs.sort();
    dirs.insert(0, state);
    let mut manifests = Vec::new();
    for dir in dirs {
        match disk::read(&dir.join(MANIFEST)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(broken(&error)),
            Ok(text) => manifests.push(serde_json::from_slice(&text).map_err(|error| broken(&error))?),
        }
    }
    Ok(manifests)
}

/// Returns the workspace files from which the file `below` in `out_dir` was generated, according to the manifest
/// of the build script of `package`.
pub fn inputs_of(workspace: &Workspace, package: PackageId, out_dir: &Path, below: &RelPath) -> Vec<RelPath> {
    let manifests = manifests(out_dir).unwrap_or_default();
    let makes =
        |unit: &&ManifestUnit| unit.outputs.iter().any(|output| RelPath::unescape(&output.path) == *below);
    let known = manifests.iter().filter(|manifest| manifest.schema == 1);
    let unit = known.flat_map(|manifest| &manifest.units).find(makes);
    let inputs = unit.into_iter().flat_map(|unit| unit.inputs.iter().chain(&unit.discovered));
    let mut inputs: Vec<_> = inputs.filter_map(|path| in_workspace(workspace, package, path)).collect();
    inputs.sort();
    inputs.dedup();
    inputs
}

/// Resolves `path` in a manifest of `package`. Returns `None` if it is outside of the workspace.
fn in_workspace(workspace: &Workspace, package: PackageId, path: &str) -> Option<RelPath> {
    let dir = workspace.package(package).dir.to_path(&workspace.root);
    let path = RelPath::between(&workspace.root, &RelPath::without_dots(&dir.join(path)))?;
    (!path.is_outside()).then_some(path)
}

/// Reads a file listed in the manifest. Files outside of `out_dir` are never read.
fn file(out_dir: &Path, output: &ManifestOutput) -> Result<GeneratedFile, Unreadable> {
    let path = RelPath::unescape(&output.path);
    let wrong = |why: String| Unreadable::File { path: path.clone(), why };
    let is_plain = |part| matches!(part, Component::Normal(_));
    if path.is_root() || !path.as_os_path().components().all(is_plain) {
        return Err(wrong("is not inside OUT_DIR".to_owned()));
    }
    let place = path.to_path(out_dir);
    let is_file = fs::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        return Err(wrong("does not exist".to_owned()));
    }
    let bytes = disk::read(&place).map_err(|error| wrong(format!("could not be read: {error}")))?;
    if bytes.len() as u64 != output.bytes {
        return Err(wrong(format!("has {} bytes, but the script wrote {}", bytes.len(), output.bytes)));
    }
    Ok(GeneratedFile { len: output.bytes, digest: Digest::of_bytes(&bytes), path })
}
