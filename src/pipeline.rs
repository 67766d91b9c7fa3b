//! Combines the layers into a run: load → plan → scan → normalize → compare → report.
//!
//! Uses only the interface of each layer. Progress is reported as [`Event`]s; nothing is printed here.

#![expect(clippy::disallowed_methods, reason = "configuration is read and the clock started here")]

mod against;
mod around;
mod as_of;
mod aside;
mod bisect;
mod blind_spots;
mod cap;
mod checkout;
mod compiled;
mod conditions;
mod configuration;
mod copies;
mod early;
mod empty;
mod finished;
mod fixes;
mod golden;
mod judge;
mod ledger;
mod limit;
mod lock;
mod lock_copies;
mod lockfile;
mod needs;
mod new_lints;
mod numbers;
mod results;
mod shard;
mod tested;
mod unbuilt;
mod unseen;
mod untested;
mod variant_lock;
mod variants;
mod verify;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use self::against::{Base, Causing};
use self::conditions::Conditions;
use self::configuration::{read_config, read_lock};
use self::copies::WorkspaceCopies;
use self::early::Early;
use self::judge::Undecided;
use self::needs::Needs;
use self::new_lints::NewLints;
use self::results::{FAILED_FAST, Ran, StepResult};
use self::unseen::Unseen;
use self::watch::Watch;
use crate::cache::{self, CacheData, LastRun, Lookup, RemoteStore, ResultCache, ResultLog, Stored};
use crate::compare::suppressions::Suppressions;
use crate::model::digest::Digest;
use crate::model::error::Problems;
use crate::model::event::Event;
use crate::model::finding::{Diagnostic, Entry};
use crate::model::halt::{Halt, Latch, Never};
use crate::model::notice::Notice;
use crate::model::outcome::{Goldens, Outcome, Strict};
use crate::model::path::RelPath;
use crate::model::policy::{BuildDir, Order, Parallel, Policy, Selection, Share};
use crate::model::remote::RemoteConfig;
use crate::model::shard::ShardIndex;
use crate::model::suppression::Suppression;
use crate::model::task::Plan;
use crate::model::tool::{Tool, ToolId};
use crate::model::workspace::{Workspace, WorkspaceProblem};
use crate::plan::config::{BaselineConfig, Config, Lock, LockContext, PolicyConfig};
use crate::plan::{self, Drift, Durations, Facts, Partition, PlanError};
use crate::scan::{
    BuildDirs, Client, Env, Executor, LocalRunner, Missing, Outputs, Pool, Programs, Runs, Stop,
};
use crate::store::{BaselineError, LockCopies, OutputDir};
use crate::workspace::{GitError, Listing, LoadError};
use crate::{scan, store, workspace};
use jiff::civil::Date;

pub use self::around::{around, base, forget_changed, locate};
pub use self::as_of::Later;
pub use self::bisect::{Answer, CommitState, Next, NotSearched, Search, Sought, States, Suspect, worktree};
pub use self::checkout::checkout;
pub use self::conditions::builds_like_baseline;
pub use self::configuration::{Configuration, configuration};
pub use self::finished::{CheckoutDifference, JudgedRun, NotJudged, judge_finished};
pub use self::fixes::{Fixes, fixes};
pub use self::limit::Limit;
pub use self::lock::{lock, lock_drift};
pub use self::lock_copies::home as copies_home;
pub use self::lockfile::Lockfile;
pub use self::shard::{
    Conflict, Damage, Merged, NotMerged, ShardDifference, ShardFile, are_gates, durations, merge,
};
pub use self::variant_lock::{NotResolved, Resolve, resolve_lock};
pub use self::verify::{Varies, Witness, varies};
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub(crate) use crate::cache::fuzz;

/// Reads source files with findings.
type ReadSources<'a> =
    dyn Fn(&mut dyn Iterator<Item = &RelPath>) -> Result<BTreeMap<RelPath, Vec<u8>>, LoadError> + Sync + 'a;

