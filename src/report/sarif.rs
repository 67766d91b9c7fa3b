//! SARIF 2.1.0 for code scanning, with one run per tool.
//!
//! There are no times, GUIDs, command lines or absolute paths, so the same run gives the same bytes. Fixed findings have no
//! result, because GitHub treats every result as an open finding. GitHub also requires a place for each result: a failed
//! test is placed where it failed, and other findings that are not in a file are placed at the manifest of the workspace,
//! with their subject as logical location.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde_json::{Value, json};

use super::finished::{Finding, Finished, Tool, ToolReport};
use super::text::{counted, number};
use super::{canonical, links};
use crate::model::digest::Digest;
use crate::model::finding::{Fix, Place, Range, Related, State};
use crate::model::generated::split_out_dir;
use crate::model::generator::FileAction;
use crate::model::outcome::Verdict;
use crate::model::path::RelPath;
use crate::model::tool::Leaky;
use crate::model::variant::Variant;

/// Maximum number of runs per file that GitHub accepts.
const MOST_RUNS: usize = 20;
/// Maximum number of results per run that GitHub accepts.
const MOST_RESULTS: usize = 25_000;
/// Maximum size of a compressed file that GitHub accepts.
const MOST_BYTES: usize = 10_000_000;

/// Base id for the root of the repository.
const ROOT: &str = "%SRCROOT%";
/// Place of findings that are not in a file.
const MANIFEST: &str = "Cargo.toml";

/// Bytes to escape in the path of a URI.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Streams the report of `run`. `base` is the path of the workspace below the root of its repository. Returns notes about
/// limits of GitHub that the report exceeds.
pub(super) fn write(run: &Finished, base: &RelPath, out: &mut dyn Write) -> io::Result<Vec<String>> {
    let mut counting = Counting { out, count: 0 };
    let mut notes = write_log(run, base, &mut counting)?;
    if counting.count > MOST_BYTES
        && let Some(size) = too_large(run, base)?
    {
        notes.push(format!(
            "the compressed SARIF file has {:.1} MB, and GitHub accepts at most {} MB",
            size as f64 / 1e6,
            MOST_BYTES / 1_000_000
        ));
    }
    Ok(notes)
}

fn write_log(run: &Finished, base: &RelPath, out: &mut dyn Write) -> io::Result<Vec<String>> {
    let mut notes = Vec::new();
    if !run.run.selection.whole {
        notes.push(
            "this is a partial run, and code scanning treats findings that are not in the file as fixed"
                .to_owned(),
        );
    }
    let mut by_tool: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &run.report.findings {
        by_tool.entry(Variant::split(run.tool_of(finding)).0).or_default().push(finding);
    }
    let file = SarifFile {
        base,
        has_baseline: !run.report.gone.is_empty() || run.report.findings.iter().any(is_accepted),
        has_suppressions: run.report.findings.iter().any(|finding| finding.state == State::Suppressed),
    };
    // A tool that checked nothing has no run, otherwise GitHub would treat its earlier findings as fixed.
    // The variants of a tool share a run.
    let mut variants: BTreeMap<&str, Vec<(&Tool, &ToolReport)>> = BTreeMap::new();
    for (tool, report) in run.tools() {
        variants.entry(Variant::split(&tool.name).0).or_default().push((tool, report));
    }
    let mut tools: Vec<_> = variants
        .into_iter()
        .map(|(name, variants)| OfTool { name, variants, findings: by_tool.remove(name).unwrap_or_default() })
        .filter(|OfTool { variants, findings, .. }| {
            let has_looked = variants.iter().any(|(tool, report)| {
                let has_looked = run.task_count_of(&tool.name) > 0 && report.verdict != Verdict::Missing;
                has_looked && (!tool.on_demand || !report.incomplete.is_empty())
            });
            !findings.is_empty() || has_looked
        })
        .collect();
    if tools.len() > MOST_RUNS {
        let left_out: Vec<_> = leave_out(&mut tools);
        notes.push(format!(
            "GitHub accepts at most {MOST_RUNS} tools per file; left out: {}",
            left_out.join(", ")
        ));
    }
    let notes = RefCell::new(notes);
    let runs = |list: &mut canonical::Items<'_, '_>| {
        let mut tools = tools.iter();
        tools.try_for_each(|of| file.run(of, &notes, list))
    };
    let values = canonical::fields([
        ("$schema", json!("https://json.schemastore.org/sarif-2.1.0.json")),
        ("version", json!("2.1.0")),
    ]);
    // Each result is on its own line.
    canonical::write_document(out, 4, &values, &[("runs", &runs)])?;
    Ok(notes.into_inner())
}

