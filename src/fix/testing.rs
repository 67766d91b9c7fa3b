//! Helpers for tests of this layer.

use crate::model::finding::{Diagnostic, Finding, Fix, Level, Place, Position, Range, State};
use crate::model::outcome::Compared;
use crate::model::path::RelPath;

/// Returns an edit that replaces the columns from `start` up to `end` of a line.
pub(super) fn edit(line: u32, start: u32, end: u32, text: &str) -> (Range, String) {
    let at = |column| Position { line, column };
    (Range { start: at(start), end: at(end) }, text.to_owned())
}

/// Returns a fix of the file at `path`.
pub(super) fn fix(path: &str, edits: &[(Range, String)]) -> Fix {
    let edits = edits.iter().map(|(range, text)| (RelPath::new(path), *range, text.clone()));
    Fix::new("try".to_owned(), edits.collect())
}

/// Returns a new finding with this fix. Its tool has the name of its namespace.
pub(super) fn compared(ns: &str, rule: &str, fix: Fix) -> Compared {
    let diagnostic = Diagnostic {
        place: Place::File { path: RelPath::new("a.rs"), range: None },
        ns: ns.into(),
        rule: rule.into(),
        level: Level::Warning,
        message: "m".into(),
        fatal: false,
        package: None,
        related: Vec::new(),
        fix: Some(Box::new(fix)),
        test: None,
    };
    let (id, msg, code, scope) = Default::default();
    let finding = Finding { id, diagnostic, msg, code, scope, tools: [ns.into()].into(), seen_in: None };
    Compared::new(finding, State::New)
}
