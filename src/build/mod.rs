//! Build scripts that generate code from many files: in parallel, reproducibly, and no more often than needed.
//!
//! A plan names the inputs and what is made of each. Everything else is taken care of:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use genti::build::{Error, Input};
//!
//! fn main() -> ExitCode {
//!     genti::build::plan()
//!         .inputs("words/**/*.txt")
//!         .each(|input, out| out.write(input.with_extension("rs"), table(input)?))
//!         .include("mod.rs")
//!         .run()
//! }
//!
//! /// A `const` of all words in a file.
//! fn table(input: &Input) -> Result<String, Error> {
//!     let mut words = Vec::new();
//!     for (line, word) in (1..).zip(input.text()?.lines()) {
//!         if word.contains(' ') {
//!             return Err(input.error(line, "there must be one word on a line"));
//!         }
//!         words.push(word);
//!     }
//!     Ok(format!("pub const WORDS: [&str; {}] = {words:?};\n", words.len()))
//! }
//! ```
//!
//! The crate takes in what was generated with
//! `mod words { include!(concat!(env!("OUT_DIR"), "/mod.rs")); }`, and its `Cargo.toml` has
//!
//! ```text
//! [build-dependencies]
//! genti = { version = "0.9", default-features = false }
//! ```
//!
//! Without features, `genti` depends on `jobserver` alone.
//!
//! # What a plan sees to
//!
//! - Inputs come in one order, whatever the file system says, and are done in parallel: with as many workers as cargo's
//!   jobserver has tokens to spare, so that a build with `-j2` never runs more than two things at once.
//! - Outputs are below `OUT_DIR` alone, each written whole or not at all, and only if it changed. Those of inputs that
//!   are gone are removed.
//! - An input that did not change is skipped: its bytes are compared with a copy below `OUT_DIR`. Everything is done
//!   again when the build script itself, a declared variable or tool, or a file of [`Plan::depends_on`] changed. A build
//!   that was killed leaves nothing that passes for done.
//! - Cargo is told to run the script again when an input changes, comes or goes.
//! - The same inputs give the same bytes, at any job count and in any directory. Two inputs for one output, one input
//!   read twice, and an output that is an input are errors.
//! - Errors are shown by cargo with file and line, all at once.
//!
//! What a generator must see to: it reads nothing but its inputs and what the plan declares, and its output holds no
//! time, no absolute path and nothing in the order of a hash map.

/// The example of the page is compiled with those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../../docs/build-scripts.md")]
struct Page;

mod batch;
mod cargo;
mod checked_in;
mod clashes;
mod depfile;
mod error;
mod fingerprint;
mod include;
mod input;
mod look_up;
mod manifest;
mod output;
mod pattern;
mod record;
mod run;
mod state;
#[cfg(test)]
mod tests;
mod tool;
mod walk;
mod workers;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

pub use depfile::parse_depfile;
pub use error::{Error, Errors};
pub use input::Input;
pub use output::Output;
pub use tool::Tool;

use look_up::Place;
use workers::Announced;

/// A new plan. Make it first thing in `main`: this is where the jobserver is picked up that cargo hands down.
pub fn plan<'a>() -> Plan<'a> {
    Plan {
        announced: Announced::take(),
        patterns: Vec::new(),
        groups: Vec::new(),
        shared: Vec::new(),
        env: BTreeSet::new(),
        tools: Vec::new(),
        keys: Vec::new(),
        include: None,
        checked_in: None,
    }
}

/// Whether a plan has run in this process.
static RAN: AtomicBool = AtomicBool::new(false);

/// What is generated from what.
///
/// A build script runs one plan: what another one wrote, it would take for stale. Several generators go into one plan, one
/// after the other, each with its own [inputs](Plan::inputs).
#[must_use = "a plan does nothing before `run`"]
pub struct Plan<'a> {
    announced: Announced,
    /// Those that no generator has taken yet.
    patterns: Vec<String>,
    groups: Vec<Group<'a>>,
    shared: Vec<String>,
    env: BTreeSet<String>,
    tools: Vec<Tool>,
    keys: Vec<Vec<u8>>,
    include: Option<String>,
    checked_in: Option<String>,
}

