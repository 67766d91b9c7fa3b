//! Output that is cut, damaged or made to deceive, through every parser.

use proptest::prelude::*;
use snapbox::str;

use super::testing::{run, show, tool, with_captured};
use super::tests::{X, check, pattern, sample};
use super::*;
use crate::model::tool::Per;
use crate::model::workspace::FileId;

/// What a process said that found something, captured where there is a tool.
struct Said {
    stdout: &'static str,
    stderr: &'static str,
    code: i32,
    unit: Unit,
    /// A word of a message or a path.
    word: &'static str,
    form: Form,
}

/// What tells that an output is whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// JSON that tells where it ends.
    Json,
    /// JSON lines of which the last may be lost.
    JsonLines,
    /// Text that tells where it ends.
    Text,
    /// Text of which the last may be lost.
    Lines,
}

impl Form {
    fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::JsonLines)
    }

    /// Whether what was cut off can't be taken for the whole.
    fn has_end(self) -> bool {
        matches!(self, Self::Json | Self::Text)
    }
}

/// Every parser. Whoever adds one says in [`said`] what it reads.
fn parsers() -> impl Iterator<Item = Parse> {
    Parse::NAMED.into_iter().chain([pattern()])
}

fn said(parse: &Parse) -> Vec<Said> {
    const ALL: Unit = Unit::Workspace;
    const FILE: Unit = Unit::File(FileId(1));
    let said = |stdout, stderr, code, unit, word, form| Said { stdout, stderr, code, unit, word, form };
    let clippy = include_str!("testdata/clippy.jsonl");
    let clippy_stderr = include_str!("testdata/clippy.stderr");
    match parse {
        Parse::RustcJson => vec![
            said(clippy, clippy_stderr, 101, ALL, "mismatched", Form::Json),
            said(
                include_str!("testdata/doc.jsonl"),
                include_str!("testdata/doc.stderr"),
                101,
                ALL,
                "unresolved",
                Form::Json,
            ),
        ],
        Parse::CargoBuild => vec![said(clippy, clippy_stderr, 101, ALL, "mismatched", Form::Json)],
        Parse::BuildScripts => vec![said(
            include_str!("testdata/build-scripts.jsonl"),
            include_str!("testdata/build-scripts.stderr"),
            101,
            ALL,
            "mismatched",
            Form::Json,
        )],
        Parse::Libtest => vec![
            said(include_str!("testdata/libtest.stdout"), "", 101, ROOT, "with message", Form::Text),
            said(
                include_str!("testdata/doctest.stdout"),
                include_str!("testdata/doctest.stderr"),
                101,
                ALL,
                "assertion",
                Form::Text,
            ),
        ],
        Parse::Nextest => {
            vec![said("", include_str!("testdata/nextest.stderr"), 100, ALL, "with message", Form::Text)]
        }
        Parse::Rustfmt => vec![said(
            include_str!("testdata/rustfmt.diff"),
            include_str!("testdata/rustfmt.stderr"),
            1,
            ROOT,
            "unclosed",
            Form::Lines,
        )],
        Parse::DenyJson => {
            vec![said("", include_str!("testdata/deny.stderr"), 7, ALL, "Made up", Form::Json)]
        }
        Parse::AuditJson => {
            vec![said(include_str!("testdata/audit.json"), "", 1, ALL, "Made up", Form::Json)]
        }
        Parse::TyposJson => {
            vec![said(include_str!("testdata/typos.jsonl"), "", 2, ALL, "teh", Form::JsonLines)]
        }
        // Finds nothing: see its own tests.
        Parse::Number(_) => Vec::new(),
        Parse::Machete => vec![said(
            include_str!("testdata/machete.stdout"),
            include_str!("testdata/machete.stderr"),
            1,
            ALL,
            "./beta",
            Form::Text,
        )],
        Parse::Diff => {
            vec![said(include_str!("testdata/shfmt.diff"), "", 1, ALL, "sh/a.sh", Form::Text)]
        }
        Parse::Sarif => vec![said(
            r#"{"version":"2.1.0","runs":[{"tool":{"driver":{}},"results":[{"message":{"text":"bad"}}]}]}"#,
            "",
            0,
            FILE,
            "bad",
            Form::Json,
        )],
        Parse::Regex(_) => {
            vec![said("x.wgsl:1: warning: bad\n", "x.wgsl:2: error: worse\n", 1, FILE, "bad", Form::Lines)]
        }
        Parse::Lines => vec![said("/w/ws/x is bad\n", "", 1, FILE, "bad", Form::Lines)],
        Parse::ExitCode => vec![said("bad\n", "worse\n", 101, FILE, "bad", Form::Lines)],
        // Nothing is parsed: the text is compared as it is.
        Parse::Golden(_) => Vec::new(),
    }
}

