//! `cargo genti explain`: shows why tasks of the last run ran, or the cause of a finding.

use std::fmt::Write;
use std::path::Path;

use genti::cache;
use genti::cache::explain::{Changed, RunReasons, TaskReason, ToolReasons};
use genti::pipeline::{self, Lockfile};
use genti::plan::config::closest;
use genti::report::finished::{Finding, Finished, Tasks, TestsOfGroup};
use genti::report::{excused, short};
use genti::scan::Env;
use genti::store;

use crate::args::ExplainArgs;
use crate::exit::CliResult;
use crate::render::{Shell, visible_line};
use crate::{fail, lookup, resolve, usage};

/// Maximum number of listed tasks per tool, unless all are requested.
const SHOWN: usize = 20;

pub(crate) fn main(args: &ExplainArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let target_dir = pipeline::target_dir(&request, env).map_err(|error| fail(shell, error))?;
    let reasons = cache::load_reasons(&target_dir).map_err(|error| usage(shell, error))?;
    let mut out = String::new();
    match (args.task.as_deref(), &reasons) {
        (Some(name), _) => explain_named(name, reasons.as_ref(), &target_dir, &mut out, shell)?,
        (None, Some(RunReasons { tools, store })) => {
            let store = store.as_deref().unwrap_or_default();
            tools.iter().for_each(|tool| explain_tool(tool, args.output.verbose, store, &mut out));
        }
        (None, None) => {
            return Err(usage(shell, "there is no finished run to explain; run `cargo genti run` first"));
        }
    }
    shell.out(&out)
}

/// Explains the tool, the task, the findings or the test that `name` means.
fn explain_named(
    name: &str,
    reasons: Option<&RunReasons>,
    target_dir: &Path,
    out: &mut String,
    shell: &mut Shell,
) -> CliResult {
    let tools = reasons.map_or(&[][..], |reasons| &reasons.tools);
    let store = reasons.and_then(|reasons| reasons.store.as_deref()).unwrap_or_default();
    let (tool, unit) = name.split_once(':').unwrap_or((name, ""));
    if let Some(reasons) = tools.iter().find(|reasons| reasons.tool == tool) {
        if unit.is_empty() {
            explain_tool(reasons, true, store, out);
            return Ok(());
        }
        // Without readable artifacts, whether the task was part of the run is unknown.
        let tasks = last_run(target_dir).ok().map(|(_, tasks)| tasks);
        if let Some(unknown) = tasks.and_then(|tasks| unknown_unit(&tasks, tool, unit)) {
            return Err(usage(shell, unknown));
        }
        explain_unit(reasons, unit, store, out);
        return Ok(());
    }
    let (run, tasks) = last_run(target_dir).map_err(|error| usage(shell, error))?;
    let findings = lookup::find(&run.report.findings, name);
    if !findings.is_empty() {
        explain_findings(&run, &findings, out, shell);
        return Ok(());
    }
    let task = tasks.all().find(|task| task.tests.iter().any(|tests| ran(tests, name)));
    let of_task = task.and_then(|task| Some((task, tools.iter().find(|reasons| reasons.tool == task.tool)?)));
    let Some((task, reasons)) = of_task else {
        let names: Vec<_> = tools.iter().map(|reasons| &*reasons.tool).collect();
        let close = closest(tool, names.iter().copied());
        let help = close.map_or_else(
            || format!("tools: {}", names.join(", ")),
            |close| format!("did you mean `{close}`?"),
        );
        return Err(usage(
            shell,
            format_args!(
                "the last run has no tool, task, finding or test called `{}` ({help})",
                visible_line(name)
            ),
        ));
    };
    explain_unit(reasons, &task.unit, store, out);
    Ok(())
}

/// Reads the artifacts of the last run.
fn last_run(target_dir: &Path) -> Result<(Finished, Tasks), String> {
    let artifacts =
        store::load_artifacts(&target_dir.join("genti/artifacts")).map_err(|error| error.to_string())?;
    artifacts.read().map_err(|error| error.to_string())
}

/// Returns true if a test called `name` was one of `tests`.
fn ran(tests: &TestsOfGroup, name: &str) -> bool {
    [&tests.passed, &tests.failed, &tests.ignored].into_iter().flatten().any(|test| **test == *name)
}

/// Describes the mistake if `unit` is none of the tasks of `tool`.
fn unknown_unit(tasks: &Tasks, tool: &str, unit: &str) -> Option<String> {
    let units: Vec<_> = tasks.of(tool).map(|task| &*task.unit).collect();
    if units.contains(&unit) {
        return None;
    }
    let help = match (closest(unit, units.iter().copied()), &units[..]) {
        (Some(close), _) => format!(" (did you mean `{tool}:{close}`?)"),
        (None, []) => String::new(),
        (None, [only]) => format!(" (there is `{tool}:{only}`)"),
        (None, [first, ..]) => format!(" (there are {}, such as `{tool}:{first}`)", units.len()),
    };
    Some(visible_line(&format!("the last run has no task `{tool}:{unit}`{help}")))
}

