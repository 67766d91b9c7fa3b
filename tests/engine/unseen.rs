//! Tests of accepted findings in code that a run did not check, with real clippy and rustfmt: they stay accepted
//! until the code is gone or checked.

use serde_json::Value;

use crate::support::Sandbox;

const MANIFEST: &str = "[package]
name = \"lens\"
version = \"0.1.0\"
edition = \"2024\"
description = \"A package whose code depends on conditions.\"
publish = false

[features]
default = [\"extra\"]
extra = []
";

const LIB: &str = "//! Code under conditions.

#[cfg(feature = \"extra\")]
pub mod more;

/// Always there.
pub fn always(x: u32) -> u32 {
    return x + 1;
}

#[cfg(feature = \"extra\")]
/// Sometimes there.
pub fn sometimes(x: u32) -> u32 {
    return x + 2;
}

/// Partly there.
pub fn partly(list: &[u32]) -> bool {
    #[cfg(feature = \"extra\")]
    {
        if list.len() == 0 {
            return true;
        }
    }
    list.is_empty()
}

fn unused(x: u32) -> u32 {
    x + 3
}
";

const MORE: &str = "//! More.

/// The product.
pub fn product(x: u32, y: u32) -> u32 {
    return x * y;
}
";

const TEST: &str = "#![cfg(feature = \"extra\")]
//! A test under a condition.

#[test]
fn works() {
    let list: &[u8] = &[1];
    assert!(list.len() != 0);
}
";

/// Creates a package with all of the above findings accepted.
fn accepted() -> Sandbox {
    let sandbox = Sandbox::of("clean", "w");
    for path in ["build.rs", "src/main.rs", "examples/twice.rs", "tests/greets.rs"] {
        std::fs::remove_file(sandbox.root().join(path)).unwrap();
    }
    sandbox.write("Cargo.toml", MANIFEST);
    sandbox.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"lens\"\nversion = \"0.1.0\"\n");
    sandbox.write("src/lib.rs", LIB);
    sandbox.write("src/more.rs", MORE);
    sandbox.write("tests/extra.rs", TEST);
    sandbox.run(&["baseline", "init"], 0);
    sandbox
}

/// Returns the findings and entries that are not unchanged: `state rule path scope`, and the reason if one was not
/// checked.
fn changed(sandbox: &Sandbox, code: i32) -> Vec<String> {
    sandbox.run(&["run", "--tool", "clippy", "--tool", "fmt"], code);
    let report = sandbox.json("report.json");
    let line = |finding: &Value| {
        let words = ["state", "rule", "path", "scope", "unseen"];
        let words = words.map(|key| finding[key].as_str().unwrap_or_default().to_owned());
        words.join(" ").trim_end().to_owned()
    };
    let all = |key: &str| report[key].as_array().unwrap().iter().map(line).collect::<Vec<_>>();
    let mut lines = all("findings");
    lines.retain(|line| !line.starts_with("unchanged "));
    lines.extend(all("gone"));
    lines
}

const OFF: &str = "`cfg(feature = \"extra\")` is off in every target that was built";
const NOT_COMPILED: &str = "no target that was built compiles this file";

#[test]
fn code_disabled_by_a_feature_is_unseen_until_it_is_enabled() {
    let sandbox = accepted();
    sandbox.edit("Cargo.toml", "default = [\"extra\"]", "default = []");
    let unseen = [
        format!("unknown clippy::len_zero src/lib.rs fn partly {OFF}"),
        format!("unknown clippy::needless_return src/lib.rs fn sometimes {OFF}"),
        format!("unknown clippy::needless_return src/more.rs fn product {NOT_COMPILED}"),
        format!("unknown clippy::len_zero tests/extra.rs fn works {OFF}"),
    ];
    assert_eq!(changed(&sandbox, 0), unseen);
    // The result from the cache is the same.
    assert_eq!(changed(&sandbox, 0), unseen);
    let shown = sandbox.run(&["run", "--tool", "clippy"], 0);
    assert!(shown.contains("kept 4 baseline entries whose code still exists"), "{shown}");
    assert!(shown.contains(&format!("1 in src/more.rs: {NOT_COMPILED}")), "{shown}");

    sandbox.run(&["baseline", "update"], 0);
    assert_eq!(changed(&sandbox, 0), unseen);
    // An edit of disabled code makes it different code, so the entry is fixed.
    sandbox.edit("src/lib.rs", "    return x + 2;", "    x + 2");
    let fixed = changed(&sandbox, 0);
    assert!(
        fixed.contains(&"fixed clippy::needless_return src/lib.rs fn sometimes".to_owned()),
        "{fixed:#?}"
    );
    sandbox.edit("src/lib.rs", "    x + 2", "    return x + 2;");

    sandbox.edit("Cargo.toml", "default = []", "default = [\"extra\"]");
    assert_eq!(changed(&sandbox, 0), Vec::<String>::new());
}

