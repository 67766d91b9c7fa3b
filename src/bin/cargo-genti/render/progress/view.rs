//! The state of a run as lines of text. Does not access the clock or the terminal: callers pass the time and
//! the size.

use std::time::Duration;

use anstyle::Style;
use genti::model::event::{Activity, Doing, Event, Waiting};
use genti::model::task::{Plan, StepId};
use genti::model::tool::Tool;
use genti::model::workspace::Workspace;
use genti::report::text::number;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::render::text::{time, units};
use crate::render::visible_line;
use crate::render::{BUSY, WARN};

/// Width of the verb at the start of a line and the following space.
const MARGIN: usize = 13;
/// Maximum and minimum width of the bar.
const BAR: std::ops::RangeInclusive<usize> = 6..=30;
/// Number of steps that are named in a summary line.
const NAMED: usize = 3;
/// Name of the tool that builds the tests.
const TEST_BUILD: &str = "test-build";
/// Time after which a running step is marked as slow.
const SLOW: Duration = Duration::from_secs(60);
/// Time after which waiting for a token is shown. Usually a token is available at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The displayed state of a run.
pub(super) struct View<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) plan: &'a Plan,
    /// True once steps may run.
    has_begun: bool,
    /// Number of finished tasks.
    done: usize,
    /// Number of all tasks.
    total: usize,
    /// Running steps in the order of starts.
    running: Vec<RunningStep>,
    /// Reason for waiting, and its start time.
    waiting: Option<(Waiting, Duration)>,
    /// True if lanes, job tokens and tools that only serve others are named.
    verbose: bool,
}

/// A running step.
struct RunningStep {
    step: StepId,
    since: Duration,
    doing: Doing,
}

/// A status line: a verb and its object.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) style: Style,
    pub(super) word: &'static str,
    pub(super) what: String,
}

impl<'a> View<'a> {
    pub(super) fn new(workspace: &'a Workspace, plan: &'a Plan, verbose: bool) -> Self {
        let tasks = plan.steps().flat_map(|step| &plan.step(step).tasks);
        let total = tasks.filter(|task| plan.is_here(**task)).count();
        Self {
            workspace,
            plan,
            has_begun: false,
            done: 0,
            total,
            running: Vec::new(),
            waiting: None,
            verbose,
        }
    }

    /// Updates the state for `event`.
    pub(super) fn on(&mut self, event: Event<'_>, now: Duration) {
        match event {
            Event::Started(step) => {
                self.running.push(RunningStep { step, since: now, doing: Doing::default() });
            }
            Event::Doing(step, doing) => {
                let running = self.running.iter_mut().filter(|running| running.step == step);
                running.for_each(|running| running.doing = doing.clone());
            }
            Event::Finished(step) => {
                self.running.retain(|other| other.step != step);
                self.done += self.plan.step(step).tasks.len();
            }
            Event::Waiting(waiting) => self.waiting = waiting.map(|waiting| (waiting, now)),
            Event::Planned => self.has_begun = true,
            Event::Notice(_)
            | Event::Slow(..)
            | Event::Tick
            | Event::Reading(_)
            | Event::Found(_)
            | Event::Comparing => {}
        }
    }

