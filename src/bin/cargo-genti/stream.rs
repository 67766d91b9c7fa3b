//! Output of a run for other programs on stdout: the events of `--message-format json` as JSON lines, and the lines of
//! `--message-format short`. Does nothing for the human format.

use std::path::Path;

use genti::model::event::Event;
use genti::model::finding::State;
use genti::model::halt::Halt;
use genti::model::task::Plan;
use genti::model::workspace::Workspace;
use genti::report::finished::{Finding, FinishedReport};
use genti::report::{short, stream};

use crate::args::MessageFormat;
use crate::exit::{self, CliError, CliResult};
use crate::render::Shell;

impl Shell {
    /// Starts the output in `format`.
    pub(crate) fn start_stream(&mut self, format: MessageFormat) {
        self.stream.format = format;
        self.emit(stream::start);
    }

    /// Returns true if stdout is reserved for other programs.
    pub(crate) fn has_stream(&self) -> bool {
        self.stream.format != MessageFormat::Human
    }

    pub(crate) fn emit_notice(&mut self, code: &str, text: &str) {
        self.emit(|| stream::notice(code, text));
    }

    pub(crate) fn emit_event(&mut self, event: Event<'_>, workspace: &Workspace, plan: &Plan) {
        self.emit(|| stream::event(event, workspace, plan).unwrap_or_default());
    }

    /// Emits the findings until `halt` is due, and remembers the directory of the artifacts. `summary` is the last line of the
    /// short format, without the status.
    pub(crate) fn emit_outcome(
        &mut self,
        report: &FinishedReport,
        summary: impl FnOnce() -> String,
        dir: Option<&Path>,
        halt: &dyn Halt,
    ) {
        self.stream.artifacts = dir.map(|dir| dir.display().to_string());
        match self.stream.format {
            MessageFormat::Human => {}
            MessageFormat::Json => {
                for line in stream::findings(report).take_while(|_| !halt.is_due()) {
                    self.emit(|| line);
                }
            }
            MessageFormat::Short => {
                let is_shown = |finding: &&Finding| finding.state == State::New || self.verbose;
                let lines = report.findings.iter().filter(is_shown).take_while(|_| !halt.is_due());
                let lines: String =
                    lines.map(|one| format!("{} ({})\n", short::line(one), short::state(one))).collect();
                self.stream.has_failed |= self.out(&lines).is_err();
                self.stream.summary = Some(summary());
            }
        }
    }

    /// Emits the last event or line and returns the result of the command, which failed if something could not be printed.
    pub(crate) fn end_stream(&mut self, result: CliResult) -> CliResult {
        let artifacts = self.stream.artifacts.take();
        let ended = exit::ended(result);
        self.emit(|| stream::end(&ended, artifacts.as_deref()));
        if self.stream.format == MessageFormat::Short && !self.stream.has_failed {
            let summary =
                self.stream.summary.take().map(|summary| format!(": {summary}")).unwrap_or_default();
            self.stream.has_failed = self.out(&format!("genti: {}{summary}\n", ended.status)).is_err();
        }
        exit::combine([result, exit::failed_if(self.stream.has_failed, CliError::NotWritten)])
    }

    fn emit(&mut self, lines: impl FnOnce() -> Vec<u8>) {
        // A failure is only reported once.
        if self.stream.format == MessageFormat::Json && !self.stream.has_failed {
            let lines = lines();
            self.stream.has_failed = !lines.is_empty() && self.out_json(&lines).is_err();
        }
    }
}
