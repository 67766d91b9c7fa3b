//! Tools: a command, the files it checks, and the format of its output. Does not know TOML.

mod parse;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::parse::{Parse, Printer, Searcher, Statements, Streams, Work};
use super::census::CensusNumber;
use super::digest::{ContentHash, Sink};
use super::finding::Level;
use super::generator::Generator;
use super::named::named;
use super::path::RelPath;
use super::powerset::Powerset;
use super::service::Service;
use super::style::FORMER_STYLE;
use super::variant::{Variant, VariantLock};
use super::workspace::{Target, TargetKind, Workspace};

/// An index into the tools of a plan, which are sorted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolId(pub u32);

/// A tool: a command that performs one kind of check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Name: lower-case letters, digits, `-` and `_`; for a variant of it, followed by `@` and the name of the variant.
    pub name: String,
    /// The variant, unless it is the default build.
    pub variant: Option<Arc<Variant>>,
    /// Command line with placeholders.
    pub run: Vec<Arg>,
    /// Arguments in place of `{args}`.
    pub args: Vec<String>,
    /// Additional arguments for a second process, used if errors of lints prevented the first one from
    /// checking everything.
    pub second_pass: Vec<String>,
    /// Directory in which its processes start, relative to the workspace root. `None` for the root itself, or for the directory
    /// of the package if it runs a test program.
    pub dir: Option<RelPath>,
    /// Unit of its tasks.
    pub per: Per,
    /// Cargo targets that it applies to. If no package has one, the tool has nothing to do.
    pub targets: Option<Targets>,
    /// Globs of the files that it checks; empty for all files.
    pub files: Vec<String>,
    /// Globs of files that it does not check.
    pub exclude: Vec<String>,
    /// Globs of further files that affect its result, such as configuration files.
    pub inputs: Vec<String>,
    /// Format of its output.
    pub parse: Parse,
    /// Files that it searches for. They affect cache keys, but not task ids.
    pub searches: Vec<Search>,
    /// Conditions under which its results are cached.
    pub cache: Caching,
    /// Ratcheted numbers of its census.
    pub ratchet: Vec<CensusNumber>,
    /// Namespaces that it owns: their findings are fixed once this tool no longer reports them.
    pub namespaces: Vec<String>,
    /// True if its verdict affects the exit code.
    pub required: bool,
    /// True if it may have nothing to check.
    pub may_be_empty: bool,
    /// Names of the tools whose tasks run first.
    pub needs: Vec<String>,
    /// Names of the tools that don't run if this one does.
    pub replaces: Vec<String>,
    /// True if it only runs together with a tool that needs it.
    pub on_demand: bool,
    /// Name of the lane, in which only one step runs at a time.
    pub lane: Option<String>,
    /// Environment of its processes.
    pub environment: Environment,
    /// Variables that its configuration sets, with their values.
    pub vars: BTreeMap<String, String>,
    /// Time limit of each task, in place of that of the policy.
    pub timeout: Option<Duration>,
    /// True if it is a jobserver client and gets the jobserver variables.
    pub jobserver: bool,
    /// Environment variable for the number of threads, if it takes a token per thread.
    pub threads: Option<String>,
    /// Command that prints its version.
    pub version: Vec<String>,
    /// Command that lists its rules in the format of `rustc -W help`.
    pub rules: Vec<String>,
    /// Command that installs it.
    pub install: Option<String>,
    /// Signs by which it is detected in a workspace; if `None`, it runs in every workspace.
    pub detect: Option<Signs>,
    /// Number of batches per turn when the tools of a class take turns. Also part of the risk.
    pub weight: NonZeroU32,
    /// Limits of a step under `--batch auto`.
    pub caps: StepCaps,
    /// Treatment of processes that hold the output open, although it is complete according to its own count.
    pub leaky: Leaky,
    /// Maximum number of times that a failed test, or the tool as a whole, is run again.
    pub retries: u32,
    /// Treatment of what fails and then passes when it is run again.
    pub flaky: Flaky,
    /// The sandbox around its processes, if it has one.
    pub sandbox: Option<Sandbox>,
    /// True if the configuration states that its result depends only on its program, its command line and its declared inputs, so
    /// a worker may run it.
    pub hermetic: bool,
    /// True if it runs in a copy of the repository, which it may change.
    pub copy: bool,
    /// Services that run while it runs, sorted by name.
    pub services: Vec<Arc<Service>>,
    /// Names of the variants that it runs in, as configured; empty for the default build alone.
    pub variants: Vec<String>,
    /// True if the user's configuration names it.
    pub configured: bool,
    /// True if the configuration sets no output format, so only the exit code is read.
    pub lacks_format: bool,
}

