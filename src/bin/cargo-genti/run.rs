//! `cargo genti run` and `cargo genti check`, and what `baseline init` shares with them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use genti::model::event::{Event, Waiting};
use genti::model::finding::Entry;
use genti::model::outcome::{End, Outcome, ToolOutcome};
use genti::pipeline::{self, Lockfile, Project, RunError, Session};
use genti::report::Artifacts;
use genti::report::finished::Finished;
use genti::scan::{Env, Inherited, Pool, Stop, StopReason};
use genti::store;
use genti::store::{ArtifactDir, Results, StoreError};

use crate::args::{BlessArgs, GateArgs, RunArgs};
use crate::bless::Bless;
use crate::render::{self, Bar, Shell, Target, View, visible_line};
use crate::reports::Reports;
use crate::stream::Stream;
use crate::{fail, resolve, signals};

/// What is known before anything is read.
pub(crate) struct Start {
    pub(crate) env: Env,
    pub(crate) inherited: Inherited,
    pub(crate) at: Instant,
}

/// `run`.
pub(crate) fn run(args: &BlessArgs, start: Start, shell: &mut Shell, stream: &mut Stream) -> End {
    let bless = Bless { accept: args.bless, remove_orphans: args.remove_orphans };
    let gate =
        Gate { bless, stale_fails: false, fail_fast: args.gate.fail_fast, no_cache: args.gate.run.no_cache };
    main(&args.gate, Lockfile::Create, gate, start, shell, stream).unwrap_or_else(|end| end)
}

/// `check`: the same as a gate. Nothing is written into the repository, and a stale baseline fails.
pub(crate) fn check(args: &GateArgs, start: Start, shell: &mut Shell, stream: &mut Stream) -> End {
    let gate = Gate {
        bless: Bless::default(),
        stale_fails: true,
        fail_fast: args.fail_fast,
        no_cache: args.run.no_cache,
    };
    main(args, Lockfile::Require, gate, start, shell, stream).unwrap_or_else(|end| end)
}

/// What fails a run, and what it does then.
#[derive(Clone, Copy, Default)]
pub(crate) struct Gate {
    bless: Bless,
    /// A baseline entry that was fixed fails it, and an orphaned golden file.
    stale_fails: bool,
    /// Nothing starts any more once a required tool has failed.
    fail_fast: bool,
    /// Everything is run, and no result kept.
    no_cache: bool,
}

impl Gate {
    /// That of a command which only wants to know what is found.
    pub(crate) fn none(args: &RunArgs) -> Self {
        Self { no_cache: args.no_cache, ..Self::default() }
    }
}

fn main(
    args: &GateArgs,
    lockfile: Lockfile,
    gate: Gate,
    start: Start,
    shell: &mut Shell,
    stream: &mut Stream,
) -> Result<End, End> {
    let reports = Reports::resolve(&args.reports, &start.env, shell)?;
    let project = prepare(&args.run, lockfile, &start.env, shell, stream)?;
    let root = &project.workspace.root;
    if gate.bless.remove_orphans && !project.plan.is_full(&project.workspace) {
        shell.error("only a run of everything can tell which golden files are orphans: leave out --remove-orphans, or the selection");
        return Err(End::Usage);
    }
    let baseline = store::load_baseline(root).map_err(|error| fail(shell, error.into()))?;
    let may_begin_baseline = baseline.is_empty() && pipeline::builds_like_baseline(&project, &start.env);
    let without_timing = start.env.get("SOURCE_DATE_EPOCH").is_some();
    let mut run = execute(&project, &baseline, gate, start, shell, stream)?;
    // First of all: the artifacts say that what was accepted is there.
    gate.bless.write(root, &mut run.outcome, shell).map_err(|error| {
        shell.error(error);
        End::NotWritten
    })?;
    let artifacts = Artifacts::of(&project.workspace, &run.outcome, !without_timing);
    let written = run.dir.and_then(|dir| {
        dir.write(&artifacts.files())?;
        Ok(dir.path().to_path_buf())
    });
    // Every report is made of the artifacts, also the first one.
    let finished = Finished::read(&artifacts).map_err(|error| {
        shell.error(error);
        End::Bug
    })?;
    // Only to be shown: what can't be read by now is left out.
    let around = pipeline::around(root, &finished).unwrap_or_default();
    let view = View {
        run: &finished,
        sources: &around.sources,
        may_begin_baseline,
        artifacts: written.as_ref().ok().map(|dir| render::place(dir)),
        kept: run.outcome.tools.iter().map(kept).collect(),
        links: shell.has_links(Target::Err).then_some(root),
        terminal: shell.columns(Target::Err),
        verbose: shell.verbose,
        quiet: shell.quiet,
    };
    match stream.is_on() {
        true => stream.outcome(&artifacts, written.as_deref().ok(), shell),
        false => shell.err(render::report(&view)),
    }
    let reported = reports.write(&artifacts, &view, &around, stream.is_on(), shell);
    if let Err(error) = &written {
        shell.error(error);
        if !stream.is_on() {
            shell.note("the report is on stdout");
            shell.out_json(&artifacts.report);
        }
    }
    match run.outcome.end {
        end @ End::Signal(_) => Ok(end),
        end => Ok(if written.is_ok() && reported { end } else { End::NotWritten }),
    }
}

