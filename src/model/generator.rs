//! Generators whose output is checked in, and what one of them made in a copy of the repository.

use serde::{Deserialize, Serialize};

use super::digest::{ContentHash, Sink};
use super::named::named;
use super::path::RelPath;

/// A generator that runs in a copy of the repository. Its output is compared with the checked-in files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generator {
    /// Globs of the files that it generates.
    pub outputs: Vec<String>,
    /// Globs of the files that it reads; empty for all files.
    pub inputs: Vec<String>,
    /// True if the copy has a git repository of its own.
    pub has_git: bool,
    /// True if the generated files are removed from the copy before it runs.
    pub is_clean: bool,
}

impl ContentHash for Generator {
    fn feed(&self, sink: &mut dyn Sink) {
        let Self { outputs, inputs, has_git, is_clean } = self;
        sink.texts("generator.outputs", outputs);
        sink.texts("generator.inputs", inputs);
        sink.field("generator.flags", &[u8::from(*has_git), u8::from(*is_clean)]);
    }
}

/// Result of a generator that has run in a copy of the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Its output files that differ from the checked-in ones, sorted by path.
    pub differing: Vec<GeneratedDifference>,
    /// Other files that it changed, sorted.
    pub strays: Vec<RelPath>,
    /// Globs of outputs that match no file, neither before nor after.
    pub unmatched: Vec<String>,
}

/// A generated file that differs from the checked-in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedDifference {
    /// Path from the root of the workspace.
    pub path: RelPath,
    /// True if both are regular files with different contents.
    pub has_other_content: bool,
    /// The checked-in file, if there is one.
    pub before: Option<GeneratedFile>,
    /// The generated file, if there is one.
    pub after: Option<GeneratedFile>,
}

/// One side of a [`GeneratedDifference`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneratedFile {
    /// A regular file.
    Regular {
        /// Its content; `None` if there is too much of it.
        content: Option<Vec<u8>>,
        /// True if its owner may execute it.
        is_executable: bool,
    },
    /// A symbolic link, with the text of its target.
    Link(String),
}

named! {
    /// Change of a whole file by a fix that takes over what a generator made.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum FileAction {
        /// The text of the file changes, and nothing else.
        Edit = "edit",
        /// The file is created.
        Create = "create",
        /// The file is created, and its owner may execute it.
        CreateExecutable = "create-executable",
        /// The file is deleted.
        Delete = "delete",
        /// The owner may execute the file from now on.
        SetExecutable = "set-executable",
        /// The owner may no longer execute the file.
        ClearExecutable = "clear-executable",
    }
}

impl FileAction {
    /// Returns true if it changes no text.
    pub fn is_mode(self) -> bool {
        matches!(self, Self::SetExecutable | Self::ClearExecutable)
    }

    /// Returns true if it creates a file.
    pub fn creates(self) -> bool {
        matches!(self, Self::Create | Self::CreateExecutable)
    }
}
