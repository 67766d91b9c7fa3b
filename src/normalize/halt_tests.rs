//! Checks that parsing long output stops soon after a halt, in every format. The tests don't use a clock; they count
//! how often a parser checks for the halt.

use std::path::Path;

use super::testing::{tool, with_cases};
use super::*;
use crate::model::halt::testing::After;

/// Longer than anything that is read without a check, except for whole documents.
const LEN: usize = 320 << 10;

fn long(line: &str) -> Vec<u8> {
    line.as_bytes().iter().copied().cycle().take(LEN).collect()
}

/// Returns every line-based format with lines that its parser looks into.
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
fn parsing_stops_within_bounded_work_after_a_halt() {
    for (parse, line) in formats() {
        for (stdout, stderr) in [(long(line), Vec::new()), (Vec::new(), long(line))] {
            let output = Output { stdout, stderr, exit: Exit::Code(1), is_leaky: false, generated: None };
            let all = After::new(usize::MAX);
            assert_ne!(parse_until(&all, &parse, &output), Err(NotParsed::Halted));
            // Halting has no effect on a format that does not read this stream.
            for left in [all.asked() / 2, all.asked().saturating_sub(1)] {
                if left < all.asked() {
                    let halt = After::new(left);
                    assert_eq!(parse_until(&halt, &parse, &output), Err(NotParsed::Halted), "{parse:?}");
                    assert_eq!(halt.asked(), left + 1, "no more checks after the halt");
                }
            }
        }
    }
}

#[test]
fn parsers_check_for_a_halt_every_few_kilobytes() {
    for (parse, line) in formats() {
        let [stdout, stderr] = [long(line), long(line)];
        let output = Output { stdout, stderr, exit: Exit::Code(1), is_leaky: false, generated: None };
        let halt = After::new(usize::MAX);
        // The result does not matter here.
        let _ = parse_until(&halt, &parse, &output);
        let least = LEN / (128 << 10);
        assert!(halt.asked() >= least, "{parse:?}: {} of {least}", halt.asked());
    }
}

#[test]
fn output_that_is_only_quoted_is_never_abandoned() {
    let (stdout, stderr) = (long("x\n"), long("y\n"));
    let output = Output { stdout, stderr, exit: Exit::Code(1), is_leaky: false, generated: None };
    assert_ne!(parse_until(&After::new(0), &Parse::ExitCode, &output), Err(NotParsed::Halted));
}

#[test]
fn long_output_is_scrubbed_like_short_output() {
    let (workspace, tool) = (with_cases(), tool("lint", Parse::Libtest, &["lint"]));
    let scrub = Scrub::new(&workspace, Some(Path::new("/home/me")), Path::new("/tmp"));
    let output = Output {
        stdout: Vec::new(),
        stderr: Vec::new(),
        exit: Exit::Code(0),
        is_leaky: false,
        generated: None,
    };
    let (units, packages, output, halt) = (&[Unit::Workspace], &[], &output, &crate::model::halt::Never);
    let input = Input { workspace: &workspace, tool: &tool, units, packages, output, scrub: &scrub, halt };
    // A hash far from the target directory, directories and escapes at any possible piece boundary, and invalid UTF-8.
    let mut text = b"made x-0123456789abcdef\n".to_vec();
    for line in 0..20_000 {
        text.extend_from_slice(format!("{line} \x1b[1m/home/me/.cargo\x1b[0m in /w/ws/src \n").as_bytes());
        text.push(0xff);
    }
    text.extend_from_slice(b"in /w/ws/target/debug");
    assert_eq!(input.text(&text), scrub.lossy(&text));
}
