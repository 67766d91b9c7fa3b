//! Reads cargo's own configuration: the target of builds, the programs that cargo starts, and the files involved.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use cargo_config2::{Config, Error, PathAndArgs, ResolveOptions};
use toml::{Table, Value};

use super::environment::{Env, FLAGS};
use super::lint_levels;
use super::program::{Programs, read_text};
use crate::disk;
use crate::model::notice::IgnoredLevels;
use crate::model::path::RelPath;

/// Returns the target triple that cargo builds for without `--target` in the workspace at `root`: the configured one, or else the host.
/// Returns `None` if several are configured or the configuration can't be read.
pub fn default_target(root: &Path, programs: &Programs, env: &Env) -> Option<String> {
    let targets = load(root, programs, env).ok()?.build_target_for_config::<_, &str>([]).ok()?;
    match targets.as_slice() {
        [target] => Some(target.triple().to_owned()),
        _ => None,
    }
}

/// Returns the flags that cargo passes to rustc for `target` in the workspace at `root`, or `None` if the configuration can't be read.
pub fn compiler_flags(
    root: &Path,
    programs: &Programs,
    env: &Env,
    target: Option<&str>,
) -> Option<Vec<String>> {
    let config = load(root, programs, env).ok()?;
    let flags = config.rustflags(target?).ok()?;
    Some(flags.map_or_else(Vec::new, |flags| flags.flags))
}

/// Returns variables that replace the flags of compilers in cargo's configuration, without `levels`, for a build of `target` in
/// the workspace at `root` with the variables `vars`.
///
/// # Errors
///
/// If the configuration can't be read, or if one variable can't have the flags of all targets.
pub(super) fn flags_without(
    levels: &[IgnoredLevels],
    (root, programs): (&Path, &Programs),
    vars: &BTreeMap<OsString, OsString>,
    target: Option<&str>,
) -> Result<Vec<(&'static str, OsString)>, String> {
    let unreadable = |error: Error| format!("could not read cargo's configuration: {error}");
    let config = load_with(root, programs, vars.iter()).map_err(unreadable)?;
    let targets = config.build_target_for_config(target).map_err(unreadable)?;
    let mut replaced = Vec::new();
    for (plain, encoded) in FLAGS {
        // Cargo reads only one source of flags, and these come first.
        if [plain, encoded].iter().any(|name| vars.contains_key(OsStr::new(name))) {
            continue;
        }
        let flags = targets.iter().map(|target| {
            let flags = match plain {
                "RUSTFLAGS" => config.rustflags(target),
                _ => config.rustdocflags(target),
            };
            flags.map(|flags| flags.map(|flags| flags.flags).unwrap_or_default())
        });
        let flags = flags.collect::<Result<BTreeSet<_>, _>>().map_err(unreadable)?;
        let kept: BTreeSet<_> =
            flags.iter().map(|flags| lint_levels::without(flags.clone(), levels)).collect();
        if kept != flags {
            let [kept] = Vec::from_iter(kept).try_into().map_err(|_| several(levels))?;
            replaced.push((encoded, kept.join("\u{1f}").into()));
        }
    }
    if levels.iter().any(|ignored| ignored.levels.iter().any(|level| level.starts_with(WARNINGS))) {
        replaced.push(("CARGO_BUILD_WARNINGS", "warn".into()));
    }
    Ok(replaced)
}

/// Beginning of a lint level that is not a flag.
const WARNINGS: &str = "warnings = ";

fn several(levels: &[IgnoredLevels]) -> String {
    let files: Vec<_> = levels.iter().map(|ignored| ignored.variable.as_str()).collect();
    format!(
        "cargo builds for several targets with different flags, so lint levels in {} can't be ignored; remove them there",
        files.join(" and ")
    )
}

/// Loads the configuration that applies to the workspace at `root`.
pub(super) fn load(root: &Path, programs: &Programs, env: &Env) -> Result<Config, Error> {
    load_with(root, programs, env.vars())
}

fn load_with<'v>(
    root: &Path,
    programs: &Programs,
    vars: impl IntoIterator<Item = (&'v OsString, &'v OsString)>,
) -> Result<Config, Error> {
    let mut options = ResolveOptions::default().env(vars).cargo(programs.cargo());
    if let Some(rustc) = programs.find("rustc") {
        options = options.rustc(PathAndArgs::new(rustc));
    }
    // Otherwise `cargo -vV` is asked at each loading, which also finds out about the operating system with over 20 processes.
    if let Some(host) = programs.host() {
        options = options.host_triple(host);
    }
    Config::load_with_options(root, options)
}

/// Keys of `[build]` with a program that replaces or wraps rustc.
const RUSTC: [&str; 3] = ["rustc", "rustc-wrapper", "rustc-workspace-wrapper"];

/// The configuration files of cargo and their content.
#[derive(Debug, Default)]
pub struct CargoConfig {
    /// All paths that cargo searches, existing or not, each with a name that is the same on every machine.
    pub files: Vec<(String, PathBuf)>,
    /// Parsed files, nearest first.
    parsed: Vec<ParsedFile>,
    seen: BTreeSet<PathBuf>,
}

