//! Tools whose output is compared with a golden file: nothing is read out of it, it is only made comparable.

use super::exit_code::excerpt;
use super::{Gap, Input, Parsed, Unparsable, is_crash};
use crate::model::golden::Printed;
use crate::model::tool::Streams;

/// The most that a golden holds, in bytes.
const MOST: usize = 1 << 20;

/// A panic is an exit code like others. What does not compile is not judged, unless it is the compiler's words that
/// are compared.
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

/// `bytes` as text of whole lines, without escape sequences and without this machine's directories.
fn comparable(input: &Input<'_>, bytes: &[u8]) -> Result<String, Unparsable> {
    if bytes.len() > MOST {
        return Err(Unparsable("it printed more than the 1 MiB that a golden file may hold".to_owned()));
    }
    let line_of = |at: usize| bytes[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Unparsable(format!("line {} is not UTF-8: it can't be compared", line_of(error.valid_up_to())))
    })?;
    if let Some(at) = text.find('\0') {
        return Err(Unparsable(format!("line {} holds a NUL: it is no text", line_of(at))));
    }
    let mut text = input.scrub.golden(text);
    // A golden would take it for anything.
    if let Some(at) = text.lines().position(|line| line == "..." || line.contains("[..]")) {
        let what = "holds `...` or `[..]`, which stand for other text in a golden file";
        return Err(Unparsable(format!("line {} {what}: it can't be compared", at + 1)));
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

    /// What is compared, its exit code before it; else why nothing is.
    #[track_caller]
    fn check(streams: Streams, (stdout, stderr, code): (&str, &str, i32), expected: &str) {
        let tool = tool("t", Parse::Golden(streams), &["t"]);
        let said = match run(&workspace(&[], &[]), &tool, &[Unit::Workspace], stdout, stderr, code) {
            Ok(parsed) => match parsed.printed {
                Some(printed) => format!("{} {}", printed.code, printed.text),
                None => parsed.gaps.into_iter().map(|gap| gap.reason).collect(),
            },
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_compared_tells_nothing_of_the_machine() {
        let stdout = "\x1b[1m/w/ws/x.wgsl\x1b[0m in /w/ws\n/w/ws/target/a /home/me/b";
        let expected = "3 [CWD]/x.wgsl in [CWD]\n[TARGET]/a [HOME]/b\n[TMP]/c, 12 ms\n";
        check(Streams::Both, (stdout, "/tmp/c, 12 ms\n", 3), expected);
    }

    #[test]
    fn what_does_not_compile_is_compared_only_in_the_compilers_words() {
        let failed = ("half", "error: could not compile `x` (lib)\n", 101);
        check(Streams::Stdout, failed, "not everything that it needs compiles");
        check(Streams::Stderr, failed, "101 error: could not compile `x` (lib)\n");
        check(Streams::Stdout, ("half", "thread 'main' panicked", 101), "101 half\n");
    }

    #[test]
    fn a_line_that_is_no_text_is_named() {
        check(Streams::Stdout, ("a\nb\0", "", 0), "line 2 holds a NUL: it is no text");
        check(Streams::Stdout, ("a\nb", "\0", 0), "0 a\nb\n");
    }

    #[test]
    fn what_a_golden_would_take_for_anything_is_not_compared() {
        let why = "holds `...` or `[..]`, which stand for other text in a golden file: it can't be compared";
        check(Streams::Stdout, ("start\n...\nok\n", "", 0), &format!("line 2 {why}"));
        check(Streams::Stdout, ("lit [..] x\n", "", 0), &format!("line 1 {why}"));
        check(Streams::Stdout, ("\x1b[2m...\x1b[0m\n", "", 0), &format!("line 1 {why}"));
        check(Streams::Stdout, ("wait ...\n", "", 0), "0 wait ...\n");
    }
}
