use snapbox::{assert_data_eq, str};

use super::testing::{run, show, tool, workspace};
use super::*;
use crate::model::halt::Never;
use crate::model::tool::{Arg, Per};
use crate::model::workspace::{FileId, TargetKind};

pub(super) fn sample() -> Workspace {
    workspace(&[("a", &[(TargetKind::Lib, "a/src/lib.rs")])], &["a/src/lib.rs", "x.wgsl"])
}

pub(super) const X: &[Unit] = &[Unit::File(FileId(1))];
const BOTH: &[Unit] = &[Unit::File(FileId(0)), Unit::File(FileId(1))];

#[track_caller]
pub(super) fn check(
    parse: Parse,
    units: &[Unit],
    (stdout, stderr, code): (&str, &str, i32),
    expected: impl snapbox::IntoData,
) {
    let shown = match run(&sample(), &tool("lint", parse, &["lint"]), units, stdout, stderr, code) {
        Ok(parsed) => show(&parsed),
        Err(error) => format!("unparsable: {error}\n"),
    };
    assert_data_eq!(shown, expected);
}

pub(super) fn pattern() -> Parse {
    Parse::Regex(
        r"^(?<path>[^:]+):(?<line>\d+)(?::(?<column>\d+))?: (?<level>\w+)(?:\[(?<rule>\w+)\])?: (?<message>.+)$"
            .to_owned(),
    )
}

