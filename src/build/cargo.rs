//! What is said to cargo: lines on standard output.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::process::{Command, Stdio};

use super::Error;

/// More than these are counted, not shown.
const SHOWN: usize = 50;

/// When to run the script again. The names that every cargo understands, in sorted order.
pub(super) fn reruns(files: &BTreeSet<String>, env: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for file in files {
        let _ = writeln!(text, "cargo:rerun-if-changed={file}");
    }
    for name in env {
        let _ = writeln!(text, "cargo:rerun-if-env-changed={name}");
    }
    text
}

/// A warning of this library itself, which says so: it is none of the script's. Cargo labels each line: those below the first
/// are indented.
pub(super) fn warning(message: &str) -> String {
    let message = format!("genti: {message}");
    let indents = std::iter::once("").chain(std::iter::repeat("  "));
    message.lines().zip(indents).map(|(line, indent)| format!("cargo:warning={indent}{line}\n")).collect()
}

/// Errors as lines for cargo, or as plain text for one that knows no `cargo::error`.
pub(super) enum Shown {
    /// For standard output.
    Cargo(String),
    /// For standard error.
    Plain(String),
}

/// How to show `errors`.
pub(super) fn errors(errors: &[Error], env: &BTreeMap<OsString, OsString>) -> Shown {
    let mut lines = Vec::new();
    for error in errors.iter().take(SHOWN) {
        // Cargo labels each line: what belongs to the one above is indented.
        let (error, indents) = (error.to_string(), std::iter::once("").chain(std::iter::repeat("  ")));
        lines.extend(error.lines().zip(indents).map(|(line, indent)| format!("{indent}{line}")));
    }
    if errors.len() > SHOWN {
        lines.push(format!("and {} more errors", errors.len() - SHOWN));
    }
    if knows_errors(env) {
        Shown::Cargo(lines.into_iter().map(|line| format!("cargo::error={line}\n")).collect())
    } else {
        Shown::Plain(lines.into_iter().map(|line| format!("error: {line}\n")).collect())
    }
}

/// Whether `cargo::error` can be said: from cargo 1.84 on, and in no package that states a Rust before 1.77, for which
/// cargo refuses the two colons.
fn knows_errors(env: &BTreeMap<OsString, OsString>) -> bool {
    let stated = env.get(OsStr::new("CARGO_PKG_RUST_VERSION")).and_then(|version| version.to_str());
    if stated.and_then(version).is_some_and(|stated| stated < (1, 77)) {
        return false;
    }
    let Some(cargo) = env.get(OsStr::new("CARGO")) else { return false };
    #[expect(clippy::disallowed_methods, reason = "cargo alone knows which it is")]
    let output = Command::new(cargo).arg("--version").stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().nth(1).and_then(version).is_some_and(|version| version >= (1, 84))
}

/// The first two numbers of a version.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted_and_understood_by_every_cargo() {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(
            reruns(&set(&["b", "a/c", "a"]), &set(&["Z", "A"])),
            "cargo:rerun-if-changed=a\ncargo:rerun-if-changed=a/c\ncargo:rerun-if-changed=b\n\
             cargo:rerun-if-env-changed=A\ncargo:rerun-if-env-changed=Z\n"
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("1.9.0"), Some((1, 9)));
        assert_eq!(version("1.84.0-nightly"), Some((1, 84)));
        assert!(version("1.100.0") > version("1.84.0"));
        assert_eq!(version(""), None);
    }

    #[test]
    fn without_a_cargo_that_is_known_to_understand_it_an_error_is_plain_text() {
        let two_lines = [Error::new("first\nsecond")];
        let Shown::Plain(text) = errors(&two_lines, &BTreeMap::new()) else { panic!("not plain") };
        assert_eq!(text, "error: first\nerror:   second\n");
    }
}
