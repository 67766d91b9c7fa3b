use std::collections::BTreeSet;

use snapbox::{assert_data_eq, str};

use crate::model::task::Unit;
use crate::model::tool::Parse;
use crate::model::workspace::PackageId;
use crate::normalize::testing::{run, show, tool, with_cases, workspace};

#[track_caller]
fn check(stderr: &str, code: i32, expected: impl snapbox::IntoData) {
    let tool = tool("nextest", Parse::Nextest, &["cargo"]);
    let files =
        ["alpha/src/lib.rs", "alpha/src/main.rs", "alpha/tests/it.rs", "mac/src/lib.rs", "src/lib.rs"];
    let workspace = workspace(&[("", &[]), ("alpha", &[]), ("mac", &[])], &files);
    let shown = match run(&workspace, &tool, &[Unit::Workspace], "", stderr, code) {
        Ok(parsed) => show(&parsed),
        Err(error) => format!("unparsable: {error}\n"),
    };
    assert_data_eq!(shown, expected.into_data().raw());
}

/// Captured with cargo-nextest 0.9.143.
#[test]
fn each_failed_test_is_one_finding() {
    check(
        include_str!("../testdata/nextest.stderr"),
        100,
        str![[r#"
error test failed alpha tests::bad: assertion `left == right` failed: with message
  --> alpha/src/lib.rs 29:102-29:102
  of lines
  left: 1
 right: 2
error test failed alpha tests::bad_abort: test aborted with signal 6: SIGABRT
error test failed alpha tests::bad_err: Error: "nope"
error test failed alpha tests::sp_not: test did not panic as expected
  --> alpha/src/lib.rs 33:30-33:30
error test failed alpha tests::sp_other: panic did not contain expected string
  --> alpha/src/lib.rs 34:58-34:58
        panic message: "x"
 expected substring: "abc"
x
error test failed alpha::bin/alpha in_bin: in bin
  --> alpha/src/main.rs 2:22-2:22
error test failed alpha::it m::name: main
  --> alpha/tests/it.rs 1:91-1:91
error test failed mac unit_bad: macro bad
  --> mac/src/lib.rs 2:24-2:24

"#]],
    );
}

/// Returns the group, run and failed counts, for each group.
fn census(stderr: &str, code: i32) -> Vec<String> {
    let tool = tool("nextest", Parse::Nextest, &["cargo"]);
    let parsed = run(&workspace(&[], &[]), &tool, &[Unit::Workspace], "", stderr, code).unwrap();
    let shown = parsed.census.tests.iter().map(|(group, tests)| {
        let tests = tests.unwrap();
        assert_eq!(tests.run, tests.passed + tests.failed);
        format!("{group:?} {} {} {:?}", tests.run, tests.failed, tests.skipped)
    });
    shown.collect()
}

#[test]
fn tests_are_counted_by_target_if_each_has_a_line() {
    let lines = "        PASS [   0.008s] (1/4) alpha::it one\n  TRY 1 FAIL [   0.008s] (-/-) alpha two\n  TRY 2 PASS [   0.008s] (2/4) alpha two\n        \
                 FAIL [   0.316s] (3/4) alpha three\n        PASS [   0.1s] (4/4) alpha::bin/alpha one\n";
    let summary = |run: u32| {
        format!(
            "{RULE}\n     Summary [   0.331s] {run} tests run: {} passed (1 flaky), 1 failed, 3 skipped\n        \
                 FAIL [   0.316s] (3/4) alpha three\nerror: test run failed\n",
            run - 1
        )
    };
    let expected = [
        "Target(\"alpha\") 2 1 None",
        "Target(\"alpha::bin/alpha\") 1 0 None",
        "Target(\"alpha::it\") 1 0 None",
        "Unknown 0 0 Some(3)",
    ];
    assert_eq!(census(&format!("{lines}{}", summary(4)), 100), expected);
    assert_eq!(
        census(&format!("{lines}{}", summary(5)), 100),
        ["Unknown 5 1 Some(3)"],
        "one test has no line"
    );
    assert_eq!(census("", 4), ["Unknown 0 0 None"]);
}

/// Returns the end of an output with these lines after the rule.
fn summary(lines: &str) -> String {
    format!("{RULE}\n{lines}error: test run failed\n")
}

const RULE: &str = "────────────";

/// Every status of a failed test in the sources of cargo-nextest 0.9.144, and some of passed tests.
const FAILED: [&str; 24] = [
    "FAIL",
    "FAIL + LEAK",
    "SIGABRT",
    "SIGSEGV",
    "ABORT",
    "ABORT SIG 40",
    "XFAIL",
    "LEAK-FAIL",
    "TIMEOUT",
    "FLKY-FL 2/3",
    "TRY 2 FAIL",
    "TRY 2 FL+LK",
    "TRY 2 ABRT",
    "TRY 2 SEGV",
    "TRY 2 SIG 40",
    "TRY 2 ABORT",
    "TRY 2 XFAIL",
    "TRY 2 LKFAIL",
    "TRY 3 TMT",
    "SIGABRT (core dumped)",
    "EXECFAIL",
    "BROKEN",
    "TRY 10 GONE-BAD",
    "SOME NEW WORDS",
];

const PASSED: [&str; 12] = [
    "PASS",
    "LEAK",
    "SLOW",
    "SLOW + LEAK",
    "SLOW+TMPASS",
    "TIMEOUT-PASS",
    "FLAKY 2/3",
    "TRY 2 PASS",
    "TRY 2 LEAK",
    "TRY 2 TMPASS",
    "FLAKY 10/12",
    "SKIP",
];

#[test]
fn statuses_of_failed_tests_are_recognized() {
    for status in FAILED {
        let end = |status: &str| {
            summary(&format!(
                "     Summary [   2.087s] 3 tests run: 1 passed (1 flaky), 2 failed, 0 skipped\n\
                 \u{20}       FAIL [   0.010s] (1/3) a::it other\n{status:>12} [>  0.209s] (3/3) a::it with spaces\n"
            ))
        };
        let why = match status.starts_with("FLKY") {
            true => "passed on a retry, and is configured to fail then",
            false => "test failed",
        };
        let both = "error test failed a::it other: test failed\nerror test failed a::it with spaces: ";
        check(&end(status), 100, format!("{both}{why}\n"));
    }
    for status in PASSED {
        check(
            &summary(&format!(
                "     Summary [   2.087s] 2 tests run: 1 passed (1 flaky), 1 failed, 0 skipped\n\
                 {status:>12} [   0.056s] (1/2) a::it good\n        FAIL [   0.010s] (2/2) a::it bad\n"
            )),
            100,
            match status.starts_with("FLAKY") {
                true => {
                    "error test failed a::it bad: test failed\nnote genti flaky a::it good: failed, and passed when it was run again\n  test failed\n"
                }
                false => "error test failed a::it bad: test failed\n",
            },
        );
    }
}

/// Captured with cargo-nextest 0.9.143 with retries and time limits, on tests that leak, abort, exit and pass on the
/// second attempt.
#[test]
fn every_kind_of_failure_counts() {
    check(
        include_str!("../testdata/nextest-retries.stderr"),
        100,
        str![[r#"
error test failed nx tests::aborts: test aborted with signal 6: SIGABRT
error test failed nx tests::exits: test failed with exit code 3
error test failed nx tests::fails: assertion `left == right` failed
  --> src/lib.rs 7:26-7:26
    left: 1
 right: 2
error test failed nx tests::fails_leaky: leaky and failing
  --> src/lib.rs 6:40-6:40
error test failed nx tests::flaky_fail: passed on a retry, and is configured to fail then
error test failed nx tests::leak_fail: test failed: exited with code 0, but leaked handles
error test failed nx tests::slow: test timed out

"#]],
    );
}

#[test]
fn unknown_kinds_of_failure_and_stress_runs_are_read() {
    check(
        &summary(
            "     Summary [   2.087s] 9 tests run: 1 passed (1 flaky), 2 failed (1 due to being leaky), 2 exec failed, \
             1 timed out, 3 broken (1 worse, 1 better), 4 skipped\n\
             \u{20}  FLAKY 2/2 [   0.056s] (1/9) a::it flaky\n\
             \u{20} TRY 2 FAIL [   0.056s] (2/9) a::it with spaces\n\
             TRY 2 LKFAIL [   0.209s] (3/9) a::it leak\n\
             \u{20}  TRY 2 TMT [>  1.002s] (4/9) a::it slow\n\
             \u{20}      XFAIL [   1.002s] (5/9) a::bin/x x\n\
             \u{20}      XFAIL [   1.002s] a::bin/x y\n\
             \u{20}     BROKEN [   1.002s] [1/2] (─────) a::bin/x z\n\
             \u{20}     BROKEN [   1.002s] [ 2/20] ( 7/9) a::bin/x z2\n\
             \u{20}     BROKEN [   1.002s] [3] a::bin/x z3\n",
        ),
        100,
        str![[r#"
error test failed a::bin/x x: test failed
error test failed a::bin/x y: test failed
error test failed a::bin/x z: test failed
error test failed a::bin/x z2: test failed
error test failed a::bin/x z3: test failed
note genti flaky a::it flaky: failed, and passed when it was run again
  test failed
error test failed a::it leak: test failed
error test failed a::it slow: test failed
error test failed a::it with spaces: test failed

"#]],
    );
}

#[test]
fn passing_tests_that_leave_processes_running_are_leaky() {
    let is_leaky = |counts: &str| {
        let stderr = summary(&format!("     Summary [ 0.1s] 9 tests run: {counts}, 0 skipped\n"));
        let tool = tool("nextest", Parse::Nextest, &["cargo"]);
        run(&workspace(&[], &[]), &tool, &[Unit::Workspace], "", stderr, 0).unwrap().is_leaky
    };
    assert!(is_leaky("9 passed (1 leaky)") && is_leaky("9 passed (1 slow, 2 flaky, 10 leaky)"));
    assert!(!is_leaky("9 passed") && !is_leaky("9 passed (1 slow)"));
}

#[test]
fn leaky_tests_are_named_if_each_has_a_line() {
    let leaks = |leaky: u32| {
        let stderr = format!(
            "        LEAK [   0.216s] (1/3) a::it leaks\n SLOW + LEAK [   0.216s] (2/3) a::it slow\n        PASS [   0.1s] (3/3) a::it ok\n{}",
            summary(&format!("     Summary [ 0.1s] 3 tests run: 3 passed ({leaky} leaky), 0 skipped\n"))
        );
        let tool = tool("nextest", Parse::Nextest, &["cargo"]);
        let parsed = run(&workspace(&[], &[]), &tool, &[Unit::Workspace], "", stderr, 0).unwrap();
        parsed.leaks.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(leaks(2), ["a::it leaks", "a::it slow"]);
    assert!(leaks(3).is_empty(), "the list is not complete");
}

#[test]
fn output_of_a_test_is_not_taken_for_a_summary() {
    let printed = format!(
        "        FAIL [   0.013s] (1/1) a::it bad\n  stdout ───\n\n    {RULE}\n         Summary [   0.106s] 1 tests run: 1 passed, 0 skipped\n\
         \u{20}           FAIL [   0.013s] (1/1) a::it other\n      stdout ───\n\n"
    );
    let end = summary(
        "     Summary [ 0.1s] 1 test run: 0 passed, 1 failed, 0 skipped\n        FAIL [ 0.0s] (1/1) a::it bad\n",
    );
    check(
        &format!("{printed}{end}"),
        100,
        str![[r#"
error test failed a::it bad: test failed
  ────────────
     Summary [   [TIME]] 1 tests run: 1 passed, 0 skipped
        FAIL [   [TIME]] (1/1) a::it other
  stdout ───

"#]],
    );
    check(&printed, 100, "unparsable: cargo nextest exited with 100 without printing a summary\n");
}

#[test]
fn inconsistent_counts_are_a_gap() {
    let one = "     Summary [ 0.1s] 2 tests run: 1 passed, 1 failed, 0 skipped\n        FAIL [ 0.0s] (1/1) a::it bad\n";
    let none = "     Summary [ 0.1s] 2 tests run: 2 passed, 0 skipped\n";
    check(&summary(none), 0, "");
    check(
        &summary(one),
        0,
        "unparsable: exited with 0: the summary counts 1 failed tests, but 1 are listed\n",
    );
    check(
        &summary(none),
        100,
        "unparsable: exited with 100: the summary counts 0 failed tests, but 0 are listed\n",
    );
    check(
        &summary(&one.replace("1 failed", "2 failed")),
        100,
        "error test failed a::it bad: test failed\ngap: the summary counts 2 failed tests, but 1 are listed\n",
    );
    check(
        &summary(&one.replace("1 failed", "one failed")),
        100,
        "unparsable: cargo nextest exited with 100 without printing a summary\n",
    );
    // The listed tests are reported, with a gap for the rest.
    check(
        &summary(&one.replace("1 passed, 1 failed", "2 failed")),
        100,
        "error test failed a::it bad: test failed\ngap: the summary counts 2 failed tests, but 1 are listed\n",
    );
    check(
        &summary(&format!("{one}        FAIL [ 0.0s] (1/1) a::it worse\n")),
        100,
        "unparsable: exited with 100: the summary counts 1 failed tests, but 2 are listed\n",
    );
    check(&summary(&none.replace("2 tests", "2/9 tests")), 100, "gap: not all tests were run\n");
    check(
        &summary(&one.replace("2 tests", "2/9 tests")),
        100,
        "error test failed a::it bad: test failed\ngap: not all tests were run\n",
    );
    check("", 0, "unparsable: cargo nextest exited with 0 without printing a summary\n");
    check("error: creating test list failed\n", 104, "gap: creating test list failed\n");
    check("", 4, "");
}

/// Captured with cargo-nextest 0.9.143 with trycmd 1.2.1, snapbox 1.2.2 and insta 1.49.0. Same findings as for libtest.
#[test]
fn failed_cases_and_snapshots_are_findings_at_their_places() {
    let workspace = with_cases();
    let parse = |parse, unit, stdout, stderr, code| {
        let name = if parse == Parse::Nextest { "nextest" } else { "test" };
        let parsed = run(&workspace, &tool(name, parse, &["cargo"]), &[unit], stdout, stderr, code).unwrap();
        let what =
            parsed.diagnostics.into_iter().map(|found| (found.ns, found.rule, found.place, found.message));
        what.collect::<BTreeSet<_>>()
    };
    let nextest = include_str!("../testdata/nextest-cases.stderr");
    let nextest = parse(Parse::Nextest, Unit::Workspace, "", nextest, 100);
    let program = |at| Unit::TargetRoot(PackageId(0), at);
    let (stdout, stderr) =
        (include_str!("../testdata/trycmd.stdout"), include_str!("../testdata/trycmd.stderr"));
    let mut libtest = parse(Parse::Libtest, program(0), stdout, stderr, 101);
    let stdout = include_str!("../testdata/snapshots.stdout");
    libtest.extend(parse(Parse::Libtest, program(1), stdout, "", 101));
    assert_eq!(nextest, libtest);
}
