use snapbox::{assert_data_eq, str};

use crate::model::task::Unit;
use crate::model::tool::Parse;
use crate::model::workspace::{TargetKind, Workspace};
use crate::normalize::testing::{run, show, tool, workspace};

fn sample() -> Workspace {
    let a = [(TargetKind::Lib, "a/src/lib.rs"), (TargetKind::Test, "a/tests/it.rs")];
    let b = [(TargetKind::Lib, "b/src/lib.rs"), (TargetKind::Test, "b/tests/it.rs")];
    workspace(&[("a", &a), ("b", &b)], &["a/src/lib.rs", "a/tests/it.rs", "b/src/lib.rs", "b/tests/it.rs"])
}

fn shown(stdout: &str, stderr: &str, code: i32) -> String {
    let tool = tool("mine", Parse::Libtest, &["cargo", "test"]);
    match run(&sample(), &tool, &[Unit::Workspace], stdout, stderr, code) {
        Ok(parsed) => show(&parsed),
        Err(error) => format!("unparsable: {error}\n"),
    }
}

#[track_caller]
fn check(stdout: &str, stderr: &str, code: i32, expected: impl snapbox::IntoData) {
    assert_data_eq!(shown(stdout, stderr, code), expected.into_data().raw());
}

const LOUD: (&str, &str) =
    (include_str!("../../testdata/cargo-test.stdout"), include_str!("../../testdata/cargo-test.stderr"));
const QUIET: (&str, &str) = (
    include_str!("../../testdata/cargo-test-quiet.stdout"),
    include_str!("../../testdata/cargo-test-quiet.stderr"),
);

/// Returns the report of a program with this failing test.
fn failing(test: &str) -> String {
    format!(
        "\nrunning 1 test\ntest {test} ... FAILED\n\nfailures:\n\nfailures:\n    {test}\n\n\
         test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n"
    )
}

const PASSING: &str = "\nrunning 1 test\ntest good ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n";

/// Returns cargo's message about a failed program.
fn failure(args: &str) -> String {
    format!("error: test failed, to rerun pass `{args}`\n")
}

