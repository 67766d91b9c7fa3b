//! Detects conflicts between units that would make the result depend on their order. Checked after all units finished,
//! so the errors are always the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::error::Error;
use super::look_up::{GeneratorCall, PlanContext};
use super::record::UnitRecord;
use super::{Plan, walk};
use crate::model::path::RelPath;

/// Units that write each output, by index.
pub(super) type Claims = BTreeMap<RelPath, BTreeSet<usize>>;

/// Returns an error for each conflict between outputs.
pub(super) fn find(claims: &Claims, units: &[GeneratorCall<'_>]) -> Vec<Error> {
    let names = |claimants: &BTreeSet<usize>| {
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
/// units.
pub(super) fn read_and_written(
    plan: &Plan<'_>,
    records: &[UnitRecord],
    outputs: &BTreeSet<RelPath>,
    place: &PlanContext,
) -> Vec<Error> {
    let checked_in = plan.checked_in.as_ref().map(|dir| place.root.join(dir));
    let mut dirs = vec![place.out.clone()];
    dirs.extend(checked_in);
    let mut errors = BTreeMap::new();
    let written: BTreeSet<PathBuf> = dirs
        .iter()
        .filter_map(|dir| walk::canonical(dir))
        .flat_map(|dir| outputs.iter().map(move |path| path.to_path(&dir)))
        .collect();
    for record in records {
        let discovered = record.discovered.iter().map(|seen| &seen.path);
        for path in record.inputs.iter().map(|(path, _)| path).chain(discovered) {
            if walk::canonical(&place.root.join(path)).is_some_and(|path| written.contains(&path)) {
                errors.insert(path.clone(), Error::new("this input is also an output").in_file(path.clone()));
            }
        }
    }
    errors.into_values().collect()
}
