//! Parses the JSON lines of `typos --format json`. Checked with 1.52.0.
//!
//! Columns are offsets in bytes and only the source can convert them to characters, so [`columns`](super::columns) does
//! this later.

use std::fmt::Display;

use serde::Deserialize;

use super::{Gap, Input, Parsed, Unparsable, Unsettled, range};
use crate::model::finding::{Diagnostic, Fix, Level, Place};

/// All files were checked and there are findings.
const FOUND: i32 = 2;
/// Some files could not be checked.
const ERRORS: i32 = 1;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum TyposMessage {
    Typo(Typo),
    Error(TyposError),
    /// Other messages are not findings, for example that a file is binary.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Typo {
    path: String,
    /// Counts from 1. `None` if the path itself is misspelt.
    line_num: Option<u32>,
    /// Offset in the line, or in the file name.
    byte_offset: u32,
    typo: String,
    /// `None` if the word is disallowed without a replacement.
    corrections: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct TyposError {
    path: Option<String>,
    msg: String,
}

/// Parses the output of typos, which exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if !matches!(code, 0 | ERRORS | FOUND) {
        return Err(input.crashed(code));
    }
    let mut parsed = Parsed { unsettled: Unsettled::ByteColumns, ..Parsed::default() };
    let mut is_found = false;
    for (number, line) in (1..).zip(input.lines(&input.output.stdout)) {
        let broken =
            |error: &dyn Display| Unparsable(format!("invalid JSON from typos in line {number}: {error}"));
        let line = std::str::from_utf8(line).map_err(|error| broken(&error))?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(line).map_err(|error| broken(&error))? {
            TyposMessage::Typo(typo) => {
                is_found = true;
                parsed.diagnostics.extend(diagnostic(input, typo));
            }
            TyposMessage::Error(error) => parsed.gaps.push(gap(input, &error)),
            TyposMessage::Other => {}
        }
    }
    let expected = match (parsed.gaps.is_empty(), is_found) {
        (false, _) => ERRORS,
        (true, true) => FOUND,
        (true, false) => 0,
    };
    // The process was cut short or could not start. It also exits with 1 for errors that are not in its JSON.
    if code != expected {
        return Err(input.crashed(code));
    }
    Ok(parsed)
}

/// Returns a diagnostic. Ignores build output, which exists only after a build.
fn diagnostic(input: &Input<'_>, found: Typo) -> Option<Diagnostic> {
    let Typo { path, line_num, byte_offset, typo, corrections } = found;
    let path = input.scrub.path(path.as_bytes())?;
    let start = byte_offset.saturating_add(1);
    let len = u32::try_from(typo.len()).unwrap_or(u32::MAX);
    let range = line_num.and_then(|line| range((line, start), (line, start.saturating_add(len))));
    let corrections = corrections.unwrap_or_default();
    let quoted: Vec<_> = corrections.iter().map(|word| format!("`{word}`")).collect();
    let mut message = match quoted.as_slice() {
        [] => format!("`{typo}` is disallowed"),
        words => format!("`{typo}` should be {}", words.join(" or ")),
    };
    if line_num.is_none() {
        message.push_str(" in the name of the file");
    }
    let message = input.scrub.text(&message);
    let fix = match (range, corrections.as_slice()) {
        // typos does not choose between several corrections either.
        (Some(range), [word]) => {
            let edits = vec![(path.clone(), range, word.clone())];
            Some(Box::new(Fix::new("correct it".to_owned(), edits)))
        }
        _ => None,
    };
    let place = Place::File { path, range };
    Some(Diagnostic { fix, ..input.diagnostic(place, "typo", Level::Error, message) })
}

