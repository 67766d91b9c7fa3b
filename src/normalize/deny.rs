//! Parses the JSON lines that `cargo deny --format json check` prints to stderr. Checked with 0.20.2.
//!
//! The rule is the advisory, or the code of the lint, and the subject is the crate. Its version is not part of the
//! message, so an update that does not fix the problem makes no new finding. Labels name no file and refer to lines of
//! a lock file that cargo-deny generates, so no finding has a place.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Gap, Input, Parsed, Unparsable};
use crate::model::finding::{Diagnostic, Level, Place, Related};

/// Checks, each with the bit that its errors set in the exit code.
const CHECKS: [(&str, i32); 4] = [("advisories", 1), ("bans", 2), ("licenses", 4), ("sources", 8)];

/// Codes for failed lookups, after which cargo-deny continues.
const NOT_LOOKED_UP: [&str; 2] = ["index-failure", "index-cache-load-failure"];

#[derive(Deserialize)]
struct Line<'a> {
    r#type: String,
    #[serde(borrow)]
    fields: &'a serde_json::value::RawValue,
}

/// Error counts by check.
type Summary = BTreeMap<String, Count>;

#[derive(Deserialize)]
struct Count {
    errors: usize,
}

#[derive(Deserialize)]
struct Log {
    level: String,
    message: String,
}

#[derive(Deserialize)]
struct Fields {
    severity: String,
    message: String,
    /// `None` for errors in the configuration.
    code: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    graphs: Vec<Node>,
    advisory: Option<Advisory>,
}

#[derive(Deserialize)]
struct Label {
    message: String,
    span: String,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    description: Option<String>,
}

/// Crate and its direct dependents. Deeper levels are skipped, since they can be as deep as the whole crate graph.
#[derive(Deserialize)]
struct Node<P = Node<IgnoredAny>> {
    #[serde(rename = "Krate")]
    krate: Option<Krate>,
    #[serde(default = "Vec::new")]
    parents: Vec<P>,
}

#[derive(Deserialize)]
struct Krate {
    name: String,
    version: String,
}

/// Parses the output of cargo-deny, which exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    let stderr = std::str::from_utf8(&input.output.stderr)
        .map_err(|error| Unparsable(format!("invalid JSON from cargo deny: {error}")))?;
    let mut parsed = Parsed::default();
    let mut summary = None;
    let (mut errors, mut complaints) = (0, Vec::new());
    // Cargo and rustup may have printed something before.
    for (number, line) in (1..).zip(input.text_lines(stderr)).filter(|(_, line)| line.starts_with('{')) {
        let broken = |error| Unparsable(format!("invalid JSON from cargo deny in line {number}: {error}"));
        let Line { r#type, fields } = serde_json::from_str(line).map_err(broken)?;
        match &*r#type {
            "diagnostic" => {
                let fields: Fields = serde_json::from_str(fields.get()).map_err(broken)?;
                let level = match &*fields.severity {
                    "error" | "bug" => Level::Error,
                    "warning" => Level::Warning,
                    // Allowed by the configuration.
                    _ => continue,
                };
                errors += usize::from(fields.severity == "error");
                match &fields.code {
                    Some(code) if NOT_LOOKED_UP.contains(&&**code) => parsed.gaps.push(gap(input, &fields)),
                    _ => parsed.diagnostics.push(diagnostic(input, &fields, level)),
                }
            }
            "log" => {
                let log: Log = serde_json::from_str(fields.get()).map_err(broken)?;
                if log.level == "ERROR" {
                    complaints.push(input.scrub.quote(log.message.as_bytes()));
                }
                parsed.census.crates = parsed.census.crates.max(gathered(&log.message));
            }
            "summary" => summary = Some(serde_json::from_str::<Summary>(fields.get()).map_err(broken)?),
            _ => {}
        }
    }
    let Some(summary) = summary else {
        // Errors in the configuration are printed before the failure that they cause.
        let first = parsed.diagnostics.first().map(|found| found.message.to_string());
        let messages: Vec<_> = complaints.into_iter().chain(first).collect();
        return Err(match messages.is_empty() {
            true => input.crashed(code),
            false => Unparsable(messages.join(": ")),
        });
    };
    check(&summary, code, errors)?;
    Ok(parsed)
}

