//! `cargo genti verify`: runs several times under varying conditions and compares the results.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use genti::cache::ResultLog;
use genti::model::finding::Entry;
use genti::model::outcome::{End, Outcome, Strict};
use genti::model::policy::Parallel;
use genti::pipeline::{self, Limit, Lockfile, Project, Request, Session, Varies, Witness};
use genti::report;
use genti::scan::{Pool, Stop, StopReason};
use genti::store::{self, ArtifactDir};
use genti::workspace::Listing;

use crate::args::VerifyArgs;
use crate::exit::{CliError, CliResult};
use crate::fail;
use crate::render::{BUSY, Bar, GOOD, Shell, plural, visible_line};
use crate::resolve;
use crate::session::{self, Reserved, Startup};

/// Number of differences that are shown. The rest is only counted.
const MOST: usize = 20;

/// Conditions of one run.
#[derive(Clone, Copy, Debug)]
struct RunConditions {
    parallel: usize,
    seed: u64,
    listing: Listing,
}

impl RunConditions {
    /// Returns the conditions of a run. The first has the requested ones. Each further run has another seed and order of
    /// files, and a low or high parallelism in turn.
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

pub(crate) fn main(args: &VerifyArgs, mut start: Startup, shell: &mut Shell) -> CliResult {
    let request = session::request(&args.run, &args.run.tests.filters, Lockfile::Require, &start.env, shell)?;
    session::note_ignored_levels(&start.env, shell);
    let mut first = session::load(&request, &start.env, &Limit::of_run(start.at), shell)?;
    session::enter(&first, &mut start.env, shell)?;
    let start = &start;
    let baseline = store::load_baseline(&first.workspace.root).map_err(|error| fail(shell, error.into()))?;
    let Reserved { parallel, stop, dir } = session::reserve(&mut first, start, shell)?;
    let results = session::open_results(&first.workspace.target_dir, &start.env, args.run.no_cache, shell);
    let series =
        Series { request: &request, first: &first, parallel, start, stop, dir: &dir, baseline: &baseline };
    let mut witnesses = series.run(args.runs, results, shell)?;
    let has_wrong =
        |witnesses: &[_]| pipeline::varies(&first.workspace, witnesses).iter().any(|varies| varies.is_cached);
    if witnesses.len() == 2 && stop.reason().is_none() && has_wrong(&witnesses) {
        shell.note(
            "a cached result differs from a fresh run; running once more to see whether the tool's own results vary",
        );
        witnesses.push(series.run_again(2, 3, shell)?);
    }
    judge(&first, &witnesses, &dir, shell)
}

/// State that all runs share.
struct Series<'a> {
    request: &'a Request,
    /// The project of the first run.
    first: &'a Project,
    parallel: usize,
    start: &'a Startup,
    stop: &'static Stop,
    dir: &'a ArtifactDir,
    baseline: &'a BTreeMap<String, Vec<Entry>>,
}

