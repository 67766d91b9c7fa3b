//! The report formats of the command line: those of the library, and the report for the terminal.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use genti::report::{Format, TextKind};

/// A report format, as in `--report` and `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    /// The report that `run` prints.
    Human,
    /// A format of the library.
    Of(Format),
}

/// Every format, in the order of the help.
const ALL: [ReportFormat; Format::ALL.len() + 1] = {
    let mut all = [ReportFormat::Human; Format::ALL.len() + 1];
    let mut at = 0;
    while at < Format::ALL.len() {
        all[at + 1] = ReportFormat::Of(Format::ALL[at]);
        at += 1;
    }
    all
};

impl ReportFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Of(format) => format.as_str(),
        }
    }

    /// Returns the default file name of a report.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Human => "report.txt",
            Self::Of(format) => format.file_name(),
        }
    }

    /// Returns true if it shows lines of the sources.
    pub(crate) fn shows_sources(self) -> bool {
        match self {
            Self::Human => true,
            Self::Of(format) => format.shows_sources(),
        }
    }

    /// Returns true if it shows the checkout that the run belongs to.
    pub(crate) fn shows_checkout(self) -> bool {
        matches!(self, Self::Of(format) if format.shows_checkout())
    }

    /// Returns the kind of text.
    pub(crate) fn text_kind(self) -> TextKind {
        match self {
            Self::Human => TextKind::Plain,
            Self::Of(format) => format.text_kind(),
        }
    }

    /// Returns the names of all formats, separated by commas.
    pub(crate) fn names() -> String {
        ALL.map(Self::name).join(", ")
    }
}

impl ValueEnum for ReportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Human => "The report that `run` prints",
            Self::Of(format) => format.help(),
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}
