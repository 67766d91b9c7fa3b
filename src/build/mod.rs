//! Library for build scripts that generate code from many files: in parallel, reproducibly, and only when something
//! changed.
//!
//! A plan states the inputs and how to generate code from each. The plan takes care of everything else:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use genti::build::{Error, Input, Plan};
//!
//! fn main() -> ExitCode {
//!     Plan::new()
//!         .inputs("words/**/*.txt")
//!         .each(|input, out| out.write(input.with_extension("rs"), table(input)?))
//!         .include("mod.rs")
//!         .run()
//! }
//!
//! /// Returns a `const` with all words of a file.
//! fn table(input: &Input) -> Result<String, Error> {
//!     let mut words = Vec::new();
//!     for (line, word) in (1..).zip(input.text()?.lines()) {
//!         if word.contains(' ') {
//!             return Err(input.error(line, "expected one word per line"));
//!         }
//!         words.push(word);
//!     }
//!     Ok(format!("pub const WORDS: [&str; {}] = {words:?};\n", words.len()))
//! }
//! ```
//!
//! Include the generated code in the crate with `mod words { include!(concat!(env!("OUT_DIR"), "/mod.rs")); }`, and add
//! this to its `Cargo.toml`:
//!
//! ```text
//! [build-dependencies]
//! genti = { version = "0.9", default-features = false }
//! ```
//!
//! Without features, `genti` depends only on `jobserver`.
//!
//! # Guarantees
//!
//! - Inputs are sorted, whatever the order in the file system, and processed in parallel. The number of workers is
//!   limited by the tokens of cargo's jobserver, so a build with `-j2` never runs more than two things at once.
//! - Outputs are written only below `OUT_DIR`, atomically, and only if they changed. Outputs of removed inputs are
//!   removed.
//! - Unchanged inputs are skipped, by comparing their bytes with a copy below `OUT_DIR`. The instructions for cargo
//!   that their generator gave ([`Output::rustc_env`] and others) are given again. Everything is generated again if the
//!   build script, a declared variable or tool, or a file of [`Plan::depends_on`] changed. A killed build leaves
//!   nothing that a later build could mistake for a finished output.
//! - Cargo runs the script again if an input is changed, added or removed.
//! - The same inputs give the same bytes, with any number of jobs and in any directory. It is an error if two inputs
//!   write the same output, if an input is read twice, or if an output is also an input.
//! - Cargo shows all errors at once, with file and line.
//!
//! Generators must do their part: read nothing except the inputs and what the plan declares, and write no times, no
//! absolute paths and nothing in hash map order.

/// Compiles the example in the book page together with those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../../docs/build-scripts.md")]
struct BookPage;

mod batch;
mod blame;
mod cargo;
mod checked_in;
mod clashes;
mod depfile;
mod environment;
mod error;
mod fingerprint;
mod include;
mod input;
mod instructions;
mod look_up;
mod manifest;
mod origin;
mod output;
mod pattern;
mod record;
mod run;
mod state;
mod stdout;
#[cfg(test)]
mod tests;
mod tool;
mod unit;
mod walk;
mod workers;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

pub use depfile::parse_depfile;
pub use error::{Error, Errors};
pub use input::Input;
pub use output::Output;
pub use tool::Tool;

use environment::Environment;
use look_up::PlanContext;
use walk::Wanted;
use workers::Announced;

/// Creates a plan.
#[deprecated(since = "0.9.0", note = "use `Plan::new`")]
pub fn plan<'a>() -> Plan<'a> {
    Plan::new()
}

/// Names of the plans that have run in this process. Locked while one runs, because they share standard output.
static RAN: Mutex<Vec<Option<String>>> = Mutex::new(Vec::new());

/// Inputs and the generators that process them.
///
/// Add several generators to one plan, in sequence, each with its own [inputs](Plan::inputs). Use several plans, each with
/// a [name](Plan::named), if they depend on different tools, variables or files.
#[derive(Default)]
#[must_use = "a plan does nothing before `run`"]
pub struct Plan<'a> {
    name: Option<String>,
    /// Patterns that no generator uses yet.
    sources: Sources,
    groups: Vec<Group<'a>>,
    shared: Vec<Wanted>,
    env: BTreeSet<String>,
    tools: Vec<Tool>,
    keys: Vec<Vec<u8>>,
    include: Option<String>,
    checked_in: Option<String>,
}

/// Patterns for the inputs of a generator.
#[derive(Default)]
struct Sources {
    /// Files of the package.
    files: Vec<Wanted>,
    /// Outputs of earlier generators.
    outputs: Vec<String>,
    excluded: Vec<String>,
}

impl Sources {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.outputs.is_empty()
    }

    /// Returns one of the patterns.
    fn first(&self) -> Option<&String> {
        let files = self.files.iter().map(|wanted| &wanted.text);
        files.chain(&self.outputs).chain(&self.excluded).next()
    }
}

