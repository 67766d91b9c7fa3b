//! The diffs of `rustfmt --check` on stdout, change by change, and what it says on stderr where a file does not parse.
//!
//! Exit 1 means either. Paths are absolute, with symbolic links resolved, and may hold any byte.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Gap, Input, Parsed, Unparsable, range};
use crate::model::finding::{Diagnostic, Fix, Level, Place};
use crate::model::path::RelPath;

const NS: &str = "rustfmt";

/// Reads the output of a rustfmt that ended with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    let mut diagnostics = diffs(input, &input.output.stdout)?;
    if code == 0 {
        return Ok(Parsed { diagnostics, ..Parsed::default() });
    }
    let errors = Errors::read(input);
    let explained = !diagnostics.is_empty() || !errors.diagnostics.is_empty();
    let gaps = if code != 1 || errors.unread || !explained {
        vec![Gap::all(input.complaint().unwrap_or_else(|| format!("rustfmt exited with {code}")))]
    } else {
        errors.diagnostics.iter().filter(|error| error.fatal).map(|error| gap(input, error)).collect()
    };
    diagnostics.extend(errors.diagnostics);
    Ok(Parsed { diagnostics, gaps, ..Parsed::default() })
}

/// What a file that does not parse leaves without a verdict: itself, and what includes it. Of several roots
/// rustfmt does not say which that is.
fn gap(input: &Input<'_>, error: &Diagnostic) -> Gap {
    let path = error.place.path().filter(|_| input.units.len() > 1).cloned();
    Gap { package: None, path, reason: format!("{}: {}", error.place.name(), error.message) }
}

/// Every change as a diagnostic.
fn diffs(input: &Input<'_>, stdout: &[u8]) -> Result<Vec<Diagnostic>, Unparsable> {
    static HEADER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?s-u)\ADiff in (.+?)(?: at line (\d+):|:(\d+):)\n").expect("valid"));
    let mut diagnostics = Vec::new();
    let mut rest = stdout;
    while !rest.is_empty() {
        let unexpected = || {
            let line = input.scrub.quote(rest.split(|&b| b == b'\n').next().unwrap_or_default());
            Unparsable(format!("no diff of rustfmt: {line:?}"))
        };
        let header = HEADER.captures(rest).ok_or_else(unexpected)?;
        let line = header.get(2).or_else(|| header.get(3)).and_then(|line| number(line.as_bytes()));
        let body = &rest[header.get_match().end()..];
        let (hunk, len) = Hunk::read(body, line.ok_or_else(unexpected)?);
        // A path may hold any byte; what is not UTF-8 is no Rust.
        if std::str::from_utf8(&body[..len]).is_err() {
            return Err(Unparsable("a diff of rustfmt holds what is not UTF-8".to_owned()));
        }
        rest = &body[len..];
        let changes = hunk.changes();
        diagnostics.extend(changes.into_iter().map(|change| change.diagnostic(input, &header[1])));
    }
    Ok(diagnostics)
}

/// A part of a file as it is and as rustfmt would have it.
struct Hunk {
    /// The line of the file that it begins with.
    line: u32,
    old: Vec<String>,
    new: Vec<String>,
}

/// Lines that rustfmt would have otherwise.
struct Change {
    /// The first changed line of the file, and the first behind the changed ones.
    lines: (u32, u32),
    /// What belongs there.
    new: Vec<String>,
    /// Whether the file goes on behind the changed lines.
    followed: bool,
}

impl Hunk {
    /// Reads the hunk at the beginning of `body`, whose first line is the file's `line`; and how long it is.
    fn read(body: &[u8], line: u32) -> (Self, usize) {
        let mut hunk = Self { line, old: Vec::new(), new: Vec::new() };
        let mut len = 0;
        for raw in body.split_inclusive(|&b| b == b'\n') {
            let Some((mark @ (b' ' | b'+' | b'-'), text)) = raw.split_first() else { break };
            len += raw.len();
            let text = String::from_utf8_lossy(text.strip_suffix(b"\n").unwrap_or(text)).into_owned();
            match mark {
                b'-' => hunk.old.push(text),
                b'+' => hunk.new.push(text),
                _ => {
                    hunk.old.push(text.clone());
                    hunk.new.push(text);
                }
            }
        }
        (hunk, len)
    }

