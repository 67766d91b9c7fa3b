//! Computes cache keys: collects everything that affects the results of a tool, and combines it with the id of each task.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::key::{PartKind, Parts};
use super::outside_files::OutsideFiles;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::golden;
use crate::model::notice::IgnoredLevels;
use crate::model::path::RelPath;
use crate::model::task::{Plan, TaskIx};
use crate::model::tool::{Caching, Per, ToolId};
use crate::model::workspace::{Beyond, File, FileId, PackageId, Target, Workspace};
use crate::plan::Declared;
use crate::scan::{CargoConfig, Env, NoWall, ProgramIdentity, Programs};
use crate::store::LockCopies;
use crate::workspace;

/// The directories of the workspace, listed on first use.
#[derive(Default)]
pub(super) struct Dirs(pub(super) OnceLock<Vec<PathBuf>>);

/// Everything in the workspace and on the machine from which keys are computed.
pub(super) struct KeyInputs<'a> {
    pub(super) workspace: &'a Workspace,
    /// Real path of the workspace root.
    pub(super) real_root: PathBuf,
    pub(super) plan: &'a Plan,
    pub(super) env: &'a Env,
    pub(super) programs: &'a Programs,
    pub(super) outside: &'a OutsideFiles<'a>,
    pub(super) declared: &'a Declared<'a>,
    /// Digest of this program.
    pub(super) genti: Option<Digest>,
    /// Digests of the content behind links that lead out of the repository, by path of the link.
    pub(super) behind: Mutex<BTreeMap<PathBuf, Option<Digest>>>,
    /// Copies of the repository in which variants with a lock file are built.
    pub(super) copies: Option<&'a LockCopies>,
    /// Lint levels in cargo's configuration that are ignored.
    pub(super) ignored_levels: Vec<IgnoredLevels>,
    /// Identity of the program of each tool.
    pub(super) identities: Vec<ProgramIdentity>,
    /// Version that each tool reports.
    pub(super) versions: Vec<Option<String>>,
    /// Version of the wall of sandboxed tools, if they have one.
    pub(super) wall: Option<[u32; 2]>,
    /// True if an observed process has a private network. An error if none can be observed.
    pub(super) observer: Result<bool, NoWall>,
    /// Content of the directories that observed processes looked into, read on first use; `None` for those that can't be read.
    pub(super) contents: Mutex<BTreeMap<PathBuf, Option<Content>>>,
    /// Cargo's configuration.
    pub(super) config: CargoConfig,
    pub(super) dirs: Dirs,
}

/// Everything in a directory.
#[derive(Clone, Copy)]
pub(super) struct Content {
    pub(super) digest: Digest,
    /// True if something in it changed after the run began.
    pub(super) is_fresh: bool,
}

/// Path of a link that leads to too many files or to an unreadable one. Nothing that depends on it is cached.
pub(super) struct Unbounded(pub(super) RelPath);

/// The part of the cache key that all tasks of a tool share.
pub(super) struct ToolKey {
    pub(super) parts: Parts,
    pub(super) digest: Digest,
    /// Files that the key covers, which are checked again before a result is stored.
    pub(super) others: OtherInputs,
}

/// Files that affect the results of a tool without being inputs of its tasks.
#[derive(Default)]
pub(super) struct OtherInputs {
    /// Files of the workspace.
    pub(super) files: Vec<FileId>,
    /// Files outside the workspace, including absent ones.
    pub(super) outside: Vec<PathBuf>,
    /// Files that the command line or a script names. The tool may write them.
    pub(super) arguments: Vec<PathBuf>,
    /// The same for files of the workspace.
    pub(super) named: Vec<FileId>,
}

/// The reason why no key can be computed for a tool.
pub(super) type Uncacheable = String;

