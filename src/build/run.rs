//! Runs a plan.
//!
//! 1. The shared dependencies (this program, variables, tools, shared files) become one fingerprint.
//! 2. Patterns become inputs, and inputs become units.
//! 3. Units with an up-to-date [`Record`] are skipped.
//! 4. The other units run in parallel. Each keeps its outputs aside until it is done. Then the outputs are put in
//!    place, followed by the record. A failed unit leaves the previous outputs.
//! 5. If everything succeeded, stale outputs are removed and the manifest is written.
//!
//! Results that depend on the order in which units finish are evaluated afterwards, in the order of the plan: the
//! errors to show, and the units to blame for conflicting outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::clashes::{self, Claims};
use super::error::{Error, Errors};
use super::fingerprint::Fingerprint;
use super::input::Input;
use super::look_up::{Found, Place, look_up};
use super::manifest::Manifest;
use super::output::{Content, Output, output_path};
use super::record::{Made, Record, Seen, is_still, look};
use super::state::State;
use super::workers::{self, Slots};
use super::{Plan, Summary, cargo, checked_in, include};
use crate::model::path::RelPath;

/// Summary of the run, and the lines for cargo.
pub(super) struct Done {
    pub(super) summary: Summary,
    pub(super) lines: String,
}

pub(super) fn run(plan: &Plan<'_>, place: &Place, slots: &Slots) -> Result<Done, Errors> {
    let mut found = look_up(plan, place)?;
    let state = State::open(&place.out).map_err(|error| out_dir(place, &error))?;
    if let (Some((tool, why)), Some(dir)) = (found.missing.take(), &plan.checked_in) {
        return use_checked_in(dir, &tool, &why, found, place, &state);
    }
    let (mut records, claims, generated) = do_units(&found, place, slots, &state)?;

    let units = &found.units;
    let made = |record: &Record| record.outputs.iter().map(|made| made.path.clone()).collect::<Vec<_>>();
    let mut outputs: BTreeSet<RelPath> = records.iter().flat_map(made).collect();
    let mut errors = clashes::find(&claims, units);
    if let Some(name) = &plan.include {
        match put_include(name, &outputs, place, &state, found.conditions) {
            Ok(record) => {
                outputs.extend(made(&record));
                records.push(record);
            }
            Err(error) => errors.push(error),
        }
    }
    errors.extend(clashes::read_and_written(plan, &records, &outputs, place));
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    for record in &mut records {
        // Don't expose the location of OUT_DIR. Its content is our own output.
        record.discovered.retain(|seen| !place.root.join(&seen.path).starts_with(&place.out));
    }

    let manifest = Manifest {
        missing_tool: None,
        checked_in: plan.checked_in.as_deref(),
        env: &plan.env,
        tools: found.tools.keys().map(String::as_str).collect(),
        shared: found.shared.iter().map(String::as_str).collect(),
        units: records.iter().collect(),
    };
    let failed = |error: std::io::Error| out_dir(place, &error);
    state.put_manifest(&manifest.encode()).map_err(failed)?;
    let names = units.iter().map(|unit| unit.name.clone()).collect();
    let removed = state.finish(&outputs, &names).map_err(failed)?;

    let mut accepted = 0;
    if let Some(dir) = &plan.checked_in {
        if checked_in::is_accepted(&place.env) {
            accepted = checked_in::accept(&place.root, &place.out, dir, &outputs)?;
        }
        let package =
            place.env.get(OsStr::new("CARGO_PKG_NAME")).and_then(|name| name.to_str()).unwrap_or("NAME");
        let errors = checked_in::verify(&place.root, &place.out, dir, &outputs, package);
        if !errors.is_empty() {
            return Err(Errors(errors));
        }
        found.env.insert(checked_in::ACCEPT.to_owned());
        found.watched.extend(checked_in::watched(&place.root, dir, &outputs));
    }
    let discovered = records.iter().flat_map(|record| &record.discovered);
    let is_there = discovered.filter(|seen| seen.content.is_some());
    found.watched.extend(is_there.map(|seen| seen.path.clone()));

    let unchanged = units.len() - generated.len();
    let mut lines = String::new();
    for &at in &generated {
        lines.push_str(&format!("genti: generated from {}\n", units[at].shown()));
    }
    lines.push_str(&format!(
        "genti: {} generated, {unchanged} unchanged, {removed} removed\n",
        generated.len()
    ));
    if accepted > 0 {
        let dir = plan.checked_in.as_deref().unwrap_or_default();
        lines.push_str(&cargo::warning(&format!("{accepted} generated files were written to {dir}")));
    }
    lines.push_str(&cargo::reruns(&found.watched, &found.env));
    Ok(Done { summary: Summary { generated: generated.len(), unchanged, removed }, lines })
}

