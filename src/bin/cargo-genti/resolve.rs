//! Interprets the command line and the environment. Flags take precedence over variables, and all mistakes are reported.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use genti::model::policy::{PolicyError, Selection};
use genti::model::remote::{RemoteConfig, RemoteUse};
use genti::pipeline::{self, Later, Lockfile, Project, Request};
use genti::plan::config::{self, Key, Origin, PolicyConfig};
use genti::scan::Env;
use genti::store;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::args::{PolicyArgs, SelectionArgs, ShardArgs, WorkspaceArgs};
use crate::exit::{CliError, CliResult};
use crate::render::{Shell, visible_line};
use crate::usage;

/// A mistake in a flag or an environment variable.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {error}")]
struct ArgError {
    place: String,
    error: PolicyError,
}

/// Returns a request for the workspace, without selection and policy.
pub(crate) fn workspace(args: &WorkspaceArgs, lockfile: Lockfile) -> Request {
    // A command that must not write must not update Cargo.lock either.
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

/// Adds the shard of `args` to `request`.
pub(crate) fn shard(args: &ShardArgs, request: &mut Request, shell: &mut Shell) -> CliResult {
    request.shard = args.shard;
    let Some(path) = &args.balance else { return Ok(()) };
    let read = store::load_durations(path).map_err(|error| error.to_string());
    let read = read.and_then(|bytes| {
        pipeline::durations(&bytes).map_err(|error| format!("{}: {error}", path.display()))
    });
    let durations =
        read.map_err(|error| usage(shell, format_args!("--balance: {}", visible_line(&error))))?;
    if durations.tasks.is_empty() {
        shell.note(format_args!("`{}` has no durations, so --balance has no effect", path.display()));
    }
    request.balance = Some(durations);
    Ok(())
}

/// Returns the policy, with each value from its flag or else from its environment variable.
///
/// Reports all mistakes, and a randomly picked seed, so that it can be used again.
pub(crate) fn policy(args: &PolicyArgs, env: &Env, shell: &mut Shell) -> CliResult<PolicyConfig> {
    let mut read = ArgReader::new(env);
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
        // Only set in the configuration, because a gate must not depend on flags.
        blind_spots: None,
        max_findings: None,
        new_lints: None,
        recheck: None,
        // A flag of the commands that are gates; see `against`.
        against: None,
        origins: BTreeMap::new(),
    };
    policy.origins = std::mem::take(&mut read.origins);
    for (name, meant) in read.misspelt() {
        shell.note(format_args!("unknown variable {name}; did you mean {PREFIX}{meant}?"));
    }
    read.finish(shell)?;
    let given = args.seed.as_deref().map(OsStr::new).or_else(|| env.get("GENTI_SEED"));
    if let (Some(RANDOM), Some(seed)) = (given.and_then(OsStr::to_str), policy.seed) {
        shell.note(format_args!("picked --seed {seed}"));
    }
    Ok(policy)
}

/// Adds the revision to compare with to `policy`, from its flag or else from its variable.
pub(crate) fn against(
    given: Option<&str>,
    policy: &mut PolicyConfig,
    env: &Env,
    shell: &mut Shell,
) -> CliResult {
    let mut read = ArgReader::new(env);
    let revision = |text: &str| match text.is_empty() {
        true => Err(PolicyError("expected a revision such as `origin/main`, or `auto`".to_owned())),
        false => Ok(text.to_owned()),
    };
    policy.against = read.value("--against", given, revision);
    policy.origins.extend(std::mem::take(&mut read.origins));
    read.finish(shell)
}

/// Further variables, which are not part of the policy.
const OTHERS: [&str; 7] = ["AGAINST", "AS_OF", "CACHE_DIR", "NO_CACHE", "REMOTE", "REMOTE_JOBS", "RUNNING"];

/// Variable of `--remote`.
const REMOTE: &str = "GENTI_REMOTE";

