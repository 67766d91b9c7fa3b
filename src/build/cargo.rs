//! Messages to cargo, as lines on standard output.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

use super::Error;
use super::environment::Environment;

/// Maximum number of errors to show. The rest is counted.
const SHOWN: usize = 50;

/// Returns the lines that tell cargo when to run the script again, sorted. Uses the syntax that every cargo
/// understands.
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

/// Returns a warning from this library, marked with `genti:` to distinguish it from the script's own.
pub(super) fn own_warning(message: &str) -> String {
    warning(&format!("genti: {message}"))
}

/// Returns a warning. Cargo labels each line, so continuation lines are indented.
pub(super) fn warning(message: &str) -> String {
    let indents = std::iter::once("").chain(std::iter::repeat("  "));
    message.lines().zip(indents).map(|(line, indent)| format!("cargo:warning={indent}{line}\n")).collect()
}

/// Errors as lines for cargo, or as plain text for a cargo without `cargo::error`.
pub(super) enum ErrorText {
    /// Instructions for cargo, printed to standard output.
    Cargo(String),
    /// Plain text, printed to standard error.
    Plain(String),
}

/// Returns the output that shows `errors`.
pub(super) fn errors(errors: &[Error], env: &Environment) -> ErrorText {
    let mut lines = Vec::new();
    for error in errors.iter().take(SHOWN) {
        // Cargo labels each line, so continuation lines are indented.
        let (error, indents) = (error.to_string(), std::iter::once("").chain(std::iter::repeat("  ")));
        lines.extend(error.lines().zip(indents).map(|(line, indent)| format!("{indent}{line}")));
    }
    if errors.len() > SHOWN {
        lines.push(format!("and {} more errors", errors.len() - SHOWN));
    }
    if knows_errors(env) {
        ErrorText::Cargo(lines.into_iter().map(|line| format!("cargo::error={line}\n")).collect())
    } else {
        ErrorText::Plain(lines.into_iter().map(|line| format!("error: {line}\n")).collect())
    }
}

/// Returns whether `cargo::error` is supported. It needs cargo 1.84. A package with a `rust-version` before 1.77 cannot
/// use it, because cargo rejects the two colons then.
fn knows_errors(env: &Environment) -> bool {
    let stated = env.get("CARGO_PKG_RUST_VERSION").and_then(|version| version.to_str());
    if stated.and_then(version).is_some_and(|stated| stated < (1, 77)) {
        return false;
    }
    let Some(cargo) = env.get("CARGO") else { return false };
    #[expect(clippy::disallowed_methods, reason = "only cargo knows its version")]
    let output = Command::new(cargo).arg("--version").stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().nth(1).and_then(version).is_some_and(|version| version >= (1, 84))
}

/// Returns the first two numbers of a version.
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
    fn an_error_is_plain_text_unless_cargo_is_known_to_support_it() {
        let two_lines = [Error::new("first\nsecond")];
        let ErrorText::Plain(text) = errors(&two_lines, &Environment::default()) else { panic!("not plain") };
        assert_eq!(text, "error: first\nerror:   second\n");
    }
}