/// A generator and what it is for.
struct Group<'a> {
    patterns: Vec<String>,
    kind: Kind<'a>,
}

type Each<'a> = dyn Fn(&Input, &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a;
type Many<'a> = dyn Fn(&[Input], &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a;

enum Kind<'a> {
    Each(Box<Each<'a>>),
    Batch(usize, Box<Many<'a>>),
}

impl Kind<'_> {
    /// The most inputs of one call.
    fn cap(&self) -> usize {
        match self {
            Self::Each(_) => 1,
            Self::Batch(cap, _) => (*cap).max(1),
        }
    }

    fn call(&self, inputs: &[Input], output: &mut Output<'_>) -> Result<(), Error> {
        match self {
            Self::Each(generate) => inputs.iter().try_for_each(|input| generate(input, output)),
            Self::Batch(_, generate) => generate(inputs, output),
        }
    }
}

impl<'a> Plan<'a> {
    /// Adds files to the inputs of the next generator: a path from the package's directory, with `/` on every system, in
    /// which `*` stands for any text in a name, `?` for a character, and `**` for any number of directories. As in a
    /// shell, they match no dot at the beginning of a name; nor does `**` go through links or into a target directory.
    ///
    /// That nothing matches is an error, and so is a file that two patterns of a generator match. Cargo can watch a
    /// directory only with all that is below it: so there can be no wildcard in the package's own directory.
    pub fn inputs(mut self, pattern: impl Into<String>) -> Self {
        self.patterns.push(pattern.into());
        self
    }

