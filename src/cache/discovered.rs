//! What a process has read beyond the declared inputs of its tasks: found out after it has ended, kept beside the result,
//! and held against the present before the result is used again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::inputs::{KeyInputs, everything};
use super::outside_files::Unreadable;
use super::record::Discovered;
use super::unreported::List;
use crate::disk;
use crate::model::digest::{ContentHash, Digest, Hasher, Sink};
use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::tool::{Counted, Discovers, Environment, Per, Tool};
use crate::model::workspace::{Package, PackageId};
use crate::normalize::reads::{self, Named, Reads};
use crate::normalize::{BuiltUnit, RanScript, Traces};
use crate::scan::is_cargos_variable;
use crate::workspace;

/// Digests over many files, made when they are first asked for.
#[derive(Default)]
pub(super) struct AllFiles {
    everything: OnceLock<Digest>,
}

/// Collects what was read.
pub(super) struct Collector<'a> {
    inputs: &'a KeyInputs<'a>,
    /// The packages whose files are declared inputs.
    closure: BTreeSet<PackageId>,
    build_dirs: &'a [PathBuf],
    files: BTreeSet<RelPath>,
    /// Those of the files that were called by a path with `..`, by that path: a directory before the `..` may become a link.
    with_dots: BTreeSet<RelPath>,
    /// Files and directories that build scripts are to be run again for.
    watched: BTreeSet<RelPath>,
    variables: BTreeSet<String>,
    /// Where the build scripts of the package whose sources are followed have put what they generated.
    out_dirs: Vec<PathBuf>,
    wants_everything: bool,
}

/// What following sources from one to the next comes to.
#[derive(Clone, Copy, Default)]
struct Followed {
    /// Whether a file is included that no text names.
    is_open: bool,
    /// Whether a generated file is included, and it is not known where it is.
    lacks_generated: bool,
    /// Whether a source tests `cfg(doc)`.
    tests_for_doc: bool,
}

/// That it can't be told what a process has read: its result can't be kept.
pub(super) struct Undiscoverable;

impl From<Unreadable> for Undiscoverable {
    fn from(_: Unreadable) -> Self {
        Self
    }
}

