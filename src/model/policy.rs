//! Order, batch, seed and time caps: what decides how a graph is run, never what it finds.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::digest::{ContentHash, Sink};

/// How the tasks of a graph are ordered. Every order ends with: shuffle key (0 for seed 0), path, hash, index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By nothing else.
    #[default]
    Deterministic,
    /// Packages after the members that they depend on.
    Topo,
    /// Required tools before optional ones.
    RequiredFirst,
    /// What is most likely to fail first.
    RiskFirst,
}

impl Order {
    const ALL: [Self; 4] = [Self::Deterministic, Self::Topo, Self::RequiredFirst, Self::RiskFirst];

    fn as_str(self) -> &'static str {
        match self {
            Self::Deterministic => "deterministic",
            Self::Topo => "topo",
            Self::RequiredFirst => "required-first",
            Self::RiskFirst => "risk-first",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the ordered tasks are cut into batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batch {
    /// By each tool's caps, at boundaries that an added file moves as little as possible.
    #[default]
    Auto,
    /// By count: at most so many tasks in a batch.
    Count(NonZeroU32),
    /// One batch a tool: never two steps of it at once.
    ByTool,
    /// One batch a package, with a step for each tool.
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

/// A policy value that could not be read; the message names the choices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub String);

impl std::str::FromStr for Order {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::ALL.into_iter().find(|order| order.as_str() == text).ok_or_else(|| {
            PolicyError(format!(
                "unknown order `{text}`; choose `deterministic`, `topo`, `required-first` or `risk-first`"
            ))
        })
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
                    "unknown batch policy `{text}`; choose `auto`, `by-tool`, `by-path` or a number of tasks from 1 up"
                ))
            }),
        }
    }
}

/// The policy of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How tasks are ordered.
    pub order: Order,
    /// How they are cut into batches.
    pub batch: Batch,
    /// Shuffles the order; 0 does not.
    pub seed: u64,
    /// The time that one task may take.
    pub per_task_timeout: Option<Duration>,
    /// The time that the whole run may take.
    pub max_duration: Option<Duration>,
    /// What becomes of blind spots.
    pub blind_spots: BlindSpots,
}

/// What becomes of what no tool of a run looks at. Decides no id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlindSpots {
    /// Reports list them.
    #[default]
    Report,
    /// Each is a finding as well.
    Deny,
    /// Nobody looks for them.
    Ignore,
}

impl BlindSpots {
    const ALL: [Self; 3] = [Self::Report, Self::Deny, Self::Ignore];
}

impl fmt::Display for BlindSpots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "report",
            Self::Deny => "deny",
            Self::Ignore => "ignore",
        })
    }
}

impl std::str::FromStr for BlindSpots {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::ALL.into_iter().find(|one| one.to_string() == text).ok_or_else(|| {
            PolicyError(format!(
                "unknown value `{text}` for blind spots; choose `report`, `deny` or `ignore`"
            ))
        })
    }
}

/// How many processes run at once. No part of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parallel {
    /// As many as this machine has cores for us.
    #[default]
    Auto,
    /// At most so many, up to [`Parallel::MOST`].
    Count(NonZeroU32),
}

impl Parallel {
    /// More than any machine has cores, and fewer than a pipe holds tokens.
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
                    "`{text}` is no number of processes; choose `auto` or a number from 1 to {}",
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

/// Where cargo builds during a run. No part of the plan, and nothing that is found depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuildDir {
    /// [`One`](Self::One) or [`Lanes`](Self::Lanes), by how many processes may run at once.
    #[default]
    Auto,
    /// In one directory of our own: one cargo at a time.
    One,
    /// In one directory for each of cargo's lanes.
    Lanes,
    /// In the user's own target directory.
    Shared,
}

impl BuildDir {
    const ALL: [Self; 4] = [Self::Auto, Self::One, Self::Lanes, Self::Shared];
}

impl fmt::Display for BuildDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::One => "one",
            Self::Lanes => "lanes",
            Self::Shared => "shared",
        })
    }
}

impl std::str::FromStr for BuildDir {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::ALL.into_iter().find(|dir| dir.to_string() == text).ok_or_else(|| {
            PolicyError(format!("`{text}` is no build directory; choose `auto`, `one`, `lanes` or `shared`"))
        })
    }
}

/// What of the workspace a run looks at, in cargo's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The selected packages by name, sorted; empty means all of them.
    pub packages: Vec<String>,
    /// Packages left out, sorted.
    pub exclude: Vec<String>,
    /// Features, sorted.
    pub features: Vec<String>,
    /// `--all-features`.
    pub all_features: bool,
    /// `--no-default-features`.
    pub no_default_features: bool,
    /// `--target`.
    pub target: Option<String>,
    /// `--cargo-profile`, cargo's `--profile`.
    pub cargo_profile: Option<String>,
    /// Only these tools, sorted; empty means all of them.
    pub tools: Vec<String>,
    /// Not these tools, sorted.
    pub skip_tools: Vec<String>,
    /// Only what changed since this commit, and what depends on it.
    pub since: Option<String>,
}

impl Selection {
    /// Whether cargo builds for both in the same way, whatever the packages and tools.
    pub fn builds_like(&self, other: &Self) -> bool {
        self.build_flags() == other.build_flags()
    }

    /// Cargo's flags for features, target and profile; empty for the default build.
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

/// The part that reaches the command line of cargo's own tools. Which packages are meant is fed by the graph,
/// as the list that it resolves to.
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
    fn what_is_written_can_be_read_again() {
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
    fn bad_values_name_the_choices() {
        assert!("x".parse::<Order>().unwrap_err().0.contains("choose `deterministic`"));
        assert!("target".parse::<BuildDir>().unwrap_err().0.contains("choose `auto`, `one`"));
        assert!("0".parse::<Batch>().unwrap_err().0.contains("from 1 up"));
        for count in ["0", "1025", "99999999999999"] {
            assert!(count.parse::<Parallel>().unwrap_err().0.contains("from 1 to 1024"), "{count}");
        }
        assert_eq!("1024".parse::<Parallel>().unwrap().to_string(), "1024");
        assert_eq!("7".parse::<Batch>().unwrap().to_string(), "7");
    }
}
