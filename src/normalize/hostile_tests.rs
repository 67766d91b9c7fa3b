//! Feeds truncated, damaged and deceptive output to every parser.

use proptest::prelude::*;
use snapbox::str;

use super::testing::{run, show, tool, with_captured};
use super::tests::{X, check, pattern, sample};
use super::*;
use crate::model::tool::Per;
use crate::model::workspace::FileId;

/// Output of a process with findings, captured from the tool if there is one.
struct Sample {
    stdout: &'static str,
    stderr: &'static str,
    code: i32,
    unit: Unit,
    /// Word in a message or path.
    word: &'static str,
    form: Form,
}

/// Sign by which a reader knows that an output is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// JSON with an explicit end.
    Json,
    /// JSON lines, where the last ones may be missing.
    JsonLines,
    /// Text with an explicit end.
    Text,
    /// Text where the last lines may be missing.
    Lines,
}

impl Form {
    fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::JsonLines)
    }

    /// Returns whether truncated output is recognized.
    fn has_end(self) -> bool {
        matches!(self, Self::Json | Self::Text)
    }
}

/// Returns every parser. A new parser needs an entry in [`samples`].
fn parsers() -> impl Iterator<Item = Parse> {
    Parse::NAMED.into_iter().chain([pattern()])
}

fn samples(parse: &Parse) -> Vec<Sample> {
    const ALL: Unit = Unit::Workspace;
    const FILE: Unit = Unit::File(FileId(1));
    let sample = |stdout, stderr, code, unit, word, form| Sample { stdout, stderr, code, unit, word, form };
    let clippy = include_str!("testdata/clippy.jsonl");
    let clippy_stderr = include_str!("testdata/clippy.stderr");
    match parse {
        Parse::RustcJson => vec![
            sample(clippy, clippy_stderr, 101, ALL, "mismatched", Form::Json),
            sample(
                include_str!("testdata/doc.jsonl"),
                include_str!("testdata/doc.stderr"),
                101,
                ALL,
                "unresolved",
                Form::Json,
            ),
        ],
        Parse::CargoBuild => vec![sample(clippy, clippy_stderr, 101, ALL, "mismatched", Form::Json)],
        Parse::BuildScripts => vec![sample(
            include_str!("testdata/build-scripts.jsonl"),
            include_str!("testdata/build-scripts.stderr"),
            101,
            ALL,
            "mismatched",
            Form::Json,
        )],
        Parse::Libtest => vec![
            sample(include_str!("testdata/libtest.stdout"), "", 101, ROOT, "with message", Form::Text),
            sample(
                include_str!("testdata/doctest.stdout"),
                include_str!("testdata/doctest.stderr"),
                101,
                ALL,
                "assertion",
                Form::Text,
            ),
        ],
        Parse::Nextest => {
            vec![sample("", include_str!("testdata/nextest.stderr"), 100, ALL, "with message", Form::Text)]
        }
        Parse::Rustfmt => vec![sample(
            include_str!("testdata/rustfmt.diff"),
            include_str!("testdata/rustfmt.stderr"),
            1,
            ROOT,
            "unclosed",
            Form::Lines,
        )],
        Parse::DenyJson => {
            vec![sample("", include_str!("testdata/deny.stderr"), 7, ALL, "Made up", Form::Json)]
        }
        Parse::AuditJson => {
            vec![sample(include_str!("testdata/audit.json"), "", 1, ALL, "Made up", Form::Json)]
        }
        Parse::TyposJson => {
            vec![sample(include_str!("testdata/typos.jsonl"), "", 2, ALL, "teh", Form::JsonLines)]
        }
        // Finds nothing and has its own tests.
        Parse::Number(_) => Vec::new(),
        Parse::Machete => vec![sample(
            include_str!("testdata/machete.stdout"),
            include_str!("testdata/machete.stderr"),
            1,
            ALL,
            "./beta",
            Form::Text,
        )],
        Parse::Diff => {
            vec![sample(include_str!("testdata/shfmt.diff"), "", 1, ALL, "sh/a.sh", Form::Text)]
        }
        Parse::Sarif => vec![sample(
            r#"{"version":"2.1.0","runs":[{"tool":{"driver":{}},"results":[{"message":{"text":"bad"}}]}]}"#,
            "",
            0,
            FILE,
            "bad",
            Form::Json,
        )],
        Parse::Regex(_) => {
            vec![sample("x.wgsl:1: warning: bad\n", "x.wgsl:2: error: worse\n", 1, FILE, "bad", Form::Lines)]
        }
        Parse::Lines => vec![sample("/w/ws/x is bad\n", "", 1, FILE, "bad", Form::Lines)],
        Parse::ExitCode => vec![sample("bad\n", "worse\n", 101, FILE, "bad", Form::Lines)],
        // Nothing is parsed; the text is compared as it is.
        Parse::Golden(_) | Parse::Generator(_) => Vec::new(),
    }
}

