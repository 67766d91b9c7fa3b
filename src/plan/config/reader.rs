//! TOML as typed values with places. Keeps every mistake and goes on; knows no key by name.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigFile;
use super::suggest::way_out;
use crate::model::error::Problem;

/// A value and the bytes that it stands in.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Reads one file and collects its mistakes.
pub(super) struct Reader<'f> {
    file: &'f ConfigFile,
    /// The lines that are no TOML. What was recovered of them is not judged again.
    bad_lines: Vec<usize>,
    problems: Vec<Problem>,
}

impl<'f> Reader<'f> {
    /// Starts on `file`, with as much of it as is TOML. One syntax error a line is kept: more are mostly its
    /// consequences.
    pub(super) fn new(file: &'f ConfigFile) -> (Self, DeTable<'f>) {
        let (document, errors) = DeTable::parse_recoverable(&file.text);
        let mut reader = Self { file, bad_lines: Vec::new(), problems: Vec::new() };
        for error in errors {
            let span = error.span().unwrap_or_default();
            let line = reader.line(span.start);
            if !reader.bad_lines.contains(&line) {
                reader.keep(Some(span), error.message(), None);
                reader.bad_lines.push(line);
            }
        }
        (reader, document.into_inner())
    }

    /// Whether all of the file is TOML. Only then does it mean anything that a key is absent.
    pub(super) fn is_whole(&self) -> bool {
        self.bad_lines.is_empty()
    }

    /// Every mistake, in the order of lines.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
        self.problems
    }

    /// Keeps a mistake at `span`, unless the line is known to be no TOML.
    pub(super) fn report(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.keep_unless_bad(span, message.into(), None);
    }

    /// Keeps a mistake at `span` with its way out, unless the line is known to be no TOML.
    pub(super) fn report_with(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.keep_unless_bad(span, message.into(), Some(help.into()));
    }

    /// Keeps a mistake about the file as a whole, with its way out.
    pub(super) fn report_file(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.keep(None, message, Some(help.into()));
    }

    /// The file, and the line from 1, in which `value` begins.
    pub(super) fn place(&self, value: &Value<'_>) -> (Arc<str>, usize) {
        (self.file.name.clone(), self.line(value.span().start) + 1)
    }

    /// The keys of a table, or a mistake.
    pub(super) fn table<'v, 'i>(&mut self, value: &'v Value<'i>) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table");
        }
        table
    }

    /// A string without NUL, which no command line and no path may hold.
    pub(super) fn string(&mut self, value: &Value<'_>) -> Option<Spanned<String>> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(value, "a string");
            return None;
        };
        if text.contains('\0') {
            self.report(value.span(), "a NUL character is not allowed here");
            return None;
        }
        Some(Spanned::new(value.span(), text.to_owned()))
    }

    /// A string that says something.
    pub(super) fn text(&mut self, value: &Value<'_>) -> Option<String> {
        let text = self.string(value)?.into_inner();
        if text.trim().is_empty() {
            self.report(value.span(), "an empty text is not allowed here");
            return None;
        }
        Some(text)
    }

    /// An array of strings, each with its place; those that are none are left out.
    pub(super) fn strings(&mut self, value: &Value<'_>) -> Option<Vec<Spanned<String>>> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(value, "an array of strings");
            return None;
        };
        Some(array.iter().filter_map(|item| self.string(item)).collect())
    }

    /// An array of strings.
    pub(super) fn texts(&mut self, value: &Value<'_>) -> Option<Vec<String>> {
        Some(self.strings(value)?.into_iter().map(Spanned::into_inner).collect())
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, value: &Value<'_>) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(value, "`true` or `false`");
        }
        boolean
    }

    /// A whole number in `range`.
    pub(super) fn integer(&mut self, value: &Value<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(value, &expected);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number));
        if number.is_none() {
            self.report(value.span(), format!("expected {expected}, found `{integer}`"));
        }
        number
    }

    /// A string that is read as a `T`.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, value: &Value<'_>) -> Option<T> {
        let text = self.string(value)?.into_inner();
        self.parsed_from(value, &text)
    }

    /// A string or a whole number that is read as a `T`.
    pub(super) fn word_or_number<T: FromStr<Err: Display>>(&mut self, value: &Value<'_>) -> Option<T> {
        match value.get_ref() {
            DeValue::Integer(number) => self.parsed_from(value, &number.to_string()),
            DeValue::String(_) => self.parsed(value),
            _ => {
                self.wrong_type(value, "a string or a whole number");
                None
            }
        }
    }

    /// Reports that `value` is not what was `expected`.
    pub(super) fn wrong_type(&mut self, value: &Value<'_>, expected: &str) {
        self.report(value.span(), format!("expected {expected}, found {}", value.get_ref().type_str()));
    }

    /// The keys of `table`, to be asked for one by one.
    pub(super) fn keys<'k, 't, 'i>(&'k mut self, table: &'t DeTable<'i>) -> Keys<'k, 'f, 't, 'i> {
        Keys { reader: self, table, known: Vec::new() }
    }

    fn parsed_from<T: FromStr<Err: Display>>(&mut self, value: &Value<'_>, text: &str) -> Option<T> {
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.report(value.span(), error.to_string());
                None
            }
        }
    }

    fn keep_unless_bad(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        if !self.bad_lines.contains(&self.line(span.start)) {
            self.keep(Some(span), message, help);
        }
    }

    fn keep(&mut self, span: Option<Range<usize>>, message: impl Into<String>, help: Option<String>) {
        let (file, text) = (self.file.name.clone(), self.file.text.clone());
        self.problems.push(Problem { file, text, span, message: message.into(), help });
    }

    fn line(&self, at: usize) -> usize {
        self.file.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

/// A table whose keys are asked for by name: those never asked for are unknown.
pub(super) struct Keys<'k, 'f, 't, 'i> {
    reader: &'k mut Reader<'f>,
    table: &'t DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'f, 't, 'i> Keys<'_, 'f, 't, 'i> {
    /// The value of `key`.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'t Value<'i>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// The value of `key` as `read` understands it.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'f>, &'t Value<'i>) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        read(self.reader, value)
    }

    /// Puts the value of `key`, as `read` understands it, into `slot`; leaves that as it is if there is none.
    pub(super) fn set<T>(
        &mut self,
        slot: &mut T,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'f>, &'t Value<'i>) -> Option<T>,
    ) {
        if let Some(value) = self.read(key, read) {
            *slot = value;
        }
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        for key in self.table.keys().filter(|key| !self.known.contains(&key.get_ref().as_ref())) {
            let help = way_out(key.get_ref(), self.known.iter().copied(), "known keys");
            self.reader.report_with(key.span(), format!("unknown key `{}`", key.get_ref()), help);
        }
    }
}