/// The library of `alpha`.
const ROOT: Unit = Unit::TargetRoot(PackageId(1), 0);

/// Lets the parser read an output. It gives an answer and does not panic; nor does it take a crash for a clean result,
/// or name a directory of the machine.
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

impl Said {
    fn read(&self, parse: &Parse) -> Result<Parsed, Unparsable> {
        read(parse, self.unit, self.stdout, self.stderr, self.code)
    }

    /// The stream that the parser reads, and the other as it is.
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

fn each(mut check: impl FnMut(&Parse, &Said)) {
    for parse in parsers() {
        let all = said(&parse);
        assert!(!all.is_empty());
        all.iter().for_each(|said| check(&parse, said));
    }
}

#[test]
fn every_parser_finds_something_in_what_it_reads() {
    each(|parse, said| {
        let parsed = said.read(parse).unwrap_or_else(|error| panic!("{}: {error}", parse.as_str()));
        assert!(!parsed.diagnostics.is_empty(), "{}", parse.as_str());
        assert!(said.main_stream().contains(said.word), "{}", parse.as_str());
    });
}

#[test]
fn what_is_cut_at_any_byte_is_never_taken_for_the_whole() {
    each(|parse, said| {
        let whole = said.read(parse).expect("readable");
        let stream = said.main_stream();
        // Long ones: as many as a test has time for, and those around the ends of lines.
        let step = 1 + stream.len() / 400;
        let is_tried = |at: usize| {
            at.is_multiple_of(step) || stream.as_bytes()[at.saturating_sub(1)..=at].contains(&b'\n')
        };
        for at in (0..stream.len()).filter(|at| is_tried(*at)) {
            let cut = said.with(parse, |text| text.as_bytes()[..at].to_vec());
            // What begins without a harness is a program that has none: its exit code is all that counts.
            let has_end =
                said.form.has_end() && (*parse != Parse::Libtest || stream[..at].contains(" tests\n"));
            if let (Ok(cut), true) = (cut, has_end) {
                let is_whole = !cut.gaps.is_empty() || cut.diagnostics == whole.diagnostics;
                assert!(is_whole, "{} at {at}: {:?}", parse.as_str(), &stream[..at]);
            }
        }
    });
}

#[test]
fn a_line_of_json_that_is_cut_at_any_byte_is_no_json() {
    each(|parse, said| {
        for line in said.main_stream().lines().filter(|line| said.form.is_json() && line.starts_with('{')) {
            // Long ones: as many as a test has time for.
            for at in (1..line.len()).step_by(1 + line.len() / 60) {
                let read = said.with(parse, |_| line.as_bytes()[..at].to_vec());
                let is_verdict = read.is_ok_and(|parsed| parsed.gaps.is_empty());
                assert!(!is_verdict, "{}: {}", parse.as_str(), &line[..at]);
            }
        }
    });
}

/// Whether nobody would take this for a pass.
fn is_no_pass(read: Result<Parsed, Unparsable>) -> bool {
    read.map_or(true, |parsed| !parsed.gaps.is_empty() || !parsed.diagnostics.is_empty())
}

/// What a tool, or whoever wrote what it looks at, may put into a message.
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
fn what_messages_say_breaks_no_parser() {
    each(|parse, said| {
        for hostile in HOSTILE {
            let hostile = match said.form.is_json() {
                true => serde_json::to_string(hostile).expect("a string").trim_matches('"').to_owned(),
                false => hostile.to_owned(),
            };
            let read = said.with(parse, |text| text.replace(said.word, &hostile).into_bytes());
            assert!(!said.form.is_json() || read.is_ok(), "{} {hostile}: {read:?}", parse.as_str());
            let in_place_of_all = said.with(parse, |_| hostile.clone().into_bytes());
            assert!(is_no_pass(in_place_of_all), "{}", parse.as_str());
        }
    });
}

#[test]
fn what_is_no_json_is_no_verdict() {
    let deep = "[".repeat(200_000);
    each(|parse, said| {
        let within = |bytes: &[u8]| {
            said.with(parse, |text| {
                let at = text.find(said.word).expect("the word is there") + 1;
                [&text.as_bytes()[..at], bytes, &text.as_bytes()[at..]].concat()
            })
        };
        for bytes in [b"\0".as_slice(), b"\xff", b"\xed\xa0\x80", b"\n", b"\x1b", b"\"", deep.as_bytes()] {
            let read = within(bytes);
            let is_text = matches!(bytes.first(), Some(b'['));
            assert!(!said.form.is_json() || is_text || read.is_err(), "{}: {bytes:?}", parse.as_str());
        }
        for bytes in [deep.as_bytes(), b"{\"a\":".repeat(100_000).as_slice(), &[b'x'; 2 << 20]] {
            assert!(is_no_pass(said.with(parse, |_| bytes.to_vec())), "{}", parse.as_str());
        }
    });
}

#[test]
fn every_parser_takes_what_others_read_and_no_crash_for_a_clean_result() {
    each(|_, said| {
        for parse in parsers() {
            for code in [0, 1, 2, 100, 101, 126, 127, 128, 137, 255] {
                let _ = read(&parse, said.unit, said.stdout, said.stderr, code);
            }
        }
    });
}

/// Any exit code, and those often that mean something.
fn code() -> impl Strategy<Value = i32> {
    prop_oneof![0..8, 100..102, 126..=255]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn every_parser_takes_any_bytes(stdout in any::<Vec<u8>>(), stderr in any::<Vec<u8>>(), code in code()) {
        for parse in parsers() {
            let _ = read(&parse, X[0], &stdout, &stderr, code);
        }
    }

    #[test]
    fn every_parser_takes_damaged_output(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        len in 0..200_usize,
        with in any::<Vec<u8>>(),
        code in prop::option::of(code()),
    ) {
        let all: Vec<_> = parsers().flat_map(|parse| said(&parse).into_iter().map(move |said| (parse.clone(), said))).collect();
        let (parse, said) = &all[which.index(all.len())];
        let said = Said { code: code.unwrap_or(said.code), ..*said };
        let _ = said.with(parse, |text| {
            let mut bytes = text.as_bytes().to_vec();
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + len);
            bytes.splice(at..end, with.clone());
            bytes
        });
    }
}

/// Says for each parser whether it came to a verdict on `damaged` output of a tool that succeeded.
#[track_caller]
fn check_damaged(damaged: impl Fn(&str) -> Vec<u8>, expected: [bool; 6]) {
    let finished = "{\"reason\":\"build-finished\",\"success\":true}\n";
    let artifact = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/ws/a#0.1.0","target":{"kind":["lib"],"name":"a"},"profile":{"test":false},"filenames":["bad"]}"#;
    let said = [
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
        [false, false, true, true, true, true],
    );
    check_damaged(|said| said.as_bytes()[..said.len() / 4].to_vec(), [false, false, false, true, true, true]);
    // A line of a tool may name a file, and that may hold any byte but one.
    check_damaged(|said| within(said, b"\xff"), [false, false, false, true, true, true]);
    check_damaged(|said| within(said, b"\0"), [false, false, true, false, false, true]);
    check_damaged(|said| within(said, &[b'x'; 2 << 20]), [true, true, true, false, false, true]);
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
        format!("unparsable: exited with 1: {}\n", "x".repeat(400)),
    );
}
