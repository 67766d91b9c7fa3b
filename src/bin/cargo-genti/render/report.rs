//! The report of a run for humans, made of its artifacts: findings in order, a table of the tools, the verdict, and what
//! to do next. The same for `run`, `check` and `report`.

mod advice;
mod findings;
mod tools;

use std::fmt::Display;
use std::path::Path;

use anstyle::{AnsiColor, Effects, Style};
use genti::model::finding::State;
use genti::model::sources::Sources;
use genti::report::blind_spots;
use genti::report::finished::{Finding, Finished, Tasks};

use super::{BAD, BUSY, GOOD, WARN, lines, plural};

/// Lines of one kind that are shown before the rest is only counted.
const MOST: usize = 10;

/// What is there to be read on, not first.
const DIM: Style = Style::new().effects(Effects::DIMMED);
/// What several lines are about.
const HEAD: Style = AnsiColor::BrightWhite.on_default().effects(Effects::BOLD);

/// A finished run, and what the report can't see from it.
pub(crate) struct View<'a> {
    /// The run.
    pub(crate) run: &'a Finished,
    /// What became of each of its tasks, where times are shown.
    pub(crate) tasks: Option<&'a Tasks>,
    /// The sources that findings are in.
    pub(crate) sources: &'a Sources,
    /// Whether there is no baseline, and this build is the one to take it with.
    pub(crate) may_begin_baseline: bool,
    /// Whether the workspace lies in a repository.
    pub(crate) in_repository: bool,
    /// Where the artifacts are, if they were written.
    pub(crate) artifacts: Option<String>,
    /// For each tool, where its output is kept.
    pub(crate) kept: Vec<Vec<String>>,
    /// What is good to know before the verdict.
    pub(crate) asides: Vec<String>,
    /// Where links to files lead, for who can follow them.
    pub(crate) links: Option<&'a Path>,
    /// The columns of the terminal, if it is one.
    pub(crate) terminal: Option<usize>,
    /// Everything is shown, also what is accepted.
    pub(crate) verbose: bool,
    /// Only the verdict is shown.
    pub(crate) quiet: bool,
}

/// The report as text, with this program's own styles.
pub(crate) fn report(view: &View<'_>) -> String {
    let mut page = Page { text: String::new(), quiet: view.quiet };
    if !view.quiet {
        findings::show(view, &mut page);
        tools::show(view, &mut page);
    }
    view.asides.iter().for_each(|aside| page.note(aside));
    advice::show(view, &mut page);
    let spots = view.run.report.blind_spots.as_deref().unwrap_or_default();
    if let Some(summary) = blind_spots::summary(spots) {
        page.note(format_args!("not checked: {summary}; see `cargo genti blind-spots`"));
    }
    page.text
}

/// A report, as far as it is written.
struct Page {
    text: String,
    quiet: bool,
}

impl Page {
    fn push(&mut self, text: impl Display) {
        self.text.push_str(&text.to_string());
    }

    fn status(&mut self, style: Style, word: &str, what: impl Display) {
        self.push(lines::status(style, word, what));
    }

    fn error(&mut self, what: impl Display) {
        self.push(lines::labelled(BAD, "error", what));
    }

    fn warning(&mut self, what: impl Display) {
        self.push(lines::labelled(WARN, "warning", what));
    }

    fn note(&mut self, what: impl Display) {
        if !self.quiet {
            self.push(lines::labelled(BUSY, "note", what));
        }
    }

    /// A line below one of a status or a note.
    fn below(&mut self, what: impl Display) {
        self.push(format_args!("{:>12} {what}\n", ""));
    }
}

impl View<'_> {
    /// What is new, in order.
    fn new_findings(&self) -> impl Iterator<Item = &Finding> {
        self.run.report.findings.iter().filter(|finding| finding.state == State::New)
    }

    /// Whether a tool whose verdict decides reported it.
    fn is_required(&self, finding: &Finding) -> bool {
        let mut tools = self.run.run.tools.iter().filter(|tool| tool.required);
        tools.any(|tool| finding.is_of(&tool.name))
    }
}
