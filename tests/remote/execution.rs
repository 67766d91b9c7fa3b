//! Remote execution: what workers run, and that a failure of theirs costs no verdict. The workers of the fake server really run the
//! commands.

use std::os::unix::fs::PermissionsExt;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use tonic::Code;

use crate::fake::Fake;
use crate::fake_workers::WorkFault;
use crate::support::Sandbox;
use crate::{assert_same, run, warnings};

/// Number of processes of the tool in [`checkout`].
pub(crate) const STEPS: usize = 8;

/// Script of the tool. `{away}` is what it does first on a worker.
const SCRIPT: &str = "case $PWD in */genti-*) {away} ;; esac\ncode=0\nfor file in \"$@\"; do\n  grep -Hn bad \"$file\" && code=1\ndone\nexit $code\n";

/// Creates a checkout with a tool that looks at eight files, one per process, and has one finding. `more` are further keys of the
/// tool, `away` what its script does on a worker.
fn checkout(url: &str, more: &str, policy: &str, away: &str) -> Sandbox {
    checkout_for(url, more, policy, away, LIMIT)
}

/// Like [`checkout`], with this time limit of an execution.
pub(crate) fn checkout_for(url: &str, more: &str, policy: &str, away: &str, limit: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools(&format!(
        "[tools.own]\nrun = [\"sh\", \"own.sh\", \"{{files}}\"]\nper = \"file\"\nfiles = [\"*.txt\"]\ninputs = [\"own.sh\"]\n\
         parse = \"lines\"\n{more}\n[policy]\n{policy}\n\
         [remote]\nurl = \"{url}\"\nexecute = true\ntimeout = \"9min\"\nexecute-timeout = \"{limit}\"\n\
         platform = {{ OSFamily = \"linux\" }}\n",
    ));
    for number in 0..STEPS {
        sandbox.write(&format!("{number}.txt"), if number == 5 { "bad\n" } else { "text\n" });
    }
    sandbox.write("own.sh", &SCRIPT.replace("{away}", away));
    sandbox
}

/// Enough time for a loaded machine.
const LIMIT: &str = "9min";

/// Nothing is checked on this machine.
pub(crate) const UNCHECKED: &str = "recheck = \"0%\"";

pub(crate) const HERMETIC: &str = "hermetic = true";

/// Runs a checkout with these workers and one without, and compares them. Returns the output, and the number of commands that workers
/// have run.
#[track_caller]
fn check(fault: WorkFault, away: &str) -> (String, usize) {
    let fake = Fake::start();
    fake.state().workers.fault = fault;
    let with = checkout(&fake.url(), HERMETIC, UNCHECKED, away);
    let without = checkout(&fake.url(), HERMETIC, UNCHECKED, away);
    let output = run(&with, &["--parallel", "2"], &[], 1);
    let plain = run(&without, &["--parallel", "2", "--remote", "off"], &[], 1);
    assert_eq!(warnings(&plain), 0, "{plain}");
    assert_same(&with, &without);
    let commands = fake.state().workers.commands.len();
    (output, commands)
}

#[test]
fn a_hermetic_tool_runs_on_workers() {
    let (output, commands) = check(WorkFault::None, "");
    assert_eq!((warnings(&output), commands), (0, STEPS), "{output}");
}

#[test]
fn a_tool_that_is_not_hermetic_is_not_sent() {
    let fake = Fake::start();
    let sandbox = checkout(&fake.url(), "", UNCHECKED, "");
    run(&sandbox, &[], &[], 1);
    assert_eq!(fake.state().workers.commands.len(), 0);
}

#[test]
fn no_worker_is_used_without_jobs_for_it() {
    for (args, vars) in [(&["--remote-jobs", "0"][..], &[][..]), (&[], &[("GENTI_REMOTE_JOBS", "0")])] {
        let fake = Fake::start();
        run(&checkout(&fake.url(), HERMETIC, UNCHECKED, ""), args, vars, 1);
        assert_eq!(fake.state().workers.commands.len(), 0);
    }
}

