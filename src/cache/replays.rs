//! Detects when cargo replays old output although inputs have changed, and makes it build again.
//!
//! Cargo compares modification times of the files that rustc tells it to watch. So it replays an old result after a README
//! included by rustdoc has changed, a new `clippy.toml` has appeared, or a file was restored with an older modification time.
//! genti stores digests of the inputs that each unit had when cargo last built it (`builds.rs`) and compares these:
//!
//! - If an input that the unit is known to read differs, or its last build is unknown, the fingerprint of the unit is removed and
//!   cargo runs again.
//! - If the unit only may have read the input that differs, genti uses the replayed result but does not cache it. This is
//!   for procedural macros, which can read files without reporting them: any file of the package that no source names may
//!   be such a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::builds::{self, Builds, LastBuild};
use super::discovered::Undiscoverable;
use super::{Context, ResultCache, RunState};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::tool::{SearchStart, ToolId};
use crate::model::workspace::PackageId;
use crate::normalize::{BuiltUnit, Gap, Parsed, RanScript};
use crate::scan::{RUSTC_VARIABLES, Stop, UnitFingerprint};

/// Builds that are known to be real and not replays.
#[derive(Default)]
pub(super) struct RealBuilds {
    pub(super) builds: Builds,
    /// Dep-info files that this run found to match the current inputs, with size and modification time.
    pub(super) surveyed: BTreeMap<String, (u64, i64)>,
    /// Dep-info files of units that cargo reported in this run and that belong to the current inputs.
    pub(super) reported: BTreeSet<PathBuf>,
    /// Root source files of documented targets for which only rustc can say which files they include.
    pub(super) wanted: BTreeSet<PathBuf>,
    /// Build directories from which outdated units were removed, for tools that don't report what they build.
    pub(super) prepared: BTreeSet<PathBuf>,
    /// Units whose fingerprints were removed in this run.
    removed: BTreeSet<String>,
    /// Digests by package, shared by all of its units.
    files: BTreeMap<PackageId, PackageFiles>,
    /// Digests over the files of compilers that each tool uses, in addition to those of the toolchain. True stands for rustdoc.
    compilers: BTreeMap<(ToolId, bool), CompilerFiles>,
    /// Digests over the configuration that a tool finds for a package.
    searched: BTreeMap<(ToolId, PackageId), Digest>,
    /// True if a unit was replayed in the user's own build directory, from which genti removes nothing.
    pub(super) in_shared: bool,
}

impl RealBuilds {
    pub(super) fn load(target_dir: &Path) -> Self {
        Self { builds: builds::load_builds(target_dir), ..Self::default() }
    }
}

/// Digests over the files of a package.
#[derive(Clone, Copy)]
struct PackageFiles {
    /// All files.
    all: Digest,
    /// Files that no source of the package names.
    unnamed: Digest,
}

/// Files that change what a compiler does, without belonging to the toolchain: wrappers, and files that flags name.
#[derive(Clone, Copy)]
struct CompilerFiles {
    /// `None` if there are none.
    digest: Option<Digest>,
    /// True if they may affect downloaded packages too.
    reach_all: bool,
}

/// State of the output of a unit relative to its current inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    /// The unit was built now, or from the same inputs.
    Current,
    /// The unit was replayed, and an input that it may read differs.
    MaybeStale,
    /// The unit was replayed, and an input that it reads differs or its inputs are unknown.
    Stale,
}

