//! Tests of signals and time limits while genti itself is working: while it hashes files, reads the output of a
//! tool, compares findings and writes reports. Unit tests, which count work, show that each of these ends soon. These tests show
//! that the run then ends as documented.

use std::io::Read;
use std::process::Command;
use std::time::Duration;

use crate::support::Sandbox;
use crate::support::process::Running;
#[cfg(target_os = "linux")]
use crate::support::process::wait_until;

/// Creates a tool with so many findings that reading them takes a while.
fn with_many_findings(count: u32) -> Sandbox {
    Sandbox::with_tools(&format!(
        "[tools.loud]\nrun = [\"seq\", \"-f\", \"src/lib.rs:%.0f: a message of some length\", \"{count}\"]\n\
         parse = {{ regex = '^(?<path>[^:]+):(?<line>\\d+): (?<message>.+)$' }}\n"
    ))
}

/// Number of findings whose lines exceed a megabyte.
const MANY: u32 = 60_000;

#[track_caller]
fn wait_for(run: &mut Running, text: &str) {
    while !run.tells(text) {
        assert!(!run.has_ended(), "it ended without `{text}`");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn signals_while_output_is_read_end_the_run_with_its_artifacts_written() {
    // The suite `faults` sends the other signals.
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        // Events may be a tenth of a second late, and reading must not be over by then.
        let sandbox = with_many_findings(20 * MANY);
        let mut run = sandbox.start(&["run", "--message-format", "json"]);
        wait_for(&mut run, "\"step-reading\"");
        (0..2).for_each(|_| run.send(signal));
        assert_eq!(run.finish().status.code(), Some(128 + number), "{signal}");
        assert_eq!(sandbox.json("run.json")["end"]["status"], "interrupted");
    }
}

#[test]
fn a_time_limit_reached_while_output_is_read_leaves_it_without_a_verdict() {
    // The workspace must be loaded by then, and the output not read.
    let sandbox = with_many_findings(60 * MANY);
    let output = sandbox.start(&["run", "--max-duration", "3s"]).finish();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        String::from_utf8_lossy(&sandbox.artifact("tasks.jsonl")).contains("the run reached --max-duration")
    );
}

#[test]
fn signals_while_findings_are_compared_end_the_run() {
    let sandbox = with_many_findings(MANY);
    let mut run = sandbox.start(&["run", "--message-format", "json"]);
    wait_for(&mut run, "\"comparing\"");
    (0..2).for_each(|_| run.send("TERM"));
    assert_eq!(run.finish().status.code(), Some(143));
}

#[test]
fn a_signal_while_a_report_waits_to_be_read_ends_the_run_after_its_artifacts() {
    let sandbox = with_many_findings(2_000);
    let pipe = sandbox.beside().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut reader = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let report = format!("sarif={}", pipe.display());
    let run = sandbox.start(&["run", "--report", &report]);
    // The report was begun, and the reader does not continue.
    reader.read_exact(&mut [0]).unwrap();
    (0..2).for_each(|_| run.send("TERM"));
    let output = run.finish();
    assert_eq!(output.status.code(), Some(143));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stopped before it finished"));
    assert_eq!(sandbox.json("run.json")["end"]["status"], "failed", "the run itself was over");
}

/// Creates a file that takes hours to hash. It takes no space because it is sparse.
fn create_huge_file(sandbox: &Sandbox, path: &str) {
    sandbox.write(path, "");
    let file = std::fs::File::options().write(true).open(sandbox.root().join(path)).unwrap();
    file.set_len(1 << 43).unwrap();
}

#[test]
fn a_time_limit_reached_while_the_workspace_is_hashed_ends_the_run() {
    for (config, flags) in [("", &["--max-duration", "1s"][..]), ("[policy]\nmax-duration = \"1s\"\n", &[])] {
        let sandbox = Sandbox::with_words(config);
        create_huge_file(&sandbox, "huge");
        let output = sandbox.start(&[&["run"], flags].concat()).finish();
        let text = sandbox.expect(&output, 3);
        assert!(text.contains("reached --max-duration while it read the workspace"), "{text}");
        assert!(!sandbox.root().join("target/genti/artifacts/run.json").exists(), "{config}");
    }
}

/// Creates a workspace whose runs hash a huge file before they look for cached results.
fn with_huge_input() -> Sandbox {
    let sandbox = Sandbox::with_words(
        "[tools.generated]\nrun = [\"true\"]\ninputs = [\"generated/**\"]\nparse = \"lines\"\n",
    );
    sandbox.write(".gitignore", "generated\n");
    create_huge_file(&sandbox, "generated/huge");
    sandbox
}

/// Waits until `run` reads the huge file.
#[cfg(target_os = "linux")]
fn wait_for_hashing(run: &Running) {
    let opened = format!("/proc/{}/fd", run.id());
    let is_huge = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.and_then(|entry| entry.path().read_link()).is_ok_and(|file| file.ends_with("generated/huge"))
    };
    wait_until("the file to be hashed", || std::fs::read_dir(&opened).is_ok_and(|mut all| all.any(is_huge)));
}

#[cfg(target_os = "linux")]
#[test]
fn signals_while_inputs_are_hashed_end_the_run_with_its_artifacts_written() {
    for (signals, code) in [(&["INT"; 2][..], 130), (&["TERM"; 2], 143), (&["TERM"], 143)] {
        let sandbox = with_huge_input();
        let run = sandbox.start(&["run"]);
        wait_for_hashing(&run);
        signals.iter().for_each(|signal| run.send(signal));
        assert_eq!(run.finish().status.code(), Some(code), "{signals:?}");
        assert_eq!(sandbox.json("run.json")["end"]["status"], "interrupted");
        let tasks = sandbox.lines("task");
        assert!(!tasks.is_empty() && tasks.iter().all(|task| task["status"] == "not-run"), "{tasks:#?}");
    }
}

#[test]
fn a_time_limit_reached_while_inputs_are_hashed_ends_the_run() {
    let sandbox = with_huge_input();
    let output = sandbox.start(&["run", "--max-duration", "1s"]).finish();
    // On a slow machine, the time is over before the inputs are hashed.
    let text = sandbox.expect(&output, 3);
    assert!(text.contains("the run reached --max-duration"), "{text}");
}
