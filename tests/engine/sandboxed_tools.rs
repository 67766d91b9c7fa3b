//! Tools without test programs whose results are cached because their processes were observed, and results that are checked again.
#![cfg(target_os = "linux")]

use genti::scan::Kernel;
use serde_json::json;

use crate::sandboxed_tests::{check_with, failed, ran, with_programs};
use crate::support::Sandbox;

/// Checks a text that neither `files` nor the script names.
const SCRIPT: &str = "! grep -n bad docs/tex[t] || exit 1\n";

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

/// The times of files are not observed.
const TIME: &str = "let time = std::fs::metadata(\"../data/file\").unwrap().modified().unwrap();\n    \
                    assert!(time > std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000));";

#[test]
fn a_wrong_cached_result_of_a_test_is_a_finding_and_is_not_used_again() {
    let Some(sandbox) = with_programs(&[("time", TIME), ("pure", "assert_eq!(w::two(), 2);")]) else {
        return;
    };
    sandbox.write("data/file", "");
    let set_time = |time| {
        let file = std::fs::File::options().write(true).open(sandbox.root().join("data/file")).unwrap();
        file.set_modified(time).unwrap();
    };
    let now = std::time::SystemTime::now();
    check_with(&sandbox, &[], 0, &["lib", "pure", "time"]);
    set_time(std::time::UNIX_EPOCH);
    check_with(&sandbox, &[], 0, &[]);
    sandbox.write("genti.toml", &format!("[policy]\nrecheck = '100%'\n{}", sandbox.text("genti.toml")));
    let text = check_with(&sandbox, &[("GENTI_AS_OF", "2026-05-01")], 1, &["lib", "pure", "time"]);
    assert_eq!(sandbox.json("report.json")["as_of"], json!("2026-05-01"));
    assert_eq!(failed(&sandbox), ["time".to_owned()].into());
    let stale: Vec<_> = sandbox.findings().into_iter().filter(|line| line.contains("stale-result")).collect();
    assert_eq!(stale, ["new stale-result w/tests/time.rs:null"], "{text}");
    let text = sandbox.run(&["explain", "test"], 0);
    assert!(text.contains("its cached result is checked again today (`recheck`)"), "{text}");
    // The finished run can be judged again.
    let kept = sandbox.keep_artifacts();
    sandbox.run(&["check", "--artifacts", kept.to_str().unwrap()], 1);
    // With the same inputs as at first, but never from the cache.
    set_time(now);
    sandbox.edit("genti.toml", "'100%'", "'0%'");
    check_with(&sandbox, &[], 0, &["time"]);
    check_with(&sandbox, &[], 0, &["time"]);
    let text = sandbox.run(&["explain", "test"], 0);
    assert!(text.contains("a cached result of it was wrong (`genti::stale-result`)"), "{text}");
    sandbox.edit("w/tests/time.rs", "1_000_000_000", "1_000_000_001");
    check_with(&sandbox, &[], 0, &["time"]);
    check_with(&sandbox, &[], 0, &[]);
}

#[test]
fn a_wrong_cached_result_of_a_tool_is_a_finding_and_is_not_used_again() {
    let Some(sandbox) = with_script("test docs/text -nt docs/other || exit 1\n") else { return };
    let set = |path: &str, seconds| {
        let file = std::fs::File::options().write(true).open(sandbox.root().join(path)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    let set_time = |seconds| set("docs/text", seconds);
    let later = 1_500_000_000;
    set("docs/other", 1_000_000_000);
    set_time(later);
    // Before the first run, because the configuration is in a directory that the tool looks into.
    sandbox.write("genti.toml", &format!("[policy]\nrecheck = '100%'\n{}", sandbox.text("genti.toml")));
    check(&sandbox, 0, true);
    set_time(1);
    check(&sandbox, 1, true);
    assert!(
        sandbox.findings().iter().any(|line| line.contains("new stale-result")),
        "{:?}",
        sandbox.findings()
    );
    set_time(later);
    check(&sandbox, 0, true);
    check(&sandbox, 0, true);
    let text = sandbox.run(&["explain", "own"], 0);
    assert!(text.contains("a cached result of it was wrong (`genti::stale-result`)"), "{text}");
    assert!(ran(&sandbox).is_empty());
}
