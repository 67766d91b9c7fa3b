//! Tests of `[policy] new-lints`: findings of lints that the locked version of a tool does not have.

use serde_json::{Value, json};

use crate::locks::{finds, is_of_version, sandbox};
use crate::support::{Sandbox, disabled};

const OLD: &str = "lint::old_one";
const NEW: &str = "lint::new_one";

/// A tool that is locked at 1.94 and installed at 1.95, of this day, which has the lint `new-one`.
fn updated(policy: &str, day: &str) -> Sandbox {
    let sandbox = sandbox(&format!("[policy]\nnew-lints = {policy}\n"));
    sandbox.run(&["lock"], 0);
    is_of_version(&sandbox, &format!("lint 1.95.0 (def {day})"));
    let rules = "  lint::old-one  warn  an old one\n  lint::new-one  warn  a new one\n";
    sandbox.write("rules.txt", rules);
    sandbox
}

/// Returns the causes of the findings of the last run.
fn causes(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let cause = |finding: &Value| {
        let rule = finding["rule"].as_str().unwrap().trim_start_matches("lint::").to_owned();
        format!("{rule}: {}", finding["cause"]["kind"].as_str().unwrap_or("none"))
    };
    report["findings"].as_array().unwrap().iter().map(cause).collect()
}

/// Returns what the last run says about the new lints of the tool.
fn new_lints(sandbox: &Sandbox) -> Value {
    let report = sandbox.json("report.json");
    let tools = report["tools"].as_array().unwrap();
    tools.iter().find(|tool| tool["name"] == "lint").unwrap()["new_lints"].clone()
}

#[test]
fn a_policy_without_a_lock_has_no_effect_and_says_so() {
    let sandbox = sandbox("[policy]\nnew-lints = 'warn'\n");
    finds(&sandbox, &[NEW]);
    let warning = "warning: `new-lints` under [policy] has no effect, because there is no genti.lock; write it with `cargo genti lock`";
    for command in ["run", "check"] {
        let text = sandbox.run(&[command, "--quiet"], 1);
        assert_eq!(text.matches(warning).count(), 1, "{text}");
    }
    let text = sandbox.run(&["lock"], 0);
    assert!(!text.contains("has no effect"), "{text}");
    let text = sandbox.run(&["run"], 1);
    assert!(!text.contains("has no effect"), "{text}");
    std::fs::remove_file(sandbox.root().join("genti.lock")).unwrap();
    sandbox.edit("genti.toml", "'warn'", "'fail'");
    let text = sandbox.run(&["run"], 1);
    assert!(!text.contains("has no effect"), "{text}");
}

#[test]
fn findings_of_new_lints_fail_unless_the_policy_says_otherwise() {
    let sandbox = updated("'fail'", "2020-01-01");
    finds(&sandbox, &[NEW]);
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains("; the new finding is from a new lint\n"), "{text}");
    assert_eq!((causes(&sandbox), new_lints(&sandbox)), (vec!["new_one: none".to_owned()], Value::Null));
    sandbox.edit("genti.toml", "'fail'", "'warn'");
    finds(&sandbox, &[NEW, NEW]);
    let text = sandbox.run(&["check"], 0);
    let note =
        "note: lint 1.95.0 has 1 new lint here: 2 findings; no finding fails: run `cargo genti upgrade`";
    assert!(text.contains(note), "{text}");
    assert!(text.contains("no new findings; 2 findings are of new lints"), "{text}");
    assert!(text.contains("2 of new lints") && !text.contains("it is lint::new_one"), "{text}");
    assert_eq!(causes(&sandbox), ["new_one: new-lint", "new_one: new-lint"]);
    assert_eq!(new_lints(&sandbox), json!({ "rules": [NEW], "until": null }));
    assert!(sandbox.json("report.json")["as_of"].is_null(), "no day decides");
    let text = sandbox.run(&["check", "--verbose"], 0);
    assert!(text.contains("it is lint::new_one"), "{text}");

    // A lint that the locked version has is a reason to fail as always.
    finds(&sandbox, &[NEW, OLD]);
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains("error: 1 new finding\n"), "{text}");
    assert_eq!(causes(&sandbox), ["new_one: new-lint", "old_one: none"]);
    // So is everything once the new version is locked.
    finds(&sandbox, &[NEW]);
    sandbox.run(&["lock"], 0);
    sandbox.run(&["check"], 1);
    assert_eq!(causes(&sandbox), ["new_one: none"]);
}

