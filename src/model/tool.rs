//! What a tool is: a command, what it looks at, how its output is read. Knows nothing of TOML.

mod parse;

use std::num::NonZeroU32;

pub use self::parse::{Parse, Streams};
use super::census::CensusNumber;
use super::digest::{ContentHash, Sink};
use super::path::RelPath;
use super::style::FORMER_STYLE;
use super::workspace::{Target, TargetKind, Workspace};

/// An index into the tools of a plan, which are sorted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolId(pub u32);

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// The command line, with its placeholders.
    pub run: Vec<Arg>,
    /// What stands for `{args}`.
    pub args: Vec<String>,
    /// What is added to `args` for a second process, where errors that are only lints kept the first one from
    /// judging all that it should.
    pub second_pass: Vec<String>,
    /// What one task covers.
    pub per: Per,
    /// The cargo targets without which there is nothing to do.
    pub targets: Option<Targets>,
    /// Globs of the files that it looks at; all if empty.
    pub files: Vec<String>,
    /// Globs of files that it never looks at.
    pub exclude: Vec<String>,
    /// Globs of further files that decide its result (configuration files).
    pub inputs: Vec<String>,
    /// How its output is read.
    pub parse: Parse,
    /// The files that it searches for. They decide what is cached, and no id.
    pub searches: Vec<Search>,
    /// Whether its results are cached, to be used again when nothing has changed that decides them.
    pub cache: Caching,
    /// The numbers of its census that may only get better.
    pub ratchet: Vec<CensusNumber>,
    /// The namespaces whose findings are fixed when this tool no longer reports them.
    pub namespaces: Vec<String>,
    /// Whether its verdict decides the exit code.
    pub required: bool,
    /// Whether it is fine that there is nothing for it to look at.
    pub may_be_empty: bool,
    /// Names of the tools whose tasks come first.
    pub needs: Vec<String>,
    /// Whether it takes part only where a tool that needs it does.
    pub on_demand: bool,
    /// What only one step may hold at a time.
    pub lane: Option<String>,
    /// Which environment it sees.
    pub environment: Environment,
    /// Whether it is a client of the jobserver, and gets the variables.
    pub jobserver: bool,
    /// The variable that tells it how many threads it may have, if it takes tokens for them.
    pub threads: Option<String>,
    /// How to ask for its version.
    pub version: Vec<String>,
    /// How to ask for all the rules that it knows, if it tells them as `rustc -W help` does.
    pub rules: Vec<String>,
    /// How to install it.
    pub install: Option<String>,
    /// What shows that a workspace uses it; it takes part in every workspace if `None`.
    pub detect: Option<Signs>,
    /// Its turns in a round, while the tools of a class take turns; counts for its risk too.
    pub weight: NonZeroU32,
    /// The caps of one step under `--batch auto`.
    pub caps: StepCaps,
    /// What it means if something is left running that holds the output open, which is complete by its own count.
    pub leaky: Leaky,
    /// Whether the user's configuration names it.
    pub configured: bool,
}

/// What in a workspace shows that it uses a tool: any of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signs {
    /// Files, from the workspace root.
    pub files: Vec<String>,
    /// Tables in `[workspace.metadata]`, or in a member's `[package.metadata]`.
    pub metadata: Vec<String>,
    /// Packages that a member's build script depends on.
    pub build_dependencies: Vec<String>,
}

impl Signs {
    /// Whether one of them is in `workspace`.
    pub fn are_in(&self, workspace: &Workspace) -> bool {
        self.files.iter().any(|path| workspace.find(&RelPath::new(path)).is_some())
            || self.metadata.iter().any(|table| workspace.metadata.contains(table))
            || self.build_dependencies.iter().any(|name| workspace.build_dependencies.contains(name))
    }
}

/// One argument of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A literal text, or one with single-valued placeholders in it.
    Text(Vec<Piece>),
    /// `{files}`: the files of the step's units, an argument each.
    Files,
    /// `{args}`: the tool's `args`.
    Args,
    /// `{selection}`: cargo's words for the packages, features and target of this run.
    Selection,
}

