//! Tests of names of tests on the command line, as in `cargo test -- NAME`.

use std::process::Command;

use serde_json::Value;

use crate::support::Sandbox;

/// Returns `state subject` for each finding.
fn subjects(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| format!("{} {}", text(&finding["state"]), text(&finding["subject"]))).collect()
}

/// Returns the number of tests that `tool` ran.
fn ran(sandbox: &Sandbox, tool: &str) -> Value {
    let report = sandbox.json("report.json");
    let tools = report["tools"].as_array().unwrap();
    tools.iter().find(|one| one["name"] == tool).unwrap()["census"]["tests"]["run"].clone()
}

/// Returns the ids of the tasks of `tool`.
fn ids(sandbox: &Sandbox, tool: &str) -> Vec<Value> {
    let tasks = sandbox.lines("task").into_iter().filter(|task| task["tool"] == tool);
    tasks.map(|task| task["task_id"].clone()).collect()
}

pub(crate) fn has_nextest() -> bool {
    Command::new(env!("CARGO")).args(["nextest", "--version"]).output().unwrap().status.success()
}

#[test]
fn only_the_tests_that_match_a_name_run() {
    // A target with its own harness gets the names too, and runs whatever it wants.
    let sandbox = Sandbox::of("tests", "w");
    std::fs::remove_file(sandbox.root().join("alpha/tests/custom.rs")).unwrap();
    sandbox.edit("alpha/Cargo.toml", "[[test]]\nname = \"custom\"\nharness = false\n", "");
    let mut tools = vec!["test"];
    if has_nextest() {
        tools.push("nextest");
    }
    for tool in tools {
        sandbox.write("genti.toml", &format!("[tools.{tool}]\n"));
        sandbox.run(&["run", "--tool", tool, "--", "returns_an", "tests::passes"], 1);
        assert_eq!(subjects(&sandbox), ["new alpha tests::returns_an_error"], "{tool}");
        assert_eq!(ran(&sandbox, tool), 3, "{tool}");
        sandbox.run(&["run", "--tool", tool, "--", "add"], 3);
        assert!(
            sandbox.run(&["run", "--tool", tool, "--", "no_such"], 3).contains("no test matches `no_such`")
        );
    }
    sandbox.run(&["run", "--tool", "doctest", "--", "twice"], 0);
    assert_eq!(ran(&sandbox, "doctest"), 1);
    // It is enough that one of the tools has such a test.
    sandbox.write("genti.toml", "");
    sandbox.run(&["run", "--tool", "test", "--tool", "doctest", "--", "twice"], 0);
}

#[test]
fn names_of_tests_make_a_partial_run_that_fixes_nothing() {
    let sandbox = Sandbox::of("tests", "w");
    let only = ["--tool", "test"];
    sandbox.run(&[&["baseline", "init"], &only[..]].concat(), 0);
    let baseline = sandbox.baseline("test");
    sandbox.run(&[&["run"], &only[..]].concat(), 0);
    let whole = ids(&sandbox, "test");
    sandbox.edit("alpha/src/lib.rs", "Err(\"on purpose\".to_owned())", "Ok(())");

    let named = ["--tool", "test", "--", "returns_an_error"];
    let text = sandbox.run(&[&["check"], &named[..]].concat(), 5);
    assert!(text.contains("`returns_an_error` (-- returns_an_error) instead of `all tests`"), "{text}");
    let text = sandbox.run(&[&["check", "--partial"], &named[..]].concat(), 0);
    assert!(!text.contains("empty-test-target"), "{text}");
    let report = sandbox.json("report.json");
    let gone: Vec<_> = report["gone"].as_array().unwrap().iter().map(|gone| gone["state"].clone()).collect();
    assert_eq!(gone, ["unknown", "unknown"], "one of them passes now, and the other did not run");
    assert_eq!(sandbox.json("run.json")["selection"]["filters"], serde_json::json!(["returns_an_error"]));
    assert_eq!(sandbox.json("run.json")["selection"]["whole"], false);
    let filtered = ids(&sandbox, "test");
    assert!(filtered.iter().all(|id| !whole.contains(id)), "results under names are others");

    // The artifacts of such a run are judged like those of any partial run.
    let dir = sandbox.keep_artifacts();
    let kept = dir.to_str().unwrap();
    sandbox.run(&[&["check", "--partial", "--artifacts", kept], &named[..]].concat(), 0);
    sandbox.run(&["check", "--partial", "--artifacts", kept, "--tool", "test"], 5);

    sandbox.run(&[&["baseline", "update"], &named[..]].concat(), 0);
    assert_eq!(sandbox.baseline("test"), baseline);
    let text = sandbox.run(&[&["plan"], &named[..]].concat(), 0);
    assert!(text.contains("test"), "{text}");
    sandbox.run(&[&["verify"], &named[..]].concat(), 0);
}

#[test]
fn cached_results_under_names_are_kept_apart() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.write("genti.toml", "[tools.test]\ncache = true\n");
    let hits = || {
        let tasks = sandbox.lines("task").into_iter().filter(|task| task["tool"] == "test");
        tasks.filter(|task| task["timing"]["cache"] == "hit").count()
    };
    let filtered = ["run", "--tool", "test", "-p", "beta", "--", "passes"];
    let whole = ["run", "--tool", "test", "-p", "beta"];
    for (args, expected) in [(&filtered[..], 0), (&whole, 0), (&filtered, 1), (&whole, 1)] {
        sandbox.run(args, 0);
        assert_eq!(hits(), expected, "{args:?}");
    }
}
