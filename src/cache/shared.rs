//! Results shared with other machines through the remote store (`remote/`).
//!
//! Only results that are worth a round trip are shared: those of tools that look at a package or the workspace, and those of tests,
//! but not of tools that look at one file after the other. The key in the local log is the basis of the remote one, so everything that
//! decides a result decides its remote key too. What the local log takes for granted is added: the system, its libc and the processor.
//!
//! # Tests
//!
//! The local key of a test contains its program. Programs contain paths of the machine, and would have to be built first. The shared
//! key of a test contains the key of the build that makes the program instead, and the discovered inputs of that build are among its
//! own. The result of the build is shared as well, because a report needs it even if no test runs.
//!
//! # A downloaded result
//!
//! It is used only if the local rules accept it: it decodes, and all its discovered inputs have their present digests. It is then
//! added to the local log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::discovered::AllFiles;
use super::inputs::KeyInputs;
use super::misses::MissReason;
use super::record::{Discovered, StoredResult};
use super::remote::entry::{self, NameLists};
use super::remote::key::{RemoteKey, StaticKey};
use super::remote::{Answers, RemoteStore};
use super::{Lookup, Next, ResultCache, ResultLog, RunState};
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::path::RelPath;
use crate::model::task::TaskIx;
use crate::model::tool::{Parse, Per, Tool, ToolId};
use crate::normalize::Parsed;

/// State of the sharing during a run.
#[derive(Default)]
pub(super) struct Sharing {
    /// Lists of names that the remote store had.
    names: BTreeMap<StaticKey, NameLists>,
    /// Discovered inputs of builds of test programs whose inputs did not change during the run.
    builds: BTreeMap<ToolId, Vec<Discovered>>,
    /// Tasks whose results were downloaded.
    pub(super) downloaded: BTreeSet<TaskIx>,
}

/// A task whose result may be in the remote store.
#[derive(Clone, Copy)]
struct Wanted {
    task: TaskIx,
    local: Digest,
    key: StaticKey,
}

/// Tasks that the remote store was asked about.
pub(super) struct Asked {
    wanted: Vec<Wanted>,
    answers: Answers,
}

/// Files that identify the system release and the C library: the first of each group that exists.
#[cfg(target_os = "linux")]
const SYSTEM: [&[&str]; 2] = [
    &["/etc/os-release", "/usr/lib/os-release"],
    &[
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/aarch64-linux-gnu/libc.so.6",
        "/lib64/libc.so.6",
        "/usr/lib/libc.so.6",
        "/lib/libc.so.6",
        "/lib/ld-musl-x86_64.so.1",
        "/lib/ld-musl-aarch64.so.1",
    ],
];
#[cfg(target_os = "macos")]
const SYSTEM: [&[&str]; 1] = [&["/System/Library/CoreServices/SystemVersion.plist"]];
#[cfg(windows)]
const SYSTEM: [&[&str]; 2] =
    [&["C:\\Windows\\System32\\ntdll.dll"], &["C:\\Windows\\System32\\ucrtbase.dll"]];
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
const SYSTEM: [&[&str]; 1] = [&[]];