/// Rights of the processes of a sandboxed tool, besides reading the repository, the toolchain and the system. Paths are relative
/// to the workspace root, or begin with `/` or `~/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// Files and directories that they may change.
    pub write: Vec<String>,
    /// Further files and directories that they may read.
    pub read: Vec<String>,
    /// Sockets that they may open.
    pub network: Network,
}

named! {
    /// Sockets that the processes of a sandboxed tool may open.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Network {
        /// None.
        #[default]
        None = "none",
        /// Those of a network of their own, which consists of a loopback device.
        Loopback = "loopback",
        /// All.
        All = "all",
    }
}

/// Signs that a workspace uses a tool. Any one of them is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signs {
    /// Files, relative to the workspace root.
    pub files: Vec<String>,
    /// Tables in `[workspace.metadata]`, or in the `[package.metadata]` of a member.
    pub metadata: Vec<String>,
    /// Packages that the build script of a member depends on.
    pub build_dependencies: Vec<String>,
}

impl Signs {
    /// Returns true if `workspace` has one of these signs.
    pub fn are_in(&self, workspace: &Workspace) -> bool {
        self.files.iter().any(|path| workspace.find(&RelPath::new(path)).is_some())
            || self.metadata.iter().any(|table| workspace.metadata.contains(table))
            || self.build_dependencies.iter().any(|name| workspace.build_dependencies.contains(name))
    }
}

/// An argument of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A text, which may contain single-valued placeholders.
    Text(Vec<Piece>),
    /// `{files}`: the files of the units of the step, one argument each.
    Files,
    /// `{args}`: the `args` of the tool.
    Args,
    /// `{selection}`: cargo's flags for the packages, features and target of this run.
    Selection,
    /// `{features}`: only those for the features.
    Features,
    /// `{target}`: only those for the target.
    Target,
}

impl Arg {
    /// Returns the text if it has no placeholders.
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
    /// Literal text.
    Literal(String),
    /// `{file}`: the file of the unit.
    File,
    /// `{package}`: the name of the unit's package.
    Package,
    /// `{dir}`: the directory of the unit's package.
    Dir,
    /// `{edition}`: the edition of the unit's target.
    Edition,
    /// `{executable}`: the test binary of the unit's target, built by a tool that this one needs. Known only
    /// during the run.
    Executable,
}

named! {
    /// Unit of the tasks of a tool.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Per {
        /// The entire selection of the run.
        Workspace = "workspace",
        /// A member of the workspace.
        Package = "package",
        /// The root source file of a cargo target, with the modules it includes.
        TargetRoot = "target-root",
        /// A cargo target that `cargo test` runs.
        TestTarget = "test-target",
        /// A single file.
        File = "file",
    }
}

named! {
    /// Cargo targets that a tool applies to.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Targets {
        /// Targets that `cargo test` runs.
        Test = "test",
        /// Targets whose doc tests `cargo test` runs.
        Doctest = "doctest",
        /// Build scripts.
        BuildScript = "build-script",
    }
}

impl Targets {
    /// Returns true if `target` is one of them.
    pub fn include(self, target: &Target) -> bool {
        match self {
            Self::Test => target.test,
            Self::Doctest => target.doctest,
            Self::BuildScript => target.kind == TargetKind::BuildScript,
        }
    }
}

