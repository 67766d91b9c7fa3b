//! Where programs are found: each name once, to an absolute path.
//!
//! Rust's own programs are taken from the toolchain itself rather than through rustup's proxies, which cost
//! about 10 ms a process. Everything else comes from PATH, less the entries that are empty, relative or inside
//! the workspace: a checkout must not be able to shadow a tool. What a program runs beyond its own file is another question,
//! which `identity.rs` answers.

mod identity;
mod node;
mod python;
mod rustup;
mod script;
mod shell;
#[cfg(test)]
mod shell_tests;
#[cfg(all(test, unix))]
mod tests;
mod words;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use self::identity::{Identifier, Identity};

use super::environment::Env;
use crate::model::tool::{Arg, Tool};

/// Finds programs.
#[derive(Debug)]
pub struct Programs {
    root: PathBuf,
    cargo: PathBuf,
    toolchain: Option<PathBuf>,
    path: Vec<PathBuf>,
}

/// A program that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{program}` is not installed{}", install.as_ref().map(|how| format!("; install it with `{how}`")).unwrap_or_default())]
pub struct Missing {
    /// Its name.
    pub program: String,
    /// How to install it.
    pub install: Option<String>,
}

impl Missing {
    /// The subcommand or component that `tool` is, of which cargo knows nothing.
    pub(super) fn subcommand(tool: &Tool) -> Self {
        // cargo's subcommand, behind its toolchain and options; a component of rustup's is called like its tool.
        let words = tool.run.iter().skip(1).filter_map(Arg::literal);
        let subcommand = words.into_iter().find(|word| !word.starts_with(['-', '+']));
        let is_cargo = tool.run.first().and_then(Arg::literal) == Some("cargo");
        let subcommand = subcommand.filter(|_| is_cargo).unwrap_or(&tool.name);
        let program = tool.run.get(1).map_or_else(|| tool.name.clone(), |_| format!("cargo {subcommand}"));
        Self { program, install: tool.install.clone() }
    }
}

const RUST: [&str; 5] = ["cargo", "rustc", "rustdoc", "rustfmt", "clippy-driver"];

impl Programs {
    /// Looks around from `dir`, a directory of the workspace.
    ///
    /// # Errors
    ///
    /// If there is no cargo.
    pub fn new(env: &Env, dir: &Path) -> Result<Self, Missing> {
        let path = env.get("PATH").map(std::env::split_paths).into_iter().flatten();
        let path: Vec<_> = path.filter(|entry| entry.is_absolute() && !is_within(entry, dir)).collect();
        let cargo = env.get("CARGO").map(PathBuf::from).filter(|cargo| cargo.is_absolute());
        let toolchain = cargo
            .as_deref()
            .and_then(Path::parent)
            .filter(|bin| is_program(&bin.join(exe("rustc"))) && !is_rustup(bin))
            .map(Path::to_path_buf)
            .or_else(|| sysroot(&path, dir));
        let cargo = cargo
            .or_else(|| {
                toolchain.as_ref().map(|bin| bin.join(exe("cargo"))).filter(|cargo| is_program(cargo))
            })
            .or_else(|| search(&path, "cargo"))
            .ok_or_else(|| Missing { program: "cargo".to_owned(), install: None })?;
        Ok(Self { root: dir.to_path_buf(), cargo, toolchain, path })
    }

    /// The same, now that cargo has told where the root of the workspace is.
    pub fn within(mut self, root: &Path) -> Self {
        self.path.retain(|entry| !is_within(entry, root));
        self.root = root.to_path_buf();
        self
    }

    /// The cargo of this run.
    pub fn cargo(&self) -> &Path {
        &self.cargo
    }

    /// Where the toolchain is, if it is known.
    pub fn sysroot(&self) -> Option<&Path> {
        self.toolchain.as_deref().and_then(Path::parent)
    }

    /// The program that `tool` runs; `{executable}` itself if that is one that another tool builds.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn of(&self, tool: &Tool) -> Result<PathBuf, Missing> {
        if tool.runs_executable() {
            return Ok(PathBuf::from("{executable}"));
        }
        let word = |at: usize| tool.run.get(at).and_then(Arg::literal);
        let name = word(0).unwrap_or_default();
        let found = self.find_for(name, word(1));
        found.ok_or_else(|| Missing { program: name.to_owned(), install: tool.install.clone() })
    }

    /// The program called `name`, where `arg` is its first argument: only rustup's proxy knows what to do with `+toolchain`.
    pub(super) fn find_for(&self, name: &str, arg: Option<&str>) -> Option<PathBuf> {
        let proxy = || {
            let path = search(&self.path, name)?;
            let real = path.canonicalize().ok()?;
            rustup::is_proxy(&path, &real).then_some(path)
        };
        let is_chosen = RUST.contains(&name) && arg.is_some_and(|arg| arg.starts_with('+'));
        is_chosen.then(proxy).flatten().or_else(|| self.find(name))
    }

    /// The program called `name`: a path (relative to the workspace root) if it has a separator.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        if name == "cargo" {
            return Some(self.cargo.clone());
        }
        if name.contains('/') || name.contains(std::path::MAIN_SEPARATOR) {
            return Some(self.root.join(name)).filter(|path| is_program(path));
        }
        let own = self.toolchain.as_ref().filter(|_| RUST.contains(&name));
        own.map(|bin| bin.join(exe(name)))
            .filter(|path| is_program(path))
            .or_else(|| search(&self.path, name))
    }
}

/// What cargo and rustup say of a subcommand or component that is not installed.
pub(super) fn says_missing(stderr: &[u8]) -> bool {
    stderr.split(|&byte| byte == b'\n').take(20).any(|line| {
        let line = String::from_utf8_lossy(line);
        line.starts_with("error: no such command:")
            || (line.starts_with("error: ") && line.contains(" is not installed for the toolchain "))
    })
}

fn sysroot(path: &[PathBuf], dir: &Path) -> Option<PathBuf> {
    let rustc = search(path, "rustc")?;
    let output = Command::new(rustc).args(["--print", "sysroot"]).current_dir(dir).output().ok()?;
    let sysroot = String::from_utf8(output.stdout).ok()?;
    Some(Path::new(sysroot.trim()).join("bin"))
        .filter(|bin| output.status.success() && is_program(&bin.join(exe("rustc"))))
}

fn search(path: &[PathBuf], name: &str) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    path.iter().map(|dir| dir.join(exe(name))).find(|path| is_program(path))
}

fn exe(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Whether `entry` is `dir` or lies below it, by whatever name. All lies below the root of the file system: it
/// counts as nobody's.
fn is_within(entry: &Path, dir: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let dir = real(dir);
    dir.parent().is_some() && real(entry).starts_with(dir)
}

/// Whether `bin` holds rustup's proxies.
fn is_rustup(bin: &Path) -> bool {
    is_program(&bin.join(exe("rustup")))
        && bin.file_name() == Some(OsStr::new("bin"))
        && !bin.join("../lib/rustlib").is_dir()
}

/// The text in the file at `path`, if it is one of configuration or a script: not too long, and no device.
pub fn read_text(path: &Path) -> Option<String> {
    const LONGEST: u64 = 1 << 20;
    let meta = std::fs::metadata(path).ok()?;
    let is_short = meta.is_file() && meta.len() <= LONGEST;
    is_short.then(|| std::fs::read_to_string(path).ok()).flatten()
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}
