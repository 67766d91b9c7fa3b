//! Code shared by the commands that run tools: loading the project, the conditions of a gate, and the run itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use genti::cache::ResultLog;
use genti::model::event::{Event, Waiting};
use genti::model::finding::{DiagnosticKey, Entry};
use genti::model::notice::Notice;
use genti::model::outcome::{Outcome, Strict, ToolOutcome};
use genti::model::remote::RemoteUse;
use genti::model::workspace::Workspace;
use genti::pipeline::{self, Limit, Lockfile, Project, Request, RunError, Session};
use genti::plan::{Drift, DriftKind};
use genti::scan::{self, BuildDirs, Env, Inherited, Pool, Stop, StopReason};
use genti::store::{self, ArtifactDir, StoreError};
use genti::workspace::LoadError;

use crate::args::{CommonArgs, GateArgs, RunArgs};
use crate::bless::Bless;
use crate::exit::{CliError, CliResult};
use crate::render::{self, Bar, Shell, visible_line};
use crate::{fail, remote, resolve, signals, usage};

/// State of the process at its start.
pub(crate) struct Startup {
    pub(crate) env: Env,
    pub(crate) inherited: Inherited,
    pub(crate) at: Instant,
}

/// Conditions that fail a run, and its behaviour.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gate {
    pub(crate) bless: Bless,
    /// Conditions that fail the run in addition to new findings.
    pub(crate) strict: Strict,
    /// Start no further tasks once a required tool has failed.
    pub(crate) fail_fast: bool,
    /// Run everything and store no results.
    pub(crate) no_cache: bool,
    /// Refuse a run that differs from the configuration. This is checked before anything runs, so nobody waits for a verdict
    /// that does not count.
    pub(crate) as_configured: bool,
    /// Allow a partial run.
    pub(crate) may_be_partial: bool,
    /// Show new findings as soon as their tool has finished.
    pub(crate) shows_findings: bool,
    /// Use of the remote store.
    pub(crate) remote: RemoteUse,
    /// Maximum number of processes that workers run at once.
    pub(crate) remote_jobs: usize,
}

impl Gate {
    /// Returns the gate of commands that only need the findings.
    pub(crate) fn none(args: &RunArgs) -> Self {
        Self { no_cache: args.no_cache, ..Self::default() }
    }

    /// Returns true if the run must match the configuration and does not. Reports the differences.
    pub(crate) fn has_drifted(&self, project: &Project, shell: &mut Shell) -> bool {
        let counts = |drift: &&Drift| {
            self.as_configured && !(drift.kind == DriftKind::Selection && self.may_be_partial)
        };
        let drift: Vec<_> = project.drift.iter().filter(counts).cloned().collect();
        if !drift.is_empty() {
            render::drift(shell, &drift);
        }
        !drift.is_empty()
    }
}

/// Loads the project of a gate and plans the run. Refuses options that can't be combined with a base.
pub(crate) fn prepare_gate(
    args: &GateArgs,
    lockfile: Lockfile,
    env: &Env,
    limit: &Limit<'_>,
    shell: &mut Shell,
) -> CliResult<(Project, Request)> {
    let mut request = request(&args.run, &args.run.tests.filters, lockfile, env, shell)?;
    resolve::against(args.against.as_deref(), &mut request.policy, env, shell)?;
    resolve::shard(&args.shard, &mut request, shell)?;
    let project = load(&request, env, limit, shell)?;
    if let Some(notice) = project.new_lints_without_lock() {
        shell.notice(&notice);
    }
    if request.shard.is_some() {
        refuse_base(&project, "a shard", shell)?;
    }
    if args.fail_fast && project.plan.policy.against.is_some() {
        shell.error(
            "--fail-fast can't be used in a run that is compared with a base, because causes are known only at the end",
        );
        return Err(CliError::Usage);
    }
    Ok((project, request))
}