fn gap(input: &Input<'_>, error: &TyposError) -> Gap {
    let path = error.path.as_deref().and_then(|path| input.scrub.path(path.as_bytes()));
    let reason = input.scrub.quote(error.msg.as_bytes());
    match &path {
        Some(place) => Gap { package: None, reason: format!("{place}: {reason}"), path },
        None => Gap::all(reason),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests {
    use std::collections::BTreeMap;

    use snapbox::str;

    use super::*;
    use crate::model::path::RelPath;
    use crate::model::task::Unit;
    use crate::model::tool::Parse;
    use crate::normalize::testing::{assert_shown, run, tool, workspace};

    const CAPTURED: &str = include_str!("testdata/typos.jsonl");

    fn typos(stdout: &str, stderr: &str, code: i32) -> Result<Parsed, Unparsable> {
        let tool = tool("typos", Parse::TyposJson, &["typos"]);
        run(&workspace(&[], &[]), &tool, &[Unit::Workspace], stdout, stderr, code)
    }

    #[test]
    fn typos_are_reported_in_characters_with_their_corrections() {
        let mut parsed = typos(CAPTURED, "", FOUND).expect("readable");
        assert_eq!(parsed.unsettled().count(), parsed.diagnostics.len());
        let source = include_bytes!("testdata/typos.rs.txt").to_vec();
        parsed
            .settle(&BTreeMap::from([(RelPath::new("beta/src/lib.rs"), source)]), &crate::model::halt::Never)
            .unwrap();
        assert_eq!(parsed.unsettled().count(), 0);
        assert_shown(
            &parsed,
            str![[r#"
error typos typo beta/src/lib.rs 1:11-1:14: `teh` should be `the`
  fix: correct it
    beta/src/lib.rs 1:11-1:14 "the"
error typos typo beta/src/lib.rs 1:27-1:30: `teh` should be `the`
  fix: correct it
    beta/src/lib.rs 1:27-1:30 "the"
error typos typo beta/src/lib.rs 3:5-3:12: `Recieve` should be `Receive`
  fix: correct it
    beta/src/lib.rs 3:5-3:12 "Receive"
error typos typo beta/src/lib.rs 4:8-4:15: `recieve` should be `receive`
  fix: correct it
    beta/src/lib.rs 4:8-4:15 "receive"
error typos typo beta/src/lib.rs 8:8-8:12: `wont` is disallowed
error typos typo beta/src/lib.rs 8:15-8:22: `Recieve` should be `Receive`
  fix: correct it
    beta/src/lib.rs 8:15-8:22 "Receive"
error typos typo beta/src/lib.rs 8:28-8:31: `teh` should be `the`
  fix: correct it
    beta/src/lib.rs 8:28-8:31 "the"
error typos typo beta/src/lib.rs 8:33-8:36: `teh` should be `the`
  fix: correct it
    beta/src/lib.rs 8:33-8:36 "the"
error typos typo beta/src/lib.rs 9:12-9:19: `Recieve` should be `Receive`
  fix: correct it
    beta/src/lib.rs 9:12-9:19 "Receive"
error typos typo docs/recieve.md: `recieve` should be `receive` in the name of the file

"#]],
        );
    }

    #[test]
    fn without_the_source_a_typo_is_reported_on_its_line() {
        let line = |at: &str| {
            let line = format!(
                r#"{{"type":"typo","path":"./a","line_num":2,"byte_offset":{at},"typo":"teh","corrections":["the"]}}"#
            );
            let mut parsed = typos(&line, "", FOUND).expect("readable");
            parsed
                .settle(&BTreeMap::from([(RelPath::new("a"), "x\né teh".into())]), &crate::model::halt::Never)
                .unwrap();
            (
                parsed.diagnostics[0].place.range().expect("a line").start.column,
                parsed.diagnostics[0].fix.is_some(),
            )
        };
        assert_eq!(line("3"), (3, true));
        // Inside a character, past the end of the line, and out of range.
        for at in ["1", "99", "4294967295"] {
            assert_eq!(line(at), (1, false), "{at}");
        }
        let mut parsed = typos(CAPTURED, "", FOUND).expect("readable");
        parsed.settle(&BTreeMap::new(), &crate::model::halt::Never).unwrap();
        assert!(parsed.diagnostics.iter().all(|found| found.fix.is_none()));
    }

    #[track_caller]
    fn check(stdout: &str, stderr: &str, code: i32, expected: Result<&str, &str>) {
        match typos(stdout, stderr, code) {
            Ok(parsed) => assert_eq!(Ok(crate::normalize::testing::show(&parsed).trim_end()), expected),
            Err(error) => assert_eq!(Err(error.0.as_str()), expected),
        }
    }

    #[test]
    fn the_exit_code_must_match_the_messages() {
        let error = r#"{"type":"error","path":"./docs/bin.dat","msg":"Permission denied (os error 13)"}"#;
        let binary = r#"{"type":"binary_file","path":"./docs/bin.dat"}"#;
        check("", "", 0, Ok(""));
        check(binary, "", 0, Ok(""));
        check(error, "", ERRORS, Ok("gap docs/bin.dat: docs/bin.dat: Permission denied (os error 13)"));
        check(r#"{"type":"error","msg":"no"}"#, "", ERRORS, Ok("gap: no"));
        check(error, "", 0, Err("exited with 0"));
        check(CAPTURED, "", 0, Err("exited with 0"));
        check(&CAPTURED.replace("./", "./target/"), "", FOUND, Ok(""));
        check("", "", FOUND, Err("exited with 2"));
        check("", "error: it broke\n", ERRORS, Err("exited with 1: it broke"));
        check(
            "",
            "TOML parse error at line 1, column 10\n",
            78,
            Err("exited with 78: TOML parse error at line 1, column 10"),
        );
        check(
            "",
            "error: unexpected argument '-x' found\n",
            64,
            Err("exited with 64: unexpected argument '-x' found"),
        );
        check("teh", "", FOUND, Err("invalid JSON from typos in line 1: expected ident at line 1 column 2"));
    }
}
