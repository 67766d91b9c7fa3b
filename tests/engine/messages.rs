//! Tests of unusual messages of real tools: line endings, manifests, build scripts, generated and shared files.

use serde_json::Value;

use crate::support::{Sandbox, disabled};

/// Returns the findings of the report whose rule begins with `rule`.
fn findings(sandbox: &Sandbox, rule: &str) -> Vec<Value> {
    let report = sandbox.json("report.json");
    let is_meant = |finding: &&Value| finding["rule"].as_str().unwrap().starts_with(rule);
    report["findings"].as_array().unwrap().iter().filter(is_meant).cloned().collect()
}

#[test]
fn wrong_line_endings_hide_no_diff_and_errors_in_the_configuration_are_reported() {
    let sandbox = Sandbox::of("clean", "workspace");
    sandbox.write("rustfmt.toml", "newline_style = \"Unix\"\nwrap_comments = true\nno_such_option = 1\n");
    sandbox.write("src/crlf.rs", "//! Text.\r\n\r\npub fn one() {}\r\n");
    sandbox.write("src/blank.rs", "//! Text.\n\npub fn two() {}\n\n\n");
    sandbox.write("src/open.rs", "//! Text.\n\npub fn three( ) {}");
    let lib = std::fs::read_to_string(sandbox.root().join("src/lib.rs")).unwrap();
    sandbox.write("src/lib.rs", &format!("{lib}\npub mod blank;\npub mod crlf;\npub mod open;\n"));
    let printed = sandbox.run(&["run", "--tool", "fmt"], 1);
    assert_eq!(
        sandbox.findings(),
        [
            "new rustfmt::config rustfmt.toml:3",
            "new rustfmt::unformatted src/blank.rs:4",
            "new rustfmt::newline_style src/crlf.rs:null",
            "new rustfmt::unformatted src/open.rs:3",
        ]
    );
    assert!(printed.contains("can't set `wrap_comments = true`"), "{printed}");
    let edits = |at: usize| sandbox.json("report.json")["findings"][at]["fix"]["edits"].clone();
    assert_eq!(edits(2).as_array().unwrap().len(), 3, "one for each line");
    assert_eq!(
        edits(1)[0]["range"],
        serde_json::json!({ "start": { "line": 4, "column": 1 }, "end": { "line": 6, "column": 1 } })
    );
    assert_eq!(edits(3)[0]["text"], "pub fn three() {}\n");

    // The cached result is the same, including notices.
    let cold = sandbox.artifact("report.json");
    assert!(sandbox.run(&["run", "--tool", "fmt"], 1).contains("can't set `wrap_comments = true`"));
    assert_eq!(sandbox.artifact("report.json"), cold);
    sandbox.run(&["baseline", "init", "--tool", "fmt"], 0);
    sandbox.run(&["run", "--tool", "fmt"], 0);
}

#[test]
fn lints_about_the_manifest_stay_accepted_when_the_first_item_changes() {
    let sandbox = Sandbox::of("clean", "workspace");
    let manifest = std::fs::read_to_string(sandbox.root().join("Cargo.toml")).unwrap();
    let lints = "\n[lints.clippy]\ncargo = { level = \"warn\", priority = -1 }\n";
    sandbox.write("Cargo.toml", &format!("{manifest}{lints}"));
    sandbox.run(&["run", "--tool", "clippy"], 1);
    let found = findings(&sandbox, "clippy::cargo_common_metadata");
    let subjects: Vec<_> = found.iter().map(|finding| finding["subject"].as_str().unwrap()).collect();
    // It is reported once, not for each target.
    assert_eq!(subjects, ["package clean"; 6]);
    sandbox.run(&["baseline", "init", "--tool", "clippy"], 0);
    let lib = std::fs::read_to_string(sandbox.root().join("src/lib.rs")).unwrap();
    let (docs, items) = lib.split_once("\n\n").unwrap();
    sandbox.write("src/lib.rs", &format!("{docs}\n\n/// New.\npub const FIRST: u8 = 1;\n\n{items}"));
    sandbox.run(&["run", "--tool", "clippy"], 0);
}

