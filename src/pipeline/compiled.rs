//! Records which files of the workspace a process compiled or formatted, and the compilations of members they belong to. Reads
//! dep-info files, so no build may run at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::cache::dep_info_of;
use crate::disk;
use crate::model::census::CompiledUnit;
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::{BuiltUnit, Parsed, reads};
use crate::store::LockCopies;

/// Adds the compilations of members of the workspace that `tool` builds, and the files they cover, to the census of `parsed`.
pub(super) fn note(workspace: &Workspace, tool: &Tool, copies: Option<&LockCopies>, parsed: &mut Parsed) {
    let Parsed { traces, census, .. } = parsed;
    // Most processes leave no traces, and there may be 10,000 of them.
    if traces.units.is_empty() && traces.formatted.is_empty() {
        return;
    }
    let mut cfgs: BTreeMap<PackageId, BTreeSet<String>> = BTreeMap::new();
    for script in &traces.scripts {
        if let Some(package) = script.package {
            cfgs.entry(package).or_default().extend(script.cfgs.iter().cloned());
        }
    }
    let paths = Paths::new(workspace);
    for unit in &traces.units {
        let Some(package) = unit.package else { continue };
        let files = files(unit, copies, &paths);
        census.compiled.extend(paths.listed(paths.of(&unit.source)));
        census.compiled.extend(paths.listed(files.iter().flatten().cloned()));
        if workspace.package(package).workspace.as_ref() != tool.workspace() {
            // A dependency, whose lints are reported only by builds of its own workspace.
            continue;
        }
        let Some(root) = RelPath::between(&workspace.root, &RelPath::without_dots(&unit.source)) else {
            continue;
        };
        census.units.insert(CompiledUnit {
            package: workspace.package(package).name.clone(),
            root,
            is_test: unit.is_test,
            is_doc: unit.is_doc,
            is_macro: unit.is_macro,
            is_for_host: unit.is_for_host,
            debug_assertions: unit.debug_assertions,
            features: unit.features.clone(),
            cfgs: cfgs.get(&package).cloned().unwrap_or_default(),
            files,
        });
    }
    census.files.extend(paths.listed(traces.formatted.iter().flat_map(|path| paths.of(path))));
}

/// Returns the Rust files that rustc read for `unit`, if there is a dep-info file.
fn files(unit: &BuiltUnit, copies: Option<&LockCopies>, paths: &Paths<'_>) -> Option<BTreeSet<RelPath>> {
    if unit.dep_infos.is_empty() {
        return None;
    }
    let read = reads::dep_info(&dep_info_of(unit, copies)?)?;
    Some(read.files.iter().flat_map(|file| paths.of(&unit.base.join(file))).collect())
}

/// Converts paths to those that findings use.
struct Paths<'a> {
    workspace: &'a Workspace,
    /// The root with links resolved.
    real: Option<PathBuf>,
}

impl<'a> Paths<'a> {
    fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, real: workspace.root.canonicalize().ok() }
    }

    /// Returns the paths of the Rust file at `path`, with links both unresolved and resolved.
    fn of(&self, path: &Path) -> BTreeSet<RelPath> {
        if path.extension().is_none_or(|extension| extension != "rs") {
            return BTreeSet::new();
        }
        let roots = || std::iter::once(&self.workspace.root).chain(&self.real);
        let written = disk::without_dots(path);
        let written = roots().find_map(|root| RelPath::between(root, &written));
        if written.as_ref().is_some_and(|path| self.is_listed(path)) {
            return written.into_iter().collect();
        }
        let real = path.canonicalize().ok();
        let real = real.zip(self.real.as_ref()).and_then(|(path, root)| RelPath::between(root, &path));
        written.into_iter().chain(real).collect()
    }

    /// Returns the listed files among `paths`.
    fn listed(&self, paths: impl IntoIterator<Item = RelPath>) -> impl Iterator<Item = RelPath> {
        paths.into_iter().filter(|path| self.is_listed(path))
    }

    fn is_listed(&self, path: &RelPath) -> bool {
        self.workspace.find(path).is_some_and(|file| !self.workspace.file(file).is_link)
    }
}
