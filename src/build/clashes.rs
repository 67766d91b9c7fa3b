//! Detects conflicts between units that would make the result depend on their order. Checked after all units finished,
//! so the errors are always the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::error::Error;
use super::instructions::variable_in;
use super::look_up::{GeneratorCall, PlanContext};
use super::record::{Claims, UnitRecord};
use super::{Plan, walk};

/// Returns an error for each conflict between outputs.
pub(super) fn find(claims: &Claims, units: &[GeneratorCall<'_>]) -> Vec<Error> {
    let names = |claimants: &[usize]| {
        let names: Vec<String> = claimants.iter().map(|&at| units[at].shown()).collect();
        names.join(" and ")
    };
    let mut errors = Vec::new();
    for (path, claimants) in claims.iter().filter(|(_, claimants)| claimants.len() > 1) {
        errors.push(Error::new(format!(
            "the output `{path}` is written more than once: from {}",
            names(claimants)
        )));
    }
    // Directories count too: `A/x` and `a/y` may be in one directory or in two.
    let mut spellings = BTreeMap::new();
    for path in claims.keys() {
        let mut at = Some(path.clone());
        while let Some(part) = at.filter(|part| !part.is_root()) {
            let folded = part.as_bytes().to_ascii_lowercase();
            let other = spellings.entry(folded).or_insert_with(|| part.clone());
            if *other != part {
                let why = "are the same file on some systems";
                errors.push(Error::new(format!("the outputs `{other}` and `{part}` {why}")));
            }
            if part != *path && claims.contains_key(&part) {
                let why = "cannot be both a file and a directory";
                errors.push(Error::new(format!("the output `{part}` {why}: there is `{path}`")));
            }
            at = part.parent();
        }
    }
    errors
}

/// Returns an error for each file that is both input and output, because its content would depend on the order of
/// units. `earlier` has for each unit the number of units that were done before it could start: their outputs may be read.
pub(super) fn read_and_written(
    plan: &Plan<'_>,
    records: &[UnitRecord],
    earlier: &[usize],
    include: Option<&UnitRecord>,
    place: &PlanContext,
) -> Vec<Error> {
    let mut written: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let checked_in = plan.checked_in.as_ref().map(|dir| place.root.join(dir));
    let dirs = [(Some(place.out.clone()), false), (checked_in, true)];
    for (dir, is_checked_in) in dirs {
        let Some(dir) = dir.and_then(|dir| walk::canonical(&dir)) else { continue };
        for (at, record) in records.iter().chain(include).enumerate() {
            let at = if is_checked_in { usize::MAX } else { at };
            written.extend(record.outputs.iter().map(|made| (made.path.to_path(&dir), at)));
        }
    }
    let mut wrong = BTreeSet::new();
    for (record, &earlier) in records.iter().zip(earlier) {
        let discovered = record.discovered.iter().map(|seen| &seen.path);
        for path in record.inputs.iter().map(|(path, _)| path).chain(discovered) {
            let writer = walk::canonical(&place.root.join(path)).and_then(|path| written.get(&path).copied());
            if writer.is_some_and(|writer| writer >= earlier) {
                wrong.insert(path.clone());
            }
        }
    }
    wrong.iter().map(|path| Error::new("this input is also an output").in_file(path)).collect()
}

/// Returns an error for each environment variable that units set to different values.
pub(super) fn set_twice(records: &[UnitRecord], units: &[GeneratorCall<'_>]) -> Vec<Error> {
    let (mut names, mut settings) = (BTreeSet::new(), BTreeSet::new());
    let mut errors = Vec::new();
    for (at, record) in records.iter().enumerate() {
        for line in &record.lines {
            let Some((name, _)) = variable_in(line) else { continue };
            if settings.insert(line.clone()) && !names.insert(name.to_owned()) {
                let sets = |record: &UnitRecord| {
                    record.lines.iter().any(|line| variable_in(line).is_some_and(|(other, _)| other == name))
                };
                let first = records.iter().position(sets).unwrap_or(at);
                let (one, other) = (units[first].shown(), units[at].shown());
                errors
                    .push(Error::new(format!("`{name}` is set to different values: from {one} and {other}")));
            }
        }
    }
    errors
}
