//! Tests of failed tests that are run again, and of tests that pass then.

use std::process::Command;

use serde_json::Value;

use crate::support::{Sandbox, disabled};

/// Creates the package `clean` with the test target `it`, whose tests are given by name and by how often they fail
/// before they pass, with these keys of `tool`. The test `aborts` aborts instead of passing.
pub(crate) fn with_tests(tests: &[(&str, usize)], tool: &str, keys: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    let others = disabled(&["fmt", "clippy", "doc", "doctest"]);
    sandbox.write("genti.toml", &format!("{others}[tools.{tool}]\n{keys}\n"));
    let one = |(name, failures): &(&str, usize)| {
        let passes = if *name == "aborts" { "std::process::abort()" } else { "()" };
        format!(
            "#[test]\nfn {name}() {{\n    if has_run(\"{name}\") <= {failures} {{\n        panic!(\"{name} failed\");\n    }}\n    {passes}\n}}\n"
        )
    };
    let has_run = "fn has_run(name: &str) -> usize {\n    \
                   let path = std::path::Path::new(env!(\"CARGO_MANIFEST_DIR\")).join(format!(\"../runs-{name}\"));\n    \
                   let runs = std::fs::read_to_string(&path).unwrap_or_default().len() + 1;\n    \
                   std::fs::write(&path, \"x\".repeat(runs)).unwrap();\n    runs\n}\n";
    let tests: String = tests.iter().map(one).collect();
    sandbox.write("tests/it.rs", &format!("{has_run}{tests}"));
    sandbox
}

/// Returns how often the test `name` has run, and forgets it.
fn runs(sandbox: &Sandbox, name: &str) -> usize {
    let path = sandbox.beside().join(format!("runs-{name}"));
    let runs = std::fs::read_to_string(&path).unwrap_or_default().len();
    let _ = std::fs::remove_file(path);
    runs
}

/// Returns `state level ns::rule subject` for each finding.
fn findings(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |one: &Value| {
        let [state, level, ns, rule, subject] =
            ["state", "level", "ns", "rule", "subject"].map(|key| text(&one[key]));
        format!("{state} {level} {ns}::{rule} {subject}")
    };
    report["findings"].as_array().unwrap().iter().map(line).collect()
}

/// Returns the task of the target `it`, and the others without their timing.
fn tasks(sandbox: &Sandbox) -> (Value, Vec<Value>) {
    let (mut own, others): (Vec<_>, Vec<_>) =
        sandbox.lines("task").into_iter().partition(|task| task["unit"] == "tests/it.rs");
    let without_timing = others.into_iter().map(|mut task| {
        task.as_object_mut().unwrap().remove("timing");
        task
    });
    (own.remove(0), without_timing.collect())
}

