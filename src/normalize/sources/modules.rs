//! Follows `mod` declarations from file to file.
//!
//! The result cache has its own walk. It needs every file that may be read, so it also follows declarations whose `cfg`
//! can't be true.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::{Module, Scanned, scan};
use crate::model::cfg::Cfg;
use crate::model::path::RelPath;
use crate::normalize::reads::{join, without_dots};

/// A possible file of a crate, reached by following modules from its root.
#[derive(Debug)]
pub struct ReachedFile {
    /// Path of the file.
    pub path: RelPath,
    /// Conditions of the declarations that lead to the file.
    pub cfgs: Vec<Cfg>,
    /// Content of the file; `None` if there is none at this path.
    pub scanned: Option<Scanned>,
}

/// Returns the possible files of the crate with this root whose conditions `may_hold`. All files at the same depth are read at
/// once.
///
/// # Errors
///
/// If `read` fails.
pub fn follow<E>(
    root: &RelPath,
    read: impl Fn(&mut dyn Iterator<Item = &RelPath>) -> Result<BTreeMap<RelPath, Vec<u8>>, E>,
    may_hold: &dyn Fn(&[Cfg]) -> bool,
) -> Result<Vec<ReachedFile>, E> {
    let mut seen = BTreeSet::new();
    let mut level = vec![(SourceFile::root(root), Vec::new())];
    let mut reached = Vec::new();
    while !level.is_empty() {
        level.retain(|(file, _)| seen.insert(file.path.clone()));
        let texts = read(&mut level.iter().map(|(file, _)| &file.path))?;
        let mut next = Vec::new();
        for (file, cfgs) in level {
            let scanned = texts.get(&file.path).map(|text| scan(&String::from_utf8_lossy(text)));
            for (scanned, module) in scanned.iter().flat_map(|it| it.modules.iter().map(move |at| (it, at))) {
                let cfgs: Vec<_> = cfgs.iter().chain(&scanned.file).chain(&module.cfgs).cloned().collect();
                if may_hold(&cfgs) {
                    next.extend(file.candidates(module).into_iter().map(|file| (file, cfgs.clone())));
                }
            }
            reached.push(ReachedFile { path: file.path, cfgs, scanned });
        }
        level = next;
    }
    Ok(reached)
}

/// Source file of a crate, with the directory of its modules.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SourceFile {
    /// Path of the file.
    path: RelPath,
    /// Directory that contains the files of its modules.
    modules: RelPath,
}

impl SourceFile {
    /// Returns the root file of a target.
    fn root(path: &RelPath) -> Self {
        Self { path: path.clone(), modules: RelPath::new(path.dir()) }
    }

    /// Returns the possible files of `module`, declared in this file.
    fn candidates(&self, module: &Module) -> Vec<Self> {
        if module.is_included {
            let beside = RelPath::new(self.path.dir());
            let included = |path: &String| Self {
                path: without_dots(&join(&beside, path)),
                modules: self.modules.clone(),
            };
            return module.paths.iter().map(included).collect();
        }
        let Some((name, outer)) = module.names.split_last() else { return Vec::new() };
        let base = outer.iter().fold(self.modules.clone(), |dir, name| dir.join(name));
        let given_from = if outer.is_empty() { RelPath::new(self.path.dir()) } else { base.clone() };
        let given = module.paths.iter().map(|path| Self::root(&without_dots(&join(&given_from, path))));
        let modules = base.join(name);
        let default = [base.join(format!("{name}.rs")), modules.join("mod.rs")];
        let default = default.into_iter().map(|path| Self { path, modules: modules.clone() });
        given.chain(default).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan;
    use super::*;

    #[track_caller]
    fn check(file: &SourceFile, source: &str, expected: &[(&str, &str)]) {
        let found: Vec<_> = scan(source).modules.iter().flat_map(|module| file.candidates(module)).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(path, modules)| SourceFile { path: RelPath::new(path), modules: RelPath::new(modules) })
            .collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn modules_lie_where_the_compiler_looks_for_them() {
        let root = SourceFile::root(&RelPath::new("a/src/lib.rs"));
        check(&root, "mod b;", &[("a/src/b.rs", "a/src/b"), ("a/src/b/mod.rs", "a/src/b")]);
        let b = SourceFile { path: RelPath::new("a/src/b.rs"), modules: RelPath::new("a/src/b") };
        check(&b, "mod c;", &[("a/src/b/c.rs", "a/src/b/c"), ("a/src/b/c/mod.rs", "a/src/b/c")]);
        check(
            &b,
            "mod x { mod c; }",
            &[("a/src/b/x/c.rs", "a/src/b/x/c"), ("a/src/b/x/c/mod.rs", "a/src/b/x/c")],
        );
        check(&b, "include!(\"i.rs\");", &[("a/src/i.rs", "a/src/b")]);
        let path = "#[path = \"../far/c.rs\"] mod c;";
        check(
            &b,
            path,
            &[("a/far/c.rs", "a/far"), ("a/src/b/c.rs", "a/src/b/c"), ("a/src/b/c/mod.rs", "a/src/b/c")],
        );
        let top = SourceFile::root(&RelPath::new("build.rs"));
        check(&top, "mod b;", &[("b.rs", "b"), ("b/mod.rs", "b")]);
    }
}