#[test]
fn a_failing_worker_costs_no_verdict() {
    let faults = [
        (WorkFault::Dies, "it is unavailable"),
        (WorkFault::EndsEarly, "it answered with an error"),
        (WorkFault::Reports(Code::DeadlineExceeded), "it did not answer in time"),
        (WorkFault::Reports(Code::Cancelled), "it did not answer in time"),
        (WorkFault::Reports(Code::FailedPrecondition), "it has lost a file of the command"),
        (WorkFault::Cached, "it answered with an old result"),
        (WorkFault::NotStarted(127), "a worker did not run the command"),
        (WorkFault::NotStarted(1), "a worker did not run the command"),
        (WorkFault::NotStarted(0), "a worker did not run the command"),
        (WorkFault::NoProgram, "a worker has another system or other programs"),
        (WorkFault::NoFile, "a worker has another system or other programs"),
        (WorkFault::OtherSystem, "a worker has another system or other programs"),
        (WorkFault::WrongDigest, "it sent damaged data"),
        (WorkFault::NoOutputs, "a worker did not run the command"),
    ];
    for (fault, why) in faults {
        let (output, _) = check(fault, "");
        assert_eq!(warnings(&output), 1, "{fault:?}: {output}");
        assert!(output.contains(&format!(" failed: {why} (unfinished steps run")), "{fault:?}: {output}");
    }
}

/// One of the processes prints something.
#[test]
fn a_part_of_the_output_is_not_taken_for_all_of_it() {
    let (output, _) = check(WorkFault::Truncated, "");
    assert!(output.contains("a worker sent only a part of the output"), "{output}");
}

#[test]
fn the_result_of_another_command_does_not_count() {
    let (output, commands) = check(WorkFault::OtherAction, "");
    assert!(commands >= 2, "{output}");
    assert!(output.contains("it sent damaged data"), "{output}");
}

/// The tool ends like this only on workers.
#[test]
fn what_looks_like_findings_or_a_pass_but_is_a_failure_runs_again_on_this_machine() {
    for away in ["exit 127", "exit 126", "kill -9 $$", "kill $$"] {
        let (output, commands) = check(WorkFault::None, away);
        assert!(commands > 0, "{output}");
        assert!(
            output.contains("the command was killed on a worker, or did not start there"),
            "{away}: {output}"
        );
    }
}

#[test]
fn a_silent_worker_costs_its_time_limit_and_no_verdict() {
    let fake = Fake::start();
    fake.state().workers.fault = WorkFault::Silent;
    let make = || checkout_for(&fake.url(), HERMETIC, UNCHECKED, "", "1s");
    let (with, without) = (make(), make());
    let output = run(&with, &[], &[], 1);
    run(&without, &["--remote", "off"], &[], 1);
    assert_same(&with, &without);
    assert!(output.contains("it did not answer in time"), "{output}");
}

#[test]
fn required_workers_that_fail_make_a_run_incomplete() {
    let fake = Fake::start();
    fake.state().workers.fault = WorkFault::Dies;
    run(&checkout(&fake.url(), HERMETIC, UNCHECKED, ""), &["--remote", "required"], &[], 3);
}

#[test]
fn a_checked_result_that_differs_makes_the_tool_incomplete() {
    let fake = Fake::start();
    // It finds nothing on a worker.
    let sandbox = checkout(&fake.url(), HERMETIC, "recheck = \"100%\"", "exit 0");
    let output = run(&sandbox, &[], &[], 3);
    assert!(output.contains("a worker and this machine came to different results"), "{output}");
    let same = checkout(&fake.url(), HERMETIC, "recheck = \"100%\"", "");
    let output = run(&same, &[], &[], 1);
    assert_eq!(warnings(&output), 0, "{output}");
}

#[test]
fn nothing_of_a_tool_in_doubt_counts_or_is_stored() {
    let fake = Fake::start();
    // On a worker, it finds something in each file. Half of the results are checked.
    let sandbox = checkout(&fake.url(), HERMETIC, "recheck = \"50%\"", "echo $1:1: odd; exit 1");
    // Surely some of so many are checked, and some are not.
    (STEPS..50).for_each(|number| sandbox.write(&format!("{number}.txt"), "text\n"));
    let output = run(&sandbox, &[], &[], 3);
    assert!(output.contains("came to another result than this machine (unfinished"), "{output}");
    let output = run(&sandbox, &["--remote", "off"], &[], 1);
    assert!(!output.contains("odd"), "{output}");
}

