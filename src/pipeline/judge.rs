//! From what the processes left to the outcome of a run: statuses, findings, states, verdicts, the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::golden::{self, Goldens};
use crate::compare::Sources;
use crate::compare::identity::identify;
use crate::compare::matching::{self, Reach};
use crate::model::finding::{Diagnostic, Entry, Place, Site, State};
use crate::model::outcome::{self, Compared, End, Gone, Outcome, TaskOutcome, Timing, ToolOutcome, Verdict};
use crate::model::path::RelPath;
use crate::model::task::{Output, Plan, Status, Step, Task, TaskIx, Unit};
use crate::model::tool::{Per, Tool, ToolId};
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::{self, Gap, Input, Parsed, Scrub, Unparsable};
use crate::scan::{BuildDirs, Ended, Env, Judged, Kept, StepRun, StopReason};
use crate::workspace::LoadError;

/// What one process came to, as normalized on the thread that ran it.
pub(super) type Normalized = Result<Parsed, Unparsable>;

/// How text is made independent of this machine.
pub(super) fn scrub(workspace: &Workspace, env: &Env, build_dirs: &BuildDirs) -> Scrub {
    let home = env.get("HOME").map(Path::new);
    let temp = env.get("TMPDIR").map_or(Path::new("/tmp"), Path::new);
    let scrub = Scrub::new(workspace, home, temp);
    let scrub = build_dirs.all().into_iter().fold(scrub, |scrub, dir| scrub.with_target(dir));
    // Some tools resolve symbolic links before they print a path.
    match workspace.root.canonicalize() {
        Ok(real) => scrub.with_root(&real),
        Err(_) => scrub,
    }
}

/// The function that reads the output of processes.
pub(super) fn normalizer<'a>(
    workspace: &'a Workspace,
    plan: &'a Plan,
    scrub: Scrub,
    goldens: &'a Goldens<'a>,
    is_new: Option<&'a IsNew<'a>>,
) -> impl Fn(&Step, &[TaskIx], &Output) -> Judged<Normalized> + Sync + 'a {
    move |step, tasks, output| {
        let units: Vec<_> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let tool = plan.graph.tool(step.tool);
        let input = Input { workspace, tool, units: &units, packages: &plan.packages, output, scrub: &scrub };
        let parsed = normalize::parse(&input);
        let mut result = match units.first() {
            Some(unit) => parsed.and_then(|parsed| goldens.judge(tool, *unit, parsed)),
            None => parsed,
        };
        let programs = result.as_mut().map(|parsed| std::mem::take(&mut parsed.programs)).unwrap_or_default();
        let is_clear = result.as_ref().is_ok_and(|parsed| parsed.gaps.is_empty());
        let finds_new =
            |is_new: &IsNew<'_>| result.as_ref().is_ok_and(|parsed| is_new(&tool.name, &parsed.diagnostics));
        let fails = !is_clear || is_new.is_some_and(finds_new);
        // A compile error is told with its place: there is no need to look further.
        let is_told =
            |parsed: &Parsed| parsed.gaps.is_empty() || parsed.diagnostics.iter().any(|found| found.fatal);
        let is_kept = !result.as_ref().is_ok_and(is_told);
        Judged { result, is_clear, fails, is_kept, programs }
    }
}

/// Whether something that a tool found is new. Asked only where it matters before the end, under `--fail-fast`.
pub(super) type IsNew<'a> = dyn Fn(&str, &[Diagnostic]) -> bool + Sync + 'a;

/// Whether one of `diagnostics` is new whatever else is found.
pub(super) fn is_new(
    tool: &str,
    diagnostics: &[Diagnostic],
    baseline: &BTreeMap<String, Vec<Entry>>,
    read: &ReadSources<'_>,
) -> bool {
    // What can't be read now can't be read in the end: then the run fails for that.
    let sources = read(&mut diagnostics.iter().filter_map(|diagnostic| diagnostic.place.path()));
    let sources = Sources(sources.unwrap_or_default());
    let diagnostics = diagnostics.iter().map(|diagnostic| (tool.to_owned(), diagnostic.clone()));
    matching::has_surely_new(&identify(diagnostics.collect(), &sources), baseline)
}

/// Reads the sources that findings are in.
pub(super) type ReadSources<'a> =
    dyn Fn(&mut dyn Iterator<Item = &RelPath>) -> Result<BTreeMap<RelPath, Vec<u8>>, LoadError> + 'a;

