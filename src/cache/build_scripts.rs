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
use super::source_names::SourceNames;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::path::RelPath;
use crate::normalize::RanScript;
use crate::normalize::reads::{self, Reads};
use crate::scan::read_text;

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
        collector.variables.clear();
        collector.named_variables.retain(|name| !stated.variables.contains(name));
        let mut hasher = Hasher::new("genti.script.1");
        collector.feed_named(&mut hasher)?;
        hasher.field("read", &Digest::of("genti.read.1", &HashedInputs(&collector.finish(all_files)?)).0);
        Ok((hasher.finish(), !stated.files.is_empty()))
    }
}

impl InputCollector<'_> {
    /// Adds the files and variables that a build script reads. Returns those that it states.
    pub(super) fn add_script(&mut self, script: &RanScript) -> Result<Reads, Undiscoverable> {
        let printed = read(&script.output, self.inputs.copies).ok_or(Undiscoverable)?;
        let stated = reads::build_script(&printed);
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
        self.add_named(script, &printed, &stated, manifest)?;
        Ok(stated)
    }

    /// Returns whether the files of the package of `script`, in the directory `dir`, are known without asking cargo.
    fn is_declared(&self, script: &RanScript, dir: &Path) -> bool {
        let workspace = self.inputs.workspace;
        let is_its = |path: &RelPath| path.to_path(&workspace.root) == dir;
        script.package.is_some() || workspace.outside.iter().any(|package| is_its(&package.dir))
    }

    /// Adds the files, directories and variables that the sources of `script`, of the package in `dir`, name, with those of the local
    /// packages that it is built from, and what it passes to the linker. Leaves out files that the script itself has written.
    fn add_named(
        &mut self,
        script: &RanScript,
        printed: &[u8],
        stated: &Reads,
        manifest: &Path,
    ) -> Result<(), Undiscoverable> {
        let dir = manifest.parent().unwrap_or(manifest);
        let table = read_text(manifest).and_then(|text| text.parse::<Table>().ok());
        let source = table.as_ref().and_then(|table| table.get("package")?.get("build")?.as_str());
        let source = self.inputs.relative(&dir.join(source.unwrap_or("build.rs")))?;
        let package = self.inputs.relative(dir)?;
        let written = |path: &Path| self.inputs.outside.stamp(path).map(|stamp| stamp.modified);
        // Cargo writes the first file before it starts the script, and the output after that.
        let ran = written(&script.output.with_file_name("invoked.timestamp")).zip(written(&script.output));
        let inputs = self.inputs;
        let mut names = SourceNames::new(inputs, self.build_dirs, vec![dir.to_path_buf()], ran);
        names.read_sources([source], &package);
        for (sources, of) in inputs.built_into(script) {
            names.add_home(of.to_path(&inputs.workspace.root));
            names.read_library(sources, &of);
        }
        names.read_texts(stated.files.iter().map(|file| dir.join(file)));
        names.add_native(&reads::native_files(printed));
        self.add_names(names)
    }
}

impl KeyInputs<'_> {
    /// Returns the local packages that `script` is built from: their library sources and their directories.
    fn built_into(&self, script: &RanScript) -> Vec<(Vec<RelPath>, RelPath)> {
        let workspace = self.workspace;
        let Some(package) = script.package.map(|id| workspace.package(id)) else { return Vec::new() };
        let mut queue: Vec<_> = package.dependencies.clone();
        queue.retain(|id| workspace.build_dependencies.contains(workspace.package(*id).cargo_name()));
        let mut members = BTreeSet::new();
        while let Some(id) = queue.pop() {
            if members.insert(id) {
                queue.extend(&workspace.package(id).dependencies);
            }
        }
        let members = members.into_iter().map(|id| {
            let package = workspace.package(id);
            let roots = package.targets.iter().map(|target| target.root.clone());
            (roots.collect(), package.dir.clone())
        });
        let outside = package.outside.iter().filter_map(|at| workspace.outside.get(*at as usize));
        let outside = outside.filter(|package| workspace.build_dependencies.contains(&package.name));
        members
            .chain(outside.map(|package| (vec![package.dir.join(b"src/lib.rs")], package.dir.clone())))
            .collect()
    }
}
