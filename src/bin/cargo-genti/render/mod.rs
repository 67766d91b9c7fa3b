//! Output for the user. Machine-readable output goes to stdout, messages for humans to stderr.

mod drift;
mod finding;
mod formats;
mod hyperlink;
mod lines;
mod notice;
mod problem;
mod progress;
mod report;
mod text;
mod versions;

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Effects, Style};
use genti::scan::Env;

use crate::args::{Color, MessageFormat, OutputArgs};
use crate::exit::{CliError, CliResult};
use crate::stdout;

pub(crate) use drift::drift;
pub(crate) use finding::{Canvas, entry, entry_at};
pub(crate) use formats::unread_output;
use genti::report::text::visible;
pub(crate) use genti::report::text::{plural, visible_line, without_hash_commands};
pub(crate) use progress::Bar;
pub(crate) use report::{View, cause, outline, report};
pub(crate) use versions::other_versions;

/// Style of success.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
/// Style of errors.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
/// Style of warnings.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
/// Style of progress and notes.
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default().effects(Effects::BOLD);

/// Environment variables that CI services set.
const CI: [&str; 7] =
    ["BUILDKITE", "CI", "GITHUB_ACTIONS", "GITLAB_CI", "TEAMCITY_VERSION", "TF_BUILD", "TRAVIS"];

/// Returns `path` relative to the working directory, if it is below.
pub(crate) fn place(path: &Path) -> String {
    let cwd = std::env::current_dir().ok();
    let below = cwd.and_then(|cwd| path.strip_prefix(cwd).ok().map(Path::to_path_buf));
    visible_line(&below.as_deref().unwrap_or(path).display().to_string())
}

/// Standard output and standard error, with their capabilities.
pub(crate) struct Shell {
    err: AutoStream<std::io::Stderr>,
    out: AutoStream<std::io::Stdout>,
    pub(crate) verbose: bool,
    pub(crate) quiet: bool,
    /// True if progress is shown as changing lines.
    pub(crate) has_progress: bool,
    /// True if a log gets status lines about long runs and slow steps.
    pub(crate) has_signs_of_life: bool,
    /// True in GitHub Actions, where some lines are interpreted as commands.
    pub(crate) in_actions: bool,
    /// True in any CI service.
    in_ci: bool,
    /// True if cargo started this program.
    by_cargo: bool,
    /// Output for other programs on stdout.
    pub(crate) stream: Stream,
    /// True if counts are shown instead of findings.
    pub(crate) statistics: bool,
}

/// Output of a command for other programs.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Format of the output.
    pub(crate) format: MessageFormat,
    /// Summary of the run and digest of its report, for the last line of the short format.
    pub(crate) summary: Option<String>,
    /// Directory of the artifacts, once they are written.
    pub(crate) artifacts: Option<String>,
    /// True if an event could not be printed.
    pub(crate) has_failed: bool,
}

/// Output stream of text for humans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output, for the requested output.
    Out,
    /// Standard error, for messages about it.
    Err,
}

impl Shell {
    /// Creates a shell. `--color` takes precedence over `CARGO_TERM_COLOR`, then detection (including `NO_COLOR`).
    pub(crate) fn new(args: &OutputArgs, env: &Env) -> Self {
        let configured = env.get("CARGO_TERM_COLOR").and_then(|value| value.to_str());
        let choice = match (args.color, configured) {
            (Some(Color::Always), _) | (None, Some("always")) => ColorChoice::Always,
            (Some(Color::Never), _) | (None, Some("never")) => ColorChoice::Never,
            _ => ColorChoice::Auto,
        };
        let is_dumb = env.get("CI").is_some() || env.get("TERM").is_some_and(|term| term == "dumb");
        // The same values as in cargo.
        let when = env.get("CARGO_TERM_PROGRESS_WHEN").and_then(|value| value.to_str());
        let is_wanted = match when {
            Some("always") => true,
            Some("never") => false,
            _ => !is_dumb,
        };
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self {
            err: AutoStream::new(std::io::stderr(), choice),
            out: AutoStream::new(std::io::stdout(), choice),
            verbose: args.verbose,
            quiet: args.quiet,
            has_progress: is_terminal && is_wanted && !args.quiet,
            has_signs_of_life: when != Some("never"),
            stream: Stream::default(),
            statistics: false,
            in_actions: env.get("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            by_cargo: env.get("CARGO").is_some(),
            in_ci: CI.iter().any(|name| env.get(name).is_some()),
        }
    }

    /// Returns true if new findings are shown before the end of a run.
    pub(crate) fn shows_findings_early(&self) -> bool {
        match self.stream.format {
            MessageFormat::Human => !self.quiet && !self.statistics,
            MessageFormat::Json => true,
            MessageFormat::Short => false,
        }
    }

    /// Prints text to stderr. Ignores errors such as a closed pipe.
    pub(crate) fn err(&mut self, text: impl Display) {
        let _ = write!(self.err, "{}", text::inert(&text.to_string()));
    }

    /// Prints the requested output to stdout. Any error except a closed pipe is a failure.
    pub(crate) fn out(&mut self, text: &str) -> CliResult {
        if text.is_empty() {
            return Ok(());
        }
        let written = self.out.write_all(text::inert(text).as_bytes()).and_then(|()| self.out.flush());
        self.printed(written)
    }

    /// Prints JSON to stdout. Escapes characters that some CI services would interpret as commands anywhere in a line.
    pub(crate) fn out_json(&mut self, bytes: &[u8]) -> CliResult {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.out_as_it_is(without_hash_commands(text, "\\u0023#").as_bytes()),
            _ => self.out_as_it_is(bytes),
        }
    }

