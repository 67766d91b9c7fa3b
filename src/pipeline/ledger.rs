//! What is known of every task once the processes have ended, and what is not: the one place that says of which part of
//! the workspace a tool has spoken.

mod census;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

pub(super) use self::census::Looked;
use super::conditions::Alike;
use super::judge::Normalized;
use super::recall::Fate;
use crate::compare::matching::Reach;
use crate::model::census::{Census, Totals};
use crate::model::finding::{Diagnostic, Entry, OWN_NAMESPACE, Place, Site};
use crate::model::generated::{Generated, split_out_dir};
use crate::model::outcome::{Cache, TaskOutcome, Timing, ToolOutcome, Verdict};
use crate::model::path::RelPath;
use crate::model::suppression::Suppression;
use crate::model::task::{Plan, Status, Task, TaskIx, Unit};
use crate::model::text::Text;
use crate::model::tool::{Per, Tool, ToolId};
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::{self, Gap, Parsed, Unparsable};
use crate::scan::{Ended, Piece, StepRun, StopReason};

/// What another run has left of a tool.
pub(super) struct Stated {
    /// The units without a verdict, each with the reason.
    pub(super) incomplete: BTreeSet<(String, String)>,
    /// What it looked at.
    pub(super) census: Totals,
    /// What passed and left something running.
    pub(super) leaky: BTreeSet<String>,
    /// The revision of its database.
    pub(super) database: Option<String>,
    /// Messages that are no findings.
    pub(super) notices: BTreeSet<String>,
}

