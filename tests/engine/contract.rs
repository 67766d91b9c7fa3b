//! What the command line promises beside its findings: flags, exit codes, words, and files left alone.

use crate::support::Sandbox;

/// A tool that finds what it is told to: a line of the file of its name is a finding.
fn told(name: &str, required: bool) -> String {
    format!(
        "[tools.{name}]\nrun = [\"cat\", \"{name}.txt\"]\nrequired = {required}\n\
         parse = {{ regex = \"^(?<path>.+?):(?<line>\\\\d+): (?<message>.*)$\" }}\n"
    )
}

/// A required tool and an optional one, each finding what is given.
fn two_tools(required: &str, optional: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&(told("needed", true) + &told("extra", false)));
    sandbox.write("needed.txt", required);
    sandbox.write("extra.txt", optional);
    sandbox
}

#[test]
fn every_policy_flag_is_taken_wherever_there_is_a_plan() {
    let sandbox = two_tools("", "");
    for command in ["run", "check", "plan"] {
        sandbox.run(&[command, "--parallel", "2"], 0);
        let text = sandbox.run(&[command, "--parallel", "0"], 2);
        assert!(text.contains("--parallel: `0` is no number of processes"), "{text}");
        let output = sandbox.command(&[command]).env("GENTI_PARALLEL", "x").output().unwrap();
        assert!(sandbox.expect(&output, 2).contains("GENTI_PARALLEL: `x`"));
    }
    let plan = |parallel| sandbox.run(&["plan", "--format", "json", "--parallel", parallel], 0);
    assert_eq!(plan("1"), plan("auto"));
    assert!(sandbox.run(&["plan", "--help"], 0).contains("No part of the plan"));
}
