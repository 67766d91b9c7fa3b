//! The result cache: which tasks of a run need not run, and what is stored for the next run.
//!
//! # The key
//!
//! A key (`key.rs`, `inputs.rs`) covers everything that decides a result and is known before the run: the id of the task (definition
//! of the tool, unit, digests of the declared inputs), the program, the variables it sees, the files it searches for, and genti
//! itself. Inputs that are found out only when the process has ended are *discovered* (`discovered.rs`); they are stored beside
//! the result, and the result is used again only if all of them are unchanged.
//!
//! # A run
//!
//! `lookup.rs` answers for each task before the run, `replays.rs` and `unreported.rs` make cargo look again at what changed behind
//! its back, `recheck.rs` and `storing.rs` store results whose inputs did not change meanwhile, and `misses.rs` records for
//! `cargo genti explain` why tasks ran.
//!
//! # Other machines
//!
//! `shared.rs` looks for results that the log does not have in the remote store (`remote/`), and adds those of this run to it.
//! `workers.rs` sends tools to workers of the same server, and `away.rs` decides which of their results count.
//!
//! # On disk
//!
//! `log.rs` holds results and may be shared by machines; `state.rs`, `builds.rs` and `explain.rs` belong to one workspace on one
//! machine.

#![expect(clippy::disallowed_methods, reason = "the cache reads and writes files")]

mod away;
mod build_scripts;
mod builds;
mod dep_info;
mod discovered;
pub mod explain;
mod ignored_files;
mod inputs;
pub mod key;
mod log;
mod lookup;
mod misses;
mod named_paths;
mod observed;
mod outside_files;
mod presumed;
mod read;
mod recheck;
mod record;
mod remote;
mod replays;
mod sandboxed;
mod searched_files;
mod second_look;
mod shared;
mod source_names;
mod state;
mod storing;
mod surroundings;
mod uncommitted;
mod unreported;
mod versions;
#[cfg(feature = "remote")]
mod workers;
mod wrapped_tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rayon::prelude::*;

use self::away::AwayState;
use self::discovered::AllFiles;
use self::inputs::{Dirs, KeyInputs, ToolKey, Uncacheable};
use self::outside_files::OutsideFiles;
use self::replays::RealBuilds;
use self::sandboxed::{RunningTest, TestRun};
use self::shared::{Asked, Sharing};
use self::storing::{Pending, WhyNotStored};
use self::wrapped_tests::{PassedTests, WrappedRun};
use crate::disk;
use crate::model::digest::Digest;
use crate::model::notice::IgnoredLevels;
use crate::model::task::{Plan, TaskIx};
use crate::model::tool::{Tool, ToolId};
use crate::model::workspace::Workspace;
use crate::plan::cause::Read;
use crate::plan::{Declared, PlanError};
use crate::scan::{self, BuildDirs, CargoConfig, Env, Identifier, Kernel, NoWall, Programs, Stop};
use crate::store::LockCopies;

pub(crate) use self::away::CHECKED as CHECKED_AWAY;
pub(crate) use self::dep_info::dep_info_of;
pub use self::explain::{ReasonsError, load_reasons};
pub(crate) use self::ignored_files::beginning;
pub use self::log::{CAP, Cleaned, Next, ResultLog};
pub(crate) use self::lookup::Lookup;
pub(crate) use self::record::Discovered;
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub(crate) use self::record::fuzz;
pub use self::remote::{NoRemote, RemoteStore};
pub(crate) use self::second_look::SecondLook;
pub use self::state::LastRun;

/// The parts of a project that the cache works with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) plan: &'a Plan,
    pub(crate) programs: &'a Programs,
    pub(crate) last_run: &'a LastRun,
    /// Digest under which `Cargo.lock` is known to be up to date.
    pub(crate) lockfile: Option<Digest>,
    /// Cached results that are checked again.
    pub(crate) second_look: Option<SecondLook>,
    /// Results of workers that are checked on this machine.
    pub(crate) away_look: SecondLook,
    /// Copies of the repository in which variants with a lock file are built.
    pub(crate) copies: Option<&'a LockCopies>,
    /// The remote store, if the run uses one.
    pub(crate) remote: Option<&'a RemoteStore>,
}

