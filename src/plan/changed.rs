//! What `--since` leaves of a selection: what changed, and what depends on it.
//!
//! A package is left if a file of its own changed, or one of a package that it depends on. A file that no package owns
//! may be read by any of them. What decides the result of more than can be told (manifests, the lock file, cargo's and
//! this program's configuration, what was accepted, the further `inputs` of a tool) leaves everything.

use std::collections::BTreeSet;

use super::graph::{Globs, is_own};
use super::select::PlanError;
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::model::workspace::{PackageId, ROOT_INPUTS, Workspace};

/// What cargo, clippy and rustfmt read in the directories above a workspace.
const ABOVE: [&[u8]; 8] = [
    b".clippy.toml",
    b".rustfmt.toml",
    b"clippy.toml",
    b"config",
    b"config.toml",
    b"rust-toolchain",
    b"rust-toolchain.toml",
    b"rustfmt.toml",
];

/// The files that changed.
pub(super) struct Changed<'a> {
    files: &'a BTreeSet<RelPath>,
}

impl<'a> Changed<'a> {
    /// `None` if anything may give another result now.
    pub(super) fn new(files: &'a BTreeSet<RelPath>, tools: &[Tool]) -> Result<Option<Self>, PlanError> {
        let globs = tools.iter().map(Globs::new).collect::<Result<Vec<_>, _>>()?;
        let decides_all = |path: &RelPath| {
            // Which features a package has, the others' manifests say too.
            path.file_name() == b"Cargo.toml"
                || ROOT_INPUTS.iter().any(|input| path.as_bytes() == input.as_bytes())
                || path.is_outside() && ABOVE.contains(&path.file_name())
                || is_own(path)
                || globs.iter().any(|globs| globs.is_input(path))
        };
        Ok((!files.iter().any(decides_all)).then_some(Self { files }))
    }

    /// Those of `packages` of which something changed, or something of what they depend on.
    pub(super) fn of(&self, workspace: &Workspace, mut packages: Vec<PackageId>) -> Vec<PackageId> {
        let mut changed = BTreeSet::new();
        for path in self.files {
            match workspace.owner_of(path) {
                None if !path.is_outside() => return packages,
                owner => changed.extend(owner),
            }
            // A repository within the repository is one path.
            let below = workspace.packages().filter(|(_, package)| package.dir.is_within(path));
            changed.extend(below.map(|(id, _)| id));
        }
        packages.retain(|package| {
            let all = workspace.dependencies_of(*package);
            // What lies outside of the workspace is not compared: it may have changed.
            all.into_iter()
                .chain([*package])
                .any(|id| changed.contains(&id) || !workspace.package(id).outside.is_empty())
        });
        packages
    }

    /// Whether this file changed.
    pub(super) fn has(&self, path: &RelPath) -> bool {
        self.files.contains(path)
    }

    /// Whether one of the files changed, or went, that a tool with these globs looks at.
    pub(super) fn touches(&self, globs: &Globs) -> bool {
        self.files.iter().any(|path| globs.takes(path))
    }
}
