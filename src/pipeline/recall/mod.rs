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

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use self::again::{Again, Change};
use self::elsewhere::Elsewhere;
use self::extras::Wide;
use self::keys::{Ground, ToolKey};
use self::record::{Extra, Record};
use super::Project;
use super::judge::Normalized;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::event::Event;
use crate::model::finding::{Diagnostic, Place};
use crate::model::stamp::FileTable;
use crate::model::task::{Program, Task, TaskIx};
use crate::model::tool::{Per, ToolId};
use crate::normalize::{self, Parsed, Traces};
use crate::plan::Declared;
use crate::scan;
use crate::scan::{Ended, Env, Piece, StepRun, Stop};
use crate::store::{Next, Results, State};

pub(super) use self::causes::Cause;

/// How often what has been found is written, so that a run that is killed has not been for nothing.
const FLUSH: Duration = Duration::from_millis(500);

/// What is known of a task before the run.
#[derive(Debug)]
pub(super) enum Fate {
    /// It has to run.
    Due(Cause),
    /// Nothing was found.
    Clean,
    /// This was found.
    Found(Box<Parsed>),
}

impl Fate {
    pub(super) fn is_due(&self) -> bool {
        matches!(self, Self::Due(_))
    }
}

/// Looks up results, and keeps new ones.
pub(super) struct Recall<'a> {
    project: &'a Project,
    ground: Ground<'a>,
    keys: Vec<Option<ToolKey>>,
    /// Where programs are: looked at again after each process.
    programs: Vec<Option<PathBuf>>,
    wide: Wide,
    build_dirs: Vec<PathBuf>,
    /// Whether what differs from golden files is accepted: it is not what those say.
    bless: bool,
    state: Mutex<Memory>,
}

