//! What build scripts have generated: a part of the report, so that two runs that generate other files can't pass for alike.

use super::digest::Digest;
use super::path::RelPath;

/// What the build script of one package has generated, as far as it says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generated {
    /// The name of the package.
    pub package: String,
    /// The directory of the workspace that holds the same files, checked in.
    pub checked_in: Option<RelPath>,
    /// What was generated together.
    pub units: Vec<GeneratedUnit>,
}

/// Files and what they were made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeneratedUnit {
    /// The inputs that lie in the workspace.
    pub inputs: Vec<RelPath>,
    /// The outputs.
    pub files: Vec<GeneratedFile>,
}

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GeneratedFile {
    /// Where it lies below `OUT_DIR`.
    pub path: RelPath,
    /// Its size in bytes.
    pub len: u64,
    /// The digest of its content.
    pub digest: Digest,
}