    /// Calls `generate` for each of the inputs.
    pub fn each<F>(mut self, generate: F) -> Self
    where
        F: Fn(&Input, &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a,
    {
        self.push(Kind::Each(Box::new(generate)));
        self
    }

    /// Calls `generate` for several inputs at once, at most `cap` of them; `usize::MAX` takes all in one call. Where the
    /// batches end depends on the names of the inputs alone, so that an added file changes few of them. If one of its
    /// inputs changes, the whole batch is generated again.
    pub fn batch<F>(mut self, cap: usize, generate: F) -> Self
    where
        F: Fn(&[Input], &mut Output<'_>) -> Result<(), Error> + Send + Sync + 'a,
    {
        self.push(Kind::Batch(cap, Box::new(generate)));
        self
    }

    /// Files that all of the plan depends on, such as templates that are read while it runs. If one changes, everything
    /// is generated again. A pattern as for [`Plan::inputs`].
    pub fn depends_on(mut self, pattern: impl Into<String>) -> Self {
        self.shared.push(pattern.into());
        self
    }

    /// An environment variable that all of the plan depends on. Those with which cargo describes the build (`TARGET`,
    /// `CARGO_CFG_…`, `CARGO_FEATURE_…`, `CARGO_PKG_…`, `DEP_…`) need not be named.
    pub fn env(mut self, name: impl Into<String>) -> Self {
        self.env.insert(name.into());
        self
    }

    /// Anything else that all of the plan depends on and that this script finds out while it runs: if it is other than
    /// last time, everything is generated again.
    pub fn key(mut self, value: impl AsRef<[u8]>) -> Self {
        self.keys.push(value.as_ref().to_vec());
        self
    }

    /// A program that generators call by [`Output::command`]. It is looked for before anything runs, and is an error if
    /// it is missing. If it is another one than last time, everything is generated again.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Makes one more output, a module for each `.rs` file among the others: `a/b.rs` is in `pub mod a { pub mod b; }`.
    pub fn include(mut self, path: impl Into<String>) -> Self {
        self.include = Some(path.into());
        self
    }

    /// Keeps what is generated in the repository as well, in the directory `dir` of the package, which holds nothing
    /// else. A build compares and never writes there: what differs, is missing or is too much is an error. To write
    /// what the generator makes, name the package: `GENTI_BUILD_ACCEPT=my-package cargo build`.
    pub fn checked_in(mut self, dir: impl Into<String>) -> Self {
        self.checked_in = Some(dir.into());
        self
    }

    /// Runs it, tells cargo what came of it, and returns what `main` should return.
    pub fn run(self) -> ExitCode {
        self.try_run().map_or_else(|errors| errors.report(), |_| ExitCode::SUCCESS)
    }

    /// Runs it, for scripts that go on afterwards. Cargo is told when to run the script again; errors are left to the
    /// caller, for example to [`Errors::report`].
    ///
    /// # Errors
    ///
    /// All that went wrong, in the order of the inputs; or that a plan has run before. What could be generated nevertheless is in place, and will not
    /// be generated again; what could not is as it was before.
    pub fn try_run(self) -> Result<Summary, Errors> {
        if RAN.swap(true, Ordering::Relaxed) {
            let message = "this build script has run a plan before, and what that wrote would be taken for stale: put \
                           all generators into one plan, each with its own `inputs`";
            return Err(Error::new(message).into());
        }
        let done = run::run(&self, &Place::from_env()?, &self.announced.slots)?;
        let warning = self.announced.warning.as_deref().map(cargo::warning).unwrap_or_default();
        print(&(warning + &done.lines)).map_err(Error::from)?;
        Ok(done.summary)
    }

    fn push(&mut self, kind: Kind<'a>) {
        let patterns = std::mem::take(&mut self.patterns);
        self.groups.push(Group { patterns, kind });
    }

    /// What can't be meant, whatever is on the disk.
    fn mistakes(&self) -> Vec<Error> {
        let mut mistakes = Vec::new();
        if let Some(pattern) = self.patterns.first() {
            let message = format!("nothing is made of `{pattern}`: `each` or `batch` comes behind `inputs`");
            mistakes.push(Error::new(message));
        }
        if self.groups.is_empty() && self.patterns.is_empty() {
            mistakes.push(Error::new("the plan is empty: say `inputs` and `each`"));
        }
        if self.groups.iter().any(|group| group.patterns.is_empty()) {
            mistakes.push(Error::new("a generator has no inputs: `inputs` comes before `each` and `batch`"));
        }
        if self.groups.iter().any(|group| matches!(group.kind, Kind::Batch(0, _))) {
            mistakes.push(Error::new("a batch of at most 0 inputs is none: `usize::MAX` takes all at once"));
        }
        for tool in self.tools.iter().filter(|tool| tool.is_optional && self.checked_in.is_none()) {
            let message = format!("the tool `{}` can be optional only beside `checked_in`", tool.name);
            mistakes.push(Error::new(message));
        }
        let mut names = BTreeSet::new();
        for tool in self.tools.iter().filter(|tool| !names.insert(&tool.name)) {
            mistakes.push(Error::new(format!("the tool `{}` is named twice", tool.name)));
        }
        if let Some(dir) = &self.checked_in {
            if let Err(error) = output::output_path(dir) {
                mistakes
                    .push(Error::new(format!("`checked_in` must be a directory of the package: {error}")));
            }
            if self.include.as_ref().is_some_and(|path| path != "mod.rs") {
                let message =
                    "beside `checked_in`, `include` must be `mod.rs`: modules are looked for beside that";
                mistakes.push(Error::new(message));
            }
        }
        mistakes
    }
}

impl Errors {
    /// Tells them to cargo, which shows them as errors of the build (before cargo 1.84: on standard error), and returns
    /// what `main` should return.
    pub fn report(&self) -> ExitCode {
        #[expect(clippy::disallowed_methods, reason = "build scripts are told by the environment")]
        let env = std::env::vars_os().collect();
        // If even that can't be written, the exit code has to tell.
        let _ = match cargo::errors(&self.0, &env) {
            cargo::Shown::Cargo(text) => print(&text),
            cargo::Shown::Plain(text) => std::io::stderr().lock().write_all(text.as_bytes()),
        };
        ExitCode::FAILURE
    }
}

/// What a plan did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many times a generator was called.
    pub generated: usize,
    /// How many calls were left out, because nothing had changed.
    pub unchanged: usize,
    /// How many files of earlier builds were removed.
    pub removed: usize,
}

fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
