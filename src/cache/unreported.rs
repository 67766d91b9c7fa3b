//! Prevents outdated builds for tools that run cargo without reporting what it built, such as a `cargo xtask` or a script.
//!
//! Cargo runs an outdated program if the changed inputs have older modification times. As for tools that do report
//! (`replays.rs`), genti compares the inputs of each unit by content. It finds them in the dep-info files that rustc leaves in the
//! build directory.
//!
//! - In genti's build directory, all outdated units are removed before such a tool starts, since it is unknown which of them the
//!   tool uses.
//! - In the user's own directory, nothing is removed. The verdict stands, but is cached only if every unit there was built from
//!   the current inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::builds::{self, Builds};
use super::dep_info::{CLIPPY, DepInfo, dep_infos_beside, first_source};
use super::discovered::Undiscoverable;
use super::inputs::KeyInputs;
use super::{ResultCache, RunState};
use crate::model::digest::Digest;
use crate::model::path::RelPath;
use crate::model::tool::{Arg, Per, Tool, ToolId, Work};
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::{BuiltUnit, RanScript};
use crate::scan::{self, BuildDirs, Stop, Units, read_text};

/// Relation of a build to the current inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BuildState {
    /// It was built from the current inputs.
    Current,
    /// It was built from other or unknown inputs.
    Outdated,
}

/// Units found in a build directory.
pub(super) struct FoundUnits {
    /// Dep-info files of compiled units.
    pub(super) dep_infos: Vec<DepInfo>,
    /// Build scripts that ran.
    pub(super) scripts: Vec<RanScript>,
}

impl KeyInputs<'_> {
    /// Finds the units in the directory in which `tool` builds, either one of `build_dirs` or the user's own.
    pub(super) fn built(&self, tool: &Tool, build_dirs: &[PathBuf]) -> FoundUnits {
        let workspace = self.workspace;
        let Units { lists: dep_infos, outputs } = Units::find(self.dir_of(tool, build_dirs), build_dirs);
        let root = tool.workspace_root(&workspace.root);
        let dep_infos: Vec<_> =
            dep_infos.iter().map(|(path, package)| self.dep_info(&root, path, package.as_deref())).collect();
        let mut packages: BTreeMap<&str, BTreeSet<PathBuf>> = BTreeMap::new();
        for DepInfo { path, source, .. } in &dep_infos {
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
        FoundUnits { dep_infos, scripts }
    }

    /// Returns the directory in which cargo builds when `tool` runs it.
    fn dir_of<'a>(&'a self, tool: &Tool, build_dirs: &'a [PathBuf]) -> &'a Path {
        let is_shared = build_dirs.contains(&self.workspace.target_dir);
        match tool.inherits() && (!is_shared || BuildDirs::find_own(build_dirs, tool).is_some()) {
            true => BuildDirs::find(build_dirs, tool),
            false => &self.workspace.build_dir,
        }
    }

    /// Returns the dep-info file at `path`, of a unit of `package` in a build of the workspace at `root`. It may belong to another workspace of the repository, since
    /// several workspaces can share a build directory.
    fn dep_info(&self, root: &Path, path: &Path, package: Option<&str>) -> DepInfo {
        let first = first_source(path, self.copies);
        let source = |base: &Path| Some(base.join(first.as_ref()?));
        let is_base = |base: &Path| {
            let source = source(base).filter(|source| source.is_file())?;
            let manifest = read_text(&package_dir(&source)?.join("Cargo.toml"))?;
            let name = package?;
            Some(manifest.lines().any(|line| is_name(line, name)))
        };
        let is_absolute = first.as_ref().is_some_and(|source| source.is_absolute());
        let base = match package.is_none() || is_absolute || is_base(root) == Some(true) {
            true => Some(root.to_path_buf()),
            false => {
                let files = self.workspace.files.iter().map(|file| &file.path);
                let manifests = files.filter(|path| path.file_name() == b"Cargo.toml");
                let mut dirs =
                    manifests.filter_map(|path| Some(path.parent()?.to_path(&self.workspace.root)));
                // The sources of a package need not be below its manifest.
                let fallback = || source(root).is_some_and(|source| source.is_file());
                dirs.find(|dir| is_base(dir) == Some(true)).or_else(|| fallback().then(|| root.to_path_buf()))
            }
        };
        let source = base.as_deref().and_then(source);
        DepInfo { path: path.to_path_buf(), base, source }
    }
}

