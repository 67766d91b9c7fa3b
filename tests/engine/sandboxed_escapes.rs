//! Ways in which a test could depend on something that is not in the key of its result. None of them leads to a cached pass.
//! `observed.rs` has those for which a process is enough.
#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;

use fs4::FileExt;

use crate::sandboxed_tests::{check_with, failed, with_programs};

#[test]
fn no_escape_leads_to_a_cached_pass() {
    let programs = [
        (
            "cargo_home",
            "let home = std::env::var(\"CARGO_HOME\").unwrap(); assert!(std::fs::read(home + \"/credentials.toml\").map_or(true, |text| text != b\"bad\"));",
        ),
        (
            "git",
            "assert!(std::process::Command::new(\"git\").args([\"rev-parse\", \"main\"]).output().unwrap().status.success());",
        ),
        (
            "glob",
            "for entry in std::fs::read_dir(\"../../beside\").into_iter().flatten().flatten() { assert_ne!(entry.file_name(), \"bad\"); }",
        ),
        ("left", "assert!(!std::path::Path::new(env!(\"CARGO_TARGET_TMPDIR\")).join(\"bad\").exists());"),
        (
            "leaves",
            "std::fs::write(std::path::Path::new(env!(\"CARGO_TARGET_TMPDIR\")).join(\"left\"), \"\").unwrap();",
        ),
        ("program", "if std::process::Command::new(\"some-tool\").status().is_ok() { panic!() }"),
        (
            "script",
            "let run = std::process::Command::new(\"sh\").args([\"-c\", \". ../data/run.sh\"]).status(); assert!(run.unwrap().success());",
        ),
        ("through", "assert_ne!(std::fs::read(\"../data/link/bad\").unwrap_or_default(), b\"bad\");"),
    ];
    let Some(sandbox) = with_programs(&programs) else { return };
    for (path, text) in [
        ("../home/credentials.toml", "good"),
        ("../beside/good", ""),
        ("../bin/other", ""),
        ("../elsewhere/good", ""),
        ("data/run.sh", ". ../data/more.sh\n"),
        ("data/more.sh", "exit 0\n"),
    ] {
        sandbox.write(path, text);
    }
    std::os::unix::fs::symlink("../../elsewhere", sandbox.root().join("data/link")).unwrap();
    let at = |path: &str| sandbox.root().join(path).display().to_string();
    let path = format!("{}:{}", at("../bin"), std::env::var("PATH").unwrap());
    let home = at("../home");
    let vars = [("PATH", &*path), ("CARGO_HOME", &*home)];
    let never = ["cargo_home", "git", "glob", "leaves", "left"];
    let all = ["cargo_home", "git", "glob", "leaves", "left", "lib", "program", "script", "through"];
    check_with(&sandbox, &vars, 0, &all);
    check_with(&sandbox, &vars, 0, &never);
    let change = |path: &str, text: &str, expected: &str| {
        sandbox.write(path, text);
        if path.ends_with("some-tool") {
            std::fs::set_permissions(sandbox.root().join(path), PermissionsExt::from_mode(0o755)).unwrap();
        }
        let runs: Vec<_> = never
            .iter()
            .copied()
            .chain([expected].into_iter().filter(|name| !never.contains(name)))
            .collect();
        check_with(&sandbox, &vars, 1, &runs);
        assert_eq!(failed(&sandbox), [expected.to_owned()].into(), "{path}");
    };
    change("../home/credentials.toml", "bad", "cargo_home");
    std::fs::write(at("../home/credentials.toml"), "good").unwrap();
    change("../beside/bad", "", "glob");
    std::fs::remove_file(at("../beside/bad")).unwrap();
    change("target/genti/build/tmp/bad", "", "left");
    std::fs::remove_file(at("target/genti/build/tmp/bad")).unwrap();
    change("../bin/some-tool", "#!/bin/sh\n", "program");
    std::fs::remove_file(at("../bin/some-tool")).unwrap();
    change("data/more.sh", "exit 1\n", "script");
    std::fs::write(at("data/more.sh"), "exit 0\n").unwrap();
    change("../elsewhere/bad", "bad", "through");
}

/// Waits for locks that the test of genti holds, so that directories are exchanged exactly while it runs.
const WAITING: &str = "
    let file = |name: &str| std::fs::File::open(format!(\"../data/{name}\")).unwrap();
    let started = file(\"started\");
    started.lock().unwrap();
    file(\"exchanged\").lock().unwrap();
    assert_eq!(std::fs::read_to_string(\"../data/dir/file\").unwrap(), \"other\");
    started.unlock().unwrap();
    file(\"restored\").lock().unwrap();";

#[test]
fn a_fixture_that_another_process_exchanged_for_a_moment_is_no_input() {
    let Some(sandbox) = with_programs(&[("waiting", WAITING)]) else { return };
    for (path, text) in
        [("dir/file", "this"), ("aside/file", "other"), ("started", ""), ("exchanged", ""), ("restored", "")]
    {
        sandbox.write(&format!("data/{path}"), text);
    }
    // A file that is listed while its directory is moved would be one that changed.
    sandbox.write(".gitignore", "target\ndata\n");
    let at = |name: &str| sandbox.root().join("data").join(name);
    let lock = |name: &str| {
        let file = std::fs::File::open(at(name)).unwrap();
        FileExt::lock(&file).unwrap();
        file
    };
    let exchange = || {
        for (from, to) in [("dir", "moved"), ("aside", "dir"), ("moved", "aside")] {
            std::fs::rename(at(from), at(to)).unwrap();
        }
    };
    // Once to build the program.
    let (exchanged, restored) = (lock("exchanged"), lock("restored"));
    let running = std::thread::scope(|scope| {
        let run = scope.spawn(|| check_with(&sandbox, &[], 0, &["lib", "waiting"]));
        let started = std::fs::File::open(at("started")).unwrap();
        // The program has begun when it holds this lock.
        while FileExt::try_lock(&started).is_ok() {
            FileExt::unlock(&started).unwrap();
            assert!(!run.is_finished());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        exchange();
        drop(exchanged);
        // It has read the file when it gives it back.
        FileExt::lock(&started).unwrap();
        exchange();
        drop(restored);
        run.join().unwrap()
    });
    let text = sandbox.run(&["explain", "test"], 0);
    assert!(
        text.contains("not cached: it looks at something in a directory that changed during the run"),
        "{text}\n{running}"
    );
    // With the directories in their places, it fails.
    check_with(&sandbox, &[], 1, &["waiting"]);
}
