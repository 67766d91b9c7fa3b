//! Tools that run cargo and do not report what it built: a `cargo xtask`, a script.
//!
//! Cargo would run a program that it built from other inputs, if these are older than it. What a unit was built from is known
//! by content, as for the tools that report it (`replays.rs`): rustc has written down what it read, wherever it was started.
//!
//! - In the build directory, before such a tool starts, whatever was built from other inputs is dropped: that of all units, for
//!   nothing says which of them it uses.
//! - In the user's own directory, nothing is dropped. The verdict stands, and is cached only if all that is there was built from
//!   the present inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::builds::{self, Builds};
use super::discovered::{Undiscoverable, dep_infos_beside, first_source};
use super::inputs::KeyInputs;
use super::{ResultCache, RunState};
use crate::model::digest::Digest;
use crate::model::tool::{Arg, Parse, Per, Tool, ToolId};
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::{BuiltUnit, RanScript};
use crate::scan::{self, BuildDirs, Stop, Units, read_text};

/// Names of the configuration of clippy: no unit says that it has looked for one.
const CLIPPY: [&str; 2] = ["clippy.toml", ".clippy.toml"];

/// What a unit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// It was built from the present inputs.
    Current,
    /// It was built from others, or that is not known.
    Other,
}

/// What cargo has built in some directories.
pub(super) struct FoundUnits {
    /// Where rustc has written what it read.
    pub(super) lists: Vec<List>,
    /// The build scripts that ran.
    pub(super) scripts: Vec<RanScript>,
}

/// What rustc has written of what it read for a unit.
pub(super) struct List {
    pub(super) path: PathBuf,
    /// The root of the workspace that it was started in: relative paths are seen from there. `None` if that is not known.
    pub(super) base: Option<PathBuf>,
    /// The root source file; `None` if it is not known.
    pub(super) source: Option<PathBuf>,
}

impl KeyInputs<'_> {
    /// What cargo has built in the directory that `tool` builds in, one of `build_dirs` or the user's own.
    pub(super) fn built(&self, tool: &Tool, build_dirs: &[PathBuf]) -> FoundUnits {
        let workspace = self.workspace;
        let Units { lists, outputs } = Units::find(self.dir_of(tool, build_dirs), build_dirs);
        let lists: Vec<_> = lists.iter().map(|(list, package)| self.list(list, package.as_deref())).collect();
        let mut packages: BTreeMap<&str, BTreeSet<PathBuf>> = BTreeMap::new();
        for List { path, source, .. } in &lists {
            let dir = path.parent().filter(|dir| dir.parent().is_some_and(|dir| dir.ends_with("build")));
            let source = dir.and(source.as_ref());
            if let (Some(name), Some(dir)) = (dir.and_then(package_of), source.and_then(|it| package_dir(it)))
            {
                packages.entry(name).or_default().insert(dir);
            }
        }
        let mut scripts = Vec::new();
        for output in &outputs {
            let name = output.parent().and_then(package_of).unwrap_or_default();
            let dirs = packages.get(name).into_iter().flatten().filter(|dir| !self.is_immutable(dir));
            scripts.extend(dirs.map(|dir| RanScript {
                package: member_in(workspace, dir),
                name: name.to_owned(),
                manifest: Some(dir.join("Cargo.toml")),
                fingerprint: String::new(),
                output: output.clone(),
                cfgs: BTreeSet::new(),
            }));
        }
        FoundUnits { lists, scripts }
    }

    /// Where cargo builds when `tool` runs it.
    fn dir_of<'a>(&'a self, tool: &Tool, build_dirs: &'a [PathBuf]) -> &'a Path {
        match tool.inherits() && !build_dirs.contains(&self.workspace.target_dir) {
            true => &build_dirs[BuildDirs::index(tool)],
            false => &self.workspace.build_dir,
        }
    }

    /// The list at `path`, of a unit of `package`. Another workspace of the repository may be built in the same directory.
    fn list(&self, path: &Path, package: Option<&str>) -> List {
        let root = &self.workspace.root;
        let first = first_source(path);
        let source = |base: &Path| Some(base.join(first.as_ref()?));
        let is_base = |base: &Path| {
            let source = source(base).filter(|source| source.is_file())?;
            let manifest = read_text(&package_dir(&source)?.join("Cargo.toml"))?;
            let name = package?;
            Some(manifest.lines().any(|line| is_name(line, name)))
        };
        let is_absolute = first.as_ref().is_some_and(|source| source.is_absolute());
        let base = match package.is_none() || is_absolute || is_base(root) == Some(true) {
            true => Some(root.clone()),
            false => {
                let files = self.workspace.files.iter().map(|file| &file.path);
                let manifests = files.filter(|path| path.file_name() == b"Cargo.toml");
                let mut dirs = manifests.filter_map(|path| Some(path.parent()?.to_path(root)));
                // The sources of a package need not lie below its manifest.
                let fallback = || source(root).is_some_and(|source| source.is_file());
                dirs.find(|dir| is_base(dir) == Some(true)).or_else(|| fallback().then(|| root.clone()))
            }
        };
        let source = base.as_deref().and_then(source);
        List { path: path.to_path_buf(), base, source }
    }
}

