//! Copies the repository for tools that change it, and compares what generators made with the checked-in files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cache;
use crate::model::generator::{Generated, GeneratedDifference, GeneratedFile, Generator};
use crate::model::halt::Halt;
use crate::model::path::RelPath;
use crate::model::tool::Tool;
use crate::model::workspace::Workspace;
use crate::plan::{OutputGlobs, config};
use crate::scan::{Copied, Copies};
use crate::workspace::{self, CopiedKind, CopyChange, CopyError, CopyRequest, RepositoryCopy};

/// Maximum size of a generated file whose content is part of a finding.
const MOST_BYTES: u64 = 4 << 20;
/// Maximum number of files below a directory that `inputs` names.
const MOST_FILES: usize = 100_000;
/// Maximum size of all of them together.
const MOST_IN_TOTAL: u64 = 64 << 20;

/// Makes copies of the repository around a workspace.
pub(super) struct WorkspaceCopies<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) halt: &'a dyn Halt,
}

impl Copies for WorkspaceCopies<'_> {
    fn make(&self, tool: &Tool) -> Result<Box<dyn Copied + '_>, String> {
        let Self { workspace, halt } = *self;
        let generator = tool.generator().cloned().unwrap_or_default();
        let outputs = OutputGlobs::new(&generator).map_err(|error| error.to_string())?;
        let also = self.ignored_inputs(&generator)?;
        let request = CopyRequest {
            also: &also,
            root: &workspace.root,
            built: &[&workspace.target_dir, &workspace.build_dir],
            purpose: &tool.name,
            has_git: generator.has_git,
            is_older: &|path| outputs.include(path),
        };
        let copy = RepositoryCopy::make(&request, halt).map_err(|error| error.to_string())?;
        if generator.is_clean {
            let outputs = copy.paths().filter(|path| outputs.include(path));
            copy.remove(outputs).map_err(|error| error.to_string())?;
        }
        Ok(Box::new(GeneratorCopy { copy, outputs, generator, halt }))
    }
}

impl WorkspaceCopies<'_> {
    /// Returns the files that the globs of the inputs match below a directory that they name, also those that git ignores.
    fn ignored_inputs(&self, generator: &Generator) -> Result<Vec<RelPath>, String> {
        let Workspace { root, target_dir, build_dir, .. } = self.workspace;
        let mut found = Vec::new();
        for text in &generator.inputs {
            let glob = config::glob(text).map_err(|error| error.to_string())?.compile_matcher();
            let Some((beginning, is_file)) = cache::beginning(text) else { continue };
            let path = RelPath::new(beginning);
            let place = path.to_path(root);
            if is_file {
                found.push(path);
            } else if place.is_dir() {
                let left_out = [target_dir.clone(), build_dir.clone()];
                let files = workspace::everything_below(&place, &left_out, MOST_FILES);
                let files =
                    files.ok_or_else(|| format!("`{path}` has too many files, or an unreadable one"))?;
                let paths = files.into_iter().map(|(below, _)| path.join(below.as_bytes()));
                found.extend(paths.filter(|path| glob.is_match(path.as_os_path())));
            }
        }
        Ok(found)
    }
}

/// A copy in which a generator runs, or a tool that generates nothing.
struct GeneratorCopy<'a> {
    copy: RepositoryCopy,
    outputs: OutputGlobs,
    generator: Generator,
    halt: &'a dyn Halt,
}

impl Copied for GeneratorCopy<'_> {
    fn tops(&self) -> [&Path; 2] {
        [self.copy.original_top(), self.copy.top()]
    }

    fn inside(&self, path: &Path) -> Option<PathBuf> {
        self.copy.inside(path)
    }

    fn compare(&self) -> Result<Generated, String> {
        self.generated().map_err(|error| format!("could not compare the copy: {error}"))
    }
}

impl GeneratorCopy<'_> {
    fn generated(&self) -> Result<Generated, CopyError> {
        let Self { copy, outputs, generator, halt } = self;
        let mut generated = Generated::default();
        let mut left = MOST_IN_TOTAL;
        for change in copy.changes(*halt)? {
            if !outputs.include(&change.path) {
                generated.strays.push(change.path);
                continue;
            }
            let contents = copy.contents(&change.path, MOST_BYTES.min(left))?;
            left = left.saturating_sub(contents.iter().flatten().map(|content| content.len() as u64).sum());
            generated.differing.push(self.difference(change, contents));
        }
        let paths: BTreeSet<_> = copy.paths().chain(copy.present(*halt)?).collect();
        generated.unmatched = generator
            .outputs
            .iter()
            .zip(outputs.each())
            .filter(|(_, glob)| !paths.iter().any(|path| glob.is_match(path.as_os_path())))
            .map(|(text, _)| text.clone())
            .collect();
        Ok(generated)
    }

    fn difference(&self, change: CopyChange, contents: [Option<Vec<u8>>; 2]) -> GeneratedDifference {
        let CopyChange { path, has_other_content, before, after } = change;
        let file = |kind, content| match kind {
            CopiedKind::File(is_executable) => GeneratedFile::Regular { content, is_executable },
            CopiedKind::Link(target) => {
                let target = self.copy.outside(&target).unwrap_or(target);
                GeneratedFile::Link(target.to_string_lossy().into_owned())
            }
        };
        let [old, new] = contents;
        let (before, after) = (before.map(|kind| file(kind, old)), after.map(|kind| file(kind, new)));
        GeneratedDifference { path, has_other_content, before, after }
    }
}
