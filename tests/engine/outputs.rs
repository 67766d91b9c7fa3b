//! Tests that a test and the programs it runs belong to the same build, whatever else builds before it or at the
//! same time.

use crate::support::{Sandbox, disabled, is_full};

/// Creates a package with a program that prints how it was built, and a test that runs it after `wait`. `config`
/// adds tools.
fn package(wait: &str, config: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    for path in ["build.rs", "examples/twice.rs"] {
        std::fs::remove_file(sandbox.root().join(path)).unwrap();
    }
    let manifest = std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap();
    sandbox.write("Cargo.toml", &format!("{manifest}\n[features]\nfast = []\n"));
    let says = "if cfg!(feature = \"fast\") { \"fast\" } else { \"plain\" }";
    sandbox.write(
        "src/main.rs",
        &format!("//! Says how it was built.\n\nfn main() {{\n    println!(\"{{}}\", {says});\n}}\n"),
    );
    sandbox.write(
        "tests/greets.rs",
        &format!(
            "//! Runs the program.\n\n#[test]\nfn it_runs_what_was_built_with_it() {{\n    {wait}\n    \
             let output = std::process::Command::new(env!(\"CARGO_BIN_EXE_clean\")).output().unwrap();\n    \
             assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), {says});\n}}\n"
        ),
    );
    let builtin = disabled(&["fmt", "clippy", "doc", "doctest"]);
    sandbox.write("genti.toml", &format!("{builtin}{config}"));
    sandbox
}

const SLOW: &str = "std::thread::sleep(std::time::Duration::from_millis(400));";

/// Configures a tool that builds the same program differently.
fn fast(rest: &str) -> String {
    format!("[tools.fast]\nrun = ['cargo', 'build', '--features', 'fast']\ncache = false\n{rest}\n")
}

#[test]
fn another_build_does_not_replace_a_program_that_a_test_runs() {
    let ways = [("2", "one"), ("4", "lanes"), ("1", "one"), ("2", "shared")];
    let ways = if is_full() { &ways[..] } else { &ways[..2] };
    let seeds = if is_full() { &["0", "1", "2"][..] } else { &["0"] };
    for rest in ["inherit-env = true\nlane = 'build'", "inherit-env = true", "lane = 'build'"] {
        let sandbox = package(SLOW, &fast(rest));
        for &(parallel, dir) in ways {
            for seed in seeds {
                sandbox.run(&["run", "--parallel", parallel, "--build-dir", dir, "--seed", seed], 0);
            }
        }
    }
}

#[test]
fn verify_passes_for_every_order_and_parallelism() {
    let sandbox = package(SLOW, &fast("inherit-env = true\nlane = 'build'"));
    sandbox.run(&["verify", "--runs", "4"], 0);
}

#[test]
fn each_of_two_builds_has_its_own_tests() {
    let config = "[tools.build-fast]\nrun = ['cargo', 'build', '{selection}', '--tests', '--keep-going', '--message-format=json', '--features', 'fast']\n\
                  parse = 'cargo-build'\nlane = 'build'\ninherit-env = true\njobserver = true\n\
                  [tools.test-fast]\nrun = ['{executable}']\nparse = 'libtest'\nneeds = ['build-fast']\n";
    let sandbox = package(SLOW, config);
    for (parallel, seed) in [("1", "0"), ("1", "1"), ("2", "0"), ("2", "3")] {
        sandbox.run(&["run", "--parallel", parallel, "--build-dir", "one", "--seed", seed], 0);
        let of = |tool: &str| sandbox.lines("task").iter().filter(|task| task["tool"] == tool).count();
        assert!(of("test") > 0 && of("test") == of("test-fast"));
    }
}

/// A test that waits for the other build on its first run.
const WAITS: &str = "std::fs::write(\"../started\", \"\").unwrap();\n    \
                     while !std::path::Path::new(\"../replaced\").exists() {\n        \
                     std::thread::sleep(std::time::Duration::from_millis(10));\n    }";

/// A build not known to genti, in the directory of the tests.
fn stranger(then: &str) -> String {
    format!(
        "[tools.stranger]\nrun = ['sh', '-c', 'until test -e ../started; do sleep 0.01; done; \
         cargo build --features fast --target-dir target/genti/build; {then}']\ncache = false\n"
    )
}

#[test]
fn a_program_replaced_during_a_test_is_rebuilt_and_the_test_runs_again() {
    let sandbox = package(WAITS, &stranger("touch ../replaced"));
    sandbox.run(&["run", "--parallel", "2", "--build-dir", "one"], 0);
    let tasks = sandbox.lines("task");
    let test = tasks.iter().find(|task| task["unit"] == "tests/greets.rs").unwrap();
    assert_eq!(test["timing"]["attempts"], 2, "{test}");
}

#[test]
fn a_test_whose_program_keeps_being_replaced_has_no_verdict() {
    let sandbox = package("std::fs::write(\"../started\", \"\").unwrap();", "");
    let own = "let own = std::path::Path::new(env!(\"CARGO_BIN_EXE_clean\")); let copy = std::fs::read(own).unwrap(); \
               std::fs::remove_file(own).unwrap(); std::fs::write(own, copy).unwrap();";
    sandbox.edit("tests/greets.rs", "std::fs::write(\"../started\", \"\").unwrap();", own);
    let text = sandbox.run(&["run"], 3);
    assert!(text.contains("another build replaced `clean` while the tests ran; run again"), "{text}");
    let tasks = sandbox.lines("task");
    let test = tasks.iter().find(|task| task["unit"] == "tests/greets.rs").unwrap();
    assert_eq!(test["status"], "input-changed");
}