impl KeyInputs<'_> {
    /// Computes the shared part of the key for each tool.
    pub(super) fn tools(&self) -> Vec<Result<ToolKey, Uncacheable>> {
        let count = self.plan.graph.tools.len();
        let mut keys: Vec<Result<ToolKey, Uncacheable>> = (0..count).map(|_| Err(String::new())).collect();
        // The key of a tool includes the keys of the tools that it needs.
        for id in self.plan.graph.needs_first() {
            let key = self.parts(id).and_then(|(mut parts, others)| {
                for need in &self.plan.graph.needs[id.0 as usize] {
                    let tool = self.plan.graph.tool(*need);
                    match keys[need.0 as usize].as_ref().ok().filter(|_| tool.is_cached()) {
                        Some(key) => parts.add(PartKind::Need, &tool.name, key.digest),
                        // Tests are cached only on request. The user then accepts that the needed tool always runs.
                        None if self.plan.graph.tool(id).runs_tests() => {}
                        None => return Err(format!("it needs `{}`, which always runs", tool.name)),
                    }
                }
                Ok(ToolKey { digest: Digest::of("genti.parts.3", &parts), parts, others })
            });
            keys[id.0 as usize] = key;
        }
        keys
    }

    fn parts(&self, id: ToolId) -> Result<(Parts, OtherInputs), Uncacheable> {
        let tool = self.plan.graph.tool(id);
        let identity = &self.identities[id.0 as usize];
        if let Some(why) = identity.unknown.as_ref().filter(|_| tool.cache == Caching::Established) {
            return Err(why.clone());
        }
        let reads_all = tool.generator().is_some_and(|generator| generator.inputs.is_empty());
        if reads_all && !workspace::base(&self.workspace.root).is_root() {
            let why = "without `inputs`, its copy of the repository has more than the workspace";
            return Err(why.to_owned());
        }
        let mut parts = Parts::default();
        let mut others = OtherInputs::default();
        parts.add(PartKind::Genti, "", self.genti.ok_or("can't read the executable of genti")?);
        parts.add_fields(PartKind::Definition, tool);
        if tool.sandbox.is_some() || tool.is_observed() {
            // The same tool may see less there.
            let version = self.wall.unwrap_or_default().map(u32::to_le_bytes);
            parts.add(PartKind::Inputs, "sandbox", Digest::of_bytes(version.as_flattened()));
        }
        if tool.uses_selection() {
            let build = self.plan.build_of(tool);
            parts.add_fields(PartKind::Selection, build.selection);
            // Cargo also discovers targets in ignored files.
            let needed = self.declared.closure(build.whole);
            let is_built = |id: PackageId| {
                needed.contains(&id) || self.workspace.package(id).workspace.as_ref() == build.workspace
            };
            parts.add(PartKind::Inputs, "targets of the packages", targets(self.workspace, &is_built));
        }
        if identity.runs_cargo && !tool.uses_selection() {
            // The declared inputs are only files of the workspace, but cargo builds more than that.
            parts.add(PartKind::Inputs, "targets of the packages", targets(self.workspace, &|_| true));
            parts.add(PartKind::Inputs, "packages outside of the workspace", outside(self.workspace));
        }
        for (name, path) in &identity.files {
            others.outside.push(path.clone());
            if let Some(digest) = self.read(path)? {
                parts.add(PartKind::Program, name, digest);
            }
        }
        if identity.has_foreign_script && !tool.version.is_empty() {
            match &self.versions[id.0 as usize] {
                Some(version) => {
                    parts.add(PartKind::Version, &tool.name, Digest::of_bytes(version.as_bytes()))
                }
                None if tool.cache != Caching::Established => {}
                None => return Err(format!("`{}` does not report a version", tool.version.join(" "))),
            }
        }
        if !self.ignored_levels.is_empty() && !tool.uses_executable() {
            // Once their file is committed, they count, although it is the same file.
            let levels = self.ignored_levels.iter().flat_map(|ignored| &ignored.levels);
            let levels: Vec<_> = levels.map(String::as_str).collect();
            parts.add(
                PartKind::Inputs,
                "ignored lint levels",
                Digest::of_bytes(levels.join("\n").as_bytes()),
            );
        }
        let withheld = if tool.is_observed() { self.env.withheld(tool) } else { BTreeSet::new() };
        for (name, value) in self.env.decisive(tool).into_iter().filter(|(name, _)| !withheld.contains(name))
        {
            parts.add(PartKind::Variable, name, Digest::of_bytes(value.as_encoded_bytes()));
        }
        let arguments = self.arguments(id, tool);
        for (name, path) in self.searched(id) {
            let within =
                RelPath::between(&self.workspace.root, &path).and_then(|path| self.workspace.find(&path));
            // The digest of a link covers its path, not the content of its target.
            let digest = match within.filter(|file| !self.workspace.file(*file).is_link) {
                Some(file) => {
                    match arguments.contains(&path) {
                        true => others.named.push(file),
                        false => others.files.push(file),
                    }
                    Some(self.workspace.file(file).digest)
                }
                None => {
                    let digest = self.read(&path)?;
                    match arguments.contains(&path) {
                        true => others.arguments.push(path),
                        false => others.outside.push(path),
                    }
                    digest
                }
            };
            if let Some(digest) = digest {
                parts.add(PartKind::File, name, digest);
            }
        }
        if let Caching::Sandboxed { max_age } = tool.cache {
            parts.add(PartKind::Definition, "max-age", Digest::of_bytes(&max_age.as_nanos().to_le_bytes()));
            // Which files count is observed.
            self.add_surroundings(tool, &mut parts)?;
            return Ok((parts, others));
        }
        self.add_unlisted(id, &mut parts, &mut others)?;
        self.add_named_dirs(id, &mut parts, &mut others)?;
        self.add_modules(id, &mut parts, &mut others);
        if tool.per != Per::File {
            for package in &self.workspace.outside {
                for (link, beyond) in &package.beyond {
                    let path =
                        RelPath::between(&self.workspace.root, link).ok_or("a link is on another drive")?;
                    parts.add(
                        PartKind::File,
                        format!("behind the link {path}"),
                        self.behind(link, *beyond).ok_or_else(|| too_much(&path))?,
                    );
                }
            }
        }
        for file in self.declared.named(id).iter().map(|id| self.workspace.file(*id)) {
            parts.add(PartKind::File, file.path.to_string(), file.digest);
        }
        if tool.runs_tests() && tool.is_cached() {
            let everything =
                self.everything().ok_or("a link leads to too many files, or to an unreadable one")?;
            parts.add(PartKind::Inputs, "files of the workspace", everything);
        }
        Ok((parts, others))
    }

    /// Returns the digest of the file at `path`; `None` if there is no file.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Digest>, Uncacheable> {
        self.outside.digest(path).map_err(|_| format!("can't read `{}`", path.display()))
    }

    /// Returns the key of `task`. If it runs a program that another task builds, `program` is the digest of that program.
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
        let mut hasher = Hasher::new("genti.key.3");
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

    /// Returns a digest over all files of the workspace and what its links lead to; `None` if that is too much or unreadable.
    pub(super) fn everything(&self) -> Option<Digest> {
        let mut hasher = Hasher::new("genti.everything.2");
        for (at, file) in self.workspace.files.iter().enumerate() {
            self.feed(FileId(at as u32), file, &mut hasher)?;
        }
        Some(hasher.finish())
    }

    /// Hashes path and content of a file, and what it leads to if it is a link. Returns `None` if that is too much or unreadable.
    pub(super) fn feed(&self, id: FileId, file: &File, hasher: &mut Hasher) -> Option<()> {
        hasher.field("path", file.path.as_bytes());
        hasher.field("content", &file.digest.0);
        if let Ok(at) = self.workspace.beyond.binary_search_by_key(&id, |(link, _)| *link) {
            let (_, beyond) = self.workspace.beyond[at];
            let behind = self.behind(&file.path.to_path(&self.workspace.root), beyond)?;
            hasher.field("behind", &behind.0);
        }
        Some(())
    }

    /// Returns the digest of the content behind `link`, which the digest of the link itself does not cover.
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

