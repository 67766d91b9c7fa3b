//! The one use case: load → plan → scan → normalize → compare → report.
//!
//! Puts the layers together and knows no more of each than its interface. What happens on the way is told as
//! [`Event`]s; nothing is printed here.

#![expect(clippy::disallowed_methods, reason = "configuration is read and the clock started here")]

mod around;
mod as_of;
mod blind_spots;
mod compiled;
mod conditions;
mod empty;
mod finished;
mod golden;
mod judge;
mod ledger;
mod lock;
mod lockfile;
mod numbers;
mod recall;
mod unseen;
mod untested;
mod verify;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use self::conditions::Conditions;
use self::judge::Undecided;
use self::recall::{Fate, Outside, Recall};
use self::unseen::Unseen;
use self::watch::Watch;
use crate::compare::suppressions::Suppressions;
use crate::model::digest::Digest;
use crate::model::error::Problems;
use crate::model::event::Event;
use crate::model::finding::Entry;
use crate::model::halt::Never;
use crate::model::outcome::{Goldens, Outcome, Strict};
use crate::model::path::RelPath;
use crate::model::policy::{BuildDir, Order, Parallel, Policy, Selection};
use crate::model::suppression::Suppression;
use crate::model::task::Plan;
use crate::model::tool::{Tool, ToolId};
use crate::model::workspace::Workspace;
use crate::plan::config::{self, BaselineConfig, Config, ConfigFile, Lock, PolicyConfig};
use crate::plan::{self, Drift, Facts, PlanError};
use crate::scan::{BuildDirs, Client, Env, Executor, Missing, Outputs, Pool, Programs, Runs, Stop};
use crate::store::{BaselineError, OutputDir, Results, State};
use crate::workspace::{GitError, Listing, LoadError};
use crate::{disk, scan, store, workspace};
use jiff::civil::Date;

pub use self::around::{Located, around, base, forget_changed, locate};
pub use self::as_of::Later;
pub use self::conditions::builds_like_baseline;
pub use self::finished::{Difference, Judged, NotJudged, judge_finished};
pub use self::lock::{lock, lock_drift};
pub use self::lockfile::Lockfile;
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub(crate) use self::recall::fuzz;
pub use self::verify::{Varies, Witness, varies};

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where the command was called.
    pub cwd: PathBuf,
    /// `--manifest-path`.
    pub manifest_path: Option<PathBuf>,
    /// `--config-file`.
    pub config_file: Option<PathBuf>,
    /// `--profile`.
    pub profile: Option<String>,
    /// What flags and environment say of the policy; it outranks the configuration.
    pub policy: PolicyConfig,
    /// What to look at.
    pub selection: Selection,
    /// `--locked`, `--offline` and `--frozen`, as given.
    pub cargo_flags: Vec<String>,
    /// What is wanted of `Cargo.lock`.
    pub lockfile: Lockfile,
    /// The day by which suppressions expire; without one, none does.
    pub as_of: Option<Date>,
    /// In which order files and packages are met.
    pub listing: Listing,
}

/// A workspace with its configuration and its plan.
#[derive(Debug)]
pub struct Project {
    /// The workspace.
    pub workspace: Workspace,
    /// The plan.
    pub plan: Arc<Plan>,
    /// Where it is not the one that is configured.
    pub drift: Vec<Drift>,
    /// The file that the configuration is from; `None` if all of it is built in.
    pub config: Option<Arc<str>>,
    /// How many processes may run at once.
    pub parallel: Parallel,
    /// Where cargo builds.
    pub build_dir: BuildDir,
    /// Where programs are found.
    pub programs: Programs,
    /// How the baseline was taken.
    pub baseline: BaselineConfig,
    /// The locked versions of the tools, if some are.
    pub lock: Option<Lock>,
    /// Where they are, or would be, as the user would name it from the workspace root.
    pub lock_name: String,
    /// Whether a gate passes with these alone.
    pub locked: bool,
    /// What is not to count.
    pub suppressions: Vec<Suppression>,
    /// What the last run here saw.
    state: State,
    /// The digest under which `Cargo.lock` is known to be up to date.
    lockfile: Option<Digest>,
    /// The day by which that expires.
    as_of: Option<Date>,
    /// The tools that are configured and turned off.
    disabled: Vec<String>,
    /// What was asked of cargo.
    cargo_flags: Vec<String>,
    /// What the plan was made of, beside the workspace and what the plan holds itself.
    tools: Vec<Tool>,
    facts: Facts,
}