    /// The smallest changes that it is made of. rustfmt puts into one hunk what happens to be near: one that is mended
    /// or added would make another finding of its neighbours. It moves letters and digits from line to line, but hardly
    /// adds or drops any: a change ends where old and new lines end after as many.
    fn changes(&self) -> Vec<Change> {
        let (old_ends, new_ends) = (letters_up_to(&self.old), letters_up_to(&self.new));
        let mut cuts = old_ends.clone();
        cuts.retain(|cut| new_ends.binary_search(cut).is_ok());
        cuts.dedup();
        cuts.push(usize::MAX);
        let (mut changes, mut old_at, mut new_at) = (Vec::new(), 0, 0);
        for cut in cuts {
            let mut old = old_at..old_ends.partition_point(|&end| end <= cut);
            let mut new = new_at..new_ends.partition_point(|&end| end <= cut);
            (old_at, new_at) = (old.end, new.end);
            while !old.is_empty() && !new.is_empty() && self.old[old.start] == self.new[new.start] {
                (old.start, new.start) = (old.start + 1, new.start + 1);
            }
            while !old.is_empty() && !new.is_empty() && self.old[old.end - 1] == self.new[new.end - 1] {
                (old.end, new.end) = (old.end - 1, new.end - 1);
            }
            if !old.is_empty() || !new.is_empty() {
                let line = |at: usize| self.line.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
                changes.push(Change {
                    lines: (line(old.start), line(old.end)),
                    new: self.new[new].to_vec(),
                    followed: old.end < self.old.len(),
                });
            }
        }
        changes
    }
}

/// For each line, how many letters and digits there are up to its end.
fn letters_up_to(lines: &[String]) -> Vec<usize> {
    let letters = |line: &String| line.chars().filter(|c| c.is_alphanumeric()).count();
    let add = |sum: &mut usize, line| {
        *sum += letters(line);
        Some(*sum)
    };
    lines.iter().scan(0, add).collect()
}

impl Change {
    fn diagnostic(self, input: &Input<'_>, path: &[u8]) -> Diagnostic {
        let (first, behind) = self.lines;
        // What is added behind the last line, mostly its end, is shown there: there is no line that follows.
        let shown = if first == behind && !self.followed { first.saturating_sub(1).max(1) } else { first };
        let place = input.place_at(path, range((shown, 1), (behind, 1)));
        let fix = place.path().and_then(|path| self.fix(path));
        let message = "not formatted as rustfmt would".to_owned();
        let diagnostic = input.diagnostic(place, rule("unformatted"), Level::Warning, message);
        Diagnostic { fix, ns: NS.to_owned(), ..diagnostic }
    }

    /// Whole lines, each ended by `\n`: rustfmt's diff does not tell how the file ends its own.
    fn fix(&self, path: &RelPath) -> Option<Fix> {
        let mut text = self.new.join("\n");
        if self.followed {
            text.push_str(if self.new.is_empty() { "" } else { "\n" });
        } else if self.new.is_empty() || self.lines.0 == self.lines.1 {
            // It begins within the line before, of which the diff does not tell the end.
            return None;
        }
        let range = range((self.lines.0, 1), (self.lines.1, 1))?;
        Some(Fix { message: "format it".to_owned(), edits: vec![(path.clone(), range, text)] })
    }
}

/// What rustfmt says on stderr.
struct Errors {
    diagnostics: Vec<Diagnostic>,
    /// Whether there is an error without a place.
    unread: bool,
}

