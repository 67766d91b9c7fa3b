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