/// Returns whether to use the remote store, from the flag or else from its variable.
pub(crate) fn remote(given: Option<&str>, env: &Env, shell: &mut Shell) -> CliResult<RemoteUse> {
    let mut read = ArgReader::new(env);
    let asked = read.value("--remote", given, FromStr::from_str);
    read.finish(shell)?;
    Ok(asked.unwrap_or(RemoteUse::Auto))
}

/// Variable of `--remote-jobs`.
const REMOTE_JOBS: &str = "GENTI_REMOTE_JOBS";

/// Returns the number of processes to run at once on workers, from the flag or else from its variable.
pub(crate) fn remote_jobs(given: Option<&str>, env: &Env, shell: &mut Shell) -> CliResult<usize> {
    let parse = |text: &str| {
        let number = text.parse().ok().filter(|number| *number <= RemoteConfig::MOST_JOBS);
        let expected = format!("expected a number from 0 to {}", RemoteConfig::MOST_JOBS);
        number.ok_or_else(|| PolicyError(format!("invalid number `{text}`, {expected}")))
    };
    let mut read = ArgReader::new(env);
    let asked = read.value("--remote-jobs", given, parse);
    read.finish(shell)?;
    Ok(asked.unwrap_or(RemoteConfig::JOBS))
}

/// Variable that disables the result cache.
const NO_CACHE: &str = "GENTI_NO_CACHE";

/// Variable with the directory of the result cache.
const CACHE_DIR: &str = "GENTI_CACHE_DIR";

/// Returns true if the environment disables the result cache.
pub(crate) fn no_cache(env: &Env) -> bool {
    env.get(NO_CACHE).is_some_and(|value| value != "0" && value != "false")
}

/// Returns the directory of the result cache.
pub(crate) fn cache_dir(target_dir: &Path, env: &Env) -> PathBuf {
    let Some(dir) = env.get(CACHE_DIR) else { return target_dir.join("genti/cache") };
    let dir = std::env::current_dir().unwrap_or_default().join(dir);
    // A directory that the user names may be a symbolic link.
    dir.canonicalize().unwrap_or(dir)
}

/// Returns the current date in UTC, in days since 1970.
pub(crate) fn today() -> u32 {
    u32::try_from(Timestamp::now().as_second() / (24 * 60 * 60)).unwrap_or_default()
}

/// Returns the date by which suppressions expire: from the flag, its variable, `SOURCE_DATE_EPOCH`, or else the
/// current date in UTC.
pub(crate) fn as_of(given: Option<&str>, env: &Env, shell: &mut Shell) -> CliResult<Date> {
    let mut read = ArgReader::new(env);
    let date = read.value("--as-of", given, config::date);
    let now = match env.get(EPOCH).filter(|_| date.is_none()) {
        Some(seconds) => epoch(&seconds.to_string_lossy())
            .map_err(|error| read.errors.push(ArgError { place: EPOCH.to_owned(), error }))
            .unwrap_or_default(),
        None => Timestamp::now(),
    };
    read.finish(shell)?;
    Ok(date.unwrap_or_else(|| now.to_zoned(TimeZone::UTC).date()))
}

/// Returns the settings that have no key in the configuration.
pub(crate) fn others(target_dir: &Path, env: &Env, shell: &mut Shell) -> CliResult<Vec<Key>> {
    let date = as_of(None, env, shell)?;
    let remote = remote(None, env, shell)?;
    let jobs = u64::try_from(remote_jobs(None, env, shell)?).unwrap_or(u64::MAX);
    let origin = |names: &[&str]| match names.iter().find(|name| env.get(name).is_some()) {
        Some(name) => Origin::Variable((*name).to_owned()),
        None => Origin::Default,
    };
    let key = |name, value: Value, names: &[&str]| Key { name, value: Some(value), origin: origin(names) };
    Ok(vec![
        key("as-of", date.to_string().into(), &[AS_OF, EPOCH]),
        key("no-cache", no_cache(env).into(), &[NO_CACHE]),
        key("remote", remote.as_str().into(), &[REMOTE]),
        key("remote-jobs", jobs.into(), &[REMOTE_JOBS]),
        key("cache-dir", cache_dir(target_dir, env).display().to_string().into(), &[CACHE_DIR]),
    ])
}

