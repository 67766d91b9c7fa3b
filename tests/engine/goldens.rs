//! Tests of tools with `compare = "golden"`: differences, files written by `--bless`, and orphans.

use crate::support::Sandbox;

const DIR: &str = ".config/genti/golden";

/// Creates a tool `t` that runs `script` in a shell, with additional keys.
fn tool(script: &str, keys: &str) -> Sandbox {
    Sandbox::with_tools(&format!(
        "[tools.t]\nrun = ['sh', '-c', '''{script}''']\ncompare = 'golden'\n{keys}\n"
    ))
}

fn golden(sandbox: &Sandbox, name: &str) -> Option<String> {
    std::fs::read_to_string(sandbox.root().join(DIR).join(name)).ok()
}

fn message(sandbox: &Sandbox) -> String {
    sandbox.json("report.json")["findings"][0]["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_blessed_output_passes_until_the_output_changes() {
    let sandbox = tool("cat page.txt", "");
    sandbox.write("page.txt", "one\ntwo\nthree\n");
    let text = sandbox.run(&["check"], 1);
    assert_eq!(sandbox.findings(), ["new golden .config/genti/golden/t.out:null"]);
    assert!(message(&sandbox).contains("`cargo genti run --bless` writes it"));
    assert!(text.contains("+two") && golden(&sandbox, "t.out").is_none(), "{text}");

    let text = sandbox.run(&["run", "--bless"], 0);
    assert!(text.contains("Wrote .config/genti/golden/t.out"), "{text}");
    assert_eq!(golden(&sandbox, "t.out").as_deref(), Some("one\ntwo\nthree\n"));
    sandbox.run(&["check"], 0);
    let text = sandbox.run(&["run", "--bless"], 0);
    assert!(text.contains("all golden files are up to date"), "{text}");

    sandbox.edit("page.txt", "two", "2");
    let text = sandbox.run(&["run"], 1);
    assert!(text.contains("-two") && text.contains("+2"), "{text}");
    assert_eq!(sandbox.findings(), ["new golden .config/genti/golden/t.out:2"]);
    assert_eq!(golden(&sandbox, "t.out").as_deref(), Some("one\ntwo\nthree\n"), "`run` alone writes nothing");
}

#[test]
fn redactions_are_kept_when_other_lines_are_blessed() {
    let sandbox = tool("pwd; echo took $(date +%N) ns; cat page.txt", "");
    sandbox.write("page.txt", "old\n");
    sandbox.run(&["run", "--bless"], 0);
    let text = golden(&sandbox, "t.out").unwrap();
    assert!(text.starts_with("[CWD]\ntook ") && text.ends_with(" ns\nold\n"), "{text}");
    sandbox.write(&format!("{DIR}/t.out"), "[CWD]\ntook [..] ns\nold\n");
    sandbox.run(&["check"], 0);
    sandbox.write("page.txt", "new\n");
    sandbox.run(&["run", "--bless"], 0);
    assert_eq!(golden(&sandbox, "t.out").as_deref(), Some("[CWD]\ntook [..] ns\nnew\n"));
}

#[test]
fn the_exit_code_is_compared() {
    let sandbox = tool("cat page.txt; test ! -e fail || { echo why >&2; exit 3; }", "");
    sandbox.write("page.txt", "one\n");
    sandbox.run(&["run", "--bless"], 0);
    sandbox.write("fail", "");
    let text = sandbox.run(&["run"], 1);
    assert_eq!(message(&sandbox), "exited with `3`, but the golden file expects `0`");
    assert!(text.contains("why") && text.contains("+? 3"), "{text}");
    sandbox.run(&["run", "--bless"], 0);
    assert_eq!(golden(&sandbox, "t.out").as_deref(), Some("? 3\none\n"));
    sandbox.run(&["check"], 0);
    std::fs::remove_file(sandbox.root().join("fail")).unwrap();
    sandbox.run(&["check"], 1);
    assert_eq!(message(&sandbox), "exited with `0`, but the golden file expects `3`");
}

#[test]
fn the_configured_streams_are_compared() {
    #[track_caller]
    fn check(compare: &str, expected: &str) {
        let sandbox = tool("echo out; printf '\\033[1merr\\033[0m\\r\\n' >&2", "");
        sandbox.edit("genti.toml", "compare = 'golden'", &format!("compare = {compare}"));
        sandbox.run(&["run", "--bless"], 0);
        assert_eq!(golden(&sandbox, "t.out").as_deref(), Some(expected), "{compare}");
    }
    check("'golden'", "out\n");
    check("{ golden = 'stdout' }", "out\n");
    check("{ golden = 'stderr' }", "err\n");
    check("{ golden = 'both' }", "out\nerr\n");
}

#[test]
fn each_unit_has_its_golden_for_every_batch_policy_and_task_ids_ignore_it() {
    let sandbox = Sandbox::with_tools(
        "[tools.t]\nrun = ['cat', '{files}']\nfiles = ['**/*.in', '.config/**/*.out']\ncompare = 'golden'\n",
    );
    for name in ["a.in", "b/c.in", "b/%.in", "a.out/d.in"] {
        sandbox.write(name, &format!("this is {name}\n"));
    }
    sandbox.run(&["run"], 1);
    let before = sandbox.artifact("run.json");
    sandbox.run(&["run", "--bless", "--parallel", "3"], 0);
    let goldens = ["t/a.in.out", "t/b/c.in.out", "t/b/%25.in.out", "t/a%2Eout/d.in.out"];
    let mut texts = goldens.map(|name| golden(&sandbox, name).unwrap());
    texts.sort();
    assert_eq!(texts, ["a.in", "a.out/d.in", "b/%.in", "b/c.in"].map(|name| format!("this is {name}\n")));
    for batch in ["auto", "1", "by-path"] {
        sandbox.run(&["run", "--batch", batch], 0);
    }
    sandbox.run(&["run"], 0);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ended = |text: String| text.replace("\"failed\"", "\"passed\"").replace("\"exit\": 1", "\"exit\": 0");
    assert_eq!(ended(text(before)), ended(text(sandbox.artifact("run.json"))));
    // Findings are assigned to the unit, although they are placed in another file.
    sandbox.edit("b/c.in", "this", "that");
    sandbox.run(&["run"], 1);
    let statuses: Vec<_> =
        sandbox.lines("task").iter().map(|task| format!("{} {}", task["unit"], task["status"])).collect();
    let found: Vec<_> = statuses.iter().filter(|status| status.ends_with("\"findings\"")).collect();
    assert_eq!(found, ["\"b/c.in\" \"findings\""], "{statuses:?}");
}

#[test]
fn a_difference_is_assigned_to_its_unit_wherever_its_golden_is() {
    let sandbox =
        Sandbox::with_tools("[tools.t]\nrun = ['cat', '{files}']\nper = 'target-root'\ncompare = 'golden'\n");
    sandbox.run(&["run", "--bless"], 0);
    sandbox.edit("tests/greets.rs", "From outside", "From elsewhere");
    sandbox.run(&["run"], 1);
    assert_eq!(sandbox.findings(), ["new golden .config/genti/golden/t/tests/greets.rs.out:1"]);
    let tasks = sandbox.lines("task").into_iter().filter(|task| task["status"] == "findings");
    assert_eq!(tasks.map(|task| task["unit"].clone()).collect::<Vec<_>>(), ["tests/greets.rs"]);
}

#[test]
fn an_orphan_warns_in_a_run_fails_a_check_and_is_removed_only_on_request() {
    let sandbox =
        Sandbox::with_tools("[tools.t]\nrun = ['cat', '{files}']\nfiles = ['*.in']\ncompare = 'golden'\n");
    sandbox.write("a.in", "a\n");
    sandbox.write("b.in", "b\n");
    sandbox.run(&["run", "--bless"], 0);
    std::fs::remove_file(sandbox.root().join("b.in")).unwrap();
    sandbox.write(&format!("{DIR}/gone.out"), "of a tool that is gone\n");
    sandbox.write(&format!("{DIR}/README.md"), "no golden\n");
    let text = sandbox.run(&["run"], 0);
    assert!(text.contains("note: 2 orphaned golden files"), "{text}");
    assert_eq!(
        sandbox.json("report.json")["golden_orphans"],
        serde_json::json!([".config/genti/golden/gone.out", ".config/genti/golden/t/b.in.out"])
    );
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains("error: 2 orphaned golden files"), "{text}");
    // A partial run can't detect orphans.
    let text = sandbox.run(&["check", "--partial", "--tool", "t"], 0);
    assert!(!text.contains("orphaned golden"), "{text}");
    sandbox.run(&["run", "--bless", "--remove-orphans", "--tool", "t"], 2);
    sandbox.run(&["run", "--bless"], 0);
    assert!(golden(&sandbox, "gone.out").is_some() && golden(&sandbox, "t/b.in.out").is_some());
    let text = sandbox.run(&["run", "--bless", "--remove-orphans"], 0);
    assert!(text.contains("Removed .config/genti/golden/t/b.in.out"), "{text}");
    assert!(golden(&sandbox, "gone.out").is_none() && golden(&sandbox, "t/b.in.out").is_none());
    assert!(golden(&sandbox, "t/a.in.out").is_some() && golden(&sandbox, "README.md").is_some());
    sandbox.run(&["check"], 0);
}

