//! Tests of tools that run because the workspace uses them: installed, missing, and selected by name.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::Sandbox;

/// Version output of the installed typos.
const TYPO: &str = r#"{"type":"typo","path":"./src/lib.rs","line_num":1,"byte_offset":4,"typo":"teh","corrections":["the"]}"#;

/// Creates a workspace that uses typos. No other tools run except those in `config`.
fn with_typos(config: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(config);
    sandbox.write("typos.toml", "");
    let text = std::fs::read_to_string(sandbox.root().join("src/lib.rs")).unwrap();
    sandbox.write("src/lib.rs", &format!("//! teh\n{text}"));
    sandbox
}

/// Returns a PATH with a directory of the test, and the entries of the real PATH without any of `programs`.
fn path(sandbox: &Sandbox, programs: &[&str]) -> OsString {
    let inherited = std::env::var_os("PATH").unwrap();
    let has_none = |dir: &PathBuf| !programs.iter().any(|program| dir.join(program).exists());
    let dirs = std::env::split_paths(&inherited).filter(has_none);
    std::env::join_paths([sandbox.beside().join("bin")].into_iter().chain(dirs)).unwrap()
}

/// Installs a typos that prints `said` and exits with `code`.
fn install(sandbox: &Sandbox, said: &str, code: i32) {
    let bin = sandbox.beside().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo typos-cli 1.52.0 && exit\necho '{said}'\nexit {code}\n"
    );
    std::fs::write(bin.join("typos"), script).unwrap();
    std::fs::set_permissions(bin.join("typos"), PermissionsExt::from_mode(0o755)).unwrap();
}

/// Runs with the programs installed next to the workspace.
fn run(sandbox: &Sandbox, args: &[&str], code: i32) -> String {
    let mut command = sandbox.command(args);
    command.env("PATH", path(sandbox, &["typos", "cargo-deny"]));
    // Cargo also finds its subcommands here.
    command.env("CARGO_HOME", sandbox.beside().join("cargo"));
    sandbox.expect(&command.output().unwrap(), code)
}

const HOW: &str = "`typos` is not installed; install it with `cargo install --locked typos-cli`";

#[test]
fn a_detected_tool_that_is_not_installed_is_reported_and_leaves_a_gate_incomplete() {
    let sandbox = with_typos("[tools.after]\nrun = ['true']\nneeds = ['typos']\n");
    for (args, code) in [(&["run"][..], 0), (&["run", "--fail-fast"], 0), (&["check"], 3)] {
        let text = run(&sandbox, args, code);
        assert!(text.contains("Missing typos") && text.contains(HOW), "{text}");
        assert!(text.contains("not installed: typos"), "{text}");
        assert_eq!(text.contains("no result from: typos"), code == 3, "{text}");
        assert_eq!(text.contains("or set `required = false` under `[tools."), code == 3, "{text}");
        let verdicts = [("after", "passed"), ("typos", "missing")];
        assert_eq!(sandbox.verdicts(), verdicts.map(|(tool, verdict)| (tool.to_owned(), verdict.to_owned())));
        let tasks = sandbox.lines("task");
        let task = tasks.iter().find(|task| task["tool"] == "typos").unwrap();
        assert_eq!((&task["status"], &task["exit_status"]), (&"missing".into(), &3.into()));
    }
    let text = run(&sandbox, &["tools"], 0);
    assert!(
        text.contains("detected, required, per workspace, output format typos-json") && text.contains(HOW),
        "{text}"
    );

    // Cargo is installed, but its subcommand is not.
    sandbox.write("deny.toml", "");
    let text = run(&sandbox, &["run", "--tool", "deny", "--tool", "typos"], 3);
    assert!(text.contains("`cargo deny` is not installed; install it with"), "{text}");
    let text = run(&sandbox, &["run"], 0);
    assert!(text.contains("not installed: deny, typos"), "{text}");
    let text = run(&sandbox, &["tools"], 0);
    assert!(text.contains("`cargo deny` is not installed"), "{text}");
}

#[test]
fn a_tool_selected_by_name_must_be_installed() {
    let sandbox = with_typos("");
    let text = run(&sandbox, &["run", "--tool", "typos"], 3);
    assert!(text.contains(HOW) && text.contains("no result from: typos"), "{text}");
    for config in ["[tools.typos]\n", "[tools.typos]\ndetect = { files = ['typos.toml'] }\n"] {
        let sandbox = with_typos(config);
        let text = run(&sandbox, &["run"], 3);
        assert!(text.contains(HOW), "{text}");
    }
    let sandbox = with_typos("[tools.typos]\nrequired = false\n");
    for command in ["run", "check"] {
        assert!(run(&sandbox, &[command], 0).contains("no result from optional typos"));
    }
}