/// Looks up the results of a run's tasks, and stores new ones.
pub(crate) struct ResultCache<'a> {
    context: Context<'a>,
    inputs: KeyInputs<'a>,
    /// Cache key of each tool, or the reason why its results are not cached.
    keys: Vec<Result<ToolKey, Uncacheable>>,
    /// Paths of the tools' programs, which are checked again after each process.
    programs: Vec<Option<PathBuf>>,
    all_files: AllFiles,
    build_dirs: Vec<PathBuf>,
    /// True if cargo builds in the user's own directories.
    is_shared: bool,
    /// True if the run accepts output that differs from golden files.
    bless: bool,
    /// Cancellation of the run.
    stop: &'a Stop,
    state: Mutex<RunState>,
    /// Inputs that tasks read beyond their keys, as far as they are known and needed.
    read: Mutex<BTreeMap<TaskIx, Vec<Discovered>>>,
    /// Question to the remote store that is not answered yet.
    asked: Mutex<Option<Asked>>,
}

/// The part of the cache that changes during a run.
struct RunState {
    /// `None` with `--no-cache`.
    results: Option<ResultLog>,
    builds: RealBuilds,
    /// Tasks that run a program that was built in this run.
    programs: BTreeMap<TaskIx, RunningTest>,
    /// Treatment of each of them with a sandboxed result.
    tests: BTreeMap<TaskIx, TestRun>,
    /// Treatment of the doc tests of each crate, in the order in which they ran.
    wrapped_tests: Vec<WrappedRun>,
    /// Results of doc tests whose step has not ended.
    passed_tests: Vec<PassedTests>,
    /// Tasks whose cached results are checked again, with the keys under which it is remembered that they were wrong.
    second_looks: BTreeMap<TaskIx, Digest>,
    pending: Vec<Pending>,
    flushed: Instant,
    /// Tasks without a verdict although they ran.
    changed: BTreeMap<TaskIx, Discarded>,
    /// Tools with a result that was not stored, and the first reason.
    not_stored: BTreeMap<ToolId, WhyNotStored>,
    sharing: Sharing,
    away: AwayState,
    /// The error after which nothing more is written.
    failed: Option<std::io::Error>,
}

/// Facts about a run that are complete once its results are stored.
pub(crate) struct Stored {
    /// The tasks that ran and have no verdict because of their inputs.
    pub(crate) discarded: BTreeMap<TaskIx, Discarded>,
    /// For each tool, what it read beyond its declared inputs; `None` if that is not completely known. Empty unless the run is
    /// compared with a base.
    pub(crate) reads: Vec<Option<Vec<Read>>>,
    /// Inputs of tasks with a result that were only found while they ran, as far as they are known. Empty unless the run is a
    /// shard or compared with a base.
    pub(crate) discovered: BTreeMap<TaskIx, Vec<Discovered>>,
}

/// Reason why a result does not count although its process ended by itself.
#[derive(Clone, Debug)]
pub(crate) enum Discarded {
    /// This input changed meanwhile.
    Changed(String),
    /// The run was stopped before the inputs were checked again.
    Unchecked,
    /// A worker and this machine came to different results.
    Differs,
    /// A worker found it out, and results of workers for this tool are in doubt.
    Doubted,
}

/// Data that a [`ResultCache`] borrows.
pub(crate) struct CacheData<'a> {
    outside: OutsideFiles<'a>,
    declared: Declared<'a>,
    /// True if an observed process has a private network. An error if none can be observed.
    observer: Result<bool, NoWall>,
}

impl<'a> CacheData<'a> {
    pub(crate) fn new(context: Context<'a>, stop: &'a Stop) -> Result<Self, PlanError> {
        let Context { workspace, plan, last_run, .. } = context;
        Ok(Self {
            outside: OutsideFiles::new(&last_run.outside, workspace.seen.at, stop),
            declared: Declared::new(workspace, plan)?,
            observer: match plan.graph.tools.iter().any(Tool::is_observed) {
                true => stop.observer().map(|_| scan::private_network(stop).is_ok()),
                false => Ok(false),
            },
        })
    }

    /// True if an observed process has a private network.
    ///
    /// # Errors
    ///
    /// If none can be observed, with the reason.
    pub(crate) fn private_network(&self) -> Result<bool, NoWall> {
        self.observer
    }
}

