//! Library for build scripts that generate code from many files: in parallel, reproducibly, and only when something
//! changed.
//!
//! A plan states the inputs and how to generate code from each. The plan takes care of everything else:
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
//! - Unchanged inputs are skipped, by comparing their bytes with a copy below `OUT_DIR`. Everything is generated
//!   again if the build script, a declared variable or tool, or a file of [`Plan::depends_on`] changed. A killed build
//!   leaves nothing that a later build could mistake for a finished output.
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

use look_up::PlanContext;
use workers::Announced;

/// Creates a plan. Call this first in `main`, because it takes over the jobserver that cargo passes on.
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

/// Set once a plan has run in this process.
static RAN: AtomicBool = AtomicBool::new(false);

/// Inputs and the generators that process them.
///
/// A build script runs one plan, because a second one would remove the outputs of the first as stale. Add several
/// generators to one plan, in sequence, each with its own [inputs](Plan::inputs).
#[must_use = "a plan does nothing before `run`"]
pub struct Plan<'a> {
    announced: Announced,
    /// Patterns that no generator uses yet.
    patterns: Vec<String>,
    groups: Vec<Group<'a>>,
    shared: Vec<String>,
    env: BTreeSet<String>,
    tools: Vec<Tool>,
    keys: Vec<Vec<u8>>,
    include: Option<String>,
    checked_in: Option<String>,
}

/// Generator with its input patterns.
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
    /// Returns the maximum number of inputs per call.
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
    /// Adds files to the inputs of the next generator. The pattern is a path relative to the package directory, with
    /// `/` on every system. In it, `*` matches any text in a name, `?` matches one character, and `**` matches any
    /// number of directories. As in a shell, wildcards don't match a dot at the beginning of a name. `**` does not
    /// follow links or enter target directories.
    ///
    /// It is an error if nothing matches, or if two patterns of one generator match the same file. Cargo can only watch
    /// directories with everything below them, so patterns cannot have wildcards in the package directory itself.
    pub fn inputs(mut self, pattern: impl Into<String>) -> Self {
        self.patterns.push(pattern.into());
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

    /// Calls `generate` for several inputs at once, at most `cap` of them. `usize::MAX` passes all of them in one call.
    /// Batch boundaries depend only on the names of the inputs, so an added file changes few batches. If an input
    /// changes, its whole batch is generated again.
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
        self.shared.push(pattern.into());
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
    /// Returns all errors in the order of the inputs, or an error if a plan has already run. Outputs that could be
    /// generated are in place and will not be generated again. All other outputs are unchanged.
    pub fn try_run(self) -> Result<Summary, Errors> {
        if RAN.swap(true, Ordering::Relaxed) {
            let message = "this build script already ran a plan, whose outputs this one would remove as stale; put \
                           all generators into one plan, each with its own `inputs`";
            return Err(Error::new(message).into());
        }
        let done = run::run(&self, &PlanContext::from_env()?, &self.announced.slots)?;
        let warning = self.announced.warning.as_deref().map(cargo::warning).unwrap_or_default();
        print(&(warning + &done.lines)).map_err(Error::from)?;
        Ok(done.summary)
    }

    fn push(&mut self, kind: Kind<'a>) {
        let patterns = std::mem::take(&mut self.patterns);
        self.groups.push(Group { patterns, kind });
    }

    /// Returns mistakes that do not depend on files.
    fn mistakes(&self) -> Vec<Error> {
        let mut mistakes = Vec::new();
        if let Some(pattern) = self.patterns.first() {
            let message = format!("no generator uses `{pattern}`; call `each` or `batch` after `inputs`");
            mistakes.push(Error::new(message));
        }
        if self.groups.is_empty() && self.patterns.is_empty() {
            mistakes.push(Error::new("the plan is empty; call `inputs` and `each`"));
        }
        if self.groups.iter().any(|group| group.patterns.is_empty()) {
            mistakes.push(Error::new("a generator has no inputs; call `inputs` before `each` or `batch`"));
        }
        if self.groups.iter().any(|group| matches!(group.kind, Kind::Batch(0, _))) {
            mistakes.push(Error::new("the batch size must not be 0; pass `usize::MAX` for a single batch"));
        }
        for tool in self.tools.iter().filter(|tool| tool.is_optional && self.checked_in.is_none()) {
            let message = format!("the tool `{}` cannot be optional without `checked_in`", tool.name);
            mistakes.push(Error::new(message));
        }
        let mut names = BTreeSet::new();
        for tool in self.tools.iter().filter(|tool| !names.insert(&tool.name)) {
            mistakes.push(Error::new(format!("the tool `{}` is added twice", tool.name)));
        }
        if let Some(dir) = &self.checked_in {
            if let Err(error) = output::output_path(dir) {
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
        #[expect(clippy::disallowed_methods, reason = "build scripts get their input from the environment")]
        let env = std::env::vars_os().collect();
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

fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