/// The library of `alpha`.
const ROOT: Unit = Unit::TargetRoot(PackageId(1), 0);

/// Runs the parser. Checks that it does not panic, does not take a crash for a clean result, and does not reveal a
/// directory of this machine.
fn read(
    parse: &Parse,
    unit: Unit,
    stdout: impl AsRef<[u8]>,
    stderr: impl AsRef<[u8]>,
    code: i32,
) -> Result<Parsed, Unparsable> {
    let mut tool = tool("lint", parse.clone(), &["lint"]);
    if let Unit::TargetRoot(..) = unit {
        tool.per = Per::TestTarget;
    }
    let result = run(&with_captured(), &tool, &[unit], stdout, stderr, code);
    let is_clean = result
        .as_ref()
        .is_ok_and(|parsed| *parsed == Parsed { unsettled: parsed.unsettled.clone(), ..Parsed::default() });
    assert!(!is_clean || code < 126 && code != 101, "{code}: {}", parse.as_str());
    let answer = result.as_ref().map_or_else(ToString::to_string, show);
    assert!(!answer.contains("/w/ws/"), "{}: {answer}", parse.as_str());
    result
}

impl Sample {
    fn read(&self, parse: &Parse) -> Result<Parsed, Unparsable> {
        read(parse, self.unit, self.stdout, self.stderr, self.code)
    }

    /// Parses with a changed main stream and the other stream unchanged.
    fn with(&self, parse: &Parse, change: impl Fn(&str) -> Vec<u8>) -> Result<Parsed, Unparsable> {
        match self.stdout.contains(self.word) {
            true => read(parse, self.unit, change(self.stdout), self.stderr, self.code),
            false => read(parse, self.unit, self.stdout, change(self.stderr), self.code),
        }
    }

    fn main_stream(&self) -> &'static str {
        if self.stdout.contains(self.word) { self.stdout } else { self.stderr }
    }
}

fn each(mut check: impl FnMut(&Parse, &Sample)) {
    for parse in parsers() {
        let all = samples(&parse);
        assert!(!all.is_empty());
        all.iter().for_each(|sample| check(&parse, sample));
    }
}

#[test]
fn every_parser_finds_something_in_its_input() {
    each(|parse, sample| {
        let parsed = sample.read(parse).unwrap_or_else(|error| panic!("{}: {error}", parse.as_str()));
        assert!(!parsed.diagnostics.is_empty(), "{}", parse.as_str());
        assert!(sample.main_stream().contains(sample.word), "{}", parse.as_str());
    });
}

