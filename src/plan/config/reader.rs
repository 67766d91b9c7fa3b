//! Reads TOML as typed values with their places, collecting mistakes instead of stopping at the first. Does
//! not know any key.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigFile;
use super::suggest::{closest, suggestion};
use crate::model::conflict::is_conflict_marker;
use crate::model::error::Problem;

/// A TOML value with its byte range.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Reads one file and collects its mistakes.
pub(super) struct ConfigReader<'f> {
    file: &'f ConfigFile,
    /// Lines with TOML syntax errors. Other mistakes on these lines are not reported.
    bad_lines: Vec<usize>,
    problems: Vec<Problem>,
    /// Values that may be secrets, which no mistake shows.
    secrets: Vec<Range<usize>>,
    /// The first merge conflict marker. All other mistakes may be consequences of it.
    conflict: Option<Range<usize>>,
    /// Advice for a merge conflict.
    conflict_help: &'static str,
}

impl<'f> ConfigReader<'f> {
    /// Parses `file` and returns what could be recovered. Keeps one syntax error per line, because further
    /// ones are mostly consequences of the first.
    pub(super) fn new(file: &'f ConfigFile) -> (Self, DeTable<'f>) {
        let (document, errors) = DeTable::parse_recoverable(&file.text);
        let conflict_help = "resolve the conflict";
        let (bad_lines, problems, secrets) = (Vec::new(), Vec::new(), Vec::new());
        let mut reader = Self { file, bad_lines, problems, secrets, conflict: None, conflict_help };
        for error in errors {
            let span = error.span().unwrap_or_default();
            let line = reader.line(span.start);
            if !reader.bad_lines.contains(&line) {
                if reader.conflict.is_none() {
                    reader.conflict = reader.conflict_marker(span.start);
                }
                reader.keep(Some(span), error.message(), None);
                reader.bad_lines.push(line);
            }
        }
        if !reader.is_whole() {
            reader.hide_remote();
        }
        (reader, document.into_inner())
    }

    /// Returns true if the file has no syntax errors. Only then can a key be called missing.
    pub(super) fn is_whole(&self) -> bool {
        self.bad_lines.is_empty()
    }

    /// Changes what is suggested if the file contains a merge conflict.
    pub(super) fn set_conflict_help(&mut self, help: &'static str) {
        self.conflict_help = help;
    }

