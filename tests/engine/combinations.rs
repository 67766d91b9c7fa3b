//! Tests of variants with combinations of features, in tools that run tests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::filters::has_nextest;
use crate::support::{Sandbox, disabled};

const MANIFEST: &str = "
[features]
a = []
b = ['a']
";

/// Its doc test fails with `b`.
const LIBRARY: &str = "//! Has features.

/// Is empty.
///
/// ```
/// assert!(!cfg!(feature = \"b\"));
/// ```
pub struct Empty;

#[cfg(feature = \"a\")]
#[test]
fn passes_with_a() {}
";

/// A program that says what it was built with.
const PROGRAM: &str = "//! Prints its features.
fn main() {
    println!(\"{} {}\", cfg!(feature = \"a\"), cfg!(feature = \"b\"));
}
";

/// Its tests see whether the program was built with other features than they were.
const TESTS: &str = "//! Tests the program.
#[test]
fn the_program_has_the_same_features() {
    let output = std::process::Command::new(env!(\"CARGO_BIN_EXE_clean\")).output().unwrap();
    let expected = format!(\"{} {}\\n\", cfg!(feature = \"a\"), cfg!(feature = \"b\"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[cfg(feature = \"b\")]
#[test]
fn fails_with_b() {
    panic!(\"with b\");
}
";

/// A package whose features are combined for `tool`, which has these `keys`.
fn combined(tool: &str, keys: &str) -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    for dir in ["examples", "src", "tests"] {
        std::fs::remove_dir_all(sandbox.root().join(dir)).unwrap();
    }
    std::fs::remove_file(sandbox.root().join("build.rs")).unwrap();
    let manifest = sandbox.text("Cargo.toml");
    sandbox.write("Cargo.toml", &format!("{manifest}{MANIFEST}"));
    sandbox.write("src/lib.rs", LIBRARY);
    sandbox.write("src/main.rs", PROGRAM);
    sandbox.write("tests/it.rs", TESTS);
    let off: Vec<_> =
        ["fmt", "clippy", "doc", "test", "doctest"].into_iter().filter(|one| *one != tool).collect();
    let config =
        format!("[variants.each]\neach-feature = true\n[tools.{tool}]\nvariants = [\"each\"]\n{keys}\n");
    sandbox.write("genti.toml", &format!("{config}{}", disabled(&off)));
    sandbox
}

/// Returns the status of each task by its unit.
fn tasks(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    sandbox.lines("task").iter().map(|task| (text(&task["unit"]), text(&task["status"]))).collect()
}

fn expected(of: [(&str, &str); 3]) -> BTreeMap<String, String> {
    of.into_iter().map(|(features, status)| (format!(". {features}"), status.to_owned())).collect()
}

const NONE: &str = "--no-default-features";

/// Returns the findings by subject, with the variants that found them, and checks their state.
fn subjects(sandbox: &Sandbox, state: &str) -> BTreeSet<String> {
    let report = sandbox.json("report.json");
    let one = |one: &Value| {
        assert_eq!(one["state"], state, "{one}");
        one["subject"].as_str().unwrap_or_default().to_owned()
    };
    report["findings"].as_array().unwrap().iter().map(one).collect()
}

fn census(sandbox: &Sandbox, tool: &str) -> Value {
    let report = sandbox.json("report.json");
    let mut tools = report["tools"].as_array().unwrap().iter();
    tools.find(|one| one["name"] == tool).unwrap()["census"]["tests"].clone()
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_tests_of_each_combination_of_features_run_with_the_programs_of_that_combination() {
    let sandbox = combined("test", "");
    let config = sandbox.text("genti.toml");
    let text = sandbox.run(&["run", "--parallel", "8"], 1);
    let found = [(NONE, "clean"), ("--features a", "clean"), ("--features b", "findings")];
    assert_eq!(tasks(&sandbox), expected(found), "{text}");
    assert_eq!(subjects(&sandbox, "new"), names(&["clean::it fails_with_b"]));
    // Each combination counts: 1, 2 and 3 tests, and the program has none.
    let counts = census(&sandbox, "test@each");
    assert_eq!((&counts["run"], &counts["failed"]), (&6.into(), &1.into()), "{text}");
    let spots = |sandbox: &Sandbox| {
        let report = sandbox.json("report.json");
        let spots = report["blind_spots"].as_array().unwrap().iter();
        spots.map(|spot| spot["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(spots(&sandbox), ["`clean`: no tool runs its doc tests"]);
    // Nothing is built that no tool runs.
    let report = sandbox.json("report.json");
    let tools: Vec<_> = report["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(tools, ["test@each"]);

    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    assert_eq!(subjects(&sandbox, "unchanged").len(), 1);
    assert!(sandbox.baseline("test").contains(r#""in_variants":["each"]"#));
    sandbox.edit("tests/it.rs", "panic!(\"with b\");", "");
    sandbox.run(&["run"], 0);
    assert_eq!(sandbox.json("report.json")["gone"][0]["state"], "fixed");
    // Features that only tests enable are enabled.
    sandbox.edit("genti.toml", "[tools.clippy]\nenabled = false", "");
    sandbox.run(&["run"], 0);
    assert_eq!(spots(&sandbox), ["`clean`: no tool runs its doc tests"]);
    sandbox.edit("genti.toml", "[tools.test]\nvariants = [\"each\"]", "[tools.test]");
    sandbox.edit("genti.toml", "[variants.each]\neach-feature = true", "");
    sandbox.run(&["run"], 1);
    assert_eq!(spots(&sandbox).len(), 3);
    sandbox.write("genti.toml", &config);
    // A combination that does not compile is incomplete, and says which it is.
    sandbox.write(
        "tests/other.rs",
        "//! Other.\n#[cfg(all(feature = \"a\", not(feature = \"b\")))]\ncompile_error!(\"a alone\");\n",
    );
    let text = sandbox.run(&["run"], 3);
    assert!(text.contains("with `--features a`"), "{text}");
    assert_eq!(tasks(&sandbox)[". --features a"], "incomplete");
}

#[test]
fn arguments_names_and_retries_are_those_of_the_tests_in_each_combination() {
    let sandbox = combined("test", "args = [\"--test-threads=1\", \"--skip\", \"fails\"]\nretries = 1");
    sandbox.run(&["run"], 0);
    let counts = census(&sandbox, "test@each");
    assert_eq!((&counts["run"], &counts["filtered_out"]), (&5.into(), &1.into()));
    sandbox.run(&["run", "--tool", "test", "--", "passes_with"], 0);
    assert_eq!(census(&sandbox, "test@each")["run"], 2);
    let text = sandbox.run(&["run", "--tool", "test", "--", "no_such"], 3);
    assert!(text.contains("no test matches `no_such`"), "{text}");

    // The tests of a combination run again together.
    let flaky = "//! Passes the second time.\n#[test]\nfn flaky() {\n    let path = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../ran\");\n    \
                 let has_run = std::fs::write(path, \"\").is_err() || std::fs::exists(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../again\")).unwrap();\n    \
                 std::fs::write(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../again\"), \"\").unwrap();\n    assert!(has_run);\n}\n";
    sandbox.write("tests/flaky.rs", flaky);
    let text = sandbox.run(&["run"], 0);
    let report = sandbox.json("report.json");
    let rules: Vec<_> =
        report["findings"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["flaky"], "{text}");
}

#[test]
fn nextest_runs_the_tests_of_each_combination() {
    if !has_nextest() {
        return;
    }
    let sandbox = combined("nextest", "enabled = true");
    let text = sandbox.run(&["run"], 1);
    let found = [(NONE, "clean"), ("--features a", "clean"), ("--features b", "findings")];
    assert_eq!(tasks(&sandbox), expected(found), "{text}");
    assert_eq!(subjects(&sandbox, "new"), names(&["clean::it fails_with_b"]));
    assert_eq!(census(&sandbox, "nextest@each")["run"], 6);
    // The baseline holds for both runners.
    sandbox.run(&["baseline", "init"], 0);
    let config = sandbox.text("genti.toml").replace("[tools.test]\nenabled = false", "");
    sandbox.write("genti.toml", &config.replace("[tools.nextest]\n", "[tools.test]\n"));
    sandbox.run(&["check"], 0);
    // Where a combination has no test, there is nothing to run.
    sandbox.write("tests/it.rs", "//! Empty.\n");
    sandbox.write("genti.toml", &config);
    sandbox.run(&["run"], 0);
    assert_eq!(census(&sandbox, "nextest@each")["run"], 2);
}

#[test]
fn doc_tests_run_in_each_combination() {
    let sandbox = combined("doctest", "");
    let text = sandbox.run(&["run"], 1);
    let found = [(NONE, "clean"), ("--features a", "clean"), ("--features b", "findings")];
    assert_eq!(tasks(&sandbox), expected(found), "{text}");
    assert_eq!(subjects(&sandbox, "new"), names(&["src/lib.rs - Empty"]));
    assert_eq!(census(&sandbox, "doctest@each")["run"], 3);
}

/// Moves the package into another workspace of the repository, and builds it there in the variant `each` with everything that a
/// variant may set.
fn in_another_workspace(tool: &str, keys: &str) -> Sandbox {
    let sandbox = combined(tool, keys);
    let root = sandbox.root().to_path_buf();
    std::fs::create_dir_all(root.join("fuzz/app")).unwrap();
    for name in ["src", "tests"] {
        std::fs::rename(root.join(name), root.join("fuzz/app").join(name)).unwrap();
    }
    let manifest = sandbox.text("Cargo.toml").replace("[workspace]", "");
    sandbox.write("fuzz/app/Cargo.toml", &manifest);
    let workspace = "[workspace]\nresolver = '3'\nmembers = ['app', 'other']\n";
    sandbox
        .write("fuzz/Cargo.toml", &format!("{workspace}[profile.quick]\ninherits = 'dev'\ndebug = false\n"));
    let package = |name: &str| format!("[package]\nname = '{name}'\nversion = '0.1.0'\nedition = '2024'\n");
    sandbox.write("fuzz/other/Cargo.toml", &package("other"));
    sandbox.write("fuzz/other/src/lib.rs", "compile_error!(\"is left out\");\n");
    sandbox.write("Cargo.toml", &format!("{}[workspace]\nexclude = ['fuzz']\n", package("root")));
    sandbox.write("src/lib.rs", "//! Has no test.\n");
    let text = "\n#[test]\nfn is_built_as_configured() {\n    assert!(cfg!(special) && std::env::var_os(\"MODE\").is_some());\n    \
                assert!(std::env::current_exe().unwrap().to_str().unwrap().contains(concat!(env!(\"TRIPLE\"), \"/quick/\")));\n}\n";
    let library = sandbox.text("fuzz/app/src/lib.rs");
    sandbox.write("fuzz/app/src/lib.rs", &format!("#![allow(unexpected_cfgs)]\n{library}{text}"));
    let rustc = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let variant = format!(
        "[variants.each]\nworkspace = 'fuzz'\nexclude = ['other']\ntarget = '{host}'\ncargo-profile = 'quick'\non = ['{}']\n\
         env = {{ MODE = 'x', TRIPLE = '{host}', RUSTFLAGS = '--cfg special' }}",
        std::env::consts::OS
    );
    sandbox.edit("genti.toml", "[variants.each]", &variant);
    sandbox
}

#[test]
fn combinations_in_another_workspace_are_built_with_everything_that_the_variant_sets() {
    for (tool, keys) in [("test", ""), ("nextest", "enabled = true")] {
        if tool == "nextest" && !has_nextest() {
            continue;
        }
        let sandbox = in_another_workspace(tool, keys);
        sandbox.edit("genti.toml", "[tools.clippy]\nenabled = false", "");
        let text = sandbox.run(&["run"], 1);
        let found = [(NONE, "clean"), ("--features a", "clean"), ("--features b", "findings")];
        let found = found.map(|(features, status)| (format!("fuzz/app {features}"), status.to_owned()));
        let mut statuses: BTreeMap<_, _> = tasks(&sandbox);
        statuses.remove(".");
        assert_eq!(statuses, found.into_iter().collect(), "{tool}: {text}");
        assert_eq!(subjects(&sandbox, "new"), names(&["fuzz/clean::it fails_with_b"]));
        assert_eq!(census(&sandbox, &format!("{tool}@each"))["run"], 9, "{text}");
        // Only the package that the variant leaves out is not compiled.
        let report = sandbox.json("report.json");
        let packages: Vec<_> = report["blind_spots"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|spot| spot["kind"] != "untested-target")
            .map(|spot| spot["path"].as_str().unwrap())
            .collect();
        assert_eq!(packages, ["fuzz/other/src/lib.rs", "fuzz/other/Cargo.toml"]);
        // On another system, none of it counts.
        sandbox.edit("genti.toml", &format!("on = ['{}']", std::env::consts::OS), "on = ['haiku']");
        let text = sandbox.run(&["run"], 0);
        assert!(text.contains("skipped"), "{text}");
        let spots = sandbox.json("report.json")["blind_spots"].to_string();
        assert!(spots.contains("`fuzz/clean` is not compiled by any tool"), "{spots}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_test_programs_of_each_combination_are_cached_one_by_one() {
    let programs = [
        ("fixture", "assert_eq!(std::fs::read_to_string(\"fixtures/a.txt\").unwrap(), \"good\");"),
        ("pure", "assert_eq!(w::two(), 2);"),
    ];
    let Some(sandbox) = crate::sandboxed_tests::with_programs(&programs) else { return };
    let manifest = sandbox.text("w/Cargo.toml");
    sandbox.write("w/Cargo.toml", &format!("{manifest}\n[features]\na = []\n"));
    sandbox.write("w/fixtures/a.txt", "good");
    sandbox.edit(
        "genti.toml",
        "[tools.test]",
        "[variants.each]\neach-feature = true\n[tools.test]\nvariants = ['each']\nretries = 1",
    );
    let ran = |code: i32| {
        let text = sandbox.run(&["run"], code);
        let reasons = std::fs::read(sandbox.root().join("target/genti/explain.json")).unwrap();
        let reasons: Value = serde_json::from_slice(&reasons).unwrap();
        let mut tools = reasons["tools"].as_array().unwrap().iter();
        let ran = tools.find(|tool| tool["tool"] == "test@each").unwrap()["ran"].clone();
        let ran: Vec<_> =
            ran.as_array().unwrap().iter().map(|one| one["unit"].as_str().unwrap().to_owned()).collect();
        (ran, text)
    };
    let all = ["w fixture", "w fixture", "w pure", "w pure", "w w", "w w"];
    let (mut first, text) = ran(0);
    first.sort();
    assert_eq!(first, all, "{text}");
    let (second, text) = ran(0);
    assert!(second.is_empty() && text.contains("2 cached"), "{second:?} {text}");
    let counted = census(&sandbox, "test@each");
    assert_eq!(counted["run"], 4);
    // Only what has changed runs again, and a failure is not cached.
    sandbox.write("w/fixtures/a.txt", "bad");
    for _ in 0..2 {
        let (third, text) = ran(1);
        assert!(!third.is_empty() && third.iter().all(|one| one == "w fixture"), "{third:?} {text}");
    }
}
