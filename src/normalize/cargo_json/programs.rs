//! Collects the test programs of a build, with the environment that cargo gives each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::message::{CargoArtifact, CargoBuildScript, CargoTarget};
use crate::model::task::Program;
use crate::model::workspace::{PackageId, Target, TargetKind, Workspace};

/// Artifacts and build scripts collected so far.
#[derive(Default)]
pub(super) struct BuiltPrograms {
    tests: Vec<(PackageId, TargetKind, String, PathBuf)>,
    /// Binaries of each package, by name.
    binaries: BTreeMap<PackageId, BTreeMap<String, String>>,
    /// Binaries that have an error.
    failed: BTreeSet<(PackageId, String)>,
    /// Variables set by the build script of each package.
    vars: BTreeMap<PackageId, Vec<(String, String)>>,
    /// Library directories stated by build scripts.
    native_dirs: BTreeSet<PathBuf>,
    /// Linked files: programs and dynamic libraries.
    outputs: BTreeSet<PathBuf>,
}

impl BuiltPrograms {
    /// Adds an artifact of a target of `package`.
    pub(super) fn add_artifact(&mut self, package: PackageId, artifact: CargoArtifact<'_>) {
        let kind = artifact.target.kind();
        let is_linked = |path: &&String| {
            let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
            !matches!(extension, Some("d" | "rlib" | "rmeta"))
        };
        if kind != TargetKind::BuildScript {
            self.outputs.extend(artifact.filenames.iter().filter(is_linked).map(PathBuf::from));
        }
        let Some(path) = artifact.executable else { return };
        if artifact.profile.test {
            self.tests.push((package, kind, artifact.target.name, path.into()));
        } else if kind == TargetKind::Bin {
            self.binaries.entry(package).or_default().insert(artifact.target.name, path);
        }
    }

    /// Adds an error of a target of `package`.
    pub(super) fn add_error(&mut self, package: PackageId, target: &CargoTarget) {
        if target.kind() == TargetKind::Bin {
            self.failed.insert((package, target.name.clone()));
        }
    }

    /// Adds the output of a build script. `package` is its package if that is a member.
    pub(super) fn add_script(&mut self, package: Option<PackageId>, script: &CargoBuildScript<'_>) {
        let dirs = script.linked_paths.iter().filter(|path| !path.starts_with("framework="));
        let dir = |path: &String| path.split_once('=').map_or(path.as_str(), |(_, dir)| dir).into();
        self.native_dirs.extend(dirs.map(dir));
        if let Some(package) = package {
            let mut vars = script.env.clone();
            vars.push(("OUT_DIR".to_owned(), script.out_dir.clone()));
            self.vars.insert(package, vars);
        }
    }

    /// Takes the linked files.
    pub(super) fn outputs(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.outputs).into_iter().collect()
    }

    /// Returns the test programs of workspace targets.
    ///
    /// With `--keep-going`, cargo also builds an integration test if a binary that it runs does not compile. If the build
    /// failed, such a test is left out, because it would run the binary of an earlier build.
    pub(super) fn finish(self, workspace: &Workspace, has_failed: bool) -> Vec<Program> {
        let program = |(package, kind, name, path): &(PackageId, TargetKind, String, PathBuf)| {
            let targets = &workspace.package(*package).targets;
            let at = targets.iter().position(|target| target.kind == *kind && target.name == *name)?;
            let mut vars = self.vars.get(package).cloned().unwrap_or_default();
            if matches!(kind, TargetKind::Test | TargetKind::Bench) {
                if has_failed && targets.iter().any(|target| self.lacks_binary(*package, target)) {
                    return None;
                }
                let binaries = self.binaries.get(package).into_iter().flatten();
                vars.extend(binaries.map(|(name, path)| (format!("CARGO_BIN_EXE_{name}"), path.clone())));
            }
            Some(Program {
                target: (*package, at as u32),
                path: path.clone(),
                vars,
                lib_dirs: self.lib_dirs(path).unwrap_or_default(),
            })
        };
        self.tests.iter().filter_map(program).collect()
    }

    /// Returns whether `target` is a binary that the build should have made and has not. A binary that needs features may not
    /// be part of the build, so only an error shows that it was.
    fn lacks_binary(&self, package: PackageId, target: &Target) -> bool {
        let is_made = || self.binaries.get(&package).is_some_and(|made| made.contains_key(&target.name));
        let is_part = || !target.needs_features || self.failed.contains(&(package, target.name.clone()));
        target.kind == TargetKind::Bin && !is_made() && is_part()
    }

    /// Returns the library search path as cargo sets it: build script directories below the profile directory, the
    /// profile directory and its `deps` directory. `program` lies in `deps` or in `examples`.
    fn lib_dirs(&self, program: &Path) -> Option<Vec<PathBuf>> {
        let profile = program.parent()?.parent()?;
        let mut dirs: Vec<_> =
            self.native_dirs.iter().filter(|dir| dir.starts_with(profile)).cloned().collect();
        dirs.extend([profile.to_path_buf(), profile.join("deps")]);
        Some(dirs)
    }
}
