//! What decides the results of each tool, and so the keys of its tasks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::key::{Parts, What};
use super::outside_files::OutsideFiles;
use super::searched_files::Dirs;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::golden;
use crate::model::path::RelPath;
use crate::model::task::{Plan, TaskIx};
use crate::model::tool::{Caching, Per, ToolId};
use crate::model::workspace::{Beyond, FileId, Target, Workspace};
use crate::plan::Declared;
use crate::scan::{CargoConfig, Env, Identity};
use crate::workspace;

/// What of the workspace and the machine keys are made of.
pub(super) struct KeyInputs<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    pub(super) env: &'a Env,
    pub(super) outside: &'a OutsideFiles,
    pub(super) declared: &'a Declared<'a>,
    /// The digest of this program.
    pub(super) genti: Option<Digest>,
    /// What is behind the links that lead out of the repository, by the path of the link.
    pub(super) behind: Mutex<BTreeMap<PathBuf, Option<Digest>>>,
    /// What each tool runs.
    pub(super) identities: Vec<Identity>,
    /// What each tool says its version is.
    pub(super) versions: Vec<Option<String>>,
    /// Cargo's configuration.
    pub(super) config: CargoConfig,
    pub(super) dirs: Dirs,
}

/// A link with more files behind it than are looked at, or with one that can't be read: nothing that depends on it is
/// cached.
pub(super) struct Unbounded(pub(super) RelPath);

/// What decides the results of a tool.
pub(super) struct ToolKey {
    pub(super) parts: Parts,
    digest: Digest,
    /// What was looked at for it: to be looked at again before a result is cached.
    pub(super) looked_at: OtherInputs,
}

/// Files that decide the results of a tool and are no inputs of its tasks.
#[derive(Default)]
pub(super) struct OtherInputs {
    /// Those of the workspace.
    pub(super) files: Vec<FileId>,
    /// Those that are no part of it, there or not.
    pub(super) outside: Vec<PathBuf>,
    /// Those that the command line names. The tool may write them.
    pub(super) arguments: Vec<PathBuf>,
}

/// Why it can't be told what decides the results of a tool.
pub(super) type Uncacheable = String;

impl KeyInputs<'_> {
    /// For each tool, what decides its results, or why that can't be told.
    pub(super) fn tools(&self) -> Vec<Result<ToolKey, Uncacheable>> {
        let count = self.plan.graph.tools.len();
        let mut keys: Vec<Result<ToolKey, Uncacheable>> = (0..count).map(|_| Err(String::new())).collect();
        // What a tool needs decides its results too.
        for id in self.plan.graph.needs_first() {
            let key = self.parts(id).and_then(|(mut parts, looked_at)| {
                for need in &self.plan.graph.needs[id.0 as usize] {
                    let tool = self.plan.graph.tool(*need);
                    // Who asks for it although what it needs always runs, knows that.
                    match keys[need.0 as usize].as_ref().ok().filter(|_| tool.is_cached()) {
                        Some(key) => parts.add(What::Need, &tool.name, key.digest),
                        None if self.plan.graph.tool(id).runs_tests() => {}
                        None => return Err(format!("`{}` always runs, and it needs that", tool.name)),
                    }
                }
                Ok(ToolKey { digest: Digest::of("genti.parts.1", &parts), parts, looked_at })
            });
            keys[id.0 as usize] = key;
        }
        keys
    }

    fn parts(&self, id: ToolId) -> Result<(Parts, OtherInputs), Uncacheable> {
        let tool = self.plan.graph.tool(id);
        let identity = &self.identities[id.0 as usize];
        if let Some(why) = identity.unknown.as_ref().filter(|_| tool.cache != Caching::Always) {
            return Err(why.clone());
        }
        let mut parts = Parts::default();
        let mut looked_at = OtherInputs::default();
        parts.add(What::Genti, "", self.genti.ok_or("the program of genti itself can't be read")?);
        parts.add_fields(What::Definition, tool);
        if tool.uses_selection() {
            parts.add_fields(What::Selection, &self.plan.selection);
            // Cargo finds targets by itself, in ignored files too.
            parts.add(What::Inputs, "targets of the packages", targets(self.workspace));
        }
        if identity.runs_cargo && !tool.uses_selection() {
            // Its tasks' own inputs are files of the workspace, and cargo builds more than these.
            parts.add(What::Inputs, "targets of the packages", targets(self.workspace));
            parts.add(What::Inputs, "packages outside of the workspace", outside(self.workspace));
        }
        for (name, path) in &identity.files {
            looked_at.outside.push(path.clone());
            if let Some(digest) = self.read(path)? {
                parts.add(What::Program, name, digest);
            }
        }
        if identity.has_foreign_script && !tool.version.is_empty() {
            match &self.versions[id.0 as usize] {
                Some(version) => parts.add(What::Version, &tool.name, Digest::of_bytes(version.as_bytes())),
                None if tool.cache == Caching::Always => {}
                None => return Err(format!("`{}` does not tell its version", tool.version.join(" "))),
            }
        }
        for (name, value) in self.env.decisive(tool) {
            parts.add(What::Variable, name, Digest::of_bytes(value.as_encoded_bytes()));
        }
        let arguments = self.arguments(id, tool);
        for (name, path) in self.searched(id) {
            let within =
                RelPath::between(&self.workspace.root, &path).and_then(|path| self.workspace.find(&path));
            // The digest of a link says where it leads, not what is there.
            let digest = match within.filter(|file| !self.workspace.file(*file).is_link) {
                Some(file) => {
                    looked_at.files.push(file);
                    Some(self.workspace.file(file).digest)
                }
                None => {
                    let digest = self.read(&path)?;
                    match arguments.contains(&path) {
                        true => looked_at.arguments.push(path),
                        false => looked_at.outside.push(path),
                    }
                    digest
                }
            };
            if let Some(digest) = digest {
                parts.add(What::File, name, digest);
            }
        }
        self.add_unlisted(id, &mut parts, &mut looked_at)?;
        if tool.per != Per::File {
            for package in &self.workspace.outside {
                for (link, beyond) in &package.beyond {
                    let path =
                        RelPath::between(&self.workspace.root, link).ok_or("a link is on another drive")?;
                    parts.add(
                        What::File,
                        format!("behind the link {path}"),
                        self.behind(link, *beyond).ok_or_else(|| too_much(&path))?,
                    );
                }
            }
        }
        for file in self.declared.named(id).iter().map(|id| self.workspace.file(*id)) {
            parts.add(What::File, file.path.to_string(), file.digest);
        }
        if tool.runs_tests() && tool.is_cached() {
            parts.add(What::Inputs, "files of the workspace", everything(self.workspace, |_| true));
        }
        Ok((parts, looked_at))
    }

    /// The digest of the file at `path`, if there is one.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Digest>, Uncacheable> {
        self.outside.digest(path).map_err(|_| format!("`{}` can't be read", path.display()))
    }

    /// The key of `task`; `program` is the one that it runs, if another task builds it.
    pub(super) fn key(
        &self,
        key: &ToolKey,
        task: TaskIx,
        program: Option<Digest>,
    ) -> Result<Digest, Unbounded> {
        let of = self.plan.graph.task(task);
        let tool = self.plan.graph.tool(of.tool);
        let base = key.digest.keyed(&of.id.0);
        let beyond = self.declared.beyond(task);
        if program.is_none() && !tool.has_goldens() && beyond.is_empty() {
            return Ok(base);
        }
        let mut hasher = Hasher::new("genti.key.2");
        hasher.field("key", &base.0);
        for (link, beyond) in beyond {
            let path = &self.workspace.file(link).path;
            let behind = self.behind(&path.to_path(&self.workspace.root), beyond);
            hasher.field("link", path.as_bytes());
            hasher.field("behind", &behind.ok_or_else(|| Unbounded(path.clone()))?.0);
        }
        if let Some(program) = program {
            hasher.field("program", &program.0);
        }
        if tool.has_goldens() {
            let path = golden::path(&tool.name, of.unit.path(self.workspace));
            let golden = self.workspace.find(&path).map(|id| self.workspace.file(id).digest);
            hasher.field("golden", golden.as_ref().map_or(&[], |digest| &digest.0[..]));
        }
        Ok(hasher.finish())
    }

    /// The digest of what is behind `link`, which its own digest does not cover.
    fn behind(&self, link: &Path, beyond: Beyond) -> Option<Digest> {
        match beyond {
            Beyond::TooMany => None,
            Beyond::Outside => {
                let mut known = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
                let content = |file: &Path| self.outside.digest(file).ok();
                *known.entry(link.to_path_buf()).or_insert_with(|| workspace::outside_digest(link, content))
            }
        }
    }
}

