//! Validates reports with the tools of others: SARIF with Microsoft's multitool, JUnit with libxml2 and a schema.
//!
//! `.ci/run` installs the multitool from npm into `target/npm` and names the package with `xmllint`. Where the
//! programs are missing these tests are skipped, but under CI they fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::reports::mixed;
use crate::retries::with_tests;
use crate::support::{Sandbox, is_full};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MULTITOOL: &str = "target/npm/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";

/// Returns whether to continue. Under CI, a missing program is a failure instead of being skipped silently.
#[expect(clippy::print_stderr, reason = "a test that is left out must say so")]
fn is_there(what: &str, is_there: bool, how: &str) -> bool {
    if !is_there {
        assert!(std::env::var_os("CI").is_none(), "{what} is missing: {how}");
        eprintln!("left out: {what} is missing: {how}");
    }
    is_there
}

/// A tool `many` that reports the findings in `many.txt`: one per line, with several rules and levels, some with
/// fixes.
const MANY: &str = "[tools.many]\nrun = ['cat', 'many.json']\nparse = 'rustc-json'\nnamespaces = ['many']\n";

/// Returns a line of cargo's JSON.
fn message(at: usize, level: &str, path: &str, id: &str) -> String {
    let span = serde_json::json!({
        "file_name": path, "line_start": at, "line_end": at, "column_start": 1, "column_end": 4, "is_primary": true,
        "byte_start": 0, "byte_end": 3, "label": "here", "text": [], "expansion": null,
        "suggested_replacement": null, "suggestion_applicability": null,
    });
    let mut mended = span.clone();
    mended["suggested_replacement"] = "good".into();
    mended["suggestion_applicability"] = "MachineApplicable".into();
    let child = serde_json::json!({
        "message": "say it otherwise", "code": null, "level": "help", "spans": [mended], "children": [], "rendered": null,
    });
    let message = serde_json::json!({
        "reason": "compiler-message", "package_id": id,
        "target": { "kind": ["lib"], "name": "clean" },
        "message": {
            "message": format!("bad word {}", at % 7), "code": { "code": format!("many::rule_{}", at % 5), "explanation": null },
            "level": level, "spans": [span], "children": [child], "rendered": null,
        },
    });
    format!("{message}\n")
}

/// Creates a run with `count` findings, some of them in the baseline and some suppressed.
fn many(count: usize) -> Sandbox {
    let suppress = "[[suppress]]\nrule = 'many::rule_3'\nreason = 'known'\nexpires = 2999-01-01\n";
    let sandbox = Sandbox::with_tools(&format!("{MANY}{suppress}"));
    let id = format!("path+file://{}#clean@0.1.0", sandbox.root().canonicalize().unwrap().display());
    let text = |count| (1..=count).map(|at| format!("bad {at}\n")).collect::<String>();
    sandbox.write("text/é ö#1.txt", &text(count));
    let lines = |count| {
        let level = |at| ["warning", "error", "note"][at % 3];
        let artifact = serde_json::json!({
            "reason": "compiler-artifact", "package_id": id, "target": { "kind": ["lib"], "name": "clean" },
            "profile": { "test": false }, "filenames": [],
        });
        let end = format!("{artifact}\n{{\"reason\":\"build-finished\",\"success\":true}}\n");
        (1..=count).map(|at| message(at, level(at), "text/é ö#1.txt", &id)).collect::<String>() + &end
    };
    // With a single finding, nothing is accepted.
    if count > 1 {
        sandbox
            .write("many.json", &(message(count + 1, "warning", "text/gone.txt", &id) + &lines(count / 2)));
        sandbox.run(&["baseline", "accept", "--reason", "as it was"], 0);
    }
    sandbox.write("many.json", &lines(count));
    let output = sandbox.command(&["run"]).output().unwrap();
    sandbox.expect(&output, i32::from(count > 0));
    assert_eq!(sandbox.findings().len(), count);
    sandbox
}

/// Returns the errors and warnings of the multitool for each of `files`, one per line. It takes seconds to start.
fn validate(files: &[Vec<u8>]) -> Vec<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let (name, result) = (|at: usize| format!("{at}.sarif"), dir.path().join("result"));
    for (at, sarif) in files.iter().enumerate() {
        std::fs::write(dir.path().join(name(at)), sarif).unwrap();
    }
    let output = Command::new(Path::new(ROOT).join(MULTITOOL))
        .arg("validate")
        .args((0..files.len()).map(|at| dir.path().join(name(at))))
        .args(["--rule-kind", "Sarif;Ghas", "--log", "ForceOverwrite", "--output"])
        .arg(&result)
        // Without this, it would look for ICU.
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // Its exit code is always 0.
    assert!(said.contains("Analysis completed successfully."), "{said}");
    let result: Value = serde_json::from_slice(&std::fs::read(&result).unwrap()).unwrap();
    let runs = result["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 1);
    let results = runs[0]["results"].as_array().unwrap().iter();
    let mut of_files = vec![Vec::new(); files.len()];
    for result in results.filter(|result| result["level"] != "note" && result["level"] != "none") {
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        let at = (0..files.len()).find(|at| uri.ends_with(&format!("/{}", name(*at)))).unwrap();
        of_files[at].push(format!("{} {}", result["ruleId"], result["message"]));
    }
    of_files
}