impl Arg {
    /// The text, if it has no placeholder.
    pub fn literal(&self) -> Option<&str> {
        match self {
            Self::Text(pieces) => match pieces.as_slice() {
                [Piece::Literal(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A piece of a text argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Literal(String),
    /// `{file}`: the one file of the unit.
    File,
    /// `{package}`: the name of the unit's package.
    Package,
    /// `{dir}`: the directory of the unit's package.
    Dir,
    /// `{edition}`: the edition of the unit's target.
    Edition,
    /// `{executable}`: the test program of the unit's target, which a tool that it needs builds. Known only while
    /// the plan runs.
    Executable,
}

/// What one task of a tool covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    /// The run's whole selection.
    Workspace,
    /// A member of the workspace.
    Package,
    /// The root source file of a cargo target, and what it reaches through `mod`.
    TargetRoot,
    /// A cargo target that `cargo test` runs.
    TestTarget,
    /// A file.
    File,
}

impl Per {
    /// As written in the configuration and in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Package => "package",
            Self::TargetRoot => "target-root",
            Self::TestTarget => "test-target",
            Self::File => "file",
        }
    }
}

/// Cargo targets that a tool is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Targets {
    /// Those that `cargo test` runs.
    Test,
    /// Those whose documentation `cargo test` runs.
    Doctest,
    /// `build.rs`.
    BuildScript,
}

impl Targets {
    /// As written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Doctest => "doctest",
            Self::BuildScript => "build-script",
        }
    }

    /// Whether `target` is one of them.
    pub fn include(self, target: &Target) -> bool {
        match self {
            Self::Test => target.test,
            Self::Doctest => target.doctest,
            Self::BuildScript => target.kind == TargetKind::BuildScript,
        }
    }
}

/// What it means if a process passes and leaves something running that holds its output open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leaky {
    /// It passes, and is reported as leaky.
    #[default]
    Pass,
    /// That is a finding.
    Fail,
}

impl Leaky {
    /// What is said of it, in both cases.
    pub const MESSAGE: &str = "left a process running that held its output open";

    /// As written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// The environment of a tool's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Everything but what belongs to this program.
    Inherit(Counted),
    /// A fixed list of harmless variables, and these.
    Only(Vec<String>),
}

/// Which of the variables that a tool inherits decide its results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// All of them.
    All,
    /// These, beside the harmless ones and those that cargo and compilers read.
    Listed(Vec<String>),
    /// Those that cargo and compilers read, and these. The other ones that a build reads are reported by the build.
    Build(Vec<String>),
}

/// Whether the results of a tool are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Never.
    Never,
    /// If everything that decides them can be established.
    Established,
    /// Also if its program can't be established: the configuration asks for it.
    Always,
}

/// A file that a tool searches for: its name, and in which directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Where the search begins.
    pub start: Start,
    /// Whether it goes on through all directories above.
    pub upwards: bool,
    /// The path of the file from there.
    pub name: String,
}

/// Where a tool begins to search for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// In the directory of each file that it looks at.
    Files,
    /// In the directory where it is started: the workspace root.
    Root,
    /// In the user's home directory.
    Home,
    /// In the directory that this variable names.
    Variable(String),
    /// Nowhere: the name is an absolute path.
    Absolute,
}

impl Search {
    /// Reads what the configuration says: `name`, `./name`, `~/name`, `$VARIABLE/name` or `/absolute/name`. A search for
    /// the first goes upwards, and one for the next three does so with a `^` before them.
    pub fn parse(text: &str) -> Self {
        let (upwards, place) = text.strip_prefix('^').map_or((false, text), |place| (true, place));
        let of = |start, upwards, name: &str| Self { start, upwards, name: name.to_owned() };
        match place.split_once('/') {
            Some((".", name)) => of(Start::Root, upwards, name),
            Some(("~", name)) => of(Start::Home, upwards, name),
            Some((variable, name)) if variable.starts_with('$') => {
                of(Start::Variable(variable[1..].to_owned()), upwards, name)
            }
            Some(("", _)) => of(Start::Absolute, false, place),
            _ => of(Start::Files, true, place),
        }
    }

