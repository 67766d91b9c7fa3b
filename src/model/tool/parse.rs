//! Output formats of tools.

use crate::model::digest::{ContentHash, Sink};
use crate::model::generator::Generator;
use crate::model::named::named;
use crate::model::ratchet::NumberPattern;

/// Declares [`Parse`] and the list of its formats without options from one list.
macro_rules! formats {
    ($($(#[$doc:meta])* $Format:ident,)*) => {
        /// Output format of a tool.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Parse {
            $($(#[$doc])* $Format,)*
            /// A regular expression with named groups `path`, `line`, `column`, `rule`, `level`, `message`, applied
            /// to each line of stdout and stderr.
            Regex(String),
            /// Ratcheted numbers.
            Number(Box<NumberPattern>),
            /// Not parsed, but compared with a golden file.
            Golden(Streams),
            /// Not parsed: the files that it generates are compared with the checked-in ones.
            Generator(Box<Generator>),
        }

        impl Parse {
            /// Formats that are configured by name only.
            pub const NAMED: [Self; [$(stringify!($Format)),*].len()] = [$(Self::$Format),*];
        }
    };
}

formats! {
    /// Cargo's `--message-format=json` lines.
    RustcJson,
    /// The same lines for a build: its errors, and the test binaries it made.
    CargoBuild,
    /// The same lines for build scripts: whether each ran, and the files it generated.
    BuildScripts,
    /// Output of test binaries with rustc's own harness, and of `cargo test --doc`.
    Libtest,
    /// Output of `cargo nextest run`.
    Nextest,
    /// Diffs of `rustfmt --check`.
    Rustfmt,
    /// JSON lines of `cargo deny --format json check`, on stderr.
    DenyJson,
    /// Output of `cargo audit --json`.
    AuditJson,
    /// Output of `typos --format json`.
    TyposJson,
    /// Output of `cargo machete`.
    Machete,
    /// SARIF 2.1.0 on stdout.
    Sarif,
    /// Unified diffs on stdout.
    Diff,
    /// Each non-blank line of stdout is a finding.
    Lines,
    /// Any exit code except 0 is a finding.
    ExitCode,
}

/// Work that the tools with a certain output format do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// They compile, and report lints.
    Lint,
    /// They compile what other tools use.
    Build,
    /// They run build scripts, whose files other tools use.
    RunScripts,
    /// They run tests, after building them or as they are.
    Test,
    /// They check the format of code.
    Format,
    /// They read files, and compile and run nothing.
    Read,
    /// Any program may print this format.
    Unknown,
}

/// Program whose settings in the environment change the form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printer {
    /// Cargo.
    Cargo,
    /// The test harness, and cargo if that starts it.
    Libtest,
    /// cargo-nextest, and cargo.
    Nextest,
    /// Another program. Its output is read as it is.
    Other,
}

/// Statements in the output of a tool that are about its own work, not findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statements {
    /// No statements, except those that the parser of findings reads.
    None,
    /// Messages of cargo about what it built, which may be mixed into the output.
    Build,
    /// The files that it formatted.
    FormattedFiles,
}

/// Tool that searches the workspace for files by itself, so it may read files that git ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Searcher {
    /// cargo-machete, which searches for the sources of each package.
    Machete,
    /// typos, whose configuration says which files it ignores.
    Typos,
}

named! {
    /// The output streams in a golden file.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Streams {
        /// Standard output.
        Stdout = "stdout",
        /// Standard error.
        Stderr = "stderr",
        /// Standard output, followed by standard error.
        Both = "both",
    }
}

impl Parse {
    /// Name of [`Parse::Generator`] in artifacts.
    pub const GENERATOR: &str = "fresh";