/// Reads the number of checked crates from `gathered 312 crates in 5ms`.
fn gathered(message: &str) -> Option<u64> {
    message.strip_prefix("gathered ")?.split_once(" crates")?.0.parse().ok()
}

/// Checks that the summary, the exit code and the reported errors agree.
fn check(summary: &Summary, code: i32, errors: usize) -> Result<(), Unparsable> {
    let has_failed = |name: &str| summary.get(name).is_some_and(|count| count.errors > 0);
    let expected = CHECKS.iter().filter(|(name, _)| has_failed(name)).map(|(_, bit)| bit).sum::<i32>();
    // The sum of the counts must not overflow.
    let counted = summary.values().try_fold(0, |sum: usize, count| sum.checked_add(count.errors));
    let counted =
        counted.ok_or_else(|| Unparsable("the error counts in its summary are too large".to_owned()))?;
    if code == expected && errors == counted {
        return Ok(());
    }
    Err(Unparsable(format!(
        "exited with {code}: the summary counts {counted} errors, but {errors} are reported"
    )))
}

fn gap(input: &Input<'_>, fields: &Fields) -> Gap {
    let why = fields.notes.first().map_or(&*fields.message, String::as_str);
    Gap::all(format!("{}: {}", input.scrub.text(&fields.message), input.scrub.quote(why.as_bytes())))
}

fn diagnostic(input: &Input<'_>, fields: &Fields, level: Level) -> Diagnostic {
    let text = |text: &str| input.scrub.text(text);
    let advisory = fields.advisory.as_ref();
    let rule =
        advisory.map(|advisory| &advisory.id).or(fields.code.as_ref()).map_or("configuration", |id| id);
    let crates = || fields.graphs.iter().filter_map(|node| Some((node.krate.as_ref()?, &node.parents)));
    let names: BTreeSet<&str> = crates().map(|(krate, _)| krate.name.as_str()).collect();
    let subject = match names.is_empty() {
        false => names.into_iter().collect::<Vec<_>>().join(", "),
        // An unused exception or license, as written in the configuration.
        true => fields.labels.first().map_or_else(String::new, |label| one_line(&label.span)),
    };
    let place = match subject.is_empty() {
        true => input.default_place(),
        false => Place::Subject(text(&subject)),
    };
    let needed = crates().map(|(Krate { name, version }, parents)| {
        let by: Vec<_> = parents
            .iter()
            .filter_map(|parent| parent.krate.as_ref())
            .map(|Krate { name, version }| format!("{name} {version}"))
            .collect();
        match by.is_empty() {
            true => format!("{name} {version}"),
            false => format!("{name} {version}, needed by {}", by.join(", ")),
        }
    });
    let labels = fields.labels.iter().map(|Label { message, span }| match message.is_empty() {
        true => one_line(span),
        false => format!("{message}: {}", one_line(span)),
    });
    // Skip notes that repeat the rule, and the long description, which the linked page has.
    let is_known = |note: &str| match advisory {
        Some(Advisory { id, description }) => {
            note == format!("ID: {id}") || Some(note) == description.as_deref()
        }
        None => false,
    };
    let notes = fields.notes.iter().filter(|note| !is_known(note)).cloned();
    let related = needed.chain(labels).chain(notes);
    let related = related.map(|message| Related { message: text(&message), place: None }).collect();
    Diagnostic { related, ..input.diagnostic(place, text(rule), level, text(&fields.message)) }
}

