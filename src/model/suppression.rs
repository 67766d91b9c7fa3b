//! Suppressions: configured findings that don't count, with the reason and an expiry date.

use std::sync::Arc;

use globset::Glob;
use jiff::civil::Date;

/// One `[[suppress]]` table. It matches a finding if all keys that are set match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Rule of the findings.
    pub rule: Option<String>,
    /// Tool that reports the findings.
    pub tool: Option<String>,
    /// Glob for the files of the findings.
    pub path: Option<Glob>,
    /// Subject of findings that are not about a file.
    pub subject: Option<String>,
    /// Text that the messages contain.
    pub message: Option<String>,
    /// Reason for the suppression.
    pub reason: String,
    /// Person or team responsible for it.
    pub owner: Option<String>,
    /// Last day on which it applies.
    pub expires: Option<Date>,
    /// Name of the configuration file, as the user would write it.
    pub file: Arc<str>,
    /// Line where it begins, from 1.
    pub line: usize,
}

impl Suppression {
    /// Returns true if it no longer applies on the day `today`.
    pub fn is_expired(&self, today: Option<Date>) -> bool {
        matches!((self.expires, today), (Some(last), Some(today)) if last < today)
    }
}