#[test]
fn with_fail_fast_a_gate_starts_nothing_after_a_missing_tool() {
    let sandbox = with_typos(
        "[policy]\norder = 'required-first'\n[tools.zz]\nrun = ['true']\ncache = false\nrequired = false\n",
    );
    let args = ["--fail-fast", "--parallel", "1"];
    run(&sandbox, &[&["run"], &args[..]].concat(), 0);
    run(&sandbox, &[&["check"], &args[..]].concat(), 3);
    let status = |tool: &str| {
        sandbox.lines("task").iter().find(|task| task["tool"] == tool).unwrap()["status"].clone()
    };
    assert_eq!((status("typos"), status("zz")), ("missing".into(), "not-run".into()));
}

#[test]
fn a_finished_run_without_a_detected_tool_is_incomplete_in_a_check() {
    let sandbox = with_typos("");
    run(&sandbox, &["run"], 0);
    let text = run(&sandbox, &["check", "--artifacts", "target/genti/artifacts"], 3);
    assert!(text.contains("no result from: typos"), "{text}");
    run(&sandbox, &["check"], 3);
    run(&sandbox, &["check", "--artifacts", "target/genti/artifacts"], 3);
}

#[test]
fn an_unused_tool_runs_only_if_selected_by_name() {
    let sandbox = Sandbox::with_tools("");
    install(&sandbox, TYPO, 2);
    run(&sandbox, &["run"], 0);
    assert_eq!(sandbox.verdicts(), []);
    run(&sandbox, &["run", "--tool", "typos"], 1);
    let sandbox = with_typos("[tools.typos]\nenabled = false\n");
    install(&sandbox, TYPO, 2);
    run(&sandbox, &["run"], 0);
    assert_eq!(sandbox.verdicts(), []);
}

#[test]
fn a_tool_is_also_detected_from_a_table_in_a_manifest() {
    for table in ["[package.metadata.typos]", "[workspace.metadata.typos]"] {
        let sandbox = Sandbox::with_tools("");
        install(&sandbox, TYPO, 2);
        let manifest = std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap();
        sandbox.write("Cargo.toml", &format!("{manifest}\n{table}\n"));
        run(&sandbox, &["run"], 1);
        assert_eq!(sandbox.findings(), ["new typo src/lib.rs:1"]);
    }
}

#[test]
fn the_plan_is_the_same_without_the_tool_and_accepted_findings_stay() {
    let sandbox = with_typos("");
    install(&sandbox, TYPO, 2);
    let text = run(&sandbox, &["run"], 1);
    assert!(text.contains("error[typo]: `teh` should be `the`"), "{text}");
    assert_eq!(sandbox.json("run.json")["tools"][0]["version"], "typos-cli 1.52.0");
    let finding = sandbox.json("report.json")["findings"][0].clone();
    assert_eq!(finding["fix"]["edits"][0]["range"]["start"]["column"], 5);
    let installed = sandbox.json("run.json");
    run(&sandbox, &["baseline", "init"], 0);
    run(&sandbox, &["check"], 0);

    std::fs::remove_file(sandbox.beside().join("bin/typos")).unwrap();
    run(&sandbox, &["check"], 3);
    assert_eq!(sandbox.json("run.json")["graph_hash"], installed["graph_hash"]);
    assert_eq!(sandbox.json("run.json")["batch_id"], installed["batch_id"]);
    assert_eq!(sandbox.json("report.json")["gone"][0]["state"], "unknown");

    // The finding is gone when the tool is installed again.
    install(&sandbox, "", 0);
    assert!(run(&sandbox, &["check"], 1).contains("fixed but still in the baseline"));
}

#[test]
fn an_exit_code_for_findings_without_any_finding_is_no_verdict() {
    let sandbox = with_typos("");
    for (said, code) in [("", 2), (TYPO, 0), (TYPO, 64), (&TYPO[..40], 2)] {
        install(&sandbox, said, code);
        run(&sandbox, &["run"], 3);
        assert_eq!(sandbox.verdicts(), [("typos".to_owned(), "incomplete".to_owned())]);
    }
}

#[test]
fn the_revision_of_an_advisory_database_is_recorded() {
    let report = r#"{"database":{"last-commit":"7fad63b"},"vulnerabilities":{"found":false,"count":0,"list":[]},"warnings":{}}"#;
    let sandbox = Sandbox::with_tools(&format!("[tools.audit]\nrun = ['echo', '{report}']\n"));
    sandbox.run(&["run"], 0);
    let tools = sandbox.json("run.json")["tools"].clone();
    assert_eq!(tools[0]["database"], "7fad63b", "{tools}");
}