/// Refuses to compare `what` with a base: what the tools read is known only on the machines that ran them.
pub(crate) fn refuse_base(project: &Project, what: &str, shell: &mut Shell) -> CliResult {
    if project.plan.policy.against.is_none() {
        return Ok(());
    }
    shell.error(format_args!(
        "{what} can't be compared with a base; remove --against (or GENTI_AGAINST, or `against` in [policy]), or run \
         everything on one machine"
    ));
    Err(CliError::Usage)
}

/// Loads the project and plans the run.
pub(crate) fn prepare(
    args: &RunArgs,
    lockfile: Lockfile,
    env: &Env,
    limit: &Limit<'_>,
    shell: &mut Shell,
) -> CliResult<Project> {
    load(&request(args, &args.tests.filters, lockfile, env, shell)?, env, limit, shell)
}

/// Returns the request of `args`, the names of tests and the environment.
pub(crate) fn request(
    args: &CommonArgs,
    filters: &[String],
    lockfile: Lockfile,
    env: &Env,
    shell: &mut Shell,
) -> CliResult<Request> {
    let mut request = resolve::workspace(&args.workspace, lockfile);
    request.selection = resolve::selection(&args.selection, filters);
    let (policy, as_of) =
        (resolve::policy(&args.policy, env, shell), resolve::as_of(args.as_of.as_deref(), env, shell));
    (request.policy, request.as_of) = (policy?, Some(as_of?));
    Ok(request)
}

/// Loads the baseline of a gate, and compares the run with the base that the policy names, if any.
pub(crate) fn load_baseline(
    project: &mut Project,
    request: &Request,
    env: &Env,
    limit: &Limit<'_>,
    shell: &mut Shell,
) -> CliResult<BTreeMap<String, Vec<Entry>>> {
    let baseline =
        store::load_baseline(&project.workspace.root).map_err(|error| fail(shell, error.into()))?;
    let notice = project.compare_with_base(request, &baseline, env, limit);
    if let Some(notice) = notice.map_err(|error| fail(shell, error))? {
        shell.notice(&notice);
    }
    Ok(baseline)
}

/// Loads the project for a request and plans the run.
pub(crate) fn load(request: &Request, env: &Env, limit: &Limit<'_>, shell: &mut Shell) -> CliResult<Project> {
    let mut notices = |event: Event<'_>| {
        if let Event::Notice(notice) = event {
            shell.notice(notice);
        }
    };
    let project = pipeline::load(request, env, limit, &mut notices).map_err(|error| match error {
        pipeline::Error::Workspace(LoadError::Halted(_)) => {
            let why = if limit.is_over() { "reached --max-duration" } else { "was stopped" };
            shell.error(format_args!("the run {why} while it read the workspace; no artifacts were written"));
            CliError::Incomplete
        }
        error => fail(shell, error),
    })?;
    if let (Some(since), true) = (&project.plan.selection.since, project.plan.graph.tasks.is_empty()) {
        shell.note(format_args!("nothing to check: no relevant files have changed since `{since}`"));
    }
    Ok(project)
}

/// Notes lint levels in the environment that are ignored. Called once per command.
pub(crate) fn note_ignored_levels(env: &Env, shell: &mut Shell) {
    if !env.ignored().is_empty() {
        shell.notice(&Notice::LintLevelsIgnored(env.ignored().to_vec()));
    }
}

/// Returns lines about stored output of processes without a result.
pub(crate) fn saved_output(result: &ToolOutcome) -> Vec<String> {
    let shown = |path: &PathBuf| visible_line(&path.display().to_string());
    let files = match result.kept.as_slice() {
        [] => None,
        [one] => Some(shown(one)),
        [one, other] => Some(format!("{} and {}", shown(one), shown(other))),
        [first, rest @ ..] => Some(format!("{} and {} more files", shown(first), rest.len())),
    };
    let files = files.map(|files| format!("output saved to {files}"));
    let error =
        result.not_kept.as_ref().map(|error| format!("could not save output: {}", visible_line(error)));
    files.into_iter().chain(error).collect()
}

