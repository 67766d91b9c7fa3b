//! Parsers for line-based output: every line is a diagnostic, or every line that matches a pattern.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hasher};

use regex::{Captures, Regex};

use super::names::{as_text, revealed, shown};
use super::scrub::strip_escapes;
use super::{Input, PANIC, Parsed, Unparsable, is_crash, range, whole_line};
use crate::model::finding::{Diagnostic, Level, Place};

/// Reports each non-blank line of stdout as a diagnostic.
pub(super) fn plain(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    check(input, &input.output.stdout)?;
    let stdout = input.scrub.with_plain_names(&input.output.stdout);
    let mut seen = SeenLines::default();
    let mut diagnostics = BTreeSet::new();
    let all = lines(input, &stdout).filter(|line| !line.trim_ascii().is_empty());
    for line in all.filter(|line| seen.is_new(line)) {
        // Many such tools list the files they object to. A file name may begin or end with whitespace.
        let text = as_text(line);
        let named = [&*text, text.trim_ascii()].into_iter().find_map(|name| {
            input.scrub.path(&revealed(name)).filter(|path| input.workspace.find(path).is_some())
        });
        let place = named.map_or_else(|| input.default_place(), |path| Place::File { path, range: None });
        let message = input.scrub.lossy(&shown(text.trim_ascii()));
        diagnostics.insert(input.diagnostic(place, input.tool.base(), Level::Warning, message));
    }
    judge(input, code, diagnostics)
}

/// Reports each line of stdout and stderr that matches `pattern` as a diagnostic. Matching takes time linear in the
/// length of a line. Patterns that need more than 10 MB are rejected.
pub(super) fn by_pattern(input: &Input<'_>, code: i32, pattern: &str) -> Result<Parsed, Unparsable> {
    let pattern = Regex::new(pattern).map_err(|error| Unparsable(format!("invalid pattern: {error}")))?;
    check(input, &input.output.stdout)?;
    check(input, &input.output.stderr)?;
    let mut seen = SeenLines::default();
    let mut diagnostics = BTreeSet::new();
    let [stdout, stderr] =
        [&input.output.stdout, &input.output.stderr].map(|output| input.scrub.with_plain_names(output));
    let all = lines(input, &stdout).chain(lines(input, &stderr));
    for line in all.filter(|line| seen.is_new(line)) {
        let text = as_text(line);
        let line = strip_escapes(&text);
        // Testing for a match is much faster than capturing groups.
        let found = pattern.is_match(&line).then(|| pattern.captures(&line)).flatten();
        diagnostics.extend(found.map(|found| matched(input, &line, &found)));
    }
    judge(input, code, diagnostics)
}

/// Hashes of recently seen lines. A line that repeats a million times is parsed once. May forget lines to bound its
/// size.
#[derive(Debug, Default)]
pub(super) struct SeenLines(HashSet<[u64; 2]>);

impl SeenLines {
    /// Maximum number of lines to remember.
    const MOST: usize = 1 << 16;

    /// Returns whether `line` was not seen recently.
    pub(super) fn is_new(&mut self, line: &[u8]) -> bool {
        let hash = |seed: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(seed);
            hasher.write(line);
            hasher.finish()
        };
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert([hash(0), hash(1)])
    }
}

/// Returns whether `pattern` matches `line` as [`by_pattern`] reads it.
pub(super) fn matches(pattern: &Regex, line: &[u8]) -> bool {
    pattern.is_match(&strip_escapes(&as_text(line)))
}

fn matched(input: &Input<'_>, line: &str, found: &Captures<'_>) -> Diagnostic {
    let text = |name| found.name(name).map(|group| input.scrub.lossy(&shown(group.as_str().trim())));
    let number = |name| text(name)?.parse::<u32>().ok();
    let range = number("line").and_then(|line| match number("column") {
        Some(column) => range((line, column), (line, column)),
        None => whole_line(line),
    });
    let place = match found.name("path").map(|path| revealed(path.as_str())).filter(|path| !path.is_empty()) {
        Some(path) => input.place_at(&path, range),
        None => match input.default_place() {
            Place::File { path, .. } => Place::File { path, range },
            subject => subject,
        },
    };
    let rule = text("rule").filter(|rule| !rule.is_empty()).unwrap_or_else(|| input.tool.base().to_owned());
    let level = text("level").map_or(Level::Warning, |level| level_of(&level));
    let message = text("message").unwrap_or_else(|| input.scrub.lossy(&shown(line.trim())));
    input.diagnostic(place, rule, level, message)
}

fn level_of(word: &str) -> Level {
    match word.to_ascii_lowercase().as_str() {
        "error" | "err" | "e" | "fatal" | "critical" | "failure" => Level::Error,
        "note" | "n" | "info" | "i" | "information" | "help" | "hint" | "style" => Level::Note,
        _ => Level::Warning,
    }
}

/// Rejects the output of a tool that crashed, or that failed without a diagnostic.
fn judge(input: &Input<'_>, code: i32, diagnostics: BTreeSet<Diagnostic>) -> Result<Parsed, Unparsable> {
    if code == PANIC || is_crash(code) {
        return Err(input.crashed(code));
    }
    if code != 0 && diagnostics.is_empty() {
        let first = lines(input, &input.output.stdout)
            .map(|line| input.scrub.quote(line.trim_ascii()))
            .find(|line| !line.is_empty());
        let reason = input.complaint().or(first).unwrap_or_else(|| "no output".to_owned());
        return Err(Unparsable(format!("exited with {code}: {reason}")));
    }
    Ok(Parsed { diagnostics: diagnostics.into_iter().collect(), ..Parsed::default() })
}

/// Longest line that is read, in bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// Checks that `text` consists of lines of text. Other bytes are allowed, since file names may contain them.
fn check(input: &Input<'_>, text: &[u8]) -> Result<(), Unparsable> {
    for (number, line) in (1..).zip(lines(input, text)) {
        if line.len() > LONGEST {
            return Err(Unparsable(format!("line {number} is longer than 1 MiB")));
        }
        if line.contains(&0) {
            return Err(Unparsable(format!("line {number} contains a NUL byte, so the output is not text")));
        }
    }
    Ok(())
}

fn lines<'o>(input: &Input<'_>, text: &'o [u8]) -> impl Iterator<Item = &'o [u8]> {
    input.lines(text).map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}
