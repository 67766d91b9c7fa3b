//! What the user sees. Machine output goes to stdout, everything for humans to stderr.

mod drift;
mod finding;
mod hyperlink;
mod lines;
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
use genti::model::outcome::End;
use genti::scan::Env;

use crate::args::{Color, OutputArgs};
use crate::stdout;
use crate::stream::Stream;

pub(crate) use drift::drift;
pub(crate) use finding::{entry, entry_at};
use genti::report::text::visible;
pub(crate) use genti::report::text::{plural, visible_line, without_hash_commands};
pub(crate) use progress::Bar;
pub(crate) use report::{View, report};
pub(crate) use versions::other_versions;

/// Good news.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
/// Bad news.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
/// News that may become bad.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
/// What goes on.
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default().effects(Effects::BOLD);

/// The variables by which CI services say that it is them.
const CI: [&str; 7] =
    ["BUILDKITE", "CI", "GITHUB_ACTIONS", "GITLAB_CI", "TEAMCITY_VERSION", "TF_BUILD", "TRAVIS"];

/// `path` as a user would name it who is where the command was called.
pub(crate) fn place(path: &Path) -> String {
    let cwd = std::env::current_dir().ok();
    let below = cwd.and_then(|cwd| path.strip_prefix(cwd).ok().map(Path::to_path_buf));
    visible_line(&below.as_deref().unwrap_or(path).display().to_string())
}

/// The terminal, or what stands for it.
pub(crate) struct Shell {
    err: AutoStream<std::io::Stderr>,
    out: AutoStream<std::io::Stdout>,
    pub(crate) verbose: bool,
    pub(crate) quiet: bool,
    /// Whether lines that change are of use.
    pub(crate) has_progress: bool,
    /// Whether a log is told that a run goes on, or that a step is slow.
    pub(crate) has_signs_of_life: bool,
    /// Whether GitHub's runner reads along, and takes some lines for commands.
    pub(crate) in_actions: bool,
    /// Whether any CI service does.
    in_ci: bool,
    /// Whether cargo started this program.
    by_cargo: bool,
    /// What other programs are told on stdout.
    pub(super) stream: Stream,
}

/// Where text for humans goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output: it is what was asked for.
    Out,
    /// Standard error: it goes along with what was asked for.
    Err,
}

impl Shell {
    /// `--color` before `CARGO_TERM_COLOR` before what the streams are (and `NO_COLOR` says).
    pub(crate) fn new(args: &OutputArgs, env: &Env) -> Self {
        let configured = env.get("CARGO_TERM_COLOR").and_then(|value| value.to_str());
        let choice = match (args.color, configured) {
            (Some(Color::Always), _) | (None, Some("always")) => ColorChoice::Always,
            (Some(Color::Never), _) | (None, Some("never")) => ColorChoice::Never,
            _ => ColorChoice::Auto,
        };
        let is_dumb = env.get("CI").is_some() || env.get("TERM").is_some_and(|term| term == "dumb");
        // As cargo has it.
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
            in_actions: env.get("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            by_cargo: env.get("CARGO").is_some(),
            in_ci: CI.iter().any(|name| env.get(name).is_some()),
        }
    }

    /// Text for humans. A reader that went away is no reason to stop.
    pub(crate) fn err(&mut self, text: impl Display) {
        let _ = write!(self.err, "{}", text::inert(&text.to_string()));
    }

    /// What was asked for, on stdout. A reader that has seen enough is no failure, all else is.
    pub(crate) fn out(&mut self, text: &str) -> End {
        if text.is_empty() {
            return End::Passed;
        }
        let written = self.out.write_all(text::inert(text).as_bytes()).and_then(|()| self.out.flush());
        self.printed(written)
    }

