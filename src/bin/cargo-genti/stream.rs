//! `--message-format json`: events on stdout, as they happen. Without it, nothing.

use std::path::Path;

use genti::model::event::Event;
use genti::model::outcome::End;
use genti::pipeline::Project;
use genti::report::{Artifacts, stream};

use crate::render::Shell;

/// The events of one command.
pub(crate) struct Stream {
    is_on: bool,
    /// Where the artifacts are, once they are written.
    artifacts: Option<String>,
    /// Whether what was asked for could not be printed.
    has_failed: bool,
}

impl Stream {
    pub(crate) fn new(is_on: bool) -> Self {
        Self { is_on, artifacts: None, has_failed: false }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(crate) fn start(&mut self, shell: &mut Shell) {
        self.print(stream::start, shell);
    }

    pub(crate) fn notice(&mut self, text: &str, shell: &mut Shell) {
        self.print(|| stream::notice(text), shell);
    }

    pub(crate) fn event(&mut self, event: Event<'_>, project: &Project, shell: &mut Shell) {
        let of_event = || stream::event(event, &project.workspace, &project.plan).unwrap_or_default();
        self.print(of_event, shell);
    }

    /// What was found, and where it is kept.
    pub(crate) fn outcome(&mut self, artifacts: &Artifacts, dir: Option<&Path>, shell: &mut Shell) {
        self.artifacts = dir.map(|dir| dir.display().to_string());
        match stream::findings(&artifacts.report) {
            Ok(lines) => self.print(|| lines, shell),
            Err(error) => {
                shell.error(error);
                self.has_failed = true;
            }
        }
    }

    /// The last event, and how the process ends.
    pub(crate) fn end(mut self, end: End, shell: &mut Shell) -> End {
        let artifacts = self.artifacts.take();
        let end = if self.has_failed && matches!(end, End::Passed | End::Failed | End::Incomplete) {
            End::NotWritten
        } else {
            end
        };
        self.print(|| stream::end(end.as_str(), end.code(), artifacts.as_deref()), shell);
        if self.has_failed && end == End::Passed { End::NotWritten } else { end }
    }

    fn print(&mut self, lines: impl FnOnce() -> Vec<u8>, shell: &mut Shell) {
        // Said once.
        if self.is_on && !self.has_failed {
            let lines = lines();
            self.has_failed = !lines.is_empty() && shell.out_json(&lines) != End::Passed;
        }
    }
}
