//! Tests of cargo-nextest whose results are cached one by one.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;

use crate::filters::has_nextest;
use crate::sandboxed_tests::with_programs;
use crate::support::Sandbox;

/// The test programs, each with one test.
const PROGRAMS: [(&str, &str); 7] = [
    ("attempt", "assert!(std::env::var_os(\"NEXTEST_RUN_ID\").is_none_or(|id| id.len() > 1));"),
    ("built", "assert!(std::path::Path::new(env!(\"CARGO_BIN_EXE_w\")).is_file());"),
    ("fixture", "assert_eq!(std::fs::read_to_string(\"../data/file\").unwrap(), \"good\");"),
    ("outside", "assert!(std::fs::read_to_string(\"../../outside\").map_or(true, |text| text != \"bad\"));"),
    ("pure", "assert_eq!(w::two(), 2);"),
    (
        "runner",
        "assert!(!std::env::vars().any(|(name, _)| name.ends_with(\"_RUNNER\") || name == \"GENTI_TESTS\"));",
    ),
    ("variable", "assert!(std::env::var(\"APP_MODE\").as_deref() != Ok(\"bad\"));"),
];

/// Returns a workspace with these programs and one program that is none; nothing if something is missing here.
fn with_nextest(programs: &[(&str, &str)]) -> Option<Sandbox> {
    let sandbox = with_programs(programs).filter(|_| has_nextest())?;
    let config = sandbox.text("genti.toml").replace("[tools.test]", "[tools.nextest]");
    sandbox.write("genti.toml", &config);
    sandbox.write("w/src/main.rs", "fn main() {}\n");
    sandbox.write("data/file", "good");
    sandbox.write("../outside", "good");
    Some(sandbox)
}

/// Returns the tests that ran, each by the name of its program.
fn ran(sandbox: &Sandbox) -> BTreeSet<String> {
    let text = std::fs::read(sandbox.root().join("target/genti/explain.json")).unwrap();
    let reasons: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let tools = reasons["tools"].as_array().unwrap();
    let nextest = tools.iter().find(|tool| tool["tool"] == "nextest").unwrap();
    let name = |task: &serde_json::Value| {
        let name = task["unit"].as_str().unwrap().strip_prefix("w::").unwrap();
        name.strip_suffix(" works").unwrap_or(name).to_owned()
    };
    nextest["ran"].as_array().unwrap().iter().map(name).collect()
}

#[track_caller]
fn check(sandbox: &Sandbox, what: &str, vars: &[(&str, &str)], code: i32, expected: &[&str]) -> String {
    let mut command = sandbox.command(&["run"]);
    let text = sandbox.expect(&command.envs(vars.iter().copied()).output().unwrap(), code);
    let explained = sandbox.run(&["explain", "nextest"], 0);
    let expected: BTreeSet<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(ran(sandbox), expected, "{what}: {text}\n{explained}");
    text
}

#[test]
fn a_test_of_nextest_runs_again_exactly_when_something_that_decides_about_it_has_changed() {
    let Some(sandbox) = with_nextest(&PROGRAMS) else { return };
    let all = PROGRAMS.map(|(name, _)| name);
    check(&sandbox, "first run", &[], 0, &all);
    let report = sandbox.artifact("report.json");
    // A test that may look at the number of the run, and one that looks outside.
    let never = ["attempt", "outside"];
    check(&sandbox, "nothing", &[], 0, &never);
    assert_eq!(sandbox.artifact("report.json"), report, "each test is still counted");
    let text = sandbox.run(&["explain", "nextest"], 0);
    assert!(text.contains("contains the name of the variable `NEXTEST_RUN_ID`"), "{text}");
    sandbox.write("data/file", "bad");
    let text = check(&sandbox, "a fixture", &[], 1, &["attempt", "fixture", "outside"]);
    assert!(text.contains("error[failed]: w::fixture works"), "{text}");
    check(&sandbox, "a failure is not cached", &[], 1, &["attempt", "fixture", "outside"]);
    sandbox.write("data/file", "good");
    check(&sandbox, "back again", &[], 0, &never);
    sandbox.edit("w/src/lib.rs", "    2\n", "    3\n");
    sandbox.run(&["run"], 1);
    assert!(ran(&sandbox).contains("pure"));
    sandbox.edit("w/src/lib.rs", "    3\n", "    2\n");
    check(&sandbox, "a source, and back again", &[], 0, &never);
    sandbox.write("../outside", "bad");
    check(&sandbox, "a file outside", &[], 1, &never);
    sandbox.write("../outside", "good");
    check(&sandbox, "a variable", &[("APP_MODE", "bad")], 1, &all);
}

#[test]
fn a_test_that_nextest_tries_again_or_ends_is_not_cached() {
    let flaky = "if std::env::var(\"NEXTEST_ATTEMPT\").as_deref() == Ok(\"1\") { panic!() }";
    let slow = "if std::path::Path::new(\"../data/slow\").exists() { loop { std::thread::park(); } }";
    let Some(sandbox) = with_nextest(&[("flaky", flaky), ("slow", slow)]) else { return };
    sandbox.write(
        ".config/nextest.toml",
        "[profile.default]\nretries = 1\n\n[[profile.default.overrides]]\nfilter = 'binary(slow)'\nretries = 0\n\
         slow-timeout = { period = '10s', terminate-after = 1 }\n",
    );
    check(&sandbox, "first run", &[], 0, &["flaky", "slow"]);
    check(&sandbox, "a flaky test", &[], 0, &["flaky"]);
    sandbox.write("data/slow", "");
    // The process ends with its wrapper.
    check(&sandbox, "a test that is ended", &[], 1, &["flaky", "slow"]);
    std::fs::remove_file(sandbox.root().join("data/slow")).unwrap();
    check(&sandbox, "back again", &[], 0, &["flaky"]);
}

#[test]
fn the_runner_of_the_user_is_kept_and_nothing_is_cached() {
    let Some(sandbox) = with_nextest(&[("pure", "assert_eq!(w::two(), 2);")]) else { return };
    sandbox.write(".cargo/config.toml", "[target.'cfg(all())']\nrunner = ['env', 'OWN=1']\n");
    sandbox.write(
        "w/tests/pure.rs",
        "#[test]\nfn works() {\n    assert!(std::env::var_os(\"OWN\").is_some());\n}\n",
    );
    for _ in 0..2 {
        sandbox.run(&["run"], 0);
        let text = sandbox.run(&["explain", "nextest"], 0);
        assert!(text.contains("its tests can't be observed: cargo's configuration has a `runner`"), "{text}");
    }
}
