//! What `baseline` reads of the report of a finished run.

use genti::model::finding::State;
use serde::Deserialize;

/// `report.json`.
#[derive(Deserialize)]
pub(super) struct Report {
    findings: Vec<Found>,
}

impl Report {
    /// What a baseline could accept: suppressed findings are none of it.
    pub(super) fn into_findings(self) -> impl Iterator<Item = Found> {
        self.findings.into_iter().filter(|found| found.state != State::Suppressed.as_str())
    }
}

/// A finding in it.
#[derive(Deserialize)]
pub(super) struct Found {
    pub(super) id: String,
    state: String,
    pub(super) path: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) range: Option<Range>,
    pub(super) rule: String,
    pub(super) scope: String,
    pub(super) message: String,
}

/// A stretch of text.
#[derive(Deserialize)]
pub(super) struct Range {
    pub(super) start: Position,
}

/// A place in a text.
#[derive(Deserialize)]
pub(super) struct Position {
    pub(super) line: u32,
}
