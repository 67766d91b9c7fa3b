//! Finds programs: maps each name to an absolute path.
//!
//! Rust's own programs are taken from the toolchain instead of rustup's proxies, which cost about 10 ms per
//! process. All others come from PATH, without entries that are empty, relative or inside the workspace, so a
//! checkout can't shadow a tool. `identity.rs` determines what a program runs besides its own file.

mod identity;
mod installed;
mod node;
mod python;
mod rustup;
mod script;
mod shell;
#[cfg(test)]
mod shell_tests;
#[cfg(all(test, unix))]
mod tests;
mod toolchain_file;
mod tracer;
mod words;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use self::identity::Identifier;
pub use self::installed::{NoToolchain, Toolchain};
pub use self::rustup::RUSTC_VARIABLES;
pub use self::toolchain_file::{NamedChannel, has_same_toolchain_file, is_exact_toolchain, pinned_toolchain};
pub use self::tracer::ProgramIdentity;

use super::environment::Env;
use crate::disk;
use crate::model::tool::{Arg, Tool};

/// Locations in which programs are searched.
#[derive(Debug)]
pub struct Programs {
    root: PathBuf,
    cargo: PathBuf,
    toolchain: Option<PathBuf>,
    path: Vec<PathBuf>,
    /// Entries of PATH that are not searched, because they are relative or inside the workspace.
    not_searched: Vec<PathBuf>,
    /// Home directory of cargo, where rustup places its proxies.
    home: Option<PathBuf>,
    /// The host's target triple, once it has been asked for.
    host: OnceLock<Option<String>>,
}

/// A program or toolchain that is not installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}`{program}` {why}{}", install.as_ref().map(|how| format!("; install it with `{how}`")).unwrap_or_default())]
pub struct Missing {
    /// Prefix of the name: empty or `toolchain `.
    pub kind: &'static str,
    /// Name of the program or toolchain.
    pub program: String,
    /// The problem, in words that follow the name.
    pub why: &'static str,
    /// Command that installs it.
    pub install: Option<String>,
}

/// The problem of most programs that can't be started.
const NOT_INSTALLED: &str = "is not installed";

impl Missing {
    /// Creates an error for the program `name`.
    fn program(name: &str, install: Option<&String>) -> Self {
        Self { kind: "", program: name.to_owned(), why: NOT_INSTALLED, install: install.cloned() }
    }

    /// Creates an error for the toolchain `name`.
    fn toolchain(name: &str) -> Self {
        let install = Some(format!("rustup toolchain install {name}"));
        Self { kind: "toolchain ", program: name.to_owned(), why: NOT_INSTALLED, install }
    }
}

/// Variable that prevents rustup from installing a toolchain during a run.
pub(super) const NO_INSTALL: (&str, &str) = ("RUSTUP_AUTO_INSTALL", "0");

/// Returns whether `tool` runs a program of the toolchain. Cargo only counts with one of the given subcommands.
pub fn runs_toolchain(tool: &Tool, subcommands: &[&str]) -> bool {
    match words_of(tool).next() {
        Some("cargo") => tool.subcommand().is_some_and(|name| subcommands.contains(&name)),
        program => program.is_some_and(|program| Tool::RUST.contains(&program)),
    }
}

/// Returns the parts of `word` that may be the path of a file: all of it, and what follows `=` or `@`.
pub fn paths_in(word: &str) -> impl Iterator<Item = &str> {
    let value = word.split_once('=').map(|(_, value)| value);
    let names = [Some(word), value, word.strip_prefix('@')].into_iter().flatten();
    names.filter(|name| !name.is_empty() && name.len() < 4096 && !name.contains(['\n', '\0']))
}

/// Returns the words of `text`, a script or another file that something reads, that could be paths.
pub fn words_in_text(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| {
        c.is_whitespace()
            || matches!(c, '"' | '\'' | '`' | '(' | ')' | '<' | '>' | '=' | ',' | ';' | '[' | ']' | '{' | '}')
    });
    let words = words.map(|word| word.trim_start_matches('@'));
    words.filter(|word| word.contains(char::is_alphanumeric) && word.len() < 512)
}

/// Returns the text of the file at `path` if what it names counts: it is small, and neither prose nor a source or manifest of Rust.
pub fn naming_text(path: &Path) -> Option<String> {
    const LARGEST: u64 = 1 << 18;
    let name = path.file_name()?.to_str()?;
    let is_other = [".rs", ".md", ".lock", "Cargo.toml"].iter().any(|end| name.ends_with(end));
    let is_small = || path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
    (!is_other && is_small()).then(|| read_text(path)).flatten()
}