    /// The variable without which the tool would search elsewhere.
    pub fn variable(&self) -> Option<&str> {
        match &self.start {
            Start::Variable(name) => Some(name),
            Start::Files | Start::Root | Start::Home | Start::Absolute => None,
        }
    }
}

/// What one step may hold under `--batch auto`. Part of the policy, not of any task's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepCaps {
    /// Units.
    pub tasks: u32,
    /// Bytes of the units' files.
    pub bytes: u64,
}

impl Default for StepCaps {
    fn default() -> Self {
        Self { tasks: 256, bytes: 2 << 20 }
    }
}

impl Tool {
    /// The name of the tool that stands for this program where blind spots are denied.
    pub const BLIND_SPOTS: &'static str = "blind-spots";

    /// Whether a process may cover several units: only where the command line has `{files}` and nothing that
    /// stands for one unit, and the output tells the units apart.
    pub fn takes_many(&self) -> bool {
        let single = |piece: &Piece| matches!(piece, Piece::File | Piece::Package | Piece::Dir);
        let tells_apart = match &self.parse {
            Parse::RustcJson | Parse::Rustfmt | Parse::TyposJson | Parse::Sarif | Parse::Diff => true,
            Parse::Regex(pattern) => pattern.contains("<path>"),
            Parse::CargoBuild | Parse::BuildScripts | Parse::Libtest | Parse::Nextest => false,
            Parse::Lines | Parse::ExitCode => false,
            Parse::DenyJson | Parse::AuditJson | Parse::Machete | Parse::Golden(_) => false,
            Parse::Number(_) => false,
        };
        tells_apart
            && matches!(self.per, Per::File | Per::TargetRoot)
            && self.run.contains(&Arg::Files)
            && !self.run.iter().any(|arg| matches!(arg, Arg::Text(pieces) if pieces.iter().any(single)))
    }

    /// Whether there is one process for all of its units, whatever the batch policy and however it ends: it is cargo that
    /// goes over the packages, and what each of them is built like depends on what else is.
    pub fn takes_all(&self) -> bool {
        self.per == Per::Package && self.uses_selection()
    }

    /// The tool as it is run for the second time, if it is.
    pub fn for_second_pass(&self) -> Self {
        if self.tells_style_apart() {
            let former = ["--style-edition", FORMER_STYLE].map(str::to_owned);
            return Self { args: self.args.iter().cloned().chain(former).collect(), ..self.clone() };
        }
        let is_behind = self.args.iter().any(|arg| arg == "--");
        // What stands behind the first `--` is for the compiler already.
        let more = self.second_pass.iter().filter(|arg| !(is_behind && *arg == "--"));
        Self { args: self.args.iter().chain(more).cloned().collect(), ..self.clone() }
    }

    /// Whether nobody asked for it: the workspace shows that it uses it, and no more.
    pub fn is_only_detected(&self) -> bool {
        self.detect.is_some() && !self.configured
    }

    /// Whether it sees every variable.
    pub fn inherits(&self) -> bool {
        matches!(self.environment, Environment::Inherit(_))
    }

    /// Lets only those of the variables that it inherits count that its builds read: it is known to run nothing else.
    pub fn count_build_variables(&mut self) {
        if self.inherits() {
            self.environment = Environment::Inherit(Counted::Build(Vec::new()));
        }
    }

    /// Whether its results may be cached.
    pub fn is_cached(&self) -> bool {
        self.cache != Caching::Never
    }

    /// Whether it states numbers that may only get better. Their lines in the baseline are in a namespace of its name.
    pub fn states_numbers(&self) -> bool {
        matches!(self.parse, Parse::Number(_)) || !self.ratchet.is_empty()
    }

