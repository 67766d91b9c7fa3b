//! Parses reports and warnings of rustfmt: parse errors, code that it could not format, and configuration mistakes.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::open::Mistake;
use super::{Moved, NS, group, number, rule};
use crate::model::finding::{Diagnostic, Level, Place};
use crate::normalize::{Input, range, whole_line};

/// Diagnostics and notices from stderr.
#[derive(Default)]
pub(super) struct Stderr {
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Configuration mistakes. Their places are found later with the sources.
    pub(super) mistakes: BTreeSet<Mistake>,
    pub(super) notices: BTreeSet<String>,
    /// Set if there is an error without a place.
    pub(super) unread: bool,
}

impl Stderr {
    pub(super) fn read(input: &Input<'_>, moved: &Moved) -> Self {
        let mut stderr = Self::default();
        let mut lines = input.lines(&input.output.stderr).peekable();
        while let Some(line) = lines.next() {
            if !stderr.module(input, line)
                && !stderr.report(input, line, lines.peek().copied().unwrap_or_default(), moved)
                && !stderr.configuration(input, line)
            {
                stderr.unread |= line.starts_with(b"Error");
            }
        }
        stderr
    }

    /// Reads an error about a module that cannot be read.
    fn module(&mut self, input: &Input<'_>, line: &[u8]) -> bool {
        static MODULE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?-u)^Error writing files: (failed to resolve mod `.*?`): (?:(cannot parse) (.+)|(.+) (does not exist))$")
                .expect("valid")
        });
        let Some(module) = MODULE.captures(line) else { return false };
        let path = group(&module, 3).or_else(|| group(&module, 4)).unwrap_or_default();
        let message = [group(&module, 1), group(&module, 2).or_else(|| group(&module, 5))]
            .map(|part| input.scrub.lossy(part.unwrap_or_default()));
        let place = input.place_at(path, None);
        // The parse error was already reported with its place.
        if !self.diagnostics.iter().any(|error| error.fatal && error.place.name() == place.name()) {
            self.push(input, place, "parse", Level::Error, message.join(": "));
        }
        true
    }

    /// Reads an error or warning in rustc's format, with its place on the `next` line.
    fn report(&mut self, input: &Input<'_>, line: &[u8], next: &[u8], moved: &Moved) -> bool {
        static HEAD: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?-u)^(error|warning)(?:\[(\w+)\])?: (.+)$").expect("valid"));
        static AT: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?-u)^ *--> (.+?):(\d+)(?::(\d+))?(?::(\d+))?$").expect("valid"));
        let Some(head) = HEAD.captures(line) else { return false };
        let is_error = &head[1] == b"error";
        let is_internal = group(&head, 2) == Some(b"internal");
        let message = input.scrub.lossy(&head[3]);
        let Some(at) = AT.captures(next) else {
            match is_error {
                true => self.unread = true,
                // Counts earlier reports.
                false if message.starts_with("rustfmt has failed to format") => {}
                false => drop(self.notices.insert(message)),
            }
            return true;
        };
        let numbers: Vec<u32> = (2..=4).filter_map(|at_group| number(group(&at, at_group)?)).collect();
        let level = if is_error { Level::Error } else { Level::Warning };
        let name = match Own::of(&message) {
            _ if is_internal => Some("internal"),
            Some(own) => Some(own.rule()),
            None => None,
        };
        let place = match (name, numbers.as_slice()) {
            // rustfmt's own reports count lines of the formatted file.
            (Some(_), [line, ..]) => {
                let path = input.place_at(&at[1], None);
                input.place_at(&at[1], whole_line(moved.back(&path.name(), *line)))
            }
            (None, [line, column, ..]) => input.place_at(&at[1], range((*line, *column), (*line, *column))),
            (None, [line]) => input.place_at(&at[1], range((*line, 1), (*line, 1))),
            (_, []) => input.place_at(&at[1], None),
        };
        let (name, level) = match name {
            // Code that rustfmt could not format in a file that parses.
            Some("internal") => ("internal", Level::Warning),
            Some(name) => (name, level),
            None if is_error => ("parse", level),
            None => ("warning", level),
        };
        self.push(input, place, name, level, message);
        true
    }

    /// Reads a warning about the configuration.
    fn configuration(&mut self, input: &Input<'_>, line: &[u8]) -> bool {
        static KEY: LazyLock<regex::Regex> =
            LazyLock::new(|| regex::Regex::new("`([A-Za-z0-9_.-]+)`").expect("valid"));
        let line = input.scrub.lossy(line);
        let is_width =
            line.starts_with('`') && line.contains("` cannot have a value that exceeds `max_width`");
        let Some(message) = line.strip_prefix("Warning: ").or(is_width.then_some(&line)) else {
            return false;
        };
        let is_mistake = is_width
            || message.starts_with("Unknown configuration option `")
            || message.contains("` option is deprecated")
            || message.starts_with("the deprecated `");
        match KEY.captures(message).filter(|_| is_mistake) {
            Some(key) => {
                let (key, message) = (key[1].to_owned(), lower_case(message));
                self.mistakes.insert(Mistake { key, message });
            }
            // Options that need a nightly toolchain are valid on nightly, so this is not a mistake in the workspace.
            None => drop(self.notices.insert(message.to_owned())),
        }
        true
    }

    fn push(&mut self, input: &Input<'_>, place: Place, name: &str, level: Level, message: String) {
        let diagnostic = input.diagnostic(place, rule(name), level, message);
        self.diagnostics.push(Diagnostic { ns: NS.into(), fatal: name == "parse", ..diagnostic });
    }
}

/// Report of rustfmt about a file that parses.
enum Own {
    InvalidAttribute,
    DeprecatedAttribute,
    /// `TODO` or `FIXME`, if configured. Only before version 1.5.
    Issue,
    /// Missing license header. Only before version 1.5.
    License,
}

impl Own {
    fn of(message: &str) -> Option<Self> {
        match message {
            "invalid attribute" => Some(Self::InvalidAttribute),
            "license check failed" => Some(Self::License),
            _ if message.starts_with("`rustfmt_skip` is deprecated") => Some(Self::DeprecatedAttribute),
            _ if message.starts_with("found TODO") || message.starts_with("found FIXME") => Some(Self::Issue),
            _ => None,
        }
    }

    fn rule(&self) -> &'static str {
        match self {
            Self::InvalidAttribute => "invalid_attribute",
            Self::DeprecatedAttribute => "deprecated_attribute",
            Self::Issue => "issue",
            Self::License => "license",
        }
    }
}

/// Converts the first letter to lower case.
fn lower_case(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
