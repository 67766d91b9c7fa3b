//! Tests that accepted findings follow code changes, with real clippy and rustfmt before and after a change.

use std::process::Command;

use serde_json::Value;

use crate::support::{Sandbox, disabled};

const LIB: &str = "//! A crate with findings.\n\npub mod shapes;\npub mod sizes;\n";

/// Two lints, one of them four times in the same words.
const SHAPES: &str = "//! Shapes.

/// The area.
pub fn area(width: u32, height: u32) -> u32 {
    return width * height;
}

/// How often there is none.
pub fn none(list: &[u32]) -> u32 {
    let first = u32::from(list.len() == 0);
    let second = u32::from(list.len() == 0);
    let third = u32::from(list.len() == 0);
    let fourth = u32::from(list.len() == 0);
    first + second + third + fourth
}
";

const SIZES: &str = "//! Sizes.

/// The half.
pub fn half(size: u32) -> u32 {
    return size / 2;
}
";

/// Accepts all findings, applies a change, and checks the exit code of a run, the findings and entries that are
/// not unchanged (`state rule path scope`), and the number of unchanged ones.
#[track_caller]
fn check(change: impl Fn(&Sandbox), code: i32, changed: &[&str], unchanged: usize) {
    check_with(SIZES, change, code, changed, unchanged);
}

/// Like [`check`], with the given text in `src/sizes.rs`.
#[track_caller]
fn check_with(sizes: &str, change: impl Fn(&Sandbox), code: i32, changed: &[&str], unchanged: usize) {
    let sandbox = Sandbox::library();
    sandbox.write("genti.toml", &disabled(&["doc", "test", "doctest"]));
    sandbox.write("src/lib.rs", LIB);
    sandbox.write("src/shapes.rs", SHAPES);
    sandbox.write("src/sizes.rs", sizes);
    sandbox.run(&["baseline", "init"], 0);
    change(&sandbox);
    sandbox.run(&["run"], code);

    let report = sandbox.json("report.json");
    let line = |finding: &Value| {
        ["state", "rule", "path", "scope"].map(|key| finding[key].as_str().unwrap().to_owned()).join(" ")
    };
    let all = |key: &str| report[key].as_array().unwrap().iter().map(line).collect::<Vec<_>>();
    let (same, other): (Vec<_>, Vec<_>) =
        all("findings").into_iter().partition(|line| line.starts_with("unchanged "));
    assert_eq!([other, all("gone")].concat(), changed);
    assert_eq!(same.len(), unchanged, "{same:?}");
}

#[test]
fn a_line_above_changes_nothing() {
    check(|sandbox| sandbox.edit("src/shapes.rs", "/// The area", "// Above.\n\n/// The area"), 0, &[], 6);
    check(|sandbox| sandbox.edit("src/shapes.rs", "    return", "    let _more = 1;\n    return"), 0, &[], 6);
}

#[test]
fn reformatting_changes_nothing() {
    let reformat = |sandbox: &Sandbox| {
        sandbox.write("rustfmt.toml", "max_width = 30\nhard_tabs = true\n");
        let mut rustfmt = Command::new("rustfmt");
        sandbox.scrub(&mut rustfmt);
        assert!(rustfmt.args(["--edition", "2024", "src/lib.rs"]).status().unwrap().success());
        let text = std::fs::read_to_string(sandbox.root().join("src/shapes.rs")).unwrap();
        assert!(text.lines().count() > SHAPES.lines().count() + 8, "{text}");
    };
    check(reformat, 0, &[], 6);
}

#[test]
fn a_renamed_file_keeps_its_findings() {
    let rename = |sandbox: &Sandbox| {
        std::fs::rename(sandbox.root().join("src/shapes.rs"), sandbox.root().join("src/forms.rs")).unwrap();
        sandbox.edit("src/lib.rs", "pub mod shapes;", "pub mod forms;");
    };
    check(rename, 0, &[], 6);
}

#[test]
fn an_item_that_moves_to_another_file_keeps_its_findings() {
    let (head, none) = SHAPES.split_once("\n/// How").unwrap();
    let to_a_file_that_was_there = |sandbox: &Sandbox| {
        sandbox.write("src/shapes.rs", head);
        sandbox.write("src/sizes.rs", &format!("{SIZES}\n/// How{none}"));
    };
    check(to_a_file_that_was_there, 0, &[], 6);
    let to_a_new_file = |sandbox: &Sandbox| {
        sandbox.write("src/shapes.rs", head);
        sandbox.write("src/none.rs", &format!("//! None.\n\n/// How{none}"));
        sandbox.edit("src/lib.rs", "pub mod shapes;", "pub mod none;\npub mod shapes;");
    };
    check(to_a_new_file, 0, &[], 6);
}

#[test]
fn a_finding_replaced_by_another_of_the_same_lint_is_new() {
    check(
        |sandbox| sandbox.edit("src/shapes.rs", "return width * height", "return width + height"),
        1,
        &[
            "new clippy::needless_return src/shapes.rs fn area",
            "fixed clippy::needless_return src/shapes.rs fn area",
        ],
        5,
    );
}

