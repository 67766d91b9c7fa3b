//! The `[policy]` table, and its overrides in profiles.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::origin::Origin;
use super::reader::{ConfigReader, Value};
use crate::model::policy::{
    Batch, BlindSpots, BuildDir, NewLints, Order, Parallel, Policy, PolicyError, Share,
};

/// Default limit of new findings per tool.
const MOST_FINDINGS: usize = 250_000;

/// Declares [`PolicyConfig`] from one list of its keys: each with its type, its name and the function that reads its value.
macro_rules! keys {
    ($($(#[$doc:meta])* $field:ident: $Type:ty = $key:literal, $read:expr;)*) => {
        /// A partial policy, as configured. Flags override it, and defaults complete it.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct PolicyConfig {
            $($(#[$doc])* pub $field: Option<$Type>,)*
            /// Origin of each value, by key. Only shown to users.
            pub origins: BTreeMap<&'static str, Origin>,
        }

        impl PolicyConfig {
            /// Returns this configuration, with the keys of `base` where this one has none.
            pub fn over(&self, base: &Self) -> Self {
                let mut origins = base.origins.clone();
                origins.extend(self.origins.clone());
                Self { $($field: self.$field.clone().or_else(|| base.$field.clone()),)* origins }
            }
        }

        /// Reads a `[policy]` table.
        fn read_table(reader: &mut ConfigReader<'_>, table: &DeTable<'_>) -> PolicyConfig {
            let mut origins = BTreeMap::new();
            for (key, value) in [$($key),*].into_iter().filter_map(|key| Some((key, table.get(key)?))) {
                let (file, line) = reader.place(value);
                origins.insert(key, Origin::File { file, line });
            }
            let mut keys = reader.keys(table);
            let policy = PolicyConfig { $($field: keys.read($key, $read),)* origins };
            keys.finish_with(&[
                ("jobs", "parallel"),
                ("order-by", "order"),
                ("threads", "parallel"),
                ("time-limit", "per-task-timeout"),
                ("timeout", "per-task-timeout"),
            ]);
            policy
        }
    };
}

keys! {
    /// Order of the tasks.
    order: Order = "order", ConfigReader::parsed;
    /// Batch policy.
    batch: Batch = "batch", ConfigReader::word_or_number;
    /// Seed that shuffles the order.
    seed: u64 = "seed", |reader, value| reader.integer(value, 0..=u64::MAX);
    /// Number of processes to run in parallel.
    parallel: Parallel = "parallel", ConfigReader::word_or_number;
    /// Build directory of cargo.
    build_dir: BuildDir = "build-dir", ConfigReader::parsed;
    /// Time limit of each task.
    per_task_timeout: Duration = "per-task-timeout", time_limit;
    /// Time limit of the whole run.
    max_duration: Duration = "max-duration", time_limit;
    /// Treatment of blind spots.
    blind_spots: BlindSpots = "blind-spots", ConfigReader::parsed;
    /// Maximum number of new findings per tool that are kept.
    max_findings: NonZeroU32 = "max-findings", count;
    /// Revision to compare with.
    against: String = "against", revision;
    /// Treatment of lints that the locked version of their tool does not have.
    new_lints: NewLints = "new-lints", new_lints;
    /// Share of the cached results of sandboxed tools that are checked again.
    recheck: Share = "recheck", ConfigReader::parsed;
}

impl PolicyConfig {
    /// Returns the policy, with defaults for keys that are not set.
    pub fn policy(&self) -> Policy {
        Policy {
            order: self.order.unwrap_or_default(),
            batch: self.batch.unwrap_or_default(),
            seed: self.seed.unwrap_or_default(),
            per_task_timeout: self.per_task_timeout,
            max_duration: self.max_duration,
            blind_spots: self.blind_spots.unwrap_or_default(),
            against: self.against.clone(),
            new_lints: self.new_lints.unwrap_or_default(),
        }
    }

    /// Returns the number of processes to run in parallel.
    pub fn parallel(&self) -> Parallel {
        self.parallel.unwrap_or_default()
    }

    /// Returns the build directory of cargo.
    pub fn build_dir(&self) -> BuildDir {
        self.build_dir.unwrap_or_default()
    }

    /// Returns the maximum number of new findings to keep per tool.
    pub fn max_findings(&self) -> usize {
        self.max_findings.map_or(MOST_FINDINGS, |most| most.get() as usize)
    }

    /// Returns where the value of `key` comes from.
    pub(in crate::plan) fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Returns the value of each key, with defaults for keys that are not set. `None` is no limit.
    pub(super) fn values(&self) -> Vec<(&'static str, Option<serde_json::Value>)> {
        let Policy { order, batch, seed, per_task_timeout, max_duration, blind_spots, against, new_lints } =
            self.policy();
        let word_or_number =
            |text: String| text.parse::<u32>().map_or_else(|_| text.as_str().into(), serde_json::Value::from);
        let time =
            |limit: Option<Duration>| limit.map(|limit| humantime::format_duration(limit).to_string().into());
        vec![
            ("order", Some(order.as_str().into())),
            ("batch", Some(word_or_number(batch.to_string()))),
            ("seed", Some(seed.into())),
            ("parallel", Some(word_or_number(self.parallel().to_string()))),
            ("build-dir", Some(self.build_dir().as_str().into())),
            ("per-task-timeout", time(per_task_timeout)),
            ("max-duration", time(max_duration)),
            ("blind-spots", Some(blind_spots.as_str().into())),
            ("max-findings", Some(self.max_findings().into())),
            ("against", against.map(Into::into)),
            (
                "new-lints",
                Some(match new_lints {
                    NewLints::WarnFor { days } => serde_json::json!({ WARN_FOR: format!("{days}d") }),
                    word => word.to_string().into(),
                }),
            ),
            ("recheck", self.recheck.map(|share| share.to_string().into())),
        ]
    }
}

/// Parses a time limit such as `90s`, `20m` or `1h 30m`. Shared by the configuration, the command line and
/// the environment, so that they have one syntax.
pub fn duration(text: &str) -> Result<Duration, PolicyError> {
    /// Far longer than any run, and small enough that sums and products never overflow.
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(duration),
        Ok(_) => Err(PolicyError(format!("duration `{text}` is out of range, expected 1ns to 366 days"))),
        Err(error) => {
            let why = match &error {
                humantime::DurationError::UnknownUnit { unit, .. } if unit.is_empty() => {
                    ": the unit is missing".to_owned()
                }
                humantime::DurationError::UnknownUnit { unit, .. } => format!(": unknown unit `{unit}`"),
                humantime::DurationError::NumberOverflow => ": the number is too large".to_owned(),
                _ => String::new(),
            };
            Err(PolicyError(format!("invalid duration `{text}`, expected one such as `90s` or `20m`{why}")))
        }
    }
}

/// Reads a `[policy]` table over `base`.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>, base: PolicyConfig) -> PolicyConfig {
    match reader.table(value) {
        Some(table) => read_table(reader, table).over(&base),
        None => base,
    }
}

fn revision(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<String> {
    let text = reader.string(value)?.into_inner();
    if text.is_empty() {
        reader.report(value.span(), "expected a revision such as `origin/main`, or `auto`".to_owned());
        return None;
    }
    Some(text)
}

/// Key of the table that gives new lints some time.
const WARN_FOR: &str = "warn-for";

fn new_lints(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<NewLints> {
    let DeValue::Table(table) = value.get_ref() else { return reader.parsed(value) };
    let mut keys = reader.keys(table);
    let days = keys.read(WARN_FOR, days);
    keys.finish();
    if table.is_empty() {
        reader.report(value.span(), "missing key `warn-for`, such as `{ warn-for = \"30d\" }`");
    }
    days.map(|days| NewLints::WarnFor { days })
}

/// Reads a whole number of days.
fn days(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<u16> {
    const DAY: u64 = 24 * 60 * 60;
    let time = time_limit(reader, value)?;
    let days = u16::try_from(time.as_secs() / DAY).ok();
    let whole = days.filter(|days| Duration::from_secs(u64::from(*days) * DAY) == time);
    if whole.is_none() {
        reader.report(value.span(), "expected a whole number of days, such as `30d`");
    }
    whole
}

fn count(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<NonZeroU32> {
    let count = reader.integer(value, 1..=u64::from(u32::MAX))?;
    u32::try_from(count).ok().and_then(NonZeroU32::new)
}

pub(super) fn time_limit(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Duration> {
    if let DeValue::Integer(seconds) = value.get_ref() {
        let help = format!("write `\"{seconds}s\"` for seconds, or `\"{seconds}m\"` for minutes");
        reader.wrong_type_with(value, "a duration with a unit", Some(help));
        return None;
    }
    let text = reader.string(value)?.into_inner();
    duration(&text).map_err(|error| reader.report(value.span(), error.0)).ok()
}