impl KeyInputs<'_> {
    /// Returns the files that identify the system release and the C library; `None` if one of them is not found.
    #[cfg(feature = "remote")]
    pub(super) fn system_files(&self) -> Option<Vec<PathBuf>> {
        let exists = |path: &&&str| self.outside.digest(Path::new(path)).is_ok_and(|digest| digest.is_some());
        SYSTEM.iter().map(|files| files.iter().find(exists).map(PathBuf::from)).collect()
    }

    /// Returns a digest of what machines that share results have in common; `None` if that is unknown here.
    fn platform(&self) -> Option<Digest> {
        let mut hasher = Hasher::new("genti.platform.1");
        hasher.field("os", std::env::consts::OS.as_bytes());
        hasher.field("arch", std::env::consts::ARCH.as_bytes());
        for files in SYSTEM {
            let found = files.iter().find_map(|path| self.outside.digest(Path::new(path)).ok().flatten());
            hasher.field("system", &found?.0);
        }
        Some(hasher.finish())
    }

    /// Returns the number of bytes that have to be read to know the state of `input`.
    fn cost(&self, input: &Discovered, build_dirs: &[PathBuf]) -> u64 {
        let size = |place: &Path| place.metadata().map_or(0, |meta| meta.len());
        let place = |path: &RelPath| path.to_path(&self.workspace.root);
        match input {
            Discovered::File(path, _) if self.workspace.find(path).is_none() => size(&place(path)),
            Discovered::Directory(path, _) => {
                let files = self.all_below(&place(path), build_dirs);
                files.map_or(u64::MAX, |files| {
                    files.iter().map(|(_, place)| size(place)).fold(0, u64::saturating_add)
                })
            }
            _ => 0,
        }
    }

    /// Returns `input` as it is now; `None` if it can't be read.
    fn current(
        &self,
        input: &Discovered,
        build_dirs: &[PathBuf],
        all_files: &AllFiles,
    ) -> Option<Discovered> {
        Some(match input {
            Discovered::File(path, _) => Discovered::File(path.clone(), self.digest(path).ok()?),
            Discovered::Generated(..) => input.clone(),
            Discovered::Directory(path, _) => {
                let digest = self.digest_below(&path.to_path(&self.workspace.root), build_dirs).ok()?;
                Discovered::Directory(path.clone(), digest)
            }
            Discovered::Variable(name, _) => Discovered::Variable(name.clone(), self.variable(name)),
            Discovered::Everything(_) => Discovered::Everything(all_files.everything(self)?),
            // Inputs of observed processes, whose results are not shared.
            Discovered::Seen(..)
            | Discovered::Listed(..)
            | Discovered::Content(..)
            | Discovered::Built(..)
            | Discovered::Until(_) => return None,
        })
    }
}

