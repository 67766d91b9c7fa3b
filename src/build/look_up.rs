//! What is settled before anything runs: where the plan runs, what it reads, which units there are, and what all of them
//! depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::error::{Error, Errors};
use super::fingerprint::{Fingerprint, Fingerprinter};
use super::manifest::SCHEMA;
use super::record::look;
use super::{Kind, Plan, batch, checked_in, walk};
use crate::model::path::RelPath;

/// Where a plan runs.
pub(super) struct Place {
    /// The package's directory.
    pub(super) root: PathBuf,
    /// `OUT_DIR`.
    pub(super) out: PathBuf,
    pub(super) env: BTreeMap<OsString, OsString>,
    /// The running program. If that can't be read, nothing is known to be unchanged.
    pub(super) program: Option<Fingerprint>,
}

impl Place {
    /// What cargo tells a build script.
    #[expect(clippy::disallowed_methods, reason = "build scripts are told by the environment")]
    pub(super) fn from_env() -> Result<Self, Error> {
        let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let path = |name: &str| env.get(OsStr::new(name)).map(PathBuf::from);
        let out =
            path("OUT_DIR").ok_or_else(|| Error::new("OUT_DIR is not set: a plan runs in a build script"))?;
        let root = match path("CARGO_MANIFEST_DIR") {
            Some(root) => root,
            None => std::env::current_dir()?,
        };
        let program = std::env::current_exe().ok().and_then(|path| look(&path));
        Ok(Self { root, out, env, program })
    }
}

/// One call of a generator.
pub(super) struct Unit<'a> {
    pub(super) kind: &'a Kind<'a>,
    /// The paths of its inputs, each with the length of its pattern's fixed part.
    pub(super) inputs: Vec<(String, usize)>,
    /// What its record is called.
    pub(super) name: String,
}

impl Unit<'_> {
    /// For people.
    pub(super) fn shown(&self) -> String {
        match &self.inputs[..] {
            [] => "nothing".to_owned(),
            [(path, _)] => path.clone(),
            [(path, _), rest @ ..] => format!("{path} and {} more", rest.len()),
        }
    }
}

/// What is looked up before anything runs.
pub(super) struct Found<'a> {
    pub(super) units: Vec<Unit<'a>>,
    pub(super) tools: BTreeMap<String, PathBuf>,
    pub(super) shared: Vec<String>,
    /// What cargo should watch.
    pub(super) watched: BTreeSet<String>,
    pub(super) env: BTreeSet<String>,
    pub(super) conditions: Option<Fingerprint>,
    /// A tool for want of which nothing can be generated, where the files that are checked in do instead; and where it was
    /// looked for.
    pub(super) missing: Option<(String, Error)>,
}

/// Finds inputs and tools. Every mistake is told, not the first.
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
        errors.push(Error::new(format!("{name:?} can't be the name of a variable")));
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
        // Cargo looks at its time of change; a path that it can't be told of is still a part of the conditions.
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

/// All that every unit depends on, in one fingerprint. `None` if this program can't be read: then nothing is skipped.
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
    let told = place.env.keys().filter(|name| is_told_by_cargo(name)).map(OsString::as_os_str);
    let names: BTreeSet<&OsStr> = env.iter().map(OsStr::new).chain(told).collect();
    for name in names {
        hash.field(name.as_encoded_bytes());
        // A variable that is not set is another than one that is empty.
        match place.env.get(name) {
            Some(value) => hash.field(value.as_encoded_bytes()),
            None => hash.field(b"\0unset"),
        }
    }
    Ok(Some(hash.finish()))
}

/// The variables with which cargo describes what is built. Cargo runs the script again when they change.
fn is_told_by_cargo(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    const NAMES: [&str; 7] =
        ["TARGET", "HOST", "PROFILE", "OPT_LEVEL", "DEBUG", "RUSTC", "CARGO_ENCODED_RUSTFLAGS"];
    const PREFIXES: [&str; 4] = ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "DEP_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
