//! Tests that nothing is built with a lock file or manifest that a tool has changed.

use serde_json::Value;

use crate::support::{Sandbox, disabled};

/// Creates the package `clean` with a tool `minver` that runs `script` before clippy.
fn with_minver(script: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    let config = format!(
        "{}[tools.clippy]\nneeds = ['minver']\n[tools.minver]\nrun = ['sh', '-c', '''{script}''']\n",
        disabled(&["doc", "doctest", "test"])
    );
    sandbox.write("genti.toml", &config);
    sandbox
}

fn task(sandbox: &Sandbox, tool: &str) -> Value {
    sandbox.lines("task").into_iter().find(|task| task["tool"] == tool).unwrap()
}

#[test]
fn a_tool_that_changes_a_lock_file_or_manifest_stops_later_builds() {
    for (file, parallel) in [("Cargo.lock", "1"), ("Cargo.lock", "4"), ("Cargo.toml", "2")] {
        for command in ["check", "run"] {
            let sandbox = with_minver(&format!("echo >> {file}"));
            let before = std::fs::read_to_string(sandbox.root().join(file)).unwrap();
            let text = sandbox.run(&[command, "--parallel", parallel], 3);
            let said = format!("{file} changed while `minver` ran");
            assert!(text.contains(&format!("minver: {said}")), "{text}");
            assert!(!text.contains("cargo updated Cargo.lock"), "{text}");
            let clippy = task(&sandbox, "clippy");
            assert_eq!(clippy["status"], "not-run");
            assert_eq!(clippy["reason"], format!("{said}, so tools that build with it were not started"));
            let minver = task(&sandbox, "minver");
            assert_eq!(minver["status"], "incomplete");
            assert!(minver["reason"].as_str().unwrap().starts_with(&said), "{minver}");
            if file == "Cargo.lock" {
                assert_eq!(task(&sandbox, "fmt")["status"], "clean", "it does not read it");
            }
            let after = std::fs::read_to_string(sandbox.root().join(file)).unwrap();
            assert_eq!(after, format!("{before}\n"), "nothing is restored");
            // Its result is not cached.
            sandbox.run(&[command, "--parallel", parallel], 3);
        }
    }
}

#[test]
fn a_tool_that_changes_the_lock_file_last_does_not_pass() {
    let sandbox = Sandbox::with_tools("[tools.minver]\nrun = ['sh', '-c', 'echo >> Cargo.lock']\n");
    let text = sandbox.run(&["check"], 3);
    assert!(text.contains("no result from: minver") && text.contains("Cargo.lock changed"), "{text}");
    let per_file = "[tools.each]\nrun = ['sh', '-c', 'echo >> Cargo.lock', '{files}']\nper = 'file'\nfiles = ['src/*.rs']\n";
    let text = Sandbox::with_tools(per_file).run(&["check"], 3);
    assert!(text.contains("Cargo.lock changed while `each` ran"), "{text}");
}

#[test]
fn a_test_that_changes_the_lock_file_is_noticed() {
    let sandbox = Sandbox::of("clean", "w");
    let writes = "std::fs::write(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/Cargo.lock\"), \"version = 4\\n# x\\n\").unwrap();";
    sandbox.edit("tests/greets.rs", "assert_eq!(clean", &format!("{writes}\n    assert_eq!(clean"));
    let text = sandbox.run(&["run", "--tool", "test"], 3);
    assert!(text.contains("Cargo.lock changed while `test` ran"), "{text}");
}

/// Two tools run at once. One changes the lock file and restores it while the other runs.
const BESIDE: &str = "[tools.writes]\nrun = ['sh', '-c', 'until test -e ../reads || test -n \"$ALONE\"; do sleep 0.01; done; \
                      cp Cargo.lock ../kept; echo >> Cargo.lock; cp ../kept Cargo.lock; : > ../wrote']\nenv = ['ALONE']\ncache = false\n\
                      [tools.reads]\nrun = ['sh', '-c', ': > ../reads; until test -e ../wrote || test -n \"$ALONE\"; do sleep 0.01; done']\nenv = ['ALONE']\ncache = false\n";

#[test]
fn a_tool_next_to_one_that_restores_the_lock_file_has_no_verdict() {
    let sandbox = Sandbox::with_tools(BESIDE);
    sandbox.run(&["run", "--parallel", "2"], 3);
    let reads = task(&sandbox, "reads");
    assert_eq!(reads["status"], "input-changed");
    assert!(
        reads["reason"]
            .as_str()
            .unwrap()
            .starts_with("Cargo.lock was written while this tool ran in parallel with `writes`"),
        "{reads}"
    );
    // If they run one after the other, the changed lock file is never seen.
    let mut command = sandbox.command(&["run", "--parallel", "1"]);
    sandbox.expect(&command.env("ALONE", "1").output().unwrap(), 0);
}
