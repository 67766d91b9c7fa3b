//! The `[policy]` table, and its overrides in profiles.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::reader::{Reader, Value};
use crate::model::policy::{Batch, BlindSpots, BuildDir, Order, Parallel, PolicyError};

/// A partial policy, as configured. Flags override it, and defaults complete it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyConfig {
    /// Order of the tasks.
    pub order: Option<Order>,
    /// Batch policy.
    pub batch: Option<Batch>,
    /// Seed that shuffles the order.
    pub seed: Option<u64>,
    /// Number of processes to run in parallel.
    pub parallel: Option<Parallel>,
    /// Build directory of cargo.
    pub build_dir: Option<BuildDir>,
    /// Time limit of each task.
    pub per_task_timeout: Option<Duration>,
    /// Time limit of the whole run.
    pub max_duration: Option<Duration>,
    /// Treatment of blind spots.
    pub blind_spots: Option<BlindSpots>,
    /// Maximum number of new findings per tool that are kept.
    pub max_findings: Option<NonZeroU32>,
    /// Origin of each value, by key: a flag, an environment variable, or `file:line`. Only shown to users.
    pub origins: BTreeMap<&'static str, String>,
}

/// The keys of a policy.
const KEYS: [&str; 9] = [
    "order",
    "batch",
    "seed",
    "parallel",
    "build-dir",
    "per-task-timeout",
    "max-duration",
    "blind-spots",
    "max-findings",
];

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
pub(super) fn read(reader: &mut Reader<'_>, value: &Value<'_>, base: PolicyConfig) -> PolicyConfig {
    let Some(table) = reader.table(value) else { return base };
    let mut origins = base.origins;
    for (key, value) in KEYS.into_iter().filter_map(|key| Some((key, table.get(key)?))) {
        let (file, line) = reader.place(value);
        origins.insert(key, format!("{file}:{line}"));
    }
    let mut keys = reader.keys(table);
    let policy = PolicyConfig {
        order: keys.read("order", Reader::parsed).or(base.order),
        batch: keys.read("batch", Reader::word_or_number).or(base.batch),
        seed: keys.read("seed", |reader, value| reader.integer(value, 0..=u64::MAX)).or(base.seed),
        parallel: keys.read("parallel", Reader::word_or_number).or(base.parallel),
        build_dir: keys.read("build-dir", Reader::parsed).or(base.build_dir),
        per_task_timeout: keys.read("per-task-timeout", time_cap).or(base.per_task_timeout),
        max_duration: keys.read("max-duration", time_cap).or(base.max_duration),
        blind_spots: keys.read("blind-spots", Reader::parsed).or(base.blind_spots),
        max_findings: keys.read("max-findings", count).or(base.max_findings),
        origins,
    };
    keys.finish();
    policy
}

fn count(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<NonZeroU32> {
    let count = reader.integer(value, 1..=u64::from(u32::MAX))?;
    u32::try_from(count).ok().and_then(NonZeroU32::new)
}

fn time_cap(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Duration> {
    let text = reader.string(value)?.into_inner();
    duration(&text).map_err(|error| reader.report(value.span(), error.0)).ok()
}
