//! `baseline diff A B`: compares the findings of two runs, or the entries of two baselines.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::Path;

use genti::compare::baseline::parse;
use genti::compare::identity::id_of;
use genti::disk;
use genti::pipeline::Error;
use genti::report::finished::{Finding, FinishedReport};

use super::acceptable;
use crate::args::DiffArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{self, Shell, visible_line};
use crate::{fail, usage};

pub(super) fn main(args: &DiffArgs, shell: &mut Shell) -> CliResult {
    let (old, new) = (read(&args.old, shell)?, read(&args.new, shell)?);
    let mut out = String::new();
    let (mut more, mut less) = (0, 0);
    for (key, lines) in &old {
        let common = new.get(key).map_or(0, Vec::len);
        for line in lines.iter().skip(common) {
            let _ = writeln!(out, "- {line}");
            less += 1;
        }
    }
    for (key, lines) in &new {
        let common = old.get(key).map_or(0, Vec::len);
        for line in lines.iter().skip(common) {
            let _ = writeln!(out, "+ {line}");
            more += 1;
        }
    }
    let result = shell.out(&out);
    match less + more {
        0 => shell.note("no differences"),
        _ => {
            let [old, new] = [&args.old, &args.new].map(|dir| render::place(dir));
            shell.note(format_args!("{less} only in {old}, {more} only in {new}"));
        }
    }
    result
}

/// Lines to print, by site and id. Identical findings have several lines.
type PrintedLines = BTreeMap<(String, String), Vec<String>>;

fn read(dir: &Path, shell: &mut Shell) -> CliResult<PrintedLines> {
    let mut lines = PrintedLines::new();
    let report = dir.join("report.json");
    match disk::read(&report) {
        Ok(bytes) => {
            let report = FinishedReport::read(&bytes).map_err(|error| {
                usage(shell, format_args!("{} is not a valid report: {error}", report.display()))
            })?;
            for Finding { id, place, rule, scope, message, .. } in acceptable(report) {
                let site = place.name();
                let scope = if scope.is_empty() { String::new() } else { format!(" in {scope}") };
                let line = visible_line(&format!("{site}{scope}: {rule}: {message}"));
                lines.entry((site, id.to_string())).or_default().push(line);
            }
            return Ok(lines);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(&report, &error, shell)),
    }
    let entries = std::fs::read_dir(dir).map_err(|error| unreadable(dir, &error, shell))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    if files.is_empty() {
        shell.error(format_args!("{} contains neither a report.json nor baseline files", dir.display()));
        return Err(CliError::Usage);
    }
    for path in files {
        let bytes = disk::read(&path).map_err(|error| unreadable(&path, &error, shell))?;
        let ns = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let entries = parse(&path.display().to_string(), &bytes)
            .map_err(|problems| fail(shell, Error::Baseline(problems.into())))?;
        for entry in entries {
            lines.entry((entry.site.name(), id_of(&ns, &entry))).or_default().push(render::entry(&entry));
        }
    }
    Ok(lines)
}

fn unreadable(path: &Path, error: &std::io::Error, shell: &mut Shell) -> CliError {
    shell.error(format_args!("could not read {}: {error}", path.display()));
    CliError::Usage
}
