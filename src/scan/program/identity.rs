//! Determines what a tool really runs, which is more than the file named in its command line.
//!
//! # Overview
//!
//! A [`Tracer`] follows a command line like the system and the programs themselves: rustup's proxies to the
//! toolchain (`rustup.rs`), scripts to their interpreters and shell scripts to their commands (`script.rs`),
//! launchers of pip and npm to the packages they load (`python.rs`, `node.rs`), and programs such as `env` to the
//! command they start. On the way it collects the files whose content determines what runs.
//!
//! # Trade-offs
//!
//! Programs that decide themselves what to run (`npx`, `make`, `uv run`) are not followed, because this would mean
//! reimplementing each of them. They are reported as unknown, like everything else that can't be followed to its
//! end, and results that depend on them are not cached. A native program is identified by its bytes. System
//! libraries are ignored, and so are processes started by programs in other languages than those above.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::tracer::{ProgramIdentity, Tracer, file_name};
use super::words::Word;
use super::{Programs, exe, is_program, rustup};
use crate::disk;
use crate::model::tool::{Arg, Piece, Tool};
use crate::scan::cargo_config::CargoConfig;
use crate::scan::environment::Env;

/// Determines what tools run.
pub struct Identifier<'a> {
    programs: &'a Programs,
    env: &'a Env,
    config: CargoConfig,
}

impl<'a> Identifier<'a> {
    /// Creates an identifier and reads cargo's configuration, which may name programs.
    pub fn new(programs: &'a Programs, env: &'a Env) -> Self {
        Self { programs, env, config: CargoConfig::read(&programs.root, env) }
    }

    /// Returns cargo's configuration.
    pub fn into_config(self) -> CargoConfig {
        self.config
    }

    /// Returns the identity of `tool`. It is empty for a program built by another tool, which is checked once it
    /// exists.
    pub fn of(&self, tool: &Tool) -> ProgramIdentity {
        if tool.runs_executable() {
            return ProgramIdentity::default();
        }
        self.trace(tool, &words(tool))
    }

    /// Returns the identity of the command that prints the version of `tool`.
    pub fn of_version(&self, tool: &Tool) -> ProgramIdentity {
        let words: Vec<_> = tool.version.iter().cloned().map(Word::Text).collect();
        self.trace(tool, &words)
    }

    fn trace(&self, tool: &Tool, words: &[Word]) -> ProgramIdentity {
        let vars = self.env.seen_by(tool);
        let root = &self.programs.root;
        // Cargo searches its configuration from the directory in which it starts.
        let own_config = tool.dir.as_ref().map(|_| CargoConfig::read(&tool.start_dir(root), self.env));
        let path = vars.get(std::ffi::OsStr::new("PATH")).map(std::env::split_paths).into_iter().flatten();
        let path = path.map(|entry| tool.start_dir(root).join(entry)).collect();
        let mut tracer = Tracer {
            programs: self.programs,
            config: own_config.as_ref().unwrap_or(&self.config),
            dir: tool.start_dir(root),
            real_root: disk::real(root),
            vars,
            path,
            found: ProgramIdentity::default(),
            scripts: BTreeSet::new(),
            pythons: BTreeMap::new(),
            toolchains: BTreeSet::new(),
            aliases: BTreeSet::new(),
            is_cargo_known: false,
            depth: 0,
        };
        match words.first() {
            Some(Word::Text(name)) if !name.contains(PLACEHOLDER) => {
                let plus = words.get(1).and_then(Word::text);
                match self.programs.start(tool, [Some(name.as_str()), plus].into_iter().flatten()) {
                    Ok(program) => tracer.program(&program.components().collect::<PathBuf>(), &words[1..]),
                    Err(_) => tracer.unknown(format!("`{name}` is not installed")),
                }
            }
            _ => tracer.unknown("its command does not begin with a fixed program name".to_owned()),
        }
        tracer.found.with_distinct_names()
    }
}

impl ProgramIdentity {
    /// Adds a number to file names that occur more than once.
    fn with_distinct_names(mut self) -> Self {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let name = |(name, path): (String, PathBuf)| {
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 { (name, path) } else { (format!("{name} ({count})"), path) }
        };
        self.files = std::mem::take(&mut self.files).into_iter().map(name).collect();
        self
    }
}

/// Represents a placeholder in a word. No program or file has this in its name.
const PLACEHOLDER: &str = "$_";

