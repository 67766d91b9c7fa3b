//! The `[policy]` table, and its overrides in profiles.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use toml::de::DeTable;

use super::reader::{ConfigReader, Value};
use crate::model::policy::{Batch, BlindSpots, BuildDir, Order, Parallel, Policy, PolicyError};

/// Declares [`PolicyConfig`] from one list of its keys: each with its type, its name and the function that reads its value.
macro_rules! keys {
    ($($(#[$doc:meta])* $field:ident: $Type:ty = $key:literal, $read:expr;)*) => {
        /// A partial policy, as configured. Flags override it, and defaults complete it.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct PolicyConfig {
            $($(#[$doc])* pub $field: Option<$Type>,)*
            /// Origin of each value, by key: a flag, an environment variable, or `file:line`. Only shown to users.
            pub origins: BTreeMap<&'static str, String>,
        }

        impl PolicyConfig {
            /// Returns this configuration, with the keys of `base` where this one has none.
            pub fn over(&self, base: &Self) -> Self {
                let mut origins = base.origins.clone();
                origins.extend(self.origins.clone());
                Self { $($field: self.$field.or(base.$field),)* origins }
            }
        }

        /// Reads a `[policy]` table.
        fn read_table(reader: &mut ConfigReader<'_>, table: &DeTable<'_>) -> PolicyConfig {
            let mut origins = BTreeMap::new();
            for (key, value) in [$($key),*].into_iter().filter_map(|key| Some((key, table.get(key)?))) {
                let (file, line) = reader.place(value);
                origins.insert(key, format!("{file}:{line}"));
            }
            let mut keys = reader.keys(table);
            let policy = PolicyConfig { $($field: keys.read($key, $read),)* origins };
            keys.finish();
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
        }
    }

    /// Returns where the value of `key` comes from.
    pub(in crate::plan) fn origin(&self, key: &str) -> String {
        self.origins.get(key).map_or("default", |origin| origin).to_owned()
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
        Err(error) => Err(PolicyError(format!(
            "invalid duration `{text}`, expected one such as `90s` or `20m`: {error}"
        ))),
    }
}

/// Reads a `[policy]` table over `base`.
pub(super) fn read(reader: &mut ConfigReader<'_>, value: &Value<'_>, base: PolicyConfig) -> PolicyConfig {
    match reader.table(value) {
        Some(table) => read_table(reader, table).over(&base),
        None => base,
    }
}

fn count(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<NonZeroU32> {
    let count = reader.integer(value, 1..=u64::from(u32::MAX))?;
    u32::try_from(count).ok().and_then(NonZeroU32::new)
}

pub(super) fn time_limit(reader: &mut ConfigReader<'_>, value: &Value<'_>) -> Option<Duration> {
    let text = reader.string(value)?.into_inner();
    duration(&text).map_err(|error| reader.report(value.span(), error.0)).ok()
}
