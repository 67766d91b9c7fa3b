//! Determines everything needed before units run: the directories, the inputs, the units, and the shared dependencies.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::{Error, Errors};
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::manifest::SCHEMA;
use super::pattern::Pattern;
use super::record::look;
use super::walk::{MatchedFile, Wanted};
use super::{Kind, Plan, Sources, batch, checked_in, set_of, value_of, walk};
use crate::model::path::RelPath;

/// Directories and environment of a plan.
pub(super) struct PlanContext {
    /// Package directory.
    pub(super) root: PathBuf,
    /// `OUT_DIR`.
    pub(super) out: PathBuf,
    pub(super) env: Environment,
    /// Fingerprint of the running program. If it cannot be read, nothing counts as unchanged.
    pub(super) program: Option<Fingerprint>,
    /// Set if standard output belongs to cargo, and generators must not print instructions to it.
    pub(super) captures_stdout: bool,
}

impl PlanContext {
    /// Reads the environment that cargo sets for a build script.
    #[expect(clippy::disallowed_methods, reason = "build scripts get their input from the environment")]
    pub(super) fn from_env() -> Result<Self, Error> {
        let env = Environment::of_process();
        let path = |name: &str| env.get(name).map(PathBuf::from);
        let out = path("OUT_DIR")
            .ok_or_else(|| Error::new("OUT_DIR is not set; a plan must run in a build script"))?;
        let root = match path("CARGO_MANIFEST_DIR") {
            Some(root) => root,
            None => std::env::current_dir()?,
        };
        let program = std::env::current_exe().ok().and_then(|path| look(&path));
        Ok(Self { root, out, env, program, captures_stdout: true })
    }
}

/// Input of a call, before it is read.
#[derive(Clone)]
pub(super) struct InputFile {
    /// Set for an output of an earlier generator. Then `path` starts in `OUT_DIR`, otherwise in the package directory.
    pub(super) is_output: bool,
    pub(super) path: String,
    /// Length of the pattern's fixed part.
    pub(super) base: usize,
}

impl InputFile {
    /// Returns the absolute path.
    pub(super) fn place(&self, place: &PlanContext) -> PathBuf {
        if self.is_output { place.out.join(&self.path) } else { place.root.join(&self.path) }
    }
}

/// Call of a generator.
pub(super) struct GeneratorCall<'a> {
    pub(super) kind: &'a Kind<'a>,
    pub(super) inputs: Vec<InputFile>,
    /// Name of its record.
    pub(super) name: String,
    /// Position of the generator in the plan, from 0.
    pub(super) generator: usize,
}

impl GeneratorCall<'_> {
    /// Returns a description for messages.
    pub(super) fn shown(&self) -> String {
        match &self.inputs[..] {
            [] => format!("generator {}", self.generator + 1),
            [input] => input.path.clone(),
            [input, rest @ ..] => format!("{} and {} more", input.path, rest.len()),
        }
    }

    /// Returns the names of the inputs that are outputs of earlier generators, or of those that are not.
    pub(super) fn names(&self, are_outputs: bool) -> Vec<&str> {
        let wanted = self.inputs.iter().filter(|input| input.is_output == are_outputs);
        wanted.map(|input| input.path.as_str()).collect()
    }
}

/// Result of the lookup.
pub(super) struct LookupResult {
    /// Inputs of each generator in the package directory.
    pub(super) files: Vec<Vec<InputFile>>,
    pub(super) tools: Vec<(String, PathBuf)>,
    pub(super) shared: Vec<String>,
    /// Files and directories that cargo should watch.
    pub(super) watched: BTreeSet<String>,
    pub(super) env: BTreeSet<String>,
    pub(super) conditions: Option<Fingerprint>,
    /// Fingerprint of the directories.
    pub(super) dirs: Fingerprint,
    /// Missing optional tool, with the error of the search. The checked-in files are used instead.
    pub(super) missing: Option<(String, Error)>,
}

