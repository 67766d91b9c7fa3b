//! How long findings of lints that the locked version of a tool does not have don't fail.

use jiff::ToSpan;
use jiff::civil::Date;

use super::policy::NewLints;
use super::release::Release;

/// Treatment of the new lints of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grace {
    /// Their findings fail.
    Absent(NoGrace),
    /// Their findings don't fail.
    Open,
    /// Their findings don't fail up to this day.
    Until(Date),
}

/// Reason why findings of new lints fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoGrace {
    /// The policy.
    Policy,
    /// The repository itself names the version of the toolchain, so only a change of the repository can bring another one.
    Pinned(String),
    /// The tool is not of a stable release. New lints come every day then.
    Prerelease,
    /// The version does not state the day of its commit.
    NoDay,
    /// The grace has ended on this day.
    Ended(Date),
    /// It is not known which lints are new, since `genti.lock` or the tool lists none.
    NoRules,
}

impl Grace {
    /// Returns the grace of a tool at `version`. `pinned` is the version of the toolchain that the repository names, if it does,
    /// and `as_of` the day of the run.
    pub fn of(
        policy: NewLints,
        version: &str,
        is_prerelease: bool,
        pinned: Option<&str>,
        as_of: Option<Date>,
    ) -> Self {
        if policy == NewLints::Fail {
            return Self::Absent(NoGrace::Policy);
        }
        if let Some(pinned) = pinned {
            return Self::Absent(NoGrace::Pinned(pinned.to_owned()));
        }
        let NewLints::WarnFor { days } = policy else { return Self::Open };
        let release = Release::of(version);
        if is_prerelease || release.as_ref().is_some_and(|release| release.is_prerelease) {
            return Self::Absent(NoGrace::Prerelease);
        }
        let day = release.and_then(|release| release.day);
        let Some(end) = day.and_then(|day| day.checked_add(i64::from(days).days()).ok()) else {
            return Self::Absent(NoGrace::NoDay);
        };
        match as_of.is_some_and(|today| today <= end) {
            true => Self::Until(end),
            false => Self::Absent(NoGrace::Ended(end)),
        }
    }

    /// Returns true if the findings don't fail.
    pub fn holds(&self) -> bool {
        !matches!(self, Self::Absent(_))
    }

    /// Returns the last day on which the findings don't fail.
    pub fn until(&self) -> Option<Date> {
        match self {
            Self::Until(day) => Some(*day),
            Self::Absent(_) | Self::Open => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const CLIPPY: &str = "clippy 0.1.95 (59807616e1 2026-04-14)";
    const MONTH: NewLints = NewLints::WarnFor { days: 30 };

    #[test]
    fn the_grace_runs_from_the_day_that_the_version_states() {
        let on = |day| Grace::of(MONTH, CLIPPY, false, None, day);
        let end = date(2026, 5, 14);
        assert_eq!(on(Some(date(2026, 1, 1))), Grace::Until(end));
        assert_eq!(on(Some(end)), Grace::Until(end));
        assert_eq!(on(Some(date(2026, 5, 15))), Grace::Absent(NoGrace::Ended(end)));
        assert_eq!(on(None), Grace::Absent(NoGrace::Ended(end)), "without a day, nothing is excused");
    }

    #[test]
    fn findings_fail_without_a_policy_a_day_or_a_stable_release() {
        let day = Some(date(2026, 4, 15));
        let absent = |policy, version: &str, is_prerelease, pinned| match Grace::of(
            policy,
            version,
            is_prerelease,
            pinned,
            day,
        ) {
            Grace::Absent(reason) => Some(reason),
            Grace::Open | Grace::Until(_) => None,
        };
        assert_eq!(absent(NewLints::Fail, CLIPPY, false, None), Some(NoGrace::Policy));
        assert_eq!(absent(MONTH, CLIPPY, true, None), Some(NoGrace::Prerelease));
        let nightly = "rustdoc 1.97.0-nightly (e50aa6fba 2026-04-14)";
        assert_eq!(absent(MONTH, nightly, false, None), Some(NoGrace::Prerelease));
        assert_eq!(absent(MONTH, "lint 1.2.3", false, None), Some(NoGrace::NoDay));
        let pinned = Some(NoGrace::Pinned("1.95.0".to_owned()));
        assert_eq!(absent(MONTH, CLIPPY, false, Some("1.95.0")), pinned);
        assert_eq!(absent(NewLints::Warn, CLIPPY, false, Some("1.95.0")), pinned);
        assert_eq!(absent(NewLints::Warn, nightly, true, None), None, "a grace without an end needs no day");
        assert_eq!(absent(MONTH, CLIPPY, false, None), None);
    }
}