/// Whether the `line` of a manifest says that the package, or something else in it, is called `name`.
fn is_name(line: &str, name: &str) -> bool {
    let value = line.trim_start().strip_prefix("name").and_then(|rest| rest.trim_start().strip_prefix('='));
    value.is_some_and(|value| value.split(['"', '\'']).nth(1) == Some(name))
}

/// The member in the directory `dir`.
fn member_in(workspace: &Workspace, dir: &Path) -> Option<PackageId> {
    let mut packages = workspace.packages();
    packages.find(|(_, package)| package.dir.to_path(&workspace.root) == dir).map(|(id, _)| id)
}

impl ResultCache<'_> {
    /// Makes cargo look again at what it built from other inputs, before a step of tool `id` starts. Why that is impossible, if
    /// it is.
    pub(crate) fn drop_outdated_builds(&self, id: ToolId, stop: &Stop) -> Option<String> {
        if !self.hides_builds(id) || self.builds_for_user(id) {
            return None;
        }
        let mut state = self.lock();
        let dir = self.inputs.dir_of(self.context.plan.graph.tool(id), &self.build_dirs);
        // What is built later in this run is built from the present inputs.
        if state.builds.prepared.contains(dir) {
            return None;
        }
        for (file, look) in self.survey(&mut state, id) {
            if look == Look::Other
                && let Err(error) = scan::forget_unit(&file, stop)
            {
                return Some(format!("cargo could not be made to build again what has changed: {error}"));
            }
        }
        state.builds.prepared.insert(dir.to_path_buf());
        None
    }

    /// Takes note of what cargo has built for tool `id`. Whether all of it is built from the present inputs, as far as that is
    /// to be known.
    pub(super) fn note_builds(&self, state: &mut RunState, id: ToolId) -> bool {
        if !self.hides_builds(id) {
            return true;
        }
        let before = state.builds.builds.clone();
        let is_current = self.survey(state, id).iter().all(|(_, look)| *look == Look::Current);
        if state.builds.builds != before {
            let _ = builds::save_builds(&self.context.workspace.target_dir, &state.builds.builds);
        }
        let is_users = self.builds_for_user(id);
        state.builds.in_shared |= self.is_shared && is_users && !is_current;
        is_current
    }

    /// Takes note of what cargo has built in this run, for the tools that would ask in another one.
    pub(super) fn note_unreported_builds(&self, state: &mut RunState) {
        let graph = &self.context.plan.graph;
        let mut dirs = BTreeSet::new();
        for (id, tool) in graph.tools().filter(|(id, _)| self.hides_builds(*id) && !self.builds_for_user(*id))
        {
            if dirs.insert(self.inputs.dir_of(tool, &self.build_dirs)) {
                self.survey(state, id);
            }
        }
    }

    /// The lists of what rustc read of the target that `unit` documents, as far as they are of the present inputs.
    pub(super) fn read_by_rustc(&self, state: &mut RunState, unit: &BuiltUnit) -> Vec<PathBuf> {
        let clippy = self.clippy();
        let mut lists = dep_infos_beside(unit);
        lists.retain(|path| {
            let list = self.inputs.list(path, Some(&unit.name));
            self.look_at_list(state, &list, clippy) == Look::Current
        });
        lists
    }

    /// Whether tool `id` may run cargo and does not report what it built.
    fn hides_builds(&self, id: ToolId) -> bool {
        let tool = self.context.plan.graph.tool(id);
        let identity = &self.inputs.identities[id.0 as usize];
        let may_run = identity.runs_cargo || tool.inherits() && identity.unknown.is_some();
        may_run && !tool.uses_executable() && !reports(tool)
    }

    /// Whether cargo builds in the user's own directory when tool `id` runs it.
    fn builds_for_user(&self, id: ToolId) -> bool {
        self.is_shared || !self.context.plan.graph.tool(id).inherits()
    }

    /// Every unit in the directory that tool `id` builds in, by a file of it, and what it comes to.
    fn survey(&self, state: &mut RunState, id: ToolId) -> Vec<(PathBuf, Look)> {
        let FoundUnits { lists, scripts } =
            self.inputs.built(self.context.plan.graph.tool(id), &self.build_dirs);
        let clippy = self.clippy();
        let mut looks = Vec::new();
        for list in lists {
            let look = self.look_at_list(state, &list, clippy);
            looks.push((list.path, look));
        }
        for script in scripts {
            let is_current = self.is_current_script(state, &script);
            looks.push((script.output, if is_current { Look::Current } else { Look::Other }));
        }
        looks
    }

    fn look_at_list(&self, state: &mut RunState, list: &List, clippy: Digest) -> Look {
        let Some(stamp) = self.inputs.outside.stamp(&list.path) else { return Look::Other };
        let key = format!("list {}", self.key(&list.path));
        let seen = (stamp.len, stamp.modified);
        if state.builds.surveyed.get(&key) == Some(&seen) {
            return Look::Current;
        }
        let now = match self.inputs.read_by_list(list, &self.build_dirs, &self.all_files) {
            Ok(Some(read)) => Some(builds::Built { len: seen.0, modified: seen.1, read, presumed: clippy }),
            Ok(None) => {
                state.builds.surveyed.insert(key, seen);
                return Look::Current;
            }
            Err(Undiscoverable) => None,
        };
        let is_new = stamp.modified >= self.context.workspace.seen.at;
        let look = compare(&mut state.builds.builds, &key, now, is_new);
        if look == Look::Current {
            state.builds.surveyed.insert(key, seen);
        }
        look
    }

    /// The configuration of clippy that any package may find. It changes rarely: then all is built again.
    fn clippy(&self) -> Digest {
        let around = self.inputs.dirs().iter().map(PathBuf::as_path);
        let named = self.inputs.env.get("CLIPPY_CONF_DIR").map(Path::new);
        let named = named.map(|dir| self.context.workspace.root.join(dir));
        let dirs = around.chain(named.iter().flat_map(|dir| dir.ancestors()));
        self.digest_of(dirs.flat_map(|dir| CLIPPY.map(|name| dir.join(name))).collect())
    }
}

