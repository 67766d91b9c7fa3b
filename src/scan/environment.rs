//! The environment: read once at the start, handed to children by rule. Values reach no artifact.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::build_dirs::BuildDirs;
use super::lint_levels::{self, Ignored};
use super::output_form;
use super::recursion::VARIABLE as RUNNING;
use crate::disk;
use crate::model::tool::{Counted, Environment, Tool};

/// A snapshot of the environment, without the lint levels that it would set for compilers.
#[derive(Clone, Debug, Default)]
pub struct Env {
    vars: BTreeMap<OsString, OsString>,
    ignored: Vec<Ignored>,
}

/// What every tool may see.
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

/// What differs from one shell to the next and says nothing about the workspace. A tool all of whose variables count does not
/// see these, so that none of them can decide its result.
const SESSION: [&str; 4] = ["OLDPWD", "PWD", "SHLVL", "_"];

/// What every tool gets: output that is the same everywhere.
const FIXED: [(&str, &str); 7] = [
    ("CARGO_TERM_COLOR", "never"),
    // Quiet, cargo keeps its warnings to itself.
    ("CARGO_TERM_QUIET", "false"),
    ("GENTI", "1"),
    ("INSTA_UPDATE", "no"),
    ("LC_ALL", "C"),
    ("RUST_BACKTRACE", "0"),
    ("TERM", "dumb"),
];

/// The variables that name a jobserver, in the order in which they are read.
pub(super) const JOBSERVER: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let vars = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { vars, ignored: Vec::new() }
    }
}

impl Env {
    /// The environment of this process.
    pub fn capture() -> Self {
        let mut vars = std::env::vars_os().collect();
        let ignored = lint_levels::take_out(&mut vars, &|path| disk::read_to_string(Path::new(path)).ok());
        Self { vars, ignored }
    }

    /// The lint levels that were in the environment, and that no tool sees.
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// The value of `name`, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Whether `name` is set, to whatever value.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.vars.contains_key(OsStr::new(name))
    }

    /// Sets `name` for this program and what it tells its children.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.vars.insert(name.into(), value.into());
    }

    /// Every variable.
    pub(super) fn vars(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.vars.iter()
    }

    /// The names of the variables that begin with `prefix`, sorted.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.vars.keys().filter_map(|name| name.to_str()).filter(move |name| name.starts_with(prefix))
    }

    /// What a process of `tool` sees. `dirs` are where cargo builds; `pool` are the variables of the jobserver,
    /// and `jobs` its size.
    pub(super) fn for_tool(
        &self,
        tool: &Tool,
        dirs: &BuildDirs,
        pool: &[(String, OsString)],
        jobs: usize,
    ) -> BTreeMap<OsString, OsString> {
        let mut vars = self.seen_by(tool);
        // What a test starts is none of the run's own builds.
        if tool.inherits() && !tool.uses_executable() {
            vars.extend(dirs.vars(tool).map(|(name, dir)| (name.into(), dir.into())));
            vars.insert("CARGO_BUILD_JOBS".into(), jobs.to_string().into());
        }
        vars.extend(FIXED.map(|(name, value)| (name.into(), value.into())));
        vars.extend(self.get(RUNNING).map(|value| (RUNNING.into(), value.to_owned())));
        vars.extend(output_form::fixed(tool).map(|(name, value)| (name.into(), value.into())));
        vars.retain(|name, _| !output_form::removed(tool).iter().any(|removed| name == *removed));
        if tool.jobserver {
            vars.extend(pool.iter().map(|(name, value)| (name.into(), value.clone())));
        }
        vars
    }

    /// The variables of this process that `tool` sees.
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
        seen
    }

    /// The variables that decide what `tool` finds, as far as is known beforehand: all that it sees, unless its configuration
    /// lists them or it is one of the built-in builds. What else these have read, they report afterwards.
    pub fn decisive(&self, tool: &Tool) -> BTreeMap<String, OsString> {
        let is_decisive = |name: &str| match &tool.environment {
            Environment::Inherit(Counted::Listed(names)) => {
                is_allowed(name, names) || is_cargos_variable(name) || is_searched_by(tool, name)
            }
            Environment::Inherit(Counted::Build(names)) if !tool.runs_tests() => {
                is_cargos_variable(name) || names.iter().any(|own| own == name) || is_searched_by(tool, name)
            }
            // How many threads it has, and how often rustup has called itself, is a matter of the machine.
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

    /// `cargo run` puts its target directory and toolchain into the library path of what it starts: take out
    /// what it put there, keep what the user had.
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

/// What is set for each tool that builds, to places that decide nothing.
const DIRS: [&str; 3] = ["CARGO_BUILD_BUILD_DIR", "CARGO_BUILD_JOBS", "CARGO_TARGET_DIR"];

/// Whether cargo, a compiler or what looks for C libraries is known to read a variable, and may build otherwise by it;
/// or cargo sets it for a build.
pub fn is_cargos_variable(name: &str) -> bool {
    // How crates are fetched, not what is in them; these hold secrets, and change with them.
    const FETCH: [&str; 4] = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_TERM_"];
    const READ: [&str; 7] = ["AR", "CC", "CLIPPY_", "CARGO_", "CXX", "PKG_CONFIG", "RUST"];
    let has = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let is_read = has(&READ) || name.ends_with("FLAGS") || name == "OUT_DIR";
    is_read && !has(&FETCH) && name != "RUST_LOG" && name != RECURSION
}

/// How often rustup's proxies have called each other.
const RECURSION: &str = "RUST_RECURSION_COUNT";

/// Whether a tool that sees a list of variables only sees this one, where `names` are those of its configuration.
fn is_allowed(name: &str, names: &[String]) -> bool {
    HARMLESS.contains(&name) || names.iter().any(|own| own == name)
}

/// Whether `name` tells `tool` where to search for its configuration.
fn is_searched_by(tool: &Tool, name: &str) -> bool {
    tool.searches.iter().any(|search| search.variable() == Some(name))
}

fn owned((name, value): (&OsString, &OsString)) -> (OsString, OsString) {
    (name.clone(), value.clone())
}

/// This program's own variables, those that cargo sets for a package's program, and any jobserver.
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
