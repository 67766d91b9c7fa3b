//! `cargo genti baseline`: what is accepted, and how that changes.

mod accept;
mod diff;
mod init;
mod list;
mod resolve;
mod update;

use std::collections::BTreeMap;

use genti::model::finding::{Entry, State};
use genti::model::outcome::{End, Outcome};
use genti::pipeline::{self, Lockfile, Project};
use genti::report::finished::{Finding, Report};
use genti::store::{self, BaselineError};

use crate::args::{BaselineCommand, RunArgs};
use crate::fail;
use crate::render::{GOOD, Shell, visible_line};
use crate::run::{self, Gate, Run, Start};

/// Runs the subcommand.
pub(crate) fn main(command: &BaselineCommand, start: Start, shell: &mut Shell) -> End {
    let result = match command {
        BaselineCommand::Init(args) => init::main(args, start, shell),
        BaselineCommand::Update(args) => update::main(args, start, shell),
        BaselineCommand::Accept(args) => accept::main(args, start, shell),
        BaselineCommand::List(args) => list::main(args, &start.env, shell),
        BaselineCommand::Diff(args) => diff::main(args, shell),
        BaselineCommand::Resolve(args) => resolve::main(args, &start.env, shell),
    };
    result.unwrap_or_else(|end| end)
}

/// The accepted findings by namespace.
type Baseline = BTreeMap<String, Vec<Entry>>;

/// Everything looked at, beside what is accepted.
struct Look {
    project: Project,
    baseline: Baseline,
    /// Kept to the end: it is one run at a time until the files are written.
    run: Run,
}

/// Reads and plans. A baseline holds for one build: what another one finds would be stale in it.
fn prepare(args: &RunArgs, start: &Start, shell: &mut Shell) -> Result<(Project, Baseline), End> {
    run::say_ignored(&start.env, shell);
    let project = run::prepare(args, Lockfile::Create, &start.env, shell)?;
    if !pipeline::builds_like_baseline(&project, &start.env) {
        match project.baseline.build.build_flags() {
            flags if flags.is_empty() => shell.error(
                "a baseline holds for the default build, unless `[baseline]` in the configuration says otherwise: leave out -F, --all-features, --no-default-features, --target and --cargo-profile",
            ),
            flags => shell.error(format_args!(
                "the baseline holds for another build, says `[baseline]` in the configuration: add `{flags}`"
            )),
        }
        return Err(End::Usage);
    }
    let baseline =
        store::load_baseline(&project.workspace.root).map_err(|error| fail(shell, error.into()))?;
    Ok((project, baseline))
}

/// Runs everything and compares it with what is accepted.
fn look(args: &RunArgs, start: Start, shell: &mut Shell) -> Result<Look, End> {
    let (project, baseline) = prepare(args, &start, shell)?;
    let run = run::execute(&project, &baseline, Gate::none(args), start, shell)?;
    without_verdict(shell, &run.outcome);
    if let End::Signal(_) = run.outcome.end {
        shell.error("the run was stopped: the baseline is as it was");
        return Err(run.outcome.end);
    }
    Ok(Look { project, baseline, run })
}

/// Writes what is accepted from now on, and tells which files changed.
fn save(project: &Project, entries: &Baseline, shell: &mut Shell) -> Result<(), End> {
    let root = &project.workspace.root;
    let files = store::save_baseline(root, entries).map_err(|error| not_saved(shell, error))?;
    for file in files {
        let word = if root.join(&file).exists() { "Wrote" } else { "Removed" };
        shell.status(GOOD, word, file.display());
    }
    Ok(())
}

fn not_saved(shell: &mut Shell, error: BaselineError) -> End {
    match error {
        error @ BaselineError::NotWritten { .. } => {
            shell.error(error);
            End::NotWritten
        }
        error => fail(shell, error.into()),
    }
}

fn count(entries: &Baseline) -> usize {
    entries.values().map(Vec::len).sum()
}

/// Says so where only a part was looked at.
fn note_part(project: &Project, what: &str, shell: &mut Shell) {
    if !project.plan.is_full(&project.workspace) {
        shell.note(format_args!("only the selected part was looked at: {what}"));
    }
}

/// What of a finished run a baseline could accept: suppressed findings are none of it.
fn acceptable(report: Report) -> impl Iterator<Item = Finding> {
    report.findings.into_iter().filter(|finding| finding.state != State::Suppressed)
}

/// Names what has no verdict, and why: an error where a tool is required.
fn without_verdict(shell: &mut Shell, outcome: &Outcome) {
    for (tool, result) in outcome.plan.graph.tools.iter().zip(&outcome.tools) {
        for (unit, reason) in &result.incomplete {
            let unit = if unit == "." { String::new() } else { format!(" {}", visible_line(unit)) };
            let what = format!("{}{unit}: {}", tool.name, visible_line(reason));
            if tool.required { shell.error(what) } else { shell.warning(what) }
        }
        run::kept(result).into_iter().for_each(|line| shell.note(format_args!("{}: {line}", tool.name)));
    }
}
