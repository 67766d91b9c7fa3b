//! Code Quality JSON for merge requests in GitLab.
//!
//! GitLab shows the difference between the report of a merge request and that of its target branch. So the list has what fails a
//! gate: new findings that the change caused, and units without a result, which would otherwise look clean. Accepted findings are
//! not in it. GitLab requires a file for each entry: what is not in a file is placed at the manifest of the workspace.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::finished::{Finding, Finished};
use crate::model::digest::Digest;
use crate::model::finding::{Level, Place};
use crate::model::generated::split_out_dir;
use crate::model::path::RelPath;

/// File of entries that are not in a file of the repository.
const MANIFEST: &str = "Cargo.toml";

/// Streams the report of `run`. `base` is the path of the workspace below the root of its repository.
pub(super) fn write(run: &Finished, base: &RelPath, out: &mut dyn Write) -> io::Result<()> {
    let missing = run.tools().flat_map(|(tool, report)| {
        report.incomplete.iter().map(move |gap| {
            let unit = if gap.unit == "." { String::new() } else { format!("{}: ", gap.unit) };
            let identity = format!("{}\0{}\0{}", tool.name, gap.unit, gap.reason);
            let fingerprint = Digest::of_bytes(identity.as_bytes()).short(16);
            let severity = if tool.required { "blocker" } else { "info" };
            let description = format!("{}: no result: {unit}{}", tool.name, gap.reason);
            entry("genti::incomplete", &description, severity, &fingerprint, &location(None, base))
        })
    });
    let mut count_by_id: BTreeMap<&str, u32> = BTreeMap::new();
    let new = run.report.findings.iter().filter(|finding| finding.counts());
    let findings = new.map(|finding| {
        // GitLab merges entries with the same fingerprint, so identical findings are numbered.
        let count = count_by_id.entry(&finding.id).or_default();
        *count += 1;
        let fingerprint =
            if *count == 1 { finding.id.to_string() } else { format!("{}-{count}", finding.id) };
        let place = Some(finding.shown_at());
        entry(&finding.rule, &description(finding), severity(finding), &fingerprint, &location(place, base))
    });
    let mut before = "[\n";
    for entry in missing.chain(findings) {
        out.write_all(before.as_bytes())?;
        serde_json::to_writer(&mut *out, &entry)?;
        before = ",\n";
    }
    out.write_all(if before == "[\n" { b"[]\n" } else { b"\n]\n" })
}

fn entry(rule: &str, description: &str, severity: &str, fingerprint: &str, location: &Value) -> Value {
    json!({
        "check_name": rule,
        "description": description,
        "fingerprint": fingerprint,
        "location": location,
        "severity": severity,
    })
}

fn description(finding: &Finding) -> String {
    match &finding.place {
        Place::File { .. } => finding.message.to_string(),
        Place::Subject(subject) => format!("{subject}: {}", finding.message),
    }
}

fn severity(finding: &Finding) -> &'static str {
    match finding.level {
        _ if finding.fatal => "blocker",
        Level::Error => "critical",
        Level::Warning => "major",
        Level::Note => "info",
    }
}

fn location(place: Option<&Place>, base: &RelPath) -> Value {
    // Generated files are not part of the checkout.
    let is_committed = |path: &&RelPath| split_out_dir(path).is_none();
    let path = place.and_then(Place::path).filter(is_committed).and_then(|path| base.resolve(path));
    let line = path.as_ref().and_then(|_| place?.range()).map_or(1, |range| range.start.line);
    let path =
        path.or_else(|| base.resolve(&RelPath::new(MANIFEST))).unwrap_or_else(|| RelPath::new(MANIFEST));
    json!({ "lines": { "begin": line }, "path": path.to_string() })
}
