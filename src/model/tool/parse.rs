//! Output formats of tools.

use crate::model::digest::{ContentHash, Sink};
use crate::model::ratchet::NumberPattern;

/// Output format of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parse {
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
    /// A regular expression with named groups `path`, `line`, `column`, `rule`, `level`, `message`, applied
    /// to each line of stdout and stderr.
    Regex(String),
    /// Ratcheted numbers.
    Number(Box<NumberPattern>),
    /// Each non-blank line of stdout is a finding.
    Lines,
    /// Any exit code except 0 is a finding.
    ExitCode,
    /// Not parsed, but compared with a golden file.
    Golden(Streams),
}

/// The output streams in a golden file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Standard output, followed by standard error.
    Both,
}

impl Streams {
    /// Returns the name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Both => "both",
        }
    }
}

impl Parse {
    /// Formats that are configured by name only: all but [`Parse::Regex`], [`Parse::Number`] and
    /// [`Parse::Golden`].
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
