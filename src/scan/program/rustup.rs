//! Rust's own programs: finds the toolchain behind rustup and its proxies, and the files of a toolchain.
//!
//! rustup itself is not called, because that would cost a process in each run. Its rules are few and documented:
//! `+toolchain`, the variable `RUSTUP_TOOLCHAIN`, overrides and toolchain files in each directory upwards, and the
//! default toolchain. A toolchain that is not installed is unknown, because rustup may install one.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::toolchain_file::{self, ToolchainFile};
use super::tracer::{Tracer, file_name};
use super::words::Word;
use super::{exe, is_program, read_text};
use crate::model::tool::Tool;

/// Returns whether `program`, which is `real` with links resolved, is rustup or one of its proxies.
pub(super) fn is_proxy(program: &Path, real: &Path) -> bool {
    if file_name(real) == exe("rustup") {
        return true;
    }
    // Older versions of rustup create hard links or copies.
    let rustup = program.with_file_name(exe("rustup"));
    let is_name = |name: &str| Tool::RUST.iter().chain(&COMPONENTS).any(|known| exe(known) == name);
    let (Ok(own), Ok(other)) = (fs::metadata(real), fs::metadata(&rustup)) else { return false };
    is_name(&file_name(program)) && own.len() == other.len()
}

/// Programs of a toolchain in addition to [`Tool::RUST`].
const COMPONENTS: [&str; 8] =
    ["cargo-clippy", "cargo-fmt", "cargo-miri", "miri", "rls", "rust-analyzer", "rust-gdb", "rust-lldb"];

/// Subcommands that cargo runs itself without running programs it has built.
const BUILD_SUBCOMMANDS: [&str; 32] = [
    "add",
    "b",
    "build",
    "c",
    "check",
    "clean",
    "config",
    "d",
    "doc",
    "fetch",
    "fix",
    "generate-lockfile",
    "help",
    "info",
    "init",
    "locate-project",
    "login",
    "metadata",
    "new",
    "package",
    "pkgid",
    "publish",
    "read-manifest",
    "remove",
    "rm",
    "rustc",
    "rustdoc",
    "search",
    "tree",
    "update",
    "vendor",
    "version",
];

/// Subcommands that run programs they have built.
const RUN_SUBCOMMANDS: [&str; 5] = ["bench", "r", "run", "t", "test"];

/// Variables with a program that replaces or wraps rustc.
pub const RUSTC_VARIABLES: [&str; 6] = [
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
];

/// Variables that name other programs for cargo.
const OTHER_VARIABLES: [&str; 3] = ["CARGO_BUILD_RUSTDOC", "RUSTDOC", "RUSTFMT"];

