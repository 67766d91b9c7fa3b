//! Order, batch, seed and time caps: what decides how a graph is run, never what it finds.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::digest::{ContentHash, Sink};

/// How the tasks of a graph are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By shuffle key (0 for seed 0), path, hash, index.
    #[default]
    Deterministic,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deterministic => f.write_str("deterministic"),
        }
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
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => write!(f, "{count}"),
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
        match text {
            "deterministic" => Ok(Self::Deterministic),
            "topo" | "required-first" | "risk-first" => {
                Err(PolicyError(format!("order `{text}` is not available yet; use `deterministic`")))
            }
            _ => Err(PolicyError(format!(
                "unknown order `{text}`; choose `deterministic` (`topo`, `required-first` and `risk-first` are not available yet)"
            ))),
        }
    }
}

impl std::str::FromStr for Batch {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "auto" => Ok(Self::Auto),
            "by-tool" | "by-path" => Err(PolicyError(format!(
                "batch policy `{text}` is not available yet; use `auto` or a number of tasks"
            ))),
            _ => text.parse().map(Self::Count).map_err(|_| {
                PolicyError(format!(
                    "unknown batch policy `{text}`; choose `auto` or a number of tasks from 1 up (`by-tool` and `by-path` are not available yet)"
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
}

impl Selection {
    /// Whether everything is looked at the way it is by default, so that what is no longer found is fixed.
    pub fn is_default_build(&self) -> bool {
        self.features.is_empty()
            && !self.all_features
            && !self.no_default_features
            && self.target.is_none()
            && self.cargo_profile.is_none()
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
    fn what_is_not_available_yet_says_so() {
        for order in ["topo", "required-first", "risk-first"] {
            assert!(order.parse::<Order>().unwrap_err().0.contains("not available yet"));
        }
        for batch in ["by-tool", "by-path"] {
            assert!(batch.parse::<Batch>().unwrap_err().0.contains("not available yet"));
        }
    }

    #[test]
    fn bad_values_name_the_choices() {
        assert!("x".parse::<Order>().unwrap_err().0.contains("choose `deterministic`"));
        assert!("0".parse::<Batch>().unwrap_err().0.contains("from 1 up"));
        for count in ["0", "1025", "99999999999999"] {
            assert!(count.parse::<Parallel>().unwrap_err().0.contains("from 1 to 1024"), "{count}");
        }
        assert_eq!("1024".parse::<Parallel>().unwrap().to_string(), "1024");
        assert_eq!("7".parse::<Batch>().unwrap().to_string(), "7");
    }
}
