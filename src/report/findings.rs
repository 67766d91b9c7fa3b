//! Writes `report.json`: findings with their state, the verdict of each tool, and the result of the run.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::finished::{
    Finding, FinishedReport, GeneratedFileReport, GeneratedReport, GeneratedUnitReport, Gone, Incomplete,
};
use super::finished::{NewLintsReport, Suppression, ToolReport};
use super::{SCHEMA, canonical};
use crate::model::blind_spot::BlindSpot;
use crate::model::cause::Caused;
use crate::model::finding::{FailedTest, Fix, Place, Range, Related, Site};

impl FinishedReport {
    /// Streams `report.json`, because there may be hundreds of thousands of findings.
    ///
    /// # Errors
    ///
    /// If `out` can't be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let blind_spots =
            self.blind_spots.as_ref().map(|spots| spots.iter().map(blind_spot).collect::<Vec<_>>());
        let mut values = canonical::fields([
            ("as_of", json!(self.as_of)),
            ("blind_spots", json!(blind_spots)),
            ("gate", json!({ "exit": self.gate.exit, "status": self.gate.status })),
            ("generated", self.generated.iter().map(generated).collect()),
            ("golden_orphans", json!(self.golden_orphans)),
            ("numbers", json!(self.numbers)),
            ("schema", json!(SCHEMA)),
            ("suppressions", self.suppressions.iter().map(suppression).collect()),
            ("tools", self.tools.iter().map(tool).collect()),
        ]);
        values.extend(self.against.as_ref().map(|against| ("against".to_owned(), json!(against))));
        let findings = |list: &mut canonical::Items<'_, '_>| {
            self.findings.iter().try_for_each(|one| list.push(&finding(one)))
        };
        let all_gone =
            |list: &mut canonical::Items<'_, '_>| self.gone.iter().try_for_each(|one| list.push(&gone(one)));
        canonical::write_document(out, usize::MAX, &values, &[("findings", &findings), ("gone", &all_gone)])
    }

    /// Returns `report.json` as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory can't fail.
        let _ = self.write(&mut bytes);
        bytes
    }
}

pub(super) fn tool(tool: &ToolReport) -> Value {
    let incomplete = |Incomplete { unit, reason }: &Incomplete| json!({ "reason": reason, "unit": unit });
    let mut object = json!({
        "census": tool.census,
        "fixed": tool.fixed,
        "incomplete": tool.incomplete.iter().map(incomplete).collect::<Vec<_>>(),
        "name": tool.name,
        "new": tool.new,
        "required": tool.required,
        "skipped": tool.skipped,
        "suppressed": tool.suppressed,
        "unchanged": tool.unchanged,
        "unknown": tool.unknown,
        "updated": tool.updated,
        "verdict": tool.verdict.as_str(),
    });
    if !tool.notices.is_empty() {
        object["notices"] = json!(tool.notices);
    }
    if let Some(migration) = &tool.migration {
        object["migration"] = json!(migration);
    }
    if !tool.leaky.is_empty() {
        object["leaky"] = json!(tool.leaky);
    }
    if let Some(NewLintsReport { rules, until }) = &tool.new_lints {
        object["new_lints"] = json!({ "rules": rules, "until": until });
    }
    object
}

fn blind_spot(spot: &BlindSpot) -> Value {
    json!({ "kind": spot.kind.as_str(), "path": spot.path.to_string(), "reason": spot.reason })
}

fn generated(generated: &GeneratedReport) -> Value {
    let file =
        |file: &GeneratedFileReport| json!({ "bytes": file.bytes, "digest": file.digest, "path": file.path });
    let unit = |unit: &GeneratedUnitReport| json!({ "files": unit.files.iter().map(file).collect::<Vec<_>>(), "inputs": unit.inputs });
    json!({
        "checked_in": generated.checked_in,
        "package": generated.package,
        "units": generated.units.iter().map(unit).collect::<Vec<_>>(),
    })
}

pub(super) fn finding(finding: &Finding) -> Value {
    let mut value = json!({
        "code": finding.code,
        "fatal": finding.fatal,
        "fix": finding.fix.as_deref().map(fix),
        "id": finding.id,
        "level": finding.level.as_str(),
        "matched_by": finding.matched_by,
        "message": finding.message,
        "ns": finding.ns,
        "owner": finding.owner,
        "path": finding.place.path().map(ToString::to_string),
        "range": finding.place.range().map(range),
        "reason": finding.reason,
        "related": finding.related.iter().map(related).collect::<Vec<_>>(),
        "rule": finding.rule,
        "scope": finding.scope,
        "state": finding.state.as_str(),
        "subject": subject(&finding.place),
        "tools": *finding.tools,
    });
    if let Some(variants) = &finding.seen_in {
        value["seen_in"] = json!(**variants);
    }
    if let Some(caused) = &finding.cause {
        value["cause"] = cause(caused);
    }
    if let Some(FailedTest { at, item }) = finding.test.as_deref() {
        value["test"] = json!({
            "item": item,
            "path": at.as_ref().and_then(Place::path).map(ToString::to_string),
            "range": at.as_ref().and_then(Place::range).map(range),
        });
    }
    value
}

pub(super) fn gone(gone: &Gone) -> Value {
    let (path, subject) = match &gone.site {
        Site::Path(path) => (Some(path.to_string()), None),
        Site::Subject(subject) => (None, Some(subject)),
    };
    let mut value = json!({
        "code": gone.code,
        "message": gone.message,
        "ns": gone.ns,
        "path": path,
        "reason": gone.reason,
        "rule": gone.rule,
        "scope": gone.scope,
        "state": gone.state.as_str(),
        "subject": subject,
    });
    if let Some(variants) = &gone.in_variants {
        value["in_variants"] = json!(**variants);
    }
    if let Some(why) = &gone.unseen {
        value["unseen"] = json!(why);
    }
    if let Some(caused) = &gone.cause {
        value["cause"] = cause(caused);
    }
    value
}

pub(super) fn suppression(one: &Suppression) -> Value {
    json!({
        "effect": one.effect.as_str(),
        "expires": one.expires,
        "file": one.file,
        "line": one.line,
        "matched": one.matched,
        "message": one.message,
        "owner": one.owner,
        "path": one.path,
        "reason": one.reason,
        "rule": one.rule,
        "subject": one.subject,
        "tool": one.tool,
    })
}

fn cause(caused: &Caused) -> Value {
    let mut value = json!({ "inputs": caused.inputs, "kind": caused.cause.as_str() });
    if caused.more > 0 {
        value["more"] = json!(caused.more);
    }
    value
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
    let mut value = json!({ "edits": edits.collect::<Vec<_>>(), "message": fix.message });
    if fix.is_disputed {
        value["disputed"] = json!(true);
    }
    if let Some(action) = fix.action {
        value["action"] = json!(action.as_str());
    }
    value
}