/// Prevents expired suppressions from applying to a gate because of an earlier date, with a warning.
pub(crate) fn as_of_gate(project: &mut Project, shell: &mut Shell) {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    if let Some(Later { asked, counts, is_commit }) = project.expire_no_earlier(today) {
        let which = if is_commit { "the date of the commit" } else { "today" };
        shell.warning(format_args!(
            "using {counts} ({which}) to check for expired suppressions, because the requested date {asked} (--as-of, GENTI_AS_OF or \
             SOURCE_DATE_EPOCH) is earlier"
        ));
    }
}

/// Variable of `--as-of`.
const AS_OF: &str = "GENTI_AS_OF";

/// Environment variable with the time for reproducible builds.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Parses its value.
fn epoch(text: &str) -> Result<Timestamp, PolicyError> {
    let time = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.ok_or_else(|| PolicyError(format!("invalid number of seconds since 1970: `{text}`")))
}

/// Prefix of environment variables.
const PREFIX: &str = "GENTI_";

/// Value of `--seed` that picks a random seed.
const RANDOM: &str = "random";

/// Returns the selection with these names of tests as `filters`, with each list sorted and without duplicates.
pub(crate) fn selection(args: &SelectionArgs, filters: &[String]) -> Selection {
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
        variants: sorted(args.variants.iter().cloned()),
        since: args.since.clone(),
        filters: sorted(filters.iter().cloned()),
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

struct ArgReader<'a> {
    env: &'a Env,
    /// Names of known variables.
    known: Vec<String>,
    /// Origin of each value, by the name of the flag.
    origins: BTreeMap<&'static str, Origin>,
    errors: Vec<ArgError>,
}

impl<'a> ArgReader<'a> {
    fn new(env: &'a Env) -> Self {
        Self { env, known: Vec::new(), origins: BTreeMap::new(), errors: Vec::new() }
    }

    /// Reports all mistakes. They are an error of usage.
    fn finish(self, shell: &mut Shell) -> CliResult {
        if self.errors.is_empty() {
            return Ok(());
        }
        self.errors.into_iter().for_each(|error| shell.error(error));
        Err(CliError::Usage)
    }

    fn value<T>(
        &mut self,
        flag: &'static str,
        given: Option<&str>,
        parse: impl Fn(&str) -> Result<T, PolicyError>,
    ) -> Option<T> {
        let name = format!("{PREFIX}{}", flag.trim_start_matches('-').replace('-', "_").to_uppercase());
        self.known.push(name.clone());
        let (origin, text) = match given {
            Some(text) => (Origin::Flag(flag), text.to_owned()),
            None => {
                let text = self.env.get(&name)?.to_string_lossy().into_owned();
                (Origin::Variable(name), text)
            }
        };
        let place = origin.to_string();
        self.origins.insert(flag.trim_start_matches('-'), origin);
        parse(&text).map_err(|error| self.errors.push(ArgError { place, error })).ok()
    }

    /// Returns unknown variables with the known one that was probably meant. Variables without a similar name may
    /// belong to other programs.
    fn misspelt(&self) -> impl Iterator<Item = (&str, &str)> {
        let unknown = self.env.names(PREFIX).filter(|name| !self.known.iter().any(|known| known == name));
        // The common prefix would make all names similar.
        let suffixes = || self.known.iter().map(|known| &known[PREFIX.len()..]);
        unknown.filter_map(move |name| Some((name, config::closest(&name[PREFIX.len()..], suffixes())?)))
    }
}

/// Parses a seed: a number, or `random`.
fn seed(text: &str) -> Result<u64, PolicyError> {
    if text == RANDOM {
        // Hash maps of the standard library have random keys, which is enough here. Six digits are easy to type.
        return Ok(1 + RandomState::new().hash_one(()) % 999_999);
    }
    let bad =
        || PolicyError(format!("invalid seed `{text}`, expected a number (0 keeps path order) or `random`"));
    text.parse().map_err(|_| bad())
}
