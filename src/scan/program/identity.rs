//! What a tool really runs, which is more than the file that its command line names.
//!
//! # Overview
//!
//! A [`Tracer`] follows a command line as the system and the programs themselves would: rustup's proxies to the toolchain
//! (`rustup.rs`), scripts to their interpreters and a shell's text to the commands in it (`script.rs`), stubs of pip and npm to the
//! packages that they load (`python.rs`, `node.rs`), `env` and its like to what they start. On its way it collects the files whose
//! content decides what runs.
//!
//! # Trade-offs
//!
//! Programs that find out for themselves what to run (`npx`, `make`, `uv run`) are not followed: that would be a second
//! implementation of each. They are reported as unknown, as is everything else that can't be followed to its end, and results that
//! depend on them are not cached. A native program counts by its bytes. The system's libraries are left out, and so is what
//! a program written in another language than those above starts by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::words::Word;
use super::{Programs, exe, is_program, rustup};
use crate::disk;
use crate::model::tool::{Arg, Piece, Tool};
use crate::scan::cargo_config::CargoConfig;
use crate::scan::environment::Env;

/// What a command line runs, as far as the disk tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The files whose content decides what runs, each with a name that is the same on every machine.
    pub files: BTreeSet<(String, PathBuf)>,
    /// Whether a script is part of it that does not belong to the workspace: only itself can tell its version.
    pub has_foreign_script: bool,
    /// Whether cargo is part of it, and so its configuration.
    pub runs_cargo: bool,
    /// Why that is not all of it.
    pub unknown: Option<String>,
}

/// Establishes what tools run.
pub struct Identifier<'a> {
    programs: &'a Programs,
    env: &'a Env,
    config: CargoConfig,
}

impl<'a> Identifier<'a> {
    /// Reads cargo's configuration, which may name programs.
    pub fn new(programs: &'a Programs, env: &'a Env) -> Self {
        Self { programs, env, config: CargoConfig::read(&programs.root, env) }
    }

    /// Cargo's configuration, once all is established.
    pub fn into_config(self) -> CargoConfig {
        self.config
    }

    /// What `tool` runs. Nothing if that is a program that another tool builds: it is looked at when it is there.
    pub fn of(&self, tool: &Tool) -> Identity {
        if tool.runs_executable() {
            return Identity::default();
        }
        self.trace(tool, &words(tool))
    }

    /// What runs to tell the version of `tool`.
    pub fn of_version(&self, tool: &Tool) -> Identity {
        let words: Vec<_> = tool.version.iter().cloned().map(Word::Text).collect();
        self.trace(tool, &words)
    }

    fn trace(&self, tool: &Tool, words: &[Word]) -> Identity {
        let vars = self.env.seen_by(tool);
        let root = &self.programs.root;
        let path = vars.get(std::ffi::OsStr::new("PATH")).map(std::env::split_paths).into_iter().flatten();
        let path = path.map(|entry| root.join(entry)).collect();
        let mut tracer = Tracer {
            programs: self.programs,
            config: &self.config,
            real_root: root.canonicalize().unwrap_or_else(|_| root.clone()),
            vars,
            path,
            found: Identity::default(),
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
                match self.programs.start([Some(name.as_str()), plus].into_iter().flatten(), None) {
                    Ok(program) => tracer.program(&program.components().collect::<PathBuf>(), &words[1..]),
                    Err(_) => tracer.unknown(format!("`{name}` is not installed")),
                }
            }
            _ => tracer.unknown("its program is not named".to_owned()),
        }
        tracer.found.with_distinct_names()
    }
}

impl Identity {
    /// The same with another name for each file that has the name of one before it.
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

/// What stands for a placeholder in a word: no program or file has a name like it.
const PLACEHOLDER: &str = "$_";

/// The words of the command line of `tool`.
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
        // What stands there are inputs of the task.
        Arg::Files => vec![Word::Text(PLACEHOLDER.to_owned())],
        Arg::Selection => vec![Word::Open(String::new())],
    };
    tool.run.iter().flat_map(word).collect()
}

/// Programs that choose themselves what they run: by a file of theirs, by what they download, by what was built.
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

/// How many programs may start each other before nobody follows them any more.
const DEPTH: u32 = 24;

/// Follows one command line.
pub(super) struct Tracer<'a> {
    pub(super) programs: &'a Programs,
    pub(super) config: &'a CargoConfig,
    /// The workspace root, without links.
    pub(super) real_root: PathBuf,
    /// The variables that the tool sees.
    pub(super) vars: BTreeMap<OsString, OsString>,
    /// The directories of its `PATH`: not those where genti looks for tools, which leave some out.
    pub(super) path: Vec<PathBuf>,
    pub(super) found: Identity,
    /// The shell scripts that were read.
    pub(super) scripts: BTreeSet<PathBuf>,
    /// For each Python interpreter, where its packages are.
    pub(super) pythons: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// The toolchains that were taken down, by where their programs are.
    pub(super) toolchains: BTreeSet<PathBuf>,
    /// Cargo's aliases that were followed.
    pub(super) aliases: BTreeSet<String>,
    /// Whether the programs that cargo starts have been followed.
    pub(super) is_cargo_known: bool,
    depth: u32,
}

/// What kind of file runs another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Shell,
    Python,
    Node,
    /// One of another language.
    Other,
}

impl Kind {
    /// What `name`, the name of a program, interprets.
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
}