impl ResultCache<'_> {
    /// Returns the tool that builds the programs of `tool`, if its results are shared because those of `tool` are.
    fn build_for(&self, tool: ToolId) -> Option<ToolId> {
        let graph = &self.context.plan.graph;
        let of = graph.tool(tool);
        if !of.uses_executable() || !of.is_cached() || of.is_observed() {
            return None;
        }
        let makes_programs = |need: &&ToolId| graph.tool(**need).parse == Parse::CargoBuild;
        graph.needs[tool.0 as usize].iter().find(makes_programs).copied()
    }

    /// Returns the tools whose programs `build` makes, and whose results are shared.
    fn users_of(&self, build: ToolId) -> impl Iterator<Item = ToolId> {
        let tools = self.context.plan.graph.tools().map(|(id, _)| id);
        tools.filter(move |id| self.build_for(*id) == Some(build))
    }

    /// Returns true if `id` makes test programs, and its results are shared although they are not cached otherwise.
    pub(super) fn is_shared_build(&self, id: ToolId) -> bool {
        let is_known = || self.inputs.identities[id.0 as usize].unknown.is_none();
        self.context.remote.is_some() && is_known() && self.users_of(id).next().is_some()
    }

    /// Returns the key of the result of `task` on all machines; `None` if it is not shared.
    pub(super) fn shared_key(&self, task: TaskIx) -> Option<Digest> {
        let plan = self.context.plan;
        let id = plan.graph.task(task).tool;
        let tool = plan.graph.tool(id);
        let key = |id: ToolId| self.keys[id.0 as usize].as_ref().ok();
        let is_here = plan.is_here(task) && tool.runs_on(std::env::consts::OS);
        if !is_here || self.bless && tool.has_goldens() || tool.is_observed() {
            return None;
        }
        let own = || self.inputs.key(key(id)?, task, None).ok();
        let keyed = |domain, build: Option<&Digest>| {
            let mut hasher = Hasher::new(domain);
            hasher.field("key", &own()?.0);
            hasher.field("build", build.map_or(&[], |digest| &digest.0[..]));
            Some(hasher.finish())
        };
        match self.build_for(id) {
            Some(build) if self.is_shared_build(build) => {
                let at = plan.graph.tasks.partition_point(|task| task.tool < build);
                plan.graph.tasks.get(at).filter(|task| task.tool == build)?;
                keyed("genti.built.1", Some(&self.shared_key(TaskIx(at as u32))?))
            }
            Some(_) => None,
            None if self.is_shared_build(id) => keyed("genti.build.1", None),
            None if !tool.is_cached() || tool.uses_executable() || !is_worth_it(tool) => None,
            None => own(),
        }
    }

    /// Asks the remote store for all results that are not in the local log. The answers are used by
    /// [`add_shared`](Self::add_shared).
    pub(super) fn ask(&self) {
        let Some(remote) = self.context.remote else { return };
        let Some(platform) = self.inputs.platform() else {
            return remote.note("the system release or the C library of this machine is unknown");
        };
        let mut wanted = Vec::new();
        for at in 0..self.context.plan.graph.tasks.len() as u32 {
            let task = TaskIx(at);
            let Some(local) = self.shared_key(task) else { continue };
            let has_local = |results| self.find(task, &local, results).is_some();
            let is_local = self.lock().results.as_ref().is_some_and(has_local);
            if !is_local {
                wanted.push(Wanted { task, local, key: StaticKey::new(&local, &platform, remote.salt()) });
            }
        }
        if !wanted.is_empty() {
            let answers = remote.get(wanted.iter().map(|wanted| wanted.key.names()).collect());
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Asked { wanted, answers });
        }
    }

    /// Returns the valid result under the local key `key`.
    fn find(&self, task: TaskIx, key: &Digest, results: &ResultLog) -> Option<Parsed> {
        self.decode(task, results.get_next(key, &mut Next::default())?).ok()
    }

    /// Adds results that only shared keys lead to: those of tests whose programs were not built in this run, and those that the remote
    /// store has.
    pub(super) fn add_shared(&self, lookups: &mut [Lookup]) {
        let Some(remote) = self.context.remote else { return };
        let tasks = 0..lookups.len() as u32;
        for task in tasks.map(TaskIx).filter(|task| self.is_by_build(*task)) {
            let Some(key) = self.shared_key(task) else { continue };
            let state = self.lock();
            let found = state.results.as_ref().and_then(|results| self.find(task, &key, results));
            drop(state);
            if let Some(parsed) = found {
                lookups[task.0 as usize] = Lookup::of(parsed);
            }
        }
        self.download(remote, lookups);
        self.require_builds(lookups);
    }

    /// Returns true if `task` runs a program that another tool builds, or builds such programs, and its result is shared.
    fn is_by_build(&self, task: TaskIx) -> bool {
        let id = self.context.plan.graph.task(task).tool;
        self.build_for(id).is_some() || self.is_shared_build(id)
    }

    /// Adds the results that the remote store has.
    fn download(&self, remote: &RemoteStore, lookups: &mut [Lookup]) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Asked { wanted, answers }) = asked else { return };
        let mut candidates: Vec<(Wanted, RemoteKey)> = Vec::new();
        let mut names = BTreeMap::new();
        remote.wait(&answers, self.stop, |at, value| {
            let Some(wanted) = wanted.get(at) else { return };
            let lists =
                value.and_then(|value| NameLists::decode(entry::decode(&wanted.key.names(), &value)?));
            names.insert(wanted.key, lists.unwrap_or_default());
        });
        let mut present = Present { cache: self, remote, known: BTreeMap::new(), left: MOST_READ };
        for wanted in &wanted {
            for list in names.get(&wanted.key).into_iter().flat_map(|lists| &lists.0) {
                if let Some(inputs) = list.iter().map(|input| present.of(input)).collect::<Option<Vec<_>>>() {
                    candidates.push((*wanted, wanted.key.result(&inputs)));
                }
            }
        }
        self.lock().sharing.names = names;
        if candidates.is_empty() {
            return;
        }
        let answers = remote.get(candidates.iter().map(|(_, key)| *key).collect());
        let mut values = BTreeMap::new();
        remote.wait(&answers, self.stop, |at, value| values.extend(value.map(|value| (at, value))));
        for (at, value) in values {
            let Some((Wanted { task, local, .. }, key)) = candidates.get(at) else { continue };
            let Some(content) = entry::decode(key, &value) else { continue };
            self.accept(*task, local, content, &mut lookups[task.0 as usize]);
        }
    }

    /// Uses a downloaded result if there is none yet and the local rules accept it.
    fn accept(&self, task: TaskIx, local: &Digest, content: &[u8], lookup: &mut Lookup) {
        if lookup.is_hit() {
            return;
        }
        let Ok(parsed) = self.decode(task, content) else { return };
        let mut state = self.lock();
        let Some(mut records) = StoredResult::decode_all(content).filter(|records| records.len() == 1) else {
            return;
        };
        state.put(*local, records.remove(0));
        state.sharing.downloaded.insert(task);
        *lookup = Lookup::of(parsed);
    }

    /// Drops results of tests without a result of their build, which belongs to the report.
    fn require_builds(&self, lookups: &mut [Lookup]) {
        let graph = &self.context.plan.graph;
        let runs = |tool: ToolId, lookups: &[Lookup]| {
            let mut own = graph.tasks.iter().zip(lookups).filter(|(task, _)| task.tool == tool);
            own.any(|(_, lookup)| lookup.is_miss())
        };
        for (id, _) in graph.tools() {
            if self.build_for(id).is_some_and(|build| runs(build, lookups)) {
                let own = graph.tasks.iter().zip(lookups.iter_mut()).filter(|(task, _)| task.tool == id);
                own.filter(|(_, lookup)| lookup.is_hit())
                    .for_each(|(_, lookup)| *lookup = Lookup::Miss(MissReason::Program));
            }
        }
    }

    /// Shares the result of a task whose inputs did not change while it ran.
    pub(super) fn share(&self, state: &mut RunState, task: TaskIx, key: &Digest, record: &StoredResult) {
        let Some(remote) = self.context.remote else { return };
        let Some(shared) = self.shared_key(task) else { return };
        let id = self.context.plan.graph.task(task).tool;
        let mut record = record.clone();
        if self.is_shared_build(id) {
            state.sharing.builds.insert(id, record.discovered.clone());
        }
        if let Some(build) = self.build_for(id) {
            let Some(inputs) = state.sharing.builds.get(&build) else { return };
            record.add_inputs(inputs);
        }
        if remote.writes()
            && let Some(platform) = self.inputs.platform()
        {
            let key = StaticKey::new(&shared, &platform, remote.salt());
            let entries = entries(&key, &record, state.sharing.names.entry(key).or_default());
            remote.put(entries);
        }
        // The caller stores it under the other key.
        if shared != *key {
            state.put(shared, record);
        }
    }
}

