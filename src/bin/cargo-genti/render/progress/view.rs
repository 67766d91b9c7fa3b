//! What a run is at, as lines of text. Knows neither clock nor terminal: it is told the time and the size.

use std::time::Duration;

use anstyle::Style;
use genti::model::event::{Event, Waiting};
use genti::model::task::{Plan, StepId};
use genti::model::workspace::Workspace;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::render::text::units;
use crate::render::visible_line;
use crate::render::{BUSY, WARN};

/// Columns of the word that begins a line, and the space behind it.
const MARGIN: usize = 13;
/// The widest bar, and the narrowest that shows anything.
const BAR: std::ops::RangeInclusive<usize> = 6..=30;
/// Steps that are named where there is one line for all.
const NAMED: usize = 3;
/// A token is mostly there at once: waiting for one is worth telling after this.
const PATIENCE: Duration = Duration::from_secs(1);

/// The state of a run, as far as it is shown.
pub(super) struct View<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    /// Whether steps may run.
    has_begun: bool,
    /// Tasks.
    done: usize,
    total: usize,
    /// What runs, and since when, in the order of starts.
    running: Vec<(StepId, Duration)>,
    /// What is waited for, and since when.
    waiting: Option<(Waiting, Duration)>,
}

/// A line: a word that says what goes on, and to what.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) style: Style,
    pub(super) word: &'static str,
    pub(super) what: String,
}

impl<'a> View<'a> {
    pub(super) fn new(workspace: &'a Workspace, plan: &'a Plan) -> Self {
        let total = plan.steps().map(|step| plan.step(step).tasks.len()).sum();
        Self { workspace, plan, has_begun: false, done: 0, total, running: Vec::new(), waiting: None }
    }

    /// Takes note of `event`.
    pub(super) fn on(&mut self, event: Event<'_>, now: Duration) {
        match event {
            Event::Started(step) => self.running.push((step, now)),
            Event::Finished(step) => {
                self.running.retain(|(other, _)| *other != step);
                self.done += self.plan.step(step).tasks.len();
            }
            Event::Waiting(waiting) => self.waiting = waiting.map(|waiting| (waiting, now)),
            Event::Planned => self.has_begun = true,
            Event::Notice(_) | Event::Slow(..) | Event::Tick | Event::Reading(_) | Event::Comparing => {}
        }
    }

    /// A line for each step that runs, as many as fit into half of the height; one for what is waited for, and a bar
    /// over all.
    pub(super) fn lines(&self, now: Duration, width: usize, height: usize) -> Vec<Line> {
        let room = width.saturating_sub(MARGIN);
        let waiting = self.waiting(now);
        let most = (height / 2).saturating_sub(1 + usize::from(waiting.is_some())).max(1);
        // The first stay where they are; the others come and go.
        let shown = if self.running.len() > most { most - 1 } else { self.running.len() };
        let mut lines = Vec::new();
        let mut line = |style, word, what| lines.push(Line { style, word, what });
        for (step, since) in &self.running[..shown] {
            let time = format!(" ({})", time(now.saturating_sub(*since)));
            let name = fit(&self.name(*step), room.saturating_sub(time.len()));
            line(BUSY, "Running", name + &time);
        }
        if shown < self.running.len() {
            line(BUSY, "", fit(&format!("… and {} more", self.running.len() - shown), room));
        }
        if let Some(waiting) = waiting {
            line(WARN, "Waiting", fit(&waiting, room));
        }
        if self.has_begun {
            line(BUSY, "Checking", self.bar(now, room));
        }
        lines
    }

    /// All of it in one line that stays, for a log.
    pub(super) fn summary(&self, now: Duration) -> String {
        let name = |(step, since): &(StepId, Duration)| {
            format!("{} ({})", self.name(*step), time(now.saturating_sub(*since)))
        };
        let mut parts: Vec<_> = self.running.iter().take(NAMED).map(name).collect();
        if self.running.len() > NAMED {
            parts.push(format!("and {} more", self.running.len() - NAMED));
        }
        parts.extend(self.waiting(now).map(|waiting| format!("waiting {waiting}")));
        let separator = if parts.is_empty() { "" } else { ": " };
        format!("{}{separator}{}", self.count(now), parts.join(", "))
    }

    /// The tool, and its unit or how many there are.
    pub(super) fn name(&self, step: StepId) -> String {
        let step = self.plan.step(step);
        let tool = self.plan.graph.tool(step.tool);
        match step.tasks.as_slice() {
            [task] => match self.plan.graph.task(*task).unit.path(self.workspace) {
                path if path.is_root() => tool.name.clone(),
                path => format!("{}: {}", tool.name, visible_line(&path.to_string())),
            },
            tasks => format!("{}: {}", tool.name, units(tasks.len(), tool.per.as_str())),
        }
    }

    fn waiting(&self, now: Duration) -> Option<String> {
        let (waiting, since) = self.waiting?;
        match waiting {
            Waiting::Token { .. } if now.saturating_sub(since) < PATIENCE => None,
            Waiting::Token { of: Some(all) } => Some(format!("for a token: all {all} are in use")),
            Waiting::Token { of: None } => Some("for a token of the build that started this run".to_owned()),
            Waiting::End => Some("for what runs to end".to_owned()),
            Waiting::Run => {
                let time = time(now.saturating_sub(since));
                Some(format!("for another run in this workspace to end ({time})"))
            }
            Waiting::Lane { step, holder } => {
                let tool = |step| self.plan.graph.tool(self.plan.step(step).tool);
                let lane = tool(step).lane.as_deref().unwrap_or_default();
                let since = self.running.iter().find(|(other, _)| *other == holder)?.1;
                let (waits, holds) = (&tool(step).name, &tool(holder).name);
                let time = time(now.saturating_sub(since));
                Some(match lane {
                    "" => format!("for {holds} to end ({time}): {waits}"),
                    lane => format!("for lane {lane} ({holds}, {time}): {waits}"),
                })
            }
        }
    }

    fn bar(&self, now: Duration, room: usize) -> String {
        let count = self.count(now);
        let width = room.saturating_sub(count.len() + 3).min(*BAR.end());
        if !BAR.contains(&width) {
            return fit(&count, room);
        }
        let filled = width * self.done / self.total.max(1);
        let head = if filled < width { ">" } else { "" };
        format!("[{:width$}] {count}", "=".repeat(filled) + head)
    }

    fn count(&self, now: Duration) -> String {
        format!("{}/{} tasks, {}", self.done, self.total, time(now))
    }
}

/// In whole seconds.
pub(super) fn time(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// `text` in so many columns: what is too much is cut from the middle, for a name begins with the tool and ends with
/// the file.
fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let taken = |room: usize, chars: &mut dyn Iterator<Item = char>| {
        let mut left = room;
        let fits = |c: &char| match left.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        chars.take_while(fits).collect::<Vec<_>>()
    };
    let head = taken(room / 3, &mut text.chars());
    let tail = taken(room - room / 3, &mut text.chars().rev());
    let cut = if width > 0 { "…" } else { "" };
    head.into_iter().chain(cut.chars()).chain(tail.into_iter().rev()).collect()
}
