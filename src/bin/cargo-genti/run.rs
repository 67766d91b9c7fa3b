//! `cargo genti run` and `cargo genti check`.

use std::time::Instant;

use genti::model::outcome::Strict;
use genti::pipeline::{self, Limit, Lockfile, Project};
use genti::report::Draft;
use genti::report::finished::Finished;
use genti::report::outputs::OutputsOfTests;
use genti::scan::{Env, StopReason};
use genti::store::{ArtifactDir, StoreError};

use crate::args::{BlessArgs, CheckArgs, GateArgs};
use crate::bless::Bless;
use crate::exit::{self, CliError, CliResult};
use crate::render::{Shell, visible_line};
use crate::reports::Reports;
use crate::session::{Gate, Run, Startup, execute, load_baseline, note_ignored_levels, prepare_gate};
use crate::show::FinishedRun;
use crate::{finished, resolve};

/// Runs `cargo genti run`.
pub(crate) fn run(args: &BlessArgs, start: Startup, shell: &mut Shell) -> CliResult {
    let bless = Bless { accept: args.bless, remove_orphans: args.remove_orphans };
    let gate = Gate {
        bless,
        fail_fast: args.gate.fail_fast,
        no_cache: args.gate.run.no_cache,
        shows_findings: true,
        remote: resolve::remote(args.gate.remote.as_deref(), &start.env, shell)?,
        remote_jobs: resolve::remote_jobs(args.gate.remote_jobs.as_deref(), &start.env, shell)?,
        ..Gate::default()
    };
    main(&args.gate, Lockfile::Create, gate, start, shell)
}

/// Runs `cargo genti check`: a gate that does not write to the repository and fails on a stale baseline.
pub(crate) fn check(args: &CheckArgs, start: Startup, shell: &mut Shell) -> CliResult {
    let gate = Gate {
        bless: Bless::default(),
        strict: Strict { stale: true, absent: true },
        fail_fast: args.gate.fail_fast,
        no_cache: args.gate.run.no_cache,
        as_configured: true,
        may_be_partial: args.partial,
        shows_findings: true,
        remote: resolve::remote(args.gate.remote.as_deref(), &start.env, shell)?,
        remote_jobs: resolve::remote_jobs(args.gate.remote_jobs.as_deref(), &start.env, shell)?,
    };
    match &args.artifacts {
        Some(dir) => finished::check(dir, args.report_digest.as_deref(), &args.gate, gate, &start.env, shell),
        None => main(&args.gate, Lockfile::Require, gate, start, shell),
    }
}

fn main(args: &GateArgs, lockfile: Lockfile, gate: Gate, start: Startup, shell: &mut Shell) -> CliResult {
    let reports = Reports::resolve(&args.reports, &start.env, shell)?;
    note_ignored_levels(&start.env, shell);
    let limit = Limit::of_run(start.at);
    let (project, request) = prepare_gate(args, lockfile, &start.env, &limit, shell)?;
    // Leaked, because freeing a hundred thousand paths one by one would take longer than exiting.
    let project = Box::leak(Box::new(project));
    if gate.as_configured {
        resolve::as_of_gate(project, shell);
    }
    if gate.has_drifted(project, shell) {
        return Err(CliError::Drift);
    }
    if gate.bless.remove_orphans && !project.plan.is_full(&project.workspace) {
        shell.error(
            "a partial run can't determine orphaned golden files; remove --remove-orphans, or the selection",
        );
        return Err(CliError::Usage);
    }
    let baseline = load_baseline(project, &request, &start.env, &limit, shell)?;
    let project: &_ = project;
    let may_begin_baseline = baseline.is_empty() && pipeline::builds_like_baseline(project, &start.env);
    let (env, began) = (start.env.clone(), start.at);
    let run = execute(project, &baseline, gate, start, shell)?;
    Ending { project, gate, reports, may_begin_baseline, env, began }.finish(run, shell)
}

/// Inputs of the end of a run, besides its outcome.
pub(crate) struct Ending<'a> {
    pub(crate) project: &'a Project,
    pub(crate) gate: Gate,
    pub(crate) reports: Reports,
    /// True if there is no baseline and one can be created with these build flags.
    pub(crate) may_begin_baseline: bool,
    pub(crate) env: Env,
    pub(crate) began: Instant,
}

impl Ending<'_> {
    /// Writes the artifacts and reports of `run`, shows it, and returns its verdict.
    pub(crate) fn finish(self, run: Run, shell: &mut Shell) -> CliResult {
        let Self { project, gate, reports, may_begin_baseline, env, began } = self;
        let Run { outcome, dir, stop, shown, lacks_remote } = run;
        let root = &project.workspace.root;
        let without_timing = env.get("SOURCE_DATE_EPOCH").is_some();
        let outcome = Box::leak(Box::new(outcome));
        // Golden files are written first, because the artifacts state that the output is accepted.
        gate.bless.write(root, outcome, shell).map_err(|error| {
            shell.error(error);
            CliError::NotWritten
        })?;
        let draft = Draft::of(&project.workspace, outcome, !without_timing);
        let written = dir.and_then(|dir| dir.write(&draft, stop).map(|()| dir));
        // Only this function knows which texts are paths of this machine.
        let place = root.display().to_string();
        let violations = match written.as_ref().map(ArtifactDir::open_report) {
            Ok(Ok(report)) if gate.as_configured => draft.violations(report, &[&place]),
            _ => Vec::new(),
        };
        // Dropping the directory releases its lock, so the next run may start.
        let written = written.map(|dir| dir.path().to_path_buf());
        let Draft { outcome, run, report, tasks } = draft;
        let run = &Finished::of(&run, report).map_err(|error| {
            shell.error(error);
            CliError::Bug
        })?;
        let dir = written.as_deref().ok();
        let outputs = OutputsOfTests::of_outcome(outcome);
        let elapsed = (!without_timing).then(|| began.elapsed());
        let shown = &shown;
        let finished_run = FinishedRun {
            root,
            env: &env,
            outcome,
            run,
            tasks,
            outputs,
            dir,
            may_begin_baseline,
            stale_fails: gate.strict.stale && !project.baseline.stale_warns,
            shown,
            elapsed,
            digest: None,
            halt: stop,
        };
        let is_reported = finished_run.show(&reports, shell)?;
        for violation in &violations {
            shell.error(visible_line(&format!("the artifacts are specific to this machine: {violation}")));
        }
        if let Err(error) = &written {
            shell.error(error);
            if !shell.has_stream() && !matches!(error, StoreError::GivenUp) {
                shell.note("printing the report to stdout instead");
                // The exit code is the same even if this fails.
                let _ = shell.write_json(|out| run.report.write(out));
            }
        }
        // The signal may have arrived after the verdict was known, and even after the artifacts were written.
        let signal = match stop.reason() {
            Some(StopReason::Signal(signal)) => Err(CliError::Interrupted(signal)),
            _ => Ok(()),
        };
        exit::combine([
            exit::of_run(outcome.end),
            exit::failed_if(!violations.is_empty(), CliError::Failed),
            exit::failed_if(lacks_remote, CliError::Incomplete),
            exit::failed_if(written.is_err() || !is_reported, CliError::NotWritten),
            signal,
        ])
    }
}
