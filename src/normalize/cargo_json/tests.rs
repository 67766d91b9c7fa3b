use snapbox::str;

use crate::model::census::Census;
use crate::model::finding::Diagnostic;
use crate::model::task::Unit;
use crate::model::tool::Parse;
use crate::model::workspace::TargetKind::{Bin, BuildScript, Example, Lib, Test};
use crate::model::workspace::{PackageId, Workspace};
use crate::normalize::testing::{assert_shown, run, tool, workspace};
use crate::normalize::{Gap, Parsed, Traces, Unparsable};

const CLIPPY: &str = include_str!("../testdata/clippy.jsonl");
const CLIPPY_STDERR: &str = include_str!("../testdata/clippy.stderr");
const DOC: &str = include_str!("../testdata/doc.jsonl");
const DOC_STDERR: &str = include_str!("../testdata/doc.stderr");

/// `b` needs `a` and an external package, `c` needs `d`, `d` breaks a lint that it denies, `e` does not compile, and
/// the build script of `f` fails.
fn sample() -> Workspace {
    let mut workspace = workspace(
        &[
            ("a", &[(Example, "a/examples/ex.rs"), (Lib, "a/src/lib.rs"), (Test, "a/tests/it.rs")]),
            ("b", &[(Lib, "b/src/lib.rs"), (Bin, "b/src/main.rs")]),
            ("c", &[(Lib, "c/src/lib.rs")]),
            ("d", &[(Lib, "d/src/lib.rs")]),
            ("e", &[(Lib, "e/src/lib.rs")]),
            ("f", &[(BuildScript, "f/build.rs"), (Lib, "f/src/lib.rs")]),
        ],
        &[],
    );
    workspace.packages[1].dependencies = vec![PackageId(0)];
    workspace.packages[2].dependencies = vec![PackageId(3)];
    workspace
}

fn clippy(stdout: &str, stderr: &str, code: i32) -> Result<Parsed, Unparsable> {
    let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy", "--all-targets", "--keep-going"]);
    run(&sample(), &tool, &[Unit::Workspace], stdout, stderr, code)
}

/// Returns a message about the library of `package` with these JSON fields.
fn message(package: &str, fields: &str) -> String {
    format!(
        r#"{{"reason":"compiler-message","package_id":"path+file:///w/ws/{package}#0.1.0","target":{{"kind":["lib"],"name":"{package}"}},"message":{{{fields}}}}}"#
    )
}

/// Returns a lint at one place of `a/src/lib.rs` with more JSON fields.
fn lint(line: u32, rest: &str) -> String {
    let fields = format!(
        r#""message":"m","code":{{"code":"l"}},"level":"warning","spans":[{}],{rest}"#,
        span("a/src/lib.rs", line, "true", "null")
    );
    message("a", &fields)
}

