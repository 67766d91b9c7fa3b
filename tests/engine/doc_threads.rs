//! Tests of the threads of doc tests: each crate uses the job tokens that are free when its rustdoc starts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::process::wait_until;
use crate::support::{Sandbox, disabled};

/// Creates a workspace with the libraries `a` and `b`, each with a doc test that writes its number of threads to a file
/// next to the workspace. The one of `a` then waits for the file `go`.
fn documented(config: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "workspace");
    sandbox.write("genti.toml", &format!("{}{config}", disabled(&["fmt", "clippy", "doc", "test"])));
    sandbox.write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"2\"\n");
    let _ = std::fs::remove_file(sandbox.root().join("Cargo.lock"));
    std::fs::remove_dir_all(sandbox.root().join("src")).unwrap();
    let beside = sandbox.beside().display();
    for (name, more) in [("a", "while !dir.join(\"go\").exists() { std::thread::sleep(pause); }"), ("b", "")]
    {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        sandbox.write(&format!("{name}/Cargo.toml"), &manifest);
        let code = format!(
            "//! ```\n\
             //! let dir = std::path::Path::new({:?});\n\
             //! let pause = std::time::Duration::from_millis(10);\n\
             //! std::fs::write(dir.join(\"new-{name}\"), std::env::var(\"RUST_TEST_THREADS\").unwrap()).unwrap();\n\
             //! std::fs::rename(dir.join(\"new-{name}\"), dir.join(\"threads-{name}\")).unwrap();\n\
             //! {more}\n\
             //! ```\n",
            beside.to_string()
        );
        sandbox.write(&format!("{name}/src/lib.rs"), &code);
    }
    sandbox
}

fn threads(sandbox: &Sandbox, name: &str) -> String {
    std::fs::read_to_string(sandbox.beside().join(format!("threads-{name}"))).unwrap()
}

fn touch(path: &Path) {
    std::fs::write(path, "").unwrap();
}

#[test]
fn doc_tests_use_a_token_that_becomes_free_while_those_of_another_crate_run() {
    // `hold` has a token while the doc tests of `a` start. `early` makes sure that it has started, in the lane of
    // `test-build`, because otherwise that and `early` could hold both tokens.
    let config = "[tools.hold]\nrun = [\"sh\", \"-c\", \"touch ../held; until test -e ../threads-a; do sleep 0.02; done\"]\n\
                  [tools.early]\nrun = [\"sh\", \"-c\", \"until test -e ../held; do sleep 0.02; done\"]\nlane = \"build\"\n\
                  [tools.doctest]\nneeds = [\"early\", \"test-build\"]\n";
    let sandbox = documented(config);
    let run = sandbox.start(&["run", "--parallel", "2", "--message-format", "json"]);
    // The token of a step is returned before the step is reported as finished.
    let is_free = || run.tells("\"tool\":\"hold\",\"type\":\"step-finished\"");
    wait_until("the step that holds the other token to end", is_free);
    touch(&sandbox.beside().join("go"));
    sandbox.expect(&run.finish(), 0);
    assert_eq!([threads(&sandbox, "a"), threads(&sandbox, "b")], ["1", "2"]);
}

#[test]
fn doc_tests_share_an_inherited_pool_and_return_its_tokens() {
    let pool = jobserver::Client::new(1).unwrap();
    let held = pool.acquire().unwrap();
    let sandbox = documented("");
    let mut command = sandbox.command(&["run", "--parallel", "8"]);
    pool.configure(&mut command);
    let run = std::thread::spawn(move || command.output().unwrap());
    wait_until("the first doc test", || sandbox.beside().join("threads-a").exists());
    drop(held);
    touch(&sandbox.beside().join("go"));
    sandbox.expect(&run.join().unwrap(), 0);
    assert_eq!([threads(&sandbox, "a"), threads(&sandbox, "b")], ["1", "2"]);
    assert_eq!(pool.available().unwrap(), 1, "the token is back");
}

#[test]
fn the_user_decides_about_the_maximum_and_about_rustdoc() {
    let sandbox = documented("");
    touch(&sandbox.beside().join("go"));
    sandbox.run(&["run", "--parallel", "3"], 0);
    assert_eq!([threads(&sandbox, "a"), threads(&sandbox, "b")], ["3", "3"]);
    let ids = || sandbox.lines("task").iter().map(|task| task["task_id"].clone()).collect::<Vec<_>>();
    let before = ids();

    let own = sandbox.beside().join("own-rustdoc");
    std::fs::write(&own, "#!/bin/sh\necho called >> \"${0%/*}/log\"\nexec rustdoc \"$@\"\n").unwrap();
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
    let calls = || std::fs::read_to_string(sandbox.beside().join("log")).unwrap_or_default().lines().count();
    let mut command = sandbox.command(&["run", "--parallel", "3"]);
    command.env("RUSTDOC", &own).env("RUST_TEST_THREADS", "2");
    sandbox.expect(&command.output().unwrap(), 0);
    assert_eq!(([threads(&sandbox, "a"), threads(&sandbox, "b")], calls()), (["2".into(), "2".into()], 2));
    assert_eq!(ids(), before);

    sandbox.write(".cargo/config.toml", &format!("[build]\nrustdoc = {:?}\n", own.display().to_string()));
    sandbox.run(&["run", "--parallel", "1"], 0);
    assert_eq!(([threads(&sandbox, "a"), threads(&sandbox, "b")], calls()), (["1".into(), "1".into()], 4));
}

#[test]
fn a_rustdoc_that_crashes_is_reported_as_without_the_wrapper() {
    let sandbox = documented("");
    touch(&sandbox.beside().join("go"));
    let own = sandbox.beside().join("own-rustdoc");
    std::fs::write(&own, "#!/bin/sh\nkill -9 $$\n").unwrap();
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = sandbox.command(&["run"]);
    command.env("RUSTDOC", &own);
    sandbox.expect(&command.output().unwrap(), 3);
    let kept = std::fs::read_dir(sandbox.root().join("target/genti/output")).unwrap();
    let kept: String = kept.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(kept.contains("signal: 9"), "{kept}");
    let report = String::from_utf8(sandbox.artifact("report.json")).unwrap();
    assert!(!report.contains("genti-rustdoc"), "{report}");
}