/// Reads and plans.
pub(crate) fn prepare(
    args: &RunArgs,
    lockfile: Lockfile,
    env: &Env,
    shell: &mut Shell,
    stream: &mut Stream,
) -> Result<Project, End> {
    let mut request = resolve::workspace(&args.workspace, lockfile);
    request.selection = resolve::selection(&args.selection);
    let (policy, as_of) =
        (resolve::policy(&args.policy, env, shell), resolve::as_of(args.as_of.as_deref(), env, shell));
    (request.policy, request.as_of) = (policy?, Some(as_of?));
    let mut notices = |event: Event<'_>| {
        if let Event::Notice(text) = event {
            stream.notice(text, shell);
            shell.note(text);
        }
    };
    let project = pipeline::load(&request, env, &mut notices).map_err(|error| fail(shell, error))?;
    if let (Some(since), true) = (&project.plan.selection.since, project.plan.graph.tasks.is_empty()) {
        shell.note(format_args!("nothing that a tool looks at has changed since `{since}`"));
    }
    Ok(project)
}

/// A run that came to its end.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    /// Where its artifacts go, or why they can't.
    dir: Result<ArtifactDir, StoreError>,
}

/// Where the output of a tool is that has no verdict on something; nothing if there is none.
pub(crate) fn kept(result: &ToolOutcome) -> Vec<String> {
    let shown = |path: &PathBuf| visible_line(&path.display().to_string());
    let files = match result.kept.as_slice() {
        [] => None,
        [one] => Some(shown(one)),
        [one, other] => Some(format!("{} and {}", shown(one), shown(other))),
        [first, rest @ ..] => Some(format!("{} and {} files more", shown(first), rest.len())),
    };
    let files = files.map(|files| format!("output kept in {files}"));
    let error = result.not_kept.as_ref().map(|error| format!("output not kept: {}", visible_line(error)));
    files.into_iter().chain(error).collect()
}

/// Runs `project`, one run at a time in a workspace.
pub(crate) fn execute(
    project: &Project,
    baseline: &BTreeMap<String, Vec<Entry>>,
    gate: Gate,
    start: Start,
    shell: &mut Shell,
    stream: &mut Stream,
) -> Result<Run, End> {
    let Gate { bless, stale_fails, fail_fast, no_cache } = gate;
    let stale_fails = stale_fails && !project.baseline.stale_warns;
    let Start { env, inherited, at } = start;
    if let Some(warning) = &inherited.warning {
        shell.warning(warning);
    }
    // Nothing has a verdict then, and nobody made a mistake.
    let failed = |shell: &mut Shell, error: RunError| {
        shell.error(error);
        End::Incomplete
    };
    let parallel = pipeline::parallelism(project.parallel);
    let pool = Pool::new(inherited, &env, parallel).map_err(|error| failed(shell, error.into()))?;
    let stop = signals::stop().map_err(|error| failed(shell, error.into()))?;
    let mut bar = Bar::new(project, shell);
    let mut tell = |event: Event<'_>, shell: &mut Shell| {
        stream.event(event, project, shell);
        bar.on(event, shell);
    };
    let dir = open(project, stop, &mut tell, shell)?;
    let outputs = dir.as_ref().ok().map(ArtifactDir::outputs);
    let results = match dir.is_ok() && !no_cache {
        true => open_results(project, &env, shell),
        false => None,
    };
    let session = Session {
        env: &env,
        pool: &pool,
        stop,
        parallel,
        fail_fast,
        started: at,
        bless: bless.accept,
        stale_fails,
        outputs,
    };
    let outcome = pipeline::run(project, &session, results, baseline, &mut |event| tell(event, shell));
    drop(bar);
    Ok(Run { outcome: outcome.map_err(|error| failed(shell, error))?, dir })
}

/// Opens the results of earlier runs, unless the environment says not to. They are only there to save time.
fn open_results(project: &Project, env: &Env, shell: &mut Shell) -> Option<Results> {
    if resolve::no_cache(env) {
        return None;
    }
    let dir = resolve::cache_dir(&project.workspace.target_dir, env);
    let opened = Results::open(&dir, resolve::today());
    let opened = opened.map_err(|error| shell.warning(format_args!("everything is run anew: {error}")));
    opened.ok()
}

/// Opens the artifact directory, waiting for another run to end. A disk that says no does not stop the run.
fn open(
    project: &Project,
    stop: &Stop,
    tell: &mut dyn FnMut(Event<'_>, &mut Shell),
    shell: &mut Shell,
) -> Result<Result<ArtifactDir, StoreError>, End> {
    let mut waits = false;
    let dir = ArtifactDir::open(&project.workspace.target_dir, &mut || {
        let is_news = !std::mem::replace(&mut waits, true);
        tell(if is_news { Event::Waiting(Some(Waiting::Run)) } else { Event::Tick }, shell);
        stop.reason().is_none()
    });
    if waits {
        tell(Event::Waiting(None), shell);
    }
    match dir {
        Err(error @ StoreError::Foreign { .. }) => {
            shell.error(error);
            Err(End::Usage)
        }
        Err(StoreError::Stopped) => Err(match stop.reason() {
            Some(StopReason::Signal(signal)) => End::Signal(signal),
            _ => End::Incomplete,
        }),
        dir => Ok(dir),
    }
}
