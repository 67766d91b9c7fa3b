//! A finding with its source, as rustc would show it.

use std::borrow::Cow;
use std::ops::Range as Bytes;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Patch, Renderer, Snippet};
use genti::model::finding::{self, Diagnostic, Entry, Position, Range};
use genti::model::outcome::Compared;
use genti::path::RelPath;

use super::text::{visible, visible_line};

/// Lines that are shown around the flagged ones.
const AROUND: u32 = 1;

/// The finding as text. `source` is the file that it is in, where it can be read.
pub(super) fn render(compared: &Compared, source: Option<&[u8]>, width: usize) -> String {
    let diagnostic = &compared.finding.diagnostic;
    let level = match diagnostic.level {
        finding::Level::Error => Level::ERROR,
        finding::Level::Warning => Level::WARNING,
        finding::Level::Note => Level::NOTE,
    };
    let message = visible(&diagnostic.message);
    let path = visible_line(&diagnostic.place.name());
    let title = level.primary_title(message.as_ref());
    // A compiler's own error may have no code.
    let has_code = diagnostic.rule != diagnostic.level.as_str();
    let mut main = Group::with_title(if has_code { title.id(diagnostic.rule.as_str()) } else { title });
    let excerpt = diagnostic.place.range().zip(source).and_then(|(range, source)| Excerpt::of(source, range));
    let patches =
        excerpt.as_ref().and_then(|excerpt| patches(diagnostic, source?, excerpt)).unwrap_or_default();
    let patched = excerpt.as_ref().filter(|_| !patches.is_empty()).map(|excerpt| {
        let snippet = Snippet::source(excerpt.text.as_ref()).line_start(excerpt.first_line).path(&path);
        patches
            .iter()
            .fold(snippet, |snippet, (span, text)| snippet.patch(Patch::new(span.clone(), text.as_str())))
    });
    let label = label(diagnostic);
    // A patch of several lines shows the new ones alone: then the old ones are shown first.
    let is_all_fix = diagnostic.ns == "rustfmt" && patches.iter().all(|(_, text)| !text.contains('\n'));
    main = match (&excerpt, diagnostic.place.range(), &patched) {
        // The change says where and what.
        (Some(_), _, Some(patched)) if is_all_fix => main.element(patched.clone()),
        (Some(excerpt), ..) => {
            let mut annotation = AnnotationKind::Primary.span(excerpt.span.clone());
            if let Some(label) = &label {
                annotation = annotation.label(label.as_ref());
            }
            let snippet = Snippet::source(excerpt.text.as_ref()).line_start(excerpt.first_line).path(&path);
            main.element(snippet.annotation(annotation))
        }
        (None, Some(range), _) => {
            let origin = Origin::path(&path).line(range.start.line as usize);
            main.element(origin.char_column(range.start.column as usize))
        }
        (None, None, _) => main.element(Origin::path(&path)),
    };
    let notes = notes(diagnostic, label.is_some());
    for note in &notes {
        main = main.element(Level::NOTE.message(note.as_str()));
    }
    let mut groups = vec![main];
    let title = diagnostic.fix.as_ref().map(|fix| visible(&fix.message));
    if let (Some(patched), Some(title), false) = (patched, &title, is_all_fix) {
        groups.push(Group::with_title(Level::HELP.secondary_title(title.as_ref())).element(patched));
    }
    format!("{}\n\n", Renderer::styled().term_width(width).render(&groups))
}

/// An accepted finding on one line.
pub(crate) fn entry(entry: &Entry) -> String {
    entry_at(entry, None)
}

/// The same with the line where it is today, if that is known.
pub(crate) fn entry_at(entry: &Entry, line: Option<u32>) -> String {
    let line = line.map_or(String::new(), |line| format!(":{line}"));
    let scope = if entry.scope.is_empty() { String::new() } else { format!(" in {}", entry.scope) };
    visible_line(&format!("{}{line}{scope}: {}: {}", entry.site.name(), entry.rule, entry.msg))
}

/// What the tool says of the very place of the finding.
fn label(diagnostic: &Diagnostic) -> Option<Cow<'_, str>> {
    let first = diagnostic.related.first()?;
    (first.place.as_ref() == Some(&diagnostic.place)).then(|| visible(&first.message))
}

/// What the tool says beside, with the place where it names another one.
fn notes(diagnostic: &Diagnostic, has_label: bool) -> Vec<String> {
    let related = diagnostic.related.iter().skip(usize::from(has_label)).map(|related| {
        let message = visible(&related.message);
        match related.place.as_ref().map(|place| (place, place.range())) {
            Some((place, Some(range))) if *place != diagnostic.place => {
                let Position { line, column } = range.start;
                format!("{message}: {}:{line}:{column}", visible_line(&place.name()))
            }
            _ => message.into_owned(),
        }
    });
    related.collect()
}

/// The edits that mend it, in bytes of the excerpt; `None` unless all of them lie in it.
fn patches(
    diagnostic: &Diagnostic,
    source: &[u8],
    excerpt: &Excerpt<'_>,
) -> Option<Vec<(Bytes<usize>, String)>> {
    let edits = &diagnostic.fix.as_ref()?.edits;
    let path = diagnostic.place.path()?;
    let patch = |(file, range, text): &'_ (RelPath, Range, String)| {
        let span = (file == path).then(|| byte_range(source, *range)).flatten()?;
        let start = span.start.checked_sub(excerpt.offset)?;
        let end = span.end.checked_sub(excerpt.offset).filter(|end| *end <= excerpt.text.len())?;
        // Whole lines are shown as such: without the newline that ends both the old and the new ones.
        let ends_line = text.ends_with('\n') && source.get(span.end.checked_sub(1)?) == Some(&b'\n');
        let (end, text) = if ends_line { (end - 1, &text[..text.len() - 1]) } else { (end, text.as_str()) };
        // Byte offsets hold for valid UTF-8 only.
        (excerpt.is_exact && excerpt.text.is_char_boundary(start) && excerpt.text.is_char_boundary(end))
            .then(|| (start..end, visible(text).into_owned()))
    };
    edits.iter().map(patch).collect()
}

/// The flagged lines with those around them.
struct Excerpt<'a> {
    text: Cow<'a, str>,
    /// Where it begins in the file, in bytes.
    offset: usize,
    first_line: usize,
    /// The flagged bytes, in the excerpt.
    span: Bytes<usize>,
    /// Whether the excerpt is the file's text, byte for byte.
    is_exact: bool,
}

impl<'a> Excerpt<'a> {
    fn of(source: &'a [u8], range: Range) -> Option<Self> {
        let first = range.start.line.saturating_sub(AROUND).max(1);
        let start = line_start(source, first)?;
        let end = line_start(source, range.end.line + AROUND + 1).unwrap_or(source.len());
        let mut span = byte_range(source, range)?;
        if range.end.column == 1 && span.end > span.start {
            // Up to the beginning of a line means: without it.
            span.end -= 1;
        }
        let text = String::from_utf8_lossy(source.get(start..end)?);
        let is_exact = matches!(text, Cow::Borrowed(_));
        let clamp = |at: usize| if is_exact { at.clamp(start, end) - start } else { 0 };
        let (from, to) = (clamp(span.start), clamp(span.end));
        let is_whole = text.is_char_boundary(from) && text.is_char_boundary(to);
        let span = if is_whole && from <= to { from..to } else { 0..0 };
        Some(Self { text, offset: start, first_line: first as usize, span, is_exact })
    }
}

/// The bytes of `source` that `range` means.
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

/// Where line `number` begins; also one behind the last line, for a range that ends there.
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
