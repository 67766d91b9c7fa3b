//! Whether cargo has looked at the present inputs, or replayed what it said of others.
//!
//! Cargo decides by times of change, and by what rustc told it to watch: it replays an old result after an included README
//! has changed under rustdoc, a new `clippy.toml` has appeared, or a file was restored with an older time. Here it is known
//! by content what each unit had read when cargo last really built it.
//!
//! - If what a unit is known to read differs, its fingerprint is removed and cargo runs again. So it is where the last real
//!   build is unknown.
//! - If only what it may read differs, the replay is the verdict, and is not cached. Procedural macros may read any file
//!   without saying so: where there are some, these are the files of a package that none of its sources names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::builds::{self, Builds, Built};
use super::discovered::Undiscoverable;
use super::{Context, ResultCache, RunState};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::tool::{Start, ToolId};
use crate::model::workspace::PackageId;
use crate::normalize::{BuiltUnit, Gap, Parsed, RanScript};
use crate::scan::{Fingerprint, Stop};

/// The real builds that are known of.
#[derive(Default)]
pub(super) struct RealBuilds {
    pub(super) builds: Builds,
    /// The lists of what units have read that were looked at in this run and are of the present inputs, by size and time.
    pub(super) surveyed: BTreeMap<String, (u64, i64)>,
    /// The directories in which what was built from other inputs has been dropped, for tools that don't report what they build.
    pub(super) prepared: BTreeSet<PathBuf>,
    /// The units whose fingerprints were removed in this run.
    removed: BTreeSet<String>,
    /// By package, for they are the same for all of its units.
    files: BTreeMap<PackageId, PackageFiles>,
    /// Whether something was replayed in the user's own directory, in which nothing is removed.
    pub(super) in_shared: bool,
}

impl RealBuilds {
    pub(super) fn load(target_dir: &Path) -> Self {
        Self { builds: builds::load_builds(target_dir), ..Self::default() }
    }
}

/// The files of a package.
#[derive(Clone, Copy)]
struct PackageFiles {
    /// All of them.
    all: Digest,
    /// Those that none of its sources names.
    unnamed: Digest,
}

/// What a unit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// It was built now, or from the same inputs.
    Real,
    /// It was replayed, and something that it may read is different.
    Presumed,
    /// It was replayed, and something that it reads is different, or it is not known what it read.
    Stale,
}

