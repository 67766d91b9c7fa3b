//! The command line and the environment as they are meant: flags before variables, every mistake named.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use genti::model::outcome::End;
use genti::model::policy::{PolicyError, Selection};
use genti::pipeline::{Later, Lockfile, Project, Request};
use genti::plan::config::{self, PolicyConfig};
use genti::scan::Env;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::args::{PolicyArgs, SelectionArgs, WorkspaceArgs};
use crate::render::Shell;

/// A mistake on the command line or in a variable: where it is, and what.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {error}")]
struct ArgError {
    place: String,
    error: PolicyError,
}

/// What of the workspace is asked for; no selection, no policy.
pub(crate) fn workspace(args: &WorkspaceArgs, lockfile: Lockfile) -> Request {
    // What must not write must not update the lock file either.
    let locked = args.locked || matches!(lockfile, Lockfile::Require | Lockfile::Exist);
    let flags = [("--locked", locked), ("--offline", args.offline), ("--frozen", args.frozen)];
    Request {
        cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        manifest_path: args.manifest_path.clone(),
        config_file: args.config_file.clone(),
        profile: args.profile.clone(),
        cargo_flags: flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| (*flag).to_owned()).collect(),
        lockfile,
        ..Request::default()
    }
}

/// The policy: each value from its flag, else from its variable.
///
/// Every mistake is told; a seed that was left to chance is told too, to be able to use it again.
pub(crate) fn policy(args: &PolicyArgs, env: &Env, shell: &mut Shell) -> Result<PolicyConfig, End> {
    let mut read = Reader::new(env);
    read.known = OTHERS.map(|name| format!("{PREFIX}{name}")).to_vec();
    let mut policy = PolicyConfig {
        order: read.value("--order", args.order.as_deref(), FromStr::from_str),
        batch: read.value("--batch", args.batch.as_deref(), FromStr::from_str),
        seed: read.value("--seed", args.seed.as_deref(), seed),
        per_task_timeout: read.value(
            "--per-task-timeout",
            args.per_task_timeout.as_deref(),
            config::duration,
        ),
        max_duration: read.value("--max-duration", args.max_duration.as_deref(), config::duration),
        parallel: read.value("--parallel", args.parallel.as_deref(), FromStr::from_str),
        build_dir: read.value("--build-dir", args.build_dir.as_deref(), FromStr::from_str),
        // Not for the command line to say: a gate must not depend on it.
        blind_spots: None,
        max_findings: None,
        origins: BTreeMap::new(),
    };
    policy.origins = std::mem::take(&mut read.origins);
    for (name, meant) in read.misspelt() {
        shell.note(format_args!("the variable {name} is not read; did you mean {PREFIX}{meant}?"));
    }
    if !read.errors.is_empty() {
        read.errors.into_iter().for_each(|error| shell.error(error));
        return Err(End::Usage);
    }
    let given = args.seed.as_deref().map(OsStr::new).or_else(|| env.get("GENTI_SEED"));
    if let (Some(RANDOM), Some(seed)) = (given.and_then(OsStr::to_str), policy.seed) {
        shell.note(format_args!("picked --seed {seed}"));
    }
    Ok(policy)
}

/// The variables that hold no policy.
const OTHERS: [&str; 4] = ["AS_OF", "CACHE_DIR", "NO_CACHE", "RUNNING"];

/// Whether the environment says that nothing is to be looked up and kept.
pub(crate) fn no_cache(env: &Env) -> bool {
    env.get("GENTI_NO_CACHE").is_some_and(|value| value != "0" && value != "false")
}

/// Where results are kept.
pub(crate) fn cache_dir(target_dir: &Path, env: &Env) -> PathBuf {
    let Some(dir) = env.get("GENTI_CACHE_DIR") else { return target_dir.join("genti/cache") };
    let dir = std::env::current_dir().unwrap_or_default().join(dir);
    // Whoever names a directory may name a link to it.
    dir.canonicalize().unwrap_or(dir)
}

/// Today, in days since 1970, in UTC.
pub(crate) fn today() -> u32 {
    u32::try_from(Timestamp::now().as_second() / (24 * 60 * 60)).unwrap_or_default()
}