impl Series<'_> {
    /// Runs `runs` times, or until interrupted. Only the first run may use the cache.
    fn run(&self, runs: u32, results: Option<ResultLog>, shell: &mut Shell) -> CliResult<Vec<Witness>> {
        let conditions = self.announce(0, runs, results.is_some(), shell);
        let outcome = self.run_once(self.first, conditions, results, shell)?;
        let mut witnesses = vec![Witness::new(&self.first.workspace, outcome, &self.first.plan)];
        for number in 1..runs {
            if self.stop.reason().is_some() {
                break;
            }
            witnesses.push(self.run_again(number, runs, shell)?);
        }
        Ok(witnesses)
    }

    /// Runs again with a newly loaded project and without the cache.
    fn run_again(&self, number: u32, runs: u32, shell: &mut Shell) -> CliResult<Witness> {
        let conditions = self.announce(number, runs, false, shell);
        let request = Request { listing: conditions.listing, ..self.request.clone() };
        let limit = Limit::of_run(Instant::now()).or(self.stop);
        let project = session::load(&request, &self.start.env, &limit, shell);
        let mut project = project.map_err(|end| match self.stop.reason() {
            Some(StopReason::Signal(signal)) => CliError::Interrupted(signal),
            _ => end,
        })?;
        // Plans are compared before the seed changes.
        let planned = Arc::clone(&project.plan);
        compare_plans(self.first, &project, number, shell)?;
        project.reseed(conditions.seed).map_err(|error| fail(shell, error.into()))?;
        project.build_dir = self.first.build_dir;
        let outcome = self.run_once(&project, conditions, None, shell)?;
        Ok(Witness::new(&project.workspace, outcome, &planned))
    }

    /// Prints the conditions of a run.
    fn announce(&self, number: u32, runs: u32, with_cache: bool, shell: &mut Shell) -> RunConditions {
        let conditions = RunConditions::of(number, self.parallel, self.first.plan.policy.seed);
        let RunConditions { parallel, seed, listing } = conditions;
        let cache = if with_cache { ", with the result cache" } else { "" };
        shell.aside(
            BUSY,
            "Running",
            format_args!(
                "{} of {runs}: parallel {parallel}, seed {seed}, files {listing}{cache}",
                number + 1
            ),
        );
        conditions
    }

    /// Runs once. Builds of cargo are reused.
    fn run_once(
        &self,
        project: &Project,
        conditions: RunConditions,
        results: Option<ResultLog>,
        shell: &mut Shell,
    ) -> CliResult<Outcome> {
        let Startup { env, inherited, .. } = self.start;
        let pool =
            Pool::new(inherited.clone(), env, conditions.parallel).map_err(|error| unable(shell, error))?;
        let own_program = std::env::current_exe().ok();
        let cache_dir = resolve::cache_dir(&project.workspace.target_dir, env);
        let session = Session {
            env,
            pool: &pool,
            stop: self.stop,
            parallel: conditions.parallel,
            fail_fast: false,
            started: Instant::now(),
            bless: false,
            strict: Strict::default(),
            shows_findings: false,
            outputs: Some(self.dir.outputs()),
            cache_dir: Some(&cache_dir),
            remote: None,
            own_program: own_program.as_deref(),
        };
        let mut bar = Bar::new(project, shell);
        let outcome =
            pipeline::run(project, &session, results, self.baseline, &mut |event| bar.on(event, shell));
        drop(bar);
        let outcome = outcome.map_err(|error| unable(shell, error))?;
        match outcome.end {
            End::Interrupted(signal) => Err(CliError::Interrupted(signal)),
            _ => Ok(outcome),
        }
    }
}

/// Reports an environment problem, which leaves the run without a result.
fn unable(shell: &mut Shell, error: impl std::fmt::Display) -> CliError {
    shell.error(error);
    CliError::Incomplete
}

/// Compares the plan of a later run with the first. If it differs, nothing else can be compared.
fn compare_plans(first: &Project, planned: &Project, number: u32, shell: &mut Shell) -> CliResult {
    let plan = |project: &Project| {
        let mut bytes = Vec::new();
        // Writing to memory can't fail.
        let _ = report::plan_json(&project.workspace, &project.plan, &mut bytes);
        bytes
    };
    if plan(first) == plan(planned) {
        return Ok(());
    }
    let changed = planned
        .plan
        .graph
        .tasks
        .iter()
        .find(|task| !first.plan.graph.tasks.iter().any(|other| other.id == task.id));
    let number = number + 1;
    match changed {
        Some(task) => {
            let tool = &planned.plan.graph.tool(task.tool).name;
            let unit = planned.plan.graph.name_of(&planned.workspace, task.unit);
            shell.error(visible_line(&format!(
                "{tool} {unit}: `task_id` varies: its inputs changed before run {number}"
            )));
            shell.note("a tool or another process changed the workspace; checks must not change it");
        }
        None => shell.error(format_args!("the plan of run {number} has a different order of tasks")),
    }
    Err(CliError::Failed)
}

