//! `cargo genti tools`: lists the tools with their versions and locations.

use std::fmt::Write;

use genti::model::tool::Caching;
use genti::pipeline::{self, Limit, Lockfile};
use genti::scan::{self, Env, Identifier, Kernel, NoVersion, Stop, StopReason};

use crate::args::ToolsArgs;
use crate::exit::{CliError, CliResult};
use crate::render::{Shell, visible_line};
use crate::{fail, resolve, signals};

pub(crate) fn main(args: &ToolsArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    let project =
        pipeline::load(&request, env, &Limit::none(), &mut |_| {}).map_err(|error| fail(shell, error))?;
    let stop = signals::stop(shell)?;
    let identifier = Identifier::new(&project.programs, env);
    let mut out = String::new();
    for tool in &project.plan.graph.tools {
        let _ = writeln!(out, "{}", tool.name);
        let required = if tool.on_demand {
            "on demand"
        } else if tool.required {
            "required"
        } else {
            "optional"
        };
        let origin = match tool.configured {
            true => "configured",
            false if tool.is_only_detected() => "detected",
            false => "built in",
        };
        let lane = tool.lane.as_ref().map(|lane| format!(", lane {lane}")).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {origin}, {required}, per {}, output format {}{lane}",
            tool.unit_word(),
            tool.parse.as_str()
        );
        match project.programs.of(tool) {
            Ok(_) if tool.runs_executable() => {
                let _ = writeln!(out, "  test binaries built by `{}`", tool.needs.join("`, `"));
            }
            Ok(path) => {
                let line = match scan::version(tool, &project.workspace, &project.programs, env, stop) {
                    Ok(version) => format!("{} ({version})", path.display()),
                    Err(NoVersion::Missing(missing)) => missing.to_string(),
                    Err(why) => format!("{} (version unknown: {why})", path.display()),
                };
                let _ = writeln!(out, "  {}", visible_line(&line));
                let unknown = identifier.of(tool).unknown.filter(|_| tool.cache == Caching::Established);
                if let Some(why) = unknown {
                    let _ = writeln!(out, "  results are not cached: {}", visible_line(&why));
                }
            }
            Err(missing) => {
                let _ = writeln!(out, "  {}", visible_line(&missing.to_string()));
            }
        }
        if tool.is_observed() {
            let _ = match stop.observer() {
                Ok(_) => {
                    writeln!(out, "  passes are cached if everything that its processes look at is known")
                }
                Err(why) => writeln!(out, "  results are not cached, because {why}"),
            };
        }
        if tool.sandbox.is_some() {
            let _ = match stop.sandbox() {
                Ok(_) => writeln!(out, "  runs in a sandbox"),
                Err(why) => writeln!(out, "  runs without a sandbox, because {why}"),
            };
        }
    }
    let _ = writeln!(out, "sandbox\n  {}", offer(stop));
    match stop.reason() {
        Some(StopReason::Signal(signal)) => Err(CliError::Interrupted(signal)),
        _ => shell.out(&out),
    }
}

/// Describes what this system offers for sandboxes.
fn offer(stop: &Stop) -> String {
    if let Err(why) = stop.sandbox() {
        return format!("not available: {why}");
    }
    let network = match scan::private_network(stop) {
        Ok(()) => "private network",
        Err(_) => "no private network",
    };
    let observer = match stop.observer() {
        Ok(_) => "observer",
        Err(_) => "no observer",
    };
    format!("available (Landlock ABI {}, seccomp filters, {network}, {observer})", Kernel::probe().landlock)
}
