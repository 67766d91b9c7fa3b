//! `cargo genti plan`: what would be run. Starts nothing from the checkout but `cargo metadata`.

use std::fmt::Write;

use genti::model::outcome::End;
use genti::pipeline::{self, Lockfile, Project};
use genti::report;
use genti::scan::Env;

use crate::args::{PlanArgs, PlanFormat};
use crate::render::{Shell, plural, visible_line};
use crate::{fail, resolve};

/// Units that are named on one line.
const NAMED: usize = 3;

pub(crate) fn main(args: &PlanArgs, env: &Env, shell: &mut Shell) -> End {
    let mut request = resolve::workspace(&args.workspace, Lockfile::Ignore);
    request.selection = resolve::selection(&args.selection);
    request.policy = match resolve::policy(&args.policy, env) {
        Ok(policy) => policy,
        Err(errors) => {
            errors.into_iter().for_each(|error| shell.error(error));
            return End::Usage;
        }
    };
    match pipeline::load(&request, env, &mut |_| {}) {
        Ok(project) => match args.format {
            PlanFormat::Json => shell.out(&report::plan_json(&project.workspace, &project.plan)),
            PlanFormat::Human => shell.out(human(&project).as_bytes()),
        },
        Err(error) => fail(shell, error),
    }
}

fn human(project: &Project) -> String {
    let Project { workspace, plan, .. } = project;
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
    let _ = writeln!(out, "\nrank  batch         tool          units");
    for (rank, batch) in plan.batches.iter().enumerate() {
        for (at, step) in batch.steps.iter().enumerate() {
            let tool = plan.graph.tool(step.tool);
            let units: Vec<_> = step
                .tasks
                .iter()
                .map(|task| visible_line(&plan.graph.task(*task).unit.path(workspace).to_string()))
                .collect();
            let more = units.len().saturating_sub(NAMED);
            let mut names = units[..units.len() - more].join(", ");
            if more > 0 {
                let _ = write!(names, " and {more} more");
            }
            if let Some(lane) = &tool.lane {
                let _ = write!(names, "  (lane {lane})");
            }
            let (rank, id) =
                if at == 0 { (rank.to_string(), batch.id.short(12)) } else { Default::default() };
            let _ = writeln!(out, "{rank:>4}  {id:12}  {:12}  {names}", tool.name);
        }
    }
    out
}