/// A finished run.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    /// Directory for its artifacts, or the reason why there is none.
    pub(crate) dir: Result<ArtifactDir, StoreError>,
    /// Cancellation of the run.
    pub(crate) stop: &'static Stop,
    /// New findings that were shown while it ran.
    pub(crate) shown: BTreeSet<DiagnosticKey>,
    /// True if a remote store is required and has failed.
    pub(crate) lacks_remote: bool,
}

/// Runs `project`. Only one run per workspace is active at a time.
pub(crate) fn execute(
    project: &Project,
    baseline: &BTreeMap<String, Vec<Entry>>,
    gate: Gate,
    start: Startup,
    shell: &mut Shell,
) -> CliResult<Run> {
    let Gate { bless, fail_fast, no_cache, .. } = gate;
    let strict = Strict { stale: gate.strict.stale && !project.baseline.stale_warns, ..gate.strict };
    let Startup { mut env, inherited, at } = start;
    enter(project, &mut env, shell)?;
    if let Some(warning) = &inherited.warning {
        shell.notice(warning);
    }
    // An environment problem: there are no results, but it is not a usage error.
    let failed = |shell: &mut Shell, error: RunError| {
        shell.error(error);
        CliError::Incomplete
    };
    let parallel = pipeline::parallelism(project.parallel);
    let pool = Pool::new(inherited, &env, parallel).map_err(|error| failed(shell, error.into()))?;
    let stop = signals::stop(shell)?;
    if gate.as_configured {
        let drift = pipeline::lock_drift(project, &env, stop);
        if !drift.is_empty() {
            render::drift(shell, &drift);
            return Err(CliError::Drift);
        }
    }
    let mut bar = Bar::new(project, shell);
    let mut dir = open(project, stop, &mut bar, shell)?;
    if project.plan.shard.is_some() {
        dir = dir.and_then(|dir| dir.forget_shard().map(|()| dir));
    }
    let outputs = dir.as_ref().ok().map(ArtifactDir::outputs);
    let results = open_results(&project.workspace.target_dir, &env, no_cache || dir.is_err(), shell);
    let remote =
        remote::open(project, (gate.remote, gate.remote_jobs), results.is_some(), &env, stop, shell)?;
    let own_program = std::env::current_exe().ok();
    let cache_dir = resolve::cache_dir(&project.workspace.target_dir, &env);
    let session = Session {
        env: &env,
        pool: &pool,
        stop,
        parallel,
        fail_fast,
        started: at,
        bless: bless.accept,
        strict,
        // The causes of findings are known only at the end.
        shows_findings: gate.shows_findings && !project.has_base() && shell.shows_findings_early(),
        outputs,
        cache_dir: Some(&cache_dir),
        remote: remote.as_ref(),
        own_program: own_program.as_deref(),
    };
    let outcome = pipeline::run(project, &session, results, baseline, &mut |event| bar.on(event, shell));
    let shown = bar.finish();
    let outcome = outcome.map_err(|error| failed(shell, error))?;
    let lacks_remote = remote::has_failed(remote.as_ref(), gate.remote, shell);
    Ok(Run { outcome, dir, stop, shown, lacks_remote })
}

/// Opens the result cache of `target_dir`, unless it `is_disabled` by a flag, or the environment disables it. The cache is
/// optional, so errors are only warnings.
pub(crate) fn open_results(
    target_dir: &Path,
    env: &Env,
    is_disabled: bool,
    shell: &mut Shell,
) -> Option<ResultLog> {
    if is_disabled || resolve::no_cache(env) {
        return None;
    }
    let dir = resolve::cache_dir(target_dir, env);
    let opened = ResultLog::open(&dir, resolve::today());
    let opened = opened.map_err(|error| {
        // Unlike the error for artifacts, this does not mention the previous file.
        let error = match error {
            StoreError::Io { path, error } => format!("could not use `{}`: {error}", path.display()),
            error => error.to_string(),
        };
        shell.notice(&Notice::CacheDisabled { error });
    });
    if let Some(notice) = opened.as_ref().ok().and_then(ResultLog::distrust) {
        shell.notice(notice);
    }
    opened.ok()
}

