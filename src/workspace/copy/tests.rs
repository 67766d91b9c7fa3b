//! Copies of small repositories, made by git.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use super::*;
use crate::model::halt::Never;
use crate::workspace::git::git;

/// A repository with a workspace in it, in a directory for temporary files.
struct World(tempfile::TempDir);

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir(world.top()).unwrap();
        for (path, text) in files {
            world.write(path, text);
        }
        world.git(&["init", "--quiet"]);
        world
    }

    fn top(&self) -> PathBuf {
        self.0.path().join("repository")
    }

    fn write(&self, path: &str, text: &str) {
        let place = self.top().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    fn git(&self, args: &[&str]) {
        let user = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"];
        let mut git = Command::new("git");
        let status = git.args(user).args(args).current_dir(self.top()).status().unwrap();
        assert!(status.success(), "git {args:?}");
    }

    /// Copies it, with the workspace in `root`. The file `also.log` is copied although it is ignored.
    fn copy_of(&self, root: &str, has_git: bool) -> Result<RepositoryCopy, CopyError> {
        let (root, target) = (self.top().join(root), self.top().join("target"));
        let purpose = self.0.path().display().to_string();
        let is_older = |path: &RelPath| path.is_within(&RelPath::new("gen"));
        let request = CopyRequest {
            root: &root,
            built: &[&target],
            also: &[RelPath::new("also.log")],
            purpose: &purpose,
            has_git,
            is_older: &is_older,
        };
        RepositoryCopy::make(&request, &Never)
    }

    fn copy(&self) -> RepositoryCopy {
        self.copy_of("", false).unwrap()
    }
}

fn paths(copy: &RepositoryCopy) -> Vec<String> {
    copy.paths().map(|path| path.to_string()).collect()
}

/// Returns the changed files, each with a letter for the change.
fn changes(copy: &RepositoryCopy) -> Vec<String> {
    let changes = copy.changes(&Never).unwrap();
    let letter = |change: &CopyChange| match (&change.before, &change.after) {
        (None, _) => 'A',
        (_, None) => 'D',
        (Some(before), Some(after)) if before != after => 'T',
        _ => 'M',
    };
    changes.iter().map(|change| format!("{} {}", letter(change), change.path)).collect()
}

#[test]
fn a_copy_has_what_git_does_not_ignore_and_what_it_tracks() {
    let world = World::new(&[
        (".gitignore", "*.log\n/target\n"),
        ("a.log", ""),
        ("also.log", ""),
        ("kept.log", ""),
        ("src/lib.rs", "one"),
        ("target/debug/x", ""),
        (".cargo/config.toml", ""),
    ]);
    world.git(&["add", "--force", "kept.log"]);
    let copy = world.copy();
    assert_eq!(paths(&copy), [".cargo/config.toml", ".gitignore", "also.log", "kept.log", "src/lib.rs"]);
    assert!(!copy.top().join(".git").exists() && !copy.top().starts_with(world.top()));
    assert_eq!(copy.top().file_name(), world.top().file_name());
    assert_eq!(changes(&copy), [] as [&str; 0]);
    fs::remove_file(copy.top().join("kept.log")).unwrap();
    assert_eq!(changes(&copy), ["D kept.log"], "a tracked file counts although it is ignored");
}

#[test]
fn submodules_are_copied() {
    let outer = World::new(&[("a", "")]);
    let inner = World::new(&[("x/y", "")]);
    inner.git(&["add", "."]);
    inner.git(&["commit", "--quiet", "--message", "x"]);
    outer.git(&["submodule", "--quiet", "add", inner.top().to_str().unwrap(), "sub"]);
    assert_eq!(paths(&outer.copy()), [".gitmodules", "a", "sub/x/y"]);
}

#[test]
fn nothing_in_the_copy_is_shared_with_the_original() {
    let world = World::new(&[("a", "one"), ("b", "two")]);
    symlink(world.top().join("a"), world.top().join("link")).unwrap();
    fs::set_permissions(world.top().join("b"), fs::Permissions::from_mode(0o750)).unwrap();
    let copy = world.copy();
    let inode = |dir: &Path| dir.join("a").metadata().unwrap().ino();
    assert_ne!(inode(copy.top()), inode(&world.top()));
    assert_eq!(copy.top().join("b").metadata().unwrap().mode() & 0o777, 0o750);
    // An absolute link into the repository leads into the copy.
    fs::write(copy.top().join("link"), "changed").unwrap();
    assert_eq!(fs::read_to_string(world.top().join("a")).unwrap(), "one");
    assert_eq!(changes(&copy), ["M a"]);
}

