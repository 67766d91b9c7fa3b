//! Ratcheted numbers: numbers that a tool states and that may only improve relative to the accepted values.
//!
//! Numbers are decimal text everywhere. They are compared as scaled integers, so no digit is lost and no
//! artifact contains a float.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::named::named;

/// A decimal number that keeps its original text, such as `81.20`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal {
    text: String,
    /// The number times ten to the power of [`Decimal::SCALE`].
    scaled: i128,
}

/// The error for a text that is not a [`Decimal`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal number with up to 18 digits before and 15 after the point")]
pub struct NotDecimal(String);

impl Decimal {
    const SCALE: usize = 15;
    const MOST_DIGITS: usize = 18;

    /// Returns the scaled difference from `other`.
    fn minus(&self, other: &Self) -> i128 {
        self.scaled - other.scaled
    }
}

impl FromStr for Decimal {
    type Err = NotDecimal;

    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let bad = || NotDecimal(text.chars().take(60).collect());
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_bare = whole.is_empty() || digits.ends_with('.');
        if is_bare || !is_number(whole) || !is_number(part) {
            return Err(bad());
        }
        let whole = whole.trim_start_matches('0');
        if whole.len() > Self::MOST_DIGITS || part.len() > Self::SCALE {
            return Err(bad());
        }
        let scaled = format!("{whole}{part:0<width$}", width = Self::SCALE);
        let scaled: i128 = scaled.parse().map_err(|_| bad())?;
        let scaled = if text.starts_with('-') { -scaled } else { scaled };
        Ok(Self { text: text.trim_start_matches('+').to_owned(), scaled })
    }
}

impl TryFrom<String> for Decimal {
    type Error = NotDecimal;

    fn try_from(text: String) -> Result<Self, NotDecimal> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(number: Decimal) -> Self {
        number.text
    }
}

impl From<u64> for Decimal {
    fn from(count: u64) -> Self {
        let ten: i128 = 10;
        Self { text: count.to_string(), scaled: i128::from(count) * ten.pow(Self::SCALE as u32) }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Compares by value, so `81.2` equals `81.20`.
impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.scaled == other.scaled
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.scaled.cmp(&other.scaled)
    }
}

named! {
    /// The direction in which a number improves.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Better {
        /// Higher values are better.
        Higher = "higher",
        /// Lower values are better.
        Lower = "lower",
    }
}

impl Better {
    /// Returns the stricter of two accepted values, which is the better one.
    pub fn stricter(self, one: Decimal, other: Decimal) -> Decimal {
        match self {
            Self::Higher => one.max(other),
            Self::Lower => one.min(other),
        }
    }

    /// Compares `value` with the `accepted` one: `Less` if it is worse by more than `tolerance`, `Greater` if
    /// it is better by more than `tolerance`.
    pub fn compare(self, value: &Decimal, accepted: &Decimal, tolerance: Option<&Decimal>) -> Ordering {
        let gain = match self {
            Self::Higher => value.minus(accepted),
            Self::Lower => accepted.minus(value),
        };
        let tolerance = tolerance.map_or(0, |tolerance| tolerance.scaled);
        if gain < -tolerance {
            Ordering::Less
        } else if gain > tolerance {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }
}

/// A configured pattern for numbers in the output of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPattern {
    /// Regular expression with a group `value`, and optionally a group `name`.
    pub regex: String,
    /// Name of the number, if no group captures it.
    pub name: Option<String>,
    /// The direction of improvement.
    pub better: Better,
    /// Allowed difference from the accepted value.
    pub tolerance: Option<Decimal>,
    /// Unit of the number, such as `%`.
    pub unit: Option<String>,
}

/// A number of a tool with its state, as written in artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// Name of the tool.
    pub tool: String,
    /// Namespace of its line in the baseline.
    pub ns: String,
    /// Name of the number.
    pub name: String,
    /// Value in this run.
    pub value: Decimal,
    /// Accepted value, if there is one.
    pub accepted: Option<Decimal>,
    /// The direction of improvement.
    pub better: Better,
    /// Allowed difference from the accepted value.
    pub tolerance: Option<Decimal>,
    /// Unit of the number.
    pub unit: Option<String>,
    /// The state; `None` if it was not compared, because the run covers less than the baseline.
    pub state: Option<NumberState>,
}

impl Number {
    /// Formats `value` with the unit of this number, such as `81.20 %`.
    pub fn with_unit(&self, value: &Decimal) -> String {
        match &self.unit {
            Some(unit) => format!("{value} {unit}"),
            None => value.to_string(),
        }
    }
}

named! {
    /// State of a number relative to the accepted value.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum NumberState {
        /// Worse by more than the tolerance, or without an accepted value.
        New = "new",
        /// Equal within the tolerance.
        Unchanged = "unchanged",
        /// Better by more than the tolerance, so the accepted value is stale.
        Better = "better",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn decimal_text_is_kept_and_compared_by_value() {
        assert_eq!(number("81.20").to_string(), "81.20");
        assert_eq!(number("81.20"), number("81.2"));
        assert_eq!(number("+5").to_string(), "5");
        assert!(
            number("-0.1") < number("0")
                && number("9") < number("10.0")
                && number("0.30") > number("0.3") - 1
        );
        assert_eq!(Decimal::from(1204), number("1204"));
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "1,204",
            "1e3",
            "0x1",
            "١",
            "1.2.3",
            "--1",
            "1234567890123456789",
            "0.1234567890123456",
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        let read: Decimal = serde_json::from_str("\"81.20\"").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"81.20\"");
        assert!(serde_json::from_str::<Decimal>("\"x\"").is_err());
    }

    impl std::ops::Sub<i128> for Decimal {
        type Output = Self;
        fn sub(self, steps: i128) -> Self {
            Self { scaled: self.scaled - steps, ..self }
        }
    }

    #[test]
    fn a_tolerance_is_exact() {
        let check = |better: Better, value: &str, accepted: &str, tolerance: Option<&str>, expected| {
            let tolerance = tolerance.map(number);
            assert_eq!(
                better.compare(&number(value), &number(accepted), tolerance.as_ref()),
                expected,
                "{value}"
            );
        };
        use Better::{Higher, Lower};
        check(Higher, "81.1", "81.2", Some("0.1"), Ordering::Equal);
        check(Higher, "81.0999", "81.2", Some("0.1"), Ordering::Less);
        check(Higher, "81.3", "81.2", Some("0.1"), Ordering::Equal);
        check(Higher, "81.30001", "81.2", Some("0.1"), Ordering::Greater);
        check(Higher, "81.2", "81.20", None, Ordering::Equal);
        check(Lower, "11", "10", None, Ordering::Less);
        check(Lower, "9", "10", None, Ordering::Greater);
        assert_eq!(Higher.stricter(number("1"), number("2")), number("2"));
        assert_eq!(Lower.stricter(number("1"), number("2")), number("1"));
    }
}