#[test]
fn a_target_without_its_standard_library_is_no_finding() {
    let check = |name: &str, help: &str, expected: &str| {
        let error = message(
            name,
            &format!(
                r#""message":"can't find crate for `core`","code":{{"code":"E0463"}},"level":"error","spans":[{}],"children":[{{"message":"the `x86_64-unknown-none` target may not be installed","level":"note"}}{help}]"#,
                span(&format!("{name}/src/lib.rs"), 1, "true", "null")
            ),
        );
        let other = message("a", r#""message":"unknown macro","level":"error","spans":[]"#);
        let stdout = [error, other, r#"{"reason":"build-finished","success":false}"#.to_owned()].join("\n");
        let parsed = clippy(
            &stdout,
            &format!("error: could not compile `{name}` (lib) due to 1 previous error\n"),
            101,
        );
        let parsed = parsed.expect("readable");
        assert_eq!(parsed.diagnostics, [], "the code is not at fault");
        assert_eq!(parsed.gaps, [Gap::all(expected.to_owned())]);
    };
    let help = r#",{"message":"consider downloading the target with `rustup target add x86_64-unknown-none`","level":"help"}"#;
    let install = "target `x86_64-unknown-none` is not installed; install it with `rustup target add x86_64-unknown-none`";
    check("a", help, install);
    check("bytes", help, install);
    check("a", "", "the standard library of the target `x86_64-unknown-none` is not installed");
}

fn span(file: &str, line: u32, primary: &str, expansion: &str) -> String {
    format!(
        r#"{{"file_name":"{file}","line_start":{line},"column_start":1,"line_end":{line},"column_end":2,"is_primary":{primary},"expansion":{expansion}}}"#
    )
}

/// Returns the diagnostics of a successful run with these messages.
fn diagnostics(messages: &[String]) -> Vec<Diagnostic> {
    let done = [artifact("a", "lib", false), "{\"reason\":\"build-finished\",\"success\":true}\n".to_owned()];
    let stdout = [messages, &done].concat().join("\n");
    let parsed = clippy(&stdout, "", 0).expect("readable");
    assert_eq!(parsed.gaps, []);
    parsed.diagnostics
}

/// Returns cargo's message about a finished target of `package`.
fn artifact(package: &str, kind: &str, test: bool) -> String {
    format!(
        r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/ws/{package}#0.1.0","target":{{"kind":["{kind}"],"name":"{package}"}},"profile":{{"test":{test}}},"filenames":[]}}"#
    )
}

#[test]
fn a_failed_clippy_keeps_its_findings_and_reports_unchecked_packages() {
    let parsed = clippy(CLIPPY, CLIPPY_STDERR, 101).expect("readable");
    assert_shown(
        &parsed,
        str![[r#"
warning rustc unused_variables a/examples/ex.rs 1:17-1:18 @0: unused variable: `q`
  fix: if this is intentional, prefix it with an underscore
    a/examples/ex.rs 1:17-1:18 "_q"
warning rustc unused_variables a/src/lib.rs 2:43-2:49 @0: unused variable: `unused`
  in this expansion of `twice!` at a/src/lib.rs 5:14-5:23
  `unused` is captured in macro and introduced a unused variable at a/src/lib.rs 2:43-2:49
warning rustc unused_variables a/src/lib.rs 2:64-2:70 @0: unused variable: `unused`
  in this expansion of `twice!` at a/src/lib.rs 5:14-5:23
  `unused` is captured in macro and introduced a unused variable at a/src/lib.rs 2:64-2:70
warning clippy clippy::needless_return a/src/lib.rs 4:27-4:35 @0: unneeded `return` statement
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#needless_return
  fix: remove `return`
    a/src/lib.rs 4:27-4:35 "x"
    a/src/lib.rs 4:35-4:37 ""
warning rustc unused_variables a/src/lib.rs 5:29-5:30 @0: unused variable: `y`
  fix: if this is intentional, prefix it with an underscore
    a/src/lib.rs 5:29-5:30 "_y"
warning rustc unused_mut a/src/lib.rs 5:40-5:45 @0: variable does not need to be mutable
  fix: remove this `mut`
    a/src/lib.rs 5:40-5:44 ""
warning rustc unused_variables a/src/lib.rs 6:47-6:48 @0: unused variable: `v`
  fix: if this is intentional, prefix it with an underscore
    a/src/lib.rs 6:47-6:48 "_v"
warning clippy clippy::len_zero a/tests/it.rs 1:68-1:80 @0: length comparison to zero
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#len_zero
  fix: using `is_empty` is clearer and more explicit
    a/tests/it.rs 1:68-1:80 "x.is_empty()"
warning clippy clippy::needless_return b/src/lib.rs 1:21-1:35 @1: unneeded `return` statement
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#needless_return
  fix: remove `return`
    b/src/lib.rs 1:21-1:35 "a::f(1)"
    b/src/lib.rs 1:35-1:37 ""
error clippy clippy::needless_return d/src/lib.rs 2:27-2:35 @3: unneeded `return` statement
  for further information visit https://rust-lang.github.io/rust-clippy/rust-1.95.0/index.html#needless_return
  fix: remove `return`
    d/src/lib.rs 2:27-2:35 "x"
    d/src/lib.rs 2:35-2:37 ""
error rustc E0308 e/src/lib.rs 1:43-1:44 @4: mismatched types (fatal)
  expected `String`, found integer at e/src/lib.rs 1:43-1:44
  expected due to this at e/src/lib.rs 1:34-1:40
  try using a conversion method: `.to_string()` at e/src/lib.rs 1:44-1:44
  fix: try using a conversion method
    e/src/lib.rs 1:44-1:44 ".to_string()"
gap @2: not checked because `d` has errors
gap @4: `e` does not compile
gap @5: failed to run custom build command for `f v0.1.0 (f)`

"#]],
    );
}

#[test]
fn a_failed_doc_reports_unchecked_packages() {
    let tool = tool("doc", Parse::RustcJson, &["cargo", "doc", "--no-deps", "--keep-going"]);
    let parsed = run(&sample(), &tool, &[Unit::Workspace], DOC, DOC_STDERR, 101).expect("readable");
    assert_shown(
        &parsed,
        str![[r#"
warning rustc unused_variables a/src/lib.rs 2:43-2:49 @0: unused variable: `unused`
  in this expansion of `twice!` at a/src/lib.rs 5:14-5:23
  `unused` is captured in macro and introduced a unused variable at a/src/lib.rs 2:43-2:49
warning rustc unused_variables a/src/lib.rs 2:64-2:70 @0: unused variable: `unused`
  in this expansion of `twice!` at a/src/lib.rs 5:14-5:23
  `unused` is captured in macro and introduced a unused variable at a/src/lib.rs 2:64-2:70
warning rustdoc rustdoc::broken_intra_doc_links a/src/lib.rs 3:10-3:22 @0: unresolved link to `missing_link`
  no item named `missing_link` in scope at a/src/lib.rs 3:10-3:22
  to escape `[` and `]` characters, add '\' before them like `\[` or `\]`
warning rustc unused_variables a/src/lib.rs 5:29-5:30 @0: unused variable: `y`
  fix: if this is intentional, prefix it with an underscore
    a/src/lib.rs 5:29-5:30 "_y"
warning rustc unused_mut a/src/lib.rs 5:40-5:45 @0: variable does not need to be mutable
  fix: remove this `mut`
    a/src/lib.rs 5:40-5:44 ""
gap @5: failed to run custom build command for `f v0.1.0 (f)`

"#]],
    );
}

#[test]
fn the_order_of_lines_does_not_matter() {
    let mut lines: Vec<&str> = CLIPPY.lines().collect();
    let last = lines.pop().expect("build-finished");
    lines.reverse();
    lines.push(last);
    assert_eq!(clippy(&lines.join("\n"), CLIPPY_STDERR, 101), clippy(CLIPPY, CLIPPY_STDERR, 101));
}

#[test]
fn truncated_output_is_never_a_result() {
    let lines: Vec<&str> = CLIPPY.lines().collect();
    let short = [&lines[..3], &lines[lines.len() - 1..]].concat().join("\n");
    for at in 0..short.len() {
        assert!(clippy(&short[..at], "", 0).is_err(), "{at}");
        let failed = clippy(&short[..at], CLIPPY_STDERR, 101);
        assert!(failed.is_err() || failed.is_ok_and(|parsed| parsed.gaps[0].package.is_none()), "{at}");
    }
}

#[test]
fn output_of_macros_is_not_from_cargo() {
    let noise = ["hello".to_owned(), "{ debug".to_owned(), "[1]".to_owned(), String::new()];
    assert_eq!(diagnostics(&noise), []);
}

#[test]
fn a_truncated_message_makes_the_output_unparsable() {
    let cut = &lint(1, r#""children":[]"#)[..100];
    let stdout = format!("{cut}\n{{\"reason\":\"build-finished\",\"success\":true}}\n");
    let error = clippy(&stdout, "", 0).expect_err("cut");
    assert!(error.to_string().starts_with("invalid JSON from cargo in line 1: "), "{error}");
}

#[test]
fn the_reason_why_cargo_refuses_is_reported() {
    let stderr = "error: cannot update the lock file /w/ws/Cargo.lock because --locked was passed to prevent this\nhelp: x\n";
    let parsed = clippy("", stderr, 101).expect("explained");
    assert_shown(
        &parsed,
        str![[r#"
gap: cannot update the lock file Cargo.lock because --locked was passed to prevent this

"#]],
    );
    assert!(clippy("", "", 101).is_err());
    assert!(clippy("", "", 0).is_err());
}

/// Removes the traces.
fn untraced(parsed: Parsed) -> Parsed {
    Parsed { traces: Traces::default(), census: Census::default(), ..parsed }
}

#[test]
fn traces_name_each_unit_and_the_list_of_its_inputs() {
    let line = |package: &str, kind: &str, files: &str| {
        artifact(package, kind, false).replace("\"filenames\":[]", &format!("\"filenames\":[{files}]"))
    };
    let stdout = [
        line("a", "lib", r#""/t/debug/deps/liba-1.rmeta","/t/debug/deps/liba-1.rlib""#),
        line("c", "lib", r#""/t/doc/c/index.html""#),
        "{\"reason\":\"build-finished\",\"success\":true}\n".to_owned(),
    ];
    let traces = clippy(&stdout.join("\n"), "", 0).expect("readable").traces;
    let seen: Vec<_> = traces
        .units
        .iter()
        .map(|unit| (unit.name.as_str(), unit.fingerprint.as_str(), unit.dep_infos.first()))
        .collect();
    let dep_info = std::path::PathBuf::from("/t/debug/deps/a-1.d");
    assert_eq!(seen, [("a", "lib-a", Some(&dep_info)), ("c", "doc-lib-c", None)]);
}

#[test]
fn a_target_counts_once_however_often_it_is_compiled_and_whatever_it_denies() {
    let parsed = clippy(CLIPPY, CLIPPY_STDERR, 101).expect("readable");
    let targets = parsed.census.targets.iter().map(|it| format!("{} {} {}", it.package, it.kind, it.name));
    // `d` breaks a lint that it denies, `c` needs `d`, and `e` does not compile.
    const TARGETS: [&str; 7] = [
        "a example ex",
        "a lib a",
        "a test it",
        "b bin b",
        "b lib b",
        "d lib d",
        "f custom-build build-script-build",
    ];
    assert_eq!(targets.collect::<Vec<_>>(), TARGETS);
    let tool = tool("doc", Parse::RustcJson, &["cargo", "doc", "--no-deps", "--keep-going"]);
    let parsed = run(&sample(), &tool, &[Unit::Workspace], DOC, DOC_STDERR, 101).expect("readable");
    let targets = parsed.census.targets.iter().map(|it| format!("{} {} {}", it.package, it.kind, it.name));
    assert_eq!(targets.collect::<Vec<_>>(), ["a lib a", "b lib b", "c lib c", "d lib d", "e lib e"]);
}

#[test]
fn exit_code_and_build_finished_must_agree() {
    let finished = |success: bool| format!("{{\"reason\":\"build-finished\",\"success\":{success}}}\n");
    let done = artifact("a", "lib", false) + "\n";
    assert_eq!(clippy(&(done + &finished(true)), "", 0).map(untraced), Ok(Parsed::default()));
    assert!(clippy(&finished(false), "", 0).is_err());
    assert_shown(
        &clippy(&finished(true), "", 1).expect("readable"),
        str![[r#"
gap: cargo exited with 1

"#]],
    );
}

#[test]
fn a_success_that_names_no_package_of_the_workspace_is_rejected() {
    let finished = "\n{\"reason\":\"build-finished\",\"success\":true}\n";
    let elsewhere = lint(1, r#""children":[]"#) + "\n" + &artifact("a", "lib", false) + finished;
    let error = clippy(&elsewhere.replace("/w/ws/", "/w/link/"), "", 0).expect_err("not ours");
    assert!(error.to_string().starts_with("cargo built none of the selected packages"), "{error}");
    assert_eq!(clippy(&elsewhere, "", 0).expect("ours").diagnostics.len(), 1);

    // A package checked alone must be named itself, unless it has nothing to compile.
    let alone = |flag: &str, package: &str| {
        let tool = tool("check", Parse::RustcJson, &["cargo", "check", flag]);
        let stdout = artifact(package, "lib", false) + finished;
        run(&sample(), &tool, &[Unit::Package(PackageId(2))], stdout, "", 0)
    };
    assert!(alone("--lib", "d").is_err());
    assert_eq!(alone("--lib", "c").map(untraced), Ok(Parsed::default()));
    assert_eq!(alone("--examples", "d").map(untraced), Ok(Parsed::default()));
}

#[test]
fn a_dependency_that_does_not_compile_is_named() {
    let failed = "{\"reason\":\"build-finished\",\"success\":false}\n";
    let check = |stderr: &str, expected: &str| {
        let gaps = clippy(failed, stderr, 101).expect("readable").gaps;
        assert_eq!(gaps.len(), 6);
        assert_eq!(gaps[0].reason, expected);
    };
    check(
        "error: could not compile `serde` (lib) due to 1 previous error\n",
        "not checked: `serde` does not compile",
    );
    check(
        "error: failed to run custom build command for `ring v1.0.0`\n\nCaused by:\n  x\n",
        "not checked: failed to run custom build command for `ring v1.0.0`",
    );
    check("error: out of luck in /w/ws/a\n", "out of luck in a");
    check("", "not checked");
}

#[test]
fn a_compiler_that_dies_after_a_denied_lint_gives_no_result() {
    let denied = message("d", r#""message":"m","code":{"code":"clippy::l"},"level":"error""#);
    // One error for each of the two compilations.
    let stdout = format!("{denied}\n{denied}\n{{\"reason\":\"build-finished\",\"success\":false}}\n");
    let both = |end: &str| {
        ["lib", "lib test"]
            .map(|what| format!("error: could not compile `d` ({what}) due to 1 previous error{end}\n"))
            .concat()
    };
    let has_gap = |stderr: &str| {
        let gaps = clippy(&stdout, stderr, 101).expect("readable").gaps;
        gaps.iter().any(|gap| gap.package == Some(PackageId(3)))
    };
    assert!(!has_gap(&both("")));
    assert!(!has_gap(&both("; 2 warnings emitted")));
    assert!(has_gap(&both("\n\nCaused by:\n  process didn't exit successfully (signal: 9, SIGKILL: kill)")));
    assert!(has_gap("error: could not compile `d` (lib) due to 1 previous error\n"));
}

#[test]
fn a_failure_next_to_a_denied_lint_is_a_separate_gap() {
    let denied = message("d", r#""message":"m","code":{"code":"clippy::l"},"level":"error""#);
    let failed = "\n{\"reason\":\"build-finished\",\"success\":false}\n";
    // `a` has only an example, which is built only with a feature.
    let mut workspace = sample();
    workspace.packages[0].targets.truncate(1);
    workspace.packages[0].targets[0].needs_features = true;
    let check = |beside: &str, expected: &[(Option<u32>, &str)]| {
        let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy", "--lib", "-p", "d"]);
        let stderr = format!("error: could not compile `d` (lib) due to 1 previous error\n{beside}");
        let units = [Unit::Package(PackageId(3))];
        let parsed = run(&workspace, &tool, &units, denied.clone() + failed, stderr, 101).expect("readable");
        let gaps: Vec<_> = parsed.gaps.iter().map(|gap| (gap.package.map(|id| id.0), &*gap.reason)).collect();
        assert_eq!(gaps, expected);
    };
    check("", &[]);
    check(
        "error: could not compile `a` (example \"ex\")\n\nCaused by:\n  (signal: 9, SIGKILL: kill)\n",
        &[(Some(0), "compiling `a` did not finish")],
    );
    check("error: could not compile `d` (example \"ex\")\n", &[(Some(3), "compiling `d` did not finish")]);
    let outside = "error: could not compile `a-outside` (lib) due to 1 previous error\n";
    check(outside, &[(None, "`a-outside` does not compile")]);
}

#[test]
fn an_unexplained_failure_is_a_gap() {
    let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy", "--tests"]);
    let failed = "{\"reason\":\"build-finished\",\"success\":false}\n";
    let mut workspace = sample();
    workspace.packages.clear();
    let parsed = run(&workspace, &tool, &[Unit::Workspace], failed, "error: no space left", 101);
    assert_shown(
        &parsed.expect("readable"),
        str![[r#"
gap: no space left

"#]],
    );
}

#[test]
fn command_line_flags_determine_what_must_be_reached() {
    let failed = "{\"reason\":\"build-finished\",\"success\":false}";
    // Targets of `b`, a library and a binary, that cargo finished. Something else failed.
    let is_judged = |flags: &[&str], done: &[(&str, bool)]| {
        let done: String = done.iter().map(|(kind, test)| artifact("b", kind, *test) + "\n").collect();
        let run_line = [&["cargo", "check"], flags].concat();
        let tool = tool("check", Parse::RustcJson, &run_line);
        let parsed = run(&sample(), &tool, &[Unit::Workspace], done + failed, "", 101).expect("readable");
        !parsed.gaps.iter().any(|gap| gap.package == Some(PackageId(1)))
    };
    assert!(is_judged(&[], &[("lib", false), ("bin", false)]));
    assert!(!is_judged(&[], &[("lib", false)]));
    assert!(is_judged(&["--lib"], &[("lib", false)]));
    assert!(is_judged(&["--tests"], &[("lib", true), ("bin", true)]));
    assert!(!is_judged(&["--all-targets"], &[("lib", false), ("bin", false)]));
    assert!(is_judged(&["--all-targets"], &[("lib", false), ("bin", false), ("lib", true), ("bin", true)]));
}

#[test]
fn undocumented_targets_need_not_be_reached_by_cargo_doc() {
    let gaps = |documented: bool| {
        let mut workspace = sample();
        for target in &mut workspace.packages[2].targets {
            target.doc = documented;
        }
        let tool = tool("doc", Parse::RustcJson, &["cargo", "doc", "--no-deps", "--keep-going"]);
        let failed = "{\"reason\":\"build-finished\",\"success\":false}\n";
        let parsed = run(&workspace, &tool, &[Unit::Workspace], failed, DOC_STDERR, 101).expect("readable");
        parsed.gaps.iter().filter_map(|gap| Some(gap.package?.0)).collect::<Vec<_>>()
    };
    assert_eq!(gaps(true), [0, 1, 2, 3, 4, 5]);
    assert_eq!(gaps(false), [0, 1, 3, 4, 5]);
}

#[test]
fn a_package_checked_alone_is_requested_alone() {
    let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy", "-p", "d"]);
    let failed = "{\"reason\":\"build-finished\",\"success\":false}\n";
    let parsed = run(&sample(), &tool, &[Unit::Package(PackageId(3))], failed, "", 101).expect("readable");
    assert_eq!(parsed.gaps.len(), 1);
    assert_eq!(parsed.gaps[0].package, Some(PackageId(3)));
}

#[test]
fn dependencies_of_a_package_are_not_checked_with_it() {
    let tool = tool("clippy", Parse::RustcJson, &["cargo", "clippy", "-p", "b"]);
    let output =
        format!("{}\n{}", lint(1, r#""x":1"#), "{\"reason\":\"build-finished\",\"success\":false}\n");
    let of = |units: &[Unit]| {
        run(&sample(), &tool, units, output.as_str(), "", 101).expect("readable").diagnostics.len()
    };
    assert_eq!(of(&[Unit::Package(PackageId(1))]), 0, "`a` was linted on the way");
    assert_eq!(of(&[Unit::Package(PackageId(0))]), 1);
}

#[test]
fn occurrences_are_merged_in_any_order() {
    let on_by_default = r##"{"message":"`#[warn(l)]` on by default","level":"note"}"##;
    let help = r#"{"message":"try this","level":"help"}"#;
    let first = lint(1, &format!(r#""children":[{on_by_default},{help}]"#));
    let second = lint(1, &format!(r#""children":[{help}]"#));
    let one = diagnostics(&[first.clone(), second.clone()]);
    assert_eq!(one.len(), 1);
    assert_eq!(one, diagnostics(std::slice::from_ref(&second)));
    assert_eq!(one, diagnostics(&[second, first]));
    assert_eq!(diagnostics(&[lint(1, r#""x":1"#), lint(2, r#""x":1"#)]).len(), 2);
}

#[test]
fn notes_that_differ_between_runs_are_dropped() {
    for note in [
        "`#[warn(unused_mut)]` (part of `#[warn(unused)]`) on by default",
        "`-D unused-variables` implied by `-D warnings`",
        "`#[warn(clippy::all)]` implied by `#[warn(clippy::pedantic)]`",
        "to override `-D warnings` add `#[allow(unused_variables)]`",
        "requested on the command line with `-W missing-docs`",
        "the lint level is defined here",
        "the full name for the type has been written to '/w/ws/target/debug/deps/x-00112233445566aa.long-type-1.txt'",
        "\\\"cc\\\" \\\"/tmp/rustcAbCdEf/symbols.o\\\"",
    ] {
        let children = format!(r#""children":[{{"message":"{note}","level":"note"}}]"#);
        assert_eq!(diagnostics(&[lint(1, &children)])[0].related, [], "{note}");
    }
    let kept = diagnostics(&[lint(1, r#""children":[{"message":"kept","level":"note"}]"#)]);
    assert_eq!(kept[0].related.len(), 1);
}

#[test]
fn summaries_are_not_diagnostics() {
    for (level, text) in [
        ("warning", "1 warning emitted"),
        ("error", "aborting due to 2 previous errors"),
        ("error", "aborting due to 1 previous error; 3 warnings emitted"),
        ("warning", "`x` (lib) generated 1 warning"),
        ("failure-note", "For more information about this error, try `rustc --explain E0308`."),
    ] {
        let summary =
            message("a", &format!(r#""message":"{text}","code":null,"level":"{level}","spans":[]"#));
        assert_eq!(diagnostics(&[summary]), [], "{text}");
    }
}

#[test]
fn only_errors_that_are_not_lints_are_fatal() {
    let check = |code: &str, level: &str, ns: &str, rule: &str, fatal: bool| {
        let fields = format!(r#""message":"m","code":{code},"level":"{level}""#);
        let all = diagnostics(&[message("a", &fields)]);
        assert_eq!((&*all[0].ns, &*all[0].rule, all[0].fatal), (ns, rule, fatal), "{code} {level}");
    };
    check(r#"{"code":"E0308"}"#, "error", "rustc", "E0308", true);
    check("null", "error", "rustc", "error", true);
    check("null", "error: internal compiler error", "rustc", "error", true);
    check("null", "warning", "rustc", "warning", false);
    check(r#"{"code":"unused_mut"}"#, "error", "rustc", "unused_mut", false);
    check(r#"{"code":"clippy::x"}"#, "error", "clippy", "clippy::x", false);
    check(r#"{"code":"rustdoc::x"}"#, "warning", "rustdoc", "rustdoc::x", false);
}

#[test]
fn a_place_outside_becomes_that_of_the_call_inside() {
    let check = |file: &str, expansion: &str, expected: &str| {
        let fields = format!(
            r#""message":"m","code":{{"code":"l"}},"level":"warning","spans":[{}]"#,
            span(file, 1, "true", expansion)
        );
        assert_eq!(diagnostics(&[message("a", &fields)])[0].place.name(), expected, "{file}");
    };
    let call = |file: &str, further: &str| {
        format!(r#"{{"macro_decl_name":"m!","span":{}}}"#, span(file, 7, "false", further))
    };
    check("/w/out/src/lib.rs", &call("a/src/x.rs", "null"), "a/src/x.rs");
    check(
        "/rustc/hash/library/std/src/macros.rs",
        &call("/w/out/x.rs", &call("a/src/y.rs", "null")),
        "a/src/y.rs",
    );
    check("/w/out/src/lib.rs", "null", "package a");
    check("/w/ws/target/debug/build/a-0011223344556677/out/g.rs", "null", "package a");
    check("<anon>", "null", "package a");
    check("a/src/../shared.in", "null", "a/shared.in");
}

#[test]
fn expansions_may_nest_deeper_than_the_parser_recurses() {
    let mut expansion = "null".to_owned();
    for line in (1..=200).rev() {
        expansion = format!(
            r#"{{"macro_decl_name":"m!","span":{}}}"#,
            span("a/src/lib.rs", line, "false", &expansion)
        );
    }
    let fields = format!(
        r#""message":"m","code":{{"code":"l"}},"level":"warning","spans":[{}]"#,
        span("a/src/m.rs", 1, "true", &expansion)
    );
    assert_eq!(diagnostics(&[message("a", &fields)])[0].related.len(), 128);
}

#[test]
fn a_fix_is_kept_if_all_occurrences_agree() {
    let child = |texts: &[&str], how: &str| {
        let span = span("a/src/lib.rs", 1, "true", "null");
        let span = span.strip_suffix('}').expect("an object");
        let proposed = |text: &&str| {
            format!(r#"{span},"suggested_replacement":"{text}","suggestion_applicability":"{how}"}}"#)
        };
        let spans: Vec<_> = texts.iter().map(proposed).collect();
        format!(r#"{{"message":"try","level":"help","spans":[{}]}}"#, spans.join(","))
    };
    let found = |messages: &[&[String]]| {
        let children = |all: &&[String]| lint(1, &format!(r#""children":[{}]"#, all.join(",")));
        let mut all = diagnostics(&messages.iter().map(children).collect::<Vec<_>>());
        assert_eq!(all.len(), 1);
        all.remove(0).fix.map(|fix| (fix.edits[0].2.clone(), fix.is_unsafe))
    };
    let apply = |text| [child(&[text], "MachineApplicable")];
    let safe = |text: &str| Some((text.to_owned(), false));
    assert_eq!(found(&[&apply("x"), &apply("x")]), safe("x"));
    assert_eq!(found(&[&apply("x"), &[]]), safe("x"));
    assert_eq!(found(&[&apply("x"), &apply("y")]), None);
    assert_eq!(found(&[&[child(&["x"], "HasPlaceholders")]]), None);

    let maybe = |text| child(&[text], "MaybeIncorrect");
    assert_eq!(found(&[&[maybe("x")]]), Some(("x".to_owned(), true)));
    assert_eq!(found(&[&[maybe("x"), apply("y").concat()]]), safe("y"));
    // Of alternatives, none is chosen, whether they are in two children or in one.
    assert_eq!(found(&[&[maybe("x"), maybe("y")]]), None);
    assert_eq!(found(&[&[child(&["x", "y"], "MaybeIncorrect")]]), None);
    assert_eq!(found(&[&[child(&["x", "y"], "MachineApplicable")]]), None);
}

#[test]
fn a_fix_counts_the_compilations_that_propose_it() {
    let span_of = |expansion: &str| {
        let span = span("a/src/lib.rs", 1, "true", expansion);
        span.strip_suffix('}').expect("an object").to_owned()
    };
    let lint_of = |target: &str, expansion: &str| {
        let fields = format!(
            r#""message":"m","code":{{"code":"l"}},"level":"warning","spans":[{}],"children":[{{"message":"try","level":"help","spans":[{},"suggested_replacement":"x","suggestion_applicability":"MachineApplicable"}}]}}]"#,
            span("a/src/lib.rs", 1, "true", "null"),
            span_of(expansion),
        );
        message("a", &fields).replacen(
            r#""target":{"#,
            &format!(r#""target":{{"src_path":"/w/ws/{target}","#),
            1,
        )
    };
    let (lib, test) = (lint_of("a/src/lib.rs", "null"), lint_of("a/tests/t.rs", "null"));
    let all = diagnostics(&[lib.clone(), test, lib]);
    let reports: Vec<_> = all[0]
        .fix
        .iter()
        .flat_map(|fix| &fix.reports)
        .map(|(root, count)| format!("{root} {count}"))
        .collect();
    assert_eq!(reports, ["a/src/lib.rs 2", "a/tests/t.rs 1"]);

    let call = format!(r#"{{"macro_decl_name":"m!","span":{}}}"#, span("a/src/lib.rs", 7, "false", "null"));
    assert_eq!(diagnostics(&[lint_of("a/src/lib.rs", &call)])[0].fix, None, "code of a macro");
}

#[test]
fn build_scripts_are_checked_for_having_run_and_for_their_messages() {
    let stdout = include_str!("../testdata/build-scripts.jsonl");
    let stderr = include_str!("../testdata/build-scripts.stderr");
    let package = |name: &'static str| {
        let roots: &[_] = match name {
            "f" => &[(BuildScript, "f/build.rs"), (Lib, "f/src/lib.rs")],
            "g" => &[(BuildScript, "g/build.rs"), (Lib, "g/src/lib.rs")],
            _ => &[(BuildScript, "h/build.rs"), (Lib, "h/src/lib.rs")],
        };
        (name, roots)
    };
    let workspace = workspace(&["f", "g", "h"].map(package), &["f/build.rs", "g/in/a.txt", "h/src/lib.rs"]);
    let tool = tool("codegen", Parse::BuildScripts, &["cargo", "check"]);
    let units = [0, 1, 2].map(|id| Unit::Package(PackageId(id)));
    let parsed = run(&workspace, &tool, &units, stdout, stderr, 101).expect("readable");
    // The library of `h` does not compile either, which clippy reports. Its script ran.
    assert_shown(
        &parsed,
        str![[r#"
error rustc E0308 f/build.rs 1:26-1:28 @0: mismatched types (fatal)
  expected `u32`, found `&str` at f/build.rs 1:26-1:28
  expected due to this at f/build.rs 1:20-1:23
error codegen build-script g/in/a.txt 3:1-4:1 @1: not a number (fatal)
error codegen build-script package g @1: in/missing.txt:1: gone (fatal)
error codegen build-script package g @1: no place: at all (fatal)
gap @0: `f` does not compile
gap @1: failed to run custom build command for `g v0.1.0 (g)`

"#]],
    );
    let out_dir = "/w/ws/target/debug/build/h-0123456789abcdef/out";
    assert_eq!(parsed.out_dirs, [(PackageId(2), out_dir.into())]);

    let finished = "{\"reason\":\"build-finished\",\"success\":true}\n";
    let parsed = run(&workspace, &tool, &units[..1], finished, "", 0).expect("readable");
    assert_eq!(parsed.gaps[0].reason, "cargo did not run its build script");
}

#[test]
fn an_error_of_a_script_is_one_finding_at_the_file_that_it_names() {
    let workspace =
        workspace(&[("g", &[(BuildScript, "g/build.rs"), (Lib, "g/src/lib.rs")])], &["g/in/a.txt"]);
    let tool = tool("codegen", Parse::BuildScripts, &["cargo", "check"]);
    let finished = "{\"reason\":\"build-finished\",\"success\":false}\n";
    let stderr = "   Compiling g v0.1.0 (/w/ws/g)\n\
                  error: g@0.1.0: in/a.txt: without a line\n\
                  error: g@0.1.0: in/a.txt: `protoc` failed:\n\
                  error: g@0.1.0:   in/a.txt:3:1: first\n\
                  error: g@0.1.0:   \n\
                  error: g@0.1.0:   last\n\
                  error: g@0.1.0: in/a.txt:7: a message\n\
                  error: g@0.1.0:   in/other.txt:1: of two lines\n\
                  error: failed to run custom build command for `g v0.1.0 (/w/ws/g)`\n";
    let units = [Unit::Package(PackageId(0))];
    let parsed = run(&workspace, &tool, &units, finished, stderr, 101).expect("readable");
    assert_shown(
        &parsed,
        str![[r#"
error codegen build-script g/in/a.txt @0: `protoc` failed:
in/a.txt:3:1: first

last (fatal)
error codegen build-script g/in/a.txt @0: without a line (fatal)
error codegen build-script g/in/a.txt 7:1-8:1 @0: a message (fatal)
  in/other.txt:1: of two lines
gap @0: failed to run custom build command for `g v0.1.0 (g)`

"#]],
    );
}

#[test]
fn a_test_is_not_run_with_a_binary_of_an_earlier_build() {
    let made = |kind: &str, name: &str, test: bool| {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/ws/p#0.1.0","target":{{"kind":["{kind}"],"name":"{name}"}},"profile":{{"test":{test}}},"filenames":[],"executable":"/t/debug/deps/{name}"}}"#
        )
    };
    let error = r#"{"reason":"compiler-message","package_id":"path+file:///w/ws/p#0.1.0","target":{"kind":["bin"],"name":"p"},"message":{"message":"m","level":"error"}}"#.to_owned();
    let programs = |messages: &[&String], needs_features: bool, code: i32| {
        let targets = [(Lib, "p/src/lib.rs"), (Bin, "p/src/main.rs"), (Test, "p/tests/it.rs")];
        let mut workspace = workspace(&[("p", &targets)], &[]);
        workspace.packages[0].targets[1].name = "p".to_owned();
        workspace.packages[0].targets[1].needs_features = needs_features;
        workspace.packages[0].targets[2].name = "it".to_owned();
        let tool = tool("test-build", Parse::CargoBuild, &["cargo", "build", "--tests", "--keep-going"]);
        let finished = format!(r#"{{"reason":"build-finished","success":{}}}"#, code == 0);
        let stdout = messages.iter().map(|line| format!("{line}\n")).collect::<String>() + &finished;
        let parsed = run(&workspace, &tool, &[Unit::Workspace], stdout, "", code).expect("readable");
        parsed.programs.iter().map(|program| program.target.1).collect::<Vec<_>>()
    };
    let (unit_tests, binary, test) =
        (made("lib", "p", true), made("bin", "p", false), made("test", "it", true));
    assert_eq!(programs(&[&unit_tests, &binary, &test], false, 0), [0, 2]);
    // Something else failed.
    assert_eq!(programs(&[&unit_tests, &binary, &test], false, 101), [0, 2]);
    assert_eq!(programs(&[&unit_tests, &error, &test], false, 101), [0]);
    // A compiler that was killed reports no error.
    assert_eq!(programs(&[&unit_tests, &test], false, 101), [0]);
    // A binary that needs features may not be part of the build.
    assert_eq!(programs(&[&unit_tests, &test], true, 0), [0, 2]);
    assert_eq!(programs(&[&unit_tests, &test], true, 101), [0, 2]);
    assert_eq!(programs(&[&unit_tests, &error, &test], true, 101), [0]);
}