#[test]
fn each_kind_of_change_is_found() {
    let world = World::new(&[
        (".gitignore", "*.log\n"),
        ("gone", ""),
        ("mode", ""),
        ("same", "one"),
        ("text", "one"),
        ("touched", "one"),
        ("type", ""),
    ]);
    let copy = world.copy();
    let place = |name: &str| copy.top().join(name);
    fs::remove_file(place("gone")).unwrap();
    fs::set_permissions(place("mode"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place("same"), "one").unwrap();
    // With the former size and modification time.
    let time = place("text").metadata().unwrap().modified().unwrap();
    fs::write(place("text"), "two").unwrap();
    File::options().write(true).open(place("text")).unwrap().set_modified(time).unwrap();
    File::options().write(true).open(place("touched")).unwrap().set_modified(SystemTime::now()).unwrap();
    fs::remove_file(place("type")).unwrap();
    symlink("text", place("type")).unwrap();
    fs::write(place("ignored.log"), "").unwrap();
    fs::create_dir(place("new")).unwrap();
    fs::write(place("new/file"), "").unwrap();
    assert_eq!(changes(&copy), ["D gone", "T mode", "A new/file", "M text", "T type"]);
    let text = RelPath::new("text");
    assert_eq!(copy.contents(&text, 3).unwrap(), [Some(b"one".to_vec()), Some(b"two".to_vec())]);
    assert_eq!(copy.contents(&text, 2).unwrap(), [None, None]);
    // What is compared must be what was copied.
    fs::write(world.top().join("text"), "new").unwrap();
    assert!(matches!(copy.changes(&Never), Err(CopyError::Changed(path)) if path == text));
}

#[test]
fn paths_are_relative_to_the_workspace() {
    let world = World::new(&[("ws/src/lib.rs", ""), ("proto/a.proto", "")]);
    let copy = world.copy_of("ws", false).unwrap();
    assert_eq!(paths(&copy), ["../proto/a.proto", "src/lib.rs"]);
    assert_eq!(copy.root(), copy.top().join("ws"));
    fs::write(copy.root().join("../proto/a.proto"), "x").unwrap();
    fs::write(copy.root().join("new"), "").unwrap();
    assert_eq!(changes(&copy), ["M ../proto/a.proto", "A new"]);
    let contents = copy.contents(&RelPath::new("../proto/a.proto"), 10).unwrap();
    assert_eq!(contents, [Some(Vec::new()), Some(b"x".to_vec())]);
}

#[test]
fn files_are_older_where_that_is_asked_for() {
    let world = World::new(&[("gen/a", ""), ("in", "")]);
    let copy = world.copy();
    let time = |name: &str| copy.top().join(name).metadata().unwrap().modified().unwrap();
    assert!(time("gen/a") < time("in") && time("in") <= SystemTime::now());
}

#[test]
fn a_copy_has_a_repository_only_if_it_is_asked_for() {
    let world = World::new(&[("a", "one")]);
    world.git(&["add", "."]);
    world.git(&["commit", "--quiet", "--message", "first"]);
    world.git(&["tag", "--annotate", "--message", "x", "v1"]);
    world.write("a", "two");
    let copy = world.copy_of("", true).unwrap();
    let said = |args: &[&str]| String::from_utf8(git(copy.top(), "", args).unwrap()).unwrap();
    assert_eq!(said(&["describe"]), "v1\n");
    assert_eq!(said(&["status", "--porcelain"]), " M a\n");
    assert_eq!(said(&["remote"]), "");
    assert_eq!(changes(&copy), [] as [&str; 0]);
    // Commits in the copy don't reach the original.
    git(copy.top(), "", &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-am", "x"])
        .unwrap();
    let log =
        Command::new("git").args(["log", "--all", "--oneline"]).current_dir(world.top()).output().unwrap();
    assert_eq!(log.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
}

#[test]
fn a_copy_is_removed_and_so_is_what_a_killed_run_has_left() {
    let world = World::new(&[("a", "")]);
    let copy = world.copy();
    let top = copy.top().to_path_buf();
    // Directories that may not be changed, as in Go's module cache.
    fs::create_dir(top.join("dir")).unwrap();
    fs::write(top.join("dir/x"), "").unwrap();
    fs::set_permissions(top.join("dir"), fs::Permissions::from_mode(0o500)).unwrap();
    // A second copy is elsewhere, and leaves the first one alone.
    let second = world.copy();
    assert!(second.top() != top && top.join("a").exists());
    drop((copy, second));
    assert!(!top.parent().unwrap().exists());
    // As a killed run leaves it: a file without a lock.
    let dir = top.parent().unwrap();
    fs::create_dir_all(&top).unwrap();
    fs::write(dir.join("lock"), "").unwrap();
    fs::write(top.join("left"), "").unwrap();
    let other = World::new(&[("b", "")]);
    drop(other.copy());
    assert!(!dir.exists());
}

#[test]
fn the_same_original_has_the_same_place_each_time() {
    let world = World::new(&[("a", "")]);
    let first = world.copy().top().to_path_buf();
    assert_eq!(world.copy().top(), first);
}
