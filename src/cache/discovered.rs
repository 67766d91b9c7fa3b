//! Discovered inputs: files and variables that a process read beyond the declared inputs of its tasks. They are determined
//! after the process has ended, stored with the result, and compared with the current state before the result is reused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::dep_info::{DepInfo, dep_info_of, read};
use super::inputs::KeyInputs;
use super::outside_files::UnreadableFile;
use super::record::Discovered;
use crate::disk;
use crate::model::digest::{ContentHash, Digest, Hasher, Sink};
use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::tool::{Counted, Discovers, Environment, Per, Tool};
use crate::model::workspace::{Package, PackageId};
use crate::normalize::reads::{self, NamedFiles, Reads};
use crate::normalize::{BuiltUnit, RanScript, Traces};
use crate::scan::is_cargos_variable;
use crate::workspace;

/// Digests over many files, computed on first use.
#[derive(Default)]
pub(super) struct AllFiles {
    everything: OnceLock<Option<Digest>>,
}

/// Collects the inputs that a process discovered.
pub(super) struct InputCollector<'a> {
    pub(super) inputs: &'a KeyInputs<'a>,
    /// The packages whose files are declared inputs.
    closure: BTreeSet<PackageId>,
    pub(super) build_dirs: &'a [PathBuf],
    files: BTreeSet<RelPath>,
    /// Paths of `files` that were given with a `..`, as given: a directory before the `..` may become a link.
    with_dots: BTreeSet<RelPath>,
    /// Files and directories for which build scripts ask to be run again.
    pub(super) watched: BTreeSet<RelPath>,
    pub(super) variables: BTreeSet<String>,
    /// Files and directories that the sources of build scripts and procedural macros name. A script may also write them.
    pub(super) named: BTreeSet<RelPath>,
    /// Directories that such sources name, and of which only the list of files counts.
    pub(super) named_lists: BTreeSet<PathBuf>,
    /// Variables that such sources name.
    pub(super) named_variables: BTreeSet<String>,
    /// `OUT_DIR` of each build script of the package whose sources are followed.
    out_dirs: Vec<PathBuf>,
    /// True if a source includes a file whose path can't be determined.
    may_read_any: bool,
}

/// Result of following sources from file to file.
#[derive(Clone, Copy, Default)]
pub(super) struct Followed {
    /// True if a source includes a file whose path can't be determined.
    includes_unknown: bool,
    /// True if a source includes a generated file and `OUT_DIR` is unknown.
    lacks_generated: bool,
    /// True if a source tests `cfg(doc)`.
    tests_for_doc: bool,
    /// True if a source defines a macro that expands to an include.
    exports_include: bool,
    /// True if a source may be that of a procedural macro that produces an include.
    quotes_include: bool,
}

/// The inputs of a process can't be determined, so its result can't be stored.
pub(super) struct Undiscoverable;

impl From<UnreadableFile> for Undiscoverable {
    fn from(_: UnreadableFile) -> Self {
        Self
    }
}