/// What is known of every task, and what is not.
pub(super) struct Ledger<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    /// The first task of each tool, and one entry more: the tasks of a tool are contiguous.
    first: Vec<usize>,
    units: Vec<Unit>,
    pub(super) tasks: Vec<TaskOutcome>,
    /// Why what was not run was not: told once it is known of which tasks that is so.
    not_run: String,
    /// For each tool, the packages that it did not reach though it ran.
    gaps: Vec<BTreeSet<PackageId>>,
    /// For each tool, what got no verdict, and why.
    incomplete: Vec<BTreeSet<(String, String)>>,
    /// For each tool, the revision of its database.
    databases: Vec<Option<String>>,
    /// For each tool, messages that are no findings.
    notices: Vec<BTreeSet<String>>,
    /// For each tool, what it looked at.
    pub(super) census: Vec<Looked>,
    /// For each tool, what passed and left something running.
    leaky: Vec<BTreeSet<String>>,
    pub(super) diagnostics: Vec<(Text, Diagnostic)>,
    /// What build scripts have generated.
    pub(super) generated: Vec<Generated>,
    /// Tasks whose program no build has made.
    not_built: Vec<TaskIx>,
    exists: &'a dyn Fn(&RelPath) -> bool,
    /// For each tool, how much it is as it was when the baseline was taken.
    alike: Vec<Alike>,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        workspace: &'a Workspace,
        plan: &'a Plan,
        alike: Vec<Alike>,
        not_run: String,
        exists: &'a dyn Fn(&RelPath) -> bool,
    ) -> Self {
        let graph = &plan.graph;
        let start_of = |tool: u32| graph.tasks.partition_point(|task| task.tool.0 < tool);
        let due =
            TaskOutcome { status: Status::NotRun(String::new()), is_leaky: false, timing: Arc::default() };
        Self {
            workspace,
            plan,
            first: (0..=graph.tools.len() as u32).map(start_of).collect(),
            units: graph.tasks.iter().map(|task| task.unit).collect(),
            tasks: vec![due; graph.tasks.len()],
            not_run,
            gaps: vec![BTreeSet::new(); graph.tools.len()],
            incomplete: vec![BTreeSet::new(); graph.tools.len()],
            databases: vec![None; graph.tools.len()],
            notices: vec![BTreeSet::new(); graph.tools.len()],
            census: graph.tools.iter().map(|_| Looked::At(Census::default())).collect(),
            leaky: vec![BTreeSet::new(); graph.tools.len()],
            diagnostics: Vec::new(),
            generated: Vec::new(),
            not_built: Vec::new(),
            exists,
            alike,
        }
    }

    /// Takes down when and how the tasks of `run` ran; clean until something is known against them.
    pub(super) fn mark(&mut self, run: &StepRun<Normalized>) {
        for piece in &run.pieces {
            let timing = Arc::new(Timing {
                start: run.start,
                duration: run.duration,
                slot: run.slot,
                attempts: run.attempts,
                raw_exit: piece.raw_exit,
                cache: if piece.is_recalled { Cache::Hit } else { Cache::Miss },
            });
            for task in &piece.tasks {
                let timing = Arc::clone(&timing);
                self.tasks[task.0 as usize] = TaskOutcome { status: Status::Clean, is_leaky: false, timing };
            }
        }
    }

    /// Takes down which tasks did not have to run; clean until something is known against them.
    pub(super) fn mark_known(&mut self, fates: &[Fate]) {
        let timing = Arc::new(Timing { cache: Cache::Hit, ..Timing::default() });
        for (outcome, _) in self.tasks.iter_mut().zip(fates).filter(|(_, fate)| !fate.is_due()) {
            *outcome = TaskOutcome { status: Status::Clean, is_leaky: false, timing: Arc::clone(&timing) };
        }
    }

    /// Takes down what is known of them.
    pub(super) fn enter_known(&mut self, fates: Vec<Fate>) {
        for (at, fate) in (0..).zip(fates) {
            if let Fate::Found(parsed) = fate {
                let task = TaskIx(at);
                self.enter_parsed(self.plan.graph.task(task).tool, &[task], *parsed);
            }
        }
    }

    /// Takes down that what decides the results of these tasks has changed while they ran.
    pub(super) fn enter_changed(&mut self, changed: BTreeMap<TaskIx, String>) {
        for (task, what) in changed {
            self.note(task, Status::InputChanged(format!("{what} changed during the run; run again")));
        }
    }

    /// Takes down what has no verdict because a tool has changed what others are built against.
    pub(super) fn enter_moved(&mut self, moved: BTreeMap<TaskIx, Status>) {
        moved.into_iter().for_each(|(task, status)| self.note(task, status));
    }

    pub(super) fn enter(&mut self, run: StepRun<Normalized>) {
        let tool = self.plan.step(run.step).tool;
        let mut pieces = run.pieces.into_iter().peekable();
        let is_verdict =
            |next: &Piece<Normalized>| next.is_second && matches!(next.ended, Ended::Judged(Ok(_)));
        let tells_apart = self.plan.graph.tool(tool).tells_style_apart();
        while let Some(mut piece) = pieces.next() {
            if piece.is_second && tells_apart && !is_verdict(&piece) {
                continue;
            }
            if let Ended::Judged(Ok(first)) = &mut piece.ended
                && let Some(Piece { ended: Ended::Judged(Ok(second)), .. }) = pieces.next_if(is_verdict)
            {
                *first = std::mem::take(first).and(second);
            }
            let status = match piece.ended {
                Ended::Judged(Ok(parsed)) => {
                    self.enter_parsed(tool, &piece.tasks, parsed);
                    continue;
                }
                Ended::Judged(Err(Unparsable(why))) => Status::Unparsable(why),
                Ended::TimedOut => Status::TimedOut(timed_out(self.plan)),
                Ended::Replaced(program) => Status::InputChanged(format!(
                    "another build replaced {program} while the tests ran; run again"
                )),
                Ended::Withheld(why) => Status::NotRun(why),
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
        // Of several processes at once, one may have updated it: whichever came first, the same is told.
        let database = &mut self.databases[tool.0 as usize];
        *database = database.take().max(parsed.database);
        self.notices[tool.0 as usize].extend(parsed.notices);
        self.generated.extend(parsed.generated);
        if let Looked::At(census) = &mut self.census[tool.0 as usize] {
            census.add(parsed.census);
        }
        if parsed.is_leaky {
            let units =
                || tasks.iter().map(|task| self.units[task.0 as usize].path(self.workspace).to_string());
            let who = if parsed.leaks.is_empty() { units().collect() } else { parsed.leaks };
            self.leaky[tool.0 as usize].extend(who);
            tasks.iter().for_each(|task| self.tasks[task.0 as usize].is_leaky = true);
        }
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
                    // One process for many packages.
                    (Some(package), tasks) => {
                        let is_own = |task: &&TaskIx| self.units[task.0 as usize] == Unit::Package(package);
                        tasks.iter().find(is_own).copied()
                    }
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
        let name = Text::from(&by.name);
        self.diagnostics.reserve(parsed.diagnostics.len());
        for diagnostic in parsed.diagnostics {
            let task = match lies_anywhere {
                true => None,
                false => self.attribute(tool, &diagnostic.place, diagnostic.package),
            };
            if let Some(task) = task.or(tasks.first().copied()) {
                self.raise(task, Status::Findings);
            }
            self.diagnostics.push((name.clone(), diagnostic));
        }
    }

    /// Takes down what another run has left of `task`.
    pub(super) fn recall(&mut self, at: TaskIx, status: Status) {
        let tool = self.plan.graph.task(at).tool.0 as usize;
        self.tasks[at.0 as usize].status = Status::Clean;
        let is_told = |reason: &str| self.incomplete[tool].iter().any(|(_, told)| told == reason);
        match &status {
            // Of a part of the unit, under the name of a package.
            Status::Incomplete(reason) if is_told(reason) => self.raise(at, status),
            Status::Clean | Status::Findings | Status::Skipped(_) => {
                self.tasks[at.0 as usize].status = status;
            }
            _ => self.note(at, status),
        }
    }

    /// Takes down that another run has left something running with the task at `at`.
    pub(super) fn recall_leak(&mut self, at: TaskIx) {
        self.tasks[at.0 as usize].is_leaky = true;
    }

    /// Takes down what another run has left of a tool.
    pub(super) fn recall_tool(&mut self, tool: ToolId, stated: Stated) {
        let Stated { incomplete, census, leaky, database, notices } = stated;
        self.census[tool.0 as usize] = Looked::Stated(census);
        self.leaky[tool.0 as usize] = leaky;
        let names: BTreeSet<_> = incomplete.iter().map(|(name, _)| name).collect();
        if self.plan.graph.tool(tool).per == Per::Workspace {
            let gaps = self.workspace.packages().filter(|(_, package)| names.contains(&package.name));
            self.gaps[tool.0 as usize] = gaps.map(|(id, _)| id).collect();
        }
        self.incomplete[tool.0 as usize] = incomplete;
        self.databases[tool.0 as usize] = database;
        self.notices[tool.0 as usize] = notices;
    }

    /// A program that was not built is a failure, unless its target is one that cargo leaves out. To be asked when it is
    /// known of all builds how they ended.
    pub(super) fn enter_not_built(&mut self) {
        for task in std::mem::take(&mut self.not_built) {
            let Task { tool, unit, .. } = *self.plan.graph.task(task);
            let has_failed = |need: &&ToolId| {
                self.tasks[self.tasks_of(**need)].iter().any(|task| !task.status.is_verdict())
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
        let tasks = self.tasks_of(tool);
        let at = normalize::attribute(self.workspace, &self.units[tasks.clone()], place, package)?;
        Some(TaskIx((tasks.start + at) as u32))
    }

    /// The tasks of `tool`, by their indices.
    pub(super) fn tasks_of(&self, tool: ToolId) -> Range<usize> {
        self.first[tool.0 as usize]..self.first[tool.0 as usize + 1]
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

    pub(super) fn tools(&mut self, versions: Vec<Option<String>>) -> Vec<ToolOutcome> {
        for at in 0..self.tasks.len() as u32 {
            if let Status::NotRun(why) = &mut self.tasks[at as usize].status {
                if why.is_empty() {
                    why.clone_from(&self.not_run);
                }
                let status = Status::NotRun(why.clone());
                self.note(TaskIx(at), status);
            }
        }
        for at in 0..self.plan.graph.tools.len() {
            if let Some(why) = self.lacks_work(at) {
                self.incomplete[at].insert((".".to_owned(), why.to_owned()));
            }
        }
        let incomplete = std::mem::take(&mut self.incomplete);
        let mut databases = std::mem::take(&mut self.databases);
        let mut notices = std::mem::take(&mut self.notices);
        let mut leaky = std::mem::take(&mut self.leaky);
        let tool = |((at, version), incomplete): ((usize, _), BTreeSet<_>)| ToolOutcome {
            version,
            census: self.totals(at),
            database: databases[at].take(),
            leaky: std::mem::take(&mut leaky[at]).into_iter().collect(),
            verdict: match (incomplete.is_empty(), self.is_merely_missing(at)) {
                _ if self.lacks_work(at).is_some() => Verdict::Empty,
                (true, _) => Verdict::Passed,
                (false, true) => Verdict::Missing,
                (false, false) => Verdict::Incomplete,
            },
            incomplete: incomplete.into_iter().collect(),
            notices: std::mem::take(&mut notices[at]).into_iter().collect(),
            ..ToolOutcome::default()
        };
        versions.into_iter().enumerate().zip(incomplete).map(tool).collect()
    }

    /// How many tasks of `tool` had nothing to judge.
    pub(super) fn skipped(&self, tool: ToolId) -> usize {
        let is_skipped = |task: &&TaskOutcome| matches!(task.status, Status::Skipped(_));
        self.tasks[self.tasks_of(tool)].iter().filter(is_skipped).count()
    }

    /// Says so if the tool at this index should have something to look at, and has nothing in all of the workspace.
    fn lacks_work(&self, at: usize) -> Option<&'static str> {
        let tool = &self.plan.graph.tools[at];
        let is_empty = self.tasks_of(ToolId(at as u32)).is_empty()
            && !tool.may_be_empty
            && !tool.on_demand
            && self.plan.is_full(self.workspace);
        is_empty.then_some(match tool.files.is_empty() {
            true => "the workspace has nothing for it to look at",
            false => "no file of the workspace matches its `files`",
        })
    }

    /// Whether the tool at this index is not installed, and the workspace only shows that it uses it.
    fn is_merely_missing(&self, at: usize) -> bool {
        let is_missing = |task: &TaskOutcome| matches!(task.status, Status::Missing(_));
        self.plan.graph.tools[at].is_only_detected()
            && self.tasks[self.tasks_of(ToolId(at as u32))].iter().all(is_missing)
    }

    /// Whether `tool` looked at `site` the way it did when the baseline was taken, and came to a verdict.
    fn covers(&self, id: ToolId, tool: &Tool, site: &Site) -> bool {
        let mut tasks = self.tasks_of(id);
        // Under `--since`, who has nothing to do looks at nothing.
        if !self.is_as_accepted(id) || self.plan.is_narrowed && tasks.is_empty() {
            return false;
        }
        let has_verdict = |at: usize| self.tasks[at].status.is_verdict();
        let Site::Path(path) = site else {
            // It may be about any file, and only those that changed were looked at.
            if self.plan.is_narrowed && tool.per == Per::File {
                return false;
            }
            if tool.per == Per::TestTarget {
                return self.plan.is_whole(self.workspace)
                    && tasks.filter(|at| self.is_of(*at, site)).all(has_verdict);
            }
            return self.plan.is_whole(self.workspace) && tasks.all(has_verdict);
        };
        if tool.per != Per::Workspace {
            return self.covers_path(id, tool, path);
        }
        let is_selected = match self.workspace.owner_of(path) {
            Some(owner) => self.plan.packages.contains(&owner) && !self.gaps[id.0 as usize].contains(&owner),
            None => self.plan.is_whole(self.workspace) && self.gaps[id.0 as usize].is_empty(),
        };
        is_selected
            && self.tasks[tasks].iter().all(|task| match &task.status {
                Status::Incomplete(_) => !self.gaps[id.0 as usize].is_empty(),
                status => status.is_verdict(),
            })
    }
}

impl Ledger<'_> {
    /// Whether everything was looked at that `suppression` could be about, the way that the baseline was taken.
    pub(super) fn has_looked(&self, suppression: &Suppression) -> bool {
        let is_meant = |tool: &Tool| suppression.tool.as_ref().is_none_or(|name| *name == tool.name);
        let mut tools = self.plan.graph.tools().filter(|(_, tool)| is_meant(tool)).peekable();
        let is_all = suppression.tool.is_some() || self.plan.is_full(self.workspace);
        is_all && tools.peek().is_some() && tools.all(|(id, _)| self.has_all(id))
    }

    /// Whether `tool` has a verdict on all of the workspace.
    fn has_all(&self, id: ToolId) -> bool {
        self.is_as_accepted(id)
            && self.plan.looks_at_all(self.workspace)
            && self.gaps[id.0 as usize].is_empty()
            && self.tasks[self.tasks_of(id)].iter().all(|task| task.status.is_verdict())
    }

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
        let mut tasks = self.tasks_of(id);
        let has_verdict = |at: usize| self.tasks[at].status.is_verdict();
        let owner = self.workspace.owner_of(path);
        let is_selected =
            owner.map_or(self.plan.is_whole(self.workspace), |owner| self.plan.packages.contains(&owner));
        if !is_selected {
            return false;
        }
        if tool.per == Per::TestTarget {
            // The case of a test: of any test, for all that its path tells.
            return self.plan.is_whole(self.workspace) && tasks.all(has_verdict);
        }
        if tool.per == Per::TargetRoot {
            // Any root of the package may be the one that reaches the file; of any package, where it lies in none.
            let is_own = |at: &usize| owner.is_none() || self.units[*at].package(self.workspace) == owner;
            let mut own = tasks.filter(is_own).peekable();
            return own.peek().is_some() && own.all(has_verdict);
        }
        let place = Place::File { path: path.clone(), range: None };
        self.attribute(id, &place, None).is_some_and(|task| has_verdict(task.0 as usize))
    }
}

impl Reach for Ledger<'_> {
    fn exists(&self, path: &RelPath) -> bool {
        // What is ignored is not listed, and may be there all the same; what is generated is in no checkout.
        self.workspace.find(path).is_some() || split_out_dir(path).is_some() || (self.exists)(path)
    }

    fn looked_at(&self, ns: &str, entry: &Entry) -> bool {
        if ns == OWN_NAMESPACE {
            return self.has_applied(&entry.rule);
        }
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

pub(super) const FAILED_FAST: &str = "a required tool had failed before, under --fail-fast";

pub(super) fn why(stopped: Option<StopReason>) -> String {
    match stopped {
        Some(StopReason::MaxDuration) => "the run reached its --max-duration".to_owned(),
        Some(StopReason::Signal(signal)) => format!("the run was stopped by signal {signal}"),
        Some(StopReason::Bug) => "genti met a bug of its own".to_owned(),
        None => "it was never started".to_owned(),
    }
}
