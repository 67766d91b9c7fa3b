//! Renders a finding with its source, in the style of rustc.

use std::borrow::Cow;
use std::ops::Range as Bytes;
use std::path::Path;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};
use genti::compare::ratchet;
use genti::model::finding::{self, Entry, Position, Range, Related};
use genti::model::sources::Sources;
use genti::model::test_output::TestOutput;
use genti::path::RelPath;
use genti::report::finished::Finding;
use genti::report::links;
use genti::report::outputs::OutputsOfTests;
use genti::report::text::{visible, visible_line};

use unicode_width::UnicodeWidthStr;

use super::plural;
use super::text::wrapped;

mod diff;

/// Number of context lines around the flagged ones.
const AROUND: u32 = 1;
/// Number of columns to which overlong lines of source are shortened, unless the terminal is wider. A narrow terminal wraps them,
/// because shortening them would cut words.
const WIDTH: usize = 140;
/// Number of columns before the text of a note of a finding: a line number of up to five digits, `= ` and `note: `.
const NOTE: usize = 13;
/// Maximum number of lines of the output of a test, without `--verbose`.
const MOST_OUTPUT: usize = 60;
/// Maximum distance in lines at which related places and changes are shown together with the finding.
const NEAR: u32 = 40;

/// Sources, links and sizes for drawing findings.
#[derive(Clone, Copy)]
pub(crate) struct Canvas<'a> {
    /// Sources of the findings.
    pub(crate) sources: &'a Sources,
    /// Root directory for file links, if the output supports links.
    pub(crate) links: Option<&'a Path>,
    /// Width of the terminal, if there is one.
    pub(crate) terminal: Option<usize>,
    /// Output of failed tests.
    pub(crate) outputs: &'a OutputsOfTests,
    /// Show all that they printed.
    pub(crate) verbose: bool,
}

/// Renders the finding, with `notes` after those of its tool.
pub(super) fn render(finding: &Finding, canvas: &Canvas<'_>, notes: &[String]) -> String {
    let level = match finding.level {
        finding::Level::Error => Level::ERROR,
        finding::Level::Warning => Level::WARNING,
        finding::Level::Note => Level::NOTE,
    };
    let place = finding.shown_at();
    let path = visible_line(&place.name());
    let rule = visible_line(&finding.rule);
    // Errors of a compiler may have no code.
    let has_code = finding.rule != finding.level.as_str();
    let label = finding.level.as_str().width() + if has_code { rule.width() + 2 } else { 0 };
    let below = |indent: usize| canvas.terminal.map(|columns| columns.saturating_sub(indent + 2));
    let title = finding.title();
    let message = visible(&title);
    let message = wrapped(&message, below(label));
    let mut title = level.primary_title(message.as_ref());
    let url = canvas.links.and_then(|_| links::rule(&finding.ns, &finding.rule));
    let has_link = url.is_some();
    if has_code {
        title = title.id(&rule);
        if let Some(url) = url {
            title = title.id_url(url);
        }
    }
    let mut main = Group::with_title(title);
    let source = place.path().and_then(|path| canvas.sources.get(path));
    let shown = place.range().zip(source).and_then(|(range, source)| Shown::of(finding, range, source));
    let excerpt = shown.as_ref().map(|shown| &shown.excerpt);
    // A change of whole lines shows the place and the problem.
    let drawn = source.and_then(|source| diff::draw(finding, &path, source, canvas.verbose));
    let change = source.filter(|_| drawn.is_none()).and_then(|source| Change::of(finding, source));
    let patched = change.as_ref().map(|change| change.snippet(&path));
    main = match (&shown, excerpt, place.range()) {
        _ if drawn.is_some() => main,
        (Some(shown), Some(excerpt), _) => {
            let snippet = Snippet::source(excerpt.text.as_ref()).line_start(excerpt.first_line).path(&path);
            main.element(snippet.annotations(shown.annotations()))
        }
        (_, _, Some(range)) => {
            let origin = Origin::path(&path).line(range.start.line as usize);
            main.element(origin.char_column(range.start.column as usize))
        }
        (_, _, None) => main.element(Origin::path(&path)),
    };
    let labelled = shown.as_ref().map(|shown| shown.labelled.as_slice()).unwrap_or_default();
    // It also contains the rest of the message of a panic, which is a note.
    let output = canvas.outputs.of(finding);
    let is_in_output = |note: &&Related| output.is_some() && finding.test.is_some() && note.place.is_none();
    for note in self::notes(finding, labelled, has_link, is_in_output).iter().chain(notes) {
        main = main.element(Level::NOTE.message(wrapped(note, below(NOTE)).into_owned()));
    }
    let help = finding.fix.as_ref().filter(|_| drawn.is_none());
    let help = help.map(|fix| wrapped(&visible(&fix.message), below(NOTE)).into_owned());
    let mut groups = vec![main];
    match (patched, &help) {
        (Some(patched), Some(help)) => {
            groups.push(Group::with_title(Level::HELP.secondary_title(help)).element(patched));
        }
        // A change that can't be displayed is described instead.
        (None, Some(help)) => {
            let main = groups.remove(0);
            groups.push(main.element(Level::HELP.message(help)));
        }
        (_, None) => {}
    }
    let width = canvas.terminal.unwrap_or(WIDTH).max(WIDTH);
    let text = Renderer::styled().term_width(width).render(&groups);
    let output = output.map(|output| output_of(output, canvas)).unwrap_or_default();
    format!("{text}\n{}{output}\n", drawn.unwrap_or_default())
}

