//! `cargo genti baseline`: accept today's findings, and look at what is accepted.

use std::collections::BTreeMap;
use std::fmt::Write;

use genti::model::outcome::{End, Outcome};
use genti::model::policy::Selection;
use genti::pipeline::{self, Lockfile};
use genti::scan::Env;
use genti::store::BaselineError;
use genti::{compare, store};

use crate::args::{ListArgs, RunArgs};
use crate::render::{self, GOOD, Shell, plural, visible_line};
use crate::run::{self, Gate, Start};
use crate::{fail, resolve};

/// Runs everything and accepts what is found. Nothing is written unless every required tool has a verdict: what
/// could not be looked at can't be accepted.
pub(crate) fn init(args: &RunArgs, start: Start, shell: &mut Shell) -> End {
    if !resolve::selection(&args.selection).is_default_build() {
        shell.error(
            "a baseline holds for the default build only, for now: leave out -F, --all-features, --no-default-features, --target and --cargo-profile",
        );
        return End::Usage;
    }
    let project = match run::prepare(args, Lockfile::Create, &start.env, shell) {
        Ok(project) => project,
        Err(end) => return end,
    };
    let root = &project.workspace.root;
    match store::load_baseline(root) {
        Ok(baseline) if baseline.is_empty() => {}
        Ok(_) => {
            shell.error(format_args!(
                "there is a baseline in {} already; remove it first to start over",
                store::BASELINE_DIR
            ));
            return End::Usage;
        }
        Err(error) => return fail(shell, error.into()),
    }
    // Kept to the end: it is one run at a time until the files are written.
    let run = match run::execute(&project, &BTreeMap::new(), Gate::default(), start, shell) {
        Ok(run) => run,
        Err(end) => return end,
    };
    let outcome = &run.outcome;
    without_verdict(shell, outcome);
    if let End::Incomplete | End::Signal(_) = outcome.end {
        shell.error("not everything could be looked at: nothing was accepted");
        if outcome.end == End::Incomplete {
            shell.note(
                "mend what is named above, or let its tool be optional with `required = false`, and run this again",
            );
        }
        return outcome.end;
    }
    let findings: Vec<_> = outcome.findings.iter().map(|compared| compared.finding.clone()).collect();
    let entries = compare::baseline::entries_of(&findings);
    let count: usize = entries.values().map(Vec::len).sum();
    let files = match store::init_baseline(root, &entries) {
        Ok(files) => files,
        Err(error @ BaselineError::NotWritten { .. }) => {
            shell.error(error);
            return End::NotWritten;
        }
        Err(error) => return fail(shell, error.into()),
    };
    for file in &files {
        shell.status(GOOD, "Wrote", file.display());
    }
    match count {
        0 => shell.note("nothing was found: there is nothing to accept"),
        _ => shell.note(format_args!(
            "accepted {count} {}; commit the files, and new findings fail from now on",
            plural(count, "finding", "findings")
        )),
    }
    let Selection { tools, skip_tools, .. } = &project.plan.selection;
    if !project.plan.is_whole(&project.workspace) || !tools.is_empty() || !skip_tools.is_empty() {
        shell.note("only the selected part was looked at: what the rest finds stays new");
    }
    End::Passed
}

/// Names what has no verdict, and why: an error where a tool is required.
fn without_verdict(shell: &mut Shell, outcome: &Outcome) {
    for (tool, result) in outcome.plan.graph.tools.iter().zip(&outcome.tools) {
        for (unit, reason) in &result.incomplete {
            let unit = if unit == "." { String::new() } else { format!(" {}", visible_line(unit)) };
            let what = format!("{}{unit}: {}", tool.name, visible_line(reason));
            if tool.required { shell.error(what) } else { shell.warning(what) }
        }
    }
}

/// Shows the accepted findings.
pub(crate) fn list(args: &ListArgs, env: &Env, shell: &mut Shell) -> End {
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let entries = pipeline::load(&request, env, &mut |_| {})
        .and_then(|project| Ok(store::load_baseline(&project.workspace.root)?));
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => return fail(shell, error),
    };
    let mut out = String::new();
    for (ns, entries) in &entries {
        let _ = writeln!(out, "{ns}: {}", entries.len());
        for entry in entries {
            let _ = writeln!(out, "  {}", render::entry(entry));
        }
    }
    if entries.is_empty() {
        shell.note("nothing is accepted: there is no baseline");
    }
    shell.out(out.as_bytes())
}
