//! Narrows a selection to what changed since a revision (`--since`).
//!
//! A package stays if one of its own files changed, or a file of a package it depends on. A file that no
//! package owns may be read by any package. Some files affect more than can be determined (manifests, the
//! lock file, the configuration of cargo and genti, the baseline, the `inputs` of a tool): if one of them
//! changed, nothing is narrowed.

use std::collections::BTreeSet;

use super::globs::{Globs, is_own};
use super::select::PlanError;
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::model::workspace::{PackageId, ROOT_INPUTS, Workspace};

/// Configuration files that cargo, clippy and rustfmt read from the directories above a workspace.
pub(super) const ABOVE: [&[u8]; 8] = [
    b".clippy.toml",
    b".rustfmt.toml",
    b"clippy.toml",
    b"config",
    b"config.toml",
    b"rust-toolchain",
    b"rust-toolchain.toml",
    b"rustfmt.toml",
];

/// The set of changed files.
pub(super) struct ChangedPaths<'a> {
    files: &'a BTreeSet<RelPath>,
}

impl<'a> ChangedPaths<'a> {
    /// Returns `None` if the changes may affect every result.
    pub(super) fn new(files: &'a BTreeSet<RelPath>, tools: &[Tool]) -> Result<Option<Self>, PlanError> {
        let globs = tools.iter().map(Globs::new).collect::<Result<Vec<_>, _>>()?;
        let others = tools.iter().filter_map(Tool::workspace);
        let of_others: BTreeSet<_> =
            others.flat_map(|root| ROOT_INPUTS.map(|name| root.join(name))).collect();
        let decides_all = |path: &RelPath| {
            // Manifests of other packages can enable features of a package.
            path.file_name() == b"Cargo.toml"
                || ROOT_INPUTS.iter().any(|input| path.as_bytes() == input.as_bytes())
                || of_others.contains(path)
                || path.is_outside() && ABOVE.contains(&path.file_name())
                || is_own(path)
                || globs.iter().any(|globs| globs.is_input(path))
        };
        Ok((!files.iter().any(decides_all)).then_some(Self { files }))
    }

    /// Returns those of `packages` that changed, or that depend on a changed package.
    pub(super) fn of(&self, workspace: &Workspace, mut packages: Vec<PackageId>) -> Vec<PackageId> {
        let mut changed = BTreeSet::new();
        for path in self.files {
            match workspace.owner_of(path) {
                None if !path.is_outside() => return packages,
                owner => changed.extend(owner),
            }
            // A repository within the repository is listed as a single path.
            let below = workspace.packages().filter(|(_, package)| package.dir.is_within(path));
            changed.extend(below.map(|(id, _)| id));
        }
        packages.retain(|package| {
            let all = workspace.dependencies_of(*package);
            // Packages outside the workspace are not compared, so they may have changed.
            all.into_iter()
                .chain([*package])
                .any(|id| changed.contains(&id) || !workspace.package(id).outside.is_empty())
        });
        packages
    }

    /// Returns true if this file changed.
    pub(super) fn has(&self, path: &RelPath) -> bool {
        self.files.contains(path)
    }

    /// Returns true if a file that `globs` match was changed or removed.
    pub(super) fn touches(&self, globs: &Globs) -> bool {
        self.files.iter().any(|path| globs.takes(path))
    }
}