/// Adds the files below `root` to `found` that the file at `path` names, and those that these name, as seen from `dir` or from the
/// directory of the file. Scripts are left out, because the programs that they run are followed instead.
pub fn add_named_through(path: &Path, dir: &Path, root: &Path, found: &mut BTreeSet<PathBuf>) {
    const MOST: usize = 1_000;
    let mut queue = vec![path.to_path_buf()];
    while let Some(path) = queue.pop().filter(|path| path.starts_with(root)) {
        let is_script =
            |text: &String| text.starts_with("#!") || path.extension().is_some_and(|end| end == "sh");
        let Some(text) = naming_text(&path).filter(|text| !is_script(text)) else { continue };
        for base in path.parent().into_iter().chain([dir]) {
            let others = words_in_text(&text).map(|word| disk::without_dots(&base.join(word)));
            let others = others.filter(|other| other.starts_with(root) && other.is_file());
            for other in others {
                if found.len() < MOST && found.insert(other.clone()) {
                    queue.push(other);
                }
            }
        }
    }
}

/// Returns the literal words at the start of the command line of `tool`.
pub(super) fn words_of(tool: &Tool) -> impl Iterator<Item = &str> + Clone {
    tool.run.iter().map_while(Arg::literal)
}

impl Programs {
    /// Locates cargo, the toolchain and the search path. `dir` is a directory of the workspace.
    ///
    /// # Errors
    ///
    /// If cargo is not found.
    pub fn new(env: &Env, dir: &Path) -> Result<Self, Missing> {
        let path = env.get("PATH").map(std::env::split_paths).into_iter().flatten();
        let is_searched = |entry: &PathBuf| entry.is_absolute() && !is_within(entry, dir);
        let (path, not_searched): (Vec<_>, _) = path.partition(is_searched);
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
            .ok_or_else(|| Missing::program("cargo", None))?;
        let home = env.get("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(Path::new(env.get("HOME")?).join(".cargo")));
        Ok(Self {
            root: dir.to_path_buf(),
            cargo,
            toolchain,
            path,
            not_searched,
            home,
            host: OnceLock::new(),
        })
    }

    /// Restricts the search path, once cargo has reported the root of the workspace.
    pub fn within(mut self, root: &Path) -> Self {
        let inside = self.path.extract_if(.., |entry| is_within(entry, root));
        self.not_searched.extend(inside);
        self.root = root.to_path_buf();
        self
    }

    /// Returns the cargo of this run.
    pub fn cargo(&self) -> &Path {
        &self.cargo
    }

    /// Returns the cargo of this run, or rustup's proxy for the cargo of another toolchain.
    ///
    /// # Errors
    ///
    /// If there is no rustup.
    pub fn cargo_of(&self, toolchain: Option<&str>) -> Result<PathBuf, Missing> {
        match toolchain {
            None => Ok(self.cargo.clone()),
            Some(_) => self.proxy("cargo").ok_or_else(|| Missing::program("rustup", None)),
        }
    }

    /// Returns the directories in which programs are searched.
    pub(super) fn search_path(&self) -> &[PathBuf] {
        &self.path
    }

    /// Returns the home directory of cargo, if known.
    pub(super) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Returns the root directory of the toolchain, if known.
    pub fn sysroot(&self) -> Option<&Path> {
        self.toolchain.as_deref().and_then(Path::parent)
    }

    /// Returns the target triple for which rustc builds by default, if rustc is found. It is asked once.
    pub(super) fn host(&self) -> Option<&str> {
        let ask = || {
            let output = Command::new(self.find("rustc")?)
                .arg("-vV")
                .env(NO_INSTALL.0, NO_INSTALL.1)
                .current_dir(&self.root)
                .output()
                .ok()?;
            let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
            text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
        };
        self.host.get_or_init(ask).as_deref()
    }

    /// Returns the program that `tool` runs, or `{executable}` if another tool builds it.
    ///
    /// # Errors
    ///
    /// If the program is not installed.
    pub fn of(&self, tool: &Tool) -> Result<PathBuf, Missing> {
        if tool.runs_executable() {
            return Ok(PathBuf::from("{executable}"));
        }
        self.start(tool, words_of(tool))
    }

    /// Returns the program that the command line `words` of `tool` starts, which is rustup's proxy if it names a toolchain.
    ///
    /// # Errors
    ///
    /// If the program is not installed.
    pub(super) fn start<'w>(
        &self,
        tool: &Tool,
        words: impl Iterator<Item = &'w str> + Clone,
    ) -> Result<PathBuf, Missing> {
        self.start_from(&tool.start_dir(&self.root), words, tool.install.as_ref())
    }

