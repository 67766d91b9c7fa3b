//! Tests of findings that are shown before the end of a run, and of the report that then leaves them out.

use std::process::Command;

use crate::support::Sandbox;
use crate::support::process::{Running, wait_until};

/// Configures a tool that runs `script` and reports each line `PATH:LINE: MESSAGE` as a finding of its namespace.
fn tool(name: &str, script: &str, more: &str) -> String {
    format!(
        "[tools.{name}]\nrun = [\"sh\", \"-c\", \"{script}\"]\n{more}\
         parse = {{ regex = '^(?<path>.+?):(?<line>\\d+): (?<message>.*)$' }}\n"
    )
}

/// A script that ends when the file `done` exists next to the workspace.
const HELD: &str = "until test -e ../done; do sleep 0.1; done";

/// Creates a tool `quick` that finds something at once, and a tool `slow` that runs until the file `done` exists.
fn quick_and_slow() -> Sandbox {
    let slow = format!("{HELD}; echo 'src/lib.rs:2: late'");
    Sandbox::with_tools(&(tool("quick", "echo 'src/lib.rs:1: early'", "") + &tool("slow", &slow, "")))
}

fn release(sandbox: &Sandbox) {
    std::fs::write(sandbox.beside().join("done"), "").unwrap();
}

fn parallel(sandbox: &Sandbox, args: &[&str]) -> Command {
    sandbox.command(&[args, &["--parallel", "2"]].concat())
}

#[test]
fn a_finding_is_shown_while_other_tools_run_and_not_repeated_at_the_end() {
    for env in [None, Some(("CI", "true")), Some(("CARGO_TERM_PROGRESS_WHEN", "never"))] {
        for command in ["run", "check"] {
            let sandbox = quick_and_slow();
            let run = Running::start(parallel(&sandbox, &[command]).envs(env));
            wait_until("the block of the first tool", || run.says("Found 1 new finding (quick)"));
            wait_until("its finding", || run.says("early\n --> src/lib.rs:1:1"));
            release(&sandbox);
            let output = run.finish();
            let text = sandbox.expect(&output, 1);
            let blocks: Vec<_> = text.lines().filter(|line| line.contains("Found")).map(str::trim).collect();
            assert_eq!(blocks, ["Found 1 new finding (quick)", "Found 1 new finding (slow)"], "{text}");
            for message in ["early", "late"] {
                assert_eq!(text.matches(&format!(": {message}\n")).count(), 1, "{text}");
            }
            assert!(text.contains("error: 2 new findings\n"), "{text}");
            assert!(text.ends_with(": 2 tasks, 2 new findings (quick 1, slow 1)\n"), "{text}");
        }
    }
}

#[test]
fn a_cached_finding_is_shown_before_anything_runs() {
    let slow = format!("{HELD}; exit 3");
    let sandbox =
        Sandbox::with_tools(&(tool("quick", "echo 'src/lib.rs:1: early'", "") + &tool("slow", &slow, "")));
    release(&sandbox);
    sandbox.run(&["run"], 3);
    std::fs::remove_file(sandbox.beside().join("done")).unwrap();
    let run = Running::start(&sandbox.command(&["run", "--parallel", "1"]));
    wait_until("the cached finding", || run.says("Found 1 new finding (quick)"));
    release(&sandbox);
    sandbox.expect(&run.finish(), 3);
}

#[test]
fn events_report_a_finding_when_its_tool_has_finished() {
    let sandbox = quick_and_slow();
    let run = Running::start(&parallel(&sandbox, &["run", "--message-format", "json"]));
    wait_until("the event", || run.tells("\"type\":\"found\"}"));
    release(&sandbox);
    let output = run.finish();
    sandbox.expect(&output, 1);
    let text = String::from_utf8(output.stdout).unwrap();
    let (found, finding) =
        (text.find("\"type\":\"found\"").unwrap(), text.find("\"type\":\"finding\"").unwrap());
    assert!(found < finding, "{text}");
    assert_eq!(text.matches("\"type\":\"found\"").count(), 2, "{text}");
}

/// Two tools that report in one namespace: `quick` ends at once, `slow` when the file `done` exists.
fn one_namespace(quick: &str, slow: &str) -> Sandbox {
    let both = "namespaces = [\"quick\", \"slow\"]\n";
    let pair = [tool("quick", quick, both), tool("slow", &format!("{HELD}; {slow}"), both)].concat();
    Sandbox::with_tools(&pair)
}

#[test]
fn a_finding_that_may_turn_out_to_be_accepted_is_only_shown_once_that_is_certain() {
    let sandbox = one_namespace("cat quick.txt", "true");
    sandbox.write("quick.txt", "src/lib.rs:1: known\n");
    release(&sandbox);
    sandbox.run(&["baseline", "init"], 0);
    std::fs::remove_file(sandbox.beside().join("done")).unwrap();
    // The first one may be the accepted one, in another line. Nothing accepted resembles the second one.
    sandbox.write("quick.txt", "src/lib.rs:1: known\nsrc/lib.rs:3: unknown\n");
    let run = Running::start(&parallel(&sandbox, &["run"]));
    wait_until("the certain finding", || run.says(": unknown\n"));
    assert!(!run.says(": known\n"));
    release(&sandbox);
    let text = sandbox.expect(&run.finish(), 1);
    assert!(!text.contains(": known\n"), "{text}");
}

#[test]
fn a_finding_that_a_later_tool_may_get_suppressed_is_not_shown() {
    let sandbox = one_namespace("echo 'src/lib.rs:1: both'; echo 'src/lib.rs:1: one'", "true");
    let suppress = "[[suppress]]\ntool = \"slow\"\nmessage = \"both\"\nreason = \"it is wrong\"\n";
    let config = std::fs::read_to_string(sandbox.root().join("genti.toml")).unwrap();
    sandbox.write("genti.toml", &format!("{config}{suppress}"));
    let run = Running::start(&parallel(&sandbox, &["run"]));
    wait_until("the certain finding", || run.says(": one\n"));
    assert!(!run.says(": both\n"));
    release(&sandbox);
    // The other tool did not report it, so nothing suppresses it.
    let text = sandbox.expect(&run.finish(), 1);
    assert!(text.contains(": both\n") && text.contains("error: 2 new findings"), "{text}");
    assert_eq!(text.matches("Found 1 new finding (quick)").count(), 2, "{text}");
}

#[test]
fn a_quiet_run_and_statistics_show_no_findings() {
    for flag in ["--quiet", "--statistics"] {
        let sandbox = quick_and_slow();
        release(&sandbox);
        let text = sandbox.run(&["run", flag], 1);
        assert!(!text.contains("Found") && !text.contains(": early\n"), "{text}");
        assert!(text.contains("error: 2 new findings"), "{text}");
    }
}