/// Writer that counts bytes.
struct Counting<W> {
    out: W,
    count: usize,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.count += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn is_accepted(finding: &Finding) -> bool {
    matches!(finding.state, State::Unchanged | State::Updated)
}

/// Removes tools until GitHub accepts the rest, and returns their names. Tools without findings are removed first,
/// beginning at the end.
fn leave_out<'a>(tools: &mut Vec<OfTool<'a>>) -> Vec<&'a str> {
    let mut left_out = Vec::new();
    while tools.len() > MOST_RUNS {
        let at = tools.iter().rposition(|of| of.findings.is_empty()).unwrap_or(tools.len() - 1);
        left_out.push(tools.remove(at).name);
    }
    left_out.sort_unstable();
    left_out
}

/// Returns the compressed size if GitHub does not accept it.
fn too_large(run: &Finished, base: &RelPath) -> io::Result<Option<usize>> {
    let mut gzip = GzEncoder::new(Counting { out: io::sink(), count: 0 }, Compression::default());
    write_log(run, base, &mut gzip)?;
    let size = gzip.finish()?.count;
    Ok((size > MOST_BYTES).then_some(size))
}

/// A tool with the reports of its variants and the findings of all of them.
struct OfTool<'a> {
    name: &'a str,
    variants: Vec<(&'a Tool, &'a ToolReport)>,
    findings: Vec<&'a Finding>,
}

/// Properties of the whole file.
struct SarifFile<'a> {
    base: &'a RelPath,
    has_baseline: bool,
    has_suppressions: bool,
}

/// Returns what the tool says beside its findings.
fn notifications(tool: &Tool, report: &ToolReport) -> Vec<Value> {
    let note = |level: &str, text: &str| json!({ "level": level, "message": { "text": sentence(text) } });
    let with = tool.variant.as_ref().map(|name| format!(" with `{name}`")).unwrap_or_default();
    let gaps = report.incomplete.iter().map(|gap| {
        let on = if gap.unit == "." { String::new() } else { format!(" on {}", gap.unit) };
        note("error", &format!("No result{on}{with}: {}", gap.reason))
    });
    let notices = report.notices.iter().map(|notice| note("note", notice));
    let leaks = report.leaky.iter().map(|who| {
        let of = if who == "." { &tool.name } else { who };
        note("note", &format!("{of} {}", Leaky::MESSAGE))
    });
    gaps.chain(notices).chain(leaks).collect()
}

