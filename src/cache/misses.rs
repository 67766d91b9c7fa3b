//! Records for `cargo genti explain` why tasks ran. The reasons compare this run with the last one, so they are computed before
//! the state of the last run is overwritten.

use std::collections::BTreeSet;

use super::LastRun;
use super::explain::{Changed, RunReasons, TaskReason, ToolReasons};
use super::second_look::{CHECKED, DISTRUSTED};
use super::{Lookup, ResultCache};
use crate::model::path::RelPath;
use crate::model::stamp::{FileTable, KnownFile};
use crate::model::task::{TaskIx, Unit};
use crate::model::tool::{Per, ToolId};
use crate::model::workspace::{File, Seen, Workspace};

/// Reason why a task has to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MissReason {
    /// The cache is disabled in this run.
    Off,
    /// Results of its tool are never cached.
    NotCached,
    /// No key can be computed for its tool, with the reason.
    Uncacheable(String),
    /// It depends on this link, which leads to too many files.
    Unbounded(String),
    /// The run accepts its output (`--bless`).
    Blessed,
    /// It is of a variant that does not run on this system.
    Elsewhere,
    /// It runs a program that is not built yet.
    Program,
    /// Its tests are looked up when another tool starts them.
    Wrapped,
    /// There is no result under its key.
    NoResult,
    /// The result under its key is damaged.
    Damaged,
    /// This discovered input has changed.
    Read(String),
    /// A cached result of it was wrong.
    Distrusted,
    /// Its cached result is checked again.
    Checked,
    /// Another target root of its package runs.
    Beside,
    /// This tool, which it needs, runs.
    Behind(String),
    /// This tool, which needs it, runs.
    NeededBy(String),
}

impl MissReason {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Off => {
                "the cache was disabled in this run (`--no-cache`, or the cache could not be used)".to_owned()
            }
            Self::NotCached => "results of this tool are never cached (`cache = false`)".to_owned(),
            Self::Uncacheable(why) => format!("results of this tool are not cached: {why}"),
            Self::Unbounded(link) => format!(
                "not cached: the link {link} leads to more than 10,000 files or to a file that can't be read"
            ),
            Self::Blessed => "cached results are not used while accepting output (`--bless`)".to_owned(),
            Self::Elsewhere => "its variant does not run on this system".to_owned(),
            Self::Program => "the program that it runs was rebuilt".to_owned(),
            Self::Wrapped => "no test was started".to_owned(),
            Self::NoResult => "no cached result for the current inputs".to_owned(),
            Self::Damaged => "the cached result was damaged".to_owned(),
            Self::Read(input) => format!("changed: {input}"),
            Self::Distrusted => DISTRUSTED.to_owned(),
            Self::Checked => CHECKED.to_owned(),
            Self::Beside => {
                "another target of its package had to run, and both may include the same file".to_owned()
            }
            Self::Behind(tool) => format!("`{tool}`, which it needs, had to run"),
            Self::NeededBy(tool) => format!("`{tool}`, which needs it, had to run"),
        }
    }
}

/// Returns the table of the workspace's files to save for the next run; `None` if it is unchanged.
pub(super) fn files(workspace: &Workspace, before: &LastRun) -> Option<FileTable> {
    let Seen { at, stamps, as_known, .. } = &workspace.seen;
    if *as_known {
        return None;
    }
    let known = before.files.find(workspace.files.iter().map(|file| &file.path));
    let files = workspace.files.iter().zip(stamps).zip(known).map(|((file, stamp), known)| {
        let same = known.filter(|known| known.digest == file.digest);
        let head = |known: KnownFile<'_>| known.digest.0.first_chunk().copied();
        KnownFile {
            path: file.path.as_bytes(),
            stamp: Some(*stamp).filter(|stamp| stamp.is_settled(*at)),
            digest: file.digest,
            since: same.map_or(before.run + 1, |known| known.since),
            before: same.map_or_else(|| known.and_then(head).unwrap_or_default(), |known| known.before),
        }
    });
    // Files whose stamp proved nothing were read again, and may all be unchanged.
    Some(files.collect()).filter(|files| *files != before.files)
}

