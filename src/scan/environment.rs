//! Snapshot of the environment and the rules for passing it to child processes. Values never appear in artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::lint_levels;
use super::output_form;
use super::withheld;
use crate::disk;
use crate::model::notice::IgnoredLevels;
use crate::model::service::Service;
use crate::model::tool::{Counted, Environment, Printer, Tool};

/// Variable that lists the directories used by running instances, as digests separated by spaces.
pub(super) const RUNNING: &str = "GENTI_RUNNING";

/// The environment at startup, without the lint levels that it would set for compilers.
#[derive(Clone, Debug, Default)]
pub struct Env {
    vars: BTreeMap<OsString, OsString>,
    ignored: Vec<IgnoredLevels>,
    /// Variables that no process of a tool sees.
    secrets: Secrets,
}

/// Variables whose values are never shown.
#[derive(Clone, Default)]
struct Secrets(BTreeMap<OsString, OsString>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Variables that every tool may see.
const HARMLESS: [&str; 23] = [
    "ALL_PROXY",
    "CARGO_HOME",
    "CI",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SHELL",
    "SOURCE_DATE_EPOCH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USER",
    "USERPROFILE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// Variables that differ between shells and say nothing about the workspace. They are hidden from tools for which
/// all variables count, so they can't affect results.
const SESSION: [&str; 4] = ["OLDPWD", "PWD", "SHLVL", "_"];

/// Variables that name files of a repository, as `git rev-parse --local-env-vars` lists them. Git sets some of them for hooks.
pub const GIT_VARIABLES: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Variables set for every tool, for output that is the same everywhere.
const FIXED: [(&str, &str); 7] = [
    ("CARGO_TERM_COLOR", "never"),
    // In quiet mode, cargo suppresses its warnings.
    ("CARGO_TERM_QUIET", "false"),
    ("GENTI", "1"),
    ("INSTA_UPDATE", "no"),
    ("LC_ALL", "C"),
    ("RUST_BACKTRACE", "0"),
    ("TERM", "dumb"),
];

/// Variables with flags of compilers, and those that cargo reads in place of them.
pub(super) const FLAGS: [(&str, &str); 2] =
    [("RUSTDOCFLAGS", "CARGO_ENCODED_RUSTDOCFLAGS"), ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS")];

/// Variables that may describe a jobserver, in the order in which they are read.
pub(super) const JOBSERVER: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let vars = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { vars, ..Self::default() }
    }
}

impl Env {
    /// Captures the environment of this process.
    pub fn capture() -> Self {
        let mut vars = std::env::vars_os().collect();
        let ignored =
            lint_levels::remove_levels(&mut vars, &|path| disk::read_to_string(Path::new(path)).ok());
        Self { vars, ignored, ..Self::default() }
    }

    /// Hides variables from all processes of tools, and from everything that depends on what they see.
    pub fn hide<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            self.secrets.0.extend(self.vars.remove_entry(OsStr::new(name)));
        }
    }

    /// Returns the value of the hidden variable `name` if it is set and not empty.
    pub fn secret(&self, name: &str) -> Option<&OsStr> {
        self.secrets.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Returns the lint levels removed from the environment.
    pub fn ignored(&self) -> &[IgnoredLevels] {
        &self.ignored
    }

    /// Returns the value of `name` if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Returns the directory of rustup.
    pub(super) fn rustup_home(&self) -> Option<PathBuf> {
        let of_user = || Some(Path::new(self.get("HOME")?).join(".rustup"));
        self.get("RUSTUP_HOME").map(PathBuf::from).or_else(of_user)
    }

    /// Returns whether `name` is set, even to an empty value.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.vars.contains_key(OsStr::new(name))
    }

    /// Sets `name` for this program and its children.
    pub(super) fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.vars.insert(name.into(), value.as_ref().into());
    }

    /// Returns true if genti sets `name` to the same value for all tools on all machines.
    pub fn is_fixed(name: &OsStr) -> bool {
        FIXED.iter().any(|(own, _)| name == *own)
    }

    /// Returns all variables.
    pub(crate) fn vars(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.vars.iter()
    }

    /// Returns the names of the variables that start with `prefix`, sorted.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.vars.keys().filter_map(|name| name.to_str()).filter(move |name| name.starts_with(prefix))
    }

    /// Returns the environment of a process of `tool`. `dirs` are the variables for cargo's build directories, `pool` the
    /// variables of the jobserver, and `jobs` its size.
    pub(super) fn for_tool(
        &self,
        tool: &Tool,
        dirs: [(&'static str, &Path); 2],
        pool: &[(String, OsString)],
        jobs: usize,
    ) -> BTreeMap<OsString, OsString> {
        let mut vars = self.seen_by(tool);
        // Processes started by a test are not builds of this run.
        if tool.inherits() && !tool.uses_executable() {
            vars.extend(dirs.map(|(name, dir)| (name.into(), dir.into())));
            vars.insert("CARGO_BUILD_JOBS".into(), jobs.to_string().into());
        }
        vars.extend(FIXED.map(|(name, value)| (name.into(), value.into())));
        override_vars(&mut vars, set_by(tool).0);
        vars.extend(self.get(RUNNING).map(|value| (RUNNING.into(), value.to_owned())));
        vars.extend(output_form::fixed(tool).map(|(name, value)| (name.into(), value.into())));
        vars.retain(|name, _| !output_form::removed(tool).iter().any(|removed| name == *removed));
        if tool.jobserver {
            vars.extend(pool.iter().map(|(name, value)| (name.into(), value.clone())));
        }
        vars
    }

    /// Returns the environment of a process of `service`.
    pub(super) fn for_service(&self, service: &Service) -> BTreeMap<OsString, OsString> {
        let allowed = |name: &OsStr| name.to_str().is_some_and(|name| is_allowed(name, &service.env));
        let mut vars: BTreeMap<_, _> =
            self.vars.iter().filter(|(name, _)| allowed(name)).map(owned).collect();
        vars.extend(FIXED.map(|(name, value)| (name.into(), value.into())));
        let set = service.vars.iter().map(|(name, value)| (name.into(), value.into()));
        override_vars(&mut vars, set.collect());
        vars
    }

    /// Returns the variables of this process that `tool` sees.
    pub(super) fn seen_by(&self, tool: &Tool) -> BTreeMap<OsString, OsString> {
        let hides = |name: &OsStr| match &tool.environment {
            Environment::Inherit(Counted::All) => SESSION.iter().any(|own| name == *own),
            _ => false,
        };
        let allowed = |name: &OsStr| match &tool.environment {
            Environment::Inherit(_) => !is_ours(name) && !hides(name),
            Environment::Only(names) => {
                name.to_str().is_some_and(|name| is_allowed(name, names) || is_searched_by(tool, name))
            }
        };
        let mut seen: BTreeMap<_, _> =
            self.vars.iter().filter(|(name, _)| allowed(name)).map(owned).collect();
        if tool.inherits() {
            self.clean_library_path(&mut seen);
        }
        // A variable that is set to nothing but lint levels is not that of the environment either.
        for name in tool.vars.keys() {
            seen.remove(OsStr::new(name));
            // Cargo would ignore the flags of the configuration if the environment had them in the other form.
            let encoded = FLAGS.iter().find(|(plain, _)| name == plain);
            encoded.map(|(_, encoded)| seen.remove(OsStr::new(encoded)));
        }
        override_vars(&mut seen, set_by(tool).0);
        seen
    }

    /// Returns the variables that can affect the result of `tool`, as far as known before it runs. These are all
    /// variables it sees, unless its configuration lists them or it is a built-in build. Built-in builds report
    /// further variables that they read.
    pub fn decisive(&self, tool: &Tool) -> BTreeMap<String, OsString> {
        let is_decisive = |name: &str| match &tool.environment {
            Environment::Inherit(Counted::Listed(names)) => {
                is_allowed(name, names) || is_cargos_variable(name) || is_searched_by(tool, name)
            }
            Environment::Inherit(Counted::Build(names)) if !tool.runs_tests() => {
                is_cargos_variable(name) || names.iter().any(|own| own == name) || is_searched_by(tool, name)
            }
            // The number of threads and the recursion depth of rustup depend on the machine, not the workspace.
            Environment::Inherit(_) => tool.threads.as_deref() != Some(name) && name != RECURSION,
            Environment::Only(_) => true,
        };
        let gets_dirs = tool.inherits() && !tool.uses_executable();
        let is_set_for_it = |name: &str| {
            FIXED.iter().any(|(own, _)| *own == name)
                || gets_dirs && DIRS.contains(&name)
                || output_form::concerns(tool, name)
        };
        let seen = self.seen_by(tool).into_iter();
        let seen = seen.map(|(name, value)| (name.to_string_lossy().into_owned(), value));
        seen.filter(|(name, _)| is_decisive(name) && !is_set_for_it(name)).collect()
    }

    /// Returns the names of the variables that processes of `tool` inherit, except while they are observed: those of a session or
    /// of a CI job, unless the configuration names them.
    pub(crate) fn withheld(&self, tool: &Tool) -> BTreeSet<String> {
        let names = match &tool.environment {
            Environment::Inherit(Counted::Listed(names) | Counted::Build(names)) => names.as_slice(),
            Environment::Inherit(Counted::All) => &[],
            Environment::Only(_) => return BTreeSet::new(),
        };
        let seen = self.seen_by(tool).into_keys().filter_map(|name| name.into_string().ok());
        let is_named = |name: &String| names.contains(name) || tool.vars.contains_key(name);
        // It sets these for each test.
        let of_nextest = if tool.runs_nextest() { withheld::OF_NEXTEST.as_slice() } else { &[] };
        let seen = seen.chain(of_nextest.iter().map(|name| (*name).to_owned()));
        seen.filter(|name| withheld::entry(name).is_some() && !is_named(name)).collect()
    }

    /// Returns variables that processes which start each other pass on, and that `decisive` leaves out: a process sees them, but what
    /// it finds does not depend on them, unless it starts such a process itself.
    pub(crate) fn passed_on(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        [RECURSION, RUNNING].into_iter().filter_map(|name| Some((name, self.get(name)?)))
    }

    /// Returns true if a variable of a test that `tool` starts differs between runs and says nothing about its inputs, or counts
    /// anyway.
    pub(crate) fn is_incidental(tool: &Tool, name: &OsStr) -> bool {
        let own = [RECURSION, RUNNING, "CARGO_BUILD_JOBS"];
        own.iter().chain(&JOBSERVER).any(|own| name == *own)
            || tool.threads.as_ref().is_some_and(|own| name == own.as_str())
    }

    /// Returns the environment with the variables that `tool` sees and sets.
    pub fn of_tool(&self, tool: &Tool) -> Self {
        Self { vars: self.seen_by(tool), ..Self::default() }
    }

    /// Removes the entries that `cargo run` adds to the library path, its target directory and the toolchain, and
    /// keeps the user's entries.
    fn clean_library_path(&self, vars: &mut BTreeMap<OsString, OsString>) {
        let name = OsStr::new("LD_LIBRARY_PATH");
        let (Some(_), Some(value)) = (self.get("CARGO_PKG_NAME"), vars.get(name)) else { return };
        let toolchain = self.get("CARGO").and_then(|cargo| Path::new(cargo).parent()?.parent());
        let own = |entry: &PathBuf| {
            toolchain.is_some_and(|toolchain| entry.starts_with(toolchain))
                || entry.ancestors().any(|dir| dir.join("CACHEDIR.TAG").exists())
        };
        let kept: Vec<_> = std::env::split_paths(value).filter(|entry| !own(entry)).collect();
        match std::env::join_paths(&kept) {
            Ok(kept) if !kept.is_empty() => vars.insert(name.to_owned(), kept),
            _ => vars.remove(name),
        };
    }
}

/// Returns the lint levels removed from the variables that the configuration sets for `tools`.
pub fn ignored_levels<'t>(tools: impl IntoIterator<Item = &'t Tool>) -> Vec<IgnoredLevels> {
    let mut all = Vec::new();
    for level in tools.into_iter().flat_map(|tool| set_by(tool).1) {
        if !all.contains(&level) {
            all.push(level);
        }
    }
    all
}