#[test]
fn a_test_that_passes_when_it_is_run_again_is_noted() {
    let tests = [("steady", 0), ("wobbles", 1), ("wobbles_more", 2)];
    let sandbox = with_tests(&tests, "test", "retries = 2");
    let text = sandbox.run(&["run"], 0);
    let expected =
        ["noted note genti::flaky clean::it wobbles", "noted note genti::flaky clean::it wobbles_more"];
    assert_eq!(findings(&sandbox), expected);
    assert_eq!(["steady", "wobbles", "wobbles_more"].map(|name| runs(&sandbox, name)), [1, 2, 3]);
    let (task, _) = tasks(&sandbox);
    assert_eq!(task["timing"]["attempts"], 3);
    assert_eq!(task["tests"][0]["passed"], serde_json::json!(["steady", "wobbles", "wobbles_more"]));
    assert_eq!(task["tests"][0].get("failed"), None);
    let report = sandbox.json("report.json");
    let tool = report["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "test").unwrap();
    assert_eq!(
        (&tool["verdict"], &tool["new"], &tool["census"]["tests"]["failed"]),
        (&"passed".into(), &0.into(), &0.into())
    );

    // Each report shows it, where it failed.
    let at = report["findings"][0]["test"]["range"]["start"]["line"].as_u64().unwrap();
    assert!(text.contains("note[genti::flaky]") || text.contains("note[flaky]"), "{text}");
    assert!(text.contains("clean::it wobbles") && text.contains("wobbles failed"), "{text}");
    let report = |format: &str| sandbox.run(&["report", "--format", format], 0);
    assert!(report("markdown").contains("- `flaky` on `clean::it wobbles`: `failed, and passed when"));
    assert_eq!(report("junit").matches("<flakyFailure ").count(), 2);
    assert!(report("github").contains(&format!("::notice file=tests/it.rs,line={at},")));
    let sarif: Value = serde_json::from_str(&report("sarif")).unwrap();
    let results = sarif["runs"].as_array().unwrap().iter().flat_map(|run| run["results"].as_array().unwrap());
    assert_eq!(results.map(|result| result["level"].clone()).collect::<Vec<_>>(), ["note", "note"]);
    assert!(report("html").contains("state-noted"));
    sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 0);

    // It can't be accepted, but suppressed.
    runs(&sandbox, "wobbles");
    sandbox.run(&["baseline", "init"], 0);
    assert!(!sandbox.root().join(".config/genti/baseline/genti.jsonl").exists());
    let config = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    let suppress = "[[suppress]]\nrule = \"flaky\"\nreason = \"known\"\n";
    sandbox.write("genti.toml", &format!("{suppress}{config}"));
    for name in ["wobbles", "wobbles_more"] {
        runs(&sandbox, name);
    }
    sandbox.run(&["run"], 0);
    assert!(
        findings(&sandbox).iter().all(|line| line.starts_with("suppressed ")),
        "{:?}",
        findings(&sandbox)
    );
}

#[test]
fn a_flaky_test_fails_if_configured() {
    let sandbox = with_tests(&[("wobbles", 1)], "test", "retries = 1\nflaky = \"fail\"");
    for command in [&["run"][..], &["run", "--fail-fast"], &["check", "--no-cache"]] {
        sandbox.run(command, 1);
        assert_eq!(findings(&sandbox), ["new error genti::flaky clean::it wobbles"], "{command:?}");
        assert_eq!(runs(&sandbox, "wobbles"), 2);
    }
    let text = sandbox.run(&["baseline", "accept", "--reason", "x"], 0);
    assert!(text.contains("1 new finding can't be accepted"), "{text}");
}

