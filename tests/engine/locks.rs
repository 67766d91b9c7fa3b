//! Tests of `genti.lock`: its content, and the effects of another version.

use crate::support::{Sandbox, disabled};

/// A tool that takes its version from its program and its rules from a file, and that finds `a.txt:1: rule
/// message`.
const TOOL: &str = "[tools.lint]\nrun = ['cat', 'found.sarif']\nparse = 'sarif'\nnamespaces = ['lint']\n\
                    version = ['./version.sh']\nrules = ['cat', 'rules.txt']\n";

pub(crate) fn sandbox(config: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&format!("{config}{TOOL}"));
    is_of_version(&sandbox, "lint 1.94.0 (abc)");
    sandbox.write("rules.txt", "  lint::old-one  warn  an old one\n");
    finds(&sandbox, &[]);
    sandbox.write("a.txt", "one\ntwo\nthree\n");
    sandbox
}

pub(crate) fn is_of_version(sandbox: &Sandbox, version: &str) {
    use std::os::unix::fs::PermissionsExt;
    sandbox.write("version.sh", &format!("#!/bin/sh\necho '{version}'\n"));
    let path = sandbox.root().join("version.sh");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn update(sandbox: &Sandbox) {
    is_of_version(sandbox, "lint 1.95.0 (def)");
    let rules = "  lint::old-one  warn  an old one\n  lint::new-one  warn  a new one\n";
    sandbox.write("rules.txt", rules);
}

/// Makes the tool report findings with these rules, one per line.
pub(crate) fn finds(sandbox: &Sandbox, rules: &[&str]) {
    let result = |(line, rule): (usize, &&str)| {
        serde_json::json!({
            "ruleId": rule,
            "message": { "text": format!("it is {rule}") },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": "a.txt" }, "region": { "startLine": line },
            } }],
        })
    };
    let results: Vec<_> = (1..).zip(rules).map(result).collect();
    let run = serde_json::json!({ "tool": { "driver": { "name": "lint" } }, "results": results });
    let sarif = serde_json::json!({ "version": "2.1.0", "runs": [run] });
    sandbox.write("found.sarif", &sarif.to_string());
}

fn lock(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.root().join("genti.lock")).unwrap()
}

#[test]
fn the_lock_file_contains_what_the_tools_report_and_stays_unchanged() {
    let sandbox = sandbox("");
    let text = sandbox.run(&["lock"], 0);
    assert!(text.contains("Locked lint: lint 1.94.0 (abc)") && text.contains("Wrote genti.lock"), "{text}");
    let expected =
        "format = 1\n\n[tools.lint]\nversion = \"lint 1.94.0 (abc)\"\nrules = [\n    \"lint::old_one\",\n]\n";
    let written = lock(&sandbox);
    assert!(written.starts_with("# Versions of the tools") && written.ends_with(expected), "{written}");
    let text = sandbox.run(&["lock"], 0);
    assert!(text.contains("genti.lock is up to date"), "{text}");
    update(&sandbox);
    let text = sandbox.run(&["lock"], 0);
    assert!(text.contains("Locked lint: lint 1.95.0 (def) (was lint 1.94.0 (abc))"), "{text}");
    assert!(lock(&sandbox).contains("    \"lint::new_one\",\n    \"lint::old_one\",\n"));
}

#[test]
fn the_lock_file_is_next_to_the_configuration() {
    let sandbox = sandbox("");
    for (config, expected) in
        [(".config/genti.toml", ".config/genti.lock"), ("ci/other.toml", "ci/genti.lock")]
    {
        sandbox.write(config, &std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap());
        sandbox.run(&["lock", "--config-file", config], 0);
        assert!(sandbox.root().join(expected).exists(), "{expected}");
    }
}

#[test]
fn another_version_is_reported_with_the_findings_it_explains() {
    let sandbox = sandbox("");
    sandbox.run(&["lock"], 0);
    let silent = |text: &str| !text.contains(" locked");
    assert!(silent(&sandbox.run(&["check"], 0)));
    update(&sandbox);
    let told = |rules: &[&str], expected: &str| {
        finds(&sandbox, rules);
        for command in ["run", "check"] {
            let text = sandbox.run(&[command], i32::from(!rules.is_empty()));
            let note = format!("note: lint 1.95.0 is installed, but 1.94.0 is locked{expected}\n");
            assert!(text.contains(&note), "{expected}: {text}");
        }
    };
    told(&[], "");
    let (old, new) = ("lint::old_one", "lint::new_one");
    told(&[old, new, new], "; 2 of the 3 new findings are from new lints");
    told(&[old, old], "; none of the 2 new findings are from new lints");
    told(&[new], "; the new finding is from a new lint");
    // This is a notice and does not reach any artifact.
    assert!(!String::from_utf8(sandbox.artifact("report.json")).unwrap().contains("locked"));
    // Without the list of rules, new lints are not known.
    sandbox.edit("genti.lock", "rules = [\n    \"lint::old_one\",\n]\n", "");
    told(&[], "");
    let unknown = "which of them are from new lints is not known, because genti.lock lists no lints";
    told(&[new], &format!("; {unknown}"));
}

