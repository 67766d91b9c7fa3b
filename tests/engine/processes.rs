//! Tests of tokens, time limits and signals, and that no process is left behind.

use std::process::Command;

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::process::{Running, output, wait_until};

/// Returns a script that records its start and its end in a file next to the workspace. It continues when
/// `at_once` processes have started, and allows time for one too many to start.
fn mark(at_once: usize) -> String {
    format!(
        "echo + >> ../log; until test $(grep -c + ../log) -ge {at_once}; do sleep 0.02; done; sleep 0.1; echo - >> ../log"
    )
}

/// Configures a tool that runs [`mark`] for each file.
fn counted(files: usize, at_once: usize) -> Sandbox {
    let script = mark(at_once);
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.mark]\nrun = [\"sh\", \"-c\", \"{script}\", \"{{file}}\"]\nper = \"file\"\nfiles = [\"many/*\"]\n"
    ));
    for at in 0..files {
        sandbox.write(&format!("many/{at}"), "");
    }
    sandbox
}

/// Returns the number of processes that ran, and the maximum number at the same time.
fn most_at_once(sandbox: &Sandbox) -> (usize, i32) {
    let log = std::fs::read_to_string(sandbox.beside().join("log")).unwrap();
    let (mut now, mut most) = (0, 0);
    for line in log.lines() {
        now += if line == "+" { 1 } else { -1 };
        most = most.max(now);
    }
    (log.lines().filter(|line| *line == "+").count(), most)
}

#[test]
fn no_more_processes_run_at_once_than_allowed() {
    for parallel in [1, 3] {
        let sandbox = counted(9, parallel);
        sandbox.run_alone(&["run", "--parallel", &parallel.to_string()], 0);
        assert_eq!(most_at_once(&sandbox), (9, parallel as i32));
    }
}

#[test]
fn an_inherited_pool_is_shared_and_never_refilled() {
    let make = Command::new("make").arg("--version").output();
    assert!(make.is_ok_and(|make| make.status.success()), "this test needs GNU make (apt install make)");
    let sandbox = counted(9, 2);
    let genti = env!("CARGO_BIN_EXE_cargo-genti");
    // A job of make takes one of the two slots until one of our processes has started, and for a while after.
    let other = mark(2).replace('$', "$$");
    let makefile = format!("all: run other\nrun:\n\t+@{genti} genti run --parallel 8\nother:\n\t@{other}\n");
    sandbox.write("Makefile", &makefile);
    let mut command = Command::new("make");
    command.args(["-j2", "all"]);
    sandbox.scrub(&mut command);
    let text = sandbox.expect(&output(&command), 0);
    assert!(!text.contains("jobserver"), "no warning: {text}");
    assert_eq!(most_at_once(&sandbox), (10, 2));
}

#[test]
fn our_own_slot_is_used_while_the_pool_is_empty() {
    let sandbox = counted(4, 1);
    let genti = env!("CARGO_BIN_EXE_cargo-genti");
    // The other job holds the only token until the run is done, which leaves our implicit slot.
    let makefile = format!(
        "all: run other\nrun:\n\t+@{genti} genti run; touch ../done\n\
         other:\n\t@until test -e ../done; do sleep 0.1; done\n"
    );
    sandbox.write("Makefile", &makefile);
    let mut command = Command::new("make");
    command.args(["-j2", "all"]);
    sandbox.scrub(&mut command);
    sandbox.expect(&output(&command), 0);
    assert_eq!(most_at_once(&sandbox), (4, 1));
}

#[test]
fn a_broken_jobserver_is_reported_and_does_not_stop_the_run() {
    let sandbox = counted(3, 1);
    let flags = " -j --jobserver-auth=97,98";
    let output =
        sandbox.command(&["run"]).env("MAKEFLAGS", flags).env("CARGO_MAKEFLAGS", "").output().unwrap();
    let text = sandbox.expect(&output, 0);
    assert!(text.contains("warning: cannot use the jobserver from the environment"), "{text}");
}

#[test]
fn only_clients_get_the_pool() {
    let show = "env | grep MAKEFLAGS > ../NAME; true";
    let config = ["client", "other"].map(|name| {
        let jobserver = name == "client";
        format!(
            "[tools.{name}]\nrun = [\"sh\", \"-c\", \"{}\"]\njobserver = {jobserver}\n",
            show.replace("NAME", name)
        )
    });
    let sandbox = Sandbox::with_tools(&config.concat());
    sandbox.run(&["run", "--parallel", "2"], 0);
    let seen = |name: &str| std::fs::read_to_string(sandbox.beside().join(name)).unwrap();
    assert!(seen("client").contains("CARGO_MAKEFLAGS=") && seen("client").contains("--jobserver-auth="));
    assert_eq!(seen("other"), "");
}