/// What changes during a run.
struct Memory {
    results: Option<Results>,
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
        results: Option<Results>,
        build_dirs: [&Path; 2],
        bless: bool,
    ) -> Self {
        let Project { workspace, plan, programs, .. } = project;
        let Outside { elsewhere, declared } = outside;
        let genti = keys::own_digest(elsewhere);
        let ground = Ground { workspace, plan, programs, env, elsewhere, declared, genti };
        let keys = match &results {
            Some(_) => ground.tools(),
            None => plan.graph.tools.iter().map(|_| None).collect(),
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
            programs: BTreeMap::new(),
            pending: Vec::new(),
            flushed: Instant::now(),
            changed: BTreeMap::new(),
            unkept: BTreeSet::new(),
            failed: None,
        };
        let build_dirs = build_dirs.map(Path::to_path_buf).to_vec();
        let state = Mutex::new(memory);
        Self { project, ground, keys, programs, wide: Wide::default(), build_dirs, bless, state }
    }

    /// The version of each tool: asked for once, as long as its programs are the same.
    pub(super) fn versions(&self, stop: &Stop) -> Vec<Option<String>> {
        let Project { workspace, plan, programs, .. } = self.project;
        let ask = |tool| scan::version(tool, workspace, programs, self.ground.env, stop).ok();
        let known: Vec<_> = plan.graph.tools().map(|(id, _)| self.version_key(id)).collect();
        let found: Vec<Option<String>> = {
            let memory = self.lock();
            let get = |key: &Option<Digest>| {
                let text = memory.results.as_ref()?.get(key.as_ref()?)?;
                String::from_utf8(text.to_vec()).ok()
            };
            known.iter().map(get).collect()
        };
        let versions: Vec<_> =
            plan.graph.tools.par_iter().zip(found).map(|(tool, found)| found.or_else(|| ask(tool))).collect();
        let mut memory = self.lock();
        for (key, version) in known.into_iter().zip(&versions) {
            let (Some(key), Some(version)) = (key, version) else { continue };
            if let Some(results) = memory.results.as_mut().filter(|results| results.get(&key).is_none()) {
                results.put(key, version.clone().into_bytes());
            }
        }
        versions
    }

    fn version_key(&self, id: ToolId) -> Option<Digest> {
        let words = &self.project.plan.graph.tool(id).version;
        let mut hasher = Hasher::new("genti.version.1");
        hasher.texts("version", words);
        let (program, subcommand) = (words.first()?, words.get(1).map(String::as_str));
        for (name, path) in self.project.programs.parts(program, subcommand, self.ground.env)? {
            if let Some(digest) = self.ground.elsewhere.digest(&path).ok()? {
                hasher.field("name", name.as_bytes());
                hasher.field("program", &digest.0);
            }
        }
        Some(hasher.finish())
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
        if !tool.cache {
            return due(Cause::NeverKept);
        }
        let Some(key) = &self.keys[id.0 as usize] else { return due(Cause::Unknowable) };
        if self.bless && tool.has_goldens() {
            return due(Cause::Blessed);
        }
        if tool.uses_executable() {
            return due(Cause::Program);
        }
        let key = self.ground.key(key, task, None);
        match self.get(results, &key, next) {
            Ok(parsed) => {
                let is_clean = parsed.diagnostics.is_empty() && parsed.database.is_none();
                if is_clean { Fate::Clean } else { Fate::Found(Box::new(parsed)) }
            }
            Err(cause) => due(cause),
        }
    }

    fn get(&self, results: &Results, key: &Digest, next: &mut Next) -> Result<Parsed, Cause> {
        let Some(bytes) = results.get_next(key, next) else {
            return Err(if results.is_damaged(key) { Cause::Damaged } else { Cause::Unknown });
        };
        let record = Record::decode(bytes).ok_or(Cause::Damaged)?;
        if let Some(extra) = record.extras.iter().find(|extra| !self.ground.holds(extra, &self.wide)) {
            return Err(Cause::Read(describe(extra)));
        }
        record.parsed(&self.project.workspace).ok_or(Cause::Unknown)
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
                let is_kept = self.keys[need.0 as usize].is_some() && graph.tool(**need).cache;
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
        match self.get(memory.results.as_ref()?, &key, &mut Next::default()) {
            Ok(parsed) => Some(parsed),
            Err(_) => {
                memory.programs.insert(task, key);
                None
            }
        }
    }

    fn program_key(&self, task: TaskIx, program: &Path) -> Option<Digest> {
        let id = self.project.plan.graph.task(task).tool;
        let key = self.keys[id.0 as usize].as_ref().filter(|_| self.project.plan.graph.tool(id).cache)?;
        let digest = self.ground.elsewhere.digest(program).ok()??;
        Some(self.ground.key(key, task, Some(digest)))
    }

    /// Takes down what became of a step. Called on the thread that ran it.
    pub(super) fn record(&self, run: &StepRun<Normalized>) {
        let mut judged = judged(run);
        let mut pending = Vec::new();
        for (tasks, parsed) in &mut judged {
            let split = parsed.as_ref().and_then(|parsed| self.split(tasks, parsed));
            let extras = parsed.as_ref().and_then(|parsed| self.extras(tasks, &parsed.traces));
            let traces = parsed.as_ref().map(|parsed| Arc::new(parsed.traces.clone()));
            for (at, &task) in tasks.iter().enumerate() {
                let kept = split.as_ref().zip(extras.as_ref()).zip(parsed.as_ref());
                let kept = kept.and_then(|((split, extras), parsed)| {
                    let of = self.project.plan.graph.task(task);
                    let tool = self.project.plan.graph.tool(of.tool);
                    if !tool.cache || self.bless && tool.has_goldens() {
                        return None;
                    }
                    let key = match tool.uses_executable() {
                        true => *self.lock().programs.get(&task)?,
                        false => self.ground.key(self.keys[of.tool.0 as usize].as_ref()?, task, None),
                    };
                    let workspace = &self.project.workspace;
                    let (found, database) = (split[at].clone(), parsed.database.clone());
                    Some((key, Record::new(workspace, extras.clone(), found, database)))
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

    /// What was found of each of `tasks`; `None` if something is about none of them.
    fn split(&self, tasks: &[TaskIx], parsed: &Parsed) -> Option<Vec<Vec<Diagnostic>>> {
        if let [_] = tasks {
            return Some(vec![parsed.diagnostics.clone()]);
        }
        let Project { workspace, plan, .. } = self.project;
        let units: Vec<_> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let mut split = vec![Vec::new(); tasks.len()];
        for found in &parsed.diagnostics {
            let at = match &found.place {
                Place::File { .. } => normalize::attribute(workspace, &units, &found.place, found.package)?,
                Place::Subject(_) => return None,
            };
            split[at].push(found.clone());
        }
        Some(split)
    }

    fn extras(&self, tasks: &[TaskIx], traces: &Traces) -> Option<Vec<Extra>> {
        let plan = &self.project.plan;
        let tool = plan.graph.tool(plan.graph.task(*tasks.first()?).tool);
        if !tool.cache {
            return None;
        }
        let units: Vec<_> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let build_dirs: Vec<_> = self.build_dirs.iter().map(PathBuf::as_path).collect();
        self.ground.extras(tool, &units, traces, &build_dirs, &self.wide).ok()
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
                        let (results, bytes) = (memory.results.as_mut(), record.encode());
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
            if let Some(key) = key.as_ref().filter(|_| !memory.unkept.contains(&id)) {
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
        parsed.take_if(|parsed| !parsed.gaps.is_empty());
    }
    judged
}

fn describe(extra: &Extra) -> String {
    match extra {
        Extra::File(path, _) => format!("the file {path}, which it has read"),
        Extra::Made(path, _) => format!("the file {path}, which a build script has made"),
        Extra::Variable(name, _) => format!("the variable {name}, which a build has read"),
        Extra::Sources(_) => {
            "a Rust source of the workspace: one of its modules lies outside of its package".to_owned()
        }
        Extra::Everything(_) => {
            "a file of the workspace: it can't be told which of them its sources include".to_owned()
        }
    }
}
