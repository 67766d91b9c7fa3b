//! Tests of `check --artifacts`: a finished run is checked against this checkout, and edits of its artifacts are
//! found and named.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::Sandbox;

/// Creates a tool that reports lines with "bad" and leaves a mark. Two findings are accepted, and with `b/c.txt` a
/// third one is new.
fn finished() -> Sandbox {
    let sandbox = Sandbox::with_words("[tools.mark]\nrun = ['touch', '../ran']\ncache = false\n");
    let text = std::fs::read_to_string(sandbox.root().join("b/c.txt")).unwrap();
    sandbox.write("b/c.txt", "fine\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.write("b/c.txt", &text);
    sandbox
}

/// Copies its artifacts to a different directory.
fn kept(sandbox: &Sandbox) -> PathBuf {
    let dir = sandbox.keep_artifacts();
    std::fs::remove_file(sandbox.beside().join("ran")).unwrap();
    dir
}

#[track_caller]
fn judge(sandbox: &Sandbox, dir: &std::path::Path, args: &[&str], code: i32) -> String {
    let args = [&["check", "--artifacts", dir.to_str().unwrap()], args].concat();
    let text = sandbox.run(&args, code);
    assert!(!sandbox.beside().join("ran").exists(), "nothing may run");
    text
}

#[test]
fn a_finished_run_can_be_checked_on_another_machine() {
    let here = finished();
    here.run(&["check"], 1);
    let dir = kept(&here);
    let text = judge(&here, &dir, &[], 1);
    assert!(text.contains("three") && text.contains("error: 1 new finding\n"), "{text}");

    // This works on another machine with its own target directory, and once the new finding is fixed.
    let there = finished();
    std::fs::remove_file(there.beside().join("ran")).unwrap();
    there.write("b/c.txt", "fine\n");
    let text = judge(&there, &dir, &[], 5);
    assert!(text.contains("graph_hash is `"), "{text}");
    assert!(text.contains("id of task words:b/c.txt is `"), "{text}");
    there.write("b/c.txt", "bad three\n");
    judge(&there, &dir, &[], 1);

    // A run does not act as a gate, but its artifacts are checked like one.
    here.write("b/c.txt", "fine\n");
    here.write("a.txt", "bad one\nfine\nfine\n");
    here.run(&["run"], 0);
    let text = judge(&here, &kept(&here), &[], 1);
    assert!(text.contains("1 accepted finding is fixed but still in the baseline"), "{text}");
    here.run(&["baseline", "update"], 0);
    here.run(&["check"], 0);
    judge(&here, &kept(&here), &[], 0);
}

#[test]
fn a_run_with_other_flags_is_drift() {
    let sandbox = finished();
    sandbox.run(&["run", "--seed", "7"], 1);
    let dir = kept(&sandbox);
    let text = judge(&sandbox, &dir, &[], 5);
    assert!(text.contains("seed is `7` in ") && text.contains(", but `0` in this checkout"), "{text}");
    sandbox.run(&["run", "--tool", "words"], 1);
    sandbox.write("../ran", "");
    let dir = kept(&sandbox);
    let text = judge(&sandbox, &dir, &[], 5);
    assert!(
        text.contains("selection.tools[0] is `words` in ") && text.contains("`missing` in this checkout"),
        "{text}"
    );
    judge(&sandbox, &dir, &["--tool", "words"], 5);
    judge(&sandbox, &dir, &["--tool", "words", "--partial"], 1);
    sandbox.write("genti.toml", &(config(&sandbox) + "[policy]\nseed = 7\n"));
    let text = judge(&sandbox, &dir, &["--tool", "words", "--partial"], 5);
    assert!(text.contains("seed is `0` in "), "{text}");
}

fn config(sandbox: &Sandbox) -> String {
    std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap()
}

#[test]
fn an_edit_of_the_artifacts_is_named_with_its_place() {
    let sandbox = finished();
    sandbox.run(&["check"], 1);
    let dir = kept(&sandbox);
    let check = |file: &str, edit: &dyn Fn(&str) -> String, expected: &str| {
        let before = std::fs::read_to_string(dir.join(file)).unwrap();
        let after = edit(&before);
        assert_ne!(before, after, "{file}: nothing was edited for {expected:?}");
        std::fs::write(dir.join(file), after).unwrap();
        let text = judge(&sandbox, &dir, &[], 1);
        assert!(text.contains(&format!("error: {file}")) && text.contains(expected), "{expected}: {text}");
        std::fs::write(dir.join(file), before).unwrap();
    };
    let replace = |from: &'static str, to: &'static str| move |text: &str| text.replacen(from, to, 1);
    // The format was changed.
    let swapped = |text: &str| {
        let (code, fatal) = ("      \"code\": \"bad one\",\n", "      \"fatal\": false,\n");
        text.replacen(&format!("{code}{fatal}"), &format!("{fatal}{code}"), 1)
    };
    check("report.json", &swapped, "line 6: not in canonical format");
    let float = replace("\"line\": 2", "\"line\": 2.0");
    check("report.json", &float, "`2.0` is not an integer");
    check("report.json", &replace("\"path\": \"a.txt\"", "\"path\": \"/w/a.txt\""), "is an absolute path");
    check("run.json", &|text| text.trim_end().to_owned(), "not in canonical format");
    check("tasks.jsonl", &replace(",\"kind\"", ", \"kind\""), "line 1: not in canonical format");
    // The order was changed.
    let reordered = |text: &str| {
        let mut report: Value = serde_json::from_str(text).unwrap();
        report["findings"].as_array_mut().unwrap().swap(0, 2);
        serde_json::to_string_pretty(&report).unwrap() + "\n"
    };
    check("report.json", &reordered, "`findings` is not sorted");
    let tasks = |text: &str| {
        let mut lines: Vec<_> = text.lines().collect();
        let last = lines.len() - 1;
        lines.swap(last - 1, last - 2);
        lines.join("\n") + "\n"
    };
    check("tasks.jsonl", &tasks, "tasks.jsonl: line ");
    // A derived value was changed.
    let new = "`findings[2].state` is unchanged, but new was expected";
    check("report.json", &replace("\"state\": \"new\"", "\"state\": \"unchanged\""), new);
    check("report.json", &replace("\"code\": \"bad one\"", "\"code\": \"bad two\""), "`findings[0].code`");
    check("report.json", &replace("\"message\": \"one\"", "\"message\": \"won\""), "`findings[0].id`");
    check("report.json", &replace("\"new\": 1", "\"new\": 0"), "`tools[1].new` is 0, but 1 was expected");
    check(
        "report.json",
        &replace("\"verdict\": \"failed\"", "\"verdict\": \"passed\""),
        "`tools[1].verdict`",
    );
    check("report.json", &replace("\"as_of\": null", "\"as_of\": \"2026-01-01\""), "`as_of`");
    check("run.json", &replace("\"required\": true", "\"required\": false"), "`tools[0].required`");
    check("run.json", &replace("\"task_count\": 1", "\"task_count\": 2"), "`batches[0].steps[0].task_count`");
    let clean = replace("\"status\":\"findings\",\"task_id\"", "\"status\":\"clean\",\"task_id\"");
    check("tasks.jsonl", &clean, "`exit_status` is 1, but 0 was expected");
    let without_report = |text: &str| text.lines().rev().skip(1).collect::<Vec<_>>().join("\n");
    let before = std::fs::read_to_string(dir.join("tasks.jsonl")).unwrap();
    std::fs::write(dir.join("tasks.jsonl"), without_report(&before)).unwrap();
    judge(&sandbox, &dir, &[], 1);
    std::fs::write(dir.join("tasks.jsonl"), before).unwrap();
    // No artifacts of these checks are left.
    let text = judge(&sandbox, &dir, &[], 1);
    assert!(!text.contains("are not from a run of this checkout"), "{text}");
}

#[test]
fn a_finding_removed_everywhere_except_in_its_task_is_noticed() {
    let sandbox = finished();
    sandbox.run(&["check"], 1);
    let dir = kept(&sandbox);
    for name in ["run.json", "report.json", "tasks.jsonl"] {
        let mut text = std::fs::read_to_string(dir.join(name)).unwrap();
        if name == "report.json" {
            let mut report: Value = serde_json::from_str(&text).unwrap();
            report["findings"].as_array_mut().unwrap().clear();
            text = serde_json::to_string_pretty(&report).unwrap() + "\n";
        }
        std::fs::write(dir.join(name), text).unwrap();
    }
    let text = judge(&sandbox, &dir, &[], 1);
    assert!(text.contains("report.json: no findings of words, but a task in tasks.jsonl has some"), "{text}");
}

#[test]
fn a_run_without_a_verdict_and_a_stopped_run_are_incomplete() {
    let sandbox = Sandbox::with_tools("[tools.gone]\nrun = ['genti-no-such-tool']\n");
    sandbox.run(&["check"], 3);
    sandbox.write("../ran", "");
    judge(&sandbox, &kept(&sandbox), &[], 3);
    let config = "[tools.t]\nrun = ['sh', '-c', 'kill -s TERM $PPID; exec sleep 600']\n";
    let sandbox = Sandbox::with_tools(config);
    sandbox.run(&["run"], 143);
    sandbox.write("../ran", "");
    let text = judge(&sandbox, &kept(&sandbox), &[], 3);
    assert!(!text.contains("are not from a run of this checkout"), "{text}");
}

#[test]
fn a_directory_without_a_run_is_an_error() {
    let sandbox = finished();
    let text = sandbox.run(&["check", "--artifacts", "nowhere"], 2);
    assert!(text.contains("no finished run in `nowhere`: `run.json` is missing"), "{text}");
    sandbox.run(&["check"], 1);
    let dir = kept(&sandbox);
    let run = std::fs::read_to_string(dir.join("run.json")).unwrap();
    std::fs::write(dir.join("run.json"), run.replace("\"schema\": 1", "\"schema\": 9")).unwrap();
    assert!(judge(&sandbox, &dir, &[], 2).contains("has schema 9"));
    for args in [["--fail-fast", "-v"], ["--no-cache", "-v"], ["--as-of", "2026-01-01"]] {
        sandbox.run(&[&["check", "--artifacts", "x"][..], &args].concat(), 2);
    }
}

#[test]
fn a_path_of_this_machine_fails_the_check_that_wrote_it() {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = ['true']\nversion = ['pwd']\n");
    sandbox.run(&["run"], 0);
    let text = sandbox.run(&["check"], 1);
    let place = sandbox.root().display().to_string();
    let said = format!("`{place}` contains `{place}`, a path of this machine");
    assert!(text.contains("are specific to this machine: run.json, line ") && text.contains(&said), "{text}");
}

/// Large files are produced in parts by several threads. The result must be the same as with one, in plan order.
#[test]
fn many_tasks_are_written_in_order_by_any_number_of_threads() {
    let sandbox =
        Sandbox::with_tools("[tools.t]\nrun = ['true', '{files}']\nfiles = ['many/**']\nper = 'file'\n");
    (0..1500).for_each(|at| sandbox.write(&format!("many/{at}"), ""));
    sandbox.run(&["run"], 0);
    // Each line has the same format as other JSON of genti.
    sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 0);
    for batch in ["7", "by-tool"] {
        let written = ["1", "4"].map(|threads| {
            let mut command = sandbox.command(&["run", "--batch", batch]);
            sandbox.expect(&command.env("RAYON_NUM_THREADS", threads).output().unwrap(), 0);
            let text =
                std::fs::read_to_string(sandbox.root().join("target/genti/artifacts/tasks.jsonl")).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.collect::<Vec<_>>()
        });
        assert_eq!(written[0], written[1]);
        let units = |line: &Value| line["unit"].as_str().map(str::to_owned);
        let units: Vec<_> = written[0].iter().filter_map(units).collect();
        assert!(units.len() == 1500 && units.is_sorted(), "{units:?}");
    }
}

/// The lines of `tasks.jsonl` are checked for paths before they are written.
#[test]
#[cfg(unix)]
fn a_unit_with_a_path_of_this_machine_is_reported_with_its_line() {
    let sandbox =
        Sandbox::with_tools("[tools.t]\nrun = ['true', '{files}']\nfiles = ['a */**']\nper = 'file'\n");
    let place = sandbox.root().display().to_string();
    sandbox.write(&format!("a {place}/f"), "");
    sandbox.run(&["run"], 0);
    let text = sandbox.run(&["check"], 1);
    let said = format!("tasks.jsonl, line 2: `a {place}/f` contains `{place}`, a path of this machine");
    let tasks = std::fs::read_to_string(sandbox.root().join("target/genti/artifacts/tasks.jsonl")).unwrap();
    assert!(tasks.lines().nth(1).unwrap().contains(&format!("a {place}/f")), "{tasks}");
    assert!(text.contains(&said), "{text}");
}
