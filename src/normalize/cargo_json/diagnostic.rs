//! Converts one message of rustc to a diagnostic.

use std::path::Path;

use super::message::{CompilerMessage, RustcMessage, RustcSpan};
use super::place::Places;
use crate::model::finding::{Diagnostic, Fix, Level, Place, Range, Related};
use crate::model::generated::split_out_dir;
use crate::model::path::RelPath;
use crate::model::workspace::PackageId;
use crate::normalize::package_place;

/// Message for one target and one macro expansion.
pub(super) struct Occurrence {
    /// Places of all primary spans. Together with namespace, rule and message they identify duplicates.
    pub(super) primaries: Vec<Place>,
    /// Root source file of the target.
    pub(super) root: Option<RelPath>,
    pub(super) diagnostic: Diagnostic,
}

/// Package whose compilation a message comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// A member.
    Member(PackageId),
    /// Another package of the repository, with this manifest.
    Other(&'a RelPath),
}

/// Converts a message about a target of the package `origin`. Returns `None` for summaries.
pub(super) fn read(
    places: &Places<'_>,
    origin: Origin<'_>,
    message: &CompilerMessage<'_>,
) -> Option<Occurrence> {
    let places = &match origin {
        Origin::Member(_) => places.clone(),
        Origin::Other(manifest) => places.around(manifest),
    };
    let root = RelPath::without_dots(Path::new(&message.target.src_path));
    let root = RelPath::between(&places.input.workspace.root, &root);
    let message = &message.message;
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
    let read = DiagnosticReader { places };
    let primaries: Vec<Place> =
        message.spans.iter().filter(|span| span.is_primary).filter_map(|span| places.of(span)).collect();
    let about = read.about(origin, message);
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
            package: match about {
                Origin::Member(package) => Some(package),
                Origin::Other(_) => None,
            },
            related,
            fix: read.fix(message).map(Box::new),
            test: None,
        },
        primaries,
        root,
    })
}

struct DiagnosticReader<'a> {
    places: &'a Places<'a>,
}

impl DiagnosticReader<'_> {
    /// Returns the package that `message` is about. Lints about manifests look at those of all members whenever one is
    /// compiled.
    fn about<'o>(&self, origin: Origin<'o>, message: &RustcMessage<'_>) -> Origin<'o> {
        let has_place = message.spans.iter().any(|span| span.is_primary && !span.is_dummy());
        let named = || message.message.strip_prefix("package `")?.split('`').next();
        let is_of_member = matches!(origin, Origin::Member(_));
        let Some(name) = named().filter(|_| is_of_member && !has_place) else { return origin };
        let mut packages = self.places.input.packages_of_workspace();
        packages.find(|(_, member)| member.cargo_name() == name).map_or(origin, |(id, _)| Origin::Member(id))
    }

    /// Returns the place of a message without a span. Clippy's lints are about the package `about`, rustc's about one of its
    /// crates. A fatal error may name a file in its text.
    fn place_without_span(&self, ns: &str, about: Origin<'_>, message: &RustcMessage<'_>) -> Place {
        let root = || {
            let mut spans = message.spans.iter().filter(|span| span.is_primary && ns != "clippy");
            spans.find_map(|span| self.places.location(span)).map(|(path, _)| path)
        };
        let named = || message.is_fatal().then(|| self.places.mentioned(&message.message)).flatten();
        match (root().or_else(named), about) {
            (Some(path), _) => Place::File { path, range: None },
            (None, Origin::Member(package)) => package_place(self.places.input.workspace, package),
            (None, Origin::Other(manifest)) => Place::File { path: manifest.clone(), range: None },
        }
    }

    /// Returns the notes attached to the primary message at `place`.
    fn related(&self, message: &RustcMessage<'_>, place: &Place) -> Vec<Related> {
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
        let proposes = self.proposal(message, is_vouched_for).map(|(at, _)| at);
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
    fn generated(&self, span: &RustcSpan<'_>, at: Option<&Place>) -> Option<(String, Option<Place>)> {
        at?.path().and_then(split_out_dir)?;
        Some((format!("generated code: `{}`", Places::source(span)?), None))
    }

    /// Returns the name and line of a place outside the repository.
    fn foreign(&self, span: &RustcSpan<'_>) -> String {
        format!("in {}:{}", self.places.input.scrub.foreign(span.file_name.as_bytes()), span.line_start)
    }

    /// Returns the change that `message` suggests: one that rustc vouches for, or else the only other one.
    fn fix(&self, message: &RustcMessage<'_>) -> Option<Fix> {
        if let Some((_, fix)) = self.proposal(message, is_vouched_for) {
            return Some(fix);
        }
        let suggests =
            |child: &&RustcMessage<'_>| child.spans.iter().any(|span| span.suggested_replacement.is_some());
        // Of several alternatives, somebody has to choose one.
        let is_only = message.children.iter().filter(suggests).count() == 1;
        let (_, fix) = self.proposal(message, |how| how != "HasPlaceholders").filter(|_| is_only)?;
        Some(Fix { is_unsafe: true, ..fix })
    }

    /// Returns the first child of `message` with a change of one of these kinds, and the change. Code that a macro produces has no
    /// place of its own to change, because the macro may be used elsewhere too.
    fn proposal(&self, message: &RustcMessage<'_>, kinds: impl Fn(&str) -> bool) -> Option<(usize, Fix)> {
        let is_produced = |span: &RustcSpan<'_>| span.expansions().next().is_some();
        if message.spans.iter().any(|span| span.is_primary && is_produced(span)) {
            return None;
        }
        let edit = |span: &RustcSpan<'_>| {
            let text = span.suggested_replacement.clone()?;
            let kind = span.suggestion_applicability.as_deref().unwrap_or("Unspecified");
            let (path, range) = self.places.location(span).filter(|_| kinds(kind) && !is_produced(span))?;
            Some((path, range?, text))
        };
        let mut children = message.children.iter().enumerate();
        children.find_map(|(at, child)| {
            let mut edits = child.spans.iter().map(edit).collect::<Option<Vec<_>>>()?;
            edits.sort();
            // Alternatives for the same place come as one list.
            let overlap = |(path, one, _): &(RelPath, Range, String),
                           (next_path, next, _): &(RelPath, Range, String)| {
                path == next_path && (one.end > next.start || one == next)
            };
            let is_one = !edits.is_empty() && !edits.windows(2).any(|pair| overlap(&pair[0], &pair[1]));
            is_one.then(|| (at, Fix::new(self.places.input.scrub.text(&child.message), edits)))
        })
    }
}

/// Returns true if rustc says that the suggestion can be applied without looking at it.
fn is_vouched_for(applicability: &str) -> bool {
    applicability == "MachineApplicable"
}

/// Returns the message of `child`, followed by its suggestion if that is one short piece, as rustc shows it.
fn with_suggestion(child: &RustcMessage<'_>) -> String {
    match child.spans.as_slice() {
        [RustcSpan { suggested_replacement: Some(text), .. }]
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