#[test]
fn a_task_that_times_out_is_distinguished_from_the_others_of_its_step() {
    // One process covers all files, and hangs if the file `slow` is among them.
    let script =
        "for f in \\\"$@\\\"; do case $f in */slow) sleep 600;; *) echo $f:1: seen;; esac; done; exit 1";
    let config = format!(
        "[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\", \"sh\", \"{{files}}\"]\nper = \"file\"\nfiles = [\"many/*\"]\n\
         parse = {{ regex = \"^(?<path>.+?):(?<line>\\\\d+): (?<message>.*)$\" }}\n"
    );
    let sandbox = Sandbox::with_tools(&config);
    for name in ["a", "slow", "z"] {
        sandbox.write(&format!("many/{name}"), "");
    }
    let statuses = |timeout: &str| -> Vec<Value> {
        sandbox.run_alone(&["run", "--no-cache", "--per-task-timeout", timeout], 3);
        sandbox.lines("task").iter().map(|line| line["status"].clone()).collect()
    };
    // The shortest one is enough for the others unless the machine is slow or busy.
    let is_expected = |timeout: &&str| statuses(timeout) == ["findings", "timed-out", "findings"];
    assert!(["1s", "10s", "100s"].iter().any(is_expected), "{:?}", sandbox.lines("task"));
}

#[test]
fn tasks_not_run_within_the_time_limit_of_the_run_are_reported() {
    let config = "[tools.t]\nrun = [\"sh\", \"-c\", \"exec sleep 600\", \"{file}\"]\nper = \"file\"\nfiles = [\"many/*\"]\n";
    let sandbox = Sandbox::with_tools(config);
    for name in ["a", "b", "c"] {
        sandbox.write(&format!("many/{name}"), "");
    }
    sandbox.run_alone(&["run", "--max-duration", "3s", "--parallel", "2"], 3);
    for line in sandbox.lines("task") {
        assert_eq!(
            (line["status"].as_str(), line["reason"].as_str()),
            (Some("not-run"), Some("the run reached --max-duration"))
        );
    }
    assert_eq!(sandbox.json("run.json")["end"]["status"], "incomplete");
}

#[test]
fn under_fail_fast_nothing_starts_after_a_required_tool_fails() {
    let config = |required: bool| {
        format!(
            "[tools.t]\nrun = [\"sh\", \"-c\", \"echo $0 >> ../log; test $0 != many/b\", \"{{file}}\"]\n\
             per = \"file\"\nfiles = [\"many/*\"]\nrequired = {required}\n"
        )
    };
    let check = |sandbox: &Sandbox, args: &[&str], code: i32, expected: [&str; 3]| {
        sandbox.run(&[args, &["--parallel", "1", "--no-cache"]].concat(), code);
        let statuses: Vec<_> = sandbox.lines("task").iter().map(|line| line["status"].clone()).collect();
        assert_eq!(statuses, expected, "{args:?}");
    };
    for command in ["run", "check"] {
        let sandbox = Sandbox::with_tools(&config(true));
        ["a", "b", "c"].iter().for_each(|name| sandbox.write(&format!("many/{name}"), ""));
        check(&sandbox, &[command], 1, ["clean", "findings", "clean"]);
        check(&sandbox, &[command, "--fail-fast"], 3, ["clean", "findings", "not-run"]);
        let reason = sandbox.lines("task")[2]["reason"].clone();
        assert_eq!(reason, "not run because a required tool failed (--fail-fast)");
        // An accepted finding is not a failure.
        sandbox.run(&["baseline", "init"], 0);
        check(&sandbox, &[command, "--fail-fast"], 0, ["clean", "findings", "clean"]);
    }
    let sandbox = Sandbox::with_tools(&config(false));
    ["a", "b", "c"].iter().for_each(|name| sandbox.write(&format!("many/{name}"), ""));
    check(&sandbox, &["run", "--fail-fast"], 0, ["clean", "findings", "clean"]);
}

#[test]
fn an_interrupt_ends_the_run_with_its_artifacts_written() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let config = "[tools.t]\nrun = [\"sh\", \"-c\", \"echo + > ../ready; exec sleep 600\"]\n";
        let sandbox = Sandbox::with_tools(config);
        let run = sandbox.start(&["run"]);
        wait_for(&sandbox, "ready");
        run.send(signal);
        sandbox.expect(&run.finish(), code);
        assert_eq!(sandbox.json("run.json")["end"]["status"], "interrupted");
        assert_eq!(sandbox.lines("task")[0]["status"], "not-run");
    }
}

#[test]
fn a_second_interrupt_kills_processes_that_ignore_the_first() {
    let script = "trap 'echo + > ../heard' INT; echo + > ../ready; while :; do sleep 0.05; done";
    let sandbox = Sandbox::with_tools(&format!("[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\"]\n"));
    let run = sandbox.start(&["run"]);
    wait_for(&sandbox, "ready");
    run.send("INT");
    wait_for(&sandbox, "heard");
    run.send("INT");
    sandbox.expect(&run.finish(), 130);
    assert_eq!(sandbox.json("run.json")["end"]["status"], "interrupted");
}