/// Everything that an outcome is made of.
pub(super) struct Case<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    pub(super) versions: Vec<Option<String>>,
    pub(super) runs: Vec<StepRun<Normalized>>,
    pub(super) baseline: &'a BTreeMap<String, Vec<Entry>>,
    pub(super) read: &'a ReadSources<'a>,
    pub(super) goldens: outcome::Goldens,
    /// Whether there is something at a path, listed or not.
    pub(super) exists: &'a dyn Fn(&RelPath) -> bool,
    pub(super) stopped: Option<StopReason>,
    pub(super) failed_fast: bool,
    pub(super) stale_fails: bool,
    pub(super) parallel: usize,
}

/// Puts it all together, unless the sources that findings are in can't be read.
pub(super) fn outcome(case: Case<'_>) -> Result<Outcome, LoadError> {
    let Case { workspace, plan, versions, runs, baseline, read, goldens, exists, .. } = case;
    let Case { stopped, failed_fast, stale_fails, parallel, .. } = case;
    let not_run = if failed_fast { FAILED_FAST.to_owned() } else { why(stopped) };
    let mut ledger = Ledger::new(workspace, plan, not_run, exists);
    let mut batches = vec![Timing::default(); plan.batches.len()];
    // What a process found may be about the task of another one: first all that ran, then what came of it.
    for run in &runs {
        add(&mut batches[run.step.rank as usize], run);
        ledger.mark(run);
    }
    let mut kept = vec![(Vec::new(), None); plan.graph.tools.len()];
    for mut run in runs {
        let (files, error) = &mut kept[plan.step(run.step).tool.0 as usize];
        let Kept { files: of_run, error: of_keeping } = std::mem::take(&mut run.kept);
        files.extend(of_run.into_iter().map(|path| seen_from(&workspace.root, path)));
        *error = error.take().or(of_keeping.map(|error| error.to_string()));
        ledger.enter(run);
    }
    ledger.enter_not_built();
    let diagnostics = std::mem::take(&mut ledger.diagnostics);
    let sources =
        Sources(read(&mut diagnostics.iter().filter_map(|(_, diagnostic)| diagnostic.place.path()))?);
    let findings = identify(diagnostics, &sources);
    let matched = matching::compare(findings, baseline, &ledger);
    let mut tools = ledger.tools(versions);
    for ((tool, outcome), kept) in plan.graph.tools.iter().zip(&mut tools).zip(kept) {
        (outcome.kept, outcome.not_kept) = kept;
        count(tool, outcome, &matched.findings, &matched.gone);
    }
    let end = end(plan, &tools, &goldens.orphans, stopped, stale_fails);
    Ok(Outcome {
        plan: plan.clone(),
        tasks: ledger.tasks,
        batches,
        tools,
        findings: matched.findings,
        gone: matched.gone,
        goldens,
        end,
        parallel,
    })
}

/// `path` as a user in `root` would name it.
fn seen_from(root: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix(root).map(Path::to_path_buf).unwrap_or(path)
}

/// A batch lasts from the start of its first step to the end of its last.
fn add(batch: &mut Timing, run: &StepRun<Normalized>) {
    if run.pieces.is_empty() {
        return;
    }
    let is_first = batch.attempts == 0 && batch.duration == Duration::ZERO;
    let end = (run.start + run.duration).max(batch.start + batch.duration);
    batch.start = if is_first { run.start } else { batch.start.min(run.start) };
    batch.duration = end.saturating_sub(batch.start);
    batch.slot = run.slot;
    batch.attempts += run.attempts;
    batch.raw_exit =
        run.pieces.iter().filter_map(|piece| piece.raw_exit).max_by_key(|exit| exit.unsigned_abs());
}

/// What is known of every task, and what is not.
struct Ledger<'a> {
    workspace: &'a Workspace,
    plan: &'a Plan,
    /// The first task of each tool, and one entry more: the tasks of a tool are contiguous.
    first: Vec<usize>,
    units: Vec<Unit>,
    tasks: Vec<TaskOutcome>,
    /// For each tool, the packages that it did not reach though it ran.
    gaps: Vec<BTreeSet<PackageId>>,
    /// For each tool, what got no verdict, and why.
    incomplete: Vec<BTreeSet<(String, String)>>,
    diagnostics: Vec<(String, Diagnostic)>,
    /// Tasks whose program no build has made.
    not_built: Vec<TaskIx>,
    exists: &'a dyn Fn(&RelPath) -> bool,
}

