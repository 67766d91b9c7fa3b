//! The environment: read once at the start, handed to children by rule. Values reach no artifact.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::build_dirs::BuildDirs;
use super::lint_levels::{self, Ignored};
use crate::model::tool::{Environment, Tool};

/// A snapshot of the environment, without the lint levels that it would set for compilers.
#[derive(Clone, Debug, Default)]
pub struct Env {
    vars: BTreeMap<OsString, OsString>,
    ignored: Vec<Ignored>,
}

/// What every tool may see.
const HARMLESS: [&str; 22] = [
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
];

/// What every tool gets: output that is the same everywhere.
const FIXED: [(&str, &str); 6] = [
    ("CARGO_TERM_COLOR", "never"),
    ("GENTI", "1"),
    ("INSTA_UPDATE", "no"),
    ("LC_ALL", "C"),
    ("RUST_BACKTRACE", "0"),
    ("TERM", "dumb"),
];

/// The variables that name a jobserver, in the order in which they are read.
pub(super) const JOBSERVER: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

impl Env {
    /// The environment of this process.
    pub fn capture() -> Self {
        let mut vars = std::env::vars_os().collect();
        let ignored = lint_levels::take_out(&mut vars, &|path| std::fs::read_to_string(path).ok());
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
        let mut vars: BTreeMap<_, _> = match &tool.environment {
            Environment::Inherit => self.vars.iter().filter(|(name, _)| !is_ours(name)).map(owned).collect(),
            Environment::Only(names) => {
                let allowed = |name: &OsStr| {
                    name.to_str()
                        .is_some_and(|name| HARMLESS.contains(&name) || names.iter().any(|own| own == name))
                };
                self.vars.iter().filter(|(name, _)| allowed(name)).map(owned).collect()
            }
        };
        // What a test starts is none of the run's own builds.
        if tool.environment == Environment::Inherit && !tool.uses_executable() {
            vars.extend(dirs.vars(tool).map(|(name, dir)| (name.into(), dir.into())));
            vars.insert("CARGO_BUILD_JOBS".into(), jobs.to_string().into());
        }
        if tool.environment == Environment::Inherit {
            self.clean_library_path(&mut vars);
        }
        vars.extend(FIXED.map(|(name, value)| (name.into(), value.into())));
        if tool.jobserver {
            vars.extend(pool.iter().map(|(name, value)| (name.into(), value.clone())));
        }
        vars
    }

    /// The variables that decide what `tool` finds, as far as is known beforehand: all that it sees, if it sees but a list or
    /// runs tests; else those that cargo and compilers are known to read. What else a build has read, it tells afterwards.
    pub fn decisive(&self, tool: &Tool) -> BTreeMap<&str, &OsStr> {
        let names = match &tool.environment {
            Environment::Only(names) => names.as_slice(),
            Environment::Inherit => &[],
        };
        let is_decisive = |name: &str| match &tool.environment {
            // How many threads it has is a matter of the machine.
            Environment::Inherit if tool.runs_tests() => tool.threads.as_deref() != Some(name),
            Environment::Inherit => is_cargos_variable(name),
            Environment::Only(_) => HARMLESS.contains(&name) || names.iter().any(|own| own == name),
        };
        let vars = self.vars.iter().filter_map(|(name, value)| Some((name.to_str()?, value.as_os_str())));
        let is_set_for_it = |name: &str| FIXED.iter().any(|(own, _)| *own == name) || DIRS.contains(&name);
        vars.filter(|(name, _)| is_decisive(name) && !is_ours(OsStr::new(name)) && !is_set_for_it(name))
            .collect()
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
    (has(&READ) || name.ends_with("FLAGS") || name == "OUT_DIR") && !has(&FETCH) && name != "RUST_LOG"
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