#[test]
fn a_test_that_fails_every_time_is_a_failure() {
    let sandbox = with_tests(&[("aborts", 1), ("broken", 9), ("wobbles", 1)], "test", "retries = 2");
    sandbox.run(&["run"], 1);
    // `aborts` takes the others with it, so the first attempt counts.
    let expected =
        ["aborts", "broken", "wobbles"].map(|name| format!("new error test::failed clean::it {name}"));
    assert_eq!(findings(&sandbox), expected);
    let sandbox = with_tests(&[("broken", 9), ("wobbles", 1)], "test", "retries = 2");
    sandbox.run(&["run"], 1);
    let expected = ["noted note genti::flaky clean::it wobbles", "new error test::failed clean::it broken"];
    let mut found = findings(&sandbox);
    found.sort_by_key(|line| !line.starts_with("noted"));
    assert_eq!(found, expected);
    assert_eq!([runs(&sandbox, "broken"), runs(&sandbox, "wobbles")], [3, 2]);
    let report = sandbox.json("report.json");
    let tool = report["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "test").unwrap();
    assert_eq!(tool["census"]["tests"]["failed"], 1);
}

#[test]
fn a_retry_changes_no_other_task_and_is_not_cached() {
    let sandbox = with_tests(&[("wobbles", 1)], "test", "retries = 1\ncache = true");
    sandbox.write("tests/other.rs", "#[test]\nfn works() {}\n");
    sandbox.run(&["run"], 0);
    let (own, others) = tasks(&sandbox);
    assert_eq!((&own["status"], &own["timing"]["attempts"]), (&"findings".into(), &2.into()));
    // Now it passes at once.
    sandbox.run(&["run"], 0);
    let (own, same) = tasks(&sandbox);
    assert_eq!((&own["status"], &own["timing"]["cache"]), (&"clean".into(), &"miss".into()));
    assert_eq!(same, others);
    sandbox.run(&["run"], 0);
    assert_eq!(tasks(&sandbox).0["timing"]["cache"], "hit");
}

#[test]
fn names_of_tests_on_the_command_line_don_t_run_further_tests_again() {
    // `steady` is the exact name of a test, which did not fail.
    let sandbox = with_tests(&[("steady", 0), ("wobbles", 1), ("other", 9)], "test", "retries = 1");
    sandbox.run(&["run", "--tool", "test", "--", "steady", "wobb"], 0);
    assert_eq!(findings(&sandbox), ["noted note genti::flaky clean::it wobbles"]);
    assert_eq!(["steady", "wobbles", "other"].map(|name| runs(&sandbox, name)), [1, 2, 0]);
}

#[test]
fn nextest_runs_failed_tests_again_itself() {
    let found = Command::new(env!("CARGO")).args(["nextest", "--version"]).output().unwrap();
    if !found.status.success() {
        return;
    }
    let tests = [("broken", 9), ("steady", 0), ("wobbles", 2)];
    let sandbox = with_tests(&tests, "nextest", "retries = 2");
    sandbox.run(&["run"], 1);
    let mut found = findings(&sandbox);
    found.sort_by_key(|line| !line.starts_with("noted"));
    assert_eq!(
        found,
        ["noted note genti::flaky clean::it wobbles", "new error test::failed clean::it broken"]
    );
    assert_eq!(["broken", "steady", "wobbles"].map(|name| runs(&sandbox, name)), [3, 1, 3]);
    let report = sandbox.json("report.json");
    let flaky = report["findings"].as_array().unwrap().iter().find(|one| one["rule"] == "flaky").unwrap();
    assert_eq!(flaky["related"][0]["message"], "wobbles failed");
}

/// Creates a workspace with the tool `probe`, whose runs behave like these lines of shell, one after the other, and the last one
/// from then on.
fn with_attempts(attempts: &[&str], keys: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&format!("[tools.probe]\nrun = ['sh', 'check.sh']\n{keys}\n"));
    let case = |(number, line): (usize, &&str)| match number + 1 == attempts.len() {
        true => format!("*) {line} ;;\n"),
        false => format!("{}) {line} ;;\n", number + 1),
    };
    let cases: String = attempts.iter().enumerate().map(case).collect();
    // The file is not an input, because the script only has a pattern for it.
    let count = "echo x >> ../runs\ncase $(($(cat ../run[s] | wc -l))) in\n";
    sandbox.write("check.sh", &format!("{count}{cases}esac\n"));
    sandbox
}

/// Returns how often the tool has run, and its task.
fn attempts(sandbox: &Sandbox) -> (usize, Value) {
    let runs = std::fs::read_to_string(sandbox.beside().join("runs")).unwrap_or_default();
    let task = sandbox.lines("task").into_iter().find(|task| task["tool"] == "probe");
    (runs.lines().count(), task.unwrap())
}

#[test]
fn a_tool_that_passes_when_it_runs_again_is_noted() {
    let sandbox = with_attempts(&["echo no >&2; exit 1", "exit 0"], "retries = 3\ncache = true");
    let text = sandbox.run(&["run"], 0);
    assert_eq!(findings(&sandbox), ["noted note genti::flaky probe"]);
    assert!(text.contains("exited with `1` (gone when `probe` ran again)"), "{text}");
    let (runs, task) = attempts(&sandbox);
    assert_eq!((runs, &task["timing"]["attempts"], &task["status"]), (2, &2.into(), &"findings".into()));
    let report = |format: &str| sandbox.run(&["report", "--format", format], 0);
    assert!(report("markdown").contains("gone when `probe` ran again"), "{}", report("markdown"));
    assert!(report("junit").contains("gone when `probe` ran again"), "{}", report("junit"));
    assert!(report("github").contains("::notice"), "{}", report("github"));
    assert_eq!(sandbox.run(&["check", "--message-format", "short"], 0).matches("flaky").count(), 0);
    // Neither is the result of the second attempt cached, nor does the first one count later.
    assert_eq!(attempts(&sandbox).0, 3);
    assert_eq!(findings(&sandbox), [""; 0]);
    // A pass at once is cached as usual.
    sandbox.run(&["run"], 0);
    assert_eq!(attempts(&sandbox).0, 3);

    let sandbox = with_attempts(&["exit 1", "exit 0"], "retries = 1\nflaky = 'fail'");
    let text = sandbox.run(&["run", "--fail-fast"], 1);
    assert_eq!(findings(&sandbox), ["new error genti::flaky probe"]);
    assert!(text.contains("1 flaky"), "{text}");
}

