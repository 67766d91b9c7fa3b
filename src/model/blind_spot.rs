//! Blind spots: files, packages and features that no tool checked, so no finding can come from there.

use serde::{Deserialize, Serialize};

use super::path::RelPath;

/// Something that no tool of a run checks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlindSpot {
    /// Kind of the blind spot.
    pub kind: BlindSpotKind,
    /// The file that is not checked, or that declares the unchecked thing.
    pub path: RelPath,
    /// Reason why no tool checks it.
    pub reason: String,
}

/// Kind of a blind spot, in the order of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlindSpotKind {
    /// A source file of a member that no tool compiled or formatted.
    UnseenFile,
    /// A source file that was compiled but not formatted.
    UnformattedFile,
    /// An entry that is not a regular file, or a link that no tool is run on.
    LeftOut,
    /// A target whose tests, unit tests or doc tests are not run.
    UntestedTarget,
    /// A feature of a member that no tool enabled.
    UnusedFeature,
    /// A member that is not selected, or that no tool compiled.
    UnseenPackage,
    /// Another workspace in the same repository.
    OtherWorkspace,
}

impl BlindSpotKind {
    /// All kinds, in order.
    pub const ALL: [Self; 7] = [
        Self::UnseenFile,
        Self::UnformattedFile,
        Self::LeftOut,
        Self::UntestedTarget,
        Self::UnusedFeature,
        Self::UnseenPackage,
        Self::OtherWorkspace,
    ];

    /// Returns the name in artifacts, which is also the rule of findings about it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnseenFile => "unseen-file",
            Self::UnformattedFile => "unformatted-file",
            Self::LeftOut => "left-out",
            Self::UntestedTarget => "untested-target",
            Self::UnusedFeature => "unused-feature",
            Self::UnseenPackage => "unseen-package",
            Self::OtherWorkspace => "other-workspace",
        }
    }
}
