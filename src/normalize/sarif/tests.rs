use snapbox::str;

use crate::model::task::Unit;
use crate::model::tool::Parse;
use crate::normalize::testing::{assert_shown, run, tool, workspace};
use crate::normalize::{Parsed, Unparsable};

fn sarif(stdout: &str, stderr: &str, code: i32) -> Result<Parsed, Unparsable> {
    run(
        &workspace(&[], &[]),
        &tool("lint", Parse::Sarif, &["lint"]),
        &[Unit::Workspace],
        stdout,
        stderr,
        code,
    )
}

/// Returns a log with one run that has these results and more fields.
fn log(results: &str, rest: &str) -> String {
    format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"x","rules":[
            {{"id":"R1","defaultConfiguration":{{"level":"error"}},"messageStrings":{{"default":{{"text":"{{0}} is {{{{not}}}} {{1}} {{9}}"}}}}}},
            {{"id":"R2"}}]}}}},"results":[{results}]{rest}}}]}}"#
    )
}

fn at(uri: &str) -> String {
    format!(
        r#"{{"physicalLocation":{{"artifactLocation":{uri},"region":{{"startLine":3,"startColumn":2,"endColumn":5}}}}}}"#
    )
}

#[track_caller]
fn check(results: &str, rest: &str, expected: impl snapbox::IntoData) {
    assert_shown(&sarif(&log(results, rest), "", 0).expect("readable"), expected);
}

