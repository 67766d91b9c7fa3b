//! Parses makefile-style dependency files of compilers: `target: file file …`.

use std::path::PathBuf;

use super::Error;
use crate::model::path::RelPath;

/// Returns the dependencies of the rules in `text`, in order and without duplicates.
///
/// Supports the output of GCC, Clang, protoc, rustc and glslc: line continuations, escaped spaces, `\#`, `$$`, drive
/// letters, comments, several rules, and the empty rules of `-MP`.
///
/// # Errors
///
/// Returns an error if a line is not a rule.
///
/// ```
/// let files = genti::build::parse_depfile(br"a.o: a.c include/a\ b.h \
///     c.h")?;
/// assert_eq!(files, ["a.c", "include/a b.h", "c.h"].map(std::path::PathBuf::from));
/// # Ok::<(), genti::build::Error>(())
/// ```
pub fn parse_depfile(text: &[u8]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut lines = text.split(|&byte| byte == b'\n').zip(1..);
    while let Some((line, number)) = lines.next() {
        let mut rule = without_cr(line).to_vec();
        while ends_in_escape(&rule) {
            rule.pop();
            rule.push(b' ');
            match lines.next() {
                Some((next, _)) => rule.extend_from_slice(without_cr(next)),
                None => break,
            }
        }
        if rule.first() == Some(&b'#') || rule.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let words = rule_words(&rule).ok_or_else(|| Error::new("not a make rule").at("depfile", number))?;
        for word in words {
            let path = RelPath::new(word).as_os_path().into_owned();
            if !files.contains(&path) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns whether the line continues: it ends in an odd number of backslashes.
fn ends_in_escape(line: &[u8]) -> bool {
    line.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// Returns the words after the colon, or `None` without a colon.
fn rule_words(rule: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut is_behind_colon = false;
    let mut at = 0;
    while at < rule.len() {
        let byte = rule[at];
        let next = rule.get(at + 1).copied();
        at += 1;
        match byte {
            b'\\' => {
                let slashes = 1 + rule[at..].iter().take_while(|&&byte| byte == b'\\').count();
                let behind = rule.get(at + slashes - 1).copied();
                at += slashes - 1;
                match behind {
                    // As GCC writes it: 2n + 1 backslashes before a space stand for n backslashes and a space.
                    Some(b' ' | b'\t') if slashes % 2 == 1 => {
                        word.resize(word.len() + slashes / 2, b'\\');
                        word.push(rule[at]);
                        at += 1;
                    }
                    Some(special @ (b'#' | b':')) if slashes == 1 => {
                        word.push(special);
                        at += 1;
                    }
                    _ => word.resize(word.len() + slashes, b'\\'),
                }
            }
            b'$' if next == Some(b'$') => {
                word.push(b'$');
                at += 1;
            }
            // Skip the colon of `C:\`.
            b':' if !is_behind_colon && !is_drive_of(&word, next) => {
                is_behind_colon = true;
                word.clear();
            }
            b' ' | b'\t' => {
                if is_behind_colon && !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                word.clear();
            }
            byte => word.push(byte),
        }
    }
    if is_behind_colon && !word.is_empty() {
        words.push(word);
    }
    is_behind_colon.then_some(words)
}

/// Returns whether a colon after `word` and before `next` belongs to a drive letter.
fn is_drive_of(word: &[u8], next: Option<u8>) -> bool {
    matches!(word, [letter] if letter.is_ascii_alphabetic()) && matches!(next, Some(b'\\' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let files = parse_depfile(text.as_bytes()).unwrap();
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(files, expected, "{text}");
    }

    #[test]
    fn output_of_compilers_is_read() {
        check("a.o: a.c b.h\n", &["a.c", "b.h"]);
        check("a.o: a.c \\\n b.h \\\r\n\tc.h\n", &["a.c", "b.h", "c.h"]);
        check("a.o b.o : x y x", &["x", "y"]);
        check("a.o:", &[]);
        check("a.o: b.h\n\nb.h:\n", &["b.h"]);
        check("# env-dep:X\na: b\n", &["b"]);
        check(r"out\a.o: C:\src\a.c D:/b.h", &[r"C:\src\a.c", "D:/b.h"]);
        check(r"C:\out\a.o: b", &["b"]);
        check("a: big\\ name\\#1 $$x\n", &["big name#1", "$x"]);
        check("a: b\\\\\\ c", &["b\\ c"]);
        check("a: größe.h", &["größe.h"]);
    }

    #[test]
    fn an_invalid_rule_is_an_error_with_its_line() {
        let error = parse_depfile(b"a: b\nwhat is this\n").unwrap_err();
        assert_eq!(error.to_string(), "depfile:2: not a make rule");
    }

    #[test]
    fn a_truncated_depfile_does_not_panic() {
        let text = b"C:\\a.o: a\\ b.c $$d \\\n e\\#f \\\\\\ g\n# x\n";
        for end in 0..=text.len() {
            let _ = parse_depfile(&text[..end]);
        }
    }
}
