//! `cargo genti explain`: shows why tasks of the last run ran, or the cause of a finding.

use std::fmt::Write;
use std::path::Path;

use genti::cache;
use genti::cache::explain::{Changed, TaskReason, ToolReasons};
use genti::pipeline::{self, Lockfile};
use genti::report::{excused, short};
use genti::scan::Env;
use genti::store;

use crate::args::ExplainArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{Shell, visible_line};
use crate::{fail, resolve};

/// Maximum number of listed tasks per tool, unless all are requested.
const SHOWN: usize = 20;

pub(crate) fn main(args: &ExplainArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let target_dir = pipeline::target_dir(&request, env).map_err(|error| fail(shell, error))?;
    if let Some(id) = args.task.as_deref().filter(|text| is_finding_id(text)) {
        return explain_finding(id, &target_dir, shell);
    }
    let causes = cache::load_reasons(&target_dir).map_err(|error| {
        shell.error(error);
        CliError::Usage
    })?;
    let Some(causes) = causes else {
        shell.error("there is no finished run to explain; run `cargo genti run` first");
        return Err(CliError::Usage);
    };
    let (tool, unit) = match args.task.as_deref().map(|task| task.split_once(':').unwrap_or((task, ""))) {
        Some((tool, unit)) => (Some(tool), Some(unit).filter(|unit| !unit.is_empty())),
        None => (None, None),
    };
    let mut tools: Vec<_> = causes.tools.iter().collect();
    if let Some(tool) = tool {
        tools.retain(|causes| causes.tool == tool);
        if tools.is_empty() {
            let names: Vec<_> = causes.tools.iter().map(|causes| causes.tool.as_str()).collect();
            shell.error(format_args!(
                "no tool named `{tool}` was part of the last run (tools: {})",
                names.join(", ")
            ));
            return Err(CliError::Usage);
        }
    }
    let mut out = String::new();
    let store = causes.store.as_deref().unwrap_or_default();
    for of_tool in tools {
        match unit {
            Some(unit) => explain_unit(of_tool, unit, store, &mut out),
            None => explain_tool(of_tool, args.output.verbose || tool.is_some(), store, &mut out),
        }
    }
    shell.out(&out)
}

/// Returns true if `text` has the form of the id of a finding.
fn is_finding_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Shows the cause of the findings with this id in the last run, and the inputs that differ from the base.
fn explain_finding(id: &str, target_dir: &Path, shell: &mut Shell) -> CliResult {
    let usage = |shell: &mut Shell, error: &dyn std::fmt::Display| {
        shell.error(error);
        CliError::Usage
    };
    let artifacts = store::load_artifacts(&target_dir.join("genti/artifacts"));
    let artifacts = artifacts.map_err(|error| usage(shell, &error))?;
    let (run, _) = artifacts.read().map_err(|error| usage(shell, &error))?;
    let findings: Vec<_> = run.report.findings.iter().filter(|finding| finding.id == *id).collect();
    if findings.is_empty() {
        return Err(usage(shell, &format_args!("the last run has no finding with the id {id}")));
    }
    let mut out = String::new();
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
    shell.out(&out)
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
        }
        None if downloaded.iter().any(|one| one == unit) => {
            let (unit, store) = (visible_line(unit), visible_line(store));
            let _ = writeln!(out, "{tool}: {unit} was cached: the result came from {store}");
        }
        None => {
            let unit = visible_line(unit);
            let _ = writeln!(out, "{tool}: {unit} was cached, or was not part of the last run");
        }
    }
}

fn explain_task(task: &TaskReason, out: &mut String) {
    let TaskReason { unit, why, changed } = task;
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
