//! What no tool of a run tests, and blind spots in runs that are not whole.

use crate::empty_green::{blind_spots, own_findings};
use crate::support::{Sandbox, disabled};

const TESTED: &str = "\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn works() {}\n}\n";

/// Only the tools of `config`, of those that this is not about.
fn without(tools: &[&str], config: &str) -> String {
    format!("{}{config}", disabled(tools))
}

#[test]
fn tests_that_no_tool_is_to_run_are_blind_spots() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.edit(
        "Cargo.toml",
        "[workspace]",
        "[[bin]]\nname = \"clean\"\npath = \"src/main.rs\"\ntest = false\n\n[workspace]",
    );
    for path in ["src/main.rs", "examples/twice.rs"] {
        let text = std::fs::read_to_string(sandbox.root().join(path)).unwrap();
        sandbox.write(path, &format!("{text}{TESTED}"));
    }
    sandbox.write("genti.toml", "[tools.test]\nexclude = [\"tests/**\"]\n");
    sandbox.run(&["run"], 0);
    assert_eq!(
        blind_spots(&sandbox),
        [
            "untested-target examples/twice.rs: `clean::example/twice`: no tool runs its tests (cargo does if the example \
             has `test = true`)",
            "untested-target src/main.rs: `clean::bin/clean`: no tool runs its tests (`test = false`)",
            "untested-target tests/greets.rs: `clean::greets`: no tool runs its tests",
        ]
    );
}

#[test]
fn where_no_tool_runs_tests_each_target_with_tests_is_a_blind_spot() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("genti.toml", &without(&["test", "doctest", "doc"], ""));
    sandbox.run(&["run"], 0);
    let all = [
        "untested-target src/lib.rs: `clean`: no tool runs its doc tests",
        "untested-target src/lib.rs: `clean`: no tool runs its tests",
        "untested-target tests/greets.rs: `clean::greets`: no tool runs its tests",
    ];
    assert_eq!(blind_spots(&sandbox), all);
    // Tests of a tool that does not report them are not known.
    let own = "[tools.own]\nrun = [\"true\", \"test\"]\n";
    sandbox.write("genti.toml", &without(&["test", "doctest", "doc"], own));
    sandbox.run(&["run"], 0);
    assert_eq!(blind_spots(&sandbox), Vec::<String>::new());
    // One that says it is believed for what it says.
    let own = "[tools.own]\nrun = [\"cargo\", \"test\", \"--lib\"]\nparse = \"libtest\"\ninherit-env = true\nlane = \"build\"\n";
    sandbox.write("genti.toml", &without(&["test", "doctest", "doc"], own));
    sandbox.run(&["run"], 0);
    assert_eq!(blind_spots(&sandbox), [all[0], all[2]]);
}

#[test]
fn a_target_whose_tests_another_tool_runs_is_not_empty() {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.edit("Cargo.toml", "[workspace]", "[features]\nextra = []\n\n[workspace]");
    sandbox.write("tests/off.rs", "//! Off.\n#![cfg(feature = \"extra\")]\n\n#[test]\nfn works() {}\n");
    sandbox.write("genti.toml", &without(&["doc", "doctest"], ""));
    sandbox.run(&["run"], 1);
    assert_eq!(own_findings(&sandbox), ["empty-test-target tests/off.rs"]);
    let full = "[tools.full]\nrun = [\"cargo\", \"test\", \"--tests\", \"--all-features\"]\nparse = \"libtest\"\n\
                inherit-env = true\nlane = \"build\"\n";
    sandbox.write("genti.toml", &without(&["doc", "doctest"], full));
    sandbox.run(&["run"], 0);
    assert_eq!(own_findings(&sandbox), Vec::<String>::new());
}

