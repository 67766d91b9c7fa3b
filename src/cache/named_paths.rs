//! Files and directories that something names which the tool is given: its command line, the text of its script, or flags of
//! compilers.
//!
//! A named directory stands for the files of the workspace in it, or for everything in it if git lists none of that. The tool may
//! write what is named, so a change during the run takes no verdict from it. Then the result is not cached.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::inputs::{KeyInputs, OtherInputs, Uncacheable};
use super::key::{PartKind, Parts};
use super::source_names::native_libraries;
use crate::disk;
use crate::model::digest::{Hasher, Sink};
use crate::model::path::RelPath;
use crate::model::tool::{Arg, Tool, ToolId};
use crate::model::workspace::{File, FileId};
use crate::normalize::reads;
use crate::scan::{add_named_through, paths_in, read_text};
use crate::workspace;

impl KeyInputs<'_> {
    /// Returns the existing files that the command line of tool `id` or its script names, also after `=` or `@`, without files
    /// that count anyway.
    pub(super) fn arguments(&self, id: ToolId, tool: &Tool) -> BTreeSet<PathBuf> {
        let root = &self.workspace.root;
        let named = self.declared.named(id);
        let within = |path: &Path| self.workspace.find(&RelPath::between(root, path)?);
        let program = &self.identities[id.0 as usize].files;
        let is_counted = |path: &Path| {
            within(path).is_some_and(|file| named.contains(&file))
                || program.iter().any(|(_, program)| program == path)
        };
        self.named(id, tool).filter(|path| path.is_file() && !is_counted(path)).collect()
    }

    /// Returns everything that may be named.
    fn named(&self, id: ToolId, tool: &Tool) -> impl Iterator<Item = PathBuf> {
        let words = tool.run.iter().filter_map(Arg::literal).chain(tool.args.iter().map(String::as_str));
        let start = tool.start_dir(&self.workspace.root);
        let paths = words.flat_map(paths_in).map(|name| disk::without_dots(&start.join(name)));
        let mut paths: BTreeSet<_> = paths.collect();
        for path in paths.clone() {
            add_named_through(&path, &start, &self.workspace.root, &mut paths);
        }
        paths.into_iter().chain(self.identities[id.0 as usize].named.iter().cloned())
    }

    /// Adds the content of the directories that the command line of tool `id` or its script names.
    ///
    /// # Errors
    ///
    /// If one can't be read or contains too much, with the reason.
    pub(super) fn add_named_dirs(
        &self,
        id: ToolId,
        parts: &mut Parts,
        others: &mut OtherInputs,
    ) -> Result<(), Uncacheable> {
        let tool = self.plan.graph.tool(id);
        let start = tool.start_dir(&self.workspace.root);
        let outputs = [&self.workspace.target_dir, &self.workspace.build_dir];
        let counts = |dir: &PathBuf| {
            dir.is_dir()
                && !start.starts_with(dir)
                && !self.real_root.starts_with(dir)
                && !outputs.iter().any(|output| dir.starts_with(output))
                && !dir.components().any(|part| part.as_os_str() == ".git")
        };
        for dir in self.named(id, tool).filter(counts).collect::<BTreeSet<_>>() {
            let name = RelPath::between(&self.workspace.root, &dir);
            let name = name.map_or_else(|| dir.display().to_string(), |name| name.to_string());
            let mut hasher = Hasher::new("genti.named.1");
            let listed = self.listed_below(&dir);
            for &(id, file) in &listed {
                others.named.push(id);
                let too_much = || format!("the link {} leads to too many files", file.path);
                self.feed(id, file, &mut hasher).ok_or_else(too_much)?;
            }
            if listed.is_empty() {
                for place in self.everything_in(&dir, &name)? {
                    hasher.field("path", place.as_os_str().as_encoded_bytes());
                    let digest = self.read(&place)?;
                    hasher.field("content", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
                    others.arguments.push(place);
                }
            }
            parts.add(PartKind::Inputs, format!("directory {name}"), hasher.finish());
        }
        Ok(())
    }

    /// Returns the files of the workspace below `dir`.
    fn listed_below(&self, dir: &Path) -> Vec<(FileId, &File)> {
        let Some(path) = RelPath::between(&self.workspace.root, dir) else { return Vec::new() };
        let files = self.workspace.files.iter().enumerate();
        files
            .filter(|(_, file)| file.path.is_within(&path))
            .map(|(at, file)| (FileId(at as u32), file))
            .collect()
    }

    fn everything_in(&self, dir: &Path, name: &str) -> Result<Vec<PathBuf>, Uncacheable> {
        const MOST: usize = 10_000;
        let left_out = [self.workspace.target_dir.clone(), self.workspace.build_dir.clone()];
        let files = workspace::everything_below(dir, &left_out, MOST).ok_or_else(|| {
            format!("the directory `{name}` contains more than 10,000 files, or an unreadable one")
        })?;
        Ok(files.into_iter().map(|(_, place)| place).collect())
    }

    /// Adds the modules that the script of tool `id` may load: all files of the workspace in its language.
    pub(super) fn add_modules(&self, id: ToolId, parts: &mut Parts, others: &mut OtherInputs) {
        let extensions = &self.identities[id.0 as usize].modules;
        if extensions.is_empty() {
            return;
        }
        let is_module = |file: &File| {
            let name = file.path.file_name();
            let end = name.iter().rposition(|&byte| byte == b'.').map(|at| &name[at + 1..]);
            end.is_some_and(|end| extensions.iter().any(|extension| extension.as_bytes() == end))
        };
        let mut hasher = Hasher::new("genti.modules.1");
        for (at, file) in self.workspace.files.iter().enumerate().filter(|(_, file)| is_module(file)) {
            others.named.push(FileId(at as u32));
            hasher.field("path", file.path.as_bytes());
            hasher.field("content", &file.digest.0);
        }
        parts.add(PartKind::Inputs, "modules that its script may load", hasher.finish());
    }

    /// Returns the existing files that flags of compilers name, in variables or in cargo's configuration, and in files of flags.
    pub(super) fn flag_files(&self) -> BTreeSet<PathBuf> {
        let root = &self.workspace.root;
        let mut words = self.config.compiler_flags();
        for (name, value) in self.env.vars() {
            let name = name.to_string_lossy();
            if name.ends_with("FLAGS") && (name.starts_with("RUST") || name.starts_with("CARGO_")) {
                let value = value.to_string_lossy();
                words.extend(value.split(['\u{1f}', ' ', '\t', '\n']).map(str::to_owned));
            }
        }
        let outputs = [&self.workspace.target_dir, &self.workspace.build_dir];
        let mut found = BTreeSet::new();
        while let Some(word) = words.pop() {
            for path in reads::flag_paths(&word).map(|name| disk::without_dots(&root.join(name))) {
                if path.is_file() && found.insert(path.clone()) && word.starts_with('@') {
                    let text = read_text(&path).unwrap_or_default();
                    words.extend(text.lines().map(str::to_owned));
                } else if path.is_dir() && !outputs.iter().any(|output| path.starts_with(output)) {
                    // The linker searches it for libraries.
                    found.extend(native_libraries(&path, &BTreeSet::new()));
                }
            }
        }
        found
    }
}