/// Finds inputs and tools. Reports all mistakes, not just the first one.
pub(super) fn look_up(plan: &Plan<'_>, place: &PlanContext) -> Result<LookupResult, Errors> {
    let mut errors = Vec::new();
    let mut watched = BTreeSet::new();
    let mut env = set_of(plan.env.iter().cloned());
    let mut tools = Vec::new();
    let mut missing = None;
    for tool in &plan.tools {
        env.extend(tool.env.iter().cloned());
        match tool.locate(&place.root, &place.env) {
            Ok(path) => *value_of(&mut tools, tool.name.clone()) = path,
            Err(error) if tool.is_optional && !checked_in::is_accepted(&place.env) => {
                missing.get_or_insert((tool.name.clone(), error));
            }
            Err(error) => errors.push(error),
        }
    }
    for name in env.iter().filter(|name| name.is_empty() || name.contains(['=', '\0', '\n', '\r'])) {
        errors.push(Error::new(format!("invalid name of an environment variable: {name:?}")));
    }
    let mut find = |patterns: &[Wanted], excluded: &[String]| match walk::find(
        &place.root,
        &place.out,
        patterns,
        excluded,
    ) {
        Ok(found) => {
            watched.extend(found.dirs);
            watched.extend(found.files.iter().map(|file| file.path.clone()));
            found.files
        }
        Err(error) => {
            errors.push(error);
            Vec::new()
        }
    };
    let shared: Vec<String> = find(&plan.shared, &[]).into_iter().map(|file| file.path).collect();
    let mut files = Vec::new();
    for group in &plan.groups {
        let found = find(&group.sources.files, &group.sources.excluded).into_iter();
        files.push(
            found.map(|MatchedFile { path, base, .. }| InputFile { is_output: false, path, base }).collect(),
        );
    }
    errors.extend(plan.mistakes());
    let conditions = match conditions(plan, place, &env, &tools, &shared) {
        Ok(conditions) => conditions,
        Err(error) => {
            errors.push(error);
            None
        }
    };
    for path in tools.iter().filter_map(|(_, path)| path.to_str()) {
        // Cargo checks its modification time. A path that cargo cannot watch still counts for the conditions.
        if walk::check_name(path).is_ok() {
            watched.insert(path.to_owned());
        }
    }
    let mut dirs = Fingerprinter::new();
    dirs.field(place.root.as_os_str().as_encoded_bytes());
    dirs.field(place.out.as_os_str().as_encoded_bytes());
    let dirs = dirs.finish();
    if errors.is_empty() {
        Ok(LookupResult { files, tools, shared, watched, env, conditions, dirs, missing })
    } else {
        Err(Errors(errors))
    }
}

/// Returns the calls of the generators `numbers`, given the files in the package and all `outputs` of earlier generators.
pub(super) fn units<'a>(
    plan: &'a Plan<'a>,
    numbers: Range<usize>,
    found: &LookupResult,
    outputs: &BTreeSet<RelPath>,
) -> Result<Vec<GeneratorCall<'a>>, Errors> {
    let mut units = Vec::new();
    let mut errors = Vec::new();
    for number in numbers {
        let group = &plan.groups[number];
        let mut inputs = found.files[number].clone();
        match of_outputs(&group.sources, outputs) {
            Ok(more) => inputs.extend(more),
            Err(error) => errors.push(error),
        }
        let paths: Vec<RelPath> = inputs.iter().map(|input| RelPath::new(&input.path)).collect();
        let mut calls = batch::cut(&paths, group.kind.cap());
        if matches!(group.kind, Kind::Once(_)) {
            calls.push(0..0);
        }
        for range in calls {
            let inputs = inputs[range].to_vec();
            let mut hash = Fingerprinter::new();
            hash.field(&number.to_le_bytes());
            for input in &inputs {
                hash.field(&[u8::from(input.is_output)]);
                hash.field(input.path.as_bytes());
            }
            let name = hash.finish().0.iter().map(|byte| format!("{byte:02x}")).collect();
            units.push(GeneratorCall { kind: &group.kind, inputs, name, generator: number });
        }
    }
    if errors.is_empty() { Ok(units) } else { Err(Errors(errors)) }
}