#[test]
fn compiled_code_that_is_no_longer_reported_is_fixed_even_if_unchanged() {
    let sandbox = accepted();
    // A new caller in another place. The function itself has not changed.
    sandbox.edit("src/lib.rs", "    return x + 1;", "    return unused(x) - 2;");
    let lines = changed(&sandbox, 1);
    let of_dead_code: Vec<_> = lines.iter().filter(|line| line.contains("dead_code")).collect();
    assert_eq!(of_dead_code, ["fixed dead_code src/lib.rs fn unused"], "{lines:#?}");
    sandbox.edit("src/lib.rs", "    return unused(x) - 2;", "    return x + 1;");
    // An allowed lint does not reduce the code that is checked.
    sandbox.edit("tests/extra.rs", "#[test]", "#[allow(clippy::len_zero)]\n#[test]");
    assert_eq!(changed(&sandbox, 0), ["fixed clippy::len_zero tests/extra.rs fn works"]);
}

#[test]
fn a_failing_test_disabled_by_a_feature_is_not_fixed() {
    let sandbox = accepted();
    sandbox.write("tests/always.rs", "//! Always there.\n\n#[test]\nfn runs() {}\n");
    let failing = format!("{TEST}\n#[test]\nfn goes() {{\n    panic!(\"no\");\n}}\n");
    sandbox.write("tests/extra.rs", &failing.replace("list.len() != 0", "list.len() == 9"));
    let run = |code: i32| {
        sandbox.run(&["run", "--tool", "test"], code);
        let gone = sandbox.json("report.json")["gone"].clone();
        let line = |gone: &Value| {
            ["state", "subject", "unseen"]
                .map(|key| gone[key].as_str().unwrap_or_default().to_owned())
                .join(" ")
        };
        // Entries of the other tools, which do not run, have files.
        let of_tests = gone.as_array().unwrap().iter().filter(|gone| gone["subject"].is_string());
        of_tests.map(line).collect::<Vec<_>>()
    };
    run(1);
    sandbox.run(&["baseline", "accept", "--tool", "test", "--reason", "broken"], 0);
    sandbox.edit("Cargo.toml", "default = [\"extra\"]", "default = []");
    let lines = run(0);
    assert_eq!(
        lines,
        [format!("unknown lens::extra goes {OFF}"), format!("unknown lens::extra works {OFF}"),]
    );
    sandbox.edit("Cargo.toml", "default = []", "default = [\"extra\"]");
    sandbox.edit("tests/extra.rs", "fn goes()", "fn went()");
    assert_eq!(run(1), ["fixed lens::extra goes "]);
}

#[test]
fn a_file_not_reached_from_any_target_is_unseen_by_clippy_and_rustfmt() {
    let sandbox = accepted();
    sandbox.edit("src/more.rs", "x * y", "x  *  y");
    sandbox.run(&["baseline", "accept", "--reason", "old"], 0);
    sandbox.edit("src/lib.rs", "#[cfg(feature = \"extra\")]\npub mod more;\n\n", "");
    let expected = [
        format!("unknown clippy::needless_return src/more.rs fn product {NOT_COMPILED}"),
        "unknown rustfmt::unformatted src/more.rs fn product rustfmt can't reach this file through any module".to_owned(),
    ];
    assert_eq!(changed(&sandbox, 0), expected);
    // A check of the finished run gives the same result.
    sandbox.run(&["run"], 0);
    sandbox.run(&["check", "--artifacts", "target/genti/artifacts"], 0);
}
