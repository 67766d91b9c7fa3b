//! Tests that build scripts respect the job limit and write only to `OUT_DIR`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::support::{Package, as_read_only, text, tree};

#[test]
fn a_script_never_has_more_workers_than_jobs() {
    for jobs in [1, 2] {
        let package = Package::of("build-rust", "package");
        let mut build = package.cargo(&["build", &format!("-j{jobs}")]);
        let seen = package.run(build.env("FIXTURE_MILLIS", "4").env("FIXTURE_MEET", jobs.to_string()));
        assert_eq!(seen.generated.len(), 200);
        assert_eq!(seen.at_once, jobs);
    }
}

#[test]
fn two_builds_started_by_make_share_its_jobs() {
    let package = Package::of("build-rust", "package");
    let makefile = "all: one two\none two:\n\t+CARGO_TARGET_DIR=$(TARGETS)/$@ $(CARGO) build\n";
    package.write("Makefile", makefile);
    let mut make = Command::new("make");
    package.scrub(&mut make);
    make.arg("-j2").arg(format!("CARGO={}", env!("CARGO")));
    make.arg(format!("TARGETS={}", package.beside("target").display()));
    // The first build waits for the other one, so each must have at least one job.
    let output = make.env("FIXTURE_MILLIS", "4").env("FIXTURE_MEET", "2").output().unwrap();
    let (seen, printed) = (package.seen(), text(&output));
    assert!(output.status.success(), "{printed}");
    // Make checks at its end that all tokens were returned.
    assert!(!printed.contains("jobserver tokens"), "{printed}");
    assert_eq!(seen.generated.len(), 400);
    assert_eq!(seen.at_once, 2);
}

#[test]
fn without_a_jobserver_num_jobs_is_the_limit() {
    let package = Package::of("build-rust", "package");
    package.build();
    for (jobs, expected) in [(Some("1"), 1), (Some("3"), 3), (Some("nonsense"), 1), (None, 1)] {
        let out = package.beside(&format!("out-{jobs:?}"));
        let mut script = package.script(&out);
        script.env("FIXTURE_MILLIS", "2").env("FIXTURE_MEET", expected.to_string());
        if let Some(jobs) = jobs {
            script.env("NUM_JOBS", jobs);
        }
        assert_eq!(package.run(&mut script).at_once, expected, "{jobs:?}");
    }
    // If the jobserver can't be reached, others may be using it, so only our own slot may be used.
    let mut script = package.script(&package.beside("out-broken"));
    script.env("CARGO_MAKEFLAGS", "-j8 --jobserver-auth=fifo:/nowhere/fifo").env("NUM_JOBS", "8");
    script.env("FIXTURE_MILLIS", "2");
    let _ = std::fs::remove_file(package.beside("log"));
    let output = script.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.starts_with("cargo:warning=genti: cannot use the jobserver, so nothing runs in parallel"),
        "{printed}"
    );
    assert_eq!((package.seen().generated.len(), package.seen().at_once), (200, 1));
}

#[test]
fn nothing_outside_of_out_dir_is_written() {
    let package = Package::of("build-rust", "package");
    package.build();
    let expected = tree(&package.out_dir());
    let (out, home) = (package.beside("out"), package.beside("home"));
    std::fs::create_dir_all(home.join("tmp")).unwrap();
    std::fs::write(home.join("file"), "").unwrap();
    set_writable(&package.root, false);
    set_writable(&home, false);
    let before = [times(&package.root), times(&home)];

    let mut script = package.script(&out);
    script.env("HOME", &home).env("TMPDIR", home.join("tmp")).env("NUM_JOBS", "4").env_remove("FIXTURE_LOG");
    // Root may write anywhere, so mount the source tree read-only.
    let mut script = as_read_only(&script, &package.root).unwrap_or(script);
    package.run(&mut script);
    assert_eq!(tree(&out), expected);
    assert_eq!([times(&package.root), times(&home)], before);
    set_writable(&package.root, true);
    set_writable(&home, true);
}

/// Returns the modification times of all files and directories below `dir`. The time of a directory changes when an entry is
/// added or removed.
fn times(dir: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut times = BTreeMap::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
        times.insert(path, changed);
    }
    times
}

fn set_writable(dir: &Path, is_writable: bool) {
    let mode = if is_writable { "u+w" } else { "a-w" };
    let output = Command::new("chmod").args(["-R", mode]).arg(dir).output().unwrap();
    assert!(output.status.success());
}
