//! `baseline list`: shows the accepted findings, with their current lines if the last run has them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::path::Path;

use genti::compare::identity::id_of;
use genti::model::workspace::Workspace;
use genti::pipeline::{self, Limit, Lockfile};
use genti::report::finished::FinishedReport;
use genti::scan::Env;
use genti::{disk, store};

use super::acceptable;
use crate::args::ListArgs;
use crate::exit::CliResult;
use crate::render::{self, Shell, visible_line};
use crate::{fail, resolve};

pub(super) fn main(args: &ListArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let project =
        pipeline::load(&request, env, &Limit::none(), &mut |_| {}).map_err(|error| fail(shell, error))?;
    let Workspace { root, target_dir, .. } = &project.workspace;
    let entries = store::load_baseline(root).map_err(|error| fail(shell, error.into()))?;
    let mut lines = lines(target_dir);
    let mut out = String::new();
    for (ns, entries) in &entries {
        let _ = writeln!(out, "{ns}: {}", entries.len());
        for entry in entries {
            let line = lines.get_mut(&id_of(ns, entry)).and_then(VecDeque::pop_front);
            let _ = writeln!(out, "  {}", render::entry_at(entry, line));
            if let Some(reason) = &entry.reason {
                let _ = writeln!(out, "    reason: {}", visible_line(reason));
            }
        }
    }
    if entries.is_empty() {
        shell.note("no accepted findings, because there is no baseline");
    } else if lines.is_empty() {
        shell.note("line numbers are shown after `cargo genti run`");
    }
    shell.out(&out)
}

/// Returns the lines of each finding in the last run, by id.
fn lines(target_dir: &Path) -> BTreeMap<String, VecDeque<u32>> {
    let mut lines: BTreeMap<String, VecDeque<u32>> = BTreeMap::new();
    let report = disk::read(&target_dir.join("genti/artifacts/report.json")).ok();
    let report = report.and_then(|bytes| FinishedReport::read(&bytes).ok());
    for finding in report.into_iter().flat_map(acceptable) {
        lines
            .entry(finding.id.to_string())
            .or_default()
            .extend(finding.place.range().map(|range| range.start.line));
    }
    lines
}
