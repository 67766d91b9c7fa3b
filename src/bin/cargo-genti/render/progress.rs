//! Progress of a run: changing lines on a terminal, or else an occasional status line.

mod frames;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use console::Term;
use genti::model::event::{Event, Found, Waiting};
use genti::model::finding::DiagnosticKey;
use genti::model::outcome::Compared;
use genti::pipeline::Project;
use genti::report::finished::Finding;
use genti::report::outputs::OutputsOfTests;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::frames::Frames;
use self::view::{Line, View};
use super::finding::Canvas;
use super::report::{Identical, block};
use super::text::time;
use super::{BUSY, Shell, Target, WARN};

/// Interval between redraws.
const FRAME: Duration = Duration::from_millis(50);
/// Time without output after which a status line is logged.
const SILENCE: Duration = Duration::from_secs(30);

/// Progress display of a run.
pub(crate) struct Bar<'a> {
    view: View<'a>,
    /// The progress bar, hidden if there is no terminal.
    bar: ProgressBar,
    /// True if lines are coloured.
    is_coloured: bool,
    clock: Instant,
    /// The last drawn lines.
    text: String,
    /// Time of the last redraw.
    drawn: Option<Duration>,
    /// Time of the last permanent message.
    last_message: Duration,
    /// New findings that were shown.
    shown: BTreeSet<DiagnosticKey>,
}

impl<'a> Bar<'a> {
    /// Creates the display without drawing anything.
    pub(crate) fn new(project: &'a Project, shell: &Shell) -> Self {
        let target = match shell.has_progress {
            true => ProgressDrawTarget::term_like(Box::new(Frames::new(Term::buffered_stderr()))),
            false => ProgressDrawTarget::hidden(),
        };
        let view = View::new(&project.workspace, &project.plan, shell.verbose);
        Self::on_target(view, target, shell.is_coloured())
    }

    fn on_target(view: View<'a>, target: ProgressDrawTarget, is_coloured: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Self {
            view,
            bar,
            is_coloured,
            clock: Instant::now(),
            text: String::new(),
            drawn: None,
            last_message: Duration::ZERO,
            shown: BTreeSet::new(),
        }
    }

    /// Updates the display for `event`.
    pub(crate) fn on(&mut self, event: Event<'_>, shell: &mut Shell) {
        let now = self.clock.elapsed();
        self.view.on(event, now);
        shell.emit_event(event, self.view.workspace, self.view.plan);
        match event {
            Event::Notice(notice) => self.say(now, shell, |shell| shell.notice(notice)),
            Event::Slow(step, long) if shell.has_signs_of_life => {
                let what = format!("{} has been running for {}", self.view.name(step), time(long));
                self.say(now, shell, |shell| shell.aside(WARN, "Slow", what));
            }
            Event::Waiting(Some(Waiting::Run)) if self.bar.is_hidden() => {
                let what = "waiting for another run in this workspace";
                self.say(now, shell, |shell| shell.note(what));
            }
            Event::Found(found) if !shell.has_stream() => self.show(found, now, shell),
            Event::Comparing => return self.bar.finish_and_clear(),
            Event::Planned
            | Event::Started(_)
            | Event::Reading(_)
            | Event::Finished(_)
            | Event::Waiting(_)
            | Event::Slow(..)
            | Event::Found(_)
            | Event::Doing(..)
            | Event::Tick => {}
        }
        if self.bar.is_hidden() {
            if shell.has_signs_of_life && now.saturating_sub(self.last_message) >= SILENCE {
                let summary = self.view.summary(now);
                self.say(now, shell, |shell| shell.aside(BUSY, "Checking", summary));
            }
        } else if self.drawn.is_none_or(|drawn| now.saturating_sub(drawn) >= FRAME) {
            let (width, height) = size();
            self.drawn = Some(now);
            self.draw(&self.view.lines(now, width, height));
        }
    }

    /// Shows the new findings of a tool as one block.
    fn show(&mut self, found: &Found, now: Duration, shell: &mut Shell) {
        let counts = |one: &Compared| Some((one.finding.id.clone(), one.identical?));
        let identical: BTreeMap<_, _> = found.findings.iter().filter_map(counts).collect();
        let identical: Identical<'_> =
            identical.iter().map(|(id, count)| (id.as_str(), (count.new, count.total))).collect();
        let findings: Vec<_> = found.findings.iter().cloned().map(Finding::of).collect();
        let canvas = Canvas {
            sources: &found.sources,
            links: shell.has_links(Target::Err).then_some(&*self.view.workspace.root),
            terminal: shell.columns(Target::Err),
            outputs: &OutputsOfTests::new(&found.test_outputs),
            verbose: shell.verbose,
        };
        let text =
            block(&self.view.plan.graph.tool(found.tool).name, &findings, canvas, &identical, shell.verbose);
        self.shown.extend(findings.iter().map(Finding::key));
        self.say(now, shell, |shell| shell.err(text));
    }

    /// Ends the display. Returns the findings that were shown.
    pub(crate) fn finish(mut self) -> BTreeSet<DiagnosticKey> {
        std::mem::take(&mut self.shown)
    }

    fn draw(&mut self, lines: &[Line]) {
        let text = |Line { style, word, what }: &Line| match self.is_coloured {
            true => format!("{style}{word:>12}{style:#} {what}"),
            false => format!("{word:>12} {what}"),
        };
        let text = lines.iter().map(text).collect::<Vec<_>>().join("\n");
        if text != self.text {
            self.bar.set_message(text.clone());
            self.text = text;
        }
    }

    /// Prints a permanent message.
    fn say(&mut self, now: Duration, shell: &mut Shell, say: impl FnOnce(&mut Shell)) {
        self.bar.suspend(|| say(shell));
        self.last_message = now;
    }
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Returns the columns and rows of the terminal.
fn size() -> (usize, usize) {
    terminal_size::terminal_size_of(std::io::stderr())
        .map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()))
}
