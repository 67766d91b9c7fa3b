//! Output of a finished run: on the terminal or as events, and in the requested reports.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use genti::model::digest::Digest;
use genti::model::finding::DiagnosticKey;
use genti::model::halt::Halt;
use genti::model::outcome::{Cache, Outcome};
use genti::pipeline;
use genti::report::finished::{Finished, ReadError, Tasks};
use genti::report::outputs::OutputsOfTests;
use genti::report::{Around, TasksDraft};
use genti::scan::Env;

use crate::exit::{CliError, CliResult};
use crate::render::{self, Canvas, Shell, Target, View};
use crate::reports::Reports;
use crate::session::saved_output;

/// A finished run, ready to be shown.
pub(crate) struct FinishedRun<'a> {
    /// Root of its workspace.
    pub(crate) root: &'a Path,
    /// Environment of the command.
    pub(crate) env: &'a Env,
    /// Outcome of the run.
    pub(crate) outcome: &'a Outcome,
    /// Artifacts made from the outcome.
    pub(crate) run: &'a Finished,
    /// Outcomes of the tasks.
    pub(crate) tasks: TasksDraft<'a>,
    /// Output of failed tests.
    pub(crate) outputs: OutputsOfTests,
    /// Directory of the artifacts, if they were written.
    pub(crate) dir: Option<&'a Path>,
    /// True if there is no baseline and one can be created with these build flags.
    pub(crate) may_begin_baseline: bool,
    /// True if stale baseline entries and orphaned golden files fail the run.
    pub(crate) stale_fails: bool,
    /// New findings that were shown during the run.
    pub(crate) shown: &'a BTreeSet<DiagnosticKey>,
    /// Duration of the run, if it is shown.
    pub(crate) elapsed: Option<Duration>,
    /// Digest of `report.json`, if it was read from a file.
    pub(crate) digest: Option<Digest>,
    /// Writing of reports stops once this is due.
    pub(crate) halt: &'a dyn Halt,
}

impl FinishedRun<'_> {
    /// Shows the run and writes `reports`. Returns true if all of them were written.
    pub(crate) fn show(self, reports: &Reports, shell: &mut Shell) -> CliResult<bool> {
        let Self {
            root,
            env,
            outcome,
            run: finished,
            tasks: draft,
            outputs,
            dir,
            may_begin_baseline,
            stale_fails,
            shown,
            elapsed,
            digest,
            halt,
        } = self;
        let bug = |shell: &mut Shell, error: ReadError| {
            shell.error(error);
            CliError::Bug
        };
        let read = OnceCell::new();
        let read_tasks = || match read.get() {
            Some(tasks) => Ok(tasks),
            None => Tasks::read(&draft.bytes(), &finished.run).map(|tasks| read.get_or_init(|| tasks)),
        };
        let tasks = match shell.verbose {
            true => Some(read_tasks().map_err(|error| bug(shell, error))?),
            false => None,
        };
        // Unreadable sources are left out, since they are only displayed.
        let around = pipeline::around(root, finished).unwrap_or_default();
        let checkout = reports.show_checkout().then(|| pipeline::checkout(root, finished, env));
        let around = Around { outputs, checkout, ..around };
        let view = View {
            run: finished,
            tasks,
            canvas: Canvas {
                sources: &around.sources,
                links: shell.has_links(Target::Err).then_some(root),
                terminal: shell.columns(Target::Err),
                outputs: &around.outputs,
                verbose: shell.verbose,
            },
            shown,
            elapsed,
            cached: elapsed
                .map(|_| outcome.tasks.iter().filter(|task| task.timing.cache == Cache::Hit).count()),
            tree: around.tree,
            may_begin_baseline,
            stale_fails,
            artifacts: dir.map(render::place),
            kept: outcome.tools.iter().map(saved_output).collect(),
            asides: [render::other_versions(outcome), render::unread_output(outcome, finished)].concat(),
            statistics: shell.statistics,
            verbose: shell.verbose,
            quiet: shell.quiet,
        };
        match shell.has_stream() {
            true => shell.emit_outcome(&finished.report, || summary(&view, digest), dir, halt),
            false => shell.err(render::report(&view)),
        }
        Ok(reports.write(&read_tasks, &view, &around, halt, shell))
    }
}

/// Returns the last line of the short format, without the status.
fn summary(view: &View<'_>, digest: Option<Digest>) -> String {
    let digest = digest.unwrap_or_else(|| Digest::of_written(|out| view.run.report.write(out)));
    format!("{}; report={digest}", render::outline(view))
}