/// Uses the checked-in files as they are because a tool is missing. Outputs of earlier builds are kept for when the
/// tool is available again. The manifest states that nothing was generated.
fn use_checked_in(
    dir: &str,
    tool: &str,
    why: &Error,
    mut found: Found<'_>,
    place: &Place,
    state: &State,
) -> Result<Done, Errors> {
    if !checked_in::is_there(&place.root.join(dir)) {
        return Err(Error::new(format!("this directory is missing and cannot be generated: {why}"))
            .in_file(dir)
            .into());
    }
    let manifest = Manifest {
        missing_tool: Some(tool),
        checked_in: Some(dir),
        env: &BTreeSet::new(),
        tools: Vec::new(),
        shared: Vec::new(),
        units: Vec::new(),
    };
    state.put_manifest(&manifest.encode()).map_err(|error| out_dir(place, &error))?;
    found.env.insert(checked_in::ACCEPT.to_owned());
    found.watched.insert(dir.to_owned());
    let warning = cargo::warning(&format!("using `{dir}` without checking it: {why}"));
    let lines = warning + &cargo::reruns(&found.watched, &found.env);
    Ok(Done { summary: Summary { generated: 0, unchanged: 0, removed: 0 }, lines })
}

/// Runs the units that are not up to date. Returns the records of all units, their output claims, and the indices of
/// the units that ran.
fn do_units(
    found: &Found<'_>,
    place: &Place,
    slots: &Slots,
    state: &State,
) -> Result<(Vec<Record>, Claims, Vec<usize>), Errors> {
    let units = &found.units;
    let mut done = BTreeMap::new();
    let mut claims = Claims::new();
    for (at, unit) in units.iter().enumerate() {
        let inputs: Vec<String> = unit.inputs.iter().map(|(path, _)| path.clone()).collect();
        let record = found.conditions.and_then(|conditions| {
            state
                .record(&unit.name)
                .filter(|record| record.holds(conditions, &inputs, &place.root, &place.out))
        });
        if let Some(mut record) = record {
            record.forget_bytes();
            for made in &record.outputs {
                claims.entry(made.path.clone()).or_default().insert(at);
            }
            done.insert(at, record);
        }
    }
    let open: Vec<usize> = (0..units.len()).filter(|at| !done.contains_key(at)).collect();
    let claims = Mutex::new(claims);
    let results = Mutex::new(BTreeMap::new());
    workers::run(slots, open.len(), &|number| {
        let at = open[number];
        let result = do_unit(at, found, place, state, &claims);
        results.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
    });
    let mut errors = Vec::new();
    for (at, result) in results.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match result {
            Ok(record) => drop(done.insert(at, record)),
            Err(error) => errors.push(error),
        }
    }
    let claims = claims.into_inner().unwrap_or_else(PoisonError::into_inner);
    if errors.is_empty() {
        return Ok((done.into_values().collect(), claims, open));
    }
    errors.extend(clashes::find(&claims, units));
    Err(Errors(errors))
}