impl Tracer<'_> {
    /// Takes down why something can't be known. The first reason is the one that is reported.
    pub(super) fn unknown(&mut self, why: String) {
        self.found.unknown.get_or_insert(why);
    }

    pub(super) fn add(&mut self, name: impl Into<String>, path: impl Into<PathBuf>) {
        self.found.files.insert((name.into(), path.into()));
    }

    /// The value of a variable that the tool sees.
    pub(super) fn var(&self, name: &str) -> Option<&std::ffi::OsStr> {
        let value = self.vars.get(std::ffi::OsStr::new(name))?;
        Some(value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// Reports that one of `names` is set: programs are then loaded from elsewhere.
    pub(super) fn refuse_variables(&mut self, names: &[&str]) {
        if let Some(name) = names.iter().find(|name| self.var(name).is_some()) {
            self.unknown(format!("{name} is set: what is loaded by it is not known"));
        }
    }

    pub(super) fn home(&self) -> Option<PathBuf> {
        self.var("HOME").or_else(|| self.var("USERPROFILE")).map(PathBuf::from)
    }

    /// Where the tool finds the file at `path`.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.programs.root.join(path).components().collect()
    }

    /// The program that `name` is for the tool itself.
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

    /// A name for `path` that is the same on every machine where that is possible.
    pub(super) fn name_of(&self, path: &Path) -> String {
        let within = path.strip_prefix(&self.programs.root).or_else(|_| path.strip_prefix(&self.real_root));
        within.map_or_else(|_| file_name(path), |within| within.to_string_lossy().into_owned())
    }

    /// Follows the command of these `words`.
    pub(super) fn run(&mut self, words: &[Word]) {
        match words.first() {
            None => {}
            Some(Word::Text(name)) if !name.contains(PLACEHOLDER) => {
                // One that is not there may come, and is another program then.
                if let Some(program) = self.look_up(name) {
                    self.program(&program, &words[1..]);
                }
            }
            Some(_) => self.unknown("it runs a program that its command line does not name".to_owned()),
        }
    }

    /// Follows `program`, which is started with these arguments.
    pub(super) fn program(&mut self, program: &Path, args: &[Word]) {
        if self.depth >= DEPTH {
            return self
                .unknown(format!("too many programs start each other, up to `{}`", program.display()));
        }
        self.depth += 1;
        self.follow(program, args);
        self.depth -= 1;
    }

    fn follow(&mut self, program: &Path, args: &[Word]) {
        let name = file_name(program);
        if self.is_of_toolchain(program) {
            return self.of_own_toolchain(program, args);
        }
        let real = program.canonicalize().unwrap_or_else(|_| program.to_path_buf());
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
        let names = [plain(&name), plain(&file_name(&real))];
        let launcher = names.iter().find(|name| LAUNCHERS.contains(&name.as_str()));
        // A script of the workspace may have any name.
        if let Some(name) = launcher.filter(|_| !self.is_in_workspace(&real) || is_installed(&real)) {
            return self.unknown(format!("`{name}` chooses itself what it runs"));
        }
        if let Some(wrapped) = wrapped(&names[0], args) {
            return match wrapped {
                Ok(words) => self.run(&words),
                Err(why) => self.unknown(why),
            };
        }
        match shebang(program) {
            Ok(Some(words)) => self.script(program, &real, &words, args),
            Ok(None) => {
                if let Some(kind) = names.iter().find_map(|name| Kind::of(name)) {
                    self.interpreter(kind, program, &real, args);
                } else if self.is_python_launcher(program) {
                    self.python_launcher(program);
                }
            }
            Err(error) => self.unknown(format!("could not read `{}`: {error}", program.display())),
        }
    }
}

/// Whether a package manager has put the program at `real` there, be it in the workspace.
fn is_installed(real: &Path) -> bool {
    let is_in_environment = |bin: &Path| bin.with_file_name("pyvenv.cfg").is_file();
    real.components().any(|part| part.as_os_str() == "node_modules")
        || real.parent().is_some_and(is_in_environment)
}

/// The last part of `path`.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of a program without what only Windows puts behind it.
fn plain(name: &str) -> String {
    name.strip_suffix(".exe").unwrap_or(name).to_owned()
}

/// The words behind `#!` in the first line of the file at `path`: a program and at most one argument. `None` if it is no
/// script.
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

/// The command that a program called `name` starts in its place, if it is one that does no more. `Err` if that can't be told.
pub(super) fn wrapped(name: &str, args: &[Word]) -> Option<Result<Vec<Word>, String>> {
    // Options that have a value of their own, and how many words come before the command.
    let (valued, positional): (&[&str], usize) = match name {
        "env" => return Some(env_command(args)),
        "find" | "fd" => return Some(Ok(executed(args))),
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

/// The command that `env` starts.
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
                    return Err("`env -S` has no text".to_owned());
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
            word if word.starts_with('-') => return Err(format!("`env {word}` is not followed")),
            word if word.contains('=') => 1,
            _ => return Ok(rest),
        };
        rest.drain(..skipped.min(rest.len()));
    }
}

/// The command behind `-exec` among the arguments of `find`.
fn executed(args: &[Word]) -> Vec<Word> {
    let is_exec = |word: &Word| {
        matches!(
            word.text(),
            Some("-exec" | "-execdir" | "-ok" | "-okdir" | "-x" | "-X" | "--exec" | "--exec-batch")
        )
    };
    let behind = args.iter().position(is_exec).map_or(&[][..], |at| &args[at + 1..]);
    let end = behind.iter().position(|word| matches!(word.text(), Some(";" | "+")));
    behind[..end.unwrap_or(behind.len())].to_vec()
}