#[test]
fn results_become_diagnostics() {
    let results = format!(
        r#"{{"ruleIndex":0,"message":{{"id":"default","arguments":["a","b"]}},"locations":[{}]}},
           {{"ruleId":"R2","ruleIndex":-1,"message":{{"text":"two"}},"relatedLocations":[{}]}},
           {{"rule":{{"id":"R1","index":0}},"level":"note","message":{{"text":"in /w/ws/x"}}}}"#,
        at(r#"{"uri":"a%20b/%C3%BC.c"}"#),
        at(r#"{"uri":"y.c"}"#),
    );
    check(
        &results,
        "",
        str![[r#"
error lint R1 a b/ü.c 3:2-3:5: a is {not} b {9}
note lint R1 lint: in x
warning lint R2 lint: two
  also here at y.c 3:2-3:5

"#]],
    );
}

#[test]
fn results_that_are_not_complaints_are_dropped() {
    let results = [
        r#""level":"none""#,
        r#""kind":"pass""#,
        r#""kind":"notApplicable","level":"error""#,
        r#""suppressions":[{"kind":"inSource"}]"#,
        r#""baselineState":"absent""#,
    ]
    .map(|fields| format!(r#"{{"ruleId":"R2","message":{{"text":"m"}},{fields}}}"#));
    check(&results.join(","), "", "");
    check(
        r#"{"ruleId":"R2","message":{"text":"m"},"suppressions":[{"kind":"external","status":"rejected"}]}"#,
        "",
        str![[r#"
warning lint R2 lint: m

"#]],
    );
}

#[test]
fn results_without_a_level_that_are_complaints_are_kept() {
    let result =
        |kind: &str| format!(r#"{{"ruleId":"R2","message":{{"text":"m"}},"level":"none","kind":"{kind}"}}"#);
    let note = str![[r#"
note lint R2 lint: m

"#]];
    check(&result("fail"), "", note.clone());
    check(&result("informational"), "", note);
    let warning = str![[r#"
warning lint R2 lint: m

"#]];
    check(&result("open"), "", warning.clone());
    check(&result("review"), "", warning);
}

#[test]
fn uris_are_resolved_through_their_bases() {
    let bases = r#","originalUriBaseIds":{"ROOT":{"uri":"file:///w/ws/"},"SRC":{"uri":"src/","uriBaseId":"ROOT"},"LOOP":{"uri":"l/","uriBaseId":"LOOP"}},"artifacts":[{"location":{"uri":"from/index.c"}}]"#;
    let place = |uri: &str| {
        let result = format!(r#"{{"message":{{"text":"m"}},"locations":[{}]}}"#, at(uri));
        let parsed = sarif(&log(&result, bases), "", 0).expect("readable");
        parsed.diagnostics[0].place.name()
    };
    assert_eq!(place(r#"{"uri":"x.c"}"#), "x.c");
    assert_eq!(place(r#"{"uri":"file:///w/ws/x.c"}"#), "x.c");
    assert_eq!(place(r#"{"uri":"file://localhost/w/ws/x.c"}"#), "x.c");
    assert_eq!(place(r#"{"uri":"x.c","uriBaseId":"SRC"}"#), "src/x.c");
    assert_eq!(place(r#"{"uri":"x.c","uriBaseId":"%SRCROOT%"}"#), "x.c");
    assert_eq!(place(r#"{"index":0}"#), "from/index.c");
    assert_eq!(place(r#"{"uri":"file:///home/me/x.c"}"#), "[HOME]/x.c");
    assert_eq!(place(r#"{"uri":"https://example.org/x.c"}"#), "https://example.org/x.c");
    assert_eq!(place(r#"{"index":-1}"#), "lint");
    assert!(place(r#"{"uri":"x.c","uriBaseId":"LOOP"}"#).starts_with("l/"));
}

#[test]
fn a_failed_run_is_a_gap() {
    let check = |invocation: &str, expected: &str| {
        let rest = format!(r#","invocations":[{invocation}]"#);
        let gaps = sarif(&log("", &rest), "", 0).expect("readable").gaps;
        assert_eq!(gaps.first().map(|gap| &*gap.reason), Some(expected));
    };
    check(r#"{"executionSuccessful":false}"#, "the tool reported that it failed");
    check(
        r#"{"executionSuccessful":false,"toolExecutionNotifications":[{"level":"error","message":{"text":"no /w/ws/x"}}]}"#,
        "no x",
    );
    // Regardless of what it reports in general.
    let notifications =
        r#"[{"level":"warning","message":{"text":"w"}},{"level":"error","message":{"text":"e"}}]"#;
    for kind in ["toolExecutionNotifications", "toolConfigurationNotifications"] {
        check(&format!(r#"{{"executionSuccessful":true,"{kind}":{notifications}}}"#), "e");
        check(
            &format!(
                r#"{{"executionSuccessful":true}},{{"executionSuccessful":true,"{kind}":{notifications}}}"#
            ),
            "e",
        );
    }
    check(r#"{"executionSuccessful":true,"processStartFailureMessage":"no such file"}"#, "no such file");
    check(r#"{"executionSuccessful":true,"exitSignalName":"SIGSEGV"}"#, "the tool reported that it failed");
    let warned = r#","invocations":[{"executionSuccessful":true,"toolExecutionNotifications":[{"message":{"text":"w"}}]}]"#;
    assert_eq!(sarif(&log("", warned), "", 0), Ok(Parsed::default()));
    let gaps = |stdout: &str, stderr: &str, code| sarif(stdout, stderr, code).expect("readable").gaps.len();
    assert_eq!(gaps(r#"{"version":"2.1.0","runs":[{"tool":{"driver":{}},"results":null}]}"#, "", 0), 1);
    assert_eq!(gaps(&log("", ""), "error: broken", 2), 1);
    assert_eq!(gaps(&log(r#"{"message":{"text":"m"}}"#, ""), "", 1), 0);
    assert_eq!(gaps(&log("", ""), "", 0), 0);
}

#[test]
fn a_log_without_runs_or_with_external_results_is_a_gap() {
    let reason =
        |log: &str| sarif(log, "", 0).expect("readable").gaps.into_iter().map(|gap| gap.reason).next();
    let none = r#"{"version":"2.1.0","runs":[]}"#;
    assert_eq!(reason(none).as_deref(), Some("the SARIF log contains no runs"));
    let elsewhere = "the SARIF log has results in external properties, which are not supported";
    let external = r#","externalPropertyFileReferences":{"results":[{"location":{"uri":"r.json"}}]}"#;
    assert_eq!(reason(&log("", external)).as_deref(), Some(elsewhere));
    let inline = r#""inlineExternalProperties":[{"results":[{"message":{"text":"m"}}]}],"runs""#;
    assert_eq!(reason(&log("", "").replace("\"runs\"", inline)).as_deref(), Some(elsewhere));
    let other = r#","externalPropertyFileReferences":{"artifacts":[{}]}"#;
    assert_eq!(reason(&log("", other)), None);
}

#[test]
fn invalid_sarif_is_unparsable() {
    let log = log("", "");
    for at in 0..log.len() {
        assert!(sarif(&log[..at], "", 0).is_err());
    }
    for other in ["{}", r#"{"runs":null}"#, r#"{"results":[{"message":{"text":"m"}}]}"#] {
        assert!(sarif(other, "", 0).is_err(), "{other}");
    }
    assert_eq!(sarif(&format!("\u{feff}{log}"), "", 0), Ok(Parsed::default()));
    for version in ["3.0.0", "2.0.0", "2.1", ""] {
        let other = log.replace("2.1.0", version);
        let error = sarif(&other, "", 0).unwrap_err().to_string();
        assert_eq!(error, format!("unsupported SARIF version {version}; only 2.1.0 is supported"));
    }
    assert!(sarif(&log.replace("2.1.0", "2.1.0-rtm.5"), "", 0).is_ok());
    for version in ["", "\"version\":null,"] {
        let other = log.replace("\"version\":\"2.1.0\",", version);
        assert_eq!(sarif(&other, "", 0), Err(Unparsable("invalid SARIF: missing `version`".to_owned())));
    }
    assert_eq!(sarif("", "error: no config", 2), Err(Unparsable("exited with 2: no config".to_owned())));
}
