//! Tests of the output of tools: any amount, any bytes, and where it is kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::Sandbox;

/// Returns the files with kept output and their bytes.
fn kept(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    let dir = sandbox.root().join("target/genti/output");
    let entries = std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

fn reason(sandbox: &Sandbox, task: usize) -> String {
    sandbox.lines("task")[task]["reason"].as_str().unwrap().to_owned()
}

#[test]
fn huge_output_is_drained_in_bounded_memory_and_its_ends_are_kept() {
    // Each step records the peak memory of its parent.
    let resident = |name: &str| format!("grep VmHWM /proc/$PPID/status > ../{name}");
    let flood = "echo begin; head -c 300000000 /dev/zero | tr '\\\\0' x; echo end";
    let config = [("a", resident("before")), ("b", flood.to_owned()), ("c", resident("after"))].map(
        |(name, script)| format!("[tools.{name}]\nrun = [\"sh\", \"-c\", \"{script}\"]\nparse = \"lines\"\n"),
    );
    // The last one may not need the one without a result, or it would not run.
    let [a, b, c] = config;
    let sandbox = Sandbox::with_tools(&format!("{a}{b}needs = [\"a\"]\n{c}required = false\n"));
    let text = sandbox.run(&["run", "--parallel", "1", "--order", "required-first"], 3);
    assert!(text.contains("output saved to target/genti/output/b-1-0.stdout\n"), "{text}");
    assert_eq!(reason(&sandbox, 1), "output exceeds 256 MiB");
    let resident = |name: &str| -> u64 {
        let text = std::fs::read_to_string(sandbox.beside().join(name)).unwrap();
        text.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let (before, after) = (resident("before"), resident("after"));
    assert!(after < before + 64 * 1024, "{before} kB before, {after} kB after");

    let ends = &kept(&sandbox)["b-1-0.stdout"];
    assert!(ends.starts_with(b"begin\nxxx") && ends.ends_with(b"xxxend\n") && ends.len() < 2 << 20);
    let mark = "\n[genti: 298885898 bytes omitted]\n";
    assert!(ends.windows(mark.len()).any(|window| window == mark.as_bytes()));
}

#[test]
fn long_valid_output_is_read() {
    // More than a megabyte.
    let script =
        "i=0; while test $i -lt 12000; do echo \\\"x.rs:$i: $0$0$0$0$0$0$0$0$0$0\\\"; i=$((i+1)); done";
    let config = format!(
        "[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\", \"0123456789\"]\n\
         parse = {{ regex = \"^(?<path>.+?):(?<line>\\\\d+): (?<message>.*)$\" }}\n"
    );
    let sandbox = Sandbox::with_tools(&config);
    sandbox.run(&["run", "-q"], 1);
    assert_eq!(sandbox.findings().len(), 12000);
    assert!(kept(&sandbox).is_empty());
}

#[test]
fn output_without_a_verdict_is_kept_unchanged_until_the_next_run() {
    #[track_caller]
    fn check(script: &str, parse: &str, args: &[&str], status: &str, expected: &[(&str, &[u8])]) {
        let config = format!("[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\"]\nparse = \"{parse}\"\n");
        let sandbox = Sandbox::with_tools(&config);
        // The shortest limit is enough to print it unless the machine is slow or busy.
        let limits = ["1s", "10s", "100s"].into_iter().map(|limit| {
            let args: Vec<_> = args.iter().map(|arg| arg.replace("LIMIT", limit)).collect();
            let args = std::iter::once("run").chain(args.iter().map(String::as_str));
            let text = sandbox.run(&args.collect::<Vec<_>>(), 3);
            (text, expected.len() == kept(&sandbox).len())
        });
        let text = { limits }.find(|(_, is_whole)| *is_whole).expect(script).0;
        assert_eq!(sandbox.lines("task")[0]["status"], status, "{script}");
        let expected = expected.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        assert_eq!(kept(&sandbox), expected.collect(), "{script}");
        for name in kept(&sandbox).keys() {
            assert!(text.contains(&format!("target/genti/output/{name}")), "{text}");
        }
        for name in ["run.json", "report.json", "tasks.jsonl"] {
            let text = String::from_utf8(sandbox.artifact(name)).unwrap();
            assert!(!text.contains("genti/output"), "{name} tells of what is no artifact");
        }
        sandbox.edit("genti.toml", script, "true");
        sandbox.edit("genti.toml", parse, "exit-code");
        sandbox.run(&["run"], 0);
        assert!(kept(&sandbox).is_empty());
    }
    let both: &[(&str, &[u8])] = &[("t-0-0.stderr", b"why\n"), ("t-0-0.stdout", b"{\"runs\xff\0")];
    let script = "printf '{\\\"runs\\\\377\\\\000'; echo why >&2";
    check(script, "sarif", &[], "unparsable", both);
    check(&format!("{script}; kill -SEGV $$"), "exit-code", &[], "crashed", both);
    check(&format!("{script}; sleep 600 & true"), "exit-code", &[], "leaky", both);
    check(&format!("{script}; sleep 600"), "exit-code", &["--per-task-timeout", "LIMIT"], "timed-out", both);
    check(&format!("{script}; sleep 600"), "exit-code", &["--max-duration", "LIMIT"], "not-run", both);
    check("exit 130", "lines", &[], "unparsable", &[]);
}

#[test]
fn output_explained_by_a_finding_is_not_kept() {
    let sandbox = Sandbox::of("broken", "w");
    // Errors of doc tests that don't compile under `cargo test --doc` are reported by another tool.
    let text = sandbox.run(&["run", "--skip-tool", "doctest"], 3);
    assert!(kept(&sandbox).is_empty() && !text.contains("output saved"), "{text}");
}

/// Creates a tool that prints too much for the file `loud` and has a finding in each of the others.
fn loud_over_one_file(bytes: u64) -> Sandbox {
    let script = format!(
        "for f in \\\"$@\\\"; do case $f in */loud) head -c {bytes} /dev/zero | tr '\\\\0' x;; *) echo $f:1: seen;; esac; done"
    );
    let config = format!(
        "[tools.t]\nrun = [\"sh\", \"-c\", \"{script}\", \"sh\", \"{{files}}\"]\nper = \"file\"\nfiles = [\"many/*\"]\n\
         parse = {{ regex = \"^(?<path>.+?):(?<line>\\\\d+): (?<message>.*)$\" }}\n"
    );
    let sandbox = Sandbox::with_tools(&config);
    ["a", "loud", "z"].iter().for_each(|name| sandbox.write(&format!("many/{name}"), ""));
    sandbox
}

/// Returns the units without a verdict, each with the reason.
fn incomplete(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = report["tools"][0]["incomplete"].as_array().unwrap().iter();
    entries.map(|entry| (text(&entry["unit"]), text(&entry["reason"]))).collect()
}

const NO_ROOM: &str = "output exceeds 1 MiB and could not be written to disk: ";

#[test]
fn without_a_target_directory_only_output_too_long_for_memory_has_no_verdict() {
    let sandbox = loud_over_one_file(4 << 20);
    std::fs::write(sandbox.root().join("target"), "a file in the way").unwrap();
    let output = sandbox.command(&["run"]).output().unwrap();
    sandbox.expect(&output, 4);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = format!("{NO_ROOM}the target directory is not writable");
    assert_eq!(incomplete(&report), [("many/loud".to_owned(), expected)]);
    assert_eq!(report["findings"].as_array().unwrap().len(), 2);
}

#[test]
fn with_a_full_disk_there_is_no_verdict_and_the_ends_are_kept() {
    let sandbox = loud_over_one_file(20 << 20);
    let mut command = Command::new("sh");
    // In blocks of 512 or 1024 bytes. This is more than is kept and less than is printed.
    let genti = "ulimit -f 8192; exec \"$0\" genti run";
    command.args(["-c", genti, env!("CARGO_BIN_EXE_cargo-genti")]);
    sandbox.scrub(&mut command);
    sandbox.expect(&command.output().unwrap(), 3);
    let report = sandbox.json("report.json");
    let expected = format!("{NO_ROOM}File too large (os error 27)");
    assert_eq!(incomplete(&report), [("many/loud".to_owned(), expected)]);
    // The first process covered all files, then each one had its own.
    assert_eq!(kept(&sandbox).into_keys().collect::<Vec<_>>(), ["t-0-0-3.stdout"]);
}

#[test]
fn any_limit_of_open_files_leads_to_a_complete_verdict_or_none() {
    let long = "head -c 3000000 /dev/zero | tr '\\\\0' ' ' | fold -w 1000";
    let config =
        format!("[tools.t]\nrun = [\"sh\", \"-c\", \"echo bad; {long}; {long} >&2\"]\nparse = \"lines\"\n");
    let sandbox = Sandbox::with_tools(&config);
    sandbox.run(&["run"], 1);
    let report = sandbox.artifact("report.json");
    let (mut reasons, mut has_run) = (String::new(), 0);
    for limit in 8.. {
        let mut command = Command::new("sh");
        // The digests of the toolchain are kept.
        let genti = format!("ulimit -n {limit}; exec \"$0\" genti run --parallel 1 --no-cache");
        command.args(["-c", &genti, env!("CARGO_BIN_EXE_cargo-genti")]);
        sandbox.scrub(&mut command);
        let _ = std::fs::remove_dir_all(sandbox.root().join("target/genti/artifacts"));
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(1) if sandbox.artifact("report.json") == report => has_run += 1,
            Some(3 | 4) => reasons.push_str(&text),
            other => panic!("limit {limit}: {other:?}: {text}"),
        }
        if has_run == 3 {
            break;
        }
    }
    for part in ["set up the run", "could not start `sh`: Too many open files"] {
        assert!(reasons.contains(part), "{part}: {reasons}");
    }
}
