//! The report of a run for humans, generated from its artifacts: findings in order, a table of the tools, advice, and the
//! verdict. Used by `run`, `check` and `report`.
//!
//! During a run, new findings are shown in blocks as soon as their tool has finished ([`block`]). The report at the end leaves them
//! out and repeats only their counts.

mod advice;
mod excused;
mod findings;
mod tools;
mod verdict;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style};
use genti::model::finding::DiagnosticKey;
use genti::model::style::is_of_former_style;
use genti::report::blind_spots;
use genti::report::finished::{Finding, Finished, Tasks};
use genti::report::fixes::Tree;

pub(super) use self::findings::Identical;
use self::findings::Listing;
pub(crate) use self::verdict::{cause, outline};
use super::finding::Canvas;
use super::{BAD, BUSY, GOOD, WARN, lines, plural};

/// Maximum number of lines of one kind. Further lines are only counted.
const MOST: usize = 10;

/// Style of secondary text.
const DIM: Style = Style::new().effects(Effects::DIMMED);
/// Style of headings.
const HEAD: Style = AnsiColor::BrightWhite.on_default().effects(Effects::BOLD);

/// A finished run, with display options and facts that are not in its artifacts.
pub(crate) struct View<'a> {
    /// The finished run.
    pub(crate) run: &'a Finished,
    /// The tasks of the run, if their times are shown.
    pub(crate) tasks: Option<&'a Tasks>,
    /// Sources, links and sizes for drawing findings.
    pub(crate) canvas: Canvas<'a>,
    /// New findings that were shown during the run.
    pub(crate) shown: &'a BTreeSet<DiagnosticKey>,
    /// Duration of the run, if it is shown.
    pub(crate) elapsed: Option<Duration>,
    /// Number of tasks with a cached result, if it is known.
    pub(crate) cached: Option<usize>,
    /// True if there is no baseline and one can be created with these build flags.
    pub(crate) may_begin_baseline: bool,
    /// True if stale baseline entries and orphaned golden files fail the run.
    pub(crate) stale_fails: bool,
    /// State of the working tree.
    pub(crate) tree: Tree,
    /// Directory of the artifacts, if they were written.
    pub(crate) artifacts: Option<String>,
    /// For each tool, lines that name the files with its stored output.
    pub(crate) kept: Vec<Vec<String>>,
    /// Notes to show before the verdict.
    pub(crate) asides: Vec<String>,
    /// Show counts instead of findings.
    pub(crate) statistics: bool,
    /// Show everything, including accepted findings.
    pub(crate) verbose: bool,
    /// Show only the verdict.
    pub(crate) quiet: bool,
}

/// Renders the report as text with ANSI styles.
pub(crate) fn report(view: &View<'_>) -> String {
    let mut page = Page { text: String::new(), quiet: view.quiet, columns: view.canvas.terminal };
    if !view.quiet {
        findings::show(view, &mut page);
        tools::show(view, &mut page);
        excused::show(view, &mut page);
    }
    view.asides.iter().for_each(|aside| page.note(aside));
    advice::show(view, &mut page);
    let spots = view.run.report.blind_spots.as_deref().unwrap_or_default();
    if let Some(summary) = blind_spots::summary(spots) {
        page.note(format_args!("not checked: {summary}; see `cargo genti blind-spots`"));
    }
    verdict::show(view, &mut page);
    page.text
}

/// Renders the new findings of `tool` as soon as they are known, before the end of the run.
pub(crate) fn block(
    tool: &str,
    findings: &[Finding],
    canvas: Canvas<'_>,
    identical: &Identical<'_>,
    verbose: bool,
) -> String {
    let mut page = Page { text: String::new(), quiet: false, columns: canvas.terminal };
    let findings: Vec<_> = findings.iter().collect();
    findings::heading(tool, &findings, &mut page);
    let findings: Vec<_> =
        findings.into_iter().filter(|finding| !is_of_former_style(&finding.related)).collect();
    Listing { findings, canvas, identical, suppressions: &[], artifacts: None, verbose }.show(&mut page);
    page.text
}

/// A report that is being written.
struct Page {
    text: String,
    quiet: bool,
    /// Width of the terminal, if there is one.
    columns: Option<usize>,
}

impl Page {
    fn push(&mut self, text: impl Display) {
        self.text.push_str(&text.to_string());
    }

    fn status(&mut self, style: Style, word: &str, what: impl Display) {
        self.push(lines::status(style, word, what, self.columns));
    }

    /// Adds a status line with columns, which are not broken.
    fn row(&mut self, style: Style, word: &str, columns: &str) {
        self.push(lines::status(style, word, columns, None));
    }

    fn error(&mut self, what: impl Display) {
        self.push(lines::labelled(BAD, "error", what, self.columns));
    }

    fn warning(&mut self, what: impl Display) {
        self.push(lines::labelled(WARN, "warning", what, self.columns));
    }

    fn note(&mut self, what: impl Display) {
        if !self.quiet {
            self.push(lines::labelled(BUSY, "note", what, self.columns));
        }
    }

    /// Adds a line that belongs to the previous status or note.
    fn below(&mut self, what: impl Display) {
        self.push(lines::below(what, self.columns));
    }
}

impl View<'_> {
    /// Iterates over the new findings that count, in order: all except those that the change is known not to have caused.
    fn new_findings(&self) -> impl Iterator<Item = &Finding> {
        self.run.report.findings.iter().filter(|finding| finding.counts())
    }

    /// Returns true if a required tool reported the finding.
    fn is_required(&self, finding: &Finding) -> bool {
        let mut tools = self.run.run.tools.iter().filter(|tool| tool.required);
        tools.any(|tool| finding.is_of(&tool.name))
    }
}
