//! Messages for the user that affect no verdict, as values. Each has a stable code. Only the binary words them.

use std::path::PathBuf;

use super::path::RelPath;

/// A message for the user that affects no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The workspace had no `Cargo.lock`, and this one was created.
    LockfileCreated(RelPath),
    /// This `Cargo.lock` was out of date, and cargo has updated it before the run.
    LockfileUpdated(RelPath),
    /// Cargo updated this `Cargo.lock` during the run, so the ids in the artifacts are outdated.
    LockfileChanged(RelPath),
    /// The build directory does not exist yet, so dependencies are built in it once more.
    NewBuildDir,
    /// Lint levels in the environment are not passed on to tools.
    LintLevelsIgnored(Vec<IgnoredLevels>),
    /// Tools read configuration that is not part of the repository.
    ForeignConfiguration {
        /// Name of each tool, with the name of the file.
        files: Vec<(String, String)>,
    },
    /// The jobserver in the environment can't be used.
    JobserverIgnored {
        /// The reason.
        error: String,
    },
    /// The stored data about the last run can't be used, so this run takes longer.
    LastRunIgnored {
        /// File with the data.
        path: PathBuf,
        /// The reason.
        error: String,
    },
    /// The log of the result cache can't be trusted, and will be replaced.
    CacheIgnored {
        /// Path of the log.
        path: PathBuf,
        /// The reason.
        error: String,
    },
    /// The result cache can't be used.
    CacheDisabled {
        /// The reason.
        error: String,
    },
    /// Results could not be stored.
    CacheNotWritten {
        /// The reason.
        error: String,
    },
    /// The configured remote store is not used.
    RemoteUnused {
        /// The reason.
        error: String,
    },
    /// The remote store failed, so this run may have computed results that it has, or has not stored all of its own.
    RemoteFailed {
        /// Address of the server.
        url: String,
        /// The reason.
        error: String,
    },
    /// Workers on other machines did not run everything that they could, so it ran on this one.
    WorkersFailed {
        /// Address of the server.
        url: String,
        /// The reason.
        error: String,
    },
    /// Results that depend on a link are not cached, because its target has too many files or can't be read.
    LinkNotCached {
        /// Path of the link.
        link: String,
    },
    /// Results that cargo replayed from the user's own build directory are not cached.
    ReplayNotCached,
    /// Tools that are configured with a sandbox run without one.
    SandboxUnavailable {
        /// Names of the tools.
        tools: Vec<String>,
        /// The reason.
        error: String,
    },
    /// The base of the run can't be planned, so nothing is excused.
    BaseNotPlanned {
        /// The revision.
        reference: String,
        /// The reason.
        reason: String,
    },
    /// `new-lints` has no effect, because no versions are locked.
    NewLintsWithoutLock {
        /// Path of the missing lock file, as the user would write it.
        lock: String,
    },
    /// Tools that are configured with `cache = "sandboxed"` run as usual, and their results are not cached.
    NotObserved {
        /// Names of the tools.
        tools: Vec<String>,
        /// The reason.
        error: String,
    },
    /// The baseline was recorded with other build flags.
    BaselineOfOtherBuild {
        /// The flags of the baseline.
        flags: String,
    },
    /// The baseline was recorded with another version of a tool.
    BaselineOfOtherVersion {
        /// Name of the tool.
        tool: String,
        /// Version with which the baseline was recorded.
        recorded: String,
        /// Version of this run, if it is known.
        current: Option<String>,
    },
}

impl Notice {
    /// Returns the code, which is part of the event stream and never changes its meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LockfileCreated(_) => "lockfile-created",
            Self::LockfileUpdated(_) => "lockfile-updated",
            Self::LockfileChanged(_) => "lockfile-changed",
            Self::NewBuildDir => "new-build-dir",
            Self::LintLevelsIgnored(_) => "lint-levels-ignored",
            Self::ForeignConfiguration { .. } => "foreign-configuration",
            Self::JobserverIgnored { .. } => "jobserver-ignored",
            Self::LastRunIgnored { .. } => "last-run-ignored",
            Self::CacheIgnored { .. } => "cache-ignored",
            Self::CacheDisabled { .. } => "cache-disabled",
            Self::CacheNotWritten { .. } => "cache-not-written",
            Self::RemoteUnused { .. } => "remote-unused",
            Self::RemoteFailed { .. } => "remote-failed",
            Self::WorkersFailed { .. } => "workers-failed",
            Self::LinkNotCached { .. } => "link-not-cached",
            Self::ReplayNotCached => "replay-not-cached",
            Self::SandboxUnavailable { .. } => "sandbox-unavailable",
            Self::BaseNotPlanned { .. } => "base-not-planned",
            Self::NewLintsWithoutLock { .. } => "new-lints-without-lock",
            Self::NotObserved { .. } => "tests-not-cached",
            Self::BaselineOfOtherBuild { .. } => "baseline-of-other-build",
            Self::BaselineOfOtherVersion { .. } => "baseline-of-other-version",
        }
    }
}

/// Lint levels that were removed from a variable, or are ignored in a file of cargo's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredLevels {
    /// Name of the variable or file.
    pub variable: String,
    /// The levels as written, such as `-D warnings`.
    pub levels: Vec<String>,
    /// True if the levels could only turn more findings into errors.
    pub only_raises: bool,
}
