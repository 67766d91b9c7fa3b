use snapbox::{assert_data_eq, str};

use super::*;
use crate::model::census::Tests;
use crate::model::tool::{Parse, Per};
use crate::model::workspace::{PackageId, TargetKind, Workspace};
use crate::normalize::testing::{run, show, tool, with_cases, workspace};

fn sample() -> Workspace {
    let alpha = [(TargetKind::Lib, "alpha/src/lib.rs"), (TargetKind::Test, "alpha/tests/it.rs")];
    workspace(
        &[("alpha", &alpha), ("beta", &[(TargetKind::Lib, "beta/src/lib.rs")])],
        &["alpha/src/lib.rs", "alpha/tests/it.rs", "beta/src/lib.rs"],
    )
}

const LIB: Unit = Unit::TargetRoot(PackageId(0), 0);
const IT: Unit = Unit::TargetRoot(PackageId(0), 1);

#[track_caller]
fn check(unit: Unit, stdout: &str, stderr: &str, code: i32, expected: impl snapbox::IntoData) {
    let mut test = tool("test", Parse::Libtest, &["test"]);
    test.per = if unit == Unit::Workspace { Per::Workspace } else { Per::TestTarget };
    let shown = match run(&sample(), &test, &[unit], stdout, stderr, code) {
        Ok(parsed) => show(&parsed),
        Err(error) => format!("unparsable: {error}\n"),
    };
    assert_data_eq!(shown, expected.into_data().raw());
}

/// Returns the report of a program with one passing and one failing test, with extra output of these tests.
fn report(printed: &str, output: &str) -> String {
    format!(
        "\nrunning 2 tests\ntest good ... ok\n{printed}test bad ... FAILED\n\nfailures:\n\n---- bad stdout ----\n{output}\n\n\
         failures:\n    bad\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n"
    )
}

const PANIC: &str = "thread 'bad' (7) panicked at alpha/tests/it.rs:3:5:\nboom";
const BAD: &str = "\
error test failed alpha::it bad: boom
  --> alpha/tests/it.rs 3:5-3:5
";