fn judge(first: &Project, witnesses: &[Witness], dir: &ArtifactDir, shell: &mut Shell) -> CliResult {
    let all = pipeline::varies(&first.workspace, witnesses);
    for varies in all.iter().take(MOST) {
        shell.error(visible_line(&describe(varies, witnesses.len())));
    }
    if all.len() > MOST {
        shell.note(format_args!("and {} more", all.len() - MOST));
    }
    let tasks = first.plan.graph.tasks.len();
    let (named, runs) = (plural(tasks, "task", "tasks"), witnesses.len());
    // The end of a run takes into account which tools are required.
    let is_open = witnesses.iter().find(|witness| witness.outcome.end == End::Incomplete);
    if let Some(varies) = all.first() {
        let [first, other] = varies.between;
        let saved = [("first", first), ("other", other)]
            .map(|(name, at)| dir.set_aside(name, &witnesses[at].artifacts.files()));
        match saved {
            [Ok(first), Ok(other)] => shell.note(format_args!(
                "compare {} with {}",
                visible_line(&first.display().to_string()),
                visible_line(&other.display().to_string())
            )),
            [Err(error), _] | [_, Err(error)] => shell.warning(error),
        }
        sum_up(&all, &format!("over {runs} runs of {tasks} {named}"), shell);
    }
    if let Some(open) = is_open {
        let tools = first.plan.graph.tools.iter().zip(&open.outcome.tools);
        let without = tools.filter(|(tool, result)| tool.required && !result.incomplete.is_empty());
        for (tool, result) in without {
            for (unit, reason) in result.incomplete.iter().take(1) {
                shell.error(visible_line(&format!("no result from {} for {unit}: {reason}", tool.name)));
            }
        }
        return Err(CliError::Incomplete);
    }
    if !all.is_empty() {
        return Err(CliError::Failed);
    }
    let confirmed = match witnesses.first().map_or(0, Witness::cached) {
        0 => String::new(),
        cached => format!(", {cached} cached {} confirmed", plural(cached, "result", "results")),
    };
    shell.status(
        GOOD,
        "Verified",
        format_args!("{tasks} {named}: identical results in {runs} runs{confirmed}"),
    );
    Ok(())
}

/// Prints the number of differences `over` all runs, and of wrong cached results.
fn sum_up(all: &[Varies], over: &str, shell: &mut Shell) {
    let wrong = all.iter().filter(|varies| varies.is_cached).count();
    let counts = [
        (wrong, "cached result is wrong", "cached results are wrong"),
        (all.len() - wrong, "difference", "differences"),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    let counts: Vec<_> =
        counts.map(|(count, one, more)| format!("{count} {}", plural(count, one, more))).collect();
    if wrong > 0 {
        shell.note("a tool reads an input that is not part of its cache key; add it to the tool's `inputs`, or set `cache = false`, then remove the wrong results with `cargo genti clean`");
    }
    shell.error(format_args!("{} {over}", counts.join(", ")));
}

fn describe(varies: &Varies, runs: usize) -> String {
    let Varies { tool, unit, field, first, other, between, runs: differing, is_cached } = varies;
    let who = match (tool, unit) {
        (Some(tool), Some(unit)) if unit != "." => format!("{tool} {unit}: "),
        (Some(tool), _) => format!("{tool}: "),
        (None, _) => String::new(),
    };
    if *is_cached {
        let wrong = match (field.as_str(), first.as_str(), other.as_str()) {
            ("finding", "missing", _) => format!("a fresh run finds `{other}`"),
            ("finding", _, "missing") => format!("no fresh run finds `{first}`"),
            _ => format!("`{field}` is `{first}`, but `{other}` in a fresh run"),
        };
        return format!("{who}the cached result is wrong: {wrong}");
    }
    let [one, another] = between.map(|run| run + 1);
    let often = match runs - one {
        1 => String::new(),
        further => format!("; {differing} of {further} later runs differ from the first"),
    };
    format!("{who}`{field}` varies: `{first}` in run {one}, `{other}` in run {another}{often}")
}
