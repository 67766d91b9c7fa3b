//! `cargo genti report`: shows a finished run. Runs nothing except `cargo metadata`.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use genti::disk;
use genti::model::halt::Never;
use genti::model::outcome::Verdict;
use genti::pipeline;
use genti::report::finished::Finished;
use genti::report::{Around, Format, Rendered, TextKind};
use genti::scan::Env;
use genti::store;
use genti::workspace::Directories;

use crate::args::ReportArgs;
use crate::exit::{CliError, CliResult};
use crate::format::ReportFormat;
use crate::render::{self, Canvas, GOOD, Shell, Target, View, plural};
use crate::{fail, reports, usage};

pub(crate) fn main(args: &ReportArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let default = if args.open { ReportFormat::Of(Format::Html) } else { ReportFormat::Human };
    let format = args.format.unwrap_or(default);
    let cwd = std::env::current_dir().unwrap_or_else(|_| ".".into());
    let located = pipeline::locate(&cwd, args.manifest_path.as_deref(), env);
    // With `--artifacts`, no workspace is required.
    let located = match (located, &args.artifacts) {
        (Err(_), Some(_)) if args.manifest_path.is_none() => None,
        (located, _) => Some(located.map_err(|error| fail(shell, error))?),
    };
    let of_workspace = located.as_ref().map(|located| located.target_dir.join("genti/artifacts"));
    let dir = args.artifacts.as_deref().or(of_workspace.as_deref()).unwrap_or(Path::new("."));
    let artifacts = store::load_artifacts(dir).map_err(|error| usage(shell, error))?;
    // All artifacts are read for any format, to detect files of different runs.
    let (run, tasks) =
        artifacts.read().map_err(|error| usage(shell, format_args!("{}: {error}", dir.display())))?;
    let around = located
        .as_ref()
        .map(|located| around(located, &run, format.shows_sources(), shell))
        .unwrap_or_default();
    let checkout = located.as_ref().filter(|_| format.shows_checkout());
    let checkout = checkout.map(|located| pipeline::checkout(&located.root, &run, env));
    let around = Around { outputs: store::load_test_outputs(dir), checkout, ..around };
    let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let output = match output {
        Some(path) => Some(path.to_path_buf()),
        None => args.open.then(|| dir.join(format.file_name())),
    };
    // report.json already exists in this directory.
    let is_there = output.is_some() && args.output.is_none() && format == ReportFormat::Of(Format::Json);
    if let Some(path) = output.as_deref().filter(|_| !is_there)
        && let Err(error) = reports::may_be_written(path)
    {
        return Err(usage(shell, error));
    }
    let view = View {
        run: &run,
        tasks: Some(&tasks),
        canvas: Canvas {
            sources: &around.sources,
            links: located
                .as_ref()
                .filter(|_| shell.has_links(Target::Out))
                .map(|located| located.root.as_path()),
            terminal: shell.columns(Target::Out),
            outputs: &around.outputs,
            verbose: shell.verbose,
        },
        shown: &BTreeSet::new(),
        elapsed: None,
        cached: None,
        tree: around.tree,
        may_begin_baseline: may_begin_baseline(&run),
        stale_fails: stale_fails(&run),
        artifacts: Some(render::place(dir)),
        kept: Vec::new(),
        asides: Vec::new(),
        statistics: args.statistics,
        verbose: shell.verbose,
        quiet: shell.quiet,
    };
    if format == ReportFormat::Human && output.is_none() {
        return shell.out(&render::report(&view));
    }
    let read_tasks = || Ok(&tasks);
    let rendered = match format {
        // Copied unchanged, because another version may have written it.
        ReportFormat::Of(Format::Json) => Ok(Rendered::of_bytes(artifacts.report)),
        _ => reports::render(format, &read_tasks, &view, &around),
    };
    let rendered = rendered.map_err(|error| usage(shell, error))?;
    let mut notes = Vec::new();
    let result = match &output {
        Some(_) if is_there => Ok(()),
        Some(path) => match reports::write(path, &rendered, &Never) {
            Ok(omitted) => {
                notes = omitted;
                Ok(())
            }
            Err(error) => {
                shell.error(error);
                Err(CliError::NotWritten)
            }
        },
        None => {
            let in_memory = |notes: &mut Vec<String>| {
                let mut bytes = Vec::new();
                // Writing to memory can't fail.
                *notes = rendered.write(&mut bytes, &Never).unwrap_or_default();
                bytes
            };
            match format.text_kind() {
                TextKind::Json => {
                    shell.write_json(|out| rendered.write(out, &Never).map(|omitted| notes = omitted))
                }
                TextKind::Commands => shell.out_as_it_is(&in_memory(&mut notes)),
                TextKind::Plain => shell.out_harmless(&in_memory(&mut notes)),
            }
        }
    };
    notes.into_iter().for_each(|note| shell.note(note));
    match output.filter(|_| args.open && result.is_ok()) {
        Some(path) => open(&path, shell),
        None => result,
    }
}

/// Returns true if stale entries and orphans must have failed the run, because nothing else did. Artifacts don't say whether it was
/// a gate.
fn stale_fails(run: &Finished) -> bool {
    run.run.end.status == "failed"
        && !run.tools().any(|(tool, report)| tool.required && report.verdict == Verdict::Failed)
}

/// Opens the file at `path` in the default application.
fn open(path: &Path, shell: &mut Shell) -> CliResult {
    // A path that starts with a dash would be read as an option.
    let place = disk::real(path);
    match open::that_detached(&place) {
        Ok(()) => {
            shell.status(GOOD, "Opened", render::place(path));
            Ok(())
        }
        Err(error) => {
            // The text of the error has the debug format of an exit status.
            let why = if error.kind() == ErrorKind::NotFound { "none was found" } else { "it failed" };
            shell.error(format_args!("could not open {} in an application: {why}", render::place(path)));
            shell.note("the report is written; open the file yourself");
            Err(CliError::Usage)
        }
    }
}

/// Collects data about the workspace for a report. Includes the sources if they are shown, except files that changed since
/// the run.
fn around(located: &Directories, run: &Finished, shows_sources: bool, shell: &mut Shell) -> Around {
    if !shows_sources {
        return Around { base: pipeline::base(&located.root), ..Around::default() };
    }
    // Unreadable sources are left out, since they are only displayed.
    let mut around = pipeline::around(&located.root, run).unwrap_or_default();
    let changed = pipeline::forget_changed(&mut around, run);
    if changed > 0 {
        shell.note(format_args!(
            "{changed} {} changed since the run, so their lines are not shown",
            plural(changed, "file has", "files have")
        ));
    }
    around
}

/// Returns true if there is no baseline and one can be created with the build flags of the run.
fn may_begin_baseline(run: &Finished) -> bool {
    let selection = &run.run.selection;
    let is_default = selection.features.is_empty()
        && !selection.all_features
        && !selection.no_default_features
        && selection.target.is_none()
        && selection.cargo_profile.is_none();
    let accepts = |accepted: usize| accepted > 0;
    let has_baseline = !run.report.gone.is_empty()
        || run.report.tools.iter().any(|tool| accepts(tool.unchanged + tool.updated));
    is_default && !has_baseline
}
