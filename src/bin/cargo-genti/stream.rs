//! `--message-format json`: events on stdout, as they happen. Without it, nothing.

use std::path::Path;

use genti::model::event::Event;
use genti::model::outcome::End;
use genti::model::task::Plan;
use genti::model::workspace::Workspace;
use genti::report::finished::Report;
use genti::report::stream;

use crate::render::Shell;

/// The events of one command.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    is_on: bool,
    /// Where the artifacts are, once they are written.
    artifacts: Option<String>,
    /// Whether what was asked for could not be printed.
    has_failed: bool,
}

impl Shell {
    /// Begins to tell, if that is asked for.
    pub(crate) fn start_stream(&mut self, is_on: bool) {
        self.stream.is_on = is_on;
        self.tell(stream::start);
    }

    /// Whether stdout is for events.
    pub(crate) fn has_stream(&self) -> bool {
        self.stream.is_on
    }

    pub(crate) fn tell_notice(&mut self, text: &str) {
        self.tell(|| stream::notice(text));
    }

    pub(crate) fn tell_event(&mut self, event: Event<'_>, workspace: &Workspace, plan: &Plan) {
        self.tell(|| stream::event(event, workspace, plan).unwrap_or_default());
    }

    /// What was found, and where it is kept.
    pub(crate) fn tell_outcome(&mut self, report: &Report, dir: Option<&Path>) {
        self.stream.artifacts = dir.map(|dir| dir.display().to_string());
        stream::findings(report).for_each(|line| self.tell(|| line));
    }

    /// The last event, and how the process ends.
    pub(crate) fn end_stream(&mut self, end: End) -> End {
        let artifacts = self.stream.artifacts.take();
        self.tell(|| stream::end(end.as_str(), end.code(), artifacts.as_deref()));
        match end {
            End::Passed | End::Failed | End::Incomplete | End::Drift if self.stream.has_failed => {
                End::NotWritten
            }
            end => end,
        }
    }

    fn tell(&mut self, lines: impl FnOnce() -> Vec<u8>) {
        // A failure is said once.
        if self.stream.is_on && !self.stream.has_failed {
            let lines = lines();
            self.stream.has_failed = !lines.is_empty() && self.out_json(&lines) != End::Passed;
        }
    }
}
