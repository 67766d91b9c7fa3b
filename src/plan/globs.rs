//! Globs for the files that a tool checks, and for those that affect its results.

use globset::{GlobMatcher, GlobSet, GlobSetBuilder};

use super::config;
use super::select::PlanError;
use crate::model::generator::Generator;
use crate::model::golden;
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::model::workspace::File;

/// Compiled globs of a tool: the files it checks, and further files that affect its result.
pub(super) struct Globs {
    /// True if `files` or `exclude` is set.
    pub(super) is_restricted: bool,
    files: Option<GlobSet>,
    exclude: GlobSet,
    pub(super) inputs: GlobSet,
    /// True if the tool has golden files. It does not check these itself, or there would be golden files of
    /// golden files.
    has_goldens: bool,
}

impl Globs {
    pub(super) fn new(tool: &Tool) -> Result<Self, PlanError> {
        let set = |globs: &[String]| {
            let mut set = GlobSetBuilder::new();
            for glob in globs {
                set.add(config::glob(glob)?);
            }
            set.build()
        };
        let bad =
            |error: globset::Error| PlanError::Glob { tool: tool.name.clone(), message: error.to_string() };
        Ok(Self {
            is_restricted: !tool.files.is_empty() || !tool.exclude.is_empty(),
            files: if tool.files.is_empty() { None } else { Some(set(&tool.files).map_err(bad)?) },
            exclude: set(&tool.exclude).map_err(bad)?,
            inputs: set(&tool.inputs).map_err(bad)?,
            has_goldens: tool.has_goldens(),
        })
    }

    /// Returns true if `files` and `exclude` select `path`.
    pub(super) fn takes(&self, path: &RelPath) -> bool {
        let path = path.as_os_path();
        self.files.as_ref().is_none_or(|files| files.is_match(&path)) && !self.exclude.is_match(&path)
    }

    pub(super) fn looks_at(&self, file: &File) -> bool {
        let is_golden = self.has_goldens && file.path.is_within(&RelPath::new(golden::DIR));
        !is_golden && (!self.is_restricted || self.takes(&file.path))
    }

    /// Returns true if the file at `path` affects the result of all tasks of the tool.
    pub(super) fn is_input(&self, path: &RelPath) -> bool {
        self.inputs.is_match(path.as_os_path())
    }
}

/// Compiled globs of what a generator makes.
pub struct OutputGlobs(Vec<GlobMatcher>);

impl OutputGlobs {
    /// Compiles the globs of `generator`.
    ///
    /// # Errors
    ///
    /// Never for a generator of the configuration, whose globs have been compiled before.
    pub fn new(generator: &Generator) -> Result<Self, globset::Error> {
        let globs = generator.outputs.iter().map(|text| Ok(config::glob(text)?.compile_matcher()));
        globs.collect::<Result<_, _>>().map(Self)
    }

    /// Returns true if the file at `path` is one of its outputs.
    pub fn include(&self, path: &RelPath) -> bool {
        !path.is_outside() && self.0.iter().any(|glob| glob.is_match(path.as_os_path()))
    }

    /// Returns the globs, in the order of the configuration.
    pub fn each(&self) -> &[GlobMatcher] {
        &self.0
    }
}

/// Returns true if the file is genti's own. The definitions of tools in it are already part of task ids, and
/// the rest (policy, baseline) affects no result.
pub(super) fn is_own(path: &RelPath) -> bool {
    let below = path.as_bytes().strip_prefix(b".config/genti");
    config::LOCATIONS.iter().any(|own| path.as_bytes() == own.as_bytes())
        || below.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}
