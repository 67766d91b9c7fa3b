//! Tests of the built-in test tools: what they run, what the tests see, and how results are reported.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::Sandbox;

/// Configuration that only runs tests.
const TESTS: [&str; 5] = ["run", "--tool", "test", "--tool", "doctest"];

/// Returns `namespace subject` for each new finding.
fn subjects(sandbox: &Sandbox) -> Vec<String> {
    let report = sandbox.json("report.json");
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    findings
        .filter(|finding| finding["state"] == "new")
        .map(|finding| format!("{} {}", text(&finding["ns"]), text(&finding["subject"])))
        .collect()
}

/// Returns `unit status reason` for each task of `test`.
fn statuses(sandbox: &Sandbox) -> Vec<String> {
    let lines = sandbox.lines("task").into_iter().filter(|line| line["tool"] == "test");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines
        .map(|line| {
            let parts = [text(&line["unit"]), text(&line["status"]), text(&line["reason"])];
            parts.join(" ").trim_end().to_owned()
        })
        .collect()
}

const FAILING: [&str; 3] =
    ["test alpha tests::fails", "test alpha tests::returns_an_error", "doctest alpha/src/lib.rs - add #2"];

#[test]
fn each_failing_test_is_a_finding_and_each_target_a_task() {
    let sandbox = Sandbox::of("tests", "w");
    let text = sandbox.run(&TESTS, 1);
    assert_eq!(subjects(&sandbox), FAILING);
    assert_eq!(
        statuses(&sandbox),
        [
            "alpha/src/lib.rs findings",
            "alpha/src/main.rs clean",
            "alpha/tests/custom.rs clean",
            "alpha/tests/extra.rs skipped requires features that are not enabled",
            "alpha/tests/runs.rs clean",
            "beta/src/lib.rs clean",
            "macros/src/lib.rs clean",
        ]
    );
    assert!(
        text.contains("Failed test       2  11 tests, 1 ignored, 6 targets, 1 test target skipped"),
        "{text}"
    );
    assert!(!text.contains("test-build"), "what passes and is there for others is not worth a line: {text}");
    let finding = sandbox.json("report.json")["findings"][0].clone();
    let message = "assertion `left == right` failed: on purpose";
    assert_eq!((&finding["rule"], &finding["message"]), (&"failed".into(), &message.into()));
    assert_eq!(finding["test"]["path"], "alpha/src/lib.rs");
    assert_eq!(finding["related"][0]["message"], "  left: 3\n right: 4");
}

#[test]
fn the_same_tests_run_as_with_cargo_test() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.run(
        &["run", "--tool", "test", "--tool", "doctest", "-F", "alpha/extra", "-p", "alpha", "-p", "beta"],
        1,
    );
    assert!(statuses(&sandbox).contains(&"alpha/tests/extra.rs clean".to_owned()));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--workspace", "--no-fail-fast", "--target-dir", "target/genti/build"]);
    sandbox.scrub(&mut cargo);
    let output = cargo.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let failed: Vec<_> =
        text.lines().filter(|line| line.starts_with("test ") && line.ends_with(" ... FAILED")).collect();
    assert_eq!(failed.len(), subjects(&sandbox).len(), "{text}");
}

#[test]
fn an_accepted_test_failure_passes_until_it_is_fixed() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.run(&["baseline", "init", "--tool", "test", "--tool", "doctest"], 0);
    let check = ["check", "--partial", "--tool", "test", "--tool", "doctest"];
    sandbox.run(&check, 0);
    // Lines may move, including those of doc tests, and a test of a skipped target keeps its state.
    sandbox.edit("alpha/src/lib.rs", "/// The sum.\n", "/// The sum.\n///\n/// Of two numbers.\n");
    let baseline = sandbox.root().join(".config/genti/baseline/test.jsonl");
    let text = std::fs::read_to_string(&baseline).unwrap();
    let first = text.lines().nth(1).unwrap();
    assert!(first.contains("\"subject\":\"alpha tests::fails\""), "{first}");
    let skipped = first.replace("alpha tests::fails", "alpha::extra passes");
    let mut lines: Vec<_> = text.lines().chain([skipped.as_str()]).collect();
    lines[1..].sort_unstable();
    std::fs::write(&baseline, lines.join("\n") + "\n").unwrap();
    sandbox.run(&check, 0);
    let gone = sandbox.json("report.json")["gone"].clone();
    assert_eq!((&gone[0]["subject"], &gone[0]["state"]), (&"alpha::extra passes".into(), &"unknown".into()));
    sandbox.edit("alpha/src/lib.rs", "4, \"on purpose\"", "3, \"on purpose\"");
    sandbox.run(&check, 1);
    let gone = sandbox.json("report.json")["gone"].clone();
    assert_eq!((&gone[0]["subject"], &gone[0]["state"]), (&"alpha tests::fails".into(), &"fixed".into()));
}