/// The day by which suppressions expire: that of the flag, else of its variable, else of `SOURCE_DATE_EPOCH`, else
/// today, in UTC.
pub(crate) fn as_of(given: Option<&str>, env: &Env, shell: &mut Shell) -> Result<Date, End> {
    let mut read = Reader::new(env);
    let date = read.value("--as-of", given, config::date);
    let now = match env.get(EPOCH).filter(|_| date.is_none()) {
        Some(seconds) => epoch(&seconds.to_string_lossy())
            .map_err(|error| read.errors.push(ArgError { place: EPOCH.to_owned(), error }))
            .unwrap_or_default(),
        None => Timestamp::now(),
    };
    if !read.errors.is_empty() {
        read.errors.into_iter().for_each(|error| shell.error(error));
        return Err(End::Usage);
    }
    Ok(date.unwrap_or_else(|| now.to_zoned(TimeZone::UTC).date()))
}

/// Lets nothing that has expired count for a gate again by a day long past, and says so.
pub(crate) fn as_of_gate(project: &mut Project, shell: &mut Shell) {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    if let Some(Later { asked, counts, is_commit }) = project.expire_no_earlier(today) {
        let which = if is_commit { "the date of the commit" } else { "today" };
        shell.warning(format_args!(
            "suppressions expire as of {counts}, {which}: {asked}, which --as-of, GENTI_AS_OF or SOURCE_DATE_EPOCH says, is earlier"
        ));
    }
}

/// The variable by which reproducible builds tell the time.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Its value.
fn epoch(text: &str) -> Result<Timestamp, PolicyError> {
    let time = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.ok_or_else(|| PolicyError(format!("`{text}` is no number of seconds since 1970")))
}

/// Of variables that hold a policy.
const PREFIX: &str = "GENTI_";

/// The seed that leaves it to chance.
const RANDOM: &str = "random";

/// The selection, each list sorted and without repetitions.
pub(crate) fn selection(args: &SelectionArgs) -> Selection {
    let features =
        args.features.iter().flat_map(|list| list.split([',', ' '])).filter(|name| !name.is_empty());
    Selection {
        packages: sorted(args.packages.iter().cloned()),
        exclude: sorted(args.exclude.iter().cloned()),
        features: sorted(features.map(str::to_owned)),
        all_features: args.all_features,
        no_default_features: args.no_default_features,
        target: args.target.clone(),
        cargo_profile: args.cargo_profile.clone(),
        tools: sorted(args.tools.iter().cloned()),
        skip_tools: sorted(args.skip_tools.iter().cloned()),
        since: args.since.clone(),
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

struct Reader<'a> {
    env: &'a Env,
    /// The variables that there are.
    known: Vec<String>,
    /// Who said what was read, by the flag's name.
    origins: BTreeMap<&'static str, String>,
    errors: Vec<ArgError>,
}

impl<'a> Reader<'a> {
    fn new(env: &'a Env) -> Self {
        Self { env, known: Vec::new(), origins: BTreeMap::new(), errors: Vec::new() }
    }

    fn value<T>(
        &mut self,
        flag: &'static str,
        given: Option<&str>,
        parse: impl Fn(&str) -> Result<T, PolicyError>,
    ) -> Option<T> {
        let name = format!("{PREFIX}{}", flag.trim_start_matches('-').replace('-', "_").to_uppercase());
        self.known.push(name.clone());
        let (place, text) = match given {
            Some(text) => (flag.to_owned(), text.to_owned()),
            None => {
                let text = self.env.get(&name)?.to_string_lossy().into_owned();
                (name, text)
            }
        };
        self.origins.insert(flag.trim_start_matches('-'), place.clone());
        parse(&text).map_err(|error| self.errors.push(ArgError { place, error })).ok()
    }

    /// The variables that are none, each with the one that was most likely meant. What resembles none may be
    /// somebody else's.
    fn misspelt(&self) -> impl Iterator<Item = (&str, &str)> {
        let unknown = self.env.names(PREFIX).filter(|name| !self.known.iter().any(|known| known == name));
        // Without what all have in common, which would make any two alike.
        let suffixes = || self.known.iter().map(|known| &known[PREFIX.len()..]);
        unknown.filter_map(move |name| Some((name, config::closest(&name[PREFIX.len()..], suffixes())?)))
    }
}

/// A number, or one that is picked at random.
fn seed(text: &str) -> Result<u64, PolicyError> {
    if text == RANDOM {
        // Any number will do that differs from one run to the next: the keys of std's hash maps do. Six digits
        // can be typed again.
        return Ok(1 + RandomState::new().hash_one(()) % 999_999);
    }
    let bad = || {
        PolicyError(format!(
            "`{text}` is no seed; choose a number from 0 up (0 keeps path order), or `random`"
        ))
    };
    text.parse().map_err(|_| bad())
}