impl KeyInputs<'_> {
    /// What a process of `tool` over `units` has read, where `traces` are what it left.
    pub(super) fn discovered(
        &self,
        tool: &Tool,
        units: &[Unit],
        traces: &Traces,
        build_dirs: &[PathBuf],
        wide: &AllFiles,
    ) -> Result<Vec<Discovered>, Undiscoverable> {
        if self.discovers(tool) == Discovers::Nothing {
            return Ok(Vec::new());
        }
        let mut discovered = self.collect(tool, units, traces, build_dirs)?;
        // What a tool sees but a list of, is in its key, and so is all of what counts altogether.
        if matches!(tool.environment, Environment::Only(_) | Environment::Inherit(Counted::All)) {
            discovered.variables.clear();
        }
        discovered.finish(wide)
    }

    /// How it is found out what `tool` has read. A tool of the user's own that runs cargo leaves no account of its build, so the
    /// sources are followed, and whatever is in the build directory counts.
    fn discovers(&self, tool: &Tool) -> Discovers {
        let mut tools = self.plan.graph.tools.iter().zip(&self.identities);
        let runs_cargo = tools.any(|(other, identity)| identity.runs_cargo && other.name == tool.name);
        match tool.discovers() {
            Discovers::Nothing if runs_cargo && tool.per == Per::Workspace => Discovers::Build,
            discovers => discovers,
        }
    }

    /// What a process of `tool` over `units` has read by all accounts, where `traces` are what it left.
    pub(super) fn collect<'a>(
        &'a self,
        tool: &Tool,
        units: &[Unit],
        traces: &Traces,
        build_dirs: &'a [PathBuf],
    ) -> Result<Collector<'a>, Undiscoverable> {
        let discovers = self.discovers(tool);
        let packages = match tool.per {
            Per::Workspace if !tool.uses_selection() => self.workspace.packages().map(|(id, _)| id).collect(),
            Per::Workspace => self.plan.packages.clone(),
            _ => units.iter().filter_map(|unit| unit.package(self.workspace)).collect(),
        };
        let closure = match discovers {
            Discovers::Nothing => return Ok(self.collector(BTreeSet::new(), build_dirs)),
            Discovers::Modules => packages.iter().copied().collect(),
            Discovers::Build => self.declared.closure(&packages),
        };
        let mut collector = self.collector(closure, build_dirs);
        if discovers == Discovers::Modules {
            for path in &traces.formatted {
                collector.add_file(path)?;
            }
            let roots = units.iter().filter_map(|unit| match unit {
                Unit::TargetRoot(package, at) => {
                    Some((*package, &self.workspace.package(*package).targets[*at as usize].root))
                }
                _ => None,
            });
            for (package, root) in roots {
                collector.follow([root.clone()], &self.workspace.package(package).dir, true);
            }
        } else if traces.units.is_empty() {
            for package in collector.closure.clone() {
                collector.follow_package(package);
            }
            let built = self.built(tool, build_dirs);
            for list in &built.lists {
                collector.add_list(list)?;
            }
            for script in &built.scripts {
                collector.add_script(script)?;
            }
        } else {
            for unit in &traces.units {
                collector.add_unit(unit, &traces.scripts)?;
            }
            for script in &traces.scripts {
                collector.add_script(script)?;
            }
        }
        Ok(collector)
    }

    /// What `unit` has read, or is known to read: equal digests mean that it would read the same again.
    pub(super) fn read_by_unit(
        &self,
        unit: &BuiltUnit,
        scripts: &BTreeSet<RanScript>,
        build_dirs: &[PathBuf],
        wide: &AllFiles,
    ) -> Result<Digest, Undiscoverable> {
        let mut collector = self.collector(BTreeSet::new(), build_dirs);
        collector.add_unit(unit, scripts)?;
        if !unit.dep_infos.is_empty() {
            // Cargo itself follows the variables that rustc reads.
            collector.variables.clear();
        }
        Ok(Digest::of("genti.read.1", &Facts(&collector.finish(wide)?)))
    }

    /// The same for the unit that rustc has written `list` for; `None` if that never changes.
    pub(super) fn read_by_list(
        &self,
        list: &List,
        build_dirs: &[PathBuf],
        wide: &AllFiles,
    ) -> Result<Option<Digest>, Undiscoverable> {
        let mut collector = self.collector(BTreeSet::new(), build_dirs);
        let is_local = collector.add_list(list)?;
        // Cargo itself follows the variables that rustc reads.
        collector.variables.clear();
        let facts = collector.finish(wide)?;
        Ok(is_local.then(|| Digest::of("genti.read.1", &Facts(&facts))))
    }

    /// The same for what a build script states; `None` if it states nothing, so that it runs again for any file of its
    /// package.
    pub(super) fn read_by_script(
        &self,
        script: &RanScript,
        build_dirs: &[PathBuf],
        wide: &AllFiles,
    ) -> Result<Option<Digest>, Undiscoverable> {
        let mut collector = self.collector(BTreeSet::new(), build_dirs);
        collector.add_script(script)?;
        collector.variables.clear();
        let is_stated = !collector.watched.is_empty();
        let facts = collector.finish(wide)?;
        Ok(is_stated.then(|| Digest::of("genti.read.1", &Facts(&facts))))
    }

    /// The files that the sources of `package` name: its modules, and what these include.
    pub(super) fn named_by_sources(&self, package: PackageId, build_dirs: &[PathBuf]) -> BTreeSet<RelPath> {
        let mut collector = self.collector(BTreeSet::new(), build_dirs);
        let Package { dir, targets, .. } = self.workspace.package(package);
        collector.follow(targets.iter().map(|target| target.root.clone()), dir, false);
        collector.files
    }

    fn collector<'a>(&'a self, closure: BTreeSet<PackageId>, build_dirs: &'a [PathBuf]) -> Collector<'a> {
        Collector {
            inputs: self,
            closure,
            build_dirs,
            files: BTreeSet::new(),
            with_dots: BTreeSet::new(),
            watched: BTreeSet::new(),
            variables: BTreeSet::new(),
            out_dirs: Vec::new(),
            wants_everything: false,
        }
    }

    /// Whether `path` lies where cargo keeps what it has downloaded: that never changes.
    pub(super) fn is_immutable(&self, path: &Path) -> bool {
        let home = self.env.get("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(Path::new(self.env.get("HOME")?).join(".cargo")));
        home.is_some_and(|home| path.starts_with(home.join("registry")) || path.starts_with(home.join("git")))
    }

    /// Whether what was read is still the same.
    pub(super) fn holds(&self, fact: &Discovered, build_dirs: &[PathBuf], wide: &AllFiles) -> bool {
        match fact {
            Discovered::File(path, digest) => self.digest(path).is_ok_and(|now| now == *digest),
            Discovered::Made(path, digest) => {
                self.digest(path).is_ok_and(|now| now.is_none_or(|now| now == *digest))
            }
            Discovered::Below(path, digest) => {
                self.below(&path.to_path(&self.workspace.root), build_dirs).is_ok_and(|now| now == *digest)
            }
            Discovered::Variable(name, digest) => self.variable(name) == *digest,
            Discovered::Everything(digest) => wide.everything(self) == *digest,
        }
    }

    fn digest(&self, path: &RelPath) -> Result<Option<Digest>, Unreadable> {
        match self.workspace.find(path).map(|id| self.workspace.file(id)).filter(|file| !file.is_link) {
            Some(file) => Ok(Some(file.digest)),
            None => self.outside.digest(&path.to_path(&self.workspace.root)),
        }
    }

    /// The digest of all that is in the directory `dir`, what cargo builds aside.
    fn below(&self, dir: &Path, build_dirs: &[PathBuf]) -> Result<Digest, Undiscoverable> {
        const MOST: usize = 10_000;
        let left_out = [build_dirs, &[self.workspace.target_dir.clone(), self.workspace.build_dir.clone()]];
        let files = workspace::everything_below(dir, &left_out.concat(), MOST).ok_or(Undiscoverable)?;
        let mut hasher = Hasher::new("genti.below.1");
        for (path, place) in files {
            hasher.field("path", path.as_bytes());
            let digest = self.outside.digest(&place)?;
            hasher.field("content", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
        }
        Ok(hasher.finish())
    }

    fn variable(&self, name: &str) -> Option<Digest> {
        self.env.get(name).map(|value| Digest::of_bytes(value.as_encoded_bytes()))
    }
}

impl AllFiles {
    fn everything(&self, inputs: &KeyInputs<'_>) -> Digest {
        *self.everything.get_or_init(|| everything(inputs.workspace, |_| true))
    }
}

impl Collector<'_> {
    /// Adds what `unit` has read by rustc's own account. Rustdoc gives none: of documentation, adds what its sources name.
    fn add_unit(&mut self, unit: &BuiltUnit, scripts: &BTreeSet<RanScript>) -> Result<(), Undiscoverable> {
        if self.inputs.is_immutable(&unit.manifest) {
            return Ok(());
        }
        let root = &self.inputs.workspace.root;
        let dir = unit.manifest.parent().unwrap_or(root);
        // Where cargo starts rustc.
        let base = if unit.source.starts_with(root) { root } else { dir };
        let source = RelPath::between(root, &RelPath::without_dots(&unit.source)).ok_or(Undiscoverable)?;
        let package = RelPath::between(root, dir).ok_or(Undiscoverable)?;
        if unit.is_doc {
            let scripts = scripts.iter().filter(|script| script.manifest.as_ref() == Some(&unit.manifest));
            self.out_dirs = scripts.map(|script| script.output.with_file_name("out")).collect();
            let Followed { is_open, lacks_generated, tests_for_doc } = self.follow([source], &package, false);
            if is_open || lacks_generated {
                // Rustc has read the same files, unless a condition lets rustdoc alone see some of them.
                if tests_for_doc || unit.read_by_rustc.is_empty() {
                    return Err(Undiscoverable);
                }
                for list in &unit.read_by_rustc {
                    let text = read(list).ok_or(Undiscoverable)?;
                    self.add(reads::dep_info(&text).ok_or(Undiscoverable)?, base)?;
                }
            }
            return Ok(());
        }
        let text = dep_info_of(unit).ok_or(Undiscoverable)?;
        self.add(reads::dep_info(&text).ok_or(Undiscoverable)?, base)?;
        self.add_absent_modules(source, &package);
        Ok(())
    }

    /// Adds what rustc has read by its own `list`. Whether it is of a unit that may change.
    fn add_list(&mut self, List { path, base, source }: &List) -> Result<bool, Undiscoverable> {
        let root = &self.inputs.workspace.root;
        let (base, source) = base.as_deref().zip(source.as_deref()).ok_or(Undiscoverable)?;
        if self.inputs.is_immutable(source) {
            return Ok(false);
        }
        let text = read(path).ok_or(Undiscoverable)?;
        self.add(reads::dep_info(&text).ok_or(Undiscoverable)?, base)?;
        let source = RelPath::between(root, &RelPath::without_dots(source)).ok_or(Undiscoverable)?;
        let dir = source.parent().unwrap_or_default();
        self.add_absent_modules(source, &dir);
        Ok(true)
    }

    /// Adds the files that modules below `source` might have and don't: one that appears is an error, or another module.
    fn add_absent_modules(&mut self, source: RelPath, dir: &RelPath) {
        let root = &self.inputs.workspace.root;
        let mut modules = self.inputs.collector(BTreeSet::new(), self.build_dirs);
        modules.follow([source], dir, true);
        self.files.extend(modules.files.into_iter().filter(|path| !path.to_path(root).exists()));
    }

    /// Adds what a build script wants to be run again for.
    fn add_script(&mut self, script: &RanScript) -> Result<(), Undiscoverable> {
        let stated = reads::build_script(&read(&script.output).ok_or(Undiscoverable)?);
        self.variables.extend(stated.variables);
        let Some(manifest) = script.manifest.as_deref().filter(|path| !self.inputs.is_immutable(path)) else {
            // What it reads outside of its package counts all the same.
            let absolute = stated.files.iter().map(Path::new).filter(|path| path.is_absolute());
            return absolute
                .filter(|path| !self.inputs.is_immutable(path))
                .try_for_each(|path| self.watch(path));
        };
        let dir = manifest.parent().unwrap_or(manifest);
        stated.files.iter().try_for_each(|file| self.watch(&dir.join(file)))
    }

    /// Adds `read`; relative paths are seen from `base`.
    fn add(&mut self, read: Reads, base: &Path) -> Result<(), Undiscoverable> {
        self.variables.extend(read.variables);
        read.files.iter().try_for_each(|file| self.add_file(&base.join(file)))
    }

    /// Whether the file at `path` is among what was read.
    pub(super) fn contains(&self, path: &RelPath) -> bool {
        self.files.contains(path) || self.watched.iter().any(|watched| path.is_within(watched))
    }

    /// Whether any other file may have been read.
    pub(super) fn is_open(&self) -> bool {
        self.wants_everything
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Undiscoverable> {
        if !self.inputs.is_immutable(path) {
            let path = self.relative(path)?;
            let path = self.without_dots(path);
            self.files.insert(path);
        }
        Ok(())
    }

    fn watch(&mut self, path: &Path) -> Result<(), Undiscoverable> {
        let path = self.relative(path)?;
        let path = self.without_dots(path);
        self.watched.insert(path);
        Ok(())
    }

    /// `path` as [`disk::without_dots`] has it.
    fn without_dots(&mut self, path: RelPath) -> RelPath {
        let root = &self.inputs.workspace.root;
        let plain = RelPath::between(root, &disk::without_dots(&path.to_path(root)));
        match plain.filter(|plain| *plain != path) {
            Some(plain) => {
                self.with_dots.insert(path);
                plain
            }
            None => path,
        }
    }

    fn relative(&self, path: &Path) -> Result<RelPath, Undiscoverable> {
        let root = &self.inputs.workspace.root;
        // Some tools resolve links before they print a path.
        let real = root.canonicalize().ok().filter(|real| path.starts_with(real));
        RelPath::between(real.as_deref().unwrap_or(root), path).ok_or(Undiscoverable)
    }

    /// Adds what the sources of `package` name: those of its targets, and all others that are listed.
    fn follow_package(&mut self, package: PackageId) {
        let workspace = self.inputs.workspace;
        let Package { dir, targets, .. } = workspace.package(package);
        let of_targets = self.follow(targets.iter().map(|target| target.root.clone()), dir, false);
        let listed = self.inputs.declared.files_of(package).iter().map(|id| &workspace.file(*id).path);
        let listed = listed.filter(|path| path.as_bytes().ends_with(b".rs") && !self.files.contains(*path));
        let listed: Vec<_> = listed.cloned().collect();
        self.wants_everything |= self.follow(listed, dir, false).is_open || of_targets.is_open;
    }

    /// Adds `roots`, sources of the package in `dir`, and what is named by them and by the modules that they lead to: only
    /// modules, or what they include as well.
    fn follow(
        &mut self,
        roots: impl IntoIterator<Item = RelPath>,
        dir: &RelPath,
        only_modules: bool,
    ) -> Followed {
        let root = &self.inputs.workspace.root;
        let mut queue: Vec<_> = roots.into_iter().map(|path| (path, true)).collect();
        let mut seen = BTreeSet::new();
        let mut followed = Followed::default();
        while let Some((path, is_root)) = queue.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let text = read(&path.to_path(root));
            self.files.insert(path.clone());
            let Some(text) = text else { continue };
            let Named { modules, included, generated, mentioned, variables, is_open, tests_for_doc } =
                reads::named(&String::from_utf8_lossy(&text), &path, dir, is_root);
            queue.extend(modules.into_iter().map(|path| (self.without_dots(path), false)));
            if !only_modules {
                followed.is_open |= is_open;
                followed.lacks_generated |= !generated.is_empty() && self.out_dirs.is_empty();
                followed.tests_for_doc |= tests_for_doc;
                self.variables.extend(variables);
                let generated = generated.iter().flat_map(|path| {
                    self.out_dirs.iter().filter_map(|dir| RelPath::between(root, &path.to_path(dir)))
                });
                let included: Vec<_> = generated.chain(included).collect();
                for path in included {
                    let path = self.without_dots(path);
                    match path.as_bytes().ends_with(b".rs") {
                        true => queue.push((path, false)),
                        false => drop(self.files.insert(path)),
                    }
                }
                for path in mentioned.into_iter().filter(|path| path.to_path(root).is_file()) {
                    let path = self.without_dots(path);
                    self.files.insert(path);
                }
            }
        }
        followed
    }

    fn finish(self, wide: &AllFiles) -> Result<Vec<Discovered>, Undiscoverable> {
        let inputs = self.inputs;
        let mut discovered = Vec::new();
        let mut ignores = workspace::Ignores::new(inputs.workspace);
        for path in &self.files {
            discovered.extend(self.fact(path, &mut ignores)?);
        }
        for path in self.watched.iter().filter(|path| !self.files.contains(*path)) {
            let place = path.to_path(&inputs.workspace.root);
            if place.is_dir() {
                discovered.push(Discovered::Below(path.clone(), inputs.below(&place, self.build_dirs)?));
            } else if place.exists() {
                discovered.extend(self.fact(path, &mut ignores)?);
            } else {
                // Cargo runs it every time.
                return Err(Undiscoverable);
            }
        }
        // Last: a change is better named by a plain path.
        for path in &self.with_dots {
            discovered.extend(self.fact(path, &mut ignores)?);
        }
        // What cargo sets itself follows from what is known, and what it reads is part of the key.
        for name in self.variables.into_iter().filter(|name| !is_cargos_variable(name)) {
            let value = inputs.variable(&name);
            discovered.push(Discovered::Variable(name, value));
        }
        if self.wants_everything {
            discovered.push(Discovered::Everything(wide.everything(inputs)));
        }
        Ok(discovered)
    }

    /// That the file at `path` is as it is; `None` if the ids of tasks say so.
    fn fact(
        &self,
        path: &RelPath,
        ignores: &mut workspace::Ignores<'_>,
    ) -> Result<Option<Discovered>, Undiscoverable> {
        let KeyInputs { workspace, outside, .. } = self.inputs;
        let is_declared = |owner: Option<PackageId>| owner.is_some_and(|owner| self.closure.contains(&owner));
        if let Some(id) = workspace.find(path) {
            let owner = workspace.owners.get(id.0 as usize).copied().flatten();
            // Of a link, what it leads to may not be in its digest.
            return match is_declared(owner) && !workspace.beyond.iter().any(|(link, _)| *link == id) {
                true => Ok(None),
                false => Ok(Some(Discovered::File(path.clone(), self.inputs.digest(path)?))),
            };
        }
        let place = path.to_path(&workspace.root);
        if self.build_dirs.iter().any(|dir| place.starts_with(dir)) {
            // Before the run, something else may have been there.
            let digest = outside.digest_now(&place)?;
            return Ok(digest.map(|digest| Discovered::Made(path.clone(), digest)));
        }
        let digest = outside.settled_digest(&place)?;
        // Where it would be listed, its appearance changes an id.
        let shows = digest.is_none() && is_declared(workspace.owner_of(path)) && !ignores.would_ignore(path);
        Ok((!shows).then(|| Discovered::File(path.clone(), digest)))
    }
}

