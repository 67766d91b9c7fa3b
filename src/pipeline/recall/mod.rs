//! What is known of a run's tasks before it, and what is kept of it for the next one.
//!
//! # A key
//!
//! covers all that decides a result as far as it is known beforehand: the task's id (the tool's definition, the unit, the
//! digests of the declared inputs), the program, the variables that it sees, the files that it looks for elsewhere, and
//! this program itself. What a process has read beyond that is known when it has ended (`extras.rs`); it is kept beside
//! the result, and a result is used again only if all of it is still the same.
//!
//! # What is kept
//!
//! Only verdicts: results without gaps of processes that ended by themselves, and of which neither an input nor the tool
//! has changed meanwhile. Inputs are looked at again *after* the process has ended and *before* the result is written;
//! a task whose input has changed has no verdict, whether or not anything is kept.
//!
//! # Who runs although its result is known
//!
//! - What a task needs that runs: it is needed for what it leaves behind.
//! - What needs a task that runs, if results of that one are kept: it has just left something new behind.
//! - All roots of a package if one of them runs: several may reach one file, and whose finding it is, is decided among
//!   those that one process covers.

mod again;
mod causes;
mod elsewhere;
mod extras;
mod keys;
mod known;
mod record;
mod replays;
mod searched;
mod silent;
mod unlisted;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use self::again::{Again, Change};
use self::elsewhere::Elsewhere;
use self::extras::Wide;
use self::keys::{Ground, ToolKey, Unbounded};
use self::record::{Extra, Record};
use self::replays::Known;
use self::searched::Dirs;
use super::Project;
use super::judge::Normalized;
use crate::model::census::Census;
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::finding::{Diagnostic, Place};
use crate::model::path::RelPath;
use crate::model::stamp::FileTable;
use crate::model::task::{Program, Task, TaskIx};
use crate::model::tool::{Per, ToolId};
use crate::normalize::{self, Parsed, Traces};
use crate::plan::Declared;
use crate::scan::{BuildDirs, Ended, Env, Identifier, Piece, StepRun, Stop};
use crate::store::{Next, Results, State};

pub(super) use self::causes::Cause;
pub(super) use self::extras::dep_info_of;
#[cfg(all(feature = "cli", any(test, fuzzing)))]
pub(crate) use self::record::fuzz;

/// How often what has been found is written, so that a run that is killed has not been for nothing.
const FLUSH: Duration = Duration::from_millis(500);

/// What is known of a task before the run.
#[derive(Debug)]
pub(super) enum Fate {
    /// It has to run.
    Due(Cause),
    /// Nothing was found, and nothing was stated.
    Clean,
    /// This was found or stated.
    Found(Box<Parsed>),
}

impl Fate {
    pub(super) fn is_due(&self) -> bool {
        matches!(self, Self::Due(_))
    }

    /// The link because of which nothing can be known.
    pub(super) fn unbounded(&self) -> Option<&str> {
        match self {
            Self::Due(Cause::Unbounded(link)) => Some(link),
            _ => None,
        }
    }
}

/// Looks up results, and keeps new ones.
pub(super) struct Recall<'a> {
    project: &'a Project,
    ground: Ground<'a>,
    keys: Vec<Result<ToolKey, keys::NoKey>>,
    /// Where programs are: looked at again after each process.
    programs: Vec<Option<PathBuf>>,
    wide: Wide,
    build_dirs: Vec<PathBuf>,
    /// Whether these are the user's own.
    is_shared: bool,
    /// Whether what differs from golden files is accepted: it is not what those say.
    bless: bool,
    state: Mutex<Memory>,
}

/// What changes during a run.
struct Memory {
    results: Option<Results>,
    known: Known,
    /// Keys of tasks whose program has been built.
    programs: BTreeMap<TaskIx, Digest>,
    pending: Vec<Pending>,
    flushed: Instant,
    /// Tasks that have no verdict because an input has changed while they ran, and which.
    changed: BTreeMap<TaskIx, String>,
    /// Tools of which something could not be kept.
    unkept: BTreeSet<ToolId>,
    /// Why nothing more is written.
    failed: Option<std::io::Error>,
}

/// A result that is to be kept once its inputs have been looked at again.
struct Pending {
    task: TaskIx,
    /// `None` if it is not to be kept.
    kept: Option<(Digest, Record)>,
    /// What the process left that tells of what it read.
    traces: Option<Arc<Traces>>,
}