#[test]
fn ctrl_z_suspends_the_children_too_and_all_continue_afterwards() {
    let script = "echo $$ > ../new; mv ../new ../pid; until test -e ../go; do :; done";
    let sandbox = Sandbox::with_tools(&format!("[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\"]\n"));
    let run = sandbox.start(&["run"]);
    wait_for(&sandbox, "pid");
    let tool = std::fs::read_to_string(sandbox.beside().join("pid")).unwrap().trim().parse().unwrap();
    run.send("TSTP");
    for pid in [run.id(), tool] {
        wait_until("a stop", || state_of(pid).starts_with('T'));
    }
    std::fs::write(sandbox.beside().join("go"), "").unwrap();
    run.send("CONT");
    sandbox.expect(&run.finish(), 0);
    assert_eq!(sandbox.lines("task")[0]["status"], "clean");
}

#[test]
#[cfg(target_os = "linux")]
fn processes_outside_of_the_group_of_a_tool_end_with_the_run() {
    let sandbox =
        Sandbox::with_tools(&format!("[tools.t]\nrun = [\"sh\", \"-c\", \"{}\"]\n", daemon("sleep 600 &")));
    sandbox.run_alone(&["run"], 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_left_behind_by_a_tool_lives_while_others_may_use_it() {
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.first]\nrun = [\"sh\", \"-c\", \"{}\"]\n\
         [tools.user]\nrun = [\"sh\", \"-c\", \"until test -e ../looked; do sleep 0.05; done\"]\n\
         [tools.later]\nrun = [\"sh\", \"-c\", \"kill -0 $(cat ../pid); code=$?; : > ../looked; exit $code\"]\n\
         needs = [\"first\"]\n",
        daemon("")
    ));
    sandbox.run_alone(&["run", "--parallel", "3"], 0);
}

/// Returns a script that leaves a process behind, without a parent, in its own session and without our pipes. The
/// process runs `what`, writes its id to `../pid` and sleeps.
#[cfg(target_os = "linux")]
fn daemon(what: &str) -> String {
    let daemon = format!("{what} echo $$ > ../new; mv ../new ../pid; exec sleep 600");
    format!("(setsid sh -c '{daemon}' > ../out 2>&1 &); until test -e ../pid; do sleep 0.05; done")
}

#[test]
#[cfg(target_os = "linux")]
fn dead_orphans_are_reaped_during_the_run() {
    let script = "(sleep 0.1 & echo $! > ../pid); while kill -0 $(cat ../pid); do sleep 0.1; done";
    let sandbox = Sandbox::with_tools(&format!("[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\"]\n"));
    sandbox.run_alone(&["run"], 0);
}

#[test]
#[cfg(target_os = "linux")]
fn children_are_reaped_even_if_sigchld_is_ignored() {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"sh\", \"-c\", \"exit 3\"]\n");
    let mut command = Command::new("env");
    command.args(["--ignore-signal=CHLD", env!("CARGO_BIN_EXE_cargo-genti"), "genti", "run"]);
    sandbox.scrub(&mut command);
    sandbox.expect(&command.output().unwrap(), 1);
}

#[test]
fn a_crash_is_no_verdict() {
    let sandbox = Sandbox::with_tools("[tools.t]\nrun = [\"sh\", \"-c\", \"kill -SEGV $$\"]\n");
    let text = sandbox.run(&["run"], 3);
    assert!(text.contains("killed by SIGSEGV"), "{text}");
    assert_eq!(sandbox.lines("task")[0]["status"], "crashed");
}

#[test]
fn runs_in_the_same_workspace_wait_for_each_other() {
    let sandbox = counted(4, 1);
    let held = "until test -e ../go; do sleep 0.05; done; echo +";
    sandbox.edit("genti.toml", "echo +", held);
    let start = || sandbox.start(&["run", "--parallel", "1", "--no-cache"]);
    let runs = [start(), start(), start(), start()];
    // One run blocks the others until its tools may continue.
    let waiting = |runs: &[Running]| runs.iter().filter(|run| run.says("waiting for another run")).count();
    wait_until("three runs that wait", || waiting(&runs) == 3);
    std::fs::write(sandbox.beside().join("go"), "").unwrap();
    for run in runs {
        sandbox.expect(&run.finish(), 0);
    }
    assert_eq!(most_at_once(&sandbox), (16, 1), "one run at a time, one process each");
}

#[test]
fn a_target_directory_that_genti_did_not_create_is_refused() {
    let sandbox = counted(1, 1);
    let elsewhere = sandbox.beside().join("elsewhere");
    std::fs::create_dir_all(sandbox.root().join("target")).unwrap();
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, sandbox.root().join("target/genti")).unwrap();
    let text = sandbox.run(&["run"], 2);
    assert!(text.contains("is a symbolic link"), "{text}");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn artifacts_that_cannot_be_written_are_printed() {
    let sandbox = counted(1, 1);
    std::fs::write(sandbox.root().join("target"), "a file in the way").unwrap();
    let output = sandbox.command(&["run"]).output().unwrap();
    sandbox.expect(&output, 4);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["gate"]["status"], "passed");
}

/// Waits for a file next to the workspace that a tool creates.
fn wait_for(sandbox: &Sandbox, name: &str) {
    wait_until(name, || sandbox.beside().join(name).exists());
}

/// Returns the state of a process, in the letters of `ps`.
fn state_of(pid: u32) -> String {
    let output = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
