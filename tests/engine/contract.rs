//! Tests of the contract of the command line besides findings: flags, exit codes, messages, and files that must
//! not change.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use crate::support::Sandbox;

/// Configures a tool that reports each line of the file with its name as a finding.
fn file_tool(name: &str, required: bool) -> String {
    format!(
        "[tools.{name}]\nrun = [\"cat\", \"{name}.txt\"]\nrequired = {required}\n\
         parse = {{ regex = \"^(?<path>.+?):(?<line>\\\\d+): (?<message>.*)$\" }}\n"
    )
}

/// Creates a required and an optional tool with the given findings.
fn two_tools(required: &str, optional: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&(file_tool("needed", true) + &file_tool("extra", false)));
    sandbox.write("needed.txt", required);
    sandbox.write("extra.txt", optional);
    sandbox
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the last line that the user sees for `args`, without the time.
#[track_caller]
fn last_line(sandbox: &Sandbox, args: &[&str], code: i32) -> String {
    let text = sandbox.run(args, code);
    let line = text.lines().last().unwrap_or_default().trim();
    match line.strip_prefix("Finished in ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => format!("Finished {rest}"),
        None => line.to_owned(),
    }
}

#[test]
fn the_last_line_sums_up_the_run() {
    let sandbox = two_tools("src/lib.rs:1: bad\n", "src/lib.rs:1: odd\nsrc/lib.rs:2: odd\n");
    let all = "3 new findings (extra 2, needed 1)";
    assert_eq!(last_line(&sandbox, &["run"], 1), format!("Finished 2 tasks, {all}"));
    assert_eq!(last_line(&sandbox, &["run"], 1), format!("Finished 2 tasks (2 cached), {all}"));
    let text = sandbox.run(&["run"], 1);
    let time =
        text.rsplit_once("Finished in ").and_then(|(_, rest)| rest.split_once("s: 2 tasks")).unwrap().0;
    assert!(time.parse::<f64>().is_ok(), "{text}");
    // Reproducible output has no time.
    let mut command = sandbox.command(&["run"]);
    let text = sandbox.expect(&command.env("SOURCE_DATE_EPOCH", "1").output().unwrap(), 1);
    assert!(text.ends_with(&format!("    Finished 2 tasks, {all}\n")), "{text}");
}

#[test]
fn every_policy_flag_is_accepted_by_every_command_with_a_plan() {
    let sandbox = two_tools("", "");
    for command in ["run", "check", "plan"] {
        sandbox.run(&[command, "--parallel", "2"], 0);
        let text = sandbox.run(&[command, "--parallel", "0"], 2);
        assert!(text.contains("--parallel: invalid number of processes `0`"), "{text}");
        let output = sandbox.command(&[command]).env("GENTI_PARALLEL", "x").output().unwrap();
        assert!(sandbox.expect(&output, 2).contains("GENTI_PARALLEL: invalid number of processes `x`"));
    }
    let plan = |parallel| sandbox.run(&["plan", "--format", "json", "--parallel", parallel], 0);
    assert_eq!(plan("1"), plan("auto"));
    assert!(sandbox.run(&["plan", "--help"], 0).contains("(never"));
}

#[test]
fn too_many_parallel_processes_are_rejected() {
    let sandbox = two_tools("", "");
    for parallel in ["1025", "100000"] {
        let text = sandbox.run(&["run", "--parallel", parallel], 2);
        assert!(text.contains("from 1 to 1024"), "{text}");
    }
    sandbox.run(&["run", "--parallel", "1024"], 0);
}

#[test]
fn exhausted_system_resources_are_not_reported_as_a_bug() {
    let sandbox = two_tools("", "");
    // First the limit of open files is too low for cargo, then for genti, then sufficient. It must never be
    // reported as a bug.
    for limit in 4..24 {
        let script = format!("ulimit -n {limit}; exec \"$0\" genti run --tool needed");
        let output = shell(&sandbox, &script).output().unwrap();
        assert_ne!(output.status.code(), Some(101), "with {limit} descriptors: {}", stderr(&output));
    }
}

#[test]
fn a_baseline_can_be_created_while_an_optional_tool_has_no_verdict() {
    let sandbox = Sandbox::with_tools(
        &(file_tool("needed", true) + "[tools.gone]\nrun = [\"genti-no-such-tool\"]\nrequired = false\n"),
    );
    sandbox.write("needed.txt", "src/lib.rs:1: bad\n");
    let text = sandbox.run(&["baseline", "init"], 0);
    assert!(text.contains("accepted 1 finding") && text.contains("gone: `genti-no-such-tool`"), "{text}");
    sandbox.run(&["check"], 0);
}

