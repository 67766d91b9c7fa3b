//! Output of black 26.10.1, shfmt 3.14.1, taplo 0.9.3, git 2.39 and GNU diff, captured with directories replaced.

use std::collections::BTreeMap;

use snapbox::str;

use super::*;
use crate::model::path::RelPath;
use crate::model::task::Unit;
use crate::model::tool::Parse;
use crate::normalize::Scrub;
use crate::normalize::testing::{assert_shown, run, tool, workspace};

const FILES: [&str; 9] = [
    "a/src/lib.rs",
    "py/a.py",
    "py/b c.py",
    "sh/a.sh",
    "sh/bad.sh",
    "sp ace.txt",
    "src/lib.rs",
    "toml/a.toml",
    "ü.txt",
];

fn diff(stdout: &str, stderr: &str, code: i32) -> Result<Parsed, Unparsable> {
    let tool = tool("format", Parse::Diff, &["format"]);
    run(&workspace(&[], &FILES), &tool, &[Unit::Workspace], stdout, stderr, code)
}

fn settled(mut parsed: Parsed, sources: &[(&str, &str)]) -> Parsed {
    let sources = sources.iter().map(|(path, text)| (RelPath::new(path), text.as_bytes().to_vec()));
    parsed.settle(&sources.collect::<BTreeMap<_, _>>(), &crate::model::halt::Never).unwrap();
    parsed
}

