//! Runs a plan.
//!
//! 1. The shared dependencies (this program, variables, tools, shared files) become one fingerprint.
//! 2. Patterns become inputs, and inputs become units. A generator that reads outputs of earlier ones begins a new stage,
//!    whose units are determined when the earlier stages are done.
//! 3. Units with an up-to-date [`UnitRecord`] are skipped.
//! 4. The other units of a stage run in parallel. Each keeps its outputs aside until it is done. Then the outputs are put
//!    in place, followed by the record. A failed unit leaves the previous outputs.
//! 5. If everything succeeded, stale outputs are removed and the manifest is written. Instructions for cargo are printed
//!    from the records, so it does not matter whether a unit ran.
//!
//! Results that depend on the order in which units finish are evaluated afterwards, in the order of the plan: the
//! errors to show, and the units to blame for conflicting outputs.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::clashes;
use super::error::{Error, Errors};
use super::fingerprint::Fingerprint;
use super::instructions::{instead_of, instruction_in};
use super::look_up::{GeneratorCall, LookupResult, PlanContext, look_up, units};
use super::manifest::{Manifest, ManifestUnit, through_outputs};
use super::output::output_path;
use super::record::{Claims, Expected, Made, UnitRecord, claim};
use super::state::StateDir;
use super::stdout::Capture;
use super::unit::{Stage, out_dir, run_unit};
use super::workers::{self, Slots};
use super::{Plan, Summary, cargo, checked_in, include, origin, set_of, walk};
use crate::model::path::RelPath;

/// Summary of the run, and the lines for cargo.
pub(super) struct Done {
    pub(super) summary: Summary,
    pub(super) lines: String,
}

/// Units of the stages so far.
#[derive(Default)]
struct Work<'a> {
    units: Vec<GeneratorCall<'a>>,
    /// Records of the units.
    records: Vec<UnitRecord>,
    /// Units that write each output.
    claims: Claims,
    /// Indices of the units that ran.
    generated: Vec<usize>,
    /// For each unit, the number of units in the stages before its own.
    earlier: Vec<usize>,
}

impl Work<'_> {
    fn outputs(&self) -> BTreeSet<RelPath> {
        set_of(self.records.iter().flat_map(|record| &record.outputs).map(|made| made.path.clone()))
    }
}

pub(super) fn run(plan: &Plan<'_>, place: &PlanContext, slots: &Slots) -> Result<Done, Errors> {
    let failed = |error: std::io::Error| out_dir(place, &error);
    let open = || StateDir::open(&place.out, plan.name.as_deref(), place.program).map_err(failed);
    let is_accepted = checked_in::is_accepted(&place.env);
    let checked_in = plan.checked_in.as_ref().filter(|_| !is_accepted);
    if let Some((dir, dependency)) = checked_in.and_then(|dir| Some((dir, origin::dependency(place)?))) {
        let mistakes = plan.mistakes();
        if !mistakes.is_empty() {
            return Err(Errors(mistakes));
        }
        let watched = dependency.workspace.and_then(|path| Some(path.to_str()?.to_owned()));
        return use_checked_in(dir, None, set_of(watched), BTreeSet::new(), place, &open()?);
    }
    let mut found = look_up(plan, place)?;
    let state = open()?;
    if let (Some(missing), Some(dir)) = (found.missing.take(), &plan.checked_in) {
        return use_checked_in(dir, Some(missing), found.watched, found.env, place, &state);
    }
    let work = run_stages(plan, &found, place, slots, &state)?;

    let mut outputs = work.outputs();
    let mut errors = Vec::new();
    let mut include = None;
    if let Some(name) = &plan.include {
        match put_include(name, &outputs, place, &state) {
            Ok(record) => {
                outputs.extend(record.outputs.iter().map(|made| made.path.clone()));
                include = Some(record);
            }
            Err(error) => errors.push(error),
        }
    }
    errors.extend(clashes::read_and_written(
        plan,
        &work.records,
        &work.claims,
        &work.earlier,
        include.as_ref(),
        place,
    ));
    errors.extend(clashes::set_twice(&work.records, &work.units));
    if plan.checked_in.is_some() {
        errors.extend(instructions_of_checked_in(&work));
    }
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    let Work { units, mut records, claims, generated, .. } = work;
    for record in &mut records {
        // Don't expose the location of OUT_DIR. Its content is our own output.
        record.discovered.retain(|seen| !place.root.join(&seen.path).starts_with(&place.out));
    }

    let mut described = through_outputs(&records, &claims);
    described.extend(include.as_ref().map(ManifestUnit::of));
    let manifest = Manifest {
        missing_tool: None,
        checked_in: plan.checked_in.as_deref(),
        env: &plan.env,
        tools: found.tools.iter().map(|(name, _)| name.as_str()).collect(),
        shared: found.shared.iter().map(String::as_str).collect(),
        units: described,
    };
    state.put_manifest(&manifest.encode()).map_err(failed)?;
    let names = set_of(units.iter().map(|unit| unit.name.clone()));
    let removed = state.finish(&outputs, &names).map_err(failed)?;

    let mut accepted = 0;
    if let Some(dir) = &plan.checked_in {
        if is_accepted {
            accepted = checked_in::accept(&place.root, &place.out, dir, &outputs)?;
        }
        let package = place.env.get("CARGO_PKG_NAME").and_then(|name| name.to_str()).unwrap_or("NAME");
        let errors = checked_in::verify(&place.root, &place.out, dir, &outputs, package);
        if !errors.is_empty() {
            return Err(Errors(errors));
        }
        found.env.insert(checked_in::ACCEPT.to_owned());
        found.watched.extend(checked_in::watched(&place.root, dir, &outputs));
    }
    for seen in records.iter().flat_map(|record| &record.discovered) {
        found.watched.insert(match seen.content {
            Some(_) => seen.path.clone(),
            None => walk::watch_for_missing(&place.root, &place.out, &seen.path),
        });
    }

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
        lines.push_str(&cargo::own_warning(&format!("{accepted} generated files were written to {dir}")));
    }
    lines.push_str(&instructions(&records));
    lines.push_str(&cargo::reruns(&found.watched, &found.env));
    Ok(Done { summary: Summary { generated: generated.len(), unchanged, removed }, lines })
}