#[test]
fn another_version_is_drift_if_locking_is_required() {
    let sandbox = sandbox("");
    let config = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    sandbox.write("genti.toml", &format!("locked = true\n{config}"));
    let text = sandbox.run(&["check"], 5);
    let none = "the version of lint differs from the configuration: `lint 1.94.0 (abc)` (installed) instead of `none` (genti.lock)";
    assert!(text.contains(none), "{text}");
    sandbox.run(&["lock"], 0);
    sandbox.run(&["check"], 0);
    let kept = sandbox.keep_artifacts();
    let judge = ["check", "--artifacts", kept.to_str().unwrap()];
    sandbox.run(&judge, 0);
    update(&sandbox);
    let text = sandbox.run(&["check"], 5);
    let other = "`lint 1.95.0 (def)` (installed) instead of `lint 1.94.0 (abc)` (genti.lock)";
    assert!(text.contains(other) && text.contains("with `cargo genti lock`"), "{text}");
    // Only a gate checks it.
    sandbox.run(&["run"], 0);
    sandbox.run(&["lock"], 0);
    sandbox.run(&["check"], 0);
    // The finished run used the previous version, and the files it checked have changed too.
    let text = sandbox.run(&judge, 5);
    assert!(text.contains("the version of lint is `lint 1.94.0 (abc)` in "), "{text}");
}

#[test]
fn a_missing_tool_prevents_locking_unless_it_was_only_detected() {
    let gone = "[tools.gone]\nrun = ['genti-no-such-tool']\nversion = ['genti-no-such-tool', '-V']\n";
    let missing = sandbox(gone);
    let text = missing.run(&["lock"], 3);
    assert!(text.contains("error: gone: `genti-no-such-tool` is not installed"), "{text}");
    assert!(!missing.root().join("genti.lock").exists());
    let detected = sandbox("");
    detected.write("typos.toml", "");
    let mut command = detected.command(&["lock"]);
    let output = command.env("PATH", path_without_typos()).output().unwrap();
    let text = detected.expect(&output, 0);
    assert!(
        text.contains("note: could not determine the version of typos: `typos` is not installed"),
        "{text}"
    );
}

/// Returns a PATH with cargo and the tools of these tests.
fn path_without_typos() -> String {
    let cargo = std::path::Path::new(env!("CARGO")).parent().unwrap().display().to_string();
    format!("{cargo}:/usr/bin:/bin")
}

#[test]
fn an_invalid_lock_file_is_an_error_with_its_place() {
    let sandbox = sandbox("");
    sandbox.write("genti.lock", "format = 1\n[tools.lint]\nversion = 1\n");
    let text = sandbox.run(&["run"], 2);
    assert!(text.contains("genti.lock:3:11") && text.contains("expected a string"), "{text}");
    sandbox.write("genti.lock", "format = 9\n");
    assert!(sandbox.run(&["check"], 2).contains("this version of genti only supports lock format 1"));
}

#[test]
fn clippy_and_rustdoc_report_their_lints() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("genti.toml", &disabled(&["fmt", "test", "doctest"]));
    sandbox.run(&["lock"], 0);
    let text = lock(&sandbox);
    let (clippy, doc) = text.split_once("[tools.doc]").unwrap();
    for lint in ["clippy::needless_return", "clippy::todo", "unused_variables", "missing_docs"] {
        assert!(clippy.contains(&format!("    \"{lint}\",\n")), "{lint}: {text}");
    }
    assert!(doc.contains("    \"rustdoc::broken_intra_doc_links\",\n") && !doc.contains("unused"), "{doc}");
    assert!(!clippy.contains("rustdoc::"), "{clippy}");

    // Simulates an older clippy without the lint that has a finding here.
    let lines = text.lines().filter(|line| !line.contains("\"clippy::needless_return\""));
    let older: String =
        lines.map(|line| format!("{}\n", line.replace("\"clippy 0.1.", "\"clippy 0.0."))).collect();
    sandbox.write("genti.lock", &older);
    sandbox.edit("src/lib.rs", "    format!(\"Hello, {name}!\")", "    return format!(\"Hello, {name}!\");");
    let text = sandbox.run(&["run", "--tool", "clippy"], 1);
    let said = " locked; the new finding is from a new lint";
    assert!(text.contains(said), "{text}");
}
