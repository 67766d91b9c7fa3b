//! Detects conflicts between units that would make the result depend on their order. Checked after all units finished,
//! so the errors are always the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::instructions::variable_in;
use super::look_up::{GeneratorCall, PlanContext};
use super::record::{Claims, UnitRecord};
use super::{Plan, value_of, walk};
use crate::model::path::RelPath;

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
    let mut spellings: Vec<(Vec<u8>, RelPath)> = Vec::new();
    for path in claims.keys() {
        let mut at = Some(path.clone());
        while let Some(part) = at.filter(|part| !part.is_root()) {
            let folded = part.as_bytes().to_ascii_lowercase();
            let other = value_of(&mut spellings, folded);
            if other.is_root() {
                *other = part.clone();
            } else if *other != part {
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
    claims: &Claims,
    earlier: &[usize],
    include: Option<&UnitRecord>,
    place: &PlanContext,
) -> Vec<Error> {
    let out = walk::canonical(&place.out);
    let checked_in = plan.checked_in.as_ref().and_then(|dir| walk::canonical(&place.root.join(dir)));
    let below = |dir: &Option<PathBuf>, path: &Path| RelPath::between(dir.as_deref()?, path);
    let is_included = |output: &RelPath| {
        include.is_some_and(|record| record.outputs.iter().any(|made| made.path == *output))
    };
    // Outputs of earlier units may be read, but only in `OUT_DIR`.
    let is_written = |path: &Path, earlier: usize| {
        let is_late = |output: RelPath| {
            let by_unit = claims.get(&output).is_some_and(|units| units.iter().any(|&unit| unit >= earlier));
            by_unit || is_included(&output)
        };
        let is_output = |output: RelPath| claims.contains_key(&output) || is_included(&output);
        below(&out, path).is_some_and(is_late) || below(&checked_in, path).is_some_and(is_output)
    };
    let mut wrong = BTreeSet::new();
    for (record, &earlier) in records.iter().zip(earlier) {
        let discovered = record.discovered.iter().map(|seen| &seen.path);
        for path in record.inputs.iter().map(|(path, _)| path).chain(discovered) {
            if walk::canonical(&place.root.join(path)).is_some_and(|path| is_written(&path, earlier)) {
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
