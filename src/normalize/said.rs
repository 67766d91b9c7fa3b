//! Reads messages on stderr in cargo's format: a label and a first line, followed by details.
//!
//! If the first line ends with a colon, the message is the list below it.

use super::Scrub;

/// Maximum number of list items to quote.
const MOST_ITEMS: usize = 10;
/// Maximum number of lines in one message.
const MOST_LINES: usize = 60;
/// Maximum number of characters to quote.
const MOST_CHARS: usize = 1_000;
/// Maximum number of causes to quote.
const MOST_CAUSES: usize = 4;

/// Returns the lines after the first line of a message that belong to it. They end at a blank line or at the next
/// message.
pub(super) fn below(rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = rest.split(|&byte| byte == b'\n').take(MOST_LINES);
    lines.take_while(|line| !line.trim_ascii().is_empty() && label(line).is_none() && !is_status(line))
}

/// Splits the first line of a message into its label and text.
pub(super) fn label(line: &[u8]) -> Option<(&[u8], &[u8])> {
    const LABELS: [&[u8]; 5] = [b"error", b"warning", b"note", b"help", b"info"];
    let end = line.iter().take(40).position(|&byte| byte == b':')?;
    let text = line[end + 1..].strip_prefix(b" ")?;
    let name = line[..end].split(|&byte| byte == b'[').next()?;
    let is_label = LABELS.iter().any(|known| name.eq_ignore_ascii_case(known));
    (is_label && (name.len() == end || line[end - 1] == b']')).then_some((name, text))
}

/// Returns whether `line` is a status line of cargo: a verb that ends in column 12.
fn is_status(line: &[u8]) -> bool {
    let word = line.trim_ascii_start();
    let len = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    line.len() - word.len() + len == 12
        && word.first().is_some_and(u8::is_ascii_uppercase)
        && word.get(len) == Some(&b' ')
}

/// Returns the message that begins with `first` on one line, with its list and its causes.
pub(super) fn quoted(scrub: &Scrub, first: &[u8], rest: &[u8]) -> String {
    let mut text = scrub.quote(first.trim_ascii());
    if text.ends_with(':') {
        let lines: Vec<_> = below(rest).collect();
        // Indented lines are the list. Lines after it are advice.
        let is_set_off = |line: &&&[u8]| line.starts_with(b" ") || line.starts_with(b"\t");
        let count = lines.iter().take_while(is_set_off).count();
        let mut items: Vec<_> = lines[..if count == 0 { lines.len() } else { count }]
            .iter()
            .map(|line| scrub.quote(line.trim_ascii()))
            .collect();
        // Cargo names a package once per target.
        items.sort();
        items.dedup();
        let shown = &items[..items.len().min(MOST_ITEMS)];
        if !shown.is_empty() {
            text = format!("{text} {}", shown.join("; "));
        }
        if items.len() > MOST_ITEMS {
            text = format!("{text}; and {} more", items.len() - MOST_ITEMS);
        }
    }
    for cause in causes(rest).take(MOST_CAUSES) {
        text = format!("{text}: {}", scrub.quote(cause));
    }
    text.chars().take(MOST_CHARS).collect()
}

/// Returns the causes that cargo prints below an error, outermost first. Skips exit statuses of processes.
fn causes(rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = rest.split(|&byte| byte == b'\n').take(MOST_LINES);
    let mut is_next = false;
    let of_message =
        lines.take_while(|line| label(line).is_none_or(|(name, _)| name == b"note") && !is_status(line));
    of_message
        .filter(move |line| {
            let is_cause = is_next && !line.trim_ascii().is_empty();
            is_next = line.starts_with(b"Caused by:");
            is_cause
        })
        .map(|cause| cause.trim_ascii().strip_prefix(b"-> ").unwrap_or(cause.trim_ascii()))
        .filter(|cause| !cause.starts_with(b"process didn't exit successfully"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::normalize::testing::workspace;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let scrub = Scrub::new(&workspace(&[], &[]), Some(Path::new("/home/me")), Path::new("/tmp"));
        let (first, rest) = text.split_once('\n').expect("lines");
        let (_, first) = label(first.as_bytes()).expect("a message");
        assert_eq!(quoted(&scrub, first, rest.as_bytes()), expected);
    }

    #[test]
    fn the_list_below_a_colon_is_the_message() {
        // Captured with cargo 1.95.0.
        check(
            "error: rustc 1.95.0 is not supported by the following packages:\n  a@0.1.0 requires rustc 1.99\n  \
             b@0.1.0 requires rustc 1.98\n  \
             a@0.1.0 requires rustc 1.99\nEither upgrade rustc or select compatible dependency versions with\n\
             `cargo update <name>@<current-ver> --precise <compatible-ver>`\n",
            "rustc 1.95.0 is not supported by the following packages: a@0.1.0 requires rustc 1.99; b@0.1.0 requires \
             rustc 1.98",
        );
        check("error: several:\none\ntwo\n\nthree\n", "several: one; two");
        check("error: several:\n  one\nerror: other\n  two\n", "several: one");
        check("error: several:\n   Compiling a v0.1.0 (/w/ws/a)\n", "several:");
        check("error: nothing:\n\n", "nothing:");
        let many: String = (10..22).map(|at| format!("  {at}\n")).collect();
        check(&format!("error: many:\n{many}"), "many: 10; 11; 12; 13; 14; 15; 16; 17; 18; 19; and 2 more");
    }

    #[test]
    fn causes_are_part_of_the_message() {
        check(
            "error: failed to load manifest for workspace member `/w/ws/a`\n\nCaused by:\n  failed to parse manifest at \
             `/w/ws/a/Cargo.toml`\n\nCaused by:\n  no targets specified in the manifest\n  either src/lib.rs must be \
             present\n",
            "failed to load manifest for workspace member `a`: failed to parse manifest at `a/Cargo.toml`: no targets \
             specified in the manifest",
        );
        check(
            "error: could not compile `a`\n\nCaused by:\n  process didn't exit successfully: `rustc` (exit status: 1)\n",
            "could not compile `a`",
        );
        check("error: one\nwarning: two\n\nCaused by:\n  of two\n", "one");
    }

    #[test]
    fn only_known_labels_begin_a_message() {
        for line in ["error: a", "error[E0001]: a", "ERROR: a", "note: a"] {
            assert!(label(line.as_bytes()).is_some(), "{line}");
        }
        for line in ["errors: a", "error:a", "  error: a", "package:   a", "error in b: a", "error[E: a"] {
            assert!(label(line.as_bytes()).is_none(), "{line}");
        }
    }
}
