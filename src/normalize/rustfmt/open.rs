//! Settles what rustfmt's output leaves open: line endings, and the place of configuration mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::{NS, rule};
use crate::model::finding::{Diagnostic, Fix, Level, Place};
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::normalize::{Input, Parsed, range, whole_line};

/// Maximum number of edits in one fix. A file with more wrong line endings gets a finding without a fix.
const MOST_EDITS: usize = 2_000;

/// Open questions that need the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenQuestions {
    /// Configuration files that apply to the formatted files.
    configs: Vec<RelPath>,
    /// Line endings set on the command line.
    style: Option<Style>,
    mistakes: BTreeSet<Mistake>,
}

/// Mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mistake {
    /// Name of the option.
    pub(super) key: String,
    /// Message of rustfmt.
    pub(super) message: String,
}

/// Expected line endings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Unix,
    Windows,
    /// Like the first line of the file, or the system default.
    Other,
}

impl OpenQuestions {
    pub(super) fn new(input: &Input<'_>, mistakes: BTreeSet<Mistake>) -> Self {
        let configs: BTreeSet<_> = match option(input.tool, "--config-path") {
            Some(path) => config_at(input, &RelPath::new(path)).into_iter().collect(),
            None => {
                input.units.iter().filter_map(|unit| config_of(input, unit.path(input.workspace))).collect()
            }
        };
        let style = input.tool.args.iter().find_map(|arg| Style::of_option(arg));
        Self { configs: configs.into_iter().collect(), style, mistakes }
    }

    /// Returns the files to read.
    pub(in crate::normalize) fn paths<'a>(
        &'a self,
        diagnostics: &'a [Diagnostic],
    ) -> impl Iterator<Item = &'a RelPath> {
        let found =
            diagnostics.iter().filter(|found| is_about_text(found)).filter_map(|found| found.place.path());
        let is_needed = !self.mistakes.is_empty() || diagnostics.iter().any(is_about_text);
        self.configs.iter().filter(move |_| is_needed).chain(found)
    }

    /// Completes `parsed`.
    pub(in crate::normalize) fn settle(self, parsed: &mut Parsed, sources: &BTreeMap<RelPath, Vec<u8>>) {
        for found in parsed.diagnostics.iter_mut().filter(|found| is_about_text(found)) {
            let Some(path) = found.place.path().cloned() else { continue };
            let Some(source) = sources.get(&path) else { continue };
            let style = self.style_of(&path, sources);
            if found.rule == *rule("newline_style") {
                found.fix = line_ends(&path, source, style).map(Box::new);
            } else if ends_with_cr(source, style) {
                let edits = found.fix.iter_mut().flat_map(|fix| &mut fix.edits);
                edits.for_each(|(_, _, text)| *text = text.replace('\n', "\r\n"));
            }
        }
        parsed.diagnostics.extend(self.mistakes.iter().flat_map(|mistake| self.located(mistake, sources)));
        parsed.diagnostics.sort();
        parsed.diagnostics.dedup();
    }

    /// Returns a diagnostic for each configuration file that contains the mistake.
    fn located(&self, mistake: &Mistake, sources: &BTreeMap<RelPath, Vec<u8>>) -> Vec<Diagnostic> {
        let lines =
            self.configs.iter().filter_map(|path| Some((path, line_of(sources.get(path)?, &mistake.key)?)));
        let mut places: Vec<_> =
            lines.map(|(path, line)| Place::File { path: path.clone(), range: whole_line(line) }).collect();
        if places.is_empty() {
            places.push(match self.configs.as_slice() {
                [path] => Place::File { path: path.clone(), range: None },
                _ => Place::Subject("configuration of rustfmt".to_owned()),
            });
        }
        let diagnostic = |place| Diagnostic {
            test: None,
            place,
            ns: NS.into(),
            rule: rule("config").into(),
            level: Level::Warning,
            message: mistake.message.as_str().into(),
            fatal: false,
            package: None,
            related: Vec::new(),
            fix: None,
        };
        places.into_iter().map(diagnostic).collect()
    }

    /// Returns the line endings for the file at `path`, by the innermost configuration file around it.
    fn style_of(&self, path: &RelPath, sources: &BTreeMap<RelPath, Vec<u8>>) -> Style {
        let is_around = |config: &&RelPath| path.is_within(&config.parent().unwrap_or_default());
        let config = self.configs.iter().filter(is_around).max_by_key(|config| config.as_bytes().len());
        let configured = || Style::configured(&String::from_utf8_lossy(sources.get(config?)?));
        self.style.or_else(configured).unwrap_or(Style::Other)
    }
}