/// Generator with its input patterns.
struct Group<'a> {
    sources: Sources,
    kind: Kind<'a>,
}

type Once<'a> = dyn Fn(&mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a;
type Each<'a> = dyn Fn(&Input, &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a;
type Many<'a> = dyn Fn(&[Input], &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a;

enum Kind<'a> {
    Once(Box<Once<'a>>),
    Each(Box<Each<'a>>),
    Batch(usize, Box<Many<'a>>),
}

impl Kind<'_> {
    /// Returns the maximum number of inputs per call.
    fn cap(&self) -> usize {
        match self {
            Self::Once(_) | Self::Each(_) => 1,
            Self::Batch(cap, _) => (*cap).max(1),
        }
    }

    fn call(&self, inputs: &[Input], output: &mut Output<'_>) -> Result<(), Error> {
        match self {
            Self::Once(generate) => generate(output),
            Self::Each(generate) => inputs.iter().try_for_each(|input| generate(input, output)),
            Self::Batch(_, generate) => generate(inputs, output),
        }
    }
}

impl<'a> Plan<'a> {
    /// Creates an empty plan.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| out.write("limits.rs", "pub const MAX: usize = 100;\n"));
    /// # let _ = plan;
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an empty plan for a script that runs several. Each has its own dependencies and outputs: a change of a
    /// tool, a variable or a shared file concerns only its plan. They run one after the other, and it is an error if two
    /// write the same file. If the script no longer has a plan, its outputs are removed.
    ///
    /// The name consists of letters, digits, `-` and `_`, and is used by one plan of the script only.
    ///
    /// ```no_run
    /// # use std::process::ExitCode;
    /// # use genti::build::{Errors, Plan, Tool};
    /// # fn shaders() -> Plan<'static> { Plan::named("shaders") }
    /// # fn messages() -> Plan<'static> { Plan::named("messages") }
    /// fn main() -> ExitCode {
    ///     let run = || -> Result<(), Errors> {
    ///         shaders().try_run()?;
    ///         messages().try_run()?;
    ///         Ok(())
    ///     };
    ///     run().map_or_else(|errors| errors.report(), |()| ExitCode::SUCCESS)
    /// }
    /// ```
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Adds files to the inputs of the next generator. The pattern is a path relative to the package directory, with
    /// `/` on every system. In it, `*` matches any text in a name, `?` matches one character, `**` matches any number of
    /// directories, and `{a,b}` stands for two patterns. As in a shell, wildcards don't match a dot at the beginning of a
    /// name. `**` does not follow links or enter target directories.
    ///
    /// It is an error if nothing matches, or if two patterns of one generator match the same file. Cargo can only watch
    /// directories with everything below them, so a pattern with a wildcard cannot be in a directory that contains the
    /// target directory. The files of such a directory can be named: `{a,b}.txt`.
    pub fn inputs(mut self, pattern: impl Into<String>) -> Self {
        self.sources.files.push(Wanted { text: pattern.into(), is_optional: false });
        self
    }

    /// Adds files to the inputs of the next generator, like [`Plan::inputs`], but it is not an error if there are none.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new()
    ///     .optional_inputs("local/*.toml")
    ///     .each(|input, out| out.write(input.with_extension("rs"), ""));
    /// # let _ = plan;
    /// ```
    pub fn optional_inputs(mut self, pattern: impl Into<String>) -> Self {
        self.sources.files.push(Wanted { text: pattern.into(), is_optional: true });
        self
    }

    /// Adds outputs of earlier generators of this plan to the inputs of the next one, which starts when all earlier ones
    /// have finished. The pattern is a path relative to `OUT_DIR`. It is an error if nothing matches.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new()
    ///     .inputs("pages/*.md")
    ///     .each(|input, out| out.write(input.with_extension("html"), input.bytes()))
    ///     .outputs("*.html")
    ///     .all(|pages, out| {
    ///         let names: Vec<String> = pages.iter().map(|page| page.path().display().to_string()).collect();
    ///         out.write("index.txt", names.join("\n"))
    ///     });
    /// # let _ = plan;
    /// ```
    pub fn outputs(mut self, pattern: impl Into<String>) -> Self {
        self.sources.outputs.push(pattern.into());
        self
    }

    /// Removes files from the inputs of the next generator. The pattern has the same syntax as that of the inputs.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new()
    ///     .inputs("proto/**/*.proto")
    ///     .exclude("proto/google/**")
    ///     .each(|input, out| out.write(input.with_extension("rs"), ""));
    /// # let _ = plan;
    /// ```
    pub fn exclude(mut self, pattern: impl Into<String>) -> Self {
        self.sources.excluded.push(pattern.into());
        self
    }

    /// Calls `generate` for each input.
    pub fn each<F>(mut self, generate: F) -> Self
    where
        F: Fn(&Input, &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a,
    {
        self.push(Kind::Each(Box::new(generate)));
        self
    }

    /// Calls `generate` with all inputs at once. If one of them changes, it is called again. Without inputs, it is not
    /// called.
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().inputs("words/*.txt").all(|lists, out| {
    ///     let count: usize = lists.iter().map(|list| list.bytes().len()).sum();
    ///     out.write("size.rs", format!("pub const SIZE: usize = {count};\n"))
    /// });
    /// # let _ = plan;
    /// ```
    pub fn all<F>(self, generate: F) -> Self
    where
        F: Fn(&[Input], &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a,
    {
        self.batch(usize::MAX, generate)
    }

    /// Calls `generate` once, without inputs: for a version stamp or a computed table. It is called again if something
    /// changes that the plan or the generator [depends on](Output::depends_on).
    ///
    /// ```
    /// # use genti::build::Plan;
    /// let plan = Plan::new().once(|out| {
    ///     let head = out.read_text(".git/HEAD")?;
    ///     out.rustc_env("GIT_HEAD", head.trim())
    /// });
    /// # let _ = plan;
    /// ```
    pub fn once<F>(mut self, generate: F) -> Self
    where
        F: Fn(&mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a,
    {
        self.push(Kind::Once(Box::new(generate)));
        self
    }

    /// Calls `generate` for several inputs at once, at most `cap` of them. Batch boundaries depend only on the names of
    /// the inputs, so an added file changes few batches. If an input changes, its whole batch is generated again. For a
    /// single call, use [`all`](Plan::all).
    pub fn batch<F>(mut self, cap: usize, generate: F) -> Self
    where
        F: Fn(&[Input], &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a,
    {
        self.push(Kind::Batch(cap, Box::new(generate)));
        self
    }

    /// Adds files that everything depends on, such as templates that are read by generators. If one changes, everything
    /// is generated again. The pattern has the same syntax as in [`Plan::inputs`].
    pub fn depends_on(mut self, pattern: impl Into<String>) -> Self {
        self.shared.push(Wanted { text: pattern.into(), is_optional: false });
        self
    }

    /// Adds an environment variable that everything depends on. Variables with which cargo describes the build
    /// (`TARGET`, `CARGO_CFG_…`, `CARGO_FEATURE_…`, `CARGO_PKG_…`, `DEP_…`) are always included.
    pub fn env(mut self, name: impl Into<String>) -> Self {
        self.env.insert(name.into());
        self
    }

    /// Adds any other value that everything depends on and that the script computes at run time. If it changes,
    /// everything is generated again.
    pub fn key(mut self, value: impl AsRef<[u8]>) -> Self {
        self.keys.push(value.as_ref().to_vec());
        self
    }

    /// Adds a program that generators call with [`Output::command`]. It is located before anything runs, and it is an
    /// error if it is missing. If the program changes, everything is generated again.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds an output that declares a module for each generated `.rs` file: `a/b.rs` becomes
    /// `pub mod a { pub mod b; }`.
    pub fn include(mut self, path: impl Into<String>) -> Self {
        self.include = Some(path.into());
        self
    }

    /// Also keeps the generated files in the repository, in the directory `dir` of the package, which must not contain
    /// anything else. A build only compares these files: it is an error if one differs, is missing, or should not
    /// exist. To update them, name the package: `GENTI_BUILD_ACCEPT=my-package cargo build`.
    ///
    /// Only the workspace that the package belongs to compares them. If the package is a dependency of another one, from a
    /// registry, from git or by path, the files are used as they are, and no generator of the plan runs. So include them
    /// from this directory, not from `OUT_DIR`, and put generators that give instructions to cargo into another plan.
    pub fn checked_in(mut self, dir: impl Into<String>) -> Self {
        self.checked_in = Some(dir.into());
        self
    }

    /// Runs the plan, reports the result to cargo, and returns the exit code for `main`.
    pub fn run(self) -> ExitCode {
        self.try_run().map_or_else(|errors| errors.report(), |_| ExitCode::SUCCESS)
    }

    /// Runs the plan, for scripts that continue afterwards. Tells cargo when to run the script again. Errors are left
    /// to the caller, for example for [`Errors::report`].
    ///
    /// # Errors
    ///
    /// Returns all errors in the order of the inputs, or an error if a plan with this name has already run. Outputs that
    /// could be generated are in place and will not be generated again. All other outputs are unchanged.
    pub fn try_run(self) -> Result<Summary, Errors> {
        let announced = Announced::take();
        let mut ran = RAN.lock().unwrap_or_else(PoisonError::into_inner);
        if ran.contains(&self.name) {
            let message = match &self.name {
                None => "this build script already ran a plan without a name, whose outputs this one would remove as stale; \
                         use `Plan::named`"
                    .to_owned(),
                Some(name) => format!("this build script already ran a plan with the name `{name}`"),
            };
            return Err(Error::new(message).into());
        }
        ran.push(self.name.clone());
        let done = run::run(&self, &PlanContext::from_env()?, &announced.slots)?;
        let warning = announced.warning.as_deref().map(cargo::own_warning).unwrap_or_default();
        print(&(warning + &done.lines)).map_err(Error::from)?;
        Ok(done.summary)
    }

    fn push(&mut self, kind: Kind<'a>) {
        let sources = std::mem::take(&mut self.sources);
        self.groups.push(Group { sources, kind });
    }

    /// Returns mistakes that do not depend on files.
    fn mistakes(&self) -> Vec<Error> {
        let mut mistakes = Vec::new();
        if let Some(pattern) = self.sources.first() {
            let message =
                format!("no generator uses `{pattern}`; call `each`, `all` or `batch` after `inputs`");
            mistakes.push(Error::new(message));
        }
        if self.groups.is_empty() && self.sources.first().is_none() {
            mistakes.push(Error::new("the plan is empty; call `inputs` and `each`"));
        }
        for group in &self.groups {
            match (&group.kind, group.sources.is_empty()) {
                (Kind::Once(_), _) => {
                    if let Some(pattern) = group.sources.first() {
                        let message = format!("`once` has no inputs, but `{pattern}` comes before it; call `all`");
                        mistakes.push(Error::new(message));
                    }
                }
                (_, true) => mistakes.push(Error::new(
                    "a generator has no inputs; call `inputs` before `each`, `all` or `batch`, or call `once`",
                )),
                _ => {}
            }
        }
        if let Some(pattern) = self.groups.first().and_then(|group| group.sources.outputs.first()) {
            mistakes
                .push(Error::new(format!("no generator comes before the one with the outputs `{pattern}`")));
        }
        if let Some(name) = &self.name {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if name.is_empty() || !name.chars().all(is_plain) {
                let message = format!("invalid name of a plan: {name:?}; use letters, digits, `-` and `_`");
                mistakes.push(Error::new(message));
            }
        }
        if self.groups.iter().any(|group| matches!(group.kind, Kind::Batch(0, _))) {
            mistakes.push(Error::new("the batch size must not be 0; use `all` for a single batch"));
        }
        for tool in self.tools.iter().filter(|tool| tool.is_optional && self.checked_in.is_none()) {
            let message = format!("the tool `{}` cannot be optional without `checked_in`", tool.name);
            mistakes.push(Error::new(message));
        }
        let is_repeated = |at: usize| self.tools[..at].iter().any(|other| other.name == self.tools[at].name);
        for (_, tool) in self.tools.iter().enumerate().filter(|(at, _)| is_repeated(*at)) {
            mistakes.push(Error::new(format!("the tool `{}` is added twice", tool.name)));
        }
        if let Some(dir) = &self.checked_in {
            if let Err(error) = output::output_path(dir.as_ref()) {
                mistakes
                    .push(Error::new(format!("`checked_in` must be a directory of the package: {error}")));
            }
            if self.include.as_ref().is_some_and(|path| path != "mod.rs") {
                let message = "with `checked_in`, `include` must be `mod.rs`, because rustc looks for modules next to it";
                mistakes.push(Error::new(message));
            }
        }
        mistakes
    }
}

impl Errors {
    /// Reports the errors to cargo, which shows them as errors of the build, and returns the exit code for `main`.
    /// Before cargo 1.84 they are printed to standard error.
    pub fn report(&self) -> ExitCode {
        let env = Environment::of_process();
        // If this fails too, only the exit code reports the failure.
        let _ = match cargo::errors(&self.0, &env) {
            cargo::ErrorText::Cargo(text) => print(&text),
            cargo::ErrorText::Plain(text) => std::io::stderr().lock().write_all(text.as_bytes()),
        };
        ExitCode::FAILURE
    }
}

/// Result of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Number of generator calls.
    pub generated: usize,
    /// Number of calls skipped because nothing had changed.
    pub unchanged: usize,
    /// Number of outputs of earlier builds that were removed.
    pub removed: usize,
}

/// Returns the value of `key` in `sorted`, and inserts one if there is none. For few keys, because later ones are moved. A map
/// takes ten times as long to compile for each type.
fn value_of<K: Ord, V: Default>(sorted: &mut Vec<(K, V)>, key: K) -> &mut V {
    let at = sorted.binary_search_by(|(other, _)| other.cmp(&key)).unwrap_or_else(|at| {
        sorted.insert(at, (key, V::default()));
        at
    });
    &mut sorted[at].1
}

/// Collects `items` one by one. `collect` sorts them first, and that code takes long to compile for each type.
fn set_of<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
