//! Files, directories and variables that the sources of a build script or a procedural macro name.
//!
//! Such code computes paths from its strings. So a string is looked for in the directory where the code runs, in the directories
//! above it up to that of the repository, and in other directories that strings name. Files that are found may name others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::discovered::{InputCollector, Undiscoverable};
use super::inputs::KeyInputs;
use crate::disk;
use crate::model::digest::{Digest, Hasher, Sink};
use crate::model::path::RelPath;
use crate::normalize::BuiltUnit;
use crate::normalize::reads::{self, NativeFiles};
use crate::scan::{is_set_by_cargo, naming_text, read_text, words_in_text};
use crate::workspace;

/// Largest number of files in a directory that a source names. Larger ones are hardly what the code reads. Also the largest number
/// of files that are searched for names of others.
const MOST: usize = 1_000;

/// Largest number of source files of a library whose strings count.
const MOST_MODULES: usize = 100;

/// Largest number of directories in which strings are looked for because another string names them.
const MOST_BASES: usize = 64;

/// Files, directories and variables that code may read, according to its strings.
pub(super) struct SourceNames<'a> {
    inputs: &'a KeyInputs<'a>,
    build_dirs: &'a [PathBuf],
    /// Directories where the code may run, or that it knows: of its own package, and for macros of those that use it.
    homes: Vec<PathBuf>,
    /// When the code ran. Files that were written in this time are its output.
    ran: Option<(i64, i64)>,
    texts: BTreeSet<String>,
    variables: BTreeSet<String>,
    /// Files that the code is known to read. They may name others.
    known: BTreeSet<PathBuf>,
    found: BTreeSet<PathBuf>,
    /// Directories of which only the list of files counts.
    listed: BTreeSet<PathBuf>,
}

/// How much of a directory counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Everything,
    /// It contains sources of the package. These are compiled, and hardly read in another way.
    List,
    Nothing,
}

impl<'a> SourceNames<'a> {
    pub(super) fn new(
        inputs: &'a KeyInputs<'a>,
        build_dirs: &'a [PathBuf],
        homes: Vec<PathBuf>,
        ran: Option<(i64, i64)>,
    ) -> Self {
        let (texts, variables, known) = <_>::default();
        let (found, listed) = <_>::default();
        Self { inputs, build_dirs, homes, ran, texts, variables, known, found, listed }
    }

    pub(super) fn add_home(&mut self, dir: PathBuf) {
        if !self.homes.contains(&dir) {
            self.homes.push(dir);
        }
    }

    /// Reads `roots`, sources of the package in `dir`, and their modules.
    pub(super) fn read_sources(&mut self, roots: impl IntoIterator<Item = RelPath>, dir: &RelPath) {
        self.read_at_most(usize::MAX, roots, dir);
    }

    /// Reads `roots`, libraries of the package in `dir`, and their modules. A large library is hardly written for one build script:
    /// most of its strings don't name files of this repository.
    pub(super) fn read_library(&mut self, roots: impl IntoIterator<Item = RelPath>, dir: &RelPath) {
        self.read_at_most(MOST_MODULES, roots, dir);
    }

    fn read_at_most(&mut self, most: usize, roots: impl IntoIterator<Item = RelPath>, dir: &RelPath) {
        let mut modules = self.inputs.collector(BTreeSet::new(), self.build_dirs);
        modules.follow(roots, dir, true);
        if modules.files().len() > most {
            return;
        }
        for source in modules.files() {
            let Some(text) = read_text(&source.to_path(&self.inputs.workspace.root)) else { continue };
            let named = reads::named_by_script(&text);
            self.variables.extend(named.variables);
            self.texts.extend(named.files);
        }
    }

    /// Adds files and directories that the code is known to read.
    pub(super) fn read_texts(&mut self, places: impl IntoIterator<Item = PathBuf>) {
        self.known.extend(places);
    }

    /// Adds files that a linker reads.
    pub(super) fn add_native(&mut self, native: &NativeFiles) {
        let Some(home) = self.homes.first().cloned() else { return };
        let dirs = native.dirs.iter().flat_map(|dir| native_libraries(&home.join(dir), &native.libraries));
        let files = native.files.iter().map(|file| home.join(file)).filter(|path| path.is_file());
        let places: Vec<_> = dirs.chain(files).filter(|place| self.may_be_input(place)).collect();
        self.found.extend(places);
    }

