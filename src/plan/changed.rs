//! What `--since` leaves of a selection: what changed, and what depends on it.
//!
//! A package is left if a file of its own changed, or one of a package that it depends on. What decides the result of
//! more than can be told (manifests and the lock file of the workspace, cargo's and this program's configuration, the
//! further `inputs` of a tool) leaves everything.

use std::collections::BTreeSet;

use super::config;
use super::graph::{Globs, is_own};
use super::select::PlanError;
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::model::workspace::{PackageId, ROOT_INPUTS, Workspace};

/// The files that changed.
pub(super) struct Changed<'a> {
    files: &'a BTreeSet<RelPath>,
}

impl<'a> Changed<'a> {
    /// `None` if anything may give another result now.
    pub(super) fn new(files: &'a BTreeSet<RelPath>, tools: &[Tool]) -> Result<Option<Self>, PlanError> {
        let is_common = |path: &&str| files.contains(&RelPath::new(path));
        if ROOT_INPUTS.iter().chain(&config::LOCATIONS).any(is_common) {
            return Ok(None);
        }
        for tool in tools {
            let globs = Globs::new(tool)?;
            if files.iter().any(|path| globs.is_input(path)) {
                return Ok(None);
            }
        }
        Ok(Some(Self { files }))
    }

    /// Those of `packages` of which something changed, or something of what they depend on.
    pub(super) fn of(&self, workspace: &Workspace, mut packages: Vec<PackageId>) -> Vec<PackageId> {
        let files = self.files.iter().filter(|path| !is_own(path));
        let owners: BTreeSet<_> = files.filter_map(|path| workspace.owner_of(path)).collect();
        packages.retain(|package| {
            let all = workspace.dependencies_of(*package);
            // What lies outside of the workspace is not compared: it may have changed.
            all.into_iter()
                .chain([*package])
                .any(|id| owners.contains(&id) || !workspace.package(id).outside.is_empty())
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
