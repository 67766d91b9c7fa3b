//! Tests of ratcheted numbers, which may only improve.

use serde_json::{Value, json};

use crate::support::{Sandbox, disabled};

/// A tool that reports the numbers in `numbers.txt`.
const COVERAGE: &str = r#"
[tools.cov]
run = ["cat", "numbers.txt"]
inputs = ["numbers.txt"]
parse = { number = '^(?<name>[a-z ]+): (?<value>[\d.]+)%$', better = "higher", tolerance = "0.1", unit = "%" }
"#;

fn stating(text: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(COVERAGE);
    sandbox.write("numbers.txt", text);
    sandbox
}

/// Returns `name value accepted state` for each number.
fn numbers(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let numbers = report["numbers"].as_array().unwrap().iter();
    numbers.map(|one| ["name", "value", "accepted", "state"].map(|key| text(&one[key])).join(" ")).collect()
}

fn baseline(sandbox: &Sandbox, ns: &str) -> String {
    sandbox.baseline(ns)
}

#[test]
fn a_worse_number_fails_and_a_better_one_is_stale() {
    let sandbox = stating("line coverage: 81.20%\nfunctions: 70%\n");
    let shown = sandbox.run(&["check"], 1);
    assert_eq!(numbers(&sandbox), ["functions 70 - new", "line coverage 81.20 - new"]);
    assert!(shown.contains("line coverage: `81.20 %` is not accepted yet"), "{shown}");
    assert!(shown.contains("functions 70 %, line coverage 81.20 %"), "{shown}");
    sandbox.run(&["baseline", "init"], 0);
    let line =
        r#"{"subject":"line coverage","rule":"number","in":"","code":"81.20","msg":"higher is better"}"#;
    assert!(baseline(&sandbox, "cov").contains(line), "{}", baseline(&sandbox, "cov"));
    sandbox.run(&["check"], 0);
    let shown = sandbox.run(&["baseline", "list"], 0);
    assert!(shown.contains("line coverage: 81.20 (higher is better)"), "{shown}");

    // The value is within the tolerance.
    sandbox.write("numbers.txt", "line coverage: 81.1%\nfunctions: 70.1%\n");
    sandbox.run(&["check"], 0);
    assert_eq!(numbers(&sandbox), ["functions 70.1 70 unchanged", "line coverage 81.1 81.20 unchanged"]);

    // A worse value is new, and an update does not loosen the limit.
    sandbox.write("numbers.txt", "line coverage: 79.9%\nfunctions: 70%\n");
    let shown = sandbox.run(&["check"], 1);
    assert!(shown.contains("line coverage: `79.9 %` is worse than the accepted `81.20 %`"), "{shown}");
    for (format, expected) in [
        ("junit", "`79.9 %` is worse than the accepted `81.20 %`"),
        ("markdown", "line coverage 79.9 %"),
        ("html", "line coverage 79.9 %"),
    ] {
        let report = sandbox.run(&["report", "--format", format], 0);
        assert!(report.contains(expected), "{format}: {report}");
    }
    let before = baseline(&sandbox, "cov");
    sandbox.run(&["baseline", "update"], 0);
    assert_eq!(baseline(&sandbox, "cov"), before);
    sandbox.run(&["check"], 1);

    // A better value makes the entry stale in a gate, and an update tightens it.
    sandbox.write("numbers.txt", "line coverage: 90.5%\nfunctions: 70%\n");
    sandbox.run(&["run"], 0);
    let shown = sandbox.run(&["check"], 1);
    assert!(shown.contains("line coverage: 90.5 % is better than the accepted 81.20 %"), "{shown}");
    let shown = sandbox.run(&["baseline", "update"], 0);
    assert!(shown.contains("Tightened line coverage: from 81.20 to 90.5"), "{shown}");
    assert!(baseline(&sandbox, "cov").contains(r#""code":"90.5""#));
    sandbox.run(&["check"], 0);

    // It can be loosened on request.
    sandbox.write("numbers.txt", "line coverage: 80%\nfunctions: 70%\n");
    sandbox.run(&["baseline", "accept", "--reason", "less code"], 0);
    assert_eq!(baseline(&sandbox, "cov").matches("line coverage").count(), 1);
    sandbox.run(&["check"], 0);
}

#[test]
fn numbers_are_the_same_from_the_cache_and_in_a_check_of_a_finished_run() {
    let sandbox = stating("line coverage: 81.20%\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.write("numbers.txt", "line coverage: 60%\n");
    sandbox.run(&["run"], 1);
    let cold = sandbox.artifact("report.json");
    sandbox.run(&["run"], 1);
    assert_eq!(sandbox.artifact("report.json"), cold);
    let dir = sandbox.keep_artifacts();
    let shown = sandbox.run(&["check", "--artifacts", dir.to_str().unwrap()], 1);
    assert!(!shown.contains("are not from a run of this checkout"), "{shown}");
}

#[test]
fn a_tool_without_a_number_has_no_verdict_and_keeps_its_entries() {
    let sandbox = stating("line coverage: 81.20%\n");
    sandbox.run(&["baseline", "init"], 0);
    let before = baseline(&sandbox, "cov");
    sandbox.write("numbers.txt", "nothing\n");
    let shown = sandbox.run(&["check"], 3);
    assert!(shown.contains("no number found in the output"), "{shown}");
    sandbox.run(&["baseline", "update"], 0);
    assert_eq!(baseline(&sandbox, "cov"), before);
}

#[test]
fn an_accepted_number_that_is_stated_no_more_leaves_no_verdict_and_keeps_its_line() {
    let sandbox = stating("line coverage: 81.20%\nfunctions: 70%\n");
    sandbox.run(&["baseline", "init"], 0);
    let before = baseline(&sandbox, "cov");
    sandbox.write("numbers.txt", "line coverage: 81.20%\n");
    let shown = sandbox.run(&["run"], 3);
    assert!(shown.contains("it no longer states the number functions, of which 70 is accepted"), "{shown}");
    sandbox.run(&["check"], 3);
    let dir = sandbox.keep_artifacts();
    let shown = sandbox.run(&["check", "--artifacts", dir.to_str().unwrap()], 3);
    assert!(!shown.contains("is not what the run has left"), "{shown}");
    sandbox.run(&["baseline", "update"], 0);
    assert_eq!(baseline(&sandbox, "cov"), before);
    // Whoever means it takes the line out.
    let rest: String =
        before.lines().filter(|line| !line.contains("functions")).map(|line| format!("{line}\n")).collect();
    sandbox.write(".config/genti/baseline/cov.jsonl", &rest);
    sandbox.run(&["check"], 0);
    // A number that the configuration no longer names can't be stated: its line is stale.
    let pattern = "^(?<name>[a-z ]+): (?<value>[\\d.]+)%$', ";
    sandbox.edit("genti.toml", pattern, "^line coverage: (?<value>[\\d.]+)%$', name = \"lines\", ");
    let shown = sandbox.run(&["baseline", "update"], 0);
    let file = sandbox.root().join(".config/genti/baseline/cov.jsonl");
    assert!(!file.exists(), "its last line is gone: {shown}");
}

#[test]
fn test_counts_can_be_ratcheted() {
    let sandbox = Sandbox::of("clean", "w");
    let others = disabled(&["fmt", "clippy", "doc", "doctest"]);
    sandbox.write("genti.toml", &format!("{others}[tools.test]\nratchet = [\"run\", \"ignored\"]\n"));
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    assert_eq!(numbers(&sandbox), ["tests ignored 0 0 unchanged", "tests run 2 2 unchanged"]);
    sandbox.write(
        "tests/greets.rs",
        "//! From outside.\n\n#[test]\n#[ignore = \"slow\"]\nfn it_greets() {}\n\n#[test]\nfn other() {}\n",
    );
    let shown = sandbox.run(&["check"], 1);
    assert_eq!(numbers(&sandbox), ["tests ignored 1 0 new", "tests run 2 2 unchanged"]);
    assert!(shown.contains("tests ignored: `1` is worse than the accepted `0`"), "{shown}");
    sandbox.edit("tests/greets.rs", "#[ignore = \"slow\"]\n", "");
    sandbox.run(&["check"], 1);
    assert_eq!(numbers(&sandbox), ["tests ignored 0 0 unchanged", "tests run 3 2 better"]);
    // A partial run can't be compared.
    sandbox.run(&["run", "--since", "HEAD"], 2);
}

#[test]
fn each_tool_has_its_own_entries_and_must_report_ratcheted_numbers() {
    let sandbox = Sandbox::of("clean", "w");
    let config =
        "[tools.clippy]\nratchet = [\"packages\", \"targets\"]\n[tools.doc]\nratchet = [\"targets\"]\n";
    sandbox.write("genti.toml", &format!("{}{config}", disabled(&["fmt", "test", "doctest"])));
    sandbox.run(&["baseline", "init"], 0);
    assert!(
        baseline(&sandbox, "clippy").contains("\"packages\"")
            && baseline(&sandbox, "doc").contains("\"targets\"")
    );
    sandbox.run(&["check"], 0);
    // With one target less, the numbers of clippy shrink, and those of rustdoc don't.
    std::fs::remove_file(sandbox.root().join("tests/greets.rs")).unwrap();
    let shown = sandbox.run(&["check"], 1);
    assert_eq!(numbers(&sandbox), ["packages 1 1 unchanged", "targets 4 5 new", "targets 1 1 unchanged"]);
    assert!(shown.contains("targets: `4` is worse than the accepted `5`"), "{shown}");

    let others = disabled(&["fmt", "clippy", "doc", "doctest"]);
    sandbox.write("genti.toml", &format!("{others}[tools.test]\nratchet = [\"crates\"]\n"));
    let shown = sandbox.run(&["check"], 3);
    assert!(shown.contains("it does not report the number of crates (`ratchet`)"), "{shown}");
}

#[test]
fn a_merge_conflict_is_resolved_with_the_stricter_value() {
    let sandbox = stating("line coverage: 81%\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.commit_all();
    let file = ".config/genti/baseline/cov.jsonl";
    let base = baseline(&sandbox, "cov");
    let with = |value: &str| base.replace("\"code\":\"81\"", &format!("\"code\":\"{value}\""));
    assert!(sandbox.git(&["checkout", "-qb", "other"]));
    sandbox.write(file, &with("84.5"));
    assert!(sandbox.git(&["commit", "-qam", "theirs"]) && sandbox.git(&["checkout", "-q", "main"]));
    sandbox.write(file, &with("83"));
    assert!(sandbox.git(&["commit", "-qam", "ours"]));
    assert!(!sandbox.git(&["merge", "-q", "other"]), "it is a conflict");
    sandbox.run(&["baseline", "resolve"], 0);
    assert_eq!(baseline(&sandbox, "cov"), with("84.5"));
    // After a merge that kept both lines without a conflict, the stricter one applies.
    let both = format!("{}{}", with("83"), with("84.5").lines().nth(1).unwrap()) + "\n";
    sandbox.write(file, &both);
    sandbox.write("numbers.txt", "line coverage: 84%\n");
    sandbox.run(&["run"], 1);
    assert_eq!(numbers(&sandbox), ["line coverage 84 84.5 new"]);
}

#[test]
fn verify_names_a_number_that_varies() {
    let config = "[tools.dice]\nrun = [\"sh\", \"-c\", \"echo x >> ../rolls; wc -l < ../rolls\"]\ncache = false\n\
                  parse = { number = '^ *(?<value>\\d+)$', name = \"size\", better = \"lower\" }\n";
    let sandbox = Sandbox::with_tools(config);
    let shown = sandbox.run(&["verify"], 1);
    assert!(shown.contains("the number `size`"), "{shown}");
}

#[test]
fn artifacts_contain_no_floats() {
    let sandbox = stating("line coverage: 81.20%\n");
    sandbox.run(&["run"], 1);
    let number = sandbox.json("report.json")["numbers"][0].clone();
    assert_eq!(
        number,
        json!({
            "accepted": null, "better": "higher", "name": "line coverage", "ns": "cov", "state": "new",
            "tolerance": "0.1", "tool": "cov", "unit": "%", "value": "81.20",
        })
    );
}
