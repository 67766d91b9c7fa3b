//! `cargo genti check --artifacts DIR`: judges a finished run without running anything.

use std::collections::BTreeSet;
use std::path::Path;

use genti::model::digest::Digest;
use genti::model::halt::Never;
use genti::model::outcome::Strict;
use genti::pipeline::{self, CheckoutDifference, JudgedRun, Limit, Lockfile, NotJudged};
use genti::report::Draft;
use genti::report::finished::{Finished, ReadError};
use genti::scan::Env;
use genti::store;

use crate::args::GateArgs;
use crate::exit::{self, CliError, CliResult};
use crate::render::{Shell, visible_line};
use crate::reports::Reports;
use crate::session::{Gate, load_baseline, prepare_gate};
use crate::show::FinishedRun;
use crate::usage;

pub(crate) fn check(
    dir: &Path,
    digest: Option<&str>,
    args: &GateArgs,
    gate: Gate,
    env: &Env,
    shell: &mut Shell,
) -> CliResult {
    let reports = Reports::resolve(&args.reports, env, shell)?;
    let (mut project, request) = prepare_gate(args, Lockfile::Exist, env, &Limit::none(), shell)?;
    if gate.has_drifted(&project, shell) {
        return Err(CliError::Drift);
    }
    let baseline = load_baseline(&mut project, &request, env, &Limit::none(), shell)?;
    let root = &project.workspace.root;
    let artifacts = store::load_artifacts(dir).map_err(|error| usage(shell, error))?;
    let found = Digest::of_bytes(&artifacts.report);
    if let Some(expected) = digest.filter(|expected| *expected != found.to_string()) {
        let file = dir.join("report.json").display().to_string();
        shell.error(visible_line(&format!("{file} has the digest {found}, but {expected} was expected")));
        return Err(CliError::Failed);
    }
    let strict = Strict { stale: !project.baseline.stale_warns, absent: true };
    let judged = pipeline::judge_finished(&project, env, &artifacts, &baseline, strict);
    let JudgedRun { outcome, drift, violations } = match judged {
        Ok(judged) => judged,
        Err(error) => {
            shell.error(visible_line(&format!("{}: {error}", dir.display())));
            return Err(match error {
                // The artifacts are invalid, or come from two different runs.
                NotJudged::Artifacts(ReadError::Content { .. } | ReadError::Mixed { .. }) => CliError::Failed,
                NotJudged::Artifacts(ReadError::Newer { .. }) => CliError::Usage,
                NotJudged::Source(_) => CliError::Incomplete,
            });
        }
    };
    let mut is_reported = true;
    let verdict = outcome.as_ref().map_or(Err(CliError::Failed), |outcome| exit::of_run(outcome.end));
    if let Some(mut outcome) = outcome {
        // The report shows the states that were computed in this checkout, not those in the artifacts.
        let Draft { outcome, run, report, tasks } = Draft::of(&project.workspace, &mut outcome, false);
        let run = &Finished::of(&run, report).map_err(|error| {
            shell.error(error);
            CliError::Bug
        })?;
        let outputs = store::load_test_outputs(dir);
        let (dir, halt) = (Some(dir), &Never);
        let finished_run = FinishedRun {
            root,
            env,
            outcome,
            run,
            tasks,
            outputs,
            dir,
            may_begin_baseline: false,
            stale_fails: strict.stale,
            shown: &BTreeSet::new(),
            elapsed: None,
            digest: Some(found),
            halt,
        };
        is_reported = finished_run.show(&reports, shell)?;
    }
    for violation in &violations {
        shell.error(visible_line(violation));
    }
    for CheckoutDifference { what, there, here } in &drift {
        let dir = dir.display();
        shell.error(visible_line(&format!("{what} is `{there}` in {dir}, but `{here}` in this checkout")));
    }
    if !drift.is_empty() {
        shell.note("use the checkout and the flags of the original run, or run again in this checkout");
        shell.error("policy drift: the run does not match the configuration of this checkout");
    } else if !violations.is_empty() {
        shell.note(
            "the artifacts were changed after the run, or the baseline or suppressions of this checkout differ",
        );
        shell.error(format_args!("the artifacts in {} are not from a run of this checkout", dir.display()));
    }
    exit::combine([
        verdict,
        exit::failed_if(!violations.is_empty(), CliError::Failed),
        exit::failed_if(!drift.is_empty(), CliError::Drift),
        exit::failed_if(!is_reported, CliError::NotWritten),
    ])
}