/// Renders what a failed test printed: the last lines, or all that is kept with `--verbose`.
fn output_of(output: &TestOutput, canvas: &Canvas<'_>) -> String {
    let lines: Vec<&str> = output.text.lines().collect();
    let hidden = if canvas.verbose { 0 } else { lines.len().saturating_sub(MOST_OUTPUT) };
    let mut text = format!("output of {}:\n", visible_line(&output.test));
    if hidden > 0 {
        let what = plural(hidden, "line", "lines");
        text.push_str(&format!("    [{hidden} {what} before this; pass `--verbose` to show all]\n"));
    } else if output.left_out > 0 {
        text.push_str(&format!("    [{} bytes before this are left out]\n", output.left_out));
    }
    for line in &lines[hidden..] {
        text.push_str(format!("    {}", visible_line(line)).trim_end());
        text.push('\n');
    }
    text
}

/// Formats a baseline entry on one line.
pub(crate) fn entry(entry: &Entry) -> String {
    entry_at(entry, None)
}

/// Formats a baseline entry on one line, with the current line of the finding if it is known.
pub(crate) fn entry_at(entry: &Entry, line: Option<u32>) -> String {
    if let Some((name, _, value)) = ratchet::accepted(entry) {
        return visible_line(&format!("{name}: {value} ({})", entry.msg));
    }
    let line = line.map_or(String::new(), |line| format!(":{line}"));
    let scope = if entry.scope.is_empty() { String::new() } else { format!(" in {}", entry.scope) };
    visible_line(&format!("{}{line}{scope}: {}: {}", entry.site.name(), entry.rule, entry.msg))
}

/// Returns the related messages with their places, except those that are shown as labels or elsewhere.
fn notes(
    finding: &Finding,
    labelled: &[usize],
    has_link: bool,
    is_elsewhere: impl Fn(&&Related) -> bool,
) -> Vec<String> {
    // The rule itself links to this page.
    let is_link = |text: &str| has_link && text.starts_with("for further information visit ");
    let related = finding.related.iter().enumerate();
    let related = related.filter(|(at, related)| !labelled.contains(at) && !is_link(&related.message));
    let related = related.map(|(_, related)| related).filter(|related| !is_elsewhere(related));
    let related = related.map(|related| {
        let message = visible(&related.message);
        match related.place.as_ref().map(|place| (place, place.range())) {
            Some((place, Some(range))) if place != finding.shown_at() => {
                let Position { line, column } = range.start;
                format!("{message}: {}:{line}:{column}", visible_line(&place.name()))
            }
            _ => message.into_owned(),
        }
    });
    related.collect()
}

