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
    let rule = visible_line(&diagnostic.rule);
    let mut main = Group::with_title(if has_code { title.id(&rule) } else { title });
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

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use genti::model::finding::{Finding, Fix, Place, Related, Site, State};

    use super::super::text::inert;
    use super::*;

    const HOSTILE: &str = "a\u{1b}[31mb\u{9b}1m\u{7}\u{202e}c\u{2066}\r::error::d\n::error file=x::e\n  ::f\n##[error]g\0\u{85}";

    /// A finding of which everything is hostile: no field is left out, so that a new one must be thought of.
    fn hostile(place: Place) -> Compared {
        let text = || HOSTILE.to_owned();
        let path = || RelPath::new(HOSTILE);
        let position = |line, column| Position { line, column };
        let range = Range { start: position(1, 1), end: position(1, 2) };
        let diagnostic = Diagnostic {
            place: place.clone(),
            ns: text(),
            rule: text(),
            level: finding::Level::Error,
            message: text(),
            fatal: false,
            package: None,
            related: vec![
                Related { message: text(), place: Some(place) },
                Related { message: text(), place: Some(Place::File { path: path(), range: Some(range) }) },
                Related { message: text(), place: Some(Place::Subject(text())) },
                Related { message: text(), place: None },
            ],
            fix: Some(Fix { message: text(), edits: vec![(path(), range, text())] }),
        };
        let finding =
            Finding { id: text(), diagnostic, msg: text(), code: text(), scope: text(), tools: vec![text()] };
        Compared { finding, state: State::New, accepted: None, suppressed_by: None, identical: None }
    }

    /// Whether `text`, without this program's own colours, steers neither a terminal nor a CI service.
    #[track_caller]
    fn check(text: &str) {
        let own = inert(text);
        let shown = strip_str(&own).to_string();
        // To strip takes out what is well-formed only, and all of it that is ours comes from styles.
        assert!(!own.contains("\u{1b}[31mb"), "{own:?}");
        let steers = |c: char| {
            c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!shown.contains(steers), "{shown:?}");
        assert!(!shown.lines().any(|line| line.trim_start().starts_with("::")), "{shown}");
        assert!(!shown.contains("##["), "{shown}");
    }

    #[test]
    fn nothing_of_a_finding_steers_a_terminal() {
        let position = |line, column| Position { line, column };
        let ranges = [None, Some((1, 1, 1, 2)), Some((1, 3, 3, 1)), Some((9, 9, 9, 9))];
        for range in ranges {
            let range = range.map(|(a, b, c, d)| Range { start: position(a, b), end: position(c, d) });
            let place = Place::File { path: RelPath::new(HOSTILE), range };
            for source in [None, Some(HOSTILE.as_bytes()), Some(b"\xff\x1b[31mb\n::error::x\n")] {
                check(&render(&hostile(place.clone()), source, 80));
            }
        }
        check(&render(&hostile(Place::Subject(HOSTILE.to_owned())), None, 80));
        let finding = hostile(Place::Subject(HOSTILE.to_owned())).finding;
        for site in [Site::Subject(HOSTILE.to_owned()), Site::Path(RelPath::new(HOSTILE))] {
            check(&entry_at(&Entry { site, ..Entry::of(&finding) }, Some(1)));
        }
    }
}
