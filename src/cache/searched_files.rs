//! Files that a tool searches for or that its command line names, and that are not inputs of its tasks: configuration above the
//! workspace, in the user's directories, or in an ignored file.
//!
//! Each tool searches in its own way, which its definition states ([`Search`]). Absent files count too, because their appearance
//! is a change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::inputs::KeyInputs;
use crate::disk;
use crate::model::path::RelPath;
use crate::model::tool::{Arg, Search, SearchStart, Tool, ToolId};
use crate::model::workspace::Workspace;
use crate::scan::{CargoConfig, read_text};
use crate::workspace;

/// Values of unset variables, relative to the user's home directory.
const DEFAULTS: [(&str, &str); 5] = [
    ("CARGO_HOME", ".cargo"),
    ("RUSTUP_HOME", ".rustup"),
    ("XDG_CACHE_HOME", ".cache"),
    ("XDG_CONFIG_HOME", ".config"),
    ("XDG_DATA_HOME", ".local/share"),
];

impl KeyInputs<'_> {
    /// Returns the files, present or absent, that the tool searches for. Each has a name that is the same on every machine.
    pub(super) fn searched(&self, id: ToolId) -> Vec<(String, PathBuf)> {
        let tool = self.plan.graph.tool(id);
        let mut found = SearchedFiles::new(self, id);
        // The key of a sandboxed test does not include the id of its task, and cargo's configuration may set its variables.
        found.skips_declared = !(tool.is_observed() && tool.uses_executable());
        let uses_cargo = self.uses_cargo(id);
        for search in &tool.searches {
            found.search(search, uses_cargo);
        }
        if uses_cargo {
            let dir = tool.start_dir(&self.workspace.root);
            let own = tool.dir.as_ref().map(|_| CargoConfig::read(&dir, self.env));
            let config = own.as_ref().unwrap_or(&self.config);
            for (name, path) in &config.files {
                found.add(name.clone(), path.clone());
            }
            let args = tool.args.iter().map(String::as_str).chain(tool.run.iter().filter_map(Arg::literal));
            for (name, path) in CargoConfig::named(&dir, args) {
                found.add(name, path);
            }
            let target = self
                .plan
                .build_of(tool)
                .selection
                .target
                .as_deref()
                .filter(|target| target.ends_with(".json"));
            let targets = target.map(|target| tool.workspace_root(&self.workspace.root).join(target));
            for path in targets.into_iter().chain(config.target_files()).chain(self.flag_files()) {
                found.add_place(path);
            }
        }
        found.named(tool);
        found.excluded();
        found.paths
    }

    /// Returns the files, present or absent, that the tool searches for from a fixed place, such as the directory in a
    /// variable. Includes inputs of its tasks.
    pub(super) fn searched_from_fixed_places(&self, id: ToolId) -> impl Iterator<Item = PathBuf> {
        let mut found = SearchedFiles::new(self, id);
        let searches = &self.plan.graph.tool(id).searches;
        for search in searches.iter().filter(|search| search.start != SearchStart::Files) {
            found.search(search, self.uses_cargo(id));
        }
        found.paths.into_iter().map(|(_, path)| path)
    }

    /// Returns the existing files outside of the repository in which tool `id` finds its configuration. None if the repository
    /// has one in its root, because then the search ends there.
    pub(super) fn configuration_outside(&self, id: ToolId) -> Vec<String> {
        let root = &self.workspace.root;
        let top = workspace::repository(root).unwrap_or(root);
        let searches = || self.plan.graph.tool(id).searches.iter().filter(|search| is_configuration(search));
        if searches().any(|search| [root, top].iter().any(|dir| dir.join(&search.name).is_file())) {
            return Vec::new();
        }
        let mut found = SearchedFiles::new(self, id);
        for search in searches() {
            match search.start {
                SearchStart::Files => {
                    top.ancestors().skip(1).for_each(|dir| found.add_place(dir.join(&search.name)));
                }
                _ => found.search(search, self.uses_cargo(id)),
            }
        }
        let outside = found.paths.into_iter().filter(|(_, path)| !path.starts_with(top) && path.is_file());
        outside.map(|(name, _)| name).collect()
    }

    fn uses_cargo(&self, id: ToolId) -> bool {
        self.plan.graph.tool(id).inherits() || self.identities[id.0 as usize].runs_cargo
    }

    /// Returns every directory that contains a file or package of the workspace, and all directories above it, with links both
    /// resolved and unresolved.
    pub(super) fn dirs(&self) -> &[PathBuf] {
        self.dirs.0.get_or_init(|| {
            let Workspace { root, files, packages, .. } = self.workspace;
            // Most files are in the same directory as the file before.
            let mut last = None;
            let of_files = files.iter().map(|file| file.path.dir());
            let of_files = of_files.filter(|dir| last.replace(*dir) != Some(*dir)).map(RelPath::new);
            // A link may lead to a directory.
            let links = files.iter().filter(|file| file.is_link).map(|file| file.path.clone());
            let of_packages = packages.iter().flat_map(|package| {
                let roots = package.targets.iter().map(|target| RelPath::new(target.root.dir()));
                roots.chain([package.dir.clone()])
            });
            let mut within: BTreeSet<RelPath> = BTreeSet::from([RelPath::default()]);
            for dir in of_files.chain(links).chain(of_packages) {
                let mut dir = Some(dir);
                while let Some(next) = dir.filter(|dir| !dir.is_outside() || dir.file_name() != b"..") {
                    dir = next.parent();
                    // If the directory has been visited, so have all directories above it.
                    if !within.insert(next) {
                        break;
                    }
                }
            }
            let mut dirs: BTreeSet<PathBuf> = BTreeSet::new();
            let mut climb = |dir: &Path| {
                dir.ancestors().all(|dir| dirs.insert(dir.to_path_buf()));
            };
            for dir in &within {
                let place = disk::without_dots(&dir.to_path(root));
                let is_link = place.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
                if is_link || dir.is_root() {
                    let real = place.canonicalize().ok().filter(|real| real.is_dir());
                    real.iter().for_each(|real| climb(real));
                    // A link to a file is skipped under both names.
                    real.iter().for_each(|_| climb(&place));
                } else {
                    climb(&place);
                }
            }
            dirs.into_iter().collect()
        })
    }
}

