//! `cargo genti merge`: joins the shards of a run. Runs nothing except `cargo metadata`.

use std::collections::BTreeSet;
use std::path::Path;

use genti::model::event::Event;
use genti::pipeline::{
    self, Conflict, Limit, Lockfile, Merged, NotMerged, Project, ShardDifference, ShardFile,
};
use genti::scan::{Env, StopReason};
use genti::store;

use crate::args::MergeArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{Bar, Shell, visible_line};
use crate::reports::Reports;
use crate::run::Ending;
use crate::session::{Gate, Run, Startup, load, open, refuse_base};
use crate::{fail, render, resolve, signals};

pub(crate) fn main(args: &MergeArgs, start: Startup, shell: &mut Shell) -> CliResult {
    let Startup { env, at: began, .. } = start;
    let reports = Reports::resolve(&args.reports, &env, shell)?;
    let project = Box::leak(Box::new(prepare(args, &env, shell)?));
    let files = read(args, shell)?;
    let as_configured = pipeline::are_gates(&files);
    if as_configured {
        resolve::as_of_gate(project, shell);
    }
    let project: &_ = project;
    let gate = Gate { as_configured, may_be_partial: args.partial, ..Gate::default() };
    if gate.has_drifted(project, shell) {
        return Err(CliError::Drift);
    }
    let baseline =
        store::load_baseline(&project.workspace.root).map_err(|error| fail(shell, error.into()))?;
    let may_begin_baseline = baseline.is_empty() && pipeline::builds_like_baseline(project, &env);
    let stop = signals::stop(shell)?;
    let mut bar = Bar::new(project, shell);
    let dir = open(project, stop, &mut bar, shell)?;
    drop(bar);
    let mut notices = |event: Event<'_>| {
        if let Event::Notice(notice) = event {
            shell.notice(notice);
        }
    };
    let merged = pipeline::merge(project, &files, &env, &baseline, stop, &mut notices);
    let Merged { outcome, missing, strict } = merged.map_err(|error| {
        explain(project, args, &error, shell);
        match (error, stop.reason()) {
            (NotMerged::Halted, Some(StopReason::Signal(signal))) => CliError::Interrupted(signal),
            (NotMerged::Drift(_), _) => CliError::Drift,
            (NotMerged::Newer { .. }, _) => CliError::Usage,
            _ => CliError::Incomplete,
        }
    })?;
    if !missing.is_empty() {
        let all: Vec<_> = missing.iter().map(ToString::to_string).collect();
        shell.warning(format_args!("missing: shard {}; run it again, or pass its directory", all.join(", ")));
    }
    let gate = Gate { strict, ..gate };
    let run = Run { outcome, dir, stop, shown: BTreeSet::new(), lacks_remote: false };
    Ending { project, gate, reports, may_begin_baseline, env, began }.finish(run, shell)
}

fn prepare(args: &MergeArgs, env: &Env, shell: &mut Shell) -> CliResult<Project> {
    let mut request = resolve::workspace(&args.workspace, Lockfile::Exist);
    request.selection = resolve::selection(&args.selection, &args.tests.filters);
    let (policy, as_of) =
        (resolve::policy(&args.policy, env, shell), resolve::as_of(args.as_of.as_deref(), env, shell));
    (request.policy, request.as_of) = (policy?, Some(as_of?));
    resolve::against(None, &mut request.policy, env, shell)?;
    let project = load(&request, env, &Limit::none(), shell)?;
    refuse_base(&project, "a merge of shards", shell)?;
    Ok(project)
}

/// Reads the records in the directories. One that is missing is reported; whether that matters depends on the others.
fn read(args: &MergeArgs, shell: &mut Shell) -> CliResult<Vec<ShardFile>> {
    let mut files = Vec::new();
    for dir in &args.dirs {
        let found = store::load_shards(dir).map_err(|error| {
            shell.error(error);
            CliError::Incomplete
        })?;
        if found.is_empty() {
            let place = render::place(dir);
            match dir.is_dir() {
                true => shell.warning(format_args!("no {} in {place}", store::SHARD)),
                false => shell.warning(format_args!("no such directory: {place}")),
            }
        }
        let file =
            |(path, bytes): (std::path::PathBuf, _)| ShardFile { name: path.display().to_string(), bytes };
        files.extend(found.into_iter().map(file));
    }
    Ok(files)
}

/// Says why the shards were not merged.
fn explain(project: &Project, args: &MergeArgs, error: &NotMerged, shell: &mut Shell) {
    match error {
        NotMerged::Damaged(damages) => {
            damages.iter().for_each(|damage| shell.error(visible_line(&damage.to_string())));
            shell.note("upload the file again, or run the shard again");
        }
        NotMerged::Drift(differences) => {
            for difference in differences {
                let ShardDifference { file, what, found, expected, other } = difference;
                let by = other.as_ref().map_or("this checkout".to_owned(), |other| other.clone());
                let message = format!("{what} is `{found}` in {file}, but `{expected}` in {by}");
                shell.error(visible_line(&message));
            }
            if let Some(dir) = args.dirs.iter().find(|dir| is_input(project, dir)) {
                shell.note(format_args!(
                    "{} is part of the workspace, so the shards in it count as files of the workspace; put them below \
                     the target directory, or outside of the repository",
                    render::place(dir)
                ));
            }
            shell.error("drift: the shards are not all from this checkout with these flags");
            shell.note(
                "run all shards and the merge on the same commit, with the same flags and the same toolchain",
            );
        }
        NotMerged::Conflict(conflicts) => {
            for Conflict { tool, files: [one, other] } in conflicts {
                let message =
                    format!("{one} and {other} have different results of {tool} for the same files");
                shell.error(visible_line(&message));
            }
            shell.note("pass only the result that you trust, and run `cargo genti verify` to see whether the tool is deterministic");
        }
        error => shell.error(visible_line(&error.to_string())),
    }
}

/// Returns true if a file below `dir` is listed as a file of the workspace.
fn is_input(project: &Project, dir: &Path) -> bool {
    let root = &project.workspace.root;
    let real = dir.canonicalize().ok().zip(root.canonicalize().ok());
    let below = real.and_then(|(dir, root)| dir.strip_prefix(root).map(Path::to_path_buf).ok());
    below.is_some_and(|below| {
        project.workspace.files.iter().any(|file| file.path.to_path(Path::new("")).starts_with(&below))
    })
}
