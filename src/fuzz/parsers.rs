//! Fuzz targets that feed output of tools to every parser.

use serde_json::{Value, json};

use super::random::Dice;
use super::{json, text};
use crate::model::ratchet::{Better, NumberPattern};
use crate::model::task::Unit;
use crate::model::tool::{Parse, Per};
use crate::model::workspace::{FileId, PackageId};
use crate::normalize::testing::{run, tool, with_captured};
use crate::normalize::{Parsed, Unparsable};

/// Defines the target of one parser.
macro_rules! parser {
    ($name:literal, $parse:expr) => {
        $crate::fuzz::Target {
            name: $name,
            seeds: || $crate::fuzz::parsers::seeds(&$parse),
            mutate: $crate::fuzz::parsers::mutate,
            check: |input| $crate::fuzz::parsers::check(&$parse, input),
        }
    };
}
pub(super) use parser;

pub(super) fn pattern() -> Parse {
    Parse::Regex(
        r"^(?<path>[^:]+):(?<line>[0-9]+)(?::(?<column>[0-9]+))?: (?<level>[a-z]+)(?:\[(?<rule>[a-z]+)\])?: (?<message>.+)$"
            .to_owned(),
    )
}

pub(super) fn number() -> Parse {
    Parse::Number(Box::new(NumberPattern {
        regex: r"^(?<name>[a-z ]+): (?<value>-?[0-9.]+)".to_owned(),
        name: None,
        better: Better::Higher,
        tolerance: None,
        unit: Some("%".to_owned()),
    }))
}

/// Result of a process: a line with exit code and unit, standard output, a separator line, and standard error.
struct Process {
    code: i32,
    unit: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

const BETWEEN: &[u8] = b"\n--- stderr\n";

/// Exit codes that have a meaning.
const CODES: [i32; 14] = [0, 1, 2, 3, 4, 5, 7, 15, 100, 101, 126, 127, 137, 255];

const UNITS: [Unit; 4] =
    [Unit::Workspace, Unit::File(FileId(1)), Unit::TargetRoot(PackageId(1), 0), Unit::Package(PackageId(1))];

impl Process {
    /// Decodes any bytes.
    fn decode(input: &[u8]) -> Self {
        let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let head = String::from_utf8_lossy(&input[..end]);
        let mut words = head.split(' ').map(|word| word.parse::<u8>().unwrap_or_default());
        let (code, unit) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let body = input.get(end + 1..).unwrap_or_default();
        let middle = body.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        let (stdout, stderr) = match middle {
            Some(at) => (&body[..at], &body[at + BETWEEN.len()..]),
            None => (body, &[][..]),
        };
        let unit = usize::from(unit) % UNITS.len();
        Self { code: code.into(), unit, stdout: stdout.to_vec(), stderr: stderr.to_vec() }
    }

    fn parse(&self, parse: &Parse) -> Result<Parsed, Unparsable> {
        let unit = UNITS[self.unit];
        let mut tool = tool("lint", parse.clone(), &["lint"]);
        if let Unit::TargetRoot(..) = unit {
            tool.per = Per::TestTarget;
        }
        run(&with_captured(), &tool, &[unit], &self.stdout, &self.stderr, self.code)
    }

    fn encode(&self) -> Vec<u8> {
        let head = format!("{} {}\n", self.code, self.unit);
        [head.as_bytes(), &self.stdout, BETWEEN, &self.stderr].concat()
    }
}

/// Checks that no output makes a parser panic, that a crash is not taken for a clean result, that no directory of the
/// machine is revealed, and that findings are sorted and unique.
pub(super) fn check(parse: &Parse, input: &[u8]) -> bool {
    let process = Process::decode(input);
    let Ok(parsed) = process.parse(parse) else { return false };
    let is_clean = parsed == Parsed { unsettled: parsed.unsettled.clone(), ..Parsed::default() };
    // Cargo exits with 101 for any error. A build that only runs build scripts ignores errors of other targets.
    let is_crash = process.code >= 126 || process.code == 101 && *parse != Parse::BuildScripts;
    assert!(!is_clean || !is_crash, "a crash was taken for a clean result");
    for found in &parsed.diagnostics {
        let texts =
            found.related.iter().map(|related| related.message.as_str()).chain([found.message.as_str()]);
        texts.for_each(|text| assert!(!names_the_machine(text), "{text}"));
        if let Some(range) = found.place.range() {
            assert!(range.start.line > 0 && range.start.column > 0 && range.start <= range.end, "{range:?}");
        }
    }
    parsed.gaps.iter().for_each(|gap| assert!(!names_the_machine(&gap.reason), "{}", gap.reason));
    assert!(parsed.diagnostics.is_sorted() && parsed.gaps.is_sorted());
    true
}

/// Returns whether `text` contains a path of the machine, not just the end of another word.
fn names_the_machine(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || "\"'`(<[=".contains(c)).any(|word| word.starts_with("/w/ws/"))
}

