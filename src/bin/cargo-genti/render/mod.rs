//! What the user sees. Machine output goes to stdout, everything for humans to stderr.

mod drift;
mod finding;
mod problem;
mod progress;
mod report;
mod text;

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Effects, Style};
use genti::model::outcome::End;
use genti::scan::Env;

use crate::args::{Color, OutputArgs};

pub(crate) use drift::drift;
pub(crate) use finding::{entry, entry_at};
pub(crate) use progress::Bar;
pub(crate) use report::{Hints, kept, outcome};
pub(crate) use text::{plural, visible_line};

/// Good news.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().effects(Effects::BOLD);
/// Bad news.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().effects(Effects::BOLD);
/// News that may become bad.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().effects(Effects::BOLD);
/// What goes on.
pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default().effects(Effects::BOLD);

/// The terminal, or what stands for it.
pub(crate) struct Shell {
    err: AutoStream<std::io::Stderr>,
    out: AutoStream<std::io::Stdout>,
    pub(crate) verbose: bool,
    pub(crate) quiet: bool,
    /// Whether lines that change are of use.
    pub(crate) has_progress: bool,
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
        let is_wanted = match env.get("CARGO_TERM_PROGRESS_WHEN").and_then(|value| value.to_str()) {
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
        }
    }

    /// Text for humans. A reader that went away is no reason to stop.
    pub(crate) fn err(&mut self, text: impl Display) {
        let _ = write!(self.err, "{}", text::inert(&text.to_string()));
    }

    /// What was asked for, on stdout. A reader that has seen enough is no failure, all else is.
    pub(crate) fn out(&mut self, bytes: &[u8]) -> End {
        match self.out.write_all(bytes).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                self.error(format_args!("could not write to standard output: {error}"));
                End::NotWritten
            }
            _ => End::Passed,
        }
    }

    /// A line as cargo writes them: what happens, right-aligned, and to what.
    pub(crate) fn status(&mut self, style: Style, word: &str, what: impl Display) {
        self.err(format_args!("{style}{word:>12}{style:#} {what}\n"));
    }

    /// The same of what is of no interest to who wants the verdict only.
    pub(crate) fn aside(&mut self, style: Style, word: &str, what: impl Display) {
        if !self.quiet {
            self.status(style, word, what);
        }
    }

    /// Whether what goes to stderr has colours.
    pub(crate) fn is_coloured(&self) -> bool {
        self.err.current_choice() != ColorChoice::Never
    }

    /// Why it does not go on.
    pub(crate) fn error(&mut self, what: impl Display) {
        self.err(format_args!("{BAD}error{BAD:#}: {what}\n"));
    }

    /// What may go wrong.
    pub(crate) fn warning(&mut self, what: impl Display) {
        self.err(format_args!("{WARN}warning{WARN:#}: {what}\n"));
    }

    /// What is good to know.
    pub(crate) fn note(&mut self, what: impl Display) {
        if !self.quiet {
            self.err(format_args!("{BUSY}note{BUSY:#}: {what}\n"));
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