/// Returns the words of the command line of `tool`.
fn words(tool: &Tool) -> Vec<Word> {
    let text = |pieces: &[Piece]| {
        let text = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            _ => PLACEHOLDER.to_owned(),
        };
        Word::Text(pieces.iter().map(text).collect())
    };
    let word = |arg: &Arg| match arg {
        Arg::Text(pieces) => vec![text(pieces)],
        Arg::Args => tool.args.iter().cloned().map(Word::Text).collect(),
        // The files are inputs of the task.
        Arg::Files => vec![Word::Text(PLACEHOLDER.to_owned())],
        Arg::Selection | Arg::Features | Arg::Target => vec![Word::Open(String::new())],
    };
    tool.run.iter().flat_map(word).collect()
}

/// Programs that decide themselves what they run, from their own configuration, downloads, or build results.
pub(super) const LAUNCHERS: [&str; 75] = [
    "asdf",
    "bazel",
    "bazelisk",
    "buck2",
    "bun",
    "bundle",
    "bunx",
    "cargo-bin",
    "cargo-make",
    "cmake",
    "conda",
    "corepack",
    "ctest",
    "deno",
    "direnv",
    "doas",
    "docker",
    "docker-compose",
    "doit",
    "dotnet",
    "fnm",
    "gmake",
    "go",
    "go-task",
    "gradle",
    "gradlew",
    "hatch",
    "hk",
    "invoke",
    "jbang",
    "just",
    "lefthook",
    "make",
    "makers",
    "mamba",
    "mask",
    "micromamba",
    "mise",
    "mvn",
    "mvnw",
    "ninja",
    "nix",
    "nix-shell",
    "nodenv",
    "nox",
    "npm",
    "npx",
    "nvm",
    "pants",
    "parallel",
    "pdm",
    "pipenv",
    "pipx",
    "pixi",
    "pnpm",
    "pnpx",
    "podman",
    "poetry",
    "pre-commit",
    "prek",
    "pyenv",
    "rake",
    "rbenv",
    "rye",
    "ssh",
    "su",
    "sudo",
    "task",
    "tox",
    "trunk",
    "uv",
    "uvx",
    "volta",
    "volta-shim",
    "yarn",
];

/// Programs that read the history or the index of the repository, which are not inputs of any task.
const VERSION_CONTROL: [&str; 9] = ["cvs", "fossil", "gh", "git", "glab", "hg", "jj", "sl", "svn"];

/// Maximum depth of programs that start each other.
const MAX_DEPTH: u32 = 24;

/// Kind of interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InterpreterKind {
    Shell,
    Python,
    Node,
    /// An interpreter for another language.
    Other,
}

impl InterpreterKind {
    /// Returns the kind of interpreter with the program name `name`.
    pub(super) fn of(name: &str) -> Option<Self> {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
        match stem {
            "sh" | "ash" | "bash" | "dash" | "ksh" | "mksh" | "zsh" | "rbash" => Some(Self::Shell),
            "python" | "pythonw" | "pypy" => Some(Self::Python),
            "node" | "nodejs" => Some(Self::Node),
            "perl" | "ruby" | "php" | "lua" | "luajit" | "tclsh" | "Rscript" | "julia" | "pwsh" | "fish"
            | "raku" | "guile" | "java" | "osascript" | "elixir" | "escript" => Some(Self::Other),
            _ => None,
        }
    }

    /// Returns the extensions of modules in its language.
    pub(super) fn modules(self) -> &'static [&'static str] {
        match self {
            Self::Shell => &[],
            Self::Python => &["py", "pyi"],
            Self::Node => &["cjs", "cts", "js", "json", "jsx", "mjs", "mts", "ts", "tsx"],
            Self::Other => &[
                "R", "ex", "exs", "fish", "jl", "lua", "php", "pl", "pm", "ps1", "psm1", "raku", "rakumod",
                "rb", "scm", "tcl",
            ],
        }
    }
}