named! {
    /// Treatment of a process that passes but leaves another process running that holds its output open.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Leaky {
        /// The task passes and is listed as leaky.
        #[default]
        Pass = "pass",
        /// The task fails, with a finding about the process.
        Fail = "fail",
    }
}

impl Leaky {
    /// Message about the process, in both cases.
    pub const MESSAGE: &str = "left a process running that held its output open";
}

named! {
    /// Treatment of what fails and then passes when it is run again.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Flaky {
        /// The test passes, with a finding that fails nothing.
        #[default]
        Pass = "pass",
        /// It fails with a finding.
        Fail = "fail",
    }
}

/// Environment of the processes of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// All variables except genti's own.
    Inherit(Counted),
    /// Only these variables, and a fixed list of harmless ones.
    Only(Vec<String>),
}

/// Inherited variables that affect the results of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// All variables.
    All,
    /// These variables, harmless ones, and those that cargo and compilers read.
    Listed(Vec<String>),
    /// These variables, and those that cargo and compilers read. The build itself reports all others that it reads.
    Build(Vec<String>),
}

/// Conditions under which the results of a tool are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Results are never cached.
    Never,
    /// Results are cached if everything that affects them can be determined.
    Established,
    /// Results are cached even if the program of the tool can't be determined, because the configuration says
    /// so.
    Always,
    /// Results of test programs are cached if they ran in a sandbox and all their inputs were observed.
    Sandboxed {
        /// Time after which a result no longer counts.
        max_age: Duration,
    },
}

impl Caching {
    /// Default of [`Caching::Sandboxed::max_age`]: 7 days.
    pub const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
}

/// A file that a tool searches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Directory where the search starts.
    pub start: SearchStart,
    /// True if it continues through all parent directories.
    pub upwards: bool,
    /// Path of the file, relative to each directory.
    pub name: String,
}

/// Directory where a tool starts searching for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchStart {
    /// The directory of each file that it checks.
    Files,
    /// Its working directory: the workspace root.
    Root,
    /// The user's home directory.
    Home,
    /// The directory in this environment variable.
    Variable(String),
    /// No directory, because the name is an absolute path.
    Absolute,
}

impl Search {
    /// Parses a search in the configuration: `name`, `./name`, `~/name`, `$VARIABLE/name` or
    /// `/absolute/name`. The first form searches upwards; the next three do so with a leading `^`.
    pub fn parse(text: &str) -> Self {
        let (upwards, place) = text.strip_prefix('^').map_or((false, text), |place| (true, place));
        let of = |start, upwards, name: &str| Self { start, upwards, name: name.to_owned() };
        match place.split_once('/') {
            Some((".", name)) => of(SearchStart::Root, upwards, name),
            Some(("~", name)) => of(SearchStart::Home, upwards, name),
            Some((variable, name)) if variable.starts_with('$') => {
                of(SearchStart::Variable(variable[1..].to_owned()), upwards, name)
            }
            Some(("", _)) => of(SearchStart::Absolute, false, place),
            _ => of(SearchStart::Files, true, place),
        }
    }

    /// Returns the environment variable that determines where the search starts.
    pub fn variable(&self) -> Option<&str> {
        match &self.start {
            SearchStart::Variable(name) => Some(name),
            SearchStart::Files | SearchStart::Root | SearchStart::Home | SearchStart::Absolute => None,
        }
    }
}

/// Writes the search as [`Search::parse`] reads it.
impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, upwards, name } = self;
        let upwards = if *upwards { "^" } else { "" };
        match start {
            SearchStart::Files | SearchStart::Absolute => f.write_str(name),
            SearchStart::Root => write!(f, "{upwards}./{name}"),
            SearchStart::Home => write!(f, "{upwards}~/{name}"),
            SearchStart::Variable(variable) => write!(f, "{upwards}${variable}/{name}"),
        }
    }
}