#[test]
fn a_grace_ends_so_many_days_after_the_release() {
    let sandbox = updated("{ warn-for = '30d' }", "2020-01-01");
    finds(&sandbox, &[NEW]);
    let text = sandbox.run(&["run", "--as-of", "2020-01-31"], 0);
    assert!(text.contains("has 1 new lint here: 1 finding; grace until 2020-01-31: run"), "{text}");
    assert_eq!(new_lints(&sandbox), json!({ "rules": [NEW], "until": "2020-01-31" }));
    assert_eq!(sandbox.json("report.json")["as_of"], "2020-01-31");
    assert_eq!(sandbox.json("run.json")["new_lints"], "warn-for 30d");
    let text = sandbox.run(&["run", "--as-of", "2020-02-01"], 1);
    assert!(text.contains("the new finding is from a new lint; the grace ended on 2020-01-31"), "{text}");
    assert_eq!((causes(&sandbox), new_lints(&sandbox)), (vec!["new_one: none".to_owned()], Value::Null));
    // A day before the commit does not extend the grace in a gate.
    sandbox.commit_all();
    let text = sandbox.run(&["check", "--as-of", "2020-01-31"], 1);
    assert!(text.contains("because the requested date 2020-01-31"), "{text}");

    is_of_version(&sandbox, "lint 1.95.0 (def 2190-01-01)");
    sandbox.run(&["check"], 0);
    for (version, why) in [
        ("lint 1.95.0-nightly (def 2190-01-01)", "there is no grace, because this is not a stable release"),
        ("lint 1.95.0", "there is no grace, because the version of lint states no day"),
    ] {
        is_of_version(&sandbox, version);
        let text = sandbox.run(&["check"], 1);
        assert!(text.contains(why), "{version}: {text}");
    }
}

#[test]
fn every_report_shows_findings_of_new_lints_as_such() {
    let sandbox = updated("{ warn-for = '30d' }", "2190-01-01");
    finds(&sandbox, &[NEW, OLD]);
    sandbox.run(&["run"], 1);
    for (format, expected) in [
        ("human", "note: lint 1.95.0 has 1 new lint here"),
        ("markdown", "### New lints"),
        ("sarif", "\"cause\":\"new-lint\""),
        ("junit", "<skipped message=\"Does not fail yet"),
        ("github", "::notice file=a.txt,line=1,endLine=1,title=lint%3A%3Anew_one::"),
        ("html", "lint 1.95.0 has 1 new lint here: 1 finding; grace until 2190-01-31"),
        ("json", "\"kind\": \"new-lint\""),
    ] {
        let text = sandbox.run(&["report", "--format", format], 0);
        assert!(text.contains(expected), "{format}: {text}");
    }
    let text = sandbox.run(&["run", "--message-format", "short"], 1);
    assert!(text.contains("(new; cause: new-lint)"), "{text}");
    let id = sandbox.json("report.json")["findings"][0]["id"].as_str().unwrap().to_owned();
    let text = sandbox.run(&["explain", &id], 0);
    assert!(
        text.contains("Does not fail yet: the locked version of the tool does not have this lint."),
        "{text}"
    );
    assert!(!text.contains("--against"), "{text}");
}

#[test]
fn a_finished_run_is_judged_by_the_lock_of_the_checkout() {
    let sandbox = updated("{ warn-for = '30d' }", "2190-01-01");
    finds(&sandbox, &[NEW, OLD]);
    sandbox.run(&["baseline", "accept", "--reason", "old", "--rule", OLD], 0);
    sandbox.run(&["check"], 0);
    let kept = sandbox.keep_artifacts();
    let judge = ["check", "--artifacts", kept.to_str().unwrap()];
    let text = sandbox.run(&judge, 0);
    assert!(text.contains("lint 1.95.0 has 1 new lint here"), "{text}");
    let report = kept.join("report.json");
    let original = std::fs::read_to_string(&report).unwrap();
    let forge = |from: &str, to: &str| {
        assert!(original.contains(from), "{from}: {original}");
        std::fs::write(&report, original.replace(from, to)).unwrap();
        let text = sandbox.run(&judge, 1);
        assert!(text.contains("error: report.json: "), "{text}");
    };
    forge("\"until\": \"2190-01-31\"", "\"until\": \"2190-02-28\"");
    forge("\"until\": \"2190-01-31\"", "\"until\": null");
    // The lock of this checkout has this lint.
    forge(NEW, OLD);
    std::fs::write(&report, &original).unwrap();
    sandbox.run(&judge, 0);
    sandbox.edit("genti.lock", "    \"lint::old_one\"", "    \"lint::new_one\",\n    \"lint::old_one\"");
    let text = sandbox.run(&judge, 5);
    assert!(text.contains("graph_hash"), "the tool reads all files: {text}");
}