#[test]
fn truncated_output_is_never_taken_for_complete_output() {
    each(|parse, sample| {
        let whole = sample.read(parse).expect("readable");
        let stream = sample.main_stream();
        // Try some positions in long outputs, and all positions around line ends.
        let step = 1 + stream.len() / 400;
        let is_tried = |at: usize| {
            at.is_multiple_of(step) || stream.as_bytes()[at.saturating_sub(1)..=at].contains(&b'\n')
        };
        for at in (0..stream.len()).filter(|at| is_tried(*at)) {
            let cut = sample.with(parse, |text| text.as_bytes()[..at].to_vec());
            // Without a harness heading, the program is taken for one without a harness, where only the exit code
            // counts.
            let has_end =
                sample.form.has_end() && (*parse != Parse::Libtest || stream[..at].contains(" tests\n"));
            if let (Ok(cut), true) = (cut, has_end) {
                let is_whole = !cut.gaps.is_empty() || cut.diagnostics == whole.diagnostics;
                assert!(is_whole, "{} at {at}: {:?}", parse.as_str(), &stream[..at]);
            }
        }
    });
}

#[test]
fn a_truncated_line_of_json_is_rejected() {
    each(|parse, sample| {
        for line in sample.main_stream().lines().filter(|line| sample.form.is_json() && line.starts_with('{'))
        {
            // Try some positions in long lines.
            for at in (1..line.len()).step_by(1 + line.len() / 60) {
                let read = sample.with(parse, |_| line.as_bytes()[..at].to_vec());
                let has_result = read.is_ok_and(|parsed| parsed.gaps.is_empty());
                assert!(!has_result, "{}: {}", parse.as_str(), &line[..at]);
            }
        }
    });
}

/// Returns whether the output is not taken for a pass.
fn is_not_a_pass(read: Result<Parsed, Unparsable>) -> bool {
    read.map_or(true, |parsed| !parsed.gaps.is_empty() || !parsed.diagnostics.is_empty())
}

/// Text that a tool, or the author of the code it checks, may put into a message.
const HOSTILE: [&str; 8] = [
    "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}1m\u{1b}",
    "\u{202e}cilbup\u{2066}\u{200f}",
    "\n::error file=x,line=1::told\n##[error]told\r::warning::told",
    "<script>alert(1)</script>&lt;!--]]>",
    "`````\n| a | b |\n${{ secrets }}",
    "\0\u{1}\u{7f}\u{85}\u{2028}",
    "/w/ws/x",
    "{0} {{{{ }} % %s %n",
];

#[test]
fn hostile_messages_break_no_parser() {
    each(|parse, sample| {
        for hostile in HOSTILE {
            let hostile = match sample.form.is_json() {
                true => serde_json::to_string(hostile).expect("a string").trim_matches('"').to_owned(),
                false => hostile.to_owned(),
            };
            let read = sample.with(parse, |text| text.replace(sample.word, &hostile).into_bytes());
            assert!(!sample.form.is_json() || read.is_ok(), "{} {hostile}: {read:?}", parse.as_str());
            let in_place_of_all = sample.with(parse, |_| hostile.clone().into_bytes());
            assert!(is_not_a_pass(in_place_of_all), "{}", parse.as_str());
        }
    });
}

#[test]
fn invalid_json_gives_no_result() {
    let deep = "[".repeat(200_000);
    each(|parse, sample| {
        let within = |bytes: &[u8]| {
            sample.with(parse, |text| {
                let at = text.find(sample.word).expect("the word is there") + 1;
                [&text.as_bytes()[..at], bytes, &text.as_bytes()[at..]].concat()
            })
        };
        for bytes in [b"\0".as_slice(), b"\xff", b"\xed\xa0\x80", b"\n", b"\x1b", b"\"", deep.as_bytes()] {
            let read = within(bytes);
            let is_text = matches!(bytes.first(), Some(b'['));
            assert!(!sample.form.is_json() || is_text || read.is_err(), "{}: {bytes:?}", parse.as_str());
        }
        for bytes in [deep.as_bytes(), b"{\"a\":".repeat(100_000).as_slice(), &[b'x'; 2 << 20]] {
            assert!(is_not_a_pass(sample.with(parse, |_| bytes.to_vec())), "{}", parse.as_str());
        }
    });
}

#[test]
fn no_parser_takes_output_of_another_tool_or_a_crash_for_a_clean_result() {
    each(|_, sample| {
        for parse in parsers() {
            for code in [0, 1, 2, 100, 101, 126, 127, 128, 137, 255] {
                let _ = read(&parse, sample.unit, sample.stdout, sample.stderr, code);
            }
        }
    });
}