/// Limits of a step under `--batch auto`. They are part of the policy, not of task ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepCaps {
    /// Maximum number of units.
    pub tasks: u32,
    /// Maximum size of the units' files in bytes.
    pub bytes: u64,
}

impl Default for StepCaps {
    fn default() -> Self {
        Self { tasks: 256, bytes: 2 << 20 }
    }
}

impl Tool {
    /// Name of the pseudo tool that owns the findings about blind spots, for policies that deny them.
    pub const BLIND_SPOTS: &'static str = "blind-spots";

    /// Programs of a Rust toolchain for which rustup has proxies.
    pub const RUST: [&str; 5] = ["cargo", "rustc", "rustdoc", "rustfmt", "clippy-driver"];

    /// Variable with the number of threads of rustc's test harness.
    pub const LIBTEST_THREADS: &'static str = "RUST_TEST_THREADS";

    /// Returns true if a process may cover several units. This requires `{files}` in the command line, no
    /// placeholder for a single unit, and output that distinguishes the units.
    pub fn takes_many(&self) -> bool {
        let single = |piece: &Piece| matches!(piece, Piece::File | Piece::Package | Piece::Dir);
        self.parse.tells_files_apart()
            && matches!(self.per, Per::File | Per::TargetRoot)
            && self.run.contains(&Arg::Files)
            && !self.run.iter().any(|arg| matches!(arg, Arg::Text(pieces) if pieces.iter().any(single)))
    }

    /// Returns true if this tool, which prints messages of rustc, reports all lints of namespace `ns` in the code that it compiles.
    /// A command other than cargo is assumed to report all of them.
    pub fn reports_all(&self, ns: &str) -> bool {
        let words = self.run.iter().map_while(Arg::literal).filter(|word| !word.starts_with('+'));
        !matches!(
            (words.take(2).collect::<Vec<_>>().as_slice(), ns),
            (["cargo", "clippy"], "rustdoc")
                | (["cargo", "b" | "build" | "c" | "check" | "t" | "test"], "clippy" | "rustdoc")
                | (["cargo", "d" | "doc" | "rustdoc"], "clippy" | "rustc")
        )
    }

    /// Returns true if a single process covers all units under every batch policy. Cargo iterates over the
    /// packages in it, and the build of each depends on the others.
    pub fn takes_all(&self) -> bool {
        self.per == Per::Package && self.uses_selection() && self.powerset().is_none()
    }

    /// Returns the tool with the command line of its second process.
    pub fn for_second_pass(&self) -> Self {
        if self.tells_style_apart() {
            let former = ["--style-edition", FORMER_STYLE].map(str::to_owned);
            return Self { args: self.args.iter().cloned().chain(former).collect(), ..self.clone() };
        }
        let is_behind = self.args.iter().any(|arg| arg == "--");
        // The arguments already have a `--`, which the additional arguments must not repeat.
        let more = self.second_pass.iter().filter(|arg| !(is_behind && *arg == "--"));
        Self { args: self.args.iter().chain(more).cloned().collect(), ..self.clone() }
    }

    /// Returns true if it may be leaky: its output says how many results there are, so it can be complete although a process
    /// still holds it open.
    pub fn may_be_leaky(&self) -> bool {
        self.parse.work() == Work::Test
    }

    /// Returns true if it only runs because it was detected, without being configured or selected.
    pub fn is_only_detected(&self) -> bool {
        self.detect.is_some() && !self.configured
    }

    /// Returns the name of the configured tool, without the variant.
    pub fn base(&self) -> &str {
        Variant::split(&self.name).0
    }

    /// Returns the name of the variant.
    pub fn variant_name(&self) -> &str {
        self.variant.as_ref().map_or(Variant::DEFAULT, |variant| &variant.name)
    }

