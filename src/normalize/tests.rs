use proptest::prelude::*;
use snapbox::{assert_data_eq, str};

use super::testing::{run, show, tool, workspace};
use super::*;
use crate::model::tool::{Arg, Per, Streams};
use crate::model::workspace::{FileId, TargetKind};

fn sample() -> Workspace {
    workspace(&[("a", &[(TargetKind::Lib, "a/src/lib.rs")])], &["a/src/lib.rs", "x.wgsl"])
}

const X: &[Unit] = &[Unit::File(FileId(1))];
const BOTH: &[Unit] = &[Unit::File(FileId(0)), Unit::File(FileId(1))];

#[track_caller]
fn check(
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

fn pattern() -> Parse {
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
fn a_place_outside_tells_nothing_of_the_machine() {
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
fn a_pattern_without_a_path_speaks_of_the_one_unit() {
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
fn what_names_no_place_is_about_the_same_in_every_batch() {
    let optional_path = Parse::Regex(r"^(?:(?<path>\w+\.rs): )?(?<message>bad)$".to_owned());
    let log = r#"{"runs":[{"tool":{"driver":{}},"results":[{"message":{"text":"bad"}}]}]}"#;
    for (parse, said) in [(optional_path, "bad"), (Parse::Sarif, log)] {
        let mut tool = tool("lint", parse, &["lint"]);
        let place = |tool: &Tool, units: &[Unit]| {
            run(&sample(), tool, units, said, "", 0).expect("readable").diagnostics[0].place.name()
        };
        assert_eq!(place(&tool, X), "x.wgsl", "a process a file");
        tool.run.push(Arg::Files);
        tool.per = Per::File;
        assert_eq!((&*place(&tool, X), &*place(&tool, BOTH)), ("lint", "lint"));
    }
}

#[test]
fn a_failure_that_no_pattern_explains_is_unparsable() {
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
unparsable: the pattern: regex parse error:
...
"#]],
    );
}

#[test]
fn of_errors_at_once_the_same_one_is_told_whatever_came_first() {
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
fn an_exit_code_is_a_diagnostic_with_the_ends_of_the_output() {
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
fn a_process_that_ended_half_way_gave_no_verdict() {
    let said = ("x.wgsl:1: warning: one\n", "error: killed");
    let is_verdict = |parse: Parse, code| {
        run(&sample(), &tool("lint", parse, &["lint"]), X, said.0, said.1, code)
            .is_ok_and(|parsed| parsed.gaps.is_empty() && parsed.diagnostics.len() == 1)
    };
    for code in [1, 2, 100, 102, 125] {
        assert!(is_verdict(pattern(), code) && is_verdict(Parse::Lines, code), "{code}");
        assert!(is_verdict(Parse::ExitCode, code), "{code}");
    }
    for code in [-1, 126, 127, 128, 137, 255] {
        assert!(!is_verdict(pattern(), code) && !is_verdict(Parse::Lines, code), "{code}");
        assert!(!is_verdict(Parse::ExitCode, code), "{code}");
    }
    // A panic, unless it may be a failed test.
    assert!(!is_verdict(pattern(), 101) && !is_verdict(Parse::Lines, 101));
    assert!(is_verdict(Parse::ExitCode, 101));
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
fn a_process_that_a_signal_ended_said_nothing() {
    let (workspace, tool) = (sample(), tool("lint", Parse::Lines, &["lint"]));
    let output = Output { stdout: b"x\n".to_vec(), stderr: Vec::new(), exit: Exit::Signal(11) };
    let scrub = Scrub::new(&workspace, None, "/tmp".as_ref());
    let input =
        Input { workspace: &workspace, tool: &tool, units: X, packages: &[], output: &output, scrub: &scrub };
    assert_eq!(parse(&input), Err(Unparsable("ended by signal 11".to_owned())));
}

const CAPTURED: [(&str, &str); 5] = [
    (include_str!("testdata/clippy.jsonl"), include_str!("testdata/clippy.stderr")),
    (include_str!("testdata/doc.jsonl"), include_str!("testdata/doc.stderr")),
    (include_str!("testdata/rustfmt.diff"), include_str!("testdata/rustfmt.stderr")),
    (
        r#"{"runs":[{"tool":{"driver":{}},"results":[{"message":{"text":"{0}","arguments":["/w/ws/x"]}}]}]}"#,
        "x.wgsl:1:2: error: m\nerror: x\n --> /w/ws/x:1:2\n",
    ),
    (r#"{"runs":[{"tool":{"driver":{}},"results":[{"kind":"pass"}]}]}"#, ""),
];

/// What every parser says: each gives an answer, and none panics. Nor does any take a crash for a clean result.
fn answers(stdout: &[u8], stderr: &[u8], code: i32) -> Vec<String> {
    let workspace = sample();
    let golden = Parse::Golden(Streams::Both);
    let parsers =
        [Parse::RustcJson, Parse::Rustfmt, Parse::Sarif, pattern(), Parse::Lines, Parse::ExitCode, golden];
    let answer = |parse: Parse| {
        let tool = tool("lint", parse, &["lint"]);
        match run(&workspace, &tool, BOTH, stdout, stderr, code) {
            Ok(parsed) => {
                let is_clean = parsed == Parsed::default();
                assert!(!is_clean || code < 126 && code != 101, "{code}: {}", tool.parse.as_str());
                show(&parsed)
            }
            Err(error) => error.to_string(),
        }
    };
    parsers.into_iter().map(answer).collect()
}

#[test]
fn no_directory_of_the_machine_passes_wherever_the_output_ends() {
    for (stdout, stderr) in CAPTURED {
        // As many as a test has time for.
        for at in (0..stdout.len()).step_by(1 + stdout.len() / 100) {
            for answer in answers(&stdout.as_bytes()[..at], stderr.as_bytes(), (at % 3) as i32) {
                assert!(!answer.contains("/w/ws/"), "{answer}");
            }
        }
        for at in 0..stderr.len() {
            answers(b"", &stderr.as_bytes()[..at], 1);
        }
    }
}

#[test]
fn output_that_ends_at_any_byte_is_read_without_a_panic() {
    let workspace = sample();
    let parsers = [Parse::RustcJson, Parse::RustcJson, Parse::Rustfmt, Parse::Sarif, Parse::Sarif];
    for (parse, (stdout, _)) in parsers.into_iter().zip(CAPTURED) {
        // A line of JSON is read for itself: what was before it is the same each time.
        let pieces: Vec<_> = match parse {
            Parse::RustcJson => stdout.lines().collect(),
            _ => vec![stdout],
        };
        let is_json = !matches!(parse, Parse::Rustfmt);
        let tool = tool("lint", parse, &["lint"]);
        for piece in pieces {
            for at in 0..piece.len() {
                let read = run(&workspace, &tool, BOTH, &piece.as_bytes()[..at], b"", 0);
                assert!(!is_json || read.is_err(), "{}", &piece[..at]);
            }
        }
    }
}

/// Any exit code, and those often that mean something.
fn code() -> impl Strategy<Value = i32> {
    prop_oneof![0..3, Just(101), 126..=255]
}

#[test]
fn no_parser_takes_a_crash_for_a_clean_result_whatever_was_said() {
    for (stdout, stderr) in CAPTURED {
        for code in [101, 126, 127, 128, 137, 255] {
            answers(stdout.as_bytes(), stderr.as_bytes(), code);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn every_parser_takes_any_bytes(stdout in any::<Vec<u8>>(), stderr in any::<Vec<u8>>(), code in code()) {
        answers(&stdout, &stderr, code);
    }

    #[test]
    fn every_parser_takes_damaged_output(
        which in 0..CAPTURED.len(),
        at in any::<prop::sample::Index>(),
        len in 0..200_usize,
        with in any::<Vec<u8>>(),
        code in code(),
    ) {
        let (stdout, stderr) = CAPTURED[which];
        let mut stdout = stdout.as_bytes().to_vec();
        let at = at.index(stdout.len());
        let end = stdout.len().min(at + len);
        stdout.splice(at..end, with);
        answers(&stdout, stderr.as_bytes(), code);
    }
}

/// Says for each parser whether it came to a verdict on `damaged` output of a tool that succeeded.
#[track_caller]
fn check_damaged(damaged: impl Fn(&str) -> Vec<u8>, expected: [bool; 7]) {
    let finished = "{\"reason\":\"build-finished\",\"success\":true}\n";
    let artifact = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/ws/a#0.1.0","target":{"kind":["lib"],"name":"a"},"profile":{"test":false},"filenames":["bad"]}"#;
    let said = [
        (Parse::RustcJson, format!("{artifact}\n{finished}")),
        (
            Parse::Sarif,
            r#"{"runs":[{"tool":{"driver":{}},"results":[{"message":{"text":"bad"}}]}]}"#.to_owned(),
        ),
        (Parse::Rustfmt, "Diff in /w/ws/x.rs:1:\n-bad\n+good\n".to_owned()),
        (pattern(), "x.wgsl:1: warning: bad\n".to_owned()),
        (Parse::Lines, "bad\n".to_owned()),
        (Parse::ExitCode, "bad\n".to_owned()),
        (Parse::Golden(Streams::Stdout), "bad\n".to_owned()),
    ];
    let has_verdict = said.map(|(parse, said)| {
        let tool = tool("lint", parse, &["lint"]);
        let readable = |stdout: &[u8]| run(&sample(), &tool, X, stdout, "", 0).is_ok();
        assert!(readable(said.as_bytes()), "{}", tool.parse.as_str());
        readable(&damaged(&said))
    });
    assert_eq!(has_verdict, expected);
}

/// `said` with `bytes` in the middle of a message.
fn within(said: &str, bytes: &[u8]) -> Vec<u8> {
    let at = said.find("ad").expect("all say something is bad");
    [&said.as_bytes()[..at], bytes, &said.as_bytes()[at..]].concat()
}

#[test]
fn damaged_output_is_unparsable_though_the_tool_succeeded() {
    // Where nothing is read but the exit code, nothing can be damaged. Lines have no frame: half of them are lines.
    check_damaged(
        |said| said.as_bytes()[..said.len() * 3 / 4].to_vec(),
        [false, false, true, true, true, true, true],
    );
    check_damaged(
        |said| said.as_bytes()[..said.len() / 4].to_vec(),
        [false, false, false, true, true, true, true],
    );
    // A line of a tool may name a file, and that may hold any byte but one.
    check_damaged(|said| within(said, b"\xff"), [false, false, false, true, true, true, false]);
    check_damaged(|said| within(said, b"\0"), [false, false, true, false, false, true, false]);
    check_damaged(|said| within(said, &[b'x'; 2 << 20]), [true, true, true, false, false, true, false]);
}

#[test]
fn what_millions_of_lines_say_is_told_in_few_words() {
    let many = "bad\n".repeat(100_000);
    check(
        Parse::Lines,
        X,
        (&many, "", 0),
        str![[r#"
warning lint lint x.wgsl: bad

"#]],
    );
    check(
        Parse::ExitCode,
        X,
        ("", &"x".repeat(5 << 20), 1),
        format!("error lint lint x.wgsl: exited with `1`\n  {}\n", "x".repeat(400)),
    );
    check(
        Parse::Lines,
        X,
        ("", &format!("error: {}\n", "x".repeat(5 << 20)), 1),
        format!("unparsable: exited with 1: {}\n", "x".repeat(393)),
    );
}