impl Tracer<'_> {
    /// Records why the files are not complete. Only the first reason is kept.
    pub(super) fn unknown(&mut self, why: String) {
        self.found.unknown.get_or_insert(why);
    }

    pub(super) fn add(&mut self, name: impl Into<String>, path: impl Into<PathBuf>) {
        self.found.files.insert((name.into(), path.into()));
    }

    /// Returns the value of a variable that the tool sees.
    pub(super) fn var(&self, name: &str) -> Option<&std::ffi::OsStr> {
        let value = self.vars.get(std::ffi::OsStr::new(name))?;
        Some(value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// Reports the identity as unknown if one of `names` is set, because programs then load code from elsewhere.
    pub(super) fn refuse_variables(&mut self, names: &[&str]) {
        if let Some(name) = names.iter().find(|name| self.var(name).is_some()) {
            self.unknown(format!("{name} is set, so the program may load unknown code"));
        }
    }

    pub(super) fn home(&self) -> Option<PathBuf> {
        self.var("HOME").or_else(|| self.var("USERPROFILE")).map(PathBuf::from)
    }

    /// Resolves `path` relative to the directory in which the tool runs.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.dir.join(path).components().collect()
    }

    /// Returns the directory in which the tool runs, with links resolved.
    pub(super) fn real_dir(&self) -> PathBuf {
        disk::real(&self.dir)
    }

    /// Finds the program `name` as the tool itself would.
    pub(super) fn look_up(&self, name: &str) -> Option<PathBuf> {
        if name.contains('/') || name.contains(std::path::MAIN_SEPARATOR) {
            return Some(self.place(name)).filter(|path| is_program(path));
        }
        if name.is_empty() {
            return None;
        }
        self.path.iter().map(|dir| dir.join(exe(name))).find(|path| is_program(path))
    }

    pub(super) fn is_in_workspace(&self, real: &Path) -> bool {
        real.starts_with(&self.real_root)
    }

    /// Returns a name for `path` that is the same on every machine, if possible.
    pub(super) fn name_of(&self, path: &Path) -> String {
        let within = path.strip_prefix(&self.programs.root).or_else(|_| path.strip_prefix(&self.real_root));
        within.map_or_else(|_| file_name(path), |within| within.to_string_lossy().into_owned())
    }

    /// Follows the command with the given words.
    pub(super) fn run(&mut self, words: &[Word]) {
        match words.first() {
            None => {}
            Some(Word::Text(name)) if !name.contains(PLACEHOLDER) => {
                // A program that is not installed can't run. If it is installed later, the identity changes.
                if let Some(program) = self.look_up(name) {
                    self.program(&program, &words[1..]);
                }
            }
            Some(_) => {
                self.unknown("it runs a program whose name is not fixed in its command line".to_owned())
            }
        }
    }

    /// Follows `program`, which is started with the given arguments.
    pub(super) fn program(&mut self, program: &Path, args: &[Word]) {
        if self.depth >= MAX_DEPTH {
            return self.unknown(format!(
                "the chain of programs that start each other is too long (last: `{}`)",
                program.display()
            ));
        }
        self.depth += 1;
        self.follow(program, args);
        self.depth -= 1;
    }

    fn follow(&mut self, program: &Path, args: &[Word]) {
        let name = file_name(program);
        if self.is_of_toolchain(program) {
            return self.own_toolchain_program(program, args);
        }
        let real = disk::real(program);
        if rustup::is_proxy(program, &real) {
            return self.proxy(program, args);
        }
        if let Some(shim) = self.pyenv(program, &real) {
            return match shim {
                Ok(real) => self.program(&real, args),
                Err(why) => self.unknown(why),
            };
        }
        self.add(self.name_of(program), program);
        let names = [without_exe(&name), without_exe(&file_name(&real))];
        let launcher = names.iter().find(|name| LAUNCHERS.contains(&name.as_str()));
        // A script in the workspace may have any name.
        if let Some(name) = launcher.filter(|_| !self.is_in_workspace(&real) || is_installed(&real)) {
            return self.unknown(format!("`{name}` chooses at run time what to run"));
        }
        let repository = names.iter().find(|name| VERSION_CONTROL.contains(&name.as_str()));
        if let Some(name) = repository.filter(|_| !self.is_in_workspace(&real)) {
            return self.unknown(format!("`{name}` reads the history or the index of the repository"));
        }
        if let Some(wrapped_command) = wrapped_command(&names[0], args) {
            return match wrapped_command {
                Ok(words) => self.run(&words),
                Err(why) => self.unknown(why),
            };
        }
        match shebang(program) {
            Ok(Some(words)) => self.script(program, &real, &words, args),
            Ok(None) => {
                if let Some(kind) = names.iter().find_map(|name| InterpreterKind::of(name)) {
                    self.interpreter(kind, program, &real, args);
                } else if self.is_python_launcher(program) {
                    self.python_launcher(program);
                }
            }
            Err(error) => self.unknown(format!("could not read `{}`: {error}", program.display())),
        }
    }
}

/// Returns whether the program at `real` was installed by a package manager, possibly inside the workspace.
fn is_installed(real: &Path) -> bool {
    let is_in_environment = |bin: &Path| bin.with_file_name("pyvenv.cfg").is_file();
    real.components().any(|part| part.as_os_str() == "node_modules")
        || real.parent().is_some_and(is_in_environment)
}