#[test]
fn a_target_that_does_not_compile_only_leaves_its_own_tests_without_a_verdict() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.edit(
        "alpha/src/lib.rs",
        "fn passes() {\n        assert",
        "fn passes() {\n        let _: u32 = \"\";\n        assert",
    );
    let text = sandbox.run(&["run", "--tool", "test"], 3);
    assert!(text.contains("error[E0308]") && text.contains("no result from: test, test-build"), "{text}");
    let not_built = "alpha/src/lib.rs incomplete tests not run because they failed to build";
    let statuses = statuses(&sandbox);
    assert!(statuses.contains(&not_built.to_owned()), "{statuses:?}");
    assert!(statuses.contains(&"alpha/tests/runs.rs clean".to_owned()), "{statuses:?}");
    assert!(statuses.contains(&"beta/src/lib.rs clean".to_owned()), "{statuses:?}");
    // A lint that is an error does not prevent tests from being built.
    let sandbox = Sandbox::of("tests", "w");
    sandbox.edit("beta/src/lib.rs", "/// Twice.", "#[deny(unused_variables)]\n/// Twice.");
    sandbox.edit("beta/src/lib.rs", "    2 * x", "    let y = 1;\n    2 * x");
    sandbox.run(&["run", "--tool", "test", "-p", "beta"], 0);
    assert_eq!(self::statuses(&sandbox), ["beta/src/lib.rs clean"]);
}

#[test]
fn an_aborted_test_program_has_no_verdict() {
    let check = |body: &str, code: i32, expected: &str| {
        let sandbox = Sandbox::of("tests", "w");
        sandbox.edit("beta/src/lib.rs", "assert_eq!(twice(1), 2);", body);
        sandbox.run(&["run", "--tool", "test", "-p", "beta"], code);
        assert_eq!(statuses(&sandbox), [format!("beta/src/lib.rs {expected}")], "{body}");
    };
    check("std::process::abort()", 3, "crashed killed by SIGABRT");
    check("std::process::exit(0)", 3, "unparsable exited with 0 before its tests finished");
    check("std::process::exit(1)", 3, "unparsable exited with 1 before its tests finished");
    let imitated =
        "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
    let say = format!("use std::io::Write; writeln!(std::io::stdout(), \"\\n{imitated}\").unwrap();");
    check(&format!("{say} std::process::exit(1)"), 3, "unparsable exited with 1 although its tests passed");
    check(&format!("{say} panic!()"), 1, "findings");
}

#[test]
fn a_custom_harness_is_judged_by_its_exit_code() {
    let sandbox = Sandbox::of("tests", "w");
    sandbox.edit("alpha/tests/custom.rs", "was tried\");", "was tried\");\n    std::process::exit(1);");
    sandbox.run(&["run", "--tool", "test"], 1);
    assert!(subjects(&sandbox).contains(&"test alpha::custom".to_owned()), "{:?}", subjects(&sandbox));
}

