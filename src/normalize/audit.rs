//! Parses the report of `cargo audit --json`. Checked with 0.22.2.
//!
//! The rule is the advisory and the subject is the crate. Its version is not part of the message, so an update that
//! does not fix the problem makes no new finding. If cargo-audit cannot look up yanked crates, its JSON does not say
//! so.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::document;
use super::{Input, Parsed, Unparsable};
use crate::model::census::Census;
use crate::model::finding::{Diagnostic, Level, Place, Related};

/// Exit code for findings that are denied, and for failures to start.
const REFUSED: i32 = 1;

#[derive(Deserialize)]
struct AuditReport {
    database: Option<AuditDatabase>,
    lockfile: Option<AuditLockfile>,
    vulnerabilities: AuditVulnerabilities,
    /// Findings by kind, such as `unmaintained` or `yanked`.
    warnings: BTreeMap<String, Vec<AuditFinding>>,
}

#[derive(Default, Deserialize)]
struct AuditDatabase {
    /// `None` if the database directory is not a git checkout.
    #[serde(rename = "last-commit")]
    last_commit: Option<String>,
    /// The time of its latest commit.
    #[serde(rename = "last-updated")]
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct AuditLockfile {
    #[serde(rename = "dependency-count")]
    dependency_count: u64,
}

#[derive(Deserialize)]
struct AuditVulnerabilities {
    found: bool,
    count: usize,
    list: Vec<AuditFinding>,
}

#[derive(Deserialize)]
struct AuditFinding {
    package: AuditPackage,
    /// `None` for yanked crates.
    advisory: Option<AuditAdvisory>,
    versions: Option<AuditVersions>,
}

#[derive(Deserialize)]
struct AuditPackage {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct AuditAdvisory {
    id: String,
    title: String,
    url: Option<String>,
}

#[derive(Deserialize)]
struct AuditVersions {
    patched: Vec<String>,
}

/// Parses the output of cargo-audit, which exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if !matches!(code, 0 | REFUSED) {
        return Err(input.crashed(code));
    }
    let report: AuditReport =
        document::read(input.halt, &input.output.stdout).map_err(|error| match code {
            0 => Unparsable(format!("invalid report from cargo audit: {error}")),
            // It exits with the same code if it cannot start.
            _ => input.crashed(code),
        })?;
    let AuditReport { database, lockfile, vulnerabilities, warnings } = report;
    let AuditVulnerabilities { found, count, list } = vulnerabilities;
    if count != list.len() || found == list.is_empty() {
        let listed = list.len();
        return Err(Unparsable(format!("the report counts {count} vulnerabilities but lists {listed}")));
    }
    let explains = |is_failure: bool| is_failure == (code == REFUSED);
    // The report does not say which warnings are denied.
    if !explains(found) && (found || warnings.values().all(Vec::is_empty)) {
        return Err(input.crashed(code));
    }
    let vulnerabilities = list.iter().map(|found| diagnostic(input, found, Level::Error, "vulnerability"));
    let warnings = warnings
        .iter()
        .flat_map(|(kind, found)| found.iter().map(|found| diagnostic(input, found, Level::Warning, kind)));
    let diagnostics = vulnerabilities.chain(warnings).collect();
    let AuditDatabase { last_commit, last_updated } = database.unwrap_or_default();
    let database = last_commit.map(|commit| input.scrub.text(&commit));
    let census = Census {
        crates: lockfile.map(|lockfile| lockfile.dependency_count),
        database_date: last_updated.as_deref().and_then(day),
        ..Census::default()
    };
    Ok(Parsed { diagnostics, database, census, ..Parsed::default() })
}

/// Returns the day of a time such as `2026-11-01T10:00:00Z`.
fn day(time: &str) -> Option<String> {
    let day: jiff::civil::Date = time.get(..10)?.parse().ok()?;
    Some(day.to_string())
}

