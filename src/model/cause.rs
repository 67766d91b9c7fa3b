//! The cause of a new finding or a stale entry, in a run that is compared with a base. Does not know how it is decided.

use serde::{Deserialize, Serialize};

use super::named::named;

named! {
    /// Cause of a difference from the baseline.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Cause {
        /// The change, or nothing shows that it is not the change.
        Change = "change",
        /// Something outside of the repository, such as a new advisory.
        World = "world",
        /// Another version of the tool than the locked one.
        Tool = "tool",
        /// The base: it has the difference as well.
        Base = "base",
        /// A lint that the locked version of the tool does not have. Its findings don't fail yet, whatever caused them.
        NewLint = "new-lint",
    }
}

/// The cause of a finding, with the inputs that differ from the base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caused {
    /// The cause.
    #[serde(rename = "kind")]
    pub cause: Cause,
    /// The first inputs that differ, sorted; empty unless the cause is the change.
    pub inputs: Vec<String>,
    /// Number of further inputs that differ.
    #[serde(default)]
    pub more: usize,
}

impl Caused {
    /// Maximum number of inputs that are listed.
    const MOST: usize = 20;

    /// Returns the cause of a finding whose `inputs` differ.
    pub fn by_change(inputs: impl IntoIterator<Item = String>) -> Self {
        let mut inputs: Vec<_> = inputs.into_iter().collect();
        inputs.sort();
        inputs.dedup();
        let more = inputs.len().saturating_sub(Self::MOST);
        inputs.truncate(Self::MOST);
        Self { cause: Cause::Change, inputs, more }
    }

    /// Returns a cause other than the change.
    pub fn by(cause: Cause) -> Self {
        Self { cause, inputs: Vec::new(), more: 0 }
    }

    /// Returns true if the change caused it.
    pub fn is_change(&self) -> bool {
        self.cause == Cause::Change
    }
}

/// The commit with which a run is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Against {
    /// The commit.
    pub commit: String,
    /// Graph hash of its plan; `None` if it can't be planned.
    pub graph_hash: Option<String>,
    /// The revision that was asked for.
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_inputs_are_listed_and_the_others_counted() {
        let caused = Caused::by_change((0..25).rev().map(|at| format!("{at:02}")).chain(["00".to_owned()]));
        assert_eq!((caused.inputs.len(), caused.more), (Caused::MOST, 5));
        assert_eq!((&*caused.inputs[0], &*caused.inputs[19]), ("00", "19"));
    }
}