impl SarifFile<'_> {
    fn run(
        &self,
        of: &OfTool<'_>,
        notes: &RefCell<Vec<String>>,
        list: &mut canonical::Items<'_, '_>,
    ) -> io::Result<()> {
        let OfTool { name, variants, findings } = of;
        let Some((tool, _)) = variants.first() else { return Ok(()) };
        let mut findings = Cow::Borrowed(findings.as_slice());
        let mut notifications: Vec<_> =
            variants.iter().flat_map(|(tool, report)| notifications(tool, report)).collect();
        if findings.len() > MOST_RESULTS {
            let more = findings.len() - MOST_RESULTS;
            // Prefer new findings, then restore the order.
            let mut ranked: Vec<_> = findings.iter().copied().enumerate().collect();
            ranked.sort_by_key(|(at, finding)| (finding.state != State::New, *at));
            ranked.truncate(MOST_RESULTS);
            ranked.sort_by_key(|(at, _)| *at);
            findings = ranked.into_iter().map(|(_, finding)| finding).collect::<Vec<_>>().into();
            let note = format!(
                "GitHub accepts at most {} results per tool; {} of {} left out",
                number(MOST_RESULTS as u64),
                counted(more, "finding", "findings"),
                name
            );
            notifications.push(json!({ "level": "warning", "message": { "text": sentence(&note) } }));
            notes.borrow_mut().push(note);
        }
        let mut rules: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        for finding in findings.iter() {
            rules.entry(&finding.rule).or_default().push(finding);
        }
        let index: BTreeMap<_, _> = rules.keys().enumerate().map(|(at, rule)| (*rule, at)).collect();
        let results = |list: &mut canonical::Items<'_, '_>| {
            let result = |finding: &&Finding| self.result(finding, index[finding.rule.as_str()]);
            findings.iter().try_for_each(|finding| list.push(&result(finding)))
        };
        let rules: Vec<_> = rules.iter().map(|(id, findings)| rule(id, findings, tool)).collect();
        // GitHub requires a version that begins with a number, and an information URI.
        let mut driver = json!({
            "informationUri": links::tool(name),
            "name": name,
            "rules": rules,
            "version": "0 (unknown)",
        });
        if let Some(version) = &tool.version {
            driver["fullName"] = json!(version);
            if let Some(semantic) = semantic(version) {
                driver["semanticVersion"] = json!(semantic);
                driver["version"] = json!(semantic);
            }
        }
        let invocation = json!({
            "executionSuccessful": variants.iter().all(|(_, report)| report.verdict != Verdict::Incomplete),
            "toolExecutionNotifications": notifications,
        });
        let root = json!({ ROOT: { "description": { "text": "Root of the repository." } } });
        let values = canonical::fields([
            ("columnKind", json!("unicodeCodePoints")),
            ("invocations", json!([invocation])),
            ("originalUriBaseIds", root),
            ("tool", json!({ "driver": driver })),
        ]);
        list.object(&values, &[("results", &results)])
    }

    fn result(&self, finding: &Finding, rule_index: usize) -> Value {
        let mut fingerprints = json!({ "gentiFinding/v1": finding.id });
        if !finding.code.is_empty() {
            fingerprints["gentiCode/v1"] = json!(Digest::of_bytes(finding.code.as_bytes()).short(16));
        }
        let message = match &finding.place {
            Place::File { .. } => finding.message.to_string(),
            Place::Subject(subject) => format!("{subject}: {}", finding.message),
        };
        let mut result = json!({
            "level": finding.level.as_str(),
            "locations": [self.location(finding)],
            "message": { "text": sentence(&message) },
            "partialFingerprints": fingerprints,
            "ruleId": finding.rule,
            "ruleIndex": rule_index,
        });
        let related: Vec<_> =
            (1..).zip(&finding.related).map(|(id, related)| self.related(id, related)).collect();
        if !related.is_empty() {
            result["relatedLocations"] = json!(related);
        }
        if let Some(fix) =
            finding.fix.as_ref().filter(|fix| fix.is_applicable()).and_then(|fix| self.fix(fix))
        {
            result["fixes"] = json!([fix]);
        }
        if let Some(variants) = &finding.seen_in {
            result["properties"] = json!({ "seenIn": **variants });
        }
        if let Some(caused) = &finding.cause {
            result["properties"]["cause"] = json!(caused.cause.as_str());
        }
        if self.has_baseline {
            let state = if is_accepted(finding) { finding.state.as_str() } else { "new" };
            result["baselineState"] = json!(state);
        }
        if self.has_suppressions {
            let is_suppressed = finding.state == State::Suppressed;
            let suppression = is_suppressed.then(|| suppression(finding));
            result["suppressions"] = json!(suppression.into_iter().collect::<Vec<_>>());
        }
        result
    }

    fn location(&self, finding: &Finding) -> Value {
        let physical = self.physical(finding.shown_at());
        let name = match (&finding.place, &physical) {
            (Place::Subject(subject), _) => subject.clone(),
            // The file is outside of the repository, so it has no URI.
            (Place::File { path, .. }, None) => path.to_string(),
            _ => finding.scope.to_string(),
        };
        let manifest = || json!({ "artifactLocation": self.manifest(), "region": { "startLine": 1 } });
        let mut location = json!({ "physicalLocation": physical.unwrap_or_else(manifest) });
        if !name.is_empty() {
            location["logicalLocations"] = json!([{ "fullyQualifiedName": name }]);
        }
        location
    }

    fn related(&self, id: usize, related: &Related) -> Value {
        let mut location = json!({ "id": id, "message": { "text": sentence(&related.message) } });
        if let Some(physical) = related.place.as_ref().and_then(|place| self.physical(place)) {
            location["physicalLocation"] = physical;
        }
        location
    }

    fn fix(&self, fix: &Fix) -> Option<Value> {
        // A fix in SARIF only changes the text of a file.
        if fix.action.is_some_and(|action| action != FileAction::Edit) {
            return None;
        }
        let mut changes: BTreeMap<&RelPath, Vec<Value>> = BTreeMap::new();
        for (path, at, text) in &fix.edits {
            let replacement = json!({ "deletedRegion": region(*at), "insertedContent": { "text": text } });
            changes.entry(path).or_default().push(replacement);
        }
        let changes = changes.into_iter().map(|(path, replacements)| {
            Some(json!({ "artifactLocation": self.artifact(path)?, "replacements": replacements }))
        });
        // Leave out the fix if any of its files is outside of the repository.
        let changes: Vec<_> = changes.collect::<Option<_>>()?;
        let description = sentence(&fix.message);
        (!changes.is_empty())
            .then(|| json!({ "artifactChanges": changes, "description": { "text": description } }))
    }

    fn physical(&self, place: &Place) -> Option<Value> {
        // Generated files are not part of the checkout.
        let artifact = self.artifact(place.path().filter(|path| split_out_dir(path).is_none())?)?;
        let region = place.range().map_or_else(|| json!({ "startLine": 1 }), region);
        Some(json!({ "artifactLocation": artifact, "region": region }))
    }

    fn manifest(&self) -> Value {
        self.artifact(&RelPath::new(MANIFEST))
            .unwrap_or_else(|| json!({ "uri": MANIFEST, "uriBaseId": ROOT }))
    }

    /// Location of `path` relative to the root of the repository. `None` if it is outside.
    fn artifact(&self, path: &RelPath) -> Option<Value> {
        let path = self.base.resolve(path)?;
        let uri = percent_encode(path.as_bytes(), PATH).to_string();
        Some(json!({ "uri": uri, "uriBaseId": ROOT }))
    }
}