fn diagnostic(input: &Input<'_>, found: &AuditFinding, level: Level, kind: &str) -> Diagnostic {
    let AuditFinding { package, advisory, versions } = found;
    let text = |text: &str| input.scrub.text(text);
    let (rule, message) = match advisory {
        Some(advisory) => (text(&advisory.id), text(&advisory.title)),
        None => (text(kind), text(&format!("`{}` is {kind}", package.name))),
    };
    let mut related = vec![format!("{kind}: {} {}", package.name, package.version)];
    match versions.as_ref().map(|versions| versions.patched.as_slice()) {
        Some([]) => related.push("no patched version is available".to_owned()),
        Some(patched) => related.push(format!("fixed in {}", patched.join(" or "))),
        None => {}
    }
    related.extend(advisory.as_ref().and_then(|advisory| advisory.url.clone()));
    let related = related.iter().map(|message| Related { message: text(message), place: None }).collect();
    let place = Place::Subject(text(&package.name));
    Diagnostic { related, ..input.diagnostic(place, rule, level, message) }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests {
    use snapbox::str;

    use super::*;
    use crate::model::task::Unit;
    use crate::model::tool::Parse;
    use crate::normalize::testing::{assert_shown, run, tool, workspace};

    const CAPTURED: &str = include_str!("testdata/audit.json");

    fn audit(stdout: &str, stderr: &str, code: i32) -> Result<Parsed, Unparsable> {
        let tool = tool("audit", Parse::AuditJson, &["cargo", "audit"]);
        run(&workspace(&[], &[]), &tool, &[Unit::Workspace], stdout, stderr, code)
    }

    #[test]
    fn each_advisory_is_reported_for_its_crate() {
        assert_shown(
            &audit(CAPTURED, "", REFUSED).expect("readable"),
            str![[r#"
error audit RUSTSEC-2099-0003 cfg-if: Made up: `cfg-if` decides wrongly
  vulnerability: cfg-if 1.0.5
  fixed in >=2.0.0
  https://example.org/cfg-if
warning audit RUSTSEC-2099-0002 getrandom: Made up: `getrandom` is unmaintained
  unmaintained: getrandom 0.2.17
  no patched version is available
warning audit RUSTSEC-2099-0002 getrandom: Made up: `getrandom` is unmaintained
  unmaintained: getrandom 0.3.4
  no patched version is available

"#]],
        );
    }

    /// Returns whether a report with these vulnerabilities and warnings is accepted.
    fn is_accepted(vulnerabilities: &str, warnings: &str, code: i32) -> bool {
        let report = format!(r#"{{"vulnerabilities":{vulnerabilities},"warnings":{warnings}}}"#);
        audit(&report, "", code).is_ok()
    }

    #[test]
    fn the_exit_code_must_match_the_report() {
        let none = r#"{"found":false,"count":0,"list":[]}"#;
        let one = r#"{"found":true,"count":1,"list":[{"package":{"name":"a","version":"1.0.0"},"advisory":{"id":"R-1","title":"t","url":null},"versions":{"patched":[]}}]}"#;
        let yanked = r#"{"yanked":[{"kind":"yanked","package":{"name":"a","version":"1.0.0"},"advisory":null,"versions":null}]}"#;
        let accepted = |code| {
            [(none, "{}"), (none, yanked), (one, "{}"), (one, yanked)].map(|(a, b)| is_accepted(a, b, code))
        };
        assert_eq!(accepted(0), [true, true, false, false]);
        assert_eq!(
            accepted(REFUSED),
            [false, true, true, true],
            "the report does not say which warnings are denied"
        );
        assert_eq!(accepted(2), [false; 4]);
        assert!(!is_accepted(&one.replace(r#""count":1"#, r#""count":2"#), "{}", REFUSED));
        assert!(!is_accepted(&none.replace("false", "true"), "{}", REFUSED));
    }

    #[test]
    fn the_revision_of_the_database_is_reported() {
        // The captured database is a plain directory.
        let report = CAPTURED.replace(r#""last-commit":null"#, r#""last-commit":"7fad63b""#);
        assert_eq!(audit(&report, "", REFUSED).expect("readable").database.as_deref(), Some("7fad63b"));
        assert_eq!(audit(CAPTURED, "", REFUSED).expect("readable").database, None);
    }

    #[test]
    fn crates_and_the_day_of_the_database_are_counted() {
        let report =
            CAPTURED.replace(r#""last-updated":null"#, r#""last-updated":"2026-11-01T10:20:30+01:00""#);
        let census = audit(&report, "", REFUSED).expect("readable").census;
        assert_eq!((census.crates, census.database_date.as_deref()), (Some(10), Some("2026-11-01")));
        assert_eq!(audit(CAPTURED, "", REFUSED).expect("readable").census.database_date, None);
    }

    #[test]
    fn a_yanked_crate_is_reported() {
        let yanked = r#"{"vulnerabilities":{"found":false,"count":0,"list":[]},"warnings":{"yanked":[{"kind":"yanked","package":{"name":"a","version":"1.0.0"},"advisory":null,"versions":null}]}}"#;
        assert_shown(
            &audit(yanked, "", 0).expect("readable"),
            str![[r#"
warning audit yanked a: `a` is yanked
  yanked: a 1.0.0

"#]],
        );
    }

    #[test]
    fn the_reason_for_not_starting_is_reported() {
        let stderr =
            "error: couldn't fetch advisory database: git operation failed\nCaused by:\n  -> no network\n";
        let expected = "exited with 1: couldn't fetch advisory database: git operation failed: no network";
        assert_eq!(audit("", stderr, REFUSED), Err(Unparsable(expected.to_owned())));
    }
}