#[test]
fn fail_fast_does_not_stop_at_a_finding_of_a_new_lint() {
    let sandbox = updated("'warn'", "2020-01-01");
    finds(&sandbox, &[NEW]);
    sandbox.run(&["run", "--fail-fast"], 0);
    // The result is cached now.
    sandbox.run(&["run", "--fail-fast"], 0);
}

#[test]
fn shards_record_new_lints_for_the_merge() {
    let sandbox = updated("{ warn-for = '30d' }", "2190-01-01");
    finds(&sandbox, &[NEW]);
    sandbox.run(&["run"], 0);
    let whole = sandbox.artifact("report.json");
    sandbox.run(&["run", "--shard", "1/1", "--no-cache"], 0);
    sandbox.run(&["merge", "target/genti/artifacts"], 0);
    assert_eq!(String::from_utf8(sandbox.artifact("report.json")), String::from_utf8(whole));
}

#[test]
fn the_change_that_brings_a_toolchain_is_not_excused() {
    let sandbox = updated("'warn'", "2020-01-01");
    finds(&sandbox, &[NEW]);
    sandbox.commit_all();
    assert!(sandbox.git(&["checkout", "-qb", "topic"]));
    let against = |expected: &str| {
        sandbox.run(&["run", "--against", "main"], i32::from(expected == "change"));
        assert_eq!(causes(&sandbox), [format!("new_one: {expected}")]);
    };
    against("tool");
    for (file, expected) in [
        ("src/other.rs", "new-lint"),
        ("notes.md", "new-lint"),
        ("Dockerfile", "change"),
        (".github/workflows/ci.yml", "change"),
        (".tool-versions", "change"),
        ("genti.lock", "change"),
    ] {
        let text = std::fs::read_to_string(sandbox.root().join(file)).unwrap_or_default();
        sandbox.write(file, &format!("{text}\n# changed\n"));
        assert!(sandbox.git(&["add", "-A"]) && sandbox.git(&["commit", "-qm", file]), "{file}");
        against(expected);
        assert!(sandbox.git(&["reset", "-q", "--hard", "main"]));
    }
}

#[test]
fn a_lint_of_clippy_has_no_grace_if_the_repository_names_the_toolchain() {
    let sandbox = Sandbox::library();
    sandbox.write(
        "genti.toml",
        &format!("[policy]\nnew-lints = 'warn'\n{}", disabled(&["fmt", "doc", "test", "doctest"])),
    );
    sandbox.run(&["lock"], 0);
    let text = sandbox.text("genti.lock");
    // Simulates an older clippy without the lint that has a finding here.
    let lines = text.lines().filter(|line| !line.contains("\"clippy::needless_return\""));
    let older: String =
        lines.map(|line| format!("{}\n", line.replace("\"clippy 0.1.", "\"clippy 0.0."))).collect();
    sandbox.write("genti.lock", &older);
    sandbox.edit("src/lib.rs", "    format!(\"Hello, {name}!\")", "    return format!(\"Hello, {name}!\");");
    let text = sandbox.run(&["check"], 0);
    assert!(text.contains("note: clippy 1.") && text.contains(" has 1 new lint here: 1 finding"), "{text}");
    let own = include_str!("../../rust-toolchain.toml");
    sandbox.write("rust-toolchain.toml", own);
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains("there is no grace, because the repository itself names the toolchain"), "{text}");
    // A name such as `stable` means another version every few weeks.
    let channel = own.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap();
    sandbox.write("rust-toolchain.toml", &own.replace(channel, "\"stable\""));
    let mut command = sandbox.command(&["check"]);
    sandbox.expect(&command.env("RUSTUP_TOOLCHAIN", channel.trim_matches('"')).output().unwrap(), 0);
}