#[test]
fn a_refused_baseline_names_every_reason_and_the_fix() {
    let config = "[tools.crash]\nrun = [\"sh\", \"-c\", \"kill -SEGV $$\"]\n\
                  [tools.gone]\nrun = [\"genti-no-such-tool\"]\n\
                  [tools.slow]\nrun = [\"sh\", \"-c\", \"exec sleep 600\", \"{file}\"]\nper = \"file\"\nfiles = [\"many/*\"]\n\
                  timeout = \"100ms\"\n";
    let sandbox = Sandbox::with_tools(config);
    sandbox.write("many/a", "");
    let text = sandbox.run(&["baseline", "init"], 3);
    for reason in [
        "error: crash: killed by SIGSEGV",
        "error: gone: `genti-no-such-tool` is not installed",
        "error: slow many/a: timed out after 100ms",
        "nothing was accepted",
        "`required = false`",
    ] {
        assert!(text.contains(reason), "{reason}: {text}");
    }
    assert!(!sandbox.root().join(".config/genti").exists());
}

#[test]
fn a_baseline_is_created_from_the_default_build_and_may_be_partial() {
    let sandbox = two_tools("src/lib.rs:1: bad\n", "");
    let manifest = sandbox.text("Cargo.toml");
    sandbox.write("Cargo.toml", &format!("{manifest}\n[features]\nx = []\n"));
    for args in [["-F", "x"], ["--target", "x"], ["--cargo-profile", "release"]] {
        let text = sandbox.run(&["baseline", "init", args[0], args[1]], 2);
        assert!(text.contains("default build"), "{text}");
    }
    sandbox.run(&["baseline", "init", "--all-features"], 2);
    let text = sandbox.run(&["baseline", "init", "--tool", "needed"], 0);
    assert!(text.contains("findings outside the selection were not accepted"), "{text}");
}

#[test]
fn artifacts_are_replaced_only_when_all_of_them_are_on_disk() {
    let sandbox = two_tools("", "");
    sandbox.run(&["run"], 0);
    let before = sandbox.artifact("tasks.jsonl");
    let found: String = (1..2000).map(|line| format!("src/lib.rs:{line}: bad\n")).collect();
    sandbox.write("needed.txt", &found);
    // The report exceeds the maximum file size, but the lines of the tasks don't.
    let output = shell(&sandbox, "trap '' XFSZ; ulimit -f 128; exec \"$0\" genti run").output().unwrap();
    let text = sandbox.expect(&output, 4);
    assert!(text.contains("the previous file is unchanged"), "{text}");
    assert_eq!(sandbox.artifact("tasks.jsonl"), before);
}

#[test]
fn mixed_artifacts_of_two_runs_are_reported() {
    let sandbox = two_tools("", "");
    std::fs::create_dir_all(sandbox.root().join("target/genti/artifacts/run.json")).unwrap();
    let text = sandbox.run(&["run"], 4);
    assert!(text.contains("run.json`") && text.contains("other files were replaced"), "{text}");
    assert!(!text.contains("is unchanged"), "{text}");
}

#[test]
fn a_lock_file_that_genti_did_not_create_is_refused() {
    let sandbox = two_tools("", "");
    std::fs::create_dir_all(sandbox.root().join("target/genti")).unwrap();
    let elsewhere = sandbox.beside().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, sandbox.root().join("target/genti/lock")).unwrap();
    let text = sandbox.run(&["run"], 2);
    assert!(text.contains("genti/lock` was not created by genti: it is a symbolic link"), "{text}");
    assert!(!elsewhere.exists());
}