#[test]
fn goldens_of_a_disabled_tool_are_not_orphans_and_those_of_an_optional_tool_do_not_fail() {
    let sandbox = tool("echo x", "");
    sandbox.run(&["run", "--bless"], 0);
    sandbox.edit("genti.toml", "compare = 'golden'", "compare = 'golden'\nenabled = false");
    let text = sandbox.run(&["check"], 0);
    assert!(!text.contains("orphaned golden"), "{text}");
    sandbox.edit("genti.toml", "enabled = false", "required = false");
    sandbox.write(&format!("{DIR}/t/gone.out"), "");
    let text = sandbox.run(&["check"], 0);
    assert!(text.contains("orphaned golden"), "{text}");
}

#[test]
fn output_without_a_verdict_is_never_blessed() {
    #[track_caller]
    fn check(script: &str, args: &[&str], status: &str, reason: &str) {
        let sandbox = tool(script, "");
        sandbox.run(&[&["run", "--bless"], args].concat(), 3);
        let task = &sandbox.lines("task")[0];
        assert_eq!(task["status"], status, "{script}");
        let said = task["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{script}: {said}");
        assert!(!sandbox.root().join(DIR).exists(), "{script}");
    }
    check("echo half; exit 127", &[], "unparsable", "exited with 127");
    check("echo half; kill -SEGV $$", &[], "crashed", "SEGV");
    check("echo half; sleep 600", &["--per-task-timeout", "300ms"], "timed-out", "timed out after");
    check("echo a; printf 'b\\377\\n'", &[], "unparsable", "line 2 is not UTF-8");
    check("echo a; printf 'b\\000\\n'", &[], "unparsable", "line 2 contains a NUL byte");
    check("head -c 1048577 /dev/zero | tr '\\000' x", &[], "unparsable", "larger than 1 MiB");
    check("echo 'error: could not compile `x`' >&2; exit 101", &[], "incomplete", "compiles");
}

