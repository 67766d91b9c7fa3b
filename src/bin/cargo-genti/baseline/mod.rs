//! The `cargo genti baseline` commands: show and change the accepted findings.

pub(crate) mod accept;
mod diff;
mod init;
mod list;
mod resolve;
mod update;

use std::collections::BTreeMap;

use genti::model::finding::{Entry, State};
use genti::model::outcome::{End, Outcome};
use genti::pipeline::{self, Limit, Lockfile, Project};
use genti::report::finished::{Finding, FinishedReport};
use genti::report::{self, Artifacts, Cause};
use genti::store::{self, BaselineError};

use crate::args::{BaselineCommand, RunArgs};
use crate::exit::{CliError, CliResult};
use crate::fail;
use crate::render::{self, GOOD, Shell, visible_line};
use crate::session::{self, Gate, Run, Startup};

/// Runs the subcommand.
pub(crate) fn main(command: &BaselineCommand, start: Startup, shell: &mut Shell) -> CliResult {
    match command {
        BaselineCommand::Init(args) => init::main(args, start, shell),
        BaselineCommand::Update(args) => update::main(args, start, shell),
        BaselineCommand::Accept(args) => accept::main(args, start, shell),
        BaselineCommand::List(args) => list::main(args, &start.env, shell),
        BaselineCommand::Diff(args) => diff::main(args, shell),
        BaselineCommand::Resolve(args) => resolve::main(args, &start.env, shell),
    }
}

/// Accepted findings by namespace.
pub(crate) type AcceptedFindings = BTreeMap<String, Vec<Entry>>;

/// A finished run with its project and baseline.
struct CurrentRun {
    project: Project,
    baseline: AcceptedFindings,
    /// Holds the lock of the run until the files are written.
    run: Run,
}

/// Loads the project and its baseline. Fails if the build flags differ from those of the baseline, because
/// other entries would become stale.
fn prepare(args: &RunArgs, start: &Startup, shell: &mut Shell) -> CliResult<(Project, AcceptedFindings)> {
    session::note_ignored_levels(&start.env, shell);
    let project = session::prepare(args, Lockfile::Create, &start.env, &Limit::of_run(start.at), shell)?;
    if !pipeline::builds_like_baseline(&project, &start.env) {
        match project.baseline.build.build_flags() {
            flags if flags.is_empty() => shell.error(
                "the baseline applies to the default build; remove -F, --all-features, --no-default-features, --target and --cargo-profile, or set them under [baseline] in the configuration",
            ),
            flags => shell.error(format_args!(
                "[baseline] in the configuration sets other build flags; add `{flags}`"
            )),
        }
        return Err(CliError::Usage);
    }
    let baseline =
        store::load_baseline(&project.workspace.root).map_err(|error| fail(shell, error.into()))?;
    Ok((project, baseline))
}

/// Runs all checks and compares the findings with the baseline.
fn run_all(args: &RunArgs, start: Startup, shell: &mut Shell) -> CliResult<CurrentRun> {
    let (project, baseline) = prepare(args, &start, shell)?;
    let run = session::execute(&project, &baseline, Gate::none(args), start, shell)?;
    report_incomplete(shell, &project, &run.outcome);
    if let End::Interrupted(signal) = run.outcome.end {
        shell.error("the run was interrupted; the baseline is unchanged");
        return Err(CliError::Interrupted(signal));
    }
    Ok(CurrentRun { project, baseline, run })
}

/// Writes the baseline and reports the changed files.
pub(crate) fn save(project: &Project, entries: &AcceptedFindings, shell: &mut Shell) -> CliResult {
    let root = &project.workspace.root;
    let files = store::save_baseline(root, entries).map_err(|error| not_saved(shell, error))?;
    for file in files {
        let word = if root.join(&file).exists() { "Wrote" } else { "Removed" };
        shell.status(GOOD, word, file.display());
    }
    Ok(())
}

fn not_saved(shell: &mut Shell, error: BaselineError) -> CliError {
    match error {
        error @ BaselineError::NotWritten { .. } => {
            shell.error(error);
            CliError::NotWritten
        }
        error => fail(shell, error.into()),
    }
}

fn count(entries: &AcceptedFindings) -> usize {
    entries.values().map(Vec::len).sum()
}

/// Notes that the run was partial.
fn note_partial(project: &Project, what: &str, shell: &mut Shell) {
    if !project.plan.is_full(&project.workspace) {
        shell.note(format_args!("partial run: {what}"));
    }
}

/// Returns the findings of a finished run that a baseline could accept, without suppressed ones.
fn acceptable(report: FinishedReport) -> impl Iterator<Item = Finding> {
    report.findings.into_iter().filter(|finding| finding.state != State::Suppressed)
}

/// Reports everything without a result, as an error if the tool is required, else as a warning. Errors that stopped required tools
/// come last, each once and with its place.
pub(crate) fn report_incomplete(shell: &mut Shell, project: &Project, outcome: &Outcome) {
    // Runs without a result are rare, so the others need not be rendered.
    let is_open = outcome.tools.iter().any(|result| !result.incomplete.is_empty());
    let artifacts = is_open.then(|| Artifacts::of(&project.workspace, outcome, false));
    let Some(Ok((run, _))) = artifacts.map(|artifacts| artifacts.read()) else { return };
    for ((tool, report), result) in run.tools().zip(&outcome.tools) {
        let open = match tool.required {
            true => report::unexplained(&run, tool, report),
            false => report.incomplete.iter().collect(),
        };
        for gap in &open {
            let unit = if gap.unit == "." { String::new() } else { format!(" {}", visible_line(&gap.unit)) };
            let what = format!("{}{unit}: {}", tool.name, visible_line(&gap.reason));
            if tool.required { shell.error(what) } else { shell.warning(what) }
        }
        if !open.is_empty() {
            let lines = session::saved_output(result);
            lines.into_iter().for_each(|line| shell.note(format_args!("{}: {line}", tool.name)));
        }
    }
    if outcome.end != End::Incomplete {
        return;
    }
    for cause in report::causes(&run) {
        if let Cause::Error(_) = cause {
            shell.error(render::cause(&cause));
        }
    }
}
