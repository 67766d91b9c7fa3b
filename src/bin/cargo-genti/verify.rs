//! `cargo genti verify`: runs again and again, each time in another way, and compares.

use std::collections::BTreeMap;
use std::time::Instant;

use genti::model::finding::Entry;
use genti::model::outcome::{End, Outcome, Strict};
use genti::model::policy::Parallel;
use genti::pipeline::{self, Lockfile, Project, Request, Session, Varies, Witness};
use genti::report;
use genti::scan::{BuildDirs, Pool, Stop};
use genti::store::{self, ArtifactDir};
use genti::workspace::Listing;

use crate::args::VerifyArgs;
use crate::render::{BUSY, Bar, GOOD, Shell, plural, visible_line};
use crate::run::{self, Start};
use crate::{fail, signals};

/// What varies and is shown before the rest is only counted.
const MOST: usize = 20;

pub(crate) fn main(args: &VerifyArgs, mut start: Start, shell: &mut Shell) -> End {
    match verify(args, &mut start, shell) {
        Ok(end) | Err(end) => end,
    }
}

/// In which way one of the runs differs from the others.
#[derive(Clone, Copy, Debug)]
struct Way {
    parallel: usize,
    seed: u64,
    listing: Listing,
}

impl Way {
    /// The first run is as asked for; each further one has another seed and listing, and another parallelism than the
    /// one before: first one by one, then crowded.
    fn of(run: u32, parallel: usize, seed: u64) -> Self {
        let others = if parallel == 1 { [2, 4] } else { [1, (2 * parallel).min(Parallel::MOST as usize)] };
        let (parallel, listing) = match run {
            0 => (parallel, Listing::AsFound),
            1 => (others[0], Listing::Reversed),
            _ => (others[(run as usize + 1) % 2], Listing::Shuffled(u64::from(run))),
        };
        Self { parallel, seed: seed.wrapping_add(u64::from(run)), listing }
    }
}

fn verify(args: &VerifyArgs, start: &mut Start, shell: &mut Shell) -> Result<End, End> {
    let request = run::request(&args.run, Lockfile::Require, &start.env, shell)?;
    run::say_ignored(&start.env, shell);
    let first = run::load(&request, &start.env, shell)?;
    run::enter(&first, &mut start.env, shell)?;
    let root = &first.workspace.root;
    let baseline = store::load_baseline(root).map_err(|error| fail(shell, error.into()))?;
    if let Some(warning) = &start.inherited.warning {
        shell.warning(warning);
    }
    let parallel = pipeline::parallelism(first.parallel);
    let stop = signals::stop().map_err(|error| unable(shell, error))?;
    let dir = {
        let mut bar = Bar::new(&first, shell);
        run::open(&first, stop, &mut bar, shell)?
    };
    let dir = dir.map_err(|error| {
        shell.error(error);
        End::NotWritten
    })?;
    let mut witnesses = Vec::new();
    for number in 0..args.runs {
        let way = Way::of(number, parallel, first.plan.policy.seed);
        shell.aside(
            BUSY,
            "Running",
            format_args!(
                "{} of {}: parallel {}, seed {}, files {}",
                number + 1,
                args.runs,
                way.parallel,
                way.seed,
                way.listing
            ),
        );
        // Under the first seed, with this run's listing: all that is compared of the plan.
        let mut asked = Request { listing: way.listing, ..request.clone() };
        let told = run::load(&asked, &start.env, shell)?;
        if let Some(end) = plan_differs(&first, &told, number, shell) {
            return Ok(end);
        }
        asked.policy.seed = Some(way.seed);
        let mut project = run::load(&asked, &start.env, shell)?;
        // What is built stays where it is: another parallelism would look for it elsewhere.
        project.build_dir = BuildDirs::settled(project.build_dir, parallel);
        let outcome = run_once(&project, way, start, stop, &dir, &baseline, shell)?;
        let end = outcome.end;
        witnesses.push(Witness::new(&project.workspace, outcome, &told.plan));
        if stop.reason().is_some() {
            if let End::Signal(_) = end {
                return Ok(end);
            }
            break;
        }
    }
    Ok(judge(&first, &witnesses, &dir, shell))
}

