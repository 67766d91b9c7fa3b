//! Reports that `run` and `check` write in addition to the artifacts: requested files, and output for GitHub Actions.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use anstream::adapter::strip_str;
use clap::ValueEnum;
use genti::model::halt::Halt;
use genti::report::finished::ReadError;
use genti::report::outputs::TEST_OUTPUT;
use genti::report::{self, Around, ReadTasks, Rendered};
use genti::scan::Env;
use genti::store::{self, NotReported};

use crate::args::ReportsArgs;
use crate::exit::{CliError, CliResult};
use crate::format::ReportFormat;
use crate::render::{self, Canvas, Shell, View};

/// The reports of a run.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// Requested files with their formats.
    files: Vec<(ReportFormat, PathBuf)>,
    /// File for the job summary of GitHub Actions.
    summary: Option<PathBuf>,
    /// True if annotations for GitHub Actions are printed.
    has_annotations: bool,
}

impl Reports {
    /// Interprets `--report`, `--no-ci` and the environment. Reports all mistakes.
    pub(crate) fn resolve(args: &ReportsArgs, env: &Env, shell: &mut Shell) -> CliResult<Self> {
        let mut files: Vec<(ReportFormat, PathBuf)> = Vec::new();
        let mut has_mistakes = false;
        for text in &args.reports {
            match parse(text) {
                Ok((_, path)) if files.iter().any(|(_, other)| *other == path) => {
                    shell
                        .error(format_args!("--report: two reports have the same file `{}`", path.display()));
                    has_mistakes = true;
                }
                Ok(report) => files.push(report),
                Err(error) => {
                    shell.error(format_args!("--report: {error}"));
                    has_mistakes = true;
                }
            }
        }
        if has_mistakes {
            return Err(CliError::Usage);
        }
        let is_wanted = shell.in_actions && !args.no_ci;
        let summary = env.get("GITHUB_STEP_SUMMARY").filter(|path| is_wanted && !path.is_empty());
        Ok(Self { files, summary: summary.map(PathBuf::from), has_annotations: is_wanted })
    }

    /// Returns true if one of them shows the checkout that the run belongs to.
    pub(crate) fn show_checkout(&self) -> bool {
        self.files.iter().any(|(format, _)| format.shows_checkout())
    }

    /// Writes the reports. Returns true if all of them were written.
    pub(crate) fn write<'a>(
        &self,
        tasks: &ReadTasks<'a>,
        view: &View<'a>,
        around: &'a Around,
        halt: &dyn Halt,
        shell: &mut Shell,
    ) -> bool {
        let mut written = true;
        let mut failed = |error: &dyn Display, shell: &mut Shell| {
            shell.error(error);
            written = false;
        };
        for (format, path) in &self.files {
            match render(*format, tasks, view, around) {
                Ok(report) => match write(path, &report, halt) {
                    Ok(notes) => {
                        let note = |note| shell.note(format_args!("{}: {note}", path.display()));
                        notes.into_iter().for_each(note);
                    }
                    Err(error) => failed(&error, shell),
                },
                Err(error) => failed(&error, shell),
            }
        }
        if let Some(path) = &self.summary {
            let summary = report::markdown(view.run, &around.sources);
            if let Err(error) = store::append_report(path, &summary) {
                failed(&error, shell);
            }
        }
        if self.has_annotations && !shell.has_stream() {
            let annotations = report::github(view.run, &around.base);
            written &= shell.out_as_it_is(&annotations).is_ok();
        }
        written
    }
}

/// Writes `report` to the file at `path` until `halt` is due. Returns notes about omitted parts.
pub(crate) fn write(path: &Path, report: &Rendered<'_>, halt: &dyn Halt) -> Result<Vec<String>, NotReported> {
    let notes = RefCell::new(Vec::new());
    store::write_report_until(path, halt, &|out| {
        report.write(out, halt).map(|omitted| *notes.borrow_mut() = omitted)
    })?;
    Ok(notes.into_inner())
}

/// Renders the report of a run in `format`, for a file or for stdout.
pub(crate) fn render<'a>(
    format: ReportFormat,
    tasks: &ReadTasks<'a>,
    view: &View<'a>,
    around: &'a Around,
) -> Result<Rendered<'a>, ReadError> {
    match format {
        ReportFormat::Of(format) => report::render(format, view.run, tasks, around),
        ReportFormat::Human => {
            let text = render::report(&View {
                kept: view.kept.clone(),
                asides: view.asides.clone(),
                artifacts: view.artifacts.clone(),
                canvas: Canvas { links: None, terminal: None, ..view.canvas },
                // A file contains all findings, and nothing that differs between identical runs.
                shown: &BTreeSet::new(),
                elapsed: None,
                cached: None,
                ..*view
            });
            Ok(Rendered::of_bytes(strip_str(&text).to_string().into_bytes()))
        }
    }
}

/// Checks that a report at `path` would not overwrite an artifact, or a file that cargo reads.
pub(crate) fn may_be_written(path: &Path) -> Result<(), String> {
    let dir = path.parent().and_then(|dir| Path::new(".").join(dir).canonicalize().ok());
    let is_in_artifacts = dir.is_some_and(|dir| dir.ends_with("genti/artifacts"));
    let is_artifact = ["run.json", "report.json", "tasks.jsonl", TEST_OUTPUT]
        .iter()
        .any(|name| path.file_name() == Some(OsStr::new(name)));
    let is_source =
        path.extension().is_some_and(|end| ["lock", "rs", "toml"].iter().any(|known| end == *known));
    let what = match (is_in_artifacts && is_artifact, is_source && path.exists()) {
        (true, _) => "an artifact",
        (false, true) => "a source file",
        (false, false) => return Ok(()),
    };
    Err(format!("`{}` is {what}; use another name for the report", path.display()))
}

/// Parses `FORMAT=PATH`.
fn parse(text: &str) -> Result<(ReportFormat, PathBuf), String> {
    let names = ReportFormat::names();
    let Some((format, path)) = text.split_once('=') else {
        return Err(format!(
            "invalid report `{text}`, expected FORMAT=PATH such as `sarif=genti.sarif` (formats: {names})"
        ));
    };
    let format = ReportFormat::from_str(format, false)
        .map_err(|_| format!("unknown report format `{format}` (formats: {names})"))?;
    match path {
        "" => Err(format!("`{text}` has no path")),
        "-" => {
            Err("reports can't be written to stdout; use `cargo genti report --format …` for that".to_owned())
        }
        path => {
            may_be_written(Path::new(path))?;
            Ok((format, PathBuf::from(path)))
        }
    }
}
