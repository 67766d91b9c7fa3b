//! `cargo genti verify`: runs again and again, each time in another way, and compares.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use genti::model::finding::Entry;
use genti::model::outcome::{End, Outcome, Strict};
use genti::model::policy::Parallel;
use genti::pipeline::{self, Lockfile, Project, Request, Session, Varies, Witness};
use genti::report;
use genti::scan::{BuildDirs, Pool, Stop};
use genti::store::{self, ArtifactDir, Results};
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
    let mut first = run::load(&request, &start.env, shell)?;
    run::enter(&first, &mut start.env, shell)?;
    let start = &*start;
    let baseline = store::load_baseline(&first.workspace.root).map_err(|error| fail(shell, error.into()))?;
    if let Some(warning) = &start.inherited.warning {
        shell.warning(warning);
    }
    let parallel = pipeline::parallelism(first.parallel);
    // What is built stays where it is: another parallelism would look for it elsewhere.
    first.build_dir = BuildDirs::resolve(first.build_dir, parallel);
    let stop = signals::stop().map_err(|error| unable(shell, error))?;
    let dir = {
        let mut bar = Bar::new(&first, shell);
        run::open(&first, stop, &mut bar, shell)?
    };
    let dir = dir.map_err(|error| {
        shell.error(error);
        End::NotWritten
    })?;
    let results = match args.run.no_cache {
        true => None,
        false => run::open_results(&first, &start.env, shell),
    };
    let series =
        Series { request: &request, first: &first, parallel, start, stop, dir: &dir, baseline: &baseline };
    let mut witnesses = series.run(args.runs, results, shell)?;
    let has_wrong =
        |witnesses: &[_]| pipeline::varies(&first.workspace, witnesses).iter().any(|varies| varies.is_cached);
    if witnesses.len() == 2 && stop.reason().is_none() && has_wrong(&witnesses) {
        shell.note("a cached result differs from that of a fresh run: running once more, to see whether the tool itself varies");
        witnesses.push(series.run_again(2, 3, shell)?);
    }
    Ok(judge(&first, &witnesses, &dir, shell))
}

/// What all runs have in common.
struct Series<'a> {
    request: &'a Request,
    /// The workspace and its plan, as the first run met them.
    first: &'a Project,
    parallel: usize,
    start: &'a Start,
    stop: &'static Stop,
    dir: &'a ArtifactDir,
    baseline: &'a BTreeMap<String, Vec<Entry>>,
}

impl Series<'_> {
    /// Runs so many times, or until the run is stopped. Only the first run may take results from the cache.
    fn run(&self, runs: u32, results: Option<Results>, shell: &mut Shell) -> Result<Vec<Witness>, End> {
        let way = self.announce(0, runs, results.is_some(), shell);
        let outcome = self.run_once(self.first, way, results, shell)?;
        let mut witnesses = vec![Witness::new(&self.first.workspace, outcome, &self.first.plan)];
        for number in 1..runs {
            if self.stop.reason().is_some() {
                break;
            }
            witnesses.push(self.run_again(number, runs, shell)?);
        }
        Ok(witnesses)
    }

    /// One more run, which reads and plans for itself, and takes nothing from the cache.
    fn run_again(&self, number: u32, runs: u32, shell: &mut Shell) -> Result<Witness, End> {
        let way = self.announce(number, runs, false, shell);
        let request = Request { listing: way.listing, ..self.request.clone() };
        let mut project = run::load(&request, &self.start.env, shell)?;
        // Under the first seed, with this run's listing: all that is compared of the plan.
        let told = Arc::clone(&project.plan);
        if let Some(end) = plan_differs(self.first, &project, number, shell) {
            return Err(end);
        }
        project.reseed(way.seed).map_err(|error| fail(shell, error.into()))?;
        project.build_dir = self.first.build_dir;
        let outcome = self.run_once(&project, way, None, shell)?;
        Ok(Witness::new(&project.workspace, outcome, &told))
    }

    /// Says in which way the run with this number differs from the others.
    fn announce(&self, number: u32, runs: u32, with_cache: bool, shell: &mut Shell) -> Way {
        let way = Way::of(number, self.parallel, self.first.plan.policy.seed);
        let Way { parallel, seed, listing } = way;
        let cache = if with_cache { ", with the result cache" } else { "" };
        shell.aside(
            BUSY,
            "Running",
            format_args!(
                "{} of {runs}: parallel {parallel}, seed {seed}, files {listing}{cache}",
                number + 1
            ),
        );
        way
    }

    /// What cargo has built may stay.
    fn run_once(
        &self,
        project: &Project,
        way: Way,
        results: Option<Results>,
        shell: &mut Shell,
    ) -> Result<Outcome, End> {
        let Start { env, inherited, .. } = self.start;
        let pool = Pool::new(inherited.clone(), env, way.parallel).map_err(|error| unable(shell, error))?;
        let own_program = std::env::current_exe().ok();
        let session = Session {
            env,
            pool: &pool,
            stop: self.stop,
            parallel: way.parallel,
            fail_fast: false,
            started: Instant::now(),
            bless: false,
            strict: Strict::default(),
            outputs: Some(self.dir.outputs()),
            own_program: own_program.as_deref(),
        };
        let mut bar = Bar::new(project, shell);
        let outcome =
            pipeline::run(project, &session, results, self.baseline, &mut |event| bar.on(event, shell));
        drop(bar);
        let outcome = outcome.map_err(|error| unable(shell, error))?;
        match outcome.end {
            End::Signal(_) => Err(outcome.end),
            _ => Ok(outcome),
        }
    }
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
        let [first, other] = varies.between;
        let kept = [("first", first), ("other", other)]
            .map(|(name, at)| dir.set_aside(name, &witnesses[at].artifacts.files()));
        match kept {
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
                shell.error(visible_line(&format!("no verdict from {} on {unit}: {reason}", tool.name)));
            }
        }
        return End::Incomplete;
    }
    if !all.is_empty() {
        return End::Failed;
    }
    let confirmed = match witnesses.first().map_or(0, Witness::cached) {
        0 => String::new(),
        cached => format!(", {cached} cached {} confirmed", plural(cached, "result", "results")),
    };
    shell.status(GOOD, "Verified", format_args!("{tasks} {named}: the same bytes in {runs} runs{confirmed}"));
    End::Passed
}

/// How many things varied `over` all runs, and how many cached results are wrong.
fn sum_up(all: &[Varies], over: &str, shell: &mut Shell) {
    let wrong = all.iter().filter(|varies| varies.is_cached).count();
    let counts = [
        (wrong, "cached result is wrong", "cached results are wrong"),
        (all.len() - wrong, "thing varied", "things varied"),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    let counts: Vec<_> =
        counts.map(|(count, one, more)| format!("{count} {}", plural(count, one, more))).collect();
    if wrong > 0 {
        shell.note("a tool reads something that does not count for its cached results: name it in the tool's `inputs`, or set `cache = false`; `cargo genti clean` removes the wrong results");
    }
    shell.error(format_args!("{} {over}", counts.join(", ")));
}

fn said(varies: &Varies, runs: usize) -> String {
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
            _ => format!("`{field}` is `{first}`, and `{other}` in a fresh run"),
        };
        return format!("{who}the cached result is wrong: {wrong}");
    }
    let [one, another] = between.map(|run| run + 1);
    let often = match runs - one {
        1 => String::new(),
        further => format!("; {differing} of {further} further runs differ from the first"),
    };
    format!("{who}`{field}` varies: `{first}` in run {one}, `{other}` in run {another}{often}")
}
