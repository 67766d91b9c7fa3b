//! Stores the results of a run.
//!
//! Only verdicts are stored: results without gaps, of processes that ended by themselves. The inputs are checked again after
//! the process has ended and before the result is written. A task whose inputs changed meanwhile has no verdict, whether or
//! not anything is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::discovered::{InputCollector, Undiscoverable};
use super::explain::write_reasons;
use super::inputs::KeyInputs;
use super::misses;
use super::recheck::{InputChange, Recheck};
use super::record::{Discovered, StoredResult};
use super::wrapped_tests::PassedTests;
use super::{Context, Discarded, LastRun, Lookup, ResultCache, RunState, Stored};
use crate::model::census::Census;
use crate::model::digest::Digest;
use crate::model::event::Event;
use crate::model::finding::{Diagnostic, Place};
use crate::model::notice::Notice;
use crate::model::path::RelPath;
use crate::model::stamp::FileTable;
use crate::model::task::{TaskIx, Unit};
use crate::model::tool::{Caching, ToolId};
use crate::model::workspace::PackageId;
use crate::normalize::{self, Normalized, Parsed, Traces};
use crate::scan::{Ended, StepPiece, StepRun};

/// Time between two writes to the log, which keeps the results of a run that is killed.
const FLUSH: Duration = Duration::from_millis(500);

/// A result that waits for the check of its inputs.
pub(super) struct Pending {
    task: TaskIx,
    /// The key and the record to store.
    result: Result<(Digest, StoredResult), WhyNotStored>,
    /// Traces of the files that the process read.
    traces: Option<Arc<Traces>>,
}

/// Reason why a result is not stored, for `cargo genti explain`. `None` if the run reports it in another way, for example because
/// there is no verdict.
pub(super) type WhyNotStored = Option<&'static str>;

const UNKNOWN_FILES: &str = "it is not known which files it reads";
const UNKNOWN_TASK: &str = "it is not known which of its tasks a finding belongs to";
const REPLAYED: &str = "cargo replayed an earlier build, which may not have read the present files";
const NOT_CURRENT: &str = "it may have run a program that was built from other files";

/// Inputs and findings of one of the tasks of a process.
#[derive(Clone)]
struct TaskShare {
    discovered: Vec<Discovered>,
    found: Vec<Diagnostic>,
    census: Census,
}

/// Finds the tasks of a process that a file belongs to.
struct Owners<'a> {
    inputs: &'a KeyInputs<'a>,
    units: &'a [Unit],
    /// For each file, the target roots that lead to it. If roots of several packages lead to the same file, its findings
    /// belong to each of them: when one root gets its result from the cache, the others may no longer lead to the file.
    roots: BTreeMap<RelPath, Vec<usize>>,
}

impl<'a> Owners<'a> {
    fn new(inputs: &'a KeyInputs<'a>, units: &'a [Unit], read: &[InputCollector<'_>]) -> Self {
        let mut roots: BTreeMap<RelPath, Vec<usize>> = BTreeMap::new();
        if let [Unit::TargetRoot(..), ..] = units {
            for (at, read) in read.iter().enumerate() {
                for path in read.files() {
                    // A tool may report the file that a link really leads to.
                    for path in [Some(path.clone()), inputs.real(path)].into_iter().flatten() {
                        let roots = roots.entry(path).or_default();
                        if roots.last() != Some(&at) {
                            roots.push(at);
                        }
                    }
                }
            }
        }
        Self { inputs, units, roots }
    }

    fn roots_of(&self, path: &RelPath) -> Option<&Vec<usize>> {
        self.roots.get(path).or_else(|| self.roots.get(&self.inputs.plain(path)))
    }

    /// Returns the files of `diagnostics` that no target root is known to lead to.
    fn without_root(&self, diagnostics: &[Diagnostic]) -> BTreeSet<RelPath> {
        let paths = diagnostics.iter().filter_map(|found| found.place.path());
        match self.units {
            [Unit::TargetRoot(..), ..] => {
                paths.filter(|path| self.roots_of(path).is_none()).cloned().collect()
            }
            _ => BTreeSet::new(),
        }
    }

    fn of(&self, path: &RelPath, package: Option<PackageId>) -> Vec<usize> {
        if let [Unit::TargetRoot(..), ..] = self.units {
            let all = || (0..self.units.len()).collect();
            return self.roots_of(path).cloned().unwrap_or_else(all);
        }
        let place = Place::File { path: path.clone(), range: None };
        normalize::attribute(self.inputs.workspace, self.units, &place, package).into_iter().collect()
    }

    /// Splits `diagnostics` by task. `None` if one can't be attributed to a task.
    fn split(&self, diagnostics: &[Diagnostic]) -> Option<Vec<Vec<Diagnostic>>> {
        let mut split = vec![Vec::new(); self.units.len()];
        for found in diagnostics {
            let owners = self.of(found.place.path()?, found.package);
            if owners.is_empty() {
                return None;
            }
            owners.into_iter().for_each(|at| split[at].push(found.clone()));
        }
        Some(split)
    }

    fn split_census(&self, census: &Census) -> Vec<Census> {
        census.clone().split(self.units.len(), |path| self.of(path, None))
    }
}