    /// Returns whether `place` is a file or directory that somebody else may change.
    fn may_be_input(&self, place: &Path) -> bool {
        let place = disk::without_dots(place);
        let workspace = self.inputs.workspace;
        let outputs = [&workspace.target_dir, &workspace.build_dir];
        let is_output = self.build_dirs.iter().chain(outputs).any(|dir| place.starts_with(dir));
        let written = || self.inputs.outside.stamp(&place).map(|stamp| stamp.modified);
        let is_own = || {
            self.ran.zip(written()).is_some_and(|((start, end), written)| (start..=end).contains(&written))
        };
        !is_output && !self.inputs.is_immutable(&place) && (place.is_dir() || !is_own())
    }

    /// Returns how much of the directory `place` counts.
    fn extent(&self, place: &Path) -> Extent {
        let place = disk::without_dots(place);
        let workspace = self.inputs.workspace;
        let outputs = [&workspace.target_dir, &workspace.build_dir];
        let is_around = |dir: &PathBuf| place.starts_with(dir) || dir.starts_with(&place);
        let is_git = place.components().any(|part| part.as_os_str() == ".git");
        if is_git
            || self.homes.iter().any(|home| home.starts_with(&place))
            || self.build_dirs.iter().chain(outputs).any(is_around)
        {
            return Extent::Nothing;
        }
        let files = workspace::everything_below(&place, self.build_dirs, MOST).unwrap_or_default();
        let has = |end: &[u8]| files.iter().any(|(path, _)| path.as_bytes().ends_with(end));
        let is_of_target = || {
            let targets = ["src", "tests", "examples", "benches"];
            self.homes.iter().any(|home| targets.iter().any(|name| place.starts_with(home.join(name))))
        };
        match has(b".rs") {
            _ if files.is_empty() || has(b"Cargo.toml") => Extent::Nothing,
            true if is_of_target() => Extent::List,
            _ => Extent::Everything,
        }
    }

    /// Looks for all strings.
    fn resolve(&mut self) {
        let mut bases = Vec::new();
        let mut places = Vec::new();
        for home in &self.homes {
            let repository = home.ancestors().find(|dir| dir.join(".git").exists());
            let above = home.ancestors().skip(1);
            let above = above.take_while(|dir| repository.is_some_and(|top| dir.starts_with(top)));
            let around: Vec<_> = std::iter::once(home.as_path()).chain(above).collect();
            for text in &self.texts {
                match around.iter().map(|base| base.join(text)).find(|place| place.exists()) {
                    Some(place) => places.push(place),
                    None if reads::may_appear(text) => drop(self.found.insert(home.join(text))),
                    None => {}
                }
            }
        }
        for place in places {
            bases.extend(self.look_at(place));
        }
        let mut at = 0;
        while let Some(base) = bases.get(at).filter(|_| at < MOST_BASES) {
            let places = self.texts.iter().map(|text| base.join(text));
            let places: Vec<_> = places.filter(|place| place.exists()).collect();
            for place in places {
                let base = self.look_at(place).filter(|base| !bases.contains(base));
                bases.extend(base);
            }
            at += 1;
        }
        self.follow_texts();
    }

    /// Adds what is at `place`. Returns it if it is a directory that does not count as a whole and may contain what does.
    fn look_at(&mut self, place: PathBuf) -> Option<PathBuf> {
        let place = disk::without_dots(&place);
        if !self.may_be_input(&place) {
            return None;
        }
        if !place.is_dir() {
            self.found.insert(place);
            return None;
        }
        match self.extent(&place) {
            Extent::Everything => {
                self.found.insert(place);
                return None;
            }
            Extent::List => drop(self.listed.insert(place.clone())),
            Extent::Nothing => {}
        }
        let is_below = self.homes.iter().any(|home| home.starts_with(&place));
        Some(place).filter(|place| !is_below && !place.components().any(|part| part.as_os_str() == ".git"))
    }

    /// Adds the files that files name: scripts that the code runs, included headers and similar.
    fn follow_texts(&mut self) {
        let mut runs_git = self.texts.contains("git");
        let mut queue: Vec<_> = self.found.iter().chain(&self.known).cloned().collect();
        let mut seen = BTreeSet::new();
        while let Some(place) = queue.pop() {
            if seen.len() == MOST || !seen.insert(place.clone()) || self.inputs.is_immutable(&place) {
                continue;
            }
            if place.is_dir() {
                let files = workspace::everything_below(&place, self.build_dirs, MOST).unwrap_or_default();
                queue.extend(files.into_iter().map(|(_, place)| place));
                continue;
            }
            let Some(text) = naming_text(&place) else { continue };
            let dirs: Vec<_> =
                place.parent().into_iter().map(Path::to_path_buf).chain(self.homes.clone()).collect();
            for word in words_in_text(&text) {
                runs_git |= word == "git" && text.starts_with("#!");
                let other =
                    dirs.iter().map(|dir| disk::without_dots(&dir.join(word))).find(|other| other.is_file());
                if let Some(other) = other.filter(|other| self.may_be_input(other)) {
                    queue.push(other.clone());
                    self.found.insert(other);
                }
            }
        }
        if runs_git {
            let places: Vec<_> = self.homes.first().map(|home| git_state(home)).unwrap_or_default();
            self.found.extend(places);
        }
    }
}

