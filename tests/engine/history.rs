//! What becomes of accepted findings while the code goes on: real clippy and rustfmt before and after a change.

use std::process::Command;

use serde_json::Value;

use crate::support::Sandbox;

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

/// Accepts all that is found, makes a change, and expects of a run this exit code, these findings and entries that
/// are no longer as they were (`state rule path scope`), and so many that are.
#[track_caller]
fn check(change: impl Fn(&Sandbox), code: i32, changed: &[&str], unchanged: usize) {
    let sandbox = Sandbox::of("clean", "w");
    sandbox.write("src/lib.rs", LIB);
    sandbox.write("src/shapes.rs", SHAPES);
    sandbox.write("src/sizes.rs", SIZES);
    for path in ["build.rs", "src/main.rs", "examples/twice.rs", "tests/greets.rs"] {
        std::fs::remove_file(sandbox.root().join(path)).unwrap();
    }
    sandbox.run(&["baseline", "init"], 0);
    change(&sandbox);
    sandbox.run(&["run", "--skip-tool", "doc"], code);

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
fn one_swapped_for_another_of_the_same_lint_is_new() {
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
fn one_more_of_identical_ones_is_new() {
    let duplicate = |sandbox: &Sandbox| {
        let line = "    let first = u32::from(list.len() == 0);\n";
        sandbox.edit("src/shapes.rs", line, &line.repeat(2).replacen("first", "_zeroth", 1));
    };
    check(duplicate, 1, &["new clippy::len_zero src/shapes.rs fn none"], 6);
}

#[test]
fn half_of_identical_ones_may_go() {
    let delete = |sandbox: &Sandbox| {
        for name in ["second", "third"] {
            sandbox.edit("src/shapes.rs", &format!("    let {name} = u32::from(list.len() == 0);\n"), "");
            sandbox.edit("src/shapes.rs", &format!(" + {name}"), "");
        }
    };
    check(delete, 0, &["fixed clippy::len_zero src/shapes.rs fn none"; 2], 4);
}