impl KeyInputs<'_> {
    /// Returns what each task of a process of `tool` over `units` read, according to the `traces` that the process left.
    pub(super) fn collect_each<'a>(
        &'a self,
        tool: &Tool,
        units: &[Unit],
        traces: &Traces,
        build_dirs: &'a [PathBuf],
    ) -> Result<Vec<InputCollector<'a>>, Undiscoverable> {
        let each = units.iter().map(|unit| self.collect(tool, *unit, traces, build_dirs));
        let mut each = each.collect::<Result<Vec<_>, _>>()?;
        match self.discovers(tool) {
            Discovers::Modules => self.add_formatted(traces, &mut each)?,
            Discovers::Build if traces.units.is_empty() => self.add_builds(tool, build_dirs, &mut each)?,
            Discovers::Build | Discovers::Nothing => {}
        }
        Ok(each)
    }

    /// Adds what every unit in the build directory of `tool` read, because it is unknown which of them the process built.
    fn add_builds(
        &self,
        tool: &Tool,
        build_dirs: &[PathBuf],
        each: &mut [InputCollector<'_>],
    ) -> Result<(), Undiscoverable> {
        let built = self.built(tool, build_dirs);
        let mut read = self.collector(BTreeSet::new(), build_dirs);
        for dep_info in &built.dep_infos {
            read.add_dep_info(dep_info)?;
        }
        for script in &built.scripts {
            read.add_script(script)?;
        }
        each.iter_mut().for_each(|collector| collector.merge(&read));
        Ok(())
    }

    /// Adds the files that a formatter formatted. It doesn't say which root led it to a file, so each root that names a file has
    /// read it, and if none does, any of them may have.
    fn add_formatted(&self, traces: &Traces, each: &mut [InputCollector<'_>]) -> Result<(), Undiscoverable> {
        let named: BTreeSet<_> = each.iter().flat_map(|collector| collector.files.iter().cloned()).collect();
        for path in traces.formatted.iter().filter(|path| !self.is_immutable(path)) {
            let path = self.relative(path)?;
            if !named.contains(&path) && !named.contains(&self.plain(&path)) {
                each.iter_mut().for_each(|collector| collector.insert(path.clone()));
            }
        }
        Ok(())
    }

    /// Returns the inputs of a task of `tool` beyond its key.
    pub(super) fn discovered(
        &self,
        tool: &Tool,
        mut read: InputCollector<'_>,
        all_files: &AllFiles,
    ) -> Result<Vec<Discovered>, Undiscoverable> {
        // All variables that such a tool can see are part of its key.
        if matches!(tool.environment, Environment::Only(_) | Environment::Inherit(Counted::All)) {
            read.variables.clear();
            read.named_variables.clear();
        }
        read.finish(all_files)
    }

    /// Returns how inputs of `tool` are discovered. A custom tool that runs cargo does not report its build: for it, sources are
    /// followed and every unit in the build directory counts.
    fn discovers(&self, tool: &Tool) -> Discovers {
        let mut tools = self.plan.graph.tools.iter().zip(&self.identities);
        let runs_cargo = tools.any(|(other, identity)| identity.runs_cargo && other.name == tool.name);
        match tool.discovers() {
            Discovers::Nothing if runs_cargo && tool.per == Per::Workspace => Discovers::Build,
            discovers => discovers,
        }
    }

    /// Collects what a task of `tool` over `unit` read, according to the `traces` that its process left. What can't be told apart
    /// by task is added later: files that a formatter formatted, and builds without traces.
    fn collect<'a>(
        &'a self,
        tool: &Tool,
        unit: Unit,
        traces: &Traces,
        build_dirs: &'a [PathBuf],
    ) -> Result<InputCollector<'a>, Undiscoverable> {
        let discovers = self.discovers(tool);
        let packages = match tool.per {
            Per::Workspace if !tool.uses_selection() => self.workspace.packages().map(|(id, _)| id).collect(),
            Per::Workspace => self.plan.build_of(tool).packages.to_vec(),
            _ => unit.package(self.workspace).into_iter().collect(),
        };
        // Only what is declared for this task: another task of the process may get its result from the cache later.
        let closure = match discovers {
            Discovers::Nothing => BTreeSet::new(),
            Discovers::Modules => packages.iter().copied().collect(),
            Discovers::Build => self.declared.closure(&packages),
        };
        let mut collector = self.collector(closure, build_dirs);
        match discovers {
            Discovers::Nothing => {}
            Discovers::Modules => {
                if let Unit::TargetRoot(package, at) = unit {
                    let package = self.workspace.package(package);
                    collector.follow([package.targets[at as usize].root.clone()], &package.dir, true);
                }
            }
            Discovers::Build if traces.units.is_empty() => {
                for package in collector.closure.clone() {
                    collector.follow_package(package);
                }
            }
            Discovers::Build => {
                // The process may have built packages for other tasks.
                let is_mine = |closure: &BTreeSet<PackageId>, package: Option<PackageId>| {
                    package.is_none_or(|package| closure.contains(&package))
                };
                for unit in &traces.units {
                    if is_mine(&collector.closure, unit.package) {
                        collector.add_unit(unit, &traces.scripts)?;
                    }
                }
                for script in &traces.scripts {
                    if is_mine(&collector.closure, script.package) {
                        collector.add_script(script)?;
                    }
                }
            }
        }
        Ok(collector)
    }

    /// Returns whether code that uses `unit` may include files that only a macro names: `unit` is a procedural macro that may
    /// produce an include, or a crate of this machine that exports such a macro.
    pub(super) fn exports_include(&self, unit: &BuiltUnit) -> bool {
        let root = &self.workspace.root;
        if unit.is_doc || !unit.is_macro && self.is_immutable(&unit.manifest) {
            return false;
        }
        let dir = unit.manifest.parent().unwrap_or(root);
        let source = RelPath::between(root, &RelPath::without_dots(&unit.source));
        let Some((source, package)) = source.zip(RelPath::between(root, dir)) else { return true };
        let followed = self.collector(BTreeSet::new(), &[]).follow([source], &package, false);
        match unit.is_macro {
            true => followed.quotes_include,
            false => followed.exports_include,
        }
    }

    /// Returns a digest over what `unit` reads. While it is unchanged, building the unit again would read the same.
    pub(super) fn digest_of_unit(
        &self,
        unit: &BuiltUnit,
        scripts: &BTreeSet<RanScript>,
        build_dirs: &[PathBuf],
        all_files: &AllFiles,
    ) -> Result<Digest, Undiscoverable> {
        let mut collector = self.collector(BTreeSet::new(), build_dirs);
        collector.add_unit(unit, scripts)?;
        if !unit.dep_infos.is_empty() {
            // Cargo itself tracks the variables that rustc reads.
            collector.variables.clear();
        }
        let mut hasher = Hasher::new("genti.read.2");
        collector.feed_named(&mut hasher)?;
        hasher.field("read", &Digest::of("genti.read.1", &HashedInputs(&collector.finish(all_files)?)).0);
        Ok(hasher.finish())
    }

    /// Like [`digest_of_unit`](Self::digest_of_unit), for the unit of `dep_info`; `None` if that unit can't change.
    pub(super) fn digest_of_dep_info(
        &self,
        dep_info: &DepInfo,
        build_dirs: &[PathBuf],
        all_files: &AllFiles,
    ) -> Result<Option<Digest>, Undiscoverable> {
        let mut collector = self.collector(BTreeSet::new(), build_dirs);
        let is_local = collector.add_dep_info(dep_info)?;
        // Cargo itself tracks the variables that rustc reads.
        collector.variables.clear();
        let inputs = collector.finish(all_files)?;
        Ok(is_local.then(|| Digest::of("genti.read.1", &HashedInputs(&inputs))))
    }

    /// Returns the files that the sources of `package` name: its modules, and the files that these include.
    pub(super) fn named_by_sources(&self, package: PackageId, build_dirs: &[PathBuf]) -> BTreeSet<RelPath> {
        let mut collector = self.collector(BTreeSet::new(), build_dirs);
        let Package { dir, targets, .. } = self.workspace.package(package);
        collector.follow(targets.iter().map(|target| target.root.clone()), dir, false);
        collector.files
    }

    pub(super) fn collector<'a>(
        &'a self,
        closure: BTreeSet<PackageId>,
        build_dirs: &'a [PathBuf],
    ) -> InputCollector<'a> {
        InputCollector {
            inputs: self,
            closure,
            build_dirs,
            files: BTreeSet::new(),
            with_dots: BTreeSet::new(),
            watched: BTreeSet::new(),
            variables: BTreeSet::new(),
            named: BTreeSet::new(),
            named_lists: BTreeSet::new(),
            named_variables: BTreeSet::new(),
            out_dirs: Vec::new(),
            may_read_any: false,
        }
    }

    /// Returns `path` as resolved by [`disk::without_dots`], or unchanged if it leads outside.
    pub(super) fn plain(&self, path: &RelPath) -> RelPath {
        let root = &self.workspace.root;
        let plain = RelPath::between(root, &disk::without_dots(&path.to_path(root)));
        plain.unwrap_or_else(|| path.clone())
    }

    /// Returns where `path` really leads, if it exists. `None` for a regular file of the workspace, which leads nowhere else.
    pub(super) fn real(&self, path: &RelPath) -> Option<RelPath> {
        if self.workspace.find(path).is_some_and(|file| self.workspace.file(file).is_unit()) {
            return None;
        }
        self.relative(&path.to_path(&self.workspace.root).canonicalize().ok()?).ok()
    }

    pub(super) fn relative(&self, path: &Path) -> Result<RelPath, Undiscoverable> {
        // Some tools resolve links before they print a path.
        let real = Some(&self.real_root).filter(|real| path.starts_with(real));
        RelPath::between(real.unwrap_or(&self.workspace.root), path).ok_or(Undiscoverable)
    }

    /// Returns whether `path` belongs to cargo's downloads, which never change.
    pub(super) fn is_immutable(&self, path: &Path) -> bool {
        let home = self.env.get("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(Path::new(self.env.get("HOME")?).join(".cargo")));
        home.is_some_and(|home| path.starts_with(home.join("registry")) || path.starts_with(home.join("git")))
    }

    /// Returns whether a discovered input is unchanged.
    pub(super) fn is_unchanged(
        &self,
        input: &Discovered,
        build_dirs: &[PathBuf],
        all_files: &AllFiles,
    ) -> bool {
        match input {
            Discovered::File(path, digest) => self.digest(path).is_ok_and(|now| now == *digest),
            Discovered::Generated(path, digest) => {
                self.digest(path).is_ok_and(|now| now.is_none_or(|now| now == *digest))
            }
            Discovered::Directory(path, digest) => self
                .digest_below(&path.to_path(&self.workspace.root), build_dirs)
                .is_ok_and(|now| now == *digest),
            Discovered::Variable(name, digest) => self.variable(name) == *digest,
            Discovered::Everything(digest) => all_files.everything(self) == Some(*digest),
            Discovered::Seen(..)
            | Discovered::Listed(..)
            | Discovered::Content(..)
            | Discovered::Built(..)
            | Discovered::Until(_) => self.is_as_observed(input),
        }
    }

    pub(super) fn digest(&self, path: &RelPath) -> Result<Option<Digest>, UnreadableFile> {
        match self.workspace.find(path).map(|id| self.workspace.file(id)).filter(|file| !file.is_link) {
            Some(file) => Ok(Some(file.digest)),
            None => {
                let place = path.to_path(&self.workspace.root);
                Ok(self.outside.digest(&place)?.or_else(|| directory_at(&place)))
            }
        }
    }

    /// Returns a digest over all files below `dir`, except cargo's build and target directories.
    pub(super) fn digest_below(&self, dir: &Path, build_dirs: &[PathBuf]) -> Result<Digest, Undiscoverable> {
        let files = self.all_below(dir, build_dirs).ok_or(Undiscoverable)?;
        let mut hasher = Hasher::new("genti.below.1");
        for (path, place) in files {
            hasher.field("path", path.as_bytes());
            let digest = self.outside.digest(&place)?;
            hasher.field("content", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
        }
        Ok(hasher.finish())
    }

    /// Returns these files with their places; `None` if there are too many.
    pub(super) fn all_below(&self, dir: &Path, build_dirs: &[PathBuf]) -> Option<Vec<(RelPath, PathBuf)>> {
        const MOST: usize = 10_000;
        let left_out = [build_dirs, &[self.workspace.target_dir.clone(), self.workspace.build_dir.clone()]];
        workspace::everything_below(dir, &left_out.concat(), MOST)
    }

    pub(super) fn variable(&self, name: &str) -> Option<Digest> {
        self.env.get(name).map(|value| Digest::of_bytes(value.as_encoded_bytes()))
    }
}

impl AllFiles {
    pub(super) fn everything(&self, inputs: &KeyInputs<'_>) -> Option<Digest> {
        *self.everything.get_or_init(|| inputs.everything())
    }
}

impl InputCollector<'_> {
    /// Adds the files that `unit` read according to rustc. Rustdoc writes no dep-info, so for documentation the files that the
    /// sources name are added.
    fn add_unit(&mut self, unit: &BuiltUnit, scripts: &BTreeSet<RanScript>) -> Result<(), Undiscoverable> {
        if self.inputs.is_immutable(&unit.manifest) {
            return Ok(());
        }
        let root = &self.inputs.workspace.root;
        let dir = unit.manifest.parent().unwrap_or(root);
        let source = RelPath::between(root, &RelPath::without_dots(&unit.source)).ok_or(Undiscoverable)?;
        let package = RelPath::between(root, dir).ok_or(Undiscoverable)?;
        if unit.is_doc {
            let scripts = scripts.iter().filter(|script| script.manifest.as_ref() == Some(&unit.manifest));
            self.out_dirs = scripts.map(|script| script.output.with_file_name("out")).collect();
            let Followed { includes_unknown, lacks_generated, tests_for_doc, .. } =
                self.follow([source], &package, false);
            if includes_unknown || lacks_generated || unit.may_include_anything {
                // Rustc read the same files, unless `cfg(doc)` shows some of them to rustdoc alone.
                if tests_for_doc || unit.read_by_rustc.is_empty() {
                    return Err(Undiscoverable);
                }
                for dep_info in &unit.read_by_rustc {
                    let text = read(dep_info, self.inputs.copies).ok_or(Undiscoverable)?;
                    self.add(reads::dep_info(&text).ok_or(Undiscoverable)?, &unit.base)?;
                }
            }
            return Ok(());
        }
        let text = dep_info_of(unit, self.inputs.copies).ok_or(Undiscoverable)?;
        let read = reads::dep_info(&text).ok_or(Undiscoverable)?;
        // Lints of clippy about packages read these, but its dep-info names only the manifest of the workspace.
        if unit.package.is_some() && read.variables.iter().any(|name| name == "CLIPPY_ARGS") {
            let of_workspace = if unit.base.starts_with(root) { &unit.base } else { root };
            let (manifest, lock) = (of_workspace.join("Cargo.toml"), of_workspace.join("Cargo.lock"));
            [&unit.manifest, &manifest, &lock].into_iter().try_for_each(|path| self.add_file(path))?;
        }
        self.add(read, &unit.base)?;
        self.add_absent_modules(source.clone(), &package);
        if unit.is_macro {
            self.add_named_by_macro(unit, source, &package)?;
        }
        Ok(())
    }

    /// Adds the files in `dep_info`. Returns whether its unit can change.
    fn add_dep_info(&mut self, DepInfo { path, base, source }: &DepInfo) -> Result<bool, Undiscoverable> {
        let root = &self.inputs.workspace.root;
        let (base, source) = base.as_deref().zip(source.as_deref()).ok_or(Undiscoverable)?;
        if self.inputs.is_immutable(source) {
            return Ok(false);
        }
        let text = read(path, self.inputs.copies).ok_or(Undiscoverable)?;
        self.add(reads::dep_info(&text).ok_or(Undiscoverable)?, base)?;
        let source = RelPath::between(root, &RelPath::without_dots(source)).ok_or(Undiscoverable)?;
        let dir = source.parent().unwrap_or_default();
        self.add_absent_modules(source, &dir);
        Ok(true)
    }

    /// Adds the absent files in which rustc looks for modules below `source`. If one of them appears, rustc
    /// reports an error or uses it instead of another file.
    fn add_absent_modules(&mut self, source: RelPath, dir: &RelPath) {
        let root = &self.inputs.workspace.root;
        let mut modules = self.inputs.collector(BTreeSet::new(), self.build_dirs);
        modules.follow([source], dir, true);
        self.files.extend(modules.files.into_iter().filter(|path| !path.to_path(root).exists()));
    }

    /// Adds `read`, with relative paths resolved against `base`.
    fn add(&mut self, read: Reads, base: &Path) -> Result<(), Undiscoverable> {
        self.variables.extend(read.variables);
        read.files.iter().try_for_each(|file| self.add_file(&base.join(file)))
    }

    /// Returns the files that were read.
    pub(super) fn files(&self) -> &BTreeSet<RelPath> {
        &self.files
    }

    /// Returns whether the file at `path` was read.
    pub(super) fn contains(&self, path: &RelPath) -> bool {
        self.files.contains(path) || self.watched.iter().any(|watched| path.is_within(watched))
    }

    /// Returns whether any other file may have been read.
    pub(super) fn may_read_any_file(&self) -> bool {
        self.may_read_any
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Undiscoverable> {
        if !self.inputs.is_immutable(path) {
            self.insert(self.inputs.relative(path)?);
        }
        Ok(())
    }

    pub(super) fn watch(&mut self, path: &Path) -> Result<(), Undiscoverable> {
        let path = self.inputs.relative(path)?;
        let path = self.without_dots(path);
        self.watched.insert(path);
        Ok(())
    }

    /// Returns [`KeyInputs::plain`] of `path`, and remembers the original if it differs.
    pub(super) fn without_dots(&mut self, path: RelPath) -> RelPath {
        let plain = self.inputs.plain(&path);
        if plain != path {
            self.with_dots.insert(path);
        }
        plain
    }

    /// Adds everything that `other` collected.
    fn merge(&mut self, other: &InputCollector<'_>) {
        self.files.extend(other.files.iter().cloned());
        self.with_dots.extend(other.with_dots.iter().cloned());
        self.watched.extend(other.watched.iter().cloned());
        self.variables.extend(other.variables.iter().cloned());
        self.named.extend(other.named.iter().cloned());
        self.named_variables.extend(other.named_variables.iter().cloned());
        self.may_read_any |= other.may_read_any;
    }

    /// Adds `path`, a file from the workspace root.
    pub(super) fn insert(&mut self, path: RelPath) {
        let path = self.without_dots(path);
        self.files.insert(path);
    }

    /// Adds the files that the sources of `package` name, starting with the roots of its targets and then all other `.rs` files
    /// that git lists.
    fn follow_package(&mut self, package: PackageId) {
        let workspace = self.inputs.workspace;
        let Package { dir, targets, .. } = workspace.package(package);
        let of_targets = self.follow(targets.iter().map(|target| target.root.clone()), dir, false);
        let listed = self.inputs.declared.files_of(package).iter().map(|id| &workspace.file(*id).path);
        let listed = listed.filter(|path| path.as_bytes().ends_with(b".rs") && !self.files.contains(*path));
        let listed: Vec<_> = listed.cloned().collect();
        self.may_read_any |= self.follow(listed, dir, false).includes_unknown || of_targets.includes_unknown;
    }

    /// Adds `roots`, sources of the package in `dir`, and the modules below them. Unless `only_modules`, also adds the files and
    /// variables that these sources name.
    pub(super) fn follow(
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
            let text = read(&path.to_path(root), None);
            self.files.insert(path.clone());
            let Some(text) = text else { continue };
            let NamedFiles {
                modules,
                included,
                generated,
                mentioned,
                variables,
                is_open,
                tests_for_doc,
                exports_include,
                quotes_include,
            } = reads::named(&String::from_utf8_lossy(&text), &path, dir, is_root);
            followed.exports_include |= exports_include;
            followed.quotes_include |= quotes_include;
            queue.extend(modules.into_iter().map(|path| (self.without_dots(path), false)));
            if !only_modules {
                followed.includes_unknown |= is_open;
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

    pub(super) fn finish(self, all_files: &AllFiles) -> Result<Vec<Discovered>, Undiscoverable> {
        let inputs = self.inputs;
        let mut discovered = Vec::new();
        let mut ignores = workspace::Ignores::new(inputs.workspace);
        for path in &self.files {
            discovered.extend(self.discover(path, &mut ignores)?);
        }
        let named = self.named.iter().filter(|path| !self.watched.contains(*path));
        for path in self.watched.iter().chain(named).filter(|path| !self.files.contains(*path)) {
            let place = path.to_path(&inputs.workspace.root);
            if place.is_dir() {
                let digest = inputs.digest_below(&place, self.build_dirs)?;
                discovered.push(Discovered::Directory(path.clone(), digest));
            } else if self.watched.contains(path) && !place.exists() {
                // Cargo runs the build script every time.
                return Err(Undiscoverable);
            } else {
                discovered.extend(self.discover(path, &mut ignores)?);
            }
        }
        // Last, because a change is better described by a plain path.
        for path in &self.with_dots {
            discovered.extend(self.discover(path, &mut ignores)?);
        }
        // Variables that cargo sets follow from other inputs, and those that it reads are part of the key.
        let variables = self.variables.iter().chain(&self.named_variables).collect::<BTreeSet<_>>();
        for name in variables.into_iter().filter(|name| !is_cargos_variable(name)).cloned() {
            let value = inputs.variable(&name);
            discovered.push(Discovered::Variable(name, value));
        }
        if self.may_read_any {
            let everything = all_files.everything(inputs).ok_or(Undiscoverable)?;
            discovered.push(Discovered::Everything(everything));
        }
        Ok(discovered)
    }

    /// Returns the file at `path` with its digest; `None` if the ids of the tasks cover it already.
    fn discover(
        &self,
        path: &RelPath,
        ignores: &mut workspace::Ignores<'_>,
    ) -> Result<Option<Discovered>, Undiscoverable> {
        let KeyInputs { workspace, outside, .. } = self.inputs;
        let is_declared = |owner: Option<PackageId>| owner.is_some_and(|owner| self.closure.contains(&owner));
        if let Some(id) = workspace.find(path) {
            let owner = workspace.owners.get(id.0 as usize).copied().flatten();
            // The digest of a link may not cover its target.
            return match is_declared(owner) && !workspace.beyond.iter().any(|(link, _)| *link == id) {
                true => Ok(None),
                false => Ok(Some(Discovered::File(path.clone(), self.inputs.digest(path)?))),
            };
        }
        let place = path.to_path(&workspace.root);
        if self.build_dirs.iter().any(|dir| place.starts_with(dir)) {
            // The process itself wrote the file, so the digest from before the run doesn't count.
            let digest = outside.digest_now(&place)?;
            return Ok(digest.map(|digest| Discovered::Generated(path.clone(), digest)));
        }
        let digest = outside.settled_digest(&place)?.or_else(|| directory_at(&place));
        // If git would list the file, its appearance would change an id.
        let is_listed =
            digest.is_none() && is_declared(workspace.owner_of(path)) && !ignores.would_ignore(path);
        Ok((!is_listed).then(|| Discovered::File(path.clone(), digest)))
    }
}

/// Returns a digest that stands for any directory if there is one at `path`: it is neither a file nor nothing.
fn directory_at(path: &Path) -> Option<Digest> {
    path.is_dir().then(|| Digest::of_bytes(b"directory"))
}

/// Discovered inputs as they are hashed.
pub(super) struct HashedInputs<'a>(pub(super) &'a [Discovered]);

impl ContentHash for HashedInputs<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.count("facts", self.0.len());
        for input in self.0 {
            let (kind, name, digest) = match input {
                Discovered::File(path, digest) => ("file", path.as_bytes(), *digest),
                Discovered::Generated(path, digest) => ("made", path.as_bytes(), Some(*digest)),
                Discovered::Directory(path, digest) => ("below", path.as_bytes(), Some(*digest)),
                Discovered::Variable(name, digest) => ("variable", name.as_bytes(), *digest),
                Discovered::Everything(digest) => ("everything", &b""[..], Some(*digest)),
                // Only test programs have such inputs.
                Discovered::Seen(path, digest) => ("seen", path.as_bytes(), *digest),
                Discovered::Listed(path, digest) => ("listed", path.as_bytes(), Some(*digest)),
                Discovered::Content(path, digest) => ("content", path.as_bytes(), Some(*digest)),
                Discovered::Built(path, digest) => ("built", path.as_bytes(), Some(*digest)),
                Discovered::Until(_) => continue,
            };
            sink.field(kind, name);
            sink.field("digest", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
        }
    }
}