fn region(range: Range) -> Value {
    json!({
        "endColumn": range.end.column,
        "endLine": range.end.line,
        "startColumn": range.start.column,
        "startLine": range.start.line,
    })
}

/// Describes a rule, using the data of its findings.
fn rule(id: &str, findings: &[&Finding], tool: &Tool) -> Value {
    let url = findings.first().and_then(|finding| links::rule(&finding.ns, id));
    let message = findings.first().map(|finding| finding.message.as_str()).unwrap_or_default();
    // A message that all findings share describes the rule.
    let is_general = findings.iter().all(|finding| finding.message == message);
    let help = match &url {
        Some(url) => format!("See {url}."),
        None => format!("See the documentation of {}.", Variant::split(&tool.name).0),
    };
    let mut rule = json!({
        "fullDescription": { "text": format!("Findings of {} with the rule {id}.", Variant::split(&tool.name).0) },
        "help": { "text": help },
        "id": id,
        "shortDescription": { "text": sentence(if is_general { message } else { id }) },
    });
    if let Some(url) = url {
        rule["helpUri"] = json!(url);
    }
    rule
}

fn suppression(finding: &Finding) -> Value {
    let mut suppression = json!({ "kind": "external", "status": "accepted" });
    let by = finding.owner.as_ref().map(|owner| format!(" ({owner})")).unwrap_or_default();
    if let Some(reason) = &finding.reason {
        suppression["justification"] = json!(format!("{reason}{by}"));
    }
    suppression
}

/// Ends `text` with a full stop, as SARIF requires for messages. An empty message is replaced.
fn sentence(text: &str) -> String {
    let text = text.trim();
    match text.chars().last() {
        None => "No message.".to_owned(),
        Some('.' | '!' | '?') => text.to_owned(),
        Some(_) => format!("{text}."),
    }
}

/// Extracts the semantic version from the version line of a tool, such as `clippy 0.1.95 (…)`.
fn semantic(version: &str) -> Option<&str> {
    version.split_whitespace().map(|word| word.trim_start_matches('v')).find(|word| {
        let core = word.split(['-', '+']).next().unwrap_or_default();
        let mut parts = core.split('.');
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_core =
            parts.by_ref().take(3).filter(|part| is_number(part)).count() == 3 && parts.next().is_none();
        is_core && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'))
    })
}