#[test]
fn a_golden_that_cannot_be_read_or_written_is_named() {
    let sandbox = tool("echo x", "");
    std::fs::create_dir_all(sandbox.root().join(DIR).join("t.out")).unwrap();
    sandbox.run(&["run"], 3);
    let reason = sandbox.lines("task")[0]["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason, "could not read the golden file `.config/genti/golden/t.out`: it is not a file");

    let sandbox = tool("echo x", "");
    sandbox.write(DIR, "a file in the way");
    let text = sandbox.run(&["run", "--bless"], 4);
    assert!(text.contains("error: could not write `.config/genti/golden/t.out`: "), "{text}");
    assert!(
        !sandbox.root().join("target/genti/artifacts/run.json").exists(),
        "no artifact says that it passed"
    );
}

#[test]
fn differences_from_a_golden_cannot_be_accepted_in_the_baseline() {
    let sandbox = tool("echo x", "");
    let text = sandbox.run(&["baseline", "init"], 0);
    assert!(text.contains("1 difference from a golden file is not accepted"), "{text}");
    assert!(!sandbox.root().join(".config/genti/baseline").exists());
    let text = sandbox.run(&["baseline", "accept", "--reason", "no"], 0);
    assert!(text.contains("1 new finding can't be accepted"), "{text}");
    assert!(!sandbox.root().join(".config/genti/baseline").exists());
    // Entries written by hand are ignored too.
    sandbox.run(&["run"], 1);
    let finding = sandbox.json("report.json")["findings"][0].clone();
    let entry = serde_json::json!({
        "path": finding["path"], "rule": "golden", "in": "", "code": finding["code"], "msg": finding["message"],
    });
    sandbox.write(".config/genti/baseline/t.jsonl", &format!("{{\"genti_baseline\":1}}\n{entry}\n"));
    sandbox.run(&["run"], 1);
    assert_eq!(sandbox.findings(), ["new golden .config/genti/golden/t.out:null"]);
}

#[test]
fn check_has_no_bless_flag() {
    let sandbox = tool("echo x", "");
    for args in [&["check", "--bless"][..], &["run", "--remove-orphans"]] {
        sandbox.run(args, 2);
    }
}