/// A build script that generates two files, prints a warning, and states for one file how it was generated.
const SCRIPT: &str = r###"//! Generates.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::warning=the following are missing:");
    println!("cargo::warning=- one");
    println!("cargo::warning=- two");
    println!("cargo::warning=words.txt:1: no word");
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR").unwrap());
    std::fs::write(out.join("gen.rs"), "/// One.\npub fn one() -> u8 { return 1; }\n").unwrap();
    std::fs::write(out.join("other.rs"), "/// Two.\npub fn two() -> u8 { return 2; }\n").unwrap();
    std::fs::create_dir_all(out.join(".genti")).unwrap();
    let manifest = r##"{"schema":1,"units":[{"inputs":["words.txt"],"discovered":[],"outputs":[{"path":"gen.rs","bytes":43}]}]}"##;
    std::fs::write(out.join(".genti/manifest.json"), manifest).unwrap();
}
"###;

#[test]
fn findings_in_generated_code_and_its_script_are_the_same_at_any_path_and_from_the_cache() {
    let sandbox = |place: &str| {
        let sandbox = Sandbox::of("clean", place);
        sandbox.write("genti.toml", &disabled(&["fmt", "test", "doctest"]));
        sandbox.write("build.rs", SCRIPT);
        sandbox.write("words.txt", "word\n");
        let lib = std::fs::read_to_string(sandbox.root().join("src/lib.rs")).unwrap();
        let (docs, items) = lib.split_once("\n\n").unwrap();
        let include = |name: &str| format!("include!(concat!(env!(\"OUT_DIR\"), \"/{name}\"));\n");
        let includes = include("gen.rs") + &include("other.rs");
        sandbox.write("src/lib.rs", &format!("{docs}\n\n{includes}\n{items}"));
        sandbox.edit("Cargo.toml", "edition = \"2024\"", "edition = \"2024\"\nno-such-key = 1");
        sandbox
    };
    let here = sandbox("here");
    let printed = here.run(&["run"], 1);
    assert_eq!(
        here.findings(),
        [
            "new cargo::manifest Cargo.toml:6",
            "new clippy::needless_return OUT_DIR/gen.rs:2",
            "new clippy::needless_return OUT_DIR/other.rs:2",
            "new cargo::build_script_warning build.rs:null",
            "new cargo::build_script_warning words.txt:1",
        ]
    );
    assert!(printed.contains("--> OUT_DIR/gen.rs:2:"), "{printed}");
    assert!(printed.contains("generated code: `pub fn one() -> u8 { return 1; }`"), "{printed}");
    assert_eq!(printed.matches("generated from `words.txt`").count(), 1, "{printed}");
    assert!(printed.contains("the following are missing:"), "{printed}");
    let list = findings(&here, "cargo::build_script_warning")[0]["message"].clone();
    assert_eq!(list, "the following are missing:\n- one\n- two");

    let cold = here.artifact("report.json");
    // First from the cache, then replayed by cargo.
    here.run(&["run"], 1);
    assert_eq!(here.artifact("report.json"), cold);
    here.run(&["run", "--no-cache"], 1);
    assert_eq!(here.artifact("report.json"), cold);
    let there = sandbox("some where/else");
    there.run(&["run", "--parallel", "2"], 1);
    assert_eq!(there.artifact("report.json"), cold);

    // All of these findings can be accepted, and are gone when fixed.
    here.run(&["baseline", "init"], 0);
    here.run(&["run"], 0);
    here.edit("build.rs", "return 1;", "1");
    here.edit("build.rs", "println!(\"cargo::warning=words.txt:1: no word\");", "");
    here.run(&["run"], 0);
    let gone: Vec<_> = here.json("report.json")["gone"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gone| gone["state"].clone())
        .collect();
    assert_eq!(gone, ["fixed", "fixed"]);
}

