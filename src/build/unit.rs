//! Runs one unit: one call of a generator.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::error::Error;
use super::fingerprint::Fingerprint;
use super::input::Input;
use super::instructions::instruction_in;
use super::look_up::{GeneratorCall, LookupResult, PlanContext};
use super::output::{Output, OutputContent};
use super::record::{Claims, DiscoveredDependency, Made, UnitRecord, claim, is_still, look};
use super::state::StateDir;
use super::stdout::Capture;
use crate::model::path::RelPath;

/// Values that all units of a stage share.
pub(super) struct Stage<'a> {
    pub(super) found: &'a LookupResult,
    pub(super) place: &'a PlanContext,
    pub(super) state: &'a StateDir,
    pub(super) claims: &'a Mutex<Claims>,
    /// Standard output while the units run.
    pub(super) capture: Option<&'a Capture>,
}

/// Runs `unit`, the unit `at` of the plan, and puts its outputs in place.
pub(super) fn run_unit(at: usize, unit: &GeneratorCall<'_>, stage: &Stage<'_>) -> Result<UnitRecord, Error> {
    let Stage { found, place, state, claims, capture } = *stage;
    let started = now();
    let printed_before = capture.map(Capture::len).unwrap_or_default();
    let mut inputs = Vec::new();
    for file in &unit.inputs {
        let path = file.place(place);
        let bytes = read(&path).map_err(|error| Error::from(error).in_file(&file.path))?;
        inputs.push(Input { path: file.path.clone(), base: file.base, place: path, bytes });
    }
    let mut output = Output {
        root: &place.root,
        out: &place.out,
        tools: &found.tools,
        scratch: state.temporary(),
        files: Vec::new(),
        discovered: BTreeSet::new(),
        lines: Vec::new(),
    };
    let blame = |error: Error| error.of_unit(unit, &place.root);
    let call = std::panic::AssertUnwindSafe(|| unit.kind.call(&inputs, &mut output));
    std::panic::catch_unwind(call).unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(blame)?;
    output.collect().map_err(blame)?;

    let mut is_mine = true;
    {
        let mut claims = claims.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, _) in &output.files {
            is_mine &= claim(&mut claims, path, at);
        }
    }
    let mut outputs = Vec::new();
    for (path, content) in output.files {
        let bytes = match &content {
            OutputContent::Bytes(bytes) => bytes,
            OutputContent::File(file) => &read(file).map_err(|error| out_dir(place, &error))?,
        };
        let put = match &content {
            // Another unit writes the same file, which is reported after all units finished.
            _ if !is_mine => Ok(()),
            OutputContent::Bytes(bytes) => state.write(&path, bytes),
            OutputContent::File(file) => state.adopt(&path, file, bytes),
        };
        put.map_err(|error| Error::new(format!("failed to write the output `{path}`: {error}")))?;
        outputs.push(Made { path, len: bytes.len() as u64, content: Fingerprint::of(bytes) });
    }
    let own = unit.names(false);
    let discovered: Vec<DiscoveredDependency> = output
        .discovered
        .into_iter()
        .filter(|path| !own.contains(&path.as_str()))
        .map(|path| DiscoveredDependency { content: look(&place.root.join(&path)), path })
        .collect();
    // If a file changed while the generator ran, the generator may have seen the old content. Without a record the unit
    // runs again in the next build, which cargo starts because the file changed. Outputs of earlier generators don't change.
    let is_settled = inputs.iter().all(|input| is_still(&input.place, &input.bytes))
        && discovered
            .iter()
            .map(|seen| place.root.join(&seen.path))
            .all(|path| path.starts_with(&place.out) || is_older(&path, started));
    let mut record = UnitRecord {
        conditions: found.conditions.unwrap_or_default(),
        inputs: Vec::new(),
        from: Vec::new(),
        discovered,
        outputs,
        dirs: (!output.lines.is_empty()).then_some(found.dirs),
        lines: output.lines,
    };
    for (file, input) in unit.inputs.iter().zip(inputs) {
        match file.is_output {
            true => record.from.push(Made {
                path: RelPath::new(&input.path),
                len: input.bytes.len() as u64,
                content: Fingerprint::of(&input.bytes),
            }),
            false => record.inputs.push((input.path, input.bytes)),
        }
    }
    if is_mine && is_settled && found.conditions.is_some() && !has_printed(capture, printed_before)? {
        state.put_record(&unit.name, &record).map_err(|error| out_dir(place, &error))?;
    }
    record.forget_bytes();
    Ok(record)
}

/// Returns whether an instruction for cargo was printed since `before`, by this unit or one that ran at the same time.
/// A unit that printed one must run again, also if the build is killed before it reports the mistake.
fn has_printed(capture: Option<&Capture>, before: u64) -> Result<bool, Error> {
    let Some(capture) = capture else { return Ok(false) };
    let printed = capture.read(before..capture.len())?;
    Ok(String::from_utf8_lossy(&printed).lines().any(|line| instruction_in(line).is_some()))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(format!("the generator panicked: {}", text.unwrap_or("(no message)")))
}

/// Returns the error for a failure to write.
pub(super) fn out_dir(place: &PlanContext, error: &std::io::Error) -> Error {
    Error::new(format!("failed to write below OUT_DIR: {error}")).in_file(&place.out)
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
