//! Tests of `verify`: results that depend on chance, order or parallelism are named, and others pass.

use crate::support::process::wait_until;
use crate::support::{Sandbox, disabled};

/// Configures a tool whose output is parsed as `path:line: message`.
const LINES: &str = "parse = { regex = '^(?<path>.+?):(?<line>\\d+): (?<message>.*)$' }\n";

fn tool(name: &str, script: &str, rest: &str) -> String {
    format!(
        "[tools.{name}]\nrun = ['sh', '-c', '''{script}''', '_', '{{files}}']\nfiles = ['text/*']\n{LINES}{rest}"
    )
}

fn texts(config: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(config);
    ["a", "b", "c"].iter().for_each(|name| sandbox.write(&format!("text/{name}"), "one\n"));
    sandbox
}

#[track_caller]
fn varies(config: &str, args: &[&str], expected: &str) -> String {
    let sandbox = texts(config);
    let text = sandbox.run_alone(&[&["verify"], args].concat(), 1);
    assert!(text.contains(&format!("error: {expected}")), "{expected}: {text}");
    assert!(!sandbox.root().join("target/genti/artifacts/run.json").exists(), "it is no run");
    for name in ["first/report.json", "other/report.json"] {
        assert!(sandbox.root().join("target/genti/verify").join(name).exists(), "{name}");
    }
    text
}

#[test]
fn a_workspace_without_chance_passes_whatever_is_found_in_it() {
    let sandbox = texts(&tool("words", "for f; do echo \"$f:1: one\"; done; exit 1", "per = 'file'\n"));
    let text = sandbox.run(&["verify", "--parallel", "2"], 0);
    assert!(text.contains("Running 1 of 2: parallel 2, seed 0, files as found"), "{text}");
    assert!(text.contains("Running 2 of 2: parallel 1, seed 1, files reversed"), "{text}");
    assert!(text.contains("Verified 3 tasks: identical results in 2 runs"), "{text}");
    let text = sandbox.run(&["verify", "--runs", "4", "--parallel", "1", "--batch", "1", "--seed", "7"], 0);
    assert!(text.contains("Running 4 of 4: parallel 2, seed 10, files shuffled"), "{text}");
    sandbox.run(&["verify", "--runs", "1"], 2);
    sandbox.run(&["verify", "--order", "risk-first", "--batch", "by-path"], 0);
    assert!(!sandbox.root().join("target/genti/verify").exists());
}

#[test]
fn cargos_own_tools_pass() {
    for fixture in ["members", "findings"] {
        let sandbox = Sandbox::of(fixture, "w");
        let text = sandbox.run(&["verify"], 0);
        assert!(text.contains("identical results in 2 runs"), "{text}");
    }
}

#[test]
fn a_tool_that_prints_a_random_number_or_the_time_is_named_with_the_field() {
    let number = "n=$(od -An -N8 -tu8 /dev/urandom | tr -d ' '); for f; do echo \"$f:1: took $n\"; done";
    varies(&tool("random", number, "per = 'file'\n"), &[], "random text/a: `message` varies: `took ");
    let time = "for f; do echo \"$f:1: at $(date +%s%N)\"; done";
    varies(&tool("clock", time, "per = 'file'\n"), &[], "clock text/a: `message` varies: `at ");
    // The task covers the whole workspace, so there is no unit to name.
    let whole = format!("[tools.clock]\nrun = ['sh', '-c', 'echo a:1: at $(date +%s%N)']\n{LINES}");
    varies(&whole, &[], "clock: `message` varies: `at ");
    let line = "echo \"text/b:$(($(date +%s%N) / 1000 % 1000000 + 1)): here\"";
    varies(&tool("line", line, ""), &[], "line text/b: `range.end.line` varies: `");
    let version = tool("old", "true", "version = ['date', '+%s%N']\n");
    varies(&version, &[], "old: `version` varies: `");
}

#[test]
fn a_golden_with_the_time_is_named_and_one_that_redacts_it_passes() {
    let config = "[tools.g]\nrun = ['sh', '-c', 'echo took $(date +%s%N)']\ncompare = 'golden'\n";
    let sandbox = Sandbox::with_tools(config);
    sandbox.run(&["run", "--bless"], 0);
    let text = sandbox.run(&["verify"], 1);
    assert!(text.contains("error: g: `"), "{text}");
    sandbox.write(".config/genti/golden/g.out", "took [..]\n");
    sandbox.run(&["verify"], 0);
}

