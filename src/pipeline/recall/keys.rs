//! What decides the results of each tool, and so the keys of its tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::elsewhere::Elsewhere;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::golden;
use crate::model::key::{Parts, What};
use crate::model::path::RelPath;
use crate::model::task::{Plan, TaskIx};
use crate::model::tool::{Environment, Per, Tool, ToolId};
use crate::model::workspace::{Beyond, Target, Workspace};
use crate::plan::Declared;
use crate::scan::{Env, Programs};
use crate::workspace;

/// What cargo looks for in every directory above the one that it is started in. What it says of the toolchain shows in the
/// programs.
const CARGOS: [&str; 2] = [".cargo/config.toml", ".cargo/config"];

/// What of the workspace and the machine keys are made of.
pub(super) struct Ground<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    pub(super) programs: &'a Programs,
    pub(super) env: &'a Env,
    pub(super) elsewhere: &'a Elsewhere,
    pub(super) declared: &'a Declared<'a>,
    /// The digest of this program.
    pub(super) genti: Option<Digest>,
    /// What is behind the links that lead out of the repository, by the path of the link.
    pub(super) behind: Mutex<BTreeMap<PathBuf, Option<Digest>>>,
}

/// A link with more files behind it than are looked at, or with one that can't be read: nothing that depends on it is
/// cached.
pub(super) struct Unbounded(pub(super) RelPath);

/// What decides the results of a tool.
pub(super) struct ToolKey {
    pub(super) parts: Parts,
    digest: Digest,
}

impl Ground<'_> {
    /// For each tool, what decides its results; `None` if that can't be told.
    pub(super) fn tools(&self) -> Vec<Option<ToolKey>> {
        let mut keys: Vec<Option<ToolKey>> = self.plan.graph.tools.iter().map(|_| None).collect();
        // What a tool needs decides its results too.
        for id in self.plan.graph.needs_first() {
            let parts = self.parts(id).and_then(|mut parts| {
                for need in &self.plan.graph.needs[id.0 as usize] {
                    let tool = self.plan.graph.tool(*need);
                    // Who asks for it although what it needs always runs, knows that.
                    match keys[need.0 as usize].as_ref().filter(|_| tool.cache) {
                        Some(key) => parts.add(What::Need, &tool.name, key.digest),
                        None if self.plan.graph.tool(id).runs_tests() => {}
                        None => return None,
                    }
                }
                Some(parts)
            });
            keys[id.0 as usize] =
                parts.map(|parts| ToolKey { digest: Digest::of("genti.parts.1", &parts), parts });
        }
        keys
    }

    fn parts(&self, id: ToolId) -> Option<Parts> {
        let tool = self.plan.graph.tool(id);
        let mut parts = Parts::default();
        parts.add(What::Genti, "", self.genti?);
        parts.add_fields(What::Definition, tool);
        if tool.uses_selection() {
            parts.add_fields(What::Selection, &self.plan.selection);
            // Cargo finds targets by itself, in ignored files too.
            parts.add(What::Inputs, "targets of the packages", targets(self.workspace));
        }
        for (name, path) in self.programs.parts_of(tool, self.env)? {
            if let Some(digest) = self.elsewhere.digest(&path).ok()? {
                parts.add(What::Program, name, digest);
            }
        }
        for (name, value) in self.env.decisive(tool) {
            parts.add(What::Variable, name, Digest::of_bytes(value.as_encoded_bytes()));
        }
        for (name, path) in self.searched(tool) {
            if let Some(digest) = self.elsewhere.digest(&path).ok()? {
                parts.add(What::File, name, digest);
            }
        }
        if tool.per != Per::File {
            for package in &self.workspace.outside {
                for (link, beyond) in &package.beyond {
                    let path = RelPath::between(&self.workspace.root, link)?;
                    parts.add(What::File, format!("behind the link {path}"), self.behind(link, *beyond)?);
                }
            }
        }
        for file in self.declared.named(id).iter().map(|id| self.workspace.file(*id)) {
            parts.add(What::File, file.path.to_string(), file.digest);
        }
        if tool.runs_tests() && tool.cache {
            parts.add(What::Inputs, "files of the workspace", everything(self.workspace, |_| true));
        }
        Some(parts)
    }

    /// Where `tool` looks for files that are no inputs of its tasks, each with a name that does not say where on this
    /// machine it is.
    pub(super) fn searched(&self, tool: &Tool) -> Vec<(String, PathBuf)> {
        let is_cargos = tool.environment == Environment::Inherit;
        let names: Vec<_> = tool.searches.iter().map(String::as_str).collect();
        if names.is_empty() && !is_cargos {
            return Vec::new();
        }
        let root = &self.workspace.root;
        let mut found = Vec::new();
        let (at_places, in_dirs): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| name.starts_with(['~', '$']));
        for name in at_places {
            let (variable, rest) = name.split_once('/').unwrap_or((name, ""));
            let variable = variable.strip_prefix('$').unwrap_or("HOME");
            found.extend(self.env.get(variable).map(|dir| (name.to_owned(), root.join(dir).join(rest))));
        }
        let mut search = |dir: &RelPath, name: &str| {
            let path = dir.join(name);
            // Inputs are in the ids of tasks.
            if self.workspace.find(&path).is_none() {
                found.push((path.to_string(), path.to_path(root)));
            }
        };
        let above = || root.ancestors().skip(1).filter_map(|dir| RelPath::between(root, dir));
        if is_cargos {
            for dir in above() {
                CARGOS.iter().for_each(|name| search(&dir, name));
            }
        }
        if !in_dirs.is_empty() {
            // Most files lie in the same directory as the one before.
            let mut last = None;
            let dirs = self.workspace.files.iter().map(|file| file.path.dir());
            let dirs = dirs.filter(|dir| last.replace(*dir) != Some(*dir));
            let own: BTreeSet<_> = dirs.map(RelPath::new).collect();
            for dir in own.into_iter().chain(above()) {
                in_dirs.iter().for_each(|name| search(&dir, name));
            }
        }
        if is_cargos {
            let home = self.env.get("CARGO_HOME").map(PathBuf::from);
            let home = home.or_else(|| Some(Path::new(self.env.get("HOME")?).join(".cargo")));
            for name in ["config.toml", "config"] {
                found.extend(home.iter().map(|home| (format!("$CARGO_HOME/{name}"), home.join(name))));
            }
        }
        found
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
                let content = |file: &Path| self.elsewhere.digest(file).ok();
                *known.entry(link.to_path_buf()).or_insert_with(|| workspace::outside_digest(link, content))
            }
        }
    }
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
pub(super) fn own_digest(elsewhere: &Elsewhere) -> Option<Digest> {
    let own = std::env::current_exe().ok()?;
    if cfg!(debug_assertions) {
        // Large, slow to read, and on this machine alone: when it was built tells one from another.
        let stamp = elsewhere.stamp(&own)?;
        let parts = [stamp.len.to_le_bytes(), stamp.modified.to_le_bytes()].concat();
        return Some(Digest::of_bytes(&parts));
    }
    elsewhere.digest(&own).ok().flatten()
}