#[test]
fn results_of_workers_are_cached() {
    let fake = Fake::start();
    let sandbox = checkout(&fake.url(), HERMETIC, UNCHECKED, "");
    run(&sandbox, &[], &[], 1);
    run(&sandbox, &[], &[], 1);
    assert_eq!(fake.state().workers.commands.len(), STEPS);
    assert!(!sandbox.run(&["explain"], 0).contains("workers"));
    sandbox.write("0.txt", "other\n");
    run(&sandbox, &[], &[], 1);
    assert_eq!(fake.state().workers.commands.len(), STEPS + 1);
    let (tool, task) = (sandbox.run(&["explain", "own"], 0), sandbox.run(&["explain", "own:0.txt"], 0));
    assert!(tool.contains(&format!("  1 task ran on workers of {}\n", fake.url())), "{tool}");
    assert!(task.contains(&format!("    ran on a worker of {}\n", fake.url())), "{task}");
    run(&sandbox, &["--remote-jobs", "0", "--no-cache"], &[], 1);
    assert!(!sandbox.run(&["explain"], 0).contains("workers"));
}

/// No content and no message has the value of a variable of this machine.
#[test]
fn no_value_of_a_variable_is_sent() {
    let fake = Fake::start();
    let sandbox = checkout(&fake.url(), HERMETIC, UNCHECKED, "");
    const SECRET: &str = "s3cret-of-this-machine";
    let vars = [("TOKEN", SECRET), ("CI", SECRET), ("USER", SECRET), ("LOGNAME", SECRET)];
    run(&sandbox, &[], &vars, 1);
    let state = fake.state();
    assert_eq!(state.workers.commands.len(), STEPS);
    let has = |data: &Vec<u8>| data.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes());
    assert!(!state.blobs.values().any(has));
    for command in &state.workers.commands {
        let names: Vec<_> = command.environment_variables.iter().map(|var| &*var.name).collect();
        let fixed = [
            "CARGO_TERM_COLOR",
            "CARGO_TERM_QUIET",
            "GENTI",
            "INSTA_UPDATE",
            "LC_ALL",
            "PATH",
            "RUST_BACKTRACE",
            "TERM",
        ];
        assert_eq!(names, fixed);
    }
    let property = &state.workers.actions[0].platform.as_ref().unwrap().properties[0];
    assert_eq!((&*property.name, &*property.value), ("OSFamily", "linux"));
    assert!(state.workers.actions.iter().all(|action| action.do_not_cache));
}

/// Creates a checkout in which only `fmt` runs, with the same program on each worker.
fn formatted(url: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "workspace");
    let disabled = ["clippy", "doc", "test", "doctest"]
        .map(|tool| format!("[tools.{tool}]\nenabled = false\n"))
        .concat();
    sandbox.write(
        "genti.toml",
        &format!(
            "{disabled}[policy]\n{UNCHECKED}\n[remote]\nurl = \"{url}\"\nexecute = true\nprograms = \"worker\"\n\
             timeout = \"9min\"\nexecute-timeout = \"9min\"\n"
        ),
    );
    sandbox
}