/// Captured with cargo 1.95 over two packages with tests of equal names, with `--no-fail-fast`.
#[test]
fn tests_with_equal_names_in_two_programs_are_two_findings() {
    check(
        LOUD.0,
        LOUD.1,
        101,
        str![[r#"
error mine failed a tests::dep: no entry found for key
  --> a/src/lib.rs 17:95-17:95
error mine failed a tests::works: assertion `left == right` failed: in lib
  --> a/src/lib.rs 13:18-13:18
    left: 1
 right: 2
error mine failed a/src/lib.rs - f #2: assertion `left == right` failed
  --> a/src/lib.rs 6:1-7:1
    left: 1
 right: 2
error mine failed a::it tests::works: in it
  --> a/tests/it.rs 1:34-1:34
error mine failed b tests::dep: no entry found for key
  --> b/src/lib.rs 17:95-17:95
error mine failed b tests::works: assertion `left == right` failed: in lib
  --> b/src/lib.rs 13:18-13:18
    left: 1
 right: 2
error mine failed b/src/lib.rs - f #2: assertion `left == right` failed
  --> b/src/lib.rs 6:1-7:1
    left: 1
 right: 2
error mine failed b::it tests::works: in it
  --> b/tests/it.rs 1:34-1:34

"#]],
    );
}

#[test]
fn each_failure_is_a_separate_finding_with_quiet_too() {
    check(
        QUIET.0,
        QUIET.1,
        101,
        str![[r#"
error mine failed a tests::dep: no entry found for key
  --> a/src/lib.rs 17:95-17:95
error mine failed a tests::works: assertion `left == right` failed: in lib
  --> a/src/lib.rs 13:18-13:18
    left: 1
 right: 2
error mine failed a/src/lib.rs - f: assertion `left == right` failed
  --> a/src/lib.rs 6:1-7:1
    left: 1
 right: 2
error mine failed a::it tests::works: in it
  --> a/tests/it.rs 1:34-1:34
error mine failed b tests::dep: no entry found for key
  --> b/src/lib.rs 17:95-17:95
error mine failed b tests::works: assertion `left == right` failed: in lib
  --> b/src/lib.rs 13:18-13:18
    left: 1
 right: 2
error mine failed b/src/lib.rs - f: assertion `left == right` failed
  --> b/src/lib.rs 6:1-7:1
    left: 1
 right: 2
error mine failed b::it tests::works: in it
  --> b/tests/it.rs 1:34-1:34

"#]],
    );
}

#[test]
fn merged_streams_are_read_too() {
    let (stdout, stderr) =
        (failing("works") + &failing("works"), failure("-p a --lib") + &failure("-p b --lib"));
    let end = "error: 2 targets failed:\n    `-p a --lib`\n    `-p b --lib`\n";
    let apart = shown(&stdout, &format!("{stderr}{end}"), 101);
    let both = format!(
        "     Running unittests src/lib.rs (target/debug/deps/a-0123456789abcdef)\n{}{}{}{}{end}",
        failing("works"),
        failure("-p a --lib"),
        failing("works"),
        failure("-p b --lib"),
    );
    assert_eq!(shown(&both, "", 101), apart);
    assert!(apart.contains(" a works: ") && apart.contains(" b works: "), "{apart}");
}

#[test]
fn cargo_stopping_at_the_first_failure_is_a_gap() {
    check(
        &failing("works"),
        &failure("-p a --lib"),
        101,
        "error mine failed a works: test failed\n\
         gap: cargo stopped at the first failed target; pass `--no-fail-fast` to run all of them\n",
    );
}

#[test]
fn a_mismatch_of_failures_and_reports_is_a_gap() {
    let end = |count: usize| format!("error: {count} targets failed:\n    `…`\n");
    // One of two failed programs has no report, so the owner of the report is unknown.
    check(
        &failing("works"),
        &format!("{}{}{}", failure("-p a --lib"), failure("-p b --lib"), end(2)),
        101,
        "error mine failed works: test failed\n\
         gap: cargo names 2 programs with failed tests, but 1 program reports failures\n",
    );
    check(
        &(failing("works") + &failing("works2")),
        &format!("{}error: 1 target failed:\n    `…`\n", failure("-p a --lib")),
        101,
        "error mine failed works: test failed\nerror mine failed works2: test failed\n\
         gap: cargo names 1 program with failed tests, but 2 programs report failures\n",
    );
    check(
        &failing("works"),
        &format!("{}{}", failure("-p a --lib"), end(2)),
        101,
        "error mine failed a works: test failed\ngap: cargo counts 2 failed targets but names 1\n",
    );
    // Without messages of cargo, two programs cannot be distinguished.
    check(
        &(failing("works") + PASSING),
        "",
        101,
        "error mine failed works: test failed\n\
         gap: cargo names 0 programs with failed tests, but 1 program reports failures\n",
    );
    check(&failing("works"), "", 101, "error mine failed works: test failed\n");
    check(&(PASSING.to_owned() + PASSING), "", 0, "");
}

#[test]
fn a_program_with_a_custom_harness_is_one_finding() {
    let end = "error: 1 target failed:\n    `-p a --test it`\n";
    check("all broken\n", &(failure("-p a --test it") + end), 101, "error mine failed a::it: test failed\n");
    let with_code = format!(
        "{}\nCaused by:\n  process didn't exit successfully: `/w/ws/target/debug/deps/it-0` (exit status: 7)\n{end}",
        failure("-p a --test it")
    );
    check(PASSING, &with_code, 101, "error mine failed a::it: test failed\n");
    // rustc's harness does not exit like that.
    check(
        &failing("works"),
        &with_code,
        101,
        "error mine failed works: test failed\ngap: test failed, to rerun pass `-p a --test it`\n",
    );
}

#[test]
fn a_crashed_program_is_a_gap_and_keeps_the_failures_of_others() {
    let stderr = format!(
        "{}\nCaused by:\n  process didn't exit successfully: `/w/ws/target/debug/deps/a-0` (signal: 6, SIGABRT: process abort signal)\n\
         {}error: 2 targets failed:\n    `-p a --lib`\n    `-p b --lib`\n",
        failure("-p a --lib"),
        failure("-p b --lib"),
    );
    for begin in ["\nrunning 2 tests\n", "\nrunning 1 test\n"] {
        check(
            &format!("{begin}{}{PASSING}", failing("works")),
            &stderr,
            101,
            "error mine failed b works: test failed\ngap: test failed, to rerun pass `-p a --lib`\n",
        );
    }
    check("\nrunning 2 tests\n", "", 101, "unparsable: exited with 101 before its tests finished\n");
    let compile =
        "error[E0308]: mismatched types\nerror: could not compile `b` (lib) due to 1 previous error\n";
    check("", compile, 101, "gap: build failed: not all code compiles\n");
}

#[test]
fn output_of_a_test_is_not_taken_for_its_report() {
    let end = failure("-p a --lib") + "error: 1 target failed:\n    `-p a --lib`\n";
    for printed in
        [PASSING, "\nrunning 1 test\n", "running 9 tests\n", &failing("other"), "test result: ok. 9 passed\n"]
    {
        let stdout = failing("works").replacen("test works", &format!("{printed}test works"), 1);
        check(&stdout, &end, 101, "error mine failed a works: test failed\n");
    }
}

#[test]
fn without_a_package_the_only_match_is_used() {
    let name = |workspace: &Workspace, args: &str| {
        let stderr = failure(args) + "error: 1 target failed:\n    `…`\n";
        let tool = tool("mine", Parse::Libtest, &["cargo", "test"]);
        let parsed = run(workspace, &tool, &[Unit::Workspace], failing("works"), stderr, 101).unwrap();
        parsed.diagnostics[0].place.name()
    };
    let lib = [(TargetKind::Lib, "src/lib.rs"), (TargetKind::Bin, "src/main.rs")];
    assert_eq!(name(&workspace(&[("x", &lib)], &[]), "--bin x"), "x::bin/x works");
    let root = workspace(&[("", &[(TargetKind::Lib, "src/lib.rs")]), ("x", &lib)], &[]);
    assert_eq!(name(&root, "--lib"), " works");
    assert_eq!(name(&root, "--bin x"), "x::bin/x works");
    assert_eq!(name(&sample(), "--test it"), "--test it works");
}
