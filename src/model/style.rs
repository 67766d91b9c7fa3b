//! Style editions of rustfmt: findings that appear only because the style edition changed.
//!
//! Does not know how these findings are detected.

use serde::{Deserialize, Serialize};

use super::finding::Related;

/// The style edition before the newest one. 2015, 2018 and 2021 have the same style.
pub const FORMER_STYLE: &str = "2021";

/// New findings in code that is formatted for the former style edition. They have one cause, and one command
/// fixes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Number of files with such findings.
    pub files: usize,
    /// Number of such findings.
    pub findings: usize,
}

impl Related {
    /// Returns the remark on a finding in code that is formatted for the former style edition.
    pub fn of_former_style() -> Self {
        Self { message: format!("style edition {FORMER_STYLE} would leave this code as it is"), place: None }
    }
}

/// Returns true if `related` contains the remark that the style edition caused the finding.
pub fn is_of_former_style(related: &[Related]) -> bool {
    related.contains(&Related::of_former_style())
}