#[test]
fn tests_see_the_environment_of_cargo_and_nothing_of_genti() {
    let sandbox = Sandbox::of("tests", "w");
    let shown = "std::fs::write(std::env::var(\"BESIDE\").unwrap(), \
                 [\"CARGO_TARGET_DIR\", \"RUNNER\", \"CONFIGURED\", \"RUST_BACKTRACE\", \"CARGO_MAKEFLAGS\"]\
                 .map(|name| format!(\"{name}={}\\n\", std::env::var(name).unwrap_or_default())).concat()).unwrap();";
    sandbox.edit("beta/src/lib.rs", "assert_eq!(twice(1), 2);", shown);
    sandbox.write(".cargo/config.toml", "[env]\nCONFIGURED = \"yes\"\nCARGO_PKG_NAME = \"never\"\n");
    let beside = sandbox.beside().join("seen");
    let runner = sandbox.beside().join("runner");
    std::fs::write(&runner, "#!/bin/sh\nRUNNER=$1 exec \"$2\"\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&runner).status().unwrap().success());
    let host = String::from_utf8(Command::new("rustc").arg("-vV").output().unwrap().stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let name = format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace('-', "_"));
    let mut command = sandbox.command(&["run", "--tool", "test", "-p", "beta"]);
    command.env("BESIDE", &beside).env(name, format!("{} given", runner.display()));
    sandbox.expect(&command.output().unwrap(), 0);
    let seen = std::fs::read_to_string(beside).unwrap();
    for line in ["CARGO_TARGET_DIR=\n", "RUNNER=given\n", "CONFIGURED=yes\n", "RUST_BACKTRACE=0\n"] {
        assert!(seen.contains(line), "{seen}");
    }
    assert!(seen.contains("--jobserver-auth="), "tests may start a cargo: {seen}");
}

#[test]
fn a_task_takes_free_tokens_for_its_threads() {
    let config = "[tools.t]\nrun = [\"sh\", \"-c\", \"echo $N >> ../log; sleep 0.2\", \"{file}\"]\nthreads = \"N\"\n\
                  per = \"file\"\nfiles = [\"many/*\"]\n";
    let check = |files: usize, parallel: &str, own: Option<&str>, is_fine: &dyn Fn(&[usize]) -> bool| {
        let sandbox = Sandbox::with_tools(&config.replace("threads", "env = [\"N\"]\nthreads"));
        (0..files).for_each(|at| sandbox.write(&format!("many/{at}"), ""));
        let mut command = sandbox.command(&["run", "--parallel", parallel]);
        if let Some(own) = own {
            command.env("N", own);
        }
        sandbox.expect(&command.output().unwrap(), 0);
        let log = std::fs::read_to_string(sandbox.beside().join("log")).unwrap();
        let threads: Vec<usize> = log.lines().map(|line| line.parse().unwrap()).collect();
        assert!(threads.len() == files && is_fine(&threads), "{threads:?} of {parallel}");
    };
    check(1, "3", None, &|threads| threads == [3]);
    check(1, "1", None, &|threads| threads == [1]);
    check(1, "3", Some("2"), &|threads| threads == [2]);
    check(6, "3", None, &|threads| threads.iter().all(|threads| (1..=3).contains(threads)));
}

#[test]
fn the_switch_to_nextest_keeps_the_baseline() {
    let found = Command::new(env!("CARGO")).args(["nextest", "--version"]).output().unwrap();
    if !found.status.success() {
        return;
    }
    let sandbox = Sandbox::of("tests", "w");
    sandbox.run(&TESTS, 1);
    let expected = subjects(&sandbox);
    sandbox.run(&["baseline", "init", "--tool", "test", "--tool", "doctest"], 0);
    sandbox.write("genti.toml", "[tools.nextest]\n");
    sandbox.run(&["check", "--partial", "--tool", "nextest", "--tool", "doctest"], 0);
    std::fs::remove_dir_all(sandbox.root().join(".config")).unwrap();
    sandbox.run(&["run", "--tool", "nextest", "--tool", "doctest"], 1);
    assert_eq!(subjects(&sandbox), expected);
}

#[test]
fn a_package_without_tests_has_no_test_task() {
    let sandbox = Sandbox::of("names", "w");
    sandbox.run(&["run"], 0);
    let tools: Vec<_> = sandbox.lines("task").iter().map(|line| line["tool"].clone()).collect();
    assert!(tools.iter().any(|tool| tool == "clippy"), "{tools:?}");
    let sandbox = Sandbox::of("tests", "w");
    sandbox.edit(
        "beta/Cargo.toml",
        "edition = \"2021\"\n",
        "edition = \"2021\"\n[lib]\ntest = false\ndoctest = false\n",
    );
    sandbox.run(&["run", "-p", "beta"], 0);
    let tools: BTreeSet<_> =
        sandbox.lines("task").iter().map(|line| line["tool"].as_str().unwrap().to_owned()).collect();
    assert!(tools.iter().eq(["clippy", "doc", "fmt"]), "{tools:?}");
}

/// Runs the files of `tests/cmd` like trycmd. Commands that contain `bad` fail.
const RUNNER: &str = r#"
use std::io::Write;

#[test]
fn cases() {
    let (mut total, mut failed) = (0, 0);
    for name in ["a", "b"] {
        let path = format!("tests/cmd/{name}.trycmd");
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, line) in (1..).zip(text.lines()) {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            total += 1;
            let how = if command.contains("bad") { failed += 1; "failed" } else { "ok" };
            writeln!(std::io::stderr(), "Testing {path}:{at} ... {how} 3ms").unwrap();
            if how == "failed" {
                writeln!(std::io::stderr(), "Exit: success\n").unwrap();
            }
        }
    }
    assert!(failed == 0, "{failed} of {total} tests failed");
}
"#;