/// Checks the census as group, run, failed, ignored and filtered out, for each group.
#[track_caller]
fn check_census(unit: Unit, stdout: &str, stderr: &str, code: i32, expected: &[&str]) {
    let mut test = tool("test", Parse::Libtest, &["test"]);
    test.per = if unit == Unit::Workspace { Per::Workspace } else { Per::TestTarget };
    let parsed = run(&sample(), &test, &[unit], stdout, stderr, code).unwrap();
    let shown = parsed.census.tests.iter().map(|(group, tests)| match tests {
        Some(Tests { run, failed, ignored, filtered_out, .. }) => {
            format!("{group:?} {run} {failed} {} {}", ignored.unwrap(), filtered_out.unwrap())
        }
        None => format!("{group:?}"),
    });
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn tests_of_a_program_are_counted_as_by_its_harness() {
    check_census(IT, &report("", ""), "", 101, &["Target(\"alpha::it\") 2 1 0 0"]);
    check_census(LIB, include_str!("../testdata/libtest.stdout"), "", 101, &["Target(\"alpha\") 7 4 1 0"]);
    check_census(IT, "whatever\n", "", 0, &["Target(\"alpha::it\")"]);
}

#[test]
fn cargo_test_counts_tests_per_target_and_doc_tests_per_package() {
    let of = |passed: usize| {
        format!(
            "\nrunning {passed} tests\n\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; 1 filtered out\n"
        )
    };
    let stdout = [of(1), of(2), of(3)].concat();
    let started = "     Running unittests src/lib.rs (target/debug/deps/beta-0123456789abcdef)\n     \
                   Running tests/it.rs (target/debug/deps/it-0123456789abcdef)\n   Doc-tests beta\n";
    let expected = ["Target(\"alpha::it\") 2 0 0 1", "Target(\"beta\") 1 0 0 1", "Package(\"beta\") 3 0 0 1"];
    check_census(Unit::Workspace, &stdout, started, 0, &expected);
    // If the assignment is ambiguous, only the total is known.
    let (first, _) = started.split_once('\n').unwrap();
    check_census(Unit::Workspace, &stdout, first, 0, &["Unknown 6 0 0 3"]);
}

#[test]
fn doc_tests_reported_in_several_parts_belong_to_their_package() {
    let (stdout, stderr) =
        (include_str!("../testdata/doctest.stdout"), include_str!("../testdata/doctest.stderr"));
    let stderr = &stderr.replace("mac", "beta");
    check_census(
        Unit::Workspace,
        stdout,
        stderr,
        101,
        &["Package(\"alpha\") 6 2 1 0", "Package(\"beta\") 4 3 0 0"],
    );
}

/// Captured with Rust 1.95.
#[test]
fn each_failed_test_of_a_program_is_one_finding() {
    check(
        LIB,
        include_str!("../testdata/libtest.stdout"),
        "",
        101,
        str![[r#"
error test failed alpha tests::bad: assertion `left == right` failed: with message
  --> alpha/src/lib.rs 29:56-29:56
  of lines
  left: 1
 right: 2
error test failed alpha tests::bad_err: Error: "nope"
error test failed alpha tests::sp_not: test did not panic as expected
  --> alpha/src/lib.rs 33:30-33:30
error test failed alpha tests::sp_other: panic did not contain expected string
  --> alpha/src/lib.rs 34:58-34:58
        panic message: "x"
 expected substring: "abc"
x

"#]],
    );
}

/// Captured with Rust 1.95, for a crate of edition 2024, whose doc tests are merged, and one of edition 2021.
#[test]
fn doc_tests_are_distinguished_without_their_lines() {
    check(
        Unit::Workspace,
        include_str!("../testdata/doctest.stdout"),
        include_str!("../testdata/doctest.stderr"),
        101,
        str![[r#"
error test failed alpha/src/lib.rs - add #2: assertion `left == right` failed
  --> alpha/src/lib.rs 7:1-8:1
    left: 3
 right: 4
error test failed alpha/src/lib.rs - add #7: hi
  --> alpha/src/lib.rs 22:1-23:1
error test failed beta/src/lib.rs - S::m: multi
  --> beta/src/lib.rs 11:1-12:1
  line
error test failed beta/src/lib.rs - b: assertion `left == right` failed
  --> beta/src/lib.rs 1:1-2:1
    left: 1
 right: 2
error test failed beta/src/lib.rs - b #2: error[E0308]: mismatched types
  --> beta/src/lib.rs 4:1-5:1
   --> beta/src/lib.rs:5:14
  |
5 | let x: u32 = "";
  |        ---   ^^ expected `u32`, found `&str`
  |        |
  |        expected due to this

error: aborting due to 1 previous error

For more information about this error, try `rustc --explain E0308`.
Couldn't compile the test.

"#]],
    );
}

#[test]
fn a_program_whose_tests_pass_is_clean() {
    let of = |total: usize, rest: &str| {
        format!("\nrunning {total} tests\ntest result: ok. {rest}; 3 filtered out; finished in 1.00s\n\n")
    };
    check(LIB, &of(0, "0 passed; 0 failed; 0 ignored; 0 measured"), "", 0, "");
    check(LIB, &of(9, "4 passed; 0 failed; 3 ignored; 2 measured"), "", 0, "");
    check(
        LIB,
        "running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        "",
        0,
        "",
    );
}

#[test]
fn output_of_tests_does_not_matter() {
    let hostile = [
        "",
        "no newline at the end",
        "running 7 tests\n",
        "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        "test other ... FAILED\n",
        "failures:\n    other\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        "failures:\n\n---- bad stdout ----\nnot this\n",
        "\u{1b}[31mred\u{1b}[0m\n",
    ];
    for printed in hostile {
        check(
            IT,
            &report(printed, PANIC),
            "",
            101,
            if printed.contains("---- bad") { NAME_ONLY } else { BAD },
        );
        // The same in the captured output of the failed test, where it comes before the panic.
        let captured = format!("{printed}\n{PANIC}");
        let is_unclear = printed.contains("---- bad");
        check(IT, &report("", &captured), "", 101, if is_unclear { NAME_ONLY } else { BAD });
    }
}

const NAME_ONLY: &str = "error test failed alpha::it bad: test failed\n";

#[test]
fn hints_and_backtraces_are_dropped() {
    for behind in [
        "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
        "stack backtrace:\n   0: one\n             at ./a.rs:1:2\n   1: two\nnote: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n",
        "\nthread '<unnamed>' (8) panicked at alpha/src/lib.rs:9:9:\nlater\n",
    ] {
        check(IT, &report("", &format!("{PANIC}\n{behind}")), "", 101, BAD);
        let before = format!("thread '<unnamed>' (8) panicked at alpha/src/lib.rs:9:9:\nearlier\n{behind}");
        check(IT, &report("", &format!("{before}\n{PANIC}")), "", 101, BAD);
    }
}

#[test]
fn a_program_that_exits_early_has_no_result() {
    let whole = report("", PANIC);
    for end in (0..whole.len()).filter(|end| whole[..*end].contains("running 2 tests\n")) {
        let is_done = whole[..end].ends_with("0 filtered out") || whole[..end].contains("filtered out; ");
        if !is_done {
            check(IT, &whole[..end], "", 101, "unparsable: exited with 101 before its tests finished\n");
        }
    }
    check(IT, "running 2 tests\n", "", 0, "unparsable: exited with 0 before its tests finished\n");
    check(IT, &whole, "", 134, "unparsable: exited with 134\n");
}

#[test]
fn a_report_must_match_the_exit_code() {
    let whole = report("", PANIC);
    check(IT, &whole, "", 0, "unparsable: exited with 0 although some of its tests failed\n");
    check(IT, &whole, "", 1, "unparsable: exited with 1 although some of its tests failed\n");
    let passed = "running 1 test\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s\n";
    check(IT, passed, "", 101, "unparsable: exited with 101 although its tests passed\n");
    for broken in [
        whole.replace("running 2", "running 3"),
        whole.replace("1 passed", "0 passed"),
        whole.replace("    bad\n", "    bad\n    worse\n"),
        whole.replace("    bad\n", ""),
        whole.replace("FAILED. 1", "ok. 1"),
        whole.replace("1 failed", "99999999999999999999999 failed"),
    ] {
        check(IT, &broken, "", 101, "unparsable: exited with 101 before its tests finished\n");
    }
}

#[test]
fn only_the_exit_code_of_a_custom_harness_counts() {
    check(IT, "all fine\n", "", 0, "");
    check(
        IT,
        "1 of 3 went wrong\n",
        "see above\n",
        2,
        str![[r#"
error test failed alpha::it: test failed
  1 of 3 went wrong
  see above

"#]],
    );
    check(IT, "", "", 127, "unparsable: exited with 127\n");
}

/// As printed by wasm-bindgen-test-runner 0.2.
#[test]
fn the_report_of_another_runner_is_read() {
    let wasm = include_str!("../testdata/wasm.stdout");
    let expected = str![[r#"
error test failed alpha::it wasm::also_fails: test did not panic as expected
error test failed alpha::it wasm::fails: assertion `left == right` failed
  --> alpha/tests/it.rs 9:5-9:5
    left: 1
 right: 2

"#]];
    check(IT, wasm, "", 1, expected.clone());
    // Without the counts that some versions omit, and as cargo shows it.
    let older = wasm.replace("; 0 filtered out; finished in 0.01s", "");
    check(IT, &older, "", 1, expected);
    for end in [
        "ok. 2 passed; 0 failed; 0 ignored\n",
        "ok. 2 passed; 0 failed; 0 ignored; 7 filtered out; finished in 0.1s\n",
        "ok. 2 passed\n",
    ] {
        check(IT, &format!("running 2 tests\ntest result: {end}"), "", 0, "");
        check(
            IT,
            &format!("running 2 tests\ntest result: {end}"),
            "",
            1,
            "unparsable: exited with 1 although its tests passed\n",
        );
        check(
            IT,
            &format!("running 3 tests\ntest result: {end}"),
            "",
            0,
            "unparsable: exited with 0 before its tests finished\n",
        );
        // It may be truncated.
        let cut = format!("running 2 tests\ntest result: {}", end.trim_end());
        check(IT, &cut, "", 0, "unparsable: exited with 0 before its tests finished\n");
    }
    check(IT, wasm, "", 0, "unparsable: exited with 0 although some of its tests failed\n");
    let cargo = "error: test failed, to rerun pass `-p alpha --test it`\n\nCaused by:\n  \
                 process didn't exit successfully: `wasm-bindgen-test-runner /w/ws/target/it.wasm` (exit status: 1)\n\
                 error: 1 target failed:\n    `-p alpha --test it`\n";
    let of_cargo = |stdout: &str| {
        let test = tool("test", Parse::Libtest, &["test"]);
        show(&run(&sample(), &test, &[Unit::Workspace], stdout, cargo, 101).unwrap())
    };
    let shown = of_cargo(wasm);
    assert!(shown.contains("failed alpha::it wasm::fails: ") && !shown.contains("gap"), "{shown}");
}

#[test]
fn output_that_is_not_a_test_report_is_rejected() {
    let json = "{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 2 }\n{ \"type\": \"test\", \"event\": \"started\", \"name\": \"a\" }\n";
    let junit = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><testsuites><testsuite name=\"test\" tests=\"1\"></testsuite></testsuites>\n";
    for unit in [IT, Unit::Workspace] {
        for code in [0, 101] {
            for stdout in [json, junit] {
                check(
                    unit,
                    stdout,
                    "",
                    code,
                    "unparsable: the tests report in another format; remove `--format`\n",
                );
            }
        }
        let listed = "tests::a: test\n\n1 test, 0 benchmarks\n";
        check(unit, listed, "", 0, "unparsable: the tests were listed but not run; remove `--list`\n");
    }
}

#[test]
fn failures_that_cannot_be_distinguished_are_a_gap() {
    let twice = "running 2 tests\ntest bad ... FAILED\ntest bad ... FAILED\n\nfailures:\n\nfailures:\n    bad\n    bad\n\n\
                 test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    check(
        IT,
        twice,
        "",
        101,
        "error test failed alpha::it bad: test failed\ngap: 2 tests failed but only 1 of them can be distinguished\n",
    );
}

#[test]
fn without_capture_the_panic_is_found_outside_the_report() {
    let whole = report("", "");
    let beside = |thread: &str| format!("thread '{thread}' (7) panicked at alpha/tests/it.rs:3:5:\nboom\n");
    check(IT, &whole, &format!("noise\n{}", beside("bad")), 101, BAD);
    check(IT, &whole, &beside("other"), 101, NAME_ONLY);
    check(IT, &whole, &(beside("bad") + &beside("bad")), 101, NAME_ONLY);
}

#[test]
fn only_sources_of_members_are_places_of_failures() {
    let at = |path: &str| {
        let text = report("", &PANIC.replace("alpha/tests/it.rs", path));
        let mut test = tool("test", Parse::Libtest, &["test"]);
        test.per = Per::TestTarget;
        let files = [
            "alpha/src/lib.rs",
            "alpha/tests/it.rs",
            "alpha/vendor/x/Cargo.toml",
            "alpha/vendor/x/src/lib.rs",
        ];
        let alpha = [(TargetKind::Lib, "alpha/src/lib.rs"), (TargetKind::Test, "alpha/tests/it.rs")];
        let workspace = workspace(&[("alpha", &alpha)], &files);
        let parsed = run(&workspace, &test, &[IT], text, "", 101).unwrap();
        let found = parsed.diagnostics[0].clone();
        assert_eq!(found.message, "boom");
        let beside =
            found.related.into_iter().map(|related| related.message + " " + &related.place.unwrap().name());
        found.test.unwrap().at.map_or_else(|| beside.collect(), |at| at.name())
    };
    assert_eq!(at("alpha/src/lib.rs"), "alpha/src/lib.rs");
    assert_eq!(at("/w/ws/alpha/src/lib.rs"), "alpha/src/lib.rs");
    // Generated next to the sources, and ignored by git.
    assert_eq!(at("alpha/src/generated.rs"), "alpha/src/generated.rs");
    assert_eq!(at("alpha/vendor/x/src/lib.rs"), "panicked alpha/vendor/x/src/lib.rs");
    assert_eq!(
        at("/home/me/.cargo/registry/src/x/y-1.0/src/lib.rs"),
        "panicked [HOME]/.cargo/registry/src/x/y-1.0/src/lib.rs"
    );
    assert_eq!(at("/rustc/abc/library/core/src/option.rs"), "panicked [OUTSIDE]/option.rs");
    assert_eq!(
        at("/w/ws/target/debug/build/x-0123456789abcdef/out/a.rs"),
        "panicked [TARGET]/debug/build/x-[HASH]/out/a.rs"
    );
}

#[test]
fn a_shuffled_report_is_read() {
    let shuffled = report("", PANIC).replace("running 2 tests", "running 2 tests (shuffle seed: 123456)");
    check(IT, &shuffled, "", 101, BAD);
}

#[test]
fn documentation_that_cannot_be_tested_is_a_gap() {
    let ok = "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let failed = "\nrunning 1 test\ntest beta/src/lib.rs - b (line 1) ... FAILED\n\nfailures:\n\nfailures:\n    beta/src/lib.rs - b (line 1)\n\n\
                  test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
    let two = "   Doc-tests alpha\n   Doc-tests beta\n";
    check(Unit::Workspace, &format!("{ok}{ok}"), two, 0, "");
    // One of them printed nothing.
    check(
        Unit::Workspace,
        ok,
        two,
        0,
        "gap: cargo ran the doc tests of 2 crates, but only 1 reported a result\n",
    );
    let broken = "   Doc-tests alpha\nerror: doctest failed, to rerun pass `-p alpha --doc`\n\nCaused by:\n  process didn't exit successfully: `rustdoc` (exit status: 1)\n   Doc-tests beta\n";
    check(
        Unit::Workspace,
        &format!("{ok}{ok}"),
        broken,
        101,
        "gap: doctest failed, to rerun pass `-p alpha --doc`\n",
    );
    // A failure in beta does not explain one in alpha.
    let both = "   Doc-tests alpha\nerror: doctest failed, to rerun pass `-p alpha --doc`\n   Doc-tests beta\nerror: doctest failed, to rerun pass `-p beta --doc`\n";
    check(
        Unit::Workspace,
        &format!("{ok}{failed}"),
        both,
        101,
        str![[r#"
error test failed beta/src/lib.rs - b: test failed
  --> beta/src/lib.rs 1:1-2:1
gap: doctest failed, to rerun pass `-p alpha --doc`

"#]],
    );
    let compile =
        "error[E0308]: mismatched types\nerror: could not compile `beta` (lib) due to 1 previous error\n";
    check(Unit::Workspace, "", compile, 101, "gap: build failed: not all code compiles\n");
    check(
        Unit::Workspace,
        "running 1 test\n",
        "",
        101,
        "unparsable: exited with 101 before its tests finished\n",
    );
}

#[test]
fn the_number_of_a_doc_test_does_not_depend_on_other_results() {
    let of = |first: &str| {
        let counts =
            if first == "ok" { "1 passed; 1 failed; 0 ignored" } else { "0 passed; 1 failed; 1 ignored" };
        format!(
            "\nrunning 2 tests\ntest b/src/lib.rs - f (line 3) - compile ... {first}\ntest b/src/lib.rs - f (line 9) ... FAILED\n\n\
             failures:\n\nfailures:\n    b/src/lib.rs - f (line 9)\n\n\
             test result: FAILED. {counts}; 0 measured; 0 filtered out; finished in 0.00s\n"
        )
    };
    for first in ["ok", "ignored"] {
        check(
            Unit::Workspace,
            &of(first),
            "",
            101,
            "error test failed b/src/lib.rs - f #2: test failed\n  --> b/src/lib.rs 9:1-10:1\n",
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_output_causes_a_panic(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "running 2 tests\n", "running 1 test\n", "test a ... ok\n", "test a ... FAILED\n", "failures:\n", "\n", "    a\n",
            "---- a stdout ----\n", "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n", "thread 'a' panicked at x:1:2:\n", "é",
        ]), 0..30),
        code in proptest::sample::select(vec![0, 1, 101]),
    ) {
        let test = tool("test", Parse::Libtest, &["test"]);
        for unit in [IT, Unit::Workspace] {
            let result = run(&sample(), &test, &[unit], parts.concat(), "", code);
            // Never clean if the exit code says otherwise.
            if let Ok(parsed) = result {
                assert!(code == 0 || !parsed.diagnostics.is_empty() || !parsed.gaps.is_empty());
                assert!(code != 0 || parsed.diagnostics.is_empty());
            }
        }
    }
}

#[track_caller]
fn check_cases(unit: u32, stdout: &str, stderr: &str, expected: impl snapbox::IntoData) {
    let mut test = tool("test", Parse::Libtest, &["test"]);
    test.per = Per::TestTarget;
    let units = [Unit::TargetRoot(PackageId(0), unit)];
    let parsed = run(&with_cases(), &test, &units, stdout, stderr, 101).unwrap();
    assert_data_eq!(show(&parsed), expected.into_data().raw());
}

const TRYCMD: (&str, &str) =
    (include_str!("../testdata/trycmd.stdout"), include_str!("../testdata/trycmd.stderr"));

/// Captured with trycmd 1.2.1.
#[test]
fn each_failed_trycmd_case_is_a_finding_at_its_place() {
    check_cases(
        0,
        TRYCMD.0,
        TRYCMD.1,
        str![[r#"
error test failed cases/tests/cmd/one.trycmd 10:1-11:1: test failed: `cases::cli cli`
  Exit: success

---- expected: stdout
++++ actual:   stdout
   1      - hello x
        1 + hello b
stderr:
error test failed cases/tests/cmd/one.trycmd 18:1-19:1: test failed: `cases::cli cli`
  Expected success, was 3
stdout:
hello bad
no

stderr:
error test failed cases/tests/cmd/three.toml: test failed: `cases::cli cli`
  Exit: success

---- expected: stdout
++++ actual:   stdout
   1      - hello q
        1 + hello d
stderr:
error test failed cases/tests/cmd/two.md 4:1-5:1: test failed: `cases::cli cli`
  Exit: success

---- expected: stdout
++++ actual:   stdout
   1      - hello z
        1 + hello c
stderr:

"#]],
    );
    // With absolute paths.
    let absolute = TRYCMD.1.replace("Testing ", "Testing /w/ws/cases/");
    let shown = |stderr: &str| {
        let mut test = tool("test", Parse::Libtest, &["test"]);
        test.per = Per::TestTarget;
        show(&run(&with_cases(), &test, &[LIB], TRYCMD.0, stderr, 101).unwrap())
    };
    assert_eq!(shown(&absolute), shown(TRYCMD.1));
}

#[test]
fn inconsistent_cases_make_the_test_the_finding() {
    let expected = str![[r#"
error test failed cases::cli cli: 4 of 3 tests failed
  panicked at [HOME]/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/trycmd-1.2.1/src/runner.rs 123:17-123:17

"#]];
    for stderr in [
        "".to_owned(),
        TRYCMD.1.replacen(" failed ", " ok ", 1),
        format!("{}Testing tests/cmd/two.md:9 ... failed 1ms\n", TRYCMD.1),
        TRYCMD.1.replace("two.md", "elsewhere.md"),
        TRYCMD.1.replace("tests/cmd/two.md", "../../../etc/two.md"),
    ] {
        check_cases(0, TRYCMD.0, &stderr, expected.clone());
    }
}

/// Captured with snapbox 1.2.2 and insta 1.49.0.
#[test]
fn a_snapshot_file_is_the_place_of_its_finding() {
    check_cases(
        1,
        include_str!("../testdata/snapshots.stdout"),
        "",
        str![[r#"
error test failed cases/tests/data/one.txt 2:1-3:1: test failed: `cases::snaps of_snapbox_in_a_file`
  panicked at cases/tests/snaps.rs 5:5-5:5
  ---- expected: tests/data/one.txt
++++ actual:   In-memory
   1    1 | one
   2      - two
        2 + 2

Update with SNAPSHOTS=overwrite
error test failed cases/tests/snapshots/snaps__named.snap: test failed: `cases::snaps of_insta_with_a_name`
  Snapshot file: cases/tests/snapshots/snaps__named.snap
Snapshot: named
Source: cases/tests/snaps.rs:24
────────────────────────────────────────────────────────────────────────────────
Expression: "one\n2\n"
────────────────────────────────────────────────────────────────────────────────
-old snapshot
+new results
────────────┬───────────────────────────────────────────────────────────────────
    1     1 │ one
    2       │-two
          2 │+2
────────────┴───────────────────────────────────────────────────────────────────
error test failed cases/tests/snapshots/snaps__of_insta_in_a_file.snap: test failed: `cases::snaps of_insta_in_a_file`
  Snapshot file: cases/tests/snapshots/snaps__of_insta_in_a_file.snap
Snapshot: of_insta_in_a_file
Source: cases/tests/snaps.rs:19
────────────────────────────────────────────────────────────────────────────────
Expression: "one\n2\n"
────────────────────────────────────────────────────────────────────────────────
-old snapshot
+new results
────────────┬───────────────────────────────────────────────────────────────────
    1     1 │ one
    2       │-two
          2 │+2
────────────┴───────────────────────────────────────────────────────────────────
error test failed cases::snaps of_insta_inline: snapshot assertion for 'of_insta_inline' failed in line 29
  panicked at [HOME]/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/insta-1.49.0/src/runtime.rs 734:13-734:13
error test failed cases::snaps of_insta_without_a_snapshot: snapshot assertion for 'of_insta_without_a_snapshot' failed in line 37
  panicked at [HOME]/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/insta-1.49.0/src/runtime.rs 734:13-734:13
error test failed cases::snaps of_snapbox_inline: test failed
  --> cases/tests/snaps.rs 10:5-10:5
  ---- expected: tests/snaps.rs:10:33
++++ actual:   In-memory
   1    1 | one
   2      - two
        2 + 2

Update with SNAPSHOTS=overwrite

"#]],
    );
}