/// Options of the user that select and configure a workspace.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Directory in which the command was called.
    pub cwd: PathBuf,
    /// Value of `--manifest-path`.
    pub manifest_path: Option<PathBuf>,
    /// Value of `--config-file`.
    pub config_file: Option<PathBuf>,
    /// Configuration to use instead of that of the workspace.
    pub config: Option<Arc<Config>>,
    /// Value of `--profile`.
    pub profile: Option<String>,
    /// Policy from flags and environment variables, which overrides the configuration.
    pub policy: PolicyConfig,
    /// Packages, tools and features to check.
    pub selection: Selection,
    /// Flags that were passed, out of `--locked`, `--offline` and `--frozen`.
    pub cargo_flags: Vec<String>,
    /// Treatment of a missing or outdated `Cargo.lock`.
    pub lockfile: Lockfile,
    /// Date for checking whether suppressions have expired; without one, none expires.
    pub as_of: Option<Date>,
    /// Order in which files and packages are listed.
    pub listing: Listing,
    /// The shard to run; `None` to run everything.
    pub shard: Option<ShardIndex>,
    /// Recorded durations that balance the shards.
    pub balance: Option<Durations>,
    /// True if lock files of variants need not exist, because one is about to be written.
    pub writes_lock: bool,
    /// True if an invalid `genti.lock` is ignored, because it is about to be replaced.
    pub replaces_lock: bool,
}

/// A workspace with its configuration and plan.
#[derive(Debug)]
pub struct Project {
    /// The workspace.
    pub workspace: Workspace,
    /// The plan.
    pub plan: Arc<Plan>,
    /// Differences between the plan and the configuration.
    pub drift: Vec<Drift>,
    /// Name of the configuration file; `None` for the built-in configuration.
    pub config: Option<Arc<str>>,
    /// Number of processes to run in parallel.
    pub parallel: Parallel,
    /// Build directory of cargo.
    pub build_dir: BuildDir,
    /// Maximum number of new findings to keep per tool.
    pub max_findings: usize,
    /// Share of the cached results of sandboxed tools that are checked again.
    pub recheck: Option<Share>,
    /// Finds programs.
    pub programs: Programs,
    /// Conditions under which the baseline was recorded.
    pub baseline: BaselineConfig,
    /// Locked versions of tools, if there is a lock file.
    pub lock: Option<Lock>,
    /// Path of the lock file relative to the workspace root, whether or not it exists.
    pub lock_name: String,
    /// True if a gate requires the locked versions.
    pub locked: bool,
    /// Suppressions from the configuration.
    pub suppressions: Vec<Suppression>,
    /// The remote store of results, if one is configured.
    pub remote: Option<RemoteConfig>,
    /// State of the last run in this workspace.
    last_run: LastRun,
    /// Digest of the inputs for which `Cargo.lock` was verified to be up to date.
    lockfile: Option<Digest>,
    /// Date for checking whether suppressions have expired.
    as_of: Option<Date>,
    /// Copies of the repository for variants with a lock file, or the reason why there can be none.
    copies: Result<LockCopies, String>,
    /// Names of the tools that are disabled in the configuration.
    disabled: Vec<String>,
    /// Flags to pass to cargo.
    cargo_flags: Vec<String>,
    /// Inputs of the plan, kept for planning again with another seed.
    tools: Vec<Tool>,
    facts: Facts,
    /// The base with which the run is compared.
    base: Option<Base>,
}

impl Project {
    fn cache_context<'a>(&'a self, remote: Option<&'a RemoteStore>) -> cache::Context<'a> {
        let Self { workspace, plan, programs, last_run, lockfile, .. } = self;
        let second_look = self.recheck.zip(self.as_of).map(|(share, day)| cache::SecondLook { share, day });
        let copies = self.lock_copies();
        let lockfile = *lockfile;
        let share = self.recheck.unwrap_or(cache::CHECKED_AWAY);
        let away_look = cache::SecondLook { share, day: self.as_of.unwrap_or_default() };
        cache::Context {
            workspace,
            plan,
            programs,
            last_run,
            lockfile,
            second_look,
            away_look,
            copies,
            remote,
        }
    }

    /// Returns the copies of the repository, if a tool builds in one. Without one, no path has to be mapped back.
    fn lock_copies(&self) -> Option<&LockCopies> {
        let is_used = self.tools.iter().any(|tool| tool.lock().is_some());
        self.copies.as_ref().ok().filter(|_| is_used)
    }

    /// Plans again with another seed, without reading anything again.
    ///
    /// # Errors
    ///
    /// If the plan can't be computed. This does not happen in practice, because the first seed gave a plan.
    pub fn reseed(&mut self, seed: u64) -> Result<(), PlanError> {
        let policy = Policy { seed, ..self.plan.policy.clone() };
        let selection = self.plan.selection.clone();
        let plan = plan::plan(&self.workspace, self.tools.clone(), selection, policy, &self.facts)?;
        self.plan = Arc::new(plan);
        Ok(())
    }
}