    /// Returns the name in the configuration.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::RustcJson => "rustc-json",
            Self::CargoBuild => "cargo-build",
            Self::BuildScripts => "build-scripts",
            Self::Libtest => "libtest",
            Self::Nextest => "nextest",
            Self::Rustfmt => "rustfmt",
            Self::DenyJson => "deny-json",
            Self::AuditJson => "audit-json",
            Self::TyposJson => "typos-json",
            Self::Machete => "machete",
            Self::Sarif => "sarif",
            Self::Diff => "diff",
            Self::Regex(_) => "regex",
            Self::Number(_) => "number",
            Self::Lines => "lines",
            Self::ExitCode => "exit-code",
            Self::Golden(_) => "golden",
            Self::Generator(_) => Self::GENERATOR,
        }
    }

    /// Returns the namespaces, sorted, of findings in the output of the tool with this name.
    pub fn namespaces(&self, tool: &str) -> Vec<String> {
        let names = match self {
            Self::RustcJson => &["cargo", "clippy", "rustc", "rustdoc"][..],
            Self::Rustfmt => &["rustfmt"],
            // Clippy reports the same errors, and a build without warnings does not mean that there are none.
            Self::CargoBuild => &[],
            Self::BuildScripts => &[tool],
            Self::Nextest => &["test"],
            Self::Libtest | Self::DenyJson | Self::AuditJson | Self::TyposJson | Self::Machete => &[tool],
            Self::Number(_) => &[tool],
            Self::Sarif | Self::Diff | Self::Regex(_) => &[tool],
            Self::Lines | Self::ExitCode | Self::Golden(_) | Self::Generator(_) => &[tool],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Returns the work of tools with this format.
    pub fn work(&self) -> Work {
        match self {
            Self::RustcJson => Work::Lint,
            Self::CargoBuild => Work::Build,
            Self::BuildScripts => Work::RunScripts,
            Self::Libtest | Self::Nextest => Work::Test,
            Self::Rustfmt => Work::Format,
            Self::DenyJson | Self::AuditJson | Self::TyposJson | Self::Machete => Work::Read,
            Self::Sarif | Self::Diff | Self::Regex(_) | Self::Number(_) => Work::Unknown,
            Self::Lines | Self::ExitCode | Self::Golden(_) | Self::Generator(_) => Work::Unknown,
        }
    }

    /// Returns true if output about several files says which file each finding is in.
    pub fn tells_files_apart(&self) -> bool {
        match self {
            Self::RustcJson | Self::Rustfmt | Self::TyposJson | Self::Sarif | Self::Diff => true,
            Self::Generator(_) => true,
            Self::Regex(pattern) => pattern.contains("<path>"),
            Self::CargoBuild | Self::BuildScripts | Self::Libtest | Self::Nextest => false,
            Self::DenyJson | Self::AuditJson | Self::Machete => false,
            Self::Number(_) | Self::Lines | Self::ExitCode | Self::Golden(_) => false,
        }
    }

    /// Returns true if findings may have fixes.
    pub fn proposes_fixes(&self) -> bool {
        match self {
            Self::RustcJson | Self::Rustfmt | Self::TyposJson | Self::Diff | Self::Generator(_) => true,
            Self::CargoBuild | Self::BuildScripts | Self::Libtest | Self::Nextest => false,
            Self::DenyJson | Self::AuditJson | Self::Machete | Self::Sarif => false,
            Self::Regex(_) | Self::Number(_) | Self::Lines | Self::ExitCode | Self::Golden(_) => false,
        }
    }

    /// Returns the program whose settings change the form of the output.
    pub fn printer(&self) -> Printer {
        match self {
            Self::RustcJson | Self::CargoBuild | Self::BuildScripts => Printer::Cargo,
            Self::Libtest => Printer::Libtest,
            Self::Nextest => Printer::Nextest,
            Self::Rustfmt | Self::DenyJson | Self::AuditJson | Self::TyposJson => Printer::Other,
            Self::Machete | Self::Sarif | Self::Diff | Self::Regex(_) | Self::Number(_) => Printer::Other,
            Self::Lines | Self::ExitCode | Self::Golden(_) | Self::Generator(_) => Printer::Other,
        }
    }

    /// Returns what the output states besides findings.
    pub fn statements(&self) -> Statements {
        match self {
            Self::Libtest => Statements::Build,
            Self::Rustfmt => Statements::FormattedFiles,
            Self::RustcJson | Self::CargoBuild | Self::BuildScripts | Self::Nextest => Statements::None,
            Self::DenyJson | Self::AuditJson | Self::TyposJson | Self::Machete => Statements::None,
            Self::Sarif | Self::Diff | Self::Regex(_) | Self::Number(_) => Statements::None,
            Self::Lines | Self::ExitCode | Self::Golden(_) | Self::Generator(_) => Statements::None,
        }
    }

    /// Returns the tool that prints this format, if it searches the workspace for files by itself.
    pub fn searcher(&self) -> Option<Searcher> {
        match self {
            Self::Machete => Some(Searcher::Machete),
            Self::TyposJson => Some(Searcher::Typos),
            // These read what cargo builds or locks, or the files that they are given.
            Self::RustcJson | Self::CargoBuild | Self::BuildScripts | Self::Libtest | Self::Nextest => None,
            Self::Rustfmt | Self::DenyJson | Self::AuditJson => None,
            // It is unknown which program prints these. Its `files` and `inputs` are searched.
            Self::Sarif | Self::Diff | Self::Regex(_) | Self::Number(_) => None,
            Self::Lines | Self::ExitCode | Self::Golden(_) | Self::Generator(_) => None,
        }
    }
}

impl ContentHash for Parse {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.field("parse", self.as_str().as_bytes());
        match self {
            Self::Regex(pattern) => sink.field("parse.regex", pattern.as_bytes()),
            Self::Golden(streams) => sink.field("parse.golden", streams.as_str().as_bytes()),
            Self::Generator(generator) => generator.feed(sink),
            Self::Number(pattern) => {
                sink.field("parse.number", pattern.regex.as_bytes());
                sink.field("parse.name", pattern.name.as_deref().unwrap_or_default().as_bytes());
            }
            // Formats without options are their name.
            _ => {}
        }
    }
}

impl Work {
    /// Returns true if other tools use what it leaves on disk.
    pub fn is_for_others(self) -> bool {
        match self {
            Self::Build | Self::RunScripts => true,
            Self::Lint | Self::Test | Self::Format | Self::Read | Self::Unknown => false,
        }
    }

    /// Returns true if it compiles members, but reports no lints.
    pub fn ignores_lints(self) -> bool {
        match self {
            Self::Build | Self::RunScripts | Self::Test => true,
            Self::Lint | Self::Format | Self::Read | Self::Unknown => false,
        }
    }

    /// Returns true if it checks the code of members: compiles, formats or tests it.
    pub fn checks_code(self) -> bool {
        match self {
            Self::Lint | Self::Build | Self::Test | Self::Format => true,
            Self::RunScripts | Self::Read | Self::Unknown => false,
        }
    }
}