/// What is needed to look at things outside of the workspace, to outlive [`Recall`].
pub(super) struct Outside<'a> {
    elsewhere: Elsewhere,
    declared: Declared<'a>,
}

impl<'a> Outside<'a> {
    pub(super) fn new(project: &'a Project) -> Result<Self, crate::plan::PlanError> {
        Ok(Self {
            elsewhere: Elsewhere::new(&project.state.elsewhere, project.workspace.seen.at),
            declared: Declared::new(&project.workspace, &project.plan)?,
        })
    }
}

impl<'a> Recall<'a> {
    pub(super) fn new(
        project: &'a Project,
        outside: &'a Outside<'a>,
        env: &'a Env,
        mut results: Option<Results>,
        build_dirs: &BuildDirs,
        bless: bool,
        stop: &Stop,
    ) -> Self {
        let Project { workspace, plan, programs, .. } = project;
        let Outside { elsewhere, declared } = outside;
        let genti = keys::own_digest(elsewhere);
        let identifier = Identifier::new(programs, env);
        let versions = versions::ask(project, &identifier, env, elsewhere, results.as_mut(), stop);
        let identities = plan.graph.tools.par_iter().map(|tool| identifier.of(tool)).collect();
        let (config, dirs, behind) = (identifier.into_config(), Dirs::default(), Mutex::default());
        let ground = Ground {
            workspace,
            plan,
            env,
            elsewhere,
            declared,
            genti,
            behind,
            identities,
            versions,
            config,
            dirs,
        };
        let keys = match &results {
            Some(_) => ground.tools(),
            None => plan.graph.tools.iter().map(|_| Err(String::new())).collect(),
        };
        let programs: Vec<_> = plan
            .graph
            .tools
            .iter()
            .map(|tool| programs.of(tool).ok().filter(|path| path.is_absolute()))
            .collect();
        for program in programs.iter().flatten() {
            // To be compared with later. What can't be read now, can't be then.
            let _ = elsewhere.digest(program);
        }
        let memory = Memory {
            results,
            known: Known::load(&workspace.target_dir),
            programs: BTreeMap::new(),
            pending: Vec::new(),
            flushed: Instant::now(),
            changed: BTreeMap::new(),
            unkept: BTreeSet::new(),
            failed: None,
        };
        let is_shared = build_dirs.is_shared();
        let build_dirs = build_dirs.all().map(Path::to_path_buf).to_vec();
        let state = Mutex::new(memory);
        Self { project, ground, keys, programs, wide: Wide::default(), build_dirs, is_shared, bless, state }
    }

    /// The version of each tool that tells one.
    pub(super) fn versions(&self) -> Vec<Option<String>> {
        self.ground.versions.clone()
    }

    /// What is known of each task.
    pub(super) fn look_up(&self) -> Vec<Fate> {
        let plan = &self.project.plan;
        let memory = self.lock();
        let tasks = 0..plan.graph.tasks.len() as u32;
        let fate = |next: &mut Next, at| self.fate(TaskIx(at), memory.results.as_ref(), next);
        let mut fates: Vec<_> = tasks.into_par_iter().map_init(Next::default, fate).collect();
        drop(memory);
        self.spread(&mut fates);
        fates
    }

    fn fate(&self, task: TaskIx, results: Option<&Results>, next: &mut Next) -> Fate {
        let due = Fate::Due;
        let Task { tool: id, .. } = *self.project.plan.graph.task(task);
        let tool = self.project.plan.graph.tool(id);
        let Some(results) = results else { return due(Cause::Off) };
        if !tool.is_cached() {
            return due(Cause::NeverKept);
        }
        let key = match &self.keys[id.0 as usize] {
            Ok(key) => key,
            Err(why) => return due(Cause::Unknowable(why.clone())),
        };
        if self.bless && tool.has_goldens() {
            return due(Cause::Blessed);
        }
        if tool.uses_executable() {
            return due(Cause::Program);
        }
        let key = match self.ground.key(key, task, None) {
            Ok(key) => key,
            Err(Unbounded(link)) => return due(Cause::Unbounded(link.to_string())),
        };
        match results.get_next(&key, next) {
            Some(bytes) if Record::is_clean(bytes) => Fate::Clean,
            Some(bytes) => match self.decode(bytes) {
                Ok(parsed) if parsed == Parsed::default() => Fate::Clean,
                Ok(parsed) => Fate::Found(Box::new(parsed)),
                Err(cause) => due(cause),
            },
            None if results.is_damaged(&key) => due(Cause::Damaged),
            None => due(Cause::Unknown),
        }
    }