/// Returns the instructions for cargo, in the order of the plan and without repetitions.
fn instructions(records: &[UnitRecord]) -> String {
    let mut seen = BTreeSet::new();
    let lines = records.iter().flat_map(|record| &record.lines).filter(|line| seen.insert((*line).clone()));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Returns an error for each unit that gives an instruction, which would be missing where the package is a dependency.
fn instructions_of_checked_in(work: &Work<'_>) -> Vec<Error> {
    let mut errors = Vec::new();
    for (record, unit) in work.records.iter().zip(&work.units) {
        if let Some(line) = record.lines.iter().find(|line| !line.starts_with("cargo:warning=")) {
            let message = format!(
                "`{line}` would be missing where this package is a dependency, because `checked_in` files are used \
                 without their generator; put it into another plan"
            );
            errors.push(Error::new(message).of_unit(unit, Path::new("")));
        }
    }
    errors
}

/// Uses the checked-in files as they are because a tool is missing, or because the package is a dependency. Outputs of
/// earlier builds are kept for when they are generated again. The manifest states that nothing was generated.
fn use_checked_in(
    dir: &str,
    missing: Option<(String, Error)>,
    mut watched: BTreeSet<String>,
    mut env: BTreeSet<String>,
    place: &PlanContext,
    state: &StateDir,
) -> Result<Done, Errors> {
    if !checked_in::is_there(&place.root.join(dir)) {
        let why =
            missing.map_or_else(|| "this package is a dependency".to_owned(), |(_, why)| why.to_string());
        let message = format!("this directory is missing and cannot be generated: {why}");
        return Err(Error::new(message).in_file(dir).into());
    }
    let manifest = Manifest {
        missing_tool: missing.as_ref().map(|(tool, _)| tool.as_str()),
        checked_in: Some(dir),
        env: &BTreeSet::new(),
        tools: Vec::new(),
        shared: Vec::new(),
        units: Vec::new(),
    };
    state.put_manifest(&manifest.encode()).map_err(|error| out_dir(place, &error))?;
    env.insert(checked_in::ACCEPT.to_owned());
    watched.insert(dir.to_owned());
    let warning =
        missing.map(|(_, why)| cargo::own_warning(&format!("using `{dir}` without checking it: {why}")));
    let lines = warning.unwrap_or_default() + &cargo::reruns(&watched, &env);
    Ok(Done { summary: Summary { generated: 0, unchanged: 0, removed: 0 }, lines })
}

/// Runs the units that are not up to date.
fn run_stages<'a>(
    plan: &'a Plan<'a>,
    found: &LookupResult,
    place: &PlanContext,
    slots: &Slots,
    state: &StateDir,
) -> Result<Work<'a>, Errors> {
    let mut work = Work::default();
    for stage in stages(plan) {
        let earlier = work.units.len();
        work.units.extend(units(plan, stage, found, &work.outputs())?);
        work.earlier.resize(work.units.len(), earlier);
        run_stage(&mut work, earlier, found, place, slots, state)?;
    }
    Ok(work)
}

/// Divides the generators into stages. A generator that reads outputs begins a new one.
fn stages(plan: &Plan<'_>) -> Vec<Range<usize>> {
    let count = plan.groups.len();
    let begins = |&at: &usize| at == 0 || !plan.groups[at].sources.outputs.is_empty();
    let starts: Vec<usize> = (0..count).filter(begins).collect();
    let ends = starts.iter().skip(1).copied().chain([count]);
    starts.iter().zip(ends).map(|(&start, end)| start..end).collect()
}