/// Returns true if `search` is for the configuration of a tool, and not for that of git or for manifests, which everybody has.
fn is_configuration(search: &Search) -> bool {
    const OTHERS: [&str; 8] = [
        ".git/info/exclude",
        ".gitconfig",
        ".gitignore",
        ".ignore",
        "Cargo.toml",
        "git/config",
        "git/ignore",
        "pyproject.toml",
    ];
    !OTHERS.contains(&&*search.name)
}

/// The files that one tool searches for.
struct SearchedFiles<'a, 'b> {
    inputs: &'a KeyInputs<'b>,
    id: ToolId,
    paths: Vec<(String, PathBuf)>,
    seen: BTreeSet<PathBuf>,
    /// Number of files with each name.
    names: BTreeMap<String, u32>,
    /// Leave out files that are inputs of every task of the tool.
    skips_declared: bool,
}

impl<'a, 'b> SearchedFiles<'a, 'b> {
    fn new(inputs: &'a KeyInputs<'b>, id: ToolId) -> Self {
        let (paths, seen, names) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
        Self { inputs, id, paths, seen, names, skips_declared: false }
    }

    fn add(&mut self, name: String, path: PathBuf) {
        let KeyInputs { workspace, declared, .. } = self.inputs;
        let within = RelPath::between(&workspace.root, &path);
        let file = within.as_ref().and_then(|path| workspace.find(path));
        let is_declared = |file| declared.shared(self.id).binary_search(&file).is_ok();
        let is_skipped = self.skips_declared && file.is_some_and(is_declared);
        if !is_skipped && self.seen.insert(path.clone()) {
            // A variable may lead to several files with one name. Their order distinguishes them.
            let count = self.names.entry(name.clone()).or_insert(0);
            *count += 1;
            let name = if *count == 1 { name } else { format!("{name} ({count})") };
            self.paths.push((name, path));
        }
    }