    /// Returns a line per running step (as many as fit into half of the height), a line for the reason for
    /// waiting, and the progress bar.
    pub(super) fn lines(&self, now: Duration, width: usize, height: usize) -> Vec<Line> {
        let room = width.saturating_sub(MARGIN);
        let waiting = self.waiting(now);
        let most = (height / 2).saturating_sub(1 + usize::from(waiting.is_some())).max(1);
        // The oldest steps keep their lines, while others come and go.
        let shown = if self.running.len() > most { most - 1 } else { self.running.len() };
        let mut lines = Vec::new();
        let mut line = |style, word, what| lines.push(Line { style, word, what });
        for running in &self.running[..shown] {
            let (name, numbers) = self.activity(running, now);
            let name = fit(&name, room.saturating_sub(numbers.width()));
            match now.saturating_sub(running.since) {
                long if long >= SLOW => line(WARN, "Slow", name + &numbers),
                _ => line(BUSY, "Running", name + &numbers),
            }
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

    /// Returns a summary on one line, for a log.
    pub(super) fn summary(&self, now: Duration) -> String {
        let name = |running: &RunningStep| {
            let (name, numbers) = self.activity(running, now);
            name + &numbers
        };
        let mut parts: Vec<_> = self.running.iter().take(NAMED).map(name).collect();
        if self.running.len() > NAMED {
            parts.push(format!("and {} more", self.running.len() - NAMED));
        }
        parts.extend(self.waiting(now).map(|waiting| format!("waiting {waiting}")));
        let separator = if parts.is_empty() { "" } else { ": " };
        format!("{}{separator}{}", self.count(now), parts.join(", "))
    }

    /// Returns the name of a running step with what it is doing, and its numbers in parentheses.
    fn activity(&self, running: &RunningStep, now: Duration) -> (String, String) {
        let RunningStep { step, since, doing: Doing { done, total, now: activity } } = running;
        let time = time(now.saturating_sub(*since));
        let count = total.map(|total| {
            let number = |count: u32| number(count.into());
            format!("{}/{}", number((*done).min(total)), number(total))
        });
        let name = self.name(*step);
        match (activity, count) {
            (Some(Activity::Build(package)), Some(count)) => {
                (format!("{name}: compiling {}", visible_line(package)), format!(" ({count}, {time})"))
            }
            (Some(Activity::Build(package)), None) => {
                (format!("{name}: compiling {}", visible_line(package)), format!(" ({time})"))
            }
            (Some(Activity::Test(test)), count) => {
                let count = count.map(|count| format!("{count}, ")).unwrap_or_default();
                (format!("{name}: {count}running {}", visible_line(test)), format!(" ({time})"))
            }
            (None, Some(count)) => (format!("{name}: {count}"), format!(" ({time})")),
            (None, None) => (name, format!(" ({time})")),
        }
    }

    /// Returns the tool, and its unit or the number of units.
    pub(super) fn name(&self, step: StepId) -> String {
        let step = self.plan.step(step);
        let tool = self.plan.graph.tool(step.tool);
        let name = self.tool_name(tool);
        match step.tasks.as_slice() {
            [task] => match self.plan.graph.name_of(self.workspace, self.plan.graph.task(*task).unit) {
                unit if unit == "." => name.to_owned(),
                unit => format!("{name}: {}", visible_line(&unit)),
            },
            tasks => format!("{name}: {}", units(tasks.len(), tool.unit_word())),
        }
    }

    /// Returns the name of `tool`, or what it is for if people don't know it.
    fn tool_name<'t>(&self, tool: &'t Tool) -> &'t str {
        match tool.name.as_str() {
            TEST_BUILD if !self.verbose => "tests",
            name => name,
        }
    }

    fn waiting(&self, now: Duration) -> Option<String> {
        let (waiting, since) = self.waiting?;
        match waiting {
            Waiting::Token { .. } if now.saturating_sub(since) < PATIENCE => None,
            Waiting::Token { of } => {
                let what = if self.verbose { "jobserver token" } else { "job slot" };
                Some(match of {
                    Some(all) => format!("for a {what} (all {all} are in use)"),
                    None => format!("for a {what} of the parent build"),
                })
            }
            Waiting::End => Some("for running steps to end".to_owned()),
            Waiting::Run => {
                let time = time(now.saturating_sub(since));
                Some(format!("for another run in this workspace ({time})"))
            }
            Waiting::Lane { step, holder } => {
                let tool = |step| self.plan.graph.tool(self.plan.step(step).tool);
                let lane = tool(step).lane.as_deref().unwrap_or_default();
                let since = self.running.iter().find(|other| other.step == holder)?.since;
                let (waits, holds) = (self.tool_name(tool(step)), self.tool_name(tool(holder)));
                let time = time(now.saturating_sub(since));
                Some(match lane {
                    lane if !self.verbose || lane.is_empty() => {
                        format!("for {holds} to end ({time}): {waits}")
                    }
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

/// Shortens `text` to `width` columns by cutting out the middle, because a name starts with the tool and ends
/// with the file.
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
