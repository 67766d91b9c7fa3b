use snapbox::str;

use super::*;
use crate::model::path::RelPath;
use crate::model::style::is_of_former_style;
use crate::model::task::Unit;
use crate::model::tool::Parse;
use crate::model::workspace::{PackageId, TargetKind};
use crate::normalize::testing::{assert_shown, run, tool, workspace};

fn rustfmt(stdout: impl AsRef<[u8]>, stderr: &str, code: i32, roots: u32) -> Result<Parsed, Unparsable> {
    let workspace =
        workspace(&[("a", &[(TargetKind::Lib, "a/src/lib.rs"), (TargetKind::Bin, "a/src/main.rs")])], &[]);
    let units: Vec<Unit> = (0..roots).map(|at| Unit::TargetRoot(PackageId(0), at)).collect();
    run(&workspace, &tool("fmt", Parse::Rustfmt, &["rustfmt"]), &units, stdout, stderr, code)
}

#[test]
fn hunks_and_unparsable_files_are_separate_findings() {
    let parsed =
        rustfmt(include_str!("../testdata/rustfmt.diff"), include_str!("../testdata/rustfmt.stderr"), 1, 2);
    assert_shown(
        &parsed.expect("readable"),
        str![[r#"
warning rustfmt rustfmt::unformatted b.rs 3:1-5:1: not formatted as rustfmt would
  fix: format it
    b.rs 3:1-5:1 ""
warning rustfmt rustfmt::unformatted b.rs 5:1-6:1: not formatted as rustfmt would
  fix: format it
    b.rs 5:1-6:1 "fn y() {}\n"
warning rustfmt rustfmt::unformatted b.rs 7:1-10:1: not formatted as rustfmt would
  fix: format it
    b.rs 7:1-10:1 "    a();\n    b();\n}\n"
error rustfmt rustfmt::parse broken.rs 1:14-1:14: this file contains an unclosed delimiter (fatal)
warning rustfmt rustfmt::unformatted crlf.rs 2:1-3:1: not formatted as rustfmt would
  fix: format it
    crlf.rs 2:1-3:1 "fn b() {}\n"
warning rustfmt rustfmt::unformatted main.rs 4:1-5:1: not formatted as rustfmt would
  fix: format it
    main.rs 4:1-5:1 "    let b = 2;\n"
warning rustfmt rustfmt::unformatted main.rs 11:1-12:2: not formatted as rustfmt would
  fix: format it
    main.rs 11:1-12:2 "    let i = 9;\n}\n"
error rustfmt rustfmt::parse missing.rs: failed to resolve mod `missing`: does not exist (fatal)
warning rustfmt rustfmt::unformatted sub dir/new%0Aline.rs 1:1-2:1: not formatted as rustfmt would
  fix: format it
    sub dir/new%0Aline.rs 1:1-2:1 "fn a() {}\n"
gap broken.rs: broken.rs: this file contains an unclosed delimiter
gap missing.rs: missing.rs: failed to resolve mod `missing`: does not exist

"#]],
    );
}

#[track_caller]
fn check_hunk(hunk: &str, expected: impl snapbox::IntoData) {
    let parsed = rustfmt(format!("Diff in /w/ws/x.rs:5:\n{hunk}"), "", 1, 1).expect("readable");
    assert_shown(&parsed, expected);
}

#[test]
fn a_range_covers_exactly_the_changed_lines() {
    check_hunk(
        " a\n-b\n+B\n c\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-7:1 "B\n"

"#]],
    );
    check_hunk(
        " a\n-\n b\n+\n c\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-7:1 ""
warning rustfmt rustfmt::unformatted x.rs 8:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 8:1-8:1 "\n"

"#]],
    );
    check_hunk(
        " a\n+new\n b\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-6:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-6:1 "new\n"

"#]],
    );
    check_hunk(
        " a\n-old\n b\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-7:1 ""

"#]],
    );
}

#[test]
fn nearby_changes_are_separate_findings() {
    check_hunk(
        "-f( 1 );\n-g(2,\n-    3);\n+f(1);\n+g(2, 3);\n h();\n-let x = [\n-    4 ];\n+let x = [4];\n i();\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-6:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-6:1 "f(1);\n"
warning rustfmt rustfmt::unformatted x.rs 6:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-8:1 "g(2, 3);\n"
warning rustfmt rustfmt::unformatted x.rs 9:1-11:1: not formatted as rustfmt would
  fix: format it
    x.rs 9:1-11:1 "let x = [4];\n"

"#]],
    );
    // Braces and commas are added and removed.
    check_hunk(
        "-match a { B => {\n-    c }\n-_ => d }\n-e( );\n+match a {\n+    B => c,\n+    _ => d,\n+}\n+e();\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-7:1 "match a {\n    B => c,\n"
warning rustfmt rustfmt::unformatted x.rs 7:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 7:1-8:1 "    _ => d,\n}\n"
warning rustfmt rustfmt::unformatted x.rs 8:1-8:6: not formatted as rustfmt would
  fix: format it
    x.rs 8:1-8:6 "e();"

"#]],
    );
    // Reordered lines are one change.
    check_hunk(
        "-use bb;\n-use a;\n-f( );\n+use a;\n+use bb;\n+f();\n g();\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-7:1 "use a;\nuse bb;\n"
warning rustfmt rustfmt::unformatted x.rs 7:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 7:1-8:1 "f();\n"

"#]],
    );
}

#[test]
fn changes_at_the_end_of_a_file_have_ranges_and_fixes() {
    // Captured with 1.9.0: blank lines at the end, a missing newline, both ends of an empty file, and only blank lines.
    check_hunk(
        " a\n-\n-\n \n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-8:1 ""

"#]],
    );
    check_hunk(
        " a\n }\n+\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-6:2: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-6:2 "}\n"

"#]],
    );
    check_hunk(
        " a\n-b\n+B\n+\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-6:2: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-6:2 "B\n"

"#]],
    );
    check_hunk(
        "+\n+\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-5:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-5:1 "\n"

"#]],
    );
    check_hunk(
        " \n-\n \n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-7:1 ""

"#]],
    );
    check_hunk(
        "-fn a( ) {}\n-\n-\n+fn a() {}\n \n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-8:1 "fn a() {}\n"

"#]],
    );
}

#[test]
fn content_that_looks_like_a_header_is_not_one() {
    check_hunk(
        "-Diff in /w/ws/y.rs:1:\n+Diff in /w/ws/z.rs:2:\n x\n",
        str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-6:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-6:1 "Diff in /w/ws/z.rs:2:\n"

"#]],
    );
}

#[test]
fn paths_may_contain_any_byte() {
    let place = |path: &[u8], header: &str| {
        let diff = [b"Diff in ", path, header.as_bytes(), b"\n-a\n+b\n c\n"].concat();
        rustfmt(diff, "", 1, 1).expect("readable").diagnostics[0].place.name()
    };
    assert_eq!(place(b"/w/ws/a b.rs", ":1:"), "a b.rs");
    assert_eq!(place(b"/w/ws/a b.rs", " at line 1:"), "a b.rs");
    assert_eq!(place(b"/w/ws/a\nb\xff\x1b[31m.rs", ":1:"), "a%0Ab%FF%1B[31m.rs");
    assert_eq!(place(b"/home/me/x.rs", ":1:"), "[HOME]/x.rs");
}

#[test]
fn a_file_reached_from_two_roots_is_reported_once() {
    let hunk = "Diff in /w/ws/x.rs:1:\n-a\n+b\n c\n";
    assert_eq!(rustfmt(hunk.repeat(2), "", 1, 2).expect("readable").diagnostics.len(), 1);
}

#[track_caller]
fn check_stderr(stderr: &str, code: i32, expected: impl snapbox::IntoData) {
    assert_shown(&rustfmt("", stderr, code, 1).expect("readable"), expected);
}

#[test]
fn errors_leave_gaps() {
    check_stderr(
        "error[E0765]: unterminated double quote string\n --> /w/ws/x.rs:2:10\n  |\n",
        101,
        str![[r#"
error rustfmt rustfmt::parse x.rs 2:10-2:10: unterminated double quote string (fatal)
gap: unterminated double quote string

"#]],
    );
    check_stderr(
        "error[E0583]: file not found for module `y`\n  --> /w/ws/x.rs:1:1\n",
        1,
        str![[r#"
error rustfmt rustfmt::parse x.rs 1:1-1:1: file not found for module `y` (fatal)
gap: x.rs: file not found for module `y`

"#]],
    );
    check_stderr(
        "Error: file `nosuch.rs` does not exist\n",
        1,
        str![[r#"
gap: file `nosuch.rs` does not exist

"#]],
    );
    check_stderr(
        "The file `/w/ws/rustfmt.toml` failed to parse.\nError details: x\n",
        1,
        str![[r#"
gap: The file `rustfmt.toml` failed to parse.

"#]],
    );
    check_stderr(
        "\nthread 'main' (8383) panicked at x:\ny\nerror: the compiler unexpectedly panicked\n",
        101,
        str![[r#"
gap: the compiler unexpectedly panicked

"#]],
    );
    check_stderr(
        "",
        1,
        str![[r#"
gap: rustfmt exited with 1

"#]],
    );
}

#[test]
fn code_that_rustfmt_cannot_format_is_not_a_gap() {
    check_stderr(
        "error[internal]: left behind trailing whitespace\n --> /w/ws/x.rs:2:2:9\n  |\n",
        1,
        str![[r#"
warning rustfmt rustfmt::internal x.rs 2:1-3:1: left behind trailing whitespace

"#]],
    );
}

#[test]
fn reports_of_rustfmt_do_not_mean_that_a_file_does_not_parse() {
    // Captured with 1.9.0 of a nightly toolchain.
    check_stderr(
        include_str!("../testdata/rustfmt-reports.stderr"),
        1,
        str![[r#"
warning rustfmt rustfmt::deprecated_attribute src/lib.rs 1:1-2:1: `rustfmt_skip` is deprecated; use `rustfmt::skip`
error rustfmt rustfmt::invalid_attribute src/lib.rs 3:1-4:1: invalid attribute
warning rustfmt rustfmt::internal src/lib.rs 5:1-6:1: line formatted, but exceeded maximum width (maximum: 100 (see `max_width` option), found: 142)

"#]],
    );
    // Captured with 1.4.
    check_stderr(
        "error: found TODO without issue number\n --> /w/ws/x.rs:7:7:4\n  |\n",
        1,
        str![[r#"
error rustfmt rustfmt::issue x.rs 7:1-8:1: found TODO without issue number

"#]],
    );
}

#[test]
fn reports_are_placed_in_the_unformatted_file() {
    let diff = "Diff in /w/ws/x.rs:1:\n-fn a(){1;}\n+fn a() {\n+    1;\n+}\n fn b() {}\n fn c() {}\n fn d() {}\n\
                Diff in /w/ws/x.rs:11:\n fn e() {}\n-\n-\n+\n fn f() {}\n fn g() {}\n fn h() {}\n";
    let line = |formatted: u32| {
        let report = format!(
            "error[internal]: left behind trailing whitespace\n --> /w/ws/x.rs:{formatted}:{formatted}:9\n"
        );
        let parsed = rustfmt(diff, &report, 1, 1).expect("readable");
        let report =
            parsed.diagnostics.iter().find(|found| found.rule == "rustfmt::internal").expect("there");
        report.place.range().expect("a line").start.line
    };
    // Inside the change, after it, before and after the second change, and in another file.
    assert_eq!([line(2), line(3), line(4), line(12), line(15), line(16)], [1, 1, 2, 10, 14, 15]);
}

#[test]
fn a_file_with_wrong_line_endings_is_a_finding_next_to_the_diffs() {
    // Captured with 1.9.0.
    let diff = include_str!("../testdata/rustfmt-newlines.diff");
    let mut parsed = rustfmt(diff, "", 1, 1).expect("readable");
    let sources = [("crlf.rs", "fn a() {}\r\nfn é() {}\r\n"), ("diff.rs", "fn a( ) {}\r\nfn b() {}\r\n")];
    let sources = sources.map(|(path, text)| (RelPath::new(path), text.as_bytes().to_vec()));
    parsed.settle(&sources.into(), &crate::model::halt::Never).unwrap();
    assert_shown(
        &parsed,
        str![[r#"
warning rustfmt rustfmt::newline_style crlf.rs: incorrect newline style
  fix: convert the line endings
    crlf.rs 1:10-1:11 ""
    crlf.rs 2:10-2:11 ""
warning rustfmt rustfmt::unformatted diff.rs 1:1-2:1: not formatted as rustfmt would
  fix: format it
    diff.rs 1:1-2:1 "fn a() {}\r\n"
warning rustfmt rustfmt::newline_style new%0Aline.rs: incorrect newline style

"#]],
    );
}

#[test]
fn wrong_line_endings_are_determined_by_the_configuration_or_the_file() {
    let fixed = |source: &str, config: &str, args: &[&str]| {
        let files = ["a/src/lib.rs", "a/src/rustfmt.toml", "rustfmt.toml"];
        let workspace = workspace(&[("a", &[(TargetKind::Lib, "a/src/lib.rs")])], &files);
        let mut tool = tool("fmt", Parse::Rustfmt, &["rustfmt"]);
        tool.args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let units = [Unit::TargetRoot(PackageId(0), 0)];
        let stdout = "Incorrect newline style in /w/ws/a/src/lib.rs\n";
        let mut parsed = run(&workspace, &tool, &units, stdout, "", 1).expect("readable");
        let sources = [
            ("a/src/lib.rs", source),
            ("a/src/rustfmt.toml", config),
            ("rustfmt.toml", "newline_style = \"Windows\""),
        ];
        parsed
            .settle(
                &sources.map(|(path, text)| (RelPath::new(path), text.as_bytes().to_vec())).into(),
                &crate::model::halt::Never,
            )
            .unwrap();
        let fix = parsed.diagnostics[0].fix.clone();
        fix.map(|fix| fix.edits.into_iter().map(|(_, at, text)| (at.start.line, text)).collect::<Vec<_>>())
    };
    let edit = |line, text: &str| (line, text.to_owned());
    let mixed = "a\r\nb\nc\r\nd";
    assert_eq!(fixed(mixed, " newline_style='Unix'", &[]), Some(vec![edit(1, ""), edit(3, "")]));
    assert_eq!(fixed(mixed, "newline_style = \"Windows\"", &[]), Some(vec![edit(2, "\r")]));
    assert_eq!(fixed(mixed, "", &["--config", "a=b,newline_style=Windows"]), Some(vec![edit(2, "\r")]));
    // The system decides, or a configuration that is not visible.
    for config in ["newline_style = \"Native\"", "# newline_style = \"Unix\"", ""] {
        assert_eq!(fixed(mixed, config, &[]), None);
        assert_eq!(fixed("a\nb\n", config, &[]), Some(vec![edit(1, "\r"), edit(2, "\r")]));
        assert_eq!(fixed("a\r\nb\r\n", config, &[]), Some(vec![edit(1, ""), edit(2, "")]));
    }
    assert_eq!(fixed(&"\n".repeat(2_001), "", &[]), None);
}

#[test]
fn configuration_mistakes_are_findings_at_their_lines_and_nightly_options_notices() {
    let files = ["a/rustfmt.toml", "rustfmt.toml"];
    let members: [(&str, &[_]); 2] =
        [("a", &[(TargetKind::Lib, "a/src/lib.rs")]), ("b", &[(TargetKind::Lib, "b/src/lib.rs")])];
    let workspace = workspace(&members, &files);
    let units = [Unit::TargetRoot(PackageId(0), 0), Unit::TargetRoot(PackageId(1), 0)];
    // Captured with 1.9.0.
    let stderr = include_str!("../testdata/rustfmt-config.stderr");
    let mut parsed =
        run(&workspace, &tool("fmt", Parse::Rustfmt, &["rustfmt"]), &units, "", stderr, 0).expect("readable");
    let sources = [
        ("a/rustfmt.toml", "max_width = 90\n\"foo\" = 1\n"),
        ("rustfmt.toml", "# foo\nfn_call_width = 900\nversion = \"Two\"\nfoo=2\n"),
    ];
    parsed
        .settle(
            &sources.map(|(path, text)| (RelPath::new(path), text.as_bytes().to_vec())).into(),
            &crate::model::halt::Never,
        )
        .unwrap();
    assert_shown(
        &parsed,
        str![[r#"
warning rustfmt rustfmt::config a/rustfmt.toml 2:1-3:1: unknown configuration option `foo`
warning rustfmt rustfmt::config rustfmt.toml 2:1-3:1: `fn_call_width` cannot have a value that exceeds `max_width`. `fn_call_width` will be set to the same value as `max_width`
warning rustfmt rustfmt::config rustfmt.toml 4:1-5:1: unknown configuration option `foo`
warning rustfmt rustfmt::config configuration of rustfmt: the `fn_args_layout` option is deprecated. Use `fn_params_layout`. instead
notice: can't set `version = Two`, unstable features are only available in nightly channel.
notice: can't set `wrap_comments = true`, unstable features are only available in nightly channel.

"#]],
    );
}

#[test]
fn verbose_output_and_lists_of_names_are_read() {
    // Captured with 1.9.0.
    let verbose = "Using rustfmt config file /w/ws/rustfmt.toml for a/src/lib.rs\nFormatting /w/ws/a/src/lib.rs\n\
                   Diff in /w/ws/a/src/lib.rs:1:\n fn a() {}⏎\n-fn b( ) {}⏎\n+fn b() {}⏎\n ⏎\n\
                   Spent 0.000 secs in the parsing phase, and 0.002 secs in the formatting phase\n";
    assert_shown(
        &rustfmt(verbose, "", 1, 1).expect("readable"),
        str![[r#"
warning rustfmt rustfmt::unformatted a/src/lib.rs 2:1-3:1: not formatted as rustfmt would
  fix: format it
    a/src/lib.rs 2:1-3:1 "fn b() {}\n"

"#]],
    );
    let workspace = workspace(&[("a", &[(TargetKind::Lib, "a/src/lib.rs")])], &["a/src/lib.rs"]);
    let units = [Unit::TargetRoot(PackageId(0), 0)];
    let tool = tool("fmt", Parse::Rustfmt, &["rustfmt", "-l"]);
    assert_shown(
        &run(&workspace, &tool, &units, "/w/ws/a/src/lib.rs\n", "", 1).expect("readable"),
        str![[r#"
warning rustfmt rustfmt::unformatted a/src/lib.rs: not formatted as rustfmt would

"#]],
    );
    assert!(run(&workspace, &tool, &units, "/w/ws/a/src/other.rs\n", "", 1).is_err());
}

#[test]
fn other_output_on_stdout_is_unparsable() {
    for stdout in ["Diff in /w/ws/x.r", "hello\n", "Diff in /w/ws/x.rs:1:\n-a\nb\n"] {
        assert!(rustfmt(stdout, "", 1, 1).is_err(), "{stdout}");
    }
}

/// Checks which findings are marked. `now` and `former` are the lines of `a.rs` and `b.rs` that differ under each style
/// edition.
#[track_caller]
fn check_style(now: [&[u32]; 2], former: [&[u32]; 2], marked: &[&str]) {
    let parsed = |lines: [&[u32]; 2]| {
        let hunk = |path: &str, line: u32| format!("Diff in /w/ws/{path}.rs:{line}:\n-a  ;\n+a;\n");
        let hunks = ["a", "b"]
            .iter()
            .zip(lines)
            .flat_map(|(path, lines)| lines.iter().map(move |line| hunk(path, *line)).collect::<Vec<_>>());
        let text: String = hunks.collect();
        let code = i32::from(!text.is_empty());
        Parsed { is_restyled: true, ..rustfmt(text, "", code, 1).expect("readable") }
    };
    let both = parsed(now).and(parsed(former));
    let of_style = both.diagnostics.iter().filter(|found| is_of_former_style(&found.related));
    let shown: Vec<_> = of_style
        .map(|found| format!("{}:{}", found.place.name(), found.place.range().unwrap().start.line))
        .collect();
    assert_eq!(shown, marked);
    assert_eq!(both.diagnostics.len(), parsed(now).diagnostics.len());
}

#[test]
fn code_in_the_former_style_edition_is_marked() {
    check_style([&[3, 9], &[5]], [&[], &[]], &["a.rs:3", "a.rs:9", "b.rs:5"]);
    // A place that differs under both editions is an ordinary finding.
    check_style([&[3, 9], &[5]], [&[9], &[5]], &["a.rs:3"]);
    // A file in the new style except for one place.
    check_style([&[3], &[]], [&[20, 30], &[]], &[]);
    check_style([&[], &[]], [&[20, 30], &[]], &[]);
}

#[test]
fn nothing_is_marked_if_the_second_process_could_not_read_a_file() {
    let first = rustfmt("Diff in /w/ws/a.rs:3:\n-a  ;\n+a;\n", "", 1, 1).expect("readable");
    let first = Parsed { is_restyled: true, ..first };
    let second = rustfmt("", "error: no such option\n", 1, 1).expect("readable");
    assert!(!second.gaps.is_empty());
    assert_eq!(first.clone().and(second), first);
}