impl Errors {
    fn read(input: &Input<'_>) -> Self {
        static HEAD: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?-u)^error(?:\[(\w+)\])?: (.+)$").expect("valid"));
        static AT: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?-u)^ *--> (.+?):(\d+)(?::(\d+))?(?::\d+)*$").expect("valid"));
        static MODULE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?-u)^Error writing files: (failed to resolve mod `.*?`): (?:(cannot parse) (.+)|(.+) (does not exist))$")
                .expect("valid")
        });
        let mut errors = Self { diagnostics: Vec::new(), unread: false };
        let mut lines = input.output.stderr.split(|&b| b == b'\n').peekable();
        while let Some(line) = lines.next() {
            if let Some(module) = MODULE.captures(line) {
                let group = |at: usize| module.get(at).map(|group| group.as_bytes());
                let path = group(3).or_else(|| group(4)).unwrap_or_default();
                let message = [group(1), group(2).or_else(|| group(5))]
                    .map(|part| input.scrub.lossy(part.unwrap_or_default()));
                let place = input.place_at(path, None);
                // That it does not parse has been said, with its place.
                if !errors.diagnostics.iter().any(|error| error.place.name() == place.name()) {
                    errors.push(input, place, "parse", message.join(": "));
                }
                continue;
            }
            let Some(head) = HEAD.captures(line) else {
                errors.unread |= line.starts_with(b"Error");
                continue;
            };
            let place = lines.peek().and_then(|next| AT.captures(next)).and_then(|at| {
                let number = |group: usize| at.get(group).and_then(|group| number(group.as_bytes()));
                let point = (number(2)?, number(3).unwrap_or(1));
                Some(input.place_at(&at[1], range(point, point)))
            });
            match place {
                Some(place) => {
                    // What rustfmt could not mend, in a file that does parse.
                    let internal = head.get(1).is_some_and(|code| code.as_bytes() == b"internal");
                    let rule = if internal { "internal" } else { "parse" };
                    errors.push(input, place, rule, input.scrub.lossy(&head[2]));
                }
                None => errors.unread = true,
            }
        }
        errors
    }

    fn push(&mut self, input: &Input<'_>, place: Place, name: &str, message: String) {
        let fatal = name == "parse";
        let level = if fatal { Level::Error } else { Level::Warning };
        let diagnostic = input.diagnostic(place, rule(name), level, message);
        self.diagnostics.push(Diagnostic { ns: NS.to_owned(), fatal, ..diagnostic });
    }
}