impl ResultCache<'_> {
    /// Checks the units that cargo replayed for `parsed`, and removes the fingerprints of stale ones. Returns true if
    /// cargo must run again. Otherwise, remaining replays are recorded in `parsed`.
    pub(crate) fn check_replays(&self, id: ToolId, parsed: &mut Parsed, stop: &Stop) -> bool {
        let mut state = self.lock();
        let before = state.builds.builds.clone();
        let (mut stale, mut is_maybe_stale) = (Vec::new(), false);
        let has_macros = parsed.traces.units.iter().any(|unit| unit.is_macro);
        let has_docs = parsed.traces.units.iter().any(|unit| unit.is_doc);
        let may_include_anything =
            has_docs && parsed.traces.units.iter().any(|unit| self.inputs.exports_include(unit));
        let reach_all = self.compiler_files(&mut state, id, has_docs).reach_all;
        let local = |manifest: &Path| !self.inputs.is_immutable(manifest);
        for mut unit in std::mem::take(&mut parsed.traces.units) {
            if reach_all || local(&unit.manifest) {
                unit.may_include_anything = unit.is_doc && may_include_anything;
                let freshness = self.freshness_of_unit(&mut state, id, &mut unit, &parsed.traces.scripts);
                if freshness == Freshness::Current || freshness == Freshness::MaybeStale && !has_macros {
                    self.note_reported(&mut state, &unit);
                }
                match freshness {
                    Freshness::Current => {}
                    Freshness::MaybeStale => is_maybe_stale |= has_macros,
                    Freshness::Stale => {
                        stale.push((unit.artifact.clone(), unit.name.clone(), unit.fingerprint.clone()));
                    }
                }
            }
            parsed.traces.units.insert(unit);
        }
        let scripts = parsed.traces.scripts.iter();
        for script in scripts.filter(|script| script.manifest.as_deref().is_some_and(local)) {
            match self.freshness_of_script(&mut state, script) {
                Freshness::Current => {}
                // Nothing to do: a build script declares its inputs, and without a declaration, cargo runs it again
                // after any change in its package.
                Freshness::MaybeStale => {}
                Freshness::Stale => {
                    stale.push((script.output.clone(), script.name.clone(), script.fingerprint.clone()));
                }
            }
        }
        self.note_unreported_builds(&mut state);
        if state.builds.builds != before {
            // If this fails, the next run builds again.
            let _ = builds::save_builds(&self.context.workspace.target_dir, &state.builds.builds);
        }
        if stale.is_empty() || self.is_shared {
            state.builds.in_shared |= self.is_shared && (is_maybe_stale || !stale.is_empty());
            parsed.traces.is_replayed = is_maybe_stale || !stale.is_empty();
            return false;
        }
        let mut again = false;
        let mut unsure = None;
        for (artifact, package, name) in &stale {
            let fingerprint = UnitFingerprint { artifact, package, name };
            // If cargo replays a unit whose fingerprint was already removed, the wrong fingerprint was removed.
            let is_first = state.builds.removed.insert(self.key(artifact));
            match is_first.then(|| fingerprint.remove(stop)) {
                Some(Ok(true)) => again = true,
                _ => unsure = Some(package),
            }
        }
        if let Some(package) = unsure {
            parsed.traces.is_replayed = true;
            let reason = format!(
                "cargo replayed an outdated build of `{package}` and genti could not make it build again; \
                 remove the build directory with `cargo genti clean`"
            );
            parsed.gaps.push(Gap { package: None, path: None, reason });
        }
        again && unsure.is_none()
    }

    fn freshness_of_unit(
        &self,
        state: &mut RunState,
        id: ToolId,
        unit: &mut BuiltUnit,
        scripts: &BTreeSet<RanScript>,
    ) -> Freshness {
        let digest = |unit: &_| self.inputs.digest_of_unit(unit, scripts, &self.build_dirs, &self.all_files);
        let mut read = digest(unit);
        // If the sources include a file whose path can't be determined, rustc may have reported it.
        if unit.is_doc && read.is_err() {
            unit.read_by_rustc = self.read_by_rustc(state, unit);
            if !unit.read_by_rustc.is_empty() {
                read = digest(unit);
            }
        }
        let presumed = match unit.package {
            Some(package) => self.files(state, package).unnamed,
            None => self.outside(&unit.name),
        };
        let read = read.map(|read| {
            let mut hasher = Hasher::new("genti.unit.1");
            hasher.field("read", &read.0);
            // Rustdoc writes no dep-info, and code from a procedural macro may include any file. Cargo documents a package
            // again too if a file of it is newer.
            if unit.is_doc {
                hasher.field("package", &presumed.0);
            }
            hasher.field("toolchain", &self.toolchain(id).0);
            if let Some(digest) = self.compiler_files(state, id, unit.is_doc).digest {
                hasher.field("compiler", &digest.0);
            }
            // Lints are configured for members only.
            if let Some(package) = unit.package {
                let searched = || self.searched(id, package);
                let searched = *state.builds.searched.entry((id, package)).or_insert_with(searched);
                hasher.field("searched", &searched.0);
            }
            hasher.finish()
        });
        self.compare(state, &unit.artifact, presumed, read, unit.fresh)
    }

    /// Returns true if the output of `script` belongs to the current inputs.
    pub(super) fn is_current_script(&self, state: &mut RunState, script: &RanScript) -> bool {
        self.freshness_of_script(state, script) == Freshness::Current
    }

    fn freshness_of_script(&self, state: &mut RunState, script: &RanScript) -> Freshness {
        let read = self.inputs.digest_of_script(script, &self.build_dirs, &self.all_files);
        // A script that declares no inputs runs again after a change of any file in its package.
        let all = script.package.map(|package| self.files(state, package).all);
        let read = read.map(|(read, is_stated)| match is_stated {
            true => read,
            false => {
                let all = all.unwrap_or_else(|| self.outside(&script.name));
                Digest::of_bytes(&[read.0, all.0].concat())
            }
        });
        let written = self.inputs.outside.stamp(&script.output);
        let is_old = written.is_some_and(|stamp| stamp.modified < self.context.workspace.seen.at);
        self.compare(state, &script.output, Digest([0; 32]), read, is_old)
    }

    /// Compares the inputs of a unit with those of its last real build, or records a new build.
    fn compare(
        &self,
        state: &mut RunState,
        artifact: &Path,
        presumed: Digest,
        read: Result<Digest, Undiscoverable>,
        is_replayed: bool,
    ) -> Freshness {
        let key = self.key(artifact);
        let stamp = self.inputs.outside.stamp(artifact);
        let (Ok(read), Some(stamp)) = (read, stamp) else {
            state.builds.builds.remove(&key);
            // A new build is current even if its inputs are unknown.
            return if is_replayed { Freshness::Stale } else { Freshness::Current };
        };
        let now = LastBuild { len: stamp.len, modified: stamp.modified, read, presumed };
        if !is_replayed {
            state.builds.builds.insert(key, now);
            return Freshness::Current;
        }
        let is_same = |built: &&LastBuild| (built.len, built.modified) == (now.len, now.modified);
        match state.builds.builds.get(&key).filter(is_same) {
            Some(built) if built.read != read => Freshness::Stale,
            Some(built) if built.presumed != presumed => Freshness::MaybeStale,
            Some(_) => Freshness::Current,
            None => Freshness::Stale,
        }
    }

    fn files(&self, state: &mut RunState, package: PackageId) -> PackageFiles {
        let make = || {
            let named = self.inputs.named_by_sources(package, &self.build_dirs);
            let mut all = Hasher::new("genti.presumed.1");
            let mut unnamed = Hasher::new("genti.presumed.1");
            for &id in self.inputs.declared.files_of(package) {
                let file = self.context.workspace.file(id);
                let hashers = [Some(&mut all), Some(&mut unnamed).filter(|_| !named.contains(&file.path))];
                for hasher in hashers.into_iter().flatten() {
                    // Nothing that reads such a link is cached.
                    let _ = self.inputs.feed(id, file, hasher);
                }
            }
            PackageFiles { all: all.finish(), unnamed: unnamed.finish() }
        };
        *state.builds.files.entry(package).or_insert_with(make)
    }

    /// Returns a digest over the path dependencies called `name` outside the workspace.
    fn outside(&self, name: &str) -> Digest {
        let found = self.context.workspace.outside.iter().filter(|package| package.name == name);
        let mut hasher = Hasher::new("genti.presumed.1");
        found.for_each(|package| hasher.field("content", &package.digest.0));
        hasher.finish()
    }

    /// Returns a digest over the configuration files that the tool finds from the directory of `package`.
    fn searched(&self, id: ToolId, package: PackageId) -> Digest {
        let Context { workspace, plan, .. } = self.context;
        let dir = workspace.package(package).dir.to_path(&workspace.root);
        let searches =
            plan.graph.tool(id).searches.iter().filter(|search| search.start == SearchStart::Files);
        let around = searches.flat_map(|search| dir.ancestors().map(|dir| dir.join(&search.name)));
        let places = self.inputs.searched(id).into_iter().map(|(_, path)| path);
        // Configuration of other packages has no effect.
        let places = places.filter(|path| {
            !path.starts_with(&workspace.root) || path.parent().is_some_and(|parent| dir.starts_with(parent))
        });
        let fixed = self.inputs.searched_from_fixed_places(id);
        let arguments = self.inputs.arguments(id, plan.graph.tool(id));
        self.digest_of(around.chain(places).chain(fixed).chain(arguments).collect())
    }

    /// Returns a digest over the toolchain that the tool runs.
    fn toolchain(&self, id: ToolId) -> Digest {
        let sysroot = self.context.programs.sysroot();
        let files = self.inputs.identities[id.0 as usize].files.iter().map(|(_, path)| path);
        let own = files.filter(|path| sysroot.is_some_and(|sysroot| path.starts_with(sysroot)));
        self.digest_of(own.cloned().collect())
    }

    /// Returns the files that change what rustc does for tool `id`, and rustdoc if `with_rustdoc`, without belonging to the toolchain.
    /// Cargo does not look at their content.
    fn compiler_files(&self, state: &mut RunState, id: ToolId, with_rustdoc: bool) -> CompilerFiles {
        if let Some(known) = state.builds.compilers.get(&(id, with_rustdoc)) {
            return *known;
        }
        let tool = self.context.plan.graph.tool(id);
        let is_set = |name: &&str| self.inputs.env.get(name).is_some() || tool.vars.contains_key(*name);
        let has_own = with_rustdoc
            || self.inputs.config.has_own_rustc()
            || RUSTC_VARIABLES.iter().any(is_set)
            || self.inputs.env.names("CARGO_TARGET_").any(|name| name.ends_with("_LINKER"));
        let sysroot = self.context.programs.sysroot();
        let files = self.inputs.identities[id.0 as usize].files.iter().filter(|_| has_own);
        let wrappers = files
            .map(|(_, path)| path)
            .filter(|path| !sysroot.is_some_and(|sysroot| path.starts_with(sysroot)));
        let mut all: BTreeSet<_> = wrappers.cloned().collect();
        let has_script = all.iter().any(|path| path.starts_with(&self.context.workspace.root));
        let named = self.inputs.flag_files();
        let reach_all = has_script || !named.is_empty();
        all.extend(named);
        let digest = (!all.is_empty()).then(|| self.digest_of(all));
        let found = CompilerFiles { digest, reach_all };
        state.builds.compilers.insert((id, with_rustdoc), found);
        found
    }

    /// Returns a digest over the existing files among `paths`.
    pub(super) fn digest_of(&self, paths: BTreeSet<PathBuf>) -> Digest {
        let mut hasher = Hasher::new("genti.contents.1");
        for path in paths {
            if let Ok(Some(digest)) = self.inputs.outside.digest(&path) {
                hasher.field("path", path.as_os_str().as_encoded_bytes());
                hasher.field("content", &digest.0);
            }
        }
        hasher.finish()
    }

    /// Returns the key of `artifact` in [`Builds`]: its path relative to the target directory.
    pub(super) fn key(&self, artifact: &Path) -> String {
        let target_dir = &self.context.workspace.target_dir;
        artifact.strip_prefix(target_dir).unwrap_or(artifact).to_string_lossy().into_owned()
    }
}
