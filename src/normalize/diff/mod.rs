//! Parses unified diffs on stdout: from formatters (`black --diff`, `shfmt -d`, `taplo fmt --diff`), `git diff` and
//! `diff -u`.
//!
//! [`read`](mod@read) parses the text, [`name`] finds the workspace files, and [`open`] compares with their content. A
//! formatter's diff starts from the current file, a git diff ends with it. The header of a hunk states its number of
//! lines, so content of a file cannot be taken for part of the diff.

mod name;
mod open;
mod read;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "`str!` looks for the source file that it is in")]
mod tests;

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Gap, Input, PANIC, Parsed, Unparsable, Unsettled, is_crash, range};
use crate::model::finding::{Diagnostic, Level, Place, Related};
use name::DiffFile;
pub(super) use open::{OpenChange, settle, unsettled};
use read::{DiffChange, FileChange, FileDiff, Side};

/// Maximum number of lines of a change to quote.
const MOST_LINES: usize = 40;

/// Parses the output of a tool that exited with `code`.
pub(super) fn parse(input: &Input<'_>, code: i32) -> Result<Parsed, Unparsable> {
    if code == PANIC || is_crash(code) {
        return Err(input.crashed(code));
    }
    let mut parsed = Parsed::default();
    let mut open = Vec::new();
    for file in read::files(input, &input.output.stdout).map_err(Unparsable)? {
        of_file(input, &file, &mut parsed.diagnostics, &mut open);
    }
    parsed.gaps = match code {
        0 => Vec::new(),
        1 => failures(input),
        // The meaning is unknown, but some files were not checked.
        _ => vec![Gap::all(input.crashed(code).0)],
    };
    if code != 0 && parsed.diagnostics.is_empty() && parsed.gaps.is_empty() {
        return Err(input.crashed(code));
    }
    if !open.is_empty() {
        parsed.unsettled = Unsettled::Diff(open);
    }
    Ok(parsed)
}

/// Returns files that could not be read, for a tool that also exits with 1 for differences. These are errors that name
/// a file and a place. Without such errors, any other error counts for everything.
fn failures(input: &Input<'_>) -> Vec<Gap> {
    static AT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)^(.+?):(\d+):(?:(\d+):)? (.+)$").expect("valid"));
    let file = |line: &[u8]| {
        let found = AT.captures(line)?;
        let path = input.scrub.path(&found[1]).filter(|path| input.workspace.find(path).is_some())?;
        Some(Gap { package: None, path: Some(path), reason: input.scrub.quote(line) })
    };
    let mut gaps: Vec<_> = input.stderr_lines().filter_map(|(line, _)| file(line.trim_ascii())).collect();
    let is_error = |line: &[u8]| line.starts_with(b"error: ") || line.starts_with(b"error[");
    if gaps.is_empty() && input.stderr_lines().any(|(line, _)| is_error(line)) {
        gaps.extend(input.complaint().map(Gap::all));
    }
    gaps
}

/// Adds the diagnostics of one file: one per change, and one for each change of the file as a whole.
fn of_file(
    input: &Input<'_>,
    file: &FileDiff,
    diagnostics: &mut Vec<Diagnostic>,
    open: &mut Vec<OpenChange>,
) {
    let DiffFile { place, side } = name::find(input, file);
    let tool = input.tool.base();
    let is_git = file.is_git;
    let at_file = |message: String| {
        let place = match &place {
            Place::File { path, .. } => Place::File { path: path.clone(), range: None },
            subject => subject.clone(),
        };
        input.diagnostic(place, tool, Level::Warning, message)
    };
    let old_name = || input.scrub.lossy(&file.renamed_from.clone().unwrap_or_default());
    match (&file.kind, is_git) {
        (FileChange::New, false) => diagnostics.push(at_file(format!("`{tool}` would create this file"))),
        (FileChange::New, true) => diagnostics.push(at_file("this file is new".to_owned())),
        (FileChange::Deleted, false) => diagnostics.push(at_file(format!("`{tool}` would delete this file"))),
        (FileChange::Deleted, true) => diagnostics.push(at_file("this file was deleted".to_owned())),
        (FileChange::Renamed, _) => {
            diagnostics.push(at_file(format!("this file was renamed from `{}`", old_name())))
        }
        (FileChange::Copied, _) => {
            diagnostics.push(at_file(format!("this file was copied from `{}`", old_name())))
        }
        (FileChange::Changed, _) => {}
    }
    if let Some((old, new)) = &file.modes {
        let message = format!("the mode changes from `{old}` to `{new}`");
        diagnostics.push(at_file(input.scrub.text(&message)));
    }
    if file.is_binary && file.kind == FileChange::Changed {
        diagnostics.push(at_file("the binary content differs".to_owned()));
    }
    if file.is_only_in_one {
        diagnostics.push(at_file("this file exists on only one side".to_owned()));
    }
    if matches!(file.kind, FileChange::New | FileChange::Deleted) {
        return;
    }
    let message = if is_git {
        "this differs from the version in git".to_owned()
    } else {
        format!("`{tool}` would change this")
    };
    for change in &file.changes {
        let found = diagnostic(input, change, &place, side, &message);
        if let Some(path) = place.path() {
            let shown = quoted(input, change);
            open.push(OpenChange::new(path.clone(), change.clone(), side, found.place.range(), shown));
        }
        diagnostics.push(found);
    }
}

fn diagnostic(
    input: &Input<'_>,
    change: &DiffChange,
    place: &Place,
    side: Side,
    message: &str,
) -> Diagnostic {
    let patch = change.on(side);
    let place = match place {
        Place::File { path, .. } => Place::File { path: path.clone(), range: patch.range() },
        subject => subject.clone(),
    };
    let fix = place
        .path()
        .and_then(|path| patch.fix(path, &format!("apply the change from `{}`", input.tool.base())));
    let fix = fix.filter(|_| side == Side::Old && !change.is_lossy);
    let related = match &fix {
        Some(_) => Vec::new(),
        None => vec![quoted(input, change)],
    };
    let diagnostic = input.diagnostic(place, input.tool.base(), Level::Warning, message);
    Diagnostic { fix: fix.map(Box::new), related, ..diagnostic }
}

/// Returns the change itself as a note, for findings without a fix. Directories of this machine are removed as in any
/// message.
fn quoted(input: &Input<'_>, change: &DiffChange) -> Related {
    let removed = change.old.iter().map(|line| format!("-{line}"));
    let mut lines: Vec<_> = removed.chain(change.new.iter().map(|line| format!("+{line}"))).collect();
    if let Some(more @ 1..) = lines.len().checked_sub(MOST_LINES) {
        lines.truncate(MOST_LINES);
        lines.push(format!("[{more} lines]"));
    }
    Related { message: input.scrub.text(&lines.join("\n")), place: None }
}

/// Returns the range of whole lines, or an empty range before a line.
fn whole_lines(first: u32, count: usize) -> Option<crate::model::finding::Range> {
    range((first, 1), (first.checked_add(u32::try_from(count).ok()?)?, 1))
}
