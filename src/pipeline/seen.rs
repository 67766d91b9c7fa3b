//! Which files of the workspace a process has compiled or formatted, by what it left behind. Read while nobody builds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::model::path::RelPath;
use crate::model::workspace::Workspace;
use crate::normalize::{BuiltUnit, Parsed, reads};
use crate::pipeline::recall::dep_info_of;

/// Notes in the census of `parsed` which listed files it is about.
pub(super) fn note(workspace: &Workspace, parsed: &mut Parsed) {
    let mut finder = Finder { workspace, real: None };
    for unit in parsed.traces.units.iter().filter(|unit| unit.package.is_some()) {
        parsed.census.compiled.extend(compiled(workspace, unit).iter().filter_map(|path| finder.find(path)));
    }
    parsed.census.files.extend(parsed.traces.formatted.iter().filter_map(|path| finder.find(path)));
}

/// What rustc has read for `unit`; of documentation, its root alone.
fn compiled(workspace: &Workspace, unit: &BuiltUnit) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::from([unit.source.clone()]);
    // Where cargo starts rustc.
    let is_within = unit.source.starts_with(&workspace.root);
    let base = if is_within { Some(workspace.root.as_path()) } else { unit.manifest.parent() };
    if unit.dep_infos.is_empty() {
        return files;
    }
    let read = dep_info_of(unit).and_then(|text| reads::dep_info(&text)).unwrap_or_default();
    files.extend(base.into_iter().flat_map(|base| read.files.iter().map(|file| base.join(file))));
    files
}

/// Whether the link at `path`, or the file behind a link, is a listed file where it really lies.
pub(super) fn is_listed_elsewhere(workspace: &Workspace, path: &RelPath) -> bool {
    let real = path.to_path(&workspace.root).canonicalize().ok();
    let root = workspace.root.canonicalize().ok();
    let found = real.zip(root).and_then(|(real, root)| RelPath::between(&root, &real));
    found.and_then(|path| workspace.find(&path)).is_some_and(|id| workspace.file(id).is_unit())
}

/// Finds files of the workspace by the paths that tools name them by.
struct Finder<'a> {
    workspace: &'a Workspace,
    /// The root without links.
    real: Option<PathBuf>,
}

impl Finder<'_> {
    /// The listed Rust file at `path`, or that which it leads to.
    fn find(&mut self, path: &Path) -> Option<RelPath> {
        if path.extension().is_none_or(|extension| extension != "rs") {
            return None;
        }
        let path = RelPath::without_dots(path);
        let listed = |root: &Path, path: &Path| {
            let path = RelPath::between(root, path)?;
            let file = self.workspace.file(self.workspace.find(&path)?);
            (!file.is_link).then_some(path)
        };
        if let Some(found) = listed(&self.workspace.root, &path) {
            return Some(found);
        }
        let target = path.canonicalize().ok()?;
        let real = match &self.real {
            Some(real) => real.clone(),
            None => self.workspace.root.canonicalize().ok()?,
        };
        let found = listed(&real, &target);
        self.real = Some(real);
        found
    }
}
