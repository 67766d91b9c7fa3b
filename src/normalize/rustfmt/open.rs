//! What rustfmt leaves open and the sources settle: how a file ends its lines, and where its configuration stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::{NS, rule};
use crate::model::finding::{Diagnostic, Fix, Level, Place};
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::normalize::{Input, Parsed, range, whole_line};

/// Edits in one fix. A file with more wrong line ends has a finding without a fix of our own.
const MOST_EDITS: usize = 2_000;

/// What the sources must settle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// The configuration files of what was formatted.
    configs: Vec<RelPath>,
    /// How lines are to end, where the command line says so.
    style: Option<Style>,
    mistakes: BTreeSet<Mistake>,
}

/// A mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mistake {
    /// The option.
    pub(super) key: String,
    /// What rustfmt says of it.
    pub(super) message: String,
}

/// How lines are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Unix,
    Windows,
    /// As the file ends its first line, or as the system does.
    Other,
}

impl Open {
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

    /// The files to read.
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

    /// A diagnostic for each configuration file that holds the mistake.
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

    /// How the lines of the file at `path` are to end, by the innermost configuration around it.
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

    /// Of an argument `--config` takes: `newline_style=Unix,…`.
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

/// Whether the text of the file has a part in what is said of it.
fn is_about_text(found: &Diagnostic) -> bool {
    found.ns == NS && (found.fix.is_some() || found.rule == *rule("newline_style"))
}

/// Whether new lines in `source` end with `\r\n`: rustfmt goes by the first one, unless it is told otherwise.
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

/// The edits that make all lines of `source` end as they should.
fn line_ends(path: &RelPath, source: &[u8], style: Style) -> Option<Fix> {
    let source = std::str::from_utf8(source).ok()?;
    let has_cr = |line: &str| line.ends_with("\r\n");
    let mut ended = source.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let to_unix = match style {
        Style::Unix => true,
        Style::Windows => false,
        // Something is wrong: if all lines end alike, they all are.
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
    is_some.then(|| Fix { message: "convert the line endings".to_owned(), edits })
}

/// The first line of `source` that sets the option `key`.
fn line_of(source: &[u8], key: &str) -> Option<u32> {
    let text = String::from_utf8_lossy(source);
    let sets = |line: &str| {
        let (name, _) = line.split_once('=')?;
        (name.trim().trim_matches(['"', '\'']) == key).then_some(())
    };
    (1..).zip(text.lines()).find_map(|(number, line)| sets(line).map(|()| number))
}

/// The value of the option `name` in the arguments of `tool`.
fn option<'a>(tool: &'a Tool, name: &str) -> Option<&'a str> {
    let mut args = tool.args.iter();
    args.find_map(|arg| arg.strip_prefix(name)).and_then(|rest| match rest.strip_prefix('=') {
        Some(value) => Some(value),
        None => args.next().map(String::as_str),
    })
}

/// The configuration of the root at `path`: the innermost around it, as far as it lies in the workspace.
fn config_of(input: &Input<'_>, path: &RelPath) -> Option<RelPath> {
    let above = std::iter::successors(path.parent(), RelPath::parent);
    above.into_iter().find_map(|dir| config_at(input, &dir))
}

/// The configuration that is `path`, or lies in it.
fn config_at(input: &Input<'_>, path: &RelPath) -> Option<RelPath> {
    let names = [".rustfmt.toml", "rustfmt.toml"].map(|name| path.join(name));
    names.into_iter().chain([path.clone()]).find(|path| input.workspace.find(path).is_some())
}
