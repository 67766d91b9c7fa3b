//! What a process has read beyond the declared inputs of its tasks: found out after it has ended, kept beside the result,
//! and held against the present before the result is used again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::elsewhere::Unreadable;
use super::keys::{Ground, everything};
use super::record::Extra;
use crate::disk;
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::tool::{Environment, Per, Tool};
use crate::model::workspace::{FileId, PackageId};
use crate::normalize::Traces;
use crate::normalize::reads::{self, Named, Reads};
use crate::scan::is_cargos_variable;

/// Digests over many files, made when they are first asked for.
#[derive(Default)]
pub(super) struct Wide {
    sources: OnceLock<Digest>,
    everything: OnceLock<Digest>,
}

/// What was found, and why that may not be all.
struct Collector<'a> {
    ground: &'a Ground<'a>,
    /// The packages whose files are declared inputs.
    closure: BTreeSet<PackageId>,
    build_dirs: Vec<PathBuf>,
    files: BTreeSet<RelPath>,
    variables: BTreeSet<String>,
    wants_sources: bool,
    wants_everything: bool,
}

/// That it can't be told what a process has read: its result can't be kept.
pub(super) struct Unknown;

impl From<Unreadable> for Unknown {
    fn from(_: Unreadable) -> Self {
        Self
    }
}

impl Ground<'_> {
    /// What a process of `tool` over `units` has read, where `traces` are what it left.
    pub(super) fn extras(
        &self,
        tool: &Tool,
        units: &[Unit],
        traces: &Traces,
        build_dirs: &[&Path],
        wide: &Wide,
    ) -> Result<Vec<Extra>, Unknown> {
        let packages = match tool.per {
            // All files are inputs, or those that its globs name.
            Per::File | Per::TestTarget => return Ok(Vec::new()),
            Per::Workspace if !tool.uses_selection() => return Ok(Vec::new()),
            Per::Workspace => self.plan.packages.clone(),
            Per::Package | Per::TargetRoot => {
                units.iter().filter_map(|unit| unit.package(self.workspace)).collect()
            }
        };
        let closure = match tool.per {
            Per::TargetRoot => packages.iter().copied().collect(),
            _ => self.declared.closure(&packages),
        };
        let mut collector = Collector {
            ground: self,
            closure,
            build_dirs: build_dirs.iter().map(|dir| dir.to_path_buf()).collect(),
            files: BTreeSet::new(),
            variables: BTreeSet::new(),
            wants_sources: false,
            wants_everything: false,
        };
        let is_traced = !traces.dep_infos.is_empty();
        for path in &traces.dep_infos {
            let read = read(path).and_then(|text| reads::dep_info(&text)).ok_or(Unknown)?;
            collector.add(read, Some(&self.workspace.root))?;
        }
        for (package, path) in &traces.scripts {
            let read = reads::build_script(&read(path).ok_or(Unknown)?);
            let dir = package.map(|id| self.workspace.package(id).dir.to_path(&self.workspace.root));
            collector.add(read, dir.as_deref())?;
        }
        let untraced = if is_traced { traces.untraced.clone() } else { collector.closure.clone() };
        for package in untraced {
            collector.scan(package, tool.per == Per::TargetRoot);
        }
        // What a tool sees but a list of, is in its key.
        if tool.environment != Environment::Inherit {
            collector.variables.clear();
        }
        collector.finish(wide)
    }

    /// Whether what was read is still the same.
    pub(super) fn holds(&self, extra: &Extra, wide: &Wide) -> bool {
        match extra {
            Extra::File(path, digest) => self.digest(path).is_ok_and(|now| now == *digest),
            Extra::Made(path, digest) => {
                self.digest(path).is_ok_and(|now| now.is_none_or(|now| now == *digest))
            }
            Extra::Variable(name, digest) => self.variable(name) == *digest,
            Extra::Sources(digest) => wide.sources(self) == *digest,
            Extra::Everything(digest) => wide.everything(self) == *digest,
        }
    }

    fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Unreadable> {
        match self.workspace.find(path) {
            Some(id) => Ok(Some(self.workspace.file(id).digest)),
            None => self.elsewhere.digest(&path.to_path(&self.workspace.root)),
        }
    }

    fn variable(&self, name: &str) -> Option<Digest> {
        self.env.get(name).map(|value| Digest::of_bytes(value.as_encoded_bytes()))
    }
}