/// Error from loading a project.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The workspace could not be read.
    #[error(transparent)]
    Workspace(#[from] LoadError),
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The configuration file of the command line does not exist.
    #[error(
        "there is no file `{0}`; correct the path after `--config-file`, or create one with `cargo genti init`"
    )]
    NoConfigFile(PathBuf),
    /// A configuration file could not be read.
    #[error("could not read `{path}`: {error}")]
    ConfigFile {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The selection does not fit the workspace.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The baseline could not be read.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Git could not list the changed files.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Cargo is not installed.
    #[error(transparent)]
    NoCargo(#[from] Missing),
    /// `Cargo.lock` is missing and may not be created.
    #[error("`{0}` is missing; create it with `cargo generate-lockfile` and commit it")]
    NoLockfile(PathBuf),
    /// `Cargo.lock` is out of date and may not be updated.
    #[error("`{0}` is out of date; update it with `cargo update --workspace` and commit it")]
    OldLockfile(PathBuf),
    /// Cargo could not create `Cargo.lock`.
    #[error("could not create `{path}`: {message}")]
    Lockfile {
        /// Path of `Cargo.lock`.
        path: PathBuf,
        /// Error message of cargo.
        message: String,
    },
}

/// Returns the target directory of the workspace, below which runs store their files. Reads nothing else of the workspace.
///
/// # Errors
///
/// If there is no workspace.
pub fn target_dir(request: &Request, env: &Env) -> Result<PathBuf, Error> {
    let (_, of_workspace) = find(request, env)?;
    Ok(workspace::directories(&of_workspace)?.target_dir)
}

/// Locates programs from the directory in which the search for the workspace begins, and creates the request for cargo.
fn find(request: &Request, env: &Env) -> Result<(Programs, workspace::WorkspaceRequest), Error> {
    let manifest = request.manifest_path.as_ref().map(|path| request.cwd.join(path));
    let start = manifest.as_deref().and_then(Path::parent).unwrap_or(&request.cwd);
    workspace::refuse_special(start, manifest.as_deref())?;
    let programs = Programs::new(env, start)?;
    let has = |flag: &str| request.cargo_flags.iter().any(|given| given == flag);
    let of_workspace = workspace::WorkspaceRequest {
        cargo: programs.cargo().to_path_buf(),
        manifest_path: request.manifest_path.clone(),
        cwd: request.cwd.clone(),
        locked: has("--locked"),
        offline: has("--offline"),
        frozen: has("--frozen"),
        listing: request.listing,
        configurations: &plan::config::LOCATIONS,
    };
    Ok((programs, of_workspace))
}

/// Reads the workspace and its configuration, and plans the run.
///
/// # Errors
///
/// If the workspace, the configuration or the selection is invalid, or `limit` stops reading the workspace.
pub fn load(
    request: &Request,
    env: &Env,
    limit: &Limit<'_>,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Project, Error> {
    let (programs, of_workspace) = find(request, env)?;
    let mut last_run = LastRun::default();
    let (mut unknown, mut config) = (None, None);
    let others = |root: &Path| {
        let read = config.insert(read_config(request, root));
        limit.set(read.as_ref().ok().and_then(|read| request.policy.over(&read.policy).max_duration));
        read.as_ref().map(Config::workspaces).unwrap_or_default()
    };
    let known = |_: &Path, target_dir: &Path| {
        match LastRun::load(target_dir) {
            Ok(loaded) => last_run = loaded,
            Err(notice) => unknown = Some(notice),
        }
        last_run.files.clone()
    };
    let loaded = workspace::load(&of_workspace, others, known, limit);
    if let (Err(LoadError::NoManifest(_)), Some(Err(_))) = (&loaded, &config) {
        // A correct configuration may name workspaces.
        config.take().transpose()?;
    }
    let mut loaded = loaded?;
    let others = |_: &Path| {
        config.as_ref().and_then(|read| Some(read.as_ref().ok()?.workspaces())).unwrap_or_default()
    };
    let known = |_: &Path, _: &Path| last_run.files.clone();
    let without_lock = match request.lockfile {
        Lockfile::Ignore => Vec::new(),
        _ => lockfile::missing(&loaded),
    };
    if !without_lock.is_empty() {
        for path in &without_lock {
            lockfile::make(request, &programs, (&loaded.root, path), events)?;
        }
        loaded = workspace::load(&of_workspace, others, known, limit)?;
    }
    let mut lockfile = lockfile::settle(request, &programs, &loaded, last_run.lockfile, env)?;
    if !lockfile.updated.is_empty() {
        for path in &lockfile.updated {
            events(Event::Notice(&Notice::LockfileUpdated(path.clone())));
        }
        loaded = workspace::load(&of_workspace, others, known, limit)?;
        lockfile.digest = Some(lockfile::inputs(&programs, &loaded, env));
    }
    if let Some(notice) = unknown {
        events(Event::Notice(&notice));
    }
    let mut workspace = loaded;
    toolchains_of_others(&mut workspace);
    let programs = programs.within(&workspace.root);
    let config = config.unwrap_or_else(|| read_config(request, &workspace.root))?;
    let lock_name = config.lock_name();
    configuration::of_members(request, &workspace)?;
    let lock = match read_lock(&workspace.root, &lock_name) {
        Err(Error::Config(_)) if request.replaces_lock => None,
        lock => lock?,
    };
    let effective = request.policy.over(&config.policy);
    let policy = effective.policy();
    let facts = facts(request, &workspace, &policy)?;
    let copies = lock_copies::of(&workspace, env);
    let locks = LockContext { beyond: lock_copies::beyond(&workspace), may_be_missing: request.writes_lock };
    plan::config::check_variants(&config.variants, &config.tools, &workspace, &locks)?;
    plan::check_features(&workspace, &request.selection)?;
    let tools = config.planned(&workspace);
    let mut plan = plan::plan(&workspace, tools.clone(), request.selection.clone(), policy, &facts)?;
    let drift = plan::drift(&workspace, &plan, &request.policy, &config.policy, &config.baseline);
    // Not part of the plan: all shards have the same graph, batches and ids.
    plan.shard = request.shard.map(|of| {
        let partition = Partition::of(&workspace, &plan, of.count, request.balance.as_ref());
        Arc::new(partition.shard(&plan, of))
    });
    Ok(Project {
        workspace,
        plan: Arc::new(plan),
        drift,
        parallel: effective.parallel(),
        build_dir: effective.build_dir(),
        max_findings: effective.max_findings(),
        recheck: effective.recheck,
        config: config.source,
        programs,
        baseline: config.baseline,
        lock,
        lock_name,
        locked: config.locked,
        suppressions: config.suppressions,
        remote: config.remote,
        lockfile: lockfile.digest,
        last_run,
        as_of: request.as_of,
        copies,
        disabled: config.disabled.into_iter().map(|tool| tool.name).collect(),
        cargo_flags: request.cargo_flags.clone(),
        tools,
        facts,
        base: None,
    })
}

/// Notes the other workspaces for which rustup reads another toolchain file. Programs of the toolchain are found once per run.
fn toolchains_of_others(workspace: &mut Workspace) {
    let root = &workspace.root;
    for other in workspace.others.iter_mut().filter(|other| other.problem.is_none()) {
        if !scan::has_same_toolchain_file(&other.root.to_path(root), root) {
            other.problem = Some(WorkspaceProblem::OtherToolchain);
        }
    }
}

/// Context of a run.
pub struct Session<'a> {
    /// Environment for child processes.
    pub env: &'a Env,
    /// Jobserver tokens.
    pub pool: &'a Pool,
    /// Cancellation of the run.
    pub stop: &'a Stop,
    /// Number of processes to run in parallel.
    pub parallel: usize,
    /// True if nothing more starts once a required tool has failed.
    pub fail_fast: bool,
    /// Start of the run.
    pub started: Instant,
    /// True if output that differs from golden files is accepted. It is written after the run.
    pub bless: bool,
    /// Reasons to fail the run other than new findings.
    pub strict: Strict,
    /// True if new findings are reported as soon as their tool has finished.
    pub shows_findings: bool,
    /// Directory for output that is too long for memory or should be kept.
    pub outputs: Option<&'a OutputDir>,
    /// Directory of the result cache, even if this run does not use it. No sandboxed tool may change it.
    pub cache_dir: Option<&'a Path>,
    /// The remote store of results, if the run uses one. Only used together with the result cache.
    pub remote: Option<&'a RemoteStore>,
    /// Path of the running program, if its `main` begins with a call to [`crate::scan::run_as_wrapper`].
    pub own_program: Option<&'a Path>,
}