#[test]
fn a_file_outside_the_workspace_shared_by_two_packages_has_its_findings_once() {
    let sandbox = Sandbox::of("clean", "repository/workspace");
    sandbox.write("../.git/HEAD", "ref: refs/heads/main\n");
    sandbox.write("../shared/s.rs", "//! Text.\n\n/// One.\npub  fn one() -> u8 {\n    return 1;\n}\n");
    sandbox.write("genti.toml", &disabled(&["doc", "test", "doctest"]));
    sandbox.edit("Cargo.toml", "[workspace]", "[workspace]\nmembers = [\"b\"]");
    sandbox.write("b/Cargo.toml", "[package]\nname = \"b\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    sandbox.write("b/src/lib.rs", "//! Text.\n\n#[path = \"../../../shared/s.rs\"]\npub mod s;\n");
    let lib = std::fs::read_to_string(sandbox.root().join("src/lib.rs")).unwrap();
    sandbox.write("src/lib.rs", &format!("{lib}\n#[path = \"../../shared/s.rs\"]\npub mod s;\n"));
    let printed = sandbox.run(&["run"], 1);
    assert_eq!(
        sandbox.findings(),
        ["new rustfmt::unformatted ../shared/s.rs:4", "new clippy::needless_return ../shared/s.rs:5"]
    );
    assert!(printed.contains("--> ../shared/s.rs:5:5"), "{printed}");
    assert!(printed.contains("5 |     return 1;"), "{printed}");
    let report = sandbox.json("report.json");
    for finding in report["findings"].as_array().unwrap() {
        assert_eq!(finding["fix"]["edits"][0]["path"], "../shared/s.rs");
        assert_ne!(finding["code"], "");
    }
    sandbox.run(&["baseline", "init"], 0);
    sandbox.run(&["run"], 0);
    sandbox.write("../shared/s.rs", "//! Text.\n\n/// One.\npub fn one() -> u8 {\n    1\n}\n");
    sandbox.run(&["run", "--no-cache"], 0);
    let gone: Vec<_> = sandbox.json("report.json")["gone"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gone| gone["state"].clone())
        .collect();
    assert_eq!(gone, ["fixed", "fixed"]);
}

#[test]
fn the_suggested_command_fixes_the_findings() {
    let sandbox = Sandbox::library();
    let others = disabled(&["doc", "test", "doctest"]);
    let args = "[tools.clippy]\nargs = ['--all-targets', '--', '-W', 'clippy::str_to_string']\n";
    sandbox.write("genti.toml", &format!("{others}{args}"));
    sandbox.write(
        "tests/more.rs",
        "//! Text.\n\nfn one() -> u8 {\n    return 1;\n}\n\n#[test]\nfn is_one() {\n    assert_eq!(one(), 1);\n}\n",
    );
    sandbox.write(
        "src/words.rs",
        "//! Text.\n\n/// One.\npub  fn one(text: &str) -> String {\n    text.to_string()\n}\n",
    );
    let lib = std::fs::read_to_string(sandbox.root().join("src/lib.rs")).unwrap();
    let (docs, items) = lib.split_once("\n\n").unwrap();
    sandbox.write("src/lib.rs", &format!("{docs}\n\npub mod words;\n\n{items}"));
    let printed = sandbox.run(&["run"], 1);
    let note =
        printed.lines().find(|line| line.contains("to fix 3 new findings automatically")).expect(&printed);
    let command = note.split('`').nth(1).unwrap();
    let args: Vec<_> = command.strip_prefix("cargo genti ").unwrap().split(' ').collect();
    sandbox.run(&args, 0);
    sandbox.run(&["run"], 0);
}

#[test]
fn a_diff_of_a_configured_tool_becomes_findings_with_fixes() {
    let sandbox = Sandbox::with_tools(
        "[tools.format]\nrun = ['sh', 'format.sh', '{files}']\nper = 'file'\nfiles = ['**/*.txt']\nparse = 'diff'\n",
    );
    let script = "for file; do sed 's/bad/good/' \"$file\" | diff -u \"$file\" - || result=1; done\nexit ${result:-0}\n";
    sandbox.write("format.sh", script);
    sandbox.write("a b.txt", "fine\nbad\nfine\n");
    sandbox.write("c.txt", "fine\n");
    sandbox.write("d.txt", "one\ntwo bad");
    let printed = sandbox.run(&["run"], 1);
    assert_eq!(sandbox.findings(), ["new format a b.txt:2", "new format d.txt:2"]);
    assert!(printed.contains("`format` would change this"), "{printed}");
    let report = sandbox.json("report.json");
    let edit = |at: usize| report["findings"][at]["fix"]["edits"][0].clone();
    assert_eq!(edit(0)["text"], "good\n");
    assert_eq!(
        (edit(1)["text"].clone(), edit(1)["range"]["end"]["column"].clone()),
        ("two good".into(), 8.into())
    );
    let warm = sandbox.artifact("report.json");
    sandbox.run(&["run", "--batch", "1", "--no-cache"], 1);
    assert_eq!(sandbox.artifact("report.json"), warm);
}