    /// Prints JSON like [`out_json`](Self::out_json), while `write` generates it.
    pub(crate) fn write_json(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> CliResult {
        let mut out = HarmlessLines { out: std::io::stdout().lock(), line: Vec::new() };
        let written = write(&mut out).and_then(|()| out.finish());
        self.printed(written)
    }

    /// Prints the requested output to stdout unchanged.
    pub(crate) fn out_as_it_is(&mut self, bytes: &[u8]) -> CliResult {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        self.printed(written)
    }

    /// Prints a report to stdout, unless it contains lines that the CI service would interpret as commands.
    pub(crate) fn out_harmless(&mut self, bytes: &[u8]) -> CliResult {
        let text = String::from_utf8_lossy(bytes);
        if self.in_ci && text::inert(&text) != text {
            self.error("the report contains text that this CI service would interpret as commands; write it to a file with `--output`");
            return Err(CliError::Usage);
        }
        self.out_as_it_is(bytes)
    }

    /// Returns the result of a command that has printed its output with this result.
    pub(crate) fn printed(&mut self, result: std::io::Result<()>) -> CliResult {
        match result {
            Ok(()) if stdout::is_closed(self.by_cargo) => {
                self.error("could not write to standard output: it is closed");
                Err(CliError::NotWritten)
            }
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                self.error(format_args!("could not write to standard output: {error}"));
                Err(CliError::NotWritten)
            }
            _ => Ok(()),
        }
    }

    /// Prints a status line like cargo: a right-aligned verb and its object.
    pub(crate) fn status(&mut self, style: Style, word: &str, what: impl Display) {
        self.err(lines::status(style, word, visible(&what.to_string()), self.columns(Target::Err)));
    }

    /// Prints a status line, unless `--quiet` is set.
    pub(crate) fn aside(&mut self, style: Style, word: &str, what: impl Display) {
        if !self.quiet {
            self.status(style, word, what);
        }
    }

    /// Returns the width of the terminal behind `target`, if it is one.
    pub(crate) fn columns(&self, target: Target) -> Option<usize> {
        let size = match target {
            Target::Out => terminal_size::terminal_size_of(std::io::stdout()),
            Target::Err => terminal_size::terminal_size_of(std::io::stderr()),
        };
        size.map(|(width, _)| usize::from(width.0))
    }

    /// Returns true if `target` supports hyperlinks.
    pub(crate) fn has_links(&self, target: Target) -> bool {
        supports_hyperlinks::on(match target {
            Target::Out => supports_hyperlinks::Stream::Stdout,
            Target::Err => supports_hyperlinks::Stream::Stderr,
        })
    }

    /// Returns true if stderr is coloured.
    pub(crate) fn is_coloured(&self) -> bool {
        self.err.current_choice() != ColorChoice::Never
    }

    fn labelled(&mut self, style: Style, label: &str, what: impl Display) {
        self.err(lines::labelled(style, label, visible(&what.to_string()), self.columns(Target::Err)));
    }

    /// Prints an error.
    pub(crate) fn error(&mut self, what: impl Display) {
        self.labelled(BAD, "error", what);
    }

    /// Prints a warning.
    pub(crate) fn warning(&mut self, what: impl Display) {
        self.labelled(WARN, "warning", what);
    }

    /// Prints a note, unless `--quiet` is set.
    pub(crate) fn note(&mut self, what: impl Display) {
        if !self.quiet {
            self.labelled(BUSY, "note", what);
        }
    }

    /// Prints mistakes with their places, followed by their number.
    pub(crate) fn problems(&mut self, problems: &genti::model::error::Problems) {
        for each in &problems.0 {
            self.err(problem::render(each));
        }
        let count = problems.0.len();
        self.error(format_args!("found {count} {}", plural(count, "mistake", "mistakes")));
    }
}

/// A writer that escapes commands of CI services in JSON. It buffers incomplete lines, because commands are searched per line.
struct HarmlessLines<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> HarmlessLines<W> {
    /// Writes the buffered line.
    fn finish(&mut self) -> std::io::Result<()> {
        let waiting = std::mem::take(&mut self.line);
        self.pass_on(&waiting)?;
        self.out.flush()
    }

    fn pass_on(&mut self, lines: &[u8]) -> std::io::Result<()> {
        match std::str::from_utf8(lines) {
            Ok(text) => self.out.write_all(without_hash_commands(text, "\\u0023#").as_bytes()),
            Err(_) => self.out.write_all(lines),
        }
    }
}

impl<W: Write> Write for HarmlessLines<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole > 0 {
            let mut lines = std::mem::take(&mut self.line);
            lines.extend_from_slice(&bytes[..whole]);
            self.pass_on(&lines)?;
        }
        self.line.extend_from_slice(&bytes[whole..]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_json_is_broken_however_it_is_cut() {
        let document = "{\n  \"a\": \"##vso[task.complete]é\",\n  \"b\": \"##[error]\"\n}\n";
        for size in 1..document.len() {
            let mut out = HarmlessLines { out: Vec::new(), line: Vec::new() };
            document.as_bytes().chunks(size).for_each(|piece| out.write_all(piece).unwrap());
            out.finish().unwrap();
            let text = String::from_utf8(out.out).unwrap();
            assert_eq!(text, document.replace("##", "\\u0023#"), "pieces of {size}");
        }
    }
}