impl Style {
    fn named(name: &str) -> Self {
        match name {
            "Unix" => Self::Unix,
            "Windows" => Self::Windows,
            _ => Self::Other,
        }
    }

    /// Parses an argument of `--config`: `newline_style=Unix,…`.
    fn of_option(arg: &str) -> Option<Self> {
        let pairs = arg.strip_prefix("--config=").unwrap_or(arg);
        pairs.split(',').find_map(|pair| pair.strip_prefix("newline_style=")).map(Self::named)
    }

    fn configured(text: &str) -> Option<Self> {
        static STYLE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"(?m)^[ \t]*newline_style[ \t]*=[ \t]*["'](\w+)["']"#).expect("valid")
        });
        STYLE.captures(text).map(|found| Self::named(&found[1]))
    }
}

/// Returns whether the finding depends on the text of the file.
fn is_about_text(found: &Diagnostic) -> bool {
    found.ns == NS && (found.fix.is_some() || found.rule == *rule("newline_style"))
}

/// Returns whether new lines in `source` end with `\r\n`. By default rustfmt follows the first line.
fn ends_with_cr(source: &[u8], style: Style) -> bool {
    match style {
        Style::Unix => false,
        Style::Windows => true,
        Style::Other => {
            let first = source.iter().position(|&byte| byte == b'\n');
            first.and_then(|end| end.checked_sub(1)).is_some_and(|before| source[before] == b'\r')
        }
    }
}

/// Returns the edits that correct the line endings of `source`.
fn line_ends(path: &RelPath, source: &[u8], style: Style) -> Option<Fix> {
    let source = std::str::from_utf8(source).ok()?;
    let has_cr = |line: &str| line.ends_with("\r\n");
    let mut ended = source.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let to_unix = match style {
        Style::Unix => true,
        Style::Windows => false,
        // Some are wrong. If all lines have the same ending, all of them are.
        Style::Other if ended.clone().all(has_cr) => true,
        Style::Other if !ended.any(has_cr) => false,
        Style::Other => return None,
    };
    let mut edits = Vec::new();
    for (line, text) in (1..).zip(source.split_inclusive('\n')) {
        if !text.ends_with('\n') || has_cr(text) != to_unix {
            continue;
        }
        let end = u32::try_from(text.trim_end_matches('\n').chars().count()).ok()?;
        let (place, new) = match to_unix {
            true => (range((line, end), (line, end.checked_add(1)?))?, ""),
            false => (range((line, end.checked_add(1)?), (line, end.checked_add(1)?))?, "\r"),
        };
        edits.push((path.clone(), place, new.to_owned()));
    }
    let is_some = (1..=MOST_EDITS).contains(&edits.len());
    is_some.then(|| Fix::new("convert the line endings".to_owned(), edits))
}

/// Returns the first line of `source` that sets option `key`.
fn line_of(source: &[u8], key: &str) -> Option<u32> {
    let text = String::from_utf8_lossy(source);
    let sets = |line: &str| {
        let (name, _) = line.split_once('=')?;
        (name.trim().trim_matches(['"', '\'']) == key).then_some(())
    };
    (1..).zip(text.lines()).find_map(|(number, line)| sets(line).map(|()| number))
}

/// Returns the value of option `name` in the arguments of `tool`.
fn option<'a>(tool: &'a Tool, name: &str) -> Option<&'a str> {
    let mut args = tool.args.iter();
    args.find_map(|arg| arg.strip_prefix(name)).and_then(|rest| match rest.strip_prefix('=') {
        Some(value) => Some(value),
        None => args.next().map(String::as_str),
    })
}

/// Returns the configuration file of the root at `path`: the innermost one around it in the workspace.
fn config_of(input: &Input<'_>, path: &RelPath) -> Option<RelPath> {
    let above = std::iter::successors(path.parent(), RelPath::parent);
    above.into_iter().find_map(|dir| config_at(input, &dir))
}

/// Returns the configuration file that is `path` or lies in it.
fn config_at(input: &Input<'_>, path: &RelPath) -> Option<RelPath> {
    let names = [".rustfmt.toml", "rustfmt.toml"].map(|name| path.join(name));
    names.into_iter().chain([path.clone()]).find(|path| input.workspace.find(path).is_some())
}
