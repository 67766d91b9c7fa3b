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

use std::borrow::Cow;
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
    /// Cargo's home, where rustup puts its proxies.
    home: Option<PathBuf>,
}

/// A program that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}`{program}` is not installed{}", install.as_ref().map(|how| format!("; install it with `{how}`")).unwrap_or_default())]
pub struct Missing {
    /// What stands before the name: nothing, or `toolchain `.
    pub kind: &'static str,
    /// Its name.
    pub program: String,
    /// How to install it.
    pub install: Option<String>,
}

impl Missing {
    /// The program `name`.
    fn program(name: &str, install: Option<&String>) -> Self {
        Self { kind: "", program: name.to_owned(), install: install.cloned() }
    }

    /// The toolchain `name`.
    fn toolchain(name: &str) -> Self {
        let install = Some(format!("rustup toolchain install {name}"));
        Self { kind: "toolchain ", program: name.to_owned(), install }
    }
}

/// The programs of a Rust toolchain that rustup has proxies for.
const RUST: [&str; 5] = ["cargo", "rustc", "rustdoc", "rustfmt", "clippy-driver"];

/// Keeps rustup from installing a toolchain in the middle of a run.
pub(super) const NO_INSTALL: (&str, &str) = ("RUSTUP_AUTO_INSTALL", "0");

/// Whether `tool` runs a program of the toolchain; cargo only with one of these subcommands.
pub fn runs_toolchain(tool: &Tool, subcommands: &[&str]) -> bool {
    let mut words = words_of(tool);
    match words.next() {
        Some("cargo") => {
            words.find(|word| !word.starts_with(['-', '+'])).is_some_and(|word| subcommands.contains(&word))
        }
        program => program.is_some_and(|program| RUST.contains(&program)),
    }
}

/// The toolchain that `+NAME` asks rustup for, where `words` is a command line that rustup's proxies understand.
pub(super) fn toolchain_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut words = words.into_iter();
    let program = words.next()?;
    words.next()?.strip_prefix('+').filter(|name| RUST.contains(&program) && !name.is_empty())
}

/// The literal words at the start of the command line of `tool`.
pub(super) fn words_of(tool: &Tool) -> impl Iterator<Item = &str> + Clone {
    tool.run.iter().map_while(Arg::literal)
}

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
            .ok_or_else(|| Missing::program("cargo", None))?;
        let home = env.get("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(Path::new(env.get("HOME")?).join(".cargo")));
        Ok(Self { root: dir.to_path_buf(), cargo, toolchain, path, home })
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
        self.start(words_of(tool), tool.install.as_ref())
    }

    /// The program that the command line `words` starts: rustup's proxy where it names a toolchain.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(super) fn start<'w>(
        &self,
        words: impl Iterator<Item = &'w str> + Clone,
        install: Option<&String>,
    ) -> Result<PathBuf, Missing> {
        let name = words.clone().next().unwrap_or_default();
        match toolchain_of(words) {
            Some(_) => self.proxy(name).ok_or_else(|| Missing::program("rustup", None)),
            None => self.find(name).ok_or_else(|| Missing::program(name, install)),
        }
    }

    /// Rustup's proxy for the program `name` of a toolchain.
    fn proxy(&self, name: &str) -> Option<PathBuf> {
        let homes = self.home.iter().map(|home| home.join("bin"));
        let mut dirs = self.path.iter().cloned().chain(homes).filter(|dir| is_rustup(dir));
        dirs.find_map(|dir| Some(dir.join(exe(name))).filter(|path| is_program(path)))
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

/// The subcommand, component or toolchain that cargo or rustup say is not installed, by what they print to `stderr`. The
/// command line `words` was started for a tool that is installed by `install`.
pub(super) fn read_missing<'w>(
    stderr: &[u8],
    words: impl IntoIterator<Item = &'w str>,
    install: Option<&String>,
) -> Option<Missing> {
    let asked = toolchain_of(words);
    let lines = stderr.split(|&byte| byte == b'\n').take(20).map(String::from_utf8_lossy).collect::<Vec<_>>();
    let missing = |(at, line): (usize, &Cow<'_, str>)| {
        let said = line.strip_prefix("error: ")?;
        if let Some(command) = said.strip_prefix("no such command: ") {
            return Some(match quoted(command)? {
                // Cargo alone does not know what `+NAME` means.
                command if command.starts_with('+') => Missing::program("rustup", None),
                command => Missing::program(&format!("cargo {command}"), install),
            });
        }
        let (what, rest) = said.split_once(" is not installed")?;
        if let Some((_, name)) = what.split_once("toolchain ") {
            // As it was asked for: rustup adds the name of the platform.
            return Some(Missing::toolchain(asked.or_else(|| quoted(name))?));
        }
        let toolchain = quoted(rest.strip_prefix(" for the toolchain ")?)?;
        let name = quoted(what)?.replacen("cargo-", "cargo ", 1);
        let hint =
            || lines[at..].iter().find_map(|line| quoted(&line[line.find("`rustup component add ")?..]));
        let hint = asked.and_then(|asked| Some(hint()?.replace(toolchain, asked)));
        Some(Missing::program(&name, hint.as_ref().or(install)))
    };
    lines.iter().enumerate().find_map(missing)
}

