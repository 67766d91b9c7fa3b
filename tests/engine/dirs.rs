//! Tests of tools that start in a directory of the workspace.

use crate::support::{Sandbox, disabled};

/// A tool in `web/app` that finds a line with "bad" in the files it is given.
const WORDS: &str = r#"
[tools.words]
dir = "web/app"
run = ["./words.sh", "{files}"]
files = ["**/*.txt"]
exclude = ["**/other.txt"]
parse = { regex = '^(?<path>.+?):(?<line>\d+): (?<message>.*)$' }
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_tools(WORDS);
    sandbox.write(
        "web/app/words.sh",
        "#!/bin/sh\nexec awk '/bad/ {print FILENAME \":\" FNR \": \" $2}' \"$@\"\n",
    );
    let script = sandbox.root().join("web/app/words.sh");
    std::fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.write("web/app/own.txt", "bad own\n");
    sandbox.write("web/shared.txt", "fine\nbad shared\n");
    sandbox.write("top.txt", "bad top\n");
    sandbox
}

#[test]
fn paths_of_a_tool_are_seen_from_its_directory() {
    let sandbox = sandbox();
    sandbox.run(&["run"], 1);
    let expected = ["new words top.txt:1", "new words web/app/own.txt:1", "new words web/shared.txt:2"];
    assert_eq!(sandbox.findings(), expected);
    // What differs from a tool without `dir` is part of the ids.
    let id = |sandbox: &Sandbox| sandbox.lines("task")[0]["task_id"].clone();
    let before = id(&sandbox);
    sandbox.edit("genti.toml", "dir = \"web/app\"\nrun = [\"./words.sh\"", "run = [\"web/app/words.sh\"");
    sandbox.run(&["run"], 1);
    assert_eq!(sandbox.findings(), expected);
    assert_ne!(id(&sandbox), before);
}

#[test]
fn what_a_tool_reads_from_its_directory_is_part_of_its_cached_results() {
    let sandbox = sandbox();
    let cached = |sandbox: &Sandbox| {
        sandbox.run(&["run"], 1);
        sandbox.lines("task").iter().all(|task| task["timing"]["cache"] == "hit")
    };
    assert!(!cached(&sandbox));
    assert!(cached(&sandbox));
    // Its program is below its directory.
    sandbox.edit("web/app/words.sh", "$2", "$1 $2");
    assert!(!cached(&sandbox));
    assert!(cached(&sandbox));
    // So is a file that its command line names, and one it searches for where it starts.
    sandbox.edit("genti.toml", "\"{files}\"]", "\"rules.conf\", \"{files}\"]\nsearches = [\"./.wordsrc\"]");
    sandbox.write("web/app/rules.conf", "");
    assert!(!cached(&sandbox));
    assert!(cached(&sandbox));
    sandbox.write("web/app/rules.conf", "\n");
    assert!(!cached(&sandbox));
    sandbox.write("web/app/.wordsrc", "\n");
    assert!(!cached(&sandbox));
    assert!(cached(&sandbox));
    // The same names in the root are other files.
    sandbox.write("rules.conf", "\n");
    sandbox.write(".wordsrc", "\n");
    assert!(cached(&sandbox));
}

#[test]
fn a_directory_that_does_not_exist_leaves_the_tool_without_a_result() {
    let sandbox = Sandbox::with_tools("[tools.x]\ndir = 'web'\nrun = ['true']\n");
    let text = sandbox.run(&["check"], 3);
    assert!(text.contains("the directory `web` does not exist"), "{text}");
}

#[test]
fn messages_of_rustc_are_relative_to_the_workspace() {
    let sandbox = Sandbox::library();
    let config = "[tools.own]\ndir = 'src'\nrun = ['cargo', 'check', '--message-format=json']\nparse = 'rustc-json'\n\
                  inherit-env = true\n";
    let others = disabled(&["fmt", "clippy", "doc", "test", "doctest"]);
    sandbox.write("genti.toml", &format!("{others}{config}"));
    sandbox.write("src/lib.rs", "//! A library.\npub fn own() { let unused = 1; }\n");
    sandbox.run(&["run"], 1);
    assert_eq!(sandbox.findings(), ["new unused_variables src/lib.rs:2"]);
}

/// Tools that check the workspace in `fuzz`, which is not that of the repository's root.
const FUZZ: &str = r#"
[tools.fuzz-clippy]
dir = "fuzz"
run = ["cargo", "clippy", "--offline", "--all-targets", "--message-format=json"]
parse = "rustc-json"
inherit-env = true