#[test]
fn a_pattern_finds_diagnostics_on_both_streams() {
    let stdout = "\x1b[1m/w/ws/x.wgsl:3:7\x1b[0m: error[R1]: bad in /w/ws/y\r\nnoise\nx.wgsl:4: info: hm\n";
    let stderr = "/home/me/x:1:2: warning: elsewhere\nx.wgsl:4: info: hm\n";
    check(
        pattern(),
        BOTH,
        (stdout, stderr, 0),
        str![[r#"
error lint R1 x.wgsl 3:7-3:7: bad in y
note lint lint x.wgsl 4:1-5:1: hm
warning lint lint [HOME]/x: elsewhere

"#]],
    );
}

#[test]
fn a_place_outside_does_not_reveal_the_machine() {
    let stdout = [
        "/home/me/a:1: w: m",
        "/tmp/b:1: w: m",
        "/w/ws/target/c:1: w: m",
        "/builds/17/d:1: w: m",
        "../e:1: w: m",
        "/:1: w: m",
    ];
    check(
        pattern(),
        BOTH,
        (&stdout.join("\n"), "", 0),
        str![[r#"
warning lint lint ../e: m
warning lint lint /: m
warning lint lint [HOME]/a: m
warning lint lint [OUTSIDE]/d: m
warning lint lint [TARGET]/c: m
warning lint lint [TMP]/b: m

"#]],
    );
}

#[test]
fn a_pattern_without_a_path_applies_to_the_single_unit() {
    let lines = || Parse::Regex(r"^line (?<line>\d+)".to_owned());
    check(
        lines(),
        X,
        ("line 3 is bad", "", 1),
        str![[r#"
warning lint lint x.wgsl 3:1-4:1: line 3 is bad

"#]],
    );
    check(
        lines(),
        BOTH,
        ("line 3 is bad", "", 1),
        str![[r#"
warning lint lint lint: line 3 is bad

"#]],
    );
}

#[test]
fn the_default_place_is_the_same_in_every_batch() {
    let optional_path = Parse::Regex(r"^(?:(?<path>\w+\.rs): )?(?<message>bad)$".to_owned());
    let log = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{}},"results":[{"message":{"text":"bad"}}]}]}"#;
    for (parse, output) in [(optional_path, "bad"), (Parse::Sarif, log)] {
        let mut tool = tool("lint", parse, &["lint"]);
        let place = |tool: &Tool, units: &[Unit]| {
            run(&sample(), tool, units, output, "", 0).expect("readable").diagnostics[0].place.name()
        };
        assert_eq!(place(&tool, X), "x.wgsl", "one process per file");
        tool.run.push(Arg::Files);
        tool.per = Per::File;
        assert_eq!((&*place(&tool, X), &*place(&tool, BOTH)), ("lint", "lint"));
    }
}

#[test]
fn a_failure_without_a_match_is_unparsable() {
    check(
        pattern(),
        X,
        ("", "\n  cannot read /w/ws/x.wgsl\nmore", 2),
        str![[r#"
unparsable: exited with 2: cannot read x.wgsl

"#]],
    );
    check(
        pattern(),
        X,
        ("usage: x", "", 2),
        str![[r#"
unparsable: exited with 2: usage: x

"#]],
    );
    check(pattern(), X, ("", "", 0), "");
    check(
        Parse::Regex("(".to_owned()),
        X,
        ("", "", 0),
        str![[r#"
unparsable: invalid pattern: regex parse error:
...
"#]],
    );
}

#[test]
fn the_same_one_of_several_errors_is_reported_in_any_order() {
    let mut errors = ["error: no b", "warning: 0", "ERROR: no a after 12ms", "error[E1]: no c"];
    for _ in 0..errors.len() {
        errors.rotate_left(1);
        let expected = "unparsable: exited with 2: no a after [TIME]\n";
        check(Parse::Lines, X, ("", &errors.join("\n"), 2), expected);
    }
}

#[test]
fn each_line_is_a_diagnostic() {
    check(
        Parse::Lines,
        X,
        ("one\n\n /w/ws/two \n", "ignored", 0),
        str![[r#"
warning lint lint x.wgsl: one
warning lint lint x.wgsl: two

"#]],
    );
    check(
        Parse::Lines,
        BOTH,
        ("a/src/lib.rs\nother\n", "", 1),
        str![[r#"
warning lint lint a/src/lib.rs: a/src/lib.rs
warning lint lint lint: other

"#]],
    );
    check(
        Parse::Lines,
        X,
        ("\n", "error: no", 1),
        str![[r#"
unparsable: exited with 1: no

"#]],
    );
}

#[test]
fn an_exit_code_is_a_diagnostic_with_excerpts_of_the_output() {
    check(Parse::ExitCode, X, ("fine", "fine", 0), "");
    check(
        Parse::ExitCode,
        X,
        ("ran 3 checks in 0.53s\n", "thread 'main' (77) panicked at /w/ws/x.rs:1:2:\nboom\n", 101),
        str![[r#"
error lint lint x.wgsl: exited with `101`
  ran 3 checks in [TIME]
  thread 'main' panicked at x.rs:1:2:
boom

"#]],
    );
    let long: String = (1..=50).map(|line| format!("l{line}\n")).collect();
    check(
        Parse::ExitCode,
        &[Unit::Package(PackageId(0))],
        (&long, "", 1),
        str![[r#"
error lint lint package a @0: exited with `1`
  l1
l2
l3
l4
l5
l6
l7
l8
l9
l10
l11
l12
l13
l14
l15
l16
l17
l18
l19
l20
[10 lines]
l31
l32
l33
l34
l35
l36
l37
l38
l39
l40
l41
l42
l43
l44
l45
l46
l47
l48
l49
l50

"#]],
    );
}

#[test]
fn a_crashed_process_gives_no_result() {
    let output = ("x.wgsl:1: warning: one\n", "error: killed");
    let has_result = |parse: Parse, code| {
        run(&sample(), &tool("lint", parse, &["lint"]), X, output.0, output.1, code)
            .is_ok_and(|parsed| parsed.gaps.is_empty() && parsed.diagnostics.len() == 1)
    };
    for code in [1, 2, 100, 102, 125] {
        assert!(has_result(pattern(), code) && has_result(Parse::Lines, code), "{code}");
        assert!(has_result(Parse::ExitCode, code), "{code}");
    }
    for code in [-1, 126, 127, 128, 137, 255] {
        assert!(!has_result(pattern(), code) && !has_result(Parse::Lines, code), "{code}");
        assert!(!has_result(Parse::ExitCode, code), "{code}");
    }
    // A panic, unless it may be a failed test.
    assert!(!has_result(pattern(), 101) && !has_result(Parse::Lines, 101));
    assert!(has_result(Parse::ExitCode, 101));
    check(
        Parse::Lines,
        X,
        ("x.wgsl\n", "thread 'main' panicked", 101),
        str![[r#"
unparsable: exited with 101: thread 'main' panicked

"#]],
    );
}

#[test]
fn a_process_killed_by_a_signal_gives_no_result() {
    let (workspace, tool) = (sample(), tool("lint", Parse::Lines, &["lint"]));
    let output = Output {
        stdout: b"x\n".to_vec(),
        stderr: Vec::new(),
        exit: Exit::Signal(11),
        is_leaky: false,
        generated: None,
    };
    let scrub = Scrub::new(&workspace, None, "/tmp".as_ref());
    let input = Input {
        workspace: &workspace,
        tool: &tool,
        units: X,
        packages: &[],
        output: &output,
        scrub: &scrub,
        halt: &Never,
    };
    assert_eq!(parse(&input), Err(Unparsable("killed by signal 11".to_owned()).into()));
}

#[test]
fn a_leak_of_one_of_several_processes_is_kept() {
    let leaky = || Parsed { is_leaky: true, leaks: ["a::b".to_owned()].into(), ..Parsed::default() };
    for merged in [
        Parsed::default().beside(leaky()),
        leaky().beside(Parsed::default()),
        Parsed::default().and(leaky()),
        leaky().and(Parsed::default()),
    ] {
        assert!(merged.is_leaky);
        assert_eq!(merged.leaks, ["a::b".to_owned()].into());
    }
}