    /// Returns the name under which its version is recorded: that of the configured tool, and the toolchain of its variant.
    pub fn version_name(&self) -> Cow<'_, str> {
        match self.variant.as_ref().and_then(|variant| variant.toolchain.as_ref()) {
            Some(toolchain) => format!("{}{}{toolchain}", self.base(), Variant::SEPARATOR).into(),
            None => self.base().into(),
        }
    }

    /// Returns true if `name` means its variant.
    pub fn is_in_variant(&self, name: &str) -> bool {
        self.variant.as_ref().map_or(name == Variant::DEFAULT, |variant| variant.is_called(name))
    }

    /// Returns the combinations of features that it runs with, if its variant has some.
    pub fn powerset(&self) -> Option<&Powerset> {
        self.variant.as_ref()?.powerset.as_ref()
    }

    /// Returns the lock file of its variant, if that has its own.
    pub fn lock(&self) -> Option<&VariantLock> {
        self.variant.as_ref()?.lock.as_ref()
    }

    /// Returns the root of the workspace that its variant builds, if that is another one of the repository.
    pub fn workspace(&self) -> Option<&RelPath> {
        self.variant.as_ref()?.workspace.as_ref()
    }

    /// Returns the root of the workspace that it builds, if that of the run is at `root`.
    pub fn workspace_root(&self, root: &Path) -> PathBuf {
        self.workspace().map_or_else(|| root.to_path_buf(), |own| own.to_path(root))
    }

    /// Returns true if it looks at files of the repository, whatever cargo builds.
    pub fn looks_at_files(&self) -> bool {
        let is_of_build = self.takes_variants() || self.uses_features() || self.uses_target();
        matches!(self.per, Per::File | Per::Workspace) && !is_of_build
    }

    /// Returns the word for its units in artifacts.
    pub fn unit_word(&self) -> &'static str {
        if self.powerset().is_some() { "combination" } else { self.per.as_str() }
    }

    /// Returns true if it runs on the system called `os`, which a variant may not.
    pub fn runs_on(&self, os: &str) -> bool {
        self.variant.as_ref().is_none_or(|variant| variant.runs_on(os))
    }

    /// Returns true if `name` means it: its own name, that of the configured tool, or that with the configured variant.
    pub fn is_called(&self, name: &str) -> bool {
        let has_variant =
            |variant: &str| self.base() == Variant::split(name).0 && self.is_in_variant(variant);
        self.name == name
            || self.base() == name
            || name.split_once(Variant::SEPARATOR).is_some_and(|(_, of)| has_variant(of))
    }

    /// Returns true if one of `names` means it.
    pub fn is_one_of(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.is_called(name))
    }

    /// Returns true if everything that a variant sets changes what it does: if cargo builds for it, or builds what it runs.
    pub fn takes_variants(&self) -> bool {
        self.uses_selection() || self.uses_executable()
    }

    /// Returns true if its version is that of a Rust toolchain.
    pub fn has_version_of_toolchain(&self) -> bool {
        self.version.first().is_some_and(|program| Self::RUST.contains(&program.as_str()))
    }

    /// Returns true if its command line starts with the name of a program of a Rust toolchain.
    pub fn runs_toolchain(&self) -> bool {
        self.run.first().and_then(Arg::literal).is_some_and(|program| Self::RUST.contains(&program))
    }

    /// Returns the toolchain that its command line requests from rustup, as in `cargo +nightly`.
    pub fn toolchain(&self) -> Option<&str> {
        Self::toolchain_of(self.run.iter().map_while(Arg::literal))
    }

    /// Returns the toolchain that a command line requests from rustup with `+NAME`.
    pub fn toolchain_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        let mut words = words.into_iter();
        let program = words.next()?;
        words.next()?.strip_prefix('+').filter(|name| Self::RUST.contains(&program) && !name.is_empty())
    }

    /// Returns the directory in which its processes start, in the workspace at `root`.
    pub fn start_dir(&self, root: &Path) -> PathBuf {
        self.dir.as_ref().map_or_else(|| root.to_path_buf(), |dir| dir.to_path(root))
    }

    /// Returns the path from the workspace root of the file that its command line calls `word`. `None` if it is outside.
    pub fn path_of(&self, word: &str) -> Option<RelPath> {
        let is_absolute = word.starts_with('/');
        self.dir.clone().unwrap_or_default().resolve(&RelPath::new(word)).filter(|_| !is_absolute)
    }

    /// Returns the time limit of a task. `policy` is the limit that the policy sets.
    pub fn task_timeout(&self, policy: Option<Duration>) -> Option<Duration> {
        self.timeout.or(policy)
    }

    /// Returns true if it inherits the environment.
    pub fn inherits(&self) -> bool {
        matches!(self.environment, Environment::Inherit(_))
    }

    /// Counts only the inherited variables that builds read. For tools that are known to run only a build.
    pub fn count_build_variables(&mut self) {
        if self.inherits() {
            self.environment = Environment::Inherit(Counted::Build(Vec::new()));
        }
    }

    /// Returns true if its results may be cached.
    pub fn is_cached(&self) -> bool {
        self.cache != Caching::Never
    }

    /// Returns true if its processes are observed, so that their results can be cached.
    pub fn is_observed(&self) -> bool {
        matches!(self.cache, Caching::Sandboxed { .. })
    }

    /// Returns true if it states ratcheted numbers. Their baseline lines are in the namespace with its name.
    pub fn states_numbers(&self) -> bool {
        matches!(self.parse, Parse::Number(_)) || !self.ratchet.is_empty()
    }

    /// Returns true if its command line contains a program that another tool builds.
    pub fn uses_executable(&self) -> bool {
        self.run.iter().any(|arg| matches!(arg, Arg::Text(pieces) if pieces.contains(&Piece::Executable)))
    }

    /// Returns true if the program it runs is built by another tool.
    pub fn runs_executable(&self) -> bool {
        matches!(self.run.first(), Some(Arg::Text(pieces)) if *pieces == [Piece::Executable])
    }

    /// Returns true if it runs tests, whose inputs can't be determined.
    pub fn runs_tests(&self) -> bool {
        self.targets.is_some() || self.uses_executable()
    }

    /// Returns true if it builds members without judging their lints. Lints are capped then, so that none
    /// fails the build.
    pub fn caps_lints(&self) -> bool {
        self.parse.work().ignores_lints() && self.inherits() && !self.uses_executable()
    }

    /// Returns true if it is `cargo test --doc` or the like, where cargo runs rustdoc once per crate. Its threads are
    /// then those of rustdoc.
    pub fn runs_rustdoc(&self) -> bool {
        let is_cargo = self.run.first().and_then(Arg::literal) == Some("cargo");
        let has_threads = self.jobserver && self.threads.as_deref() == Some(Self::LIBTEST_THREADS);
        is_cargo && has_threads && self.parse == Parse::Libtest && self.targets == Some(Targets::Doctest)
    }

    /// Returns true if it is `cargo nextest`, which starts each test through the `runner` of cargo's configuration.
    pub fn runs_nextest(&self) -> bool {
        self.runs_subcommand("nextest") && self.parse == Parse::Nextest
    }

    /// Returns true if it is the `cargo test` of a combination of features, which starts each test program through the `runner` of
    /// cargo's configuration.
    pub fn runs_cargo_test(&self) -> bool {
        self.powerset().is_some()
            && self.runs_subcommand("test")
            && self.parse == Parse::Libtest
            && self.targets == Some(Targets::Test)
    }

    /// Returns true if it is `cargo doc` or the like.
    pub fn documents(&self) -> bool {
        self.subcommand().is_some_and(|name| ["d", "doc", "rustdoc"].contains(&name))
    }

    /// Returns the subcommand of cargo in its command line, which may follow a toolchain and flags.
    pub fn subcommand(&self) -> Option<&str> {
        let mut words = self.run.iter().map_while(Arg::literal);
        words.next().filter(|program| *program == "cargo")?;
        words.find(|word| !word.starts_with(['-', '+']))
    }

    /// Returns true if its command line starts with `cargo` and the subcommand `name`, whatever the toolchain.
    fn runs_subcommand(&self, name: &str) -> bool {
        let words = self.run.iter().map_while(Arg::literal).filter(|word| !word.starts_with('+'));
        words.take(2).eq(["cargo", name])
    }

    /// Returns true if the tests that it starts can be wrapped, so that they are observed one by one and not the tool itself.
    pub fn starts_tests(&self) -> bool {
        self.runs_rustdoc() || self.runs_nextest() || self.runs_cargo_test()
    }

    /// Returns true if it can run only the tests with certain names: its command line ends in the arguments of a test
    /// program, or in those of cargo.
    pub fn takes_test_names(&self) -> bool {
        let runs_tests = matches!(self.parse, Parse::Libtest | Parse::Nextest);
        let is_cargo = self.run.first().and_then(Arg::literal) == Some("cargo");
        runs_tests && (is_cargo || self.uses_executable()) && self.run.last() == Some(&Arg::Args)
    }

    /// Returns true if failed tests can be run again: by the runner itself, or by name, one test program at a time.
    /// rustdoc accepts no name with a space, and the names of all doc tests have some.
    pub fn takes_retries(&self) -> bool {
        self.takes_test_names() && (self.parse == Parse::Nextest || self.uses_executable())
    }

    /// Returns true if genti runs failed tests again, and not the runner.
    pub fn reruns_tests(&self) -> bool {
        self.retries > 0 && self.parse != Parse::Nextest && self.takes_retries()
    }

    /// Returns true if it can run again as a whole if it fails. What others build from must not change meanwhile, and numbers and
    /// golden files stand for output that is always the same. rustdoc and compilers come to the same result again.
    pub fn takes_reruns(&self) -> bool {
        let may_differ = match self.parse.work() {
            Work::Test => (self.targets.is_none() || self.runs_cargo_test()) && !self.takes_retries(),
            Work::Read | Work::Unknown => true,
            Work::Lint | Work::Build | Work::RunScripts | Work::Format => false,
        };
        may_differ && !self.has_goldens() && !self.states_numbers()
    }

    /// Returns true if genti runs the tool again as a whole if it fails.
    pub fn reruns(&self) -> bool {
        self.retries > 0 && self.takes_reruns()
    }

    /// Returns the level of findings about what failed and then passed.
    pub fn flaky_level(&self) -> Level {
        match self.flaky {
            Flaky::Pass => Level::Note,
            Flaky::Fail => Level::Error,
        }
    }

    /// Returns the tool with a command line that runs exactly the tests with these `names`. `filters` are names that
    /// [`Self::for_tests`] has added; the name of a test may be one of them.
    pub fn for_failed_tests(&self, names: &[String], filters: &[String]) -> Self {
        let args = self.args.strip_suffix(filters).unwrap_or(&self.args).to_vec();
        let exact = std::iter::once("--exact".to_owned());
        let names: Vec<_> = exact.chain(names.iter().cloned()).collect();
        Self { args, ..self.clone() }.for_tests(&names)
    }

    /// Returns the tool with a command line that only runs the tests with these `names`.
    pub fn for_tests(&self, names: &[String]) -> Self {
        // Cargo itself accepts only one test name, but passes on everything after `--`.
        let is_behind = self.uses_executable() || self.args.iter().any(|arg| arg == "--");
        let separator = (!is_behind).then(|| "--".to_owned());
        let args = self.args.iter().cloned().chain(separator).chain(names.iter().cloned());
        Self { args: args.collect(), ..self.clone() }
    }

    /// Returns true if its output is compared with golden files.
    pub fn has_goldens(&self) -> bool {
        matches!(self.parse, Parse::Golden(_))
    }

    /// Returns the generator that it is, if it is one.
    pub fn generator(&self) -> Option<&Generator> {
        match &self.parse {
            Parse::Generator(generator) => Some(generator),
            _ => None,
        }
    }

    /// Returns true if its processes run in a copy of the repository that is made for each of them.
    pub fn runs_in_copy(&self) -> bool {
        self.copy || self.generator().is_some()
    }

    /// Returns true if its command line depends on the selected packages and features.
    pub fn uses_selection(&self) -> bool {
        self.run.contains(&Arg::Selection)
    }

    /// Returns true if its command line contains the flags for the features, without those for the packages.
    pub fn uses_features(&self) -> bool {
        self.run.contains(&Arg::Features)
    }

    /// Returns true if its command line contains the flag for the target, without those for the packages.
    pub fn uses_target(&self) -> bool {
        self.run.contains(&Arg::Target)
    }

    /// Returns true if a second process can detect findings that the style edition causes, since the tool is
    /// rustfmt itself.
    pub fn tells_style_apart(&self) -> bool {
        let is_rustfmt = |arg: &Arg| match arg {
            Arg::Text(pieces) => *pieces == [Piece::Literal("rustfmt".to_owned())],
            _ => false,
        };
        self.parse == Parse::Rustfmt
            && self.run.first().is_some_and(is_rustfmt)
            && self.run.contains(&Arg::Args)
    }

    /// Returns how undeclared inputs of its processes are discovered.
    pub fn discovers(&self) -> Discovers {
        match self.per {
            // All inputs are declared: the files that match the globs or, without globs, all files.
            Per::File | Per::TestTarget => Discovers::Nothing,
            Per::Workspace if !self.uses_selection() => Discovers::Nothing,
            Per::TargetRoot => Discovers::Modules,
            Per::Workspace | Per::Package => Discovers::Build,
        }
    }
}

