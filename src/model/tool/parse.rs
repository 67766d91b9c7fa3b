//! How the output of a tool is read.

use crate::model::digest::{ContentHash, Sink};
use crate::model::ratchet::NumberPattern;

/// How the output of a tool is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parse {
    /// Cargo's `--message-format=json` lines.
    RustcJson,
    /// The same of a build: what keeps it from an end, and the test programs that it made.
    CargoBuild,
    /// The same as far as build scripts go: whether each of them ran, and what it generated.
    BuildScripts,
    /// What the test programs of rustc's own harness print, and `cargo test --doc`.
    Libtest,
    /// What `cargo nextest run` prints.
    Nextest,
    /// The diffs of `rustfmt --check`.
    Rustfmt,
    /// `cargo deny --format json check`: JSON lines on stderr.
    DenyJson,
    /// `cargo audit --json`.
    AuditJson,
    /// `typos --format json`.
    TyposJson,
    /// What `cargo machete` prints.
    Machete,
    /// SARIF 2.1.0 on stdout.
    Sarif,
    /// Unified diffs on stdout.
    Diff,
    /// A regular expression with named groups `path`, `line`, `column`, `rule`, `level`, `message`, on each
    /// line of stdout and stderr.
    Regex(String),
    /// Numbers that may only get better.
    Number(Box<NumberPattern>),
    /// Each line of stdout that is not blank is a finding.
    Lines,
    /// Any other exit code than 0 is one finding.
    ExitCode,
    /// Not at all: what it prints is compared with a golden file.
    Golden(Streams),
}

/// What a golden file holds of what a tool prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
    /// Its standard output, then its standard error.
    Both,
}

impl Streams {
    /// As written in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Both => "both",
        }
    }
}

impl Parse {
    /// Each that goes by its name alone: all but [`Parse::Regex`] and [`Parse::Number`].
    pub const NAMED: [Self; 14] = [
        Self::RustcJson,
        Self::CargoBuild,
        Self::BuildScripts,
        Self::Libtest,
        Self::Nextest,
        Self::Rustfmt,
        Self::DenyJson,
        Self::AuditJson,
        Self::TyposJson,
        Self::Machete,
        Self::Sarif,
        Self::Diff,
        Self::Lines,
        Self::ExitCode,
    ];

    /// As written in the configuration.
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
        }
    }

    /// The namespaces, sorted, of what is found in the output of a tool called `tool`.
    pub fn namespaces(&self, tool: &str) -> Vec<String> {
        let names = match self {
            Self::RustcJson => &["cargo", "clippy", "rustc", "rustdoc"][..],
            Self::Rustfmt => &["rustfmt"],
            // Its errors are the other compilers' too, and its silence says nothing of their warnings.
            Self::CargoBuild => &[],
            Self::BuildScripts => &[tool],
            Self::Nextest => &["test"],
            Self::Libtest | Self::DenyJson | Self::AuditJson | Self::TyposJson | Self::Machete => &[tool],
            Self::Number(_) => &[tool],
            Self::Sarif | Self::Diff | Self::Regex(_) => &[tool],
            Self::Lines | Self::ExitCode | Self::Golden(_) => &[tool],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}

impl ContentHash for Parse {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.field("parse", self.as_str().as_bytes());
        match self {
            Self::Regex(pattern) => sink.field("parse.regex", pattern.as_bytes()),
            Self::Golden(streams) => sink.field("parse.golden", streams.as_str().as_bytes()),
            Self::Number(pattern) => {
                sink.field("parse.number", pattern.regex.as_bytes());
                sink.field("parse.name", pattern.name.as_deref().unwrap_or_default().as_bytes());
            }
            _ => {}
        }
    }
}
