//! Tools without test programs whose results are cached because their processes were observed.
#![cfg(target_os = "linux")]

use genti::scan::Kernel;

use crate::support::Sandbox;

/// Checks a text that `files` does not name.
const SCRIPT: &str = "! grep -n bad docs/text || exit 1\n";

/// Returns a workspace with the tool `own`, a script; nothing if this kernel can't observe.
fn with_script(script: &str) -> Option<Sandbox> {
    Kernel::probe().observer().ok()?;
    let tool = "run = ['sh', 'scripts/own.sh']\nfiles = ['scripts/**']\ncache = 'sandboxed'\n";
    let sandbox = Sandbox::with_tools(&format!("[tools.own]\n{tool}"));
    sandbox.write("scripts/own.sh", script);
    sandbox.write("docs/text", "good\n");
    sandbox.write("docs/other", "good\n");
    sandbox.write("../outside", "good\n");
    sandbox.commit_all();
    Some(sandbox)
}

/// Runs, and checks the exit code and whether the tool ran.
#[track_caller]
fn check(sandbox: &Sandbox, code: i32, runs: bool) {
    let text = sandbox.run(&["run"], code);
    let tasks = sandbox.lines("task");
    let [task] = &tasks[..] else { panic!("{tasks:?}") };
    assert_eq!(task["timing"]["cache"] != "hit", runs, "{text}");
}

#[test]
fn a_tool_runs_again_when_something_that_it_looked_at_has_changed() {
    let Some(sandbox) = with_script(SCRIPT) else { return };
    check(&sandbox, 0, true);
    check(&sandbox, 0, false);
    // Neither named in `files` nor looked at, but in the same package, like `docs/text`.
    sandbox.write("docs/other", "bad\n");
    check(&sandbox, 0, true);
    sandbox.write("docs/text", "bad\n");
    check(&sandbox, 1, true);
    let text = sandbox.run(&["explain", "own"], 0);
    assert!(
        text.contains("changed: a file in ., which it looks into; not cached: only passes are"),
        "{text}"
    );
    check(&sandbox, 1, true);
    sandbox.write("docs/text", "good\n");
    check(&sandbox, 0, false);
    sandbox.write("scripts/own.sh", "exit 0\n");
    check(&sandbox, 0, true);
}

#[test]
fn a_tool_that_looks_outside_runs_without_the_sandbox_and_is_not_cached() {
    let Some(sandbox) = with_script("! grep -s bad ../outside\n") else { return };
    check(&sandbox, 0, true);
    check(&sandbox, 0, true);
    let text = sandbox.run(&["explain", "own"], 0);
    assert!(text.contains("not cached: its sandbox denies something: it looks at `"), "{text}");
    sandbox.write("../outside", "bad\n");
    check(&sandbox, 1, true);
}

#[test]
fn a_tool_that_changes_files_is_not_cached() {
    let Some(sandbox) = with_script("mkdir -p out && date > out/new\n") else { return };
    check(&sandbox, 0, true);
    assert!(sandbox.root().join("out/new").exists());
    check(&sandbox, 0, true);
    sandbox.edit("genti.toml", "files =", "sandbox = { write = ['out'] }\nfiles =");
    check(&sandbox, 0, true);
    check(&sandbox, 0, true);
}