#[test]
fn dependence_on_parallelism_or_order_is_found() {
    let alone = |name: &str, script: &str| tool(name, script, "per = 'file'\nmax-tasks = 1\n");
    // Only one process at a time can create the directory. The first one waits until another one has found the
    // directory.
    let held = "mkdir ../held 2> /dev/null || { : > ../met; echo \"$1:1: held\"; exit; }; \
                until test -e ../met; do sleep 0.05; done; rmdir ../held";
    varies(&alone("alone", held), &["--parallel", "3"], "alone text/");
    // The first process wins.
    let first = "test $(ls ../seen* 2> /dev/null | wc -l) != 0 || echo \"$1:1: first\"; touch ../seen.$$";
    varies(&alone("race", first), &["--parallel", "1"], "race text/");
}

#[test]
fn a_task_that_fails_rarely_is_found_by_many_runs() {
    let script = "n=$(cat ../count 2> /dev/null || echo 0); echo $((n + 1)) > ../count; \
                  test $n -ne 2 || { echo 'text/b:1: seldom'; exit 1; }";
    let text = varies(
        &tool("seldom", script, ""),
        &["--runs", "4"],
        "seldom text/b: `status` varies: `clean` in run 1",
    );
    assert!(text.contains("`findings` in run 3; 1 of 3 later runs differ from the first"), "{text}");
    assert!(text.contains("error: 1 difference over 4 runs of 3 tasks"), "{text}");
    Sandbox::run(&texts(&tool("seldom", script, "")), &["verify", "--runs", "2"], 0);
}

#[test]
fn a_flaky_test_is_named() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("genti.toml", &disabled(&["fmt", "clippy", "doc", "doctest"]));
    sandbox.write(
        "tests/flaky.rs",
        "#[test]\nfn sometimes() {\n    let place = std::path::Path::new(\"../seen\");\n    \
         let seen = place.exists();\n    std::fs::write(place, \"\").unwrap();\n    assert!(!seen);\n}\n",
    );
    let text = sandbox.run(&["verify"], 1);
    assert!(text.contains("error: test tests/flaky.rs: `status` varies: `clean` in run 1"), "{text}");
}

/// Creates a tool over three files that prints, for each of them, the content of a file next to the workspace.
/// This file is not declared as an input.
fn with_hidden_input(text: &str) -> Sandbox {
    // The file is not an input, because the script only has a pattern for it.
    let script = "for f; do sed \"s|^|$f:1: |\" ../hidde[n]; done";
    let sandbox = texts(&tool("own", script, "per = 'file'\n"));
    sandbox.write("../hidden", text);
    sandbox.run(&["run"], i32::from(!text.is_empty()));
    sandbox
}

#[test]
fn a_cached_result_that_a_new_run_does_not_confirm_is_named_with_the_finding() {
    for (before, after, says) in [
        ("", "bad\n", "a fresh run finds `own: bad`"),
        ("bad\n", "", "no fresh run finds `own: bad`"),
        ("bad\n", "good\n", "`message` is `bad`, but `good` in a fresh run"),
    ] {
        let sandbox = with_hidden_input(before);
        sandbox.write("../hidden", after);
        sandbox.run(&["run"], i32::from(!before.is_empty()));
        let text = sandbox.run(&["verify", "--parallel", "2"], 1);
        for file in ["a", "b", "c"] {
            let expected = format!("error: own text/{file}: the cached result is wrong: {says}\n");
            assert!(text.contains(&expected), "{expected}: {text}");
        }
        assert!(
            text.contains("Running 1 of 2: parallel 2, seed 0, files as found, with the result cache"),
            "{text}"
        );
        assert!(text.contains("Running 3 of 3: parallel 4, seed 2, files shuffled\n"), "{text}");
        assert!(text.contains("error: 3 cached results are wrong over 3 runs of 3 tasks"), "{text}");
        assert!(text.contains("remove the wrong results with `cargo genti clean`"), "{text}");
        // A run still uses the cached results until they are removed.
        sandbox.run(&["run"], i32::from(!before.is_empty()));
        sandbox.run(&["clean"], 0);
        let text = sandbox.run(&["verify"], 0);
        assert!(text.contains("Verified 3 tasks: identical results in 2 runs\n"), "{text}");
    }
}

