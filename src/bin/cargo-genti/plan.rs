//! `cargo genti plan`: shows the plan of a run. Runs nothing except `cargo metadata`.

use std::fmt::Write;

use genti::model::policy::Order;
use genti::model::task::{Plan, PlannedBatch, TaskIx};
use genti::pipeline::{self, Limit, Lockfile, Project};
use genti::scan::Env;
use genti::{plan, report};

use crate::args::{PlanArgs, PlanFormat};
use crate::exit::{CliError, CliResult};
use crate::render::{Shell, plural, visible_line};
use crate::{fail, resolve};

/// Number of units that are listed per line.
const NAMED: usize = 3;

pub(crate) fn main(args: &PlanArgs, env: &Env, shell: &mut Shell) -> CliResult {
    let mut request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    request.selection = resolve::selection(&args.selection, &args.tests.filters);
    request.policy = resolve::policy(&args.policy, env, shell)?;
    resolve::shard(&args.shard, &mut request, shell)?;
    let is_matrix = args.format == PlanFormat::GithubMatrix;
    if is_matrix != args.shards.is_some() {
        shell.error("`--format github-matrix` and `--shards N` must be passed together");
        return Err(CliError::Usage);
    }
    let project =
        pipeline::load(&request, env, &Limit::none(), &mut |_| {}).map_err(|error| fail(shell, error))?;
    match (&args.explain, args.format) {
        (Some(name), _) => match find(&project, name) {
            Ok(task) => shell.out(&explanation(&project, task)),
            Err(message) => {
                shell.error(message);
                Err(CliError::Usage)
            }
        },
        (None, PlanFormat::Json) => {
            shell.write_json(|out| report::plan_json(&project.workspace, &project.plan, out))
        }
        (None, PlanFormat::GithubMatrix) => {
            let Project { workspace, plan, .. } = &project;
            let count = args.shards.unwrap_or(1);
            let partition = plan::Partition::of(workspace, plan, count, request.balance.as_ref());
            shell.out(&report::github_matrix(plan, &partition.shards))
        }
        (None, PlanFormat::Dot) => shell.out(&report::plan_dot(&project.plan)),
        (None, PlanFormat::Human) => shell.out(&human(&project)),
    }
}

fn human(project: &Project) -> String {
    let Project { plan, .. } = project;
    let mut out = String::new();
    let (batches, tasks) = (plan.batches.len(), plan.graph.tasks.len());
    let _ = writeln!(
        out,
        "{tasks} {} in {batches} {}; order {}, batch {}, seed {}",
        plural(tasks, "task", "tasks"),
        plural(batches, "batch", "batches"),
        plan.policy.order,
        plan.policy.batch,
        plan.policy.seed,
    );
    let _ = writeln!(out, "graph {}", plan.graph.hash.short(16));
    if let Some(shard) = &plan.shard {
        let (steps, all) = (shard.steps.len(), plan.steps().count());
        let partition = shard.partition.short(16);
        let _ = writeln!(out, "shard {}: {steps} of {all} steps; partition {partition}", shard.of);
    }
    let class = match plan.policy.order {
        Order::Deterministic => None,
        Order::Topo => Some("depth: packages come after the members they depend on"),
        Order::RequiredFirst => Some("class: required tools and the tools they need come first"),
        Order::RiskFirst => Some("risk: points of the riskiest task in the batch (100 and more is critical)"),
    };
    if let Some(class) = class {
        let _ = writeln!(out, "{class}");
    }
    let head = class.and_then(|class| class.split_once(':')).map_or("", |(head, _)| head);
    let _ = writeln!(out, "\n{}", columns(["rank", "batch", head, "tool", "units"], class.is_some()));
    for (rank, batch) in plan.batches.iter().enumerate() {
        for (at, step) in batch.steps.iter().filter(|step| plan.has_here(step)).enumerate() {
            let tool = plan.graph.tool(step.tool);
            let mut names = units(project, &step.tasks);
            if let Some(lane) = &tool.lane {
                let _ = write!(names, "  (lane {lane})");
            }
            let first = [rank.to_string(), batch.id.short(12), why(plan, batch)];
            let [rank, id, why] = if at == 0 { first } else { Default::default() };
            let row = columns([&rank, &id, &why, &tool.name, &names], class.is_some());
            let _ = writeln!(out, "{row}");
        }
    }
    out
}