    /// JSON, on stdout: the same values, if need be in other characters, for the commands of some CI services are looked for
    /// everywhere in a line.
    pub(crate) fn out_json(&mut self, bytes: &[u8]) -> End {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.out_as_it_is(without_hash_commands(text, "\\u0023#").as_bytes()),
            _ => self.out_as_it_is(bytes),
        }
    }

    /// The same of a document that is written as it is made.
    pub(crate) fn write_json(&mut self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> End {
        let mut out = HarmlessLines { out: std::io::stdout().lock(), line: Vec::new() };
        let written = write(&mut out).and_then(|()| out.finish());
        self.printed(written)
    }

    /// What was asked for, on stdout, byte for byte.
    pub(crate) fn out_as_it_is(&mut self, bytes: &[u8]) -> End {
        if bytes.is_empty() {
            return End::Passed;
        }
        let mut out = std::io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        self.printed(written)
    }

    /// A report, on stdout. What a CI service would obey in it, it must not read.
    pub(crate) fn out_harmless(&mut self, bytes: &[u8]) -> End {
        let text = String::from_utf8_lossy(bytes);
        if self.in_ci && text::inert(&text) != text {
            self.error("the report contains text that this CI service would take for commands; write it to a file with `--output`");
            return End::Usage;
        }
        self.out_as_it_is(bytes)
    }

    /// How a command ends that has printed what was asked for, with this result.
    pub(crate) fn printed(&mut self, result: std::io::Result<()>) -> End {
        match result {
            Ok(()) if stdout::is_closed(self.by_cargo) => {
                self.error("could not write to standard output: it is closed");
                End::NotWritten
            }
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                self.error(format_args!("could not write to standard output: {error}"));
                End::NotWritten
            }
            _ => End::Passed,
        }
    }

    /// A line as cargo writes them: what happens, right-aligned, and to what.
    pub(crate) fn status(&mut self, style: Style, word: &str, what: impl Display) {
        self.err(lines::status(style, word, visible(&what.to_string())));
    }

    /// The same of what is of no interest to who wants the verdict only.
    pub(crate) fn aside(&mut self, style: Style, word: &str, what: impl Display) {
        if !self.quiet {
            self.status(style, word, what);
        }
    }

    /// The columns of the terminal behind `target`, if it is one.
    pub(crate) fn columns(&self, target: Target) -> Option<usize> {
        let size = match target {
            Target::Out => terminal_size::terminal_size_of(std::io::stdout()),
            Target::Err => terminal_size::terminal_size_of(std::io::stderr()),
        };
        size.map(|(width, _)| usize::from(width.0))
    }

    /// Whether links are of use on `target`.
    pub(crate) fn has_links(&self, target: Target) -> bool {
        supports_hyperlinks::on(match target {
            Target::Out => supports_hyperlinks::Stream::Stdout,
            Target::Err => supports_hyperlinks::Stream::Stderr,
        })
    }

    /// Whether what goes to stderr has colours.
    pub(crate) fn is_coloured(&self) -> bool {
        self.err.current_choice() != ColorChoice::Never
    }

    /// Why it does not go on.
    pub(crate) fn error(&mut self, what: impl Display) {
        self.err(lines::labelled(BAD, "error", visible(&what.to_string())));
    }

    /// What may go wrong.
    pub(crate) fn warning(&mut self, what: impl Display) {
        self.err(lines::labelled(WARN, "warning", visible(&what.to_string())));
    }

    /// What is good to know.
    pub(crate) fn note(&mut self, what: impl Display) {
        if !self.quiet {
            self.err(lines::labelled(BUSY, "note", visible(&what.to_string())));
        }
    }

    /// Mistakes, each with its place, and a last line that counts them.
    pub(crate) fn problems(&mut self, problems: &genti::model::error::Problems) {
        for each in &problems.0 {
            self.err(problem::render(each));
        }
        let count = problems.0.len();
        self.error(format_args!("{count} {} in what is configured", plural(count, "mistake", "mistakes")));
    }
}

/// Writes JSON without the commands of CI services. These are looked for in lines, so that what is not a whole line waits.
struct HarmlessLines<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> HarmlessLines<W> {
    /// Writes what has waited.
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