#[test]
fn a_cached_verdict_that_a_new_run_does_not_confirm_is_named() {
    let sandbox =
        Sandbox::with_tools("[tools.own]\nrun = ['sh', '-c', 'test ! -e ../hidde[n] || kill -SEGV $$']\n");
    sandbox.run(&["run"], 0);
    sandbox.write("../hidden", "");
    let text = sandbox.run(&["verify"], 3);
    let says = "error: own: the cached result is wrong: `status` is `clean`, but `crashed` in a fresh run\n";
    assert!(text.contains(says), "{text}");
    assert!(text.contains("no result from own for .: killed by SIGSEGV"), "{text}");
}

#[test]
fn correct_cached_results_are_counted_and_unselected_ones_are_not_verified() {
    let sandbox = with_hidden_input("bad\n");
    let text = sandbox.run(&["verify"], 0);
    assert!(
        text.contains("Verified 3 tasks: identical results in 2 runs, 3 cached results confirmed\n"),
        "{text}"
    );
    sandbox.write("../hidden", "");
    let text = sandbox.run(&["verify", "--no-cache"], 0);
    assert!(text.contains("Verified 3 tasks: identical results in 2 runs\n"), "{text}");
    // Only cached results can be wrong. One of these tasks runs the first time, like for a new file.
    sandbox.write("../hidden", "bad\n");
    sandbox.run(&["verify"], 0);
    sandbox.write("text/a", "two\n");
    sandbox.write("../hidden", "");
    let text = sandbox.run(&["verify"], 1);
    assert!(
        text.contains("own text/b: the cached result is wrong") && !text.contains("own text/a"),
        "{text}"
    );
}

#[test]
fn a_tool_that_varies_is_not_blamed_on_the_cache() {
    let number = "n=$(od -An -N8 -tu8 /dev/urandom | tr -d ' '); for f; do echo \"$f:1: took $n\"; done";
    let sandbox = texts(&tool("random", number, "per = 'file'\n"));
    sandbox.run(&["run"], 1);
    let text = sandbox.run(&["verify"], 1);
    assert!(text.contains("error: random text/a: `message` varies: `took "), "{text}");
    assert!(text.contains("in run 2, `took ") && text.contains("error: 3 differences over 3 runs"), "{text}");
    assert!(!text.contains("the cached result is wrong"), "{text}");
}

#[test]
fn a_check_that_changes_the_workspace_is_named() {
    let config = tool("writes", "for f; do echo more >> \"$f\"; done", "per = 'file'\n");
    let sandbox = texts(&config);
    let text = sandbox.run(&["verify"], 1);
    assert!(text.contains("error: writes text/a: `task_id` varies"), "{text}");
}

#[test]
fn tasks_without_a_verdict_are_not_verified() {
    let sandbox = Sandbox::with_tools("[tools.gone]\nrun = ['genti-no-such-tool']\n");
    let text = sandbox.run(&["verify"], 3);
    assert!(text.contains("no result from gone for .: `genti-no-such-tool` is not installed"), "{text}");
    let sandbox = Sandbox::with_tools("[tools.gone]\nrun = ['genti-no-such-tool']\nrequired = false\n");
    sandbox.run(&["verify"], 0);
    let stopped =
        Sandbox::with_tools("[tools.t]\nrun = ['sh', '-c', 'kill -s TERM $PPID; exec sleep 600']\n");
    stopped.run(&["verify"], 143);
}

#[test]
fn the_artifacts_of_the_last_run_are_unchanged() {
    let sandbox = texts(&tool("words", "true", ""));
    sandbox.run(&["run"], 0);
    let before = sandbox.artifact("tasks.jsonl");
    sandbox.run(&["verify"], 0);
    assert_eq!(sandbox.artifact("tasks.jsonl"), before);
    // Only one verify runs at a time, like with runs.
    let held = std::fs::File::create(sandbox.root().join("target/genti/lock")).unwrap();
    fs4::FileExt::lock(&held).unwrap();
    let mut verify = sandbox.start(&["verify"]);
    wait_until("a verify that waits", || verify.says("waiting for another run in this workspace"));
    assert!(!verify.has_ended());
    drop(held);
    sandbox.expect(&verify.finish(), 0);
}