#[test]
fn each_change_of_black_is_a_finding_with_a_fix() {
    let parsed = diff(include_str!("../testdata/black.diff"), include_str!("../testdata/black.stderr"), 0);
    assert_shown(
        &parsed.expect("readable"),
        str![[r#"
warning format format py/a.py 1:1-2:1: `format` would change this
  fix: apply the change from `format`
    py/a.py 1:1-2:1 "def a(x):\n"
warning format format py/a.py 12:1-12:14: `format` would change this
  fix: apply the change from `format`
    py/a.py 12:1-12:14 "    return 1\n"
warning format format py/b c.py 1:1-2:1: `format` would change this
  fix: apply the change from `format`
    py/b c.py 1:1-2:1 "y = 1\n"

"#]],
    );
}

#[test]
fn shfmt_and_taplo_are_read_despite_odd_names_and_numbers() {
    let shfmt = diff(include_str!("../testdata/shfmt.diff"), "", 1).expect("readable");
    assert_shown(
        &shfmt,
        str![[r#"
warning format format sh/a.sh 2:1-3:1: `format` would change this
  fix: apply the change from `format`
    sh/a.sh 2:1-3:1 "\techo \"é\"\n"

"#]],
    );
    let taplo = diff(include_str!("../testdata/taplo.diff"), include_str!("../testdata/taplo.stderr"), 1);
    let sources = [("toml/a.toml", "a=1\nb = [1,2]\n\n\n\n[t]\nx   = 1")];
    assert_shown(
        &settled(taplo.expect("readable"), &sources),
        str![[r#"
warning format format toml/a.toml 1:1-3:1: `format` would change this
  fix: apply the change from `format`
    toml/a.toml 1:1-3:1 "a = 1\nb = [1, 2]\n"
warning format format toml/a.toml 5:1-6:1: `format` would change this
  fix: apply the change from `format`
    toml/a.toml 5:1-6:1 ""
warning format format toml/a.toml 7:1-7:8: `format` would change this
  fix: apply the change from `format`
    toml/a.toml 7:1-7:8 "x = 1\n"
gap: invalid TOML

"#]],
    );
}

#[test]
fn git_changes_of_lines_and_whole_files_are_read() {
    let parsed = diff(include_str!("../testdata/git.diff"), "", 1).expect("readable");
    let sources = [("src/lib.rs", "a\nB\nc\nd\n"), ("sp ace.txt", "x\nz"), ("ü.txt", "e\n")];
    assert_shown(
        &settled(parsed, &sources),
        str![[r#"
warning format format a%09b.txt: this file is new
warning format format bin.dat: the binary content differs
warning format format fresh.txt: this file is new
warning format format gone.txt: this file was deleted
warning format format marks.txt 1:1-1:1: this differs from the version in git
  ---
--- a
-++ b
warning format format new.rs: this file was renamed from `old.rs`
warning format format new.rs 5:1-6:1: this differs from the version in git
  -r5
+R5
warning format format s.sh: the mode changes from `100644` to `100755`
warning format format sp ace.txt 2:1-2:2: this differs from the version in git
  -y
+z
warning format format src/lib.rs 2:1-3:1: this differs from the version in git
  -b
+B
warning format format src/lib.rs 4:1-5:1: this differs from the version in git
  +d
warning format format ü.txt 1:1-2:1: this differs from the version in git
  -é
+e

"#]],
    );
}

#[test]
fn colours_are_not_part_of_a_diff() {
    let plain = include_str!("../testdata/black.diff");
    let coloured: String = plain
        .lines()
        .map(|line| match line.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => format!("\x1b[1m{line}\x1b[0m\n"),
            [b'@', ..] => format!("\x1b[36m{line}\x1b[0m\n"),
            [b'-', ..] => format!("\x1b[31m{line}\x1b[0m\n"),
            [b'+', ..] => format!("\x1b[32m{line}\x1b[0m\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(diff(&coloured, "", 0), diff(plain, "", 0));
    // Escape sequences in a file are part of it.
    let text = "--- py/a.py\n+++ py/a.py\n@@ -1 +1 @@\n-a \x1b[1mb\n+a \x1b[0mb\n";
    let fix = diff(text, "", 0).expect("readable").diagnostics[0].fix.clone().expect("a fix");
    assert_eq!(fix.edits[0].2, "a \x1b[0mb\n");
}

#[test]
fn a_path_is_the_common_part_of_both_names() {
    let place = |old: &str, new: &str| {
        let parsed = diff(&format!("--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n"), "", 0).expect("readable");
        parsed.diagnostics[0].place.name()
    };
    // `a/src/lib.rs` is a file too.
    assert_eq!(place("a/src/lib.rs", "b/src/lib.rs"), "src/lib.rs");
    assert_eq!(place("a/src/lib.rs", "a/src/lib.rs"), "a/src/lib.rs");
    assert_eq!(place("original/py/a.py", "fixed/py/a.py"), "py/a.py");
    assert_eq!(place("py/a.py\t(original)", "py/a.py\t(reformatted)"), "py/a.py");
    assert_eq!(place("/w/ws/py/a.py:before\t2024-01-02", "/w/ws/py/a.py:after\t2024-01-02"), "py/a.py");
    assert_eq!(place("./py/a.py", "./py/a.py"), "py/a.py");
    assert_eq!(place("py/a.py.orig", "py/a.py"), "py/a.py");
    assert_eq!(place("a/py/b c.py\t", "b/py/b c.py\t"), "py/b c.py");
    assert_eq!(place("<stdin>", "<stdout>"), "format");
    assert_eq!(place("a/nowhere.txt", "b/nowhere.txt"), "nowhere.txt");
    assert_eq!(place("/etc/x", "/etc/x"), "[OUTSIDE]/x");
}

#[test]
fn git_paths_are_relative_to_the_top_of_the_repository() {
    let text = "diff --git a/ws/src/lib.rs b/ws/src/lib.rs\nindex 1..2 100644\n--- a/ws/src/lib.rs\n+++ b/ws/src/lib.rs\n@@ -1 \
                +1 @@\n-a\n+b\ndiff --git a/other/x b/other/x\n--- a/other/x\n+++ b/other/x\n@@ -1 +1 @@\n-a\n+b\n";
    let workspace = workspace(&[], &FILES);
    let scrub = Scrub::new(&workspace, None, std::path::Path::new("/tmp"));
    let scrub = scrub.with_repository(&workspace.root, &RelPath::new(".."), None);
    let tool = tool("format", Parse::Diff, &["format"]);
    let output = crate::model::task::Output {
        is_leaky: false,
        stdout: text.as_bytes().to_vec(),
        stderr: Vec::new(),
        exit: crate::model::task::Exit::Code(1),
        generated: None,
    };
    let input = Input {
        workspace: &workspace,
        tool: &tool,
        units: &[Unit::Workspace],
        packages: &[],
        output: &output,
        scrub: &scrub,
        halt: &crate::model::halt::Never,
    };
    let parsed = parse(&input, 1).expect("readable");
    let places: Vec<_> = parsed.diagnostics.iter().map(|found| found.place.name()).collect();
    assert_eq!(places, ["src/lib.rs", "../other/x"]);
}

#[test]
fn a_change_is_moved_to_its_lines_in_the_file() {
    let text = "--- py/a.py\n+++ py/a.py\n@@ -2,2 +2,3 @@\n-b\n+B\n c\n+d\n";
    let found = |source: &str| {
        let parsed = settled(diff(text, "", 0).expect("readable"), &[("py/a.py", source)]);
        let fix = |found: &Diagnostic| found.fix.as_ref().map(|fix| fix.edits[0].2.clone());
        let line = |found: &Diagnostic| {
            found.place.range().map(|range| (range.start.line, range.end.line, range.end.column))
        };
        parsed.diagnostics.iter().map(|found| (line(found), fix(found))).collect::<Vec<_>>()
    };
    let new = |text: &str| Some(text.to_owned());
    assert_eq!(found("a\nb\nc\n"), [(Some((2, 3, 1)), new("B\n")), (Some((4, 4, 1)), new("d\n"))]);
    // Without a final newline, the file ends within its last line.
    assert_eq!(found("a\nb\nc"), [(Some((2, 3, 1)), new("B\n")), (Some((3, 3, 2)), new("c\nd\n"))]);
    assert_eq!(found("a\r\nb\r\nc\r\n"), [(Some((2, 3, 1)), new("B\r\n")), (Some((4, 4, 1)), new("d\r\n"))]);
    // The change was already made, or the diff is about another text.
    assert_eq!(found("a\nB\nc\nd\n")[0], (Some((2, 3, 1)), None));
    assert_eq!(found("x\ny\n")[0], (None, None));
}

#[test]
fn a_hunk_must_match_its_line_counts() {
    let check = |hunk: &str, expected: &str| {
        let parsed = diff(&format!("--- py/a.py\n+++ py/a.py\n{hunk}"), "", 0);
        assert_eq!(parsed.expect_err(hunk).0, expected);
    };
    check("@@ -1,2 +1 @@\n-a\n+b\n", "hunk is shorter than its header says: \"@@ -1,2 +1 @@\"");
    check("@@ -1 +1 @@\n-a\n", "hunk is shorter than its header says: \"@@ -1 +1 @@\"");
    check("@@ -1 +1 @@\n-a\n-b\n+c\n", "hunk does not match the line counts in its header: \"@@ -1 +1 @@\"");
    check("@@ -1 +1 @@\n-a\n+b\n+c\n", "hunk is longer than its header says: \"@@ -1 +1 @@\"");
    check("@@ -1 +1 @@\nx\n", "hunk contains a line without a marker: \"@@ -1 +1 @@\"");
    check("@@ -99999999999 +1 @@\n", "invalid hunk header: \"@@ -99999999999 +1 @@\"");
    check("@@@ -1 -1 +1 @@@\n", "combined diffs of merges are not supported");
    assert_eq!(
        diff("@@ -1 +1 @@\n-a\n+b\n", "", 0).expect_err("no file").0,
        "hunk without a file header: \"@@ -1 +1 @@\""
    );
    // Surrounding text is skipped. The space of an empty line may be missing.
    let text =
        "Checking …\n--- py/a.py\n+++ py/a.py\n@@ -1,3 +1,2 @@ def f\n--- a\n\n c\nDone: - all\n-- \n2.39\n";
    assert_eq!(diff(text, "", 0).expect("readable").diagnostics.len(), 1);
}

#[test]
fn errors_about_files_are_gaps() {
    let shfmt = include_str!("../testdata/shfmt.diff");
    let gaps = |stdout: &str, stderr: &str, code: i32| -> Result<Vec<String>, Unparsable> {
        let gap = |gap: &Gap| {
            format!("{}: {}", gap.path.as_ref().map_or("all".into(), ToString::to_string), gap.reason)
        };
        Ok(diff(stdout, stderr, code)?.gaps.iter().map(gap).collect())
    };
    let bad = "sh/bad.sh:1:10: `then` must be followed by a statement list\n";
    let of_bad = format!("sh/bad.sh: {}", bad.trim_end());
    assert_eq!(gaps("", "", 0), Ok(Vec::new()));
    assert_eq!(gaps(shfmt, "", 1), Ok(Vec::new()));
    assert_eq!(gaps(shfmt, bad, 1), Ok(vec![of_bad.clone()]));
    assert_eq!(gaps("", bad, 1), Ok(vec![of_bad]));
    let black = (include_str!("../testdata/black.diff"), include_str!("../testdata/black-failed.stderr"));
    assert_eq!(
        gaps(black.0, black.1, 123),
        Ok(vec!["all: exited with 123: cannot parse: py/bad.py:1:4".to_owned()])
    );
    let taplo = (include_str!("../testdata/taplo.diff"), include_str!("../testdata/taplo.stderr"));
    assert_eq!(gaps(taplo.0, taplo.1, 1), Ok(vec!["all: invalid TOML".to_owned()]));
    assert!(gaps("", "", 1).is_err());
    assert!(gaps("", "error: no\n", 101).is_err());
    assert!(gaps(shfmt, "", 139).is_err());
}

#[test]
fn quoted_lines_and_modes_name_no_directory_of_the_machine() {
    let text = "diff --git a/x b/x\nold mode /w/ws/1\nnew mode /home/me/2\n\
        --- <stdin>\n+++ <stdout>\n@@ -1,1 +1,1 @@\n-include /home/me/a\n+include /w/ws/b\n";
    let parsed = diff(text, "", 1).expect("readable");
    assert_eq!(parsed.diagnostics.len(), 2);
    let shown = crate::normalize::testing::show(&parsed);
    assert!(!shown.contains("/w/ws") && !shown.contains("/home/me"), "{shown}");
}