    /// Returns the program that the command line `words` starts in `dir`. `install` installs it.
    ///
    /// # Errors
    ///
    /// If the program is not installed.
    pub(super) fn start_from<'w>(
        &self,
        dir: &Path,
        words: impl Iterator<Item = &'w str> + Clone,
        install: Option<&String>,
    ) -> Result<PathBuf, Missing> {
        let name = words.clone().next().unwrap_or_default();
        match Tool::toolchain_of(words) {
            Some(_) => self.proxy(name).ok_or_else(|| Missing::program("rustup", None)),
            None => self.find_from(dir, name).ok_or_else(|| self.missing(dir, name, install)),
        }
    }

    /// Describes why the program `name` can't be started in `dir`.
    fn missing(&self, dir: &Path, name: &str, install: Option<&String>) -> Missing {
        let missing = Missing::program(name, install);
        let of_path = |path: &Path| match std::fs::metadata(path) {
            Err(_) => "does not exist",
            Ok(meta) if meta.is_dir() => "is a directory, and not a program",
            Ok(_) => "is not executable",
        };
        let is_not_searched =
            || self.not_searched.iter().any(|entry| is_program(&dir.join(entry).join(exe(name))));
        match is_path(name) {
            true => Missing { why: of_path(&dir.join(name)), ..missing },
            false if is_not_searched() => Missing {
                why: "is only in a directory of PATH that is relative or in the workspace, where genti does not search",
                install: None,
                ..missing
            },
            false => missing,
        }
    }

    /// Returns rustup's proxy for the program `name` of a toolchain.
    fn proxy(&self, name: &str) -> Option<PathBuf> {
        let homes = self.home.iter().map(|home| home.join("bin"));
        let mut dirs = self.path.iter().cloned().chain(homes).filter(|dir| is_rustup(dir));
        dirs.find_map(|dir| Some(dir.join(exe(name))).filter(|path| is_program(path)))
    }

    /// Finds the program `name`.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        self.find_from(&self.root, name)
    }

    /// Finds the program `name`. A name with a separator is a path relative to `dir`.
    fn find_from(&self, dir: &Path, name: &str) -> Option<PathBuf> {
        if name == "cargo" {
            return Some(self.cargo.clone());
        }
        if is_path(name) {
            return Some(dir.join(name)).filter(|path| is_program(path));
        }
        let own = self.toolchain.as_ref().filter(|_| Tool::RUST.contains(&name));
        own.map(|bin| bin.join(exe(name)))
            .filter(|path| is_program(path))
            .or_else(|| search(&self.path, name))
    }
}

/// Parses `stderr` of cargo or rustup for a subcommand, component or toolchain that is not installed. `words` is
/// the command line that was run, for a tool that is installed with `install`.
pub fn read_missing<'w>(
    stderr: &[u8],
    words: impl IntoIterator<Item = &'w str>,
    install: Option<&String>,
) -> Option<Missing> {
    let requested = Tool::toolchain_of(words);
    let lines = stderr.split(|&byte| byte == b'\n').take(20).map(String::from_utf8_lossy).collect::<Vec<_>>();
    let missing = |(at, line): (usize, &Cow<'_, str>)| {
        let message = line.strip_prefix("error: ")?;
        if let Some(command) = message.strip_prefix("no such command: ") {
            return Some(match quoted(command)? {
                // Without rustup, cargo takes `+NAME` for a subcommand.
                command if command.starts_with('+') => Missing::program("rustup", None),
                command => Missing::program(&format!("cargo {command}"), install),
            });
        }
        let (what, rest) = message.split_once(" is not installed")?;
        if let Some((_, name)) = what.split_once("toolchain ") {
            // Use the requested name, because rustup adds the platform to it.
            return Some(Missing::toolchain(requested.or_else(|| quoted(name))?));
        }
        let toolchain = quoted(rest.strip_prefix(" for the toolchain ")?)?;
        let name = quoted(what)?.replacen("cargo-", "cargo ", 1);
        let hint =
            || lines[at..].iter().find_map(|line| quoted(&line[line.find("`rustup component add ")?..]));
        let hint = requested.and_then(|requested| Some(hint()?.replace(toolchain, requested)));
        Some(Missing::program(&name, hint.as_ref().or(install)))
    };
    lines.iter().enumerate().find_map(missing)
}

