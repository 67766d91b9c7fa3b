//! One message of rustc as a diagnostic.

use super::message::{Message, Span};
use crate::model::finding::{Diagnostic, Fix, Level, Place, Range, Related};
use crate::model::path::RelPath;
use crate::model::workspace::PackageId;
use crate::normalize::{Input, package_place, range};

/// A message as it was said of one target, in one expansion.
pub(super) struct Occurrence {
    /// The places of all primary spans: with namespace, rule and message, what makes two messages the same.
    pub(super) primaries: Vec<Place>,
    pub(super) diagnostic: Diagnostic,
}

/// Reads `message`, which was said of a target of `package`; `None` if it says nothing of its own.
pub(super) fn read(input: &Input<'_>, package: PackageId, message: &Message<'_>) -> Option<Occurrence> {
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
    let read = Reader { input };
    let primaries: Vec<Place> =
        message.spans.iter().filter(|span| span.is_primary).filter_map(|span| read.place(span)).collect();
    let place = primaries.first().cloned().unwrap_or_else(|| package_place(input.workspace, package));
    let related = read.related(message, &place);
    Some(Occurrence {
        diagnostic: Diagnostic {
            place,
            ns: ns.to_owned(),
            rule: code.unwrap_or(level.as_str()).to_owned(),
            level,
            message: input.scrub.text(&message.message),
            fatal: message.is_fatal(),
            package: Some(package),
            related,
            fix: message.children.iter().find_map(|child| read.fix(child)),
            test: None,
        },
        primaries,
    })
}

struct Reader<'a> {
    input: &'a Input<'a>,
}

impl Reader<'_> {
    /// The place of `span` itself, if it lies in the workspace.
    fn location(&self, span: &Span<'_>) -> Option<(RelPath, Option<Range>)> {
        // `<anon>` and the like are no files.
        let name = Some(&*span.file_name).filter(|name| !name.starts_with('<'))?;
        let path = self.input.scrub.path(name.as_bytes())?;
        Some((path, range((span.line_start, span.column_start), (span.line_end, span.column_end))))
    }

    /// The place of `span`; where a macro from elsewhere wrote it, that of the innermost call in the workspace.
    fn place(&self, span: &Span<'_>) -> Option<Place> {
        self.location(span)
            .or_else(|| span.expansions().find_map(|expansion| self.location(&expansion.span)))
            .map(|(path, range)| Place::File { path, range })
    }

    /// What is said beside the primary message about `place`.
    fn related(&self, message: &Message<'_>, place: &Place) -> Vec<Related> {
        let mut all = Vec::new();
        for span in &message.spans {
            let at = self.place(span);
            let also = (span.is_primary && at.as_ref() != Some(place)).then_some("also here");
            if let Some(text) = span.label.as_deref().filter(|label| !label.is_empty()).or(also) {
                all.push((text.to_owned(), at));
            }
            if span.is_primary {
                for expansion in span.expansions() {
                    let text = format!("in this expansion of `{}`", expansion.macro_decl_name);
                    let call =
                        self.location(&expansion.span).map(|(path, range)| Place::File { path, range });
                    all.extend(call.filter(|call| call != place).map(|call| (text, Some(call))));
                }
            }
        }
        // The child that proposes the fix is shown as one.
        let proposes = message.children.iter().position(|child| self.fix(child).is_some());
        let said = message.children.iter().enumerate().filter(|(at, _)| Some(*at) != proposes);
        for child in said.map(|(_, child)| child).filter(|child| !is_unstable(&child.message)) {
            all.push((with_suggestion(child), child.spans.first().and_then(|span| self.place(span))));
            for span in &child.spans {
                let label = span.label.as_deref().filter(|label| !label.is_empty());
                all.extend(label.map(|label| (label.to_owned(), self.place(span))));
            }
        }
        all.into_iter()
            .map(|(message, place)| Related { message: self.input.scrub.text(&message), place })
            // Names of temporary files are random.
            .filter(|related| !related.message.contains("[TMP]"))
            .collect()
    }

    /// The change that `child` proposes, if a machine may apply it and it stays in the workspace.
    fn fix(&self, child: &Message<'_>) -> Option<Fix> {
        let edit = |span: &Span<'_>| {
            let text = span.suggested_replacement.clone()?;
            let applicable = span.suggestion_applicability.as_deref() == Some("MachineApplicable");
            let (path, range) = self.location(span).filter(|_| applicable)?;
            Some((path, range?, text))
        };
        let mut edits = child.spans.iter().map(edit).collect::<Option<Vec<_>>>()?;
        edits.sort();
        (!edits.is_empty()).then(|| Fix { message: self.input.scrub.text(&child.message), edits })
    }
}

/// What `child` says, with the text it proposes where that is short and one piece, as rustc shows it.
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

/// Whether a note comes with the first finding of a lint only, or names files that each run names anew.
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