/// Method to discover the undeclared inputs of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovers {
    /// No discovery, because all inputs are declared.
    Nothing,
    /// From the files that the tool reports to format, and by following the modules of its target roots.
    Modules,
    /// From the artifacts that cargo reports, and the files that rustc and build scripts report to read. If they
    /// report nothing, from the paths in the sources.
    Build,
}

/// Hashes the fields that affect the result of a tool, but none that affect its scheduling.
impl ContentHash for Tool {
    fn feed(&self, sink: &mut dyn Sink) {
        // The name of the variant is only a label.
        sink.field("tool", self.base().as_bytes());
        sink.count("run", self.run.len());
        for arg in &self.run {
            match arg {
                Arg::Files => sink.field("run.list", b"files"),
                Arg::Args => sink.field("run.list", b"args"),
                Arg::Selection => sink.field("run.list", b"selection"),
                Arg::Features => sink.field("run.list", b"features"),
                Arg::Target => sink.field("run.list", b"target"),
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
        if let Some(dir) = &self.dir {
            sink.field("dir", dir.as_bytes());
        }
        sink.field("per", self.per.as_str().as_bytes());
        sink.texts("files", &self.files);
        sink.texts("exclude", &self.exclude);
        sink.texts("inputs", &self.inputs);
        self.parse.feed(sink);
        if self.leaky == Leaky::Fail {
            sink.field("leaky", self.leaky.as_str().as_bytes());
        }
        if self.retries > 0 {
            sink.count("retries", self.retries as usize);
        }
        if self.flaky == Flaky::Fail {
            sink.field("flaky", self.flaky.as_str().as_bytes());
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
        if self.copy {
            sink.field("copy", b"");
        }
        if let Some(digest) = self.lock().and_then(|lock| lock.digest) {
            sink.field("lock", &digest.0);
        }
        for (name, value) in &self.vars {
            sink.field("env.name", name.as_bytes());
            sink.field("env.value", value.as_bytes());
        }
        if let Some(Sandbox { write, read, network }) = &self.sandbox {
            sink.texts("sandbox.write", write);
            sink.texts("sandbox.read", read);
            sink.field("sandbox.network", network.as_str().as_bytes());
        }
        self.services.iter().for_each(|service| service.feed(sink));
    }
}