#[test]
fn fmt_finds_the_same_in_modules_wherever_they_are() {
    let fake = Fake::start();
    let all = [(); 2].map(|()| formatted(&fake.url()));
    for sandbox in &all {
        std::fs::remove_dir_all(sandbox.root().join("src")).unwrap();
        std::fs::remove_file(sandbox.root().join("Cargo.lock")).unwrap();
        sandbox.write("Cargo.toml", "[workspace]\nmembers = [\"m\"]\nresolver = \"2\"\n");
        sandbox.write("m/Cargo.toml", "[package]\nname = \"m\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        sandbox.write("m/src/lib.rs", "mod deep;\n#[path = \"../../shared/place.rs\"]\nmod place;\n");
        sandbox.write("m/src/deep/mod.rs", "mod deeper;\n");
        sandbox.write("m/src/deep/deeper.rs", "fn f( ) {}\n");
        sandbox.write("shared/place.rs", "fn g( ) {}\n");
    }
    let output = run(&all[0], &[], &[], 1);
    run(&all[1], &["--remote", "off"], &[], 1);
    assert_eq!(warnings(&output), 0, "{output}");
    assert_same(&all[0], &all[1]);
    assert!(output.contains("m/src/deep/deeper.rs") && output.contains("shared/place.rs"), "{output}");
    let state = fake.state();
    assert!(!state.workers.commands.is_empty());
    // The file is not in the package, so it is not a declared input of the task.
    let is_sent = |data: &Vec<u8>| String::from_utf8_lossy(data).contains("  w/shared/place.rs\n");
    assert!(state.blobs.values().any(is_sent));
}

#[test]
fn typos_gets_all_files() {
    let fake = Fake::start();
    check_typos(&fake.url());
    assert_eq!(fake.state().workers.commands.len(), 1);
}

/// Checks that typos finds the same with the workers at `url`. A script stands in for it. It looks at all files, also those of genti
/// itself, and fails outside of a repository.
pub(crate) fn check_typos(url: &str) {
    let all = [(); 2].map(|()| {
        let sandbox = Sandbox::with_tools(&format!(
            "[tools.typos]\n[policy]\n{UNCHECKED}\n[remote]\nurl = \"{}\"\nexecute = true\ntimeout = \"9min\"\n\
             execute-timeout = \"9min\"\n",
            url
        ));
        for path in ["a.txt", "b/c.txt", ".config/genti/baseline/x.txt"] {
            sandbox.write(path, "teh\n");
        }
        sandbox.commit_all();
        let bin = sandbox.beside().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let script = "#!/bin/sh\n[ \"$1\" = --version ] && echo typos-cli 1.52.0 && exit\n[ -d .git ] || exit 9\ncode=0\n\
             for file in a.txt b/c.txt .config/genti/baseline/x.txt; do\n  if grep -q teh $file; then\n    \
             printf '{\"type\":\"typo\",\"path\":\"%s\",\"line_num\":1,\"byte_offset\":0,\"typo\":\"teh\",\"corrections\":[\"the\"]}\\n' $file\n    \
             code=2\n  fi\ndone\nexit $code\n";
        std::fs::write(bin.join("typos"), script).unwrap();
        std::fs::set_permissions(bin.join("typos"), PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        (sandbox, path)
    });
    let output = run(&all[0].0, &[], &[("PATH", &all[0].1)], 1);
    run(&all[1].0, &["--remote", "off"], &[("PATH", &all[1].1)], 1);
    assert_eq!(warnings(&output), 0, "{output}");
    assert_same(&all[0].0, &all[1].0);
    assert!(output.contains("3 new findings"), "{output}");
}

#[test]
fn a_module_that_git_ignores_keeps_fmt_on_this_machine() {
    let fake = Fake::start();
    let sandbox = formatted(&fake.url());
    sandbox.commit_all();
    sandbox.write(".gitignore", "ignored.rs\ntarget\n");
    let text = sandbox.text("src/lib.rs");
    sandbox.write("src/lib.rs", &format!("{text}\nmod ignored;\n"));
    sandbox.write("src/ignored.rs", "fn f( ) {}\n");
    let output = run(&sandbox, &[], &[], 1);
    assert!(output.contains("src/ignored.rs"), "{output}");
    let has_lib = |command: &&api::Command| command.arguments.iter().any(|arg| arg == "src/lib.rs");
    assert_eq!(fake.state().workers.commands.iter().filter(has_lib).count(), 0);
}

#[test]
fn a_configuration_outside_of_the_repository_keeps_a_tool_on_this_machine() {
    let fake = Fake::start();
    let sandbox = formatted(&fake.url());
    sandbox.write("src/lib.rs", "pub fn f( ) {}\n");
    let home = sandbox.beside().join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("rustfmt.toml"), "max_width = 40\n").unwrap();
    let rustup = std::env::var("RUSTUP_HOME")
        .unwrap_or_else(|_| format!("{}/.rustup", std::env::var("HOME").unwrap()));
    run(&sandbox, &[], &[("HOME", home.to_str().unwrap()), ("RUSTUP_HOME", &rustup)], 1);
    assert_eq!(fake.state().workers.commands.len(), 0);
}