/// A configuration file that exists.
#[derive(Debug)]
struct ParsedFile {
    name: String,
    path: PathBuf,
    /// Base directory of its relative paths.
    base: PathBuf,
    table: Table,
}

/// Returns the program `named` by a file of the configuration: a path relative to `base`, or a name to search for.
fn program_at(base: &Path, named: &str) -> String {
    match named.contains(['/', std::path::MAIN_SEPARATOR]) {
        true => base.join(named).to_string_lossy().into_owned(),
        false => named.to_owned(),
    }
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
        let base = dir.parent().unwrap_or(&dir).to_path_buf();
        self.parsed.push(ParsedFile { name: name.clone(), path, base, table });
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

    /// Returns the lint levels that files set, each with the path of the file.
    pub fn levels(&self) -> Vec<(&Path, IgnoredLevels)> {
        let levels = self.parsed.iter().filter_map(|ParsedFile { name, path, table, .. }| {
            let build = table.get("build");
            let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
            let lists = build.into_iter().chain(targets).flat_map(|table| {
                ["rustflags", "rustdocflags"].into_iter().filter_map(|key| table.get(key)).map(flags)
            });
            let mut ignored = lint_levels::in_flags(lists);
            if let Some(Value::String(warnings)) = build.and_then(|build| build.get("warnings")) {
                ignored.levels.push(format!("{WARNINGS}\"{warnings}\""));
                ignored.only_raises &= warnings == "deny";
            }
            ignored.variable.clone_from(name);
            (!ignored.levels.is_empty()).then_some((path.as_path(), ignored))
        });
        levels.collect()
    }

    /// Returns the expansion of `cargo NAME` if it is an alias.
    pub(super) fn alias(&self, name: &str) -> Option<Vec<String>> {
        let alias = self.parsed.iter().find_map(|file| file.table.get("alias")?.get(name))?;
        Some(match alias {
            Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
            alias => alias.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// Returns the configured programs that replace or wrap the compiler, and linkers.
    pub(super) fn programs(&self) -> Vec<String> {
        [self.programs_at(RUSTC.iter().chain(&["rustdoc"])), self.linkers()].concat()
    }

    /// Returns true if a configured program replaces or wraps rustc or its linker.
    pub fn has_own_rustc(&self) -> bool {
        !self.programs_at(&RUSTC).is_empty() || !self.linkers().is_empty()
    }

    /// Returns the linkers of all targets.
    fn linkers(&self) -> Vec<String> {
        let linkers = self.parsed.iter().flat_map(|ParsedFile { base, table, .. }| {
            let groups = ["host", "target"].into_iter().filter_map(|key| table.get(key)?.as_table());
            let tables = groups.flat_map(|group| {
                std::iter::once(group.get("linker")).chain(group.values().map(|one| one.get("linker")))
            });
            tables.flatten().filter_map(Value::as_str).map(|named| program_at(base, named))
        });
        linkers.collect()
    }

    /// Returns the programs at these `keys` of `[build]`.
    fn programs_at<'k>(&self, keys: impl IntoIterator<Item = &'k &'k str> + Clone) -> Vec<String> {
        let programs = self.parsed.iter().flat_map(|ParsedFile { base, table, .. }| {
            let named = keys.clone().into_iter().filter_map(|key| table.get("build")?.get(*key)?.as_str());
            named.map(|named| program_at(base, named))
        });
        programs.collect()
    }

    /// Returns the flags of compilers for any target or profile.
    pub fn compiler_flags(&self) -> Vec<String> {
        let tables = self.parsed.iter().flat_map(|ParsedFile { table, .. }| {
            let nested =
                ["host", "profile", "target"].into_iter().filter_map(|key| table.get(key)?.as_table());
            table.get("build").into_iter().chain(nested.flat_map(Table::values))
        });
        let lists = tables.flat_map(|table| ["rustflags", "rustdocflags"].map(|key| table.get(key)));
        lists.flatten().flat_map(flags).collect()
    }

    /// Returns the values of the variable `name` in `[env]`.
    pub fn variable(&self, name: &str) -> Vec<PathBuf> {
        let values = self.parsed.iter().filter_map(|ParsedFile { base, table, .. }| {
            let entry = table.get("env")?.get(name)?;
            let value = entry.get("value").unwrap_or(entry).as_str()?;
            let is_relative = entry.get("relative").and_then(Value::as_bool) == Some(true);
            Some(if is_relative { base.join(value) } else { PathBuf::from(value) })
        });
        values.collect()
    }

    /// Returns the configured target specification files.
    pub fn target_files(&self) -> Vec<PathBuf> {
        let targets = self.parsed.iter().flat_map(|ParsedFile { base, table, .. }| {
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

/// Returns the flags in a list, or in a text in which white space separates them.
fn flags(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        value => {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        }
    }
}
