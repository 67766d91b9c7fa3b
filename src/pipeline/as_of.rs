//! Determines the day on which suppressions, and the grace of new lints, expire in a gate. A date far in the past, such as package
//! builds set in an environment variable, must not revive them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Project;
use crate::model::policy::NewLints;
use crate::workspace;

/// A later day replaces the requested one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later {
    /// The requested day.
    pub asked: Date,
    /// The day that is used.
    pub counts: Date,
    /// True if that is the day of the commit rather than today.
    pub is_commit: bool,
}

impl Project {
    /// Replaces a requested day before that of the checked-out commit by the latter; without a commit, by `today`. Returns the
    /// replacement if there was one, and any suppression or the grace of new lints ends on some day.
    pub fn expire_no_earlier(&mut self, today: Date) -> Option<Later> {
        let asked = self.as_of.filter(|asked| *asked < today)?;
        if !self.has_deadline() {
            return None;
        }
        let commit = commit_day(self);
        let later = later(asked, commit, today)?;
        self.as_of = Some(later.counts);
        Some(later)
    }

    /// Returns true if the verdict can change from one day to the next: a suppression expires, or the grace of new lints ends.
    pub(super) fn has_deadline(&self) -> bool {
        let has_grace = matches!(self.plan.policy.new_lints, NewLints::WarnFor { .. });
        has_grace || self.has_expiry()
    }

    /// Returns the day that a report with the results of `day` records: if something in it depends on the day.
    pub(super) fn recorded_day(&self, day: Option<Date>) -> Option<Date> {
        day.filter(|_| self.has_expiry() || self.recheck.is_some())
    }

    /// Returns true if a suppression expires on some day.
    fn has_expiry(&self) -> bool {
        self.suppressions.iter().any(|suppression| suppression.expires.is_some())
    }
}

/// Returns the day of the checked-out commit, in UTC.
pub(super) fn commit_day(project: &Project) -> Option<Date> {
    let time = workspace::commit_time(&project.workspace.root)?;
    Some(Timestamp::from_second(time).ok()?.to_zoned(TimeZone::UTC).date())
}

fn later(asked: Date, commit: Option<Date>, today: Date) -> Option<Later> {
    // A commit from the future is due to a wrong clock.
    let counts = commit.map_or(today, |commit| commit.min(today));
    (asked < counts).then_some(Later { asked, counts, is_commit: commit.is_some() })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_earliest_day_is_that_of_the_commit_or_else_today() {
        let (long_ago, commit, today) = (date(1980, 1, 1), date(2026, 3, 1), date(2026, 5, 1));
        let of_commit = Some(Later { asked: long_ago, counts: commit, is_commit: true });
        assert_eq!(later(long_ago, Some(commit), today), of_commit);
        assert_eq!(later(long_ago, None, today).unwrap().counts, today);
        assert_eq!(later(commit, Some(commit), today), None);
        assert_eq!(later(date(2026, 4, 1), Some(commit), today), None);
        assert_eq!(later(long_ago, Some(date(2030, 1, 1)), today).unwrap().counts, today);
    }
}