/// Returns the variables that the configuration sets for `tool`, and the lint levels removed from them. Levels count only for
/// a tool whose output is not compared with the baseline.
fn set_by(tool: &Tool) -> (BTreeMap<OsString, OsString>, Vec<IgnoredLevels>) {
    let mut vars = tool.vars.iter().map(|(name, value)| (name.into(), value.into())).collect();
    if tool.vars.is_empty() || tool.parse.printer() == Printer::Other {
        return (vars, Vec::new());
    }
    let ignored = lint_levels::remove_levels(&mut vars, &|path| disk::read_to_string(Path::new(path)).ok());
    (vars, ignored)
}

/// Sets the variables `own` in `vars`. On Windows, names that differ only in case are the same variable.
pub(super) fn override_vars(vars: &mut BTreeMap<OsString, OsString>, own: BTreeMap<OsString, OsString>) {
    if cfg!(windows) {
        vars.retain(|name, _| !own.keys().any(|own| own.eq_ignore_ascii_case(name)));
    }
    vars.extend(own);
}

/// Variables set for each tool that builds. Their values never affect results.
const DIRS: [&str; 3] = ["CARGO_BUILD_BUILD_DIR", "CARGO_BUILD_JOBS", "CARGO_TARGET_DIR"];

/// Returns whether cargo, a compiler or a library finder such as `pkg-config` is known to read the variable and may build
/// differently because of it, or cargo sets it for a build.
pub fn is_cargos_variable(name: &str) -> bool {
    // These affect how crates are fetched, not their content. Some hold secrets.
    const FETCH: [&str; 4] = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_TERM_"];
    const READ: [&str; 7] = ["AR", "CC", "CLIPPY_", "CARGO_", "CXX", "PKG_CONFIG", "RUST"];
    let has = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let is_read = has(&READ) || name.ends_with("FLAGS") || name == "OUT_DIR";
    is_read && !has(&FETCH) && name != "RUST_LOG" && name != RECURSION
}