[tools.fuzz-fmt]
dir = "fuzz"
run = ["cargo", "fmt", "--all", "--", "--check", "-v"]
parse = "rustfmt"
"#;

/// Returns a repository with the workspace `fuzz`, which depends on a member of the workspace in the root.
fn fuzzed() -> Sandbox {
    let sandbox = Sandbox::with_tools(FUZZ);
    sandbox
        .write("Cargo.toml", "[workspace]\nmembers = [\"core\"]\nexclude = [\"fuzz\"]\nresolver = \"3\"\n");
    sandbox.write("core/Cargo.toml", &manifest("core-lib", ""));
    sandbox.write("core/src/lib.rs", "//! Core.\n\n/// One.\npub fn one() -> u32 {\n    1\n}\n");
    sandbox.write("fuzz/Cargo.toml", "[workspace]\nmembers = [\"targets\", \"common\"]\nresolver = \"3\"\n");
    let dependencies =
        "[dependencies]\ncommon = { path = \"../common\" }\ncore-lib = { path = \"../../core\" }\n";
    sandbox.write("fuzz/targets/Cargo.toml", &manifest("targets", dependencies));
    sandbox.write("fuzz/targets/src/main.rs", "mod deep;\n\nfn main() {\n    deep::go(common::two());\n}\n");
    sandbox.write("fuzz/targets/src/deep.rs", "pub fn go(n: u32) {\n    println!(\"{n}\");\n}\n");
    sandbox.write("fuzz/common/Cargo.toml", &manifest("common", ""));
    sandbox.write("fuzz/common/src/lib.rs", "pub fn two() -> u32 {\n    2\n}\n");
    sandbox
}

fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{rest}")
}

#[test]
fn the_output_of_cargo_in_another_workspace_is_read() {
    let sandbox = fuzzed();
    let text = sandbox.run(&["run"], 0);
    assert!(text.contains("Passed fuzz-clippy  2 packages, 2 targets"), "{text}");
    assert!(!sandbox.run(&["blind-spots"], 0).contains("fuzz"), "built and formatted");

    sandbox.edit("fuzz/targets/src/deep.rs", "    println", "    let unused = n;\n    println");
    sandbox.edit("fuzz/common/src/lib.rs", "    2", "    return 2;");
    sandbox.run(&["run"], 1);
    let found = [
        "new clippy::needless_return fuzz/common/src/lib.rs:2",
        "new unused_variables fuzz/targets/src/deep.rs:2",
    ];
    assert_eq!(sandbox.findings(), found);

    // An accepted finding is fixed once the code is gone, and only by a run that looked there.
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["check"], 0);
    sandbox.edit("fuzz/common/src/lib.rs", "    return 2;", "    2");
    sandbox.write("fuzz/targets/src/main.rs", "fn main() {\n    common::three();\n}\n");
    let text = sandbox.run(&["check"], 3);
    assert!(text.contains("no result from: fuzz-clippy"), "{text}");
    sandbox.write("fuzz/targets/src/main.rs", "mod deep;\n\nfn main() {\n    deep::go(common::two());\n}\n");
    let text = sandbox.run(&["check"], 1);
    assert!(text.contains("1 accepted finding is fixed but still in the baseline"), "{text}");
}

#[test]
fn a_cargo_that_fails_in_another_workspace_may_not_have_checked_everything() {
    let sandbox = fuzzed();
    sandbox.edit("fuzz/common/src/lib.rs", "pub fn", "#![deny(unused)]\n\nfn nobody() {}\n\npub fn");
    let text = sandbox.run(&["run"], 3);
    assert!(text.contains("cargo stopped because `common` has errors"), "{text}");
    assert_eq!(sandbox.findings(), ["new dead_code fuzz/common/src/lib.rs:3"]);
    // A tool with `{selection}` is about members.
    sandbox.edit("genti.toml", "\"--offline\"", "\"{selection}\"");
    let text = sandbox.run(&["run"], 2);
    assert!(text.contains("`fuzz-clippy` can't start in another directory"), "{text}");
}

#[test]
fn another_workspace_that_no_tool_formats_is_a_blind_spot() {
    let sandbox = fuzzed();
    let spots = |sandbox: &Sandbox| {
        sandbox.run(&["run"], 0);
        sandbox.run(&["blind-spots"], 0)
    };
    assert!(!spots(&sandbox).contains("fuzz"));
    sandbox.edit("genti.toml", "dir = \"fuzz\"\nrun = [\"cargo\", \"fmt\"", "run = [\"cargo\", \"fmt\"");
    let text = spots(&sandbox);
    assert!(text.contains("fuzz/Cargo.toml: compiled, but not formatted by any tool"), "{text}");
}