/// Generates any exit code, with a preference for those with a meaning.
fn code() -> impl Strategy<Value = i32> {
    prop_oneof![0..8, 100..102, 126..=255]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn every_parser_accepts_any_bytes(stdout in any::<Vec<u8>>(), stderr in any::<Vec<u8>>(), code in code()) {
        for parse in parsers() {
            let _ = read(&parse, X[0], &stdout, &stderr, code);
        }
    }

    #[test]
    fn every_parser_accepts_damaged_output(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        len in 0..200_usize,
        with in any::<Vec<u8>>(),
        code in prop::option::of(code()),
    ) {
        let all: Vec<_> = parsers().flat_map(|parse| samples(&parse).into_iter().map(move |sample| (parse.clone(), sample))).collect();
        let (parse, sample) = &all[which.index(all.len())];
        let sample = Sample { code: code.unwrap_or(sample.code), ..*sample };
        let _ = sample.with(parse, |text| {
            let mut bytes = text.as_bytes().to_vec();
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + len);
            bytes.splice(at..end, with.clone());
            bytes
        });
    }
}

/// Checks for each parser whether it has a result for `damaged` output of a tool that succeeded.
#[track_caller]
fn check_damaged(damaged: impl Fn(&str) -> Vec<u8>, expected: [bool; 6]) {
    let finished = "{\"reason\":\"build-finished\",\"success\":true}\n";
    let artifact = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/ws/a#0.1.0","target":{"kind":["lib"],"name":"a"},"profile":{"test":false},"filenames":["bad"]}"#;
    let output = [
        (Parse::RustcJson, format!("{artifact}\n{finished}")),
        (
            Parse::Sarif,
            r#"{"version":"2.1.0","runs":[{"tool":{"driver":{}},"results":[{"message":{"text":"bad"}}]}]}"#
                .to_owned(),
        ),
        (Parse::Rustfmt, "Diff in /w/ws/x.rs:1:\n-bad\n+good\n".to_owned()),
        (pattern(), "x.wgsl:1: warning: bad\n".to_owned()),
        (Parse::Lines, "bad\n".to_owned()),
        (Parse::ExitCode, "bad\n".to_owned()),
    ];
    let has_result = output.map(|(parse, output)| {
        let tool = tool("lint", parse, &["lint"]);
        let readable = |stdout: &[u8]| run(&sample(), &tool, X, stdout, "", 0).is_ok();
        assert!(readable(output.as_bytes()), "{}", tool.parse.as_str());
        readable(&damaged(&output))
    });
    assert_eq!(has_result, expected);
}

/// Inserts `bytes` into the middle of a message in `output`.
fn within(output: &str, bytes: &[u8]) -> Vec<u8> {
    let at = output.find("ad").expect("every output contains \"bad\"");
    [&output.as_bytes()[..at], bytes, &output.as_bytes()[at..]].concat()
}

#[test]
fn damaged_output_is_unparsable_even_if_the_tool_succeeded() {
    // If only the exit code is read, nothing can be damaged. Line-based output has no frame, so half of it is still
    // lines.
    check_damaged(
        |output| output.as_bytes()[..output.len() * 3 / 4].to_vec(),
        [false, false, true, true, true, true],
    );
    check_damaged(
        |output| output.as_bytes()[..output.len() / 4].to_vec(),
        [false, false, false, true, true, true],
    );
    // A line may name a file, whose name may contain any byte except NUL.
    check_damaged(|output| within(output, b"\xff"), [false, false, false, true, true, true]);
    check_damaged(|output| within(output, b"\0"), [false, false, true, false, false, true]);
    check_damaged(|output| within(output, &[b'x'; 2 << 20]), [true, true, true, false, false, true]);
}

#[test]
fn millions_of_equal_lines_become_one_finding() {
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
        format!("unparsable: exited with 1: {}\n", "x".repeat(400)),
    );
}
