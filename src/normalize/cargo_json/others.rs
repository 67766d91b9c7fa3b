//! Packages of the repository that are not members, such as those of another workspace in it.
//!
//! A tool whose command line selects packages is only about members. Any other one may run cargo elsewhere in the repository, as
//! with `dir = "fuzz"`, and then it is about what cargo builds there. These packages are known only from cargo's messages, so it
//! is unknown whether a failed cargo has reached all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::message::{CargoArtifact, CompilerMessage};
use super::traces::name_of;
use crate::model::census::{Census, CompiledTarget};
use crate::model::path::RelPath;
use crate::model::tool::{Parse, Per};
use crate::normalize::{Gap, Input};

/// Packages that are not members, as far as cargo has named them.
#[derive(Default)]
pub(super) struct OtherPackages {
    /// Manifests of the packages.
    manifests: BTreeSet<RelPath>,
    targets: BTreeSet<CompiledTarget>,
    /// Names of packages with errors, each with whether it does not compile.
    failed: BTreeMap<String, bool>,
}

impl OtherPackages {
    /// Returns the manifest of the package that cargo calls `id`, if the tool of `input` may be about it.
    pub(super) fn manifest(input: &Input<'_>, id: &str, manifest: &str) -> Option<RelPath> {
        let tool = input.tool;
        let is_possible =
            tool.parse == Parse::RustcJson && tool.per == Per::Workspace && !tool.uses_selection();
        // Downloaded packages may lie in the repository, but are not part of it.
        let is_local = is_possible && id.contains("path+file:");
        is_local.then(|| input.scrub.path(manifest.as_bytes())).flatten()
    }

    /// Adds a message about a target of the package of `manifest`.
    pub(super) fn add_message(&mut self, manifest: &RelPath, message: &CompilerMessage<'_>) {
        self.manifests.insert(manifest.clone());
        if message.message.is_error() && !message.message.is_summary() {
            let name = name_of(&message.package_id, &message.manifest_path);
            *self.failed.entry(name).or_default() |= message.message.is_fatal();
        }
    }

    /// Adds an artifact of a target of the package of `manifest`.
    pub(super) fn add_artifact(&mut self, manifest: RelPath, artifact: &CargoArtifact<'_>) {
        self.targets.insert(CompiledTarget {
            package: manifest.to_string(),
            kind: artifact.target.kind().as_str().to_owned(),
            name: artifact.target.name.clone(),
        });
        self.manifests.insert(manifest);
    }

    /// Returns whether cargo built something in another workspace: a package that is not just a dependency of members.
    pub(super) fn are_built(&self, input: &Input<'_>) -> bool {
        let dependencies: BTreeSet<_> = input.workspace.outside.iter().map(|package| &package.dir).collect();
        let mut dirs = self.manifests.iter().filter_map(RelPath::parent);
        dirs.any(|dir| !dependencies.contains(&dir))
    }

    /// Returns the gap that a failed cargo leaves.
    pub(super) fn gap(&self, input: &Input<'_>) -> Gap {
        let fatal = self.failed.iter().find(|(_, is_fatal)| **is_fatal);
        let reason = match (fatal, self.failed.keys().next()) {
            (Some((name, _)), _) => format!("`{name}` does not compile"),
            (None, Some(name)) => {
                format!("cargo stopped because `{name}` has errors, so it may not have checked everything")
            }
            (None, None) => input.complaint().unwrap_or_else(|| "cargo failed".to_owned()),
        };
        Gap::all(reason)
    }

    /// Returns the census of a process that ran cargo in another workspace. It has no members: they were at most built as
    /// dependencies.
    pub(super) fn census(self, is_complete: bool) -> Census {
        match is_complete {
            true => Census { targets: self.targets, ..Census::default() },
            // How far cargo gets depends on timing.
            false => Census::default(),
        }
    }
}