impl Wide {
    fn sources(&self, ground: &Ground<'_>) -> Digest {
        let is_source = |path: &RelPath| path.as_bytes().ends_with(b".rs");
        *self.sources.get_or_init(|| everything(ground.workspace, is_source))
    }

    fn everything(&self, ground: &Ground<'_>) -> Digest {
        *self.everything.get_or_init(|| everything(ground.workspace, |_| true))
    }
}

impl Collector<'_> {
    /// Adds what was read; relative paths are seen from `base`, and without one they are of a package that never changes.
    fn add(&mut self, read: Reads, base: Option<&Path>) -> Result<(), Unknown> {
        self.variables.extend(read.variables);
        for file in read.files {
            let path = Path::new(&file);
            let Some(path) = (if path.is_absolute() {
                Some(path.to_path_buf())
            } else {
                base.map(|base| base.join(path))
            }) else {
                continue;
            };
            if self.is_immutable(&path) {
                continue;
            }
            let path = RelPath::between(&self.ground.workspace.root, &RelPath::without_dots(&path))
                .ok_or(Unknown)?;
            self.files.insert(path);
        }
        Ok(())
    }

    /// Whether `path` lies where cargo keeps what it has downloaded, or in the toolchain.
    fn is_immutable(&self, path: &Path) -> bool {
        let env = self.ground.env;
        let home = env.get("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(Path::new(env.get("HOME")?).join(".cargo")));
        home.is_some_and(|home| path.starts_with(home.join("registry")) || path.starts_with(home.join("git")))
    }

    /// Adds what the sources of `package` name; only modules, if nothing but these is followed.
    fn scan(&mut self, package: PackageId, only_modules: bool) {
        let workspace = self.ground.workspace;
        let dir = &workspace.package(package).dir;
        let is_source = |id: &FileId| workspace.file(*id).path.as_bytes().ends_with(b".rs");
        for id in self.ground.declared.files_of(package).iter().copied().filter(is_source) {
            let path = &workspace.file(id).path;
            let Some(text) = read(&path.to_path(&workspace.root)) else { continue };
            let Named { included, variables, is_open, has_far_module } =
                reads::named(&String::from_utf8_lossy(&text), path, dir);
            self.wants_sources |= has_far_module;
            if !only_modules {
                self.wants_everything |= is_open;
                self.files.extend(included);
                self.variables.extend(variables);
            }
        }
    }

    fn finish(self, wide: &Wide) -> Result<Vec<Extra>, Unknown> {
        let ground = self.ground;
        let workspace = ground.workspace;
        let mut extras = Vec::new();
        let mut wants_everything = self.wants_everything;
        for path in &self.files {
            if let Some(id) = workspace.find(path) {
                // A declared input is part of the task's id.
                let owner = workspace.owners.get(id.0 as usize).copied().flatten();
                if owner.is_none_or(|owner| !self.closure.contains(&owner)) {
                    extras.push(Extra::File(path.clone(), Some(workspace.file(id).digest)));
                }
                continue;
            }
            let place = path.to_path(&workspace.root);
            if place.is_dir() {
                // Cargo looks at the times of all that is in it, files to come included.
                let is_input = |id: &PackageId| path.is_within(&workspace.package(*id).dir);
                match path.is_outside() {
                    true => return Err(Unknown),
                    false => wants_everything |= !self.closure.iter().any(is_input),
                }
                continue;
            }
            if self.build_dirs.iter().any(|dir| place.starts_with(dir)) {
                if let Some(digest) = ground.elsewhere.digest(&place)? {
                    extras.push(Extra::Made(path.clone(), digest));
                }
                continue;
            }
            extras.push(Extra::File(path.clone(), ground.elsewhere.settled_digest(&place)?));
        }
        // What cargo sets itself follows from what is known, and what it reads is part of the key.
        for name in self.variables.into_iter().filter(|name| !is_cargos_variable(name)) {
            let value = ground.variable(&name);
            extras.push(Extra::Variable(name, value));
        }
        if self.wants_sources {
            extras.push(Extra::Sources(wide.sources(ground)));
        }
        if wants_everything {
            extras.push(Extra::Everything(wide.everything(ground)));
        }
        Ok(extras)
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    disk::read(path).ok()
}