/// Mutates one of the streams, or the exit code.
pub(super) fn mutate(dice: &mut Dice, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    const WORDS: [&str; 20] = [
        "error: ",
        "warning: ",
        "error[E0308]: ",
        "--> a/src/lib.rs:1:1",
        "/w/ws/a/src/lib.rs",
        "test result: FAILED. ",
        "running 1 test",
        "failures:",
        "thread 'x' panicked at a/src/lib.rs:1:1:",
        "Diff in /w/ws/a/src/lib.rs:1:",
        "@@ -1,2 +1,3 @@",
        "--- a/x",
        "+++ b/x",
        "-",
        "+",
        "{\"reason\":\"build-finished\",\"success\":true}",
        "[TARGET]",
        "could not compile",
        "FAIL [",
        "\n",
    ];
    let mut process = Process::decode(input);
    let is_stderr = process.stdout.is_empty() || dice.one_in(4);
    // Decode only one of the others, since decoding all of them would take most of the time.
    let donor = (!others.is_empty()).then(|| Process::decode(dice.pick::<Vec<u8>>(others)));
    let donor: Vec<_> =
        donor.into_iter().map(|donor| if is_stderr { donor.stderr } else { donor.stdout }).collect();
    let stream = if is_stderr { &mut process.stderr } else { &mut process.stdout };
    *stream = text::mutate(dice, stream, &donor, &WORDS);
    if dice.one_in(6) {
        process.code = *dice.pick(&CODES);
    }
    if dice.one_in(12) {
        process.unit = dice.below(UNITS.len());
    }
    process.encode()
}

/// Mutates output of cargo-deny. Keeps its exit code and summary consistent with its messages most of the time.
pub(super) fn deny(dice: &mut Dice, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut process = Process::decode(input);
    if dice.one_in(4) {
        return mutate(dice, input, others);
    }
    let theirs = Process::decode(dice.pick::<Vec<u8>>(others)).stderr;
    let lines = |bytes: &[u8]| -> Vec<Value> {
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    };
    let mut messages = lines(&process.stderr);
    messages.retain(|line| line["type"] != "summary");
    let of_others: Vec<_> = lines(&theirs).into_iter().filter(|line| line["type"] == "diagnostic").collect();
    for _ in 0..dice.below(3) {
        if !of_others.is_empty() {
            messages.insert(dice.below(messages.len() + 1), dice.pick(&of_others).clone());
        }
    }
    for _ in 0..dice.below(3) {
        if !messages.is_empty() {
            let at = dice.below(messages.len());
            // An earlier mutation may have left something other than a message here.
            messages[at].get_mut("fields").into_iter().for_each(|fields| json::mutate(dice, fields));
        }
    }
    if !messages.is_empty() && dice.one_in(2) {
        messages.remove(dice.below(messages.len()));
    }
    let errors = messages
        .iter()
        .filter(|line| line["type"] == "diagnostic" && line["fields"]["severity"] == "error")
        .count();
    process.code = summarize(dice, errors, &mut messages);
    let lines: Vec<_> = messages.iter().map(Value::to_string).collect();
    process.stderr = (lines.join("\n") + "\n").into_bytes();
    process.stdout.clear();
    process.encode()
}

/// Returns whether the output has findings and no gaps.
#[cfg(test)]
pub(super) fn deny_has_findings(input: &[u8]) -> bool {
    let parsed = Process::decode(input).parse(&Parse::DenyJson);
    parsed.is_ok_and(|parsed| parsed.gaps.is_empty() && !parsed.diagnostics.is_empty())
}

/// Distributes `errors` over the checks and adds a summary. Returns the matching exit code.
fn summarize(dice: &mut Dice, mut errors: usize, messages: &mut Vec<Value>) -> i32 {
    let mut code = 0;
    let mut fields = json!({});
    for (check, bit) in [("advisories", 1), ("bans", 2), ("licenses", 4), ("sources", 8)] {
        let mut here = if bit == 8 { errors } else { dice.below(errors + 1) };
        errors -= here;
        // Rarely, use an impossible count.
        if dice.one_in(40) {
            here = *dice.pick(&[usize::MAX, usize::MAX / 2 + 1, 1 << 32]);
        }
        code |= if here > 0 { bit } else { 0 };
        fields[check] = json!({ "errors": here, "warnings": dice.below(3), "notes": 0, "helps": 0 });
    }
    messages.push(json!({ "type": "summary", "fields": fields }));
    code
}