/// Error from a run that is not caused by the project. No artifacts were written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Threads or other resources could not be created.
    #[error(
        "could not set up the run: {0}; raise the limits on open files and processes (`ulimit -n`, `ulimit -u`)"
    )]
    System(#[from] std::io::Error),
    /// A source file with findings could not be read.
    #[error("{0}; no artifacts were written, and those of the last run are unchanged")]
    Source(#[from] LoadError),
}

impl From<Undecided> for RunError {
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::Source(error) => Self::Source(error),
            Undecided::Halted(halted) => Self::System(std::io::Error::other(halted)),
        }
    }
}

/// Runs the plan of `project` and compares the findings with `baseline`. Tasks with valid results in `results` are not run
/// again. Without `results`, the cache is disabled.
///
/// # Errors
///
/// If a source file can't be read, or resources of the system are exhausted.
pub fn run(
    project: &Project,
    session: &Session<'_>,
    results: Option<ResultLog>,
    baseline: &BTreeMap<String, Vec<Entry>>,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome, RunError> {
    let Project { workspace, plan, programs, cargo_flags, .. } = project;
    let suppressions = &Suppressions::new(&project.suppressions, project.as_of);
    if let Some(most) = plan.policy.max_duration {
        session.stop.end_at(session.started + most);
    }
    let build_dirs = BuildDirs::new(project.build_dir, session.parallel, workspace);
    let build_dirs = build_dirs.with_variants(&plan.graph.tools);
    let context = project.cache_context(session.remote);
    let data = CacheData::new(context, session.stop).map_err(std::io::Error::other)?;
    let cache =
        ResultCache::new(context, &data, session.env, results, &build_dirs, session.bless, session.stop);
    let versions = cache.versions();
    let new_lints = NewLints::ask(project, &versions, session.env, session.stop);
    let conditions = Conditions::new(project, &versions, session.env);
    if !baseline.is_empty() {
        conditions.tell(events);
    }
    let alike = conditions.hold();
    let mut ignored = cache.ignored_levels().to_vec();
    ignored.extend(scan::ignored_levels(&plan.graph.tools));
    if !ignored.is_empty() {
        events(Event::Notice(&Notice::LintLevelsIgnored(ignored)));
    }
    let files = cache.configuration_outside();
    if !files.is_empty() {
        events(Event::Notice(&Notice::ForeignConfiguration { files }));
    }
    events(Event::Planned);
    let scrub = judge::scrub(workspace, session.env, &build_dirs);
    let read = |paths: &mut dyn Iterator<Item = &RelPath>| workspace::read_sources(&workspace.root, paths);
    let is_new = |tool: &str, diagnostics: &[Diagnostic]| {
        let fails = |found: &&Diagnostic| found.fatal || !new_lints.has(tool, &found.rule);
        let diagnostics: Vec<_> = diagnostics.iter().filter(fails).collect();
        judge::is_new(tool, &diagnostics, suppressions, baseline, &read, session.stop)
    };
    let is_new = session.fail_fast.then_some(&is_new as &judge::IsNew<'_>);
    let lookups = cache.look_up();
    let unbounded = lookups.iter().filter_map(Lookup::unbounded).collect::<BTreeSet<_>>();
    // If the run was stopped, a link may only be unbounded because it was not read in time, so don't report it.
    for link in unbounded.into_iter().filter(|_| !session.stop.is_due()) {
        events(Event::Notice(&Notice::LinkNotCached { link: link.to_owned() }));
    }
    let due: Vec<_> = lookups.iter().map(Lookup::is_miss).collect();
    let builds = |id: ToolId| plan.graph.tool(id).lane.is_some();
    let runs = |id: &ToolId| plan.graph.tasks.iter().zip(&due).any(|(task, due)| *due && task.tool == *id);
    let lanes = plan.graph.tools().filter(|(id, _)| builds(*id) && runs(id)).map(|(_, tool)| tool);
    if lanes.filter_map(|tool| build_dirs.own(tool)).any(|dir| !dir.exists()) {
        events(Event::Notice(&Notice::NewBuildDir));
    }
    if let Err(why) = session.stop.sandbox() {
        let open = plan.graph.tools().filter(|(id, tool)| tool.sandbox.is_some() && runs(id));
        let tools: Vec<_> = open.map(|(_, tool)| tool.name.clone()).collect();
        if !tools.is_empty() {
            events(Event::Notice(&Notice::SandboxUnavailable { tools, error: why.to_string() }));
        }
    }
    if let Err(why) = data.private_network() {
        let observed = plan.graph.tools().filter(|(id, tool)| tool.is_observed() && runs(id));
        let tools: Vec<_> = observed.map(|(_, tool)| tool.name.clone()).collect();
        if !tools.is_empty() {
            events(Event::Notice(&Notice::NotObserved { tools, error: why.to_string() }));
        }
    }
    if let Ok(copies) = &project.copies {
        let locks = project.tools.iter().filter_map(Tool::lock);
        // If this fails, the next run tries it again.
        let _ = copies.retain(locks.map(|lock| &lock.path));
    }
    let copies = WorkspaceCopies { workspace, halt: session.stop };
    let workers = cache.workers();
    let executor = Executor {
        workspace,
        plan,
        programs,
        env: session.env,
        runner: &LocalRunner::new(session.stop, session.outputs),
        workers: workers.as_deref(),
        copies: Some(&copies),
        pool: session.pool,
        stop: session.stop,
        parallel: session.parallel,
        fail_fast: session.fail_fast,
        absent_fails: session.strict.absent,
        has_failed: is_new.is_some_and(|is_new| judge::has_failed(plan, &lookups, is_new)),
        due: &due,
        outputs: &Outputs::new(session.outputs),
        build_dirs,
        lock_copies: &project.copies,
        cache_dir: session.cache_dir,
        private_network: data.private_network().unwrap_or_default(),
        own_program: session.own_program,
        cargo_flags: cargo_flags.clone(),
        ignored_levels: cache.ignored_levels(),
        started: session.started,
    };
    let goldens = golden::Goldens::new(workspace, session.bless);
    let watch = Watch::new(project, due.contains(&true), session.stop);
    let normalize = judge::normalizer(judge::Reader {
        workspace,
        plan,
        scrub: &scrub,
        read: &read,
        goldens: &goldens,
        copies: project.lock_copies(),
        is_new,
        cache: &cache,
        stop: session.stop,
    });
    let on_disk = |path: &RelPath| exists(&path.to_path(&workspace.root));
    let may_exist = |path: &RelPath| ledger::may_exist(workspace, path, &on_disk);
    // If nothing runs, the end is near. Which findings fail is known only there if some are excused.
    let early = (session.shows_findings && due.contains(&true) && new_lints.is_empty()).then(|| {
        let context = early::Context {
            workspace,
            plan,
            suppressions,
            baseline,
            read: &read,
            exists: &may_exist,
            max_findings: project.max_findings,
            halt: session.stop,
        };
        Early::new(context, &lookups, &due)
    });
    let needs = Needs::new(workspace, plan, &lookups);
    let client = Client {
        judge: &normalize,
        sift: &judge::Sifter { plan, scrub: &scrub, stop: session.stop },
        recall: &|tasks, program| cache.recall(tasks, program),
        wrapped_tests: Some(&cache),
        admit: &|step| {
            watch.admit(step).or_else(|| cache.drop_outdated_builds(plan.step(step).tool, session.stop))
        },
        unmet: &|task| needs.unmet(task),
        runs_here: &|run| cache.runs_here(run),
        record: &|run| {
            needs.ended(run);
            match watch.ended(run) {
                true => cache.skip(plan.step(run.step).tool),
                false => cache.record(run),
            }
            early.iter().for_each(|early| early.ended(run));
        },
    };
    let show = |events: &mut dyn FnMut(Event<'_>)| {
        early.iter().flat_map(Early::take).for_each(|found| events(Event::Found(&found)));
    };
    show(events);
    let Runs { steps: mut runs, failed_fast } = executor.run(&client, &mut |event| {
        show(events);
        events(event);
    })?;
    show(events);
    drop(workers);
    drop(normalize);
    events(Event::Comparing);
    let Stored { discarded: changed, reads, discovered } = cache.finish(&lookups, events);
    let moved = watch.finish();
    let in_time = Latch::new(session.stop);
    let locks = lockfile::roots(workspace).map(|root| root.join("Cargo.lock"));
    for path in locks.filter(|path| workspace::has_changed(workspace, path, &in_time)) {
        if moved.is_empty() && in_time.check().is_ok() {
            events(Event::Notice(&Notice::LockfileChanged(path)));
        }
    }
    let target = || {
        let asked_for = plan.selection.target.clone();
        asked_for.or_else(|| scan::default_target(&workspace.root, programs, session.env))
    };
    let goldens = Goldens {
        accepted: goldens.accepted(),
        orphans: golden::orphans(workspace, plan, &project.disabled),
    };
    let stopped = || session.stop.reason();
    let build = unseen::Build { workspace, programs, env: session.env, recorded: None };
    let case = |halt| judge::Case {
        workspace,
        plan,
        versions: versions.clone(),
        suppressions,
        as_of: project.recorded_day(project.as_of),
        baseline,
        read: &read,
        goldens: goldens.clone(),
        unseen: Unseen::Found(build),
        stated: None,
        blind_spots: None,
        causing: match &project.base {
            Some(base) => Causing::Found { base, project, reads: &reads },
            None => Causing::Nothing,
        },
        new_lints: &new_lints,
        stopped: &stopped,
        strict: session.strict,
        parallel: session.parallel,
        max_findings: project.max_findings,
        halt,
    };
    let beyond = || workspace::manifests_beyond(&workspace.root);
    let kept = judge::kept(workspace, plan, &mut runs);
    let stop_reason = session.stop.reason();
    let noted = changed.into_iter().map(|(task, why)| (task, results::of_discarded(why, stop_reason)));
    let ran = Ran {
        noted: noted.chain(moved).collect(),
        runs: runs.into_iter().map(|run| StepResult::of(workspace, plan, run)).collect(),
        lookups,
        not_run: if failed_fast { FAILED_FAST.to_owned() } else { results::why(stop_reason) },
    };
    let shard = plan.shard.as_ref().map(|shard| {
        let of = shard::Origin {
            versions: &versions,
            new_lints: &new_lints,
            build,
            session,
            discovered: &discovered,
        };
        shard::record(project, shard, &ran, of)
    });
    let facts = judge::Facts { exists: &on_disk, target: &target, beyond: &beyond };
    let outcome = judge::outcome(case(session.stop), ran, alike.clone(), facts);
    let mut outcome = match outcome {
        Err(Undecided::Halted(_)) => judge::give_up(case(&Never), alike, &on_disk)?,
        outcome => Outcome { shard, ..outcome? },
    };
    for (tool, kept) in outcome.tools.iter_mut().zip(kept) {
        (tool.kept, tool.not_kept) = kept;
    }
    new_lints::explain(project, &mut outcome, &new_lints);
    Ok(outcome)
}

/// Returns whether `path` exists. Errors other than "not found" count as existing.
fn exists(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    !std::fs::symlink_metadata(path).is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

/// Number of processes to run in parallel: the requested number, or one per core.
pub fn parallelism(asked: Parallel) -> usize {
    match asked {
        Parallel::Count(count) => count.get() as usize,
        Parallel::Auto => {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
            cores.min(Parallel::MOST as usize)
        }
    }
}

/// Reads facts that selection and risk depend on, if they are needed.
fn facts(request: &Request, workspace: &Workspace, policy: &Policy) -> Result<Facts, Error> {
    let since = request.selection.since.as_deref();
    let changed = since.map(|since| workspace::changed_since(&workspace.root, since)).transpose()?;
    let changed = changed.map(|mut files: BTreeSet<RelPath>| {
        // Git lists build output if only the global excludes of the user ignore it.
        let built = workspace.built_dirs();
        files.retain(|path| !built.iter().any(|dir| path.is_within(dir)));
        files
    });
    // If the configuration file itself changed, everything may have changed.
    let config = request.config_file.as_ref().and_then(|path| request.cwd.join(path).canonicalize().ok());
    let config = config.zip(workspace.root.canonicalize().ok());
    let config = config.and_then(|(path, root)| RelPath::between(&root, &path));
    let changed = changed.filter(|files| !config.is_some_and(|path| files.contains(&path)));
    let accepted = match policy.order {
        Order::RiskFirst => store::load_baseline(&workspace.root)?,
        Order::Deterministic | Order::Topo | Order::RequiredFirst => BTreeMap::new(),
    };
    Ok(Facts { changed, accepted })
}
