//! Tests of the remote store: two checkouts with a server between them, and what happens if the server fails.
//!
//! No test asserts a time. The calls that the server counts show that retries and waiting are bounded.

// The tools of these workspaces are shell scripts.
#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "tests start processes and read files")]

mod access;
mod builds;
mod casd;
mod execution;
mod fake;
mod fake_workers;
mod faults;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../engine/support.rs"]
mod support;
mod tls;

use support::Sandbox;

/// Names of the artifacts.
const ARTIFACTS: [&str; 3] = ["run.json", "report.json", "tasks.jsonl"];

/// Number of the tools in [`checkout`], each of which has one result.
const RESULTS: u32 = 5;

/// Creates a checkout in which five tools look at the workspace, and one of them has findings. `remote` is the `[remote]` table.
fn checkout(remote: &str) -> Sandbox {
    let tools: String = (1..=RESULTS)
        .map(|number| {
            format!(
                "[tools.own{number}]\nrun = [\"sh\", \"own.sh\", \"{number}\"]\nper = \"workspace\"\nfiles = [\"*.txt\"]\n\
                 inputs = [\"own.sh\"]\nparse = \"lines\"\n"
            )
        })
        .collect();
    let sandbox = Sandbox::with_tools(&format!("{tools}{remote}"));
    sandbox.write("a.txt", "text\n");
    sandbox.write("own.sh", "if [ $1 = 3 ]; then echo \"a.txt:1: bad\"; exit 1; fi\n");
    sandbox
}

/// Runs `cargo genti run ARGS`, checks its exit code, and returns its output. Without timing, so that artifacts can be compared.
#[track_caller]
fn run(sandbox: &Sandbox, args: &[&str], vars: &[(&str, &str)], code: i32) -> String {
    let mut command = sandbox.command(&[&["run"], args].concat());
    command.env("SOURCE_DATE_EPOCH", "1700000000").envs(vars.iter().copied());
    sandbox.expect(&command.output().unwrap(), code)
}

/// Returns the artifacts of the last run.
#[track_caller]
fn artifacts(sandbox: &Sandbox) -> [String; 3] {
    ARTIFACTS.map(|name| String::from_utf8(sandbox.artifact(name)).unwrap())
}

/// Asserts that the last runs of two checkouts have the same artifacts.
#[track_caller]
fn assert_same(one: &Sandbox, other: &Sandbox) {
    for ((name, one), other) in ARTIFACTS.into_iter().zip(artifacts(one)).zip(artifacts(other)) {
        assert_eq!(one, other, "{name}");
    }
}

/// Returns the number of tasks of the last run that ran.
fn ran(sandbox: &Sandbox) -> usize {
    let path = sandbox.root().join("target/genti/explain.json");
    let reasons: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let tools = reasons["tools"].as_array().unwrap().iter();
    tools.map(|tool| tool["ran"].as_array().unwrap().len()).sum()
}

/// Returns the number of warnings in `output`.
fn warnings(output: &str) -> usize {
    output.lines().filter(|line| line.starts_with("warning:")).count()
}