/// The flagged lines, with labels for related places nearby.
struct Shown<'a> {
    excerpt: Excerpt<'a>,
    /// The flagged bytes of the excerpt.
    span: Bytes<usize>,
    /// Label of the flagged bytes.
    label: Option<Cow<'a, str>>,
    /// Labels of other places in the excerpt.
    others: Vec<(Bytes<usize>, Cow<'a, str>)>,
    /// Indices of the related messages that are shown as labels.
    labelled: Vec<usize>,
}

impl<'a> Shown<'a> {
    fn of(finding: &'a Finding, range: Range, source: &'a [u8]) -> Option<Self> {
        let is_near = |other: Range| {
            let from = range.start.line.saturating_sub(NEAR);
            (from..=range.end.line.saturating_add(NEAR)).contains(&other.start.line)
                && (from..=range.end.line.saturating_add(NEAR)).contains(&other.end.line)
        };
        let near: Vec<_> = finding
            .related
            .iter()
            .enumerate()
            .filter_map(|(at, related)| Some((at, related, related.place.as_ref()?)))
            .filter(|(_, _, place)| place.path() == finding.shown_at().path())
            .filter_map(|(at, related, place)| Some((at, related, place.range().filter(|it| is_near(*it))?)))
            .collect();
        let cover = near.iter().fold(range, |cover, (_, _, other)| Range {
            start: cover.start.min(other.start),
            end: cover.end.max(other.end),
        });
        let excerpt = Excerpt::of(source, cover)?;
        let span = excerpt.span(source, range)?;
        let (mut label, mut others, mut labelled) = (None, Vec::new(), Vec::new());
        for (at, related, place) in near {
            let text = visible(&related.message);
            match excerpt.span(source, place) {
                _ if text.contains('\n') => continue,
                Some(_) if place == range && label.is_none() => label = Some(text),
                Some(span) if place != range => others.push((span, text)),
                _ => continue,
            }
            labelled.push(at);
        }
        Some(Self { excerpt, span, label, others, labelled })
    }

    fn annotations(&self) -> impl Iterator<Item = Annotation<'_>> {
        let primary = AnnotationKind::Primary.span(self.span.clone());
        let primary = match &self.label {
            Some(label) => primary.label(label.as_ref()),
            None => primary,
        };
        let others = self
            .others
            .iter()
            .map(|(span, text)| AnnotationKind::Context.span(span.clone()).label(text.as_ref()));
        std::iter::once(primary).chain(others)
    }
}

/// The edits of a fix, and the lines they change.
struct Change<'a> {
    excerpt: Excerpt<'a>,
    patches: Vec<(Bytes<usize>, String)>,
}

