//! Reading long output ends soon after it is to end, whatever the format and whatever is in it. Nothing here looks at a clock:
//! what counts is how often a parser asks.

use std::path::Path;

use super::testing::{tool, with_cases};
use super::*;
use crate::model::halt::testing::After;
use crate::model::tool::Streams;

/// More than anything that is read in one go, but for whole documents.
const LEN: usize = 320 << 10;

fn long(line: &str) -> Vec<u8> {
    line.as_bytes().iter().copied().cycle().take(LEN).collect()
}

/// Every format that is read line by line, with lines that its parser looks into.
fn formats() -> Vec<(Parse, &'static str)> {
    let pattern = Parse::Regex(r"^(?<path>[^:]+):(?<line>\d+): (?<message>.+)$".to_owned());
    vec![
        (pattern, "src/lib.rs:3: m\n"),
        (Parse::Lines, "src/lib.rs\n"),
        (Parse::RustcJson, "{\"reason\":\"other\",\"package_id\":\"x\"}\n"),
        (Parse::CargoBuild, "noise\n"),
        (Parse::BuildScripts, "noise\n"),
        (Parse::Libtest, "running 1 test\ntest result: ok. 2 passed\n"),
        (Parse::Nextest, "    Starting 1 test\n  stdout ───\n"),
        (Parse::Rustfmt, "Diff in /w/ws/src/lib.rs:1:\n-a\n+b\n"),
        (Parse::DenyJson, "{\"type\":\"log\",\"fields\":{\"message\":\"m\",\"level\":\"WARN\"}}\n"),
        (Parse::TyposJson, "{\"type\":\"other\"}\n"),
        (Parse::Machete, "a -- /w/ws/Cargo.toml:\n\tdependency\n"),
        (Parse::Diff, "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n"),
    ]
}

fn parse_until(halt: &dyn Halt, parse: &Parse, output: &Output) -> Result<Parsed, NotParsed> {
    let (workspace, tool) = (with_cases(), tool("lint", parse.clone(), &["lint"]));
    let scrub = Scrub::new(&workspace, None, Path::new("/tmp"));
    let units = &[Unit::Workspace];
    super::parse(&Input {
        workspace: &workspace,
        tool: &tool,
        units,
        packages: &[],
        output,
        scrub: &scrub,
        halt,
    })
}

#[test]
fn whatever_is_read_ends_within_bounded_work_after_it_is_to_end() {
    for (parse, line) in formats() {
        for (stdout, stderr) in [(long(line), Vec::new()), (Vec::new(), long(line))] {
            let output = Output { stdout, stderr, exit: Exit::Code(1), is_leaky: false };
            let all = After::new(usize::MAX);
            assert_ne!(parse_until(&all, &parse, &output), Err(NotParsed::Halted));
            // A format that does not read this stream has nothing to end.
            for left in [all.asked() / 2, all.asked().saturating_sub(1)] {
                if left < all.asked() {
                    let halt = After::new(left);
                    assert_eq!(parse_until(&halt, &parse, &output), Err(NotParsed::Halted), "{parse:?}");
                    assert_eq!(halt.asked(), left + 1, "nobody asks once more");
                }
            }
        }
    }
}

#[test]
fn the_streams_that_a_format_reads_are_asked_for_every_few_kilobytes() {
    for (parse, line) in formats() {
        let [stdout, stderr] = [long(line), long(line)];
        let output = Output { stdout, stderr, exit: Exit::Code(1), is_leaky: false };
        let halt = After::new(usize::MAX);
        // Whether it makes sense is not asked here.
        let _ = parse_until(&halt, &parse, &output);
        let least = LEN / (128 << 10);
        assert!(halt.asked() >= least, "{parse:?}: {} of {least}", halt.asked());
    }
}

#[test]
fn what_is_only_quoted_is_never_given_up() {
    for (parse, code) in [(Parse::ExitCode, 1), (Parse::Golden(Streams::Both), 0)] {
        let (stdout, stderr) = (long("x\n"), long("y\n"));
        let output = Output { stdout, stderr, exit: Exit::Code(code), is_leaky: false };
        assert_ne!(parse_until(&After::new(0), &parse, &output), Err(NotParsed::Halted));
    }
}