impl Project {
    /// Plans again with another seed, from what was read already.
    ///
    /// # Errors
    ///
    /// None that there was not for the first seed.
    pub fn reseed(&mut self, seed: u64) -> Result<(), PlanError> {
        let policy = Policy { seed, ..self.plan.policy.clone() };
        let selection = self.plan.selection.clone();
        let plan = plan::plan(&self.workspace, self.tools.clone(), selection, policy, &self.facts)?;
        self.plan = Arc::new(plan);
        Ok(())
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The workspace could not be read.
    #[error(transparent)]
    Workspace(#[from] LoadError),
    /// The configuration holds mistakes.
    #[error(transparent)]
    Config(#[from] Problems),
    /// A configuration file could not be read.
    #[error("could not read `{path}`: {error}")]
    ConfigFile {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The selection does not fit the workspace.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The baseline could not be read.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Git could not tell what changed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is no cargo.
    #[error(transparent)]
    NoCargo(#[from] Missing),
    /// There is no `Cargo.lock` and none may be made.
    #[error("`{0}` is missing; create it with `cargo generate-lockfile` and commit it")]
    NoLockfile(PathBuf),
    /// `Cargo.lock` is not what the manifests want, and may not be written.
    #[error("`{0}` is out of date; update it with `cargo update --workspace` and commit it")]
    OldLockfile(PathBuf),
    /// Cargo could not make a `Cargo.lock`.
    #[error("could not create `{path}`: {message}")]
    Lockfile {
        /// Where.
        path: PathBuf,
        /// What cargo said.
        message: String,
    },
}

/// Where cargo builds in the workspace that `request` names, and what runs leave lies below: without reading anything else
/// of it.
///
/// # Errors
///
/// If there is no such workspace.
pub fn target_dir(request: &Request, env: &Env) -> Result<PathBuf, Error> {
    let (_, of_workspace) = find(request, env)?;
    Ok(workspace::target_dir(&of_workspace)?)
}

/// Where programs are, seen from where the workspace is looked for; and what is asked of cargo.
fn find(request: &Request, env: &Env) -> Result<(Programs, workspace::Request), Error> {
    let manifest = request.manifest_path.as_ref().map(|path| request.cwd.join(path));
    let start = manifest.as_deref().and_then(Path::parent).unwrap_or(&request.cwd);
    workspace::refuse_special(start, manifest.as_deref())?;
    let programs = Programs::new(env, start)?;
    let has = |flag: &str| request.cargo_flags.iter().any(|given| given == flag);
    let of_workspace = workspace::Request {
        cargo: programs.cargo().to_path_buf(),
        manifest_path: request.manifest_path.clone(),
        cwd: request.cwd.clone(),
        locked: has("--locked"),
        offline: has("--offline"),
        frozen: has("--frozen"),
        listing: request.listing,
    };
    Ok((programs, of_workspace))
}

/// Reads the workspace and its configuration, and plans.
///
/// # Errors
///
/// If the workspace, the configuration or the selection has mistakes.
pub fn load(request: &Request, env: &Env, events: &mut dyn FnMut(Event<'_>)) -> Result<Project, Error> {
    let (programs, of_workspace) = find(request, env)?;
    let mut state = State::default();
    let mut unknown = None;
    let known = |target_dir: &Path| {
        match State::load(target_dir) {
            Ok(loaded) => state = loaded,
            Err(error) => unknown = Some(error),
        }
        state.files.clone()
    };
    let mut loaded = workspace::load(&of_workspace, known)?;
    let known = |_: &Path| state.files.clone();
    if !loaded.lockfile && request.lockfile != Lockfile::Ignore {
        lockfile::make(request, &programs, &loaded.workspace.root, events)?;
        loaded = workspace::load(&of_workspace, known)?;
    }
    let mut lockfile = lockfile::settle(request, &programs, &loaded.workspace, state.lockfile, env)?;
    if lockfile.is_updated {
        events(Event::Notice(
            "Cargo.lock was out of date, and cargo has updated it; commit it, since `check` does not update it",
        ));
        loaded = workspace::load(&of_workspace, known)?;
        lockfile.digest = Some(lockfile::inputs(&programs, &loaded.workspace, env));
    }
    if let Some(error) = unknown {
        events(Event::Notice(&error.to_string()));
    }
    let workspace = loaded.workspace;
    let programs = programs.within(&workspace.root);
    let config = read_config(request, &workspace.root)?;
    let lock_name = config.lock_name();
    let lock = read_lock(&workspace.root, &lock_name)?;
    let effective = request.policy.over(&config.policy);
    let policy = effective.policy();
    let facts = facts(request, &workspace, &policy)?;
    let plan = plan::plan(&workspace, config.tools.clone(), request.selection.clone(), policy, &facts)?;
    let drift = plan::drift(&workspace, &plan, &request.policy, &config.policy, &config.baseline);
    Ok(Project {
        workspace,
        plan: Arc::new(plan),
        drift,
        parallel: effective.parallel.unwrap_or_default(),
        build_dir: effective.build_dir.unwrap_or_default(),
        config: config.source,
        programs,
        baseline: config.baseline,
        lock,
        lock_name,
        locked: config.locked,
        suppressions: config.suppressions,
        lockfile: lockfile.digest,
        state,
        as_of: request.as_of,
        disabled: config.disabled,
        cargo_flags: request.cargo_flags.clone(),
        tools: config.tools,
        facts,
    })
}

/// What a run works with beside the project.
pub struct Session<'a> {
    /// What children may see.
    pub env: &'a Env,
    /// The tokens.
    pub pool: &'a Pool,
    /// The switch that ends the run.
    pub stop: &'a Stop,
    /// How many processes run at once.
    pub parallel: usize,
    /// Whether nothing starts any more once a required tool has failed.
    pub fail_fast: bool,
    /// When the run began.
    pub started: Instant,
    /// Whether what differs from golden files is accepted, to be written after the run.
    pub bless: bool,
    /// What fails the run beside new findings.
    pub strict: Strict,
    /// Where output goes that is too long for memory, or is to be kept.
    pub outputs: Option<&'a OutputDir>,
    /// This program, if its `main` calls [`crate::scan::wrap_rustc`] first.
    pub own_program: Option<&'a Path>,
}

/// Why a run came to no outcome. Nobody made a mistake, and nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system has no threads left.
    #[error(
        "could not set up the run: {0}; raise the limits on open files and processes (`ulimit -n`, `ulimit -u`)"
    )]
    System(#[from] std::io::Error),
    /// What was found could not be looked up.
    #[error("{0}; no artifact was written, those of the last run are untouched")]
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

/// Runs the plan of `project` and compares with `baseline`. What is in `results` and still right is not run again; without
/// any, everything is run, and nothing kept.
///
/// # Errors
///
/// If the system fails us.
pub fn run(
    project: &Project,
    session: &Session<'_>,
    results: Option<Results>,
    baseline: &BTreeMap<String, Vec<Entry>>,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome, RunError> {
    let Project { workspace, plan, programs, cargo_flags, .. } = project;
    let suppressions = &Suppressions::new(&project.suppressions, project.as_of);
    let build_dirs = BuildDirs::new(project.build_dir, session.parallel, workspace);
    let outside = Outside::new(project).map_err(std::io::Error::other)?;
    let recall =
        Recall::new(project, &outside, session.env, results, &build_dirs, session.bless, session.stop);
    let versions = recall.versions();
    let conditions = Conditions::new(project, &versions, session.env);
    if !baseline.is_empty() {
        conditions.tell(events);
    }
    let alike = conditions.hold();
    events(Event::Planned);
    let scrub = judge::scrub(workspace, session.env, &build_dirs);
    let read = |paths: &mut dyn Iterator<Item = &RelPath>| workspace::read_sources(&workspace.root, paths);
    let is_new = |tool: &str, diagnostics: &[_]| {
        judge::is_new(tool, diagnostics, suppressions, baseline, &read, session.stop)
    };
    let is_new = session.fail_fast.then_some(&is_new as &judge::IsNew<'_>);
    let fates = recall.look_up();
    for link in fates.iter().filter_map(Fate::unbounded).collect::<BTreeSet<_>>() {
        events(Event::Notice(&format!(
            "not caching results that depend on {link}: this link leads to more than 10,000 files, or to one that can't be read"
        )));
    }
    let due: Vec<_> = fates.iter().map(Fate::is_due).collect();
    let builds = |id: ToolId| plan.graph.tool(id).lane.is_some();
    let runs = |id: &ToolId| plan.graph.tasks.iter().zip(&due).any(|(task, due)| *due && task.tool == *id);
    let lanes = plan.graph.tools().filter(|(id, _)| builds(*id) && runs(id)).map(|(_, tool)| tool);
    if lanes.filter_map(|tool| build_dirs.own(tool)).any(|dir| !dir.exists()) {
        events(Event::Notice(
            "builds go to target/genti/build, so that no run waits for the cargo of your editor or shell; dependencies are built once more there",
        ));
    }
    let executor = Executor {
        workspace,
        plan,
        programs,
        env: session.env,
        pool: session.pool,
        stop: session.stop,
        parallel: session.parallel,
        fail_fast: session.fail_fast,
        absent_fails: session.strict.absent,
        has_failed: is_new.is_some_and(|is_new| judge::has_failed(plan, &fates, is_new)),
        due: &due,
        outputs: &Outputs::new(session.outputs),
        build_dirs,
        own_program: session.own_program,
        cargo_flags: cargo_flags.clone(),
        started: session.started,
    };
    let goldens = golden::Goldens::new(workspace, session.bless);
    let watch = Watch::new(project, due.contains(&true));
    let normalize = judge::normalizer(judge::Reader {
        workspace,
        plan,
        scrub,
        read: &read,
        goldens: &goldens,
        is_new,
        recall: &recall,
        stop: session.stop,
    });
    let client = Client {
        judge: &normalize,
        recall: &|task, program| recall.of_program(task, program).map(Ok),
        admit: &|step| watch.admit(step).or_else(|| recall.prepare(plan.step(step).tool, session.stop)),
        record: &|run| match watch.ended(run) {
            true => recall.forget(plan.step(run.step).tool),
            false => recall.record(run),
        },
    };
    let Runs { steps: runs, failed_fast } = executor.run(&client, events)?;
    drop(normalize);
    events(Event::Comparing);
    let changed = recall.finish(&fates, events);
    let moved = watch.finish();
    if moved.is_empty() && workspace::has_changed(workspace, &RelPath::new("Cargo.lock")) {
        events(Event::Notice(
            "cargo updated Cargo.lock during the run: the ids in the artifacts are those of the old one; run again",
        ));
    }
    let asked_for = || plan.selection.target.clone();
    let target = || asked_for().or_else(|| scan::default_target(workspace, programs, session.env));
    let flags = || scan::compiler_flags(workspace, programs, session.env, target().as_deref());
    let is_cross = plan.selection.target.is_some();
    let goldens = Goldens {
        accepted: goldens.accepted(),
        orphans: golden::orphans(workspace, plan, &project.disabled),
    };
    let stopped = || session.stop.reason();
    let case = |halt| judge::Case {
        workspace,
        plan,
        versions: versions.clone(),
        suppressions,
        baseline,
        read: &read,
        goldens: goldens.clone(),
        unseen: Unseen::Found(unseen::Build { target: &target, is_cross, flags: &flags }),
        stated: None,
        blind_spots: None,
        stopped: &stopped,
        strict: session.strict,
        parallel: session.parallel,
        halt,
    };
    let exists = |path: &RelPath| exists(&path.to_path(&workspace.root));
    let beyond = || workspace::manifests_beyond(&workspace.root);
    let ran = judge::Ran { runs, fates, changed, moved, failed_fast };
    let outcome = judge::outcome(case(session.stop), ran, alike.clone(), &exists, &target, &beyond);
    let mut outcome = match outcome {
        Err(Undecided::Halted(_)) => judge::give_up(case(&Never), alike, &exists)?,
        outcome => outcome?,
    };
    lock::explain(project, &mut outcome, session.env, session.stop);
    Ok(outcome)
}

/// Whether there is something at `path`, as far as the system tells.
fn exists(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    !std::fs::symlink_metadata(path).is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

/// How many processes run at once: what was asked for, or one a core.
pub fn parallelism(asked: Parallel) -> usize {
    match asked {
        Parallel::Count(count) => count.get() as usize,
        Parallel::Auto => {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
            cores.min(Parallel::MOST as usize)
        }
    }
}

/// What selection and risk depend on, read only where somebody asks for it.
fn facts(request: &Request, workspace: &Workspace, policy: &Policy) -> Result<Facts, Error> {
    let since = request.selection.since.as_deref();
    let changed = since.map(|since| workspace::changed_since(&workspace.root, since)).transpose()?;
    let changed = changed.map(|mut files: BTreeSet<RelPath>| {
        // Where only the user's own excludes name it, git lists what was built.
        let built = [&workspace.target_dir, &workspace.build_dir];
        let built = built.into_iter().filter_map(|dir| RelPath::between(&workspace.root, dir));
        let built: Vec<_> = built.filter(|dir| !dir.is_root()).collect();
        files.retain(|path| !built.iter().any(|dir| path.is_within(dir)));
        files
    });
    // Another configuration is one that changed: then anything may.
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

/// The text at `path`; `None` if there is none.
fn read(path: &Path) -> Result<Option<String>, Error> {
    match disk::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::ConfigFile { path: path.to_path_buf(), error }),
    }
}

fn read_lock(root: &Path, name: &str) -> Result<Option<Lock>, Error> {
    let Some(text) = read(&root.join(name))? else { return Ok(None) };
    let file = ConfigFile { name: name.into(), text: text.into(), place: config::Place::File };
    Ok(Some(config::lock(&file)?))
}

fn read_config(request: &Request, root: &Path) -> Result<Config, Error> {
    let mut files = Vec::new();
    if let Some(path) = &request.config_file {
        let path = request.cwd.join(path);
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let text = read(&path)?.ok_or_else(|| Error::ConfigFile { path: path.clone(), error: missing() })?;
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        files.push(ConfigFile { name: name.into(), text: text.into(), place: config::Place::File });
        return Ok(config::load(&files, request.profile.as_deref())?);
    }
    for name in config::LOCATIONS {
        if let Some(text) = read(&root.join(name))? {
            files.push(ConfigFile { name: name.into(), text: text.into(), place: config::Place::File });
        }
    }
    if let Some(text) = read(&root.join("Cargo.toml"))? {
        files.push(ConfigFile {
            name: "Cargo.toml".into(),
            text: text.into(),
            place: config::Place::Metadata,
        });
    }
    Ok(config::load(&files, request.profile.as_deref())?)
}