/// Facts as they are hashed.
struct Facts<'a>(&'a [Discovered]);

impl ContentHash for Facts<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.count("facts", self.0.len());
        for fact in self.0 {
            let (kind, name, digest) = match fact {
                Discovered::File(path, digest) => ("file", path.as_bytes(), *digest),
                Discovered::Made(path, digest) => ("made", path.as_bytes(), Some(*digest)),
                Discovered::Below(path, digest) => ("below", path.as_bytes(), Some(*digest)),
                Discovered::Variable(name, digest) => ("variable", name.as_bytes(), *digest),
                Discovered::Everything(digest) => ("everything", &b""[..], Some(*digest)),
            };
            sink.field(kind, name);
            sink.field("digest", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
        }
    }
}

/// The lists of what rustc has read of the target that `unit` documents: beside what was made of it in the same directory.
pub(super) fn dep_infos_beside(unit: &BuiltUnit) -> Vec<PathBuf> {
    let target = unit.fingerprint.rsplit_once('-').map_or("", |(_, name)| name).replace('-', "_");
    // `TARGET/doc/NAME/index.html`, and profiles beside `doc`.
    let Some(base) = unit.artifact.ancestors().nth(3) else { return Vec::new() };
    let profiles = std::fs::read_dir(base).into_iter().flatten().flatten();
    let files =
        profiles.flat_map(|profile| std::fs::read_dir(profile.path().join("deps")).into_iter().flatten());
    let is_its = |name: &str| {
        name.strip_suffix(".d").and_then(|name| name.rsplit_once('-')).is_some_and(|(name, _)| name == target)
    };
    let own = files.flatten().filter(|file| file.file_name().to_str().is_some_and(is_its));
    own.map(|file| file.path()).collect()
}

