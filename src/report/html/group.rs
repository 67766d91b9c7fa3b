//! The groups that the page divides findings and baseline entries into. All of its numbers count these, with the same words.

use crate::model::finding::State;
use crate::report::finished::{Finding, Finished, ToolReport};

/// A group, in display order: new findings first, fixed ones last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    New,
    /// New findings that don't fail: the change did not cause them, or their lint is new in the tool.
    Excused,
    Noted,
    Accepted,
    Suppressed,
    Unknown,
    Fixed,
}

impl Group {
    pub(super) const ALL: [Self; 7] =
        [Self::New, Self::Excused, Self::Noted, Self::Accepted, Self::Suppressed, Self::Unknown, Self::Fixed];

    /// Returns the group of a finding.
    pub(super) fn of(finding: &Finding) -> Self {
        match finding.is_excused() {
            true => Self::Excused,
            false => Self::of_state(finding.state),
        }
    }

    fn of_state(state: State) -> Self {
        match state {
            State::New => Self::New,
            State::Noted => Self::Noted,
            State::Unchanged | State::Updated => Self::Accepted,
            State::Suppressed => Self::Suppressed,
            State::Unknown => Self::Unknown,
            State::Fixed => Self::Fixed,
        }
    }

    /// Returns the group of a baseline entry without a finding. `None` if its finding is suppressed, and therefore listed as
    /// such.
    pub(super) fn of_gone(state: State) -> Option<Self> {
        (state != State::Suppressed).then_some(Self::of_state(state))
    }

    /// Name in texts and links.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Excused => "excused",
            Self::Noted => "noted",
            Self::Accepted => "accepted",
            Self::Suppressed => "suppressed",
            Self::Unknown => "unknown",
            Self::Fixed => "fixed",
        }
    }

    /// Returns the number of its findings and entries in `run`.
    pub(super) fn count(self, run: &Finished) -> usize {
        let findings = run.report.findings.iter().filter(|finding| Self::of(finding) == self);
        let gone = run.report.gone.iter().filter(|gone| Self::of_gone(gone.state) == Some(self));
        findings.count() + gone.count()
    }

    /// Returns the number of those that belong to the tool of `report`.
    pub(super) fn count_of_tool(self, run: &Finished, report: &ToolReport) -> usize {
        match self {
            Self::New => report.new.saturating_sub(Self::Excused.count_of_tool(run, report)),
            // Not in the report of a tool, because no verdict depends on it.
            Self::Noted | Self::Excused => {
                let own = run.report.findings.iter().filter(|finding| Self::of(finding) == self);
                own.filter(|finding| run.tool_of(finding) == report.name).count()
            }
            Self::Accepted => report.unchanged + report.updated,
            Self::Suppressed => report.suppressed,
            Self::Unknown => report.unknown,
            Self::Fixed => report.fixed,
        }
    }
}