impl Tracer<'_> {
    /// Returns whether `program` belongs to the toolchain of this run.
    pub(super) fn is_of_toolchain(&self, program: &Path) -> bool {
        let name = file_name(program);
        let is_rust = Tool::RUST.iter().chain(&COMPONENTS).any(|known| exe(known) == name);
        let is_own = self.programs.toolchain.as_deref().is_some_and(|bin| program.parent() == Some(bin));
        is_rust && is_own || program == self.programs.cargo
    }

    pub(super) fn own_toolchain_program(&mut self, program: &Path, args: &[Word]) {
        let bin = self.programs.toolchain.clone();
        let Some(bin) = bin.filter(|bin| program.parent() == Some(bin)) else {
            if is_proxy(program, &program.canonicalize().unwrap_or_default()) {
                return self.proxy(program, args);
            }
            return self.unknown(format!("`{}` is not part of a toolchain", program.display()));
        };
        self.toolchain(&bin);
        if program == self.programs.cargo {
            self.cargo(args);
        }
    }

    /// Adds the files of the toolchain in `bin`.
    fn toolchain(&mut self, bin: &Path) {
        let Some(root) = bin.parent().filter(|_| self.toolchains.insert(bin.to_path_buf())) else { return };
        let is_own = self.programs.toolchain.as_deref().is_some_and(|own| own == bin || same(own, bin));
        let prefix = if is_own { String::new() } else { format!("{}/", file_name(root)) };
        let list = |dir: &str| {
            let entries = fs::read_dir(root.join(dir)).into_iter().flatten().flatten();
            let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
            files
                .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
                .collect::<Vec<_>>()
        };
        let components = root.join("lib/rustlib/components");
        // The toolchain of a distribution shares its directories with other packages.
        let is_alone = components.is_file();
        let own = |name: &str| {
            let of = |prefix: &&str| name.starts_with(prefix);
            is_alone || ["librustc_driver", "libstd-", "libLLVM", "rustc_driver", "std-"].iter().any(of)
        };
        let is_named = |name: &str| Tool::RUST.iter().chain(&COMPONENTS).any(|known| exe(known) == name);
        let programs = list("bin").into_iter().filter(|(name, _)| is_alone || is_named(name));
        let libraries = list("lib").into_iter().filter(|(name, _)| own(name));
        for (name, path) in programs.chain(libraries).collect::<Vec<_>>() {
            self.add(format!("{prefix}{name}"), path);
        }
        // Lists the installed components, including standard libraries of other targets.
        self.add(format!("{prefix}components"), components);
    }

    /// Follows a proxy of rustup, or rustup itself.
    pub(super) fn proxy(&mut self, program: &Path, args: &[Word]) {
        let name = file_name(program);
        let word = |at: usize| args.get(at).and_then(Word::text);
        if name == exe("rustup") {
            let mut rest = args.iter().skip(1);
            let named = rest.by_ref().map_while(Word::text).find(|word| !word.starts_with('-'));
            let (Some("run"), Some(toolchain)) = (word(0), named) else {
                return self.unknown("`rustup` chooses at run time what to run".to_owned());
            };
            let words: Vec<_> = rest.cloned().collect();
            let toolchain = self.installed(toolchain);
            return self.in_toolchain(toolchain, &words);
        }
        let (toolchain, rest) = match word(0).and_then(|word| word.strip_prefix('+')) {
            Some(named) => (self.installed(named), &args[1..]),
            None => (self.active(), args),
        };
        let words: Vec<_> = [Word::Text(name)].into_iter().chain(rest.iter().cloned()).collect();
        self.in_toolchain(toolchain, &words);
    }

    /// Follows a command that runs in the given toolchain.
    fn in_toolchain(&mut self, toolchain: Result<PathBuf, String>, words: &[Word]) {
        let toolchain = match toolchain {
            Ok(toolchain) => toolchain,
            Err(why) => return self.unknown(why),
        };
        let Some((Word::Text(name), args)) = words.split_first() else {
            return self
                .unknown("the program that `rustup` runs is not fixed in the command line".to_owned());
        };
        let bin = toolchain.join("bin");
        self.toolchain(&bin);
        // Programs started by the command use the same toolchain.
        let chosen = std::ffi::OsString::from("RUSTUP_TOOLCHAIN");
        let before = self.vars.insert(chosen.clone(), toolchain.clone().into());
        let name = name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(name);
        let is_rust = Tool::RUST.iter().chain(&COMPONENTS).any(|known| *known == name);
        if is_program(&bin.join(exe(name))) {
            if name == "cargo" {
                self.cargo(args);
            }
        } else if let Some(program) = self.look_up(name).filter(|_| !is_rust) {
            self.program(&program, args);
        } else {
            self.unknown(format!("the toolchain `{}` has no `{name}`", file_name(&toolchain)));
        }
        match before {
            Some(before) => self.vars.insert(chosen, before),
            None => self.vars.remove(&chosen),
        };
    }

    /// Follows a subcommand of cargo.
    fn cargo(&mut self, args: &[Word]) {
        self.found.runs_cargo = true;
        self.named_programs();
        let mut rest = args;
        let subcommand = loop {
            match rest.split_first() {
                None => return,
                Some((Word::Text(word), tail)) => match word.as_str() {
                    "--color" | "--config" | "-C" | "-Z" => rest = tail.get(1..).unwrap_or_default(),
                    option if option.starts_with(['-', '+']) => rest = tail,
                    _ => break word.clone(),
                },
                Some(_) => {
                    return self
                        .unknown("the subcommand of cargo is not fixed in the command line".to_owned());
                }
            }
        };
        let tail = &rest[1..];
        if RUN_SUBCOMMANDS.contains(&subcommand.as_str()) {
            return self.unknown(format!("`cargo {subcommand}` runs a program that it builds"));
        }
        if BUILD_SUBCOMMANDS.contains(&subcommand.as_str()) {
            return;
        }
        let variable = format!("CARGO_ALIAS_{}", subcommand.to_uppercase().replace('-', "_"));
        let alias = self.var(&variable).map(|words| words.to_string_lossy().into_owned());
        let alias = alias.map(|words| words.split_whitespace().map(str::to_owned).collect());
        if let Some(alias) = alias.or_else(|| self.config.alias(&subcommand)) {
            if self.aliases.insert(subcommand.clone()) {
                let words: Vec<_> = alias.into_iter().map(Word::Text).chain(tail.iter().cloned()).collect();
                self.cargo(&words);
            }
            return;
        }
        let name = exe(&format!("cargo-{subcommand}"));
        // Cargo searches its own directory first for external subcommands.
        let home = self.var("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(self.home()?.join(".cargo"))).map(|home| home.join("bin"));
        let home = home.filter(|home| !self.path.contains(home));
        let found = home.iter().chain(&self.path).map(|dir| dir.join(&name)).find(|path| is_program(path));
        if let Some(program) = found {
            self.program(&program, tail);
        }
    }

    /// Follows the compiler and the programs named by cargo's configuration or variables.
    fn named_programs(&mut self) {
        if std::mem::replace(&mut self.is_cargo_known, true) {
            return;
        }
        let vars = RUSTC_VARIABLES
            .iter()
            .chain(&OTHER_VARIABLES)
            .filter_map(|name| self.var(name).and_then(|value| value.to_str().map(str::to_owned)));
        let mut programs: Vec<_> = vars.collect();
        let is_linker = |name: &&std::ffi::OsString| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER")
        };
        let linkers = self.vars.iter().filter(|(name, _)| is_linker(name));
        programs.extend(linkers.filter_map(|(_, value)| value.to_str().map(str::to_owned)));
        programs.extend(self.config.programs());
        // The `rustc` on PATH, for which rustup may choose a different toolchain.
        programs.push("rustc".to_owned());
        for program in programs {
            if let Some(path) = self.look_up(&program) {
                self.program(&path, &[]);
            }
        }
    }

    /// Returns the directory of the toolchain that rustup would use here.
    fn active(&self) -> Result<PathBuf, String> {
        if let Some(name) = self.var("RUSTUP_TOOLCHAIN") {
            return self.installed(&name.to_string_lossy());
        }
        let settings = self.settings();
        let overrides = settings.get("overrides").and_then(Value::as_table);
        for dir in self.real_dir().ancestors() {
            let name = overrides.and_then(|table| table.get(dir.to_str()?)?.as_str());
            if let Some(name) = name {
                return self.installed(name);
            }
            match toolchain_file::read(dir) {
                Some(Ok(ToolchainFile::Channel(name))) => return self.installed(&name),
                Some(Ok(ToolchainFile::Path(path))) => return Ok(dir.join(path)),
                Some(Ok(ToolchainFile::Default)) => break,
                Some(Err(why)) => return Err(why),
                None => {}
            }
        }
        match settings.get("default_toolchain").and_then(Value::as_str) {
            Some(name) => self.installed(name),
            None => Err("rustup has no default toolchain".to_owned()),
        }
    }

    /// Returns the directory of the installed toolchain `name`.
    fn installed(&self, name: &str) -> Result<PathBuf, String> {
        if Path::new(name).is_absolute() {
            return Some(PathBuf::from(name))
                .filter(|dir| dir.is_dir())
                .ok_or(format!("no toolchain at `{name}`"));
        }
        let toolchains =
            self.rustup_home().ok_or("the home directory of rustup is unknown")?.join("toolchains");
        let host = self.settings().get("default_host_triple").and_then(Value::as_str).map(str::to_owned);
        let host = host.or_else(|| host_of(&file_name(self.programs.toolchain.as_deref()?.parent()?)));
        let host = host.map(|host| format!("{name}-{host}"));
        let found = host.into_iter().chain([name.to_owned()]).map(|name| toolchains.join(name));
        let mut found = found.filter(|dir| dir.join("bin").is_dir());
        found.next().ok_or_else(|| format!("the toolchain `{name}` is not installed"))
    }

    fn settings(&self) -> Table {
        let path = self.rustup_home().map(|home| home.join("settings.toml"));
        path.and_then(|path| read_text(&path)?.parse().ok()).unwrap_or_default()
    }

    fn rustup_home(&self) -> Option<PathBuf> {
        self.var("RUSTUP_HOME").map(PathBuf::from).or_else(|| Some(self.home()?.join(".rustup")))
    }
}

/// Returns the host triple at the end of a toolchain name such as `1.95.0-x86_64-unknown-linux-gnu`.
fn host_of(toolchain: &str) -> Option<String> {
    let parts: Vec<_> = toolchain.split('-').collect();
    let is_arch = |part: &&str| {
        ["x86", "i686", "i586", "aarch64", "arm", "riscv", "powerpc", "s390x", "loongarch", "sparc", "mips"]
            .iter()
            .any(|arch| part.starts_with(arch))
    };
    let at = parts.iter().position(is_arch)?;
    Some(parts[at..].join("-"))
}

fn same(a: &Path, b: &Path) -> bool {
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}
