//! What nobody looked at: no finding of a tool, but a place where none can come from.

use serde::{Deserialize, Serialize};

use super::path::RelPath;

/// Something that no tool of a run looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlindSpot {
    /// What it is.
    pub kind: BlindSpotKind,
    /// The file that it is, or that says so.
    pub path: RelPath,
    /// Why nobody looks there.
    pub reason: String,
}

/// What a blind spot is. The order is that of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlindSpotKind {
    /// A source file of a member that no tool compiled or formatted.
    UnseenFile,
    /// A source file that a tool compiled and none formatted.
    UnformattedFile,
    /// Something that counts as no file, or a link that no tool is given in place of a file.
    LeftOut,
    /// A target whose tests, unit tests or doc tests are not run.
    UntestedTarget,
    /// A feature of a member that no tool turned on.
    UnusedFeature,
    /// A member that is not selected, or that no tool compiled.
    UnseenPackage,
    /// Another workspace in the same repository.
    OtherWorkspace,
}

impl BlindSpotKind {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::UnseenFile,
        Self::UnformattedFile,
        Self::LeftOut,
        Self::UntestedTarget,
        Self::UnusedFeature,
        Self::UnseenPackage,
        Self::OtherWorkspace,
    ];

    /// As written in artifacts; also the rule of a finding about it.
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