/// The list of what rustc has read of the program that cargo has linked to `artifact`, a name without a hash.
fn linked_dep_info(artifact: &Path) -> Option<PathBuf> {
    let seen = |path: &Path| path.metadata().and_then(|meta| Ok((meta.len(), meta.modified()?))).ok();
    let program = seen(artifact)?;
    let name = artifact.file_name()?.to_str()?;
    let stem = name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(name).replace('-', "_");
    let dir = artifact.parent()?;
    let files =
        [dir.join("deps"), dir.to_path_buf()].into_iter().filter_map(|dir| std::fs::read_dir(dir).ok());
    let mut lists = files.flatten().flatten().map(|entry| entry.path()).filter(|path| {
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|_| path.extension() == Some("d".as_ref()));
        name.and_then(|name| name.rsplit_once('-')).is_some_and(|(own, _)| own.replace('-', "_") == stem)
    });
    lists.find(|list| {
        let built = list.with_file_name(format!(
            "{}{}",
            list.file_stem().unwrap_or_default().to_string_lossy(),
            std::env::consts::EXE_SUFFIX
        ));
        seen(&built) == Some(program)
    })
}

/// What rustc says it has read for `unit`, which is no documentation.
pub(crate) fn dep_info_of(unit: &BuiltUnit) -> Option<Vec<u8>> {
    let text = unit.dep_infos.iter().find_map(|path| read(path));
    text.or_else(|| read(&linked_dep_info(&unit.artifact)?))
}

/// The source that rustc names first in its `list`, as it names it.
pub(super) fn first_source(list: &Path) -> Option<PathBuf> {
    reads::dep_info(&read(list)?)?.files.into_iter().next().map(PathBuf::from)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    disk::read(path).ok()
}