#[test]
fn an_additional_identical_finding_is_new() {
    let duplicate = |sandbox: &Sandbox| {
        let line = "    let first = u32::from(list.len() == 0);\n";
        sandbox.edit("src/shapes.rs", line, &line.repeat(2).replacen("first", "_zeroth", 1));
    };
    check(duplicate, 1, &["new clippy::len_zero src/shapes.rs fn none"], 6);
}

#[test]
fn half_of_several_identical_findings_may_disappear() {
    let delete = |sandbox: &Sandbox| {
        for name in ["second", "third"] {
            sandbox.edit("src/shapes.rs", &format!("    let {name} = u32::from(list.len() == 0);\n"), "");
            sandbox.edit("src/shapes.rs", &format!(" + {name}"), "");
        }
    };
    check(delete, 0, &["fixed clippy::len_zero src/shapes.rs fn none"; 2], 4);
}

/// Creates a finding that flags 18 lines with the call of a method that can be replaced.
const LONG: &str = "//! Sizes.

/// What is said of the first.
pub fn first(list: &[u32]) -> String {
    let mut said = String::new();
    match list.first() {
        Some(first) => {
            let half = first / 2;
            let rest = first % 2;
            let name = \"half\".to_string();
            if rest == 0 {
                said.push_str(&name);
                said.push_str(&half.to_string());
            } else {
                said.push_str(\"nearly \");
                said.push_str(&name);
                said.push_str(&half.to_string());
            }
        }
        _ => {}
    }
    said
}
";

#[test]
fn editing_one_token_in_long_flagged_code_is_not_a_new_finding() {
    let edit =
        |sandbox: &Sandbox| sandbox.edit("src/sizes.rs", "\"half\".to_string()", "\"half\".to_owned()");
    check_with(LONG, edit, 0, &["updated clippy::single_match src/sizes.rs fn first"], 5);
    // These two edits leave little of the original code.
    let rewrite = |sandbox: &Sandbox| {
        sandbox.edit("src/sizes.rs", "            let half = first / 2;\n            let rest = first % 2;\n            let name = \"half\".to_string();\n", "            let [half, rest, name] = [first / 3, first % 3, 7];\n");
        sandbox.edit(
            "src/sizes.rs",
            "said.push_str(&name);\n                said.push_str(&half.to_string());\n            } else",
            "said.extend([name, half].map(|of| of.to_string()));\n            } else",
        );
        sandbox.edit(
            "src/sizes.rs",
            "                said.push_str(\"nearly \");\n                said.push_str(&name);\n",
            "",
        );
    };
    let changed = [
        "new clippy::single_match src/sizes.rs fn first",
        "fixed clippy::single_match src/sizes.rs fn first",
    ];
    check_with(LONG, rewrite, 1, &changed, 5);
}

/// Code as formatted in style edition 2021, which differs from 2024.
const FORMER: &str = "//! Versions.

/// Sorted otherwise.
pub use std::{u16, u8};

/// Accepted.
pub fn  odd() {}
";

#[test]
fn a_new_style_edition_is_one_migration_and_not_many_findings() {
    let sandbox = Sandbox::library();
    sandbox.edit("Cargo.toml", "2024", "2021");
    sandbox.write("src/lib.rs", &format!("{FORMER}\nmod more;\n"));
    sandbox.write("src/more.rs", FORMER);
    sandbox.run(&["baseline", "init", "--tool", "fmt"], 0);
    sandbox.run(&["run", "--tool", "fmt"], 0);
    assert!(sandbox.json("report.json")["tools"][0].get("migration").is_none());

    sandbox.edit("Cargo.toml", "2021", "2024");
    sandbox.write("src/new.rs", "//! New.\n\n/// Odd in both.\npub fn  odd() {}\n");
    sandbox.edit("src/lib.rs", "mod more;", "mod more;\nmod new;");
    let shown = sandbox.run(&["run", "--tool", "fmt"], 1);
    let report = sandbox.json("report.json");
    let of = |tool: &str| {
        report["tools"].as_array().unwrap().iter().find(|it| it["name"] == tool).unwrap().clone()
    };
    assert_eq!(of("fmt")["migration"], serde_json::json!({ "files": 2, "findings": 2 }));
    assert_eq!(of("fmt")["new"], 3);
    assert!(shown.contains("style edition changed: 2 findings in 2 files"), "{shown}");
    // Only code that is wrong in both editions is shown as a finding.
    assert!(shown.contains("src/new.rs:4"), "{shown}");
    assert!(!shown.contains("src/more.rs"), "{shown}");
    // The result from the cache is the same.
    sandbox.run(&["run", "--tool", "fmt"], 1);
    assert_eq!(sandbox.json("report.json"), report);

    // A project that keeps the former style edition has nothing to migrate.
    sandbox.write("rustfmt.toml", "style_edition = \"2021\"\n");
    sandbox.run(&["run", "--tool", "fmt"], 1);
    let tools = &sandbox.json("report.json")["tools"];
    assert!(tools[0].get("migration").is_none(), "{tools}");
}