#[test]
fn each_failing_case_of_trycmd_is_a_finding_that_keeps_its_identity() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("tests/a_first.rs", "#[test]\nfn good() {}\n");
    sandbox.write("tests/runs_cases.rs", RUNNER);
    sandbox.write("tests/cmd/a.trycmd", "$ x good\n\n$ x bad 1\n");
    sandbox.write("tests/cmd/b.trycmd", "$ x bad 2\n");
    let only = ["--tool", "test"];
    sandbox.run(&[&["baseline", "init"][..], &only].concat(), 0);
    sandbox.run(&[&["check", "--partial"][..], &only].concat(), 0);
    let expected = ["unchanged failed tests/cmd/a.trycmd:3", "unchanged failed tests/cmd/b.trycmd:1"];
    assert_eq!(sandbox.findings(), expected);
    let with_findings: Vec<_> =
        statuses(&sandbox).into_iter().filter(|status| status.ends_with(" findings")).collect();
    assert_eq!(with_findings, ["tests/runs_cases.rs findings"]);

    let id = |sandbox: &Sandbox| {
        let tasks = sandbox.lines("task").into_iter();
        tasks
            .filter(|task| task["unit"] == "tests/runs_cases.rs")
            .map(|task| task["task_id"].clone())
            .collect::<Vec<_>>()
    };
    let before = id(&sandbox);

    // One case moves, one is fixed, and one is new.
    sandbox.write("tests/cmd/a.trycmd", "$ x good\n\n\n$ x bad 1\n\n$ x bad 3\n");
    sandbox.write("tests/cmd/b.trycmd", "$ x better\n");
    let text = sandbox.run(&[&["run"][..], &only].concat(), 1);
    assert_eq!(
        sandbox.findings(),
        ["unchanged failed tests/cmd/a.trycmd:4", "new failed tests/cmd/a.trycmd:6"]
    );
    assert!(text.contains("test failed: `clean::runs_cases cases`"), "{text}");
    assert!(text.contains("b.trycmd: failed"), "{text}");
    let gone = sandbox.json("report.json")["gone"][0].clone();
    assert_eq!((&gone["path"], &gone["state"]), (&"tests/cmd/b.trycmd".into(), &"fixed".into()));

    assert_ne!(before, id(&sandbox), "cases are inputs of the test");

    // An aborted test reports no cases.
    sandbox.edit("tests/runs_cases.rs", "fn cases() {", "fn cases() {\n    std::process::abort();");
    sandbox.run(&[&["run"][..], &only].concat(), 3);
    assert_eq!(sandbox.json("report.json")["gone"][0]["state"], "unknown");
}
