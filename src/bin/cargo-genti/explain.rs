//! `cargo genti explain`: shows why tasks of the last run ran.

use std::fmt::Write;

use genti::cache;
use genti::cache::explain::{Changed, TaskReason, ToolReasons};
use genti::pipeline::{self, Lockfile};
use genti::scan::Env;

use crate::args::ExplainArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{Shell, visible_line};
use crate::{fail, resolve};

/// Maximum number of listed tasks per tool, unless all are requested.
const SHOWN: usize = 20;

pub(crate) fn main(args: &ExplainArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let target_dir = pipeline::target_dir(&request, env).map_err(|error| fail(shell, error))?;
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
    for causes in tools {
        match unit {
            Some(unit) => explain_unit(causes, unit, &mut out),
            None => explain_tool(causes, args.output.verbose || tool.is_some(), &mut out),
        }
    }
    shell.out(&out)
}

fn explain_tool(causes: &ToolReasons, all: bool, out: &mut String) {
    let ToolReasons { tool, hits, changed, ran } = causes;
    let tasks = |number: usize| format!("{number} task{}", if number == 1 { "" } else { "s" });
    let _ = match (hits, ran.len()) {
        (hits, 0) => writeln!(out, "{tool}: {} cached, none ran", tasks(*hits)),
        (0, ran) => writeln!(out, "{tool}: {} ran", tasks(ran)),
        (hits, ran) => writeln!(out, "{tool}: {} ran, {hits} cached", tasks(ran)),
    };
    changed.iter().for_each(|changed| write_change(changed, "  ", out));
    let shown = if all { ran.len() } else { SHOWN };
    ran.iter().take(shown).for_each(|task| explain_task(task, out));
    if ran.len() > shown {
        let _ = writeln!(out, "  … and {} more: `cargo genti explain {tool}` shows all", ran.len() - shown);
    }
}

fn explain_unit(causes: &ToolReasons, unit: &str, out: &mut String) {
    let ToolReasons { tool, changed, ran, .. } = causes;
    match ran.iter().find(|task| task.unit == unit) {
        Some(task) => {
            let _ = writeln!(out, "{tool}:");
            changed.iter().for_each(|changed| write_change(changed, "  ", out));
            explain_task(task, out);
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
        (Some(from), Some(to)) => writeln!(out, "{indent}{what} has changed ({from} → {to})"),
        (None, Some(to)) => writeln!(out, "{indent}{what} is new ({to})"),
        (Some(from), None) => writeln!(out, "{indent}{what} is gone ({from})"),
        (None, None) => writeln!(out, "{indent}{what} has changed"),
    };
}
