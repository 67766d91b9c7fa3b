//! What a run shows when it is over: on the terminal or as events, and in the reports that are asked for.

use std::cell::OnceCell;
use std::path::Path;

use genti::model::halt::Halt;
use genti::model::outcome::{End, Outcome};
use genti::pipeline;
use genti::report::TasksDraft;
use genti::report::finished::{Finished, ReadError, Tasks};

use crate::render::{self, Shell, Target, View};
use crate::reports::Reports;
use crate::run::kept;

/// A run that is over.
pub(crate) struct Case<'a> {
    /// The root of its workspace.
    pub(crate) root: &'a Path,
    /// What it came to.
    pub(crate) outcome: &'a Outcome,
    /// The same as others will read it.
    pub(crate) run: &'a Finished,
    /// What became of each task.
    pub(crate) tasks: TasksDraft<'a>,
    /// Where they are, if they could be written.
    pub(crate) dir: Option<&'a Path>,
    /// Whether there is no baseline, and this build is the one to take it with.
    pub(crate) may_begin_baseline: bool,
    /// Ends the writing of reports early.
    pub(crate) halt: &'a dyn Halt,
}

impl Case<'_> {
    /// Shows it, and writes `reports`. Whether all of them could be written.
    pub(crate) fn show(&self, reports: &Reports, shell: &mut Shell) -> Result<bool, End> {
        let Self { root, outcome, run: finished, tasks: draft, dir, may_begin_baseline, halt } = *self;
        let bug = |shell: &mut Shell, error: ReadError| {
            shell.error(error);
            End::Bug
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
        // Only to be shown: what can't be read by now is left out.
        let around = pipeline::around(root, finished).unwrap_or_default();
        let view = View {
            run: finished,
            tasks,
            sources: &around.sources,
            in_repository: around.in_repository,
            may_begin_baseline,
            artifacts: dir.map(render::place),
            kept: outcome.tools.iter().map(kept).collect(),
            asides: render::other_versions(outcome),
            links: shell.has_links(Target::Err).then_some(root),
            terminal: shell.columns(Target::Err),
            verbose: shell.verbose,
            quiet: shell.quiet,
        };
        match shell.has_stream() {
            true => shell.tell_outcome(&finished.report, dir),
            false => shell.err(render::report(&view)),
        }
        Ok(reports.write(&read_tasks, &view, &around, halt, shell))
    }
}
