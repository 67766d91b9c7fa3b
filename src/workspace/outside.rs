//! Finds path dependencies that are not members by reading manifests, and computes a digest of the files of each.
//!
//! Cargo can't be used for this, because `cargo metadata` refuses a package below a workspace that does not list
//! it, although such a package is a valid dependency. Only the name and the path dependencies are read from the
//! manifests. Features and platforms that enable a dependency are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::cargo::Member;
use super::{Listing, LoadError, files, relative, unreadable};
use crate::disk;
use crate::model::digest::{ContentHash, Digest, Sink};
use crate::model::halt::Halt;
use crate::model::path::RelPath;
use crate::model::stamp::FileTable;
use crate::model::workspace::{File, FileId, OutsidePackage, PackageId};

/// A path dependency that is not a member.
pub(super) struct Outside {
    name: String,
    dir: PathBuf,
    /// Absolute directories of its path dependencies.
    needs: Vec<PathBuf>,
    /// Directory of the workspace that it inherits from, if that is a different one.
    workspace: Option<PathBuf>,
    /// True if a `[patch]` may apply it to any package.
    patched: bool,
}

/// Returns all direct and indirect path dependencies of the members that are not members, sorted by name and path. `roots` are the
/// roots of the workspaces that members belong to.
pub(super) fn discover(
    root: &Path,
    roots: &[PathBuf],
    members: &[Member],
    listing: Listing,
) -> Result<Vec<Outside>, LoadError> {
    let mut patched = BTreeSet::new();
    for root in roots {
        patched.extend(patches(root, &manifest(root)?));
    }
    let mut seen: BTreeSet<_> = members.iter().map(|member| member.dir.clone()).collect();
    let mut next: Vec<_> =
        patched.iter().chain(members.iter().flat_map(|member| &member.needs)).cloned().collect();
    let mut found = Vec::new();
    while let Some(dir) = next.pop() {
        if seen.insert(dir.clone()) {
            let package = Outside::read(dir, &patched)?;
            next.extend_from_slice(&package.needs);
            found.push((relative(root, &package.dir)?, package));
        }
    }
    listing.apply(&mut found);
    found.sort_by(|(a_path, a), (b_path, b)| (&a.name, a_path).cmp(&(&b.name, b_path)));
    Ok(found.into_iter().map(|(_, package)| package).collect())
}

/// Adds the members that replace dependencies by name, through a `[patch]`, to the needs of each member.
pub(super) fn follow_patches(root: &Path, members: &mut [Member]) -> Result<(), LoadError> {
    let patched: BTreeSet<_> = patches(root, &manifest(root)?).collect();
    let patched: BTreeMap<_, _> = members
        .iter()
        .filter(|member| patched.contains(&member.dir))
        .map(|member| (member.package.name.clone(), member.dir.clone()))
        .collect();
    for member in members {
        member.needs.extend(member.by_version.iter().filter_map(|name| patched.get(name)).cloned());
    }
    Ok(())
}

/// Sets the dependencies of each member: other members, directly or through outside packages, and outside
/// packages.
pub(super) fn link(members: &mut [Member], outside: &[Outside]) {
    // Build one graph with the members first, followed by the outside packages.
    let dirs = members.iter().map(|member| &member.dir).chain(outside.iter().map(|package| &package.dir));
    let ids: BTreeMap<_, _> = dirs.cloned().zip(0..).collect();
    let needs =
        members.iter().map(|member| &member.needs).chain(outside.iter().map(|package| &package.needs));
    let needs: Vec<Vec<usize>> =
        needs.map(|dirs| dirs.iter().filter_map(|dir| ids.get(dir).copied()).collect()).collect();
    let count = members.len();
    let patched = (count..).zip(outside).filter(|(_, package)| package.patched).map(|(id, _)| id);
    let patched: Vec<_> = patched.collect();

    for (id, member) in members.iter_mut().enumerate() {
        let near = reach(&needs, &needs[id], |through| through >= count);
        let near = near.range(..count).filter(|&&other| other != id);
        member.package.dependencies = near.map(|&id| PackageId(id as u32)).collect();
        if !outside.is_empty() {
            let far = reach(&needs, needs[id].iter().chain(&patched), |_| true);
            member.package.outside = far.range(count..).map(|id| (id - count) as u32).collect();
        }
    }
}

/// Returns all nodes reachable from `from`. Edges are only followed from nodes for which `through` returns true.
fn reach<'a>(
    needs: &[Vec<usize>],
    from: impl IntoIterator<Item = &'a usize>,
    through: impl Fn(usize) -> bool,
) -> BTreeSet<usize> {
    let mut next: Vec<_> = from.into_iter().copied().collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = next.pop() {
        if reached.insert(id) && through(id) {
            next.extend_from_slice(&needs[id]);
        }
    }
    reached
}