/// Returns the name of a program without the `.exe` suffix.
fn without_exe(name: &str) -> String {
    name.strip_suffix(".exe").unwrap_or(name).to_owned()
}

/// Returns the words after `#!` in the first line of the file at `path`: a program and at most one argument.
/// Returns `None` if it is not a script.
fn shebang(path: &Path) -> std::io::Result<Option<Vec<String>>> {
    let mut head = Vec::new();
    disk::open(path)?.take(1024).read_to_end(&mut head)?;
    let Some(line) = head.strip_prefix(b"#!") else { return Ok(None) };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let line = line.trim();
    let (program, arg) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let arg = Some(arg.trim().to_owned()).filter(|arg| !arg.is_empty());
    Ok(Some([program.to_owned()].into_iter().chain(arg).collect()))
}

/// Returns the command that a wrapper called `name` runs, or `None` if it is not a known wrapper. Fails if the
/// command can't be determined.
pub(super) fn wrapped_command(name: &str, args: &[Word]) -> Option<Result<Vec<Word>, String>> {
    // Options with a separate value, and the number of words before the command.
    let (valued, positional): (&[&str], usize) = match name {
        "env" => return Some(env_command(args)),
        "find" | "fd" => return Some(Ok(exec_command(args))),
        "nice" => (&["-n", "--adjustment"], 0),
        "ionice" => (&["-c", "-n", "--class", "--classdata"], 0),
        "timeout" => (&["-s", "-k", "--signal", "--kill-after"], 1),
        "stdbuf" => (&["-i", "-o", "-e", "--input", "--output", "--error"], 0),
        "chrt" | "taskset" => (&[], 1),
        "nohup" | "setsid" | "time" | "command" | "exec" | "builtin" => (&["-a", "-f", "-o"], 0),
        "xargs" => (
            &[
                "-a",
                "-d",
                "-E",
                "-I",
                "-L",
                "-n",
                "-P",
                "-s",
                "--arg-file",
                "--delimiter",
                "--max-args",
                "--max-procs",
            ],
            0,
        ),
        _ => return None,
    };
    let mut rest = args;
    while let [Word::Text(option), ..] = rest {
        if !option.starts_with('-') {
            break;
        }
        rest = &rest[if valued.contains(&option.as_str()) { 2.min(rest.len()) } else { 1 }..];
        if option == "--" {
            break;
        }
    }
    Some(Ok(rest.get(positional..).unwrap_or_default().to_vec()))
}

/// Returns the command that `env` starts.
fn env_command(args: &[Word]) -> Result<Vec<Word>, String> {
    let mut rest = args.to_vec();
    loop {
        let Some(Word::Text(word)) = rest.first() else { return Ok(rest) };
        let split = word.strip_prefix("-S").or_else(|| word.strip_prefix("--split-string="));
        let skipped = match word.as_str() {
            "-i" | "-" | "-0" | "-v" | "--ignore-environment" | "--null" | "--debug" => 1,
            "-u" | "--unset" => 2,
            "--split-string" | "-S" => {
                let Some(Word::Text(text)) = rest.get(1) else {
                    return Err("`env -S` has no argument".to_owned());
                };
                let words = text.split_whitespace().map(|word| Word::Text(word.to_owned()));
                rest.splice(..2, words.collect::<Vec<_>>());
                continue;
            }
            _ if split.is_some() => {
                let words = split.into_iter().flat_map(str::split_whitespace);
                let words: Vec<_> = words.map(|word| Word::Text(word.to_owned())).collect();
                rest.splice(..1, words);
                continue;
            }
            word if word.starts_with("--unset=") || word.starts_with("-u") => 1,
            word if word.starts_with("PATH=") => return Err("`env` changes PATH".to_owned()),
            word if word.starts_with('-') => return Err(format!("`env {word}` is not supported")),
            word if word.contains('=') => 1,
            _ => return Ok(rest),
        };
        rest.drain(..skipped.min(rest.len()));
    }
}

/// Returns the command after `-exec` in the arguments of `find`.
fn exec_command(args: &[Word]) -> Vec<Word> {
    let is_exec = |word: &Word| {
        matches!(
            word.text(),
            Some("-exec" | "-execdir" | "-ok" | "-okdir" | "-x" | "-X" | "--exec" | "--exec-batch")
        )
    };
    let after_exec = args.iter().position(is_exec).map_or(&[][..], |at| &args[at + 1..]);
    let end = after_exec.iter().position(|word| matches!(word.text(), Some(";" | "+")));
    after_exec[..end.unwrap_or(after_exec.len())].to_vec()
}