#[test]
fn output_that_cannot_be_printed_is_an_error_unless_the_reader_is_gone() {
    let sandbox = two_tools("", "");
    let commands = [&["plan"][..], &["plan", "--format", "json"], &["tools"]];
    for args in commands {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = sandbox.command(args).stdout(full).output().unwrap();
        let text = sandbox.expect(&output, 4);
        assert!(text.contains("error: could not write to standard output: "), "{text}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command(args).stdout(writer).output().unwrap();
        assert_eq!(sandbox.expect(&output, 0), "");
    }
}

#[test]
fn a_selection_without_tools_is_an_error_and_one_without_units_is_not() {
    let sandbox = two_tools("", "");
    for args in [
        &["check", "--tool", "needed", "--skip-tool", "needed"][..],
        &["plan", "--skip-tool", "needed", "--skip-tool", "extra"],
    ] {
        let text = sandbox.run(args, 2);
        assert!(text.contains("no tools left"), "{text}");
    }
    let config = "[tools.t]\nrun = [\"false\", \"{file}\"]\nper = \"file\"\nfiles = [\"*.none\"]\nmay-be-empty = true\n";
    Sandbox::with_tools(config).run(&["check"], 0);
    Sandbox::with_tools("").run(&["check"], 0);
}

#[test]
fn a_signal_that_was_ignored_before_us_stays_ignored() {
    for signal in ["HUP", "INT"] {
        let config = format!(
            "[tools.t]\nrun = [\"sh\", \"-c\", \"kill -s {signal} $PPID; sleep 0.3; touch ../done\"]\n"
        );
        let sandbox = Sandbox::with_tools(&config);
        let output = shell(&sandbox, &format!("trap '' {signal}; exec \"$0\" genti run")).output().unwrap();
        sandbox.expect(&output, 0);
        assert!(sandbox.beside().join("done").exists());
    }
}

#[test]
fn a_stopped_run_still_reports_what_was_not_written() {
    let config = "[tools.t]\nrun = [\"sh\", \"-c\", \"kill -s TERM $PPID; exec sleep 600\"]\n";
    let sandbox = Sandbox::with_tools(config);
    sandbox.write("target", "a file in the way");
    let output = sandbox.command(&["run"]).output().unwrap();
    let text = sandbox.expect(&output, 143);
    assert!(text.contains("error: could not write "), "{text}");
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
}

#[test]
fn the_last_line_distinguishes_required_and_optional_findings() {
    let found = "src/lib.rs:1: bad\n";
    for command in ["run", "check"] {
        let check = |required, optional, code, line: &str| {
            let sandbox = two_tools(required, optional);
            assert_eq!(last_line(&sandbox, &[command, "-q"], code), line);
        };
        check("", "", 0, "Finished 2 tasks, no new findings");
        check(
            "",
            found,
            0,
            "Finished 2 tasks, no new findings from required tools; 1 new finding from optional tools",
        );
        check(found, "", 1, "error: 1 new finding");
        check(found, found, 1, "error: 1 new finding; 1 more from optional tools");
    }
    let sandbox = Sandbox::with_tools("[tools.gone]\nrun = [\"genti-no-such-tool\"]\nrequired = false\n");
    assert_eq!(
        last_line(&sandbox, &["run", "-q"], 0),
        "Finished 1 task, no new findings from required tools; no result from optional gone"
    );
}

#[test]
fn a_check_that_fails_only_because_of_the_baseline_says_so_and_names_the_lines() {
    let sandbox = two_tools("src/lib.rs:1: bad\n", "");
    sandbox.run(&["baseline", "init"], 0);
    sandbox.write("needed.txt", "");
    sandbox.write("extra.txt", "src/lib.rs:1: odd\n");
    let error = "error: 1 accepted finding is fixed but still in the baseline";
    assert_eq!(last_line(&sandbox, &["check", "-q"], 1), error);
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains(error) && !text.contains("baseline init"), "{text}");
    assert!(text.contains("needed.jsonl: src/lib.rs"), "{text}");
}

#[test]
fn color_is_used_as_requested() {
    let sandbox = two_tools("", "");
    let check = |args: &[&str], env: &[(&str, &str)], is_coloured: bool| {
        let mut command = sandbox.command(&["run"]);
        let output = command.args(args).envs(env.iter().copied()).output().unwrap();
        let text = sandbox.expect(&output, 0);
        assert_eq!(text.contains('\u{1b}'), is_coloured, "{args:?} {env:?}: {text}");
    };
    check(&[], &[], false);
    check(&["--color", "always"], &[], true);
    check(&["--color", "always"], &[("NO_COLOR", "1")], true);
    check(&[], &[("CARGO_TERM_COLOR", "always")], true);
    check(&["--color", "never"], &[("CARGO_TERM_COLOR", "always")], false);
    check(&["--color", "auto"], &[("CARGO_TERM_COLOR", "always")], false);
    check(&[], &[("CLICOLOR_FORCE", "1")], true);
    check(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false);
    check(&[], &[("CLICOLOR_FORCE", "1"), ("CARGO_TERM_COLOR", "never")], false);
}

