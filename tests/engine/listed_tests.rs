//! Tests of the list of tests in the artifacts and reports, and of the output of failed tests.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::Sandbox;

const RUN: [&str; 5] = ["run", "--tool", "test", "--tool", "doctest"];

/// Returns the tests of each target or package: `NAME: failed …, ignored …, passed …`.
fn listed(sandbox: &Sandbox, tool: &str) -> BTreeMap<String, Value> {
    let lines = sandbox.lines("task").into_iter().filter(|line| line["tool"] == tool);
    let tests = lines.flat_map(|line| line["tests"].as_array().cloned().unwrap_or_default());
    let mut all = BTreeMap::new();
    for mut of in tests {
        let fields = of.as_object_mut().unwrap();
        let name = fields.remove("target").or_else(|| fields.remove("package")).unwrap();
        assert_eq!(all.insert(name.as_str().unwrap().to_owned(), of), None);
    }
    all
}

fn len(list: &Value) -> u64 {
    list.as_array().map_or(0, Vec::len) as u64
}

/// Returns the lines of `tasks.jsonl` without what may differ between identical runs.
fn without_timing(sandbox: &Sandbox) -> Vec<Value> {
    let text = String::from_utf8(sandbox.artifact("tasks.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|mut line| {
            line.as_object_mut().unwrap().remove("timing");
            line
        })
        .collect()
}

#[test]
fn each_test_is_listed_with_its_outcome_and_agrees_with_the_counts() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.run(&RUN, 1);
    let tests = listed(&sandbox, "test");
    assert_eq!(
        tests["alpha"],
        json!({
            "failed": ["tests::fails", "tests::returns_an_error"],
            "ignored": ["tests::is_ignored"],
            "passed": ["tests::panics_as_it_should", "tests::passes"],
        })
    );
    let docs = listed(&sandbox, "doctest");
    assert_eq!(docs["alpha"]["failed"], json!(["alpha/src/lib.rs - add (line 9)"]));
    let report = sandbox.json("report.json");
    for (tool, tests, key, groups) in
        [("test", &tests, "target", "by_target"), ("doctest", &docs, "package", "by_package")]
    {
        let mut tools = report["tools"].as_array().unwrap().iter();
        let counts = &tools.find(|one| one["name"] == tool).unwrap()["census"]["tests"][groups];
        for of in counts.as_array().unwrap().iter().filter(|of| of["run"].as_u64().unwrap_or(0) > 0) {
            let list = &tests[of[key].as_str().unwrap()];
            assert_eq!(len(&list["failed"]), of["failed"].as_u64().unwrap(), "{of}");
            assert_eq!(len(&list["passed"]), of["passed"].as_u64().unwrap(), "{of}");
            assert_eq!(len(&list["ignored"]), of["ignored"].as_u64().unwrap_or(0), "{of}");
        }
    }
    let dir = sandbox.keep_artifacts();
    let text = sandbox.run(&["check", "--artifacts", dir.to_str().unwrap(), "--partial"], 5);
    assert!(text.contains("policy drift"), "other tools: {text}");
}

