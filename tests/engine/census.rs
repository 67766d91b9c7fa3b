//! Tests of the census, the number of things each tool checked. It is the same in all reports and from the cache.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::Sandbox;

/// Returns the census of `tool` in `report.json`.
pub(crate) fn census(sandbox: &Sandbox, tool: &str) -> Value {
    let report = sandbox.json("report.json");
    let mut tools = report["tools"].as_array().unwrap().iter();
    tools.find(|one| one["name"] == tool).unwrap_or_else(|| panic!("no {tool}"))["census"].clone()
}

/// Returns `target run/ignored/filtered out` for each target of `test`.
fn by_target(sandbox: &Sandbox) -> Vec<String> {
    let of =
        |one: &Value| format!("{} {}/{}/{}", one["target"], one["run"], one["ignored"], one["filtered_out"]);
    census(sandbox, "test")["tests"]["by_target"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn tests_are_counted_by_target_like_cargo_test_does() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.run(&["run", "--tool", "test", "--tool", "doctest"], 1);
    assert_eq!(
        by_target(&sandbox),
        [
            r#""alpha" 4/1/0"#,
            r#""alpha::bin/alpha" 1/0/0"#,
            r#""alpha::custom" null/null/null"#,
            r#""alpha::runs" 4/0/0"#,
            r#""beta" 1/0/0"#,
            r#""macros" 1/0/0"#,
        ]
    );
    let all = census(&sandbox, "test")["tests"].clone();
    assert_eq!((&all["run"], &all["passed"], &all["failed"]), (&json!(11), &json!(9), &json!(2)));
    assert_eq!(all["by_target"][0]["path"], "alpha/src/lib.rs");

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--workspace", "--no-fail-fast", "--target-dir", "target/genti/build"]);
    sandbox.scrub(&mut cargo);
    let output = String::from_utf8(cargo.output().unwrap().stdout).unwrap();
    let of_cargo: Vec<u64> = output.lines().filter_map(passed_and_failed).collect();
    let doc = census(&sandbox, "doctest")["tests"].clone();
    let sum = all["run"].as_u64().unwrap() + doc["run"].as_u64().unwrap();
    assert_eq!(of_cargo.iter().sum::<u64>(), sum, "{output}");
    let packages: Vec<_> = doc["by_package"].as_array().unwrap().iter().map(|one| &one["package"]).collect();
    assert_eq!(packages, ["alpha", "beta", "macros"]);
    assert_eq!(doc["by_package"][0]["run"], 3);
}

fn passed_and_failed(line: &str) -> Option<u64> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let number =
        |word: &str| counts.split("; ").find_map(|count| count.strip_suffix(word)?.parse::<u64>().ok());
    Some(number(" passed")? + number(" failed")?)
}

#[test]
fn a_filter_in_the_configuration_is_visible_in_the_counts() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.write("genti.toml", "[tools.test]\nargs = [\"passes\"]\n");
    let text = sandbox.run(&["run", "--tool", "test"], 0);
    assert_eq!(census(&sandbox, "test")["tests"]["filtered_out"], 8);
    assert!(text.contains("4 tests, 8 filtered out, 6 targets"), "{text}");
}

#[test]
fn compiled_targets_have_the_same_count_when_cargo_replays_them() {
    let sandbox = Sandbox::of("tests", "w");
    let tools = ["run", "--tool", "clippy", "--tool", "doc"];
    sandbox.run(&tools, 0);
    let numbers = || {
        let of = |tool| {
            let census = census(&sandbox, tool);
            (census["packages"].clone(), census["targets"].clone())
        };
        [of("clippy"), of("doc")]
    };
    let expected = [(json!(3), json!(7)), (json!(3), json!(3))];
    assert_eq!(numbers(), expected);
    let cold = sandbox.artifact("report.json");
    sandbox.run(&[&tools[..], &["--no-cache"]].concat(), 0);
    assert_eq!(numbers(), expected, "cargo replayed them");
    sandbox.run(&tools, 0);
    assert_eq!(sandbox.artifact("report.json"), cold, "nothing ran");
}

#[test]
fn a_cached_test_result_keeps_its_counts() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.write("genti.toml", "[tools.test]\ncache = true\n");
    sandbox.run(&["run", "--tool", "test"], 1);
    let cold = sandbox.artifact("report.json");
    let text = sandbox.run(&["run", "--tool", "test"], 1);
    assert_eq!(sandbox.artifact("report.json"), cold);
    assert!(text.contains("11 tests, 1 ignored, 6 targets"), "{text}");
}

#[test]
fn nextest_counts_the_same_tests_for_the_same_targets() {
    let found = Command::new(env!("CARGO")).args(["nextest", "--version"]).output().unwrap();
    if !found.status.success() {
        return;
    }
    let sandbox = Sandbox::of("tests", "w");
    let runs = |tool: &str| {
        let tests = census(&sandbox, tool)["tests"].clone();
        let of = |one: &Value| Some((one["target"].clone(), one["run"].as_u64()?, one["failed"].as_u64()?));
        (
            tests["run"].clone(),
            tests["by_target"].as_array().unwrap().iter().filter_map(of).collect::<Vec<_>>(),
        )
    };
    sandbox.run(&["run", "--tool", "test"], 1);
    let of_test = runs("test");
    sandbox.write("genti.toml", "[tools.nextest]\n");
    sandbox.run(&["run", "--tool", "nextest"], 1);
    assert_eq!(runs("nextest"), of_test);
    let tests = census(&sandbox, "nextest")["tests"].clone();
    assert_eq!(
        (&tests["ignored"], &tests["skipped"]),
        (&Value::Null, &json!(1)),
        "it does not tell them apart"
    );
}

#[test]
fn files_are_counted_once_for_every_batch_policy() {
    let sandbox = Sandbox::with_words("");
    sandbox.run(&["run"], 1);
    assert_eq!(census(&sandbox, "words"), json!({ "files": 2 }));
    let report = sandbox.artifact("report.json");
    for batch in ["1", "by-tool", "by-path"] {
        sandbox.run(&["run", "--no-cache", "--batch", batch], 1);
        assert_eq!(sandbox.artifact("report.json"), report, "{batch}");
    }
    sandbox.run(&["run"], 1);
    assert_eq!(sandbox.artifact("report.json"), report, "cached");
}

#[test]
fn every_human_readable_report_shows_the_census() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.run(&["run", "--tool", "test"], 1);
    let expected = "11 tests, 1 ignored, 6 targets";
    for format in ["human", "markdown", "junit", "html"] {
        let text = sandbox.run(&["report", "--format", format], 0);
        assert!(text.contains(expected), "{format}: {text}");
    }
    // A target that ran no test is not a test case.
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("tests/empty.rs", "//! Has no test.\n");
    sandbox.run(&["run", "--tool", "test"], 0);
    let text = sandbox.run(&["report", "--format", "junit"], 0);
    assert!(text.contains("<testsuite name=\"test clean::greets\"") && !text.contains("empty"), "{text}");
}

#[test]
fn a_finished_run_is_checked_with_its_own_numbers() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.run(&["run"], 1);
    let dir = sandbox.keep_artifacts();
    let text = sandbox.run(&["check", "--artifacts", dir.to_str().unwrap()], 1);
    assert!(text.contains("11 tests, 1 ignored, 6 targets"), "{text}");
    assert!(!text.contains("are not from a run of this checkout"), "{text}");
}