    /// Whether its command line names a program that another tool builds.
    pub fn uses_executable(&self) -> bool {
        self.run.iter().any(|arg| matches!(arg, Arg::Text(pieces) if pieces.contains(&Piece::Executable)))
    }

    /// Whether it is such a program itself that it runs.
    pub fn runs_executable(&self) -> bool {
        matches!(self.run.first(), Some(Arg::Text(pieces)) if *pieces == [Piece::Executable])
    }

    /// Whether it runs tests: what these depend on, nobody knows.
    pub fn runs_tests(&self) -> bool {
        self.targets.is_some() || self.uses_executable()
    }

    /// Whether it builds members and judges no lints of them: then none may keep it from building.
    pub fn caps_lints(&self) -> bool {
        let judges_none =
            matches!(self.parse, Parse::CargoBuild | Parse::BuildScripts | Parse::Libtest | Parse::Nextest);
        judges_none && self.inherits() && !self.uses_executable()
    }

    /// Whether what it prints is compared with golden files.
    pub fn has_goldens(&self) -> bool {
        matches!(self.parse, Parse::Golden(_))
    }

    /// Whether the command line depends on which packages and features were selected.
    pub fn uses_selection(&self) -> bool {
        self.run.contains(&Arg::Selection)
    }

    /// How it is found out what a process of this tool has read beyond its declared inputs.
    pub fn discovers(&self) -> Discovers {
        match self.per {
            // All files are inputs, or those that its globs name.
            Per::File | Per::TestTarget => Discovers::Nothing,
            Per::Workspace if !self.uses_selection() => Discovers::Nothing,
            Per::TargetRoot => Discovers::Modules,
            Per::Workspace | Per::Package => Discovers::Build,
        }
    }
}

/// How it is found out what a process has read beyond its declared inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovers {
    /// It is not: what it reads is declared.
    Nothing,
    /// By the files that the tool says it formats, and by following the modules of its target roots.
    Modules,
    /// By what cargo says it built, and what rustc and build scripts say they read; where they say nothing, by what the
    /// sources name.
    Build,
}

/// What decides the result of a tool, and nothing of how it is scheduled.
impl ContentHash for Tool {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.field("tool", self.name.as_bytes());
        sink.count("run", self.run.len());
        for arg in &self.run {
            match arg {
                Arg::Files => sink.field("run.list", b"files"),
                Arg::Args => sink.field("run.list", b"args"),
                Arg::Selection => sink.field("run.list", b"selection"),
                Arg::Text(pieces) => {
                    sink.count("run.text", pieces.len());
                    for piece in pieces {
                        match piece {
                            Piece::Literal(text) => sink.field("run.literal", text.as_bytes()),
                            Piece::File => sink.field("run.single", b"file"),
                            Piece::Package => sink.field("run.single", b"package"),
                            Piece::Dir => sink.field("run.single", b"dir"),
                            Piece::Edition => sink.field("run.single", b"edition"),
                            Piece::Executable => sink.field("run.single", b"executable"),
                        }
                    }
                }
            }
        }
        sink.texts("args", &self.args);
        sink.texts("second-pass", &self.second_pass);
        sink.field("per", self.per.as_str().as_bytes());
        sink.texts("files", &self.files);
        sink.texts("exclude", &self.exclude);
        sink.texts("inputs", &self.inputs);
        self.parse.feed(sink);
        if self.leaky == Leaky::Fail {
            sink.field("leaky", self.leaky.as_str().as_bytes());
        }
        match &self.environment {
            Environment::Inherit(counted) => {
                sink.field("env", b"inherit");
                match counted {
                    Counted::Listed(names) => sink.texts("env.listed", names),
                    Counted::Build(names) if !names.is_empty() => sink.texts("env.listed", names),
                    Counted::Build(_) | Counted::All => {}
                }
            }
            Environment::Only(names) => sink.texts("env", names),
        }
    }
}