fn rule(name: &str) -> String {
    format!("{NS}::{name}")
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests {
    use snapbox::str;

    use super::*;
    use crate::model::task::Unit;
    use crate::model::tool::Parse;
    use crate::model::workspace::{PackageId, TargetKind};
    use crate::normalize::testing::{assert_shown, run, tool, workspace};

    fn rustfmt(stdout: impl AsRef<[u8]>, stderr: &str, code: i32, roots: u32) -> Result<Parsed, Unparsable> {
        let workspace = workspace(
            &[("a", &[(TargetKind::Lib, "a/src/lib.rs"), (TargetKind::Bin, "a/src/main.rs")])],
            &[],
        );
        let units: Vec<Unit> = (0..roots).map(|at| Unit::TargetRoot(PackageId(0), at)).collect();
        run(&workspace, &tool("fmt", Parse::Rustfmt, &["rustfmt"]), &units, stdout, stderr, code)
    }

    #[test]
    fn hunks_and_files_that_do_not_parse_are_told_apart() {
        let parsed =
            rustfmt(include_str!("testdata/rustfmt.diff"), include_str!("testdata/rustfmt.stderr"), 1, 2);
        assert_shown(
            &parsed.expect("readable"),
            str![[r#"
warning rustfmt rustfmt::unformatted b.rs 3:1-5:1: not formatted as rustfmt would
  fix: format it
    b.rs 3:1-5:1 ""
warning rustfmt rustfmt::unformatted b.rs 5:1-6:1: not formatted as rustfmt would
  fix: format it
    b.rs 5:1-6:1 "fn y() {}\n"
warning rustfmt rustfmt::unformatted b.rs 7:1-10:1: not formatted as rustfmt would
  fix: format it
    b.rs 7:1-10:1 "    a();\n    b();\n}\n"
error rustfmt rustfmt::parse broken.rs 1:14-1:14: this file contains an unclosed delimiter (fatal)
warning rustfmt rustfmt::unformatted crlf.rs 2:1-3:1: not formatted as rustfmt would
  fix: format it
    crlf.rs 2:1-3:1 "fn b() {}\n"
warning rustfmt rustfmt::unformatted main.rs 4:1-5:1: not formatted as rustfmt would
  fix: format it
    main.rs 4:1-5:1 "    let b = 2;\n"
warning rustfmt rustfmt::unformatted main.rs 11:1-13:1: not formatted as rustfmt would
  fix: format it
    main.rs 11:1-13:1 "    let i = 9;\n}\n"
error rustfmt rustfmt::parse missing.rs: failed to resolve mod `missing`: does not exist (fatal)
warning rustfmt rustfmt::unformatted sub dir/new%0Aline.rs 1:1-2:1: not formatted as rustfmt would
  fix: format it
    sub dir/new%0Aline.rs 1:1-2:1 "fn a() {}\n"
gap broken.rs: broken.rs: this file contains an unclosed delimiter
gap missing.rs: missing.rs: failed to resolve mod `missing`: does not exist

"#]],
        );
    }

    #[track_caller]
    fn check_hunk(hunk: &str, expected: impl snapbox::IntoData) {
        let parsed = rustfmt(format!("Diff in /w/ws/x.rs:5:\n{hunk}"), "", 1, 1).expect("readable");
        assert_shown(&parsed, expected);
    }

    #[test]
    fn a_range_covers_exactly_what_changes() {
        check_hunk(
            " a\n-b\n+B\n c\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-7:1 "B\n"

"#]],
        );
        check_hunk(
            " a\n-\n b\n+\n c\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-7:1 ""
warning rustfmt rustfmt::unformatted x.rs 8:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 8:1-8:1 "\n"

"#]],
        );
        check_hunk(
            " a\n+new\n b\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-6:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-6:1 "new\n"

"#]],
        );
        check_hunk(
            " a\n-old\n b\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-7:1 ""

"#]],
        );
    }

    #[test]
    fn changes_that_are_near_are_told_apart() {
        check_hunk(
            "-f( 1 );\n-g(2,\n-    3);\n+f(1);\n+g(2, 3);\n h();\n-let x = [\n-    4 ];\n+let x = [4];\n i();\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-6:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-6:1 "f(1);\n"
warning rustfmt rustfmt::unformatted x.rs 6:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-8:1 "g(2, 3);\n"
warning rustfmt rustfmt::unformatted x.rs 9:1-11:1: not formatted as rustfmt would
  fix: format it
    x.rs 9:1-11:1 "let x = [4];\n"

"#]],
        );
        // Braces and commas come and go.
        check_hunk(
            "-match a { B => {\n-    c }\n-_ => d }\n-e( );\n+match a {\n+    B => c,\n+    _ => d,\n+}\n+e();\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-7:1 "match a {\n    B => c,\n"
warning rustfmt rustfmt::unformatted x.rs 7:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 7:1-8:1 "    _ => d,\n}\n"
warning rustfmt rustfmt::unformatted x.rs 8:1-9:1: not formatted as rustfmt would
  fix: format it
    x.rs 8:1-9:1 "e();"

"#]],
        );
        // What is put in another order is one.
        check_hunk(
            "-use bb;\n-use a;\n-f( );\n+use a;\n+use bb;\n+f();\n g();\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-7:1 "use a;\nuse bb;\n"
warning rustfmt rustfmt::unformatted x.rs 7:1-8:1: not formatted as rustfmt would
  fix: format it
    x.rs 7:1-8:1 "f();\n"

"#]],
        );
    }

    #[test]
    fn changes_at_the_end_of_a_file_are_shown_at_its_last_line() {
        check_hunk(
            " a\n }\n+\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would

"#]],
        );
        check_hunk(
            " a\n-b\n+B\n+\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-7:1: not formatted as rustfmt would
  fix: format it
    x.rs 6:1-7:1 "B\n"

"#]],
        );
        check_hunk(
            " a\n-\n-\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 6:1-8:1: not formatted as rustfmt would

"#]],
        );
    }

    #[test]
    fn lines_that_look_like_headers_are_not() {
        check_hunk(
            "-Diff in /w/ws/y.rs:1:\n+Diff in /w/ws/z.rs:2:\n x\n",
            str![[r#"
warning rustfmt rustfmt::unformatted x.rs 5:1-6:1: not formatted as rustfmt would
  fix: format it
    x.rs 5:1-6:1 "Diff in /w/ws/z.rs:2:\n"

"#]],
        );
    }

    #[test]
    fn paths_hold_any_byte() {
        let place = |path: &[u8], header: &str| {
            let diff = [b"Diff in ", path, header.as_bytes(), b"\n-a\n+b\n c\n"].concat();
            rustfmt(diff, "", 1, 1).expect("readable").diagnostics[0].place.name()
        };
        assert_eq!(place(b"/w/ws/a b.rs", ":1:"), "a b.rs");
        assert_eq!(place(b"/w/ws/a b.rs", " at line 1:"), "a b.rs");
        assert_eq!(place(b"/w/ws/a\nb\xff\x1b[31m.rs", ":1:"), "a%0Ab%FF%1B[31m.rs");
        assert_eq!(place(b"/home/me/x.rs", ":1:"), "[HOME]/x.rs");
    }

    #[test]
    fn a_file_reached_from_two_roots_is_told_once() {
        let hunk = "Diff in /w/ws/x.rs:1:\n-a\n+b\n c\n";
        assert_eq!(rustfmt(hunk.repeat(2), "", 1, 2).expect("readable").diagnostics.len(), 1);
    }

    #[track_caller]
    fn check_stderr(stderr: &str, code: i32, expected: impl snapbox::IntoData) {
        assert_shown(&rustfmt("", stderr, code, 1).expect("readable"), expected);
    }

    #[test]
    fn errors_leave_gaps() {
        check_stderr(
            "error[E0765]: unterminated double quote string\n --> /w/ws/x.rs:2:10\n  |\n",
            101,
            str![[r#"
error rustfmt rustfmt::parse x.rs 2:10-2:10: unterminated double quote string (fatal)
gap: unterminated double quote string

"#]],
        );
        check_stderr(
            "error[E0583]: file not found for module `y`\n  --> /w/ws/x.rs:1:1\n",
            1,
            str![[r#"
error rustfmt rustfmt::parse x.rs 1:1-1:1: file not found for module `y` (fatal)
gap: x.rs: file not found for module `y`

"#]],
        );
        check_stderr(
            "Error: file `nosuch.rs` does not exist\n",
            1,
            str![[r#"
gap: file `nosuch.rs` does not exist

"#]],
        );
        check_stderr(
            "The file `/w/ws/rustfmt.toml` failed to parse.\nError details: x\n",
            1,
            str![[r#"
gap: The file `rustfmt.toml` failed to parse.

"#]],
        );
        check_stderr(
            "\nthread 'main' (8383) panicked at x:\ny\nerror: the compiler unexpectedly panicked\n",
            101,
            str![[r#"
gap: the compiler unexpectedly panicked

"#]],
        );
        check_stderr(
            "",
            1,
            str![[r#"
gap: rustfmt exited with 1

"#]],
        );
    }

    #[test]
    fn what_rustfmt_could_not_mend_is_no_gap() {
        check_stderr(
            "error[internal]: left behind trailing whitespace\n --> /w/ws/x.rs:2:2:9\n  |\n",
            1,
            str![[r#"
warning rustfmt rustfmt::internal x.rs 2:2-2:2: left behind trailing whitespace

"#]],
        );
    }

    #[test]
    fn warnings_about_the_configuration_are_not_errors() {
        check_stderr("Warning: can't set `wrap_comments = true`, unstable features\n", 0, "");
    }

    #[test]
    fn anything_else_on_stdout_is_unparsable() {
        for stdout in ["Diff in /w/ws/x.r", "hello\n", "Diff in /w/ws/x.rs:1:\n-a\nb\n"] {
            assert!(rustfmt(stdout, "", 1, 1).is_err(), "{stdout}");
        }
    }
}