#[test]
fn the_last_attempt_with_a_result_counts() {
    let keys = "retries = 2\nparse = 'lines'";
    // Findings of the last attempt are new, those that are gone are flaky.
    let sandbox = with_attempts(&["echo one; echo two", "echo two", "echo two; echo three"], keys);
    sandbox.run(&["run"], 1);
    let messages = |sandbox: &Sandbox| {
        let report = sandbox.json("report.json");
        let text =
            |one: &Value| format!("{} {}", one["state"].as_str().unwrap(), one["message"].as_str().unwrap());
        let mut all: Vec<_> = report["findings"].as_array().unwrap().iter().map(text).collect();
        all.sort();
        all
    };
    assert_eq!(messages(&sandbox), ["new three", "new two", "noted one (gone when `probe` ran again)"]);
    assert_eq!(attempts(&sandbox).0, 3);

    // A crash is not a result: first one before a pass, then one after a finding.
    let sandbox = with_attempts(&["kill -9 $$", "exit 0"], keys);
    sandbox.run(&["check"], 0);
    assert_eq!(messages(&sandbox), ["noted killed by SIGKILL (gone when `probe` ran again)"]);
    let sandbox = with_attempts(&["echo one", "kill -9 $$"], keys);
    sandbox.run(&["check"], 1);
    assert_eq!(messages(&sandbox), ["new one"]);
    assert_eq!(attempts(&sandbox).0, 3);

    // Without any result, there is none.
    let sandbox = with_attempts(&["kill -9 $$"], keys);
    sandbox.run(&["check"], 3);
    let (runs, task) = attempts(&sandbox);
    assert_eq!((runs, &task["status"], &task["timing"]["attempts"]), (3, &"crashed".into(), &3.into()));
}

#[test]
fn a_tool_that_passes_does_not_run_again() {
    let sandbox = with_attempts(&["exit 0"], "retries = 3");
    sandbox.run(&["run"], 0);
    assert_eq!(attempts(&sandbox).0, 1);
    assert_eq!(findings(&sandbox), [""; 0]);
    // A tool that is missing is not waited for.
    let sandbox = Sandbox::with_tools("[tools.probe]\nrun = ['no-such-program-here']\nretries = 3\n");
    sandbox.run(&["check"], 3);
    assert_eq!(attempts(&sandbox).1["status"], "missing");
}

#[test]
fn the_unit_that_failed_is_named() {
    // `b.txt` fails once.
    let script = "for file; do case $file in b*) echo x >> ../runs; test $(($(wc -l < ../runs))) -gt 1 || exit 1;; esac; done";
    let sandbox = Sandbox::with_tools(
        "[tools.probe]\nrun = ['sh', 'check.sh', '{files}']\nfiles = ['*.txt']\nretries = 1\n",
    );
    sandbox.write("check.sh", script);
    ["a.txt", "b.txt", "c.txt"].iter().for_each(|name| sandbox.write(name, ""));
    sandbox.run(&["run", "--batch", "by-tool"], 0);
    let report = sandbox.json("report.json");
    let all = report["findings"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((&all[0]["path"], &all[0]["rule"]), (&"b.txt".into(), &"flaky".into()));
}