/// Runs unit `at` and puts its outputs in place.
fn do_unit(
    at: usize,
    found: &Found<'_>,
    place: &Place,
    state: &State,
    claims: &Mutex<Claims>,
) -> Result<Record, Error> {
    let unit = &found.units[at];
    let started = now();
    let mut inputs = Vec::new();
    for (path, base) in &unit.inputs {
        let bytes = read(&place.root.join(path)).map_err(|error| Error::from(error).in_file(path.clone()))?;
        inputs.push(Input { path: path.clone(), base: *base, bytes });
    }
    let mut output = Output {
        root: &place.root,
        tools: &found.tools,
        scratch: state.temporary(),
        files: BTreeMap::new(),
        discovered: BTreeSet::new(),
    };
    let blame = |mut error: Error| {
        if error.path.is_none() {
            error.path = Some(unit.shown());
        }
        error
    };
    let call = std::panic::AssertUnwindSafe(|| unit.kind.call(&inputs, &mut output));
    std::panic::catch_unwind(call).unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(blame)?;
    output.collect().map_err(blame)?;

    let mut is_mine = true;
    {
        let mut claims = claims.lock().unwrap_or_else(PoisonError::into_inner);
        for path in output.files.keys() {
            let claimants = claims.entry(path.clone()).or_default();
            is_mine &= claimants.is_empty();
            claimants.insert(at);
        }
    }
    let mut outputs = Vec::new();
    for (path, content) in output.files {
        let bytes = match &content {
            Content::Bytes(bytes) => bytes,
            Content::File(file) => &read(file).map_err(|error| out_dir(place, &error))?,
        };
        let put = match &content {
            // Another unit writes the same file, which is reported after all units finished.
            _ if !is_mine => Ok(()),
            Content::Bytes(bytes) => state.write(&path, bytes),
            Content::File(file) => state.adopt(&path, file, bytes),
        };
        put.map_err(|error| Error::new(format!("failed to write the output `{path}`: {error}")))?;
        outputs.push(Made { path, len: bytes.len() as u64, content: Fingerprint::of(bytes) });
    }
    let own = |path: &String| unit.inputs.iter().any(|(input, _)| input == path);
    let discovered: Vec<Seen> = output
        .discovered
        .into_iter()
        .filter(|path| !own(path))
        .map(|path| Seen { content: look(&place.root.join(&path)), path })
        .collect();
    // If a file changed while the generator ran, the generator may have seen the old content. Without a record the unit
    // runs again in the next build, which cargo starts because the file changed.
    let is_settled = inputs.iter().all(|input| is_still(&place.root.join(&input.path), &input.bytes))
        && discovered.iter().all(|seen| is_older(&place.root.join(&seen.path), started));
    let inputs = inputs.into_iter().map(|input| (input.path, input.bytes)).collect();
    let conditions = found.conditions.unwrap_or_default();
    let mut record = Record { conditions, inputs, discovered, outputs };
    if is_mine && is_settled && found.conditions.is_some() {
        state.put_record(&unit.name, &record).map_err(|error| out_dir(place, &error))?;
    }
    record.forget_bytes();
    Ok(record)
}

/// Writes the file that declares the modules.
fn put_include(
    name: &str,
    outputs: &BTreeSet<RelPath>,
    place: &Place,
    state: &State,
    conditions: Option<Fingerprint>,
) -> Result<Record, Error> {
    let path = output_path(name)?;
    if outputs.contains(&path) {
        return Err(Error::new(format!(
            "the output `{path}` is written twice: by a generator and by `include`"
        )));
    }
    let text = include::text(&path, outputs.iter())?;
    state.write(&path, text.as_bytes()).map_err(|error| out_dir(place, &error))?;
    let made = Made { path, len: text.len() as u64, content: Fingerprint::of(text.as_bytes()) };
    let conditions = conditions.unwrap_or_default();
    Ok(Record { conditions, inputs: Vec::new(), discovered: Vec::new(), outputs: vec![made] })
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(format!("the generator panicked: {}", text.unwrap_or("(no message)")))
}

fn out_dir(place: &Place, error: &std::io::Error) -> Error {
    Error::new(format!("failed to write below OUT_DIR: {error}")).in_file(place.out.display().to_string())
}

#[expect(clippy::disallowed_methods, reason = "build scripts read their inputs")]
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

#[expect(clippy::disallowed_methods, reason = "detects changes during the run")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns whether `path` was last changed before `moment`, allowing for the coarse clock of file systems.
#[expect(clippy::disallowed_methods, reason = "detects changes during the run")]
fn is_older(path: &Path, moment: SystemTime) -> bool {
    let Ok(changed) = std::fs::metadata(path).and_then(|metadata| metadata.modified()) else { return true };
    changed + Duration::from_millis(10) < moment
}
