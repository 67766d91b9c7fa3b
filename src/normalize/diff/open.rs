//! Compares the changes of a diff with the current files.

use std::collections::BTreeMap;

use super::read::{Change, Side};
use super::whole_lines;
use crate::model::finding::{Diagnostic, Fix, Place, Range, Related};
use crate::model::path::RelPath;
use crate::normalize::Parsed;
use crate::normalize::patch::Patch;

/// Change to compare with its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    path: RelPath,
    change: Change,
    side: Side,
    /// Range of its diagnostic.
    range: Option<Range>,
    /// The change as a note, for a diagnostic without a fix.
    shown: Related,
}

impl Open {
    pub(super) fn new(
        path: RelPath,
        change: Change,
        side: Side,
        range: Option<Range>,
        shown: Related,
    ) -> Self {
        Self { path, change, side, range, shown }
    }
}

/// Returns the files that [`settle`] needs.
pub(in crate::normalize) fn unsettled(open: &[Open]) -> impl Iterator<Item = &RelPath> {
    open.iter().map(|open| &open.path)
}

/// Moves each change to its lines in the file. If the file does not contain these lines, because the tool counts
/// differently or diffed another text, the finding is about the whole file and has no fix.
pub(in crate::normalize) fn settle(open: &[Open], parsed: &mut Parsed, sources: &BTreeMap<RelPath, Vec<u8>>) {
    let lines: BTreeMap<&RelPath, Vec<&str>> = sources
        .iter()
        .filter_map(|(path, text)| {
            Some((path, std::str::from_utf8(text).ok()?.split_inclusive('\n').collect()))
        })
        .collect();
    let by_place: BTreeMap<_, _> = open.iter().map(|open| ((&open.path, open.range), open)).collect();
    for found in &mut parsed.diagnostics {
        let Some(path) = found.place.path().cloned() else { continue };
        let Some(open) = by_place.get(&(&path, found.place.range())) else { continue };
        let Some(lines) = lines.get(&path) else { continue };
        place(open, found, path, lines);
    }
    parsed.diagnostics.sort();
    parsed.diagnostics.dedup();
}

fn place(open: &Open, found: &mut Diagnostic, path: RelPath, lines: &[&str]) {
    let other = if open.side == Side::Old { Side::New } else { Side::Old };
    let fitting =
        [open.side, other].into_iter().find_map(|side| Some((side, fitted(open.change.on(side), lines)?)));
    let Some((side, patch)) = fitting else {
        found.place = Place::File { path, range: None };
        drop_fix(found, &open.shown);
        return;
    };
    if let Some(fix) = found.fix.take() {
        let fix = patch.fix(&path, &fix.message).map(|fix| with_line_ends(fix, &patch, lines));
        found.fix = fix.map(Box::new);
    }
    // The change was already made.
    if side == Side::New {
        drop_fix(found, &open.shown);
    }
    let range = patch.range().or_else(|| whole_lines(patch.first, patch.old.len()));
    found.place = Place::File { path, range };
}

fn drop_fix(found: &mut Diagnostic, shown: &Related) {
    if found.fix.take().is_some() {
        found.related.push(shown.clone());
    }
}

/// Returns `patch` if its old lines match the file. Adjusts it at the end of a file without a final newline.
fn fitted(mut patch: Patch, lines: &[&str]) -> Option<Patch> {
    let first = usize::try_from(patch.first).ok()?.checked_sub(1)?;
    let here = lines.get(first..first.checked_add(patch.old.len())?)?;
    let bare = |line: &str| line.trim_end_matches('\n').trim_end_matches('\r').to_owned();
    let is_same = here.iter().zip(&patch.old).all(|(here, old)| bare(here) == bare(old));
    if !is_same {
        return None;
    }
    // If the last line has no newline, an insertion after it begins within that line.
    if let (true, Some(last)) = (patch.old.is_empty() && first == lines.len(), lines.last())
        && !last.ends_with('\n')
    {
        patch.first = patch.first.checked_sub(1)?;
        patch.old.push((*last).to_owned());
        patch.new.insert(0, (*last).to_owned());
        patch.old_is_open = true;
    }
    if here.last().is_some_and(|last| !last.ends_with('\n')) {
        patch.old_is_open = true;
        patch.old.last_mut().into_iter().zip(here.last()).for_each(|(old, here)| (*here).clone_into(old));
    }
    Some(patch)
}

/// Gives new lines the line endings of the replaced ones, unless the diff states line endings.
fn with_line_ends(mut fix: Fix, patch: &Patch, lines: &[&str]) -> Fix {
    let first = (patch.first as usize).saturating_sub(1);
    let near = lines.get(first).or_else(|| lines.get(first.saturating_sub(1)));
    let has_cr = near.is_some_and(|line| line.ends_with("\r\n"));
    let states_ends = patch.old.iter().chain(&patch.new).any(|line| line.ends_with('\r'));
    if has_cr && !states_ends {
        fix.edits.iter_mut().for_each(|(_, _, text)| *text = text.replace('\n', "\r\n"));
    }
    fix
}
