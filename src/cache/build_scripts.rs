//! Inputs of build scripts.
//!
//! A script states in its output for which files and variables it wants to run again. Cargo believes that. But many scripts state
//! less than they read, so genti also takes the files, directories and variables that their sources name. A script that states no
//! file may read its whole package.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Table;

use super::dep_info::read;
use super::discovered::{AllFiles, HashedInputs, InputCollector, Undiscoverable};
use super::inputs::KeyInputs;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::path::RelPath;
use crate::normalize::RanScript;
use crate::normalize::reads::{self, Reads};
use crate::scan::{is_cargos_variable, read_text};
use crate::workspace;

/// Largest number of files in a directory that a source names. Larger ones are hardly what the script reads.
const MOST: usize = 1_000;

impl KeyInputs<'_> {
    /// Returns a digest over what a build script reads and whether it states any file. If not, cargo runs it again when any file
    /// of its package changes.
    pub(super) fn digest_of_script(
        &self,
        script: &RanScript,
        build_dirs: &[PathBuf],
        all_files: &AllFiles,
    ) -> Result<(Digest, bool), Undiscoverable> {
        let mut collector = self.collector(BTreeSet::new(), build_dirs);
        let stated = collector.add_script(script)?;
        // Cargo itself tracks the variables that the script states.
        let mut variables = std::mem::take(&mut collector.variables);
        variables.retain(|name| !stated.variables.contains(name) && !is_cargos_variable(name));
        let named = std::mem::take(&mut collector.named);
        let mut hasher = Hasher::new("genti.script.1");
        hasher.field("read", &Digest::of("genti.read.1", &HashedInputs(&collector.finish(all_files)?)).0);
        for path in named {
            hasher.field("named", path.as_bytes());
            let place = path.to_path(&self.workspace.root);
            let digest = match place.is_dir() {
                true => Some(self.digest_below(&place, build_dirs)?),
                // The script may have written it.
                false => self.outside.digest_now(&place)?,
            };
            hasher.field("content", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
        }
        for name in variables {
            hasher.field("variable", name.as_bytes());
            let digest = self.variable(&name);
            hasher.field("value", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
            for value in self.config.variable(&name) {
                hasher.field("configured", value.as_os_str().as_encoded_bytes());
            }
        }
        Ok((hasher.finish(), !stated.files.is_empty()))
    }
}

impl InputCollector<'_> {
    /// Adds the files and variables that a build script reads. Returns those that it states.
    pub(super) fn add_script(&mut self, script: &RanScript) -> Result<Reads, Undiscoverable> {
        let stated = reads::build_script(&read(&script.output, self.inputs.copies).ok_or(Undiscoverable)?);
        self.variables.extend(stated.variables.iter().cloned());
        let Some(manifest) = script.manifest.as_deref().filter(|path| !self.inputs.is_immutable(path)) else {
            // A downloaded package can't change, but files that it reads elsewhere can.
            let absolute = stated.files.iter().map(Path::new).filter(|path| path.is_absolute());
            absolute.filter(|path| !self.inputs.is_immutable(path)).try_for_each(|path| self.watch(path))?;
            return Ok(stated);
        };
        let dir = manifest.parent().unwrap_or(manifest);
        stated.files.iter().try_for_each(|file| self.watch(&dir.join(file)))?;
        if stated.files.is_empty() && !self.is_declared(script, dir) {
            self.watch(dir)?;
        }
        self.add_named(script, manifest, dir)?;
        Ok(stated)
    }

    /// Returns whether the files of the package of `script`, in the directory `dir`, are known without asking cargo.
    fn is_declared(&self, script: &RanScript, dir: &Path) -> bool {
        let workspace = self.inputs.workspace;
        let is_its = |path: &RelPath| path.to_path(&workspace.root) == dir;
        script.package.is_some() || workspace.outside.iter().any(|package| is_its(&package.dir))
    }

    /// Adds the files, directories and variables that the sources of `script`, of the package in `dir`, name. Leaves out files that
    /// the script itself has written.
    fn add_named(&mut self, script: &RanScript, manifest: &Path, dir: &Path) -> Result<(), Undiscoverable> {
        let table = read_text(manifest).and_then(|text| text.parse::<Table>().ok());
        let source = table.as_ref().and_then(|table| table.get("package")?.get("build")?.as_str());
        let source = self.inputs.relative(&dir.join(source.unwrap_or("build.rs")))?;
        let package = self.inputs.relative(dir)?;
        let written = |path: &Path| self.inputs.outside.stamp(path).map(|stamp| stamp.modified);
        // Cargo writes the first file before it starts the script, and the output after that.
        let ran = written(&script.output.with_file_name("invoked.timestamp")).zip(written(&script.output));
        let is_own = |path: &Path| {
            ran.zip(written(path)).is_some_and(|((start, end), written)| (start..=end).contains(&written))
        };
        let mut modules = self.inputs.collector(BTreeSet::new(), self.build_dirs);
        modules.follow([source], &package, true);
        for source in modules.files() {
            let Some(text) = read_text(&source.to_path(&self.inputs.workspace.root)) else { continue };
            let Reads { files, variables } = reads::named_by_script(&text);
            self.variables.extend(variables);
            for file in &files {
                let place = dir.join(file);
                let counts = match place.metadata() {
                    Ok(found) if found.is_dir() => self.may_be_read(&place, dir),
                    Ok(found) => found.is_file() && !is_own(&place),
                    Err(_) => reads::may_appear(file),
                };
                if counts {
                    let path = self.inputs.relative(&place)?;
                    let path = self.without_dots(path);
                    self.named.insert(path);
                }
            }
        }
        Ok(())
    }

    /// Returns whether a build script of the package in `dir` may read all of `place`, a directory that its sources name. If there
    /// are Rust sources, the script hardly reads those too.
    fn may_be_read(&self, place: &Path, dir: &Path) -> bool {
        let KeyInputs { workspace, .. } = self.inputs;
        let place = crate::disk::without_dots(place);
        let is_output = |dir: &PathBuf| place.starts_with(dir) || dir.starts_with(&place);
        let outputs = [&workspace.target_dir, &workspace.build_dir];
        if dir.starts_with(&place) || self.build_dirs.iter().chain(outputs).any(is_output) {
            return false;
        }
        let files = workspace::everything_below(&place, self.build_dirs, MOST).unwrap_or_default();
        !files.is_empty() && !files.iter().any(|(path, _)| path.as_bytes().ends_with(b".rs"))
    }
}
