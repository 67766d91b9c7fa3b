//! Why tasks ran, or did not have to: found out while it is known what was there before, and kept for `explain`.

use std::collections::BTreeSet;

use super::LastRun;
use super::explain::{Changed, RunReasons, TaskReason, ToolReasons};
use super::{Lookup, ResultCache};
use crate::model::path::RelPath;
use crate::model::stamp::{FileTable, KnownFile};
use crate::model::task::{TaskIx, Unit};
use crate::model::tool::{Per, ToolId};
use crate::model::workspace::{File, Seen, Workspace};

/// Why a task has to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MissReason {
    /// Nothing is kept in this run.
    Off,
    /// ResultLog of its tool are never kept.
    NotCached,
    /// It can't be told what decides the results of its tool, and why.
    Uncacheable(String),
    /// It depends on what is behind this link, which is too much to look at.
    Unbounded(String),
    /// What it prints is to be accepted.
    Blessed,
    /// It runs a program that is not built yet.
    Program,
    /// There is no result under its key.
    NoResult,
    /// There is one that is damaged.
    Damaged,
    /// Something has changed that it has read beyond its inputs.
    Read(String),
    /// Another root of its package runs.
    Beside,
    /// A tool that it needs runs.
    Behind(String),
    /// A tool that needs it runs.
    NeededBy(String),
}

impl MissReason {
    fn describe(&self) -> String {
        match self {
            Self::Off => {
                "nothing is looked up in this run: --no-cache, or the cache can't be used".to_owned()
            }
            Self::NotCached => "results of this tool are never kept (`cache = false`)".to_owned(),
            Self::Uncacheable(why) => format!("results of this tool are not cached: {why}"),
            Self::Unbounded(link) => {
                format!(
                    "not cached: the link {link} leads to more files than are looked at, or to one that can't be read"
                )
            }
            Self::Blessed => "what it prints is to be accepted (--bless)".to_owned(),
            Self::Program => "the program that it runs was built anew".to_owned(),
            Self::NoResult => "there is no result for it as it is now".to_owned(),
            Self::Damaged => "the result that was kept is damaged".to_owned(),
            Self::Read(what) => format!("changed: {what}"),
            Self::Beside => "another root of its package runs, and several may reach one file".to_owned(),
            Self::Behind(tool) => format!("`{tool}` runs, which it needs"),
            Self::NeededBy(tool) => format!("`{tool}` runs, which needs it"),
        }
    }
}

/// The files as they are now, with what the last run knew of them; `None` if all is as it was, so that nothing is to be
/// written.
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
    // What was read again, because its stamp proves nothing, may all be the same.
    Some(files.collect()).filter(|files| *files != before.files)
}

/// Why each task ran that did.
pub(super) fn log(cache: &ResultCache<'_>, lookups: &[Lookup]) -> RunReasons {
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
        let mut tasks = Vec::new();
        for (at, lookup) in (start..end).zip(&lookups[start..end]) {
            let Lookup::Miss(cause) = lookup else { continue };
            let own = match (cause, before) {
                (MissReason::NoResult, Some((run, _))) => changes.of(cache, TaskIx(at as u32), id, *run),
                _ => Vec::new(),
            };
            let why = match cause {
                MissReason::NoResult if is_first => "its tool was not part of a run before".to_owned(),
                MissReason::NoResult if !own.is_empty() || !of_tool.is_empty() => String::new(),
                cause => cause.describe(),
            };
            let unit = plan.graph.tasks[at].unit.path(cache.context.workspace).to_string();
            tasks.push(TaskReason { unit, why, changed: own });
        }
        tools.push(ToolReasons {
            tool: tool.name.clone(),
            hits: end - start - tasks.len(),
            changed: of_tool,
            ran: tasks,
        });
    }
    RunReasons { tools }
}

fn changed(change: super::key::Change) -> Changed {
    let short = |digest: Option<crate::model::digest::Digest>| digest.map(|digest| digest.short(8));
    Changed { what: change.what, from: short(change.from), to: short(change.to) }
}

/// What has changed since a run, looked up once for all tasks.
#[derive(Default)]
struct Changes {
    /// For each file, the run in which it was first seen as it is, and the beginning of the digest that it had before.
    files: Option<Vec<(u32, Option<String>)>>,
    /// Files that are gone.
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
            let is_its = match unit {
                Unit::Workspace => true,
                unit => unit.package(workspace) == workspace.owner_of(path),
            };
            if is_its {
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
        let one = |(file, known): (&File, Option<KnownFile<'_>>)| match known {
            Some(known) if known.digest == file.digest => (known.since, hex(known.before)),
            Some(known) => (before.run + 1, Some(known.digest.short(8))),
            None => (before.run + 1, None),
        };
        self.files = Some(workspace.files.iter().zip(known).map(one).collect());
        let gone = before.files.iter().map(|file| (RelPath::new(file.path), file.digest.short(8)));
        self.gone = gone.filter(|(path, _)| workspace.find(path).is_none()).collect();
    }
}