    /// Returns all mistakes, in the order of lines. A merge conflict hides all others.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        if let Some(span) = self.conflict.take() {
            self.problems.clear();
            self.keep(Some(span), "contains merge conflict markers", Some(self.conflict_help.to_owned()));
        }
        if !self.secrets.is_empty() {
            let text: Arc<str> = self.without_secrets().into();
            self.problems.iter_mut().for_each(|problem| problem.text = text.clone());
        }
        self.problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
        self.problems
    }

    /// Keeps the value at `span` out of the quoted lines of all mistakes, since it may be a secret.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.secrets.push(span);
    }

    /// Hides all values of `[remote]`. In a file with syntax errors, a secret can't be told from another value.
    fn hide_remote(&mut self) {
        let (file, mut start, mut is_remote) = (self.file, 0, false);
        for line in file.text.split_inclusive('\n') {
            let text = line.trim_start();
            if text.starts_with('[') {
                is_remote = text.contains("remote");
            }
            if let Some(at) = line.find(['=', ':']).filter(|_| is_remote || text.starts_with("remote")) {
                self.hide(start + at + 1..start + line.len());
            }
            start += line.len();
        }
    }

    /// Returns the text of the file with an asterisk for each byte of a secret, so that all places stay the same.
    fn without_secrets(&self) -> String {
        let is_secret = |at: usize| self.secrets.iter().any(|span| span.contains(&at));
        let shown = |(at, char): (usize, char)| match is_secret(at) && !"\"' \r\n".contains(char) {
            true => "*".repeat(char.len_utf8()),
            false => char.to_string(),
        };
        self.file.text.char_indices().map(shown).collect()
    }

    /// Reports a mistake at `span`, unless the line has a syntax error.
    pub(super) fn report(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.keep_unless_bad(span, message.into(), None);
    }

    /// Reports a mistake at `span` with a suggested fix, unless the line has a syntax error.
    pub(super) fn report_with(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.keep_unless_bad(span, message.into(), Some(help.into()));
    }

    /// Reports a mistake that concerns the whole file, with a suggested fix.
    pub(super) fn report_file(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.keep(None, message, Some(help.into()));
    }

    /// Returns the file name.
    pub(super) fn name(&self) -> Arc<str> {
        self.file.name.clone()
    }

    /// Returns the file name and the line (from 1) where `value` begins.
    pub(super) fn place(&self, value: &Value<'_>) -> (Arc<str>, usize) {
        (self.file.name.clone(), self.line(value.span().start) + 1)
    }

    /// Reads a table.
    pub(super) fn table<'v, 'i>(&mut self, value: &'v Value<'i>) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table");
        }
        table
    }

    /// Reads a string without NUL characters, which command lines and paths can't contain.
    pub(super) fn string(&mut self, value: &Value<'_>) -> Option<Spanned<String>> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(value, "a string");
            return None;
        };
        if text.contains('\0') {
            self.report(value.span(), "NUL characters are not allowed here");
            return None;
        }
        Some(Spanned::new(value.span(), text.to_owned()))
    }

    /// Returns a number as it is written in the file, with all its zeros. `None` if `value` is none.
    pub(super) fn number_text(&self, value: &Value<'_>) -> Option<&'f str> {
        let is_number = matches!(value.get_ref(), DeValue::Integer(_) | DeValue::Float(_));
        self.file.text.get(value.span()).filter(|_| is_number)
    }

    /// Reads a string that is not blank.
    pub(super) fn text(&mut self, value: &Value<'_>) -> Option<String> {
        let text = self.string(value)?.into_inner();
        if text.trim().is_empty() {
            self.report(value.span(), "expected a non-empty string");
            return None;
        }
        Some(text)
    }

    /// Reads an array of strings with their places. Elements that are not strings are reported and left out.
    pub(super) fn strings(&mut self, value: &Value<'_>) -> Option<Vec<Spanned<String>>> {
        let Some(array) = value.get_ref().as_array() else {
            let help = value.get_ref().as_str().map(|text| {
                let words: Vec<_> = text.split_whitespace().map(|word| format!("{word:?}")).collect();
                format!("write `[{}]`", words.join(", "))
            });
            self.wrong_type_with(value, "an array of strings", help);
            return None;
        };
        Some(array.iter().filter_map(|item| self.string(item)).collect())
    }

    /// Reads an array of strings.
    pub(super) fn texts(&mut self, value: &Value<'_>) -> Option<Vec<String>> {
        Some(self.strings(value)?.into_iter().map(Spanned::into_inner).collect())
    }

    /// Reads a boolean.
    pub(super) fn boolean(&mut self, value: &Value<'_>) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            let is_quoted = |text: &&str| ["true", "false"].contains(text);
            let help = value.get_ref().as_str().filter(is_quoted);
            let help = help.map(|text| format!("write `{text}`, without quotes"));
            self.wrong_type_with(value, "`true` or `false`", help);
        }
        boolean
    }

    /// Reads a whole number in `range`.
    pub(super) fn integer(&mut self, value: &Value<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = value.get_ref().as_integer() else {
            let number = value.get_ref().as_str().filter(|text| text.parse::<u64>().is_ok());
            let help = number.map(|number| format!("write `{number}`, without quotes"));
            self.wrong_type_with(value, &expected, help);
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

    /// Reads the name of one of `all`, which are called `kind` in messages. `choices` introduces the list of names.
    pub(super) fn named<T: Copy + Display>(
        &mut self,
        value: &Value<'_>,
        all: &[T],
        kind: &str,
        choices: &str,
    ) -> Option<T> {
        let name = self.string(value)?.into_inner();
        let names: Vec<_> = all.iter().map(ToString::to_string).collect();
        let found = names.iter().position(|known| *known == name);
        if found.is_none() {
            let help = suggestion(&name, names.iter().map(String::as_str), choices);
            self.report_with(value.span(), format!("unknown {kind} `{name}`"), help);
        }
        Some(all[found?])
    }

    /// Reads a string and parses it as a `T`.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, value: &Value<'_>) -> Option<T> {
        let text = self.string(value)?.into_inner();
        self.parsed_from(value, &text)
    }

    /// Reads a string or a whole number and parses it as a `T`.
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

    /// Reports that `value` has another type than `expected`.
    pub(super) fn wrong_type(&mut self, value: &Value<'_>, expected: &str) {
        self.wrong_type_with(value, expected, None);
    }

    /// Reports that `value` has another type than `expected`, with a suggested fix.
    pub(super) fn wrong_type_with(&mut self, value: &Value<'_>, expected: &str, help: Option<String>) {
        let message = format!("expected {expected}, found {}", value.get_ref().type_str());
        self.keep_unless_bad(value.span(), message, help);
    }

    /// Starts reading the keys of `table`.
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

    /// Returns the place of the line with the byte at `at` if it is a merge conflict marker.
    fn conflict_marker(&self, at: usize) -> Option<Range<usize>> {
        let text = &*self.file.text;
        let start = text.get(..at)?.rfind('\n').map_or(0, |before| before + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        is_conflict_marker(line).then_some(start..start + line.len())
    }

    /// Returns the line (from 0) of the byte at `at`.
    pub(super) fn line(&self, at: usize) -> usize {
        self.file.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

/// Returns the names sorted, each once.
pub(super) fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

/// A table that is read key by key. Keys that were never read are unknown.
pub(super) struct Keys<'k, 'f, 't, 'i> {
    reader: &'k mut ConfigReader<'f>,
    table: &'t DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'f, 't, 'i> Keys<'_, 'f, 't, 'i> {
    /// Returns the value of `key`.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'t Value<'i>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// Reads the value of `key` with `read`.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut ConfigReader<'f>, &'t Value<'i>) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        read(self.reader, value)
    }

    /// Reads the value of `key` with `read` into `slot`. Leaves the slot unchanged if the key is missing or
    /// invalid.
    pub(super) fn set<T>(
        &mut self,
        slot: &mut T,
        key: &'static str,
        read: impl FnOnce(&mut ConfigReader<'f>, &'t Value<'i>) -> Option<T>,
    ) {
        if let Some(value) = self.read(key, read) {
            *slot = value;
        }
    }

    /// Returns the reader, for mistakes that concern several keys.
    pub(super) fn reader(&mut self) -> &mut ConfigReader<'f> {
        self.reader
    }

    /// Reports the keys that were never read.
    pub(super) fn finish(self) {
        self.finish_with(&[]);
    }

    /// Reports the keys that were never read. `synonyms` are what other tools call a key of this table. Returns the keys that were
    /// probably meant.
    pub(super) fn finish_with(self, synonyms: &[(&str, &'static str)]) -> Vec<&'static str> {
        let mut meant = Vec::new();
        for key in self.table.keys().filter(|key| !self.known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let synonym = synonyms.iter().find(|(synonym, _)| *synonym == name).map(|(_, known)| *known);
            let near = closest(name, self.known.iter().copied());
            let known = synonym.or_else(|| self.known.iter().copied().find(|known| near == Some(*known)));
            let help = match known {
                Some(known) => format!("did you mean `{known}`?"),
                None => suggestion(name, self.known.iter().copied(), "known keys"),
            };
            meant.extend(known);
            self.reader.report_with(key.span(), format!("unknown key `{name}`"), help);
        }
        meant
    }
}