/// Why nothing that depends on what is behind the link at `path` is cached.
fn too_much(path: &RelPath) -> Uncacheable {
    format!("the link {path} leads to more than 10,000 files, or to one that can't be read")
}

/// A digest over what cargo would build.
fn targets(workspace: &Workspace) -> Digest {
    let mut hasher = Hasher::new("genti.targets.1");
    for (package, target) in workspace
        .packages
        .iter()
        .flat_map(|package| package.targets.iter().map(move |target| (package, target)))
    {
        let Target { name, kind, root, edition, test, doc, doctest, needs_features } = target;
        hasher.field("package", package.name.as_bytes());
        hasher.field("name", name.as_bytes());
        hasher.field("kind", kind.as_str().as_bytes());
        hasher.field("root", root.as_bytes());
        hasher.field("edition", edition.as_bytes());
        hasher.field("flags", &[test, doc, doctest, needs_features].map(|flag| u8::from(*flag)));
    }
    hasher.finish()
}

/// A digest over the packages that cargo builds and that are no part of the workspace.
fn outside(workspace: &Workspace) -> Digest {
    let mut hasher = Hasher::new("genti.outside.1");
    for package in &workspace.outside {
        hasher.field("name", package.name.as_bytes());
        hasher.field("digest", &package.digest.0);
    }
    hasher.finish()
}

/// A digest over the files of the workspace that `is_meant` picks.
pub(super) fn everything(workspace: &Workspace, is_meant: impl Fn(&RelPath) -> bool) -> Digest {
    let mut hasher = Hasher::new("genti.everything.1");
    for file in workspace.files.iter().filter(|file| is_meant(&file.path)) {
        hasher.field("path", file.path.as_bytes());
        hasher.field("content", &file.digest.0);
    }
    hasher.finish()
}

/// This program, which is as much a part of every result as the tools: it reads what they print.
pub(super) fn own_digest(outside: &OutsideFiles) -> Option<Digest> {
    let own = std::env::current_exe().ok()?;
    if cfg!(debug_assertions) {
        // Large, slow to read, and on this machine alone: when it was built tells one from another.
        let stamp = outside.stamp(&own)?;
        let parts = [stamp.len.to_le_bytes(), stamp.modified.to_le_bytes()].concat();
        return Some(Digest::of_bytes(&parts));
    }
    outside.digest(&own).ok().flatten()
}