/// Returns captured output that `parse` accepts, whole and in parts.
pub(super) fn seeds(parse: &Parse) -> Vec<Vec<u8>> {
    let file = |name: &str| match name {
        "" => Vec::new(),
        name => super::fixture(&format!("src/normalize/testdata/{name}")).into_bytes(),
    };
    let process = |code, unit, stdout: &str, stderr: &str| Process {
        code,
        unit,
        stdout: file(stdout),
        stderr: file(stderr),
    };
    let text = |code, unit, stdout: &str, stderr: &str| Process {
        code,
        unit,
        stdout: stdout.into(),
        stderr: stderr.into(),
    };
    let artifact = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/ws/a#0.1.0","manifest_path":"/w/ws/a/Cargo.toml","target":{"kind":["lib"],"crate_types":["lib"],"name":"a","src_path":"/w/ws/a/src/lib.rs","edition":"2024"},"profile":{"opt_level":"0","test":false},"features":[],"filenames":["/w/ws/target/a.rmeta"],"executable":null,"fresh":false}"#;
    let built = format!("{artifact}\n{{\"reason\":\"build-finished\",\"success\":true}}\n");
    let all = match parse {
        Parse::RustcJson | Parse::CargoBuild => vec![
            process(101, 0, "clippy.jsonl", "clippy.stderr"),
            process(101, 0, "doc.jsonl", "doc.stderr"),
            process(0, 0, "cargo-lints.jsonl", ""),
            Process { stdout: built.clone().into_bytes(), ..process(0, 0, "", "cargo-warnings.stderr") },
            text(0, 0, &built, ""),
        ],
        Parse::BuildScripts => vec![process(101, 0, "build-scripts.jsonl", "build-scripts.stderr")],
        Parse::Libtest => vec![
            process(101, 2, "libtest.stdout", ""),
            process(101, 0, "doctest.stdout", "doctest.stderr"),
            process(101, 0, "cargo-test.stdout", "cargo-test.stderr"),
            process(101, 0, "cargo-test-quiet.stdout", "cargo-test-quiet.stderr"),
            process(101, 2, "trycmd.stdout", "trycmd.stderr"),
            process(101, 2, "snapshots.stdout", ""),
            process(1, 2, "wasm.stdout", ""),
            text(
                0,
                2,
                "running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
                "",
            ),
        ],
        Parse::Nextest => vec![
            process(100, 0, "", "nextest.stderr"),
            process(100, 0, "", "nextest-retries.stderr"),
            process(100, 0, "", "nextest-cases.stderr"),
        ],
        Parse::Rustfmt => vec![
            process(1, 2, "rustfmt.diff", ""),
            process(1, 2, "rustfmt.diff", "rustfmt.stderr"),
            process(1, 2, "rustfmt-newlines.diff", ""),
            process(1, 2, "", "rustfmt-reports.stderr"),
            process(0, 2, "", "rustfmt-config.stderr"),
        ],
        Parse::DenyJson => vec![process(7, 0, "", "deny.stderr")],
        Parse::AuditJson => vec![process(1, 0, "audit.json", "")],
        Parse::TyposJson => vec![process(2, 0, "typos.jsonl", "")],
        Parse::Machete => vec![process(1, 0, "machete.stdout", "machete.stderr")],
        Parse::Sarif => vec![text(
            0,
            1,
            r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"s"}},"results":[{"ruleId":"r","level":"error","message":{"text":"bad"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"x.wgsl"},"region":{"startLine":1,"startColumn":2,"endLine":3,"endColumn":4}}}]}]}]}"#,
            "",
        )],
        Parse::Diff => vec![
            process(1, 0, "shfmt.diff", ""),
            process(1, 0, "git.diff", ""),
            process(1, 0, "black.diff", "black.stderr"),
            process(1, 0, "taplo.diff", "taplo.stderr"),
        ],
        Parse::Regex(_) => vec![text(
            1,
            1,
            "x.wgsl:1: warning: bad\nx.wgsl:2:3: error[rule]: worse\n",
            "x.wgsl:2: error: worst\n",
        )],
        Parse::Number(_) => vec![text(0, 1, "lines: 81.20 %\nbranches: 7\n", "size: -0.5\n")],
        Parse::Lines => vec![text(0, 1, "/w/ws/x is bad\nso is this\n", "")],
        Parse::ExitCode => vec![text(1, 1, "bad\n", "worse\n"), text(0, 1, "", "")],
        Parse::Golden(_) => vec![text(0, 1, "Usage: x\nbuilt in /w/ws/target/debug in 3 ms\n", "")],
        // Its output is not read.
        Parse::Generator(_) => Vec::new(),
    };
    all.iter().map(Process::encode).collect()
}
