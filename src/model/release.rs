//! What a tool of a Rust toolchain states about its release in its version, as in `clippy 0.1.95 (59807616e1 2026-04-14)`.

use std::borrow::Cow;

use jiff::civil::Date;

/// The release of a tool, read from its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release<'a> {
    /// Number of the version, as people name it: that of Rust for clippy.
    pub number: Cow<'a, str>,
    /// Day of its commit, if the version states one.
    pub day: Option<Date>,
    /// True if the version says that it is not a stable release. Clippy does not say that.
    pub is_prerelease: bool,
}

impl<'a> Release<'a> {
    /// Reads `version`. `None` if it has no number.
    pub fn of(version: &'a str) -> Option<Self> {
        let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        let mut words = version.split_whitespace();
        let word = words.find(is_number)?;
        let day = words.find_map(|word| word.trim_end_matches(')').parse().ok());
        let number = match (version.starts_with("clippy "), word.strip_prefix("0.1.")) {
            (true, Some(minor)) => format!("1.{minor}").into(),
            _ => word.into(),
        };
        let channels = ["-alpha", "-beta", "-dev", "-nightly"];
        Some(Self { number, day, is_prerelease: channels.iter().any(|channel| word.contains(channel)) })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[track_caller]
    fn check(version: &str, number: &str, day: Option<Date>, is_prerelease: bool) {
        let expected = Release { number: number.into(), day, is_prerelease };
        assert_eq!(Release::of(version), Some(expected), "{version}");
    }

    #[test]
    fn a_version_states_its_number_and_the_day_of_its_commit() {
        check("clippy 0.1.95 (59807616e1 2026-04-14)", "1.95", Some(date(2026, 4, 14)), false);
        check("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0", Some(date(2026, 4, 14)), false);
        check(
            "rustdoc 1.97.0-nightly (e50aa6fba 2026-05-19)",
            "1.97.0-nightly",
            Some(date(2026, 5, 19)),
            true,
        );
        check("rustc 1.96.0-beta.3 (abc 2026-05-01)", "1.96.0-beta.3", Some(date(2026, 5, 1)), true);
        check("rustc 1.88.0 (6b00bc388 2025-06-23) (Debian 1.88)", "1.88.0", Some(date(2025, 6, 23)), false);
        check("typos-cli 1.40.0", "1.40.0", None, false);
        assert_eq!(Release::of("unknown"), None);
    }
}
