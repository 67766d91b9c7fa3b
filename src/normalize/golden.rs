//! Prepares output for comparison with a golden file.

use super::exit_code::excerpt;
use super::{Gap, Input, Parsed, Unparsable, is_crash};
use crate::model::golden::Printed;
use crate::model::tool::Streams;

/// Maximum size of a golden file, in bytes.
const MOST: usize = 1 << 20;

/// Makes the output comparable. A panic is an exit code like any other. If the code does not compile there is no
/// result, unless the golden file is about the compiler's messages.
pub(super) fn parse(input: &Input<'_>, code: i32, streams: Streams) -> Result<Parsed, Unparsable> {
    if is_crash(code) {
        return Err(input.crashed(code));
    }
    if let (Streams::Stdout, 1.., Some(reason)) = (streams, code, input.build_failure()) {
        return Ok(Parsed { gaps: vec![Gap::all(reason)], ..Parsed::default() });
    }
    let (stdout, stderr) = (&input.output.stdout, &input.output.stderr);
    let mut text = String::new();
    if streams != Streams::Stderr {
        text.push_str(&comparable(input, stdout)?);
    }
    if streams != Streams::Stdout {
        text.push_str(&comparable(input, stderr)?);
    }
    let aside = match streams {
        Streams::Stdout => excerpt(input.scrub, stderr),
        Streams::Stderr => excerpt(input.scrub, stdout),
        Streams::Both => None,
    };
    Ok(Parsed { printed: Some(Printed { code, text, aside }), ..Parsed::default() })
}

/// Returns `bytes` as whole lines of text, without escape sequences and without directories of this machine.
fn comparable(input: &Input<'_>, bytes: &[u8]) -> Result<String, Unparsable> {
    if bytes.len() > MOST {
        return Err(Unparsable("the output is larger than 1 MiB, the limit for golden files".to_owned()));
    }
    let line_of = |at: usize| bytes[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Unparsable(format!("line {} is not UTF-8 and cannot be compared", line_of(error.valid_up_to())))
    })?;
    if let Some(at) = text.find('\0') {
        return Err(Unparsable(format!(
            "line {} contains a NUL byte, so the output is not text",
            line_of(at)
        )));
    }
    let mut text = input.scrub.golden(text);
    // These are wildcards in golden files.
    if let Some(at) = text.lines().position(|line| line == "..." || line.contains("[..]")) {
        let what = "contains `...` or `[..]`, which are wildcards in golden files";
        return Err(Unparsable(format!("line {} {what}", at + 1)));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use crate::model::task::Unit;
    use crate::model::tool::{Parse, Streams};
    use crate::normalize::testing::{run, tool, workspace};

    /// Checks the exit code and text to compare, or the reason why nothing is compared.
    #[track_caller]
    fn check(streams: Streams, (stdout, stderr, code): (&str, &str, i32), expected: &str) {
        let tool = tool("t", Parse::Golden(streams), &["t"]);
        let result = match run(&workspace(&[], &[]), &tool, &[Unit::Workspace], stdout, stderr, code) {
            Ok(parsed) => match parsed.printed {
                Some(printed) => format!("{} {}", printed.code, printed.text),
                None => parsed.gaps.into_iter().map(|gap| gap.reason).collect(),
            },
            Err(error) => error.to_string(),
        };
        assert_eq!(result, expected);
    }

    #[test]
    fn the_compared_text_does_not_depend_on_the_machine() {
        let stdout = "\x1b[1m/w/ws/x.wgsl\x1b[0m in /w/ws\n/w/ws/target/a /home/me/b";
        let expected = "3 [CWD]/x.wgsl in [CWD]\n[TARGET]/a [HOME]/b\n[TMP]/c, 12 ms\n";
        check(Streams::Both, (stdout, "/tmp/c, 12 ms\n", 3), expected);
    }

    #[test]
    fn output_of_code_that_does_not_compile_is_compared_only_on_stderr() {
        let failed = ("half", "error: could not compile `x` (lib)\n", 101);
        check(Streams::Stdout, failed, "build failed: not all code compiles");
        check(Streams::Stderr, failed, "101 error: could not compile `x` (lib)\n");
        check(Streams::Stdout, ("half", "thread 'main' panicked", 101), "101 half\n");
    }

    #[test]
    fn a_line_that_is_not_text_is_named() {
        check(Streams::Stdout, ("a\nb\0", "", 0), "line 2 contains a NUL byte, so the output is not text");
        check(Streams::Stdout, ("a\nb", "\0", 0), "0 a\nb\n");
    }

    #[test]
    fn text_with_wildcards_is_not_compared() {
        let why = "contains `...` or `[..]`, which are wildcards in golden files";
        check(Streams::Stdout, ("start\n...\nok\n", "", 0), &format!("line 2 {why}"));
        check(Streams::Stdout, ("lit [..] x\n", "", 0), &format!("line 1 {why}"));
        check(Streams::Stdout, ("\x1b[2m...\x1b[0m\n", "", 0), &format!("line 1 {why}"));
        check(Streams::Stdout, ("wait ...\n", "", 0), "0 wait ...\n");
    }
}