/// Returns whether cargo sets the variable for the build scripts and compilers that it starts, whatever its own environment says, or
/// builds everything again if it changes.
pub fn is_set_by_cargo(name: &str) -> bool {
    const SET: [&str; 5] = ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "CARGO_PKG_", "DEP_"];
    let own =
        ["CARGO", "CARGO_CRATE_NAME", "CARGO_MAKEFLAGS", "CARGO_PRIMARY_PACKAGE", "OUT_DIR", "RUSTFLAGS"];
    SET.iter().any(|prefix| name.starts_with(prefix))
        || own.contains(&name)
        || DIRS.contains(&name)
        || name == RECURSION
}

/// Variable in which rustup counts nested calls of its proxies.
const RECURSION: &str = "RUST_RECURSION_COUNT";

/// Returns whether a tool that sees only listed variables sees `name`. `names` is the list from its configuration.
fn is_allowed(name: &str, names: &[String]) -> bool {
    HARMLESS.contains(&name) || names.iter().any(|own| own == name)
}

/// Returns whether `name` determines where `tool` searches for its configuration.
fn is_searched_by(tool: &Tool, name: &str) -> bool {
    tool.searches.iter().any(|search| search.variable() == Some(name))
}

fn owned((name, value): (&OsString, &OsString)) -> (OsString, OsString) {
    (name.clone(), value.clone())
}

