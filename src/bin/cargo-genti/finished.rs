//! `cargo genti check --artifacts DIR`: judges a finished run, and starts nothing.

use std::collections::BTreeMap;
use std::path::Path;

use genti::model::outcome::End;
use genti::path::RelPath;
use genti::pipeline::{self, Difference, Judged, Lockfile, NotJudged};
use genti::report::finished::ReadError;
use genti::scan::Env;
use genti::{store, workspace};

use crate::args::RunArgs;
use crate::fail;
use crate::render::{self, Hints, Shell, visible_line};
use crate::run::{Gate, prepare};

pub(crate) fn check(dir: &Path, args: &RunArgs, gate: Gate, env: &Env, shell: &mut Shell) -> End {
    let project = match prepare(args, Lockfile::Require, env, shell) {
        Ok(project) => project,
        Err(end) => return end,
    };
    if gate.has_drifted(&project, shell) {
        return End::Drift;
    }
    let root = &project.workspace.root;
    let baseline = match store::load_baseline(root) {
        Ok(baseline) => baseline,
        Err(error) => return fail(shell, error.into()),
    };
    let artifacts = match store::load_artifacts(dir) {
        Ok(artifacts) => artifacts,
        Err(error) => {
            shell.error(error);
            return End::Usage;
        }
    };
    let stale_fails = !project.baseline.stale_warns;
    let judged = pipeline::judge_finished(&project, env, &artifacts, &baseline, stale_fails);
    let Judged { outcome, drift, violations } = match judged {
        Ok(judged) => judged,
        Err(error) => {
            shell.error(visible_line(&format!("{}: {error}", dir.display())));
            return match error {
                // It is no run, or one of two.
                NotJudged::Artifacts(ReadError::Content { .. } | ReadError::Mixed { .. }) => End::Failed,
                NotJudged::Artifacts(ReadError::Newer { .. }) => End::Usage,
                NotJudged::Source(_) => End::Incomplete,
            };
        }
    };
    if let Some(outcome) = &outcome {
        let paths = outcome.findings.iter().filter_map(|found| found.finding.diagnostic.place.path());
        let sources: BTreeMap<RelPath, Vec<u8>> = workspace::read_sources(root, paths).unwrap_or_default();
        let artifacts = Some(dir.display().to_string());
        render::outcome(shell, outcome, &Hints { sources: &sources, may_begin_baseline: false, artifacts });
    }
    for violation in &violations {
        shell.error(visible_line(violation));
    }
    for Difference { what, there, here } in &drift {
        let dir = dir.display();
        shell.error(visible_line(&format!("{what} is `{there}` in {dir}, and `{here}` here")));
    }
    if !drift.is_empty() {
        shell.note("judge it in the checkout that it is of, with the same flags, or run again here");
        shell.error("policy drift: the run is not one of this checkout as it is configured");
        return End::Drift;
    }
    if !violations.is_empty() {
        shell.note(
            "the files were changed after the run, or the baseline or the suppressions here are others",
        );
        shell.error(format_args!("{} is not what the run has left", dir.display()));
    }
    match outcome.map_or(End::Failed, |outcome| outcome.end) {
        End::Passed if !violations.is_empty() => End::Failed,
        end => end,
    }
}