/// Looks at inputs that the remote store names. It may name anything, so reading is limited in size and in time.
struct Present<'a> {
    cache: &'a ResultCache<'a>,
    remote: &'a RemoteStore,
    /// The inputs that it has looked at, as they are now.
    known: BTreeMap<Discovered, Option<Discovered>>,
    /// Number of bytes that may still be read.
    left: u64,
}

/// Maximum number of bytes that are read to look at all inputs that the remote store names.
const MOST_READ: u64 = 256 << 20;

impl Present<'_> {
    /// Returns `input` as it is now; `None` if that is unknown.
    fn of(&mut self, input: &Discovered) -> Option<Discovered> {
        if let Some(known) = self.known.get(input) {
            return known.clone();
        }
        let ResultCache { inputs, build_dirs, all_files, .. } = self.cache;
        let current = self.remote.spend(|| {
            self.left = self.left.checked_sub(inputs.cost(input, build_dirs))?;
            inputs.current(input, build_dirs, all_files)
        });
        let current = current.flatten();
        self.known.insert(input.clone(), current.clone());
        current
    }
}

impl RunState {
    /// Adds a result to the local log.
    pub(super) fn put(&mut self, key: Digest, record: StoredResult) {
        let Some(results) = &mut self.results else { return };
        let bytes = record.encode_before(results.get(&key));
        bytes.into_iter().for_each(|bytes| results.put(key, bytes));
    }
}

/// Returns true if results of `tool` are worth a round trip: it does not look at one file or target after the other.
fn is_worth_it(tool: &Tool) -> bool {
    match tool.per {
        Per::Workspace | Per::Package | Per::TestTarget => true,
        Per::File | Per::TargetRoot => false,
    }
}

/// Returns the entries of a result, in the order in which they have to be stored. `names` are the known lists of names.
fn entries(key: &StaticKey, record: &StoredResult, names: &mut NameLists) -> Vec<(RemoteKey, Vec<u8>)> {
    let (names_key, result_key) = (key.names(), key.result(&record.discovered));
    let result = record.clone().encode_before(None).and_then(|content| entry::encode(&result_key, &content));
    let mut entries: Vec<_> = result.map(|value| (result_key, value)).into_iter().collect();
    // Without its result, a list leads nowhere.
    if !entries.is_empty() && names.add(&record.discovered) {
        let value = names.encode().and_then(|content| entry::encode(&names_key, &content));
        entries.extend(value.map(|value| (names_key, value)));
    }
    entries
}