#[test]
fn a_package_that_does_not_compile_hides_no_blind_spot_of_the_others() {
    let sandbox = Sandbox::of("members", "w");
    sandbox.write("genti.toml", &without(&["doc", "doctest", "test"], ""));
    let feature = "edition = \"2024\"\n\n[features]\nextra = []\n";
    for package in ["core", "util"] {
        sandbox.edit(&format!("{package}/Cargo.toml"), "edition = \"2024\"\n", feature);
        sandbox.write(&format!("{package}/src/orphan.rs"), "this does not parse(\n");
    }
    sandbox.write("util/benches/needs.rs", "//! Does not compile.\n\nfn main() {\n    missing();\n}\n");
    sandbox.run(&["run"], 3);
    assert_eq!(
        blind_spots(&sandbox),
        [
            "unseen-file core/src/orphan.rs: neither compiled nor formatted by any tool",
            "unseen-file util/src/orphan.rs: neither compiled nor formatted by any tool",
            "untested-target core/src/lib.rs: `core-numbers`: no tool runs its doc tests",
            "untested-target util/src/lib.rs: `util`: no tool runs its doc tests",
            "unused-feature core/Cargo.toml: no tool enabled the feature `extra` of `core-numbers`",
        ]
    );
}

#[test]
fn denied_blind_spots_of_left_out_paths_are_accepted_and_get_stale() {
    let sandbox = Sandbox::with_tools("[policy]\nblind-spots = \"deny\"\n[tools.own]\nrun = [\"true\"]\n");
    sandbox.write("extra/Cargo.toml", "[package]\nname = \"extra\"\n[workspace]\n");
    sandbox.edit("Cargo.toml", "[workspace]", "[workspace]\nexclude = [\"extra\"]");
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n";
    sandbox.write("made/CACHEDIR.TAG", tag);
    sandbox.write("made/c.md", "not seen\n");
    sandbox.run(&["run"], 1);
    assert_eq!(own_findings(&sandbox), ["other-workspace extra/Cargo.toml", "left-out made"]);
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    // A second directory is new, and the accepted one is not taken for it.
    sandbox.write("also/CACHEDIR.TAG", tag);
    sandbox.run(&["check"], 1);
    std::fs::remove_dir_all(sandbox.root().join("also")).unwrap();
    std::fs::remove_dir_all(sandbox.root().join("made")).unwrap();
    let shown = sandbox.run(&["check"], 1);
    assert!(shown.contains("1 accepted finding is fixed"), "{shown}");
}

#[test]
fn a_run_without_some_members_denies_nothing_and_calls_nothing_fixed() {
    let sandbox = Sandbox::of("members", "w");
    let config = "[policy]\nblind-spots = \"deny\"\n";
    sandbox.write("genti.toml", &without(&["doc", "doctest", "test", "clippy"], config));
    sandbox.write("app/src/orphan.rs", "this does not parse(\n");
    sandbox.run(&["baseline", "init"], 0);
    let before = sandbox.baseline("genti");
    assert!(before.contains("app/src/orphan.rs"), "{before}");
    let shown = sandbox.run(&["run", "--exclude", "app"], 0);
    assert_eq!(blind_spots(&sandbox), ["unseen-package app/Cargo.toml: `app` is not selected"]);
    assert!(!shown.contains("fixed"), "{shown}");
    sandbox.run(&["check", "--partial", "--exclude", "app"], 0);
    // As a gate, it is another one than the configured.
    sandbox.run(&["check", "--exclude", "app"], 5);
    sandbox.run(&["baseline", "update", "--exclude", "app"], 0);
    assert_eq!(sandbox.baseline("genti"), before);
    // A finding of the whole run, though a member is on the list.
    sandbox.run(&["check"], 0);
}

#[test]
fn an_index_of_git_that_cannot_be_read_is_a_blind_spot() {
    let sandbox = Sandbox::with_tools("[tools.own]\nrun = [\"true\"]\n");
    sandbox.commit_all();
    sandbox.write(".gitignore", "target\nignored\n");
    sandbox.write("ignored/a.md", "not tracked\n");
    sandbox.run(&["run"], 0);
    assert_eq!(blind_spots(&sandbox), Vec::<String>::new());
    sandbox.write(".git/index", "DIRC no index");
    let expected =
        ["left-out .: git's index can't be read, so tracked files that an ignore rule matches are skipped"];
    for args in [&["run"][..], &["run"], &["check"], &["run", "--no-cache"]] {
        sandbox.run(args, 0);
        assert_eq!(blind_spots(&sandbox), expected, "{args:?}");
    }
    sandbox.edit("genti.toml", "[tools.own]", "[policy]\nblind-spots = \"deny\"\n[tools.own]");
    sandbox.run(&["check"], 1);
    assert_eq!(own_findings(&sandbox), ["left-out ."]);
    std::fs::remove_file(sandbox.root().join(".git/index")).unwrap();
    sandbox.run(&["check"], 0);
}