impl InputCollector<'_> {
    /// Adds what the sources of the procedural macro `unit`, the root `source` of the package in `dir`, name. It runs for the packages
    /// that use it.
    pub(super) fn add_named_by_macro(
        &mut self,
        unit: &BuiltUnit,
        source: RelPath,
        dir: &RelPath,
    ) -> Result<(), Undiscoverable> {
        let workspace = self.inputs.workspace;
        let mut names = SourceNames::new(self.inputs, self.build_dirs, vec![unit.base.clone()], None);
        names.add_home(dir.to_path(&workspace.root));
        let users = workspace.packages().map(|(_, package)| package);
        let users = users.filter(|user| unit.package.is_some_and(|own| user.dependencies.contains(&own)));
        users.for_each(|user| names.add_home(user.dir.to_path(&workspace.root)));
        names.read_sources([source], dir);
        self.add_names(names)
    }

    /// Adds everything that `names` finds.
    pub(super) fn add_names(&mut self, mut names: SourceNames<'_>) -> Result<(), Undiscoverable> {
        names.resolve();
        self.named_variables.extend(names.variables);
        for place in names.found {
            let path = self.inputs.relative(&place)?;
            let path = self.without_dots(path);
            self.named.insert(path);
        }
        self.named_lists.extend(names.listed);
        Ok(())
    }

    /// Feeds and removes what sources name.
    pub(super) fn feed_named(&mut self, hasher: &mut Hasher) -> Result<(), Undiscoverable> {
        let inputs = self.inputs;
        for path in std::mem::take(&mut self.named) {
            hasher.field("named", path.as_bytes());
            let place = path.to_path(&inputs.workspace.root);
            let digest = match place.is_dir() {
                true => Some(inputs.digest_below(&place, self.build_dirs)?),
                // The code may have written it.
                false => inputs.outside.digest_now(&place)?,
            };
            hasher.field("content", digest.as_ref().map_or(&[], |digest| &digest.0[..]));
        }
        for dir in std::mem::take(&mut self.named_lists) {
            for (path, _) in workspace::everything_below(&dir, self.build_dirs, MOST).unwrap_or_default() {
                hasher.field("listed", path.as_bytes());
            }
        }
        for name in std::mem::take(&mut self.named_variables).iter().filter(|name| !is_set_by_cargo(name)) {
            hasher.field("variable", name.as_bytes());
            let digest = inputs.variable(name);
            hasher.field("value", digest.as_ref().map_or(&[], |digest: &Digest| &digest.0[..]));
            for value in inputs.config.variable(name) {
                hasher.field("configured", value.as_os_str().as_encoded_bytes());
            }
        }
        Ok(())
    }
}

/// Returns the native libraries directly in `dir`. In a large directory, such as one of the system, only those in `names`.
pub(super) fn native_libraries(dir: &Path, names: &BTreeSet<String>) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names_of: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let is_small = names_of.len() <= MOST;
    let is_library = |file: &String| {
        let is_one = file.contains(".so")
            || [".a", ".dylib", ".tbd", ".lib", ".dll", ".o"].iter().any(|end| file.ends_with(end));
        let stem = file.split('.').next().unwrap_or_default();
        let is_named = || names.iter().any(|name| stem == name || stem.strip_prefix("lib") == Some(name));
        is_one && (is_small || is_named())
    };
    names_of.into_iter().filter(is_library).map(|file| dir.join(file)).collect()
}

/// Returns the files that say which commit is checked out in the repository around `dir`, and which tags there are.
fn git_state(dir: &Path) -> Vec<PathBuf> {
    let Some(dot_git) = dir.ancestors().map(|dir| dir.join(".git")).find(|path| path.exists()) else {
        return Vec::new();
    };
    let beside = |path: &Path, text: String| disk::without_dots(&path.join(text.trim()));
    let top = dot_git.parent().unwrap_or(dir);
    let linked =
        read_text(&dot_git).and_then(|text| Some(beside(top, text.strip_prefix("gitdir:")?.to_owned())));
    let own = linked.unwrap_or(dot_git);
    let common = read_text(&own.join("commondir")).map_or_else(|| own.clone(), |text| beside(&own, text));
    let head = own.join("HEAD");
    let branch = read_text(&head).and_then(|text| Some(common.join(text.strip_prefix("ref:")?.trim())));
    [head, common.join("packed-refs"), common.join("refs/tags")].into_iter().chain(branch).collect()
}