/// One run. It is cold: of earlier ones nothing is known. What cargo has built may stay.
fn run_once(
    project: &Project,
    way: Way,
    start: &Start,
    stop: &Stop,
    dir: &ArtifactDir,
    baseline: &BTreeMap<String, Vec<Entry>>,
    shell: &mut Shell,
) -> Result<Outcome, End> {
    let pool = Pool::new(start.inherited.clone(), &start.env, way.parallel);
    let own_program = std::env::current_exe().ok();
    let session = Session {
        env: &start.env,
        pool: &pool.map_err(|error| unable(shell, error))?,
        stop,
        parallel: way.parallel,
        fail_fast: false,
        started: Instant::now(),
        bless: false,
        strict: Strict::default(),
        outputs: Some(dir.outputs()),
        own_program: own_program.as_deref(),
    };
    let mut bar = Bar::new(project, shell);
    let outcome = pipeline::run(project, &session, None, baseline, &mut |event| bar.on(event, shell));
    drop(bar);
    outcome.map_err(|error| unable(shell, error))
}

/// Nobody made a mistake, and there is no verdict.
fn unable(shell: &mut Shell, error: impl std::fmt::Display) -> End {
    shell.error(error);
    End::Incomplete
}

/// Whether the plan of a later run is another one. Then nothing else can be compared.
fn plan_differs(first: &Project, told: &Project, number: u32, shell: &mut Shell) -> Option<End> {
    let plan = |project: &Project| report::plan_json(&project.workspace, &project.plan);
    if plan(first) == plan(told) {
        return None;
    }
    let changed = told
        .plan
        .graph
        .tasks
        .iter()
        .find(|task| !first.plan.graph.tasks.iter().any(|other| other.id == task.id));
    let number = number + 1;
    match changed {
        Some(task) => {
            let tool = &told.plan.graph.tool(task.tool).name;
            let unit = task.unit.path(&told.workspace).to_string();
            shell.error(visible_line(&format!(
                "{tool} {unit}: `task_id` varies: what it looks at is not the same before run {number}"
            )));
            shell.note("a tool has changed the workspace, or somebody else has: a check must leave it alone");
        }
        None => shell.error(format_args!("the plan of run {number} has its tasks in another order")),
    }
    Some(End::Failed)
}

fn judge(first: &Project, witnesses: &[Witness], dir: &ArtifactDir, shell: &mut Shell) -> End {
    let all = pipeline::varies(&first.workspace, witnesses);
    for varies in all.iter().take(MOST) {
        shell.error(visible_line(&said(varies, witnesses.len())));
    }
    if all.len() > MOST {
        shell.note(format_args!("and {} more", all.len() - MOST));
    }
    let tasks = first.plan.graph.tasks.len();
    let (named, runs) = (plural(tasks, "task", "tasks"), witnesses.len());
    // Which of them are required, every run says by how it ended.
    let is_open = witnesses.iter().find(|witness| witness.outcome.end == End::Incomplete);
    if let Some(varies) = all.first() {
        let kept = [("first", 0), ("other", varies.run)]
            .map(|(name, at)| dir.set_aside(name, &witnesses[at].artifacts.files()));
        match kept {
            [Ok(first), Ok(other)] => shell.note(format_args!(
                "compare {} with {}",
                visible_line(&first.display().to_string()),
                visible_line(&other.display().to_string())
            )),
            [Err(error), _] | [_, Err(error)] => shell.warning(error),
        }
        let things = plural(all.len(), "thing", "things");
        shell.error(format_args!("{} {things} varied over {runs} runs of {tasks} {named}", all.len()));
    }
    if let Some(open) = is_open {
        let tools = first.plan.graph.tools.iter().zip(&open.outcome.tools);
        let without = tools.filter(|(tool, result)| tool.required && !result.incomplete.is_empty());
        for (tool, result) in without {
            for (unit, reason) in result.incomplete.iter().take(1) {
                shell.error(visible_line(&format!("no verdict from {} on {unit}: {reason}", tool.name)));
            }
        }
        return End::Incomplete;
    }
    if !all.is_empty() {
        return End::Failed;
    }
    shell.status(GOOD, "Verified", format_args!("{tasks} {named}: the same bytes in {runs} runs"));
    End::Passed
}

fn said(varies: &Varies, runs: usize) -> String {
    let Varies { tool, unit, field, first, other, run, runs: differing } = varies;
    let who = match (tool, unit) {
        (Some(tool), Some(unit)) if unit != "." => format!("{tool} {unit}: "),
        (Some(tool), _) => format!("{tool}: "),
        (None, _) => String::new(),
    };
    let often = match runs {
        2 => String::new(),
        _ => format!("; {differing} of {} further runs differ from the first", runs - 1),
    };
    format!("{who}`{field}` varies: `{first}` in run 1, `{other}` in run {}{often}", run + 1)
}
