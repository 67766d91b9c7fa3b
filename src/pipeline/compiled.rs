//! Which compilations of members a process has made, and of which files, by what it left behind. Read while nobody builds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::disk;
use crate::model::census::CompiledUnit;
use crate::model::path::RelPath;
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::{BuiltUnit, Parsed, reads};

/// Notes in the census of `parsed` which compilations of members there were.
pub(super) fn note(workspace: &Workspace, parsed: &mut Parsed) {
    let mut cfgs: BTreeMap<PackageId, BTreeSet<String>> = BTreeMap::new();
    for script in &parsed.traces.scripts {
        if let Some(package) = script.package {
            cfgs.entry(package).or_default().extend(script.cfgs.iter().cloned());
        }
    }
    let paths = Paths::new(workspace);
    for unit in &parsed.traces.units {
        let Some(package) = unit.package else { continue };
        let Some(root) = RelPath::between(&workspace.root, &RelPath::without_dots(&unit.source)) else {
            continue;
        };
        parsed.census.units.insert(CompiledUnit {
            package: workspace.package(package).name.clone(),
            root,
            is_test: unit.is_test,
            is_doc: unit.is_doc,
            is_macro: unit.is_macro,
            is_for_host: unit.is_for_host,
            debug_assertions: unit.debug_assertions,
            features: unit.features.clone(),
            cfgs: cfgs.get(&package).cloned().unwrap_or_default(),
            files: files(unit, &paths),
        });
    }
}

/// The Rust files that rustc has read for `unit`, if it has left a list of them.
fn files(unit: &BuiltUnit, paths: &Paths<'_>) -> Option<BTreeSet<RelPath>> {
    let text = unit.dep_infos.iter().find_map(|path| disk::read(path).ok())?;
    let read = reads::dep_info(&text)?;
    // Where cargo starts rustc.
    let root = &paths.workspace.root;
    let base =
        if unit.source.starts_with(root) { root.clone() } else { unit.manifest.parent()?.to_path_buf() };
    Some(read.files.iter().flat_map(|file| paths.of(&base.join(file))).collect())
}

/// Files as findings name them.
struct Paths<'a> {
    workspace: &'a Workspace,
    /// The root without links.
    real: Option<PathBuf>,
}

impl<'a> Paths<'a> {
    fn new(workspace: &'a Workspace) -> Self {
        Self { workspace, real: workspace.root.canonicalize().ok() }
    }

    /// The paths of the Rust file at `path`: as it is written, and that which links lead to.
    fn of(&self, path: &Path) -> BTreeSet<RelPath> {
        if path.extension().is_none_or(|extension| extension != "rs") {
            return BTreeSet::new();
        }
        let roots = || std::iter::once(&self.workspace.root).chain(&self.real);
        let written = RelPath::without_dots(path);
        let written = roots().find_map(|root| RelPath::between(root, &written));
        let is_listed =
            |path: &RelPath| self.workspace.find(path).is_some_and(|file| !self.workspace.file(file).is_link);
        if written.as_ref().is_some_and(is_listed) {
            return written.into_iter().collect();
        }
        let real = path.canonicalize().ok();
        let real = real.zip(self.real.as_ref()).and_then(|(path, root)| RelPath::between(root, &path));
        written.into_iter().chain(real).collect()
    }
}