impl ResultCache<'_> {
    /// Takes the results of a step, to be stored later. Called on the thread that ran the step.
    pub(crate) fn record(&self, run: &StepRun<Normalized>) {
        self.note_stale_results(run);
        self.note_away(run);
        let mut judged = judged(run);
        let mut pending = Vec::new();
        let is_current = self.note_builds(&mut self.lock(), self.context.plan.step(run.step).tool);
        for (tasks, parsed) in &mut judged {
            let shares = parsed.as_ref().ok_or(None).and_then(|parsed| self.split(tasks, parsed));
            let traces = parsed.as_ref().map(|parsed| Arc::new(parsed.traces.clone()));
            for (at, &task) in tasks.iter().enumerate() {
                let result = match (&shares, parsed.as_ref()) {
                    (Err(why), _) => Err(*why),
                    (Ok(_), Some(_)) if !is_current => Err(Some(NOT_CURRENT)),
                    (Ok(shares), Some(parsed)) => {
                        let piece = sole_piece(run, tasks);
                        self.result_to_store(task, parsed, shares[at].clone(), piece)
                    }
                    (Ok(_), None) => Err(None),
                };
                pending.push(Pending { task, result, traces: traces.clone() });
            }
        }
        let mut state = self.lock();
        let passed: Vec<_> = std::mem::take(&mut state.passed_tests);
        for PassedTests { task, key, result } in passed {
            let of_task = judged.iter().find(|(tasks, _)| tasks.contains(&task));
            let Some((_, parsed)) = of_task else { continue };
            let traces = parsed.as_ref().map(|parsed| Arc::new(parsed.traces.clone()));
            let result = if is_current { Ok((key, result)) } else { Err(Some(NOT_CURRENT)) };
            pending.push(Pending { task, result, traces });
        }
        state.pending.extend(pending);
        if state.flushed.elapsed() >= FLUSH {
            self.flush(&mut state, false);
        }
    }

    /// Returns the key and the record of the result of `task`, or why it must not be stored. `piece` is the only process over
    /// the tasks.
    fn result_to_store(
        &self,
        task: TaskIx,
        parsed: &Parsed,
        share: TaskShare,
        piece: Option<&StepPiece<Normalized>>,
    ) -> Result<(Digest, StoredResult), WhyNotStored> {
        let id = self.context.plan.graph.task(task).tool;
        let tool = self.context.plan.graph.tool(id);
        if parsed.traces.is_replayed {
            return Err(Some(REPLAYED));
        }
        if tool.starts_tests() && tool.is_observed() {
            // Those of its tests are stored one by one.
            return Err(None);
        }
        if parsed.is_leaky || parsed.is_flaky() || self.bless && tool.has_goldens() {
            return Err(None);
        }
        let key = match tool.uses_executable() {
            true => self.lock().programs.get(&task).map(|test| test.key),
            false if self.is_shared_build(id) => self.shared_key(task),
            false => {
                self.keys[id.0 as usize].as_ref().ok().and_then(|key| self.inputs.key(key, task, None).ok())
            }
        };
        let key = key.ok_or(None)?;
        let TaskShare { mut discovered, found, census } = share;
        if let Caching::Sandboxed { max_age } = tool.cache {
            let piece = piece.ok_or(None)?;
            discovered = self.inputs_of_test(task, parsed, piece, max_age).ok_or(None)?;
        }
        self.note_read(task, &discovered);
        Ok((key, StoredResult::new(self.context.workspace, discovered, found, census, parsed)))
    }

    /// Notes that a result of `tool` must not be stored.
    pub(crate) fn skip(&self, tool: ToolId) {
        self.lock().skip(tool, None);
    }

    /// Splits what a process over `tasks` read and found by task, or returns why that is impossible.
    fn split(&self, tasks: &[TaskIx], parsed: &Parsed) -> Result<Vec<TaskShare>, WhyNotStored> {
        let plan = self.context.plan;
        let first = plan.graph.task(*tasks.first().ok_or(None)?);
        let tool = plan.graph.tool(first.tool);
        if !tool.is_cached() && !self.is_shared_build(first.tool) {
            return Err(None);
        }
        let units: Vec<_> = tasks.iter().map(|task| plan.graph.task(*task).unit).collect();
        let read = self.inputs.collect_each(tool, &units, &parsed.traces, &self.build_dirs);
        let mut read = read.map_err(|Undiscoverable| Some(UNKNOWN_FILES))?;
        let (found, census) = match &units[..] {
            [_] => (vec![parsed.diagnostics.clone()], vec![parsed.census.clone()]),
            units => {
                let owners = Owners::new(&self.inputs, units, &read);
                // Each task gets the findings of these files, so they are inputs of each.
                for path in owners.without_root(&parsed.diagnostics) {
                    read.iter_mut().for_each(|read| read.insert(path.clone()));
                }
                let found = owners.split(&parsed.diagnostics).ok_or(Some(UNKNOWN_TASK))?;
                (found, owners.split_census(&parsed.census))
            }
        };
        let shares = read.into_iter().zip(found).zip(census).map(|((read, found), census)| {
            let discovered = self.inputs.discovered(tool, read, &self.all_files);
            let discovered = discovered.map_err(|Undiscoverable| Some(UNKNOWN_FILES))?;
            Ok(TaskShare { discovered, found, census })
        });
        shares.collect()
    }

    /// Checks the inputs of the pending results again, and writes those whose inputs are unchanged. Results of workers wait for the
    /// end of the run.
    fn flush(&self, state: &mut RunState, is_end: bool) {
        state.flushed = Instant::now();
        let all = std::mem::take(&mut state.pending);
        let (pending, later) = all
            .into_iter()
            .partition(|pending: &Pending| is_end || !state.away.tasks.contains(&pending.task));
        let pending: Vec<Pending> = pending;
        state.pending = later;
        if pending.is_empty() {
            return;
        }
        let mut recheck = Recheck::new(self);
        for Pending { task, result, traces } in pending {
            let tool = self.context.plan.graph.task(task).tool;
            if let Some(doubt) = state.away.doubt(task, tool) {
                state.skip(tool, None);
                state.changed.insert(task, doubt);
                continue;
            }
            match recheck.changed(task, traces.as_deref()) {
                InputChange::None => match result {
                    Ok((key, record)) => {
                        self.share(state, task, &key, &record);
                        state.put(key, record);
                    }
                    Err(why) => state.skip(tool, why),
                },
                // Cargo updates it, and a notice of its own says so.
                InputChange::Input(path) if path == "Cargo.lock" => state.skip(tool, None),
                InputChange::Presumed => state.skip(tool, Some(REPLAYED)),
                InputChange::Input(path) => {
                    state.skip(tool, None);
                    state.changed.insert(task, Discarded::Changed(path));
                }
                InputChange::Unknown => {
                    state.skip(tool, None);
                    state.changed.insert(task, Discarded::Unchecked);
                }
            }
        }
        if state.failed.is_none()
            && let Some(results) = &mut state.results
        {
            state.failed = results.flush().err();
        }
    }

    /// Writes everything that is left.
    pub(crate) fn finish(self, lookups: &[Lookup], events: &mut dyn FnMut(Event<'_>)) -> Stored {
        {
            let mut state = self.lock();
            self.flush(&mut state, true);
            let RunState { results, failed, .. } = &mut *state;
            if let (Some(results), None) = (results, &failed) {
                *failed = results.finish().err();
            }
        }
        if let Some(remote) = self.context.remote {
            remote.finish(self.stop);
            let url = || remote.url().to_owned();
            if let Some(error) = remote.trouble() {
                events(Event::Notice(&Notice::RemoteFailed { url: url(), error }));
            }
            if let Some(error) = remote.trouble_of_workers() {
                events(Event::Notice(&Notice::WorkersFailed { url: url(), error }));
            }
        }
        if self.lock().builds.in_shared {
            events(Event::Notice(&Notice::ReplayNotCached));
        }
        let failed = self.lock().failed.take();
        if let Some(error) = failed {
            events(Event::Notice(&Notice::CacheNotWritten { error: error.to_string() }));
        }
        self.save(lookups);
        let is_compared = self.context.plan.policy.against.is_some();
        let reads = if is_compared { self.reads(&self.lock()) } else { Vec::new() };
        let discarded = self.state.into_inner().unwrap_or_else(PoisonError::into_inner).changed;
        let mut discovered = self.read.into_inner().unwrap_or_else(PoisonError::into_inner);
        discovered.retain(|task, _| !discarded.contains_key(task));
        Stored { discarded, reads, discovered }
    }

    /// Saves the state for the next run. It is a speed-up only, so errors are ignored.
    fn save(&self, lookups: &[Lookup]) {
        let Context { workspace, plan, last_run, lockfile, .. } = self.context;
        let reasons = misses::reasons(self, lookups);
        let files = misses::files(workspace, last_run);
        let is_new = files.is_some();
        let run = if is_new { last_run.run + 1 } else { last_run.run };
        let files = files.unwrap_or_else(|| last_run.files.clone());
        let state = self.lock();
        let mut tools = last_run.tools.clone();
        for ((id, tool), key) in plan.graph.tools().zip(&self.keys) {
            if let Some(key) = key.as_ref().ok().filter(|_| !state.not_stored.contains_key(&id)) {
                tools.insert(tool.name.clone(), (run, key.parts.clone()));
            }
        }
        drop(state);
        let outside = merged(&last_run.outside, &self.inputs.outside.table());
        let this_run = LastRun { run, files, outside, tools, lockfile };
        if this_run != *last_run {
            let _ = this_run.save(&workspace.target_dir);
        }
        let _ = write_reasons(&workspace.target_dir, &reasons);
    }
}