/// Whether the parser of `tool` reads from its output what cargo built, or it builds nothing.
fn reports(tool: &Tool) -> bool {
    match tool.parse {
        Parse::RustcJson | Parse::CargoBuild | Parse::BuildScripts => true,
        Parse::Rustfmt | Parse::DenyJson | Parse::AuditJson | Parse::TyposJson | Parse::Machete => true,
        Parse::Libtest | Parse::Nextest => {
            tool.run.iter().filter_map(Arg::literal).any(|word| word == "--message-format=json")
        }
        _ => matches!(tool.per, Per::File | Per::TargetRoot),
    }
}

/// The name of the package that `dir`, one of cargo's for a build script, is named after.
fn package_of(dir: &Path) -> Option<&str> {
    Some(dir.file_name()?.to_str()?.rsplit_once('-')?.0)
}

fn package_dir(source: &Path) -> Option<PathBuf> {
    source.ancestors().skip(1).find(|dir| dir.join("Cargo.toml").is_file()).map(Path::to_path_buf)
}

/// Compares a unit with what it was built from, or takes note of that if it is new; `now` is `None` if that is unknown.
fn compare(builds: &mut Builds, key: &str, now: Option<builds::Built>, is_new: bool) -> Look {
    match now {
        Some(now) if is_new => {
            builds.insert(key.to_owned(), now);
            Look::Current
        }
        Some(now) if builds.get(key) == Some(&now) => Look::Current,
        Some(_) => Look::Other,
        None => {
            builds.remove(key);
            Look::Other
        }
    }
}