impl Outside {
    fn read(dir: PathBuf, patched: &BTreeSet<PathBuf>) -> Result<Self, LoadError> {
        let own = manifest(&dir)?;
        let name = own.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        let Some(name) = name else {
            let message = "path dependency has no `[package]` with a `name`".to_owned();
            return Err(LoadError::Manifest { path: dir.join("Cargo.toml"), message });
        };
        let workspace = workspace_of(&dir, &own);
        let shared = workspace.as_deref().map(manifest).transpose()?;
        let base = workspace.as_deref().unwrap_or(&dir);
        let shared = shared.as_ref().unwrap_or(&own);
        let shared = shared.get("workspace").and_then(|table| table.get("dependencies"));
        let needs = dependencies(&own).filter_map(|(key, dependency)| {
            let inherited = dependency.get("workspace").and_then(Value::as_bool) == Some(true);
            if inherited { path(base, shared?.get(key)?) } else { path(&dir, dependency) }
        });
        Ok(Self {
            name: name.to_owned(),
            needs: needs.collect(),
            patched: patched.contains(&dir),
            workspace: workspace.filter(|other| *other != dir),
            dir,
        })
    }

    /// Computes the digest of the files of the package.
    pub(super) fn digest(
        &self,
        root: &Path,
        build_dirs: &[&Path],
        listing: Listing,
        halt: &dyn Halt,
    ) -> Result<OutsidePackage, LoadError> {
        let workspace = self.workspace.as_ref().map(|dir| relative(&self.dir, &dir.join("Cargo.toml")));
        let manifests = [RelPath::new("Cargo.toml")].into_iter().chain(workspace.transpose()?);
        let none = FileTable::default();
        let files =
            files::list(&self.dir, &[RelPath::default()], manifests, build_dirs, &none, listing, halt)?;
        let path = |id: FileId| files.files[id.0 as usize].path.to_path(&self.dir);
        Ok(OutsidePackage {
            name: self.name.clone(),
            dir: relative(root, &self.dir)?,
            digest: Digest::of("genti-outside-1", &Contents(&files.files)),
            beyond: files.beyond.iter().map(|(id, beyond)| (path(*id), *beyond)).collect(),
        })
    }
}

/// Files of an outside package, for hashing.
struct Contents<'a>(&'a [File]);

impl ContentHash for Contents<'_> {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.count("files", self.0.len());
        for file in self.0 {
            sink.field("path", file.path.as_bytes());
            sink.field("digest", &file.digest.0);
            sink.field("link", &[u8::from(file.is_link)]);
        }
    }
}

fn manifest(dir: &Path) -> Result<Table, LoadError> {
    let path = dir.join("Cargo.toml");
    let text = disk::read_to_string(&path).map_err(unreadable(&path))?;
    text.parse().map_err(|error: toml::de::Error| LoadError::Manifest { message: error.to_string(), path })
}

/// Returns the directory of the workspace that the package in `dir` belongs to: itself, the one it names, or the
/// nearest one above.
fn workspace_of(dir: &Path, own: &Table) -> Option<PathBuf> {
    if own.contains_key("workspace") {
        return Some(dir.to_path_buf());
    }
    if let Some(named) =
        own.get("package").and_then(|package| package.get("workspace")).and_then(Value::as_str)
    {
        return Some(RelPath::without_dots(&dir.join(named)));
    }
    let is_root = |dir: &&Path| manifest(dir).is_ok_and(|manifest| manifest.contains_key("workspace"));
    dir.ancestors().skip(1).find(is_root).map(Path::to_path_buf)
}

/// Returns the dependencies that are built with the package, by key, without dev-dependencies.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    let sections = tables.flat_map(|table| {
        ["dependencies", "build-dependencies", "build_dependencies"].map(|section| table.get(section))
    });
    let entries = sections.flatten().filter_map(Value::as_table).flatten();
    entries.map(|(key, dependency)| (key.as_str(), dependency))
}

/// Returns the directories named by `[patch.*]` and `[replace]`.
fn patches(root: &Path, manifest: &Table) -> impl Iterator<Item = PathBuf> {
    let patch = manifest.get("patch").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = patch.chain(manifest.get("replace")).filter_map(Value::as_table);
    tables.flat_map(Table::values).filter_map(|entry| path(root, entry))
}

/// Returns the directory in the `path` of a dependency.
fn path(base: &Path, dependency: &Value) -> Option<PathBuf> {
    Some(RelPath::without_dots(&base.join(dependency.get("path")?.as_str()?)))
}
