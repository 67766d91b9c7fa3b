//! Converts columns from bytes to characters. Needs the sources; places in unreadable files keep only the line.

use std::collections::BTreeMap;

use super::whole_line;
use crate::model::finding::{Diagnostic, Place, Position, Range};
use crate::model::halt::{Halt, Halted, PER_FINDING, Pace};
use crate::model::path::RelPath;

/// Converts all columns of `diagnostics` to characters.
pub(super) fn count_characters(
    diagnostics: &mut [Diagnostic],
    sources: &BTreeMap<RelPath, Vec<u8>>,
    halt: &dyn Halt,
) -> Result<(), Halted> {
    let lines: BTreeMap<&RelPath, Vec<&[u8]>> =
        sources.iter().map(|(path, text)| (path, text.split(|&b| b == b'\n').collect())).collect();
    let mut pace = Pace::new(halt);
    for diagnostic in &mut *diagnostics {
        // Counting starts at the beginning of the line, which may be a whole file.
        let columns = |range: Range| range.start.column.saturating_add(range.end.column) as usize;
        pace.spend(PER_FINDING.saturating_add(diagnostic.place.range().map_or(0, columns)))?;
        count(diagnostic, &lines);
    }
    diagnostics.sort();
    Ok(())
}

fn count(diagnostic: &mut Diagnostic, lines: &BTreeMap<&RelPath, Vec<&[u8]>>) {
    let counted = |path: &RelPath, range: Range| {
        let lines = lines.get(path)?;
        Some(Range { start: character(lines, range.start)?, end: character(lines, range.end)? })
    };
    if let Place::File { path, range: Some(range) } = &mut diagnostic.place {
        match counted(path, *range) {
            Some(counted) => *range = counted,
            None => {
                diagnostic.place = Place::File { path: path.clone(), range: whole_line(range.start.line) }
            }
        }
    }
    if let Some(fix) = &mut diagnostic.fix {
        let is_counted = fix
            .edits
            .iter_mut()
            .all(|(path, range, _)| counted(path, *range).map(|new| *range = new).is_some());
        if !is_counted {
            diagnostic.fix = None;
        }
    }
}

/// Converts the column from bytes to characters. Returns `None` if it is not at a character boundary.
fn character(lines: &[&[u8]], Position { line, column }: Position) -> Option<Position> {
    let line_of = lines.get(usize::try_from(line).ok()?.checked_sub(1)?)?;
    let before = line_of.get(..usize::try_from(column).ok()?.checked_sub(1)?)?;
    let before = std::str::from_utf8(before).ok()?.chars().count();
    Some(Position { line, column: u32::try_from(before).ok()?.saturating_add(1) })
}