/// Returns whether `name` is a variable of genti, one that cargo sets for running a package's program, or a jobserver
/// variable.
fn is_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    const PACKAGE: [&str; 5] =
        ["CARGO_CRATE_NAME", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    name.starts_with("GENTI_")
        || name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_BIN_")
        || PACKAGE.contains(&name)
        || JOBSERVER.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tool;
    use crate::model::tool::Parse;

    #[test]
    fn flags_of_the_configuration_count_whatever_form_the_environment_has() {
        let outside = ["CARGO_ENCODED_RUSTFLAGS", "CARGO_ENCODED_RUSTDOCFLAGS", "RUSTFLAGS", "RUSTDOCFLAGS"];
        let env = Env::from_iter(outside.map(|name| (name, "--cfg=outside")));
        let flags = |set: &[&str]| {
            let mut tool = tool("test", Parse::Libtest, &["cargo", "test"]);
            tool.vars = set.iter().map(|name| ((*name).to_owned(), "--cfg=loom".to_owned())).collect();
            let seen = env.seen_by(&tool).into_iter();
            seen.map(|(name, value)| format!("{}={}", name.display(), value.display())).collect::<Vec<_>>()
        };
        assert_eq!(flags(&["OTHER"]).len(), 5);
        assert_eq!(
            flags(&["RUSTFLAGS"]),
            [
                "CARGO_ENCODED_RUSTDOCFLAGS=--cfg=outside",
                "RUSTDOCFLAGS=--cfg=outside",
                "RUSTFLAGS=--cfg=loom"
            ]
        );
        let both = flags(&["RUSTDOCFLAGS", "RUSTFLAGS"]);
        assert_eq!(both, ["RUSTDOCFLAGS=--cfg=loom", "RUSTFLAGS=--cfg=loom"]);
    }
}