/// Runs the units from number `first` on that are not up to date.
fn run_stage(
    work: &mut Work<'_>,
    first: usize,
    found: &LookupResult,
    place: &PlanContext,
    slots: &Slots,
    state: &StateDir,
) -> Result<(), Errors> {
    let units = &work.units;
    // Records of the units from `first` on that are up to date or have run.
    let mut done: Vec<Option<UnitRecord>> = Vec::new();
    for (at, unit) in units.iter().enumerate().skip(first) {
        let record = up_to_date(unit, found, place, state);
        for made in record.iter().flat_map(|record| &record.outputs) {
            claim(&mut work.claims, &made.path, at);
        }
        done.push(record);
    }
    let open: Vec<usize> = (first..units.len()).filter(|at| done[at - first].is_none()).collect();
    let claims = Mutex::new(std::mem::take(&mut work.claims));
    let results = Mutex::new(open.iter().map(|_| None).collect::<Vec<_>>());
    let capture = match place.captures_stdout && !open.is_empty() {
        true => Some(Capture::begin(&state.temporary()).map_err(|error| out_dir(place, &error))?),
        false => None,
    };
    let stage = Stage { found, place, state, claims: &claims, capture: capture.as_ref() };
    workers::run(slots, open.len(), &|number| {
        let at = open[number];
        let printed = || capture.as_ref().map(Capture::len).unwrap_or_default();
        let start = printed();
        let result = run_unit(at, &units[at], &stage);
        let window = start..printed();
        results.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some((result, window));
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut errors = Vec::new();
    let mut windows = Vec::new();
    for (&at, (result, window)) in open.iter().zip(results.into_iter().flatten()) {
        windows.push((at, window));
        match result {
            Ok(record) => done[at - first] = Some(record),
            Err(error) => errors.push(error),
        }
    }
    if let Some(capture) = capture {
        let text = capture.read(0..capture.len()).map_err(|error| out_dir(place, &error));
        drop(capture);
        errors.extend(
            printed_instructions(&text?, &windows, units, state).map_err(|error| out_dir(place, &error))?,
        );
    }
    work.claims = claims.into_inner().unwrap_or_else(PoisonError::into_inner);
    errors.extend(clashes::find(&work.claims, units));
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    work.records.extend(done.into_iter().flatten());
    work.generated.extend(open);
    Ok(())
}

/// Returns the record of `unit` if it is up to date.
fn up_to_date(
    unit: &GeneratorCall<'_>,
    found: &LookupResult,
    place: &PlanContext,
    state: &StateDir,
) -> Option<UnitRecord> {
    let expected = Expected {
        conditions: found.conditions?,
        inputs: &unit.names(false),
        from: &unit.names(true),
        root: &place.root,
        out: &place.out,
        dirs: found.dirs,
    };
    let mut record = state.record(&unit.name).filter(|record| record.holds(&expected))?;
    record.forget_bytes();
    Some(record)
}

/// Passes on the output of the generators in `text`, except for instructions for cargo, which are errors. `windows` has
/// the part of the text that was printed while each unit ran.
fn printed_instructions(
    text: &[u8],
    windows: &[(usize, Range<u64>)],
    units: &[GeneratorCall<'_>],
    state: &StateDir,
) -> std::io::Result<Vec<Error>> {
    let mut errors = Vec::new();
    let mut rest = String::new();
    let mut start = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let end = start + line.len() as u64;
        let line = String::from_utf8_lossy(line);
        if let Some(instruction) = instruction_in(&line) {
            let ran = windows.iter().filter(|(_, window)| window.start < end && window.end > start);
            let ran: Vec<usize> = ran.map(|(at, _)| *at).collect();
            for &at in &ran {
                state.forget(&units[at].name)?;
            }
            let names: Vec<String> = ran.iter().map(|&at| units[at].shown()).collect();
            let error = Error::new(format!(
                "`{instruction}` was printed while a generator ran, so it would be missing in a build that skips the \
                 generator; use {} instead",
                instead_of(instruction)
            ));
            errors.push(match &names[..] {
                [] => error,
                [_] => error.in_file(&names[0]),
                _ => Error::new(format!("{error} (running: {})", names.join(", "))),
            });
        } else {
            rest.push_str(&line);
        }
        start = end;
    }
    if !rest.is_empty() && !rest.ends_with('\n') {
        // The next line may be for cargo.
        rest.push('\n');
    }
    super::print(&rest)?;
    Ok(errors)
}

/// Writes the file that declares the modules.
fn put_include(
    name: &str,
    outputs: &BTreeSet<RelPath>,
    place: &PlanContext,
    state: &StateDir,
) -> Result<UnitRecord, Error> {
    let path = output_path(Path::new(name))?;
    if outputs.contains(&path) {
        return Err(Error::new(format!(
            "the output `{path}` is written twice: by a generator and by `include`"
        )));
    }
    let text = include::text(&path, outputs.iter())?;
    state.write(&path, text.as_bytes()).map_err(|error| out_dir(place, &error))?;
    let made = Made { path, len: text.len() as u64, content: Fingerprint::of(text.as_bytes()) };
    Ok(UnitRecord { outputs: vec![made], ..UnitRecord::default() })
}
