//! What the configuration says is not to count: which findings, why, and until when.

use std::sync::Arc;

use globset::Glob;
use jiff::civil::Date;

/// One `[[suppress]]` of the configuration. A finding that it matches does everything that it states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Findings of this rule.
    pub rule: Option<String>,
    /// Findings that this tool reports.
    pub tool: Option<String>,
    /// Findings in files that this matches.
    pub path: Option<Glob>,
    /// Findings about this, which is no file.
    pub subject: Option<String>,
    /// Findings whose message holds this.
    pub message: Option<String>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<Date>,
    /// The configuration that it stands in, as the user would name it.
    pub file: Arc<str>,
    /// The line where it begins, from 1.
    pub line: usize,
}

impl Suppression {
    /// Whether it holds no more on the day `today`.
    pub fn is_expired(&self, today: Option<Date>) -> bool {
        matches!((self.expires, today), (Some(last), Some(today)) if last < today)
    }
}
