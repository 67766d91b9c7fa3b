//! Converts one message of rustc to a diagnostic.

use super::message::{Message, Span};
use super::place::Places;
use crate::model::finding::{Diagnostic, Fix, Level, Place, Related};
use crate::model::generated::split_out_dir;
use crate::model::workspace::PackageId;
use crate::normalize::package_place;

/// Message for one target and one macro expansion.
pub(super) struct Occurrence {
    /// Places of all primary spans. Together with namespace, rule and message they identify duplicates.
    pub(super) primaries: Vec<Place>,
    pub(super) diagnostic: Diagnostic,
}

/// Converts `message` about a target of `package`. Returns `None` for summaries.
pub(super) fn read(places: &Places<'_>, package: PackageId, message: &Message<'_>) -> Option<Occurrence> {
    if message.is_summary() {
        return None;
    }
    let level = match &*message.level {
        "warning" => Level::Warning,
        _ if message.is_error() => Level::Error,
        _ => Level::Note,
    };
    let code = message.code.as_ref().map(|code| &*code.code);
    let ns = match code.and_then(|code| code.split_once("::")) {
        Some((ns @ ("clippy" | "rustdoc"), _)) => ns,
        _ => "rustc",
    };
    let read = Reader { places };
    let primaries: Vec<Place> =
        message.spans.iter().filter(|span| span.is_primary).filter_map(|span| places.of(span)).collect();
    let about = read.about(package, message);
    let place = primaries.first().cloned().unwrap_or_else(|| read.place_without_span(ns, about, message));
    let related = read.related(message, &place);
    Some(Occurrence {
        diagnostic: Diagnostic {
            place,
            ns: ns.into(),
            rule: code.unwrap_or(level.as_str()).into(),
            level,
            message: places.input.scrub.text(&message.message).into(),
            fatal: message.is_fatal(),
            package: Some(about),
            related,
            fix: message.children.iter().find_map(|child| read.fix(child)).map(Box::new),
            test: None,
        },
        primaries,
    })
}

struct Reader<'a> {
    places: &'a Places<'a>,
}

impl Reader<'_> {
    /// Returns the package that `message` is about. Lints about manifests look at those of all members whenever one is
    /// compiled.
    fn about(&self, package: PackageId, message: &Message<'_>) -> PackageId {
        let has_place = message.spans.iter().any(|span| span.is_primary && !span.is_dummy());
        let named = || message.message.strip_prefix("package `")?.split('`').next();
        let Some(name) = named().filter(|_| !has_place) else { return package };
        let mut packages = self.places.input.workspace.packages();
        packages.find(|(_, member)| member.name == name).map_or(package, |(id, _)| id)
    }

    /// Returns the place of a message without a span. Clippy's lints are about `package`, rustc's about one of its
    /// crates. A fatal error may name a file in its text.
    fn place_without_span(&self, ns: &str, package: PackageId, message: &Message<'_>) -> Place {
        let root = || {
            let mut spans = message.spans.iter().filter(|span| span.is_primary && ns != "clippy");
            spans.find_map(|span| self.places.location(span)).map(|(path, _)| path)
        };
        let named = || message.is_fatal().then(|| self.places.mentioned(&message.message)).flatten();
        match root().or_else(named) {
            Some(path) => Place::File { path, range: None },
            None => package_place(self.places.input.workspace, package),
        }
    }

    /// Returns the notes attached to the primary message at `place`.
    fn related(&self, message: &Message<'_>, place: &Place) -> Vec<Related> {
        let mut all = Vec::new();
        for span in message.spans.iter().filter(|span| !span.is_dummy()) {
            let at = self.places.of(span);
            let also = || match &at {
                _ if !span.is_primary => None,
                // Places outside the repository are shown by name.
                None => Some(self.foreign(span)),
                Some(at) => (at != place).then(|| "also here".to_owned()),
            };
            let label = span.label.clone().filter(|label| !label.is_empty());
            if let Some(text) = label.or_else(also) {
                all.push((text, at.clone()));
            }
            if span.is_primary {
                all.extend(self.generated(span, at.as_ref()));
                for expansion in span.expansions() {
                    let text = format!("in this expansion of `{}`", expansion.macro_decl_name);
                    let call = self
                        .places
                        .location(&expansion.span)
                        .map(|(path, range)| Place::File { path, range });
                    all.extend(call.filter(|call| call != place).map(|call| (text, Some(call))));
                }
            }
        }
        // The child with the fix is shown as a fix, not as a note.
        let proposes = message.children.iter().position(|child| self.fix(child).is_some());
        let notes = message.children.iter().enumerate().filter(|(at, _)| Some(*at) != proposes);
        for child in notes.map(|(_, child)| child).filter(|child| !is_unstable(&child.message)) {
            all.push((with_suggestion(child), child.spans.first().and_then(|span| self.places.of(span))));
            for span in &child.spans {
                let label = span.label.as_deref().filter(|label| !label.is_empty());
                all.extend(label.map(|label| (label.to_owned(), self.places.of(span))));
            }
        }
        all.into_iter()
            .map(|(message, place)| Related { message: self.places.input.scrub.text(&message), place })
            // Names of temporary files are random.
            .filter(|related| !related.message.contains("[TMP]"))
            .collect()
    }

    /// Returns the code at `at` if that is a generated file, because no checkout contains it.
    fn generated(&self, span: &Span<'_>, at: Option<&Place>) -> Option<(String, Option<Place>)> {
        at?.path().and_then(split_out_dir)?;
        Some((format!("generated code: `{}`", Places::source(span)?), None))
    }

    /// Returns the name and line of a place outside the repository.
    fn foreign(&self, span: &Span<'_>) -> String {
        format!("in {}:{}", self.places.input.scrub.foreign(span.file_name.as_bytes()), span.line_start)
    }

    /// Returns the change that `child` suggests if it is machine-applicable and stays in the workspace.
    fn fix(&self, child: &Message<'_>) -> Option<Fix> {
        let edit = |span: &Span<'_>| {
            let text = span.suggested_replacement.clone()?;
            let applicable = span.suggestion_applicability.as_deref() == Some("MachineApplicable");
            let (path, range) = self.places.location(span).filter(|_| applicable)?;
            Some((path, range?, text))
        };
        let mut edits = child.spans.iter().map(edit).collect::<Option<Vec<_>>>()?;
        edits.sort();
        (!edits.is_empty()).then(|| Fix { message: self.places.input.scrub.text(&child.message), edits })
    }
}

/// Returns the message of `child`, followed by its suggestion if that is one short piece, as rustc shows it.
fn with_suggestion(child: &Message<'_>) -> String {
    match child.spans.as_slice() {
        [Span { suggested_replacement: Some(text), .. }]
            if !text.trim().is_empty() && !text.contains('\n') =>
        {
            format!("{}: `{}`", child.message, text.trim())
        }
        _ => child.message.clone(),
    }
}

/// Returns whether a note only comes with the first finding of a lint, or names randomly named files.
fn is_unstable(note: &str) -> bool {
    let lint_level = note.starts_with("`#[")
        && (note.ends_with(" on by default") || note.contains(" implied by "))
        || note.starts_with("`-") && note.contains(" implied by ")
        || note.starts_with("requested on the command line with ")
        || note.starts_with("to override `")
        || note == "the lint level is defined here";
    lint_level
        || note.contains(" has been written to '")
        || note.starts_with("consider using `--verbose` to print the full type name")
}
