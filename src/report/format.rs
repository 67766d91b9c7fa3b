//! The formats of a report: what each is called and how it is handed out. [`render`](super::render) makes them.

use crate::model::named::named;

named! {
    /// Format of a report that is not meant for the terminal.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Format {
        /// `report.json`, unchanged.
        Json = "json",
        /// SARIF 2.1.0 for code scanning.
        Sarif = "sarif",
        /// JUnit XML for test reports.
        Junit = "junit",
        /// Markdown for the summary of a CI job or a comment.
        Markdown = "markdown",
        /// Annotations for GitHub Actions.
        Github = "github",
        /// Code Quality JSON for merge requests in GitLab.
        Gitlab = "gitlab",
        /// A self-contained HTML page.
        Html = "html",
    }
}

/// Kind of text in a report, which decides how it is printed to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// JSON, which is streamed.
    Json,
    /// Commands of a CI service, which must reach it unchanged.
    Commands,
    /// Other text. What looks like a command of a CI service is made harmless.
    Plain,
}

impl Format {
    /// Returns the line about the format in the help of the command line.
    pub fn help(self) -> &'static str {
        match self {
            Self::Json => "The content of report.json",
            Self::Sarif => "SARIF 2.1.0, for code scanning",
            Self::Junit => "JUnit XML, for test reports",
            Self::Markdown => "Markdown, for CI job summaries and comments",
            Self::Github => "Annotations for GitHub Actions",
            Self::Gitlab => "Code Quality JSON, for merge requests in GitLab",
            Self::Html => "A self-contained page",
        }
    }

    /// Returns the default name of a file with the report.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Json => "report.json",
            Self::Sarif => "report.sarif",
            Self::Junit => "report.xml",
            Self::Markdown => "report.md",
            Self::Github => "annotations.txt",
            Self::Gitlab => "gl-code-quality-report.json",
            Self::Html => "report.html",
        }
    }

    /// Returns the kind of text.
    pub fn text_kind(self) -> TextKind {
        match self {
            Self::Json | Self::Sarif | Self::Gitlab => TextKind::Json,
            Self::Github => TextKind::Commands,
            Self::Junit | Self::Markdown | Self::Html => TextKind::Plain,
        }
    }

    /// Returns true if it shows the checkout that the run belongs to.
    pub fn shows_checkout(self) -> bool {
        self == Self::Html
    }

    /// Returns true if it shows lines of the sources.
    pub fn shows_sources(self) -> bool {
        match self {
            Self::Markdown | Self::Html => true,
            Self::Json | Self::Sarif | Self::Junit | Self::Github | Self::Gitlab => false,
        }
    }
}
