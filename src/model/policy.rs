//! Policy and selection. The policy (order, batch, seed, time limits) affects how a graph is run, but never
//! the findings.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::digest::{ContentHash, Digest, Sink};
use super::named::named;

named! {
    /// Order of the tasks of a graph. Ties are broken by shuffle key (0 for seed 0), path, hash and index.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Order {
        /// No further criterion.
        #[default]
        Deterministic = "deterministic",
        /// Packages after the members they depend on.
        Topo = "topo",
        /// Required tools before optional ones.
        RequiredFirst = "required-first",
        /// Tasks with the highest risk first.
        RiskFirst = "risk-first",
    }
}

/// Policy that cuts the ordered tasks into batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batch {
    /// By the caps of each tool, at boundaries that move as little as possible when a file is added.
    #[default]
    Auto,
    /// At most this number of tasks per batch.
    Count(NonZeroU32),
    /// One batch per tool, so its steps never run in parallel.
    ByTool,
    /// One batch per package, with a step per tool.
    ByPath,
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => write!(f, "{count}"),
            Self::ByTool => f.write_str("by-tool"),
            Self::ByPath => f.write_str("by-path"),
        }
    }
}

/// An invalid policy value. The message lists the choices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub String);

/// Returns the one of `all` that is called `text`.
fn one_of<T: Copy + fmt::Display>(all: &[T], text: &str, unknown: &str) -> Result<T, PolicyError> {
    let found = all.iter().copied().find(|value| value.to_string() == text);
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|value| format!("`{value}`")).collect();
        let (others, last) = names.split_at(names.len().saturating_sub(1));
        PolicyError(format!("{unknown}, expected {} or {}", others.join(", "), last.concat()))
    })
}

impl std::str::FromStr for Order {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        one_of(&Self::ALL, text, &format!("unknown order `{text}`"))
    }
}

impl std::str::FromStr for Batch {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "auto" => Ok(Self::Auto),
            "by-tool" => Ok(Self::ByTool),
            "by-path" => Ok(Self::ByPath),
            _ => text.parse().map(Self::Count).map_err(|_| {
                PolicyError(format!(
                    "unknown batch policy `{text}`, expected `auto`, `by-tool`, `by-path` or a number of tasks (at least 1)"
                ))
            }),
        }
    }
}

/// The policy of a run: the keys that are part of the plan and that a run can't change without drift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Order of the tasks.
    pub order: Order,
    /// Batch policy.
    pub batch: Batch,
    /// Seed that shuffles the order, or 0 for no shuffling.
    pub seed: u64,
    /// Time limit of each task.
    pub per_task_timeout: Option<Duration>,
    /// Time limit of the whole run.
    pub max_duration: Option<Duration>,
    /// Treatment of blind spots.
    pub blind_spots: BlindSpots,
    /// Revision to compare with, or `auto`: only findings that the change since then caused fail.
    pub against: Option<String>,
    /// Treatment of findings of lints that the locked version of their tool does not have.
    pub new_lints: NewLints,
}

impl Policy {
    /// Returns the values by key, as texts to compare and to show.
    pub fn settings(&self) -> [(&'static str, String); 8] {
        let Self { order, batch, seed, per_task_timeout, max_duration, blind_spots, against, new_lints } =
            self;
        [
            ("order", order.to_string()),
            ("batch", batch.to_string()),
            ("seed", seed.to_string()),
            ("per-task-timeout", time_limit(*per_task_timeout)),
            ("max-duration", time_limit(*max_duration)),
            ("blind-spots", blind_spots.to_string()),
            ("against", against.clone().unwrap_or_else(|| "none".to_owned())),
            ("new-lints", new_lints.to_string()),
        ]
    }
}

fn time_limit(limit: Option<Duration>) -> String {
    limit.map_or("none".to_owned(), |limit| humantime::format_duration(limit).to_string())
}

named! {
    /// Treatment of blind spots. Affects no id.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum BlindSpots {
        /// List them in reports.
        #[default]
        Report = "report",
        /// Also turn each into a finding.
        Deny = "deny",
        /// Don't look for them.
        Ignore = "ignore",
    }
}

impl std::str::FromStr for BlindSpots {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        one_of(&Self::ALL, text, &format!("unknown value `{text}` for blind spots"))
    }
}

