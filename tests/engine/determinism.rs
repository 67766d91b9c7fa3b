//! Tests that identical runs leave identical bytes.

use crate::support::{Sandbox, is_left_out};

const ARTIFACTS: [&str; 3] = ["run.json", "report.json", "tasks.jsonl"];

/// Returns the artifacts of a run without timing.
fn artifacts(sandbox: &Sandbox, args: &[&str], code: i32) -> Vec<String> {
    let args = [&["run"], args].concat();
    let output = sandbox.command(&args).env("SOURCE_DATE_EPOCH", "0").output().unwrap();
    sandbox.expect(&output, code);
    ARTIFACTS.iter().map(|name| String::from_utf8(sandbox.artifact(name)).unwrap()).collect()
}

fn check_clones(fixture: &str, code: i32) {
    let here = Sandbox::of(fixture, "here");
    let there = Sandbox::of(fixture, "quite/another/place");
    let cold = artifacts(&here, &["--parallel", "1"], code);
    assert_eq!(artifacts(&there, &["--parallel", "8"], code), cold, "another place, another parallelism");
    assert_eq!(artifacts(&here, &["--parallel", "8"], code), cold, "repeated");
    for text in &cold {
        for sandbox in [&here, &there] {
            let place = sandbox.beside().to_str().unwrap();
            assert!(!text.contains(place), "an artifact tells where the workspace lies");
        }
    }
    // What one wrote is consistent for the other.
    let kept = here.keep_artifacts();
    let text = there.run(&["check", "--artifacts", kept.to_str().unwrap()], code);
    assert!(!text.contains("are not from a run of this checkout"), "{text}");
}

#[test]
fn clones_of_a_workspace_with_findings_leave_the_same_bytes() {
    check_clones("findings", 1);
}

#[test]
fn clones_of_a_workspace_that_does_not_compile_leave_the_same_bytes() {
    check_clones("broken", 3);
}

#[test]
fn clones_of_a_workspace_with_failing_tests_leave_the_same_bytes() {
    if is_left_out() {
        return;
    }
    check_clones("tests", 1);
}

#[test]
fn clones_of_a_workspace_with_odd_names_leave_the_same_bytes() {
    check_clones("names", 0);
}

/// Configures a tool of this test, so the goldens don't depend on the toolchain.
const WORDS: &str = r#"
[tools.words]
run = ["awk", "tolower($0) ~ /bad/ {print FILENAME \":\" FNR \":\" $0}", "{files}"]
per = "file"
files = ["text/*"]
parse = { regex = "^(?<path>.+?):(?<line>\\d+):(?<message>.*)$" }
[tools.count]
run = ["sh", "-c", "test $(ls text | wc -l) -lt 3"]
required = false
"#;

fn words() -> Sandbox {
    let sandbox = Sandbox::with_tools(WORDS);
    for (name, text) in [("a", "good\nbad\n"), ("b", "good\n"), ("c", "Bad one\nbad two\nbad one\n")] {
        sandbox.write(&format!("text/{name}"), text);
    }
    sandbox
}

/// To accept an intended change: `SNAPSHOTS=overwrite cargo test --test engine the_committed`, then read the diff.
#[track_caller]
fn is_golden(name: &str, text: String) {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/golden/").to_owned() + name;
    snapbox::assert_data_eq!(text, snapbox::Data::read_from(golden.as_ref(), None).raw());
}

#[test]
fn the_artifacts_are_the_committed_ones_at_every_parallelism_cold_and_warm() {
    for parallel in ["1", "2", "8", "32"] {
        let sandbox = words();
        for _ in ["cold", "warm"] {
            let files = artifacts(&sandbox, &["--batch", "2", "--parallel", parallel], 1);
            ARTIFACTS.iter().zip(files).for_each(|(name, text)| is_golden(name, text));
        }
        let plan = sandbox.command(&["plan", "--format", "json", "--batch", "2", "--parallel", parallel]);
        let plan = { plan }.output().unwrap();
        sandbox.expect(&plan, 0);
        is_golden("plan.json", String::from_utf8(plan.stdout).unwrap());
    }
}

#[test]
fn a_plan_has_the_same_ids_as_the_run() {
    let sandbox = words();
    let plan = sandbox.command(&["plan", "--format", "json"]).output().unwrap();
    sandbox.expect(&plan, 0);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    sandbox.run(&["run"], 1);
    let run = sandbox.json("run.json");
    for key in ["graph_hash", "batch_id", "order_policy", "batch_policy", "seed", "selection"] {
        assert_eq!(plan[key], run[key], "{key}");
    }
    let id = |batch: &serde_json::Value| batch["batch_id"].clone();
    let ids =
        |value: &serde_json::Value| value["batches"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    assert_eq!(ids(&plan), ids(&run));
}

#[test]
fn seed_and_batch_change_the_run_and_not_the_report() {
    let sandbox = words();
    let plain = artifacts(&sandbox, &[], 1);
    for args in [["--seed", "1"], ["--batch", "1"], ["--batch", "2"]] {
        let other = artifacts(&sandbox, &args, 1);
        assert_eq!(other[1], plain[1], "{args:?}: report.json");
        assert_ne!(other[0], plain[0], "{args:?}: run.json");
    }
}

#[test]
fn only_timing_differs() {
    let sandbox = words();
    sandbox.run(&["run"], 1);
    let with = sandbox.lines("task");
    artifacts(&sandbox, &[], 1);
    let without = sandbox.lines("task");
    assert_eq!(with.len(), without.len());
    for (mut with, without) in with.into_iter().zip(without) {
        let timing = with.as_object_mut().unwrap().remove("timing").unwrap();
        assert!(timing["attempts"].is_u64() && timing["raw_exit"].is_i64(), "{timing}");
        assert_eq!(with, without);
    }
}