/// Marks in `env` that `project` is being run. Fails if this process is part of such a run.
pub(crate) fn enter(project: &Project, env: &mut Env, shell: &mut Shell) -> CliResult {
    let Workspace { root, target_dir, .. } = &project.workspace;
    // No code under test may read or use the credentials of the remote store, and no key depends on them.
    let secrets = project.remote.iter().flat_map(|remote| remote.headers.values());
    env.hide(secrets.map(String::as_str));
    env.enter(root, target_dir).map_err(|error| usage(shell, error))
}

/// Resources that several runs of one command share.
pub(crate) struct Reserved {
    /// Maximum number of processes in parallel.
    pub(crate) parallel: usize,
    /// Requests to stop.
    pub(crate) stop: &'static Stop,
    /// The artifact directory, which no other command uses meanwhile.
    pub(crate) dir: ArtifactDir,
}

/// Prepares for several runs of one command: fixes the build directory, which may depend on the parallelism, and opens the
/// artifact directory.
pub(crate) fn reserve(project: &mut Project, start: &Startup, shell: &mut Shell) -> CliResult<Reserved> {
    if let Some(warning) = &start.inherited.warning {
        shell.notice(warning);
    }
    let parallel = pipeline::parallelism(project.parallel);
    project.build_dir = BuildDirs::resolve(project.build_dir, parallel);
    let stop = signals::stop(shell)?;
    let dir = open_required(project, stop, shell)?;
    Ok(Reserved { parallel, stop, dir })
}

/// Like [`open()`], for a command that can't do without the directory.
pub(crate) fn open_required(project: &Project, stop: &Stop, shell: &mut Shell) -> CliResult<ArtifactDir> {
    let dir = {
        let mut bar = Bar::new(project, shell);
        open(project, stop, &mut bar, shell)?
    };
    dir.map_err(|error| {
        shell.error(error);
        CliError::NotWritten
    })
}

/// Opens the artifact directory and waits until no other run uses it. An I/O error does not prevent the run.
pub(crate) fn open(
    project: &Project,
    stop: &Stop,
    bar: &mut Bar<'_>,
    shell: &mut Shell,
) -> CliResult<Result<ArtifactDir, StoreError>> {
    let (mut waits, mut waits_for_itself) = (false, false);
    let target_dir = &project.workspace.target_dir;
    let dir = ArtifactDir::open(target_dir, &mut || {
        waits_for_itself = store::holder(target_dir).is_some_and(|holder| scan::is_above(&holder));
        if waits_for_itself {
            return false;
        }
        let is_news = !std::mem::replace(&mut waits, true);
        bar.on(if is_news { Event::Waiting(Some(Waiting::Run)) } else { Event::Tick }, shell);
        stop.reason().is_none()
    });
    if waits {
        bar.on(Event::Waiting(None), shell);
    }
    let dir = dir.and_then(|dir| dir.refuse_links().map(|()| dir));
    match dir {
        Err(error @ StoreError::Foreign { .. }) => {
            shell.error(error);
            Err(CliError::Usage)
        }
        Err(StoreError::Stopped) if waits_for_itself => {
            shell.error(scan::Recursion);
            Err(CliError::Usage)
        }
        Err(StoreError::Stopped) => Err(match stop.reason() {
            Some(StopReason::Signal(signal)) => CliError::Interrupted(signal),
            _ => CliError::Incomplete,
        }),
        dir => {
            if let (Ok(dir), Some(name)) = (&dir, scan::own_name()) {
                dir.set_holder(&name);
            }
            Ok(dir)
        }
    }
}
