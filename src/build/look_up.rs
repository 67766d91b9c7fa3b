//! Determines everything needed before units run: the directories, the inputs, the units, and the shared dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::error::{Error, Errors};
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::manifest::SCHEMA;
use super::record::look;
use super::{Kind, Plan, batch, checked_in, walk};
use crate::model::path::RelPath;

/// Directories and environment of a plan.
pub(super) struct Place {
    /// Package directory.
    pub(super) root: PathBuf,
    /// `OUT_DIR`.
    pub(super) out: PathBuf,
    pub(super) env: BTreeMap<OsString, OsString>,
    /// Fingerprint of the running program. If it cannot be read, nothing counts as unchanged.
    pub(super) program: Option<Fingerprint>,
}

impl Place {
    /// Reads the environment that cargo sets for a build script.
    #[expect(clippy::disallowed_methods, reason = "build scripts get their input from the environment")]
    pub(super) fn from_env() -> Result<Self, Error> {
        let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let path = |name: &str| env.get(OsStr::new(name)).map(PathBuf::from);
        let out = path("OUT_DIR")
            .ok_or_else(|| Error::new("OUT_DIR is not set; a plan must run in a build script"))?;
        let root = match path("CARGO_MANIFEST_DIR") {
            Some(root) => root,
            None => std::env::current_dir()?,
        };
        let program = std::env::current_exe().ok().and_then(|path| look(&path));
        Ok(Self { root, out, env, program })
    }
}

/// Call of a generator.
pub(super) struct Unit<'a> {
    pub(super) kind: &'a Kind<'a>,
    /// Input paths, each with the length of its pattern's fixed part.
    pub(super) inputs: Vec<(String, usize)>,
    /// Name of its record.
    pub(super) name: String,
}

impl Unit<'_> {
    /// Returns a description for messages.
    pub(super) fn shown(&self) -> String {
        match &self.inputs[..] {
            [] => "nothing".to_owned(),
            [(path, _)] => path.clone(),
            [(path, _), rest @ ..] => format!("{path} and {} more", rest.len()),
        }
    }
}

/// Result of the lookup.
pub(super) struct Found<'a> {
    pub(super) units: Vec<Unit<'a>>,
    pub(super) tools: BTreeMap<String, PathBuf>,
    pub(super) shared: Vec<String>,
    /// Files and directories that cargo should watch.
    pub(super) watched: BTreeSet<String>,
    pub(super) env: BTreeSet<String>,
    pub(super) conditions: Option<Fingerprint>,
    /// Missing optional tool, with the error of the search. The checked-in files are used instead.
    pub(super) missing: Option<(String, Error)>,
}

/// Finds inputs and tools. Reports all mistakes, not just the first one.
pub(super) fn look_up<'a>(plan: &'a Plan<'a>, place: &Place) -> Result<Found<'a>, Errors> {
    let mut errors = Vec::new();
    let mut watched = BTreeSet::new();
    let mut env = plan.env.clone();
    let mut tools = BTreeMap::new();
    let mut missing = None;
    for tool in &plan.tools {
        env.extend(tool.env.clone());
        match tool.locate(&place.root, &place.env) {
            Ok(path) => drop(tools.insert(tool.name.clone(), path)),
            Err(error) if tool.is_optional && !checked_in::is_accepted(&place.env) => {
                missing.get_or_insert((tool.name.clone(), error));
            }
            Err(error) => errors.push(error),
        }
    }
    for name in env.iter().filter(|name| name.is_empty() || name.contains(['=', '\0', '\n', '\r'])) {
        errors.push(Error::new(format!("invalid name of an environment variable: {name:?}")));
    }
    let mut find = |patterns: &[String]| match walk::find(&place.root, &place.out, patterns) {
        Ok(mut found) => {
            watched.append(&mut found.dirs);
            watched.extend(found.files.values().map(|(path, _)| path.clone()));
            found.files.into_values().collect::<Vec<_>>()
        }
        Err(error) => {
            errors.push(error);
            Vec::new()
        }
    };
    let shared: Vec<String> = find(&plan.shared).into_iter().map(|(path, _)| path).collect();
    let mut units = Vec::new();
    for (number, group) in plan.groups.iter().enumerate() {
        let files = find(&group.patterns);
        let paths: Vec<RelPath> = files.iter().map(|(path, _)| RelPath::new(path)).collect();
        for range in batch::cut(&paths, group.kind.cap()) {
            let inputs = files[range].to_vec();
            let mut hash = Fingerprinter::new();
            hash.field(&number.to_le_bytes());
            inputs.iter().for_each(|(path, _)| hash.field(path.as_bytes()));
            let name = hash.finish().0.iter().map(|byte| format!("{byte:02x}")).collect();
            units.push(Unit { kind: &group.kind, inputs, name });
        }
    }
    errors.extend(plan.mistakes());
    let conditions = match conditions(plan, place, &env, &tools, &shared) {
        Ok(conditions) => conditions,
        Err(error) => {
            errors.push(error);
            None
        }
    };
    for path in tools.values().filter_map(|path| path.to_str()) {
        // Cargo checks its modification time. A path that cargo cannot watch still counts for the conditions.
        if walk::check_name(path).is_ok() {
            watched.insert(path.to_owned());
        }
    }
    if errors.is_empty() {
        Ok(Found { units, tools, shared, watched, env, conditions, missing })
    } else {
        Err(Errors(errors))
    }
}

/// Returns the fingerprint of everything that all units depend on. `None` if this program cannot be read; then no unit
/// is skipped.
fn conditions(
    plan: &Plan<'_>,
    place: &Place,
    env: &BTreeSet<String>,
    tools: &BTreeMap<String, PathBuf>,
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
    let set_by_cargo = place.env.keys().filter(|name| is_set_by_cargo(name)).map(OsString::as_os_str);
    let names: BTreeSet<&OsStr> = env.iter().map(OsStr::new).chain(set_by_cargo).collect();
    for name in names {
        hash.field(name.as_encoded_bytes());
        // An unset variable differs from an empty one.
        match place.env.get(name) {
            Some(value) => hash.field(value.as_encoded_bytes()),
            None => hash.field(b"\0unset"),
        }
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
