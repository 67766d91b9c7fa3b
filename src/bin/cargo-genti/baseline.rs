//! `cargo genti baseline`: accept today's findings, and look at what is accepted.

use std::collections::BTreeMap;
use std::fmt::Write;

use genti::model::outcome::End;
use genti::pipeline::{self, Lockfile};
use genti::scan::Env;
use genti::{compare, store};

use crate::args::{ListArgs, RunArgs};
use crate::render::{self, GOOD, Shell, plural};
use crate::run::{self, Start};
use crate::{fail, resolve};

/// Runs everything and accepts what is found. Nothing is written unless every tool has a verdict: what could
/// not be looked at can't be accepted.
pub(crate) fn init(args: &RunArgs, start: Start, shell: &mut Shell) -> End {
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
    let outcome = match run::execute(&project, &BTreeMap::new(), false, start, shell) {
        Ok(run) => run.outcome,
        Err(end) => return end,
    };
    if !outcome.tasks.iter().all(|task| task.status.is_verdict()) || matches!(outcome.end, End::Signal(_)) {
        render::incomplete(shell, &outcome);
        shell.error("not everything could be looked at: nothing was accepted; see `cargo genti run`");
        return if matches!(outcome.end, End::Signal(_)) { outcome.end } else { End::Incomplete };
    }
    let findings: Vec<_> = outcome.findings.iter().map(|compared| compared.finding.clone()).collect();
    let entries = compare::baseline::entries_of(&findings);
    let count: usize = entries.values().map(Vec::len).sum();
    match store::init_baseline(root, &entries) {
        Ok(files) => {
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
            End::Passed
        }
        Err(error) => fail(shell, error.into()),
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
    shell.out(out.as_bytes());
    End::Passed
}
