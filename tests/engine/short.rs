//! Tests of output for programs, and of the errors that decide the exit code 3.

use std::process::Output;

use crate::support::Sandbox;

const FIND: &str = "[tools.lint]\nrun = [\"cat\", \"lint.txt\"]\n\
    parse = { regex = '^(?<path>.+?):(?<line>\\d+): (?<message>.*)$' }\n";

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[track_caller]
fn short(sandbox: &Sandbox, args: &[&str], code: i32) -> String {
    let output = sandbox.command(&[args, &["--message-format", "short"]].concat()).output().unwrap();
    sandbox.expect(&output, code);
    stdout(&output).to_owned()
}

/// Returns the digest of `report.json`.
fn digest(sandbox: &Sandbox) -> String {
    let bytes = std::fs::read(sandbox.root().join("target/genti/artifacts/report.json")).unwrap();
    blake3::hash(&bytes).to_hex().to_string()
}

#[test]
fn the_short_format_has_a_line_per_new_finding_and_one_for_the_verdict() {
    let sandbox = Sandbox::with_tools(FIND);
    sandbox.write("lint.txt", "");
    assert_eq!(
        short(&sandbox, &["run"], 0),
        format!("genti: passed: no new findings; report={}\n", digest(&sandbox))
    );
    sandbox.write("lint.txt", "src/lib.rs:1: known\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.write("lint.txt", "src/lib.rs:1: known\nsrc/lib.rs:3: bad\n");
    for command in ["run", "check"] {
        let text = short(&sandbox, &[command], 1);
        let last = format!("genti: failed: 1 new finding (lint 1); report={}\n", digest(&sandbox));
        assert_eq!(text, format!("src/lib.rs:3:1: warning[lint]: bad (new)\n{last}"));
        let text = short(&sandbox, &[command, "--verbose"], 1);
        assert!(text.starts_with("src/lib.rs:1:1: warning[lint]: known (unchanged)\n"), "{text}");
        assert!(text.ends_with(&last), "{text}");
    }
    // Also in a service whose commands and annotations go to stdout.
    let mut command = sandbox.command(&["check", "--message-format", "short"]);
    let output = command.env("GITHUB_ACTIONS", "true").output().unwrap();
    sandbox.expect(&output, 1);
    assert_eq!(stdout(&output).lines().count(), 2, "{}", stdout(&output));
}

#[test]
fn the_last_line_of_the_short_format_is_always_there() {
    let sandbox = Sandbox::with_tools(FIND);
    assert_eq!(short(&sandbox, &["check", "--tool", "lint"], 5), "genti: drift\n");
    assert_eq!(short(&sandbox, &["run", "--parallel", "0"], 2), "genti: usage\n");
    let text = short(&sandbox, &["run"], 3);
    let why = "genti: incomplete: no new findings; no result from: lint (lint: ";
    assert!(text.starts_with(why) && text.lines().count() == 1, "{text}");
    // A stale entry fails a check without a new finding.
    sandbox.write("lint.txt", "src/lib.rs:1: known\n");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.write("lint.txt", "");
    let text = short(&sandbox, &["check"], 1);
    let why = "genti: failed: 1 accepted finding is fixed but still in the baseline; report=";
    assert!(text.starts_with(why) && text.lines().count() == 1, "{text}");
}

#[test]
fn a_check_of_artifacts_verifies_the_digest_of_the_report() {
    let sandbox = Sandbox::with_tools(FIND);
    sandbox.write("lint.txt", "src/lib.rs:3: bad\n");
    let text = short(&sandbox, &["run"], 1);
    let digest = digest(&sandbox);
    assert!(text.contains(&digest), "{text}");
    let dir = "target/genti/artifacts";
    let check =
        |digest: &str, code| short(&sandbox, &["check", "--artifacts", dir, "--report-digest", digest], code);
    // The same lines, from the artifacts alone.
    assert_eq!(check(&digest, 1), text);
    assert_eq!(check(&digest[1..], 1), "genti: failed\n");
    let report = sandbox.root().join(dir).join("report.json");
    let edited = std::fs::read_to_string(&report).unwrap().replace("\"bad\"", "\"sad\"");
    std::fs::write(&report, edited).unwrap();
    let output =
        sandbox.command(&["check", "--artifacts", dir, "--report-digest", &digest]).output().unwrap();
    let text = sandbox.expect(&output, 1);
    assert!(text.contains(&format!("but {digest} was expected")), "{text}");
    sandbox.run(&["check", "--report-digest", &digest], 2);
}

#[test]
fn the_compile_error_that_decides_the_exit_code_stands_beside_the_verdict() {
    let sandbox = Sandbox::of("clean", "workspace");
    let many: String = (0..40).map(|at| format!("pub fn f{at}() {{ return; }}\n")).collect();
    sandbox.write("tests/many.rs", &many);
    sandbox.write("tests/broken.rs", "#[test]\nfn t() {\n    missing();\n}\n");
    let args = ["--tool", "clippy", "--tool", "test"];
    let text = sandbox.run(&[&["run", "--report", "markdown=out.md"][..], &args].concat(), 3);
    let place = "tests/broken.rs:3:5: error[E0425]: cannot find function `missing` in this scope";
    let last: Vec<_> = text.lines().rev().take(15).collect();
    assert!(last.iter().any(|line| line.contains(place)), "{text}");
    assert!(last[1].contains(place) && last[2].starts_with("error: no result from: "), "{last:#?}");
    let markdown = std::fs::read_to_string(sandbox.root().join("out.md")).unwrap();
    let first: Vec<_> = markdown.lines().take(15).collect();
    assert!(first.iter().any(|line| line.contains("tests/broken.rs:3:5")), "{markdown}");
    let text = sandbox.run(&[&["baseline", "init"][..], &args].concat(), 3);
    assert!(text.contains(&format!("error: {place}")), "{text}");
    let text = short(&sandbox, &[&["run"][..], &args].concat(), 3);
    assert!(text.contains(&format!("{place} (new)\n")), "{text}");
    assert!(text.contains("\ngenti: incomplete: "), "{text}");
}

#[test]
fn many_findings_are_counted_by_rule_and_directory_first() {
    let sandbox = Sandbox::with_tools(FIND);
    let many: String = (0..31).map(|at| format!("src/lib.rs:1: number {at}\n")).collect();
    let long = "word ".repeat(40);
    sandbox.write("lint.txt", &format!("{many}tests/a.rs:1: {long}\n"));
    let text = sandbox.run(&["run"], 1);
    let tables = "    findings rule\n          32 lint\n\n    findings directory\n          31 src\n           1 tests\n\n";
    let at = text.find(tables).unwrap_or_else(|| panic!("{text}"));
    assert!(at < text.find("number 0").unwrap(), "{text}");
    assert!(text.contains(long.trim()), "{text}");
    for args in [&["run", "--statistics"][..], &["report", "--statistics"]] {
        let output = sandbox.command(args).output().unwrap();
        let text = format!("{}{}", stdout(&output), String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(tables) && !text.contains("number 0"), "{text}");
    }
}