impl RunState {
    /// Notes that a result of `tool` is not stored.
    fn skip(&mut self, tool: ToolId, why: WhyNotStored) {
        let known = self.not_stored.entry(tool).or_default();
        *known = known.or(why);
    }
}

/// Adds `now` to `before`: a run of some tools must not forget the programs of the others.
fn merged(before: &FileTable, now: &FileTable) -> FileTable {
    let mut files: BTreeMap<_, _> = before.iter().map(|file| (file.path, file)).collect();
    files.extend(now.iter().map(|file| (file.path, file)));
    files.into_values().collect()
}

/// Returns the piece of the only process over `tasks`; `None` if there were several.
fn sole_piece<'r>(run: &'r StepRun<Normalized>, tasks: &[TaskIx]) -> Option<&'r StepPiece<Normalized>> {
    let mut pieces = run.pieces.iter().filter(|piece| piece.tasks == tasks);
    pieces.next().filter(|_| pieces.next().is_none())
}

/// Returns the result for each group of tasks that one process of the step covered; `None` without a verdict.
fn judged(run: &StepRun<Normalized>) -> Vec<(Vec<TaskIx>, Option<Parsed>)> {
    let mut judged: Vec<(Vec<TaskIx>, Option<Parsed>)> = Vec::new();
    for StepPiece { tasks, ended, is_second, is_retry, is_recalled, .. } in &run.pieces {
        if *is_recalled {
            continue;
        }
        let parsed = match ended {
            // Tests that were run again may be flaky.
            Ended::Judged(Ok(_)) if *is_retry => None,
            Ended::Judged(Ok(parsed)) => Some(parsed),
            _ => None,
        };
        match judged.iter_mut().find(|(known, _)| known == tasks) {
            // Several processes over the same tasks each see some of the files; the second of two passes sees more than the first.
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
        // Leaks and flaky tests are not deterministic.
        parsed.take_if(|parsed| !parsed.gaps.is_empty() || parsed.is_leaky || parsed.is_flaky());
    }
    judged
}
