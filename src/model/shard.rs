//! The number of a shard: one of the parts into which the steps of a plan are divided, so that several machines can share a run.

use std::fmt;
use std::str::FromStr;

use super::policy::PolicyError;

/// A shard and the number of shards, such as `2/5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShardIndex {
    /// Number of the shard, from 1 to `count`.
    pub index: u32,
    /// Number of shards.
    pub count: u32,
}

impl ShardIndex {
    /// Maximum number of shards.
    pub const MOST: u32 = 1000;
}

impl fmt::Display for ShardIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for ShardIndex {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let number = |text: &str| {
            // `parse` would accept a sign.
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten()
        };
        let parts = text.split_once('/');
        let parts = parts.and_then(|(index, count)| Some((number(index)?, number(count)?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) && count <= Self::MOST => {
                Ok(Self { index, count })
            }
            _ => Err(PolicyError(format!(
                "invalid shard `{text}`, expected K/N such as `2/5`, with K from 1 to N and N up to {}",
                Self::MOST
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_a_number() {
        for (text, index, count) in [("1/1", 1, 1), ("2/5", 2, 5), ("1000/1000", 1000, 1000)] {
            assert_eq!(text.parse(), Ok(ShardIndex { index, count }));
            assert_eq!(ShardIndex { index, count }.to_string(), text);
        }
        for wrong in
            ["", "1", "0/2", "3/2", "1/0", "1/1001", "+1/2", "-1/2", "1/2/3", "a/b", " 1/2", "1/", "/2"]
        {
            let error = wrong.parse::<ShardIndex>().unwrap_err().0;
            assert!(error.contains("expected K/N"), "{error}");
        }
    }
}