    /// Adds a file under its path from the workspace root.
    fn add_place(&mut self, path: PathBuf) {
        let path = disk::without_dots(&path);
        let name = RelPath::between(&self.inputs.workspace.root, &path);
        self.add(name.map_or_else(|| path.display().to_string(), |name| name.to_string()), path);
    }

    fn search(&mut self, search: &Search, uses_cargo: bool) {
        let inputs = self.inputs;
        let root = &inputs.workspace.root;
        let Search { start, upwards, name } = search;
        match start {
            SearchStart::Files => {
                for dir in inputs.dirs() {
                    self.add_place(dir.join(name));
                }
            }
            SearchStart::Absolute => self.add(name.clone(), PathBuf::from(name)),
            SearchStart::Root => {
                self.search_from(&inputs.plan.graph.tool(self.id).start_dir(root), "", search)
            }
            SearchStart::Home => {
                let home = inputs.env.get("HOME").or_else(|| inputs.env.get("USERPROFILE"));
                home.into_iter().for_each(|home| self.add(format!("~/{name}"), Path::new(home).join(name)));
            }
            SearchStart::Variable(variable) => {
                let of_cargo = if uses_cargo { inputs.config.variable(variable) } else { Vec::new() };
                let value = inputs.env.get(variable);
                let values = value.into_iter().flat_map(|value| match variable.ends_with("DIRS") {
                    true => std::env::split_paths(value).collect(),
                    false => vec![PathBuf::from(value)],
                });
                let home = inputs.env.get("HOME").map(Path::new);
                let default = DEFAULTS.iter().find(|(name, _)| name == variable);
                let default = default.and_then(|(_, dir)| Some(home?.join(dir)));
                // The default applies to unset variables, and to XDG variables whose value is not absolute.
                let is_base = variable.starts_with("XDG_");
                let default = default.filter(|_| is_base || value.is_none());
                let values: Vec<_> = values.chain(of_cargo).chain(default).collect();
                for dir in values {
                    self.search_from(
                        &root.join(dir),
                        &format!("${variable}/"),
                        &Search { upwards: *upwards, ..search.clone() },
                    );
                }
            }
        }
    }

    /// Searches in `dir` and, if the search goes upwards, in all directories above it, with links both resolved and unresolved.
    fn search_from(&mut self, dir: &Path, prefix: &str, search: &Search) {
        let Search { upwards, name, .. } = search;
        if !upwards {
            return self.add(format!("{prefix}{name}"), dir.join(name));
        }
        let dir = disk::without_dots(dir);
        for start in [Some(dir.clone()), dir.canonicalize().ok()].into_iter().flatten() {
            start.ancestors().for_each(|dir| self.add_place(dir.join(name)));
        }
    }

    /// Adds files that the command line of `tool` names and that are not declared inputs, including names after `=` or `@`.
    fn named(&mut self, tool: &Tool) {
        for path in self.inputs.arguments(self.id, tool) {
            self.add_place(path);
        }
    }

    /// Adds the user's excludes file, if the tool searches for git's configuration and that names one.
    fn excluded(&mut self) {
        let is_config =
            |(_, path): &&(String, PathBuf)| path.ends_with(".gitconfig") || path.ends_with("git/config");
        let configs: Vec<_> = self.paths.iter().filter(is_config).map(|(_, path)| path.clone()).collect();
        for text in configs.iter().filter_map(|path| read_text(path)) {
            for line in text.lines().map(str::trim) {
                let Some((key, value)) = line.split_once('=') else { continue };
                if !key.trim().eq_ignore_ascii_case("excludesfile") {
                    continue;
                }
                let value = value.trim().trim_matches('"');
                let home = self.inputs.env.get("HOME").map(Path::new);
                match value.strip_prefix("~/") {
                    Some(rest) => {
                        home.into_iter().for_each(|home| self.add(value.to_owned(), home.join(rest)))
                    }
                    None => self.add_place(self.inputs.workspace.root.join(value)),
                }
            }
        }
    }
}
