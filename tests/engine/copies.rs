//! Tests of tools with `copy`: they run in a copy of the repository, and may change everything there.
#![cfg(unix)]

use crate::support::Sandbox;

/// Creates a committed repository with a tool that runs `edit.sh` and has `keys`.
fn with(script: &str, keys: &str) -> Sandbox {
    let sandbox =
        Sandbox::with_tools(&format!("[tools.edit]\nrun = ['sh', 'edit.sh']\ncopy = true\n{keys}\n"));
    sandbox.write("edit.sh", script);
    sandbox.commit_all();
    sandbox
}

/// Returns the status of the cache of the tool.
fn cached(sandbox: &Sandbox) -> String {
    let lines = sandbox.lines("task");
    let own = lines.iter().find(|task| task["tool"] == "edit").unwrap();
    own["timing"]["cache"].as_str().unwrap().to_owned()
}

#[test]
fn a_tool_changes_its_copy_and_not_the_repository() {
    let script =
        "set -e; test ! -e made; echo x > made; echo '# more' >> Cargo.toml; rm edit.sh; test ! -d .git\n";
    let sandbox = with(script, "");
    let manifest = sandbox.text("Cargo.toml");
    for _ in 0..2 {
        sandbox.run(&["check"], 0);
        assert_ne!(cached(&sandbox), "hit", "what it does to its files is not known");
    }
    assert_eq!(sandbox.text("Cargo.toml"), manifest);
    assert_eq!(sandbox.text("edit.sh"), script);
    assert!(!sandbox.root().join("made").exists());
}

#[test]
fn findings_name_the_files_of_the_repository() {
    let keys = "parse = { regex = '^(?<path>[^:]+):(?<line>\\d+): (?<message>.+)$' }";
    let sandbox = with("echo \"$PWD/Cargo.toml:1: wrong\"; exit 1\n", keys);
    sandbox.run(&["check"], 1);
    assert_eq!(sandbox.findings(), ["new edit Cargo.toml:1"]);
}

#[test]
fn cargo_checks_the_sources_of_the_copy() {
    let script =
        "echo 'pub fn more() { let unused = 1; }' >> src/lib.rs && cargo check --message-format=json\n";
    let sandbox = with(script, "parse = 'rustc-json'\ninherit-env = true");
    sandbox.run(&["check"], 1);
    let findings = sandbox.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("new unused_variables src/lib.rs:"), "{findings:?}");
    assert!(!sandbox.text("src/lib.rs").contains("more"));
    let report = sandbox.json("report.json");
    assert!(report["findings"][0]["fix"].is_null(), "the line is another one in the copy: {report}");
}

#[test]
fn a_copy_is_part_of_the_identity_of_a_task() {
    let sandbox = with("exit 0\n", "");
    sandbox.run(&["run"], 0);
    let hash = sandbox.json("run.json")["graph_hash"].clone();
    sandbox.edit("genti.toml", "copy = true", "copy = false");
    sandbox.run(&["run"], 0);
    assert_ne!(sandbox.json("run.json")["graph_hash"], hash);
}