impl<'a> Change<'a> {
    /// Returns `None` unless all edits are in the file of the finding and near each other.
    fn of(finding: &Finding, source: &'a [u8]) -> Option<Self> {
        // The diff of a generated file is a note.
        let edits = &finding.fix.as_ref().filter(|fix| fix.action.is_none())?.edits;
        let path = finding.place.path()?;
        let ranges = edits.iter().map(|(file, range, _)| (file == path).then_some(*range));
        let ranges: Vec<_> = ranges.collect::<Option<_>>()?;
        let start = ranges.iter().map(|range| range.start).min()?;
        let end = ranges.iter().map(|range| range.end).max()?;
        if end.line - start.line > NEAR {
            return None;
        }
        let excerpt = Excerpt::of(source, Range { start, end })?;
        let patch = |(_, range, text): &'_ (RelPath, Range, String)| {
            let span = byte_range(source, *range)?;
            let start = span.start.checked_sub(excerpt.offset)?;
            let end = span.end.checked_sub(excerpt.offset).filter(|end| *end <= excerpt.text.len())?;
            // For edits of whole lines, the final newline of both texts is left out.
            let ends_line = text.ends_with('\n') && source.get(span.end.checked_sub(1)?) == Some(&b'\n');
            let (end, text) =
                if ends_line { (end - 1, &text[..text.len() - 1]) } else { (end, text.as_str()) };
            // Byte offsets are only valid for valid UTF-8.
            (excerpt.is_exact
                && start <= end
                && excerpt.text.is_char_boundary(start)
                && excerpt.text.is_char_boundary(end))
            .then(|| (start..end, visible(text).into_owned()))
        };
        let patches = edits.iter().map(patch).collect::<Option<Vec<_>>>()?;
        Some(Self { excerpt, patches })
    }

    fn snippet<'s>(&'s self, path: &'s str) -> Snippet<'s, Patch<'s>> {
        let snippet =
            Snippet::source(self.excerpt.text.as_ref()).line_start(self.excerpt.first_line).path(path);
        let patches = self.patches.iter().map(|(span, text)| Patch::new(span.clone(), text.as_str()));
        snippet.patches(patches)
    }
}

/// The lines of a range with some context.
struct Excerpt<'a> {
    text: Cow<'a, str>,
    /// Byte offset in the file.
    offset: usize,
    first_line: usize,
    /// True if the excerpt is the exact text of the file.
    is_exact: bool,
}

impl<'a> Excerpt<'a> {
    fn of(source: &'a [u8], range: Range) -> Option<Self> {
        let first = range.start.line.saturating_sub(AROUND).max(1);
        let start = line_start(source, first)?;
        let end = line_start(source, range.end.line.saturating_add(AROUND + 1)).unwrap_or(source.len());
        let text = String::from_utf8_lossy(source.get(start..end)?);
        let is_exact = matches!(text, Cow::Borrowed(_));
        Some(Self { text, offset: start, first_line: first as usize, is_exact })
    }

    /// Returns the bytes of `range` in the excerpt, or its beginning if they can't be determined.
    fn span(&self, source: &[u8], range: Range) -> Option<Bytes<usize>> {
        let mut span = byte_range(source, range)?;
        if range.end.column == 1 && span.end > span.start {
            // A range that ends at the beginning of a line does not include that line.
            span.end -= 1;
        }
        let end = self.offset + self.text.len();
        let clamp = |at: usize| if self.is_exact { at.clamp(self.offset, end) - self.offset } else { 0 };
        let (from, to) = (clamp(span.start), clamp(span.end));
        let is_whole = self.text.is_char_boundary(from) && self.text.is_char_boundary(to);
        Some(if is_whole && from <= to { from..to } else { 0..0 })
    }
}

/// Returns the bytes of `source` in `range`.
fn byte_range(source: &[u8], range: Range) -> Option<Bytes<usize>> {
    Some(offset(source, range.start)?..offset(source, range.end)?)
}

fn offset(source: &[u8], position: Position) -> Option<usize> {
    let start = line_start(source, position.line)?;
    let line = &source[start..];
    let line = &line[..line.iter().position(|&byte| byte == b'\n').map_or(line.len(), |at| at + 1)];
    let text = String::from_utf8_lossy(line);
    let before = text.char_indices().nth(position.column.saturating_sub(1) as usize);
    Some(start + before.map_or(line.len(), |(at, _)| at))
}

/// Returns the offset of line `number`. Also accepts the line after the last one, for ranges that end there.
fn line_start(source: &[u8], number: u32) -> Option<usize> {
    match number {
        0 => None,
        1 => Some(0),
        _ => source
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(number as usize - 2)
            .map(|(at, _)| at + 1),
    }
}

#[cfg(test)]
mod tests;