    /// The result among those under a key whose other inputs are as they were.
    fn decode(&self, bytes: &[u8]) -> Result<Parsed, Cause> {
        // The result that differs in the least explains best.
        let mut least: Option<(usize, String)> = None;
        for record in Record::decode_all(bytes).ok_or(Cause::Damaged)? {
            let is_changed = |extra: &&Extra| !self.ground.holds(extra, &self.build_dirs, &self.wide);
            let changed: Vec<_> = record.extras.iter().filter(is_changed).collect();
            let Some(first) = changed.first() else {
                return record.parsed(&self.project.workspace).ok_or(Cause::Unknown);
            };
            if least.as_ref().is_none_or(|(count, _)| changed.len() < *count) {
                least = Some((changed.len(), describe(first)));
            }
        }
        Err(least.map_or(Cause::Unknown, |(_, what)| Cause::Read(what)))
    }

    /// Whatever has to run because others do.
    fn spread(&self, fates: &mut [Fate]) {
        let graph = &self.project.plan.graph;
        let of = |tool: ToolId| {
            let start = graph.tasks.partition_point(|task| task.tool < tool);
            start..graph.tasks.partition_point(|task| task.tool <= tool)
        };
        let order = graph.needs_first();
        for &tool in &order {
            if graph.tool(tool).per == Per::TargetRoot {
                let package = |at: usize| graph.tasks[at].unit.package(&self.project.workspace);
                let due: BTreeSet<_> =
                    of(tool).filter(|at| fates[*at].is_due()).filter_map(package).collect();
                let beside = |at: &usize| package(*at).is_some_and(|package| due.contains(&package));
                make_due(fates, of(tool).filter(beside), &Cause::Beside);
            }
            let runs = |need: &&ToolId| {
                let is_kept = self.keys[need.0 as usize].is_ok() && graph.tool(**need).is_cached();
                is_kept && of(**need).any(|at| fates[at].is_due())
            };
            if let Some(need) = graph.needs[tool.0 as usize].iter().find(runs) {
                make_due(fates, of(tool), &Cause::Behind(graph.tool(*need).name.clone()));
            }
        }
        for &tool in order.iter().rev() {
            if of(tool).any(|at| fates[at].is_due()) {
                for need in &graph.needs[tool.0 as usize] {
                    make_due(fates, of(*need), &Cause::NeededBy(graph.tool(tool).name.clone()));
                }
            }
        }
        // What always runs, and is there for others alone, does not if they don't.
        for &tool in order.iter().rev().filter(|tool| graph.tool(**tool).on_demand) {
            let named = self.project.plan.selection.tools.contains(&graph.tool(tool).name);
            let others = (0..).map(ToolId).zip(&graph.needs).filter(|(_, needs)| needs.contains(&tool));
            let mut others = others.map(|(other, _)| other).filter(|other| !of(*other).is_empty()).peekable();
            if !named
                && others.peek().is_some()
                && others.all(|other| !of(other).any(|at| fates[at].is_due()))
            {
                of(tool).for_each(|at| fates[at] = Fate::Clean);
            }
        }
    }

    /// The result of a task that runs `program`, which has just been built.
    pub(super) fn of_program(&self, task: TaskIx, program: &Program) -> Option<Parsed> {
        let key = self.program_key(task, &program.path)?;
        let mut memory = self.lock();
        let bytes = memory.results.as_ref()?.get_next(&key, &mut Next::default());
        let parsed = bytes.and_then(|bytes| self.decode(bytes).ok());
        if parsed.is_none() {
            memory.programs.insert(task, key);
        }
        parsed
    }

    fn program_key(&self, task: TaskIx, program: &Path) -> Option<Digest> {
        let id = self.project.plan.graph.task(task).tool;
        let key = self.keys[id.0 as usize]
            .as_ref()
            .ok()
            .filter(|_| self.project.plan.graph.tool(id).is_cached())?;
        let digest = self.ground.elsewhere.digest(program).ok()??;
        self.ground.key(key, task, Some(digest)).ok()
    }