impl ResultCache<'_> {
    /// Looks at what the cargo behind `parsed` replayed. Whether it is to run again, because it would look at the present
    /// inputs now; else `parsed` says what is to be known of it.
    pub(crate) fn check_replays(&self, id: ToolId, parsed: &mut Parsed, stop: &Stop) -> bool {
        let mut state = self.lock();
        let before = state.builds.builds.clone();
        let (mut stale, mut is_presumed) = (Vec::new(), false);
        let units = std::mem::take(&mut parsed.traces.units).into_iter();
        let units = units.map(|unit| match unit.is_doc {
            true => BuiltUnit { read_by_rustc: self.read_by_rustc(&mut state, &unit), ..unit },
            false => unit,
        });
        parsed.traces.units = units.collect();
        let has_macros = parsed.traces.units.iter().any(|unit| unit.is_macro);
        let local = |manifest: &Path| !self.inputs.is_immutable(manifest);
        let units = parsed.traces.units.iter().filter(|unit| local(&unit.manifest));
        for unit in units {
            match self.look_at_unit(&mut state, id, unit, &parsed.traces.scripts) {
                Look::Real => {}
                Look::Presumed => is_presumed |= has_macros,
                Look::Stale => stale.push((&unit.artifact, unit.name.as_str(), unit.fingerprint.as_str())),
            }
        }
        let scripts = parsed.traces.scripts.iter();
        for script in scripts.filter(|script| script.manifest.as_deref().is_some_and(local)) {
            match self.look_at_script(&mut state, script) {
                Look::Real => {}
                // What it reads it states, or is run for any file.
                Look::Presumed => {}
                Look::Stale => {
                    stale.push((&script.output, script.name.as_str(), script.fingerprint.as_str()))
                }
            }
        }
        self.note_unreported_builds(&mut state);
        if state.builds.builds != before {
            // What can't be written is unknown to the next run, which is on the safe side.
            let _ = builds::save_builds(&self.context.workspace.target_dir, &state.builds.builds);
        }
        if stale.is_empty() || self.is_shared {
            state.builds.in_shared |= self.is_shared && (is_presumed || !stale.is_empty());
            parsed.traces.is_replayed = is_presumed || !stale.is_empty();
            return false;
        }
        let mut again = false;
        let mut unsure = None;
        for (artifact, package, name) in stale {
            let fingerprint = Fingerprint { artifact, package, name };
            // What is still replayed although it was removed is not found where it was looked for.
            let is_first = state.builds.removed.insert(self.key(artifact));
            match is_first.then(|| fingerprint.remove(stop)) {
                Some(Ok(true)) => again = true,
                _ => unsure = Some(package),
            }
        }
        if let Some(package) = unsure {
            parsed.traces.is_replayed = true;
            let reason = format!(
                "cargo replayed a build of `{package}` from other inputs and could not be made to build it again; \
                 remove the build directory with `cargo genti clean`"
            );
            parsed.gaps.push(Gap { package: None, path: None, reason });
        }
        again && unsure.is_none()
    }

    fn look_at_unit(
        &self,
        state: &mut RunState,
        id: ToolId,
        unit: &BuiltUnit,
        scripts: &BTreeSet<RanScript>,
    ) -> Look {
        let read = self.inputs.read_by_unit(unit, scripts, &self.build_dirs, &self.all_files);
        let read = read.map(|read| {
            let mut hasher = Hasher::new("genti.unit.1");
            hasher.field("read", &read.0);
            hasher.field("toolchain", &self.toolchain(id).0);
            // Lints are those of members alone.
            if let Some(package) = unit.package {
                hasher.field("searched", &self.searched(id, package).0);
            }
            hasher.finish()
        });
        let presumed = match unit.package {
            Some(package) => self.files(state, package).unnamed,
            None => self.outside(&unit.name),
        };
        self.compare(state, &unit.artifact, presumed, read, unit.fresh)
    }

    /// Whether what `script` printed is of the present inputs.
    pub(super) fn is_current_script(&self, state: &mut RunState, script: &RanScript) -> bool {
        self.look_at_script(state, script) == Look::Real
    }

    fn look_at_script(&self, state: &mut RunState, script: &RanScript) -> Look {
        let read = self.inputs.read_by_script(script, &self.build_dirs, &self.all_files);
        // Without a statement, it runs again for any file of its package.
        let all = script.package.map(|package| self.files(state, package).all);
        let read = read.map(|read| read.or(all).unwrap_or_else(|| self.outside(&script.name)));
        let written = self.inputs.outside.stamp(&script.output);
        let is_old = written.is_some_and(|stamp| stamp.modified < self.context.workspace.seen.at);
        self.compare(state, &script.output, Digest([0; 32]), read, is_old)
    }

    /// Compares what a unit reads now with what it read in its last real build, or takes note of a new one.
    fn compare(
        &self,
        state: &mut RunState,
        artifact: &Path,
        presumed: Digest,
        read: Result<Digest, Undiscoverable>,
        is_replayed: bool,
    ) -> Look {
        let key = self.key(artifact);
        let stamp = self.inputs.outside.stamp(artifact);
        let (Ok(read), Some(stamp)) = (read, stamp) else {
            state.builds.builds.remove(&key);
            // What was built now was looked at, even if it can't be said what that was.
            return if is_replayed { Look::Stale } else { Look::Real };
        };
        let now = Built { len: stamp.len, modified: stamp.modified, read, presumed };
        if !is_replayed {
            state.builds.builds.insert(key, now);
            return Look::Real;
        }
        let is_same = |built: &&Built| (built.len, built.modified) == (now.len, now.modified);
        match state.builds.builds.get(&key).filter(is_same) {
            Some(built) if built.read != read => Look::Stale,
            Some(built) if built.presumed != presumed => Look::Presumed,
            Some(_) => Look::Real,
            None => Look::Stale,
        }
    }

    fn files(&self, state: &mut RunState, package: PackageId) -> PackageFiles {
        let make = || {
            let named = self.inputs.named_by_sources(package, &self.build_dirs);
            let mut all = Hasher::new("genti.presumed.1");
            let mut unnamed = Hasher::new("genti.presumed.1");
            let files = self.inputs.declared.files_of(package).iter();
            for file in files.map(|id| self.context.workspace.file(*id)) {
                let hashers = [Some(&mut all), Some(&mut unnamed).filter(|_| !named.contains(&file.path))];
                for hasher in hashers.into_iter().flatten() {
                    hasher.field("path", file.path.as_bytes());
                    hasher.field("content", &file.digest.0);
                }
            }
            PackageFiles { all: all.finish(), unnamed: unnamed.finish() }
        };
        *state.builds.files.entry(package).or_insert_with(make)
    }

    /// The files of the package `name` outside of the workspace.
    fn outside(&self, name: &str) -> Digest {
        let found = self.context.workspace.outside.iter().filter(|package| package.name == name);
        let mut hasher = Hasher::new("genti.presumed.1");
        found.for_each(|package| hasher.field("content", &package.digest.0));
        hasher.finish()
    }

    /// The configuration that the tool finds when it searches for it from `package`.
    fn searched(&self, id: ToolId, package: PackageId) -> Digest {
        let Context { workspace, plan, .. } = self.context;
        let dir = workspace.package(package).dir.to_path(&workspace.root);
        let searches = plan.graph.tool(id).searches.iter().filter(|search| search.start == Start::Files);
        let around = searches.flat_map(|search| dir.ancestors().map(|dir| dir.join(&search.name)));
        let places = self.inputs.searched(id).into_iter().map(|(_, path)| path);
        // That of other packages is none of its.
        let places = places.filter(|path| {
            !path.starts_with(&workspace.root) || path.parent().is_some_and(|parent| dir.starts_with(parent))
        });
        self.digest_of(around.chain(places).collect())
    }

    /// The toolchain that the tool runs, by its content.
    fn toolchain(&self, id: ToolId) -> Digest {
        let sysroot = self.context.programs.sysroot();
        let files = self.inputs.identities[id.0 as usize].files.iter().map(|(_, path)| path);
        let own = files.filter(|path| sysroot.is_some_and(|sysroot| path.starts_with(sysroot)));
        self.digest_of(own.cloned().collect())
    }

    /// A digest over what is in the files at `paths`, as far as they are there.
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

    /// The name of what was built: its path from the target directory.
    pub(super) fn key(&self, artifact: &Path) -> String {
        let target_dir = &self.context.workspace.target_dir;
        artifact.strip_prefix(target_dir).unwrap_or(artifact).to_string_lossy().into_owned()
    }
}