#[test]
fn cached_results_list_the_same_tests_here_and_in_another_checkout() {
    let cache = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for place in ["a", "b"] {
        let sandbox = Sandbox::of("tests", place);
        sandbox.write("genti.toml", "[tools.test]\ncache = true\n[tools.doctest]\ncache = true\n");
        for _ in ["cold or carried", "warm"] {
            let mut command = sandbox.command(&RUN);
            sandbox.expect(&command.env("GENTI_CACHE_DIR", cache.path()).output().unwrap(), 1);
            all.push((without_timing(&sandbox), sandbox.artifact("report.json")));
        }
        let line = sandbox.lines("task").into_iter().find(|line| line["unit"] == "alpha/src/lib.rs").unwrap();
        assert_eq!(line["timing"]["cache"], "hit");
        assert_eq!(len(&line["tests"][0]["failed"]), 2);
        let text = sandbox.run(&["report"], 0);
        assert!(text.contains("output of alpha tests::fails:"), "{text}");
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Creates a workspace in which only `tool` runs, with this library.
fn with_tests(tool: &str, text: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools("");
    sandbox.edit("genti.toml", &format!("[tools.{tool}]\nenabled = false\n"), "");
    sandbox.write("src/lib.rs", text);
    let only_lib = "autobins = false\nautoexamples = false\nautotests = false\nbuild = false\n";
    sandbox.write(
        "Cargo.toml",
        &format!(
            "[package]\nname = \"clean\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{only_lib}[workspace]\n"
        ),
    );
    let _ = std::fs::remove_file(sandbox.root().join("Cargo.lock"));
    sandbox
}

#[test]
fn an_edited_list_of_tests_is_found_by_check() {
    let sandbox = with_tests("test", "#[test]\nfn a() {}\n\n#[test]\nfn b() {}\n");
    sandbox.run(&["run"], 0);
    let dir = sandbox.keep_artifacts();
    let check = |from: &str, to: &str, expected: &str| {
        let path = dir.join("tasks.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let shown = sandbox.run(&["check", "--artifacts", dir.to_str().unwrap()], 1);
        assert!(shown.contains(expected), "{shown}");
        std::fs::write(&path, text).unwrap();
    };
    let list = r#""passed":["a","b"]"#;
    check(list, r#""passed":["b","a"]"#, "tasks.jsonl: line");
    check(list, r#""passed":["a","b","c"]"#, "3 tests of clean are listed, but report.json counts 2");
    check(list, r#""failed":["b"],"passed":["a"]"#, "`b` failed in a task without findings");
    sandbox.run(&["check", "--artifacts", dir.to_str().unwrap()], 0);
}

/// A failing test that prints, one that passes, and an ignored one.
const PRINTS: &str = "#[test]\nfn fails() {\n    println!(\"to stdout\");\n    eprintln!(\"to stderr\");\n    \
    assert_eq!(1, 2, \"numbers differ\");\n}\n\n#[test]\nfn passes() {}\n\n#[test]\n#[ignore = \"slow\"]\nfn skipped() {}\n";

#[test]
fn the_output_of_a_failed_test_and_its_place_are_in_every_report() {
    let sandbox = with_tests("test", PRINTS);
    let text = sandbox.run(&["run"], 1);
    let shown = "output of clean fails:\n    to stdout\n    to stderr\n";
    assert!(text.contains("clean fails: assertion `left == right` failed: numbers differ"), "{text}");
    assert!(text.contains("--> src/lib.rs:5:5") && text.contains(shown), "{text}");
    let report = |format: &str| sandbox.run(&["report", "--format", format], 0);
    assert!(report("human").contains(shown));
    let junit = report("junit");
    let suite = junit.split("<testsuite name=\"test clean\"").nth(1).unwrap();
    assert!(suite.starts_with(" tests=\"3\" skipped=\"1\" errors=\"0\" failures=\"1\" time="), "{junit}");
    let case = suite.split("<testcase ").find(|case| case.starts_with("name=\"fails\"")).unwrap();
    assert!(case.contains("classname=\"clean\" file=\"src/lib.rs\" line=\"5\""), "{case}");
    assert!(case.contains("<failure message=\"assertion `left == right` failed: numbers differ\""), "{case}");
    assert!(case.contains("<system-out>to stdout\nto stderr\n"), "{case}");
    assert!(suite.contains("<testcase name=\"passes\" classname=\"clean\"/>"), "{suite}");
    assert!(suite.contains("<skipped message=\"ignored\"/>"), "{suite}");
    let html = report("html");
    assert!(html.contains("to stdout\\nto stderr\\n"));
    assert!(html.contains("\"src/lib.rs\"") && html.contains("clean fails: assertion"));
    let github = report("github");
    assert!(github.contains("::error file=src/lib.rs,line=5,") && github.contains("clean fails: assertion"));
    assert!(report("markdown").contains("`src/lib.rs:5:5`: ``clean fails: assertion"));
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let found = sarif["runs"].as_array().unwrap().iter().flat_map(|run| run["results"].as_array().unwrap());
    let place = found.map(|result| result["locations"][0]["physicalLocation"].clone()).next().unwrap();
    assert_eq!(place["artifactLocation"]["uri"], "src/lib.rs");
    assert_eq!(place["region"]["startLine"], 5);
    // It is in none of the artifacts, since it may differ between identical runs.
    for name in ["run.json", "report.json", "tasks.jsonl"] {
        assert!(!String::from_utf8(sandbox.artifact(name)).unwrap().contains("to stdout"), "{name}");
    }
    // Without the file, everything else is shown.
    let file = sandbox.root().join("target/genti/artifacts/test-output.jsonl");
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(!report("junit").contains("system-out"));
    std::fs::write(&file, kept).unwrap();
    sandbox.write("src/lib.rs", "#[test]\nfn passes() {}\n");
    sandbox.run(&["run"], 0);
    assert!(!file.exists(), "the output of an earlier run is removed");
}

#[test]
fn the_end_of_a_long_output_is_kept() {
    let test = "#[test]\nfn long() {\n    (0..20_000).for_each(|at| println!(\"line {at}\"));\n    panic!(\"end\");\n}\n";
    let sandbox = with_tests("test", test);
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("lines before this; pass `--verbose` to show all]"), "{text}");
    assert!(text.contains("    line 19999\n") && !text.contains("    line 19900\n"), "{text}");
    let file = sandbox.root().join("target/genti/artifacts/test-output.jsonl");
    let line: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let kept = line["text"].as_str().unwrap();
    assert!(kept.len() <= 64 << 10 && kept.len() > 60 << 10, "{} bytes", kept.len());
    assert!(line["left_out"].as_u64().unwrap() > 100_000, "{}", line["left_out"]);
    let junit = sandbox.run(&["report", "--format", "junit"], 0);
    assert!(junit.contains("<system-out>[") && junit.contains(" bytes before this are left out]\nline "));
}

#[test]
fn nextest_lists_the_same_tests_with_their_times() {
    let found = Command::new(env!("CARGO")).args(["nextest", "--version"]).output().unwrap();
    if !found.status.success() {
        return;
    }
    let sandbox = with_tests("test", PRINTS);
    sandbox.run(&["run"], 1);
    let mut of_test = listed(&sandbox, "test");
    let config = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    sandbox.write("genti.toml", &config.replace("[tools.nextest]\nenabled = false\n", ""));
    let config = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    sandbox.write("genti.toml", &format!("{config}[tools.nextest]\nenabled = true\n"));
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("output of clean fails:\n    to stdout\n    to stderr\n"), "{text}");
    // It does not list ignored tests.
    of_test.values_mut().for_each(|of| drop(of.as_object_mut().unwrap().remove("ignored")));
    assert_eq!(listed(&sandbox, "nextest"), of_test);
    let line = sandbox.lines("task").into_iter().find(|line| line["tool"] == "nextest").unwrap();
    let times = &line["timing"]["tests"][0];
    assert!(times["passed_us"][0].is_u64() && times["failed_us"][0].is_u64(), "{times}");
    let junit = sandbox.run(&["report", "--format", "junit"], 0);
    let case = junit.split("<testcase ").find(|case| case.starts_with("name=\"passes\"")).unwrap();
    assert!(case.contains(" time=\""), "{case}");
}