/// Shows the causes of findings, and the inputs that differ from the base.
fn explain_findings(run: &Finished, findings: &[&Finding], out: &mut String, shell: &mut Shell) {
    let has_causes = findings.iter().any(|finding| finding.cause.is_some());
    for finding in findings {
        let _ = writeln!(out, "{} ({})", short::line(finding), short::state(finding));
        let Some(caused) = &finding.cause else { continue };
        let _ = writeln!(out, "  {}", visible_line(&excused::sentence(caused)));
        if let Some(against) = &run.report.against {
            let _ = writeln!(out, "  base: {} ({})", against.commit, visible_line(&against.reference));
        }
        for input in caused.inputs.iter() {
            let _ = writeln!(out, "    {}", visible_line(input));
        }
        if caused.more > 0 {
            let _ = writeln!(out, "    and {} more", caused.more);
        }
    }
    if run.report.against.is_none() && !has_causes {
        shell.note("causes are only known in a run that is compared with a base, with `--against`");
    }
}

fn explain_tool(causes: &ToolReasons, all: bool, store: &str, out: &mut String) {
    let ToolReasons { tool, hits, downloaded, changed, ran, not_cached } = causes;
    let tasks = |number: usize| format!("{number} task{}", if number == 1 { "" } else { "s" });
    let _ = match (hits, ran.len()) {
        (hits, 0) => writeln!(out, "{tool}: {} cached, none ran", tasks(*hits)),
        (0, ran) => writeln!(out, "{tool}: {} ran", tasks(ran)),
        (hits, ran) => writeln!(out, "{tool}: {} ran, {hits} cached", tasks(ran)),
    };
    match downloaded.len() {
        0 => {}
        number => {
            let _ = writeln!(out, "  {number} of the cached results from {}", visible_line(store));
        }
    }
    match ran.iter().filter(|task| task.is_away).count() {
        0 => {}
        number => {
            let _ = writeln!(out, "  {} ran on workers of {}", tasks(number), visible_line(store));
        }
    }
    changed.iter().for_each(|changed| write_change(changed, "  ", out));
    let shown = if all { ran.len() } else { SHOWN };
    ran.iter().take(shown).for_each(|task| explain_task(task, out));
    if ran.len() > shown {
        let _ = writeln!(out, "  … and {} more: `cargo genti explain {tool}` shows all", ran.len() - shown);
    }
    if let Some(why) = not_cached {
        let _ = writeln!(out, "  not cached, so it will run again: {why}");
    }
}

fn explain_unit(causes: &ToolReasons, unit: &str, store: &str, out: &mut String) {
    let ToolReasons { tool, downloaded, changed, ran, .. } = causes;
    match ran.iter().find(|task| task.unit == unit) {
        Some(task) => {
            let _ = writeln!(out, "{tool}:");
            changed.iter().for_each(|changed| write_change(changed, "  ", out));
            explain_task(task, out);
            if task.is_away {
                let _ = writeln!(out, "    ran on a worker of {}", visible_line(store));
            }
        }
        None if downloaded.iter().any(|one| one == unit) => {
            let (unit, store) = (visible_line(unit), visible_line(store));
            let _ = writeln!(out, "{tool}: {unit} was cached: the result came from {store}");
        }
        None => {
            let unit = visible_line(unit);
            let _ = writeln!(out, "{tool}: {unit} was cached, or did not run");
        }
    }
}

fn explain_task(task: &TaskReason, out: &mut String) {
    let TaskReason { unit, why, changed, .. } = task;
    let unit = visible_line(unit);
    match (why.is_empty(), changed.is_empty()) {
        (true, true) => {
            let _ = writeln!(out, "  {unit}");
        }
        (true, false) => {
            let _ = writeln!(out, "  {unit}:");
        }
        (false, _) => {
            let _ = writeln!(out, "  {unit}: {}", visible_line(why));
        }
    }
    changed.iter().for_each(|changed| write_change(changed, "    ", out));
}

fn write_change(changed: &Changed, indent: &str, out: &mut String) {
    let Changed { what, from, to } = changed;
    let what = visible_line(what);
    let _ = match (from, to) {
        (Some(from), Some(to)) => writeln!(out, "{indent}{what} changed ({from} → {to})"),
        (None, Some(to)) => writeln!(out, "{indent}{what} is new ({to})"),
        (Some(from), None) => writeln!(out, "{indent}{what} is gone ({from})"),
        (None, None) => writeln!(out, "{indent}{what} changed"),
    };
}
