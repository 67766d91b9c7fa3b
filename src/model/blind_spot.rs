//! Blind spots: files, packages and features that no tool checked, so no finding can come from there.

use serde::{Deserialize, Serialize};

use super::named::named;
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

named! {
    /// Kind of a blind spot, in the order of reports.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum BlindSpotKind {
        /// A source file of a member that no tool compiled or formatted.
        UnseenFile = "unseen-file",
        /// A source file that was compiled but not formatted.
        UnformattedFile = "unformatted-file",
        /// An entry that is not a regular file, or a link that no tool is run on.
        LeftOut = "left-out",
        /// A target whose tests, unit tests or doc tests are not run.
        UntestedTarget = "untested-target",
        /// A target that no tool compiled.
        UncompiledTarget = "uncompiled-target",
        /// A target that no tool documented, although one documents its package.
        UndocumentedTarget = "undocumented-target",
        /// A feature of a member that no tool enabled.
        UnusedFeature = "unused-feature",
        /// A member that is not selected, or that no tool compiled.
        UnseenPackage = "unseen-package",
        /// Another workspace in the same repository.
        OtherWorkspace = "other-workspace",
    }
}