/// Reason why nothing that depends on the link at `path` is cached.
fn too_much(path: &RelPath) -> Uncacheable {
    format!("the link {path} leads to more than 10,000 files or to a file that can't be read")
}

/// Returns a digest over the targets that cargo would build in packages for which `is_built` returns true.
fn targets(workspace: &Workspace, is_built: &dyn Fn(PackageId) -> bool) -> Digest {
    let mut hasher = Hasher::new("genti.targets.1");
    for (package, target) in workspace
        .packages()
        .filter(|(id, _)| is_built(*id))
        .flat_map(|(_, package)| package.targets.iter().map(move |target| (package, target)))
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

/// Returns a digest over the path dependencies outside the workspace.
fn outside(workspace: &Workspace) -> Digest {
    let mut hasher = Hasher::new("genti.outside.1");
    for package in &workspace.outside {
        hasher.field("name", package.name.as_bytes());
        hasher.field("digest", &package.digest.0);
    }
    hasher.finish()
}

/// Returns the digest of this program. It is part of every key because genti parses the output of the tools.
pub(super) fn own_digest(outside: &OutsideFiles<'_>) -> Option<Digest> {
    let own = std::env::current_exe().ok()?;
    if cfg!(debug_assertions) {
        // A debug build is large, slow to read and never leaves this machine, so size and modification time identify it.
        let stamp = outside.stamp(&own)?;
        let parts = [stamp.len.to_le_bytes(), stamp.modified.to_le_bytes()].concat();
        return Some(Digest::of_bytes(&parts));
    }
    outside.digest(&own).ok().flatten()
}
