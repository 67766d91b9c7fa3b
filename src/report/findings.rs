//! `report.json`: findings with their state, the verdict of each tool and of the gate.

use std::path::Path;

use globset::Glob;
use serde_json::{Value, json};

use super::{SCHEMA, canonical};
use crate::model::blind_spot::BlindSpot;
use crate::model::finding::{Entry, FailedTest, Fix, Place, Range, Related, Site};
use crate::model::generated::{Generated, GeneratedFile, GeneratedUnit};
use crate::model::outcome::{Compared, Gone, Outcome, Suppressing, ToolOutcome};
use crate::model::path::RelPath;
use crate::model::suppression::Suppression;
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
    let finding = |compared| finding(compared, outcome);
    canonical::to_bytes(&json!({
        "as_of": outcome.as_of.map(|date| date.to_string()),
        "blind_spots": outcome.blind_spots.as_ref().map(|spots| spots.iter().map(blind_spot).collect::<Vec<_>>()),
        "findings": outcome.findings.iter().map(finding).collect::<Vec<_>>(),
        "gate": { "exit": outcome.end.code(), "status": outcome.end.as_str() },
        "generated": outcome.generated.iter().map(generated).collect::<Vec<_>>(),
        "golden_orphans": outcome.goldens.orphans.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "gone": outcome.gone.iter().map(gone).collect::<Vec<_>>(),
        "numbers": outcome.numbers,
        "schema": SCHEMA,
        "suppressions": outcome.suppressions.iter().map(suppression).collect::<Vec<_>>(),
        "tools": tools,
    }))
}

fn tool(tool: &Tool, outcome: &ToolOutcome) -> Value {
    let incomplete: Vec<_> =
        outcome.incomplete.iter().map(|(unit, reason)| json!({ "reason": reason, "unit": unit })).collect();
    let mut object = json!({
        "census": outcome.census,
        "fixed": outcome.fixed,
        "incomplete": incomplete,
        "name": tool.name,
        "new": outcome.new,
        "required": tool.required,
        "skipped": outcome.skipped,
        "suppressed": outcome.suppressed,
        "unchanged": outcome.unchanged,
        "unknown": outcome.unknown,
        "updated": outcome.updated,
        "verdict": outcome.verdict.as_str(),
    });
    if !outcome.notices.is_empty() {
        object["notices"] = json!(outcome.notices);
    }
    if let Some(migration) = &outcome.migration {
        object["migration"] = json!(migration);
    }
    if !outcome.leaky.is_empty() {
        object["leaky"] = json!(outcome.leaky);
    }
    object
}

fn blind_spot(spot: &BlindSpot) -> Value {
    json!({ "kind": spot.kind.as_str(), "path": spot.path.to_string(), "reason": spot.reason })
}

fn generated(generated: &Generated) -> Value {
    let texts = |paths: &[RelPath]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
    let file = |file: &GeneratedFile| json!({ "bytes": file.len, "digest": file.digest.to_string(), "path": file.path.to_string() });
    let unit = |unit: &GeneratedUnit| json!({ "files": unit.files.iter().map(file).collect::<Vec<_>>(), "inputs": texts(&unit.inputs) });
    json!({
        "checked_in": generated.checked_in.as_ref().map(ToString::to_string),
        "package": generated.package,
        "units": generated.units.iter().map(unit).collect::<Vec<_>>(),
    })
}

fn finding(compared: &Compared, outcome: &Outcome) -> Value {
    let finding = &compared.finding;
    let diagnostic = &finding.diagnostic;
    let suppression = compared.suppressed_by.map(|at| &outcome.suppressions[at].suppression);
    let accepted_for = compared.accepted.as_ref().and_then(|accepted| accepted.entry.reason.as_ref());
    let mut value = json!({
        "code": finding.code,
        "fatal": diagnostic.fatal,
        "fix": diagnostic.fix.as_ref().map(fix),
        "id": finding.id,
        "level": diagnostic.level.as_str(),
        "matched_by": compared.accepted.as_ref().map(|accepted| accepted.pass),
        "message": diagnostic.message,
        "ns": diagnostic.ns,
        "owner": suppression.and_then(|suppression| suppression.owner.as_ref()),
        "path": diagnostic.place.path().map(ToString::to_string),
        "range": diagnostic.place.range().map(range),
        "reason": suppression.map(|suppression| &suppression.reason).or(accepted_for),
        "related": diagnostic.related.iter().map(related).collect::<Vec<_>>(),
        "rule": diagnostic.rule,
        "scope": finding.scope,
        "state": compared.state.as_str(),
        "subject": subject(&diagnostic.place),
        "tools": finding.tools,
    });
    if let Some(FailedTest { at, item }) = &diagnostic.test {
        value["test"] = json!({
            "item": item,
            "path": at.as_ref().and_then(Place::path).map(ToString::to_string),
            "range": at.as_ref().and_then(Place::range).map(range),
        });
    }
    value
}

fn gone(gone: &Gone) -> Value {
    let Entry { site, rule, scope, code, msg, reason } = &gone.entry;
    let (path, subject) = match site {
        Site::Path(path) => (Some(path.to_string()), None),
        Site::Subject(subject) => (None, Some(subject)),
    };
    let mut value = json!({
        "code": code,
        "message": msg,
        "ns": gone.ns,
        "path": path,
        "reason": reason,
        "rule": rule,
        "scope": scope,
        "state": gone.state.as_str(),
        "subject": subject,
    });
    if let Some(why) = &gone.unseen {
        value["unseen"] = json!(why);
    }
    value
}

fn suppression(suppressing: &Suppressing) -> Value {
    let Suppression { rule, tool, path, subject, message, reason, owner, expires, file, line } =
        &suppressing.suppression;
    // One of `--config-file` may be anywhere.
    let file = Path::new(&**file).is_relative().then_some(file);
    json!({
        "effect": suppressing.effect.as_str(),
        "expires": expires.map(|date| date.to_string()),
        "file": file.map(|file| &**file),
        "line": line,
        "matched": suppressing.matched,
        "message": message,
        "owner": owner,
        "path": path.as_ref().map(Glob::glob),
        "reason": reason,
        "rule": rule,
        "subject": subject,
        "tool": tool,
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
