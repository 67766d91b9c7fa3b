//! Whether a tool is known to read a file that has changed while it ran.
//!
//! Cargo's tools, tests and tools without `files` have every file of a package as declared inputs, since nothing tells
//! beforehand which of them they read. For what is stored that is right. But a log that the run is piped into, or a file that
//! a test rewrites, must not take the verdict from a tool that does not look at it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::keys::Ground;
use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::tool::{Per, Tool};
use crate::model::workspace::PackageId;
use crate::normalize::Traces;
use crate::normalize::reads::{self, Named};
use crate::workspace;

/// Answers for one moment of a run.
pub(super) struct Known<'a> {
    ground: &'a Ground<'a>,
    /// The files that git tracks. Asked for once something has changed.
    tracked: OnceLock<BTreeSet<RelPath>>,
}

impl<'a> Known<'a> {
    pub(super) fn new(ground: &'a Ground<'a>) -> Self {
        Self { ground, tracked: OnceLock::new() }
    }

    /// Whether a process of `tool` over `unit` that left `traces` is known to read `path`, which is one of the declared inputs
    /// that the unit has by lying in a package.
    pub(super) fn reads(&self, tool: &Tool, unit: Unit, traces: Option<&Traces>, path: &RelPath) -> bool {
        if is_named(path, "Cargo.toml") || matches!(unit, Unit::File(_)) {
            return true;
        }
        if tool.per == Per::TargetRoot && is_source(path) {
            return self.is_module(path);
        }
        if !tool.files.is_empty() {
            return true;
        }
        let is_told = |traces: &&Traces| !traces.dep_infos.is_empty() || !traces.untraced.is_empty();
        match traces.filter(is_told) {
            Some(traces) if tool.uses_selection() => self.is_traced(traces, path),
            _ if tool.uses_selection() => self.is_included(path) || self.is_tracked(path),
            _ => self.is_tracked(path),
        }
    }

    /// Whether the source `path` is a part of its package: the root of a target, or some source names it.
    fn is_module(&self, path: &RelPath) -> bool {
        let workspace = self.ground.workspace;
        let Some(package) = workspace.owner_of(path) else { return self.is_tracked(path) };
        if workspace.package(package).targets.iter().any(|target| target.root == *path) {
            return true;
        }
        let text = String::from_utf8_lossy(path.as_bytes()).into_owned();
        let path = Path::new(&text);
        let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let module = match stem(path) {
            Some(name) if name == "mod" => path.parent().and_then(stem),
            name => name,
        };
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(module), Some(file)) = (module, file) else { return true };
        self.sources(package).any(|(_, source)| declares(&source, &module) || names(&source, &file))
    }

    /// Whether the compiler or a build script said that it read `path`.
    fn is_traced(&self, traces: &Traces, path: &RelPath) -> bool {
        let workspace = self.ground.workspace;
        let seen_from = |dir: &Path, file: &String| {
            RelPath::between(&workspace.root, &RelPath::without_dots(&dir.join(file)))
        };
        // What can't be read any more may have named it.
        let compiled = |dep_info: &PathBuf| match read(dep_info).and_then(|text| reads::dep_info(&text)) {
            Some(read) => {
                read.files.iter().any(|file| seen_from(&workspace.root, file).as_ref() == Some(path))
            }
            None => true,
        };
        let watched = |(package, script): &(Option<PackageId>, PathBuf)| {
            let Some(package) = package else { return false };
            let dir = workspace.package(*package).dir.to_path(&workspace.root);
            let Some(printed) = read(script) else { return true };
            let files = reads::build_script(&printed).files;
            files.iter().filter_map(|file| seen_from(&dir, file)).any(|file| path.is_within(&file))
        };
        let owner = workspace.owner_of(path);
        traces.dep_infos.iter().any(compiled)
            || traces.scripts.iter().any(watched)
            || owner.is_some_and(|owner| traces.untraced.contains(&owner)) && self.is_included(path)
    }

    /// Whether `path` is a module of its package, or a source of that one includes it.
    fn is_included(&self, path: &RelPath) -> bool {
        let workspace = self.ground.workspace;
        let Some(package) = workspace.owner_of(path) else { return false };
        let dir = &workspace.package(package).dir;
        is_source(path) && self.is_module(path)
            || self.sources(package).any(|(file, source)| {
                let Named { included, is_open, .. } = reads::named(&source, file, dir);
                included.contains(path) || is_open && self.is_tracked(path)
            })
    }

    fn sources(&self, package: PackageId) -> impl Iterator<Item = (&RelPath, String)> {
        let workspace = self.ground.workspace;
        let files = self.ground.declared.files_of(package).iter().map(|id| &workspace.file(*id).path);
        let text = |path: &'a RelPath| {
            Some((path, String::from_utf8_lossy(&read(&path.to_path(&workspace.root))?).into_owned()))
        };
        files.filter(|path| is_source(path)).filter_map(text)
    }

    fn is_tracked(&self, path: &RelPath) -> bool {
        self.tracked.get_or_init(|| workspace::tracked(&self.ground.workspace.root)).contains(path)
    }
}

fn is_source(path: &RelPath) -> bool {
    path.as_bytes().ends_with(b".rs")
}

fn is_named(path: &RelPath, name: &str) -> bool {
    path.as_bytes().strip_suffix(name.as_bytes()).is_some_and(|dir| dir.is_empty() || dir.ends_with(b"/"))
}

/// Whether `source` has a `mod NAME`, as far as its words tell.
fn declares(source: &str, name: &str) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut words = source.split(|letter| !is_word(letter)).filter(|word| !word.is_empty() && *word != "r");
    let mut before = "";
    words.any(|word| std::mem::replace(&mut before, word) == "mod" && word == name)
}

/// Whether `source` has the text of a path that ends in `file` behind `path =` or in `include!`.
fn names(source: &str, file: &str) -> bool {
    source.match_indices(file).any(|(at, _)| {
        let before = source[..at].rsplit_once(['"', '\n']).map_or("", |(before, _)| before.trim_end());
        let is_path = before.strip_suffix('=').is_some_and(|name| name.trim_end().ends_with("path"));
        is_path || ["(", "[", "{"].iter().any(|open| before.ends_with(&format!("include!{open}")))
    })
}

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_known_by_its_declaration() {
        for source in ["mod a;", "pub mod a {", "x; #[cfg(test)]\npub(crate) mod\n  a;", "mod r#a;"] {
            assert!(declares(source, "a"), "{source}");
        }
        for source in ["", "mod ab;", "modd a;", "mod b; a", "use a;"] {
            assert!(!declares(source, "a"), "{source}");
        }
    }

    #[test]
    fn a_module_is_known_by_its_path() {
        for source in ["#[path = \"a.rs\"] mod b;", "#[path=\"../x/a.rs\"]", "include!(\"a.rs\");"] {
            assert!(names(source, "a.rs"), "{source}");
        }
        for source in ["write(\"a.rs\")", "// a.rs", "let path = 1; f(\"a.rs\")", "include_str!(\"b.rs\")"] {
            assert!(!names(source, "a.rs"), "{source}");
        }
    }

    #[test]
    fn a_manifest_is_known_by_its_name() {
        assert!(is_named(&RelPath::new("Cargo.toml"), "Cargo.toml"));
        assert!(is_named(&RelPath::new("a/Cargo.toml"), "Cargo.toml"));
        assert!(!is_named(&RelPath::new("MyCargo.toml"), "Cargo.toml"));
    }
}