/// Returns whether `line` of a manifest sets a `name` key, of the package or something else, to `name`.
fn is_name(line: &str, name: &str) -> bool {
    let value = line.trim_start().strip_prefix("name").and_then(|rest| rest.trim_start().strip_prefix('='));
    value.is_some_and(|value| value.split(['"', '\'']).nth(1) == Some(name))
}

/// Returns the member in the directory `dir`.
fn member_in(workspace: &Workspace, dir: &Path) -> Option<PackageId> {
    let mut packages = workspace.packages();
    packages.find(|(_, package)| package.dir.to_path(&workspace.root) == dir).map(|(id, _)| id)
}

impl ResultCache<'_> {
    /// Removes outdated units before a step of tool `id` starts, so that cargo builds them again. Returns an error message if
    /// that is impossible.
    pub(crate) fn drop_outdated_builds(&self, id: ToolId, stop: &Stop) -> Option<String> {
        if !self.hides_builds(id) || self.builds_for_user(id) {
            return None;
        }
        let mut state = self.lock();
        let dir = self.inputs.dir_of(self.context.plan.graph.tool(id), &self.build_dirs);
        // Units that are built later in this run are built from the current inputs.
        if state.builds.prepared.contains(dir) {
            return None;
        }
        for (file, unit) in self.survey(&mut state, id) {
            if unit == BuildState::Outdated
                && let Err(error) = scan::forget_unit(&file, stop)
            {
                return Some(format!("could not remove an outdated build from the build directory: {error}"));
            }
        }
        state.builds.prepared.insert(dir.to_path_buf());
        None
    }

    /// Records the units that cargo built for tool `id`. Returns whether all of them are known to be built from the current inputs.
    pub(super) fn note_builds(&self, state: &mut RunState, id: ToolId) -> bool {
        if !self.hides_builds(id) {
            return true;
        }
        let before = state.builds.builds.clone();
        let is_current = self.survey(state, id).iter().all(|(_, unit)| *unit == BuildState::Current);
        if state.builds.builds != before {
            let _ = builds::save_builds(&self.context.workspace.target_dir, &state.builds.builds);
        }
        let is_users = self.builds_for_user(id);
        state.builds.in_shared |= self.is_shared && is_users && !is_current;
        is_current
    }

    /// Records the units that cargo built in this run, to be compared in later runs with tools that don't report their builds.
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

    /// Notes that the dep-info of `unit` belongs to the current inputs. If documentation needs it, it is recorded for later runs,
    /// in which cargo may not report the unit.
    pub(super) fn note_reported(&self, state: &mut RunState, unit: &BuiltUnit) {
        let Some(path) = unit.dep_infos.iter().find(|path| path.exists()) else { return };
        state.builds.reported.insert(path.clone());
        if state.builds.wanted.contains(&unit.source) {
            let dep_info = self.inputs.dep_info(&unit.base, path, Some(&unit.name));
            self.state_of_dep_info(state, &dep_info, self.clippy());
        }
    }

    /// Returns the dep-info files of the target that `unit` documents, if they belong to the current inputs.
    pub(super) fn read_by_rustc(&self, state: &mut RunState, unit: &BuiltUnit) -> Vec<PathBuf> {
        state.builds.wanted.insert(unit.source.clone());
        let clippy = self.clippy();
        let mut dep_infos = dep_infos_beside(unit);
        dep_infos.retain(|path| {
            let dep_info = self.inputs.dep_info(&unit.base, path, Some(&unit.name));
            // A library and a program may have the same name.
            let is_its = dep_info.source.as_deref().map(RelPath::without_dots)
                == Some(RelPath::without_dots(&unit.source));
            is_its && self.state_of_dep_info(state, &dep_info, clippy) == BuildState::Current
        });
        dep_infos
    }

    /// Returns whether tool `id` may run cargo without reporting what it built.
    fn hides_builds(&self, id: ToolId) -> bool {
        let tool = self.context.plan.graph.tool(id);
        let identity = &self.inputs.identities[id.0 as usize];
        let may_run = identity.runs_cargo || tool.inherits() && identity.unknown.is_some();
        may_run && !tool.uses_executable() && !reports(tool)
    }

    /// Returns whether cargo builds in the user's own build directory when tool `id` runs it.
    fn builds_for_user(&self, id: ToolId) -> bool {
        self.is_shared || !self.context.plan.graph.tool(id).inherits()
    }

    /// Returns the state of every unit in the directory in which tool `id` builds, each identified by one of its files.
    fn survey(&self, state: &mut RunState, id: ToolId) -> Vec<(PathBuf, BuildState)> {
        let FoundUnits { dep_infos, scripts } =
            self.inputs.built(self.context.plan.graph.tool(id), &self.build_dirs);
        let clippy = self.clippy();
        let mut states = Vec::new();
        for dep_info in dep_infos {
            let unit = self.state_of_dep_info(state, &dep_info, clippy);
            states.push((dep_info.path, unit));
        }
        for script in scripts {
            let is_current = self.is_current_script(state, &script);
            states.push((script.output, if is_current { BuildState::Current } else { BuildState::Outdated }));
        }
        states
    }

    fn state_of_dep_info(&self, state: &mut RunState, dep_info: &DepInfo, clippy: Digest) -> BuildState {
        let Some(stamp) = self.inputs.outside.stamp(&dep_info.path) else { return BuildState::Outdated };
        let key = format!("list {}", self.key(&dep_info.path));
        let seen = (stamp.len, stamp.modified);
        if state.builds.surveyed.get(&key) == Some(&seen) {
            return BuildState::Current;
        }
        let now = match self.inputs.digest_of_dep_info(dep_info, &self.build_dirs, &self.all_files) {
            Ok(Some(read)) => {
                Some(builds::LastBuild { len: seen.0, modified: seen.1, read, presumed: clippy })
            }
            Ok(None) => {
                state.builds.surveyed.insert(key, seen);
                return BuildState::Current;
            }
            Err(Undiscoverable) => None,
        };
        let is_current = stamp.modified >= self.context.workspace.seen.at
            || state.builds.reported.contains(&dep_info.path);
        let unit = compare(&mut state.builds.builds, &key, now, is_current);
        if unit == BuildState::Current {
            state.builds.surveyed.insert(key, seen);
        }
        unit
    }

    /// Returns a digest over all clippy configuration that any package may find, and over the files that flags of compilers name.
    /// They rarely change, so when they do, everything is built again.
    fn clippy(&self) -> Digest {
        let around = self.inputs.dirs().iter().map(PathBuf::as_path);
        let named = self.inputs.env.get("CLIPPY_CONF_DIR").map(Path::new);
        let named = named.map(|dir| self.context.workspace.root.join(dir));
        let dirs = around.chain(named.iter().flat_map(|dir| dir.ancestors()));
        let files = dirs.flat_map(|dir| CLIPPY.map(|name| dir.join(name)));
        self.digest_of(files.chain(self.inputs.flag_files()).collect())
    }
}