fn columns([rank, batch, class, tool, units]: [&str; 5], has_class: bool) -> String {
    let class = if has_class { format!("{class:14}  ") } else { String::new() };
    format!("{rank:>4}  {batch:12}  {class}{tool:12}  {units}")
}

/// Lists the first units of a step, and the number of the others.
fn units(project: &Project, tasks: &[TaskIx]) -> String {
    let name =
        |task: &TaskIx| project.plan.graph.name_of(&project.workspace, project.plan.graph.task(*task).unit);
    let names: Vec<_> = tasks.iter().take(NAMED).map(|task| visible_line(&name(task))).collect();
    let more = tasks.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &more
}

/// Returns the reason for the rank of a batch.
fn why(plan: &Plan, batch: &PlannedBatch) -> String {
    match plan.policy.order {
        Order::Deterministic => String::new(),
        Order::Topo => batch.class.to_string(),
        Order::RequiredFirst => if batch.class == 0 { "required" } else { "optional" }.to_owned(),
        Order::RiskFirst => {
            let level =
                ["critical", "high", "medium", "low"].get(batch.class as usize).copied().unwrap_or_default();
            format!("{} {level}", batch.risk.unwrap_or_default())
        }
    }
}

/// Finds a task by `tool`, `tool:unit`, or the beginning of its id.
fn find(project: &Project, name: &str) -> Result<TaskIx, String> {
    let graph = &project.plan.graph;
    let is_meant = |at: &TaskIx| {
        let task = graph.task(*at);
        let tool = &graph.tool(task.tool).name;
        let by_name = match name.split_once(':') {
            Some((of, unit)) => of == tool && graph.name_of(&project.workspace, task.unit) == unit,
            None => name == tool,
        };
        by_name || (name.len() >= 4 && task.id.to_string().starts_with(name))
    };
    let mut found = (0..graph.tasks.len() as u32).map(TaskIx).filter(is_meant);
    match (found.next(), found.next()) {
        (Some(task), None) => Ok(task),
        (Some(first), Some(_)) => Err(format!(
            "`{name}` matches several tasks; add a unit, such as `{}`",
            visible_line(&long_name(project, first))
        )),
        (None, _) => {
            Err(format!("no task named `{name}`; use `tool:unit` or an id from `plan --format json`"))
        }
    }
}

fn long_name(project: &Project, at: TaskIx) -> String {
    let task = project.plan.graph.task(at);
    let graph = &project.plan.graph;
    format!("{}:{}", graph.tool(task.tool).name, graph.name_of(&project.workspace, task.unit))
}

/// Lists the hashed fields of a task id, with digests and numbers in hex.
fn explanation(project: &Project, at: TaskIx) -> String {
    let mut out =
        format!("{}\n{:16}{}\n", visible_line(&long_name(project, at)), "id", project.plan.graph.task(at).id);
    let parts = plan::explain(&project.workspace, &project.plan, at).map(|parts| parts.0).unwrap_or_default();
    for (name, value) in parts {
        let is_text = std::str::from_utf8(&value).is_ok_and(|text| !text.chars().any(char::is_control));
        let value = match value.as_slice() {
            [] => "-".to_owned(),
            _ if is_text => String::from_utf8_lossy(&value).into_owned(),
            // A count or a flag.
            [low, rest @ ..] if value.len() <= 8 && rest.iter().all(|byte| *byte == 0) => low.to_string(),
            bytes => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let _ = writeln!(out, "{name:16}{}", visible_line(&value));
    }
    if let Some(risk) = project.plan.risks.get(at.0 as usize) {
        let _ = writeln!(
            out,
            "{:16}{} = changed {} + findings {} + dependents {} + weight {} (not part of the id)",
            "risk",
            risk.value(),
            risk.changed,
            risk.findings,
            risk.dependents,
            risk.weight
        );
    }
    out
}