impl<'a> ResultCache<'a> {
    /// Opens the cache for a run. Without `results`, nothing is looked up and nothing is stored.
    pub(crate) fn new(
        context: Context<'a>,
        data: &'a CacheData<'a>,
        env: &'a Env,
        mut results: Option<ResultLog>,
        build_dirs: &BuildDirs,
        bless: bool,
        stop: &'a Stop,
    ) -> Self {
        let Context { workspace, plan, programs, copies, .. } = context;
        let CacheData { outside, declared, observer } = data;
        let genti = inputs::own_digest(outside);
        let identifier = Identifier::new(programs, env);
        let versions = versions::ask(context, &identifier, env, outside, results.as_mut(), stop);
        let identities = plan.graph.tools.par_iter().map(|tool| identifier.of(tool)).collect();
        let (config, dirs, behind) = (identifier.into_config(), Dirs::default(), Mutex::default());
        let mut ignored_levels = uncommitted::lint_levels(&config, &workspace.root);
        for other in workspace.others.iter().filter(|other| other.is_loaded()) {
            let config = CargoConfig::read(&other.root.to_path(&workspace.root), env);
            ignored_levels.extend(uncommitted::lint_levels_below(&config, &workspace.root, &other.root));
        }
        let inputs = KeyInputs {
            workspace,
            real_root: disk::real(&workspace.root),
            plan,
            env,
            programs,
            outside,
            declared,
            genti,
            behind,
            copies,
            ignored_levels,
            identities,
            versions,
            observer: *observer,
            contents: Mutex::default(),
            wall: stop.sandbox().ok().map(|_| Kernel::probe().wall_version()),
            config,
            dirs,
        };
        let keys = match &results {
            Some(_) => inputs.tools(),
            None => plan.graph.tools.iter().map(|_| Err(String::new())).collect(),
        };
        let programs = plan.graph.tools.iter().map(|tool| programs.of(tool).ok());
        let programs: Vec<_> = programs.map(|path| path.filter(|path| path.is_absolute())).collect();
        for program in programs.iter().flatten() {
            // Only to remember the digest. A program that can't be read now can't be read later either.
            let _ = outside.digest(program);
        }
        let state = RunState {
            results,
            builds: RealBuilds::load(&workspace.target_dir),
            programs: BTreeMap::new(),
            tests: BTreeMap::new(),
            wrapped_tests: Vec::new(),
            passed_tests: Vec::new(),
            second_looks: BTreeMap::new(),
            pending: Vec::new(),
            flushed: Instant::now(),
            changed: BTreeMap::new(),
            not_stored: BTreeMap::new(),
            sharing: Sharing::default(),
            away: AwayState::default(),
            failed: None,
        };
        let cache = Self {
            context,
            inputs,
            keys,
            programs,
            all_files: AllFiles::default(),
            is_shared: build_dirs.is_shared(),
            build_dirs: build_dirs.all().into_iter().map(Path::to_path_buf).collect(),
            bless,
            stop,
            state: Mutex::new(state),
            read: Mutex::default(),
            asked: Mutex::default(),
        };
        cache.ask();
        cache
    }

    /// Returns the version that each tool reports.
    pub(crate) fn versions(&self) -> Vec<Option<String>> {
        self.inputs.versions.clone()
    }

    /// Returns the lint levels in cargo's configuration that are ignored, because they are not committed.
    pub(crate) fn ignored_levels(&self) -> &[IgnoredLevels] {
        &self.inputs.ignored_levels
    }

    /// Returns the files outside of the repository in which tools of this run find their configuration, each with the name of the
    /// tool, if the repository has none.
    pub(crate) fn configuration_outside(&self) -> Vec<(String, String)> {
        let graph = &self.context.plan.graph;
        let has_task = |id: ToolId| graph.tasks.iter().any(|task| task.tool == id);
        let tools = graph.tools().filter(|(id, tool)| !tool.searches.is_empty() && has_task(*id));
        let files = tools.flat_map(|(id, tool)| {
            let files = self.inputs.configuration_outside(id).into_iter();
            files.map(|file| (tool.name.clone(), file))
        });
        files.collect()
    }

    fn lock(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