/// Returns the reasons why the tasks of this run ran.
pub(super) fn reasons(cache: &ResultCache<'_>, lookups: &[Lookup]) -> RunReasons {
    let plan = cache.context.plan;
    let mut changes = Changes::default();
    let mut tools = Vec::new();
    for (id, tool) in plan.graph.tools() {
        let start = plan.graph.tasks.partition_point(|task| task.tool < id);
        let end = plan.graph.tasks.partition_point(|task| task.tool <= id);
        let before = cache.context.last_run.tools.get(&tool.name);
        let key = cache.keys[id.0 as usize].as_ref().ok();
        let of_tool = match (key, before) {
            (Some(key), Some((_, before))) => key.parts.changes(before).into_iter().map(changed).collect(),
            _ => Vec::new(),
        };
        let is_first = key.is_some() && before.is_none();
        let mut hits = lookups[start..end].iter().filter(|lookup| lookup.is_hit()).count();
        let mut tasks = Vec::new();
        for (at, lookup) in (start..end).zip(&lookups[start..end]) {
            let Lookup::Miss(reason) = lookup else { continue };
            let is_own = |task: TaskIx| task.0 as usize == at;
            let wrapped_tests: Vec<_> = match tool.starts_tests() {
                true => cache.lock().wrapped_tests.iter().filter(|run| is_own(run.task)).cloned().collect(),
                false => Vec::new(),
            };
            if !wrapped_tests.is_empty() {
                let (cached, ran): (Vec<_>, Vec<_>) =
                    wrapped_tests.into_iter().partition(|tests| tests.run.is_hit);
                hits += cached.len();
                tasks.extend(ran.into_iter().map(|tests| TaskReason {
                    unit: tests.name,
                    why: with_storing(tests.run.why, tests.run.not_stored),
                    ..TaskReason::default()
                }));
                continue;
            }
            let test = cache.lock().tests.get(&TaskIx(at as u32)).cloned();
            // Its program had to be built first.
            if test.as_ref().is_some_and(|test| test.is_hit) {
                hits += 1;
                continue;
            }
            let own = match (reason, before) {
                (MissReason::NoResult, Some((run, _))) => changes.of(cache, TaskIx(at as u32), id, *run),
                _ => Vec::new(),
            };
            let why = match (&test, reason) {
                (Some(test), _) if !test.why.is_empty() => test.why.clone(),
                (_, MissReason::NoResult) if is_first => "no run of this tool was cached yet".to_owned(),
                (_, MissReason::NoResult) if !own.is_empty() || !of_tool.is_empty() => String::new(),
                (_, reason) => reason.describe(),
            };
            let why = with_storing(why, test.and_then(|test| test.not_stored));
            let unit = plan.graph.name_of(cache.context.workspace, plan.graph.tasks[at].unit);
            let is_away = cache.lock().away.tasks.contains(&TaskIx(at as u32));
            tasks.push(TaskReason { unit, why, changed: own, is_away });
        }
        let name = |at: usize| plan.graph.name_of(cache.context.workspace, plan.graph.tasks[at].unit);
        let state = cache.lock();
        let is_downloaded =
            |at: &usize| lookups[*at].is_hit() && state.sharing.downloaded.contains(&TaskIx(*at as u32));
        let downloaded = (start..end).filter(is_downloaded).map(name).collect();
        drop(state);
        let not_cached = cache.lock().not_stored.get(&id).copied().flatten().map(str::to_owned);
        let tool = tool.name.clone();
        tools.push(ToolReasons { tool, hits, downloaded, changed: of_tool, ran: tasks, not_cached });
    }
    RunReasons { tools, store: cache.context.remote.map(|store| store.url().to_owned()) }
}

/// Adds the reason why a result was not stored to the reason `why` there was none.
fn with_storing(mut why: String, not_stored: Option<String>) -> String {
    if let Some(reason) = not_stored {
        why.push_str(if why.is_empty() { "" } else { "; " });
        why.push_str(&format!("not cached: {reason}"));
    }
    why
}

fn changed(change: super::key::PartChange) -> Changed {
    let short = |digest: Option<crate::model::digest::Digest>| digest.map(|digest| digest.short(8));
    Changed { what: change.what, from: short(change.from), to: short(change.to) }
}

/// Changes of files since an earlier run, looked up once for all tasks.
#[derive(Default)]
struct Changes {
    /// For each file, the first run that saw its present content, and the first digits of its digest before.
    files: Option<Vec<(u32, Option<String>)>>,
    /// Deleted files, with the first digits of their digests.
    gone: Vec<(RelPath, String)>,
}

impl Changes {
    fn of(&mut self, cache: &ResultCache<'_>, task: TaskIx, tool: ToolId, run: u32) -> Vec<Changed> {
        let super::Context { workspace, plan, last_run, .. } = cache.context;
        if self.files.is_none() {
            self.read(workspace, last_run);
        }
        let Some(files) = &self.files else { return Vec::new() };
        let declared = cache.inputs.declared;
        let mut ids: BTreeSet<_> = declared.shared(tool).iter().copied().collect();
        ids.extend(declared.own(task));
        let mut changed = Vec::new();
        for id in ids {
            let (since, before) = &files[id.0 as usize];
            if *since > run {
                let file = workspace.file(id);
                let to = Some(file.digest.short(8));
                changed.push(Changed { what: format!("the file {}", file.path), from: before.clone(), to });
            }
        }
        let unit = plan.graph.task(task).unit;
        let is_wide = plan.graph.tool(tool).per != Per::File;
        for (path, from) in self.gone.iter().filter(|_| is_wide) {
            let is_own = match unit {
                Unit::Workspace => true,
                unit => unit.package(workspace) == workspace.owner_of(path),
            };
            if is_own {
                changed.push(Changed {
                    what: format!("the file {path}"),
                    from: Some(from.clone()),
                    to: None,
                });
            }
        }
        changed
    }

    fn read(&mut self, workspace: &Workspace, before: &LastRun) {
        let hex = |bytes: [u8; 8]| {
            (bytes != [0; 8]).then(|| bytes[..4].iter().map(|byte| format!("{byte:02x}")).collect())
        };
        let known = before.files.find(workspace.files.iter().map(|file| &file.path));
        let since = |(file, known): (&File, Option<KnownFile<'_>>)| match known {
            Some(known) if known.digest == file.digest => (known.since, hex(known.before)),
            Some(known) => (before.run + 1, Some(known.digest.short(8))),
            None => (before.run + 1, None),
        };
        self.files = Some(workspace.files.iter().zip(known).map(since).collect());
        let gone = before.files.iter().map(|file| (RelPath::new(file.path), file.digest.short(8)));
        self.gone = gone.filter(|(path, _)| workspace.find(path).is_none()).collect();
    }
}