    /// Takes down what became of a step. Called on the thread that ran it.
    pub(super) fn record(&self, run: &StepRun<Normalized>) {
        let mut judged = judged(run);
        let mut pending = Vec::new();
        let is_current = self.take_note(&mut self.lock(), self.project.plan.step(run.step).tool);
        for (tasks, parsed) in &mut judged {
            let split = parsed.as_ref().and_then(|parsed| self.split(tasks, parsed));
            let extras = parsed.as_ref().and_then(|parsed| self.extras(tasks, &parsed.traces));
            let traces = parsed.as_ref().map(|parsed| Arc::new(parsed.traces.clone()));
            for (at, &task) in tasks.iter().enumerate() {
                let kept = split.as_ref().zip(extras.as_ref()).zip(parsed.as_ref());
                let kept = kept.and_then(|((split, extras), parsed)| {
                    let of = self.project.plan.graph.task(task);
                    let tool = self.project.plan.graph.tool(of.tool);
                    if !tool.is_cached()
                        || parsed.traces.is_replayed
                        || !is_current
                        || parsed.is_leaky
                        || self.bless && tool.has_goldens()
                    {
                        return None;
                    }
                    let key = match tool.uses_executable() {
                        true => *self.lock().programs.get(&task)?,
                        false => {
                            self.ground.key(self.keys[of.tool.0 as usize].as_ref().ok()?, task, None).ok()?
                        }
                    };
                    let workspace = &self.project.workspace;
                    let (found, census) = split[at].clone();
                    Some((key, Record::new(workspace, extras.clone(), found, census, parsed)))
                });
                pending.push(Pending { task, kept, traces: traces.clone() });
            }
        }
        let mut memory = self.lock();
        memory.pending.extend(pending);
        if memory.flushed.elapsed() >= FLUSH {
            self.flush(&mut memory);
        }
    }

    /// Takes down that something of `tool` is not to be kept.
    pub(super) fn forget(&self, tool: ToolId) {
        self.lock().unkept.insert(tool);
    }

    /// What was found of each of `tasks`, and what each looked at; `None` if something is about none of them.
    fn split(&self, tasks: &[TaskIx], parsed: &Parsed) -> Option<Vec<(Vec<Diagnostic>, Census)>> {
        if let [_] = tasks {
            return Some(vec![(parsed.diagnostics.clone(), parsed.census.clone())]);
        }
        let Project { workspace, plan, .. } = self.project;
        let units: Vec<_> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let mut split = vec![Vec::new(); tasks.len()];
        for found in &parsed.diagnostics {
            let at = match &found.place {
                // Which roots reach a file outside of all packages can't be told: each that does would need to know.
                Place::File { path, .. } if path.is_outside() && workspace.owner_of(path).is_none() => {
                    return None;
                }
                Place::File { .. } => normalize::attribute(workspace, &units, &found.place, found.package)?,
                Place::Subject(_) => return None,
            };
            split[at].push(found.clone());
        }
        let of_file = |path: &RelPath| {
            let place = Place::File { path: path.clone(), range: None };
            normalize::attribute(workspace, &units, &place, None)
        };
        let census = parsed.census.clone().split(tasks.len(), of_file);
        Some(split.into_iter().zip(census).collect())
    }

    fn extras(&self, tasks: &[TaskIx], traces: &Traces) -> Option<Vec<Extra>> {
        let plan = &self.project.plan;
        let tool = plan.graph.tool(plan.graph.task(*tasks.first()?).tool);
        if !tool.is_cached() {
            return None;
        }
        let units: Vec<_> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        self.ground.extras(tool, &units, traces, &self.build_dirs, &self.wide).ok()
    }

