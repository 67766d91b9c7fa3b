//! Output that is read line by line: each line a diagnostic, or each that matches a pattern.

use std::collections::BTreeSet;

use regex::{Captures, Regex};

use super::scrub::strip_escapes;
use super::{Input, PANIC, Parsed, Unparsable, is_crash, range, whole_line};
use crate::model::finding::{Diagnostic, Level, Place};

/// Each line of stdout that is not blank is a diagnostic.
pub(super) fn plain(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    check(&input.output.stdout)?;
    // Each once, before anything is made of it: there may be millions that say the same.
    let mut distinct = BTreeSet::new();
    for line in lines(&input.output.stdout) {
        distinct.insert(line.trim_ascii());
    }
    let diagnostics = distinct
        .into_iter()
        .filter(|line| !line.is_empty())
        .map(|line| {
            // Many tools of this kind list the files that they object to.
            let named = input.scrub.path(line).filter(|path| input.workspace.find(path).is_some());
            let place = named.map_or_else(|| input.default_place(), |path| Place::File { path, range: None });
            let message = input.scrub.lossy(line);
            input.diagnostic(place, input.tool.name.clone(), Level::Warning, message)
        })
        .collect();
    judge(input, code, diagnostics)
}

/// Each line of stdout and stderr that `pattern` matches is a diagnostic.
pub(super) fn by_pattern(input: &Input<'_>, code: i32, pattern: &str) -> Result<Parsed, Unparsable> {
    let pattern = Regex::new(pattern).map_err(|error| Unparsable(format!("the pattern: {error}")))?;
    check(&input.output.stdout)?;
    check(&input.output.stderr)?;
    let mut diagnostics = BTreeSet::new();
    for line in lines(&input.output.stdout).chain(lines(&input.output.stderr)) {
        let line = strip_escapes(&disguised(line)).into_owned();
        diagnostics.extend(pattern.captures(&line).map(|found| matched(input, &line, &found)));
    }
    judge(input, code, diagnostics)
}

fn matched(input: &Input<'_>, line: &str, found: &Captures<'_>) -> Diagnostic {
    let text = |name| found.name(name).map(|group| input.scrub.lossy(&revealed(group.as_str().trim())));
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
    let rule = text("rule").filter(|rule| !rule.is_empty()).unwrap_or_else(|| input.tool.name.clone());
    let level = text("level").map_or(Level::Warning, |level| level_of(&level));
    let message = text("message").unwrap_or_else(|| input.scrub.lossy(&revealed(line.trim())));
    input.diagnostic(place, rule, level, message)
}

/// Where bytes that are not UTF-8 are put: at the end of the last plane for private use.
const DISGUISE: u32 = 0x0010_FF00;

/// `line` as text in which every byte that is not UTF-8 is one character, so that a `.` matches it: a file name
/// may hold any byte, and a pattern that passes over the line would lose a finding.
fn disguised(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(DISGUISE + u32::from(*byte))));
    }
    text
}

/// The bytes that [`disguised`] was given.
fn revealed(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(DISGUISE).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

fn level_of(word: &str) -> Level {
    match word.to_ascii_lowercase().as_str() {
        "error" | "err" | "e" | "fatal" | "critical" | "failure" => Level::Error,
        "note" | "n" | "info" | "i" | "information" | "help" | "hint" | "style" => Level::Note,
        _ => Level::Warning,
    }
}

/// A tool that fails and has nothing to show for it did not judge, nor did one that stopped half way.
fn judge(input: &Input<'_>, code: i32, diagnostics: BTreeSet<Diagnostic>) -> Result<Parsed, Unparsable> {
    if code == PANIC || is_crash(code) {
        return Err(input.crashed(code));
    }
    if code != 0 && diagnostics.is_empty() {
        let first = lines(&input.output.stdout)
            .map(|line| input.scrub.quote(line.trim_ascii()))
            .find(|line| !line.is_empty());
        let reason = input.complaint().or(first).unwrap_or_else(|| "it said nothing".to_owned());
        return Err(Unparsable(format!("exited with {code}: {reason}")));
    }
    Ok(Parsed { diagnostics: diagnostics.into_iter().collect(), gaps: Vec::new() })
}

/// Whether `text` is lines at all. File names in it may hold any other byte.
fn check(text: &[u8]) -> Result<(), Unparsable> {
    const LONGEST: usize = 1 << 20;
    for (number, line) in (1..).zip(lines(text)) {
        if line.len() > LONGEST {
            return Err(Unparsable(format!("line {number} is longer than 1 MiB")));
        }
        if line.contains(&0) {
            return Err(Unparsable(format!("line {number} holds a NUL: it is no text")));
        }
    }
    Ok(())
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}