/// Treatment of findings of lints that the locked version of their tool does not have. Affects no id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewLints {
    /// They fail like all others.
    #[default]
    Fail,
    /// They don't fail until the tool is locked at its new version.
    Warn,
    /// They don't fail for this long after the release of the tool.
    WarnFor {
        /// Number of days from the commit of the release.
        days: u16,
    },
}

impl fmt::Display for NewLints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => f.write_str("fail"),
            Self::Warn => f.write_str("warn"),
            Self::WarnFor { days } => write!(f, "warn-for {days}d"),
        }
    }
}

impl std::str::FromStr for NewLints {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "fail" => Ok(Self::Fail),
            "warn" => Ok(Self::Warn),
            _ => Err(PolicyError(format!(
                "unknown value `{text}` for new lints, expected `fail`, `warn` or `{{ warn-for = \"30d\" }}`"
            ))),
        }
    }
}

/// A share of all cached results, such as `2%`. Not part of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// Number of steps from nothing to everything.
    const STEPS: u32 = 10_000;

    /// Creates a share of `percent` percent.
    pub const fn percent(percent: u32) -> Self {
        Self(percent * Self::STEPS / 100)
    }

    /// Returns true if it includes the one of all cases that this digest stands for.
    pub fn includes(self, digest: &Digest) -> bool {
        let number = digest.0.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        number % u64::from(Self::STEPS) < u64::from(self.0)
    }
}

impl std::str::FromStr for Share {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let steps = || {
            let (whole, decimals) =
                text.strip_suffix('%').map(|number| number.split_once('.').unwrap_or((number, "0")))?;
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number(whole) || !is_number(decimals) || decimals.len() > 2 {
                return None;
            }
            let steps = whole.parse::<u32>().ok()?.checked_mul(100)?
                + format!("{decimals:0<2}").parse::<u32>().ok()?;
            (steps <= Self::STEPS).then_some(steps)
        };
        steps().map(Self).ok_or_else(|| {
            PolicyError(format!(
                "invalid share `{text}`, expected a percentage from `0%` to `100%` such as `2%` or `0.5%`"
            ))
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, tenths) if tenths % 10 == 0 => write!(f, "{whole}.{}%", tenths / 10),
            (whole, hundredths) => write!(f, "{whole}.{hundredths:02}%"),
        }
    }
}

/// Number of processes to run in parallel. Not part of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parallel {
    /// One per core that is available to us.
    #[default]
    Auto,
    /// At most this number, up to [`Parallel::MOST`].
    Count(NonZeroU32),
}

impl Parallel {
    /// Upper limit: more cores than any machine has, but fewer tokens than a pipe can hold.
    pub const MOST: u32 = 1024;
}

impl std::str::FromStr for Parallel {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => match text.parse::<NonZeroU32>() {
                Ok(count) if count.get() <= Self::MOST => Ok(Self::Count(count)),
                _ => Err(PolicyError(format!(
                    "invalid number of processes `{text}`, expected `auto` or a number from 1 to {}",
                    Self::MOST
                ))),
            },
        }
    }
}

impl fmt::Display for Parallel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

named! {
    /// Build directory of cargo during a run. Not part of the plan, and does not affect findings.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum BuildDir {
        /// [`One`](Self::One) or [`Lanes`](Self::Lanes), depending on the number of parallel processes.
        #[default]
        Auto = "auto",
        /// A single directory, used by one cargo at a time.
        One = "one",
        /// One directory per cargo lane.
        Lanes = "lanes",
        /// The user's own target directory.
        Shared = "shared",
    }
}

impl std::str::FromStr for BuildDir {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        one_of(&Self::ALL, text, &format!("unknown build directory `{text}`"))
    }
}