/// Returns whether the output of `tool` reports what cargo built, or the tool builds nothing.
fn reports(tool: &Tool) -> bool {
    match tool.parse.work() {
        Work::Lint | Work::Build | Work::RunScripts | Work::Format | Work::Read => true,
        Work::Test => tool.run.iter().filter_map(Arg::literal).any(|word| word == "--message-format=json"),
        Work::Unknown => matches!(tool.per, Per::File | Per::TargetRoot),
    }
}

/// Returns the package name in the name of `dir`, a build directory `NAME-HASH` of a build script.
fn package_of(dir: &Path) -> Option<&str> {
    Some(dir.file_name()?.to_str()?.rsplit_once('-')?.0)
}

fn package_dir(source: &Path) -> Option<PathBuf> {
    source.ancestors().skip(1).find(|dir| dir.join("Cargo.toml").is_file()).map(Path::to_path_buf)
}

/// Compares the inputs of a unit with those of its last build, or records them if it is known to be current. `now` is `None` if
/// its inputs are unknown.
fn compare(builds: &mut Builds, key: &str, now: Option<builds::LastBuild>, is_current: bool) -> BuildState {
    match now {
        Some(now) if is_current => {
            builds.insert(key.to_owned(), now);
            BuildState::Current
        }
        Some(now) if builds.get(key) == Some(&now) => BuildState::Current,
        Some(_) => BuildState::Outdated,
        None => {
            builds.remove(key);
            BuildState::Outdated
        }
    }
}
