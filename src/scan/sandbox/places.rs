//! Real paths of the places that a sandboxed tool may access.
//!
//! The content of the repository decides where its links lead, and so does a tool that may write in a directory. So links in the
//! workspace and in the target directories are refused: `coverage` could lead to `.git`. Everything is compared by real paths,
//! which the helper opens without following links.
//!
//! The directories of git and genti's own data are closed: who can write there can make a check green.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::path::RelPath;
use crate::model::workspace::Workspace;

/// Knows which links are refused and which places are closed.
pub(super) struct Places {
    /// Directories in which links are refused, with their real paths.
    bases: Vec<(PathBuf, PathBuf)>,
    /// Real paths that no tool may change.
    closed: Vec<PathBuf>,
    /// Real path of cargo's build directories, which is in a closed one and not closed.
    open: PathBuf,
}

impl Places {
    /// Returns the places of `workspace` with the result cache in `cache`.
    pub(super) fn new(workspace: &Workspace, cache: Option<&Path>) -> Self {
        let Workspace { root, target_dir, build_dir, .. } = workspace;
        let own = target_dir.join("genti");
        let bases = [root, target_dir, build_dir].map(|dir| (RelPath::without_dots(dir), real(dir)));
        let git = repository(root).join(".git");
        let closed = [Some(&*own), Some(&git), cache].into_iter().flatten().map(real).collect();
        Self { bases: bases.into(), closed, open: real(&own).join("build") }
    }

    /// Returns the real path of `path`.
    ///
    /// # Errors
    ///
    /// If it does not exist, or if it is in the workspace or a target directory and leads through a link there.
    pub(super) fn find(&self, path: &Path) -> Result<PathBuf, String> {
        let real = path.canonicalize().map_err(|error| format!("can't be read: {error}"))?;
        match self.without_links(path) {
            Some(expected) if expected != real => {
                Err(format!("leads through a link to `{}`; use the path without links", real.display()))
            }
            _ => Ok(real),
        }
    }

    /// Like [`Places::find`], but returns `None` if nothing is there.
    pub(super) fn find_if_exists(&self, path: &Path) -> Result<Option<PathBuf>, String> {
        path.exists().then(|| self.find(path)).transpose()
    }

    /// Adds what a tool may change at `path`, which is created as a directory if nothing is there. A directory that contains
    /// closed ones is replaced by its other entries.
    ///
    /// # Errors
    ///
    /// If it is closed, leads through a link, or can't be created or read.
    pub(super) fn add_writable(&self, path: &Path, writes: &mut Vec<PathBuf>) -> Result<(), String> {
        let closed =
            || "belongs to git or to genti's own data, which no sandboxed tool may change".to_owned();
        let exists = |dir: &&Path| std::fs::symlink_metadata(dir).is_ok();
        let existing = path.ancestors().find(exists).unwrap_or(path);
        // Creating a directory behind a link would already be a change there.
        let parent = self.find(existing)?;
        if existing != path {
            let rest = path.strip_prefix(existing).unwrap_or(path);
            let place = RelPath::without_dots(&parent.join(rest));
            if self.is_shut(&place) {
                return Err(closed());
            }
            std::fs::create_dir_all(path).map_err(|error| format!("could not be created: {error}"))?;
        }
        let place = self.find(path)?;
        if self.is_shut(&place) {
            return Err(closed());
        }
        self.add_open(place, writes).map_err(|error| format!("can't be read: {error}"))
    }

    fn add_open(&self, place: PathBuf, writes: &mut Vec<PathBuf>) -> io::Result<()> {
        if self.is_shut(&place) {
            return Ok(());
        }
        if !self.is_closed(&place) && !self.closed.iter().any(|closed| closed.starts_with(&place)) {
            writes.push(place);
            return Ok(());
        }
        for entry in std::fs::read_dir(&place)? {
            let entry = entry?;
            // The target of a link was not named.
            if !entry.file_type()?.is_symlink() {
                self.add_open(entry.path(), writes)?;
            }
        }
        Ok(())
    }

    /// Returns whether nothing at the real path `place` may be changed: it is closed and does not contain the build directories.
    fn is_shut(&self, place: &Path) -> bool {
        self.is_closed(place) && !self.open.starts_with(place)
    }

    /// Returns whether the real path `place` is closed. The innermost of the directories that contain it decides.
    fn is_closed(&self, place: &Path) -> bool {
        let depth = |dir: &PathBuf| place.starts_with(dir).then(|| dir.components().count());
        let closed = self.closed.iter().filter_map(depth).max();
        closed.is_some() && closed >= depth(&self.open)
    }

    /// Returns the real path that `path` has if it leads through no link below the workspace or the target directories; `None` if
    /// it is outside of them.
    fn without_links(&self, path: &Path) -> Option<PathBuf> {
        let path = RelPath::without_dots(path);
        self.bases.iter().find_map(|(base, real)| {
            let rest = path.strip_prefix(base).or_else(|_| path.strip_prefix(real)).ok()?;
            Some(real.join(rest))
        })
    }
}

/// Returns the real path of `path`, even if only a part of it exists.
fn real(path: &Path) -> PathBuf {
    let real = |dir: &Path| Some(dir.canonicalize().ok()?.join(path.strip_prefix(dir).ok()?));
    path.ancestors().find_map(real).unwrap_or_else(|| path.to_path_buf())
}