fn one_line(span: &str) -> String {
    span.lines().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests {
    use snapbox::str;

    use super::*;
    use crate::model::task::Unit;
    use crate::model::tool::Parse;
    use crate::normalize::testing::{assert_shown, run, tool, workspace};

    const CAPTURED: &str = include_str!("testdata/deny.stderr");

    fn deny(stderr: &str, code: i32) -> Result<Parsed, Unparsable> {
        let tool = tool("deny", Parse::DenyJson, &["cargo", "deny"]);
        run(&workspace(&[], &[]), &tool, &[Unit::Workspace], "", stderr, code)
    }

    #[test]
    fn each_advisory_and_each_lint_is_reported_for_its_crate() {
        assert_shown(
            &deny(CAPTURED, 7).expect("readable"),
            str![[r#"
warning deny license-not-encountered ISC: license was not encountered
  unmatched license allowance: ISC
warning deny advisory-not-detected RUSTSEC-2000-0000: advisory was not encountered
  no crate matched advisory criteria: RUSTSEC-2000-0000
warning deny unknown-advisory RUSTSEC-2000-0000: advisory not found in any advisory database
  unknown advisory: RUSTSEC-2000-0000
warning deny no-license-field beta: license expression was not specified in manifest for crate 'beta = 0.1.0'
  beta 0.1.0
error deny unlicensed beta: beta = 0.1.0 is unlicensed
  beta 0.1.0
warning deny unlicensed beta: a valid license expression could not be retrieved for the crate
  beta 0.1.0
  beta
warning deny wildcard beta: found 1 wildcard dependency for crate 'beta'
  beta 0.1.0
  wildcard dependency: *
error deny banned cfg-if: crate 'cfg-if = 1.0.5' is explicitly banned
  cfg-if 1.0.5, needed by alpha 0.1.0, beta 0.1.0, getrandom 0.2.17, getrandom 0.3.4
  banned here: cfg-if@1
  reason: made up
error deny RUSTSEC-2099-0002 getrandom: Made up: `getrandom` is unmaintained
  getrandom 0.2.17, needed by beta 0.1.0
  unmaintained advisory detected: getrandom 0.2.17 registry+https://github.com/rust-lang/crates.io-index
  Advisory: https://rustsec.org/advisories/RUSTSEC-2099-0002
  Solution: No safe upgrade is available!
error deny RUSTSEC-2099-0002 getrandom: Made up: `getrandom` is unmaintained
  getrandom 0.3.4, needed by alpha 0.1.0
  unmaintained advisory detected: getrandom 0.3.4 registry+https://github.com/rust-lang/crates.io-index
  Advisory: https://rustsec.org/advisories/RUSTSEC-2099-0002
  Solution: No safe upgrade is available!
error deny duplicate getrandom: found 2 duplicate entries for crate 'getrandom'
  getrandom 0.2.17, needed by beta 0.1.0
  getrandom 0.3.4, needed by alpha 0.1.0
  lock entries: getrandom 0.2.17 registry+https://github.com/rust-lang/crates.io-index, getrandom 0.3.4 registry+https://github.com/rust-lang/crates.io-index
warning deny unmatched-source https://example.org/nothing: allowed source was not encountered
  no crate source matched these criteria: https://example.org/nothing
warning deny unmatched-skip serde@1: skipped crate 'serde = =1' was not encountered
  unmatched skip configuration: serde@1

"#]],
        );
    }

    #[test]
    fn an_update_that_does_not_fix_the_problem_makes_no_new_finding() {
        let of = |stderr: &str| {
            let identity = |found: Diagnostic| (found.rule, found.place, found.message);
            deny(stderr, 7).expect("readable").diagnostics.into_iter().map(identity).collect::<Vec<_>>()
        };
        let updated = CAPTURED.replace("0.2.17", "0.2.18").replace("0.3.4", "0.3.5");
        assert_ne!(updated, CAPTURED);
        assert_eq!(of(&updated), of(CAPTURED));
    }

    #[test]
    fn the_exit_code_must_match_the_summary() {
        for code in 0..16 {
            assert_eq!(deny(CAPTURED, code).is_ok(), code == 7, "{code}");
        }
        let summary = CAPTURED.lines().last().expect("there is a summary");
        assert_eq!(
            deny(summary, 7),
            Err(Unparsable("exited with 7: the summary counts 5 errors, but 0 are reported".to_owned()))
        );
        let clean = r#"{"type":"summary","fields":{"bans":{"errors":0,"warnings":0,"notes":0,"helps":3}}}"#;
        assert_eq!(deny(&format!("info: syncing\n{clean}\n"), 0), Ok(Parsed::default()));
        assert!(deny("", 0).is_err());
    }

    #[test]
    fn a_summary_with_overflowing_counts_is_rejected() {
        let summary = format!(
            r#"{{"type":"summary","fields":{{"advisories":{{"errors":{0}}},"bans":{{"errors":{0}}}}}}}"#,
            usize::MAX
        );
        check_no_result(&summary, 3, "the error counts in its summary are too large");
    }

    #[track_caller]
    fn check_no_result(stderr: &str, code: i32, expected: &str) {
        assert_eq!(deny(stderr, code), Err(Unparsable(expected.to_owned())));
    }

    #[test]
    fn the_reason_for_not_starting_is_reported() {
        let log = |message: &str| {
            format!(
                r#"{{"type":"log","fields":{{"level":"ERROR","message":"{message}","timestamp":"2026-11-22T21:14:29Z"}}}}"#
            )
        };
        check_no_result(
            &format!(
                "{}\n{}\n",
                r#"{"fields":{"labels":[],"message":"expected a string","severity":"error"},"type":"diagnostic"}"#,
                log("failed to validate configuration file /w/ws/deny.toml")
            ),
            1,
            "failed to validate configuration file deny.toml: expected a string",
        );
        check_no_result(&log("failed to fetch advisory database"), 1, "failed to fetch advisory database");
        check_no_result("error: no such option\n", 2, "exited with 2: no such option");
    }

    #[test]
    fn the_checked_crates_are_counted() {
        let log = r#"{"type":"log","fields":{"level":"INFO","message":"gathered 312 crates in 5ms"}}"#;
        let summary = r#"{"type":"summary","fields":{"bans":{"errors":0,"warnings":0,"notes":0,"helps":0}}}"#;
        assert_eq!(deny(&format!("{log}\n{summary}\n"), 0).expect("readable").census.crates, Some(312));
        assert_eq!(deny(summary, 0).expect("readable").census.crates, None);
    }

    #[test]
    fn a_failed_lookup_is_a_gap() {
        let failure = r#"{"type":"diagnostic","fields":{"severity":"warning","code":"index-failure","message":"unable to check for yanked crates","notes":["offline"],"graphs":[]}}
{"type":"summary","fields":{"advisories":{"errors":0,"warnings":1,"notes":0,"helps":0}}}"#;
        assert_shown(
            &deny(failure, 0).expect("readable"),
            str![[r#"
gap: unable to check for yanked crates: offline

"#]],
        );
    }

    #[test]
    fn a_deep_crate_graph_is_accepted() {
        let deep = 100_000;
        let open = r#"{"Krate":{"name":"a","version":"1.0.0"},"parents":["#.repeat(deep);
        let line = format!(
            r#"{{"type":"diagnostic","fields":{{"severity":"error","code":"banned","message":"m","graphs":[{open}{}]}}}}"#,
            "]}".repeat(deep)
        );
        let summary = r#"{"type":"summary","fields":{"bans":{"errors":1,"warnings":0,"notes":0,"helps":0}}}"#;
        assert_eq!(deny(&format!("{line}\n{summary}"), 2).expect("readable").diagnostics.len(), 1);
    }
}