#[test]
fn help_is_where_cargo_users_look_for_it() {
    let sandbox = two_tools("", "");
    let usage = "Usage: cargo genti <COMMAND>";
    assert!(stderr(&sandbox.command(&[]).output().unwrap()).contains(usage));
    assert!(sandbox.run(&[], 2).contains(usage));
    assert!(sandbox.run(&["--help"], 0).contains(usage));
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_cargo-genti")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for args in [&["help", "genti"][..], &["genti", "--help"]] {
        let mut command = Command::new(env!("CARGO"));
        command.args(args).env("PATH", &path);
        sandbox.scrub(&mut command);
        let output = command.output().unwrap();
        assert!(sandbox.expect(&output, 0).contains(usage));
        assert!(output.stderr.is_empty());
    }
}

/// Creates the command `sh -c SCRIPT`, with the binary as `$0`.
fn shell(sandbox: &Sandbox, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_cargo-genti")]).stdin(Stdio::null());
    sandbox.scrub(&mut command);
    command
}

#[test]
fn findings_after_the_thirtieth_are_only_listed_and_after_the_three_hundredth_counted() {
    let lines = |count: usize| (1..=count).map(|at| format!("a:{at}: bad {at}\n")).collect::<String>();
    let sandbox = two_tools(&lines(303), "");
    let shown = |text: &str| text.lines().filter(|line| line.starts_with("warning[needed]")).count();
    let named = |text: &str| text.lines().filter(|line| line.contains(":1 warning[needed]: bad ")).count();
    let text = sandbox.run(&["run"], 1);
    let note = "note: 3 more findings; pass `--verbose` to show all\n";
    assert!(text.contains(note), "{text}");
    assert_eq!((shown(&text), named(&text)), (30, 270));
    assert!(text.contains("303 needed\n") && text.contains("303 new findings"), "{text}");
    let note = "note: 3 more findings in target/genti/artifacts/report.json; pass `--verbose` to show all\n";
    let output = sandbox.command(&["report"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(note), "{text}");
    let text = sandbox.run(&["run", "--verbose"], 1);
    assert_eq!((shown(&text), named(&text), text.contains("more findings")), (303, 0, false));
    assert_eq!(sandbox.findings().len(), 303);
    // The worst findings are shown, wherever they are.
    let config = file_tool("needed", true).replace("(?<message>", "(?<level>\\\\w+) (?<message>");
    let levels = Sandbox::with_tools(&config);
    levels.write("needed.txt", &(lines(40).replace("bad", "warning bad") + "b:1: error worse\n"));
    assert!(levels.run(&["run"], 1).contains("error[needed]: worse\n--> b:1:1\n"));
    sandbox.write("needed.txt", &lines(31));
    let text = sandbox.run(&["run"], 1);
    assert_eq!((shown(&text), named(&text), text.contains("more findings")), (30, 1, false));
    sandbox.write("needed.txt", &lines(30));
    let text = sandbox.run(&["run"], 1);
    assert_eq!((shown(&text), text.contains("--verbose")), (30, false));
}

#[test]
fn the_reason_for_an_unknown_version_is_shown() {
    let tool = |name: &str, version: &str| format!("[tools.{name}]\nrun = [\"true\"]\nversion = {version}\n");
    let tools = [
        tool("answers", "[\"echo\", \"true 1.0\"]"),
        tool("fails", "[\"sh\", \"-c\", \"exit 1\"]"),
        tool("gone", "[\"genti-no-such-tool\", \"--version\"]"),
        tool("never", "[]"),
        tool("silent", "[\"true\", \"--quiet\"]"),
    ];
    let text = Sandbox::with_tools(&tools.concat()).run(&["tools"], 0);
    let said: Vec<_> =
        text.lines().filter_map(|line| line.split_once("true (")).map(|(_, said)| said).collect();
    assert!(text.contains("`genti-no-such-tool` is not installed"), "{text}");
    assert_eq!(
        said,
        [
            "true 1.0)",
            "version unknown: `sh -c exit 1` failed)",
            "version unknown: `version` is not configured)",
            "version unknown: `true --quiet` printed nothing)",
        ]
    );
}