/// Returns the directory of the repository that contains `root`, or `root` itself.
pub(super) fn repository(root: &Path) -> PathBuf {
    root.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(root).to_path_buf()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::model::testing;

    /// A workspace in a repository, and a directory beside it.
    struct World(tempfile::TempDir, Workspace);

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("ws");
            for path in
                [".git", "target/genti/build/x", "target/genti/cache", "target/doc", "src", "../beside"]
            {
                std::fs::create_dir_all(root.join(path)).unwrap();
            }
            let target_dir = root.join("target");
            let build_dir = target_dir.clone();
            Self(dir, Workspace { root, target_dir, build_dir, ..testing::workspace(&[], &[]) })
        }

        fn link(&self, path: &str, to: &str) {
            symlink(to, self.1.root.join(path)).unwrap();
        }

        /// Returns what may be changed at `path`, or why nothing may be.
        fn writes(&self, path: &str, cache: Option<&str>) -> Result<Vec<String>, String> {
            let root = self.1.root.canonicalize().unwrap();
            let mut writes = Vec::new();
            let cache = cache.map(|cache| self.1.root.join(cache));
            Places::new(&self.1, cache.as_deref()).add_writable(&self.1.root.join(path), &mut writes)?;
            let name = |path: &PathBuf| path.strip_prefix(&root).unwrap_or(path).to_str().unwrap().to_owned();
            let mut names: Vec<_> = writes.iter().map(name).collect();
            names.sort();
            Ok(names)
        }

        #[track_caller]
        fn refuses(&self, path: &str, why: &str) {
            let said = self.writes(path, None).unwrap_err();
            assert!(said.contains(why), "{path}: {said}");
        }
    }

    fn names(names: &[&str]) -> Result<Vec<String>, String> {
        Ok(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn git_and_gentis_own_data_are_never_writable() {
        let world = World::new();
        world.link("target/link", "/etc");
        let writes = |path: &str| world.writes(path, None);
        assert_eq!(writes("src"), names(&["src"]));
        assert_eq!(writes("src/../target"), names(&["target/doc", "target/genti/build"]));
        assert_eq!(writes("target"), names(&["target/doc", "target/genti/build"]));
        assert_eq!(writes(""), names(&["src", "target/doc", "target/genti/build"]));
        assert_eq!(writes("target/genti"), names(&["target/genti/build"]));
        assert_eq!(writes("target/genti/build/x"), names(&["target/genti/build/x"]));
        assert_eq!(writes("target/new"), names(&["target/new"]));
        for path in ["target/genti/cache", "target/genti/new", ".git", ".git/hooks", "src/../.git"] {
            world.refuses(path, "belongs to git");
            assert!(
                !world.1.root.join(".git/hooks").exists() && !world.1.root.join("target/genti/new").exists()
            );
        }
    }

    #[test]
    fn the_result_cache_is_never_writable_wherever_it_is() {
        let world = World::new();
        let writes = |path: &str, cache: &str| world.writes(path, Some(cache));
        assert_eq!(writes("target", "target/doc"), names(&["target/genti/build"]));
        std::fs::create_dir(world.1.root.join("target/genti/build/cache")).unwrap();
        let builds = names(&["target/genti/build/x"]);
        assert_eq!(writes("target/genti/build", "target/genti/build/cache"), builds);
        assert_eq!(writes("target/genti/build", "target"), names(&["target/genti/build"]));
        assert!(writes("src/x", "src").is_err() && !world.1.root.join("src/x").exists());
        // The user may name it by a link.
        world.link("cache", "src");
        assert!(writes("src", "cache").is_err());
    }

    #[test]
    fn links_of_the_workspace_are_refused() {
        let world = World::new();
        for (path, to) in [("a", "target/genti"), ("b", ".git"), ("c", "."), ("d", "../beside"), ("e", "src")]
        {
            world.link(path, to);
            world.refuses(path, "leads through a link");
            world.refuses(&format!("{path}/new"), "leads through a link");
        }
        world.link("target/genti/build/tmp", "../cache");
        world.refuses("target/genti/build/tmp", "leads through a link");
        world.link("f", "target/doc");
        world.refuses("f/../genti", "leads through a link");
        world.link("gone", "nowhere");
        world.refuses("gone", "can't be read");
        assert!(!world.1.root.join("src/new").exists() && !world.1.root.join("../beside/new").exists());
        // By an absolute path, the user may reach the workspace through a link that is outside of it.
        world.link("../way", "ws");
        let way = world.0.path().join("way/src");
        assert_eq!(world.writes(way.to_str().unwrap(), None), names(&["src"]));
        let way = world.0.path().join("way/.git");
        world.refuses(way.to_str().unwrap(), "belongs to git");
    }

    #[test]
    fn a_target_directory_that_is_a_link_is_refused() {
        let world = World::new();
        std::fs::rename(world.1.root.join("target"), world.1.root.join("../elsewhere")).unwrap();
        world.link("target", "../elsewhere");
        world.refuses("target/doc", "leads through a link");
        assert!(Places::new(&world.1, None).find(&world.1.target_dir).is_err());
    }

    #[test]
    fn a_repository_begins_where_git_says() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("repo/ws");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(repository(&inner), inner);
        std::fs::create_dir(dir.path().join("repo/.git")).unwrap();
        assert_eq!(repository(&inner), dir.path().join("repo"));
    }
}
