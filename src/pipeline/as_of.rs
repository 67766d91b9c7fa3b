//! The day by which suppressions expire in a gate: a variable that says a day long past, as builds of packages set it, must
//! not bring back what has expired.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Project;
use crate::workspace;

/// That another day counts than the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later {
    /// The day that was asked for.
    pub asked: Date,
    /// The day that counts.
    pub counts: Date,
    /// Whether it is that of the commit; else it is today.
    pub is_commit: bool,
}

impl Project {
    /// Lets suppressions expire by no earlier day than that of the commit that is checked out; where there is none, than
    /// `today`. Tells if that makes a difference.
    pub fn expire_no_earlier(&mut self, today: Date) -> Option<Later> {
        let asked = self.as_of.filter(|asked| *asked < today)?;
        if self.suppressions.iter().all(|suppression| suppression.expires.is_none()) {
            return None;
        }
        let commit = commit_day(self);
        let later = later(asked, commit, today)?;
        self.as_of = Some(later.counts);
        Some(later)
    }
}

/// The day of the commit that is checked out, in UTC.
pub(super) fn commit_day(project: &Project) -> Option<Date> {
    let time = workspace::commit_time(&project.workspace.root)?;
    Some(Timestamp::from_second(time).ok()?.to_zoned(TimeZone::UTC).date())
}

fn later(asked: Date, commit: Option<Date>, today: Date) -> Option<Later> {
    // A commit of tomorrow is one of a clock that is wrong.
    let counts = commit.map_or(today, |commit| commit.min(today));
    (asked < counts).then_some(Later { asked, counts, is_commit: commit.is_some() })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_commit_sets_the_earliest_day_and_today_where_there_is_none() {
        let (long_ago, commit, today) = (date(1980, 1, 1), date(2026, 3, 1), date(2026, 5, 1));
        let of_commit = Some(Later { asked: long_ago, counts: commit, is_commit: true });
        assert_eq!(later(long_ago, Some(commit), today), of_commit);
        assert_eq!(later(long_ago, None, today).unwrap().counts, today);
        assert_eq!(later(commit, Some(commit), today), None);
        assert_eq!(later(date(2026, 4, 1), Some(commit), today), None);
        assert_eq!(later(long_ago, Some(date(2030, 1, 1)), today).unwrap().counts, today);
    }
}
