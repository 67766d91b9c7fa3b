//! Reads cargo's own configuration: the target of builds, the programs that cargo starts, and the files involved.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_config2::{Config, Error, PathAndArgs, ResolveOptions};
use toml::{Table, Value};

use super::environment::Env;
use super::program::{Programs, read_text};
use crate::disk;
use crate::model::path::RelPath;
use crate::model::workspace::Workspace;

/// Returns the target triple that cargo builds for without `--target`: the configured one, or else the host.
/// Returns `None` if several are configured or the configuration can't be read.
pub fn default_target(workspace: &Workspace, programs: &Programs, env: &Env) -> Option<String> {
    let targets = load(&workspace.root, programs, env).ok()?.build_target_for_config::<_, &str>([]).ok()?;
    match targets.as_slice() {
        [target] => Some(target.triple().to_owned()),
        _ => None,
    }
}

/// Returns the flags that cargo passes to rustc for `target`, or `None` if the configuration can't be read.
pub fn compiler_flags(
    workspace: &Workspace,
    programs: &Programs,
    env: &Env,
    target: Option<&str>,
) -> Option<Vec<String>> {
    let config = load(&workspace.root, programs, env).ok()?;
    let flags = config.rustflags(target?).ok()?;
    Some(flags.map_or_else(Vec::new, |flags| flags.flags))
}

/// Loads the configuration that applies to the workspace at `root`.
pub(super) fn load(root: &Path, programs: &Programs, env: &Env) -> Result<Config, Error> {
    let mut options = ResolveOptions::default().env(env.vars()).cargo(programs.cargo());
    if let Some(rustc) = programs.find("rustc") {
        options = options.rustc(PathAndArgs::new(rustc));
    }
    Config::load_with_options(root, options)
}

/// The configuration files of cargo and their content.
#[derive(Debug, Default)]
pub struct CargoConfig {
    /// All paths that cargo searches, existing or not, each with a name that is the same on every machine.
    pub files: Vec<(String, PathBuf)>,
    /// Parsed files, nearest first, each with the base directory of its relative paths.
    tables: Vec<(PathBuf, Table)>,
    seen: BTreeSet<PathBuf>,
}

impl CargoConfig {
    /// Reads the configuration that cargo would use when started in `root`.
    pub fn read(root: &Path, env: &Env) -> Self {
        let mut config = Self::default();
        for dir in root.ancestors() {
            for name in ["config.toml", "config"] {
                let path = dir.join(".cargo").join(name);
                let name = RelPath::between(root, &path).map(|path| path.to_string());
                config.add(root, name.unwrap_or_default(), path);
            }
        }
        let home = env.get("HOME").or_else(|| env.get("USERPROFILE"));
        let home = env
            .get("CARGO_HOME")
            .map(|home| root.join(home))
            .or(home.map(|home| Path::new(home).join(".cargo")));
        for name in ["config.toml", "config"] {
            home.iter().for_each(|home| config.add(root, format!("$CARGO_HOME/{name}"), home.join(name)));
        }
        config
    }

    /// Returns the files named by `--config` in `args` and the files they include, in addition to those of the
    /// workspace.
    pub fn named<'a>(root: &Path, args: impl IntoIterator<Item = &'a str>) -> Vec<(String, PathBuf)> {
        let mut config = Self::default();
        let mut is_value = false;
        for arg in args {
            let named = arg.strip_prefix("--config=").or(Some(arg).filter(|_| is_value));
            is_value = arg == "--config";
            if let Some(named) = named.filter(|named| root.join(named).is_file()) {
                config.add(root, named.to_owned(), root.join(named));
            }
        }
        config.files
    }

    /// Adds a file and the files it includes.
    fn add(&mut self, root: &Path, name: String, path: PathBuf) {
        if !self.seen.insert(path.clone()) {
            return;
        }
        self.files.push((name.clone(), path.clone()));
        let Some(table) = read_text(&path).and_then(|text| text.parse::<Table>().ok()) else {
            return;
        };
        let Some(dir) = path.parent().map(Path::to_path_buf) else { return };
        let included = match table.get("include") {
            Some(Value::Array(files)) => files.clone(),
            Some(file) => vec![file.clone()],
            None => Vec::new(),
        };
        self.tables.push((dir.parent().unwrap_or(&dir).to_path_buf(), table));
        let (base, _) = name.rsplit_once('/').unwrap_or_default();
        for file in included.iter().filter_map(|file| file.get("path").unwrap_or(file).as_str()) {
            let path = disk::without_dots(&dir.join(file));
            let name = match name.starts_with('$') {
                true => format!("{base}/{file}"),
                false => RelPath::between(root, &path).map(|path| path.to_string()).unwrap_or_default(),
            };
            self.add(root, name, path);
        }
    }

    /// Returns the expansion of `cargo NAME` if it is an alias.
    pub(super) fn alias(&self, name: &str) -> Option<Vec<String>> {
        let alias = self.tables.iter().find_map(|(_, table)| table.get("alias")?.get(name))?;
        Some(match alias {
            Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
            alias => alias.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// Returns the configured programs that replace or wrap the compiler.
    pub(super) fn programs(&self) -> Vec<String> {
        let programs = self.tables.iter().flat_map(|(base, table)| {
            let keys = ["rustc", "rustc-wrapper", "rustc-workspace-wrapper", "rustdoc"];
            let named = keys.into_iter().filter_map(|key| table.get("build")?.get(key)?.as_str());
            named.map(|named| match named.contains(['/', std::path::MAIN_SEPARATOR]) {
                true => base.join(named).to_string_lossy().into_owned(),
                false => named.to_owned(),
            })
        });
        programs.collect()
    }

    /// Returns the values of the variable `name` in `[env]`.
    pub fn variable(&self, name: &str) -> Vec<PathBuf> {
        let values = self.tables.iter().filter_map(|(base, table)| {
            let entry = table.get("env")?.get(name)?;
            let value = entry.get("value").unwrap_or(entry).as_str()?;
            let is_relative = entry.get("relative").and_then(Value::as_bool) == Some(true);
            Some(if is_relative { base.join(value) } else { PathBuf::from(value) })
        });
        values.collect()
    }

    /// Returns the configured target specification files.
    pub fn target_files(&self) -> Vec<PathBuf> {
        let targets = self.tables.iter().flat_map(|(base, table)| {
            let target = table.get("build").and_then(|build| build.get("target"));
            let targets = match target {
                Some(Value::Array(targets)) => targets.clone(),
                target => target.into_iter().cloned().collect(),
            };
            let files = targets.into_iter().filter_map(|target| {
                target.as_str().filter(|target| target.ends_with(".json")).map(|target| base.join(target))
            });
            files.collect::<Vec<_>>()
        });
        targets.collect()
    }
}