/// Returns the quoted text at the start of `text`.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '`' | '\''))?;
    text[1..].split_once(quote).map(|(inner, _)| inner)
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

/// Returns true if a program called `name` is not searched on PATH.
fn is_path(name: &str) -> bool {
    name.contains('/') || name.contains(std::path::MAIN_SEPARATOR)
}

fn exe(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Returns whether `entry` is `dir` or inside of it, after resolving links. Nothing counts as inside of the root of the
/// file system.
fn is_within(entry: &Path, dir: &Path) -> bool {
    let dir = disk::real(dir);
    dir.parent().is_some() && disk::real(entry).starts_with(dir)
}

/// Returns whether the directory `bin` contains rustup's proxies.
fn is_rustup(bin: &Path) -> bool {
    is_program(&bin.join(exe("rustup")))
        && bin.file_name() == Some(OsStr::new("bin"))
        && !bin.join("../lib/rustlib").is_dir()
}

/// Reads a configuration file or script. Returns `None` if it is too long or not a regular file.
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

#[cfg(test)]
mod missing_tests {
    use super::*;

    #[track_caller]
    fn check(run: &[&str], message: &str, expected: Option<&str>) {
        let missing = read_missing(message.as_bytes(), run.iter().copied(), Some(&"how".to_owned()));
        assert_eq!(missing.map(|missing| missing.to_string()).as_deref(), expected);
    }

    #[test]
    fn a_missing_subcommand_is_named_as_called() {
        let message =
            "error: no such command: `fuzz`\n\nhelp: view all installed commands with `cargo --list`\n";
        let expected = Some("`cargo fuzz` is not installed; install it with `how`");
        check(&["cargo", "fuzz"], message, expected);
        check(&["cargo", "+nightly", "fuzz"], message, expected);
        check(&["sh", "-c", "cargo fuzz"], message, expected);
    }

    #[test]
    fn a_missing_toolchain_is_named_as_requested() {
        let message =
            "error: toolchain '1.70-x86_64-unknown-linux-gnu' is not installed\nhelp: run `rustup …`\n";
        let expected = "toolchain `1.70` is not installed; install it with `rustup toolchain install 1.70`";
        check(&["cargo", "+1.70", "check"], message, Some(expected));
        let name = "1.70-x86_64-unknown-linux-gnu";
        let expected =
            format!("toolchain `{name}` is not installed; install it with `rustup toolchain install {name}`");
        check(&["rustup", "run", "1.70", "cargo", "check"], message, Some(&expected));
        let message = "error: custom toolchain 'mine' specified in override file '/w/rust-toolchain.toml' is not installed\n";
        let expected = "toolchain `mine` is not installed; install it with `rustup toolchain install mine`";
        check(&["cargo", "check"], message, Some(expected));
    }

    #[test]
    fn a_missing_component_is_named_with_its_toolchain() {
        let message = "error: 'cargo-miri' is not installed for the toolchain 'nightly-x86_64-unknown-linux-gnu'.\n\
                    help: run `rustup component add --toolchain nightly-x86_64-unknown-linux-gnu miri` to install it\n";
        let expected =
            "`cargo miri` is not installed; install it with `rustup component add --toolchain nightly miri`";
        check(&["cargo", "+nightly", "miri"], message, Some(expected));
        check(&["cargo", "miri"], message, Some("`cargo miri` is not installed; install it with `how`"));
    }

    #[test]
    fn a_toolchain_argument_for_cargo_without_rustup_needs_rustup() {
        let message =
            "error: no such command: `+nightly`\n\n\tCargo does not handle `+toolchain` directives.\n";
        check(&["cargo", "+nightly", "check"], message, Some("`rustup` is not installed"));
    }

    #[test]
    fn other_errors_do_not_report_a_missing_program() {
        for message in ["", "error: could not compile `x`\n", "error: the lock file is not installed\n"] {
            check(&["cargo", "check"], message, None);
        }
    }
}