impl<'a> Ledger<'a> {
    fn new(
        workspace: &'a Workspace,
        plan: &'a Plan,
        not_run: String,
        exists: &'a dyn Fn(&RelPath) -> bool,
    ) -> Self {
        let graph = &plan.graph;
        let start_of = |tool: u32| graph.tasks.partition_point(|task| task.tool.0 < tool);
        let not_run = TaskOutcome { status: Status::NotRun(not_run), timing: Timing::default() };
        Self {
            workspace,
            plan,
            first: (0..=graph.tools.len() as u32).map(start_of).collect(),
            units: graph.tasks.iter().map(|task| task.unit).collect(),
            tasks: vec![not_run; graph.tasks.len()],
            gaps: vec![BTreeSet::new(); graph.tools.len()],
            incomplete: vec![BTreeSet::new(); graph.tools.len()],
            diagnostics: Vec::new(),
            not_built: Vec::new(),
            exists,
        }
    }

    /// Takes down when and how the tasks of `run` ran; clean until something is known against them.
    fn mark(&mut self, run: &StepRun<Normalized>) {
        for (piece, task) in
            run.pieces.iter().flat_map(|piece| piece.tasks.iter().map(move |task| (piece, task)))
        {
            let timing = Timing {
                start: run.start,
                duration: run.duration,
                slot: run.slot,
                attempts: run.attempts,
                raw_exit: piece.raw_exit,
            };
            self.tasks[task.0 as usize] = TaskOutcome { status: Status::Clean, timing };
        }
    }

    fn enter(&mut self, run: StepRun<Normalized>) {
        let tool = self.plan.step(run.step).tool;
        for piece in run.pieces {
            let status = match piece.ended {
                Ended::Judged(Ok(parsed)) => {
                    self.enter_parsed(tool, &piece.tasks, parsed);
                    continue;
                }
                Ended::Judged(Err(Unparsable(why))) => Status::Unparsable(why),
                Ended::TimedOut => Status::TimedOut(timed_out(self.plan)),
                Ended::Leaky => Status::Leaky,
                Ended::Crashed(how) => Status::Crashed(how),
                Ended::Missing(missing) => Status::Missing(missing.to_string()),
                Ended::Truncated(why) => Status::Unparsable(why.to_string()),
                Ended::NotBuilt => {
                    self.not_built.extend(piece.tasks);
                    continue;
                }
                Ended::Stopped(reason) => Status::NotRun(why(Some(reason))),
            };
            for task in piece.tasks {
                self.note(task, status.clone());
            }
        }
    }

    fn enter_parsed(&mut self, tool: ToolId, tasks: &[TaskIx], parsed: Parsed) {
        for Gap { package, path, reason } in parsed.gaps {
            if let Some(package) = package {
                self.gaps[tool.0 as usize].insert(package);
                let name = self.workspace.package(package).name.clone();
                self.incomplete[tool.0 as usize].insert((name, reason.clone()));
            }
            let place = path.map(|path| Place::File { path, range: None });
            let own =
                place.and_then(|place| self.attribute(tool, &place, package)).or(match (package, tasks) {
                    (Some(_), [task]) => Some(*task),
                    _ => None,
                });
            let blamed = own.as_ref().map_or(tasks, std::slice::from_ref);
            for &task in blamed {
                match package {
                    Some(_) => self.raise(task, Status::Incomplete(reason.clone())),
                    None => self.note(task, Status::Incomplete(reason.clone())),
                }
            }
        }
        let by = self.plan.graph.tool(tool);
        // A golden file, or a case of a test, lies anywhere but beside what it is of.
        let lies_anywhere = by.has_goldens() || by.per == Per::TestTarget;
        for diagnostic in parsed.diagnostics {
            let task = match lies_anywhere {
                true => None,
                false => self.attribute(tool, &diagnostic.place, diagnostic.package),
            };
            if let Some(task) = task.or(tasks.first().copied()) {
                self.raise(task, Status::Findings);
            }
            self.diagnostics.push((by.name.clone(), diagnostic));
        }
    }