/// Returns the name of an output, which is always UTF-8.
fn name_of(output: &RelPath) -> Option<String> {
    std::str::from_utf8(output.as_bytes()).ok().map(str::to_owned)
}

/// Returns the outputs of earlier generators that the patterns match, sorted.
fn of_outputs(sources: &Sources, outputs: &BTreeSet<RelPath>) -> Result<Vec<InputFile>, Error> {
    let parsed =
        |texts: &[String]| texts.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>, _>>();
    let (patterns, excluded) = (parsed(&sources.outputs)?, parsed(&sources.excluded)?);
    let mut has_matched = vec![false; patterns.len()];
    let mut inputs = Vec::new();
    for path in outputs.iter().filter_map(name_of) {
        let mut base = None;
        for (pattern, has_matched) in patterns.iter().zip(&mut has_matched) {
            if pattern.is_match(&path) {
                *has_matched = true;
                base.get_or_insert(pattern.base.len());
            }
        }
        let is_excluded = excluded.iter().any(|pattern| pattern.is_match(&path));
        inputs.extend(base.filter(|_| !is_excluded).map(|base| InputFile { is_output: true, path, base }));
    }
    // Without any output, the inputs of the earlier generators are optional and missing.
    match patterns.iter().zip(has_matched).find(|(_, has_matched)| !has_matched && !outputs.is_empty()) {
        Some((Pattern { text, .. }, _)) => {
            Err(Error::new(format!("no output of an earlier generator matches `{text}`")))
        }
        None => Ok(inputs),
    }
}

/// Returns the fingerprint of everything that all units depend on. `None` if this program cannot be read; then no unit
/// is skipped.
fn conditions(
    plan: &Plan<'_>,
    place: &PlanContext,
    env: &BTreeSet<String>,
    tools: &[(String, PathBuf)],
    shared: &[String],
) -> Result<Option<Fingerprint>, Error> {
    let Some(program) = place.program else { return Ok(None) };
    let mut hash = Fingerprinter::new();
    hash.field(&SCHEMA.to_le_bytes());
    hash.field(&program.0);
    let of_file = |path: &Path| {
        Fingerprint::of_file(path).map_err(|error| Error::from(error).in_file(path.display().to_string()))
    };
    for (name, path) in tools {
        hash.field(name.as_bytes());
        hash.field(path.as_os_str().as_encoded_bytes());
        hash.field(&of_file(path)?.0);
    }
    hash.field(b"shared");
    for path in shared {
        hash.field(path.as_bytes());
        hash.field(&of_file(&place.root.join(path))?.0);
    }
    hash.field(b"keys");
    plan.keys.iter().for_each(|key| hash.field(key));
    hash.field(b"env");
    for (name, value) in place.env.iter() {
        if is_set_by_cargo(name) || name.to_str().is_some_and(|name| env.contains(name)) {
            hash.field(name.as_encoded_bytes());
            hash.field(value.as_encoded_bytes());
        }
    }
    // An unset variable differs from an empty one.
    hash.field(b"\0unset");
    for name in env.iter().filter(|name| place.env.get(name).is_none()) {
        hash.field(name.as_bytes());
    }
    Ok(Some(hash.finish()))
}

/// Returns whether cargo describes the build with this variable. Cargo runs the script again when it changes.
fn is_set_by_cargo(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    const NAMES: [&str; 7] =
        ["TARGET", "HOST", "PROFILE", "OPT_LEVEL", "DEBUG", "RUSTC", "CARGO_ENCODED_RUSTFLAGS"];
    const PREFIXES: [&str; 4] = ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "DEP_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