/// The selected part of the workspace, and the build flags, as in cargo's command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Names of the selected packages, sorted; empty for all.
    pub packages: Vec<String>,
    /// Names of excluded packages, sorted.
    pub exclude: Vec<String>,
    /// Features, sorted.
    pub features: Vec<String>,
    /// Value of `--all-features`.
    pub all_features: bool,
    /// Value of `--no-default-features`.
    pub no_default_features: bool,
    /// Value of `--target`.
    pub target: Option<String>,
    /// Value of `--cargo-profile`, which is cargo's `--profile`.
    pub cargo_profile: Option<String>,
    /// Names of the selected tools, sorted; empty for all.
    pub tools: Vec<String>,
    /// Names of excluded tools, sorted.
    pub skip_tools: Vec<String>,
    /// Names of the selected variants, sorted; empty for all.
    pub variants: Vec<String>,
    /// Revision of `--since`: select only what changed since then, and its dependents.
    pub since: Option<String>,
    /// Parts of names of tests, sorted: run only the tests that match one of them; empty for all tests.
    pub filters: Vec<String>,
}

impl Selection {
    /// Returns true if both have the same build flags. Ignores packages and tools.
    pub fn builds_like(&self, other: &Self) -> bool {
        self.build_flags() == other.build_flags()
    }

    /// Returns cargo's flags for features, target and profile, or an empty text for the default build.
    pub fn build_flags(&self) -> String {
        let mut flags = Vec::new();
        if self.all_features {
            flags.push("--all-features".to_owned());
        }
        if self.no_default_features {
            flags.push("--no-default-features".to_owned());
        }
        if !self.features.is_empty() {
            flags.push(format!("--features {}", self.features.join(",")));
        }
        flags.extend(self.target.as_ref().map(|target| format!("--target {target}")));
        flags.extend(self.cargo_profile.as_ref().map(|profile| format!("--cargo-profile {profile}")));
        flags.join(" ")
    }
}

/// Hashes the part that is passed to cargo's own tools. The graph hashes the packages, as the list that they
/// resolve to.
impl ContentHash for Selection {
    fn feed(&self, sink: &mut dyn Sink) {
        sink.texts("features", &self.features);
        sink.field("all-features", &[u8::from(self.all_features)]);
        sink.field("no-default-features", &[u8::from(self.no_default_features)]);
        sink.field("target", self.target.as_deref().unwrap_or_default().as_bytes());
        sink.field("cargo-profile", self.cargo_profile.as_deref().unwrap_or_default().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displayed_values_can_be_parsed() {
        for order in Order::ALL {
            assert_eq!(order.to_string().parse::<Order>().unwrap(), order);
        }
        for build_dir in BuildDir::ALL {
            assert_eq!(build_dir.to_string().parse::<BuildDir>().unwrap(), build_dir);
        }
        for batch in ["auto", "7", "by-tool", "by-path"] {
            assert_eq!(batch.parse::<Batch>().unwrap().to_string(), batch);
        }
    }

    #[test]
    fn errors_about_values_list_the_choices() {
        assert!("x".parse::<Order>().unwrap_err().0.contains("expected `deterministic`"));
        assert!("target".parse::<BuildDir>().unwrap_err().0.contains("expected `auto`, `one`"));
        assert!("0".parse::<Batch>().unwrap_err().0.contains("at least 1"));
        for count in ["0", "1025", "99999999999999"] {
            assert!(count.parse::<Parallel>().unwrap_err().0.contains("from 1 to 1024"), "{count}");
        }
        assert_eq!("1024".parse::<Parallel>().unwrap().to_string(), "1024");
        assert_eq!("7".parse::<Batch>().unwrap().to_string(), "7");
    }

    #[test]
    fn a_share_is_a_percentage_with_up_to_two_decimals() {
        let all = [
            ("2%", "2%"),
            ("0%", "0%"),
            ("100%", "100%"),
            ("0.5%", "0.5%"),
            ("12.50%", "12.5%"),
            ("0.05%", "0.05%"),
        ];
        for (text, shown) in all {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), shown);
        }
        for text in ["", "%", "2", "-1%", "101%", "100.01%", "1.%", ".5%", "0.001%", "1e1%", "99999999999%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_includes_that_many_of_all_digests() {
        let count = |text: &str| {
            let share: Share = text.parse().unwrap();
            let digests = (0..10_000_u32).map(|number| Digest::of_bytes(&number.to_le_bytes()));
            digests.filter(|digest| share.includes(digest)).count()
        };
        assert_eq!((count("0%"), count("100%")), (0, 10_000));
        assert!((150..250).contains(&count("2%")), "{}", count("2%"));
    }
}