    /// A program that was not built is a failure, unless its target is one that cargo leaves out. To be asked when it is
    /// known of all builds how they ended.
    fn enter_not_built(&mut self) {
        for task in std::mem::take(&mut self.not_built) {
            let Task { tool, unit, .. } = *self.plan.graph.task(task);
            let has_failed = |need: &&ToolId| {
                let tasks = self.first[need.0 as usize]..self.first[need.0 as usize + 1];
                self.tasks[tasks].iter().any(|task| !task.status.is_verdict())
            };
            let failed = self.plan.graph.needs[tool.0 as usize].iter().find(has_failed);
            let is_left_out = unit.target(self.workspace).is_some_and(|target| target.needs_features);
            if let Some(builder) = failed {
                let name = &self.plan.graph.tool(*builder).name;
                self.note(task, Status::Incomplete(format!("it was not built: see {name}")));
            } else if is_left_out {
                let why = "it needs features that are not enabled".to_owned();
                self.tasks[task.0 as usize].status = Status::Skipped(why);
            } else {
                self.note(task, Status::Incomplete("no tool of this run has built it".to_owned()));
            }
        }
    }

    /// The task that `place` belongs to.
    fn attribute(&self, tool: ToolId, place: &Place, package: Option<PackageId>) -> Option<TaskIx> {
        let (start, end) = (self.first[tool.0 as usize], self.first[tool.0 as usize + 1]);
        let at = normalize::attribute(self.workspace, &self.units[start..end], place, package)?;
        Some(TaskIx((start + at) as u32))
    }

    /// Takes down that `task` has no verdict.
    fn note(&mut self, task: TaskIx, status: Status) {
        let tool = self.plan.graph.task(task).tool;
        if let Some(reason) = status.reason() {
            let unit = self.units[task.0 as usize].path(self.workspace).to_string();
            self.incomplete[tool.0 as usize].insert((unit, reason.to_owned()));
        }
        self.raise(task, status);
    }

    /// The worse status stays.
    fn raise(&mut self, task: TaskIx, status: Status) {
        let entry = &mut self.tasks[task.0 as usize].status;
        if status.severity() > entry.severity() {
            *entry = status;
        }
    }

    fn tools(&mut self, versions: Vec<Option<String>>) -> Vec<ToolOutcome> {
        for at in 0..self.tasks.len() as u32 {
            if let status @ Status::NotRun(_) = &self.tasks[at as usize].status {
                let status = status.clone();
                self.note(TaskIx(at), status);
            }
        }
        let incomplete = std::mem::take(&mut self.incomplete);
        let tool = |(version, incomplete): (_, BTreeSet<_>)| ToolOutcome {
            version,
            incomplete: incomplete.into_iter().collect(),
            ..ToolOutcome::default()
        };
        versions.into_iter().zip(incomplete).map(tool).collect()
    }

    /// Whether `tool` looked at `site` the way it does by default, and came to a verdict.
    fn covers(&self, id: ToolId, tool: &Tool, site: &Site) -> bool {
        // A package that is built alone has other features than one that is built beside the others.
        let is_default = self.plan.selection.is_default_build() && self.plan.is_whole(self.workspace);
        let needs = self.plan.graph.needs[id.0 as usize].iter().map(|need| self.plan.graph.tool(*need));
        if needs.chain([tool]).any(Tool::uses_selection) && !is_default {
            return false;
        }
        let (start, end) = (self.first[id.0 as usize], self.first[id.0 as usize + 1]);
        let has_verdict = |at: usize| self.tasks[at].status.is_verdict();
        let Site::Path(path) = site else {
            if tool.per == Per::TestTarget {
                return self.plan.is_whole(self.workspace)
                    && (start..end).filter(|at| self.is_of(*at, site)).all(has_verdict);
            }
            return self.plan.is_whole(self.workspace) && (start..end).all(has_verdict);
        };
        if tool.per != Per::Workspace {
            return self.covers_path(id, tool, path);
        }
        let is_selected = match self.workspace.owner_of(path) {
            Some(owner) => self.plan.packages.contains(&owner) && !self.gaps[id.0 as usize].contains(&owner),
            None => self.plan.is_whole(self.workspace) && self.gaps[id.0 as usize].is_empty(),
        };
        is_selected
            && self.tasks[start..end].iter().all(|task| match &task.status {
                Status::Incomplete(_) => !self.gaps[id.0 as usize].is_empty(),
                status => status.is_verdict(),
            })
    }
}

