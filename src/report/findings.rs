//! `report.json`: findings with their state, the verdict of each tool and of the gate.

use serde_json::{Value, json};

use super::{SCHEMA, canonical};
use crate::model::finding::{Entry, Fix, Place, Range, Related, Site};
use crate::model::outcome::{Compared, Gone, Outcome, ToolOutcome};
use crate::model::tool::Tool;

pub(super) fn render(outcome: &Outcome) -> Vec<u8> {
    let tools: Vec<_> = outcome
        .plan
        .graph
        .tools
        .iter()
        .zip(&outcome.tools)
        .map(|(tool, outcome)| self::tool(tool, outcome))
        .collect();
    canonical::to_bytes(&json!({
        "findings": outcome.findings.iter().map(finding).collect::<Vec<_>>(),
        "gate": { "exit": outcome.end.code(), "status": outcome.end.as_str() },
        "golden_orphans": outcome.goldens.orphans.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "gone": outcome.gone.iter().map(gone).collect::<Vec<_>>(),
        "schema": SCHEMA,
        "tools": tools,
    }))
}

fn tool(tool: &Tool, outcome: &ToolOutcome) -> Value {
    let incomplete: Vec<_> =
        outcome.incomplete.iter().map(|(unit, reason)| json!({ "reason": reason, "unit": unit })).collect();
    json!({
        "fixed": outcome.fixed,
        "incomplete": incomplete,
        "name": tool.name,
        "new": outcome.new,
        "required": tool.required,
        "unchanged": outcome.unchanged,
        "unknown": outcome.unknown,
        "updated": outcome.updated,
        "verdict": outcome.verdict.as_str(),
    })
}

fn finding(compared: &Compared) -> Value {
    let finding = &compared.finding;
    let diagnostic = &finding.diagnostic;
    json!({
        "code": finding.code,
        "fatal": diagnostic.fatal,
        "fix": diagnostic.fix.as_ref().map(fix),
        "id": finding.id,
        "level": diagnostic.level.as_str(),
        "matched_by": compared.accepted.as_ref().map(|accepted| accepted.pass),
        "message": diagnostic.message,
        "ns": diagnostic.ns,
        "path": diagnostic.place.path().map(ToString::to_string),
        "range": diagnostic.place.range().map(range),
        "reason": compared.accepted.as_ref().and_then(|accepted| accepted.entry.reason.as_ref()),
        "related": diagnostic.related.iter().map(related).collect::<Vec<_>>(),
        "rule": diagnostic.rule,
        "scope": finding.scope,
        "state": compared.state.as_str(),
        "subject": subject(&diagnostic.place),
        "tools": finding.tools,
    })
}

fn gone(gone: &Gone) -> Value {
    let Entry { site, rule, scope, code, msg, reason } = &gone.entry;
    let (path, subject) = match site {
        Site::Path(path) => (Some(path.to_string()), None),
        Site::Subject(subject) => (None, Some(subject)),
    };
    json!({
        "code": code,
        "message": msg,
        "ns": gone.ns,
        "path": path,
        "reason": reason,
        "rule": rule,
        "scope": scope,
        "state": gone.state.as_str(),
        "subject": subject,
    })
}

fn subject(place: &Place) -> Option<&str> {
    match place {
        Place::File { .. } => None,
        Place::Subject(subject) => Some(subject),
    }
}

fn range(range: Range) -> Value {
    json!({
        "end": { "column": range.end.column, "line": range.end.line },
        "start": { "column": range.start.column, "line": range.start.line },
    })
}

fn related(related: &Related) -> Value {
    json!({
        "message": related.message,
        "path": related.place.as_ref().and_then(Place::path).map(ToString::to_string),
        "range": related.place.as_ref().and_then(Place::range).map(range),
    })
}

fn fix(fix: &Fix) -> Value {
    let edits = fix
        .edits
        .iter()
        .map(|(path, at, text)| json!({ "path": path.to_string(), "range": range(*at), "text": text }));
    json!({ "edits": edits.collect::<Vec<_>>(), "message": fix.message })
}