    /// Looks again at the inputs of what has ended, and writes what is as it was.
    fn flush(&self, memory: &mut Memory) {
        memory.flushed = Instant::now();
        let pending = std::mem::take(&mut memory.pending);
        if pending.is_empty() {
            return;
        }
        let mut again = Again::new(self);
        for Pending { task, kept, traces } in pending {
            let tool = self.project.plan.graph.task(task).tool;
            match again.changed(task, traces.as_deref()) {
                Change::None => match kept {
                    Some((key, record)) => {
                        let before = memory.results.as_ref().and_then(|results| results.get(&key));
                        let bytes = record.encode_before(before);
                        let results = memory.results.as_mut();
                        results.zip(bytes).into_iter().for_each(|(results, bytes)| results.put(key, bytes));
                    }
                    None => drop(memory.unkept.insert(tool)),
                },
                // Cargo itself brings it up to date; that is told on its own.
                Change::Input(path) if path == "Cargo.lock" => drop(memory.unkept.insert(tool)),
                Change::Presumed => drop(memory.unkept.insert(tool)),
                Change::Input(path) => {
                    memory.unkept.insert(tool);
                    memory.changed.insert(task, path);
                }
            }
        }
        if memory.failed.is_none()
            && let Some(results) = &mut memory.results
        {
            memory.failed = results.flush().err();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is left. The tasks without verdict because something has changed while they ran, and what.
    pub(super) fn finish(
        self,
        fates: &[Fate],
        events: &mut dyn FnMut(Event<'_>),
    ) -> BTreeMap<TaskIx, String> {
        {
            let mut memory = self.lock();
            self.flush(&mut memory);
            let Memory { results, failed, .. } = &mut *memory;
            if let (Some(results), None) = (results, &failed) {
                *failed = results.finish().err();
            }
        }
        if self.lock().known.in_shared {
            events(Event::Notice(
                "not caching what cargo replayed in your own build directory: it may be of other inputs (`build-dir = \"shared\"`)",
            ));
        }
        let failed = self.lock().failed.take();
        if let Some(error) = failed {
            events(Event::Notice(&format!(
                "results could not be kept: {error}; nothing else is wrong, the next run will find out anew"
            )));
        }
        self.save(fates);
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).changed
    }

    /// Keeps what this run saw. What can't be kept is seen again by the next one.
    fn save(&self, fates: &[Fate]) {
        let Project { workspace, plan, state: before, .. } = self.project;
        let causes = causes::log(self, fates);
        let files = causes::files(workspace, before);
        let is_new = files.is_some();
        let run = if is_new { before.run + 1 } else { before.run };
        let files = files.unwrap_or_else(|| before.files.clone());
        let memory = self.lock();
        let mut tools = before.tools.clone();
        for ((id, tool), key) in plan.graph.tools().zip(&self.keys) {
            if let Some(key) = key.as_ref().ok().filter(|_| !memory.unkept.contains(&id)) {
                tools.insert(tool.name.clone(), (run, key.parts.clone()));
            }
        }
        drop(memory);
        let elsewhere = merged(&before.elsewhere, &self.ground.elsewhere.table());
        let state = State { run, files, elsewhere, tools, lockfile: self.project.lockfile };
        if state != *before {
            let _ = state.save(&workspace.target_dir);
        }
        let _ = crate::store::write_causes(&workspace.target_dir, &causes);
    }
}

/// What was known and what is: a run of some tools must not forget the programs of the others.
fn merged(before: &FileTable, now: &FileTable) -> FileTable {
    let mut files: BTreeMap<_, _> = before.iter().map(|file| (file.path, file)).collect();
    files.extend(now.iter().map(|file| (file.path, file)));
    files.into_values().collect()
}

fn make_due(fates: &mut [Fate], tasks: impl Iterator<Item = usize>, cause: &Cause) {
    for at in tasks {
        if !fates[at].is_due() {
            fates[at] = Fate::Due(cause.clone());
        }
    }
}

/// The processes of a step with the tasks that each has judged alone; `None` for those without verdict.
fn judged(run: &StepRun<Normalized>) -> Vec<(Vec<TaskIx>, Option<Parsed>)> {
    let mut judged: Vec<(Vec<TaskIx>, Option<Parsed>)> = Vec::new();
    for Piece { tasks, ended, is_second, is_recalled, .. } in &run.pieces {
        if *is_recalled {
            continue;
        }
        let parsed = match ended {
            Ended::Judged(Ok(parsed)) => Some(parsed),
            _ => None,
        };
        match judged.iter_mut().find(|(known, _)| known == tasks) {
            // Of several processes over the same tasks, each has seen some files; of two passes, the second saw more.
            Some((_, before)) => {
                let both = before.take().zip(parsed);
                *before =
                    both.map(
                        |(first, next)| {
                            if *is_second { first.and(next.clone()) } else { first.beside(next.clone()) }
                        },
                    );
            }
            None => judged.push((tasks.clone(), parsed.cloned())),
        }
    }
    for (_, parsed) in &mut judged {
        // What leaks may leak another time or not.
        parsed.take_if(|parsed| !parsed.gaps.is_empty() || parsed.is_leaky);
    }
    judged
}

fn describe(extra: &Extra) -> String {
    match extra {
        Extra::File(path, _) => format!("the file {path}, which it has read"),
        Extra::Made(path, _) => format!("the file {path}, which a build script has made"),
        Extra::Variable(name, _) => format!("the variable {name}, which a build has read"),
        Extra::Below(path, _) => format!("a file in {path}, for which a build script runs again"),
        Extra::Everything(_) => {
            "a file of the workspace: it can't be told which of them its sources include".to_owned()
        }
    }
}