impl Ledger<'_> {
    /// Whether the subject `site` is a test of the target of task `at`.
    fn is_of(&self, at: usize, site: &Site) -> bool {
        let unit = self.units[at];
        let package = unit.package(self.workspace).map(|id| self.workspace.package(id));
        let name =
            package.zip(unit.target(self.workspace)).map(|(package, target)| package.test_name(target));
        matches!(site, Site::Subject(subject) if subject.split(' ').next() == name.as_deref())
    }

    /// The same for a tool whose units are smaller than the workspace.
    fn covers_path(&self, id: ToolId, tool: &Tool, path: &RelPath) -> bool {
        let tasks = self.first[id.0 as usize]..self.first[id.0 as usize + 1];
        let has_verdict = |at: usize| self.tasks[at].status.is_verdict();
        let owner = self.workspace.owner_of(path);
        let is_selected =
            owner.map_or(self.plan.is_whole(self.workspace), |owner| self.plan.packages.contains(&owner));
        if !is_selected {
            return false;
        }
        if tool.per == Per::TestTarget {
            // The case of a test: of any test, for all that its path tells.
            return self.plan.is_whole(self.workspace) && tasks.clone().all(has_verdict);
        }
        if tool.per == Per::TargetRoot {
            // Any root of the package may be the one that reaches the file.
            let mut own = tasks.filter(|at| self.units[*at].package(self.workspace) == owner).peekable();
            return own.peek().is_some() && own.all(has_verdict);
        }
        let place = Place::File { path: path.clone(), range: None };
        self.attribute(id, &place, None).is_some_and(|task| has_verdict(task.0 as usize))
    }
}

impl Reach for Ledger<'_> {
    fn exists(&self, path: &RelPath) -> bool {
        // What is ignored is not listed, and may be there all the same.
        self.workspace.find(path).is_some() || (self.exists)(path)
    }

    fn looked_at(&self, ns: &str, entry: &Entry) -> bool {
        if self.plan.unasked.contains(ns) {
            return false;
        }
        let mut tools = self
            .plan
            .graph
            .tools()
            .filter(|(_, tool)| tool.namespaces.iter().any(|own| own == ns))
            .peekable();
        tools.peek().is_some() && tools.all(|(id, tool)| self.covers(id, tool, &entry.site))
    }
}

/// However many tasks a process had, each of them had a process of its own in the end.
fn timed_out(plan: &Plan) -> String {
    let timeout = plan.policy.per_task_timeout.unwrap_or_default();
    format!("took longer than its time-out of {}", humantime::format_duration(timeout))
}

const FAILED_FAST: &str = "a required tool had failed before, under --fail-fast";

fn why(stopped: Option<StopReason>) -> String {
    match stopped {
        Some(StopReason::MaxDuration) => "the run reached its --max-duration".to_owned(),
        Some(StopReason::Signal(signal)) => format!("the run was stopped by signal {signal}"),
        Some(StopReason::Bug) => "genti met a bug of its own".to_owned(),
        None => "it was never started".to_owned(),
    }
}

fn count(tool: &Tool, outcome: &mut ToolOutcome, findings: &[Compared], gone: &[Gone]) {
    for compared in findings.iter().filter(|compared| compared.finding.tools.contains(&tool.name)) {
        match compared.state {
            State::New => outcome.new += 1,
            State::Updated => outcome.updated += 1,
            _ => outcome.unchanged += 1,
        }
    }
    for gone in gone.iter().filter(|gone| tool.namespaces.contains(&gone.ns)) {
        match gone.state {
            State::Fixed => outcome.fixed += 1,
            _ => outcome.unknown += 1,
        }
    }
    outcome.verdict = match (outcome.incomplete.is_empty(), outcome.new) {
        (false, _) => Verdict::Incomplete,
        (true, 0) => Verdict::Passed,
        (true, _) => Verdict::Failed,
    };
}

fn end(
    plan: &Plan,
    tools: &[ToolOutcome],
    orphans: &[RelPath],
    stopped: Option<StopReason>,
    stale_fails: bool,
) -> End {
    if let Some(StopReason::Signal(signal)) = stopped {
        return End::Signal(signal);
    }
    let required =
        || plan.graph.tools.iter().zip(tools).filter(|(tool, _)| tool.required).map(|(_, outcome)| outcome);
    if required().any(|outcome| outcome.verdict == Verdict::Incomplete) {
        End::Incomplete
    } else if required().any(|outcome| outcome.new > 0 || (stale_fails && outcome.fixed > 0))
        || (stale_fails && golden::decide(plan, orphans))
    {
        End::Failed
    } else {
        End::Passed
    }
}