fn report(sandbox: &Sandbox, format: &str) -> Vec<u8> {
    let output = sandbox.command(&["report", "--format", format]).output().unwrap();
    sandbox.expect(&output, 0);
    output.stdout
}

fn results(sarif: &[u8]) -> Vec<Value> {
    let sarif: Value = serde_json::from_slice(sarif).unwrap();
    let runs = sarif["runs"].as_array().unwrap();
    runs.iter().flat_map(|run| run["results"].as_array().unwrap().clone()).collect()
}

#[test]
fn microsofts_validator_reports_nothing() {
    let how = "npm install --prefix target/npm @microsoft/sarif-multitool-linux, and make Sarif.Multitool executable";
    if !is_there("the SARIF multitool", Path::new(ROOT).join(MULTITOOL).is_file(), how) {
        return;
    }
    let mut files = Vec::new();
    for count in [0, 1, 30, if is_full() { 5000 } else { 1000 }] {
        let sandbox = many(count);
        let sarif = report(&sandbox, "sarif");
        let results = results(&sarif);
        assert_eq!(results.len(), count);
        let has = |state: &str| results.iter().any(|result| result["baselineState"] == state);
        let is_suppressed =
            |result: &&Value| result["suppressions"].as_array().is_some_and(|list| !list.is_empty());
        assert_eq!((has("new"), has("unchanged")), (count > 1, count > 1));
        assert_eq!(
            results.iter().filter(is_suppressed).count(),
            count.div_ceil(5).min(count) * usize::from(count > 1)
        );
        files.push(sarif);
    }
    files.push(report(&mixed(), "sarif"));
    // Verify that the test can fail.
    let broken = String::from_utf8(files[4].clone()).unwrap().replace("\"informationUri\"", "\"x\"");
    files.push(broken.into_bytes());
    let mut validated = validate(&files);
    assert_ne!(validated.pop().unwrap(), [""; 0]);
    assert_eq!(validated, vec![Vec::<String>::new(); 5]);
}

#[test]
fn a_strict_parser_accepts_the_junit_report() {
    let is_installed = Command::new("xmllint").arg("--version").output().is_ok();
    if !is_there("xmllint", is_installed, "install libxml2-utils") {
        return;
    }
    let check = |sandbox: &Sandbox, xml: &[u8]| {
        let file = sandbox.beside().join("x.xml");
        std::fs::write(&file, xml).unwrap();
        let schema = PathBuf::from(ROOT).join("tests/engine/junit.xsd");
        let mut command = Command::new("xmllint");
        command.args(["--noout", "--nonet", "--schema"]).arg(schema).arg(&file);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let hostile =
        "a:1: error: \u{1b}[31m]]> <![CDATA[ & \u{fffe} \u{ffff} \u{1} \u{85} \" ' <x/> &#0; \u{10ffff}\n";
    let told = Sandbox::with_tools(
        "[tools.told]\nrun = ['cat', 'told.txt']\nparse = { regex = '^(?<path>.+?):(?<line>\\d+): (?<level>\\w+): (?<message>.*)$' }\n",
    );
    told.write("told.txt", hostile);
    told.run(&["run"], 1);
    let tests = Sandbox::of("tests", "w");
    tests.run(&["run", "--tool", "test", "--tool", "doctest"], 1);
    let flaky = with_tests(&[("steady", 0), ("wobbles", 1)], "test", "retries = 1");
    let leaky =
        "#[test]\nfn leaks() {\n    std::process::Command::new(\"sleep\").arg(\"60\").spawn().unwrap();\n}\n";
    flaky.write("tests/leaky.rs", leaky);
    flaky.run(&["run"], 0);
    let xml = String::from_utf8(report(&flaky, "junit")).unwrap();
    assert!(xml.contains("<flakyFailure ") && xml.contains("<system-out>left a process running"), "{xml}");
    for sandbox in [&mixed(), &told, &many(0), &many(30), &tests, &flaky] {
        let xml = report(sandbox, "junit");
        let (is_valid, said) = check(sandbox, &xml);
        assert!(is_valid, "{said}");
        // Verify that the test can fail.
        let broken = String::from_utf8(xml).unwrap().replace("tests=", "assertions=\"1\" tests=");
        assert!(!check(sandbox, broken.as_bytes()).0);
    }
}
