//! Exit codes of the program, which are a public interface. Only this module knows them, except those that artifacts record
//! for a run: these come from [`Ended::of`], so that artifacts and process agree.

use std::process::ExitCode;

use genti::model::outcome::End;
use genti::report::finished::Ended;

/// Result of a command. Messages about an error have already been printed.
pub(crate) type CliResult<T = ()> = Result<T, CliError>;

/// Reason why a command does not exit with 0, in the order of precedence: where several apply, the first one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CliError {
    /// 128 + n: signal n stopped the command.
    Interrupted(i32),
    /// 101: a bug in genti. A panic has the same code.
    Bug,
    /// 2: invalid command line or configuration.
    Usage,
    /// 4: the artifacts, a report, the baseline, golden files or stdout could not be written.
    NotWritten,
    /// 5: the run differs from the configuration.
    Drift,
    /// 3: something has no result of a required tool.
    Incomplete,
    /// 1: new findings of a required tool, a stale baseline entry or orphaned golden file in `check`, or a difference in
    /// `verify`.
    Failed,
}

impl CliError {
    /// Returns the exit code and its name.
    fn ended(self) -> Ended {
        let (exit, status) = match self {
            Self::Interrupted(signal) => return Ended::of(End::Interrupted(signal)),
            Self::Incomplete => return Ended::of(End::Incomplete),
            Self::Failed => return Ended::of(End::Failed),
            Self::Usage => (2, "usage"),
            Self::NotWritten => (4, "not-written"),
            Self::Drift => (5, "drift"),
            Self::Bug => (101, "bug"),
        };
        Ended { exit, status: status.to_owned() }
    }
}

/// Returns the exit code of a command and its name.
pub(crate) fn ended(result: CliResult) -> Ended {
    result.map_or_else(CliError::ended, |()| Ended::of(End::Passed))
}

/// Returns the exit code for the operating system.
pub(crate) fn code(result: CliResult) -> ExitCode {
    ExitCode::from(ended(result).exit)
}

/// Returns the result of a command whose verdict is that of a run.
pub(crate) fn of_run(end: End) -> CliResult {
    match end {
        End::Passed => Ok(()),
        End::Failed => Err(CliError::Failed),
        End::Incomplete => Err(CliError::Incomplete),
        End::Interrupted(signal) => Err(CliError::Interrupted(signal)),
    }
}

/// Combines the results of the parts of a command by precedence.
pub(crate) fn combine(results: impl IntoIterator<Item = CliResult>) -> CliResult {
    results.into_iter().filter_map(Result::err).min().map_or(Ok(()), Err)
}

/// Returns `error` if `has_failed`.
pub(crate) fn failed_if(has_failed: bool, error: CliError) -> CliResult {
    if has_failed { Err(error) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::EXIT_CODES;

    /// All errors, in the documented order of precedence.
    const ALL: [CliError; 7] = [
        CliError::Interrupted(2),
        CliError::Bug,
        CliError::Usage,
        CliError::NotWritten,
        CliError::Drift,
        CliError::Incomplete,
        CliError::Failed,
    ];

    #[test]
    fn codes_are_those_of_the_help_and_differ() {
        let listed: Vec<_> =
            EXIT_CODES.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
        let listed: Vec<_> = listed
            .into_iter()
            .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
            .collect();
        let mut codes: Vec<_> = ALL.iter().skip(1).map(|error| error.ended().exit).chain([0]).collect();
        codes.sort_unstable();
        let codes: Vec<_> = codes.iter().map(ToString::to_string).chain(["128+n".to_owned()]).collect();
        assert_eq!(codes, listed);
        assert_eq!(CliError::Interrupted(15).ended().exit, 143);
        assert_eq!(ended(Ok(())).exit, 0);
    }

    #[test]
    fn the_documented_precedence_decides_between_several_results() {
        for (at, first) in ALL.into_iter().enumerate() {
            for other in ALL.into_iter().skip(at) {
                assert_eq!(combine([Ok(()), Err(other), Err(first)]), Err(first));
                assert_eq!(combine([Err(first), Ok(()), Err(other)]), Err(first));
            }
        }
        assert_eq!(combine([Ok(()), Ok(())]), Ok(()));
    }

    #[test]
    fn a_run_and_its_artifacts_have_the_same_exit_code() {
        for end in [End::Passed, End::Failed, End::Incomplete, End::Interrupted(2)] {
            assert_eq!(ended(of_run(end)), Ended::of(end));
        }
    }
}