/// The text between the quotes that `text` begins with.
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

#[cfg(test)]
mod missing_tests {
    use super::*;

    #[track_caller]
    fn check(run: &[&str], said: &str, expected: Option<&str>) {
        let missing = read_missing(said.as_bytes(), run.iter().copied(), Some(&"how".to_owned()));
        assert_eq!(missing.map(|missing| missing.to_string()).as_deref(), expected);
    }

    #[test]
    fn a_missing_subcommand_is_named_as_it_was_called() {
        let said =
            "error: no such command: `fuzz`\n\nhelp: view all installed commands with `cargo --list`\n";
        let expected = Some("`cargo fuzz` is not installed; install it with `how`");
        check(&["cargo", "fuzz"], said, expected);
        check(&["cargo", "+nightly", "fuzz"], said, expected);
        check(&["sh", "-c", "cargo fuzz"], said, expected);
    }

    #[test]
    fn a_missing_toolchain_is_named_as_it_was_asked_for() {
        let said =
            "error: toolchain '1.70-x86_64-unknown-linux-gnu' is not installed\nhelp: run `rustup …`\n";
        let expected = "toolchain `1.70` is not installed; install it with `rustup toolchain install 1.70`";
        check(&["cargo", "+1.70", "check"], said, Some(expected));
        let name = "1.70-x86_64-unknown-linux-gnu";
        let expected =
            format!("toolchain `{name}` is not installed; install it with `rustup toolchain install {name}`");
        check(&["rustup", "run", "1.70", "cargo", "check"], said, Some(&expected));
        let said = "error: custom toolchain 'mine' specified in override file '/w/rust-toolchain.toml' is not installed\n";
        let expected = "toolchain `mine` is not installed; install it with `rustup toolchain install mine`";
        check(&["cargo", "check"], said, Some(expected));
    }

    #[test]
    fn a_missing_component_is_named_with_its_toolchain() {
        let said = "error: 'cargo-miri' is not installed for the toolchain 'nightly-x86_64-unknown-linux-gnu'.\n\
                    help: run `rustup component add --toolchain nightly-x86_64-unknown-linux-gnu miri` to install it\n";
        let expected =
            "`cargo miri` is not installed; install it with `rustup component add --toolchain nightly miri`";
        check(&["cargo", "+nightly", "miri"], said, Some(expected));
        check(&["cargo", "miri"], said, Some("`cargo miri` is not installed; install it with `how`"));
    }

    #[test]
    fn a_cargo_without_rustup_that_is_given_a_toolchain_needs_rustup() {
        let said = "error: no such command: `+nightly`\n\n\tCargo does not handle `+toolchain` directives.\n";
        check(&["cargo", "+nightly", "check"], said, Some("`rustup` is not installed"));
    }

    #[test]
    fn other_errors_are_no_missing_program() {
        for said in ["", "error: could not compile `x`\n", "error: the lock file is not installed\n"] {
            check(&["cargo", "check"], said, None);
        }
    }
}
