//! Event stream of `--message-format json`: JSON lines on stdout. Does nothing for other formats.

use std::path::Path;

use genti::model::event::Event;
use genti::model::halt::Halt;
use genti::model::task::Plan;
use genti::model::workspace::Workspace;
use genti::report::finished::FinishedReport;
use genti::report::stream;

use crate::exit::{self, CliError, CliResult};
use crate::render::Shell;

impl Shell {
    /// Starts the stream if `is_on` is set.
    pub(crate) fn start_stream(&mut self, is_on: bool) {
        self.stream.is_on = is_on;
        self.emit(stream::start);
    }

    /// Returns true if stdout is used for events.
    pub(crate) fn has_stream(&self) -> bool {
        self.stream.is_on
    }

    pub(crate) fn emit_notice(&mut self, code: &str, text: &str) {
        self.emit(|| stream::notice(code, text));
    }

    pub(crate) fn emit_event(&mut self, event: Event<'_>, workspace: &Workspace, plan: &Plan) {
        self.emit(|| stream::event(event, workspace, plan).unwrap_or_default());
    }

    /// Emits the findings until `halt` is due, and remembers the directory of the artifacts.
    pub(crate) fn emit_outcome(&mut self, report: &FinishedReport, dir: Option<&Path>, halt: &dyn Halt) {
        self.stream.artifacts = dir.map(|dir| dir.display().to_string());
        for line in stream::findings(report).take_while(|_| !halt.is_due()) {
            self.emit(|| line);
        }
    }

    /// Emits the last event and returns the result of the command, which failed if an event could not be printed.
    pub(crate) fn end_stream(&mut self, result: CliResult) -> CliResult {
        let artifacts = self.stream.artifacts.take();
        self.emit(|| stream::end(&exit::ended(result), artifacts.as_deref()));
        exit::combine([result, exit::failed_if(self.stream.has_failed, CliError::NotWritten)])
    }

    fn emit(&mut self, lines: impl FnOnce() -> Vec<u8>) {
        // A failure is only reported once.
        if self.stream.is_on && !self.stream.has_failed {
            let lines = lines();
            self.stream.has_failed = !lines.is_empty() && self.out_json(&lines).is_err();
        }
    }
}
